//! cuDNN's convolutions: descriptors and algorithms are chosen once per shape, and one workspace serves all of them.

use std::collections::HashMap;
use std::ffi::{c_int, c_void};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use candle_core::Result;
use candle_core::cuda::cudarc::cudnn::{result, sys};
use candle_core::cuda::cudarc::driver::CudaSlice;
use candle_core::cuda::{CudaDevice, DeviceId};

use super::conv::{Geometry, Role};
use super::graph::is_recording;
use super::launch::{Float, Numbers, address};
use crate::device::{searches_algorithms, uses_tf32};

/// Memory that an algorithm may ask for, in bytes.
const WORKSPACE: usize = 1 << 30;

/// Algorithms that are looked at; cuDNN has fewer of each kind.
const CANDIDATES: usize = 10;

/// What an algorithm is chosen for.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Problem {
    role: Role,
    geometry: Geometry,
    float: Float,
    tf32: bool,
}

#[derive(Clone, Copy)]
enum Algorithm {
    Forward(sys::cudnnConvolutionFwdAlgo_t),
    Data(sys::cudnnConvolutionBwdDataAlgo_t),
    Weight(sys::cudnnConvolutionBwdFilterAlgo_t),
}

/// A problem as cuDNN is told about it.
#[derive(Clone, Copy)]
struct Description {
    x: sys::cudnnTensorDescriptor_t,
    w: sys::cudnnFilterDescriptor_t,
    y: sys::cudnnTensorDescriptor_t,
    conv: sys::cudnnConvolutionDescriptor_t,
}

#[derive(Clone, Copy)]
struct Plan {
    description: Description,
    algorithm: Algorithm,
    bytes: usize,
}

/// cuDNN on one device.
struct Library {
    handle: sys::cudnnHandle_t,
    plans: HashMap<Problem, Plan>,
    /// Shared with the graphs that work in it.
    workspace: Option<Arc<CudaSlice<u8>>>,
}

// SAFETY: cuDNN allows a handle and descriptors on any thread, one at a time; the lock around all libraries sees to that.
unsafe impl Send for Library {}

/// Libraries live as long as the process.
static LIBRARIES: LazyLock<Mutex<HashMap<DeviceId, Library>>> = LazyLock::new(Mutex::default);

/// cuDNN's version as it writes it (9.19.0 is 91900); 0 where the library is not installed.
pub(crate) fn version() -> usize {
    result::get_version()
}

/// The memory that algorithms on this device work in, if one has asked for any.
pub(super) fn workspace(device: &CudaDevice) -> Option<Arc<CudaSlice<u8>>> {
    LIBRARIES.lock().unwrap_or_else(PoisonError::into_inner).get(&device.id())?.workspace.clone()
}

/// Runs a convolution whose operands fit its geometry.
pub(super) fn run(
    device: &CudaDevice,
    role: Role,
    geometry: &Geometry,
    operands: [Numbers; 2],
    out: Numbers,
) -> Result<()> {
    // A thread that panicked here left maps that are still whole.
    let mut libraries = LIBRARIES.lock().unwrap_or_else(PoisonError::into_inner);
    let stream = device.cuda_stream();
    stream.context().bind_to_thread().map_err(candle_core::Error::wrap)?;
    let library = match libraries.entry(device.id()) {
        std::collections::hash_map::Entry::Occupied(entry) => entry.into_mut(),
        std::collections::hash_map::Entry::Vacant(entry) => {
            let handle = result::create_handle().map_err(missing)?;
            // SAFETY: both are alive; the device keeps its stream for the life of the process' only handle on it.
            unsafe { result::set_stream(handle, stream.cu_stream().cast()) }.map_err(failed)?;
            entry.insert(Library { handle, plans: HashMap::new(), workspace: None })
        }
    };
    let problem = Problem { role, geometry: *geometry, float: out.float, tf32: uses_tf32() };
    let plan = match library.plans.get(&problem) {
        Some(plan) => *plan,
        // Choosing an algorithm measures, which no graph can hold.
        None if is_recording(device) => candle_core::bail!("{role:?} of {geometry:?} is met for the first time"),
        None => {
            let plan = library.plan(device, &problem, operands, out)?;
            library.plans.insert(problem, plan);
            plan
        }
    };
    library.reserve(device, plan.bytes)?;
    library.launch(&plan, operands, out)
}

fn failed(error: result::CudnnError) -> candle_core::Error {
    candle_core::Error::Msg(format!("cuDNN: {error:?}"))
}

fn missing(error: result::CudnnError) -> candle_core::Error {
    candle_core::Error::Msg(format!(
        "cuDNN cannot be used ({error:?}): install cuDNN 9 for CUDA 13 and name its folder in LD_LIBRARY_PATH \
         (environment.md, \"CUDA\")"
    ))
}

/// A device address as cuDNN takes it.
fn at(address: u64) -> *mut c_void {
    address as *mut c_void
}

impl Description {
    fn new(problem: &Problem) -> std::result::Result<Description, result::CudnnError> {
        use sys::{cudnnConvolutionMode_t as Mode, cudnnDataType_t as Type, cudnnMathType_t as Math};
        let Problem { geometry, float, tf32, .. } = problem;
        let int = |dims: [u32; 4]| dims.map(|n| n as c_int);
        let format = sys::cudnnTensorFormat_t::CUDNN_TENSOR_NCHW;
        let float_type = match float {
            Float::F32 => Type::CUDNN_DATA_FLOAT,
            Float::Bf16 => Type::CUDNN_DATA_BFLOAT16,
        };
        let math = match (float, tf32) {
            (Float::F32, false) => Math::CUDNN_FMA_MATH,
            (Float::F32, true) => Math::CUDNN_DEFAULT_MATH,
            (Float::Bf16, _) => Math::CUDNN_TENSOR_OP_MATH,
        };
        let [[py, px], [sy, sx], [dy, dx]] =
            [geometry.padding, geometry.stride, geometry.dilation].map(|pair| pair.map(|n| n as c_int));
        let new = Description {
            x: result::create_tensor_descriptor()?,
            w: result::create_filter_descriptor()?,
            y: result::create_tensor_descriptor()?,
            conv: result::create_convolution_descriptor()?,
        };
        // SAFETY: the descriptors were made above and are never freed.
        unsafe {
            result::set_tensor4d_descriptor(new.x, format, float_type, int(geometry.x()))?;
            result::set_filter4d_descriptor(new.w, float_type, format, int(geometry.w()))?;
            result::set_tensor4d_descriptor(new.y, format, float_type, int(geometry.y()))?;
            let correlation = Mode::CUDNN_CROSS_CORRELATION;
            let sums = Type::CUDNN_DATA_FLOAT;
            result::set_convolution2d_descriptor(new.conv, py, px, sy, sx, dy, dx, correlation, sums)?;
            result::set_convolution_group_count(new.conv, geometry.groups as c_int)?;
            result::set_convolution_math_type(new.conv, math)?;
        }
        Ok(new)
    }
}

/// Fills a list of candidates with one of cuDNN's functions and takes the first, which is the fastest, that works within the
/// memory allowed. Evaluates to an `Option` of (algorithm, bytes, math).
macro_rules! candidates {
    ($perf:ty, |$count:ident, $list:ident| $call:expr) => {{
        // SAFETY: all fields are numbers or C enumerations that have a 0.
        let mut all: [$perf; CANDIDATES] = unsafe { std::mem::zeroed() };
        let mut found: c_int = 0;
        let ($count, $list): (*mut c_int, *mut $perf) = (&mut found, all.as_mut_ptr());
        // SAFETY: descriptors and addresses fit each other, and the list has room for all candidates asked for.
        let status = unsafe { $call };
        let works = |perf: &&$perf| perf.status == sys::cudnnStatus_t::CUDNN_STATUS_SUCCESS && perf.memory <= WORKSPACE;
        match status {
            sys::cudnnStatus_t::CUDNN_STATUS_SUCCESS => {
                all[..found as usize].iter().find(works).map(|perf| (perf.algo, perf.memory, perf.mathType))
            }
            _ => None,
        }
    }};
}

impl Library {
    fn plan(&mut self, device: &CudaDevice, problem: &Problem, operands: [Numbers; 2], out: Numbers) -> Result<Plan> {
        let description = Description::new(problem).map_err(failed)?;
        let searched = match searches_algorithms() {
            true => self.search(device, problem.role, &description, operands, out)?,
            false => None,
        };
        let Some((algorithm, bytes, math)) = searched.or_else(|| self.guess(problem.role, &description)) else {
            candle_core::bail!(
                "cuDNN has no algorithm for {:?} of {:?} within {WORKSPACE} bytes: make the batch smaller",
                problem.role,
                problem.geometry
            );
        };
        // An algorithm keeps its promise for the arithmetic that it was measured with. Without TF32 that is settled.
        if problem.tf32 || problem.float == Float::Bf16 {
            // SAFETY: the descriptor is alive.
            unsafe { result::set_convolution_math_type(description.conv, math) }.map_err(failed)?;
        }
        Ok(Plan { description, algorithm, bytes })
    }

    /// cuDNN's guess, from rules.
    fn guess(&self, role: Role, d: &Description) -> Option<(Algorithm, usize, sys::cudnnMathType_t)> {
        let (h, most) = (self.handle, CANDIDATES as c_int);
        match role {
            Role::Forward => candidates!(sys::cudnnConvolutionFwdAlgoPerf_t, |count, list| {
                sys::cudnnGetConvolutionForwardAlgorithm_v7(h, d.x, d.w, d.conv, d.y, most, count, list)
            })
            .map(|(algorithm, bytes, math)| (Algorithm::Forward(algorithm), bytes, math)),
            Role::Data => candidates!(sys::cudnnConvolutionBwdDataAlgoPerf_t, |count, list| {
                sys::cudnnGetConvolutionBackwardDataAlgorithm_v7(h, d.w, d.y, d.conv, d.x, most, count, list)
            })
            .map(|(algorithm, bytes, math)| (Algorithm::Data(algorithm), bytes, math)),
            Role::Weight => candidates!(sys::cudnnConvolutionBwdFilterAlgoPerf_t, |count, list| {
                sys::cudnnGetConvolutionBackwardFilterAlgorithm_v7(h, d.x, d.y, d.conv, d.w, most, count, list)
            })
            .map(|(algorithm, bytes, math)| (Algorithm::Weight(algorithm), bytes, math)),
        }
    }

    /// The fastest algorithm as measured on the operands. Writes the result several times.
    fn search(
        &self,
        device: &CudaDevice,
        role: Role,
        d: &Description,
        [a, b]: [Numbers; 2],
        out: Numbers,
    ) -> Result<Option<(Algorithm, usize, sys::cudnnMathType_t)>> {
        // Where not even this much memory is free, rules choose.
        // SAFETY: nobody reads the memory.
        let Ok(space) = (unsafe { device.alloc::<u8>(WORKSPACE) }) else { return Ok(None) };
        let (h, most, space) = (self.handle, CANDIDATES as c_int, (at(address(&space)), space));
        let (a, b, out) = (at(a.address), at(b.address), at(out.address));
        let found = match role {
            Role::Forward => candidates!(sys::cudnnConvolutionFwdAlgoPerf_t, |count, list| {
                sys::cudnnFindConvolutionForwardAlgorithmEx(
                    h, d.x, a, d.w, b, d.conv, d.y, out, most, count, list, space.0, WORKSPACE,
                )
            })
            .map(|(algorithm, bytes, math)| (Algorithm::Forward(algorithm), bytes, math)),
            Role::Data => candidates!(sys::cudnnConvolutionBwdDataAlgoPerf_t, |count, list| {
                sys::cudnnFindConvolutionBackwardDataAlgorithmEx(
                    h, d.w, b, d.y, a, d.conv, d.x, out, most, count, list, space.0, WORKSPACE,
                )
            })
            .map(|(algorithm, bytes, math)| (Algorithm::Data(algorithm), bytes, math)),
            Role::Weight => candidates!(sys::cudnnConvolutionBwdFilterAlgoPerf_t, |count, list| {
                sys::cudnnFindConvolutionBackwardFilterAlgorithmEx(
                    h, d.x, a, d.y, b, d.conv, d.w, out, most, count, list, space.0, WORKSPACE,
                )
            })
            .map(|(algorithm, bytes, math)| (Algorithm::Weight(algorithm), bytes, math)),
        };
        Ok(found)
    }

    /// Makes the workspace at least this large. What it replaces is freed when the GPU comes to that point of the stream, or
    /// with the last graph that works in it.
    fn reserve(&mut self, device: &CudaDevice, bytes: usize) -> Result<()> {
        if bytes > self.workspace.as_ref().map_or(0, |workspace| workspace.len()) {
            self.workspace = None;
            // SAFETY: an algorithm writes its workspace before it reads it.
            self.workspace = Some(Arc::new(unsafe { device.alloc::<u8>(bytes.next_power_of_two())? }));
        }
        Ok(())
    }

    fn launch(&self, plan: &Plan, [a, b]: [Numbers; 2], out: Numbers) -> Result<()> {
        let (h, d) = (self.handle, &plan.description);
        let (one, zero) = (1.0f32, 0.0f32);
        let (one, zero): (*const c_void, *const c_void) = ((&raw const one).cast(), (&raw const zero).cast());
        let (a, b, out) = (at(a.address), at(b.address), at(out.address));
        let space = self.workspace.as_ref().map_or(std::ptr::null_mut(), |workspace| at(address(workspace)));
        let bytes = plan.bytes;
        // SAFETY: the operands have the described shapes and types, the workspace the size that the algorithm asked for.
        unsafe {
            match plan.algorithm {
                Algorithm::Forward(algorithm) => {
                    result::convolution_forward(h, one, d.x, a, d.w, b, d.conv, algorithm, space, bytes, zero, d.y, out)
                }
                Algorithm::Data(algorithm) => result::convolution_backward_data(
                    h, one, d.w, b, d.y, a, d.conv, algorithm, space, bytes, zero, d.x, out,
                ),
                Algorithm::Weight(algorithm) => result::convolution_backward_filter(
                    h, one, d.x, a, d.y, b, d.conv, algorithm, space, bytes, zero, d.w, out,
                ),
            }
        }
        .map_err(failed)
    }
}
