//! The largest singular value of a weight, by power iteration (Miyato et al. 2018, algorithm 1).
//!
//! Weights of any rank count as matrices `[O, K]`, K the product of all dimensions but the first. The products of a
//! matrix with vectors are closed under differentiation: each one's backward pass consists of the others.

use candle_core::{Shape, Tensor, Var};
use rayon::prelude::*;

#[cfg(feature = "cuda")]
use super::cuda::{OnGpu, Operand, elementwise, norm};
use super::kernel::{CHUNK, Real, filled, sum2, widest};
use super::op::{Kernel, Numbers, Op, apply};
use super::reduce;
use crate::autograd::{Saved, Saves};
use crate::{Error, Result};

/// Moves the singular vectors u `[O]` and v `[K]` of a weight `[O, ...]` towards those of its largest singular value:
/// v ← Wᵀu/‖Wᵀu‖, u ← Wv/‖Wv‖, `iterations` times, with lengths of at least `epsilon` (PyTorch's 1e-12). Joins no
/// graph.
///
/// # Errors
/// When the shapes do not fit.
pub fn power_iteration(weight: &Tensor, u: &Var, v: &Var, iterations: usize, epsilon: f64) -> Result<()> {
    check(weight, u, v)?;
    let weight = weight.detach();
    for _ in 0..iterations {
        v.set(&unit(&apply(Transposed, [&weight, &u.as_detached_tensor()])?, epsilon)?)?;
        u.set(&unit(&apply(Times, [&weight, &v.as_detached_tensor()])?, epsilon)?)?;
    }
    Ok(())
}

fn unit(vector: &Tensor, epsilon: f64) -> Result<Tensor> {
    let length = reduce::dot_from(vector, vector, 0)?.sqrt()?.maximum(epsilon)?;
    reduce::scale(vector, &length.recip()?)
}

/// σ = uᵀWv of a weight `[O, ...]` → a scalar: its largest singular value, when u `[O]` and v `[K]` are the vectors that
/// [`power_iteration`] has found. They are constants for the gradient, which is u vᵀ, as in PyTorch's `spectral_norm`.
///
/// # Errors
/// When the shapes do not fit.
pub fn spectral_norm(weight: &Tensor, u: &Tensor, v: &Tensor) -> Result<Tensor> {
    check(weight, u, v)?;
    reduce::dot_from(&apply(Times, [weight, &v.detach()])?, &u.detach(), 0)
}

/// The weight divided by [`spectral_norm`], shape of the weight. The gradient goes through the weight in both.
///
/// # Errors
/// As [`spectral_norm`].
pub fn spectrally_normalized(weight: &Tensor, u: &Tensor, v: &Tensor) -> Result<Tensor> {
    reduce::scale(weight, &spectral_norm(weight, u, v)?.recip()?)
}

fn check(weight: &Tensor, u: &Tensor, v: &Tensor) -> Result<()> {
    let dims = weight.dims();
    let Some((&rows, rest)) = dims.split_first() else {
        return Err(Error::shape("spectral norm: weight", dims, "[O, ...]"));
    };
    for (what, vector, length) in [("u", u, rows), ("v", v, rest.iter().product())] {
        if vector.dims() != [length] {
            return Err(Error::shape(format!("spectral norm: {what}"), vector.dims(), format!("[{length}]")));
        }
    }
    Ok(())
}

/// (W `[O, ...]`, v `[K]`) → Wv `[O]`.
struct Times;

impl Kernel<2, 1> for Times {
    fn name(&self) -> &'static str {
        "matrix_times_vector"
    }

    fn cpu<T: Real>(&self, [(weight, shape), (v, _)]: [(&[T], &Shape); 2]) -> Numbers<T, 1> {
        let columns = v.len().max(1);
        let rows = weight.par_chunks(columns).with_min_len(CHUNK.div_ceil(columns));
        let products = rows.map(|row| T::of(sum2(row, v, |w, v| w * v))).collect();
        Ok([(products, shape.dims()[0].into())])
    }

    #[cfg(feature = "cuda")]
    fn cuda(&self, [weight, v]: [Operand; 2]) -> OnGpu<1> {
        norm::matrix_times_vector(weight, v)
    }
}

impl Op<2> for Times {
    fn saves(&self) -> Saves<2> {
        Saves::OPERANDS
    }

    fn backward(&self, saved: &Saved, upstream: &Tensor) -> candle_core::Result<[Option<Tensor>; 2]> {
        let outer = || apply(Outer { shape: saved.shape(0).clone() }, [upstream, saved.operand(1)?]);
        let for_weight = saved.wanted(0, outer)?;
        Ok([for_weight, saved.wanted(1, || apply(Transposed, [saved.operand(0)?, upstream]))?])
    }
}

/// (W `[O, ...]`, u `[O]`) → Wᵀu `[K]`.
struct Transposed;

impl Kernel<2, 1> for Transposed {
    fn name(&self) -> &'static str {
        "transposed_matrix_times_vector"
    }

    /// Row by row over bands of columns, whose sums stay in the cache.
    fn cpu<T: Real>(&self, [(weight, shape), (u, _)]: [(&[T], &Shape); 2]) -> Numbers<T, 1> {
        const BAND: usize = 512;
        let columns: usize = shape.dims()[1..].iter().product();
        let mut products = vec![T::ZERO; columns];
        products.par_chunks_mut(BAND).enumerate().for_each(|(band, products)| {
            widest(|| {
                for (row, &u) in weight.chunks(columns).zip(u) {
                    for (product, &w) in products.iter_mut().zip(&row[band * BAND..]) {
                        *product += w * u;
                    }
                }
            });
        });
        Ok([(products, columns.into())])
    }

    #[cfg(feature = "cuda")]
    fn cuda(&self, [weight, u]: [Operand; 2]) -> OnGpu<1> {
        // The rows are channels of one image, of which a weighted sum is wanted.
        let columns = weight.1.dims()[1..].iter().product::<usize>();
        let [(out, _)] = elementwise::noise_plane((1, columns).into(), weight, u)?;
        Ok([(out, columns.into())])
    }
}

impl Op<2> for Transposed {
    fn saves(&self) -> Saves<2> {
        Saves::OPERANDS
    }

    fn backward(&self, saved: &Saved, upstream: &Tensor) -> candle_core::Result<[Option<Tensor>; 2]> {
        let outer = || apply(Outer { shape: saved.shape(0).clone() }, [saved.operand(1)?, upstream]);
        let for_weight = saved.wanted(0, outer)?;
        Ok([for_weight, saved.wanted(1, || apply(Times, [saved.operand(0)?, upstream]))?])
    }
}

/// (u `[O]`, v `[K]`) → u vᵀ in the shape of a weight.
struct Outer {
    shape: Shape,
}

impl Kernel<2, 1> for Outer {
    fn name(&self) -> &'static str {
        "outer_product"
    }

    fn cpu<T: Real>(&self, [(u, _), (v, _)]: [(&[T], &Shape); 2]) -> Numbers<T, 1> {
        let columns = v.len().max(1);
        // SAFETY: there are as many rows as numbers of `u`, each as long as `v`, and all of a row is written.
        let products = unsafe {
            filled(u.len() * v.len(), |out| {
                let rows = out.par_chunks_mut(columns).zip(u).with_min_len(CHUNK.div_ceil(columns));
                rows.for_each(|(out, &u)| {
                    widest(|| {
                        for (out, &v) in out.iter_mut().zip(v) {
                            out.write(u * v);
                        }
                    });
                });
            })
        };
        Ok([(products, self.shape.clone())])
    }

    #[cfg(feature = "cuda")]
    fn cuda(&self, [u, v]: [Operand; 2]) -> OnGpu<1> {
        let [(out, _)] =
            elementwise::noise_scaled((1, u.1.shape().elem_count(), v.1.shape().elem_count()).into(), v, u)?;
        Ok([(out, self.shape.clone())])
    }
}

impl Op<2> for Outer {
    fn saves(&self) -> Saves<2> {
        Saves::OPERANDS
    }

    fn backward(&self, saved: &Saved, upstream: &Tensor) -> candle_core::Result<[Option<Tensor>; 2]> {
        let for_u = saved.wanted(0, || apply(Times, [upstream, saved.operand(1)?]))?;
        Ok([for_u, saved.wanted(1, || apply(Transposed, [upstream, saved.operand(0)?]))?])
    }
}
