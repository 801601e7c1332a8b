//! A program that measures the same on the other side, request by request.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use serde_json::Value;
use tachie::{Error, Result};

/// A Python script that answers every line on its standard input with a line of JSON.
pub struct Rival {
    child: Child,
    answers: BufReader<ChildStdout>,
}

impl Rival {
    /// Starts `script` (below `benches`) with these arguments.
    pub fn start(python: &str, script: &str, arguments: &[String]) -> Result<Rival> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches").join(script);
        let mut command = Command::new(python);
        command.arg(&path).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        command.env("PYTHONDONTWRITEBYTECODE", "1");
        let mut child = command.spawn().map_err(|source| Error::io("start Python", python, source))?;
        let answers = child.stdout.take().map(BufReader::new);
        let answers = answers.ok_or_else(|| Error::file(&path, "no output", "a pipe", ""))?;
        Ok(Rival { child, answers })
    }

    /// The answer to a request.
    pub fn ask(&mut self, request: &Value) -> Result<Value> {
        if let Some(input) = self.child.stdin.as_mut() {
            writeln!(input, "{request}").map_err(|source| Error::io("ask Python", request.to_string(), source))?;
        }
        let line = self.line()?;
        let bad = |_| Error::invalid(format!("answer to {request}"), line.clone(), "a line of JSON", "");
        serde_json::from_str(&line).map_err(bad)
    }

    /// The number `name` in the answer to a request.
    pub fn number(answer: &Value, name: &str) -> Result<f64> {
        let number = answer[name].as_f64();
        number.ok_or_else(|| Error::invalid("answer of Python", answer.to_string(), format!("a number {name}"), ""))
    }

    /// The next line that it writes.
    pub fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        let read = self.answers.read_line(&mut line).map_err(|source| Error::io("hear Python", "stdout", source))?;
        match read {
            0 => Err(Error::invalid("the Python side", "its end", "an answer", "Its message stands above.")),
            _ => Ok(line.trim().to_string()),
        }
    }
}

impl Drop for Rival {
    fn drop(&mut self) {
        // It ends when its input does; there is nobody left to tell if it does not.
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}
