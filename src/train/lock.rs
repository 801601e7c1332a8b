//! One trainer per run folder.
//!
//! The lock is the operating system's on the file `lock`, which holds process id and host for the message. It ends
//! with the process, however that ends, so a stale file is no obstacle. Within one process an idle trainer gives way:
//! running a notebook cell again opens the folder while the old trainer is still in its variable.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use crate::{Error, Result};

/// Name of the lock file in a run folder.
const NAME: &str = "lock";

/// The folders this process holds. Cells, threads and copies of a trainer all have to meet here.
static HELD: Mutex<BTreeMap<PathBuf, Weak<Holder>>> = Mutex::new(BTreeMap::new());

#[derive(Debug)]
struct Holder {
    /// `None` once another trainer of this process has taken over.
    file: Mutex<Option<File>>,
    busy: AtomicBool,
}

/// The right to write into a run folder; ends when dropped.
#[derive(Debug)]
pub(super) struct RunLock {
    holder: Arc<Holder>,
    folder: PathBuf,
}

/// A trainer at work: nobody takes its folder over.
#[derive(Debug)]
pub(super) struct Busy {
    holder: Arc<Holder>,
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.holder.busy.store(false, Ordering::SeqCst);
    }
}

/// The name of this machine.
pub(super) fn host() -> String {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let name = name.or_else(|| std::env::var("HOSTNAME").ok()).or_else(|| std::env::var("COMPUTERNAME").ok());
    name.map(|name| name.trim().to_string()).filter(|name| !name.is_empty()).unwrap_or_else(|| "unknown host".into())
}

fn held() -> MutexGuard<'static, BTreeMap<PathBuf, Weak<Holder>>> {
    HELD.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Holder {
    fn file(&self) -> MutexGuard<'_, Option<File>> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RunLock {
    /// Takes the folder, which must exist.
    ///
    /// # Errors
    /// [`Error::Locked`] when another process holds it, or a trainer of this process is at work in it.
    pub(super) fn acquire(folder: &Path) -> Result<RunLock> {
        let folder = folder.canonicalize().map_err(|e| Error::io("open the run folder", folder, e))?;
        let mut held = held();
        held.retain(|_, holder| holder.strong_count() > 0);
        let before = held.get(&folder).and_then(Weak::upgrade);
        let file = match before {
            Some(holder) if holder.busy.load(Ordering::SeqCst) => {
                return Err(Error::Locked { path: folder, pid: std::process::id(), host: host() });
            }
            Some(holder) => holder.file().take(),
            None => None,
        };
        let file = match file {
            Some(file) => file,
            None => lock_file(&folder)?,
        };
        let holder = Arc::new(Holder { file: Mutex::new(Some(file)), busy: AtomicBool::new(false) });
        held.insert(folder.clone(), Arc::downgrade(&holder));
        Ok(RunLock { holder, folder })
    }

    /// Begins work.
    ///
    /// # Errors
    /// When a later trainer of this process has taken the folder over.
    pub(super) fn work(&self) -> Result<Busy> {
        // Taking the table keeps a take-over from happening between the question and the answer.
        let _held = held();
        if self.holder.file().is_none() {
            return Err(Error::invalid(
                format!("trainer of {}", self.folder.display()),
                "that this folder was opened again later in this process",
                "the newest trainer of the folder",
                "Go on with that one.",
            ));
        }
        self.holder.busy.store(true, Ordering::SeqCst);
        Ok(Busy { holder: self.holder.clone() })
    }
}

fn lock_file(folder: &Path) -> Result<File> {
    let path = folder.join(NAME);
    let failed = |action: &str, e| Error::io(action, &path, e);
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    let mut file = options.open(&path).map_err(|e| failed("create the lock file", e))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let (pid, host) = owner(&mut file);
            return Err(Error::Locked { path: folder.to_path_buf(), pid, host });
        }
        Err(TryLockError::Error(e)) => return Err(failed("lock it", e)),
    }
    let line = format!("{} {}\n", std::process::id(), host());
    let write = |file: &mut File| -> std::io::Result<()> {
        file.set_len(0)?;
        file.write_all(line.as_bytes())
    };
    write(&mut file).map_err(|e| failed("write the process id to it", e))?;
    Ok(file)
}

/// Process and host in a lock file that somebody else holds; 0 when it stays unreadable.
fn owner(file: &mut File) -> (u32, String) {
    for _ in 0..10 {
        let mut text = String::new();
        let read = file.seek(SeekFrom::Start(0)).and_then(|_| file.read_to_string(&mut text));
        let line = text.strip_suffix('\n').and_then(|line| line.split_once(' '));
        if let (Ok(_), Some((pid, host))) = (read, line)
            && let Ok(pid) = pid.parse()
        {
            return (pid, host.to_string());
        }
        // The holder may be between taking the lock and writing its name.
        std::thread::sleep(Duration::from_millis(10));
    }
    (0, "unknown host".to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_holder_is_named_and_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(NAME);
        let mut other = OpenOptions::new().write(true).create(true).truncate(true).open(&path).unwrap();
        other.try_lock().unwrap();
        other.write_all(b"4711 kitsune\n").unwrap();
        let message = RunLock::acquire(folder.path()).unwrap_err().to_string();
        assert!(message.contains("4711") && message.contains("kitsune"), "{message}");
    }

    #[test]
    fn a_stale_file_is_taken_over() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(NAME), "4711 kitsune with a very long name that must not remain\n").unwrap();
        let lock = RunLock::acquire(folder.path()).unwrap();
        let text = fs::read_to_string(folder.path().join(NAME)).unwrap();
        assert_eq!(text, format!("{} {}\n", std::process::id(), host()));
        drop(lock);
        RunLock::acquire(folder.path()).unwrap();
    }

    #[test]
    fn in_one_process_the_idle_gives_way_and_the_busy_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let first = RunLock::acquire(folder.path()).unwrap();
        let busy = first.work().unwrap();
        assert!(matches!(RunLock::acquire(folder.path()), Err(Error::Locked { .. })));
        drop(busy);
        let second = RunLock::acquire(folder.path()).unwrap();
        assert!(first.work().unwrap_err().to_string().contains("opened again"));
        second.work().unwrap();
        drop(first);
        let mut other = OpenOptions::new().read(true).write(true).open(folder.path().join(NAME)).unwrap();
        assert!(other.try_lock().is_err(), "the lock moved over to the second holder");
        assert_eq!(owner(&mut other).0, std::process::id());
    }
}
