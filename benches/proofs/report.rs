//! What every proof does with its outcome.

use std::path::Path;
use std::process::ExitCode;

use serde::Serialize;
use tachie::{Error, Result};

/// The exit code that `cargo xtask prove` reads: 0 passed, 2 not passed, 1 could not be tried.
pub fn exit(outcome: Result<bool>) -> ExitCode {
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(2),
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The last line of a proof.
pub fn verdict(passed: bool) -> &'static str {
    if passed { "passed" } else { "NOT passed" }
}

/// Writes `numbers.json`.
pub fn write(numbers: &impl Serialize, out: &Path) -> Result<()> {
    let path = out.join("numbers.json");
    let text = serde_json::to_string_pretty(numbers)
        .map_err(|error| Error::invalid("numbers", error.to_string(), "numbers that JSON can hold", ""))?;
    std::fs::write(&path, text + "\n").map_err(|source| Error::io("write the numbers", &path, source))
}

/// An empty folder, with those above it; what was in it is removed.
pub fn folder(out: &Path) -> Result<()> {
    if out.exists() {
        std::fs::remove_dir_all(out).map_err(|source| Error::io("remove the old results", out, source))?;
    }
    std::fs::create_dir_all(out).map_err(|source| Error::io("create the folder", out, source))
}
