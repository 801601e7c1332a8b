//! Bodies as a data set: every costume in every pose.

use std::collections::BTreeSet;
use std::fmt;

use image::RgbImage;
use serde::{Deserialize, Serialize};

use super::{BONES, CLIP, Clip, Costume, Joint, check_size, joints, render, tagging};
use crate::data::dataset::{Dataset, Source, Split};
use crate::data::skeleton::{KeyPoint, Skeleton};
use crate::data::tags::TagSet;
use crate::rng::Seed;
use crate::{Error, Result};

/// Settings of a set of drawn bodies; see [`Avatar::bodies`](crate::data::avatar::Avatar::bodies).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[must_use = "settings draw nothing; end with .dataset()?"]
pub struct Bodies {
    /// Side of the pictures in pixels.
    size: u32,
    /// What all characters and clips are drawn from.
    seed: Seed,
    /// Number of characters.
    costumes: usize,
    /// Number of poses of each.
    poses: usize,
}

impl Default for Bodies {
    /// 64 pixels, seed 0, 79 costumes in 600 poses: 47,400 pictures, as many as the paper's data set has. (The paper
    /// also says 69 costumes, which times 600 are 41,400.)
    fn default() -> Self {
        Bodies { size: 64, seed: Seed(0), costumes: 79, poses: 600 }
    }
}

/// Which costume, clip and pose of the clip a picture shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    /// Number of the costume.
    pub costume: usize,
    /// Number of the clip.
    pub clip: usize,
    /// Number of the pose in the clip.
    pub frame: usize,
}

impl Bodies {
    /// Side of the pictures in pixels, 1 to [`MAX_SIZE`](super::MAX_SIZE); 64 unless set. The drawing does not depend
    /// on it.
    pub fn size(mut self, size: u32) -> Self {
        self.size = size;
        self
    }

    /// What all characters and clips are drawn from; 0 unless set. Costume `i` and clip `i` depend on the seed and `i`
    /// only.
    pub fn seed(mut self, seed: Seed) -> Self {
        self.seed = seed;
        self
    }

    /// Number of characters; 79 unless set.
    pub fn costumes(mut self, costumes: usize) -> Self {
        self.costumes = costumes;
        self
    }

    /// Number of poses of each character; 600 unless set. They are cut from continuous clips of [`CLIP`] poses; the
    /// last clip may be shorter.
    pub fn poses(mut self, poses: usize) -> Self {
        self.poses = poses;
        self
    }

    /// Number of pictures: costumes times poses.
    pub fn len(&self) -> usize {
        self.costumes.saturating_mul(self.poses)
    }

    /// Whether there are no pictures.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Number of clips.
    pub fn clips(&self) -> usize {
        self.poses.div_ceil(CLIP)
    }

    /// What picture `i` shows: all poses of the first costume, then those of the next.
    pub fn place(&self, i: usize) -> Place {
        let poses = self.poses.max(1);
        let (costume, pose) = (i / poses, i % poses);
        Place { costume, clip: pose / CLIP, frame: pose % CLIP }
    }

    /// Costume `i`, with everything that is drawn of it.
    pub fn costume(&self, i: usize) -> Costume {
        Costume::sample(i, self.seed)
    }

    /// Clip `i`.
    pub fn clip(&self, i: usize) -> Clip {
        Clip::sample(i, self.seed)
    }

    /// Picture `i` alone.
    ///
    /// # Errors
    /// When there is no such picture, or the size is 0 or above [`MAX_SIZE`](super::MAX_SIZE).
    pub fn image(&self, i: usize) -> Result<RgbImage> {
        let Place { costume, clip, frame } = self.known(i)?;
        render(&self.costume(costume), &self.clip(clip), frame, self.size)
    }

    /// The bones of picture `i`, in the order of [`Skeleton::bones`].
    ///
    /// # Errors
    /// When there is no such picture.
    pub fn joints(&self, i: usize) -> Result<[Joint; BONES]> {
        let Place { costume, clip, frame } = self.known(i)?;
        Ok(joints(&self.costume(costume), &self.clip(clip), frame))
    }

    /// The costumes of the test pictures: a tenth of all, by the seed.
    pub fn test_costumes(&self) -> BTreeSet<usize> {
        held_out(self.costumes, self.seed, "costumes")
    }

    /// The clips of the test pictures: a tenth of all, by the seed.
    pub fn test_clips(&self) -> BTreeSet<usize> {
        held_out(self.clips(), self.seed, "clips")
    }

    /// The data set. Pictures are drawn whenever they are asked for; 64 pixels take a few milliseconds.
    ///
    /// Its key points are the bones ([`Skeleton::bones`]) in pixels; those that something hides count as known, as the
    /// PSGAN paper's exact coordinates do, those outside the picture do not. [`Bodies::joints`] says more. Whole clips
    /// (a tenth) and whole costumes (a tenth) are test pictures, all others are for training; no picture is for
    /// validation. Labels are colours of hair and eyes, what one sees of hair and clothes, and the motion.
    ///
    /// # Errors
    /// When there are no costumes or no poses, or the size is 0 or above [`MAX_SIZE`](super::MAX_SIZE).
    pub fn dataset(&self) -> Result<Dataset> {
        Ok(Dataset::from_source(Drawing::new(self.clone())?))
    }

    fn known(&self, i: usize) -> Result<Place> {
        match i < self.len() {
            true => Ok(self.place(i)),
            false => {
                let expected = format!("a number below {}", self.len());
                Err(Error::invalid("number of a body", i.to_string(), expected, ""))
            }
        }
    }

    /// Refuses settings that cannot be drawn.
    pub(in crate::data) fn check(&self) -> Result<()> {
        check_size(self.size)?;
        for (what, found) in [("number of costumes", self.costumes), ("number of poses", self.poses)] {
            if found == 0 {
                return Err(Error::invalid(what, "0", "at least 1", ""));
            }
        }
        match self.costumes.checked_mul(self.poses) {
            Some(_) => Ok(()),
            None => Err(Error::invalid("number of costumes", self.costumes.to_string(), "fewer", "")),
        }
    }

    /// Number of characters.
    pub(super) fn count(&self) -> usize {
        self.costumes
    }
}

impl fmt::Display for Bodies {
    /// The call that makes them, without its end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Bodies { size, seed, costumes, poses } = self;
        write!(f, "Avatar::bodies().size({size}).seed(seed({})).costumes({costumes}).poses({poses})", seed.0)
    }
}

/// A tenth of `count`, at least one where there is another to train on.
fn held_out(count: usize, seed: Seed, of: &str) -> BTreeSet<usize> {
    let share = if count < 2 { 0 } else { (count + 5).div_euclid(10).max(1) };
    seed.stream(&format!("body/test/{of}")).permutation(count).into_iter().take(share).collect()
}

/// Bodies that are drawn whenever they are asked for.
pub(super) struct Drawing {
    bodies: Bodies,
    costumes: Vec<Costume>,
    clips: Vec<Clip>,
    tags: TagSet,
    skeleton: Skeleton,
    test_costumes: BTreeSet<usize>,
    test_clips: BTreeSet<usize>,
    fingerprint: String,
}

impl Drawing {
    pub fn new(bodies: Bodies) -> Result<Drawing> {
        bodies.check()?;
        let costumes: Vec<Costume> = (0..bodies.costumes).map(|i| bodies.costume(i)).collect();
        let clips: Vec<Clip> = (0..bodies.clips()).map(|i| bodies.clip(i)).collect();
        let fingerprint = fingerprint(&bodies)?;
        Ok(Drawing {
            tags: tagging::tag_set()?,
            skeleton: Skeleton::bones()?,
            test_costumes: bodies.test_costumes(),
            test_clips: bodies.test_clips(),
            bodies,
            costumes,
            clips,
            fingerprint,
        })
    }

    /// The bones of picture `i`.
    pub fn joints(&self, i: usize) -> [Joint; BONES] {
        let Place { costume, clip, frame } = self.bodies.place(i);
        joints(&self.costumes[costume], &self.clips[clip], frame)
    }

    pub fn clip(&self, i: usize) -> &Clip {
        &self.clips[self.bodies.place(i).clip]
    }

    pub fn bodies(&self) -> &Bodies {
        &self.bodies
    }
}

/// The settings, and a few pictures: these change with the drawing.
fn fingerprint(bodies: &Bodies) -> Result<String> {
    let mut hasher = blake3::Hasher::new_derive_key("tachie 2026 avatar bodies");
    hasher.update(bodies.to_string().as_bytes());
    let probe = bodies.clone().size(64);
    let last = bodies.len() - 1;
    for i in BTreeSet::from([0, last / 3, last / 2, last]) {
        hasher.update(probe.image(i)?.as_raw());
    }
    Ok(hasher.finalize().to_hex().to_string())
}

impl Source for Drawing {
    fn len(&self) -> usize {
        self.bodies.len()
    }

    fn tags(&self) -> &TagSet {
        &self.tags
    }

    fn image(&self, i: usize) -> Result<RgbImage> {
        let Place { costume, clip, frame } = self.bodies.known(i)?;
        render(&self.costumes[costume], &self.clips[clip], frame, self.bodies.size)
    }

    fn labels(&self, i: usize) -> Vec<f32> {
        let Place { costume, clip, .. } = self.bodies.place(i);
        tagging::values(&self.costumes[costume], self.clips[clip].motion)
    }

    fn skeleton(&self) -> Option<&Skeleton> {
        Some(&self.skeleton)
    }

    fn keypoints(&self, i: usize) -> Vec<KeyPoint> {
        self.joints(i).iter().map(|joint| joint.keypoint(self.bodies.size)).collect()
    }

    fn name(&self) -> String {
        format!("avatar bodies {}", self.bodies.size)
    }

    fn fingerprint(&self) -> String {
        self.fingerprint.clone()
    }

    fn size(&self) -> u32 {
        self.bodies.size
    }

    fn key(&self, i: usize) -> String {
        let Place { costume, clip, frame } = self.bodies.place(i);
        format!("{costume:03}/{clip:02}/{frame:02}")
    }

    fn split(&self, i: usize) -> Option<Split> {
        let Place { costume, clip, .. } = self.bodies.place(i);
        let test = self.test_costumes.contains(&costume) || self.test_clips.contains(&clip);
        Some(if test { Split::Test } else { Split::Train })
    }
}
