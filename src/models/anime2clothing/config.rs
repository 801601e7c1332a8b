//! The numbers of the method, each with where it comes from, and the ten configurations of table 1.

use candle_core::Device;
use serde::{Deserialize, Serialize};

use super::objective::Adversaries;
use super::schedule::Schedule;
use crate::data::changes::{Changes, Flip, Jitter};
use crate::models::model::Model;
use crate::nn::progressive::Level;
use crate::rng::Seed;
use crate::{Error, Result};

/// A translator from anime characters to clothing.
pub type Anime2Clothing = Model<Adversaries>;

/// Sizes of the networks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shape {
    /// Side of the finished pictures, and of the input at every resolution: a power of two from 16 on. 256.
    pub resolution: usize,
    /// Factor of all channels of the generator (`param_rate`): 1.
    pub width: f64,
    /// Factor of all channels of the discriminators: 1.
    pub judge_width: f64,
}

impl Default for Shape {
    fn default() -> Self {
        Shape { resolution: 256, width: 1.0, judge_width: 1.0 }
    }
}

impl Shape {
    /// From 4 px to the finished pictures.
    pub fn resolutions(&self) -> impl Iterator<Item = usize> + use<> {
        let last = self.resolution;
        (2..).map(|log| 1usize << log).take_while(move |&r| r <= last)
    }

    /// Channels of the generator at this resolution: 128 up to 16 px, 64 up to 128 px, 32 above.
    pub fn features(&self, resolution: usize) -> usize {
        let channels = match resolution {
            ..=16 => 128,
            17..=128 => 64,
            _ => 32,
        };
        scaled(channels, self.width)
    }

    /// Channels that go into a level of the discriminators: min(2048 / 2^level, 128), 16 at level 7 for 256 px.
    pub fn judge_features(&self, level: usize) -> usize {
        scaled((2048usize >> level.min(11)).clamp(1, 128), self.judge_width)
    }

    /// Whether networks of this shape can be built.
    ///
    /// # Errors
    /// When they cannot.
    pub fn check(&self) -> Result<()> {
        if !self.resolution.is_power_of_two() || self.resolution < 16 {
            let found = format!("{} px", self.resolution);
            return Err(Error::invalid("size of the pictures", found, "a power of two from 16 px on", ""));
        }
        for (what, width) in [("generator", self.width), ("discriminators", self.judge_width)] {
            if !(width.is_finite() && width > 0.0 && width <= 64.0) {
                let what = format!("width of the {what}");
                return Err(Error::invalid(what, width.to_string(), "a factor above 0, up to 64", ""));
            }
        }
        Ok(())
    }

    /// Whether networks of this shape have this level.
    ///
    /// # Errors
    /// When they do not.
    pub fn check_level(&self, level: Level) -> Result<()> {
        let Level { resolution, alpha } = level;
        if self.resolutions().all(|known| known != resolution) || !(0.0..=1.0).contains(&alpha) {
            let expected = format!("a power of two from 4 to {} px, a fade in [0, 1]", self.resolution);
            return Err(Error::invalid("level", format!("{resolution} px, fade {alpha}"), expected, ""));
        }
        Ok(())
    }
}

fn scaled(channels: usize, width: f64) -> usize {
    ((channels as f64 * width).round() as usize).max(1)
}

/// How convolutions of discriminators are normalised.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Norm {
    /// Instance norm without parameters, but for the first and the last layer and where a single number is left.
    Instance,
    /// Weights from N(0, 1), scaled when they are used by √2/√fan-in; biases.
    Equalized,
    /// Spectral norm.
    Spectral {
        /// Weights start from PyTorch's uniform numbers, as they do in the published code, whose N(0, 0.02²) reaches only a
        /// copy that is not trained; otherwise from N(0, 0.02²), as the paper says.
        published_start: bool,
    },
}

/// Which network translates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Translator {
    /// The paper's U-Net, which grows.
    Growing,
    /// That of pix2pix, in configuration (a).
    Pix2pix,
}

/// The discriminator that sees input and output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DomainJudge {
    /// pix2pix's: patches of 70 px.
    Patch,
    /// One answer for the whole picture.
    Single,
    /// Three, at full size, a quarter and a sixteenth of it.
    Scales,
}

/// The discriminator that sees the output alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RealJudge {
    /// There is none.
    None,
    /// One answer for the whole picture.
    Single,
    /// Three: for the whole picture, for patches of 156 and of 36 px.
    Patches,
}

/// The adversarial losses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Adversarial {
    /// Least squares: section 5.1 of the paper, and the code.
    LeastSquares,
    /// Cross entropy: the paper's equations 2 and 6.
    CrossEntropy,
}

/// What the features that the real/fake discriminator sees in the output are compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Compared {
    /// Nothing.
    Nothing,
    /// Those of the real clothing: feature matching.
    Target,
    /// Those of the input: input consistency.
    Input,
    /// Those of both, as the paper's text can be read.
    Both,
}

/// What the real/fake discriminator tells the generator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GeneratorScore {
    /// The scores of all its towers.
    Scores,
    /// What the published code does: of the last tower alone, for the last picture of the batch alone, scores and features
    /// together are pushed to 1.
    Published,
}

/// Everything that a translator is made from. [`Default`] is the paper's final configuration (j) with its mistakes mended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Anime2ClothingConfig {
    /// Sizes of the networks.
    pub shape: Shape,
    /// The generator.
    pub translator: Translator,
    /// Normalisation of the discriminators.
    pub norm: Norm,
    /// The domain discriminator.
    pub domain: DomainJudge,
    /// The real/fake discriminator.
    pub real: RealJudge,
    /// Whether the features that the domain discriminator sees are matched.
    pub matching: bool,
    /// The adversarial losses.
    pub adversarial: Adversarial,
    /// What those of the real/fake discriminator are compared with. The paper's text adds input consistency to feature
    /// matching; its equation 10 and the code replace the one by the other.
    pub compared: Compared,
    /// Weights of the features, from the highest resolution in use down: 5, 1.5, 1.5, 1.5, 1. The paper calls them numbers of
    /// elements; the code multiplies means by them. Layers beyond them do not count: the code leaves out the sixth, which
    /// the paper's "all intermediate layers" has too.
    pub weights: Vec<f64>,
    /// Weight of the mean absolute difference: 10.
    pub l1: f64,
    /// What the generator learns from the real/fake discriminator.
    pub generator_score: GeneratorScore,
    /// Adam's β₂: 0.999 in the code, 0.99 in the paper.
    pub beta2: f64,
    /// Adam's learning rate of all players: 2e-4.
    pub rate: f64,
    /// Resolutions, epochs, minibatches.
    pub schedule: Schedule,
    /// What is changed at random in the pictures, and whether there are unassociated pairs: the input beside the clothing of
    /// another costume (`other`) counts as fake. The code mirrors input and clothing each for itself, and changes only the
    /// input and the other clothing, so that the discriminator could tell that by its black corners.
    pub changes: Changes,
}

impl Default for Anime2ClothingConfig {
    fn default() -> Self {
        Anime2ClothingConfig {
            shape: Shape::default(),
            translator: Translator::Growing,
            norm: Norm::Spectral { published_start: false },
            domain: DomainJudge::Scales,
            real: RealJudge::Patches,
            matching: true,
            adversarial: Adversarial::LeastSquares,
            compared: Compared::Input,
            weights: vec![5.0, 1.5, 1.5, 1.5, 1.0],
            l1: 10.0,
            generator_score: GeneratorScore::Scores,
            beta2: 0.999,
            rate: 2e-4,
            schedule: Schedule::paper(),
            changes: Changes {
                flip: Flip::Independent,
                source: Jitter::paper(),
                other: Some(Jitter::paper()),
                ..Changes::default()
            },
        }
    }
}

impl Anime2ClothingConfig {
    /// Side of the finished pictures in pixels.
    pub fn size(&self) -> usize {
        self.shape.resolution
    }

    /// Freshly initialised networks with seed 0.
    ///
    /// # Errors
    /// When the numbers do not make a network.
    pub fn build(self, device: &Device) -> Result<Anime2Clothing> {
        self.build_with(device, Seed(0))
    }

    /// Freshly initialised networks.
    ///
    /// # Errors
    /// When the numbers do not make a network.
    pub fn build_with(self, device: &Device, seed: Seed) -> Result<Anime2Clothing> {
        Model::new(self, device, seed)
    }

    /// Whether networks can be built and trained with these numbers.
    ///
    /// # Errors
    /// Names the first number that cannot be used.
    pub fn check(&self) -> Result<()> {
        self.shape.check()?;
        self.changes.check()?;
        self.schedule.check(self.size())?;
        let numbers = [("L1 weight", self.l1), ("rate", self.rate)];
        let weights = self.weights.iter().map(|&weight| ("weight of features", weight));
        if let Some((what, found)) = numbers.into_iter().chain(weights).find(|(_, v)| !(v.is_finite() && *v >= 0.0)) {
            return Err(Error::invalid(what, found.to_string(), "a number that is not negative", ""));
        }
        let grows = self.schedule.phases.len() > 1;
        if grows && (self.translator == Translator::Pix2pix || self.domain == DomainJudge::Patch) {
            let hint = "Use `Translator::Growing` with `DomainJudge::Single` or `Scales`, or one phase at full size.";
            return Err(Error::invalid("schedule", "several resolutions", "one: pix2pix's networks do not grow", hint));
        }
        if self.compared != Compared::Nothing && self.real == RealJudge::None {
            let hint = "Add one, or compare with nothing.";
            return Err(Error::invalid("features to compare", "no real/fake discriminator", "one", hint));
        }
        if self.adversarial == Adversarial::CrossEntropy && self.generator_score == GeneratorScore::Published {
            let hint = "Use `Adversarial::LeastSquares` or `GeneratorScore::Scores`.";
            return Err(Error::invalid("adversarial loss", "cross entropy of features", "least squares", hint));
        }
        if self.matching && self.domain == DomainJudge::Patch {
            let hint = "Use `DomainJudge::Single` or `Scales`.";
            return Err(Error::invalid("feature matching", "pix2pix's discriminator", "one that gives features", hint));
        }
        Ok(())
    }
}
