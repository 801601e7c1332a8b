//! Faces as files.

use std::path::{Path, PathBuf};

use image::RgbImage;

use super::check_size;
use super::dataset::Faces;
use crate::Result;
use crate::data::dataset::{Dataset, Source};
use crate::data::import::About;
use crate::data::tags::TagSet;
use crate::error::Error;

impl Faces {
    /// Draws `n` faces into a new folder that [`Dataset::open`] reads: `images/`, the tag table `tags.csv` and
    /// `dataset.toml`, whose path is returned. Pictures are written as they are drawn, not held in memory.
    ///
    /// # Errors
    /// When `n` is 0, the size is 0 or above [`MAX_SIZE`](super::MAX_SIZE), the folder holds anything already
    /// (nothing is overwritten), or it cannot be written.
    pub fn write_folder(&self, n: usize, folder: impl AsRef<Path>) -> Result<PathBuf> {
        check_size(self.picture_size())?;
        if n == 0 {
            return Err(Error::invalid("number of faces", "0", "at least 1", ""));
        }
        let about = About {
            title: format!("{n} procedural anime faces with exact tags"),
            licence: "MIT OR Apache-2.0".into(),
            source: format!("drawn by tachie {}: {self}.take({n})", env!("CARGO_PKG_VERSION")),
        };
        let drawing = Drawing { faces: self.clone(), tags: self.tags()?, count: n };
        Dataset::from_source(drawing).write_folder(folder, &about)
    }
}

/// Faces that are drawn whenever they are asked for: right for going through them once.
struct Drawing {
    faces: Faces,
    tags: TagSet,
    count: usize,
}

impl Source for Drawing {
    fn len(&self) -> usize {
        self.count
    }

    fn tags(&self) -> &TagSet {
        &self.tags
    }

    fn image(&self, i: usize) -> Result<RgbImage> {
        self.faces.image(i)
    }

    fn labels(&self, i: usize) -> Vec<f32> {
        // A data set refuses labels of the wrong length, so that no face goes without its labels.
        self.faces.spec(i).map_or_else(|_| Vec::new(), |face| face.values())
    }

    fn name(&self) -> String {
        self.faces.name()
    }

    fn fingerprint(&self) -> String {
        format!("{}.take({})", self.faces, self.count)
    }

    fn size(&self) -> u32 {
        self.faces.picture_size()
    }
}
