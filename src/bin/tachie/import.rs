//! `tachie import`: published weights of other programs as files of this one.

use std::path::PathBuf;

use tachie::models::make_girls::Published;
use tachie::{Error, Result};

/// Convert published weights to a safetensors file
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    format: Format,
}

#[derive(Debug, clap::Subcommand)]
enum Format {
    /// A make.girls.moe generator in WebDNN's "eightbit" encoding
    Webdnn(Webdnn),
}

#[derive(Debug, clap::Args)]
struct Webdnn {
    /// The weights (weight_webassembly.bin)
    #[arg(long, value_name = "FILE")]
    weights: PathBuf,
    /// CSV table of its tensors: name,float_offset,shape,layout
    #[arg(long, value_name = "CSV")]
    map: PathBuf,
    /// The 128 magnitudes of the encoding, one per line
    #[arg(long, value_name = "CSV")]
    table: PathBuf,
    /// The safetensors file to write; an existing one is replaced
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// Runs the command.
pub fn run(args: Args) -> Result<()> {
    match args.format {
        Format::Webdnn(args) => webdnn(&args),
    }
}

fn webdnn(args: &Webdnn) -> Result<()> {
    if [&args.weights, &args.map, &args.table].into_iter().any(|source| *source == args.out) {
        return Err(Error::invalid("--out", args.out.display().to_string(), "a new file, not one of the sources", ""));
    }
    let published = Published::open(&args.weights, &args.map, &args.table)?;
    published.save(&args.out)?;
    let config = &published.config;
    println!("{}: make.girls.moe generator, {1}x{1} px", args.out.display(), config.size());
    println!("  labels     {}", config.tags.len());
    println!("  tensors    {}", published.tensors.len());
    println!("  numbers    {} in {} blocks", published.numbers, published.blocks);
    println!("  sha256     {} ({})", published.attribution.sha256, args.weights.display());
    println!("  licence    {}", published.attribution.licence);
    Ok(())
}
