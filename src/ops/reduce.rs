//! Sums and means over everything, over each sample or over each plane, and products with one number per sample or
//! plane. They are closed under differentiation: each one's backward pass consists of the others.
//!
//! A sum is made of pieces of fixed length, added in double precision in a fixed order. On a GPU sums of bf16 numbers
//! are f32, and so are factors of bf16 rows.

use std::mem::MaybeUninit;
use std::ops::Range;

use candle_core::{DType, Shape, Tensor};
use rayon::prelude::*;

use super::arithmetic::same_shape;
#[cfg(feature = "cuda")]
use super::cuda::{OnGpu, Operand, elementwise, norm};
use super::kernel::{CHUNK, Real, filled, sum as total, sum2, widest, with_numbers};
use super::op::{Kernel, Numbers, Op, apply};
use crate::autograd::{Saved, Saves};
use crate::{Error, Result};

/// Σ x → a scalar. f32 or f64, so for all of this module.
///
/// # Errors
/// When x is neither f32 nor f64.
pub fn sum(x: &Tensor) -> Result<Tensor> {
    sum_from(x, 0)
}

/// Mean of x → a scalar.
///
/// # Errors
/// When x is empty, or neither f32 nor f64.
pub fn mean(x: &Tensor) -> Result<Tensor> {
    mean_from(x, 0)
}

/// Σ over all dimensions from `dim` on: `[N, C, H, W]` → `[]` for `dim` 0, `[N]` for 1, `[N, C]` for 2.
///
/// # Errors
/// When x has fewer dimensions.
pub fn sum_from(x: &Tensor, dim: usize) -> Result<Tensor> {
    check("sum", x, dim)?;
    Ok(apply(Sum { dim, factor: 1.0 }, [x])?)
}

/// Mean over all dimensions from `dim` on, as [`sum_from`].
///
/// # Errors
/// When x has fewer dimensions, or there is nothing to take a mean of.
pub fn mean_from(x: &Tensor, dim: usize) -> Result<Tensor> {
    check("mean", x, dim)?;
    match x.dims()[dim..].iter().product::<usize>() {
        0 => Err(Error::shape("mean: input", x.dims(), "at least one number per mean")),
        count => Ok(apply(Sum { dim, factor: 1.0 / count as f64 }, [x])?),
    }
}

/// Σ x·y over all dimensions from `dim` on, x and y of one shape; the result as [`sum_from`]'s.
///
/// # Errors
/// When the shapes differ or have fewer dimensions.
pub fn dot_from(x: &Tensor, y: &Tensor, dim: usize) -> Result<Tensor> {
    check("dot product", x, dim)?;
    same_shape("dot product", x, y)?;
    Ok(apply(Dot { dim }, [x, y])?)
}

/// x·a, a of the shape of the first dimensions of x: one factor for everything (`[]`), per sample (`[N]`) or per plane
/// (`[N, C]`).
///
/// # Errors
/// When the shapes do not fit.
pub fn scale(x: &Tensor, a: &Tensor) -> Result<Tensor> {
    match x.dims().get(..a.rank()) {
        Some(first) if first == a.dims() => Ok(apply(Scale, [x, a])?),
        _ => Err(Error::shape("scale: factors", a.dims(), format!("the first dimensions of {:?}", x.dims()))),
    }
}

fn check(what: &str, x: &Tensor, dim: usize) -> Result<()> {
    if dim <= x.rank() { Ok(()) } else { Err(Error::shape(what, x.dims(), format!("at least {dim} dimensions"))) }
}

/// How many sums there are, and how many numbers each has.
fn rows(shape: &Shape, dim: usize) -> [usize; 2] {
    let (kept, summed) = shape.dims().split_at(dim);
    [kept.iter().product(), summed.iter().product()]
}

/// Σ f(piece) over the pieces of each row, in order.
fn reduce<T: Real>(shape: &Shape, dim: usize, f: impl Fn(Range<usize>) -> f64 + Sync) -> (Vec<T>, Shape) {
    let [rows, size] = rows(shape, dim);
    let pieces = size.div_ceil(CHUNK).max(1);
    let piece = |i: usize| {
        let (end, start) = ((i / pieces + 1) * size, i / pieces * size + i % pieces * CHUNK);
        f(start..(start + CHUNK).min(end))
    };
    let least = CHUNK.div_ceil(size.clamp(1, CHUNK));
    let sums: Vec<f64> = (0..rows * pieces).into_par_iter().with_min_len(least).map(piece).collect();
    (sums.chunks(pieces).map(|pieces| T::of(pieces.iter().sum())).collect(), shape.dims()[..dim].into())
}

/// A tensor whose pieces of rows `f` writes, told their row and their place.
///
/// # Safety
/// `f` must write all of its piece.
unsafe fn by_rows<T: Real>(
    shape: &Shape,
    dim: usize,
    f: impl Fn(usize, Range<usize>, &mut [MaybeUninit<T>]) + Sync,
) -> (Vec<T>, Shape) {
    let [_, size] = rows(shape, dim);
    let chunk = |(i, mut out): (usize, &mut [MaybeUninit<T>])| {
        let mut at = i * CHUNK;
        while !out.is_empty() {
            let row = at / size;
            let (piece, rest) = out.split_at_mut(((row + 1) * size - at).min(out.len()));
            let end = at + piece.len();
            f(row, at..end, piece);
            (at, out) = (end, rest);
        }
    };
    // SAFETY: pieces cover all of `out`, and `f` writes them.
    let values = unsafe { filled(shape.elem_count(), |out| out.par_chunks_mut(CHUNK).enumerate().for_each(chunk)) };
    (values, shape.clone())
}

/// `factor`·Σ over the dimensions from `dim` on.
struct Sum {
    dim: usize,
    factor: f64,
}

impl Kernel<1, 1> for Sum {
    fn name(&self) -> &'static str {
        "sum"
    }

    fn cpu<T: Real>(&self, [(x, shape)]: [(&[T], &Shape); 1]) -> Numbers<T, 1> {
        Ok([reduce(shape, self.dim, |piece| self.factor * total(&x[piece], |x: T| x))])
    }

    #[cfg(feature = "cuda")]
    fn cuda(&self, [x]: [Operand; 1]) -> OnGpu<1> {
        norm::row_sums(self.dim, self.factor, x, None)
    }
}

impl Op<1> for Sum {
    fn saves(&self) -> Saves<1> {
        Saves::NOTHING
    }

    fn backward(&self, saved: &Saved, upstream: &Tensor) -> candle_core::Result<[Option<Tensor>; 1]> {
        let fill = Fill { shape: saved.shape(0).clone(), dtype: saved.dtype(0), factor: self.factor };
        Ok([Some(apply(fill, [upstream])?)])
    }
}

/// `factor` times the number of each row, all over the row.
struct Fill {
    shape: Shape,
    /// On a GPU; on the CPU there is one type.
    #[cfg_attr(not(feature = "cuda"), allow(dead_code, reason = "for GPUs"))]
    dtype: DType,
    factor: f64,
}

impl Kernel<1, 1> for Fill {
    fn name(&self) -> &'static str {
        "fill"
    }

    fn cpu<T: Real>(&self, [(a, kept)]: [(&[T], &Shape); 1]) -> Numbers<T, 1> {
        let factor = T::of(self.factor);
        let fill = |row: usize, _, out: &mut [MaybeUninit<T>]| {
            out.fill(MaybeUninit::new(factor * a[row]));
        };
        // SAFETY: the piece is filled.
        Ok([unsafe { by_rows(&self.shape, kept.rank(), fill) }])
    }

    #[cfg(feature = "cuda")]
    fn cuda(&self, [a]: [Operand; 1]) -> OnGpu<1> {
        elementwise::fill_rows(&self.shape, self.dtype, self.factor, a)
    }
}

impl Op<1> for Fill {
    fn saves(&self) -> Saves<1> {
        Saves::NOTHING
    }

    fn backward(&self, saved: &Saved, upstream: &Tensor) -> candle_core::Result<[Option<Tensor>; 1]> {
        Ok([Some(apply(Sum { dim: saved.shape(0).rank(), factor: self.factor }, [upstream])?)])
    }
}

struct Dot {
    dim: usize,
}

impl Kernel<2, 1> for Dot {
    fn name(&self) -> &'static str {
        "dot"
    }

    fn cpu<T: Real>(&self, [(x, shape), (y, _)]: [(&[T], &Shape); 2]) -> Numbers<T, 1> {
        Ok([reduce(shape, self.dim, |piece| sum2(&x[piece.clone()], &y[piece], |x, y| x * y))])
    }

    #[cfg(feature = "cuda")]
    fn cuda(&self, [x, y]: [Operand; 2]) -> OnGpu<1> {
        norm::row_sums(self.dim, 1.0, x, Some(y))
    }
}

impl Op<2> for Dot {
    fn saves(&self) -> Saves<2> {
        Saves::OPERANDS
    }

    fn backward(&self, saved: &Saved, upstream: &Tensor) -> candle_core::Result<[Option<Tensor>; 2]> {
        let times = |i: usize| apply(Scale, [saved.operand(i)?, upstream]);
        Ok([saved.wanted(0, || times(1))?, saved.wanted(1, || times(0))?])
    }
}

struct Scale;

impl Kernel<2, 1> for Scale {
    fn name(&self) -> &'static str {
        "scale"
    }

    fn cpu<T: Real>(&self, [(x, shape), (a, kept)]: [(&[T], &Shape); 2]) -> Numbers<T, 1> {
        let times = |row: usize, place: Range<usize>, out: &mut [MaybeUninit<T>]| {
            let a = a[row];
            widest(|| {
                for (out, &x) in out.iter_mut().zip(&x[place]) {
                    out.write(x * a);
                }
            });
        };
        // SAFETY: the place is as long as the piece.
        Ok([unsafe { by_rows(shape, kept.rank(), times) }])
    }

    #[cfg(feature = "cuda")]
    fn cuda(&self, [x, a]: [Operand; 2]) -> OnGpu<1> {
        norm::scale_rows(x, a)
    }
}

impl Op<2> for Scale {
    fn saves(&self) -> Saves<2> {
        Saves::OPERANDS
    }

    fn backward(&self, saved: &Saved, upstream: &Tensor) -> candle_core::Result<[Option<Tensor>; 2]> {
        let (x, a) = (saved.operand(0)?, saved.operand(1)?);
        let for_x = saved.wanted(0, || apply(Scale, [upstream, a]))?;
        Ok([for_x, saved.wanted(1, || apply(Dot { dim: a.rank() }, [x, upstream]))?])
    }
}

/// The first of `tensors` (on the CPU, f32 or f64) that holds NaN or an infinity. One parallel pass over all.
///
/// # Errors
/// When a tensor is on another device or of another type.
pub(crate) fn first_not_finite(tensors: &[&Tensor]) -> Result<Option<usize>> {
    let first = |dtype| -> Vec<usize> { (0..tensors.len()).filter(|&i| tensors[i].dtype() == dtype).collect() };
    let (single, double) = (first(DType::F32), first(DType::F64));
    if single.len() + double.len() < tensors.len() {
        return Err(Error::invalid("test for finite numbers", "another type", "F32 or F64", ""));
    }
    let found = [bad::<f32>(tensors, &single)?, bad::<f64>(tensors, &double)?];
    Ok(found.into_iter().flatten().min())
}

fn bad<T: Real>(tensors: &[&Tensor], which: &[usize]) -> candle_core::Result<Option<usize>> {
    let tensors = which.iter().map(|&i| tensors[i].detach().contiguous()).collect::<candle_core::Result<Vec<_>>>()?;
    with_numbers::<T, _>(&tensors, "test for finite numbers", |numbers| {
        let pieces: Vec<(usize, &[T])> = which
            .iter()
            .zip(numbers)
            .flat_map(|(&i, numbers)| numbers.chunks(CHUNK).map(move |piece| (i, piece)))
            .collect();
        // Times 0, NaN and infinities become NaN.
        let is_bad = |piece: &[T]| total(piece, |x: T| x * T::ZERO) != 0.0;
        Ok(pieces.par_iter().filter(|(_, piece)| is_bad(piece)).map(|&(i, _)| i).min())
    })
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    #[test]
    fn sums_and_means_of_everything_samples_and_planes() {
        let numbers: Vec<f64> = (0..24).map(f64::from).collect();
        let x = Tensor::from_vec(numbers, (2, 3, 2, 2), &Device::Cpu).unwrap();
        let flat = |t: Tensor| t.flatten_all().unwrap().to_vec1::<f64>().unwrap();
        assert_eq!(sum(&x).unwrap().to_scalar::<f64>().unwrap(), 276.0);
        assert_eq!(mean(&x).unwrap().to_scalar::<f64>().unwrap(), 11.5);
        assert_eq!(flat(sum_from(&x, 1).unwrap()), [66.0, 210.0]);
        let planes = mean_from(&x, 2).unwrap();
        assert_eq!((planes.dims(), flat(planes.clone())), (&[2, 3][..], vec![1.5, 5.5, 9.5, 13.5, 17.5, 21.5]));
        assert!(sum_from(&x, 5).is_err());
        let empty = Tensor::zeros((2, 0), DType::F32, &Device::Cpu).unwrap();
        assert_eq!(sum(&empty).unwrap().to_scalar::<f32>().unwrap(), 0.0);
        assert_eq!(sum_from(&empty, 1).unwrap().to_vec1::<f32>().unwrap(), [0.0, 0.0]);
        assert!(mean(&empty).is_err());
    }

    #[test]
    fn long_rows_are_summed_in_pieces() {
        let x = Tensor::ones((3, 2 * CHUNK + 7), DType::F32, &Device::Cpu).unwrap();
        assert_eq!(sum_from(&x, 1).unwrap().to_vec1::<f32>().unwrap(), [(2 * CHUNK + 7) as f32; 3]);
        let scaled = scale(&x, &Tensor::new(&[1f32, 2.0, 3.0], &Device::Cpu).unwrap()).unwrap();
        let sums = sum_from(&scaled, 1).unwrap().to_vec1::<f32>().unwrap();
        assert_eq!(sums, [1.0, 2.0, 3.0].map(|a| a * (2 * CHUNK + 7) as f32));
        assert!(scale(&x, &Tensor::zeros(2, DType::F32, &Device::Cpu).unwrap()).is_err());
    }

    #[test]
    fn the_first_tensor_that_is_not_finite_is_named() {
        let of = |value: f32| Tensor::new(&[1.0, value, f32::MAX], &Device::Cpu).unwrap();
        let (good, nan, infinite) = (of(-f32::MAX), of(f32::NAN), of(f32::NEG_INFINITY));
        let double = Tensor::new(&[f64::NAN], &Device::Cpu).unwrap();
        assert_eq!(first_not_finite(&[&good, &good]).unwrap(), None);
        assert_eq!(first_not_finite(&[&good, &infinite, &nan]).unwrap(), Some(1));
        assert_eq!(first_not_finite(&[&good, &double, &nan]).unwrap(), Some(1));
        assert!(first_not_finite(&[&good.to_dtype(DType::U8).unwrap()]).is_err());
    }
}
