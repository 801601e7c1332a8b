//! The sum of the singular values of a product of matrices.
//!
//! In two stages (B. Großer and B. Lang, "Efficient Parallel Reduction to Bidiagonal Form", Parallel Computing 1999):
//! blocks of reflections leave a band, which are products of matrices; then the band is chased off, row by row. Taking
//! off one column and row after the other, as a singular value decomposition does that also wants vectors, reads the
//! whole matrix for each. Pieces are of fixed size, so that the result does not depend on the number of threads.

use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::householder::{
    apply_block_householder_sequence_transpose_on_the_left_in_place_scratch as apply_scratch,
    apply_block_householder_sequence_transpose_on_the_left_in_place_with_conj as apply_transposed,
};
use faer::linalg::matmul::matmul;
use faer::linalg::qr::no_pivoting::factor::{qr_in_place, qr_in_place_scratch};
use faer::prelude::{Reborrow, ReborrowMut};
use faer::{Accum, Conj, Mat, MatMut, MatRef, Par, Scale};
use rayon::prelude::*;

use crate::ops::level::widest;

/// Diagonals above the main one that the first stage leaves.
const BAND: usize = 32;
/// Columns or rows that one task of the first stage takes.
const PIECE: usize = 256;
/// Singular values that are searched for at once.
const LANES: usize = 16;
/// What stands for 0 where it is divided by; numbers are scaled to 1.
const TINY: f64 = 1e-280;
/// Squares of numbers that rounding errors of the largest one are far above.
const NOTHING: f64 = 1e-60;

/// The sum of the singular values of A·Bᵀ, whose numbers are finite.
pub(super) fn sum_of_products_singular_values(a: MatRef<f64>, b: MatRef<f64>) -> f64 {
    sum_of_singular_values(product(a, b))
}

/// A·Bᵀ.
fn product(a: MatRef<f64>, b: MatRef<f64>) -> Mat<f64> {
    let mut product = Mat::zeros(a.nrows(), b.nrows());
    pieces(product.as_mut()).into_par_iter().enumerate().for_each(|(i, piece)| {
        let rows = b.subrows(i * PIECE, piece.ncols());
        matmul(piece, Accum::Replace, a, rows.transpose(), 1.0, Par::Seq);
    });
    product
}

fn sum_of_singular_values(mut matrix: Mat<f64>) -> f64 {
    if matrix.nrows() < matrix.ncols() {
        matrix = matrix.transpose().to_owned();
    }
    if matrix.nrows() > matrix.ncols() {
        matrix = matrix.qr().thin_R().to_owned();
    }
    let scale = matrix.norm_max();
    if scale == 0.0 {
        return 0.0;
    }
    matrix *= Scale(1.0 / scale);
    to_band(matrix.as_mut());
    let (diagonal, above) = Band::of(matrix.as_ref()).bidiagonal();
    singular_values(&diagonal, &above).iter().sum::<f64>() * scale
}

/// Reflections from both sides, [`BAND`] columns and rows at a time.
fn to_band(mut matrix: MatMut<f64>) {
    let n = matrix.nrows();
    for from in (0..n).step_by(BAND) {
        let to = (from + BAND).min(n);
        let mut rest = matrix.rb_mut().submatrix_mut(from, from, n - from, n - from);
        let mut panel = rest.rb().subcols(0, to - from).to_owned();
        let factor = reflections(panel.as_mut());
        rest.rb_mut().subcols_mut(0, to - from).copy_from(&upper(panel.as_ref()));
        reflect(panel.as_ref(), factor.as_ref(), rest.subcols_mut(to - from, n - to));
        if to == n {
            break;
        }
        let mut rest = matrix.rb_mut().submatrix_mut(from, to, n - from, n - to);
        let mut panel = rest.rb().subrows(0, to - from).transpose().to_owned();
        let factor = reflections(panel.as_mut());
        rest.rb_mut().subrows_mut(0, to - from).copy_from(upper(panel.as_ref()).transpose());
        reflect(panel.as_ref(), factor.as_ref(), rest.subrows_mut(to - from, n - to).transpose_mut());
    }
}

/// QR decomposition in place; the factor of the block of reflections.
fn reflections(panel: MatMut<f64>) -> Mat<f64> {
    let (rows, columns) = (panel.nrows(), panel.ncols());
    let size = rows.min(columns);
    let mut factor = Mat::zeros(size, size);
    let mut memory = MemBuffer::new(qr_in_place_scratch::<f64>(rows, columns, size, Par::Seq, Default::default()));
    qr_in_place(panel, factor.as_mut(), Par::Seq, MemStack::new(&mut memory), Default::default());
    factor
}

fn upper(panel: MatRef<f64>) -> Mat<f64> {
    Mat::from_fn(panel.nrows(), panel.ncols(), |i, j| if i <= j { panel[(i, j)] } else { 0.0 })
}

/// Qᵀ · matrix.
fn reflect(basis: MatRef<f64>, factor: MatRef<f64>, matrix: MatMut<f64>) {
    let basis = basis.subcols(0, factor.ncols());
    pieces(matrix).into_par_iter().for_each(|piece| {
        let mut memory = MemBuffer::new(apply_scratch::<f64>(basis.nrows(), factor.nrows(), piece.ncols()));
        apply_transposed(basis, factor, Conj::No, piece, Par::Seq, MemStack::new(&mut memory));
    });
}

/// [`PIECE`] columns each.
fn pieces(mut matrix: MatMut<f64>) -> Vec<MatMut<f64>> {
    let mut pieces = Vec::new();
    while matrix.ncols() > 0 {
        let width = PIECE.min(matrix.ncols());
        let (piece, rest) = matrix.split_at_col_mut(width);
        pieces.push(piece);
        matrix = rest;
    }
    pieces
}

/// Rows of a matrix with [`BAND`] diagonals above the main one, and room for what chasing adds: from BAND below the main
/// diagonal to 2·BAND above it.
struct Band {
    size: usize,
    values: Vec<f64>,
}

const ROOM: usize = 3 * BAND;

impl Band {
    fn of(matrix: MatRef<f64>) -> Band {
        let size = matrix.nrows();
        let mut band = Band { size, values: vec![0.0; size * ROOM] };
        for i in 0..size {
            for j in i..(i + BAND + 1).min(size) {
                band.values[i * ROOM + j + BAND - i] = matrix[(i, j)];
            }
        }
        band
    }

    /// Columns `from..to` of row `i`.
    fn row(&mut self, i: usize, from: usize, to: usize) -> &mut [f64] {
        &mut self.values[i * ROOM + from + BAND - i..i * ROOM + to + BAND - i]
    }

    /// Takes all but one diagonal above the main one off; returns both.
    fn bidiagonal(mut self) -> (Vec<f64>, Vec<f64>) {
        let n = self.size;
        for row in 0..n - 1 {
            let mut from = row + 1;
            self.shorten_row(row, from, (from + BAND).min(n));
            while from < n {
                let to = (from + BAND).min(n);
                self.shorten_column(from, to);
                self.shorten_row(from, to, (to + BAND).min(n));
                from = to;
            }
        }
        let at = |i: usize, above: usize| self.values[i * ROOM + BAND + above];
        ((0..n).map(|i| at(i, 0)).collect(), (0..n - 1).map(|i| at(i, 1)).collect())
    }

    /// A reflection of columns `from..to` that leaves only the first of them in `row`; further rows down to `to` follow.
    fn shorten_row(&mut self, row: usize, from: usize, to: usize) {
        if to < from + 2 {
            return;
        }
        let mut reflection = [0.0; BAND];
        let reflection = &mut reflection[..to - from];
        reflection.copy_from_slice(self.row(row, from, to));
        let (first, factor) = reflector(reflection);
        let line = self.row(row, from, to);
        line.fill(0.0);
        line[0] = first;
        for i in row + 1..to {
            let line = self.row(i, from, to);
            let sum: f64 = factor * dot(line, reflection);
            line.iter_mut().zip(&*reflection).for_each(|(value, r)| *value -= sum * r);
        }
    }

    /// A reflection of rows `from..to` that leaves only the first of them in column `from`; further columns follow.
    fn shorten_column(&mut self, from: usize, to: usize) {
        if to < from + 2 {
            return;
        }
        let mut reflection = [0.0; BAND];
        let reflection = &mut reflection[..to - from];
        for (value, i) in reflection.iter_mut().zip(from..to) {
            *value = self.row(i, from, from + 1)[0];
        }
        let (first, factor) = reflector(reflection);
        let end = (to + BAND).min(self.size);
        let mut sums = [0.0; 2 * BAND];
        let sums = &mut sums[..end - from];
        sums.fill(0.0);
        for (r, i) in reflection.iter().zip(from..to) {
            sums.iter_mut().zip(self.row(i, from, end)).for_each(|(sum, value)| *sum += factor * r * *value);
        }
        for (r, i) in reflection.iter().zip(from..to) {
            self.row(i, from, end).iter_mut().zip(&*sums).for_each(|(value, sum)| *value -= r * sum);
            self.row(i, from, from + 1)[0] = 0.0;
        }
        self.row(from, from, from + 1)[0] = first;
    }
}

/// Turns numbers x into a reflection 1 − factor·v·vᵀ of x to its first axis; that first number, and the factor. Where next
/// to nothing but the first number is there, the factor is 0: squares would be too small for their reciprocals.
fn reflector(x: &mut [f64]) -> (f64, f64) {
    let rest: f64 = x[1..].iter().map(|x| x * x).sum();
    if rest < NOTHING {
        return (x[0], 0.0);
    }
    let length = -(x[0] * x[0] + rest).sqrt().copysign(x[0]);
    let lead = x[0] - length;
    x[0] = lead;
    (length, 2.0 / (lead * lead + rest))
}

/// In eight sums, which a vector holds.
#[inline(always)]
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut sums = [0.0; 8];
    let (a, b) = (a.chunks(8), b.chunks(8));
    for (a, b) in a.zip(b) {
        sums.iter_mut().zip(a).zip(b).for_each(|((sum, a), b)| *sum += a * b);
    }
    sums.iter().sum()
}

/// Those of a matrix with these two diagonals, in order, by bisection: the eigenvalues of the symmetric matrix with
/// zeros on its diagonal and d₀, e₀, d₁, e₁… beside it are ± the singular values (G. Golub and W. Kahan 1965), and the
/// signs in its elimination count those below a number. Exact to the rounding error of the largest.
fn singular_values(diagonal: &[f64], above: &[f64]) -> Vec<f64> {
    let n = diagonal.len();
    let beside: Vec<f64> = (0..2 * n - 1).map(|i| if i % 2 == 0 { diagonal[i / 2] } else { above[i / 2] }).collect();
    let bound = beside.windows(2).map(|pair| pair[0].abs() + pair[1].abs()).fold(beside[0].abs(), f64::max);
    let squares: Vec<f64> = beside.iter().map(|x| x * x).collect();
    let search = |first: usize| {
        let (mut low, mut high) = ([0.0; LANES], [bound; LANES]);
        for _ in 0..f64::MANTISSA_DIGITS {
            let middle: [f64; LANES] = std::array::from_fn(|lane| (low[lane] + high[lane]) / 2.0);
            let below = widest(|| below(&middle, &squares));
            for (lane, middle) in middle.into_iter().enumerate() {
                // As many eigenvalues are the negative ones.
                let side = if below[lane] > (n + first + lane) as f64 { &mut high } else { &mut low };
                side[lane] = middle;
            }
        }
        low
    };
    let groups: Vec<[f64; LANES]> = (0..n).into_par_iter().step_by(LANES).map(search).collect();
    let mut values = groups.concat();
    values.truncate(n);
    values
}

/// How many eigenvalues of the symmetric matrix with zeros on its diagonal and roots of `squares` beside it lie below
/// each of these numbers.
#[inline(always)]
fn below(shifts: &[f64; LANES], squares: &[f64]) -> [f64; LANES] {
    // A pivot of 0 counts as a negative one that is next to nothing.
    let away = |pivot: f64| if pivot.abs() < TINY { -TINY } else { pivot };
    let sign = |pivot: f64| if pivot < 0.0 { 1.0 } else { 0.0 };
    let mut pivots = shifts.map(|shift| away(-shift));
    let mut counts = pivots.map(sign);
    for square in squares {
        for lane in 0..LANES {
            pivots[lane] = away(-shifts[lane] - square / pivots[lane]);
            counts[lane] += sign(pivots[lane]);
        }
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Seed;

    /// Columns fade, so that most singular values are small beside the largest.
    fn drawn(name: &str, rows: usize, columns: usize) -> Mat<f64> {
        let mut stream = Seed(4).stream(name);
        let fade = |j: usize| (-20.0 * j as f64 / columns as f64).exp();
        Mat::from_fn(rows, columns, |_, j| stream.normal() * fade(j))
    }

    #[test]
    fn the_sum_is_that_of_a_decomposition() {
        for (rows, others, columns) in
            [(1, 1, 1), (2, 2, 2), (5, 3, 4), (33, 33, 33), (64, 64, 10), (40, 97, 200), (300, 300, 300)]
        {
            let (a, b) = (drawn("a", rows, columns), drawn("b", others, columns));
            let expected: f64 = (&a * b.transpose()).singular_values().unwrap().iter().sum();
            let found = sum_of_products_singular_values(a.as_ref(), b.as_ref());
            assert!((found / expected - 1.0).abs() < 1e-12, "{rows}, {others}, {columns}: {found}, {expected}, seed 4");
        }
    }

    #[test]
    fn zeros_ones_and_diagonals_by_hand() {
        let sum = |matrix: &Mat<f64>| sum_of_singular_values(matrix.clone());
        assert_eq!(sum(&Mat::zeros(70, 70)), 0.0);
        for (rows, columns) in [(70, 50), (33, 33), (40, 40), (64, 64)] {
            let ones = Mat::from_fn(rows, columns, |_, _| 1.0);
            let expected = ((rows * columns) as f64).sqrt();
            assert!((sum(&ones) - expected).abs() < 1e-11, "{rows}, {columns}: {}", sum(&ones));
        }
        let diagonal = Mat::from_fn(100, 100, |i, j| if i == j { i as f64 * (-1f64).powi(i as i32) } else { 0.0 });
        assert!((sum(&diagonal) - 4950.0).abs() < 1e-9, "{}", sum(&diagonal));
    }
}
