//! The global generator (specs/clothing.md C.3): four halvings, nine residual blocks, four doublings.

use candle_core::Tensor;

use crate::nn::conv::{Conv2d, ConvSpec, ConvTranspose2d};
use crate::nn::init::Weights;
use crate::nn::norm::InstanceNorm;
use crate::nn::params::Scope;
use crate::ops::activation::{relu, tanh};
use crate::ops::arithmetic::add;
use crate::ops::pad::reflect_pad;
use crate::{Error, Result};

const EPSILON: f64 = 1e-5;

/// From pictures `[N, 3, R, R]` to as many. Parameters: `input`, `down.<i>`, `blocks.<i>.{conv0, conv1}`, `up.<i>`, `output`,
/// all with biases.
#[derive(Clone, Debug)]
pub struct Global {
    input: Conv2d,
    down: Vec<Conv2d>,
    blocks: Vec<[Conv2d; 2]>,
    up: Vec<ConvTranspose2d>,
    output: Conv2d,
}

/// Instance norm and ReLU.
fn activated(x: &Tensor) -> Result<Tensor> {
    relu(&normed(x)?)
}

fn normed(x: &Tensor) -> Result<Tensor> {
    InstanceNorm::plain(x.dims().get(1).copied().unwrap_or(0), EPSILON).forward(x)
}

impl Global {
    /// A network with `channels` (64) in its first layer, doubled with each of `halvings` (4), and `blocks` (9).
    ///
    /// # Errors
    /// When the store holds a parameter with another shape.
    pub fn new(channels: usize, halvings: usize, blocks: usize, scope: &Scope) -> Result<Global> {
        let weights = Weights::normal(0.02);
        let conv = |scope: &Scope, from: usize, to: usize, k: usize, spec: ConvSpec| {
            Conv2d::new(scope, from, to, k, spec, weights)
        };
        let half = ConvSpec::padded(1).stride(2);
        let at = |part: &str, i: usize| scope.pp(part).pp(i.to_string());
        let down = |i: usize| conv(&at("down", i), channels << i, channels << (i + 1), 3, half);
        let inner = channels << halvings;
        let block = |i: usize| -> Result<[Conv2d; 2]> {
            let layer = |name: &str| conv(&at("blocks", i).pp(name), inner, inner, 3, ConvSpec::default());
            Ok([layer("conv0")?, layer("conv1")?])
        };
        let up = |i: usize| {
            let (from, to) = (inner >> i, inner >> (i + 1));
            ConvTranspose2d::new(&at("up", i), from, to, 3, half.output_padding(1), weights)
        };
        Ok(Global {
            input: conv(&scope.pp("input"), 3, channels, 7, ConvSpec::default())?,
            down: (0..halvings).map(down).collect::<Result<_>>()?,
            blocks: (0..blocks).map(block).collect::<Result<_>>()?,
            up: (0..halvings).map(up).collect::<Result<_>>()?,
            output: conv(&scope.pp("output"), channels, 3, 7, ConvSpec::default())?,
        })
    }

    /// Pictures `[N, 3, H, W]`, sides multiples of 2^halvings, → `[N, 3, H, W]` in (−1, 1).
    ///
    /// # Errors
    /// When the pictures are of another shape, or too small.
    pub fn forward(&self, pictures: &Tensor) -> Result<Tensor> {
        let step = 1 << self.down.len();
        match pictures.dims() {
            &[_, 3, h, w] if h % step == 0 && w % step == 0 => {}
            found => {
                let expected = format!("[N, 3, H, W], H and W multiples of {step}");
                return Err(Error::shape("pix2pixHD: pictures", found, expected));
            }
        }
        let mut x = activated(&self.input.forward(&reflect_pad(pictures, 3)?)?)?;
        for conv in &self.down {
            x = activated(&conv.forward(&x)?)?;
        }
        for [one, two] in &self.blocks {
            let h = activated(&one.forward(&reflect_pad(&x, 1)?)?)?;
            x = add(&x, &normed(&two.forward(&reflect_pad(&h, 1)?)?)?)?;
        }
        for conv in &self.up {
            x = activated(&conv.forward(&x)?)?;
        }
        tanh(&self.output.forward(&reflect_pad(&x, 3)?)?)
    }
}
