//! The model as a notebook holds it.

use std::fmt;
use std::sync::Arc;

use candle_core::{Device, Tensor};

use super::config::MakeGirlsConfig;
use super::objective::Adversaries;
use crate::data::batch::Images;
use crate::losses::attribute::readings;
use crate::nn::params::{ParamStore, Training};
use crate::rng::Seed;
use crate::train::gan::{Gan, Networks, Player};
use crate::{Error, Result};

/// Pictures that go through a network at once.
const CHUNK: usize = 16;

/// A make.girls.moe model: its configuration, its weights and their running average. Clones share the weights, and so
/// does a [`Trainer`](crate::train::trainer::Trainer) started from it: the model sees what is trained.
#[derive(Clone)]
pub struct MakeGirls {
    inner: Arc<Inner>,
    averaged: bool,
}

struct Inner {
    config: MakeGirlsConfig,
    device: Device,
    networks: Networks,
}

impl MakeGirls {
    /// The paper, number by number: 128 px, 34 attributes.
    pub fn paper() -> MakeGirlsConfig {
        MakeGirlsConfig::default()
    }

    /// The same method with small networks at 64 px, which learn on two CPU cores in minutes.
    pub fn tiny() -> MakeGirlsConfig {
        MakeGirlsConfig::tiny()
    }

    pub(super) fn with_networks(config: MakeGirlsConfig, device: &Device, networks: Networks) -> MakeGirls {
        let inner = Inner { config, device: device.clone(), networks };
        MakeGirls { inner: Arc::new(inner), averaged: false }
    }

    /// The configuration.
    pub fn config(&self) -> &MakeGirlsConfig {
        &self.inner.config
    }

    /// The same model, drawing with the running average of its weights, which is steadier than the last step's.
    pub fn ema(&self) -> MakeGirls {
        MakeGirls { inner: self.inner.clone(), averaged: true }
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

    /// What the discriminator's heads read of these pictures, `[N, F]`: features for nearest neighbours and t-SNE.
    ///
    /// # Errors
    /// When the pictures have another size.
    pub fn features(&self, images: &Images) -> Result<Tensor> {
        self.judge(images, |networks, pictures| networks.discriminator().features(pictures))
    }

    /// The probabilities with which the discriminator names the attributes of these pictures, `[N, L]` in [0, 1]; of a
    /// continuous one (the year) the value that it reads.
    ///
    /// # Errors
    /// When the pictures have another size.
    pub fn classify(&self, images: &Images) -> Result<Tensor> {
        let logits =
            self.judge(images, |networks, pictures| Ok(networks.discriminator().forward(pictures)?.attributes))?;
        readings(&logits, &self.config().tags)
    }

    fn judge(&self, images: &Images, look: fn(&Adversaries, &Tensor) -> Result<Tensor>) -> Result<Tensor> {
        let networks = self.networks()?;
        let pictures = self.inner.config.planes.swap(&images.tensor.to_device(&self.inner.device)?)?;
        let mut answers = Vec::new();
        for start in (0..images.len()).step_by(CHUNK) {
            answers.push(look(&networks, &pictures.narrow(0, start, CHUNK.min(images.len() - start))?)?);
        }
        match answers.is_empty() {
            true => Err(Error::invalid("pictures to judge", "none", "at least one", "")),
            false => Ok(Tensor::cat(&answers, 0)?),
        }
    }

    /// How many numbers each player trains.
    pub fn parameters(&self) -> Vec<(Player, usize)> {
        let params = self.params();
        [Player::Generator, Player::Discriminator].map(|player| (player, params.count(player.prefix()))).to_vec()
    }

    /// The networks of this value, for use and not for training.
    ///
    /// # Errors
    /// When the device has no memory for them.
    pub fn networks(&self) -> Result<Adversaries> {
        Adversaries::new(&self.inner.config, &self.params().view(Training::Nothing))
    }
}

impl MakeGirlsConfig {
    /// Freshly initialised networks with seed 0.
    ///
    /// # Errors
    /// When the numbers do not make a network.
    pub fn build(self, device: &Device) -> Result<MakeGirls> {
        self.build_with(device, Seed(0))
    }

    /// Freshly initialised networks.
    ///
    /// # Errors
    /// When the numbers do not make a network.
    pub fn build_with(self, device: &Device, seed: Seed) -> Result<MakeGirls> {
        Adversaries::plan(&self).check()?;
        let networks = Networks::new::<Adversaries>(&self, seed, device)?;
        Ok(MakeGirls::with_networks(self, device, networks))
    }
}

impl fmt::Debug for MakeGirls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let size = self.inner.config.size();
        write!(f, "MakeGirls({size} × {size} px, {} attributes", self.inner.config.tags.len())?;
        for (player, count) in self.parameters() {
            write!(f, ", {} {count}", player.name())?;
        }
        f.write_str(")")
    }
}
