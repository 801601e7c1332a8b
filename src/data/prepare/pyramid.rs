//! Levels of the search pyramid: the picture made smaller, and its summed-area table.
//!
//! The resize is OpenCV's `INTER_LINEAR_EXACT` for 8 bits: coordinates in f64, weights in 1/256, one rounding at
//! the end. Every product before it is exact in 32 bits, so rows may be blended before columns.

use image::GrayImage;

/// A number of a summed-area table. Sums wrap around; differences stay exact while one cell fits the type.
pub(super) trait Word: Copy + Default + Send + Sync + 'static {
    fn new(value: u8) -> Self;
    fn plus(self, other: Self) -> Self;
    fn minus(self, other: Self) -> Self;
    fn at_least(self, other: Self) -> bool;
}

impl Word for u16 {
    fn new(value: u8) -> Self {
        value.into()
    }
    fn plus(self, other: Self) -> Self {
        self.wrapping_add(other)
    }
    fn minus(self, other: Self) -> Self {
        self.wrapping_sub(other)
    }
    fn at_least(self, other: Self) -> bool {
        self >= other
    }
}

impl Word for u32 {
    fn new(value: u8) -> Self {
        value.into()
    }
    fn plus(self, other: Self) -> Self {
        self.wrapping_add(other)
    }
    fn minus(self, other: Self) -> Self {
        self.wrapping_sub(other)
    }
    fn at_least(self, other: Self) -> bool {
        self >= other
    }
}

/// Where a level is looked at: `scale` picture pixels are one level pixel, windows stand every `step` pixels.
#[derive(Clone, Copy, Debug)]
pub(super) struct Geometry {
    pub scale: f32,
    pub step: usize,
    pub width: usize,
    pub height: usize,
}

impl Geometry {
    pub fn new(picture: (u32, u32), scale: f32) -> Self {
        let side = |pixels: u32| (pixels as f32 / scale).round_ties_even() as usize;
        let step = if scale < 2.0 { 2 } else { 1 };
        Geometry { scale, step, width: side(picture.0), height: side(picture.1) }
    }
}

/// Summed-area table of a level.
///
/// Columns are dealt out to `step` planes (column c to plane c mod step), so that windows that are neighbours in the
/// search are neighbours in memory. Rows end with room for a vector load that starts at the last column.
pub(super) struct Table<T> {
    pub stride: usize,
    pub plane: usize,
    step: usize,
    pub sums: Vec<T>,
}

impl<T: Word> Table<T> {
    /// Index of the sum over all pixels above `row` and left of `column`.
    pub fn index(&self, row: usize, column: usize) -> usize {
        column % self.step * self.plane + row * self.stride + column / self.step
    }

    /// The table of `picture` made `geometry.width` x `geometry.height`; `room` extra columns end each row.
    pub fn new(picture: &GrayImage, geometry: &Geometry, room: usize) -> Self {
        let Geometry { step, width, height, .. } = *geometry;
        let stride = (width + 1).div_ceil(step) + room;
        let plane = stride * (height + 1);
        let mut table = Table { stride, plane, step, sums: vec![T::default(); plane * step] };
        let (source_width, source_height) = (picture.width() as usize, picture.height() as usize);
        let rows = taps(source_height, height);
        let columns = taps(source_width, width);
        let mut blended = vec![0u16; source_width];
        for (y, tap) in rows.iter().enumerate() {
            let row = |y: usize| &picture.as_raw()[y * source_width..(y + 1) * source_width];
            for ((out, &a), &b) in blended.iter_mut().zip(row(tap.at)).zip(row(tap.at + 1)) {
                *out = u16::from(a) * tap.weights[0] + u16::from(b) * tap.weights[1];
            }
            table.add_row(y, &blended, &columns);
        }
        table
    }

    fn add_row(&mut self, y: usize, blended: &[u16], columns: &[Tap]) {
        let (step, stride, plane) = (self.step, self.stride, self.plane);
        let mut sum = T::default();
        for (x, tap) in columns.iter().enumerate() {
            let left = u32::from(blended[tap.at]) * u32::from(tap.weights[0]);
            let right = u32::from(blended[tap.at + 1]) * u32::from(tap.weights[1]);
            sum = sum.plus(T::new(((left + right + (1 << 15)) >> 16) as u8));
            let above = (x + 1) % step * plane + y * stride + (x + 1) / step;
            self.sums[above + stride] = self.sums[above].plus(sum);
        }
    }
}

/// A resized pixel is `weights[0]`/256 of source pixel `at` and `weights[1]`/256 of the next one.
struct Tap {
    at: usize,
    weights: [u16; 2],
}

fn taps(source: usize, target: usize) -> Vec<Tap> {
    let scale = 1.0 / (target as f64 / source as f64);
    let tap = |i: usize| {
        let position = scale * (i as f64 + 0.5) - 0.5;
        let floor = position.floor();
        if floor < 0.0 {
            Tap { at: 0, weights: [256, 0] }
        } else if floor as usize >= source - 1 {
            Tap { at: source - 2, weights: [0, 256] }
        } else {
            let right = ((position - floor) * 256.0).round_ties_even() as u16;
            Tap { at: floor as usize, weights: [256 - right, right] }
        }
    };
    (0..target).map(tap).collect()
}
