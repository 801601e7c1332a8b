//! Sums and products of tensors of one shape, on all cores; f32 and f64.

use candle_core::{Shape, Tensor};

#[cfg(feature = "cuda")]
use super::cuda::{OnGpu, Operand, elementwise};
use super::kernel::{Real, map, map2};
use super::op::{Kernel, Numbers, Op, apply};
use crate::autograd::{Saved, Saves};
use crate::{Error, Result};

/// a + b. Unlike candle's, its backward pass moves no memory.
///
/// # Errors
/// When the shapes differ, or the tensors are neither f32 nor f64; so for all of this module.
pub fn add(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    same_shape("sum", a, b)?;
    Ok(apply(Add, [a, b])?)
}

/// a·b.
///
/// # Errors
/// As [`add`].
pub fn mul(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    same_shape("product", a, b)?;
    Ok(apply(Mul, [a, b])?)
}

/// `factor`·x + `offset`.
///
/// # Errors
/// When x is neither f32 nor f64.
pub fn affine(x: &Tensor, factor: f64, offset: f64) -> Result<Tensor> {
    Ok(apply(Affine { factor, offset }, [x])?)
}

pub(super) fn same_shape(what: &str, a: &Tensor, b: &Tensor) -> Result<()> {
    if a.dims() == b.dims() {
        Ok(())
    } else {
        Err(Error::shape(format!("{what}: second operand"), b.dims(), format!("{:?}", a.dims())))
    }
}

struct Add;

impl Kernel<2, 1> for Add {
    fn name(&self) -> &'static str {
        "add"
    }

    fn cpu<T: Real>(&self, [(a, shape), (b, _)]: [(&[T], &Shape); 2]) -> Numbers<T, 1> {
        Ok([(map2(a, b, |a, b| a + b), shape.clone())])
    }

    #[cfg(feature = "cuda")]
    fn cuda(&self, [a, b]: [Operand; 2]) -> OnGpu<1> {
        elementwise::add(a, b)
    }
}

impl Op<2> for Add {
    fn saves(&self) -> Saves<2> {
        Saves::NOTHING
    }

    fn backward(&self, saved: &Saved, upstream: &Tensor) -> candle_core::Result<[Option<Tensor>; 2]> {
        Ok([saved.wanted(0, || Ok(upstream.clone()))?, saved.wanted(1, || Ok(upstream.clone()))?])
    }
}

struct Mul;

impl Kernel<2, 1> for Mul {
    fn name(&self) -> &'static str {
        "mul"
    }

    fn cpu<T: Real>(&self, [(a, shape), (b, _)]: [(&[T], &Shape); 2]) -> Numbers<T, 1> {
        Ok([(map2(a, b, |a, b| a * b), shape.clone())])
    }

    #[cfg(feature = "cuda")]
    fn cuda(&self, [a, b]: [Operand; 2]) -> OnGpu<1> {
        elementwise::multiply(a, b)
    }
}

impl Op<2> for Mul {
    fn saves(&self) -> Saves<2> {
        Saves::OPERANDS
    }

    fn backward(&self, saved: &Saved, upstream: &Tensor) -> candle_core::Result<[Option<Tensor>; 2]> {
        let times = |i: usize| apply(Mul, [upstream, saved.operand(i)?]);
        Ok([saved.wanted(0, || times(1))?, saved.wanted(1, || times(0))?])
    }
}

struct Affine {
    factor: f64,
    offset: f64,
}

impl Kernel<1, 1> for Affine {
    fn name(&self) -> &'static str {
        "affine"
    }

    fn cpu<T: Real>(&self, [(x, shape)]: [(&[T], &Shape); 1]) -> Numbers<T, 1> {
        let (factor, offset) = (T::of(self.factor), T::of(self.offset));
        Ok([(map(x, move |x| x * factor + offset), shape.clone())])
    }

    #[cfg(feature = "cuda")]
    fn cuda(&self, [x]: [Operand; 1]) -> OnGpu<1> {
        elementwise::scale_offset(self.factor, self.offset, x)
    }
}

impl Op<1> for Affine {
    fn saves(&self) -> Saves<1> {
        Saves::NOTHING
    }

    fn backward(&self, _: &Saved, upstream: &Tensor) -> candle_core::Result<[Option<Tensor>; 1]> {
        Ok([Some(apply(Affine { factor: self.factor, offset: 0.0 }, [upstream])?)])
    }
}
