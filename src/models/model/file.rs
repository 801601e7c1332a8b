//! Weights as one safetensors file, which says itself what network it is for, and the models of run folders.

use std::collections::BTreeMap;
use std::path::Path;

use candle_core::{DType, Device, Tensor};
use serde::{Deserialize, Serialize};

use super::Model;
use crate::rng::Seed;
use crate::train::checkpoint::{Checkpoint, Checkpoints};
use crate::train::gan::{Gan, Networks, Player};
use crate::weights::safetensors;
use crate::{Error, Result};

/// The best weights of a run, in its folder, where somebody measured the training.
pub const BEST: &str = "best.safetensors";

/// What the metadata of a weights file says.
#[derive(Debug, Serialize, Deserialize)]
struct About<C> {
    /// Name of the model in the catalogue.
    model: String,
    /// Where the weights are from, when they are not from here. It stands before the configuration, since TOML wants
    /// plain values and small tables first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    attribution: Option<Attribution>,
    /// Its configuration.
    config: C,
}

/// The model's name alone, to be looked at before a configuration is.
#[derive(Debug, Deserialize)]
struct Named {
    model: String,
}

/// Where published weights are from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attribution {
    /// Who published them, and as what.
    pub source: String,
    /// Under which licence.
    pub licence: String,
    /// SHA-256 of the published file, in hexadecimal.
    pub sha256: String,
}

/// The metadata text with which a weights file configures itself, and says where its weights are from.
///
/// # Errors
/// When the configuration cannot be written as TOML.
pub fn about<G: Gan>(config: &G::Config, attribution: Option<&Attribution>) -> Result<String> {
    let about = About { model: G::NAME.into(), attribution: attribution.cloned(), config };
    // TOML and not JSON: serde_json does not read every f64 back exactly.
    toml::to_string(&about).map_err(|error| Error::invalid("configuration", error.to_string(), "TOML", ""))
}

/// The catalogue's name of the model that a run folder trains.
///
/// # Errors
/// When the folder holds no run.
pub fn model_of_run(folder: &Path) -> Result<String> {
    let path = folder.join("config.toml");
    let wrong =
        |error: toml::de::Error| Error::file(&path, error.message().to_string(), "the configuration of a run", "");
    Ok(toml::from_str::<Named>(&run_config(&path)?).map_err(wrong)?.model)
}

/// The catalogue's name of the model that a weights file is of.
///
/// # Errors
/// When the file is broken, or does not say.
pub fn model_of_file(path: &Path) -> Result<String> {
    let expected = "weights with their model in the metadata";
    let hint = "Files written by `tachie train`, `tachie import` and a model's `save` have it.";
    let text = safetensors::about(path)?
        .ok_or_else(|| Error::file(path, format!("no metadata \"{}\"", safetensors::ABOUT), expected, hint))?;
    let wrong = |error: toml::de::Error| Error::file(path, error.message().to_string(), expected, hint);
    Ok(toml::from_str::<Named>(&text).map_err(wrong)?.model)
}

fn run_config(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).map_err(|source| Error::io("read the configuration of the run", path, source))
}

/// Reads a TOML text with a model's name and configuration, from a weights file or a run folder.
fn config_of<G: Gan>(text: &str, path: &Path, what: &str, expected: &str) -> Result<G::Config> {
    let wrong = |error: toml::de::Error| Error::file(path, error.message().to_string(), expected, "");
    let Named { model } = toml::from_str(text).map_err(wrong)?;
    if model != G::NAME {
        return Err(Error::file(path, format!("{what} of {model}"), expected, ""));
    }
    Ok(toml::from_str::<About<G::Config>>(text).map_err(wrong)?.config)
}

impl<G: Gan> Model<G> {
    /// A model from a weights file, configured by the file's own metadata. A file with the generator only (published
    /// weights) gets a freshly initialised discriminator.
    ///
    /// # Errors
    /// When the file is broken, is not of this model, or tensors are missing, surplus or of wrong shape (listed by
    /// name).
    pub fn open(path: impl AsRef<Path>, device: &Device) -> Result<Model<G>> {
        let path = path.as_ref();
        let file = safetensors::read(path)?;
        let expected = format!("weights of {} with their configuration in the metadata", G::NAME);
        let Some(text) = file.metadata.get(safetensors::ABOUT) else {
            let hint = "Files written by `tachie train`, `tachie import` and the model's `save` have it.";
            return Err(Error::file(path, format!("no metadata \"{}\"", safetensors::ABOUT), expected, hint));
        };
        let config = config_of::<G>(text, path, "weights", &expected)?;
        Model::from_tensors(config, &file.tensors, device).map_err(|error| match error {
            Error::Invalid { found, expected, hint, .. } => Error::file(path, found, expected, hint),
            other => other,
        })
    }

    /// The model of a run folder, with the weights and the running average of its last whole checkpoint.
    ///
    /// # Errors
    /// When the folder holds no run of this model, or no whole checkpoint yet.
    pub fn open_run(folder: impl AsRef<Path>, device: &Device) -> Result<Model<G>> {
        Model::of_run(folder.as_ref(), device, |folder| match Checkpoints::read_only(folder).load(device)? {
            Some((checkpoint, _)) => Ok(checkpoint),
            None => Err(Error::file(folder, "no checkpoint", "at least one", "Train for a while first.")),
        })
    }

    /// As [`Model::open_run`], but of the checkpoint of that step.
    ///
    /// # Errors
    /// As [`Model::open_run`]; when there is no checkpoint of that step, or it is not whole.
    pub fn open_run_at(folder: impl AsRef<Path>, step: u64, device: &Device) -> Result<Model<G>> {
        Model::of_run(folder.as_ref(), device, |folder| Checkpoints::read_only(folder).load_at(step, device))
    }

    /// The best weights of a run, where the training was measured
    /// ([`BestByKid`](crate::metrics::evaluate::BestByKid)): the running average of the step with the lowest distance.
    ///
    /// # Errors
    /// When the folder holds no run of this model, or it was not measured.
    pub fn open_best(folder: impl AsRef<Path>, device: &Device) -> Result<Model<G>> {
        let path = folder.as_ref().join(BEST);
        if path.is_file() {
            return Model::open(path, device);
        }
        let hint = "`BestByKid` and `tachie train --keep-best-by-kid` measure a training and keep its best weights.";
        Err(Error::file(folder.as_ref(), format!("no {BEST}"), "a run that was measured", hint))
    }

    fn of_run(folder: &Path, device: &Device, load: impl FnOnce(&Path) -> Result<Checkpoint>) -> Result<Model<G>> {
        let path = folder.join("config.toml");
        let config =
            config_of::<G>(&run_config(&path)?, &path, "a run", &format!("the configuration of a {} run", G::NAME))?;
        let checkpoint = load(&folder.join("checkpoints"))?;
        let networks = Networks::new::<G>(&config, Seed(0), device)?;
        networks.params.load(&checkpoint.params)?;
        networks.average.load(&checkpoint.ema)?;
        Ok(Model::with_networks(config, device, networks))
    }

    /// A model from tensors named `g.dense.weight` and so on. A discriminator (`d.`, `t.`) without any tensor is freshly
    /// initialised.
    ///
    /// # Errors
    /// When tensors are missing, surplus, of wrong shape (listed by name) or hold NaN.
    pub fn from_tensors(config: G::Config, tensors: &BTreeMap<String, Tensor>, device: &Device) -> Result<Model<G>> {
        let broken: Vec<&str> =
            tensors.iter().filter(|(_, tensor)| !finite(tensor)).map(|(name, _)| name.as_str()).collect();
        if !broken.is_empty() {
            return Err(Error::invalid("weights", format!("NaN or Inf in {}", broken.join(", ")), "numbers", ""));
        }
        let networks = Networks::new::<G>(&config, Seed(0), device)?;
        let mut all = tensors.clone();
        for judge in [Player::Discriminator, Player::Domain] {
            let of_judge = |name: &str| name.split('.').next() == Some(judge.prefix());
            if !tensors.keys().any(|name| of_judge(name)) {
                all.extend(networks.params.tensors().into_iter().filter(|(name, _)| of_judge(name)));
            }
        }
        networks.params.load(&all)?;
        networks.average.load(&all)?;
        Ok(Model::with_networks(config, device, networks))
    }

    /// Writes all players as this value draws with them (`model.ema().save(..)` for the running average) into one
    /// safetensors file, with the configuration in its metadata.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        safetensors::write(path, &self.params().tensors(), &about::<G>(self.config(), None)?)
    }
}

fn finite(tensor: &Tensor) -> bool {
    // A sum is finite only if every number is; f64, so that large weights do not overflow.
    let sum = tensor.to_dtype(DType::F64).and_then(|t| t.sum_all()).and_then(|t| t.to_scalar::<f64>());
    sum.is_ok_and(f64::is_finite)
}
