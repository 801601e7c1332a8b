//! The classifier of pairs: training, use, files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use candle_core::{D, DType, Device, Tensor};
use candle_nn::ops::softmax;
use image::{RgbImage, imageops};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::example::{Example, changed, squeezed};
use super::network::{ANSWERS, Backbone, Network};
use crate::data::prepare::clothing::step::{Product, Step, StepReport, write_table};
use crate::losses::attribute::surprise;
use crate::metrics::nets::trunk::normalized;
use crate::metrics::nets::weights::read_any;
use crate::nn::params::{ParamStore, Training};
use crate::rng::Seed;
use crate::train::gan::Player;
use crate::train::supervised::Supervised;
use crate::weights::trained;
use crate::{Error, Result};

/// Name of the table of what a classifier says of pictures.
pub const SCORES: &str = "scores.csv";
/// Pictures that are decoded between two lines of the record.
const CHUNK: usize = 64;
/// What files of weights say they are.
const KIND: &str = "classifier of pairs";

/// Network and training. Equal settings and labels give the same classifier on the same instruction set, whatever the number
/// of threads.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassifierOptions {
    /// The network.
    pub backbone: Backbone,
    /// Of the weights at the start, the order of the pictures and their changes.
    pub seed: Seed,
    /// Steps of Adam.
    pub steps: usize,
    /// Pictures per step.
    pub batch: usize,
    /// Largest learning rate; it rises over the first steps and falls to 0 along a half cosine.
    pub rate: f64,
    /// Weights to start from, of `torch.save`, safetensors or `tachie import torch`: the convolutions, and the dense layers
    /// that have the same shapes. The last one, which says other things there, always starts anew.
    pub pretrained: Option<PathBuf>,
    /// Show halves of pairs as well: each is no pair, in another order they are one. To be switched off where a pair is not
    /// two pictures in one.
    pub rearranged: bool,
}

impl Default for ClassifierOptions {
    /// The small network, 1000 steps of 32 pictures: two minutes on two cores.
    fn default() -> Self {
        ClassifierOptions {
            backbone: Backbone::Small,
            seed: Seed(0),
            steps: 1_000,
            batch: 32,
            rate: 2e-3,
            pretrained: None,
            rearranged: true,
        }
    }
}

impl ClassifierOptions {
    /// The paper's: VGG-16 with torchvision's weights (`vgg16-397923af.pth`), fine-tuned by few and small steps.
    pub fn vgg16(pretrained: impl Into<PathBuf>) -> ClassifierOptions {
        let pretrained = Some(pretrained.into());
        ClassifierOptions { backbone: Backbone::Vgg16, pretrained, rate: 5e-5, batch: 16, ..Default::default() }
    }
}

/// A network that says whether a picture is a pair: a character and its clothing beside or above each other.
#[derive(Clone, Debug)]
pub struct PairClassifier {
    network: Network,
    tensors: BTreeMap<String, Tensor>,
    options: ClassifierOptions,
}

impl PairClassifier {
    /// Learns from pictures and whether each is a pair, on the CPU. `progress` is told the number of each step, from 1, and
    /// its loss.
    ///
    /// # Errors
    /// When there are no pairs or nothing else, the weights to start from do not fit, or the loss is not finite.
    pub fn train<'a>(
        pictures: impl IntoIterator<Item = (&'a RgbImage, bool)>,
        options: &ClassifierOptions,
        progress: impl FnMut(usize, f64),
    ) -> Result<PairClassifier> {
        let side = options.backbone.side();
        let examples = pictures.into_iter().map(|(picture, is_pair)| Example::new(picture, is_pair, side)).collect();
        PairClassifier::of_examples(examples, options, progress)
    }

    pub(super) fn of_examples(
        examples: Vec<Example>,
        options: &ClassifierOptions,
        progress: impl FnMut(usize, f64),
    ) -> Result<PairClassifier> {
        let pairs = examples.iter().filter(|example| example.is_pair).count();
        let others = examples.len() - pairs;
        if pairs == 0 || others == 0 {
            let hint = "Label more pictures.";
            let found = format!("{pairs} pairs and {others} other pictures");
            return Err(Error::invalid("labels of the classifier of pairs", found, "some of both", hint));
        }
        let &ClassifierOptions { backbone, seed, steps, batch, rate, .. } = options;
        let params = ParamStore::new(seed, &Device::Cpu, DType::F32)?;
        let network = Network::new(&params.view(Training::All).pp(Player::Classifier.prefix()), backbone)?;
        if let Some(path) = &options.pretrained {
            start_from(path, &params)?;
        }
        let course = Supervised { seed, steps, batch, rate };
        let of_step = |step| {
            let (pictures, wanted) = of_batch(&examples, options, &course, step)?;
            let mut dropout = seed.stream(&format!("pairs/dropout/{step}"));
            let logits = network.forward(&normalized(&pictures)?, Some(&mut dropout))?;
            surprise(&logits, &wanted)
        };
        let (average, _) = course.run("the classifier of pairs", &params, of_step, progress)?;
        PairClassifier::of(Supervised::weights(&average), options.clone())
    }

    fn of(tensors: BTreeMap<String, Tensor>, options: ClassifierOptions) -> Result<PairClassifier> {
        let params = ParamStore::blank(&Device::Cpu, DType::F32)?;
        let network = Network::new(&params.view(Training::Nothing), options.backbone)?;
        params.load(&tensors)?;
        Ok(PairClassifier { network, tensors, options })
    }

    /// How it was trained.
    pub fn options(&self) -> &ClassifierOptions {
        &self.options
    }

    /// The probability, 0 to 1, that each picture is a pair: the mean over the picture and its mirror image. What is said of
    /// a picture does not depend on the others. Pictures may have any size and shape.
    ///
    /// # Errors
    /// When a picture has no pixels.
    pub fn probabilities(&self, pictures: &[RgbImage]) -> Result<Vec<f64>> {
        pictures.par_iter().map(|picture| self.probability(picture)).collect()
    }

    /// [`PairClassifier::probabilities`] of one picture.
    ///
    /// # Errors
    /// When it has no pixels.
    pub fn probability(&self, picture: &RgbImage) -> Result<f64> {
        if picture.width() * picture.height() == 0 {
            return Err(Error::invalid("picture to classify", "no pixels", "at least one", ""));
        }
        let side = self.options.backbone.side();
        let small = squeezed(picture, side);
        let mut numbers = Vec::with_capacity(6 * (side * side) as usize);
        for view in [&small, &imageops::flip_horizontal(&small)] {
            for channel in 0..3 {
                numbers.extend(view.pixels().map(|pixel| f32::from(pixel.0[channel]) / 255.0));
            }
        }
        let pictures = Tensor::from_vec(numbers, (2, 3, side as usize, side as usize), &Device::Cpu)?;
        let shares = softmax(&self.network.forward(&normalized(&pictures)?, None)?, D::Minus1)?;
        let of_pair = shares.narrow(1, 1, 1)?.mean_all()?.to_scalar::<f32>()?;
        Ok(f64::from(of_pair))
    }

    /// The probabilities of all pictures in `input` and below it, in the order of their names, as a table [`SCORES`] in
    /// `output` too. Files that cannot be read are in the report. A run that was interrupted goes on where it was.
    ///
    /// # Errors
    /// When a folder cannot be read or written, or `output` holds anything but the scores of this classifier.
    pub fn score(&self, input: impl AsRef<Path>, output: impl AsRef<Path>) -> Result<(Vec<(String, f64)>, StepReport)> {
        self.score_in(input.as_ref(), output.as_ref())
    }

    fn score_in(&self, input: &Path, output: &Path) -> Result<(Vec<(String, f64)>, StepReport)> {
        let network = trained::fingerprint(KIND, &self.options, &self.tensors)?;
        let (inputs, mut step) = Step::<f64>::over(input, output, "score pictures", &network)?;
        let made = step.run_pictures(&inputs, CHUNK, |_, picture| {
            Ok(Ok(Product { facts: self.probability(&picture)?, files: vec![], notes: vec![] }))
        })?;
        let scores: Vec<(String, f64)> = made.into_iter().map(|(input, value)| (input.file, value)).collect();
        let row = |(file, value): &(String, f64)| vec![file.clone(), format!("{value:.4}")];
        write_table(&output.join(SCORES), &["file", "probability"], scores.iter().map(row))?;
        let report = step.finish(scores.len())?;
        Ok((scores, report))
    }

    /// Writes the weights as a safetensors file that says how they came to be. It appears under its name only when it is
    /// whole.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        trained::save(path, KIND, &self.options, &self.tensors)
    }

    /// Reads a file that [`PairClassifier::save`] has written.
    ///
    /// # Errors
    /// When it cannot be read, or holds something else.
    pub fn open(path: impl AsRef<Path>) -> Result<PairClassifier> {
        trained::open(path, KIND, "tachie data classify-pairs", PairClassifier::of)
    }
}

/// Pictures `[N, 3, S, S]` in about [0, 1] and the wanted answers `[N, 2]` of a step.
fn of_batch(
    examples: &[Example],
    options: &ClassifierOptions,
    course: &Supervised,
    step: usize,
) -> Result<(Tensor, Tensor)> {
    let ids = course.chosen("pairs", step, examples.len());
    let side = options.backbone.side() as usize;
    let numbers = 3 * side * side;
    let mut pictures = vec![0f32; ids.len() * numbers];
    let places = pictures.par_chunks_exact_mut(numbers).zip(&ids).enumerate();
    let is_pair: Vec<bool> = places
        .map(|(i, (place, &id))| {
            let mut stream = options.seed.stream(&format!("pairs/change/{step}/{i}"));
            let (picture, is_pair) = examples[id].shown(options.rearranged, &mut stream);
            changed(&picture, &mut stream, place);
            place.iter_mut().for_each(|value| *value /= 255.0);
            is_pair
        })
        .collect();
    let wanted: Vec<f32> = is_pair.iter().flat_map(|&is| if is { [0.0, 1.0] } else { [1.0, 0.0] }).collect();
    let pictures = Tensor::from_vec(pictures, (ids.len(), 3, side, side), &Device::Cpu)?;
    Ok((pictures, Tensor::from_vec(wanted, (ids.len(), ANSWERS), &Device::Cpu)?))
}

/// Sets the parameters that a file has under the same names and shapes; all convolutions have to be there.
fn start_from(path: &Path, params: &ParamStore) -> Result<()> {
    let stored = read_any(path)?;
    let mut tensors = params.tensors();
    let mut missing = Vec::new();
    let last = tensors.keys().filter(|name| name.contains("classifier.")).max().cloned().unwrap_or_default();
    let last = last.rsplit_once('.').map_or(String::new(), |(layer, _)| layer.to_string());
    let prefix = format!("{}.", Player::Classifier.prefix());
    for (name, tensor) in tensors.iter_mut().filter(|(name, _)| !name.starts_with(&last)) {
        let own = name.strip_prefix(&prefix).unwrap_or(name);
        match stored.get(own) {
            Some(found) if found.dims() == tensor.dims() => *tensor = found.clone(),
            Some(found) if own.starts_with("features.") => {
                missing.push(format!("{own} has shape {:?} instead of {:?}", found.dims(), tensor.dims()));
            }
            None if own.starts_with("features.") => missing.push(format!("{own} is missing")),
            // Layers of another width, or a file without them, as `tachie import torch` writes it.
            _ => {}
        }
    }
    if !missing.is_empty() {
        let hint = "Give weights of this backbone; those of torchvision fit vgg16.";
        return Err(Error::file(path, missing.join(", "), "the convolutions of the classifier's backbone", hint));
    }
    params.load(&tensors)
}
