//! How files become pictures of one size, and which tags they may carry.

use std::collections::BTreeMap;
use std::path::Path;

use image::{RgbImage, imageops};
use serde::{Deserialize, Serialize};

use crate::data::placement::Placement;
use crate::data::tags::{Tag, TagGroup, TagSet};
use crate::{Error, Result};

/// How the files of a folder become pictures of one size.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImagePolicy {
    /// Side of the pictures in pixels, 4 to 2048.
    pub size: u32,
    /// What happens to the shape of a picture.
    #[serde(default)]
    pub resize: Resize,
    /// The filter of resizing. All but the nearest look at every pixel when a picture shrinks, as Pillow does.
    #[serde(default)]
    pub filter: Filter,
    /// Files with a shorter side than this are left out.
    #[serde(default)]
    pub min_side: u32,
    /// Files with transparent pixels.
    #[serde(default)]
    pub alpha: Alpha,
    /// What is seen through transparent pixels and beside padded pictures: "#rrggbb".
    #[serde(default)]
    pub background: Background,
    /// Grey files: made red-green-blue, or left out.
    #[serde(default)]
    pub grey: Conversion,
    /// Files of 16 bits per channel: rounded to 8, or left out.
    #[serde(default)]
    pub deep: Conversion,
}

/// What happens to the shape of a picture that is not a square of the right size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Resize {
    /// The middle square is cut out and resized.
    #[default]
    Crop,
    /// The whole picture is resized, its proportions are lost.
    Squash,
    /// The whole picture is resized, and the missing strips get the background.
    Pad,
    /// The whole picture in the middle, made smaller only if it is too large; around it is its mirror image.
    /// [`ImagePolicy::back`] cuts it out again.
    Mirror,
    /// Files of any other size are left out.
    Exact,
}

/// The filter of resizing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Filter {
    /// Lanczos with three lobes: the sharpest.
    #[default]
    Lanczos,
    /// Catmull–Rom cubic.
    Bicubic,
    /// Linear.
    Bilinear,
    /// The mean of the pixels below, by area: nothing overshoots at hard edges.
    Box,
    /// The nearest pixel: for pixel art.
    Nearest,
}

/// What happens to files with transparent pixels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Alpha {
    /// They are laid over the background.
    #[default]
    Composite,
    /// They are left out.
    Refuse,
}

/// What happens to files whose pixels are of another kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Conversion {
    /// They are converted, and the report says so.
    #[default]
    Convert,
    /// They are left out.
    Refuse,
}

/// A colour: "#rrggbb" in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Background(pub [u8; 3]);

/// The vocabulary of a folder, and what the tag table may say.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TagPolicy {
    /// A vocabulary of this library.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vocabulary: Option<Vocabulary>,
    /// A vocabulary of your own, in label order. Without either, every column of the tag table is a tag.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
    /// Groups of which a picture has at most one tag, by their names. For a vocabulary of your own.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub exclusive: BTreeMap<String, Vec<String>>,
    /// Tags that are numbers (release year), outside [0, 1] too. For a vocabulary of your own.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub continuous: Vec<String>,
    /// Tags of the table that the vocabulary does not have.
    pub unknown: UnknownTags,
    /// The table holds probabilities of a tagger: of every exclusive group the likeliest tag is on, of the others those
    /// strictly above this threshold (make.girls.moe, section 3.1: 0.25).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f32>,
}

/// A vocabulary of this library.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Vocabulary {
    /// The 34 tags of the make.girls.moe paper.
    #[serde(rename = "make-girls")]
    MakeGirls,
    /// The 36 tags of the later 256 px networks.
    #[serde(rename = "make-girls-256")]
    MakeGirls256,
}

/// What happens to tags of the table that the vocabulary does not have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UnknownTags {
    /// They are ignored, and the report names them.
    #[default]
    Report,
    /// The data set is refused.
    Refuse,
}

impl Default for Background {
    /// White.
    fn default() -> Self {
        Background([255; 3])
    }
}

impl Background {
    /// What is seen through a pixel of this colour and opacity: α·colour + (1 − α)·background, rounded.
    pub(crate) fn below(self, colour: [u8; 3], alpha: u8) -> [u8; 3] {
        std::array::from_fn(|channel| {
            let [front, back] = [colour[channel], self.0[channel]].map(u32::from);
            ((front * u32::from(alpha) + back * (255 - u32::from(alpha)) + 127) / 255) as u8
        })
    }
}

/// "#rrggbb", "rrggbb" or three numbers from 0 to 255 ("255,255,255").
impl std::str::FromStr for Background {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.contains(',') {
            let numbers: Option<Vec<u8>> = text.split(',').map(|part| part.trim().parse().ok()).collect();
            let colour = numbers.and_then(|numbers| <[u8; 3]>::try_from(numbers).ok());
            return colour.map(Background).ok_or_else(|| format!("colour {text:?}, expected three numbers, 0 to 255"));
        }
        Background::try_from(format!("#{}", text.trim_start_matches('#')))
    }
}

impl TryFrom<String> for Background {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let digits = text.strip_prefix('#').filter(|d| d.len() == 6 && d.chars().all(|c| c.is_ascii_hexdigit()));
        match digits.map(|digits| u32::from_str_radix(digits, 16)) {
            Some(Ok(number)) => Ok(Background([(number >> 16) as u8, (number >> 8) as u8, number as u8])),
            _ => Err(format!("colour {text:?}, expected \"#rrggbb\"")),
        }
    }
}

impl From<Background> for String {
    fn from(Background([r, g, b]): Background) -> String {
        format!("#{r:02x}{g:02x}{b:02x}")
    }
}

impl ImagePolicy {
    /// Pictures of this side, everything else by default.
    pub fn new(size: u32) -> ImagePolicy {
        ImagePolicy {
            size,
            resize: Resize::default(),
            filter: Filter::default(),
            min_side: 0,
            alpha: Alpha::default(),
            background: Background::default(),
            grey: Conversion::default(),
            deep: Conversion::default(),
        }
    }

    /// Of a picture that a network made from one that was brought to size, the part that shows it, without the strips beside
    /// it: for [`Resize::Pad`] and [`Resize::Mirror`]. `original` is the width and height that the file had; `made` may have
    /// another side than [`size`](ImagePolicy::size). Other pictures come back as they are.
    pub fn back(&self, made: &RgbImage, original: (u32, u32)) -> RgbImage {
        let side = made.dimensions();
        let share =
            |value: u32, most: u32| (f64::from(value) * f64::from(most) / f64::from(self.size.max(1))).round() as u32;
        match Placement::of(self.resize, original, (self.size, self.size)) {
            Some(Placement { to: [left, top, width, height], .. }) => {
                let (left, top) = (share(left, side.0), share(top, side.1));
                let (width, height) = (share(width, side.0).max(1), share(height, side.1).max(1));
                imageops::crop_imm(made, left, top, width, height).to_image()
            }
            None => made.clone(),
        }
    }

    pub(super) fn check(&self, path: &Path) -> Result<()> {
        if (4..=2048).contains(&self.size) {
            return Ok(());
        }
        let found = format!("image.size = {}", self.size);
        Err(Error::file(path, found, "4 to 2048 pixels", "Correct the manifest."))
    }
}

impl TagPolicy {
    /// The vocabulary that the policy spells out; none when the columns of the table are to be taken.
    ///
    /// # Errors
    /// Two vocabularies, groups or numbers without names, groups that name tags that are not there.
    pub fn vocabulary(&self, path: impl AsRef<Path>) -> Result<Option<TagSet>> {
        let path = path.as_ref();
        let wrong = |found: &str, expected: &str| Err(Error::file(path, found, expected, "Correct [tags]."));
        let extras = !self.exclusive.is_empty() || !self.continuous.is_empty();
        match (self.vocabulary, self.names.is_empty()) {
            (Some(_), false) => wrong("tags.vocabulary and tags.names", "one of the two"),
            (Some(_), true) if extras => {
                wrong("groups or numbers beside tags.vocabulary", "tags.names with them, or the vocabulary as it is")
            }
            (None, true) if extras => wrong("groups or numbers without tags.names", "all three"),
            (Some(Vocabulary::MakeGirls), true) => Ok(Some(TagSet::make_girls())),
            (Some(Vocabulary::MakeGirls256), true) => Ok(Some(TagSet::make_girls_256())),
            (None, true) => Ok(None),
            (None, false) => {
                let set = self.own_vocabulary();
                set.map(Some).map_err(|error| Error::file(path, error.to_string(), "a usable [tags]", ""))
            }
        }
    }

    fn own_vocabulary(&self) -> Result<TagSet> {
        let plain = TagSet::from_names(&self.names)?;
        let mut tags = plain.tags().to_vec();
        for name in &self.continuous {
            let id = plain.id(name)?;
            tags[id] = Tag { continuous: true, ..tags[id].clone() };
        }
        let mut groups = Vec::new();
        for (name, members) in &self.exclusive {
            let mut members = members.iter().map(|member| plain.id(member)).collect::<Result<Vec<_>>>()?;
            members.sort_unstable();
            groups.push(TagGroup { name: name.clone(), members });
        }
        groups.sort_by_key(|group| group.members.first().copied());
        TagSet::new(tags, groups)
    }
}
