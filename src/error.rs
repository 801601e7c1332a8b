//! The one error type. Every message says what was wrong, where, and what to do about it.

use std::path::{Path, PathBuf};

/// The result of everything in tachie that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, where it went wrong, and what to do.
///
/// `Debug` prints the same text as `Display`: a notebook shows errors by `Debug`.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused to read, write, create or rename a file.
    #[error("{}: cannot {action}: {source}", path.display())]
    Io {
        /// What was tried, as a verb phrase ("read the manifest").
        action: String,
        /// The file or folder.
        path: PathBuf,
        /// The system's own words.
        source: std::io::Error,
    },
    /// A file could be read, but is not what it has to be.
    #[error("{}: found {found}, expected {expected}.{}", path.display(), help(hint))]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What is there.
        found: String,
        /// What should be there.
        expected: String,
        /// What to do; may be empty.
        hint: String,
    },
    /// A value that the caller gave cannot be used.
    #[error("{what}: found {found}, expected {expected}.{}", help(hint))]
    Invalid {
        /// The argument, field or option.
        what: String,
        /// What was given.
        found: String,
        /// What can be used.
        expected: String,
        /// What to do; may be empty.
        hint: String,
    },
    /// A tensor has another shape than the operation needs.
    #[error("{what}: found shape {found}, expected {expected}")]
    Shape {
        /// The operation and its argument ("conv2d: weight").
        what: String,
        /// The shape that came, as `[N, C, H, W]` numbers.
        found: String,
        /// The shape that is needed.
        expected: String,
    },
    /// A run folder is in use by another process.
    #[error(
        "{}: process {pid} on {host} is training in this folder. Wait for it, put a file named STOP into the folder to end it, or train into another folder.",
        path.display()
    )]
    Locked {
        /// The run folder.
        path: PathBuf,
        /// The process that holds it.
        pid: u32,
        /// The machine it runs on.
        host: String,
    },
    /// A run folder holds a run of another configuration.
    #[error(
        "{}: this folder holds a run with another configuration: {differences}. Train into another folder, or give the same settings to resume.",
        path.display()
    )]
    ConfigMismatch {
        /// The run folder.
        path: PathBuf,
        /// `key: there, here` for every key that differs.
        differences: String,
    },
    /// Training produced a number that is not finite.
    #[error(
        "step {step}: {player} diverged: {term} is {value} (first bad tensor: {layer}). The last good checkpoint is {checkpoint}; lower the learning rate or look at the data, then resume."
    )]
    Diverged {
        /// Training step.
        step: u64,
        /// The player that was moving ("generator").
        player: String,
        /// The loss term or "gradient".
        term: String,
        /// The parameter or loss whose value is not finite.
        layer: String,
        /// NaN or an infinity.
        value: f64,
        /// Folder of the last good checkpoint, or "none yet".
        checkpoint: String,
    },
    /// Two copies of this library met in one process.
    #[error(
        "two copies of tachie are loaded in this process: gradients would mix up between cells. In a notebook depend on notebooks/kernel only (`:dep tachie = {{ path = \"kernel\" }}`) and take candle, polars and plotters from `tachie::`; then restart the kernel."
    )]
    LoadedTwice,
    /// candle refused an operation.
    #[error("tensor operation failed: {0}")]
    Candle(String),
}

fn help(hint: &str) -> String {
    if hint.is_empty() { String::new() } else { format!(" {hint}") }
}

impl std::fmt::Debug for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self}")
    }
}

impl From<candle_core::Error> for Error {
    /// Drops candle's backtrace, which evcxr forces on and which hides the message.
    fn from(error: candle_core::Error) -> Self {
        fn message(error: &candle_core::Error) -> String {
            match error {
                candle_core::Error::WithBacktrace { inner, .. } => message(inner),
                candle_core::Error::Context { inner, context } => format!("{context}: {}", message(inner)),
                candle_core::Error::WithPath { inner, path } => format!("{}: {}", path.display(), message(inner)),
                other => other.to_string(),
            }
        }
        Error::Candle(message(&error))
    }
}

/// Lets an operation of ours run inside a candle custom op.
impl From<Error> for candle_core::Error {
    fn from(error: Error) -> Self {
        candle_core::Error::Msg(error.to_string())
    }
}

impl Error {
    /// A system error with the file it happened to and what was tried ("read the tag table").
    pub fn io(action: impl Into<String>, path: impl AsRef<Path>, source: std::io::Error) -> Self {
        Error::Io { action: action.into(), path: path.as_ref().to_path_buf(), source }
    }

    /// A file whose contents are wrong.
    pub fn file(
        path: impl AsRef<Path>,
        found: impl Into<String>,
        expected: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Error::File {
            path: path.as_ref().to_path_buf(),
            found: found.into(),
            expected: expected.into(),
            hint: hint.into(),
        }
    }

    /// An argument that cannot be used.
    pub fn invalid(
        what: impl Into<String>,
        found: impl Into<String>,
        expected: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Error::Invalid { what: what.into(), found: found.into(), expected: expected.into(), hint: hint.into() }
    }

    /// A tensor of the wrong shape.
    pub fn shape(what: impl Into<String>, found: &[usize], expected: impl Into<String>) -> Self {
        Error::Shape { what: what.into(), found: format!("{found:?}"), expected: expected.into() }
    }
}
