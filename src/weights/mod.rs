//! Published weights, read without executing anything.

pub mod caffe;
pub mod fetch;
pub mod manifest;
pub mod npz;
pub mod pytorch;
pub mod safetensors;
pub(crate) mod trained;
pub mod webdnn;

use std::fs::File;
use std::io::Write;
use std::path::Path;

/// Writes a file that appears under its name only when it is whole: beside it first, synced, then renamed.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut partial = path.as_os_str().to_owned();
    partial.push(".part");
    let mut file = File::create(&partial)?;
    file.write_all(bytes).and_then(|()| file.sync_all())?;
    std::fs::rename(&partial, path)
}
