//! What a call to the trainer returns: where the run stands, in numbers and pictures.

use std::fmt;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use image::imageops::FilterType;

use super::calls::PREVIEW;
use super::history::{self, History};
use super::tick;
use super::trainer::Trainer;
use crate::show::bundle::{Bundle, LIMIT, Show, displayable};
use crate::show::save;
use crate::{Error, Result};

/// Largest preview in a cell, in bytes: the rest of the bundle is for the loss plot.
const ROOM: usize = LIMIT / 4;

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
    /// Steps done since the beginning of the run.
    pub steps: u64,
    /// Real images shown since the beginning of the run.
    pub images: u64,
    /// Training time of the run in seconds, pauses left out.
    pub seconds: f64,
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
        let last = history.records().last();
        let (steps, images, seconds) = last.map_or((0, 0, 0.0), |last| (last.step, last.images, last.seconds));
        Ok(Progress { folder: folder.to_path_buf(), ended, steps, images, seconds, history, preview })
    }

    pub(super) fn of(trainer: &Trainer, ended: Ended) -> Result<Progress> {
        let (steps, images, seconds) = (trainer.steps, trainer.images, trainer.seconds);
        Ok(Progress { steps, images, seconds, ..Progress::read(&trainer.folder, ended)? })
    }

    /// What the guard had to say, with the step.
    pub fn warnings(&self) -> Vec<(u64, String)> {
        self.history.records().iter().filter_map(|record| Some((record.step, record.note.clone()?))).collect()
    }
}

impl fmt::Debug for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (steps, kimg) = (self.steps, self.images as f64 / 1000.0);
        let time = tick::duration(Duration::try_from_secs_f64(self.seconds).unwrap_or_default());
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
                Ok(png) => parts.push(Bundle::plain("preview").with_png(within_limit(path, png)?)),
                Err(e) if e.kind() == ErrorKind::NotFound => {}
                Err(e) => return Err(Error::io("read the preview", path, e)),
            }
        }
        Ok(Bundle::column(&parts))
    }
}

/// The picture itself, or a smaller one when it would leave no room for the plot beside it.
fn within_limit(path: &Path, png: Vec<u8>) -> Result<Vec<u8>> {
    let mut small = png;
    while small.len() > ROOM {
        let picture = image::load_from_memory(&small)
            .map_err(|e| Error::file(path, e.to_string(), "a PNG picture", "The next preview replaces it."))?;
        let (width, height) = (picture.width() / 2, picture.height() / 2);
        small = save::png(&picture.resize_exact(width.max(1), height.max(1), FilterType::Triangle).to_rgb8())?;
    }
    Ok(small)
}

impl Show for Trainer {
    fn bundle(&self) -> Result<Bundle> {
        self.progress()?.bundle()
    }
}

displayable!(Progress, Trainer);
