//! 3×3 correlations of stride 1 with 16 multiplications for four pixels in place of 36 (Winograd 1980; Lavin & Gray 2016,
//! F(2×2, 3×3)).
//!
//! Tiles of 4×4 pixels and the weights are transformed, multiplied number by number (16 matrix products over the
//! channels) and transformed back to 2×2 pixels. Only sums, differences and halves are taken, so single precision
//! loses little: the error is about twice that of the direct sum.

use std::array::from_fn;
use std::ops::Range;

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::correlation::{Correlation, Weights};
use super::layout::ChannelsLast;
use super::product::{Product, TERMS, panels};
use crate::ops::aligned::Aligned;
use crate::ops::kernel::{Real, Shared};
use crate::ops::level::run;
use crate::ops::vector::{lanes, load, store, width};

/// Pixels of a tile along an axis, and numbers of its transform.
pub(super) const TILE: usize = 2;
const POINTS: usize = 16;
/// Bytes of transformed pixels and sums that a task holds: most of a second-level cache.
const HELD: usize = 768 * 1024;
/// Tiles of a task, which share the weights that it reads.
const LEAST_TILES: usize = 32;
const MOST_TILES: usize = 128;
/// Channels and tiles below which the transforms cost more than they save.
const LEAST_CHANNELS: usize = 16;
const LEAST_TILES_IN_ALL: usize = 128;

/// Whether a correlation can be computed this way, and gains by it.
pub(super) fn fits(correlation: &Correlation) -> bool {
    correlation.step == [1, 1]
        && correlation.grid().is_some_and(|(_, size)| size == [3, 3])
        && correlation.source_channels >= LEAST_CHANNELS
        && correlation.target_channels >= LEAST_CHANNELS
        && correlation.images * tiles(correlation).iter().product::<usize>() >= LEAST_TILES_IN_ALL
}

/// Tiles of an image along both axes.
fn tiles(correlation: &Correlation) -> [usize; 2] {
    correlation.positions.map(|positions| positions.div_ceil(TILE))
}

/// Writes every position. `bias` is `[groups · target channels]`; the source has a border for whole tiles.
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
    let (inputs, outputs) = (correlation.source_channels, correlation.target_channels);
    let lanes = width::<T>();
    let vectors = outputs.div_ceil(lanes);
    let (input_step, output_step) = (inputs.next_multiple_of(lanes), vectors * lanes);
    let packed = pack(correlation, weights, vectors, lanes);
    let [tile_rows, tile_columns] = tiles(correlation);
    let held = HELD / (POINTS * (input_step + output_step) * size_of::<T>());
    let lines = held.clamp(LEAST_TILES, MOST_TILES).div_ceil(tile_columns);
    let all = correlation.images * tile_rows;
    let tasks = all.div_ceil(lines);
    (0..tasks * correlation.groups).into_par_iter().for_each(|task| {
        let (group, first) = (task / tasks, task % tasks * lines);
        let block = Block { correlation, first, last: (first + lines).min(all) };
        let count = (block.last - block.first) * tile_columns;
        let pixels = block.pixels();
        let sizes = [POINTS * count * input_step, POINTS * count * output_step, pixels.len() * output_step];
        T::with_scratch(sizes.iter().sum(), |scratch| {
            let (transformed, rest) = scratch.split_at_mut(sizes[0]);
            let (products, sums) = rest.split_at_mut(sizes[1]);
            run(Inward { block: &block, source, channel: group * inputs, out: transformed, step: input_step });
            let rows: Vec<usize> = (0..count).map(|tile| tile * input_step).collect();
            for point in 0..POINTS {
                let weights = &packed[(group * POINTS + point) * output_step * inputs..];
                for (first, vectors) in panels(vectors) {
                    for term in (0..inputs).step_by(TERMS) {
                        run(Product {
                            left: transformed[point * count * input_step + term..].as_ptr(),
                            rows: &rows,
                            left_step: 1,
                            right: weights[first * lanes * inputs + term * vectors * lanes..].as_ptr(),
                            right_step: vectors * lanes,
                            runs: &[[0, 0]],
                            terms: TERMS.min(inputs - term),
                            vectors,
                            out: products[point * count * output_step + first * lanes..].as_mut_ptr(),
                            out_step: output_step,
                            accumulate: term > 0,
                        });
                    }
                }
            }
            let bias = bias.map(|bias| {
                let mut filled = vec![T::ZERO; output_step];
                filled[..outputs].copy_from_slice(&bias[group * outputs..][..outputs]);
                filled
            });
            run(Outward { block: &block, products, bias: bias.as_deref(), out: sums, step: output_step });
            // SAFETY: tasks differ in group or pixels.
            unsafe { correlation.write((group, 0..outputs, pixels), sums.as_ptr(), output_step, out) };
        });
    });
}

/// Rows of tiles, counted over all images.
struct Block<'a> {
    correlation: &'a Correlation,
    first: usize,
    last: usize,
}

impl Block<'_> {
    /// The first pixel of a row of tiles.
    fn start(&self, line: usize) -> usize {
        let [rows, columns] = self.correlation.positions;
        let [tile_rows, _] = tiles(self.correlation);
        (line / tile_rows * rows + line % tile_rows * TILE) * columns
    }

    fn pixels(&self) -> Range<usize> {
        self.start(self.first)..self.start(self.last)
    }

    /// (image, row, column) of every tile.
    fn tiles(&self) -> impl Iterator<Item = [usize; 3]> {
        let [tile_rows, tile_columns] = tiles(self.correlation);
        (self.first..self.last)
            .flat_map(move |line| (0..tile_columns).map(move |x| [line / tile_rows, line % tile_rows, x]))
    }
}

#[inline(always)]
fn transposed<V: Copy, const ROWS: usize, const COLUMNS: usize>(columns: [[V; ROWS]; COLUMNS]) -> [[V; COLUMNS]; ROWS] {
    from_fn(|i| from_fn(|j| columns[j][i]))
}

/// Tiles of the source to `[16, tile, channel]`.
struct Inward<'a, T> {
    block: &'a Block<'a>,
    source: &'a ChannelsLast<T>,
    channel: usize,
    out: &'a mut [T],
    step: usize,
}

impl<T: Real> WithSimd for Inward<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let corner = self.source.tap(self.block.correlation.corner());
        let (row, pixel) = (self.source.size[1] * self.source.pixel, self.source.pixel);
        let point = self.out.len() / POINTS;
        let before = |d: [T::Vector<S>; 4]| {
            [
                T::minus(simd, d[0], d[2]),
                T::plus(simd, d[1], d[2]),
                T::minus(simd, d[2], d[1]),
                T::minus(simd, d[1], d[3]),
            ]
        };
        for (index, [image, y, x]) in self.block.tiles().enumerate() {
            let from = self.source.at(image, y * TILE, x * TILE) + corner + self.channel;
            let from = self.source.numbers[from..].as_ptr();
            let to = self.out[index * self.step..].as_mut_ptr();
            for channel in (0..self.step).step_by(lanes::<T, S>()) {
                // SAFETY: the border and the slack of the source hold what tiles and vectors overlap, and the output
                // holds 16 numbers for every channel of a tile.
                unsafe {
                    let number = |i: usize, j: usize| load::<T, S>(from.add(i * row + j * pixel + channel));
                    let columns: [_; 4] = from_fn(|j| before(from_fn(|i| number(i, j))));
                    for (i, line) in transposed(columns).into_iter().enumerate() {
                        for (j, vector) in before(line).into_iter().enumerate() {
                            store::<T, S>(to.add((i * 4 + j) * point + channel), vector);
                        }
                    }
                }
            }
        }
    }
}

/// `[16, tile, channel]` to pixels with their channels side by side.
struct Outward<'a, T> {
    block: &'a Block<'a>,
    products: &'a [T],
    bias: Option<&'a [T]>,
    out: &'a mut [T],
    step: usize,
}

impl<T: Real> WithSimd for Outward<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let [rows, columns] = self.block.correlation.positions;
        let [tile_rows, _] = tiles(self.block.correlation);
        let start = self.block.pixels().start;
        let point = self.products.len() / POINTS;
        let after = |m: [T::Vector<S>; 4]| {
            let middle = T::plus(simd, m[1], m[2]);
            [T::plus(simd, m[0], middle), T::minus(simd, T::minus(simd, m[1], m[2]), m[3])]
        };
        for (index, [image, y, x]) in self.block.tiles().enumerate() {
            let from = self.products[index * self.step..].as_ptr();
            let pixel = self.block.start(image * tile_rows + y) - start + x * TILE;
            let (below, beside) = (y * TILE + 1 < rows, x * TILE + 1 < columns);
            let to = self.out[pixel * self.step..].as_mut_ptr();
            for channel in (0..self.step).step_by(lanes::<T, S>()) {
                // SAFETY: 16 numbers of every channel of a tile are there; pixels outside the picture are not written.
                unsafe {
                    let number = |i: usize, j: usize| load::<T, S>(from.add((i * 4 + j) * point + channel));
                    let halves: [_; 4] = from_fn(|j| after(from_fn(|i| number(i, j))));
                    let zero = T::splat(simd, T::ZERO);
                    let bias = self.bias.map_or(zero, |bias| load::<T, S>(bias.as_ptr().add(channel)));
                    for (i, line) in transposed(halves).into_iter().enumerate() {
                        for (j, vector) in after(line).into_iter().enumerate() {
                            if (i == 0 || below) && (j == 0 || beside) {
                                let to = to.add((i * columns + j) * self.step + channel);
                                store::<T, S>(to, T::plus(simd, vector, bias));
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Transformed weights as `[group, 16, panel, source channel, target channels of the panel]`, filled up with zeros.
fn pack<T: Real>(correlation: &Correlation, weights: &Weights<T>, vectors: usize, lanes: usize) -> Aligned<T> {
    let (inputs, outputs) = (correlation.source_channels, correlation.target_channels);
    let [top, left] = correlation.corner();
    let tap = |i: isize| {
        let offset = [top + i / 3, left + i % 3];
        correlation.taps.iter().position(|&tap| tap == offset).map_or(0, |tap| weights.taps[tap])
    };
    let taps: [usize; 9] = from_fn(|i| tap(i as isize));
    let panels: Vec<(usize, usize)> = panels(vectors).collect();
    let step = vectors * lanes;
    // SAFETY: every panel's rows are written by their own tasks.
    unsafe {
        Aligned::filled(correlation.groups * POINTS * step * inputs, |packed: Shared<T>| {
            (0..correlation.groups * panels.len() * inputs).into_par_iter().with_min_len(16).for_each(|task| {
                let (panel, input) = (task / inputs, task % inputs);
                let (group, (first, count)) = (panel / panels.len(), panels[panel % panels.len()]);
                for vector in 0..count {
                    let target = (first + vector) * lanes;
                    let used = outputs.saturating_sub(target).min(lanes);
                    let mut kernel = [[T::ZERO; MOST_LANES]; 9];
                    let start = group * weights.group + input * weights.source + target * weights.target;
                    for j in 0..used {
                        let from = &weights.numbers[start + j * weights.target..];
                        for (row, &tap) in kernel.iter_mut().zip(&taps) {
                            row[j] = from[tap];
                        }
                    }
                    let place =
                        (group * POINTS * step + first * lanes) * inputs + input * count * lanes + vector * lanes;
                    let to = packed.get().add(place);
                    run(Kernel { kernel: &kernel, out: to, point: step * inputs });
                }
            });
        })
    }
}

/// Numbers of the longest vector there is.
const MOST_LANES: usize = 16;

/// One vector of 3×3 kernels to 16 vectors.
struct Kernel<'a, T> {
    kernel: &'a [[T; MOST_LANES]; 9],
    out: *mut T,
    point: usize,
}

impl<T: Real> WithSimd for Kernel<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (half, zero) = (T::splat(simd, T::of(0.5)), T::splat(simd, T::ZERO));
        let transform = |g: [T::Vector<S>; 3]| {
            let (outer, inner) = (T::plus(simd, g[0], g[2]), g[1]);
            let (sum, difference) = (T::plus(simd, outer, inner), T::minus(simd, outer, inner));
            [g[0], T::multiply_add(simd, half, sum, zero), T::multiply_add(simd, half, difference, zero), g[2]]
        };
        // SAFETY: every row of the kernel is as long as the longest vector; the output holds 16 vectors.
        unsafe {
            let number = |i: usize, j: usize| load::<T, S>(self.kernel[i * 3 + j].as_ptr());
            let columns: [_; 3] = from_fn(|j| transform(from_fn(|i| number(i, j))));
            for (i, line) in transposed(columns).into_iter().enumerate() {
                for (j, vector) in transform(line).into_iter().enumerate() {
                    store::<T, S>(self.out.add((i * 4 + j) * self.point), vector);
                }
            }
        }
    }
}
