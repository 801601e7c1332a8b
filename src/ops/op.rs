//! What an operation is: arithmetic on the numbers of `N` tensors, on the CPU and on a GPU, and a derivative.

use std::sync::Arc;

use candle_core::op::BackpropOp;
use candle_core::{CpuStorage, Layout, Shape, Storage, Tensor};

#[cfg(feature = "cuda")]
use super::cuda::{OnGpu, Operand};
use super::kernel::{Real, view};
use crate::autograd::{Derivative, Saved, Saves, record};

/// The results of a kernel: numbers and shape of each.
pub(crate) type Numbers<T, const M: usize> = candle_core::Result<[(Vec<T>, Shape); M]>;

/// Arithmetic that makes `M` tensors of `N` tensors of one type, f32 or f64.
pub(crate) trait Kernel<const N: usize, const M: usize>: Send + Sync + 'static {
    /// What messages call it.
    fn name(&self) -> &'static str;

    /// The results from the operands' numbers, which are contiguous.
    ///
    /// # Errors
    /// When the shapes do not fit.
    fn cpu<T: Real>(&self, operands: [(&[T], &Shape); N]) -> Numbers<T, M>;

    /// The results on a GPU, of contiguous operands of f32 or bf16.
    ///
    /// # Errors
    /// When the shapes do not fit, or the kernel exists for the CPU only.
    #[cfg(feature = "cuda")]
    fn cuda(&self, _: [Operand; N]) -> OnGpu<M> {
        candle_core::bail!("{}: runs on the CPU only; set TACHIE_DEVICE=cpu", self.name())
    }
}

/// A kernel with one result and a derivative.
pub(crate) trait Op<const N: usize>: Kernel<N, 1> {
    /// What the derivative reads.
    fn saves(&self) -> Saves<N>;

    /// The gradients of the operands, where [`Saved::needs`] asks for them. Unless [`Saved::keeps_graph`], what is
    /// done in here joins no graph.
    ///
    /// # Errors
    /// Those of the operations that it consists of.
    fn backward(&self, saved: &Saved, upstream: &Tensor) -> candle_core::Result<[Option<Tensor>; N]>;
}

/// Applies `op`, and joins the graph if an operand leads to a variable. The result is contiguous.
///
/// # Errors
/// When the operands differ in type or device, are neither f32 nor f64, or `op` refuses their shapes.
pub(super) fn apply<const N: usize>(op: impl Op<N>, operands: [&Tensor; N]) -> candle_core::Result<Tensor> {
    apply_shared(&Arc::new(op), operands)
}

fn apply_shared<O: Op<N>, const N: usize>(op: &Arc<O>, operands: [&Tensor; N]) -> candle_core::Result<Tensor> {
    let operands = contiguous(operands)?;
    let operands = operands.each_ref();
    let [(storage, shape)] = run(&**op, operands)?;
    record(storage, shape, operands, op.saves(), || Box::new(Application::<O, N>(op.clone())))
}

/// The results of a kernel, which join no graph.
///
/// # Errors
/// As [`apply`].
pub(super) fn compute<const N: usize, const M: usize>(
    kernel: &impl Kernel<N, M>,
    operands: [&Tensor; N],
) -> candle_core::Result<[Tensor; M]> {
    let results = run(kernel, contiguous(operands)?.each_ref())?;
    Ok(results.map(|(storage, shape)| Tensor::from_storage(storage, shape, BackpropOp::none(), false)))
}

fn contiguous<const N: usize>(operands: [&Tensor; N]) -> candle_core::Result<[Tensor; N]> {
    let mut contiguous = operands.map(Tensor::clone);
    for operand in &mut contiguous {
        if !operand.is_contiguous() {
            *operand = operand.contiguous()?;
        }
    }
    Ok(contiguous)
}

fn run<const N: usize, const M: usize>(
    kernel: &impl Kernel<N, M>,
    operands: [&Tensor; N],
) -> candle_core::Result<[(Storage, Shape); M]> {
    let places = operands.map(Tensor::storage_and_layout);
    let operands: [(&Storage, &Layout); N] = std::array::from_fn(|i| (&*places[i].0, places[i].1));
    match operands[0].0 {
        Storage::Cpu(CpuStorage::F32(_)) => on_cpu::<f32, N, M>(kernel, operands),
        Storage::Cpu(CpuStorage::F64(_)) => on_cpu::<f64, N, M>(kernel, operands),
        Storage::Cpu(_) => {
            candle_core::bail!("{}: found {:?}, expected F32 or F64", kernel.name(), operands[0].0.dtype())
        }
        #[cfg(feature = "cuda")]
        Storage::Cuda(_) => on_gpu(kernel, operands),
        _ => candle_core::bail!("{}: runs on the CPU only", kernel.name()),
    }
}

#[cfg(feature = "cuda")]
fn on_gpu<const N: usize, const M: usize>(
    kernel: &impl Kernel<N, M>,
    operands: [(&Storage, &Layout); N],
) -> candle_core::Result<[(Storage, Shape); M]> {
    let mut places: Vec<Operand> = Vec::with_capacity(N);
    for (storage, layout) in operands {
        match storage {
            Storage::Cuda(storage) => places.push((storage, layout)),
            _ => candle_core::bail!("{}: the operands lie on different devices", kernel.name()),
        }
    }
    let operands: [Operand; N] = std::array::from_fn(|i| places[i]);
    Ok(kernel.cuda(operands)?.map(|(storage, shape)| (Storage::Cuda(storage), shape)))
}

fn on_cpu<T: Real, const N: usize, const M: usize>(
    kernel: &impl Kernel<N, M>,
    operands: [(&Storage, &Layout); N],
) -> candle_core::Result<[(Storage, Shape); M]> {
    let mut numbers: [(&[T], &Shape); N] = [(&[], operands[0].1.shape()); N];
    for (numbers, (storage, layout)) in numbers.iter_mut().zip(operands) {
        let Storage::Cpu(storage) = storage else {
            candle_core::bail!("{}: the operands lie on different devices", kernel.name());
        };
        *numbers = (view(storage, layout, kernel.name())?, layout.shape());
    }
    Ok(kernel.cpu(numbers)?.map(|(values, shape)| (Storage::Cpu(T::storage(values)), shape)))
}

/// An operation as its node sees it.
struct Application<O, const N: usize>(Arc<O>);

impl<O: Op<N>, const N: usize> Derivative for Application<O, N> {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn backward(&self, saved: &Saved, upstream: &Tensor) -> candle_core::Result<Vec<Option<Tensor>>> {
        Ok(self.0.backward(saved, upstream)?.into())
    }

    fn again(&self, operands: &[Tensor]) -> candle_core::Result<Tensor> {
        match <[&Tensor; N]>::try_from(operands.iter().collect::<Vec<_>>()) {
            Ok(operands) => apply_shared(&self.0, operands),
            Err(operands) => candle_core::bail!("{}: {} operands, expected {N}", self.0.name(), operands.len()),
        }
    }
}
