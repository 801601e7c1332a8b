//! Pictures with their channels side by side, as the products want them, and the way there and back.

use rayon::prelude::*;

use super::product::VECTORS;
use crate::ops::aligned::Aligned;
use crate::ops::kernel::{CHUNK, Real, Shared};
use crate::ops::vector::width;

/// Zeros around a plane: above, left, below, right.
pub(super) type Border = [usize; 4];

/// Pictures as `[N, H, W, C]` with a border of zeros.
pub(super) struct ChannelsLast<T> {
    pub(super) numbers: Aligned<T>,
    /// Rows and columns with the border.
    pub(super) size: [usize; 2],
    /// Distance of two pixels.
    pub(super) pixel: usize,
    /// Zeros above and left.
    pub(super) corner: [usize; 2],
}

impl<T: Real> ChannelsLast<T> {
    /// From `[images, channels, h, w]`, each pixel's channels filled up with zeros to whole vectors.
    pub(super) fn new(
        source: &[T],
        images: usize,
        channels: usize,
        size: [usize; 2],
        border: Border,
    ) -> ChannelsLast<T> {
        ChannelsLast::spaced(source, [images, channels], size, border, channels.next_multiple_of(width::<T>()))
    }

    /// From `[images, channels, h, w]`, one pixel's channels right behind the other's.
    pub(super) fn tight(
        source: &[T],
        images: usize,
        channels: usize,
        size: [usize; 2],
        border: Border,
    ) -> ChannelsLast<T> {
        ChannelsLast::spaced(source, [images, channels], size, border, channels)
    }

    fn spaced(
        source: &[T],
        [images, channels]: [usize; 2],
        [h, w]: [usize; 2],
        border: Border,
        pixel: usize,
    ) -> ChannelsLast<T> {
        let [top, left, below, right] = border;
        let size = [top + h + below, left + w + right];
        let row = size[1] * pixel;
        // SAFETY: every row is written by its own task: its border, its pixels and what fills them up.
        let numbers = unsafe {
            let len = images * size[0] * row;
            // A group's vectors may reach beyond its channels, behind the last pixel too.
            let slack = width::<T>();
            Aligned::filled(len + slack, |numbers: Shared<T>| {
                std::slice::from_raw_parts_mut(numbers.get().add(len), slack).fill(T::ZERO);
                (0..images * size[0]).into_par_iter().for_each(|index| {
                    let to = std::slice::from_raw_parts_mut(numbers.get().add(index * row), row);
                    let (image, y) = (index / size[0], index % size[0]);
                    if y < top || y >= top + h {
                        return to.fill(T::ZERO);
                    }
                    to[..left * pixel].fill(T::ZERO);
                    to[(left + w) * pixel..].fill(T::ZERO);
                    let from = &source[image * channels * h * w + (y - top) * w..];
                    let inner = &mut to[left * pixel..(left + w) * pixel];
                    if channels < pixel {
                        inner.chunks_exact_mut(pixel).for_each(|pixel| pixel[channels..].fill(T::ZERO));
                    }
                    transpose(from.as_ptr(), h * w, channels, w, inner.as_mut_ptr(), pixel);
                });
            })
        };
        ChannelsLast { numbers, size, pixel, corner: [top, left] }
    }

    /// Where pixel (y, x) of an image begins, counted with the border.
    pub(super) fn at(&self, image: usize, y: usize, x: usize) -> usize {
        ((image * self.size[0] + y) * self.size[1] + x) * self.pixel
    }

    /// The way from a window's corner to the pixel at `offset` from the position that the window stands for.
    pub(super) fn tap(&self, offset: [isize; 2]) -> usize {
        let place = |axis: usize| (self.corner[axis] as isize + offset[axis]) as usize;
        (place(0) * self.size[1] + place(1)) * self.pixel
    }
}

/// Pictures as `[N, C, H, W]` with a border of zeros.
pub(super) struct Planes<T> {
    pub(super) numbers: Aligned<T>,
    /// Rows and columns with the border.
    pub(super) size: [usize; 2],
    pub(super) corner: [usize; 2],
}

impl<T: Real> Planes<T> {
    /// From `planes` planes of h × w numbers.
    pub(super) fn new(source: &[T], planes: usize, [h, w]: [usize; 2], border: Border) -> Planes<T> {
        let [top, left, below, right] = border;
        let size = [top + h + below, left + w + right];
        let plane = size[0] * size[1];
        // SAFETY: every plane is written by its own task: its border and its rows.
        let numbers = unsafe {
            let slack = VECTORS * width::<T>();
            Aligned::filled(planes * plane + slack, |numbers: Shared<T>| {
                // Vectors reach beyond a row, behind the last one too.
                std::slice::from_raw_parts_mut(numbers.get().add(planes * plane), slack).fill(T::ZERO);
                (0..planes).into_par_iter().with_min_len(CHUNK.div_ceil(plane.max(1))).for_each(|index| {
                    let to = std::slice::from_raw_parts_mut(numbers.get().add(index * plane), plane);
                    to[..top * size[1]].fill(T::ZERO);
                    to[(top + h) * size[1]..].fill(T::ZERO);
                    let from = source[index * h * w..][..h * w].chunks_exact(w.max(1));
                    for (row, from) in to[top * size[1]..].chunks_exact_mut(size[1].max(1)).zip(from) {
                        row[..left].fill(T::ZERO);
                        row[left..left + w].copy_from_slice(from);
                        row[left + w..].fill(T::ZERO);
                    }
                });
            })
        };
        Planes { numbers, size, corner: [top, left] }
    }

    /// The way from a window's corner to the number at `offset` from the position that the window stands for.
    pub(super) fn tap(&self, offset: [isize; 2]) -> usize {
        let place = |axis: usize| (self.corner[axis] as isize + offset[axis]) as usize;
        place(0) * self.size[1] + place(1)
    }
}

/// Pictures as `[N, H, C, W]` with a border of zeros: what a row of windows reads lies together, one cache line behind the
/// other.
pub(super) struct Rows<T> {
    pub(super) numbers: Aligned<T>,
    /// Rows and columns with the border.
    pub(super) size: [usize; 2],
    pub(super) channels: usize,
    pub(super) corner: [usize; 2],
}

impl<T: Real> Rows<T> {
    /// From `[images, channels, h, w]`.
    pub(super) fn new(source: &[T], images: usize, channels: usize, [h, w]: [usize; 2], border: Border) -> Rows<T> {
        let [top, left, below, right] = border;
        let size = [top + h + below, left + w + right];
        let row = channels * size[1];
        // SAFETY: every row is written by its own task: its border and its channels.
        let numbers = unsafe {
            let len = images * size[0] * row;
            // Vectors reach beyond a row, behind the last one too.
            let slack = VECTORS * width::<T>();
            Aligned::filled(len + slack, |numbers: Shared<T>| {
                std::slice::from_raw_parts_mut(numbers.get().add(len), slack).fill(T::ZERO);
                let rows = (0..images * size[0]).into_par_iter().with_min_len(CHUNK.div_ceil(row.max(1)));
                rows.for_each(|index| {
                    let to = std::slice::from_raw_parts_mut(numbers.get().add(index * row), row);
                    let (image, y) = (index / size[0], index % size[0]);
                    if y < top || y >= top + h {
                        return to.fill(T::ZERO);
                    }
                    for (channel, to) in to.chunks_exact_mut(size[1]).enumerate() {
                        let from = &source[((image * channels + channel) * h + y - top) * w..][..w];
                        to[..left].fill(T::ZERO);
                        to[left..left + w].copy_from_slice(from);
                        to[left + w..].fill(T::ZERO);
                    }
                });
            })
        };
        Rows { numbers, size, channels, corner: [top, left] }
    }

    /// Where row y of a channel of an image begins, counted with the border.
    pub(super) fn at(&self, image: usize, y: usize, channel: usize) -> usize {
        ((image * self.size[0] + y) * self.channels + channel) * self.size[1]
    }
}

/// to[j·to_step + i] = from[i·from_step + j] for i < rows, j < columns.
///
/// # Safety
/// Both must lie in valid memory and not overlap.
pub(super) unsafe fn transpose<T: Real>(
    from: *const T,
    from_step: usize,
    rows: usize,
    columns: usize,
    to: *mut T,
    to_step: usize,
) {
    // A cache line of single precision numbers: lines are read and written as a whole.
    const BLOCK: usize = 16;
    #[cfg(target_arch = "x86_64")]
    let avx = size_of::<T>() == 4 && std::arch::is_x86_feature_detected!("avx");
    for i in (0..rows).step_by(BLOCK) {
        for j in (0..columns).step_by(BLOCK) {
            let (height, width) = (BLOCK.min(rows - i), BLOCK.min(columns - j));
            // SAFETY: the block lies inside of both; AVX is there where it is used, and numbers are f32 then.
            unsafe {
                let (from, to) = (from.add(i * from_step + j), to.add(j * to_step + i));
                #[cfg(target_arch = "x86_64")]
                if avx && height == BLOCK && width == BLOCK {
                    avx::transpose_16x16(from.cast(), from_step, to.cast(), to_step);
                    continue;
                }
                for i in 0..height {
                    for j in 0..width {
                        *to.add(j * to_step + i) = *from.add(i * from_step + j);
                    }
                }
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod avx {
    use std::arch::x86_64::*;

    /// # Safety
    /// The processor must know AVX; sixteen numbers must lie at each of sixteen rows, sixteen places at each of the
    /// results'.
    #[target_feature(enable = "avx")]
    pub(super) unsafe fn transpose_16x16(from: *const f32, from_step: usize, to: *mut f32, to_step: usize) {
        // Row by row: the rows of a picture's planes may all want the same few places of the cache.
        for i in [0, 8] {
            for j in [0, 8] {
                // SAFETY: passed on.
                unsafe { transpose_8x8(from.add(i * from_step + j), from_step, to.add(j * to_step + i), to_step) };
            }
        }
    }

    /// # Safety
    /// The processor must know AVX; eight numbers must lie at each of eight rows, eight places at each of the results'.
    #[target_feature(enable = "avx")]
    unsafe fn transpose_8x8(from: *const f32, from_step: usize, to: *mut f32, to_step: usize) {
        // SAFETY: passed on.
        unsafe {
            let row = |i: usize| _mm256_loadu_ps(from.add(i * from_step));
            let pair = |i: usize| (_mm256_unpacklo_ps(row(i), row(i + 1)), _mm256_unpackhi_ps(row(i), row(i + 1)));
            let [(a0, a1), (a2, a3), (a4, a5), (a6, a7)] = [pair(0), pair(2), pair(4), pair(6)];
            let four = |a: __m256, b: __m256| (_mm256_shuffle_ps::<0x44>(a, b), _mm256_shuffle_ps::<0xEE>(a, b));
            let [(b0, b1), (b2, b3), (b4, b5), (b6, b7)] = [four(a0, a2), four(a1, a3), four(a4, a6), four(a5, a7)];
            let low = |a: __m256, b: __m256| _mm256_permute2f128_ps::<0x20>(a, b);
            let high = |a: __m256, b: __m256| _mm256_permute2f128_ps::<0x31>(a, b);
            let columns = [
                low(b0, b4),
                low(b1, b5),
                low(b2, b6),
                low(b3, b7),
                high(b0, b4),
                high(b1, b5),
                high(b2, b6),
                high(b3, b7),
            ];
            for (j, column) in columns.into_iter().enumerate() {
                _mm256_storeu_ps(to.add(j * to_step), column);
            }
        }
    }
}
