//! Stages with a title and the seconds they took, and running programs.

use crate::Result;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

/// Prints what is being done and how long each part took.
pub struct Stages {
    total: usize,
    number: usize,
    started: Instant,
}

impl Stages {
    /// Announces a command of `total` stages.
    pub fn new(total: usize) -> Stages {
        Stages { total, number: 0, started: Instant::now() }
    }

    /// Runs one stage; its text says what came of it.
    pub fn run(&mut self, title: &str, work: impl FnOnce() -> Result<String>) -> Result<()> {
        self.number += 1;
        println!("[{}/{}] {title}", self.number, self.total);
        let started = Instant::now();
        let outcome = work()?;
        println!("      {outcome}: {:.1} s", started.elapsed().as_secs_f64());
        Ok(())
    }

    /// Seconds since the first stage.
    pub fn seconds(&self) -> f64 {
        self.started.elapsed().as_secs_f64()
    }
}

/// Runs a program whose output the person sees; `what` names it in the error.
pub fn run(command: &mut Command, what: &str) -> Result<()> {
    let status =
        command.status().map_err(|error| format!("{what}: cannot run {:?}: {error}", command.get_program()))?;
    if status.success() { Ok(()) } else { Err(format!("{what} failed ({status}); its own message is above")) }
}

/// Runs a program and returns what it wrote to stdout.
pub fn capture(command: &mut Command, what: &str) -> Result<String> {
    let output =
        command.output().map_err(|error| format!("{what}: cannot run {:?}: {error}", command.get_program()))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_string())
    } else {
        Err(format!("{what} failed ({}): {}", output.status, String::from_utf8_lossy(&output.stderr).trim()))
    }
}

/// Runs a program and returns what it wrote to stdout and stderr, for programs that report on either.
pub fn capture_both(command: &mut Command, what: &str) -> Result<String> {
    let output =
        command.output().map_err(|error| format!("{what}: cannot run {:?}: {error}", command.get_program()))?;
    let text = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
    if output.status.success() { Ok(text) } else { Err(format!("{what} failed ({}): {}", output.status, text.trim())) }
}

/// Creates a folder and those above it.
pub fn create_folder(path: &Path) -> Result<()> {
    std::fs::create_dir_all(path).map_err(|error| format!("{}: cannot create the folder: {error}", path.display()))
}

/// Writes a file unless it already holds these contents (cargo looks at the time of change).
pub fn write(path: &Path, contents: &str) -> Result<()> {
    if std::fs::read_to_string(path).is_ok_and(|there| there == contents) {
        return Ok(());
    }
    if let Some(folder) = path.parent() {
        create_folder(folder)?;
    }
    std::fs::write(path, contents).map_err(|error| format!("{}: cannot write: {error}", path.display()))
}

/// Removes a folder with all it holds; one that is not there is fine.
pub fn remove_folder(path: &Path) -> Result<()> {
    match std::fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(format!("{}: cannot remove: {error}", path.display()))
        }
        _ => Ok(()),
    }
}
