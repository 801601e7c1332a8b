//! Pictures with labels, in splits.

use std::fmt;
use std::sync::{Arc, OnceLock};

use image::RgbImage;
use rayon::prelude::*;

use super::batch::Images;
use super::kept::Kept;
use super::report::Report;
use super::skeleton::{KeyPoint, Skeleton};
use super::splits::assign;
use super::tags::{Labels, TagSet};
use super::view::View;
use crate::{Error, Result};

pub use super::splits::{Split, Splits};
pub use super::tag_table::{TagCount, TagTable};

/// Where pictures come from: a folder, a packed store, a renderer.
pub trait Source: Send + Sync {
    /// Number of pictures.
    fn len(&self) -> usize;

    /// Whether there are no pictures.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The vocabulary of the labels; empty for pictures without labels.
    fn tags(&self) -> &TagSet;

    /// Picture `i` of `0..len()`, a square of [`size`](Source::size) pixels.
    ///
    /// # Errors
    /// When it cannot be read or made.
    fn image(&self, i: usize) -> Result<RgbImage>;

    /// The labels of picture `i`, one value per tag; 0 is off, 1 is on.
    fn labels(&self, i: usize) -> Vec<f32>;

    /// The names of the key points; none for pictures without.
    fn skeleton(&self) -> Option<&Skeleton> {
        None
    }

    /// The key points of picture `i` in its own pixels, one per name of the [`skeleton`](Source::skeleton).
    fn keypoints(&self, i: usize) -> Vec<KeyPoint> {
        let _ = i;
        Vec::new()
    }

    /// A short name for titles.
    fn name(&self) -> String;

    /// Whether every picture has one that it is to be made from ([`source_image`](Source::source_image)).
    fn has_sources(&self) -> bool {
        false
    }

    /// The picture that picture `i` is to be made from, of the same size; itself where there is none.
    ///
    /// # Errors
    /// When it cannot be read.
    fn source_image(&self, i: usize) -> Result<RgbImage> {
        self.image(i)
    }

    /// The key points of that picture, as [`keypoints`](Source::keypoints); none where nobody knows them.
    fn source_keypoints(&self, i: usize) -> Vec<KeyPoint> {
        let _ = i;
        Vec::new()
    }

    /// A text that differs whenever pictures or labels differ. Run folders use it to refuse to resume on other data.
    fn fingerprint(&self) -> String;

    /// Side of the pictures in pixels.
    fn size(&self) -> u32;

    /// What names picture `i` wherever the data set is stored: its file name, below the folder of the data set.
    fn key(&self, i: usize) -> String {
        format!("{i:08}")
    }

    /// The split that the data set itself prescribes for picture `i`.
    fn split(&self, i: usize) -> Option<Split> {
        let _ = i;
        None
    }

    /// What was found wrong when the source was opened.
    fn report(&self) -> Report {
        Report { used: self.len(), ..Report::default() }
    }
}

/// Pictures with labels. Cloning is cheap: all copies share one source.
#[derive(Clone)]
pub struct Dataset {
    shared: Arc<Shared>,
    /// `None` is every picture of the source.
    chosen: Option<Arc<Vec<usize>>>,
    part: String,
}

struct Shared {
    source: Arc<dyn Source>,
    splits: Splits,
    assigned: OnceLock<Vec<Split>>,
    kept: Option<Kept>,
}

impl Dataset {
    /// A data set of all pictures of a source, with the default [`Splits`].
    pub fn from_source(source: impl Source + 'static) -> Dataset {
        Dataset::new(Box::new(source), Splits::default())
    }

    pub(super) fn new(source: Box<dyn Source>, splits: Splits) -> Dataset {
        let shared = Shared { source: source.into(), splits, assigned: OnceLock::new(), kept: None };
        Dataset { shared: Arc::new(shared), chosen: None, part: String::new() }
    }

    /// Number of pictures.
    pub fn len(&self) -> usize {
        self.chosen.as_ref().map_or_else(|| self.shared.source.len(), |chosen| chosen.len())
    }

    /// Whether there are no pictures.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Side of the pictures in pixels.
    pub fn size(&self) -> u32 {
        self.shared.source.size()
    }

    /// The vocabulary of the labels.
    pub fn tags(&self) -> &TagSet {
        self.shared.source.tags()
    }

    /// A short name for titles, with the part ("getchu-faces, train").
    pub fn name(&self) -> String {
        format!("{}{}", self.shared.source.name(), self.part)
    }

    /// Picture `i`, 8-bit RGB, [`size`](Dataset::size) pixels square.
    ///
    /// # Errors
    /// When `i` is not below [`len`](Dataset::len), or the picture cannot be read or made.
    pub fn image(&self, i: usize) -> Result<RgbImage> {
        let position = self.position(i)?;
        let make = || self.shared.source.image(position);
        match &self.shared.kept {
            Some(kept) => kept.picture(position, make),
            None => make(),
        }
    }

    /// The same data set, whose pictures, both of a pair, stay in memory (3·[`size`](Dataset::size)² bytes each) once they
    /// were needed: for sources that are slow, like drawn bodies, whose training would otherwise draw every picture anew in
    /// every round.
    pub fn in_memory(&self) -> Dataset {
        let shared = &self.shared;
        let kept = Some(Kept::new(shared.source.len(), self.has_sources()));
        let (source, assigned) = (shared.source.clone(), shared.assigned.clone());
        let shared = Shared { source, splits: shared.splits, assigned, kept };
        Dataset { shared: Arc::new(shared), ..self.clone() }
    }

    /// The first `n` pictures with their labels as captions.
    ///
    /// # Errors
    /// When a picture cannot be read or made, or the data set is empty.
    pub fn images(&self, n: usize) -> Result<Images> {
        let n = n.min(self.len());
        let pictures = (0..n).into_par_iter().map(|i| self.image(i)).collect::<Result<Vec<_>>>()?;
        let captions = (0..n).map(|i| Ok(self.labels(i)?.to_string())).collect::<Result<Vec<_>>>()?;
        Images::from_rgb(&pictures)?.with_captions(captions)
    }

    /// The labels of picture `i`.
    ///
    /// # Errors
    /// When `i` is not below [`len`](Dataset::len).
    pub fn labels(&self, i: usize) -> Result<Labels> {
        self.tags().labels_from(self.shared.source.labels(self.position(i)?))
    }

    /// What names picture `i`: its file name, or its number for pictures that are made.
    ///
    /// # Errors
    /// When `i` is not below [`len`](Dataset::len).
    pub fn key(&self, i: usize) -> Result<String> {
        Ok(self.shared.source.key(self.position(i)?))
    }

    /// The pictures for training.
    pub fn train(&self) -> Dataset {
        self.part(Split::Train, "train")
    }

    /// The pictures for choosing settings.
    pub fn validation(&self) -> Dataset {
        self.part(Split::Validation, "validation")
    }

    /// The pictures for the final numbers.
    pub fn test(&self) -> Dataset {
        self.part(Split::Test, "test")
    }

    /// The same pictures, divided differently. A split that the data set itself prescribes stays.
    ///
    /// # Errors
    /// When a share is not in [0, 1], or both together are above 1.
    pub fn with_splits(self, splits: Splits) -> Result<Dataset> {
        splits.check()?;
        Ok(Dataset::new(Box::new(View::of(&self)), splits))
    }

    /// The first `n` pictures (all of them when there are fewer).
    pub fn take(&self, n: usize) -> Dataset {
        let chosen = (0..n.min(self.len())).filter_map(|i| self.position(i).ok()).collect();
        Dataset { chosen: Some(Arc::new(chosen)), ..self.clone() }
    }

    /// The pictures at these positions, in this order.
    ///
    /// # Errors
    /// When a position is not below [`len`](Dataset::len).
    pub fn subset(&self, positions: &[usize]) -> Result<Dataset> {
        let chosen = positions.iter().map(|i| self.position(*i)).collect::<Result<Vec<_>>>()?;
        Ok(Dataset { chosen: Some(Arc::new(chosen)), part: format!("{}, subset", self.part), ..self.clone() })
    }

    /// The pictures on which this tag is on (value of at least one half).
    ///
    /// # Errors
    /// When there is no such tag.
    pub fn having(&self, tag: impl AsRef<str>) -> Result<Dataset> {
        let id = self.tags().id(tag.as_ref())?;
        let on = |i: &usize| self.shared.source.labels(*i).get(id).is_some_and(|value| *value >= 0.5);
        let chosen = self.positions().filter(on).collect();
        let part = format!("{}, {}", self.part, self.tags().names()[id]);
        Ok(Dataset { chosen: Some(Arc::new(chosen)), part, ..self.clone() })
    }

    /// What was found wrong with the files, and what was done about it.
    pub fn report(&self) -> Report {
        self.shared.source.report()
    }

    /// A text that differs whenever pictures, labels or their order differ: 64 hexadecimal digits.
    pub fn fingerprint(&self) -> String {
        let mut hasher = blake3::Hasher::new_derive_key("tachie 2026 data set");
        hasher.update(self.shared.source.fingerprint().as_bytes());
        if let Some(chosen) = &self.chosen {
            for i in chosen.iter() {
                hasher.update(&(*i as u64).to_le_bytes());
            }
        }
        hasher.finalize().to_hex().to_string()
    }

    /// How the data set is divided where it does not say so itself.
    pub fn splits(&self) -> Splits {
        self.shared.splits
    }

    /// The split of picture `i`, where the data set itself prescribes one.
    pub(super) fn prescribed(&self, i: usize) -> Option<Split> {
        self.shared.source.split(self.position(i).ok()?)
    }

    pub(super) fn positions(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.len()).filter_map(|i| self.position(i).ok())
    }

    /// The pictures that stay in memory, if they do.
    pub(super) fn kept(&self) -> Option<&Kept> {
        self.shared.kept.as_ref()
    }

    /// Where picture `i` comes from, and its number there.
    pub(super) fn origin(&self, i: usize) -> Result<(&dyn Source, usize)> {
        Ok((self.shared.source.as_ref(), self.position(i)?))
    }

    /// Where the pictures come from.
    pub(super) fn from(&self) -> &dyn Source {
        self.shared.source.as_ref()
    }

    fn position(&self, i: usize) -> Result<usize> {
        let position = match &self.chosen {
            Some(chosen) => chosen.get(i).copied(),
            None => (i < self.shared.source.len()).then_some(i),
        };
        position.ok_or_else(|| {
            let expected = format!("a number below {}", self.len());
            Error::invalid(format!("picture of {}", self.name()), i.to_string(), expected, "")
        })
    }

    fn part(&self, split: Split, name: &str) -> Dataset {
        let assigned = self.shared.assigned.get_or_init(|| assign(self.shared.source.as_ref(), &self.shared.splits));
        let chosen = self.positions().filter(|i| assigned[*i] == split).collect();
        Dataset { chosen: Some(Arc::new(chosen)), part: format!("{}, {name}", self.part), ..self.clone() }
    }
}

impl fmt::Display for Dataset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (size, tags) = (self.size(), self.tags().len());
        write!(f, "{}: {} pictures of {size}×{size}, {tags} tags", self.name(), self.len())
    }
}

impl fmt::Debug for Dataset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}
