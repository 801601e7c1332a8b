//! The discriminator (Figure 8): one trunk without normalisation, one head for real or fake, one for the attributes.

use candle_core::Tensor;

use super::config::{DiscriminatorConfig, MakeGirlsConfig, Start};
use super::generator::weights;
use crate::nn::conv::{Conv2d, ConvSpec};
use crate::nn::critic::{Critic, Signal};
use crate::nn::init::Weights;
use crate::nn::linear::Linear;
use crate::nn::params::Scope;
use crate::ops::cast::full;
use crate::{Error, Result};

/// What the discriminator says about pictures, in f32 whatever it computes in.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// Logit of "this is real", `[N, 1]`.
    pub logit: Tensor,
    /// Logits of the attributes, `[N, L]`.
    pub attributes: Tensor,
}

impl Verdict {
    /// What it says about the first `at` pictures, and about the others.
    ///
    /// # Errors
    /// When there are fewer pictures.
    pub fn split(&self, at: usize) -> Result<(Verdict, Verdict)> {
        let rest = self.logit.dim(0)?.saturating_sub(at);
        let part = |start, count| -> Result<Verdict> {
            let (logit, attributes) = (self.logit.narrow(0, start, count)?, self.attributes.narrow(0, start, count)?);
            Ok(Verdict { logit, attributes })
        };
        Ok((part(0, at)?, part(at, rest)?))
    }
}

/// From a picture to a logit and the logits of its attributes.
#[derive(Clone, Debug)]
pub struct Discriminator {
    stages: Vec<Stage>,
    adv: Linear,
    cls: Linear,
    size: usize,
}

impl Discriminator {
    /// The network of `config`, its parameters taken from `scope` (which stands at `d`).
    ///
    /// # Errors
    /// When the store holds a parameter with another shape.
    pub fn new(config: &MakeGirlsConfig, scope: &Scope) -> Result<Discriminator> {
        let DiscriminatorConfig { stages, slope, start } = &config.discriminator;
        let (mut inputs, below) = (3, scope.pp("stages"));
        let mut built = Vec::with_capacity(stages.len());
        for (i, stage) in stages.iter().enumerate() {
            let scope = below.pp(i.to_string());
            let spec = ConvSpec::default().stride(2).padding(1);
            let first = start.weights(inputs * stage.kernel * stage.kernel, *slope);
            let down = Conv2d::new(&scope.pp("down"), inputs, stage.channels, stage.kernel, spec, first)?;
            let scope = scope.pp("blocks");
            let blocks = (0..stage.blocks)
                .map(|i| Block::new(&scope.pp(i.to_string()), stage.channels, &config.discriminator))
                .collect::<Result<_>>()?;
            built.push(Stage { down, blocks, slope: *slope });
            inputs = stage.channels;
        }
        let side = config.size() >> stages.len();
        let features = inputs * side * side;
        Ok(Discriminator {
            stages: built,
            adv: Linear::new(&scope.pp("adv"), features, 1, start.weights(features, 1.0))?,
            cls: Linear::new(&scope.pp("cls"), features, config.tags.len(), start.weights(features, 1.0))?,
            size: config.size(),
        })
    }

    /// Pictures `[N, 3, H, W]` in [−1, 1] → both heads.
    ///
    /// # Errors
    /// When the pictures have another size.
    pub fn forward(&self, x: &Tensor) -> Result<Verdict> {
        let features = self.features(x)?;
        let answer = |head: &Linear| full(&head.forward(&features)?);
        Ok(Verdict { logit: answer(&self.adv)?, attributes: answer(&self.cls)? })
    }

    /// What both heads read, `[N, F]`: the last feature map, flattened.
    ///
    /// # Errors
    /// When the pictures have another size.
    pub fn features(&self, x: &Tensor) -> Result<Tensor> {
        let n = x.dims().first().copied().unwrap_or(0);
        if x.dims() != [n, 3, self.size, self.size] {
            return Err(Error::shape("discriminator: pictures", x.dims(), format!("[N, 3, {0}, {0}]", self.size)));
        }
        self.trunk(x)
    }

    fn trunk<S: Signal>(&self, x: &S) -> Result<S> {
        let mut x = x.clone();
        for stage in &self.stages {
            x = stage.forward(&x)?;
        }
        x.flatten()
    }
}

impl Start {
    fn weights(self, fan_in: usize, slope: f64) -> Weights {
        match self {
            Start::Fixed => weights(),
            Start::Kaiming => Weights::kaiming(fan_in, slope),
        }
    }
}

impl Critic for Discriminator {
    fn logit<S: Signal>(&self, x: &S) -> Result<S> {
        self.trunk(x)?.linear(&self.adv)
    }
}

#[derive(Clone, Debug)]
struct Stage {
    down: Conv2d,
    blocks: Vec<Block>,
    slope: f64,
}

impl Stage {
    fn forward<S: Signal>(&self, x: &S) -> Result<S> {
        let mut x = x.conv2d(&self.down)?.leaky_relu(self.slope)?;
        for block in &self.blocks {
            x = block.forward(&x)?;
        }
        Ok(x)
    }
}

/// conv, leaky ReLU, conv, add, leaky ReLU.
#[derive(Clone, Debug)]
struct Block {
    conv1: Conv2d,
    conv2: Conv2d,
    slope: f64,
}

impl Block {
    fn new(scope: &Scope, channels: usize, config: &DiscriminatorConfig) -> Result<Block> {
        let slope = config.slope;
        let weights = config.start.weights(channels * 9, slope);
        let conv = |name| Conv2d::new(&scope.pp(name), channels, channels, 3, ConvSpec::default().padding(1), weights);
        Ok(Block { conv1: conv("conv1")?, conv2: conv("conv2")?, slope })
    }

    fn forward<S: Signal>(&self, x: &S) -> Result<S> {
        let h = x.conv2d(&self.conv1)?.leaky_relu(self.slope)?.conv2d(&self.conv2)?;
        x.add_leaky_relu(&h, self.slope)
    }
}
