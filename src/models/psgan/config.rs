//! The numbers of the method, each with where it comes from, and presets.

use candle_core::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::objective::Adversaries;
use crate::data::tags::TagSet;
use crate::models::baselines::progan::{WassersteinConfig, check_growth, tiny_growth, tiny_shape};
use crate::models::classes::{Classes, count};
use crate::models::model::Model;
use crate::nn::progressive::{Group, GrowingShape, Inject, Poses};
use crate::ops::pose::Levels;
use crate::rng::Seed;
use crate::train::plan::{Average, Growth};
use crate::{Error, Result};

/// Numbers of the latent vector that a picture is to tell: enough for the colours of hair and clothes, and few enough to be
/// learnt beside the pose. All of them would have to show somewhere, at the cost of what else pictures show.
const IDENTITY: usize = 8;

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

    /// Networks for 32 px that learn on two CPU cores in minutes: the method is the paper's, with at most 64 channels, 16 of them
    /// at 32 px, and a hundredth of the pictures. What the paper leaves to millions of pictures is asked for here, by terms
    /// that it does not have: poses are followed after so few because maps of key points are four times as strong and real
    /// pictures score lower in wrong poses ([`mismatch`](PsganConfig::mismatch)); characters stay themselves because they are
    /// judged in [`twos`](PsganConfig::twos), and are not all one because vectors are kept
    /// [apart](PsganConfig::diversity). Data sets in which nobody is shown twice need `twos: false`.
    pub fn tiny() -> PsganConfig {
        let network = GrowingShape { base: 256, ..tiny_shape(32) };
        let mut growth = tiny_growth(32);
        for phase in &mut growth.phases {
            // Of twos: a minibatch of 2 is one of 4 pictures.
            (phase.fade, phase.stable, phase.batch) = (phase.fade * 4 / 5, phase.stable * 4 / 5, 2);
        }
        let (amplitude, mismatch, diversity, spread) = (4.0, 1.0, 5.0, 0.06);
        PsganConfig { network, growth, amplitude, mismatch, twos: true, diversity, spread, ..PsganConfig::default() }
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
    /// That margin. Without an end to it the scores of poses, which no penalty keeps flat, outgrow in the end all that is said
    /// about pictures; a small one says little about poses to the generator.
    #[serde(default = "margin")]
    pub margin: f64,
    /// Weight of another term that the paper does not have, for "one character in all poses" (section B.5-15 of
    /// specs/fullbody.md): the discriminator reads the first 8 numbers of the latent vector off made pictures, and the
    /// generator makes pictures of which they can be read: mean (read − z)². 0, off, and without the head that reads.
    #[serde(default)]
    pub identity: f64,
    /// Weight of a term that keeps characters apart, which the paper does not have: two latent vectors in one pose make
    /// pictures that differ as much as [`spread`](PsganConfig::spread) says
    /// ([`lacking`](crate::losses::diversity::lacking)). Poses alone are so many that the discriminator does not miss
    /// characters: without the term the generator may give every pose a look of its own. 0, off.
    #[serde(default)]
    pub diversity: f64,
    /// Mean difference of two characters in one pose, of colours from −1 to 1, that is enough for
    /// [`diversity`](PsganConfig::diversity).
    #[serde(default = "spread")]
    pub spread: f64,
    /// Who the characters are ([`labelled`](PsganConfig::labelled)): as for labels of Progressive GAN, who a character is is
    /// joined to its latent vector and read off pictures. None, unless set: the paper has latent vectors only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub classes: Option<Classes>,
    /// Pictures come in twos of one character, and the discriminator judges each beside the other (Donahue et al., ICLR
    /// 2018): a third way to "one character in all poses". Of a data set of single pictures pairs are drawn of those that show
    /// the same [person](crate::data::poses::person); other ones come as [pairs](crate::data::dataset::Dataset::pairs). Off, as
    /// in the paper. A minibatch of n pairs is one of 2·n pictures.
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

fn margin() -> f64 {
    2.0
}

/// That of two drawn bodies in one pose.
fn spread() -> f64 {
    0.05
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
            margin: margin(),
            identity: 0.0,
            diversity: 0.0,
            spread: spread(),
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
    /// [`Dataset::labelled_by`](crate::data::dataset::Dataset::labelled_by) gives them: the other way to "one character in
    /// all poses" (section B.5-15 of specs/fullbody.md). Latent vectors have a number more for each of them.
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
    pub(super) fn latent_reads(&self) -> usize {
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
        let weights = [
            ("weight of mismatched poses", self.mismatch),
            ("weight of the identity", self.identity),
            ("weight of the diversity", self.diversity),
        ];
        if let Some((what, found)) = weights.into_iter().find(|(_, v)| !(v.is_finite() && *v >= 0.0)) {
            return Err(Error::invalid(what, found.to_string(), "a number that is not negative", ""));
        }
        let lengths = [("difference of two characters", self.spread), ("margin of mismatched poses", self.margin)];
        if let Some((what, found)) = lengths.into_iter().find(|(_, v)| !(v.is_finite() && *v > 0.0)) {
            return Err(Error::invalid(what, found.to_string(), "a positive number", ""));
        }
        count(self.classes.as_ref())?;
        check_growth(&self.growth, self.size())
    }
}
