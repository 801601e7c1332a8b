//! `tachie import`: published weights of other programs as files of this one.

use std::collections::BTreeMap;
use std::path::PathBuf;

use tachie::candle_core::Tensor;
use tachie::metrics::nets::weights::{Kind, Weights};
use tachie::models::anime2clothing;
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
    /// A network that metrics need, or the generator of anime2clothing, from a file of PyTorch (.pth), Caffe (.caffemodel) or
    /// safetensors
    Torch(Torch),
    /// A make.girls.moe generator in WebDNN's "eightbit" encoding
    Webdnn(Webdnn),
}

#[derive(Debug, clap::Args)]
struct Torch {
    /// The published weights
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The network: inception, alexnet, vgg16, vgg19, squeezenet, i2v, i2v-features, lpips-alex, lpips-vgg or
    /// lpips-squeeze; or anime2clothing
    #[arg(long, value_parser = Network::named)]
    kind: Network,
    /// The safetensors file to write; an existing one is replaced
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// What a file of weights is of.
#[derive(Clone, Copy, Debug)]
enum Network {
    Anime2clothing,
    OfMetrics(Kind),
}

impl Network {
    fn named(name: &str) -> Result<Network> {
        match name {
            "anime2clothing" => Ok(Network::Anime2clothing),
            _ => Kind::named(name).map(Network::OfMetrics),
        }
    }
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
        Format::Torch(args) => torch(&args),
        Format::Webdnn(args) => webdnn(&args),
    }
}

fn torch(args: &Torch) -> Result<()> {
    if args.file == args.out {
        return Err(Error::invalid("--out", args.out.display().to_string(), "a new file, not the source", ""));
    }
    let kind = match args.kind {
        Network::OfMetrics(kind) => kind,
        Network::Anime2clothing => return generator(args),
    };
    let weights = Weights::import(&args.file, kind)?;
    weights.save(&args.out)?;
    written(args, kind.name(), &weights.tensors, &weights.card.sha256);
    if !weights.left_out.is_empty() {
        println!("  left out   {}", weights.left_out.join(", "));
    }
    Ok(())
}

fn generator(args: &Torch) -> Result<()> {
    let published = anime2clothing::Published::open(&args.file)?;
    published.save(&args.out)?;
    let shape = &published.config.shape;
    let what = format!("anime2clothing, {0}x{0} px, {1} times the width", shape.resolution, shape.width);
    written(args, &what, &published.tensors, &published.attribution.sha256);
    Ok(())
}

/// What was written.
fn written(args: &Torch, what: &str, tensors: &BTreeMap<String, Tensor>, sha256: &str) {
    let numbers: usize = tensors.values().map(|tensor| tensor.elem_count()).sum();
    println!("{}: {what}", args.out.display());
    println!("  tensors    {}", tensors.len());
    println!("  numbers    {numbers}");
    println!("  sha256     {sha256} ({})", args.file.display());
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
