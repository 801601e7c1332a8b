//! What a call to the trainer returns: where the run stands, in numbers and pictures.

use std::fmt;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::calls::PREVIEW;
use super::history::{self, History};
use super::tick;
use crate::show::bundle::{Bundle, Show, displayable};
use crate::{Error, Result};

/// Why a call to the trainer came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// What was asked for is done.
    Reached,
    /// A file named STOP was in the run folder; it was removed.
    StopFile,
    /// [`stop`](super::handle::TrainHandle::stop) was called.
    Stopped,
    /// `TACHIE_BUDGET=ci` allows no more.
    Budget,
    /// Nothing is being trained.
    Idle,
    /// Training goes on in another thread.
    Running,
}

impl Ended {
    pub(super) fn text(self) -> &'static str {
        match self {
            Ended::Reached => "done",
            Ended::StopFile => "stopped by the file STOP",
            Ended::Stopped => "stopped",
            Ended::Budget => "cut short by TACHIE_BUDGET=ci",
            Ended::Idle => "idle",
            Ended::Running => "running",
        }
    }
}

/// Where a run stands. Ends a cell with the losses and the latest preview. Cheap to clone.
#[derive(Clone)]
pub struct Progress {
    /// The run folder.
    pub folder: PathBuf,
    /// Why the call came back.
    pub ended: Ended,
    /// All numbers so far.
    pub history: History,
    /// `preview.png` of the run folder, when there is one.
    pub preview: Option<PathBuf>,
}

impl Progress {
    pub(super) fn read(folder: &Path, ended: Ended) -> Result<Progress> {
        let history = match folder.join(history::NAME).exists() {
            true => History::open(folder)?,
            false => History::empty(folder),
        };
        let preview = Some(folder.join(PREVIEW)).filter(|path| path.exists());
        Ok(Progress { folder: folder.to_path_buf(), ended, history, preview })
    }

    /// Steps done since the beginning of the run.
    pub fn steps(&self) -> u64 {
        self.history.records().last().map_or(0, |record| record.step)
    }

    /// Real images shown since the beginning of the run.
    pub fn images(&self) -> u64 {
        self.history.records().last().map_or(0, |record| record.images)
    }

    /// Training time of the run, pauses left out.
    pub fn seconds(&self) -> f64 {
        self.history.records().last().map_or(0.0, |record| record.seconds)
    }

    /// What the guard had to say, with the step.
    pub fn warnings(&self) -> Vec<(u64, String)> {
        self.history.records().iter().filter_map(|record| Some((record.step, record.note.clone()?))).collect()
    }
}

impl fmt::Debug for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (steps, kimg) = (self.steps(), self.images() as f64 / 1000.0);
        let time = tick::duration(Duration::try_from_secs_f64(self.seconds()).unwrap_or_default());
        write!(f, "{}: {steps} steps, {kimg:.2} kimg in {time} ({})", self.folder.display(), self.ended.text())?;
        self.warnings().iter().try_for_each(|(step, warning)| write!(f, "\nwarning: step {step}: {warning}"))
    }
}

impl Show for Progress {
    fn bundle(&self) -> Result<Bundle> {
        let mut parts = vec![Bundle::plain(format!("{self:?}"))];
        if !self.history.records().is_empty() {
            parts.push(self.history.bundle()?);
        }
        if let Some(path) = &self.preview {
            match fs::read(path) {
                Ok(png) => parts.push(Bundle::plain("preview").with_png(png)),
                Err(e) if e.kind() == ErrorKind::NotFound => {}
                Err(e) => return Err(Error::io("read the preview", path, e)),
            }
        }
        Ok(Bundle::column(&parts))
    }
}

displayable!(Progress);
