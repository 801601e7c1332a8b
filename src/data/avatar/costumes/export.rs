//! Costumes as files.

use std::path::{Path, PathBuf};

use image::{DynamicImage, ImageFormat};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::dataset::{Costumes, View};
use super::truth::PairTruth;
use crate::data::avatar::files::save_picture;
use crate::data::claim::claim;
use crate::data::dataset::Split;
use crate::error::{Error, Result};
use crate::show::save::write_whole;

/// The settings of a folder, which is begun with them.
const SETTINGS: &str = "costumes.json";

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// What is known about every pair, one line each.
    pub truth: PathBuf,
    /// Pairs for training.
    pub train: usize,
    /// Pairs for testing.
    pub test: usize,
}

/// A line of `truth.jsonl`.
#[derive(Serialize, Deserialize)]
struct Row {
    /// Path of the drawing below the folder.
    source: String,
    /// Path of the photo.
    file: String,
    width: u32,
    height: u32,
    skeleton: String,
    #[serde(flatten)]
    truth: PairTruth,
}

impl Costumes {
    /// Draws all pairs into a folder in the layout of the paper's code: `train/a/NAME.png` is a character and
    /// `train/b/NAME.png` the photo of what it wears, `test/` likewise. With `masks` also `train/masks/a/NAME.png` and so
    /// on, 255 where one sees clothing. Last of all the table `truth.jsonl` appears, with a [`PairTruth`] and both files a
    /// line.
    ///
    /// Every file appears whole or not at all, and a folder whose drawing was interrupted is completed.
    ///
    /// # Errors
    /// As [`Costumes::dataset`]; when the folder holds pairs of other settings or anything else (nothing is overwritten),
    /// or it cannot be written.
    pub fn write_folder(&self, folder: impl AsRef<Path>, masks: bool) -> Result<Written> {
        let folder = folder.as_ref();
        self.check()?;
        let settings = serde_json::json!({ "costumes": self, "fingerprint": self.fingerprint()?, "masks": masks });
        claim(folder, SETTINGS, &settings, "costumes", &self.to_string())?;
        let write = |i| write_pair(folder, self, i, masks);
        let rows = (0..self.len()).into_par_iter().map(write).collect::<Result<Vec<_>>>()?;
        let test = rows.iter().filter(|row| row.truth.split == Split::Test).count();
        let line = |row: &Row| {
            let text = serde_json::to_string(row);
            text.map_err(|error| Error::invalid("truth of a pair", error.to_string(), "finite numbers", ""))
        };
        let lines = rows.iter().map(line).collect::<Result<Vec<_>>>()?;
        let truth = folder.join("truth.jsonl");
        write_whole(&truth, (lines.join("\n") + "\n").as_bytes())?;
        Ok(Written { truth, train: rows.len() - test, test })
    }
}

fn write_pair(folder: &Path, costumes: &Costumes, i: usize, masks: bool) -> Result<Row> {
    let ([drawn, photo], truth) = costumes.drawn(i)?;
    let View { costume, view } = costumes.view(i);
    let part = if truth.split == Split::Test { "test" } else { "train" };
    let place = |of: &str| format!("{part}/{of}/{costume:05}-{view:02}.png");
    let (width, height) = photo.dimensions();
    save(drawn.into(), &folder.join(place("a")))?;
    save(photo.into(), &folder.join(place("b")))?;
    if masks {
        let [worn, seen] = costumes.masks(i)?;
        save(worn.into(), &folder.join(place("masks/a")))?;
        save(seen.into(), &folder.join(place("masks/b")))?;
    }
    let skeleton = "fashion".into();
    Ok(Row { source: place("a"), file: place("b"), width, height, skeleton, truth })
}

/// Writes a PNG file, unless it is there.
fn save(image: DynamicImage, path: &Path) -> Result<()> {
    if path.exists() {
        return Ok(());
    }
    let mut bytes = std::io::Cursor::new(Vec::new());
    let refused = |error: image::ImageError| Error::file(path, error.to_string(), "a picture that can be written", "");
    image.write_to(&mut bytes, ImageFormat::Png).map_err(refused)?;
    save_picture(path, &bytes.into_inner())
}
