//! Procedural anime characters whose labels are exact.

mod bend;
pub mod bodies;
mod canvas;
pub mod costumes;
pub mod crawl;
pub mod faces;
mod files;
pub mod palette;
mod shape;

use bodies::Bodies;
use costumes::Costumes;
use crawl::Crawl;
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

    /// Full bodies with 20 exact key points: characters (costumes) that keep face, hair, clothes and proportions in all
    /// poses of continuous motions, on white.
    ///
    /// ```
    /// use tachie::data::avatar::Avatar;
    /// let bodies = Avatar::bodies().size(64).costumes(3).poses(50).dataset()?;
    /// assert_eq!((bodies.len(), bodies.keypoints(0)?.len()), (150, 20));
    /// # Ok::<(), tachie::Error>(())
    /// ```
    pub fn bodies() -> Bodies {
        Bodies::default()
    }

    /// Pairs of a character in a costume and a "photo" of the same costume alone: the photo is to be made from the
    /// character.
    ///
    /// ```
    /// use tachie::data::avatar::Avatar;
    /// let pairs = Avatar::costumes().size(64).count(20).dataset()?;
    /// assert!(pairs.has_sources() && pairs.source_image(3)? != pairs.image(3)?);
    /// # Ok::<(), tachie::Error>(())
    /// ```
    pub fn costumes() -> Costumes {
        Costumes::default()
    }

    /// A messy folder of pictures as a crawl of the web gives it: pairs beside and above each other, unpaired pictures,
    /// near duplicates, broken files, with the truth about each.
    ///
    /// ```
    /// use tachie::data::avatar::Avatar;
    /// use tachie::data::avatar::crawl::Kind;
    /// let files = Avatar::crawl().files(12).sides(64..=96).all()?;
    /// assert!(files.iter().any(|file| file.truth.kind == Kind::Pair));
    /// # Ok::<(), tachie::Error>(())
    /// ```
    pub fn crawl() -> Crawl {
        Crawl::default()
    }
}
