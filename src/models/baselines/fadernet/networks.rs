//! Encoder, decoder and the discriminator of codes (specs/faces.md D).

use candle_core::Tensor;

use super::objective::FadernetConfig;
use crate::models::editing::{Coding, beside};
use crate::nn::conv::{Conv2d, ConvSpec, ConvTranspose2d};
use crate::nn::dropout::dropout;
use crate::nn::init::Weights;
use crate::nn::linear::Linear;
use crate::nn::norm::{BatchNorm, Mode, NormSpec};
use crate::nn::params::Scope;
use crate::ops::activation::{leaky_relu, relu, tanh};
use crate::ops::cast::full;
use crate::rng::Stream;
use crate::{Error, Result};

/// Slope of leaky ReLUs below 0.
const SLOPE: f64 = 0.2;
/// Side of kernels.
const KERNEL: usize = 4;

fn strided() -> ConvSpec {
    ConvSpec::padded(1).stride(2)
}

/// A convolution that halves, batch norm but in the first layer of all, leaky ReLU. Parameters: `conv`, `norm`.
#[derive(Clone, Debug)]
struct Halving {
    conv: Conv2d,
    norm: Option<BatchNorm>,
}

impl Halving {
    /// Layer `i` of those that go on down to one pixel: the encoder's, then the discriminator's.
    fn new(config: &FadernetConfig, i: usize, scope: &Scope) -> Result<Halving> {
        let (inputs, outputs) = (if i == 0 { 3 } else { config.width(i - 1) }, config.width(i));
        let weights = Weights::fan_in(inputs * KERNEL * KERNEL);
        let norm = || BatchNorm::new(&scope.pp("norm"), outputs, NormSpec::default());
        Ok(Halving {
            conv: Conv2d::new(&scope.pp("conv"), inputs, outputs, KERNEL, strided(), weights)?,
            norm: if i == 0 { None } else { Some(norm()?) },
        })
    }

    fn forward(&self, x: &Tensor, mode: Mode) -> Result<Tensor> {
        let x = self.conv.forward(x)?;
        match &self.norm {
            Some(norm) => leaky_relu(&norm.forward(&x, mode)?, SLOPE),
            None => leaky_relu(&x, SLOPE),
        }
    }
}

/// From pictures to codes. Parameters: `<i>.{conv, norm}`, i from the outermost layer on.
#[derive(Clone, Debug)]
pub struct Encoder {
    layers: Vec<Halving>,
    side: usize,
}

impl Encoder {
    /// The network of `config`, its parameters taken from `scope`.
    ///
    /// # Errors
    /// When the store holds a parameter with another shape.
    pub fn new(config: &FadernetConfig, scope: &Scope) -> Result<Encoder> {
        let layer = |i: usize| Halving::new(config, i, &scope.pp(i.to_string()));
        let layers = (0..config.layers).map(layer).collect::<Result<_>>()?;
        Ok(Encoder { layers, side: config.resolution })
    }

    /// Pictures `[N, 3, R, R]` in [−1, 1] → codes `[N, C, r, r]`.
    ///
    /// # Errors
    /// When the pictures have another size.
    pub fn forward(&self, pictures: &Tensor, mode: Mode) -> Result<Tensor> {
        if pictures.rank() != 4 || pictures.dims()[1..] != [3, self.side, self.side] {
            let expected = format!("[N, 3, {0}, {0}]", self.side);
            return Err(Error::shape("Fader Network: pictures", pictures.dims(), expected));
        }
        self.layers.iter().try_fold(pictures.clone(), |x, layer| layer.forward(&x, mode))
    }
}

/// From codes and labels to pictures. Parameters: `<i>.{conv, norm}`, i from the outermost layer on.
#[derive(Clone, Debug)]
pub struct Decoder {
    layers: Vec<(ConvTranspose2d, Option<BatchNorm>)>,
}

impl Decoder {
    /// The network of `config`, its parameters taken from `scope`.
    ///
    /// # Errors
    /// When the store holds a parameter with another shape.
    pub fn new(config: &FadernetConfig, scope: &Scope) -> Result<Decoder> {
        let told = Coding::Pairs.width(config.tags.len());
        let layer = |i: usize| -> Result<(ConvTranspose2d, Option<BatchNorm>)> {
            let (inputs, outputs) = (config.width(i) + told, if i == 0 { 3 } else { config.width(i - 1) });
            // PyTorch counts the outputs of a transposed convolution as what comes in.
            let weights = Weights::fan_in(outputs * KERNEL * KERNEL).without_bias();
            let scope = scope.pp(i.to_string());
            let conv = ConvTranspose2d::new(&scope.pp("conv"), inputs, outputs, KERNEL, strided(), weights)?;
            let norm = || BatchNorm::new(&scope.pp("norm"), outputs, NormSpec::default());
            Ok((conv, if i == 0 { None } else { Some(norm()?) }))
        };
        Ok(Decoder { layers: (0..config.layers).map(layer).collect::<Result<_>>()? })
    }

    /// Codes `[N, C, r, r]` and labels as pairs `[N, 2·L]` → pictures `[N, 3, R, R]` in (−1, 1).
    ///
    /// # Errors
    /// When the shapes are others.
    pub fn forward(&self, codes: &Tensor, told: &Tensor, mode: Mode) -> Result<Tensor> {
        let mut x = codes.clone();
        for (conv, norm) in self.layers.iter().rev() {
            x = conv.forward(&beside(&[&x], Some(told))?)?;
            if let Some(norm) = norm {
                x = relu(&norm.forward(&x, mode)?)?;
            }
        }
        tanh(&full(&x)?)
    }
}

/// Reads the labels off a code: the encoder's layers go on down to one pixel, then a hidden layer. Parameters:
/// `layers.<i>.{conv, norm}`, `hidden`, `out`.
#[derive(Clone, Debug)]
pub struct LatentDiscriminator {
    layers: Vec<Halving>,
    hidden: Linear,
    out: Linear,
    dropout: f64,
}

impl LatentDiscriminator {
    /// The network of `config`, its parameters taken from `scope` (which stands at `d`).
    ///
    /// # Errors
    /// When the store holds a parameter with another shape.
    pub fn new(config: &FadernetConfig, scope: &Scope) -> Result<LatentDiscriminator> {
        let halvings = config.resolution.ilog2() as usize;
        let layer = |i: usize| Halving::new(config, i, &scope.pp("layers").pp((i - config.layers).to_string()));
        let linear = |name: &str, inputs: usize, outputs: usize| {
            Linear::new(&scope.pp(name), inputs, outputs, Weights::fan_in(inputs))
        };
        Ok(LatentDiscriminator {
            layers: (config.layers..halvings).map(layer).collect::<Result<_>>()?,
            hidden: linear("hidden", config.width(halvings - 1), config.hidden)?,
            out: linear("out", config.hidden, Coding::Pairs.width(config.tags.len()))?,
            dropout: config.dropout,
        })
    }

    /// Codes `[N, C, r, r]` → by how much "on" of each label is likelier than "off", `[N, L]`: the difference of its two
    /// logits. With `noise`, features of the convolutions are dropped.
    ///
    /// # Errors
    /// When the codes have another shape.
    pub fn forward(&self, codes: &Tensor, mode: Mode, mut noise: Option<&mut Stream>) -> Result<Tensor> {
        let mut x = codes.clone();
        for layer in &self.layers {
            x = layer.forward(&x, mode)?;
            if let Some(stream) = noise.as_deref_mut() {
                x = dropout(&x, self.dropout, stream)?;
            }
        }
        let x = leaky_relu(&self.hidden.forward(&x.flatten_from(1)?)?, SLOPE)?;
        let logits = full(&self.out.forward(&x)?)?;
        let pairs = logits.reshape((logits.dim(0)?, (), 2))?;
        let of = |which: usize| pairs.narrow(2, which, 1);
        Ok((of(1)? - of(0)?)?.flatten_from(1)?)
    }
}
