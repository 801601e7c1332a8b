//! Times an operation forward and backward, by turns with PyTorch.

use std::time::Instant;

use serde::Serialize;
use serde_json::{Value, json};
use tachie::Result;
use tachie::autograd::backward_from;
use tachie::candle_core::{DType, Device, Tensor, Var};
use tachie::rng::seed;

use super::operations::Case;
use super::options::Effort;
use super::rival::Rival;
use super::stats::median;

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

/// Seeded operands: normal numbers, or bytes.
pub fn operands(case: &Case, device: &Device) -> Result<Vec<Var>> {
    let draw = |(i, shape): (usize, &Vec<usize>)| -> Result<Var> {
        let mut stream = seed(1).stream(&format!("{}/{i}", case.name));
        let normal = stream.normal_tensor(shape, device)?;
        let values = match case.dtype {
            // A cast saturates: bytes of a picture with much black and white.
            DType::U8 => ((normal * 80.0)? + 128.0)?.to_dtype(DType::U8)?,
            dtype => normal.to_dtype(dtype)?,
        };
        Ok(Var::from_tensor(&values)?)
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
    match case.one_way() {
        true => forward(case, operands),
        false => backward_from(&(case.run)(operands)?, upstream).map(|_| ()),
    }
}

/// tachie's side.
pub struct Own<'a> {
    case: &'a Case,
    operands: Vec<Var>,
    upstream: Tensor,
}

impl<'a> Own<'a> {
    /// Makes the operands, and does one pass.
    pub fn new(case: &'a Case, device: &Device) -> Result<Own<'a>> {
        let operands = operands(case, device)?;
        let upstream = upstream(case, &operands)?;
        let own = Own { case, operands, upstream };
        own.both()?;
        Ok(own)
    }

    fn both(&self) -> Result<()> {
        both(self.case, &self.operands, &self.upstream)
    }

    /// Passes that take so many milliseconds.
    pub fn runs(&self, turn: f64) -> Result<usize> {
        Ok((turn / time(1, || self.both())?.max(1e-3)).clamp(1.0, MOST_RUNS).round() as usize)
    }

    /// The medians of so many forward passes, and of so many forward and backward.
    pub fn time(&self, runs: usize) -> Result<Time> {
        let forward = || forward(self.case, &self.operands);
        Ok(Time { forward: time(runs, forward)?, both: time(runs, || self.both())? })
    }
}

/// Both sides, round by round.
pub fn measure(case: &Case, device: &Device, mut rival: Option<&mut Rival>, effort: Effort) -> Result<Row> {
    let own = Own::new(case, device)?;
    let runs = own.runs(effort.turn)?;
    let mut request = case.request();
    request["runs"] = json!(runs);
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    effort.spend(|| {
        if let Some(rival) = rival.as_mut() {
            theirs.push(Time::told(&rival.ask(&request)?)?);
        }
        ours.push(own.time(runs)?);
        Ok(())
    })?;
    let (pytorch, ratio) = (Time::middle(&theirs), Time::middle(&Time::ratios(&ours, &theirs)));
    let tachie = Time::middle(&ours).unwrap_or(Time { forward: f64::NAN, both: f64::NAN });
    Ok(Row { group: case.group, name: case.name.clone(), tachie, pytorch, ratio })
}

impl Time {
    /// What the other side answers.
    pub fn told(answer: &Value) -> Result<Time> {
        Ok(Time { forward: Rival::number(answer, "forward")?, both: Rival::number(answer, "both")? })
    }

    /// Medians; none of none.
    pub fn middle(times: &[Time]) -> Option<Time> {
        let middle = |of: fn(&Time) -> f64| median(times.iter().map(of).collect());
        (!times.is_empty()).then(|| Time { forward: middle(|time| time.forward), both: middle(|time| time.both) })
    }

    /// `1.23 / 4.56`
    pub fn text(&self) -> String {
        format!("{:.2} / {:.2}", self.forward, self.both)
    }

    /// Those of neighbours.
    pub fn ratios(ours: &[Time], theirs: &[Time]) -> Vec<Time> {
        let ratio = |(a, b): (&Time, &Time)| Time { forward: a.forward / b.forward, both: a.both / b.both };
        ours.iter().zip(theirs).map(ratio).collect()
    }
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
