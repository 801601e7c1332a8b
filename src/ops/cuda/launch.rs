//! From candle's storage to addresses, and from addresses to launches.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, PoisonError};

use candle_core::cuda::cudarc::driver::{CudaFunction, CudaSlice, DevicePtr, DeviceRepr, LaunchConfig, PushKernelArg};
use candle_core::cuda::{CudaDevice, CudaStorageSlice, DeviceId, WrapErr};
use candle_core::{CudaStorage, DType, Layout, Result, Shape, Storage, Tensor};
use half::bf16;

/// A tensor as an operation gets it.
pub(crate) type Operand<'a> = (&'a CudaStorage, &'a Layout);

/// The results of an operation, storage and shape of each.
pub(crate) type OnGpu<const M: usize> = Result<[(CudaStorage, Shape); M]>;

/// Threads of a block.
pub(super) const THREADS: u32 = 256;

/// Blocks of an elementwise kernel at most: several for each multiprocessor of the largest GPUs.
const BLOCKS: usize = 4096;

/// What numbers are stored as; arithmetic is in f32.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Float {
    F32,
    Bf16,
}

impl Float {
    pub(super) fn bytes(self) -> u64 {
        match self {
            Float::F32 => 4,
            Float::Bf16 => 2,
        }
    }

    /// How a tensor of this type is stored.
    pub(super) fn of(dtype: DType) -> Result<Float> {
        match dtype {
            DType::F32 => Ok(Float::F32),
            DType::BF16 => Ok(Float::Bf16),
            other => candle_core::bail!("found {other:?} on a GPU, expected F32 or BF16"),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Float::F32 => "f32",
            Float::Bf16 => "bf16",
        }
    }
}

/// Numbers on the GPU, one after the other.
#[derive(Clone, Copy, Debug)]
pub(super) struct Numbers {
    pub(super) address: u64,
    pub(super) len: usize,
    pub(super) float: Float,
}

/// The numbers of a contiguous operand.
pub(super) fn numbers(what: &str, (storage, layout): Operand) -> Result<Numbers> {
    let Some((start, end)) = layout.contiguous_offsets() else {
        candle_core::bail!("{what}: the operand is not contiguous");
    };
    let (address, float) = match &storage.slice {
        CudaStorageSlice::F32(slice) => (address(slice), Float::F32),
        CudaStorageSlice::BF16(slice) => (address(slice), Float::Bf16),
        _ => {
            let found = candle_core::backend::BackendStorage::dtype(storage);
            candle_core::bail!("{what}: found {found:?} on a GPU, expected F32 or BF16")
        }
    };
    Ok(Numbers { address: address + start as u64 * float.bytes(), len: end - start, float })
}

/// The numbers of a contiguous tensor. The address stays good while the tensor lives; a kernel launched with it may change
/// the numbers, since everything that reads them afterwards comes later on the one stream.
pub(super) fn numbers_of(what: &str, tensor: &Tensor) -> Result<Numbers> {
    let (storage, layout) = tensor.storage_and_layout();
    match &*storage {
        Storage::Cuda(storage) => numbers(what, (storage, layout)),
        _ => candle_core::bail!("{what}: the tensors lie on different devices"),
    }
}

/// The numbers of several contiguous operands, which have to be of one type.
pub(super) fn alike<const N: usize>(what: &str, operands: [Operand; N]) -> Result<[Numbers; N]> {
    let first = numbers(what, operands[0])?;
    let mut all = [first; N];
    for (slot, operand) in all.iter_mut().zip(operands).skip(1) {
        *slot = numbers(what, operand)?;
        if slot.float != first.float {
            candle_core::bail!("{what}: found {:?} beside {:?}, expected one type", slot.float, first.float);
        }
    }
    Ok(all)
}

/// A contiguous operand that holds one number per channel or row: f32, whatever the maps are.
pub(super) fn vector(what: &str, operand: Operand) -> Result<Numbers> {
    let numbers = numbers(what, operand)?;
    match numbers.float {
        Float::F32 => Ok(numbers),
        Float::Bf16 => candle_core::bail!("{what}: found BF16 for numbers per channel or row, expected F32"),
    }
}

/// Where a slice lies. Its guard, which orders streams, has nothing to do: a device works on one stream only.
pub(super) fn address<T>(slice: &CudaSlice<T>) -> u64 {
    slice.device_ptr(slice.stream()).0
}

/// Memory for `len` numbers, with its address. What it holds at first is left over from earlier uses.
pub(super) fn output(device: &CudaDevice, float: Float, len: usize) -> Result<(CudaStorage, u64)> {
    fn typed<T: DeviceRepr + candle_core::cuda::CudaDType>(
        device: &CudaDevice,
        len: usize,
    ) -> Result<(CudaStorage, u64)> {
        // SAFETY: the caller launches a kernel that writes every number before anything reads one.
        let slice = unsafe { device.alloc::<T>(len)? };
        let address = address(&slice);
        Ok((CudaStorage::wrap_cuda_slice(slice, device.clone()), address))
    }
    match float {
        Float::F32 => typed::<f32>(device, len),
        Float::Bf16 => typed::<bf16>(device, len),
    }
}

/// Memory for `len` f32 that lives for one operation. It may be dropped after the last launch that uses it: the pool
/// hands it out again in the order of the stream.
pub(super) fn scratch(device: &CudaDevice, len: usize) -> Result<CudaSlice<f32>> {
    // SAFETY: as for `output`.
    unsafe { device.alloc::<f32>(len) }
}

/// A count as kernels take it.
pub(super) fn count(what: &str, n: usize) -> Result<u32> {
    match u32::try_from(n) {
        // Kernels add the size of a grid to such numbers.
        Ok(count) if n < 1 << 31 => Ok(count),
        _ => candle_core::bail!("{what}: found {n} numbers, expected less than 2³¹: make the batch smaller"),
    }
}

/// How many numbers a thread takes at once: 4 where `size` (a plane, or all numbers) and all addresses are multiples of
/// that, else 1.
pub(super) fn pack(size: usize, operands: &[Numbers]) -> u32 {
    let aligned = |numbers: &Numbers| numbers.address.is_multiple_of(4 * numbers.float.bytes());
    if size.is_multiple_of(4) && operands.iter().all(aligned) { 4 } else { 1 }
}

/// The name of a kernel for numbers of this type, `pack` at once.
pub(super) fn kernel(base: &str, float: Float, pack: u32) -> String {
    let wide = if pack == 4 { "x4" } else { "" };
    format!("{base}_{}{wide}", float.name())
}

/// The files of kernels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Module {
    Elementwise,
    Norm,
    Resample,
    Conv,
    Optim,
    Data,
    Cast,
    Pose,
    Warp,
}

impl Module {
    fn name_and_ptx(self) -> (&'static str, &'static str) {
        macro_rules! module {
            ($name:literal) => {
                (concat!("tachie_", $name), include_str!(concat!(env!("OUT_DIR"), "/", $name, ".ptx")))
            };
        }
        match self {
            Module::Elementwise => module!("elementwise"),
            Module::Norm => module!("norm"),
            Module::Resample => module!("resample"),
            Module::Conv => module!("conv"),
            Module::Optim => module!("optim"),
            Module::Data => module!("data"),
            Module::Cast => module!("cast"),
            Module::Pose => module!("pose"),
            Module::Warp => module!("warp"),
        }
    }
}

/// An argument of a kernel.
#[derive(Clone, Copy, Debug)]
pub(super) enum Arg {
    Address(u64),
    Count(u32),
    Number(f32),
}

impl From<Numbers> for Arg {
    fn from(numbers: Numbers) -> Arg {
        Arg::Address(numbers.address)
    }
}

impl From<u64> for Arg {
    fn from(address: u64) -> Arg {
        Arg::Address(address)
    }
}

impl From<u32> for Arg {
    fn from(count: u32) -> Arg {
        Arg::Count(count)
    }
}

impl From<f32> for Arg {
    fn from(number: f32) -> Arg {
        Arg::Number(number)
    }
}

/// Blocks along two axes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Grid(pub(super) u32, pub(super) u32);

impl Grid {
    /// Enough threads for `n` packs, or as many as make sense.
    pub(super) fn over(n: u32) -> Grid {
        Grid((n as usize).div_ceil(THREADS as usize).clamp(1, BLOCKS) as u32, 1)
    }
}

/// Launches a kernel with [`THREADS`] threads a block. Returns at once; the kernel runs when its turn on the stream has come.
pub(super) fn launch(device: &CudaDevice, module: Module, name: &str, grid: Grid, args: &[Arg]) -> Result<()> {
    let (function, stream) = (function(device, module, name)?, device.cuda_stream());
    let mut builder = stream.launch_builder(&function);
    for arg in args {
        match arg {
            Arg::Address(address) => builder.arg(address),
            Arg::Count(count) => builder.arg(count),
            Arg::Number(number) => builder.arg(number),
        };
    }
    // SAFETY: the callers in this module's siblings pass the arguments that the kernel of that name declares, with
    // addresses of live memory of the size it works on; `Walk` and `each` keep every access below the given counts.
    unsafe { builder.launch(config(grid)) }.w()?;
    Ok(())
}

/// [`launch`] for a kernel whose arguments are `first` and then one structure.
///
/// # Safety
/// The structure is laid out as the kernel declares it, and its addresses are of live memory of the sizes it names.
pub(super) unsafe fn launch_with<S: DeviceRepr>(
    device: &CudaDevice,
    (module, name): (Module, &str),
    grid: Grid,
    before: &[u32],
    structure: &S,
    after: &[u64],
) -> Result<()> {
    let (function, stream) = (function(device, module, name)?, device.cuda_stream());
    let mut builder = stream.launch_builder(&function);
    for count in before {
        builder.arg(count);
    }
    builder.arg(structure);
    for address in after {
        builder.arg(address);
    }
    // SAFETY: by the contract of this function.
    unsafe { builder.launch(config(grid)) }.w()?;
    Ok(())
}

fn config(Grid(x, y): Grid) -> LaunchConfig {
    LaunchConfig { grid_dim: (x, y, 1), block_dim: (THREADS, 1, 1), shared_mem_bytes: 0 }
}

/// Looks a kernel up once per device.
fn function(device: &CudaDevice, module: Module, name: &str) -> Result<CudaFunction> {
    static KNOWN: LazyLock<Mutex<HashMap<DeviceId, HashMap<String, CudaFunction>>>> = LazyLock::new(Mutex::default);
    // A thread that panicked here left a map that is still whole.
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let of_device = known.entry(device.id()).or_default();
    if let Some(function) = of_device.get(name) {
        return Ok(function.clone());
    }
    let (module, ptx) = module.name_and_ptx();
    let function = device.get_or_load_custom_func(name, module, ptx)?.into_cuda_function();
    of_device.insert(name.to_string(), function.clone());
    Ok(function)
}
