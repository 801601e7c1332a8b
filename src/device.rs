//! Which processor does the arithmetic.

use crate::{Error, Result};
pub use candle_core::Device;

#[cfg(feature = "cuda")]
mod cuda;

#[cfg(feature = "cuda")]
pub(crate) use cuda::give_back_memory;
#[cfg(feature = "cudnn")]
pub(crate) use cuda::searches_algorithms;
#[cfg(feature = "cuda")]
pub use cuda::{allow_tf32, search_algorithms, uses_tf32};

/// Names the processor: `cpu`, `cuda` (the first GPU) or `cuda:N`. Without it a GPU is taken where one can be used.
pub const VARIABLE: &str = "TACHIE_DEVICE";

/// The processor to build networks on: the first CUDA device when the crate was built with the feature `cuda` and a
/// driver answers, else the CPU (a crate with `cuda` then says so once on standard error). [`VARIABLE`] in the
/// environment asks for one of them. Every call gives the same device.
///
/// A GPU is set up once: one stream for all threads, no events per tensor, freed memory kept for the next tensors.
///
/// # Errors
/// When the environment asks for a processor that is not there.
pub fn device() -> Result<Device> {
    match std::env::var(VARIABLE) {
        Err(_) => Ok(best().unwrap_or_else(|reason| {
            tell_once(&reason);
            Device::Cpu
        })),
        Ok(name) => named(&name),
    }
}

/// The processor of that name, as [`VARIABLE`] takes it.
///
/// # Errors
/// When the name is none, or the processor cannot be used.
pub fn named(name: &str) -> Result<Device> {
    let ordinal = match name.split_once(':') {
        None if name == "cpu" => return Ok(Device::Cpu),
        None if name == "cuda" => Some(0),
        Some(("cuda", number)) => number.parse::<usize>().ok(),
        _ => None,
    };
    let Some(ordinal) = ordinal else {
        return Err(Error::invalid("device", format!("\"{name}\""), "cpu, cuda or cuda:N", ""));
    };
    gpu(ordinal).map_err(|reason| Error::invalid("device", format!("\"{name}\": {reason}"), "one that can be used", ""))
}

/// One line for people: what this device is, and how many threads or how much memory it has.
pub fn describe(device: &Device) -> String {
    #[cfg(feature = "cuda")]
    if let Device::Cuda(gpu) = device {
        return cuda::describe(gpu);
    }
    match device {
        Device::Cpu => format!("CPU, {} threads", rayon::current_num_threads()),
        other => format!("{other:?}"),
    }
}

/// Why [`device`] does not give a GPU; `None` when it does, or when the environment asks for the CPU.
pub fn why_no_gpu() -> Option<String> {
    let asked = std::env::var(VARIABLE).is_ok_and(|name| name == "cpu");
    if asked { None } else { best().err() }
}

fn best() -> Result<Device, String> {
    gpu(0)
}

#[cfg(feature = "cuda")]
fn gpu(ordinal: usize) -> Result<Device, String> {
    cuda::open(ordinal)
}

#[cfg(not(feature = "cuda"))]
fn gpu(_: usize) -> Result<Device, String> {
    Err("this program was built without the feature `cuda`".into())
}

/// A program without the feature has nothing to explain.
fn tell_once(reason: &str) {
    static ONCE: std::sync::Once = std::sync::Once::new();
    if cfg!(feature = "cuda") {
        ONCE.call_once(|| eprintln!("note: no GPU can be used ({reason}); computing on the CPU"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_none_are_refused() {
        assert!(matches!(named("cpu"), Ok(Device::Cpu)));
        for name in ["gpu", "cuda:", "cuda:x", ""] {
            let message = named(name).unwrap_err().to_string();
            assert!(message.contains("cpu, cuda or cuda:N"), "{message}");
        }
    }

    #[cfg(not(feature = "cuda"))]
    #[test]
    fn a_gpu_that_is_not_there_is_an_error_with_the_reason() {
        let message = named("cuda:1").unwrap_err().to_string();
        assert!(message.contains("without the feature `cuda`"), "{message}");
        assert!(why_no_gpu().is_some_and(|reason| reason.contains("feature")));
    }
}
