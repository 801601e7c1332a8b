//! Inception-v3 as TensorFlow published it on 2015-12-05 (Szegedy et al. 2015, arXiv:1512.00567), the network of FID
//! (Heusel et al. 2017) and of the Inception score.
//!
//! Parameters have pytorch-fid's names. Against torchvision's `inception_v3` it differs in three places: average pools
//! do not count their padding, the pool of the last block takes maxima, and there are 1008 classes.

mod blocks;

use std::collections::BTreeMap;
use std::path::Path;

use candle_core::{Device, Tensor};
use image::RgbImage;

use self::blocks::{BlockA, BlockB, BlockC, BlockD, BlockE, Pool, Unit};
use super::in_batches;
use super::layer::{Layer, build, check_pictures, global_mean};
use super::resize::Protocol;
use super::weights::{Card, Kind, Weights};
use crate::nn::conv::ConvSpec;
use crate::nn::init::Weights as Start;
use crate::nn::linear::Linear;
use crate::nn::params::Scope;
use crate::ops::max_pool::{Rounding, max_pool2d};
use crate::{Error, Result};

/// Side of the pictures that the protocols of FID feed.
pub const SIZE: usize = 299;
/// The smallest side of which something reaches the last pool.
const SMALLEST: usize = 75;

/// Where features are taken; FID means [`Tap::Pool3`], the others are for few pictures and not comparable with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tap {
    /// 64 features, after the first maximum pool.
    Pool1,
    /// 192 features, after the second maximum pool.
    Pool2,
    /// 768 features, before the auxiliary classifier's place.
    Mixed6e,
    /// 2048 features, the last ones.
    Pool3,
}

impl Tap {
    /// The tap with that many features: `64`, `192`, `768` or `2048`.
    ///
    /// # Errors
    /// When there is none.
    pub fn named(dims: &str) -> Result<Tap> {
        let taps = [Tap::Pool1, Tap::Pool2, Tap::Mixed6e, Tap::Pool3];
        let found = taps.into_iter().find(|tap| tap.dims().to_string() == dims);
        found.ok_or_else(|| Error::invalid("features of Inception", dims, "64, 192, 768 or 2048", ""))
    }

    /// How many features there are.
    pub fn dims(self) -> usize {
        match self {
            Tap::Pool1 => 64,
            Tap::Pool2 => 192,
            Tap::Mixed6e => 768,
            Tap::Pool3 => 2048,
        }
    }
}

/// The network, in evaluation.
#[derive(Clone, Debug)]
pub struct Inception {
    /// Conv2d_1a_3x3 to Conv2d_4a_3x3.
    stem: [Layer; 5],
    mixed_5: [BlockA; 3],
    mixed_6a: BlockB,
    mixed_6: [BlockC; 4],
    mixed_7a: BlockD,
    mixed_7: [BlockE; 2],
    fc: Linear,
    device: Device,
    card: Option<Card>,
}

impl Inception {
    /// Reads a file that `tachie import torch --kind inception` has written.
    ///
    /// # Errors
    /// When the file cannot be read, or is not the weights of this network.
    pub fn open(path: impl AsRef<Path>, device: &Device) -> Result<Inception> {
        let weights = Weights::open(path, Kind::Inception)?;
        Ok(Inception { card: Some(weights.card), ..Inception::new(&weights.tensors, device)? })
    }

    /// The network with these weights, by pytorch-fid's names.
    ///
    /// # Errors
    /// Lists by name what is missing, surplus or of another shape.
    pub fn new(tensors: &BTreeMap<String, Tensor>, device: &Device) -> Result<Inception> {
        build(tensors, device, Inception::at)
    }

    pub(super) fn at(scope: &Scope) -> Result<Inception> {
        let unit = |name: &str, channels, kernel: usize, spec| Unit(&scope.pp(name)).layer(channels, [kernel; 2], spec);
        let (plain, padded, half) = (ConvSpec::default(), ConvSpec::padded(1), ConvSpec::default().stride(2));
        Ok(Inception {
            stem: [
                unit("Conv2d_1a_3x3", [3, 32], 3, half)?,
                unit("Conv2d_2a_3x3", [32, 32], 3, plain)?,
                unit("Conv2d_2b_3x3", [32, 64], 3, padded)?,
                unit("Conv2d_3b_1x1", [64, 80], 1, plain)?,
                unit("Conv2d_4a_3x3", [80, 192], 3, plain)?,
            ],
            mixed_5: [
                BlockA::new(&scope.pp("Mixed_5b"), 192, 32)?,
                BlockA::new(&scope.pp("Mixed_5c"), 256, 64)?,
                BlockA::new(&scope.pp("Mixed_5d"), 288, 64)?,
            ],
            mixed_6a: BlockB::new(&scope.pp("Mixed_6a"))?,
            mixed_6: [
                BlockC::new(&scope.pp("Mixed_6b"), 128)?,
                BlockC::new(&scope.pp("Mixed_6c"), 160)?,
                BlockC::new(&scope.pp("Mixed_6d"), 160)?,
                BlockC::new(&scope.pp("Mixed_6e"), 192)?,
            ],
            mixed_7a: BlockD::new(&scope.pp("Mixed_7a"))?,
            mixed_7: [
                BlockE::new(&scope.pp("Mixed_7b"), 1280, Pool::Mean)?,
                BlockE::new(&scope.pp("Mixed_7c"), 2048, Pool::Maximum)?,
            ],
            fc: Linear::new(&scope.pp("fc"), 2048, 1008, Start::normal(0.0))?,
            device: scope.device().clone(),
            card: None,
        })
    }

    /// What the weights are; `None` for weights that came from no file.
    pub fn card(&self) -> Option<&Card> {
        self.card.as_ref()
    }

    /// The maps at `tap`: x `[N, 3, H, W]` in [−1, 1], from 75 px on → `[N, dims, h, w]`.
    ///
    /// # Errors
    /// When x has another shape.
    pub fn maps(&self, x: &Tensor, tap: Tap) -> Result<Tensor> {
        check_pictures("Inception: input", x, SMALLEST)?;
        let through = |x: Tensor, layers: &[Layer]| layers.iter().try_fold(x, |x, layer| layer.forward(&x));
        let x = through(x.clone(), &self.stem[..3])?;
        let x = max_pool2d(&x, 3, 2, 0, Rounding::Down)?;
        if tap == Tap::Pool1 {
            return Ok(x);
        }
        let x = through(x, &self.stem[3..])?;
        let x = max_pool2d(&x, 3, 2, 0, Rounding::Down)?;
        if tap == Tap::Pool2 {
            return Ok(x);
        }
        let x = self.mixed_5.iter().try_fold(x, |x, block| block.forward(&x))?;
        let x = self.mixed_6a.forward(&x)?;
        let x = self.mixed_6.iter().try_fold(x, |x, block| block.forward(&x))?;
        if tap == Tap::Mixed6e {
            return Ok(x);
        }
        let x = self.mixed_7a.forward(&x)?;
        self.mixed_7.iter().try_fold(x, |x, block| block.forward(&x))
    }

    /// The features at `tap`, means over its maps: x `[N, 3, H, W]` in [−1, 1] → `[N, dims]`.
    ///
    /// # Errors
    /// As [`Inception::maps`].
    pub fn features(&self, x: &Tensor, tap: Tap) -> Result<Tensor> {
        global_mean(&self.maps(x, tap)?)
    }

    /// The features of pictures of any sizes, brought to 299 px by `protocol`: `[N, dims]`, f32, on the CPU.
    ///
    /// # Errors
    /// When there is no picture, or one is empty.
    pub fn features_of(&self, pictures: &[RgbImage], protocol: Protocol, tap: Tap) -> Result<Tensor> {
        let prepare = |picture: &RgbImage| protocol.prepare(picture, SIZE);
        in_batches(pictures, prepare, |x| {
            Ok(self.features(&x.to_device(&self.device)?, tap)?.to_device(&Device::Cpu)?)
        })
    }

    /// The logits of the 1008 classes: features `[N, 2048]` → `[N, 1008]`.
    ///
    /// # Errors
    /// When the features have another shape.
    pub fn logits(&self, features: &Tensor) -> Result<Tensor> {
        self.fc.forward(features)
    }

    /// [`Inception::logits_unbiased`] of features wherever they are, on the CPU.
    pub(super) fn class_scores(&self, features: &Tensor) -> Result<Tensor> {
        Ok(self.logits_unbiased(&features.to_device(&self.device)?)?.to_device(&Device::Cpu)?)
    }

    /// The logits without their bias, of which the Inception score is computed (Salimans et al. 2016, their program).
    ///
    /// # Errors
    /// As [`Inception::logits`].
    pub fn logits_unbiased(&self, features: &Tensor) -> Result<Tensor> {
        self.fc.forward_linear(features)
    }
}
