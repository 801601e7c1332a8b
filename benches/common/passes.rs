//! Times an operation forward and backward, by turns with PyTorch.

use std::time::Instant;

use serde::Serialize;
use serde_json::json;
use tachie::Result;
use tachie::autograd::backward_from;
use tachie::candle_core::{Device, Tensor, Var};
use tachie::rng::seed;

use super::operations::Case;
use super::rival::Rival;
use super::stats::median;

/// Milliseconds that one measurement should last: runs are repeated until then.
const LASTING: f64 = 200.0;
const MOST_RUNS: f64 = 20.0;

/// Milliseconds of one pass.
#[derive(Clone, Copy, Serialize)]
pub struct Time {
    pub forward: f64,
    pub both: f64,
}

/// What an operation takes.
#[derive(Serialize)]
pub struct Row {
    pub group: &'static str,
    pub name: String,
    pub tachie: Time,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pytorch: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ratio: Option<Time>,
}

/// Seeded operands.
pub fn operands(case: &Case, device: &Device) -> Result<Vec<Var>> {
    let draw = |(i, shape): (usize, &Vec<usize>)| -> Result<Var> {
        let mut stream = seed(1).stream(&format!("{}/{i}", case.name));
        Ok(Var::from_tensor(&stream.normal_tensor(shape, device)?)?)
    };
    case.shapes.iter().enumerate().map(draw).collect()
}

fn forward(case: &Case, operands: &[Var]) -> Result<()> {
    (case.run)(operands).map(|_| ())
}

/// The gradient that a backward pass starts from.
pub fn upstream(case: &Case, operands: &[Var]) -> Result<Tensor> {
    Ok((case.run)(operands)?.ones_like()?.contiguous()?)
}

/// One pass forward and backward.
pub fn both(case: &Case, operands: &[Var], upstream: &Tensor) -> Result<()> {
    match case.in_place() {
        true => forward(case, operands),
        false => backward_from(&(case.run)(operands)?, upstream).map(|_| ()),
    }
}

/// Both sides, round by round.
pub fn measure(case: &Case, device: &Device, mut rival: Option<&mut Rival>, rounds: usize) -> Result<Row> {
    let operands = operands(case, device)?;
    let upstream = upstream(case, &operands)?;
    let (forward, both) = (|| forward(case, &operands), || both(case, &operands, &upstream));
    both()?;
    let runs = (LASTING / time(1, both)?.max(1e-3)).clamp(1.0, MOST_RUNS).round() as usize;
    let mut request = case.request();
    request["runs"] = json!(runs);
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        if let Some(rival) = rival.as_mut() {
            let answer = rival.ask(&request)?;
            theirs.push(Time { forward: Rival::number(&answer, "forward")?, both: Rival::number(&answer, "both")? });
        }
        ours.push(Time { forward: time(runs, forward)?, both: time(runs, both)? });
    }
    let middle = |times: &[Time]| Time {
        forward: median(times.iter().map(|time| time.forward).collect()),
        both: median(times.iter().map(|time| time.both).collect()),
    };
    let ratios = ours.iter().zip(&theirs);
    let ratios: Vec<Time> =
        ratios.map(|(a, b)| Time { forward: a.forward / b.forward, both: a.both / b.both }).collect();
    let known = |times: &[Time]| (!times.is_empty()).then(|| middle(times));
    let (pytorch, ratio) = (known(&theirs), known(&ratios));
    Ok(Row { group: case.group, name: case.name.clone(), tachie: middle(&ours), pytorch, ratio })
}

/// The median milliseconds of a run.
fn time(runs: usize, f: impl Fn() -> Result<()>) -> Result<f64> {
    let mut times = Vec::with_capacity(runs);
    for _ in 0..runs {
        let start = Instant::now();
        f()?;
        times.push(start.elapsed().as_secs_f64() * 1e3);
    }
    Ok(median(times))
}
