//! Nearest upsampling and average pooling: one linear operation and its adjoint, which are each other's gradient.

use std::mem::MaybeUninit;
use std::ops::Range;

use candle_core::{Shape, Tensor};
use rayon::prelude::*;

use super::Pair;
#[cfg(feature = "cuda")]
use super::cuda::{OnGpu, Operand, resample};
use super::kernel::{CHUNK, Real, filled};
use super::level::run;
use super::op::{Kernel, Numbers, Op, apply};
use super::tiles::{PoolTiles, SpreadTiles};
use crate::autograd::{Saved, Saves};
use crate::{Error, Result};

/// Nearest-neighbour upsampling by a whole factor: `[N, C, H, W]` → `[N, C, k·H, k·W]`.
///
/// # Errors
/// When `x` is not of rank 4 or `k` is 0.
pub fn upsample_nearest(x: &Tensor, k: impl Into<Pair>) -> Result<Tensor> {
    let Pair(kernel) = k.into();
    let &[_, _, h, w] = x.dims() else {
        return Err(Error::shape("nearest upsampling: input", x.dims(), "[N, C, H, W]"));
    };
    if kernel.contains(&0) {
        return Err(Error::invalid("nearest upsampling: factor", "0", "at least 1", ""));
    }
    let windows = Windows { kernel, stride: kernel, padding: [0, 0], factor: 1.0, inside: false };
    Ok(apply(Spread { windows, size: [h * kernel[0], w * kernel[1]] }, [x])?)
}

/// Mean over windows of `k`×`k` that touch each other: `[N, C, H, W]` → `[N, C, ⌊H/k⌋, ⌊W/k⌋]`; rows and columns that
/// fill no window are left out, as in PyTorch.
///
/// # Errors
/// When `x` is not of rank 4 or smaller than one window, or `k` is 0.
pub fn avg_pool2d(x: &Tensor, k: impl Into<Pair>) -> Result<Tensor> {
    let k = k.into();
    avg_pool2d_with(x, k, k, 0)
}

/// Mean over windows of any stride and zero padding (PyTorch `avg_pool2d` with its defaults: padding counts as zeros in
/// the mean, sizes are rounded down). `[N, C, H, W]` → `[N, C, H', W']`, H' = ⌊(H + 2·padding − kernel) / stride⌋ + 1.
///
/// # Errors
/// When `x` is not of rank 4 or smaller than one window, when kernel or stride is 0, or the padding exceeds half the
/// kernel.
pub fn avg_pool2d_with(
    x: &Tensor,
    kernel: impl Into<Pair>,
    stride: impl Into<Pair>,
    padding: impl Into<Pair>,
) -> Result<Tensor> {
    pooled(x, [kernel.into(), stride.into(), padding.into()], false)
}

/// Mean over the pixels that each window covers (PyTorch `avg_pool2d` with `count_include_pad=False`): as
/// [`avg_pool2d_with`], but padding does not count.
///
/// # Errors
/// As [`avg_pool2d_with`].
pub fn avg_pool2d_inside(
    x: &Tensor,
    kernel: impl Into<Pair>,
    stride: impl Into<Pair>,
    padding: impl Into<Pair>,
) -> Result<Tensor> {
    let (kernel, stride, Pair(padding)) = (kernel.into(), stride.into(), padding.into());
    pooled(x, [kernel, stride, Pair(padding)], padding != [0, 0])
}

fn pooled(x: &Tensor, [Pair(kernel), Pair(stride), Pair(padding)]: [Pair; 3], inside: bool) -> Result<Tensor> {
    let &[_, _, h, w] = x.dims() else {
        return Err(Error::shape("average pooling: input", x.dims(), "[N, C, H, W]"));
    };
    if kernel.contains(&0) || stride.contains(&0) || (0..2).any(|axis| 2 * padding[axis] > kernel[axis]) {
        return Err(Error::invalid(
            "average pooling",
            format!("kernel {kernel:?}, stride {stride:?}, padding {padding:?}"),
            "kernel and stride of at least 1, padding of at most half the kernel",
            "",
        ));
    }
    if h + 2 * padding[0] < kernel[0] || w + 2 * padding[1] < kernel[1] {
        return Err(Error::shape("average pooling: input", x.dims(), format!("at least one window of {kernel:?}")));
    }
    let factor = 1.0 / (kernel[0] * kernel[1]) as f64;
    Ok(apply(Pool { windows: Windows { kernel, stride, padding, factor, inside } }, [x])?)
}

/// Windows on a plane; what is summed over them is multiplied by `factor`.
#[derive(Clone, Copy)]
struct Windows {
    kernel: [usize; 2],
    stride: [usize; 2],
    padding: [usize; 2],
    factor: f64,
    /// The factor is one over the pixels that a window covers instead.
    inside: bool,
}

impl Windows {
    /// The factor of the window that covers these pixels.
    fn factor<T: Real>(&self, ys: &Range<usize>, xs: &Range<usize>) -> T {
        T::of(if self.inside { 1.0 / (ys.len() * xs.len()).max(1) as f64 } else { self.factor })
    }

    fn count(&self, axis: usize, size: usize) -> usize {
        (size + 2 * self.padding[axis] - self.kernel[axis]) / self.stride[axis] + 1
    }

    /// They touch each other, and the first begins where the plane does.
    fn are_tiles(&self) -> bool {
        self.kernel == self.stride && self.padding == [0, 0]
    }

    /// The part of window `index` that lies on the plane.
    fn range(&self, axis: usize, index: usize, size: usize) -> Range<usize> {
        let start = index * self.stride[axis];
        let end = (start + self.kernel[axis]).saturating_sub(self.padding[axis]).min(size);
        start.saturating_sub(self.padding[axis]).min(end)..end
    }
}

#[cfg(feature = "cuda")]
impl Windows {
    /// The same on planes of `size` pixels.
    fn on_gpu(&self, size: [usize; 2]) -> (resample::Windows, resample::Weight) {
        let Windows { kernel, stride, padding, factor, inside } = *self;
        let counts = [0, 1].map(|axis| self.count(axis, size[axis]));
        let weight = if inside { resample::Weight::Inside } else { resample::Weight::Factor(factor) };
        (resample::Windows { size, counts, kernel, stride, padding }, weight)
    }
}

/// Sum over each window.
struct Pool {
    windows: Windows,
}

impl Kernel<1, 1> for Pool {
    fn name(&self) -> &'static str {
        "avg_pool2d"
    }

    fn cpu<T: Real>(&self, [(x, shape)]: [(&[T], &Shape); 1]) -> Numbers<T, 1> {
        let (n, c, h, w) = shape.dims4()?;
        let (rows, columns) = (self.windows.count(0, h), self.windows.count(1, w));
        let factor = T::of(self.windows.factor);
        // SAFETY: every plane of `out` is written by its own task, every window of it once.
        let out = unsafe {
            filled(n * c * rows * columns, |out| {
                let planes = out.par_chunks_mut((rows * columns).max(1)).zip(x.par_chunks((h * w).max(1)));
                planes.with_min_len(CHUNK.div_ceil((h * w).max(1))).for_each(|(out, x)| {
                    let Windows { kernel, .. } = self.windows;
                    if self.windows.are_tiles() {
                        return T::with_scratch(w, |scratch| {
                            run(PoolTiles { x, width: w, kernel, factor, scratch, out });
                        });
                    }
                    for (row, out) in out.chunks_mut(columns).enumerate() {
                        let ys = self.windows.range(0, row, h);
                        for (column, out) in out.iter_mut().enumerate() {
                            let xs = self.windows.range(1, column, w);
                            let mut total = T::ZERO;
                            for y in ys.clone() {
                                for &value in &x[y * w + xs.start..y * w + xs.end] {
                                    total += value;
                                }
                            }
                            out.write(self.windows.factor::<T>(&ys, &xs) * total);
                        }
                    }
                });
            })
        };
        Ok([(out, (n, c, rows, columns).into())])
    }

    #[cfg(feature = "cuda")]
    fn cuda(&self, [x]: [Operand; 1]) -> OnGpu<1> {
        let (_, _, h, w) = x.1.shape().dims4()?;
        let (windows, weight) = self.windows.on_gpu([h, w]);
        resample::pool(&windows, weight, x)
    }
}

impl Op<1> for Pool {
    fn saves(&self) -> Saves<1> {
        Saves::NOTHING
    }

    fn backward(&self, saved: &Saved, upstream: &Tensor) -> candle_core::Result<[Option<Tensor>; 1]> {
        let (_, _, h, w) = saved.shape(0).dims4()?;
        Ok([Some(apply(Spread { windows: self.windows, size: [h, w] }, [upstream])?)])
    }
}

/// Adds each number to all pixels of its window.
struct Spread {
    windows: Windows,
    size: [usize; 2],
}

impl Spread {
    fn plane<T: Real>(&self, x: &[T], columns: usize, out: &mut [T]) {
        let ([h, w], windows) = (self.size, &self.windows);
        for (row, x) in x.chunks(columns).enumerate() {
            let ys = windows.range(0, row, h);
            for y in ys.clone() {
                for (column, &value) in x.iter().enumerate() {
                    let xs = windows.range(1, column, w);
                    let factor = windows.factor::<T>(&ys, &xs);
                    for out in &mut out[y * w..][xs] {
                        *out += factor * value;
                    }
                }
            }
        }
    }
}

impl Kernel<1, 1> for Spread {
    fn name(&self) -> &'static str {
        "upsample_nearest"
    }

    fn cpu<T: Real>(&self, [(x, shape)]: [(&[T], &Shape); 1]) -> Numbers<T, 1> {
        let (n, c, rows, columns) = shape.dims4()?;
        let ([h, w], Windows { kernel, .. }) = (self.size, self.windows);
        let factor = T::of(self.windows.factor);
        // SAFETY: every plane of `out` is written by its own task, from the first to the last number.
        let out = unsafe {
            filled(n * c * h * w, |out| {
                let planes = out.par_chunks_mut((h * w).max(1)).zip(x.par_chunks((rows * columns).max(1)));
                planes.with_min_len(CHUNK.div_ceil((h * w).max(1))).for_each(|(out, x)| {
                    if self.windows.are_tiles() {
                        return run(SpreadTiles { x, columns, kernel, factor, width: w, out });
                    }
                    out.fill(MaybeUninit::new(T::ZERO));
                    self.plane(x, columns, out.assume_init_mut());
                });
            })
        };
        Ok([(out, (n, c, h, w).into())])
    }

    #[cfg(feature = "cuda")]
    fn cuda(&self, [x]: [Operand; 1]) -> OnGpu<1> {
        let (windows, weight) = self.windows.on_gpu(self.size);
        resample::spread(&windows, weight, x)
    }
}

impl Op<1> for Spread {
    fn saves(&self) -> Saves<1> {
        Saves::NOTHING
    }

    fn backward(&self, _: &Saved, upstream: &Tensor) -> candle_core::Result<[Option<Tensor>; 1]> {
        Ok([Some(apply(Pool { windows: self.windows }, [upstream])?)])
    }
}
