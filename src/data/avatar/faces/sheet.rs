//! All labels side by side, and single labels on a face of one's choice.

use image::RgbImage;

use super::spec::FaceSpec;
use super::{label, render};
use crate::Result;
use crate::rng::Seed;

/// One label, and the same face without and with it.
#[derive(Clone, Debug)]
pub struct LabelPair {
    /// The label's name.
    pub label: String,
    /// The face without it; for a colour: with brown hair and brown eyes, or with blonde hair or blue eyes for the
    /// browns themselves.
    pub off: RgbImage,
    /// The same face with it.
    pub on: RgbImage,
}

/// Every one of the 34 labels off and on, everything else equal; each on a face of its own.
///
/// # Errors
/// When `size` is 0 or above [`MAX_SIZE`](super::MAX_SIZE).
pub fn label_sheet(size: u32, seed: Seed) -> Result<Vec<LabelPair>> {
    (0..label::COUNT)
        .map(|id| {
            let (off, on) = label_pair(id, seed.child(&format!("sheet/{id}")))?;
            Ok(LabelPair { label: label::name(id).to_string(), off: render(&off, size)?, on: render(&on, size)? })
        })
        .collect()
}

/// A face without and with one label, everything else equal: brown hair and eyes where the label does not say
/// otherwise, all other labels off.
///
/// # Errors
/// When the number is not below 34.
pub fn label_pair(id: usize, seed: Seed) -> Result<(FaceSpec, FaceSpec)> {
    const BROWN: (usize, usize) = (1, 2);
    let (hair, eyes) = (label::HAIR.start, label::EYES.start);
    let mut labels = [false; label::COUNT];
    labels[if id == hair + BROWN.0 { hair } else { hair + BROWN.0 }] = true;
    labels[if id == eyes + BROWN.1 { eyes } else { eyes + BROWN.1 }] = true;
    let off = FaceSpec::draw(labels, seed);
    let on = off.with_label(id, true)?;
    Ok((off, on))
}
