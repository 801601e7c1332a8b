//! From the textures of a game to a data set of characters.
//!
//! The HKUST report trains StyleGAN on the standing pictures of two mobile games (specs/fullbody E.1). Unpacked, these are
//! textures with their opacity in a second file, sometimes cut into pieces. The steps, each usable by itself:
//!
//! 1. [`pairing`]: which files belong together;
//! 2. [`texture`]: colours and opacity to one picture, and this to one without transparency;
//! 3. [`mesh`]: pieces back to their places;
//! 4. [`fit`]: what can be seen, in a square of the wanted size, and its pyramid.
//!
//! [`game_art`] does them all for a folder; every file that does not come through is in its report with the reason.

pub mod fit;
mod folder;
pub mod mesh;
pub mod pairing;
mod picture;
mod record;
pub mod texture;

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use folder::game_art;
pub(in crate::data::prepare) use folder::stem;
pub use texture::Channel;

pub use crate::data::report::{PROBLEMS, REPORT};

use super::measure::Limits;
use crate::data::manifest::{Background, Filter};
use crate::data::report::Report;
use crate::{Error, Result};

/// Name of the file that says what became of each texture, one line of JSON each, in the folder of the pictures.
pub const RECORDS: &str = "art.jsonl";
/// Smallest side of a pyramid.
pub const SMALLEST: u32 = 4;

/// What becomes of opacity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Transparency {
    /// Pictures are laid over the background ([`texture::composite`]).
    #[default]
    Composite,
    /// The HKUST report's rule ([`texture::threshold`]) with this limit; theirs is 80.
    Threshold(u8),
    /// Pictures keep it: files have four channels.
    Keep,
}

/// How textures become pictures.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArtOptions {
    /// Side of the pictures in pixels, 4 to 2048; none leaves them as large as they are, untrimmed.
    pub size: Option<u32>,
    /// What becomes of opacity.
    pub transparency: Transparency,
    /// Which channel of an opacity texture is the opacity.
    pub channel: Channel,
    /// What is seen through transparent pixels and beside pictures that are no squares.
    pub background: Background,
    /// Names of folders of opacity textures, besides [`pairing::ALPHA_FOLDERS`].
    pub alpha_folders: Vec<String>,
    /// A folder of meshes (`x.obj` or `x-mesh.obj` for the texture `x.png`); those beside the textures are found without.
    #[serde(skip)]
    pub meshes: Option<PathBuf>,
    /// Opacity from which a pixel counts as visible, 1 to 255. Below 8 is what compression leaves behind.
    pub visible: u8,
    /// Pixels of the texture that are left around what is visible.
    pub margin: u32,
    /// How pictures are resized.
    pub filter: Filter,
    /// Whether smaller pictures are enlarged to the size; otherwise they are left out.
    pub enlarge: bool,
    /// All halvings of the size down to 4 pixels as well.
    pub pyramid: bool,
    /// Which pictures are left out, by what is visible of them.
    pub limits: Limits,
    /// Pictures that differ in at most so many of 256 bits are reported as near-duplicates
    /// ([`near_duplicates`](super::measure::near_duplicates)).
    pub near: u32,
    /// Near-duplicates of earlier pictures are left out.
    pub drop_near: bool,
    /// What the manifest says of the pictures.
    pub title: String,
    /// Whose they are.
    pub licence: String,
    /// Where they are from.
    pub source: String,
}

impl Default for ArtOptions {
    fn default() -> Self {
        ArtOptions {
            size: Some(512),
            transparency: Transparency::default(),
            channel: Channel::default(),
            background: Background::default(),
            alpha_folders: Vec::new(),
            meshes: None,
            visible: 8,
            margin: 0,
            filter: Filter::default(),
            enlarge: true,
            pyramid: false,
            limits: Limits::default(),
            near: 10,
            drop_near: false,
            title: "Pictures of a game".into(),
            licence: "not stated".into(),
            source: "not stated".into(),
        }
    }
}

impl ArtOptions {
    /// As the HKUST report's script leaves pictures: its rule for opacity, nothing trimmed and nothing resized.
    pub fn faithful() -> ArtOptions {
        ArtOptions { size: None, transparency: Transparency::Threshold(80), ..ArtOptions::default() }
    }

    fn check(&self) -> Result<()> {
        let wrong = |what: &str, found: String, expected: &str| Err(Error::invalid(what, found, expected, ""));
        match self.size {
            Some(size) if !(4..=2048).contains(&size) => return wrong("size", size.to_string(), "4 to 2048 pixels"),
            Some(size) if self.pyramid && !size.is_power_of_two() => {
                return wrong("size of a pyramid", size.to_string(), "a power of two: 64, 128, 256, 512, …");
            }
            None if self.pyramid => return wrong("pyramid", "pictures as large as they are".into(), "a size"),
            _ => {}
        }
        if self.visible == 0 {
            return wrong("visible", "0".into(), "an opacity from 1 to 255");
        }
        if !(self.limits.max_aspect >= 1.0 && (0.0..=1.0).contains(&self.limits.max_blank)) {
            let Limits { max_aspect, max_blank, .. } = self.limits;
            let found = format!("aspect {max_aspect}, blank {max_blank}");
            return wrong("limits", found, "an aspect of 1 or more, a blank share from 0 to 1");
        }
        Ok(())
    }

    /// Opacity from which pixels count as visible: of the report's rule what it keeps.
    fn seen(&self) -> u8 {
        match self.transparency {
            Transparency::Threshold(limit) => limit.max(1),
            _ => self.visible,
        }
    }
}

/// What [`game_art`] did.
#[derive(Clone)]
pub struct ArtReport {
    /// The folder with the pictures.
    pub folder: PathBuf,
    /// The manifest that [`Dataset::open`](crate::data::Dataset::open) takes; none without a picture.
    pub manifest: Option<PathBuf>,
    /// Files that were found: colours, opacity and whole pictures.
    pub files: usize,
    /// Pictures that were made now.
    pub written: usize,
    /// Pictures that an earlier run had made.
    pub kept: usize,
    /// What is in the data set, and every file that is not, with its reason.
    pub problems: Report,
}

impl fmt::Display for ArtReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ArtReport { folder, files, written, kept, problems, .. } = self;
        let before = if *kept == 0 { String::new() } else { format!(", {kept} were there") };
        writeln!(f, "{}: {written} pictures made of {files} files{before}", folder.display())?;
        write!(f, "{problems}")
    }
}

impl fmt::Debug for ArtReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}
