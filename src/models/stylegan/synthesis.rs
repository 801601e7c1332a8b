//! From styles and noise to a picture (section 2, figure 1b, right).

use std::ops::Range;

use candle_core::{Tensor, Var};

use super::styles::Styles;
use crate::nn::init::Init;
use crate::nn::params::Scope;
use crate::nn::progressive::equal::{Equal, EqualConv2d, EqualLinear};
use crate::nn::progressive::level::lerp;
use crate::nn::progressive::resample::up_conv2d;
use crate::nn::progressive::{GrowingShape, Level, SLOPE};
use crate::ops::cast::{full, like};
use crate::ops::conv::{ConvSpec, conv2d};
use crate::ops::epilogue::layer_epilogue;
use crate::ops::fir;
use crate::ops::norm::adaptive_instance_norm;
use crate::ops::resample::upsample_nearest;
use crate::{Error, Result};

/// Added to the variance before the root of instance norms.
const EPSILON: f64 = 1e-8;
const NOISE: Init = Init::Normal { mean: 0.0, std: 1.0 };

/// The noise that layers add.
#[derive(Clone, Debug)]
pub enum Noise<'a> {
    /// Fresh: `[N, Synthesis::noise_len]` of standard normal numbers.
    Drawn(&'a Tensor),
    /// The network's own, the same for every picture, in a range of layers; elsewhere none.
    Fixed(Range<usize>),
    /// None.
    Off,
}

/// The synthesis network. Parameters: `const`, `layers.<layer>.{weight, bias, noise_strength, style}`,
/// `to_rgb.<resolution>`; buffers: `layers.<layer>.noise`.
#[derive(Clone, Debug)]
pub struct Synthesis {
    shape: GrowingShape,
    start: Tensor,
    layers: Vec<Layer>,
    to_rgb: Vec<EqualConv2d>,
}

/// A convolution, but for the first layer, and what follows it.
#[derive(Clone, Debug)]
struct Layer {
    conv: Option<Conv>,
    bias: Tensor,
    strength: Tensor,
    style: EqualLinear,
    noise: Var,
    channels: usize,
}

#[derive(Clone, Debug)]
struct Conv {
    conv: EqualConv2d,
    /// Doubles the resolution first, fused or not.
    up: Option<bool>,
}

impl Synthesis {
    /// The network of `shape`, its parameters taken from `scope`.
    ///
    /// # Errors
    /// When the shape cannot be built, or the store holds a parameter with another shape.
    pub fn new(shape: &GrowingShape, scope: &Scope) -> Result<Synthesis> {
        shape.check()?;
        let (below, heads) = (scope.pp("layers"), scope.pp("to_rgb"));
        let mut layers = Vec::new();
        for resolution in shape.resolutions() {
            let channels = shape.channels(resolution);
            for second in [false, true] {
                let i = layers.len();
                let (inputs, up) = match (resolution, second) {
                    (4, false) => (None, None),
                    (_, false) => (Some(shape.channels(resolution / 2)), Some(shape.fused(resolution))),
                    (_, true) => (Some(channels), None),
                };
                let scope = below.pp(i.to_string());
                // The convolution's bias is the layer's, added after the noise.
                let conv =
                    inputs.map(|inputs| EqualConv2d::new(&scope, inputs, channels, 3, Equal::relu())).transpose()?;
                layers.push(Layer {
                    conv: conv.map(|conv| Conv { conv, up }),
                    bias: scope.param("bias", &[channels], Init::Const(0.0))?,
                    strength: scope.param("noise_strength", &[channels], Init::Const(0.0))?,
                    style: EqualLinear::new(&scope.pp("style"), shape.latent, 2 * channels, Equal::linear(1.0))?,
                    noise: scope.drawn_buffer("noise", &[1, 1, resolution, resolution], NOISE)?,
                    channels,
                });
            }
        }
        let head = |resolution: usize| {
            let scope = heads.pp(resolution.to_string());
            EqualConv2d::new(&scope, shape.channels(resolution), 3, 1, Equal::linear(1.0))
        };
        let first = shape.channels(4);
        Ok(Synthesis {
            shape: shape.clone(),
            start: scope.param("const", &[1, first, 4, 4], Init::Const(1.0))?,
            layers,
            to_rgb: shape.resolutions().map(head).collect::<Result<_>>()?,
        })
    }

    /// Layers, each with a style: two a resolution.
    pub fn layers(&self) -> usize {
        self.layers.len()
    }

    /// Layers that are at work at this level.
    pub fn layers_at(level: Level) -> usize {
        2 * (level.resolution.max(4).ilog2() as usize - 1)
    }

    /// Numbers of noise that one picture of this level takes.
    pub fn noise_len(level: Level) -> usize {
        Synthesis::noise_sides(level).into_iter().map(|side| side * side).sum()
    }

    /// Sides of the planes of noise that a picture of this level takes, layer by layer.
    pub fn noise_sides(level: Level) -> Vec<usize> {
        (0..Synthesis::layers_at(level)).map(|layer| 4 << (layer / 2)).collect()
    }

    /// The network's own noise, as [`Noise::Drawn`] takes it: `[1, noise_len]`.
    ///
    /// # Errors
    /// When the device has no memory for it.
    pub fn own_noise(&self, level: Level) -> Result<Tensor> {
        let layers = &self.layers[..Synthesis::layers_at(level).min(self.layers.len())];
        let planes: Vec<Tensor> =
            layers.iter().map(|layer| layer.noise.as_detached_tensor().flatten_all()).collect::<Result<_, _>>()?;
        Ok(Tensor::cat(&planes, 0)?.unsqueeze(0)?)
    }

    /// Styles of every layer `[N, W]` → pictures `[N, 3, r, r]` of the level's resolution, about in [−1, 1].
    ///
    /// # Errors
    /// When the shapes do not fit, or the network does not have this level.
    pub fn forward(&self, styles: &Styles, noise: &Noise, level: Level) -> Result<Tensor> {
        level.check(&self.shape)?;
        let (active, styles) = (Synthesis::layers_at(level), styles.layers());
        if styles.len() != self.layers.len() {
            let (found, expected) = (format!("{} layers", styles.len()), format!("{}", self.layers.len()));
            return Err(Error::invalid("synthesis: styles", found, expected, ""));
        }
        let n = styles[0].dims().first().copied().unwrap_or(0);
        let (_, channels, h, w) = self.start.dims4()?;
        let mut x = self.start.broadcast_as((n, channels, h, w))?.contiguous()?;
        let (mut before, mut taken) = (None, 0);
        for (i, (layer, style)) in self.layers[..active].iter().zip(styles).enumerate() {
            if i >= 2 && i + 2 == active {
                before = Some(x.clone());
            }
            let side = 4usize << (i / 2);
            let planes = layer.planes(noise, i, [n, side, taken])?;
            x = layer.forward(&x, style, &planes)?;
            taken += side * side;
        }
        let head = active / 2 - 1;
        let picture = full(&self.to_rgb[head].forward(&x)?)?;
        match before {
            Some(before) if level.old() > 0.0 => {
                let old = full(&self.to_rgb[head - 1].forward(&before)?)?;
                lerp(&picture, &upsample_nearest(&old, 2)?, level.old())
            }
            _ => Ok(picture),
        }
    }
}

impl Layer {
    /// The noise of this layer, `[n, 1, side, side]`; `taken` numbers of what was drawn belong to the layers before.
    fn planes(&self, noise: &Noise, i: usize, [n, side, taken]: [usize; 3]) -> Result<Tensor> {
        let dims = (n, 1, side, side);
        match noise {
            Noise::Drawn(drawn) => {
                let fits = drawn.rank() == 2 && drawn.dims()[0] == n && drawn.dims()[1] >= taken + side * side;
                if !fits {
                    let expected = format!("[{n}, {} or more]", taken + side * side);
                    return Err(Error::shape("synthesis: noise", drawn.dims(), expected));
                }
                Ok(drawn.narrow(1, taken, side * side)?.contiguous()?.reshape(dims)?)
            }
            Noise::Fixed(layers) if layers.contains(&i) => {
                Ok(self.noise.as_detached_tensor().broadcast_as(dims)?.contiguous()?)
            }
            _ => Ok(self.noise.as_detached_tensor().zeros_like()?.broadcast_as(dims)?.contiguous()?),
        }
    }

    fn forward(&self, x: &Tensor, style: &Tensor, noise: &Tensor) -> Result<Tensor> {
        let x = match &self.conv {
            None => x.clone(),
            Some(Conv { conv, up }) => {
                let weight = conv.weight()?;
                let x = like(x, &weight)?;
                match up {
                    None => conv2d(&x, &weight, &ConvSpec::padded(1))?,
                    Some(fused) => fir::blur(&up_conv2d(&x, &weight, *fused)?)?,
                }
            }
        };
        let x = layer_epilogue(&x, noise, &self.strength, &self.bias, SLOPE, 1.0)?;
        let style = full(&self.style.forward(style)?)?;
        let scale = (style.narrow(1, 0, self.channels)?.contiguous()? + 1.0)?;
        let shift = style.narrow(1, self.channels, self.channels)?.contiguous()?;
        adaptive_instance_norm(&x, &scale, &shift, EPSILON)
    }
}
