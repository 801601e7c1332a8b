//! Generator and discriminator (specs/faces.md D).

use candle_core::Tensor;

use super::objective::StarganConfig;
use crate::models::editing::beside;
use crate::nn::conv::{Conv2d, ConvSpec, ConvTranspose2d};
use crate::nn::critic::{Critic, Signal};
use crate::nn::init::Weights;
use crate::nn::norm::{InstanceNorm, NormSpec};
use crate::nn::params::Scope;
use crate::ops::activation::{relu, tanh};
use crate::ops::arithmetic::add;
use crate::ops::cast::full;
use crate::ops::reduce::sum_from;
use crate::{Error, Result};

/// Layers that halve, and as many that double.
const HALVINGS: usize = 2;
/// Slope of the discriminator's leaky ReLUs below 0.
const SLOPE: f64 = 0.01;

/// PyTorch's start, without a bias.
fn unbiased(inputs: usize, kernel: usize) -> Weights {
    Weights::fan_in(inputs * kernel * kernel).without_bias()
}

fn strided() -> ConvSpec {
    ConvSpec::padded(1).stride(2)
}

/// A convolution without bias, instance norm. Parameters: `conv<suffix>`, `norm<suffix>`.
#[derive(Clone, Debug)]
struct Layer<C> {
    conv: C,
    norm: InstanceNorm,
}

impl Layer<Conv2d> {
    fn new(scope: &Scope, suffix: &str, channels: [usize; 2], kernel: usize, spec: ConvSpec) -> Result<Self> {
        let [inputs, outputs] = channels;
        let weights = unbiased(inputs, kernel);
        let conv = Conv2d::new(&scope.pp(format!("conv{suffix}")), inputs, outputs, kernel, spec, weights)?;
        let norm = InstanceNorm::new(&scope.pp(format!("norm{suffix}")), outputs, NormSpec::default())?;
        Ok(Layer { conv, norm })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.norm.forward(&self.conv.forward(x)?)
    }
}

/// Parameters: `input.{conv, norm}`, `down.<i>.{conv, norm}`, `blocks.<i>.{conv0, norm0, conv1, norm1}`,
/// `up.<i>.{conv, norm}`, `output`.
#[derive(Clone, Debug)]
pub struct Generator {
    input: Layer<Conv2d>,
    down: Vec<Layer<Conv2d>>,
    blocks: Vec<[Layer<Conv2d>; 2]>,
    up: Vec<Layer<ConvTranspose2d>>,
    output: Conv2d,
    side: usize,
}

impl Generator {
    /// The network of `config`, its parameters taken from `scope` (which stands at `g`).
    ///
    /// # Errors
    /// When the store holds a parameter with another shape.
    pub fn new(config: &StarganConfig, scope: &Scope) -> Result<Generator> {
        let (first, inner) = (config.channels, config.channels << HALVINGS);
        let place = |part: &str, i: usize| scope.pp(part).pp(i.to_string());
        let down = |i: usize| Layer::new(&place("down", i), "", [first << i, first << (i + 1)], 4, strided());
        let block = |i: usize| -> Result<[Layer<Conv2d>; 2]> {
            let layer = |name: &str| Layer::new(&place("blocks", i), name, [inner; 2], 3, ConvSpec::padded(1));
            Ok([layer("0")?, layer("1")?])
        };
        let up = |i: usize| -> Result<Layer<ConvTranspose2d>> {
            let ([inputs, outputs], scope) = ([inner >> i, inner >> (i + 1)], place("up", i));
            // PyTorch counts the outputs of a transposed convolution as what comes in.
            let conv = ConvTranspose2d::new(&scope.pp("conv"), inputs, outputs, 4, strided(), unbiased(outputs, 4))?;
            Ok(Layer { conv, norm: InstanceNorm::new(&scope.pp("norm"), outputs, NormSpec::default())? })
        };
        let around = ConvSpec::padded(3);
        Ok(Generator {
            input: Layer::new(&scope.pp("input"), "", [3 + config.tags.len(), first], 7, around)?,
            down: (0..HALVINGS).map(down).collect::<Result<_>>()?,
            blocks: (0..config.blocks).map(block).collect::<Result<_>>()?,
            up: (0..HALVINGS).map(up).collect::<Result<_>>()?,
            output: Conv2d::new(&scope.pp("output"), first, 3, 7, around, unbiased(first, 7))?,
            side: config.resolution,
        })
    }

    /// Pictures `[N, 3, R, R]` in [−1, 1] and the labels `[N, L]` that they are to show → as many pictures in (−1, 1).
    ///
    /// # Errors
    /// When the shapes are others.
    pub fn forward(&self, pictures: &Tensor, told: &Tensor) -> Result<Tensor> {
        if pictures.rank() != 4 || pictures.dims()[1..] != [3, self.side, self.side] {
            let expected = format!("[N, 3, {0}, {0}]", self.side);
            return Err(Error::shape("StarGAN: pictures", pictures.dims(), expected));
        }
        let mut x = relu(&self.input.forward(&beside(&[pictures], Some(told))?)?)?;
        for layer in &self.down {
            x = relu(&layer.forward(&x)?)?;
        }
        for [first, second] in &self.blocks {
            x = add(&x, &second.forward(&relu(&first.forward(&x)?)?)?)?;
        }
        for Layer { conv, norm } in &self.up {
            x = relu(&norm.forward(&conv.forward(&x)?)?)?;
        }
        tanh(&full(&self.output.forward(&x)?)?)
    }
}

/// Convolutions down to 2×2 pixels, without norms; scores of patches, and the labels. Parameters: `layers.<i>`, `src`,
/// `cls`.
#[derive(Clone, Debug)]
pub struct Discriminator {
    layers: Vec<Conv2d>,
    src: Conv2d,
    cls: Conv2d,
}

impl Discriminator {
    /// The network of `config`, its parameters taken from `scope` (which stands at `d`).
    ///
    /// # Errors
    /// When the store holds a parameter with another shape.
    pub fn new(config: &StarganConfig, scope: &Scope) -> Result<Discriminator> {
        let (halvings, first) = (config.resolution.ilog2() as usize - 1, config.judge_channels);
        let layer = |i: usize| {
            let (inputs, outputs) = (if i == 0 { 3 } else { first << (i - 1) }, first << i);
            let scope = scope.pp("layers").pp(i.to_string());
            Conv2d::new(&scope, inputs, outputs, 4, strided(), Weights::fan_in(inputs * 16))
        };
        let inner = first << (halvings - 1);
        let labels = config.tags.len();
        Ok(Discriminator {
            layers: (0..halvings).map(layer).collect::<Result<_>>()?,
            src: Conv2d::new(&scope.pp("src"), inner, 1, 3, ConvSpec::padded(1), unbiased(inner, 3))?,
            cls: Conv2d::new(&scope.pp("cls"), inner, labels, 2, ConvSpec::default(), unbiased(inner, 2))?,
        })
    }

    fn features<S: Signal>(&self, pictures: &S) -> Result<S> {
        let mut x = pictures.clone();
        for layer in &self.layers {
            x = x.conv2d(layer)?.leaky_relu(SLOPE)?;
        }
        Ok(x)
    }

    /// Pictures `[N, 3, R, R]` → scores of patches `[N, 1, 2, 2]`, logits of the labels `[N, L]`.
    ///
    /// # Errors
    /// When the pictures have another size.
    pub fn forward(&self, pictures: &Tensor) -> Result<(Tensor, Tensor)> {
        let features = self.features(pictures)?;
        Ok((full(&self.src.forward(&features)?)?, full(&self.cls.forward(&features)?.flatten_from(1)?)?))
    }
}

/// The sum over the patches, as the authors' penalty takes it.
impl Critic for Discriminator {
    fn logit<S: Signal>(&self, x: &S) -> Result<S> {
        self.features(x)?.conv2d(&self.src)?.linear_map(&|scores| sum_from(scores, 1))
    }
}
