//! `cargo xtask gpu-suite`: what a machine with a GPU and PyTorch, but without Rust, runs by one shell script.

use super::toolkit::listed;
use super::{SUITE, build, prepare};
use crate::Result;
use crate::layout::Layout;
use crate::stage::{Stages, capture, create_folder, run};
use std::path::Path;
use std::process::Command;

/// Files beside the program, by where they lie in the clone.
const FILES: [&str; 10] = [
    "benches/gpu/run.sh",
    "benches/pytorch/gpu.py",
    "benches/pytorch/ops.py",
    "benches/pytorch/steps.py",
    "benches/pytorch/editing.py",
    "benches/pytorch/growing.py",
    "benches/pytorch/networks.py",
    "benches/pytorch/training.py",
    "benches/pytorch/translation.py",
    "benches/pytorch/memory.py",
];

/// Builds and packs into `target/gpu-suite`, or the folder that is given.
pub fn suite(layout: &Layout, args: &[String]) -> Result<()> {
    let folder = match args {
        [] => layout.target().join("gpu-suite"),
        [folder] => std::path::PathBuf::from(folder),
        other => return Err(format!("gpu-suite: found {other:?}, expected a folder at most")),
    };
    let mut stages = Stages::new(4);
    let toolkit = prepare(layout, &mut stages)?;
    let mut program = std::path::PathBuf::new();
    stages.run("Building tachie with the features cuda and cudnn", || {
        program = build(layout, &toolkit)?;
        Ok("built".into())
    })?;
    stages.run("Packing", || {
        create_folder(&folder)?;
        let packed = folder.join(SUITE);
        run(Command::new("strip").arg(&program).arg("-o").arg(&packed), "strip")?;
        for file in FILES {
            copy(&layout.root.join(file), &folder)?;
        }
        for library in standard_library()? {
            copy(&library, &folder)?;
        }
        let bytes = std::fs::metadata(&packed).map_err(|error| format!("{}: {error}", packed.display()))?.len();
        Ok(format!("{} ({:.0} MB)", layout.short(&packed).display(), bytes as f64 / 1e6))
    })?;
    println!("Copy {} to the machine with the GPU and run: sh run.sh", layout.short(&folder).display());
    Ok(())
}

/// Rust's standard library, which the program is linked with as a shared one; `run.sh` looks for it beside the program.
fn standard_library() -> Result<Vec<std::path::PathBuf>> {
    let folder = capture(Command::new("rustc").args(["--print", "target-libdir"]), "rustc")?;
    let mut libraries = listed(Path::new(&folder), "so")?;
    libraries.retain(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("libstd-")));
    if libraries.is_empty() {
        return Err(format!("{folder}: found no libstd-*.so, Rust's standard library as a shared library"));
    }
    Ok(libraries)
}

fn copy(from: &Path, folder: &Path) -> Result<()> {
    let name = from.file_name().ok_or_else(|| format!("{}: has no name", from.display()))?;
    std::fs::copy(from, folder.join(name)).map_err(|error| format!("{}: cannot copy: {error}", from.display()))?;
    Ok(())
}
