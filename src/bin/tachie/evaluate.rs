//! `tachie evaluate`: metrics of two folders of pictures, or of two sets of features.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Value, json};
use tachie::candle_core::{Device, Tensor};
use tachie::metrics::evaluate::{Evaluation, Folder, Measured, Metric, NetworkCard, Pairs, Pictures, Results, Row};
use tachie::metrics::nets::extractor::{self, Extractor};
use tachie::metrics::nets::inception::Tap;
use tachie::metrics::nets::lpips::Lpips;
use tachie::metrics::nets::resize::Protocol;
use tachie::rng::Seed;
use tachie::weights::npz;
use tachie::{Error, Result};

/// File names that are printed of those without a counterpart.
const LISTED: usize = 20;

/// Judge generated pictures against real ones
///
/// Pictures of a folder and its sub-folders are compared as sets (fid, kid, precision-recall, …), or pair by pair
/// (psnr, ssim, lpips, …) where their names without extension are the same.
///
/// The JSON file has {"metrics": {NAME: {"metric", "value", "n", "references", "spread", "best", "protocol",
/// "warnings", "network"}}, "real", "fake", "features": {"name", "hash", "resize", "dims"}, "unmatched", "warnings",
/// "notes"}. NAME is the name of the metric; precision-recall gives precision and recall, density-coverage density and
/// coverage, memorisation authenticity, swd one more for each size. The spread is {"deviation"}, {"error"}, {"range"} or
/// {"interval": {"low", "high"}}. A value that is not finite is a text: the PSNR of
/// equal pictures is "inf" (pairs that are equal beside others that are not are counted in its warnings).
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Folder of real pictures
    #[arg(long, value_name = "DIR", requires = "fake", required_unless_present = "features_real")]
    real: Option<PathBuf>,
    /// Folder of generated pictures
    #[arg(long, value_name = "DIR", requires = "real")]
    fake: Option<PathBuf>,
    /// Features of real pictures in place of a folder: an npz file with an array "features" [N, D]
    #[arg(long, value_name = "NPZ", requires = "features_fake", conflicts_with = "real")]
    features_real: Option<PathBuf>,
    /// Features of generated pictures
    #[arg(long, value_name = "NPZ", requires = "features_real")]
    features_fake: Option<PathBuf>,
    /// What to measure, with commas between: fid, fid-infinity, kid, precision-recall, density-coverage,
    /// inception-score, swd, sharpness, diversity, memorisation, attribute-precision; of pairs psnr, ssim, ms-ssim, lpips,
    /// perceptual
    #[arg(long, value_name = "NAMES", value_delimiter = ',', default_value = "fid,kid,precision-recall")]
    metrics: Vec<String>,
    /// The network of features: tagger (built in), or inception:FILE or i2v:FILE with weights that `tachie import
    /// torch` has written
    #[arg(long, value_name = "NETWORK", default_value = "tagger")]
    features: String,
    /// How pictures come to Inception's size: tensorflow, pytorch or clean
    #[arg(long, value_name = "NAME", default_value = "clean", value_parser = |name: &str| Protocol::named(name))]
    protocol: Protocol,
    /// Where Inception's features are taken: 64, 192, 768 or 2048 of them
    #[arg(long, value_name = "DIMS", default_value = "2048", value_parser = |dims: &str| Tap::named(dims))]
    tap: Tap,
    /// Leave out pictures without a counterpart of the same name for all metrics, not only for those of pairs
    #[arg(long, requires = "real")]
    pairs: bool,
    /// Trunk of lpips, as `tachie import torch` has written it (alexnet, vgg16 or squeezenet)
    #[arg(long, value_name = "FILE", requires = "lpips_heads")]
    lpips_trunk: Option<PathBuf>,
    /// The heads that belong to it (lpips-alex, lpips-vgg or lpips-squeeze)
    #[arg(long, value_name = "FILE", requires = "lpips_trunk")]
    lpips_heads: Option<PathBuf>,
    /// Seed of subsets, pairs and directions [default: the published one of each metric]
    #[arg(long)]
    seed: Option<u64>,
    /// Processor: cpu, cuda or cuda:N [default: a GPU where there is one]
    #[arg(long, value_name = "NAME")]
    device: Option<String>,
    /// Keep features and results in this folder, and use what is there
    #[arg(long, value_name = "DIR")]
    cache: Option<PathBuf>,
    /// Say nothing about the work
    #[arg(long)]
    quiet: bool,
    /// Write everything as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write one row per number as CSV
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    /// Write the table as Markdown
    #[arg(long, value_name = "FILE")]
    md: Option<PathBuf>,
    /// Write the table as LaTeX
    #[arg(long, value_name = "FILE")]
    tex: Option<PathBuf>,
}

/// What was measured, and what the files say beside it.
struct Report {
    results: Results,
    about: Value,
}

/// Runs the command.
///
/// # Errors
/// When the pictures, the network or a metric cannot be used.
pub fn run(args: Args) -> Result<()> {
    let report = match (&args.features_real, &args.features_fake, &args.real, &args.fake) {
        (Some(real), Some(fake), ..) => of_features(&args, real, fake)?,
        (_, _, Some(real), Some(fake)) => of_folders(&args, real, fake)?,
        _ => return Err(Error::invalid("tachie evaluate", "one set", "--real and --fake", "")),
    };
    println!("{:?}", report.results);
    report.write(&args)
}

fn of_features(args: &Args, real: &Path, fake: &Path) -> Result<Report> {
    let metrics = metrics(args, &Device::Cpu)?;
    let (first, second) = (array(real)?, array(fake)?);
    let mut measured = Vec::new();
    for metric in &metrics {
        measured.extend(metric.of_features(&first, &second)?.into_iter().map(Measured::of));
    }
    let about = |path: &Path, tensor: &Tensor| json!({ "path": path, "pictures": tensor.dims()[0] });
    let features = json!({ "name": "given", "hash": null, "resize": null, "dims": first.dims()[1] });
    let about = json!({ "real": about(real, &first), "fake": about(fake, &second), "features": features });
    let (split, model) = (real.display().to_string(), fake.display().to_string());
    let row = Row { split, model, pictures: second.dims()[0], measured };
    Ok(Report { results: Results::of(vec![row]), about })
}

/// The array `features` of an npz file.
fn array(path: &Path) -> Result<Tensor> {
    let mut arrays = npz::read_exact(path)?;
    let names: Vec<String> = arrays.keys().cloned().collect();
    match arrays.remove("features") {
        Some(features) if features.rank() == 2 => Ok(features),
        Some(other) => Err(Error::file(path, format!("features of shape {:?}", other.dims()), "an array [N, D]", "")),
        None => {
            let hint = "Write it by `numpy.savez(file, features=array)`.";
            Err(Error::file(path, format!("arrays {}", names.join(", ")), "an array \"features\" [N, D]", hint))
        }
    }
}

fn of_folders(args: &Args, real: &Path, fake: &Path) -> Result<Report> {
    let device = args.device.as_deref().map_or_else(tachie::device, tachie::device::named)?;
    let (of_pairs, of_sets): (Vec<Metric>, Vec<Metric>) =
        metrics(args, &device)?.into_iter().partition(Metric::of_pairs);
    let (real, fake) = (Folder::open(real)?, Folder::open(fake)?);
    let network: Option<Arc<dyn Extractor>> = match of_sets.iter().chain(&of_pairs).any(Metric::of_network) {
        true => Some(extractor::named(&args.features, args.protocol, args.tap, &device)?.into()),
        false => None,
    };
    let pairs = (args.pairs || !of_pairs.is_empty()).then(|| Folder::pairs(&real, &fake)).transpose()?;
    let settled = |evaluation: Evaluation| {
        let evaluation = network.iter().fold(evaluation, |evaluation, network| evaluation.shared_network(network));
        let evaluation = args.cache.iter().fold(evaluation, |evaluation, folder| evaluation.keep_in(folder));
        if args.quiet { evaluation.quiet() } else { evaluation.lines(|line| eprintln!("{line}")) }
    };
    let mut results = Results::of(vec![]);
    if !of_sets.is_empty() {
        let evaluation = match pairs.as_ref().filter(|_| args.pairs) {
            Some(pairs) => Evaluation::on(&pairs.real).model(fake.name(), &pairs.fake),
            None => Evaluation::on(&real).model(fake.name(), &fake),
        };
        results.merge(settled(evaluation.metrics(of_sets)).run()?);
    }
    if let Some(pairs) = pairs.as_ref().filter(|_| !of_pairs.is_empty()) {
        let evaluation = Evaluation::on(&pairs.real).model(fake.name(), &pairs.fake);
        results.merge(settled(evaluation.metrics(of_pairs)).run()?);
    }
    if let Some(pairs) = &pairs {
        list(&real, &pairs.only_real);
        list(&fake, &pairs.only_fake);
        results.notes.extend(unmatched(pairs));
    }
    let features = network.map(|network| NetworkCard::of(network.as_ref()).json());
    let about = |folder: &Folder| json!({ "path": folder.path(), "pictures": folder.len() });
    let unmatched = pairs.map(|pairs| json!({ "real": pairs.only_real, "fake": pairs.only_fake }));
    let about = json!({ "real": about(&real), "fake": about(&fake), "features": features, "unmatched": unmatched });
    Ok(Report { results, about })
}

fn metrics(args: &Args, device: &Device) -> Result<Vec<Metric>> {
    let metric = |name: &String| match (name.trim(), &args.lpips_trunk, &args.lpips_heads) {
        ("lpips", Some(trunk), Some(heads)) => Ok(Metric::lpips(Lpips::open_files(trunk, heads, device)?)),
        (name, ..) => Metric::named(name),
    };
    let metrics = args.metrics.iter().map(metric).collect::<Result<Vec<_>>>()?;
    Ok(match args.seed {
        Some(seed) => metrics.into_iter().map(|metric| metric.seeded(Seed(seed))).collect(),
        None => metrics,
    })
}

fn unmatched(pairs: &Pairs) -> Option<String> {
    let (real, fake) = (pairs.only_real.len(), pairs.only_fake.len());
    let matched = pairs.real.len();
    (real + fake > 0).then(|| format!("{matched} pairs; without a counterpart: {real} real, {fake} generated pictures"))
}

/// Names on standard error the files of a folder that have no counterpart.
fn list(folder: &Folder, names: &[String]) {
    for name in names.iter().take(LISTED) {
        eprintln!("no counterpart: {}", folder.path().join(name).display());
    }
    if names.len() > LISTED {
        eprintln!("no counterpart: {} more in {}", names.len() - LISTED, folder.path().display());
    }
}

impl Report {
    fn write(&self, args: &Args) -> Result<()> {
        if let Some(path) = &args.csv {
            self.results.long_table()?.save(path)?;
        }
        for path in [&args.md, &args.tex].into_iter().flatten() {
            self.results.save(path)?;
        }
        let Some(path) = &args.json else { return Ok(()) };
        let mut report = self.about.clone();
        let metrics = self.results.rows.first().map_or_else(|| json!({}), Row::json);
        let (warnings, notes) = (self.results.warnings(), &self.results.notes);
        for (key, value) in [
            ("metrics", metrics),
            ("warnings", json!(warnings)),
            ("notes", json!(notes)),
            ("tachie", json!(env!("CARGO_PKG_VERSION"))),
        ] {
            report[key] = value;
        }
        let text = format!("{report:#}\n");
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder).map_err(|e| Error::io("create the folder", folder, e))?;
        }
        std::fs::write(path, text).map_err(|e| Error::io("write the results", path, e))
    }
}
