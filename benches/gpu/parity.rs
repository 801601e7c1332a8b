//! The CPU's results are the measure of the GPU's.

use std::collections::BTreeMap;

use tachie::autograd::backward;
use tachie::candle_core::{DType, Device, Tensor, Var};
use tachie::nn::params::ParamStore;
use tachie::ops::adam::{AdamStep, Update, lerp_all, update};
use tachie::ops::data::{pictures, pose_maps, squared_distances};
use tachie::ops::finite::all_finite;
use tachie::rng::Seed;
use tachie::train::plan::Precision;
use tachie::{Error, Result};

use super::cases::{self, Case};
use super::models::Model;
use super::steps::How;
use super::{graphs, steps};

/// Largest difference, relative to the largest number of the CPU's result: f32 with sums in another order, and bf16 with
/// 8 bits a number.
const F32: f64 = 2e-5;
const BF16: f64 = 3e-2;

/// How far a training step may differ: a loss, relative, and the moved weights, as a share of how far they moved.
/// Adam's first step is the sign of the gradient, so weights whose gradient is rounding noise, such as biases before a
/// norm, move apart. A share f of other signs is a distance of 2√f; a step into a direction that has nothing to do with
/// the right one is at 1.4.
pub struct Limits {
    pub loss: f64,
    pub moved: f64,
}

/// Four signs in a hundred; the small models are at two.
pub const STEP_F32: Limits = Limits { loss: 1e-3, moved: 0.4 };
/// Every layer rounds what it multiplies and what it gives by up to 2⁻⁹; that grows with the root of the number of
/// layers, some 30 there and back, to a hundredth of a loss or a gradient. A gradient has the other sign in bf16 where
/// it is smaller than that error: if its numbers are normally distributed around 0, in some hundredths of all weights.
/// 0.6 are 9 in a hundred; the small models are at five.
const STEP_BF16: Limits = Limits { loss: 3e-2, moved: 0.6 };

/// What is compared, by texts in names.
#[derive(Debug)]
pub struct Wanted {
    pub only: String,
    pub without: Option<String>,
}

impl Wanted {
    fn has(&self, name: &str) -> bool {
        name.contains(&self.only) && !self.without.as_ref().is_some_and(|text| name.contains(text))
    }
}

/// What was compared, and what failed.
pub struct Report {
    wanted: Wanted,
    passed: usize,
    failed: Vec<String>,
}

impl Report {
    /// Notes whether a difference is within its limit.
    pub fn check(&mut self, name: &str, difference: Result<f64>, limit: f64) {
        match difference {
            Ok(difference) if difference <= limit => self.passed += 1,
            Ok(difference) => self.failed.push(format!("{name}: differs by {difference:.1e}, allowed {limit:.0e}")),
            Err(error) => self.failed.push(format!("{name}: {error}")),
        }
    }

    fn wants(&self, name: &str) -> bool {
        self.wanted.has(name)
    }
}

/// Compares everything; an error when something differs.
pub fn run(gpu: &Device, small: bool, wanted: Wanted) -> Result<()> {
    // Tensor cores round factors to 10 bits; what is compared here is the arithmetic.
    tachie::device::allow_tf32(false);
    let mut report = Report { wanted, passed: 0, failed: Vec::new() };
    for case in cases::all() {
        if !report.wants(&case.name) {
            continue;
        }
        operation(&case, gpu, DType::F32, F32, &mut report);
        if case.takes_bf16() {
            operation(&case, gpu, DType::BF16, BF16, &mut report);
        }
    }
    in_place(gpu, &mut report);
    data(gpu, &mut report);
    for model in steps::few(small) {
        if report.wants(&model.name) {
            steps_agree(&model, gpu, Precision::F32, &STEP_F32, &mut report);
            // The penalty differentiates the discriminator twice, so it has to be in the step that is compared.
            steps_agree(&model.penalised(), gpu, Precision::Bf16, &STEP_BF16, &mut report);
        }
    }
    if report.wants("graphs") {
        graphs::run(gpu, &steps::few(small), &mut report);
    }
    println!("{} comparisons passed, {} failed", report.passed, report.failed.len());
    if report.passed == 0 && report.failed.is_empty() {
        let found = format!("{:?}", report.wanted);
        return Err(Error::invalid("what to compare", found, "text in the name of an operation or a model", ""));
    }
    match report.failed.is_empty() {
        true => Ok(()),
        false => Err(Error::Candle(format!("GPU and CPU differ:\n{}", report.failed.join("\n")))),
    }
}

fn steps_agree(model: &Model, gpu: &Device, precision: Precision, limits: &Limits, report: &mut Report) {
    let outcome = step(model, gpu, precision);
    let name = |what: &str| format!("{}, {precision}: {what}", model.name);
    if let Ok((loss, moved)) = &outcome {
        println!("{}, {precision}: losses {loss:.1e} and moved weights {moved:.1e} apart", model.name);
    }
    report.check(&name("losses"), outcome.as_ref().map(|(loss, _)| *loss).map_err(copy), limits.loss);
    report.check(&name("weights"), outcome.map(|(_, moved)| moved), limits.moved);
}

fn copy(error: &Error) -> Error {
    Error::Candle(error.to_string())
}

/// Largest difference of two tensors over the largest number of the second.
fn difference(found: &Tensor, wanted: &Tensor) -> Result<f64> {
    let numbers = |tensor: &Tensor| -> Result<Vec<f64>> {
        Ok(tensor.to_device(&Device::Cpu)?.to_dtype(DType::F64)?.flatten_all()?.to_vec1()?)
    };
    if found.dims() != wanted.dims() {
        return Err(Error::shape("result on the GPU", found.dims(), format!("{:?}", wanted.dims())));
    }
    let (found, wanted) = (numbers(found)?, numbers(wanted)?);
    let largest = wanted.iter().fold(1e-12f64, |largest, value| largest.max(value.abs()));
    let apart = found.iter().zip(&wanted).map(|(a, b)| (a - b).abs() / largest);
    // A number that is not one is as far away as can be.
    Ok(apart.fold(0.0, |most, apart| if apart.is_nan() { f64::INFINITY } else { most.max(apart) }))
}

/// Value and gradients of an operation, with numbers that both sides store exactly.
fn operation(case: &Case, gpu: &Device, dtype: DType, limit: f64, report: &mut Report) {
    let name = |what: &str| format!("{}, {dtype:?}: {what}", case.name);
    let both = || -> Result<_> {
        let mut operands = Vec::new();
        for (i, shape) in case.shapes.iter().enumerate() {
            let stream = format!("{} {i}", case.name);
            let tensor = Seed(1).stream(&stream).normal_tensor(shape, &Device::Cpu)?;
            operands.push(tensor.to_dtype(DType::F32)?.to_dtype(case.dtype(i, dtype))?.to_dtype(DType::F32)?);
        }
        let wanted = evaluated(case, &operands, &Device::Cpu, DType::F32)?;
        Ok((evaluated(case, &operands, gpu, dtype)?, wanted))
    };
    match both() {
        Err(error) => report.failed.push(format!("{}: {error}", name("cannot run"))),
        Ok((found, wanted)) => {
            for (i, (found, wanted)) in found.iter().zip(&wanted).enumerate() {
                let what = if i == 0 { "value".to_string() } else { format!("gradient of operand {i}") };
                report.check(&name(&what), difference(found, wanted), limit);
            }
        }
    }
}

/// The value, then the gradient of every operand that has one.
fn evaluated(case: &Case, operands: &[Tensor], device: &Device, dtype: DType) -> Result<Vec<Tensor>> {
    let variables = operands
        .iter()
        .enumerate()
        .map(|(i, tensor)| Ok(Var::from_tensor(&tensor.to_device(device)?.to_dtype(case.dtype(i, dtype))?)?))
        .collect::<Result<Vec<Var>>>()?;
    let tensors: Vec<Tensor> = variables.iter().map(|variable| variable.as_tensor().clone()).collect();
    let value = (case.run)(&tensors)?;
    // Weights that differ from number to number, the same on both sides.
    let weights = Seed(2).stream("weights").normal_tensor(value.dims(), &Device::Cpu)?;
    let weights = weights.to_dtype(DType::BF16)?.to_dtype(value.dtype())?.to_device(device)?;
    let gradients = backward(&(&value * weights)?)?;
    let mut all = vec![value];
    all.extend(variables.iter().filter_map(|variable| gradients.get(variable).cloned()));
    Ok(all)
}

/// Adam, running averages and the search for NaN over more tensors than one launch takes, some longer than a block.
fn in_place(gpu: &Device, report: &mut Report) {
    if !report.wants("optimizer") {
        return;
    }
    let lengths: Vec<usize> = (0..200).map(|i| [1, 7, 64, 4096, 4097, 9000][i % 6]).collect();
    let tensors = |what: &str, device: &Device| -> Result<Vec<Tensor>> {
        let tensor = |(i, &len): (usize, &usize)| -> Result<Tensor> {
            let tensor = Seed(3).stream(&format!("{what} {i}")).uniform_tensor(&[len], &Device::Cpu)?;
            Ok(tensor.to_dtype(DType::F32)?.to_device(device)?)
        };
        lengths.iter().enumerate().map(tensor).collect()
    };
    let moved = |device: &Device| -> Result<Vec<Tensor>> {
        let [parameters, gradients, first, second] =
            ["parameter", "gradient", "first", "second"].map(|what| tensors(what, device));
        let (parameters, gradients, first, second) = (parameters?, gradients?, first?, second?);
        let updates: Vec<Update> = (0..lengths.len())
            .map(|i| {
                // Tensors may be at different steps.
                let step = 1 + i as u64 % 3;
                let step = AdamStep { learning_rate: 0.01, beta1: 0.5, beta2: 0.9, epsilon: 1e-8, step };
                let (parameter, gradient) = (&parameters[i], &gradients[i]);
                Update { parameter, gradient, first: &first[i], second: &second[i], step }
            })
            .collect();
        update(&updates)?;
        let averages = tensors("average", device)?;
        let pairs: Vec<(&Tensor, &Tensor)> = averages.iter().zip(&parameters).collect();
        lerp_all(&pairs, 0.25)?;
        Ok([parameters, first, second, averages].concat())
    };
    let compared = || -> Result<f64> {
        let (found, wanted) = (moved(gpu)?, moved(&Device::Cpu)?);
        found.iter().zip(&wanted).try_fold(0.0f64, |most, (found, wanted)| Ok(most.max(difference(found, wanted)?)))
    };
    report.check("optimizer: Adam and running average", compared(), F32);
    let searched = || -> Result<f64> {
        let mut all = tensors("finite", gpu)?;
        let good = all_finite(&all.iter().collect::<Vec<_>>())?;
        let last = *lengths.last().unwrap_or(&1);
        let mut numbers = vec![0f32; last];
        numbers[last - 1] = f32::NAN;
        all.push(Tensor::from_vec(numbers, last, gpu)?);
        let bad = all_finite(&all.iter().collect::<Vec<_>>())?;
        Ok(if good && !bad { 0.0 } else { 1.0 })
    };
    report.check("optimizer: search for NaN", searched(), 0.5);
}

fn data(gpu: &Device, report: &mut Report) {
    if !report.wants("data") {
        return;
    }
    let on_both = |run: &dyn Fn(&Device) -> Result<Tensor>| difference(&run(gpu)?, &run(&Device::Cpu)?);
    let bytes: Vec<u8> = (0..3 * 5 * 7 * 3).map(|i| (i * 37 % 256) as u8).collect();
    for flips in [None, Some([0u8, 1, 7])] {
        let made = on_both(&|device| {
            let bytes = Tensor::from_slice(&bytes, (3, 5, 7, 3), device)?;
            let flips = flips.map(|flips| Tensor::new(&flips, device)).transpose()?;
            pictures(&bytes, flips.as_ref())
        });
        report.check("data: pictures", made, F32);
    }
    let points = [[1.5f32, 2.0, 1.0], [8.9, 5.9, 1.0], [9.0, 2.0, 1.0], [3.0, 3.0, 0.0], [-0.5, 0.0, 1.0]];
    for radius in [0.0, 2.5] {
        let made = on_both(&|device| pose_maps(&Tensor::new(&[points], device)?, [6, 9], radius));
        report.check("data: pose maps", made, 0.0);
    }
    let made = on_both(&|device| {
        let rows = |name: &str, n: usize| -> Result<Tensor> {
            let rows = Seed(4).stream(name).normal_tensor(&[n, 37], &Device::Cpu)?;
            Ok(rows.to_dtype(DType::F32)?.to_device(device)?)
        };
        squared_distances(&rows("queries", 21)?, &rows("references", 50)?)
    });
    report.check("data: distances", made, F32);
}

/// One training step, in this precision on the GPU and in f32 on the CPU: the largest relative difference of a loss,
/// and that of the moved weights.
fn step(model: &Model, gpu: &Device, precision: Precision) -> Result<(f64, f64)> {
    let sides = [(gpu, precision), (&Device::Cpu, Precision::F32)].map(|(device, precision)| -> Result<_> {
        let folder = tempfile::tempdir().map_err(|source| Error::io("make a folder", std::env::temp_dir(), source))?;
        let (mut trainer, batch) = steps::trainer(model, device, How::eagerly(precision), folder.path())?;
        let before = snapshot(&trainer.networks().params)?;
        let losses = trainer.step_on(&batch)?.losses;
        let networks = trainer.networks();
        Ok((before, losses, snapshot(&networks.params)?, snapshot(&networks.average)?))
    });
    let [found, wanted] = sides;
    let ((_, found, weights, averages), (before, losses, moved, wanted_averages)) = (found?, wanted?);
    let mut apart = 0.0f64;
    for (name, wanted) in &losses {
        let found = found.get(name).copied().unwrap_or(f64::NAN);
        let difference = (found - wanted).abs() / wanted.abs().max(1e-3);
        apart = if difference.is_nan() { f64::INFINITY } else { apart.max(difference) };
    }
    let (mut wrong, mut all) = (0.0, 0.0);
    for (mine, theirs) in [(&weights, &moved), (&averages, &wanted_averages)] {
        for (name, theirs) in theirs {
            let (mine, before) = (&mine[name], &before[name]);
            for ((a, b), start) in mine.iter().zip(theirs).zip(before) {
                wrong += (a - b) * (a - b);
                all += (b - start) * (b - start);
            }
        }
    }
    let moved = (wrong / f64::max(all, 1e-30)).sqrt();
    Ok((apart, if moved.is_nan() { f64::INFINITY } else { moved }))
}

/// What an optimizer moves; running statistics, which move by far more, would hide it.
fn snapshot(params: &ParamStore) -> Result<BTreeMap<String, Vec<f64>>> {
    let numbers = |tensor: &Tensor| -> Result<Vec<f64>> {
        Ok(tensor.to_device(&Device::Cpu)?.to_dtype(DType::F64)?.flatten_all()?.to_vec1()?)
    };
    params.trainable("").iter().map(|(name, var)| Ok((name.clone(), numbers(var)?))).collect()
}
