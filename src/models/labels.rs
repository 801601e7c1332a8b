//! What models that are trained on labels share: that the data set has theirs, and the labels of a minibatch.

use candle_core::Tensor;

use crate::data::batch::Batch;
use crate::data::dataset::Dataset;
use crate::data::tags::TagSet;
use crate::{Error, Result};

/// That a data set has these tags, in this order.
///
/// # Errors
/// When it has others; `hint` says what to do.
pub(crate) fn check_tags(dataset: &Dataset, tags: &TagSet, hint: &str) -> Result<()> {
    if dataset.tags().names() == tags.names() {
        return Ok(());
    }
    let (found, expected) = (format!("{:?}", dataset.tags()), format!("{tags:?}"));
    Err(Error::invalid(format!("tags of {}", dataset.name()), found, expected, hint))
}

/// The labels of a minibatch, `[N, L]`, 0/1.
///
/// # Errors
/// When it has none, or not as many as there are tags.
pub(crate) fn labels_of<'a>(batch: &'a Batch, tags: &TagSet) -> Result<&'a Tensor> {
    let wanted = [batch.len(), tags.len()];
    match &batch.labels {
        Some(labels) if labels.dims() == wanted => Ok(labels),
        Some(labels) => Err(Error::shape("batch: labels", labels.dims(), format!("{wanted:?}"))),
        None => Err(Error::invalid(
            "batch",
            "pictures without labels",
            format!("{} labels per picture", wanted[1]),
            "Train on a data set with a tag table.",
        )),
    }
}
