//! Milliseconds of the operations that training spends its time in, forward and forward + backward, beside PyTorch:
//! `cargo bench --profile dev --bench ops -- [--python PYTHON] [--threads N] [--rounds N] [--only TEXT] [--json FILE]`
//! (the development profile optimises, and shares the compiled dependencies).
//!
//! `PYTHON` is an interpreter with PyTorch (benches/pytorch/ops.py). The two take turns, round by round; printed are the
//! medians over rounds of wall time, and of the ratios of neighbours: below 1 tachie is faster. Without `--python`
//! only tachie is measured.

#[path = "common/rival.rs"]
mod rival;
#[path = "common/stats.rs"]
mod stats;

use std::path::PathBuf;
use std::time::Instant;

use clap::Parser;
use rival::Rival;
use serde::Serialize;
use serde_json::{Value, json};
use stats::median;
use tachie::autograd::backward_from;
use tachie::candle_core::{Device, Tensor, Var};
use tachie::nn::conv::ConvSpec;
use tachie::ops::adam::AdamStep;
use tachie::ops::norm::{batch_norm, instance_norm};
use tachie::ops::resample::{avg_pool2d, upsample_nearest};
use tachie::ops::reshape::{ShuffleOrder, pixel_shuffle};
use tachie::ops::{activation, conv};
use tachie::rng::seed;
use tachie::{Error, Result};

/// Milliseconds that one measurement should last: runs are repeated until then.
const LASTING: f64 = 200.0;
const MOST_RUNS: f64 = 20.0;

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
    /// Only operations whose name holds this text.
    #[arg(long, default_value = "")]
    only: String,
    /// Also write the rows as JSON.
    #[arg(long)]
    json: Option<PathBuf>,
    /// What `cargo bench` passes.
    #[arg(long, hide = true)]
    bench: bool,
}

type Run = Box<dyn Fn(&[Var]) -> Result<Tensor> + Send + Sync>;

/// An operation on operands of these shapes.
struct Case {
    group: &'static str,
    name: String,
    /// What the other side needs to know.
    request: Value,
    shapes: Vec<Vec<usize>>,
    run: Run,
}

/// Milliseconds of one pass.
#[derive(Clone, Copy, Serialize)]
struct Time {
    forward: f64,
    both: f64,
}

#[derive(Serialize)]
struct Row {
    group: &'static str,
    name: String,
    tachie: Time,
    #[serde(skip_serializing_if = "Option::is_none")]
    pytorch: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ratio: Option<Time>,
}

fn main() -> Result<()> {
    let args = Args::parse();
    let device = tachie::device()?;
    let pool = rayon::ThreadPoolBuilder::new().num_threads(args.threads).build();
    let pool = pool.map_err(|e| Error::invalid("threads", e.to_string(), "a number of threads", ""))?;
    let threads = [args.threads.to_string()];
    let mut rival = args.python.as_ref().map(|python| Rival::start(python, "pytorch/ops.py", &threads)).transpose()?;
    let version = rival.as_mut().map(Rival::line).transpose()?;
    println!("{} threads, {} rounds, PyTorch {}", args.threads, args.rounds, version.as_deref().unwrap_or("not asked"));
    println!("{:<36} {:>17} {:>17} {:>13}", "milliseconds, forward / f + b", "tachie", "PyTorch", "ratio");
    let mut rows: Vec<Row> = Vec::new();
    for case in cases().into_iter().filter(|case| case.name.contains(&args.only)) {
        let row = pool.install(|| measure(&case, &device, rival.as_mut(), args.rounds))?;
        print(&row);
        rows.push(row);
    }
    summary(&rows);
    if let Some(path) = &args.json {
        let text = serde_json::to_string_pretty(&rows)
            .map_err(|error| Error::invalid("rows", error.to_string(), "numbers that JSON can hold", ""))?;
        std::fs::write(path, text + "\n").map_err(|source| Error::io("write the rows", path, source))?;
    }
    Ok(())
}

fn measure(case: &Case, device: &Device, mut rival: Option<&mut Rival>, rounds: usize) -> Result<Row> {
    let draw = |(i, shape): (usize, &Vec<usize>)| -> Result<Var> {
        let mut stream = seed(1).stream(&format!("{}/{i}", case.name));
        Ok(Var::from_tensor(&stream.normal_tensor(shape, device)?)?)
    };
    let operands = case.shapes.iter().enumerate().map(draw).collect::<Result<Vec<_>>>()?;
    let forward = || (case.run)(&operands).map(|_| ());
    let upstream = (case.run)(&operands)?.ones_like()?.contiguous()?;
    // In place there is nothing to go backwards through.
    let both = || match case.group {
        "Adam" => forward(),
        _ => Ok(backward_from(&(case.run)(&operands)?, &upstream).map(|_| ())?),
    };
    both()?;
    let runs = (LASTING / time(1, both)?.max(1e-3)).clamp(1.0, MOST_RUNS).round() as usize;
    let mut request = case.request.clone();
    request["shapes"] = json!(case.shapes);
    request["runs"] = json!(runs);
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        if let Some(rival) = rival.as_mut() {
            let answer = rival.ask(&request.to_string())?;
            let &[forward, both] = answer.as_slice() else {
                return Err(Error::invalid(format!("answer to {request}"), format!("{answer:?}"), "two numbers", ""));
            };
            theirs.push(Time { forward, both });
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

fn print(row: &Row) {
    let pair = |time: Time, digits: usize| format!("{:.digits$} / {:.digits$}", time.forward, time.both);
    let theirs = row.pytorch.map_or(String::new(), |time| pair(time, 2));
    let ratio = row.ratio.map_or(String::new(), |time| pair(time, 2));
    println!("{:<36} {:>17} {theirs:>17} {ratio:>13}", row.name, pair(row.tachie, 2));
}

/// The geometric mean of every group's ratios, forward and backward together.
fn summary(rows: &[Row]) {
    let mut groups: Vec<&str> = rows.iter().map(|row| row.group).collect();
    groups.dedup();
    for group in groups {
        let ratios = rows.iter().filter(|row| row.group == group).filter_map(|row| Some(row.ratio?.both));
        let ratios: Vec<f64> = ratios.collect();
        if !ratios.is_empty() {
            let worst = ratios.iter().copied().fold(0.0, f64::max);
            println!("{group}: geometric mean {:.2}, worst {worst:.2} (f + b)", geometric_mean(&ratios));
        }
    }
}

/// exp of the mean logarithm; NaN of none.
fn geometric_mean(values: &[f64]) -> f64 {
    (values.iter().map(|value| value.ln()).sum::<f64>() / values.len() as f64).exp()
}

/// Everything that is measured; the convolutions are those of the nine published comparisons.
fn cases() -> Vec<Case> {
    let mut cases = convolutions();
    let plane: &[usize] = &[16, 64, 64, 64];
    let mut add = |group, name: &str, op: &str, shapes: &[&[usize]], run: Run| {
        let shapes = shapes.iter().map(|shape| shape.to_vec()).collect();
        cases.push(Case { group, name: name.into(), request: json!({ "op": op }), shapes, run });
    };
    let norm = "norms";
    let channels: &[usize] = &[64];
    let normed = |v: &[Var]| Ok(batch_norm(&v[0], &v[1], &v[2], 1e-5)?.0);
    add(norm, "batch norm 16x64x64²", "batch_norm", &[plane, channels, channels], Box::new(normed));
    let wide: &[usize] = &[16_384];
    add(norm, "batch norm 64x16384", "batch_norm", &[&[64, 16_384], wide, wide], Box::new(normed));
    add(norm, "instance norm 16x64x64²", "instance_norm", &[plane], Box::new(|v| instance_norm(&v[0], None, 1e-5)));
    let act = "activations";
    add(act, "leaky ReLU 16x64x64²", "leaky_relu", &[plane], Box::new(|v| activation::leaky_relu(&v[0], 0.2)));
    add(act, "ReLU 16x64x64²", "relu", &[plane], Box::new(|v| activation::relu(&v[0])));
    add(act, "tanh 16x64x64²", "tanh", &[plane], Box::new(|v| activation::tanh(&v[0])));
    add(act, "sigmoid 16x64x64²", "sigmoid", &[plane], Box::new(|v| activation::sigmoid(&v[0])));
    add(act, "softplus 16x64x64²", "softplus", &[plane], Box::new(|v| activation::softplus(&v[0])));
    let resample = "resampling";
    let small: &[usize] = &[16, 64, 32, 32];
    let many: &[usize] = &[16, 256, 32, 32];
    add(resample, "nearest 16x64x32² → 64²", "upsample_nearest", &[small], Box::new(|v| upsample_nearest(&v[0], 2)));
    add(resample, "average pool 16x64x64² → 32²", "avg_pool2d", &[plane], Box::new(|v| avg_pool2d(&v[0], 2)));
    let shuffle = |v: &[Var]| pixel_shuffle(&v[0], 2, ShuffleOrder::PyTorch);
    add(resample, "pixel shuffle 16x256x32² → 64²", "pixel_shuffle", &[many], Box::new(shuffle));
    let numbers: &[usize] = &[10_000_000];
    let step = AdamStep { learning_rate: 2e-4, beta1: 0.5, beta2: 0.999, epsilon: 1e-8, step: 1 };
    let adam = move |v: &[Var]| -> Result<Tensor> {
        step.apply(&v[0], &v[1], &v[2], &v[3])?;
        Ok(v[0].as_detached_tensor())
    };
    add("Adam", "Adam, 10 M numbers", "adam", &[numbers; 4], Box::new(adam));
    cases
}

fn convolutions() -> Vec<Case> {
    let case = |op: &'static str, name: &str, x: [usize; 4], w: [usize; 4], stride: usize, padding: usize| {
        let spec = ConvSpec::padded(padding).stride(stride);
        let run: Run = match op {
            "conv2d" => Box::new(move |v| conv::conv2d(&v[0], &v[1], &spec)),
            _ => Box::new(move |v| conv::conv_transpose2d(&v[0], &v[1], &spec)),
        };
        let request = json!({ "op": op, "stride": stride, "padding": padding });
        Case { group: "convolutions", name: name.into(), request, shapes: vec![x.to_vec(), w.to_vec()], run }
    };
    let conv = |name: &str, x, w, stride, padding| case("conv2d", name, x, w, stride, padding);
    vec![
        conv("conv3x3 N16 64→64 64²", [16, 64, 64, 64], [64, 64, 3, 3], 1, 1),
        conv("conv3x3 N16 128→128 32²", [16, 128, 32, 32], [128, 128, 3, 3], 1, 1),
        conv("conv3x3 N8 256→256 32²", [8, 256, 32, 32], [256, 256, 3, 3], 1, 1),
        conv("conv3x3 N16 512→512 8²", [16, 512, 8, 8], [512, 512, 3, 3], 1, 1),
        conv("conv4x4 s2 N16 64→128 64²", [16, 64, 64, 64], [128, 64, 4, 4], 2, 1),
        conv("conv3x3 s2 N16 64→64 64²", [16, 64, 64, 64], [64, 64, 3, 3], 2, 1),
        conv("conv7x7 N8 3→64 128²", [8, 3, 128, 128], [64, 3, 7, 7], 1, 3),
        conv("conv1x1 N16 128→128 32²", [16, 128, 32, 32], [128, 128, 1, 1], 1, 0),
        case("conv_transpose2d", "convT4x4 s2 N16 256→128 16²", [16, 256, 16, 16], [256, 128, 4, 4], 2, 1),
    ]
}
