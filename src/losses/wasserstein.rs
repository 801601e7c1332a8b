//! The losses of a Wasserstein critic (Arjovsky et al. 2017, arXiv:1701.07875) as Progressive GAN has them (Karras et al.
//! 2018, appendix A.1); the gradient penalty is [`penalty::wgan_gp`](super::penalty::wgan_gp). Scores in bf16 are widened
//! first: losses are f32.

use candle_core::Tensor;

use crate::Result;
use crate::ops::activation::relu;
use crate::ops::cast::full;
use crate::ops::{arithmetic, reduce};

/// What the critic minimises: mean D(fake) − mean D(real), minus its estimate of the distance. Scores `[N]` or `[N, 1]` →
/// a scalar.
///
/// # Errors
/// When a tensor is empty.
pub fn critic(real: &Tensor, fake: &Tensor) -> Result<Tensor> {
    Ok((reduce::mean(&full(fake)?)? - reduce::mean(&full(real)?)?)?)
}

/// What the generator minimises: −mean D(fake). Scores `[N]` or `[N, 1]` → a scalar.
///
/// # Errors
/// When the tensor is empty.
pub fn generator(fake: &Tensor) -> Result<Tensor> {
    arithmetic::affine(&reduce::mean(&full(fake)?)?, -1.0, 0.0)
}

/// Wants every picture of `better` to score `margin` above that of `worse`, and nothing once it does: mean
/// max(0, margin − (D(better) − D(worse))). Scores `[N]` or `[N, 1]` → a scalar, 0 or more.
///
/// # Errors
/// When a tensor is empty, or the shapes differ.
pub fn margin(better: &Tensor, worse: &Tensor, margin: f64) -> Result<Tensor> {
    let lead = arithmetic::add(&full(better)?, &arithmetic::affine(&full(worse)?, -1.0, 0.0)?)?;
    reduce::mean(&relu(&arithmetic::affine(&lead, -1.0, margin)?)?)
}

/// Keeps scores from drifting away from 0, which the distance alone does not: mean D(real)². Scores `[N]` or `[N, 1]` → a
/// scalar.
///
/// # Errors
/// When the tensor is empty.
pub fn drift(real: &Tensor) -> Result<Tensor> {
    let real = full(real)?;
    reduce::mean(&arithmetic::mul(&real, &real)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    #[test]
    fn means_of_scores() {
        let scores = |numbers: &[f32]| Tensor::new(numbers, &Device::Cpu).unwrap();
        let (real, fake) = (scores(&[1.0, 2.0, 6.0]), scores(&[-1.0, 0.0, 4.0]));
        let value = |t: Result<Tensor>| t.unwrap().to_scalar::<f32>().unwrap();
        assert_eq!(value(critic(&real, &fake)), -2.0);
        assert_eq!(value(generator(&fake)), -1.0);
        // 2, 2 and 2 ahead of a margin of 3, then of 1.
        assert_eq!([value(margin(&real, &fake, 3.0)), value(margin(&real, &fake, 1.0))], [1.0, 0.0]);
        assert!((value(drift(&real)) - 41.0 / 3.0).abs() < 1e-6);
    }
}
