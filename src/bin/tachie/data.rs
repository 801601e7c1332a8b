//! `tachie data`: data sets from the command line.

use std::path::PathBuf;

use tachie::data::avatar::Avatar;
use tachie::data::avatar::crawl::{FileTruth, Kind, TRUTH};
use tachie::data::import::pack;
use tachie::data::prepare::cascade::Cascade;
use tachie::data::prepare::faces::{CropOptions, Outside, crop_folder};
use tachie::data::prepare::label::label_folder;
use tachie::data::{Dataset, TagSampler};
use tachie::metrics::nets::tagger::Tagger;
use tachie::rng::Seed;
use tachie::{Error, Result};

/// Make, check and pack data sets
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Draw procedural anime faces: PNG files, a tag table and a manifest
    AvatarFaces(AvatarFaces),
    /// Draw procedural full bodies: PNG files, key points, a tag table and a manifest
    AvatarBodies(AvatarBodies),
    /// Draw pairs of an anime character and a "photo" of its costume: DIR/{train,test}/{a,b}, and what is known about them
    AvatarCostumes(AvatarCostumes),
    /// Draw a messy folder as a crawl of the web gives it, and the truth about every file
    AvatarCrawl(AvatarCrawl),
    /// Cut the faces out of a folder of pictures
    Faces(CropFaces),
    /// Write a tag table of a folder of faces: what a network reads, as probabilities
    Label(Label),
    /// Make a data set of a game's textures: join colours and opacity, put pieces together, trim, bring to size
    GameArt(Box<super::art::Args>),
    /// Gather what local folders hold: every file that is no whole picture is listed with the reason
    Gather(super::clothing::GatherArgs),
    /// Find out which pictures are pairs: label those that are asked for, let a classifier learn, and filter all of them
    ClassifyPairs(Box<super::classify::Args>),
    /// Train a detector of characters and clothing, or of anything else, from boxes
    TrainDetector(super::learned::TrainDetector),
    /// Find boxes in pictures with a trained detector; boxes.jsonl is for `tachie data crop-pairs`
    Detect(super::learned::Detect),
    /// Cut a character and its clothing out of each picture, by the boxes of any detector
    CropPairs(super::clothing::CropArgs),
    /// Find near-duplicates by colour, brightness and contrast, keep the best of each group, and divide the groups
    Dedupe(Box<super::clothing::DedupeArgs>),
    /// Train a small network that doubles pictures, on pictures that are sharp
    TrainUpscaler(super::learned::TrainUpscaler),
    /// Make pictures larger, by a trained network or by Lanczos
    Upscale(super::learned::Upscale),
    /// Bring pictures to a canvas, with their mirrored and blurred image beside them
    Pad(super::clothing::PadArgs),
    /// Train a small network that reads the 24 key points of clothing
    TrainKeypoints(super::learned::TrainKeypoints),
    /// Read the key points of clothing with a trained network; keypoints.jsonl is for `tachie data calibrate`
    Keypoints(super::learned::Keypoints),
    /// Cut pictures about the centre of their clothing
    Calibrate(super::clothing::CalibrateArgs),
    /// Write the table and the manifest of a data set of pairs, and check all of them
    Pairs(Box<super::clothing::PairsArgs>),
    /// Read a data set and print what was found, and what was wrong with its files
    Check(Check),
    /// Pack a data set into one file, which opens at once whatever its size
    Pack(Pack),
    /// Read key points of other programs (OpenPose, PG2, PATN), check them, and write them as JSON lines
    Poses(Box<super::poses::Args>),
    /// Look through a folder of pictures on a contact sheet, and copy what is kept; nothing is deleted
    Review(Box<super::review::Args>),
}

#[derive(Debug, clap::Args)]
struct AvatarFaces {
    /// Number of faces
    #[arg(long, value_name = "N")]
    count: usize,
    /// Side in pixels
    #[arg(long, value_name = "S", default_value_t = 64)]
    size: u32,
    /// What all faces are drawn from
    #[arg(long, value_name = "K", default_value_t = 0)]
    seed: u64,
    /// How often each attribute occurs
    #[arg(long, value_enum, default_value = "uniform")]
    sampler: Sampler,
    /// One more label, the year of release from 0 to 1, which the drawing style follows
    #[arg(long)]
    years: bool,
    /// New or empty folder
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

#[derive(Debug, clap::Args)]
struct AvatarBodies {
    /// Number of characters
    #[arg(long, value_name = "N", default_value_t = 79)]
    costumes: usize,
    /// Number of poses of each, cut from clips of 25
    #[arg(long, value_name = "N", default_value_t = 600)]
    poses: usize,
    /// Side in pixels
    #[arg(long, value_name = "S", default_value_t = 64)]
    size: u32,
    /// What all characters and clips are drawn from
    #[arg(long, value_name = "K", default_value_t = 0)]
    seed: u64,
    /// Draw every pose as well, as white limbs on black
    #[arg(long)]
    pose_pictures: bool,
    /// New or empty folder, or one that the same settings have begun
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

#[derive(Debug, clap::Args)]
struct AvatarCostumes {
    /// Number of pairs
    #[arg(long, value_name = "N", default_value_t = 2000)]
    count: usize,
    /// Pairs of each costume; a costume is in one part only
    #[arg(long, value_name = "N", default_value_t = 4)]
    views: usize,
    /// Side in pixels
    #[arg(long, value_name = "S", default_value_t = 64)]
    size: u32,
    /// What all pairs are drawn from
    #[arg(long, value_name = "K", default_value_t = 0)]
    seed: u64,
    /// Leave the clothing anywhere in the photo, and of any size, as before calibration
    #[arg(long)]
    uncalibrated: bool,
    /// Write as well where one sees clothing, as masks
    #[arg(long)]
    masks: bool,
    /// New or empty folder, or one that the same settings have begun
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

#[derive(Debug, clap::Args)]
struct AvatarCrawl {
    /// Number of files
    #[arg(long, value_name = "N", default_value_t = 2000)]
    files: usize,
    /// What everything is drawn from
    #[arg(long, value_name = "K", default_value_t = 0)]
    seed: u64,
    /// Smallest longer side of a picture in pixels
    #[arg(long, value_name = "S", default_value_t = 300)]
    min_side: u32,
    /// Largest longer side
    #[arg(long, value_name = "S", default_value_t = 1200)]
    max_side: u32,
    /// New or empty folder, or one that the same settings have begun
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Sampler {
    /// The paper's rule: colours equally likely, everything else with probability 0.25
    Uniform,
    /// As often as the make.girls.moe site draws them
    Frequencies,
}

#[derive(Debug, clap::Args)]
struct CropFaces {
    /// Cascade of the face detector (lbpcascade_animeface.xml)
    #[arg(long, value_name = "XML")]
    cascade: PathBuf,
    /// Folder of pictures, with its sub-folders
    #[arg(long = "in", value_name = "DIR")]
    input: PathBuf,
    /// Folder of the crops; what is there already is not overwritten
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Whose crops
    #[arg(long = "box", value_enum, default_value = "make-girls")]
    bounds: Bounds,
    /// Side of a crop in sides of the found box [default: 1.5; report: 2.2]
    #[arg(long, value_name = "X")]
    zoom: Option<f64>,
    /// Leave out crops with fewer pixels a side [default: 42; report: 1]
    #[arg(long, value_name = "PIXELS")]
    min_side: Option<u32>,
    /// Bring the crops to this side, white beside those that are no squares [default: as they are]
    #[arg(long, value_name = "PIXELS")]
    size: Option<u32>,
    /// Fill what is outside a picture with white instead of leaving the face out or cutting it off
    #[arg(long, conflicts_with = "faithful")]
    pad: bool,
    /// With `--box report`: keep crops at the edges square by moving them into the picture, as the report's program
    #[arg(long)]
    faithful: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, clap::ValueEnum)]
enum Bounds {
    /// 1.5 times the found box; faces whose box leaves the picture are left out
    MakeGirls,
    /// The HKUST report's: 2.2 times, from 0.6 to the left and above; what leaves the picture is cut off
    Report,
}

#[derive(Debug, clap::Args)]
struct Check {
    /// Manifest of the data set, a folder that holds a dataset.toml, or a packed store
    manifest: PathBuf,
    /// Also say of each label how far it can be relied upon: what a network reads against the labels of the data set
    #[arg(long)]
    reliability: bool,
    /// With `--reliability`: weights of a tagger; without it the built-in one
    #[arg(long, value_name = "FILE", requires = "reliability")]
    network: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
struct Label {
    /// Folder of faces, with its sub-folders
    #[arg(long = "in", value_name = "DIR")]
    input: PathBuf,
    /// The CSV file to write; an existing one is replaced
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Weights of a tagger; without it the built-in one, which has learned from drawn faces
    #[arg(long, value_name = "FILE")]
    network: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
struct Pack {
    /// Manifest of the data set, or a folder that holds a dataset.toml
    manifest: PathBuf,
    /// The new file
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// Runs the command.
pub fn run(args: Args) -> Result<()> {
    match args.command {
        Command::AvatarFaces(args) => avatar_faces(&args),
        Command::AvatarBodies(args) => avatar_bodies(&args),
        Command::AvatarCostumes(args) => avatar_costumes(&args),
        Command::AvatarCrawl(args) => avatar_crawl(&args),
        Command::Faces(args) => crop_faces(&args),
        Command::Check(args) => check(&args),
        Command::Label(args) => label(&args),
        Command::GameArt(args) => super::art::run(&args),
        Command::Gather(args) => super::clothing::run_gather(&args),
        Command::ClassifyPairs(args) => super::classify::run(&args),
        Command::TrainDetector(args) => super::learned::run_train_detector(&args),
        Command::Detect(args) => super::learned::run_detect(&args),
        Command::CropPairs(args) => super::clothing::run_crop(&args),
        Command::Dedupe(args) => super::clothing::run_dedupe(&args),
        Command::TrainUpscaler(args) => super::learned::run_train_upscaler(&args),
        Command::Upscale(args) => super::learned::run_upscale(&args),
        Command::Pad(args) => super::clothing::run_pad(&args),
        Command::TrainKeypoints(args) => super::learned::run_train_keypoints(&args),
        Command::Keypoints(args) => super::learned::run_keypoints(&args),
        Command::Calibrate(args) => super::clothing::run_calibrate(&args),
        Command::Pairs(args) => super::clothing::run_pairs(&args),
        Command::Poses(args) => super::poses::run(&args),
        Command::Review(args) => super::review::run(&args),
        Command::Pack(args) => {
            println!("{}: {}", args.out.display(), pack(&args.manifest, &args.out)?);
            Ok(())
        }
    }
}

fn avatar_faces(args: &AvatarFaces) -> Result<()> {
    let sampler = match args.sampler {
        Sampler::Uniform => TagSampler::Uniform,
        Sampler::Frequencies => TagSampler::Frequencies,
    };
    let faces = Avatar::faces().size(args.size).seed(Seed(args.seed)).sampler(sampler);
    let faces = if args.years { faces.years() } else { faces };
    let manifest = faces.write_folder(args.count, &args.out)?;
    let (count, size, tags) = (args.count, args.size, faces.tags()?.len());
    println!("{}: {count} faces of {size}x{size}, {tags} tags", manifest.display());
    Ok(())
}

fn avatar_bodies(args: &AvatarBodies) -> Result<()> {
    let bodies = Avatar::bodies().size(args.size).seed(Seed(args.seed)).costumes(args.costumes).poses(args.poses);
    let written = bodies.write_folder(&args.out, args.pose_pictures)?;
    let kept = match written.kept {
        0 => String::new(),
        kept => format!(", {kept} of them drawn before"),
    };
    let (count, size, manifest) = (bodies.len(), args.size, written.manifest.display());
    println!("{manifest}: {count} bodies of {size}x{size}{kept}");
    Ok(())
}

fn avatar_costumes(args: &AvatarCostumes) -> Result<()> {
    let costumes = Avatar::costumes().size(args.size).seed(Seed(args.seed)).count(args.count).views(args.views);
    let costumes = costumes.calibrated(!args.uncalibrated);
    let written = costumes.write_folder(&args.out, args.masks)?;
    let (size, worn, truth) = (args.size, costumes.costumes(), written.truth.display());
    println!(
        "{truth}: {} pairs of {size}x{size}, {worn} costumes; train {}, test {}",
        args.count, written.train, written.test
    );
    Ok(())
}

fn avatar_crawl(args: &AvatarCrawl) -> Result<()> {
    let crawl = Avatar::crawl().files(args.files).seed(Seed(args.seed)).sides(args.min_side..=args.max_side);
    let truth = crawl.write(&args.out)?;
    let count = |is: fn(&FileTruth) -> bool| truth.iter().filter(|file| is(file)).count();
    let (pairs, copies) = (count(|file| file.kind == Kind::Pair), count(|file| file.duplicate.is_some()));
    let broken = count(|file| !file.is_readable());
    let place = args.out.join(TRUTH);
    println!("{}: {} files; {pairs} pairs, {copies} near duplicates, {broken} broken", place.display(), truth.len());
    Ok(())
}

fn crop_faces(args: &CropFaces) -> Result<()> {
    let cascade = Cascade::open(&args.cascade)?;
    let usual = match args.bounds {
        Bounds::Report => CropOptions::report(args.faithful),
        Bounds::MakeGirls if args.faithful => {
            return Err(Error::invalid("--faithful", "--box make-girls", "--box report", ""));
        }
        Bounds::MakeGirls => CropOptions::default(),
    };
    let (zoom, min_side) = (args.zoom.unwrap_or(usual.zoom), args.min_side.unwrap_or(usual.min_side));
    let outside = if args.pad { Outside::Pad } else { usual.outside };
    let options = CropOptions { zoom, min_side, size: args.size, outside, ..usual };
    println!("{}", crop_folder(&cascade, &args.input, &args.out, &options)?);
    Ok(())
}

fn tagger(weights: Option<&PathBuf>) -> Result<Tagger> {
    match weights {
        Some(path) => Tagger::load(path, &tachie::device()?),
        None => Tagger::builtin(),
    }
}

fn label(args: &Label) -> Result<()> {
    let report = label_folder(&args.input, &args.out, &tagger(args.network.as_ref())?)?;
    println!("{}: {report}", args.out.display());
    Ok(())
}

fn check(args: &Check) -> Result<()> {
    let dataset = Dataset::open(&args.manifest)?;
    println!("{dataset}");
    let [train, validation, test] = [dataset.train(), dataset.validation(), dataset.test()].map(|part| part.len());
    println!("train {train}, validation {validation}, test {test}");
    println!("fingerprint {}", dataset.fingerprint());
    if !dataset.tags().is_empty() {
        println!("\n{}", dataset.tag_table());
    }
    println!("\n{}", dataset.report());
    if args.reliability {
        println!("\n{}", tagger(args.network.as_ref())?.reliability(&dataset)?.table()?.md());
    }
    Ok(())
}
