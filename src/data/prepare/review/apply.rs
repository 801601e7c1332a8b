//! What is kept, in a folder of its own.

use std::fmt;
use std::path::{Path, PathBuf};

use super::{Decision, Review};
use crate::data::claim::claim;
use crate::data::manifest::PreparationStep;
use crate::data::prepare::copy::copy;
use crate::data::report::{Action, Report};
use crate::hash::sha256_of;
use crate::show::save::write_whole;
use crate::{Error, Result};

/// Name of the table of all pictures that are not in the folder, and why.
const TABLE: &str = "review.csv";
/// Holds what the folder was begun with.
const SETTINGS: &str = "review.json";

/// What happens to pictures about which nothing was decided.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Undecided {
    /// They are copied: looking through a data set means finding the bad ones.
    #[default]
    Keep,
    /// They are not.
    LeaveOut,
}

/// What [`Review::apply`] did.
#[derive(Clone)]
pub struct ReviewReport {
    /// The folder with the copies.
    pub folder: PathBuf,
    /// Pictures that were copied now.
    pub copied: usize,
    /// Pictures that were there.
    pub there: usize,
    /// Every picture that was dropped, with the reason, or is undecided.
    pub problems: Report,
}

impl fmt::Display for ReviewReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ReviewReport { folder, copied, there, problems } = self;
        let before = if *there == 0 { String::new() } else { format!(", {there} were there") };
        writeln!(f, "{}: {copied} pictures copied{before}", folder.display())?;
        write!(f, "{problems}")
    }
}

impl fmt::Debug for ReviewReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl Review {
    /// Copies the pictures that are kept to `output`, where they have the same names, with `link` as hard links (the same
    /// file under a second name: no disk space, but a change of one changes both). The table `review.csv` there lists those
    /// that are dropped. A manifest is copied with its tables; rows about dropped pictures are then missing files to its
    /// reader. Nothing is deleted, and the folder that was looked through stays as it is.
    ///
    /// # Errors
    /// When `output` is inside the folder that was looked through, or holds anything but a copy by the same decisions that
    /// was interrupted, or files cannot be copied.
    pub fn apply(&self, output: impl AsRef<Path>, undecided: Undecided, link: bool) -> Result<ReviewReport> {
        let output = output.as_ref();
        let standing = self.decisions.standing();
        let mut report = self.problems.clone();
        let mut kept = Vec::new();
        for file in &self.files {
            match (standing.get(file.as_str()).map(|line| (line.decision, line)), undecided) {
                (Some((Decision::Drop, line)), _) => report.add("dropped", file, line.why(), Action::LeftOut),
                (Some(_), _) => kept.push(file.as_str()),
                (None, Undecided::LeaveOut) => report.add("undecided", file, "", Action::LeftOut),
                (None, Undecided::Keep) => {
                    report.add("undecided", file, "", Action::Kept);
                    kept.push(file);
                }
            }
        }
        for (file, _) in standing.iter().filter(|(file, _)| self.files.binary_search(&(**file).to_string()).is_err()) {
            report.add("decided, but not there", file, "", Action::LeftOut);
        }
        self.begin(output, &kept, &report)?;
        let (mut copied, mut there) = (0, 0);
        for file in &kept {
            match copy(&self.root().join(file), &output.join(&self.part).join(file), link)? {
                true => copied += 1,
                false => there += 1,
            }
        }
        let problems = report.finish(kept.len());
        problems.write_csv(output.join(TABLE))?;
        self.describe(output, kept.len())?;
        Ok(ReviewReport { folder: output.to_path_buf(), copied, there, problems })
    }

    fn begin(&self, output: &Path, kept: &[&str], report: &Report) -> Result<()> {
        let real = |path: &Path| path.canonicalize().map_err(|e| Error::io("open the folder", path, e));
        // Nothing is made before it is clear where: the folder itself may not be there yet.
        let there = output.ancestors().find(|path| path.exists()).unwrap_or(Path::new("."));
        if real(there)?.starts_with(real(&self.root())?) {
            let found = output.display().to_string();
            let hint = "The copies would be pictures to look through.";
            return Err(Error::invalid("output folder", found, "one outside of the folder of pictures", hint));
        }
        let dropped: Vec<&str> = report.problems.iter().map(|problem| problem.file.as_str()).collect();
        let digest = sha256_of(format!("{kept:?} {dropped:?}").as_bytes());
        let settings = serde_json::json!({ "kept": kept.len(), "sha256": digest });
        claim(output, SETTINGS, &settings, "pictures", &format!("the {} of these decisions", kept.len()))
    }

    /// The manifest, and the tables that it names.
    fn describe(&self, output: &Path, kept: usize) -> Result<()> {
        let Some(manifest) = &self.manifest else { return Ok(()) };
        let mut manifest = manifest.clone();
        if let Some(layout) = &manifest.folder {
            for table in [&layout.table, &layout.poses].into_iter().flatten() {
                copy(&self.folder.join(table), &output.join(table), false)?;
            }
        }
        manifest.checksums.retain(|file, _| output.join(file).is_file());
        let what = format!("Looked through by people: {kept} of {} pictures are kept", self.files.len());
        manifest.prepare.push(PreparationStep { what, command: Some("tachie data review".into()) });
        write_whole(&output.join("dataset.toml"), manifest.to_toml()?.as_bytes())
    }
}
