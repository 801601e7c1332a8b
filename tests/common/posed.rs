//! Faces with key points here and there: what models of posed pictures need of a data set.

use tachie::Result;
use tachie::data::avatar::Avatar;
use tachie::data::dataset::{Dataset, Source};
use tachie::data::skeleton::{KeyPoint, Skeleton};
use tachie::data::tags::TagSet;
use tachie::image::RgbImage;
use tachie::rng::Seed;

struct Posed {
    faces: Dataset,
    skeleton: Skeleton,
    /// Whether every picture counts as made from itself.
    sources: bool,
}

impl Source for Posed {
    fn len(&self) -> usize {
        self.faces.len()
    }
    fn tags(&self) -> &TagSet {
        self.faces.tags()
    }
    fn image(&self, i: usize) -> Result<RgbImage> {
        self.faces.image(i)
    }
    fn labels(&self, i: usize) -> Vec<f32> {
        self.faces.labels(i).unwrap().values
    }
    fn has_sources(&self) -> bool {
        self.sources
    }
    fn skeleton(&self) -> Option<&Skeleton> {
        Some(&self.skeleton)
    }
    fn keypoints(&self, i: usize) -> Vec<KeyPoint> {
        let mut stream = Seed(i as u64).stream("key points");
        let side = f64::from(self.size());
        let mut place = || stream.range(0.0, side) as f32;
        (0..self.skeleton.len()).map(|_| [place(), place(), 1.0]).collect()
    }
    fn source_keypoints(&self, i: usize) -> Vec<KeyPoint> {
        if self.sources { self.keypoints(i) } else { Vec::new() }
    }
    fn name(&self) -> String {
        "posed faces".to_string()
    }
    fn fingerprint(&self) -> String {
        self.faces.fingerprint()
    }
    fn size(&self) -> u32 {
        self.faces.size()
    }
}

/// `n` drawn faces of `size` pixels with a random place for every key point.
pub fn posed(size: u32, n: usize, skeleton: Skeleton, sources: bool) -> Dataset {
    let faces = Avatar::faces().size(size).take(n).unwrap();
    Dataset::from_source(Posed { faces, skeleton, sources })
}
