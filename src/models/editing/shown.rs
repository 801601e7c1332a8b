//! Previews of models that edit attributes.

use candle_core::{Tensor, Var};

use crate::Result;
use crate::data::batch::{Batch, Images};
use crate::data::tags::{Labels, TagSet};
use crate::models::preview::keep_rows;
use crate::nn::init::Init;
use crate::nn::params::Scope;

/// Pictures of a preview.
const PICTURES: usize = 6;
/// Labels that are changed, one at a time. With the pictures themselves and what becomes of them unchanged, a square.
const EDITS: usize = PICTURES - 2;

/// What previews edit: the pictures of the first minibatch of the training with their labels, and noise before it.
#[derive(Clone, Debug)]
pub(crate) struct Shown {
    pictures: Var,
    labels: Var,
    tags: TagSet,
}

impl Shown {
    pub(crate) fn new(side: usize, tags: &TagSet, scope: &Scope) -> Result<Shown> {
        let noise = Init::Uniform { low: -1.0, high: 1.0 };
        Ok(Shown {
            pictures: scope.drawn_buffer("preview_pictures", &[PICTURES, 3, side, side], noise)?,
            labels: scope.buffer("preview_labels", &[PICTURES, tags.len()], 0.0)?,
            tags: tags.clone(),
        })
    }

    /// Writes the pictures down, in the first step.
    pub(crate) fn keep(&self, batch: &Batch, labels: &Tensor, step: u64) -> Result<()> {
        if step != 1 {
            return Ok(());
        }
        keep_rows(&self.pictures, &batch.images)?;
        keep_rows(&self.labels, labels)
    }

    /// Rows of the pictures, of what becomes of them unchanged, and with each of a few labels the other way round. `edit`
    /// makes pictures from pictures, their labels, and what they are to show.
    pub(crate) fn preview(&self, edit: impl Fn(&Tensor, &Tensor, &Tensor) -> Result<Tensor>) -> Result<Images> {
        let (pictures, labels) = (self.pictures.as_detached_tensor(), self.labels.as_detached_tensor());
        let rows = labels.to_dtype(candle_core::DType::F32)?.to_vec2::<f32>()?;
        let of = rows.into_iter().map(|row| self.tags.labels_from(row)).collect::<Result<Vec<Labels>>>()?;
        let names = self.tags.names();
        let mut all = vec![pictures.clone(), edit(&pictures, &labels, &labels)?];
        let mut captions = vec!["picture"; PICTURES];
        captions.resize(2 * PICTURES, "unchanged");
        for i in 0..EDITS {
            let name = names[(2 * i + 1) * names.len() / (2 * EDITS)];
            let flipped = of.iter().map(|labels| labels.clone().flipped(name)).collect::<Result<Vec<_>>>()?;
            let to = Labels::stack(&flipped, pictures.device())?.to_dtype(pictures.dtype())?;
            all.push(edit(&pictures, &labels, &to)?);
            captions.resize(captions.len() + PICTURES, name);
        }
        let captions = captions.into_iter().map(String::from).collect();
        Images::new(Tensor::cat(&all, 0)?.clamp(-1f32, 1f32)?)?.with_captions(captions)
    }
}
