//! Tag tables: CSV with a header, or one JSON object per line.
//!
//! Either has a column (key) `file`. Tags are a column each (0, 1, numbers between, true, false), or one column `tags`
//! with a list of those that are on ("smile, blue eyes, year=0.3"); JSON may also give a list or an object there.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::sync::Arc;

use serde_json::Value;

use crate::data::manifest::FolderLayout;
use crate::data::report::{Action, Report};
use crate::data::tags::name_and_value;
use crate::{Error, Result};

/// No honest table is larger; a larger one would only fill the memory.
const MAX_BYTES: u64 = 1 << 30;

/// One row, before anything is known about the vocabulary.
pub(super) struct Row {
    /// Line in the table, from 1.
    pub line: u64,
    /// The file as written, with slashes.
    pub file: String,
    /// Tags with their values; none for a cell without one.
    pub values: Vec<(Arc<str>, Option<f32>)>,
    /// What the split column says.
    pub split: Option<String>,
}

/// A tag table.
pub(super) struct Table {
    pub rows: Vec<Row>,
    /// The tags in the order of the columns, or in alphabetical order where there are no columns.
    pub tags: Vec<Arc<str>>,
}

/// Reads a table. Rows that cannot be read are put into the report.
///
/// # Errors
/// When the file cannot be read, is larger than 1 GiB, is neither `.csv` nor `.jsonl`, or has no column `file`.
pub(super) fn read(path: &Path, layout: &FolderLayout, report: &mut Report) -> Result<Table> {
    let io = |source| Error::io("read the tag table", path, source);
    let file = File::open(path).map_err(io)?;
    let length = file.metadata().map_err(io)?.len();
    if length > MAX_BYTES {
        return Err(Error::file(
            path,
            format!("{length} bytes"),
            "a tag table of at most 1 GiB",
            "Split the data set.",
        ));
    }
    // A file that grows while it is read, or a device, ends here too.
    let reader = BufReader::new(file.take(MAX_BYTES));
    let name = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let context = Context { path, name, layout };
    match path.extension().and_then(|extension| extension.to_str()).map(str::to_lowercase).as_deref() {
        Some("csv") => context.csv(reader, report),
        Some("jsonl" | "ndjson") => context.json_lines(reader, report),
        _ => {
            let expected = "a tag table that ends in .csv or .jsonl";
            Err(Error::file(path, "another kind of file", expected, "Rename or convert it."))
        }
    }
}

struct Context<'a> {
    path: &'a Path,
    name: String,
    layout: &'a FolderLayout,
}

/// What a column of a CSV table is.
enum Column {
    File,
    Tags,
    Split,
    Ignored,
    Tag(Arc<str>),
}

impl Context<'_> {
    fn csv(&self, reader: impl Read, report: &mut Report) -> Result<Table> {
        let mut reader = csv::ReaderBuilder::new().flexible(true).trim(csv::Trim::All).from_reader(reader);
        let header = reader.headers().map_err(|error| self.csv_error(&error))?.clone();
        let columns: Vec<Column> = header.iter().map(|name| self.column(name)).collect();
        if !columns.iter().any(|column| matches!(column, Column::File)) {
            let found = format!("the columns {}", header.iter().collect::<Vec<_>>().join(", "));
            return Err(Error::file(self.path, found, "a column named file", "Give the table a header."));
        }
        if let Some(split) = self.layout.split_column.as_ref().filter(|split| !header.iter().any(|name| name == *split))
        {
            let found = format!("no column \"{split}\"");
            return Err(Error::file(self.path, found, "the split_column of the manifest", "Correct either."));
        }
        let mut rows = Vec::new();
        let mut record = csv::ByteRecord::new();
        while reader.read_byte_record(&mut record).map_err(|error| self.csv_error(&error))? {
            let line = record.position().map_or(0, |position| position.line());
            match self.csv_row(line, &record, &columns) {
                Ok(row) => rows.push(row),
                Err(detail) => report.add("damaged row", &self.place(line), detail, Action::LeftOut),
            }
        }
        let tags: Vec<Arc<str>> = columns
            .iter()
            .filter_map(|column| match column {
                Column::Tag(name) => Some(Arc::clone(name)),
                _ => None,
            })
            .collect();
        let tags = if columns.iter().any(|column| matches!(column, Column::Tags)) { names(&rows) } else { tags };
        Ok(Table { rows, tags })
    }

    fn csv_row(&self, line: u64, record: &csv::ByteRecord, columns: &[Column]) -> Result<Row, String> {
        if record.len() != columns.len() {
            return Err(format!("{} cells instead of {}", record.len(), columns.len()));
        }
        let mut row = Row { line, file: String::new(), values: Vec::new(), split: None };
        for (cell, column) in record.iter().zip(columns) {
            let cell = std::str::from_utf8(cell).map_err(|_| "not UTF-8 text".to_string())?;
            match column {
                Column::File => row.file = slashes(cell),
                Column::Tags => push_list(cell, &mut row)?,
                Column::Split => row.split = Some(cell.to_string()),
                Column::Ignored => {}
                Column::Tag(name) => row.values.push((Arc::clone(name), number(name, cell)?)),
            }
        }
        named(row)
    }

    fn column(&self, name: &str) -> Column {
        match name.trim_start_matches('\u{feff}') {
            "file" => Column::File,
            name if self.layout.split_column.as_deref() == Some(name) => Column::Split,
            name if self.layout.ignore_columns.iter().any(|ignored| ignored == name) => Column::Ignored,
            "tags" => Column::Tags,
            name => Column::Tag(name.into()),
        }
    }

    fn json_lines(&self, reader: impl BufRead, report: &mut Report) -> Result<Table> {
        let mut rows = Vec::new();
        for (line, bytes) in (1..).zip(reader.split(b'\n')) {
            let bytes = bytes.map_err(|source| Error::io("read the tag table", self.path, source))?;
            if bytes.trim_ascii().is_empty() {
                continue;
            }
            let row = serde_json::from_slice::<Value>(&bytes).map_err(|error| error.to_string());
            match row.and_then(|value| self.json_row(line, value)) {
                Ok(row) => rows.push(row),
                Err(detail) => report.add("damaged row", &self.place(line), detail, Action::LeftOut),
            }
        }
        let tags = names(&rows);
        Ok(Table { rows, tags })
    }

    fn json_row(&self, line: u64, value: Value) -> Result<Row, String> {
        let Value::Object(entries) = value else {
            return Err("no JSON object".to_string());
        };
        let mut row = Row { line, file: String::new(), values: Vec::new(), split: None };
        for (key, value) in entries {
            match (self.column(&key), value) {
                (Column::File, Value::String(file)) => row.file = slashes(&file),
                (Column::Split, Value::String(split)) => row.split = Some(split),
                (Column::Ignored, _) => {}
                (Column::Tags, Value::String(list)) => push_list(&list, &mut row)?,
                (Column::Tags, Value::Array(list)) => {
                    for tag in list {
                        push_list(tag.as_str().ok_or("a tag that is no text")?, &mut row)?;
                    }
                }
                (Column::Tags, Value::Object(tags)) => {
                    for (name, value) in tags {
                        let value = json_number(&name, &value)?;
                        row.values.push((name.into(), value));
                    }
                }
                (Column::Tag(name), value) => {
                    let value = json_number(&name, &value)?;
                    row.values.push((name, value));
                }
                (_, value) => return Err(format!("{key} = {value}")),
            }
        }
        named(row)
    }

    fn place(&self, line: u64) -> String {
        format!("{}:{line}", self.name)
    }

    fn csv_error(&self, error: &csv::Error) -> Error {
        Error::file(self.path, error.to_string(), "comma-separated UTF-8 text with a header", "")
    }
}

fn slashes(file: &str) -> String {
    file.trim().replace('\\', "/")
}

fn named(row: Row) -> Result<Row, String> {
    if row.file.is_empty() { Err("no file name".to_string()) } else { Ok(row) }
}

fn push_list(list: &str, row: &mut Row) -> Result<(), String> {
    for part in list.split([',', ';', '|']).map(str::trim).filter(|part| !part.is_empty()) {
        let (name, value) = name_and_value(part).map_err(|error| error.to_string())?;
        row.values.push((name.trim().into(), Some(value)));
    }
    Ok(())
}

fn number(name: &str, cell: &str) -> Result<Option<f32>, String> {
    match cell.to_lowercase().as_str() {
        "" => Ok(None),
        "true" => Ok(Some(1.0)),
        "false" => Ok(Some(0.0)),
        text => match text.parse::<f32>() {
            Ok(value) if value.is_finite() => Ok(Some(value)),
            _ => Err(format!("{name} = \"{cell}\", no number")),
        },
    }
}

fn json_number(name: &str, value: &Value) -> Result<Option<f32>, String> {
    match value {
        Value::Null => Ok(None),
        Value::Bool(on) => Ok(Some(f32::from(u8::from(*on)))),
        value => match value.as_f64().map(|value| value as f32).filter(|value| value.is_finite()) {
            Some(value) => Ok(Some(value)),
            None => Err(format!("{name} = {value}, no number")),
        },
    }
}

fn names(rows: &[Row]) -> Vec<Arc<str>> {
    let names: BTreeSet<&Arc<str>> = rows.iter().flat_map(|row| row.values.iter().map(|(name, _)| name)).collect();
    names.into_iter().map(Arc::clone).collect()
}
