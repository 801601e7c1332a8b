//! The model as a notebook holds it, and what its discriminator sees.

use candle_core::{Device, Tensor};

use super::config::MakeGirlsConfig;
use super::objective::Adversaries;
use crate::Result;
use crate::data::batch::Images;
use crate::losses::attribute::readings;
use crate::models::model::Model;
use crate::rng::Seed;
use crate::sample::{in_chunks, rows};

/// A make.girls.moe model.
pub type MakeGirls = Model<Adversaries>;

impl MakeGirls {
    /// The paper, number by number: 128 px, 34 attributes.
    pub fn paper() -> MakeGirlsConfig {
        MakeGirlsConfig::default()
    }

    /// The same method with small networks at 64 px, which learn on two CPU cores in minutes.
    pub fn tiny() -> MakeGirlsConfig {
        MakeGirlsConfig::tiny()
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
        let pictures = self.config().planes.swap(&images.tensor.to_device(self.device())?)?;
        in_chunks("pictures to judge", images.len(), |range| look(&networks, &rows(&pictures, &range)?))
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
        Model::new(self, device, seed)
    }
}
