//! Batch and instance normalisation in two passes over memory forward and two backward.
//!
//! Both are y = γ·x̂ + β with x̂ = (x − μ)·r, r = (variance + ε)^−½ over groups of numbers: a channel of the whole batch,
//! or one plane. The derivative of x̂ is P[t] = r·(t − mean t − x̂·mean(x̂·t)), a symmetric map, so that one
//! kernel is the backward pass, the tangent of dual numbers, and a part of its own backward pass.

use std::sync::{Arc, OnceLock};

use candle_core::{CpuStorage, CustomOp2, CustomOp3, Layout, Shape, Tensor};
use rayon::prelude::*;

use super::channel;
use super::kernel::{CHUNK, Kernel, Real, Shared, dispatch, filled, sum, sum2, wanted};
use crate::{Error, Result};

/// What a batch norm saw, `[C]` each, without a graph.
#[derive(Clone, Debug)]
pub struct BatchStatistics {
    /// Mean per channel.
    pub mean: Tensor,
    /// Variance per channel with Bessel's correction, which running statistics take.
    pub unbiased_variance: Tensor,
}

/// Batch normalisation with the batch's statistics: x `[N, C, ...]` of any rank from 2 on, γ and β `[C]` → shape of x,
/// and the statistics. The variance that divides is the biased one (Ioffe & Szegedy 2015, algorithm 1).
///
/// # Errors
/// When the shapes do not fit, or a channel has a single number, whose variance is 0.
pub fn batch_norm(x: &Tensor, weight: &Tensor, bias: &Tensor, epsilon: f64) -> Result<(Tensor, BatchStatistics)> {
    check("batch norm", x, &[weight, bias])?;
    let count = x.elem_count() / x.dims()[1].max(1);
    if count < 2 {
        return Err(Error::shape("batch norm in training: input", x.dims(), "more than one number per channel"));
    }
    let norm = Norm { over: Over::Batch, epsilon, moments: Arc::default() };
    let y = normalize(x, weight, bias, norm.clone())?;
    let moments = norm.moments.get().map_or(&[][..], Vec::as_slice);
    let tensor = |of: &dyn Fn(&Moments) -> f64| -> Result<Tensor> {
        let values: Vec<f64> = moments.iter().map(of).collect();
        Ok(Tensor::from_vec(values, weight.dims(), x.device())?.to_dtype(x.dtype())?)
    };
    let bessel = count as f64 / (count - 1) as f64;
    let mean = tensor(&|moments| moments.mean)?;
    Ok((y, BatchStatistics { mean, unbiased_variance: tensor(&|moments| moments.variance * bessel)? }))
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
    Ok(normalize(x, weight, bias, Norm { over: Over::Plane, epsilon, moments: Arc::default() })?)
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
    Ok(derivative(x, tangent, weight, Norm { over: Over::Plane, epsilon, moments: Arc::default() })?)
}

fn unit(x: &Tensor) -> Result<Tensor> {
    let &[_, channels, ..] = x.dims() else {
        return Err(Error::shape("instance norm: input", x.dims(), "[N, C, H, W]"));
    };
    Ok(Tensor::ones(channels, x.dtype(), x.device())?)
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

/// Which numbers share their statistics.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Over {
    /// Those of a channel, of all images.
    Batch,
    /// Those of one plane.
    Plane,
}

#[derive(Clone, Copy, Debug)]
struct Moments {
    mean: f64,
    variance: f64,
}

/// What the operations of one normalisation have in common.
#[derive(Clone, Debug)]
struct Norm {
    over: Over,
    epsilon: f64,
    /// Filled by whichever operation on the same x comes first.
    moments: Arc<OnceLock<Vec<Moments>>>,
}

/// Planes of one group of numbers.
#[derive(Clone, Copy)]
struct Group {
    channel: usize,
    first: usize,
    step: usize,
    planes: usize,
    size: usize,
}

impl Group {
    fn planes(self) -> impl Iterator<Item = std::ops::Range<usize>> {
        (0..self.planes)
            .map(move |i| (self.first + i * self.step) * self.size)
            .map(move |start| start..start + self.size)
    }

    fn count(self) -> f64 {
        (self.planes * self.size) as f64
    }
}

impl Norm {
    fn groups(&self, shape: &Shape) -> Vec<Group> {
        let dims = shape.dims();
        let (n, channels, size) = (dims[0], dims[1], dims[2..].iter().product());
        let group = |channel, first, step, planes| Group { channel, first, step, planes, size };
        match self.over {
            Over::Batch => (0..channels).map(|channel| group(channel, channel, channels, n)).collect(),
            Over::Plane => (0..n * channels).map(|plane| group(plane % channels, plane, 1, 1)).collect(),
        }
    }

    /// f for every group, in parallel; enough groups per task to be worth it.
    fn for_groups<R: Send>(&self, shape: &Shape, f: impl Fn(usize, Group) -> R + Sync) -> Vec<R> {
        let groups = self.groups(shape);
        let size = groups.first().map_or(1, |group| (group.planes * group.size).max(1));
        groups.par_iter().enumerate().with_min_len(CHUNK.div_ceil(size)).map(|(i, &group)| f(i, group)).collect()
    }

    fn moments<T: Real>(&self, x: &[T], shape: &Shape) -> &[Moments] {
        self.moments.get_or_init(|| {
            self.for_groups(shape, |_, group| {
                let mean = group.planes().map(|plane| sum(&x[plane], |x| x)).sum::<f64>() / group.count();
                let centre = T::of(mean);
                let squares = group.planes().map(|plane| sum(&x[plane], |x| (x - centre) * (x - centre)));
                Moments { mean, variance: squares.sum::<f64>() / group.count() }
            })
        })
    }

    fn rate(&self, moments: Moments) -> f64 {
        1.0 / (moments.variance + self.epsilon).sqrt()
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

fn normalize(x: &Tensor, weight: &Tensor, bias: &Tensor, norm: Norm) -> candle_core::Result<Tensor> {
    x.contiguous()?.apply_op3(&weight.contiguous()?, &bias.contiguous()?, Normalize(norm))
}

/// (x, γ, β) → γ·x̂ + β.
struct Normalize(Norm);

impl Kernel<3> for Normalize {
    fn run<T: Real>(
        &self,
        [(x, shape), (weight, _), (bias, _)]: [(&[T], &Shape); 3],
    ) -> candle_core::Result<(Vec<T>, Shape)> {
        let norm = &self.0;
        let moments = norm.moments(x, shape);
        // SAFETY: the planes of all groups cover the tensor, each once.
        let y = unsafe {
            filled(x.len(), |y| {
                let y = Shared::new(y.as_mut_ptr().cast::<T>());
                norm.for_groups(shape, |i, group| {
                    let centre = T::of(moments[i].mean);
                    let scale = T::of(norm.rate(moments[i])) * weight[group.channel];
                    let shift = bias[group.channel];
                    for plane in group.planes() {
                        let out = y.get().add(plane.start);
                        for (j, &x) in x[plane].iter().enumerate() {
                            *out.add(j) = (x - centre) * scale + shift;
                        }
                    }
                });
            })
        };
        Ok((y, shape.clone()))
    }
}

impl CustomOp3 for Normalize {
    fn name(&self) -> &'static str {
        "normalize"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
        bias: &CpuStorage,
        bias_layout: &Layout,
    ) -> candle_core::Result<(CpuStorage, Shape)> {
        dispatch(self, self.name(), [(x, x_layout), (weight, weight_layout), (bias, bias_layout)])
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        bias: &Tensor,
        _: &Tensor,
        upstream: &Tensor,
    ) -> candle_core::Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let for_x = wanted(x, || derivative(x, upstream, weight, self.0.clone()))?;
        let for_weight = wanted(weight, || correlation(x, upstream, self.0.clone()))?;
        Ok((for_x, for_weight, wanted(bias, || Ok(channel::sum(upstream)?))?))
    }
}

fn derivative(x: &Tensor, t: &Tensor, weight: &Tensor, norm: Norm) -> candle_core::Result<Tensor> {
    x.contiguous()?.apply_op3(&t.contiguous()?, &weight.contiguous()?, Derivative(norm))
}

/// (x, t, γ) → γ·P[t].
struct Derivative(Norm);

impl Kernel<3> for Derivative {
    fn run<T: Real>(
        &self,
        [(x, shape), (t, _), (weight, _)]: [(&[T], &Shape); 3],
    ) -> candle_core::Result<(Vec<T>, Shape)> {
        let norm = &self.0;
        let moments = norm.moments(x, shape);
        // SAFETY: the planes of all groups cover the tensor, each once.
        let out = unsafe {
            filled(x.len(), |out| {
                let out = Shared::new(out.as_mut_ptr().cast::<T>());
                norm.for_groups(shape, |i, group| {
                    let (centre, rate) = (T::of(moments[i].mean), norm.rate(moments[i]));
                    let (total, product) = sums(x, t, group, centre);
                    let scale = T::of(rate) * weight[group.channel];
                    let offset = T::of(total / group.count());
                    let slope = T::of(product * rate * rate / group.count());
                    for plane in group.planes() {
                        let out = out.get().add(plane.start);
                        for (j, (&x, &t)) in x[plane.clone()].iter().zip(&t[plane]).enumerate() {
                            *out.add(j) = scale * (t - offset - (x - centre) * slope);
                        }
                    }
                });
            })
        };
        Ok((out, shape.clone()))
    }
}

/// (Σ t, Σ (x − centre)·t) over a group.
fn sums<T: Real>(x: &[T], t: &[T], group: Group, centre: T) -> (f64, f64) {
    group.planes().fold((0.0, 0.0), |(total, product), plane| {
        let t = &t[plane.clone()];
        (total + sum(t, |t| t), product + sum2(&x[plane], t, |x, t| (x - centre) * t))
    })
}

impl CustomOp3 for Derivative {
    fn name(&self) -> &'static str {
        "normalize_derivative"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        t: &CpuStorage,
        t_layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
    ) -> candle_core::Result<(CpuStorage, Shape)> {
        dispatch(self, self.name(), [(x, x_layout), (t, t_layout), (weight, weight_layout)])
    }

    /// With h = γ·t and upstream G the gradient of ⟨G, P[h]⟩ with respect to x is
    /// −r·(x̂·mean(G·P[h]) + mean(x̂·G)·P[h] + mean(x̂·h)·P[G]).
    fn bwd(
        &self,
        x: &Tensor,
        t: &Tensor,
        weight: &Tensor,
        mapped: &Tensor,
        upstream: &Tensor,
    ) -> candle_core::Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let norm = &self.0;
        let ones = weight.ones_like()?;
        let for_x = wanted(x, || {
            let (n, channels) = (x.dims()[0], x.dims()[1]);
            let flat = |x: &Tensor| x.contiguous()?.reshape((n, channels, ()));
            let (unit, rate) = norm.reference(&flat(x)?)?;
            let (mapped, g, h) = (flat(mapped)?, flat(upstream)?, flat(&channel::scale(t, weight)?)?);
            let mapped_upstream = flat(&derivative(x, upstream, &ones, norm.clone())?)?;
            let along_unit = unit.broadcast_mul(&norm.mean(&(&g * &mapped)?)?)?;
            let along_mapped = mapped.broadcast_mul(&norm.mean(&(&unit * &g)?)?)?;
            let along_upstream = mapped_upstream.broadcast_mul(&norm.mean(&(&unit * &h)?)?)?;
            let total = ((along_unit + along_mapped)? + along_upstream)?;
            total.broadcast_mul(&rate)?.neg()?.reshape(x.shape())
        })?;
        let for_t = wanted(t, || derivative(x, upstream, weight, norm.clone()))?;
        let for_weight = wanted(weight, || Ok(channel::dot(upstream, &derivative(x, t, &ones, norm.clone())?)?))?;
        Ok((for_x, for_t, for_weight))
    }
}

fn correlation(x: &Tensor, t: &Tensor, norm: Norm) -> candle_core::Result<Tensor> {
    x.contiguous()?.apply_op2(&t.contiguous()?, Correlation(norm))
}

/// (x, t) → Σ x̂·t per channel.
struct Correlation(Norm);

impl Kernel<2> for Correlation {
    fn run<T: Real>(&self, [(x, shape), (t, _)]: [(&[T], &Shape); 2]) -> candle_core::Result<(Vec<T>, Shape)> {
        let norm = &self.0;
        let (moments, channels) = (norm.moments(x, shape), shape.dims()[1]);
        let per_group =
            norm.for_groups(shape, |i, group| sums(x, t, group, T::of(moments[i].mean)).1 * norm.rate(moments[i]));
        // Groups of one channel lie `channels` apart, in the order of the images.
        let total = |channel| T::of(per_group[channel..].iter().step_by(channels).sum());
        Ok(((0..channels).map(total).collect(), channels.into()))
    }
}

impl CustomOp2 for Correlation {
    fn name(&self) -> &'static str {
        "normalize_correlation"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        t: &CpuStorage,
        t_layout: &Layout,
    ) -> candle_core::Result<(CpuStorage, Shape)> {
        dispatch(self, self.name(), [(x, x_layout), (t, t_layout)])
    }

    fn bwd(
        &self,
        x: &Tensor,
        t: &Tensor,
        _: &Tensor,
        upstream: &Tensor,
    ) -> candle_core::Result<(Option<Tensor>, Option<Tensor>)> {
        let for_x = wanted(x, || derivative(x, t, upstream, self.0.clone()))?;
        let for_t = wanted(t, || normalize(x, upstream, &upstream.zeros_like()?, self.0.clone()))?;
        Ok((for_x, for_t))
    }
}
