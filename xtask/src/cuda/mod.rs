//! CUDA without a GPU: fetching the compiler, building, checking on stand-ins for the libraries, and packing what a machine
//! with a GPU runs.

mod counts;
mod kernels;
mod libraries;
mod suite;
mod toolkit;

use crate::Result;
use crate::layout::Layout;
use crate::stage::{Stages, capture_both, run};
use std::path::{Path, PathBuf};
use std::process::Command;
use toolkit::Toolkit;

pub use suite::suite;

/// The program that checks, counts and measures.
const SUITE: &str = "gpu_suite";

/// Whether the CUDA commands work on this kind of machine: `xtask/cuda/shim.S` is written for it.
pub const WORKS_HERE: bool = cfg!(all(target_arch = "x86_64", target_os = "linux"));

/// `cargo xtask check-cuda [--bless]`
pub fn check(layout: &Layout, args: &[String]) -> Result<()> {
    let bless = match args {
        [] => false,
        [flag] if flag == "--bless" => true,
        other => return Err(format!("check-cuda: unknown arguments {other:?}; there is --bless only")),
    };
    let mut stages = Stages::new(6);
    let toolkit = prepare(layout, &mut stages)?;
    let mut ptx = PathBuf::new();
    stages.run("Compiling the kernels for compute_80 and sm_90", || {
        let (folder, report) = kernels::compile(&toolkit)?;
        ptx = folder;
        print!("{report}");
        Ok("no register spills".into())
    })?;
    let mut program = PathBuf::new();
    stages.run("Building tachie with the features cuda and cudnn", || {
        program = build(layout, &toolkit)?;
        starts_without_a_driver(layout, &program)
    })?;
    let mut stand_in = PathBuf::new();
    stages.run("Running every operation and a training step in emulation, beside the CPU", || {
        stand_in = libraries::stand_ins(layout, &toolkit, &ptx)?;
        let parity = |args: &[&str]| {
            let mut suite = on_stand_in(&program, &stand_in);
            suite.env("CUDA_STAND_IN", "compute").arg("parity").args(args);
            suite
        };
        // Once more without cuDNN: the kernels that follow the definition.
        let mut definition = parity(&["--small", "--only", "conv"]);
        definition.env("TACHIE_CUDA_CONV", "definition");
        side_by_side([
            (parity(&["--small", "--only", "tiny"]), "the parity of training steps in emulation"),
            (parity(&["--small", "--without", "tiny"]), "the parity of operations and graphs in emulation"),
            (definition, "the parity of convolutions without cuDNN"),
        ])?;
        Ok("same results".into())
    })?;
    stages.run("Counting launches, allocations and copies", || counts::check(layout, &program, &stand_in, bless))?;
    println!("Done in {:.0} s. To call cargo yourself: . target/cuda/env.sh", stages.seconds());
    Ok(())
}

/// The stages that every CUDA command starts with: compiler and link shims.
fn prepare(layout: &Layout, stages: &mut Stages) -> Result<Toolkit> {
    let mut toolkit = None;
    stages.run("Fetching the CUDA compiler", || {
        let fetched = Toolkit::fetched(layout)?;
        let home = layout.short(&fetched.home()).display().to_string();
        toolkit = Some(fetched);
        Ok(format!("in {home}"))
    })?;
    let toolkit = toolkit.ok_or("the compiler was not fetched")?;
    stages.run("Making stand-ins for the linker", || {
        let count = libraries::shims(layout, &toolkit)?;
        toolkit.write_environment()?;
        Ok(format!("{count} functions"))
    })?;
    Ok(toolkit)
}

/// Builds the suite; returns where it lies. As everything in the shared target folder it needs Rust's standard library as
/// a file beside it on machines without Rust.
fn build(layout: &Layout, toolkit: &Toolkit) -> Result<PathBuf> {
    let mut cargo = toolkit.cargo(layout)?;
    cargo.args(["build", "--quiet", "--example", SUITE, "--features", "cudnn"]);
    run(&mut cargo, "building tachie with CUDA")?;
    Ok(layout.compiled().join(&layout.host).join("debug/examples").join(SUITE))
}

/// That the program runs where no driver is, on the CPU, and says so.
fn starts_without_a_driver(layout: &Layout, program: &Path) -> Result<String> {
    let mut command = Command::new(program);
    let output = command.arg("device").env_remove("CUDA_SHIM_DIR").env_remove("TACHIE_DEVICE").output();
    let output = output.map_err(|error| format!("{}: cannot run: {error}", layout.short(program).display()))?;
    let (said, noted) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let device = said.trim().to_string();
    if !output.status.success() {
        return Err(format!("the program does not start without a driver ({}): {noted}", output.status));
    }
    // On a machine with a GPU it has nothing to excuse.
    if device.starts_with("CPU") && !noted.contains("computing on the CPU") {
        return Err(format!("the program computes on the {device} and does not say why: {noted}"));
    }
    Ok(format!("it starts here, on: {device}"))
}

/// Runs programs of one thread each at the same time, and shows what they wrote one after the other.
fn side_by_side<const N: usize>(programs: [(Command, &str); N]) -> Result<()> {
    let outcomes: Vec<Result<String>> = std::thread::scope(|scope| {
        let started = programs.map(|(mut program, what)| scope.spawn(move || capture_both(&mut program, what)));
        let ended = |thread: std::thread::ScopedJoinHandle<Result<String>>| {
            thread.join().unwrap_or_else(|_| Err("a thread that waited for a program panicked".into()))
        };
        started.into_iter().map(ended).collect()
    });
    for outcome in outcomes {
        print!("{}", outcome?);
    }
    Ok(())
}

/// The suite with stand-ins in place of the CUDA libraries.
fn on_stand_in(program: &Path, stand_in: &Path) -> Command {
    let mut command = Command::new(program);
    command.env("CUDA_SHIM_DIR", stand_in).env("TACHIE_DEVICE", "cuda");
    command
}
