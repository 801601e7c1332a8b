//! A training in the background: interrupting a notebook cell would kill the process and all variables.

use std::collections::VecDeque;
use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::progress::{Ended, Progress};
use super::tick::{Console, Goal, print_line};
use super::trainer::Trainer;
use crate::show::bundle::{Bundle, Show, displayable};
use crate::show::plot::LossPlot;
use crate::{Error, Result};

/// candle walks a graph recursively; the two MiB of an ordinary thread end at some 5,000 operations.
const STACK: usize = 64 << 20;

/// How often [`TrainHandle::watch`] looks for new lines.
const GLANCE: Duration = Duration::from_millis(100);

/// Gives the trainer back when it ends, with what the call to it returned.
type Thread = JoinHandle<(Trainer, Result<Progress>)>;

/// A training that goes on in its own thread. Clones are the same training; when the last one is dropped, it stops
/// cleanly, with a checkpoint.
#[derive(Clone)]
pub struct TrainHandle {
    inner: Arc<Inner>,
}

struct Inner {
    folder: PathBuf,
    stop: Arc<AtomicBool>,
    lines: Arc<Mutex<VecDeque<String>>>,
    thread: Mutex<Option<Thread>>,
}

impl Inner {
    fn thread(&self) -> MutexGuard<'_, Option<Thread>> {
        self.thread.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lines(&self) -> MutexGuard<'_, VecDeque<String>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // Without a thread the trainer was given back, and a stop would hit whoever has it.
        if let Some(thread) = self.thread().take() {
            self.stop.store(true, Ordering::Relaxed);
            // Nobody is left to hear of an error; the run folder is whole either way.
            let _ = thread.join();
        }
    }
}

impl TrainHandle {
    pub(super) fn start(mut trainer: Trainer) -> Result<TrainHandle> {
        let (folder, stop) = (trainer.folder.clone(), trainer.stop.clone());
        let lines = Arc::new(Mutex::new(VecDeque::new()));
        trainer.console = Console::Keep(lines.clone());
        stop.store(false, Ordering::Relaxed);
        let goal = match trainer.plan.stages.last() {
            Some(stage) if !trainer.plan.done(trainer.steps, trainer.images) => Goal::of(stage.until),
            _ => Goal::Steps(u64::MAX),
        };
        // Taken here and not in the thread, so that nobody else opens the folder before the thread has begun.
        let busy = trainer.lock.work()?;
        let train = move || {
            let outcome = trainer.train_as(busy, goal);
            (trainer, outcome)
        };
        let thread = thread::Builder::new().name("tachie training".into()).stack_size(STACK).spawn(train);
        let thread = thread.map_err(|e| Error::io("start a thread for the training in", &folder, e))?;
        let thread = Mutex::new(Some(thread));
        Ok(TrainHandle { inner: Arc::new(Inner { folder, stop, lines, thread }) })
    }

    /// Whether it still trains.
    pub fn running(&self) -> bool {
        self.inner.thread().as_ref().is_some_and(|thread| !thread.is_finished())
    }

    /// Ends the training after the step it is in, with a preview and a checkpoint, and gives the trainer back.
    ///
    /// # Errors
    /// What went wrong in the thread, if anything did; when it was stopped before.
    pub fn stop(&self) -> Result<Trainer> {
        let what = || format!("training in {}", self.inner.folder.display());
        let Some(thread) = self.inner.thread().take() else {
            return Err(Error::invalid(what(), "that it was stopped before", "one stop", "Open the folder again."));
        };
        self.inner.stop.store(true, Ordering::Relaxed);
        let (mut trainer, outcome) = thread.join().map_err(|panic| {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| text.to_string()));
            let hint = "This is a mistake in tachie or in the model; the last checkpoint is whole.";
            Error::invalid(what(), format!("a panic: {}", text.unwrap_or_default()), "none", hint)
        })?;
        outcome?;
        trainer.console = Console::Print;
        trainer.stop.store(false, Ordering::Relaxed);
        Ok(trainer)
    }

    /// Prints the lines of the training, those since the last watch first, for so many seconds or until it ends.
    ///
    /// # Errors
    /// When `seconds` is negative, not a number or beyond what a clock can tell.
    pub fn watch(&self, seconds: f64) -> Result<Progress> {
        let end = Duration::try_from_secs_f64(seconds).ok().and_then(|time| Instant::now().checked_add(time));
        let end = end.ok_or_else(|| Error::invalid("seconds", seconds.to_string(), "a length of time", ""))?;
        loop {
            let running = self.running();
            let lines = std::mem::take(&mut *self.inner.lines());
            lines.iter().for_each(|line| print_line(line));
            let left = end.saturating_duration_since(Instant::now());
            if !running || left.is_zero() {
                return self.progress();
            }
            thread::sleep(left.min(GLANCE));
        }
    }

    /// The losses so far.
    ///
    /// # Errors
    /// When the history was damaged.
    pub fn plot(&self) -> Result<LossPlot> {
        Ok(self.progress()?.history.plot())
    }

    /// Where the run stands, up to its last line.
    ///
    /// # Errors
    /// When the history was damaged.
    pub fn progress(&self) -> Result<Progress> {
        Progress::read(&self.inner.folder, if self.running() { Ended::Running } else { Ended::Idle })
    }
}

impl fmt::Debug for TrainHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = if self.running() { "training" } else { "ended" };
        write!(f, "TrainHandle({}, {state})", self.inner.folder.display())
    }
}

impl Show for TrainHandle {
    fn bundle(&self) -> Result<Bundle> {
        self.progress()?.bundle()
    }
}

displayable!(TrainHandle);
