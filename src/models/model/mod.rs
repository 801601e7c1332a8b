//! A model as a notebook holds it: the same for every paper.

mod card;
mod file;

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use candle_core::Device;

use crate::Result;
use crate::data::dataset::Dataset;
use crate::nn::params::{ParamStore, Training};
use crate::rng::Seed;
use crate::train::gan::{Gan, Networks, Player};
use crate::train::trainer::{Options, Trainer};

pub use file::{Attribution, BEST, about, model_of_file, model_of_run};

/// A model: its configuration, its weights and their running average. Clones share the weights, and so does a [`Trainer`]
/// started from it: the model sees what is trained.
///
/// Every paper has its own name for it, such as [`MakeGirls`](super::make_girls::MakeGirls), under which its presets and
/// the ways to draw with it are found.
pub struct Model<G: Gan> {
    inner: Arc<Inner<G>>,
    averaged: bool,
}

struct Inner<G: Gan> {
    config: G::Config,
    device: Device,
    networks: Networks,
}

impl<G: Gan> Model<G> {
    /// Freshly initialised networks.
    ///
    /// # Errors
    /// When the numbers do not make a network or a schedule, or the device has no memory for them.
    pub fn new(config: G::Config, device: &Device, seed: Seed) -> Result<Model<G>> {
        G::plan(&config).check()?;
        let networks = Networks::new::<G>(&config, seed, device)?;
        Ok(Model::with_networks(config, device, networks))
    }

    pub(crate) fn with_networks(config: G::Config, device: &Device, networks: Networks) -> Model<G> {
        let inner = Inner { config, device: device.clone(), networks };
        Model { inner: Arc::new(inner), averaged: false }
    }

    /// The configuration.
    pub fn config(&self) -> &G::Config {
        &self.inner.config
    }

    /// The same model, drawing with the running average of its weights, which is steadier than the last step's.
    pub fn ema(&self) -> Model<G> {
        Model { inner: self.inner.clone(), averaged: true }
    }

    /// Where the weights are.
    pub fn device(&self) -> &Device {
        &self.inner.device
    }

    /// The weights that this value draws with.
    pub fn params(&self) -> ParamStore {
        let Networks { params, average } = &self.inner.networks;
        if self.averaged { average.clone() } else { params.clone() }
    }

    /// The weights and their running average.
    pub fn weights(&self) -> &Networks {
        &self.inner.networks
    }

    /// How many numbers each player trains.
    pub fn parameters(&self) -> Vec<(Player, usize)> {
        let params = self.params();
        let players = G::plan(self.config()).order.into_iter().map(|turn| turn.player);
        players.map(|player| (player, params.count(player.prefix()))).collect()
    }

    /// The networks of this value, for use and not for training.
    ///
    /// # Errors
    /// When the device has no memory for them.
    pub fn networks(&self) -> Result<G> {
        G::new(self.config(), &self.params().view(Training::Nothing))
    }

    /// Trains on a data set in a run folder; resumes when the folder holds a run of the same configuration and data.
    /// The trainer moves the weights of this very model: what it draws follows the training.
    ///
    /// A new run starts from the weights that the model has, so a model from a file is trained further.
    ///
    /// # Errors
    /// When the data set does not fit the model, or the folder holds something else.
    pub fn train_on(&self, dataset: &Dataset, folder: impl AsRef<Path>) -> Result<Trainer> {
        self.train_with(dataset, folder, Options::default())
    }

    /// As [`Model::train_on`], with other options; the device is that of the model.
    ///
    /// # Errors
    /// As [`Model::train_on`].
    pub fn train_with(&self, dataset: &Dataset, folder: impl AsRef<Path>, options: Options) -> Result<Trainer> {
        Trainer::open::<G>(self.config(), dataset, folder, options.networks(self.weights()))
    }
}

impl<G: Gan> Clone for Model<G> {
    fn clone(&self) -> Self {
        Model { inner: self.inner.clone(), averaged: self.averaged }
    }
}

impl<G: Gan> fmt::Debug for Model<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}(", G::NAME)?;
        for (i, (player, count)) in self.parameters().into_iter().enumerate() {
            write!(f, "{}{} {count}", if i > 0 { ", " } else { "" }, player.name())?;
        }
        f.write_str(")")
    }
}
