//! The generators that make.girls.moe published for the browser, as this project's weights.
//!
//! A file in WebDNN's encoding has tensors `dense`, `dense.bn`, `conv0` … without saying what they do: 16 residual
//! blocks of two convolutions (0 to 31), the convolution after them (32), those of the upsampling (33 …) and the last.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use candle_core::{DType, Device, Tensor};

use super::config::{GeneratorConfig, MakeGirlsConfig};
use super::generator::Generator;
use super::objective::Adversaries;
use crate::models::model::{Attribution, about};
use crate::nn::params::{ParamStore, Training};
use crate::rng::Seed;
use crate::weights::safetensors;
use crate::weights::webdnn::{CodeTable, Eightbit, TensorMap};
use crate::{Error, Result};

/// Says where published weights are from; goes into the metadata of the file that they are imported to.
const LICENCE: &str = "CC BY-NC 2.0: non-commercial use with attribution to Yanghua Jin et al., make.girls.moe";

/// Length of the published 128 px file. A file of just this length is meant to be it, so that it must be it.
const AMARYLLIS_BYTES: usize = 3_882_085;
/// The checksums of its blocks.
const AMARYLLIS: &str = include_str!("amaryllis.crc32c");

/// A published generator, ready to be written.
#[derive(Clone, Debug)]
pub struct Published {
    /// The network that the weights are for.
    pub config: MakeGirlsConfig,
    /// The weights by PyTorch-style name (`g.dense.weight` …), f32, in PyTorch's axis order.
    pub tensors: BTreeMap<String, Tensor>,
    /// How many blocks the file had.
    pub blocks: usize,
    /// How many numbers the file held.
    pub numbers: usize,
    /// Source, licence and SHA-256 of the file.
    pub attribution: Attribution,
}

impl Published {
    /// Reads a published generator: the "eightbit" weights, the map that names their tensors, and the decoding table.
    /// The number of labels, which the map's `dense.weight` shows, tells the 128 px network (34) from the 256 px one
    /// (36).
    ///
    /// # Errors
    /// When a file cannot be read, is truncated or altered (with the block at fault), the map does not cover the
    /// weights, or tensors are missing, surplus or of wrong shape (listed by name).
    pub fn open(weights: impl AsRef<Path>, map: impl AsRef<Path>, table: impl AsRef<Path>) -> Result<Published> {
        let table = CodeTable::open(table)?;
        let map = TensorMap::open(map)?;
        let file = Eightbit::open(weights.as_ref(), &table)?;
        if file.bytes() == AMARYLLIS_BYTES {
            file.verify(&checksums(AMARYLLIS))?;
        }
        let config = config(&map)?;
        let wanted = wanted(&config)?;
        agree(&map, &config, &wanted)?;
        let mut stored = file.tensors(&map)?;
        let rename = |tensor: Wanted| Some((tensor.ours, stored.remove(&tensor.theirs)?));
        let tensors = wanted.into_iter().filter_map(rename).collect();
        let name = weights.as_ref().file_name().unwrap_or_default().to_string_lossy();
        let attribution = Attribution {
            source: format!("make.girls.moe, WebDNN weights {name}"),
            licence: LICENCE.into(),
            sha256: file.sha256().into(),
        };
        let (blocks, numbers) = (file.blocks(), file.numbers().len());
        Ok(Published { config, tensors, blocks, numbers, attribution })
    }

    /// Writes the weights as a safetensors file that configures its reader
    /// ([`MakeGirls::open`](super::MakeGirls::open)). The file appears under its name only when it is whole.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        safetensors::write(path, &self.tensors, &about::<Adversaries>(&self.config, Some(&self.attribution))?)
    }
}

fn checksums(text: &str) -> Vec<u32> {
    let words = text.lines().filter(|line| !line.starts_with('#')).flat_map(str::split_ascii_whitespace);
    words.filter_map(|word| u32::from_str_radix(word, 16).ok()).collect()
}

/// The network whose input the map's dense layer has.
fn config(map: &TensorMap) -> Result<MakeGirlsConfig> {
    let latent = MakeGirlsConfig::default().latent;
    let dense = map.entries().iter().find(|entry| entry.name == "dense.weight");
    let inputs = dense.and_then(|entry| entry.shape.get(1)).copied().unwrap_or(0);
    inputs.checked_sub(latent).and_then(|labels| MakeGirlsConfig::published(labels).ok()).ok_or_else(|| {
        let found = dense.map_or("no dense.weight".into(), |entry| format!("dense.weight of shape {:?}", entry.shape));
        let expected = "[16384, 162] (34 labels, 128 px) or [16384, 164] (36 labels, 256 px)";
        Error::file(map.path(), found, expected, "Only these two generators of make.girls.moe are known.")
    })
}

/// A tensor of the network.
struct Wanted {
    /// Our name of it.
    ours: String,
    /// Its name in the map.
    theirs: String,
    shape: Vec<usize>,
}

/// Every tensor of the network.
fn wanted(config: &MakeGirlsConfig) -> Result<Vec<Wanted>> {
    let store = ParamStore::new(Seed(0), &Device::Cpu, DType::F32)?;
    Generator::new(config, &store.view(Training::Nothing).pp("g"))?;
    let wanted = |(ours, tensor): (String, Tensor)| match theirs(config, &ours) {
        Some(theirs) => Ok(Wanted { ours, theirs, shape: tensor.dims().to_vec() }),
        None => {
            let expected = "a tensor of the generator of Figure 7";
            Err(Error::invalid("published network", ours, expected, "This is a defect of tachie."))
        }
    };
    store.tensors().into_iter().map(wanted).collect()
}

/// `g.blocks.3.bn2.weight` → `conv7.bn.gamma`.
fn theirs(config: &MakeGirlsConfig, ours: &str) -> Option<String> {
    let GeneratorConfig::SrResNet(generator) = &config.generator else { return None };
    let after_blocks = 2 * generator.blocks;
    let number = |text: &str| text.parse::<usize>().ok();
    let steps: Vec<&str> = ours.split('.').collect();
    let (layer, part) = match steps[..] {
        ["g", "dense", part] => return Some(format!("dense.{part}")),
        ["g", "bn0", part] => return Some(format!("dense.bn.{}", statistic(part)?)),
        ["g", "blocks", block, "conv1" | "bn1", part] => (2 * number(block)?, part),
        ["g", "blocks", block, "conv2" | "bn2", part] => (2 * number(block)? + 1, part),
        ["g", "conv_mid" | "bn_mid", part] => (after_blocks, part),
        ["g", "up", stage, "conv" | "bn", part] => (after_blocks + 1 + number(stage)?, part),
        ["g", "conv_out", part] => (after_blocks + 1 + generator.doublings, part),
        _ => return None,
    };
    let norm = ours.split('.').rev().nth(1).is_some_and(|layer| layer.starts_with("bn"));
    Some(if norm { format!("conv{layer}.bn.{}", statistic(part)?) } else { format!("conv{layer}.{part}") })
}

fn statistic(part: &str) -> Option<&'static str> {
    match part {
        "weight" => Some("gamma"),
        "bias" => Some("beta"),
        "running_mean" => Some("mean"),
        "running_var" => Some("var"),
        _ => None,
    }
}

/// Whether the map has the tensors of the network, and no others.
fn agree(map: &TensorMap, config: &MakeGirlsConfig, wanted: &[Wanted]) -> Result<()> {
    let stored: BTreeMap<&str, Vec<usize>> =
        map.entries().iter().map(|entry| (entry.name.as_str(), entry.torch_shape())).collect();
    let mut problems = Vec::new();
    for Wanted { theirs, shape, .. } in wanted {
        match stored.get(theirs.as_str()) {
            None => problems.push(format!("{theirs} is missing")),
            Some(found) if found != shape => problems.push(format!("{theirs} has shape {found:?} and not {shape:?}")),
            Some(_) => {}
        }
    }
    let known: BTreeSet<&str> = wanted.iter().map(|tensor| tensor.theirs.as_str()).collect();
    problems.extend(stored.keys().filter(|name| !known.contains(*name)).map(|name| format!("{name} is surplus")));
    if problems.is_empty() {
        return Ok(());
    }
    let expected = format!("the tensors of the {} px generator of make.girls.moe", config.size());
    Err(Error::file(map.path(), problems.join(", "), expected, "Weights and map must belong together."))
}
