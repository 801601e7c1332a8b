//! Weights in WebDNN's "eightbit" encoding, the format in which make.girls.moe published its generators.
//!
//! A file is a list of blocks until its end: i32 offset of the first number (counted in numbers), i32 length n of the
//! compressed bytes, f32 scale, i32 0, then n bytes of zlib. An inflated byte b stands for
//! ±table\[b & 127\]·scale, negative for b ≥ 128. All numbers are little-endian. Which stretch of numbers is which
//! tensor stands in a separate map, a CSV table with the columns name, float_offset, shape, layout.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor};
use flate2::bufread::ZlibDecoder;
use sha2::{Digest, Sha256};

use crate::{Error, Result};

/// Bytes of offset, length, scale and zero.
const HEADER: usize = 16;
/// More numbers than any published network has (1 GiB as f32): what inflates to more is not one.
const MAX_NUMBERS: usize = 1 << 28;

/// The 128 magnitudes that a byte can stand for, before scaling; from 0 to 1, increasing.
#[derive(Clone, Debug, PartialEq)]
pub struct CodeTable(Vec<f32>);

impl CodeTable {
    /// Reads a table: one number per line.
    ///
    /// # Errors
    /// When the file cannot be read or is not 128 finite numbers that increase from 0.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let text = read_text(path, "decoding table")?;
        let hint = "Use the table of the WebDNN eightbit format.";
        let number = |(row, line): (usize, &str)| {
            let wrong = || Error::file(path, format!("{line:?} in line {}", row + 1), "one finite number", hint);
            line.trim().parse::<f32>().ok().filter(|number| number.is_finite()).ok_or_else(wrong)
        };
        let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
        let numbers = lines.map(number).collect::<Result<Vec<f32>>>()?;
        if numbers.len() != 128 {
            return Err(Error::file(path, format!("{} numbers", numbers.len()), "128 numbers", hint));
        }
        if numbers[0] != 0.0 || numbers.windows(2).any(|pair| pair[0] >= pair[1]) {
            return Err(Error::file(path, "numbers in another order", "numbers that increase from 0", hint));
        }
        Ok(CodeTable(numbers))
    }

    fn decode(&self, byte: u8, scale: f32) -> f32 {
        let magnitude = self.0[usize::from(byte & 127)] * scale;
        if byte < 128 { magnitude } else { -magnitude }
    }
}

/// The decoded numbers of a file.
#[derive(Clone)]
pub struct Eightbit {
    path: PathBuf,
    numbers: Vec<f32>,
    /// Byte offset and CRC-32C of each block.
    blocks: Vec<(usize, u32)>,
    bytes: usize,
    sha256: String,
}

impl std::fmt::Debug for Eightbit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Eightbit({} numbers in {} blocks, sha256 {})", self.numbers.len(), self.blocks(), self.sha256)
    }
}

impl Eightbit {
    /// Reads and decodes a file.
    ///
    /// # Errors
    /// When the file cannot be read or a block is truncated or altered: out of order, of an impossible length or
    /// scale, not inflatable, failing its checksum, or without the code of its own largest number. The message has the
    /// number of the block, counted from 0, and its byte offset.
    pub fn open(path: impl AsRef<Path>, table: &CodeTable) -> Result<Self> {
        let path = path.as_ref();
        let bytes = std::fs::read(path).map_err(|e| Error::io("read the weights", path, e))?;
        let mut numbers = Vec::new();
        let (mut blocks, mut at) = (Vec::new(), 0);
        while at < bytes.len() {
            let block = Block { path, number: blocks.len(), at };
            let length = block.decode(&bytes[at..], table, &mut numbers)?;
            blocks.push((at, crc32c::crc32c(&bytes[at..at + length])));
            at += length;
        }
        if blocks.is_empty() {
            return Err(Error::file(path, "an empty file", "weights in WebDNN's eightbit format", ""));
        }
        let sha256 = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Eightbit { path: path.to_path_buf(), numbers, blocks, bytes: at, sha256 })
    }

    /// All numbers in the order of the file.
    pub fn numbers(&self) -> &[f32] {
        &self.numbers
    }

    /// How many blocks the file has.
    pub fn blocks(&self) -> usize {
        self.blocks.len()
    }

    /// Length of the file in bytes.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Compares each block with the CRC-32C that it has in a file known to be whole. Of a block's header nothing but
    /// this shows that the scale was altered.
    ///
    /// # Errors
    /// Names the first block that differs and its byte offset.
    pub fn verify(&self, checksums: &[u32]) -> Result<()> {
        if self.blocks.len() != checksums.len() {
            let expected = format!("{} blocks", checksums.len());
            return Err(Error::file(&self.path, format!("{} blocks", self.blocks.len()), expected, ""));
        }
        for (number, (&(at, found), &wanted)) in self.blocks.iter().zip(checksums).enumerate() {
            if found != wanted {
                let block = Block { path: &self.path, number, at };
                return Err(block.wrong(format!("checksum {found:08x}"), format!("{wanted:08x} as published")));
            }
        }
        Ok(())
    }

    /// SHA-256 of the file, in hexadecimal.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// The tensors that `map` names, on the CPU as f32, in PyTorch's axis order: convolutions
    /// `[out, in, height, width]`, dense layers `[out, in]`.
    ///
    /// # Errors
    /// When tensors lie outside the file or over each other, or leave numbers unused: the message names them.
    pub fn tensors(&self, map: &TensorMap) -> Result<BTreeMap<String, Tensor>> {
        self.covered(map)?;
        let tensor = |entry: &MapEntry| {
            let numbers = &self.numbers[entry.offset..entry.offset + entry.len()];
            Ok((entry.name.clone(), entry.layout.tensor(numbers, &entry.shape)?))
        };
        map.entries.iter().map(tensor).collect()
    }

    fn covered(&self, map: &TensorMap) -> Result<()> {
        let mut sorted: Vec<&MapEntry> = map.entries.iter().collect();
        sorted.sort_by_key(|entry| entry.offset);
        let (mut end, mut before) = (0, "the beginning of the file");
        let wrong = |found: String| {
            let expected = format!("tensors that cover the {} numbers of {}", self.numbers.len(), self.path.display());
            Error::file(&map.path, found, expected, "Weights and map must belong together.")
        };
        for entry in sorted {
            let name = &entry.name;
            if entry.offset < end {
                return Err(wrong(format!("{name} at {}, inside {before}, which ends at {end}", entry.offset)));
            }
            if entry.offset > end {
                return Err(wrong(format!("numbers {end} to {} between {before} and {name}, unused", entry.offset)));
            }
            end += entry.len();
            before = name;
            if end > self.numbers.len() {
                return Err(wrong(format!("{name}, which ends at {end}")));
            }
        }
        if end < self.numbers.len() {
            return Err(wrong(format!("no tensor after {before}, which ends at {end}")));
        }
        Ok(())
    }
}

/// Where in the file a block is, for messages.
struct Block<'a> {
    path: &'a Path,
    number: usize,
    at: usize,
}

impl Block<'_> {
    fn wrong(&self, found: impl std::fmt::Display, expected: impl Into<String>) -> Error {
        let found = format!("block {} at byte {}: {found}", self.number, self.at);
        Error::file(self.path, found, expected, "The file is truncated or altered; get it again.")
    }

    /// Decodes the block that `bytes` begins with, appends its numbers and returns its length in bytes.
    fn decode(&self, bytes: &[u8], table: &CodeTable, numbers: &mut Vec<f32>) -> Result<usize> {
        let word = |i: usize| -> Result<[u8; 4]> {
            let word = bytes.get(4 * i..4 * i + 4).and_then(|word| word.try_into().ok());
            word.ok_or_else(|| self.wrong(format!("a header of {} bytes", bytes.len()), format!("{HEADER} bytes")))
        };
        let offset = i32::from_le_bytes(word(0)?);
        let length = i32::from_le_bytes(word(1)?);
        let scale = f32::from_le_bytes(word(2)?);
        let zero = i32::from_le_bytes(word(3)?);
        if usize::try_from(offset) != Ok(numbers.len()) {
            return Err(self.wrong(format!("offset {offset}"), format!("{}, where the last block ends", numbers.len())));
        }
        let length = usize::try_from(length).ok().filter(|&length| length > 0);
        let length = length.ok_or_else(|| self.wrong("no compressed bytes", "at least one"))?;
        if !(scale.is_finite() && scale > 0.0) {
            return Err(self.wrong(format!("scale {scale}"), "a positive number"));
        }
        if zero != 0 {
            return Err(self.wrong(format!("{zero} in the reserved field"), "0"));
        }
        let Some(packed) = bytes.get(HEADER..HEADER + length) else {
            let left = bytes.len() - HEADER;
            return Err(self.wrong(format!("{left} compressed bytes"), format!("{length}, as its header says")));
        };
        let codes = self.inflate(packed, MAX_NUMBERS - numbers.len())?;
        // The scale is the block's largest magnitude, so that its own code (127, magnitude 1) occurs.
        if !codes.iter().any(|code| code & 127 == 127) {
            return Err(self.wrong("no code of the largest magnitude", "at least one in each block"));
        }
        numbers.extend(codes.into_iter().map(|code| table.decode(code, scale)));
        Ok(HEADER + length)
    }

    fn inflate(&self, packed: &[u8], limit: usize) -> Result<Vec<u8>> {
        let mut decoder = ZlibDecoder::new(packed);
        let mut codes = Vec::new();
        let read = decoder.by_ref().take(limit as u64 + 1).read_to_end(&mut codes);
        read.map_err(|e| self.wrong(format!("zlib data that cannot be inflated ({e})"), "whole zlib data"))?;
        if codes.len() > limit {
            return Err(self.wrong("more numbers", format!("at most {MAX_NUMBERS} in a file")));
        }
        if decoder.total_in() != packed.len() as u64 {
            let left = packed.len() as u64 - decoder.total_in();
            return Err(self.wrong(format!("{left} bytes after the zlib data"), "none"));
        }
        Ok(codes)
    }
}

/// Names, places and shapes of the tensors of a file.
#[derive(Clone, Debug)]
pub struct TensorMap {
    path: PathBuf,
    entries: Vec<MapEntry>,
}

/// One tensor of a [`TensorMap`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MapEntry {
    /// Its name in the file.
    pub name: String,
    /// Index of its first number.
    pub offset: usize,
    /// Its shape as stored.
    pub shape: Vec<usize>,
    /// The order of its axes as stored.
    pub layout: Layout,
}

/// Order of the axes of a stored tensor; the last one is contiguous.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// One axis.
    Vector,
    /// A dense layer, `[out][in]`.
    OutIn,
    /// A convolution, `[kh][kw][ci][co]`.
    KhKwCiCo,
}

#[derive(serde::Deserialize)]
struct Row {
    name: String,
    float_offset: usize,
    shape: String,
    layout: String,
}

impl TensorMap {
    /// Reads a map: a CSV table with the columns name, float_offset, shape (`3x3x64x256`) and layout.
    ///
    /// # Errors
    /// When the file cannot be read, or a line is no tensor, or a name occurs twice: the message has the line.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let text = read_text(path, "tensor map")?;
        let mut names = std::collections::BTreeSet::new();
        let mut entries = Vec::new();
        for (i, row) in csv::Reader::from_reader(text.as_bytes()).deserialize::<Row>().enumerate() {
            let expected = "name,float_offset,shape,layout as in dense.bias,2674752,16384,";
            let wrong = |found: String| Error::file(path, format!("{found} in line {}", i + 2), expected, "");
            let row = row.map_err(|e| wrong(format!("{e}")))?;
            let entry = row.entry().map_err(wrong)?;
            if !names.insert(entry.name.clone()) {
                return Err(wrong(format!("{} a second time", entry.name)));
            }
            entries.push(entry);
        }
        if entries.is_empty() {
            return Err(Error::file(path, "no tensor", "a line for each tensor", ""));
        }
        Ok(TensorMap { path: path.to_path_buf(), entries })
    }

    /// The file that it was read from.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The tensors in the order of the map.
    pub fn entries(&self) -> &[MapEntry] {
        &self.entries
    }
}

impl Row {
    fn entry(self) -> std::result::Result<MapEntry, String> {
        let side = |side: &str| side.trim().parse().ok().filter(|&side: &usize| side > 0);
        let shape: Option<Vec<usize>> = self.shape.split('x').map(side).collect();
        let shape = shape.ok_or_else(|| format!("shape {:?}", self.shape))?;
        let fits = |numbers: usize| numbers <= MAX_NUMBERS && self.float_offset <= MAX_NUMBERS;
        if !shape.iter().try_fold(1usize, |product, &side| product.checked_mul(side)).is_some_and(fits) {
            return Err(format!("{} of shape {} at {}", self.name, self.shape, self.float_offset));
        }
        let layout = match (self.layout.trim_end_matches("row-major").trim(), shape.len()) {
            ("", 1) => Layout::Vector,
            ("[out][in]", 2) => Layout::OutIn,
            ("[kh][kw][ci][co]", 4) => Layout::KhKwCiCo,
            (layout, axes) => return Err(format!("layout {layout:?} of {axes} axes")),
        };
        Ok(MapEntry { name: self.name, offset: self.float_offset, shape, layout })
    }
}

impl MapEntry {
    /// Its shape in PyTorch's axis order.
    pub fn torch_shape(&self) -> Vec<usize> {
        match (self.layout, &self.shape[..]) {
            (Layout::KhKwCiCo, &[height, width, inputs, outputs]) => vec![outputs, inputs, height, width],
            _ => self.shape.clone(),
        }
    }

    fn len(&self) -> usize {
        self.shape.iter().product()
    }
}

impl Layout {
    fn tensor(self, numbers: &[f32], shape: &[usize]) -> Result<Tensor> {
        let stored = Tensor::from_slice(numbers, shape, &Device::Cpu)?;
        Ok(match self {
            Layout::Vector | Layout::OutIn => stored,
            Layout::KhKwCiCo => stored.permute((3, 2, 0, 1))?.contiguous()?,
        })
    }
}

fn read_text(path: &Path, what: &str) -> Result<String> {
    const MAX_BYTES: u64 = 16 << 20;
    let read = || -> std::io::Result<String> {
        let mut text = String::new();
        std::fs::File::open(path)?.take(MAX_BYTES).read_to_string(&mut text)?;
        Ok(text)
    };
    read().map_err(|e| Error::io(format!("read the {what}"), path, e))
}
