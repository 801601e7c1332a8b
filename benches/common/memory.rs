//! Resident memory of this process, bytes. Zeros where there is no /proc (only Linux has one).

use super::report::Peak;

/// Lets the peak begin anew. Returns what the process holds, without pages of files (programs and libraries).
pub fn begin() -> u64 {
    // What came before has left freed memory with the process: used again, it would not count.
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: a number in, a number out; only memory that nobody holds goes back.
    unsafe {
        libc::malloc_trim(0);
    }
    // A kernel that refuses keeps the peak since the start, which is above: the growth then reads too large, not too small.
    let _ = std::fs::write("/proc/self/clear_refs", "5");
    field("VmRSS:").saturating_sub(field("RssFile:"))
}

/// The peak since [`begin`], which gave `start`.
pub fn end(start: u64) -> Peak {
    let absolute = field("VmHWM:");
    // Code that was read meanwhile is not what the work needed.
    Peak { absolute, growth: absolute.saturating_sub(field("RssFile:")).saturating_sub(start) }
}

fn field(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let value = status.lines().find_map(|line| line.strip_prefix(name));
    value.and_then(|value| value.trim().strip_suffix("kB")?.trim().parse().ok()).map_or(0, |kib: u64| kib * 1024)
}
