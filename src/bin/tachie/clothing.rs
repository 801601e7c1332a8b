//! `tachie data gather|crop-pairs|dedupe|pad|calibrate|pairs`: from found pictures to pairs of a character and clothing.

use std::path::PathBuf;

use tachie::data::dataset::Splits;
use tachie::data::import::About;
use tachie::data::manifest::{Filter, ImagePolicy, PairLayout, Resize, Side};
use tachie::data::poses::{ImportOptions, PoseFormat, PoseSequence};
use tachie::data::prepare::clothing::boxes::Boxes;
use tachie::data::prepare::clothing::calibrate::{CALIBRATION, CalibrateOptions, Centre, Height, calibrate};
use tachie::data::prepare::clothing::crop_pairs::{Form, PairOptions, crop_pairs};
use tachie::data::prepare::clothing::dedupe::{Copies, DedupeOptions, dedupe};
use tachie::data::prepare::clothing::gather::{CrawlManifest, GatherOptions, gather};
use tachie::data::prepare::clothing::pad::{PadOptions, pad_folder};
use tachie::data::prepare::clothing::pairs::write_pairs;
use tachie::data::prepare::clothing::similar::Similarity;
use tachie::{Error, Result};

/// Gather what local folders hold: every file that is no whole picture is listed with the reason
#[derive(Debug, clap::Args)]
pub struct GatherArgs {
    /// Folder of files, with its sub-folders; may be given more than once
    #[arg(long = "in", value_name = "DIR", required = true)]
    input: Vec<PathBuf>,
    /// New or empty folder, or one that the same settings have begun
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Fewest pixels of the shorter side
    #[arg(long, value_name = "PIXELS", default_value_t = 1)]
    min_side: u32,
    /// Make hard links instead of copies
    #[arg(long)]
    link: bool,
    /// What a crawl asked for: JSON with queries, shops and titles (lists), date and note; it is kept beside the pictures
    #[arg(long, value_name = "FILE")]
    crawl: Option<PathBuf>,
}

/// Cut a character and its clothing out of each picture, by the boxes of any detector
///
/// Boxes are JSON lines {"file": "a/b.jpg", "class": "character", "score": 0.98, "box": [left, top, width, height]} in pixels
/// (.jsonl), or COCO with images, categories and annotations (.json). The best box of each class counts.
#[derive(Debug, clap::Args)]
pub struct CropArgs {
    /// Folder of pictures, with its sub-folders
    #[arg(long = "in", value_name = "DIR")]
    input: PathBuf,
    /// The boxes
    #[arg(long, value_name = "FILE")]
    boxes: PathBuf,
    /// New or empty folder, or one that the same settings have begun
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Class of the source, the left half
    #[arg(long, value_name = "NAME", default_value_t = PairOptions::default().source)]
    source: String,
    /// Class of the target, the right half
    #[arg(long, value_name = "NAME", default_value_t = PairOptions::default().target)]
    target: String,
    /// Lowest score of either box
    #[arg(long, value_name = "0-1", default_value_t = PairOptions::default().score)]
    score: f64,
    /// Shares of its width and height that are added on every side of a box
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    margin: f64,
    /// Fewest pixels of a crop's shorter side
    #[arg(long, value_name = "PIXELS", default_value_t = PairOptions::default().min_side)]
    min_side: u32,
    /// Write a/x.png and b/x.png instead of both side by side
    #[arg(long)]
    folders: bool,
}

/// Find near-duplicates by colour, brightness and contrast, keep the best of each group, and divide the groups
///
/// groups.csv says of each picture its group, whether it is kept, and its split; no group is in two splits.
#[derive(Debug, clap::Args)]
pub struct DedupeArgs {
    /// Folder of pictures, with its sub-folders
    #[arg(long = "in", value_name = "DIR")]
    input: PathBuf,
    /// New or empty folder, or one that the same settings have begun
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Boxes of a detector, to compare only what is in them
    #[arg(long, value_name = "FILE", requires = "class")]
    boxes: Option<PathBuf>,
    /// Class of the boxes that are compared
    #[arg(long, value_name = "NAME", requires = "boxes")]
    class: Option<String>,
    /// Similarity of colour from which pictures are duplicates
    #[arg(long, value_name = "0-1", default_value_t = Similarity::default().colour)]
    colour: f64,
    /// The same of brightness
    #[arg(long, value_name = "0-1", default_value_t = Similarity::default().brightness)]
    brightness: f64,
    /// The same of contrast
    #[arg(long, value_name = "0.7-1", default_value_t = Similarity::default().contrast)]
    contrast: f64,
    /// Share of groups that are for choosing settings
    #[arg(long, value_name = "SHARE", default_value_t = Splits::default().validation)]
    validation: f64,
    /// Share of groups that are for the final numbers; the paper's is 0.085
    #[arg(long, value_name = "SHARE", default_value_t = Splits::default().test)]
    test: f64,
    /// Seed of the division
    #[arg(long, value_name = "K", default_value_t = 0)]
    seed: u64,
    /// Copy what is kept to images/
    #[arg(long)]
    copy: bool,
    /// Make hard links of what is kept in images/
    #[arg(long, conflicts_with = "copy")]
    link: bool,
}

/// Bring pictures to a canvas, with their mirrored and blurred image beside them
#[derive(Debug, clap::Args)]
pub struct PadArgs {
    /// Folder of pictures, with its sub-folders
    #[arg(long = "in", value_name = "DIR")]
    input: PathBuf,
    /// New or empty folder, or one that the same settings have begun
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Side of the canvas in pixels
    #[arg(long, value_name = "PIXELS", default_value_t = PadOptions::default().canvas.0)]
    size: u32,
    /// How far inside of the picture its soft edge is, in pixels
    #[arg(long, value_name = "PIXELS", default_value_t = PadOptions::default().inset)]
    inset: u32,
    /// Softness of the edge in pixels
    #[arg(long, value_name = "PIXELS", default_value_t = PadOptions::default().edge)]
    edge: f64,
    /// Blur of the ground in pixels
    #[arg(long, value_name = "PIXELS", default_value_t = PadOptions::default().ground)]
    ground: f64,
    /// Leave pictures as large as they are, as the authors' code does
    #[arg(long)]
    as_is: bool,
}

/// Cut pictures about the centre of their clothing
///
/// The centre comes from key points, or from a box where fewer than three of them are visible. calibration.csv says what was
/// cut, so that it can be undone.
#[derive(Debug, clap::Args)]
pub struct CalibrateArgs {
    /// Folder of pictures, with its sub-folders
    #[arg(long = "in", value_name = "DIR")]
    input: PathBuf,
    /// New or empty folder, or one that the same settings have begun
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Key points: JSON lines (.jsonl) or the annotations of FashionAI (.csv)
    #[arg(long, value_name = "FILE", required_unless_present = "boxes")]
    keypoints: Option<PathBuf>,
    /// Boxes of a detector
    #[arg(long, value_name = "FILE")]
    boxes: Option<PathBuf>,
    /// Class of the boxes
    #[arg(long, value_name = "NAME", default_value_t = CalibrateOptions::default().class)]
    class: String,
    /// The middle between the outermost key points instead of their mean
    #[arg(long)]
    middle: bool,
    /// Cut the height to the width instead of putting the mirrored ground beside the picture
    #[arg(long)]
    cut: bool,
    /// Side of the result in pixels
    #[arg(long, value_name = "PIXELS", default_value_t = CalibrateOptions::default().size)]
    size: u32,
}

/// Write the table and the manifest of a data set of pairs, and check all of them
#[derive(Debug, clap::Args)]
pub struct PairsArgs {
    /// Folder that holds everything; pairs.csv and dataset.toml are written there
    #[arg(long = "in", value_name = "DIR")]
    input: PathBuf,
    /// Folder of the sources in it
    #[arg(long, value_name = "DIR", default_value = "a")]
    source: PathBuf,
    /// Folder of the targets; what belongs together has one name
    #[arg(long, value_name = "DIR", default_value = "b")]
    target: PathBuf,
    /// The two folders are in train/, validation/ and test/
    #[arg(long)]
    split_folders: bool,
    /// Both pictures are in one file, and the source is this half
    #[arg(long, value_enum, conflicts_with_all = ["source", "target", "split_folders"])]
    side: Option<Half>,
    /// With `--side`: the folder of the files
    #[arg(long, value_name = "DIR", default_value = "images", requires = "side")]
    images: PathBuf,
    /// groups.csv of `tachie data dedupe`: duplicates are left out, and splits are its
    #[arg(long, value_name = "FILE")]
    groups: Option<PathBuf>,
    /// Side of the pictures in pixels
    #[arg(long, value_name = "PIXELS", default_value_t = 256)]
    size: u32,
    /// How pictures are brought to size
    #[arg(long, value_enum, default_value = "squash")]
    resize: Shape,
    /// What the pictures are, for the manifest
    #[arg(long, value_name = "TEXT", default_value = "Pairs of pictures")]
    title: String,
    /// Whose they are, for the manifest
    #[arg(long, value_name = "TEXT", default_value = "not stated")]
    licence: String,
    /// Where they are from, for the manifest
    #[arg(long, value_name = "TEXT", default_value = "not stated")]
    origin: String,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Half {
    Left,
    Right,
    Top,
    Bottom,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Shape {
    /// Proportions are lost, as in the paper
    Squash,
    /// The mirrored border is put beside them
    Mirror,
    /// White is put beside them
    Pad,
    /// The middle square is cut out
    Crop,
}

/// Runs `tachie data gather`.
pub fn run_gather(args: &GatherArgs) -> Result<()> {
    let crawl = args.crawl.as_ref().map(CrawlManifest::open).transpose()?;
    let options = GatherOptions { min_side: args.min_side, link: args.link, crawl };
    println!("{}", gather(&args.input, &args.out, &options)?);
    Ok(())
}

/// Runs `tachie data crop-pairs`.
pub fn run_crop(args: &CropArgs) -> Result<()> {
    let options = PairOptions {
        source: args.source.clone(),
        target: args.target.clone(),
        score: args.score,
        margin: args.margin,
        min_side: args.min_side,
        form: if args.folders { Form::Folders } else { Form::SideBySide },
    };
    let (_, report) = crop_pairs(&args.input, &args.out, &Boxes::open(&args.boxes)?, &options)?;
    println!("{report}");
    Ok(())
}

/// Runs `tachie data dedupe`.
pub fn run_dedupe(args: &DedupeArgs) -> Result<()> {
    let boxes = args.boxes.as_ref().map(Boxes::open).transpose()?;
    let options = DedupeOptions {
        similarity: Similarity { colour: args.colour, brightness: args.brightness, contrast: args.contrast },
        class: args.class.clone(),
        copy: match (args.copy, args.link) {
            (true, _) => Copies::Copy,
            (_, true) => Copies::Link,
            _ => Copies::None,
        },
        splits: Splits { validation: args.validation, test: args.test, seed: args.seed },
    };
    println!("{}", dedupe(&args.input, &args.out, boxes.as_ref(), &options)?);
    Ok(())
}

/// Runs `tachie data pad`.
pub fn run_pad(args: &PadArgs) -> Result<()> {
    let &PadArgs { size, inset, edge, ground, as_is, .. } = args;
    let options = PadOptions { canvas: (size, size), inset, edge, ground, fit: !as_is };
    println!("{}", pad_folder(&args.input, &args.out, &options)?);
    Ok(())
}

/// Runs `tachie data calibrate`.
pub fn run_calibrate(args: &CalibrateArgs) -> Result<()> {
    let boxes = args.boxes.as_ref().map(Boxes::open).transpose()?;
    let keypoints = args.keypoints.as_ref().map(|path| {
        let format = match path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("csv")) {
            true => PoseFormat::FashionAi,
            false => PoseFormat::JsonLines,
        };
        PoseSequence::import(path, format, &ImportOptions::of_pictures(&args.input)?)
    });
    let options = CalibrateOptions {
        centre: if args.middle { Centre::Middle } else { Centre::Mean },
        class: args.class.clone(),
        height: if args.cut { Height::Cut } else { Height::Mirror },
        size: args.size,
        ..CalibrateOptions::default()
    };
    let (_, report) = calibrate(&args.input, &args.out, keypoints.transpose()?.as_ref(), boxes.as_ref(), &options)?;
    println!("{}", args.out.join(CALIBRATION).display());
    println!("{report}");
    Ok(())
}

/// Runs `tachie data pairs`.
pub fn run_pairs(args: &PairsArgs) -> Result<()> {
    let (source, target, images) = (args.source.clone(), args.target.clone(), args.images.clone());
    let layout = match (args.side, args.split_folders) {
        (Some(half), _) => PairLayout::SideBySide {
            images,
            source: match half {
                Half::Left => Side::Left,
                Half::Right => Side::Right,
                Half::Top => Side::Top,
                Half::Bottom => Side::Bottom,
            },
        },
        (None, true) => PairLayout::SplitFolders { images: ".".into(), source, target },
        (None, false) => PairLayout::Folders { source, target },
    };
    let resize = match args.resize {
        Shape::Squash => Resize::Squash,
        Shape::Mirror => Resize::Mirror,
        Shape::Pad => Resize::Pad,
        Shape::Crop => Resize::Crop,
    };
    if !(4..=2048).contains(&args.size) {
        return Err(Error::invalid("size", args.size.to_string(), "4 to 2048 pixels", ""));
    }
    let policy = ImagePolicy { resize, filter: Filter::Bilinear, ..ImagePolicy::new(args.size) };
    let about = About { title: args.title.clone(), licence: args.licence.clone(), source: args.origin.clone() };
    let (manifest, listed) = write_pairs(&args.input, &layout, args.groups.as_deref(), &policy, &about)?;
    let dataset = tachie::data::Dataset::open(&manifest)?;
    let [train, validation, test] = [dataset.train(), dataset.validation(), dataset.test()].map(|part| part.len());
    println!("{}: {dataset}", manifest.display());
    println!("train {train}, validation {validation}, test {test}");
    println!("\nby name: {listed}\n\nlooked into: {}", dataset.report());
    Ok(())
}
