//! Normalisation of the feature vector of every pixel.
//!
//! x̂ = x·r with r = (mean of x² over the channels + ε)^−½. Its derivative P(t) = r·(t − x̂·mean(x̂·t)) is a symmetric
//! map, so that one kernel is the backward pass, the tangent, and a part of its own backward pass.

use std::array;
use std::mem::MaybeUninit;

use candle_core::{Shape, Tensor};
use rayon::prelude::*;

use crate::autograd::{Saved, Saves};
use crate::ops::arithmetic::same_shape;
#[cfg(feature = "cuda")]
use crate::ops::cuda::{OnGpu, Operand, norm};
use crate::ops::kernel::{CHUNK, Real, Shared, filled, widest};
use crate::ops::op::{Kernel, Numbers, Op, apply};
use crate::{Error, Result};

/// x·(mean of x² over the channels + ε)^−½ at every pixel: x `[N, C, ...]` → shape of x (Karras et al. 2018, section
/// 4.2, where ε is 1e-8). f32 or f64.
///
/// # Errors
/// When x has no channels.
pub fn pixel_norm(x: &Tensor, epsilon: f64) -> Result<Tensor> {
    check(x)?;
    Ok(apply(PixelNorm { epsilon }, [x])?)
}

/// The derivative of [`pixel_norm`] at `x` along `tangent` (shape of x).
///
/// # Errors
/// When x has no channels, or the shapes differ.
pub fn pixel_norm_tangent(x: &Tensor, tangent: &Tensor, epsilon: f64) -> Result<Tensor> {
    check(x)?;
    same_shape("pixel norm: tangent", x, tangent)?;
    Ok(apply(Derivative { epsilon }, [x, tangent])?)
}

fn check(x: &Tensor) -> Result<()> {
    match x.dims() {
        &[_, channels, ..] if channels > 0 => Ok(()),
        _ => Err(Error::shape("pixel norm: input", x.dims(), "[N, C, ...] with at least one channel")),
    }
}

/// Pixels that are worked on together.
const TILE: usize = 256;

/// f(x, t, coefficients) for all numbers, where `coefficients` makes them from Σ x² and Σ x·t over a pixel's channels.
fn map<T: Real>(
    (x, t): (&[T], &[T]),
    shape: &Shape,
    coefficients: impl Fn(T, T) -> [T; 2] + Sync,
    f: impl Fn(T, T, [T; 2]) -> T + Sync,
) -> Vec<T> {
    let dims = shape.dims();
    let (n, channels, size) = (dims[0], dims[1], dims[2..].iter().product::<usize>());
    let tiles = size.div_ceil(TILE);
    let tile = |i: usize, out: Shared<MaybeUninit<T>>| {
        let (start, width) = (i / tiles * channels * size + i % tiles * TILE, TILE.min(size - i % tiles * TILE));
        let rows = || (0..channels).map(|channel| start + channel * size).map(|at| at..at + width);
        let (mut squares, mut products) = ([T::ZERO; TILE], [T::ZERO; TILE]);
        widest(|| {
            for row in rows() {
                let sums = squares.iter_mut().zip(&mut products);
                for ((squares, products), (&x, &t)) in sums.zip(x[row.clone()].iter().zip(&t[row])) {
                    *squares += x * x;
                    *products += x * t;
                }
            }
            let coefficients: [[T; 2]; TILE] = array::from_fn(|j| coefficients(squares[j], products[j]));
            for row in rows() {
                // SAFETY: tasks have different tiles, whose numbers lie inside the buffer.
                let out = unsafe { std::slice::from_raw_parts_mut(out.get().add(row.start), width) };
                let numbers = x[row.clone()].iter().zip(&t[row]).zip(&coefficients);
                for (out, ((&x, &t), &coefficients)) in out.iter_mut().zip(numbers) {
                    out.write(f(x, t, coefficients));
                }
            }
        });
    };
    // SAFETY: the tiles of all samples cover the tensor, each once.
    unsafe {
        filled(x.len(), |out| {
            let out = Shared::new(out.as_mut_ptr());
            let least = CHUNK.div_ceil(channels * size.clamp(1, TILE));
            (0..n * tiles).into_par_iter().with_min_len(least).for_each(|i| tile(i, out));
        })
    }
}

struct PixelNorm {
    epsilon: f64,
}

impl Kernel<1, 1> for PixelNorm {
    fn name(&self) -> &'static str {
        "pixel_norm"
    }

    fn cpu<T: Real>(&self, [(x, shape)]: [(&[T], &Shape); 1]) -> Numbers<T, 1> {
        let (count, epsilon) = (T::of(shape.dims()[1] as f64), T::of(self.epsilon));
        let rate = |squares: T, _| [T::ONE / (squares / count + epsilon).sqrt(), T::ZERO];
        Ok([(map((x, x), shape, rate, |x, _, [rate, _]| x * rate), shape.clone())])
    }

    #[cfg(feature = "cuda")]
    fn cuda(&self, [x]: [Operand; 1]) -> OnGpu<1> {
        norm::pixel_norm(self.epsilon, x, None)
    }
}

impl Op<1> for PixelNorm {
    fn saves(&self) -> Saves<1> {
        Saves::OPERANDS
    }

    fn backward(&self, saved: &Saved, upstream: &Tensor) -> candle_core::Result<[Option<Tensor>; 1]> {
        Ok([Some(apply(Derivative { epsilon: self.epsilon }, [saved.operand(0)?, upstream])?)])
    }
}

/// (x, t) → P(t).
struct Derivative {
    epsilon: f64,
}

impl Kernel<2, 1> for Derivative {
    fn name(&self) -> &'static str {
        "pixel_norm_derivative"
    }

    fn cpu<T: Real>(&self, [(x, shape), (t, _)]: [(&[T], &Shape); 2]) -> Numbers<T, 1> {
        let (count, epsilon) = (T::of(shape.dims()[1] as f64), T::of(self.epsilon));
        let coefficients = |squares: T, products: T| {
            let power = squares / count + epsilon;
            [T::ONE / power.sqrt(), products / count / power]
        };
        let f = |x: T, t: T, [rate, along]: [T; 2]| rate * (t - x * along);
        Ok([(map((x, t), shape, coefficients, f), shape.clone())])
    }

    #[cfg(feature = "cuda")]
    fn cuda(&self, [x, t]: [Operand; 2]) -> OnGpu<1> {
        norm::pixel_norm(self.epsilon, x, Some(t))
    }
}

impl Op<2> for Derivative {
    fn saves(&self) -> Saves<2> {
        Saves::OPERANDS
    }

    /// With upstream G the gradient of ⟨G, P(t)⟩ with respect to x is
    /// r²·(3·x̂·mean(x̂·G)·mean(x̂·t) − x̂·mean(G·t) − G·mean(x̂·t) − t·mean(x̂·G)).
    fn backward(&self, saved: &Saved, upstream: &Tensor) -> candle_core::Result<[Option<Tensor>; 2]> {
        let (x, t) = (saved.operand(0)?, saved.operand(1)?);
        let for_x = saved.wanted(0, || {
            let (n, channels) = (x.dims()[0], x.dims()[1]);
            let flat = |x: &Tensor| x.contiguous()?.reshape((n, channels, ()));
            let (x, t, g) = (flat(x)?, flat(t)?, flat(upstream)?);
            let rate = (x.sqr()?.mean_keepdim(1)? + self.epsilon)?.sqrt()?.recip()?;
            let unit = x.broadcast_mul(&rate)?;
            let mean = |a: &Tensor, b: &Tensor| (a * b)?.mean_keepdim(1);
            let (with_g, with_t) = (mean(&unit, &g)?, mean(&unit, &t)?);
            let along = ((&with_g * &with_t)?.affine(3.0, 0.0)? - mean(&g, &t)?)?;
            let total = (unit.broadcast_mul(&along)? - g.broadcast_mul(&with_t)?)?;
            (total - t.broadcast_mul(&with_g)?)?.broadcast_mul(&rate.sqr()?)?.reshape(saved.shape(0))
        })?;
        let for_t = saved.wanted(1, || apply(Derivative { epsilon: self.epsilon }, [x, upstream]))?;
        Ok([for_x, for_t])
    }
}
