//! The standard deviation over a minibatch as one more channel, which lets a discriminator see how varied pictures are
//! (Karras et al. 2018, section 3).

use candle_core::{Shape, Tensor};
use rayon::prelude::*;

use super::arithmetic::same_shape;
use super::cast::{cast, full};
#[cfg(feature = "cuda")]
use super::cuda::{OnGpu, Operand, norm};
use super::kernel::{Real, filled, widest};
use super::op::{Kernel, Numbers, Op, apply, compute};
use crate::autograd::{Saved, Saves};
use crate::{Error, Result};

/// Added to the variance before the root, as the authors' code has it.
const EPSILON: f64 = 1e-8;

/// x `[N, C, H, W]` and one more channel → `[N, C + 1, H, W]`. The pictures are split into N/G groups of
/// G = min(`group`, N), picture n into group n mod N/G as in the authors' code; the channel holds the standard deviation
/// over the group (biased, ε 1e-8), averaged over channels and pixels. f32 or f64.
///
/// # Errors
/// When x is not of rank 4 or empty, or G does not divide N.
pub fn minibatch_deviation(x: &Tensor, group: usize) -> Result<Tensor> {
    let groups = Groups::new(x, group)?;
    Ok(apply(Append(groups), [x])?)
}

/// x `[N, C, H, W]` and one more channel → `[N, C + 1, H, W]`, which keeps its places: in each pixel the standard deviation
/// over the whole batch (biased, ε 1e-8), averaged over channels. 1e-4 for a single picture.
///
/// # Errors
/// When x is not of rank 4 or empty.
pub fn minibatch_deviation_map(x: &Tensor) -> Result<Tensor> {
    Groups::new(x, usize::MAX)?;
    let centred = x.broadcast_sub(&x.mean_keepdim(0)?)?;
    let deviation = (centred.sqr()?.mean_keepdim(0)? + EPSILON)?.sqrt()?.mean_keepdim(1)?;
    let (n, _, h, w) = x.dims4()?;
    Ok(Tensor::cat(&[x, &deviation.broadcast_as((n, 1, h, w))?.contiguous()?], 1)?)
}

/// The derivative of [`minibatch_deviation`] at `x` along `tangent` (shape of x), `[N, C + 1, H, W]`.
///
/// # Errors
/// As [`minibatch_deviation`], and when the shapes differ.
pub fn minibatch_deviation_tangent(x: &Tensor, tangent: &Tensor, group: usize) -> Result<Tensor> {
    same_shape("minibatch deviation: tangent", x, tangent)?;
    let groups = Groups::new(x, group)?;
    let (centred, deviation) = groups.reference(&full(x)?)?;
    let moved = (centred * groups.split(&full(tangent)?)?)?.mean_keepdim(0)?;
    let moved = (moved / deviation)?.mean_keepdim(2)?;
    let &[n, _, h, w] = x.dims() else {
        return Err(Error::shape("minibatch deviation: input", x.dims(), "[N, C, H, W]"));
    };
    let channel = moved.broadcast_as((groups.size, n / groups.size, 1))?.reshape((n, 1, 1, 1))?;
    let channel = cast(&channel, tangent.dtype())?;
    Ok(Tensor::cat(&[tangent, &channel.broadcast_as((n, 1, h, w))?.contiguous()?], 1)?)
}

/// How pictures are grouped.
#[derive(Clone, Copy)]
struct Groups {
    /// Pictures of a group.
    size: usize,
}

impl Groups {
    fn new(x: &Tensor, group: usize) -> Result<Groups> {
        let &[n, channels, h, w] = x.dims() else {
            return Err(Error::shape("minibatch deviation: input", x.dims(), "[N, C, H, W]"));
        };
        if channels * h * w == 0 {
            return Err(Error::shape("minibatch deviation: input", x.dims(), "at least one number per picture"));
        }
        let size = group.min(n);
        if size == 0 || n % size != 0 {
            return Err(Error::invalid(
                "minibatch deviation",
                format!("{n} pictures in groups of {group}"),
                "a number of pictures that the group divides",
                "Choose another batch size, or let the whole batch be one group.",
            ));
        }
        Ok(Groups { size })
    }

    /// `[N, C, H, W]` → `[G, N/G, C·H·W]`.
    fn split(self, x: &Tensor) -> candle_core::Result<Tensor> {
        let n = x.dims()[0];
        x.contiguous()?.reshape((self.size, n / self.size, ()))
    }

    /// x minus its group's mean `[G, N/G, D]`, and the deviations `[1, N/G, D]`, written in candle's operations, which
    /// can be differentiated to any order.
    fn reference(self, x: &Tensor) -> candle_core::Result<(Tensor, Tensor)> {
        let x = self.split(x)?;
        let centred = x.broadcast_sub(&x.mean_keepdim(0)?)?;
        let deviation = (centred.sqr()?.mean_keepdim(0)? + EPSILON)?.sqrt()?;
        Ok((centred, deviation))
    }
}

/// Numbers of a picture that are worked on together.
const BLOCK: usize = 256;

/// Mean and deviation of a block of numbers over the pictures of a group.
struct Block<T> {
    mean: [T; BLOCK],
    deviation: [T; BLOCK],
}

impl<T: Real> Block<T> {
    /// Of the numbers from `at` to `at + width` of pictures that lie `step` apart.
    #[inline(always)]
    fn of(x: &[T], at: usize, width: usize, step: usize, pictures: usize) -> Block<T> {
        let (mut mean, mut deviation) = ([T::ZERO; BLOCK], [T::ZERO; BLOCK]);
        let (count, epsilon) = (T::of(pictures as f64), T::of(EPSILON));
        let rows = || (0..pictures).map(|picture| &x[at + picture * step..][..width]);
        for row in rows() {
            for (mean, &x) in mean.iter_mut().zip(row) {
                *mean += x;
            }
        }
        for mean in &mut mean {
            *mean /= count;
        }
        for row in rows() {
            for ((square, &mean), &x) in deviation.iter_mut().zip(&mean).zip(row) {
                *square += (x - mean) * (x - mean);
            }
        }
        for deviation in &mut deviation {
            *deviation = (*deviation / count + epsilon).sqrt();
        }
        Block { mean, deviation }
    }
}

/// x → x and the channel.
struct Append(Groups);

impl Kernel<1, 1> for Append {
    fn name(&self) -> &'static str {
        "minibatch_deviation"
    }

    fn cpu<T: Real>(&self, [(x, shape)]: [(&[T], &Shape); 1]) -> Numbers<T, 1> {
        let (n, channels, h, w) = shape.dims4()?;
        let (size, groups) = (channels * h * w, n / self.0.size);
        let statistic = |group: usize| {
            let mut total = 0.0;
            for at in (0..size).step_by(BLOCK) {
                let width = BLOCK.min(size - at);
                widest(|| {
                    let block = Block::of(x, group * size + at, width, groups * size, self.0.size);
                    total += block.deviation[..width].iter().map(|deviation| deviation.wide()).sum::<f64>();
                });
            }
            T::of(total / size as f64)
        };
        let statistics: Vec<T> = (0..groups).into_par_iter().map(statistic).collect();
        let mut y = Vec::with_capacity(n * (size + h * w));
        for (picture, x) in x.chunks(size).enumerate() {
            y.extend_from_slice(x);
            y.resize(y.len() + h * w, statistics[picture % groups]);
        }
        Ok([(y, (n, channels + 1, h, w).into())])
    }

    #[cfg(feature = "cuda")]
    fn cuda(&self, [x]: [Operand; 1]) -> OnGpu<1> {
        norm::minibatch_deviation(self.0.size, EPSILON, x)
    }
}

impl Op<1> for Append {
    fn saves(&self) -> Saves<1> {
        Saves::OPERANDS
    }

    fn backward(&self, saved: &Saved, upstream: &Tensor) -> candle_core::Result<[Option<Tensor>; 1]> {
        let x = saved.operand(0)?;
        if !saved.keeps_graph() {
            return Ok(compute(&Gradient(self.0), [x, upstream])?.map(Some));
        }
        let (n, channels, h, w) = x.dims4()?;
        let groups = self.0;
        let (centred, deviation) = groups.reference(x)?;
        let of_group = groups.split(&upstream.narrow(1, channels, 1)?)?.sum_keepdim(0)?.sum_keepdim(2)?;
        let factor = of_group.affine(1.0 / (groups.size * channels * h * w) as f64, 0.0)?;
        let through = centred.broadcast_div(&deviation)?.broadcast_mul(&factor)?.reshape((n, channels, h, w))?;
        Ok([Some((upstream.narrow(1, 0, channels)? + through)?)])
    }
}

/// (x, t) → the gradient of x.
struct Gradient(Groups);

impl Kernel<2, 1> for Gradient {
    fn name(&self) -> &'static str {
        "minibatch_deviation_gradient"
    }

    fn cpu<T: Real>(&self, [(x, shape), (t, _)]: [(&[T], &Shape); 2]) -> Numbers<T, 1> {
        let (n, channels, h, w) = shape.dims4()?;
        let (size, plane, pictures) = (channels * h * w, h * w, self.0.size);
        let groups = n / pictures;
        let picture = |i: usize| &t[i * (size + plane)..(i + 1) * (size + plane)];
        let factor = |group: usize| {
            let members = (0..pictures).map(|member| &picture(member * groups + group)[size..]);
            let total: f64 = members.flatten().map(|t| t.wide()).sum();
            T::of(total / (pictures * size) as f64)
        };
        let factors: Vec<T> = (0..groups).map(factor).collect();
        // SAFETY: every picture is written by its own task, block by block.
        let gradient = unsafe {
            filled(x.len(), |out| {
                out.par_chunks_mut(size).zip(x.par_chunks(size)).enumerate().for_each(|(i, (out, own))| {
                    let (group, t) = (i % groups, picture(i));
                    for (block, out) in out.chunks_mut(BLOCK).enumerate() {
                        let at = block * BLOCK;
                        widest(|| {
                            let Block { mean, deviation } =
                                Block::of(x, group * size + at, out.len(), groups * size, pictures);
                            let numbers = own[at..].iter().zip(&t[at..]).zip(mean.iter().zip(&deviation));
                            for (out, ((&x, &t), (&mean, &deviation))) in out.iter_mut().zip(numbers) {
                                out.write(t + factors[group] * ((x - mean) / deviation));
                            }
                        });
                    }
                });
            })
        };
        Ok([(gradient, shape.clone())])
    }

    #[cfg(feature = "cuda")]
    fn cuda(&self, [x, t]: [Operand; 2]) -> OnGpu<1> {
        norm::minibatch_gradient(self.0.size, EPSILON, x, t)
    }
}
