//! What benches do around their measurements: threads, child processes.

use std::path::Path;
use std::process::{Command, Stdio};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tachie::autograd::backward;
use tachie::candle_core::Var;
use tachie::nn::conv::ConvSpec;
use tachie::ops::conv::conv2d;
use tachie::rng::seed;
use tachie::{Error, Result};

/// Does something with so many threads.
pub fn in_pool<T: Send>(threads: usize, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    pool.map_err(|e| Error::invalid("threads", e.to_string(), "a number of threads", ""))?.install(work)
}

/// Path of a file below `benches`.
pub fn script(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("benches").join(name).display().to_string()
}

/// Peak resident memory of a process, bytes.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub struct Peak {
    /// All of it.
    pub absolute: u64,
    /// What came since its measurement began.
    pub growth: u64,
}

/// A small convolution forward and backward, so that threads and code are there before memory is measured.
pub fn warm_up() -> Result<()> {
    let device = tachie::device()?;
    let draw = |name: &str, shape: &[usize]| -> Result<Var> {
        Ok(Var::from_tensor(&seed(1).stream(name).normal_tensor(shape, &device)?)?)
    };
    let (x, w) = (draw("x", &[2, 8, 16, 16])?, draw("w", &[8, 8, 3, 3])?);
    backward(&conv2d(&x, &w, &ConvSpec::padded(1))?)?;
    Ok(())
}

/// Runs a process (this program when there is none named) that ends by printing what it found, a [`Peak`] at least.
pub fn child<T: DeserializeOwned>(program: Option<&str>, arguments: &[&str]) -> Result<T> {
    let own = std::env::current_exe().map_err(|source| Error::io("find", "this program", source))?;
    let program = program.map_or(own, Into::into);
    let mut command = Command::new(&program);
    command.args(arguments).env("PYTHONDONTWRITEBYTECODE", "1").stdin(Stdio::null()).stderr(Stdio::inherit());
    let output = command.output().map_err(|source| Error::io("run", &program, source))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let last = text.lines().next_back().unwrap_or_default();
    serde_json::from_str(last).map_err(|_| {
        let found = format!("{} and the last line {last:?}", output.status);
        Error::file(&program, found, "its memory as JSON", "Its message stands above.")
    })
}

/// Peak memory of the two sides.
#[derive(Serialize)]
pub struct Growth {
    pub name: String,
    pub tachie: Peak,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pytorch: Option<Peak>,
    /// tachie's growth over PyTorch's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ratio: Option<f64>,
}

impl Growth {
    /// A row, which is printed.
    pub fn of(name: &str, tachie: Peak, pytorch: Option<Peak>) -> Result<Growth> {
        let ratio = pytorch.map(|pytorch| tachie.growth as f64 / pytorch.growth as f64);
        let row = Growth { name: name.to_string(), tachie, pytorch, ratio };
        let theirs = pytorch.zip(ratio).map(|(peak, ratio)| format!(", PyTorch {}, ratio {ratio:.2}", peak.text()));
        println!("{name}: tachie {}{}", tachie.text(), theirs.unwrap_or_default());
        Ok(row)
    }
}

impl Peak {
    fn text(self) -> String {
        let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
        format!("{:.0} MiB (+{:.0})", mib(self.absolute), mib(self.growth))
    }
}
