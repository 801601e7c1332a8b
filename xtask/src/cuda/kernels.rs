//! Compiling the kernels: PTX as programs embed it, and machine code for one GPU to see what registers they take.

use super::toolkit::{Toolkit, listed};
use crate::Result;
use crate::stage::capture_both;
use std::path::PathBuf;
use std::process::Command;

/// The architecture of the PTX in programs, as in build.rs.
const EMBEDDED: &str = "compute_80";

/// The generation for which machine code is made: NVIDIA H100 and H200.
const CHECKED: &str = "sm_90";

/// What the compiler says of a kernel.
#[derive(Debug, PartialEq)]
struct Usage {
    kernel: String,
    registers: u32,
    /// Bytes of registers that had to go to memory and back.
    spilled: u32,
}

/// Compiles every file both ways. Returns the folder of PTX and a report of a line per file.
pub fn compile(toolkit: &Toolkit) -> Result<(PathBuf, String)> {
    let folder = toolkit.made("kernels")?;
    let mut report = String::new();
    for source in listed(&toolkit.kernels(), "cu")? {
        let name = source.file_stem().and_then(|name| name.to_str()).unwrap_or_default().to_string();
        let compiler = |architecture: &str, kind: &str, ending: &str| {
            let mut nvcc = Command::new(toolkit.nvcc());
            nvcc.args(["-O3", "-std=c++17", "-arch", architecture, kind, "-Xptxas", "-v"]).arg(&source);
            nvcc.arg("-o").arg(folder.join(format!("{name}.{ending}")));
            nvcc
        };
        capture_both(&mut compiler(EMBEDDED, "-ptx", "ptx"), &format!("{name}.cu for {EMBEDDED}"))?;
        let text = capture_both(&mut compiler(CHECKED, "-cubin", "cubin"), &format!("{name}.cu for {CHECKED}"))?;
        let usage = usage(&text);
        if usage.is_empty() {
            return Err(format!("{}: nvcc reported no kernels for {CHECKED}", source.display()));
        }
        if let Some(Usage { kernel, spilled, .. }) = usage.iter().find(|usage| usage.spilled > 0) {
            return Err(format!("{}: {kernel} spills {spilled} bytes of registers to memory", source.display()));
        }
        let most = usage.iter().max_by_key(|usage| usage.registers);
        let (registers, kernel) = most.map_or((0, ""), |most| (most.registers, most.kernel.as_str()));
        report.push_str(&format!("      {name}: {} kernels, at most {registers} registers ({kernel})\n", usage.len()));
    }
    Ok((folder, report))
}

/// Reads what `ptxas -v` prints.
fn usage(text: &str) -> Vec<Usage> {
    let mut all: Vec<Usage> = Vec::new();
    for line in text.lines() {
        if let Some((_, rest)) = line.split_once("Compiling entry function '") {
            let kernel = rest.split('\'').next().unwrap_or_default().to_string();
            all.push(Usage { kernel, registers: 0, spilled: 0 });
        } else if let Some(last) = all.last_mut() {
            let before =
                |word: &str| -> Option<u32> { line.split_once(word)?.0.split_whitespace().last()?.parse().ok() };
            last.spilled += before(" bytes spill stores").unwrap_or(0) + before(" bytes spill loads").unwrap_or(0);
            last.registers = before(" registers").unwrap_or(last.registers);
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registers_and_spills_are_read() {
        let text = "ptxas info    : 0 bytes gmem\n\
                    ptxas info    : Compiling entry function 'lerp' for 'sm_90'\n\
                    ptxas info    : Function properties for lerp\n\
                    \x20   0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads\n\
                    ptxas info    : Used 16 registers, used 0 barriers\n\
                    ptxas info    : Compiling entry function 'adam' for 'sm_90'\n\
                    \x20   8 bytes stack frame, 4 bytes spill stores, 12 bytes spill loads\n\
                    ptxas info    : Used 255 registers, used 1 barriers";
        let of = |kernel: &str, registers, spilled| Usage { kernel: kernel.into(), registers, spilled };
        assert_eq!(usage(text), [of("lerp", 16, 0), of("adam", 255, 16)]);
        assert!(usage("nothing").is_empty());
    }
}
