//! Milliseconds of the operations that training spends its time in, forward and forward + backward:
//! `cargo bench --profile dev --bench ops` (the development profile optimises, and shares the compiled dependencies).
//!
//! Printed are milliseconds of processor time, summed over threads, of the best of several rounds: on a busy machine
//! wall time says little. With `RAYON_NUM_THREADS=1` the two are the same on an idle one.

mod common;

use std::time::{Duration, Instant};

use common::processor_seconds;
use tachie::Result;
use tachie::candle_core::{Device, Tensor, Var};
use tachie::nn::conv::ConvSpec;
use tachie::ops::adam::AdamStep;
use tachie::ops::norm::{batch_norm, instance_norm};
use tachie::ops::resample::{avg_pool2d, upsample_nearest};
use tachie::ops::reshape::{ShuffleOrder, pixel_shuffle};
use tachie::ops::{activation, conv};
use tachie::rng::seed;

const BUDGET: Duration = Duration::from_secs(2);

fn variable(name: &str, shape: &[usize]) -> Result<Var> {
    Ok(Var::from_tensor(&seed(1).stream(name).normal_tensor(shape, &Device::Cpu)?)?)
}

fn best(f: impl Fn() -> Result<()>) -> Result<f64> {
    f()?;
    let (start, mut best) = (Instant::now(), f64::INFINITY);
    while start.elapsed() < BUDGET {
        let before = processor_seconds();
        f()?;
        best = best.min((processor_seconds() - before) * 1e3);
    }
    Ok(best)
}

/// One row: `f` on variables of these shapes.
fn row(name: &str, shapes: &[&[usize]], f: impl Fn(&[Var]) -> Result<Tensor>) -> Result<()> {
    let variables: Vec<Var> =
        shapes.iter().enumerate().map(|(i, shape)| variable(&format!("{name}/{i}"), shape)).collect::<Result<_>>()?;
    let forward = best(|| f(&variables).map(|_| ()))?;
    let both = best(|| Ok(f(&variables)?.backward().map(|_| ())?))?;
    println!("{name:<34} {forward:8.1} {both:8.1}");
    Ok(())
}

fn convolution(name: &str, x: [usize; 4], w: [usize; 4], spec: ConvSpec) -> Result<()> {
    row(name, &[&x, &w], |v| conv::conv2d(&v[0], &v[1], &spec))
}

fn main() -> Result<()> {
    println!("{} threads{:>35} {:>8}", rayon::current_num_threads(), "forward", "f + b ms");
    let (same, double) = (ConvSpec::padded(1), ConvSpec::padded(1).stride(2));
    convolution("conv3x3 N16 64→64 64²", [16, 64, 64, 64], [64, 64, 3, 3], same)?;
    convolution("conv3x3 N16 128→128 32²", [16, 128, 32, 32], [128, 128, 3, 3], same)?;
    convolution("conv3x3 N8 256→256 32²", [8, 256, 32, 32], [256, 256, 3, 3], same)?;
    convolution("conv3x3 N16 512→512 8²", [16, 512, 8, 8], [512, 512, 3, 3], same)?;
    convolution("conv3x3 N16 512→512 4²", [16, 512, 4, 4], [512, 512, 3, 3], same)?;
    convolution("conv4x4 s2 N16 64→128 64²", [16, 64, 64, 64], [128, 64, 4, 4], double)?;
    convolution("conv3x3 s2 N16 64→64 64²", [16, 64, 64, 64], [64, 64, 3, 3], double)?;
    convolution("conv7x7 N8 3→64 128²", [8, 3, 128, 128], [64, 3, 7, 7], ConvSpec::padded(3))?;
    convolution("conv9x9 N8 64→3 64²", [8, 64, 64, 64], [3, 64, 9, 9], ConvSpec::padded(4))?;
    convolution("conv1x1 N16 128→128 32²", [16, 128, 32, 32], [128, 128, 1, 1], ConvSpec::default())?;
    row("convT4x4 s2 N16 256→128 16²", &[&[16, 256, 16, 16], &[256, 128, 4, 4]], |v| {
        conv::conv_transpose2d(&v[0], &v[1], &double)
    })?;
    let plane: &[usize] = &[16, 64, 64, 64];
    row("batch norm 16x64x64²", &[plane, &[64], &[64]], |v| Ok(batch_norm(&v[0], &v[1], &v[2], 1e-5)?.0))?;
    row("batch norm 64x16384", &[&[64, 16384], &[16384], &[16384]], |v| Ok(batch_norm(&v[0], &v[1], &v[2], 1e-5)?.0))?;
    row("instance norm 16x64x64²", &[plane], |v| instance_norm(&v[0], None, 1e-5))?;
    row("leaky ReLU 16x64x64²", &[plane], |v| activation::leaky_relu(&v[0], 0.2))?;
    row("tanh 16x64x64²", &[plane], |v| activation::tanh(&v[0]))?;
    row("nearest 16x64x32² → 64²", &[&[16, 64, 32, 32]], |v| upsample_nearest(&v[0], 2))?;
    row("average pool 16x64x64² → 32²", &[plane], |v| avg_pool2d(&v[0], 2))?;
    row("pixel shuffle 16x256x32² → 64²", &[&[16, 256, 32, 32]], |v| pixel_shuffle(&v[0], 2, ShuffleOrder::Dcr))?;
    let adam = [0, 1, 2, 3].map(|i| variable(&format!("adam/{i}"), &[10_000_000]));
    let [parameter, gradient, first, second] = adam;
    let (parameter, gradient, first, second) = (parameter?, gradient?, first?, second?.sqr()?);
    let step = AdamStep { learning_rate: 2e-4, beta1: 0.5, beta2: 0.999, epsilon: 1e-8, step: 1 };
    println!("Adam, 10 M numbers {:24.1}", best(|| step.apply(&parameter, &gradient, &first, &second))?);
    Ok(())
}
