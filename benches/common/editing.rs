//! The models that edit attributes, of their papers' widths and ratios of players.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;
use tachie::candle_core::{DType, Device, Tensor};
use tachie::data::avatar::Avatar;
use tachie::data::batch::Batch;
use tachie::data::changes::Changes;
use tachie::data::dataset::Dataset;
use tachie::data::loader::{Loader, LoaderOptions};
use tachie::models::animegan::{Animegan, EditorConfig, OfAnimegan};
use tachie::models::baselines::stargan::{Stargan, StarganConfig};
use tachie::models::editing::Schedule;
use tachie::rng::Stream;
use tachie::train::trainer::{Options, Trainer};
use tachie::{Error, Result};

use super::models::{Measured, SEED, described};

/// Side of the pictures, and pictures of a minibatch.
const SIDE: usize = 64;
const BATCH: usize = 16;

/// Which of the models.
#[derive(Clone)]
pub enum Config {
    Animegan(EditorConfig<OfAnimegan>),
    Stargan(StarganConfig),
}

/// A model that edits attributes.
#[derive(Clone)]
pub struct Editor {
    pub name: String,
    pub config: Config,
}

/// The two models of the acceptance.
pub fn editors() -> Vec<Editor> {
    let schedule = |schedule: Schedule| Schedule { batch: BATCH, ..schedule };
    let (animegan, stargan) = (Animegan::paper(), Stargan::paper());
    let animegan = EditorConfig { resolution: SIDE, schedule: schedule(animegan.schedule), ..animegan };
    let changes = Changes::default();
    let stargan = StarganConfig { resolution: SIDE, schedule: schedule(stargan.schedule), changes, ..stargan };
    let named = |name: &str, config| Editor { name: format!("{name}, {SIDE} px, batch {BATCH}"), config };
    vec![named("animegan", Config::Animegan(animegan)), named("stargan", Config::Stargan(stargan))]
}

impl Editor {
    /// Names of the replicas.
    pub const ANIMEGAN: &str = "animegan";
    pub const STARGAN: &str = "stargan";

    /// As many drawn faces as one batch holds.
    fn faces(&self) -> Result<Dataset> {
        Avatar::faces().size(SIDE as u32).take(BATCH)
    }

    fn schedule(&self) -> &Schedule {
        match &self.config {
            Config::Animegan(config) => &config.schedule,
            Config::Stargan(config) => &config.schedule,
        }
    }

    /// The random stream of that name in a round of step 1.
    fn stream(name: &str, round: u32) -> Stream {
        let name = format!("{name}/1");
        SEED.stream(&if round == 0 { name } else { format!("{name}/{round}") })
    }
}

impl Measured for Editor {
    fn name(&self) -> &str {
        &self.name
    }

    /// StarGAN's generator is judged after five moves of its discriminator, in which weights whose gradient is rounding noise
    /// move apart: its score, a small number, is 1.1e-3 apart.
    fn losses_apart(&self) -> f64 {
        match self.config {
            Config::Animegan(_) => 1e-3,
            Config::Stargan(_) => 2e-3,
        }
    }

    fn trainer(&self, folder: &Path) -> Result<Trainer> {
        let (faces, options, device) = (self.faces()?, Options::default().seed(SEED).threads(0), tachie::device()?);
        match &self.config {
            Config::Animegan(config) => config.clone().build_with(&device, SEED)?.train_with(&faces, folder, options),
            Config::Stargan(config) => config.clone().build_with(&device, SEED)?.train_with(&faces, folder, options),
        }
    }

    fn batch(&self) -> Result<Batch> {
        Loader::new(&self.faces()?, LoaderOptions { batch: BATCH, threads: 0, ..LoaderOptions::default() })?.next()
    }

    fn about(&self) -> Result<Value> {
        match &self.config {
            Config::Animegan(config) => described(Editor::ANIMEGAN, config),
            Config::Stargan(config) => described(Editor::STARGAN, config),
        }
    }

    /// For each round the labels of another picture, and where between a real and a made one StarGAN's penalty is taken.
    fn noise(&self, batch: &Batch) -> Result<BTreeMap<String, Tensor>> {
        let (n, device) = (batch.len(), Device::Cpu);
        let no_labels = || Error::invalid("batch", "no labels", "those of drawn faces", "");
        let labels = batch.labels.as_ref().ok_or_else(no_labels)?.to_dtype(DType::F32)?;
        let mut drawn = BTreeMap::new();
        for round in 0..self.schedule().judgements {
            let order: Vec<u32> = Editor::stream("asked", round).permutation(n).into_iter().map(|i| i as u32).collect();
            drawn.insert(format!("asked/{round}"), labels.index_select(&Tensor::new(order, &device)?, 0)?);
            let epsilon = Editor::stream("penalty", round).uniform_tensor(&[n, 1, 1, 1], &device)?;
            drawn.insert(format!("epsilon/{round}"), epsilon);
        }
        Ok(drawn)
    }
}
