//! Operations between `[N, C, ...]` tensors and one number per channel. The four are closed under differentiation:
//! each one's backward pass consists of the others.

use candle_core::{Shape, Tensor};
use rayon::prelude::*;

#[cfg(feature = "cuda")]
use super::cuda::{OnGpu, Operand, norm};
use super::kernel::{CHUNK, Real, filled, sum as total, sum2, widest};
use super::op::{Kernel, Numbers, Op, apply};
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

/// f(channel, number) for all numbers.
pub(super) fn map_planes<T: Real>(x: &[T], shape: &Shape, f: impl Fn(usize, T) -> T + Sync) -> (Vec<T>, Shape) {
    let [_, channels, size] = planes(shape);
    if size <= 1 {
        return (map_rows(x, channels, f), shape.clone());
    }
    // SAFETY: chunks of `out` and `x` pair up, and every number of a chunk is written.
    let y = unsafe {
        filled(x.len(), |out| {
            let chunks = out.par_chunks_mut(size).zip(x.par_chunks(size)).enumerate();
            chunks.with_min_len(CHUNK.div_ceil(size)).for_each(|(plane, (out, x))| {
                let channel = plane % channels;
                widest(|| {
                    for (out, &x) in out.iter_mut().zip(x) {
                        out.write(f(channel, x));
                    }
                });
            });
        })
    };
    (y, shape.clone())
}

/// [`map_planes`] of a matrix, row by row.
fn map_rows<T: Real>(x: &[T], channels: usize, f: impl Fn(usize, T) -> T + Sync) -> Vec<T> {
    let channels = channels.max(1);
    // SAFETY: rows of `out` and `x` pair up, and every number of a row is written.
    unsafe {
        filled(x.len(), |out| {
            let rows = out.par_chunks_mut(channels).zip(x.par_chunks(channels));
            rows.with_min_len(CHUNK.div_ceil(channels)).for_each(|(out, x)| {
                widest(|| {
                    for (channel, (out, &x)) in out.iter_mut().zip(x).enumerate() {
                        out.write(f(channel, x));
                    }
                });
            });
        })
    }
}

/// Σ f(index) over the rows of a matrix, for every column. Columns are worked on in bands, row by row: a column alone
/// touches one cache line per number.
pub(super) fn column_sums<T: Real>(shape: &Shape, f: impl Fn(usize) -> T + Sync) -> (Vec<T>, Shape) {
    const BAND: usize = 256;
    let [n, channels, _] = planes(shape);
    let band = |start: usize| {
        let mut totals = vec![0.0; BAND.min(channels - start)];
        widest(|| {
            for row in 0..n {
                for (i, total) in totals.iter_mut().enumerate() {
                    *total += f(row * channels + start + i).wide();
                }
            }
        });
        totals
    };
    let bands: Vec<_> = (0..channels.div_ceil(BAND)).into_par_iter().map(|i| band(i * BAND)).collect();
    (bands.into_iter().flatten().map(T::of).collect(), channels.into())
}

/// Σ f(start of a plane) over the planes of each channel, in order.
fn reduce_planes<T: Real>(shape: &Shape, f: impl Fn(std::ops::Range<usize>) -> f64 + Sync) -> (Vec<T>, Shape) {
    let [n, channels, size] = planes(shape);
    let of = |channel| {
        let planes = (0..n).map(|image| (image * channels + channel) * size);
        let mut total = 0.0;
        widest(|| {
            for start in planes {
                total += f(start..start + size);
            }
        });
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
        Ok([map_planes(x, shape, |channel, x| x * a[channel] + b[channel])])
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
        Ok([
            saved.wanted(0, || Ok(scale(upstream, saved.operand(1)?)?))?,
            saved.wanted(1, || Ok(dot(saved.operand(0)?, upstream)?))?,
            saved.wanted(2, || Ok(sum(upstream)?))?,
        ])
    }
}

struct Scale;

impl Kernel<2, 1> for Scale {
    fn name(&self) -> &'static str {
        "channel_scale"
    }

    fn cpu<T: Real>(&self, [(x, shape), (a, _)]: [(&[T], &Shape); 2]) -> Numbers<T, 1> {
        Ok([map_planes(x, shape, |channel, x| x * a[channel])])
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
            return Ok([column_sums(shape, |i| x[i] * y[i])]);
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
            return Ok([column_sums(shape, |i| x[i])]);
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
        let dims = saved.shape(0).dims();
        let mut shape = vec![1; dims.len()];
        shape[1] = dims[1];
        Ok([Some(upstream.reshape(shape)?.broadcast_as(dims)?.contiguous()?)])
    }
}
