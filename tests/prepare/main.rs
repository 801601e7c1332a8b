//! Found pictures on their way to a data set: faces, a game's textures, and what people decide about them.

mod art;
mod cascade;
mod clothing;
#[path = "../common/formula.rs"]
mod formula;
mod review;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Every file below a folder with its contents.
fn everything_below(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files = Vec::new();
    let mut open = vec![folder.to_path_buf()];
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { open.push(path) } else { files.push((path.clone(), fs::read(&path).unwrap())) }
        }
    }
    files.sort();
    files
}

fn tachie(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tachie")).args(arguments).output().unwrap()
}
