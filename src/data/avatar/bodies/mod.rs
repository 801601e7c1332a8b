//! Procedural full bodies: one skeleton of 20 bones, many characters, continuous motions, exact key points.
//!
//! A body is modelled in space (bones, round limbs, hanging cloth and hair), seen by a fixed camera and painted from
//! the back to the front with the canvas of the faces. It stands in for the avatars of K. Hamada et al., "Full-body
//! high-resolution anime generation with progressive structure-conditional generative adversarial networks" (2018),
//! section 4, whose data set was not published.

mod body;
mod contact;
pub mod costume;
mod dataset;
mod export;
mod hair;
mod head;
mod limbs;
mod motion;
mod paint;
mod portrait;
mod rig;
mod sheet;
mod solid;
mod space;
mod tagging;
mod trunk;

pub use body::Joint;
pub use contact::{LIMBS, pose_picture};
pub use costume::Costume;
pub use dataset::{Bodies, Place};
pub use export::Written;
pub(super) use limbs::cuff;
pub use motion::{CLIP, Clip, Motion, RATE};
pub(super) use paint::contrast;
pub(super) use portrait::Portrait;
pub use rig::{BONES, Build};
pub use space::camera;

use image::RgbImage;

use super::faces::averaged;
use super::palette::WHITE;
use crate::error::{Error, Result};

/// Largest side of a drawn body in pixels.
pub const MAX_SIZE: u32 = 4096;

/// Below this side outlines are so thin that a body is drawn larger and averaged down.
const CRISP: u32 = 128;

/// Draws a character in pose `frame` of a clip, antialiased on white, `size`×`size` pixels.
///
/// # Errors
/// When `size` is 0 or above [`MAX_SIZE`].
pub fn render(costume: &Costume, clip: &Clip, frame: usize, size: u32) -> Result<RgbImage> {
    check_size(size)?;
    let finer = CRISP.div_ceil(size).max(1);
    let body = body::Body::new(costume, clip, frame);
    let canvas = paint::background(size * finer, WHITE)?;
    let bytes = paint::paint(&body, canvas)?.into_rgb();
    let image = picture(bytes, size * finer)?;
    Ok(if finer == 1 { image } else { averaged(&image, finer) })
}

fn picture(bytes: Vec<u8>, size: u32) -> Result<RgbImage> {
    RgbImage::from_raw(size, size, bytes).ok_or_else(|| Error::invalid("body", "a broken canvas", "size² pixels", ""))
}

/// Where the bones are in pose `frame` of a clip, in the order of
/// [`Skeleton::bones`](crate::data::skeleton::Skeleton::bones).
pub fn joints(costume: &Costume, clip: &Clip, frame: usize) -> [Joint; BONES] {
    body::Body::new(costume, clip, frame).joints()
}

fn check_size(size: u32) -> Result<()> {
    if (1..=MAX_SIZE).contains(&size) {
        return Ok(());
    }
    Err(Error::invalid("body size", size.to_string(), format!("1 to {MAX_SIZE} pixels"), ""))
}
