//! The CUDA compiler and what a program is linked with, inside this clone: no root, no driver, no GPU.

use crate::Result;
use crate::layout::Layout;
use crate::stage::{capture, create_folder, remove_folder, run, write};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The parts of the toolkit that compiling needs, as Python packages. CUDA 13.0 needs driver 580 or newer; 13.1 would
/// need a newer one.
const PACKAGES: [&str; 5] = [
    "nvidia-cuda-nvcc==13.0.88",
    "nvidia-cuda-crt==13.0.88",
    "nvidia-nvvm==13.0.88",
    "nvidia-cuda-runtime==13.0.96",
    "nvidia-cuda-cccl==13.0.85",
];

/// The oldest GPUs that programs run on: compute capability 8.0.
const CAPABILITY: &str = "80";

/// The folder of everything that the CUDA commands make.
pub struct Toolkit {
    root: PathBuf,
    folder: PathBuf,
}

impl Toolkit {
    /// Fetches and unpacks what is missing.
    pub fn fetched(layout: &Layout) -> Result<Toolkit> {
        let toolkit = Toolkit { root: layout.root.clone(), folder: layout.target().join("cuda") };
        let (wheels, done) = (toolkit.folder.join("wheels"), toolkit.folder.join("toolkit.txt"));
        let wanted = PACKAGES.join("\n");
        if std::fs::read_to_string(&done).is_ok_and(|there| there == wanted) && toolkit.nvcc().is_file() {
            return Ok(toolkit);
        }
        let python = toolkit.python()?;
        create_folder(&wheels)?;
        let mut pip = Command::new(&python);
        pip.args(["-m", "pip", "download", "--quiet", "--no-deps", "--disable-pip-version-check", "--dest"])
            .arg(&wheels);
        run(pip.args(PACKAGES), "fetching the CUDA compiler")?;
        remove_folder(&toolkit.folder.join("toolkit"))?;
        for wheel in listed(&wheels, "whl")? {
            let mut unzip = Command::new(&python);
            unzip.args(["-m", "zipfile", "-e"]).arg(&wheel).arg(toolkit.folder.join("toolkit"));
            run(&mut unzip, &format!("unpacking {}", wheel.display()))?;
        }
        toolkit.finish()?;
        write(&done, &wanted)?;
        Ok(toolkit)
    }

    /// What wheels cannot hold: executable files, and the names that linkers look for.
    fn finish(&self) -> Result<()> {
        for folder in ["bin", "nvvm/bin"] {
            let mut chmod = Command::new("chmod");
            run(chmod.args(["-R", "a+x"]).arg(self.home().join(folder)), "making the compiler executable")?;
        }
        create_folder(&self.libraries())?;
        // candle-kernels links with the shared runtime; under this name it gets the static one.
        let (from, to) = (self.home().join("lib/libcudart_static.a"), self.libraries().join("libcudart.a"));
        std::fs::copy(&from, &to).map_err(|error| format!("{}: cannot copy: {error}", from.display()))?;
        Ok(())
    }

    /// A Python with pip that belongs to nobody else.
    fn python(&self) -> Result<PathBuf> {
        let venv = self.folder.join("venv");
        let python = venv.join("bin/python");
        if !python.is_file() {
            run(Command::new("python3").args(["-m", "venv"]).arg(&venv), "making a Python environment")?;
        }
        Ok(python)
    }

    /// Where programs and libraries of the toolkit lie.
    pub fn home(&self) -> PathBuf {
        self.folder.join("toolkit/nvidia/cu13")
    }

    /// Where the linker looks for `libcuda` and the like.
    pub fn libraries(&self) -> PathBuf {
        self.home().join("lib64")
    }

    /// The compiler.
    pub fn nvcc(&self) -> PathBuf {
        self.home().join("bin/nvcc")
    }

    /// A folder beside the toolkit for something that is made.
    pub fn made(&self, name: &str) -> Result<PathBuf> {
        let folder = self.folder.join(name);
        create_folder(&folder)?;
        Ok(folder)
    }

    /// A file of `xtask/cuda`.
    pub fn source(&self, name: &str) -> PathBuf {
        self.root.join("xtask/cuda").join(name)
    }

    /// The folder of the kernels.
    pub fn kernels(&self) -> PathBuf {
        self.root.join("src/ops/cuda/kernels")
    }

    /// What cargo has to find in the environment to compile the features `cuda` and `cudnn`.
    pub fn environment(&self) -> Result<Vec<(&'static str, std::ffi::OsString)>> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let folders = std::iter::once(self.home().join("bin")).chain(std::env::split_paths(&path));
        let path = std::env::join_paths(folders).map_err(|error| format!("PATH: {error}"))?;
        Ok(vec![
            ("CUDA_HOME", self.home().into()),
            ("CUDA_COMPUTE_CAP", CAPABILITY.into()),
            ("NVCC", self.source("nvcc").into()),
            ("REAL_NVCC", self.nvcc().into()),
            ("PATH", path),
        ])
    }

    /// cargo with [`Toolkit::environment`] and the target folder that the tests share.
    pub fn cargo(&self, layout: &Layout) -> Result<Command> {
        let mut cargo = layout.shared_cargo();
        cargo.envs(self.environment()?);
        Ok(cargo)
    }

    /// The environment as a file for a shell, for whoever calls cargo directly.
    pub fn write_environment(&self) -> Result<PathBuf> {
        let path = self.folder.join("env.sh");
        let lines = self
            .environment()?
            .into_iter()
            .filter(|(name, _)| *name != "PATH")
            .map(|(name, value)| format!("export {name}='{}'\n", value.to_string_lossy()));
        let text = lines.collect::<String>() + "export PATH=\"$CUDA_HOME/bin:$PATH\"\n";
        write(&path, &text)?;
        Ok(path)
    }
}

/// Files in a folder with this ending, sorted.
pub fn listed(folder: &Path, extension: &str) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder).map_err(|error| format!("{}: cannot list: {error}", folder.display()))?;
    let mut files: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.retain(|path| path.extension().is_some_and(|found| found == extension));
    files.sort();
    Ok(files)
}

/// The folder of a dependency's sources.
pub fn sources_of(layout: &Layout, package: &str) -> Result<PathBuf> {
    let mut cargo = layout.shared_cargo();
    let features = ["--features", "tachie/cudnn", "--filter-platform", &layout.host];
    let text = capture(cargo.args(["metadata", "--format-version", "1"]).args(features), "cargo metadata")?;
    let metadata: serde_json::Value =
        serde_json::from_str(&text).map_err(|error| format!("cargo metadata: {error}"))?;
    let packages = metadata["packages"].as_array().into_iter().flatten();
    let found = packages.filter(|found| found["name"] == package).find_map(|found| found["manifest_path"].as_str());
    let manifest = found.ok_or_else(|| format!("cargo metadata names no package {package}"))?;
    Ok(Path::new(manifest).parent().unwrap_or(Path::new("")).to_path_buf())
}
