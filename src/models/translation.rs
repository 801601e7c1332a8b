//! What models that make a picture from a picture share: their data are pairs, and they draw from a picture.

use std::ops::Range;
use std::sync::Arc;

use candle_core::{Tensor, Var};

use super::model::Model;
use super::preview::keep_rows;
use crate::data::batch::{Batch, Images};
use crate::data::dataset::Dataset;
use crate::data::manifest::Filter;
use crate::data::resize;
use crate::metrics::evaluate::{self, Drawn, Pictures};
use crate::nn::init::Init;
use crate::nn::params::Scope;
use crate::rng::Seed;
use crate::sample::{in_chunks, rows};
use crate::train::gan::Gan;
use crate::{Error, Result};

/// Pictures of a preview.
const PREVIEW: usize = 8;

/// A model that makes a picture from a picture of the same size.
pub trait Translation: Gan {
    /// Side of the pictures in pixels.
    fn side(config: &Self::Config) -> usize;

    /// Pictures `[N, 3, R, R]` in [−1, 1] at the model's size → as many, as a finished model makes them: running statistics,
    /// nothing dropped. Of networks that are still growing every pixel is repeated up to that size.
    ///
    /// # Errors
    /// When the pictures have another size.
    fn translate(&self, sources: &Tensor) -> Result<Tensor>;
}

impl<G: Translation> Model<G> {
    /// What the model makes of these pictures, which have its size.
    ///
    /// # Errors
    /// When the pictures have another size.
    pub fn translate(&self, sources: &Images) -> Result<Images> {
        let side = G::side(self.config());
        if sources.size() != (side, side) {
            let (height, width) = sources.size();
            let hint = "Resize them, or let a data set do it.";
            let (what, found) = ("pictures to translate", format!("{height} × {width} pixels"));
            return Err(Error::invalid(what, found, format!("{side} × {side} pixels"), hint));
        }
        let (networks, pictures) = (self.networks()?, sources.tensor.to_device(self.device())?);
        let made =
            in_chunks("pictures to translate", sources.len(), |range| networks.translate(&rows(&pictures, &range)?))?;
        Images::new(made.clamp(-1f32, 1f32)?)
    }

    /// What the model makes of the sources of pairs at these places. Pairs of another size are brought to the model's (linear
    /// filter, as in the code of "Anime-to-Real Clothing"), and what is made of them to that of the pairs (cubic, as its
    /// section 5 does with PLDT's 64 px).
    ///
    /// # Errors
    /// When the data set holds no pairs, or a picture cannot be read.
    pub fn translate_of(&self, pairs: &Dataset, places: &[usize]) -> Result<Images> {
        if !pairs.has_sources() {
            return Err(needs_pairs(format!("data set {}", pairs.name())));
        }
        let (side, size) = (G::side(self.config()) as u32, pairs.size());
        let sources = places.iter().map(|&i| Ok(resize::rgb(&pairs.source_image(i)?, side, side, Filter::Bilinear)));
        let made = self.translate(&Images::from_rgb(&sources.collect::<Result<Vec<_>>>()?)?)?;
        if side == size {
            return Ok(made);
        }
        let made: Vec<_> = made.to_rgb()?.iter().map(|made| resize::rgb(made, size, size, Filter::Bicubic)).collect();
        Images::from_rgb(&made)
    }
}

/// What is made of the source of each real picture.
impl<G: Translation> evaluate::Model for Model<G> {
    fn pictures(&self, real: &dyn Pictures, _: Seed) -> Result<Arc<dyn Pictures>> {
        let Some(pairs) = real.pairs() else {
            return Err(needs_pairs(format!("pictures of {}", real.name())));
        };
        let (model, of) = (self.clone(), pairs.fingerprint());
        let keys = (0..pairs.len()).map(|i| pairs.key(i)).collect::<Result<_>>()?;
        // What a picture is made from is told by the data set and its place there.
        let inputs = (0..pairs.len()).map(|i| vec![i as f32]).collect();
        let draw = move |range: Range<usize>| model.translate_of(&pairs, &range.collect::<Vec<_>>());
        Ok(Arc::new(Drawn::new(self, inputs, draw)?.beside(keys, &of)))
    }

    fn fixed(&self) -> bool {
        true
    }
}

/// That a data set holds pairs of this size.
///
/// # Errors
/// When it does not.
pub(crate) fn check_pairs(dataset: &Dataset, side: usize) -> Result<()> {
    if !dataset.has_sources() {
        return Err(needs_pairs(format!("data set {}", dataset.name())));
    }
    if dataset.size() as usize != side {
        let (what, found) = (format!("pictures of {}", dataset.name()), format!("{} px", dataset.size()));
        return Err(Error::invalid(what, found, format!("{side} px"), "Prepare the pairs at the size of the model."));
    }
    Ok(())
}

pub(crate) fn needs_pairs(what: String) -> Error {
    let hint = "Pairs come with `Avatar::costumes()`, or from folders: `tachie data pairs`.";
    Error::invalid(what, "single pictures", "pairs of a picture and what is to be made of it", hint)
}

/// The sources of a batch.
///
/// # Errors
/// When it has none.
pub(crate) fn sources(batch: &Batch) -> Result<&Tensor> {
    batch.sources.as_ref().ok_or_else(|| needs_pairs("batch".into()))
}

/// For a loss that was asked for before [`Gan::share`] has made pictures.
pub(crate) fn unmade() -> Error {
    Error::invalid("step", "nothing made yet", "the generator's pictures", "Call `share` first.")
}

/// What a summary says of pictures that go in or come out.
pub(crate) fn pictures(what: &str, side: usize) -> String {
    format!("{what}, [N, 3, {side}, {side}] in [-1, 1]")
}

/// What previews are made from: the sources of the first minibatch of the training, and noise before it.
#[derive(Clone, Debug)]
pub(crate) struct Shown {
    sources: Var,
}

impl Shown {
    pub(crate) fn new(side: usize, scope: &Scope) -> Result<Shown> {
        let noise = Init::Uniform { low: -1.0, high: 1.0 };
        Ok(Shown { sources: scope.drawn_buffer("preview_sources", &[PREVIEW, 3, side, side], noise)? })
    }

    /// Writes the sources down, in the first step.
    pub(crate) fn keep(&self, batch: &Batch, step: u64) -> Result<()> {
        if step == 1 { keep_rows(&self.sources, sources(batch)?) } else { Ok(()) }
    }

    /// The sources, and what becomes of them.
    pub(crate) fn preview(&self, translate: impl Fn(&Tensor) -> Result<Tensor>) -> Result<Images> {
        let sources = self.sources.as_detached_tensor();
        Images::new(Tensor::cat(&[&sources, &translate(&sources)?], 0)?.clamp(-1f32, 1f32)?)
    }
}
