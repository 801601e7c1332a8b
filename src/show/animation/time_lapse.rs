//! A training from its first preview to its last.
//!
//! A run folder keeps every preview in its TensorBoard event files, as PNG; `preview.png` is only the latest.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use image::RgbImage;
use image::imageops::{self, FilterType};

use super::Animation;
use crate::show::number::{decimal, grouped};
use crate::train::history::History;
use crate::{Error, Result};

/// Tag of the pictures in event files.
const TAG: &str = "preview";
/// First bytes of the names of event files.
const EVENTS: &str = "events.out.tfevents.";

/// How fast a training is shown.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TimeLapse {
    /// Duration of the animation in seconds. Default 10.
    pub seconds: f64,
    /// Frames per second. Default 10.
    pub fps: f64,
    /// What is shown at the share t of the duration is from the share t^`exponent` of the training: above 1 the beginning,
    /// where most changes, is shown more slowly (Progressive GAN's training videos: 1.5, the default).
    pub exponent: f64,
    /// A line below every frame: step, thousands of images shown, training time. On by default.
    pub captions: bool,
}

impl Default for TimeLapse {
    fn default() -> Self {
        TimeLapse { seconds: 10.0, fps: 10.0, exponent: 1.5, captions: true }
    }
}

/// A preview of a run.
struct Sheet {
    step: u64,
    png: Vec<u8>,
}

impl TimeLapse {
    /// The animation of a run folder, of all its previews. Smaller previews (of a network that grows) are enlarged to the
    /// size of the largest.
    ///
    /// # Errors
    /// When the folder holds no run or no preview, a file in it is damaged, or the numbers cannot be.
    pub fn of(&self, run: impl AsRef<Path>) -> Result<Animation> {
        let run = run.as_ref();
        self.check()?;
        let history = History::open(run)?;
        let sheets = sheets(run)?;
        let at = |step: u64| history.records().iter().rev().find(|record| record.step <= step);
        let captions: Vec<String> = sheets.iter().map(|sheet| caption(sheet.step, at(sheet.step))).collect();
        let pictures = pictures(run, &sheets)?;
        // Training time where the history knows it, or else steps.
        let clock = |sheet: &Sheet| at(sheet.step).map_or(sheet.step as f64, |record| record.seconds);
        let clocks: Vec<f64> = sheets.iter().map(clock).collect();
        let total = clocks.last().copied().unwrap_or(0.0);
        let frames = ((self.seconds * self.fps).round() as usize).max(1);
        let shown: Vec<usize> = (0..frames)
            .map(|i| {
                let time = ((i + 1) as f64 / frames as f64).powf(self.exponent) * total;
                clocks.iter().rposition(|clock| *clock <= time * (1.0 + 1e-12)).unwrap_or(0)
            })
            .collect();
        let animation = Animation::new(shown.iter().map(|i| pictures[*i].clone()).collect::<Vec<_>>(), self.fps)?;
        match self.captions {
            true => animation.captioned(&shown.iter().map(|i| captions[*i].as_str()).collect::<Vec<_>>()),
            false => Ok(animation),
        }
    }

    fn check(&self) -> Result<()> {
        let above = |value: f64| value.is_finite() && value > 0.0;
        let TimeLapse { seconds, fps, exponent, .. } = *self;
        if above(seconds) && above(fps) && above(exponent) && seconds * fps <= 1e5 {
            return Ok(());
        }
        let found = format!("{seconds} seconds, {fps} frames per second, exponent {exponent}");
        Err(Error::invalid("time lapse", found, "numbers above 0, at most 100,000 frames", ""))
    }
}

impl Animation {
    /// The pictures of a folder in the order of their names, `fps` of them a second, each with its name below: sample
    /// sheets that somebody numbered. For a run folder of this library: [`TimeLapse`].
    ///
    /// # Errors
    /// When the folder cannot be read or holds no PNG, or a picture cannot be decoded.
    pub fn from_folder(folder: impl AsRef<Path>, fps: f64) -> Result<Animation> {
        let folder = folder.as_ref();
        let is_png = |path: &PathBuf| path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("png"));
        let files = list(folder, is_png)?;
        if files.is_empty() {
            return Err(Error::file(folder, "no PNG file", "pictures that are named in order", ""));
        }
        let read = |path: &PathBuf| fs::read(path).map_err(|source| Error::io("read the picture", path, source));
        let decoded = files.iter().map(|path| decoded(path, &read(path)?)).collect::<Result<Vec<_>>>()?;
        let name = |path: &PathBuf| path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        Animation::new(same_size(decoded), fps)?.captioned(&files.iter().map(name).collect::<Vec<_>>())
    }
}

fn caption(step: u64, record: Option<&crate::train::history::Record>) -> String {
    let Some(record) = record else { return format!("step {}", grouped(step)) };
    let seconds = Duration::try_from_secs_f64(record.seconds).unwrap_or_default().as_secs();
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    let kimg = decimal(record.images as f64 / 1000.0, 1);
    format!("step {}, {kimg} kimg, {hours}:{minutes:02}:{:02}", grouped(step), seconds % 60)
}

fn list(folder: &Path, wanted: impl Fn(&PathBuf) -> bool) -> Result<Vec<PathBuf>> {
    let io = |source| Error::io("list the folder", folder, source);
    let entries = fs::read_dir(folder).map_err(io)?;
    let mut files: Vec<PathBuf> = entries.map(|entry| Ok(entry.map_err(io)?.path())).collect::<Result<_>>()?;
    files.retain(|file| file.is_file() && wanted(file));
    files.sort();
    Ok(files)
}

fn pictures(run: &Path, sheets: &[Sheet]) -> Result<Vec<RgbImage>> {
    let decode = |sheet: &Sheet| decoded(&run.join(format!("preview of step {}", sheet.step)), &sheet.png);
    Ok(same_size(sheets.iter().map(decode).collect::<Result<_>>()?))
}

fn decoded(path: &Path, png: &[u8]) -> Result<RgbImage> {
    let picture = image::load_from_memory(png);
    Ok(picture.map_err(|error| Error::file(path, error.to_string(), "a PNG picture", ""))?.into_rgb8())
}

fn same_size(mut pictures: Vec<RgbImage>) -> Vec<RgbImage> {
    let (width, height) =
        pictures.iter().fold((1, 1), |(w, h), picture| (w.max(picture.width()), h.max(picture.height())));
    for picture in pictures.iter_mut().filter(|picture| picture.dimensions() != (width, height)) {
        *picture = imageops::resize(picture, width, height, FilterType::Nearest);
    }
    pictures
}

/// All previews of a run by step, without those that a resumed run made void.
fn sheets(run: &Path) -> Result<Vec<Sheet>> {
    let is_events = |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(EVENTS));
    let mut sheets: Vec<Sheet> = Vec::new();
    for file in list(run, is_events)? {
        let bytes = fs::read(&file).map_err(|source| Error::io("read the event file", &file, source))?;
        for event in Records::of(&bytes) {
            let damaged = |at: usize| {
                let found = format!("a damaged record at byte {at}");
                Error::file(&file, found, "the records of TensorBoard", "Restore it, or remove it from the folder.")
            };
            match parse(event.map_err(damaged)?) {
                Some(Event::Start(step)) => sheets.retain(|sheet| sheet.step < step),
                Some(Event::Preview(sheet)) => sheets.push(sheet),
                None => {}
            }
        }
    }
    sheets.sort_by_key(|sheet| sheet.step);
    // The last call of a run draws its last step again.
    sheets.dedup_by_key(|sheet| sheet.step);
    if sheets.is_empty() {
        let hint = "Previews are in the files events.out.tfevents.*; train with intervals.preview above 0.";
        return Err(Error::file(run, "no preview", "a run folder with event files", hint));
    }
    Ok(sheets)
}

/// Records of a TFRecord file: length, checksum of the length, data, checksum of the data. One that is cut off at the end
/// is still being written.
struct Records<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Records<'a> {
    fn of(bytes: &'a [u8]) -> Records<'a> {
        Records { bytes, at: 0 }
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = std::result::Result<&'a [u8], usize>;

    fn next(&mut self) -> Option<Self::Item> {
        let start = self.at;
        let (length, rest) = self.bytes.get(start..)?.split_first_chunk::<8>()?;
        let (length_sum, rest) = rest.split_first_chunk::<4>()?;
        if masked(length) != u32::from_le_bytes(*length_sum) {
            // Nothing says where the next record begins.
            self.at = self.bytes.len();
            return Some(Err(start));
        }
        let length = usize::try_from(u64::from_le_bytes(*length)).ok()?;
        let (data, rest) = rest.split_at_checked(length)?;
        let (data_sum, _) = rest.split_first_chunk::<4>()?;
        self.at = start + 16 + length;
        Some(if masked(data) == u32::from_le_bytes(*data_sum) { Ok(data) } else { Err(start) })
    }
}

/// CRC-32C as TFRecords have it (`crc32c.h`, `Mask`).
fn masked(data: &[u8]) -> u32 {
    crc32c::crc32c(data).rotate_right(15).wrapping_add(0xa282_ead8)
}

enum Event {
    /// What was logged for this step or later is void.
    Start(u64),
    Preview(Sheet),
}

/// A field of a protocol buffer: its number, and its contents where it is text, bytes or a message.
enum Field<'a> {
    Number(u64, u64),
    Bytes(u64, &'a [u8]),
    Other,
}

/// What an event (`tensorflow/core/util/event.proto`) says, if it is of any interest here.
fn parse(event: &[u8]) -> Option<Event> {
    let mut step = 0;
    let (mut started, mut png) = (false, None);
    for field in fields(event) {
        match field {
            Field::Number(2, value) => step = value,
            Field::Bytes(7, log) => started = fields(log).any(|field| matches!(field, Field::Number(1, 1))),
            Field::Bytes(5, summary) => png = png.or_else(|| fields(summary).find_map(|field| preview(&field))),
            _ => {}
        }
    }
    match png {
        Some(png) => Some(Event::Preview(Sheet { step, png })),
        None => started.then_some(Event::Start(step)),
    }
}

/// The PNG of a value of a summary, if it is the preview.
fn preview(value: &Field) -> Option<Vec<u8>> {
    let Field::Bytes(1, value) = value else { return None };
    let tagged = fields(value).any(|field| matches!(field, Field::Bytes(1, tag) if tag == TAG.as_bytes()));
    let image = fields(value).find_map(|field| if let Field::Bytes(4, image) = field { Some(image) } else { None })?;
    let png = fields(image).find_map(|field| if let Field::Bytes(4, png) = field { Some(png) } else { None })?;
    tagged.then(|| png.to_vec())
}

/// The fields of a message, as far as they can be read.
fn fields(mut bytes: &[u8]) -> impl Iterator<Item = Field<'_>> {
    std::iter::from_fn(move || {
        let key = varint(&mut bytes)?;
        let number = key >> 3;
        match key & 7 {
            0 => Some(Field::Number(number, varint(&mut bytes)?)),
            1 => take(&mut bytes, 8).map(|_| Field::Other),
            5 => take(&mut bytes, 4).map(|_| Field::Other),
            2 => {
                let length = usize::try_from(varint(&mut bytes)?).ok()?;
                take(&mut bytes, length).map(|contents| Field::Bytes(number, contents))
            }
            _ => None,
        }
    })
}

fn take<'a>(bytes: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(taken)
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Records that `tests/fixtures/make_tensorboard.py` wrote with TensorBoard's own classes.
    const BYTES: &[u8] = include_bytes!("../../../tests/fixtures/tensorboard.bin");

    #[test]
    fn tensorboards_own_records_are_read() {
        let events: Vec<_> = Records::of(BYTES).map(|record| parse(record.unwrap())).collect();
        assert_eq!(events.len(), 4);
        assert!(events[0].is_none() && events[2].is_none());
        assert!(matches!(events[1], Some(Event::Start(12))));
        let Some(Event::Preview(Sheet { step, png })) = &events[3] else { panic!("no preview") };
        assert_eq!((*step, png.as_slice()), (7, &b"not really a png"[..]));
    }

    #[test]
    fn cut_records_end_the_file_and_damaged_ones_are_named() {
        for length in 0..BYTES.len() {
            assert!(Records::of(&BYTES[..length]).all(|record| record.is_ok()), "cut at {length}");
        }
        for place in 0..BYTES.len() {
            let mut bytes = BYTES.to_vec();
            bytes[place] ^= 1;
            assert!(Records::of(&bytes).any(|record| record.is_err()), "changed at {place}");
        }
    }
}
