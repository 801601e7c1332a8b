//! `tachie animate`: characters of a PSGAN in a sequence of poses, with the skeleton beside them.

use std::path::PathBuf;

use clap::Args as ClapArgs;
use tachie::data::poses::{Edge, PoseSequence};
use tachie::models::psgan::Psgan;
use tachie::sample::seeds;
use tachie::show::skeleton::SkeletonStyle;
use tachie::{Error, Result};

use crate::generate::From;

/// Animate characters along a sequence of poses (PSGAN)
#[derive(Debug, ClapArgs)]
pub struct Args {
    #[command(flatten)]
    from: From,
    /// Poses as JSON lines, a frame each: what `tachie data poses` writes, or keypoints.jsonl of `tachie data avatar-bodies`
    #[arg(long, value_name = "FILE")]
    poses: PathBuf,
    /// Frames of this motion only, where the file says which motion a frame is of
    #[arg(long, value_name = "NAME")]
    clip: Option<String>,
    /// Frames of this costume only, where the file says so; the character itself is chosen by --seeds
    #[arg(long, value_name = "NAME")]
    costume: Option<String>,
    /// Characters: numbers and ranges with commas between them, 1,5-9
    #[arg(long, value_name = "SEEDS", default_value = "1")]
    seeds: String,
    /// Frames per second: key points are put in between before anything is drawn [default: those of the poses]
    #[arg(long, value_name = "N")]
    fps: Option<f64>,
    /// Smooths key points along time by a Gaussian of so many frames
    #[arg(long, value_name = "FRAMES")]
    smooth: Option<f64>,
    /// Leaves out the skeleton beside the characters
    #[arg(long)]
    no_skeleton: bool,
    /// A .gif, .png (animated), .apng or .mp4 file, or a folder for a PNG per frame
    #[arg(long, value_name = "PATH")]
    out: PathBuf,
}

/// Runs the command.
///
/// # Errors
/// When the model is no PSGAN, the poses have another skeleton, or the file cannot be written.
pub fn run(args: Args) -> Result<()> {
    let device = tachie::device()?;
    let model: Psgan = args.from.open(&device)?;
    let numbers = seeds::parse(&args.seeds)?;
    let poses = chosen(&args)?;
    let wanted = model.config().keypoints;
    if poses.skeleton().len() != wanted {
        let found = format!("{} key points per frame", poses.skeleton().len());
        return Err(Error::file(&args.poses, found, format!("{wanted}, as the model knows"), ""));
    }
    let captions: Vec<String> = match numbers.len() {
        1 => vec![],
        _ => numbers.iter().map(|seed| format!("seed {seed}")).collect(),
    };
    let style = SkeletonStyle::on_black();
    let skeleton = (!args.no_skeleton).then_some(&style);
    let film = model.film(&model.latents(&numbers)?, &poses, &captions, skeleton)?;
    match args.out.extension() {
        Some(_) => film.save(&args.out)?,
        None => film.save_frames(&args.out)?,
    }
    println!("{} frames of {} characters: {}", film.len(), numbers.len(), args.out.display());
    Ok(())
}

/// The frames that are asked for, at the frames per second that are asked for.
fn chosen(args: &Args) -> Result<PoseSequence> {
    let mut poses = PoseSequence::open(&args.poses)?;
    if let Some(clip) = &args.clip {
        poses = poses.clip(clip)?;
    }
    if let Some(costume) = &args.costume {
        poses = poses.filtered(|pose| pose.costume.as_deref() == Some(costume))?;
    }
    if let Some(sigma) = args.smooth {
        poses = poses.smoothed(sigma, Edge::Hold)?;
    }
    match args.fps {
        Some(fps) => poses.resampled(fps, Edge::Hold),
        None => Ok(poses),
    }
}
