//! The square about a face that is cut out of its picture.

use std::io::Cursor;

use image::{ImageFormat, Rgb, RgbImage, imageops};

use super::{CropOptions, Outside};
use crate::data::manifest::{Background, Filter};
use crate::data::prepare::art::fit::letterbox;
use crate::data::prepare::cascade::Cascade;
use crate::data::prepare::detect::Face;
use crate::{Error, Result};

/// A square inside a picture, in its pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FaceSquare {
    /// The first column.
    pub left: u32,
    /// The first row.
    pub top: u32,
    /// Columns and rows.
    pub side: u32,
}

impl FaceSquare {
    /// The largest square, in the middle of the picture: for pictures that a face fills.
    ///
    /// # Errors
    /// When the picture is empty.
    pub fn of_picture(picture: &RgbImage) -> Result<FaceSquare> {
        let (width, height) = picture.dimensions();
        let side = width.min(height);
        let square = FaceSquare { left: (width - side) / 2, top: (height - side) / 2, side };
        square.check(picture).map(|()| square)
    }

    /// The faces of a picture, the most certain first, each box `zoom` times as large, moved into the picture.
    ///
    /// # Errors
    /// When the zoom is out of range.
    pub fn find(cascade: &Cascade, picture: &RgbImage, zoom: f64) -> Result<Vec<FaceSquare>> {
        let options = CropOptions { zoom, outside: Outside::Shift, ..CropOptions::default() };
        options.check()?;
        let faces = cascade.detect(picture, &options.detect)?;
        let inside = |face: &Face| {
            let Square { left, top, side } = Square::around(face, &options).within(picture, Outside::Shift);
            FaceSquare { left: left as u32, top: top as u32, side }
        };
        Ok(faces.iter().map(inside).collect())
    }

    /// What the picture shows there.
    ///
    /// # Errors
    /// When the square is empty or leaves the picture.
    pub fn cut(&self, picture: &RgbImage) -> Result<RgbImage> {
        self.check(picture)?;
        Ok(imageops::crop_imm(picture, self.left, self.top, self.side, self.side).to_image())
    }

    fn check(&self, picture: &RgbImage) -> Result<()> {
        let FaceSquare { left, top, side } = *self;
        let (width, height) = picture.dimensions();
        let ends = |start: u32, length: u32| start.checked_add(side).is_some_and(|end| end <= length);
        if side > 0 && ends(left, width) && ends(top, height) {
            return Ok(());
        }
        let found = format!("{side}×{side} pixels at ({left}, {top})");
        Err(Error::invalid("square of a face", found, format!("1 pixel or more inside {width}×{height}"), ""))
    }
}

/// The part of the picture that is cut out; it may reach over the edges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Square {
    pub left: i64,
    pub top: i64,
    pub side: u32,
}

impl Square {
    pub fn around(face: &Face, options: &CropOptions) -> Self {
        let (zoom, length) = (options.zoom, f64::from(face.w.max(face.h)));
        if options.truncate {
            // The program's 0.6 is this, but for the last bits: (2.2 − 1)/2 is a little more.
            let shift = ((zoom - 1.0) * 500.0).round() / 1000.0;
            let start = |start: i32, length: i32| i64::from(start) - (shift * f64::from(length)) as i64;
            return Square { left: start(face.x, face.w), top: start(face.y, face.h), side: (zoom * length) as u32 };
        }
        let side = length * zoom;
        let start = |start: i32, length: i32| (f64::from(start) + f64::from(length) / 2.0 - side / 2.0).round() as i64;
        Square { left: start(face.x, face.w), top: start(face.y, face.h), side: side.round() as u32 }
    }

    /// With [`Outside::Shift`] moved into the picture.
    pub fn within(self, picture: &RgbImage, outside: Outside) -> Self {
        if outside != Outside::Shift {
            return self;
        }
        let side = self.side.min(picture.width()).min(picture.height());
        let moved = |start: i64, length: u32| start.clamp(0, i64::from(length - side));
        Square { left: moved(self.left, picture.width()), top: moved(self.top, picture.height()), side }
    }

    pub fn cut(self, picture: &RgbImage, options: &CropOptions) -> Result<Vec<u8>, (&'static str, String)> {
        let Square { left, top, side } = self;
        let shown = || format!("{side}×{side} pixels at ({left}, {top})");
        let end = |start: i64| start + i64::from(side);
        let (width, height) = (i64::from(picture.width()), i64::from(picture.height()));
        let inside = left >= 0 && top >= 0 && end(left) <= width && end(top) <= height;
        if !inside && options.outside == Outside::LeaveOut && side >= options.min_side.max(1) {
            return Err(("enlarged box leaves the picture", shown()));
        }
        let mut crop = match options.outside {
            Outside::Clamp => {
                let (x, y) = (left.clamp(0, width), top.clamp(0, height));
                let length = |start: i64, end: i64, most: i64| (end.clamp(start, most) - start) as u32;
                let (w, h) = (length(x, end(left), width), length(y, end(top), height));
                imageops::crop_imm(picture, x as u32, y as u32, w, h).to_image()
            }
            _ => {
                let mut crop = RgbImage::from_pixel(side, side, Rgb([255; 3]));
                imageops::replace(&mut crop, picture, -left, -top);
                crop
            }
        };
        if crop.width().min(crop.height()) < options.min_side.max(1) {
            return Err(("face is too small", shown()));
        }
        if let Some(size) = options.size {
            crop = letterbox(&crop, size, Background::default(), Filter::Lanczos);
        }
        let mut png = Vec::new();
        crop.write_to(&mut Cursor::new(&mut png), ImageFormat::Png)
            .map_err(|e| ("cannot be written as PNG", e.to_string()))?;
        Ok(png)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_box_grows_about_its_centre() {
        let face = Face { x: 40, y: 42, w: 100, h: 100, neighbors: 9 };
        let around = |face: &Face, zoom| Square::around(face, &CropOptions { zoom, ..CropOptions::default() });
        assert_eq!(around(&face, 1.5), Square { left: 15, top: 17, side: 150 });
        assert_eq!(around(&Face { h: 96, ..face }, 1.0), Square { left: 40, top: 40, side: 100 });
    }

    /// Printed by Python: `x -= int(0.6 * w); y -= int(0.6 * h); w = int(2.2 * w)` for w = h.
    #[test]
    fn the_boxes_of_the_report() {
        let cases = [
            ([300, 310, 173], [197, 207, 380]),
            ([40, 42, 100], [-20, -18, 220]),
            ([5, 0, 24], [-9, -14, 52]),
            ([96, 55, 35], [75, 34, 77]),
            ([10, 10, 301], [-170, -170, 662]),
        ];
        for ([x, y, w], wanted) in cases {
            let face = Face { x, y, w, h: w, neighbors: 9 };
            let Square { left, top, side } = Square::around(&face, &CropOptions::report(false));
            assert_eq!([left, top, i64::from(side)], wanted, "{face:?}");
        }
    }

    #[test]
    fn the_boxes_of_the_report_at_the_edges() {
        let picture = RgbImage::from_fn(100, 80, |x, y| Rgb([x as u8, y as u8, 0]));
        let face = Face { x: 2, y: 30, w: 20, h: 20, neighbors: 9 };
        // The box is (−10, 18) with a side of 44.
        let cut = |face: &Face, faithful| {
            let options = CropOptions::report(faithful);
            let square = Square::around(face, &options).within(&picture, options.outside);
            let crop = image::load_from_memory(&square.cut(&picture, &options).unwrap()).unwrap().into_rgb8();
            (crop.dimensions(), crop.get_pixel(0, 0).0)
        };
        assert_eq!(cut(&face, false), ((34, 44), [0, 18, 0]));
        assert_eq!(cut(&face, true), ((44, 44), [0, 18, 0]));
        // Beyond the right and the lower edge: (78, 58).
        let corner = Face { x: 90, y: 70, ..face };
        assert_eq!(cut(&corner, false), ((22, 22), [78, 58, 0]));
        assert_eq!(cut(&corner, true), ((44, 44), [56, 36, 0]));
        // Larger than the picture: (−34, −34) with a side of 132.
        let large = Face { x: 2, y: 2, w: 60, h: 60, ..face };
        assert_eq!(cut(&large, false), ((98, 80), [0, 0, 0]));
        assert_eq!(cut(&large, true), ((80, 80), [0, 0, 0]));
    }

    #[test]
    fn a_box_that_leaves_the_picture_is_dropped_or_padded() {
        let picture = RgbImage::from_pixel(60, 60, Rgb([7, 8, 9]));
        let square = Square { left: -10, top: 0, side: 50 };
        let options = CropOptions::default();
        assert_eq!(square.cut(&picture, &options).unwrap_err().0, "enlarged box leaves the picture");
        let png = square.cut(&picture, &CropOptions { outside: Outside::Pad, ..options }).unwrap();
        let crop = image::load_from_memory(&png).unwrap().into_rgb8();
        assert_eq!(
            (crop.dimensions(), crop.get_pixel(9, 5).0, crop.get_pixel(10, 5).0),
            ((50, 50), [255; 3], [7, 8, 9])
        );
        let small = Square { side: 41, ..square };
        assert_eq!(small.cut(&picture, &options).unwrap_err().0, "face is too small");
        let sized = Square { left: 0, ..square }.cut(&picture, &CropOptions { size: Some(32), ..options }).unwrap();
        assert_eq!(image::load_from_memory(&sized).unwrap().into_rgb8().dimensions(), (32, 32));
    }
}
