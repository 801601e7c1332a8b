//! Key points as PSGAN's networks see them: one map per key point, −1 but for one pixel (Hamada et al. 2018, section 3).

use candle_core::{DType, Tensor};
use serde::{Deserialize, Serialize};

use super::equal::{Equal, EqualConv2d};
use crate::nn::conv::{Conv2d, ConvSpec};
use crate::nn::params::Scope;
use crate::ops::arithmetic::affine;
use crate::ops::cast::like;
use crate::ops::conv::conv2d;
use crate::ops::data::pose_maps;
use crate::ops::pose::{Levels, Pixels, add_pose_response, key_points};
use crate::{Error, Result};

/// Where a discriminator reads the pose. The generator joins it with its features in any case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Inject {
    /// With the features of every resolution.
    #[default]
    Features,
    /// With the picture, at the resolutions at which it comes in.
    Rgb,
    /// Both.
    Both,
}

impl Inject {
    pub(super) fn with_features(self) -> bool {
        self != Inject::Rgb
    }

    pub(super) fn with_picture(self) -> bool {
        self != Inject::Features
    }
}

/// The poses of a batch. Maps of every resolution follow from the pixels of the key points.
#[derive(Clone, Debug)]
pub struct Poses {
    /// `[N, M, 3]` of f32, on the device of the networks.
    points: Tensor,
    /// Side of the pictures that the points are pixels of.
    size: usize,
    levels: Levels,
    pixels: Pixels,
}

impl Poses {
    /// Key points `[N, M, 3]` in pixels of pictures of side `size`: x, y, and a number above 0 where the point is known.
    /// A point's pixel is (⌊x⌋, ⌊y⌋); the map of one that is unknown or outside of the picture is −1 all over.
    ///
    /// # Errors
    /// When the shape is another, or the size is not a power of two from 4 on.
    pub fn new(points: &Tensor, size: usize) -> Result<Poses> {
        let points = key_points(points)?;
        if !size.is_power_of_two() || size < 4 {
            return Err(Error::invalid("poses: size", format!("{size} px"), "a power of two from 4 px on", ""));
        }
        let pixels = Pixels::new(&points, [size, size])?;
        Ok(Poses { points, size, levels: Levels::default(), pixels })
    }

    /// Key points `[N, M, 3]` as [`Batch::points`](crate::data::batch::Batch::points) has them, x and y as shares of the
    /// side, for networks whose finished pictures have the side `size`.
    ///
    /// # Errors
    /// As [`Poses::new`].
    pub fn of_shares(points: &Tensor, size: usize) -> Result<Poses> {
        let factors = Tensor::new(&[[[size as f32, size as f32, 1.0]]], points.device())?;
        Poses::new(&key_points(points)?.broadcast_mul(&factors)?, size)
    }

    /// The same poses in maps of other numbers than −1 and 1.
    pub fn in_maps_of(self, levels: Levels) -> Poses {
        Poses { levels, pixels: self.pixels.in_maps_of(levels), ..self }
    }

    /// The same poses, each one picture further on, the last one with the first picture: nobody's own.
    ///
    /// # Errors
    /// When memory runs out.
    pub fn exchanged(&self) -> Result<Poses> {
        let (last, rest) = (self.len().saturating_sub(1), self.points.narrow(0, 0, self.len().saturating_sub(1))?);
        let points = Tensor::cat(&[&self.points.narrow(0, last, self.len() - last)?, &rest], 0)?;
        Ok(Poses::new(&points, self.size)?.in_maps_of(self.levels))
    }

    /// Number of poses.
    pub fn len(&self) -> usize {
        self.points.dims()[0]
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Key points of a pose.
    pub fn keypoints(&self) -> usize {
        self.points.dims()[1]
    }

    /// The maps of side `resolution`, `[N, M, resolution, resolution]`, f32: what maximum pooling of the maps at full size
    /// gives.
    ///
    /// # Errors
    /// When the size is not a multiple of the resolution.
    pub fn maps(&self, resolution: usize) -> Result<Tensor> {
        self.halvings(resolution)?;
        let factor = resolution as f32 / self.size as f32;
        let factors = Tensor::new(&[[[factor, factor, 1.0]]], self.points.device())?;
        let maps = pose_maps(&self.points.broadcast_mul(&factors)?, [resolution, resolution], 0.0)?;
        let Levels { ground, point } = self.levels;
        if self.levels == Levels::default() {
            Ok(maps)
        } else {
            affine(&maps, (point - ground) / 2.0, (point + ground) / 2.0)
        }
    }

    /// `x` `[N, C, r, r]` plus the convolution of the maps of that resolution with `weight` `[C, M, k, k]`. No map is
    /// made.
    ///
    /// # Errors
    /// When the shapes do not fit.
    pub fn add_response(&self, x: &Tensor, weight: &Tensor) -> Result<Tensor> {
        let resolution = x.dims().last().copied().unwrap_or(0);
        let halvings = self.halvings(resolution)?;
        add_pose_response(x, weight, &self.pixels.pooled(halvings))
    }

    /// The convolution of the maps themselves with `weight` `[C, M, k, k]` → `[N, C, resolution, resolution]`.
    ///
    /// # Errors
    /// When the shapes do not fit.
    pub fn dense_response(&self, weight: &Tensor, resolution: usize) -> Result<Tensor> {
        let padding = weight.dims().last().copied().unwrap_or(1) / 2;
        let maps = self.maps(resolution)?;
        let maps = if weight.dtype() == DType::F64 { maps.to_dtype(DType::F64)? } else { like(&maps, weight)? };
        conv2d(&maps, weight, &ConvSpec::padded(padding))
    }

    fn halvings(&self, resolution: usize) -> Result<u32> {
        if !resolution.is_power_of_two() || resolution > self.size {
            let expected = format!("a power of two up to {} px", self.size);
            return Err(Error::invalid("pose maps", format!("{resolution} px"), expected, ""));
        }
        Ok(self.size.ilog2() - resolution.ilog2())
    }
}

/// A convolution whose input is followed by pose maps, if there are any: its weight is `[out, in + M, k, k]`.
#[derive(Clone, Debug)]
pub(super) struct PosedConv2d {
    conv: EqualConv2d,
    features: usize,
    keypoints: usize,
    padding: usize,
}

/// A [`PosedConv2d`] at work: what it multiplies features by, what maps, and what it adds.
pub(super) struct PosedLayer {
    pub(super) weight: Tensor,
    pub(super) of_maps: Option<Tensor>,
    pub(super) bias: Tensor,
    padding: usize,
}

impl PosedConv2d {
    pub(super) fn new(
        scope: &Scope,
        [features, keypoints]: [usize; 2],
        outputs: usize,
        k: usize,
        equal: Equal,
    ) -> Result<PosedConv2d> {
        let conv = EqualConv2d::new(scope, features + keypoints, outputs, k, equal)?;
        Ok(PosedConv2d { conv, features, keypoints, padding: k / 2 })
    }

    pub(super) fn layer(&self) -> Result<PosedLayer> {
        let (weight, bias, padding) = (self.conv.weight()?, self.conv.bias()?, self.padding);
        if self.keypoints == 0 {
            return Ok(PosedLayer { weight, of_maps: None, bias, padding });
        }
        let of_maps = weight.narrow(1, self.features, self.keypoints)?.contiguous()?;
        let weight = weight.narrow(1, 0, self.features)?.contiguous()?;
        Ok(PosedLayer { weight, of_maps: Some(of_maps), bias, padding })
    }
}

impl PosedLayer {
    /// The part that features go through, with the bias.
    pub(super) fn of_features(&self) -> Conv2d {
        Conv2d::of(self.weight.clone(), Some(self.bias.clone()), ConvSpec::padded(self.padding))
    }

    /// Adds the answer to the poses, if the layer reads them.
    pub(super) fn add_poses(&self, x: &Tensor, poses: Option<&Poses>) -> Result<Tensor> {
        match (&self.of_maps, poses) {
            (Some(of_maps), Some(poses)) => poses.add_response(x, of_maps),
            (None, _) => Ok(x.clone()),
            (Some(of_maps), None) => Err(missing(of_maps.dims()[1])),
        }
    }
}

pub(super) fn missing(keypoints: usize) -> Error {
    let hint = "Train on a data set with key points, or without poses (Progressive GAN).";
    Error::invalid("poses", "none", format!("{keypoints} key points per picture"), hint)
}

/// That a network of `keypoints` key points can read these poses for `n` pictures of at most `resolution` pixels.
pub(super) fn check_poses(poses: Option<&Poses>, keypoints: usize, n: usize, resolution: usize) -> Result<()> {
    match poses {
        None if keypoints == 0 => Ok(()),
        None => Err(missing(keypoints)),
        Some(poses) if poses.len() == n && poses.keypoints() == keypoints && poses.size >= resolution => Ok(()),
        Some(poses) => {
            let expected = format!("[{n}, {keypoints}, 3] for pictures of at least {resolution} px");
            Err(Error::shape("poses: key points", poses.points.dims(), expected))
        }
    }
}
