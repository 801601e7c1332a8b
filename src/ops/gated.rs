//! The end of a gated convolution, φ(f)·σ(g), in one pass (Yu et al. 2019, "Free-form image inpainting with gated
//! convolution", section 3.2; with φ the identity the gated linear unit of Dauphin et al. 2017).

use std::mem::MaybeUninit;

use candle_core::{Shape, Tensor};
use rayon::prelude::*;

use super::activation::{Activation, SlopeAt, factor, sigmoid, slope_times, with_slope, with_value};
use super::arithmetic::{mul, same_shape};
#[cfg(feature = "cuda")]
use super::cuda::{OnGpu, Operand, elementwise};
use super::kernel::{CHUNK, Real, filled, widest};
use super::op::{Kernel, Numbers, Op, apply, compute};
use crate::autograd::{Saved, Saves};
use crate::{Error, Result};

/// φ(f)·σ(g) of features f and gates g of one shape. f32 or f64.
///
/// # Errors
/// When the shapes differ.
pub fn gated(features: &Tensor, gates: &Tensor, activation: Activation) -> Result<Tensor> {
    same_shape("gated activation: gates", features, gates)?;
    Ok(apply(Gated(activation), [features, gates])?)
}

/// [`gated`] of one tensor `[N, 2·C, ...]`, whose first C channels are the features and the others the gates →
/// `[N, C, ...]`; with [`Activation::Identity`] PyTorch's `glu` over dimension 1.
///
/// # Errors
/// When the number of channels is odd, or there are none.
pub fn gated_halves(x: &Tensor, activation: Activation) -> Result<Tensor> {
    match x.dims() {
        &[_, channels, ..] if channels > 0 && channels % 2 == 0 => Ok(apply(GatedHalves(activation), [x])?),
        _ => Err(Error::shape("gated activation: input", x.dims(), "[N, C, ...] with an even number of channels")),
    }
}

/// Writes φ(f)·σ(g).
fn write_values<T: Real>(activation: Activation, y: &mut [MaybeUninit<T>], (f, g): (&[T], &[T])) {
    let chunks = y.par_chunks_mut(CHUNK).zip(f.par_chunks(CHUNK)).zip(g.par_chunks(CHUNK));
    with_value!(activation, phi => chunks.for_each(|((y, f), g)| {
        widest(move || {
            for ((y, &f), &g) in y.iter_mut().zip(f).zip(g) {
                y.write(phi(f) * g.logistic());
            }
        });
    }));
}

/// Writes the gradients of f and of g for the upstream gradient t.
fn write_gradients<T: Real>(
    activation: Activation,
    (for_f, for_g): (&mut [MaybeUninit<T>], &mut [MaybeUninit<T>]),
    (f, g, t): (&[T], &[T], &[T]),
) {
    let at_operand = activation.slope_at() == SlopeAt::Operand;
    let operands = f.par_chunks(CHUNK).zip(g.par_chunks(CHUNK)).zip(t.par_chunks(CHUNK));
    let chunks = for_f.par_chunks_mut(CHUNK).zip(for_g.par_chunks_mut(CHUNK)).zip(operands);
    with_value!(activation, value => with_slope!(activation, slope => chunks.for_each(|((for_f, for_g), ((f, g), t))| {
        widest(move || {
            let operands = f.iter().zip(g).zip(t);
            for ((for_f, for_g), ((&f, &g), &t)) in for_f.iter_mut().zip(for_g).zip(operands) {
                let (phi, sigma) = (value(f), g.logistic());
                for_f.write(t * sigma * slope(if at_operand { f } else { phi }));
                for_g.write(t * phi * (sigma * (T::ONE - sigma)));
            }
        });
    })));
}

struct Gated(Activation);

impl Kernel<2, 1> for Gated {
    fn name(&self) -> &'static str {
        "gated"
    }

    fn cpu<T: Real>(&self, [(f, shape), (g, _)]: [(&[T], &Shape); 2]) -> Numbers<T, 1> {
        // SAFETY: the three have one length, and all of `y` is written.
        let y = unsafe { filled(f.len(), |y| write_values(self.0, y, (f, g))) };
        Ok([(y, shape.clone())])
    }

    #[cfg(feature = "cuda")]
    fn cuda(&self, [f, g]: [Operand; 2]) -> OnGpu<1> {
        elementwise::gated(self.0, f, g)
    }
}

impl Op<2> for Gated {
    fn saves(&self) -> Saves<2> {
        Saves::OPERANDS
    }

    fn backward(&self, saved: &Saved, upstream: &Tensor) -> candle_core::Result<[Option<Tensor>; 2]> {
        let (f, g) = (saved.operand(0)?, saved.operand(1)?);
        if !saved.keeps_graph() {
            return Ok(compute(&Gradients(self.0), [f, g, upstream])?.map(Some));
        }
        let [for_f, for_g] = composed(self.0, f, g, upstream)?;
        Ok([Some(for_f), Some(for_g)])
    }
}

/// The gradients of f and g, made of operations that can be differentiated again.
fn composed(activation: Activation, f: &Tensor, g: &Tensor, upstream: &Tensor) -> candle_core::Result<[Tensor; 2]> {
    let (phi, sigma) = (activation.apply(f)?, sigmoid(g)?);
    let at = if activation.slope_at() == SlopeAt::Operand { f } else { &phi };
    let for_f = slope_times(activation, at, &mul(upstream, &sigma)?)?;
    Ok([for_f, slope_times(Activation::Sigmoid, &sigma, &mul(upstream, &phi)?)?])
}

/// (f, g, t) → the gradients of f and g at once.
struct Gradients(Activation);

impl Kernel<3, 2> for Gradients {
    fn name(&self) -> &'static str {
        "gated_gradients"
    }

    fn cpu<T: Real>(&self, [(f, shape), (g, _), (t, _)]: [(&[T], &Shape); 3]) -> Numbers<T, 2> {
        let mut for_g = Vec::new();
        // SAFETY: all five have one length, and all of both results is written.
        let for_f = unsafe {
            filled(f.len(), |for_f| {
                for_g = filled(f.len(), |for_g| write_gradients(self.0, (for_f, for_g), (f, g, t)));
            })
        };
        Ok([(for_f, shape.clone()), (for_g, shape.clone())])
    }

    #[cfg(feature = "cuda")]
    fn cuda(&self, operands: [Operand; 3]) -> OnGpu<2> {
        elementwise::gated_gradients(self.0, operands)
    }
}

/// Numbers of one sample's features.
fn half(shape: &Shape) -> usize {
    (shape.dims()[1..].iter().product::<usize>() / 2).max(1)
}

struct GatedHalves(Activation);

impl Kernel<1, 1> for GatedHalves {
    fn name(&self) -> &'static str {
        "gated_halves"
    }

    fn cpu<T: Real>(&self, [(x, shape)]: [(&[T], &Shape); 1]) -> Numbers<T, 1> {
        let half = half(shape);
        let mut halved = shape.dims().to_vec();
        halved[1] /= 2;
        // SAFETY: samples pair up, and all of a sample's piece of `y` is written.
        let y = unsafe {
            filled(x.len() / 2, |y| {
                let samples = y.par_chunks_mut(half).zip(x.par_chunks(2 * half));
                samples.for_each(|(y, x)| write_values(self.0, y, x.split_at(half)));
            })
        };
        Ok([(y, halved.into())])
    }

    #[cfg(feature = "cuda")]
    fn cuda(&self, [x]: [Operand; 1]) -> OnGpu<1> {
        elementwise::gated_halves(self.0, x)
    }
}

impl Op<1> for GatedHalves {
    fn saves(&self) -> Saves<1> {
        Saves::OPERANDS
    }

    fn backward(&self, saved: &Saved, upstream: &Tensor) -> candle_core::Result<[Option<Tensor>; 1]> {
        let x = saved.operand(0)?;
        if !saved.keeps_graph() {
            return Ok(compute(&HalvesGradient(self.0), [x, upstream])?.map(Some));
        }
        let channels = x.dims()[1] / 2;
        let part = |i: usize| x.narrow(1, i * channels, channels)?.contiguous();
        Ok([Some(Tensor::cat(&composed(self.0, &part(0)?, &part(1)?, upstream)?, 1)?)])
    }
}

/// (x, t) → the gradient of both halves of x.
struct HalvesGradient(Activation);

impl Kernel<2, 1> for HalvesGradient {
    fn name(&self) -> &'static str {
        "gated_halves_gradient"
    }

    fn cpu<T: Real>(&self, [(x, shape), (t, _)]: [(&[T], &Shape); 2]) -> Numbers<T, 1> {
        let half = half(shape);
        // SAFETY: samples pair up, and all of both halves is written.
        let gradient = unsafe {
            filled(x.len(), |out| {
                let samples = out.par_chunks_mut(2 * half).zip(x.par_chunks(2 * half)).zip(t.par_chunks(half));
                samples.for_each(|((out, x), t)| {
                    let (f, g) = x.split_at(half);
                    write_gradients(self.0, out.split_at_mut(half), (f, g, t));
                });
            })
        };
        Ok([(gradient, shape.clone())])
    }

    #[cfg(feature = "cuda")]
    fn cuda(&self, [x, t]: [Operand; 2]) -> OnGpu<1> {
        elementwise::gated_halves_gradient(self.0, x, t)
    }
}
