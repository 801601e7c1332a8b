//! Steps 3 and 3b: a character and its clothing cut out of one picture.
//!
//! The boxes come from any detector ([`Boxes`]): of each class the best one counts, and a picture of which one is missing or
//! not certain enough is left out (section 3; specs/clothing.md section B).

use std::path::Path;

use image::{Rgb, RgbImage, imageops};
use serde::{Deserialize, Serialize};

use super::boxes::{Area, Boxes, Detection, pixels};
use super::step::{Contents, Input, Product, Step, StepReport};
use crate::data::import::{Refused, original};
use crate::data::manifest::Filter;
use crate::data::prepare::art::fit::Rectangle;
use crate::data::resize;
use crate::show::save::png;
use crate::{Error, Result};

/// Pictures that are cut before anything is written.
const CHUNK: usize = 8;

/// What is cut out, and how it is kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PairOptions {
    /// The class of the source, and the left half: "character".
    pub source: String,
    /// The class of the target, and the right half: "clothing".
    pub target: String,
    /// Both boxes need at least this score.
    pub score: f64,
    /// Widths and heights that are added to each box on every side, as shares of its own.
    pub margin: f64,
    /// Crops with a shorter side are left out, in pixels.
    pub min_side: u32,
    /// How pairs are kept.
    pub form: Form,
}

/// How pairs are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// Both in one picture `images/x.png`: equally high, the halves equally wide, each crop in the middle of its half on
    /// white.
    #[default]
    SideBySide,
    /// The source as `a/x.png`, the target as `b/x.png`, as they were cut.
    Folders,
}

impl Default for PairOptions {
    /// Character and clothing, scores of at least 0.5, no margin, at least 64 pixels, side by side.
    fn default() -> Self {
        let (source, target) = ("character".into(), "clothing".into());
        PairOptions { source, target, score: 0.5, margin: 0.0, min_side: 64, form: Form::default() }
    }
}

/// What the record says of a picture: what was cut out, and how certain the detector was.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cut {
    /// The rectangle of the source.
    pub source: Rectangle,
    /// That of the target.
    pub target: Rectangle,
    /// Their scores.
    pub scores: [f64; 2],
}

/// Cuts the pairs out of all pictures in `input` and below it and writes them to `output`; what was cut out of each is
/// returned by its name, in the order of the names. A run that was interrupted goes on
/// where it was.
///
/// # Errors
/// When the margin is not 0 to 2, a folder cannot be read or written, or `output` holds anything but the same step. Pictures
/// that cannot be read or have no pair are no error: they are in the report.
pub fn crop_pairs(
    input: impl AsRef<Path>,
    output: impl AsRef<Path>,
    boxes: &Boxes,
    options: &PairOptions,
) -> Result<(Vec<(String, Cut)>, StepReport)> {
    crop_in(input.as_ref(), output.as_ref(), boxes, options)
}

fn crop_in(
    input: &Path,
    output: &Path,
    boxes: &Boxes,
    options: &PairOptions,
) -> Result<(Vec<(String, Cut)>, StepReport)> {
    if !(0.0..=2.0).contains(&options.margin) {
        return Err(Error::invalid("margin", options.margin.to_string(), "a share from 0 to 2", ""));
    }
    let (inputs, mut step) = Step::<Cut>::over(input, output, "crop-pairs", &(options, boxes.fingerprint()?))?;
    step.report.problems.extend(boxes.report().problems.iter().cloned());
    let made = step.run(&inputs, CHUNK, |input| {
        // Without boxes there is nothing to decode.
        let found = match both(boxes, &input.file, options) {
            Ok(found) => found,
            Err(refused) => return Ok(Err(refused)),
        };
        let picture = match original(&input.path) {
            Ok(picture) => picture,
            Err(refused) => return Ok(Err(refused)),
        };
        match cut(&picture, found, options) {
            Err(refused) => Ok(Err(refused)),
            Ok((facts, crops)) => {
                Ok(Ok(Product { facts, files: files(input, &crops, options.form)?, notes: Vec::new() }))
            }
        }
    })?;
    let cuts: Vec<(String, Cut)> = made.into_iter().map(|(input, facts)| (input.file, facts)).collect();
    let report = step.finish(cuts.len())?;
    Ok((cuts, report))
}

/// The two boxes that count.
fn both<'a>(boxes: &'a Boxes, file: &str, options: &PairOptions) -> Result<[&'a Detection; 2], Refused> {
    let one = |class: &str| {
        let found = boxes.best(file, class).ok_or_else(|| Refused("no box", class.to_string()))?;
        match found.score >= options.score {
            true => Ok(found),
            false => Err(Refused("box too uncertain", format!("{class}: {:.3}", found.score))),
        }
    };
    Ok([one(&options.source)?, one(&options.target)?])
}

fn cut(picture: &RgbImage, found: [&Detection; 2], options: &PairOptions) -> Result<(Cut, [RgbImage; 2]), Refused> {
    let mut places = [Rectangle { left: 0, top: 0, width: 0, height: 0 }; 2];
    for (place, detection) in places.iter_mut().zip(found) {
        let Detection { class, area, .. } = detection;
        let outside = || Refused("box outside of the picture", format!("{class} {area:?}"));
        *place = pixels(grown(*area, options.margin), picture.dimensions()).ok_or_else(outside)?;
        if place.width.min(place.height) < options.min_side {
            return Err(Refused("too small", format!("{class}: {}×{} pixels", place.width, place.height)));
        }
    }
    let crop = |Rectangle { left, top, width, height }: Rectangle| {
        imageops::crop_imm(picture, left, top, width, height).to_image()
    };
    let facts = Cut { source: places[0], target: places[1], scores: found.map(|detection| detection.score) };
    Ok((facts, places.map(crop)))
}

fn grown([left, top, width, height]: Area, margin: f64) -> Area {
    let (across, down) = (margin * width, margin * height);
    [left - across, top - down, width + 2.0 * across, height + 2.0 * down]
}

fn files(input: &Input, crops: &[RgbImage; 2], form: Form) -> Result<Vec<(String, Contents)>> {
    let pictures = match form {
        Form::Folders => vec![("a", crops[0].clone()), ("b", crops[1].clone())],
        Form::SideBySide => vec![("images", side_by_side(crops))],
    };
    let file = |(folder, picture): (&str, RgbImage)| {
        Ok((format!("{folder}/{}.png", input.stem), Contents::Bytes(png(&picture)?)))
    };
    pictures.into_iter().map(file).collect()
}

/// Two pictures in the halves of one, as high as the higher one.
fn side_by_side(crops: &[RgbImage; 2]) -> RgbImage {
    let height = crops.iter().map(RgbImage::height).max().unwrap_or(1);
    let shown = crops.each_ref().map(|crop| {
        let width = (f64::from(crop.width()) * f64::from(height) / f64::from(crop.height().max(1))).round() as u32;
        resize::rgb(crop, width.max(1), height, Filter::Lanczos)
    });
    let half = shown.iter().map(RgbImage::width).max().unwrap_or(1);
    let mut whole = RgbImage::from_pixel(2 * half, height, Rgb([255; 3]));
    for (i, picture) in (0..).zip(&shown) {
        imageops::replace(&mut whole, picture, i64::from(i * half + (half - picture.width()) / 2), 0);
    }
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_are_equally_wide_and_high() {
        let crops = [RgbImage::from_pixel(10, 20, Rgb([9; 3])), RgbImage::from_pixel(30, 40, Rgb([70; 3]))];
        let whole = side_by_side(&crops);
        assert_eq!(whole.dimensions(), (60, 40));
        let row: Vec<u8> = (0..60).map(|x| whole.get_pixel(x, 20).0[0]).collect();
        assert_eq!(row, [vec![255; 5], vec![9; 20], vec![255; 5], vec![70; 30]].concat());
        assert_eq!(grown([10.0, 10.0, 20.0, 40.0], 0.25), [5.0, 0.0, 30.0, 60.0]);
    }
}
