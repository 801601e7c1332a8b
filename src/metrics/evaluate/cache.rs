//! Features and results that are kept in a folder, so that nothing is computed twice.
//!
//! `features/<key>.safetensors` holds the features of some pictures, `results/<key>.json` the scores of one metric; a
//! key is a hash of everything that decides the contents. Files appear whole under their names, so that several
//! evaluations may share a folder and any of them may be killed.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use candle_core::Tensor;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::model::hash_numbers;
use crate::metrics::nets::extractor::Extractor;
use crate::weights::safetensors;
use crate::{Error, Result};

/// Part of every key: another version of the computation finds nothing of an older one.
const VERSION: &str = env!("CARGO_PKG_VERSION");
const FEATURES: &str = "features";
const RESULTS: &str = "results";
/// Begins the extension of files that are being written.
const TEMPORARY: &str = "tmp-";
/// What is being written for longer was interrupted.
const STALE: Duration = Duration::from_secs(3600);

/// A folder of kept features and results, or none.
#[derive(Clone, Debug, Default)]
pub(super) struct Cache {
    folder: Option<PathBuf>,
}

/// What was found under a key.
pub(super) enum Found<T> {
    /// Nothing.
    Nothing,
    /// What was kept.
    Kept(T),
    /// A file that cannot be used; why.
    Broken(String),
}

/// `results/<key>.json`: the value with what proves it whole.
#[derive(Serialize, serde::Deserialize)]
struct Sealed<T> {
    blake3: String,
    kept: T,
}

impl Cache {
    pub(super) fn of(folder: &Path) -> Cache {
        for place in [FEATURES, RESULTS] {
            remove_leftovers(&folder.join(place));
        }
        Cache { folder: Some(folder.to_path_buf()) }
    }

    /// Whether anything is kept.
    pub(super) fn keeps(&self) -> bool {
        self.folder.is_some()
    }

    /// The place of the features of the pictures with this identity; `None` where they are not kept.
    pub(super) fn features_at(&self, network: &dyn Extractor, identity: &str) -> Option<PathBuf> {
        let (folder, hash) = (self.folder.as_ref()?, network.hash()?);
        let key = key(&["features", &network.name(), &hash, &network.resize_rule(), identity]);
        Some(folder.join(FEATURES).join(format!("{key}.safetensors")))
    }

    /// The place of a result that these texts decide.
    pub(super) fn result_at(&self, parts: &[&str]) -> Option<PathBuf> {
        let key = key(&[&["result"], parts].concat());
        Some(self.folder.as_ref()?.join(RESULTS).join(format!("{key}.json")))
    }
}

/// Features that were kept, `[rows, dims]`.
pub(super) fn read_features(path: &Path, rows: usize, dims: usize) -> Found<Tensor> {
    if !path.exists() {
        return Found::Nothing;
    }
    let read = || -> Result<Tensor> {
        let wrong = |found: &str| Error::file(path, found, "the features that were written", "");
        let mut file = safetensors::read(path)?;
        let features = file.tensors.remove(FEATURES).ok_or_else(|| wrong("no features"))?;
        if features.dims() != [rows, dims] {
            return Err(wrong(&format!("shape {:?}", features.dims())));
        }
        if file.metadata.get(safetensors::ABOUT) != Some(&seal(&features)?) {
            return Err(wrong("altered contents"));
        }
        Ok(features)
    };
    read().map_or_else(|error| Found::Broken(error.to_string()), Found::Kept)
}

/// Keeps features.
pub(super) fn write_features(path: &Path, features: &Tensor) -> Result<()> {
    let tensors = BTreeMap::from([(FEATURES.to_string(), features.clone())]);
    put(path, &safetensors::serialize(&tensors, &seal(features)?)?)
}

fn seal(features: &Tensor) -> Result<String> {
    let mut hasher = blake3::Hasher::new();
    hash_numbers(&mut hasher, features)?;
    Ok(hasher.finalize().to_hex().to_string())
}

/// A result that was kept.
pub(super) fn read_result<T: Serialize + DeserializeOwned>(path: &Path) -> Found<T> {
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Found::Nothing,
        Err(error) => return Found::Broken(Error::io("read the kept result", path, error).to_string()),
    };
    let broken = |found: String| Found::Broken(Error::file(path, found, "a result as it was written", "").to_string());
    match serde_json::from_slice::<Sealed<T>>(&text) {
        Err(error) => broken(error.to_string()),
        Ok(sealed) => match text_seal(&sealed.kept) {
            Ok(seal) if seal == sealed.blake3 => Found::Kept(sealed.kept),
            _ => broken("altered contents".into()),
        },
    }
}

/// Keeps a result.
pub(super) fn write_result<T: Serialize>(path: &Path, kept: T) -> Result<()> {
    let unfit = |e: serde_json::Error| Error::io("encode the result", path, e.into());
    let sealed = Sealed { blake3: text_seal(&kept).map_err(unfit)?, kept };
    put(path, &serde_json::to_vec_pretty(&sealed).map_err(unfit)?)
}

fn text_seal<T: Serialize>(kept: &T) -> serde_json::Result<String> {
    Ok(blake3::hash(&serde_json::to_vec(kept)?).to_hex().to_string())
}

/// Removes what evaluations that were killed left behind. Whatever cannot be removed harms nobody.
fn remove_leftovers(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let extension = path.extension().unwrap_or_default().to_string_lossy().into_owned();
        let age = entry.metadata().and_then(|about| about.modified()).ok().and_then(|time| time.elapsed().ok());
        if extension.starts_with(TEMPORARY) && age.is_some_and(|age| age > STALE) {
            let _ = fs::remove_file(&path);
        }
    }
}

fn key(parts: &[&str]) -> String {
    let mut hasher = blake3::Hasher::new_derive_key("tachie 2026 kept measurements");
    for part in [VERSION].iter().chain(parts) {
        hasher.update(&(part.len() as u64).to_le_bytes()).update(part.as_bytes());
    }
    hasher.finalize().to_hex()[..32].to_string()
}

/// Writes a file beside its place and renames it. The name beside is nobody else's: several threads, processes and
/// machines may write the same file at once.
fn put(path: &Path, bytes: &[u8]) -> Result<()> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let folder = path.parent().unwrap_or(Path::new(""));
    fs::create_dir_all(folder).map_err(|e| Error::io("create the folder", folder, e))?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_nanos());
    let unique = format!("{}-{now}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    let temporary = path.with_extension(format!("{TEMPORARY}{unique}"));
    let written = fs::write(&temporary, bytes).and_then(|()| fs::rename(&temporary, path));
    written.map_err(|e| {
        // What is wrong is reported; half a file under a name of its own harms nobody.
        let _ = fs::remove_file(&temporary);
        Error::io("keep a measurement", path, e)
    })
}
