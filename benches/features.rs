//! Milliseconds that a network of metrics takes for a picture, beside PyTorch's:
//! `cargo bench --profile dev --bench features -- [--python PYTHON] [--threads N] [--rounds N] [--only TEXT]`
//! (the development profile optimises, and shares the compiled dependencies).
//!
//! `PYTHON` is an interpreter with torchvision and pytorch-fid (benches/features_torch.py). The two take turns, round by
//! round; printed are the medians over rounds of wall and processor time per picture, and of the ratios of neighbours.
//! Weights are drawn: time does not depend on them.

#[path = "common/processor.rs"]
mod processor;
#[path = "common/rival.rs"]
mod rival;
#[path = "common/stats.rs"]
mod stats;

use std::collections::BTreeMap;
use std::time::Instant;

use processor::processor_seconds;
use rival::Rival;
use serde_json::json;
use stats::median;
use tachie::candle_core::{Device, Tensor};
use tachie::metrics::nets::inception::{Inception, Tap};
use tachie::metrics::nets::trunk::{Architecture, Trunk};
use tachie::metrics::nets::weights::Kind;
use tachie::rng::seed;
use tachie::{Error, Result};

/// Forward passes per round.
const RUNS: usize = 3;

/// Network as torchvision calls it, pictures, side.
const CASES: [(&str, usize, usize); 6] = [
    ("inception", 1, 299),
    ("inception", 8, 299),
    ("alexnet", 8, 224),
    ("vgg16", 2, 224),
    ("vgg19", 2, 224),
    ("squeezenet1_1", 8, 224),
];

struct Options {
    python: Option<String>,
    threads: usize,
    rounds: usize,
    only: String,
}

impl Options {
    fn read() -> Options {
        let mut options = Options { python: None, threads: 2, rounds: 7, only: String::new() };
        let mut args = std::env::args().skip(1);
        while let Some(arg) = args.next() {
            let mut number = |default: usize| args.next().and_then(|n| n.parse().ok()).unwrap_or(default);
            match arg.as_str() {
                "--threads" => options.threads = number(2),
                "--rounds" => options.rounds = number(7),
                "--python" => options.python = args.next(),
                "--only" => options.only = args.next().unwrap_or_default(),
                _ => {}
            }
        }
        options
    }
}

enum Network {
    Inception(Box<Inception>),
    Trunk(Trunk),
}

impl Network {
    fn new(name: &str) -> Result<Network> {
        let architecture = match name {
            "inception" => {
                let net = Inception::new(&drawn(Kind::Inception)?, &Device::Cpu)?;
                return Ok(Network::Inception(Box::new(net)));
            }
            "alexnet" => Architecture::Alexnet,
            "vgg16" => Architecture::Vgg16,
            "vgg19" => Architecture::Vgg19,
            _ => Architecture::Squeezenet,
        };
        Ok(Network::Trunk(Trunk::new(&drawn(architecture.kind())?, architecture, &Device::Cpu)?))
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        match self {
            Network::Inception(net) => net.features(x, Tap::Pool3),
            Network::Trunk(net) => net.forward(x),
        }
    }
}

/// Weights that keep the size of what passes through.
fn drawn(kind: Kind) -> Result<BTreeMap<String, Tensor>> {
    let draw = |(name, shape): (String, Vec<usize>)| {
        let numbers = seed(1).stream(&name).normal_tensor(&shape, &Device::Cpu)?;
        let fan_in = shape.iter().skip(1).product::<usize>().max(1) as f64;
        let positive = name.ends_with("running_var") || name.ends_with("bn.weight");
        let numbers = if positive { (numbers.abs()? + 0.5)? } else { (numbers * (2.0 / fan_in).sqrt())? };
        Ok((name, numbers))
    };
    kind.tensors()?.into_iter().map(draw).collect()
}

/// Wall and processor milliseconds per picture.
#[derive(Clone, Copy)]
struct Time {
    wall: f64,
    processor: f64,
}

fn ours(network: &Network, x: &Tensor) -> Result<Time> {
    let pictures = x.dims()[0] as f64;
    let (before, mut walls) = (processor_seconds(), Vec::new());
    for _ in 0..RUNS {
        let start = Instant::now();
        network.forward(x)?;
        walls.push(start.elapsed().as_secs_f64() * 1e3);
    }
    let processor = (processor_seconds() - before) * 1e3 / RUNS as f64;
    Ok(Time { wall: median(walls) / pictures, processor: processor / pictures })
}

fn theirs(torch: &mut Rival, (name, pictures, side): (&str, usize, usize)) -> Result<Time> {
    let answer = torch.ask(&json!([name, pictures, side]))?;
    let each = |part: &str| Ok::<f64, Error>(Rival::number(&answer, part)? / pictures as f64);
    Ok(Time { wall: each("wall")?, processor: each("processor")? })
}

fn main() -> Result<()> {
    let options = Options::read();
    println!("{} threads, {} rounds of {RUNS} forward passes; ms per picture", options.threads, options.rounds);
    // Also makes the allocator keep memory, as it does in every program that computes with networks.
    tachie::device::named("cpu")?;
    let pool = rayon::ThreadPoolBuilder::new().num_threads(options.threads).build();
    let pool = pool.map_err(|e| Error::invalid("threads", e.to_string(), "a number of threads", ""))?;
    let arguments = [options.threads.to_string(), RUNS.to_string()];
    let start = |python: &String| Rival::start(python, "features_torch.py", &arguments);
    let mut torch = options.python.as_ref().map(start).transpose()?;
    for case in CASES.into_iter().filter(|(name, ..)| name.contains(&options.only)) {
        let (name, pictures, side) = case;
        let network = Network::new(name)?;
        let x = seed(2).stream("pictures").normal_tensor(&[pictures, 3, side, side], &Device::Cpu)?;
        pool.install(|| network.forward(&x))?;
        let (mut mine, mut others) = (Vec::new(), Vec::new());
        for _ in 0..options.rounds {
            if let Some(torch) = torch.as_mut() {
                others.push(theirs(torch, case)?);
            }
            mine.push(pool.install(|| ours(&network, &x))?);
        }
        print_row(case, &mine, &others);
    }
    Ok(())
}

fn print_row((name, pictures, side): (&str, usize, usize), mine: &[Time], theirs: &[Time]) {
    let of = |times: &[Time], part: fn(&Time) -> f64| median(times.iter().map(part).collect());
    let mut row = format!("{name:<14} {pictures} × {side} px  tachie {:7.2} ms", of(mine, |t| t.wall));
    row += &format!(" (processor {:7.2})", of(mine, |t| t.processor));
    if !theirs.is_empty() {
        let ratio = |part: fn(&Time) -> f64| median(mine.iter().zip(theirs).map(|(a, b)| part(a) / part(b)).collect());
        row += &format!("  torch {:7.2} ms (processor {:7.2})", of(theirs, |t| t.wall), of(theirs, |t| t.processor));
        row += &format!("  tachie/torch {:.2} (processor {:.2})", ratio(|t| t.wall), ratio(|t| t.processor));
    }
    println!("{row}");
}
