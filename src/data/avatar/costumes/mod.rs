//! Procedural pairs: an anime character in a costume, and a "photo" of the same costume alone.
//!
//! They stand in for the pairs of S. Tango et al., "Anime-to-Real Clothing: Cosplay Costume Generation via
//! Image-to-Image Translation" (2020), section 3, which were not published. Both pictures are made from one [`Outfit`]:
//! kinds, cuts, colours and ornaments are the same; how the character stands, how the garment hangs, what holds it, the
//! room, the light and the noise of the photo differ from pair to pair.

mod dataset;
mod export;
mod photo;
mod tagging;
mod truth;
mod wardrobe;

pub use super::bodies::costume::Outfit;
pub use crate::data::poses::fashion::Category;
pub use dataset::{Costumes, View};
pub use export::Written;
pub(super) use photo::Photo;
pub use truth::{PairTruth, Shown};
pub(super) use wardrobe::costume;

use super::bodies::{Costume, Portrait};
use crate::rng::Seed;

/// Largest side of a picture in pixels.
pub const MAX_SIZE: u32 = 4096;

/// The two pictures of a pair, ready to be painted at any size.
pub(super) struct Sides<'a> {
    pub portrait: Portrait<'a>,
    pub photo: Photo,
}

impl<'a> Sides<'a> {
    /// A pair of one costume; the same seed gives the same pair.
    pub fn new(costume: &'a Costume, calibrated: bool, seed: Seed) -> Sides<'a> {
        let portrait = Portrait::new(costume, &mut seed.stream("portrait"));
        Sides { portrait, photo: Photo::new(&costume.outfit, calibrated, seed) }
    }
}
