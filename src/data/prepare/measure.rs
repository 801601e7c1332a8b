//! What can be said of a picture without knowing what it shows: its shape, how much of it is blank, and which others look
//! like it.

use image::imageops::{self, FilterType};
use image::{GrayImage, RgbImage};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::grey::luma;
use super::union::Union;

/// Differences that a [`DHash`] compares along a line, and lines.
const SIDE: u32 = 16;
/// How far a pixel may be from the colour of the corner to count as blank.
const NEAR: u8 = 4;

/// What pictures must have to be taken. The bounds themselves are allowed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Shorter side in pixels, at least.
    pub min_side: u32,
    /// Longer side in shorter sides, at most.
    pub max_aspect: f64,
    /// Share of pixels that show nothing, at most: 0 to 1.
    pub max_blank: f64,
}

impl Default for Limits {
    /// 64 pixels, four to one, 95 % blank.
    fn default() -> Self {
        Limits { min_side: 64, max_aspect: 4.0, max_blank: 0.95 }
    }
}

impl Limits {
    /// Every limit that a picture of `size` (width, height) pixels with this blank share breaks: kind and particulars.
    pub fn broken(&self, size: (u32, u32), blank: f64) -> Vec<(&'static str, String)> {
        let (width, height) = size;
        let mut broken = Vec::new();
        if width.min(height) < self.min_side {
            broken.push(("too small", format!("{width}×{height} pixels, fewer than {}", self.min_side)));
        }
        let aspect = aspect(size);
        if aspect > self.max_aspect {
            broken.push(("too long", format!("{aspect:.2} to 1, more than {}", self.max_aspect)));
        }
        if blank > self.max_blank {
            broken.push((
                "mostly blank",
                format!("{:.1} % blank, more than {} %", 100.0 * blank, 100.0 * self.max_blank),
            ));
        }
        broken
    }
}

/// Longer side in shorter sides: 1 for a square.
pub fn aspect((width, height): (u32, u32)) -> f64 {
    f64::from(width.max(height)) / f64::from(width.min(height).max(1))
}

/// Share of pixels, 0 to 1, that have the colour of the top left one, give or take 4 of 255 in each channel: of a
/// character on a plain ground what she leaves free, of a photograph next to nothing.
pub fn blank_share(picture: &RgbImage) -> f64 {
    let mut pixels = picture.pixels();
    let Some(corner) = pixels.clone().next() else { return 1.0 };
    let count = pixels.len();
    let blank = pixels.by_ref().filter(|pixel| pixel.0.iter().zip(corner.0).all(|(a, b)| a.abs_diff(b) <= NEAR));
    blank.count() as f64 / count as f64
}

/// Which of 16×17 grey values of a shrunken picture are brighter than their left neighbours: 256 bits that survive
/// resizing, compression and small changes (`dhash(picture, 16)` of the Python package imagehash).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct DHash([u64; 4]);

impl DHash {
    /// The hash of a picture.
    pub fn of(picture: &RgbImage) -> DHash {
        // Wide pictures are brought to few pixels sooner by looking at their grey values only.
        let small: GrayImage = imageops::resize(&luma(picture), SIDE + 1, SIDE, FilterType::Lanczos3);
        let mut bits = [0u64; 4];
        for y in 0..SIDE {
            for x in 0..SIDE {
                let brighter = small.get_pixel(x + 1, y).0[0] > small.get_pixel(x, y).0[0];
                let at = (y * SIDE + x) as usize;
                bits[at / 64] |= u64::from(brighter) << (at % 64);
            }
        }
        DHash(bits)
    }

    /// Number of bits that differ, 0 to 256.
    pub fn distance(&self, other: &DHash) -> u32 {
        self.0.iter().zip(&other.0).map(|(a, b)| (a ^ b).count_ones()).sum()
    }
}

/// Groups of pictures that look alike: which group each one is in, if any. Pictures at most `distance` bits apart share a
/// group, and so do those that a chain of such pictures connects. Groups are numbered from 0 in the order of their first
/// pictures.
pub fn near_duplicates(hashes: &[DHash], distance: u32) -> Vec<Option<usize>> {
    let near = |i: usize| {
        (i + 1..hashes.len()).filter(move |&j| hashes[i].distance(&hashes[j]) <= distance).collect::<Vec<_>>()
    };
    let edges: Vec<Vec<usize>> = (0..hashes.len()).into_par_iter().map(near).collect();
    let mut groups = Union::new(hashes.len());
    for (i, others) in edges.iter().enumerate() {
        others.iter().for_each(|&j| groups.join(i, j));
    }
    groups.numbered()
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Rgb;

    #[test]
    fn limits_are_named_with_what_was_found() {
        let limits = Limits::default();
        assert!(limits.broken((64, 256), 0.95).is_empty());
        let kinds = |size, blank| limits.broken(size, blank).into_iter().map(|(kind, _)| kind).collect::<Vec<_>>();
        assert_eq!(kinds((63, 64), 0.0), ["too small"]);
        assert_eq!(kinds((100, 401), 0.951), ["too long", "mostly blank"]);
        assert_eq!(limits.broken((401, 100), 0.0)[0].1, "4.01 to 1, more than 4");
    }

    #[test]
    fn blank_is_what_has_the_colour_of_the_corner() {
        let picture = RgbImage::from_fn(10, 10, |x, y| Rgb(if x < 2 && y > 4 { [0; 3] } else { [252, 255, 253] }));
        assert_eq!(blank_share(&picture), 0.9);
        assert_eq!(blank_share(&RgbImage::new(3, 3)), 1.0);
    }

    #[test]
    fn groups_are_chains() {
        let hash = |bits: u64| DHash([bits, 0, 0, 0]);
        // 0 – 1 – 2 is a chain, 5 and 6 are equal, 3 and 4 are alone.
        let hashes = [0b1, 0b11, 0b111, u64::MAX, 0xff << 32, 0xff << 20, 0xff << 20].map(hash);
        assert_eq!(near_duplicates(&hashes, 1), [Some(0), Some(0), Some(0), None, None, Some(1), Some(1)]);
        assert_eq!(near_duplicates(&hashes, 0), [None, None, None, None, None, Some(0), Some(0)]);
        assert!(near_duplicates(&[], 5).is_empty());
    }
}
