//! The loss of a detector that answers for default boxes (Liu et al. 2016, "SSD: Single Shot MultiBox Detector",
//! arXiv:1512.02325, section 2.2).

use candle_core::{D, Tensor};
use candle_nn::ops::log_softmax;

use crate::ops::activation::relu;
use crate::{Error, Result};

/// The two terms of the loss, scalars, each divided by the number of matched default boxes; the paper adds them.
#[derive(Clone, Debug)]
pub struct Multibox {
    /// Smooth L1 distance of the offsets of matched boxes.
    pub localisation: Tensor,
    /// Cross entropy of the classes of matched boxes and of the hardest others.
    pub classification: Tensor,
}

/// Equations 1 to 3: `logits` `[N, P, C]` of classes, of which 0 is the background, and `offsets` `[N, P, 4]` against the
/// class of each default box (N·P numbers, picture by picture; 0 where nothing is matched) and the offsets that are `wanted`
/// `[N, P, 4]`, which may be any finite numbers where nothing is matched. Of the boxes that are not matched, in each picture
/// the `negatives` (3 in the paper) times as many as are matched count whose loss is highest.
///
/// # Errors
/// When the shapes do not fit, or a class is not below C.
pub fn multibox(
    logits: &Tensor,
    offsets: &Tensor,
    classes: &[usize],
    wanted: &Tensor,
    negatives: f64,
) -> Result<Multibox> {
    let &[n, boxes, count] = logits.dims() else {
        return Err(Error::shape("multibox loss: logits", logits.dims(), "[N, P, C]"));
    };
    for (what, tensor) in [("offsets", offsets), ("wanted offsets", wanted)] {
        if tensor.dims() != [n, boxes, 4] {
            return Err(Error::shape(format!("multibox loss: {what}"), tensor.dims(), format!("[{n}, {boxes}, 4]")));
        }
    }
    if classes.len() != n * boxes || classes.iter().any(|&class| class >= count) {
        let largest = classes.iter().max().copied().unwrap_or(0);
        let found = format!("{} classes up to {largest}", classes.len());
        return Err(Error::invalid("multibox loss", found, format!("{} below {count}", n * boxes), ""));
    }
    let surprise = log_softmax(logits, D::Minus1)?.neg()?;
    let values = surprise.detach().flatten_all()?.to_dtype(candle_core::DType::F32)?.to_vec1::<f32>()?;
    let losses: Vec<f32> = classes.iter().enumerate().map(|(i, class)| values[i * count + class]).collect();
    let mut counted = vec![0f32; n * boxes * count];
    for (picture, (losses, of)) in losses.chunks(boxes).zip(classes.chunks(boxes)).enumerate() {
        for i in mined(losses, of, negatives) {
            counted[(picture * boxes + i) * count + of[i]] = 1.0;
        }
    }
    let tensor = |numbers: Vec<f32>, width: usize| {
        Tensor::from_vec(numbers, (n, boxes, width), logits.device())?.to_dtype(logits.dtype())
    };
    let matched: Vec<f32> = classes.iter().flat_map(|&class| [f32::from(u8::from(class > 0)); 4]).collect();
    let number = classes.iter().filter(|class| **class > 0).count().max(1) as f64;
    let away = smooth_l1(&(offsets - wanted)?)?.mul(&tensor(matched, 4)?)?;
    Ok(Multibox {
        localisation: (away.sum_all()? / number)?,
        classification: (surprise.mul(&tensor(counted, count)?)?.sum_all()? / number)?,
    })
}

/// The boxes of one picture that count: all that are matched, and the others of the highest loss.
fn mined(losses: &[f32], classes: &[usize], negatives: f64) -> Vec<usize> {
    let (matched, mut others): (Vec<usize>, Vec<usize>) = (0..losses.len()).partition(|&i| classes[i] > 0);
    others.sort_by(|&a, &b| losses[b].total_cmp(&losses[a]).then(a.cmp(&b)));
    others.truncate((negatives * matched.len() as f64).ceil() as usize);
    matched.into_iter().chain(others).collect()
}

/// d² / 2 below a distance of 1, |d| − ½ beyond, element by element (Girshick 2015, "Fast R-CNN", arXiv:1504.08083,
/// equation 3).
fn smooth_l1(d: &Tensor) -> Result<Tensor> {
    let beyond = relu(&(d.abs()? - 1.0)?)?;
    Ok(((d.sqr()? - beyond.sqr()?)? * 0.5)?)
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    #[test]
    fn smooth_l1_by_hand() {
        let d = Tensor::new(&[-2.5f32, -1.0, -0.5, 0.0, 0.25, 3.0], &Device::Cpu).unwrap();
        assert_eq!(smooth_l1(&d).unwrap().to_vec1::<f32>().unwrap(), [2.0, 0.5, 0.125, 0.0, 0.031_25, 2.5]);
    }

    #[test]
    fn the_hardest_others_count() {
        let losses = [0.5, 9.0, 1.0, 7.0, 3.0, 2.0];
        let counted = |classes: [usize; 6]| {
            let mut counted = mined(&losses, &classes, 3.0);
            counted.sort_unstable();
            counted
        };
        assert_eq!(counted([0, 0, 0, 1, 0, 0]), [1, 3, 4, 5]);
        assert_eq!(counted([1, 2, 0, 1, 0, 0]), [0, 1, 2, 3, 4, 5]);
        assert!(counted([0; 6]).is_empty());
    }

    #[test]
    fn shapes_and_classes_are_checked() {
        let zeros = |shape: &[usize]| Tensor::zeros(shape, candle_core::DType::F32, &Device::Cpu).unwrap();
        let of = |classes: &[usize]| multibox(&zeros(&[1, 2, 3]), &zeros(&[1, 2, 4]), classes, &zeros(&[1, 2, 4]), 3.0);
        assert!(of(&[0, 2]).is_ok() && of(&[0]).is_err() && of(&[0, 3]).is_err());
        assert!(multibox(&zeros(&[1, 2, 3]), &zeros(&[1, 3, 4]), &[0, 1], &zeros(&[1, 2, 4]), 3.0).is_err());
        // Nothing is matched: nothing to learn, and no division by 0.
        assert_eq!(of(&[0, 0]).unwrap().classification.to_scalar::<f32>().unwrap(), 0.0);
    }
}
