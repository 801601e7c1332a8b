//! `cargo xtask`: sets the notebooks up, runs them, tests everything.
//!
//! The same program is also the notebook kernel's launcher, its `cargo` and its `rustup`
//! ([`launch`], [`front`], [`direct`], [`errors`]): it then runs under one of those names.

mod bench;
mod bench_kernel;
mod cuda;
mod direct;
mod errors;
mod front;
mod jupyter;
mod kernel;
mod launch;
mod layout;
mod notebooks;
mod prove;
mod stage;
mod test;
mod tools;
mod venv;

use layout::Layout;
use std::path::Path;

/// Every message is one that the person at the terminal can act on.
type Result<T, E = String> = std::result::Result<T, E>;

const USAGE: &str = "\
cargo xtask <command>

  tour                 set everything up inside this clone, execute notebooks/00_tour.ipynb, write target/tour
  lab                  open JupyterLab on the notebooks
  notebooks [name...]  execute the notebooks (all of them, or 00_tour ...), results in target/notebooks
  test                 format, clippy, unit, integration and doc tests, docs, notebooks with the short budget
  prove <name> [...]   run a seeded experiment and print its numbers beside the wanted ones
  bench [part...]      measure beside PyTorch and rewrite benches/results.md (ops, steps, memory, data, scaling, onednn)
  check-cuda [--bless] compile the GPU kernels, run them in emulation beside the CPU, count launches; needs no GPU
  gpu-suite [folder]   pack checks and measurements for a machine with a GPU and PyTorch
  bench-kernel         measure the notebook kernel, print the table of environment.md
  setup                the first part of tour: everything but executing the notebook";

fn main() {
    let mut args = std::env::args();
    let program = args.next().unwrap_or_default();
    let args: Vec<String> = args.collect();
    let name = Path::new(&program).file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let outcome = match name {
        "cargo" => front::cargo(&args),
        "rustup" => front::rustup(&args),
        direct::RECORDER => direct::recorder(&args),
        launch::PROGRAM => launch::kernel(&args),
        _ => command(&args),
    };
    if let Err(message) = outcome {
        eprintln!("error: {message}");
        std::process::exit(1);
    }
}

fn command(args: &[String]) -> Result<()> {
    let layout = Layout::of_this_clone()?;
    let rest = args.get(1..).unwrap_or_default();
    match args.first().map(String::as_str) {
        Some("tour") => notebooks::tour(&layout),
        Some("setup") => notebooks::setup(&layout),
        Some("lab") => notebooks::lab(&layout, rest),
        Some("notebooks") => notebooks::all(&layout, rest),
        Some("test") => test::test(&layout),
        Some("prove") => prove::prove(&layout, rest),
        Some("bench") => bench::bench(&layout, rest),
        Some("check-cuda") => cuda::check(&layout, rest),
        Some("gpu-suite") => cuda::suite(&layout, rest),
        Some("bench-kernel") => bench_kernel::bench(&layout, rest),
        Some("help" | "--help" | "-h") => {
            println!("{USAGE}");
            Ok(())
        }
        Some(other) => Err(format!("unknown command `{other}`\n\n{USAGE}")),
        None => Err(format!("which command?\n\n{USAGE}")),
    }
}
