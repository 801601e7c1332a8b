//! The models of faces whose training steps are measured, and what both sides of a comparison start from.

use std::collections::BTreeMap;
use std::path::Path;

use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tachie::candle_core::Tensor;
use tachie::data::avatar::Avatar;
use tachie::data::batch::Batch;
use tachie::data::dataset::Dataset;
use tachie::data::loader::{Loader, LoaderOptions};
use tachie::data::tags::Labels;
use tachie::models::baselines::dcgan::{Dcgan, DcganConfig};
use tachie::models::make_girls::{
    DiscriminatorConfig, GeneratorConfig, MakeGirls, MakeGirlsConfig, ObjectiveConfig, SrResNetConfig,
};
use tachie::rng::Seed;
use tachie::train::gan::Step;
use tachie::train::plan::Position;
use tachie::train::trainer::{Options, Trainer};
use tachie::weights::safetensors;
use tachie::{Error, Result};

/// The seed of weights, pictures and noise.
pub const SEED: Seed = Seed(0);

/// A model, and how many pictures a step shows it.
#[derive(Clone)]
pub struct Model {
    /// Entry and preset of the catalogue, and what differs.
    pub name: String,
    /// Everything that the step follows from.
    pub config: MakeGirlsConfig,
    /// Whether a step takes so long that it is only measured when asked for.
    pub large: bool,
}

/// Every preset of the catalogue, and the two models of the acceptance: the paper's networks and their baseline at 64 px.
pub fn models() -> Vec<Model> {
    let small = SrResNetConfig { doublings: 2, ..SrResNetConfig::default() };
    let dcgan = MakeGirlsConfig { generator: GeneratorConfig::Dcgan(DcganConfig::at_64()), ..MakeGirls::paper() };
    let all_4x4 = MakeGirls::paper().discriminator(DiscriminatorConfig::all_4x4());
    let model = |name: &str, batch, config: MakeGirlsConfig, large| {
        let config = config.batch(batch);
        Model { name: format!("{name}, {} px, batch {batch}", config.size()), config, large }
    };
    vec![
        model("make-girls paper", 16, MakeGirls::paper().generator(small), false),
        model("make-girls tiny", 16, MakeGirls::tiny(), false),
        model("dcgan paper", 16, dcgan, false),
        model("dcgan tiny", 16, Dcgan::tiny(), false),
        model("make-girls paper", 8, MakeGirls::paper(), true),
        model("make-girls paper-4x4", 8, all_4x4, true),
        model("make-girls site-256", 2, MakeGirlsConfig::site_256(), true),
        model("dcgan paper", 8, Dcgan::paper(), true),
    ]
}

/// A model whose step is measured beside another program.
pub trait Measured: Send + Sync {
    /// Entry and preset of the catalogue, and what differs.
    fn name(&self) -> &str;

    /// Whether a step takes so long that it is only measured when asked for.
    fn large(&self) -> bool {
        false
    }

    /// Steps after which everything has happened as often as it should: one that penalises, and those between.
    fn cycle(&self) -> u64 {
        1
    }

    /// Largest relative difference of a loss of the first step.
    fn losses_apart(&self) -> f64 {
        1e-3
    }

    /// The trainer that a notebook gets, in a run folder of its own.
    fn trainer(&self, folder: &Path) -> Result<Trainer>;

    /// [`trainer`](Measured::trainer) with a penalty on every step: what the two sides are compared by.
    fn penalising(&self, folder: &Path) -> Result<Trainer> {
        self.trainer(folder)
    }

    /// The one batch that every step shows.
    fn batch(&self) -> Result<Batch>;

    /// Which replica is meant, and everything that the step follows from.
    fn about(&self) -> Result<Value>;

    /// What step 1 draws, by the names that the other side knows. The first losses differ if this is not what it draws.
    fn noise(&self, batch: &Batch) -> Result<BTreeMap<String, Tensor>>;
}

/// Writes what the other side needs to do the same: configuration, weights, batch, and the noise of step 1.
pub fn export(model: &dyn Measured, trainer: &Trainer, batch: &Batch, folder: &Path) -> Result<()> {
    let path = folder.join(MODEL);
    std::fs::write(&path, model.about()?.to_string()).map_err(|source| Error::io("write the model", &path, source))?;
    safetensors::write(folder.join(START), &trainer.networks().params.tensors(), model.name())?;
    let mut tensors = model.noise(batch)?;
    tensors.insert("images".into(), batch.images.clone());
    let Batch { labels, points, sources, source_points, others, .. } = batch;
    let more = [
        ("labels", labels),
        ("points", points),
        ("sources", sources),
        ("source_points", source_points),
        ("others", others),
    ];
    tensors.extend(more.into_iter().filter_map(|(name, tensor)| Some((name.to_string(), tensor.clone()?))));
    safetensors::write(folder.join(BATCH), &tensors, model.name())
}

/// The name of the replica of an exported model.
pub fn exported(folder: &Path) -> Result<String> {
    about(folder).map(|about| about["model"].as_str().unwrap_or_default().to_string())
}

/// The configuration of an exported model, and its batch.
pub fn import<C: DeserializeOwned>(folder: &Path) -> Result<(C, Batch)> {
    let bad = |error: serde_json::Error| Error::file(folder.join(MODEL), error.to_string(), "an exported model", "");
    let config = serde_json::from_value(about(folder)?["config"].take()).map_err(bad)?;
    let path = folder.join(BATCH);
    let tensors = safetensors::read(&path)?.tensors;
    let images = tensors.get("images").cloned();
    let images = images.ok_or_else(|| Error::file(&path, "no tensor \"images\"", "an exported batch", ""))?;
    let [labels, points, sources, source_points, others] =
        ["labels", "points", "sources", "source_points", "others"].map(|name| tensors.get(name).cloned());
    Ok((config, Batch { labels, points, sources, source_points, others, ..Batch::of(images) }))
}

fn about(folder: &Path) -> Result<Value> {
    let path = folder.join(MODEL);
    let text = std::fs::read(&path).map_err(|source| Error::io("read the model", &path, source))?;
    serde_json::from_slice(&text).map_err(|error| Error::file(&path, error.to_string(), "an exported model", ""))
}

/// What a model says of itself.
pub fn described(model: &str, config: &impl serde::Serialize) -> Result<Value> {
    let bad =
        |error: serde_json::Error| Error::invalid("configuration", error.to_string(), "one that JSON can hold", "");
    Ok(json!({ "model": model, "config": serde_json::to_value(config).map_err(bad)? }))
}

impl Model {
    /// The name of its replica.
    pub const REPLICA: &str = "make-girls";

    /// The same model with a penalty on every step.
    pub fn penalised(&self) -> Model {
        let objective = ObjectiveConfig { gp_interval: 1, ..self.config.objective.clone() };
        Model { config: self.config.clone().objective(objective), ..self.clone() }
    }

    /// As many drawn faces as one batch holds.
    pub fn faces(&self) -> Result<Dataset> {
        Avatar::faces().size(self.config.size() as u32).take(self.config.schedule.batch)
    }

    /// The configuration with the tags of its faces.
    fn tagged(&self) -> Result<MakeGirlsConfig> {
        Ok(MakeGirlsConfig { tags: self.faces()?.tags().clone(), ..self.config.clone() })
    }
}

impl Measured for Model {
    fn name(&self) -> &str {
        &self.name
    }

    fn large(&self) -> bool {
        self.large
    }

    fn cycle(&self) -> u64 {
        self.config.objective.gp_interval
    }

    fn trainer(&self, folder: &Path) -> Result<Trainer> {
        let gan = self.tagged()?.build_with(&tachie::device()?, SEED)?;
        gan.train_with(&self.faces()?, folder, Options::default().seed(SEED).threads(0))
    }

    fn penalising(&self, folder: &Path) -> Result<Trainer> {
        self.penalised().trainer(folder)
    }

    fn batch(&self) -> Result<Batch> {
        let options = LoaderOptions { batch: self.config.schedule.batch, threads: 0, ..LoaderOptions::default() };
        Loader::new(&self.faces()?, options)?.next()
    }

    fn about(&self) -> Result<Value> {
        described(Model::REPLICA, &self.tagged()?)
    }

    fn noise(&self, batch: &Batch) -> Result<BTreeMap<String, Tensor>> {
        noise(&self.tagged()?, batch)
    }
}

/// Names of exported files.
const MODEL: &str = "model.json";
const START: &str = "start.safetensors";
const BATCH: &str = "batch.safetensors";
/// Weights, running averages included, that the other side writes after its first step.
pub const AFTER: &str = "after.safetensors";

fn noise(config: &MakeGirlsConfig, batch: &Batch) -> Result<BTreeMap<String, Tensor>> {
    let (step, device) = (Step::new(1, SEED, Position::default()), batch.images.device());
    let mut stream = step.stream("labels");
    let asked: Vec<Labels> =
        (0..batch.len()).map(|_| config.sampler.sample(&config.tags, &mut stream)).collect::<Result<_>>()?;
    let mut dragan = step.stream("dragan");
    let noise = dragan.uniform_tensor(batch.images.dims(), device)?;
    Ok(BTreeMap::from([
        ("z".to_string(), step.stream("z").normal_tensor(&[batch.len(), config.latent], device)?),
        ("asked".to_string(), Labels::stack(&asked, device)?),
        ("noise".to_string(), noise),
        ("alpha".to_string(), dragan.uniform_tensor(&[batch.len(), 1, 1, 1], device)?),
    ]))
}
