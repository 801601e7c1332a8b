//! From a folder of found pictures to a folder of face crops.
//!
//! The make.girls.moe paper's data path: find faces, enlarge each box 1.5 times about its centre, cut it out
//! (specs A.7; section 2 of arXiv:1708.05509). Faces whose enlarged box leaves the picture, and crops below 42 pixels,
//! are left out, as in the re-implementation that documents its data.
//!
//! The HKUST report's (specs/fullbody E.2): 2.2 times as wide and high, beginning 0.6 of the box further left and up, in
//! whole pixels; what leaves the picture is cut off ([`CropOptions::report`]).

mod square;

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::cascade::Cascade;
use super::detect::{DetectOptions, Face};
use crate::data::import::{Refused, original, walk};
use crate::data::report::{Action, Report};
use crate::{Error, Result};

use square::Square;

pub use square::FaceSquare;

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
