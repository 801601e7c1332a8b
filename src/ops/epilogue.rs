//! What follows a convolution, in one pass: bias and activation, and StyleGAN's noise, bias and leaky ReLU.

#[cfg(feature = "cuda")]
use candle_core::Layout;
use candle_core::{Shape, Tensor};
use rayon::prelude::*;

use super::activation::{Activation, SlopeAt, factor, slope_times, with_slope, with_value};
use super::channel::by_channel;
#[cfg(feature = "cuda")]
use super::cuda::{OnGpu, Operand, elementwise, norm};
use super::kernel::{CHUNK, Real, filled, map2, sum, sum2, sums2, widest, write};
use super::op::{Kernel, Numbers, Op, apply, compute};
use super::{arithmetic, channel, columns};
use crate::autograd::{Saved, Saves};
use crate::{Error, Result};

/// φ(x + b), one b per channel: x `[N, C, ...]`, b `[C]` → shape of x. f32 or f64.
///
/// # Errors
/// When the shapes do not fit.
pub fn bias_activation(x: &Tensor, bias: &Tensor, activation: Activation) -> Result<Tensor> {
    check("bias", x, &[bias])?;
    if activation.slope_at() == SlopeAt::Output {
        return Ok(apply(BiasActivation(activation), [x, bias])?);
    }
    // The derivative is written in x + b, which is then kept anyway.
    activation.apply(&bias_activation(x, bias, Activation::Identity)?)
}

/// The end of a layer of StyleGAN's synthesis network (Karras et al. 2019, section 3.2 and figure 1b; the gain is √2 in
/// Karras et al. 2020, 1 before): v = x + noise·strength + bias, then `gain`·v where v > 0, else `gain`·`slope`·v.
/// x `[N, C, H, W]`, noise one plane per sample `[N, 1, H, W]`, strength and bias `[C]` → shape of x.
///
/// # Errors
/// When the shapes do not fit, the slope is negative or the gain not positive.
pub fn layer_epilogue(
    x: &Tensor,
    noise: &Tensor,
    strength: &Tensor,
    bias: &Tensor,
    slope: f64,
    gain: f64,
) -> Result<Tensor> {
    check("layer epilogue", x, &[strength, bias])?;
    let &[n, _, h, w] = x.dims() else {
        return Err(Error::shape("layer epilogue: input", x.dims(), "[N, C, H, W]"));
    };
    if noise.dims() != [n, 1, h, w] {
        return Err(Error::shape("layer epilogue: noise", noise.dims(), format!("[{n}, 1, {h}, {w}]")));
    }
    if !(slope >= 0.0 && gain > 0.0) {
        let found = format!("slope {slope}, gain {gain}");
        return Err(Error::invalid("layer epilogue", found, "a slope of at least 0 and a gain above 0", ""));
    }
    Ok(apply(LayerEpilogue { slope, gain }, [x, noise, strength, bias])?)
}

fn check(what: &str, x: &Tensor, per_channel: &[&Tensor]) -> Result<()> {
    let &[_, channels, ..] = x.dims() else {
        return Err(Error::shape(format!("{what}: input"), x.dims(), "[N, C, ...]"));
    };
    match per_channel.iter().find(|operand| operand.dims() != [channels]) {
        Some(operand) => Err(Error::shape(format!("{what}: per channel"), operand.dims(), format!("[{channels}]"))),
        None => Ok(()),
    }
}

/// [N, C, numbers per plane].
fn planes(shape: &Shape) -> [usize; 3] {
    let dims = shape.dims();
    [dims[0], dims[1], dims[2..].iter().product::<usize>().max(1)]
}

struct BiasActivation(Activation);

impl Kernel<2, 1> for BiasActivation {
    fn name(&self) -> &'static str {
        "bias_activation"
    }

    fn cpu<T: Real>(&self, [(x, shape), (bias, _)]: [(&[T], &Shape); 2]) -> Numbers<T, 1> {
        Ok([with_value!(self.0, f => channel::map_planes(x, shape, [bias], move |x, [bias]| f(x + bias)))])
    }

    #[cfg(feature = "cuda")]
    fn cuda(&self, [x, bias]: [Operand; 2]) -> OnGpu<1> {
        elementwise::bias_activation(self.0, x, bias)
    }
}

impl Op<2> for BiasActivation {
    fn saves(&self) -> Saves<2> {
        match self.0 {
            Activation::Identity => Saves::NOTHING,
            // Constant between its kinks: the result says all, also to a second derivative.
            Activation::LeakyRelu(_) => Saves::OUTPUT,
            _ => Saves::ALL,
        }
    }

    fn backward(&self, saved: &Saved, upstream: &Tensor) -> candle_core::Result<[Option<Tensor>; 2]> {
        let identity = self.0 == Activation::Identity;
        if !identity && !saved.keeps_graph() && saved.needs(0) && saved.needs(1) {
            return Ok(compute(&BiasGradients(self.0), [&saved.output()?, upstream])?.map(Some));
        }
        let before = if identity { upstream.clone() } else { slope_times(self.0, &saved.output()?, upstream)? };
        let for_bias = saved.wanted(1, || Ok(channel::sum(&before)?))?;
        Ok([saved.wanted(0, || Ok(before))?, for_bias])
    }
}

/// (y, t) → φ'·t, and its sum per channel.
struct BiasGradients(Activation);

impl Kernel<2, 2> for BiasGradients {
    fn name(&self) -> &'static str {
        "bias_activation_gradients"
    }

    fn cpu<T: Real>(&self, [(y, shape), (t, _)]: [(&[T], &Shape); 2]) -> Numbers<T, 2> {
        let channels = shape.dims()[1];
        if planes(shape)[2] == 1 {
            let gradient = with_slope!(self.0, f => map2(y, t, move |y, t| f(y) * t));
            let sums = columns::sums(&gradient, &gradient, channels, |t, _| t);
            return Ok([(gradient, shape.clone()), (sums, channels.into())]);
        }
        // SAFETY: the planes of y and t are as long as those of the result.
        let (gradient, [sums]) = with_slope!(self.0, f => unsafe {
            by_channel(shape, move |plane, out| {
                write(out, &y[plane.range.clone()], &t[plane.range], move |y, t| f(y) * t);
                [sum(out.assume_init_ref(), |t: T| t)]
            })
        });
        Ok([(gradient, shape.clone()), (sums, channels.into())])
    }

    #[cfg(feature = "cuda")]
    fn cuda(&self, [y, t]: [Operand; 2]) -> OnGpu<2> {
        let [(gradient, shape)] = elementwise::slope_times(self.0, y, t)?;
        let [sums] = norm::channel_dot((&gradient, &Layout::contiguous(&shape)), None)?;
        Ok([(gradient, shape), sums])
    }
}

struct LayerEpilogue {
    slope: f64,
    gain: f64,
}

impl LayerEpilogue {
    /// The derivative where the result is y, times t.
    fn gate(&self, y: &Tensor, t: &Tensor) -> candle_core::Result<Tensor> {
        let gated = slope_times(Activation::LeakyRelu(self.slope), y, t)?;
        if self.gain == 1.0 { Ok(gated) } else { Ok(arithmetic::affine(&gated, self.gain, 0.0)?) }
    }
}

impl Kernel<4, 1> for LayerEpilogue {
    fn name(&self) -> &'static str {
        "layer_epilogue"
    }

    fn cpu<T: Real>(&self, operands: [(&[T], &Shape); 4]) -> Numbers<T, 1> {
        let [(x, shape), (noise, _), (strength, _), (bias, _)] = operands;
        let [_, channels, size] = planes(shape);
        let (gain, slope) = (T::of(self.gain), T::of(self.slope));
        // SAFETY: planes of `y`, `x` and the noise have one length, and every number of a plane is written.
        let y = unsafe {
            filled(x.len(), |y| {
                let planes = y.par_chunks_mut(size).zip(x.par_chunks(size)).enumerate();
                planes.with_min_len(CHUNK.div_ceil(size)).for_each(|(i, (y, x))| {
                    let (strength, bias) = (strength[i % channels], bias[i % channels]);
                    let noise = &noise[i / channels * size..][..size];
                    widest(move || {
                        for (y, (&x, &noise)) in y.iter_mut().zip(x.iter().zip(noise)) {
                            let v = x + noise * strength + bias;
                            y.write(v * factor(v, slope) * gain);
                        }
                    });
                });
            })
        };
        Ok([(y, shape.clone())])
    }

    #[cfg(feature = "cuda")]
    fn cuda(&self, operands: [Operand; 4]) -> OnGpu<1> {
        elementwise::layer_epilogue([self.slope, self.gain], operands)
    }
}

impl Op<4> for LayerEpilogue {
    fn saves(&self) -> Saves<4> {
        Saves { operands: [false, true, true, false], output: true }
    }

    fn backward(&self, saved: &Saved, upstream: &Tensor) -> candle_core::Result<[Option<Tensor>; 4]> {
        let (y, noise, strength) = (saved.output()?, saved.operand(1)?, saved.operand(2)?);
        let [before, for_strength, for_bias] = if saved.keeps_graph() {
            let before = self.gate(&y, upstream)?;
            let for_strength = apply(NoiseStrength, [&before, noise])?;
            let for_bias = channel::sum(&before)?;
            [before, for_strength, for_bias]
        } else {
            compute(&EpilogueGradients { slope: self.slope, gain: self.gain }, [&y, noise, upstream])?
        };
        let for_noise = saved.wanted(1, || apply(NoisePlane, [&before, strength]))?;
        Ok([Some(before), for_noise, Some(for_strength), Some(for_bias)])
    }
}

/// (y, noise, t) → the gradients of x, strength and bias at once.
struct EpilogueGradients {
    slope: f64,
    gain: f64,
}

impl Kernel<3, 3> for EpilogueGradients {
    fn name(&self) -> &'static str {
        "layer_epilogue_gradients"
    }

    fn cpu<T: Real>(&self, [(y, shape), (noise, _), (t, _)]: [(&[T], &Shape); 3]) -> Numbers<T, 3> {
        let (gain, slope) = (T::of(self.gain), T::of(self.slope));
        let size = planes(shape)[2];
        // SAFETY: the planes of y and t are as long as those of the result.
        let (gradient, [for_strength, for_bias]) = unsafe {
            by_channel(shape, move |plane, out| {
                let gated = move |y, t| t * factor(y, slope) * gain;
                write(out, &y[plane.range.clone()], &t[plane.range], gated);
                let noise = &noise[plane.sample * size..][..size];
                sums2(out.assume_init_ref(), noise, |t, noise| [t * noise, t])
            })
        };
        let channels = Shape::from(shape.dims()[1]);
        Ok([(gradient, shape.clone()), (for_strength, channels.clone()), (for_bias, channels)])
    }

    #[cfg(feature = "cuda")]
    fn cuda(&self, [y, noise, t]: [Operand; 3]) -> OnGpu<3> {
        let [(mut gradient, shape)] = elementwise::slope_times(Activation::LeakyRelu(self.slope), y, t)?;
        let layout = Layout::contiguous(&shape);
        if self.gain != 1.0 {
            [(gradient, _)] = elementwise::scale_offset(self.gain, 0.0, (&gradient, &layout))?;
        }
        let [for_strength] = norm::noise_strength((&gradient, &layout), noise)?;
        let [for_bias] = norm::channel_dot((&gradient, &layout), None)?;
        Ok([(gradient, shape), for_strength, for_bias])
    }
}

/// (noise `[N, 1, ...]`, s `[C]`) → noise·s `[N, C, ...]`. This and the two below are each other's derivatives.
struct NoiseScaled;

impl Kernel<2, 1> for NoiseScaled {
    fn name(&self) -> &'static str {
        "noise_scaled"
    }

    fn cpu<T: Real>(&self, [(noise, shape), (strength, channels)]: [(&[T], &Shape); 2]) -> Numbers<T, 1> {
        let (channels, [_, _, size]) = (channels.elem_count(), planes(shape));
        let mut dims = shape.dims().to_vec();
        dims[1] = channels;
        // SAFETY: planes of both have one length, and every number of a plane is written.
        let y = unsafe {
            filled(noise.len() * channels, |y| {
                y.par_chunks_mut(size).enumerate().with_min_len(CHUNK.div_ceil(size)).for_each(|(i, y)| {
                    let strength = strength[i % channels];
                    let noise = &noise[i / channels * size..][..size];
                    widest(move || {
                        for (y, &noise) in y.iter_mut().zip(noise) {
                            y.write(noise * strength);
                        }
                    });
                });
            })
        };
        Ok([(y, dims.into())])
    }

    #[cfg(feature = "cuda")]
    fn cuda(&self, [noise, strength]: [Operand; 2]) -> OnGpu<1> {
        let mut dims = noise.1.dims().to_vec();
        dims[1] = strength.1.shape().elem_count();
        elementwise::noise_scaled(dims.into(), noise, strength)
    }
}

impl Op<2> for NoiseScaled {
    fn saves(&self) -> Saves<2> {
        Saves::OPERANDS
    }

    fn backward(&self, saved: &Saved, upstream: &Tensor) -> candle_core::Result<[Option<Tensor>; 2]> {
        let for_noise = saved.wanted(0, || apply(NoisePlane, [upstream, saved.operand(1)?]))?;
        Ok([for_noise, saved.wanted(1, || apply(NoiseStrength, [upstream, saved.operand(0)?]))?])
    }
}

/// (t `[N, C, ...]`, noise `[N, 1, ...]`) → Σ t·noise for every channel, `[C]`.
struct NoiseStrength;

impl Kernel<2, 1> for NoiseStrength {
    fn name(&self) -> &'static str {
        "noise_strength"
    }

    fn cpu<T: Real>(&self, [(t, shape), (noise, _)]: [(&[T], &Shape); 2]) -> Numbers<T, 1> {
        let [n, channels, size] = planes(shape);
        let of = |channel: usize| {
            let plane = |sample: usize| {
                let t = &t[(sample * channels + channel) * size..][..size];
                sum2(t, &noise[sample * size..][..size], |t, noise| t * noise)
            };
            T::of((0..n).map(plane).sum())
        };
        let least = CHUNK.div_ceil((n * size).max(1));
        let sums = (0..channels).into_par_iter().with_min_len(least).map(of).collect();
        Ok([(sums, channels.into())])
    }

    #[cfg(feature = "cuda")]
    fn cuda(&self, [t, noise]: [Operand; 2]) -> OnGpu<1> {
        norm::noise_strength(t, noise)
    }
}

impl Op<2> for NoiseStrength {
    fn saves(&self) -> Saves<2> {
        Saves::OPERANDS
    }

    fn backward(&self, saved: &Saved, upstream: &Tensor) -> candle_core::Result<[Option<Tensor>; 2]> {
        let for_t = saved.wanted(0, || apply(NoiseScaled, [saved.operand(1)?, upstream]))?;
        Ok([for_t, saved.wanted(1, || apply(NoisePlane, [saved.operand(0)?, upstream]))?])
    }
}

/// (t `[N, C, ...]`, s `[C]`) → Σ t·s over the channels, `[N, 1, ...]`.
struct NoisePlane;

impl Kernel<2, 1> for NoisePlane {
    fn name(&self) -> &'static str {
        "noise_plane"
    }

    fn cpu<T: Real>(&self, [(t, shape), (strength, _)]: [(&[T], &Shape); 2]) -> Numbers<T, 1> {
        let [n, channels, size] = planes(shape);
        let mut dims = shape.dims().to_vec();
        dims[1] = 1;
        let mut sums = vec![T::ZERO; n * size];
        sums.par_chunks_mut(size).zip(t.par_chunks(channels * size)).for_each(|(sums, t)| {
            sums.par_chunks_mut(CHUNK).enumerate().for_each(|(i, sums)| {
                widest(|| {
                    for (t, &strength) in t.chunks(size).zip(strength) {
                        for (sum, &t) in sums.iter_mut().zip(&t[i * CHUNK..]) {
                            *sum += t * strength;
                        }
                    }
                });
            });
        });
        Ok([(sums, dims.into())])
    }

    #[cfg(feature = "cuda")]
    fn cuda(&self, [t, strength]: [Operand; 2]) -> OnGpu<1> {
        let mut dims = t.1.dims().to_vec();
        dims[1] = 1;
        elementwise::noise_plane(dims.into(), t, strength)
    }
}

impl Op<2> for NoisePlane {
    fn saves(&self) -> Saves<2> {
        Saves::OPERANDS
    }

    fn backward(&self, saved: &Saved, upstream: &Tensor) -> candle_core::Result<[Option<Tensor>; 2]> {
        let for_t = saved.wanted(0, || apply(NoiseScaled, [upstream, saved.operand(1)?]))?;
        Ok([for_t, saved.wanted(1, || apply(NoiseStrength, [saved.operand(0)?, upstream]))?])
    }
}
