//! `tachie sample`: pictures from weights.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor};
use clap::{Parser, Subcommand};
use tachie::models::make_girls::MakeGirls;
use tachie::rng::Seed;
use tachie::sample::Latent;
use tachie::weights::npz;
use tachie::{Error, Result};

/// Draw pictures with a trained or published network.
#[derive(Debug, Parser)]
pub struct Args {
    #[command(subcommand)]
    model: Model,
}

#[derive(Debug, Subcommand)]
enum Model {
    /// Faces from attributes (make.girls.moe).
    MakeGirls(Faces),
}

#[derive(Debug, Parser)]
struct Faces {
    /// Weights: a safetensors file written by `tachie train`, `tachie import` or a notebook.
    #[arg(long, value_name = "FILE")]
    weights: PathBuf,
    /// Attributes with commas between them ("blonde hair, long hair, smile, blue eyes"). A hair or eye colour that is
    /// not named is drawn at random. Without this option all attributes are.
    #[arg(long, value_name = "TAGS")]
    tags: Option<String>,
    /// Seed of the noise.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Number of faces.
    #[arg(long, default_value_t = 16)]
    count: usize,
    /// Faces per row.
    #[arg(long, default_value_t = 8)]
    columns: usize,
    /// Where the grid of faces goes, a PNG.
    #[arg(long, value_name = "PNG", required_unless_present = "raw")]
    out: Option<PathBuf>,
    /// Explicit inputs in place of tags and seed: an npz file with arrays z0, z1, … (latent vectors) and l0, l1, …
    /// (labels as the network reads them, -1 is off and 1 is on).
    #[arg(long, value_name = "NPZ", conflicts_with_all = ["tags", "seed", "count"])]
    latents: Option<PathBuf>,
    /// Writes the network's own numbers as an npz file with arrays y0, y1, …: planes in the network's order, rows,
    /// columns, in [-1, 1].
    #[arg(long, value_name = "NPZ")]
    raw: Option<PathBuf>,
}

/// Runs the command.
pub fn run(args: Args) -> Result<()> {
    match args.model {
        Model::MakeGirls(faces) => draw(&faces),
    }
}

fn draw(args: &Faces) -> Result<()> {
    let model = MakeGirls::open(&args.weights, &tachie::device()?)?;
    let latents = match (&args.latents, &args.tags) {
        (Some(path), _) => explicit(&model, path)?,
        (None, Some(text)) => model.latents(&vec![model.tags(text)?; args.count], Seed(args.seed))?,
        (None, None) => model.random_latents(args.count, Seed(args.seed))?,
    };
    if let Some(path) = &args.raw {
        write_raw(&model, &latents, path)?;
    }
    if let Some(path) = &args.out {
        model.generate(&latents)?.grid(args.columns)?.save(path)?;
        println!("{} faces: {}", latents.len(), path.display());
    }
    Ok(())
}

/// The inputs z0, l0, z1, l1, … of an npz file.
fn explicit(model: &MakeGirls, path: &Path) -> Result<Vec<Latent>> {
    let arrays = npz::read(path)?;
    let mut latents = Vec::new();
    while let Some(z) = arrays.get(&format!("z{}", latents.len())) {
        let name = format!("l{}", latents.len());
        let Some(labels) = arrays.get(&name) else {
            return Err(Error::file(path, format!("no array {name}"), "an l for every z", ""));
        };
        let z = z.flatten_all()?.to_vec1::<f32>()?;
        let coded = labels.flatten_all()?.to_vec1::<f32>()?;
        let values = coded.into_iter().map(|value| (value + 1.0) / 2.0).collect();
        latents.push(Latent { z, labels: model.config().tags.labels_from(values)? });
    }
    if latents.is_empty() {
        return Err(Error::file(path, "no array z0", "arrays z0, l0, z1, l1, …", ""));
    }
    Ok(latents)
}

fn write_raw(model: &MakeGirls, latents: &[Latent], path: &Path) -> Result<()> {
    let made = model.generate_raw(latents)?.to_device(&Device::Cpu)?;
    let mut arrays: BTreeMap<String, Tensor> = BTreeMap::new();
    for i in 0..latents.len() {
        arrays.insert(format!("y{i}"), made.get(i)?);
    }
    npz::write(path, &arrays)?;
    println!("{} raw outputs: {}", latents.len(), path.display());
    Ok(())
}
