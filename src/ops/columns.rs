//! Matrices `[N, C]` by their columns. A column alone would touch one cache line per number, often lines that displace
//! each other; so columns are worked on in bands, row by row, and what is done to a band finds it in the cache.

use std::array;
use std::mem::MaybeUninit;

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::kernel::{CHUNK, Real, Shared, filled};
use super::level::run;

/// Columns of one task.
pub(super) const BAND: usize = 256;

/// One number of every column of a band; those behind its end mean nothing.
pub(super) type Line<T> = [T; BAND];

/// Columns that lie side by side.
#[derive(Clone, Copy)]
pub(super) struct Band {
    /// Columns of the matrix.
    columns: usize,
    first: usize,
    len: usize,
}

/// What f makes of the bands of a matrix of so many numbers, in order.
pub(super) fn bands<R: Send>(numbers: usize, columns: usize, f: impl Fn(Band) -> R + Sync) -> Vec<R> {
    let band = |i: usize| Band { columns, first: i * BAND, len: BAND.min(columns - i * BAND) };
    let rows = numbers / columns.max(1);
    let bands = (0..columns.div_ceil(BAND)).into_par_iter().with_min_len(CHUNK.div_ceil(rows.max(1) * BAND));
    bands.map(|i| f(band(i))).collect()
}

/// A matrix of so many numbers whose bands f writes, and what f returns of each, in order.
///
/// # Safety
/// f must write all of its band.
pub(super) unsafe fn filled_by_band<T: Real, R: Send>(
    numbers: usize,
    columns: usize,
    f: impl Fn(Band, Shared<MaybeUninit<T>>) -> R + Sync,
) -> (Vec<T>, Vec<R>) {
    let mut found = Vec::new();
    // SAFETY: the bands cover the matrix.
    let values = unsafe {
        filled(numbers, |out| {
            let out = Shared::new(out.as_mut_ptr());
            found = bands(numbers, columns, |band| f(band, out));
        })
    };
    (values, found)
}

/// Σ over rows of f(number of x, number of y) in double precision, for every column.
pub(super) fn sums<T: Real>(x: &[T], y: &[T], columns: usize, f: impl Fn(f64, f64) -> f64 + Copy + Sync) -> Vec<T> {
    let of = |band: Band| {
        let [totals] = band.totals(x, y, &[0.0; BAND], move |x, y, _| [f(x, y)]);
        band.of(&totals).iter().map(|&total| T::of(total)).collect::<Vec<T>>()
    };
    bands(x.len(), columns, of).concat()
}

/// f(number, its column's number of each of the lines) for all numbers.
pub(super) fn map<T: Real, const L: usize>(
    x: &[T],
    lines: [&[T]; L],
    f: impl Fn(T, [T; L]) -> T + Copy + Sync,
) -> Vec<T> {
    let columns = lines.first().map_or(1, |line| line.len());
    let of = |band: Band, out| {
        let lines = lines.map(|line| band.line(line));
        // SAFETY: bands are disjoint and lie inside the matrix.
        unsafe { band.write(x, x, &lines, move |x, _, line| f(x, line), out) };
    };
    // SAFETY: all of a band is written.
    unsafe { filled_by_band(x.len(), columns, of).0 }
}

impl Band {
    /// The band's part of a row.
    fn row<A>(self, x: &[A], row: usize) -> &[A] {
        &x[row * self.columns + self.first..][..self.len]
    }

    /// The band's part of numbers of which there is one per column.
    pub(super) fn part<A>(self, all: &[A]) -> &[A] {
        &all[self.first..self.first + self.len]
    }

    /// Those of a line's numbers that mean something.
    pub(super) fn of<A>(self, line: &Line<A>) -> &[A] {
        &line[..self.len]
    }

    /// [`Band::part`] as a line.
    pub(super) fn line<T: Real>(self, all: &[T]) -> Line<T> {
        let mut line = [T::ZERO; BAND];
        line[..self.len].copy_from_slice(self.part(all));
        line
    }

    /// Σ over rows of f(number of x, number of t, centre of the column) in double precision, for every column.
    pub(super) fn totals<T: Real, const N: usize>(
        self,
        x: &[T],
        t: &[T],
        centres: &Line<f64>,
        f: impl Fn(f64, f64, f64) -> [f64; N] + Copy,
    ) -> [Line<f64>; N] {
        run(Totals { band: self, x, t, centres, f })
    }

    /// Writes f(number of x, number of t, the column's number of each line) for all numbers of the band.
    ///
    /// # Safety
    /// `out` must point to a matrix as large as x, of whose band nobody else makes use.
    pub(super) unsafe fn write<T: Real, const L: usize>(
        self,
        x: &[T],
        t: &[T],
        lines: &[Line<T>; L],
        f: impl Fn(T, T, [T; L]) -> T + Copy,
        out: Shared<MaybeUninit<T>>,
    ) {
        run(Write { band: self, x, t, lines, f, out });
    }
}

/// [`Band::totals`]
struct Totals<'a, T, F> {
    band: Band,
    x: &'a [T],
    t: &'a [T],
    centres: &'a Line<f64>,
    f: F,
}

impl<T: Real, F: Fn(f64, f64, f64) -> [f64; N], const N: usize> WithSimd for Totals<'_, T, F> {
    type Output = [Line<f64>; N];

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> [Line<f64>; N] {
        let Totals { band, x, t, centres, f } = self;
        let mut totals = [[0.0; BAND]; N];
        for row in 0..x.len() / band.columns {
            let (x, t) = (band.row(x, row), band.row(t, row));
            for i in 0..x.len().min(BAND) {
                // SAFETY: rows of a band have one length. With tests in the loop the last columns are added one by one.
                let terms = unsafe { f(x[i].wide(), t.get_unchecked(i).wide(), *centres.get_unchecked(i)) };
                for term in 0..N {
                    totals[term][i] += terms[term];
                }
            }
        }
        totals
    }
}

/// [`Band::write`]
struct Write<'a, T, F, const L: usize> {
    band: Band,
    x: &'a [T],
    t: &'a [T],
    lines: &'a [Line<T>; L],
    f: F,
    out: Shared<MaybeUninit<T>>,
}

impl<T: Real, F: Fn(T, T, [T; L]) -> T, const L: usize> WithSimd for Write<'_, T, F, L> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Write { band, x, t, lines, f, out } = self;
        for row in 0..x.len() / band.columns {
            let (x, t) = (band.row(x, row), band.row(t, row));
            // SAFETY: whoever calls `Band::write` promises that the band is in there and nobody else's.
            let out =
                unsafe { std::slice::from_raw_parts_mut(out.get().add(row * band.columns + band.first), band.len) };
            for (i, out) in out.iter_mut().enumerate() {
                // SAFETY: rows of a band have one length, that of a line at most.
                out.write(unsafe {
                    let line = array::from_fn(|line| *lines[line].get_unchecked(i));
                    f(*x.get_unchecked(i), *t.get_unchecked(i), line)
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bands_cover_every_column() {
        const ROWS: usize = 3;
        for columns in [1, BAND - 1, BAND, 2 * BAND + 7] {
            let x: Vec<f32> = (0..ROWS * columns).map(|i| (i % 97) as f32).collect();
            let line: Vec<f32> = (0..columns).map(|i| (i % 5) as f32).collect();
            let squares = sums(&x, &x, columns, |x, y| x * y);
            let shifted = map(&x, [&line, &line], |x, [a, b]| x * a - b);
            for column in 0..columns {
                let numbers = || x.iter().skip(column).step_by(columns);
                assert_eq!(squares[column], numbers().map(|x| x * x).sum::<f32>(), "column {column} of {columns}");
                let a = line[column];
                let found = shifted.iter().skip(column).step_by(columns);
                assert!(found.zip(numbers()).all(|(&y, &x)| y == x * a - a), "column {column} of {columns}");
            }
        }
        assert!(sums::<f32>(&[], &[], 0, |x, _| x).is_empty());
    }
}
