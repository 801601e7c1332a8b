//! Batch norm of `[N, C]` matrices, band by band of columns.

use super::kernels::{Moments, Sums};
use crate::ops::columns::{BAND, Band, Line, bands, filled_by_band};
use crate::ops::kernel::Real;

fn rows<T>(x: &[T], columns: usize) -> f64 {
    (x.len() / columns.max(1)) as f64
}

/// One number of every column of a band, by its place in the band.
fn line<T: Real>(count: usize, of: impl Fn(usize) -> f64) -> Line<T> {
    let mut line = [T::ZERO; BAND];
    line.iter_mut().take(count).enumerate().for_each(|(i, number)| *number = T::of(of(i)));
    line
}

pub(super) fn moments<T: Real>(x: &[T], columns: usize) -> Vec<Moments> {
    let rows = rows(x, columns);
    bands(x.len(), columns, |band| moments_of(band, x, rows)).concat()
}

fn moments_of<T: Real>(band: Band, x: &[T], rows: f64) -> Vec<Moments> {
    let [totals] = band.totals(x, x, &[0.0; BAND], |x, _, _| [x]);
    let means = totals.map(|total| total / rows);
    let [squares] = band.totals(x, x, &means, |x, _, mean| [(x - mean) * (x - mean)]);
    let moments = |(&mean, &squares): (&f64, &f64)| Moments { mean, variance: squares / rows };
    band.of(&means).iter().zip(band.of(&squares)).map(moments).collect()
}

/// γ·(x − μ)·r + β, and the moments, which are computed unless they are `known`.
pub(super) fn normalize<T: Real>(
    x: &[T],
    columns: usize,
    known: Option<&[Moments]>,
    epsilon: f64,
    (weight, bias): (&[T], &[T]),
) -> (Vec<T>, Vec<Moments>) {
    let rows = rows(x, columns);
    // SAFETY: all of the band is written.
    let (y, moments) = unsafe {
        filled_by_band(x.len(), columns, |band, out| {
            let moments = known.map_or_else(|| moments_of(band, x, rows), |known| band.part(known).to_vec());
            let weight = band.part(weight);
            let lines = [
                line(moments.len(), |i| moments[i].mean),
                line(moments.len(), |i| (T::of(moments[i].rate(epsilon)) * weight[i]).wide()),
                band.line(bias),
            ];
            band.write(x, x, &lines, |x, _, [mean, scale, bias]| (x - mean) * scale + bias, out);
            moments
        })
    };
    (y, moments.concat())
}

pub(super) fn derivative<T: Real>(
    (x, t): (&[T], &[T]),
    moments: &[Moments],
    epsilon: f64,
    weight: &[T],
) -> (Vec<T>, Vec<Sums>) {
    let rows = rows(x, moments.len());
    // SAFETY: all of the band is written.
    let (derivative, sums) = unsafe {
        filled_by_band(x.len(), moments.len(), |band, out| {
            let (moments, weight) = (band.part(moments), band.part(weight));
            let sums = sums_of(band, (x, t), moments, epsilon);
            let lines = [
                line(sums.len(), |i| moments[i].mean),
                line(sums.len(), |i| (T::of(moments[i].rate(epsilon)) * weight[i]).wide()),
                line(sums.len(), |i| sums[i].total / rows),
                line(sums.len(), |i| sums[i].along * moments[i].rate(epsilon) / rows),
            ];
            let f = |x: T, t: T, [centre, scale, offset, slope]: [T; 4]| scale * (t - offset - (x - centre) * slope);
            band.write(x, t, &lines, f, out);
            sums
        })
    };
    (derivative, sums.concat())
}

pub(super) fn sums<T: Real>((x, t): (&[T], &[T]), moments: &[Moments], epsilon: f64) -> Vec<Sums> {
    bands(x.len(), moments.len(), |band| sums_of(band, (x, t), band.part(moments), epsilon)).concat()
}

fn sums_of<T: Real>(band: Band, (x, t): (&[T], &[T]), moments: &[Moments], epsilon: f64) -> Vec<Sums> {
    let means: Line<f64> = line(moments.len(), |i| moments[i].mean);
    let [totals, products] = band.totals(x, t, &means, |x, t, mean| [t, (x - mean) * t]);
    let sums =
        |((&total, product), moments): ((&f64, &f64), &Moments)| Sums { total, along: product * moments.rate(epsilon) };
    band.of(&totals).iter().zip(band.of(&products)).zip(moments).map(sums).collect()
}
