//! Step 8: the clothing in the middle of its picture.
//!
//! The width is cut so that the centre of the clothing becomes that of the picture (section 3; specs/clothing.md section B):
//! as much is kept on either side as there is on the narrower one, and no more than makes the picture a square. A narrower
//! cut becomes a square by its mirrored and blurred image ([`padded`]). What was done to a picture is in its record, so that it can be undone.

use std::path::Path;

use image::{RgbImage, imageops};
use serde::{Deserialize, Serialize};

use super::boxes::{Area, Boxes};
use super::pad::{PadOptions, padded};
use super::step::{Contents, Input, Product, Step, StepReport, write_table};
use crate::data::import::Refused;
use crate::data::manifest::Filter;
use crate::data::poses::names::Names;
use crate::data::poses::{KeyPoint, Pose, PoseSequence};
use crate::data::resize;
use crate::show::save::png;
use crate::{Error, Result};

/// Name of the table of all pictures: centre and transform.
pub const CALIBRATION: &str = "calibration.csv";
const COLUMNS: [&str; 13] =
    ["file", "output", "x", "y", "by", "left", "top", "width", "height", "beside", "above", "side", "size"];
/// Pictures that are made before any of them is written.
const CHUNK: usize = 8;

/// How the centre of the clothing is found and what is cut.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CalibrateOptions {
    /// What of the visible key points is the centre.
    pub centre: Centre,
    /// Key points with a third number above this are visible.
    pub visible: f32,
    /// With fewer visible ones the centre of the box is taken.
    pub least: usize,
    /// The class of the boxes.
    pub class: String,
    /// What becomes of the height where less width than height is left.
    pub height: Height,
    /// Pictures of which less width is left, in shares of their height, are left out.
    pub narrowest: f64,
    /// Side of the result in pixels.
    pub size: u32,
}

impl Default for CalibrateOptions {
    /// The mean of at least 3 points above 0.2, boxes of "clothing", mirrored borders, a quarter of the height, 512 pixels.
    fn default() -> Self {
        CalibrateOptions {
            centre: Centre::Mean,
            visible: 0.2,
            least: 3,
            class: "clothing".into(),
            height: Height::Mirror,
            narrowest: 0.25,
            size: 512,
        }
    }
}

/// What of the visible key points is the centre.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Centre {
    /// Their mean.
    #[default]
    Mean,
    /// The middle between the outermost ones.
    Middle,
}

/// What becomes of the height where less width than height is left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Height {
    /// It stays; what is missing beside it is the mirrored and blurred ground.
    #[default]
    Mirror,
    /// It is cut to the width, about the centre of the clothing.
    Cut,
}

/// What a centre was found by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FoundBy {
    /// Enough visible key points.
    KeyPoints,
    /// The detector's box.
    Box,
}

impl CalibrateOptions {
    fn check(&self) -> Result<()> {
        if !(4..=4096).contains(&self.size) || !(0.0..=1.0).contains(&self.narrowest) {
            let found = format!("size {}, narrowest {}", self.size, self.narrowest);
            return Err(Error::invalid("calibration", found, "4 to 4096 pixels, a share from 0 to 1", ""));
        }
        Ok(())
    }

    /// The centre of the clothing: of its visible key points, or of its box where they are too few.
    pub fn centre_of(&self, points: &[KeyPoint], area: Option<Area>) -> Option<([f64; 2], FoundBy)> {
        let visible: Vec<[f64; 2]> =
            points.iter().filter(|point| point[2] > self.visible).map(|p| [p[0], p[1]].map(f64::from)).collect();
        if visible.len() >= self.least.max(1) {
            let axis = |axis: usize| {
                let values = visible.iter().map(|point| point[axis]);
                match self.centre {
                    Centre::Mean => values.sum::<f64>() / visible.len() as f64,
                    Centre::Middle => {
                        let (low, high) = values.fold((f64::MAX, f64::MIN), |(l, h), v| (l.min(v), h.max(v)));
                        (low + high) / 2.0
                    }
                }
            };
            return Some(([axis(0), axis(1)], FoundBy::KeyPoints));
        }
        area.map(|[left, top, width, height]| ([left + width / 2.0, top + height / 2.0], FoundBy::Box))
    }

    /// What is cut out of a picture of this width and height about a centre; none when the centre is outside of it or too
    /// near to its border.
    pub fn transform(&self, (width, height): (u32, u32), [x, y]: [f64; 2]) -> Option<Transform> {
        let (w, h) = (f64::from(width), f64::from(height));
        let half = x.min(w - x).min(h / 2.0);
        if !(half > 0.0 && 2.0 * half >= self.narrowest * h && (0.0..=h).contains(&y)) {
            return None;
        }
        let wide = ((2.0 * half).round() as u32).clamp(1, width);
        let start = |centre: f64, length: u32, most: u32| {
            ((centre - f64::from(length) / 2.0).round().max(0.0) as u32).min(most - length)
        };
        let left = start(x, wide, width);
        let (top, high) = match self.height {
            Height::Mirror => (0, height),
            Height::Cut => (start(y, wide.min(height), height), wide.min(height)),
        };
        let side = wide.max(high);
        let offset = [(side - wide) / 2, (side - high) / 2];
        Some(Transform { cut: [left, top, wide, high], offset, side, size: self.size })
    }
}

/// A part of a picture that was put into a square and resized.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Transform {
    /// What was cut out: left, top, width, height.
    pub cut: [u32; 4],
    /// Where that is in the square: left, top; beside it is the ground.
    pub offset: [u32; 2],
    /// Side of the square before it was resized.
    pub side: u32,
    /// Side of the result.
    pub size: u32,
}

impl Transform {
    /// Where a point of the picture is in the result.
    pub fn point(&self, point: [f64; 2]) -> [f64; 2] {
        let scale = f64::from(self.size) / f64::from(self.side);
        std::array::from_fn(|axis| (point[axis] - f64::from(self.cut[axis]) + f64::from(self.offset[axis])) * scale)
    }

    /// Where a point of the result is in the picture.
    pub fn undo(&self, point: [f64; 2]) -> [f64; 2] {
        let scale = f64::from(self.side) / f64::from(self.size);
        std::array::from_fn(|axis| point[axis] * scale - f64::from(self.offset[axis]) + f64::from(self.cut[axis]))
    }

    /// The result. What is beside a part that is no square is made as [`padded`] does it, with its sizes in shares of 512
    /// pixels.
    ///
    /// # Errors
    /// When the part has no pixels, or the size is not 4 to 4096 pixels.
    pub fn apply(&self, picture: &RgbImage) -> Result<RgbImage> {
        let [left, top, width, height] = self.cut;
        let part = imageops::crop_imm(picture, left, top, width, height).to_image();
        if part.width() == part.height() {
            return Ok(resize::rgb(&part, self.size, self.size, Filter::Lanczos));
        }
        padded(&part, &PadOptions::square(self.size))
    }
}

/// What the record says of a picture.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Calibrated {
    /// The result's file below the output.
    pub output: String,
    /// Width and height of the picture.
    pub size: (u32, u32),
    /// Centre of the clothing in it.
    pub centre: [f64; 2],
    /// What that was found by.
    pub found_by: FoundBy,
    /// What was done.
    pub transform: Transform,
}

/// Cuts all pictures in `input` and below it about the centre of their clothing: `x/y.jpg` becomes `images/x/y.png` of
/// `output`, with the table [`CALIBRATION`] of centres and transforms. Key points ([`PoseSequence`]) and boxes belong to
/// pictures by name; one of the two is needed for each. A run that was interrupted goes on where it was.
///
/// # Errors
/// When an option cannot be, a folder cannot be read or written, or `output` holds anything but the same step. Pictures that
/// cannot be read or have no centre are no error: they are in the report.
pub fn calibrate(
    input: impl AsRef<Path>,
    output: impl AsRef<Path>,
    keypoints: Option<&PoseSequence>,
    boxes: Option<&Boxes>,
    options: &CalibrateOptions,
) -> Result<(Vec<(String, Calibrated)>, StepReport)> {
    calibrate_in(input.as_ref(), output.as_ref(), keypoints, boxes, options)
}

fn calibrate_in(
    input: &Path,
    output: &Path,
    keypoints: Option<&PoseSequence>,
    boxes: Option<&Boxes>,
    options: &CalibrateOptions,
) -> Result<(Vec<(String, Calibrated)>, StepReport)> {
    options.check()?;
    let points = keypoints.map(PoseSequence::json_lines).transpose()?;
    let read = (
        points.map(|text| blake3::hash(text.as_bytes()).to_hex().to_string()),
        boxes.map(Boxes::fingerprint).transpose()?,
    );
    let (inputs, mut step) = Step::<Calibrated>::over(input, output, "calibrate", &(options, read))?;
    let poses = keypoints.map_or(&[][..], PoseSequence::poses);
    let names = Names::of(poses.iter().map(|pose| pose.name.as_str()));
    let pose = |file: &str| names.find(file).ok().map(|i| &poses[i]);
    let made = step.run_pictures(&inputs, CHUNK, |input, picture| {
        let area = boxes.and_then(|boxes| boxes.best(&input.file, &options.class)).map(|found| found.area);
        cut(input, &picture, pose(&input.file), area, options)
    })?;
    let rows: Vec<(String, Calibrated)> = made.into_iter().map(|(input, facts)| (input.file, facts)).collect();
    write_table(&output.join(CALIBRATION), &COLUMNS, rows.iter().map(row))?;
    let report = step.finish(rows.len())?;
    Ok((rows, report))
}

fn cut(
    input: &Input,
    picture: &RgbImage,
    pose: Option<&Pose>,
    area: Option<Area>,
    options: &CalibrateOptions,
) -> Result<Result<Product<Calibrated>, Refused>> {
    let (width, height) = picture.dimensions();
    let points = pose.map_or_else(Vec::new, |pose| {
        let scale = [width as f32 / pose.size.0.max(1) as f32, height as f32 / pose.size.1.max(1) as f32];
        pose.points.iter().map(|&[x, y, known]| [x * scale[0], y * scale[1], known]).collect()
    });
    let Some((centre, found_by)) = options.centre_of(&points, area) else {
        return Ok(Err(Refused("no centre", "neither enough visible key points nor a box".into())));
    };
    let Some(transform) = options.transform((width, height), centre) else {
        let detail = format!("({:.0}, {:.0}) of {width}×{height} pixels", centre[0], centre[1]);
        return Ok(Err(Refused("clothing too near to the border", detail)));
    };
    let output = format!("images/{}.png", input.stem);
    let bytes = png(&transform.apply(picture)?)?;
    let facts = Calibrated { output: output.clone(), size: (width, height), centre, found_by, transform };
    Ok(Ok(Product { facts, files: vec![(output, Contents::Bytes(bytes))], notes: Vec::new() }))
}

/// A line of [`CALIBRATION`].
fn row((file, Calibrated { output, centre, found_by, transform, .. }): &(String, Calibrated)) -> Vec<String> {
    let by = if *found_by == FoundBy::Box { "box" } else { "key points" };
    let Transform { cut, offset, side, size } = transform;
    let numbers = cut.iter().chain(offset).chain([side, size]).map(u32::to_string);
    let places = centre.map(|value| format!("{value:.2}"));
    [file.clone(), output.clone()].into_iter().chain(places).chain([by.to_string()]).chain(numbers).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Rgb;

    #[test]
    fn centres_by_hand() {
        let points = [[10.0, 20.0, 1.0], [30.0, 40.0, 0.5], [80.0, 60.0, 0.3], [1000.0, 0.0, 0.2]];
        let options = CalibrateOptions::default();
        assert_eq!(options.centre_of(&points, None), Some(([40.0, 40.0], FoundBy::KeyPoints)));
        let middle = CalibrateOptions { centre: Centre::Middle, ..options.clone() };
        assert_eq!(middle.centre_of(&points, None), Some(([45.0, 40.0], FoundBy::KeyPoints)));
        let area = Some([10.0, 0.0, 20.0, 30.0]);
        assert_eq!(options.centre_of(&points[..2], area), Some(([20.0, 15.0], FoundBy::Box)));
        assert_eq!(options.centre_of(&points[..2], None), None);
    }

    #[test]
    fn transforms_by_hand() {
        let of = |size, centre| CalibrateOptions { size: 100, ..CalibrateOptions::default() }.transform(size, centre);
        // As much as the narrower side has; mirrored to a square of the height.
        let narrow = of((300, 400), [100.0, 50.0]).unwrap();
        assert_eq!((narrow.cut, narrow.offset, narrow.side), ([0, 0, 200, 400], [100, 0], 400));
        assert_eq!(narrow.point([100.0, 50.0]), [50.0, 12.5]);
        assert_eq!(narrow.undo(narrow.point([123.0, 45.0])), [123.0, 45.0]);
        // No wider than a square.
        let wide = of((1000, 200), [620.0, 100.0]).unwrap();
        assert_eq!((wide.cut, wide.offset, wide.side), ([520, 0, 200, 200], [0, 0], 200));
        assert!(of((300, 400), [40.0, 50.0]).is_none() && of((300, 400), [-1.0, 50.0]).is_none());
        let options = CalibrateOptions { height: Height::Cut, size: 100, ..CalibrateOptions::default() };
        let cut = options.transform((300, 400), [100.0, 350.0]).unwrap();
        assert_eq!((cut.cut, cut.side), ([0, 200, 200, 200], 200));
        // Odd numbers of pixels: half a pixel for the cut and half a one for its place in the square.
        for x in [51.3, 77.7, 120.0, 149.5] {
            let found = of((301, 403), [x, 9.0]).unwrap();
            assert!((found.point([x, 9.0])[0] - 50.0).abs() <= 1.01 * 100.0 / 403.0, "{x}: {found:?}");
        }
    }

    #[test]
    fn a_mark_comes_to_the_middle() {
        let picture = RgbImage::from_fn(300, 240, |x, y| Rgb([if x.abs_diff(80) < 9 { 255 } else { 0 }, y as u8, 9]));
        let transform =
            CalibrateOptions { size: 64, ..CalibrateOptions::default() }.transform((300, 240), [80.5, 99.0]);
        let square = transform.unwrap().apply(&picture).unwrap();
        // Farther out are its mirror images.
        let row: Vec<(u32, u32)> = (24..40).map(|x| (x, u32::from(square.get_pixel(x, 32).0[0]))).collect();
        let (sum, all) = row.iter().fold((0, 0), |(sum, all), (x, value)| (sum + value * (2 * x + 1), all + value));
        let centre = f64::from(sum) / f64::from(all);
        // Half a pixel of the picture and half a one of the result at most.
        assert!((centre / 2.0 - 32.0).abs() < 0.65, "{centre}");
    }
}
