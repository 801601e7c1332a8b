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
//! since libraries and threads were there (after a first small convolution) without the code that was read meanwhile:
//! weights, batch, optimizers, running averages and everything that a step needs.

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
#[path = "common/temporary.rs"]
mod temporary;
#[path = "common/training.rs"]
mod training;

use std::path::{Path, PathBuf};

use clap::Parser;
use models::{Model, models};
use report::{Growth, child, in_pool, script, warm_up, write_json};
use rival::Rival;
use serde_json::json;
use tachie::Result;
use temporary::folder;
use training::{Row, measure};

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
        let row = in_pool(args.threads, || measure(&model, rival.as_mut(), args.rounds, true))?;
        print(&row);
        rows.push(row);
    }
    write_json(args.json.as_deref(), &rows)
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
    let start = memory::begin();
    let (model, batch) = Model::import(folder)?;
    let mut trainer = model.trainer(&folder.join("remembered"))?;
    for _ in 0..MEMORY_STEPS.next_multiple_of(model.cycle()) {
        trainer.step_on(&batch)?;
    }
    println!("{}", json!(memory::end(start)));
    Ok(())
}
