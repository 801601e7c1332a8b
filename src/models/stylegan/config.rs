//! The numbers of StyleGAN, each with where it comes from.

use candle_core::Device;
use serde::{Deserialize, Serialize};

use super::objective::Adversaries;
use crate::models::baselines::progan::{WassersteinConfig, check_growth, tiny_growth, tiny_shape};
use crate::models::model::Model;
use crate::nn::augment::{AugmentConfig, Strength};
use crate::nn::progressive::{Group, GrowingShape};
use crate::rng::Seed;
use crate::train::plan::growth::{Count, Gpus};
use crate::train::plan::{Average, Growth, Phase, Reset};
use crate::{Error, Result};

/// A StyleGAN.
pub type Stylegan = Model<Adversaries>;

/// The five runs of the student report, in its order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReportRun {
    /// 919 full bodies from 8 px on one GPU of 6 GB, whose memory ended at 32 px.
    OneGpu,
    /// The same on four GPUs.
    Bodies,
    /// The same at 256 px from the beginning. Its implementation forgot to divide the length by the minibatch, so that every
    /// picture was to be shown 160,000 times, and blurred the first 600,000 real ones as if something grew: the length is
    /// kept here, the blur is not.
    AtOnce,
    /// 1,044 faces from 16 px.
    Faces,
    /// 1,392 full bodies from 16 px.
    MoreBodies,
}

/// What both players minimise.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Objective {
    /// The non-saturating logistic loss, and R1 on real pictures (Mescheder et al. 2018), FFHQ's.
    Logistic {
        /// γ: the penalty is γ/2 times the mean squared gradient of the logit. 10.
        gamma: f64,
    },
    /// WGAN-GP as in Progressive GAN: CelebA-HQ's.
    Wasserstein(WassersteinConfig),
}

/// Everything that a StyleGAN is made from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StyleganConfig {
    /// Resolutions and channels: Progressive GAN's, fused from 128 px on; z and w have `latent` numbers.
    pub network: GrowingShape,
    /// Dense layers of the mapping network: 8. The report changed their number and does not say to what.
    pub mapping_layers: usize,
    /// Multiplier of their learning rate: 0.01 (appendix C).
    pub mapping_rate: f64,
    /// Part of the minibatches that are drawn with two styles, the second from a random layer on: 0.9 (section 3.1).
    pub mixing: f64,
    /// How much of the running mean of w stays at each pass: 0.995.
    pub mean_decay: f64,
    /// Groups of the standard deviation over the minibatch: 4.
    pub group: Group,
    /// The losses.
    pub objective: Objective,
    /// What is done to the pictures that the discriminator sees, for data sets of a few thousand pictures; none in the
    /// paper.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub augment: Option<AugmentConfig>,
    /// The schedule.
    pub growth: Growth,
}

impl Stylegan {
    /// FFHQ at 1024 px on eight GPUs: 25,000 kimg.
    pub fn ffhq() -> StyleganConfig {
        Stylegan::authors(Gpus::Eight, 1024)
    }

    /// The authors' training for pictures of this side.
    pub fn authors(gpus: Gpus, resolution: usize) -> StyleganConfig {
        StyleganConfig {
            network: GrowingShape { fused_from: 128, ..GrowingShape::paper(resolution) },
            mapping_layers: 8,
            mapping_rate: 0.01,
            mixing: 0.9,
            mean_decay: 0.995,
            group: Group::Of(4),
            objective: Objective::Logistic { gamma: 10.0 },
            augment: None,
            growth: Growth::stylegan(gpus, resolution),
        }
    }

    /// What the report's data ask for and its runs did not have: on one GPU, with the running average of the weights and an
    /// augmented discriminator (Karras et al. 2020), which about a thousand pictures need.
    pub fn few_bodies(resolution: usize) -> StyleganConfig {
        Stylegan::authors(Gpus::One, resolution).augmented(AugmentConfig::bodies())
    }

    /// [`tiny`](Stylegan::tiny) with an augmented discriminator, whose probability rises by at most 0.01 in a thousand
    /// pictures. Faster, it would also follow the advantage that every discriminator has at first, and colours would leak. The
    /// losses are logistic: only their scores of real pictures tell by their signs how sure the discriminator is. γ is 1, since
    /// slopes at pictures of 64 px are not those at 1024 px.
    pub fn tiny_few_bodies() -> StyleganConfig {
        let strength = Strength::Adaptive { target: 0.6, kimg: 100.0, interval: 4 };
        let logistic = StyleganConfig { objective: Objective::Logistic { gamma: 1.0 }, ..Stylegan::tiny() };
        logistic.augmented(AugmentConfig { strength, ..AugmentConfig::bodies() })
    }

    /// The report's best-documented run: 919 full bodies at 256 px on four GPUs.
    pub fn paper() -> StyleganConfig {
        Stylegan::report(ReportRun::Bodies)
    }

    /// A run of the report, all of pictures of 256 px, each shown 10,000 times, without a running average of the weights.
    pub fn report(run: ReportRun) -> StyleganConfig {
        let growth = match run {
            ReportRun::OneGpu => Growth::taki(8, 256, 1, 9_190_000),
            ReportRun::Bodies => Growth::taki(8, 256, 4, 9_190_000),
            ReportRun::AtOnce => {
                let phase = Phase { resolution: 256, fade: 0, stable: 9_190_000 * 16, batch: 16, rate: 0.002 };
                let average = Average::Constant(0.0);
                Growth { count: Count::Steps, reset: Reset::Resolutions, average, phases: vec![phase] }
            }
            ReportRun::Faces => Growth::taki(16, 256, 4, 10_440_000),
            ReportRun::MoreBodies => Growth::taki(16, 256, 4, 13_920_000),
        };
        StyleganConfig { growth, ..Stylegan::authors(Gpus::Four, 256) }
    }

    /// Networks for 64 px that learn on two CPU cores in minutes: the method is the paper's, with at most 64 channels, four
    /// layers of mapping and a fraction of the pictures, from 4 px on. The losses are the paper's for CelebA-HQ (WGAN-GP), not
    /// those for FFHQ: of drawn bodies, which hardly overlap with what is made of them at first, the logistic ones let the
    /// discriminator be right so soon that the generator learns nothing from it in so short a time.
    pub fn tiny() -> StyleganConfig {
        let network = tiny_shape(64);
        let objective = Objective::Wasserstein(WassersteinConfig::default());
        StyleganConfig { network, mapping_layers: 4, objective, growth: tiny_growth(64), ..Stylegan::ffhq() }
    }
}

impl StyleganConfig {
    /// Side of the finished pictures in pixels.
    pub fn size(&self) -> usize {
        self.network.resolution
    }

    /// Freshly initialised networks with seed 0.
    ///
    /// # Errors
    /// When the numbers do not make a network.
    pub fn build(self, device: &Device) -> Result<Stylegan> {
        self.build_with(device, Seed(0))
    }

    /// Freshly initialised networks.
    ///
    /// # Errors
    /// When the numbers do not make a network.
    pub fn build_with(self, device: &Device, seed: Seed) -> Result<Stylegan> {
        Model::new(self, device, seed)
    }

    /// The same with a discriminator whose pictures are augmented.
    pub fn augmented(self, augment: AugmentConfig) -> StyleganConfig {
        StyleganConfig { augment: Some(augment), ..self }
    }

    /// Whether networks can be built and trained with these numbers.
    ///
    /// # Errors
    /// Names the first number that cannot be used.
    pub fn check(&self) -> Result<()> {
        self.network.check()?;
        let shares = [("style mixing", self.mixing), ("decay of the mean style", self.mean_decay)];
        if let Some((what, share)) = shares.into_iter().find(|(_, share)| !(0.0..=1.0).contains(share)) {
            return Err(Error::invalid(what, share.to_string(), "0 to 1", ""));
        }
        if !(self.mapping_rate.is_finite() && self.mapping_rate > 0.0) {
            let found = self.mapping_rate.to_string();
            return Err(Error::invalid("rate of the mapping network", found, "a number above 0", ""));
        }
        if let Some(augment) = &self.augment {
            augment.check()?;
            let adaptive = matches!(augment.strength, Strength::Adaptive { .. });
            if adaptive && matches!(self.objective, Objective::Wasserstein(_)) {
                let expected = "the logistic losses, whose scores of real pictures have a meaning by their signs";
                let hint = "A fixed probability works with both: `AugmentConfig::default().fixed(0.4)`.";
                return Err(Error::invalid("adaptive augmentation", "Wasserstein losses", expected, hint));
            }
        }
        check_growth(&self.growth, self.size())
    }
}
