//! The losses, the schedule, and the presets.

use std::sync::OnceLock;

use candle_core::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::generator::Global;
use super::vgg::{VggDistance, VggTerm};
use crate::data::batch::{Batch, Images};
use crate::data::changes::{Changes, Flip};
use crate::data::dataset::Dataset;
use crate::losses::{features, least_squares, summed};
use crate::models::baselines::progan::neither;
use crate::models::model::Model;
use crate::models::translation::{Shown, Translation, check_pairs, pictures, sources, unmade};
use crate::nn::norm::Mode;
use crate::nn::params::Scope;
use crate::nn::patch::{PatchGan, PatchNorm, PatchSpec};
use crate::ops::arithmetic::affine;
use crate::ops::resample::avg_pool2d_inside;
use crate::rng::Seed;
use crate::train::gan::{Gan, Losses, Player, Step};
use crate::train::plan::{Average, Epochs, Plan};
use crate::{Error, Result};

/// A pix2pixHD.
pub type Pix2pixHd = Model<Adversaries>;

impl Pix2pixHd {
    /// The authors' networks at 256 px, as "Anime-to-Real Clothing" compares itself with them: batches of 16.
    pub fn paper() -> Pix2pixHdConfig {
        Pix2pixHdConfig::default()
    }

    /// Networks for 64 px that learn on two CPU cores in minutes.
    pub fn tiny() -> Pix2pixHdConfig {
        Pix2pixHdConfig {
            resolution: 64,
            channels: 16,
            halvings: 3,
            blocks: 3,
            judge_channels: 16,
            epochs: Epochs { pictures: 2_000, constant: 10, falling: 10, batch: 8, rate: 2e-4 },
            ..Pix2pixHdConfig::default()
        }
    }
}

/// Everything that a pix2pixHD is made from. [`Default`] is the paper's at 256 px.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pix2pixHdConfig {
    /// Side of the pictures: 256.
    pub resolution: usize,
    /// Channels of the generator's first layer: 64.
    pub channels: usize,
    /// Halvings of the generator: 4.
    pub halvings: usize,
    /// Its residual blocks: 9.
    pub blocks: usize,
    /// Channels of the discriminators' first layers: 64.
    pub judge_channels: usize,
    /// Discriminators, each at half the size of the one before: 2 (3 at 1024 px).
    pub judges: usize,
    /// Weight of the distances of features: 10.
    pub matching: f64,
    /// The perceptual term of VGG-19: none, since its weights are another's file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vgg: Option<VggTerm>,
    /// The schedule: 100 epochs and 100 more with a falling rate, 2e-4.
    pub epochs: Epochs,
    /// What is changed at random: input and output are mirrored as one.
    pub changes: Changes,
}

impl Default for Pix2pixHdConfig {
    fn default() -> Self {
        Pix2pixHdConfig {
            resolution: 256,
            channels: 64,
            halvings: 4,
            blocks: 9,
            judge_channels: 64,
            judges: 2,
            matching: 10.0,
            vgg: None,
            epochs: Epochs { pictures: 32_608, constant: 100, falling: 100, batch: 16, rate: 2e-4 },
            changes: Changes { flip: Flip::Joint, ..Changes::default() },
        }
    }
}

impl Pix2pixHdConfig {
    /// Freshly initialised networks with seed 0.
    ///
    /// # Errors
    /// When the numbers do not make a network.
    pub fn build(self, device: &Device) -> Result<Pix2pixHd> {
        self.build_with(device, Seed(0))
    }

    /// Freshly initialised networks.
    ///
    /// # Errors
    /// When the numbers do not make a network.
    pub fn build_with(self, device: &Device, seed: Seed) -> Result<Pix2pixHd> {
        Model::new(self, device, seed)
    }

    /// Whether networks can be built and trained with these numbers.
    ///
    /// # Errors
    /// Names the first number that cannot be used.
    pub fn check(&self) -> Result<()> {
        self.changes.check()?;
        self.epochs.check()?;
        let Pix2pixHdConfig { resolution, channels, halvings, judge_channels, judges, matching, .. } = *self;
        if channels == 0 || judge_channels == 0 || !(1..=4).contains(&judges) || halvings > 6 {
            let found =
                format!("{channels} and {judge_channels} channels, {judges} discriminators, {halvings} halvings");
            let expected = "1 channel or more, 1 to 4 discriminators, up to 6 halvings";
            return Err(Error::invalid("pix2pixHD", found, expected, ""));
        }
        // Residual blocks need two pixels to mirror one, discriminators eight for their layers.
        let smallest = (2 << halvings).max(8 << judges);
        if !resolution.is_multiple_of(1 << halvings.max(judges)) || resolution < smallest {
            let expected = format!("a multiple of {} from {smallest} px on", 1 << halvings.max(judges));
            return Err(Error::invalid("pix2pixHD: size of the pictures", format!("{resolution} px"), expected, ""));
        }
        for (what, factor) in [("features", matching), ("VGG-19", self.vgg.as_ref().map_or(0.0, |vgg| vgg.factor))] {
            if !(factor.is_finite() && factor >= 0.0) {
                let (what, expected) = (format!("pix2pixHD: weight of {what}"), "a number that is not negative");
                return Err(Error::invalid(what, factor.to_string(), expected, ""));
            }
        }
        Ok(())
    }
}

/// Generator and discriminators of one configuration.
#[derive(Clone, Debug)]
pub struct Adversaries {
    config: Pix2pixHdConfig,
    generator: Global,
    /// From the full size down.
    judges: Vec<PatchGan>,
    /// Opened by the first loss that needs it.
    vgg: OnceLock<VggDistance>,
    shown: Shown,
}

/// Scores and features of one discriminator.
type Verdict = (Tensor, Vec<Tensor>);

impl Adversaries {
    fn judge(&self, batch: &Batch, picture: &Tensor) -> Result<Vec<Verdict>> {
        let mut pair = Tensor::cat(&[sources(batch)?, picture], 1)?;
        let mut verdicts = Vec::with_capacity(self.judges.len());
        for (i, judge) in self.judges.iter().enumerate() {
            if i > 0 {
                // Means of 3×3 pixels that do not count what lies outside.
                pair = avg_pool2d_inside(&pair, 3, 2, 1)?;
            }
            verdicts.push(judge.forward(&pair, Mode::Train)?);
        }
        Ok(verdicts)
    }

    /// Σ over discriminators of a loss of their scores.
    fn summed(verdicts: &[Verdict], loss: fn(&Tensor) -> Result<Tensor>) -> Result<Tensor> {
        summed(verdicts.iter().map(|(scores, _)| loss(scores).map(Some)))?
            .ok_or_else(|| Error::invalid("pix2pixHD", "no discriminator", "at least one", ""))
    }

    fn generator_loss(&self, batch: &Batch, made: &Tensor) -> Result<Losses> {
        let verdicts = self.judge(batch, made)?;
        let mut losses = Losses::new();
        losses.add("adv", &Self::summed(&verdicts, least_squares::real)?, 1.0)?;
        let wanted = self.judge(batch, &batch.images)?;
        // 4/(n + 1) = 1 for n = 3 halvings, over all layers but the scores.
        let matched = verdicts
            .iter()
            .zip(&wanted)
            .map(|((_, found), (_, wanted))| features::matching(found, wanted, &vec![1.0; found.len()]));
        if let Some(distance) = summed(matched)? {
            let mean = affine(&distance, 1.0 / self.judges.len() as f64, 0.0)?;
            losses.add("features", &mean, self.config.matching)?;
        }
        if let Some(term) = &self.config.vgg {
            losses.add("vgg", &self.vgg(term, made.device())?.distance(made, &batch.images)?, term.factor)?;
        }
        Ok(losses)
    }

    fn vgg(&self, term: &VggTerm, device: &Device) -> Result<&VggDistance> {
        if let Some(opened) = self.vgg.get() {
            return Ok(opened);
        }
        let opened = VggDistance::open(&term.weights, device)?;
        Ok(self.vgg.get_or_init(|| opened))
    }

    fn discriminator_loss(&self, batch: &Batch, made: &Tensor) -> Result<Losses> {
        let mut losses = Losses::new();
        let fake = self.judge(batch, &made.detach())?;
        losses.add("adv_fake", &Self::summed(&fake, least_squares::fake)?, 0.5)?;
        let real = self.judge(batch, &batch.images)?;
        losses.add("adv_real", &Self::summed(&real, least_squares::real)?, 0.5)?;
        Ok(losses)
    }
}

impl Translation for Adversaries {
    fn side(config: &Pix2pixHdConfig) -> usize {
        config.resolution
    }

    fn translate(&self, sources: &Tensor) -> Result<Tensor> {
        self.generator.forward(sources)
    }
}

impl Gan for Adversaries {
    type Config = Pix2pixHdConfig;
    const NAME: &'static str = "pix2pixhd";

    fn new(config: &Pix2pixHdConfig, params: &Scope) -> Result<Adversaries> {
        config.check()?;
        let (makes, judges) = (params.pp(Player::Generator.prefix()), params.pp(Player::Discriminator.prefix()));
        let spec = PatchSpec {
            inputs: 6,
            channels: config.judge_channels,
            halvings: 3,
            padding: 2,
            norm: PatchNorm::Instance,
            layered: true,
        };
        let &Pix2pixHdConfig { resolution, channels, halvings, blocks, .. } = config;
        let judge = |i: usize| PatchGan::new(spec, &judges.pp(format!("scale{i}")));
        Ok(Adversaries {
            config: config.clone(),
            generator: Global::new(channels, halvings, blocks, &makes)?,
            judges: (0..config.judges).map(judge).collect::<Result<_>>()?,
            vgg: OnceLock::new(),
            shown: Shown::new(resolution, &makes)?,
        })
    }

    /// The generator moves first.
    fn plan(config: &Pix2pixHdConfig) -> Plan {
        let order = [(Player::Generator, 1), (Player::Discriminator, 1)];
        config.epochs.plan(config.resolution).order(&order).average(Average::Constant(0.0))
    }

    fn summary(config: &Pix2pixHdConfig) -> Vec<(&'static str, String)> {
        let side = config.resolution;
        vec![
            ("input", pictures("a picture", side)),
            ("output", pictures("a picture", side)),
            ("networks", format!("{} residual blocks, {} discriminators of patches", config.blocks, config.judges)),
            (
                "losses",
                format!(
                    "least squares, {} × features{}",
                    config.matching,
                    config.vgg.as_ref().map_or(String::new(), |vgg| format!(", {} × VGG-19", vgg.factor))
                ),
            ),
        ]
    }

    fn for_data(config: &Pix2pixHdConfig, dataset: &Dataset) -> Pix2pixHdConfig {
        Pix2pixHdConfig { epochs: config.epochs.over(dataset), ..config.clone() }
    }

    fn check_data(config: &Pix2pixHdConfig, dataset: &Dataset) -> Result<()> {
        config.vgg.as_ref().map_or(Ok(()), VggTerm::check_file)?;
        check_pairs(dataset, config.resolution)
    }

    fn changes(config: &Pix2pixHdConfig) -> Changes {
        config.changes.clone()
    }

    /// One forward pass of the generator, for both players.
    fn share(&self, batch: &Batch, step: &mut Step) -> Result<()> {
        self.shown.keep(batch, step.number)?;
        step.put("made", self.generator.forward(sources(batch)?)?);
        Ok(())
    }

    fn loss(&self, who: Player, batch: &Batch, step: &mut Step) -> Result<Losses> {
        let made = step.get("made").ok_or_else(unmade)?;
        match who {
            Player::Generator => self.generator_loss(batch, &made),
            Player::Discriminator => self.discriminator_loss(batch, &made),
            other => Err(neither(other)),
        }
    }

    fn preview(&self, _: Seed) -> Result<Images> {
        self.shown.preview(|sources| self.generator.forward(sources))
    }
}
