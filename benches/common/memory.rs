//! Resident memory of this process, bytes. Zeros where there is no /proc (only Linux has one).

/// What it holds now.
pub fn resident() -> u64 {
    field("VmRSS:")
}

/// The most it has held since it started, or since [`forget_peak`].
pub fn peak() -> u64 {
    field("VmHWM:")
}

/// Lets the peak begin anew at what the process holds now.
pub fn forget_peak() {
    // A kernel that refuses keeps the peak since the start, which is above: the growth then reads too large, not too small.
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

fn field(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let value = status.lines().find_map(|line| line.strip_prefix(name));
    value.and_then(|value| value.trim().strip_suffix("kB")?.trim().parse().ok()).map_or(0, |kib: u64| kib * 1024)
}
