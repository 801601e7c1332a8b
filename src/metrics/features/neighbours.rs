//! Nearest images of a data set: is a sample new, or a copy of a training image?
//!
//! Distances are Euclidean (L2) on whatever features are given: pixels, or a network's.

use std::sync::OnceLock;

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
    /// For the products of rows that are long enough: the rounding errors are looked at again.
    narrow: OnceLock<Tensor>,
}

/// References whose products with a block of queries are made at once.
const REFERENCES: usize = 4096;
/// Numbers per row from which on products in f32 save more than measuring near pairs again costs.
const LONG: usize = 64;
/// Rows whose squares are larger than this are left to f64.
const FAR: f64 = 1e30;

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
        Ok(Features { what: what.to_string(), rows, dims, values, squares, narrow: OnceLock::new() })
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
        // Eight sums, which a vector holds; always the same ones.
        let (mine, theirs) = (self.row(i).chunks(8), others.row(j).chunks(8));
        let mut sums = [0.0; 8];
        for (a, b) in mine.zip(theirs) {
            sums.iter_mut().zip(a).zip(b).for_each(|((sum, a), b)| *sum += (a - b) * (a - b));
        }
        sums.iter().sum::<f64>().sqrt()
    }

    /// Squared distances of the rows `from..to` to all rows of `others`, from |a|² + |b|² − 2ab: fast, and off by at most
    /// [`Features::slack`]. One row of the result per query.
    pub(crate) fn squared_distances(&self, from: usize, to: usize, others: &Features) -> Result<Vec<f64>> {
        let mut all = vec![0.0; (to - from) * others.rows];
        for start in (0..others.rows).step_by(REFERENCES) {
            let end = (start + REFERENCES).min(others.rows);
            let mut put = |products: &[f64]| {
                let lines = all.par_chunks_mut(others.rows).zip(products.par_chunks(end - start)).enumerate();
                lines.for_each(|(q, (line, products))| {
                    let squares = others.squares[start..end].iter().zip(products);
                    for (squared, (square, product)) in line[start..end].iter_mut().zip(squares) {
                        *squared = (self.squares[from + q] + square - 2.0 * product).max(0.0);
                    }
                });
            };
            if self.narrow_beside(others) {
                let [queries, references] = [self.narrow(from, to)?, others.narrow(start, end)?];
                let products: Vec<f32> = queries.matmul(&references.t()?)?.flatten_all()?.to_vec1()?;
                put(&products.into_par_iter().map(f64::from).collect::<Vec<f64>>());
            } else {
                let [queries, references] = [self.wide(from, to)?, others.wide(start, end)?];
                put(&queries.matmul(&references.t()?)?.flatten_all()?.to_vec1::<f64>()?);
            }
        }
        Ok(all)
    }

    fn wide(&self, from: usize, to: usize) -> Result<Tensor> {
        let values = &self.values[from * self.dims..to * self.dims];
        Ok(Tensor::from_slice(values, (to - from, self.dims), &Device::Cpu)?)
    }

    fn narrow(&self, from: usize, to: usize) -> Result<Tensor> {
        let all = match self.narrow.get() {
            Some(all) => all,
            None => {
                let values: Vec<f32> = self.values.par_iter().map(|value| *value as f32).collect();
                let all = Tensor::from_vec(values, (self.rows, self.dims), &Device::Cpu)?;
                self.narrow.get_or_init(|| all)
            }
        };
        Ok(all.narrow(0, from, to - from)?)
    }

    /// Whether products with rows of `others` are made in f32.
    fn narrow_beside(&self, others: &Features) -> bool {
        self.dims >= LONG && self.largest_square().max(others.largest_square()) < FAR
    }

    fn largest_square(&self) -> f64 {
        self.squares.iter().copied().fold(0.0, f64::max)
    }

    /// Bound on the rounding error of [`Features::squared_distances`].
    pub(crate) fn slack(&self, others: &Features) -> f64 {
        let epsilon = if self.narrow_beside(others) { f64::from(f32::EPSILON) } else { f64::EPSILON };
        // Each sum of D products of rounded numbers is off by at most (D + 2) ε/2 |a||b|, and by no more than the smallest
        // numbers where these are too small for their type.
        2.0 * (self.dims + 4) as f64 * (epsilon * (self.largest_square() + others.largest_square()) + 1e-37)
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
        let mut draw = |rows| stream.normal_tensor(&[rows, 17], &Device::Cpu).unwrap();
        check(&draw(300), &draw(5000));
    }

    /// So near each other, and so far from 0, that products in f32 alone would mix them up.
    #[test]
    fn long_rows_have_the_same_neighbours() {
        let mut stream = Seed(5).stream("features");
        let mut draw =
            |rows| ((stream.normal_tensor(&[rows, 100], &Device::Cpu).unwrap() * 1e-4).unwrap() + 1.0).unwrap();
        check(&draw(300), &draw(5000));
    }

    fn check(queries: &Tensor, references: &Tensor) {
        let found = nearest(queries, references, 4).unwrap();
        let (q, r) = (queries.to_vec2::<f32>().unwrap(), references.to_vec2::<f32>().unwrap());
        for i in [0, 255, 256, 299] {
            let distance = |r: &Vec<f32>| {
                q[i].iter().zip(r).map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum::<f64>().sqrt()
            };
            let mut all: Vec<_> = r.iter().map(distance).enumerate().collect();
            all.sort_by(|a, b| a.1.total_cmp(&b.1));
            let indices: Vec<usize> = found[i].iter().map(|neighbour| neighbour.index).collect();
            assert_eq!(indices, all[..4].iter().map(|(index, _)| *index).collect::<Vec<_>>(), "query {i}");
            let apart = |(found, (_, distance)): (&Neighbour, &(usize, f64))| (found.distance / distance - 1.0).abs();
            assert!(found[i].iter().zip(&all).map(apart).all(|apart| apart < 1e-14), "query {i}: {:?}", found[i]);
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
