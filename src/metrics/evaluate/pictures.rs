//! Sets of pictures that are looked at a few at a time, so that none has to fit into memory.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use image::RgbImage;
use rayon::prelude::*;

use crate::data::dataset::Dataset;
use crate::data::skeleton::KeyPoint;
use crate::data::tags::Labels;
use crate::{Error, Result};

/// Pictures in a fixed order, read or made when they are asked for.
pub trait Pictures: Send + Sync {
    /// What tables and messages call it.
    fn name(&self) -> String;

    /// Number of pictures.
    fn len(&self) -> usize;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Names picture `i`. Pictures of two sets that bear one key are a pair.
    ///
    /// # Errors
    /// When there is no such picture.
    fn key(&self, i: usize) -> Result<String>;

    /// What picture `i` shows, or was asked to show; `None` for pictures without labels.
    ///
    /// # Errors
    /// When there is no such picture.
    fn labels(&self, i: usize) -> Result<Option<Labels>>;

    /// The key points of picture `i`, x and y as shares of its side; `None` for pictures without.
    ///
    /// # Errors
    /// When there is no such picture.
    fn pose(&self, i: usize) -> Result<Option<Vec<KeyPoint>>> {
        let _ = i;
        Ok(None)
    }

    /// The pictures as the data set that they are.
    fn dataset(&self) -> Option<Dataset> {
        None
    }

    /// The pictures as a data set, if each has one that it is to be made from.
    fn pairs(&self) -> Option<Dataset> {
        self.dataset().filter(Dataset::has_sources)
    }

    /// These pictures, 8-bit RGB, each in its own size.
    ///
    /// # Errors
    /// When one cannot be read or made.
    fn read(&self, range: Range<usize>) -> Result<Vec<RgbImage>>;

    /// A text for these pictures that other pictures do not have; kept features and results are found by it.
    ///
    /// # Errors
    /// When one cannot be read.
    fn identity(&self, range: Range<usize>) -> Result<String>;

    /// What a reader of the numbers has to know about the pictures (formats, conversions).
    fn notes(&self) -> Vec<String> {
        Vec::new()
    }
}

impl Pictures for Dataset {
    fn name(&self) -> String {
        Dataset::name(self)
    }

    fn len(&self) -> usize {
        Dataset::len(self)
    }

    fn key(&self, i: usize) -> Result<String> {
        Dataset::key(self, i)
    }

    fn labels(&self, i: usize) -> Result<Option<Labels>> {
        if self.tags().is_empty() { Ok(None) } else { Dataset::labels(self, i).map(Some) }
    }

    fn pose(&self, i: usize) -> Result<Option<Vec<KeyPoint>>> {
        if self.skeleton().is_none() { Ok(None) } else { Dataset::pose(self, i).map(Some) }
    }

    fn dataset(&self) -> Option<Dataset> {
        Some(self.clone())
    }

    fn read(&self, range: Range<usize>) -> Result<Vec<RgbImage>> {
        range.into_par_iter().map(|i| self.image(i)).collect()
    }

    fn identity(&self, range: Range<usize>) -> Result<String> {
        Ok(format!("data set {} {range:?}", self.fingerprint()))
    }

    fn notes(&self) -> Vec<String> {
        let report = self.report();
        match report.is_clean() {
            true => vec![],
            false => {
                vec![format!("{}: {} problems with its files (Dataset::report)", self.name(), report.problems.len())]
            }
        }
    }
}

/// The range, if there are that many pictures in the set called `name`.
pub(super) fn within(name: &str, range: Range<usize>, len: usize) -> Result<Range<usize>> {
    if range.start <= range.end && range.end <= len {
        return Ok(range);
    }
    Err(Error::invalid(
        format!("pictures of {name}"),
        format!("positions {range:?}"),
        format!("positions below {len}"),
        "",
    ))
}

/// Some pictures of another set, in another order.
#[derive(Clone)]
pub struct Chosen {
    pictures: Arc<dyn Pictures>,
    chosen: Vec<usize>,
}

impl Chosen {
    /// The pictures at these positions.
    ///
    /// # Errors
    /// When a position is not below the length.
    pub fn new(pictures: Arc<dyn Pictures>, chosen: Vec<usize>) -> Result<Chosen> {
        match chosen.iter().find(|i| **i >= pictures.len()) {
            None => Ok(Chosen { pictures, chosen }),
            Some(i) => {
                let expected = format!("a number below {}", pictures.len());
                Err(Error::invalid(format!("picture of {}", pictures.name()), i.to_string(), expected, ""))
            }
        }
    }

    /// The first `n` pictures, all of them when there are fewer.
    pub fn first(pictures: Arc<dyn Pictures>, n: usize) -> Chosen {
        let chosen = (0..n.min(pictures.len())).collect();
        Chosen { pictures, chosen }
    }

    /// All of them, 8-bit RGB.
    ///
    /// # Errors
    /// When one cannot be read or made.
    pub fn all(&self) -> Result<Vec<RgbImage>> {
        self.read(0..self.chosen.len())
    }

    fn within(&self, range: Range<usize>) -> Result<Range<usize>> {
        within(&self.name(), range, self.chosen.len())
    }

    fn position(&self, i: usize) -> Result<usize> {
        self.chosen.get(i).copied().ok_or_else(|| {
            let expected = format!("a number below {}", self.chosen.len());
            Error::invalid(format!("picture of {}", self.name()), i.to_string(), expected, "")
        })
    }
}

impl Pictures for Chosen {
    fn name(&self) -> String {
        self.pictures.name()
    }

    fn len(&self) -> usize {
        self.chosen.len()
    }

    fn key(&self, i: usize) -> Result<String> {
        self.pictures.key(self.position(i)?)
    }

    fn labels(&self, i: usize) -> Result<Option<Labels>> {
        self.pictures.labels(self.position(i)?)
    }

    fn pose(&self, i: usize) -> Result<Option<Vec<KeyPoint>>> {
        self.pictures.pose(self.position(i)?)
    }

    fn dataset(&self) -> Option<Dataset> {
        self.pictures.dataset()?.subset(&self.chosen).ok()
    }

    fn read(&self, range: Range<usize>) -> Result<Vec<RgbImage>> {
        let runs = self.chosen[self.within(range)?].par_chunk_by(|a, b| a + 1 == *b);
        let read: Vec<_> = runs.map(|run| self.pictures.read(run[0]..run[0] + run.len())).collect();
        Ok(read.into_iter().collect::<Result<Vec<_>>>()?.concat())
    }

    fn identity(&self, range: Range<usize>) -> Result<String> {
        let runs = self.chosen[self.within(range)?].chunk_by(|a, b| a + 1 == *b);
        let each = runs.map(|run| self.pictures.identity(run[0]..run[0] + run.len()));
        Ok(each.collect::<Result<Vec<_>>>()?.join("\n"))
    }

    fn notes(&self) -> Vec<String> {
        self.pictures.notes()
    }
}

impl fmt::Debug for Chosen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of the {} pictures of {}", self.chosen.len(), self.pictures.len(), self.pictures.name())
    }
}
