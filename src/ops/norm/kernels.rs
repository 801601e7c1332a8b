//! The arithmetic of normalisation on slices.

use std::ops::Range;

use candle_core::Shape;
use rayon::prelude::*;

use super::columns;
use crate::ops::kernel::{CHUNK, Real, Shared, filled, sum, sum2};

/// Which numbers share their statistics.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Over {
    /// Those of a channel, of all images.
    Batch,
    /// Those of one plane.
    Plane,
}

/// Mean and biased variance of a group.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moments {
    pub mean: f64,
    pub variance: f64,
}

impl Moments {
    /// (variance + ε)^−½.
    pub fn rate(self, epsilon: f64) -> f64 {
        1.0 / (self.variance + epsilon).sqrt()
    }
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
    fn planes(self) -> impl Iterator<Item = Range<usize>> {
        (0..self.planes).map(move |i| (self.first + i * self.step) * self.size).map(move |at| at..at + self.size)
    }

    fn count(self) -> f64 {
        (self.planes * self.size) as f64
    }
}

impl Over {
    fn groups(self, shape: &Shape) -> Vec<Group> {
        let dims = shape.dims();
        let (n, channels, size) = (dims[0], dims[1], dims[2..].iter().product());
        let group = |channel, first, step, planes| Group { channel, first, step, planes, size };
        match self {
            Over::Batch => (0..channels).map(|channel| group(channel, channel, channels, n)).collect(),
            Over::Plane => (0..n * channels).map(|plane| group(plane % channels, plane, 1, 1)).collect(),
        }
    }

    /// The groups are the columns of a matrix.
    fn is_columns(self, shape: &Shape) -> bool {
        self == Over::Batch && shape.dims()[2..].iter().product::<usize>() == 1
    }

    /// f for every group, in parallel; enough groups per task to be worth it.
    fn for_groups<R: Send>(self, shape: &Shape, f: impl Fn(usize, Group) -> R + Sync) -> Vec<R> {
        let groups = self.groups(shape);
        let size = groups.first().map_or(1, |group| (group.planes * group.size).max(1));
        groups.par_iter().enumerate().with_min_len(CHUNK.div_ceil(size)).map(|(i, &group)| f(i, group)).collect()
    }

    /// Moments of every group.
    pub fn moments<T: Real>(self, x: &[T], shape: &Shape) -> Vec<Moments> {
        if self.is_columns(shape) {
            return columns::moments(x, shape.dims()[1]);
        }
        self.for_groups(shape, |_, group| {
            let mean = group.planes().map(|plane| sum(&x[plane], |x| x)).sum::<f64>() / group.count();
            let centre = T::of(mean);
            let squares = group.planes().map(|plane| sum(&x[plane], |x| (x - centre) * (x - centre)));
            Moments { mean, variance: squares.sum::<f64>() / group.count() }
        })
    }

    /// γ·(x − μ)·r + β.
    pub fn normalize<T: Real>(
        self,
        x: &[T],
        shape: &Shape,
        moments: &[Moments],
        epsilon: f64,
        (weight, bias): (&[T], &[T]),
    ) -> Vec<T> {
        if self.is_columns(shape) {
            return columns::normalize(x, moments, epsilon, (weight, bias));
        }
        // SAFETY: the planes of all groups cover the tensor, each once.
        unsafe {
            filled(x.len(), |y| {
                let y = Shared::new(y.as_mut_ptr().cast::<T>());
                self.for_groups(shape, |i, group| {
                    let centre = T::of(moments[i].mean);
                    let scale = T::of(moments[i].rate(epsilon)) * weight[group.channel];
                    let shift = bias[group.channel];
                    for plane in group.planes() {
                        let out = y.get().add(plane.start);
                        for (j, &x) in x[plane].iter().enumerate() {
                            *out.add(j) = (x - centre) * scale + shift;
                        }
                    }
                });
            })
        }
    }

    /// γ·r·(t − mean t − x̂·mean(x̂·t)).
    pub fn derivative<T: Real>(
        self,
        (x, t): (&[T], &[T]),
        shape: &Shape,
        moments: &[Moments],
        epsilon: f64,
        weight: &[T],
    ) -> Vec<T> {
        if self.is_columns(shape) {
            return columns::derivative((x, t), moments, epsilon, weight);
        }
        // SAFETY: the planes of all groups cover the tensor, each once.
        unsafe {
            filled(x.len(), |out| {
                let out = Shared::new(out.as_mut_ptr().cast::<T>());
                self.for_groups(shape, |i, group| {
                    let (centre, rate) = (T::of(moments[i].mean), moments[i].rate(epsilon));
                    let total: f64 = group.planes().map(|plane| sum(&t[plane], |t| t)).sum();
                    let scale = T::of(rate) * weight[group.channel];
                    let offset = T::of(total / group.count());
                    let slope = T::of(centred_product((x, t), group, centre) * rate * rate / group.count());
                    for plane in group.planes() {
                        let out = out.get().add(plane.start);
                        for (j, (&x, &t)) in x[plane.clone()].iter().zip(&t[plane]).enumerate() {
                            *out.add(j) = scale * (t - offset - (x - centre) * slope);
                        }
                    }
                });
            })
        }
    }

    /// Σ x̂·t per channel.
    pub fn correlation<T: Real>(
        self,
        (x, t): (&[T], &[T]),
        shape: &Shape,
        moments: &[Moments],
        epsilon: f64,
    ) -> Vec<T> {
        if self.is_columns(shape) {
            return columns::correlation((x, t), moments, epsilon);
        }
        let per_group = self.for_groups(shape, |i, group| {
            centred_product((x, t), group, T::of(moments[i].mean)) * moments[i].rate(epsilon)
        });
        // Groups of one channel lie `channels` apart, in the order of the images.
        let channels = shape.dims()[1];
        (0..channels).map(|channel| T::of(per_group[channel..].iter().step_by(channels).sum())).collect()
    }
}

/// Σ (x − centre)·t over a group.
fn centred_product<T: Real>((x, t): (&[T], &[T]), group: Group, centre: T) -> f64 {
    group.planes().map(|plane| sum2(&x[plane.clone()], &t[plane], |x, t| (x - centre) * t)).sum()
}
