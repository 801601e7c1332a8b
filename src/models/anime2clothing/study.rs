//! Table 1 of the paper on any data set: all ten configurations, trained alike and judged alike.

use std::path::Path;

use candle_core::Device;

use super::config::Anime2Clothing;
use super::objective::Adversaries;
use crate::Result;
use crate::data::dataset::Dataset;
use crate::metrics::evaluate::{Evaluation, Metric, Results};
use crate::rng::Seed;
use crate::train::gan::Gan;
use crate::train::plan::Mark;
use crate::train::trainer::Options;

/// What table 1 prints: configuration, what it adds, FID and LPIPS.
pub const PUBLISHED: [(&str, &str, f64, f64); 10] = [
    ("a", "pix2pix", 52.05, 0.5957),
    ("b", "coarse to fine", 148.52, 0.6131),
    ("c", "calibrated data", 153.37, 0.5970),
    ("d", "real/fake discriminator", 92.98, 0.5672),
    ("e", "unassociated pairs", 109.60, 0.5674),
    ("f", "spectral norm", 40.80, 0.5923),
    ("g", "multi-scale domain discriminator", 53.47, 0.5933),
    ("h", "multi-scale patch discriminator", 38.96, 0.6023),
    ("i", "feature matching", 35.11, 0.5940),
    ("j", "input consistency", 30.38, 0.5786),
];

/// How long each configuration is trained.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Length {
    /// Seconds of wall clock: all get as much of the machine.
    Seconds(f64),
    /// Steps, from the beginning of the run.
    Steps(u64),
    /// The whole schedule.
    Whole,
}

/// The ten configurations of table 1, trained and judged by one call.
#[derive(Clone, Debug)]
pub struct Table1 {
    tiny: bool,
    length: Length,
    seed: Seed,
    metrics: Vec<Metric>,
}

impl Default for Table1 {
    /// The paper's configurations over their whole schedules, seed 0, judged by FID of the built-in network, the built-in
    /// perceptual distance, and SSIM.
    fn default() -> Self {
        let metrics = vec![Metric::fid(), Metric::perceptual(), Metric::ssim()];
        Table1 { tiny: false, length: Length::Whole, seed: Seed(0), metrics }
    }
}

impl Table1 {
    /// Each configuration at 64 px ([`Anime2ClothingConfig::tiny`](super::Anime2ClothingConfig::tiny)), trained for so long.
    pub fn tiny(length: Length) -> Table1 {
        Table1 { tiny: true, length, ..Table1::default() }
    }

    /// Another length of the trainings.
    pub fn length(self, length: Length) -> Table1 {
        Table1 { length, ..self }
    }

    /// Another seed of weights, order and changes.
    pub fn seed(self, seed: Seed) -> Table1 {
        Table1 { seed, ..self }
    }

    /// Other metrics: [`Metric::lpips`] with fetched weights, say.
    pub fn metrics(self, metrics: impl IntoIterator<Item = Metric>) -> Table1 {
        Table1 { metrics: metrics.into_iter().collect(), ..self }
    }

    /// Trains all ten on the pairs `train`, in the folders `<out>/a` to `<out>/j`, and judges what they make of the pairs
    /// `test`: one row each, called after the letter and what it adds ([`PUBLISHED`] has the paper's numbers). Runs that
    /// were begun go on.
    ///
    /// # Errors
    /// When the data do not fit the configurations, or a training diverges.
    pub fn run(&self, train: &Dataset, test: &Dataset, out: impl AsRef<Path>, device: &Device) -> Result<Results> {
        let mut evaluation = Evaluation::on(test).metrics(self.metrics.iter().cloned());
        for (letter, adds, ..) in PUBLISHED {
            let config = Anime2Clothing::table1(letter)?;
            let config = Adversaries::for_data(&if self.tiny { config.tiny() } else { config }, train);
            let model = config.build_with(device, self.seed)?;
            let options = Options::default().seed(self.seed);
            let mut trainer = model.train_with(train, out.as_ref().join(letter), options)?;
            match self.length {
                Length::Seconds(seconds) => trainer.seconds(seconds)?,
                Length::Steps(steps) => trainer.until(Mark::Steps(steps))?,
                Length::Whole => trainer.finish()?,
            };
            evaluation = evaluation.model(format!("{letter}: {adds}"), &model.ema());
        }
        evaluation.run()
    }
}
