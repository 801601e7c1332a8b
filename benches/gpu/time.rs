//! Milliseconds on the GPU, and everything that PyTorch needs to do the same.

use std::path::Path;
use std::time::Instant;

use serde_json::{Value, json};
use tachie::autograd::backward_from;
use tachie::candle_core::{DType, Device, Tensor, Var};
use tachie::nn::conv::ConvSpec;
use tachie::rng::Seed;
use tachie::train::plan::Precision;
use tachie::{Error, Result};

use super::models::{Measured, Model, export, models};
use super::operations::{self, Case};
use super::steps::{self, How};

/// Seconds that a measurement of a step lasts, and of an operation.
const STEP: f64 = 1.0;
const OPERATION: f64 = 0.3;
/// Passes before anything is measured: algorithms are chosen, memory is taken.
const WARM: usize = 3;

/// Writes `tachie.csv` (kind, name, type, milliseconds), `operations.json` and, per model, a folder for PyTorch into
/// `out`.
pub fn run(gpu: &Device, out: &Path, quick: bool) -> Result<()> {
    tachie::device::allow_tf32(true);
    let clock = Clock { gpu, quick };
    let write =
        |path: &Path, text: String| std::fs::write(path, text).map_err(|source| Error::io("write", path, source));
    std::fs::create_dir_all(out).map_err(|source| Error::io("make the folder", out, source))?;
    let mut rows = String::from("kind,name,type,milliseconds\n");
    let mut row = |kind: &str, name: &str, dtype: &str, time: f64| {
        println!("{kind:10} {dtype:10} {time:10.3} ms  {name}");
        rows.push_str(&format!("{kind},\"{name}\",{dtype},{time}\n"));
    };
    let mut requests = Vec::new();
    for timed in timed_operations(quick)? {
        for &(dtype, name) in timed.types() {
            row("operation", &timed.case.name, name, clock.operation(&timed, dtype)?);
        }
        requests.push(timed.request());
    }
    write(&out.join("operations.json"), json!(requests).to_string())?;
    for (i, model) in timed_models(quick).into_iter().enumerate() {
        let folder = out.join(format!("model-{i}"));
        std::fs::create_dir_all(&folder).map_err(|source| Error::io("make the folder", &folder, source))?;
        write(&folder.join("name.txt"), model.name.clone())?;
        for (precision, name) in [(Precision::F32, "tf32"), (Precision::Bf16, "bf16")] {
            row("step", &model.name, name, clock.step(&model, How::eagerly(precision), &folder)?);
            let graphs = How { precision, graphs: true };
            row("step", &model.name, &format!("{name}-graph"), clock.step(&model, graphs, &folder)?);
        }
    }
    write(&out.join("tachie.csv"), rows)
}

/// The models at sizes that fill a GPU; the smallest alone, with few pictures, where it is to be quick.
fn timed_models(quick: bool) -> Vec<Model> {
    let batches: &[(&str, usize)] = match quick {
        true => &[("make-girls tiny", 2)],
        false => &[("make-girls paper, 128 px", 64), ("dcgan paper, 128 px", 64), ("make-girls tiny", 64)],
    };
    let all = models();
    let model = |&(name, batch): &(&str, usize)| {
        let model = all.iter().find(|model| model.name.starts_with(name))?;
        let name = model.name.rsplit_once(", batch").map_or(model.name.as_str(), |(name, _)| name);
        Some(Model {
            name: format!("{name}, batch {batch}"),
            config: model.config.clone().batch(batch),
            ..model.clone()
        })
    };
    batches.iter().filter_map(model).collect()
}

/// An operation to measure, and whether it exists for bf16 maps.
struct Timed {
    case: Case,
    half: bool,
}

/// The convolutions of the paper's networks, and every other kind of operation of the CPU's benches, at batch 64 (4
/// where it is to be quick).
fn timed_operations(quick: bool) -> Result<Vec<Timed>> {
    let n = if quick { 4 } else { 64 };
    let groups = ["norms", "activations", "resampling", "Adam", "running average", "reductions"];
    let others = operations::cases()?.into_iter().filter(|case| groups.contains(&case.group)).map(|mut case| {
        // Optimizers and the norm of a weight work on parameters, which are f32.
        let half = !case.one_way() && case.request["op"] != "spectral_norm";
        if half {
            // The CPU's benches have 16 pictures.
            let batches = case.shapes.iter_mut().filter(|shape| shape.len() > 1).filter_map(|shape| shape.first_mut());
            batches.filter(|batch| **batch == 16).for_each(|batch| *batch = n);
            case.name = case.name.replace("16x", &format!("{n}x"));
        }
        Timed { case, half }
    });
    Ok(convolutions(n).into_iter().chain(others).collect())
}

/// Convolutions of the paper's networks at 128 px.
fn convolutions(n: usize) -> Vec<Timed> {
    let shapes: [([usize; 4], [usize; 4], usize, usize); 6] = [
        ([n, 64, 16, 16], [64, 64, 3, 3], 1, 1),
        ([n, 64, 64, 64], [256, 64, 3, 3], 1, 1),
        ([n, 64, 128, 128], [3, 64, 9, 9], 1, 4),
        ([n, 3, 128, 128], [32, 3, 4, 4], 2, 1),
        ([n, 128, 16, 16], [128, 128, 3, 3], 1, 1),
        ([n, 512, 4, 4], [1024, 512, 3, 3], 2, 1),
    ];
    let timed = |(x, w, stride, padding): ([usize; 4], [usize; 4], usize, usize)| {
        let name = format!("conv{}x{} s{stride} N{n} {}→{} {}²", w[2], w[3], w[1], w[0], x[2]);
        let request = json!({ "op": "conv2d", "stride": stride, "padding": padding });
        let spec = ConvSpec::padded(padding).stride(stride);
        let run: operations::Run = Box::new(move |v| tachie::ops::conv::conv2d(&v[0], &v[1], &spec));
        let shapes = vec![x.to_vec(), w.to_vec()];
        let case = Case { group: "convolutions", name, request, shapes, dtype: DType::F32, run };
        Timed { case, half: true }
    };
    shapes.into_iter().map(timed).collect()
}

impl Timed {
    /// The types it is measured in, with their names in tables.
    fn types(&self) -> &'static [(DType, &'static str)] {
        let all = &[(DType::F32, "tf32"), (DType::BF16, "bf16")];
        if self.half { all } else { &all[..1] }
    }

    /// What PyTorch needs to know.
    fn request(&self) -> Value {
        let mut request = self.case.request();
        request["name"] = json!(self.case.name);
        request["modes"] = json!(self.types().iter().map(|(_, name)| name).collect::<Vec<_>>());
        request
    }
}

/// Measures on a GPU.
struct Clock<'a> {
    gpu: &'a Device,
    quick: bool,
}

impl Clock<'_> {
    /// Forward and backward, or once in place.
    fn operation(&self, timed: &Timed, dtype: DType) -> Result<f64> {
        let case = &timed.case;
        let operand = |(i, shape): (usize, &Vec<usize>)| -> Result<Var> {
            // Numbers per channel are f32 beside bf16 maps.
            let dtype = if shape.len() < case.shapes[0].len() { DType::F32 } else { dtype };
            // As many as make no difference to a GPU: drawing all of a network's takes longer than all measurements.
            let tensor = Seed(1).stream(&format!("operand {i}")).normal_tensor(&[8192], &Device::Cpu)?;
            let count: usize = shape.iter().product();
            let tensor = tensor.repeat(count.div_ceil(8192))?.narrow(0, 0, count)?.reshape(shape.as_slice())?;
            Ok(Var::from_tensor(&tensor.to_device(self.gpu)?.to_dtype(dtype)?)?)
        };
        let operands = case.shapes.iter().enumerate().map(operand).collect::<Result<Vec<Var>>>()?;
        if case.one_way() {
            return self.measured(OPERATION, || (case.run)(&operands).map(|_| ()));
        }
        let upstream: Tensor = (case.run)(&operands)?.ones_like()?.contiguous()?;
        self.measured(OPERATION, || backward_from(&(case.run)(&operands)?, &upstream).map(|_| ()))
    }

    /// A training step. In f32 it leaves what PyTorch starts from in `folder`.
    fn step(&self, model: &Model, how: How, folder: &Path) -> Result<f64> {
        let runs = tempfile::tempdir().map_err(|source| Error::io("make a folder", std::env::temp_dir(), source))?;
        let (mut trainer, batch) = steps::trainer(model, self.gpu, how, runs.path())?;
        if how.precision == Precision::F32 {
            export(model, &trainer, &model.batch()?, folder)?;
        }
        let cycle = model.cycle();
        let time = self.measured(STEP, || (0..cycle).try_for_each(|_| trainer.step_on(&batch).map(|_| ())))?;
        Ok(time / cycle as f64)
    }

    /// Milliseconds of one pass: as many as `lasting` seconds hold, between two points at which the GPU has nothing
    /// left to do.
    fn measured(&self, lasting: f64, mut pass: impl FnMut() -> Result<()>) -> Result<f64> {
        for _ in 0..if self.quick { 1 } else { WARM } {
            pass()?;
        }
        self.gpu.synchronize()?;
        let start = Instant::now();
        pass()?;
        self.gpu.synchronize()?;
        let (once, most) = (start.elapsed().as_secs_f64().max(1e-5), if self.quick { 1.0 } else { 2_000.0 });
        let passes = (lasting / once).clamp(f64::min(3.0, most), most) as usize;
        let start = Instant::now();
        for _ in 0..passes {
            pass()?;
        }
        self.gpu.synchronize()?;
        Ok(start.elapsed().as_secs_f64() * 1e3 / passes as f64)
    }
}
