//! The models that make a picture from a picture, at the size that they end with.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;
use tachie::Result;
use tachie::candle_core::{DType, Device, Tensor};
use tachie::data::avatar::Avatar;
use tachie::data::batch::Batch;
use tachie::data::changes::Changes;
use tachie::data::dataset::Dataset;
use tachie::data::loader::{Loader, LoaderOptions};
use tachie::models::anime2clothing::{Anime2Clothing, Anime2ClothingConfig, Schedule, Shape};
use tachie::models::baselines::pix2pix::{Pix2pix, Pix2pixConfig};
use tachie::nn::dropout;
use tachie::train::gan::Step;
use tachie::train::plan::{Epochs, Position};
use tachie::train::trainer::{Options, Trainer};

use super::models::{Measured, SEED, described};

/// Side of the pictures, and pictures of a minibatch.
const SIDE: usize = 64;
const BATCH: usize = 8;

/// Which of the models.
#[derive(Clone)]
pub enum Config {
    Clothing(Anime2ClothingConfig),
    Pix2pix(Pix2pixConfig),
}

/// A model that makes a picture from a picture.
#[derive(Clone)]
pub struct Translator {
    pub name: String,
    pub config: Config,
}

/// The two models of the acceptance, of the papers' widths: configuration (j), and pix2pix, down to a single pixel as at any
/// size.
pub fn translators() -> Vec<Translator> {
    let shape = Shape { resolution: SIDE, ..Shape::default() };
    let schedule = Schedule::constant(SIDE, 1_000, BATCH);
    let clothing = Anime2ClothingConfig { shape, schedule, ..Anime2Clothing::paper() };
    let paper = Pix2pix::paper();
    let epochs = Epochs { batch: BATCH, ..paper.epochs };
    let pix2pix = Pix2pixConfig { resolution: SIDE, epochs, ..paper };
    let named = |name: &str, config| Translator { name: format!("{name}, {SIDE} px, batch {BATCH}"), config };
    vec![named("anime2clothing (j)", Config::Clothing(clothing)), named("pix2pix", Config::Pix2pix(pix2pix))]
}

impl Translator {
    /// Names of the replicas.
    pub const CLOTHING: &str = "anime2clothing";
    pub const PIX2PIX: &str = "pix2pix";

    /// Drawn costumes: as many to learn from as one batch holds, and those that are held out.
    fn costumes(&self) -> Result<Dataset> {
        Ok(Avatar::costumes().size(SIDE as u32).count(2 * BATCH).views(1).dataset()?.train())
    }

    fn changes(&self) -> Changes {
        match &self.config {
            Config::Clothing(config) => config.changes.clone(),
            Config::Pix2pix(config) => config.changes.clone(),
        }
    }
}

impl Measured for Translator {
    fn name(&self) -> &str {
        &self.name
    }

    fn trainer(&self, folder: &Path) -> Result<Trainer> {
        let (costumes, options) = (self.costumes()?, Options::default().seed(SEED).threads(0));
        let device = tachie::device()?;
        match &self.config {
            Config::Clothing(config) => {
                config.clone().build_with(&device, SEED)?.train_with(&costumes, folder, options)
            }
            Config::Pix2pix(config) => config.clone().build_with(&device, SEED)?.train_with(&costumes, folder, options),
        }
    }

    fn batch(&self) -> Result<Batch> {
        let options = LoaderOptions { batch: BATCH, threads: 0, changes: self.changes(), ..LoaderOptions::default() };
        Loader::new(&self.costumes()?, options)?.next()
    }

    fn about(&self) -> Result<Value> {
        match &self.config {
            Config::Clothing(config) => described(Translator::CLOTHING, config),
            Config::Pix2pix(config) => described(Translator::PIX2PIX, config),
        }
    }

    fn noise(&self, batch: &Batch) -> Result<BTreeMap<String, Tensor>> {
        let mut drawn = BTreeMap::new();
        if let Config::Pix2pix(config) = &self.config {
            let mut stream = Step::new(1, SEED, Position::default()).stream("dropout");
            // The innermost layer is the last, and drops nothing; from there outwards.
            for i in (4..config.resolution.ilog2() as usize - 1).rev() {
                let side = config.resolution >> i;
                let shape = (batch.len(), config.channels << (i - 1).min(3), side, side);
                let ones = Tensor::ones(shape, DType::F32, &Device::Cpu)?;
                drawn.insert(format!("dropout/{i}"), dropout::half(&ones, &mut stream)?);
            }
        }
        Ok(drawn)
    }
}
