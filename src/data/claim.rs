//! Output folders that can be completed after an interruption, and that nothing else is written into.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::show::save::write_whole;
use crate::{Error, Result};

/// Takes a new or empty folder, or one that the same settings have begun: `file` in it holds them. `what` and `wanted` are
/// for messages ("bodies", the settings in words).
///
/// # Errors
/// When the folder holds anything else, or cannot be made, read or written.
pub(in crate::data) fn claim(folder: &Path, file: &str, settings: &Value, what: &str, wanted: &str) -> Result<()> {
    let path = folder.join(file);
    fs::create_dir_all(folder).map_err(|source| Error::io("make the folder", folder, source))?;
    match fs::read(&path) {
        Ok(found) if serde_json::from_slice::<Value>(&found).ok().as_ref() == Some(settings) => Ok(()),
        Ok(_) => {
            let hint = "Nothing is overwritten: choose another folder, or the same settings to complete this one.";
            Err(Error::file(path, format!("{what} of other settings"), wanted, hint))
        }
        Err(_) => {
            empty(folder)?;
            write_whole(&path, settings.to_string().as_bytes())
        }
    }
}

/// Makes a folder, or takes it when it is there and empty.
///
/// # Errors
/// When it holds anything, or cannot be made or read.
pub(in crate::data) fn empty(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).map_err(|source| Error::io("make the folder", folder, source))?;
    let mut entries = fs::read_dir(folder).map_err(|source| Error::io("list the folder", folder, source))?;
    match entries.next() {
        None => Ok(()),
        Some(_) => {
            let hint = "Nothing is overwritten: choose another folder.";
            Err(Error::file(folder, "a folder that is not empty", "an empty or a new one", hint))
        }
    }
}
