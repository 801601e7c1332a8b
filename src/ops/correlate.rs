//! The CPU kernel behind every convolution: a correlation as matrix products over tiles of pixels.
//!
//! A tile's source pixels are gathered into a matrix (im2col) of at most a megabyte and multiplied with the weights by
//! the `gemm` crate. How the work is cut depends on the shapes only, never on the number of threads, so that results
//! are the same bits on any machine with the same instruction set.

use std::ops::Range;

use gemm::Parallelism;
use rayon::prelude::*;

use super::kernel::{Real, Shared, filled};

/// Pixels of one tile. Enough for gemm to reach its speed, few enough for the gathered matrix to stay in the cache.
const TILE_PIXELS: usize = 512;
/// Numbers of a gathered matrix: 1 MiB in f32, half the second-level cache of a current server core.
const GATHERED: usize = 256 * 1024;
/// Tasks below which tiles are cut smaller: enough to keep 8 threads busy.
const TASKS: usize = 16;
/// Numbers that the partial sums of a weight gradient may take together: 16 MiB in f32.
const PARTIAL_SUMS: usize = 4 * 1024 * 1024;

/// out[n, g, c, p] = bias[g, c] + Σ over k and taps t of weight[g, c, k, t] · source[n, g, k, step·p + t],
/// where source pixels outside the plane are 0 and position p lands on pixel origin + spacing·p of the target plane.
#[derive(Clone, Debug)]
pub(super) struct Correlation {
    pub images: usize,
    pub groups: usize,
    /// Channels of the source, per group.
    pub source_channels: usize,
    /// Channels of the target, per group.
    pub target_channels: usize,
    pub source: [usize; 2],
    pub taps: Vec<[isize; 2]>,
    pub step: [usize; 2],
    pub positions: [usize; 2],
    pub target: [usize; 2],
    pub origin: [usize; 2],
    pub spacing: [usize; 2],
}

/// Whole rows of positions, of one image or of several whole images.
#[derive(Clone, Debug)]
struct Tile {
    images: Range<usize>,
    rows: Range<usize>,
}

impl Correlation {
    /// Terms of one output number.
    fn depth(&self) -> usize {
        self.source_channels * self.taps.len()
    }

    fn pixels(&self, tile: &Tile) -> usize {
        tile.images.len() * tile.rows.len() * self.positions[1]
    }

    /// The gathered matrix would be the source itself.
    fn is_pointwise(&self) -> bool {
        self.taps == [[0, 0]] && self.step == [1, 1] && self.source == self.positions
    }

    /// Positions are target pixels, one to one.
    fn is_dense(&self) -> bool {
        self.spacing == [1, 1] && self.origin == [0, 0] && self.target == self.positions
    }

    fn tiles(&self) -> Vec<Tile> {
        let mut pixels = TILE_PIXELS;
        loop {
            let tiles = self.tiles_of(pixels);
            if tiles.len() * self.groups >= TASKS || pixels <= TILE_PIXELS / 4 {
                return tiles;
            }
            pixels /= 2;
        }
    }

    fn tiles_of(&self, pixels: usize) -> Vec<Tile> {
        let [rows, columns] = self.positions;
        let (per_image, images) = if rows * columns > pixels {
            ((rows * columns).div_ceil(pixels).min(rows), 1)
        } else {
            (1, (pixels / (rows * columns).max(1)).clamp(1, self.images.max(1)))
        };
        let height = rows.div_ceil(per_image).max(1);
        let mut tiles = Vec::new();
        for first in (0..self.images).step_by(images) {
            for top in (0..rows).step_by(height) {
                let images = first..(first + images).min(self.images);
                tiles.push(Tile { images, rows: top..(top + height).min(rows) });
            }
        }
        tiles
    }

    /// Source channels whose gathered rows fit into the buffer.
    fn channels_at_once(&self, stride: usize) -> usize {
        (GATHERED / (self.taps.len() * stride).max(1)).clamp(1, self.source_channels.max(1))
    }

    /// Computes every position. `weight` is `[groups, target_channels, source_channels, taps]`; `out` are
    /// `[images, groups, target_channels, target]` numbers, of which the pixels that positions land on are written.
    ///
    /// # Safety
    /// `out` must point to that many numbers, not used by anyone else meanwhile.
    pub(super) unsafe fn forward<T: Real>(&self, weight: &[T], source: &[T], bias: Option<&[T]>, out: *mut T) {
        if self.positions.contains(&0) {
            return;
        }
        let out = Shared::new(out);
        let tiles = self.tiles();
        let parts =
            (TASKS / 2).div_ceil((tiles.len() * self.groups).max(1)).min(self.target_channels.div_ceil(64)).max(1);
        let block = self.target_channels.div_ceil(parts).max(1);
        let blocks = self.target_channels.div_ceil(block);
        (0..tiles.len() * self.groups * blocks).into_par_iter().for_each(|task| {
            let (tile, rest) = (&tiles[task / (self.groups * blocks)], task % (self.groups * blocks));
            let (group, first) = (rest / blocks, rest % blocks * block);
            let channels = first..(first + block).min(self.target_channels);
            // SAFETY: tasks differ in tile, group or channels, so they write disjoint parts of `out`.
            unsafe { self.forward_tile(tile, group, channels, weight, source, bias, out) };
        });
    }

    /// # Safety
    /// As [`Correlation::forward`], for the part that `tile`, `group` and `channels` name.
    #[allow(clippy::too_many_arguments)] // one task of `forward`: what it works on, and the four operands
    unsafe fn forward_tile<T: Real>(
        &self,
        tile: &Tile,
        group: usize,
        channels: Range<usize>,
        weight: &[T],
        source: &[T],
        bias: Option<&[T]>,
        out: Shared<T>,
    ) {
        let (pixels, depth) = (self.pixels(tile), self.depth());
        let stride = padded(pixels);
        let at_once = self.channels_at_once(stride);
        let direct = self.is_dense() && tile.images.len() == 1;
        let held = if direct { 0 } else { channels.len() * pixels };
        let plane = self.target[0] * self.target[1];
        let first_plane = |image: usize| (image * self.groups + group) * self.target_channels + channels.start;
        T::with_scratch(held + at_once * self.taps.len() * stride, |scratch| {
            let (hold, gathered) = scratch.split_at_mut(held);
            let (result, result_stride) = if direct {
                let offset = first_plane(tile.images.start) * plane + tile.rows.start * self.target[1];
                // SAFETY: the first pixel of this task's part of `out`.
                (unsafe { out.get().add(offset) }, plane)
            } else {
                (hold.as_mut_ptr(), pixels)
            };
            let accumulate = bias.is_some() || depth == 0;
            if accumulate {
                for (row, channel) in channels.clone().enumerate() {
                    let value = bias.map_or(T::ZERO, |bias| bias[group * self.target_channels + channel]);
                    // SAFETY: `pixels` numbers of one channel, contiguous in the held tile and in whole target rows.
                    unsafe { std::slice::from_raw_parts_mut(result.add(row * result_stride), pixels).fill(value) };
                }
            }
            let channels_with_terms = if depth == 0 { 0 } else { self.source_channels };
            for first in (0..channels_with_terms).step_by(at_once) {
                let taken = first..(first + at_once).min(self.source_channels);
                let terms = taken.len() * self.taps.len();
                let (matrix, matrix_stride) = self.matrix(tile, group, taken, source, gathered, stride);
                let rows = (group * self.target_channels + channels.start) * depth + first * self.taps.len();
                // SAFETY: `channels.len()` rows of `depth` weights from `rows` on, `terms` rows of the matrix, and
                // the result's rows, as sized above.
                unsafe {
                    multiply(
                        [channels.len(), pixels, terms],
                        (result, 1, result_stride),
                        accumulate || first > 0,
                        (weight.as_ptr().add(rows), 1, depth),
                        (matrix, 1, matrix_stride),
                    );
                }
            }
            if !direct {
                // SAFETY: passed on.
                unsafe { self.scatter(tile, first_plane, channels.len(), hold, out) };
            }
        });
    }

    /// The matrix of one product, rows by (channel, tap), columns by pixel: the source itself if it is one, else
    /// gathered. Returns where it starts and how far apart its rows are.
    fn matrix<T: Real>(
        &self,
        tile: &Tile,
        group: usize,
        channels: Range<usize>,
        source: &[T],
        gathered: &mut [T],
        stride: usize,
    ) -> (*const T, usize) {
        if self.is_pointwise() && tile.images.len() == 1 {
            let plane = self.source[0] * self.source[1];
            let first = (tile.images.start * self.groups + group) * self.source_channels + channels.start;
            return (source[first * plane + tile.rows.start * self.source[1]..].as_ptr(), plane);
        }
        self.gather(tile, group, channels, source, gathered, stride);
        (gathered.as_ptr(), stride)
    }

    fn gather<T: Real>(
        &self,
        tile: &Tile,
        group: usize,
        channels: Range<usize>,
        source: &[T],
        gathered: &mut [T],
        stride: usize,
    ) {
        let (plane, width) = (self.source[0] * self.source[1], self.positions[1]);
        let mut rows = gathered.chunks_exact_mut(stride);
        for channel in channels {
            for (&[dy, dx], row) in self.taps.iter().zip(&mut rows) {
                let inside = self.inside(dx);
                let mut lines = row.chunks_exact_mut(width);
                for image in tile.images.clone() {
                    let first = ((image * self.groups + group) * self.source_channels + channel) * plane;
                    let source = &source[first..first + plane];
                    for (y, line) in tile.rows.clone().zip(&mut lines) {
                        let y = (y * self.step[0]) as isize + dy;
                        if y < 0 || y >= self.source[0] as isize {
                            line.fill(T::ZERO);
                        } else {
                            let from = &source[y as usize * self.source[1]..][..self.source[1]];
                            self.gather_line(from, dx, inside.clone(), line);
                        }
                    }
                }
            }
        }
    }

    /// Positions of a row whose source column step·x + dx lies on the plane.
    fn inside(&self, dx: isize) -> Range<usize> {
        let (step, width) = (self.step[1], self.positions[1]);
        let low = (dx.min(0).unsigned_abs().div_ceil(step)).min(width);
        let reach = (self.source[1] as isize - dx).max(0) as usize;
        low..reach.div_ceil(step).clamp(low, width)
    }

    fn gather_line<T: Real>(&self, from: &[T], dx: isize, inside: Range<usize>, line: &mut [T]) {
        line[..inside.start].fill(T::ZERO);
        line[inside.end..].fill(T::ZERO);
        if inside.is_empty() {
            return;
        }
        let step = self.step[1];
        let from = &from[((inside.start * step) as isize + dx) as usize..];
        let line = &mut line[inside];
        if step == 1 {
            line.copy_from_slice(&from[..line.len()]);
        } else {
            for (to, &value) in line.iter_mut().zip(from.iter().step_by(step)) {
                *to = value;
            }
        }
    }

    /// Moves a held tile (`[channels, pixels]`) to its pixels of the target.
    ///
    /// # Safety
    /// As [`Correlation::forward`], for that tile.
    unsafe fn scatter<T: Real>(
        &self,
        tile: &Tile,
        first_plane: impl Fn(usize) -> usize,
        channels: usize,
        hold: &[T],
        out: Shared<T>,
    ) {
        let [_, width] = self.positions;
        let (plane, pixels) = (self.target[0] * self.target[1], self.pixels(tile));
        for channel in 0..channels {
            let mut lines = hold[channel * pixels..(channel + 1) * pixels].chunks_exact(width.max(1));
            for image in tile.images.clone() {
                for (y, line) in tile.rows.clone().zip(&mut lines) {
                    let row = self.origin[0] + y * self.spacing[0];
                    let first = (first_plane(image) + channel) * plane + row * self.target[1] + self.origin[1];
                    for (x, &value) in line.iter().enumerate() {
                        // SAFETY: positions land inside the target plane by construction.
                        unsafe { *out.get().add(first + x * self.spacing[1]) = value };
                    }
                }
            }
        }
    }

    /// Σ over images and positions of upstream · source: `[groups, target_channels, source_channels, taps]`.
    /// `upstream` is `[images, groups, target_channels, positions]`; the correlation must be dense.
    pub(super) fn weight_gradient<T: Real>(&self, source: &[T], upstream: &[T]) -> Vec<T> {
        let (tiles, depth) = (self.tiles(), self.depth());
        let size = self.groups * self.target_channels * depth;
        if size == 0 || tiles.is_empty() {
            return vec![T::ZERO; size];
        }
        let parts = (PARTIAL_SUMS / size).clamp(1, TASKS).min(tiles.len());
        let widest = tiles.iter().map(|tile| self.pixels(tile)).max().unwrap_or(0);
        let wanted = TASKS.div_ceil(parts * self.groups).min(self.source_channels);
        let block = self.channels_at_once(padded(widest)).min(self.source_channels.div_ceil(wanted));
        let blocks = self.source_channels.div_ceil(block);
        let per_part = tiles.len().div_ceil(parts);
        // Sums are kept as [part, group, depth, target channel]: that way the product needs no transposed gather.
        // SAFETY: every task writes its part, group and block of the depth, and together they cover the buffer.
        let sums = unsafe {
            filled::<T>(tiles.chunks(per_part).len() * size, |sums| {
                let sums = Shared::new(sums.as_mut_ptr().cast::<T>());
                let tasks = tiles.chunks(per_part).len() * self.groups * blocks;
                (0..tasks).into_par_iter().for_each(|task| {
                    let (part, rest) = (task / (self.groups * blocks), task % (self.groups * blocks));
                    let (group, first) = (rest / blocks, rest % blocks * block);
                    let channels = first..(first + block).min(self.source_channels);
                    let tiles = &tiles[part * per_part..((part + 1) * per_part).min(tiles.len())];
                    let row = (part * self.groups + group) * depth + first * self.taps.len();
                    let sums = sums.get().add(row * self.target_channels);
                    self.weight_gradient_part(tiles, group, channels, source, upstream, sums);
                });
            })
        };
        self.reduce(&sums, size)
    }

    /// # Safety
    /// `sums` must point to `[channels · taps, target_channels]` numbers, not used by anyone else meanwhile.
    unsafe fn weight_gradient_part<T: Real>(
        &self,
        tiles: &[Tile],
        group: usize,
        channels: Range<usize>,
        source: &[T],
        upstream: &[T],
        sums: *mut T,
    ) {
        let terms = channels.len() * self.taps.len();
        let plane = self.positions[0] * self.positions[1];
        for (index, tile) in tiles.iter().enumerate() {
            let pixels = self.pixels(tile);
            let stride = padded(pixels);
            let held = if tile.images.len() == 1 { 0 } else { self.target_channels * pixels };
            T::with_scratch(held + terms * stride, |scratch| {
                let (hold, gathered) = scratch.split_at_mut(held);
                let (matrix, matrix_stride) = self.matrix(tile, group, channels.clone(), source, gathered, stride);
                let first = |image: usize| (image * self.groups + group) * self.target_channels * plane;
                let (upstream, upstream_stride) = if held == 0 {
                    let start = first(tile.images.start) + tile.rows.start * self.positions[1];
                    (upstream[start..].as_ptr(), plane)
                } else {
                    for (channel, row) in hold.chunks_exact_mut(pixels).enumerate() {
                        for (image, line) in tile.images.clone().zip(row.chunks_exact_mut(plane)) {
                            line.copy_from_slice(&upstream[first(image) + channel * plane..][..plane]);
                        }
                    }
                    (hold.as_ptr(), pixels)
                };
                // SAFETY: `target_channels` rows of the upstream gradient and `terms` rows of the matrix, `pixels` long
                // each; the sums as the caller promises.
                unsafe {
                    multiply(
                        [self.target_channels, terms, pixels],
                        (sums, self.target_channels, 1),
                        index > 0,
                        (upstream, 1, upstream_stride),
                        (matrix, matrix_stride, 1),
                    );
                }
            });
        }
    }

    /// Adds the partial sums, in their order, and turns `[group, depth, target channel]` into
    /// `[group, target channel, depth]`.
    fn reduce<T: Real>(&self, sums: &[T], size: usize) -> Vec<T> {
        let (depth, channels) = (self.depth(), self.target_channels);
        // SAFETY: each task writes one row of `depth` numbers.
        unsafe {
            filled(size, |out| {
                out.par_chunks_mut(depth).enumerate().with_min_len(8).for_each(|(row, out)| {
                    let first = row / channels * depth * channels + row % channels;
                    for (term, out) in out.iter_mut().enumerate() {
                        let parts = sums[first + term * channels..].iter().step_by(size);
                        out.write(parts.fold(T::ZERO, |total, &part| total + part));
                    }
                });
            })
        }
    }
}

/// Rows of a gathered matrix lie a little more than a power of two apart, which would map them to the same cache lines.
fn padded(pixels: usize) -> usize {
    pixels.next_multiple_of(16) + 16
}

/// result (+)= a·b for matrices given as (start, column stride, row stride), sizes as [rows, columns, terms].
///
/// # Safety
/// The three matrices must lie in valid memory, the result's not used by anyone else meanwhile.
unsafe fn multiply<T: Real>(
    [rows, columns, terms]: [usize; 3],
    result: (*mut T, usize, usize),
    accumulate: bool,
    a: (*const T, usize, usize),
    b: (*const T, usize, usize),
) {
    // SAFETY: passed on.
    unsafe {
        gemm::gemm(
            rows,
            columns,
            terms,
            result.0,
            result.1 as isize,
            result.2 as isize,
            accumulate,
            a.0,
            a.1 as isize,
            a.2 as isize,
            b.0,
            b.1 as isize,
            b.2 as isize,
            T::ONE,
            T::ONE,
            false,
            false,
            false,
            Parallelism::None,
        );
    }
}
