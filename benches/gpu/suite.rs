//! One program for a machine with a GPU: `cargo xtask gpu-suite` packs it, `cargo xtask check-cuda` runs it on stand-ins.
//!
//! `parity` compares every operation and a training step of every model with the CPU, `time` measures them for
//! `benches/pytorch/gpu.py` to put PyTorch beside, `counts` prints what they ask of the driver (stand-ins only), `device`
//! says where it computes.

#[allow(dead_code, reason = "shared with other programs, of which each uses a part")]
#[path = "../common/models.rs"]
mod models;
#[allow(dead_code, reason = "shared with other programs, of which each uses a part")]
#[path = "../common/operations.rs"]
mod operations;

mod cases;
mod counts;
mod graphs;
mod parity;
mod steps;
mod time;

use std::path::PathBuf;

use clap::{Parser, Subcommand};
use tachie::{Error, Result};

#[derive(Parser)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Where this program computes
    Device,
    /// GPU and CPU give the same results
    Parity {
        /// Small models only
        #[arg(long)]
        small: bool,
        /// Only what has this text in its name
        #[arg(long, default_value = "")]
        only: String,
        /// Nothing that has this text in its name
        #[arg(long)]
        without: Option<String>,
    },
    /// Launches, allocations and copies, on the stand-in for the driver
    Counts {
        /// Every kernel and library call by name, of what has this text in its name
        #[arg(long)]
        only: Option<String>,
    },
    /// Milliseconds of operations and training steps
    Time {
        /// Where the numbers go, and what PyTorch needs to do the same
        #[arg(long)]
        out: PathBuf,
        /// Small models and a pass or two: tries the way out, the times mean nothing
        #[arg(long)]
        quick: bool,
    },
}

fn main() -> Result<()> {
    let device = tachie::device()?;
    match Args::parse().command {
        Command::Device => println!("{}", tachie::device::describe(&device)),
        Command::Parity { small, only, without } => {
            parity::run(&on_gpu(device)?, small, parity::Wanted { only, without })?
        }
        Command::Counts { only } => counts::run(&on_gpu(device)?, only.as_deref())?,
        Command::Time { out, quick } => time::run(&on_gpu(device)?, &out, quick)?,
    }
    Ok(())
}

fn on_gpu(device: tachie::device::Device) -> Result<tachie::device::Device> {
    if device.is_cuda() {
        return Ok(device);
    }
    let reason = tachie::device::why_no_gpu().unwrap_or_else(|| "the environment asks for the CPU".into());
    Err(Error::invalid("device", format!("the CPU ({reason})"), "a GPU", "Run this on a machine with a driver."))
}
