//! The command line: a thin layer over the library, for runs that do not belong in a notebook.

mod data;
mod import;
mod sample;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Train, sample and judge anime-character GANs
#[derive(Debug, Parser)]
#[command(name = "tachie", version, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make, check and pack data sets
    Data(data::Args),
    /// Convert published weights of other programs
    Import(import::Args),
    /// Draw pictures with a trained generator
    Sample(sample::Args),
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Data(args) => data::run(args),
        Command::Import(args) => import::run(args),
        Command::Sample(args) => sample::run(args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
