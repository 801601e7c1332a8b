//! One palette for all frames of an animation: colours that do not flicker from frame to frame.
//!
//! Heckbert's median cut (1982) over the colours of all frames, refined by a few rounds of Lloyd's algorithm.

use std::collections::BTreeMap;

use image::{Rgb, RgbImage};

/// Colours of a palette.
const COLOURS: usize = 256;
/// Bits per channel by which colours are gathered.
const BITS: usize = 6;
/// Rounds of refinement: later ones change less than a pixel value.
const ROUNDS: usize = 4;

/// Pixels of similar colour.
#[derive(Clone, Copy)]
struct Cell {
    pixels: f64,
    /// Mean red, green and blue.
    mean: [f64; 3],
}

/// Colours, and which of them stands for which.
pub(super) enum Palette {
    /// At most 256 colours: all of them.
    Exact,
    /// The colour of every cell of the colour cube; black where no pixel is.
    Table(Vec<[u8; 3]>),
}

impl Palette {
    /// The palette of these frames.
    pub fn of(frames: &[RgbImage]) -> Palette {
        let Some(cells) = cells(frames) else { return Palette::Exact };
        let colours = refined(&cells, median_cut(&cells));
        let mut table = vec![[0; 3]; 1 << (3 * BITS)];
        for (place, cell) in &cells {
            table[*place] = colours[nearest(&colours, &cell.mean)].map(|value| value.round().clamp(0.0, 255.0) as u8);
        }
        Palette::Table(table)
    }

    /// The frame in the colours of the palette.
    pub fn applied(&self, frame: &RgbImage) -> RgbImage {
        let mut frame = frame.clone();
        if let Palette::Table(table) = self {
            frame.pixels_mut().for_each(|pixel| *pixel = Rgb(table[place(pixel.0)]));
        }
        frame
    }
}

fn place([r, g, b]: [u8; 3]) -> usize {
    let high = |value: u8| usize::from(value) >> (8 - BITS);
    high(r) << (2 * BITS) | high(g) << BITS | high(b)
}

/// The pixels of all frames by colour; none when there are no more than 256 colours.
fn cells(frames: &[RgbImage]) -> Option<BTreeMap<usize, Cell>> {
    let mut sums = vec![[0u64; 4]; 1 << (3 * BITS)];
    let mut distinct = std::collections::BTreeSet::new();
    for pixel in frames.iter().flat_map(RgbImage::pixels) {
        if distinct.len() <= COLOURS {
            distinct.insert(pixel.0);
        }
        let [sums @ .., count] = &mut sums[place(pixel.0)];
        sums.iter_mut().zip(pixel.0).for_each(|(sum, value)| *sum += u64::from(value));
        *count += 1;
    }
    let cell = |(place, [r, g, b, count]): (usize, [u64; 4])| {
        let pixels = count as f64;
        (count > 0).then(|| (place, Cell { pixels, mean: [r, g, b].map(|sum| sum as f64 / pixels) }))
    };
    (distinct.len() > COLOURS).then(|| sums.into_iter().enumerate().filter_map(cell).collect())
}

/// The means of at most 256 boxes: the box with the largest sum of squares along one channel is cut at its mean.
fn median_cut(cells: &BTreeMap<usize, Cell>) -> Vec<[f64; 3]> {
    let measured = |cells: Vec<Cell>| {
        let pixels: f64 = cells.iter().map(|cell| cell.pixels).sum();
        let mean = [0, 1, 2].map(|c| cells.iter().map(|cell| cell.pixels * cell.mean[c]).sum::<f64>() / pixels);
        let spread = |c: usize| cells.iter().map(|cell| cell.pixels * (cell.mean[c] - mean[c]).powi(2)).sum::<f64>();
        let widest =
            (0..3).map(|c| (spread(c), c)).fold((0.0, 0), |best, next| if next.0 > best.0 { next } else { best });
        (widest, mean, cells)
    };
    let mut boxes = vec![measured(cells.values().copied().collect())];
    while boxes.len() < COLOURS {
        let largest = (0..boxes.len()).fold(0, |best, i| if boxes[i].0.0 > boxes[best].0.0 { i } else { best });
        let ((spread, channel), mean, cells) = boxes.swap_remove(largest);
        if spread <= 0.0 {
            boxes.push(((spread, channel), mean, cells));
            break;
        }
        let (low, high) = cells.into_iter().partition(|cell: &Cell| cell.mean[channel] <= mean[channel]);
        boxes.extend([measured(low), measured(high)]);
    }
    boxes.into_iter().map(|(_, mean, _)| mean).collect()
}

/// Every colour becomes the mean of the pixels that are nearest to it, a few times.
fn refined(cells: &BTreeMap<usize, Cell>, mut colours: Vec<[f64; 3]>) -> Vec<[f64; 3]> {
    for _ in 0..ROUNDS {
        let mut sums = vec![[0.0; 4]; colours.len()];
        for cell in cells.values() {
            let [sums @ .., count] = &mut sums[nearest(&colours, &cell.mean)];
            sums.iter_mut().zip(cell.mean).for_each(|(sum, value)| *sum += cell.pixels * value);
            *count += cell.pixels;
        }
        for (colour, [r, g, b, count]) in colours.iter_mut().zip(sums).filter(|(_, sums)| sums[3] > 0.0) {
            *colour = [r, g, b].map(|sum| sum / count);
        }
    }
    colours
}

fn nearest(colours: &[[f64; 3]], to: &[f64; 3]) -> usize {
    let distance = |colour: &[f64; 3]| (0..3).map(|c| (colour[c] - to[c]).powi(2)).sum::<f64>();
    let better = |best: (usize, f64), next: (usize, f64)| if next.1 < best.1 { next } else { best };
    colours.iter().map(distance).enumerate().fold((0, f64::INFINITY), better).0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_colours_stay_as_they_are_and_many_stay_near() {
        let few = RgbImage::from_fn(16, 16, |x, y| Rgb([x as u8, y as u8, 7]));
        assert_eq!(Palette::of(std::slice::from_ref(&few)).applied(&few), few);
        // White, and a ramp of 4,096 colours.
        let many = RgbImage::from_fn(64, 128, |x, y| match y < 64 {
            true => Rgb([255; 3]),
            false => Rgb([4 * x as u8, (4 * (y - 64)) as u8, 128]),
        });
        let applied = Palette::of(std::slice::from_ref(&many)).applied(&many);
        assert_eq!(applied.get_pixel(9, 9).0, [255; 3]);
        let colours: std::collections::BTreeSet<[u8; 3]> = applied.pixels().map(|pixel| pixel.0).collect();
        assert!(colours.len() <= 256 && colours.len() > 200, "{}", colours.len());
        let square = |(a, b): (&u8, &u8)| f64::from(a.abs_diff(*b)).powi(2);
        let error = applied.as_raw().iter().zip(many.as_raw()).map(square).sum::<f64>() / (64.0 * 64.0 * 3.0);
        // 16 × 16 boxes of 16 values a side, 4 of them apart: at best (16² − 4²)/12 = 20 in two of three channels.
        assert!(error < 1.3 * 20.0 * 2.0 / 3.0, "mean squared error {error}");
    }
}
