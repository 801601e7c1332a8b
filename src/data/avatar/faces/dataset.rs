//! Faces as a data set.

use std::fmt;

use image::RgbImage;
use rayon::prelude::*;

use super::spec::FaceSpec;
use super::{check_size, render};
use crate::Result;
use crate::data::dataset::{Dataset, Source};
use crate::data::tags::{TagSampler, TagSet};
use crate::error::Error;
use crate::rng::Seed;

/// Settings of a set of drawn faces; see [`Avatar::faces`](crate::data::avatar::Avatar::faces).
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[must_use = "settings draw nothing; end with .take(n)?"]
pub struct Faces {
    size: u32,
    seed: Seed,
    sampler: TagSampler,
    #[serde(default)]
    years: bool,
    #[serde(default)]
    styles: bool,
}

impl Default for Faces {
    /// 64 pixels, seed 0, labels by the paper's rule, no years, one style.
    fn default() -> Self {
        Faces { size: 64, seed: Seed(0), sampler: TagSampler::Uniform, years: false, styles: false }
    }
}

impl Faces {
    /// Side of the pictures in pixels, 1 to [`MAX_SIZE`](super::MAX_SIZE); 64 unless set.
    pub fn size(mut self, size: u32) -> Self {
        self.size = size;
        self
    }

    /// What all faces are drawn from; 0 unless set. Face `i` depends on the seed, the sampler and `i` only.
    pub fn seed(mut self, seed: Seed) -> Self {
        self.seed = seed;
        self
    }

    /// How labels are drawn; by the rule of the make.girls.moe paper unless set.
    pub fn sampler(mut self, sampler: TagSampler) -> Self {
        self.sampler = sampler;
        self
    }

    /// With one more label, the continuous `year` of release in [0, 1], drawn uniformly, which the drawing style follows
    /// ([`FaceSpec::of_year`]). Everything else about face `i` stays. For the make.girls.moe paper's Figure 15.
    pub fn years(mut self) -> Self {
        self.years = true;
        self
    }

    /// Every face by another illustrator ([`FaceSpec::by_hand`]): colours far from the middle of their names, other
    /// tones, outlines and proportions. Labels and cut of face `i` stay. For classifiers that have to read faces which
    /// were not drawn here.
    pub fn styles(mut self) -> Self {
        self.styles = true;
        self
    }

    /// The labels of these faces: the 34 of make.girls.moe, and the year when there are [`years`](Faces::years).
    ///
    /// # Errors
    /// Never, as long as no label of the paper is called year.
    pub fn tags(&self) -> Result<TagSet> {
        let paper = TagSet::make_girls();
        if self.years { paper.with_continuous("year") } else { Ok(paper) }
    }

    /// The drawing parameters of face `i`.
    ///
    /// # Errors
    /// Never with the samplers there are today.
    pub fn spec(&self, i: usize) -> Result<FaceSpec> {
        let seed = self.seed.child(&format!("avatar/face/{i}"));
        let labels = self.sampler.sample(&TagSet::make_girls(), &mut seed.stream("face/labels"))?;
        let face = FaceSpec::sample(&labels, seed)?;
        let face = if self.styles { face.by_hand() } else { face };
        if self.years { face.of_year(seed.stream("face/year").uniform() as f32) } else { Ok(face) }
    }

    /// Face `i` alone.
    ///
    /// # Errors
    /// When the size is 0 or above [`MAX_SIZE`](super::MAX_SIZE).
    pub fn image(&self, i: usize) -> Result<RgbImage> {
        render(&self.spec(i)?, self.size)
    }

    pub(super) fn picture_size(&self) -> u32 {
        self.size
    }

    pub(super) fn name(&self) -> String {
        format!("avatar faces {}", self.size)
    }

    /// Draws `n` faces on all cores. They stay in memory as bytes: 3·n·size², 12 KiB per face of 64 pixels, so that
    /// training does not draw them again every epoch.
    ///
    /// # Errors
    /// When `n` is 0, the size is 0 or above [`MAX_SIZE`](super::MAX_SIZE), or there is no memory for them.
    pub fn take(self, n: usize) -> Result<Dataset> {
        check_size(self.size)?;
        if n == 0 {
            return Err(Error::invalid("number of faces", "0", "at least 1", ""));
        }
        let tags = self.tags()?;
        let each = 3 * self.size as usize * self.size as usize;
        let mut bytes = room(n, each)?;
        let labels = bytes
            .par_chunks_exact_mut(each)
            .enumerate()
            .map(|(i, place)| {
                let face = self.spec(i)?;
                place.copy_from_slice(render(&face, self.size)?.as_raw());
                Ok(face.values())
            })
            .collect::<Result<Vec<_>>>()?;
        let mut hasher = blake3::Hasher::new_derive_key("tachie 2026 avatar faces");
        hasher.update(&self.size.to_le_bytes());
        hasher.update(&labels.iter().flatten().flat_map(|value| value.to_le_bytes()).collect::<Vec<_>>());
        hasher.update(&bytes);
        let fingerprint = hasher.finalize().to_hex().to_string();
        Ok(Dataset::from_source(Drawn { name: self.name(), size: self.size, tags, labels, bytes, fingerprint }))
    }
}

impl fmt::Display for Faces {
    /// The call that makes them, without its end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Faces { size, seed, sampler, years, styles } = self;
        let years = if *years { ".years()" } else { "" };
        let styles = if *styles { ".styles()" } else { "" };
        write!(f, "Avatar::faces().size({size}).seed(seed({})).sampler(TagSampler::{sampler:?}){years}{styles}", seed.0)
    }
}

/// Zeros for `n` pictures of `each` bytes.
fn room(n: usize, each: usize) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let fits = n.checked_mul(each).is_some_and(|total| {
        let fits = bytes.try_reserve_exact(total).is_ok();
        if fits {
            bytes.resize(total, 0);
        }
        fits
    });
    match fits {
        true => Ok(bytes),
        false => {
            let hint = "Draw fewer or smaller faces, or write them to a folder with `tachie data avatar-faces`.";
            Err(Error::invalid("number of faces", n.to_string(), "as many as fit into memory", hint))
        }
    }
}

/// Faces in memory.
struct Drawn {
    name: String,
    size: u32,
    tags: TagSet,
    labels: Vec<Vec<f32>>,
    /// RGB, picture after picture.
    bytes: Vec<u8>,
    fingerprint: String,
}

impl Source for Drawn {
    fn len(&self) -> usize {
        self.labels.len()
    }

    fn tags(&self) -> &TagSet {
        &self.tags
    }

    fn image(&self, i: usize) -> Result<RgbImage> {
        let each = 3 * self.size as usize * self.size as usize;
        let bytes = self.bytes.chunks_exact(each).nth(i);
        bytes.and_then(|bytes| RgbImage::from_raw(self.size, self.size, bytes.to_vec())).ok_or_else(|| {
            Error::invalid("number of a face", i.to_string(), format!("a number below {}", self.labels.len()), "")
        })
    }

    fn labels(&self, i: usize) -> Vec<f32> {
        self.labels.get(i).cloned().unwrap_or_default()
    }

    fn name(&self) -> String {
        self.name.clone()
    }

    fn fingerprint(&self) -> String {
        self.fingerprint.clone()
    }

    fn size(&self) -> u32 {
        self.size
    }
}
