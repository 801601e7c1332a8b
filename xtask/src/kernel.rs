//! The notebook kernel: evcxr_jupyter, the programs beside it, and the library that cells link.

use crate::layout::{Layout, plain_cargo};
use crate::stage::{capture, create_folder, remove_folder, run, write};
use crate::{Result, direct, launch};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The version of evcxr_jupyter that all of this is written for.
const EVCXR: &str = "0.22.0";

/// Installs evcxr_jupyter and compiles the library that cells link; does nothing for what is there.
///
/// Both at once: each has long stretches in which only one crate can be compiled.
pub fn compile(layout: &Layout) -> Result<String> {
    let mut library = library(layout)?;
    let Some(install) = install(layout) else {
        run(&mut library, "compiling the kernel library")?;
        return Ok("ready".into());
    };
    println!("      once per clone, about 25 minutes on 2 cores");
    side_by_side(vec![("evcxr_jupyter", install), ("library", library)])?;
    remove_folder(&install_folder(layout))?;
    Ok(format!("evcxr_jupyter {EVCXR} installed, library ready"))
}

/// Where evcxr_jupyter is compiled; removed when it is installed.
fn install_folder(layout: &Layout) -> PathBuf {
    layout.tools().join("build")
}

/// The command that installs evcxr_jupyter below `target/tools`, unless this version is there.
fn install(layout: &Layout) -> Option<Command> {
    let tools = layout.tools();
    let record = std::fs::read_to_string(tools.join(".crates.toml")).unwrap_or_default();
    if tools.join("bin/evcxr_jupyter").is_file() && record.contains(&format!("evcxr_jupyter {EVCXR} ")) {
        return None;
    }
    let mut cargo = plain_cargo();
    cargo
        .current_dir(&layout.root)
        .args(["install", "evcxr_jupyter", "--version", EVCXR, "--locked", "--root"])
        .arg(&tools)
        .arg("--target-dir")
        .arg(install_folder(layout));
    Some(cargo)
}

/// Runs programs at the same time and shows their messages line by line, each with the program's name before it.
fn side_by_side(jobs: Vec<(&'static str, Command)>) -> Result<()> {
    let outcomes = std::thread::scope(|scope| {
        let follow = |(name, mut command): (&'static str, Command)| -> Result<()> {
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
            let mut child = command.spawn().map_err(|error| format!("{name}: cannot run cargo: {error}"))?;
            let messages = child.stderr.take().ok_or("cargo has no messages")?;
            for line in BufReader::new(messages).lines().map_while(|line| line.ok()) {
                println!("      {name}: {}", line.trim());
            }
            let status = child.wait().map_err(|error| format!("{name}: {error}"))?;
            if status.success() {
                Ok(())
            } else {
                Err(format!("{name}: cargo failed ({status}); its message is above"))
            }
        };
        let running: Vec<_> = jobs.into_iter().map(|job| scope.spawn(move || follow(job))).collect();
        let ended =
            running.into_iter().map(|job| job.join().unwrap_or_else(|_| Err("a job ended unexpectedly".into())));
        ended.collect::<Vec<Result<()>>>()
    });
    outcomes.into_iter().collect()
}

/// Puts the launcher, the kernel's `cargo` and `rustup`, and the sources that rust-analyzer reads in their places.
pub fn programs(layout: &Layout) -> Result<String> {
    let mut cargo = plain_cargo();
    cargo
        .current_dir(&layout.root)
        .args(["build", "--quiet", "--package", "xtask", "--target-dir"])
        .arg(layout.target());
    run(&mut cargo, "cargo build --package xtask")?;
    let built = layout.target().join("debug/xtask");
    let folder = layout.kernel_programs();
    create_folder(&folder.join("home/bin"))?;
    for name in [launch::PROGRAM, direct::RECORDER, "cargo", "rustup", "home/bin/cargo"] {
        replace_with_link(&built, &folder.join(name))?;
    }
    standard_library(layout)?;
    Ok(format!("in {}", layout.short(&folder).display()))
}

/// A hard link, so that the file that runs is the one that was built last.
fn replace_with_link(from: &Path, to: &Path) -> Result<()> {
    // Removing first: writing into a program that runs is refused.
    let _ = std::fs::remove_file(to);
    std::fs::hard_link(from, to).map_err(|error| format!("{}: cannot create: {error}", to.display()))
}

/// The parts of the standard library that variables have types from. The whole folder is three times as large (most
/// of it processor intrinsics), and as a cargo workspace it would be resolved over the network at every start.
fn standard_library(layout: &Layout) -> Result<()> {
    let sysroot = capture(Command::new("rustc").args(["--print", "sysroot"]), "rustc --print sysroot")?;
    let library = PathBuf::from(sysroot).join("lib/rustlib/src/rust/library");
    let folder = layout.tools().join("rust-src");
    create_folder(&folder)?;
    for part in ["core", "alloc", "std"] {
        let link = folder.join(part);
        if std::fs::read_link(&link).is_ok_and(|there| there == library.join(part)) {
            continue;
        }
        let _ = std::fs::remove_file(&link);
        std::os::unix::fs::symlink(library.join(part), &link)
            .map_err(|error| format!("{}: cannot create: {error}", link.display()))?;
    }
    Ok(())
}

/// The command that compiles the library, with the settings and into the folder with which evcxr will ask for it.
fn library(layout: &Layout) -> Result<Command> {
    // A crate like the one evcxr makes for a cell, in a folder of its own: a kernel may be using evcxr's.
    let folder = layout.target().join("kernel-library");
    let manifest = format!(
        "[package]\nname = \"kernel-library\"\nversion = \"1.0.0\"\nedition = \"2024\"\n\n\
         [dependencies]\ntachie = {{ path = {:?} }}\n",
        layout.notebooks().join("kernel")
    );
    write(&folder.join("Cargo.toml"), &manifest)?;
    write(&folder.join("src/lib.rs"), "pub use tachie::prelude::*;\n")?;
    let lock = layout.root.join("Cargo.lock");
    std::fs::copy(&lock, folder.join("Cargo.lock"))
        .map_err(|error| format!("{}: cannot copy: {error}", lock.display()))?;
    let mut cargo = layout.shared_cargo();
    cargo.current_dir(&folder).arg("build");
    Ok(cargo)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn jobs_run_at_the_same_time_and_a_failing_one_is_named() {
        let started = std::time::Instant::now();
        let jobs = vec![("first", shell("sleep 1; echo done >&2")), ("second", shell("sleep 1; exit 3"))];
        let error = side_by_side(jobs).unwrap_err();
        assert!(error.starts_with("second: cargo failed (exit status: 3)"), "{error}");
        assert!(started.elapsed().as_secs_f64() < 1.9, "one after the other");
    }
}
