//! The loss of a classifier of attributes. Answers in bf16 are widened first: losses are f32.

use candle_core::{D, Tensor};
use candle_nn::ops::log_softmax;

use super::adversarial::cross_entropy;
use crate::data::tags::TagSet;
use crate::ops::activation::sigmoid;
use crate::ops::cast::full;
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

/// Negative log likelihood of `labels` `[N, L]` under the answers `logits` `[N, L]` of a classifier, over the labels as
/// `reduction` says and averaged over the pictures. A scalar, 0 or more.
///
/// Labels that are on or off (0 and 1, a number between counts as a probability) have the sigmoid cross entropy. A
/// continuous one (the release year) has ½(t − s)², the likelihood of a normal distribution up to a constant, where s is
/// the label brought to mean 0 and variance 1 for labels that are uniform in [0, 1]: s = √12 (y − ½). The paper
/// does not say how it learns years; a cross entropy hardly pulls at a label that is seldom near 0 or 1.
///
/// # Errors
/// When the shapes differ, or there are not as many labels as `tags`.
pub fn attributes(logits: &Tensor, labels: &Tensor, tags: &TagSet, reduction: LabelReduction) -> Result<Tensor> {
    if logits.dims() != labels.dims() || logits.rank() != 2 {
        return Err(Error::shape("attribute loss: labels", labels.dims(), format!("{:?}", logits.dims())));
    }
    let logits = &full(logits)?;
    let switches = cross_entropy(logits, &labels.clamp(0.0, 1.0)?)?;
    let each = match numbers(tags, logits)? {
        None => switches,
        Some(numbers) => {
            let squares = ((logits - standard(labels)?)?.sqr()? * 0.5)?;
            mix(&switches, &squares, &numbers)?
        }
    };
    let per_picture = match reduction {
        LabelReduction::Sum => each.sum(D::Minus1)?,
        LabelReduction::Mean => each.mean(D::Minus1)?,
    };
    Ok(per_picture.mean_all()?)
}

/// Cross entropy of classes of which each picture has one: the mean of −log of the softmax of `read` `[N, C]` at the class
/// that `wanted` `[N, C]` has a 1 for. A scalar, 0 or more.
///
/// # Errors
/// When the shapes differ.
pub(crate) fn surprise(read: &Tensor, wanted: &Tensor) -> Result<Tensor> {
    let read = full(read)?;
    let each = log_softmax(&read, D::Minus1)?.mul(&wanted.to_dtype(read.dtype())?)?.sum(D::Minus1)?;
    Ok(each.mean_all()?.neg()?)
}

/// What the answers `logits` `[N, L]` of a classifier trained on [`attributes`] say of each label: the probability that
/// it is on, in [0, 1], or the value of a continuous one.
///
/// # Errors
/// When there are not as many labels as `tags`.
pub fn readings(logits: &Tensor, tags: &TagSet) -> Result<Tensor> {
    let logits = &full(logits)?;
    let probabilities = sigmoid(logits)?;
    match numbers(tags, logits)? {
        None => Ok(probabilities),
        Some(numbers) => mix(&probabilities, &logits.affine(1.0 / SPREAD, 0.5)?, &numbers),
    }
}

/// √12: one over the standard deviation of numbers that are uniform in [0, 1].
const SPREAD: f64 = 3.464_101_615_137_754_6;

fn standard(labels: &Tensor) -> Result<Tensor> {
    Ok(labels.affine(SPREAD, -0.5 * SPREAD)?)
}

/// 1 for every continuous label, 0 for the others, `[1, L]`; none when there is no continuous one.
fn numbers(tags: &TagSet, like: &Tensor) -> Result<Option<Tensor>> {
    let mask: Vec<f32> = tags.tags().iter().map(|tag| f32::from(u8::from(tag.continuous))).collect();
    if like.dim(D::Minus1)? != mask.len() {
        return Err(Error::shape("answers to attributes", like.dims(), format!("[N, {}]", mask.len())));
    }
    if !mask.contains(&1.0) {
        return Ok(None);
    }
    Ok(Some(Tensor::from_slice(&mask, (1, mask.len()), like.device())?.to_dtype(like.dtype())?))
}

/// `a` where the mask is 0, `b` where it is 1.
fn mix(a: &Tensor, b: &Tensor, mask: &Tensor) -> Result<Tensor> {
    let rest = mask.affine(-1.0, 1.0)?;
    Ok((a.broadcast_mul(&rest)? + b.broadcast_mul(mask)?)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{Device, Var};

    #[test]
    fn sum_is_the_number_of_labels_times_mean() {
        let logits = Tensor::new(&[[0.5f32, -1.0, 2.0], [0.0, 3.0, -0.5]], &Device::Cpu).unwrap();
        let labels = Tensor::new(&[[1f32, 0.0, 0.0], [1.0, 1.0, 1.5]], &Device::Cpu).unwrap();
        let tags = TagSet::from_names(&["a", "b", "c"]).unwrap();
        let value = |reduction| attributes(&logits, &labels, &tags, reduction).unwrap().to_scalar::<f32>().unwrap();
        // torch.nn.functional.binary_cross_entropy_with_logits(..., reduction="sum") / 2, PyTorch 2.15.
        assert!((value(LabelReduction::Sum) - 2.315_039_1).abs() < 1e-5, "{}", value(LabelReduction::Sum));
        assert!((value(LabelReduction::Sum) / value(LabelReduction::Mean) - 3.0).abs() < 1e-5);
        let short = Tensor::zeros((2, 2), candle_core::DType::F32, &Device::Cpu).unwrap();
        assert!(attributes(&logits, &short, &tags, LabelReduction::Sum).is_err());
        assert!(attributes(&short, &short, &tags, LabelReduction::Sum).is_err());
    }

    #[test]
    fn a_year_is_learnt_by_squares_of_a_standard_scale() {
        let tags = TagSet::from_names(&["smile"]).unwrap().with_continuous("year").unwrap();
        let logits = Var::new(&[[0.0f64, 0.5], [2.0, -1.0]], &Device::Cpu).unwrap();
        let labels = Tensor::new(&[[1f64, 1.0], [0.0, 0.25]], &Device::Cpu).unwrap();
        let loss = attributes(&logits, &labels, &tags, LabelReduction::Sum).unwrap();
        // ln 2 + ½(½ − √3)² and ln(1 + e²) + ½(−1 + √3/2)², halved.
        let expected = 0.5 * (std::f64::consts::LN_2 + 0.758_974_596 + 2.126_928_011 + 0.008_974_596);
        assert!((loss.to_scalar::<f64>().unwrap() - expected).abs() < 1e-8, "{loss}");
        let gradient = crate::autograd::backward(&loss).unwrap().get(&logits).unwrap().to_vec2::<f64>().unwrap();
        assert!((gradient[0][1] - 0.5 * (0.5 - 3f64.sqrt())).abs() < 1e-12 && (gradient[0][0] + 0.25).abs() < 1e-12);
        let read = readings(&logits, &tags).unwrap().to_vec2::<f64>().unwrap();
        assert!((read[0][0] - 0.5).abs() < 1e-12 && (read[1][1] - (0.5 - 1.0 / 12f64.sqrt())).abs() < 1e-12);
    }

    #[test]
    fn cross_entropy_of_pytorch() {
        // torch.nn.functional.cross_entropy([[1, 2, 3], [0.5, 0, -1]], [2, 1]), PyTorch 2.15.
        let read = Tensor::new(&[[1f32, 2.0, 3.0], [0.5, 0.0, -1.0]], &Device::Cpu).unwrap();
        let wanted = Tensor::new(&[[0f32, 0.0, 1.0], [0.0, 1.0, 0.0]], &Device::Cpu).unwrap();
        let found = surprise(&read, &wanted).unwrap().to_scalar::<f32>().unwrap();
        assert!((found - 0.755_868_3).abs() < 1e-6, "{found}");
    }
}
