//! What tables of several models share: all are trained alike, in folders of their own.

use std::path::Path;

use candle_core::Device;

use crate::Result;
use crate::data::dataset::Dataset;
use crate::data::manifest::Filter;
use crate::models::model::Model;
use crate::rng::Seed;
use crate::train::gan::Gan;
use crate::train::plan::Mark;
use crate::train::trainer::Options;

/// How long each model of a study is trained.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Length {
    /// Seconds of wall clock: all get as much of the machine.
    Seconds(f64),
    /// Steps, from the beginning of the run.
    Steps(u64),
    /// The whole schedule.
    Whole,
}

/// How all models of a study are trained.
#[derive(Clone, Debug)]
pub(crate) struct Course {
    /// How long.
    pub(crate) length: Length,
    /// Seed of weights, order and changes.
    pub(crate) seed: Seed,
}

/// The whole schedule with seed 0.
impl Default for Course {
    fn default() -> Self {
        Course { length: Length::Whole, seed: Seed(0) }
    }
}

impl Course {
    /// The running average of a model that is trained on these pictures, at its size `side`; a run that was begun in `out`
    /// goes on.
    ///
    /// # Errors
    /// When the data do not fit the model, or the training diverges.
    pub(crate) fn train<G: Gan>(
        &self,
        config: &G::Config,
        side: u32,
        train: &Dataset,
        out: &Path,
        device: &Device,
    ) -> Result<Model<G>> {
        let smaller = if train.size() > side { Some(train.resized(side, Filter::Bilinear)?.in_memory()) } else { None };
        let train = smaller.as_ref().unwrap_or(train);
        let model = Model::<G>::new(G::for_data(config, train), device, self.seed)?;
        let mut trainer = model.train_with(train, out, Options::default().seed(self.seed))?;
        match self.length {
            Length::Seconds(seconds) => trainer.seconds(seconds)?,
            Length::Steps(steps) => trainer.until(Mark::Steps(steps))?,
            Length::Whole => trainer.finish()?,
        };
        Ok(model.ema())
    }
}
