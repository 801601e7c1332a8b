//! What every bench is asked for, and what follows from it.

use std::path::{Path, PathBuf};
use std::time::Instant;

use serde::Serialize;
use tachie::{Error, Result};

use super::rival::Rival;

/// The options that all benches have; a bench without others parses them as they are.
#[derive(clap::Parser)]
pub struct Options {
    /// An interpreter with the packages of benches/pytorch/requirements.txt; without one only tachie is measured.
    #[arg(long)]
    pub python: Option<String>,
    /// Threads of either side.
    #[arg(long, default_value_t = 2, value_parser = positive)]
    pub threads: usize,
    /// Turns that the two sides take.
    #[arg(long, default_value_t = 5, value_parser = positive)]
    pub rounds: usize,
    /// Only rows whose name holds this text.
    #[arg(long, default_value = "")]
    pub only: String,
    /// Also write the rows as JSON.
    #[arg(long)]
    pub json: Option<PathBuf>,
    /// What `cargo bench` passes.
    #[arg(long, hide = true)]
    pub bench: bool,
}

fn positive(text: &str) -> std::result::Result<usize, String> {
    text.parse().ok().filter(|number| *number > 0).ok_or_else(|| "expected a number above 0".into())
}

impl Options {
    /// Starts the other side, if there is one, and says who measures. `script` is below `benches`; its arguments are the
    /// number of threads and `more`. The first line that it writes is its version.
    pub fn start(&self, script: &str, threads: usize, more: &[String]) -> Result<Option<Rival>> {
        let arguments = [&[threads.to_string()], more].concat();
        let mut rival = self.python.as_ref().map(|python| Rival::start(python, script, &arguments)).transpose()?;
        let version = rival.as_mut().map(Rival::line).transpose()?;
        let beside = version.map_or("tachie alone".to_string(), |version| format!("beside {version}"));
        let many = if threads == 1 { "thread" } else { "threads" };
        println!("{threads} {many}, {} rounds, {beside}", self.rounds);
        Ok(rival)
    }

    /// How long a row is measured, when one side's turn should last so many milliseconds.
    pub fn effort(&self, turn: f64) -> Effort {
        Effort { rounds: self.rounds, turn, most: f64::INFINITY }
    }

    /// Writes rows as JSON, if a file was asked for.
    pub fn write(&self, rows: &impl Serialize) -> Result<()> {
        self.json.as_deref().map_or(Ok(()), |path| write_json(path, rows))
    }
}

fn write_json(path: &Path, rows: &impl Serialize) -> Result<()> {
    let text = serde_json::to_string_pretty(rows)
        .map_err(|error| Error::invalid("rows", error.to_string(), "numbers that JSON can hold", ""))?;
    std::fs::write(path, text + "\n").map_err(|source| Error::io("write the rows", path, source))
}

/// How long something is measured.
#[derive(Clone, Copy)]
pub struct Effort {
    /// Turns that the two sides take, at most.
    pub rounds: usize,
    /// Milliseconds that one side's turn should last: work is repeated until then.
    pub turn: f64,
    /// Seconds after which no further round begins.
    pub most: f64,
}

impl Effort {
    /// Does `round` as often as there is time, at least once.
    pub fn spend(&self, mut round: impl FnMut() -> Result<()>) -> Result<()> {
        let start = Instant::now();
        for done in 0..self.rounds {
            if done > 0 && start.elapsed().as_secs_f64() > self.most {
                break;
            }
            round()?;
        }
        Ok(())
    }
}
