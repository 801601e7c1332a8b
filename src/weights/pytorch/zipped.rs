//! ZIP archives: `NAME/data.pkl`, and a member `NAME/data/KEY` for each storage, stored as it is.

use std::collections::BTreeMap;
use std::io::{Cursor, Read};
use std::path::Path;

use candle_core::Tensor;
use zip::ZipArchive;

use super::pickle::Pickle;
use super::{Found, storages};
use crate::{Error, Result};

/// A longer pickle is none of weights.
const MAX_PICKLE: usize = 64 << 20;
const AGAIN: &str = "Was it downloaded or copied completely?";

pub(super) fn is_one(bytes: &[u8]) -> bool {
    bytes.starts_with(b"PK\x03\x04")
}

pub(super) fn read(path: &Path, bytes: &[u8]) -> Result<BTreeMap<String, Tensor>> {
    let broken = |error: zip::result::ZipError| {
        Error::file(path, format!("an archive that cannot be read ({error})"), "a whole ZIP archive", AGAIN)
    };
    let mut archive = Archive { path, zip: ZipArchive::new(Cursor::new(bytes)).map_err(broken)? };
    let folder = archive.folder()?;
    if let Some(order) = archive.optional(&format!("{folder}byteorder"), 16)?
        && order != b"little"
    {
        return Err(Error::file(path, "numbers in another byte order", "little-endian numbers", ""));
    }
    let pickle = archive.member(&format!("{folder}data.pkl"), MAX_PICKLE)?;
    let pickle = Pickle::read(&pickle).map_err(|refused| refused.in_file(path))?;
    let found = Found::new(path, &pickle, bytes.len())?;
    let mut tensors = BTreeMap::new();
    for (key, storage) in storages(path, &pickle)? {
        let name = format!("{folder}data/{key}");
        let numbers = archive.member(&name, bytes.len())?;
        if storage.bytes() != Some(numbers.len()) {
            let expected = format!("{} numbers of {} bytes", storage.count, storage.element.size());
            return Err(Error::file(path, format!("{name}: {} bytes", numbers.len()), expected, AGAIN));
        }
        found.make(key, &numbers, &mut tensors)?;
    }
    Ok(tensors)
}

struct Archive<'a> {
    path: &'a Path,
    zip: ZipArchive<Cursor<&'a [u8]>>,
}

impl Archive<'_> {
    /// The folder of the pickle, with its slash.
    fn folder(&self) -> Result<String> {
        let folder = self.zip.file_names().find_map(|name| Some(name.ok()?.strip_suffix("data.pkl")?.to_owned()));
        let folder = folder.filter(|folder| folder.is_empty() || folder.ends_with('/'));
        let Some(folder) = folder else {
            return Err(Error::file(self.path, "an archive without data.pkl", "an archive of torch.save", ""));
        };
        if self.zip.index_for_name(&format!("{folder}constants.pkl")).is_some() {
            let hint = "In Python: torch.save(torch.jit.load(FILE).state_dict(), OTHER).";
            return Err(Error::file(self.path, "a TorchScript program", "weights alone", hint));
        }
        Ok(folder)
    }

    fn optional(&mut self, name: &str, limit: usize) -> Result<Option<Vec<u8>>> {
        self.zip.index_for_name(name).map(|_| self.member(name, limit)).transpose()
    }

    /// The contents of a member of at most `limit` bytes, whose checksum is right.
    fn member(&mut self, name: &str, limit: usize) -> Result<Vec<u8>> {
        let path = self.path;
        let wrong = |found: String, expected: &str| Error::file(path, format!("{name}: {found}"), expected, AGAIN);
        let member = self.zip.by_name(name).map_err(|error| wrong(error.to_string(), "a member of the archive"))?;
        let mut contents = Vec::new();
        let read = member.take(limit as u64 + 1).read_to_end(&mut contents);
        read.map_err(|error| wrong(error.to_string(), "whole data with the checksum of the archive"))?;
        if contents.len() > limit {
            return Err(wrong(format!("more than {limit} bytes"), "a member of a file of weights"));
        }
        Ok(contents)
    }
}
