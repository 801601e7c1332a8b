//! Dropout (Srivastava et al. 2014).

use candle_core::{DType, Tensor};

use crate::ops::arithmetic::mul;
use crate::ops::cast::like;
use crate::rng::Stream;
use crate::{Error, Result};

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

/// Each number becomes 0 with probability `rate`, and 1/(1 − `rate`) times as large otherwise, same shape (PyTorch's
/// `Dropout` in training): one uniform number of `stream` each.
///
/// # Errors
/// When the rate is not in [0, 1), or the device has no memory for the choice.
pub fn dropout(x: &Tensor, rate: f64, stream: &mut Stream) -> Result<Tensor> {
    if !(0.0..1.0).contains(&rate) {
        return Err(Error::invalid("dropout: rate", rate.to_string(), "0 or more, below 1", ""));
    }
    let kept = 1.0 / (1.0 - rate);
    let factor = |_| if stream.uniform() < rate { 0.0 } else { kept };
    let factors: Vec<f64> = (0..x.elem_count()).map(factor).collect();
    let factors = Tensor::from_vec(factors, x.shape(), &candle_core::Device::Cpu)?.to_dtype(x.dtype())?;
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

    #[test]
    fn any_share_of_the_numbers_is_dropped() {
        let x = Tensor::ones((100, 100), DType::F64, &Device::Cpu).unwrap();
        let kept = dropout(&x, 0.3, &mut Seed(1).stream("a")).unwrap().flatten_all().unwrap().to_vec1::<f64>().unwrap();
        assert!(kept.iter().all(|&v| v == 0.0 || (v - 1.0 / 0.7).abs() < 1e-12));
        let mean = kept.iter().sum::<f64>() / kept.len() as f64;
        assert!((mean - 1.0).abs() < 0.03, "{mean}");
        assert!(dropout(&x, 1.0, &mut Seed(1).stream("a")).is_err());
    }
}
