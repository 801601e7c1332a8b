//! Reads key points off pictures of bodies, so that generated ones can be asked whether they stand as they were told to.
//!
//! Estimators of human poses fail on drawn figures. This small network is trained on the very kind of pictures that are
//! judged, of which the key points are known exactly (specs/fullbody.md B.7): [`PoseReader::train`] takes minutes, and
//! [`PoseReader::errors`] on pictures that it has not seen says how far it can be trusted.

use candle_core::{DType, Device, Tensor};
use image::RgbImage;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::in_batches;
use super::reader::{Learner, Network, SIDE};
use super::resize::Protocol;
use crate::data::batch::Images;
use crate::data::dataset::Dataset;
use crate::data::skeleton::Skeleton;
use crate::metrics::labels::keypoints::KeypointErrors;
use crate::nn::params::{ParamStore, Training as Tracked};
use crate::rng::{Seed, Stream};
use crate::train::gan::Player;
use crate::train::supervised::Supervised;
use crate::{Error, Result};

/// Numbers of one picture.
const NUMBERS: usize = 3 * SIDE * SIDE;
const PLANE: usize = SIDE * SIDE;

/// The settings of a training. Equal settings and pictures give the same reader on the same instruction set, whatever the
/// number of threads.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Training {
    /// Of the weights at the start, the choice of the pictures, their order and their changes.
    pub seed: Seed,
    /// Pictures to learn from, at most; 12 KiB of memory each.
    pub pictures: usize,
    /// Steps of Adam.
    pub steps: usize,
    /// Pictures per step.
    pub batch: usize,
    /// Largest learning rate; it rises over the first steps and falls to 0 along a half cosine.
    pub rate: f64,
}

impl Default for Training {
    fn default() -> Self {
        Training { seed: Seed(0), pictures: 12_000, steps: 3_000, batch: 32, rate: 2e-3 }
    }
}

/// A network that says where the key points of a figure are.
#[derive(Clone, Debug)]
pub struct PoseReader {
    network: Network,
    skeleton: Skeleton,
    training: Training,
}

impl PoseReader {
    /// Learns from pictures with key points, on the CPU. `progress` is told the number of each step, from 1, and its loss:
    /// the mean distance along an axis, in shares of the picture's side.
    ///
    /// # Errors
    /// When the data set has no key points or no pictures, one cannot be read, or the loss is not finite.
    pub fn train(dataset: &Dataset, training: &Training, progress: impl FnMut(usize, f64)) -> Result<PoseReader> {
        let Some(skeleton) = dataset.skeleton().cloned() else {
            let hint = "Poses come with `Avatar::bodies()`.";
            return Err(Error::invalid(format!("data set {}", dataset.name()), "no key points", "key points", hint));
        };
        let &Training { seed, steps, batch, rate, .. } = training;
        let pool = Pool::read(dataset, training)?;
        let params = ParamStore::new(seed, &Device::Cpu, DType::F32)?;
        let scope = params.view(Tracked::All).pp(Player::Classifier.prefix());
        let learner = Learner::new(&scope, 2 * skeleton.len())?;
        let course = Supervised { seed, steps, batch, rate };
        let of_step = |step| {
            let (pictures, places, known) = pool.batch(&course, step)?;
            let away = (learner.forward(&pictures)? - places)?.abs()?;
            // Of each picture as much as points are known.
            Ok((away.mul(&known)?.sum_all()? / known.sum_all()?.to_scalar::<f32>()?.max(1.0) as f64)?)
        };
        let (average, _) = course.run("the reader of poses", &params, of_step, progress)?;
        let tensors =
            average.tensors().into_iter().map(|(name, tensor)| (name.trim_start_matches("c.").into(), tensor));
        let network = Network::new(&tensors.collect(), 2 * skeleton.len(), &Device::Cpu)?;
        Ok(PoseReader { network, skeleton, training: training.clone() })
    }

    /// The names of the key points.
    pub fn skeleton(&self) -> &Skeleton {
        &self.skeleton
    }

    /// How it was trained.
    pub fn training(&self) -> &Training {
        &self.training
    }

    /// Where the key points of square pictures of any size are, `[N, M, 2]`: x and y as shares of the side, f32, on the
    /// CPU. It names a place for every point, hidden or not. What it reads of a picture does not depend on the others.
    ///
    /// # Errors
    /// When there is no picture, or one is empty.
    pub fn read(&self, pictures: &[RgbImage]) -> Result<Tensor> {
        let prepare = |picture: &RgbImage| Protocol::Clean.prepare(picture, SIDE);
        let answers = in_batches(pictures, prepare, |x| Ok((self.network.forward(x)?.answers + 0.5)?))?;
        Ok(answers.reshape((pictures.len(), self.skeleton.len(), 2))?)
    }

    /// How far the key points that it reads off pictures lie from where they were asked to be: `poses` `[N, M, 3]` as
    /// [`Dataset::poses`] gives them. Distances are in pixels of the pictures; unknown points are left out.
    ///
    /// # Errors
    /// When the numbers of pictures or of key points differ.
    pub fn errors(&self, pictures: &Images, poses: &Tensor) -> Result<KeypointErrors> {
        let (n, points) = (pictures.len(), self.skeleton.len());
        if poses.dims() != [n, points, 3] {
            return Err(Error::shape("poses that were asked for", poses.dims(), format!("[{n}, {points}, 3]")));
        }
        let side = pictures.size().1 as f64;
        let poses = poses.to_device(&Device::Cpu)?;
        let found = (self.read(&pictures.to_rgb()?)? * side)?;
        KeypointErrors::of(&found, &(poses.narrow(2, 0, 2)? * side)?, &poses.narrow(2, 2, 1)?.squeeze(2)?)
    }
}

/// Pictures to learn from, in memory.
struct Pool {
    /// As the network sees them, before they are changed.
    pictures: Vec<Vec<u8>>,
    poses: Vec<Vec<[f32; 3]>>,
}

impl Pool {
    fn read(dataset: &Dataset, training: &Training) -> Result<Pool> {
        let mut order = training.seed.stream("poses/choice").permutation(dataset.len());
        order.truncate(training.pictures);
        if order.is_empty() {
            return Err(Error::invalid("training of the reader of poses: pictures", "0", "at least 1", ""));
        }
        let read = |&i: &usize| -> Result<(Vec<u8>, Vec<[f32; 3]>)> {
            let prepared = Protocol::Clean.prepare(&dataset.image(i)?, SIDE)?.flatten_all()?.to_vec1::<f32>()?;
            let bytes = prepared.into_iter().map(|v| (v * 128.0 + 128.0).round().clamp(0.0, 255.0) as u8).collect();
            Ok((bytes, dataset.pose(i)?))
        };
        let (pictures, poses) = order.par_iter().map(read).collect::<Result<Vec<_>>>()?.into_iter().unzip();
        Ok(Pool { pictures, poses })
    }

    /// Pictures `[N, 3, 64, 64]`, places around the middle `[N, 2·M]`, and 1 for those that are known.
    fn batch(&self, course: &Supervised, step: usize) -> Result<(Tensor, Tensor, Tensor)> {
        let ids = course.chosen("poses", step, self.pictures.len());
        let mut pictures = vec![0f32; ids.len() * NUMBERS];
        pictures.par_chunks_exact_mut(NUMBERS).zip(&ids).enumerate().for_each(|(i, (place, &id))| {
            changed(&self.pictures[id], &mut course.seed.stream(&format!("poses/change/{step}/{i}")), place);
        });
        let points = || ids.iter().flat_map(|&id| &self.poses[id]);
        let places: Vec<f32> = points().flat_map(|&[x, y, _]| [x - 0.5, y - 0.5]).collect();
        let known: Vec<f32> = points().flat_map(|&[.., known]| [f32::from(u8::from(known > 0.0)); 2]).collect();
        let (n, width) = (ids.len(), places.len() / ids.len());
        let answers = |numbers| Tensor::from_vec(numbers, (n, width), &Device::Cpu);
        // An unknown place may be any number, NaN too.
        let places = places.into_iter().map(|v| if v.is_finite() { v } else { 0.0 }).collect();
        Ok((Tensor::from_vec(pictures, (n, 3, SIDE, SIDE), &Device::Cpu)?, answers(places)?, answers(known)?))
    }
}

/// Generated pictures are coarser, softer and less clean than drawn ones.
fn changed(bytes: &[u8], s: &mut Stream, to: &mut [f32]) {
    for (to, &byte) in to.iter_mut().zip(bytes) {
        *to = (f32::from(byte) - 128.0) / 128.0;
    }
    if s.chance(0.5) {
        to.chunks_exact_mut(PLANE).for_each(coarser);
    }
    if s.chance(0.5) {
        let strength = s.range(0.0, 0.2) as f32;
        to.iter_mut().for_each(|v| *v += strength * s.normal() as f32);
    }
    if s.chance(0.5) {
        let (light, contrast) = (s.range(-0.2, 0.1) as f32, s.range(0.7, 1.1) as f32);
        to.iter_mut().for_each(|v| *v = *v * contrast + light);
    }
}

/// Every two by two pixels become their mean.
fn coarser(plane: &mut [f32]) {
    for y in (0..SIDE).step_by(2) {
        for x in (0..SIDE).step_by(2) {
            let places = [y * SIDE + x, y * SIDE + x + 1, (y + 1) * SIDE + x, (y + 1) * SIDE + x + 1];
            let mean = places.iter().map(|&i| plane[i]).sum::<f32>() / 4.0;
            places.iter().for_each(|&i| plane[i] = mean);
        }
    }
}
