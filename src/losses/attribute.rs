//! The loss of a classifier of attributes.

use candle_core::{D, Tensor};

use super::adversarial::cross_entropy;
use crate::{Error, Result};

/// What one picture's loss is, from the cross entropies of its labels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LabelReduction {
    /// Their sum: the negative log likelihood of all labels.
    #[default]
    Sum,
    /// Their mean, which makes the loss independent of the number of labels.
    Mean,
}

/// Sigmoid cross entropy of attribute `logits` `[N, L]` with `labels` `[N, L]`, over the labels as `reduction` says
/// and averaged over the pictures. A scalar, 0 or more.
///
/// Labels are 0 and 1. A continuous label (release year) counts as a probability and is cut to [0, 1], outside of
/// which a cross entropy has no minimum.
///
/// # Errors
/// When the shapes differ.
pub fn attributes(logits: &Tensor, labels: &Tensor, reduction: LabelReduction) -> Result<Tensor> {
    if logits.dims() != labels.dims() || logits.rank() != 2 {
        return Err(Error::shape("attribute loss: labels", labels.dims(), format!("{:?}", logits.dims())));
    }
    let each = cross_entropy(logits, &labels.clamp(0.0, 1.0)?)?;
    let per_picture = match reduction {
        LabelReduction::Sum => each.sum(D::Minus1)?,
        LabelReduction::Mean => each.mean(D::Minus1)?,
    };
    Ok(per_picture.mean_all()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    #[test]
    fn sum_is_the_number_of_labels_times_mean() {
        let logits = Tensor::new(&[[0.5f32, -1.0, 2.0], [0.0, 3.0, -0.5]], &Device::Cpu).unwrap();
        let labels = Tensor::new(&[[1f32, 0.0, 0.0], [1.0, 1.0, 1.5]], &Device::Cpu).unwrap();
        let value = |reduction| attributes(&logits, &labels, reduction).unwrap().to_scalar::<f32>().unwrap();
        // torch.nn.functional.binary_cross_entropy_with_logits(..., reduction="sum") / 2, PyTorch 2.15.
        assert!((value(LabelReduction::Sum) - 2.315_039_1).abs() < 1e-5, "{}", value(LabelReduction::Sum));
        assert!((value(LabelReduction::Sum) / value(LabelReduction::Mean) - 3.0).abs() < 1e-5);
        let short = Tensor::zeros((2, 2), candle_core::DType::F32, &Device::Cpu).unwrap();
        assert!(attributes(&logits, &short, LabelReduction::Sum).is_err());
    }
}
