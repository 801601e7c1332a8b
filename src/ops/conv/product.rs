//! The matrix product at the heart of a convolution: a register file full of sums at a time.
//!
//! Rows of the left operand lie anywhere and are read number by number, rows of the right operand are read vector by
//! vector; nothing is copied or packed for it. The order of the sums depends on the operands' sizes only.

use pulp::{Simd, WithSimd};

use crate::ops::kernel::Real;
use crate::ops::vector::{lanes, load, store};

/// Vectors of a panel's row: with 8 rows of them the sums fill three quarters of the registers of AVX-512.
pub(super) const VECTORS: usize = 3;

/// Terms of one pass over the sums: so many rows of a panel stay in the first-level cache.
pub(super) const TERMS: usize = 128;

/// out[i, j] (+)= Σ over runs (p, q) and k < terms of left[rows[i] + p + k·left_step] · right[q + k·right_step + j],
/// for all rows and `vectors` vectors of columns.
pub(super) struct Product<'a, T> {
    pub(super) left: *const T,
    pub(super) rows: &'a [usize],
    pub(super) left_step: usize,
    pub(super) right: *const T,
    pub(super) right_step: usize,
    pub(super) runs: &'a [[usize; 2]],
    pub(super) terms: usize,
    pub(super) vectors: usize,
    pub(super) out: *mut T,
    /// Distance of two rows of the result.
    pub(super) out_step: usize,
    /// Whether to add to what is there.
    pub(super) accumulate: bool,
}

impl<T: Real> WithSimd for Product<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        // 32 registers take 8 rows of 3 vectors, 16 take 4.
        if size_of::<T::Vector<S>>() == 64 && self.rows.len() > 4 {
            self.rows_of::<S, 8>(simd);
        } else {
            self.rows_of::<S, 4>(simd);
        }
    }
}

impl<T: Real> Product<'_, T> {
    #[inline(always)]
    fn rows_of<S: Simd, const ROWS: usize>(&self, simd: S) {
        for first in (0..self.rows.len()).step_by(ROWS) {
            match self.vectors {
                1 => self.block::<S, ROWS, 1>(simd, first),
                2 => self.block::<S, ROWS, 2>(simd, first),
                _ => self.block::<S, ROWS, VECTORS>(simd, first),
            }
        }
    }

    /// `ROWS` rows from `first` on. Where there are fewer, the last one is computed several times.
    #[inline(always)]
    fn block<S: Simd, const ROWS: usize, const N: usize>(&self, simd: S, first: usize) {
        let row = |i: usize| (first + i).min(self.rows.len() - 1);
        let lanes = lanes::<T, S>();
        let mut sums = [[T::splat(simd, T::ZERO); N]; ROWS];
        // SAFETY: whoever makes a product promises that what it describes lies in valid memory.
        unsafe {
            let out: [*mut T; ROWS] = std::array::from_fn(|i| self.out.add(row(i) * self.out_step));
            if self.accumulate {
                for (sums, out) in sums.iter_mut().zip(out) {
                    for (j, sum) in sums.iter_mut().enumerate() {
                        *sum = load::<T, S>(out.add(j * lanes));
                    }
                }
            }
            let left: [*const T; ROWS] = std::array::from_fn(|i| self.left.add(self.rows[row(i)]));
            for &[p, q] in self.runs {
                let left = left.map(|row| row.add(p));
                let mut right = self.right.add(q);
                let mut at = 0;
                for _ in 0..self.terms {
                    let columns: [T::Vector<S>; N] = std::array::from_fn(|j| load::<T, S>(right.add(j * lanes)));
                    for i in 0..ROWS {
                        let number = T::splat(simd, *left[i].add(at));
                        for j in 0..N {
                            sums[i][j] = T::multiply_add(simd, number, columns[j], sums[i][j]);
                        }
                    }
                    at += self.left_step;
                    right = right.add(self.right_step);
                }
            }
            for (sums, out) in sums.iter().zip(out) {
                for (j, &sum) in sums.iter().enumerate() {
                    store::<T, S>(out.add(j * lanes), sum);
                }
            }
        }
    }
}

/// `vectors` vectors cut into panels of at most three, as even as possible: the first vector of each and how many.
pub(super) fn panels(vectors: usize) -> impl Iterator<Item = (usize, usize)> {
    let count = vectors.div_ceil(VECTORS);
    let mut first = 0;
    (0..count).map(move |i| {
        let width = (vectors - first).div_ceil(count - i);
        first += width;
        (first - width, width)
    })
}
