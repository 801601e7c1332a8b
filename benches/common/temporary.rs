//! Temporary folders.

use tachie::{Error, Result};

/// A folder below `target` that goes when it is dropped.
pub fn folder() -> Result<tempfile::TempDir> {
    let above = env!("CARGO_TARGET_TMPDIR");
    tempfile::tempdir_in(above).map_err(|source| Error::io("make a temporary folder in", above, source))
}
