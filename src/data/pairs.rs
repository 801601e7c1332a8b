//! Pairs of pictures of one person, costume or thing: what models that translate learn from.

use std::collections::BTreeMap;

use image::RgbImage;

use super::dataset::{Dataset, Source, Split};
use super::skeleton::{KeyPoint, Skeleton};
use super::tags::TagSet;
use crate::rng::Seed;
use crate::{Error, Result};

impl Dataset {
    /// Whether every picture has one that it is to be made from, as pairs have.
    pub fn has_sources(&self) -> bool {
        self.from().has_sources()
    }

    /// The picture that picture `i` is to be made from; itself in a data set of single pictures.
    ///
    /// # Errors
    /// As [`image`](Dataset::image).
    pub fn source_image(&self, i: usize) -> Result<RgbImage> {
        if !self.has_sources() {
            return self.image(i);
        }
        let (source, place) = self.origin(i)?;
        let make = || source.source_image(place);
        match self.kept() {
            Some(kept) => kept.source(place, make),
            None => make(),
        }
    }

    /// A data set of `n` pairs of different pictures of one and the same whom, drawn at random. Picture, labels and key
    /// points of a pair are those of its second picture; the first one is what it is to be made from
    /// ([`source_image`](Dataset::source_image)). `whom` tells from a picture's [`key`](Dataset::key) whom it shows.
    ///
    /// Take a part first (`bodies.train().pairs(..)`): all pairs count as training pictures.
    ///
    /// # Errors
    /// When `n` is 0, or no two pictures show the same.
    pub fn pairs(&self, n: usize, seed: Seed, whom: impl Fn(&str) -> String) -> Result<Dataset> {
        let mut groups: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for i in 0..self.len() {
            groups.entry(whom(&self.key(i)?)).or_default().push(i);
        }
        // Every picture of a group with others is equally often a target.
        let groups: Vec<Vec<usize>> = groups.into_values().filter(|members| members.len() > 1).collect();
        let targets: Vec<(usize, usize)> = groups
            .iter()
            .enumerate()
            .flat_map(|(group, members)| (0..members.len()).map(move |i| (group, i)))
            .collect();
        if n == 0 || targets.is_empty() {
            let found =
                format!("{n} pairs of {} pictures, {} of whom have another of the same", self.len(), targets.len());
            return Err(Error::invalid(format!("pairs of {}", self.name()), found, "at least one of each", ""));
        }
        let mut stream = seed.stream("pairs");
        let pairs = (0..n).map(|_| {
            let (group, target) = targets[stream.below(targets.len())];
            let members = &groups[group];
            // Any of the others.
            let source = (target + 1 + stream.below(members.len() - 1)) % members.len();
            [members[source], members[target]]
        });
        let pairs: Vec<[usize; 2]> = pairs.collect();
        Ok(Dataset::from_source(Pairs { of: self.clone(), pairs, seed }))
    }
}

struct Pairs {
    of: Dataset,
    /// Source and target.
    pairs: Vec<[usize; 2]>,
    seed: Seed,
}

impl Source for Pairs {
    fn len(&self) -> usize {
        self.pairs.len()
    }
    fn tags(&self) -> &TagSet {
        self.of.tags()
    }
    fn image(&self, i: usize) -> Result<RgbImage> {
        self.of.image(self.pairs[i][1])
    }
    fn has_sources(&self) -> bool {
        true
    }
    fn source_image(&self, i: usize) -> Result<RgbImage> {
        self.of.image(self.pairs[i][0])
    }
    fn labels(&self, i: usize) -> Vec<f32> {
        self.of.labels(self.pairs[i][1]).map(|labels| labels.values).unwrap_or_default()
    }
    fn skeleton(&self) -> Option<&Skeleton> {
        self.of.skeleton()
    }
    fn keypoints(&self, i: usize) -> Vec<KeyPoint> {
        self.of.keypoints(self.pairs[i][1]).unwrap_or_default()
    }
    fn source_keypoints(&self, i: usize) -> Vec<KeyPoint> {
        self.of.keypoints(self.pairs[i][0]).unwrap_or_default()
    }
    fn name(&self) -> String {
        format!("pairs of {}", self.of.name())
    }
    fn fingerprint(&self) -> String {
        format!("{} pairs, seed {}, of {}", self.pairs.len(), self.seed.0, self.of.fingerprint())
    }
    fn size(&self) -> u32 {
        self.of.size()
    }
    fn key(&self, i: usize) -> String {
        let key = |picture: usize| self.of.key(picture).unwrap_or_default();
        format!("{} from {} ({i})", key(self.pairs[i][1]), key(self.pairs[i][0]))
    }
    fn split(&self, _: usize) -> Option<Split> {
        Some(Split::Train)
    }
}
