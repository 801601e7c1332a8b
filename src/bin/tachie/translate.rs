//! `tachie translate`: what a trained model makes of pictures.

use std::fs;
use std::path::{Path, PathBuf};

use candle_core::Device;
use clap::Args as ClapArgs;
use tachie::data::batch::Images;
use tachie::data::manifest::{Filter, ImagePolicy, Resize};
use tachie::image::{Rgb, RgbImage};
use tachie::models::anime2clothing;
use tachie::models::baselines::{pix2pix, pix2pixhd, pldt};
use tachie::models::model::Model;
use tachie::models::translation::Translation;
use tachie::show::grid::Grid;
use tachie::{Error, Result};

use crate::generate::From;

/// Extensions of pictures, in a folder.
const PICTURES: [&str; 6] = ["png", "jpg", "jpeg", "webp", "bmp", "gif"];

/// Make pictures of pictures (anime2clothing, pix2pix, pix2pixhd, pldt)
///
/// Every picture is resized to the model's size. The folder gets a PNG of the same name for each; files that cannot be read
/// are named and left out.
#[derive(Debug, ClapArgs)]
pub struct Args {
    #[command(flatten)]
    from: From,
    /// Pictures, or folders of them
    #[arg(value_name = "PICTURE", required = true)]
    pictures: Vec<PathBuf>,
    /// A folder for the results
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Keep the proportions of pictures that are not square, with white strips, where otherwise they are squashed as in the
    /// authors' code
    #[arg(long)]
    pad: bool,
    /// A PNG with every picture above its result, too
    #[arg(long, value_name = "PNG")]
    grid: Option<PathBuf>,
}

/// Runs the command.
///
/// # Errors
/// When the model makes no pictures of pictures, none of the pictures can be read, or the folder cannot be written.
pub fn run(args: Args) -> Result<()> {
    let device = tachie::device()?;
    match args.from.model()?.as_str() {
        "anime2clothing" => translate::<anime2clothing::Adversaries>(&args, &device),
        "pix2pix" => translate::<pix2pix::Adversaries>(&args, &device),
        "pix2pixhd" => translate::<pix2pixhd::Adversaries>(&args, &device),
        "pldt" => translate::<pldt::Adversaries>(&args, &device),
        other => {
            let expected = "anime2clothing, pix2pix, pix2pixhd or pldt";
            Err(Error::invalid("model", other, expected, "Others draw with `tachie generate`."))
        }
    }
}

fn translate<G: Translation>(args: &Args, device: &Device) -> Result<()> {
    let model: Model<G> = args.from.open(device)?;
    let resize = if args.pad { Resize::Pad } else { Resize::Squash };
    let policy = ImagePolicy { resize, filter: Filter::Bilinear, ..ImagePolicy::new(G::side(model.config()) as u32) };
    fs::create_dir_all(&args.out).map_err(|e| Error::io("create the folder", &args.out, e))?;
    let (mut sources, mut names) = (Vec::new(), Vec::new());
    for path in listed(&args.pictures)? {
        match Images::open(&path, &policy) {
            Ok(picture) => {
                sources.push(picture);
                names.push(name_of(&path, &names));
            }
            Err(error) => eprintln!("left out: {error}"),
        }
    }
    if sources.is_empty() {
        return Err(Error::invalid("pictures to translate", "none that can be read", "at least one", ""));
    }
    let sources = Images::cat(&sources)?;
    let made = model.translate(&sources)?;
    for (picture, name) in made.to_rgb()?.iter().zip(&names) {
        let path = args.out.join(name);
        picture.save(&path).map_err(|e| Error::file(&path, e.to_string(), "a PNG that can be written", ""))?;
    }
    println!("{} pictures: {}", names.len(), args.out.display());
    if let Some(path) = &args.grid {
        grid(&sources.to_rgb()?, &made.to_rgb()?, names.len().min(8))?.save(path)?;
    }
    Ok(())
}

/// Rows of pictures, each above a row of what they became.
fn grid(sources: &[RgbImage], made: &[RgbImage], columns: usize) -> Result<Grid> {
    let mut all = Vec::new();
    for row in sources.chunks(columns).zip(made.chunks(columns)).flat_map(|(sources, made)| [sources, made]) {
        let (width, height) = row[0].dimensions();
        all.extend(row.iter().cloned());
        all.extend((row.len()..columns).map(|_| RgbImage::from_pixel(width, height, Rgb([255; 3]))));
    }
    Images::from_rgb(&all)?.grid(columns)
}

/// The files, and those of the folders that are called pictures, sorted.
fn listed(paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in paths {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let entries = fs::read_dir(path).map_err(|e| Error::io("read the folder", path, e))?;
        let mut found: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
        found.retain(|file| file.is_file() && has_extension(file));
        found.sort();
        files.extend(found);
    }
    Ok(files)
}

fn has_extension(path: &Path) -> bool {
    let extension = path.extension().map(|text| text.to_string_lossy().to_lowercase());
    extension.is_some_and(|extension| PICTURES.contains(&extension.as_str()))
}

/// The picture's name as a PNG, with a number where another one has it already.
fn name_of(path: &Path, taken: &[String]) -> String {
    let stem = path.file_stem().map_or_else(|| "picture".into(), |stem| stem.to_string_lossy().into_owned());
    let mut name = format!("{stem}.png");
    let mut number = 2;
    while taken.contains(&name) {
        name = format!("{stem}-{number}.png");
        number += 1;
    }
    name
}
