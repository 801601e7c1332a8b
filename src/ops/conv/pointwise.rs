//! 1×1 convolutions: every picture is already the right operand of a matrix product.

use rayon::prelude::*;

use super::correlation::{Correlation, Weights};
use super::product::{Product, TERMS, VECTORS};
use crate::ops::kernel::{Real, Shared};
use crate::ops::level::run;
use crate::ops::vector::width;

/// Panels of pixels of one task.
const PANELS: usize = 4;

/// Writes every pixel. `bias` is `[groups · target channels]`.
///
/// # Safety
/// `out` must point to `[images, groups · target channels, target]` numbers that nobody else uses meanwhile.
pub(super) unsafe fn forward<T: Real>(
    correlation: &Correlation,
    weights: &Weights<T>,
    source: &[T],
    bias: Option<&[T]>,
    out: Shared<T>,
) {
    let (inputs, outputs) = (correlation.source_channels, correlation.target_channels);
    let plane = correlation.source[0] * correlation.source[1];
    let panel = VECTORS * width::<T>();
    let tasks = plane.div_ceil(PANELS * panel);
    (0..correlation.images * correlation.groups * tasks).into_par_iter().for_each(|task| {
        let (index, first) = (task / tasks, task % tasks * PANELS * panel);
        let group = index % correlation.groups;
        let from = &source[index * inputs * plane..][..inputs * plane];
        let bias = bias.map(|bias| &bias[group * outputs..][..outputs]);
        T::with_scratch((inputs + outputs) * panel, |scratch| {
            let (pixels, sums) = scratch.split_at_mut(inputs * panel);
            for first in (first..plane.min(first + PANELS * panel)).step_by(panel) {
                let used = panel.min(plane - first);
                for (row, from) in pixels.chunks_exact_mut(panel).zip(from.chunks_exact(plane)) {
                    row[..used].copy_from_slice(&from[first..first + used]);
                    row[used..].fill(T::ZERO);
                }
                multiply(weights, group, (pixels, panel), bias, sums);
                for (channel, sums) in sums.chunks_exact(panel).enumerate() {
                    let place = (index * outputs + channel) * plane + first;
                    // SAFETY: tasks differ in image, group or pixels.
                    unsafe { std::slice::from_raw_parts_mut(out.get().add(place), used) }
                        .copy_from_slice(&sums[..used]);
                }
            }
        });
    });
}

/// sums `[outputs, panel]` = weights · pixels `[inputs, panel]` + bias.
fn multiply<T: Real>(
    weights: &Weights<T>,
    group: usize,
    (pixels, panel): (&[T], usize),
    bias: Option<&[T]>,
    sums: &mut [T],
) {
    let rows: Vec<usize> = (0..sums.len() / panel).map(|target| target * weights.target).collect();
    if let Some(bias) = bias {
        sums.chunks_exact_mut(panel).zip(bias).for_each(|(sums, &bias)| sums.fill(bias));
    }
    let inputs = pixels.len() / panel;
    for first in (0..inputs).step_by(TERMS) {
        run(Product {
            left: weights.numbers[group * weights.group + weights.taps[0] + first * weights.source..].as_ptr(),
            rows: &rows,
            left_step: weights.source,
            right: pixels[first * panel..].as_ptr(),
            right_step: panel,
            runs: &[[0, 0]],
            terms: TERMS.min(inputs - first),
            vectors: VECTORS,
            out: sums.as_mut_ptr(),
            out_step: panel,
            accumulate: bias.is_some() || first > 0,
        });
    }
}
