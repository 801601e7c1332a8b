//! The networks of both readings (specs/clothing.md C.1).

use candle_core::Tensor;
use serde::{Deserialize, Serialize};

use crate::Result;
use crate::nn::conv::{Conv2d, ConvSpec, ConvTranspose2d};
use crate::nn::init::{Init, Weights};
use crate::nn::norm::{BatchNorm, Mode, NormSpec};
use crate::nn::params::Scope;
use crate::ops::activation::{leaky_relu, relu, tanh};

const SLOPE: f64 = 0.2;
/// Layers that halve or double: from 64 px to 4.
const HALVINGS: usize = 4;
/// Numbers of the code between both halves.
const CODE: usize = 64;

/// How the paper is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reading {
    /// Five layers to a code of 64 numbers and five back, as the paper describes it: 5×5 kernels, biases.
    Code,
    /// Four layers to 768 maps of 4×4 pixels and four back, as in the port that is used most: 4×4 kernels, no biases.
    Maps,
}

impl Reading {
    /// Channels of the first layer: 128 or 96.
    pub fn channels(self) -> usize {
        match self {
            Reading::Code => 128,
            Reading::Maps => 96,
        }
    }

    fn weights(self) -> Weights {
        let weights = Weights::normal(0.02);
        if self == Reading::Code { weights } else { weights.without_bias() }
    }
}

/// A convolution with what follows it.
#[derive(Clone, Debug)]
struct Layer<C> {
    conv: C,
    norm: Option<BatchNorm>,
}

fn norm(scope: &Scope, channels: usize) -> Result<BatchNorm> {
    let weight = Init::Normal { mean: 1.0, std: 0.02 };
    BatchNorm::new(&scope.pp("norm"), channels, NormSpec { weight, ..NormSpec::default() })
}

/// The layers that halve, 64 px to 4: all but the first with batch norm.
fn halvings(reading: Reading, inputs: usize, channels: usize, scope: &Scope) -> Result<Vec<Layer<Conv2d>>> {
    let (k, padding) = if reading == Reading::Code { (5, 2) } else { (4, 1) };
    let layer = |i: usize| -> Result<Layer<Conv2d>> {
        let scope = scope.pp(i.to_string());
        let (from, to) = (if i == 0 { inputs } else { channels << (i - 1) }, channels << i);
        let spec = ConvSpec::padded(padding).stride(2);
        let conv = Conv2d::new(&scope.pp("conv"), from, to, k, spec, reading.weights())?;
        Ok(Layer { conv, norm: if i == 0 { None } else { Some(norm(&scope, to)?) } })
    };
    (0..HALVINGS).map(layer).collect()
}

impl Layer<Conv2d> {
    fn forward(&self, x: &Tensor, mode: Mode) -> Result<Tensor> {
        let y = self.conv.forward(x)?;
        let y = match &self.norm {
            Some(norm) => norm.forward(&y, mode)?,
            None => y,
        };
        leaky_relu(&y, SLOPE)
    }
}

/// The generator. Parameters: `encoder.<i>.{conv, norm}`, `code.{conv, norm}` and `spread.{conv, norm}` if there is a code,
/// `decoder.<i>.{conv, norm}`.
#[derive(Clone, Debug)]
pub struct Converter {
    encoder: Vec<Layer<Conv2d>>,
    /// To the code, and from it to 4×4 pixels.
    code: Option<[Layer<Conv2d>; 2]>,
    decoder: Vec<Layer<ConvTranspose2d>>,
    inner: usize,
}

impl Converter {
    /// The network with `channels` in its first layer.
    ///
    /// # Errors
    /// When the store holds a parameter with another shape.
    pub fn new(reading: Reading, channels: usize, scope: &Scope) -> Result<Converter> {
        let inner = channels << (HALVINGS - 1);
        let code = |name: &str, from: usize, to: usize, k: usize| -> Result<Layer<Conv2d>> {
            let scope = scope.pp(name);
            let conv = Conv2d::new(&scope.pp("conv"), from, to, k, ConvSpec::default(), reading.weights())?;
            Ok(Layer { conv, norm: Some(norm(&scope, to)?) })
        };
        let decoder = scope.pp("decoder");
        let layer = |i: usize| -> Result<Layer<ConvTranspose2d>> {
            let (scope, last) = (decoder.pp(i.to_string()), i + 1 == HALVINGS);
            let (from, to) = (inner >> i, if last { 3 } else { inner >> (i + 1) });
            let spec = ConvSpec::padded(1).stride(2);
            let conv = ConvTranspose2d::new(&scope.pp("conv"), from, to, 4, spec, reading.weights())?;
            Ok(Layer { conv, norm: if last { None } else { Some(norm(&scope, to)?) } })
        };
        Ok(Converter {
            encoder: halvings(reading, 3, channels, &scope.pp("encoder"))?,
            code: match reading {
                Reading::Maps => None,
                Reading::Code => Some([code("code", inner, CODE, 4)?, code("spread", CODE, inner * 16, 1)?]),
            },
            decoder: (0..HALVINGS).map(layer).collect::<Result<_>>()?,
            inner,
        })
    }

    /// Pictures `[N, 3, 64, 64]` → `[N, 3, 64, 64]` in (−1, 1).
    ///
    /// # Errors
    /// When the pictures have another size; in training when there is only one and a code between.
    pub fn forward(&self, pictures: &Tensor, mode: Mode) -> Result<Tensor> {
        let mut x = pictures.clone();
        for layer in &self.encoder {
            x = layer.forward(&x, mode)?;
        }
        if let Some([code, spread]) = &self.code {
            x = code.forward(&x, mode)?;
            let y = spread.conv.forward(&x)?;
            let y = match &spread.norm {
                Some(norm) => norm.forward(&y, mode)?,
                None => y,
            };
            x = relu(&y)?.reshape((pictures.dims()[0], self.inner, 4, 4))?;
        }
        for layer in &self.decoder {
            x = layer.conv.forward(&x)?;
            x = match &layer.norm {
                Some(norm) => relu(&norm.forward(&x, mode)?)?,
                None => tanh(&x)?,
            };
        }
        Ok(x)
    }
}

/// A discriminator. Parameters: `layers.<i>.{conv, norm}`, `last`.
#[derive(Clone, Debug)]
pub struct Judge {
    layers: Vec<Layer<Conv2d>>,
    last: Conv2d,
}

impl Judge {
    /// The network for pictures of `inputs` channels, 6 for pairs.
    ///
    /// # Errors
    /// When the store holds a parameter with another shape.
    pub fn new(reading: Reading, inputs: usize, channels: usize, scope: &Scope) -> Result<Judge> {
        let inner = channels << (HALVINGS - 1);
        let last = Conv2d::new(&scope.pp("last"), inner, 1, 4, ConvSpec::default(), reading.weights())?;
        Ok(Judge { layers: halvings(reading, inputs, channels, &scope.pp("layers"))?, last })
    }

    /// Pictures `[N, C, 64, 64]` → logits `[N, 1]`.
    ///
    /// # Errors
    /// When the pictures have another shape.
    pub fn forward(&self, pictures: &Tensor, mode: Mode) -> Result<Tensor> {
        let mut x = pictures.clone();
        for layer in &self.layers {
            x = layer.forward(&x, mode)?;
        }
        Ok(self.last.forward(&x)?.flatten_from(1)?)
    }
}
