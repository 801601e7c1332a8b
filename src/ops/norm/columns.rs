//! Batch norm of `[N, C]` matrices. A column alone would touch one cache line per number, often lines that displace
//! each other; so columns are worked on in bands, row by row.

use std::ops::Range;

use rayon::prelude::*;

use super::kernels::{Moments, Sums};
use crate::ops::kernel::{Real, filled, widest};

/// Columns of one task.
const BAND: usize = 256;

/// Σ over rows of f(number of x, number of t, centre of the column) in double precision, for every column.
fn total<T: Real, const N: usize>(
    x: &[T],
    t: &[T],
    centres: &[f64],
    f: impl Fn(f64, f64, f64) -> [f64; N] + Sync,
) -> Vec<[f64; N]> {
    let columns = centres.len();
    let band = |band: Range<usize>| {
        let mut totals = vec![[0.0; N]; band.len()];
        let centres = &centres[band.clone()];
        widest(|| {
            for (x, t) in x.chunks_exact(columns).zip(t.chunks_exact(columns)) {
                let numbers = x[band.clone()].iter().zip(&t[band.clone()]).zip(centres);
                for (totals, ((x, t), centre)) in totals.iter_mut().zip(numbers) {
                    for (total, term) in totals.iter_mut().zip(f(x.wide(), t.wide(), *centre)) {
                        *total += term;
                    }
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
    let totals = total(x, x, &vec![0.0; columns], |x, _, _| [x]);
    let means: Vec<f64> = totals.iter().map(|[total]| total / rows).collect();
    let squares = total(x, x, &means, |x, _, mean| [(x - mean) * (x - mean)]);
    means.into_iter().zip(squares).map(|(mean, [squares])| Moments { mean, variance: squares / rows }).collect()
}

pub(super) fn normalize<T: Real>(x: &[T], moments: &[Moments], epsilon: f64, (weight, bias): (&[T], &[T])) -> Vec<T> {
    let line = |((moments, &weight), &bias): ((&Moments, &T), &T)| {
        [T::of(moments.mean), T::of(moments.rate(epsilon)) * weight, bias]
    };
    let lines: Vec<[T; 3]> = moments.iter().zip(weight).zip(bias).map(line).collect();
    map(x, x, &lines, |x, _, &[mean, scale, bias]| (x - mean) * scale + bias)
}

pub(super) fn derivative<T: Real>(
    (x, t): (&[T], &[T]),
    moments: &[Moments],
    epsilon: f64,
    weight: &[T],
) -> (Vec<T>, Vec<Sums>) {
    let rows = rows(x, moments.len());
    let sums = sums((x, t), moments, epsilon);
    let line = |((sums, moments), &weight): ((&Sums, &Moments), &T)| {
        let rate = moments.rate(epsilon);
        [T::of(moments.mean), T::of(rate) * weight, T::of(sums.total / rows), T::of(sums.along * rate / rows)]
    };
    let lines: Vec<[T; 4]> = sums.iter().zip(moments).zip(weight).map(line).collect();
    let derivative =
        map(x, t, &lines, |x, t, &[centre, scale, offset, slope]| scale * (t - offset - (x - centre) * slope));
    (derivative, sums)
}

pub(super) fn sums<T: Real>((x, t): (&[T], &[T]), moments: &[Moments], epsilon: f64) -> Vec<Sums> {
    let means: Vec<f64> = moments.iter().map(|moments| moments.mean).collect();
    let totals = total(x, t, &means, |x, t, mean| [t, (x - mean) * t]);
    let sums =
        |([total, product], moments): ([f64; 2], &Moments)| Sums { total, along: product * moments.rate(epsilon) };
    totals.into_iter().zip(moments).map(sums).collect()
}
