//! How the tagger's weights came to be: it learned from faces that [`Avatar`] draws, and from nothing else.

use std::collections::BTreeMap;
use std::path::Path;

use candle_core::{D, DType, Device, Tensor};
use candle_nn::ops::log_softmax;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::augment::{NUMBERS, changed};
use super::{KIND, Tagger};
use crate::data::avatar::Avatar;
use crate::data::avatar::faces::Faces;
use crate::data::avatar::faces::label::COUNT;
use crate::data::tags::{TagGroup, TagSet};
use crate::hash::sha256_of;
use crate::losses::adversarial::cross_entropy;
use crate::metrics::nets::reader::{Learner, SIDE};
use crate::nn::params::{ParamStore, Training as Tracked};
use crate::rng::Seed;
use crate::train::gan::Player;
use crate::train::supervised::Supervised;
use crate::weights::{safetensors, write_whole};
use crate::{Error, Result};

/// Side of the drawn faces that pictures are cut from, pixels.
const DRAWN: u32 = 96;
/// One of so many faces is drawn in the usual style, the others are by illustrators of all kinds.
const USUAL: usize = 4;
/// Share of the label that smoothing gives to the other colours of a group.
const SMOOTHING: f64 = 0.05;

/// The settings of a training. Equal settings give the same file on the same instruction set, whatever the number of
/// threads.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Training {
    /// Of the weights at the start, the faces, their order and their changes.
    pub seed: Seed,
    /// Drawn faces to learn from.
    pub faces: usize,
    /// Steps of Adam.
    pub steps: usize,
    /// Faces per step.
    pub batch: usize,
    /// Largest learning rate; it rises over the first steps and falls to 0 along a half cosine.
    pub rate: f64,
}

impl Default for Training {
    /// What the built-in weights were trained with.
    fn default() -> Self {
        Training { seed: Seed(0), faces: 6_000, steps: 3_000, batch: 32, rate: 2e-3 }
    }
}

/// The weights that came of a training.
#[derive(Clone, Debug)]
pub struct Trained {
    bytes: Vec<u8>,
    losses: Vec<f64>,
}

impl Trained {
    /// The safetensors file: kernels and matrices in half precision, the rest in single.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The loss of each step.
    pub fn losses(&self) -> &[f64] {
        &self.losses
    }

    /// SHA-256 of the file, 64 hexadecimal digits.
    pub fn hash(&self) -> String {
        sha256_of(&self.bytes)
    }

    /// Writes the file.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        write_whole(path, &self.bytes).map_err(|source| Error::io("write the tagger's weights", path, source))
    }

    /// The tagger with these weights.
    ///
    /// # Errors
    /// When the device has no memory for them.
    pub fn tagger(&self, device: &Device) -> Result<Tagger> {
        Tagger::from_bytes("the trained tagger".as_ref(), &self.bytes, device)
    }
}

impl Training {
    /// Trains a tagger on the CPU. `progress` is told the number of each step, from 1, and its loss.
    ///
    /// # Errors
    /// When there are no faces, steps or pictures per step, or the loss is not finite.
    pub fn run(&self, progress: impl FnMut(usize, f64)) -> Result<Trained> {
        if self.faces == 0 {
            return Err(Error::invalid("training of the tagger: faces", "0", "at least 1", ""));
        }
        let tags = TagSet::make_girls();
        let pool = Pool::draw(self)?;
        let params = ParamStore::new(self.seed, &Device::Cpu, DType::F32)?;
        let learner = Learner::new(&params.view(Tracked::All).pp(Player::Classifier.prefix()), tags.len())?;
        let &Training { seed, steps, batch, rate, .. } = self;
        let course = Supervised { seed, steps, batch, rate };
        let of_step = |step| {
            let (pictures, labels) = pool.batch(&course, step)?;
            loss(&learner.forward(&pictures)?, &labels, &tags)
        };
        let (average, losses) = course.run("the tagger", &params, of_step, progress)?;
        Ok(Trained { bytes: self.file(&average)?, losses })
    }

    fn file(&self, params: &ParamStore) -> Result<Vec<u8>> {
        let mut tensors = BTreeMap::new();
        for (name, tensor) in Supervised::weights(params) {
            // Statistics may be too small for half precision.
            let tensor = if tensor.rank() > 1 { tensor.to_dtype(DType::F16)? } else { tensor };
            tensors.insert(name, tensor);
        }
        let about = About { kind: KIND.to_string(), training: self.clone() };
        let about = serde_json::to_string(&about)
            .map_err(|error| Error::invalid("tagger", error.to_string(), "settings that JSON can hold", ""))?;
        safetensors::serialize(&tensors, &about)
    }
}

/// What a file of weights says of itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct About {
    pub kind: String,
    pub training: Training,
}

/// Faces to learn from, in memory.
struct Pool {
    bytes: Vec<Vec<u8>>,
    labels: Vec<[bool; COUNT]>,
}

impl Pool {
    fn draw(training: &Training) -> Result<Pool> {
        let usual = Avatar::faces().size(DRAWN).seed(training.seed.child("tagger/faces"));
        let styled = usual.clone().styles();
        let face = |i: usize| {
            let faces: &Faces = if i.is_multiple_of(USUAL) { &usual } else { &styled };
            Ok((faces.image(i)?.into_raw(), faces.spec(i)?.labels))
        };
        let faces = (0..training.faces).into_par_iter().map(face).collect::<Result<Vec<_>>>()?;
        let (bytes, labels) = faces.into_iter().unzip();
        Ok(Pool { bytes, labels })
    }

    /// Pictures `[N, 3, 64, 64]` and labels `[N, L]` of a step.
    fn batch(&self, course: &Supervised, step: usize) -> Result<(Tensor, Tensor)> {
        let (ids, batch) = (course.chosen("tagger", step, self.bytes.len()), course.batch);
        let mut pictures = vec![0f32; batch * NUMBERS];
        pictures.par_chunks_exact_mut(NUMBERS).zip(&ids).enumerate().for_each(|(i, (place, &id))| {
            let mut stream = course.seed.stream(&format!("tagger/change/{step}/{i}"));
            place.copy_from_slice(&changed(&self.bytes[id], DRAWN as usize, &mut stream));
        });
        let labels: Vec<f32> = ids.iter().flat_map(|&id| self.labels[id].map(|on| f32::from(u8::from(on)))).collect();
        let width = labels.len() / batch;
        let pictures = Tensor::from_vec(pictures, (batch, 3, SIDE, SIDE), &Device::Cpu)?;
        Ok((pictures, Tensor::from_vec(labels, (batch, width), &Device::Cpu)?))
    }
}

/// Softmax cross entropy of each exclusive group and sigmoid cross entropy of each other tag, their sum averaged over
/// the pictures.
fn loss(logits: &Tensor, labels: &Tensor, tags: &TagSet) -> Result<Tensor> {
    let (mut total, mut next) = (Tensor::zeros((), logits.dtype(), logits.device())?, 0);
    for TagGroup { members, .. } in tags.groups() {
        let (first, count) = (members[0], members.len());
        total = (total + switches(logits, labels, next..first)?)?;
        let smooth = (labels.narrow(1, first, count)? * (1.0 - SMOOTHING))? + SMOOTHING / count as f64;
        let surprise = log_softmax(&logits.narrow(1, first, count)?, D::Minus1)?.mul(&smooth?)?;
        total = (total - surprise.sum(1)?.mean_all()?)?;
        next = first + count;
    }
    Ok((total + switches(logits, labels, next..tags.len())?)?)
}

/// The part of the loss that tags outside of groups have.
fn switches(logits: &Tensor, labels: &Tensor, range: std::ops::Range<usize>) -> Result<Tensor> {
    if range.is_empty() {
        return Ok(Tensor::zeros((), logits.dtype(), logits.device())?);
    }
    let part = |tensor: &Tensor| Ok::<_, Error>(tensor.narrow(1, range.start, range.len())?.contiguous()?);
    Ok(cross_entropy(&part(logits)?, &part(labels)?)?.sum(1)?.mean_all()?)
}
