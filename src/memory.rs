//! What the process does with memory that was freed.

use std::sync::Once;

/// Makes the C library keep freed memory for the next tensors, once per process. By default it hands blocks of megabytes
/// back to the system, which then clears every page anew when the next tensor of that size touches it: a third and more
/// of the time of a backward pass through an activation. The process keeps what it needed at most, in one place for all threads:
/// by default each thread keeps its own, in pieces of 64 MiB that go back to the system whatever it was told.
///
/// With the GNU library on Linux; elsewhere nothing happens. Settings that the environment asks for
/// (`MALLOC_TRIM_THRESHOLD_` and the like) are overruled.
pub(crate) fn keep() {
    static ONCE: Once = Once::new();
    ONCE.call_once(kept);
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn kept() {
    /// Never.
    const NEVER: libc::c_int = -1;
    /// Asked for at once when memory runs out: 64 MiB.
    const MORE: libc::c_int = 64 << 20;
    // SAFETY: numbers in, a number out; the allocator takes its own lock. Where a setting is refused, nothing changes.
    unsafe {
        libc::mallopt(libc::M_MMAP_MAX, 0);
        libc::mallopt(libc::M_TRIM_THRESHOLD, NEVER);
        libc::mallopt(libc::M_TOP_PAD, MORE);
        libc::mallopt(libc::M_ARENA_MAX, 1);
    }
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn kept() {}
