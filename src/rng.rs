//! Seeded random numbers that are the same on every machine, device and thread count.
//!
//! One [`Seed`] gives any number of independent named [`Stream`]s (`init/g.conv1.weight`, `data/3`, `z/1200`).
//! A stream depends on its name only, never on what was drawn from another stream before.

pub mod numpy;

use candle_core::{Device, Tensor};
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::Result;

/// The one number that a run is reproduced from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct Seed(pub u64);

/// Shorthand for cells: `seed(1)`.
pub fn seed(value: u64) -> Seed {
    Seed(value)
}

impl Seed {
    /// The stream of that name. Equal seeds and names give equal numbers.
    pub fn stream(self, name: &str) -> Stream {
        let mut hasher = blake3::Hasher::new_derive_key("tachie 2026 named random streams");
        hasher.update(&self.0.to_le_bytes());
        hasher.update(name.as_bytes());
        Stream { rng: ChaCha12Rng::from_seed(*hasher.finalize().as_bytes()) }
    }

    /// A seed that belongs to `name` below this one (one per sample of a data set, say).
    pub fn child(self, name: &str) -> Seed {
        Seed(self.stream(name).u64())
    }
}

/// A seeded sequence of random numbers.
#[derive(Clone, Debug)]
pub struct Stream {
    rng: ChaCha12Rng,
}

impl Stream {
    /// 64 random bits.
    pub fn u64(&mut self) -> u64 {
        self.rng.next_u64()
    }

    /// Uniform in [0, 1), 53 bits.
    pub fn uniform(&mut self) -> f64 {
        (self.u64() >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }

    /// Uniform in [low, high).
    pub fn range(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.uniform()
    }

    /// Uniform in 0..n; 0 when n is 0.
    pub fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.u64()) * n as u128) >> 64) as usize
    }

    /// True with probability `p`.
    pub fn chance(&mut self, p: f64) -> bool {
        self.uniform() < p
    }

    /// One standard normal number (Box–Muller, cosine branch).
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }

    /// `n` standard normal numbers.
    pub fn normals(&mut self, n: usize) -> Vec<f32> {
        (0..n).map(|_| self.normal() as f32).collect()
    }

    /// `n` numbers uniform in [0, 1).
    pub fn uniforms(&mut self, n: usize) -> Vec<f32> {
        (0..n).map(|_| self.uniform() as f32).collect()
    }

    /// A random order of 0..n (Fisher–Yates).
    pub fn permutation(&mut self, n: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..n).collect();
        for i in (1..n).rev() {
            order.swap(i, self.below(i + 1));
        }
        order
    }

    /// Index drawn with probability proportional to `weights` (not negative); the last one when all are 0.
    pub fn weighted(&mut self, weights: &[f64]) -> usize {
        let mut left = self.uniform() * weights.iter().sum::<f64>();
        for (i, weight) in weights.iter().enumerate() {
            left -= weight;
            if left < 0.0 {
                return i;
            }
        }
        weights.len().saturating_sub(1)
    }

    /// A tensor of standard normal numbers, f32.
    ///
    /// # Errors
    /// When the device has no memory for it.
    pub fn normal_tensor(&mut self, shape: &[usize], device: &Device) -> Result<Tensor> {
        Ok(Tensor::from_vec(self.normals(shape.iter().product()), shape, device)?)
    }

    /// A tensor of numbers uniform in [0, 1), f32.
    ///
    /// # Errors
    /// When the device has no memory for it.
    pub fn uniform_tensor(&mut self, shape: &[usize], device: &Device) -> Result<Tensor> {
        Ok(Tensor::from_vec(self.uniforms(shape.iter().product()), shape, device)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_depend_on_seed_and_name_only() {
        let a = Seed(7).stream("z/1").normals(5);
        let mut other = Seed(7).stream("z/2");
        other.u64();
        assert_eq!(a, Seed(7).stream("z/1").normals(5));
        assert_ne!(a, Seed(8).stream("z/1").normals(5));
        assert_ne!(a, Seed(7).stream("z/2").normals(5));
    }

    #[test]
    fn normals_have_mean_0_and_deviation_1() {
        let z = Seed(1).stream("z").normals(100_000);
        let mean = z.iter().sum::<f32>() / 1e5;
        let var = z.iter().map(|v| v * v).sum::<f32>() / 1e5;
        assert!(mean.abs() < 0.01 && (var - 1.0).abs() < 0.02, "mean {mean}, variance {var}");
    }

    #[test]
    fn a_permutation_holds_every_index_once() {
        let mut order = Seed(3).stream("data/0").permutation(1000);
        assert_ne!(order, (0..1000).collect::<Vec<_>>());
        order.sort_unstable();
        assert_eq!(order, (0..1000).collect::<Vec<_>>());
    }

    #[test]
    fn weighted_draws_follow_the_weights() {
        let mut stream = Seed(5).stream("tags");
        let mut counts = [0usize; 3];
        for _ in 0..30_000 {
            counts[stream.weighted(&[1.0, 0.0, 2.0])] += 1;
        }
        assert!(counts[1] == 0 && counts[0].abs_diff(10_000) < 400, "{counts:?}");
    }
}
