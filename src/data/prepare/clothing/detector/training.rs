//! How a detector learns, and how good it is.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::examples::{Examples, Truth, changed};
use super::geometry::{Corners, Prior, matched, overlap};
use super::network::{Answers, Ssd, SsdConfig};
use super::{About, Detector, Find, tensor_of};
use crate::losses::multibox::multibox;
use crate::metrics::nets::weights::read_any;
use crate::nn::norm::Mode;
use crate::nn::params::{ParamStore, Training as Tracked};
use crate::rng::Seed;
use crate::train::gan::Player;
use crate::train::supervised::Supervised;
use crate::{Error, Result};

/// Default boxes that overlap a box by at least this have to answer for it (section 2.2).
const MATCHED: f64 = 0.5;
/// Others that count, for each matched one (section 2.2).
const NEGATIVES: f64 = 3.0;

/// The settings of a training. Equal settings and pictures give the same detector on the same instruction set, whatever the
/// number of threads.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Training {
    /// Of the weights at the start, the order of the pictures and their changes.
    pub seed: Seed,
    /// Steps of Adam.
    pub steps: usize,
    /// Pictures per step.
    pub batch: usize,
    /// Largest learning rate; it rises over the first steps and falls to 0 along a half cosine.
    pub rate: f64,
}

impl Default for Training {
    /// 2,000 steps of 16 pictures, for [`SsdConfig::small`]; VGG-16 wants a rate of 1e-4 and the weights of ImageNet.
    fn default() -> Self {
        Training { seed: Seed(0), steps: 2_000, batch: 16, rate: 2e-3 }
    }
}

/// Weights to start from: those of torchvision's VGG-16, or of an SSD of any classes. Names and shapes that fit are taken.
#[derive(Clone, Debug)]
pub struct Start {
    path: PathBuf,
    tensors: BTreeMap<String, Tensor>,
}

impl Start {
    /// Reads a file of `torch.save` or safetensors.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn open(path: impl AsRef<Path>) -> Result<Start> {
        let path = path.as_ref();
        let named = |(name, tensor): (String, Tensor)| (own_name(&name), tensor);
        Ok(Start { path: path.to_path_buf(), tensors: read_any(path)?.into_iter().map(named).collect() })
    }

    /// Puts what fits into the network's parameters; returns how many tensors these are.
    fn load(&self, params: &ParamStore) -> Result<usize> {
        let mut tensors = params.tensors();
        let (prefix, mut count) = (format!("{}.", Player::Classifier.prefix()), 0);
        for (name, tensor) in &mut tensors {
            let found = name.strip_prefix(&prefix).and_then(|name| self.tensors.get(name));
            if let Some(found) = found.filter(|found| found.dims() == tensor.dims()) {
                *tensor = found.clone();
                count += 1;
            }
        }
        if count == 0 {
            let expected = "tensors of torchvision's VGG-16 or SSD300 that fit this configuration";
            return Err(Error::file(
                &self.path,
                "none that fits",
                expected,
                "They fit the configuration of the paper.",
            ));
        }
        params.load(&tensors)?;
        Ok(count)
    }
}

/// What SSD calls a tensor of VGG-16; names of SSD stay.
fn own_name(name: &str) -> String {
    match name.strip_prefix("features.").and_then(|rest| rest.split_once('.')) {
        Some((index, rest)) => match index.parse::<usize>() {
            // The fifth group follows the fourth pool, which is layer 23.
            Ok(index) if index > 23 => format!("backbone.extra.0.{}.{rest}", index - 23),
            _ => format!("backbone.{name}"),
        },
        None => name.to_string(),
    }
}

/// How well the best box of each class fits the true one.
#[derive(Clone, Debug, PartialEq)]
pub struct Accuracy {
    /// The class.
    pub class: String,
    /// True boxes: the first of the class in each picture.
    pub boxes: usize,
    /// Share of them that the most probable box of the class overlaps by at least one half.
    pub found: f64,
    /// Mean overlap, intersection over union; 0 where no box was found.
    pub overlap: f64,
}

impl std::fmt::Display for Accuracy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Accuracy { class, boxes, found, overlap } = self;
        write!(f, "{class}: {:.1} % of {boxes} boxes found, mean overlap {overlap:.3}", 100.0 * found)
    }
}

impl Detector {
    /// Learns from examples of the configuration's size. `progress` is told the number of each step, from 1, and its loss.
    ///
    /// # Errors
    /// When there are no examples, they are of another size, the configuration cannot be, nothing of `start` fits, or the
    /// loss is not finite.
    pub fn train(
        examples: &Examples,
        config: &SsdConfig,
        training: &Training,
        start: Option<&Start>,
        device: &Device,
        mut progress: impl FnMut(usize, f64),
    ) -> Result<Detector> {
        Self::trained(examples, config, training, start, device, &mut progress)
    }

    fn trained(
        examples: &Examples,
        config: &SsdConfig,
        training: &Training,
        start: Option<&Start>,
        device: &Device,
        progress: &mut dyn FnMut(usize, f64),
    ) -> Result<Detector> {
        if examples.is_empty() || examples.get(0).0.width() as usize != config.size {
            let found = format!("{} pictures", examples.len());
            let expected = format!("at least one, all of {} pixels", config.size);
            return Err(Error::invalid("examples of a detector", found, expected, ""));
        }
        let &Training { seed, steps, batch, rate } = training;
        let priors = config.priors()?;
        let params = ParamStore::new(seed, device, DType::F32)?;
        let scope = params.view(Tracked::All).pp(Player::Classifier.prefix());
        let network = Ssd::new(config, examples.classes().len() + 1, &scope)?;
        start.map(|start| start.load(&params)).transpose()?;
        let course = Supervised { seed, steps, batch, rate };
        let of_step = |step| {
            let asked = Asked::of(examples, config, &priors, &course, step, device)?;
            let Answers { logits, offsets } = network.forward(&asked.pictures, Mode::Train)?;
            let loss = multibox(&logits, &offsets, &asked.classes, &asked.offsets, NEGATIVES)?;
            Ok((loss.localisation + loss.classification)?)
        };
        let (average, _) = course.run("the detector", &params, of_step, progress)?;
        let classes = examples.classes().to_vec();
        let about = About { config: config.clone(), classes, training: Some(training.clone()) };
        Detector::of(Supervised::weights(&average), about, device)
    }

    /// How well it finds what is in examples, class by class.
    ///
    /// # Errors
    /// When memory runs out.
    pub fn accuracy(&self, examples: &Examples, find: &Find) -> Result<Vec<Accuracy>> {
        let side = self.about.config.size as f64;
        let found = (0..examples.len()).map(|i| self.detect(&examples.get(i).0, find)).collect::<Result<Vec<_>>>()?;
        let of_class = |(number, class): (usize, &String)| {
            let mut overlaps = Vec::new();
            for (i, found) in found.iter().enumerate() {
                let Some((_, truth)) = examples.get(i).1.iter().find(|(of, _)| *of == number + 1) else { continue };
                let best = found.iter().find(|detection| detection.class == *class).map_or(0.0, |best| {
                    let [left, top, width, height] = best.area.map(|v| v / side);
                    overlap(truth, &[left, top, left + width, top + height])
                });
                overlaps.push(best);
            }
            let mean = |values: &mut dyn Iterator<Item = f64>| values.sum::<f64>() / overlaps.len().max(1) as f64;
            Accuracy {
                class: class.clone(),
                boxes: overlaps.len(),
                found: mean(&mut overlaps.iter().map(|v| f64::from(u8::from(*v >= 0.5)))),
                overlap: mean(&mut overlaps.iter().copied()),
            }
        };
        Ok(examples.classes().iter().enumerate().map(of_class).collect())
    }
}

/// The pictures of a step, and what every default box is to answer.
struct Asked {
    pictures: Tensor,
    classes: Vec<usize>,
    offsets: Tensor,
}

impl Asked {
    fn of(
        examples: &Examples,
        config: &SsdConfig,
        priors: &[Prior],
        course: &Supervised,
        step: usize,
        device: &Device,
    ) -> Result<Asked> {
        let ids = course.chosen("detector", step, examples.len());
        let shown = ids.par_iter().enumerate().map(|(i, &id)| {
            let (picture, truth) = examples.get(id);
            let mut stream = course.seed.stream(&format!("detector/change/{step}/{i}"));
            let (picture, truth) = changed(picture, truth, config.mean, &mut stream);
            (picture, answers(&truth, priors))
        });
        let (pictures, answers): (Vec<_>, Vec<_>) = shown.unzip();
        let pictures: Vec<_> = pictures.iter().collect();
        let mut classes = Vec::with_capacity(ids.len() * priors.len());
        let mut offsets = Vec::with_capacity(4 * ids.len() * priors.len());
        for (class, by) in answers.into_iter().flatten() {
            classes.push(class);
            offsets.extend(by);
        }
        let offsets = Tensor::from_vec(offsets, (ids.len(), priors.len(), 4), device)?;
        Ok(Asked { pictures: tensor_of(&pictures, config, device)?, classes, offsets })
    }
}

/// Class and offsets that each default box has to answer; class 0 where nothing is matched.
fn answers(truth: &[Truth], priors: &[Prior]) -> Vec<(usize, [f32; 4])> {
    let corners: Vec<Corners> = truth.iter().map(|(_, corners)| *corners).collect();
    let of = |(prior, of): (&Prior, Option<usize>)| match of {
        Some(i) => (truth[i].0, prior.encode(truth[i].1)),
        None => (0, [0.0; 4]),
    };
    priors.iter().zip(matched(&corners, priors, MATCHED)).map(of).collect()
}
