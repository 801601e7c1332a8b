//! What became of each texture, kept on disk, so that an interrupted run goes on where it was.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::RECORDS;
use super::picture::{Facts, MeshFile, Rejected};
use crate::Result;
use crate::data::prepare::lines;
use crate::data::prepare::stamp::Stamp;

/// The files that a picture was made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Sources {
    pub colour: Stamp,
    pub alpha: Option<Stamp>,
    pub mesh: Option<Stamp>,
}

impl Sources {
    pub fn of(root: &Path, colour: &str, alpha: Option<&str>, mesh: Option<&MeshFile>) -> Sources {
        let below = |file: &str| Stamp::of(&root.join(file), file);
        let mesh = mesh.map(|mesh| Stamp::of(&mesh.path, &mesh.name));
        Sources { colour: below(colour), alpha: alpha.map(below), mesh }
    }

    /// The names of all of them.
    pub fn files(&self) -> impl Iterator<Item = &str> {
        [Some(&self.colour), self.alpha.as_ref(), self.mesh.as_ref()].into_iter().flatten().map(|s| s.file.as_str())
    }
}

/// What became of a texture.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Outcome {
    Made(Facts),
    Rejected(Rejected),
}

/// A line of the file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Record {
    /// The picture's file below the folder of pictures.
    pub name: String,
    pub sources: Sources,
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// The records of a folder; the last one of a name counts.
pub(super) struct Records {
    path: PathBuf,
    pub of: BTreeMap<String, Record>,
}

impl Records {
    /// # Errors
    /// When the file cannot be read or has a line that is no record.
    pub fn open(folder: &Path) -> Result<Records> {
        let path = folder.join(RECORDS);
        let lines: Vec<(usize, Record)> = lines::read(&path, "records of the pictures")?;
        let of = lines.into_iter().map(|(_, record)| (record.name.clone(), record)).collect();
        Ok(Records { path, of })
    }

    /// Adds records, on disk too.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn add(&mut self, records: Vec<Record>) -> Result<()> {
        lines::append(&self.path, &records)?;
        self.of.extend(records.into_iter().map(|record| (record.name.clone(), record)));
        Ok(())
    }
}
