//! The first two principal components, by subspace iteration (N. Halko, P. Martinsson and J. Tropp, "Finding Structure
//! with Randomness", SIAM Review 2011): the features' covariance is never formed.
//!
//! Every sum runs in a fixed order, so that the result does not depend on the thread count.

use rayon::prelude::*;

use super::neighbours::Features;
use crate::rng::Seed;

/// Columns of the subspace: the two wanted and enough others to converge quickly.
const WIDTH: usize = 12;
const ROUNDS: usize = 200;
/// Relative change of the variances below which the subspace has converged.
const TOLERANCE: f64 = 1e-10;

type Row = [f64; WIDTH];

/// Each row on the first two principal components. As in scikit-learn, the largest loading of a component is positive.
/// All zeros when all rows are equal.
pub(crate) fn project(features: &Features, seed: Seed) -> Vec<[f64; 2]> {
    let centred = centre(features);
    let dims = features.dims;
    let mut stream = seed.stream("pca");
    let mut basis: Vec<Row> = (0..dims).map(|_| std::array::from_fn(|_| stream.normal())).collect();
    orthonormalise(&mut basis);
    let mut variances = [0.0; 2];
    for _ in 0..ROUNDS {
        let scores = times(&centred, &basis);
        let (values, turn) = eigen(&gram(&scores));
        let found = [values[0], values[1]];
        let settled = (0..2).all(|i| (found[i] - variances[i]).abs() <= TOLERANCE * found[0]);
        variances = found;
        basis = basis.iter().map(|row| rotate(row, &turn)).collect();
        if settled {
            break;
        }
        basis = transposed_times(&centred, &times(&centred, &basis), dims);
        orthonormalise(&mut basis);
    }
    let sign = |c: usize| {
        let largest = basis.iter().map(|row| row[c]).max_by(|a, b| a.abs().total_cmp(&b.abs())).unwrap_or(1.0);
        if largest < 0.0 { -1.0 } else { 1.0 }
    };
    let signs = [sign(0), sign(1)];
    times(&centred, &basis).iter().map(|row| [row[0] * signs[0], row[1] * signs[1]]).collect()
}

fn centre(features: &Features) -> Vec<Vec<f64>> {
    let mut mean = vec![0.0; features.dims];
    for i in 0..features.rows {
        mean.iter_mut().zip(features.row(i)).for_each(|(mean, value)| *mean += value);
    }
    mean.iter_mut().for_each(|mean| *mean /= features.rows as f64);
    let row = |i: usize| features.row(i).iter().zip(&mean).map(|(value, mean)| value - mean).collect();
    (0..features.rows).into_par_iter().map(row).collect()
}

/// X · B.
fn times(rows: &[Vec<f64>], basis: &[Row]) -> Vec<Row> {
    let product = |row: &Vec<f64>| {
        let mut sum = [0.0; WIDTH];
        for (value, basis) in row.iter().zip(basis) {
            sum.iter_mut().zip(basis).for_each(|(sum, b)| *sum += value * b);
        }
        sum
    };
    rows.par_iter().map(product).collect()
}

/// Xᵀ · S.
fn transposed_times(rows: &[Vec<f64>], scores: &[Row], dims: usize) -> Vec<Row> {
    const COLUMNS: usize = 256;
    let mut product = vec![[0.0; WIDTH]; dims];
    product.par_chunks_mut(COLUMNS).enumerate().for_each(|(chunk, product)| {
        for (row, score) in rows.iter().zip(scores) {
            let values = &row[chunk * COLUMNS..chunk * COLUMNS + product.len()];
            for (sum, value) in product.iter_mut().zip(values) {
                sum.iter_mut().zip(score).for_each(|(sum, s)| *sum += value * s);
            }
        }
    });
    product
}

/// Sᵀ · S.
fn gram(scores: &[Row]) -> [Row; WIDTH] {
    let mut gram = [[0.0; WIDTH]; WIDTH];
    for score in scores {
        for (a, line) in gram.iter_mut().enumerate() {
            line.iter_mut().zip(score).for_each(|(sum, s)| *sum += score[a] * s);
        }
    }
    gram
}

/// Modified Gram–Schmidt, twice; directions that are linear combinations of earlier ones become zero.
fn orthonormalise(basis: &mut [Row]) {
    for a in 0..WIDTH {
        let before = basis.iter().map(|row| row[a] * row[a]).sum::<f64>().sqrt();
        for _ in 0..2 {
            for b in 0..a {
                let overlap: f64 = basis.iter().map(|row| row[a] * row[b]).sum();
                basis.iter_mut().for_each(|row| row[a] -= overlap * row[b]);
            }
        }
        let length = basis.iter().map(|row| row[a] * row[a]).sum::<f64>().sqrt();
        let scale = if length > before * 1e-12 && length > 0.0 { 1.0 / length } else { 0.0 };
        basis.iter_mut().for_each(|row| row[a] *= scale);
    }
}

fn rotate(row: &Row, turn: &[Row; WIDTH]) -> Row {
    std::array::from_fn(|c| (0..WIDTH).map(|k| row[k] * turn[k][c]).sum())
}

/// Eigenvalues, largest first, and eigenvectors in columns of a symmetric matrix, by Jacobi rotations.
fn eigen(matrix: &[Row; WIDTH]) -> (Row, [Row; WIDTH]) {
    let mut m = *matrix;
    let mut vectors: [Row; WIDTH] = std::array::from_fn(|i| std::array::from_fn(|j| f64::from(u8::from(i == j))));
    let scale: f64 = (0..WIDTH).map(|i| m[i][i].abs()).sum();
    for _ in 0..60 {
        let off: f64 = (0..WIDTH).flat_map(|i| (0..i).map(move |j| (i, j))).map(|(i, j)| m[i][j].abs()).sum();
        if off <= 1e-15 * scale {
            break;
        }
        for p in 0..WIDTH {
            for q in p + 1..WIDTH {
                if m[p][q] == 0.0 {
                    continue;
                }
                let theta = (m[q][q] - m[p][p]) / (2.0 * m[p][q]);
                let t = theta.signum() / (theta.abs() + (theta * theta + 1.0).sqrt());
                let c = 1.0 / (t * t + 1.0).sqrt();
                let s = t * c;
                for row in &mut m {
                    (row[p], row[q]) = (c * row[p] - s * row[q], s * row[p] + c * row[q]);
                }
                let (upper, lower) = m.split_at_mut(q);
                for (a, b) in upper[p].iter_mut().zip(&mut lower[0]) {
                    (*a, *b) = (c * *a - s * *b, s * *a + c * *b);
                }
                for row in &mut vectors {
                    (row[p], row[q]) = (c * row[p] - s * row[q], s * row[p] + c * row[q]);
                }
            }
        }
    }
    let mut order: [usize; WIDTH] = std::array::from_fn(|i| i);
    order.sort_by(|&a, &b| m[b][b].total_cmp(&m[a][a]));
    (order.map(|i| m[i][i]), vectors.map(|row| order.map(|i| row[i])))
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{Device, Tensor};

    #[test]
    fn components_are_orthogonal_and_hold_the_largest_variances() {
        // Deviations 5, 3 and ten times 1 along rotated axes: variances of the components are those of the axes.
        let mut stream = Seed(2).stream("data");
        let n = 4000;
        let deviation = |axis: usize| [5.0, 3.0].get(axis).copied().unwrap_or(1.0);
        let angle: f64 = 0.7;
        let mut values = Vec::new();
        for _ in 0..n {
            let z: Vec<f64> = (0..12).map(|axis| stream.normal() * deviation(axis)).collect();
            let (a, b) = (z[0] * angle.cos() - z[5] * angle.sin(), z[0] * angle.sin() + z[5] * angle.cos());
            values.extend((0..12).map(|axis| match axis {
                0 => a + 100.0,
                5 => b,
                axis => z[axis],
            }));
        }
        let features = Features::new("x", &Tensor::from_vec(values, (n, 12), &Device::Cpu).unwrap()).unwrap();
        let scores = project(&features, Seed(0));
        let mean = |f: &dyn Fn(&[f64; 2]) -> f64| scores.iter().map(f).sum::<f64>() / n as f64;
        assert!((mean(&|p| p[0] * p[0]).sqrt() - 5.0).abs() < 0.2);
        assert!((mean(&|p| p[1] * p[1]).sqrt() - 3.0).abs() < 0.2);
        assert!(mean(&|p| p[0] * p[1]).abs() < 1e-6 && mean(&|p| p[0]).abs() < 1e-9);
    }

    #[test]
    fn fewer_dimensions_than_the_subspace_are_fine() {
        let features = Features::new("x", &Tensor::new(&[[0f64], [1.0], [3.0]], &Device::Cpu).unwrap()).unwrap();
        let scores = project(&features, Seed(0));
        let expected = [-4.0 / 3.0, -1.0 / 3.0, 5.0 / 3.0];
        assert!(scores.iter().zip(expected).all(|(p, e)| (p[0] - e).abs() < 1e-9 && p[1].abs() < 1e-9), "{scores:?}");
    }
}
