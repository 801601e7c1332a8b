//! What tells whether a file has changed since it was read.

use std::path::Path;
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};

/// A file as it was when it was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stamp {
    /// Its name in the record.
    pub file: String,
    bytes: u64,
    /// Seconds and nanoseconds since 1970; 0 where the system does not say.
    modified: (u64, u32),
}

impl Stamp {
    /// Of the file at `path`, under the name `file`.
    pub fn of(path: &Path, file: &str) -> Stamp {
        let data = path.metadata().ok();
        let time = data.as_ref().and_then(|data| data.modified().ok()?.duration_since(UNIX_EPOCH).ok());
        let modified = time.map_or((0, 0), |time| (time.as_secs(), time.subsec_nanos()));
        Stamp { file: file.into(), bytes: data.map_or(0, |data| data.len()), modified }
    }
}
