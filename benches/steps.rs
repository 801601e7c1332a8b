//! Milliseconds of a whole training step (every player, gradient penalty, Adam, running average) of the catalogue's
//! models, beside PyTorch:
//! `cargo bench --profile dev --bench steps -- [--python PYTHON] [--threads N] [--rounds N] [--only TEXT] [--large] [--memory] [--json FILE]`
//! (the development profile optimises, and shares the compiled dependencies).
//!
//! tachie's side is the trainer of a notebook, `Trainer::step_on`, on one batch of drawn faces. `PYTHON` is an interpreter
//! with PyTorch and safetensors (benches/pytorch/steps.py). Before anything is timed both do one step from the same
//! weights, batch and noise; parameter counts, losses and the moved weights have to agree. Then they take turns, round
//! by round; printed are the medians over rounds of wall time and of the ratios of neighbours: below 1 tachie is faster.
//! Where the penalty comes on every k-th step only, a round has a multiple of k steps, and the time is that of one.
//!
//! `--memory` measures the peak of resident memory instead, each side in a process of its own: absolute, and its growth
//! since libraries and threads were there (after a first small convolution), which so counts weights, batch,
//! optimizers, running averages and everything that a step needs.

#[path = "common/memory.rs"]
mod memory;
#[path = "common/models.rs"]
mod models;
#[path = "common/report.rs"]
mod report;
#[path = "common/rival.rs"]
mod rival;
#[path = "common/stats.rs"]
mod stats;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Parser;
use models::{Model, models};
use report::{Growth, Peak, child, folder, in_pool, script, warm_up, write_json};
use rival::Rival;
use serde::Serialize;
use serde_json::{Value, json};
use stats::median;
use tachie::candle_core::Tensor;
use tachie::data::batch::Batch;
use tachie::train::gan::Player;
use tachie::train::trainer::Trainer;
use tachie::weights::safetensors;
use tachie::{Error, Result};

/// Milliseconds that one side's turn should last.
const LASTING: f64 = 1_500.0;
/// Largest relative difference of a loss of the first step.
const LOSSES: f64 = 1e-3;
/// Largest difference of the moved weights, as a share of how far they moved. Adam's first step is the sign of the
/// gradient, so that weights whose gradient is rounding noise move apart: 0.2 is one weight in a hundred.
const WEIGHTS: f64 = 0.2;
/// Steps after which memory is read: everything has been allocated, and freed memory used again.
const MEMORY_STEPS: u64 = 4;

#[derive(Parser)]
struct Args {
    /// An interpreter with PyTorch.
    #[arg(long)]
    python: Option<String>,
    /// Threads of either side.
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// Turns that the two sides take.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Only models whose name holds this text.
    #[arg(long, default_value = "")]
    only: String,
    /// Also the models of 128 px and more.
    #[arg(long)]
    large: bool,
    /// Measure peak memory instead of time.
    #[arg(long)]
    memory: bool,
    /// Also write the rows as JSON.
    #[arg(long)]
    json: Option<PathBuf>,
    /// The process of tachie's side of a memory measurement.
    #[arg(long, hide = true)]
    child: Option<PathBuf>,
    /// What `cargo bench` passes.
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Serialize)]
struct Row {
    name: String,
    /// How many numbers each player trains.
    parameters: BTreeMap<String, usize>,
    /// Milliseconds of a step.
    tachie: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pytorch: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ratio: Option<f64>,
    /// Those of the rounds.
    ratios: Vec<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    agreement: Option<Agreement>,
}

/// How far the two sides' first steps differ.
#[derive(Clone, Copy, Serialize)]
struct Agreement {
    /// Largest relative difference of a loss.
    losses: f64,
    /// ‖tachie − PyTorch‖ / ‖tachie − start‖ over all parameters.
    weights: f64,
    /// The same of the running averages.
    averages: f64,
}

fn main() -> Result<()> {
    let args = Args::parse();
    if let Some(folder) = &args.child {
        return in_pool(args.threads, || remember(folder));
    }
    let chosen = models().into_iter().filter(|model| model.name.contains(&args.only) && (args.large || !model.large));
    if args.memory {
        let rows = chosen.map(|model| memory_row(&model, &args)).collect::<Result<Vec<_>>>()?;
        return write_json(args.json.as_deref(), &rows);
    }
    let threads = [args.threads.to_string()];
    let mut rival =
        args.python.as_ref().map(|python| Rival::start(python, "pytorch/steps.py", &threads)).transpose()?;
    let version = rival.as_mut().map(Rival::line).transpose()?;
    println!("{} threads, {} rounds, PyTorch {}", args.threads, args.rounds, version.as_deref().unwrap_or("not asked"));
    let mut rows = Vec::new();
    for model in chosen {
        let row = in_pool(args.threads, || measure(&model, rival.as_mut(), args.rounds))?;
        print(&row);
        rows.push(row);
    }
    write_json(args.json.as_deref(), &rows)
}

fn measure(model: &Model, mut rival: Option<&mut Rival>, rounds: usize) -> Result<Row> {
    let folder = folder()?;
    let batch = model.batch()?;
    let agreement = rival.as_mut().map(|rival| compare(model, &batch, folder.path(), rival)).transpose()?;
    let mut trainer = model.trainer(&folder.path().join("run"))?;
    model.export(&trainer, &batch, folder.path())?;
    let mut ours = |steps: u64| -> Result<f64> {
        let start = Instant::now();
        for _ in 0..steps {
            trainer.step_on(&batch)?;
        }
        Ok(start.elapsed().as_secs_f64() * 1e3 / steps as f64)
    };
    let mut theirs = |steps: u64| -> Result<Option<f64>> {
        let Some(rival) = rival.as_mut() else { return Ok(None) };
        let answer = rival.ask(&json!({ "steps": steps, "folder": folder.path() }))?;
        Rival::number(&answer, "milliseconds").map(Some)
    };
    // Both warm up, in whole cycles so that penalties stay where rounds expect them.
    let first = ours(model.cycle())?;
    theirs(model.cycle())?;
    let steps = ((LASTING / first) as u64).div_ceil(model.cycle()).max(1) * model.cycle();
    let (mut mine, mut others) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        others.extend(theirs(steps)?);
        mine.push(ours(steps)?);
    }
    let parameters = counts(&trainer);
    let ratios: Vec<f64> = mine.iter().zip(&others).map(|(mine, other)| mine / other).collect();
    let known = |values: &[f64]| (!values.is_empty()).then(|| median(values.to_vec()));
    let (pytorch, ratio) = (known(&others), known(&ratios));
    Ok(Row { name: model.name.clone(), parameters, tachie: median(mine), pytorch, ratio, ratios, agreement })
}

/// That both sides compute the same: parameter counts, every loss of the first step, and the weights after it.
fn compare(model: &Model, batch: &Batch, folder: &Path, rival: &mut Rival) -> Result<Agreement> {
    let mut trainer = model.penalised().trainer(&folder.join("check"))?;
    model.export(&trainer, batch, folder)?;
    let answer = rival.ask(&json!({ "check": folder }))?;
    let counted = json!(counts(&trainer));
    if answer["parameters"] != counted {
        let (found, expected) = (answer["parameters"].to_string(), counted.to_string());
        return Err(Error::invalid(format!("{}: PyTorch's numbers of parameters", model.name), found, expected, ""));
    }
    let start = copies(&trainer)?;
    let losses = trainer.step_on(batch)?.losses;
    let difference = compare_losses(model, &losses, &answer["losses"])?;
    let theirs = safetensors::read(models::after(folder))?.tensors;
    let networks = trainer.networks();
    let weights = apart(&networks.params.tensors(), &start, &theirs, "")?;
    let averages = apart(&networks.average.tensors(), &start, &theirs, "average.")?;
    if !(weights <= WEIGHTS && averages <= WEIGHTS) {
        let found = format!("{weights:.1e} (running averages {averages:.1e}) of the way apart");
        let what = format!("{}: weights after the first step", model.name);
        return Err(Error::invalid(what, found, format!("at most {WEIGHTS}"), "The replica computes something else."));
    }
    Ok(Agreement { losses: difference, weights, averages })
}

/// Prints every loss of both sides; returns the largest relative difference.
fn compare_losses(model: &Model, ours: &BTreeMap<String, f64>, theirs: &Value) -> Result<f64> {
    println!("{}: losses of the first step, tachie and PyTorch", model.name);
    let mut largest: f64 = 0.0;
    for (name, &mine) in ours {
        let other = Rival::number(theirs, name)?;
        let difference = (mine - other).abs() / mine.abs().max(other.abs()).max(1e-6);
        println!("  {name:<24} {mine:>14.7} {other:>14.7}");
        if difference.is_nan() || difference > LOSSES {
            let what = format!("{}: {name} in the first step", model.name);
            let (found, expected) = (other.to_string(), format!("{mine}, that of tachie"));
            return Err(Error::invalid(what, found, expected, "The replica computes something else."));
        }
        largest = largest.max(difference);
    }
    Ok(largest)
}

/// How far the weights of the two sides are apart, as a share of how far tachie's have moved.
fn apart(
    ours: &BTreeMap<String, Tensor>,
    start: &BTreeMap<String, Tensor>,
    theirs: &BTreeMap<String, Tensor>,
    prefix: &str,
) -> Result<f64> {
    let square = |a: &Tensor, b: &Tensor| -> Result<f64> {
        Ok(f64::from((a - b)?.flatten_all()?.sqr()?.sum_all()?.to_scalar::<f32>()?))
    };
    let (mut distance, mut way) = (0.0, 0.0);
    for (name, start) in start {
        let named = |side: &BTreeMap<String, Tensor>, name: &str| {
            let hint = "Both sides name parameters alike.";
            side.get(name).cloned().ok_or_else(|| Error::invalid("weights", format!("no {name}"), "one", hint))
        };
        let mine = named(ours, name)?;
        distance += square(&mine, &named(theirs, &format!("{prefix}{name}"))?)?;
        way += square(&mine, start)?;
    }
    Ok((distance / way).sqrt())
}

/// Copies of the parameters, without the running statistics.
fn copies(trainer: &Trainer) -> Result<BTreeMap<String, Tensor>> {
    let parameters = trainer.networks().params.trainable("");
    parameters.into_iter().map(|(name, var)| Ok((name, var.as_detached_tensor().copy()?))).collect()
}

fn counts(trainer: &Trainer) -> BTreeMap<String, usize> {
    let params = trainer.networks().params;
    let players = [Player::Generator, Player::Discriminator];
    players.map(|player| (player.name().to_string(), params.count(player.prefix()))).into()
}

fn print(row: &Row) {
    let theirs = row.pytorch.zip(row.ratio);
    let theirs = theirs.map_or(String::new(), |(ms, ratio)| {
        let (low, high) = row.ratios.iter().fold((f64::MAX, 0.0_f64), |(low, high), r| (low.min(*r), high.max(*r)));
        format!(", PyTorch {ms:.0} ms, ratio {ratio:.2} ({low:.2} to {high:.2})")
    });
    println!("{}: tachie {:.0} ms{theirs}", row.name, row.tachie);
}

/// Peak memory of both sides, each in a process of its own.
fn memory_row(model: &Model, args: &Args) -> Result<Growth> {
    let folder = folder()?;
    in_pool(args.threads, || -> Result<()> {
        let trainer = model.trainer(&folder.path().join("run"))?;
        model.export(&trainer, &model.batch()?, folder.path())
    })?;
    let steps = MEMORY_STEPS.next_multiple_of(model.cycle());
    let (path, threads) = (folder.path().display().to_string(), args.threads.to_string());
    let ours = child(None, &["--child", &path, "--threads", &threads])?;
    let python = args.python.as_deref();
    let theirs =
        python.map(|python| child(Some(python), &[&script("pytorch/steps.py"), &threads, &path, &steps.to_string()]));
    Growth::of(&model.name, ours, theirs.transpose()?)
}

/// tachie's side of a memory measurement.
fn remember(folder: &Path) -> Result<()> {
    warm_up()?;
    memory::forget_peak();
    let start = memory::resident();
    let (model, batch) = Model::import(folder)?;
    let mut trainer = model.trainer(&folder.join("remembered"))?;
    for _ in 0..MEMORY_STEPS.next_multiple_of(model.cycle()) {
        trainer.step_on(&batch)?;
    }
    println!("{}", json!(Peak { start, peak: memory::peak() }));
    Ok(())
}
