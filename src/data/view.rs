//! A data set seen otherwise, as a source of its own: a part of it, its pictures at another size, or with other labels.

use std::collections::BTreeMap;

use image::RgbImage;

use super::dataset::{Dataset, Source, Split};
use super::manifest::Filter;
use super::report::Report;
use super::resize;
use super::skeleton::{KeyPoint, Skeleton};
use super::tags::{Tag, TagGroup, TagSet};
use crate::{Error, Result};

/// Sides of resized pictures in pixels, at most.
const MOST: u32 = 4_096;

pub(super) struct View {
    dataset: Dataset,
    size: u32,
    filter: Filter,
    /// Other labels than those of the data set.
    relabelled: Option<Relabelled>,
}

struct Relabelled {
    tags: TagSet,
    labels: Relabelling,
}

enum Relabelling {
    /// Some of the data set's, by their places among those.
    Chosen(Vec<usize>),
    /// One tag for each picture.
    One(Vec<usize>),
}

impl Relabelled {
    /// The fingerprint of a data set with these labels, from its own.
    fn fingerprint(&self, own: &str) -> String {
        let Relabelled { tags, labels } = self;
        match labels {
            Relabelling::Chosen(_) => format!("{own} with the labels {tags}"),
            Relabelling::One(numbers) => {
                let mut hasher = blake3::Hasher::new();
                hasher.update(own.as_bytes());
                tags.names().iter().for_each(|name| {
                    hasher.update(format!("\n{name}").as_bytes());
                });
                numbers.iter().for_each(|number| {
                    hasher.update(&(*number as u64).to_le_bytes());
                });
                hasher.finalize().to_hex().to_string()
            }
        }
    }
}

impl View {
    /// All pictures of a data set, as they are.
    pub fn of(dataset: &Dataset) -> View {
        View { dataset: dataset.clone(), size: dataset.size(), filter: Filter::default(), relabelled: None }
    }

    fn source(&self) -> &dyn Source {
        self.dataset.from()
    }

    /// Where picture `i` is in the source; beyond its end where there is no such picture.
    fn at(&self, i: usize) -> usize {
        self.dataset.origin(i).map_or(usize::MAX, |(_, at)| at)
    }

    fn sized(&self, picture: RgbImage) -> RgbImage {
        if picture.dimensions() == (self.size, self.size) {
            return picture;
        }
        resize::rgb(&picture, self.size, self.size, self.filter)
    }

    fn scaled(&self, points: Vec<KeyPoint>) -> Vec<KeyPoint> {
        let factor = self.size as f32 / self.dataset.size().max(1) as f32;
        points.into_iter().map(|[x, y, known]| [x * factor, y * factor, known]).collect()
    }
}

impl Dataset {
    /// The same pictures, both of pairs, at another size; key points go with them. They are resized whenever they are asked
    /// for, unless they stay [in memory](Dataset::in_memory).
    ///
    /// # Errors
    /// When the size is not 1 to 4,096 pixels.
    pub fn resized(&self, size: u32, filter: Filter) -> Result<Dataset> {
        if !(1..=MOST).contains(&size) {
            let what = format!("size of {}", self.name());
            return Err(Error::invalid(what, format!("{size} px"), format!("1 to {MOST} px"), ""));
        }
        Ok(Dataset::new(Box::new(View { size, filter, ..View::of(self) }), self.splits()))
    }

    /// The same pictures with these labels alone, in this order: an editor learns better to change the few that matter.
    /// Pictures that show none of a group's tags that are left have all of them off.
    ///
    /// # Errors
    /// When there is no such tag, or one is named twice.
    pub fn with_labels<S: AsRef<str>>(&self, names: &[S]) -> Result<Dataset> {
        let (tags, ids) = self.tags().chosen(names)?;
        Ok(self.relabelled(tags, Relabelling::Chosen(ids)))
    }

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
        Ok(self.relabelled(TagSet::new(tags, vec![all])?, Relabelling::One(numbers)))
    }

    fn relabelled(&self, tags: TagSet, labels: Relabelling) -> Dataset {
        let relabelled = Some(Relabelled { tags, labels });
        Dataset::new(Box::new(View { relabelled, ..View::of(self) }), self.splits())
    }
}

impl Source for View {
    fn len(&self) -> usize {
        self.dataset.len()
    }
    fn tags(&self) -> &TagSet {
        self.relabelled.as_ref().map_or_else(|| self.dataset.tags(), |relabelled| &relabelled.tags)
    }
    fn image(&self, i: usize) -> Result<RgbImage> {
        Ok(self.sized(self.dataset.image(i)?))
    }
    fn labels(&self, i: usize) -> Vec<f32> {
        let own = || self.source().labels(self.at(i));
        match &self.relabelled {
            None => own(),
            Some(Relabelled { labels: Relabelling::Chosen(ids), .. }) => {
                let all = own();
                ids.iter().filter_map(|&id| all.get(id).copied()).collect()
            }
            Some(Relabelled { labels: Relabelling::One(numbers), tags }) => {
                (0..tags.len()).map(|tag| f32::from(u8::from(tag == numbers[i]))).collect()
            }
        }
    }
    fn skeleton(&self) -> Option<&Skeleton> {
        self.source().skeleton()
    }
    fn keypoints(&self, i: usize) -> Vec<KeyPoint> {
        self.scaled(self.source().keypoints(self.at(i)))
    }
    fn source_keypoints(&self, i: usize) -> Vec<KeyPoint> {
        self.scaled(self.source().source_keypoints(self.at(i)))
    }
    fn has_sources(&self) -> bool {
        self.source().has_sources()
    }
    fn source_image(&self, i: usize) -> Result<RgbImage> {
        Ok(self.sized(self.dataset.source_image(i)?))
    }
    fn name(&self) -> String {
        match &self.relabelled {
            Some(Relabelled { labels: Relabelling::Chosen(ids), .. }) => {
                format!("{}, {} labels", self.dataset.name(), ids.len())
            }
            _ => self.dataset.name(),
        }
    }
    fn fingerprint(&self) -> String {
        let own = self.dataset.fingerprint();
        match &self.relabelled {
            Some(relabelled) => relabelled.fingerprint(&own),
            None if self.size == self.dataset.size() => own,
            None => format!("{own} at {} px, {:?}", self.size, self.filter),
        }
    }
    fn size(&self) -> u32 {
        self.size
    }
    fn key(&self, i: usize) -> String {
        self.source().key(self.at(i))
    }
    fn split(&self, i: usize) -> Option<Split> {
        self.source().split(self.at(i))
    }
    fn report(&self) -> Report {
        self.dataset.report()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::avatar::Avatar;

    #[test]
    fn pairs_at_another_size() {
        let pairs = Avatar::costumes().size(64).count(8).dataset().unwrap();
        let small = pairs.resized(16, Filter::Box).unwrap();
        assert_eq!((small.len(), small.size(), small.has_sources()), (8, 16, true));
        let mean = |picture: &RgbImage| {
            picture.as_raw().iter().map(|&v| f64::from(v)).sum::<f64>() / picture.as_raw().len() as f64
        };
        for (large, small) in [
            (pairs.image(5).unwrap(), small.image(5).unwrap()),
            (pairs.source_image(5).unwrap(), small.source_image(5).unwrap()),
        ] {
            assert_eq!(small.dimensions(), (16, 16));
            assert!((mean(&large) - mean(&small)).abs() < 0.5);
        }
        let (large, scaled) = (pairs.keypoints(5).unwrap(), small.keypoints(5).unwrap());
        assert!(large.iter().zip(&scaled).all(|(a, b)| (a[0] / 4.0 - b[0]).abs() < 1e-4 && a[2] == b[2]));
        assert_eq!(small.test().key(0).unwrap(), pairs.test().key(0).unwrap());
        assert_ne!(small.fingerprint(), pairs.fingerprint());
        let same = pairs.resized(64, Filter::Box).unwrap();
        assert_eq!(same.image(3).unwrap(), pairs.image(3).unwrap());
        assert!(pairs.resized(0, Filter::Box).unwrap_err().to_string().contains("1 to 4096 px"));
    }

    #[test]
    fn fewer_labels_of_the_same_pictures() {
        let faces = Avatar::faces().size(8).take(60).unwrap();
        let names = ["smile", "purple hair", "red hair", "blue eyes"];
        let few = faces.with_labels(&names).unwrap();
        assert_eq!(few.tags().names(), names);
        let hair: Vec<_> =
            few.tags().groups().iter().map(|group| (group.name.as_str(), group.members.clone())).collect();
        assert_eq!(hair, [("hair colour", vec![1, 2]), ("eye colour", vec![3])]);
        for i in 0..60 {
            let (all, chosen) = (faces.labels(i).unwrap(), few.labels(i).unwrap());
            assert!(names.iter().all(|name| all.get(name).unwrap() == chosen.get(name).unwrap()));
            assert_eq!(faces.image(i).unwrap(), few.image(i).unwrap());
        }
        let keys = |set: &Dataset| (0..set.test().len()).map(|i| set.test().key(i).unwrap()).collect::<Vec<_>>();
        assert_eq!(keys(&faces), keys(&few), "the splits stay");
        assert_ne!(faces.fingerprint(), few.fingerprint());
        assert!(faces.with_labels(&["cape"]).is_err() && faces.with_labels(&["smile", "smile"]).is_err());
        assert_eq!(faces.with_labels(&TagSet::animegan().names()).unwrap().tags(), &TagSet::animegan());
    }
}
