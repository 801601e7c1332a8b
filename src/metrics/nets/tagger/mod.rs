//! The built-in tagger: a small network that reads the 34 attributes of make.girls.moe off pictures of faces, trained on
//! [`Avatar`](crate::data::avatar::Avatar) alone. Its weights come with this crate, so that attribute precision, a
//! Fréchet distance, a perceptual distance, nearest neighbours and t-SNE work without any download. Tables that are
//! made with it say so (`FID (tagger)`): its numbers are not comparable with those of the official networks.
//!
//! `cargo xtask prove tagger` says how well it reads, and trains it anew.

mod augment;
mod training;

use std::path::Path;

use candle_core::{D, Device, Tensor};
use candle_nn::ops::softmax;
use image::{RgbImage, imageops};

use self::training::About;
use super::layer::unit;
use super::reader::{Network, Outputs};
use super::resize::{Protocol, bicubic};
use super::{BATCH, full_batch, in_batches};
use crate::data::batch::Images;
use crate::data::dataset::Dataset;
use crate::data::tags::{Labels, TagSet};
use crate::hash::sha256_of;
use crate::metrics::labels::attributes::{AttributePrecision, Decision, Request};
use crate::metrics::labels::reliability::Reliability;
use crate::ops::activation::sigmoid;
use crate::ops::arithmetic;
use crate::weights::safetensors;
use crate::{Error, Result};

pub use self::training::{Trained, Training};
pub use super::reader::{FEATURES, SIDE};

const BUILTIN: &[u8] = include_bytes!("builtin.safetensors");
/// How often labels look at a picture.
const VIEWS: usize = 4;
/// Pictures of a data set in memory at once.
const CHUNK: usize = 64;
/// What files of weights say they are.
const KIND: &str = "tagger";

/// A tagger with its weights. Clones share them.
#[derive(Clone, Debug)]
pub struct Tagger {
    network: Network,
    tags: TagSet,
    training: Training,
    hash: String,
    device: Device,
}

impl Tagger {
    /// The weights that come with this crate, on the CPU.
    ///
    /// # Errors
    /// When memory runs out.
    pub fn builtin() -> Result<Tagger> {
        Tagger::builtin_on(&Device::Cpu)
    }

    /// The weights that come with this crate.
    ///
    /// # Errors
    /// When the device has no memory for them.
    pub fn builtin_on(device: &Device) -> Result<Tagger> {
        Tagger::from_bytes("the built-in tagger".as_ref(), BUILTIN, device)
    }

    /// Weights that [`Trained::save`] has written.
    ///
    /// # Errors
    /// When the file cannot be read, or holds something else.
    pub fn load(path: impl AsRef<Path>, device: &Device) -> Result<Tagger> {
        let path = path.as_ref();
        let bytes = std::fs::read(path).map_err(|source| Error::io("read the tagger's weights", path, source))?;
        Tagger::from_bytes(path, &bytes, device)
    }

    fn from_bytes(path: &Path, bytes: &[u8], device: &Device) -> Result<Tagger> {
        let file = safetensors::parse(path, bytes)?;
        let about = file.metadata.get(safetensors::ABOUT).and_then(|text| serde_json::from_str::<About>(text).ok());
        let Some(about) = about.filter(|about| about.kind == KIND) else {
            let hint = "`cargo xtask prove tagger` writes one.";
            return Err(Error::file(path, "weights of something else", "weights of the tagger", hint));
        };
        let tags = TagSet::make_girls();
        let network = Network::new(&file.tensors, tags.len(), device)
            .map_err(|error| Error::file(path, error.to_string(), "weights of the tagger", ""))?;
        Ok(Tagger { network, tags, training: about.training, hash: sha256_of(bytes), device: device.clone() })
    }

    /// What it reads: the 34 tags of [`TagSet::make_girls`].
    pub fn tags(&self) -> &TagSet {
        &self.tags
    }

    /// SHA-256 of the weights' file, 64 hexadecimal digits, for tables and caches.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// How its weights were trained.
    pub fn training(&self) -> &Training {
        &self.training
    }

    /// Number of features, 256.
    pub fn dims(&self) -> usize {
        FEATURES
    }

    /// How pictures are brought to its size, for tables.
    pub fn resize_rule(&self) -> String {
        format!("{} px, bicubic with low pass (clean)", SIDE)
    }

    /// The probability of every tag, of each picture. Pictures may have any size; a face should fill them as it does in
    /// [`Avatar::faces`](crate::data::avatar::Avatar::faces). Those of an exclusive group (hair colour, eye colour) add
    /// up to 1. A picture's numbers do not depend on the other pictures.
    ///
    /// Each picture is looked at four times, whole and cut closer, as it is and mirrored; the logits are averaged.
    ///
    /// # Errors
    /// When there is no picture, or one is empty.
    pub fn labels_of(&self, pictures: &[RgbImage]) -> Result<Vec<Labels>> {
        let views: Vec<RgbImage> = pictures.iter().flat_map(views).collect();
        let logits = self.outputs(&views, |outputs| Ok(outputs.answers))?;
        let logits = logits.reshape((pictures.len(), VIEWS, self.tags.len()))?.mean(1)?;
        let probabilities = self.probabilities(&logits)?;
        probabilities.to_vec2::<f32>()?.into_iter().map(|row| self.tags.labels_from(row)).collect()
    }

    /// [`Tagger::labels_of`] `[N, 3, H, W]` in [−1, 1], read as the 8-bit pictures that they would be saved as.
    ///
    /// # Errors
    /// When the shape is another one.
    pub fn labels(&self, pictures: &Tensor) -> Result<Vec<Labels>> {
        self.labels_of(&bytes_of(pictures)?)
    }

    /// The outputs of the hidden layer, which the tags are linear in: `[N, 256]`, 0 or more, f32, on the CPU. Pictures
    /// may have any size.
    ///
    /// # Errors
    /// When there is no picture, or one is empty.
    pub fn features_of(&self, pictures: &[RgbImage]) -> Result<Tensor> {
        self.outputs(pictures, |outputs| Ok(outputs.features))
    }

    /// [`Tagger::features_of`] `[N, 3, H, W]` in [−1, 1], read as the 8-bit pictures that they would be saved as.
    ///
    /// # Errors
    /// When the shape is another one.
    pub fn features(&self, pictures: &Tensor) -> Result<Tensor> {
        self.features_of(&bytes_of(pictures)?)
    }

    /// A perceptual distance of each pair: `[N, 3, H, W]` in [−1, 1] both → `[N]`, f32, on the CPU. 0 for equal pictures.
    ///
    /// That of LPIPS (Zhang et al. 2018, arXiv:1801.03924, equation 1) on four of this network's maps, with all channels
    /// weighing the same: nobody's judgements were asked, so call it by this network's name.
    ///
    /// # Errors
    /// When the shapes differ or are others.
    pub fn distances(&self, first: &Tensor, second: &Tensor) -> Result<Tensor> {
        if first.dims() != second.dims() {
            return Err(Error::shape("tagger: second pictures", second.dims(), format!("{:?}", first.dims())));
        }
        let (first, second) = (bytes_of(first)?, bytes_of(second)?);
        let mut distances = vec![];
        // Half a batch of pairs is a batch of pictures.
        for (first, second) in first.chunks(BATCH / 2).zip(second.chunks(BATCH / 2)) {
            let pairs: Vec<RgbImage> = first.iter().chain(second).cloned().collect();
            let Outputs { maps, .. } = self.forward(&full_batch(&pairs, prepare)?)?;
            distances.push(unit_distances(&maps, first.len())?.to_device(&Device::Cpu)?);
        }
        Ok(Tensor::cat(&distances, 0)?)
    }

    /// The maps that distances are taken on, every pixel's vector of length 1, as functions of the pictures: `[N, 3, H, W]`
    /// in [−1, 1] on the tagger's device → `[N, C, h, w]` each. As in [`Tagger::distances`], but nothing is rounded.
    pub(super) fn unit_maps(&self, pictures: &Tensor) -> Result<Vec<Tensor>> {
        // Bytes v become (v − 128) / 128, and v is 127.5·x + 127.5.
        let bytes = arithmetic::affine(&bicubic(pictures, [SIDE; 2])?, 127.5 / 128.0, -0.5 / 128.0)?;
        self.network.forward(&bytes)?.maps.iter().map(unit).collect()
    }

    /// How often pictures show what was asked for, one picture per request and in their order.
    ///
    /// # Errors
    /// As [`Tagger::labels_of`] and [`AttributePrecision::of`].
    pub fn precision(&self, requests: &[Request], pictures: &[RgbImage]) -> Result<AttributePrecision> {
        AttributePrecision::of(requests, &self.labels_of(pictures)?, Decision::new())
    }

    /// How far its labels can be relied upon: what it reads in the pictures of a data set against their labels.
    ///
    /// # Errors
    /// As [`Tagger::labels_of`] and [`Reliability::of`], and when a picture cannot be read.
    pub fn reliability(&self, dataset: &Dataset) -> Result<Reliability> {
        let (mut known, mut read) = (Vec::new(), Vec::new());
        for chunk in (0..dataset.len()).collect::<Vec<_>>().chunks(CHUNK) {
            let pictures = chunk.iter().map(|&i| dataset.image(i)).collect::<Result<Vec<_>>>()?;
            known.extend(chunk.iter().map(|&i| dataset.labels(i)).collect::<Result<Vec<_>>>()?);
            read.extend(self.labels_of(&pictures)?);
        }
        Reliability::of(&known, &read, Decision::new())
    }

    /// `take` of what the network makes of pictures, behind each other on the CPU.
    fn outputs(&self, pictures: &[RgbImage], take: impl Fn(Outputs) -> Result<Tensor>) -> Result<Tensor> {
        in_batches(pictures, prepare, |x| Ok(take(self.forward(x)?)?.to_device(&Device::Cpu)?))
    }

    fn forward(&self, x: &Tensor) -> Result<Outputs> {
        self.network.forward(&x.to_device(&self.device)?)
    }

    /// Softmax in exclusive groups, sigmoid elsewhere: `[N, L]` → `[N, L]`.
    fn probabilities(&self, logits: &Tensor) -> Result<Tensor> {
        let mut columns: Vec<Option<Tensor>> = vec![None; self.tags.len()];
        for group in self.tags.groups() {
            let members: Vec<u32> = group.members.iter().map(|&member| member as u32).collect();
            let ids = Tensor::new(members, logits.device())?;
            let shares = softmax(&logits.index_select(&ids, 1)?, D::Minus1)?;
            for (i, &member) in group.members.iter().enumerate() {
                columns[member] = Some(shares.narrow(1, i, 1)?);
            }
        }
        let single = sigmoid(logits)?;
        let column = |(i, column): (usize, Option<Tensor>)| match column {
            Some(column) => Ok(column),
            None => Ok(single.narrow(1, i, 1)?),
        };
        let columns = columns.into_iter().enumerate().map(column).collect::<Result<Vec<_>>>()?;
        Ok(Tensor::cat(&columns, 1)?)
    }
}

/// The distances of the first `n` pictures from the next `n`: of each map the mean over its places of the squared
/// differences of unit vectors, summed over the maps.
fn unit_distances(maps: &[Tensor], n: usize) -> Result<Tensor> {
    let mut total = Tensor::zeros(n, maps[0].dtype(), maps[0].device())?;
    for map in maps {
        let unit = unit(map)?;
        let difference = (unit.narrow(0, 0, n)? - unit.narrow(0, n, n)?)?;
        total = (total + difference.sqr()?.sum(1)?.flatten_from(1)?.mean(1)?)?;
    }
    Ok(total)
}

fn bytes_of(pictures: &Tensor) -> Result<Vec<RgbImage>> {
    Images::new(pictures.clone())?.to_rgb()
}

fn prepare(picture: &RgbImage) -> Result<Tensor> {
    Protocol::Clean.prepare(picture, SIDE)
}

/// The picture and, since faces are not always cut as ours are, its middle a little above the centre, five sixths as large;
/// both mirrored too.
fn views(picture: &RgbImage) -> [RgbImage; VIEWS] {
    let (width, height) = picture.dimensions();
    let [across, down] = [width, height].map(|side| (side * 5).div_ceil(6));
    let closer = imageops::crop_imm(picture, (width - across) / 2, (height - down) / 10, across, down).to_image();
    let mirrored = [picture, &closer].map(imageops::flip_horizontal);
    let [whole, close] = mirrored;
    [picture.clone(), closer, whole, close]
}
