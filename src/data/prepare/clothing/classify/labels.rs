//! The table of labels, which people fill in.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::data::prepare::review::{Decision, Decisions};
use crate::show::save::write_whole;
use crate::{Error, Result};

/// Name of the table of labels.
pub const LABELS: &str = "labels.csv";
const COLUMNS: [&str; 4] = ["file", "label", "round", "probability"];

/// What somebody says of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Label {
    /// A character and its clothing: `pair`.
    Pair,
    /// Anything else: `other`.
    Other,
    /// It cannot be said, or shall not count: `?`.
    Unclear,
}

impl Label {
    /// The word in the table.
    pub fn word(self) -> &'static str {
        match self {
            Label::Pair => "pair",
            Label::Other => "other",
            Label::Unclear => "?",
        }
    }

    fn of(word: &str) -> Option<Label> {
        [Label::Pair, Label::Other, Label::Unclear].into_iter().find(|label| label.word().eq_ignore_ascii_case(word))
    }
}

/// A row of the table.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Row {
    pub file: String,
    pub label: Option<Label>,
    pub round: usize,
    /// That it is a pair, as the classifier said when it asked.
    pub probability: Option<f64>,
}

/// A table with the columns file, label (`pair`, `other`, `?`, or empty as long as nobody has said), round and probability.
/// Rows are added, and none is changed or removed: people fill in the second column.
#[derive(Clone, Debug)]
pub struct Labels {
    path: PathBuf,
    rows: Vec<Row>,
}

impl Labels {
    /// Reads a table; none is one without rows. Two rows about one picture have to agree; an empty one agrees with all.
    ///
    /// # Errors
    /// When it cannot be read, has other columns, a row says something else, or two contradict each other: the message names
    /// the line.
    pub fn open(path: impl AsRef<Path>) -> Result<Labels> {
        let path = path.as_ref().to_path_buf();
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Labels { path, rows: vec![] }),
            Err(error) => return Err(Error::io("read the labels", path, error)),
        };
        let expected = "the columns file, label, round and probability, separated by commas";
        let wrong = |error: csv::Error| Error::file(&path, error.to_string(), expected, "");
        // Spreadsheets put a mark before the text.
        let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
        let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(text);
        let header = reader.headers().map_err(wrong)?.clone();
        let column = |name: &str| header.iter().position(|found| found.trim().eq_ignore_ascii_case(name));
        let (Some(file), Some(label)) = (column("file"), column("label")) else {
            let found = header.iter().collect::<Vec<_>>().join(", ");
            return Err(Error::file(path, format!("the columns {found:?}"), expected, ""));
        };
        let (round, probability) = (column("round"), column("probability"));
        let (mut rows, mut said) = (Vec::new(), BTreeMap::<String, (Label, u64)>::new());
        for record in reader.records() {
            let record = record.map_err(wrong)?;
            let line = record.position().map_or(0, csv::Position::line);
            let at = |column: Option<usize>| column.and_then(|column| record.get(column)).unwrap_or("").trim();
            let place = || format!("{}:{line}", path.display());
            if at(Some(file)).is_empty() {
                continue;
            }
            let word = at(Some(label));
            let label = Label::of(word);
            if label.is_none() && !word.is_empty() {
                return Err(Error::file(place(), format!("the label {word:?}"), "pair, other, ? or nothing", ""));
            }
            if let Some(label) = label {
                match said.insert(at(Some(file)).to_string(), (label, line)) {
                    Some((before, first)) if before != label => {
                        let found = format!("{:?} as {}", at(Some(file)), label.word());
                        let expected = format!("{}, as in line {first}", before.word());
                        return Err(Error::file(place(), found, expected, "Correct one of the two lines."));
                    }
                    _ => {}
                }
            }
            rows.push(Row {
                file: at(Some(file)).to_string(),
                label,
                round: at(round).parse().unwrap_or(0),
                probability: at(probability).parse().ok(),
            });
        }
        Ok(Labels { path, rows })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What was said of each picture that has a label.
    pub fn given(&self) -> BTreeMap<&str, Label> {
        self.rows.iter().filter_map(|row| Some((row.file.as_str(), row.label?))).collect()
    }

    /// Pictures that were asked about and have no label yet, in the order of the table.
    pub fn open_questions(&self) -> Vec<&str> {
        let given = self.given();
        let open = self.rows.iter().filter(|row| !given.contains_key(row.file.as_str()));
        open.map(|row| row.file.as_str()).collect()
    }

    /// The number of the last round that was asked for, 0 before the first one.
    pub fn round(&self) -> usize {
        self.rows.iter().map(|row| row.round).max().unwrap_or(0)
    }

    /// The number of the last round that a label is of.
    pub(super) fn labelled_round(&self) -> usize {
        self.rows.iter().filter(|row| row.label.is_some()).map(|row| row.round).max().unwrap_or(0)
    }

    pub(super) fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// Takes labels from what was decided on a contact sheet: a picture that is kept is a pair, one that is dropped is none.
    /// Only pictures without a label get one. Returns how many did.
    ///
    /// # Errors
    /// When the table cannot be written.
    pub fn take(&mut self, decisions: &Decisions) -> Result<usize> {
        let given = self.given();
        let label = |decision: Decision| if decision == Decision::Keep { Label::Pair } else { Label::Other };
        let standing = decisions.standing();
        let fresh = standing.into_iter().filter(|(file, _)| !given.contains_key(file));
        let fresh: Vec<Row> = fresh.map(|(file, line)| self.labelled(file, label(line.decision))).collect();
        let count = fresh.len();
        self.add(fresh)?;
        Ok(count)
    }

    /// Gives labels to pictures that were asked about and have none, where somebody knows one: `of` is told the file. Returns
    /// how many got one.
    ///
    /// # Errors
    /// When the table cannot be written.
    pub fn answer(&mut self, of: impl Fn(&str) -> Option<Label>) -> Result<usize> {
        let open = self.open_questions().into_iter();
        let fresh: Vec<Row> = open.filter_map(|file| Some(self.labelled(file, of(file)?))).collect();
        let count = fresh.len();
        self.add(fresh)?;
        Ok(count)
    }

    /// A row with a label, of the round in which the picture was asked about.
    fn labelled(&self, file: &str, label: Label) -> Row {
        let asked = self.rows.iter().find(|row| row.file == file);
        Row {
            file: file.to_string(),
            label: Some(label),
            round: asked.map_or(0, |row| row.round),
            probability: asked.and_then(|row| row.probability),
        }
    }

    /// Adds rows at the end; what is there stays as it is, byte by byte.
    pub(super) fn add(&mut self, rows: Vec<Row>) -> Result<()> {
        if rows.is_empty() {
            return Ok(());
        }
        let path = &self.path;
        let mut text = match fs::read(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(Error::io("read the labels", path, error)),
        };
        let wrong = |error: csv::Error| Error::file(path, error.to_string(), "a table that can be written", "");
        let mut table = csv::Writer::from_writer(Vec::new());
        let order: Vec<String> = match text.is_empty() {
            true => {
                table.write_record(COLUMNS).map_err(wrong)?;
                COLUMNS.map(String::from).to_vec()
            }
            false => {
                if text.last() != Some(&b'\n') {
                    text.push(b'\n');
                }
                // Columns may have been added or moved.
                let mark = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&text);
                let mut reader = csv::Reader::from_reader(mark);
                let header = reader.headers().map_err(wrong)?;
                header.iter().map(|name| name.trim().to_lowercase()).collect()
            }
        };
        for row in &rows {
            let of = |name: &String| match name.as_str() {
                "file" => row.file.clone(),
                "label" => row.label.map_or_else(String::new, |label| label.word().to_string()),
                "round" => row.round.to_string(),
                "probability" => row.probability.map_or_else(String::new, |value| format!("{value:.4}")),
                _ => String::new(),
            };
            table.write_record(order.iter().map(of)).map_err(wrong)?;
        }
        text.extend(table.into_inner().map_err(|error| Error::io("write the labels", path, error.into_error()))?);
        write_whole(path, &text)?;
        self.rows.extend(rows);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::prepare::review::Line;

    fn row(file: &str, round: usize) -> Row {
        Row { file: file.into(), label: None, round, probability: Some(0.5) }
    }

    #[test]
    fn the_table_only_grows() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(LABELS);
        let mut labels = Labels::open(&path).unwrap();
        assert_eq!((labels.round(), labels.open_questions().len()), (0, 0));
        labels.add(vec![row("コスプレ (1), a.jpg", 1), row("b.png", 1)]).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text, "file,label,round,probability\n\"コスプレ (1), a.jpg\",,1,0.5000\nb.png,,1,0.5000\n");
        // A person fills it in, with a spreadsheet that marks the text, ends lines its own way, and adds a column.
        let filled =
            "\u{feff}file,note,label,round,probability\r\n\"コスプレ (1), a.jpg\",nice,PAIR,1,0.5\r\nb.png,,?,1,0.5";
        fs::write(&path, filled).unwrap();
        let mut labels = Labels::open(&path).unwrap();
        let given: Vec<(&str, Label)> = labels.given().into_iter().collect();
        assert_eq!(given, [("b.png", Label::Unclear), ("コスプレ (1), a.jpg", Label::Pair)]);
        labels.add(vec![row("c.png", 2)]).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), format!("{filled}\nc.png,,,2,0.5000\n"));
        assert_eq!((labels.round(), labels.open_questions()), (2, vec!["c.png"]));
        let decided = Decisions::new(vec![Line::new("c.png", Decision::Drop), Line::new("b.png", Decision::Keep)]);
        assert_eq!(labels.take(&decided).unwrap(), 1);
        let labels = Labels::open(&path).unwrap();
        assert_eq!((labels.given()["c.png"], labels.given()["b.png"]), (Label::Other, Label::Unclear));
        assert!(labels.open_questions().is_empty() && labels.round() == 2);
        let mut labels = labels;
        labels.add(vec![row("d.png", 3), row("e.png", 3)]).unwrap();
        assert_eq!(labels.answer(|file| (file == "d.png").then_some(Label::Pair)).unwrap(), 1);
        let mut labels = Labels::open(&path).unwrap();
        assert_eq!((labels.given()["d.png"], labels.open_questions()), (Label::Pair, vec!["e.png"]));
        assert_eq!(labels.labelled_round(), 3);
        assert_eq!((labels.answer(|_| Some(Label::Other)).unwrap(), labels.answer(|_| None).unwrap()), (1, 0));
    }

    #[test]
    fn bad_lines_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(LABELS);
        for (text, place, word) in [
            ("file,label\na,pair\nb,maybe\n", "labels.csv:3", "maybe"),
            ("file,label\na,pair\n\nb,other\na,other\n", "labels.csv:5", "line 2"),
            ("file;label\na;pair\n", "labels.csv", "separated by commas"),
            ("", "labels.csv", "columns"),
        ] {
            fs::write(&path, text).unwrap();
            let message = Labels::open(&path).unwrap_err().to_string();
            assert!(message.contains(place) && message.contains(word), "{text:?}: {message}");
        }
        fs::write(&path, "file,label\n,pair\nx.png\n").unwrap();
        assert_eq!(Labels::open(&path).unwrap().open_questions(), ["x.png"]);
    }
}
