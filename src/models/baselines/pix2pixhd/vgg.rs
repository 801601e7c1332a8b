//! The perceptual term, which the authors' code can leave out: distances between what VGG-19 sees in the made picture and in
//! the real one (specs/clothing.md C.3).

use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use serde::{Deserialize, Serialize};

use crate::losses::features;
use crate::metrics::nets::trunk::{Architecture, Trunk};
use crate::metrics::nets::weights::{Kind, Weights};
use crate::ops::cast::cast;
use crate::{Error, Result};

/// Weights of the layers, from the finest on.
const WEIGHTS: [f64; 5] = [1.0 / 32.0, 1.0 / 16.0, 1.0 / 8.0, 1.0 / 4.0, 1.0];

/// The term in a configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VggTerm {
    /// A file with the weights of torchvision's VGG-19: its own `vgg19-dcbb9e9d.pth`, or what `tachie import torch --kind
    /// vgg19` has written. Training needs it, drawing does not. Nothing is downloaded.
    pub weights: PathBuf,
    /// Factor of the term: 10 in the authors' code.
    pub factor: f64,
}

impl VggTerm {
    /// The authors' factor.
    pub fn new(weights: impl Into<PathBuf>) -> VggTerm {
        VggTerm { weights: weights.into(), factor: 10.0 }
    }

    /// Whether there is a file.
    ///
    /// # Errors
    /// When there is none: the message says where to get it.
    pub(super) fn check_file(&self) -> Result<()> {
        if self.weights.is_file() {
            return Ok(());
        }
        let hint = "`tachie fetch weights-vgg19` downloads and checks it; the term is left out with `vgg: None`.";
        Err(Error::file(&self.weights, "no file", "the weights of VGG-19 for pix2pixHD's perceptual term", hint))
    }
}

/// VGG-19 as a measure of distance.
#[derive(Clone, Debug)]
pub struct VggDistance(Trunk);

impl VggDistance {
    /// Reads the weights of torchvision's VGG-19.
    ///
    /// # Errors
    /// When the file cannot be read, or holds other weights: the message lists what is missing or wrong by name.
    pub fn open(path: impl AsRef<Path>, device: &Device) -> Result<VggDistance> {
        let weights = Weights::import(path, Kind::Vgg19)?;
        Ok(VggDistance(Trunk::new(&weights.tensors, Architecture::Vgg19, device)?))
    }

    /// Σ wᵢ · mean |φᵢ(`made`) − φᵢ(`real`)| of pictures `[N, 3, H, W]` in [−1, 1], which go in as they are, of 16 px or more.
    /// φᵢ is the ReLU after the first convolution of group i, wᵢ = 1/32, 1/16, 1/8, 1/4, 1. No gradient goes to `real`. In
    /// f32. A scalar, 0 or more.
    ///
    /// # Errors
    /// When the pictures have other shapes, or lie on another device.
    pub fn distance(&self, made: &Tensor, real: &Tensor) -> Result<Tensor> {
        let looks = |pictures: &Tensor| self.0.firsts(&cast(pictures, DType::F32)?);
        let distance = features::matching(&looks(made)?, &looks(&real.detach())?, &WEIGHTS)?;
        distance.ok_or_else(|| Error::invalid("VGG-19", "no layer", "five", ""))
    }
}
