//! Picture files of drawn data sets.

use std::fs;
use std::path::Path;

use crate::error::{Error, Result};
use crate::show::save::make_folder_of;

/// Writes a file that appears under its name only when it is whole; missing folders above it are made. Nothing is forced
/// to the disk, which would take longer than drawing: after a power cut a picture is drawn again.
pub(super) fn save_picture(path: &Path, bytes: &[u8]) -> Result<()> {
    make_folder_of(path)?;
    let mut partial = path.as_os_str().to_owned();
    partial.push(".part");
    let written = fs::write(&partial, bytes).and_then(|()| fs::rename(&partial, path));
    written.map_err(|source| Error::io("write the picture", path, source))
}
