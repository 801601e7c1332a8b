//! Tables 1 and 2 of the paper on any data set of pairs: all models trained alike and judged alike. Their pictures are
//! figures 10 and 11.

use std::path::Path;

use candle_core::Device;

use super::config::Anime2Clothing;
use super::objective::Adversaries;
use crate::Result;
use crate::data::changes::{Changes, Jitter};
use crate::data::dataset::Dataset;
use crate::metrics::evaluate::{Evaluation, Metric, Results};
use crate::models::baselines::{pix2pix, pix2pixhd, pldt};
use crate::models::model::Model;
use crate::models::study::{Course, Length};
use crate::models::translation::Translation;
use crate::rng::Seed;
use crate::show::table::{Best, Table};

/// What table 1 prints: configuration, what it adds, FID and LPIPS.
const TABLE1: [(&str, &str, f64, f64); 10] = [
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

/// What table 2 prints: model, FID and LPIPS.
const TABLE2: [(&str, f64, f64); 4] = [
    ("PLDT", 248.47, 0.8220),
    ("pix2pix", 55.44, 0.5820),
    ("pix2pixHD", 197.59, 0.6857),
    ("Anime2Clothing", 30.38, 0.5786),
];

/// Models that are trained and judged alike, by one call: a table of the paper.
#[derive(Clone, Debug)]
#[must_use = "settings train nothing; end with .run(..) or .train(..)"]
pub struct Study {
    rows: Rows,
    tiny: bool,
    course: Course,
}

#[derive(Clone, Debug, PartialEq)]
enum Rows {
    Configurations(Vec<&'static str>),
    Baselines,
}

impl Study {
    /// Table 1: the ten configurations, of the paper's sizes, over their whole schedules, seed 0.
    pub fn table1() -> Study {
        let rows = Rows::Configurations(TABLE1.iter().map(|(letter, ..)| *letter).collect());
        Study { rows, tiny: false, course: Course::default() }
    }

    /// Table 2: PLDT, pix2pix, pix2pixHD and configuration (j), with the random changes of (j) for all. PLDT has pictures of
    /// 64 px whatever the data's size.
    pub fn table2() -> Study {
        Study { rows: Rows::Baselines, ..Study::table1() }
    }

    /// Only these configurations of table 1, "a" to "j"; table 2 stays whole.
    pub fn only(mut self, letters: &[&str]) -> Study {
        if let Rows::Configurations(chosen) = &mut self.rows {
            chosen.retain(|letter| letters.contains(letter));
        }
        self
    }

    /// Each model at 64 px with its `tiny` preset's sizes, trained for so long.
    pub fn tiny(self, length: Length) -> Study {
        Study { tiny: true, ..self }.length(length)
    }

    /// Another length of the trainings.
    pub fn length(mut self, length: Length) -> Study {
        self.course.length = length;
        self
    }

    /// Another seed of weights, order and changes.
    pub fn seed(mut self, seed: Seed) -> Study {
        self.course.seed = seed;
        self
    }

    /// Trains all on the pairs `train`, in folders of their own below `out`; runs that were begun go on. What comes back
    /// judges what they make of the pairs `test`: with metrics and a network of one's choice ([`Metric::fid`] of Inception
    /// and [`Metric::lpips`], as the paper has them) it is the table, and [`Evaluation::beside`] is the figure.
    ///
    /// # Errors
    /// When the data do not fit the models, or a training diverges.
    pub fn train(&self, train: &Dataset, test: &Dataset, out: impl AsRef<Path>, device: &Device) -> Result<Evaluation> {
        let (evaluation, out) = (Evaluation::on(test), out.as_ref());
        match &self.rows {
            Rows::Configurations(letters) => {
                let chosen = TABLE1.iter().filter(|(letter, ..)| letters.contains(letter));
                chosen.into_iter().try_fold(evaluation, |evaluation, (letter, adds, ..)| {
                    let config = Anime2Clothing::table1(letter)?;
                    let config = if self.tiny { config.tiny() } else { config };
                    let model = self.trained::<Adversaries>(&config, train, &out.join(letter), device)?;
                    Ok(evaluation.model(format!("{letter}: {adds}"), &model))
                })
            }
            Rows::Baselines => self.baselines(evaluation, train, out, device),
        }
    }

    fn baselines(&self, all: Evaluation, train: &Dataset, out: &Path, device: &Device) -> Result<Evaluation> {
        let paper = Anime2Clothing::paper();
        // Baselines that know no other costumes need none to be loaded.
        let changes = Changes { other: None, ..paper.changes.clone() };
        let others = Changes { other: Some(Jitter::paper()), ..paper.changes.clone() };
        let of_pldt = if self.tiny { pldt::Pldt::tiny() } else { pldt::Pldt::paper() };
        let of_pix2pix = if self.tiny { pix2pix::Pix2pix::tiny() } else { pix2pix::Pix2pix::paper() };
        let of_hd = if self.tiny { pix2pixhd::Pix2pixHd::tiny() } else { pix2pixhd::Pix2pixHd::paper() };
        let of_pldt = pldt::PldtConfig { changes: others, ..of_pldt };
        let of_pix2pix = pix2pix::Pix2pixConfig { changes: changes.clone(), ..of_pix2pix };
        let of_hd = pix2pixhd::Pix2pixHdConfig { changes, ..of_hd };
        let ours = if self.tiny { paper.tiny() } else { paper };
        let at = |name: &str| out.join(name);
        let [first, second, third, fourth] = TABLE2.map(|(name, ..)| name);
        Ok(all
            .model(first, &self.trained::<pldt::Adversaries>(&of_pldt, train, &at("pldt"), device)?)
            .model(second, &self.trained::<pix2pix::Adversaries>(&of_pix2pix, train, &at("pix2pix"), device)?)
            .model(third, &self.trained::<pix2pixhd::Adversaries>(&of_hd, train, &at("pix2pixhd"), device)?)
            .model(fourth, &self.trained::<Adversaries>(&ours, train, &at("j"), device)?))
    }

    fn trained<G: Translation>(
        &self,
        config: &G::Config,
        train: &Dataset,
        out: &Path,
        device: &Device,
    ) -> Result<Model<G>> {
        self.course.train::<G>(config, G::side(config) as u32, train, out, device)
    }

    /// What judges without any download: FID of the built-in network, the built-in perceptual distance in the place of
    /// LPIPS, and SSIM.
    pub fn metrics() -> [Metric; 3] {
        [Metric::fid(), Metric::perceptual(), Metric::ssim()]
    }

    /// [`train`](Study::train), judged by [`metrics`](Study::metrics).
    ///
    /// # Errors
    /// As [`train`](Study::train).
    pub fn run(&self, train: &Dataset, test: &Dataset, out: impl AsRef<Path>, device: &Device) -> Result<Results> {
        self.train(train, test, out, device)?.metrics(Study::metrics()).run()
    }

    /// What the paper prints: FID and LPIPS at 256 px, after weeks on two GPUs.
    ///
    /// # Errors
    /// When the table cannot be made.
    pub fn published(&self) -> Result<Table> {
        let rows: Vec<(String, f64, f64)> = match &self.rows {
            Rows::Configurations(letters) => TABLE1
                .iter()
                .filter(|(letter, ..)| letters.contains(letter))
                .map(|(letter, adds, fid, lpips)| (format!("{letter}: {adds}"), *fid, *lpips))
                .collect(),
            Rows::Baselines => TABLE2.iter().map(|(name, fid, lpips)| (name.to_string(), *fid, *lpips)).collect(),
        };
        Table::builder()
            .text("model", rows.iter().map(|(name, ..)| name.clone()))
            .numbers("FID", rows.iter().map(|(_, fid, _)| *fid))
            .numbers("LPIPS", rows.iter().map(|(_, _, lpips)| *lpips))
            .digits("FID", 2)
            .digits("LPIPS", 4)
            .best("FID", Best::Lowest)
            .best("LPIPS", Best::Lowest)
            .caption("As printed (arXiv:2008.11479)")
            .build()
    }
}
