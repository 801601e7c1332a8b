//! A data set looked through by people.
//!
//! The HKUST report's authors threw bad pictures out by hand with a script that deletes files (specs/fullbody E.3). Here
//! nothing is deleted: decisions go into a file that only grows ([`Decisions`]), so that they can be taken back, shared and
//! counted; [`Review::apply`] copies what is kept to a new folder. [`Review::sheet`] shows the pictures with what can be
//! measured of them, as a page on which decisions are made by single keys.

mod apply;
mod decisions;
mod sheet;

use std::path::{Path, PathBuf};

pub use apply::{ReviewReport, Undecided};
pub use decisions::{Decision, Decisions, Line};
pub use sheet::{Entry, Sheet, SheetOptions, changed_thumbnails, thumbnails};
pub(in crate::data::prepare) use sheet::{Noted, sheet_of};

use crate::data::import::walk;
use crate::data::manifest::Manifest;
use crate::data::report::Report;
use crate::{Error, Result};

/// Name of the decision file, in the folder that it is about, when nothing else is said.
pub const DECISIONS: &str = "decisions.jsonl";

/// The pictures of a folder and what was decided about them.
#[derive(Clone)]
pub struct Review {
    /// The folder that was given.
    folder: PathBuf,
    /// Where the pictures are in it: empty, or the folder that its manifest names.
    part: PathBuf,
    manifest: Option<Manifest>,
    files: Vec<String>,
    problems: Report,
    decisions: Decisions,
}

impl std::fmt::Debug for Review {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self}")
    }
}

impl std::fmt::Display for Review {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (kept, dropped) = self.counts();
        let undecided = self.files.len() - kept - dropped;
        let pictures = self.files.len();
        write!(
            f,
            "{}: {pictures} pictures, {kept} kept, {dropped} dropped, {undecided} undecided",
            self.folder.display()
        )
    }
}

impl Review {
    /// The pictures in a folder and below it; of a folder with a manifest (`dataset.toml`) those that it describes. Nothing
    /// is decoded yet.
    ///
    /// # Errors
    /// When the folder or its manifest cannot be read, or the manifest describes no folder of pictures.
    pub fn open(folder: impl AsRef<Path>) -> Result<Review> {
        let folder = folder.as_ref();
        let path = folder.join("dataset.toml");
        let manifest = if path.is_file() { Some(Manifest::open(&path)?) } else { None };
        let part = match &manifest {
            None => PathBuf::new(),
            Some(manifest) => match &manifest.folder {
                Some(layout) => layout.images.clone(),
                None => {
                    let hint = "Only files of pictures can be looked through.";
                    return Err(Error::file(path, "a manifest of another kind", "one with [folder]", hint));
                }
            },
        };
        let place = folder.join(&part);
        let root = place.canonicalize().map_err(|e| Error::io("open the folder of pictures", &place, e))?;
        let mut problems = Report::default();
        let mut files = walk(&root, &mut problems)?;
        files.sort();
        let folder = folder.to_path_buf();
        Ok(Review { folder, part, manifest, files, problems, decisions: Decisions::default() })
    }

    /// The same pictures with these decisions.
    pub fn decided(self, decisions: Decisions) -> Review {
        Review { decisions, ..self }
    }

    /// The pictures below their folder, sorted.
    pub fn files(&self) -> &[String] {
        &self.files
    }

    /// What was decided.
    pub fn decisions(&self) -> &Decisions {
        &self.decisions
    }

    /// Where pictures that are named without a folder are: the folder of [`Review::files`].
    pub fn root(&self) -> PathBuf {
        self.folder.join(&self.part)
    }

    /// Adds decisions, to the file at `path` too.
    ///
    /// # Errors
    /// When one is about a picture that is not there, or the file cannot be written. Then nothing is added.
    pub fn decide(&mut self, path: impl AsRef<Path>, lines: &[Line]) -> Result<()> {
        if let Some(line) = lines.iter().find(|line| self.files.binary_search(&line.file).is_err()) {
            let name = |file: &str| file.rsplit('/').next().unwrap_or(file).to_lowercase();
            let same = self.files.iter().find(|file| name(file) == name(&line.file));
            let hint = same.map_or(String::new(), |file| format!("Did you mean: {file}?"));
            let expected = format!("one of the {} pictures in {}", self.files.len(), self.root().display());
            return Err(Error::invalid("decision", format!("{:?}", line.file), expected, hint));
        }
        self.decisions.append(path, lines)
    }

    /// How many of the pictures are kept, and how many dropped.
    fn counts(&self) -> (usize, usize) {
        let standing = self.decisions.standing();
        let decided = |wanted: Decision| {
            let is = |file: &&String| standing.get(file.as_str()).is_some_and(|line| line.decision == wanted);
            self.files.iter().filter(is).count()
        };
        (decided(Decision::Keep), decided(Decision::Drop))
    }
}
