//! The losses, the schedule, and the presets.

use candle_core::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::generator::UNet;
use crate::data::batch::{Batch, Images};
use crate::data::changes::{Changes, Flip, Jitter};
use crate::data::dataset::Dataset;
use crate::losses::{adversarial, features, least_squares};
use crate::models::baselines::progan::neither;
use crate::models::model::Model;
use crate::models::translation::{Shown, Translation, check_pairs, pictures, sources, unmade};
use crate::nn::norm::Mode;
use crate::nn::params::Scope;
use crate::nn::patch::{PatchGan, PatchNorm, PatchSpec};
use crate::rng::{Seed, Stream};
use crate::train::gan::{Gan, Losses, Player, Step};
use crate::train::plan::{Average, Epochs, Plan};
use crate::{Error, Result};

/// A pix2pix.
pub type Pix2pix = Model<Adversaries>;

impl Pix2pix {
    /// The authors' code: 256 px, single pictures, 100 epochs and 100 more with a falling rate, L1 weight 100.
    pub fn paper() -> Pix2pixConfig {
        Pix2pixConfig::default()
    }

    /// Networks for 64 px that learn on two CPU cores in minutes.
    pub fn tiny() -> Pix2pixConfig {
        Pix2pixConfig {
            resolution: 64,
            channels: 32,
            judge_channels: 32,
            epochs: Epochs { pictures: 2_000, constant: 10, falling: 10, batch: 8, rate: 2e-4 },
            ..Pix2pixConfig::default()
        }
    }
}

/// Everything that a pix2pix is made from. [`Default`] is the authors' code.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pix2pixConfig {
    /// Side of the pictures, a power of two: 256.
    pub resolution: usize,
    /// Channels of the generator's first layer: 64.
    pub channels: usize,
    /// Channels of the discriminator's first layer: 64.
    pub judge_channels: usize,
    /// Least squares in place of cross entropy: no.
    pub least_squares: bool,
    /// Weight of the mean absolute difference: 100. "Anime-to-Real Clothing" once says that pix2pix had none, and has 10 in
    /// its own baseline.
    pub l1: f64,
    /// Whether half of the features are dropped when a finished model draws, too, as in the paper: no, pictures would differ
    /// from call to call.
    pub dropout_at_test: bool,
    /// Whether batch norms of a finished model use the statistics of the batch at hand, as in the paper: no, a picture would
    /// depend on its neighbours.
    pub batch_statistics_at_test: bool,
    /// The schedule.
    pub epochs: Epochs,
    /// What is changed at random: input and output are enlarged to 286 of 256 px and cut, and mirrored, both as one.
    pub changes: Changes,
}

impl Default for Pix2pixConfig {
    fn default() -> Self {
        Pix2pixConfig {
            resolution: 256,
            channels: 64,
            judge_channels: 64,
            least_squares: false,
            l1: 100.0,
            dropout_at_test: false,
            batch_statistics_at_test: false,
            epochs: Epochs { pictures: 32_608, constant: 100, falling: 100, batch: 1, rate: 2e-4 },
            changes: Changes {
                flip: Flip::Joint,
                both: Jitter { zoom: 286.0 / 256.0, ..Jitter::default() },
                ..Changes::default()
            },
        }
    }
}

impl Pix2pixConfig {
    /// Freshly initialised networks with seed 0.
    ///
    /// # Errors
    /// When the numbers do not make a network.
    pub fn build(self, device: &Device) -> Result<Pix2pix> {
        self.build_with(device, Seed(0))
    }

    /// Freshly initialised networks.
    ///
    /// # Errors
    /// When the numbers do not make a network.
    pub fn build_with(self, device: &Device, seed: Seed) -> Result<Pix2pix> {
        Model::new(self, device, seed)
    }

    /// Whether networks can be built and trained with these numbers.
    ///
    /// # Errors
    /// Names the first number that cannot be used.
    pub fn check(&self) -> Result<()> {
        self.changes.check()?;
        self.epochs.check()?;
        if self.channels == 0 || self.judge_channels == 0 {
            return Err(Error::invalid("pix2pix: channels", "0", "1 or more", ""));
        }
        // Five layers of the discriminator need so many pixels.
        if !self.resolution.is_power_of_two() || self.resolution < 32 {
            let found = format!("{} px", self.resolution);
            return Err(Error::invalid("pix2pix: size of the pictures", found, "a power of two from 32 px on", ""));
        }
        if !(self.l1.is_finite() && self.l1 >= 0.0) {
            return Err(Error::invalid("pix2pix: L1 weight", self.l1.to_string(), "a number that is not negative", ""));
        }
        Ok(())
    }
}

/// Generator and discriminator of one configuration.
#[derive(Clone, Debug)]
pub struct Adversaries {
    config: Pix2pixConfig,
    generator: UNet,
    discriminator: PatchGan,
    shown: Shown,
}

impl Adversaries {
    fn score(&self, batch: &Batch, picture: &Tensor) -> Result<Tensor> {
        let pair = Tensor::cat(&[sources(batch)?, picture], 1)?;
        Ok(self.discriminator.forward(&pair, Mode::Train)?.0)
    }

    fn real(&self, scores: &Tensor) -> Result<Tensor> {
        if self.config.least_squares { least_squares::real(scores) } else { adversarial::real(scores) }
    }

    fn fake(&self, scores: &Tensor) -> Result<Tensor> {
        if self.config.least_squares { least_squares::fake(scores) } else { adversarial::fake(scores) }
    }
}

impl Translation for Adversaries {
    fn side(config: &Pix2pixConfig) -> usize {
        config.resolution
    }

    fn translate(&self, sources: &Tensor) -> Result<Tensor> {
        let mode = if self.config.batch_statistics_at_test { Mode::Train } else { Mode::Eval };
        let mut noise: Option<Stream> = self.config.dropout_at_test.then(|| Seed(0).stream("dropout at test"));
        self.generator.forward(sources, mode, noise.as_mut())
    }
}

impl Gan for Adversaries {
    type Config = Pix2pixConfig;
    const NAME: &'static str = "pix2pix";

    fn new(config: &Pix2pixConfig, params: &Scope) -> Result<Adversaries> {
        config.check()?;
        let (makes, judges) = (params.pp(Player::Generator.prefix()), params.pp(Player::Discriminator.prefix()));
        let spec = PatchSpec {
            inputs: 6,
            channels: config.judge_channels,
            halvings: 3,
            padding: 1,
            norm: PatchNorm::Batch,
            layered: false,
        };
        Ok(Adversaries {
            config: config.clone(),
            generator: UNet::new(config.resolution, config.channels, &makes)?,
            discriminator: PatchGan::new(spec, &judges)?,
            shown: Shown::new(config.resolution, &makes)?,
        })
    }

    fn plan(config: &Pix2pixConfig) -> Plan {
        config.epochs.plan(config.resolution).average(Average::Constant(0.0))
    }

    fn summary(config: &Pix2pixConfig) -> Vec<(&'static str, String)> {
        let side = config.resolution;
        vec![
            ("input", pictures("a picture", side)),
            ("output", pictures("a picture", side)),
            ("networks", "a U-Net down to one pixel, a discriminator of patches".into()),
            ("losses", format!("adversarial, {} × L1", config.l1)),
        ]
    }

    fn for_data(config: &Pix2pixConfig, dataset: &Dataset) -> Pix2pixConfig {
        Pix2pixConfig { epochs: config.epochs.over(dataset), ..config.clone() }
    }

    fn check_data(config: &Pix2pixConfig, dataset: &Dataset) -> Result<()> {
        check_pairs(dataset, config.resolution)
    }

    fn changes(config: &Pix2pixConfig) -> Changes {
        config.changes.clone()
    }

    /// One forward pass of the generator, for both players. The discriminator moves first.
    fn share(&self, batch: &Batch, step: &mut Step) -> Result<()> {
        self.shown.keep(batch, step.number)?;
        let mut noise = step.stream("dropout");
        step.put("made", self.generator.forward(sources(batch)?, Mode::Train, Some(&mut noise))?);
        Ok(())
    }

    fn loss(&self, who: Player, batch: &Batch, step: &mut Step) -> Result<Losses> {
        let made = step.get("made").ok_or_else(unmade)?;
        let mut losses = Losses::new();
        match who {
            Player::Discriminator => {
                losses.add("adv_fake", &self.fake(&self.score(batch, &made.detach())?)?, 0.5)?;
                losses.add("adv_real", &self.real(&self.score(batch, &batch.images)?)?, 0.5)?;
            }
            Player::Generator => {
                losses.add("adv", &self.real(&self.score(batch, &made)?)?, 1.0)?;
                losses.add("l1", &features::distance(&made, &batch.images)?, self.config.l1)?;
            }
            other => return Err(neither(other)),
        }
        Ok(losses)
    }

    fn preview(&self, _: Seed) -> Result<Images> {
        self.shown.preview(|sources| self.generator.forward(sources, Mode::Eval, None))
    }
}
