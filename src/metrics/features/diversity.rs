//! Variety within one set of pictures: how far two of them lie apart on average. A generator that has collapsed makes
//! pictures that are all alike, whatever its precision.

use candle_core::Tensor;
use rayon::prelude::*;

use super::neighbours::Features;
use crate::metrics::score::{Score, Spread, mean_and_deviation};
use crate::rng::Seed;
use crate::show::table::Best;
use crate::{Error, Result};

/// Pairs of pictures that are compared at once.
const BATCH: usize = 16;

/// Which pairs are looked at.
#[derive(Clone, Debug, PartialEq)]
pub struct Diversity {
    pairs: usize,
    seed: Seed,
}

impl Default for Diversity {
    fn default() -> Self {
        Self::new()
    }
}

impl Diversity {
    /// 10,000 random pairs of two different pictures (as many as in the PGGAN paper), or all pairs where there are fewer.
    pub fn new() -> Diversity {
        Diversity { pairs: 10_000, seed: Seed(0) }
    }

    /// How many pairs.
    pub fn pairs(self, pairs: usize) -> Diversity {
        Diversity { pairs, ..self }
    }

    /// Seed of the pairs.
    pub fn seed(self, seed: Seed) -> Diversity {
        Diversity { seed, ..self }
    }

    /// Mean Euclidean distance of two pictures' features `[N, D]`, with its deviation over pairs.
    ///
    /// # Errors
    /// When there are fewer than two rows, no pair is asked for, or a value is not finite.
    pub fn of_features(&self, features: &Tensor) -> Result<Score> {
        let features = Features::new("features", features)?;
        let pairs = self.drawn(features.rows)?;
        let distances: Vec<f64> = pairs.par_iter().map(|(a, b)| features.distance(*a, &features, *b)).collect();
        Ok(self.report("diversity", &distances, features.rows, "L2 distance of features").better(Best::Highest))
    }

    /// Mean of what `compare` says about pairs of `pictures` `[N, ...]`: LPIPS (large is varied) or
    /// [`MsSsim::each`](crate::metrics::pictures::ms_ssim::MsSsim::each) (small is varied). It gets the first and the
    /// second picture of a few pairs, `[B, ...]` each, and returns B numbers; `metric` names it.
    ///
    /// # Errors
    /// When there are fewer than two pictures, no pair is asked for, or `compare` fails or returns another number of
    /// values.
    pub fn of_pictures(
        &self,
        metric: &str,
        pictures: &Tensor,
        mut compare: impl FnMut(&Tensor, &Tensor) -> Result<Vec<f64>>,
    ) -> Result<Score> {
        let rows = pictures.dims().first().copied().unwrap_or(0);
        let mut values = Vec::new();
        for batch in self.drawn(rows)?.chunks(BATCH) {
            let side = |of: fn(&(usize, usize)) -> usize| -> Result<Tensor> {
                let rows: Vec<u32> = batch.iter().map(|pair| of(pair) as u32).collect();
                Ok(pictures.index_select(&Tensor::new(rows, pictures.device())?, 0)?)
            };
            let found = compare(&side(|pair| pair.0)?, &side(|pair| pair.1)?)?;
            if found.len() != batch.len() {
                let expected = format!("{}, one per pair", batch.len());
                return Err(Error::invalid(metric, format!("{} values", found.len()), expected, ""));
            }
            values.extend(found);
        }
        Ok(self.report(&format!("diversity ({metric})"), &values, rows, metric))
    }

    fn drawn(&self, n: usize) -> Result<Vec<(usize, usize)>> {
        if n < 2 || self.pairs == 0 {
            let found = format!("{} pairs of {n} pictures", self.pairs);
            return Err(Error::invalid("diversity", found, "at least one pair of two pictures", ""));
        }
        if n * (n - 1) / 2 <= self.pairs {
            return Ok((0..n).flat_map(|a| (a + 1..n).map(move |b| (a, b))).collect());
        }
        let mut stream = self.seed.stream("diversity");
        let mut pair = || {
            let (a, b) = (stream.below(n), stream.below(n - 1));
            (a, if b < a { b } else { b + 1 })
        };
        Ok((0..self.pairs).map(|_| pair()).collect())
    }

    fn report(&self, metric: &str, values: &[f64], n: usize, of: &str) -> Score {
        let (mean, deviation) = mean_and_deviation(values);
        let protocol = format!("mean ± std of {of} over {} pairs, seed {}", values.len(), self.seed.0);
        Score::new(metric, mean, n, protocol).with_spread(Spread::Deviation(deviation))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    #[test]
    fn few_pictures_are_compared_each_with_each() {
        let features = Tensor::from_slice(&[0.0, 3.0, 7.0], (3, 1), &Device::Cpu).unwrap();
        let score = Diversity::new().of_features(&features).unwrap();
        assert_eq!((score.value, score.n), (14.0 / 3.0, 3));
        let equal = Diversity::new().of_features(&features.narrow(0, 0, 2).unwrap().zeros_like().unwrap()).unwrap();
        assert_eq!(equal.value, 0.0);
        assert!(Diversity::new().of_features(&features.narrow(0, 0, 1).unwrap()).is_err());
    }

    #[test]
    fn random_pairs_are_of_two_and_estimate_the_mean() {
        let values: Vec<f32> = (0..200).map(|i| i as f32).collect();
        let line = Tensor::from_vec(values, (200, 1), &Device::Cpu).unwrap();
        let absolute = |a: &Tensor, b: &Tensor| {
            let values = (a - b)?.abs()?.flatten_all()?.to_vec1::<f32>()?;
            assert!(values.iter().all(|value| *value > 0.0));
            Ok(values.into_iter().map(f64::from).collect())
        };
        let score = Diversity::new().pairs(5000).of_pictures("absolute", &line, absolute).unwrap();
        // E|i − j| of two different numbers below n is (n + 1) / 3.
        assert!((score.value / 67.0 - 1.0).abs() < 0.03, "{score}, seed 0");
        assert!(Diversity::new().of_pictures("none", &line, |_, _| Ok(vec![])).is_err());
    }
}
