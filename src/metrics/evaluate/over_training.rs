//! A metric over the steps of a training, from the checkpoints that the run folder keeps (figure 13 of the
//! make.girls.moe paper).

use std::fmt;
use std::path::Path;

use candle_core::Device;

use super::results::direction;
use super::{Evaluation, Measured, Results};
use crate::models::catalogue;
use crate::show::bundle::{Bundle, Show, displayable};
use crate::show::number;
use crate::show::plot::{Plot, Series};
use crate::show::table::Table;
use crate::train::checkpoint::Checkpoints;
use crate::{Error, Result};

/// What an evaluation kept in a run folder is called.
pub(super) const FOLDER: &str = "evaluation";

/// Numbers over the steps of a training, with those of other models as a comparison. Ends a cell with a plot and a
/// table.
#[derive(Clone)]
pub struct Curve {
    /// Steps of the checkpoints, ascending.
    pub steps: Vec<u64>,
    /// One row per step, then one for each other model.
    pub results: Results,
}

impl Evaluation {
    /// Measures the running average of every whole checkpoint in a run folder, one after the other, on the same noise. The [models](Evaluation::model) of this evaluation become horizontal lines: other real
    /// pictures say how good a number can get. What was measured is kept in the run folder unless
    /// [`keep_in`](Evaluation::keep_in) names another, so that a longer training measures its new checkpoints only.
    ///
    /// A run keeps its last two checkpoints; [`Options::keep_every`](crate::train::trainer::Options::keep_every) makes
    /// it keep more.
    ///
    /// # Errors
    /// When the folder holds no run of a model of the catalogue or no whole checkpoint, for several splits, and as
    /// [`Evaluation::run`].
    pub fn over_training(&self, run: impl AsRef<Path>, device: &Device) -> Result<Curve> {
        let run = run.as_ref();
        if self.splits.len() > 1 {
            let found = format!("{} splits", self.splits.len());
            return Err(Error::invalid("evaluation over a training", found, "one", ""));
        }
        let recipe = catalogue::of_run(run)?;
        let base = Evaluation { folder: self.folder.clone().or_else(|| Some(run.join(FOLDER))), ..self.clone() };
        let folder = run.join("checkpoints");
        let mut checkpoints = Checkpoints::read_only(&folder).list()?;
        checkpoints.sort();
        let mut curve = Curve { steps: vec![], results: Results::named("step", base.caption()) };
        for (step, path) in checkpoints {
            let model = match recipe.open_run_at(run, step, device) {
                Ok(model) => model,
                // A checkpoint may be broken, or be replaced while it is read; the others are as good as before.
                Err(error) => {
                    let note = format!("{} left out: {error}", path.file_name().unwrap_or_default().display());
                    base.say.line(&format!("warning: {note}"));
                    curve.results.notes.push(note);
                    continue;
                }
            };
            let name = number::grouped(step);
            curve.results.add(Evaluation { models: vec![(name, model)], ..base.clone() }.run()?);
            curve.steps.push(step);
        }
        if curve.steps.is_empty() {
            return Err(Error::file(&folder, "no whole checkpoint", "at least one", "Train for a while first."));
        }
        if !base.models.is_empty() {
            curve.results.add(base.run()?);
        }
        Ok(curve)
    }
}

impl Curve {
    /// A panel for each number over the steps; the other models are horizontal lines.
    ///
    /// # Errors
    /// When it cannot be drawn.
    pub fn plot(&self) -> Result<Plot> {
        let (trained, others) = self.results.rows.split_at(self.steps.len());
        let steps: Vec<f64> = self.steps.iter().map(|step| *step as f64).collect();
        let mut plot = Plot::new().title(&self.results.caption).x_label("step");
        for Measured { key, score, .. } in self.results.columns() {
            let of = |measured: &[Measured]| {
                let found = measured.iter().find(|measured| measured.score.metric == score.metric);
                found.map_or(f64::NAN, |measured| measured.score.value)
            };
            let values: Vec<f64> = trained.iter().map(|row| of(&row.measured)).collect();
            plot = plot.panel(score.metric.clone()).y_label(direction(score.best));
            plot = plot.line(Series::new(key, steps.clone(), values)?);
            let ends = [steps[0], steps[steps.len() - 1]];
            for row in others {
                plot = plot.line(Series::new(&row.model, ends, [of(&row.measured); 2])?);
            }
        }
        Ok(plot)
    }

    /// A row per step, then one for each other model.
    ///
    /// # Errors
    /// When the table cannot be made.
    pub fn table(&self) -> Result<Table> {
        self.results.table()
    }

    /// Writes the plot (`.svg`, `.png`) or the table (`.csv`, `.md`, `.tex`, `.html`).
    ///
    /// # Errors
    /// For another extension, or when the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("svg" | "png") => self.plot()?.save(path),
            _ => self.table()?.save(path),
        }
    }
}

impl fmt::Debug for Curve {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.results)
    }
}

impl Show for Curve {
    fn bundle(&self) -> Result<Bundle> {
        Ok(Bundle::column(&[self.plot()?.bundle()?, self.table()?.bundle()?]))
    }
}

displayable!(Curve);
