//! Dropout (Srivastava et al. 2014).

use candle_core::{DType, Tensor};

use crate::Result;
use crate::ops::arithmetic::mul;
use crate::ops::cast::like;
use crate::rng::Stream;

/// Half of the numbers, at random from `stream`, become 0 and the others twice as large (PyTorch's `Dropout(0.5)` in
/// training), same shape.
///
/// # Errors
/// When the device has no memory for the choice.
pub fn half(x: &Tensor, stream: &mut Stream) -> Result<Tensor> {
    // 64 choices a number.
    let count = x.elem_count();
    let mut factors = Vec::with_capacity(count.next_multiple_of(64));
    while factors.len() < count {
        let bits = stream.u64();
        factors.extend((0..64).map(|bit| if bits >> bit & 1 == 1 { 2f32 } else { 0.0 }));
    }
    factors.truncate(count);
    let factors = Tensor::from_vec(factors, x.shape(), &candle_core::Device::Cpu)?;
    let factors = if x.dtype() == DType::F32 { factors } else { like(&factors, x)? };
    mul(x, &factors.to_device(x.device())?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Seed;
    use candle_core::Device;

    #[test]
    fn half_of_the_numbers_are_kept_twice_as_large() {
        let x = Tensor::ones((3, 4, 50, 50), DType::F32, &Device::Cpu).unwrap();
        let numbers = |name: &str| half(&x, &mut Seed(1).stream(name)).unwrap().flatten_all().unwrap();
        let kept = numbers("a").to_vec1::<f32>().unwrap();
        assert!(kept.iter().all(|&v| v == 0.0 || v == 2.0));
        let mean = kept.iter().sum::<f32>() / kept.len() as f32;
        assert!((mean - 1.0).abs() < 0.03, "{mean}");
        assert_eq!(kept, numbers("a").to_vec1::<f32>().unwrap());
        assert_ne!(kept, numbers("b").to_vec1::<f32>().unwrap());
    }
}
