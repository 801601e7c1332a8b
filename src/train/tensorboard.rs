//! TensorBoard event files: scalars and pictures, framed as TFRecords.
//!
//! The format is `tensorflow/core/util/event.proto` and `framework/summary.proto` in the framing of
//! `lib/io/record_writer.cc`; `tests/tensorboard.rs` reads the files back with TensorBoard's own reader.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use super::lock::host;
use crate::{Error, Result};

/// An event file that grows with a run.
#[derive(Debug)]
pub struct EventFile {
    path: PathBuf,
    file: BufWriter<File>,
}

impl EventFile {
    /// Starts a new file in `folder` for a run that goes on after step `step`. TensorBoard drops what earlier files
    /// say about later steps, so a resumed run shows one line.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn create(folder: impl AsRef<Path>, step: u64) -> Result<EventFile> {
        let now = now();
        let name = |attempt: u32| {
            format!("events.out.tfevents.{:010}.{}.{}.{attempt}", now as u64, host(), std::process::id())
        };
        // TensorBoard reads files in the order of their names, so a second one within a second must sort behind.
        let attempt = (0..1000).find(|&attempt| !folder.as_ref().join(name(attempt)).exists()).unwrap_or(1000);
        let path = folder.as_ref().join(name(attempt));
        let file = File::create(&path).map_err(|e| Error::io("create the event file", &path, e))?;
        let mut events = EventFile { path, file: BufWriter::new(file) };
        events.write(&Event::version().encode(now))?;
        if step > 0 {
            events.write(&Event::start(step + 1).encode(now))?;
        }
        events.flush()?;
        Ok(events)
    }

    /// Adds numbers of step `step`, by tag (`discriminator/adv`).
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn scalars<'a>(&mut self, step: u64, values: impl IntoIterator<Item = (&'a str, f64)>) -> Result<()> {
        let mut event = Event::new(step);
        for (tag, value) in values {
            event.scalar(tag, value as f32);
        }
        self.write(&event.encode(now()))
    }

    /// Adds a picture of step `step`: an encoded PNG and its size in pixels.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn image(&mut self, step: u64, tag: &str, size: (u32, u32), png: &[u8]) -> Result<()> {
        let mut event = Event::new(step);
        event.image(tag, size, png);
        self.write(&event.encode(now()))
    }

    /// Hands everything to the system.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn flush(&mut self) -> Result<()> {
        self.file.flush().map_err(|e| Error::io("write to the event file", &self.path, e))
    }

    fn write(&mut self, event: &[u8]) -> Result<()> {
        self.file.write_all(&frame(event)).map_err(|e| Error::io("write to the event file", &self.path, e))
    }
}

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}

/// One record: length, masked CRC of the length, data, masked CRC of the data.
fn frame(data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u64).to_le_bytes();
    let mut record = Vec::with_capacity(data.len() + 16);
    record.extend(length);
    record.extend(masked_crc(&length).to_le_bytes());
    record.extend(data);
    record.extend(masked_crc(data).to_le_bytes());
    record
}

/// CRC-32C, rotated and shifted so that a CRC of data that holds CRCs stays meaningful (`crc32c.h`, `Mask`).
fn masked_crc(data: &[u8]) -> u32 {
    crc32c::crc32c(data).rotate_right(15).wrapping_add(0xa282_ead8)
}

/// `tensorflow.Event` with its fields 2 and up, encoded as protocol buffer.
struct Event {
    step: u64,
    /// Field number and contents of the `what` that the event carries.
    what: Option<(u32, Vec<u8>)>,
    summary: Vec<u8>,
}

impl Event {
    fn new(step: u64) -> Event {
        Event { step, what: None, summary: Vec::new() }
    }

    fn version() -> Event {
        Event { what: Some((3, b"brain.Event:2".to_vec())), ..Event::new(0) }
    }

    /// `SessionLog { status: START }`: what was logged for this step or later is void.
    fn start(step: u64) -> Event {
        let mut log = Vec::new();
        varint_field(&mut log, 1, 1);
        Event { what: Some((7, log)), ..Event::new(step) }
    }

    fn scalar(&mut self, tag: &str, value: f32) {
        let mut entry = Vec::new();
        bytes_field(&mut entry, 1, tag.as_bytes());
        key(&mut entry, 2, 5);
        entry.extend(value.to_le_bytes());
        bytes_field(&mut self.summary, 1, &entry);
    }

    fn image(&mut self, tag: &str, (width, height): (u32, u32), png: &[u8]) {
        let mut image = Vec::new();
        varint_field(&mut image, 1, height.into());
        varint_field(&mut image, 2, width.into());
        varint_field(&mut image, 3, 3);
        bytes_field(&mut image, 4, png);
        let mut entry = Vec::new();
        bytes_field(&mut entry, 1, tag.as_bytes());
        bytes_field(&mut entry, 4, &image);
        bytes_field(&mut self.summary, 1, &entry);
    }

    fn encode(&self, wall_time: f64) -> Vec<u8> {
        let mut event = Vec::new();
        key(&mut event, 1, 1);
        event.extend(wall_time.to_le_bytes());
        if self.step > 0 {
            varint_field(&mut event, 2, self.step);
        }
        match &self.what {
            Some((field, contents)) => bytes_field(&mut event, *field, contents),
            None => bytes_field(&mut event, 5, &self.summary),
        }
        event
    }
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn key(out: &mut Vec<u8>, field: u32, wire_type: u32) {
    varint(out, u64::from(field << 3 | wire_type));
}

fn varint_field(out: &mut Vec<u8>, field: u32, value: u64) {
    key(out, field, 0);
    varint(out, value);
}

fn bytes_field(out: &mut Vec<u8>, field: u32, bytes: &[u8]) {
    key(out, field, 2);
    varint(out, bytes.len() as u64);
    out.extend(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Records that `tests/fixtures/make_tensorboard.py` wrote with TensorBoard's own classes (its `EventFileWriter`).
    #[test]
    fn records_are_those_of_tensorboard() {
        let mut scalars = Event::new(300);
        scalars.scalar("d/adv", 1.25);
        scalars.scalar("g/adv", -0.5);
        let mut image = Event::new(7);
        image.image("preview", (3, 2), b"not really a png");
        let events = [Event::version(), Event::start(12), scalars, image];
        let bytes: Vec<u8> = events.iter().flat_map(|event| frame(&event.encode(1_700_000_000.5))).collect();
        assert_eq!(bytes, include_bytes!("../../tests/fixtures/tensorboard.bin"));
    }

    #[test]
    fn a_second_file_within_a_second_has_its_own_name() {
        let folder = tempfile::tempdir().unwrap();
        for _ in 0..3 {
            EventFile::create(folder.path(), 0).unwrap();
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 3);
    }
}
