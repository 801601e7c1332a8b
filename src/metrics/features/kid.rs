//! Kernel Inception distance (M. Bińkowski et al., "Demystifying MMD GANs", ICLR 2018, arXiv:1801.01401): unbiased at
//! every number of pictures, so that it is the one to take when there are few.

use candle_core::Tensor;
use faer::linalg::matmul::triangular::{BlockStructure, matmul};
use faer::{Accum, Mat, Par};
use rayon::prelude::*;

use super::neighbours::Features;
use crate::metrics::score::{Score, Spread, mean_and_deviation};
use crate::rng::numpy::RandomState;
use crate::show::table::Best;
use crate::{Error, Result};

/// Pictures per subset where there are enough.
const SUBSET: usize = 1000;

/// Settings of the kernel distance.
#[derive(Clone, Debug, PartialEq)]
pub struct Kid {
    subsets: usize,
    size: Option<usize>,
    seed: u32,
}

impl Default for Kid {
    fn default() -> Self {
        Self::new()
    }
}

impl Kid {
    /// 100 subsets of min(N real, N generated, 1,000) pictures each, clean-fid's rule, drawn as torch-fidelity draws
    /// them with its seed 2020. From 1,000 pictures of each kind on, both rules are the same and the value is
    /// torch-fidelity's. As many of either kind, 1,000 at most, are compared once and as a whole: their score has no spread.
    pub fn new() -> Kid {
        Kid { subsets: 100, size: None, seed: 2020 }
    }

    /// How many subsets.
    pub fn subsets(self, subsets: usize) -> Kid {
        Kid { subsets, ..self }
    }

    /// Exactly that many pictures per subset, torch-fidelity's rule: sets that are smaller are refused.
    pub fn subset_size(self, size: usize) -> Kid {
        Kid { size: Some(size), ..self }
    }

    /// Seed of NumPy's `RandomState`, which draws the subsets.
    pub fn seed(self, seed: u32) -> Kid {
        Kid { seed, ..self }
    }

    /// The squared maximum mean discrepancy of two sets of features `[N, D]` with the kernel (a·b / D + 1)³, its mean
    /// and population standard deviation over the subsets (not multiplied by 1,000, as some papers do). Slightly
    /// negative values are possible: the two sets are then as alike as two draws of one.
    ///
    /// # Errors
    /// When the feature sizes differ, a value is not finite, there is no subset, or a set is smaller than a subset or
    /// than 2.
    pub fn score(&self, real: &Tensor, generated: &Tensor) -> Result<Score> {
        let (real, generated) =
            (Features::new("real features", real)?, Features::new("generated features", generated)?);
        generated.same_dims(&real)?;
        let size = self.size(real.rows.min(generated.rows))?;
        let mut state = RandomState::new(self.seed);
        // torch-fidelity draws from the generated pictures first.
        let mut draw = |rows: usize| {
            let mut order = state.permutation(rows);
            order.truncate(size);
            order
        };
        // There is one subset of all pictures, and nothing that it could spread around.
        let whole = size == real.rows && size == generated.rows;
        let subsets = if whole { 1 } else { self.subsets };
        let chosen: Vec<_> = (0..subsets).map(|_| (draw(generated.rows), draw(real.rows))).collect();
        let subset = |(first, second): &(Vec<usize>, Vec<usize>)| discrepancy(&generated, first, &real, second);
        let values: Vec<f64> = chosen.par_iter().map(subset).collect();
        let (mean, deviation) = mean_and_deviation(&values);
        let (drawn, spread, warning) = if whole {
            let drawn = format!("all {size} pictures of either kind at once");
            let warning = format!("{size} pictures of either kind: unbiased, but another {size} give another value");
            (drawn, None, warning)
        } else {
            let drawn = format!("mean ± std of {subsets} subsets of {size}, NumPy seed {}", self.seed);
            let warning = format!("subsets of {size} pictures: unbiased, but compare the spread with the value");
            (drawn, Some(Spread::Deviation(deviation)), warning)
        };
        let protocol = format!("kernel (a·b/{} + 1)³, unbiased; {drawn}", real.dims);
        let score = Score::new("KID", mean, generated.rows, protocol).against(real.rows).better(Best::Lowest);
        Ok(Score { spread, ..score }.warn_if(size < 100, || warning))
    }

    fn size(&self, smaller: usize) -> Result<usize> {
        if self.subsets == 0 {
            return Err(Error::invalid("subsets of the kernel distance", "0", "at least 1", ""));
        }
        let size = self.size.unwrap_or(smaller.min(SUBSET));
        if size > smaller || size < 2 {
            let (found, hint) = (format!("{size} pictures"), "Without subset_size the smaller set says how many.");
            return Err(Error::invalid("subsets of the kernel distance", found, format!("2 to {smaller}"), hint));
        }
        Ok(size)
    }
}

/// The unbiased estimate for as many rows of each set.
fn discrepancy(first: &Features, rows: &[usize], second: &Features, others: &[usize]) -> f64 {
    let columns =
        |features: &Features, rows: &[usize]| Mat::from_fn(features.dims, rows.len(), |d, i| features.row(rows[i])[d]);
    let (first, second) = (columns(first, rows), columns(second, others));
    let m = rows.len() as f64;
    let kernel = |product: &f64| (product / first.nrows() as f64 + 1.0).powi(3);
    let across = first.transpose() * &second;
    let across: f64 = (0..rows.len()).map(|j| across.col(j).iter().map(kernel).sum::<f64>()).sum();
    let within = half(&first, kernel) + half(&second, kernel);
    2.0 * within / (m * (m - 1.0)) - 2.0 * across / (m * m)
}

/// The sum of the kernel over all pairs of different columns, each pair once.
fn half(set: &Mat<f64>, kernel: impl Fn(&f64) -> f64) -> f64 {
    let mut products = Mat::zeros(set.ncols(), set.ncols());
    let (below, all) = (BlockStructure::StrictTriangularLower, BlockStructure::Rectangular);
    matmul(products.as_mut(), below, Accum::Replace, set.transpose(), all, set, all, 1.0, Par::Seq);
    let column = |j: usize| products.col(j).iter().skip(j + 1).map(&kernel).sum::<f64>();
    (0..set.ncols()).map(column).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Seed;
    use candle_core::Device;

    fn normal(name: &str, rows: usize) -> Tensor {
        Seed(3).stream(name).normal_tensor(&[rows, 6], &Device::Cpu).unwrap()
    }

    /// x = (0, 1), y = (2, 3) in one dimension: k(0, 1) = 1, k(2, 3) = 343, and 1, 1, 27, 64 across.
    #[test]
    fn two_and_two_by_hand() {
        let column = |values: [f64; 2]| Tensor::from_slice(&values, (2, 1), &Device::Cpu).unwrap();
        let score = Kid::new().score(&column([0.0, 1.0]), &column([2.0, 3.0])).unwrap();
        let expected = (2.0 * 1.0 + 2.0 * 343.0) / 2.0 - 2.0 * (1.0 + 1.0 + 27.0 + 64.0) / 4.0;
        assert!((score.value - expected).abs() < 1e-12, "{score}, {expected}");
        assert_eq!(score.spread, None, "there is one way to take two of two");
        assert!(score.protocol.contains("all 2 pictures") && score.warnings[0].contains("another 2"), "{score:?}");
    }

    #[test]
    fn alike_sets_are_at_about_0_and_the_seed_draws_the_subsets() {
        let (a, b) = (normal("a", 400), normal("b", 300));
        let same = Kid::new().subset_size(150).subsets(20).score(&a, &b).unwrap();
        let far = Kid::new().subset_size(150).subsets(20).score(&a, &(&b + 1.0).unwrap()).unwrap();
        assert!(same.spread.is_some() && same.protocol.contains("20 subsets of 150"), "{same:?}");
        assert!(same.value.abs() < 0.1 && far.value > 1.0, "{same}, {far}, seed 3");
        let other = Kid::new().subset_size(150).subsets(20).seed(1).score(&a, &b).unwrap();
        assert_ne!(same.value, other.value);
        assert!(Kid::new().subset_size(301).score(&a, &b).unwrap_err().to_string().contains("2 to 300"));
        assert!(Kid::new().score(&a, &a.narrow(1, 0, 5).unwrap()).is_err());
    }
}
