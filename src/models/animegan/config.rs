//! The numbers of ANIMEGAN, STGAN and AttGAN, which are one family of networks, each with where it comes from.

use std::fmt;
use std::marker::PhantomData;

use candle_core::Device;
use serde::{Deserialize, Serialize};

use super::objective::Adversaries;
use crate::data::changes::Changes;
use crate::data::tags::TagSet;
use crate::models::editing::{Coding, Masks, Schedule};
use crate::models::model::Model;
use crate::nn::init::Weights;
use crate::nn::norm::NormSpec;
use crate::rng::Seed;
use crate::{Error, Result};

/// Which paper's model it is. It decides the name and nothing else: what differs between them are settings.
pub trait Paper: Clone + Copy + fmt::Debug + PartialEq + Send + Sync + 'static {
    /// Name in the catalogue.
    const NAME: &'static str;
}

/// Everything that an editor of this family is made from. [`Animegan::paper`](super::Animegan::paper),
/// [`Stgan::paper`](crate::models::baselines::stgan::Stgan::paper) and
/// [`Attgan::paper`](crate::models::baselines::attgan::Attgan::paper) are the papers'.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, bound = "")]
pub struct EditorConfig<P: Paper> {
    /// Side of the pictures: 128.
    pub resolution: usize,
    /// How many times a label that is edited is told as strongly as in training, when a finished model edits: 2.
    pub strength: f64,
    /// The generator.
    pub generator: GeneratorConfig,
    /// Discriminator and classifier.
    pub judge: JudgeConfig,
    /// The losses.
    pub objective: ObjectiveConfig,
    /// The schedule.
    pub schedule: Schedule,
    /// What is changed at random in pictures.
    pub changes: Changes,
    /// Small holes in what the generator reads while it is trained; none in all papers.
    #[serde(default)]
    pub masks: Option<Masks>,
    /// The attributes. No paper lists ANIMEGAN's: the 34 of make.girls.moe, or any ([`EditorConfig::tags`]).
    pub tags: TagSet,
    /// Which paper's it is.
    #[serde(skip)]
    pub paper: PhantomData<P>,
}

/// Numbers of the generator (specs/faces.md C.1, C.2, D).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GeneratorConfig {
    /// Layers that halve, and as many that double: 5.
    pub layers: usize,
    /// Channels of the first layer, doubled with each: 64.
    pub channels: usize,
    /// Whether convolutions of the encoder are gated: in ANIMEGAN. In the decoder, too, they would make blotches (its
    /// paper).
    pub gated: bool,
    /// Selective transfer units on all skips: in STGAN and ANIMEGAN.
    pub transfer: Option<TransferConfig>,
    /// Layers of the decoder that are followed by features of the encoder (`shortcut_layers`): 4, in AttGAN 1.
    pub skips: usize,
    /// Layers of the decoder that are followed by the labels once more (`inject_layers`), which its first one always gets:
    /// 4, in AttGAN 1.
    pub injections: usize,
    /// In what numbers it is told the labels.
    pub coding: Coding,
    /// Slope of leaky ReLUs below 0: 0.2.
    pub slope: f64,
    /// How weights start and batch norms count.
    pub framework: Framework,
    /// Share of the old running statistics of batch norms that a step keeps, in place of the framework's: shorter
    /// trainings need a smaller one.
    pub norm_decay: Option<f64>,
}

/// Selective transfer units (Liu et al. 2019, "STGAN", section 3.2): gated recurrent units that run from the innermost
/// features outwards and decide what of the encoder's features goes to the decoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TransferConfig {
    /// What the features are mixed with.
    pub mixture: Mixture,
    /// What a unit passes outwards.
    pub state: State,
    /// Side of the kernels: 3.
    pub kernel: usize,
}

/// What a unit mixes its candidate f̂ with, by the update gate z.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mixture {
    /// f = (1 − z)·ŝ + z·f̂ with the state ŝ as it came in: STGAN's code.
    Official,
    /// f = (1 − z)·s + z·f̂ with the state s = r·ŝ after the reset gate: the text of ANIMEGAN.
    Paper,
}

/// What a unit passes outwards (`stu_state`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// The state after the reset gate: STGAN.
    Stu,
    /// Its output, as a usual gated recurrent unit.
    Gru,
    /// The state as it came in, enlarged.
    Direct,
}

/// Which framework's defaults hold for what the papers do not say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Framework {
    /// Slim: Xavier weights, batch norm with ε 1e-3 and decay 0.999, instance norm with ε 1e-6. The authors of STGAN and
    /// AttGAN.
    TensorFlow,
    /// ε 1e-5 and decay 0.9: ports.
    PyTorch,
}

impl Framework {
    pub(super) fn weights(self, inputs: usize, outputs: usize) -> Weights {
        match self {
            Framework::TensorFlow => Weights::xavier(inputs, outputs),
            Framework::PyTorch => Weights::fan_in(inputs),
        }
    }

    pub(super) fn batch_norm(self, decay: Option<f64>) -> NormSpec {
        let spec = match self {
            Framework::TensorFlow => NormSpec::default().epsilon(1e-3).momentum(0.001),
            Framework::PyTorch => NormSpec::default(),
        };
        decay.map_or(spec, |decay| spec.momentum(1.0 - decay))
    }

    pub(super) fn instance_norm(self) -> NormSpec {
        match self {
            Framework::TensorFlow => NormSpec::default().epsilon(1e-6),
            Framework::PyTorch => NormSpec::default(),
        }
    }
}

/// Numbers of the discriminator and of the classifier (specs/faces.md C.3).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JudgeConfig {
    /// Layers that halve: 5.
    pub layers: usize,
    /// Channels of the first layer, doubled with each: 64.
    pub channels: usize,
    /// Numbers of the hidden layer of each head: 1024.
    pub hidden: usize,
    /// Whether the classifier is a network of its own, trained along as often as the discriminator (ANIMEGAN, figure 2; the
    /// text has no sizes: the same layers), or a second head of the discriminator (STGAN, AttGAN).
    pub separate_classifier: bool,
}

/// The adversarial losses that ANIMEGAN compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Adversarial {
    /// Cross entropy; the generator's is −log D. What ANIMEGAN's text keeps.
    Vanilla,
    /// Least squares, targets 1 and 0.
    LeastSquares,
    /// Wasserstein. What its table 1 finds best.
    Wasserstein,
}

/// Weights of the losses (specs/faces.md C.4). Attribute losses are cross entropies, means over the labels; ANIMEGAN
/// prints log |C − A|, which is meant by it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ObjectiveConfig {
    /// The adversarial loss, of weight 1.
    pub adversarial: Adversarial,
    /// Weight of the gradient penalty: 10. Between real and made pictures for Wasserstein, else near real ones as DRAGAN's,
    /// as in STGAN's code. 0 for ANIMEGAN, which prints none.
    pub penalty: f64,
    /// Weight of the attribute loss of made pictures, the generator's: 10. That of real ones has weight 1.
    pub attributes: f64,
    /// Weight of the mean absolute difference of a picture and what becomes of it unchanged: 100.
    pub reconstruction: f64,
}

impl<P: Paper> EditorConfig<P> {
    /// STGAN as its authors' code trains it, at 128 px, of which the others are variations.
    pub(in crate::models) fn stgan() -> EditorConfig<P> {
        EditorConfig {
            resolution: 128,
            strength: 2.0,
            generator: GeneratorConfig {
                layers: 5,
                channels: 64,
                gated: false,
                transfer: Some(TransferConfig { mixture: Mixture::Official, state: State::Stu, kernel: 3 }),
                skips: 4,
                injections: 4,
                coding: Coding::Difference,
                slope: 0.2,
                framework: Framework::TensorFlow,
                norm_decay: None,
            },
            judge: JudgeConfig { layers: 5, channels: 64, hidden: 1024, separate_classifier: false },
            objective: ObjectiveConfig {
                adversarial: Adversarial::Wasserstein,
                penalty: 10.0,
                attributes: 10.0,
                reconstruction: 100.0,
            },
            schedule: Schedule::stgan(),
            changes: Changes::default(),
            masks: None,
            tags: TagSet::make_girls(),
            paper: PhantomData,
        }
    }

    /// The same with small networks at 64 px, which learn on two CPU cores in minutes.
    pub(in crate::models) fn at_64(self) -> EditorConfig<P> {
        let layers = 4;
        EditorConfig {
            resolution: 64,
            strength: 1.5,
            generator: GeneratorConfig {
                layers,
                channels: 24,
                skips: self.generator.skips.min(layers - 1),
                injections: self.generator.injections.min(layers - 1),
                norm_decay: Some(0.95),
                ..self.generator
            },
            judge: JudgeConfig { layers, channels: 24, hidden: 128, ..self.judge },
            schedule: Schedule {
                epochs: 40,
                full: 30,
                batch: 16,
                rate: 5e-4,
                judgements: 2,
                minibatches: Some(2),
                average: 0.99,
                ..self.schedule
            },
            ..self
        }
    }

    /// With these attributes: those of a data set ([`Dataset::tags`](crate::data::dataset::Dataset::tags)), or any.
    pub fn tags(self, tags: &TagSet) -> EditorConfig<P> {
        EditorConfig { tags: tags.clone(), ..self }
    }

    /// Trained with small holes in what the generator reads.
    pub fn masked(self, masks: Masks) -> EditorConfig<P> {
        EditorConfig { masks: Some(masks), ..self }
    }

    /// Freshly initialised networks with seed 0.
    ///
    /// # Errors
    /// When the numbers do not make a network.
    pub fn build(self, device: &Device) -> Result<Model<Adversaries<P>>> {
        self.build_with(device, Seed(0))
    }

    /// Freshly initialised networks.
    ///
    /// # Errors
    /// When the numbers do not make a network.
    pub fn build_with(self, device: &Device, seed: Seed) -> Result<Model<Adversaries<P>>> {
        Model::new(self, device, seed)
    }

    /// Whether networks can be built and trained with these numbers.
    ///
    /// # Errors
    /// Names the first number that cannot be used.
    pub fn check(&self) -> Result<()> {
        let bad = |what: &str, found: String, expected: &str| {
            Err(Error::invalid(format!("{}: {what}", P::NAME), found, expected, ""))
        };
        self.schedule.check()?;
        self.changes.check()?;
        self.masks.as_ref().map_or(Ok(()), Masks::check)?;
        let (generator, judge) = (&self.generator, &self.judge);
        for (of, layers, channels) in
            [("generator", generator.layers, generator.channels), ("discriminator", judge.layers, judge.channels)]
        {
            // Instance norms need more than one pixel.
            let innermost = self.resolution.checked_shr(layers as u32).unwrap_or(0);
            if !(1..=10).contains(&layers) || innermost < 2 || innermost << layers != self.resolution || channels == 0 {
                let found = format!("{} px, {layers} halvings, {channels} channels", self.resolution);
                return bad(of, found, "a size that can be halved so often down to 2 px or more, 1 channel or more");
            }
        }
        let most = generator.layers - 1;
        if generator.skips > most || generator.injections > most {
            let found = format!("{} skips, {} injections", generator.skips, generator.injections);
            return bad("generator", found, &format!("at most {most} of each"));
        }
        if let Some(unit) = generator.transfer
            && (unit.kernel % 2 == 0 || generator.skips != most)
        {
            let found = format!("a kernel of {}, {} skips", unit.kernel, generator.skips);
            return bad("selective transfer units", found, &format!("an odd kernel, {most} skips"));
        }
        if self.tags.is_empty() || judge.hidden == 0 || generator.coding == Coding::Pairs {
            let (labels, hidden) = (self.tags.len(), judge.hidden);
            let found = format!("{labels} labels told as {:?}, heads of {hidden} numbers", generator.coding);
            return bad("labels", found, "1 or more of each, one number a label");
        }
        let ObjectiveConfig { penalty, attributes, reconstruction, .. } = self.objective;
        if let Some(weight) =
            [penalty, attributes, reconstruction].into_iter().find(|weight| !(weight.is_finite() && *weight >= 0.0))
        {
            return bad("weight of a loss", weight.to_string(), "a number that is not negative");
        }
        if !(self.strength.is_finite() && (0.0..1.0).contains(&generator.slope)) {
            let found = format!("strength {}, slope {}", self.strength, generator.slope);
            return bad("numbers", found, "a finite strength, a slope in [0, 1)");
        }
        if let Some(decay) = generator.norm_decay.filter(|decay| !(0.0..1.0).contains(decay)) {
            return bad("decay of running statistics", decay.to_string(), "0 or more, below 1");
        }
        Ok(())
    }
}
