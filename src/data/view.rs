//! A part of a data set, or its pictures at another size, as a source of its own.

use image::RgbImage;

use super::dataset::{Dataset, Source, Split};
use super::manifest::Filter;
use super::report::Report;
use super::resize;
use super::skeleton::{KeyPoint, Skeleton};
use super::tags::TagSet;
use crate::{Error, Result};

/// Sides of resized pictures in pixels, at most.
const MOST: u32 = 4_096;

pub(super) struct View {
    dataset: Dataset,
    size: u32,
    filter: Filter,
}

impl View {
    /// All pictures of a data set, as they are.
    pub fn of(dataset: &Dataset) -> View {
        View { dataset: dataset.clone(), size: dataset.size(), filter: Filter::default() }
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
}

impl Source for View {
    fn len(&self) -> usize {
        self.dataset.len()
    }
    fn tags(&self) -> &TagSet {
        self.dataset.tags()
    }
    fn image(&self, i: usize) -> Result<RgbImage> {
        Ok(self.sized(self.dataset.image(i)?))
    }
    fn labels(&self, i: usize) -> Vec<f32> {
        self.source().labels(self.at(i))
    }
    fn skeleton(&self) -> Option<&Skeleton> {
        self.source().skeleton()
    }
    fn keypoints(&self, i: usize) -> Vec<KeyPoint> {
        let factor = self.size as f32 / self.dataset.size().max(1) as f32;
        let points = self.source().keypoints(self.at(i)).into_iter();
        points.map(|[x, y, known]| [x * factor, y * factor, known]).collect()
    }
    fn has_sources(&self) -> bool {
        self.source().has_sources()
    }
    fn source_image(&self, i: usize) -> Result<RgbImage> {
        Ok(self.sized(self.dataset.source_image(i)?))
    }
    fn name(&self) -> String {
        self.dataset.name()
    }
    fn fingerprint(&self) -> String {
        let own = self.dataset.fingerprint();
        match self.size == self.dataset.size() {
            true => own,
            false => format!("{own} at {} px, {:?}", self.size, self.filter),
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
}
