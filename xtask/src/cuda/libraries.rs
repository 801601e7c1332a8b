//! The CUDA libraries that a program is linked with: shims that open the real ones at run time (`xtask/cuda/shim.c`), and
//! stand-ins for machines without a GPU (`xtask/cuda/driver.cpp`, `libraries.cpp`).

use super::toolkit::{Toolkit, listed, sources_of};
use crate::Result;
use crate::layout::Layout;
use crate::stage::{run, write};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A library as cudarc binds it.
struct Library {
    /// Its name for the linker.
    name: &'static str,
    /// cudarc's module of it.
    module: &'static str,
    /// Files to look for at run time.
    files: &'static [&'static str],
    /// The status that means "not initialised" there.
    absent: u32,
}

const LIBRARIES: [Library; 6] = [
    Library { name: "cuda", module: "driver", files: &["libcuda.so.1", "libcuda.so"], absent: 303 },
    Library { name: "nvrtc", module: "nvrtc", files: &["libnvrtc.so.13", "libnvrtc.so.12"], absent: 11 },
    Library { name: "curand", module: "curand", files: &["libcurand.so.10"], absent: 203 },
    Library { name: "cublas", module: "cublas", files: &["libcublas.so.13", "libcublas.so.12"], absent: 1 },
    Library { name: "cublasLt", module: "cublaslt", files: &["libcublasLt.so.13", "libcublasLt.so.12"], absent: 1 },
    Library { name: "cudnn", module: "cudnn", files: &["libcudnn.so.9"], absent: 1001 },
];

/// Libraries that have a stand-in; candle opens no other for what is trained here.
const STAND_INS: [&str; 4] = ["cuda", "curand", "cublas", "cudnn"];

/// The names of all functions of a library, from cudarc's declarations.
fn functions(cudarc: &Path, library: &Library) -> Result<Vec<String>> {
    let path = cudarc.join("src").join(library.module).join("sys/mod.rs");
    let text = std::fs::read_to_string(&path).map_err(|error| format!("{}: cannot read: {error}", path.display()))?;
    let names = declared(&text);
    if names.is_empty() {
        let expected = "expected declarations `extern \"C\" { fn ...`. Is this another version of cudarc?";
        return Err(format!("{}: found no functions, {expected}", path.display()));
    }
    Ok(names)
}

fn declared(text: &str) -> Vec<String> {
    let blocks = text.split("extern \"C\" {").skip(1);
    let name = |block: &str| {
        let function = block.trim_start().strip_prefix("fn ")?;
        Some(function[..function.find('(')?].to_string())
    };
    let mut names: Vec<String> = blocks.filter_map(name).collect();
    names.sort();
    names.dedup();
    names
}

/// Makes the shims in the folder where the linker looks. Returns how many functions they have.
pub fn shims(layout: &Layout, toolkit: &Toolkit) -> Result<usize> {
    if !super::WORKS_HERE {
        return Err("the CUDA build works on x86-64 Linux only: xtask/cuda/shim.S is written for it".into());
    }
    let (cudarc, folder) = (sources_of(layout, "cudarc")?, toolkit.made("shim")?);
    let mut count = 0;
    for library in &LIBRARIES {
        let names = functions(&cudarc, library)?;
        count += names.len();
        let list = folder.join(format!("{}.names", library.name));
        write(&list, &names.iter().map(|name| format!("F({name})\n")).collect::<String>())?;
        shim(toolkit, library, &list, &folder)?;
    }
    Ok(count)
}

fn shim(toolkit: &Toolkit, library: &Library, list: &Path, folder: &Path) -> Result<()> {
    let files: Vec<String> = library.files.iter().map(|file| format!("\"{file}\"")).collect();
    let definitions = [
        format!("-DSHIM_LIBRARY={}", library.name),
        format!("-DSHIM_FILES={}", files.join(",")),
        format!("-DSHIM_ABSENT={}", library.absent),
        format!("-DSHIM_NAMES=\"{}\"", list.display()),
    ];
    let object = |ending: &str| folder.join(format!("{}.{ending}", library.name));
    let mut objects = Vec::new();
    for (source, ending) in [("shim.c", "c.o"), ("shim.S", "s.o")] {
        let mut cc = Command::new("cc");
        cc.args(["-O2", "-Wall", "-fPIC", "-c"]).args(&definitions).arg(toolkit.source(source)).arg("-o");
        run(cc.arg(object(ending)), &format!("compiling {source} for {}", library.name))?;
        objects.push(object(ending));
    }
    // One object, so that the linker takes all of it or nothing.
    run(Command::new("ld").arg("-r").args(&objects).arg("-o").arg(object("o")), "joining a shim")?;
    let archive = toolkit.libraries().join(format!("lib{}.a", library.name));
    if archive.exists() {
        std::fs::remove_file(&archive).map_err(|error| format!("{}: cannot remove: {error}", archive.display()))?;
    }
    run(Command::new("ar").arg("rcs").arg(&archive).arg(object("o")), "packing a shim")
}

/// Makes the stand-ins in a folder that `CUDA_SHIM_DIR` may name. `ptx` holds the compiled kernels.
pub fn stand_ins(layout: &Layout, toolkit: &Toolkit, ptx: &Path) -> Result<PathBuf> {
    let (cudarc, folder) = (sources_of(layout, "cudarc")?, toolkit.made("stand-in")?);
    let mut kernels = String::new();
    for file in listed(ptx, "ptx")? {
        let text =
            std::fs::read_to_string(&file).map_err(|error| format!("{}: cannot read: {error}", file.display()))?;
        kernels.extend(entries(&text).iter().map(|(name, threads)| format!("OURS({name}, {threads})\n")));
    }
    write(&folder.join("kernels.list"), &kernels)?;
    for library in LIBRARIES.iter().filter(|library| STAND_INS.contains(&library.name)) {
        let rest = folder.join(format!("{}.rest.c", library.name));
        write(&rest, &refusals(&functions(&cudarc, library)?))?;
        let object = rest.with_extension("o");
        run(Command::new("cc").args(["-O1", "-fPIC", "-c"]).arg(&rest).arg("-o").arg(&object), "compiling refusals")?;
        stand_in(toolkit, library, &object, &folder)?;
    }
    Ok(folder)
}

fn stand_in(toolkit: &Toolkit, library: &Library, rest: &Path, folder: &Path) -> Result<()> {
    let mut cc = Command::new("c++");
    cc.args(["-std=c++17", "-O2", "-Wall", "-Wno-unknown-pragmas", "-fPIC", "-shared"]);
    cc.arg(format!("-DSTAND_IN_{}", library.name)).arg(format!("-Wl,-soname,{}", library.files[0]));
    cc.arg("-I").arg(toolkit.kernels()).arg("-I").arg(toolkit.source("")).arg("-I").arg(folder);
    if library.name == "cuda" {
        cc.arg(toolkit.source("driver.cpp")).arg(toolkit.source("kernels.cpp"));
    } else {
        cc.arg(toolkit.source("libraries.cpp")).arg(folder.join("libcuda.so.1")).arg("-Wl,-rpath,$ORIGIN");
    }
    run(cc.arg(rest).arg("-o").arg(folder.join(library.files[0])), &format!("the stand-in for {}", library.name))
}

/// Functions that nobody has written a stand-in for say so when they are called; a definition elsewhere wins over them.
fn refusals(names: &[String]) -> String {
    let refuse = "__attribute__((weak)) int NAME(void) { return refuse(\"NAME\"); }\n";
    let functions: String = names.iter().map(|name| refuse.replace("NAME", name)).collect();
    format!(
        "#include <stdio.h>\nstatic int refuse(const char *name) {{\n    fprintf(stderr, \"stand-in: %s is not there; \
         write it in xtask/cuda\\n\", name);\n    return 801;\n}}\n{functions}"
    )
}

/// The kernels of a PTX module, and how the emulation has to run their threads.
fn entries(ptx: &str) -> Vec<(String, &'static str)> {
    let kernels = ptx.split(".entry ").skip(1);
    let entry = |kernel: &str| {
        let name = kernel[..kernel.find('(')?].trim().to_string();
        let waits = ["bar.sync", "barrier.sync", "shfl.sync"].iter().any(|instruction| kernel.contains(instruction));
        Some((name, if waits { "TOGETHER" } else { "ALONE" }))
    };
    kernels.filter_map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_read_from_declarations() {
        let text = "pub unsafe fn a() {\n extern \"C\" {\n    fn cuInit(flags: u32) -> u32;\n }\n}\n\
                    extern \"C\" { fn cuInit(x: u32); }\nextern \"C\" {\n\n fn cuAbc(); }";
        assert_eq!(declared(text), ["cuAbc", "cuInit"]);
        assert!(declared("fn main() {}").is_empty());
    }

    #[test]
    fn kernels_that_wait_are_told_apart() {
        let ptx =
            ".visible .entry first_f32(\n .param .u32 p\n)\n{ ret; }\n.visible .entry second(\n)\n{ bar.sync 0; }";
        assert_eq!(entries(ptx), [("first_f32".to_string(), "ALONE"), ("second".to_string(), "TOGETHER")]);
    }
}
