//! Legacy files: five pickles (a magic number, the version of the protocol, the machine, the weights, the keys of the
//! storages), then for each key the count of its numbers and the numbers.

use std::collections::BTreeMap;
use std::path::Path;

use candle_core::Tensor;

use super::pickle::{Object, Pickle, Value};
use super::{Found, storages};
use crate::{Error, Result};

/// 0x1950a86a20f9469cfc6c.
const MAGIC: [u8; 10] = [0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];
const PROTOCOL: i64 = 1001;
const AGAIN: &str = "Was it downloaded or copied completely?";

pub(super) fn is_one(bytes: &[u8]) -> bool {
    bytes.len() >= 2 && bytes[0] == 0x80 && bytes[1] <= 5
}

pub(super) fn read(path: &Path, bytes: &[u8]) -> Result<BTreeMap<String, Tensor>> {
    let mut at = 0;
    let mut next = || -> Result<Pickle> {
        let pickle = Pickle::read(&bytes[at..]).map_err(|refused| refused.in_file(path))?;
        at += pickle.length;
        Ok(pickle)
    };
    let magic = next()?;
    if !matches!(magic.object(magic.root), Some(Object::Long(number)) if number[..] == MAGIC) {
        let hint = "In Python, save the weights with torch.save(model.state_dict(), FILE).";
        return Err(Error::file(path, "a pickle of something else", "a file of torch.save", hint));
    }
    let (version, machine, weights, keys) = (next()?, next()?, next()?, next()?);
    if version.root != Value::Int(PROTOCOL) {
        return Err(Error::file(path, format!("protocol {:?}", version.root), format!("protocol {PROTOCOL}"), ""));
    }
    if little_endian(&machine) != Some(true) {
        return Err(Error::file(path, "numbers in another byte order", "little-endian numbers", ""));
    }
    let found = Found::new(path, &weights, bytes.len())?;
    let mut storages = storages(path, &weights)?;
    let mut tensors = BTreeMap::new();
    for key in listed(path, &keys)? {
        let wrong = |found: String, expected: String| Error::file(path, found, expected, AGAIN);
        let Some(storage) = storages.remove(key) else {
            return Err(wrong(format!("storage {key}, which no tensor reads"), "the storages of the tensors".into()));
        };
        let count = bytes.get(at..at + 8).and_then(|count| count.try_into().ok()).map(i64::from_le_bytes);
        if count.and_then(|count| usize::try_from(count).ok()) != Some(storage.count) {
            let said = count.map_or("the end of the file".into(), |count| format!("{count} numbers"));
            return Err(wrong(format!("storage {key}: {said}"), format!("{} numbers", storage.count)));
        }
        at += 8;
        let end = storage.bytes().and_then(|length| at.checked_add(length)).filter(|&end| end <= bytes.len());
        let Some(end) = end else {
            let found = format!("storage {key}: {} bytes", bytes.len() - at);
            return Err(wrong(found, format!("{} numbers of {} bytes", storage.count, storage.element.size())));
        };
        found.make(key, &bytes[at..end], &mut tensors)?;
        at = end;
    }
    if let Some(key) = storages.keys().next() {
        return Err(Error::file(path, format!("no storage {key}"), "every storage that a tensor reads", AGAIN));
    }
    if at < bytes.len() {
        return Err(Error::file(path, format!("{} bytes more", bytes.len() - at), "the end of the file", AGAIN));
    }
    Ok(tensors)
}

fn little_endian(machine: &Pickle) -> Option<bool> {
    let Some(Object::Dict(pairs)) = machine.object(machine.root) else { return None };
    pairs.iter().find_map(|&(key, value)| match (machine.object(key), value) {
        (Some(Object::Text(key)), Value::Bool(little)) if key == "little_endian" => Some(little),
        _ => None,
    })
}

/// The keys of the storages in the order of the file.
fn listed<'a>(path: &Path, keys: &'a Pickle) -> Result<Vec<&'a str>> {
    let wrong = || Error::file(path, "no list of storages", "the keys of the storages after the weights", AGAIN);
    let Some(Object::List(values)) = keys.object(keys.root) else { return Err(wrong()) };
    let key = |&value: &Value| match keys.object(value) {
        Some(Object::Text(key)) => Ok(key.as_str()),
        _ => Err(wrong()),
    };
    values.iter().map(key).collect()
}
