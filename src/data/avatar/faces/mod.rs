//! Procedural anime faces with the 34 labels of make.girls.moe.

mod clothes;
mod dataset;
mod edits;
mod export;
mod eyes;
mod hair;
mod hat;
mod head;
pub mod label;
mod mouth;
mod reading;
mod regions;
mod sheet;
mod sketch;
mod spec;
pub mod style;
mod wear;

pub use super::canvas::Region;
pub use dataset::Faces;
pub use edits::FaceEdit;
pub(super) use eyes::{brow, one as eye};
pub(super) use hair::{as_one, detail, fringe_edge};
pub(super) use head::{cheek, nose};
pub(super) use mouth::draw as mouth_of;
pub use reading::{ColourReading, EYE_WINDOWS, HAIR_WINDOWS, eye_colour, hair_colour, read_colours};
pub use regions::{Regions, Window, render_regions};
pub use sheet::{LabelPair, label_pair, label_sheet};
pub(super) use sketch::Sketch;
pub use spec::FaceSpec;
pub(super) use wear::{bow, bow_shape, contrasting};

use crate::error::{Error, Result};
use image::RgbImage;

/// Draws a face, antialiased, `size`×`size` pixels.
///
/// # Errors
/// When `size` is 0 or above [`MAX_SIZE`].
pub fn render(face: &FaceSpec, size: u32) -> Result<RgbImage> {
    check_size(size)?;
    let finer = CRISP.div_ceil(size).max(1);
    let bytes = sketch::Sketch::draw(face, size * finer, false)?.into_rgb();
    let image = RgbImage::from_raw(size * finer, size * finer, bytes)
        .ok_or_else(|| Error::invalid("face", "a broken canvas", "size² pixels", ""))?;
    Ok(if finer == 1 { image } else { averaged(&image, finer) })
}

/// Below this side the outlines are so thin that a face is drawn larger and averaged down.
const CRISP: u32 = 64;

/// The mean of every `factor`×`factor` block.
pub(super) fn averaged(image: &RgbImage, factor: u32) -> RgbImage {
    RgbImage::from_fn(image.width() / factor, image.height() / factor, |x, y| {
        let mut sums = [0; 3];
        for (dy, dx) in (0..factor).flat_map(|dy| (0..factor).map(move |dx| (dy, dx))) {
            let pixel = image.get_pixel(x * factor + dx, y * factor + dy).0;
            sums.iter_mut().zip(pixel).for_each(|(sum, value)| *sum += u32::from(value));
        }
        let count = factor * factor;
        image::Rgb(sums.map(|sum| ((sum + count / 2) / count) as u8))
    })
}

/// Largest side of a drawn face in pixels.
pub const MAX_SIZE: u32 = 4096;

pub(super) fn check_size(size: u32) -> Result<()> {
    if (1..=MAX_SIZE).contains(&size) {
        return Ok(());
    }
    Err(Error::invalid("face size", size.to_string(), format!("1 to {MAX_SIZE} pixels"), ""))
}
