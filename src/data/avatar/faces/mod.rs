//! Procedural anime faces with the 34 labels of make.girls.moe.

mod clothes;
mod dataset;
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
pub use reading::{ColourReading, EYE_WINDOWS, HAIR_WINDOWS, eye_colour, hair_colour, read_colours};
pub use regions::{Regions, Window, render_regions};
pub use sheet::{LabelPair, label_pair, label_sheet};
pub use spec::FaceSpec;

use crate::error::{Error, Result};
use image::RgbImage;

/// Draws a face, antialiased, `size`×`size` pixels.
///
/// # Errors
/// When `size` is 0 or above [`MAX_SIZE`].
pub fn render(face: &FaceSpec, size: u32) -> Result<RgbImage> {
    check_size(size)?;
    let bytes = sketch::Sketch::draw(face, size, false)?.into_rgb();
    RgbImage::from_raw(size, size, bytes).ok_or_else(|| Error::invalid("face", "a broken canvas", "size² pixels", ""))
}

/// Largest side of a drawn face in pixels.
pub const MAX_SIZE: u32 = 4096;

fn check_size(size: u32) -> Result<()> {
    if (1..=MAX_SIZE).contains(&size) {
        return Ok(());
    }
    Err(Error::invalid("face size", size.to_string(), format!("1 to {MAX_SIZE} pixels"), ""))
}
