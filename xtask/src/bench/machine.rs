//! What measurements were made on, and when.

use crate::Result;
use crate::layout::Layout;
use crate::stage::capture;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

/// One paragraph: date, processor, memory, compiler, commit.
pub fn describe(layout: &Layout) -> Result<String> {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let rustc = capture(Command::new("rustc").arg("--version"), "rustc --version")?;
    let rustc = rustc.split_whitespace().take(2).collect::<Vec<_>>().join(" ");
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let memory = std::fs::read_to_string("/proc/meminfo").ok().and_then(|text| memory(&text));
    let memory = memory.map_or(String::new(), |gib| format!(", {gib} GiB of memory"));
    Ok(format!(
        "Measured on {}, {cores} cores of {}{memory}, {rustc}, {}.",
        date(seconds / 86_400),
        processor(),
        commit(layout)
    ))
}

/// Processes that want to run besides this one, averaged over the last minute; none where the system does not tell.
pub fn load() -> Option<f64> {
    std::fs::read_to_string("/proc/loadavg").ok()?.split_whitespace().next()?.parse().ok()
}

fn processor() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = text.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let name = model.map_or("an unknown processor", |(_, name)| name);
    name.replace("(R)", "").replace("(TM)", "").split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Whole GiB in the text of /proc/meminfo.
fn memory(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some((kib + (1 << 19)) >> 20)
}

fn commit(layout: &Layout) -> String {
    let git = |args: &[&str]| capture(Command::new("git").current_dir(&layout.root).args(args), "git").ok();
    let Some(commit) = git(&["rev-parse", "--short", "HEAD"]) else { return "no commit".into() };
    match git(&["status", "--porcelain", "--", "src", "benches", "Cargo.lock"]) {
        Some(changes) if changes.lines().any(|line| !line.ends_with("benches/results.md")) => {
            format!("commit {commit} with changes")
        }
        _ => format!("commit {commit}"),
    }
}

/// The date of a day counted from 1970-01-01, as ISO 8601 has it.
fn date(mut days: u64) -> String {
    let leap = |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let mut year = 1970;
    while days >= 365 + u64::from(leap(year)) {
        days -= 365 + u64::from(leap(year));
        year += 1;
    }
    let february = 28 + u64::from(leap(year));
    let mut month = 1;
    for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30] {
        if days < length {
            break;
        }
        days -= length;
        month += 1;
    }
    format!("{year}-{month:02}-{:02}", days + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        // `date -u -d @$((n * 86400)) +%F`
        let found = [0, 58, 59, 789, 11_016, 19_782, 20_453, 20_454].map(date);
        let wanted = [
            "1970-01-01",
            "1970-02-28",
            "1970-03-01",
            "1972-02-29",
            "2000-02-29",
            "2024-02-29",
            "2025-12-31",
            "2026-01-01",
        ];
        assert_eq!(found, wanted);
    }

    #[test]
    fn memory_is_rounded() {
        assert_eq!(memory("MemTotal:       24689384 kB\nMemFree: 1 kB\n"), Some(24));
        assert_eq!(memory("nothing"), None);
    }
}
