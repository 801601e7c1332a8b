//! Weights of Caffe (`.caffemodel`): the blobs of each layer, out of a protocol buffer of which only these fields are
//! read: the layers of a `NetParameter`, of a layer its name and blobs, of a blob its shape and numbers.

use std::collections::BTreeMap;
use std::path::Path;

use candle_core::{Device, Tensor};

use crate::{Error, Result};

/// The blobs of a file, on the CPU as f32: `LAYER.weight` and `LAYER.bias` for the first two of a layer, `LAYER.2` and
/// so on for further ones. Shapes are those of the file, but for leading ones of 4 axes in the format before 2014, where
/// everything had 4: a bias `[1, 1, 1, 64]` comes as `[64]`, the matrix `[1, 1, 4096, 50176]` of a dense layer with two
/// axes.
///
/// # Errors
/// When the file cannot be read, is cut or altered, or has no blobs, or two layers of one name have some.
pub fn read(path: impl AsRef<Path>) -> Result<BTreeMap<String, Tensor>> {
    let path = path.as_ref();
    let bytes = std::fs::read(path).map_err(|source| Error::io("read the weights", path, source))?;
    let hint = "Was it downloaded or copied completely?";
    let damaged = |at: &str| Error::file(path, format!("damaged data ({at})"), "a whole .caffemodel", hint);
    let mut tensors = BTreeMap::new();
    for field in fields(&bytes) {
        let (number, value) = field.ok_or_else(|| damaged("network"))?;
        // Layers of the current format, and of the one before 2014 with other numbers.
        let (name_field, blob_field) = match number {
            100 => (1, 7),
            2 => (4, 6),
            _ => continue,
        };
        let Value::Bytes(layer) = value else { return Err(damaged("layer")) };
        let layer = Layer::read(layer, name_field, blob_field).ok_or_else(|| damaged("layer"))?;
        for (i, blob) in layer.blobs.iter().enumerate() {
            let name = match i {
                0 => format!("{}.weight", layer.name),
                1 => format!("{}.bias", layer.name),
                _ => format!("{}.{i}", layer.name),
            };
            let (numbers, shape) = blob_numbers(blob).ok_or_else(|| damaged(&name))?;
            let found = format!("{name} of shape {shape:?} with {} numbers", numbers.len());
            if shape.iter().try_fold(1usize, |product, &side| product.checked_mul(side)) != Some(numbers.len()) {
                return Err(Error::file(path, found, "as many numbers as the shape has", hint));
            }
            if tensors.insert(name.clone(), Tensor::from_vec(numbers, shape, &Device::Cpu)?).is_some() {
                return Err(Error::file(path, format!("{name} twice"), "each layer once", ""));
            }
        }
    }
    if tensors.is_empty() {
        return Err(Error::file(path, "no weights", "a trained network (.caffemodel), not its description", ""));
    }
    Ok(tensors)
}

struct Layer<'a> {
    name: String,
    blobs: Vec<&'a [u8]>,
}

impl<'a> Layer<'a> {
    fn read(bytes: &'a [u8], name_field: u64, blob_field: u64) -> Option<Layer<'a>> {
        let mut layer = Layer { name: String::new(), blobs: Vec::new() };
        for field in fields(bytes) {
            match field? {
                (number, Value::Bytes(name)) if number == name_field => {
                    layer.name = String::from_utf8_lossy(name).into_owned();
                }
                (number, Value::Bytes(blob)) if number == blob_field => layer.blobs.push(blob),
                _ => {}
            }
        }
        Some(layer)
    }
}

/// Numbers and shape of a blob.
fn blob_numbers(bytes: &[u8]) -> Option<(Vec<f32>, Vec<usize>)> {
    let (mut numbers, mut old, mut shape) = (Vec::new(), [1usize; 4], None);
    for field in fields(bytes) {
        match field? {
            (axis @ 1..=4, Value::Integer(side)) => old[axis as usize - 1] = usize::try_from(side).ok()?,
            (5, Value::Bytes(packed)) => {
                let (packed, rest) = packed.as_chunks::<4>();
                numbers.extend(packed.iter().map(|&bytes| f32::from_le_bytes(bytes)));
                rest.is_empty().then_some(())?;
            }
            (5, Value::Four(bytes)) => numbers.push(f32::from_le_bytes(bytes)),
            (7, Value::Bytes(dims)) => shape = Some(blob_shape(dims)?),
            (8, Value::Bytes(packed)) => {
                let (packed, rest) = packed.as_chunks::<8>();
                numbers.extend(packed.iter().map(|&bytes| f64::from_le_bytes(bytes) as f32));
                rest.is_empty().then_some(())?;
            }
            (8, Value::Eight(bytes)) => numbers.push(f64::from_le_bytes(bytes) as f32),
            _ => {}
        }
    }
    let squeezed = || {
        let ones = match old {
            [1, 1, 1, _] => 3,
            [1, 1, _, _] => 2,
            _ => 0,
        };
        old[ones..].to_vec()
    };
    Some((numbers, shape.unwrap_or_else(squeezed)))
}

fn blob_shape(bytes: &[u8]) -> Option<Vec<usize>> {
    let mut shape = Vec::new();
    for field in fields(bytes) {
        match field? {
            (1, Value::Integer(side)) => shape.push(usize::try_from(side).ok()?),
            (1, Value::Bytes(mut packed)) => {
                while !packed.is_empty() {
                    shape.push(usize::try_from(varint(&mut packed)?).ok()?);
                }
            }
            _ => {}
        }
    }
    Some(shape)
}

/// The value of a field.
enum Value<'a> {
    Integer(u64),
    Four([u8; 4]),
    Eight([u8; 8]),
    Bytes(&'a [u8]),
}

/// The fields of a message; ends with `None` where it is damaged.
fn fields(mut bytes: &[u8]) -> impl Iterator<Item = Option<(u64, Value<'_>)>> {
    std::iter::from_fn(move || {
        if bytes.is_empty() {
            return None;
        }
        let field = field(&mut bytes);
        if field.is_none() {
            bytes = &[];
        }
        Some(field)
    })
}

fn field<'a>(bytes: &mut &'a [u8]) -> Option<(u64, Value<'a>)> {
    let key = varint(bytes)?;
    let value = match key & 7 {
        0 => Value::Integer(varint(bytes)?),
        1 => Value::Eight(*bytes.split_off(..8)?.first_chunk()?),
        2 => {
            let length = usize::try_from(varint(bytes)?).ok()?;
            Value::Bytes(bytes.split_off(..length)?)
        }
        5 => Value::Four(*bytes.split_off(..4)?.first_chunk()?),
        _ => return None,
    };
    Some((key >> 3, value))
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let byte = bytes.split_off_first()?;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}
