//! Networks as metrics see them: pictures of any sizes in, one row of features each out.

use candle_core::{Device, Tensor};
use image::RgbImage;

use super::illustration2vec::{self, Illustration2Vec};
use super::inception::{self, Inception, Tap};
use super::resize::Protocol;
use super::tagger::Tagger;
use super::weights::{Card, Kind};
use crate::data::batch::Images;
use crate::data::tags::Labels;
use crate::{Error, Result};

/// A network that gives features. Equal pictures have equal features whatever other pictures are beside them, and
/// equal [`name`](Extractor::name), [`hash`](Extractor::hash) and [`resize_rule`](Extractor::resize_rule) mean equal
/// features: caches rely on both.
pub trait Extractor: Send + Sync {
    /// What tables and files call it, the place where features are taken included
    /// ("inception-2015-12-05 pool3").
    fn name(&self) -> String;

    /// What stands in brackets behind the name of a metric: `FID (tagger)`. `None` for the network that the metrics of
    /// features were defined with.
    fn mark(&self) -> Option<String> {
        Some(self.name())
    }

    /// SHA-256 of the published weights in hexadecimal; `None` for weights of no known file, whose features are never
    /// kept on disk.
    fn hash(&self) -> Option<String>;

    /// Features per picture.
    fn dims(&self) -> usize;

    /// How a picture of any size becomes the network's input, in words.
    fn resize_rule(&self) -> String;

    /// One row per picture: `[N, dims]`, f32, on the CPU.
    ///
    /// # Errors
    /// When there is no picture, or one is empty.
    fn features(&self, pictures: &[RgbImage]) -> Result<Tensor>;

    /// Unnormalised class scores `[N, C]` of features `[N, dims]`, for the Inception score; `None` for a network
    /// without classes that exclude each other.
    ///
    /// # Errors
    /// When the features have another shape.
    fn class_scores(&self, features: &Tensor) -> Result<Option<Tensor>> {
        let _ = features;
        Ok(None)
    }

    /// The probabilities of the attributes of each picture, for attribute precision; `None` for a network that names
    /// none.
    ///
    /// # Errors
    /// As [`Extractor::features`].
    fn labels(&self, pictures: &[RgbImage]) -> Result<Option<Vec<Labels>>> {
        let _ = pictures;
        Ok(None)
    }

    /// A perceptual distance of each pair of pictures, all of one size, as many of each; `None` for a network that
    /// defines none.
    ///
    /// # Errors
    /// When there is no picture, or the sizes differ.
    fn distances(&self, first: &[RgbImage], second: &[RgbImage]) -> Result<Option<Vec<f64>>> {
        let _ = (first, second);
        Ok(None)
    }
}

/// The network that comes with this crate. Its numbers compare with each other and with no paper's, so that tables name
/// it: `FID (tagger)`.
impl Extractor for Tagger {
    fn name(&self) -> String {
        "tagger".into()
    }

    fn hash(&self) -> Option<String> {
        Some(Tagger::hash(self).into())
    }

    fn dims(&self) -> usize {
        Tagger::dims(self)
    }

    fn resize_rule(&self) -> String {
        Tagger::resize_rule(self)
    }

    fn features(&self, pictures: &[RgbImage]) -> Result<Tensor> {
        self.features_of(pictures)
    }

    fn labels(&self, pictures: &[RgbImage]) -> Result<Option<Vec<Labels>>> {
        self.labels_of(pictures).map(Some)
    }

    fn distances(&self, first: &[RgbImage], second: &[RgbImage]) -> Result<Option<Vec<f64>>> {
        let tensor = |pictures| Ok::<Tensor, Error>(Images::from_rgb(pictures)?.tensor);
        let distances = Tagger::distances(self, &tensor(first)?, &tensor(second)?)?.to_vec1::<f32>()?;
        Ok(Some(distances.into_iter().map(f64::from).collect()))
    }
}

/// The network that the command line calls so: `tagger`, or `inception:FILE` or `i2v:FILE` with weights that `tachie
/// import torch` has written. `protocol` and `tap` are Inception's.
///
/// # Errors
/// For another name; when the file cannot be read or holds other weights.
pub fn named(text: &str, protocol: Protocol, tap: Tap, device: &Device) -> Result<Box<dyn Extractor>> {
    match text.split_once(':') {
        None if text == "tagger" => Ok(Box::new(Tagger::builtin_on(device)?)),
        Some(("inception", file)) => {
            expect(file, Kind::Inception)?;
            Ok(Box::new(InceptionFeatures::new(Inception::open(file, device)?, protocol).tap(tap)))
        }
        Some(("i2v", file)) => {
            expect(file, Kind::I2vFeatures)?;
            let network = Illustration2Vec::open(file, Kind::I2vFeatures, device)?;
            Ok(Box::new(Illustration2VecFeatures::new(network)?))
        }
        _ => {
            let expected = "tagger, inception:FILE or i2v:FILE";
            Err(Error::invalid("network of features", format!("\"{text}\""), expected, ""))
        }
    }
}

/// Refuses other weights before they are read whole.
fn expect(file: &str, kind: Kind) -> Result<()> {
    let found = Card::of(file)?.kind;
    if found == kind {
        return Ok(());
    }
    let found = format!("weights of kind {}", found.name());
    Err(Error::file(file, found, format!("kind {}", kind.name()), "Give the file of the other network."))
}

/// Features of [`Inception`] at one tap, pictures resized by one protocol. At [`Tap::Pool3`] it is the network of FID.
#[derive(Clone, Debug)]
pub struct InceptionFeatures {
    network: Inception,
    protocol: Protocol,
    tap: Tap,
}

impl InceptionFeatures {
    /// The last features (2048), which FID means.
    pub fn new(network: Inception, protocol: Protocol) -> InceptionFeatures {
        InceptionFeatures { network, protocol, tap: Tap::Pool3 }
    }

    /// Features of another place.
    pub fn tap(self, tap: Tap) -> InceptionFeatures {
        InceptionFeatures { tap, ..self }
    }
}

impl Extractor for InceptionFeatures {
    fn name(&self) -> String {
        let tap = match self.tap {
            Tap::Pool1 => "pool1",
            Tap::Pool2 => "pool2",
            Tap::Mixed6e => "mixed6e",
            Tap::Pool3 => "pool3",
        };
        format!("inception-2015-12-05 {tap}")
    }

    fn mark(&self) -> Option<String> {
        (self.tap != Tap::Pool3).then(|| format!("inception {}", self.tap.dims()))
    }

    fn hash(&self) -> Option<String> {
        hash(self.network.card())
    }

    fn dims(&self) -> usize {
        self.tap.dims()
    }

    fn resize_rule(&self) -> String {
        let how = match self.protocol {
            Protocol::Tensorflow => "bilinear from the corners, no low pass",
            Protocol::Pytorch => "bilinear, no low pass",
            Protocol::Clean => "bicubic with a low pass",
        };
        format!("{}: {how}, squashed to {size}×{size}", self.protocol.name(), size = inception::SIZE)
    }

    fn features(&self, pictures: &[RgbImage]) -> Result<Tensor> {
        self.network.features_of(pictures, self.protocol, self.tap)
    }

    fn class_scores(&self, features: &Tensor) -> Result<Option<Tensor>> {
        match self.tap {
            Tap::Pool3 => Ok(Some(self.network.class_scores(features)?)),
            _ => Ok(None),
        }
    }
}

/// Features of the feature network of [`Illustration2Vec`], with which the paper of make.girls.moe computes its FID.
#[derive(Clone, Debug)]
pub struct Illustration2VecFeatures {
    network: Illustration2Vec,
}

impl Illustration2VecFeatures {
    /// # Errors
    /// When it is the tag network, whose outputs are probabilities.
    pub fn new(network: Illustration2Vec) -> Result<Illustration2VecFeatures> {
        match network.kind() {
            Kind::I2vFeatures => Ok(Illustration2VecFeatures { network }),
            other => {
                let hint = "Open the weights of the feature network.";
                Err(Error::invalid("Illustration2Vec", format!("kind {}", other.name()), "kind i2v-features", hint))
            }
        }
    }
}

impl Extractor for Illustration2VecFeatures {
    fn name(&self) -> String {
        "illustration2vec encode1".into()
    }

    fn mark(&self) -> Option<String> {
        Some("illustration2vec".into())
    }

    fn hash(&self) -> Option<String> {
        hash(self.network.card())
    }

    fn dims(&self) -> usize {
        illustration2vec::FEATURES
    }

    fn resize_rule(&self) -> String {
        format!("bilinear, no low pass, squashed to {size}×{size}", size = illustration2vec::SIZE)
    }

    fn features(&self, pictures: &[RgbImage]) -> Result<Tensor> {
        self.network.outputs_of(pictures)
    }
}

fn hash(card: Option<&Card>) -> Option<String> {
    card.map(|card| card.sha256.clone())
}
