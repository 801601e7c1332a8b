//! Pictures of one size behind one another, in memory or in one file.
//!
//! A folder of pictures is decoded into packed memory; `tachie data pack` writes the same as a file, which is then
//! mapped. Both show the same data set, with the same fingerprint.

mod file;

use std::collections::BTreeMap;

use image::RgbImage;
use memmap2::Mmap;
use serde::{Deserialize, Serialize};

use super::dataset::{Dataset, Source, Split, Splits};
use super::poses::{KeyPoint, Skeleton};
use super::report::{Action, Report};
use super::tags::{Labels, TagSet};
use crate::{Error, Result};

pub(super) use file::{MAGIC, StoreWriter, open};

/// Everything about packed pictures but their pixels.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Index {
    pub name: String,
    /// Side in pixels.
    pub size: u32,
    pub tags: TagSet,
    /// File names.
    pub keys: Vec<String>,
    pub prescribed: Vec<Option<Split>>,
    pub splits: Splits,
    pub report: Report,
    /// `[N, L]`, stored outside the JSON part of a file.
    #[serde(skip)]
    pub labels: Vec<f32>,
    /// BLAKE3 of the pixels of each picture, stored outside the JSON part of a file.
    #[serde(skip)]
    pub hashes: Vec<[u8; 32]>,
    /// The names of the key points, for pictures that have some.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skeleton: Option<Skeleton>,
    /// `[N, M]` in pixels, stored outside the JSON part of a file; empty without a skeleton.
    #[serde(skip)]
    pub points: Vec<KeyPoint>,
}

impl Index {
    pub fn new(name: impl Into<String>, size: u32, tags: TagSet, splits: Splits) -> Index {
        Index {
            name: name.into(),
            size,
            tags,
            keys: Vec::new(),
            prescribed: Vec::new(),
            splits,
            report: Report::default(),
            labels: Vec::new(),
            hashes: Vec::new(),
            skeleton: None,
            points: Vec::new(),
        }
    }

    pub fn push(&mut self, key: String, labels: &[f32], split: Option<Split>, pixels: &[u8]) {
        self.keys.push(key);
        self.labels.extend_from_slice(labels);
        self.prescribed.push(split);
        self.hashes.push(*blake3::hash(pixels).as_bytes());
    }

    /// Bytes of one picture.
    pub fn image_bytes(&self) -> usize {
        3 * self.size as usize * self.size as usize
    }

    /// Key points of one picture.
    pub fn keypoints(&self) -> usize {
        self.skeleton.as_ref().map_or(0, Skeleton::len)
    }

    /// Puts pictures that are equal pixel by pixel into the report: they may sit on both sides of a split.
    pub fn report_copies(&self, report: &mut Report) {
        let mut first: BTreeMap<&[u8; 32], &String> = BTreeMap::new();
        for (hash, key) in self.hashes.iter().zip(&self.keys) {
            match first.get(hash) {
                Some(original) => report.add("same pixels", key, format!("as {original}"), Action::Kept),
                None => drop(first.insert(hash, key)),
            }
        }
    }

    /// Gives every tag without a chance the share of the pictures that carry it.
    ///
    /// # Errors
    /// When the labels are not numbers in [0, 1].
    pub fn measure_chances(&mut self) -> Result<()> {
        let (pictures, width) = (self.keys.len().max(1), self.tags.len());
        let on = |id: usize| self.labels.iter().skip(id).step_by(width.max(1)).filter(|value| **value >= 0.5).count();
        let share = |id: usize| on(id) as f64 / pictures as f64;
        let chances: Vec<f64> = (0..width).map(|id| self.tags.tags()[id].chance.unwrap_or_else(|| share(id))).collect();
        self.tags = self.tags.with_chances(&chances)?;
        Ok(())
    }

    /// Of pixels, labels, tags, key points, file names and splits; not of the name and the report.
    fn fingerprint(&self) -> Result<String> {
        let parts = (self.size, self.tags.names(), self.tags.groups(), &self.keys, &self.prescribed);
        let json =
            serde_json::to_vec(&parts).map_err(|error| Error::invalid("index", error.to_string(), "JSON", ""))?;
        let mut hasher = blake3::Hasher::new_derive_key("tachie 2026 packed pictures");
        hasher.update(&json);
        hasher.update(bytemuck::cast_slice(&self.labels));
        hasher.update(self.hashes.as_flattened());
        // Pictures without key points keep the fingerprint that they had before there were any.
        if let Some(skeleton) = &self.skeleton {
            hasher.update(skeleton.names().join("\n").as_bytes());
            hasher.update(bytemuck::cast_slice(&self.points));
        }
        Ok(hasher.finalize().to_hex().to_string())
    }
}

/// Packed pictures as a source.
pub(super) struct Packed {
    index: Index,
    pixels: Pixels,
    fingerprint: String,
}

enum Pixels {
    Memory(Vec<u8>),
    Mapped(Mmap, usize),
}

impl Packed {
    /// Pictures in memory, one behind the other.
    ///
    /// # Errors
    /// When there are not as many pixels as the index says.
    pub fn new(index: Index, pixels: Vec<u8>) -> Result<Packed> {
        let wanted = index.keys.len() * index.image_bytes();
        if pixels.len() != wanted {
            return Err(Error::invalid("packed pictures", format!("{} bytes", pixels.len()), wanted.to_string(), ""));
        }
        let (found, wanted) = (index.points.len(), index.keys.len() * index.keypoints());
        if found != wanted {
            return Err(Error::invalid("packed pictures: key points", found.to_string(), wanted.to_string(), ""));
        }
        Packed::with(index, Pixels::Memory(pixels))
    }

    fn with(index: Index, pixels: Pixels) -> Result<Packed> {
        let fingerprint = index.fingerprint()?;
        Ok(Packed { index, pixels, fingerprint })
    }

    pub fn into_dataset(self) -> Dataset {
        let splits = self.index.splits;
        Dataset::new(Box::new(self), splits)
    }

    fn bytes(&self, i: usize) -> Option<&[u8]> {
        let all = match &self.pixels {
            Pixels::Memory(bytes) => bytes.as_slice(),
            Pixels::Mapped(map, start) => map.get(*start..)?,
        };
        let length = self.index.image_bytes();
        all.get(i.checked_mul(length)?..)?.get(..length)
    }
}

impl Source for Packed {
    fn len(&self) -> usize {
        self.index.keys.len()
    }

    fn tags(&self) -> &TagSet {
        &self.index.tags
    }

    fn image(&self, i: usize) -> Result<RgbImage> {
        let size = self.index.size;
        let image = self.bytes(i).and_then(|bytes| RgbImage::from_raw(size, size, bytes.to_vec()));
        image.ok_or_else(|| {
            let expected = format!("a number below {}", self.len());
            Error::invalid(format!("picture of {}", self.index.name), i.to_string(), expected, "")
        })
    }

    fn labels(&self, i: usize) -> Vec<f32> {
        let width = self.index.tags.len();
        self.index.labels.get(i * width..(i + 1) * width).unwrap_or_default().to_vec()
    }

    fn skeleton(&self) -> Option<&Skeleton> {
        self.index.skeleton.as_ref()
    }

    fn keypoints(&self, i: usize) -> Vec<KeyPoint> {
        let count = self.index.keypoints();
        self.index.points.get(i * count..(i + 1) * count).unwrap_or_default().to_vec()
    }

    fn name(&self) -> String {
        self.index.name.clone()
    }

    fn fingerprint(&self) -> String {
        self.fingerprint.clone()
    }

    fn size(&self) -> u32 {
        self.index.size
    }

    fn key(&self, i: usize) -> String {
        self.index.keys.get(i).cloned().unwrap_or_default()
    }

    fn split(&self, i: usize) -> Option<Split> {
        self.index.prescribed.get(i).copied().flatten()
    }

    fn report(&self) -> Report {
        self.index.report.clone()
    }
}

impl Dataset {
    /// A data set in memory from pictures and their labels.
    ///
    /// # Errors
    /// No picture, pictures that are not squares of one size, another number of labels than of pictures (none at all is
    /// fine), labels of different vocabularies.
    pub fn from_images(name: impl Into<String>, images: &[RgbImage], labels: &[Labels]) -> Result<Dataset> {
        let Some(first) = images.first() else {
            return Err(Error::invalid("pictures", "none", "at least one", ""));
        };
        let size = first.width();
        if let Some(other) = images.iter().find(|image| image.dimensions() != (size, size)) {
            let found = format!("{}×{} pixels", other.width(), other.height());
            return Err(Error::invalid("pictures", found, format!("all of {size}×{size}"), "Resize them first."));
        }
        let tags = labels.first().map_or_else(TagSet::none, |labels| labels.tags().clone());
        let strange = |labels: &&Labels| *labels.tags() != tags || labels.values.len() != tags.len();
        if (!labels.is_empty() && labels.len() != images.len()) || labels.iter().find(strange).is_some() {
            let found = format!("{} for {} pictures", labels.len(), images.len());
            return Err(Error::invalid("labels", found, "one per picture, of one vocabulary, or none", ""));
        }
        let mut index = Index::new(name, size, tags, Splits::default());
        for (i, image) in images.iter().enumerate() {
            let values = labels.get(i).map_or(&[][..], |labels| &labels.values);
            index.push(format!("{i:08}"), values, None, image.as_raw());
        }
        index.measure_chances()?;
        index.report.used = images.len();
        Ok(Packed::new(index, images.iter().flat_map(|image| image.as_raw().iter().copied()).collect())?.into_dataset())
    }
}
