//! Networks that metrics are made of: they take pictures and give features. All but the tagger and the
//! reader of poses are published ones, never trained here.
//!
//! | network | from | gives |
//! |---|---|---|
//! | [`inception::Inception`] | Inception-v3 of 2015-12-05, with which FID was defined | 64, 192, 768, 2048 features, 1008 classes |
//! | [`trunk::Trunk`] | torchvision's AlexNet, VGG-16, VGG-19, SqueezeNet 1.1 without their classifiers | maps |
//! | [`lpips::Lpips`] | such a trunk and the heads of Zhang et al. | a perceptual distance |
//! | [`illustration2vec::Illustration2Vec`] | the tag and feature networks of Saito and Matsui | 1539 tags, 4096 features |
//! | [`tagger::Tagger`] | this crate, where it was trained on drawn faces | 34 tags, 256 features, a perceptual distance |
//! | [`pose_reader::PoseReader`] | nobody: it is trained on posed pictures where it is needed | key points |
//!
//! [`extractor::Extractor`] is what metrics of features ask of any of them; [`perceptual::Perceptual`] is a distance of
//! pictures that can be differentiated.
//!
//! No other weights come with this crate: [`weights`] says which files there are and imports them.

mod layer;
mod reader;

pub mod extractor;
pub mod illustration2vec;
pub mod inception;
pub mod lpips;
pub mod perceptual;
pub mod pose_reader;
pub mod resize;
pub mod tagger;
pub mod trunk;
pub mod weights;

use candle_core::Tensor;
use image::RgbImage;
use rayon::prelude::*;

use crate::{Error, Result};

/// Pictures that go through a network at once: few enough for 1 GiB in the widest layer of VGG, enough to keep all
/// threads busy.
const BATCH: usize = 8;

/// `run` on batches of prepared pictures; its results behind each other. A batch that is not full is filled up with
/// zeros: how a convolution is computed, and with it the last bits, depends on the number of pictures, and the features
/// of a picture shall not depend on its company.
fn in_batches(
    pictures: &[RgbImage],
    prepare: impl Fn(&RgbImage) -> Result<Tensor> + Sync,
    run: impl Fn(&Tensor) -> Result<Tensor>,
) -> Result<Tensor> {
    if pictures.is_empty() {
        return Err(Error::invalid("pictures", "none", "at least one", ""));
    }
    let batch = |pictures: &[RgbImage]| Ok(run(&full_batch(pictures, &prepare)?)?.narrow(0, 0, pictures.len())?);
    let results = pictures.chunks(BATCH).map(batch).collect::<Result<Vec<Tensor>>>()?;
    Ok(Tensor::cat(&results, 0)?)
}

/// One to [`BATCH`] prepared pictures, and zeros behind them.
fn full_batch(pictures: &[RgbImage], prepare: impl Fn(&RgbImage) -> Result<Tensor> + Sync) -> Result<Tensor> {
    let prepared = pictures.par_iter().map(&prepare).collect::<Result<Vec<Tensor>>>()?;
    Ok(Tensor::stack(&prepared, 0)?.pad_with_zeros(0, 0, BATCH - pictures.len())?)
}
