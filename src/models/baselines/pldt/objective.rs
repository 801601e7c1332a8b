//! The losses, the schedule, and the presets.

use candle_core::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::networks::{Converter, Judge, Reading};
use crate::data::batch::{Batch, Images};
use crate::data::changes::{Changes, Flip, Jitter};
use crate::data::dataset::Dataset;
use crate::losses::adversarial;
use crate::models::model::Model;
use crate::models::translation::{Shown, Translation, check_pairs, pictures, sources, unmade};
use crate::nn::norm::Mode;
use crate::nn::params::Scope;
use crate::rng::Seed;
use crate::train::gan::{Gan, Losses, Player, Step};
use crate::train::plan::{Average, Epochs, Plan};
use crate::{Error, Result};

/// Side of the pictures.
const SIDE: usize = 64;

/// A PLDT.
pub type Pldt = Model<Adversaries>;

impl Pldt {
    /// The reading that is closer to the paper, with a code of 64 numbers, in batches of 128.
    pub fn paper() -> PldtConfig {
        PldtConfig::default()
    }

    /// The other reading, without a code.
    pub fn port() -> PldtConfig {
        PldtConfig { reading: Reading::Maps, channels: Reading::Maps.channels(), ..PldtConfig::default() }
    }

    /// An eighth of the channels, for two CPU cores and minutes.
    pub fn tiny() -> PldtConfig {
        let epochs = Epochs { pictures: 2_000, constant: 20, falling: 0, batch: 16, rate: 2e-4 };
        PldtConfig { channels: 16, epochs, ..PldtConfig::default() }
    }
}

/// Everything that a PLDT is made from. [`Default`] is the paper.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PldtConfig {
    /// How the paper is read.
    pub reading: Reading,
    /// Channels of all networks' first layers: 128 or 96 ([`Reading::channels`]).
    pub channels: usize,
    /// The schedule. How long it was trained is not known: 100 epochs at 2e-4.
    pub epochs: Epochs,
    /// What is changed at random; the other picture beside each is another product.
    pub changes: Changes,
}

impl Default for PldtConfig {
    fn default() -> Self {
        PldtConfig {
            reading: Reading::Code,
            channels: Reading::Code.channels(),
            epochs: Epochs { pictures: 32_608, constant: 100, falling: 0, batch: 128, rate: 2e-4 },
            changes: Changes { flip: Flip::Joint, other: Some(Jitter::default()), ..Changes::default() },
        }
    }
}

impl PldtConfig {
    /// Freshly initialised networks with seed 0.
    ///
    /// # Errors
    /// When the numbers do not make a network.
    pub fn build(self, device: &Device) -> Result<Pldt> {
        self.build_with(device, Seed(0))
    }

    /// Freshly initialised networks.
    ///
    /// # Errors
    /// When the numbers do not make a network.
    pub fn build_with(self, device: &Device, seed: Seed) -> Result<Pldt> {
        Model::new(self, device, seed)
    }

    /// Whether networks can be built and trained with these numbers.
    ///
    /// # Errors
    /// Names the first number that cannot be used.
    pub fn check(&self) -> Result<()> {
        self.changes.check()?;
        self.epochs.check()?;
        if self.channels == 0 || self.changes.other.is_none() {
            let found = format!("{} channels, changes of other products {:?}", self.channels, self.changes.other);
            return Err(Error::invalid("PLDT", found, "1 channel or more, and other products", ""));
        }
        Ok(())
    }
}

/// Generator and discriminators of one configuration.
#[derive(Clone, Debug)]
pub struct Adversaries {
    generator: Converter,
    single: Judge,
    domain: Judge,
    shown: Shown,
}

impl Adversaries {
    fn of_pair(&self, batch: &Batch, picture: &Tensor) -> Result<Tensor> {
        self.domain.forward(&Tensor::cat(&[sources(batch)?, picture], 1)?, Mode::Train)
    }

    fn of_single(&self, picture: &Tensor) -> Result<Tensor> {
        self.single.forward(picture, Mode::Train)
    }
}

impl Translation for Adversaries {
    fn side(_: &PldtConfig) -> usize {
        SIDE
    }

    fn translate(&self, sources: &Tensor) -> Result<Tensor> {
        self.generator.forward(sources, Mode::Eval)
    }
}

impl Gan for Adversaries {
    type Config = PldtConfig;
    const NAME: &'static str = "pldt";

    fn new(config: &PldtConfig, params: &Scope) -> Result<Adversaries> {
        config.check()?;
        let of = |player: Player| params.pp(player.prefix());
        let &PldtConfig { reading, channels, .. } = config;
        Ok(Adversaries {
            generator: Converter::new(reading, channels, &of(Player::Generator))?,
            single: Judge::new(reading, 3, channels, &of(Player::Discriminator))?,
            domain: Judge::new(reading, 6, channels, &of(Player::Domain))?,
            shown: Shown::new(SIDE, &of(Player::Generator))?,
        })
    }

    fn plan(config: &PldtConfig) -> Plan {
        let order = [Player::Discriminator, Player::Domain, Player::Generator].map(|player| (player, 1));
        config.epochs.plan(SIDE).order(&order).average(Average::Constant(0.0))
    }

    fn summary(config: &PldtConfig) -> Vec<(&'static str, String)> {
        vec![
            ("input", pictures("a picture", SIDE)),
            ("output", pictures("a picture", SIDE)),
            ("networks", format!("{:?} converter, discriminators of pictures and of pairs", config.reading)),
            ("losses", "adversarial".into()),
        ]
    }

    fn for_data(config: &PldtConfig, dataset: &Dataset) -> PldtConfig {
        PldtConfig { epochs: config.epochs.over(dataset), ..config.clone() }
    }

    fn check_data(_: &PldtConfig, dataset: &Dataset) -> Result<()> {
        check_pairs(dataset, SIDE)
    }

    fn changes(config: &PldtConfig) -> Changes {
        config.changes.clone()
    }

    /// One forward pass of the generator, for all players.
    fn share(&self, batch: &Batch, step: &mut Step) -> Result<()> {
        self.shown.keep(batch, step.number)?;
        step.put("made", self.generator.forward(sources(batch)?, Mode::Train)?);
        Ok(())
    }

    fn loss(&self, who: Player, batch: &Batch, step: &mut Step) -> Result<Losses> {
        let made = step.get("made").ok_or_else(unmade)?;
        let others = batch.others.as_ref().ok_or_else(|| {
            Error::invalid("batch", "no other pictures", "other products, for pairs that do not belong together", "")
        })?;
        let mut losses = Losses::new();
        let mut add = |name: &str, value: Tensor, weight: f64| losses.add(name, &value, weight).map(|_| ());
        match who {
            // Another product is as real as the right one, unlike in "Anime-to-Real Clothing".
            Player::Discriminator => {
                add("real", adversarial::real(&self.of_single(&batch.images)?)?, 1.0 / 3.0)?;
                add("other", adversarial::real(&self.of_single(others)?)?, 1.0 / 3.0)?;
                add("fake", adversarial::fake(&self.of_single(&made.detach())?)?, 1.0 / 3.0)?;
            }
            Player::Domain => {
                add("real", adversarial::real(&self.of_pair(batch, &batch.images)?)?, 1.0 / 3.0)?;
                add("other", adversarial::fake(&self.of_pair(batch, others)?)?, 1.0 / 3.0)?;
                add("fake", adversarial::fake(&self.of_pair(batch, &made.detach())?)?, 1.0 / 3.0)?;
            }
            Player::Generator => {
                add("adv_real", adversarial::real(&self.of_single(&made)?)?, 0.5)?;
                add("adv_domain", adversarial::real(&self.of_pair(batch, &made)?)?, 0.5)?;
            }
            other => return Err(Error::invalid("player", other.name(), "one of PLDT's", "")),
        }
        Ok(losses)
    }

    fn preview(&self, _: Seed) -> Result<Images> {
        self.shown.preview(|sources| self.translate(sources))
    }
}
