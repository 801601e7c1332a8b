//! The U-Net of pix2pix (specs/clothing.md C.2): halvings down to a single pixel, and back.

use candle_core::Tensor;

use crate::nn::conv::{Conv2d, ConvSpec, ConvTranspose2d};
use crate::nn::dropout;
use crate::nn::init::{Init, Weights};
use crate::nn::norm::{BatchNorm, Mode, NormSpec};
use crate::nn::params::Scope;
use crate::ops::activation::{leaky_relu, relu, tanh};
use crate::rng::Stream;
use crate::{Error, Result};

/// From pictures `[N, 3, R, R]` to as many. Parameters: `down.<i>.{conv, norm}` and `up.<i>.{conv, norm}`, i from the full
/// size down.
#[derive(Clone, Debug)]
pub struct UNet {
    side: usize,
    down: Vec<(Conv2d, Option<BatchNorm>)>,
    up: Vec<(ConvTranspose2d, Option<BatchNorm>)>,
}

impl UNet {
    /// A network for pictures of `side` px, a power of two from 8 on, with `channels` (64) in its first layer, doubled with
    /// each halving up to eight times as many.
    ///
    /// # Errors
    /// When the size cannot be halved down to a pixel; when the store holds a parameter with another shape.
    pub fn new(side: usize, channels: usize, scope: &Scope) -> Result<UNet> {
        if !side.is_power_of_two() || side < 8 || channels == 0 {
            let found = format!("{side} px, {channels} channels");
            return Err(Error::invalid(
                "U-Net of pix2pix",
                found,
                "a power of two from 8 px on, 1 channel or more",
                "",
            ));
        }
        let halvings = side.ilog2() as usize;
        let features = |i: usize| channels << i.min(3);
        let (spec, weights) = (ConvSpec::padded(1).stride(2), Weights::normal(0.02));
        let norm = |scope: &Scope, channels: usize| {
            let weight = Init::Normal { mean: 1.0, std: 0.02 };
            BatchNorm::new(&scope.pp("norm"), channels, NormSpec { weight, ..NormSpec::default() })
        };
        let (mut down, mut up) = (Vec::new(), Vec::new());
        for i in 0..halvings {
            let (outer, inner) = (if i == 0 { 3 } else { features(i - 1) }, features(i));
            let below = scope.pp("down").pp(i.to_string());
            let conv = Conv2d::new(&below.pp("conv"), outer, inner, 4, spec, weights.without_bias())?;
            // Neither the first nor the last, which leaves a single pixel.
            let normal = if i == 0 || i + 1 == halvings { None } else { Some(norm(&below, inner)?) };
            down.push((conv, normal));
            let above = scope.pp("up").pp(i.to_string());
            let inputs = if i + 1 == halvings { inner } else { 2 * inner };
            let start = if i == 0 { weights } else { weights.without_bias() };
            let conv = ConvTranspose2d::new(&above.pp("conv"), inputs, outer, 4, spec, start)?;
            let normal = if i == 0 { None } else { Some(norm(&above, outer)?) };
            up.push((conv, normal));
        }
        Ok(UNet { side, down, up })
    }

    /// Pictures `[N, 3, R, R]` → `[N, 3, R, R]` in (−1, 1). With `noise`, half of the features are dropped after up to three
    /// of the layers of eight times the channels, but for the innermost: that is the network's only source of chance.
    ///
    /// # Errors
    /// When the pictures have another size.
    pub fn forward(&self, pictures: &Tensor, mode: Mode, mut noise: Option<&mut Stream>) -> Result<Tensor> {
        if pictures.rank() != 4 || pictures.dims()[1..] != [3, self.side, self.side] {
            let expected = format!("[N, 3, {0}, {0}]", self.side);
            return Err(Error::shape("U-Net of pix2pix: pictures", pictures.dims(), expected));
        }
        let mut x = pictures.clone();
        let mut kept = Vec::with_capacity(self.down.len());
        for (i, (conv, norm)) in self.down.iter().enumerate() {
            x = if i == 0 { conv.forward(&x)? } else { conv.forward(&leaky_relu(&x, 0.2)?)? };
            if let Some(norm) = norm {
                x = norm.forward(&x, mode)?;
            }
            kept.push(x.clone());
        }
        kept.pop();
        for (i, (conv, norm)) in self.up.iter().enumerate().rev() {
            x = conv.forward(&relu(&x)?)?;
            let Some(norm) = norm else { break };
            x = norm.forward(&x, mode)?;
            if let Some(stream) = noise.as_deref_mut()
                && self.drops(i)
            {
                x = dropout::half(&x, stream)?;
            }
            let skip = kept.pop().ok_or_else(|| Error::shape("U-Net of pix2pix: skips", &[i], "one a doubling"))?;
            x = Tensor::cat(&[&skip, &x], 1)?;
        }
        tanh(&x)
    }

    /// Whether features are dropped after the layer that doubles to the size after `i` halvings: between the innermost and
    /// the four outer ones.
    fn drops(&self, i: usize) -> bool {
        i >= 4 && i + 1 < self.up.len()
    }
}
