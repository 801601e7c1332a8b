//! A contact sheet: all pictures, small, with what can be measured of them.

use std::io::Cursor;
use std::path::Path;

use image::codecs::jpeg::JpegEncoder;
use image::{RgbImage, imageops};
use rayon::prelude::*;
use serde_json::json;

use super::{Decision, Decisions, Review};
use crate::data::import::{Refused, original};
use crate::data::manifest::{Background, Filter};
use crate::data::prepare::art::fit;
use crate::data::prepare::cascade::Cascade;
use crate::data::prepare::detect::DetectOptions;
use crate::data::prepare::measure::{DHash, Limits, aspect, blank_share, near_duplicates};
use crate::data::report::{Action, Report};
use crate::data::resize;
use crate::hash::sha256_of;
use crate::show::bundle::escape;
use crate::show::grid::Grid;
use crate::show::save;
use crate::show::table::Table;
use crate::{Error, Result};

/// The page without its pictures.
const PAGE: &str = include_str!("sheet.html");
/// Of thumbnails, 1 to 100.
const QUALITY: u8 = 80;
/// Longest side of a thumbnail that is allowed.
const MAX_THUMBNAIL: u32 = 1024;

/// What is measured, and what is pointed out.
#[derive(Clone, Debug)]
pub struct SheetOptions {
    /// Pictures beyond these are pointed out.
    pub limits: Limits,
    /// So are pictures that differ from another one in at most so many of 256 bits.
    pub near: u32,
    /// Pictures in which this detector finds no face are pointed out.
    pub faces: Option<(Cascade, DetectOptions)>,
    /// Longer side of the small pictures in pixels, 16 to 1024.
    pub thumbnail: u32,
}

impl Default for SheetOptions {
    fn default() -> Self {
        SheetOptions { limits: Limits::default(), near: 10, faces: None, thumbnail: 160 }
    }
}

/// A picture of a sheet.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The picture below its folder.
    pub file: String,
    /// Width and height in pixels.
    pub size: (u32, u32),
    /// Share of blank pixels, 0 to 1 ([`blank_share`]).
    pub blank: f64,
    /// Hits that agree on the most certain face; 0 when none was found, nothing when none was looked for.
    pub face: Option<usize>,
    /// Its group of near-duplicates.
    pub group: Option<usize>,
    /// What is pointed out: kind and particulars.
    pub flags: Vec<(&'static str, String)>,
    /// A JPEG file.
    thumbnail: Vec<u8>,
}

/// The measured pictures of a [`Review`].
#[derive(Clone)]
pub struct Sheet {
    title: String,
    entries: Vec<Entry>,
    decisions: Decisions,
    problems: Report,
    thumbnail: u32,
}

impl std::fmt::Debug for Sheet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let flagged = self.entries.iter().filter(|entry| !entry.flags.is_empty()).count();
        write!(f, "{}: {} pictures, {flagged} pointed out, {}", self.title, self.entries.len(), self.problems)
    }
}

impl Review {
    /// Reads all pictures and measures them, in parallel.
    ///
    /// # Errors
    /// When an option is out of range. Pictures that cannot be read are in [`Sheet::problems`].
    pub fn sheet(&self, options: &SheetOptions) -> Result<Sheet> {
        let files: Vec<Noted> = self.files.iter().map(|file| (file.clone(), Vec::new())).collect();
        let title = self.folder.file_name().map_or("pictures".into(), |name| name.to_string_lossy().into_owned());
        let mut sheet = sheet_of(&self.root(), title, &files, options)?;
        sheet.problems.problems.extend(self.problems.problems.iter().cloned());
        let (used, problems) = (sheet.problems.used, sheet.problems);
        Ok(Sheet { decisions: self.decisions.clone(), problems: problems.finish(used), ..sheet })
    }
}

/// A picture below a folder, and what is pointed out about it: kind and particulars.
pub(in crate::data::prepare) type Noted = (String, Vec<(&'static str, String)>);

/// The sheet of some pictures of a folder, in this order, without decisions.
///
/// # Errors
/// As [`Review::sheet`].
pub(in crate::data::prepare) fn sheet_of(
    root: &Path,
    title: String,
    files: &[Noted],
    options: &SheetOptions,
) -> Result<Sheet> {
    if !(16..=MAX_THUMBNAIL).contains(&options.thumbnail) {
        return Err(Error::invalid("thumbnail", options.thumbnail.to_string(), "16 to 1024 pixels", ""));
    }
    let measured: Vec<_> =
        files.par_iter().map(|(file, _)| measure(&root.join(file), file, options)).collect::<Result<_>>()?;
    let mut problems = Report::default();
    let (mut entries, mut hashes) = (Vec::new(), Vec::new());
    for ((file, notes), measured) in files.iter().zip(measured) {
        match measured {
            Err(Refused(kind, detail)) => problems.add(kind, file, detail, Action::LeftOut),
            Ok((mut entry, hash)) => {
                entry.flags.splice(0..0, notes.iter().cloned());
                entries.push(entry);
                hashes.push(hash);
            }
        }
    }
    let groups = near_duplicates(&hashes, options.near);
    for (entry, group) in entries.iter_mut().zip(groups) {
        entry.group = group;
        entry.flags.extend(group.map(|group| ("near-duplicate", format!("group {}", group + 1))));
    }
    let problems = problems.finish(entries.len());
    Ok(Sheet { title, entries, decisions: Decisions::default(), problems, thumbnail: options.thumbnail })
}

fn measure(path: &Path, file: &str, options: &SheetOptions) -> Result<Result<(Entry, DHash), Refused>> {
    let picture = match original(path) {
        Ok(picture) => picture,
        Err(refused) => return Ok(Err(refused)),
    };
    let (size, blank) = (picture.dimensions(), blank_share(&picture));
    let mut flags = options.limits.broken(size, blank);
    let face = match &options.faces {
        None => None,
        Some((cascade, detect)) => {
            let faces = cascade.detect(&picture, detect)?;
            Some(faces.iter().map(|face| face.neighbors).max().unwrap_or(0))
        }
    };
    if face == Some(0) {
        flags.push(("no face", String::new()));
    }
    let thumbnail = thumbnail(&picture, options.thumbnail)
        .map_err(|error| Error::invalid(file, error.to_string(), "a picture that can be made small", ""))?;
    let entry = Entry { file: file.into(), size, blank, face, group: None, flags, thumbnail };
    Ok(Ok((entry, DHash::of(&picture))))
}

fn thumbnail(picture: &RgbImage, side: u32) -> image::ImageResult<Vec<u8>> {
    let (width, height) = picture.dimensions();
    let scale = f64::from(side) / f64::from(width.max(height).max(1));
    let small = |length: u32| ((f64::from(length) * scale).round() as u32).max(1);
    // Small pictures stay as they are: the page enlarges them.
    let shown = match scale < 1.0 {
        true => &resize::rgb(picture, small(width), small(height), Filter::Box),
        false => picture,
    };
    let mut bytes = Cursor::new(Vec::new());
    JpegEncoder::new_with_quality(&mut bytes, QUALITY).encode_image(shown)?;
    Ok(bytes.into_inner())
}

/// The picture in the middle of a white square; a larger one is made as small as that.
fn square(picture: &RgbImage, side: u32) -> RgbImage {
    if picture.width().max(picture.height()) > side {
        return fit::letterbox(picture, side, Background::default(), Filter::Box);
    }
    let mut square = RgbImage::from_pixel(side, side, image::Rgb([255; 3]));
    let at = |length: u32| i64::from((side - length) / 2);
    imageops::replace(&mut square, picture, at(picture.width()), at(picture.height()));
    square
}

fn figure(pictures: &[RgbImage], columns: usize, captions: impl IntoIterator<Item = String>) -> Result<Grid> {
    Ok(Grid::from_rgb(pictures)?.nrow(columns.max(1)).padding(4).scale(1).pad_value(1.0).captions(captions))
}

/// Pictures below a folder as a figure: each in a square of `side` pixels, `columns` of them in a row, with a line of text
/// below.
///
/// # Errors
/// When there is no picture, or one cannot be read.
pub fn thumbnails<F: AsRef<str>, C: AsRef<str>>(
    folder: impl AsRef<Path>,
    files: &[(F, C)],
    columns: usize,
    side: u32,
) -> Result<Grid> {
    changed_thumbnails(folder, files, columns, side, |_, picture| Ok(picture))
}

/// [`thumbnails`] of pictures into which something is drawn before they are made small: `change` is told the number of the
/// picture.
///
/// # Errors
/// As [`thumbnails`], and those of `change`.
pub fn changed_thumbnails<F: AsRef<str>, C: AsRef<str>>(
    folder: impl AsRef<Path>,
    files: &[(F, C)],
    columns: usize,
    side: u32,
    change: impl Fn(usize, RgbImage) -> Result<RgbImage> + Sync,
) -> Result<Grid> {
    let files = files.iter().map(|(file, caption)| (file.as_ref(), caption.as_ref())).collect::<Vec<_>>();
    changed(folder.as_ref(), &files, columns, side, &change)
}

/// What is drawn into a picture before it is made small.
type Change<'a> = &'a (dyn Fn(usize, RgbImage) -> Result<RgbImage> + Sync);

fn changed(folder: &Path, files: &[(&str, &str)], columns: usize, side: u32, change: Change) -> Result<Grid> {
    let small = |(i, (file, _)): (usize, &(&str, &str))| {
        let path = folder.join(file);
        let picture = original(&path)
            .map_err(|Refused(kind, detail)| Error::file(&path, kind, "a picture that can be read", detail))?;
        Ok(square(&change(i, picture)?, side))
    };
    let pictures = files.par_iter().enumerate().map(small).collect::<Result<Vec<_>>>()?;
    figure(&pictures, columns, files.iter().map(|(_, caption)| caption.to_string()))
}

impl Sheet {
    /// The pictures, in the order of their names.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Files that cannot be read, and why.
    pub fn problems(&self) -> &Report {
        &self.problems
    }

    /// What is known of each picture, and what was decided.
    ///
    /// # Errors
    /// None; polars is asked to make columns of one length.
    pub fn table(&self) -> Result<Table> {
        let rows = || self.entries.iter();
        let standing = self.decisions.standing();
        let decided = |entry: &Entry| match standing.get(entry.file.as_str()).map(|line| line.decision) {
            Some(Decision::Drop) => "dropped",
            Some(_) => "kept",
            None => "",
        };
        let number = |value: Option<usize>| value.map_or(f64::NAN, |value| value as f64);
        Table::builder()
            .text("file", rows().map(|entry| entry.file.as_str()))
            .text("decision", rows().map(decided))
            .integers("width", rows().map(|entry| entry.size.0))
            .integers("height", rows().map(|entry| entry.size.1))
            .numbers("aspect", rows().map(|entry| aspect(entry.size)))
            .digits("aspect", 2)
            .numbers("blank (%)", rows().map(|entry| 100.0 * entry.blank))
            .digits("blank (%)", 1)
            .numbers("face", rows().map(|entry| number(entry.face)))
            .digits("face", 0)
            .numbers("near-duplicates", rows().map(|entry| number(entry.group.map(|group| group + 1))))
            .digits("near-duplicates", 0)
            .text("pointed out", rows().map(|entry| entry.flags.iter().map(|(k, _)| *k).collect::<Vec<_>>().join(", ")))
            .caption(&self.title)
            .build()
    }

    /// The sheet as a figure of at most `pictures` of them, `columns` in a row, with their names.
    ///
    /// # Errors
    /// When there is no picture.
    pub fn grid(&self, columns: usize, pictures: usize) -> Result<Grid> {
        self.part(&self.entries[..self.entries.len().min(pictures.max(1))], columns, String::new())
    }

    fn part(&self, entries: &[Entry], columns: usize, page: String) -> Result<Grid> {
        let standing = self.decisions.standing();
        let small = |entry: &Entry| {
            let wrong = |error: image::ImageError| {
                Error::invalid(entry.file.as_str(), error.to_string(), "a thumbnail that can be read", "")
            };
            Ok(square(&image::load_from_memory(&entry.thumbnail).map_err(wrong)?.into_rgb8(), self.thumbnail))
        };
        let pictures = entries.iter().map(small).collect::<Result<Vec<_>>>()?;
        let caption = |entry: &Entry| {
            let sign = match standing.get(entry.file.as_str()).map(|line| line.decision) {
                Some(Decision::Drop) => "✗ ",
                Some(_) => "✓ ",
                None => "",
            };
            let flags: Vec<&str> = entry.flags.iter().map(|(kind, _)| *kind).collect();
            let flags = if flags.is_empty() { String::new() } else { format!(" ({})", flags.join(", ")) };
            format!("{sign}{}{flags}", entry.file)
        };
        let grid = figure(&pictures, columns, entries.iter().map(caption))?;
        Ok(grid.title(format!("{}{page}", self.title)))
    }

    /// The sheet as a page that needs nothing else: the pictures small, `columns` in a row (0: as many as fit) and `page` at
    /// once. Keys decide: Enter or D drops the picture, space or K keeps it, U takes the last decision back, arrows move. The
    /// page saves all decisions, old and new, as a file for [`Decisions::open`]; until then the browser remembers them.
    pub fn html(&self, columns: usize, page: usize) -> String {
        let standing = self.decisions.standing();
        let picture = |entry: &Entry| {
            use base64::Engine;
            json!({
                "file": entry.file,
                "width": entry.size.0,
                "height": entry.size.1,
                "aspect": (100.0 * aspect(entry.size)).round() / 100.0,
                "blank": (1000.0 * entry.blank).round() / 10.0,
                "face": entry.face,
                "group": entry.group.map(|group| group + 1),
                "flags": entry.flags.iter().map(|(kind, detail)| match detail.is_empty() {
                    true => kind.to_string(),
                    false => format!("{kind}: {detail}"),
                }).collect::<Vec<_>>(),
                "small": base64::engine::general_purpose::STANDARD.encode(&entry.thumbnail),
            })
        };
        let names: Vec<&str> = self.entries.iter().map(|entry| entry.file.as_str()).collect();
        let broken: Vec<String> =
            self.problems.problems.iter().map(|p| format!("{}: {} {}", p.file, p.kind, p.detail)).collect();
        let data = json!({
            // Of the same pictures: what the browser remembers belongs to them.
            "id": &sha256_of(names.join("\n").as_bytes())[..16],
            "title": self.title,
            "pictures": self.entries.iter().map(picture).collect::<Vec<_>>(),
            "lines": self.decisions.lines(),
            "broken": broken,
            "page": page.max(1),
            "columns": columns,
            "side": self.thumbnail,
            "decided": standing.len(),
        });
        // Nothing in a name can end the element that holds it.
        let data = data.to_string().replace('<', "\\u003c");
        PAGE.replacen("{{data}}", &data, 1).replacen("{{title}}", &escape(&self.title), 1)
    }

    /// Writes the sheet: as a page (`.html`), as a table (`.csv`), or as figures (`.png`, `page` pictures each; the second one
    /// gets `-2` to its name). Returns how many files were written.
    ///
    /// # Errors
    /// For another extension, without pictures, or when a file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>, columns: usize, page: usize) -> Result<usize> {
        let path = path.as_ref();
        match save::extension(path, &["html", "csv", "png"])? {
            "html" => save::write_whole(path, self.html(columns, page).as_bytes())?,
            "csv" => self.table()?.save(path)?,
            _ => {
                let columns = if columns == 0 { 8 } else { columns };
                let pages: Vec<&[Entry]> = self.entries.chunks(page.max(1)).collect();
                for (i, entries) in pages.iter().enumerate() {
                    let (title, place) = match i {
                        0 => (String::new(), path.to_path_buf()),
                        _ => {
                            let stem = path.file_stem().unwrap_or_default().to_string_lossy();
                            (String::new(), path.with_file_name(format!("{stem}-{}.png", i + 1)))
                        }
                    };
                    let title = if pages.len() > 1 { format!(", {} of {}", i + 1, pages.len()) } else { title };
                    self.part(entries, columns, title)?.save(place)?;
                }
                return match pages.len() {
                    0 => Err(Error::invalid("contact sheet", "no picture", "at least one", "")),
                    count => Ok(count),
                };
            }
        }
        Ok(1)
    }
}
