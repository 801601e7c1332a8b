//! Files that only grow: one line of JSON per event, so that a crash costs the last line at most.

use std::fs::{self, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Error, Result};

/// Reads the lines of a file, each with its number from 1; none when there is no file. A last line without its end is the
/// trace of a crash and is passed over.
///
/// # Errors
/// When the file cannot be read, or a line is not what it has to be (`what`); the message names it.
pub(super) fn read<T: DeserializeOwned>(path: &Path, what: &str) -> Result<Vec<(usize, T)>> {
    let text = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Error::io(format!("read the {what}"), path, error)),
    };
    let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    let mut lines = Vec::new();
    for (number, line) in (1..).zip(text[..whole].split(|byte| *byte == b'\n')) {
        if line.trim_ascii().is_empty() {
            continue;
        }
        let parsed = serde_json::from_slice(line).map_err(|error| {
            let place = format!("{}:{number}", path.display());
            // The reader counts lines of its own, which are always the first.
            let found = error.to_string().split(" at line").next().unwrap_or_default().to_string();
            Error::file(place, found, format!("a line of the {what}"), "Correct or remove the line.")
        })?;
        lines.push((number, parsed));
    }
    Ok(lines)
}

/// Adds lines to a file, which is made when there is none, and waits until the disk has them. What a crash left of a last
/// line is ended first.
///
/// # Errors
/// When the file cannot be written.
pub(super) fn append<T: Serialize>(path: &Path, events: &[T]) -> Result<()> {
    let io = |error| Error::io("add lines", path, error);
    let mut text = Vec::new();
    for event in events {
        serde_json::to_writer(&mut text, event).map_err(|error| io(error.into()))?;
        text.push(b'\n');
    }
    let mut file = OpenOptions::new().read(true).append(true).create(true).open(path).map_err(io)?;
    let mut last = [b'\n'];
    if file.seek(SeekFrom::End(0)).map_err(io)? > 0 {
        file.seek(SeekFrom::End(-1)).and_then(|_| file.read_exact(&mut last)).map_err(io)?;
    }
    if last != [b'\n'] {
        remove_torn(path, &mut file).map_err(io)?;
    }
    file.write_all(&text).and_then(|()| file.sync_all()).map_err(io)
}

/// Cuts off what a crash left of a last line.
fn remove_torn(path: &Path, file: &mut fs::File) -> std::io::Result<()> {
    let text = fs::read(path)?;
    let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    file.set_len(whole as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_torn_line_costs_itself_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.jsonl");
        assert!(read::<u32>(&path, "events").unwrap().is_empty());
        append(&path, &[1u32, 2]).unwrap();
        fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(b"12").unwrap();
        assert_eq!(read::<u32>(&path, "events").unwrap(), [(1, 1), (2, 2)]);
        append(&path, &[3u32]).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"1\n2\n3\n");
        fs::write(&path, "1\n\n\"x\"\n4\n").unwrap();
        let message = read::<u32>(&path, "events").unwrap_err().to_string();
        assert!(message.contains("events.jsonl:3: found invalid type") && !message.contains("line 1"), "{message}");
    }
}
