//! Moving channels into space and back (sub-pixel convolution, Shi et al. 2016); the two are each other's gradient.

use candle_core::{Shape, Tensor};
use rayon::prelude::*;

#[cfg(feature = "cuda")]
use super::cuda::{OnGpu, Operand, resample};
use super::kernel::{Real, filled};
use super::op::{Kernel, Numbers, Op, apply};
use crate::autograd::{Saved, Saves};
use crate::{Error, Result};

/// Which channel of the input holds sub-pixel (dy, dx) of output channel c, for an upscaling r and C output channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum ShuffleOrder {
    /// c·r² + dy·r + dx, as PyTorch's `PixelShuffle`.
    PyTorch,
    /// (dy·r + dx)·C + c, as TensorFlow's and Chainer's depth-to-space (ONNX calls it DCR).
    Dcr,
}

/// `[N, C·r², H, W]` → `[N, C, r·H, r·W]`.
///
/// # Errors
/// When `x` is not of rank 4, `r` is 0 or the channels are not divisible by r².
pub fn pixel_shuffle(x: &Tensor, r: usize, order: ShuffleOrder) -> Result<Tensor> {
    let &[_, channels, _, _] = x.dims() else {
        return Err(Error::shape("pixel shuffle: input", x.dims(), "[N, C·r², H, W]"));
    };
    if r == 0 || !channels.is_multiple_of(r * r) {
        return Err(Error::shape("pixel shuffle: input", x.dims(), format!("channels divisible by {}", r * r)));
    }
    Ok(apply(Shuffle { r, order, towards: Towards::Space }, [x])?)
}

/// The inverse of [`pixel_shuffle`]: `[N, C, r·H, r·W]` → `[N, C·r², H, W]`.
///
/// # Errors
/// When `x` is not of rank 4, `r` is 0 or the size is not divisible by r.
pub fn pixel_unshuffle(x: &Tensor, r: usize, order: ShuffleOrder) -> Result<Tensor> {
    let &[_, _, height, width] = x.dims() else {
        return Err(Error::shape("pixel unshuffle: input", x.dims(), "[N, C, r·H, r·W]"));
    };
    if r == 0 || !height.is_multiple_of(r) || !width.is_multiple_of(r) {
        return Err(Error::shape("pixel unshuffle: input", x.dims(), format!("height and width divisible by {r}")));
    }
    Ok(apply(Shuffle { r, order, towards: Towards::Channels }, [x])?)
}

#[derive(Clone, Copy)]
enum Towards {
    Space,
    Channels,
}

#[derive(Clone, Copy)]
struct Shuffle {
    r: usize,
    order: ShuffleOrder,
    towards: Towards,
}

impl Shuffle {
    /// The channel that holds sub-pixel `sub` = dy·r + dx of channel `c` out of `channels`.
    fn packed(&self, c: usize, channels: usize, sub: usize) -> usize {
        match self.order {
            ShuffleOrder::PyTorch => c * self.r * self.r + sub,
            ShuffleOrder::Dcr => sub * channels + c,
        }
    }

    /// (channel, sub-pixel) that lie in packed channel `index`.
    fn unpacked(&self, index: usize, channels: usize) -> (usize, usize) {
        match self.order {
            ShuffleOrder::PyTorch => (index / (self.r * self.r), index % (self.r * self.r)),
            ShuffleOrder::Dcr => (index % channels, index / channels),
        }
    }

    fn towards_space<T: Real>(&self, x: &[T], (n, packed, h, w): (usize, usize, usize, usize)) -> (Vec<T>, Shape) {
        let r = self.r;
        let channels = packed / (r * r);
        // SAFETY: every plane of `out` is written by its own task: r rows per input row, w times r numbers each.
        let out = unsafe {
            filled(x.len(), |out| {
                out.par_chunks_mut((r * r * h * w).max(1)).enumerate().for_each(|(plane, out)| {
                    let (image, c) = (plane / channels, plane % channels);
                    for (row, out) in out.chunks_mut((r * w).max(1)).enumerate() {
                        for dx in 0..r {
                            let from = image * packed + self.packed(c, channels, row % r * r + dx);
                            let line = &x[(from * h + row / r) * w..][..w];
                            for (out, &value) in out[dx..].iter_mut().step_by(r).zip(line) {
                                out.write(value);
                            }
                        }
                    }
                });
            })
        };
        (out, (n, channels, h * r, w * r).into())
    }

    fn towards_channels<T: Real>(
        &self,
        x: &[T],
        (n, channels, height, width): (usize, usize, usize, usize),
    ) -> (Vec<T>, Shape) {
        let r = self.r;
        let (h, w, packed) = (height / r, width / r, channels * r * r);
        // SAFETY: every plane of `out` is written by its own task, row by row.
        let out = unsafe {
            filled(x.len(), |out| {
                out.par_chunks_mut((h * w).max(1)).enumerate().for_each(|(plane, out)| {
                    let (c, sub) = self.unpacked(plane % packed, channels);
                    let from = &x[(plane / packed * channels + c) * height * width..][..height * width];
                    for (row, out) in out.chunks_mut(w.max(1)).enumerate() {
                        let line = &from[(row * r + sub / r) * width + sub % r..];
                        for (out, &value) in out.iter_mut().zip(line.iter().step_by(r)) {
                            out.write(value);
                        }
                    }
                });
            })
        };
        (out, (n, packed, h, w).into())
    }
}

impl Kernel<1, 1> for Shuffle {
    fn name(&self) -> &'static str {
        "pixel_shuffle"
    }

    fn cpu<T: Real>(&self, [(x, shape)]: [(&[T], &Shape); 1]) -> Numbers<T, 1> {
        Ok([match self.towards {
            Towards::Space => self.towards_space(x, shape.dims4()?),
            Towards::Channels => self.towards_channels(x, shape.dims4()?),
        }])
    }

    #[cfg(feature = "cuda")]
    fn cuda(&self, [x]: [Operand; 1]) -> OnGpu<1> {
        let spec = resample::Shuffle {
            r: self.r,
            dcr: self.order == ShuffleOrder::Dcr,
            to_space: matches!(self.towards, Towards::Space),
        };
        resample::shuffle(spec, x)
    }
}

impl Op<1> for Shuffle {
    fn saves(&self) -> Saves<1> {
        Saves::NOTHING
    }

    fn backward(&self, _: &Saved, upstream: &Tensor) -> candle_core::Result<[Option<Tensor>; 1]> {
        let towards = match self.towards {
            Towards::Space => Towards::Channels,
            Towards::Channels => Towards::Space,
        };
        Ok([Some(apply(Shuffle { towards, ..*self }, [upstream])?)])
    }
}
