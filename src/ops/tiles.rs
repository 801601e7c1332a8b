//! Windows that touch each other: sums over them, and numbers spread over them, on one plane.

use std::mem::MaybeUninit;

use pulp::{Simd, WithSimd};

use super::kernel::Real;

/// `factor` times the sum over every window of `kernel` rows and columns; what fills no window is left out.
pub(super) struct PoolTiles<'a, T> {
    pub(super) x: &'a [T],
    /// Columns of x.
    pub(super) width: usize,
    pub(super) kernel: [usize; 2],
    pub(super) factor: T,
    /// `width` numbers.
    pub(super) scratch: &'a mut [T],
    pub(super) out: &'a mut [MaybeUninit<T>],
}

impl<T: Real> WithSimd for PoolTiles<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let PoolTiles { x, width, kernel: [height, across], factor, scratch, out } = self;
        for (x, out) in x.chunks_exact(height * width).zip(out.chunks_exact_mut(width / across)) {
            let (first, rest) = x.split_at(width);
            scratch.copy_from_slice(first);
            for row in rest.chunks_exact(width) {
                for (total, &x) in scratch.iter_mut().zip(row) {
                    *total += x;
                }
            }
            match across {
                1 => write(out, &*scratch, |&x| factor * x),
                2 => write(out, scratch.as_chunks::<2>().0, |&[a, b]| factor * (a + b)),
                _ => write(out, scratch.chunks_exact(across), |columns| {
                    let mut total = T::ZERO;
                    columns.iter().for_each(|&x| total += x);
                    factor * total
                }),
            }
        }
    }
}

#[inline(always)]
fn write<T: Real, A>(out: &mut [MaybeUninit<T>], from: impl IntoIterator<Item = A>, f: impl Fn(A) -> T) {
    for (out, from) in out.iter_mut().zip(from) {
        out.write(f(from));
    }
}

/// `factor` times every number in all of its window of `kernel` rows and columns; zeros where there are no windows.
pub(super) struct SpreadTiles<'a, T> {
    pub(super) x: &'a [T],
    /// Columns of x.
    pub(super) columns: usize,
    pub(super) kernel: [usize; 2],
    pub(super) factor: T,
    /// Columns of `out`.
    pub(super) width: usize,
    pub(super) out: &'a mut [MaybeUninit<T>],
}

impl<T: Real> WithSimd for SpreadTiles<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let SpreadTiles { x, columns, kernel: [height, across], factor, width, out } = self;
        let covered = x.len() / columns * height * width;
        let (out, below) = out.split_at_mut(covered);
        below.fill(MaybeUninit::new(T::ZERO));
        for (x, out) in x.chunks_exact(columns).zip(out.chunks_exact_mut(height * width)) {
            let (first, rest) = out.split_at_mut(width);
            let (inner, beside) = first.split_at_mut(columns * across);
            match across {
                1 => write(inner, x, |&x| factor * x),
                2 => inner.as_chunks_mut::<2>().0.iter_mut().zip(x).for_each(|(pair, &x)| {
                    *pair = [MaybeUninit::new(factor * x); 2];
                }),
                _ => inner.chunks_exact_mut(across).zip(x).for_each(|(out, &x)| out.fill(MaybeUninit::new(factor * x))),
            }
            beside.fill(MaybeUninit::new(T::ZERO));
            rest.chunks_exact_mut(width).for_each(|row| row.copy_from_slice(first));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::level::run;

    #[test]
    fn windows_are_summed_and_filled() {
        let (height, width) = (5, 7);
        let x: Vec<f32> = (0..height * width).map(|i| (i * i % 23) as f32).collect();
        for kernel in [[1, 1], [2, 2], [1, 2], [2, 1], [2, 3], [5, 7]] {
            let [rows, columns] = [height / kernel[0], width / kernel[1]];
            let (mut sums, mut spread) = (vec![MaybeUninit::uninit(); rows * columns], vec![MaybeUninit::uninit(); 35]);
            let scratch = &mut vec![0.0; width];
            run(PoolTiles { x: &x, width, kernel, factor: 0.5, scratch, out: &mut sums });
            // SAFETY: all sums have been written.
            let sums: Vec<f32> = sums.into_iter().map(|sum| unsafe { sum.assume_init() }).collect();
            run(SpreadTiles { x: &sums, columns, kernel, factor: 2.0, width, out: &mut spread });
            for (place, found) in spread.into_iter().enumerate() {
                let [row, column] = [place / width / kernel[0], place % width / kernel[1]];
                let inside = |i: &usize| i / width / kernel[0] == row && i % width / kernel[1] == column;
                let covered = row < rows && column < columns;
                let expected = if covered { (0..x.len()).filter(inside).map(|i| x[i]).sum() } else { 0.0 };
                // SAFETY: all numbers have been written.
                assert_eq!(unsafe { found.assume_init() }, expected, "{kernel:?}: number {place}");
            }
        }
    }
}
