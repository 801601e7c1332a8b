//! Batch and instance normalisation: memory is read once and written once forward, and read and written once backward;
//! a group's other passes find it in the cache.
//!
//! Both are y = γ·x̂ + β with x̂ = (x − μ)·r, r = (variance + ε)^−½ over groups of numbers: a channel of the whole batch,
//! or one plane. The derivative of x̂ is P(t) = r·(t − mean t − x̂·mean(x̂·t)), a symmetric map, so that one
//! kernel is the backward pass, the tangent of dual numbers, and a part of its own backward pass.

use std::sync::{Arc, OnceLock};

use self::kernels::{Moments, Over, Sums};
use super::cast::{convert, wide, widened};
#[cfg(feature = "cuda")]
use super::cuda::{self, OnGpu, Operand};
use super::kernel::Real;
use super::op::{Kernel, Numbers, Op, apply, compute};
use super::{channel, reduce};
use crate::autograd::{Saved, Saves};
use crate::{Error, Result};
use candle_core::{Shape, Tensor};

pub use self::pixel::{pixel_norm, pixel_norm_tangent};

mod columns;
mod kernels;
mod pixel;

/// What a batch norm saw, `[C]` each, without a graph.
#[derive(Clone, Debug)]
pub struct BatchStatistics {
    /// Mean per channel.
    pub mean: Tensor,
    /// Variance per channel with Bessel's correction, which running statistics take.
    pub unbiased_variance: Tensor,
}

/// Batch normalisation with the batch's statistics (f32 where x is bf16, and γ and β too): x `[N, C, ...]` of any rank
/// from 2 on, γ and β `[C]` → shape of x, and the statistics. The variance that divides is the biased one (Ioffe &
/// Szegedy 2015, algorithm 1).
///
/// # Errors
/// When the shapes do not fit, or a channel has a single number, whose variance is 0.
pub fn batch_norm(x: &Tensor, weight: &Tensor, bias: &Tensor, epsilon: f64) -> Result<(Tensor, BatchStatistics)> {
    check("batch norm", x, &[weight, bias])?;
    let count = x.elem_count() / x.dims()[1].max(1);
    if count < 2 {
        return Err(Error::shape("batch norm in training: input", x.dims(), "more than one number per channel"));
    }
    let norm = Norm::new(Over::Batch, epsilon);
    let y = normalize(x, weight, bias, norm.clone())?;
    let bessel = count as f64 / (count - 1) as f64;
    let [mean, unbiased_variance] = compute(&Seen { norm, bessel }, [x])?;
    Ok((y, BatchStatistics { mean, unbiased_variance }))
}

/// Instance normalisation: every plane of x `[N, C, H, W]` by itself, then γ and β `[C]` if given → shape of x.
///
/// # Errors
/// When the shapes do not fit, or a plane has a single number.
pub fn instance_norm(x: &Tensor, affine: Option<(&Tensor, &Tensor)>, epsilon: f64) -> Result<Tensor> {
    let ones = unit(x)?;
    let zeros = ones.zeros_like()?;
    let (weight, bias) = affine.unwrap_or((&ones, &zeros));
    check("instance norm", x, &[weight, bias])?;
    if x.dims()[2..].iter().product::<usize>() < 2 {
        return Err(Error::shape("instance norm: input", x.dims(), "more than one number per plane"));
    }
    Ok(normalize(x, weight, bias, Norm::new(Over::Plane, epsilon))?)
}

/// Adaptive instance normalisation (Huang & Belongie 2017, equation 8; StyleGAN: Karras et al. 2019, equation 1): every
/// plane of x `[N, C, H, W]` by itself, times `scale` plus `shift`, both `[N, C]` → shape of x. The variance is the
/// biased one.
///
/// # Errors
/// When the shapes do not fit, or a plane has a single number.
pub fn adaptive_instance_norm(x: &Tensor, scale: &Tensor, shift: &Tensor, epsilon: f64) -> Result<Tensor> {
    check_styles(x, &[scale, shift])?;
    Ok(normalize(x, scale, shift, Norm::new(Over::Plane, epsilon).per_sample())?)
}

/// The derivative of [`adaptive_instance_norm`] at `x` along `tangent` (shape of x), the style held.
///
/// # Errors
/// As [`adaptive_instance_norm`].
pub fn adaptive_instance_norm_tangent(x: &Tensor, tangent: &Tensor, scale: &Tensor, epsilon: f64) -> Result<Tensor> {
    check_styles(x, &[scale])?;
    if x.dims() != tangent.dims() {
        return Err(Error::shape("adaptive instance norm: tangent", tangent.dims(), format!("{:?}", x.dims())));
    }
    Ok(derivative(x, tangent, scale, Norm::new(Over::Plane, epsilon).per_sample())?)
}

fn check_styles(x: &Tensor, styles: &[&Tensor]) -> Result<()> {
    let &[n, channels, h, w] = x.dims() else {
        return Err(Error::shape("adaptive instance norm: input", x.dims(), "[N, C, H, W]"));
    };
    if h * w < 2 {
        return Err(Error::shape("adaptive instance norm: input", x.dims(), "more than one number per plane"));
    }
    match styles.iter().find(|style| style.dims() != [n, channels]) {
        Some(style) => Err(Error::shape("adaptive instance norm: style", style.dims(), format!("[{n}, {channels}]"))),
        None => Ok(()),
    }
}

/// The derivative of [`instance_norm`] at `x` along `tangent` (shape of x).
///
/// # Errors
/// When the shapes do not fit.
pub fn instance_norm_tangent(x: &Tensor, tangent: &Tensor, weight: Option<&Tensor>, epsilon: f64) -> Result<Tensor> {
    let ones = unit(x)?;
    let weight = weight.unwrap_or(&ones);
    check("instance norm", x, &[weight])?;
    if x.dims() != tangent.dims() {
        return Err(Error::shape("instance norm: tangent", tangent.dims(), format!("{:?}", x.dims())));
    }
    Ok(derivative(x, tangent, weight, Norm::new(Over::Plane, epsilon))?)
}

fn unit(x: &Tensor) -> Result<Tensor> {
    let &[_, channels, ..] = x.dims() else {
        return Err(Error::shape("instance norm: input", x.dims(), "[N, C, H, W]"));
    };
    Ok(Tensor::ones(channels, wide(x.dtype()), x.device())?)
}

fn check(what: &str, x: &Tensor, per_channel: &[&Tensor]) -> Result<()> {
    let &[_, channels, ..] = x.dims() else {
        return Err(Error::shape(format!("{what}: input"), x.dims(), "[N, C, ...]"));
    };
    if per_channel.iter().any(|operand| operand.dims() != [channels]) {
        let expected = format!("[N, {:?}, ...]", per_channel.iter().map(|operand| operand.dims()).collect::<Vec<_>>());
        return Err(Error::shape(format!("{what}: input"), x.dims(), expected));
    }
    Ok(())
}

/// What the operations of one normalisation have in common.
#[derive(Clone, Debug)]
struct Norm {
    over: Over,
    epsilon: f64,
    /// γ and β are one per sample and channel, not one per channel.
    per_sample: bool,
    /// Filled by whichever operation on the same x comes first.
    moments: Arc<OnceLock<Vec<Moments>>>,
    /// The same on a GPU.
    #[cfg(feature = "cuda")]
    on_gpu: Arc<OnceLock<cuda::norm::Statistics>>,
}

#[cfg(feature = "cuda")]
impl Norm {
    fn over(&self) -> cuda::norm::Over {
        cuda::norm::Over { per_plane: self.over == Over::Plane, per_sample: self.per_sample, epsilon: self.epsilon }
    }

    fn statistics(&self, x: Operand) -> candle_core::Result<&cuda::norm::Statistics> {
        match self.on_gpu.get() {
            Some(known) => Ok(known),
            None => {
                let found = cuda::norm::statistics(self.over(), x)?;
                Ok(self.on_gpu.get_or_init(|| found))
            }
        }
    }
}

impl Norm {
    fn new(over: Over, epsilon: f64) -> Norm {
        Norm {
            over,
            epsilon,
            per_sample: false,
            moments: Arc::default(),
            #[cfg(feature = "cuda")]
            on_gpu: Arc::default(),
        }
    }

    fn per_sample(self) -> Norm {
        Norm { per_sample: true, ..self }
    }

    /// The shape of γ for an x of this shape.
    fn weights(&self, x: &Shape) -> Shape {
        if self.per_sample { x.dims()[..2].into() } else { x.dims()[1].into() }
    }

    /// Σ x for every number of γ.
    fn sum(&self, x: &Tensor) -> Result<Tensor> {
        if self.per_sample { reduce::sum_from(x, 2) } else { channel::sum(x) }
    }

    /// Σ x·y for every number of γ.
    fn dot(&self, x: &Tensor, y: &Tensor) -> Result<Tensor> {
        if self.per_sample { reduce::dot_from(x, y, 2) } else { channel::dot(x, y) }
    }

    /// x·γ.
    fn scale(&self, x: &Tensor, weight: &Tensor) -> Result<Tensor> {
        if self.per_sample { reduce::scale(x, weight) } else { channel::scale(x, weight) }
    }

    fn moments<T: Real>(&self, x: &[T], shape: &Shape) -> &[Moments] {
        self.moments.get_or_init(|| self.over.moments(x, shape))
    }

    /// (x̂, r) written in candle's operations, which can be differentiated to any order; `x` is `[N, C, size]`.
    fn reference(&self, x: &Tensor) -> candle_core::Result<(Tensor, Tensor)> {
        let centred = x.broadcast_sub(&self.mean(x)?)?;
        let rate = (self.mean(&centred.sqr()?)? + self.epsilon)?.sqrt()?.recip()?;
        Ok((centred.broadcast_mul(&rate)?, rate))
    }

    /// Mean over each group of `[N, C, size]`, dimensions kept.
    fn mean(&self, x: &Tensor) -> candle_core::Result<Tensor> {
        match self.over {
            Over::Batch => x.mean_keepdim(2)?.mean_keepdim(0),
            Over::Plane => x.mean_keepdim(2),
        }
    }
}

/// x → what a batch norm of it saw: means, and variances times `bessel`.
struct Seen {
    norm: Norm,
    bessel: f64,
}

impl Kernel<1, 2> for Seen {
    fn name(&self) -> &'static str {
        "batch_statistics"
    }

    fn cpu<T: Real>(&self, [(x, shape)]: [(&[T], &Shape); 1]) -> Numbers<T, 2> {
        let moments = self.norm.moments(x, shape);
        let channels = Shape::from(moments.len());
        let means = moments.iter().map(|moments| T::of(moments.mean)).collect();
        let variances = moments.iter().map(|moments| T::of(moments.variance * self.bessel)).collect();
        Ok([(means, channels.clone()), (variances, channels)])
    }

    #[cfg(feature = "cuda")]
    fn cuda(&self, [x]: [Operand; 1]) -> OnGpu<2> {
        cuda::norm::batch_statistics(self.norm.statistics(x)?, self.bessel, x)
    }
}

fn normalize(x: &Tensor, weight: &Tensor, bias: &Tensor, norm: Norm) -> candle_core::Result<Tensor> {
    apply(Normalize(norm), [x, weight, bias])
}

/// (x, γ, β) → γ·x̂ + β.
struct Normalize(Norm);

impl Kernel<3, 1> for Normalize {
    fn name(&self) -> &'static str {
        "normalize"
    }

    fn cpu<T: Real>(&self, [(x, shape), (weight, _), (bias, _)]: [(&[T], &Shape); 3]) -> Numbers<T, 1> {
        let Norm { over, epsilon, moments, .. } = &self.0;
        let known = moments.get().map(Vec::as_slice);
        let (y, found) = over.normalize(x, shape, known, *epsilon, (weight, bias));
        moments.get_or_init(|| found);
        Ok([(y, shape.clone())])
    }

    #[cfg(feature = "cuda")]
    fn cuda(&self, operands: [Operand; 3]) -> OnGpu<1> {
        cuda::norm::normalize(self.0.over(), self.0.statistics(operands[0])?, operands)
    }
}

impl Op<3> for Normalize {
    fn saves(&self) -> Saves<3> {
        Saves { operands: [true, true, false], output: false }
    }

    fn backward(&self, saved: &Saved, upstream: &Tensor) -> candle_core::Result<[Option<Tensor>; 3]> {
        let (x, weight, norm) = (saved.operand(0)?, saved.operand(1)?, &self.0);
        if !saved.keeps_graph() && saved.needs(0) {
            let gradients = compute(&Gradients(norm.clone()), [x, upstream, weight])?;
            return Ok(gradients.map(Some));
        }
        let for_x = saved.wanted(0, || derivative(x, upstream, weight, norm.clone()))?;
        let for_weight = saved.wanted(1, || correlation(x, upstream, norm.clone()))?;
        Ok([for_x, for_weight, saved.wanted(2, || Ok(norm.sum(upstream)?))?])
    }
}

/// (x, t, γ) → the gradients of x, γ and β at once.
struct Gradients(Norm);

impl Kernel<3, 3> for Gradients {
    fn name(&self) -> &'static str {
        "normalize_gradients"
    }

    fn cpu<T: Real>(&self, [(x, shape), (t, _), (weight, weights)]: [(&[T], &Shape); 3]) -> Numbers<T, 3> {
        let Norm { over, epsilon, .. } = self.0;
        let (for_x, sums) = over.derivative((x, t), shape, self.0.moments(x, shape), epsilon, weight);
        let of = |pick: fn(&Sums) -> f64| (Over::per_weight(&sums, weights.elem_count(), pick), weights.clone());
        Ok([(for_x, shape.clone()), of(|sums| sums.along), of(|sums| sums.total)])
    }

    #[cfg(feature = "cuda")]
    fn cuda(&self, operands: [Operand; 3]) -> OnGpu<3> {
        cuda::norm::gradients(self.0.over(), self.0.statistics(operands[0])?, operands)
    }
}

fn derivative(x: &Tensor, t: &Tensor, weight: &Tensor, norm: Norm) -> candle_core::Result<Tensor> {
    apply(Derivative(norm), [x, t, weight])
}

/// (x, t, γ) → γ·P(t).
struct Derivative(Norm);

impl Kernel<3, 1> for Derivative {
    fn name(&self) -> &'static str {
        "normalize_derivative"
    }

    fn cpu<T: Real>(&self, [(x, shape), (t, _), (weight, _)]: [(&[T], &Shape); 3]) -> Numbers<T, 1> {
        let Norm { over, epsilon, .. } = self.0;
        Ok([(over.derivative((x, t), shape, self.0.moments(x, shape), epsilon, weight).0, shape.clone())])
    }

    #[cfg(feature = "cuda")]
    fn cuda(&self, operands: [Operand; 3]) -> OnGpu<1> {
        cuda::norm::derivative(self.0.over(), self.0.statistics(operands[0])?, operands)
    }
}

impl Op<3> for Derivative {
    fn saves(&self) -> Saves<3> {
        Saves::ALL
    }

    /// With h = γ·t and upstream G the gradient of ⟨G, P(h)⟩ with respect to x is
    /// −r·(x̂·mean(G·P(h)) + mean(x̂·G)·P(h) + mean(x̂·h)·P(G)).
    fn backward(&self, saved: &Saved, upstream: &Tensor) -> candle_core::Result<[Option<Tensor>; 3]> {
        let (x, t, weight, norm) = (saved.operand(0)?, saved.operand(1)?, saved.operand(2)?, &self.0);
        let ones = weight.ones_like()?;
        let for_x = saved.wanted(0, || {
            let (n, channels) = (x.dims()[0], x.dims()[1]);
            let flat = |x: &Tensor| widened(x)?.contiguous()?.reshape((n, channels, ()));
            let (unit, rate) = norm.reference(&flat(x)?)?;
            let (mapped, g, h) = (flat(&saved.output()?)?, flat(upstream)?, flat(&norm.scale(t, weight)?)?);
            let mapped_upstream = flat(&derivative(x, upstream, &ones, norm.clone())?)?;
            let along_unit = unit.broadcast_mul(&norm.mean(&(&g * &mapped)?)?)?;
            let along_mapped = mapped.broadcast_mul(&norm.mean(&(&unit * &g)?)?)?;
            let along_upstream = mapped_upstream.broadcast_mul(&norm.mean(&(&unit * &h)?)?)?;
            let total = ((along_unit + along_mapped)? + along_upstream)?;
            convert(&total.broadcast_mul(&rate)?.neg()?.reshape(x.shape())?, x.dtype())
        })?;
        let for_t = saved.wanted(1, || derivative(x, upstream, weight, norm.clone()))?;
        let for_weight = saved.wanted(2, || Ok(norm.dot(upstream, &derivative(x, t, &ones, norm.clone())?)?))?;
        Ok([for_x, for_t, for_weight])
    }
}

fn correlation(x: &Tensor, t: &Tensor, norm: Norm) -> candle_core::Result<Tensor> {
    apply(Correlation(norm), [x, t])
}

/// (x, t) → Σ x̂·t per channel.
struct Correlation(Norm);

impl Kernel<2, 1> for Correlation {
    fn name(&self) -> &'static str {
        "normalize_correlation"
    }

    fn cpu<T: Real>(&self, [(x, shape), (t, _)]: [(&[T], &Shape); 2]) -> Numbers<T, 1> {
        let Norm { over, epsilon, .. } = self.0;
        let sums = over.sums((x, t), shape, self.0.moments(x, shape), epsilon);
        let weights = self.0.weights(shape);
        Ok([(Over::per_weight(&sums, weights.elem_count(), |sums| sums.along), weights)])
    }

    #[cfg(feature = "cuda")]
    fn cuda(&self, operands: [Operand; 2]) -> OnGpu<1> {
        cuda::norm::correlation(self.0.over(), self.0.statistics(operands[0])?, operands)
    }
}

impl Op<2> for Correlation {
    fn saves(&self) -> Saves<2> {
        Saves::OPERANDS
    }

    fn backward(&self, saved: &Saved, upstream: &Tensor) -> candle_core::Result<[Option<Tensor>; 2]> {
        let (x, t, norm) = (saved.operand(0)?, saved.operand(1)?, &self.0);
        let for_x = saved.wanted(0, || derivative(x, t, upstream, norm.clone()))?;
        let for_t = saved.wanted(1, || normalize(x, upstream, &upstream.zeros_like()?, norm.clone()))?;
        Ok([for_x, for_t])
    }
}
