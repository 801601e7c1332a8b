//! Many tensors between f32 and bf16 in one launch.

use candle_core::cuda::CudaDevice;
use candle_core::cuda::cudarc::driver::DeviceRepr;
use candle_core::op::BackpropOp;
use candle_core::{Result, Storage, Tensor};

use super::launch::{Float, Grid, Module, Numbers, THREADS, count, launch_with, numbers_of, output};

/// Tensors of one launch, as in cast.cu.
const TENSORS: usize = 200;

/// Blocks that share a tensor at most.
const BLOCKS: u32 = 256;

/// Numbers that a thread takes at once.
const PACK: u32 = 4;

#[repr(C)]
struct CastTable {
    addresses: [[u64; TENSORS]; 2],
    len: [u32; TENSORS],
}

// SAFETY: addresses and numbers of 32 bits in the order of the C structure of that name.
unsafe impl DeviceRepr for CastTable {}

/// The limit for arguments of a kernel.
const _: () = assert!(size_of::<CastTable>() <= 4096);

/// f32 tensors rounded into bf16 ones, in place.
pub(crate) fn round_all(pairs: &[(Tensor, Tensor)]) -> Result<()> {
    let what = "rounding to bf16";
    let Some((first, _)) = pairs.first() else { return Ok(()) };
    let places = pairs
        .iter()
        .map(|(from, to)| Ok([numbers_of(what, from)?, numbers_of(what, to)?]))
        .collect::<Result<Vec<_>>>()?;
    run(first.device().as_cuda_device()?, "round_all", [Float::F32, Float::Bf16], &places)
}

/// bf16 tensors in f32, without a graph.
pub(crate) fn widen_all(tensors: &[Tensor]) -> Result<Vec<Tensor>> {
    let what = "widening to f32";
    let Some(first) = tensors.first() else { return Ok(Vec::new()) };
    let device = first.device().as_cuda_device()?;
    let tensors = tensors.iter().map(Tensor::contiguous).collect::<Result<Vec<_>>>()?;
    let (mut places, mut widened) = (Vec::new(), Vec::new());
    for tensor in &tensors {
        let from = numbers_of(what, tensor)?;
        let (storage, address) = output(device, Float::F32, from.len)?;
        places.push([from, Numbers { address, float: Float::F32, ..from }]);
        widened.push(Tensor::from_storage(Storage::Cuda(storage), tensor.shape().clone(), BackpropOp::none(), false));
    }
    run(device, "widen_all", [Float::Bf16, Float::F32], &places)?;
    Ok(widened)
}

fn run(device: &CudaDevice, name: &str, floats: [Float; 2], places: &[[Numbers; 2]]) -> Result<()> {
    for some in places.chunks(TENSORS) {
        let mut table = CastTable { addresses: [[0; TENSORS]; 2], len: [0; TENSORS] };
        let mut longest = 0;
        for (i, pair) in some.iter().enumerate() {
            if pair.map(|numbers| numbers.float) != floats || pair[0].len != pair[1].len {
                candle_core::bail!("{name}: found {pair:?}, expected {floats:?} of one length");
            }
            table.len[i] = count(name, pair[0].len)?;
            longest = longest.max(table.len[i]);
            for (addresses, numbers) in table.addresses.iter_mut().zip(pair) {
                addresses[i] = numbers.address;
            }
        }
        let blocks = longest.div_ceil(PACK * THREADS).clamp(1, BLOCKS);
        // SAFETY: the table is laid out as in cast.cu, and every tensor has the length that it says.
        unsafe { launch_with(device, (Module::Cast, name), Grid(blocks, some.len() as u32), &[], &table, &[])? };
    }
    Ok(())
}
