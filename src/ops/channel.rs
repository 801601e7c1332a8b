//! Operations between `[N, C, ...]` tensors and one number per channel. The five are closed under differentiation:
//! each one's backward pass consists of the others.
//!
//! On a GPU the tensors may be bf16; the numbers per channel, sums among them, are f32 then.

use std::array;
use std::mem::MaybeUninit;
use std::ops::Range;

use candle_core::{DType, Shape, Tensor};
use rayon::prelude::*;

use super::columns;
#[cfg(feature = "cuda")]
use super::cuda::{OnGpu, Operand, elementwise, norm};
use super::kernel::{CHUNK, Real, Shared, filled, sum as total, sum2, sums2, widest, write};
use super::op::{Kernel, Numbers, Op, apply, compute};
use crate::autograd::{Saved, Saves};
use crate::{Error, Result};

/// y = x·a + b per channel: x `[N, C, ...]`, a and b `[C]` → shape of x. f32 or f64.
///
/// # Errors
/// When the shapes do not fit.
pub fn affine(x: &Tensor, a: &Tensor, b: &Tensor) -> Result<Tensor> {
    check("channel affine", x, &[a, b])?;
    Ok(apply(Affine, [x, a, b])?)
}

/// y = x·a per channel: x `[N, C, ...]`, a `[C]` → shape of x.
///
/// # Errors
/// When the shapes do not fit.
pub fn scale(x: &Tensor, a: &Tensor) -> Result<Tensor> {
    check("channel scale", x, &[a])?;
    Ok(apply(Scale, [x, a])?)
}

/// Σ x·y per channel: x and y `[N, C, ...]` → `[C]`.
///
/// # Errors
/// When the shapes differ or have no channels.
pub fn dot(x: &Tensor, y: &Tensor) -> Result<Tensor> {
    check("channel dot", x, &[])?;
    if x.dims() != y.dims() {
        return Err(Error::shape("channel dot: second operand", y.dims(), format!("{:?}", x.dims())));
    }
    Ok(apply(Dot, [x, y])?)
}

/// Σ x per channel: `[N, C, ...]` → `[C]`.
///
/// # Errors
/// When x has no channels.
pub fn sum(x: &Tensor) -> Result<Tensor> {
    check("channel sum", x, &[])?;
    Ok(apply(Sum, [x])?)
}

fn check(what: &str, x: &Tensor, per_channel: &[&Tensor]) -> Result<()> {
    let &[_, channels, ..] = x.dims() else {
        return Err(Error::shape(what, x.dims(), "[N, C, ...]"));
    };
    match per_channel.iter().find(|operand| operand.dims() != [channels]) {
        Some(operand) => {
            Err(Error::shape(format!("{what}: numbers per channel"), operand.dims(), format!("[{channels}]")))
        }
        None => Ok(()),
    }
}

/// [N, C, numbers per plane] of a shape that [`check`] has passed.
fn planes(shape: &Shape) -> [usize; 3] {
    let dims = shape.dims();
    [dims[0], dims[1], dims[2..].iter().product()]
}

/// f(number, its channel's number of each of the lines) for all numbers; a line is `[C]`.
pub(super) fn map_planes<T: Real, const L: usize>(
    x: &[T],
    shape: &Shape,
    lines: [&[T]; L],
    f: impl Fn(T, [T; L]) -> T + Copy + Sync,
) -> (Vec<T>, Shape) {
    let [_, channels, size] = planes(shape);
    if size <= 1 {
        return (columns::map(x, lines, f), shape.clone());
    }
    // SAFETY: chunks of `out` and `x` pair up, and every number of a chunk is written.
    let y = unsafe {
        filled(x.len(), |out| {
            let chunks = out.par_chunks_mut(size).zip(x.par_chunks(size)).enumerate();
            chunks.with_min_len(CHUNK.div_ceil(size)).for_each(|(plane, (out, x))| {
                let line = lines.map(|line| line[plane % channels]);
                widest(move || {
                    for (out, &x) in out.iter_mut().zip(x) {
                        out.write(f(x, line));
                    }
                });
            });
        })
    };
    (y, shape.clone())
}

/// A plane of `[N, C, ...]`.
pub(super) struct Plane {
    pub(super) sample: usize,
    pub(super) channel: usize,
    /// Where its numbers lie.
    pub(super) range: Range<usize>,
}

/// A tensor whose planes f writes, and the sums of what f returns over the planes of every channel.
///
/// # Safety
/// f must write all of its plane.
pub(super) unsafe fn by_channel<T: Real, const M: usize>(
    shape: &Shape,
    f: impl Fn(Plane, &mut [MaybeUninit<T>]) -> [f64; M] + Sync,
) -> (Vec<T>, [Vec<T>; M]) {
    let [n, channels, size] = planes(shape);
    let of_channel = |channel: usize, out: Shared<MaybeUninit<T>>| {
        let mut totals = [0.0; M];
        for sample in 0..n {
            let start = (sample * channels + channel) * size;
            // SAFETY: tasks have different channels, whose planes lie inside the buffer.
            let out = unsafe { std::slice::from_raw_parts_mut(out.get().add(start), size) };
            let plane = Plane { sample, channel, range: start..start + size };
            for (total, found) in totals.iter_mut().zip(f(plane, out)) {
                *total += found;
            }
        }
        totals
    };
    let mut totals = Vec::new();
    // SAFETY: the planes of all channels cover the tensor, each once, and f writes all of its plane.
    let values = unsafe {
        filled(shape.elem_count(), |out| {
            let out = Shared::new(out.as_mut_ptr());
            let least = CHUNK.div_ceil((n * size).max(1));
            totals =
                (0..channels).into_par_iter().with_min_len(least).map(|channel| of_channel(channel, out)).collect();
        })
    };
    (values, array::from_fn(|i| totals.iter().map(|totals| T::of(totals[i])).collect()))
}

/// Σ f(start of a plane) over the planes of each channel, in order.
fn reduce_planes<T: Real>(shape: &Shape, f: impl Fn(std::ops::Range<usize>) -> f64 + Sync) -> (Vec<T>, Shape) {
    let [n, channels, size] = planes(shape);
    let of = |channel| {
        let planes = (0..n).map(|image| (image * channels + channel) * size);
        let mut total = 0.0;
        for start in planes {
            total += f(start..start + size);
        }
        T::of(total)
    };
    let sums = (0..channels).into_par_iter().with_min_len(CHUNK.div_ceil((n * size).max(1))).map(of).collect();
    (sums, channels.into())
}

struct Affine;

impl Kernel<3, 1> for Affine {
    fn name(&self) -> &'static str {
        "channel_affine"
    }

    fn cpu<T: Real>(&self, [(x, shape), (a, _), (b, _)]: [(&[T], &Shape); 3]) -> Numbers<T, 1> {
        Ok([map_planes(x, shape, [a, b], |x, [a, b]| x * a + b)])
    }

    #[cfg(feature = "cuda")]
    fn cuda(&self, [x, a, b]: [Operand; 3]) -> OnGpu<1> {
        norm::channel_affine(x, a, Some(b))
    }
}

impl Op<3> for Affine {
    fn saves(&self) -> Saves<3> {
        Saves { operands: [true, true, false], output: false }
    }

    fn backward(&self, saved: &Saved, upstream: &Tensor) -> candle_core::Result<[Option<Tensor>; 3]> {
        if !saved.keeps_graph() && (0..3).all(|i| saved.needs(i)) {
            let gradients = compute(&AffineGradients, [saved.operand(0)?, upstream, saved.operand(1)?])?;
            return Ok(gradients.map(Some));
        }
        Ok([
            saved.wanted(0, || Ok(scale(upstream, saved.operand(1)?)?))?,
            saved.wanted(1, || Ok(dot(saved.operand(0)?, upstream)?))?,
            saved.wanted(2, || Ok(sum(upstream)?))?,
        ])
    }
}

/// (x, t, a) → t·a, Σ x·t and Σ t: the gradients of [`Affine`] at once.
struct AffineGradients;

impl Kernel<3, 3> for AffineGradients {
    fn name(&self) -> &'static str {
        "channel_affine_gradients"
    }

    fn cpu<T: Real>(&self, [(x, shape), (t, _), (a, channels)]: [(&[T], &Shape); 3]) -> Numbers<T, 3> {
        let (for_x, [for_a, for_b]) = if planes(shape)[2] <= 1 {
            let (for_x, _) = map_planes(t, shape, [a], |t, [a]| t * a);
            (for_x, [columns::sums(x, t, a.len(), |x, t| x * t), columns::sums(t, t, a.len(), |t, _| t)])
        } else {
            let gradients = |plane: Plane, out: &mut [MaybeUninit<T>]| {
                let (a, x, t) = (a[plane.channel], &x[plane.range.clone()], &t[plane.range]);
                write(out, t, t, move |t, _| t * a);
                sums2(x, t, |x, t| [x * t, t])
            };
            // SAFETY: the planes of t are as long as those of the result.
            unsafe { by_channel(shape, gradients) }
        };
        Ok([(for_x, shape.clone()), (for_a, channels.clone()), (for_b, channels.clone())])
    }

    #[cfg(feature = "cuda")]
    fn cuda(&self, [x, t, a]: [Operand; 3]) -> OnGpu<3> {
        let [for_x] = norm::channel_affine(t, a, None)?;
        let [for_a] = norm::channel_dot(x, Some(t))?;
        let [for_b] = norm::channel_dot(t, None)?;
        Ok([for_x, for_a, for_b])
    }
}

struct Scale;

impl Kernel<2, 1> for Scale {
    fn name(&self) -> &'static str {
        "channel_scale"
    }

    fn cpu<T: Real>(&self, [(x, shape), (a, _)]: [(&[T], &Shape); 2]) -> Numbers<T, 1> {
        Ok([map_planes(x, shape, [a], |x, [a]| x * a)])
    }

    #[cfg(feature = "cuda")]
    fn cuda(&self, [x, a]: [Operand; 2]) -> OnGpu<1> {
        norm::channel_affine(x, a, None)
    }
}

impl Op<2> for Scale {
    fn saves(&self) -> Saves<2> {
        Saves::OPERANDS
    }

    fn backward(&self, saved: &Saved, upstream: &Tensor) -> candle_core::Result<[Option<Tensor>; 2]> {
        let (x, a) = (saved.operand(0)?, saved.operand(1)?);
        Ok([saved.wanted(0, || Ok(scale(upstream, a)?))?, saved.wanted(1, || Ok(dot(x, upstream)?))?])
    }
}

struct Dot;

impl Kernel<2, 1> for Dot {
    fn name(&self) -> &'static str {
        "channel_dot"
    }

    fn cpu<T: Real>(&self, [(x, shape), (y, _)]: [(&[T], &Shape); 2]) -> Numbers<T, 1> {
        if planes(shape)[2] == 1 {
            return Ok([(columns::sums(x, y, shape.dims()[1], |x, y| x * y), shape.dims()[1].into())]);
        }
        Ok([reduce_planes(shape, |plane| sum2(&x[plane.clone()], &y[plane], |x, y| x * y))])
    }

    #[cfg(feature = "cuda")]
    fn cuda(&self, [x, y]: [Operand; 2]) -> OnGpu<1> {
        norm::channel_dot(x, Some(y))
    }
}

impl Op<2> for Dot {
    fn saves(&self) -> Saves<2> {
        Saves::OPERANDS
    }

    fn backward(&self, saved: &Saved, upstream: &Tensor) -> candle_core::Result<[Option<Tensor>; 2]> {
        let (x, y) = (saved.operand(0)?, saved.operand(1)?);
        Ok([saved.wanted(0, || Ok(scale(y, upstream)?))?, saved.wanted(1, || Ok(scale(x, upstream)?))?])
    }
}

struct Sum;

impl Kernel<1, 1> for Sum {
    fn name(&self) -> &'static str {
        "channel_sum"
    }

    fn cpu<T: Real>(&self, [(x, shape)]: [(&[T], &Shape); 1]) -> Numbers<T, 1> {
        if planes(shape)[2] == 1 {
            return Ok([(columns::sums(x, x, shape.dims()[1], |x, _| x), shape.dims()[1].into())]);
        }
        Ok([reduce_planes(shape, |plane| total(&x[plane], |x| x))])
    }

    #[cfg(feature = "cuda")]
    fn cuda(&self, [x]: [Operand; 1]) -> OnGpu<1> {
        norm::channel_dot(x, None)
    }
}

impl Op<1> for Sum {
    fn saves(&self) -> Saves<1> {
        Saves::NOTHING
    }

    fn backward(&self, saved: &Saved, upstream: &Tensor) -> candle_core::Result<[Option<Tensor>; 1]> {
        Ok([Some(apply(Fill { shape: saved.shape(0).clone(), dtype: saved.dtype(0) }, [upstream])?)])
    }
}

/// Every channel's number all over its planes.
struct Fill {
    shape: Shape,
    /// On a GPU; on the CPU there is one type.
    #[cfg_attr(not(feature = "cuda"), allow(dead_code, reason = "for GPUs"))]
    dtype: DType,
}

impl Kernel<1, 1> for Fill {
    fn name(&self) -> &'static str {
        "channel_fill"
    }

    fn cpu<T: Real>(&self, [(a, _)]: [(&[T], &Shape); 1]) -> Numbers<T, 1> {
        let [_, channels, size] = planes(&self.shape);
        // SAFETY: every row, or else every plane, is written by its own task.
        let y = unsafe {
            filled(self.shape.elem_count(), |out| {
                if size == 1 {
                    let rows = out.par_chunks_mut(channels).with_min_len(CHUNK.div_ceil(channels));
                    rows.for_each(|out| _ = out.write_copy_of_slice(a));
                } else {
                    let planes = out.par_chunks_mut(size.max(1)).enumerate().with_min_len(CHUNK.div_ceil(size.max(1)));
                    planes.for_each(|(plane, out)| out.fill(MaybeUninit::new(a[plane % channels])));
                }
            })
        };
        Ok([(y, self.shape.clone())])
    }

    #[cfg(feature = "cuda")]
    fn cuda(&self, [a]: [Operand; 1]) -> OnGpu<1> {
        elementwise::fill_channels(&self.shape, self.dtype, a)
    }
}

impl Op<1> for Fill {
    fn saves(&self) -> Saves<1> {
        Saves::NOTHING
    }

    fn backward(&self, _: &Saved, upstream: &Tensor) -> candle_core::Result<[Option<Tensor>; 1]> {
        Ok([Some(sum(upstream)?)])
    }
}
