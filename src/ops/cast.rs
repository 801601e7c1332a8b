//! Between f32 and bf16: one tensor, which joins the graph, or many at once.

use candle_core::backend::BackendStorage;
use candle_core::{DType, Shape, Storage, Tensor};

#[cfg(feature = "cuda")]
use super::cuda::cast as gpu;
use crate::Result;
use crate::autograd::{Derivative, Saved, Saves, record};

/// x in another float type, rounded to the nearest number; x itself where it has the type. The gradient comes back in the
/// type of x.
///
/// # Errors
/// When there is no conversion, or the device has no memory.
pub fn cast(x: &Tensor, dtype: DType) -> Result<Tensor> {
    Ok(convert(x, dtype)?)
}

/// x in f32 where it is bf16, else x itself: what sums, losses and pictures are made of, whatever a network computes in.
///
/// # Errors
/// As [`cast`].
pub fn full(x: &Tensor) -> Result<Tensor> {
    Ok(widened(x)?)
}

/// x in the type of a layer's `weight` where one of them is bf16, else x itself, for the operation to judge.
///
/// # Errors
/// As [`cast`].
pub fn like(x: &Tensor, weight: &Tensor) -> Result<Tensor> {
    let mixed = x.dtype() == DType::BF16 || weight.dtype() == DType::BF16;
    if mixed { cast(x, weight.dtype()) } else { Ok(x.clone()) }
}

/// The type of numbers that stand for many numbers of type `dtype`, as sums, scales and biases do.
pub(crate) fn wide(dtype: DType) -> DType {
    if dtype == DType::BF16 { DType::F32 } else { dtype }
}

pub(crate) fn widened(x: &Tensor) -> candle_core::Result<Tensor> {
    convert(x, wide(x.dtype()))
}

pub(crate) fn convert(x: &Tensor, dtype: DType) -> candle_core::Result<Tensor> {
    if x.dtype() == dtype {
        return Ok(x.clone());
    }
    let x = x.contiguous()?;
    let (storage, shape) = converted(&x, dtype)?;
    record(storage, shape, [&x], Saves::NOTHING, || Box::new(Cast(dtype)))
}

fn converted(x: &Tensor, dtype: DType) -> candle_core::Result<(Storage, Shape)> {
    let (storage, layout) = x.storage_and_layout();
    let storage = match &*storage {
        Storage::Cpu(storage) => Storage::Cpu(storage.to_dtype(layout, dtype)?),
        Storage::Cuda(storage) => Storage::Cuda(storage.to_dtype(layout, dtype)?),
        _ => candle_core::bail!("cast: runs on the CPU and on CUDA only"),
    };
    Ok((storage, layout.shape().clone()))
}

struct Cast(DType);

impl Derivative for Cast {
    fn name(&self) -> &'static str {
        "cast"
    }

    fn backward(&self, saved: &Saved, upstream: &Tensor) -> candle_core::Result<Vec<Option<Tensor>>> {
        Ok(vec![Some(convert(upstream, saved.dtype(0))?)])
    }

    fn again(&self, operands: &[Tensor]) -> candle_core::Result<Tensor> {
        match operands {
            [x] => convert(x, self.0),
            _ => candle_core::bail!("cast: {} operands, expected 1", operands.len()),
        }
    }

    fn converts(&self) -> bool {
        true
    }
}

/// All of them in f32, without a graph: on a GPU in one launch.
pub(crate) fn widen_all(tensors: &[Tensor]) -> candle_core::Result<Vec<Tensor>> {
    #[cfg(feature = "cuda")]
    if tensors.len() > 1 && tensors.iter().all(|tensor| tensor.device().is_cuda() && tensor.dtype() == DType::BF16) {
        return gpu::widen_all(tensors);
    }
    tensors.iter().map(|tensor| tensor.detach().to_dtype(DType::F32)).collect()
}

/// Rounds each first tensor (f32) into the second one (bf16, of the same shape), in place: on a GPU in one launch.
///
/// # Errors
/// When a pair differs in shape, has other types, or is not on a GPU.
pub(crate) fn round_all(pairs: &[(Tensor, Tensor)]) -> candle_core::Result<()> {
    if pairs.is_empty() {
        return Ok(());
    }
    if let Some((from, to)) = pairs.iter().find(|(from, to)| from.dims() != to.dims()) {
        candle_core::bail!("rounding to bf16: found shape {:?}, expected {:?}", to.dims(), from.dims());
    }
    #[cfg(feature = "cuda")]
    {
        gpu::round_all(pairs)
    }
    #[cfg(not(feature = "cuda"))]
    {
        candle_core::bail!("rounding to bf16: this program was built without the feature `cuda`")
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Var};

    use super::*;
    use crate::autograd::backward;
    use crate::ops::activation::tanh;

    #[test]
    fn a_rounded_number_keeps_its_gradient_in_its_own_type() {
        let x = Var::new(&[0.3f32, -1.7], &Device::Cpu).unwrap();
        let rounded = cast(x.as_tensor(), DType::BF16).unwrap();
        assert_eq!(rounded.dtype(), DType::BF16);
        let y = tanh(&full(&rounded).unwrap()).unwrap();
        let gradient = backward(&y).unwrap().get(&x).unwrap().clone();
        assert_eq!(gradient.dtype(), DType::F32);
        for (gradient, x) in gradient.to_vec1::<f32>().unwrap().into_iter().zip([0.3f32, -1.7]) {
            let wanted = 1.0 - x.tanh().powi(2);
            assert!((gradient - wanted).abs() < 0.01 * wanted.abs().max(0.1), "{gradient}, expected {wanted}");
        }
    }

    #[test]
    fn what_has_the_type_is_left_alone() {
        let x = Tensor::new(&[1f32, 2.0], &Device::Cpu).unwrap();
        assert_eq!(full(&x).unwrap().id(), x.id());
        assert_eq!(like(&x, &x.to_dtype(DType::F64).unwrap()).unwrap().id(), x.id());
        let half = x.to_dtype(DType::BF16).unwrap();
        assert_eq!(like(&x, &half).unwrap().dtype(), DType::BF16);
        assert_eq!(like(&half, &x).unwrap().dtype(), DType::F32);
    }

    #[test]
    fn several_uses_of_rounded_numbers_add_up() {
        let x = Var::new(&[0.5f32, 2.0], &Device::Cpu).unwrap();
        let rounded = cast(x.as_tensor(), DType::BF16).unwrap();
        let parts = [full(&rounded).unwrap(), (full(&rounded).unwrap() * 2.0).unwrap()];
        let gradient = backward(&(&parts[0] + &parts[1]).unwrap()).unwrap().get(&x).unwrap().to_vec1::<f32>().unwrap();
        assert_eq!(gradient, [3.0, 3.0]);
    }
}
