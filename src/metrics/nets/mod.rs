//! Published networks that metrics are made of: they take pictures, give features, and are never trained here.
//!
//! | network | from | gives |
//! |---|---|---|
//! | [`inception::Inception`] | Inception-v3 of 2015-12-05, with which FID was defined | 64, 192, 768, 2048 features, 1008 classes |
//! | [`trunk::Trunk`] | torchvision's AlexNet, VGG-16, VGG-19, SqueezeNet 1.1 without their classifiers | maps |
//! | [`lpips::Lpips`] | such a trunk and the heads of Zhang et al. | a perceptual distance |
//! | [`illustration2vec::Illustration2Vec`] | the tag and feature networks of Saito and Matsui | 1539 tags, 4096 features |
//!
//! No weights come with this crate: [`weights`] says which files there are and imports them.

mod layer;

pub mod illustration2vec;
pub mod inception;
pub mod lpips;
pub mod resize;
pub mod trunk;
pub mod weights;

use candle_core::Tensor;
use image::RgbImage;
use rayon::prelude::*;

use crate::{Error, Result};

/// Pictures that go through a network at once: few enough for 2 GiB in the widest layer of VGG, enough to keep all
/// threads busy.
const BATCH: usize = 16;

/// `run` on batches of prepared pictures; its results behind each other.
fn in_batches(
    pictures: &[RgbImage],
    prepare: impl Fn(&RgbImage) -> Result<Tensor> + Sync,
    run: impl Fn(&Tensor) -> Result<Tensor>,
) -> Result<Tensor> {
    if pictures.is_empty() {
        return Err(Error::invalid("pictures", "none", "at least one", ""));
    }
    let batch = |pictures: &[RgbImage]| {
        let prepared = pictures.par_iter().map(&prepare).collect::<Result<Vec<Tensor>>>()?;
        run(&Tensor::stack(&prepared, 0)?)
    };
    let results = pictures.chunks(BATCH).map(batch).collect::<Result<Vec<Tensor>>>()?;
    Ok(Tensor::cat(&results, 0)?)
}
