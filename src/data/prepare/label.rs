//! A tag table for a folder of faces, written by a network.
//!
//! The papers on attributes label what they have cut out by Illustration2Vec and take every probability above 0.25 (make.girls.moe,
//! section 3.2). Here the built-in tagger reads them. The table holds probabilities: the threshold is the manifest's, and a
//! table that any other network has written is read in the same way.

use std::path::Path;

use rayon::prelude::*;

use super::clothing::write_table;
use crate::data::import::{original, walk, within};
use crate::data::report::{Action, Report};
use crate::metrics::nets::tagger::Tagger;
use crate::{Error, Result};

/// Pictures in memory at once.
const CHUNK: usize = 64;

/// Writes what a tagger says of all pictures in `input` and below it as a tag table: the column `file`, and for each tag a
/// column of probabilities. Files that cannot be read are in the report. The table appears under its name only when it is
/// whole; an existing one is replaced.
///
/// # Errors
/// When the folder cannot be read or holds no picture, or the table cannot be written.
pub fn label_folder(input: impl AsRef<Path>, table: impl AsRef<Path>, tagger: &Tagger) -> Result<Report> {
    let (input, table) = (input.as_ref(), table.as_ref());
    let root = input.canonicalize().map_err(|error| Error::io("open the folder of pictures", input, error))?;
    let mut report = Report::default();
    let mut files = within(&root, walk(&root, &mut report)?, &mut report);
    files.sort();
    let mut rows = Vec::with_capacity(files.len());
    for chunk in files.chunks(CHUNK) {
        let read: Vec<_> = chunk.par_iter().map(|(_, path)| original(path)).collect();
        let (mut names, mut pictures) = (Vec::new(), Vec::new());
        for ((file, _), picture) in chunk.iter().zip(read) {
            match picture {
                Ok(picture) => {
                    names.push(file);
                    pictures.push(picture);
                }
                Err(refused) => report.add(refused.0, file, refused.1, Action::LeftOut),
            }
        }
        if pictures.is_empty() {
            continue;
        }
        for (file, labels) in names.into_iter().zip(tagger.labels_of(&pictures)?) {
            let numbers = labels.values.iter().map(|value| format!("{value:.4}"));
            rows.push([file.clone()].into_iter().chain(numbers).collect::<Vec<String>>());
        }
    }
    let report = report.finish(rows.len());
    if rows.is_empty() {
        return Err(Error::file(input, format!("no picture ({report})"), "at least one", ""));
    }
    let tags = tagger.tags().names();
    let columns: Vec<&str> = ["file"].into_iter().chain(tags).collect();
    write_table(table, &columns, rows)?;
    Ok(report)
}
