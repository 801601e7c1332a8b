//! The notebook kernel: evcxr_jupyter, the programs beside it, and the library that cells link.

use crate::layout::{Layout, plain_cargo};
use crate::stage::{capture, create_folder, remove_folder, run, write};
use crate::{Result, direct, launch};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The version of evcxr_jupyter that all of this is written for.
const EVCXR: &str = "0.22.0";

/// Installs evcxr_jupyter below `target/tools`; does nothing when this version is there.
pub fn install(layout: &Layout) -> Result<String> {
    let tools = layout.tools();
    let record = std::fs::read_to_string(tools.join(".crates.toml")).unwrap_or_default();
    if tools.join("bin/evcxr_jupyter").is_file() && record.contains(&format!("evcxr_jupyter {EVCXR} ")) {
        return Ok("already there".into());
    }
    println!("      once per clone, about 10 minutes on 2 cores");
    let build = tools.join("build");
    let mut cargo = plain_cargo();
    cargo
        .current_dir(&layout.root)
        .args(["install", "evcxr_jupyter", "--version", EVCXR, "--locked", "--root"])
        .arg(&tools)
        .arg("--target-dir")
        .arg(&build);
    run(&mut cargo, "cargo install evcxr_jupyter")?;
    remove_folder(&build)?;
    Ok(format!("evcxr_jupyter {EVCXR} installed"))
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

/// Compiles the library that cells link, with the settings and into the folder with which evcxr will ask for it.
pub fn library(layout: &Layout) -> Result<String> {
    if !layout.compiled().join(&layout.host).join("debug/deps").is_dir() {
        println!("      once per clone, about 15 minutes on 2 cores");
    }
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
    run(layout.shared_cargo().current_dir(&folder).arg("build"), "compiling the kernel library")?;
    Ok("ready".into())
}
