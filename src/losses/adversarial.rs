//! Adversarial losses of a discriminator that answers one logit per picture. Logits in bf16 are widened first: losses
//! are f32.

use candle_core::Tensor;

use crate::Result;
use crate::ops::activation::softplus;
use crate::ops::cast::full;
use crate::ops::{arithmetic, reduce};

/// Sigmoid cross entropy of `logits` with `targets` of the same shape in [0, 1], element by element:
/// softplus(x) − x·t, which does not overflow (PyTorch's `BCEWithLogitsLoss` without reduction).
///
/// # Errors
/// When the shapes differ.
pub fn cross_entropy(logits: &Tensor, targets: &Tensor) -> Result<Tensor> {
    let (logits, targets) = (full(logits)?, full(targets)?);
    Ok((softplus(&logits)? - logits.mul(&targets)?)?)
}

/// Mean cross entropy of `logits` `[N]` or `[N, 1]` with the answer "real": the discriminator's loss on real
/// pictures, and the generator's non-saturating loss on its own (Goodfellow et al. 2014, arXiv:1406.2661, section 3).
/// A scalar, 0 or more.
///
/// # Errors
/// When the tensor is empty.
pub fn real(logits: &Tensor) -> Result<Tensor> {
    reduce::mean(&softplus(&arithmetic::affine(&full(logits)?, -1.0, 0.0)?)?)
}

/// Mean cross entropy of `logits` `[N]` or `[N, 1]` with the answer "fake": the discriminator's loss on generated
/// pictures. A scalar, 0 or more.
///
/// # Errors
/// When the tensor is empty.
pub fn fake(logits: &Tensor) -> Result<Tensor> {
    reduce::mean(&softplus(&full(logits)?)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    #[test]
    fn numbers_of_pytorch() {
        // torch.nn.functional.binary_cross_entropy_with_logits, PyTorch 2.15, float32.
        let logits = Tensor::new(&[-2.0f32, 0.0, 3.0, 40.0], &Device::Cpu).unwrap();
        let value = |t: Tensor| t.to_scalar::<f32>().unwrap();
        assert!((value(real(&logits).unwrap()) - 0.717_166_2).abs() < 1e-6);
        assert!((value(fake(&logits).unwrap()) - 10.967_166).abs() < 1e-5);
        let targets = Tensor::new(&[1.0f32, 0.5, 0.25, 1.0], &Device::Cpu).unwrap();
        let found = cross_entropy(&logits, &targets).unwrap().to_vec1::<f32>().unwrap();
        for (found, wanted) in found.iter().zip([2.126_928, std::f32::consts::LN_2, 2.298_587_3, 0.0]) {
            assert!((found - wanted).abs() < 1e-6, "{found} {wanted}");
        }
    }
}
