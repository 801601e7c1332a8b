//! With the feature `cuda`: compiles `src/ops/cuda/kernels/*.cu` to PTX. Without it: nothing.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

const SOURCES: &str = "src/ops/cuda/kernels";

/// PTX for this and every later generation: the driver compiles it for the GPU that it finds.
const ARCHITECTURE: &str = "compute_80";

fn main() {
    println!("cargo:rerun-if-changed={SOURCES}");
    println!("cargo:rerun-if-env-changed=NVCC");
    println!("cargo:rerun-if-env-changed=CUDA_HOME");
    if env::var_os("CARGO_FEATURE_CUDA").is_none() {
        return;
    }
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    let nvcc = nvcc();
    for source in sources() {
        let ptx = out.join(source.with_extension("ptx").file_name().expect("a source has a name"));
        compile(&nvcc, &source, &ptx);
    }
}

/// As candle-kernels looks for it: NVCC, PATH, CUDA_HOME.
fn nvcc() -> PathBuf {
    let in_path = || {
        let folders = env::var_os("PATH")?;
        env::split_paths(&folders).map(|folder| folder.join("nvcc")).find(|program| program.is_file())
    };
    let in_home = || env::var_os("CUDA_HOME").map(|home| Path::new(&home).join("bin/nvcc"));
    env::var_os("NVCC").map(PathBuf::from).or_else(in_path).or_else(in_home).unwrap_or_else(|| {
        panic!(
            "the feature `cuda` needs nvcc, the compiler of the CUDA toolkit 12 or 13: put it into PATH or name it in \
             NVCC. `cargo xtask check-cuda` fetches one (environment.md, \"CUDA\")"
        )
    })
}

fn sources() -> Vec<PathBuf> {
    let folder = fs::read_dir(SOURCES).unwrap_or_else(|error| panic!("{SOURCES}: cannot list: {error}"));
    let mut sources: Vec<PathBuf> = folder.filter_map(|entry| Some(entry.ok()?.path())).collect();
    sources.retain(|path| path.extension().is_some_and(|extension| extension == "cu"));
    sources.sort();
    sources
}

fn compile(nvcc: &Path, source: &Path, ptx: &Path) {
    let status = Command::new(nvcc)
        .args(["-ptx", "-O3", "-std=c++17", "-arch", ARCHITECTURE])
        .arg(source)
        .arg("-o")
        .arg(ptx)
        .status()
        .unwrap_or_else(|error| panic!("{}: cannot run: {error}", nvcc.display()));
    assert!(status.success(), "{}: {} failed ({status})", source.display(), nvcc.display());
}
