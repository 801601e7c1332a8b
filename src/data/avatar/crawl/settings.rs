//! The settings of a crawl, and how its files are made.

use std::fmt;
use std::ops::RangeInclusive;
use std::path::Path;

use image::RgbImage;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::encode::encoded;
use super::plan::{Entry, Format, Show, plan};
use super::scenery::{landscape, page};
use super::sheet::{Content, Sheet};
use super::truth::{Alteration, Arrangement, FileTruth, Kind, Oddity, TRUTH, lines};
use crate::data::avatar::files::save_picture;
use crate::data::claim::claim;
use crate::error::{Error, Result};
use crate::rng::{Seed, Stream};
use crate::show::save::write_whole;

/// The settings of a folder, which is begun with them.
const SETTINGS: &str = "crawl.json";

/// Smallest and largest side that can be asked for, in pixels.
const SIDES: [u32; 2] = [64, 4096];

/// Settings of a messy folder; see [`Avatar::crawl`](crate::data::avatar::Avatar::crawl).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[must_use = "settings write nothing; end with .write(folder)?"]
pub struct Crawl {
    files: usize,
    seed: Seed,
    /// Smallest and largest longer side of a picture.
    sides: [u32; 2],
}

impl Default for Crawl {
    /// 2,000 files, seed 0, longer sides of 300 to 1200 pixels.
    fn default() -> Self {
        Crawl { files: 2_000, seed: Seed(0), sides: [300, 1_200] }
    }
}

/// One file of a crawl.
#[derive(Clone, Debug, PartialEq)]
pub struct CrawledFile {
    /// What it holds.
    pub bytes: Vec<u8>,
    /// Its name, and what it shows.
    pub truth: FileTruth,
}

impl Crawl {
    /// Number of files; 2,000 unless set. A sixth are near duplicates of others, 3 % cannot be decoded, and of the rest
    /// two thirds are pairs.
    pub fn files(mut self, files: usize) -> Self {
        self.files = files;
        self
    }

    /// What everything is drawn from; 0 unless set.
    pub fn seed(mut self, seed: Seed) -> Self {
        self.seed = seed;
        self
    }

    /// Longer sides of the pictures in pixels, 64 to 4096; 300 to 1200 unless set. All between are equally likely by
    /// their logarithm. Near duplicates may leave the range by a quarter.
    pub fn sides(mut self, sides: RangeInclusive<u32>) -> Self {
        self.sides = [*sides.start(), *sides.end()];
        self
    }

    /// All files, in memory.
    ///
    /// # Errors
    /// When there are none, or the sides are not 64 to 4096 pixels.
    pub fn all(&self) -> Result<Vec<CrawledFile>> {
        let entries = self.planned()?;
        (0..entries.len()).into_par_iter().map(|i| self.made(&entries, i)).collect()
    }

    /// Writes all files into a folder, and what is known about them into `truth.jsonl` there, last of all; returns it. A
    /// folder whose writing was interrupted is completed. The settings are in `crawl.json`.
    ///
    /// # Errors
    /// As [`all`](Crawl::all); when the folder holds a crawl of other settings or anything else (nothing is overwritten),
    /// or it cannot be written.
    pub fn write(&self, folder: impl AsRef<Path>) -> Result<Vec<FileTruth>> {
        let folder = folder.as_ref();
        let entries = self.planned()?;
        let settings = serde_json::json!({ "crawl": self, "version": env!("CARGO_PKG_VERSION") });
        claim(folder, SETTINGS, &settings, "a crawl", &self.to_string())?;
        let write = |i: usize| {
            let CrawledFile { bytes, truth } = self.made(&entries, i)?;
            save_picture(&folder.join(&truth.file), &bytes)?;
            Ok(truth)
        };
        let truth = (0..entries.len()).into_par_iter().map(write).collect::<Result<Vec<_>>>()?;
        write_whole(&folder.join(TRUTH), lines(&truth)?.as_bytes())?;
        Ok(truth)
    }

    fn planned(&self) -> Result<Vec<Entry>> {
        if self.files == 0 {
            return Err(Error::invalid("number of files", "0", "at least 1", ""));
        }
        let [low, high] = self.sides;
        if low < SIDES[0] || high > SIDES[1] || low > high {
            let expected = format!("a range within {} to {} pixels", SIDES[0], SIDES[1]);
            return Err(Error::invalid("sides of the pictures", format!("{low} to {high}"), expected, ""));
        }
        Ok(plan(self.files, self.seed))
    }

    /// File `i` of the plan.
    fn made(&self, entries: &[Entry], i: usize) -> Result<CrawledFile> {
        let entry = &entries[i];
        let mut s = entry.seed.stream("crawl/file");
        let quality = 72 + s.below(24) as u8;
        let broken = entry.oddity.is_some_and(Oddity::is_broken);
        let (sheet, duplicate, shown) = match entry.show {
            Show::Copy(of) => {
                let (sheet, alteration) = altered(self.sheet(&entries[of])?, entry, &entries[of].name, quality, &mut s);
                (sheet, Some(alteration), &entries[of])
            }
            _ => (self.sheet(entry)?, None, entry),
        };
        let bytes = encoded(&sheet.picture, entry.format, entry.oddity, quality, &mut s)?;
        let group = entry.show.original().unwrap_or(i);
        let truth = match broken {
            true => nothing(entry, group),
            false => known(entry, shown, group, sheet, duplicate),
        };
        Ok(CrawledFile { bytes, truth })
    }

    /// The picture of an entry that is no copy, before it is encoded.
    fn sheet(&self, entry: &Entry) -> Result<Sheet> {
        let mut s = entry.seed.stream("crawl/picture");
        let [low, high] = self.sides.map(f64::from);
        let longest = (low * (high / low).powf(s.uniform())).round() as u32;
        let sheet = match entry.show {
            Show::Pair(_) => self.pair(entry, longest, &mut s)?,
            Show::TwoCharacters => {
                let other = entry.seed.child("other");
                let panels = [Content::Character(entry.seed), Content::Character(other)];
                together(panels, arrangement(&mut s), longest, &mut s)?
            }
            Show::Character => {
                let aspect = s.range(0.5, 1.0) as f32;
                Sheet::panel(Content::Character(entry.seed), aspect, longest)?.framed(&mut s)
            }
            Show::Clothing => {
                let aspect = s.range(0.6, 1.0) as f32;
                Sheet::panel(Content::Clothing(entry.seed), aspect, longest)?.framed(&mut s)
            }
            Show::Landscape => Sheet::plain(scenery(landscape, longest, &mut s)?),
            Show::Page => Sheet::plain(scenery(page, longest, &mut s)?),
            // Copies are made of another entry's sheet.
            Show::Copy(_) => Sheet::plain(RgbImage::new(1, 1)),
        };
        let longer = sheet.picture.width().max(sheet.picture.height());
        Ok(sheet.scaled(longest as f32 / longer as f32))
    }

    fn pair(&self, entry: &Entry, longest: u32, s: &mut Stream) -> Result<Sheet> {
        let panels = [Content::Character(entry.seed), Content::Clothing(entry.seed)];
        Ok(together(panels, placed(entry), longest, s)?.framed(s))
    }
}

impl fmt::Display for Crawl {
    /// The call that makes it, without its end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Crawl { files, seed, sides: [low, high] } = self;
        write!(f, "Avatar::crawl().files({files}).seed(seed({})).sides({low}..={high})", seed.0)
    }
}

/// Where the character of a pair is.
fn placed(entry: &Entry) -> Arrangement {
    arrangement(&mut entry.seed.stream("crawl/arrangement"))
}

fn arrangement(s: &mut Stream) -> Arrangement {
    [Arrangement::Left, Arrangement::Right, Arrangement::Above, Arrangement::Below]
        [s.weighted(&[0.44, 0.24, 0.18, 0.14])]
}

/// Two panels drawn about as large as they will be.
fn together(panels: [Content; 2], arrangement: Arrangement, longest: u32, s: &mut Stream) -> Result<Sheet> {
    let mut aspect = || s.range(0.62, 1.0) as f32;
    let aspects = [aspect(), aspect()];
    let beside = matches!(arrangement, Arrangement::Left | Arrangement::Right);
    let both = if beside { aspects[0] + aspects[1] } else { 1.0 / aspects[0] + 1.0 / aspects[1] };
    // Beside each other both are as high; one above the other both are as wide.
    let length = longest as f32 / both.max(1.0);
    let high = |i: usize| (if beside { length } else { length / aspects[i] }).round().max(16.0) as u32;
    let [one, other] = [0, 1].map(|i| Sheet::panel(panels[i], aspects[i], high(i)));
    Ok(Sheet::laid(one?, other?, arrangement, s))
}

fn scenery(draw: fn(u32, u32, &mut Stream) -> Result<RgbImage>, longest: u32, s: &mut Stream) -> Result<RgbImage> {
    let shorter = ((f64::from(longest) * s.range(0.6, 1.0)) as u32).max(1);
    let (width, height) = if s.chance(0.5) { (longest, shorter) } else { (shorter, longest) };
    draw(width, height, s)
}

/// A near duplicate: cut a little, in another size, a little brighter or darker.
fn altered(sheet: Sheet, entry: &Entry, of: &str, quality: u8, s: &mut Stream) -> (Sheet, Alteration) {
    let (width, height) = sheet.picture.dimensions();
    let shares: [f32; 4] = std::array::from_fn(|_| if s.chance(0.5) { 0.0 } else { s.range(0.0, 0.03) as f32 });
    let cut = [
        (shares[0] * width as f32) as u32,
        (shares[1] * height as f32) as u32,
        width - (shares[2] * width as f32) as u32,
        height - (shares[3] * height as f32) as u32,
    ];
    let crop = [
        cut[0] as f32 / width as f32,
        cut[1] as f32 / height as f32,
        (width - cut[2]) as f32 / width as f32,
        (height - cut[3]) as f32 / height as f32,
    ];
    let scale = if s.chance(0.3) { 1.0 } else { s.range(0.6, 1.25) as f32 };
    let brightness = if s.chance(0.4) { 1.0 } else { s.range(0.95, 1.05) as f32 };
    let mut sheet = sheet.cropped(cut).scaled(scale);
    if brightness != 1.0 {
        for value in sheet.picture.iter_mut() {
            *value = (f32::from(*value) * brightness).round().clamp(0.0, 255.0) as u8;
        }
    }
    let quality = (entry.format == Format::Jpeg).then_some(quality);
    (sheet, Alteration { of: of.to_string(), scale, crop, brightness, quality })
}

fn nothing(entry: &Entry, group: usize) -> FileTruth {
    FileTruth {
        file: entry.name.clone(),
        kind: Kind::Broken,
        oddity: entry.oddity,
        width: 0,
        height: 0,
        group,
        duplicate: None,
        pair: None,
        arrangement: None,
        character: None,
        clothing: None,
        character_panel: None,
        clothing_panel: None,
        centre: None,
        keypoints: Vec::new(),
    }
}

/// What a file that decodes shows; `shown` is the entry whose picture it is.
fn known(entry: &Entry, shown: &Entry, group: usize, sheet: Sheet, duplicate: Option<Alteration>) -> FileTruth {
    let kind = match shown.show {
        Show::Pair(_) => Kind::Pair,
        Show::Character => Kind::Character,
        Show::Clothing => Kind::Clothing,
        Show::TwoCharacters => Kind::TwoCharacters,
        Show::Landscape => Kind::Landscape,
        Show::Page | Show::Copy(_) => Kind::Page,
    };
    let pair = match shown.show {
        Show::Pair(number) => Some(number),
        _ => None,
    };
    let known: Vec<f32> = sheet.keypoints.iter().filter(|point| point[2] > 0.0).map(|point| point[0]).collect();
    let mean = known.iter().sum::<f32>() / known.len().max(1) as f32;
    let centre = sheet.clothing.filter(|_| !known.is_empty()).map(|bounds| [mean, 0.5 * (bounds[1] + bounds[3])]);
    FileTruth {
        kind,
        width: sheet.picture.width(),
        height: sheet.picture.height(),
        duplicate,
        pair,
        arrangement: pair.map(|_| placed(shown)),
        character: sheet.character,
        clothing: sheet.clothing,
        character_panel: sheet.character_panel,
        clothing_panel: sheet.clothing_panel,
        centre,
        keypoints: sheet.keypoints,
        ..nothing(entry, group)
    }
}
