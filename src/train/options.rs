//! How a run is trained, whatever is trained.

use candle_core::Device;

use super::gan::Networks;
use super::plan::{Intervals, Precision};
use crate::rng::Seed;

/// How a run is trained, apart from its configuration.
#[derive(Clone, Debug)]
pub struct Options {
    /// The seed of everything random: initial weights, order of data, latents.
    pub seed: Seed,
    /// Where to train; [`crate::device()`] when `None`.
    pub device: Option<Device>,
    /// Batch size of every stage, in place of the plan's.
    pub batch: Option<usize>,
    /// Mirror pictures left to right at random.
    pub flip: bool,
    /// Threads that make batches ahead of time; 0 makes each one when it is needed. Results do not depend on it.
    pub threads: usize,
    /// Previews and checkpoints, in place of the plan's.
    pub intervals: Option<Intervals>,
    /// What networks compute in while they are trained, in place of the plan's: `Precision::Bf16` is mixed precision,
    /// for GPUs.
    pub precision: Option<Precision>,
    /// Steps between checkpoints that are never removed; `None` keeps the newest two only.
    pub keep_every: Option<u64>,
    /// Networks to start a new run from, in place of freshly initialised ones. A run that is resumed loads its own
    /// numbers into them.
    pub networks: Option<Networks>,
    /// Whether steps on a GPU become CUDA graphs: launched as a whole instead of operation by operation, with the same
    /// numbers. For models that allow it ([`Gan::kind`](super::gan::Gan::kind)), while no resolution fades in, and not in a
    /// [spawned](super::trainer::Trainer::spawn) training; steps that cannot be recorded are computed as without, and a line says why.
    /// The second step of a kind is recorded, and while it is, no other thread of the program may use the GPU.
    /// `None`: where `TACHIE_CUDA_GRAPH=1` is in the environment.
    pub graphs: Option<bool>,
}

/// Asks for [`Options::graphs`] when its value is 1.
#[cfg(feature = "cuda")]
const GRAPHS: &str = "TACHIE_CUDA_GRAPH";

impl Default for Options {
    /// Seed 0, the default device, the plan's batch size, intervals and precision, no mirroring, one loading thread, and
    /// graphs as the environment says.
    fn default() -> Self {
        Options {
            seed: Seed(0),
            device: None,
            batch: None,
            flip: false,
            threads: 1,
            intervals: None,
            precision: None,
            keep_every: None,
            networks: None,
            graphs: None,
        }
    }
}

impl Options {
    /// Another seed.
    pub fn seed(self, seed: Seed) -> Options {
        Options { seed, ..self }
    }

    /// Another device.
    pub fn device(self, device: &Device) -> Options {
        Options { device: Some(device.clone()), ..self }
    }

    /// Another batch size.
    pub fn batch(self, batch: usize) -> Options {
        Options { batch: Some(batch), ..self }
    }

    /// Mirrors pictures left to right at random.
    pub fn flip(self, flip: bool) -> Options {
        Options { flip, ..self }
    }

    /// Another number of loading threads.
    pub fn threads(self, threads: usize) -> Options {
        Options { threads, ..self }
    }

    /// Other intervals.
    pub fn intervals(self, intervals: Intervals) -> Options {
        Options { intervals: Some(intervals), ..self }
    }

    /// Another precision.
    pub fn precision(self, precision: Precision) -> Options {
        Options { precision: Some(precision), ..self }
    }

    /// Writes a checkpoint at every multiple of `steps` and never removes it, for measurements
    /// [over the training](crate::metrics::evaluate::Evaluation::over_training). Each takes about four times as much
    /// room as the weights.
    pub fn keep_every(self, steps: u64) -> Options {
        Options { keep_every: Some(steps), ..self }
    }

    /// Networks to start from.
    pub fn networks(self, networks: &Networks) -> Options {
        Options { networks: Some(networks.clone()), ..self }
    }

    /// Whether steps on a GPU become CUDA graphs, whatever the environment says.
    pub fn graphs(self, graphs: bool) -> Options {
        Options { graphs: Some(graphs), ..self }
    }

    #[cfg(feature = "cuda")]
    pub(super) fn wants_graphs(&self) -> bool {
        self.graphs.unwrap_or_else(|| std::env::var(GRAPHS).is_ok_and(|value| value == "1"))
    }
}
