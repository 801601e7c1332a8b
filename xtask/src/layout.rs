//! Where everything lies, and the environment in which cargo and Jupyter run.
//! Nothing below is outside the clone.

use crate::Result;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The places inside the clone.
pub struct Layout {
    /// The folder of the workspace's `Cargo.toml`.
    pub root: PathBuf,
    /// The target triple of this machine's own compiler.
    pub host: String,
}

impl Layout {
    /// The clone that this program was compiled from.
    pub fn of_this_clone() -> Result<Layout> {
        let manifest = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
        let xtask = manifest.unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")));
        let root = xtask.parent().ok_or("the xtask folder has no parent")?.to_path_buf();
        Ok(Layout { root, host: host()? })
    }

    /// `target`
    pub fn target(&self) -> PathBuf {
        self.root.join("target")
    }

    /// Where evcxr_jupyter and the parts of the kernel are installed.
    pub fn tools(&self) -> PathBuf {
        self.target().join("tools")
    }

    /// The kernel's launcher, its `cargo` and its `rustup`.
    pub fn kernel_programs(&self) -> PathBuf {
        self.tools().join("kernel")
    }

    /// The folder in which evcxr keeps the crate that it compiles cells from.
    pub fn cells(&self) -> PathBuf {
        self.target().join("evcxr")
    }

    /// The compiled dependencies, shared by the cells and the tests.
    pub fn compiled(&self) -> PathBuf {
        self.cells().join("target")
    }

    /// Jupyter's own files: settings, runtime, workspaces.
    pub fn jupyter(&self) -> PathBuf {
        self.target().join("jupyter")
    }

    /// The Python environment.
    pub fn venv(&self) -> PathBuf {
        self.root.join(".venv")
    }

    /// The Python environment of the benches, with PyTorch.
    pub fn pytorch(&self) -> PathBuf {
        self.target().join("pytorch")
    }

    /// The committed notebooks.
    pub fn notebooks(&self) -> PathBuf {
        self.root.join("notebooks")
    }

    /// `path` as a person in the clone's folder would type it.
    pub fn short<'a>(&self, path: &'a Path) -> &'a Path {
        path.strip_prefix(&self.root).unwrap_or(path)
    }

    /// cargo with evcxr's flags and target folder: what a test compiles, a cell reuses, and the other way round.
    pub fn shared_cargo(&self) -> Command {
        let mut cargo = plain_cargo();
        cargo
            .current_dir(&self.root)
            .env("CARGO_TARGET_DIR", self.compiled())
            .env("CARGO_BUILD_TARGET", &self.host)
            .env("RUSTFLAGS", "-Cprefer-dynamic");
        cargo
    }

    /// A program of the Python environment in which Jupyter sees this clone's kernel and nothing of the home folder.
    pub fn jupyter_command(&self, program: &str) -> Command {
        let files = self.jupyter();
        let mut command = Command::new(self.venv().join("bin").join(program));
        command
            .current_dir(&self.root)
            .env_remove("JUPYTER_PATH")
            .env("TMPDIR", files.join("tmp"))
            .env("JUPYTER_DATA_DIR", files.join("data"))
            .env("JUPYTER_CONFIG_DIR", files.join("config"))
            .env("JUPYTER_RUNTIME_DIR", files.join("runtime"))
            .env("JUPYTERLAB_SETTINGS_DIR", files.join("lab/settings"))
            .env("JUPYTERLAB_WORKSPACES_DIR", files.join("lab/workspaces"))
            .env("IPYTHONDIR", files.join("ipython"))
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("PYTHONUNBUFFERED", "1");
        command
    }
}

/// cargo without what the cargo that runs us has put into the environment.
pub fn plain_cargo() -> Command {
    let mut cargo = Command::new("cargo");
    for name in ["CARGO", "CARGO_MANIFEST_DIR", "CARGO_MANIFEST_PATH", "CARGO_TARGET_DIR", "CARGO_BUILD_TARGET"] {
        cargo.env_remove(name);
    }
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with("CARGO_PKG_") || name.ends_with("RUSTFLAGS")) {
            cargo.env_remove(name);
        }
    }
    cargo
}

/// The triple for which this machine's rustc compiles.
fn host() -> Result<String> {
    let output = Command::new("rustc").arg("-vV").output().map_err(|error| {
        format!("cannot run rustc ({error}): install Rust 1.95 or newer with rustup, https://rustup.rs")
    })?;
    let text = String::from_utf8_lossy(&output.stdout);
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.ok_or("`rustc -vV` names no host")?.to_string())
}
