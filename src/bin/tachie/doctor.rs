//! `tachie doctor`: what this machine offers, and what is missing.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use tachie::Result;
use tachie::candle_core::DType;
use tachie::nn::params::ParamStore;
use tachie::ops::level::{self, Level};
use tachie::rng::Seed;

/// Say what this machine offers and what is missing
#[derive(Debug, clap::Args)]
pub struct Args {}

/// One line of the report.
struct Finding {
    what: &'static str,
    found: String,
    /// What to do, when something is missing.
    advice: Option<String>,
}

impl Finding {
    fn good(what: &'static str, found: impl Into<String>) -> Finding {
        Finding { what, found: found.into(), advice: None }
    }

    fn bad(what: &'static str, found: impl Into<String>, advice: impl Into<String>) -> Finding {
        Finding { what, found: found.into(), advice: Some(advice.into()) }
    }
}

/// Runs the command: one line per finding, and below those that need it one line with what to do.
///
/// # Errors
/// When a check that training depends on fails.
pub fn run(_: Args) -> Result<()> {
    let device = tachie::device()?;
    let mut findings = vec![
        Finding::good("tachie", env!("CARGO_PKG_VERSION")),
        processor(&device),
        instructions(),
        memory(),
        disk(Path::new(".")),
    ];
    let loaded = ParamStore::new(Seed(0), &device, DType::F32);
    findings.push(match &loaded {
        Ok(_) => Finding::good("candle", "loaded once"),
        Err(error) => Finding::bad("candle", "loaded twice", error.to_string()),
    });
    findings.extend(notebooks(&std::env::current_dir().unwrap_or_default()));
    let width = findings.iter().map(|finding| finding.what.len()).max().unwrap_or(0);
    let mut report = String::new();
    for Finding { what, found, advice } in &findings {
        let mark = if advice.is_none() { "✓" } else { "✗" };
        report.push_str(&format!("{mark} {what:width$}  {found}\n"));
        if let Some(advice) = advice {
            report.push_str(&format!("  {:width$}  {advice}\n", ""));
        }
    }
    // Whoever closed standard output early has read enough.
    let _ = std::io::stdout().write_all(report.as_bytes());
    loaded.map(|_| ())
}

/// The vector instructions that training on the CPU uses.
fn instructions() -> Finding {
    let what = "cpu";
    let used = level::level();
    let levels: Vec<&str> = Level::available().map(Level::name).collect();
    match level::check() {
        Ok(_) => Finding::good(what, format!("{used} of {}", levels.join(", "))),
        Err(error) => Finding::bad(what, used.name(), error.to_string()),
    }
}

/// What computes; where that is not a GPU though the program could use one, why.
fn processor(device: &tachie::device::Device) -> Finding {
    let (what, found) = ("device", tachie::device::describe(device));
    match tachie::device::why_no_gpu() {
        Some(reason) if cfg!(feature = "cuda") => Finding::bad(what, found, format!("No GPU can be used: {reason}.")),
        _ => Finding::good(what, found),
    }
}

/// Installed and available memory, where the system tells.
fn memory() -> Finding {
    let what = "memory";
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kib = |name: &str| -> Option<u64> {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        line.trim().strip_suffix("kB")?.trim().parse().ok()
    };
    match (kib("MemAvailable"), kib("MemTotal")) {
        (Some(free), Some(total)) => {
            let found = format!("{} available of {}", gib(free), gib(total));
            match free < 2 << 20 {
                true => Finding::bad(what, found, "Compiling the notebook kernel needs about 4 GiB."),
                false => Finding::good(what, found),
            }
        }
        _ => Finding::good(what, "unknown on this system"),
    }
}

/// Free space where the command was called. `df` asks the system in the same way everywhere but on Windows.
fn disk(folder: &Path) -> Finding {
    let what = "disk";
    let output = Command::new("df").arg("-Pk").arg(folder).output().ok();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    let free = text.lines().nth(1).and_then(|line| line.split_whitespace().nth(3)?.parse::<u64>().ok());
    match free {
        Some(free) if free < 8 << 20 => Finding::bad(
            what,
            format!("{} free here", gib(free)),
            "The notebook kernel and its libraries need about 8 GiB.",
        ),
        Some(free) => Finding::good(what, format!("{} free here", gib(free))),
        None => Finding::good(what, "unknown on this system"),
    }
}

fn gib(kib: u64) -> String {
    format!("{:.1} GiB", kib as f64 / (1 << 20) as f64)
}

/// What `cargo xtask lab` sets up, in the clone that `here` lies in.
fn notebooks(here: &Path) -> Vec<Finding> {
    let advice = "Type `cargo xtask lab` in the clone; it sets up what is missing.";
    let Some(clone) = clone_above(here) else {
        return vec![Finding::good("notebooks", "not in a clone of tachie, so nothing to check")];
    };
    let parts = [
        ("jupyter", ".venv/bin/jupyter-lab"),
        ("evcxr", "target/tools/bin/evcxr_jupyter"),
        ("kernel", ".venv/share/jupyter/kernels/tachie/kernel.json"),
    ];
    let check = |(what, path): (&'static str, &str)| match clone.join(path).exists() {
        true => Finding::good(what, path),
        false => Finding::bad(what, format!("no {path}"), advice),
    };
    parts.into_iter().map(check).collect()
}

fn clone_above(here: &Path) -> Option<PathBuf> {
    here.ancestors().find(|folder| folder.join("notebooks/kernel/Cargo.toml").is_file()).map(Path::to_path_buf)
}
