//! Milliseconds on the GPU, and everything that PyTorch needs to do the same.

use std::path::Path;
use std::time::Instant;

use serde_json::json;
use tachie::autograd::backward;
use tachie::candle_core::{DType, Device, Var};
use tachie::rng::Seed;
use tachie::{Error, Result};

use super::models::{Model, models};
use super::steps;

/// Seconds that a measurement lasts.
const LASTING: f64 = 1.0;
/// Passes before anything is measured: algorithms are chosen, memory is taken.
const WARM: usize = 3;

/// Writes `tachie.csv` (kind, name, type, milliseconds) and, per model, a folder for PyTorch into `out`.
pub fn run(gpu: &Device, out: &Path) -> Result<()> {
    tachie::device::allow_tf32(true);
    let write =
        |path: &Path, text: String| std::fs::write(path, text).map_err(|source| Error::io("write", path, source));
    std::fs::create_dir_all(out).map_err(|source| Error::io("make the folder", out, source))?;
    let mut rows = String::from("kind,name,type,milliseconds\n");
    let mut row = |kind: &str, name: &str, dtype: &str, time: f64| {
        println!("{kind:10} {dtype:5} {time:10.3} ms  {name}");
        rows.push_str(&format!("{kind},\"{name}\",{dtype},{time}\n"));
    };
    let cases = convolutions();
    for case in &cases {
        for (dtype, name) in [(DType::F32, "tf32"), (DType::BF16, "bf16")] {
            row("operation", &case.name, name, case.time(gpu, dtype)?);
        }
    }
    let requests: Vec<_> = cases.iter().map(|case| case.request.clone()).collect();
    write(&out.join("operations.json"), json!(requests).to_string())?;
    for (i, model) in timed().into_iter().enumerate() {
        let folder = out.join(format!("model-{i}"));
        std::fs::create_dir_all(&folder).map_err(|source| Error::io("make the folder", &folder, source))?;
        let runs = tempfile::tempdir().map_err(|source| Error::io("make a folder", std::env::temp_dir(), source))?;
        let (mut trainer, batch) = steps::trainer(&model, gpu, runs.path())?;
        model.export(&trainer, &model.batch()?, &folder)?;
        write(&folder.join("name.txt"), model.name.clone())?;
        let cycle = model.cycle();
        let time = measured(gpu, || (0..cycle).try_for_each(|_| trainer.step_on(&batch).map(|_| ())))? / cycle as f64;
        row("step", &model.name, "tf32", time);
    }
    write(&out.join("tachie.csv"), rows)
}

/// The models at sizes that fill a GPU.
fn timed() -> Vec<Model> {
    let batches = [("make-girls paper, 128 px", 64), ("dcgan paper, 128 px", 64), ("make-girls tiny", 64)];
    let all = models();
    let model = |(name, batch): (&str, usize)| {
        let model = all.iter().find(|model| model.name.starts_with(name))?;
        let name = model.name.rsplit_once(", batch").map_or(model.name.as_str(), |(name, _)| name);
        Some(Model {
            name: format!("{name}, batch {batch}"),
            config: model.config.clone().batch(batch),
            ..model.clone()
        })
    };
    batches.into_iter().filter_map(model).collect()
}

/// An operation to measure.
struct Timed {
    name: String,
    request: serde_json::Value,
    stride: usize,
    padding: usize,
    shapes: [Vec<usize>; 2],
}

/// Convolutions of the paper's networks at 128 px, batch 64.
fn convolutions() -> Vec<Timed> {
    let shapes: [([usize; 4], [usize; 4], usize, usize); 6] = [
        ([64, 64, 16, 16], [64, 64, 3, 3], 1, 1),
        ([64, 64, 64, 64], [256, 64, 3, 3], 1, 1),
        ([64, 64, 128, 128], [3, 64, 9, 9], 1, 4),
        ([64, 3, 128, 128], [32, 3, 4, 4], 2, 1),
        ([64, 128, 16, 16], [128, 128, 3, 3], 1, 1),
        ([64, 512, 4, 4], [1024, 512, 3, 3], 2, 1),
    ];
    shapes
        .into_iter()
        .map(|(x, w, stride, padding)| {
            let name = format!("conv{}x{} s{stride} N{} {}→{} {}²", w[2], w[3], x[0], w[1], w[0], x[2]);
            let request = json!({ "name": name, "op": "conv2d", "x": x, "w": w, "stride": stride, "padding": padding });
            Timed { name, request, stride, padding, shapes: [x.to_vec(), w.to_vec()] }
        })
        .collect()
}

impl Timed {
    /// Forward and backward.
    fn time(&self, gpu: &Device, dtype: DType) -> Result<f64> {
        let operand = |shape: &Vec<usize>| -> Result<Var> {
            let tensor = Seed(1).stream("operand").normal_tensor(shape, &Device::Cpu)?;
            Ok(Var::from_tensor(&tensor.to_dtype(DType::F32)?.to_device(gpu)?.to_dtype(dtype)?)?)
        };
        let (x, w) = (operand(&self.shapes[0])?, operand(&self.shapes[1])?);
        let spec = tachie::nn::conv::ConvSpec::padded(self.padding).stride(self.stride);
        measured(gpu, || backward(&tachie::ops::conv::conv2d(&x, &w, &spec)?).map(|_| ()))
    }
}

/// Milliseconds of one pass: as many as [`LASTING`] holds, between two points at which the GPU has nothing left to do.
fn measured(gpu: &Device, mut pass: impl FnMut() -> Result<()>) -> Result<f64> {
    for _ in 0..WARM {
        pass()?;
    }
    gpu.synchronize()?;
    let start = Instant::now();
    pass()?;
    gpu.synchronize()?;
    let passes = (LASTING / start.elapsed().as_secs_f64().max(1e-5)).clamp(3.0, 2_000.0) as usize;
    let start = Instant::now();
    for _ in 0..passes {
        pass()?;
    }
    gpu.synchronize()?;
    Ok(start.elapsed().as_secs_f64() * 1e3 / passes as f64)
}
