//! The command line: a thin layer over the library, for runs that do not belong in a notebook.

mod animate;
mod art;
mod clothing;
mod compare;
mod data;
mod doctor;
mod edit;
mod evaluate;
mod fetch;
mod generate;
mod import;
mod poses;
mod project;
mod review;
mod sample;
mod train;
mod translate;

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
    /// Animate characters along a sequence of poses
    Animate(animate::Args),
    /// Compare models of full bodies: PSGAN, Progressive GAN and PG2
    Compare(compare::Args),
    /// Make, check and pack data sets
    Data(data::Args),
    /// Say what this machine offers and what is missing
    Doctor(doctor::Args),
    /// Edit the attributes of a face in a picture
    Edit(edit::Args),
    /// Judge generated pictures against real ones
    Evaluate(evaluate::Args),
    /// Download published weights, and check them
    Fetch(fetch::Args),
    /// Draw the pictures of numbered seeds
    Generate(generate::Args),
    /// Convert published weights of other programs
    Import(import::Args),
    /// Find the style with which a StyleGAN draws a picture most alike
    Project(project::Args),
    /// Draw pictures with a trained generator
    Sample(sample::Args),
    /// Draw pictures with the styles of others
    StyleMix(generate::MixArgs),
    /// Train a model on a data set, or go on with a run
    Train(train::Args),
    /// Make pictures of pictures
    Translate(translate::Args),
}

fn main() -> ExitCode {
    end_quietly_without_a_reader();
    let result = match Cli::parse().command {
        Command::Animate(args) => animate::run(args),
        Command::Compare(args) => compare::run(args),
        Command::Data(args) => data::run(args),
        Command::Doctor(args) => doctor::run(args),
        Command::Edit(args) => edit::run(args),
        Command::Evaluate(args) => evaluate::run(args),
        Command::Fetch(args) => fetch::run(args),
        Command::Generate(args) => generate::run(args),
        Command::Import(args) => import::run(args),
        Command::Project(args) => project::run(args),
        Command::Sample(args) => sample::run(args),
        Command::StyleMix(args) => generate::mix(args),
        Command::Train(args) => train::run(args),
        Command::Translate(args) => translate::run(args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// `println!` panics when whoever read the output has gone (`tachie data check … | head`). That is no defect: the
/// process ends with the code that a shell gives to one ended by SIGPIPE.
fn end_quietly_without_a_reader() {
    let default = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let text = panic.payload_as_str().unwrap_or_default();
        if text.starts_with("failed printing to stdout") && text.contains("Broken pipe") {
            std::process::exit(141);
        }
        default(panic);
    }));
}
