//! From a folder of found pictures to a folder of face crops.
//!
//! The make.girls.moe paper's data path: find faces, enlarge each box 1.5 times about its centre, cut it out
//! (specs A.7; section 2 of arXiv:1708.05509). Faces whose enlarged box leaves the picture, and crops below 42 pixels,
//! are left out, as in the re-implementation that documents its data.
//!
//! The HKUST report's (specs/fullbody E.2): 2.2 times as wide and high, beginning 0.6 of the box further left and up, in
//! whole pixels; what leaves the picture is cut off ([`CropOptions::report`]).

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};

use image::{ImageFormat, Rgb, RgbImage, imageops};
use rayon::prelude::*;

use super::art::fit::letterbox;
use super::cascade::Cascade;
use super::detect::{DetectOptions, Face};
use crate::data::import::{Refused, original, walk};
use crate::data::manifest::{Background, Filter};
use crate::data::report::{Action, Report};
use crate::{Error, Result};

/// Name of the table of all crops, in the folder that they are in.
pub const TABLE: &str = "faces.csv";

const HEADER: [&str; 10] = ["file", "source", "x", "y", "w", "h", "left", "top", "side", "neighbors"];

/// Pictures that are decoded and searched before any of their crops is written.
const CHUNK: usize = 8;

/// How faces are cut out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CropOptions {
    /// Side of the crop in sides of the found box, 0.5 to 8; the paper has 1.5.
    pub zoom: f64,
    /// Crops with a shorter side, before resizing, are left out.
    pub min_side: u32,
    /// Side in pixels to which crops are resized (Lanczos), at most 4096; `None` leaves them as they are.
    pub size: Option<u32>,
    /// What happens to faces whose enlarged box leaves the picture.
    pub outside: Outside,
    /// Count in whole pixels, as the HKUST report's program: the side is ⌊zoom·w⌋, the left edge x − ⌊(zoom − 1)/2·w⌋.
    pub truncate: bool,
    /// How faces are found.
    pub detect: DetectOptions,
}

impl Default for CropOptions {
    fn default() -> Self {
        let (outside, detect) = (Outside::default(), DetectOptions::default());
        CropOptions { zoom: 1.5, min_side: 42, size: None, outside, truncate: false, detect }
    }
}

/// What happens to faces whose enlarged box leaves the picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Outside {
    /// They are left out.
    #[default]
    LeaveOut,
    /// What is outside is white.
    Pad,
    /// What is outside is cut off: crops at the edges are no squares.
    Clamp,
    /// The box is moved into the picture and stays a square; one larger than the picture gets its shorter side.
    Shift,
}

impl CropOptions {
    /// The HKUST report's crops: `x -= int(0.6 w)`, `y -= int(0.6 h)`, w and h 2.2 times as large, of any size. What leaves
    /// the picture is cut off; `faithful` moves the box to the right and down instead, as its program does by not making the
    /// box narrower. (At the other two edges the program takes height for width; there the box is moved, too.)
    pub fn report(faithful: bool) -> CropOptions {
        let outside = if faithful { Outside::Shift } else { Outside::Clamp };
        CropOptions { zoom: 2.2, min_side: 1, outside, truncate: true, ..CropOptions::default() }
    }

    fn check(&self) -> Result<()> {
        if !(0.5..=8.0).contains(&self.zoom) {
            return Err(Error::invalid("zoom", self.zoom.to_string(), "0.5 to 8", "The paper has 1.5."));
        }
        match self.size {
            Some(size @ (0 | 4097..)) => Err(Error::invalid("size", size.to_string(), "1 to 4096 pixels", "")),
            _ => self.detect.check(),
        }
    }
}

/// What [`crop_folder`] did.
#[derive(Clone)]
pub struct CropReport {
    /// The folder with the crops and their table.
    pub folder: PathBuf,
    /// Pictures that were looked at, broken ones included.
    pub pictures: usize,
    /// Faces that were found in them.
    pub found: usize,
    /// Crops that were written.
    pub written: usize,
    /// Pictures and faces without a crop, and why.
    pub problems: Report,
}

impl fmt::Display for CropReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let CropReport { folder, pictures, found, written, problems } = self;
        writeln!(f, "{}: {written} crops of {found} faces in {pictures} pictures", folder.display())?;
        write!(f, "{problems}")
    }
}

impl fmt::Debug for CropReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// Cuts the faces out of all pictures in `input` and below it. The face number k of `a/b.jpg`, the most certain one
/// being 0, becomes `a/b_k.png` in `output`; the table `faces.csv` there says from where. Nothing is overwritten: a
/// crop whose name is taken is left out, and rows are added to a table that is there.
///
/// # Errors
/// When an option is out of range, `input` is no folder or `output` the same one, or files cannot be written. Pictures
/// that cannot be read are no error: they are in the report.
pub fn crop_folder(
    cascade: &Cascade,
    input: impl AsRef<Path>,
    output: impl AsRef<Path>,
    options: &CropOptions,
) -> Result<CropReport> {
    crop(cascade, input.as_ref(), output.as_ref(), options)
}

fn crop(cascade: &Cascade, input: &Path, output: &Path, options: &CropOptions) -> Result<CropReport> {
    options.check()?;
    let root = input.canonicalize().map_err(|e| Error::io("open the folder of pictures", input, e))?;
    fs::create_dir_all(output).map_err(|e| Error::io("make the folder", output, e))?;
    let folder = output.canonicalize().map_err(|e| Error::io("open the folder", output, e))?;
    if root == folder {
        return Err(Error::invalid("output folder", output.display().to_string(), "another one than the input", ""));
    }
    let mut table = Table::open(&folder)?;
    let mut report = Report::default();
    let mut names = walk(&root, &mut report)?;
    // Crops of an earlier run are no pictures to search.
    names.retain(|name| !root.join(name).starts_with(&folder));
    names.sort();
    let (mut found, mut written, mut used) = (0, 0, 0);
    for chunk in names.chunks(CHUNK) {
        let searched: Vec<_> = chunk.par_iter().map(|name| search(cascade, &root.join(name), options)).collect();
        for (name, faces) in chunk.iter().zip(searched) {
            match faces? {
                Err(Refused(kind, detail)) => report.add(kind, name, detail, Action::LeftOut),
                Ok(cuts) if cuts.is_empty() => report.add("no face", name, "", Action::LeftOut),
                Ok(cuts) => {
                    found += cuts.len();
                    let before = written;
                    for (k, cut) in cuts.into_iter().enumerate() {
                        match keep(&folder, name, k, cut, &mut table)? {
                            None => written += 1,
                            Some((kind, detail)) => report.add(kind, name, detail, Action::LeftOut),
                        }
                    }
                    used += usize::from(written > before);
                }
            }
        }
        table.save()?;
    }
    Ok(CropReport {
        folder: output.to_path_buf(),
        pictures: names.len(),
        found,
        written,
        problems: report.finish(used),
    })
}

/// A face, its enlarged box, and the crop's PNG file or why there is none.
struct Cut {
    face: Face,
    square: Square,
    png: Result<Vec<u8>, (&'static str, String)>,
}

fn search(cascade: &Cascade, path: &Path, options: &CropOptions) -> Result<Result<Vec<Cut>, Refused>> {
    let picture = match original(path) {
        Ok(picture) => picture,
        Err(refused) => return Ok(Err(refused)),
    };
    let faces = cascade.detect(&picture, &options.detect)?;
    let cut = |face: Face| {
        let square = Square::around(&face, options).within(&picture, options.outside);
        Cut { face, square, png: square.cut(&picture, options) }
    };
    Ok(Ok(faces.into_iter().map(cut).collect()))
}

/// Writes the crop if there is one and its name is free.
fn keep(folder: &Path, name: &str, k: usize, cut: Cut, table: &mut Table) -> Result<Option<(&'static str, String)>> {
    let Cut { face, square, png } = cut;
    let png = match png {
        Ok(png) => png,
        Err(reason) => return Ok(Some(reason)),
    };
    let stem = Path::new(name).with_extension("");
    let file = format!("{}_{k}.png", stem.to_string_lossy()).replace('\\', "/");
    let path = folder.join(&file);
    if path.symlink_metadata().is_ok() {
        return Ok(Some(("name is taken", file)));
    }
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(|e| Error::io("make the folder", parent, e))?;
    }
    put(&path, &png)?;
    table.add(&file, name, &face, &square);
    Ok(None)
}

/// Puts a whole file in place, or none.
fn put(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut partial = path.as_os_str().to_owned();
    partial.push(".part");
    let done = fs::write(&partial, bytes).and_then(|()| fs::rename(&partial, path));
    done.map_err(|e| Error::io("write it", path, e))
}

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
struct Square {
    left: i64,
    top: i64,
    side: u32,
}

impl Square {
    fn around(face: &Face, options: &CropOptions) -> Self {
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
    fn within(self, picture: &RgbImage, outside: Outside) -> Self {
        if outside != Outside::Shift {
            return self;
        }
        let side = self.side.min(picture.width()).min(picture.height());
        let moved = |start: i64, length: u32| start.clamp(0, i64::from(length - side));
        Square { left: moved(self.left, picture.width()), top: moved(self.top, picture.height()), side }
    }

    fn cut(self, picture: &RgbImage, options: &CropOptions) -> Result<Vec<u8>, (&'static str, String)> {
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

/// The table of crops; rows of earlier runs stay.
struct Table {
    path: PathBuf,
    rows: Vec<csv::StringRecord>,
    files: BTreeSet<String>,
}

impl Table {
    fn open(folder: &Path) -> Result<Self> {
        let path = folder.join(TABLE);
        let mut table = Table { path, rows: Vec::new(), files: BTreeSet::new() };
        if !table.path.exists() {
            return Ok(table);
        }
        let other = |found: String| {
            let expected = format!("a table with the columns {}", HEADER.join(", "));
            Error::file(&table.path, found, expected, "Write to another folder.")
        };
        let mut reader = csv::Reader::from_path(&table.path).map_err(|e| other(e.to_string()))?;
        let header = reader.headers().map_err(|e| other(e.to_string()))?;
        if *header != HEADER[..] {
            return Err(other(format!("the columns {}", header.iter().collect::<Vec<_>>().join(", "))));
        }
        let rows: Vec<_> = reader.records().collect::<Result<_, _>>().map_err(|e| other(e.to_string()))?;
        table.files = rows.iter().filter_map(|row| row.get(0)).map(str::to_owned).collect();
        table.rows = rows;
        Ok(table)
    }

    /// The row of a crop; it takes the place of the row of a crop that was deleted.
    fn add(&mut self, file: &str, source: &str, face: &Face, square: &Square) {
        if !self.files.insert(file.to_owned()) {
            self.rows.retain(|row| row.get(0) != Some(file));
        }
        let Face { x, y, w, h, neighbors } = face;
        let numbers = [x, y, w, h].map(ToString::to_string).into_iter().chain([
            square.left.to_string(),
            square.top.to_string(),
            square.side.to_string(),
            neighbors.to_string(),
        ]);
        self.rows.push([file.to_owned(), source.to_owned()].into_iter().chain(numbers).collect());
    }

    fn save(&self) -> Result<()> {
        let wrong = |e: csv::Error| Error::file(&self.path, e.to_string(), "a table that can be written", "");
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(HEADER).map_err(wrong)?;
        for row in &self.rows {
            writer.write_record(row).map_err(wrong)?;
        }
        let bytes = writer.into_inner().map_err(|e| Error::io("write the table", &self.path, e.into_error()))?;
        put(&self.path, &bytes)
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
