//! Pictures that stay in memory once they were needed.

use std::sync::OnceLock;

use image::RgbImage;

use crate::Result;
use crate::data::skeleton::KeyPoint;

/// The pictures that were needed so far, of a data set that keeps them.
pub(super) struct Kept {
    pictures: Vec<OnceLock<RgbImage>>,
    /// Those that they are to be made from; none of a data set of single pictures.
    sources: Vec<OnceLock<RgbImage>>,
    /// Of drawn bodies they cost a good part of the drawing: what hides a point has to be found out.
    poses: Vec<OnceLock<Vec<KeyPoint>>>,
}

impl Kept {
    /// Room for so many pictures, or pairs.
    pub fn new(count: usize, pairs: bool) -> Kept {
        let slots = |count| (0..count).map(|_| OnceLock::new()).collect();
        let poses = (0..count).map(|_| OnceLock::new()).collect();
        Kept { pictures: slots(count), sources: slots(if pairs { count } else { 0 }), poses }
    }

    /// Picture `i`, made where it was not needed before.
    pub fn picture(&self, i: usize, make: impl FnOnce() -> Result<RgbImage>) -> Result<RgbImage> {
        held(&self.pictures[i], make)
    }

    /// What picture `i` of pairs is to be made from.
    pub fn source(&self, i: usize, make: impl FnOnce() -> Result<RgbImage>) -> Result<RgbImage> {
        held(&self.sources[i], make)
    }

    /// The key points of picture `i`.
    pub fn keypoints(&self, i: usize, make: impl FnOnce() -> Vec<KeyPoint>) -> Vec<KeyPoint> {
        self.poses[i].get_or_init(make).clone()
    }
}

fn held(slot: &OnceLock<RgbImage>, make: impl FnOnce() -> Result<RgbImage>) -> Result<RgbImage> {
    match slot.get() {
        Some(picture) => Ok(picture.clone()),
        None => {
            let picture = make()?;
            Ok(slot.get_or_init(|| picture).clone())
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::data::avatar::Avatar;
    use crate::data::dataset::{Dataset, Source, Splits};
    use crate::data::tags::TagSet;

    #[test]
    fn what_stays_in_memory_is_made_once() {
        struct Counting(Dataset, Arc<AtomicUsize>);
        impl Source for Counting {
            fn len(&self) -> usize {
                self.0.len()
            }
            fn tags(&self) -> &TagSet {
                self.0.tags()
            }
            fn image(&self, i: usize) -> Result<RgbImage> {
                self.1.fetch_add(1, Ordering::Relaxed);
                self.0.image(i)
            }
            fn has_sources(&self) -> bool {
                self.0.has_sources()
            }
            fn source_image(&self, i: usize) -> Result<RgbImage> {
                self.1.fetch_add(1, Ordering::Relaxed);
                self.0.source_image(i)
            }
            fn labels(&self, _: usize) -> Vec<f32> {
                vec![0.0; self.tags().len()]
            }
            fn name(&self) -> String {
                self.0.name()
            }
            fn fingerprint(&self) -> String {
                self.0.fingerprint()
            }
            fn size(&self) -> u32 {
                self.0.size()
            }
        }
        let made = Arc::new(AtomicUsize::new(0));
        let drawn = Dataset::from_source(Counting(Avatar::faces().size(16).take(12).unwrap(), made.clone()));
        let kept = drawn.in_memory();
        assert_eq!((drawn.fingerprint(), drawn.train().name()), (kept.fingerprint(), kept.train().name()));
        let part = kept.subset(&[3, 5]).unwrap();
        for _ in 0..3 {
            assert_eq!(part.image(1).unwrap(), kept.image(5).unwrap());
        }
        assert_eq!(made.load(Ordering::Relaxed), 1);
        assert_eq!(drawn.image(5).unwrap(), kept.image(5).unwrap());
        assert_eq!(made.load(Ordering::Relaxed), 2);
        assert!(kept.image(12).is_err());
        // A single picture is its own source, and is made once for both.
        assert_eq!((kept.source_image(5).unwrap(), made.load(Ordering::Relaxed)), (kept.image(5).unwrap(), 2));

        let made = Arc::new(AtomicUsize::new(0));
        let pairs = Avatar::costumes().size(16).count(8).dataset().unwrap();
        let kept = Dataset::from_source(Counting(pairs.clone(), made.clone())).in_memory();
        // Also as a part, and divided anew.
        let divided = kept.clone().with_splits(Splits::default()).unwrap();
        for _ in 0..2 {
            for of in [&kept, &divided] {
                assert_eq!(
                    [of.source_image(3).unwrap(), of.image(3).unwrap()],
                    [pairs.source_image(3).unwrap(), pairs.image(3).unwrap()]
                );
            }
            assert_eq!(kept.subset(&[2, 3]).unwrap().source_image(1).unwrap(), pairs.source_image(3).unwrap());
        }
        assert_eq!(made.load(Ordering::Relaxed), 2);
        assert!(kept.source_image(8).is_err());
    }
}
