//! The files of one checkpoint: tensors, and a state that proves them and itself whole.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use candle_core::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::{Checkpoint, State};
use crate::train::files;
use crate::{Error, Result};

/// Changes when checkpoints of before can no longer be read.
const FORMAT: u32 = 1;
pub(super) const STATE: &str = "state.json";
pub(super) const PARAMS: &str = "params.safetensors";
pub(super) const EMA: &str = "ema.safetensors";
pub(super) const OPTIM: &str = "optim.safetensors";

/// `state.json`: the state with what proves the tensor files and itself whole.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sealed {
    /// blake3 of `contents` as compact JSON.
    blake3: String,
    contents: Contents,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Contents {
    format: u32,
    pub state: State,
    files: BTreeMap<String, FileSeal>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileSeal {
    bytes: u64,
    blake3: String,
}

/// Writes the tensors and then the state into an empty folder.
pub(super) fn write(checkpoint: &Checkpoint, folder: &Path) -> Result<()> {
    let mut seals = BTreeMap::new();
    for (name, tensors) in [(PARAMS, &checkpoint.params), (EMA, &checkpoint.ema), (OPTIM, &checkpoint.optim)] {
        let bytes = encode(tensors)?;
        files::write_synced(&folder.join(name), &bytes)?;
        seals.insert(name.to_string(), FileSeal::of(&bytes));
    }
    let contents = Contents { format: FORMAT, state: checkpoint.state.clone(), files: seals };
    let sealed = Sealed { blake3: seal(&contents, folder)?, contents };
    let text = serde_json::to_vec_pretty(&sealed).map_err(|e| Error::io("encode the state", folder, e.into()))?;
    files::write_synced(&folder.join(STATE), &text)
}

/// What `state.json` says, if it is whole and of this format.
pub(super) fn contents(folder: &Path) -> Result<Contents> {
    let path = folder.join(STATE);
    let text = fs::read(&path).map_err(|e| Error::io("read the state", &path, e))?;
    let damaged = |what: String| Error::file(&path, what, "the state of a checkpoint as it was written", "");
    let sealed: Sealed = serde_json::from_slice(&text).map_err(|e| damaged(e.to_string()))?;
    if seal(&sealed.contents, folder)? != sealed.blake3 {
        return Err(damaged("altered contents".into()));
    }
    match sealed.contents.format {
        FORMAT => Ok(sealed.contents),
        other => Err(Error::file(
            &path,
            format!("format {other}"),
            format!("format {FORMAT}"),
            "Another version of tachie wrote it.",
        )),
    }
}

pub(super) fn read(folder: &Path, device: &Device) -> Result<Checkpoint> {
    let Contents { state, files, .. } = contents(folder)?;
    let tensors = |name: &str| -> Result<BTreeMap<String, Tensor>> {
        let path = folder.join(name);
        let bytes = fs::read(&path).map_err(|e| Error::io("read the tensors", &path, e))?;
        let found = FileSeal::of(&bytes);
        match files.get(name) {
            Some(seal) if *seal == found => {}
            Some(seal) if seal.bytes != found.bytes => {
                return Err(Error::file(&path, format!("{} bytes", found.bytes), format!("{} bytes", seal.bytes), ""));
            }
            _ => return Err(Error::file(&path, "altered contents", "the bytes that were written", "")),
        }
        Ok(candle_core::safetensors::load_buffer(&bytes, device)?.into_iter().collect())
    };
    Ok(Checkpoint { params: tensors(PARAMS)?, ema: tensors(EMA)?, optim: tensors(OPTIM)?, state })
}

fn encode(tensors: &BTreeMap<String, Tensor>) -> Result<Vec<u8>> {
    let mut on_cpu = Vec::with_capacity(tensors.len());
    for (name, tensor) in tensors {
        on_cpu.push((name.as_str(), tensor.to_device(&Device::Cpu)?.contiguous()?));
    }
    safetensors::serialize(on_cpu, None).map_err(|e| Error::Candle(format!("cannot encode tensors: {e}")))
}

fn seal(contents: &Contents, folder: &Path) -> Result<String> {
    let text = serde_json::to_vec(contents).map_err(|e| Error::io("encode the state", folder, e.into()))?;
    Ok(blake3::hash(&text).to_hex().to_string())
}

impl FileSeal {
    fn of(bytes: &[u8]) -> FileSeal {
        FileSeal { bytes: bytes.len() as u64, blake3: blake3::hash(bytes).to_hex().to_string() }
    }
}
