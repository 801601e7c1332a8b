//! Looking for numbers that are not finite.

use candle_core::{DType, Tensor};

use super::reduce::first_not_finite;
use crate::Result;

/// Whether these tensors hold finite numbers only. On a GPU (tensors of one device, f32) one kernel looks at 240 tensors
/// and one number comes back; on the CPU f32 and f64.
///
/// # Errors
/// When a device refuses.
pub fn all_finite(tensors: &[&Tensor]) -> Result<bool> {
    #[cfg(feature = "cuda")]
    if let Some(candle_core::Device::Cuda(device)) = tensors.first().map(|tensor| tensor.device())
        && tensors.iter().all(|tensor| tensor.dtype() == DType::F32)
    {
        return on_gpu(device, tensors);
    }
    if tensors.iter().all(|tensor| tensor.device().is_cpu()) {
        return Ok(first_not_finite(tensors)?.is_none());
    }
    for tensor in tensors {
        // Times 0, NaN and infinities become NaN and everything else 0: one number to look at.
        if tensor.detach().affine(0.0, 0.0)?.sum_all()?.to_dtype(DType::F64)?.to_scalar::<f64>()? != 0.0 {
            return Ok(false);
        }
    }
    Ok(true)
}

#[cfg(feature = "cuda")]
fn on_gpu(device: &candle_core::CudaDevice, tensors: &[&Tensor]) -> Result<bool> {
    use super::cuda::optim::{Place, all_finite};
    let tensors = tensors.iter().map(|tensor| tensor.contiguous()).collect::<candle_core::Result<Vec<_>>>()?;
    let places = tensors.iter().map(Place::of).collect::<candle_core::Result<Vec<_>>>()?;
    Ok(all_finite(device, &places)?)
}

/// Looks for numbers that are not finite without waiting for the GPU: writes one of each tensor that has some to `found`
/// (f32, one per tensor, 0 before), and then 1 to `stop` (one f32).
#[cfg(feature = "cuda")]
pub(crate) fn search(tensors: &[&Tensor], found: &Tensor, stop: &Tensor) -> Result<()> {
    use super::cuda::optim::{Place, find_not_finite};
    let tensors = tensors.iter().map(|tensor| tensor.contiguous()).collect::<candle_core::Result<Vec<_>>>()?;
    let places = tensors.iter().map(Place::of).collect::<candle_core::Result<Vec<_>>>()?;
    Ok(find_not_finite(found.device().as_cuda_device()?, &places, Place::of(found)?, Place::of(stop)?)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    #[test]
    fn one_bad_number_among_many_is_found() {
        let good = Tensor::new(&[1e38f32, -1e38, 0.0], &Device::Cpu).unwrap();
        assert!(all_finite(&[&good, &good]).unwrap());
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let bad = Tensor::new(&[0.0, bad], &Device::Cpu).unwrap();
            assert!(!all_finite(&[&good, &bad]).unwrap());
        }
    }
}
