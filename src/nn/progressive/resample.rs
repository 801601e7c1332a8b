//! Convolutions that double or halve the resolution, as two operations or as one.
//!
//! Nearest upsampling and a 3×3 convolution are one transposed convolution of stride 2, whose 4×4 kernel adds up the
//! 3×3 kernel, turned by 180°, at four places; a 3×3 convolution and the mean of 2×2 pixels are one convolution of stride
//! 2, whose 4×4 kernel is the mean of the kernel at four places. The authors' code does not turn the kernel, so that
//! weights from there have to be turned when they are read.

use candle_core::{Device, Tensor};

use crate::nn::conv::{Conv2d, ConvSpec};
use crate::nn::critic::Signal;
use crate::ops::conv::{conv_transpose2d, conv2d};
use crate::ops::resample::{avg_pool2d_with, upsample_nearest};
use crate::{Error, Result};

/// Stride and padding of 4×4 kernels in both directions.
fn halves() -> ConvSpec {
    ConvSpec::padded(1).stride(2)
}

/// Nearest upsampling by two and a convolution: x `[N, C, H, W]`, weight `[O, C, 3, 3]` → `[N, O, 2H, 2W]`; as one
/// transposed convolution if `fused`.
///
/// # Errors
/// When the shapes do not fit.
pub fn up_conv2d(x: &Tensor, weight: &Tensor, fused: bool) -> Result<Tensor> {
    if fused {
        conv_transpose2d(x, &doubling_kernel(weight)?, &halves())
    } else {
        conv2d(&upsample_nearest(x, 2)?, weight, &ConvSpec::padded(1))
    }
}

/// A convolution (weight `[O, C, 3, 3]`, bias `[O]`) and the mean of 2×2 pixels: x `[N, C, 2H, 2W]` → `[N, O, H, W]`; as
/// one convolution of stride 2 if `fused`.
///
/// # Errors
/// When the shapes do not fit.
pub fn down_conv2d<S: Signal>(x: &S, weight: Tensor, bias: Tensor, fused: bool) -> Result<S> {
    if fused {
        x.conv2d(&Conv2d::of(halving_kernel(&weight)?, Some(bias), halves()))
    } else {
        x.conv2d(&Conv2d::of(weight, Some(bias), ConvSpec::padded(1)))?.avg_pool2d(2)
    }
}

/// `[O, C, 3, 3]` → `[O, C, 4, 4]`, the mean of the kernel at its four places.
fn halving_kernel(weight: &Tensor) -> Result<Tensor> {
    avg_pool2d_with(weight, 2, 1, 1)
}

/// `[O, C, 3, 3]` → `[C, O, 4, 4]`, the sum of the turned kernel at its four places.
fn doubling_kernel(weight: &Tensor) -> Result<Tensor> {
    let &[outputs, inputs, 3, 3] = weight.dims() else {
        return Err(Error::shape("convolution that doubles: weight", weight.dims(), "[O, C, 3, 3]"));
    };
    let places = turned_and_summed(weight.device())?.to_dtype(weight.dtype())?;
    let kernels = weight.transpose(0, 1)?.reshape((inputs * outputs, 9))?.matmul(&places)?;
    Ok(kernels.reshape((inputs, outputs, 4, 4))?)
}

/// `[9, 16]`: which taps of the 4×4 kernel each tap of the 3×3 kernel is added to.
fn turned_and_summed(device: &Device) -> Result<Tensor> {
    let mut places = vec![0f32; 9 * 16];
    for (dy, dx) in (0..3).flat_map(|dy| (0..3).map(move |dx| (dy, dx))) {
        for (sy, sx) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
            places[(dy * 3 + dx) * 16 + (2 - dy + sy) * 4 + (2 - dx + sx)] = 1.0;
        }
    }
    Ok(Tensor::from_vec(places, (9, 16), device)?)
}
