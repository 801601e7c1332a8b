//! Illustration2Vec 2.0 (Saito and Matsui, "Illustration2Vec: a semantic vector representation of illustrations", 2015):
//! one network that names the tags of a drawing, and one that makes features of it, with which the paper of
//! make.girls.moe computes its Fréchet distance.
//!
//! Layers have the names of the published Caffe files. The two networks have weights of their own.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use candle_core::{Device, Tensor};
use image::RgbImage;

use super::in_batches;
use super::layer::{Layer, build, check_pictures, global_mean};
use super::resize::{Axis, resized};
use super::trunk::{Step, named_vgg};
use super::weights::{Card, Kind, Weights};
use crate::nn::conv::ConvSpec;
use crate::nn::init::Weights as Start;
use crate::nn::linear::Linear;
use crate::nn::params::Scope;
use crate::ops::activation::sigmoid;
use crate::{Error, Result};

/// Side of the pictures that it takes.
pub const SIZE: usize = 224;
/// Number of tags: 512 general ones, 512 characters, 512 series, 3 ratings.
pub const TAGS: usize = 1539;
/// Number of features.
pub const FEATURES: usize = 4096;
/// Mean of its training pictures, 0 to 255, in the order of the planes: blue, green, red.
const MEAN_BGR: [f32; 3] = [164.761_39, 167.478_65, 181.138_38];

const GROUPS: [&[(&str, usize)]; 6] = [
    &[("conv1_1", 64)],
    &[("conv2_1", 128)],
    &[("conv3_1", 256), ("conv3_2", 256)],
    &[("conv4_1", 512), ("conv4_2", 512)],
    &[("conv5_1", 512), ("conv5_2", 512)],
    &[("conv6_1", 1024), ("conv6_2", 1024), ("conv6_3", 1024)],
];

#[derive(Clone, Debug)]
enum End {
    Tags(Layer),
    Features(Linear),
}

/// One of the two networks, in evaluation.
#[derive(Clone, Debug)]
pub struct Illustration2Vec {
    trunk: Vec<Step>,
    end: End,
    device: Device,
    card: Option<Card>,
}

impl Illustration2Vec {
    /// Reads a tag or a feature network that `tachie import torch` has written.
    ///
    /// # Errors
    /// When the file cannot be read, or holds other weights.
    pub fn open(path: impl AsRef<Path>, kind: Kind, device: &Device) -> Result<Illustration2Vec> {
        let weights = Weights::open(path, kind)?;
        Ok(Illustration2Vec { card: Some(weights.card), ..Illustration2Vec::new(&weights.tensors, kind, device)? })
    }

    /// The network with these weights: [`Kind::I2v`] or [`Kind::I2vFeatures`].
    ///
    /// # Errors
    /// For any other kind; lists by name what is missing, surplus or of another shape.
    pub fn new(tensors: &BTreeMap<String, Tensor>, kind: Kind, device: &Device) -> Result<Illustration2Vec> {
        build(tensors, device, |scope| Illustration2Vec::at(scope, kind))
    }

    pub(super) fn at(scope: &Scope, kind: Kind) -> Result<Illustration2Vec> {
        let trunk = named_vgg(scope, &GROUPS)?;
        let end = match kind {
            Kind::I2v => End::Tags(Layer::new(&scope.pp("conv6_4"), [1024, TAGS], 3, ConvSpec::padded(1))?),
            Kind::I2vFeatures => {
                End::Features(Linear::new(&scope.pp("encode1"), 1024 * 7 * 7, FEATURES, Start::normal(0.0))?)
            }
            other => return Err(Error::invalid("Illustration2Vec", other.name(), "i2v or i2v-features", "")),
        };
        Ok(Illustration2Vec { trunk, end, device: scope.device().clone(), card: None })
    }

    /// Names of the tags in the order of the tag network's probabilities, from the file `tag_list.json` that is published
    /// beside its weights: a list of 1,539 different texts in JSON.
    ///
    /// # Errors
    /// When the file cannot be read, or is no such list.
    pub fn tags_from(path: impl AsRef<Path>) -> Result<Vec<String>> {
        let path = path.as_ref();
        let text = std::fs::read(path).map_err(|source| Error::io("read the names of tags", path, source))?;
        let expected = || format!("a list of {TAGS} different names in JSON");
        let hint = "It is published with the weights of Illustration2Vec 2.0 as tag_list.json.";
        let names: Vec<String> =
            serde_json::from_slice(&text).map_err(|error| Error::file(path, error.to_string(), expected(), hint))?;
        let different = names.iter().collect::<BTreeSet<_>>().len();
        if [names.len(), different] != [TAGS; 2] {
            let found = format!("{} names, {different} of them different", names.len());
            return Err(Error::file(path, found, expected(), hint));
        }
        Ok(names)
    }

    /// What the weights are; `None` for weights that came from no file.
    pub fn card(&self) -> Option<&Card> {
        self.card.as_ref()
    }

    /// Which of the two networks it is.
    pub fn kind(&self) -> Kind {
        match &self.end {
            End::Tags(_) => Kind::I2v,
            End::Features(_) => Kind::I2vFeatures,
        }
    }

    /// x `[N, 3, 224, 224]` as [`prepare`] makes it → probabilities of the tags `[N, 1539]`, or raw features
    /// `[N, 4096]`, whichever network it is.
    ///
    /// # Errors
    /// When x has another shape.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        check_pictures("Illustration2Vec: input", x, SIZE)?;
        if x.dims()[2..] != [SIZE, SIZE] {
            return Err(Error::shape("Illustration2Vec: input", x.dims(), "[N, 3, 224, 224]"));
        }
        let maps = self.trunk.iter().try_fold(x.clone(), |x, step| step.forward(&x))?;
        match &self.end {
            End::Tags(layer) => sigmoid(&global_mean(&layer.linear(&maps)?)?),
            End::Features(layer) => layer.forward(&maps.flatten_from(1)?),
        }
    }

    /// Probabilities or features of pictures of any sizes: `[N, 1539]` or `[N, 4096]`, f32, on the CPU.
    ///
    /// # Errors
    /// When there is no picture, or one is empty.
    pub fn outputs_of(&self, pictures: &[RgbImage]) -> Result<Tensor> {
        let run = |x: &Tensor| Ok(self.forward(&x.to_device(&self.device)?)?.to_device(&Device::Cpu)?);
        in_batches(pictures, prepare, run)
    }
}

/// A picture as the networks want it, `[3, 224, 224]`: squashed to 224 px by bilinear interpolation without a low pass,
/// blue before green before red, 0 to 255 less the mean of the training pictures.
///
/// # Errors
/// When the picture has no pixels.
pub fn prepare(picture: &RgbImage) -> Result<Tensor> {
    let rgb = resized(picture, SIZE, |from| Axis::centres(from, SIZE), f32::from, |value| value)?;
    let planes = rgb.chunks_exact(SIZE * SIZE).rev().zip(MEAN_BGR);
    let bgr = planes.flat_map(|(plane, mean)| plane.iter().map(move |value| value - mean)).collect();
    Ok(Tensor::from_vec(bgr, (3, SIZE, SIZE), &Device::Cpu)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_tags_are_read_or_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let read = |names: &[String]| {
            let path = folder.path().join("tag_list.json");
            std::fs::write(&path, serde_json::to_string(names).unwrap()).unwrap();
            Illustration2Vec::tags_from(path)
        };
        let mut names: Vec<String> = (0..TAGS).map(|i| format!("tag {i}")).collect();
        assert_eq!(read(&names).unwrap(), names);
        let message = read(&names[1..]).unwrap_err().to_string();
        assert!(message.contains("tag_list.json") && message.contains("1538 names"), "{message}");
        names[7] = names[8].clone();
        assert!(read(&names).unwrap_err().to_string().contains("1538 of them different"));
        let none = Illustration2Vec::tags_from(folder.path().join("none.json")).unwrap_err().to_string();
        assert!(none.contains("none.json"), "{none}");
    }
}
