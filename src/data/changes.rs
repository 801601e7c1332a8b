//! What is changed at random in pictures while they are loaded.

use image::imageops::crop_imm;
use image::{Rgb, RgbImage};
use serde::{Deserialize, Serialize};

use super::manifest::Filter;
use super::resize;
use crate::rng::Stream;
use crate::{Error, Result};

/// Random changes of the pictures of a batch. [`Default`] is none.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Changes {
    /// Mirroring, left to right, with probability one half.
    pub flip: Flip,
    /// Of a picture and the one that it is to be made from, as one and before all others.
    pub both: Jitter,
    /// Of pictures.
    pub picture: Jitter,
    /// Of the pictures that they are to be made from.
    pub source: Jitter,
    /// Another picture of the data set is loaded beside each, at random but for equal ones, and changed like this. It is
    /// mirrored for itself where anything is mirrored.
    pub other: Option<Jitter>,
}

/// What is mirrored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Flip {
    /// Nothing.
    #[default]
    None,
    /// A picture together with its key points and the picture that it is to be made from.
    Joint,
    /// A picture with its key points, and for itself the picture that it is to be made from.
    Independent,
}

/// Random changes of one picture, in this order: enlarged, turned, a part of the old size cut out, then saturation and hue
/// in either order. [`Default`] is none.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Jitter {
    /// The picture is enlarged by this factor before a part is cut out at random: 1 or more.
    pub zoom: f64,
    /// Turned around the middle by up to so many degrees either way, nearest pixels; what comes in from outside is black.
    pub turn: f64,
    /// Colours are moved away from grey by a factor of up to this much more or less than 1, below 1.
    pub saturation: f64,
    /// Hues move by up to this share of the circle either way: at most 0.5.
    pub hue: f64,
}

impl Default for Jitter {
    fn default() -> Self {
        Jitter { zoom: 1.0, turn: 0.0, saturation: 0.0, hue: 0.0 }
    }
}

impl Changes {
    /// The same, with pictures mirrored together with all that belongs to them, if they were not.
    pub fn mirrored(self) -> Changes {
        let flip = if self.flip == Flip::None { Flip::Joint } else { self.flip };
        Changes { flip, ..self }
    }

    /// Whether pictures stay in their places, but for mirroring: key points then hold.
    pub(super) fn keeps_places(&self) -> bool {
        [self.both, self.picture].iter().all(|jitter| jitter.zoom == 1.0 && jitter.turn == 0.0)
    }

    /// Whether all numbers can be used.
    ///
    /// # Errors
    /// Names the first that cannot.
    pub fn check(&self) -> Result<()> {
        [Some(self.both), Some(self.picture), Some(self.source), self.other]
            .iter()
            .flatten()
            .try_for_each(Jitter::check)
    }
}

impl Jitter {
    /// The one of "Anime-to-Real Clothing" (arXiv:2008.11479, specs/clothing.md A.8): 1.1 times as large, 3°, saturation and
    /// hue by 0.05.
    pub fn paper() -> Jitter {
        Jitter { zoom: 1.1, turn: 3.0, saturation: 0.05, hue: 0.05 }
    }

    fn check(&self) -> Result<()> {
        let Jitter { zoom, turn, saturation, hue } = *self;
        let bounds = [
            ("zoom", zoom, 1.0, 4.0),
            ("turn", turn, 0.0, 180.0),
            ("saturation", saturation, 0.0, 1.0),
            ("hue", hue, 0.0, 0.5),
        ];
        match bounds.into_iter().find(|(_, found, low, high)| !(low..=high).contains(&found)) {
            Some((what, found, low, high)) => {
                let what = format!("random change of pictures: {what}");
                Err(Error::invalid(what, found.to_string(), format!("a number from {low} to {high}"), ""))
            }
            None => Ok(()),
        }
    }

    /// The picture, changed, of its old size. Draws numbers also where nothing is to be changed.
    pub(super) fn apply(&self, picture: &RgbImage, stream: &mut Stream) -> RgbImage {
        let (width, height) = picture.dimensions();
        let enlarged = |side: u32| (f64::from(side) * self.zoom) as u32;
        let mut changed = resize::rgb(picture, enlarged(width), enlarged(height), Filter::Bilinear);
        if self.turn > 0.0 {
            changed = turned(&changed, stream.range(-self.turn, self.turn));
        }
        let mut place = |all: u32, part: u32| stream.below((all - part) as usize + 1) as u32;
        let (x, y) = (place(changed.width(), width), place(changed.height(), height));
        let mut changed = crop_imm(&changed, x, y, width, height).to_image();
        let factor = 1.0 + stream.range(-self.saturation, self.saturation);
        let shift = stream.range(-self.hue, self.hue);
        let hue_first = stream.chance(0.5);
        for pixel in changed.pixels_mut() {
            let rgb = if hue_first { of_hue(pixel.0, shift) } else { pixel.0 };
            let rgb = saturated(rgb, factor);
            *pixel = Rgb(if hue_first { rgb } else { of_hue(rgb, shift) });
        }
        changed
    }
}

/// Turned counter-clockwise by so many degrees around the middle, nearest pixels, black outside (Pillow's `rotate`).
fn turned(picture: &RgbImage, degrees: f64) -> RgbImage {
    let (width, height) = picture.dimensions();
    let (sin, cos) = degrees.to_radians().sin_cos();
    let (cx, cy) = (f64::from(width) / 2.0, f64::from(height) / 2.0);
    RgbImage::from_fn(width, height, |x, y| {
        let (dx, dy) = (f64::from(x) + 0.5 - cx, f64::from(y) + 0.5 - cy);
        let (x, y) = ((cos * dx - sin * dy + cx).floor(), (sin * dx + cos * dy + cy).floor());
        let inside = x >= 0.0 && y >= 0.0 && x < f64::from(width) && y < f64::from(height);
        if inside { *picture.get_pixel(x as u32, y as u32) } else { Rgb([0; 3]) }
    })
}

/// Moved away from its grey (Pillow's `ImageEnhance.Color`).
fn saturated(rgb: [u8; 3], factor: f64) -> [u8; 3] {
    let [r, g, b] = rgb.map(u32::from);
    let grey = f64::from((r * 19_595 + g * 38_470 + b * 7_471 + 0x8000) >> 16);
    rgb.map(|v| (grey + factor * (f64::from(v) - grey)).clamp(0.0, 255.0) as u8)
}

/// With its hue moved by a share of the circle, over Pillow's 8-bit hue, saturation and value, as torchvision does.
fn of_hue(rgb: [u8; 3], shift: f64) -> [u8; 3] {
    let [h, s, v] = hsv(rgb);
    // Whole steps of 1/256 of the circle; a negative number wraps around as torchvision's cast does.
    let h = h.wrapping_add((shift * 255.0).trunc() as i32 as u8);
    let (h, s, value) = (f64::from(h) * 6.0 / 255.0, f64::from(s) / 255.0, f64::from(v));
    let part = h - h.floor();
    let [p, q, t] = [1.0 - s, 1.0 - s * part, 1.0 - s * (1.0 - part)].map(|share| (value * share).round() as u8);
    match h.floor() as u32 % 6 {
        0 => [v, t, p],
        1 => [q, v, p],
        2 => [p, v, t],
        3 => [p, q, v],
        4 => [t, p, v],
        _ => [v, p, q],
    }
}

/// Hue, saturation and value, rounded where Pillow rounds them to single precision.
fn hsv(rgb: [u8; 3]) -> [u8; 3] {
    let [r, g, b] = rgb.map(f32::from);
    let (most, least) = (r.max(g).max(b), r.min(g).min(b));
    let range = most - least;
    if range == 0.0 {
        return [0, 0, most as u8];
    }
    let [from_r, from_g, from_b] = [r, g, b].map(|v| (most - v) / range);
    let sixth = if r == most {
        from_b - from_g
    } else if g == most {
        (2.0 + f64::from(from_r) - f64::from(from_b)) as f32
    } else {
        (4.0 + f64::from(from_g) - f64::from(from_r)) as f32
    };
    let byte = |share: f32| (f64::from(share) * 255.0) as u8;
    [byte((f64::from(sixth) / 6.0 + 1.0).fract() as f32), byte(range / most), most as u8]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Seed;

    /// Pillow 13 and torchvision 0.29: `ImageEnhance.Color(i).enhance(1.05)`, `adjust_hue(i, 0.05)`, `adjust_hue(i, -0.05)`.
    #[test]
    fn colours_of_pillow() {
        for [rgb, saturation, up, down] in GOLDEN {
            assert_eq!(saturated(rgb, 1.05), saturation, "{rgb:?}");
            assert_eq!(of_hue(rgb, 0.05), up, "{rgb:?}");
            assert_eq!(of_hue(rgb, -0.05), down, "{rgb:?}");
        }
    }

    const GOLDEN: [[[u8; 3]; 4]; 12] = [
        [[10, 200, 90], [3, 203, 87], [10, 200, 140], [10, 200, 33]],
        [[255, 0, 0], [255, 0, 0], [255, 72, 0], [255, 0, 66]],
        [[0, 255, 0], [0, 255, 0], [0, 255, 72], [72, 255, 0]],
        [[12, 12, 240], [10, 10, 250], [77, 12, 240], [12, 77, 240]],
        [[250, 250, 10], [251, 251, 0], [185, 250, 11], [250, 180, 11]],
        [[128, 128, 128], [128, 128, 128], [128, 128, 128], [128, 128, 128]],
        [[0, 0, 0], [0, 0, 0], [0, 0, 0], [0, 0, 0]],
        [[255, 255, 255], [255, 255, 255], [255, 255, 255], [255, 255, 255]],
        [[200, 100, 150], [203, 98, 150], [200, 100, 124], [200, 100, 180]],
        [[33, 66, 99], [31, 66, 100], [33, 49, 99], [33, 86, 99]],
        [[255, 254, 0], [255, 255, 0], [186, 255, 0], [255, 180, 0]],
        [[3, 7, 5], [2, 7, 4], [3, 7, 6], [3, 7, 4]],
    ];

    fn gradient() -> RgbImage {
        RgbImage::from_fn(40, 30, |x, y| Rgb([(x * 6) as u8, (y * 8) as u8, 90]))
    }

    #[test]
    fn changes_keep_the_size_and_follow_the_stream() {
        let picture = gradient();
        let of = |name: &str| Jitter::paper().apply(&picture, &mut Seed(1).stream(name));
        assert_eq!(of("a").dimensions(), (40, 30));
        assert_eq!(of("a"), of("a"));
        assert_ne!(of("a"), of("b"));
    }

    #[test]
    fn a_quarter_turn_is_a_quarter_turn() {
        let picture = RgbImage::from_fn(8, 8, |x, y| Rgb([x as u8, y as u8, 1]));
        let quarter = turned(&picture, 90.0);
        assert!((0..8).all(|x| (0..8).all(|y| quarter.get_pixel(x, y) == picture.get_pixel(7 - y, x))));
        assert_eq!(turned(&picture, 45.0).get_pixel(0, 0).0, [0; 3]);
    }

    #[test]
    fn numbers_out_of_bounds_are_refused() {
        let with = |jitter| Changes { other: Some(jitter), ..Changes::default() }.check();
        assert!(with(Jitter::paper()).is_ok());
        for bad in [Jitter { zoom: 0.5, ..Jitter::default() }, Jitter { hue: f64::NAN, ..Jitter::default() }] {
            assert!(with(bad).unwrap_err().to_string().contains("random change"));
        }
    }
}
