//! `tachie data poses`: key points of other programs, checked, put in order and looked at.

use std::path::PathBuf;

use tachie::Result;
use tachie::data::dataset::Splits;
use tachie::data::manifest::Resize;
use tachie::data::poses::{Edge, ImportOptions, Pictures, PoseFormat, PoseSequence};
use tachie::show::skeleton::SkeletonStyle;

/// Read key points of other programs, check them, and write them as JSON lines
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A file, or for openpose and rcv also a folder of files
    path: PathBuf,
    /// Who wrote the key points
    #[arg(long, value_enum)]
    from: Origin,
    /// The poses as JSON lines: what `poses` in the [folder] of a manifest names
    #[arg(long, value_name = "FILE.jsonl")]
    out: Option<PathBuf>,
    /// Width and height of the pictures in pixels, where the file does not say it
    #[arg(long, value_name = "WxH", value_parser = size, conflicts_with = "pictures")]
    size: Option<(u32, u32)>,
    /// The folder of the pictures, for those of different sizes
    #[arg(long, value_name = "DIR")]
    pictures: Option<PathBuf>,
    /// Leave out pictures with fewer key points [default: 10, for jsonl 0]
    #[arg(long, value_name = "N")]
    min_points: Option<usize>,
    /// Exchange the names of left and right eye and ear
    #[arg(long)]
    swap_eyes: bool,
    /// Frames per second of the poses [default: 30, or what the file says]
    #[arg(long, value_name = "FPS")]
    fps: Option<f64>,
    /// Fill points that are missing for at most so many frames in a row
    #[arg(long, value_name = "FRAMES")]
    fill: Option<usize>,
    /// Smooth the motion: standard deviation in frames (2 is usual)
    #[arg(long, value_name = "FRAMES")]
    smooth: Option<f64>,
    /// Bring the motion to so many frames per second, linear in between
    #[arg(long, value_name = "FPS")]
    resample: Option<f64>,
    /// The motion loops: its end is beside its beginning
    #[arg(long = "loop")]
    looped: bool,
    /// Mirror every pose, with left and right exchanged
    #[arg(long)]
    mirror: bool,
    /// Bring the poses to another picture size
    #[arg(long, value_name = "WxH", value_parser = size)]
    fit: Option<(u32, u32)>,
    /// How poses are brought to another shape of picture
    #[arg(long, value_enum, default_value = "pad", requires = "fit")]
    resize: Shape,
    /// Prescribe test poses, so that training sees no person, or neither motion nor costume, of them
    #[arg(long, value_enum)]
    split: Option<Grouping>,
    /// Share of people, or of motions and of costumes, for testing
    #[arg(long, value_name = "SHARE", default_value_t = 0.1, requires = "split")]
    test: f64,
    /// Share of people, or of motions and of costumes, for choosing settings
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, requires = "split")]
    validation: f64,
    /// Draw the skeletons: a sheet (.png) or the motion (.gif, .apng, .mp4)
    #[arg(long, value_name = "FILE")]
    preview: Option<PathBuf>,
    /// How skeletons are drawn
    #[arg(long, value_enum, default_value = "parts", requires = "preview")]
    style: Style,
    /// Longer side of the skeletons of a motion in pixels
    #[arg(long, value_name = "PIXELS", default_value_t = 256, requires = "preview")]
    preview_size: u32,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Origin {
    /// JSON files of OpenPose (COCO with 18 points, BODY_25)
    Openpose,
    /// NumPy arrays of (row, column, visible), as PG2 has them
    Rcv,
    /// The table of PATN: name:keypoints_y:keypoints_x
    Patn,
    /// The annotations of FashionAI: image_id, image_category and 24 columns x_y_v
    FashionAi,
    /// JSON lines with keypoints [[x, y, v], ...]
    Jsonl,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Shape {
    /// The whole picture, with strips beside it
    Pad,
    /// The middle of the picture
    Crop,
    /// The whole picture, proportions are lost
    Squash,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Grouping {
    /// By what file names begin with
    Person,
    /// By the costume and the clip of the poses
    CostumeClip,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Style {
    /// Coloured by part of the body, on white
    Parts,
    /// Coloured by part of the body, on black
    Black,
    /// White on black, as in PSGAN's Figure 3
    Paper,
}

/// Runs the command.
pub fn run(args: &Args) -> Result<()> {
    let read = read(args)?;
    let poses = prepared(args, &read)?;
    println!("{}: {poses}", args.path.display());
    if args.split.is_some() {
        use tachie::data::dataset::Split::{Test, Train, Validation};
        let count = |split| poses.poses().iter().filter(|pose| pose.split.unwrap_or(Train) == split).count();
        println!("train {}, validation {}, test {}", count(Train), count(Validation), count(Test));
    }
    if let Some(out) = &args.out {
        poses.save(out)?;
        println!("{}: {} lines", out.display(), poses.len());
    }
    if let Some(preview) = &args.preview {
        draw(args, &poses, preview)?;
        println!("{}: preview", preview.display());
    }
    println!("\n{}", read.report().to_string().replacen("pictures used", "poses used", 1));
    Ok(())
}

fn read(args: &Args) -> Result<PoseSequence> {
    let format = match args.from {
        Origin::Openpose => PoseFormat::OpenPose,
        Origin::Rcv => PoseFormat::Rcv,
        Origin::Patn => PoseFormat::Patn,
        Origin::FashionAi => PoseFormat::FashionAi,
        Origin::Jsonl => PoseFormat::JsonLines,
    };
    let pictures = args.pictures.as_ref().map(Pictures::open).transpose()?;
    let &Args { size, fps, swap_eyes, min_points, .. } = args;
    let options = ImportOptions { size, pictures, fps, swap_eyes, min_points, skeleton: None };
    PoseSequence::import(&args.path, format, &options)
}

/// In this order: gaps first, so that smoothing sees whole motions; frame rate last, so that sigma counts given frames.
fn prepared(args: &Args, read: &PoseSequence) -> Result<PoseSequence> {
    let edge = if args.looped { Edge::Wrap } else { Edge::Hold };
    let mut poses = read.clone();
    if let Some(frames) = args.fill {
        poses = poses.filled(frames);
    }
    if let Some(sigma) = args.smooth {
        poses = poses.smoothed(sigma, edge)?;
    }
    if let Some(fps) = args.resample {
        poses = poses.resampled(fps, edge)?;
    }
    if args.mirror {
        poses = poses.mirrored();
    }
    if let Some(size) = args.fit {
        let resize = match args.resize {
            Shape::Pad => Resize::Pad,
            Shape::Crop => Resize::Crop,
            Shape::Squash => Resize::Squash,
        };
        poses = poses.resized(size, resize)?;
    }
    let splits = Splits { validation: args.validation, test: args.test, ..Splits::default() };
    match args.split {
        None => Ok(poses),
        Some(Grouping::Person) => poses.split_by_person(&splits),
        Some(Grouping::CostumeClip) => poses.split_by_costume_and_clip(&splits),
    }
}

fn draw(args: &Args, poses: &PoseSequence, path: &PathBuf) -> Result<()> {
    let style = match args.style {
        Style::Parts => SkeletonStyle::default(),
        Style::Black => SkeletonStyle::on_black(),
        Style::Paper => SkeletonStyle::paper(),
    };
    if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("png")) {
        return poses.grid(&style)?.save(path);
    }
    let (width, height) = poses.poses().first().map_or((1, 1), |pose| pose.size);
    let scale = f64::from(args.preview_size) / f64::from(width.max(height));
    let side = |length: u32| ((f64::from(length) * scale).round() as u32).max(1);
    poses.animation(&style, (side(width), side(height)))?.save(path)
}

/// `256x512`.
fn size(text: &str) -> std::result::Result<(u32, u32), String> {
    let sides = text.split_once(['x', 'X', '×']);
    let sides = sides.and_then(|(w, h)| Some((w.trim().parse::<u32>().ok()?, h.trim().parse::<u32>().ok()?)));
    match sides {
        Some((width, height)) if width > 0 && height > 0 => Ok((width, height)),
        _ => Err("expected width and height in pixels, as in 256x256".to_string()),
    }
}
