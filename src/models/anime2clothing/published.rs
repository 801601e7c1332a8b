//! The generator that the authors published, as this project's weights.

use std::collections::BTreeMap;
use std::path::Path;

use candle_core::{DType, Device, Tensor};

use super::config::{Anime2Clothing, Anime2ClothingConfig, Shape};
use super::objective::Adversaries;
use super::schedule::Schedule;
use crate::hash::sha256;
use crate::models::model::{Attribution, about};
use crate::nn::params::{ParamStore, Training};
use crate::train::gan::{Gan, Player};
use crate::weights::{pytorch, safetensors};
use crate::{Error, Result};

/// A published generator, ready to be written.
#[derive(Clone, Debug)]
pub struct Published {
    /// The networks that the weights are for: those of [`Anime2Clothing::code`] at the file's size and width.
    pub config: Anime2ClothingConfig,
    /// The weights by name, f32, with running statistics.
    pub tensors: BTreeMap<String, Tensor>,
    /// Source and SHA-256 of the file.
    pub attribution: Attribution,
}

impl Published {
    /// Reads a state dict of the authors' generator (`pretrained_unet_20200122.pth`, or one that their code has trained).
    /// Size and width are told by the tensors.
    ///
    /// # Errors
    /// When the file cannot be read, or tensors are missing, surplus or of another shape (listed by name).
    pub fn open(path: impl AsRef<Path>) -> Result<Published> {
        let path = path.as_ref();
        let read = pytorch::read(path)?;
        // Counters of batches, which only a momentum of `None` would use; "module." is what DataParallel puts before names.
        let kept = read.into_iter().filter(|(name, _)| !name.ends_with("num_batches_tracked"));
        let named = kept.map(|(name, tensor)| (name.trim_start_matches("module.").to_string(), tensor));
        let found: BTreeMap<String, Tensor> = named.collect();
        let shape = shape(path, &found)?;
        let schedule = match Anime2Clothing::code().schedule {
            schedule if shape.resolution == Shape::default().resolution => schedule,
            _ => Schedule::constant(shape.resolution, 1, 1),
        };
        let config = Anime2ClothingConfig { shape, schedule, ..Anime2Clothing::code() };
        let tensors = renamed(path, &config, found)?;
        let attribution = Attribution {
            source:
                "generator of Tango et al., \"Anime-to-Real Clothing\" (arXiv:2008.11479), in the format of its code"
                    .into(),
            licence: "see where the file was published (the code is under a BSD licence)".into(),
            sha256: sha256(path)?,
        };
        Ok(Published { config, tensors, attribution })
    }

    /// Writes the weights as a file that [`Anime2Clothing::open`](crate::models::model::Model::open) reads.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        safetensors::write(path, &self.tensors, &about::<Adversaries>(&self.config, Some(&self.attribution))?)
    }
}

/// The size is that of the largest picture, the width that of the first convolution.
fn shape(path: &Path, found: &BTreeMap<String, Tensor>) -> Result<Shape> {
    let wrong = |found: String| {
        let expected = "a state dict of the U-Net with inc.conv.0.weight and rgb_layer<r>.rgb_layers_.0.weight";
        Error::file(path, found, expected, "")
    };
    let size = |name: &String| name.strip_prefix("rgb_layer")?.split_once('.')?.0.parse::<usize>().ok();
    let resolution = found.keys().filter_map(size).max().ok_or_else(|| wrong("no rgb_layer".into()))?;
    let first = found.get("inc.conv.0.weight").ok_or_else(|| wrong("no inc.conv.0.weight".into()))?;
    let channels = first.dims().first().copied().unwrap_or(0);
    let shape = Shape { resolution, ..Shape::default() };
    shape.check().map_err(|_| wrong(format!("rgb_layer{resolution}")))?;
    let width = channels as f64 / shape.features(resolution) as f64;
    let shape = Shape { width, ..shape };
    shape.check().map_err(|_| wrong(format!("{channels} channels in inc.conv.0.weight")))?;
    Ok(shape)
}

/// The tensors by the names of this project, if they are just those of the network.
fn renamed(
    path: &Path,
    config: &Anime2ClothingConfig,
    found: BTreeMap<String, Tensor>,
) -> Result<BTreeMap<String, Tensor>> {
    let params = ParamStore::blank(&Device::Cpu, DType::F32)?;
    Adversaries::new(config, &params.view(Training::Nothing))?;
    let prefix = format!("{}.", Player::Generator.prefix());
    let wanted = params.tensors().into_iter().filter(|(name, _)| name.starts_with(&prefix));
    let (mut tensors, mut problems, mut used) = (BTreeMap::new(), Vec::new(), 0);
    for (name, blank) in wanted {
        // What previews are made from, and that the network is full-grown, is no part of it.
        let theirs = match name.strip_prefix(&prefix) {
            Some(name) if !["preview_sources", "lod"].contains(&name) => name,
            _ => {
                tensors.insert(name, blank);
                continue;
            }
        };
        match found.get(theirs) {
            None => problems.push(format!("{theirs} is missing")),
            Some(tensor) if tensor.dims() != blank.dims() => {
                problems.push(format!("{theirs} has shape {:?} instead of {:?}", tensor.dims(), blank.dims()));
            }
            Some(tensor) => {
                used += 1;
                tensors.insert(name, tensor.to_dtype(DType::F32)?);
            }
        }
    }
    if problems.is_empty() && used < found.len() {
        problems.push(format!("{} tensors that the network does not have", found.len() - used));
    }
    match problems.is_empty() {
        true => Ok(tensors),
        false => Err(Error::file(path, problems.join("; "), format!("the {} tensors of the U-Net", tensors.len()), "")),
    }
}
