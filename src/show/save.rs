//! Writing figures and tables to files: the extension says the format.

use std::path::Path;

use image::{ImageFormat, RgbImage};

use crate::{Error, Result};

/// The extension of `path` in lower case, when it is one of `known`.
pub(crate) fn extension(path: &Path, known: &[&'static str]) -> Result<&'static str> {
    let given = path.extension().map(|e| e.to_string_lossy().to_lowercase()).unwrap_or_default();
    known.iter().copied().find(|&known| known == given).ok_or_else(|| {
        let expected = known.iter().map(|e| format!(".{e}")).collect::<Vec<_>>().join(", ");
        let found = if given.is_empty() { "no extension".to_string() } else { format!("the extension .{given}") };
        Error::file(path, found, expected, "The extension of the file name chooses the format.")
    })
}

/// Makes the missing folders above a file.
pub(crate) fn make_folder_of(path: &Path) -> Result<()> {
    match path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        Some(folder) => std::fs::create_dir_all(folder).map_err(|e| Error::io("create the folder", folder, e)),
        None => Ok(()),
    }
}

/// Writes a file that appears under its name only when it is whole; missing folders above it are made.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    make_folder_of(path)?;
    crate::weights::write_whole(path, bytes).map_err(|e| Error::io("write the file", path, e))
}

/// Writes a file; missing folders above it are made.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    make_folder_of(path)?;
    std::fs::write(path, bytes).map_err(|e| Error::io("write the file", path, e))
}

/// The bytes of a PNG file.
pub(crate) fn png(image: &RgbImage) -> Result<Vec<u8>> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    image.write_to(&mut bytes, ImageFormat::Png).map_err(|e| {
        let size = format!("{}×{} pixels ({e})", image.width(), image.height());
        Error::invalid("picture to encode as PNG", size, "at least one pixel", "")
    })?;
    Ok(bytes.into_inner())
}
