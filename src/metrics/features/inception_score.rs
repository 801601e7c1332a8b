//! Inception score (T. Salimans et al. 2016, arXiv:1606.03498, section 4): large when each picture is of one class and
//! all classes occur. It never looks at real pictures.

use candle_core::Tensor;

use super::neighbours::Features;
use crate::metrics::score::{Score, Spread, mean_and_deviation};
use crate::rng::numpy::RandomState;
use crate::show::table::Best;
use crate::{Error, Result};

/// Pictures per split below which the score is clearly too small.
const FEW: usize = 500;

/// Settings of the Inception score.
#[derive(Clone, Debug, PartialEq)]
pub struct InceptionScore {
    splits: usize,
    seed: Option<u32>,
}

impl Default for InceptionScore {
    fn default() -> Self {
        Self::new()
    }
}

impl InceptionScore {
    /// 10 splits of the pictures in random order, drawn as torch-fidelity draws it with its seed 2020.
    pub fn new() -> InceptionScore {
        InceptionScore { splits: 10, seed: Some(2020) }
    }

    /// How many splits; each gives one score.
    pub fn splits(self, splits: usize) -> InceptionScore {
        InceptionScore { splits, ..self }
    }

    /// Another seed of NumPy's `RandomState`; none leaves the pictures in their order.
    pub fn seed(self, seed: Option<u32>) -> InceptionScore {
        InceptionScore { seed, ..self }
    }

    /// The score exp(mean KL(p(y|x) ‖ p(y))) from unnormalised class scores `[N, C]`, in [1, C]: mean and population
    /// standard deviation over the splits.
    ///
    /// # Errors
    /// When a value is not finite, there are fewer pictures than splits, or no split.
    pub fn of_logits(&self, logits: &Tensor) -> Result<Score> {
        let logits = Features::new("class scores", logits)?;
        let row = |i: usize| {
            let row = logits.row(i);
            let largest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let norm = largest + row.iter().map(|v| (v - largest).exp()).sum::<f64>().ln();
            row.iter().map(|v| v - norm).collect()
        };
        self.of((0..logits.rows).map(row).collect())
    }

    /// As [`InceptionScore::of_logits`] from probabilities `[N, C]`: each row sums to 1 within a thousandth.
    ///
    /// # Errors
    /// As [`InceptionScore::of_logits`], and when a row is no distribution.
    pub fn of_probabilities(&self, probabilities: &Tensor) -> Result<Score> {
        let classes = Features::new("class probabilities", probabilities)?;
        for i in 0..classes.rows {
            let sum: f64 = classes.row(i).iter().sum();
            if (sum - 1.0).abs() > 1e-3 || classes.row(i).iter().any(|p| *p < 0.0) {
                let found = format!("row {i} that sums to {sum}");
                let hint = "Unnormalised scores go to of_logits.";
                return Err(Error::invalid("class probabilities", found, "numbers from 0 on that sum to 1", hint));
            }
        }
        self.of((0..classes.rows).map(|i| classes.row(i).iter().map(|p| p.ln()).collect()).collect())
    }

    fn of(&self, logs: Vec<Vec<f64>>) -> Result<Score> {
        let n = logs.len();
        if self.splits == 0 || self.splits > n {
            let expected = format!("1 to {n}, the pictures");
            return Err(Error::invalid("splits of the Inception score", self.splits.to_string(), expected, ""));
        }
        let order = match self.seed {
            Some(seed) => RandomState::new(seed).permutation(n),
            None => (0..n).collect(),
        };
        let split = |s: usize| exponential(&logs, &order[s * n / self.splits..(s + 1) * n / self.splits]);
        let scores: Vec<f64> = (0..self.splits).map(split).collect();
        let (mean, deviation) = mean_and_deviation(&scores);
        let order = self.seed.map_or("in order".to_string(), |seed| format!("shuffled by NumPy seed {seed}"));
        let protocol = format!("mean ± std of {} splits, {order}, {} classes", self.splits, logs[0].len());
        let score = Score::new("IS", mean, n, protocol).better(Best::Highest).with_spread(Spread::Deviation(deviation));
        let warning = || {
            let per_split = n / self.splits;
            format!("{per_split} pictures per split: the score is too small; 5,000 are usual, and KID has no such bias")
        };
        Ok(score.warn_if(n / self.splits < FEW, warning))
    }
}

/// exp of the mean divergence of these rows from their mean.
fn exponential(logs: &[Vec<f64>], rows: &[usize]) -> f64 {
    let mut mean = vec![0.0; logs[0].len()];
    for row in rows {
        mean.iter_mut().zip(&logs[*row]).for_each(|(mean, log)| *mean += log.exp() / rows.len() as f64);
    }
    let divergence = |row: &usize| {
        let terms = logs[*row].iter().zip(&mean).filter(|(log, _)| log.is_finite());
        terms.map(|(log, mean)| log.exp() * (log - mean.ln())).sum::<f64>()
    };
    (rows.iter().map(divergence).sum::<f64>() / rows.len() as f64).exp()
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{DType, Device};

    #[test]
    fn sure_and_varied_pictures_score_the_number_of_classes() {
        let classes = Tensor::eye(8, DType::F64, &Device::Cpu).unwrap();
        let score = |p: &Tensor| InceptionScore::new().splits(1).of_probabilities(p).unwrap();
        assert!((score(&classes).value - 8.0).abs() < 1e-12);
        let one_class = classes.narrow(0, 0, 1).unwrap().repeat((5, 1)).unwrap();
        assert!((score(&one_class).value - 1.0).abs() < 1e-12);
        let unsure = Tensor::full(0.125f64, (5, 8), &Device::Cpu).unwrap();
        assert!((score(&unsure).value - 1.0).abs() < 1e-12);
        assert!(score(&classes).warnings[0].contains("KID"));
    }

    #[test]
    fn what_is_no_distribution_is_refused() {
        let ones = Tensor::ones((4, 3), DType::F64, &Device::Cpu).unwrap();
        let error = InceptionScore::new().of_probabilities(&ones).unwrap_err().to_string();
        assert!(error.contains("row 0 that sums to 3") && error.contains("of_logits"), "{error}");
        assert!(InceptionScore::new().of_logits(&ones).unwrap_err().to_string().contains("1 to 4"));
        assert!(InceptionScore::new().splits(0).of_logits(&ones).is_err());
    }
}
