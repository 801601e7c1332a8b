//! The Fréchet distance between two sets of pictures, the formula behind FID.

use candle_core::Tensor;
use faer::{Mat, MatRef, Side};

use super::neighbours::Features;
use super::singular::sum_of_products_singular_values;
use crate::metrics::score::Score;
use crate::show::table::Best;
use crate::{Error, Result};

/// Pictures from which on FID is usually reported; Inception's 2,048 features need as many for a full covariance.
const FEW: usize = 2048;

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
    let (first, second) = (Features::new("first features", first)?, Features::new("second features", second)?);
    second.same_dims(&first)?;
    let (first, second) = both(|| Moments::of(&first), || Moments::of(&second))?;
    first.distance(&second)
}

/// Two of them, at once where there are threads.
fn both(
    first: impl FnOnce() -> Result<Moments> + Send,
    second: impl FnOnce() -> Result<Moments> + Send,
) -> Result<(Moments, Moments)> {
    let (first, second) = rayon::join(first, second);
    Ok((first?, second?))
}

/// [`frechet_distance`] as a score that warns when there are too few pictures; of Inception's features it is the FID.
///
/// # Errors
/// As [`frechet_distance`].
pub fn fid(real: &Tensor, generated: &Tensor) -> Result<Score> {
    let (real, generated) = (Features::new("real features", real)?, Features::new("generated features", generated)?);
    generated.same_dims(&real)?;
    let (first, second) = both(|| Moments::of(&real), || Moments::of(&generated))?;
    let distance = first.distance(&second)?;
    let protocol = format!("Fréchet distance of {} features, covariance over N − 1, f64", real.dims);
    let score = Score::new("FID", distance, generated.rows, protocol).against(real.rows).better(Best::Lowest);
    let smaller = real.rows.min(generated.rows);
    Ok(score.warn_if(smaller < FEW || smaller <= real.dims, || too_few(smaller)))
}

fn too_few(pictures: usize) -> String {
    format!("{pictures} pictures: FID is too large by about a multiple of 1/N; KID has no such bias, FID∞ takes it off")
}

/// [`frechet_distance`] of means `[D]` and covariances `[D, D]`, as published statistics give them (`mu` and `sigma`).
/// A covariance without full rank is decomposed by eigenvalues, those below 0 taken as 0.
///
/// # Errors
/// When the shapes do not match, a value is not finite, or a covariance is not symmetric.
pub fn frechet_of_statistics(first: (&Tensor, &Tensor), second: (&Tensor, &Tensor)) -> Result<f64> {
    let (first, second) = both(
        || Moments::of_statistics("first statistics", first.0, first.1),
        || Moments::of_statistics("second statistics", second.0, second.1),
    )?;
    if first.mean.len() != second.mean.len() {
        let expected = format!("{} numbers, as the first mean has", first.mean.len());
        return Err(Error::invalid("second mean", format!("{} numbers", second.mean.len()), expected, ""));
    }
    first.distance(&second)
}

/// Mean and covariance of a set.
pub(super) struct Moments {
    mean: Vec<f64>,
    /// The trace of the covariance.
    variance: f64,
    /// A matrix of at most N and at most D rows whose transpose times itself is the covariance.
    root: Mat<f64>,
}

impl Moments {
    pub(super) fn of(features: &Features) -> Result<Moments> {
        Moments::of_rows(features, &(0..features.rows).collect::<Vec<_>>())
    }

    /// Those of some of the rows.
    pub(super) fn of_rows(features: &Features, chosen: &[usize]) -> Result<Moments> {
        let (rows, dims) = (chosen.len(), features.dims);
        if rows < 2 {
            let expected = "at least 2, since a covariance is estimated";
            return Err(Error::invalid(&features.what, "1 picture", expected, ""));
        }
        let mut mean = vec![0.0; dims];
        for row in chosen {
            mean.iter_mut().zip(features.row(*row)).for_each(|(mean, value)| *mean += value);
        }
        mean.iter_mut().for_each(|mean| *mean /= rows as f64);
        let scale = 1.0 / ((rows - 1) as f64).sqrt();
        let centred = Mat::from_fn(rows, dims, |i, d| (features.row(chosen[i])[d] - mean[d]) * scale);
        let variance = centred.squared_norm_l2();
        let root = if rows > dims { centred.qr().thin_R().to_owned() } else { centred };
        Ok(Moments { mean, variance, root })
    }

    fn of_statistics(what: &str, mean: &Tensor, covariance: &Tensor) -> Result<Moments> {
        let dims = mean.elem_count();
        if mean.rank() != 1 || covariance.dims() != [dims, dims] {
            let found = [mean.dims(), covariance.dims()].concat();
            return Err(Error::shape(what, &found, "a mean [D] and a covariance [D, D]"));
        }
        let mean = Features::new(&format!("mean of the {what}"), mean)?.values;
        let values = Features::new(&format!("covariance of the {what}"), covariance)?.values;
        let matrix = MatRef::from_row_major_slice(&values, dims, dims);
        let variance: f64 = (0..dims).map(|i| matrix[(i, i)]).sum();
        let skew = |i: usize, j: usize| (matrix[(i, j)] - matrix[(j, i)]).abs() > 1e-6 * variance.abs();
        if let Some((i, j)) = (0..dims).flat_map(|i| (0..i).map(move |j| (i, j))).find(|&(i, j)| skew(i, j)) {
            let found = format!("{} at ({i}, {j}) and {} at ({j}, {i})", matrix[(i, j)], matrix[(j, i)]);
            return Err(Error::invalid(format!("covariance of the {what}"), found, "a symmetric matrix", ""));
        }
        let root = match matrix.llt(Side::Lower) {
            Ok(factor) => factor.L().transpose().to_owned(),
            Err(_) => eigen_root(matrix)?,
        };
        Ok(Moments { mean, variance, root })
    }

    /// The squared distance; both have the same number of features.
    pub(super) fn distance(&self, other: &Moments) -> Result<f64> {
        let between: f64 = self.mean.iter().zip(&other.mean).map(|(a, b)| (a - b) * (a - b)).sum();
        let shared = sum_of_products_singular_values(self.root.as_ref(), other.root.as_ref());
        let within = self.variance + other.variance - 2.0 * shared;
        if !(between + within).is_finite() {
            let hint = "The features are too large for the squares of their products.";
            return Err(Error::invalid("Fréchet distance", (between + within).to_string(), "a finite number", hint));
        }
        Ok(between + within.max(0.0))
    }
}

/// Λ^½ Qᵀ of a symmetric matrix Q Λ Qᵀ.
fn eigen_root(matrix: MatRef<f64>) -> Result<Mat<f64>> {
    let found = matrix.self_adjoint_eigen(Side::Lower).map_err(|error| {
        Error::invalid("Fréchet distance", format!("{error:?}"), "eigenvalues of the covariance", "")
    })?;
    let (values, vectors) = (found.S().column_vector(), found.U());
    Ok(Mat::from_fn(matrix.nrows(), matrix.ncols(), |i, d| values[i].max(0.0).sqrt() * vectors[(d, i)]))
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

    /// 3 constant pictures 0, ½ and 1: mean ½, covariance ¼ everywhere (pytorch-fid's own test), so that the distance to
    /// the same pictures brightened by 1 is the number of features.
    #[test]
    fn constant_pictures_have_mean_and_covariance_by_hand() {
        let set = Tensor::from_slice(&[0.0, 0.5, 1.0], (3, 1), &Device::Cpu).unwrap().repeat((1, 12)).unwrap();
        let (mean, quarter) = (Tensor::full(0.5, 12, &Device::Cpu), Tensor::full(0.25, (12, 12), &Device::Cpu));
        let (mean, quarter) = (mean.unwrap(), quarter.unwrap());
        let brighter = (&set + 1.0).unwrap();
        assert!((frechet_distance(&set, &brighter).unwrap() - 12.0).abs() < 1e-9);
        let far = (&mean + 1.0).unwrap();
        let found = frechet_of_statistics((&mean, &quarter), (&far, &quarter)).unwrap();
        assert!((found - 12.0).abs() < 1e-6, "{found}");
        let moments = Moments::of(&Features::new("set", &set).unwrap()).unwrap();
        let covariance = moments.root.transpose() * &moments.root;
        assert!(moments.mean.iter().all(|mean| (mean - 0.5).abs() < 1e-15));
        assert!((0..144).all(|i| (covariance[(i / 12, i % 12)] - 0.25).abs() < 1e-12));
    }

    /// Equal unit covariances, means 0 and 1 in 2,048 dimensions: 2,048.
    #[test]
    fn unit_covariances_leave_the_means() {
        let unit = Tensor::eye(2048, DType::F64, &Device::Cpu).unwrap();
        let mean = |value: f64| Tensor::full(value, 2048, &Device::Cpu).unwrap();
        let found = frechet_of_statistics((&mean(0.0), &unit), (&mean(1.0), &unit)).unwrap();
        assert!((found - 2048.0).abs() < 1e-9, "{found}");
    }

    #[test]
    fn statistics_give_the_distance_of_their_sets() {
        let (a, b) = (normal("a", 30, 6), (normal("b", 40, 6) * 2.0).unwrap());
        let statistics = |set: &Tensor| {
            let mean = set.mean(0).unwrap();
            let centred = set.broadcast_sub(&mean).unwrap();
            let scale = 1.0 / (set.dim(0).unwrap() - 1) as f64;
            (mean, (centred.t().unwrap().matmul(&centred).unwrap() * scale).unwrap())
        };
        let ((m1, c1), (m2, c2)) = (statistics(&a), statistics(&b));
        let (found, expected) =
            (frechet_of_statistics((&m1, &c1), (&m2, &c2)).unwrap(), frechet_distance(&a, &b).unwrap());
        assert!((found / expected - 1.0).abs() < 1e-12, "{found}, {expected}, seed 7");
        let skew = c1.broadcast_add(&m1).unwrap();
        assert!(frechet_of_statistics((&m1, &skew), (&m2, &c2)).unwrap_err().to_string().contains("symmetric"));
        assert!(frechet_of_statistics((&m1, &m1), (&m2, &c2)).is_err());
    }

    #[test]
    fn too_few_pictures_are_said() {
        let score = fid(&normal("a", 30, 6), &normal("b", 40, 6)).unwrap();
        assert_eq!((score.n, score.references), (40, Some(30)));
        assert!(score.warnings[0].contains("30 pictures") && score.warnings[0].contains("KID"), "{score}");
        let score = fid(&normal("a", 2048, 3), &normal("b", 2048, 3)).unwrap();
        assert!(score.warnings.is_empty(), "{score}");
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
