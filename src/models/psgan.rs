//! PSGAN: Hamada, Tachibana, Li, Honda, Uchida, "Full-Body High-Resolution Anime Generation with Progressive
//! Structure-Conditional Generative Adversarial Networks" (2018), <https://arxiv.org/abs/1809.01890>.
//!
//! Progressive GAN whose generator and discriminator read key points at every resolution: one map per point, −1 but for
//! the one pixel of the point, halved by maximum pooling. The latent vector is the character, the points are its pose.
//!
//! No code was published. What the paper leaves open is decided in [`PsganConfig`], field by field, and here:
//!
//! * maps do not fade: those of a resolution are exact from its first step on;
//! * a point's pixel is the whole part of its position at full size, which pooling keeps; hidden points are kept as they
//!   are, and the map of one that is missing or outside of the picture is −1 all over;
//! * generated pictures have the poses of the real minibatch, so that the points between a real and a made picture, where
//!   the gradient penalty looks, have one pose; each player's step draws its own latent vectors;
//! * nothing but the latent vector ties a character together, and nothing forces it to stay itself: the paper trusts that
//!   it does ([`PsganConfig::identity`] is the other choice).
//!
//! The maps never exist on the CPU: [`crate::ops::pose`] adds what a convolution answers to them.

use std::borrow::Cow;

use candle_core::{Device, Tensor, Var};
use serde::{Deserialize, Serialize};

use super::baselines::progan::{WassersteinConfig, check_growth, latents, level, neither, tiny_growth, tiny_shape};
use crate::data::batch::{Batch, Images};
use crate::data::dataset::Dataset;
use crate::data::tags::TagSet;
use crate::losses::features::squared_distance;
use crate::losses::wasserstein;
use crate::models::classes::{Classes, count, in_turn, joined, surprise};
use crate::models::model::Model;
use crate::models::translation::keep_rows;
use crate::nn::critic::Critic;
use crate::nn::params::Scope;
use crate::nn::precision::Precision;
use crate::nn::progressive::level::fade_pictures;
use crate::nn::progressive::{Discriminator, DiscriminatorSpec, Generator, Group, GrowingShape, Inject, Level, Poses};
use crate::ops::pose::Levels;
use crate::ops::resample::avg_pool2d;
use crate::rng::Seed;
use crate::train::gan::{Gan, Losses, Player, Step};
use crate::train::plan::{Average, Growth, Plan};
use crate::{Error, Result};

/// Characters and poses of a preview: one row per pose.
const PREVIEW: usize = 4;

/// Numbers of the latent vector that a picture is to tell: enough for the colours of hair and clothes, and few enough to be
/// learnt beside the pose. All of them would have to show somewhere, at the cost of what else pictures show.
const IDENTITY: usize = 8;

/// By how much a real picture is to score higher in its own pose than in another one. Without an end to it the scores of
/// poses, which no penalty keeps flat, would outgrow all that is said about pictures.
const MARGIN: f64 = 2.0;

/// Where pictures in twos come from.
const PAIRS: &str = "Take pairs of the data set: `bodies.train().pairs(20_000, seed, |key| ..)`.";

/// A PSGAN.
pub type Psgan = Model<Adversaries>;

impl Psgan {
    /// The paper on avatars: 1024 px, 20 bones. A step with two pictures at 1024 px, both players, takes 5.1 GiB of memory on
    /// the CPU: 0.7 for weights, running averages and moments, 2.2 for each picture, mostly activations; drawing takes
    /// 0.5 GiB a picture (`cargo xtask bench memory`).
    pub fn paper() -> PsganConfig {
        PsganConfig::default()
    }

    /// The paper on DeepFashion: 256 px, OpenPose's 18 points.
    pub fn deepfashion() -> PsganConfig {
        let (network, growth) = (GrowingShape::paper(256), Growth::psgan(256));
        PsganConfig { network, growth, keypoints: 18, ..PsganConfig::default() }
    }

    /// Networks for 32 px that learn on two CPU cores in minutes: the method is the paper's, with at most 64
    /// channels and a hundredth of the pictures. To follow poses after so few, maps of key points are four times as strong,
    /// and real pictures in wrong poses count as fake, neither of which the paper has. In so short a time characters are not
    /// told apart in all poses by their latents alone: [`labelled`](PsganConfig::labelled) tells who they are.
    pub fn tiny() -> PsganConfig {
        let (network, growth) = (tiny_shape(32), tiny_growth(32));
        PsganConfig { network, growth, amplitude: 4.0, ground: -4.0, mismatch: 1.0, ..PsganConfig::default() }
    }
}

/// Everything that a PSGAN is made from. [`Default`] is the paper on avatars.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PsganConfig {
    /// Resolutions and channels: Progressive GAN's.
    pub network: GrowingShape,
    /// Key points per picture: 20 bones of the avatars, or OpenPose's 18.
    pub keypoints: usize,
    /// Where the discriminator reads the pose. Figure 2 shows maps of every size beside both networks; with the features,
    /// as in the generator.
    pub inject: Inject,
    /// What stands in a point's pixel in the maps of key points. The paper's 1 is what a convolution over 512 features hardly
    /// sees at first; more of it makes networks follow poses sooner.
    #[serde(default = "one")]
    pub amplitude: f64,
    /// What stands in all other pixels, below the amplitude. The paper's is −1: so many equal numbers beside the features of
    /// every layer that, where the channels are few, little of the latent vector is left of them in the end.
    #[serde(default = "ground")]
    pub ground: f64,
    /// Groups of the standard deviation over the minibatch. The paper does not say; its minibatches of 16, 12, 5 and 2 are
    /// like those with which Progressive GAN took the whole minibatch, and 4 does not divide 5.
    pub group: Group,
    /// The losses: WGAN-GP.
    pub objective: WassersteinConfig,
    /// Weight of a term that the paper does not have: real pictures score lower in the pose of another one, by a margin, so
    /// that the discriminator has to look at the pose. 0, off.
    pub mismatch: f64,
    /// Weight of another term that the paper does not have, for "one character in all poses" (section B.5-15 of
    /// specs/fullbody.md): the discriminator reads the first 8 numbers of the latent vector off made pictures, and the
    /// generator makes pictures of which they can be read: mean (read − z)². 0, off, and without the head that reads.
    #[serde(default)]
    pub identity: f64,
    /// Who the characters are ([`labelled`](PsganConfig::labelled)): as for labels of Progressive GAN, who a character is is
    /// joined to its latent vector and read off pictures. None, unless set: the paper has latent vectors only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub classes: Option<Classes>,
    /// Pictures come in twos of one character, and the discriminator judges each beside the other (Donahue et al., ICLR
    /// 2018): a third way to "one character in all poses", which needs a data set of [pairs](Dataset::pairs). Off, as in the
    /// paper. A minibatch of n pairs is one of 2·n pictures.
    #[serde(default)]
    pub twos: bool,
    /// The schedule. "600k images for each stage" is read as 600k for the fade and as many after it, as in Progressive GAN
    /// ([`Growth::psgan_short`] is the other reading); the running average, of which the paper says nothing, is
    /// Progressive GAN's ([`PsganConfig::half_life`] is the other choice), and so are the resets of the optimizer.
    pub growth: Growth,
}

fn one() -> f64 {
    Levels::default().point
}

fn ground() -> f64 {
    Levels::default().ground
}

impl Default for PsganConfig {
    fn default() -> Self {
        PsganConfig {
            network: GrowingShape::paper(1024),
            keypoints: 20,
            inject: Inject::Features,
            amplitude: one(),
            ground: ground(),
            group: Group::Whole,
            objective: WassersteinConfig::default(),
            mismatch: 0.0,
            identity: 0.0,
            classes: None,
            twos: false,
            growth: Growth::psgan(1024),
        }
    }
}

impl PsganConfig {
    /// Side of the finished pictures in pixels.
    pub fn size(&self) -> usize {
        self.network.resolution
    }

    /// Freshly initialised networks with seed 0.
    ///
    /// # Errors
    /// When the numbers do not make a network.
    pub fn build(self, device: &Device) -> Result<Psgan> {
        self.build_with(device, Seed(0))
    }

    /// Freshly initialised networks.
    ///
    /// # Errors
    /// When the numbers do not make a network.
    pub fn build_with(self, device: &Device, seed: Seed) -> Result<Psgan> {
        Model::new(self, device, seed)
    }

    /// For another number of key points: those of a data set's [`Skeleton`](crate::data::skeleton::Skeleton).
    pub fn keypoints(self, keypoints: usize) -> PsganConfig {
        PsganConfig { keypoints, ..self }
    }

    /// With a running average that forgets half in so many pictures: 0.999 a step is only 2,000 pictures at a minibatch
    /// of 2, a half-life of 10,000 is the same at every resolution.
    pub fn half_life(mut self, pictures: f64) -> PsganConfig {
        self.growth.average = Average::SteadyHalfLife(pictures);
        self
    }

    /// The same for characters that are told apart by an exclusive group of a data set's tags, as
    /// [`Dataset::labelled_by`] gives them: the other way to "one character in all poses" (section B.5-15 of
    /// specs/fullbody.md). Latent vectors have a number more for each of them.
    ///
    /// # Errors
    /// When the tags have no such group.
    pub fn labelled(self, tags: &TagSet, group: &str) -> Result<PsganConfig> {
        Ok(PsganConfig { classes: Some(Classes::new(tags, group)?), ..self })
    }

    /// Key points `[N, M, 3]`, x and y as shares of the side, as the networks read them.
    pub(crate) fn poses(&self, points: &Tensor) -> Result<Poses> {
        Ok(Poses::of_shares(points, self.size())?.in_maps_of(Levels { ground: self.ground, point: self.amplitude }))
    }

    /// How many numbers of the latent vector are read off pictures.
    fn latent_reads(&self) -> usize {
        if self.identity > 0.0 { self.network.latent.min(IDENTITY) } else { 0 }
    }

    /// Whether networks can be built and trained with these numbers.
    ///
    /// # Errors
    /// Names the first number that cannot be used.
    pub fn check(&self) -> Result<()> {
        self.network.check()?;
        if self.keypoints == 0 {
            let hint = "Without poses this is Progressive GAN: models::baselines::progan.";
            return Err(Error::invalid("key points", "0", "1 or more", hint));
        }
        if !(self.amplitude.is_finite() && self.ground.is_finite() && self.amplitude > self.ground) {
            let (found, expected) = (self.amplitude.to_string(), format!("a number above the ground, {}", self.ground));
            return Err(Error::invalid("amplitude of the maps of key points", found, expected, ""));
        }
        let weights = [("weight of mismatched poses", self.mismatch), ("weight of the identity", self.identity)];
        if let Some((what, found)) = weights.into_iter().find(|(_, v)| !(v.is_finite() && *v >= 0.0)) {
            return Err(Error::invalid(what, found.to_string(), "a number that is not negative", ""));
        }
        count(self.classes.as_ref())?;
        check_growth(&self.growth, self.size())
    }
}

/// Generator and discriminator of one configuration.
#[derive(Clone, Debug)]
pub struct Adversaries {
    config: PsganConfig,
    generator: Generator,
    discriminator: Discriminator,
    /// The same discriminator in f32, whatever the plan computes in: penalties are.
    exact: Discriminator,
    /// Key points of the previews `[4, M, 3]`: those of the first minibatch of the training.
    shown: Var,
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

    /// The pictures of a batch: where they come in twos, both of each pair, the partners after all others.
    fn shown<'a>(&self, batch: &'a Batch) -> Result<Cow<'a, Batch>> {
        if !self.config.twos {
            return Ok(Cow::Borrowed(batch));
        }
        let (Some(sources), Some(points), Some(of_sources)) = (&batch.sources, &batch.points, &batch.source_points)
        else {
            return Err(Error::invalid("batch", "single pictures", "two of each character, with key points", PAIRS));
        };
        // A run at a smaller resolution has made the pictures smaller, not those that they come with.
        let smaller = |of: &Tensor| of.dims()[3] / batch.images.dims().last().copied().unwrap_or(1).max(1);
        let sources = avg_pool2d(sources, smaller(sources))?;
        let both = |first: &Tensor, second: &Tensor| -> Result<Tensor> { Ok(Tensor::cat(&[first, second], 0)?) };
        Ok(Cow::Owned(Batch {
            images: both(&batch.images, &sources)?,
            points: Some(both(points, of_sources)?),
            labels: batch.labels.as_ref().map(|labels| both(labels, labels)).transpose()?,
            sources: None,
            source_points: None,
            others: None,
            indices: batch.indices.repeat(2),
        }))
    }

    /// One latent vector for each picture of a batch; where they come in twos, one for both.
    fn latents(&self, step: &mut Step, who: Player, batch: &Batch) -> Result<Tensor> {
        let characters = if self.config.twos { batch.len() / 2 } else { batch.len() };
        let z = latents(step, who, [characters, self.config.network.latent], &batch.images)?;
        Ok(if self.config.twos { Tensor::cat(&[&z, &z], 0)? } else { z })
    }

    fn poses(&self, batch: &Batch) -> Result<Poses> {
        let keypoints = self.config.keypoints;
        let wanted = [batch.len(), keypoints, 3];
        match &batch.points {
            Some(points) if points.dims() == wanted => self.config.poses(points),
            Some(points) => Err(Error::shape("batch: key points", points.dims(), format!("{wanted:?}"))),
            None => {
                let expected = format!("{keypoints} key points per picture");
                let hint = "Train on a data set with key points.";
                Err(Error::invalid("batch", "pictures without key points", expected, hint))
            }
        }
    }

    fn generator_loss(&self, made: &Tensor, who: &Told, poses: &Poses, level: Level) -> Result<Losses> {
        let judge = self.discriminator.at(level, Some(poses))?;
        let (scores, read) = judge.with_reading(made)?;
        let mut losses = self.config.objective.generator_loss(&scores)?;
        self.add_reading(&mut losses, "", read, who)?;
        Ok(losses)
    }

    fn critic_loss(&self, batch: &Batch, made: &Tensor, who: &Told, poses: &Poses, step: &Step) -> Result<Losses> {
        let level = level(batch, step);
        let real = fade_pictures(&batch.images, level)?;
        let (judge, exact) = (self.discriminator.at(level, Some(poses))?, self.exact.at(level, Some(poses))?);
        let made = made.detach();
        let ((of_real, read_real), (of_made, read)) = (judge.with_reading(&real)?, judge.with_reading(&made)?);
        let mut losses = self.config.objective.critic_loss([&of_real, &of_made], exact, [&real, &made], step)?;
        if self.config.mismatch > 0.0 {
            let others = poses.exchanged()?;
            let of_others = self.discriminator.at(level, Some(&others))?.logit(&real)?;
            losses.add("mismatch", &wasserstein::margin(&of_real, &of_others, MARGIN)?, self.config.mismatch)?;
        }
        self.add_reading(&mut losses, "_fake", read, who)?;
        if let (Some(read), Some(classes)) = (read_real, &who.classes) {
            losses.add("class_real", &surprise(&self.class_part(&read)?, classes)?, 1.0)?;
        }
        Ok(losses)
    }

    /// How far what was read off made pictures is from what they are made of, with the head that reads.
    fn add_reading(&self, losses: &mut Losses, of: &str, read: Option<Tensor>, who: &Told) -> Result<()> {
        let Some(read) = read else { return Ok(()) };
        if self.config.identity > 0.0 {
            losses.add(
                "identity",
                &apart(&read.narrow(1, 0, self.config.latent_reads())?, &who.z)?,
                self.config.identity,
            )?;
        }
        if let Some(classes) = &who.classes {
            losses.add(&format!("class{of}"), &surprise(&self.class_part(&read)?, classes)?, 1.0)?;
        }
        Ok(())
    }

    /// The classes in what the head reads, after the numbers of the latent vector.
    fn class_part(&self, read: &Tensor) -> Result<Tensor> {
        let first = self.config.latent_reads();
        Ok(read.narrow(1, first, read.dims()[1] - first)?.contiguous()?)
    }
}

/// What characters are made of.
struct Told {
    z: Tensor,
    classes: Option<Tensor>,
}

/// mean (read − z)² over the first numbers of latent vectors, as many as were read.
fn apart(read: &Tensor, z: &Tensor) -> Result<Tensor> {
    squared_distance(&read.contiguous()?, &z.narrow(1, 0, read.dims()[1])?.contiguous()?)
}

impl Gan for Adversaries {
    type Config = PsganConfig;
    const NAME: &'static str = "psgan";

    fn new(config: &PsganConfig, params: &Scope) -> Result<Adversaries> {
        config.check()?;
        let &PsganConfig { ref network, keypoints, inject, group, .. } = config;
        let classes = count(config.classes.as_ref())?;
        let reads = config.latent_reads() + classes;
        let whole = GrowingShape { latent: network.latent + classes, ..network.clone() };
        let (makes, judges) = (params.pp(Player::Generator.prefix()), params.pp(Player::Discriminator.prefix()));
        let spec =
            DiscriminatorSpec { group, keypoints, inject, reads, twos: config.twos, ..DiscriminatorSpec::default() };
        Ok(Adversaries {
            config: config.clone(),
            generator: Generator::new(&whole, keypoints, &makes)?,
            discriminator: Discriminator::new(network, spec, &judges)?,
            exact: Discriminator::new(network, spec, &judges.computing_in(Precision::F32)?)?,
            shown: makes.buffer("preview_points", &[PREVIEW, keypoints, 3], 0.0)?,
        })
    }

    fn plan(config: &PsganConfig) -> Plan {
        config.growth.plan()
    }

    fn summary(config: &PsganConfig) -> Vec<(&'static str, String)> {
        let &PsganConfig { ref network, keypoints, ref objective, .. } = config;
        let mut rows = network.summary(&format!("z of {} normal numbers, {keypoints} key points", network.latent));
        rows.push(("losses", objective.summary()));
        rows
    }

    fn for_data(config: &PsganConfig, dataset: &Dataset) -> PsganConfig {
        match dataset.skeleton() {
            Some(skeleton) => config.clone().keypoints(skeleton.len()),
            None => config.clone(),
        }
    }

    fn check_data(config: &PsganConfig, dataset: &Dataset) -> Result<()> {
        if let Some(classes) = &config.classes {
            classes.check(dataset)?;
        }
        if config.twos && (!dataset.has_sources() || dataset.source_pose(0)?.is_none()) {
            let what = format!("data set {}", dataset.name());
            return Err(Error::invalid(what, "single pictures", "two of each character, with key points", PAIRS));
        }
        let (found, hint) = match dataset.skeleton().map(|skeleton| skeleton.len()) {
            Some(points) if points == config.keypoints => return Ok(()),
            Some(points) => (points, format!("Give the model as many: `Psgan::tiny().keypoints({points})`.")),
            None => (0, "Poses come with `Avatar::bodies()`; without them train `Progan`.".into()),
        };
        let what = format!("key points of {}", dataset.name());
        Err(Error::invalid(what, found.to_string(), config.keypoints.to_string(), hint))
    }

    fn loss(&self, who: Player, batch: &Batch, step: &mut Step) -> Result<Losses> {
        let batch = &*self.shown(batch)?;
        let (level, poses) = (level(batch, step), self.poses(batch)?);
        let z = self.latents(step, who, batch)?;
        let classes = self.config.classes.as_ref().map(|classes| classes.of(batch)).transpose()?;
        let made = self.generator.forward(&joined(&z, classes.as_ref())?, Some(&poses), level)?;
        let told = Told { z, classes };
        match who {
            Player::Generator => {
                self.generator.set_level(level)?;
                if let (1, Some(points)) = (step.number, &batch.points) {
                    keep_rows(&self.shown, points)?;
                }
                self.generator_loss(&made, &told, &poses, level)
            }
            Player::Discriminator => self.critic_loss(batch, &made, &told, &poses, step),
            other => Err(neither(other)),
        }
    }

    /// Every row is one pose, every column one character.
    fn preview(&self, seed: Seed) -> Result<Images> {
        let device: &Device = self.generator.device();
        let z = seed.stream("preview/z").normal_tensor(&[PREVIEW, self.config.network.latent], device)?;
        let z = in_turn(self.config.classes.as_ref(), &z)?;
        let shown = self.shown.as_detached_tensor();
        let points = shown.unsqueeze(1)?.repeat((1, PREVIEW, 1, 1))?.flatten(0, 1)?;
        let poses = self.config.poses(&points)?;
        Images::new(self.generator.finished(&z.repeat((PREVIEW, 1))?, Some(&poses))?.clamp(-1f32, 1f32)?)
    }
}
