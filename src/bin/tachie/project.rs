//! `tachie project`: the style and the noise with which a StyleGAN draws a picture most alike.

use std::path::PathBuf;

use clap::Args as ClapArgs;
use tachie::Result;
use tachie::data::batch::Images;
use tachie::data::manifest::{ImagePolicy, Resize};
use tachie::metrics::nets::perceptual::Perceptual;
use tachie::models::stylegan::Stylegan;
use tachie::rng::Seed;
use tachie::sample::ProjectOptions;

use crate::generate::From;

/// Pictures of the film that `--video` asks for.
const FRAMES: usize = 100;

/// Find the style with which a StyleGAN draws a picture most alike
///
/// The folder gets projected.safetensors (`tachie generate --projected` draws with it), target.png, projected.png,
/// distance.svg, and with --video search.gif. A picture that is not square gets white strips beside it.
#[derive(Debug, ClapArgs)]
pub struct Args {
    #[command(flatten)]
    from: From,
    /// The picture
    #[arg(long = "in", value_name = "PICTURE")]
    input: PathBuf,
    /// A folder for what is found
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Steps of the search
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    steps: usize,
    /// Seed of the mean style and of the noise of the search
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// See differences by LPIPS: trunk and heads, as `tachie import torch` has written them [default: the built-in network]
    #[arg(long, num_args = 2, value_names = ["TRUNK", "HEADS"])]
    lpips: Option<Vec<PathBuf>>,
    /// Write the search as a film too
    #[arg(long)]
    video: bool,
}

/// Runs the command.
///
/// # Errors
/// When the model is no StyleGAN, the picture cannot be read, or the folder cannot be written.
pub fn run(args: Args) -> Result<()> {
    let device = tachie::device()?;
    let model: Stylegan = args.from.open(&device)?;
    let policy = ImagePolicy { resize: Resize::Pad, ..ImagePolicy::new(model.config().size() as u32) };
    let target = Images::open(&args.input, &policy)?;
    let mut options = ProjectOptions::default().steps(args.steps).seed(Seed(args.seed));
    if let Some([trunk, heads]) = args.lpips.as_deref() {
        options = options.eye(Perceptual::lpips(trunk, heads, &device)?);
    }
    if args.video {
        options = options.frames(FRAMES);
    }
    let found = model.project(&target, options)?;
    found.save(&args.out)?;
    println!("{found:?}: {}", args.out.display());
    Ok(())
}
