//! Optimizer steps over many tensors at once, in place. All tensors are f32.

use candle_core::cuda::CudaDevice;
use candle_core::cuda::cudarc::driver::DeviceRepr;
use candle_core::{Result, Storage, Tensor};

use super::launch::{Float, Grid, Module, Numbers, address, count, launch_with, numbers};

/// Numbers that a block works on, as in optim.cu.
const CHUNK: u32 = 4096;

/// Tensors of one launch, as in optim.cu.
const ADAM_TENSORS: usize = 72;
const LERP_TENSORS: usize = 160;
const FINITE_TENSORS: usize = 240;

/// Where the numbers of a tensor lie.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place(Numbers);

impl Place {
    /// Where a contiguous tensor lies. The address stays good while the tensor lives; a kernel launched with it may change
    /// the numbers, since everything that reads them afterwards comes later on the one stream.
    pub(crate) fn of(tensor: &Tensor) -> Result<Place> {
        let (storage, layout) = tensor.storage_and_layout();
        match &*storage {
            Storage::Cuda(storage) => Ok(Place(numbers("optimizer", (storage, layout))?)),
            _ => candle_core::bail!("optimizer: the tensors lie on different devices"),
        }
    }
}

/// One tensor's part in a step of Adam.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AdamTensor {
    pub(crate) parameter: Place,
    pub(crate) gradient: Place,
    pub(crate) mean: Place,
    pub(crate) square: Place,
    /// Learning rate over the correction of the first moment.
    pub(crate) rate: f32,
    /// Root of the correction of the second moment.
    pub(crate) root: f32,
}

/// What all tensors of a step of Adam have in common.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct AdamFactors {
    pub(crate) beta1: f64,
    pub(crate) beta2: f64,
    pub(crate) epsilon: f64,
}

#[repr(C)]
struct AdamTable {
    addresses: [[u64; ADAM_TENSORS]; 4],
    len: [u32; ADAM_TENSORS],
    first: [u32; ADAM_TENSORS],
    rate: [f32; ADAM_TENSORS],
    root: [f32; ADAM_TENSORS],
    count: u32,
    factors: [f32; 4],
}

#[repr(C)]
struct LerpTable {
    addresses: [[u64; LERP_TENSORS]; 2],
    len: [u32; LERP_TENSORS],
    first: [u32; LERP_TENSORS],
    count: u32,
    weight: f32,
}

#[repr(C)]
struct FiniteTable {
    addresses: [u64; FINITE_TENSORS],
    len: [u32; FINITE_TENSORS],
    first: [u32; FINITE_TENSORS],
    count: u32,
}

// SAFETY: addresses and numbers of 32 bits in the order of the C structures of that name.
unsafe impl DeviceRepr for AdamTable {}
// SAFETY: as above.
unsafe impl DeviceRepr for LerpTable {}
// SAFETY: as above.
unsafe impl DeviceRepr for FiniteTable {}

/// The limit for arguments of a kernel.
const _: () = assert!(size_of::<AdamTable>() <= 4096 && size_of::<LerpTable>() <= 4096);
const _: () = assert!(size_of::<FiniteTable>() + size_of::<u64>() <= 4096);

fn check(what: &str, places: &[Place]) -> Result<u32> {
    let len = places[0].0.len;
    if let Some(Place(other)) = places.iter().find(|other| other.0.float != Float::F32 || other.0.len != len) {
        candle_core::bail!("{what}: found {} {:?}, expected {len} F32", other.len, other.float);
    }
    count(what, len)
}

/// Moves parameters and moments.
pub(crate) fn adam(device: &CudaDevice, factors: AdamFactors, tensors: &[AdamTensor]) -> Result<()> {
    let AdamFactors { beta1, beta2, epsilon } = factors;
    for some in tensors.chunks(ADAM_TENSORS) {
        let mut table = AdamTable {
            addresses: [[0; ADAM_TENSORS]; 4],
            len: [0; ADAM_TENSORS],
            first: [0; ADAM_TENSORS],
            rate: [0.0; ADAM_TENSORS],
            root: [0.0; ADAM_TENSORS],
            count: some.len() as u32,
            factors: [1.0 - beta1, beta2, 1.0 - beta2, epsilon].map(|factor| factor as f32),
        };
        let mut blocks = 0;
        for (i, tensor) in some.iter().enumerate() {
            let all = [tensor.parameter, tensor.gradient, tensor.mean, tensor.square];
            (table.len[i], table.first[i]) = (check("Adam", &all)?, blocks);
            for (addresses, place) in table.addresses.iter_mut().zip(all) {
                addresses[i] = place.0.address;
            }
            (table.rate[i], table.root[i]) = (tensor.rate, tensor.root);
            blocks += table.len[i].div_ceil(CHUNK);
        }
        if blocks > 0 {
            // SAFETY: the table is laid out as in optim.cu, and every tensor has the length that it says.
            unsafe { launch_with(device, (Module::Optim, "adam"), Grid(blocks, 1), &[], &table, &[])? };
        }
    }
    Ok(())
}

/// average += weight·(towards − average) for pairs (average, towards).
pub(crate) fn lerp(device: &CudaDevice, weight: f64, pairs: &[(Place, Place)]) -> Result<()> {
    for some in pairs.chunks(LERP_TENSORS) {
        let mut table = LerpTable {
            addresses: [[0; LERP_TENSORS]; 2],
            len: [0; LERP_TENSORS],
            first: [0; LERP_TENSORS],
            count: some.len() as u32,
            weight: weight as f32,
        };
        let mut blocks = 0;
        for (i, &(average, towards)) in some.iter().enumerate() {
            (table.len[i], table.first[i]) = (check("running average", &[average, towards])?, blocks);
            (table.addresses[0][i], table.addresses[1][i]) = (average.0.address, towards.0.address);
            blocks += table.len[i].div_ceil(CHUNK);
        }
        if blocks > 0 {
            // SAFETY: as for Adam.
            unsafe { launch_with(device, (Module::Optim, "lerp"), Grid(blocks, 1), &[], &table, &[])? };
        }
    }
    Ok(())
}

/// Whether all numbers of all tensors are finite. Waits for the GPU.
pub(crate) fn all_finite(device: &CudaDevice, places: &[Place]) -> Result<bool> {
    let flag = device.alloc_zeros::<u32>(1)?;
    for some in places.chunks(FINITE_TENSORS) {
        let mut table = FiniteTable {
            addresses: [0; FINITE_TENSORS],
            len: [0; FINITE_TENSORS],
            first: [0; FINITE_TENSORS],
            count: some.len() as u32,
        };
        let mut blocks = 0;
        for (i, place) in some.iter().enumerate() {
            (table.len[i], table.first[i]) = (check("finite", &[*place])?, blocks);
            table.addresses[i] = place.0.address;
            blocks += table.len[i].div_ceil(CHUNK);
        }
        if blocks > 0 {
            let flag = [address(&flag)];
            // SAFETY: as for Adam; the flag is one number.
            unsafe { launch_with(device, (Module::Optim, "find_not_finite"), Grid(blocks, 1), &[], &table, &flag)? };
        }
    }
    Ok(device.clone_dtoh(&flag)?.first() == Some(&0))
}
