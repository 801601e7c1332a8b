//! What models that edit the attributes of a picture share: labels tell them what a picture shows and what it is to show.
//!
//! ```no_run
//! use tachie::prelude::*;
//! # fn main() -> tachie::Result<()> {
//! let faces = Avatar::faces().size(64).take(2_000)?;
//! let gan = Animegan::tiny().build(&device()?)?;
//! gan.train_on(&faces.train(), "runs/edit")?.minutes(20.0)?;
//! let (pictures, shown) = (faces.test().images(8)?, (0..8).map(|i| faces.test().labels(i)).collect::<Result<Vec<_>>>()?);
//! let asked = shown.iter().map(|labels| labels.clone().set("purple hair", 1.0)).collect::<Result<Vec<_>>>()?;
//! gan.edit(&pictures, &shown, &asked, None)?.grid(8)?;
//! # Ok(())
//! # }
//! ```

mod coding;
mod figures;
mod masks;
mod own;
mod protocol;
mod schedule;
mod shown;
mod study;

use std::ops::Range;
use std::sync::Arc;

use candle_core::Tensor;

use super::labels::check_tags;
use super::model::Model;
use crate::data::batch::Images;
use crate::data::dataset::Dataset;
use crate::data::tags::{Labels, TagSet};
use crate::metrics::evaluate::{Drawn, Pictures};
use crate::sample::{in_chunks, rows};
use crate::train::gan::Gan;
use crate::{Error, Result};

pub use coding::Coding;
pub(crate) use coding::{Asked, beside};
pub use masks::Masks;
pub use own::{EditedPicture, labels_of_face, open_picture};
pub use protocol::{EditReport, EditTruth, Protocol, TruthRow};
pub use schedule::{Fall, Schedule};
pub(crate) use shown::Shown;
pub use study::{Editors, Study};

/// A model that makes of a picture and its labels the same picture with other labels.
pub trait Editing: Gan {
    /// Side of the pictures in pixels.
    fn side(config: &Self::Config) -> usize;

    /// What the labels are of.
    fn tags(config: &Self::Config) -> &TagSet;

    /// How far from the middle of off and on finished models are told the labels that change; 1 is as in training. Authors
    /// test with more.
    fn strength(config: &Self::Config) -> f64;

    /// Which setting to change, from what to what, where a model has learnt to give pictures back as they are.
    fn remedy(config: &Self::Config) -> String;

    /// Pictures `[N, 3, R, R]` in [−1, 1] at the model's size, what they show and what they are to show, `[N, L]`, 0 off and
    /// 1 on, `to` also beyond → as many pictures, as a finished model makes them: running statistics, nothing dropped.
    ///
    /// # Errors
    /// When the pictures or the labels have another shape.
    fn edit(&self, pictures: &Tensor, from: &Tensor, to: &Tensor) -> Result<Tensor>;
}

impl<G: Editing> Model<G> {
    /// The pictures, which have the model's size and show `from`, as the model makes them show `to`. Labels that change are
    /// told with this strength, the model's own without one.
    ///
    /// # Errors
    /// When the pictures have another size, or the labels are not one set a picture of the model's tags.
    pub fn edit(
        &self,
        pictures: &Images,
        from: &[Labels],
        to: &[Labels],
        strength: impl Into<Option<f64>>,
    ) -> Result<Images> {
        let (side, tags) = (G::side(self.config()), G::tags(self.config()));
        if pictures.size() != (side, side) {
            let ((height, width), hint) = (pictures.size(), "Resize them, or let a data set do it.");
            let (what, found) = ("pictures to edit", format!("{height} × {width} pixels"));
            return Err(Error::invalid(what, found, format!("{side} × {side} pixels"), hint));
        }
        for (what, labels) in [("labels of the pictures", from), ("labels that are asked for", to)] {
            check_labels(what, labels, pictures.len(), tags)?;
        }
        let strength = strength.into().unwrap_or_else(|| G::strength(self.config()));
        if !strength.is_finite() {
            return Err(Error::invalid("strength of an edit", strength.to_string(), "a number", ""));
        }
        let told = from.iter().zip(to).map(|(from, to)| stronger(from, to, strength)).collect::<Result<Vec<_>>>()?;
        let networks = self.networks()?;
        let [from, to] = [from, &told].map(|labels| Labels::stack(labels, self.device()));
        let (from, to, images) = (from?, to?, pictures.tensor.to_device(self.device())?);
        let made = in_chunks("pictures to edit", pictures.len(), |range| {
            networks.edit(&rows(&images, &range)?, &rows(&from, &range)?, &rows(&to, &range)?)
        })?;
        Images::new(made.clamp(-1f32, 1f32)?)
    }

    /// What the model makes of pictures that are to stay as they are.
    ///
    /// # Errors
    /// As [`edit`](Model::edit).
    pub fn reconstruct(&self, pictures: &Images, labels: &[Labels]) -> Result<Images> {
        self.edit(pictures, labels, labels, None)
    }
}

/// `to`, the labels that change `strength` times as far from the middle of off and on.
fn stronger(from: &Labels, to: &Labels, strength: f64) -> Result<Labels> {
    let pairs = from.values.iter().zip(&to.values);
    let of = |(from, to): (&f32, &f32)| if from == to { *to } else { 0.5 + strength as f32 * (to - 0.5) };
    to.tags().labels_from(pairs.map(of).collect())
}

fn check_labels(what: &str, labels: &[Labels], pictures: usize, tags: &TagSet) -> Result<()> {
    if labels.len() != pictures {
        return Err(Error::invalid(what, format!("{} sets", labels.len()), format!("{pictures}, one a picture"), ""));
    }
    match labels.iter().find(|labels| labels.tags() != tags) {
        None => Ok(()),
        Some(other) => Err(Error::invalid(what, format!("{:?}", other.tags()), format!("{tags:?}"), "")),
    }
}

/// That a data set has the labels of the model, at its size.
///
/// # Errors
/// When it has not.
pub(crate) fn check_data<G: Editing>(config: &G::Config, dataset: &Dataset) -> Result<()> {
    if dataset.tags().is_empty() {
        let hint = "`Avatar::faces()` has labels; a folder gets them from a tag table in its manifest.";
        return Err(Error::invalid(format!("data set {}", dataset.name()), "no labels", "labels to edit", hint));
    }
    check_tags(dataset, G::tags(config), "Give the model the tags of the data set: `.tags(faces.tags())`.")
}

/// What a model makes of each real picture that is to stay as it is: the protocol of ANIMEGAN's table 2.
pub(crate) fn reconstructions<G: Editing>(model: &Model<G>, real: &dyn Pictures) -> Result<Arc<dyn Pictures>> {
    let hint = "Judge it on a data set with labels, at the size of the model.";
    let needs = |found: &str| {
        Error::invalid(format!("pictures of {}", real.name()), found, "a data set with the model's labels", hint)
    };
    let dataset = real.dataset().ok_or_else(|| needs("no data set"))?;
    check_data::<G>(model.config(), &dataset)?;
    let (model, of) = (model.clone(), dataset.fingerprint());
    let keys = (0..dataset.len()).map(|i| dataset.key(i)).collect::<Result<_>>()?;
    // What a picture is made from is told by the data set and its place there.
    let inputs = (0..dataset.len()).map(|i| vec![i as f32]).collect();
    let editor = model.clone();
    let draw = move |range: Range<usize>| {
        let pictures = range.clone().map(|i| dataset.image(i)).collect::<Result<Vec<_>>>()?;
        let labels = range.map(|i| dataset.labels(i)).collect::<Result<Vec<_>>>()?;
        editor.reconstruct(&Images::from_rgb(&pictures)?, &labels)
    };
    Ok(Arc::new(Drawn::new(&model, inputs, draw)?.beside(keys, &of)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::tags::tags;

    #[test]
    fn only_what_changes_is_told_more_strongly() {
        let from = tags("blonde hair, smile").unwrap();
        let to = from.clone().set("aqua hair", 1.0).unwrap();
        let told = stronger(&from, &to, 2.0).unwrap();
        let of = |name: &str| told.get(name).unwrap();
        // STGAN's author tests with ±1 where training had ±½.
        assert_eq!([of("aqua hair"), of("blonde hair"), of("smile"), of("hat")], [1.5, -0.5, 1.0, 0.0]);
        assert_eq!(stronger(&from, &to, 1.0).unwrap(), to);
    }
}
