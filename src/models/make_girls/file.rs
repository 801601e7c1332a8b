//! Weights as one safetensors file, which says itself what network it is for.

use std::collections::BTreeMap;
use std::path::Path;

use candle_core::{DType, Device, Tensor};
use serde::{Deserialize, Serialize};

use super::config::{GeneratorConfig, MakeGirlsConfig, Planes, SrResNetConfig, Upsampling};
use super::handle::MakeGirls;
use super::objective::Adversaries;
use crate::rng::Seed;
use crate::train::checkpoint::{Checkpoint, Checkpoints};
use crate::train::gan::{Gan, Networks};
use crate::weights::safetensors;
use crate::{Error, Result};

/// What the metadata of a weights file says.
#[derive(Debug, Serialize, Deserialize)]
struct About {
    /// Name of the model in the catalogue.
    model: String,
    /// Where the weights are from, when they are not from here. It stands before the configuration, since TOML wants
    /// plain values and small tables first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    attribution: Option<Attribution>,
    /// Its configuration.
    config: MakeGirlsConfig,
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

/// The part of a run's `config.toml` that says what networks it trains.
#[derive(Debug, Deserialize)]
struct RunFile {
    model: String,
    config: MakeGirlsConfig,
}

impl MakeGirlsConfig {
    /// The networks that make.girls.moe published in 2017, by their number of labels: 34 at 128 px ("Amaryllis", no
    /// global skip, sub-pixel order DCR) or 36 at 256 px (global skip, nearest upsampling). Both write blue-green-red
    /// planes.
    ///
    /// # Errors
    /// When there is no such network.
    pub fn published(labels: usize) -> Result<MakeGirlsConfig> {
        match labels {
            34 => {
                let generator =
                    SrResNetConfig { global_skip: false, upsampling: Upsampling::SubPixelDcr, ..Default::default() };
                let generator = GeneratorConfig::SrResNet(generator);
                Ok(MakeGirlsConfig { generator, planes: Planes::Bgr, ..MakeGirlsConfig::default() })
            }
            36 => Ok(MakeGirlsConfig { planes: Planes::Bgr, ..MakeGirlsConfig::site_256() }),
            other => {
                let expected = "34 (128 px) or 36 (256 px)";
                Err(Error::invalid("labels of a published network", other.to_string(), expected, ""))
            }
        }
    }

    /// The metadata text with which a weights file configures itself, and says where its weights are from.
    ///
    /// # Errors
    /// When the configuration cannot be written as TOML.
    pub fn about(&self, attribution: Option<&Attribution>) -> Result<String> {
        let about = About { model: Adversaries::NAME.into(), attribution: attribution.cloned(), config: self.clone() };
        // TOML and not JSON: serde_json does not read every f64 back exactly.
        toml::to_string(&about).map_err(|error| Error::invalid("configuration", error.to_string(), "TOML", ""))
    }
}

impl MakeGirls {
    /// A model from a weights file, configured by the file's own metadata. A file with the generator only (published
    /// weights) gets a freshly initialised discriminator.
    ///
    /// # Errors
    /// When the file is broken, is not of this model, or tensors are missing, surplus or of wrong shape (listed by
    /// name).
    pub fn open(path: impl AsRef<Path>, device: &Device) -> Result<MakeGirls> {
        let path = path.as_ref();
        let file = safetensors::read(path)?;
        let expected = "weights of make-girls with their configuration in the metadata";
        let hint = "Files written by `tachie train`, `tachie import` and `MakeGirls::save` have it.";
        let Some(text) = file.metadata.get(safetensors::ABOUT) else {
            return Err(Error::file(path, format!("no metadata \"{}\"", safetensors::ABOUT), expected, hint));
        };
        let about: About =
            toml::from_str(text).map_err(|error| Error::file(path, error.to_string(), expected, hint))?;
        if about.model != Adversaries::NAME {
            return Err(Error::file(path, format!("weights of {}", about.model), expected, ""));
        }
        MakeGirls::from_tensors(about.config, &file.tensors, device).map_err(|error| match error {
            Error::Invalid { found, expected, hint, .. } => Error::file(path, found, expected, hint),
            other => other,
        })
    }

    /// The model of a run folder, with the weights and the running average of its last whole checkpoint.
    ///
    /// # Errors
    /// When the folder holds no run of this model, or no whole checkpoint yet.
    pub fn open_run(folder: impl AsRef<Path>, device: &Device) -> Result<MakeGirls> {
        MakeGirls::of_run(folder.as_ref(), device, |folder| match Checkpoints::read_only(folder).load(device)? {
            Some((checkpoint, _)) => Ok(checkpoint),
            None => Err(Error::file(folder, "no checkpoint", "at least one", "Train for a while first.")),
        })
    }

    /// As [`MakeGirls::open_run`], but of the checkpoint of that step.
    ///
    /// # Errors
    /// As [`MakeGirls::open_run`]; when there is no checkpoint of that step, or it is not whole.
    pub fn open_run_at(folder: impl AsRef<Path>, step: u64, device: &Device) -> Result<MakeGirls> {
        MakeGirls::of_run(folder.as_ref(), device, |folder| Checkpoints::read_only(folder).load_at(step, device))
    }

    fn of_run(folder: &Path, device: &Device, load: impl FnOnce(&Path) -> Result<Checkpoint>) -> Result<MakeGirls> {
        let path = folder.join("config.toml");
        let text = std::fs::read_to_string(&path)
            .map_err(|source| Error::io("read the configuration of the run", &path, source))?;
        let expected = "the configuration of a make-girls run";
        let wrong = |error: toml::de::Error| Error::file(&path, error.message(), expected, "");
        let run: RunFile = toml::from_str(&text).map_err(wrong)?;
        if run.model != Adversaries::NAME {
            return Err(Error::file(&path, format!("a run of {}", run.model), expected, ""));
        }
        let checkpoint = load(&folder.join("checkpoints"))?;
        let networks = Networks::new::<Adversaries>(&run.config, Seed(0), device)?;
        networks.params.load(&checkpoint.params)?;
        networks.average.load(&checkpoint.ema)?;
        Ok(MakeGirls::with_networks(run.config, device, networks))
    }

    /// A model from tensors named `g.dense.weight` and so on. Without any tensor below `d.` the discriminator is
    /// freshly initialised.
    ///
    /// # Errors
    /// When tensors are missing, surplus, of wrong shape (listed by name) or hold NaN.
    pub fn from_tensors(
        config: MakeGirlsConfig,
        tensors: &BTreeMap<String, Tensor>,
        device: &Device,
    ) -> Result<MakeGirls> {
        let broken: Vec<&str> =
            tensors.iter().filter(|(_, tensor)| !finite(tensor)).map(|(name, _)| name.as_str()).collect();
        if !broken.is_empty() {
            return Err(Error::invalid("weights", format!("NaN or Inf in {}", broken.join(", ")), "numbers", ""));
        }
        let networks = Networks::new::<Adversaries>(&config, Seed(0), device)?;
        let mut all = tensors.clone();
        if !tensors.keys().any(|name| name.starts_with("d.")) {
            let fresh = networks.params.tensors();
            all.extend(fresh.into_iter().filter(|(name, _)| name.starts_with("d.")));
        }
        networks.params.load(&all)?;
        networks.average.load(&all)?;
        Ok(MakeGirls::with_networks(config, device, networks))
    }

    /// Writes generator and discriminator as this value draws with them (`model.ema().save(..)` for the running
    /// average) into one safetensors file, with the configuration in its metadata.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        safetensors::write(path, &self.params().tensors(), &self.config().about(None)?)
    }
}

fn finite(tensor: &Tensor) -> bool {
    // A sum is finite only if every number is; f64, so that large weights do not overflow.
    let sum = tensor.to_dtype(DType::F64).and_then(|t| t.sum_all()).and_then(|t| t.to_scalar::<f64>());
    sum.is_ok_and(f64::is_finite)
}
