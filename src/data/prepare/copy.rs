//! Copies of files, and second names for them.

use std::fs;
use std::path::Path;

use crate::show::save::make_folder_of;
use crate::{Error, Result};

/// Copies a file, whole or not at all, or gives it a second name (`link`); whether it was not there already.
pub(super) fn copy(from: &Path, to: &Path, link: bool) -> Result<bool> {
    if to.symlink_metadata().is_ok() {
        return Ok(false);
    }
    make_folder_of(to)?;
    let io = |error| Error::io(format!("copy {} to it", from.display()), to, error);
    if link {
        fs::hard_link(from, to).map_err(io)?;
        return Ok(true);
    }
    let mut partial = to.as_os_str().to_owned();
    partial.push(".part");
    fs::copy(from, &partial).and_then(|_| fs::rename(&partial, to)).map_err(io)?;
    Ok(true)
}
