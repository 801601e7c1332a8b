//! Tensors as PyTorch stores them: views of shared storages.

use candle_core::{DType, Device, Tensor};

use crate::Result;

/// The type of a storage's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Element {
    F32,
    F64,
    F16,
    BF16,
    I64,
}

impl Element {
    /// The type of the class `torch.NAME`.
    pub(super) fn of_storage(name: &str) -> Option<Element> {
        match name {
            "FloatStorage" => Some(Element::F32),
            "DoubleStorage" => Some(Element::F64),
            "HalfStorage" => Some(Element::F16),
            "BFloat16Storage" => Some(Element::BF16),
            "LongStorage" => Some(Element::I64),
            _ => None,
        }
    }

    fn dtype(self) -> DType {
        match self {
            Element::F32 => DType::F32,
            Element::F64 => DType::F64,
            Element::F16 => DType::F16,
            Element::BF16 => DType::BF16,
            Element::I64 => DType::I64,
        }
    }

    /// Bytes of a number.
    pub(super) fn size(self) -> usize {
        self.dtype().size_in_bytes()
    }
}

/// A run of numbers that tensors share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Storage {
    pub(super) key: String,
    pub(super) element: Element,
    pub(super) count: usize,
}

impl Storage {
    /// Its length in bytes, if there can be one.
    pub(super) fn bytes(&self) -> Option<usize> {
        self.count.checked_mul(self.element.size())
    }
}

/// A tensor: numbers of a storage at regular distances.
#[derive(Clone, Debug)]
pub(super) struct View {
    pub(super) storage: Storage,
    offset: usize,
    shape: Vec<usize>,
    strides: Vec<usize>,
    numbers: usize,
}

impl View {
    /// Checks that all numbers lie in the storage, and that there are no more of them than it has.
    pub(super) fn new(storage: Storage, offset: usize, shape: Vec<usize>, strides: Vec<usize>) -> Result<View, String> {
        let said = || {
            format!("a tensor of shape {shape:?}, strides {strides:?}, offset {offset} in {} numbers", storage.count)
        };
        if shape.len() != strides.len() {
            return Err(said());
        }
        let numbers = shape.iter().try_fold(1usize, |product, &side| product.checked_mul(side)).ok_or_else(said)?;
        let last = shape.iter().zip(&strides).try_fold(offset, |at, (&side, &stride)| {
            side.saturating_sub(1).checked_mul(stride).and_then(|way| at.checked_add(way))
        });
        // Numbers repeated by a stride of 0 would let a short file ask for any amount of memory.
        let inside = last.is_some_and(|last| last < storage.count) && numbers <= storage.count;
        if numbers > 0 && !inside {
            return Err(said());
        }
        Ok(View { storage, offset, shape, strides, numbers })
    }

    /// Bytes of its numbers.
    pub(super) fn bytes(&self) -> usize {
        self.numbers.saturating_mul(self.storage.element.size())
    }

    /// The tensor from the bytes of its storage, contiguous on the CPU; f16 and bf16 become f32.
    pub(super) fn tensor(&self, storage: &[u8]) -> Result<Tensor> {
        let (size, dtype) = (self.storage.element.size(), self.storage.element.dtype());
        let tensor = if self.is_contiguous() {
            let start = self.offset * size;
            let bytes = if self.numbers == 0 { &[] } else { &storage[start..start + self.bytes()] };
            Tensor::from_raw_buffer(bytes, dtype, &self.shape, &Device::Cpu)?
        } else {
            Tensor::from_raw_buffer(&self.gathered(storage, size), dtype, &self.shape, &Device::Cpu)?
        };
        Ok(match dtype {
            DType::F16 | DType::BF16 => tensor.to_dtype(DType::F32)?,
            _ => tensor,
        })
    }

    fn is_contiguous(&self) -> bool {
        let mut step = 1;
        self.shape.iter().zip(&self.strides).rev().all(|(&side, &stride)| {
            let fits = side <= 1 || stride == step;
            step *= side;
            fits
        })
    }

    fn gathered(&self, storage: &[u8], size: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.bytes());
        let mut index = vec![0; self.shape.len()];
        for _ in 0..self.numbers {
            let at = index.iter().zip(&self.strides).map(|(i, stride)| i * stride).sum::<usize>() + self.offset;
            bytes.extend(&storage[at * size..][..size]);
            for (i, &side) in index.iter_mut().zip(&self.shape).rev() {
                *i += 1;
                if *i < side {
                    break;
                }
                *i = 0;
            }
        }
        bytes
    }
}
