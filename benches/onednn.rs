//! Whether oneDNN would pay: the nine convolutions of the acceptance beside the oneDNN inside PyTorch, in the layouts that it
//! can be used with:
//! `cargo bench --profile dev --bench onednn -- [--python PYTHON] [--threads N] [--rounds N] [--only TEXT] [--json FILE]`
//! (the development profile optimises, and shares the compiled dependencies).
//!
//! PyTorch gives these convolutions to oneDNN, which works on blocked or channels-last tensors inside. So three things
//! can be measured without another library: `plain`, tensors as tachie has them, reordered before and after every
//! primitive (what a feature would do that replaces one operation); `channels last`; and `blocked`, where pictures and
//! gradients come and go in the layout that oneDNN likes best (what a network could do all of whose operations know that
//! layout). Weights are reordered in every pass, as training has to. benches/pytorch/onednn.py refuses to answer when a
//! convolution did not run in oneDNN. All take turns; printed are the medians over rounds of milliseconds and of tachie's
//! ratio to each: below 1 tachie is faster.

#[allow(dead_code, reason = "the other operations are for the bench ops")]
#[path = "common/operations.rs"]
mod operations;
#[path = "common/options.rs"]
mod options;
#[allow(dead_code, reason = "the layouts take turns here")]
#[path = "common/passes.rs"]
mod passes;
#[allow(dead_code, reason = "memory is not measured here")]
#[path = "common/report.rs"]
mod report;
#[path = "common/rival.rs"]
mod rival;
#[path = "common/stats.rs"]
mod stats;

use clap::Parser;
use operations::Case;
use operations::convolutions::published;
use options::Options;
use passes::{Own, Time};
use report::in_pool;
use rival::Rival;
use serde::Serialize;
use serde_json::json;
use tachie::{Error, Result};

/// Milliseconds that a turn should last, forward passes and passes forward and backward each.
const TURN: f64 = 150.0;
/// Layouts of the other side, and their names in benches/pytorch/onednn.py.
const LAYOUTS: [(&str, &str); 3] = [("plain", "plain"), ("channels last", "channels_last"), ("blocked", "blocked")];

#[derive(Serialize)]
struct Row {
    name: String,
    tachie: Time,
    layouts: Vec<Side>,
}

/// oneDNN with one layout.
#[derive(Serialize)]
struct Side {
    layout: &'static str,
    time: Time,
    /// tachie's over this.
    ratio: Time,
    /// Reorders of pictures or their gradients in a pass forward and backward.
    reorders: usize,
}

fn main() -> Result<()> {
    let shared = Options::parse();
    let rival = shared.start("pytorch/onednn.py", shared.threads, &[])?;
    let hint = "It measures PyTorch's oneDNN.";
    let mut rival = rival.ok_or_else(|| Error::invalid("--python", "none", "an interpreter with PyTorch", hint))?;
    let mut rows = Vec::new();
    for case in published().into_iter().filter(|case| case.name.contains(&shared.only)) {
        let row = in_pool(shared.threads, || measure(&case, &mut rival, &shared))?;
        println!("{}: tachie {}", row.name, row.tachie.text());
        for Side { layout, time, ratio, reorders } in &row.layouts {
            println!("    {layout:<13} {:>16}   ratio {}   {reorders} reorders", time.text(), ratio.text());
        }
        rows.push(row);
    }
    shared.write(&rows)
}

fn measure(case: &Case, rival: &mut Rival, shared: &Options) -> Result<Row> {
    let own = Own::new(case, &tachie::device()?)?;
    let runs = own.runs(TURN)?;
    let mut ours = Vec::new();
    let mut theirs: [(Vec<Time>, usize); LAYOUTS.len()] = Default::default();
    shared.effort(TURN).spend(|| {
        for ((_, layout), (times, reorders)) in LAYOUTS.iter().zip(&mut theirs) {
            let mut request = case.request();
            (request["runs"], request["layout"]) = (json!(runs), json!(layout));
            let answer = rival.ask(&request)?;
            times.push(Time::told(&answer)?);
            *reorders = Rival::number(&answer, "reorders")? as usize;
        }
        ours.push(own.time(runs)?);
        Ok(())
    })?;
    let none = || Error::invalid("rounds", "none", "at least one", "");
    let side = |((layout, _), (times, reorders)): (&(&'static str, &str), &(Vec<Time>, usize))| -> Result<Side> {
        let time = Time::middle(times).ok_or_else(none)?;
        let ratio = Time::middle(&Time::ratios(&ours, times)).ok_or_else(none)?;
        Ok(Side { layout, time, ratio, reorders: *reorders })
    };
    let layouts = LAYOUTS.iter().zip(&theirs).map(side).collect::<Result<_>>()?;
    Ok(Row { name: case.name.clone(), tachie: Time::middle(&ours).ok_or_else(none)?, layouts })
}
