//! The losses, the schedule, and the presets.

use std::sync::Arc;

use candle_core::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::networks::{Discriminator, Generator};
use crate::data::batch::{Batch, Images};
use crate::data::changes::{Changes, Flip};
use crate::data::dataset::Dataset;
use crate::data::tags::TagSet;
use crate::losses::attribute::{LabelReduction, attributes};
use crate::losses::penalty::wgan_gp;
use crate::losses::{features, wasserstein};
use crate::metrics::evaluate::{self, Pictures};
use crate::models::baselines::progan::neither;
use crate::models::editing::{self, Asked, Editing, Fall, Schedule, Shown};
use crate::models::labels::labels_of;
use crate::models::model::Model;
use crate::models::translation::unmade;
use crate::nn::params::Scope;
use crate::rng::Seed;
use crate::train::gan::{Gan, Losses, Player, Step};
use crate::train::plan::{Plan, Precision};
use crate::{Error, Result};

/// A StarGAN.
pub type Stargan = Model<Adversaries>;

impl Stargan {
    /// The authors' code on CelebA: 128 px, 200,000 moves of the discriminator.
    pub fn paper() -> StarganConfig {
        StarganConfig::default()
    }

    /// Small networks for 64 px that learn on two CPU cores in minutes.
    pub fn tiny() -> StarganConfig {
        let schedule = Schedule {
            epochs: 40,
            full: 30,
            minibatches: Some(2),
            rate: 5e-4,
            judgements: 2,
            average: 0.99,
            ..StarganConfig::default().schedule
        };
        StarganConfig {
            resolution: 64,
            channels: 16,
            blocks: 3,
            judge_channels: 16,
            schedule,
            changes: Changes::default(),
            ..StarganConfig::default()
        }
    }
}

/// Everything that a StarGAN is made from. [`Default`] is the authors' code.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StarganConfig {
    /// Side of the pictures, a power of two: 128.
    pub resolution: usize,
    /// Channels of the generator's first layer: 64.
    pub channels: usize,
    /// Its residual blocks: 6.
    pub blocks: usize,
    /// Channels of the discriminator's first layer, doubled with each: 64.
    pub judge_channels: usize,
    /// How many times a label that is edited is told as strongly as in training, when a finished model edits: 1.
    pub strength: f64,
    /// Weight of the gradient penalty: 10.
    pub penalty: f64,
    /// Weight of the attribute losses, sums over the labels: 1.
    pub attributes: f64,
    /// Weight of the mean absolute difference of a picture and what becomes of it there and back: 10.
    pub cycle: f64,
    /// The schedule: an epoch is 1,000 moves of the discriminator, the rate falls in the second half.
    pub schedule: Schedule,
    /// What is changed at random in pictures: they are mirrored.
    pub changes: Changes,
    /// The attributes, told as 0 and 1.
    pub tags: TagSet,
}

impl Default for StarganConfig {
    fn default() -> Self {
        StarganConfig {
            resolution: 128,
            channels: 64,
            blocks: 6,
            judge_channels: 64,
            strength: 1.0,
            penalty: 10.0,
            attributes: 1.0,
            cycle: 10.0,
            schedule: Schedule {
                epochs: 200,
                full: 100,
                fall: Fall::Line,
                steps: 1_000 / 5,
                minibatches: None,
                batch: 16,
                rate: 1e-4,
                judgements: 5,
                average: 0.0,
            },
            changes: Changes { flip: Flip::Joint, ..Changes::default() },
            tags: TagSet::make_girls(),
        }
    }
}

impl StarganConfig {
    /// With these attributes: those of a data set, or any.
    pub fn tags(self, tags: &TagSet) -> StarganConfig {
        StarganConfig { tags: tags.clone(), ..self }
    }

    /// Freshly initialised networks with seed 0.
    ///
    /// # Errors
    /// When the numbers do not make a network.
    pub fn build(self, device: &Device) -> Result<Stargan> {
        self.build_with(device, Seed(0))
    }

    /// Freshly initialised networks.
    ///
    /// # Errors
    /// When the numbers do not make a network.
    pub fn build_with(self, device: &Device, seed: Seed) -> Result<Stargan> {
        Model::new(self, device, seed)
    }

    /// Whether networks can be built and trained with these numbers.
    ///
    /// # Errors
    /// Names the first number that cannot be used.
    pub fn check(&self) -> Result<()> {
        let bad = |what: &str, found: String, expected: &str| {
            Err(Error::invalid(format!("StarGAN: {what}"), found, expected, ""))
        };
        self.schedule.check()?;
        self.changes.check()?;
        if !self.resolution.is_power_of_two() || self.resolution < 8 {
            return bad("size of the pictures", format!("{} px", self.resolution), "a power of two from 8 px on");
        }
        if self.channels == 0 || self.judge_channels == 0 || self.tags.is_empty() {
            let found = format!("{} and {} channels, {} labels", self.channels, self.judge_channels, self.tags.len());
            return bad("networks", found, "1 or more of each");
        }
        let numbers = [self.penalty, self.attributes, self.cycle, self.strength];
        if let Some(number) = numbers.into_iter().find(|number| !(number.is_finite() && *number >= 0.0)) {
            return bad("weight", number.to_string(), "a number that is not negative");
        }
        Ok(())
    }
}

/// Generator and discriminator of one configuration.
#[derive(Clone, Debug)]
pub struct Adversaries {
    config: StarganConfig,
    generator: Generator,
    /// The same generator for rounds in which it rests: nothing is kept for gradients.
    resting: Generator,
    discriminator: Discriminator,
    /// The same discriminator in f32, whatever the plan computes in: penalties are.
    exact: Discriminator,
    shown: Shown,
}

impl Editing for Adversaries {
    fn side(config: &StarganConfig) -> usize {
        config.resolution
    }

    fn tags(config: &StarganConfig) -> &TagSet {
        &config.tags
    }

    fn strength(config: &StarganConfig) -> f64 {
        config.strength
    }

    fn remedy(config: &StarganConfig) -> String {
        format!("Lower `cycle` from {} to {}", config.cycle, config.cycle / 10.0)
    }

    fn edit(&self, pictures: &Tensor, _: &Tensor, to: &Tensor) -> Result<Tensor> {
        self.generator.forward(pictures, to)
    }
}

impl Gan for Adversaries {
    type Config = StarganConfig;
    const NAME: &'static str = "stargan";

    fn new(config: &StarganConfig, params: &Scope) -> Result<Adversaries> {
        config.check()?;
        let (makes, judges) = (params.pp(Player::Generator.prefix()), params.pp(Player::Discriminator.prefix()));
        Ok(Adversaries {
            config: config.clone(),
            generator: Generator::new(config, &makes)?,
            resting: Generator::new(config, &makes.frozen())?,
            discriminator: Discriminator::new(config, &judges)?,
            exact: Discriminator::new(config, &judges.computing_in(Precision::F32)?)?,
            shown: Shown::new(config.resolution, &config.tags, &makes)?,
        })
    }

    fn plan(config: &StarganConfig) -> Plan {
        config.schedule.plan(config.resolution, &[])
    }

    fn summary(config: &StarganConfig) -> Vec<(&'static str, String)> {
        let side = config.resolution;
        vec![
            ("input", format!("a picture, [N, 3, {side}, {side}] in [-1, 1], {} labels as 0 and 1", config.tags.len())),
            ("output", format!("the picture with these labels, [N, 3, {side}, {side}] in [-1, 1]")),
            ("networks", format!("{} residual blocks between two halvings; a discriminator of patches", config.blocks)),
            (
                "losses",
                format!(
                    "Wasserstein, {} × gradient penalty, {} × attributes, {} × L1 there and back",
                    config.penalty, config.attributes, config.cycle
                ),
            ),
        ]
    }

    fn for_data(config: &StarganConfig, dataset: &Dataset) -> StarganConfig {
        StarganConfig { schedule: config.schedule.for_data(dataset), ..config.clone().tags(dataset.tags()) }
    }

    fn check_data(config: &StarganConfig, dataset: &Dataset) -> Result<()> {
        editing::check_data::<Self>(config, dataset)
    }

    fn changes(config: &StarganConfig) -> Changes {
        config.changes.clone()
    }

    fn share(&self, batch: &Batch, step: &mut Step) -> Result<()> {
        let asked = Asked::of(batch, &self.config.tags, step)?;
        self.shown.keep(batch, &asked.from, step.number)?;
        let generator = if step.moves(Player::Generator) { &self.generator } else { &self.resting };
        step.put("made", generator.forward(&batch.images, &asked.to)?);
        step.put("asked", asked.to);
        Ok(())
    }

    fn loss(&self, who: Player, batch: &Batch, step: &mut Step) -> Result<Losses> {
        let (made, asked) = (step.get("made").ok_or_else(unmade)?, step.get("asked").ok_or_else(unmade)?);
        let (config, labels) = (&self.config, labels_of(batch, &self.config.tags)?);
        let named = |logits: &Tensor, labels: &Tensor| attributes(logits, labels, &config.tags, LabelReduction::Sum);
        let mut losses = Losses::new();
        match who {
            Player::Discriminator => {
                let made = made.detach();
                let (real, said) = self.discriminator.forward(&batch.images)?;
                let (fake, _) = self.discriminator.forward(&made)?;
                losses.add("adv", &wasserstein::critic(&real, &fake)?, 1.0)?;
                losses.add("cls_real", &named(&said, labels)?, config.attributes)?;
                let penalty = wgan_gp(&self.exact, &batch.images, &made, &mut step.stream("penalty"))?;
                losses.add("gp", &penalty, config.penalty)?;
            }
            Player::Generator => {
                let (scores, said) = self.discriminator.forward(&made)?;
                let back = self.generator.forward(&made, &labels.to_dtype(made.dtype())?)?;
                losses.add("adv", &wasserstein::generator(&scores)?, 1.0)?;
                losses.add("cls", &named(&said, &asked)?, config.attributes)?;
                losses.add("rec", &features::distance(&back, &batch.images)?, config.cycle)?;
            }
            other => return Err(neither(other)),
        }
        Ok(losses)
    }

    fn preview(&self, _: Seed) -> Result<Images> {
        self.shown.preview(|pictures, from, to| self.edit(pictures, from, to))
    }
}

/// What becomes of each real picture unchanged.
impl evaluate::Model for Stargan {
    fn pictures(&self, real: &dyn Pictures, _: Seed) -> Result<Arc<dyn Pictures>> {
        editing::reconstructions(self, real)
    }

    fn fixed(&self) -> bool {
        true
    }
}
