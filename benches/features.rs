//! Milliseconds that a network of metrics takes for a picture, beside PyTorch's:
//! `cargo bench --profile dev --bench features -- [--python PYTHON] [--threads N] [--rounds N] [--only TEXT] [--json FILE]`
//! (the development profile optimises, and shares the compiled dependencies).
//!
//! `PYTHON` is an interpreter with torchvision and pytorch-fid (benches/pytorch/features.py). The two take turns, round by
//! round; printed are the medians over rounds of wall and processor time per picture, and of the ratios of neighbours.
//! Weights are drawn: time does not depend on them.

#[allow(dead_code, reason = "a turn is always as many passes")]
#[path = "common/options.rs"]
mod options;
#[path = "common/processor.rs"]
mod processor;
#[allow(dead_code, reason = "memory is not measured here")]
#[path = "common/report.rs"]
mod report;
#[path = "common/rival.rs"]
mod rival;
#[path = "common/stats.rs"]
mod stats;
#[path = "common/timed.rs"]
mod timed;

use std::collections::BTreeMap;

use clap::Parser;
use options::{Effort, Options};
use report::in_pool;
use serde_json::json;
use tachie::Result;
use tachie::candle_core::{Device, Tensor};
use tachie::metrics::nets::illustration2vec::Illustration2Vec;
use tachie::metrics::nets::inception::{Inception, Tap};
use tachie::metrics::nets::trunk::{Architecture, Trunk};
use tachie::metrics::nets::weights::Kind;
use tachie::rng::seed;
use timed::{Row, Time};

/// Forward passes per round.
const RUNS: usize = 3;
/// Seconds after which no further round of a row begins.
const MOST: f64 = 60.0;
/// The largest ratio to PyTorch's time that is accepted.
const WANTED: f64 = 1.0;

/// Network, pictures, side.
const CASES: [(Net, usize, usize); 7] = [
    (Net::Inception, 1, 299),
    (Net::Inception, 8, 299),
    (Net::Trunk(Architecture::Alexnet), 8, 224),
    (Net::Trunk(Architecture::Vgg16), 2, 224),
    (Net::Trunk(Architecture::Vgg19), 2, 224),
    (Net::Trunk(Architecture::Squeezenet), 8, 224),
    (Net::Illustration2Vec, 2, 224),
];

#[derive(Clone, Copy)]
enum Net {
    Inception,
    Trunk(Architecture),
    Illustration2Vec,
}

type Forward = Box<dyn Fn(&Tensor) -> Result<Tensor> + Send + Sync>;

impl Net {
    fn kind(self) -> Kind {
        match self {
            Net::Inception => Kind::Inception,
            Net::Trunk(architecture) => architecture.kind(),
            Net::Illustration2Vec => Kind::I2v,
        }
    }

    fn build(self) -> Result<Forward> {
        let (weights, device) = (drawn(self.kind())?, Device::Cpu);
        Ok(match self {
            Net::Inception => {
                let net = Inception::new(&weights, &device)?;
                Box::new(move |x| net.features(x, Tap::Pool3))
            }
            Net::Trunk(architecture) => {
                let net = Trunk::new(&weights, architecture, &device)?;
                Box::new(move |x| net.forward(x))
            }
            Net::Illustration2Vec => {
                let net = Illustration2Vec::new(&weights, Kind::I2v, &device)?;
                Box::new(move |x| net.forward(x))
            }
        })
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

fn main() -> Result<()> {
    let options = Options::parse();
    // Also makes the allocator keep memory, as it does in every program that computes with networks.
    tachie::device::named("cpu")?;
    let mut rival = options.start("pytorch/features.py", options.threads, &[RUNS.to_string()])?;
    println!("milliseconds a picture, {RUNS} forward passes a round");
    let mut rows = Vec::new();
    for (net, pictures, side) in CASES {
        let name = format!("{}, {pictures} × {side} px", net.kind().name());
        if !name.contains(&options.only) {
            continue;
        }
        let forward = net.build()?;
        let x = seed(2).stream("pictures").normal_tensor(&[pictures, 3, side, side], &Device::Cpu)?;
        let effort = Effort { most: MOST, ..options.effort(0.0) };
        let row = in_pool(options.threads, || {
            forward(&x)?;
            let ours = || Ok((Time::of(RUNS, pictures, || forward(&x).map(drop))?, None));
            let request = json!([net.kind().name(), pictures, side]);
            let theirs = || match rival.as_mut() {
                Some(rival) => Ok(Some((Time::told(&rival.ask(&request)?, pictures)?, None))),
                None => Ok(None),
            };
            Row::measure(&name, Some(WANTED), effort, ours, theirs)
        })?;
        rows.push(row);
    }
    options.write(&rows)
}
