//! From marks to pixels: cloth with its threads, light, lens and sensor.

use std::f32::consts::TAU;

use image::RgbImage;

use super::sewing::{Fabric, grey};
use crate::data::avatar::palette::Colour;
use crate::rng::Stream;

/// Light, lens and sensor of one photo.
#[derive(Clone, Debug)]
pub(super) struct Film {
    /// Of red, green and blue.
    gains: [f32; 3],
    /// Light that reaches everything, as of a lens against the sun.
    haze: f32,
    vignette: f32,
    /// Share of each pixel that comes from its neighbours.
    blur: f32,
    noise: f32,
}

impl Film {
    pub fn new(s: &mut Stream) -> Film {
        let exposure = s.range(0.96, 1.05);
        let warm = s.range(-0.035, 0.045);
        let green = s.range(-0.012, 0.012);
        Film {
            gains: [exposure * (1.0 + warm), exposure * (1.0 + green), exposure * (1.0 - warm)].map(|v| v as f32),
            haze: s.range(0.0, 0.025) as f32,
            vignette: s.range(0.0, 0.16) as f32,
            blur: s.range(0.0, 0.5) as f32,
            noise: s.range(0.006, 0.018) as f32,
        }
    }

    /// What the sensor makes of a picture.
    pub fn expose(&self, picture: &RgbImage, s: &mut Stream) -> RgbImage {
        let (width, height) = picture.dimensions();
        let side = width as usize;
        let mut light: Vec<f32> = picture.as_raw().iter().map(|&v| f32::from(v) / 255.0).collect();
        blend_neighbours(&mut light, side, self.blur);
        let mut shown = RgbImage::new(width, height);
        let middle = 0.5 * width as f32;
        for (i, (pixel, value)) in shown.pixels_mut().zip(light.chunks_exact(3)).enumerate() {
            let (x, y) = ((i % side) as f32 + 0.5 - middle, (i / side) as f32 + 0.5 - middle);
            let fall = 1.0 - self.vignette * (x * x + y * y) / (2.0 * middle * middle);
            let [common, red, green, blue] = grain(s.u64());
            for (channel, own) in [red, green, blue].into_iter().enumerate() {
                let noise = self.noise * (0.8 * common + 0.6 * own);
                let seen = (value[channel] * fall * self.gains[channel]) * (1.0 - self.haze) + self.haze + noise;
                pixel.0[channel] = (seen.clamp(0.0, 1.0) * 255.0).round() as u8;
            }
        }
        shown
    }
}

/// Four numbers from 64 random bits, each nearly normal: the sum of two bytes, of mean 0 and variance 1.
fn grain(bits: u64) -> [f32; 4] {
    // Two uniform bytes together have a variance of (256² − 1) / 6.
    const SCALE: f32 = 104.51;
    let bytes = bits.to_le_bytes();
    std::array::from_fn(|i| (f32::from(bytes[2 * i]) + f32::from(bytes[2 * i + 1]) - 255.0) / SCALE)
}

/// Every value becomes `share` of the mean of the four around it.
fn blend_neighbours(values: &mut [f32], side: usize, share: f32) {
    let before = values.to_vec();
    let rows = before.len() / (3 * side);
    for y in 0..rows {
        for x in 0..side {
            let around = [
                (x.saturating_sub(1), y),
                ((x + 1).min(side - 1), y),
                (x, y.saturating_sub(1)),
                (x, (y + 1).min(rows - 1)),
            ];
            for channel in 0..3 {
                let at = |(x, y): (usize, usize)| before[3 * (y * side + x) + channel];
                let mean = 0.25 * around.into_iter().map(at).sum::<f32>();
                values[3 * (y * side + x) + channel] += share * (mean - at((x, y)));
            }
        }
    }
}

/// Softens a picture of one value per pixel, three times by a box of `2·radius + 1` pixels: nearly a Gaussian.
pub(super) fn soften(plane: &mut [f32], side: usize, radius: usize) {
    if radius == 0 || side == 0 {
        return;
    }
    let mut line = vec![0.0; side];
    for _ in 0..3 {
        for y in 0..side {
            box_mean(&mut line, |x| plane[y * side + x], radius);
            plane[y * side..(y + 1) * side].copy_from_slice(&line);
        }
        for x in 0..side {
            box_mean(&mut line, |y| plane[y * side + x], radius);
            (0..side).for_each(|y| plane[y * side + x] = line[y]);
        }
    }
}

/// Means over a window; what is outside repeats the border.
fn box_mean(out: &mut [f32], value: impl Fn(usize) -> f32, radius: usize) {
    let last = out.len().saturating_sub(1);
    let mut sum: f32 = (0..=2 * radius).map(|i| value(i.saturating_sub(radius).min(last))).sum();
    for (i, mean) in out.iter_mut().enumerate() {
        *mean = sum / (2 * radius + 1) as f32;
        sum += value((i + radius + 1).min(last)) - value(i.saturating_sub(radius));
    }
}

/// How the threads and small wrinkles of a cloth change the light, at a place of the garment in metres. `sharp` is the
/// number of pixels to a metre.
pub(super) struct Threads {
    pub sharp: f32,
    pub seed: u32,
}

impl Threads {
    /// A factor near 1.
    pub fn at(&self, fabric: Fabric, (u, v): (f32, f32)) -> f32 {
        // Threads a metre, and how deep one sees them.
        let (count, depth) = match fabric {
            Fabric::Cotton => (112.0, 0.035),
            Fabric::Wool => (86.0, 0.042),
            Fabric::Knit => (46.0, 0.070),
            Fabric::Satin | Fabric::Hard | Fabric::Stand => (1.0, 0.0),
        };
        // Threads of a few pixels would be false patterns.
        let seen = depth * ((self.sharp / count - 2.8) / 3.0).clamp(0.0, 1.0);
        let (a, b) = (u * count, v * count);
        let woven = match fabric {
            _ if seen <= 0.0 => 0.0,
            Fabric::Knit => {
                // Columns of V.
                let lean = (a.fract().abs() - 0.5).abs();
                ((b + lean) * TAU).sin() * 0.7 + (a * TAU).cos() * 0.5
            }
            Fabric::Wool => ((a + b) * TAU).sin(),
            _ => (a * TAU).sin() * (b * TAU).sin() * 1.4,
        };
        let uneven = self.noise(u * 26.0, v * 90.0, 1) * 0.5 + self.noise(u * 90.0, v * 26.0, 2) * 0.5;
        1.0 + seen * woven * (0.75 + 0.5 * uneven) + 0.035 * uneven * depth.min(0.05) / 0.05
    }

    /// Light on the small wrinkles, which are longer than wide.
    pub fn wrinkles(&self, (u, v): (f32, f32), light: f32) -> f32 {
        let height = |u: f32, v: f32| {
            self.noise(u * 9.0 + v * 2.0, v * 5.0, 3) + 0.5 * self.noise(u * 21.0 - v * 6.0, v * 13.0, 4)
        };
        let step = 0.012;
        1.7 * light * (height(u + step, v - 0.5 * step) - height(u, v)) * 0.5
    }

    /// Smooth noise in [−1, 1] with one knot per unit.
    fn noise(&self, x: f32, y: f32, layer: u32) -> f32 {
        let (i, j) = (x.floor(), y.floor());
        let ease = |t: f32| t * t * (3.0 - 2.0 * t);
        let (s, t) = (ease(x - i), ease(y - j));
        let knot = |di: i32, dj: i32| {
            let mut h = (i as i32 + di) as u32;
            h = h.wrapping_mul(0x9e37_79b1) ^ ((j as i32 + dj) as u32).wrapping_mul(0x85eb_ca6b);
            h ^= self.seed.wrapping_add(layer.wrapping_mul(0xc2b2_ae35));
            h = (h ^ (h >> 15)).wrapping_mul(0x2c1b_3c6d);
            h = (h ^ (h >> 12)).wrapping_mul(0x297a_2d39);
            ((h ^ (h >> 15)) >> 8) as f32 / 8_388_608.0 - 1.0
        };
        let row = |dj: i32| knot(0, dj) + (knot(1, dj) - knot(0, dj)) * s;
        row(0) + (row(1) - row(0)) * t
    }
}

/// A colour under light: `factor` 1 leaves it; dark cloth reflects a little of any light.
pub(super) fn lit(colour: Colour, fabric: Fabric, factor: f32) -> Colour {
    let factor = match fabric {
        Fabric::Satin => 1.0 + 1.25 * (factor - 1.0),
        _ => factor,
    };
    let shine = match fabric {
        Fabric::Satin | Fabric::Hard => 0.16,
        _ => 0.07,
    };
    let add = shine * (factor - 0.94);
    let channel = |v: f32| v * factor + add;
    Colour { r: channel(colour.r), g: channel(colour.g), b: channel(colour.b) }
}

/// The grey at which the relief changes nothing.
pub(super) fn neutral() -> Colour {
    grey(1.0)
}
