//! Memory of PSGAN as the paper has it, 1,024 px with two pictures a minibatch:
//! `cargo bench --profile dev --bench paper -- [--threads N] [--only TEXT] [--json FILE]`
//! (the development profile optimises, and shares the compiled dependencies).
//!
//! Two rows, each in a process of its own: pictures from latent vectors and key points without a graph, and one step of
//! the trainer, discriminator and generator with gradient penalty, Adam and running average. The step is the first one of
//! the last resolution, which fades in, so that both ways through the networks are computed. Beside the peak of resident
//! memory stands what the networks themselves hold (weights and running averages; in a step gradients' moments too):
//! what the peak has above that is shared by the two pictures, and is what one more picture would take.

#[path = "common/memory.rs"]
mod memory;
#[allow(dead_code, reason = "there is no other side")]
#[path = "common/options.rs"]
mod options;
#[allow(dead_code, reason = "the bench steps measures two sides")]
#[path = "common/report.rs"]
mod report;
#[allow(dead_code, reason = "there is no other side")]
#[path = "common/rival.rs"]
mod rival;
#[path = "common/temporary.rs"]
mod temporary;

use std::time::Instant;

use clap::Parser;
use options::Options;
use report::{Peak, child, in_pool, warm_up};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tachie::Result;
use tachie::data::avatar::Avatar;
use tachie::data::dataset::Dataset;
use tachie::data::loader::{Loader, LoaderOptions};
use tachie::models::psgan::{Psgan, PsganConfig};
use tachie::rng::{Seed, seed};
use tachie::train::trainer;
use temporary::folder;

/// Pictures: the paper's minibatch at this size.
const PICTURES: usize = 2;
/// Rows, and how many numbers the networks hold for each that they train: themselves and averages; two moments too.
const ROWS: [(&str, u64); 2] = [("forward", 2), ("training step", 4)];

#[derive(Parser)]
struct Args {
    #[command(flatten)]
    shared: Options,
    /// The process of a row.
    #[arg(long, hide = true)]
    child: Option<String>,
}

/// What a process found.
#[derive(Serialize, Deserialize)]
struct Found {
    #[serde(flatten)]
    peak: Peak,
    seconds: f64,
    parameters: u64,
}

#[derive(Serialize)]
struct Row {
    name: String,
    peak: Peak,
    /// Bytes that the networks hold whatever the minibatch is.
    networks: u64,
    /// Bytes above that, for each picture.
    picture: u64,
    seconds: f64,
}

fn main() -> Result<()> {
    let Args { shared, child } = Args::parse();
    if let Some(what) = child {
        return in_pool(shared.threads, || remember(&what));
    }
    println!("{} threads, PSGAN paper", shared.threads);
    let threads = shared.threads.to_string();
    let rows = ROWS.into_iter().filter(|(what, _)| what.contains(&shared.only));
    let rows = rows.map(|(what, copies)| row(what, copies, &threads)).collect::<Result<Vec<_>>>()?;
    shared.write(&rows)
}

fn row(what: &str, copies: u64, threads: &str) -> Result<Row> {
    let Found { peak, seconds, parameters } = child(None, &["--child", what, "--threads", threads])?;
    let networks = copies * parameters * 4;
    let picture = peak.growth.saturating_sub(networks) / PICTURES as u64;
    let gib = |bytes: u64| bytes as f64 / f64::from(1 << 30);
    println!("{what}: {:.2} GiB, {:.2} a picture, {seconds:.1} s", gib(peak.absolute), gib(picture));
    Ok(Row { name: format!("psgan paper, {what}"), peak, networks, picture, seconds })
}

/// The paper from the beginning of its last resolution.
fn config() -> PsganConfig {
    let mut config = Psgan::paper();
    let phases = &mut config.growth.phases;
    phases.drain(..phases.len() - 1);
    config
}

fn bodies(config: &PsganConfig) -> Result<Dataset> {
    Avatar::bodies().size(config.size() as u32).costumes(1).poses(PICTURES).dataset()
}

fn remember(what: &str) -> Result<()> {
    warm_up()?;
    let start = memory::begin();
    let config = config();
    let psgan = config.clone().build(&tachie::device()?)?;
    let parameters = psgan.parameters().into_iter().map(|(_, count)| count as u64).sum();
    let seconds = if what == ROWS[0].0 { forward(&psgan, &config)? } else { step(&psgan, &config)? };
    println!("{}", json!(Found { peak: memory::end(start), seconds, parameters }));
    Ok(())
}

/// Seconds of making pictures.
fn forward(psgan: &Psgan, config: &PsganConfig) -> Result<f64> {
    let poses = bodies(config)?.poses(&(0..PICTURES).collect::<Vec<_>>())?;
    let start = Instant::now();
    psgan.sample(&poses, seed(1))?;
    Ok(start.elapsed().as_secs_f64())
}

/// Seconds of the second step: the first one makes the moments.
fn step(psgan: &Psgan, config: &PsganConfig) -> Result<f64> {
    let (folder, bodies) = (folder()?, bodies(config)?);
    let options = trainer::Options::default().seed(Seed(0)).threads(0);
    let mut trainer = psgan.train_with(&bodies, folder.path(), options)?;
    let batch =
        Loader::new(&bodies, LoaderOptions { batch: PICTURES, threads: 0, ..LoaderOptions::default() })?.next()?;
    trainer.step_on(&batch)?;
    let start = Instant::now();
    trainer.step_on(&batch)?;
    Ok(start.elapsed().as_secs_f64())
}
