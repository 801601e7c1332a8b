//! `tachie train <model>`: a run from the command line.

use std::io::Write;
use std::path::PathBuf;

use tachie::data::dataset::Dataset;
use tachie::data::poses::person;
use tachie::metrics::evaluate::BestByKid;
use tachie::models::catalogue;
use tachie::rng::Seed;
use tachie::train::plan::{Intervals, Mark, Precision};
use tachie::train::progress::Progress;
use tachie::train::trainer::{Options, Trainer};
use tachie::{Error, Result};

/// Train a model on a data set, or go on with a run.
///
/// A run is a folder. When it holds a run of the same configuration and data, that run goes on from its last
/// checkpoint. To end a training early, put a file named STOP into the folder.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Name of the model in the catalogue (make-girls, dcgan, psgan, progan, pg2, stylegan, anime2clothing, pix2pix,
    /// pix2pixhd, pldt, animegan, stgan, attgan, stargan, fadernet, icgan)
    model: String,
    /// Manifest of the data set
    #[arg(long, value_name = "MANIFEST")]
    data: PathBuf,
    /// Configuration of the model: paper, tiny or another of its presets
    #[arg(long, default_value = "paper")]
    preset: String,
    /// Run folder
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Train up to this step of the run [default: the model's plan]
    #[arg(long, value_name = "N", group = "length")]
    steps: Option<u64>,
    /// Train until the run has shown so many thousand images
    #[arg(long, value_name = "X", group = "length")]
    kimg: Option<f64>,
    /// Train for so many minutes from now
    #[arg(long, value_name = "M", group = "length")]
    minutes: Option<f64>,
    /// Seed of everything random
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Images per batch [default: the model's plan]
    #[arg(long)]
    batch: Option<usize>,
    /// What networks compute in: f32, or bf16 on a GPU (mixed precision) [default: the model's plan]
    #[arg(long, value_name = "TYPE")]
    precision: Option<Precision>,
    /// Mirror pictures left to right at random
    #[arg(long)]
    flip: bool,
    /// Train on all pictures, not only on those of the training split
    #[arg(long)]
    all: bool,
    /// Train on so many pairs of pictures of one person, drawn at random, for models that translate (pg2). The person is what
    /// file names begin with: everything up to the first `_`, `-` or `/`, or DeepFashion's number
    #[arg(long, value_name = "N")]
    pairs: Option<usize>,
    /// Threads that load pictures ahead of time
    #[arg(long, default_value_t = 1)]
    loaders: usize,
    /// Steps between two previews [default: the model's plan]
    #[arg(long, value_name = "N")]
    preview_every: Option<u64>,
    /// Steps between two checkpoints [default: the model's plan]
    #[arg(long, value_name = "N")]
    checkpoint_every: Option<u64>,
    /// Steps between two checkpoints that are never removed, to be measured afterwards [default: only the newest two
    /// stay]
    #[arg(long, value_name = "N")]
    keep_every: Option<u64>,
    /// Measures the running average by KID (built-in network) against the pictures it is trained on, whenever so many
    /// thousand were shown, and keeps the best weights as best.safetensors in the run folder
    #[arg(long, value_name = "KIMG", conflicts_with = "minutes")]
    keep_best_by_kid: Option<f64>,
    /// Pictures that are compared for it
    #[arg(long, value_name = "N", default_value_t = 1_000, requires = "keep_best_by_kid")]
    best_samples: usize,
}

/// Runs the command.
///
/// # Errors
/// When the model, the data set or the folder cannot be used, or training diverges.
pub fn run(args: Args) -> Result<()> {
    if let Some(kimg) = args.kimg.filter(|kimg| !(kimg.is_finite() && *kimg >= 0.0)) {
        return Err(Error::invalid("--kimg", kimg.to_string(), "a number that is not negative", ""));
    }
    if let Some(kimg) = args.keep_best_by_kid.filter(|kimg| !(kimg.is_finite() && *kimg >= 0.001)) {
        return Err(Error::invalid("--keep-best-by-kid", kimg.to_string(), "thousands of pictures, 0.001 or more", ""));
    }
    let preset = catalogue::find(&args.model)?.preset(&args.preset)?;
    let dataset = Dataset::open(&args.data)?;
    let dataset = if args.all { dataset } else { dataset.train() };
    let dataset = match args.pairs {
        Some(n) => dataset.pairs(n, Seed(args.seed), |name| person(name).to_string())?,
        None => dataset,
    };
    let mut run = preset.train_on(&dataset, &args.out, options(&args, preset.recipe.plan().intervals))?;
    let progress = match args.keep_best_by_kid {
        Some(kimg) => train_for_the_best(&mut run, &args, &dataset, kimg)?,
        None => train(&mut run, &args)?,
    };
    // Whoever closed standard output early has read enough.
    let _ = writeln!(std::io::stdout(), "{progress:?}");
    Ok(())
}

fn options(args: &Args, intervals: Intervals) -> Options {
    let Intervals { history, preview, checkpoint } = intervals;
    let intervals = Intervals {
        history,
        preview: args.preview_every.unwrap_or(preview),
        checkpoint: args.checkpoint_every.unwrap_or(checkpoint),
    };
    let options = Options::default().seed(Seed(args.seed)).flip(args.flip).threads(args.loaders).intervals(intervals);
    Options { batch: args.batch, precision: args.precision, keep_every: args.keep_every, ..options }
}

fn train(run: &mut Trainer, args: &Args) -> Result<Progress> {
    match (args.steps, args.kimg, args.minutes) {
        (Some(steps), _, _) => run.until(Mark::Steps(steps)),
        (_, Some(kimg), _) => run.until(Mark::kimg(kimg)),
        (_, _, Some(minutes)) => run.minutes(minutes),
        _ => run.finish(),
    }
}

/// Trains, measures on the way, and says which step is the best.
fn train_for_the_best(run: &mut Trainer, args: &Args, dataset: &Dataset, kimg: f64) -> Result<Progress> {
    let best = BestByKid::against(dataset)?.every((kimg * 1000.0).round() as u64).samples(args.best_samples);
    let until = match (args.steps, args.kimg, run.plan().stages.last()) {
        (Some(steps), ..) => Mark::Steps(steps),
        (_, Some(kimg), _) => Mark::kimg(kimg),
        (.., Some(stage)) => stage.until,
        (.., None) => Mark::Steps(0),
    };
    let (progress, best) = best.train(run, until)?;
    let _ = writeln!(std::io::stdout(), "{best:?}: {}", best.weights().display());
    Ok(progress)
}
