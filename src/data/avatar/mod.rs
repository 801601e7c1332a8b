//! Procedural anime characters whose labels are exact.

mod canvas;
pub mod faces;
pub mod palette;
mod shape;

use faces::Faces;

/// The built-in data: characters drawn on the spot, with exact labels.
#[derive(Clone, Copy, Debug)]
pub struct Avatar;

impl Avatar {
    /// Anime faces with the 34 labels of make.girls.moe, framed as the paper's crops (1.5 times the face box).
    ///
    /// ```
    /// use tachie::data::avatar::Avatar;
    /// let faces = Avatar::faces().size(32).take(4)?;
    /// assert_eq!(faces.image(0)?.dimensions(), (32, 32));
    /// # Ok::<(), tachie::Error>(())
    /// ```
    pub fn faces() -> Faces {
        Faces::default()
    }
}
