//! The losses, the schedule, and the presets.

use std::sync::Arc;

use candle_core::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::networks::{Discriminator, Encoder, Generator};
use crate::data::batch::{Batch, Images};
use crate::data::dataset::Dataset;
use crate::data::tags::TagSet;
use crate::losses::adversarial::{fake, real};
use crate::losses::features::squared_distance;
use crate::metrics::evaluate::{self, Pictures};
use crate::models::baselines::progan::latents;
use crate::models::editing::{self, Asked, Coding, Editing, Shown};
use crate::models::labels::labels_of;
use crate::models::model::Model;
use crate::models::translation::unmade;
use crate::nn::norm::Mode;
use crate::nn::params::Scope;
use crate::rng::Seed;
use crate::train::gan::{Gan, Losses, Player, Step};
use crate::train::plan::{Average, Mark, Plan, Stage};
use crate::{Error, Result};

/// An IcGAN.
pub type Icgan = Model<Adversaries>;

impl Icgan {
    /// The authors' code: 64 px, 25 epochs of the conditional GAN, 15 of the encoders.
    pub fn paper() -> IcganConfig {
        IcganConfig::default()
    }

    /// At 128 px, one layer more. The code's hidden layer of the noise's encoder would have 16,384 numbers and 271 million
    /// weights: here it has 512, as the labels' encoder.
    pub fn at_128() -> IcganConfig {
        IcganConfig { resolution: 128, hidden: 512, ..IcganConfig::default() }
    }

    /// Small networks for 64 px that learn on two CPU cores in minutes.
    pub fn tiny() -> IcganConfig {
        IcganConfig {
            channels: 16,
            encoder_channels: 16,
            hidden: 256,
            label_hidden: 128,
            latent: 64,
            batch: 32,
            rate: 5e-4,
            encoder_rate: 1e-3,
            average: 0.99,
            ..IcganConfig::default()
        }
    }
}

/// Everything that an IcGAN is made from. [`Default`] is the authors' code.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IcganConfig {
    /// Side of the pictures, a power of two: 64.
    pub resolution: usize,
    /// Length of z, standard normal: 100.
    pub latent: usize,
    /// Channels of the outermost layers of generator and discriminator, doubled with each: 64.
    pub channels: usize,
    /// Channels of an encoder's first layer, doubled three times: 32.
    pub encoder_channels: usize,
    /// Numbers before the noise: as many as the convolutions leave, 4,096.
    pub hidden: usize,
    /// Numbers before the labels: 512.
    pub label_hidden: usize,
    /// How many times a label that is edited is told as strongly as in training, when a finished model edits: 1.
    pub strength: f64,
    /// Pictures of an epoch: those of the data set, which a training puts in.
    pub pictures: u64,
    /// Epochs of the conditional GAN: 25.
    pub epochs: u64,
    /// Epochs of the encoders after it: 15.
    pub encoder_epochs: u64,
    /// Pictures of a minibatch: 64.
    pub batch: usize,
    /// Adam's learning rate of generator and discriminator: 2e-4, with β₁ 0.5.
    pub rate: f64,
    /// Adam's learning rate of the encoders: 1e-4, with β₁ 0.1.
    pub encoder_rate: f64,
    /// Decay of the running average of the weights; the authors keep none, 0.
    pub average: f64,
    /// The attributes, told as −1 and 1; 18 of CelebA's in the paper.
    pub tags: TagSet,
}

impl Default for IcganConfig {
    fn default() -> Self {
        IcganConfig {
            resolution: 64,
            latent: 100,
            channels: 64,
            encoder_channels: 32,
            hidden: 4_096,
            label_hidden: 512,
            strength: 1.0,
            pictures: 182_638,
            epochs: 25,
            encoder_epochs: 15,
            batch: 64,
            rate: 2e-4,
            encoder_rate: 1e-4,
            average: 0.0,
            tags: TagSet::make_girls(),
        }
    }
}

impl IcganConfig {
    /// With these attributes: those of a data set, or any.
    pub fn tags(self, tags: &TagSet) -> IcganConfig {
        IcganConfig { tags: tags.clone(), ..self }
    }

    /// Freshly initialised networks with seed 0.
    ///
    /// # Errors
    /// When the numbers do not make a network.
    pub fn build(self, device: &Device) -> Result<Icgan> {
        self.build_with(device, Seed(0))
    }

    /// Freshly initialised networks.
    ///
    /// # Errors
    /// When the numbers do not make a network.
    pub fn build_with(self, device: &Device, seed: Seed) -> Result<Icgan> {
        Model::new(self, device, seed)
    }

    /// Whether networks can be built and trained with these numbers.
    ///
    /// # Errors
    /// Names the first number that cannot be used.
    pub fn check(&self) -> Result<()> {
        let bad = |what: &str, found: String, expected: &str| {
            Err(Error::invalid(format!("IcGAN: {what}"), found, expected, ""))
        };
        if !self.resolution.is_power_of_two() || self.resolution < 16 {
            return bad("size of the pictures", format!("{} px", self.resolution), "a power of two from 16 px on");
        }
        let IcganConfig { latent, channels, encoder_channels, hidden, label_hidden, .. } = *self;
        if [latent, channels, encoder_channels, hidden, label_hidden, self.tags.len()].contains(&0) {
            let found = format!(
                "z of {latent}, {channels} and {encoder_channels} channels, {hidden} and {label_hidden} hidden, {} labels",
                self.tags.len()
            );
            return bad("networks", found, "1 or more of each");
        }
        if self.pictures == 0 || self.epochs == 0 || self.encoder_epochs == 0 || self.batch == 0 {
            let IcganConfig { pictures, epochs, encoder_epochs, batch, .. } = self;
            let found = format!("{epochs} and {encoder_epochs} epochs of {pictures} pictures, {batch} a minibatch");
            return bad("schedule", found, "1 or more of each");
        }
        if !self.strength.is_finite() {
            return bad("strength", self.strength.to_string(), "a number");
        }
        Ok(())
    }
}

/// Conditional GAN and encoders of one configuration.
#[derive(Clone, Debug)]
pub struct Adversaries {
    config: IcganConfig,
    generator: Generator,
    /// The same generator for whoever only uses it: nothing is kept for gradients.
    resting: Generator,
    discriminator: Discriminator,
    encoder: Encoder,
    classifier: Encoder,
    shown: Shown,
}

impl Adversaries {
    /// What these pictures show, `[N, L]`, 0 off and 1 on: what the encoder of labels reads of them.
    ///
    /// # Errors
    /// When the pictures have another size.
    pub fn read(&self, pictures: &Tensor) -> Result<Tensor> {
        Ok(((self.classifier.forward(pictures, Mode::Eval)? + 1.0)? * 0.5)?)
    }

    /// Labels `[N, L]`, 0/1, as the networks are told them.
    fn told(&self, labels: &Tensor) -> Result<Tensor> {
        Coding::Signs.of(labels, labels)
    }

    fn labels(&self, batch: &Batch) -> Result<Tensor> {
        self.told(&labels_of(batch, &self.config.tags)?.to_dtype(batch.images.dtype())?)
    }

    /// Pictures with the labels of others count as made ones: half each.
    fn of_discriminator(&self, batch: &Batch, step: &mut Step) -> Result<Losses> {
        let made = step.get("made").ok_or_else(unmade)?.detach();
        let (labels, others) = (self.labels(batch)?, self.told(&step.get("asked").ok_or_else(unmade)?)?);
        let score = |pictures: &Tensor, labels: &Tensor| self.discriminator.forward(pictures, labels, Mode::Train);
        let mut losses = Losses::new();
        losses.add("adv_real", &real(&score(&batch.images, &labels)?)?, 1.0)?;
        losses.add("adv_others", &fake(&score(&batch.images, &others)?)?, 0.5)?;
        losses.add("adv_fake", &fake(&score(&made, &labels)?)?, 0.5)?;
        Ok(losses)
    }

    /// The noise of drawn pictures.
    fn of_encoder(&self, batch: &Batch, step: &mut Step) -> Result<Losses> {
        let z = latents(step, Player::Encoder, [batch.len(), self.config.latent], &batch.images)?;
        let drawn = self.resting.forward(&z, &self.labels(batch)?, Mode::Eval)?;
        let mut losses = Losses::new();
        losses.add("z", &squared_distance(&self.encoder.forward(&drawn, Mode::Train)?, &z)?, 1.0)?;
        Ok(losses)
    }

    /// The labels of real pictures.
    fn of_classifier(&self, batch: &Batch) -> Result<Losses> {
        let said = self.classifier.forward(&batch.images, Mode::Train)?;
        let mut losses = Losses::new();
        losses.add("labels", &squared_distance(&said, &self.labels(batch)?)?, 1.0)?;
        Ok(losses)
    }
}

impl Editing for Adversaries {
    fn side(config: &IcganConfig) -> usize {
        config.resolution
    }

    fn tags(config: &IcganConfig) -> &TagSet {
        &config.tags
    }

    fn strength(config: &IcganConfig) -> f64 {
        config.strength
    }

    fn remedy(config: &IcganConfig) -> String {
        format!("Raise `epochs` from {} to {}", config.epochs, config.epochs * 2)
    }

    fn edit(&self, pictures: &Tensor, _: &Tensor, to: &Tensor) -> Result<Tensor> {
        self.generator.forward(&self.encoder.forward(pictures, Mode::Eval)?, &self.told(to)?, Mode::Eval)
    }
}

impl Gan for Adversaries {
    type Config = IcganConfig;
    const NAME: &'static str = "icgan";

    fn new(config: &IcganConfig, params: &Scope) -> Result<Adversaries> {
        config.check()?;
        let of = |player: Player| params.pp(player.prefix());
        let makes = of(Player::Generator);
        let (z, labels) = ((config.hidden, config.latent), (config.label_hidden, config.tags.len()));
        Ok(Adversaries {
            config: config.clone(),
            generator: Generator::new(config, &makes)?,
            resting: Generator::new(config, &makes.frozen())?,
            discriminator: Discriminator::new(config, &of(Player::Discriminator))?,
            encoder: Encoder::new(config, z.0, z.1, &of(Player::Encoder))?,
            classifier: Encoder::new(config, labels.0, labels.1, &of(Player::Classifier))?,
            shown: Shown::new(config.resolution, &config.tags, &makes)?,
        })
    }

    fn plan(config: &IcganConfig) -> Plan {
        let &IcganConfig { pictures, epochs, encoder_epochs, resolution, batch, rate, encoder_rate, .. } = config;
        let stage = |epochs: u64, rate| Stage::new(Mark::Images(epochs * pictures), resolution, batch, rate);
        let drawing = stage(epochs, rate).only([Player::Discriminator, Player::Generator]);
        let encoding = stage(epochs + encoder_epochs, encoder_rate).only([Player::Encoder, Player::Classifier]);
        let order = [Player::Discriminator, Player::Generator, Player::Encoder, Player::Classifier];
        Plan::of(vec![drawing, encoding])
            .order(&order.map(|player| (player, 1)))
            .player_adam(Player::Encoder, 0.1, 0.999, 1e-8)
            .player_adam(Player::Classifier, 0.1, 0.999, 1e-8)
            .average(Average::Decay(config.average))
    }

    fn summary(config: &IcganConfig) -> Vec<(&'static str, String)> {
        let side = config.resolution;
        vec![
            ("input", format!("a picture, [N, 3, {side}, {side}] in [-1, 1], {} labels as -1/+1", config.tags.len())),
            ("output", format!("a picture with these labels, [N, 3, {side}, {side}] in [-1, 1]")),
            ("networks", format!("a conditional GAN of {} numbers, encoders of these and of labels", config.latent)),
            ("losses", "adversarial, labels of others as made ones; squared differences for the encoders".into()),
        ]
    }

    fn for_data(config: &IcganConfig, dataset: &Dataset) -> IcganConfig {
        IcganConfig { pictures: dataset.len() as u64, ..config.clone().tags(dataset.tags()) }
    }

    fn check_data(config: &IcganConfig, dataset: &Dataset) -> Result<()> {
        editing::check_data::<Self>(config, dataset)
    }

    /// One forward pass of the generator where it or the discriminator moves.
    fn share(&self, batch: &Batch, step: &mut Step) -> Result<()> {
        let asked = Asked::of(batch, &self.config.tags, step)?;
        self.shown.keep(batch, &asked.from, step.number)?;
        if step.moves(Player::Generator) {
            let z = latents(step, Player::Generator, [batch.len(), self.config.latent], &batch.images)?;
            step.put("made", self.generator.forward(&z, &self.told(&asked.from)?, Mode::Train)?);
        }
        step.put("asked", asked.to);
        Ok(())
    }

    fn loss(&self, who: Player, batch: &Batch, step: &mut Step) -> Result<Losses> {
        match who {
            Player::Discriminator => self.of_discriminator(batch, step),
            Player::Encoder => self.of_encoder(batch, step),
            Player::Classifier => self.of_classifier(batch),
            Player::Generator => {
                let made = step.get("made").ok_or_else(unmade)?;
                let mut losses = Losses::new();
                let scores = self.discriminator.forward(&made, &self.labels(batch)?, Mode::Train)?;
                losses.add("adv", &real(&scores)?, 1.0)?;
                Ok(losses)
            }
            other => Err(Error::invalid("player", other.name(), "one of IcGAN's", "")),
        }
    }

    fn preview(&self, _: Seed) -> Result<Images> {
        self.shown.preview(|pictures, from, to| self.edit(pictures, from, to))
    }
}

/// What becomes of each real picture unchanged.
impl evaluate::Model for Icgan {
    fn pictures(&self, real: &dyn Pictures, _: Seed) -> Result<Arc<dyn Pictures>> {
        editing::reconstructions(self, real)
    }

    fn fixed(&self) -> bool {
        true
    }
}
