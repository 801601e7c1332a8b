//! Nearest images of a data set: is a sample new, or a copy of a training image?
//!
//! Distances are Euclidean (L2) on whatever features are given: pixels, or a network's.

use candle_core::{DType, Device, Tensor};
use rayon::prelude::*;

use crate::{Error, Result};

/// Queries that are compared at once with all references: bounds the memory to 256 distances per reference.
pub(crate) const BLOCK: usize = 256;

/// One of the nearest images.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Neighbour {
    /// Its row in the reference features.
    pub index: usize,
    /// Euclidean distance in feature space.
    pub distance: f64,
}

/// The `k` nearest rows of `references` for every row of `queries`, nearest first, equal distances by index. Exact.
///
/// Both are `[N, D]`; further axes (`[N, 3, H, W]` pixels) count as features.
///
/// # Errors
/// When the feature sizes differ, a value is not finite, or there are fewer than `k` references.
pub fn nearest(queries: &Tensor, references: &Tensor, k: usize) -> Result<Vec<Vec<Neighbour>>> {
    let (queries, references) = (Features::new("queries", queries)?, Features::new("references", references)?);
    queries.same_dims(&references)?;
    search(&queries, &references, k, false)
}

/// The `k` nearest other rows for every row.
pub(crate) fn nearest_others(features: &Features, k: usize) -> Result<Vec<Vec<Neighbour>>> {
    search(features, features, k, true)
}

/// Checked rows of numbers.
pub(crate) struct Features {
    /// What they are called in errors.
    pub what: String,
    pub rows: usize,
    pub dims: usize,
    pub values: Vec<f64>,
    squares: Vec<f64>,
}

impl Features {
    /// Reads `[N, ...]`; `what` names it in errors.
    pub(crate) fn new(what: &str, features: &Tensor) -> Result<Self> {
        let &[rows, ref rest @ ..] = features.dims() else {
            return Err(Error::shape(what, features.dims(), "[N, D] or [N, ...]"));
        };
        let dims: usize = rest.iter().product();
        if rows * dims == 0 {
            return Err(Error::shape(what, features.dims(), "at least one row of at least one number"));
        }
        let values: Vec<f64> = features.to_device(&Device::Cpu)?.to_dtype(DType::F64)?.flatten_all()?.to_vec1()?;
        if let Some(bad) = values.iter().position(|value| !value.is_finite()) {
            return Err(Error::invalid(what, format!("{} in row {}", values[bad], bad / dims), "finite numbers", ""));
        }
        let squares = values.par_chunks(dims).map(|row| row.iter().map(|v| v * v).sum()).collect();
        Ok(Features { what: what.to_string(), rows, dims, values, squares })
    }

    /// Refuses features that cannot be compared with `others`.
    pub(crate) fn same_dims(&self, others: &Features) -> Result<()> {
        if self.dims == others.dims {
            return Ok(());
        }
        let expected = format!("{} numbers, as the {} have", others.dims, others.what);
        Err(Error::invalid(format!("{} per row", self.what), format!("{} numbers", self.dims), expected, ""))
    }

    pub(crate) fn row(&self, i: usize) -> &[f64] {
        &self.values[i * self.dims..(i + 1) * self.dims]
    }

    /// Euclidean distance of row `i` to row `j` of `others`.
    pub(crate) fn distance(&self, i: usize, others: &Features, j: usize) -> f64 {
        let pairs = self.row(i).iter().zip(others.row(j));
        pairs.map(|(a, b)| (a - b) * (a - b)).sum::<f64>().sqrt()
    }

    /// Squared distances of the rows `from..to` to all rows of `others`, from |a|² + |b|² − 2ab: fast, and off by at most
    /// [`Features::slack`]. One row of the result per query.
    pub(crate) fn squared_distances(&self, from: usize, to: usize, others: &Features) -> Result<Vec<f64>> {
        let tensor = |values: &[f64]| Tensor::from_slice(values, (values.len() / self.dims, self.dims), &Device::Cpu);
        let queries = tensor(&self.values[from * self.dims..to * self.dims])?;
        let mut all = vec![0.0; (to - from) * others.rows];
        for (chunk, values) in others.values.chunks(4096 * self.dims).enumerate() {
            let products: Vec<f64> = queries.matmul(&tensor(values)?.t()?)?.flatten_all()?.to_vec1()?;
            let width = values.len() / self.dims;
            for (q, products) in products.chunks(width).enumerate() {
                for (i, product) in products.iter().enumerate() {
                    let r = chunk * 4096 + i;
                    let squared = self.squares[from + q] + others.squares[r] - 2.0 * product;
                    all[q * others.rows + r] = squared.max(0.0);
                }
            }
        }
        Ok(all)
    }

    /// Bound on the rounding error of [`Features::squared_distances`].
    pub(crate) fn slack(&self, others: &Features) -> f64 {
        let largest = |squares: &[f64]| squares.iter().copied().fold(0.0, f64::max);
        // Each sum of D products is off by at most D ε |a||b|.
        4.0 * (self.dims + 4) as f64 * f64::EPSILON * (largest(&self.squares) + largest(&others.squares))
    }
}

fn search(queries: &Features, references: &Features, k: usize, others_only: bool) -> Result<Vec<Vec<Neighbour>>> {
    let available = references.rows - usize::from(others_only);
    if k == 0 || k > available {
        return Err(Error::invalid("number of neighbours", k.to_string(), format!("1 to {available}, the images"), ""));
    }
    let slack = queries.slack(references);
    let mut found = Vec::with_capacity(queries.rows);
    for from in (0..queries.rows).step_by(BLOCK) {
        let to = (from + BLOCK).min(queries.rows);
        let block = queries.squared_distances(from, to, references)?;
        found.par_extend(block.par_chunks(references.rows).enumerate().map(|(q, near)| {
            let query = from + q;
            let allowed = |&r: &usize| !(others_only && r == query);
            let mut sorted: Vec<f64> = (0..references.rows).filter(allowed).map(|r| near[r]).collect();
            let (_, kth, _) = sorted.select_nth_unstable_by(k - 1, f64::total_cmp);
            // Whatever rounding could have kept out of the k nearest is measured again, exactly.
            let reach = *kth + 2.0 * slack;
            let exact = |index: usize| Neighbour { index, distance: queries.distance(query, references, index) };
            let mut close: Vec<Neighbour> =
                (0..references.rows).filter(|r| allowed(r) && near[*r] <= reach).map(exact).collect();
            close.sort_by(|a, b| a.distance.total_cmp(&b.distance).then(a.index.cmp(&b.index)));
            close.truncate(k);
            close
        }));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Seed;

    #[test]
    fn neighbours_are_those_of_the_plain_definition() {
        let mut stream = Seed(4).stream("features");
        let queries = stream.normal_tensor(&[300, 17], &Device::Cpu).unwrap();
        let references = stream.normal_tensor(&[5000, 17], &Device::Cpu).unwrap();
        let found = nearest(&queries, &references, 4).unwrap();
        let (q, r) = (queries.to_vec2::<f32>().unwrap(), references.to_vec2::<f32>().unwrap());
        for i in [0, 255, 256, 299] {
            let distance = |r: &Vec<f32>| {
                q[i].iter().zip(r).map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum::<f64>().sqrt()
            };
            let mut all: Vec<_> = r.iter().map(distance).enumerate().collect();
            all.sort_by(|a, b| a.1.total_cmp(&b.1));
            let expected: Vec<_> = all[..4].iter().map(|&(index, distance)| Neighbour { index, distance }).collect();
            assert_eq!(found[i], expected, "query {i}");
        }
    }

    #[test]
    fn equal_images_come_in_order_and_at_distance_0() {
        let row = Seed(1).stream("row").normals(40);
        let references = Tensor::from_vec(row.repeat(9), (9, 40), &Device::Cpu).unwrap();
        let query = Tensor::from_vec(row, (1, 40), &Device::Cpu).unwrap();
        let found = nearest(&query, &references, 9).unwrap();
        let expected: Vec<_> = (0..9).map(|index| Neighbour { index, distance: 0.0 }).collect();
        assert_eq!(found, [expected]);
    }

    #[test]
    fn unusable_features_are_named() {
        let ones = |shape: &[usize]| Tensor::ones(shape, DType::F32, &Device::Cpu).unwrap();
        let error = |q: &Tensor, r: &Tensor, k| nearest(q, r, k).unwrap_err().to_string();
        assert!(error(&ones(&[2, 3]), &ones(&[2, 4]), 1).contains("4 numbers, as the references have"));
        assert!(error(&ones(&[2, 3]), &ones(&[2, 3]), 3).contains("1 to 2"));
        let bad = Tensor::new(&[[0f32, 1.0], [f32::NAN, 0.0]], &Device::Cpu).unwrap();
        assert!(error(&ones(&[1, 2]), &bad, 1).contains("NaN in row 1"));
    }
}
