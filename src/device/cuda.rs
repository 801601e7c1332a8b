//! Setting up a GPU for training.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use candle_core::Device;
use candle_core::cuda::CudaDevice;
use candle_core::cuda::cudarc::driver::sys;

use crate::Result;

/// Rounding of products to 10 bits is allowed.
static TF32: AtomicBool = AtomicBool::new(true);

/// Convolutions are measured.
static SEARCH: AtomicBool = AtomicBool::new(true);

/// Whether f32 convolutions and matrix products may round their factors to 10 bits (TF32), which tensor cores need. They
/// may at first; sums are kept in f32 in any case. For the whole process.
pub fn allow_tf32(allowed: bool) {
    TF32.store(allowed, Ordering::Relaxed);
    candle_core::cuda::set_gemm_reduced_precision_f32(allowed);
}

/// What [`allow_tf32`] says.
pub fn uses_tf32() -> bool {
    TF32.load(Ordering::Relaxed)
}

/// Whether cuDNN's algorithms for a convolution are measured when its shape is met first (PyTorch's
/// `cudnn.benchmark`), else cuDNN guesses. They are at first; two runs may then take different algorithms, whose numbers differ in
/// their last bits. For the whole process, for shapes that were not met before.
pub fn search_algorithms(search: bool) {
    SEARCH.store(search, Ordering::Relaxed);
}

#[cfg(feature = "cudnn")]
pub(crate) fn searches_algorithms() -> bool {
    SEARCH.load(Ordering::Relaxed)
}

/// The GPU of that number, or why it cannot be used. Opened once: candle takes two devices made from one GPU for
/// different ones.
pub(super) fn open(ordinal: usize) -> Result<Device, String> {
    static OPENED: Mutex<BTreeMap<usize, Device>> = Mutex::new(BTreeMap::new());
    // A thread that panicked here left a map that is still whole.
    let mut opened = OPENED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(device) = opened.get(&ordinal) {
        return Ok(device.clone());
    }
    let device = set_up(ordinal).map_err(|error| reason(&crate::Error::from(error).to_string()))?;
    opened.insert(ordinal, device.clone());
    Ok(device)
}

/// The driver's words, or ours where there is no driver to speak.
fn reason(error: &str) -> String {
    match error.contains("CUDA_ERROR_SHARED_OBJECT_INIT_FAILED") {
        true => "there is no NVIDIA driver: libcuda.so.1 is not found".into(),
        false => error.into(),
    }
}

fn set_up(ordinal: usize) -> candle_core::Result<Device> {
    // A stream of its own: on candle's usual one, tensors of different threads are not ordered.
    let device = Device::new_cuda_with_stream(ordinal)?;
    let gpu = device.as_cuda_device()?;
    // SAFETY: all work of this device is on one stream, whose order replaces events.
    unsafe { gpu.disable_event_tracking() };
    keep_memory(gpu);
    allow_tf32(uses_tf32());
    Ok(device)
}

/// Makes the driver keep freed memory for the next tensors; else it gives it back whenever the stream runs empty.
/// A driver that refuses is slower, and as right.
fn keep_memory(gpu: &CudaDevice) {
    let mut never = u64::MAX;
    let threshold = sys::CUmemPool_attribute_enum::CU_MEMPOOL_ATTR_RELEASE_THRESHOLD;
    if let Some(pool) = pool(gpu) {
        // SAFETY: the pool is the device's; the number is of the type that this attribute has.
        unsafe { sys::cuMemPoolSetAttribute(pool, threshold, (&raw mut never).cast()) };
    }
}

/// Gives kept memory in which no tensor lies back to the driver, for whoever does not take it from the pool: CUDA graphs.
/// A driver that refuses keeps it.
pub(crate) fn give_back_memory(gpu: &CudaDevice) {
    if let Some(pool) = pool(gpu) {
        // SAFETY: the pool is the device's.
        unsafe { sys::cuMemPoolTrimTo(pool, 0) };
    }
}

/// Where tensors are allocated.
fn pool(gpu: &CudaDevice) -> Option<sys::CUmemoryPool> {
    let mut pool: sys::CUmemoryPool = std::ptr::null_mut();
    // SAFETY: the call writes a pool.
    let status = unsafe { sys::cuDeviceGetDefaultMemPool(&raw mut pool, gpu.cuda_stream().context().cu_device()) };
    (status == sys::CUresult::CUDA_SUCCESS).then_some(pool)
}

/// "NVIDIA H100, compute capability 9.0, 80 GiB, cuDNN 9.19.0".
pub(super) fn describe(gpu: &CudaDevice) -> String {
    let stream = gpu.cuda_stream();
    let context = stream.context();
    let name = context.name().unwrap_or_else(|_| "a GPU without a name".into());
    let (major, minor) = context.compute_capability().unwrap_or_default();
    let memory = context.total_mem().map_or(0.0, |bytes| bytes as f64 / (1u64 << 30) as f64);
    format!("{name}, compute capability {major}.{minor}, {memory:.0} GiB, {}", convolutions())
}

#[cfg(feature = "cudnn")]
fn convolutions() -> String {
    match crate::ops::cudnn_version() {
        0 => "no cuDNN found".into(),
        version => format!("cuDNN {}.{}.{}", version / 10_000, version / 100 % 100, version % 100),
    }
}

#[cfg(not(feature = "cudnn"))]
fn convolutions() -> String {
    "built without cuDNN".into()
}
