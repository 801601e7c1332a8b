//! The generator that grows (Karras et al. 2018, table 2), with or without pose maps.

use candle_core::{Device, Tensor};

use super::equal::{Equal, EqualConv2d, EqualLinear};
use super::level::{Level, Reached, lerp};
use super::pose::{PosedConv2d, Poses, check_poses};
use super::resample::up_conv2d;
use super::shape::GrowingShape;
use super::{PIXEL_NORM_EPSILON, SLOPE};
use crate::nn::params::Scope;
use crate::ops::activation::Activation;
use crate::ops::cast::full;
use crate::ops::conv::{ConvSpec, conv2d};
use crate::ops::epilogue::bias_activation;
use crate::ops::norm::pixel_norm;
use crate::ops::resample::upsample_nearest;
use crate::{Error, Result};

/// From a latent vector, and key points if there are any, to a picture of any resolution up to the finished one.
/// Parameters: `blocks.<resolution>.{dense, conv, conv0, conv1}`, `to_rgb.<resolution>`; buffer: `lod`, how many doublings
/// are missing to the finished pictures at this point of the training.
#[derive(Clone, Debug)]
pub struct Generator {
    shape: GrowingShape,
    keypoints: usize,
    dense: EqualLinear,
    conv: PosedConv2d,
    blocks: Vec<Block>,
    to_rgb: Vec<EqualConv2d>,
    reached: Reached,
    device: Device,
}

/// Doubling, two convolutions.
#[derive(Clone, Debug)]
struct Block {
    conv0: PosedConv2d,
    conv1: EqualConv2d,
    fused: bool,
}

impl Generator {
    /// The network of `shape` with `keypoints` pose maps joined at every resolution (0 for Progressive GAN itself), its
    /// parameters taken from `scope`.
    ///
    /// # Errors
    /// When the shape cannot be built, or the store holds a parameter with another shape.
    pub fn new(shape: &GrowingShape, keypoints: usize, scope: &Scope) -> Result<Generator> {
        shape.check()?;
        let (blocks, heads) = (scope.pp("blocks"), scope.pp("to_rgb"));
        let at = |resolution: usize| blocks.pp(resolution.to_string());
        let first = shape.channels(4);
        // The gain is √2/4, which makes up for the 16 pixels that the authors count into the fan-in.
        let dense = Equal::linear(std::f64::consts::SQRT_2 / 4.0);
        let block = |resolution: usize| -> Result<Block> {
            let (before, channels) = (shape.channels(resolution / 2), shape.channels(resolution));
            let scope = at(resolution);
            Ok(Block {
                conv0: PosedConv2d::new(&scope.pp("conv0"), [before, keypoints], channels, 3, Equal::relu())?,
                conv1: EqualConv2d::new(&scope.pp("conv1"), channels, channels, 3, Equal::relu())?,
                fused: shape.fused(resolution),
            })
        };
        let head = |resolution: usize| {
            let scope = heads.pp(resolution.to_string());
            EqualConv2d::new(&scope, shape.channels(resolution), 3, 1, Equal::linear(1.0))
        };
        Ok(Generator {
            shape: shape.clone(),
            keypoints,
            dense: EqualLinear::with_biases(&at(4).pp("dense"), shape.latent, 16 * first, first, dense)?,
            conv: PosedConv2d::new(&at(4).pp("conv"), [first, keypoints], first, 3, Equal::relu())?,
            blocks: shape.resolutions().skip(1).map(block).collect::<Result<_>>()?,
            to_rgb: shape.resolutions().map(head).collect::<Result<_>>()?,
            reached: Reached::new(shape.resolution, scope)?,
            device: scope.device().clone(),
        })
    }

    /// Where the parameters are.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Resolutions and channels.
    pub fn shape(&self) -> &GrowingShape {
        &self.shape
    }

    /// How far the network has grown, as training has left it; the finished size for one that was never trained.
    ///
    /// # Errors
    /// When the device refuses to copy.
    pub fn level(&self) -> Result<Level> {
        self.reached.level()
    }

    /// Writes down how far the network has grown, for those who use it later.
    ///
    /// # Errors
    /// When the device refuses.
    pub fn set_level(&self, level: Level) -> Result<()> {
        self.reached.set(level)
    }

    /// Latents `z` `[N, Z]`, standard normal, and as many poses → pictures `[N, 3, r, r]` of the level's resolution r, about
    /// in [−1, 1] (nothing limits them).
    ///
    /// # Errors
    /// When the shapes do not fit, or the network does not have this level.
    pub fn forward(&self, z: &Tensor, poses: Option<&Poses>, level: Level) -> Result<Tensor> {
        let n = z.dims().first().copied().unwrap_or(0);
        if z.dims() != [n, self.shape.latent] {
            return Err(Error::shape("generator: z", z.dims(), format!("[N, {}]", self.shape.latent)));
        }
        level.check(&self.shape)?;
        check_poses(poses, self.keypoints, n, level.resolution)?;
        let doublings = level.resolution.ilog2() as usize - 2;
        let mut x = self.first(z, poses)?;
        let mut before = None;
        for block in &self.blocks[..doublings] {
            let grown = block.forward(&x, poses)?;
            before = Some(std::mem::replace(&mut x, grown));
        }
        let picture = full(&self.to_rgb[doublings].forward(&x)?)?;
        match before {
            Some(before) if level.old() > 0.0 => {
                let old = full(&self.to_rgb[doublings - 1].forward(&before)?)?;
                lerp(&picture, &upsample_nearest(&old, 2)?, level.old())
            }
            _ => Ok(picture),
        }
    }

    /// [`forward`](Generator::forward) at the network's own [`level`](Generator::level), every pixel repeated up to the
    /// finished size.
    ///
    /// # Errors
    /// As [`forward`](Generator::forward).
    pub fn finished(&self, z: &Tensor, poses: Option<&Poses>) -> Result<Tensor> {
        self.reached.finished(|level| self.forward(z, poses, level))
    }

    /// 4 px: a dense layer and a convolution.
    fn first(&self, z: &Tensor, poses: Option<&Poses>) -> Result<Tensor> {
        let x = self.dense.forward_linear(&pixel_norm(z, PIXEL_NORM_EPSILON)?)?;
        let x = end(&x.reshape(((), self.shape.channels(4), 4, 4))?, &self.dense.bias()?)?;
        let layer = self.conv.layer()?;
        let x = conv2d(&x, &layer.weight, &ConvSpec::padded(1))?;
        end(&layer.add_poses(&x, poses)?, &layer.bias)
    }
}

impl Block {
    fn forward(&self, x: &Tensor, poses: Option<&Poses>) -> Result<Tensor> {
        let layer = self.conv0.layer()?;
        let x = up_conv2d(x, &layer.weight, self.fused)?;
        let x = end(&layer.add_poses(&x, poses)?, &layer.bias)?;
        let x = conv2d(&x, &self.conv1.weight()?, &ConvSpec::padded(1))?;
        end(&x, &self.conv1.bias()?)
    }
}

/// What follows every convolution: bias, leaky ReLU, pixel norm.
fn end(x: &Tensor, bias: &Tensor) -> Result<Tensor> {
    pixel_norm(&bias_activation(x, bias, Activation::LeakyRelu(SLOPE))?, PIXEL_NORM_EPSILON)
}
