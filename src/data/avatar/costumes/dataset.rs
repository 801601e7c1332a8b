//! Costumes as a data set of pairs.

use std::collections::BTreeSet;
use std::fmt;

use image::{GrayImage, Luma, RgbImage};
use serde::{Deserialize, Serialize};

use super::photo::{POINTS, categories};
use super::truth::{PairTruth, Shown};
use super::{MAX_SIZE, Sides, tagging, wardrobe};
use crate::data::avatar::bodies::Costume;
use crate::data::avatar::canvas::Region;
use crate::data::dataset::{Dataset, Source, Split};
use crate::data::skeleton::{KeyPoint, Skeleton};
use crate::data::tags::TagSet;
use crate::rng::Seed;
use crate::{Error, Result};

/// Settings of a set of pairs; see [`Avatar::costumes`](crate::data::avatar::Avatar::costumes).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[must_use = "settings draw nothing; end with .dataset()?"]
pub struct Costumes {
    /// Side of the pictures in pixels.
    size: u32,
    /// What all pairs are drawn from.
    seed: Seed,
    /// Number of pairs.
    count: usize,
    /// Pairs of each costume.
    views: usize,
    /// Whether the clothing is in the middle of the photo.
    calibrated: bool,
}

impl Default for Costumes {
    /// 64 pixels, seed 0, 2,000 pairs, 4 of each of 500 costumes, calibrated.
    fn default() -> Self {
        Costumes { size: 64, seed: Seed(0), count: 2_000, views: 4, calibrated: true }
    }
}

/// Which costume a pair shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct View {
    /// Number of the costume.
    pub costume: usize,
    /// Number of the pair among those of this costume.
    pub view: usize,
}

impl Costumes {
    /// Side of the pictures in pixels, 16 to [`MAX_SIZE`]; 64 unless set. What the pictures show does not depend on it.
    pub fn size(mut self, size: u32) -> Self {
        self.size = size;
        self
    }

    /// What all pairs are drawn from; 0 unless set. A costume depends on the seed and its number only.
    pub fn seed(mut self, seed: Seed) -> Self {
        self.seed = seed;
        self
    }

    /// Number of pairs; 2,000 unless set.
    pub fn count(mut self, count: usize) -> Self {
        self.count = count;
        self
    }

    /// Pairs of each costume; 4 unless set. Pose of the character and everything about the photo differ between them.
    pub fn views(mut self, views: usize) -> Self {
        self.views = views;
        self
    }

    /// Whether the centre of the clothing is that of the photo, as after the paper's last step of construction (section
    /// 3.2); true unless set. Otherwise it is somewhere, and of any size.
    pub fn calibrated(mut self, calibrated: bool) -> Self {
        self.calibrated = calibrated;
        self
    }

    /// Number of pairs.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there are no pairs.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Number of costumes.
    pub fn costumes(&self) -> usize {
        self.count.div_ceil(self.views.max(1))
    }

    /// What pair `i` shows: all pairs of the first costume, then those of the next.
    pub fn view(&self, i: usize) -> View {
        let views = self.views.max(1);
        View { costume: i / views, view: i % views }
    }

    /// The character that wears costume `i`, with its clothes.
    pub fn costume(&self, i: usize) -> Costume {
        wardrobe::costume(i, self.seed)
    }

    /// The drawn character of pair `i`: what the photo is to be made from.
    ///
    /// # Errors
    /// When there is no such pair, or the size is not 16 to [`MAX_SIZE`].
    pub fn source_image(&self, i: usize) -> Result<RgbImage> {
        self.with(i, |sides| sides.portrait.picture(self.size))
    }

    /// The photo of pair `i`.
    ///
    /// # Errors
    /// As [`source_image`](Costumes::source_image).
    pub fn image(&self, i: usize) -> Result<RgbImage> {
        self.with(i, |sides| sides.photo.picture(self.size))
    }

    /// Where one sees clothing in the drawn character and in the photo of pair `i`: 255 there, 0 elsewhere. Skin, hair,
    /// stockings and shoes of the character are no clothing here, mannequin and hanger neither: only what both pictures
    /// show.
    ///
    /// # Errors
    /// As [`source_image`](Costumes::source_image).
    pub fn masks(&self, i: usize) -> Result<[GrayImage; 2]> {
        let side = self.size as usize;
        let picture = |mask: Vec<bool>| {
            GrayImage::from_fn(self.size, self.size, |x, y| {
                Luma([255 * u8::from(mask[y as usize * side + x as usize])])
            })
        };
        self.with(i, |sides| Ok([picture(worn(sides, self.size)?), picture(sides.photo.mask(self.size)?)]))
    }

    /// Everything that is known about pair `i`. Both pictures are drawn for it.
    ///
    /// # Errors
    /// As [`source_image`](Costumes::source_image).
    pub fn truth(&self, i: usize) -> Result<PairTruth> {
        Ok(self.drawn(i)?.1)
    }

    /// Drawing, photo and what is known about them.
    pub(super) fn drawn(&self, i: usize) -> Result<([RgbImage; 2], PairTruth)> {
        let View { costume, view } = self.view(i);
        let outfit = self.costume(costume).outfit;
        let split = split_of(costume, &self.test_costumes());
        self.with(i, |sides| {
            let (drawn, photo) = (sides.portrait.picture(self.size)?, sides.photo.picture(self.size)?);
            let side = self.size as f32;
            let truth = PairTruth {
                costume,
                view,
                split,
                categories: categories(&outfit),
                drawn: Shown::of(&drawn, &worn(sides, self.size)?),
                photo: Shown::of(&photo, &sides.photo.mask(self.size)?),
                centre: [sides.photo.centre.0 * side, sides.photo.centre.1 * side],
                scale: sides.photo.scale * side,
                keypoints: keypoints(sides, self.size),
                outfit: outfit.clone(),
            };
            Ok(([drawn, photo], truth))
        })
    }

    /// The costumes of the test pairs: a tenth of all, by the seed.
    pub fn test_costumes(&self) -> BTreeSet<usize> {
        let count = self.costumes();
        let share = if count < 2 { 0 } else { (count + 5).div_euclid(10).max(1) };
        self.seed.stream("costumes/test").permutation(count).into_iter().take(share).collect()
    }

    /// The data set of pairs: photos, with the drawn character as what they are to be made from
    /// ([`Dataset::source_image`]). Pictures are drawn whenever they are asked for.
    ///
    /// Its key points are the 24 of the garment in the photo ([`Skeleton::fashion`]). A tenth of the costumes with all
    /// their pairs are test pictures, all others are for training. Labels are kinds, sleeves, collar and pattern.
    ///
    /// # Errors
    /// When there are no pairs, or the size is not 16 to [`MAX_SIZE`].
    pub fn dataset(&self) -> Result<Dataset> {
        Ok(Dataset::from_source(Drawing::new(self.clone())?))
    }

    fn with<T>(&self, i: usize, make: impl FnOnce(&Sides) -> Result<T>) -> Result<T> {
        self.check()?;
        if i >= self.count {
            let expected = format!("a number below {}", self.count);
            return Err(Error::invalid("number of a pair", i.to_string(), expected, ""));
        }
        let View { costume, view } = self.view(i);
        self.with_costume(&self.costume(costume), costume, view, make)
    }

    fn with_costume<T>(&self, worn: &Costume, costume: usize, view: usize, make: impl FnOnce(&Sides) -> T) -> T {
        let seed = self.seed.child(&format!("costumes/pair/{costume}/{view}"));
        make(&Sides::new(worn, self.calibrated, seed))
    }

    /// Refuses settings that cannot be drawn.
    pub(in crate::data) fn check(&self) -> Result<()> {
        if !(16..=MAX_SIZE).contains(&self.size) {
            let expected = format!("16 to {MAX_SIZE} pixels");
            return Err(Error::invalid("size of costumes", self.size.to_string(), expected, ""));
        }
        for (what, found) in [("number of pairs", self.count), ("pairs of each costume", self.views)] {
            if found == 0 {
                return Err(Error::invalid(what, "0", "at least 1", ""));
            }
        }
        Ok(())
    }
}

impl fmt::Display for Costumes {
    /// The call that makes them, without its end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Costumes { size, seed, count, views, calibrated } = self;
        let seed = seed.0;
        write!(
            f,
            "Avatar::costumes().size({size}).seed(seed({seed})).count({count}).views({views}).calibrated({calibrated})"
        )
    }
}

fn split_of(costume: usize, test: &BTreeSet<usize>) -> Split {
    if test.contains(&costume) { Split::Test } else { Split::Train }
}

/// Where the drawn character wears clothes.
fn worn(sides: &Sides, size: u32) -> Result<Vec<bool>> {
    Ok(sides.portrait.regions(size)?.into_iter().map(|number| number == Region::Clothes as u8).collect())
}

/// The 24 points in pixels.
fn keypoints(sides: &Sides, size: u32) -> Vec<KeyPoint> {
    let side = size as f32;
    let point = |point: &Option<(f32, f32)>| point.map_or([0.0; 3], |(x, y)| [x * side, y * side, 1.0]);
    let points: [KeyPoint; POINTS] = std::array::from_fn(|i| point(&sides.photo.points[i]));
    points.to_vec()
}

/// Pairs that are drawn whenever they are asked for.
struct Drawing {
    costumes: Costumes,
    worn: Vec<Costume>,
    tags: TagSet,
    skeleton: Skeleton,
    test: BTreeSet<usize>,
    fingerprint: String,
}

impl Drawing {
    fn new(costumes: Costumes) -> Result<Drawing> {
        costumes.check()?;
        Ok(Drawing {
            worn: (0..costumes.costumes()).map(|i| costumes.costume(i)).collect(),
            tags: tagging::tag_set()?,
            skeleton: Skeleton::fashion()?,
            test: costumes.test_costumes(),
            fingerprint: costumes.fingerprint()?,
            costumes,
        })
    }

    fn with<T>(&self, i: usize, make: impl FnOnce(&Sides) -> T) -> T {
        let View { costume, view } = self.costumes.view(i);
        self.costumes.with_costume(&self.worn[costume], costume, view, make)
    }
}

impl Costumes {
    /// The settings, and a few pictures: these change with the drawing.
    pub(super) fn fingerprint(&self) -> Result<String> {
        let mut hasher = blake3::Hasher::new_derive_key("tachie 2026 avatar costumes");
        hasher.update(self.to_string().as_bytes());
        let probe = self.clone().size(64);
        let last = self.count - 1;
        for i in BTreeSet::from([0, last / 3, last / 2, last]) {
            hasher.update(probe.image(i)?.as_raw());
            hasher.update(probe.source_image(i)?.as_raw());
        }
        Ok(hasher.finalize().to_hex().to_string())
    }
}

impl Source for Drawing {
    fn len(&self) -> usize {
        self.costumes.count
    }

    fn tags(&self) -> &TagSet {
        &self.tags
    }

    fn image(&self, i: usize) -> Result<RgbImage> {
        self.with(i, |sides| sides.photo.picture(self.costumes.size))
    }

    fn has_sources(&self) -> bool {
        true
    }

    fn source_image(&self, i: usize) -> Result<RgbImage> {
        self.with(i, |sides| sides.portrait.picture(self.costumes.size))
    }

    fn labels(&self, i: usize) -> Vec<f32> {
        tagging::values(&self.worn[self.costumes.view(i).costume].outfit)
    }

    fn skeleton(&self) -> Option<&Skeleton> {
        Some(&self.skeleton)
    }

    fn keypoints(&self, i: usize) -> Vec<KeyPoint> {
        self.with(i, |sides| keypoints(sides, self.costumes.size))
    }

    fn name(&self) -> String {
        format!("avatar costumes {}", self.costumes.size)
    }

    fn fingerprint(&self) -> String {
        self.fingerprint.clone()
    }

    fn size(&self) -> u32 {
        self.costumes.size
    }

    fn key(&self, i: usize) -> String {
        let View { costume, view } = self.costumes.view(i);
        format!("{costume:05}-{view:02}")
    }

    fn split(&self, i: usize) -> Option<Split> {
        Some(split_of(self.costumes.view(i).costume, &self.test))
    }
}
