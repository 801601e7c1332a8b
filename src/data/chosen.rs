//! A data set with some of its labels.

use image::RgbImage;

use super::dataset::{Dataset, Source, Split};
use super::report::Report;
use super::skeleton::{KeyPoint, Skeleton};
use super::tags::TagSet;
use crate::Result;

impl Dataset {
    /// The same pictures with these labels alone, in this order: an editor learns better to change the few that matter.
    /// Pictures that show none of a group's tags that are left have all of them off.
    ///
    /// # Errors
    /// When there is no such tag, or one is named twice.
    pub fn with_labels<S: AsRef<str>>(&self, names: &[S]) -> Result<Dataset> {
        let (tags, ids) = self.tags().chosen(names)?;
        let splits = self.splits();
        Ok(Dataset::new(Box::new(Chosen { dataset: self.clone(), tags, ids }), splits))
    }
}

struct Chosen {
    dataset: Dataset,
    tags: TagSet,
    /// Where each label is among those of the data set.
    ids: Vec<usize>,
}

impl Source for Chosen {
    fn len(&self) -> usize {
        self.dataset.len()
    }
    fn tags(&self) -> &TagSet {
        &self.tags
    }
    fn image(&self, i: usize) -> Result<RgbImage> {
        self.dataset.image(i)
    }
    fn labels(&self, i: usize) -> Vec<f32> {
        let all = self.dataset.labels(i).map(|labels| labels.values).unwrap_or_default();
        self.ids.iter().filter_map(|&id| all.get(id).copied()).collect()
    }
    fn skeleton(&self) -> Option<&Skeleton> {
        self.dataset.from().skeleton()
    }
    fn keypoints(&self, i: usize) -> Vec<KeyPoint> {
        self.dataset.origin(i).map(|(source, at)| source.keypoints(at)).unwrap_or_default()
    }
    fn has_sources(&self) -> bool {
        self.dataset.from().has_sources()
    }
    fn source_image(&self, i: usize) -> Result<RgbImage> {
        self.dataset.origin(i).and_then(|(source, at)| source.source_image(at))
    }
    fn name(&self) -> String {
        format!("{}, {} labels", self.dataset.name(), self.tags.len())
    }
    fn fingerprint(&self) -> String {
        format!("{} with the labels {}", self.dataset.fingerprint(), self.tags)
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

#[cfg(test)]
mod tests {
    use crate::data::avatar::Avatar;
    use crate::data::tags::TagSet;

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
        let keys = |set: &crate::data::dataset::Dataset| {
            (0..set.test().len()).map(|i| set.test().key(i).unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(keys(&faces), keys(&few), "the splits stay");
        assert_ne!(faces.fingerprint(), few.fingerprint());
        assert!(faces.with_labels(&["cape"]).is_err() && faces.with_labels(&["smile", "smile"]).is_err());
        assert_eq!(faces.with_labels(&TagSet::animegan().names()).unwrap().tags(), &TagSet::animegan());
    }
}
