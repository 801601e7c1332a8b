//! What operations and training steps ask of the driver, counted by the stand-in that `cargo xtask check-cuda` makes.

use std::collections::BTreeMap;
use std::ffi::{CStr, c_char};

use tachie::autograd::backward;
use tachie::candle_core::{Device, Var};
use tachie::rng::Seed;
use tachie::train::plan::Precision;
use tachie::{Error, Result};

use super::models::{Measured, Model};
use super::steps::How;
use super::{cases, steps};

const HEAD: &str = "\
# What operations (forward and backward) and training steps (all players, Adam, running average; over all steps until
# everything has happened once) ask of the driver once they are warm: cargo xtask check-cuda compares, --bless rewrites.
# launches: kernels, library calls and graphs. prepared: descriptors, choices of algorithms, events and recordings of
# graphs, which are to be 0. Steps with graphs are the small models' with the launches of Options::graphs.";

/// The counters of the stand-in.
pub struct Counter {
    take: unsafe extern "C" fn(*mut c_char, usize) -> usize,
}

impl Counter {
    /// Those of the stand-in; an error where there is a real driver.
    pub fn find() -> Result<Counter> {
        // SAFETY: the name is a C string; the loader knows every library that the shims have opened.
        let found = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"stand_in_take".as_ptr()) };
        if found.is_null() {
            let hint = "This is for `cargo xtask check-cuda`.";
            return Err(Error::invalid("driver", "a real one", "the stand-in, which counts", hint));
        }
        // SAFETY: the stand-in declares this function so (xtask/cuda/driver.cpp).
        Ok(Counter {
            take: unsafe {
                std::mem::transmute::<*mut libc::c_void, unsafe extern "C" fn(*mut c_char, usize) -> usize>(found)
            },
        })
    }

    /// What was counted since the last call, as lines `name count`.
    pub fn take(&self) -> String {
        let mut text = vec![0u8; 1 << 20];
        // SAFETY: the text has that much room, and the stand-in ends it with a 0.
        unsafe { (self.take)(text.as_mut_ptr().cast(), text.len()) };
        CStr::from_bytes_until_nul(&text).map(|text| text.to_string_lossy().into_owned()).unwrap_or_default()
    }
}

/// Sums the stand-in's lines `name count` up to one row of the table.
fn row(text: &str) -> String {
    let columns =
        ["launches", "allocations", "memsets", "on_device", "to_device", "to_host", "synchronizations", "prepared"];
    let mut sums: BTreeMap<&str, u64> = BTreeMap::new();
    for (name, count) in text.lines().filter_map(|line| line.rsplit_once(' ')) {
        let column = match name {
            "allocate" => "allocations",
            "memset" => "memsets",
            "on device" => "on_device",
            "to device" => "to_device",
            "to host" => "to_host",
            "synchronize" => "synchronizations",
            "capture" | "event" | "cudnn descriptor" | "cudnn choose" | "cudnn search" => "prepared",
            "peak" | "pool kept" => continue,
            _ => "launches",
        };
        *sums.entry(column).or_default() += count.parse::<u64>().unwrap_or(0);
    }
    let cells = columns.map(|column| format!("{column} = {}", sums.get(column).copied().unwrap_or(0)));
    format!("{{ {} }}", cells.join(", "))
}

/// Prints the table; with `only`, every kernel and library call of what has this text in its name.
pub fn run(gpu: &Device, only: Option<&str>) -> Result<()> {
    let counter = Counter::find()?;
    let wanted = |name: &str| only.is_none_or(|text| name.contains(text));
    let shown = |text: &str| if only.is_some() { text.to_string() } else { row(text) };
    println!("{HEAD}\n\n[operations]");
    for case in cases::all().iter().filter(|case| wanted(&case.name)) {
        let operand = |shape: &Vec<usize>| -> Result<Var> {
            let tensor = Seed(1).stream("operand").normal_tensor(shape, &Device::Cpu)?;
            Ok(Var::from_tensor(&tensor.to_dtype(tachie::candle_core::DType::F32)?.to_device(gpu)?)?)
        };
        let variables = case.shapes.iter().map(operand).collect::<Result<Vec<_>>>()?;
        let tensors: Vec<_> = variables.iter().map(|variable| variable.as_tensor().clone()).collect();
        let mut last = String::new();
        for _ in 0..2 {
            counter.take();
            backward(&(case.run)(&tensors)?)?;
            last = counter.take();
        }
        println!("{:?} = {}", case.name, shown(&last));
    }
    println!("\n[steps]");
    for (model, how) in stepped().iter().filter(|(model, _)| wanted(&model.name)) {
        let precision = match how.precision {
            Precision::F32 => String::new(),
            Precision::Bf16 => format!(", {}", how.precision),
        };
        let graphs = if how.graphs { ", graphs" } else { "" };
        let name = format!("{}{precision}, {} steps{graphs}", model.name, model.cycle());
        println!("{name:?} = {}", shown(&steps(&counter, model, gpu, *how)?));
    }
    Ok(())
}

/// All models in f32; then the small ones in bf16, and both as graphs.
fn stepped() -> Vec<(Model, How)> {
    let small = || steps::few(false).into_iter().filter(|model| !model.large);
    let all = steps::few(false).into_iter().map(|model| (model, How::eagerly(Precision::F32)));
    let half = small().map(|model| (model, How::eagerly(Precision::Bf16)));
    let graphs = [Precision::F32, Precision::Bf16].map(|precision| How { precision, graphs: true });
    all.chain(half).chain(graphs.into_iter().flat_map(|how| small().map(move |model| (model, how)))).collect()
}

/// What is counted in the third cycle of steps: by then graphs are recorded.
fn steps(counter: &Counter, model: &Model, gpu: &Device, how: How) -> Result<String> {
    let folder = tempfile::tempdir().map_err(|source| Error::io("make a folder", std::env::temp_dir(), source))?;
    let (mut trainer, batch) = steps::trainer(model, gpu, how, folder.path())?;
    let mut cycle = || (0..model.cycle()).try_for_each(|_| trainer.step_on(&batch).map(|_| ()));
    cycle()?;
    cycle()?;
    counter.take();
    cycle()?;
    Ok(counter.take())
}
