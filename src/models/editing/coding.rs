//! How networks are told labels, and where they read them.

use candle_core::{DType, Tensor};
use serde::{Deserialize, Serialize};

use crate::data::batch::Batch;
use crate::data::tags::TagSet;
use crate::models::labels::labels_of;
use crate::ops::arithmetic::affine;
use crate::ops::cast::like;
use crate::train::gan::Step;
use crate::{Error, Result};

/// In what numbers a network is told what a picture is to show (specs/faces.md D).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Coding {
    /// 0 and 1 (StarGAN).
    Switches,
    /// −1 and 1 (IcGAN; AttGAN's code as it is today).
    Signs,
    /// −½ and ½ (AttGAN's code as it was, and its port to PyTorch).
    Halves,
    /// What is wanted less what is there: −1, 0 and 1 (STGAN, ANIMEGAN).
    Difference,
    /// Two numbers a label, off and on (Fader Networks).
    Pairs,
}

impl Coding {
    /// How many numbers so many labels are.
    pub fn width(self, labels: usize) -> usize {
        if self == Coding::Pairs { 2 * labels } else { labels }
    }

    /// What is told of labels `to` in place of `from`, both `[N, L]`, 0 off and 1 on → `[N, W]`.
    ///
    /// # Errors
    /// When the shapes differ.
    pub fn of(self, from: &Tensor, to: &Tensor) -> Result<Tensor> {
        let &[n, labels] = to.dims() else {
            return Err(Error::shape("labels", to.dims(), "[N, L]"));
        };
        match self {
            Coding::Switches => Ok(to.clone()),
            Coding::Signs => affine(to, 2.0, -1.0),
            Coding::Halves => affine(to, 1.0, -0.5),
            Coding::Difference if from.dims() == to.dims() => Ok((to - from)?),
            Coding::Difference => Err(Error::shape("labels of the source", from.dims(), format!("{:?}", to.dims()))),
            Coding::Pairs => Ok(Tensor::stack(&[&affine(to, -1.0, 1.0)?, to], 2)?.reshape((n, 2 * labels))?),
        }
    }
}

/// Maps `[N, C, H, W]` followed by `told` `[N, W]`, each number on a map of its own → `[N, C + W, H, W]`.
///
/// # Errors
/// When the shapes do not fit.
pub(crate) fn beside(maps: &[&Tensor], told: Option<&Tensor>) -> Result<Tensor> {
    let Some(&first) = maps.first() else {
        return Err(Error::shape("maps beside labels", &[], "one at least"));
    };
    let Some(told) = told else { return Ok(Tensor::cat(maps, 1)?) };
    let (&[n, _, h, w], &[rows, numbers]) = (first.dims(), told.dims()) else {
        return Err(Error::shape("labels beside maps", told.dims(), "[N, W] beside [N, C, H, W]"));
    };
    if rows != n {
        return Err(Error::shape("labels beside maps", told.dims(), format!("[{n}, W]")));
    }
    let tiled = like(told, first)?.reshape((n, numbers, 1, 1))?.broadcast_as((n, numbers, h, w))?.contiguous()?;
    let all: Vec<&Tensor> = maps.iter().copied().chain([&tiled]).collect();
    Ok(Tensor::cat(&all, 1)?)
}

/// What a minibatch shows, and what it is to show: labels `[N, L]`, 0/1.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// Of the pictures.
    pub(crate) from: Tensor,
    /// Those of the minibatch in another order, as all five codes have it.
    pub(crate) to: Tensor,
}

impl Asked {
    /// Draws the order.
    ///
    /// # Errors
    /// When the minibatch has no labels.
    pub(crate) fn of(batch: &Batch, tags: &TagSet, step: &mut Step) -> Result<Asked> {
        let from = labels_of(batch, tags)?;
        let n = batch.len();
        let [order] = step.draw("asked", from.device(), move |stream| {
            let order: Vec<u32> = stream.permutation(n).into_iter().map(|i| i as u32).collect();
            Ok([Tensor::new(order, &candle_core::Device::Cpu)?])
        })?;
        let from = from.to_dtype(batch.images.dtype())?;
        Ok(Asked { to: from.index_select(&order.to_dtype(DType::U32)?, 0)?, from })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    #[test]
    fn codings_by_hand() {
        let rows = |rows: &[[f32; 2]; 2]| Tensor::new(rows, &Device::Cpu).unwrap();
        let (from, to) = (rows(&[[1.0, 0.0], [1.0, 1.0]]), rows(&[[0.0, 1.0], [1.0, 1.5]]));
        let of = |coding: Coding| {
            let told = coding.of(&from, &to).unwrap().to_vec2::<f32>().unwrap();
            assert_eq!(told[0].len(), coding.width(2));
            told
        };
        assert_eq!(of(Coding::Switches), [[0.0, 1.0], [1.0, 1.5]]);
        assert_eq!(of(Coding::Signs), [[-1.0, 1.0], [1.0, 2.0]]);
        assert_eq!(of(Coding::Halves), [[-0.5, 0.5], [0.5, 1.0]]);
        // What goes is at −1, what comes at 1, what stays at 0.
        assert_eq!(of(Coding::Difference), [[-1.0, 1.0], [0.0, 0.5]]);
        assert_eq!(of(Coding::Pairs), [[1.0, 0.0, 0.0, 1.0], [0.0, 1.0, -0.5, 1.5]]);
        assert!(Coding::Difference.of(&Tensor::new(&[[0f32, 0.0]], &Device::Cpu).unwrap(), &to).is_err());
    }

    #[test]
    fn labels_get_maps_of_their_own() {
        let maps = Tensor::zeros((2, 3, 2, 2), DType::F32, &Device::Cpu).unwrap();
        let told = Tensor::new(&[[1f32, 2.0], [3.0, 4.0]], &Device::Cpu).unwrap();
        let both = beside(&[&maps], Some(&told)).unwrap();
        assert_eq!(both.dims(), [2, 5, 2, 2]);
        assert_eq!(both.get(1).unwrap().get(3).unwrap().to_vec2::<f32>().unwrap(), [[3.0; 2]; 2]);
        assert!(beside(&[&maps], Some(&told.narrow(0, 0, 1).unwrap())).is_err());
        assert!(beside(&[], None).is_err());
    }
}
