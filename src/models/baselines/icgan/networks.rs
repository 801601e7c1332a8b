//! The conditional GAN and the encoders (specs/faces.md D).

use candle_core::Tensor;

use super::objective::IcganConfig;
use crate::models::editing::beside;
use crate::nn::conv::{Conv2d, ConvSpec, ConvTranspose2d};
use crate::nn::init::{Init, Weights};
use crate::nn::linear::Linear;
use crate::nn::norm::{BatchNorm, Mode, NormSpec};
use crate::nn::params::Scope;
use crate::ops::activation::{leaky_relu, relu, tanh};
use crate::ops::cast::full;
use crate::{Error, Result};

/// Slope of the discriminator's leaky ReLUs below 0.
const SLOPE: f64 = 0.2;
/// Side of the kernels of generator and discriminator, and of the features that they begin and end with.
const KERNEL: usize = 4;
/// Convolutions of an encoder, and the side of their kernels.
const ENCODINGS: usize = 4;
const ENCODER_KERNEL: usize = 5;

fn strided() -> ConvSpec {
    ConvSpec::padded(1).stride(2)
}

fn weights() -> Weights {
    Weights::normal(0.02)
}

fn norm(scope: &Scope, channels: usize) -> Result<BatchNorm> {
    let weight = Init::Normal { mean: 1.0, std: 0.02 };
    BatchNorm::new(&scope.pp("norm"), channels, NormSpec { weight, ..NormSpec::default() })
}

/// From noise and labels to pictures. Parameters: `layers.<i>.{conv, norm}`, i from the innermost layer on.
#[derive(Clone, Debug)]
pub struct Generator {
    layers: Vec<(ConvTranspose2d, Option<BatchNorm>)>,
}

impl Generator {
    /// The network of `config`, its parameters taken from `scope` (which stands at `g`).
    ///
    /// # Errors
    /// When the store holds a parameter with another shape.
    pub fn new(config: &IcganConfig, scope: &Scope) -> Result<Generator> {
        let doublings = config.halvings();
        let layer = |i: usize| -> Result<(ConvTranspose2d, Option<BatchNorm>)> {
            let channels = |i: usize| config.channels << (doublings - 1 - i);
            let inputs = if i == 0 { config.latent + config.tags.len() } else { channels(i - 1) };
            let outputs = if i == doublings { 3 } else { channels(i) };
            let spec = if i == 0 { ConvSpec::default() } else { strided() };
            let scope = scope.pp("layers").pp(i.to_string());
            let conv = ConvTranspose2d::new(&scope.pp("conv"), inputs, outputs, KERNEL, spec, weights())?;
            Ok((conv, if i == doublings { None } else { Some(norm(&scope, outputs)?) }))
        };
        Ok(Generator { layers: (0..=doublings).map(layer).collect::<Result<_>>()? })
    }

    /// Noise `[N, Z]` and labels as −1 and 1 `[N, L]` → pictures `[N, 3, R, R]` in (−1, 1).
    ///
    /// # Errors
    /// When the shapes are others.
    pub fn forward(&self, z: &Tensor, told: &Tensor, mode: Mode) -> Result<Tensor> {
        let x = Tensor::cat(&[z, told], 1)?;
        let (n, numbers) = x.dims2()?;
        let mut x = x.reshape((n, numbers, 1, 1))?;
        for (conv, norm) in &self.layers {
            x = conv.forward(&x)?;
            if let Some(norm) = norm {
                x = relu(&norm.forward(&x, mode)?)?;
            }
        }
        tanh(&full(&x)?)
    }
}

/// From pictures and labels, which come in after the first layer, to scores. Parameters: `layers.<i>.{conv, norm}`, `last`.
#[derive(Clone, Debug)]
pub struct Discriminator {
    layers: Vec<(Conv2d, Option<BatchNorm>)>,
    last: Conv2d,
}

impl Discriminator {
    /// The network of `config`, its parameters taken from `scope` (which stands at `d`).
    ///
    /// # Errors
    /// When the store holds a parameter with another shape.
    pub fn new(config: &IcganConfig, scope: &Scope) -> Result<Discriminator> {
        let (halvings, channels) = (config.halvings(), |i: usize| config.channels << i);
        let layer = |i: usize| -> Result<(Conv2d, Option<BatchNorm>)> {
            let inputs = match i {
                0 => 3,
                1 => channels(0) + config.tags.len(),
                _ => channels(i - 1),
            };
            let scope = scope.pp("layers").pp(i.to_string());
            let conv = Conv2d::new(&scope.pp("conv"), inputs, channels(i), KERNEL, strided(), weights())?;
            Ok((conv, if i == 0 { None } else { Some(norm(&scope, channels(i))?) }))
        };
        let last = Conv2d::new(&scope.pp("last"), channels(halvings - 1), 1, KERNEL, ConvSpec::default(), weights())?;
        Ok(Discriminator { layers: (0..halvings).map(layer).collect::<Result<_>>()?, last })
    }

    /// Pictures `[N, 3, R, R]` in [−1, 1] and labels as −1 and 1 `[N, L]` → logits `[N, 1]` of "real, and of these labels".
    ///
    /// # Errors
    /// When the shapes are others.
    pub fn forward(&self, pictures: &Tensor, told: &Tensor, mode: Mode) -> Result<Tensor> {
        let mut x = pictures.clone();
        for (i, (conv, norm)) in self.layers.iter().enumerate() {
            x = conv.forward(&beside(&[&x], (i == 1).then_some(told))?)?;
            x = match norm {
                Some(norm) => leaky_relu(&norm.forward(&x, mode)?, SLOPE)?,
                None => leaky_relu(&x, SLOPE)?,
            };
        }
        full(&self.last.forward(&x)?.flatten_from(1)?)
    }
}

/// From pictures to noise, or to labels. Parameters: `layers.<i>.{conv, norm}`, `hidden`, `norm`, `out`.
#[derive(Clone, Debug)]
pub struct Encoder {
    layers: Vec<(Conv2d, BatchNorm)>,
    hidden: Linear,
    norm: BatchNorm,
    out: Linear,
    side: usize,
}

impl Encoder {
    /// The network of `config` with `hidden` numbers before its `outputs`, its parameters taken from `scope` (which stands
    /// at `e` or `c`).
    ///
    /// # Errors
    /// When the store holds a parameter with another shape.
    pub fn new(config: &IcganConfig, hidden: usize, outputs: usize, scope: &Scope) -> Result<Encoder> {
        let channels = |i: usize| config.encoder_channels << i;
        let layer = |i: usize| -> Result<(Conv2d, BatchNorm)> {
            let (inputs, scope) = (if i == 0 { 3 } else { channels(i - 1) }, scope.pp("layers").pp(i.to_string()));
            let spec = ConvSpec::padded(2).stride(2);
            let conv = Conv2d::new(&scope.pp("conv"), inputs, channels(i), ENCODER_KERNEL, spec, weights())?;
            Ok((conv, norm(&scope, channels(i))?))
        };
        Ok(Encoder {
            layers: (0..ENCODINGS).map(layer).collect::<Result<_>>()?,
            hidden: Linear::new(&scope.pp("hidden"), config.encoded(), hidden, weights())?,
            norm: norm(scope, hidden)?,
            out: Linear::new(&scope.pp("out"), hidden, outputs, weights())?,
            side: config.resolution,
        })
    }

    /// Pictures `[N, 3, R, R]` in [−1, 1] → `[N, F]`.
    ///
    /// # Errors
    /// When the pictures have another size.
    pub fn forward(&self, pictures: &Tensor, mode: Mode) -> Result<Tensor> {
        if pictures.rank() != 4 || pictures.dims()[1..] != [3, self.side, self.side] {
            let expected = format!("[N, 3, {0}, {0}]", self.side);
            return Err(Error::shape("IcGAN: pictures", pictures.dims(), expected));
        }
        let mut x = pictures.clone();
        for (conv, norm) in &self.layers {
            x = relu(&norm.forward(&conv.forward(&x)?, mode)?)?;
        }
        let x = relu(&self.norm.forward(&self.hidden.forward(&x.flatten_from(1)?)?, mode)?)?;
        full(&self.out.forward(&x)?)
    }
}

impl IcganConfig {
    /// Layers that halve, down to 4×4 pixels.
    pub(super) fn halvings(&self) -> usize {
        (self.resolution / KERNEL).checked_ilog2().unwrap_or(0) as usize
    }

    /// Numbers that an encoder's convolutions leave.
    pub(super) fn encoded(&self) -> usize {
        let side = self.resolution >> ENCODINGS;
        (self.encoder_channels << (ENCODINGS - 1)) * side * side
    }
}
