//! What is known about a pair.

use image::RgbImage;
use serde::{Deserialize, Serialize};

use super::Category;
use crate::data::avatar::bodies::costume::Outfit;
use crate::data::avatar::palette::Colour;
use crate::data::dataset::Split;
use crate::data::skeleton::KeyPoint;

/// The clothing in one picture.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Shown {
    /// Left, top, right, bottom of its pixels; right and bottom are behind the last one. Zeros when one sees nothing.
    pub bounds: [u32; 4],
    /// Mean sRGB colour of its pixels.
    pub colour: Colour,
    /// Share of the picture that it covers.
    pub share: f32,
}

impl Shown {
    /// Measures the pixels of a picture where `mask` is on, row by row.
    pub(super) fn of(picture: &RgbImage, mask: &[bool]) -> Shown {
        let mut bounds = [u32::MAX, u32::MAX, 0, 0];
        let (mut sums, mut count) = ([0u64; 3], 0u64);
        for ((x, y, pixel), _) in picture.enumerate_pixels().zip(mask).filter(|(_, on)| **on) {
            bounds = [bounds[0].min(x), bounds[1].min(y), bounds[2].max(x + 1), bounds[3].max(y + 1)];
            sums.iter_mut().zip(pixel.0).for_each(|(sum, value)| *sum += u64::from(value));
            count += 1;
        }
        let [r, g, b] = sums.map(|sum| (sum as f64 / (255.0 * count.max(1) as f64)) as f32);
        let bounds = if count == 0 { [0; 4] } else { bounds };
        let share = count as f32 / mask.len().max(1) as f32;
        Shown { bounds, colour: Colour { r, g, b }, share }
    }
}

/// Everything about one pair; places are in pixels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PairTruth {
    /// Number of the costume.
    pub costume: usize,
    /// Number of the pair among those of its costume.
    pub view: usize,
    /// The part that the costume belongs to.
    pub split: Split,
    /// What the costume consists of.
    pub categories: Vec<Category>,
    /// The clothing of the drawn character.
    pub drawn: Shown,
    /// The clothing in the photo.
    pub photo: Shown,
    /// Centre of the clothing in the photo: the mean x of its key points, and the middle of the clothing from top to
    /// bottom.
    pub centre: [f32; 2],
    /// Pixels of the photo per metre of the garment, which is cut for an adult.
    pub scale: f32,
    /// The 24 points of the garment in the photo, in the order of
    /// [`Skeleton::fashion`](crate::data::skeleton::Skeleton::fashion): x, y, and 1 where the garment has that point, else
    /// zeros.
    pub keypoints: Vec<KeyPoint>,
    /// The clothes.
    pub outfit: Outfit,
}
