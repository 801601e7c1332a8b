//! Milliseconds of the operations that training spends its time in, forward and forward + backward, beside PyTorch:
//! `cargo bench --profile dev --bench ops -- [--python PYTHON] [--threads N] [--rounds N] [--only TEXT] [--memory] [--json FILE]`
//! (the development profile optimises, and shares the compiled dependencies).
//!
//! `PYTHON` is an interpreter with PyTorch (benches/pytorch/ops.py). The two take turns, round by round; printed are the
//! medians over rounds of wall time, and of the ratios of neighbours: below 1 tachie is faster. Without `--python`
//! only tachie is measured.
//!
//! `--memory` measures the peak of resident memory instead, each operation and side in a process of its own: absolute,
//! and its growth since libraries and threads were there (after a first small convolution) without the code that was
//! read meanwhile: operands, gradients and all that lies between.

#[path = "common/memory.rs"]
mod memory;
#[allow(dead_code, reason = "the bench scaling has more")]
#[path = "common/operations.rs"]
mod operations;
#[path = "common/options.rs"]
mod options;
#[path = "common/passes.rs"]
mod passes;
#[path = "common/report.rs"]
mod report;
#[path = "common/rival.rs"]
mod rival;
#[path = "common/stats.rs"]
mod stats;

use clap::Parser;
use operations::{Case, GROUPS, cases};
use options::Options;
use passes::{Row, Time, both, measure, operands, upstream};
use report::{Growth, child, in_pool, script, warm_up};
use serde::Serialize;
use serde_json::json;
use tachie::{Error, Result};

/// Milliseconds that a turn should last, forward passes and passes forward and backward each.
const TURN: f64 = 150.0;
/// Passes after which memory is read: freed memory has been used again.
const MEMORY_RUNS: usize = 3;

#[derive(Parser)]
struct Args {
    #[command(flatten)]
    shared: Options,
    /// Measure peak memory instead of time.
    #[arg(long)]
    memory: bool,
    /// The process of tachie's side of a memory measurement.
    #[arg(long, hide = true)]
    child: Option<String>,
}

/// The ratios of a group, forward and backward together.
#[derive(Serialize)]
struct Summary {
    group: &'static str,
    mean: f64,
    worst: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    wanted_mean: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    wanted_worst: Option<f64>,
}

fn main() -> Result<()> {
    let Args { shared, memory, child } = Args::parse();
    if let Some(name) = &child {
        return in_pool(shared.threads, || remember(name));
    }
    let chosen = |case: &Case| case.name.contains(&shared.only) || case.group.contains(&shared.only);
    let chosen: Vec<Case> = cases()?.into_iter().filter(chosen).collect();
    if memory {
        let apart = chosen.iter().filter(|case| case.remembered());
        let rows = apart.map(|case| memory_row(case, &shared)).collect::<Result<Vec<_>>>()?;
        return shared.write(&rows);
    }
    let device = tachie::device()?;
    let mut rival = shared.start("pytorch/ops.py", shared.threads, &[])?;
    println!("{:<48} {:>17} {:>17} {:>13}", "milliseconds, forward / f + b", "tachie", "PyTorch", "ratio");
    let mut rows: Vec<Row> = Vec::new();
    for case in &chosen {
        let row = in_pool(shared.threads, || measure(case, &device, rival.as_mut(), shared.effort(TURN)))?;
        print(&row);
        rows.push(row);
    }
    let groups = summary(&rows);
    groups.iter().for_each(|group| println!("{}", group.text()));
    shared.write(&json!({ "rows": rows, "groups": groups }))
}

fn print(row: &Row) {
    let [theirs, ratio] = [row.pytorch, row.ratio].map(|time| time.as_ref().map_or(String::new(), Time::text));
    println!("{:<48} {:>17} {theirs:>17} {ratio:>13}", row.name, row.tachie.text());
}

/// The geometric mean and the largest of every group's ratios.
fn summary(rows: &[Row]) -> Vec<Summary> {
    let of = |group: &operations::Group| {
        let ratios = rows.iter().filter(|row| row.group == group.name).filter_map(|row| Some(row.ratio?.both));
        let ratios: Vec<f64> = ratios.collect();
        (!ratios.is_empty()).then(|| Summary {
            group: group.name,
            mean: geometric_mean(&ratios),
            worst: ratios.iter().copied().fold(0.0, f64::max),
            wanted_mean: group.mean,
            wanted_worst: group.worst,
        })
    };
    GROUPS.iter().filter_map(of).collect()
}

impl Summary {
    fn text(&self) -> String {
        let wanted = |value: Option<f64>| value.map_or(String::new(), |value| format!(" (wanted at most {value})"));
        let (mean, worst) = (wanted(self.wanted_mean), wanted(self.wanted_worst));
        format!(
            "{}: geometric mean {:.2}{mean}, worst {:.2}{worst}, forward + backward",
            self.group, self.mean, self.worst
        )
    }
}

/// exp of the mean logarithm; NaN of none.
fn geometric_mean(values: &[f64]) -> f64 {
    (values.iter().map(|value| value.ln()).sum::<f64>() / values.len() as f64).exp()
}

/// Peak memory of both sides, each in a process of its own.
fn memory_row(case: &Case, shared: &Options) -> Result<Growth> {
    let threads = shared.threads.to_string();
    let ours = child(None, &["--child", &case.name, "--threads", &threads])?;
    let mut request = case.request();
    request["runs"] = json!(MEMORY_RUNS);
    let python = shared.python.as_deref();
    let theirs = python.map(|python| child(Some(python), &[&script("pytorch/ops.py"), &threads, &request.to_string()]));
    Growth::of(&case.name, ours, theirs.transpose()?)
}

/// tachie's side of a memory measurement.
fn remember(name: &str) -> Result<()> {
    let case = cases()?.into_iter().find(|case| case.name == name);
    let case = case.ok_or_else(|| Error::invalid("operation", name, "one that is measured", ""))?;
    warm_up()?;
    let start = memory::begin();
    let operands = operands(&case, &tachie::device()?)?;
    let upstream = upstream(&case, &operands)?;
    for _ in 0..MEMORY_RUNS {
        both(&case, &operands, &upstream)?;
    }
    println!("{}", json!(memory::end(start)));
    Ok(())
}
