//! Whom pictures show, as labels.

use std::collections::BTreeMap;

use image::RgbImage;

use super::dataset::{Dataset, Source, Split};
use super::report::Report;
use super::skeleton::{KeyPoint, Skeleton};
use super::tags::{Tag, TagGroup, TagSet};
use crate::Result;

/// A data set whose only labels say whom its pictures show.
struct Whom {
    dataset: Dataset,
    tags: TagSet,
    /// The tag of each picture.
    numbers: Vec<usize>,
}

impl Dataset {
    /// The same pictures with other labels: one tag for everybody whom they show, all of one exclusive group. `whom` tells
    /// the tag from a picture's [`key`](Dataset::key).
    ///
    /// Take a part first (`bodies.train().labelled_by(..)`), since nobody else can be learnt from it.
    ///
    /// ```
    /// use tachie::data::avatar::Avatar;
    /// let bodies = Avatar::bodies().costumes(3).poses(4).dataset()?;
    /// let labelled = bodies.labelled_by("costume", |key| format!("costume {}", &key[..3]))?;
    /// assert_eq!(labelled.tags().names(), ["costume 000", "costume 001", "costume 002"]);
    /// assert_eq!(labelled.labels(5)?.values, [0.0, 1.0, 0.0]);
    /// # Ok::<(), tachie::Error>(())
    /// ```
    ///
    /// # Errors
    /// When what `whom` tells cannot be a tag: an empty text, or one with a comma or `=`.
    pub fn labelled_by(&self, group: &str, whom: impl Fn(&str) -> String) -> Result<Dataset> {
        let names = (0..self.len()).map(|i| Ok(whom(&self.key(i)?))).collect::<Result<Vec<String>>>()?;
        let mut known: BTreeMap<&str, usize> = names.iter().map(|name| (name.as_str(), 0)).collect();
        known.values_mut().enumerate().for_each(|(number, place)| *place = number);
        let tags = known.keys().map(|name| Tag::switch(*name, None)).collect();
        let all = TagGroup { name: group.into(), members: (0..known.len()).collect() };
        let numbers = names.iter().map(|name| known[name.as_str()]).collect();
        let whom = Whom { dataset: self.clone(), tags: TagSet::new(tags, vec![all])?, numbers };
        Ok(Dataset::new(Box::new(whom), self.splits()))
    }
}

impl Source for Whom {
    fn len(&self) -> usize {
        self.numbers.len()
    }
    fn tags(&self) -> &TagSet {
        &self.tags
    }
    fn image(&self, i: usize) -> Result<RgbImage> {
        self.dataset.image(i)
    }
    fn labels(&self, i: usize) -> Vec<f32> {
        (0..self.tags.len()).map(|tag| f32::from(u8::from(tag == self.numbers[i]))).collect()
    }
    fn skeleton(&self) -> Option<&Skeleton> {
        self.dataset.skeleton()
    }
    fn keypoints(&self, i: usize) -> Vec<KeyPoint> {
        self.dataset.keypoints(i).unwrap_or_default()
    }
    fn has_sources(&self) -> bool {
        self.dataset.has_sources()
    }
    fn source_image(&self, i: usize) -> Result<RgbImage> {
        self.dataset.source_image(i)
    }
    fn name(&self) -> String {
        self.dataset.name()
    }
    fn fingerprint(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        hasher.update(self.dataset.fingerprint().as_bytes());
        self.tags.names().iter().for_each(|name| {
            hasher.update(format!("\n{name}").as_bytes());
        });
        self.numbers.iter().for_each(|number| {
            hasher.update(&(*number as u64).to_le_bytes());
        });
        hasher.finalize().to_hex().to_string()
    }
    fn size(&self) -> u32 {
        self.dataset.size()
    }
    fn key(&self, i: usize) -> String {
        self.dataset.key(i).unwrap_or_default()
    }
    fn split(&self, i: usize) -> Option<Split> {
        self.dataset.prescribed(i)
    }
    fn report(&self) -> Report {
        self.dataset.report()
    }
}
