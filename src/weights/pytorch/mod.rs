//! Files of `torch.save`: the ZIP archives of PyTorch since 1.6 and the legacy files before (which begin with 80 02).
//! Both hold a pickle of dictionaries and tensors; nothing of it is executed.
//!
//! candle reads the archives alone, takes what it does not know for nothing, and copies a storage once for each tensor;
//! the published heads of LPIPS and weights of torchvision are legacy files.

mod legacy;
mod pickle;
mod view;
mod zipped;

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::path::Path;

use candle_core::Tensor;
use memmap2::Mmap;

use self::pickle::{Object, Pickle, Refused, Value};
use self::view::{Storage, View};
use crate::{Error, Result};

/// How deep dictionaries may lie in each other.
const MAX_DEPTH: usize = 16;
/// More entries than any checkpoint has.
const MAX_ENTRIES: usize = 1 << 20;

/// Whether a file that begins so may be one of `torch.save`.
pub(crate) fn is_one(start: &[u8]) -> bool {
    zipped::is_one(start) || legacy::is_one(start)
}

/// The tensors of a file by name, on the CPU: f32 (also those of f16 and bf16), f64 and i64. Entries of dictionaries in
/// dictionaries are called by all their keys (`state_dict.conv.weight`), a single tensor `tensor`. What is no tensor is
/// left out.
///
/// # Errors
/// When the file cannot be read, is none of `torch.save`, is cut or altered, or holds more than tensors in dictionaries
/// and lists: the message has the name of the function that its pickle asks for.
pub fn read(path: impl AsRef<Path>) -> Result<BTreeMap<String, Tensor>> {
    let path = path.as_ref();
    let io = |source| Error::io("read the weights", path, source);
    let file = File::open(path).map_err(io)?;
    if !file.metadata().map_err(io)?.is_file() {
        return Err(Error::file(path, "no file", "a file of torch.save", ""));
    }
    // SAFETY: the map is only read, as plain bytes, for which every bit pattern is valid. A file that another process
    // shortens meanwhile would end this one with SIGBUS; downloads appear under their name when they are whole.
    let map = unsafe { Mmap::map(&file) }.map_err(io)?;
    let bytes: &[u8] = &map;
    if zipped::is_one(bytes) {
        zipped::read(path, bytes)
    } else if legacy::is_one(bytes) {
        legacy::read(path, bytes)
    } else {
        let hint = "Older or foreign formats: load it in Python and save it again with torch.save.";
        Err(Error::file(path, "another kind of file", "a file of torch.save (a ZIP archive or a pickle)", hint))
    }
}

impl Refused {
    fn in_file(self, path: &Path) -> Error {
        Error::file(path, self.found, self.expected, self.hint)
    }
}

/// The tensors of a pickle by name, sorted by the storage that they read.
struct Found<'a> {
    by_storage: HashMap<&'a str, Vec<(String, &'a View)>>,
}

impl<'a> Found<'a> {
    /// # Errors
    /// When two tensors have one name, or all of them together are far larger than the file of `length` bytes.
    fn new(path: &Path, pickle: &'a Pickle, length: usize) -> Result<Found<'a>> {
        let wrong = |found: String, expected: &str| Error::file(path, found, expected, "");
        let (mut by_name, mut entries, mut bytes) = (BTreeMap::new(), 0, 0usize);
        let mut open = vec![(String::new(), pickle.root, 0)];
        while let Some((name, value, depth)) = open.pop() {
            entries += 1;
            if depth > MAX_DEPTH || entries > MAX_ENTRIES {
                return Err(wrong("endless dictionaries".into(), "a file of weights"));
            }
            let below = |key: &str| if name.is_empty() { key.to_owned() } else { format!("{name}.{key}") };
            match pickle.object(value) {
                Some(Object::Tensor(view)) => {
                    bytes = bytes.saturating_add(view.bytes());
                    let name = if name.is_empty() { "tensor".to_owned() } else { name };
                    if by_name.insert(name.clone(), view).is_some() {
                        return Err(wrong(format!("{name} twice"), "each name once"));
                    }
                }
                Some(Object::Dict(pairs)) => {
                    for &(key, value) in pairs {
                        match (pickle.object(key), key) {
                            (Some(Object::Text(key)), _) => open.push((below(key), value, depth + 1)),
                            (_, Value::Int(key)) => open.push((below(&key.to_string()), value, depth + 1)),
                            _ => {}
                        }
                    }
                }
                Some(Object::List(values) | Object::Tuple(values)) => {
                    let items = values.iter().enumerate();
                    open.extend(items.map(|(i, &value)| (below(&i.to_string()), value, depth + 1)));
                }
                _ => {}
            }
        }
        if bytes > length.saturating_mul(4) {
            return Err(wrong(format!("{bytes} bytes of tensors in {length} bytes"), "tensors that fill their file"));
        }
        let mut by_storage: HashMap<&str, Vec<_>> = HashMap::new();
        for (name, view) in by_name {
            by_storage.entry(&view.storage.key).or_default().push((name, view));
        }
        Ok(Found { by_storage })
    }

    /// Makes the tensors that read this storage.
    fn make(&self, key: &str, bytes: &[u8], tensors: &mut BTreeMap<String, Tensor>) -> Result<()> {
        for (name, view) in self.by_storage.get(key).into_iter().flatten() {
            tensors.insert(name.clone(), view.tensor(bytes)?);
        }
        Ok(())
    }
}

/// The storages by key; each key stands for one.
fn storages<'a>(path: &Path, pickle: &'a Pickle) -> Result<BTreeMap<&'a str, &'a Storage>> {
    let mut storages = BTreeMap::new();
    for storage in pickle.storages() {
        match storages.insert(storage.key.as_str(), storage) {
            Some(other) if other != storage => {
                let found = format!("storage {} as two different ones", storage.key);
                return Err(Error::file(path, found, "one storage of each key", ""));
            }
            _ => {}
        }
    }
    Ok(storages)
}
