//! Steps as CUDA graphs beside the same steps operation by operation: the same numbers, whatever happens between.

use std::collections::BTreeMap;
use std::path::Path;

use tachie::candle_core::cuda::cudarc::driver::{DriverError, sys};
use tachie::candle_core::{DType, Device, Tensor};
use tachie::data::avatar::Avatar;
use tachie::data::batch::{Batch, Images};
use tachie::data::dataset::Dataset;
use tachie::models::baselines::dcgan::DcganConfig;
use tachie::models::make_girls::{
    Adversaries, DiscriminatorConfig, GeneratorConfig, MakeGirls, MakeGirlsConfig, ObjectiveConfig, SrResNetConfig,
};
use tachie::nn::params::Scope;
use tachie::ops::resample::avg_pool2d;
use tachie::rng::Seed;
use tachie::train::gan::{Gan, Losses, Player, Step};
use tachie::train::plan::{Intervals, Plan, Precision};
use tachie::train::trainer::{Options, Trainer};
use tachie::{Error, Result};

use super::counts::Counter;
use super::models::Model;
use super::parity::{Report, STEP_F32};
use super::steps::How;

/// Steps of a first run, of the run that goes on from its checkpoint, and from one penalty to the next: each kind of step is
/// computed, recorded and launched again.
const STEPS: [u64; 2] = [5, 3];
const PENALTY: u64 = 2;

/// Pictures of a step.
const PICTURES: usize = 2;

/// Compares everything that becomes a graph.
pub fn run(gpu: &Device, models: &[Model], report: &mut Report) {
    // The stand-in repeats a sum exactly; of a GPU's libraries that is not promised.
    let stand_in = Counter::find().is_ok();
    let limit = if stand_in { 0.0 } else { STEP_F32.moved };
    let [residual, transposed] = minute();
    for precision in [Precision::F32, Precision::Bf16] {
        let (one, other) = (resumed(gpu, &residual, precision), resumed(gpu, &transposed, precision));
        report.check(&format!("graphs: a residual generator, {precision}"), one, limit);
        report.check(&format!("graphs: a generator of transposed convolutions, {precision}"), other, limit);
    }
    // These would keep the stand-in busy for an hour.
    for model in models.iter().filter(|model| !model.large && !stand_in) {
        report.check(&format!("graphs: {}", model.name), resumed(gpu, &model.config, Precision::F32), limit);
    }
    report.check("graphs: a loss that reads a number", fallen_back::<Peeking>(gpu, &transposed), limit);
    report.check("graphs: a loss that draws by itself", fallen_back::<Drawing>(gpu, &transposed), limit);
    report.check("graphs: pictures that are not finite", stopped(gpu, &transposed), 0.0);
    report.check("graphs: what a capture forbids", forbidden(gpu), 0.0);
}

/// Networks for 16 px with the layers of the catalogue's, and a handful of channels.
fn minute() -> [MakeGirlsConfig; 2] {
    let generator =
        SrResNetConfig { base: 8, channels: 4, blocks: 1, doublings: 1, output_kernel: 3, ..SrResNetConfig::default() };
    let tiny = || MakeGirls::tiny().discriminator(DiscriminatorConfig::of(&[(4, 4, 1), (6, 3, 0)]));
    let transposed = GeneratorConfig::Dcgan(DcganConfig { channels: vec![8, 4] });
    [tiny().generator(generator), MakeGirlsConfig { generator: transposed, ..tiny() }]
}

fn short(config: &MakeGirlsConfig, faces: &Dataset) -> MakeGirlsConfig {
    let objective = ObjectiveConfig { gp_interval: PENALTY, ..config.objective.clone() };
    MakeGirlsConfig { tags: faces.tags().clone(), ..config.clone().objective(objective).batch(PICTURES) }
}

fn faces(config: &MakeGirlsConfig) -> Result<Dataset> {
    Avatar::faces().size((config.size() as u32).max(64)).take(3 * PICTURES)
}

fn folder() -> Result<tempfile::TempDir> {
    tempfile::tempdir().map_err(|source| Error::io("make a folder", std::env::temp_dir(), source))
}

fn open<G: Gan<Config = MakeGirlsConfig>>(
    gpu: &Device,
    config: &MakeGirlsConfig,
    folder: &Path,
    how: How,
) -> Result<Trainer> {
    let faces = faces(config)?;
    let intervals = Intervals { history: 1, ..Intervals::default() };
    let options = Options::default().seed(Seed(0)).threads(0).device(gpu).intervals(intervals);
    let options = options.precision(how.precision).graphs(how.graphs);
    Trainer::open::<G>(&short(config, &faces), &faces, folder, options)
}

/// A training with graphs that is interrupted and resumed, beside one without: how far they are apart, over how far the
/// weights have moved.
fn resumed(gpu: &Device, config: &MakeGirlsConfig, precision: Precision) -> Result<f64> {
    let [eager, launched] = [false, true].map(|graphs| How { precision, graphs });
    let (one, other) = (folder()?, folder()?);
    let mut plain = open::<Adversaries>(gpu, config, one.path(), eager)?;
    let before = numbers(&plain)?;
    plain.steps(STEPS.iter().sum())?;
    let launches = Launches::watch();
    for steps in STEPS {
        open::<Adversaries>(gpu, config, other.path(), launched)?.steps(steps)?;
    }
    // In each run the first step of both kinds is computed.
    launches.are(STEPS.iter().map(|steps| steps - 2).sum())?;
    let graphs = open::<Adversaries>(gpu, config, other.path(), eager)?;
    let history = |trainer: &Trainer| -> Result<Vec<BTreeMap<String, f64>>> {
        Ok(trainer.history()?.records().iter().map(|record| record.losses.clone()).collect())
    };
    let (found, wanted) = (history(&graphs)?, history(&plain)?);
    let apart = apart(&numbers(&graphs)?, &numbers(&plain)?, &before);
    let losses = found.iter().flatten().zip(wanted.iter().flatten());
    let losses = losses.map(|((_, a), (_, b))| (a - b).abs() / b.abs().max(1e-3)).fold(0.0, f64::max);
    match found.len() == wanted.len() {
        true => Ok(apart.max(losses)),
        false => Err(Error::shape("rows of the history", &[found.len()], format!("[{}]", wanted.len()))),
    }
}

/// Training of a model whose steps cannot be recorded, beside the same without graphs being asked for.
fn fallen_back<G: Gan<Config = MakeGirlsConfig>>(gpu: &Device, config: &MakeGirlsConfig) -> Result<f64> {
    let launched = Launches::watch();
    let [wanted, found] = [false, true].map(|graphs| -> Result<_> {
        let folder = folder()?;
        let mut trainer = open::<G>(gpu, config, folder.path(), How { precision: Precision::F32, graphs })?;
        let before = numbers(&trainer)?;
        let faces = faces(config)?;
        for _ in 0..=PENALTY {
            trainer.step_on(&batch(&faces, config.size(), gpu)?)?;
        }
        Ok((before, numbers(&trainer)?))
    });
    launched.are(0)?;
    let ((before, wanted), (_, found)) = (wanted?, found?);
    Ok(apart(&found, &wanted, &before))
}

/// After pictures with a NaN in a graph's step the error says so, and no weight has moved: 0 if so.
fn stopped(gpu: &Device, config: &MakeGirlsConfig) -> Result<f64> {
    let (folder, faces) = (folder()?, faces(config)?);
    let mut trainer = open::<Adversaries>(gpu, config, folder.path(), How { precision: Precision::F32, graphs: true })?;
    let good = batch(&faces, config.size(), gpu)?;
    for _ in 0..2 * PENALTY {
        trainer.step_on(&good)?;
    }
    let weights = |trainer: &Trainer| -> Result<Vec<Vec<f32>>> {
        let vars = trainer.networks().params.trainable("");
        vars.iter().map(|(_, var)| Ok(var.flatten_all()?.to_vec1()?)).collect()
    };
    let before = weights(&trainer)?;
    let bad = Batch { images: good.images.affine(f64::NAN, 0.0)?, ..good };
    let launched = Launches::watch();
    let message = trainer.step_on(&bad).err().map(|error| error.to_string()).unwrap_or_default();
    launched.are(1)?;
    match message.contains("images of the batch") {
        true => Ok(f64::from(u8::from(weights(&trainer)? != before))),
        false => Err(Error::invalid("error of a step with NaN", message, "one that names the pictures", "")),
    }
}

/// What a driver refuses while a stream is being captured, and that all is well afterwards: 0 if so. The stand-in has to do
/// as a real driver does here, or the comparisons above mean nothing.
fn forbidden(gpu: &Device) -> Result<f64> {
    let stream = gpu.as_cuda_device()?.cuda_stream();
    let wrong = |what: &str, found: String| Err(Error::invalid(what, found, "what CUDA documents", ""));
    let failed = |error: DriverError| Error::Candle(error.to_string());
    let thread_local = sys::CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_THREAD_LOCAL;
    let plain = sys::CUgraphInstantiate_flags(0);
    // Waiting ends a capture.
    stream.begin_capture(thread_local).map_err(failed)?;
    let waited = stream.synchronize();
    let ended = stream.end_capture(plain).map(|_| ());
    let unsupported = Err(DriverError(sys::CUresult::CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED));
    let invalidated = Err(DriverError(sys::CUresult::CUDA_ERROR_STREAM_CAPTURE_INVALIDATED));
    if (waited, ended) != (unsupported, invalidated) {
        return wrong("synchronisation in a capture", format!("{waited:?}, then {ended:?}"));
    }
    // Nothing is done before the launch, and what is done then is what was recorded.
    let mut numbers = stream.clone_htod(&[1u32, 2]).map_err(failed)?;
    stream.begin_capture(thread_local).map_err(failed)?;
    stream.memset_zeros(&mut numbers).map_err(failed)?;
    let graph = stream.end_capture(plain).map_err(failed)?;
    let before = stream.clone_dtoh(&numbers).map_err(failed)?;
    let Some(graph) = graph else { return wrong("a captured memset", "no graph".into()) };
    graph.launch().map_err(failed)?;
    let after = stream.clone_dtoh(&numbers).map_err(failed)?;
    if (before.as_slice(), after.as_slice()) != ([1, 2].as_slice(), [0, 0].as_slice()) {
        return wrong("a captured memset", format!("{before:?}, after the launch {after:?}"));
    }
    // Memory that a launch leaves behind forbids the next one.
    stream.begin_capture(thread_local).map_err(failed)?;
    let left = stream.alloc_zeros::<u32>(16).map_err(failed)?;
    let graph = stream.end_capture(plain).map_err(failed)?;
    let Some(graph) = graph else { return wrong("a captured allocation", "no graph".into()) };
    graph.launch().map_err(failed)?;
    let again = graph.launch();
    drop(left);
    if again != Err(DriverError(sys::CUresult::CUDA_ERROR_INVALID_VALUE)) {
        return wrong("a second launch that allocates", format!("{again:?}"));
    }
    graph.launch().map_err(failed)?;
    stream.synchronize().map_err(failed)?;
    Ok(0.0)
}

/// Graphs that the stand-in has launched; a real driver does not tell.
struct Launches(Option<Counter>);

impl Launches {
    fn watch() -> Launches {
        let counter = Counter::find().ok();
        counter.iter().for_each(|counter| drop(counter.take()));
        Launches(counter)
    }

    fn are(&self, wanted: u64) -> Result<()> {
        let Some(counter) = &self.0 else { return Ok(()) };
        let text = counter.take();
        let found = text.lines().find_map(|line| line.strip_prefix("graph ")).unwrap_or("0");
        if found == wanted.to_string() {
            return Ok(());
        }
        Err(Error::invalid("launches of graphs", found, wanted.to_string(), ""))
    }
}

fn batch(faces: &Dataset, size: usize, gpu: &Device) -> Result<Batch> {
    use tachie::data::loader::{Loader, LoaderOptions};
    let options = LoaderOptions { batch: PICTURES, threads: 0, ..LoaderOptions::default() };
    let batch = Loader::new(faces, options)?.next()?.to_device(gpu)?;
    Ok(Batch { images: avg_pool2d(&batch.images, faces.size() as usize / size)?, ..batch })
}

/// Weights and running averages.
fn numbers(trainer: &Trainer) -> Result<Vec<f64>> {
    let networks = trainer.networks();
    let mut all = Vec::new();
    for tensor in networks.params.tensors().values().chain(networks.average.tensors().values()) {
        all.extend(tensor.to_device(&Device::Cpu)?.to_dtype(DType::F64)?.flatten_all()?.to_vec1::<f64>()?);
    }
    Ok(all)
}

/// ‖found − wanted‖ / ‖wanted − before‖.
fn apart(found: &[f64], wanted: &[f64], before: &[f64]) -> f64 {
    let square = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum::<f64>();
    let apart = (square(found, wanted) / square(wanted, before).max(1e-30)).sqrt();
    if apart.is_nan() { f64::INFINITY } else { apart }
}

/// make.girls.moe's model with a flaw that no graph can hold.
macro_rules! flawed {
    ($name:ident, |$batch:ident, $step:ident, $losses:ident| $flaw:block) => {
        struct $name(Adversaries);

        impl Gan for $name {
            type Config = MakeGirlsConfig;
            const NAME: &'static str = Adversaries::NAME;

            fn new(config: &MakeGirlsConfig, params: &Scope) -> Result<Self> {
                Adversaries::new(config, params).map($name)
            }

            fn plan(config: &MakeGirlsConfig) -> Plan {
                Adversaries::plan(config)
            }

            fn kind(&self, step: &Step) -> Option<u64> {
                self.0.kind(step)
            }

            fn share(&self, batch: &Batch, step: &mut Step) -> Result<()> {
                self.0.share(batch, step)
            }

            fn loss(&self, who: Player, $batch: &Batch, $step: &mut Step) -> Result<Losses> {
                let mut $losses = self.0.loss(who, $batch, $step)?;
                $flaw;
                Ok($losses)
            }

            fn preview(&self, seed: Seed) -> Result<Images> {
                self.0.preview(seed)
            }
        }
    };
}

flawed!(Peeking, |batch, step, losses| {
    let brightness = batch.images.mean_all()?.to_scalar::<f32>()?;
    losses.watch("brightness", &Tensor::new(brightness, batch.images.device())?)?;
});

flawed!(Drawing, |batch, step, losses| {
    let lot = step.stream("lot").uniform_tensor(&[], batch.images.device())?;
    losses.watch("lot", &lot)?;
});
