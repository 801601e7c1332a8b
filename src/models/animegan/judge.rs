//! The discriminator and the classifier: one trunk with a head or two (specs/faces.md C.3).

use candle_core::Tensor;

use super::config::{EditorConfig, Paper};
use crate::nn::conv::{Conv2d, ConvSpec};
use crate::nn::critic::{Critic, Signal};
use crate::nn::linear::Linear;
use crate::nn::norm::InstanceNorm;
use crate::nn::params::Scope;
use crate::ops::cast::full;
use crate::{Error, Result};

/// What a head reads: a hidden layer, leaky ReLU, the answers. Parameters: `hidden`, `out`.
#[derive(Clone, Debug)]
struct Head {
    hidden: Linear,
    out: Linear,
}

/// Convolutions that halve with instance norm and leaky ReLU, then heads. Parameters: `layers.<i>.{conv, norm}`,
/// `adv.{hidden, out}`, `cls.{hidden, out}`.
#[derive(Clone, Debug)]
pub struct Judge {
    layers: Vec<(Conv2d, InstanceNorm)>,
    adv: Option<Head>,
    cls: Option<Head>,
    slope: f64,
}

/// Which heads there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heads {
    /// Real or made.
    Adversarial,
    /// Attributes.
    Attributes,
    /// Both.
    Both,
}

impl Judge {
    /// The network of `config`, its parameters taken from `scope` (which stands at `d` or `c`).
    ///
    /// # Errors
    /// When the store holds a parameter with another shape.
    pub fn new<P: Paper>(config: &EditorConfig<P>, heads: Heads, scope: &Scope) -> Result<Judge> {
        let (judge, framework) = (&config.judge, config.generator.framework);
        let layer = |i: usize| -> Result<(Conv2d, InstanceNorm)> {
            let (inputs, outputs) = (if i == 0 { 3 } else { judge.channels << (i - 1) }, judge.channels << i);
            let scope = scope.pp("layers").pp(i.to_string());
            let weights = framework.weights(inputs * 16, outputs * 16).without_bias();
            let conv = Conv2d::new(&scope.pp("conv"), inputs, outputs, 4, ConvSpec::padded(1).stride(2), weights)?;
            Ok((conv, InstanceNorm::new(&scope.pp("norm"), outputs, framework.instance_norm())?))
        };
        let side = config.resolution >> judge.layers;
        let features = (judge.channels << (judge.layers - 1)) * side * side;
        let head = |name: &str, outputs: usize| -> Result<Head> {
            let scope = scope.pp(name);
            let linear = |name: &str, from: usize, to: usize| {
                Linear::new(&scope.pp(name), from, to, framework.weights(from, to))
            };
            Ok(Head { hidden: linear("hidden", features, judge.hidden)?, out: linear("out", judge.hidden, outputs)? })
        };
        Ok(Judge {
            layers: (0..judge.layers).map(layer).collect::<Result<_>>()?,
            adv: (heads != Heads::Attributes).then(|| head("adv", 1)).transpose()?,
            cls: (heads != Heads::Adversarial).then(|| head("cls", config.tags.len())).transpose()?,
            slope: config.generator.slope,
        })
    }

    /// Pictures `[N, 3, R, R]` in [−1, 1] → what both heads read, `[N, F]`.
    ///
    /// # Errors
    /// When the pictures have another size.
    pub fn features<S: Signal>(&self, pictures: &S) -> Result<S> {
        let mut x = pictures.clone();
        for (conv, norm) in &self.layers {
            x = x.conv2d(conv)?.instance_norm(norm)?.leaky_relu(self.slope)?;
        }
        x.flatten()
    }

    fn answer<S: Signal>(&self, head: Option<&Head>, features: &S) -> Result<S> {
        let head = head.ok_or_else(|| Error::invalid("judge", "no such head", "the head that is asked", ""))?;
        features.linear(&head.hidden)?.leaky_relu(self.slope)?.linear(&head.out)
    }

    /// Features → scores `[N, 1]`, of a judge with that head.
    ///
    /// # Errors
    /// When the features are others.
    pub fn scores(&self, features: &Tensor) -> Result<Tensor> {
        full(&self.answer(self.adv.as_ref(), features)?)
    }

    /// Features → logits of the attributes `[N, L]`, of a judge with that head.
    ///
    /// # Errors
    /// When the features are others.
    pub fn attributes(&self, features: &Tensor) -> Result<Tensor> {
        full(&self.answer(self.cls.as_ref(), features)?)
    }
}

impl Critic for Judge {
    fn logit<S: Signal>(&self, x: &S) -> Result<S> {
        self.answer(self.adv.as_ref(), &self.features(x)?)
    }
}
