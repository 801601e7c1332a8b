//! The models that grow, at the size that they end with.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;
use tachie::Result;
use tachie::candle_core::Tensor;
use tachie::data::avatar::Avatar;
use tachie::data::batch::Batch;
use tachie::data::dataset::Dataset;
use tachie::data::loader::{Loader, LoaderOptions};
use tachie::models::psgan::{Psgan, PsganConfig};
use tachie::models::stylegan::{Stylegan, StyleganConfig, Synthesis};
use tachie::nn::progressive::{GrowingShape, Level};
use tachie::train::gan::{Player, Step};
use tachie::train::plan::{Average, Growth, Phase, Position, Reset};
use tachie::train::trainer::{Options, Trainer};

use super::models::{Measured, SEED, described};

/// Which of the models.
#[derive(Clone)]
pub enum Config {
    Psgan(PsganConfig),
    Stylegan(StyleganConfig),
}

/// A model that grows, with one phase: its finished size.
#[derive(Clone)]
pub struct Grown {
    pub name: String,
    pub config: Config,
}

/// The two models of the acceptance: 64 px, minibatches of 16, 64 channels up to 32 px and 32 at 64 px.
pub fn grown() -> Vec<Grown> {
    let (side, batch) = (64, 16);
    let network = GrowingShape { resolution: side, latent: 64, base: 1024, max: 64, ..GrowingShape::default() };
    let phase = Phase { resolution: side, fade: 0, stable: 1_000_000, batch, rate: 0.001 };
    let average = Average::Constant(0.999);
    let growth = Growth { count: Default::default(), reset: Reset::Never, average, phases: vec![phase] };
    let psgan = PsganConfig { network: network.clone(), growth: growth.clone(), ..Psgan::paper() };
    let stylegan = StyleganConfig { network, growth, mapping_layers: 4, ..Stylegan::ffhq() };
    let named = |name: &str, config| Grown { name: format!("{name}, {side} px, batch {batch}"), config };
    vec![named("psgan-64", Config::Psgan(psgan)), named("stylegan-64", Config::Stylegan(stylegan))]
}

impl Grown {
    /// Names of the replicas.
    pub const PSGAN: &str = "psgan";
    pub const STYLEGAN: &str = "stylegan";

    fn phase(&self) -> Phase {
        let (Config::Psgan(PsganConfig { growth, .. }) | Config::Stylegan(StyleganConfig { growth, .. })) =
            &self.config;
        growth.phases[0]
    }

    /// As many drawn bodies as one batch holds, and those that are held out.
    fn bodies(&self) -> Result<Dataset> {
        let Phase { resolution, batch, .. } = self.phase();
        Avatar::bodies().size(resolution as u32).costumes(2).poses(8 * batch).dataset()
    }
}

impl Measured for Grown {
    fn name(&self) -> &str {
        &self.name
    }

    fn trainer(&self, folder: &Path) -> Result<Trainer> {
        let (bodies, options) = (self.bodies()?.train(), Options::default().seed(SEED).threads(0));
        let device = tachie::device()?;
        match &self.config {
            Config::Psgan(config) => config.clone().build_with(&device, SEED)?.train_with(&bodies, folder, options),
            Config::Stylegan(config) => config.clone().build_with(&device, SEED)?.train_with(&bodies, folder, options),
        }
    }

    fn batch(&self) -> Result<Batch> {
        let options = LoaderOptions { batch: self.phase().batch, threads: 0, ..LoaderOptions::default() };
        Loader::new(&self.bodies()?.train(), options)?.next()
    }

    fn about(&self) -> Result<Value> {
        match &self.config {
            Config::Psgan(config) => described(Grown::PSGAN, config),
            Config::Stylegan(config) => described(Grown::STYLEGAN, config),
        }
    }

    fn noise(&self, batch: &Batch) -> Result<BTreeMap<String, Tensor>> {
        let (step, device, n) = (Step::new(1, SEED, Position::default()), batch.images.device(), batch.len());
        let mut drawn = BTreeMap::new();
        for player in [Player::Discriminator, Player::Generator] {
            let mut normal = |what: &str, shape: [usize; 2]| -> Result<()> {
                let name = format!("{what}/{}", player.name());
                let tensor = step.stream(&name).normal_tensor(&shape, device)?;
                drawn.insert(name, tensor);
                Ok(())
            };
            match &self.config {
                Config::Psgan(config) => normal("z", [n, config.network.latent])?,
                Config::Stylegan(config) => {
                    let level = Level::full(config.size());
                    normal("z", [2 * n, config.network.latent])?;
                    normal("noise", [n, Synthesis::noise_len(level)])?;
                    let (name, layers) = (player.name(), Synthesis::layers_at(level));
                    let mut stream = step.stream(&format!("mixing/{name}"));
                    let mixed = stream.chance(config.mixing);
                    let from = if mixed { 1 + stream.below(layers - 1) } else { layers };
                    drawn.insert(format!("crossover/{name}"), Tensor::new(from as f32, device)?);
                }
            }
        }
        if matches!(self.config, Config::Psgan(_)) {
            drawn.insert("epsilon".into(), step.stream("wgan-gp").uniform_tensor(&[n, 1, 1, 1], device)?);
        }
        Ok(drawn)
    }
}
