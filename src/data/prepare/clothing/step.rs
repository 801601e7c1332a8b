//! What all steps share: a folder that is claimed by its settings, a record that only grows, and a report.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use image::RgbImage;
use rayon::prelude::*;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::data::claim::claim;
use crate::data::import::{Refused, original, walk, within};
use crate::data::prepare::art::stem;
use crate::data::prepare::copy::copy;
use crate::data::prepare::lines;
use crate::data::prepare::stamp::Stamp;
use crate::data::report::{Action, Report};
use crate::show::save::write_whole;
use crate::{Error, Result};

/// Name of the record of each file in the folder of a step: one line of JSON each, the last one of a file counts.
pub const RECORDS: &str = "records.jsonl";
/// Holds the settings that a folder was begun with.
const SETTINGS: &str = "step.json";

/// What a step did.
#[derive(Clone)]
pub struct StepReport {
    /// The folder that it wrote.
    pub folder: PathBuf,
    /// Files that it looked at.
    pub files: usize,
    /// Files that went through now.
    pub made: usize,
    /// Files that had gone through in an earlier run.
    pub kept: usize,
    /// Every file that was dropped or changed, and why; `used` is the number of those that went through.
    pub problems: Report,
}

impl fmt::Display for StepReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let StepReport { folder, files, made, kept, problems } = self;
        let before = if *kept == 0 { String::new() } else { format!(", {kept} were there") };
        writeln!(f, "{}: {made} of {files} files{before}", folder.display())?;
        write!(f, "{problems}")
    }
}

impl fmt::Debug for StepReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// A file that a step looks at.
#[derive(Clone)]
pub(super) struct Input {
    /// Path below its folder, with slashes.
    pub file: String,
    pub path: PathBuf,
    /// What its outputs are named after, below the folder of the step: no other input has it, whatever the case of letters.
    pub stem: String,
}

/// What a step made of a file.
pub(super) struct Product<T> {
    /// For the record.
    pub facts: T,
    /// Paths below the folder of the step, and what goes there.
    pub files: Vec<(String, Contents)>,
    /// Kind and particulars of what was done besides.
    pub notes: Vec<(String, String)>,
}

/// What goes into an output file.
pub(super) enum Contents {
    Bytes(Vec<u8>),
    /// Those of a file: with `link` it gets a second name, otherwise it is copied.
    File {
        from: PathBuf,
        link: bool,
    },
}

#[derive(Clone, Serialize, Deserialize)]
struct Line<T> {
    source: Stamp,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    outputs: Vec<String>,
    #[serde(flatten)]
    outcome: Outcome<T>,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Outcome<T> {
    Made {
        facts: T,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        notes: Vec<(String, String)>,
    },
    Dropped {
        kind: String,
        detail: String,
    },
}

/// A folder that a step writes.
pub(super) struct Step<T> {
    folder: PathBuf,
    records: BTreeMap<String, Line<T>>,
    pub report: Report,
    files: usize,
    fresh: usize,
}

/// The pictures of a folder in the order of their names, for a step that writes `output`.
///
/// # Errors
/// When a folder cannot be read or made, or `output` is inside of `input`.
pub(super) fn pictures(input: &Path, output: &Path, report: &mut Report) -> Result<Vec<Input>> {
    let root = separate(input, output)?;
    let names = walk(&root, report)?;
    Ok(inputs(within(&root, names, report)))
}

/// The real path of the input folder, once it is clear that the output is no part of it: its pictures would be inputs.
pub(super) fn separate(input: &Path, output: &Path) -> Result<PathBuf> {
    let real = |path: &Path| path.canonicalize().map_err(|e| Error::io("open the folder", path, e));
    let root = input.canonicalize().map_err(|e| Error::io("open the folder of pictures", input, e))?;
    let there = output.ancestors().find(|path| path.exists()).unwrap_or(Path::new("."));
    if real(there)?.starts_with(&root) {
        let hint = "What a step writes would be its next input.";
        return Err(Error::invalid(
            "output folder",
            output.display().to_string(),
            "one outside of the folder of pictures",
            hint,
        ));
    }
    Ok(root)
}

/// Files with names of outputs that differ.
pub(super) fn inputs(mut found: Vec<(String, PathBuf)>) -> Vec<Input> {
    found.sort();
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    found.iter().for_each(|(file, _)| *counts.entry(stem(file).to_lowercase()).or_default() += 1);
    let mut taken = BTreeSet::new();
    let named = |(file, path): (String, PathBuf)| {
        let alone = counts.get(&stem(&file).to_lowercase()) == Some(&1);
        let mut name = if alone { stem(&file).to_string() } else { file.clone() };
        while !taken.insert(name.to_lowercase()) {
            name.push('_');
        }
        Input { file, path, stem: name }
    };
    found.into_iter().map(named).collect()
}

impl<T: Clone + Serialize + DeserializeOwned + Send + Sync> Step<T> {
    /// Takes a new or empty folder, or one that the same settings have begun. `what` names the step in messages.
    ///
    /// # Errors
    /// When it holds anything else, cannot be made or written, or its record cannot be read.
    pub fn begin(folder: &Path, what: &str, settings: &impl Serialize) -> Result<Step<T>> {
        let settings = serde_json::to_value(settings)
            .map_err(|error| Error::invalid("settings", error.to_string(), "ones that JSON can hold", ""))?;
        let settings = serde_json::json!({ "step": what, "settings": settings });
        claim(folder, SETTINGS, &settings, what, "the settings of this call")?;
        let lines: Vec<(usize, Line<T>)> = lines::read(&folder.join(RECORDS), "record of a step")?;
        let records = lines.into_iter().map(|(_, line)| (line.source.file.clone(), line)).collect();
        Ok(Step { folder: folder.to_path_buf(), records, report: Report::default(), files: 0, fresh: 0 })
    }

    /// The pictures in a folder and below it, in the order of their names, for a step that writes `output` as [`Step::begin`]
    /// takes it. What is wrong with the folder's files is in the report.
    ///
    /// # Errors
    /// As [`pictures`] and [`Step::begin`].
    pub fn over(input: &Path, output: &Path, what: &str, settings: &impl Serialize) -> Result<(Vec<Input>, Step<T>)> {
        let mut problems = Report::default();
        let inputs = pictures(input, output, &mut problems)?;
        let mut step = Step::begin(output, what, settings)?;
        step.report.problems.extend(problems.problems);
        Ok((inputs, step))
    }

    /// [`Step::run`] with decoded pictures: a file that cannot be read is refused.
    ///
    /// # Errors
    /// As [`Step::run`].
    pub fn run_pictures(
        &mut self,
        inputs: &[Input],
        chunk: usize,
        make: impl Fn(&Input, RgbImage) -> Result<Result<Product<T>, Refused>> + Sync,
    ) -> Result<Vec<(Input, T)>> {
        self.run(inputs, chunk, |input| match original(&input.path) {
            Err(refused) => Ok(Err(refused)),
            Ok(picture) => make(input, picture),
        })
    }

    /// Lets `make` look at all files, `chunk` of them in parallel before their outputs are written. Files that an earlier run
    /// has seen as they are now are passed over. Returns those that went through, with what is known of them.
    ///
    /// # Errors
    /// What `make` returns as an error (a refused file is none), or when files cannot be written.
    pub fn run(
        &mut self,
        inputs: &[Input],
        chunk: usize,
        make: impl Fn(&Input) -> Result<Result<Product<T>, Refused>> + Sync,
    ) -> Result<Vec<(Input, T)>> {
        self.files += inputs.len();
        for chunk in inputs.chunks(chunk.max(1)) {
            let todo: Vec<&Input> = chunk.iter().filter(|input| !self.is_done(input)).collect();
            let made = todo.par_iter().map(|input| make(input)).collect::<Result<Vec<_>>>()?;
            let mut lines = Vec::new();
            for (input, made) in todo.into_iter().zip(made) {
                let line = self.put(input, made)?;
                self.fresh += usize::from(matches!(line.outcome, Outcome::Made { .. }));
                self.records.insert(input.file.clone(), line.clone());
                lines.push(line);
            }
            if !lines.is_empty() {
                lines::append(&self.folder.join(RECORDS), &lines)?;
            }
        }
        Ok(inputs.iter().filter_map(|input| Some((input.clone(), self.tell(input)?))).collect())
    }

    fn is_done(&self, input: &Input) -> bool {
        let Some(line) = self.records.get(&input.file) else { return false };
        line.source == Stamp::of(&input.path, &input.file)
            && line.outputs.iter().all(|file| self.folder.join(file).is_file())
    }

    fn put(&self, input: &Input, made: Result<Product<T>, Refused>) -> Result<Line<T>> {
        let source = Stamp::of(&input.path, &input.file);
        let line = match made {
            Err(Refused(kind, detail)) => {
                Line { source, outputs: Vec::new(), outcome: Outcome::Dropped { kind: kind.into(), detail } }
            }
            Ok(Product { facts, files, notes }) => {
                for (file, contents) in &files {
                    contents.write(&self.folder.join(file))?;
                }
                let outputs = files.into_iter().map(|(file, _)| file).collect();
                Line { source, outputs, outcome: Outcome::Made { facts, notes } }
            }
        };
        let before = self.records.get(&input.file).map(|line| line.outputs.as_slice()).unwrap_or_default();
        for file in before.iter().filter(|file| !line.outputs.contains(file)) {
            let path = self.folder.join(file);
            if path.is_file() {
                fs::remove_file(&path).map_err(|e| Error::io("remove the picture of an earlier run", &path, e))?;
            }
        }
        Ok(line)
    }

    /// What is known of a file that went through; what happened to it is in the report afterwards.
    fn tell(&mut self, input: &Input) -> Option<T> {
        match &self.records.get(&input.file)?.outcome {
            Outcome::Dropped { kind, detail } => {
                self.report.add(kind, &input.file, detail.as_str(), Action::LeftOut);
                None
            }
            Outcome::Made { facts, notes } => {
                for (kind, detail) in notes {
                    self.report.add(kind, &input.file, detail.as_str(), Action::Converted);
                }
                Some(facts.clone())
            }
        }
    }

    /// Writes the report; `used` files went through.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn finish(self, used: usize) -> Result<StepReport> {
        let problems = self.report.finish(used);
        problems.write_to(&self.folder, self.files)?;
        let (made, kept) = (self.fresh.min(used), used.saturating_sub(self.fresh));
        Ok(StepReport { folder: self.folder, files: self.files, made, kept, problems })
    }
}

impl Contents {
    pub fn write(&self, path: &Path) -> Result<()> {
        match self {
            Contents::Bytes(bytes) => write_whole(path, bytes),
            Contents::File { from, link } => {
                if path.is_file() {
                    fs::remove_file(path).map_err(|e| Error::io("remove the picture of an earlier run", path, e))?;
                }
                copy(from, path, *link).map(|_| ())
            }
        }
    }
}

/// Writes a table as a CSV file that appears under its name only when it is whole.
pub(in crate::data::prepare) fn write_table<C: AsRef<[u8]>>(
    path: &Path,
    columns: &[&str],
    rows: impl IntoIterator<Item = Vec<C>>,
) -> Result<()> {
    let wrong = |error: csv::Error| Error::file(path, error.to_string(), "a table that can be written", "");
    let mut table = csv::Writer::from_writer(Vec::new());
    table.write_record(columns).map_err(wrong)?;
    rows.into_iter().try_for_each(|row| table.write_record(row)).map_err(wrong)?;
    let bytes = table.into_inner().map_err(|error| Error::io("write the table", path, error.into_error()))?;
    write_whole(path, &bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs_have_names_of_their_own() {
        let files = ["a.png", "A.jpg", "b.png", "b.png.png", "立ち絵 1.jpg"];
        let inputs = inputs(files.iter().map(|file| (file.to_string(), PathBuf::new())).collect());
        let stems: Vec<&str> = inputs.iter().map(|input| input.stem.as_str()).collect();
        assert_eq!(stems, ["A.jpg", "a.png", "b", "b.png", "立ち絵 1"]);
    }
}
