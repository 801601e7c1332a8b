//! The numbers of several tensors at once, to be changed in place.
//!
//! candle lets an operation change one tensor. An optimizer changes thousands in one pass, so here their buffers are
//! taken out, lent as slices, and put back when the loan ends, also by a panic. Whoever reads such a tensor meanwhile
//! finds it empty, which is an error, not undefined behaviour.

use std::sync::{Mutex, PoisonError};

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, InplaceOp1, Layout, Tensor};

use super::kernel::Real;

/// The buffer of a tensor, out on loan.
pub(super) struct Loan<T: Real> {
    tensor: Tensor,
    buffer: Buffer<T>,
    start: usize,
    end: usize,
}

impl<T: Real> Loan<T> {
    /// Takes the buffer of `tensor` out; `name` is what messages call the operation.
    ///
    /// # Errors
    /// When the tensor is not contiguous, of another type or on another device, or shares its numbers with one that is
    /// on loan.
    pub fn of(tensor: &Tensor, name: &'static str) -> candle_core::Result<Loan<T>> {
        let Some((start, end)) = tensor.layout().contiguous_offsets() else {
            candle_core::bail!("{name}: the tensor to change is not contiguous");
        };
        let buffer = Buffer { name, values: Mutex::new(Vec::new()) };
        tensor.inplace_op1(&buffer)?;
        if buffer.len() < end {
            tensor.inplace_op1(&buffer)?;
            candle_core::bail!("{name}: one tensor was given twice");
        }
        Ok(Loan { tensor: tensor.clone(), buffer, start, end })
    }

    /// The tensor's numbers.
    pub fn numbers(&mut self) -> &mut [T] {
        let values = self.buffer.values.get_mut().unwrap_or_else(PoisonError::into_inner);
        &mut values[self.start..self.end]
    }
}

impl<T: Real> Drop for Loan<T> {
    fn drop(&mut self) {
        // It went through when the loan began, and nothing about the tensor has changed since.
        let _ = self.tensor.inplace_op1(&self.buffer);
    }
}

/// Exchanges its vector with that of a storage.
struct Buffer<T> {
    name: &'static str,
    values: Mutex<Vec<T>>,
}

impl<T> Buffer<T> {
    fn len(&self) -> usize {
        self.values.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

impl<T: Real> InplaceOp1 for Buffer<T> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn cpu_fwd(&self, storage: &mut CpuStorage, _: &Layout) -> candle_core::Result<()> {
        let found = storage.dtype();
        let Some(values) = T::vec_mut(storage) else {
            candle_core::bail!("{}: found a tensor of {found:?} among those of {:?}", self.name, T::DTYPE);
        };
        std::mem::swap(values, &mut *self.values.lock().unwrap_or_else(PoisonError::into_inner));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};

    use super::*;

    #[test]
    fn a_loan_ends_with_the_numbers_back_in_place() {
        let tensor = Tensor::new(&[1f32, 2.0, 3.0, 4.0], &Device::Cpu).unwrap();
        let part = tensor.narrow(0, 1, 2).unwrap();
        let mut loan = Loan::<f32>::of(&part, "test").unwrap();
        assert_eq!(loan.numbers(), [2.0, 3.0]);
        loan.numbers()[0] = 7.0;
        assert!(Loan::<f32>::of(&tensor, "test").err().unwrap().to_string().contains("given twice"));
        drop(loan);
        assert_eq!(tensor.to_vec1::<f32>().unwrap(), [1.0, 7.0, 3.0, 4.0]);
        assert!(Loan::<f64>::of(&tensor, "test").err().unwrap().to_string().contains("F32 among those of F64"));
        let transposed = Tensor::zeros((2, 2), DType::F32, &Device::Cpu).unwrap().t().unwrap();
        assert!(Loan::<f32>::of(&transposed, "test").is_err());
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let _loan = Loan::<f32>::of(&tensor, "test").unwrap();
            panic!("with a buffer on loan");
        }));
        assert!(panicked.is_err());
        assert_eq!(tensor.to_vec1::<f32>().unwrap(), [1.0, 7.0, 3.0, 4.0]);
    }
}
