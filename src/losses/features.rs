//! Distances between what a discriminator sees in two pictures (Wang et al. 2018, "High-Resolution Image Synthesis and
//! Semantic Manipulation with Conditional GANs", arXiv:1711.11585, section 3.2).

use candle_core::Tensor;

use crate::losses::summed;
use crate::ops::arithmetic::{affine, mul};
use crate::ops::cast::full;
use crate::ops::reduce;
use crate::{Error, Result};

/// a − b in f32 or more, tensors of one shape; `what` names the loss in messages.
///
/// # Errors
/// When the shapes differ.
pub(super) fn away(what: &str, a: &Tensor, b: &Tensor) -> Result<Tensor> {
    if a.dims() != b.dims() {
        return Err(Error::shape(format!("{what}: second tensor"), b.dims(), format!("{:?}", a.dims())));
    }
    Ok((full(a)? - full(b)?)?)
}

/// mean |a − b|, tensors of one shape → a scalar, 0 or more.
///
/// # Errors
/// When the shapes differ, or the tensors are empty.
pub fn distance(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    reduce::mean(&away("distance", a, b)?.abs()?)
}

/// mean (a − b)², tensors of one shape → a scalar, 0 or more.
///
/// # Errors
/// When the shapes differ, or the tensors are empty.
pub fn squared_distance(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    let away = away("squared distance", a, b)?;
    reduce::mean(&mul(&away, &away)?)
}

/// Σ wᵢ · mean |aᵢ − bᵢ| over as many layers as there are weights and features, whichever are fewer; no gradient goes to
/// `towards`. `None` where there is no layer.
///
/// # Errors
/// When a layer's shapes differ.
pub fn matching(features: &[Tensor], towards: &[Tensor], weights: &[f64]) -> Result<Option<Tensor>> {
    let layers = features.iter().zip(towards).zip(weights);
    summed(
        layers
            .map(|((feature, towards), &weight)| affine(&distance(feature, &towards.detach())?, weight, 0.0).map(Some)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    #[test]
    fn layers_by_hand() {
        let tensor = |numbers: &[f32]| Tensor::new(numbers, &Device::Cpu).unwrap();
        let (a, b) = ([tensor(&[1.0, 2.0]), tensor(&[4.0])], [tensor(&[0.0, 5.0]), tensor(&[2.0])]);
        let sum = matching(&a, &b, &[5.0, 1.5, 1.0]).unwrap().unwrap();
        assert_eq!(sum.to_scalar::<f32>().unwrap(), 5.0 * 2.0 + 1.5 * 2.0);
        assert!(matching(&a, &b, &[]).unwrap().is_none());
        assert_eq!(squared_distance(&a[0], &b[0]).unwrap().to_scalar::<f32>().unwrap(), (1.0 + 9.0) / 2.0);
        assert!(squared_distance(&a[0], &a[1]).is_err());
        assert!(matching(&a, &[tensor(&[1.0])], &[1.0]).unwrap_err().to_string().contains("[1]"));
    }
}
