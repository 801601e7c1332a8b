//! Optimizer steps over many tensors at once, in place. All tensors are f32.

use candle_core::cuda::CudaDevice;
use candle_core::cuda::cudarc::driver::DeviceRepr;
use candle_core::{Result, Tensor};

use super::launch::{Float, Grid, Module, Numbers, address, count, launch_with, numbers_of};

/// For arguments that may be left out.
const NOWHERE: u64 = 0;

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
    /// Where a contiguous tensor lies; good while the tensor lives ([`numbers_of`]).
    pub(crate) fn of(tensor: &Tensor) -> Result<Place> {
        Ok(Place(numbers_of("optimizer", tensor)?))
    }

    /// That there are `len` f32 here.
    fn holds(self, what: &str, len: usize) -> Result<()> {
        match self.0 {
            Numbers { float: Float::F32, len: found, .. } if found == len => Ok(()),
            Numbers { float, len: found, .. } => {
                candle_core::bail!("{what}: found {found} {float:?}, expected {len} F32")
            }
        }
    }
}

/// What a step of Adam reads when it is launched, which a graph repeats with the same arguments.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AtLaunch {
    /// Rate and root of each tensor, in place of those in [`AdamTensor`]: `[2·tensors]`.
    pub(crate) scales: Place,
    /// One number; nothing moves where it is not 0.
    pub(crate) stop: Place,
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
const _: () = assert!(size_of::<AdamTable>() + 2 * size_of::<u64>() <= 4096 && size_of::<LerpTable>() <= 4096);
const _: () = assert!(size_of::<FiniteTable>() + 2 * size_of::<u64>() <= 4096);

fn check(what: &str, places: &[Place]) -> Result<u32> {
    let len = places[0].0.len;
    if let Some(Place(other)) = places.iter().find(|other| other.0.float != Float::F32 || other.0.len != len) {
        candle_core::bail!("{what}: found {} {:?}, expected {len} F32", other.len, other.float);
    }
    count(what, len)
}

/// Moves parameters and moments.
pub(crate) fn adam(
    device: &CudaDevice,
    factors: AdamFactors,
    tensors: &[AdamTensor],
    at_launch: Option<AtLaunch>,
) -> Result<()> {
    let AdamFactors { beta1, beta2, epsilon } = factors;
    if let Some(AtLaunch { scales, stop }) = at_launch {
        scales.holds("Adam: scales", 2 * tensors.len())?;
        stop.holds("Adam: stop", 1)?;
    }
    for (chunk, some) in tensors.chunks(ADAM_TENSORS).enumerate() {
        let scale = (2 * chunk * ADAM_TENSORS * size_of::<f32>()) as u64;
        let after = at_launch.map_or([NOWHERE; 2], |now| [now.scales.0.address + scale, now.stop.0.address]);
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
            // SAFETY: the table is laid out as in optim.cu, and every tensor has the length that it says, the scales too.
            unsafe { launch_with(device, (Module::Optim, "adam"), Grid(blocks, 1), &[], &table, &after)? };
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
    let words = device.alloc_zeros::<f32>(places.len() + 1)?;
    let at = |first: usize, len| {
        let address = address(&words) + (first * size_of::<f32>()) as u64;
        Place(Numbers { address, len, float: Float::F32 })
    };
    find_not_finite(device, places, at(0, places.len()), at(places.len(), 1))?;
    Ok(device.clone_dtoh(&words)?.last() == Some(&0.0))
}

/// Writes to `found` (a number per tensor, 0 before) a number of each tensor that is not finite, and then 1 to `stop`.
pub(crate) fn find_not_finite(device: &CudaDevice, places: &[Place], found: Place, stop: Place) -> Result<()> {
    found.holds("finite: results", places.len())?;
    stop.holds("finite: stop", 1)?;
    for (chunk, some) in places.chunks(FINITE_TENSORS).enumerate() {
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
            let after = [found.0.address + (chunk * FINITE_TENSORS * size_of::<f32>()) as u64, stop.0.address];
            // SAFETY: as for Adam; there is a result for each tensor.
            unsafe { launch_with(device, (Module::Optim, "find_not_finite"), Grid(blocks, 1), &[], &table, &after)? };
        }
    }
    Ok(())
}
