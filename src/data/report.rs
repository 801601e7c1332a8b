//! What was found wrong in a data set, and what was done about it.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::show::save::write_whole;
use crate::{Error, Result};

/// Name of the table of all problems, in the folder that a step of preparation writes.
pub const PROBLEMS: &str = "report.csv";
/// Name of the report as JSON there.
pub const REPORT: &str = "report.json";

/// How many files a kind of problem names when a report is printed.
const SHOWN: usize = 10;

/// What happened to a file with a problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// It is not part of the data set.
    LeftOut,
    /// It is part of the data set after a conversion.
    Converted,
    /// It is part of the data set as it is.
    Kept,
}

/// One problem of one file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Problem {
    /// The kind, the same for all files that have it ("truncated or damaged").
    pub kind: String,
    /// The file as the tag table names it, with `:line` for a row of the table.
    pub file: String,
    /// The particulars ("16384×70000 pixels").
    pub detail: String,
    /// What was done.
    pub action: Action,
}

/// All problems of a data set. An empty report means that every file was used as it is.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// Pictures that are part of the data set.
    pub used: usize,
    /// The problems, by kind, then by file.
    pub problems: Vec<Problem>,
}

impl Action {
    /// What was done, in words.
    pub fn words(self) -> &'static str {
        match self {
            Action::LeftOut => "left out",
            Action::Converted => "converted",
            Action::Kept => "kept",
        }
    }
}

impl Report {
    /// Adds a problem.
    pub(super) fn add(&mut self, kind: &str, file: &str, detail: impl Into<String>, action: Action) {
        self.problems.push(Problem { kind: kind.into(), file: file.into(), detail: detail.into(), action });
    }

    /// Sorts the problems, so that a report does not depend on the order in which files were looked at.
    pub(super) fn finish(mut self, used: usize) -> Report {
        self.used = used;
        self.problems.sort();
        self
    }

    /// Whether there are no problems.
    pub fn is_clean(&self) -> bool {
        self.problems.is_empty()
    }

    /// Number of problems for which a file or row was left out.
    pub fn left_out(&self) -> usize {
        self.problems.iter().filter(|problem| problem.action == Action::LeftOut).count()
    }

    /// The problems of one file.
    pub fn of(&self, file: impl AsRef<str>) -> Vec<&Problem> {
        self.problems.iter().filter(|problem| problem.file == file.as_ref()).collect()
    }

    /// Number of files per kind of problem and action, in the order of the report.
    pub fn counts(&self) -> BTreeMap<(String, Action), usize> {
        let mut counts = BTreeMap::new();
        for problem in &self.problems {
            *counts.entry((problem.kind.clone(), problem.action)).or_insert(0) += 1;
        }
        counts
    }

    /// Writes all problems as a CSV table with the columns file, problem, particulars and what was done. The file appears
    /// under its name only when it is whole.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write_csv(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        let wrong = |error: csv::Error| Error::file(path, error.to_string(), "a table that can be written", "");
        let mut table = csv::Writer::from_writer(Vec::new());
        table.write_record(["file", "problem", "particulars", "what was done"]).map_err(wrong)?;
        self.rows().iter().try_for_each(|row| table.write_record(row)).map_err(wrong)?;
        let bytes = table.into_inner().map_err(|error| Error::io("write the table", path, error.into_error()))?;
        write_whole(path, &bytes)
    }

    /// Writes [`REPORT`] and [`PROBLEMS`] of a step that looked at so many files into its folder.
    pub(super) fn write_to(&self, folder: &Path, files: usize) -> Result<()> {
        let counts: Vec<_> = self
            .counts()
            .into_iter()
            .map(|((kind, action), files)| serde_json::json!({ "problem": kind, "action": action, "files": files }))
            .collect();
        let report = serde_json::json!({
            "files": files, "pictures": self.used, "counts": counts, "problems": self.problems,
        });
        let mut text = serde_json::to_vec_pretty(&report)
            .map_err(|error| Error::invalid("report", error.to_string(), "values that JSON can hold", ""))?;
        text.push(b'\n');
        write_whole(&folder.join(REPORT), &text)?;
        self.write_csv(folder.join(PROBLEMS))
    }

    /// The rows of a table: file, problem, particulars, what was done.
    pub fn rows(&self) -> Vec<[String; 4]> {
        let row = |p: &Problem| [p.file.clone(), p.kind.clone(), p.detail.clone(), p.action.words().to_string()];
        self.problems.iter().map(row).collect()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} pictures used, {} problems", self.used, self.problems.len())?;
        for ((kind, action), count) in self.counts() {
            write!(f, "\n  {kind}: {count}, {}", action.words())?;
            let same = self.problems.iter().filter(|problem| problem.kind == kind && problem.action == action);
            for problem in same.take(SHOWN) {
                write!(f, "\n    {}", problem.file)?;
                if !problem.detail.is_empty() {
                    write!(f, ": {}", problem.detail)?;
                }
            }
            if count > SHOWN {
                write!(f, "\n    and {} more", count - SHOWN)?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_counts_by_kind_and_names_the_files() {
        let mut report = Report::default();
        for i in 0..12 {
            report.add("empty file", &format!("{i:02}.png"), "", Action::LeftOut);
        }
        report.add("transparency", "b.png", "composited on white", Action::Converted);
        let report = report.finish(7);
        assert_eq!((report.left_out(), report.is_clean()), (12, false));
        let text = report.to_string();
        assert!(text.starts_with("7 pictures used, 13 problems"), "{text}");
        assert!(text.contains("empty file: 12, left out\n    00.png\n"), "{text}");
        assert!(text.contains("    and 2 more\n"), "{text}");
        assert!(text.ends_with("transparency: 1, converted\n    b.png: composited on white"), "{text}");
        assert_eq!(report.of("b.png").len(), 1);
        assert_eq!(report.rows().len(), 13);
    }
}
