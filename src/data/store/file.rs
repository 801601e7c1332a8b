//! The file of packed pictures: written once, mapped, and refused by name when anything in it changed.
//!
//! ```text
//! 0   8  "tachieST"
//! 8   4  version, 1
//! 12  4  side of the pictures
//! 16  8  number of pictures
//! 24  8  length of the index
//! 32  32 BLAKE3 of bytes 0..32 and the index
//! 64     pixels, red green blue, N·side·side·3
//!        index: 8 length of the JSON part, JSON, labels [N, L] f32, BLAKE3 of each picture [N, 32],
//!        key points [N, M, 3] f32 where the JSON part names them
//! ```
//! Numbers are little-endian. The index comes last, so that pictures can be written as they are decoded.

use std::fs::{self, File};
use std::io::{BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use memmap2::Mmap;
use rayon::prelude::*;

use super::{Index, Packed, Pixels};
use crate::{Error, Result};

pub(in crate::data) const MAGIC: &[u8; 8] = b"tachieST";
const VERSION: u32 = 1;
const HEADER: usize = 64;

const AGAIN: &str = "Pack the data set again with `tachie data pack`.";

/// Writes a store beside its final place and moves it there when it is complete.
pub(in crate::data) struct StoreWriter {
    file: BufWriter<File>,
    path: PathBuf,
    temporary: PathBuf,
    finished: bool,
}

impl StoreWriter {
    /// # Errors
    /// When the file exists already or cannot be written.
    pub fn create(path: &Path) -> Result<StoreWriter> {
        if path.exists() {
            let hint = "Nothing is overwritten: remove it or choose another name.";
            return Err(Error::file(path, "a file", "no file", hint));
        }
        let mut temporary = path.as_os_str().to_owned();
        temporary.push(format!(".tmp-{}", std::process::id()));
        let temporary = PathBuf::from(temporary);
        let file = File::create(&temporary).map_err(|source| Error::io("write the store", &temporary, source))?;
        let writer = StoreWriter { file: BufWriter::new(file), path: path.to_path_buf(), temporary, finished: false };
        writer.with_header(&[0; HEADER])
    }

    fn with_header(mut self, header: &[u8]) -> Result<StoreWriter> {
        self.write(header)?;
        Ok(self)
    }

    /// Appends the pixels of one picture.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.file.write_all(bytes).map_err(|source| Error::io("write the store", &self.temporary, source))
    }

    /// Writes the index and moves the complete file to its place.
    ///
    /// # Errors
    /// When the file cannot be written or moved.
    pub fn finish(mut self, index: &Index) -> Result<()> {
        let bytes = index_bytes(index)?;
        self.write(&bytes)?;
        let header = header(index, &bytes);
        self.commit(&header).map_err(|source| Error::io("write the store", &self.path, source))?;
        self.finished = true;
        Ok(())
    }

    fn commit(&mut self, header: &[u8]) -> std::io::Result<()> {
        self.file.seek(SeekFrom::Start(0))?;
        self.file.write_all(header)?;
        self.file.flush()?;
        self.file.get_ref().sync_all()?;
        fs::rename(&self.temporary, &self.path)?;
        match self.path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            Some(parent) => File::open(parent)?.sync_all(),
            None => File::open(".")?.sync_all(),
        }
    }
}

impl Drop for StoreWriter {
    fn drop(&mut self) {
        if !self.finished {
            // The half file is of no use; when even this fails it stays behind under its temporary name.
            let _ = fs::remove_file(&self.temporary);
        }
    }
}

fn index_bytes(index: &Index) -> Result<Vec<u8>> {
    let json = serde_json::to_vec(index).map_err(|error| Error::invalid("index", error.to_string(), "JSON", ""))?;
    let mut bytes = (json.len() as u64).to_le_bytes().to_vec();
    bytes.extend_from_slice(&json);
    for value in &index.labels {
        bytes.extend_from_slice(&value.to_le_bytes());
    }
    bytes.extend_from_slice(index.hashes.as_flattened());
    for value in index.points.as_flattened() {
        bytes.extend_from_slice(&value.to_le_bytes());
    }
    Ok(bytes)
}

fn header(index: &Index, index_bytes: &[u8]) -> Vec<u8> {
    let mut header = MAGIC.to_vec();
    header.extend_from_slice(&VERSION.to_le_bytes());
    header.extend_from_slice(&index.size.to_le_bytes());
    header.extend_from_slice(&(index.keys.len() as u64).to_le_bytes());
    header.extend_from_slice(&(index_bytes.len() as u64).to_le_bytes());
    let hash = header_hash(&header, index_bytes);
    header.extend_from_slice(&hash);
    header
}

fn header_hash(header: &[u8], index: &[u8]) -> [u8; 32] {
    *blake3::Hasher::new().update(header).update(index).finalize().as_bytes()
}

/// Maps a store and compares everything in it with its hashes.
///
/// The pixels are read from the file while the data set is used: changing or shortening it meanwhile is not noticed,
/// as with every mapped file.
///
/// # Errors
/// When it cannot be read, is no store, is truncated, or was altered; the message names the picture.
pub(in crate::data) fn open(path: &Path) -> Result<Packed> {
    let io = |source| Error::io("read the store", path, source);
    let file = File::open(path).map_err(io)?;
    if file.metadata().map_err(io)?.len() < HEADER as u64 {
        return Err(Error::file(path, "a file without a header", "a complete store", AGAIN));
    }
    // SAFETY: the map is only read, as plain bytes, for which every bit pattern is valid. A file that another process
    // shortens meanwhile would end this one with SIGBUS; stores are written once, under another name, and moved.
    let map = unsafe { Mmap::map(&file) }.map_err(io)?;
    let (index, pixels) = read(path, &map)?;
    verify(path, &index, &map[pixels.clone()])?;
    Packed::with(index, Pixels::Mapped(map, pixels.start))
}

fn read(path: &Path, map: &[u8]) -> Result<(Index, std::ops::Range<usize>)> {
    let wrong = |found: String, expected: &str| Error::file(path, found, expected, AGAIN);
    let header = &map[..HEADER];
    if &header[..8] != MAGIC {
        return Err(wrong("another kind of file".into(), "a store that begins with tachieST"));
    }
    let four = |at: usize| u32::from_le_bytes([0, 1, 2, 3].map(|i| header[at + i]));
    let eight = |at: usize| u64::from(four(at)) | u64::from(four(at + 4)) << 32;
    let (version, size, count, index_length) = (four(8), four(12), eight(16), eight(24));
    if version != VERSION {
        return Err(wrong(format!("version {version}"), "version 1, the only one this library knows"));
    }
    let pixel_bytes = u64::from(size).checked_pow(2).and_then(|area| area.checked_mul(3)?.checked_mul(count));
    let total = pixel_bytes.and_then(|bytes| bytes.checked_add(index_length)?.checked_add(HEADER as u64));
    let (Some(pixel_bytes), Some(total)) = (pixel_bytes, total) else {
        return Err(wrong(format!("{count} pictures of {size} pixels"), "a possible number of pictures"));
    };
    if total != map.len() as u64 {
        return Err(wrong(format!("{} bytes", map.len()), &format!("{total} bytes: it is truncated or was altered")));
    }
    // Both fit: they add up to the length of the map.
    let end = HEADER + pixel_bytes as usize;
    let index = &map[end..];
    if header_hash(&header[..32], index) != header[32..] {
        return Err(wrong("an altered index".into(), "the index that was written"));
    }
    let index = parse_index(index).ok_or_else(|| wrong("an unreadable index".into(), "the index of this version"))?;
    let (pictures, width) = (index.keys.len(), index.tags.len());
    let lengths = [index.prescribed.len(), index.hashes.len(), count as usize];
    let counts = [index.labels.len(), index.points.len()];
    if index.size != size || lengths != [pictures; 3] || counts != [pictures * width, pictures * index.keypoints()] {
        return Err(wrong("an index of another data set".into(), "as many entries as pictures"));
    }
    Ok((index, HEADER..end))
}

fn parse_index(bytes: &[u8]) -> Option<Index> {
    let (length, rest) = bytes.split_first_chunk::<8>()?;
    let (json, rest) = rest.split_at_checked(usize::try_from(u64::from_le_bytes(*length)).ok()?)?;
    let mut index: Index = serde_json::from_slice(json).ok()?;
    let pictures = index.keys.len();
    let (labels, hashes) = rest.split_at_checked(pictures.checked_mul(index.tags.len())?.checked_mul(4)?)?;
    let floats = |bytes: &[u8]| bytes.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
    let (hashes, points) = match index.skeleton {
        Some(_) => hashes.split_at_checked(pictures.checked_mul(32)?)?,
        None => (hashes, &[][..]),
    };
    let points: Vec<f32> = floats(points);
    index.labels = floats(labels);
    index.hashes = hashes.as_chunks::<32>().0.to_vec();
    index.points = points.as_chunks::<3>().0.to_vec();
    Some(index)
}

fn verify(path: &Path, index: &Index, pixels: &[u8]) -> Result<()> {
    let pictures = pixels.par_chunks_exact(index.image_bytes().max(1));
    let altered = pictures.zip(&index.hashes).position_first(|(bytes, hash)| blake3::hash(bytes).as_bytes() != hash);
    match altered {
        None => Ok(()),
        Some(i) => {
            let found = format!("altered pixels in picture {i} ({})", index.keys[i]);
            Err(Error::file(path, found, "the pixels that were written", AGAIN))
        }
    }
}
