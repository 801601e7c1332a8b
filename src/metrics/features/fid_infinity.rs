//! FID without its bias: the value that it would have for infinitely many generated pictures.

use candle_core::Tensor;
use rayon::prelude::*;

use super::frechet::Moments;
use super::neighbours::Features;
use crate::metrics::score::{Score, Spread};
use crate::rng::Seed;
use crate::show::table::Best;
use crate::{Error, Result};

/// Smallest subset in the paper.
const SMALLEST: usize = 5000;

/// Settings of the extrapolation of M. Chong and D. Forsyth, "Effectively Unbiased FID and Inception Score", CVPR 2020
/// (arXiv:1911.07023, section 4).
#[derive(Clone, Debug, PartialEq)]
pub struct FidInfinity {
    points: usize,
    smallest: Option<usize>,
    seed: Seed,
}

impl Default for FidInfinity {
    fn default() -> Self {
        Self::new()
    }
}

impl FidInfinity {
    /// 15 subsets, from 5,000 generated pictures (half of them where there are fewer than 10,000) to all.
    pub fn new() -> FidInfinity {
        FidInfinity { points: 15, smallest: None, seed: Seed(0) }
    }

    /// How many subsets, evenly spaced in size; at least 3.
    pub fn points(self, points: usize) -> FidInfinity {
        FidInfinity { points, ..self }
    }

    /// Pictures in the smallest subset.
    pub fn smallest(self, pictures: usize) -> FidInfinity {
        FidInfinity { smallest: Some(pictures), ..self }
    }

    /// Seed of the subsets.
    pub fn seed(self, seed: Seed) -> FidInfinity {
        FidInfinity { seed, ..self }
    }

    /// Fits a line to the Fréchet distance of random subsets of the generated pictures to all real ones, against one
    /// over the number of pictures, and takes its value at 0; the spread is the standard error of that value. The bias
    /// of too few real pictures stays. Features `[N, D]`.
    ///
    /// # Errors
    /// When the feature sizes differ, a value is not finite, or there are too few pictures for the subsets.
    pub fn score(&self, real: &Tensor, generated: &Tensor) -> Result<Score> {
        let (real, generated) =
            (Features::new("real features", real)?, Features::new("generated features", generated)?);
        generated.same_dims(&real)?;
        let sizes = self.sizes(generated.rows)?;
        let moments = Moments::of(&real)?;
        let point = |(i, size): (usize, &usize)| {
            let mut order = self.seed.stream(&format!("fid/{i}")).permutation(generated.rows);
            order.truncate(*size);
            Ok((1.0 / *size as f64, moments.distance(&Moments::of_rows(&generated, &order)?)?))
        };
        let points: Vec<(f64, f64)> = sizes.par_iter().enumerate().map(point).collect::<Result<_>>()?;
        let (value, error) = intercept(&points);
        let smallest = sizes[0];
        let protocol = format!(
            "Fréchet distance of {} features against 1/N, {} subsets of {smallest} to {} pictures, seed {}",
            real.dims, self.points, generated.rows, self.seed.0
        );
        let score = Score::new("FID∞", value, generated.rows, protocol).against(real.rows).better(Best::Lowest);
        let warning = || {
            let dims = real.dims;
            format!("subsets of {smallest} pictures with {dims} features are not on a line against 1/N; use KID")
        };
        Ok(score.with_spread(Spread::Error(error)).warn_if(smallest <= real.dims, warning))
    }

    fn sizes(&self, all: usize) -> Result<Vec<usize>> {
        let smallest = self.smallest.unwrap_or((all / 2).min(SMALLEST));
        if self.points < 3 || smallest < 2 || smallest + self.points > all + 1 {
            let found = format!("{} subsets of {smallest} to {all} pictures", self.points);
            let expected = "at least 3 subsets of at least 2 pictures, all of another size";
            return Err(Error::invalid("FID∞", found, expected, "KID does with fewer pictures."));
        }
        let step = (all - smallest) as f64 / (self.points - 1) as f64;
        Ok((0..self.points).map(|i| smallest + (step * i as f64).round() as usize).collect())
    }
}

/// Value at 0 of the least-squares line through points (x, y), and its standard error.
fn intercept(points: &[(f64, f64)]) -> (f64, f64) {
    let n = points.len() as f64;
    let mean_x = points.iter().map(|p| p.0).sum::<f64>() / n;
    let mean_y = points.iter().map(|p| p.1).sum::<f64>() / n;
    let across: f64 = points.iter().map(|p| (p.0 - mean_x).powi(2)).sum();
    let slope = points.iter().map(|p| (p.0 - mean_x) * (p.1 - mean_y)).sum::<f64>() / across;
    let value = mean_y - slope * mean_x;
    let left: f64 = points.iter().map(|p| (p.1 - value - slope * p.0).powi(2)).sum();
    (value, (left / (n - 2.0) * (1.0 / n + mean_x * mean_x / across)).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::features::frechet::frechet_distance;
    use candle_core::Device;

    /// y = 3 + 2x with residuals 1, −2, 1: `scipy.stats.linregress` gives the intercept 3 and its error 3.741657386773941.
    #[test]
    fn the_line_is_scipys() {
        let (value, error) = intercept(&[(1.0, 6.0), (2.0, 5.0), (3.0, 10.0)]);
        assert!((value - 3.0).abs() < 1e-12 && (error - 3.741_657_386_773_941).abs() < 1e-12, "{value}, {error}");
    }

    /// Two draws of one distribution: the distance is all bias.
    #[test]
    fn most_of_the_bias_is_gone() {
        let draw = |name: &str, n: usize| Seed(5).stream(name).normal_tensor(&[n, 16], &Device::Cpu).unwrap();
        let (real, generated) = (draw("real", 20_000), draw("generated", 2000));
        let plain = frechet_distance(&real, &generated).unwrap();
        let score = FidInfinity::new().smallest(500).score(&real, &generated).unwrap();
        assert!(score.value.abs() < 0.6 * plain, "{score}, plain {plain}, seed 5");
        assert!(score.warnings.is_empty());
        let few = draw("few", 12);
        assert!(FidInfinity::new().score(&real, &few).unwrap_err().to_string().contains("KID"));
        assert!(!FidInfinity::new().points(3).smallest(8).score(&real, &few).unwrap().warnings.is_empty());
    }
}
