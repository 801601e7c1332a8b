//! Correlations with few target channels, which would fill a small part of a vector: pixels of a row lie side by side
//! in vectors instead, and windows are read from the planes as they are.

use rayon::prelude::*;

use super::correlation::{Correlation, Weights};
use super::layout::Rows;
use super::product::{Product, panels};
use crate::ops::kernel::{Real, Shared};
use crate::ops::level::run;
use crate::ops::vector::width;

/// Target channels that a block of sums has rows for on every level.
const MOST_CHANNELS: usize = 4;

/// Whether a correlation can be computed this way, and gains by it.
pub(super) fn fits(correlation: &Correlation) -> bool {
    correlation.target_channels <= MOST_CHANNELS && correlation.step == [1, 1] && correlation.grid().is_some()
}

/// Writes every position. `bias` is `[groups · target channels]`.
///
/// # Safety
/// `out` must point to `[images, groups · target channels, target]` numbers that nobody else uses meanwhile.
pub(super) unsafe fn forward<T: Real>(
    correlation: &Correlation,
    weights: &Weights<T>,
    source: &Rows<T>,
    bias: Option<&[T]>,
    out: Shared<T>,
) {
    let Some((corner, [height, taps])) = correlation.grid() else {
        return;
    };
    let (inputs, outputs) = (correlation.source_channels, correlation.target_channels);
    let [rows, columns] = correlation.positions;
    let lanes = width::<T>();
    let vectors = columns.div_ceil(lanes);
    let step = vectors * lanes;
    let ordered = ordered(correlation, weights, corner, taps);
    let depth = inputs * height * taps;
    let channels: Vec<usize> = (0..outputs).map(|channel| channel * depth).collect();
    let [above, left] = [0, 1].map(|axis| (source.corner[axis] as isize + corner[axis]) as usize);
    // A row of the kernel is a run: of the weights, and of the source, whose numbers are read in the order they lie in.
    let line = |row: usize, channel: usize| [(channel * height + row) * taps, source.at(0, row, channel)];
    let runs: Vec<[usize; 2]> =
        (0..height).flat_map(|row| (0..inputs).map(move |channel| line(row, channel))).collect();
    let (target, spacing) = (correlation.target, correlation.spacing);
    (0..correlation.images * correlation.groups * rows).into_par_iter().for_each(|task| {
        let (index, y) = (task / rows, task % rows);
        let group = index % correlation.groups;
        T::with_scratch(outputs * step, |sums| {
            if let Some(bias) = bias {
                let bias = &bias[group * outputs..][..outputs];
                sums.chunks_exact_mut(step).zip(bias).for_each(|(sums, &bias)| sums.fill(bias));
            }
            let start = source.at(index / correlation.groups, y + above, group * inputs) + left;
            for (first, vectors) in panels(vectors) {
                run(Product {
                    left: ordered[group * outputs * depth..].as_ptr(),
                    rows: &channels,
                    left_step: 1,
                    right: source.numbers[start + first * lanes..].as_ptr(),
                    right_step: 1,
                    runs: &runs,
                    terms: taps,
                    vectors,
                    out: sums[first * lanes..].as_mut_ptr(),
                    out_step: step,
                    accumulate: bias.is_some(),
                });
            }
            for (channel, sums) in sums.chunks_exact(step).enumerate() {
                let row = (index * outputs + channel) * target[0] + correlation.origin[0] + y * spacing[0];
                for (x, &sum) in sums[..columns].iter().enumerate() {
                    // SAFETY: positions land inside the target; tasks differ in image, group or row.
                    unsafe { *out.get().add(row * target[1] + correlation.origin[1] + x * spacing[1]) = sum };
                }
            }
        });
    });
}

/// Weights as `[group, target channel, source channel, row, column]` of the rectangle of taps.
fn ordered<T: Real>(correlation: &Correlation, weights: &Weights<T>, corner: [isize; 2], columns: usize) -> Vec<T> {
    let count = correlation.taps.len();
    let mut ordered =
        vec![T::ZERO; correlation.groups * correlation.target_channels * correlation.source_channels * count];
    let sources = ordered.chunks_exact_mut(count).enumerate();
    for (index, to) in sources {
        let (channel, source) = (index / correlation.source_channels, index % correlation.source_channels);
        let (group, target) = (channel / correlation.target_channels, channel % correlation.target_channels);
        let start = group * weights.group + target * weights.target + source * weights.source;
        for (&[y, x], &tap) in correlation.taps.iter().zip(&weights.taps) {
            to[(y - corner[0]) as usize * columns + (x - corner[1]) as usize] = weights.numbers[start + tap];
        }
    }
    ordered
}
