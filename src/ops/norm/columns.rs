//! Batch norm of `[N, C]` matrices. A column alone would touch one cache line per number, often lines that displace
//! each other; so columns are worked on in bands, row by row.

use std::ops::Range;

use rayon::prelude::*;

use super::kernels::Moments;
use crate::ops::kernel::{Real, filled, widest};

/// Columns of one task.
const BAND: usize = 256;

/// Σ over rows of f(number of x, number of t, centre of the column), for every column.
fn sums<T: Real>(x: &[T], t: &[T], centres: &[f64], f: impl Fn(f64, f64, f64) -> f64 + Sync) -> Vec<f64> {
    let columns = centres.len();
    let band = |band: Range<usize>| {
        let mut totals = vec![0.0; band.len()];
        let centres = &centres[band.clone()];
        widest(|| {
            for (x, t) in x.chunks_exact(columns).zip(t.chunks_exact(columns)) {
                let numbers = x[band.clone()].iter().zip(&t[band.clone()]).zip(centres);
                for (total, ((x, t), centre)) in totals.iter_mut().zip(numbers) {
                    *total += f(x.wide(), t.wide(), *centre);
                }
            }
        });
        totals
    };
    let bands = (0..columns.div_ceil(BAND)).into_par_iter().map(|i| band(i * BAND..((i + 1) * BAND).min(columns)));
    bands.collect::<Vec<_>>().concat()
}

/// f(number of x, number of t, line of the column) for all numbers.
fn map<T: Real, L: Sync>(x: &[T], t: &[T], lines: &[L], f: impl Fn(T, T, &L) -> T + Sync) -> Vec<T> {
    let columns = lines.len().max(1);
    // SAFETY: every number of every row is written: the rows of `out`, `x` and `t` pair up and are as long as `lines`.
    unsafe {
        filled(x.len(), |out| {
            let rows = out.par_chunks_mut(columns).zip(x.par_chunks(columns)).zip(t.par_chunks(columns));
            rows.for_each(|((out, x), t)| {
                widest(|| {
                    for (((out, &x), &t), line) in out.iter_mut().zip(x).zip(t).zip(lines) {
                        out.write(f(x, t, line));
                    }
                });
            });
        })
    }
}

fn rows<T>(x: &[T], columns: usize) -> f64 {
    (x.len() / columns.max(1)) as f64
}

pub(super) fn moments<T: Real>(x: &[T], columns: usize) -> Vec<Moments> {
    let rows = rows(x, columns);
    let totals = sums(x, x, &vec![0.0; columns], |x, _, _| x);
    let means: Vec<f64> = totals.iter().map(|total| total / rows).collect();
    let squares = sums(x, x, &means, |x, _, mean| (x - mean) * (x - mean));
    means.into_iter().zip(squares).map(|(mean, squares)| Moments { mean, variance: squares / rows }).collect()
}

pub(super) fn normalize<T: Real>(x: &[T], moments: &[Moments], epsilon: f64, (weight, bias): (&[T], &[T])) -> Vec<T> {
    let line = |((moments, &weight), &bias): ((&Moments, &T), &T)| {
        [T::of(moments.mean), T::of(moments.rate(epsilon)) * weight, bias]
    };
    let lines: Vec<[T; 3]> = moments.iter().zip(weight).zip(bias).map(line).collect();
    map(x, x, &lines, |x, _, &[mean, scale, bias]| (x - mean) * scale + bias)
}

pub(super) fn derivative<T: Real>((x, t): (&[T], &[T]), moments: &[Moments], epsilon: f64, weight: &[T]) -> Vec<T> {
    let rows = rows(x, moments.len());
    let means = means(moments);
    let totals = sums(x, t, &means, |_, t, _| t);
    let products = sums(x, t, &means, |x, t, mean| (x - mean) * t);
    let line = |column: usize| {
        let rate = moments[column].rate(epsilon);
        let slope = T::of(products[column] * rate * rate / rows);
        [T::of(moments[column].mean), T::of(rate) * weight[column], T::of(totals[column] / rows), slope]
    };
    let lines: Vec<[T; 4]> = (0..moments.len()).map(line).collect();
    map(x, t, &lines, |x, t, &[centre, scale, offset, slope]| scale * (t - offset - (x - centre) * slope))
}

pub(super) fn correlation<T: Real>((x, t): (&[T], &[T]), moments: &[Moments], epsilon: f64) -> Vec<T> {
    let products = sums(x, t, &means(moments), |x, t, mean| (x - mean) * t);
    products.iter().zip(moments).map(|(product, moments)| T::of(product * moments.rate(epsilon))).collect()
}

fn means(moments: &[Moments]) -> Vec<f64> {
    moments.iter().map(|moments| moments.mean).collect()
}
