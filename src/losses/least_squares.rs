//! Adversarial losses by squares (Mao et al. 2017, "Least Squares Generative Adversarial Networks", arXiv:1611.04076), with
//! targets 1 and 0 and without the paper's factor of one half. Scores in bf16 are widened first: losses are f32.

use candle_core::Tensor;

use crate::Result;
use crate::ops::cast::full;
use crate::ops::{arithmetic, reduce};

/// mean (s − 1)² of scores of any shape: the discriminator's loss on real pictures, and the generator's on its own. A
/// scalar, 0 or more.
///
/// # Errors
/// When the tensor is empty.
pub fn real(scores: &Tensor) -> Result<Tensor> {
    let away = arithmetic::affine(&full(scores)?, 1.0, -1.0)?;
    reduce::mean(&arithmetic::mul(&away, &away)?)
}

/// mean s² of scores of any shape: the discriminator's loss on generated pictures. A scalar, 0 or more.
///
/// # Errors
/// When the tensor is empty.
pub fn fake(scores: &Tensor) -> Result<Tensor> {
    let scores = full(scores)?;
    reduce::mean(&arithmetic::mul(&scores, &scores)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    #[test]
    fn scores_by_hand() {
        let scores = Tensor::new(&[[3f32, 1.0], [0.0, -1.0]], &Device::Cpu).unwrap();
        assert_eq!(real(&scores).unwrap().to_scalar::<f32>().unwrap(), (4.0 + 0.0 + 1.0 + 4.0) / 4.0);
        assert_eq!(fake(&scores).unwrap().to_scalar::<f32>().unwrap(), (9.0 + 1.0 + 0.0 + 1.0) / 4.0);
    }
}
