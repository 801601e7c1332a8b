//! Step 3: where the character and its clothing are.
//!
//! The paper trains SSD (Liu et al. 2016, arXiv:1512.02325) on 1,059 pictures with boxes by hand and lets it cut all others
//! (section 3; specs/clothing.md section B). Here it is trained from boxes in the format of [`boxes`](super::boxes), and
//! writes what it finds in the same one, so that [`crop_pairs`](super::crop_pairs::crop_pairs) takes the boxes of this
//! detector as those of any other.

mod examples;
pub mod geometry;
mod network;
mod training;

use std::collections::BTreeMap;
use std::path::Path;

use candle_core::{D, DType, Device, Tensor};
use candle_nn::ops::softmax;
use image::RgbImage;
use serde::{Deserialize, Serialize};

use super::boxes::{Boxes, Detection};
use super::step::{Product, Step, StepReport};
use crate::data::manifest::Filter;
use crate::data::resize;
use crate::metrics::nets::weights::read_any;
use crate::nn::norm::Mode;
use crate::nn::params::{ParamStore, Training as Tracked};
use crate::weights::trained;
use crate::{Error, Result};

use geometry::{Corners, Prior, suppressed};

pub use examples::Examples;
pub use network::{Answers, Extra, Ssd, SsdConfig};
pub use training::{Accuracy, Start, Training};

/// Name of the file of boxes in the folder of the step.
pub const BOXES: &str = "boxes.jsonl";
/// What files of weights say they are.
const KIND: &str = "detector";
/// Pictures that are read before anything is written.
const CHUNK: usize = 8;

/// What of the network's answers is a box. The defaults are torchvision's but for the number of boxes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Find {
    /// Boxes need more than this probability.
    pub score: f64,
    /// So many boxes of the highest score are looked at, of each class.
    pub candidates: usize,
    /// Of two boxes of one class that overlap by more than this, intersection over union, the less probable one is dropped.
    pub overlap: f64,
    /// Boxes of a picture, at most.
    pub most: usize,
}

impl Default for Find {
    /// Above 0.01, 400 candidates, an overlap of 0.45 (section 2.2), 20 boxes.
    fn default() -> Self {
        Find { score: 0.01, candidates: 400, overlap: 0.45, most: 20 }
    }
}

impl Find {
    /// The boxes among the answers for one picture: number of the class from 1, probability and corners as shares of the
    /// picture, within it, the most probable first. `probabilities` are rows of `classes` numbers, the background's first.
    pub fn boxes(
        &self,
        probabilities: &[f32],
        offsets: &[f32],
        classes: usize,
        priors: &[Prior],
    ) -> Vec<(usize, f64, Corners)> {
        let (offsets, _) = offsets.as_chunks::<4>();
        let places: Vec<Corners> = priors
            .iter()
            .zip(offsets)
            .map(|(prior, offsets)| prior.decode(*offsets).map(|v| v.clamp(0.0, 1.0)))
            .collect();
        let mut found = Vec::new();
        for class in 1..classes {
            let score = |i: usize| f64::from(probabilities[i * classes + class]);
            let mut ids: Vec<usize> = (0..places.len()).filter(|&i| score(i) > self.score).collect();
            ids.sort_by(|&a, &b| score(b).total_cmp(&score(a)).then(a.cmp(&b)));
            ids.truncate(self.candidates);
            let of_class: Vec<Corners> = ids.iter().map(|&i| places[i]).collect();
            let scores: Vec<f64> = ids.iter().map(|&i| score(i)).collect();
            let kept = suppressed(&of_class, &scores, self.overlap);
            found.extend(kept.into_iter().map(|i| (class, scores[i], of_class[i])));
        }
        found.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        found.truncate(self.most);
        found
    }
}

/// What a file of weights says of itself.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct About {
    config: SsdConfig,
    classes: Vec<String>,
    training: Option<Training>,
}

/// A trained detector.
#[derive(Clone, Debug)]
pub struct Detector {
    network: Ssd,
    priors: Vec<Prior>,
    tensors: BTreeMap<String, Tensor>,
    about: About,
    device: Device,
}

impl Detector {
    fn of(tensors: BTreeMap<String, Tensor>, about: About, device: &Device) -> Result<Detector> {
        let store = ParamStore::blank(device, DType::F32)?;
        let network = Ssd::new(&about.config, about.classes.len() + 1, &store.view(Tracked::Nothing))?;
        store.load(&tensors)?;
        Ok(Detector { network, priors: about.config.priors()?, tensors, about, device: device.clone() })
    }

    /// Writes the weights as a safetensors file that says what they are; its tensors have the names of torchvision's
    /// `ssd300_vgg16`.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        trained::save(path, KIND, &self.about, &self.tensors)
    }

    /// Reads a file that [`Detector::save`] has written.
    ///
    /// # Errors
    /// When the file cannot be read, or holds something else.
    pub fn open(path: impl AsRef<Path>, device: &Device) -> Result<Detector> {
        trained::open(path, KIND, "tachie data train-detector", |tensors, about| Detector::of(tensors, about, device))
    }

    /// Takes the weights of torchvision's `ssd300_vgg16` out of a file of `torch.save` or safetensors. `classes` are its
    /// classes from 1 on.
    ///
    /// # Errors
    /// When the file cannot be read, or is not of this network and so many classes.
    pub fn import(path: impl AsRef<Path>, classes: &[String], device: &Device) -> Result<Detector> {
        let path = path.as_ref();
        let tensors = read_any(path)?;
        let about = About { config: SsdConfig::torchvision(), classes: classes.to_vec(), training: None };
        Detector::of(tensors, about, device).map_err(|error| {
            let expected = format!("torchvision's SSD300 for {} classes and the background", classes.len());
            Error::file(path, error.to_string(), expected, "")
        })
    }

    /// What it is made of.
    pub fn config(&self) -> &SsdConfig {
        &self.about.config
    }

    /// The names of what it finds.
    pub fn classes(&self) -> &[String] {
        &self.about.classes
    }

    /// How it was trained; nothing for imported weights.
    pub fn training(&self) -> Option<&Training> {
        self.about.training.as_ref()
    }

    /// The boxes in a picture of any size, in its own pixels, the most probable first.
    ///
    /// # Errors
    /// When the picture is empty.
    pub fn detect(&self, picture: &RgbImage, find: &Find) -> Result<Vec<Detection>> {
        let (width, height) = picture.dimensions();
        if width == 0 || height == 0 {
            return Err(Error::invalid("picture", "no pixels", "at least one", ""));
        }
        let side = self.about.config.size;
        let shown = resize::rgb(picture, side as u32, side as u32, Filter::Bilinear);
        let x = tensor_of(&[&shown], &self.about.config, &self.device)?;
        let Answers { logits, offsets } = self.network.forward(&x, Mode::Eval)?;
        let numbers = |x: Tensor| x.flatten_all()?.to_vec1::<f32>();
        let (probabilities, offsets) = (numbers(softmax(&logits, D::Minus1)?)?, numbers(offsets)?);
        let found = find.boxes(&probabilities, &offsets, self.about.classes.len() + 1, &self.priors);
        let (width, height) = (f64::from(width), f64::from(height));
        let detection = |(class, score, [left, top, right, bottom]): (usize, f64, Corners)| Detection {
            class: self.about.classes[class - 1].clone(),
            score,
            area: [left * width, top * height, (right - left) * width, (bottom - top) * height],
        };
        Ok(found.into_iter().map(detection).collect())
    }
}

/// Pictures of the network's size as it sees them: `[N, 3, S, S]`.
fn tensor_of(pictures: &[&RgbImage], config: &SsdConfig, device: &Device) -> Result<Tensor> {
    let SsdConfig { size, mean, deviation, .. } = *config;
    let mut numbers = Vec::with_capacity(pictures.len() * 3 * size * size);
    for picture in pictures {
        for (channel, mean) in mean.iter().enumerate() {
            let bytes = picture.as_raw()[channel..].iter().step_by(3);
            numbers.extend(bytes.map(|byte| ((f64::from(*byte) - mean) / deviation) as f32));
        }
    }
    Ok(Tensor::from_vec(numbers, (pictures.len(), 3, size, size), device)?)
}

/// Finds the boxes in all pictures in `input` and below it and writes them to [`BOXES`] of `output`, which
/// [`crop_pairs`](super::crop_pairs::crop_pairs) takes. A run that was interrupted goes on where it was.
///
/// # Errors
/// When a folder cannot be read or written, or `output` holds anything but the same step. A picture that cannot be read, or
/// in which nothing is found, is no error: it is in the report.
pub fn detect_folder(
    input: impl AsRef<Path>,
    output: impl AsRef<Path>,
    detector: &Detector,
    find: &Find,
) -> Result<(Boxes, StepReport)> {
    detect_in(input.as_ref(), output.as_ref(), detector, find)
}

fn detect_in(input: &Path, output: &Path, detector: &Detector, find: &Find) -> Result<(Boxes, StepReport)> {
    let settings = (find, trained::fingerprint(KIND, &detector.about, &detector.tensors)?);
    let (inputs, mut step) = Step::<Vec<Detection>>::over(input, output, "detect", &settings)?;
    let made = step.run_pictures(&inputs, CHUNK, |_, picture| {
        let facts = detector.detect(&picture, find)?;
        let notes = if facts.is_empty() { vec![("nothing found".into(), String::new())] } else { Vec::new() };
        Ok(Ok(Product { facts, files: Vec::new(), notes }))
    })?;
    let report = step.finish(made.len())?;
    let one = |(input, found): (super::step::Input, Vec<Detection>)| {
        found.into_iter().map(move |detection| (input.file.clone(), detection))
    };
    let boxes = Boxes::new(made.into_iter().flat_map(one));
    boxes.save(output.join(BOXES))?;
    Ok((boxes, report))
}
