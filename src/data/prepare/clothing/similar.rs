//! How alike two pictures are: in colour, in brightness and in contrast.
//!
//! The paper's authors used a closed program with three thresholds of 90 % (section 3; specs/clothing.md section B, row 4).
//! What it computes is not known. Here pictures are made 32×32 pixels small and a little soft, the second one is shifted and
//! stretched by up to one and a half of these pixels to lie on the first one (a border may have been cut off), and then
//!
//! * brightness is 1 − |difference of the mean luma| / 255;
//! * contrast is 1 − half the distance of the two luma pictures, each less its mean and of length 1: √(2 − 2ρ)/2 with their
//!   correlation ρ, so that 90 % are ρ = 0.98; or 1 − |difference of the deviations| / 128 where that is less;
//! * colour is 1 − the share of what R, G and B less luma differ by in what there is of them (both root mean squares).
//!
//! The specification also names plainer scores, 1 − mean |difference| / 255 for colour and ρ itself for contrast. They do not
//! tell figures on white apart, which differ in a fifth of their pixels: of 150 such pictures they found 312 wrong pairs.

use image::{RgbImage, imageops};
use serde::{Deserialize, Serialize};

use crate::data::prepare::grey::luma;
use crate::{Error, Result};

/// Side of the small pictures that are compared.
pub const SIDE: usize = 32;
/// Their pixels.
const PIXELS: usize = SIDE * SIDE;
/// Luma that varies less than this, of 255, is taken as plain: its correlation would be that of noise.
const PLAIN: f32 = 1.0;

/// Root mean square of colour, of 255, below which pictures count as grey: differences are shares of at least this.
const GREY: f32 = 12.0;
/// Pixels of the small picture by which another one may be shifted, and its borders besides: one in 32 is three percent.
const FARTHEST: f32 = 1.5;
/// Steps of the search for the best place.
const STEPS: usize = 3;
/// Side without the outermost pixels, which an aligned picture may not have.
const INNER: usize = SIDE - 2;

/// Three scores from 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Similarity {
    /// Of the hues and their strength.
    pub colour: f64,
    /// Of the mean luma.
    pub brightness: f64,
    /// Of how luma is distributed over the picture.
    pub contrast: f64,
}

impl Default for Similarity {
    /// The paper's thresholds: 90 % each.
    fn default() -> Self {
        Similarity { colour: 0.9, brightness: 0.9, contrast: 0.9 }
    }
}

impl Similarity {
    /// Whether all three scores are at least these.
    pub fn reaches(&self, thresholds: &Similarity) -> bool {
        self.colour >= thresholds.colour
            && self.brightness >= thresholds.brightness
            && self.contrast >= thresholds.contrast
    }

    /// Refuses thresholds that cannot be.
    ///
    /// # Errors
    /// When one is not in [0, 1], or that of contrast below 0.7: pictures are found by hashes that need it to be alike.
    pub fn check(&self) -> Result<()> {
        let Similarity { colour, brightness, contrast } = *self;
        let shares = [colour, brightness].iter().all(|share| (0.0..=1.0).contains(share));
        if shares && (0.7..=1.0).contains(&contrast) {
            return Ok(());
        }
        let found = format!("colour {colour}, brightness {brightness}, contrast {contrast}");
        Err(Error::invalid("thresholds", found, "shares in [0, 1], that of contrast at least 0.7", ""))
    }
}

/// A picture of 32×32 pixels with what comparing it needs.
#[derive(Clone, PartialEq)]
pub struct Signature {
    /// Red, green, blue, red, …
    rgb: Vec<u8>,
    luma: Vec<u8>,
    mean: f32,
    deviation: f32,
    /// Mean and root mean square of red, green and blue less luma.
    tint: [f32; 3],
    strength: f32,
}

impl std::fmt::Debug for Signature {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "signature of luma {:.1} ± {:.1}", self.mean, self.deviation)
    }
}

impl Signature {
    /// Bytes of a signature as [`Signature::bytes`] gives them.
    pub const BYTES: usize = 3 * PIXELS;

    /// Of a picture of any size and shape, which is squeezed into a square.
    pub fn of(picture: &RgbImage) -> Signature {
        let side = SIDE as u32;
        let small = imageops::thumbnail(picture, side, side);
        let soft = RgbImage::from_fn(side, side, |x, y| softened(&small, x, y));
        Signature::from_small(soft)
    }

    /// The signature of these bytes; none when they are not [`Signature::BYTES`].
    pub fn from_bytes(bytes: Vec<u8>) -> Option<Signature> {
        RgbImage::from_raw(SIDE as u32, SIDE as u32, bytes).map(Signature::from_small)
    }

    /// Its pixels: red, green, blue, red, …, row by row.
    pub fn bytes(&self) -> &[u8] {
        &self.rgb
    }

    fn from_small(small: RgbImage) -> Signature {
        let luma = luma(&small).into_raw();
        let count = PIXELS as f32;
        let mean = luma.iter().map(|value| u32::from(*value)).sum::<u32>() as f32 / count;
        let variance = luma.iter().map(|value| (f32::from(*value) - mean).powi(2)).sum::<f32>() / count;
        let (mut tint, mut squares) = ([0f32; 3], 0f32);
        for (pixel, luma) in small.pixels().zip(&luma) {
            for (sum, value) in tint.iter_mut().zip(pixel.0) {
                let value = f32::from(value) - f32::from(*luma);
                *sum += value / count;
                squares += value * value;
            }
        }
        let strength = (squares / (3.0 * count)).sqrt();
        Signature { rgb: small.into_raw(), luma, mean, deviation: variance.sqrt(), tint, strength }
    }

    /// How alike two pictures are.
    pub fn similarity(&self, other: &Signature) -> Similarity {
        let brightness = 1.0 - f64::from((self.mean - other.mean).abs()) / 255.0;
        let spread = 1.0 - (self.deviation - other.deviation).abs() / 128.0;
        let warp = match self.is_plain() || other.is_plain() {
            true => Warp::default(),
            false => Warp::between(&self.luma, &other.luma),
        };
        let correlation = match (self.is_plain(), other.is_plain()) {
            (true, true) => 1.0,
            (false, false) => correlation(&self.luma, &warp.of(&other.luma, 1)),
            _ => 0.0,
        };
        let contrast = (1.0 - (2.0 - 2.0 * correlation).max(0.0).sqrt() / 2.0).min(spread);
        let colour = self.alike_in_colour(&warp.of(&other.rgb, 3), &warp.of(&other.luma, 1));
        Similarity { colour: colour.into(), brightness, contrast: contrast.into() }
    }

    /// Whether two pictures may be as alike as this, by what a glance tells: brightness, deviation, and the mean colour, from
    /// which pictures are at most as far as pixel by pixel (twice that is left to borders that were cut off). It spares most
    /// of the comparisons.
    pub(super) fn may_reach(&self, other: &Signature, thresholds: &Similarity) -> bool {
        let brightness = 1.0 - f64::from((self.mean - other.mean).abs()) / 255.0;
        let spread = 1.0 - f64::from((self.deviation - other.deviation).abs()) / 128.0;
        let away: f32 = self.tint.iter().zip(other.tint).map(|(a, b)| (a - b) * (a - b)).sum();
        let most = 2.0 * (1.0 - thresholds.colour as f32) * (self.strength + other.strength).max(GREY);
        brightness >= thresholds.brightness && spread >= thresholds.contrast && (away / 3.0).sqrt() <= most
    }

    fn is_plain(&self) -> bool {
        self.deviation < PLAIN
    }

    /// 1 − the share of the difference of two coloured pictures, luma taken off, in what there is of colour.
    fn alike_in_colour(&self, rgb: &[f32], luma: &[f32]) -> f32 {
        let (mut away, mut own, mut theirs) = (0f32, 0f32, 0f32);
        for i in inner() {
            for channel in 0..3 {
                let a = f32::from(self.rgb[3 * i + channel]) - f32::from(self.luma[i]);
                let b = rgb[3 * i + channel] - luma[i];
                away += (a - b) * (a - b);
                own += a * a;
                theirs += b * b;
            }
        }
        let root = |sum: f32| (sum / (3 * INNER * INNER) as f32).sqrt();
        1.0 - root(away) / (root(own) + root(theirs)).max(GREY)
    }

    /// Luma less its mean, of length 1; all 0 for a plain picture.
    pub(super) fn direction(&self) -> Vec<f32> {
        let length = self.deviation * (PIXELS as f32).sqrt();
        let plain = self.is_plain();
        let share = |value: &u8| if plain { 0.0 } else { (f32::from(*value) - self.mean) / length };
        self.luma.iter().map(share).collect()
    }
}

/// Numbers of the pixels that are compared.
fn inner() -> impl Iterator<Item = usize> {
    (1..SIDE - 1).flat_map(|y| (1..SIDE - 1).map(move |x| y * SIDE + x))
}

/// Mean and deviation of the compared pixels.
fn moments(value: impl Fn(usize) -> f32) -> (f32, f32) {
    let count = (INNER * INNER) as f32;
    let mean = inner().map(&value).sum::<f32>() / count;
    let variance = inner().map(|i| (value(i) - mean).powi(2)).sum::<f32>() / count;
    (mean, variance.sqrt().max(PLAIN))
}

fn correlation(a: &[u8], b: &[f32]) -> f32 {
    let (mean_a, deviation_a) = moments(|i| f32::from(a[i]));
    let (mean_b, deviation_b) = moments(|i| b[i]);
    let sum: f32 = inner().map(|i| (f32::from(a[i]) - mean_a) * (b[i] - mean_b)).sum();
    sum / (INNER * INNER) as f32 / (deviation_a * deviation_b)
}

/// Where the pixels of one small picture are in another one: shifts along both axes, and stretches about the middle by which
/// the borders move.
#[derive(Clone, Copy, Debug, Default)]
struct Warp([f32; 4]);

impl Warp {
    /// The warp with which `b` looks most like `a`, by Gauss and Newton (Lucas and Kanade, IJCAI 1981).
    fn between(a: &[u8], b: &[u8]) -> Warp {
        let (mean_a, deviation_a) = moments(|i| f32::from(a[i]));
        let mut warp = Warp::default();
        for _ in 0..STEPS {
            let moved = warp.of(b, 1);
            let (mean, deviation) = moments(|i| moved[i]);
            let (mut normal, mut right) = ([[0f32; 4]; 4], [0f32; 4]);
            for i in inner() {
                let left = (f32::from(a[i]) - mean_a) / deviation_a - (moved[i] - mean) / deviation;
                let across = (moved[i + 1] - moved[i - 1]) / (2.0 * deviation);
                let down = (moved[i + SIDE] - moved[i - SIDE]) / (2.0 * deviation);
                let slopes = [across, down, across * away(i % SIDE), down * away(i / SIDE)];
                for (row, of_row) in slopes.iter().enumerate() {
                    right[row] += of_row * left;
                    normal[row].iter_mut().zip(slopes).for_each(|(sum, of_column)| *sum += of_row * of_column);
                }
            }
            let step = solved(normal, right);
            warp.0.iter_mut().zip(step).for_each(|(value, step)| *value = (*value + step).clamp(-FARTHEST, FARTHEST));
            if step.iter().all(|step| step.abs() < 0.01) {
                break;
            }
        }
        warp
    }

    /// A picture of so many channels seen through the warp, between pixels linear; the border goes on beyond itself.
    fn of(&self, picture: &[u8], channels: usize) -> Vec<f32> {
        let last = (SIDE - 1) as f32;
        let place = |at: usize, axis: usize| {
            let place = (at as f32 + self.0[axis] + self.0[axis + 2] * away(at)).clamp(0.0, last);
            let low = (place as usize).min(SIDE - 2);
            (low, place - low as f32)
        };
        let columns: [(usize, f32); SIDE] = std::array::from_fn(|x| place(x, 0));
        let mut seen = Vec::with_capacity(picture.len());
        for y in 0..SIDE {
            let (row, down) = place(y, 1);
            for (column, across) in columns {
                for channel in 0..channels {
                    let value =
                        |row: usize, column: usize| f32::from(picture[(row * SIDE + column) * channels + channel]);
                    let line = |row: usize| value(row, column) * (1.0 - across) + value(row, column + 1) * across;
                    seen.push(line(row) * (1.0 - down) + line(row + 1) * down);
                }
            }
        }
        seen
    }
}

/// −1 at the first pixel of a line, 1 at the last.
fn away(at: usize) -> f32 {
    2.0 * at as f32 / (SIDE - 1) as f32 - 1.0
}

/// The solution of four linear equations with a symmetric matrix, to which a little is added so that there is one.
fn solved(mut matrix: [[f32; 4]; 4], mut right: [f32; 4]) -> [f32; 4] {
    (0..4).for_each(|i| matrix[i][i] += 1e-3 * (INNER * INNER) as f32 * 0.01 + 1e-6);
    for i in 0..4 {
        for below in i + 1..4 {
            let share = matrix[below][i] / matrix[i][i];
            let above = matrix[i];
            matrix[below].iter_mut().zip(above).for_each(|(value, above)| *value -= share * above);
            right[below] -= share * right[i];
        }
    }
    for i in (0..4).rev() {
        let known: f32 = (i + 1..4).map(|column| matrix[i][column] * right[column]).sum();
        right[i] = (right[i] - known) / matrix[i][i];
    }
    right
}

/// A pixel and its neighbours by 1 2 1 along both axes; the border goes on beyond itself.
fn softened(picture: &RgbImage, x: u32, y: u32) -> image::Rgb<u8> {
    let last = SIDE as u32 - 1;
    let near = |at: u32| [(at.saturating_sub(1), 1u32), (at, 2), ((at + 1).min(last), 1)];
    let mut sums = [8u32; 3];
    for (row, of_row) in near(y) {
        for (column, of_column) in near(x) {
            let pixel = picture.get_pixel(column, row).0;
            sums.iter_mut().zip(pixel).for_each(|(sum, value)| *sum += of_row * of_column * u32::from(value));
        }
    }
    image::Rgb(sums.map(|sum| (sum / 16) as u8))
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Rgb;

    fn drawn(f: impl Fn(u32, u32) -> [u8; 3]) -> Signature {
        Signature::of(&RgbImage::from_fn(64, 96, |x, y| Rgb(f(x, y))))
    }

    #[test]
    fn scores_by_hand() {
        let half = drawn(|x, _| [if x < 32 { 40 } else { 200 }; 3]);
        let same = half.similarity(&half);
        assert!((same.contrast - 1.0).abs() < 1e-3 && same.colour == 1.0 && same.brightness == 1.0, "{same:?}");
        // 20 levels brighter: nothing else changes.
        let light = half.similarity(&drawn(|x, _| [if x < 32 { 60 } else { 220 }; 3]));
        assert!((light.brightness - (1.0 - 20.0 / 255.0)).abs() < 1e-3 && light.contrast > 0.999, "{light:?}");
        // Less deviation: 1 − (half the difference of the two sides) / 128 (the blur takes a little of it).
        let flat = half.similarity(&drawn(|x, _| [if x < 32 { 80 } else { 160 }; 3]));
        assert!((flat.contrast - (1.0 - 40.0 / 128.0)).abs() < 0.02, "{flat:?}");
        // The other way round.
        assert!(half.similarity(&drawn(|x, _| [if x < 32 { 200 } else { 40 }; 3])).contrast < 0.1);
        // Nothing is left of red in a grey picture of the same luma, and of blue less than nothing.
        let red = drawn(|_, _| [255, 0, 0]);
        let grey = red.similarity(&drawn(|_, _| [76; 3]));
        assert!(grey.colour.abs() < 1e-3 && grey.brightness == 1.0 && grey.contrast == 1.0, "{grey:?}");
        assert!(red.similarity(&drawn(|_, _| [230, 10, 10])).colour > 0.9);
    }

    #[test]
    fn a_border_that_was_cut_off_does_not_matter() {
        let shape = |x: u32, y: u32| {
            let (x, y) = (f64::from(x) / 30.0, f64::from(y) / 41.0);
            [
                (x.sin() * y.cos() * 100.0 + 120.0) as u8,
                ((x * y).sin() * 90.0 + 120.0) as u8,
                (x.cos() * 60.0 + 90.0) as u8,
            ]
        };
        let picture = RgbImage::from_fn(300, 400, |x, y| Rgb(shape(x, y)));
        let cut = imageops::crop_imm(&picture, 9, 0, 286, 388).to_image();
        let found = Signature::of(&picture).similarity(&Signature::of(&cut));
        assert!(found.contrast > 0.95 && found.colour > 0.95, "{found:?}");
    }

    #[test]
    fn bytes_are_the_signature() {
        let one = drawn(|x, y| [x as u8 * 3, y as u8 * 2, (x * y) as u8]);
        assert_eq!(Signature::from_bytes(one.bytes().to_vec()), Some(one));
        assert!(Signature::from_bytes(vec![0; 7]).is_none());
        assert!(Similarity { contrast: 0.6, ..Similarity::default() }.check().is_err());
    }
}
