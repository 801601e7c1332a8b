//! The Fréchet distance between two sets of pictures, the formula behind FID.

use candle_core::Tensor;
use faer::{Mat, MatRef};

use super::neighbours::Features;
use crate::{Error, Result};

/// Squared Fréchet distance between the normal distributions with the mean and covariance of two sets of features
/// `[N, D]` (further axes count as features): |μ₁ − μ₂|² + tr(Σ₁ + Σ₂ − 2(Σ₁Σ₂)^½), covariances with N − 1
/// (D. Dowson and B. Landau 1982; M. Heusel et al. 2017, arXiv:1706.08500, section 3). It is the FID only when the
/// features are those of Inception; with others, say which.
///
/// With A and B the centred features over √(N − 1), the trace of the root is the sum of the singular values of A·Bᵀ: no
/// root of a matrix is taken, so that fewer pictures than features and features that depend on each other are exact
/// too. With few pictures the distance itself is too large, by about a multiple of 1/N. All in f64; the time is that of
/// the singular values of a square matrix of min(N, D) rows.
///
/// # Errors
/// When the feature sizes differ, a value is not finite, or a set has fewer than two pictures.
pub fn frechet_distance(first: &Tensor, second: &Tensor) -> Result<f64> {
    let (first, second) = (Moments::of("first features", first)?, Moments::of("second features", second)?);
    if first.mean.len() != second.mean.len() {
        let expected = format!("{} as in the first set", first.mean.len());
        return Err(Error::invalid("features per picture", second.mean.len().to_string(), expected, ""));
    }
    let between: f64 = first.mean.iter().zip(&second.mean).map(|(a, b)| (a - b) * (a - b)).sum();
    let product = &first.root * second.root.transpose();
    let shared = product.singular_values().map_err(|error| {
        Error::invalid("Fréchet distance", format!("{error:?}"), "singular values of the covariances", "")
    })?;
    let within = first.variance + second.variance - 2.0 * shared.iter().sum::<f64>();
    Ok(between + within.max(0.0))
}

/// Mean and covariance of a set.
struct Moments {
    mean: Vec<f64>,
    /// The trace of the covariance.
    variance: f64,
    /// A matrix of at most N and at most D rows whose transpose times itself is the covariance.
    root: Mat<f64>,
}

impl Moments {
    fn of(what: &str, features: &Tensor) -> Result<Moments> {
        let features = Features::new(what, features)?;
        let (rows, dims) = (features.rows, features.dims);
        if rows < 2 {
            return Err(Error::invalid(what, "1 picture", "at least 2, since a covariance is estimated", ""));
        }
        let all = MatRef::from_row_major_slice(&features.values, rows, dims);
        let mean: Vec<f64> = (0..dims).map(|d| all.col(d).sum() / rows as f64).collect();
        let scale = 1.0 / ((rows - 1) as f64).sqrt();
        let centred = Mat::from_fn(rows, dims, |i, d| (all[(i, d)] - mean[d]) * scale);
        let variance = centred.squared_norm_l2();
        let root = if rows > dims { centred.qr().thin_R().to_owned() } else { centred };
        Ok(Moments { mean, variance, root })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Seed;
    use candle_core::{DType, Device};

    fn normal(name: &str, rows: usize, dims: usize) -> Tensor {
        let tensor = Seed(7).stream(name).normal_tensor(&[rows, dims], &Device::Cpu).unwrap();
        tensor.to_dtype(DType::F64).unwrap()
    }

    /// Two sets in one dimension: (μ₁ − μ₂)² + (σ₁ − σ₂)².
    #[test]
    fn one_dimension_by_hand() {
        let column = |values: [f64; 3]| Tensor::from_slice(&values, (3, 1), &Device::Cpu).unwrap();
        let found = frechet_distance(&column([1.0, 2.0, 3.0]), &column([10.0, 13.0, 16.0])).unwrap();
        assert!((found - (121.0 + 4.0)).abs() < 1e-12, "{found}");
    }

    #[test]
    fn a_set_is_at_no_distance_from_itself_whatever_its_shape() {
        for (rows, dims) in [(50, 4), (4, 50), (9, 9)] {
            let set = normal("set", rows, dims);
            let found = frechet_distance(&set, &set).unwrap();
            assert!(found.abs() < 1e-9, "{rows}×{dims}: {found}, seed 7");
            let other = normal("other", rows + 3, dims);
            let (there, back) = (frechet_distance(&set, &other).unwrap(), frechet_distance(&other, &set).unwrap());
            assert!(there > 0.1 && (there - back).abs() < 1e-9 * there, "{there} and {back}, seed 7");
        }
    }

    #[test]
    fn equal_pictures_have_no_covariance() {
        let ones = Tensor::ones((5, 3), DType::F64, &Device::Cpu).unwrap();
        let found = frechet_distance(&ones, &(&ones * 3.0).unwrap()).unwrap();
        assert!((found - 12.0).abs() < 1e-12, "{found}");
    }

    #[test]
    fn sets_that_cannot_be_compared_are_refused() {
        let error = |a: &Tensor, b: &Tensor| frechet_distance(a, b).unwrap_err().to_string();
        let set = normal("set", 5, 3);
        assert!(error(&set, &normal("set", 5, 4)).contains("4"));
        assert!(error(&set, &normal("set", 1, 3)).contains("at least 2"));
        assert!(error(&(&set / 0.0).unwrap(), &set).contains("finite"));
    }
}
