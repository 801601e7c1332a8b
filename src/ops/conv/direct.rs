//! Correlations without a detour: windows are read where they lie.

use rayon::prelude::*;

use super::correlation::{Correlation, Weights};
use super::layout::{ChannelsLast, Planes, transpose};
use super::product::{Product, TERMS, VECTORS, panels};
use crate::ops::aligned::Aligned;
use crate::ops::kernel::{CHUNK, Real, Shared, filled};
use crate::ops::level::run;
use crate::ops::vector::width;

/// Bytes of pixels that are used again and again: half of a second-level cache.
const PIXELS: usize = 512 * 1024;
/// Pixels of a task, unless there are fewer: they share the weights that a task reads.
const MIN_PIXELS: usize = 64;
/// Tasks that work is cut into at least, if there is enough of it.
const TASKS: usize = 16;

/// Writes every position. `bias` is `[groups · target channels]`; `source` is [tight](ChannelsLast::tight).
///
/// # Safety
/// `out` must point to `[images, groups · target channels, target]` numbers that nobody else uses meanwhile.
pub(super) unsafe fn forward<T: Real>(
    correlation: &Correlation,
    weights: &Weights<T>,
    source: &ChannelsLast<T>,
    bias: Option<&[T]>,
    out: Shared<T>,
) {
    let lanes = width::<T>();
    let vectors = correlation.target_channels.div_ceil(lanes);
    let taps = taps_in_order(correlation);
    let packed = pack(correlation, weights, &taps);
    let pieces = pieces(correlation, source, &taps);
    let depth = taps.len() * correlation.source_channels;
    let most = (PIXELS / size_of::<T>() / (vectors * lanes + source.pixel)).clamp(MIN_PIXELS, 1024);
    let pixels = correlation.pixels();
    let at_once = pixels.div_ceil(TASKS).clamp(MIN_PIXELS, most).next_multiple_of(8);
    let tasks = pixels.div_ceil(at_once) * correlation.groups;
    // Few pixels are many weights: then tasks share the pixels and cut the channels.
    let panels: Vec<(usize, usize)> = panels(vectors).collect();
    let parts: Vec<_> = panels.chunks(panels.len().div_ceil(TASKS.div_ceil(tasks))).collect();
    (0..tasks * parts.len()).into_par_iter().for_each(|task| {
        let (part, task) = (parts[task % parts.len()], task / parts.len());
        let (group, first) = (task % correlation.groups, task / correlation.groups * at_once);
        let range = first..(first + at_once).min(pixels);
        let rows: Vec<usize> = range.clone().map(|pixel| correlation.window(source, pixel)).collect();
        let offset = part[0].0 * lanes;
        let step = part.iter().map(|(_, count)| count * lanes).sum::<usize>();
        let channels = offset..(offset + step).min(correlation.target_channels);
        T::with_scratch(rows.len() * step, |sums| {
            if let Some(bias) = bias {
                let bias = &bias[group * correlation.target_channels..][channels.clone()];
                sums.chunks_exact_mut(step).for_each(|pixel| pixel[..bias.len()].copy_from_slice(bias));
            }
            for &(first, count) in part {
                let panel = &packed[(group * vectors + first) * lanes * depth..];
                let width = count * lanes;
                for (i, piece) in pieces.iter().enumerate() {
                    let runs: Vec<[usize; 2]> = piece.runs.iter().map(|&[way, row]| [way, row * width]).collect();
                    run(Product {
                        left: source.numbers[group * correlation.source_channels..].as_ptr(),
                        rows: &rows,
                        left_step: 1,
                        right: panel.as_ptr(),
                        right_step: width,
                        runs: &runs,
                        terms: piece.terms,
                        vectors: count,
                        out: sums[first * lanes - offset..].as_mut_ptr(),
                        out_step: step,
                        accumulate: bias.is_some() || i > 0,
                    });
                }
            }
            // SAFETY: tasks differ in group, pixels or channels.
            unsafe { correlation.write((group, channels, range), sums.as_ptr(), step, out) };
        });
    });
}

/// Runs of one pass over the sums, and their terms.
struct Piece {
    /// (Way in the source, row of the packed weights).
    runs: Vec<[usize; 2]>,
    terms: usize,
}

/// The taps by number, line by line from left to right where they fill a rectangle.
fn taps_in_order(correlation: &Correlation) -> Vec<usize> {
    let mut taps: Vec<usize> = (0..correlation.taps.len()).collect();
    taps.sort_by_key(|&tap| correlation.taps[tap]);
    taps
}

/// The sum over taps and channels cut into pieces whose weights stay in the first-level cache. What lies together in the
/// source is one run: a line of the kernel, or a tap's channels where lines have gaps. Short runs would be over before
/// they have begun.
fn pieces<T: Real>(correlation: &Correlation, source: &ChannelsLast<T>, taps: &[usize]) -> Vec<Piece> {
    let whole = (correlation.groups == 1).then(|| correlation.grid()).flatten();
    let together = whole.map_or(1, |(_, [_, columns])| columns);
    let (len, lines) = (together * correlation.source_channels, taps.len() / together);
    let run =
        |line: usize, first: usize| [source.tap(correlation.taps[taps[line * together]]) + first, line * len + first];
    if len > TERMS {
        let at_once = len.div_ceil(len.div_ceil(TERMS));
        let part = |line, first| Piece { runs: vec![run(line, first)], terms: at_once.min(len - first) };
        return (0..lines).flat_map(|line| (0..len).step_by(at_once).map(move |first| part(line, first))).collect();
    }
    let at_once = TERMS / len;
    let piece = |line: usize| {
        let runs = (line..lines.min(line + at_once)).map(|line| run(line, 0)).collect();
        Piece { runs, terms: len }
    };
    (0..lines).step_by(at_once).map(piece).collect()
}

/// Weights as `[group, panel, tap, source channel, target channels of the panel]`, filled up with zeros.
fn pack<T: Real>(correlation: &Correlation, weights: &Weights<T>, order: &[usize]) -> Aligned<T> {
    let (taps, channels, targets) = (order.len(), correlation.source_channels, correlation.target_channels);
    let (lanes, depth) = (width::<T>(), taps * channels);
    let vectors = targets.div_ceil(lanes);
    let panels: Vec<(usize, usize)> = panels(vectors).collect();
    let mut places = vec![0; taps];
    order.iter().enumerate().for_each(|(place, &tap)| places[tap] = place);
    let at_once = CHUNK.div_ceil(taps * VECTORS * lanes).min(channels);
    let parts = channels.div_ceil(at_once);
    // SAFETY: every panel's channels are written by one task, from the first to the last number.
    unsafe {
        Aligned::filled(correlation.groups * vectors * lanes * depth, |packed: Shared<T>| {
            (0..correlation.groups * panels.len() * parts).into_par_iter().for_each(|task| {
                let (panel, channel) = (task / parts, task % parts * at_once);
                let (group, (first, count)) = (panel / panels.len(), panels[panel % panels.len()]);
                let width = count * lanes;
                let used = width.min(targets - first * lanes);
                let part = channel..channels.min(channel + at_once);
                let to = packed.get().add((group * vectors + first) * lanes * depth);
                T::with_scratch(part.len() * taps * used, |rows| {
                    weights.pack(group, first * lanes..first * lanes + used, part.clone(), rows.as_mut_ptr(), used);
                    for (row, numbers) in rows.chunks_exact(used).enumerate() {
                        let (channel, tap) = (part.start + row / taps, places[row % taps]);
                        let to = to.add((tap * channels + channel) * width);
                        std::slice::from_raw_parts_mut(to.add(used), width - used).fill(T::ZERO);
                        std::ptr::copy_nonoverlapping(numbers.as_ptr(), to, used);
                    }
                });
            });
        })
    }
}

/// Σ over images and positions of upstream · source: `[groups, target channels, source channels, taps]`. The
/// correlation must be dense; `upstream` has no border.
pub(super) fn weight_gradient<T: Real>(
    correlation: &Correlation,
    source: &Planes<T>,
    upstream: &ChannelsLast<T>,
) -> Vec<T> {
    let lanes = width::<T>();
    let (taps, channels, targets) = (correlation.taps.len(), correlation.source_channels, correlation.target_channels);
    let vectors = targets.div_ceil(lanes);
    let (depth, step) = (taps * channels, vectors * lanes);
    // The sums of a task stay in the second-level cache.
    let most = (PIXELS / 2 / size_of::<T>() / step).clamp(16, 1024) / 16 * 16;
    let per_task = depth.div_ceil(TASKS).next_multiple_of(16).max(64).min(most);
    let tasks = depth.div_ceil(per_task);
    let [height, columns] = correlation.positions;
    let lines = correlation.images * height;
    let at_once = (TERMS / columns.max(1)).max(1);
    let size = correlation.groups * targets * depth;
    // SAFETY: tasks write the weights of their rows, and all rows together are all weights.
    unsafe {
        filled(size, |gradient| {
            let gradient = Shared::new(gradient.as_mut_ptr().cast::<T>());
            (0..tasks * correlation.groups).into_par_iter().for_each(|task| {
                let (group, first) = (task / tasks, task % tasks * per_task);
                let plane = source.size[0] * source.size[1];
                let place =
                    |row: usize| (group * channels + row / taps) * plane + source.tap(correlation.taps[row % taps]);
                let places: Vec<usize> = (first..(first + per_task).min(depth)).map(place).collect();
                let mut runs = Vec::new();
                T::with_scratch(places.len() * step, |sums| {
                    for start in (0..lines).step_by(at_once) {
                        runs.clear();
                        runs.extend((start..(start + at_once).min(lines)).map(|line| {
                            let (image, y) = (line / height, line % height);
                            let row = image * correlation.groups * channels * source.size[0] + y * correlation.step[0];
                            [row * source.size[1], upstream.at(image, y, 0)]
                        }));
                        for (first, count) in panels(vectors) {
                            run(Product {
                                left: source.numbers.as_ptr(),
                                rows: &places,
                                left_step: correlation.step[1],
                                right: upstream.numbers[group * targets + first * lanes..].as_ptr(),
                                right_step: upstream.pixel,
                                runs: &runs,
                                terms: columns,
                                vectors: count,
                                out: sums[first * lanes..].as_mut_ptr(),
                                out_step: step,
                                accumulate: start > 0,
                            });
                        }
                    }
                    let to = gradient.get().add(group * targets * depth + first);
                    transpose(sums.as_ptr(), step, places.len(), targets, to, depth);
                });
            });
        })
    }
}
