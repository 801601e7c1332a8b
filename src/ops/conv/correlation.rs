//! What every convolution comes down to.

use super::layout::{Border, ChannelsLast, transpose};
use std::ops::Range;

use crate::ops::kernel::{Real, Shared};

/// out[n, g, c, p] = bias[g, c] + Σ over k and taps t of weight[g, c, k, t] · source[n, g, k, step·p + t],
/// where source pixels outside the plane are 0 and position p lands on pixel origin + spacing·p of the target plane.
#[derive(Clone, Debug)]
pub(super) struct Correlation {
    pub(super) images: usize,
    pub(super) groups: usize,
    /// Channels of the source, per group.
    pub(super) source_channels: usize,
    /// Channels of the target, per group.
    pub(super) target_channels: usize,
    pub(super) source: [usize; 2],
    pub(super) taps: Vec<[isize; 2]>,
    pub(super) step: [usize; 2],
    pub(super) positions: [usize; 2],
    pub(super) target: [usize; 2],
    pub(super) origin: [usize; 2],
    pub(super) spacing: [usize; 2],
}

/// Where weights lie: number (group, target channel, source channel, tap) is at the sum of the distances.
#[derive(Clone, Debug)]
pub(super) struct Weights<'a, T> {
    pub(super) numbers: &'a [T],
    pub(super) group: usize,
    pub(super) target: usize,
    pub(super) source: usize,
    /// The place of each of the correlation's taps.
    pub(super) taps: Vec<usize>,
}

impl<T: Real> Weights<'_, T> {
    /// Writes the weights of some channels of a group as rows (source channel, tap) of target channels, `step` apart.
    ///
    /// # Safety
    /// `to` must point to that many rows, which nobody else uses.
    pub(super) unsafe fn pack(
        &self,
        group: usize,
        targets: Range<usize>,
        sources: Range<usize>,
        to: *mut T,
        step: usize,
    ) {
        let start = group * self.group + targets.start * self.target + sources.start * self.source;
        let from = &self.numbers[start..];
        let count = self.taps.len();
        let in_order = self.source == count && self.taps.iter().enumerate().all(|(i, &tap)| i == tap);
        // SAFETY: passed on; all numbers read lie between those of the first and of the last channels and taps.
        unsafe {
            if in_order {
                return transpose(from.as_ptr(), self.target, targets.len(), sources.len() * count, to, step);
            }
            let last = (targets.len() - 1) * self.target + (sources.len() - 1) * self.source;
            assert!(self.taps.iter().all(|tap| last + tap < from.len()), "weights end too early");
            for source in 0..sources.len() {
                for target in 0..targets.len() {
                    let from = from.as_ptr().add(source * self.source + target * self.target);
                    let to = to.add(source * count * step + target);
                    for (row, &tap) in self.taps.iter().enumerate() {
                        *to.add(row * step) = *from.add(tap);
                    }
                }
            }
        }
    }
}

impl Correlation {
    /// Nothing is added up.
    pub(super) fn is_empty(&self) -> bool {
        self.source_channels == 0 || self.taps.is_empty()
    }

    /// Positions of all images.
    pub(super) fn pixels(&self) -> usize {
        self.images * self.positions[0] * self.positions[1]
    }

    /// Positions are target pixels, one to one.
    fn is_dense(&self) -> bool {
        self.spacing == [1, 1] && self.origin == [0, 0] && self.target == self.positions
    }

    /// A product of every pixel's channels with a matrix.
    pub(super) fn is_pointwise(&self) -> bool {
        self.taps == [[0, 0]] && self.step == [1, 1] && self.source == self.positions && self.is_dense()
    }

    /// The smallest offset of a tap along both axes.
    pub(super) fn corner(&self) -> [isize; 2] {
        [0, 1].map(|axis| self.taps.iter().map(|tap| tap[axis]).min().unwrap_or(0))
    }

    /// The corner and the size of the rectangle that the taps fill, if they fill one.
    pub(super) fn grid(&self) -> Option<([isize; 2], [usize; 2])> {
        let corner = self.corner();
        let far = [0, 1].map(|axis| self.taps.iter().map(|tap| tap[axis]).max().unwrap_or(0));
        let size = [0, 1].map(|axis| (far[axis] - corner[axis] + 1) as usize);
        let place = |i: usize| [corner[0] + (i / size[1]) as isize, corner[1] + (i % size[1]) as isize];
        let count = self.taps.len();
        let full = size[0] * size[1] == count && (0..count).all(|i| self.taps.contains(&place(i)));
        full.then_some((corner, size))
    }

    /// The zeros that windows reach into around the source, if positions are filled up to multiples of `tile`.
    pub(super) fn border(&self, tile: usize) -> Border {
        let mut border = [0; 4];
        for axis in 0..2 {
            let positions = self.positions[axis].max(1).next_multiple_of(tile);
            let last = (positions - 1) * self.step[axis];
            for tap in &self.taps {
                let beyond = last as isize + tap[axis] - (self.source[axis] as isize - 1);
                border[axis] = border[axis].max((-tap[axis]).max(0) as usize);
                border[axis + 2] = border[axis + 2].max(beyond.max(0) as usize);
            }
        }
        border
    }

    /// (image, row, column) of a position.
    pub(super) fn place(&self, pixel: usize) -> [usize; 3] {
        let [rows, columns] = self.positions;
        [pixel / (rows * columns), pixel / columns % rows, pixel % columns]
    }

    /// Where the window of a position begins.
    pub(super) fn window<T: Real>(&self, source: &ChannelsLast<T>, pixel: usize) -> usize {
        let [image, y, x] = self.place(pixel);
        source.at(image, y * self.step[0], x * self.step[1])
    }

    /// Writes positions `pixels` of `channels` of `group`, which lie at `from`, pixel after pixel `step` apart.
    ///
    /// # Safety
    /// `out` must point to the whole target, and nobody else may use these pixels.
    pub(super) unsafe fn write<T: Real>(
        &self,
        (group, channels, pixels): (usize, Range<usize>, Range<usize>),
        from: *const T,
        step: usize,
        out: Shared<T>,
    ) {
        let [rows, columns] = self.positions;
        let plane = self.target[0] * self.target[1];
        // A run of pixels that follow each other in the target.
        let run = if self.is_dense() { rows * columns } else { columns };
        let mut first = pixels.start;
        while first < pixels.end {
            let len = (run - first % run).min(pixels.end - first);
            let [image, y, x] = self.place(first);
            let channel = (image * self.groups + group) * self.target_channels + channels.start;
            let row = self.origin[0] + y * self.spacing[0];
            let start = channel * plane + row * self.target[1] + self.origin[1] + x * self.spacing[1];
            // SAFETY: as the caller promises.
            unsafe {
                let (from, to) = (from.add((first - pixels.start) * step), out.get().add(start));
                if self.spacing[1] == 1 {
                    transpose(from, step, len, channels.len(), to, plane);
                } else {
                    for channel in 0..channels.len() {
                        for i in 0..len {
                            *to.add(channel * plane + i * self.spacing[1]) = *from.add(i * step + channel);
                        }
                    }
                }
            }
            first += len;
        }
    }

    /// Writes a constant per channel to every position: what is left of a correlation without terms.
    ///
    /// # Safety
    /// As [`Correlation::write`].
    pub(super) unsafe fn fill<T: Real>(&self, bias: Option<&[T]>, out: Shared<T>) {
        for group in 0..self.groups {
            let value = |channel: usize| bias.map_or(T::ZERO, |bias| bias[group * self.target_channels + channel]);
            let values: Vec<T> = (0..self.target_channels).map(value).collect();
            for pixel in 0..self.pixels() {
                let place = (group, 0..values.len(), pixel..pixel + 1);
                // SAFETY: passed on.
                unsafe { self.write(place, values.as_ptr(), 0, out) };
            }
        }
    }
}
