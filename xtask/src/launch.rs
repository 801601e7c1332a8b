//! Starts one notebook kernel: picks a folder for its cells and sets its environment.

use crate::layout::{Layout, plain_cargo};
use crate::stage::{capture, create_folder, remove_folder, write};
use crate::{Result, front};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The name under which this program is the launcher.
pub const PROGRAM: &str = "tachie-kernel";

/// Kernels that may run side by side.
const KERNELS: usize = 8;

/// What every kernel runs first. evcxr learns that cells may use `?` from the first that fails to compile because of it,
/// and what that cell shows it then shows as text; here it learns it from a cell that shows nothing.
const PRELUDE: &str = "Ok::<(), String>(())?;\n";

/// Becomes evcxr_jupyter for the connection file that Jupyter gives.
pub fn kernel(args: &[String]) -> Result<()> {
    let [connection] = args else {
        return Err(format!("usage: {PROGRAM} CONNECTION_FILE (Jupyter calls this)"));
    };
    let programs = std::env::current_exe().map_err(|error| format!("cannot find this program: {error}"))?;
    let programs = programs.parent().ok_or("this program lies in no folder")?.to_path_buf();
    let root = programs.ancestors().nth(3).ok_or("this program does not lie in target/tools/kernel")?;
    let layout = Layout { root: root.to_path_buf(), host: String::new() };
    let sysroot = PathBuf::from(capture(Command::new("rustc").args(["--print", "sysroot"]), "rustc")?);
    let cells = free_cells(&layout)?;
    let settings = layout.jupyter().join("evcxr");
    write(&settings.join("prelude.rs"), PRELUDE)?;

    let mut path = vec![programs.clone(), sysroot.join("bin")];
    path.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
    let clean = plain_cargo();
    let mut evcxr = Command::new(layout.tools().join("bin/evcxr_jupyter"));
    for (name, _) in clean.get_envs() {
        evcxr.env_remove(name);
    }
    evcxr
        .args(["--control_file", connection])
        .env(front::SYSROOT, &sysroot)
        .env(front::ROOT, &layout.root)
        .env(front::CARGO_HOME, std::env::var_os("CARGO_HOME").unwrap_or_default())
        // rust-analyzer looks for cargo here before it looks at PATH.
        .env("CARGO_HOME", programs.join("home"))
        .env("PATH", std::env::join_paths(path).map_err(|error| format!("PATH: {error}"))?)
        .env("RUST_SRC_PATH", layout.tools().join("rust-src"))
        .env("EVCXR_TMPDIR", cells)
        .env("EVCXR_CONFIG_DIR", settings)
        // evcxr rewrites a kernel that it finds installed in the home folder; this points it elsewhere.
        .env("JUPYTER_PATH", layout.jupyter().join("none"));
    let error = std::os::unix::process::CommandExt::exec(&mut evcxr);
    Err(format!("{}: cannot start: {error}. Run `cargo xtask setup`", evcxr.get_program().display()))
}

/// The folder for this kernel's cells. evcxr allows one kernel a folder, so a second notebook gets a folder of its
/// own, whose compiled dependencies are links to the first one's.
fn free_cells(layout: &Layout) -> Result<PathBuf> {
    for number in 1..=KERNELS {
        let cells = match number {
            1 => layout.cells(),
            _ => layout.target().join(format!("evcxr-{number}")),
        };
        create_folder(&cells)?;
        let lock = cells.join("kernel.lock");
        let file = File::create(&lock).map_err(|error| format!("{}: cannot create: {error}", lock.display()))?;
        if file.try_lock().is_err() {
            continue;
        }
        keep_across_exec(file)?;
        if number > 1 {
            let compiled = cells.join("target");
            remove_folder(&compiled)?;
            link_tree(&layout.compiled(), &compiled)?;
        }
        return Ok(cells);
    }
    Err(format!("{KERNELS} notebook kernels are running in this clone: shut one down first"))
}

/// Leaves the lock to the program that this process becomes; it is released when the last process of the kernel ends.
fn keep_across_exec(file: File) -> Result<()> {
    use std::os::fd::IntoRawFd;
    unsafe extern "C" {
        fn fcntl(fd: std::ffi::c_int, command: std::ffi::c_int, ...) -> std::ffi::c_int;
    }
    const F_SETFD: std::ffi::c_int = 2;
    // SAFETY: the descriptor is open and owned by nobody else; clearing its flags touches no memory.
    match unsafe { fcntl(file.into_raw_fd(), F_SETFD, 0) } {
        -1 => Err(format!("the kernel's lock cannot be kept: {}", std::io::Error::last_os_error())),
        _ => Ok(()),
    }
}

/// The same files under another folder, as hard links; incremental data is each kernel's own.
fn link_tree(from: &Path, to: &Path) -> Result<()> {
    create_folder(to)?;
    let wrong = |path: &Path, error: std::io::Error| format!("{}: cannot link: {error}", path.display());
    for entry in std::fs::read_dir(from).map_err(|error| wrong(from, error))? {
        let path = entry.map_err(|error| wrong(from, error))?.path();
        let Some(name) = path.file_name() else { continue };
        if name == "incremental" || name == ".cargo-lock" {
            continue;
        }
        let target = to.join(name);
        if path.is_dir() {
            link_tree(&path, &target)?;
        } else {
            match std::fs::hard_link(&path, &target) {
                // A cargo that works in the folder at this moment has replaced it.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                linked => linked.map_err(|error| wrong(&path, error))?,
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(name: &str) -> Layout {
        let root = std::env::temp_dir().join(format!("tachie-{name}-{}", std::process::id()));
        Layout { root, host: String::new() }
    }

    #[test]
    fn linked_files_hold_the_same_bytes() {
        let layout = layout("link");
        let from = layout.compiled();
        create_folder(&from.join("debug/incremental")).unwrap();
        std::fs::write(from.join("debug/a.rlib"), b"compiled").unwrap();
        let to = layout.root.join("other");
        link_tree(&from, &to).unwrap();
        assert_eq!(std::fs::read(to.join("debug/a.rlib")).unwrap(), b"compiled");
        assert!(!to.join("debug/incremental").exists());
        remove_folder(&layout.root).unwrap();
    }

    #[test]
    fn a_second_kernel_gets_a_folder_of_its_own() {
        let layout = layout("slots");
        create_folder(&layout.compiled()).unwrap();
        let first = free_cells(&layout).unwrap();
        let second = free_cells(&layout).unwrap();
        assert_eq!(first, layout.cells());
        assert_eq!(second, layout.target().join("evcxr-2"));
        assert!(second.join("target").is_dir());
        remove_folder(&layout.root).unwrap();
    }
}
