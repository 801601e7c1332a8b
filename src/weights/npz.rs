//! NumPy archives (`.npz`): named arrays of numbers, read and written as f32 tensors.
//!
//! candle reads archives too, but neither compressed ones (`numpy.savez_compressed`) nor hostile ones safely.
//! Of the ZIP format this knows what NumPy writes: stored and deflated members below 4 GiB.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor};
use flate2::{Crc, bufread::DeflateDecoder};

use crate::{Error, Result};

/// Largest array in bytes.
const MAX_BYTES: usize = 1 << 30;

const LOCAL: [u8; 4] = *b"PK\x03\x04";
const CENTRAL: [u8; 4] = *b"PK\x01\x02";
const END: [u8; 4] = *b"PK\x05\x06";
const MAGIC: &[u8] = b"\x93NUMPY";

/// The arrays of an archive by name (without `.npy`), on the CPU as f32.
///
/// Reads little-endian f4, f8, i4, i8, u1, i1 and b1 arrays in C or Fortran order.
///
/// # Errors
/// When the file cannot be read, is no ZIP archive, or a member is damaged or no array of numbers: the message names
/// the member.
pub fn read(path: impl AsRef<Path>) -> Result<BTreeMap<String, Tensor>> {
    arrays(path.as_ref(), false)
}

/// As [`read`], but f8 arrays stay f64 and are not rounded.
///
/// # Errors
/// As [`read`].
pub fn read_exact(path: impl AsRef<Path>) -> Result<BTreeMap<String, Tensor>> {
    arrays(path.as_ref(), true)
}

/// The array of a `.npy` file, on the CPU as f32. Reads the same types as [`read`].
///
/// # Errors
/// When the file cannot be read or is no array of numbers.
pub fn read_array(path: impl AsRef<Path>) -> Result<Tensor> {
    let path = path.as_ref();
    let contents = std::fs::read(path).map_err(|e| Error::io("read the array", path, e))?;
    let (name, size) = ("array".to_owned(), contents.len());
    let member = Member { path: path.to_path_buf(), name, deflated: false, crc: 0, packed: size, size, at: 0 };
    member.array(&contents, false)
}

fn arrays(path: &Path, exact: bool) -> Result<BTreeMap<String, Tensor>> {
    let bytes = std::fs::read(path).map_err(|e| Error::io("read the arrays", path, e))?;
    let mut arrays = BTreeMap::new();
    for member in members(path, &bytes)? {
        let name = member.name.strip_suffix(".npy").unwrap_or(&member.name).to_owned();
        let tensor = member.array(&member.contents(&bytes)?, exact)?;
        if arrays.insert(name, tensor).is_some() {
            return Err(member.wrong("a second array of that name", "each name once"));
        }
    }
    Ok(arrays)
}

/// Writes tensors as f32 arrays `<name>.npy`, stored. The file appears under its name only when it is whole. Equal
/// input gives equal bytes.
///
/// # Errors
/// When the file cannot be written or grows beyond 4 GiB.
pub fn write(path: impl AsRef<Path>, arrays: &BTreeMap<String, Tensor>) -> Result<()> {
    let path = path.as_ref();
    let bytes = archive(path, arrays)?;
    super::write_whole(path, &bytes).map_err(|e| Error::io("write the arrays", path, e))
}

struct Member {
    path: PathBuf,
    name: String,
    deflated: bool,
    crc: u32,
    packed: usize,
    size: usize,
    at: usize,
}

fn word16(bytes: &[u8], at: usize) -> Option<usize> {
    Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?).into())
}

fn word32(bytes: &[u8], at: usize) -> Option<usize> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?) as usize)
}

/// The members that the central directory at the end of the file lists.
fn members(path: &Path, bytes: &[u8]) -> Result<Vec<Member>> {
    let wrong = |found: &str| {
        Error::file(path, found, "an archive of arrays (.npz)", "Write it with numpy.savez or numpy.savez_compressed.")
    };
    // The end record has 22 bytes and a comment of at most 65,535.
    let tail = bytes.len().saturating_sub(22 + 65_535);
    let end = bytes[tail..].windows(22).rposition(|window| window.starts_with(&END));
    let end = end.ok_or_else(|| wrong("no end of a ZIP archive"))? + tail;
    let listed = word16(bytes, end + 10).zip(word32(bytes, end + 16));
    let (count, mut at) = listed.ok_or_else(|| wrong("a cut ZIP archive"))?;
    let mut members = Vec::new();
    for _ in 0..count {
        let entry = bytes.get(at..).filter(|entry| entry.starts_with(&CENTRAL));
        let (member, next) =
            entry.and_then(|entry| directory_entry(path, entry)).ok_or_else(|| wrong("a damaged list of members"))?;
        at += next;
        members.push(member);
    }
    Ok(members)
}

fn directory_entry(path: &Path, entry: &[u8]) -> Option<(Member, usize)> {
    let name_end = 46 + word16(entry, 28)?;
    let name = String::from_utf8_lossy(entry.get(46..name_end)?).into_owned();
    let member = Member {
        path: path.to_path_buf(),
        name,
        deflated: match word16(entry, 10)? {
            0 => false,
            8 => true,
            _ => return None,
        },
        crc: word32(entry, 16)? as u32,
        packed: word32(entry, 20)?,
        size: word32(entry, 24)?,
        at: word32(entry, 42)?,
    };
    Some((member, name_end + word16(entry, 30)? + word16(entry, 32)?))
}

impl Member {
    fn wrong(&self, found: impl std::fmt::Display, expected: impl Into<String>) -> Error {
        Error::file(&self.path, format!("{}: {found}", self.name), expected, "")
    }

    fn contents(&self, bytes: &[u8]) -> Result<Vec<u8>> {
        if self.size > MAX_BYTES {
            return Err(self.wrong(format!("{} bytes", self.size), format!("at most {MAX_BYTES} bytes")));
        }
        let packed = || {
            let local = bytes.get(self.at..)?;
            let start = 30 + word16(local, 26)? + word16(local, 28)?;
            local.starts_with(&LOCAL).then(|| local.get(start..start + self.packed))?
        };
        let packed = packed().ok_or_else(|| self.wrong("cut data", "a whole archive"))?;
        let contents = if self.deflated {
            let mut contents = Vec::new();
            let read = DeflateDecoder::new(packed).take(self.size as u64 + 1).read_to_end(&mut contents);
            read.map_err(|e| self.wrong(format!("data that cannot be inflated ({e})"), "a whole archive"))?;
            contents
        } else {
            packed.to_vec()
        };
        let mut crc = Crc::new();
        crc.update(&contents);
        if contents.len() != self.size || crc.sum() != self.crc {
            return Err(self.wrong("another length or checksum", "what the archive says"));
        }
        Ok(contents)
    }

    fn array(&self, contents: &[u8], exact: bool) -> Result<Tensor> {
        let header =
            Header::read(contents).ok_or_else(|| self.wrong("no array header", "an array in NumPy's format (.npy)"))?;
        let data = &contents[header.length..];
        let known = "little-endian numbers (f4, f8, i4, i8, u1, i1, b1)";
        let size = match header.kind.as_str() {
            "|u1" | "|i1" | "|b1" => 1,
            "<f4" | "<i4" => 4,
            "<f8" | "<i8" => 8,
            kind => return Err(self.wrong(format!("numbers of type {kind}"), known)),
        };
        let wanted = header.shape.iter().try_fold(size, |product: usize, &side| product.checked_mul(side));
        if wanted != Some(data.len()) {
            let found = format!("{} bytes for shape {:?}", data.len(), header.shape);
            return Err(self.wrong(found, format!("{size} bytes a number")));
        }
        // In Fortran's order the axes lie the other way round.
        let mut shape = header.shape;
        if header.fortran {
            shape.reverse();
        }
        let tensor = match header.kind.as_str() {
            "<f8" if exact => Tensor::from_vec(each(data, f64::from_le_bytes), shape, &Device::Cpu)?,
            kind => Tensor::from_vec(numbers(kind, data), shape, &Device::Cpu)?,
        };
        let axes: Vec<usize> = (0..tensor.rank()).rev().collect();
        if header.fortran { Ok(tensor.permute(axes)?.contiguous()?) } else { Ok(tensor) }
    }
}

fn each<const N: usize, T>(data: &[u8], number: fn([u8; N]) -> T) -> Vec<T> {
    data.as_chunks::<N>().0.iter().map(|&bytes| number(bytes)).collect()
}

fn numbers(kind: &str, data: &[u8]) -> Vec<f32> {
    match kind {
        "<f4" => each(data, f32::from_le_bytes),
        "<f8" => each(data, |bytes| f64::from_le_bytes(bytes) as f32),
        "<i4" => each(data, |bytes| i32::from_le_bytes(bytes) as f32),
        "<i8" => each(data, |bytes| i64::from_le_bytes(bytes) as f32),
        "|i1" => each(data, |bytes| i8::from_le_bytes(bytes).into()),
        _ => each(data, |[byte]| byte.into()),
    }
}

/// `{'descr': '<f4', 'fortran_order': False, 'shape': (1, 34), }`, after magic, version and length.
struct Header {
    kind: String,
    fortran: bool,
    shape: Vec<usize>,
    length: usize,
}

impl Header {
    fn read(contents: &[u8]) -> Option<Self> {
        let rest = contents.strip_prefix(MAGIC)?;
        let (start, text) = match rest.first()? {
            1 => (10, word16(contents, 8)?),
            2 | 3 => (12, word32(contents, 8)?),
            _ => return None,
        };
        let length = start + text;
        let text = std::str::from_utf8(contents.get(start..length)?).ok()?;
        let after = |key: &str| Some(text.split_once(&format!("'{key}':"))?.1.trim_start());
        let kind = after("descr")?.strip_prefix('\'')?.split_once('\'')?.0.to_owned();
        let fortran = after("fortran_order")?.starts_with("True");
        let sides = after("shape")?.strip_prefix('(')?.split_once(')')?.0;
        let sides = sides.split(',').map(str::trim).filter(|side| !side.is_empty());
        let shape = sides.map(|side| side.parse().ok()).collect::<Option<Vec<usize>>>()?;
        (shape.len() <= 8).then_some(Header { kind, fortran, shape, length })
    }

    fn bytes(shape: &[usize]) -> Vec<u8> {
        let sides: String = shape.iter().map(|side| format!("{side}, ")).collect();
        let mut text = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({}), }}", sides.trim_end());
        // Data begin at a multiple of 64 bytes; the text ends with a line feed.
        while (10 + text.len() + 1) % 64 != 0 {
            text.push(' ');
        }
        text.push('\n');
        let mut bytes = [MAGIC, &[1, 0], &(text.len() as u16).to_le_bytes()].concat();
        bytes.extend(text.as_bytes());
        bytes
    }
}

fn archive(path: &Path, arrays: &BTreeMap<String, Tensor>) -> Result<Vec<u8>> {
    let too_large = || Error::file(path, "more than 4 GiB of arrays", "a smaller archive", "Write fewer arrays.");
    let (mut bytes, mut directory) = (Vec::new(), Vec::new());
    for (name, tensor) in arrays {
        let mut contents = Header::bytes(tensor.dims());
        let numbers = tensor.to_dtype(candle_core::DType::F32)?.to_device(&Device::Cpu)?.flatten_all()?;
        contents.extend(numbers.to_vec1::<f32>()?.into_iter().flat_map(f32::to_le_bytes));
        let mut crc = Crc::new();
        crc.update(&contents);
        let size = u32::try_from(contents.len()).map_err(|_| too_large())?;
        let at = u32::try_from(bytes.len()).map_err(|_| too_large())?;
        let name = format!("{name}.npy");
        // Version 2.0, no flags, stored, midnight of 1980-01-01, checksum, packed size, size, lengths of name and extra.
        let mut shared = [20u16, 0, 0, 0, 0x21].map(u16::to_le_bytes).concat();
        shared.extend([crc.sum(), size, size].map(u32::to_le_bytes).concat());
        shared.extend([name.len() as u16, 0].map(u16::to_le_bytes).concat());
        bytes.extend([&LOCAL[..], &shared, name.as_bytes(), &contents].concat());
        directory.extend([&CENTRAL[..], &20u16.to_le_bytes(), &shared, &[0; 10], &at.to_le_bytes()].concat());
        directory.extend(name.as_bytes());
    }
    let at = u32::try_from(bytes.len()).map_err(|_| too_large())?;
    let count = u16::try_from(arrays.len()).map_err(|_| too_large())?;
    bytes.extend(&directory);
    bytes.extend([&END[..], &[0; 4], &[count, count].map(u16::to_le_bytes).concat()].concat());
    bytes.extend([directory.len() as u32, at].map(u32::to_le_bytes).concat());
    bytes.extend([0; 2]);
    Ok(bytes)
}
