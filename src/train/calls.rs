//! How long to train: the calls of [`Trainer`], and what happens beside training.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::files;
use super::guard::{adversarial, diversity};
use super::handle::TrainHandle;
use super::history::Record;
use super::lock::Busy;
use super::plan::Mark;
use super::progress::{Ended, Progress};
use super::tensorboard::EventFile;
use super::tick::{Goal, Pace};
use super::trainer::Trainer;
use crate::data::batch::Batch;
use crate::show::grid::Grid;
use crate::{Error, Result};

/// Whether the note on early pictures has been said.
static TOLD: AtomicBool = AtomicBool::new(false);
/// A run is asked to end by a file of this name in its folder.
const STOP: &str = "STOP";
/// The picture of the state of training in a run folder.
pub(super) const PREVIEW: &str = "preview.png";
/// No checkpoint of a run at work is older than this, whatever the plan says.
const CHECKPOINT_AGE: Duration = Duration::from_secs(300);
/// Steps and time that a call trains at most when the environment says `TACHIE_BUDGET=ci`.
const CI_STEPS: u64 = 2;
const CI_TIME: Duration = Duration::from_secs(20);

impl Trainer {
    /// Trains `n` more steps.
    ///
    /// Every call ends with a preview and a checkpoint, and ends early when a file named `STOP` appears in the run
    /// folder. With `TACHIE_BUDGET=ci` in the environment it trains 2 steps or 20 seconds at most.
    ///
    /// # Errors
    /// [`Error::Diverged`] when a number is not finite; when the disk is full. The last checkpoint stays whole.
    pub fn steps(&mut self, n: u64) -> Result<Progress> {
        self.train(Goal::Steps(self.steps.saturating_add(n)))
    }

    /// Trains until so many thousand more real images were shown. Otherwise as [`steps`](Trainer::steps).
    ///
    /// # Errors
    /// As [`steps`](Trainer::steps); when `kimg` is negative or not a number.
    pub fn kimg(&mut self, kimg: f64) -> Result<Progress> {
        if kimg.is_nan() || kimg < 0.0 {
            return Err(Error::invalid("kimg", kimg.to_string(), "a number that is not negative", ""));
        }
        self.train(Goal::Images(self.images.saturating_add((kimg * 1000.0).round() as u64)))
    }

    /// Trains for that long. Otherwise as [`steps`](Trainer::steps).
    ///
    /// # Errors
    /// As [`steps`](Trainer::steps); when `seconds` is negative, not a number, or beyond what a clock can tell.
    pub fn seconds(&mut self, seconds: f64) -> Result<Progress> {
        let end = Duration::try_from_secs_f64(seconds).ok().and_then(|time| Instant::now().checked_add(time));
        match end {
            Some(end) => self.train(Goal::Time(end)),
            None => Err(Error::invalid("seconds", seconds.to_string(), "a length of time", "")),
        }
    }

    /// Trains for that many minutes. Otherwise as [`steps`](Trainer::steps).
    ///
    /// # Errors
    /// As [`seconds`](Trainer::seconds).
    pub fn minutes(&mut self, minutes: f64) -> Result<Progress> {
        self.seconds(minutes * 60.0)
    }

    /// Trains up to that point of the run, counted from its beginning: nothing when it is there already.
    ///
    /// # Errors
    /// As [`steps`](Trainer::steps).
    pub fn until(&mut self, mark: Mark) -> Result<Progress> {
        self.train(Goal::of(mark))
    }

    /// Trains to the end of the plan.
    ///
    /// # Errors
    /// As [`steps`](Trainer::steps).
    pub fn finish(&mut self) -> Result<Progress> {
        match self.plan.stages.last() {
            Some(stage) => self.until(stage.until),
            None => self.steps(0),
        }
    }

    /// One step on this batch in place of the loader's next: losses, gradients and optimizer of every player, and the
    /// running average, exactly as in a training. Only the step: no row in the history, no preview, no checkpoint, and
    /// the data stays where it was. For measurements, and for seeing whether a model can learn one batch by heart.
    ///
    /// Returns what the row would hold.
    ///
    /// # Errors
    /// [`Error::Diverged`] when a number is not finite; when the batch does not fit the networks or is not on their
    /// device.
    pub fn step_on(&mut self, batch: &Batch) -> Result<Record> {
        let _busy = self.lock.work()?;
        self.unless_failed(|trainer| trainer.step(Some(batch)))
    }

    /// Trains in a thread of its own until [`TrainHandle::stop`], the STOP file or the end of the plan (when the plan
    /// is done already, until it is stopped), while the notebook goes on. Nothing is printed until somebody watches.
    ///
    /// # Errors
    /// When the system starts no more threads.
    pub fn spawn(self) -> Result<TrainHandle> {
        TrainHandle::start(self)
    }

    /// What there is to say and show of the run as it stands.
    ///
    /// # Errors
    /// When the history was damaged.
    pub fn progress(&self) -> Result<Progress> {
        Progress::of(self, Ended::Idle)
    }

    fn train(&mut self, goal: Goal) -> Result<Progress> {
        let busy = self.lock.work()?;
        self.train_as(busy, goal)
    }

    /// Trains with the folder taken already.
    pub(super) fn train_as(&mut self, busy: Busy, goal: Goal) -> Result<Progress> {
        let outcome = self.unless_failed(|trainer| trainer.work(goal));
        drop(busy);
        Progress::of(self, outcome?)
    }

    /// Does something that ends this trainer for good when it goes wrong.
    fn unless_failed<T>(&mut self, work: impl FnOnce(&mut Trainer) -> Result<T>) -> Result<T> {
        if let Some(failed) = &self.failed {
            return Err(Error::invalid(
                format!("trainer of {}", self.folder.display()),
                format!("that it ended with an error ({failed})"),
                "a trainer that works",
                "Open the run folder again to go on from its last checkpoint.",
            ));
        }
        let outcome = work(self);
        if let Err(error) = &outcome {
            // Rows that were counted stay readable; the error itself is the one to report.
            let _ = self.history.flush();
            self.failed = Some(error.to_string());
        }
        outcome
    }

    fn work(&mut self, goal: Goal) -> Result<Ended> {
        let (first, before) = (self.steps, self.seconds);
        let mut pace = Pace::new(first, self.images, Duration::try_from_secs_f64(before).unwrap_or_default());
        let (goal, shortened) = shorten(goal, self.steps);
        // Once a process: a cell may train ten models, one after the other.
        if self.steps == 0 && !TOLD.swap(true, Ordering::Relaxed) {
            self.say("note: early pictures look alike and blurred for thousands of steps, which is usual; a published training on faces looked collapsed until step 4,100 and had faces at 6,000");
        }
        let ended = loop {
            if let Some(ended) = self.ended(goal, &pace, shortened)? {
                break ended;
            }
            let mut record = self.step(None)?;
            self.seconds = before + pace.elapsed().as_secs_f64();
            record.seconds = self.seconds;
            self.beside(&mut record)?;
            if pace.due() {
                let line = pace.line(&record, goal);
                self.say(&line);
                self.flush()?;
            }
        };
        if self.steps > first {
            self.close()?;
        }
        self.say(&format!("{} after step {}, {:.1} img/s", ended.text(), self.steps, pace.speed(self.images)));
        Ok(ended)
    }

    /// Whether the call is over, and why.
    fn ended(&self, goal: Goal, pace: &Pace, shortened: bool) -> Result<Option<Ended>> {
        let reached = match goal {
            Goal::Steps(steps) => self.steps >= steps,
            Goal::Images(images) => self.images >= images,
            Goal::Time(moment) => Instant::now() >= moment,
        };
        if reached || (shortened && pace.elapsed() >= CI_TIME) {
            return Ok(Some(if shortened { Ended::Budget } else { Ended::Reached }));
        }
        if self.stop.load(Ordering::Relaxed) {
            return Ok(Some(Ended::Stopped));
        }
        let stop = self.folder.join(STOP);
        if stop.exists() {
            fs::remove_file(&stop).map_err(|e| Error::io("remove the STOP file", &stop, e))?;
            return Ok(Some(Ended::StopFile));
        }
        Ok(None)
    }

    /// Everything periodic. All of it happens after the first step of a run too, so that what would fail after hours
    /// (a full disk, no memory for a preview) fails at once.
    fn beside(&mut self, record: &mut Record) -> Result<()> {
        let rehearsal = self.steps == 1;
        let due = |every: u64| every > 0 && record.step.is_multiple_of(every);
        let intervals = self.plan.intervals;
        let won = self.watch.step(adversarial(&record.losses));
        let mut notes: Vec<String> = won.into_iter().collect();
        if due(intervals.preview) {
            notes.extend(self.look()?);
        } else if rehearsal {
            self.show_preview()?;
        }
        if !notes.is_empty() {
            let note = notes.join(" ");
            self.say(&format!("warning: step {}: {note}", record.step));
            record.note = Some(note);
        }
        if due(intervals.history.max(1)) || rehearsal || record.note.is_some() {
            self.history.push(record)?;
            let values = record.losses.iter().map(|(name, value)| (name.as_str(), *value));
            let step = record.step;
            self.events()?.scalars(step, values)?;
        }
        let old = self.saved.is_none_or(|(_, at)| at.elapsed() >= CHECKPOINT_AGE);
        if rehearsal || due(intervals.checkpoint) || self.checkpoints.keeps(record.step) || old {
            self.flush()?;
            self.save()?;
        }
        Ok(())
    }

    /// The end of a call: what the folder holds is what the trainer holds.
    fn close(&mut self) -> Result<()> {
        if self.shown != Some(self.steps) {
            self.show_preview()?;
        }
        self.flush()?;
        self.save()
    }

    fn flush(&mut self) -> Result<()> {
        self.history.flush()?;
        self.events.as_mut().map_or(Ok(()), EventFile::flush)
    }

    fn events(&mut self) -> Result<&mut EventFile> {
        Ok(match self.events.take() {
            Some(events) => self.events.insert(events),
            // This step belongs to the new file, so what is void begins with it.
            None => self.events.insert(EventFile::create(&self.folder, self.steps.saturating_sub(1))?),
        })
    }

    /// Draws the preview and compares its diversity with that of real pictures.
    fn look(&mut self) -> Result<Option<String>> {
        let made = self.show_preview()?;
        let real = match self.real_diversity {
            Some(real) => real,
            None => diversity(&self.dataset.images(16.min(self.dataset.len()))?.tensor)?,
        };
        self.real_diversity = Some(real);
        Ok(self.watch.preview(made, real))
    }

    /// Writes `preview.png` and the same picture for TensorBoard; returns its diversity.
    fn show_preview(&mut self) -> Result<f64> {
        let images = self.preview()?;
        let picture = Grid::of(&images)?.nrow(columns(images.len())).image()?;
        let png = crate::show::save::png(&picture)?;
        files::put(&self.folder.join(PREVIEW), &png)?;
        let step = self.steps;
        self.events()?.image(step, "preview", picture.dimensions(), &png)?;
        self.shown = Some(step);
        diversity(&images.tensor)
    }

    fn say(&self, line: &str) {
        self.console.say(line.to_string());
    }
}

/// Pictures in a row of a preview: as near to a square as full rows allow, so that what a model keeps together stays in
/// rows of its own (four sources above what becomes of them); a square with a gap where only a strip would be full.
fn columns(pictures: usize) -> usize {
    let square = (pictures as f64).sqrt().ceil().max(1.0) as usize;
    (square..2 * square).find(|row| pictures.is_multiple_of(*row)).unwrap_or(square)
}

/// Whether the environment says `TACHIE_BUDGET=ci`: notebooks are then executed to see whether they work, and everything
/// that takes long is to be short. [`Trainer`] does that by itself.
pub fn brief() -> bool {
    std::env::var("TACHIE_BUDGET").as_deref() == Ok("ci")
}

/// The one place where `TACHIE_BUDGET=ci` shortens trainings. True when it did.
fn shorten(goal: Goal, steps: u64) -> (Goal, bool) {
    let short = steps.saturating_add(CI_STEPS);
    match goal {
        _ if !brief() => (goal, false),
        Goal::Steps(goal) if goal <= short => (Goal::Steps(goal), false),
        _ => (Goal::Steps(short), true),
    }
}

#[cfg(test)]
mod tests {
    use super::columns;

    #[test]
    fn previews_have_full_rows_where_there_are_any() {
        assert_eq!([1, 4, 6, 8, 12, 16, 20, 36].map(columns), [1, 2, 3, 4, 4, 4, 5, 6]);
        assert_eq!([2, 3, 7, 11].map(columns), [2, 3, 3, 4], "a gap rather than a strip");
    }
}
