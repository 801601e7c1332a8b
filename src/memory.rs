//! What the process does with memory that was freed.
//!
//! The C library keeps freed memory for the next tensors. By default it hands blocks of megabytes back to the system, which
//! then clears every page anew when the next tensor of that size touches it: a third and more of the time of a backward pass
//! through an activation. The process keeps what it needed at most, in one place for all threads: by default each thread
//! keeps its own, in pieces of 64 MiB that go back to the system whatever the library was told, and a training whose steps
//! run now on one thread and now on another would hold its activations twice.
//!
//! With the GNU library on Linux; elsewhere nothing happens. Settings that the environment asks for
//! (`MALLOC_TRIM_THRESHOLD_` and the like) are overruled.

/// Called when the program, or the library in a notebook, is loaded: a thread that has memory of its own already keeps it, so
/// that this has to come before threads, and data sets start some.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[used]
// SAFETY: the section holds addresses of functions that the loader calls, after it has set up the C library.
#[unsafe(link_section = ".init_array")]
static AT_START: extern "C" fn() = keep;

#[cfg(all(target_os = "linux", target_env = "gnu"))]
extern "C" fn keep() {
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
