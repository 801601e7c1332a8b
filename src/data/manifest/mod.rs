//! The description of a data set in a TOML file: where it comes from, under which licence, and how to read it.

mod pairs;
mod policy;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::avatar::bodies::Bodies;
use super::avatar::costumes::Costumes;
use super::dataset::Splits;
use super::import::About;
use super::tags::TagSampler;
use crate::hash::sha256;
use crate::{Error, Result};

pub use pairs::{PairLayout, Side};
pub use policy::{Alpha, Background, Conversion, Filter, ImagePolicy, Resize, TagPolicy, UnknownTags, Vocabulary};

/// The version of the format that this library writes and reads.
pub const VERSION: u32 = 1;

/// A manifest file, checked. Unknown keys are refused.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Version of the format: 1.
    pub version: u32,
    /// Short name: letters, digits, `-` and `_`.
    pub name: String,
    /// One line that says what the pictures are.
    pub title: String,
    /// The licence of the pictures, or why there is none.
    pub licence: String,
    /// Where the pictures come from: an address, a paper, a program.
    pub source: String,
    /// The paper that uses them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paper: Option<String>,
    /// Anything a user has to know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Layout: pictures made by `Avatar`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub avatar: Option<AvatarLayout>,
    /// Layout: full bodies made by `Avatar`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bodies: Option<Bodies>,
    /// Layout: pairs of a character and a photo of its costume made by `Avatar`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub costumes: Option<Costumes>,
    /// Layout: a folder of picture files, usually with a tag table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folder: Option<FolderLayout>,
    /// Layout: a packed store, made by `tachie data pack`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store: Option<StoreLayout>,
    /// Layout: pairs of picture files, of which one is to be made from the other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pairs: Option<PairLayout>,
    /// How the files of a folder become pictures of one size. Required with `folder` and `pairs`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<ImagePolicy>,
    /// The vocabulary of a folder, and what the tag table may say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<TagPolicy>,
    /// The division into training, validation and test pictures.
    #[serde(default)]
    pub splits: Splits,
    /// SHA-256 sums (64 hexadecimal digits) of files, by their path beside the manifest.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub checksums: BTreeMap<String, String>,
    /// How the pictures were made, in order. For people: nothing of it is run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub prepare: Vec<PreparationStep>,
}

/// Pictures made by `Avatar::faces()`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AvatarLayout {
    /// Number of pictures.
    pub count: usize,
    /// Side in pixels.
    pub size: u32,
    /// The seed of faces and attributes.
    #[serde(default)]
    pub seed: u64,
    /// How attributes are drawn: "uniform" or "frequencies".
    #[serde(default)]
    pub sampler: TagSampler,
    /// Whether there is one more label, the year of release ([`Faces::years`](crate::data::avatar::faces::Faces::years)).
    #[serde(default)]
    pub years: bool,
}

/// A folder of picture files.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FolderLayout {
    /// The folder, beside the manifest. Sub-folders belong to it.
    pub images: PathBuf,
    /// The tag table beside the manifest: `.csv` or `.jsonl`. Without one every picture of the folder is used, unlabelled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table: Option<PathBuf>,
    /// The column (key) of the table that says "train", "validation" or "test".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split_column: Option<String>,
    /// Columns (keys) of the table that are neither tags nor anything else of interest.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ignore_columns: Vec<String>,
    /// Key points of the pictures beside the manifest, as JSON lines ([`PoseSequence`](crate::data::PoseSequence)). With it,
    /// pictures without a pose are left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub poses: Option<PathBuf>,
}

/// A packed store.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoreLayout {
    /// The file, beside the manifest.
    pub file: PathBuf,
}

/// One step of how the pictures were made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PreparationStep {
    /// What is done and why, in words.
    pub what: String,
    /// The command that does it, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
}

impl Manifest {
    /// A manifest that says where pictures come from and nothing else yet; what a name may not hold becomes `-`.
    pub(in crate::data) fn new(name: &str, about: &About) -> Manifest {
        let letter = |c: char| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' };
        Manifest {
            version: VERSION,
            name: name.chars().map(letter).collect(),
            title: about.title.clone(),
            licence: about.licence.clone(),
            source: about.source.clone(),
            paper: None,
            note: None,
            avatar: None,
            bodies: None,
            costumes: None,
            folder: None,
            store: None,
            pairs: None,
            image: None,
            tags: None,
            splits: Splits::default(),
            checksums: BTreeMap::new(),
            prepare: Vec::new(),
        }
    }

    /// Reads and checks a manifest file.
    ///
    /// # Errors
    /// When it cannot be read, is not TOML, has unknown keys (with line and the known ones), lacks name, title, licence
    /// or source, or says what cannot be.
    pub fn open(path: impl AsRef<Path>) -> Result<Manifest> {
        let path = path.as_ref();
        let text = fs::read_to_string(path).map_err(|source| Error::io("read the manifest", path, source))?;
        Manifest::parse(&text, path)
    }

    /// Checks the text of a manifest; `path` is for messages.
    ///
    /// # Errors
    /// As [`Manifest::open`].
    pub fn parse(text: &str, path: impl AsRef<Path>) -> Result<Manifest> {
        let path = path.as_ref();
        let manifest: Manifest = toml::from_str(text).map_err(|error| toml_error(text, path, &error))?;
        manifest.check(path)?;
        Ok(manifest)
    }

    /// The manifest as TOML.
    ///
    /// # Errors
    /// When a path is not UTF-8.
    pub fn to_toml(&self) -> Result<String> {
        toml::to_string(self).map_err(|error| Error::invalid("manifest", error.to_string(), "values TOML can hold", ""))
    }

    /// Compares every file in `checksums` with its sum. `folder` is the one that holds the manifest.
    ///
    /// # Errors
    /// When a file is missing or its sum differs.
    pub fn verify(&self, folder: impl AsRef<Path>) -> Result<()> {
        for (file, wanted) in &self.checksums {
            let path = folder.as_ref().join(file);
            let found = sha256(&path)?;
            if !found.eq_ignore_ascii_case(wanted) {
                let hint = "The file was altered or is another version; get it again, or correct the manifest.";
                return Err(Error::file(path, format!("SHA-256 {found}"), wanted, hint));
            }
        }
        Ok(())
    }

    fn check(&self, path: &Path) -> Result<()> {
        let wrong = |key: &str, found: String, expected: &str| {
            Error::file(path, format!("{key} = {found}"), expected, "Correct the manifest.")
        };
        if self.version != VERSION {
            return Err(wrong("version", self.version.to_string(), "version = 1, the only one there is"));
        }
        let letter = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if self.name.is_empty() || !self.name.chars().all(letter) {
            return Err(wrong("name", format!("{:?}", self.name), "letters, digits, - and _"));
        }
        for (key, text) in [("title", &self.title), ("licence", &self.licence), ("source", &self.source)] {
            if text.trim().is_empty() {
                return Err(wrong(key, format!("{text:?}"), "a text: every data set says what it is and whose it is"));
            }
        }
        self.check_layout(path)?;
        self.splits.check().map_err(|error| Error::file(path, error.to_string(), "splits that can be", ""))?;
        for (file, sum) in &self.checksums {
            if sum.len() != 64 || !sum.chars().all(|c| c.is_ascii_hexdigit()) {
                return Err(wrong(&format!("checksums.\"{file}\""), format!("{sum:?}"), "64 hexadecimal digits"));
            }
            inside(path, "checksums", Path::new(file))?;
        }
        Ok(())
    }

    fn check_layout(&self, path: &Path) -> Result<()> {
        let made = [self.avatar.is_some(), self.bodies.is_some(), self.costumes.is_some()];
        let layouts = made.into_iter().chain([self.folder.is_some(), self.pairs.is_some(), self.store.is_some()]);
        let count = layouts.filter(|there| *there).count();
        if count != 1 {
            let expected = "exactly one of the tables [folder], [pairs], [store], [avatar], [bodies] and [costumes]";
            return Err(Error::file(path, format!("{count} layouts"), expected, "Say where the pictures are."));
        }
        match (self.folder.is_some(), self.pairs.is_some(), &self.image) {
            (true, _, None) | (_, true, None) => {
                let hint = "Add [image] with size = 128, say: the side to which pictures are brought.";
                let found = if self.folder.is_some() { "[folder] without [image]" } else { "[pairs] without [image]" };
                return Err(Error::file(path, found, "both", hint));
            }
            (true, _, Some(image)) | (_, true, Some(image)) if self.tags.is_none() || self.folder.is_some() => {
                image.check(path)?;
            }
            (false, _, image) if image.is_some() || self.tags.is_some() => {
                let expected = "[image] with [folder] or [pairs], [tags] with [folder] only";
                return Err(Error::file(path, "policies without a folder", expected, "Remove them."));
            }
            _ => {}
        }
        if let Some(pairs) = &self.pairs {
            pairs.paths().into_iter().try_for_each(|(key, file)| inside(path, key, file))?;
        }
        if let Some(tags) = &self.tags {
            tags.vocabulary(path)?;
        }
        if let Some(folder) = &self.folder {
            inside(path, "folder.images", &folder.images)?;
            folder.table.iter().try_for_each(|table| inside(path, "folder.table", table))?;
            folder.poses.iter().try_for_each(|poses| inside(path, "folder.poses", poses))?;
        }
        if let Some(avatar) = &self.avatar {
            avatar.check(path)?;
        }
        if let Some(bodies) = &self.bodies {
            let refused = |error: Error| Error::file(path, error.to_string(), "bodies that can be drawn", "");
            bodies.check().map_err(refused)?;
        }
        if let Some(costumes) = &self.costumes {
            let refused = |error: Error| Error::file(path, error.to_string(), "costumes that can be drawn", "");
            costumes.check().map_err(refused)?;
        }
        self.store.iter().try_for_each(|store| inside(path, "store.file", &store.file))
    }
}

impl AvatarLayout {
    fn check(&self, path: &Path) -> Result<()> {
        if self.count == 0 || !(8..=2048).contains(&self.size) {
            let found = format!("avatar.count = {}, avatar.size = {}", self.count, self.size);
            return Err(Error::file(path, found, "at least one picture of 8 to 2048 pixels", "Correct the manifest."));
        }
        Ok(())
    }
}

/// Refuses a path that is absolute or climbs out of the folder of the manifest.
fn inside(manifest: &Path, key: &str, file: &Path) -> Result<()> {
    let harmless = |part: Component| matches!(part, Component::Normal(_) | Component::CurDir);
    if file.as_os_str().is_empty() || !file.components().all(harmless) {
        let found = format!("{key}: \"{}\"", file.display());
        let hint = "Put the manifest beside the data.";
        return Err(Error::file(manifest, found, "a path below the folder of the manifest", hint));
    }
    Ok(())
}

/// The message of the TOML reader, with the line in the place of the file.
fn toml_error(text: &str, path: &Path, error: &toml::de::Error) -> Error {
    let start = error.span().map_or(0, |span| span.start.min(text.len()));
    let line = 1 + text.as_bytes()[..start].iter().filter(|byte| **byte == b'\n').count();
    let place = format!("{}:{line}", path.display());
    let message = error.message();
    let (found, expected) =
        message.split_once(", expected ").unwrap_or((message, "valid TOML with the keys of a manifest"));
    let hint = match found.contains("missing field") {
        true => "Every manifest says version, name, title, licence and source.",
        false => "",
    };
    Error::file(place, found.trim(), expected.trim(), hint)
}
