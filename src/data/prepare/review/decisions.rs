//! What people decided about pictures: a file that only grows.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::Result;
use crate::data::prepare::lines;

/// What a line of the file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Decision {
    /// The picture belongs to the data set.
    Keep,
    /// It does not.
    Drop,
    /// The latest line about the picture that stands is taken back; the one before it stands again.
    Undo,
}

/// A line: `{"file": "a/b.png", "decision": "drop", "time": 1760000000, "by": "me", "reason": "cut off"}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// The picture below its folder, with slashes.
    pub file: String,
    /// What was decided.
    pub decision: Decision,
    /// When, in seconds since 1970 (UTC).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<u64>,
    /// By whom.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl Line {
    /// A decision of now.
    pub fn new(file: impl Into<String>, decision: Decision) -> Line {
        let time = SystemTime::now().duration_since(UNIX_EPOCH).ok().map(|time| time.as_secs());
        Line { file: file.into(), decision, time, by: None, reason: None }
    }

    /// Reason and name, for reports.
    pub(super) fn why(&self) -> String {
        let by = self.by.as_ref().map(|by| format!("by {by}"));
        let parts: Vec<String> = self.reason.clone().into_iter().chain(by).collect();
        parts.join(", ")
    }
}

/// All lines of a decision file, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decisions {
    lines: Vec<Line>,
}

impl Decisions {
    /// Reads a file; none is one without lines. A last line without its end, the trace of a crash, is passed over.
    ///
    /// # Errors
    /// When the file cannot be read or a line is no decision; the message names the line.
    pub fn open(path: impl AsRef<Path>) -> Result<Decisions> {
        let lines = lines::read(path.as_ref(), "decision file (file, decision: keep, drop or undo)")?;
        Ok(Decisions { lines: lines.into_iter().map(|(_, line)| line).collect() })
    }

    /// Decisions of these lines.
    pub fn new(lines: Vec<Line>) -> Decisions {
        Decisions { lines }
    }

    /// Adds lines, and to the file at `path` too. What is in the file already stays as it is.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn append(&mut self, path: impl AsRef<Path>, lines: &[Line]) -> Result<()> {
        lines::append(path.as_ref(), lines)?;
        self.lines.extend_from_slice(lines);
        Ok(())
    }

    /// All lines.
    pub fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// The line that stands for each picture that is decided, [`Decision::Keep`] or [`Decision::Drop`].
    pub fn standing(&self) -> BTreeMap<&str, &Line> {
        let mut stacks: BTreeMap<&str, Vec<&Line>> = BTreeMap::new();
        for line in &self.lines {
            let stack = stacks.entry(&line.file).or_default();
            match line.decision {
                Decision::Undo => drop(stack.pop()),
                Decision::Keep | Decision::Drop => stack.push(line),
            }
        }
        stacks.into_iter().filter_map(|(file, stack)| Some((file, stack.last().copied()?))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decisions(of: &[(&str, Decision)]) -> Decisions {
        Decisions::new(of.iter().map(|(file, decision)| Line::new(*file, *decision)).collect())
    }

    #[test]
    fn undo_takes_back_the_latest_line_that_stands() {
        use Decision::{Drop, Keep, Undo};
        let all =
            [("a", Keep), ("b", Drop), ("a", Drop), ("a", Undo), ("b", Undo), ("b", Undo), ("c", Undo), ("c", Drop)];
        let decisions = decisions(&all);
        let standing: Vec<(&str, Decision)> =
            decisions.standing().into_iter().map(|(file, line)| (file, line.decision)).collect();
        assert_eq!(standing, [("a", Keep), ("c", Drop)]);
    }

    #[test]
    fn the_file_only_grows_and_bad_lines_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("decisions.jsonl");
        let mut decisions = Decisions::open(&path).unwrap();
        decisions.append(&path, &[Line { by: Some("me".into()), ..Line::new("立ち絵.png", Decision::Drop) }]).unwrap();
        let first = std::fs::read_to_string(&path).unwrap();
        decisions.append(&path, &[Line::new("立ち絵.png", Decision::Undo)]).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.starts_with(&first) && text.lines().count() == 2, "{text}");
        assert_eq!(Decisions::open(&path).unwrap(), decisions);
        for bad in [r#"{"file": "x.png", "decision": "remove"}"#, r#"{"decision": "keep"}"#, "drop x.png"] {
            std::fs::write(&path, format!("{first}{bad}\n")).unwrap();
            let message = Decisions::open(&path).unwrap_err().to_string();
            assert!(message.contains("decisions.jsonl:2: "), "{message}");
        }
    }
}
