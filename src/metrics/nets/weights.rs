//! Which published weights there are, and the way from the files of other programs to ours.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read;
use std::path::Path;

use candle_core::{DType, Tensor};
use serde::{Deserialize, Serialize};

use super::illustration2vec::Illustration2Vec;
use super::inception::Inception;
use super::layer::asked;
use super::lpips::heads_at;
use super::trunk::{Architecture, Trunk};
use crate::hash::sha256;
use crate::ops::finite::all_finite;
use crate::weights::{caffe, pytorch, safetensors};
use crate::{Error, Result};

/// What weights are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Inception-v3 of 2015-12-05, as pytorch-fid and torch-fidelity publish it.
    Inception,
    /// torchvision's AlexNet.
    Alexnet,
    /// torchvision's VGG-16.
    Vgg16,
    /// torchvision's VGG-19.
    Vgg19,
    /// torchvision's SqueezeNet 1.1.
    Squeezenet,
    /// The tag network of Illustration2Vec 2.0.
    I2v,
    /// The feature network of Illustration2Vec 2.0.
    I2vFeatures,
    /// The heads of LPIPS 0.1 for AlexNet.
    LpipsAlex,
    /// The heads of LPIPS 0.1 for VGG-16.
    LpipsVgg,
    /// The heads of LPIPS 0.1 for SqueezeNet.
    LpipsSqueeze,
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 10] = [
        Kind::Inception,
        Kind::Alexnet,
        Kind::Vgg16,
        Kind::Vgg19,
        Kind::Squeezenet,
        Kind::I2v,
        Kind::I2vFeatures,
        Kind::LpipsAlex,
        Kind::LpipsVgg,
        Kind::LpipsSqueeze,
    ];

    /// What the command line calls it.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Inception => "inception",
            Kind::Alexnet => "alexnet",
            Kind::Vgg16 => "vgg16",
            Kind::Vgg19 => "vgg19",
            Kind::Squeezenet => "squeezenet",
            Kind::I2v => "i2v",
            Kind::I2vFeatures => "i2v-features",
            Kind::LpipsAlex => "lpips-alex",
            Kind::LpipsVgg => "lpips-vgg",
            Kind::LpipsSqueeze => "lpips-squeeze",
        }
    }

    /// The kind of that name.
    ///
    /// # Errors
    /// When there is none.
    pub fn named(name: &str) -> Result<Kind> {
        let names = || Kind::ALL.map(Kind::name).join(", ");
        let found = Kind::ALL.into_iter().find(|kind| kind.name() == name);
        found.ok_or_else(|| Error::invalid("kind of weights", format!("\"{name}\""), names(), ""))
    }

    /// Names and shapes of its tensors.
    ///
    /// # Errors
    /// When memory runs out.
    pub fn tensors(self) -> Result<BTreeMap<String, Vec<usize>>> {
        match self {
            Kind::Inception => asked(Inception::at),
            Kind::Alexnet => asked(|scope| Trunk::at(scope, Architecture::Alexnet)),
            Kind::Vgg16 => asked(|scope| Trunk::at(scope, Architecture::Vgg16)),
            Kind::Vgg19 => asked(|scope| Trunk::at(scope, Architecture::Vgg19)),
            Kind::Squeezenet => asked(|scope| Trunk::at(scope, Architecture::Squeezenet)),
            Kind::I2v | Kind::I2vFeatures => asked(|scope| Illustration2Vec::at(scope, self)),
            Kind::LpipsAlex => asked(|scope| heads_at(scope, Architecture::Alexnet)),
            Kind::LpipsVgg => asked(|scope| heads_at(scope, Architecture::Vgg16)),
            Kind::LpipsSqueeze => asked(|scope| heads_at(scope, Architecture::Squeezenet)),
        }
    }

    /// Whether published files have this tensor beside those that are needed.
    fn leaves_out(self, name: &str) -> bool {
        let begins = |starts: &[&str]| starts.iter().any(|start| name.starts_with(start));
        match self {
            // Counters of PyTorch's batch norms.
            Kind::Inception => name.ends_with(".num_batches_tracked"),
            Kind::Alexnet | Kind::Vgg16 | Kind::Vgg19 | Kind::Squeezenet => begins(&["classifier."]),
            Kind::I2v => false,
            // The tags that the feature network was trained with.
            Kind::I2vFeatures => begins(&["encode2."]),
            // A whole LPIPS module has its trunk, and its heads a second time in a list.
            Kind::LpipsAlex | Kind::LpipsVgg | Kind::LpipsSqueeze => begins(&["net.", "lins.", "scaling_layer."]),
        }
    }
}

/// What weights are and where they are from; tables print it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Card {
    /// What they are for.
    pub kind: Kind,
    /// Name of the published file.
    pub source: String,
    /// SHA-256 of the published file, 64 hexadecimal digits.
    pub sha256: String,
}

impl Card {
    /// What the weights in a file of [`Weights::save`] are; only its header is looked at.
    ///
    /// # Errors
    /// When the file is no such file.
    pub fn of(path: impl AsRef<Path>) -> Result<Card> {
        let path = path.as_ref();
        let unknown = || {
            let hint = "Write it by `tachie import torch --kind KIND FILE --out NEW`.";
            Error::file(path, "a file of another program", "weights that `tachie import torch` has written", hint)
        };
        let about = safetensors::about(path)?.ok_or_else(unknown)?;
        serde_json::from_str(&about).map_err(|_| unknown())
    }
}

/// Weights of a network by name, f32, on the CPU.
#[derive(Clone, Debug)]
pub struct Weights {
    /// What they are.
    pub card: Card,
    /// The tensors that the network asks for, no others.
    pub tensors: BTreeMap<String, Tensor>,
    /// What the published file held beside them.
    pub left_out: Vec<String>,
}

impl Weights {
    /// Takes the weights of a network out of a published file: one of `torch.save` (ZIP or legacy), safetensors, or
    /// Caffe's. `state_dict.` and `module.` before all names are taken off.
    ///
    /// # Errors
    /// When the file cannot be read, is damaged, or its tensors are not those of this network: the message lists what
    /// is missing, surplus, of another shape or not finite, by name.
    pub fn import(path: impl AsRef<Path>, kind: Kind) -> Result<Weights> {
        let path = path.as_ref();
        let stored = without_prefixes(read_any(path)?);
        let (left_out, kept): (BTreeMap<_, _>, BTreeMap<_, _>) =
            stored.into_iter().partition(|(name, _)| kind.leaves_out(name));
        let tensors = agreed(path, kind, kept)?;
        let source = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let card = Card { kind, source, sha256: sha256(path)? };
        Ok(Weights { card, tensors, left_out: left_out.into_keys().collect() })
    }

    /// Writes them as a safetensors file that says what they are. It appears under its name only when it is whole.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let about = serde_json::to_string(&self.card)
            .map_err(|error| Error::invalid("weights", error.to_string(), "a card that JSON can hold", ""))?;
        safetensors::write(path, &self.tensors, &about)
    }

    /// Reads a file that [`Weights::save`] has written.
    ///
    /// # Errors
    /// When the file cannot be read, says nothing of what it is, or is of another kind.
    pub fn open(path: impl AsRef<Path>, kind: Kind) -> Result<Weights> {
        let path = path.as_ref();
        let file = safetensors::read(path)?;
        let import = || format!("Write it by `tachie import torch --kind {} FILE --out NEW`.", kind.name());
        let card = file.metadata.get(safetensors::ABOUT).and_then(|about| serde_json::from_str::<Card>(about).ok());
        match card {
            Some(card) if card.kind == kind => {
                Ok(Weights { card, tensors: agreed(path, kind, file.tensors)?, left_out: vec![] })
            }
            Some(card) => {
                let found = format!("weights of kind {}", card.kind.name());
                Err(Error::file(path, found, format!("kind {}", kind.name()), "Give the file of the other network."))
            }
            None => Err(Error::file(path, "weights of unknown kind", format!("kind {}", kind.name()), import())),
        }
    }
}

/// The tensors of a published file in any of the known formats.
pub(crate) fn read_any(path: &Path) -> Result<BTreeMap<String, Tensor>> {
    let mut start = Vec::new();
    let io = |source| Error::io("read the weights", path, source);
    File::open(path).map_err(io)?.take(16).read_to_end(&mut start).map_err(io)?;
    let extension = path.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    if pytorch::is_one(&start) {
        pytorch::read(path)
    } else if extension == "caffemodel" {
        caffe::read(path)
    } else if start.get(8) == Some(&b'{') {
        Ok(safetensors::read(path)?.tensors)
    } else {
        let expected = "a file of torch.save (ZIP or legacy), .safetensors or .caffemodel";
        Err(Error::file(path, "another kind of file", expected, "Was it downloaded completely?"))
    }
}

/// Takes off what training programs put before all names.
fn without_prefixes(mut tensors: BTreeMap<String, Tensor>) -> BTreeMap<String, Tensor> {
    while let Some(prefix) =
        ["state_dict.", "module."].into_iter().find(|prefix| tensors.keys().any(|name| name.starts_with(prefix)))
    {
        let short = |(name, tensor): (String, Tensor)| Some((name.strip_prefix(prefix)?.to_owned(), tensor));
        // A checkpoint's other entries (optimizers) are no weights.
        tensors = tensors.into_iter().filter_map(short).collect();
    }
    tensors
}

/// The tensors as f32, if they are those that the network asks for.
fn agreed(path: &Path, kind: Kind, stored: BTreeMap<String, Tensor>) -> Result<BTreeMap<String, Tensor>> {
    let wanted = kind.tensors()?;
    let mut problems = Vec::new();
    let mut tensors = BTreeMap::new();
    for (name, shape) in &wanted {
        match stored.get(name) {
            None => problems.push(format!("{name} is missing")),
            Some(tensor) if tensor.dims() != &shape[..] => {
                problems.push(format!("{name} has shape {:?} instead of {shape:?}", tensor.dims()));
            }
            Some(tensor) => {
                let tensor = tensor.to_dtype(DType::F32)?;
                if !all_finite(&[&tensor])? {
                    problems.push(format!("{name} holds numbers that are not finite"));
                }
                tensors.insert(name.clone(), tensor);
            }
        }
    }
    let known: BTreeSet<&String> = wanted.keys().collect();
    problems.extend(stored.keys().filter(|name| !known.contains(name)).map(|name| format!("{name} is surplus")));
    if problems.is_empty() {
        return Ok(tensors);
    }
    const SHOWN: usize = 8;
    let more = problems.len().saturating_sub(SHOWN);
    problems.truncate(SHOWN);
    let found = problems.join(", ") + &if more > 0 { format!(", and {more} more") } else { String::new() };
    let expected = format!("the {} tensors of kind {}", wanted.len(), kind.name());
    Err(Error::file(path, found, expected, "Is it the file of this network? `--kind` says which one is meant."))
}
