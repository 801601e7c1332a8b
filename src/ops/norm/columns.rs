//! Batch norm of `[N, C]` matrices. A column alone would touch one cache line per number, often lines that displace
//! each other; so columns are worked on in bands, row by row.

use std::ops::Range;

use rayon::prelude::*;

use super::kernels::Moments;
use crate::ops::kernel::{Real, filled};

/// Columns of one task.
const BAND: usize = 256;

/// Σ over rows of f(index of the number, its column), for every column.
fn sums(numbers: usize, columns: usize, f: impl Fn(usize, usize) -> f64 + Sync) -> Vec<f64> {
    let band = |band: Range<usize>| {
        let mut totals = vec![0.0; band.len()];
        for row in (0..numbers).step_by(columns.max(1)) {
            for (total, column) in totals.iter_mut().zip(band.clone()) {
                *total += f(row + column, column);
            }
        }
        totals
    };
    let bands = (0..columns.div_ceil(BAND)).into_par_iter().map(|i| band(i * BAND..((i + 1) * BAND).min(columns)));
    bands.collect::<Vec<_>>().concat()
}

/// f(index of the number, its column) for all numbers.
fn map<T: Real>(numbers: usize, columns: usize, f: impl Fn(usize, usize) -> T + Sync) -> Vec<T> {
    // SAFETY: every number of every row is written.
    unsafe {
        filled(numbers, |out| {
            out.par_chunks_mut(columns.max(1)).enumerate().for_each(|(row, out)| {
                for (column, out) in out.iter_mut().enumerate() {
                    out.write(f(row * columns + column, column));
                }
            });
        })
    }
}

pub(super) fn moments<T: Real>(x: &[T], columns: usize) -> Vec<Moments> {
    let rows = (x.len() / columns.max(1)) as f64;
    let totals = sums(x.len(), columns, |i, _| x[i].wide());
    let squares = sums(x.len(), columns, |i, column| (x[i].wide() - totals[column] / rows).powi(2));
    let pairs = totals.iter().zip(squares);
    pairs.map(|(total, squares)| Moments { mean: total / rows, variance: squares / rows }).collect()
}

pub(super) fn normalize<T: Real>(x: &[T], moments: &[Moments], epsilon: f64, (weight, bias): (&[T], &[T])) -> Vec<T> {
    let line = |(moments, &weight): (&Moments, &T)| (T::of(moments.mean), T::of(moments.rate(epsilon)) * weight);
    let lines: Vec<(T, T)> = moments.iter().zip(weight).map(line).collect();
    map(x.len(), moments.len(), |i, column| (x[i] - lines[column].0) * lines[column].1 + bias[column])
}

pub(super) fn derivative<T: Real>((x, t): (&[T], &[T]), moments: &[Moments], epsilon: f64, weight: &[T]) -> Vec<T> {
    let columns = moments.len();
    let rows = (x.len() / columns.max(1)) as f64;
    let totals = sums(t.len(), columns, |i, _| t[i].wide());
    let products = sums(x.len(), columns, |i, column| (x[i].wide() - moments[column].mean) * t[i].wide());
    let line = |column: usize| {
        let rate = moments[column].rate(epsilon);
        let slope = T::of(products[column] * rate * rate / rows);
        [T::of(moments[column].mean), T::of(rate) * weight[column], T::of(totals[column] / rows), slope]
    };
    let lines: Vec<[T; 4]> = (0..columns).map(line).collect();
    map(x.len(), columns, |i, column| {
        let [centre, scale, offset, slope] = lines[column];
        scale * (t[i] - offset - (x[i] - centre) * slope)
    })
}

pub(super) fn correlation<T: Real>((x, t): (&[T], &[T]), moments: &[Moments], epsilon: f64) -> Vec<T> {
    let products = sums(x.len(), moments.len(), |i, column| (x[i].wide() - moments[column].mean) * t[i].wide());
    products.iter().zip(moments).map(|(product, moments)| T::of(product * moments.rate(epsilon))).collect()
}
