//! The numbers of make.girls.moe, each with where it comes from.

use serde::{Deserialize, Serialize};

use crate::data::tags::{TagSampler, TagSet};
use crate::losses::attribute::LabelReduction;
use crate::models::baselines::dcgan::DcganConfig;
use crate::{Error, Result};

/// Everything that one model of this family is made from. [`Default`] is the paper.
///
/// A cell starts from [`MakeGirls::paper`](super::MakeGirls::paper) or [`MakeGirls::tiny`](super::MakeGirls::tiny),
/// changes what it wants with the setters, and ends with [`build`](MakeGirlsConfig::build).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MakeGirlsConfig {
    /// The attributes, in label order: 34 in the paper (section 2.2, Table 1).
    pub tags: TagSet,
    /// Length of z, standard normal (section 3.2): 128.
    pub latent: usize,
    /// The generator.
    pub generator: GeneratorConfig,
    /// The discriminator.
    pub discriminator: DiscriminatorConfig,
    /// The losses.
    pub objective: ObjectiveConfig,
    /// The schedule.
    pub schedule: ScheduleConfig,
    /// How attributes of generated pictures are drawn while training.
    pub sampler: TagSampler,
    /// Order of the colour planes that the generator writes and the discriminator reads.
    pub planes: Planes,
}

/// Order of colour planes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Planes {
    /// Red, green, blue.
    #[default]
    Rgb,
    /// Blue, green, red: the published networks.
    Bgr,
}

/// The two generators of the paper's Table 3.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GeneratorConfig {
    /// The paper's own (Figure 7).
    SrResNet(SrResNetConfig),
    /// The baseline.
    Dcgan(DcganConfig),
}

impl GeneratorConfig {
    /// Side of the pictures in pixels.
    pub fn size(&self) -> usize {
        match self {
            GeneratorConfig::SrResNet(config) => config.base << config.doublings,
            GeneratorConfig::Dcgan(config) => config.size(),
        }
    }
}

/// The generator of Figure 7, a changed SRResNet (Ledig et al. 2017, arXiv:1609.04802).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SrResNetConfig {
    /// Side of the first feature map: 16.
    pub base: usize,
    /// Channels of every feature map: 64.
    pub channels: usize,
    /// Residual blocks at the first resolution: 16.
    pub blocks: usize,
    /// Whether the first feature map is added to the output of the blocks. Figure 7 has it; the two networks that the
    /// site deployed in 2017 at 128 px do not.
    pub global_skip: bool,
    /// How the resolution doubles.
    pub upsampling: Upsampling,
    /// How often it doubles: 3, to 128 px.
    pub doublings: usize,
    /// Side of the last kernel: 9.
    pub output_kernel: usize,
}

/// How a generator doubles its resolution.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Upsampling {
    /// Convolution to four times the channels, then sub-pixel shuffle in PyTorch's channel order c·4 + dy·2 + dx.
    #[default]
    SubPixel,
    /// The same in the order (dy·2 + dx)·C + c of Chainer and TensorFlow ("DCR"): the published networks.
    SubPixelDcr,
    /// Nearest neighbour, then convolution: the 256 px networks.
    Nearest,
}

/// The discriminator of Figure 8: no normalisation anywhere.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DiscriminatorConfig {
    /// From the picture to the heads; each stage halves the resolution.
    pub stages: Vec<StageConfig>,
    /// Slope of the leaky ReLU below 0. The paper does not say; 0.2 as in DCGAN.
    pub slope: f64,
    /// What its weights start from.
    #[serde(default)]
    pub start: Start,
}

/// What the weights of a discriminator start from. Without normalisation it decides how large signals are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Start {
    /// N(0, 0.02) everywhere, as the paper says (section 3.3). With 24 channels instead of 512 signals die out: the
    /// first hundreds of steps only make the weights larger.
    #[default]
    Fixed,
    /// [`Weights::kaiming`](crate::nn::init::Weights::kaiming): signals keep their size in networks of any width.
    Kaiming,
}

/// A strided convolution and the residual blocks after it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StageConfig {
    /// Output channels.
    pub channels: usize,
    /// Side of the strided kernel: 3 or 4.
    pub kernel: usize,
    /// Residual blocks of two convolutions. Figure 8 prints "×4" and counts convolutions.
    pub blocks: usize,
}

impl DiscriminatorConfig {
    /// Figure 8: 4×4 strided kernels in the first three stages, 3×3 in the last three. 19,078,531 parameters with
    /// 34 labels at 128 px.
    pub fn figure() -> DiscriminatorConfig {
        DiscriminatorConfig::of(&[(32, 4, 2), (64, 4, 2), (128, 4, 2), (256, 3, 2), (512, 3, 2), (1024, 3, 0)])
    }

    /// 4×4 strided kernels throughout, as the text can be read. 23,895,427 parameters with 34 labels at 128 px.
    pub fn all_4x4() -> DiscriminatorConfig {
        DiscriminatorConfig::of(&[(32, 4, 2), (64, 4, 2), (128, 4, 2), (256, 4, 2), (512, 4, 2), (1024, 4, 0)])
    }

    /// Stages given as (channels, kernel, blocks).
    pub fn of(stages: &[(usize, usize, usize)]) -> DiscriminatorConfig {
        let stage = |&(channels, kernel, blocks): &(usize, usize, usize)| StageConfig { channels, kernel, blocks };
        DiscriminatorConfig { stages: stages.iter().map(stage).collect(), slope: 0.2, start: Start::Fixed }
    }

    /// With weights that start from another rule.
    pub fn start(self, start: Start) -> DiscriminatorConfig {
        DiscriminatorConfig { start, ..self }
    }
}

/// Weights and switches of the losses (section 3.2).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ObjectiveConfig {
    /// Weight of the adversarial terms; 34, the number of labels, while the classification terms have weight 1.
    pub lambda_adv: f64,
    /// Weight of the DRAGAN penalty: 0.5 (DRAGAN's own default is 10).
    pub lambda_gp: f64,
    /// Steps from one penalty to the next, which then counts that many times as much ("lazy regularisation", Karras
    /// et al. 2020, arXiv:1912.04958, section 3.1). 1 in the paper: every step.
    pub gp_interval: u64,
    /// Whether the discriminator also learns attributes from generated pictures. The paper does; one
    /// re-implementation does not, since early pictures teach it wrongly.
    pub classify_fakes: bool,
    /// Sum over the labels, which goes with λ_adv = 34, or mean.
    pub labels: LabelReduction,
}

/// Optimisation (section 3.3).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScheduleConfig {
    /// Pictures per step: 64.
    pub batch: usize,
    /// Adam's learning rate of the generator: 2e-4.
    pub generator_rate: f64,
    /// Adam's learning rate of the discriminator: 2e-4.
    pub discriminator_rate: f64,
    /// Adam's β₁: 0.5.
    pub beta1: f64,
    /// Adam's β₂. The paper does not say; 0.999.
    pub beta2: f64,
    /// Steps at the constant rate: 50,000.
    pub constant_steps: u64,
    /// Steps in which the rate then falls by 1/e. The paper does not say; 10,000.
    pub decay_steps: f64,
    /// Length of the training in steps: 70,000, where the paper's Figure 13 ends.
    pub steps: u64,
    /// Decay of the running average of the generator's weights per step, an addition to the paper that costs nothing.
    pub ema: f64,
}

impl Default for MakeGirlsConfig {
    fn default() -> Self {
        MakeGirlsConfig {
            tags: TagSet::make_girls(),
            latent: 128,
            generator: GeneratorConfig::SrResNet(SrResNetConfig::default()),
            discriminator: DiscriminatorConfig::figure(),
            objective: ObjectiveConfig::default(),
            schedule: ScheduleConfig::default(),
            sampler: TagSampler::Uniform,
            planes: Planes::Rgb,
        }
    }
}

impl Default for SrResNetConfig {
    fn default() -> Self {
        SrResNetConfig {
            base: 16,
            channels: 64,
            blocks: 16,
            global_skip: true,
            upsampling: Upsampling::SubPixel,
            doublings: 3,
            output_kernel: 9,
        }
    }
}

impl Default for ObjectiveConfig {
    fn default() -> Self {
        ObjectiveConfig {
            lambda_adv: 34.0,
            lambda_gp: 0.5,
            gp_interval: 1,
            classify_fakes: true,
            labels: LabelReduction::Sum,
        }
    }
}

impl Default for ScheduleConfig {
    fn default() -> Self {
        ScheduleConfig {
            batch: 64,
            generator_rate: 2e-4,
            discriminator_rate: 2e-4,
            beta1: 0.5,
            beta2: 0.999,
            constant_steps: 50_000,
            decay_steps: 10_000.0,
            steps: 70_000,
            ema: 0.999,
        }
    }
}

impl MakeGirlsConfig {
    /// Side of the pictures in pixels.
    pub fn size(&self) -> usize {
        self.generator.size()
    }

    /// With these attributes: those of a data set ([`Dataset::tags`](crate::data::dataset::Dataset::tags)), or any.
    pub fn tags(self, tags: &TagSet) -> MakeGirlsConfig {
        MakeGirlsConfig { tags: tags.clone(), ..self }
    }

    /// With the release year as one more, continuous, label (the paper's Figure 15).
    ///
    /// # Errors
    /// When there is a tag of that name already.
    pub fn year(self) -> Result<MakeGirlsConfig> {
        Ok(MakeGirlsConfig { tags: self.tags.with_continuous("year")?, ..self })
    }

    /// With other numbers in the generator of Figure 7; replaces the DCGAN generator.
    pub fn generator(self, generator: SrResNetConfig) -> MakeGirlsConfig {
        MakeGirlsConfig { generator: GeneratorConfig::SrResNet(generator), ..self }
    }

    /// With another discriminator.
    pub fn discriminator(self, discriminator: DiscriminatorConfig) -> MakeGirlsConfig {
        MakeGirlsConfig { discriminator, ..self }
    }

    /// With other losses.
    pub fn objective(self, objective: ObjectiveConfig) -> MakeGirlsConfig {
        MakeGirlsConfig { objective, ..self }
    }

    /// With another schedule.
    pub fn schedule(self, schedule: ScheduleConfig) -> MakeGirlsConfig {
        MakeGirlsConfig { schedule, ..self }
    }

    /// With another number of pictures per step.
    pub fn batch(mut self, batch: usize) -> MakeGirlsConfig {
        self.schedule.batch = batch;
        self
    }

    /// With another learning rate for both players.
    pub fn learning_rate(mut self, learning_rate: f64) -> MakeGirlsConfig {
        self.schedule.generator_rate = learning_rate;
        self.schedule.discriminator_rate = learning_rate;
        self
    }

    /// With attributes of generated pictures drawn by another rule.
    pub fn sampler(self, sampler: TagSampler) -> MakeGirlsConfig {
        MakeGirlsConfig { sampler, ..self }
    }

    /// Whether networks can be built from these numbers; the schedule is checked by [`Plan::check`](crate::train::plan::Plan::check).
    ///
    /// # Errors
    /// Names the first number that cannot be used.
    pub fn check(&self) -> Result<()> {
        let size = self.size();
        let stages = self.discriminator.stages.len();
        let positive = [("latent", self.latent), ("size", size)];
        for (what, value) in positive {
            if value == 0 {
                return Err(Error::invalid(what, "0", "1 or more", ""));
            }
        }
        if size > 1024 {
            return Err(Error::invalid("size of the pictures", format!("{size} px"), "at most 1024 px", ""));
        }
        if stages == 0 || !size.is_multiple_of(1 << stages.min(16)) {
            let found = format!("{stages} stages for {size} px");
            let expected = "one stage or more, each halving the side without remainder";
            return Err(Error::invalid("discriminator", found, expected, ""));
        }
        if let Some(stage) = self.discriminator.stages.iter().find(|s| s.channels == 0 || !(3..=4).contains(&s.kernel))
        {
            return Err(Error::invalid("discriminator stage", format!("{stage:?}"), "channels, and kernel 3 or 4", ""));
        }
        self.check_generator()?;
        self.check_objective()
    }

    fn check_generator(&self) -> Result<()> {
        match &self.generator {
            GeneratorConfig::SrResNet(config) if config.channels == 0 || config.output_kernel % 2 == 0 => {
                let found = format!("{} channels, output kernel {}", config.channels, config.output_kernel);
                Err(Error::invalid("generator", found, "channels, and an odd output kernel", ""))
            }
            GeneratorConfig::SrResNet(_) => Ok(()),
            GeneratorConfig::Dcgan(config) => config.check(),
        }
    }

    fn check_objective(&self) -> Result<()> {
        if self.objective.gp_interval == 0 {
            return Err(Error::invalid("gp_interval", "0", "1 or more steps", ""));
        }
        let weights = [("lambda_adv", self.objective.lambda_adv), ("lambda_gp", self.objective.lambda_gp)];
        match weights.into_iter().find(|(_, value)| !(value.is_finite() && *value >= 0.0)) {
            None => Ok(()),
            Some((what, value)) => Err(Error::invalid(what, value.to_string(), "a number of 0 or more", "")),
        }
    }
}
