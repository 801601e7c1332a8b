//! Every model by name: drives the tests that are the same for all of them, the table in the README and
//! `tachie train <name>`.

mod presets;

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use candle_core::{DType, Device};

use super::model::{Model, model_of_run};
use crate::data::batch::{Batch, Images};
use crate::data::changes::Changes;
use crate::data::dataset::Dataset;
use crate::metrics::evaluate;
use crate::nn::params::{ParamStore, Training};
use crate::rng::Seed;
use crate::show::table::Table;
use crate::train::gan::{Gan, Losses, Networks, Player, Step};
use crate::train::plan::Plan;
use crate::train::trainer::{Options, Trainer};
use crate::{Error, Result};

pub use presets::catalogue;

/// A model of the catalogue.
#[derive(Clone)]
pub struct Entry {
    /// Name on the command line (`make-girls`).
    pub name: &'static str,
    /// The paper's title.
    pub paper: &'static str,
    /// Where to read it.
    pub link: &'static str,
    /// When it appeared.
    pub year: u16,
    /// What goes in and what comes out.
    pub task: &'static str,
    /// Its configurations; the first is the paper's.
    pub presets: Vec<Preset>,
}

/// A configuration of a model.
#[derive(Clone)]
pub struct Preset {
    /// `paper`, `tiny` or what is special about it.
    pub name: &'static str,
    /// How the model is made.
    pub recipe: Arc<dyn Recipe>,
    /// How many numbers each player trains, as published or counted in the published weights; empty for presets of
    /// our own.
    pub published: Vec<(Player, usize)>,
}

/// What the catalogue can do with a configuration, whatever its type.
pub trait Recipe: Send + Sync {
    /// Side of the pictures in pixels.
    fn size(&self) -> usize;

    /// The same for the tags of this data set.
    fn for_data(&self, dataset: &Dataset) -> Arc<dyn Recipe>;

    /// Builds the networks of all players in this store.
    ///
    /// # Errors
    /// When the device has no memory for them.
    fn fill(&self, params: &ParamStore) -> Result<()>;

    /// Freshly initialised networks.
    ///
    /// # Errors
    /// When the device has no memory for them.
    fn networks(&self, seed: Seed, device: &Device) -> Result<Networks>;

    /// The schedule.
    fn plan(&self) -> Plan;

    /// What is changed at random in pictures while they are loaded.
    fn changes(&self) -> Changes;

    /// The loss of `who` in a step of its own, with gradients for `who` only.
    ///
    /// # Errors
    /// When the batch does not fit the networks.
    fn loss(&self, params: &ParamStore, who: Player, batch: &Batch, step: &mut Step) -> Result<Losses>;

    /// The pictures of [`Gan::preview`].
    ///
    /// # Errors
    /// When the device has no memory for them.
    fn preview(&self, params: &ParamStore, seed: Seed) -> Result<Images>;

    /// A trainer.
    ///
    /// # Errors
    /// When the data set does not fit, or the folder holds something else.
    fn train(&self, dataset: &Dataset, folder: &Path, options: Options) -> Result<Trainer>;

    /// The running average of a run's checkpoint, whatever the configuration of the run, to be judged.
    ///
    /// # Errors
    /// When the folder holds no run of this model, or no whole checkpoint of that step.
    fn open_run_at(&self, folder: &Path, step: u64, device: &Device) -> Result<Arc<dyn evaluate::Model>>;

    /// Writes the running average of a run's checkpoint as a weights file, which configures itself.
    ///
    /// # Errors
    /// As [`open_run_at`](Recipe::open_run_at); when the file cannot be written.
    fn save_run_at(&self, folder: &Path, step: u64, path: &Path, device: &Device) -> Result<()>;
}

/// A configuration of one model.
struct Setting<G: Gan>(G::Config);

impl<G: Gan> Recipe for Setting<G>
where
    Model<G>: evaluate::Model,
{
    fn size(&self) -> usize {
        self.plan().stages.last().map_or(0, |stage| stage.resolution)
    }

    fn for_data(&self, dataset: &Dataset) -> Arc<dyn Recipe> {
        Arc::new(Setting::<G>(G::for_data(&self.0, dataset)))
    }

    fn fill(&self, params: &ParamStore) -> Result<()> {
        G::new(&self.0, &params.view(Training::All)).map(|_| ())
    }

    fn networks(&self, seed: Seed, device: &Device) -> Result<Networks> {
        Networks::new::<G>(&self.0, seed, device)
    }

    fn plan(&self) -> Plan {
        G::plan(&self.0)
    }

    fn changes(&self) -> Changes {
        G::changes(&self.0)
    }

    fn loss(&self, params: &ParamStore, who: Player, batch: &Batch, step: &mut Step) -> Result<Losses> {
        loss::<G>(&self.0, params, who, batch, step)
    }

    fn preview(&self, params: &ParamStore, seed: Seed) -> Result<Images> {
        G::new(&self.0, &params.view(Training::Nothing))?.preview(seed)
    }

    fn train(&self, dataset: &Dataset, folder: &Path, options: Options) -> Result<Trainer> {
        Trainer::open::<G>(&self.0, dataset, folder, options)
    }

    fn open_run_at(&self, folder: &Path, step: u64, device: &Device) -> Result<Arc<dyn evaluate::Model>> {
        Ok(Arc::new(Model::<G>::open_run_at(folder, step, device)?.ema()))
    }

    fn save_run_at(&self, folder: &Path, step: u64, path: &Path, device: &Device) -> Result<()> {
        Model::<G>::open_run_at(folder, step, device)?.ema().save(path)
    }
}

fn loss<G: Gan>(
    config: &G::Config,
    params: &ParamStore,
    who: Player,
    batch: &Batch,
    step: &mut Step,
) -> Result<Losses> {
    let tracked = |player: Player| G::new(config, &params.view(Training::Prefix(player.prefix().into())));
    tracked(Player::Generator)?.share(batch, step)?;
    tracked(who)?.loss(who, batch, step)
}

/// The model of that name.
///
/// # Errors
/// When there is none; the message names all.
pub fn find(name: &str) -> Result<Entry> {
    let all = catalogue();
    let names = all.iter().map(|entry| entry.name).collect::<Vec<_>>().join(", ");
    all.into_iter()
        .find(|entry| entry.name == name)
        .ok_or_else(|| Error::invalid("model", format!("\"{name}\""), format!("one of {names}"), ""))
}

/// The paper's recipe of the model that a run folder trains.
///
/// # Errors
/// When the folder holds no run of a model of the catalogue.
pub fn of_run(folder: impl AsRef<Path>) -> Result<Arc<dyn Recipe>> {
    let entry = find(&model_of_run(folder.as_ref())?)?;
    entry
        .presets
        .first()
        .map(|preset| preset.recipe.clone())
        .ok_or_else(|| Error::invalid(format!("model {}", entry.name), "no preset", "at least one", ""))
}

impl Entry {
    /// The preset of that name.
    ///
    /// # Errors
    /// When there is none; the message names all.
    pub fn preset(&self, name: &str) -> Result<Preset> {
        let names = self.presets.iter().map(|preset| preset.name).collect::<Vec<_>>().join(", ");
        let found = self.presets.iter().find(|preset| preset.name == name).cloned();
        found.ok_or_else(|| {
            Error::invalid(format!("preset of {}", self.name), format!("\"{name}\""), format!("one of {names}"), "")
        })
    }
}

impl Preset {
    /// How many numbers each player trains.
    ///
    /// # Errors
    /// When there is no memory to build the networks.
    pub fn parameters(&self) -> Result<Vec<(Player, usize)>> {
        let params = ParamStore::blank(&Device::Cpu, DType::F32)?;
        self.recipe.fill(&params)?;
        let players = self.recipe.plan().order;
        Ok(players.iter().map(|turn| (turn.player, params.count(turn.player.prefix()))).collect())
    }

    /// A trainer of this model on a data set, which takes the data set's tags in place of its own.
    ///
    /// # Errors
    /// When the data set does not fit, or the folder holds something else.
    pub fn train_on(&self, dataset: &Dataset, folder: impl AsRef<Path>, options: Options) -> Result<Trainer> {
        self.recipe.for_data(dataset).train(dataset, folder.as_ref(), options)
    }
}

/// Every preset with its paper and the number of trained parameters per player.
///
/// # Errors
/// When there is no memory to build the networks.
pub fn table() -> Result<Table> {
    rows(&catalogue())
}

/// The rows of [`table`] that are of these models, in this order.
///
/// # Errors
/// When there is no model of that name, or no memory to build the networks.
pub fn table_of(models: &[&str]) -> Result<Table> {
    rows(&models.iter().map(|name| find(name)).collect::<Result<Vec<_>>>()?)
}

fn rows(entries: &[Entry]) -> Result<Table> {
    let (mut names, mut papers, mut links, mut sizes) = (vec![], vec![], vec![], vec![]);
    let (mut generators, mut discriminators) = (vec![], vec![]);
    for entry in entries {
        for preset in &entry.presets {
            let counts = preset.parameters()?;
            let of = |player| counts.iter().filter(|(who, _)| *who == player).map(|(_, n)| *n as i64).sum::<i64>();
            names.push(format!("{} ({})", entry.name, preset.name));
            papers.push(format!("{} ({})", entry.task, entry.year));
            links.push(entry.link);
            sizes.push(preset.recipe.size() as i64);
            // What an editor needs beside its generator to draw a picture again is an encoder.
            generators.push(of(Player::Generator) + of(Player::Encoder));
            discriminators.push(of(Player::Discriminator) + of(Player::Domain) + of(Player::Classifier));
        }
    }
    Table::builder()
        .text("model", names)
        .text("makes", papers)
        .integers("px", sizes)
        .integers("generator", generators)
        .integers("discriminator", discriminators)
        .text("paper", links)
        .build()
}

/// The table of all models as Markdown, for the README.
///
/// # Errors
/// As [`table`].
pub fn markdown() -> Result<String> {
    Ok(table()?.md())
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let presets = self.presets.iter().map(|preset| preset.name).collect::<Vec<_>>().join(", ");
        write!(f, "{} ({}, {}): {presets}", self.name, self.year, self.link)
    }
}

impl fmt::Debug for Preset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({} px)", self.name, self.recipe.size())
    }
}
