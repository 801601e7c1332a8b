//! `tachie compare`: models of full bodies side by side, as the paper of PSGAN compares them.

use std::path::{Path, PathBuf};

use clap::Args as ClapArgs;
use tachie::candle_core::Device;
use tachie::data::dataset::Dataset;
use tachie::data::poses::person;
use tachie::metrics::evaluate::{Evaluation, Metric, Results};
use tachie::metrics::nets::pose_reader::{PoseReader, Training};
use tachie::models::baselines::pg2::Pg2;
use tachie::models::baselines::progan::Progan;
use tachie::models::psgan::Psgan;
use tachie::rng::Seed;
use tachie::{Error, Result};

/// Steps of the reader between two lines.
const TOLD: usize = 500;

/// Compare models of full bodies: PSGAN, Progressive GAN and PG2
///
/// Two tables, on test pictures of a data set with key points. Structure: FID, KID, and whether key points are where
/// they were asked for (PCK@0.1, mean distance in pixels), read off by a network that is first trained on the data set's
/// training pictures. Quality: FID and sharpness, and SSIM and mask-SSIM of PG2 against the true pictures, on pairs of one
/// person. What a model cannot be asked for is a dash.
#[derive(Debug, ClapArgs)]
pub struct Args {
    /// Manifest of a data set with key points
    #[arg(long, value_name = "MANIFEST")]
    data: PathBuf,
    /// Run folder of a PSGAN
    #[arg(long, value_name = "DIR")]
    psgan: PathBuf,
    /// Run folder of a Progressive GAN
    #[arg(long, value_name = "DIR")]
    progan: Option<PathBuf>,
    /// Run folder of a PG2
    #[arg(long, value_name = "DIR")]
    pg2: Option<PathBuf>,
    /// Test pictures, spread evenly over all
    #[arg(long, default_value_t = 500)]
    count: usize,
    /// Steps that the reader of key points is trained
    #[arg(long, value_name = "N", default_value_t = 3_000)]
    reader_steps: usize,
    /// Seed of latents, of pairs and of the reader
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Folder for structure and quality as .md, .csv and .tex
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// Runs the command.
///
/// # Errors
/// When the data set has no key points, a folder holds another model, or a file cannot be written.
pub fn run(args: Args) -> Result<()> {
    let (device, data) = (tachie::device()?, Dataset::open(&args.data)?);
    let psgan = Psgan::open_run(&args.psgan, &device)?.ema();
    let structure = structure(&args, &data, &psgan, &device)?;
    println!("Structure\n{structure:?}");
    let mut tables = vec![("structure", structure)];
    if let Some(path) = &args.pg2 {
        let quality = quality(&args, &data, &psgan, &Pg2::open_run(path, &device)?.ema())?;
        println!("Quality\n{quality:?}");
        tables.push(("quality", quality));
    }
    let Some(folder) = &args.out else { return Ok(()) };
    std::fs::create_dir_all(folder).map_err(|source| Error::io("make the folder", folder, source))?;
    tables.iter().try_for_each(|(name, results)| save(results, &folder.join(name)))
}

/// Some test pictures.
fn test(args: &Args, data: &Dataset) -> Result<Dataset> {
    let (test, count) = (data.test(), args.count.min(data.test().len()));
    test.subset(&(0..count).map(|i| i * test.len() / count).collect::<Vec<_>>())
}

fn structure(args: &Args, data: &Dataset, psgan: &Psgan, device: &Device) -> Result<Results> {
    println!("reading key points: training");
    let settings = Training { seed: Seed(args.seed), steps: args.reader_steps, ..Training::default() };
    let reader = PoseReader::train(&data.train(), &settings, |step, loss| {
        if step % TOLD == 0 {
            println!("  step {step} of {}: {loss:.4}", args.reader_steps);
        }
    })?;
    let test = test(args, data)?;
    let mut evaluation = Evaluation::on(&test).seed(Seed(args.seed)).metrics(Metric::structure(&reader));
    if let Some(path) = &args.progan {
        evaluation = evaluation.model("Progressive GAN", &Progan::open_run(path, device)?.ema());
    }
    evaluation.model("PSGAN", psgan).model("(real pictures)", &test).run()
}

fn quality(args: &Args, data: &Dataset, psgan: &Psgan, pg2: &Pg2) -> Result<Results> {
    let pairs = data.test().pairs(args.count, Seed(args.seed), |name| person(name).to_string())?;
    let evaluation = Evaluation::on(&pairs).seed(Seed(args.seed)).metrics(Metric::quality(pg2.config()));
    evaluation.model("PG2", pg2).model("PSGAN", psgan).model("(real pictures)", &pairs).run()
}

fn save(results: &Results, path: &Path) -> Result<()> {
    ["md", "csv", "tex"].iter().try_for_each(|extension| results.save(path.with_extension(extension)))
}
