//! What an evaluation says while it works: whole lines, few of them, with what is left to wait for.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::train::{duration, print_line};

/// Where lines go.
#[derive(Clone)]
pub(super) struct Say(Arc<dyn Fn(&str) + Send + Sync>);

impl Say {
    pub(super) fn to(take: impl Fn(&str) + Send + Sync + 'static) -> Say {
        Say(Arc::new(take))
    }

    pub(super) fn line(&self, line: &str) {
        self.0(line);
    }
}

impl Default for Say {
    /// Standard output.
    fn default() -> Say {
        Say::to(print_line)
    }
}

impl fmt::Debug for Say {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Say")
    }
}

/// Counts pictures that went by.
pub(super) struct Progress {
    say: Say,
    start: Instant,
    last: Mutex<Instant>,
    done: AtomicU64,
    /// Pictures that are not done; a guess, since a model may give another number of them.
    left: AtomicU64,
}

impl Progress {
    pub(super) fn new(say: &Say, left: usize) -> Progress {
        let now = Instant::now();
        let (done, left) = (AtomicU64::new(0), AtomicU64::new(left as u64));
        Progress { say: say.clone(), start: now, last: Mutex::new(now), done, left }
    }

    /// Pictures that went by.
    pub(super) fn pictures(&self, n: usize, what: &str, at: usize, of: usize) {
        self.done.fetch_add(n as u64, Ordering::Relaxed);
        self.skipped(n);
        if !self.due() {
            return;
        }
        let (done, left) = (self.done.load(Ordering::Relaxed), self.left.load(Ordering::Relaxed));
        let seconds = self.start.elapsed().as_secs_f64();
        let rest = Duration::try_from_secs_f64(seconds / done.max(1) as f64 * left as f64).unwrap_or_default();
        let speed = done as f64 / seconds.max(1e-9);
        self.say.line(&format!("{what}  {at}/{of} pictures  {speed:.1} img/s  ETA {}", duration(rest)));
    }

    /// Pictures that need not go by, since what they would give is known.
    pub(super) fn skipped(&self, n: usize) {
        let less = |left: u64| Some(left.saturating_sub(n as u64));
        // The update never refuses.
        let _ = self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
    }

    pub(super) fn line(&self, line: &str) {
        self.say.line(line);
    }

    /// At most a line a second, and fewer the longer it lasts.
    fn due(&self) -> bool {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let wait = (self.start.elapsed() / 10).clamp(Duration::from_secs(1), Duration::from_secs(60));
        let due = last.elapsed() >= wait;
        if due {
            *last = Instant::now();
        }
        due
    }
}
