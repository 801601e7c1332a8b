//! Where the parts of a face are: exactly, for one drawn face, and on average, for pictures that a network made.

use image::GrayImage;

use super::{FaceSpec, check_size, sketch};
use crate::Result;
use crate::data::avatar::canvas::Region;

/// What every pixel of one drawn face shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Regions {
    size: u32,
    numbers: Vec<u8>,
}

impl Regions {
    /// Side in pixels.
    pub fn size(&self) -> u32 {
        self.size
    }

    /// What the pixel shows; background outside the picture.
    pub fn at(&self, x: u32, y: u32) -> Region {
        let inside = x < self.size && y < self.size;
        let number = if inside { self.numbers[(y * self.size + x) as usize] } else { 0 };
        Region::ALL.get(usize::from(number)).copied().unwrap_or(Region::Background)
    }

    /// A picture that is 255 where the region is and 0 elsewhere.
    pub fn mask(&self, region: Region) -> GrayImage {
        GrayImage::from_fn(self.size, self.size, |x, y| image::Luma([if self.at(x, y) == region { 255 } else { 0 }]))
    }

    /// Share of the picture's pixels that show the region, in [0, 1].
    pub fn share(&self, region: Region) -> f64 {
        let count = self.numbers.iter().filter(|&&number| number == region as u8).count();
        count as f64 / self.numbers.len().max(1) as f64
    }
}

/// Draws which region every pixel of a face shows, with the shapes of [`render`](super::render) and hard edges.
///
/// # Errors
/// When `size` is 0 or above [`MAX_SIZE`](super::MAX_SIZE).
pub fn render_regions(face: &FaceSpec, size: u32) -> Result<Regions> {
    check_size(size)?;
    let rgb = sketch::Sketch::draw(face, size, true)?.into_rgb();
    Ok(Regions { size, numbers: rgb.into_iter().step_by(3).collect() })
}

/// A part of the picture in coordinates from 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Window {
    /// Left edge.
    pub left: f32,
    /// Upper edge.
    pub top: f32,
    /// Right edge.
    pub right: f32,
    /// Lower edge.
    pub bottom: f32,
}

impl Window {
    /// The pixels of a `width`×`height` picture whose middles lie in the window, row by row.
    pub fn pixels(self, width: u32, height: u32) -> Vec<(u32, u32)> {
        let inside =
            |low: f32, high: f32, n: u32| (0..n).filter(move |&i| (low..high).contains(&((i as f32 + 0.5) / n as f32)));
        inside(self.top, self.bottom, height)
            .flat_map(|y| inside(self.left, self.right, width).map(move |x| (x, y)))
            .collect()
    }
}
