//! Work that is recorded once and launched any number of times: CUDA graphs.
//!
//! A graph holds addresses. What lies there has to outlive it, and nothing but the numbers may change between launches:
//! * Tensors made while recording are the graph's own memory, allocated and freed in every launch. They are dropped before
//!   the recording ends, so none can be read afterwards; results are copied to tensors that were there before.
//! * Tensors from before are the caller's to keep: [`Graph::keeping`] takes them. cuDNN's workspace, which may be replaced
//!   by a larger one, is kept here.
//! * Small constants that candle uploads (shapes, strides, scalars) come from its cache, which [`prepare`] fills. It
//!   belongs to the thread, so a graph is launched on the thread that has recorded it.

use std::sync::Arc;
use std::thread::ThreadId;

use candle_core::Tensor;
use candle_core::cuda::cudarc::driver::{CudaGraph, CudaSlice, CudaStream, sys};
use candle_core::cuda::{CudaDevice, WrapErr};

use crate::{Error, Result};

/// Recorded work.
pub(crate) struct Graph {
    // Dropped before what it works on.
    graph: CudaGraph,
    thread: ThreadId,
    _kept: Vec<Tensor>,
    _workspace: Option<Arc<CudaSlice<u8>>>,
}

// SAFETY: CUDA allows a graph on any thread, one at a time, which `&mut self` in `launch` sees to; the context is bound to
// the thread by cudarc. That candle's cache of constants belongs to a thread is checked in `launch`.
unsafe impl Send for Graph {}

/// Runs work on the usual way, so that recording it afterwards, on the same thread, finds algorithms chosen, modules
/// loaded and constants uploaded.
pub(crate) fn prepare<T>(device: &CudaDevice, work: impl FnOnce() -> Result<T>) -> Result<T> {
    let _cache = device.enable_cuda_graph_htod_cache();
    work()
}

/// Records what `work` asks of the device, nothing of which happens before the graph is launched. No other thread may
/// use the device meanwhile: its work would be recorded too. `work` has been [`prepare`]d, and the result holds no
/// tensor that was made in it.
///
/// # Errors
/// When `work` fails: it reads a tensor, uploads something that it did not upload before, or meets a convolution for the
/// first time. Nothing has happened then.
pub(crate) fn record<T>(device: &CudaDevice, work: impl FnOnce() -> Result<T>) -> Result<(Graph, T)> {
    let stream = device.cuda_stream();
    let _cache = device.enable_cuda_graph_htod_cache();
    // Other threads may do what a capture forbids, such as allocating memory for another device.
    stream.begin_capture(sys::CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_THREAD_LOCAL).w()?;
    let mut capture = Capture { stream, open: true };
    let outcome = work();
    let graph = capture.end();
    let (outcome, graph) = (outcome?, graph?);
    let graph = graph.ok_or_else(|| Error::Candle("the driver gave no graph for what was recorded".into()))?;
    let thread = std::thread::current().id();
    Ok((Graph { graph, thread, _kept: Vec::new(), _workspace: workspace(device) }, outcome))
}

impl Graph {
    /// Keeps the tensors from before the recording that it reads or writes.
    pub(crate) fn keeping(self, tensors: Vec<Tensor>) -> Graph {
        Graph { _kept: tensors, ..self }
    }

    /// Whether this is the thread that has recorded it, the only one that may launch it.
    pub(crate) fn is_of_this_thread(&self) -> bool {
        self.thread == std::thread::current().id()
    }

    /// Does once more what was recorded. Returns at once, as an operation does.
    pub(crate) fn launch(&mut self) -> Result<()> {
        if !self.is_of_this_thread() {
            let (found, expected) = ("another thread", "the thread that has recorded it");
            return Err(Error::invalid("launch of a CUDA graph", found, expected, ""));
        }
        Ok(self.graph.launch().w()?)
    }
}

/// A stream that is being captured; it does not stay so, whatever happens.
struct Capture {
    stream: Arc<CudaStream>,
    open: bool,
}

impl Capture {
    fn end(&mut self) -> Result<Option<CudaGraph>> {
        self.open = false;
        // Memory that a failed recording has dropped may have left an error behind, which belongs to the recording.
        let left = self.stream.context().check_err();
        // Everything allocated in a graph is freed in it, so no launch finds memory of the last one.
        let graph = self.stream.end_capture(sys::CUgraphInstantiate_flags(0));
        left.w()?;
        Ok(graph.w()?)
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        if self.open {
            // On the way out of a panic there is nobody to tell.
            let _ = self.end();
        }
    }
}

#[cfg(feature = "cudnn")]
fn workspace(device: &CudaDevice) -> Option<Arc<CudaSlice<u8>>> {
    super::cudnn::workspace(device)
}

#[cfg(not(feature = "cudnn"))]
fn workspace(_: &CudaDevice) -> Option<Arc<CudaSlice<u8>>> {
    None
}

#[cfg(feature = "cudnn")]
pub(super) fn is_recording(device: &CudaDevice) -> bool {
    device.cuda_stream().capture_status() != Ok(sys::CUstreamCaptureStatus::CU_STREAM_CAPTURE_STATUS_NONE)
}
