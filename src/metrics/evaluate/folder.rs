//! A folder of picture files, of any sizes and formats.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use image::{ColorType, ImageFormat, RgbImage};
use rayon::prelude::*;

use super::pictures::{Chosen, Pictures, within};
use crate::data::import::{Header, Refused, header, original};
use crate::data::tags::Labels;
use crate::{Error, Result};

/// Files that a note names.
const NAMED: usize = 3;

/// The pictures of a folder and its sub-folders, sorted by their path below it.
///
/// Hidden files and folders (`.DS_Store`, `.ipynb_checkpoints`) and files that are not named like pictures are passed
/// over. Pictures are turned as their EXIF data say; transparent ones are laid on white, grey ones become RGB, 16 bits
/// become 8; [`Pictures::notes`] says so. Only file headers are read until the pictures are asked for.
#[derive(Clone)]
pub struct Folder {
    shared: Arc<Shared>,
}

struct Shared {
    root: PathBuf,
    /// Paths below `root`, `/` between their parts.
    keys: Vec<String>,
    headers: Vec<Header>,
    passed_over: usize,
}

/// Two folders matched by the names of their files.
#[derive(Clone, Debug)]
pub struct Pairs {
    /// The pictures of the first folder that have a counterpart.
    pub real: Chosen,
    /// Their counterparts, in the same order.
    pub fake: Chosen,
    /// Files of the first folder without a counterpart.
    pub only_real: Vec<String>,
    /// Files of the second folder without a counterpart.
    pub only_fake: Vec<String>,
}

impl Folder {
    /// Looks through a folder and reads the header of every picture file.
    ///
    /// # Errors
    /// When the folder cannot be read or has no picture; names the first file that is named like a picture and is none.
    pub fn open(path: impl AsRef<Path>) -> Result<Folder> {
        let root = path.as_ref().to_path_buf();
        if root.is_file() {
            return Err(Error::file(&root, "a file", "a folder of pictures", ""));
        }
        let (mut keys, passed_over) = listed(&root)?;
        keys.sort();
        if keys.is_empty() {
            let found = if passed_over == 0 { "an empty folder" } else { "no picture, only other files" };
            return Err(Error::file(&root, found, "at least one PNG, JPEG, WebP, GIF or BMP file", ""));
        }
        let read = |key: &String| header(&root.join(key)).map_err(|refused| unusable(&root.join(key), refused));
        let headers = keys.par_iter().map(read).collect::<Vec<_>>().into_iter().collect::<Result<Vec<_>>>()?;
        Ok(Folder { shared: Arc::new(Shared { root, keys, headers, passed_over }) })
    }

    /// Matches the pictures of two folders: those with the same path below the folder, whatever their extensions
    /// (`a/7.png` and `a/7.jpg` are a pair).
    ///
    /// # Errors
    /// When two pictures of one folder differ in their extension only, or nothing matches.
    pub fn pairs(real: &Folder, fake: &Folder) -> Result<Pairs> {
        let (reals, fakes) = (real.stems()?, fake.stems()?);
        let both: Vec<(usize, usize)> = reals.iter().filter_map(|(stem, i)| Some((*i, *fakes.get(stem)?))).collect();
        let without = |stems: &BTreeMap<String, usize>, others: &BTreeMap<String, usize>, folder: &Folder| {
            let alone = stems.iter().filter(|(stem, _)| !others.contains_key(*stem));
            alone.map(|(_, i)| folder.shared.keys[*i].clone()).collect::<Vec<_>>()
        };
        let (only_real, only_fake) = (without(&reals, &fakes, real), without(&fakes, &reals, fake));
        if both.is_empty() {
            let found = format!("no file name that is also in {}", real.shared.root.display());
            let hint = format!("It has {} and so on.", fake.shared.keys[0]);
            return Err(Error::file(
                &fake.shared.root,
                found,
                "names such as ".to_owned() + &real.shared.keys[0],
                hint,
            ));
        }
        let (first, second) = both.into_iter().unzip();
        let (real, fake) = (Arc::new(real.clone()), Arc::new(fake.clone()));
        Ok(Pairs { real: Chosen::new(real, first)?, fake: Chosen::new(fake, second)?, only_real, only_fake })
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.shared.root
    }

    fn range(&self, range: Range<usize>) -> Result<&[String]> {
        Ok(&self.shared.keys[within(&self.name(), range, self.len())?])
    }

    /// Positions by path without extension.
    fn stems(&self) -> Result<BTreeMap<String, usize>> {
        let mut stems = BTreeMap::new();
        for (i, key) in self.shared.keys.iter().enumerate() {
            if let Some(first) = stems.insert(stem(key), i) {
                let found = format!("{} and {key}", self.shared.keys[first]);
                let hint = "Pairs are matched by the path without its extension.";
                return Err(Error::file(&self.shared.root, found, "one picture of each name", hint));
            }
        }
        Ok(stems)
    }

    /// "3 of 10 pictures …: a.png, b.png, …", or nothing.
    fn note(&self, of: &str, what: impl Fn(&Header) -> bool) -> Option<String> {
        let has: Vec<&str> = self
            .shared
            .keys
            .iter()
            .zip(&self.shared.headers)
            .filter(|(_, h)| what(h))
            .map(|(k, _)| k.as_str())
            .collect();
        let more = if has.len() > NAMED { ", …" } else { "" };
        let named = has[..has.len().min(NAMED)].join(", ");
        let (root, all) = (self.shared.root.display(), self.shared.keys.len());
        (!has.is_empty()).then(|| format!("{root}: {} of {all} pictures {of} ({named}{more})", has.len()))
    }

    fn sizes(&self) -> Option<String> {
        let sizes = || self.shared.headers.iter().map(|header| header.size);
        let (small, large) = (sizes().min_by_key(area)?, sizes().max_by_key(area)?);
        let mixed = sizes().any(|size| size != small);
        let root = self.shared.root.display();
        mixed.then(|| {
            let ((w, h), (width, height)) = (small, large);
            format!("{root}: pictures of different sizes, from {w}×{h} to {width}×{height}; each is resized by itself")
        })
    }
}

impl Pictures for Folder {
    fn name(&self) -> String {
        self.shared.root.display().to_string()
    }

    fn len(&self) -> usize {
        self.shared.keys.len()
    }

    fn key(&self, i: usize) -> Result<String> {
        let key = self.shared.keys.get(i).cloned();
        key.ok_or_else(|| Error::invalid("picture", i.to_string(), format!("a number below {}", self.len()), ""))
    }

    fn labels(&self, _: usize) -> Result<Option<Labels>> {
        Ok(None)
    }

    fn read(&self, range: Range<usize>) -> Result<Vec<RgbImage>> {
        let read = |key: &String| {
            let path = self.shared.root.join(key);
            original(&path).map_err(|refused| unusable(&path, refused))
        };
        // Collected twice, so that of several broken files the first is named.
        self.range(range)?.par_iter().map(read).collect::<Vec<_>>().into_iter().collect()
    }

    fn identity(&self, range: Range<usize>) -> Result<String> {
        let hash = |key: &String| {
            let path = self.shared.root.join(key);
            let mut hasher = blake3::Hasher::new();
            let copied = File::open(&path).and_then(|mut file| std::io::copy(&mut file, &mut hasher));
            copied.map_err(|e| Error::io("read the picture", &path, e))?;
            Ok(hasher.finalize().to_hex().to_string())
        };
        let hashes = self.range(range)?.par_iter().map(hash).collect::<Result<Vec<String>>>()?;
        Ok(format!("files {}", hashes.join(" ")))
    }

    fn notes(&self) -> Vec<String> {
        let jpeg = |header: &Header| header.format == ImageFormat::Jpeg;
        let all = self.shared.headers.iter().all(jpeg);
        let compressed = match all {
            true => "are JPEG: compression changes FID by several points, and with other formats nothing compares",
            false => "are JPEG, the others are not: compression changes FID by several points",
        };
        let eight = |colour| matches!(colour, ColorType::L8 | ColorType::La8 | ColorType::Rgb8 | ColorType::Rgba8);
        let passed_over = self.shared.passed_over;
        let others = (passed_over > 0)
            .then(|| format!("{}: {passed_over} other or hidden files passed over", self.shared.root.display()));
        [
            self.note(compressed, jpeg),
            self.note("have an alpha channel: laid on white", |header| header.colour.has_alpha()),
            self.note("are grey: taken as RGB", |header| !header.colour.has_color()),
            self.note("have 16 bits per channel: taken as 8", |header| !eight(header.colour)),
            self.note("were turned as their EXIF data say", |header| header.turned),
            self.sizes(),
            others,
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

impl std::fmt::Debug for Folder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {} pictures", self.shared.root.display(), self.len())?;
        self.notes().iter().try_for_each(|note| write!(f, "\n{note}"))
    }
}

fn area((width, height): &(u32, u32)) -> (u64, u32) {
    (u64::from(*width) * u64::from(*height), *width)
}

/// A path without its extension.
pub(super) fn stem(key: &str) -> String {
    Path::new(key).with_extension("").to_string_lossy().into_owned()
}

fn unusable(path: &Path, Refused(kind, detail): Refused) -> Error {
    let found = if detail.is_empty() { kind.to_string() } else { format!("{kind} ({detail})") };
    let hint = "Repair or remove it: a set with a picture less has another number.";
    Error::file(path, found, "a whole picture", hint)
}

/// Paths below the folder of the files that are named like pictures, and how many other files there are.
fn listed(root: &Path) -> Result<(Vec<String>, usize)> {
    let (mut keys, mut passed_over, mut open) = (Vec::new(), 0, vec![root.to_path_buf()]);
    while let Some(folder) = open.pop() {
        let io = |source| Error::io("list the folder of pictures", &folder, source);
        for entry in fs::read_dir(&folder).map_err(io)? {
            let entry = entry.map_err(io)?;
            let path = entry.path();
            let hidden = entry.file_name().to_string_lossy().starts_with('.');
            if hidden {
                passed_over += 1;
            } else if entry.file_type().map_err(io)?.is_dir() {
                open.push(path);
            } else if ImageFormat::from_path(&path).is_ok() && path.is_file() {
                let below = path.strip_prefix(root).unwrap_or(&path);
                let Some(key) = below.to_str() else {
                    let found = "a name that is not UTF-8";
                    return Err(Error::file(&path, found, "a name that can be written down", "Rename the file."));
                };
                keys.push(key.replace(std::path::MAIN_SEPARATOR, "/"));
            } else {
                passed_over += 1;
            }
        }
    }
    Ok((keys, passed_over))
}
