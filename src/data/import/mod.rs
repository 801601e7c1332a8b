//! Opening data sets that lie on disk, and writing data sets to disk.

mod decode;
mod folder;
mod labels;
mod paired;
mod posed;
mod table;
mod write;

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use folder::Folder;
use rayon::prelude::*;

use super::avatar::Avatar;
use super::avatar::bodies::Bodies;
use super::avatar::costumes::Costumes;
use super::batch::Images;
use super::dataset::Dataset;
use super::manifest::{AvatarLayout, ImagePolicy, Manifest};
use super::store::{self, Index, Packed, StoreWriter};
use crate::rng::Seed;
use crate::{Error, Result};

pub(crate) use decode::{Header, Refused, header, original, untouched};
pub(super) use folder::{walk, walk_named, within};
pub use paired::{PairFiles, list_pairs};
pub use write::About;

/// A folder that needs more is not decoded to memory: `tachie data pack` makes a store of it.
const MEMORY: u64 = 2 << 30;

/// Pictures that are packed before any of them is written.
const CHUNK: usize = 256;

impl Dataset {
    /// Opens a data set by its manifest (`.toml`), by a folder that holds a `dataset.toml`, or by a packed store.
    ///
    /// A folder of pictures is decoded to memory, in parallel. What was wrong with files is in [`Dataset::report`].
    ///
    /// # Errors
    /// A manifest that cannot be read or says what cannot be, a checksum that differs, a folder or a tag table that
    /// cannot be read, not a single usable picture, more than 2 GiB of pixels (pack them), an altered store.
    pub fn open(path: impl AsRef<Path>) -> Result<Dataset> {
        match found_at(path.as_ref())? {
            Found::Store(path) => Ok(store::open(&path)?.into_dataset()),
            Found::Manifest(path) => open_manifest(&path, MEMORY),
        }
    }
}

impl Images {
    /// One picture from a file, turned as its EXIF data say, laid on the background and brought to size.
    /// [`Resize::Pad`](super::manifest::Resize::Pad) keeps all of it, with strips of background beside it.
    ///
    /// # Errors
    /// When the file cannot be read or is no picture, or the policy refuses it.
    pub fn open(path: impl AsRef<Path>, policy: &ImagePolicy) -> Result<Images> {
        let path = path.as_ref();
        let decoded = decode::decode(path, policy).map_err(|Refused(kind, what)| {
            let found = if what.is_empty() { kind.to_string() } else { format!("{kind}: {what}") };
            Error::file(path, found, "a picture", "")
        })?;
        Images::from_rgb(&[decoded.image])
    }
}

/// Packs the data set of a manifest into one file that opens at once, whatever its size, and returns it.
///
/// # Errors
/// As [`Dataset::open`], but for the limit of memory; when the file exists already or cannot be written.
pub fn pack(manifest: impl AsRef<Path>, out: impl AsRef<Path>) -> Result<Dataset> {
    let out = out.as_ref();
    let mut writer = StoreWriter::create(out)?;
    let index = match found_at(manifest.as_ref())? {
        Found::Store(path) => pack_dataset(&store::open(&path)?.into_dataset(), &mut writer)?,
        Found::Manifest(path) => {
            let manifest = Manifest::open(&path)?;
            manifest.verify(folder_of(&path))?;
            match (&manifest.folder, &manifest.image) {
                (Some(layout), Some(policy)) => Folder::find(&manifest, layout, policy, &path)?.decode(&mut writer)?,
                _ => pack_dataset(&open_manifest(&path, MEMORY)?, &mut writer)?,
            }
        }
    };
    writer.finish(&index)?;
    Ok(store::open(out)?.into_dataset())
}

/// What a path of a data set leads to.
enum Found {
    Manifest(PathBuf),
    Store(PathBuf),
}

fn found_at(path: &Path) -> Result<Found> {
    if path.is_dir() {
        let manifest = path.join("dataset.toml");
        if manifest.is_file() {
            return Ok(Found::Manifest(manifest));
        }
        let hint = "Write one: version, name, title, licence, source, [folder] and [image].";
        return Err(Error::file(path, "a folder without a manifest", "a file dataset.toml in it", hint));
    }
    let io = |source| Error::io("open the data set", path, source);
    let mut start = [0; 8];
    let file = fs::File::open(path).map_err(io)?;
    let length = file.take(8).read(&mut start).map_err(io)?;
    if &start[..length] == store::MAGIC {
        return Ok(Found::Store(path.to_path_buf()));
    }
    if path.extension().is_some_and(|extension| extension == "toml") {
        return Ok(Found::Manifest(path.to_path_buf()));
    }
    let hint = "Give the manifest of the data set.";
    Err(Error::file(path, "neither", "a manifest that ends in .toml, or a packed store", hint))
}

fn folder_of(manifest: &Path) -> &Path {
    manifest.parent().unwrap_or(Path::new(""))
}

fn open_manifest(path: &Path, memory: u64) -> Result<Dataset> {
    let manifest = Manifest::open(path)?;
    manifest.verify(folder_of(path))?;
    let avatar = manifest.avatar.as_ref().map(open_avatar);
    let made = avatar.or(manifest.bodies.as_ref().map(Bodies::dataset));
    let made = made.or(manifest.costumes.as_ref().map(Costumes::dataset)).transpose()?;
    if let (Some(layout), Some(policy)) = (&manifest.pairs, &manifest.image) {
        return paired::open(&manifest.name, folder_of(path), layout, policy, memory)?.with_splits(manifest.splits);
    }
    let dataset = match (made, &manifest.folder, &manifest.image, &manifest.store) {
        (Some(made), ..) => made,
        (_, Some(layout), Some(policy), _) => {
            return in_memory(Folder::find(&manifest, layout, policy, path)?, path, memory);
        }
        (.., Some(layout)) => store::open(&folder_of(path).join(&layout.file))?.into_dataset(),
        _ => {
            let expected = "[folder], [pairs], [store], [avatar], [bodies] or [costumes]";
            return Err(Error::file(path, "no layout", expected, ""));
        }
    };
    dataset.with_splits(manifest.splits)
}

/// Decodes a folder into at most `memory` bytes; `path` is what was opened.
fn in_memory(folder: Folder, path: &Path, memory: u64) -> Result<Dataset> {
    if folder.bytes() > memory {
        let found = format!("{:.1} GiB of pixels", folder.bytes() as f64 / f64::from(1 << 30));
        let expected = format!("at most {:.1} GiB, to be held in memory", memory as f64 / f64::from(1 << 30));
        let manifest = if path.is_dir() { "dataset.toml".into() } else { path.display().to_string() };
        let hint = format!("Run `tachie data pack {manifest} --out NAME.store` on its manifest, then open that.");
        return Err(Error::file(path, found, expected, hint));
    }
    let mut pixels = Vec::with_capacity(folder.bytes() as usize);
    let index = folder.decode(&mut pixels)?;
    Ok(Packed::new(index, pixels)?.into_dataset())
}

fn open_avatar(layout: &AvatarLayout) -> Result<Dataset> {
    let faces = Avatar::faces().size(layout.size).seed(Seed(layout.seed)).sampler(layout.sampler);
    if layout.years { faces.years() } else { faces }.take(layout.count)
}

fn pack_dataset(dataset: &Dataset, writer: &mut StoreWriter) -> Result<Index> {
    let mut index = Index::new(dataset.name(), dataset.size(), dataset.tags().clone(), dataset.splits());
    index.skeleton = dataset.skeleton().cloned();
    let positions: Vec<usize> = (0..dataset.len()).collect();
    for chunk in positions.chunks(CHUNK) {
        let pictures = chunk.par_iter().map(|i| dataset.image(*i)).collect::<Result<Vec<_>>>()?;
        for (&i, picture) in chunk.iter().zip(pictures) {
            index.push(dataset.key(i)?, &dataset.labels(i)?.values, dataset.prescribed(i), picture.as_raw());
            index.points.extend(dataset.keypoints(i)?);
            writer.write(picture.as_raw())?;
        }
    }
    index.report = dataset.report();
    index.measure_chances()?;
    Ok(index)
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::RgbImage;

    #[test]
    fn pictures_that_do_not_fit_are_refused_with_the_way_out() {
        let place = tempfile::TempDir::new().unwrap();
        let pictures = vec![RgbImage::new(8, 8); 3];
        let about = About { title: "t".into(), licence: "t".into(), source: "t".into() };
        let dataset = Dataset::from_images("t", &pictures, &[]).unwrap();
        let manifest = dataset.write_folder(place.path().join("t"), &about).unwrap();
        assert_eq!(open_manifest(&manifest, 3 * 8 * 8 * 3).unwrap().len(), 3);
        let error = open_manifest(&manifest, 3 * 8 * 8 * 3 - 1).unwrap_err().to_string();
        assert!(error.contains("tachie data pack") && error.contains("dataset.toml"), "{error}");
    }
}
