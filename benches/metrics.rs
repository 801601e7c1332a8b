//! Milliseconds of metrics beside the programs that everybody measures with:
//! `cargo bench --profile dev --bench metrics -- [--python PYTHON] [--threads N] [--rounds N] [--only TEXT] [--json FILE]`
//! (the development profile optimises, and shares the compiled dependencies).
//!
//! `PYTHON` is an interpreter with the packages of benches/pytorch/requirements.txt (benches/pytorch/metrics.py). Both
//! sides get the same numbers and take turns, round by round; printed are the medians over rounds of wall and processor
//! time, of the ratios of neighbours (below 1 tachie is faster), and what each side found.

#[allow(dead_code, reason = "a turn is as many runs as the case says")]
#[path = "common/options.rs"]
mod options;
#[path = "common/processor.rs"]
mod processor;
#[allow(dead_code, reason = "memory is not measured here")]
#[path = "common/report.rs"]
mod report;
#[path = "common/rival.rs"]
mod rival;
#[path = "common/stats.rs"]
mod stats;
#[path = "common/temporary.rs"]
mod temporary;
#[path = "common/timed.rs"]
mod timed;

use std::collections::BTreeMap;
use std::path::Path;

use clap::Parser;
use options::{Effort, Options};
use report::in_pool;
use rival::Rival;
use serde_json::json;
use tachie::candle_core::{DType, Device, Tensor};
use tachie::metrics::features::frechet::{frechet_distance, frechet_of_statistics};
use tachie::metrics::features::kid::Kid;
use tachie::metrics::features::precision_recall::precision_recall;
use tachie::metrics::features::tsne::Tsne;
use tachie::metrics::pictures::ms_ssim::MsSsim;
use tachie::metrics::pictures::psnr::psnr;
use tachie::metrics::pictures::sliced_wasserstein::SlicedWasserstein;
use tachie::metrics::pictures::ssim::Ssim;
use tachie::rng::seed;
use tachie::weights::safetensors;
use tachie::{Error, Result};
use timed::{Row, Time, Turn};

/// Seconds after which no further round of a row begins.
const MOST: f64 = 60.0;
/// Subsets of the kernel distance: a tenth of what is usual, which takes as long for each.
const SUBSETS: u32 = 10;

type Inputs = BTreeMap<String, Tensor>;

/// What is measured.
struct Case {
    name: &'static str,
    /// What benches/pytorch/metrics.py calls it.
    other: &'static str,
    /// The largest ratio to the other's time that is accepted.
    wanted: Option<f64>,
    /// Runs of a turn.
    runs: usize,
    inputs: fn() -> Result<Inputs>,
    ours: fn(&[&Tensor]) -> Result<f64>,
}

const CASES: [Case; 13] = [
    Case {
        name: "Fréchet distance, statistics of 2,048 features",
        other: "frechet of statistics",
        wanted: Some(0.5),
        runs: 1,
        inputs: moments,
        ours: |x| frechet_of_statistics((x[1], x[0]), (x[3], x[2])),
    },
    Case {
        name: "Fréchet distance, 2 × 5,000 × 2,048 features",
        other: "frechet of features",
        wanted: Some(0.5),
        runs: 1,
        inputs: || features(["first", "second"], DType::F64),
        ours: |x| frechet_distance(x[0], x[1]),
    },
    Case {
        name: "t-SNE, 1,500 × 64",
        other: "tsne",
        wanted: Some(1.0),
        runs: 1,
        inputs: || clusters(1_500, 64),
        ours: |x| Ok(Tsne::new().fit(x[0])?.kl_divergence),
    },
    Case {
        name: "t-SNE, 10,000 × 64",
        other: "tsne",
        wanted: Some(1.0),
        runs: 1,
        inputs: || clusters(10_000, 64),
        ours: |x| Ok(Tsne::new().fit(x[0])?.kl_divergence),
    },
    Case {
        name: "t-SNE, 10,000 × 784",
        other: "tsne",
        wanted: Some(1.0),
        runs: 1,
        inputs: || clusters(10_000, 784),
        ours: |x| Ok(Tsne::new().fit(x[0])?.kl_divergence),
    },
    Case {
        name: "PSNR, 32 pictures of 256 px",
        other: "psnr",
        wanted: Some(0.5),
        runs: 5,
        inputs: pictures,
        ours: |x| Ok(psnr(x[0], x[1])?.value),
    },
    Case {
        name: "SSIM, uniform, 32 pictures of 256 px",
        other: "ssim uniform",
        wanted: Some(0.5),
        runs: 2,
        inputs: pictures,
        ours: |x| Ok(Ssim::uniform().score(x[0], x[1])?.value),
    },
    Case {
        name: "SSIM, Gaussian, 32 pictures of 256 px",
        other: "ssim gaussian",
        wanted: Some(0.5),
        runs: 2,
        inputs: pictures,
        ours: |x| Ok(Ssim::gaussian().score(x[0], x[1])?.value),
    },
    Case {
        name: "SSIM, Wang, 32 pictures of 256 px",
        other: "ssim wang",
        wanted: Some(0.5),
        runs: 2,
        inputs: pictures,
        ours: |x| Ok(Ssim::wang().score(x[0], x[1])?.value),
    },
    Case {
        name: "MS-SSIM, 32 pictures of 256 px",
        other: "ms-ssim",
        wanted: None,
        runs: 2,
        inputs: pictures,
        ours: |x| Ok(MsSsim::torchmetrics().score(x[0], x[1])?.value),
    },
    Case {
        name: "KID, 10 subsets of 1,000, 2,048 features",
        other: "kid",
        wanted: None,
        runs: 1,
        inputs: subsets,
        ours: |x| Ok(Kid::new().subsets(SUBSETS as usize).score(x[1], x[0])?.value),
    },
    Case {
        name: "precision and recall, 2 × 5,000 × 2,048 features",
        other: "precision",
        wanted: None,
        runs: 1,
        inputs: || features(["real", "generated"], DType::F32),
        ours: |x| Ok(precision_recall(x[1], x[0])?[0].value),
    },
    Case {
        name: "SWD, 2 × 256 pictures of 64 px",
        other: "swd",
        wanted: None,
        runs: 1,
        inputs: small_pictures,
        // The mean of the sizes comes last.
        ours: |x| Ok(SlicedWasserstein::new().score(x[0], x[1])?.last().map_or(f64::NAN, |score| score.value)),
    },
];

fn normal(name: &str, shape: &[usize]) -> Result<Tensor> {
    seed(1).stream(name).normal_tensor(shape, &Device::Cpu)
}

/// Two sets that differ in means, in variances and in what goes together.
fn features([first, second]: [&str; 2], dtype: DType) -> Result<Inputs> {
    const DIMS: usize = 2048;
    let together = (normal("together", &[DIMS, DIMS])? * (0.5 / (DIMS as f64).sqrt()))?;
    let turned = normal(first, &[5_000, DIMS])?;
    let turned = (&turned + turned.matmul(&together)?)?;
    let shifted = (normal(second, &[5_000, DIMS])? + 0.02)?;
    Ok([(first.to_string(), turned.to_dtype(dtype)?), (second.to_string(), shifted.to_dtype(dtype)?)].into())
}

/// Means and covariances of those.
fn moments() -> Result<Inputs> {
    let mut inputs = Inputs::new();
    for (name, set) in features(["first", "second"], DType::F64)? {
        let mean = set.mean(0)?;
        let centred = set.broadcast_sub(&mean)?;
        let covariance = (centred.t()?.contiguous()?.matmul(&centred)? / (set.dim(0)? - 1) as f64)?;
        inputs.insert(format!("{name}_covariance"), ((&covariance + covariance.t()?)? / 2.0)?);
        inputs.insert(format!("{name}_mean"), mean);
    }
    Ok(inputs)
}

fn subsets() -> Result<Inputs> {
    let mut inputs = features(["real", "generated"], DType::F32)?;
    inputs.insert("subsets".to_string(), Tensor::new(&[f64::from(SUBSETS)], &Device::Cpu)?);
    Ok(inputs)
}

/// Ten clusters that touch each other.
fn clusters(rows: usize, dims: usize) -> Result<Inputs> {
    let centres = (normal("centres", &[10, dims])? * (8.0 / (dims as f64).sqrt()))?;
    let member: Vec<u32> = (0..rows as u32).map(|i| i % 10).collect();
    let centres = centres.index_select(&Tensor::new(member, &Device::Cpu)?, 0)?;
    let points = (normal("points", &[rows, dims])? + centres)?;
    Ok([("features".to_string(), points.to_dtype(DType::F64)?)].into())
}

fn pictures() -> Result<Inputs> {
    noisy(32, 256)
}

fn small_pictures() -> Result<Inputs> {
    noisy(256, 64)
}

/// Textures and noisy copies of them, bytes.
fn noisy(count: usize, side: usize) -> Result<Inputs> {
    let mut stream = seed(1).stream("noise");
    let (mut first, mut second) = (Vec::new(), Vec::new());
    for (i, c) in (0..count).flat_map(|i| (0..3).map(move |c| (i, c))) {
        for (y, x) in (0..side).flat_map(|y| (0..side).map(move |x| (y, x))) {
            let value = (x * (3 + i) + y * (5 - c) + x * y / (9 + c)) % 256;
            first.push(value as u8);
            second.push((value + stream.below(61)).saturating_sub(30).min(255) as u8);
        }
    }
    let tensor = |bytes| Tensor::from_vec(bytes, (count, 3, side, side), &Device::Cpu);
    Ok([("first".to_string(), tensor(first)?), ("second".to_string(), tensor(second)?)].into())
}

fn main() -> Result<()> {
    let options = Options::parse();
    // Also makes the allocator keep memory, as it does in every program that computes.
    tachie::device::named("cpu")?;
    let mut rival = options.start("pytorch/metrics.py", options.threads, &[])?;
    let place = temporary::folder()?;
    let mut rows = Vec::new();
    for case in CASES.iter().filter(|case| case.name.contains(&options.only)) {
        let path = place.path().join(format!("{}.safetensors", rows.len()));
        let inputs = (case.inputs)()?;
        if rival.is_some() {
            safetensors::write(&path, &inputs, "inputs of a bench")?;
        }
        rows.push(in_pool(options.threads, || measure(case, &inputs, &path, rival.as_mut(), &options))?);
        if rival.is_some() {
            std::fs::remove_file(&path).map_err(|source| Error::io("remove", &path, source))?;
        }
    }
    options.write(&rows)
}

fn measure(case: &Case, inputs: &Inputs, path: &Path, mut rival: Option<&mut Rival>, options: &Options) -> Result<Row> {
    let tensors: Vec<&Tensor> = inputs.values().collect();
    let ours = || -> Result<Turn> {
        let mut found = f64::NAN;
        let time = Time::of(case.runs, 1, || {
            found = (case.ours)(&tensors)?;
            Ok(())
        })?;
        Ok((time, Some(found)))
    };
    let request = json!({ "case": case.other, "inputs": path, "runs": case.runs });
    let theirs = || -> Result<Option<Turn>> {
        let Some(rival) = rival.as_mut() else { return Ok(None) };
        let answer = rival.ask(&request)?;
        Ok(Some((Time::told(&answer, 1)?, Some(Rival::number(&answer, "found")?))))
    };
    let effort = Effort { most: MOST, ..options.effort(0.0) };
    Row::measure(case.name, case.wanted, effort, ours, theirs)
}
