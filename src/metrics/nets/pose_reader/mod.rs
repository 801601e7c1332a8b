//! Reads key points off pictures of bodies or of clothing, so that generated bodies can be asked whether they stand as they
//! were told to, and clothing can be brought to the middle of its picture.
//!
//! Estimators of human poses fail on drawn figures. This small network is trained on the very kind of pictures that are
//! judged, of which the key points are known exactly (specs/fullbody.md B.7): [`PoseReader::train`] takes minutes, and
//! [`PoseReader::errors`] on pictures that it has not seen says how far it can be trusted.

mod pool;

use std::collections::BTreeMap;
use std::path::Path;

use candle_core::{DType, Device, Tensor};
use image::{RgbImage, imageops};
use serde::{Deserialize, Serialize};

use super::in_batches;
use super::reader::{Learner, Network, SIDE};
use super::resize::Protocol;
use crate::data::batch::Images;
use crate::data::dataset::Dataset;
use crate::data::skeleton::{KeyPoint, Skeleton};
use crate::losses::adversarial::cross_entropy;
use crate::metrics::labels::keypoints::KeypointErrors;
use crate::nn::params::{ParamStore, Training as Tracked};
use crate::ops::activation::sigmoid;
use crate::ops::reduce;
use crate::rng::Seed;
use crate::train::gan::Player;
use crate::train::supervised::Supervised;
use crate::weights::trained;
use crate::{Error, Result};

use pool::{Answers, Pool};

/// What files of weights say they are.
const KIND: &str = "reader of key points";
/// Weight of the loss of presence beside that of places, which is a few hundredths at the end.
const PRESENCE: f64 = 0.1;

/// The settings of a training. Equal settings and pictures give the same reader on the same instruction set, whatever the
/// number of threads.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Training {
    /// Of the weights at the start, the choice of the pictures, their order and their changes.
    pub seed: Seed,
    /// Pictures to learn from, at most; 12 KiB of memory each, four times as much where they are cut.
    pub pictures: usize,
    /// Steps of Adam.
    pub steps: usize,
    /// Pictures per step.
    pub batch: usize,
    /// Largest learning rate; it rises over the first steps and falls to 0 along a half cosine.
    pub rate: f64,
    /// Whether pictures are cut about their key points, more or less closely and stretched to squares, and mirrored: for a
    /// reader of what a detector has cut out.
    #[serde(default)]
    pub cut: bool,
}

impl Default for Training {
    /// For bodies that fill their pictures.
    fn default() -> Self {
        Training { seed: Seed(0), pictures: 12_000, steps: 3_000, batch: 32, rate: 2e-3, cut: false }
    }
}

impl Training {
    /// For clothing in cuts of a detector (specs/clothing.md section B, step 7).
    pub fn clothing() -> Training {
        Training { pictures: 3_000, cut: true, ..Training::default() }
    }
}

/// What a file of weights says of itself.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct About {
    skeleton: Skeleton,
    presence: bool,
    training: Training,
}

/// A network that says where the key points of a figure are, and which of them it has.
#[derive(Clone, Debug)]
pub struct PoseReader {
    network: Network,
    tensors: BTreeMap<String, Tensor>,
    about: About,
}

impl PoseReader {
    /// Learns from pictures with key points, on the CPU. Where points are unknown in some pictures it also learns which ones
    /// a figure has. `progress` is told the number of each step, from 1, and its loss: the mean distance along an axis, in
    /// shares of the picture's side, plus a tenth of the cross entropy of presence.
    ///
    /// # Errors
    /// When the data set has no key points or no pictures, one cannot be read, or the loss is not finite.
    pub fn train(dataset: &Dataset, training: &Training, mut progress: impl FnMut(usize, f64)) -> Result<PoseReader> {
        Self::trained(dataset, training, &mut progress)
    }

    fn trained(dataset: &Dataset, training: &Training, progress: &mut dyn FnMut(usize, f64)) -> Result<PoseReader> {
        let Some(skeleton) = dataset.skeleton().cloned() else {
            let hint = "Poses come with `Avatar::bodies()`, those of clothing with `Avatar::costumes()`.";
            return Err(Error::invalid(format!("data set {}", dataset.name()), "no key points", "key points", hint));
        };
        let &Training { seed, steps, batch, rate, .. } = training;
        let pool = Pool::read(dataset, &skeleton, training)?;
        let presence = pool.lacks_points();
        let params = ParamStore::new(seed, &Device::Cpu, DType::F32)?;
        let scope = params.view(Tracked::All).pp(Player::Classifier.prefix());
        let learner = Learner::new(&scope, answers(&skeleton, presence))?;
        let course = Supervised { seed, steps, batch, rate };
        let of_step = |step| {
            let batch = pool.batch(&course, step)?;
            loss(&learner.forward(&batch.pictures)?, &batch, presence)
        };
        let (average, _) = course.run("the reader of poses", &params, of_step, progress)?;
        PoseReader::of(Supervised::weights(&average), About { skeleton, presence, training: training.clone() })
    }

    fn of(tensors: BTreeMap<String, Tensor>, about: About) -> Result<PoseReader> {
        let network = Network::new(&tensors, answers(&about.skeleton, about.presence), &Device::Cpu)?;
        Ok(PoseReader { network, tensors, about })
    }

    /// Writes the weights as a safetensors file that says what they are.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        trained::save(path, KIND, &self.about, &self.tensors)
    }

    /// Reads a file that [`PoseReader::save`] has written.
    ///
    /// # Errors
    /// When the file cannot be read, or holds something else.
    pub fn open(path: impl AsRef<Path>) -> Result<PoseReader> {
        trained::open(path, KIND, "tachie data train-keypoints", PoseReader::of)
    }

    /// A text that differs whenever the network does.
    pub(crate) fn fingerprint(&self) -> Result<String> {
        trained::fingerprint(KIND, &self.about, &self.tensors)
    }

    /// The names of the key points.
    pub fn skeleton(&self) -> &Skeleton {
        &self.about.skeleton
    }

    /// How it was trained.
    pub fn training(&self) -> &Training {
        &self.about.training
    }

    /// Where the key points of pictures of any size are, `[N, M, 2]`: x and y as shares of width and height, f32, on the
    /// CPU. It names a place for every point, hidden or not. What it reads of a picture does not depend on the others.
    ///
    /// # Errors
    /// When there is no picture, or one is empty.
    pub fn read(&self, pictures: &[RgbImage]) -> Result<Tensor> {
        let points = self.about.skeleton.len();
        let answers = self.answers(pictures)?.narrow(1, 0, 2 * points)?;
        Ok((answers + 0.5)?.reshape((pictures.len(), points, 2))?)
    }

    /// The key points of a picture of any size in its own pixels; the third number is how probably the figure has the point,
    /// from one half on (1 where all figures have all points). Less probable points are three zeros.
    ///
    /// A reader of cut pictures looks at the picture and at its mirror image, and takes the mean.
    ///
    /// # Errors
    /// When the picture is empty.
    pub fn points(&self, picture: &RgbImage) -> Result<Vec<KeyPoint>> {
        let mut views = vec![picture.clone()];
        if self.about.training.cut {
            views.push(imageops::flip_horizontal(picture));
        }
        let mut found = self.shares(&views)?;
        let (width, height) = (picture.width() as f32, picture.height() as f32);
        let first = found.swap_remove(0);
        let mirrored = found.pop().map_or_else(|| first.clone(), |points| self.about.skeleton.mirrored(&points, 1.0));
        let point = |(a, b): (&KeyPoint, &KeyPoint)| {
            let [x, y, probability] = std::array::from_fn(|i| 0.5 * (a[i] + b[i]));
            if probability < 0.5 { [0.0; 3] } else { [x * width, y * height, probability] }
        };
        Ok(first.iter().zip(&mirrored).map(point).collect())
    }

    /// Key points of each picture as shares of its sides, with the probability of each.
    fn shares(&self, pictures: &[RgbImage]) -> Result<Vec<Vec<KeyPoint>>> {
        let points = self.about.skeleton.len();
        let answers = self.answers(pictures)?;
        let places = (answers.narrow(1, 0, 2 * points)? + 0.5)?.to_vec2::<f32>()?;
        let present = match self.about.presence {
            true => sigmoid(&answers.narrow(1, 2 * points, points)?.contiguous()?)?.to_vec2::<f32>()?,
            false => vec![vec![1.0; points]; pictures.len()],
        };
        let of_one = |(places, present): (Vec<f32>, Vec<f32>)| {
            places.chunks_exact(2).zip(present).map(|(place, probability)| [place[0], place[1], probability]).collect()
        };
        Ok(places.into_iter().zip(present).map(of_one).collect())
    }

    fn answers(&self, pictures: &[RgbImage]) -> Result<Tensor> {
        let prepare = |picture: &RgbImage| Protocol::Clean.prepare(picture, SIDE);
        in_batches(pictures, prepare, |x| Ok(self.network.forward(x)?.answers))
    }

    /// How far the key points that it reads off pictures lie from where they were asked to be: `poses` `[N, M, 3]` as
    /// [`Dataset::poses`] gives them. Distances are in pixels of the pictures; unknown points are left out.
    ///
    /// # Errors
    /// When the numbers of pictures or of key points differ.
    pub fn errors(&self, pictures: &Images, poses: &Tensor) -> Result<KeypointErrors> {
        let (n, points) = (pictures.len(), self.about.skeleton.len());
        if poses.dims() != [n, points, 3] {
            return Err(Error::shape("poses that were asked for", poses.dims(), format!("[{n}, {points}, 3]")));
        }
        let side = pictures.size().1 as f64;
        let poses = poses.to_device(&Device::Cpu)?;
        let found = (self.read(&pictures.to_rgb()?)? * side)?;
        KeypointErrors::of(&found, &(poses.narrow(2, 0, 2)? * side)?, &poses.narrow(2, 2, 1)?.squeeze(2)?)
    }
}

/// Numbers that the network answers of a picture: places, and logits of presence.
fn answers(skeleton: &Skeleton, presence: bool) -> usize {
    if presence { 3 * skeleton.len() } else { 2 * skeleton.len() }
}

fn loss(found: &Tensor, batch: &Answers, presence: bool) -> Result<Tensor> {
    let Answers { places, known, present, .. } = batch;
    let numbers = places.dims()[1];
    let away = (found.narrow(1, 0, numbers)? - places)?.abs()?;
    // Of each picture as much as points are known.
    let away = (away.mul(known)?.sum_all()? / known.sum_all()?.to_scalar::<f32>()?.max(1.0) as f64)?;
    if !presence {
        return Ok(away);
    }
    let logits = found.narrow(1, numbers, numbers / 2)?.contiguous()?;
    Ok((away + (reduce::mean(&cross_entropy(&logits, present)?)? * PRESENCE)?)?)
}
