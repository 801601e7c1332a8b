//! Writing files so that a crash, a full disk or a power cut leaves either the old contents or the new ones.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::{Error, Result};

/// Marks files and folders that are being written; what bears it at the next start is a leftover.
pub(super) const TEMPORARY: &str = ".tmp-";

/// Writes a file and waits until the disk has it.
pub(super) fn write_synced(path: &Path, bytes: &[u8]) -> Result<()> {
    let write = || -> std::io::Result<()> {
        let mut file = File::create(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    write().map_err(|e| Error::io(format!("write {} bytes to it", bytes.len()), path, e))
}

/// Waits until the disk has the names in a folder (a rename is durable only after that).
pub(super) fn sync_folder(path: &Path) -> Result<()> {
    // Windows cannot open a folder as a file, and its renames need no such call.
    if cfg!(unix) {
        File::open(path).and_then(|folder| folder.sync_all()).map_err(|e| Error::io("sync the folder", path, e))?;
    }
    Ok(())
}

/// Renames a file or folder and waits until the disk knows.
pub(super) fn rename_synced(from: &Path, to: &Path) -> Result<()> {
    fs::rename(from, to).map_err(|e| Error::io(format!("rename {} to it", from.display()), to, e))?;
    to.parent().map_or(Ok(()), sync_folder)
}

/// Puts `bytes` in the place of a file: readers see the old contents or the new ones, never a part.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    let temporary = temporary(path);
    write_synced(&temporary, bytes)?;
    rename_synced(&temporary, path)
}

/// As [`replace`], for what can be made again: without waiting for the disk.
pub(super) fn put(path: &Path, bytes: &[u8]) -> Result<()> {
    let temporary = temporary(path);
    fs::write(&temporary, bytes).map_err(|e| Error::io("write it", &temporary, e))?;
    fs::rename(&temporary, path).map_err(|e| Error::io("replace it", path, e))
}

fn temporary(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(format!("{TEMPORARY}{}", std::process::id()));
    path.with_file_name(name)
}

/// Removes leftovers of interrupted writes from a folder.
pub(super) fn remove_leftovers(folder: &Path) -> Result<()> {
    for entry in fs::read_dir(folder).map_err(|e| Error::io("list the folder", folder, e))? {
        let entry = entry.map_err(|e| Error::io("list the folder", folder, e))?;
        if entry.file_name().to_string_lossy().contains(TEMPORARY) {
            let path = entry.path();
            let removed = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
            removed.map_err(|e| Error::io("remove the leftover", &path, e))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replacing_leaves_no_leftover_and_leftovers_go() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("latest");
        replace(&path, b"one").unwrap();
        replace(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        fs::create_dir(folder.path().join("ckpt.tmp-77")).unwrap();
        fs::write(folder.path().join("latest.tmp-77"), b"half").unwrap();
        remove_leftovers(folder.path()).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_refused_write_names_the_file() {
        let message = replace(Path::new("/nowhere/latest"), b"x").unwrap_err().to_string();
        assert!(message.contains("/nowhere/latest"), "{message}");
    }
}
