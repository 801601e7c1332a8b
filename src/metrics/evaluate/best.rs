//! The best of a training: measured every so many pictures, and kept.
//!
//! A run's last weights need not be its best: with few pictures the discriminator overfits, and what the generator draws
//! becomes worse while both train on. Beside its checkpoints, which are replaced by newer ones, a run folder then holds
//! `best.safetensors`, the running average of the weights with the lowest distance so far, and `best.jsonl`, a line for
//! everything that was measured. Both are replaced as a whole; a run that was killed goes on measuring where it was.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use candle_core::Device;
use serde::{Deserialize, Serialize};

use super::{Evaluation, Metric, Pictures};
use crate::data::dataset::Dataset;
use crate::metrics::features::kid::Kid;
use crate::metrics::nets::extractor::Extractor;
use crate::models::catalogue;
use crate::models::model::BEST;
use crate::rng::Seed;
use crate::show::bundle::{Bundle, Show, displayable};
use crate::show::plot::{Plot, Series};
use crate::show::save::write_whole;
use crate::show::table::{Best as Direction, Table};
use crate::train::checkpoint::Checkpoints;
use crate::train::plan::Mark;
use crate::train::progress::{Ended, Progress};
use crate::train::trainer::Trainer;
use crate::{Error, Result};

/// What was measured, in the run folder.
const MEASURED: &str = "best.jsonl";
/// Pictures that are compared unless told otherwise.
const SAMPLES: usize = 1_000;

/// Measures a training by the kernel distance (KID), which is unbiased however few pictures there are, and keeps its best
/// weights.
///
/// ```no_run
/// use tachie::metrics::evaluate::BestByKid;
/// use tachie::prelude::*;
/// use tachie::train::plan::Mark;
/// # fn main() -> tachie::Result<()> {
/// let faces = Avatar::faces().size(32).take(2_000)?;
/// let gan = Stylegan::tiny().build(&device()?)?;
/// let mut run = gan.train_on(&faces, "runs/faces")?;
/// BestByKid::against(&faces)?.every(5_000).train(&mut run, Mark::kimg(40.0))?;
/// let best = Stylegan::open_best("runs/faces", &device()?)?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct BestByKid {
    real: Dataset,
    samples: usize,
    every: u64,
    evaluation: Evaluation,
}

/// One measurement of a training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measurement {
    /// Steps of the training.
    pub step: u64,
    /// Real pictures shown by then.
    pub images: u64,
    /// What was measured: `KID (tagger)`.
    pub metric: String,
    /// The number; lower is better.
    pub value: f64,
    /// How many drawn pictures it is of.
    pub pictures: usize,
}

/// What was measured of a training, and which is the best. Ends a cell with a plot and a table.
#[derive(Clone)]
pub struct BestOf {
    /// The run folder.
    pub run: PathBuf,
    /// All measurements, in the order of steps. There is at least one.
    pub measured: Vec<Measurement>,
}

impl BestByKid {
    /// Against these real pictures, with features of the built-in network: 1,000 of them drawn at random, or all where there
    /// are fewer. As many are drawn by the model.
    ///
    /// # Errors
    /// When there are fewer than two.
    pub fn against(real: &Dataset) -> Result<BestByKid> {
        if real.len() < 2 {
            let found = format!("{} pictures", real.len());
            return Err(Error::invalid(format!("real pictures of {}", real.name()), found, "at least two", ""));
        }
        let evaluation = Evaluation::on(real).metrics([Metric::from(Kid::new())]);
        Ok(BestByKid { real: real.clone(), samples: SAMPLES, every: 50_000, evaluation })
    }

    /// Measures whenever so many more real pictures were shown, and at the end; 50,000 unless told otherwise. The first
    /// measurement comes with the step in which they are reached.
    pub fn every(self, pictures: u64) -> BestByKid {
        BestByKid { every: pictures.max(1), ..self }
    }

    /// Compares so many pictures.
    pub fn samples(self, samples: usize) -> BestByKid {
        BestByKid { samples: samples.max(2), ..self }
    }

    /// The network whose features are compared.
    pub fn network(mut self, network: impl Extractor + 'static) -> BestByKid {
        self.evaluation = self.evaluation.network(network);
        self
    }

    /// Prints nothing about measurements.
    pub fn quiet(mut self) -> BestByKid {
        self.evaluation = self.evaluation.quiet();
        self
    }

    /// Trains up to that point of the run as [`Trainer::until`] does, and measures on the way. What a resumed training has
    /// not measured before it was stopped is measured first.
    ///
    /// # Errors
    /// As [`Trainer::until`] and [`Evaluation::run`]; when the model is not of the catalogue.
    pub fn train(&self, run: &mut Trainer, until: Mark) -> Result<(Progress, BestOf)> {
        let end = images_at(run, until);
        let folder = run.folder();
        let device = run.networks().params.device().clone();
        let mut kept = BestOf::read(&folder)?;
        loop {
            let (step, images) = (run.steps_done(), run.images_seen());
            let last = kept.measured.iter().map(|measured| measured.images).max().unwrap_or(0);
            let over = images >= end;
            let is_measured = kept.measured.iter().any(|measured| measured.step == step);
            if step > 0 && !is_measured && (over || images / self.every > last / self.every) {
                self.measure(&mut kept, step, images, &device)?;
            }
            if over {
                return Ok((run.until(until)?, kept));
            }
            let next = (images / self.every + 1).saturating_mul(self.every).min(end);
            let progress = run.until(Mark::Images(next))?;
            if progress.ended != Ended::Reached {
                if progress.ended == Ended::Budget {
                    self.measure(&mut kept, run.steps_done(), run.images_seen(), &device)?;
                }
                return Ok((progress, kept));
            }
        }
    }

    /// Measures all checkpoints of a run folder that were not measured, in this process or another, also while the training
    /// goes on. [`Options::keep_every`](crate::train::trainer::Options::keep_every) makes a run keep more than the last two.
    ///
    /// # Errors
    /// When the folder holds no run of a model of the catalogue or no whole checkpoint, and as [`Evaluation::run`].
    pub fn of_run(&self, run: impl AsRef<Path>, device: &Device) -> Result<BestOf> {
        let run = run.as_ref();
        let folder = run.join("checkpoints");
        let (checkpoints, mut kept) = (Checkpoints::read_only(&folder), BestOf::read(run)?);
        let mut steps: Vec<u64> = checkpoints.list()?.into_iter().map(|(step, _)| step).collect();
        steps.sort_unstable();
        for step in steps {
            if kept.measured.iter().any(|measured| measured.step == step) {
                continue;
            }
            // A checkpoint may be replaced while it is looked at; the others are as good as before.
            match checkpoints.state_at(step) {
                Ok(state) => self.measure(&mut kept, step, state.images, device)?,
                Err(error) => self.evaluation.say.line(&format!("warning: step {step} left out: {error}")),
            }
        }
        match kept.measured.is_empty() {
            true => Err(Error::file(&folder, "no whole checkpoint", "at least one", "Train for a while first.")),
            false => Ok(kept),
        }
    }

    /// Measures the checkpoint of a step and keeps its weights if none is better. The weights come first, so that what
    /// `best.jsonl` calls the best is never missing.
    fn measure(&self, kept: &mut BestOf, step: u64, images: u64, device: &Device) -> Result<()> {
        let recipe = catalogue::of_run(&kept.run)?;
        let model = recipe.open_run_at(&kept.run, step, device)?;
        let evaluation = self.evaluation.clone().keep_in(kept.run.join(super::over_training::FOLDER));
        let real = self.chosen()?;
        let (splits, models) = (vec![(real.name(), real)], vec![(format!("step {step}"), model)]);
        let results = Evaluation { splits, models, ..evaluation }.run()?;
        let Some(score) = results.rows.first().and_then(|row| Some(&row.measured.first()?.score)) else {
            return Err(Error::invalid("measurement of a training", "no number", "one", ""));
        };
        let (metric, value, pictures) = (score.metric.clone(), score.value, score.n);
        if let Some(other) = kept.measured.iter().find(|other| other.metric != metric) {
            let hint = format!("Measure by the same network as before, or remove {MEASURED} and {BEST}.");
            let path = kept.run.join(MEASURED);
            return Err(Error::file(path, format!("numbers of {}", other.metric), metric, hint));
        }
        if kept.best().is_none_or(|best| value < best.value) {
            recipe.save_run_at(&kept.run, step, &kept.run.join(BEST), device)?;
        }
        let at = kept.measured.partition_point(|other| other.step < step);
        kept.measured.insert(at, Measurement { step, images, metric, value, pictures });
        kept.write()?;
        let Some(best) = kept.best() else { return Ok(()) };
        let line = match best.step == step {
            true => format!("step {step}: {} {value:.5}, the best so far", best.metric),
            false => {
                format!("step {step}: {} {value:.5}; the best is {:.5} of step {}", best.metric, best.value, best.step)
            }
        };
        self.evaluation.say.line(&line);
        Ok(())
    }

    /// The real pictures that are compared.
    fn chosen(&self) -> Result<std::sync::Arc<dyn Pictures>> {
        let mut order = Seed(0).stream("best/real").permutation(self.real.len());
        order.truncate(self.samples);
        order.sort_unstable();
        Ok(std::sync::Arc::new(self.real.subset(&order)?))
    }
}

/// How many pictures a run will have shown at that mark.
fn images_at(run: &Trainer, until: Mark) -> u64 {
    let steps = match until {
        Mark::Images(images) => return images,
        Mark::Steps(steps) => steps,
    };
    let (plan, mut images) = (run.plan(), run.images_seen());
    for step in run.steps_done()..steps {
        images += plan.position(step, images).batch as u64 * u64::from(plan.rounds());
    }
    images
}

impl BestOf {
    /// What was measured of a run folder so far.
    ///
    /// # Errors
    /// When nothing was, or the file was damaged.
    pub fn open(run: impl AsRef<Path>) -> Result<BestOf> {
        let found = BestOf::read(run.as_ref())?;
        match found.measured.is_empty() {
            true => {
                let hint = "`BestByKid` and `tachie train --keep-best-by-kid` measure a training.";
                Err(Error::file(run.as_ref().join(MEASURED), "no measurement", "at least one", hint))
            }
            false => Ok(found),
        }
    }

    fn read(run: &Path) -> Result<BestOf> {
        let path = run.join(MEASURED);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(e) => return Err(Error::io("read the measurements of a run", &path, e)),
        };
        let measurement = |(i, line): (usize, &str)| {
            serde_json::from_str::<Measurement>(line).map_err(|e| {
                let hint = "Remove the file; the run is then measured anew.";
                Error::file(&path, format!("line {}: {e}", i + 1), "a measurement as JSON", hint)
            })
        };
        let measured = text.lines().enumerate().map(measurement).collect::<Result<Vec<_>>>()?;
        // Without its weights the best is not known any more.
        let measured = if run.join(BEST).is_file() { measured } else { Vec::new() };
        Ok(BestOf { run: run.to_path_buf(), measured })
    }

    fn write(&self) -> Result<()> {
        let path = self.run.join(MEASURED);
        let mut text = String::new();
        for measured in &self.measured {
            let line = serde_json::to_string(measured).map_err(|e| Error::io("encode a line for", &path, e.into()))?;
            text.push_str(&line);
            text.push('\n');
        }
        write_whole(&path, text.as_bytes())
    }

    /// The lowest number, the earlier one of two equal ones; `None` only if there is no number that is one.
    pub fn best(&self) -> Option<&Measurement> {
        let numbers = self.measured.iter().filter(|measured| measured.value.is_finite());
        numbers.reduce(|best, other| if other.value < best.value { other } else { best })
    }

    /// The file with the best weights, which [`Model::open`](crate::models::model::Model::open) opens.
    pub fn weights(&self) -> PathBuf {
        self.run.join(BEST)
    }

    /// The numbers over the pictures shown; the best is a horizontal line.
    ///
    /// # Errors
    /// When it cannot be drawn.
    pub fn plot(&self) -> Result<Plot> {
        let kimg: Vec<f64> = self.measured.iter().map(|measured| measured.images as f64 / 1000.0).collect();
        let values: Vec<f64> = self.measured.iter().map(|measured| measured.value).collect();
        let metric = self.measured.first().map_or("", |measured| measured.metric.as_str());
        let mut plot = Plot::new().x_label("thousand pictures shown").y_label(metric);
        if let (Some(best), Some(last)) = (self.best(), kimg.last()) {
            let name = format!("best, step {}", best.step);
            plot = plot.line(Series::new(name, [kimg[0], *last], [best.value; 2])?);
        }
        Ok(plot.line(Series::new(metric, kimg, values)?))
    }

    /// A row for each measurement.
    ///
    /// # Errors
    /// When the table cannot be made.
    pub fn table(&self) -> Result<Table> {
        let metric = self.measured.first().map_or("KID", |measured| measured.metric.as_str());
        let of = |number: fn(&Measurement) -> u64| self.measured.iter().map(number).collect::<Vec<_>>();
        let table = Table::builder()
            .integers("step", of(|measured| measured.step))
            .integers("images", of(|measured| measured.images))
            .integers("pictures compared", of(|measured| measured.pictures as u64))
            .numbers(metric, self.measured.iter().map(|measured| measured.value))
            .digits(metric, 5)
            .best(metric, Direction::Lowest);
        table.build()
    }
}

impl fmt::Debug for BestOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} measurements", self.run.display(), self.measured.len())?;
        match self.best() {
            Some(best) => write!(f, ", the best {} {:.5} after step {}", best.metric, best.value, best.step),
            None => Ok(()),
        }
    }
}

impl Show for BestOf {
    fn bundle(&self) -> Result<Bundle> {
        Ok(Bundle::column(&[Bundle::plain(format!("{self:?}")), self.plot()?.bundle()?, self.table()?.bundle()?]))
    }
}

displayable!(BestOf);
