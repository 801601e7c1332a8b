//! The arithmetic of normalisation on slices.

use std::ops::Range;

use candle_core::Shape;
use rayon::prelude::*;

use super::columns;
use crate::ops::kernel::{CHUNK, Real, Shared, filled, sum, sums2, widest};

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

/// What a derivative needs of a group's upstream gradient t.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sums {
    /// Σ t.
    pub total: f64,
    /// Σ x̂·t.
    pub along: f64,
}

/// Planes of one group of numbers.
#[derive(Clone, Copy)]
struct Group {
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

    fn moments<T: Real>(self, x: &[T]) -> Moments {
        let (mut total, mut squares) = (0.0, 0.0);
        for plane in self.planes() {
            total += sum(&x[plane], |x| x);
        }
        let mean = total / self.count();
        let centre = T::of(mean);
        for plane in self.planes() {
            squares += sum(&x[plane], move |x| (x - centre) * (x - centre));
        }
        Moments { mean, variance: squares / self.count() }
    }

    fn sums<T: Real>(self, (x, t): (&[T], &[T]), moments: Moments, epsilon: f64) -> Sums {
        let centre = T::of(moments.mean);
        let (mut total, mut product) = (0.0, 0.0);
        for plane in self.planes() {
            let [t, along] = sums2(&x[plane.clone()], &t[plane], move |x, t| [t, (x - centre) * t]);
            total += t;
            product += along;
        }
        Sums { total, along: product * moments.rate(epsilon) }
    }
}

impl Over {
    fn groups(self, shape: &Shape) -> Vec<Group> {
        let dims = shape.dims();
        let (n, channels, size) = (dims[0], dims[1], dims[2..].iter().product());
        let group = |first, step, planes| Group { first, step, planes, size };
        match self {
            Over::Batch => (0..channels).map(|channel| group(channel, channels, n)).collect(),
            Over::Plane => (0..n * channels).map(|plane| group(plane, 1, 1)).collect(),
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
        self.for_groups(shape, |_, group| group.moments(x))
    }

    /// γ·(x − μ)·r + β, γ and β one per channel or one per group, and the moments, which are computed unless they are `known`.
    pub fn normalize<T: Real>(
        self,
        x: &[T],
        shape: &Shape,
        known: Option<&[Moments]>,
        epsilon: f64,
        (weight, bias): (&[T], &[T]),
    ) -> (Vec<T>, Vec<Moments>) {
        if self.is_columns(shape) {
            return columns::normalize(x, shape.dims()[1], known, epsilon, (weight, bias));
        }
        let mut moments = Vec::new();
        // SAFETY: the planes of all groups cover the tensor, each once.
        let y = unsafe {
            filled(x.len(), |y| {
                let y = Shared::new(y.as_mut_ptr().cast::<T>());
                moments = self.for_groups(shape, |i, group| {
                    let moments = known.map_or_else(|| group.moments(x), |known| known[i]);
                    let centre = T::of(moments.mean);
                    let scale = T::of(moments.rate(epsilon)) * weight[i % weight.len()];
                    let shift = bias[i % bias.len()];
                    widest(|| {
                        for plane in group.planes() {
                            let out = y.get().add(plane.start);
                            for (j, &x) in x[plane].iter().enumerate() {
                                *out.add(j) = (x - centre) * scale + shift;
                            }
                        }
                    });
                    moments
                });
            })
        };
        (y, moments)
    }

    /// γ·r·(t − mean t − x̂·mean(x̂·t)), and the sums of every group.
    pub fn derivative<T: Real>(
        self,
        (x, t): (&[T], &[T]),
        shape: &Shape,
        moments: &[Moments],
        epsilon: f64,
        weight: &[T],
    ) -> (Vec<T>, Vec<Sums>) {
        if self.is_columns(shape) {
            return columns::derivative((x, t), moments, epsilon, weight);
        }
        let mut sums = Vec::new();
        // SAFETY: the planes of all groups cover the tensor, each once.
        let derivative = unsafe {
            filled(x.len(), |out| {
                let out = Shared::new(out.as_mut_ptr().cast::<T>());
                sums = self.for_groups(shape, |i, group| {
                    let sums = group.sums((x, t), moments[i], epsilon);
                    let (centre, rate) = (T::of(moments[i].mean), moments[i].rate(epsilon));
                    let scale = T::of(rate) * weight[i % weight.len()];
                    let offset = T::of(sums.total / group.count());
                    let slope = T::of(sums.along * rate / group.count());
                    widest(|| {
                        for plane in group.planes() {
                            let out = out.get().add(plane.start);
                            for (j, (&x, &t)) in x[plane.clone()].iter().zip(&t[plane]).enumerate() {
                                *out.add(j) = scale * (t - offset - (x - centre) * slope);
                            }
                        }
                    });
                    sums
                });
            })
        };
        (derivative, sums)
    }

    /// The sums of every group.
    pub fn sums<T: Real>(self, (x, t): (&[T], &[T]), shape: &Shape, moments: &[Moments], epsilon: f64) -> Vec<Sums> {
        if self.is_columns(shape) {
            return columns::sums((x, t), moments, epsilon);
        }
        self.for_groups(shape, |i, group| group.sums((x, t), moments[i], epsilon))
    }

    /// One of the sums, added over the groups that share one of so many `weights`.
    pub fn per_weight<T: Real>(sums: &[Sums], weights: usize, of: fn(&Sums) -> f64) -> Vec<T> {
        // Groups of one weight lie `weights` apart, in the order of the images.
        (0..weights).map(|weight| T::of(sums[weight..].iter().step_by(weights).map(of).sum())).collect()
    }
}
