//! What is known about every file of a messy folder: the lines of `truth.jsonl`.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::data::skeleton::KeyPoint;
use crate::error::{Error, Result};

/// Name of the file with the truth, in the folder itself.
pub const TRUTH: &str = "truth.jsonl";

/// A rectangle in pixels of the file: left, top, right, bottom. 0 is the left or upper border of the picture and its
/// width or height the other one, so that right − left is the width of the rectangle.
pub type Bounds = [f32; 4];

/// What a file shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A character and a photo of its clothing: what the construction has to find.
    Pair,
    /// One character alone.
    Character,
    /// Clothing alone.
    Clothing,
    /// Two characters side by side or one above the other.
    TwoCharacters,
    /// A scene without character and clothing.
    Landscape,
    /// Lines of text, with a picture of neither between them.
    Page,
    /// Nothing: the file cannot be decoded.
    Broken,
}

/// Where the character of a pair is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Arrangement {
    /// To the left of the clothing.
    Left,
    /// To the right of the clothing.
    Right,
    /// Above the clothing.
    Above,
    /// Below the clothing.
    Below,
}

/// What is unusual about the file as a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Oddity {
    /// Cut off in the middle of its data. Broken.
    Truncated,
    /// No bytes at all. Broken.
    Empty,
    /// A text under the name of a picture, as servers answer when a picture is gone. Broken.
    Text,
    /// The bytes are of another format than the ending says (a PNG named `.jpg`). Decodes by its content.
    Renamed,
    /// With an opacity channel: what is not drawn is transparent.
    Alpha,
    /// One channel only.
    Grey,
}

impl Oddity {
    /// Whether a file like this cannot be decoded.
    pub fn is_broken(self) -> bool {
        matches!(self, Oddity::Truncated | Oddity::Empty | Oddity::Text)
    }
}

/// How a near duplicate was made from the picture it repeats.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Alteration {
    /// The file that it repeats.
    pub of: String,
    /// Width and height of that file times this.
    pub scale: f32,
    /// Share of the width and height of that file that was cut off at its left, upper, right and lower border.
    pub crop: [f32; 4],
    /// Every channel times this.
    pub brightness: f32,
    /// Quality of the JPEG, 1 to 100; none for PNG.
    pub quality: Option<u8>,
}

/// Everything about one file. Boxes, key points and centre are in its own pixels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileTruth {
    /// Path below the folder, with slashes.
    pub file: String,
    /// What it shows.
    pub kind: Kind,
    /// What is unusual about the file itself.
    pub oddity: Option<Oddity>,
    /// Width and height in pixels; 0 for a broken file.
    pub width: u32,
    /// See `width`.
    pub height: u32,
    /// Files that show the same picture, up to [`Alteration`]s, have the same number; every other file has one of its
    /// own. No picture is in two groups.
    pub group: usize,
    /// How it was made, for a near duplicate; nothing for the first one of its group.
    pub duplicate: Option<Alteration>,
    /// Number of the pair that it shows; equal for duplicates. Only with [`Kind::Pair`].
    pub pair: Option<usize>,
    /// Where the character of a pair is.
    pub arrangement: Option<Arrangement>,
    /// The drawn character, as tightly as it is drawn; of two characters the first one.
    pub character: Option<Bounds>,
    /// The clothing in the photo, as tightly as it is seen, without hanger and mannequin.
    pub clothing: Option<Bounds>,
    /// The whole panel of the character: the part of the file that its own picture fills.
    pub character_panel: Option<Bounds>,
    /// The whole panel of the photo.
    pub clothing_panel: Option<Bounds>,
    /// Centre of the clothing: the mean x of its known key points, and the middle of its box from top to bottom.
    pub centre: Option<[f32; 2]>,
    /// The 24 key points of the clothing in the photo, in the order of
    /// [`Skeleton::fashion`](crate::data::skeleton::Skeleton::fashion): x, y, and 1 where the garment has that point and
    /// it is inside the file, else three zeros. Empty for files without clothing.
    pub keypoints: Vec<KeyPoint>,
}

impl FileTruth {
    /// Whether the file decodes to a picture.
    pub fn is_readable(&self) -> bool {
        self.kind != Kind::Broken
    }
}

/// Reads the lines of a [`TRUTH`] file.
///
/// # Errors
/// When it cannot be read, or a line is not what [`FileTruth`] is written as.
pub fn read_truth(path: impl AsRef<Path>) -> Result<Vec<FileTruth>> {
    let path = path.as_ref();
    let text = fs::read_to_string(path).map_err(|source| Error::io("read the truth", path, source))?;
    let line = |(i, line): (usize, &str)| {
        serde_json::from_str(line).map_err(|error| {
            let place = format!("{}:{}", path.display(), i + 1);
            Error::file(place, error.to_string(), "a line as `tachie data avatar-crawl` writes it", "")
        })
    };
    text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()).map(line).collect()
}

/// The text of a [`TRUTH`] file.
pub(super) fn lines(truth: &[FileTruth]) -> Result<String> {
    let line = |one: &FileTruth| {
        let text = serde_json::to_string(one);
        text.map_err(|error| Error::invalid(format!("truth of {}", one.file), error.to_string(), "finite numbers", ""))
    };
    Ok(truth.iter().map(line).collect::<Result<Vec<_>>>()?.join("\n") + "\n")
}
