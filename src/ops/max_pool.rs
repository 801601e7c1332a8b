//! Maximum pooling.
//!
//! The position of each window's maximum turns it into a selection, which is linear: `Pick` takes a tensor's numbers at
//! the positions of another one's maxima, `Put` adds numbers to them, and the two are each other's gradient.

use std::ops::Range;

use candle_core::{Shape, Tensor};
use rayon::prelude::*;

use super::Pair;
#[cfg(feature = "cuda")]
use super::cuda::{OnGpu, Operand, resample};
use super::kernel::{Real, filled, widest};
use super::op::{Kernel, Numbers, Op, apply};
use crate::autograd::{Saved, Saves};
use crate::{Error, Result};

/// Whether windows may reach over the far edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rounding {
    /// Rows and columns that fill no window are left out (PyTorch's default).
    Down,
    /// Windows that begin on the plane or its near padding count, with the part of them that lies on the plane
    /// (PyTorch's `ceil_mode`).
    Up,
}

/// Largest number of each window (PyTorch `max_pool2d`): `[N, C, H, W]` → `[N, C, H', W']`, H' = (H + 2·padding −
/// kernel) / stride, rounded, + 1. Padding never is the largest; a NaN is. Of equal numbers the first one, row by row,
/// gets the gradient.
///
/// # Errors
/// When `x` is not of rank 4 or smaller than one window, when kernel or stride is 0, or the padding exceeds half the
/// kernel.
pub fn max_pool2d(
    x: &Tensor,
    kernel: impl Into<Pair>,
    stride: impl Into<Pair>,
    padding: impl Into<Pair>,
    rounding: Rounding,
) -> Result<Tensor> {
    let (Pair(kernel), Pair(stride), Pair(padding)) = (kernel.into(), stride.into(), padding.into());
    let &[_, _, h, w] = x.dims() else {
        return Err(Error::shape("maximum pooling: input", x.dims(), "[N, C, H, W]"));
    };
    if kernel.contains(&0) || stride.contains(&0) || (0..2).any(|axis| 2 * padding[axis] > kernel[axis]) {
        return Err(Error::invalid(
            "maximum pooling",
            format!("kernel {kernel:?}, stride {stride:?}, padding {padding:?}"),
            "kernel and stride of at least 1, padding of at most half the kernel",
            "",
        ));
    }
    if h == 0 || w == 0 || h + 2 * padding[0] < kernel[0] || w + 2 * padding[1] < kernel[1] {
        return Err(Error::shape("maximum pooling: input", x.dims(), format!("at least one window of {kernel:?}")));
    }
    Ok(apply(MaxPool(Windows { kernel, stride, padding, rounding }), [x])?)
}

#[derive(Clone, Copy)]
struct Windows {
    kernel: [usize; 2],
    stride: [usize; 2],
    padding: [usize; 2],
    rounding: Rounding,
}

impl Windows {
    fn count(&self, axis: usize, size: usize) -> usize {
        let (reach, stride) = (size + 2 * self.padding[axis] - self.kernel[axis], self.stride[axis]);
        match self.rounding {
            Rounding::Down => reach / stride + 1,
            Rounding::Up => {
                let count = reach.div_ceil(stride) + 1;
                count - usize::from((count - 1) * stride >= size + self.padding[axis])
            }
        }
    }

    /// The part of window `index` that lies on the plane; never empty.
    fn range(&self, axis: usize, index: usize, size: usize) -> Range<usize> {
        let start = index * self.stride[axis];
        let end = (start + self.kernel[axis] - self.padding[axis]).min(size);
        start.saturating_sub(self.padding[axis])..end
    }

    /// Calls `f` with every window's number and the place of its maximum on the plane.
    fn each_maximum<T: Real>(&self, plane: &[T], [h, w]: [usize; 2], mut f: impl FnMut(usize, usize)) {
        let (rows, columns) = (self.count(0, h), self.count(1, w));
        for row in 0..rows {
            let ys = self.range(0, row, h);
            for column in 0..columns {
                let xs = self.range(1, column, w);
                let mut place = ys.start * w + xs.start;
                for y in ys.clone() {
                    for x in xs.clone() {
                        if replaces(plane[y * w + x], plane[place]) {
                            place = y * w + x;
                        }
                    }
                }
                f(row * columns + column, place);
            }
        }
    }
}

#[cfg(feature = "cuda")]
impl Windows {
    /// The same on the planes of `x`.
    fn on_gpu(&self, x: Operand) -> candle_core::Result<resample::Windows> {
        let (_, _, h, w) = x.1.shape().dims4()?;
        let Windows { kernel, stride, padding, .. } = *self;
        Ok(resample::Windows { size: [h, w], counts: [self.count(0, h), self.count(1, w)], kernel, stride, padding })
    }
}

/// Whether a number found later is the maximum.
#[inline(always)]
#[expect(clippy::eq_op, reason = "only a NaN differs from itself")]
fn replaces<T: Real>(new: T, old: T) -> bool {
    (new > old) | (new != new)
}

struct MaxPool(Windows);

impl MaxPool {
    /// The maxima of one row of windows: first of each column of pixels, then of neighbouring columns.
    fn row<T: Real>(&self, plane: &[T], w: usize, ys: Range<usize>, tops: &mut [T], mut put: impl FnMut(usize, T)) {
        tops.copy_from_slice(&plane[ys.start * w..][..w]);
        for y in ys.skip(1) {
            widest(|| {
                for (top, &value) in tops.iter_mut().zip(&plane[y * w..][..w]) {
                    *top = if replaces(value, *top) { value } else { *top };
                }
            });
        }
        for column in 0..self.0.count(1, w) {
            let window = &tops[self.0.range(1, column, w)];
            put(
                column,
                window.iter().skip(1).fold(window[0], |top, &value| if replaces(value, top) { value } else { top }),
            );
        }
    }
}

impl Kernel<1, 1> for MaxPool {
    fn name(&self) -> &'static str {
        "max_pool2d"
    }

    fn cpu<T: Real>(&self, [(x, shape)]: [(&[T], &Shape); 1]) -> Numbers<T, 1> {
        let (n, c, h, w) = shape.dims4()?;
        let (rows, columns) = (self.0.count(0, h), self.0.count(1, w));
        // SAFETY: every plane of `out` is written by its own task, every window of it once.
        let out = unsafe {
            filled(n * c * rows * columns, |out| {
                out.par_chunks_mut(rows * columns).zip(x.par_chunks(h * w)).for_each(|(out, plane)| {
                    T::with_scratch(w, |tops| {
                        for (row, out) in out.chunks_mut(columns).enumerate() {
                            self.row(plane, w, self.0.range(0, row, h), tops, |column, top| {
                                out[column].write(top);
                            });
                        }
                    });
                });
            })
        };
        Ok([(out, (n, c, rows, columns).into())])
    }

    #[cfg(feature = "cuda")]
    fn cuda(&self, [x]: [Operand; 1]) -> OnGpu<1> {
        resample::max_pick(&self.0.on_gpu(x)?, x, x)
    }
}

impl Op<1> for MaxPool {
    fn saves(&self) -> Saves<1> {
        Saves::OPERANDS
    }

    fn backward(&self, saved: &Saved, upstream: &Tensor) -> candle_core::Result<[Option<Tensor>; 1]> {
        // The position of a maximum does not change with x, except where two are equal.
        Ok([saved.wanted(0, || apply(Put(self.0), [&saved.operand(0)?.detach(), upstream]))?])
    }
}

/// (x, t) → t where the maxima of x lie.
struct Pick(Windows);

impl Kernel<2, 1> for Pick {
    fn name(&self) -> &'static str {
        "max_pool2d_pick"
    }

    fn cpu<T: Real>(&self, [(x, shape), (t, t_shape)]: [(&[T], &Shape); 2]) -> Numbers<T, 1> {
        if shape != t_shape {
            candle_core::bail!("max_pool2d: found shape {t_shape:?}, expected {shape:?}");
        }
        let (n, c, h, w) = shape.dims4()?;
        let (rows, columns) = (self.0.count(0, h), self.0.count(1, w));
        let mut out = vec![T::ZERO; n * c * rows * columns];
        let planes = out.par_chunks_mut(rows * columns).zip(x.par_chunks(h * w)).zip(t.par_chunks(h * w));
        planes.for_each(|((out, x), t)| self.0.each_maximum(x, [h, w], |window, place| out[window] = t[place]));
        Ok([(out, (n, c, rows, columns).into())])
    }

    #[cfg(feature = "cuda")]
    fn cuda(&self, [x, t]: [Operand; 2]) -> OnGpu<1> {
        resample::max_pick(&self.0.on_gpu(x)?, x, t)
    }
}

impl Op<2> for Pick {
    fn saves(&self) -> Saves<2> {
        Saves { operands: [true, false], output: false }
    }

    fn backward(&self, saved: &Saved, upstream: &Tensor) -> candle_core::Result<[Option<Tensor>; 2]> {
        Ok([None, saved.wanted(1, || apply(Put(self.0), [saved.operand(0)?, upstream]))?])
    }
}

/// (x, t) → zeros, to which each t is added where the maximum of its window of x lies.
struct Put(Windows);

impl Kernel<2, 1> for Put {
    fn name(&self) -> &'static str {
        "max_pool2d_put"
    }

    fn cpu<T: Real>(&self, [(x, shape), (t, t_shape)]: [(&[T], &Shape); 2]) -> Numbers<T, 1> {
        let (n, c, h, w) = shape.dims4()?;
        let (rows, columns) = (self.0.count(0, h), self.0.count(1, w));
        if t_shape.dims() != [n, c, rows, columns] {
            candle_core::bail!("max_pool2d: gradient of shape {t_shape:?}, expected {:?}", [n, c, rows, columns]);
        }
        let mut out = vec![T::ZERO; x.len()];
        let planes = out.par_chunks_mut(h * w).zip(x.par_chunks(h * w)).zip(t.par_chunks(rows * columns));
        planes.for_each(|((out, x), t)| self.0.each_maximum(x, [h, w], |window, place| out[place] += t[window]));
        Ok([(out, shape.clone())])
    }

    #[cfg(feature = "cuda")]
    fn cuda(&self, [x, t]: [Operand; 2]) -> OnGpu<1> {
        resample::max_put(&self.0.on_gpu(x)?, x, t)
    }
}

impl Op<2> for Put {
    fn saves(&self) -> Saves<2> {
        Saves { operands: [true, false], output: false }
    }

    fn backward(&self, saved: &Saved, upstream: &Tensor) -> candle_core::Result<[Option<Tensor>; 2]> {
        Ok([None, saved.wanted(1, || apply(Pick(self.0), [saved.operand(0)?, upstream]))?])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{Device, Var};

    fn pooled(x: &Tensor, kernel: usize, stride: usize, padding: usize, rounding: Rounding) -> Vec<Vec<f32>> {
        let y = max_pool2d(x, kernel, stride, padding, rounding).unwrap();
        y.squeeze(0).unwrap().squeeze(0).unwrap().to_vec2().unwrap()
    }

    #[test]
    fn windows_by_hand() {
        let x = Tensor::new(
            &[[3f32, 1.0, -4.0, -1.0], [5.0, -9.0, 2.0, 6.0], [-5.0, 3.0, -5.0, 8.0], [-9.0, -7.0, -9.0, -3.0]],
            &Device::Cpu,
        );
        let x = x.unwrap().reshape((1, 1, 4, 4)).unwrap();
        assert_eq!(pooled(&x, 2, 2, 0, Rounding::Down), [[5.0, 6.0], [3.0, 8.0]]);
        assert_eq!(pooled(&x, 3, 2, 0, Rounding::Down), [[5.0]]);
        assert_eq!(pooled(&x, 3, 2, 0, Rounding::Up), [[5.0, 8.0], [3.0, 8.0]]);
        // Below zero everywhere: padding would show.
        let below = (&x - 10.0).unwrap();
        assert_eq!(pooled(&below, 3, 3, 1, Rounding::Down), [[-5.0, -4.0], [-7.0, -2.0]]);
        // A window that would begin in the far padding does not exist.
        assert_eq!(pooled(&x, 2, 3, 1, Rounding::Up), [[3.0, -1.0], [-5.0, 8.0]]);
    }

    #[test]
    fn a_nan_is_not_hidden() {
        for place in 0..9 {
            let mut numbers = [1f32; 9];
            numbers[place] = f32::NAN;
            let x = Tensor::from_slice(&numbers, (1, 1, 3, 3), &Device::Cpu).unwrap();
            assert!(pooled(&x, 3, 1, 0, Rounding::Down)[0][0].is_nan(), "at {place}");
        }
    }

    #[test]
    fn of_equal_numbers_the_first_gets_the_gradient() {
        let x = Var::ones((1, 1, 2, 2), candle_core::DType::F32, &Device::Cpu).unwrap();
        let y = max_pool2d(&x, 2, 2, 0, Rounding::Down).unwrap();
        let gradient = crate::autograd::backward(&y).unwrap().get(&x).unwrap().flatten_all().unwrap();
        assert_eq!(gradient.to_vec1::<f32>().unwrap(), [1.0, 0.0, 0.0, 0.0]);
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let x = Tensor::zeros((1, 1, 2, 4), candle_core::DType::F32, &Device::Cpu).unwrap();
        let refused = |kernel: usize, stride: usize, padding: usize| {
            max_pool2d(&x, kernel, stride, padding, Rounding::Down).unwrap_err().to_string()
        };
        assert!(refused(3, 1, 0).contains("at least one window"));
        assert!(refused(2, 0, 0).contains("stride of at least 1") && refused(2, 1, 2).contains("half the kernel"));
    }
}
