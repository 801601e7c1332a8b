//! Milliseconds of a whole training step (every player, gradient penalty, Adam, running average) of the catalogue's
//! models, beside PyTorch:
//! `cargo bench --profile dev --bench steps -- [--python PYTHON] [--threads N] [--rounds N] [--only TEXT] [--large] [--memory] [--json FILE]`
//! (the development profile optimises, and shares the compiled dependencies).
//!
//! tachie's side is the trainer of a notebook, `Trainer::step_on`, on one batch of drawn faces, bodies or costumes. `PYTHON` is an
//! interpreter with PyTorch and safetensors (benches/pytorch/steps.py). Before anything is timed both do one step from
//! the same weights, batch and noise; parameter counts, losses and the moved weights have to agree. Then they take turns,
//! round by round; printed are the medians over rounds of wall time and of the ratios of neighbours: below 1 tachie is
//! faster.
//! Where the penalty comes on every k-th step only, a round has a multiple of k steps, and the time is that of one.
//!
//! `--memory` measures the peak of resident memory instead, each side in a process of its own: absolute, and its growth
//! since libraries and threads were there (after a first small convolution) without the code that was read meanwhile:
//! weights, batch, optimizers, running averages and everything that a step needs.

#[path = "common/editing.rs"]
mod editing;
#[path = "common/growing.rs"]
mod growing;
#[path = "common/memory.rs"]
mod memory;
#[path = "common/models.rs"]
mod models;
#[path = "common/options.rs"]
mod options;
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
#[path = "common/translation.rs"]
mod translation;

use std::path::{Path, PathBuf};

use clap::Parser;
use editing::{Editor, editors};
use growing::{Config, Grown, grown};
use models::{Measured, Model, export, exported, import, models};
use options::{Effort, Options};
use report::{Growth, child, in_pool, script, warm_up};
use serde_json::json;
use tachie::Result;
use temporary::folder;
use training::{Row, measure};
use translation::{Translator, translators};

/// Milliseconds that a turn should last.
const TURN: f64 = 1_500.0;
/// Turns at most where a step takes several seconds.
const LARGE_ROUNDS: usize = 3;
/// Steps after which memory is read: everything has been allocated, and freed memory used again.
const MEMORY_STEPS: u64 = 4;

#[derive(Parser)]
struct Args {
    #[command(flatten)]
    shared: Options,
    /// Also the models of 128 px and more.
    #[arg(long)]
    large: bool,
    /// Measure peak memory instead of time.
    #[arg(long)]
    memory: bool,
    /// The process of tachie's side of a memory measurement.
    #[arg(long, hide = true)]
    child: Option<PathBuf>,
}

fn main() -> Result<()> {
    let Args { shared, large, memory, child } = Args::parse();
    if let Some(folder) = &child {
        return in_pool(shared.threads, || remember(folder));
    }
    let chosen = all().into_iter().filter(|model| model.name().contains(&shared.only) && (large || !model.large()));
    if memory {
        let rows = chosen.map(|model| memory_row(model.as_ref(), &shared)).collect::<Result<Vec<_>>>()?;
        return shared.write(&rows);
    }
    let mut rival = shared.start("pytorch/steps.py", shared.threads, &[])?;
    let mut rows = Vec::new();
    for model in chosen {
        let rounds = if model.large() { shared.rounds.min(LARGE_ROUNDS) } else { shared.rounds };
        let effort = Effort { rounds, ..shared.effort(TURN) };
        let row = in_pool(shared.threads, || measure(model.as_ref(), rival.as_mut(), effort, true))?;
        print(&row);
        rows.push(row);
    }
    shared.write(&rows)
}

/// Everything that has a row.
fn all() -> Vec<Box<dyn Measured>> {
    let faces = models().into_iter().map(|model| Box::new(model) as Box<dyn Measured>);
    let grown = grown().into_iter().map(|model| Box::new(model) as Box<dyn Measured>);
    let translators = translators().into_iter().map(|model| Box::new(model) as Box<dyn Measured>);
    let editors = editors().into_iter().map(|model| Box::new(model) as Box<dyn Measured>);
    faces.chain(grown).chain(translators).chain(editors).collect()
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
fn memory_row(model: &dyn Measured, shared: &Options) -> Result<Growth> {
    let folder = folder()?;
    in_pool(shared.threads, || -> Result<()> {
        let trainer = model.trainer(&folder.path().join("run"))?;
        export(model, &trainer, &model.batch()?, folder.path())
    })?;
    let steps = MEMORY_STEPS.next_multiple_of(model.cycle());
    let (path, threads) = (folder.path().display().to_string(), shared.threads.to_string());
    let ours = child(None, &["--child", &path, "--threads", &threads])?;
    let python = shared.python.as_deref();
    let theirs =
        python.map(|python| child(Some(python), &[&script("pytorch/steps.py"), &threads, &path, &steps.to_string()]));
    Growth::of(model.name(), ours, theirs.transpose()?)
}

/// tachie's side of a memory measurement.
fn remember(folder: &Path) -> Result<()> {
    warm_up()?;
    let start = memory::begin();
    let name = String::new();
    let (model, batch): (Box<dyn Measured>, _) = match exported(folder)?.as_str() {
        Grown::PSGAN => {
            let (config, batch) = import(folder)?;
            (Box::new(Grown { name, config: Config::Psgan(config) }), batch)
        }
        Grown::STYLEGAN => {
            let (config, batch) = import(folder)?;
            (Box::new(Grown { name, config: Config::Stylegan(config) }), batch)
        }
        Translator::CLOTHING => {
            let (config, batch) = import(folder)?;
            (Box::new(Translator { name, config: translation::Config::Clothing(config) }), batch)
        }
        Translator::PIX2PIX => {
            let (config, batch) = import(folder)?;
            (Box::new(Translator { name, config: translation::Config::Pix2pix(config) }), batch)
        }
        Editor::ANIMEGAN => {
            let (config, batch) = import(folder)?;
            (Box::new(Editor { name, config: editing::Config::Animegan(config) }), batch)
        }
        Editor::STARGAN => {
            let (config, batch) = import(folder)?;
            (Box::new(Editor { name, config: editing::Config::Stargan(config) }), batch)
        }
        _ => {
            let (config, batch) = import(folder)?;
            (Box::new(Model { name, config, large: false }), batch)
        }
    };
    let mut trainer = model.trainer(&folder.join("remembered"))?;
    for _ in 0..MEMORY_STEPS.next_multiple_of(model.cycle()) {
        trainer.step_on(&batch)?;
    }
    println!("{}", json!(memory::end(start)));
    Ok(())
}
