//! Progressive GAN: Karras, Aila, Laine, Lehtinen, "Progressive Growing of GANs for Improved Quality, Stability, and
//! Variation" (ICLR 2018), <https://arxiv.org/abs/1710.10196>. PSGAN compares itself with it, and is made from it.
//!
//! What differs from the authors' code, and why: both activations of a discriminator's block come after the convolution
//! that halves, fused or not, so that one set of weights means one function; the schedule is looked at every step rather
//! than every fourth; the running average moves after the generator rather than before it, one step earlier.
//!
//! With [`classes`](ProganConfig::labelled), as in the authors' runs on labelled pictures, the class is joined to the latent
//! vector, and the discriminator reads it off the pictures by a second head (`blocks.4.reader`), whose cross entropy counts
//! once for each kind of picture.

use candle_core::{Device, Tensor};
use serde::{Deserialize, Serialize};

use crate::data::batch::{Batch, Images};
use crate::data::dataset::Dataset;
use crate::data::tags::TagSet;
use crate::losses::{penalty, wasserstein};
use crate::models::classes::{Classes, count, in_turn, joined, surprise};
use crate::models::model::Model;
use crate::nn::params::Scope;
use crate::nn::precision::Precision;
use crate::nn::progressive::level::fade_pictures;
use crate::nn::progressive::{Discriminator, DiscriminatorSpec, Generator, Group, GrowingShape, Judge, Level};
use crate::rng::Seed;
use crate::train::gan::{Gan, Losses, Player, Step};
use crate::train::plan::growth::Gpus;
use crate::train::plan::{Average, Growth, Phase, Plan};
use crate::{Error, Result};

/// Pictures of a preview.
const PREVIEW: usize = 16;

/// A Progressive GAN.
pub type Progan = Model<Adversaries>;

impl Progan {
    /// The paper's own run at 1024 px: 16 pictures a minibatch or fewer, which are all one group.
    pub fn paper() -> ProganConfig {
        let (network, growth) = (GrowingShape::paper(1024), Growth::v1(1024));
        ProganConfig { network, group: Group::Whole, objective: WassersteinConfig::default(), classes: None, growth }
    }

    /// The later presets of the authors' code, for pictures of this side.
    pub fn authors(gpus: Gpus, resolution: usize) -> ProganConfig {
        let (network, growth) = (GrowingShape::paper(resolution), Growth::v2(gpus, resolution));
        ProganConfig { network, growth, group: Group::Of(4), ..Progan::paper() }
    }

    /// What PSGAN's structures are compared with (its figure 5): 256 px, and its own schedule.
    pub fn beside_psgan() -> ProganConfig {
        ProganConfig { network: GrowingShape::paper(256), growth: Growth::psgan(256), ..Progan::paper() }
    }

    /// Networks for 32 px that learn on two CPU cores in minutes: the method is the paper's, with at most 64
    /// channels and a hundredth of the pictures.
    pub fn tiny() -> ProganConfig {
        ProganConfig { network: tiny_shape(32), growth: tiny_growth(32), ..Progan::paper() }
    }
}

/// Resolutions and channels of the tiny presets of all networks that grow: 64 channels up to 16 px, then half as many
/// for each doubling.
pub(crate) fn tiny_shape(resolution: usize) -> GrowingShape {
    GrowingShape { resolution, latent: 64, base: 512, max: 64, ..GrowingShape::default() }
}

/// Their schedule: minibatches of 4, a few thousand pictures for each doubling, the rest at the last resolution. Where the
/// paper takes millions of steps these have thousands, and an optimizer that moves every weight of N(0, 1) by one rate
/// would not get far with the paper's 0.001: the rate is twice as large at first. Of the same pictures, four times as many
/// steps in minibatches of 4 teach far more than the paper's 16. The running average of the paper would still hold weights
/// of 16 px at the end of a training this short.
pub(crate) fn tiny_growth(resolution: usize) -> Growth {
    let mut growth = Growth::psgan(resolution);
    let last = growth.phases.len().saturating_sub(1);
    for (i, phase) in growth.phases.iter_mut().enumerate() {
        let (fade, stable, rate) = match phase.resolution {
            ..=4 => (0, 2_000, 2e-3),
            8 => (2_000, 3_000, 2e-3),
            16 => (3_000, 6_000, 1.5e-3),
            _ => (4_000, 8_000, 1e-3),
        };
        *phase = Phase { fade, stable: if i == last { 100_000 } else { stable }, rate, batch: 4, ..*phase };
    }
    growth.average = Average::HalfLife(2_000.0);
    growth
}

/// Everything that a Progressive GAN is made from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProganConfig {
    /// Resolutions and channels.
    pub network: GrowingShape,
    /// Groups of the standard deviation over the minibatch.
    pub group: Group,
    /// The losses.
    pub objective: WassersteinConfig,
    /// The classes that pictures are made of; none, unless set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub classes: Option<Classes>,
    /// The schedule.
    pub growth: Growth,
}

/// WGAN-GP with drift (Karras et al. 2018, appendix A.1).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WassersteinConfig {
    /// Weight of the gradient penalty: 10.
    pub penalty: f64,
    /// Weight of mean D(x)² over real pictures: 0.001.
    pub drift: f64,
}

impl Default for WassersteinConfig {
    fn default() -> Self {
        WassersteinConfig { penalty: 10.0, drift: 1e-3 }
    }
}

impl WassersteinConfig {
    /// L_D = mean D(G) − mean D(x) + 10·mean (‖∂D/∂x̂‖ − 1)² + 0.001·mean D(x)², from the scores of real and made pictures;
    /// `exact` is the network in f32, which is penalised.
    pub(crate) fn critic_loss(
        &self,
        [of_real, of_made]: [&Tensor; 2],
        exact: Judge,
        [real, made]: [&Tensor; 2],
        step: &Step,
    ) -> Result<Losses> {
        let mut losses = Losses::new();
        losses.add("adv", &wasserstein::critic(of_real, of_made)?, 1.0)?;
        if self.penalty > 0.0 {
            let penalty = penalty::wgan_gp(&exact, real, made, &mut step.stream("wgan-gp"))?;
            losses.add("gp", &penalty, self.penalty)?;
        }
        losses.add("drift", &wasserstein::drift(of_real)?, self.drift)?;
        Ok(losses)
    }

    /// For the model card.
    pub(crate) fn summary(&self) -> String {
        format!("WGAN-GP: {} × gradient penalty, drift {}", self.penalty, self.drift)
    }

    /// L_G = −mean D(G).
    pub(crate) fn generator_loss(&self, of_made: &Tensor) -> Result<Losses> {
        let mut losses = Losses::new();
        losses.add("adv", &wasserstein::generator(of_made)?, 1.0)?;
        Ok(losses)
    }
}

/// The level that a batch is at.
pub(crate) fn level(batch: &Batch, step: &Step) -> Level {
    let resolution = batch.images.dims().last().copied().unwrap_or(0);
    Level { resolution, alpha: step.position.alpha }
}

/// Latents `[count, latent]` of one player's loss, on the device and of the type of `like`.
pub(crate) fn latents(step: &mut Step, who: Player, shape: [usize; 2], like: &Tensor) -> Result<Tensor> {
    normal(step, &format!("z/{}", who.name()), shape, like)
}

/// `[count, latent]` normal numbers of this round under a name of their own, where and of the type that `like` is.
pub(crate) fn normal(step: &mut Step, name: &str, shape: [usize; 2], like: &Tensor) -> Result<Tensor> {
    let [z] = step.draw(name, like.device(), move |stream| Ok([stream.normal_tensor(&shape, &Device::Cpu)?]))?;
    Ok(z.to_dtype(like.dtype())?)
}

pub(crate) fn neither(who: Player) -> Error {
    Error::invalid("player", who.name(), "generator or discriminator", "")
}

/// Generator and discriminator of one configuration.
#[derive(Clone, Debug)]
pub struct Adversaries {
    config: ProganConfig,
    generator: Generator,
    discriminator: Discriminator,
    /// The same discriminator in f32, whatever the plan computes in: penalties are.
    exact: Discriminator,
}

impl Adversaries {
    /// The generator.
    pub fn generator(&self) -> &Generator {
        &self.generator
    }

    /// The discriminator.
    pub fn discriminator(&self) -> &Discriminator {
        &self.discriminator
    }
}

impl ProganConfig {
    /// Side of the finished pictures in pixels.
    pub fn size(&self) -> usize {
        self.network.resolution
    }

    /// The same for pictures of the tags of one exclusive group ("hair colour") of a data set's vocabulary.
    ///
    /// # Errors
    /// When it has no such group.
    pub fn labelled(self, tags: &TagSet, group: &str) -> Result<ProganConfig> {
        Ok(ProganConfig { classes: Some(Classes::new(tags, group)?), ..self })
    }

    /// Freshly initialised networks with seed 0.
    ///
    /// # Errors
    /// When the numbers do not make a network.
    pub fn build(self, device: &Device) -> Result<Progan> {
        self.build_with(device, Seed(0))
    }

    /// Freshly initialised networks.
    ///
    /// # Errors
    /// When the numbers do not make a network.
    pub fn build_with(self, device: &Device, seed: Seed) -> Result<Progan> {
        Model::new(self, device, seed)
    }

    /// Whether networks can be built and trained with these numbers.
    ///
    /// # Errors
    /// Names the first number that cannot be used.
    pub fn check(&self) -> Result<()> {
        self.network.check()?;
        count(self.classes.as_ref())?;
        check_growth(&self.growth, self.size())
    }
}

/// That a schedule ends at the finished pictures.
pub(crate) fn check_growth(growth: &Growth, size: usize) -> Result<()> {
    growth.plan().check()?;
    match growth.phases.last() {
        Some(last) if last.resolution == size => Ok(()),
        last => {
            let found = format!("a last phase of {} px", last.map_or(0, |phase| phase.resolution));
            Err(Error::invalid("schedule", found, format!("the {size} px of the networks"), ""))
        }
    }
}

impl Gan for Adversaries {
    type Config = ProganConfig;
    const NAME: &'static str = "progan";

    fn new(config: &ProganConfig, params: &Scope) -> Result<Adversaries> {
        config.check()?;
        let judge = params.pp(Player::Discriminator.prefix());
        let reads = count(config.classes.as_ref())?;
        let spec = DiscriminatorSpec { group: config.group, reads, ..DiscriminatorSpec::default() };
        let network = GrowingShape { latent: config.network.latent + reads, ..config.network.clone() };
        Ok(Adversaries {
            config: config.clone(),
            generator: Generator::new(&network, 0, &params.pp(Player::Generator.prefix()))?,
            discriminator: Discriminator::new(&config.network, spec, &judge)?,
            exact: Discriminator::new(&config.network, spec, &judge.computing_in(Precision::F32)?)?,
        })
    }

    fn plan(config: &ProganConfig) -> Plan {
        config.growth.plan()
    }

    fn summary(config: &ProganConfig) -> Vec<(&'static str, String)> {
        let mut rows = config.network.summary(&format!("z of {} normal numbers", config.network.latent));
        rows.push(("losses", config.objective.summary()));
        if let Some(Ok(names)) = config.classes.as_ref().map(Classes::names) {
            rows.push(("classes", names.join(", ")));
        }
        rows
    }

    fn check_data(config: &ProganConfig, dataset: &Dataset) -> Result<()> {
        config.classes.as_ref().map_or(Ok(()), |classes| classes.check(dataset))
    }

    fn loss(&self, who: Player, batch: &Batch, step: &mut Step) -> Result<Losses> {
        let (level, objective) = (level(batch, step), &self.config.objective);
        let z = latents(step, who, [batch.len(), self.config.network.latent], &batch.images)?;
        let classes = self.config.classes.as_ref().map(|classes| classes.of(batch)).transpose()?;
        let made = self.generator.forward(&joined(&z, classes.as_ref())?, None, level)?;
        let judge = self.discriminator.at(level, None)?;
        let read_right = |losses: &mut Losses, name: &str, read: Option<Tensor>| match (read, &classes) {
            (Some(read), Some(classes)) => losses.add(name, &surprise(&read, classes)?, 1.0).map(|_| ()),
            _ => Ok(()),
        };
        match who {
            Player::Generator => {
                self.generator.set_level(level)?;
                let (scores, read) = judge.with_reading(&made)?;
                let mut losses = objective.generator_loss(&scores)?;
                read_right(&mut losses, "class", read)?;
                Ok(losses)
            }
            Player::Discriminator => {
                let (real, made) = (fade_pictures(&batch.images, level)?, made.detach());
                let ((of_real, real_class), (of_made, made_class)) =
                    (judge.with_reading(&real)?, judge.with_reading(&made)?);
                let exact = self.exact.at(level, None)?;
                let mut losses = objective.critic_loss([&of_real, &of_made], exact, [&real, &made], step)?;
                read_right(&mut losses, "class_real", real_class)?;
                read_right(&mut losses, "class_fake", made_class)?;
                Ok(losses)
            }
            other => Err(neither(other)),
        }
    }

    fn preview(&self, seed: Seed) -> Result<Images> {
        let device = self.generator.device();
        let z = seed.stream("preview/z").normal_tensor(&[PREVIEW, self.config.network.latent], device)?;
        let z = in_turn(self.config.classes.as_ref(), &z)?;
        Images::new(self.generator.finished(&z, None)?.clamp(-1f32, 1f32)?)
    }
}
