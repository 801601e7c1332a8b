//! The losses, the schedule, and the presets.

use std::sync::Arc;

use candle_core::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::networks::{Decoder, Encoder, LatentDiscriminator};
use crate::data::batch::{Batch, Images};
use crate::data::changes::{Changes, Flip};
use crate::data::dataset::Dataset;
use crate::data::tags::TagSet;
use crate::losses::attribute::{LabelReduction, attributes};
use crate::losses::features::squared_distance;
use crate::metrics::evaluate::{self, Pictures};
use crate::models::baselines::progan::neither;
use crate::models::editing::{self, Coding, Editing, Shown};
use crate::models::labels::labels_of;
use crate::models::model::Model;
use crate::nn::norm::Mode;
use crate::nn::params::Scope;
use crate::ops::arithmetic::affine;
use crate::rng::Seed;
use crate::train::gan::{Gan, Losses, Player, Step};
use crate::train::plan::{Average, Mark, Plan, Stage};
use crate::{Error, Result};

/// A Fader Network.
pub type Fadernet = Model<Adversaries>;

impl Fadernet {
    /// The authors' code at 128 px: 1,000 epochs of 50,000 pictures, of which 100 to 200 are enough.
    pub fn paper() -> FadernetConfig {
        FadernetConfig::default()
    }

    /// Small networks for 64 px that learn on two CPU cores in minutes. The encoder leaves out labels from the first minutes
    /// on, more strongly.
    pub fn tiny() -> FadernetConfig {
        FadernetConfig {
            resolution: 64,
            layers: 5,
            channels: 16,
            most: 128,
            hidden: 64,
            lambda: 1e-2,
            ramp: 1_000,
            batch: 16,
            rate: 1e-3,
            steps: 4_000,
            average: 0.99,
            changes: Changes::default(),
            ..FadernetConfig::default()
        }
    }
}

/// Everything that a Fader Network is made from. [`Default`] is the authors' code at 128 px.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FadernetConfig {
    /// Side of the pictures, a power of two: 128; 256 in the paper.
    pub resolution: usize,
    /// Layers that halve: 6.
    pub layers: usize,
    /// Channels of the first, doubled with each: 32.
    pub channels: usize,
    /// Most channels: 512.
    pub most: usize,
    /// Numbers of the discriminator's hidden layer: 512.
    pub hidden: usize,
    /// Share of the discriminator's features that is dropped: 0.3.
    pub dropout: f64,
    /// Weight of the term that makes codes tell the wrong labels, at its end: 1e-4.
    pub lambda: f64,
    /// Steps over which that weight rises from 0 along a line: 500,000.
    pub ramp: u64,
    /// Largest length of a player's gradient: 5.
    pub clip: f64,
    /// How many times a label that is edited is told as strongly as in training, when a finished model edits: 1. The authors'
    /// figures slide it far beyond.
    pub strength: f64,
    /// Pictures of a minibatch: 32.
    pub batch: usize,
    /// Adam's learning rate: 2e-4, with β₁ 0.5.
    pub rate: f64,
    /// Steps: 1,000 epochs of 50,000 pictures.
    pub steps: u64,
    /// Decay of the running average of the weights; the authors keep none, 0.
    pub average: f64,
    /// What is changed at random in pictures: they are mirrored.
    pub changes: Changes,
    /// The attributes, told as pairs of off and on.
    pub tags: TagSet,
}

impl Default for FadernetConfig {
    fn default() -> Self {
        FadernetConfig {
            resolution: 128,
            layers: 6,
            channels: 32,
            most: 512,
            hidden: 512,
            dropout: 0.3,
            lambda: 1e-4,
            ramp: 500_000,
            clip: 5.0,
            strength: 1.0,
            batch: 32,
            rate: 2e-4,
            steps: 1_000 * 50_000 / 32,
            average: 0.0,
            changes: Changes { flip: Flip::Joint, ..Changes::default() },
            tags: TagSet::make_girls(),
        }
    }
}

impl FadernetConfig {
    /// Channels of layer `i`, counted from the outermost.
    pub(super) fn width(&self, i: usize) -> usize {
        self.channels.checked_shl(i as u32).unwrap_or(self.most).min(self.most)
    }

    /// With these attributes: those of a data set, or any.
    pub fn tags(self, tags: &TagSet) -> FadernetConfig {
        FadernetConfig { tags: tags.clone(), ..self }
    }

    /// Freshly initialised networks with seed 0.
    ///
    /// # Errors
    /// When the numbers do not make a network.
    pub fn build(self, device: &Device) -> Result<Fadernet> {
        self.build_with(device, Seed(0))
    }

    /// Freshly initialised networks.
    ///
    /// # Errors
    /// When the numbers do not make a network.
    pub fn build_with(self, device: &Device, seed: Seed) -> Result<Fadernet> {
        Model::new(self, device, seed)
    }

    /// Whether networks can be built and trained with these numbers.
    ///
    /// # Errors
    /// Names the first number that cannot be used.
    pub fn check(&self) -> Result<()> {
        let bad = |what: &str, found: String, expected: &str| {
            Err(Error::invalid(format!("Fader Network: {what}"), found, expected, ""))
        };
        self.changes.check()?;
        let halvings = self.resolution.checked_ilog2().unwrap_or(0) as usize;
        if !self.resolution.is_power_of_two() || !(1..halvings).contains(&self.layers) {
            let found = format!("{} px, {} layers", self.resolution, self.layers);
            return bad("size", found, "a power of two that can be halved so often, down to 2 px or more");
        }
        if [self.channels, self.most, self.hidden, self.batch, self.tags.len()].contains(&0) {
            let FadernetConfig { channels, most, hidden, batch, .. } = self;
            let found = format!(
                "{channels} channels, {most} at most, {hidden} hidden, {batch} pictures a minibatch, {} labels",
                self.tags.len()
            );
            return bad("networks", found, "1 or more of each");
        }
        if self.ramp == 0 || self.steps == 0 {
            return bad("steps", format!("{}, a ramp of {}", self.steps, self.ramp), "1 or more of each");
        }
        if !(0.0..1.0).contains(&self.dropout) {
            return bad("dropout", self.dropout.to_string(), "0 or more, below 1");
        }
        let numbers = [self.lambda, self.strength];
        if let Some(number) = numbers.into_iter().find(|number| !(number.is_finite() && *number >= 0.0)) {
            return bad("weight", number.to_string(), "a number that is not negative");
        }
        Ok(())
    }
}

/// Autoencoder and discriminator of one configuration.
#[derive(Clone, Debug)]
pub struct Adversaries {
    config: FadernetConfig,
    encoder: Encoder,
    decoder: Decoder,
    discriminator: LatentDiscriminator,
    shown: Shown,
}

impl Adversaries {
    /// What a code tells of the labels, against what it is to tell: the cross entropies of all labels.
    fn told(&self, likelier: &Tensor, labels: &Tensor) -> Result<Tensor> {
        attributes(likelier, labels, &self.config.tags, LabelReduction::Sum)
    }

    /// The discriminator learns on codes of the autoencoder as it is used, with running statistics.
    fn of_discriminator(&self, batch: &Batch, labels: &Tensor, step: &Step) -> Result<Losses> {
        let codes = self.encoder.forward(&batch.images, Mode::Eval)?.detach();
        let said = self.discriminator.forward(&codes, Mode::Train, Some(&mut step.stream("dropout")))?;
        let mut losses = Losses::new();
        losses.add("cls", &self.told(&said, labels)?, 1.0)?;
        Ok(losses)
    }

    /// And the autoencoder against the discriminator as it is used.
    fn of_autoencoder(&self, batch: &Batch, labels: &Tensor, step: &Step) -> Result<Losses> {
        let FadernetConfig { lambda, ramp, .. } = self.config;
        let codes = self.encoder.forward(&batch.images, Mode::Train)?;
        let labels = labels.to_dtype(batch.images.dtype())?;
        let made = self.decoder.forward(&codes, &Coding::Pairs.of(&labels, &labels)?, Mode::Train)?;
        let said = self.discriminator.forward(&codes, Mode::Eval, None)?;
        let mut losses = Losses::new();
        losses.add("rec", &squared_distance(&made, &batch.images)?, 1.0)?;
        let weight = lambda * step.number.min(ramp) as f64 / ramp as f64;
        losses.add("hidden", &self.told(&said, &affine(&labels, -1.0, 1.0)?)?, weight)?;
        Ok(losses)
    }
}

impl Editing for Adversaries {
    fn side(config: &FadernetConfig) -> usize {
        config.resolution
    }

    fn tags(config: &FadernetConfig) -> &TagSet {
        &config.tags
    }

    fn strength(config: &FadernetConfig) -> f64 {
        config.strength
    }

    fn remedy(config: &FadernetConfig) -> String {
        format!("Raise `lambda` from {} to {}", config.lambda, config.lambda * 10.0)
    }

    fn edit(&self, pictures: &Tensor, from: &Tensor, to: &Tensor) -> Result<Tensor> {
        self.decoder.forward(&self.encoder.forward(pictures, Mode::Eval)?, &Coding::Pairs.of(from, to)?, Mode::Eval)
    }
}

impl Gan for Adversaries {
    type Config = FadernetConfig;
    const NAME: &'static str = "fadernet";

    fn new(config: &FadernetConfig, params: &Scope) -> Result<Adversaries> {
        config.check()?;
        let makes = params.pp(Player::Generator.prefix());
        Ok(Adversaries {
            config: config.clone(),
            encoder: Encoder::new(config, &makes.pp("encoder"))?,
            decoder: Decoder::new(config, &makes.pp("decoder"))?,
            discriminator: LatentDiscriminator::new(config, &params.pp(Player::Discriminator.prefix()))?,
            shown: Shown::new(config.resolution, &config.tags, &makes)?,
        })
    }

    fn plan(config: &FadernetConfig) -> Plan {
        let stage = Stage::new(Mark::Steps(config.steps), config.resolution, config.batch, config.rate);
        Plan::new(stage).average(Average::Decay(config.average)).clip(config.clip)
    }

    fn summary(config: &FadernetConfig) -> Vec<(&'static str, String)> {
        let side = config.resolution;
        vec![
            ("input", format!("a picture, [N, 3, {side}, {side}] in [-1, 1], {} labels as pairs", config.tags.len())),
            ("output", format!("the picture with these labels, [N, 3, {side}, {side}] in [-1, 1]")),
            ("networks", format!("an autoencoder of {} layers, a discriminator of its codes", config.layers)),
            ("losses", format!("squared difference, up to {} × labels that codes do not tell", config.lambda)),
        ]
    }

    fn for_data(config: &FadernetConfig, dataset: &Dataset) -> FadernetConfig {
        config.clone().tags(dataset.tags())
    }

    fn check_data(config: &FadernetConfig, dataset: &Dataset) -> Result<()> {
        editing::check_data::<Self>(config, dataset)
    }

    fn changes(config: &FadernetConfig) -> Changes {
        config.changes.clone()
    }

    fn share(&self, batch: &Batch, step: &mut Step) -> Result<()> {
        self.shown.keep(batch, labels_of(batch, &self.config.tags)?, step.number)
    }

    fn loss(&self, who: Player, batch: &Batch, step: &mut Step) -> Result<Losses> {
        let labels = labels_of(batch, &self.config.tags)?;
        match who {
            Player::Discriminator => self.of_discriminator(batch, labels, step),
            Player::Generator => self.of_autoencoder(batch, labels, step),
            other => Err(neither(other)),
        }
    }

    fn preview(&self, _: Seed) -> Result<Images> {
        self.shown.preview(|pictures, from, to| self.edit(pictures, from, to))
    }
}

/// What becomes of each real picture unchanged.
impl evaluate::Model for Fadernet {
    fn pictures(&self, real: &dyn Pictures, _: Seed) -> Result<Arc<dyn Pictures>> {
        editing::reconstructions(self, real)
    }

    fn fixed(&self) -> bool {
        true
    }
}
