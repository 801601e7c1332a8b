//! `tachie data train-detector|detect|train-upscaler|upscale|train-keypoints|keypoints`: the steps towards pairs of a
//! character and clothing that a small network does.

use std::path::PathBuf;

use tachie::data::Dataset;
use tachie::data::avatar::Avatar;
use tachie::data::prepare::clothing::boxes::Boxes;
use tachie::data::prepare::clothing::detector::{
    BOXES, Detector, Examples, Find, SsdConfig, Start, Training as DetectorTraining, detect_folder,
};
use tachie::data::prepare::clothing::keypoints::{
    KEYPOINTS, KeypointRegressor, Training as KeypointTraining, read_keypoints,
};
use tachie::data::prepare::clothing::upscale::{
    Training as UpscalerTraining, UpscaleOptions, Upscaler, pictures_of, upscale,
};
use tachie::rng::Seed;
use tachie::{Error, Result};

/// Steps between two lines that tell the loss.
const TOLD: usize = 100;
/// Side of the photos that key points are learned from, in pixels.
const PHOTO: u32 = 128;

/// Train a detector of characters and clothing, or of anything else, from boxes
///
/// It is an SSD: a small one for two cores, or SSD300 on VGG-16 as in the paper. A tenth of the pictures is for measuring.
#[derive(Debug, clap::Args)]
pub struct TrainDetector {
    /// Folder of pictures, with its sub-folders
    #[arg(long = "in", value_name = "DIR")]
    input: PathBuf,
    /// Their boxes: JSON lines (.jsonl) or COCO (.json), as `tachie data crop-pairs` reads them
    #[arg(long, value_name = "FILE")]
    boxes: PathBuf,
    /// The safetensors file to write; an existing one is replaced
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// The network
    #[arg(long, value_enum, default_value = "small")]
    preset: Preset,
    /// Weights to start from: torchvision's VGG-16 or SSD300 (.pth or .safetensors), for the preset `paper`
    #[arg(long, value_name = "FILE")]
    start: Option<PathBuf>,
    /// Steps of Adam
    #[arg(long, value_name = "N", default_value_t = DetectorTraining::default().steps)]
    steps: usize,
    /// Pictures per step
    #[arg(long, value_name = "N", default_value_t = DetectorTraining::default().batch)]
    batch: usize,
    /// Largest learning rate; 0.0001 for the preset `paper`, 0.002 for the small one unless given
    #[arg(long, value_name = "RATE")]
    rate: Option<f64>,
    /// Share of the pictures that are for measuring
    #[arg(long, value_name = "SHARE", default_value_t = 0.1)]
    measured: f64,
    /// Of the weights at the start, the division, the order of the pictures and their changes
    #[arg(long, value_name = "K", default_value_t = 0)]
    seed: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, clap::ValueEnum)]
enum Preset {
    /// 128 pixels, 2,046 default boxes
    Small,
    /// SSD300 on VGG-16, 8,732 default boxes
    Paper,
}

/// Find boxes in pictures with a trained detector; boxes.jsonl is for `tachie data crop-pairs`
#[derive(Debug, clap::Args)]
pub struct Detect {
    /// Folder of pictures, with its sub-folders
    #[arg(long = "in", value_name = "DIR")]
    input: PathBuf,
    /// What `tachie data train-detector` has written
    #[arg(long, value_name = "FILE")]
    network: PathBuf,
    /// New or empty folder, or one that the same settings have begun
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Lowest probability of a box
    #[arg(long, value_name = "0-1", default_value_t = Find::default().score)]
    score: f64,
    /// Boxes of a picture, at most
    #[arg(long, value_name = "N", default_value_t = Find::default().most)]
    most: usize,
}

/// Train a small network that doubles pictures, on pictures that are sharp
#[derive(Debug, clap::Args)]
pub struct TrainUpscaler {
    /// Folder of pictures, with its sub-folders
    #[arg(long = "in", value_name = "DIR")]
    input: PathBuf,
    /// The safetensors file to write; an existing one is replaced
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Pictures to learn from, at most
    #[arg(long, value_name = "N", default_value_t = 200)]
    count: usize,
    /// Steps of Adam
    #[arg(long, value_name = "N", default_value_t = UpscalerTraining::default().steps)]
    steps: usize,
    /// Of the weights at the start, the choice of the pictures and of their parts
    #[arg(long, value_name = "K", default_value_t = 0)]
    seed: u64,
}

/// Make pictures larger, by a trained network or by Lanczos
#[derive(Debug, clap::Args)]
pub struct Upscale {
    /// Folder of pictures, with its sub-folders
    #[arg(long = "in", value_name = "DIR")]
    input: PathBuf,
    /// New or empty folder, or one that the same settings have begun
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// What `tachie data train-upscaler` has written; Lanczos without it
    #[arg(long, value_name = "FILE")]
    network: Option<PathBuf>,
    /// Bring the longer side of smaller pictures to so many pixels, and leave others as they are; without it every picture is
    /// doubled
    #[arg(long, value_name = "PIXELS")]
    side: Option<u32>,
}

/// Train a small network that reads the 24 key points of clothing
#[derive(Debug, clap::Args)]
pub struct TrainKeypoints {
    /// Manifest of photos with key points; drawn costumes without it
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,
    /// Number of drawn costumes
    #[arg(long, value_name = "N", default_value_t = 3_000)]
    count: usize,
    /// The safetensors file to write; an existing one is replaced
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Steps of Adam
    #[arg(long, value_name = "N", default_value_t = KeypointTraining::clothing().steps)]
    steps: usize,
    /// Of the weights at the start, the drawn costumes, the order of the pictures and their changes
    #[arg(long, value_name = "K", default_value_t = 0)]
    seed: u64,
}

/// Read the key points of clothing with a trained network; keypoints.jsonl is for `tachie data calibrate`
#[derive(Debug, clap::Args)]
pub struct Keypoints {
    /// Folder of pictures, with its sub-folders
    #[arg(long = "in", value_name = "DIR")]
    input: PathBuf,
    /// What `tachie data train-keypoints` has written
    #[arg(long, value_name = "FILE")]
    network: PathBuf,
    /// New or empty folder, or one that the same settings have begun
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

fn told(steps: usize) -> impl FnMut(usize, f64) {
    move |step, loss| {
        if step.is_multiple_of(TOLD) || step == steps {
            println!("  step {step} of {steps}: {loss:.5}");
        }
    }
}

/// Runs `tachie data train-detector`.
pub fn run_train_detector(args: &TrainDetector) -> Result<()> {
    if !(0.0..1.0).contains(&args.measured) {
        return Err(Error::invalid("--measured", args.measured.to_string(), "a share from 0 to below 1", ""));
    }
    let (config, rate) = match args.preset {
        Preset::Small => (SsdConfig::small(), DetectorTraining::default().rate),
        Preset::Paper => (SsdConfig::paper(), 1e-4),
    };
    let start = args.start.as_ref().map(Start::open).transpose()?;
    let examples = Examples::open(&args.input, &Boxes::open(&args.boxes)?, config.size)?;
    println!("{} pictures, classes: {}", examples.len(), examples.classes().join(", "));
    println!("{}", examples.report());
    let seed = Seed(args.seed);
    let [learned, measured] = examples.split(args.measured, seed);
    let training = DetectorTraining { seed, steps: args.steps, batch: args.batch, rate: args.rate.unwrap_or(rate) };
    let device = tachie::device()?;
    let detector = Detector::train(&learned, &config, &training, start.as_ref(), &device, told(args.steps))?;
    detector.save(&args.out)?;
    for accuracy in detector.accuracy(&measured, &Find::default())? {
        println!("unseen pictures, {accuracy}");
    }
    println!("{}", args.out.display());
    Ok(())
}

/// Runs `tachie data detect`.
pub fn run_detect(args: &Detect) -> Result<()> {
    let detector = Detector::open(&args.network, &tachie::device()?)?;
    let find = Find { score: args.score, most: args.most, ..Find::default() };
    let (_, report) = detect_folder(&args.input, &args.out, &detector, &find)?;
    println!("{}", args.out.join(BOXES).display());
    println!("{report}");
    Ok(())
}

/// Runs `tachie data train-upscaler`.
pub fn run_train_upscaler(args: &TrainUpscaler) -> Result<()> {
    let seed = Seed(args.seed);
    let (pictures, report) = pictures_of(&args.input, args.count, seed)?;
    println!("{report}");
    let training = UpscalerTraining { seed, steps: args.steps, ..UpscalerTraining::default() };
    let upscaler = Upscaler::train(&pictures, &training, &tachie::device()?, told(args.steps))?;
    upscaler.save(&args.out)?;
    println!("{}\n{}", upscaler.quality(), args.out.display());
    Ok(())
}

/// Runs `tachie data upscale`.
pub fn run_upscale(args: &Upscale) -> Result<()> {
    let device = tachie::device()?;
    let network = args.network.as_ref().map(|path| Upscaler::open(path, &device)).transpose()?;
    if let Some(network) = &network {
        println!("{}", network.quality());
    }
    println!("{}", upscale(&args.input, &args.out, network.as_ref(), &UpscaleOptions { side: args.side })?);
    Ok(())
}

/// Runs `tachie data train-keypoints`.
pub fn run_train_keypoints(args: &TrainKeypoints) -> Result<()> {
    let seed = Seed(args.seed);
    let data = match &args.data {
        Some(path) => Dataset::open(path)?,
        None => Avatar::costumes().size(PHOTO).seed(seed).count(args.count).calibrated(false).dataset()?,
    };
    let training = KeypointTraining { seed, steps: args.steps, ..KeypointTraining::clothing() };
    let regressor = KeypointRegressor::train(&data.train(), &training, told(args.steps))?;
    regressor.save(&args.out)?;
    let test = data.test();
    let errors = regressor.centre_errors(&test)?;
    if !errors.is_empty() {
        let mean = errors.iter().sum::<f64>() / errors.len() as f64;
        let worst = errors.iter().copied().fold(0f64, f64::max);
        println!("{} unseen pictures: the centre is off by {:.2} % of the width", errors.len(), 100.0 * mean);
        println!("{:.2} % at worst", 100.0 * worst);
    }
    println!("{}", args.out.display());
    Ok(())
}

/// Runs `tachie data keypoints`.
pub fn run_keypoints(args: &Keypoints) -> Result<()> {
    let regressor = KeypointRegressor::open(&args.network)?;
    let (_, report) = read_keypoints(&args.input, &args.out, &regressor)?;
    println!("{}", args.out.join(KEYPOINTS).display());
    println!("{report}");
    Ok(())
}
