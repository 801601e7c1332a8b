//! How a network learns to double pictures: from pictures that were halved, on what they were before.

use std::path::Path;

use candle_core::{DType, Device};
use image::{RgbImage, imageops};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::{About, Network, Quality, Upscaler, doubled_by};
use crate::data::batch::Images;
use crate::data::import::{original, walk, within};
use crate::data::manifest::Filter;
use crate::data::report::{Action, Report};
use crate::data::resize;
use crate::metrics::pictures::psnr::psnr_each;
use crate::nn::norm::Mode;
use crate::nn::params::{ParamStore, Training as Tracked};
use crate::ops::reduce;
use crate::rng::{Seed, Stream};
use crate::train::gan::Player;
use crate::train::supervised::Supervised;
use crate::{Error, Result};

/// Longest side of what is kept of a picture.
const LONGEST: u32 = 512;
/// Of so many pictures one is for measuring.
const MEASURED: usize = 10;

/// The settings of a training. Equal settings and pictures give the same network on the same instruction set, whatever the
/// number of threads.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Training {
    /// Of the weights at the start, and of the parts that are learned from.
    pub seed: Seed,
    /// Channels of the network.
    pub channels: usize,
    /// Its blocks.
    pub blocks: usize,
    /// Steps of Adam.
    pub steps: usize,
    /// Parts of pictures per step.
    pub batch: usize,
    /// Side of these parts in pixels before they are doubled.
    pub part: u32,
    /// Largest learning rate; it rises over the first steps and falls to 0 along a half cosine.
    pub rate: f64,
}

impl Default for Training {
    /// 32 channels, 4 blocks; 1,500 steps of 16 parts of 24 pixels, minutes on two cores.
    fn default() -> Self {
        Training { seed: Seed(0), channels: 32, blocks: 4, steps: 1_500, batch: 16, part: 24, rate: 2e-3 }
    }
}

/// At most `count` pictures of a folder and those below, chosen by the seed, of each a part of at most 512 pixels. Files that
/// cannot be read are in the report.
///
/// # Errors
/// When the folder cannot be read, or holds no picture.
pub fn pictures_of(folder: impl AsRef<Path>, count: usize, seed: Seed) -> Result<(Vec<RgbImage>, Report)> {
    let folder = folder.as_ref();
    let root = folder.canonicalize().map_err(|error| Error::io("open the folder of pictures", folder, error))?;
    let mut report = Report::default();
    let mut files = within(&root, walk(&root, &mut report)?, &mut report);
    files.sort();
    let mut order = seed.stream("upscale/choice").permutation(files.len());
    order.truncate(count);
    let read = |&i: &usize| {
        let (file, path) = &files[i];
        let mut s = seed.stream(&format!("upscale/part/{file}"));
        (file, original(path).map(|picture| part_of(&picture, LONGEST, &mut s)))
    };
    let mut pictures = Vec::new();
    for (file, picture) in order.par_iter().map(read).collect::<Vec<_>>() {
        match picture {
            Ok(picture) => pictures.push(picture),
            Err(refused) => report.add(refused.0, file, refused.1, Action::LeftOut),
        }
    }
    if pictures.is_empty() {
        return Err(Error::file(folder, "not a single picture that can be read", "pictures", ""));
    }
    let report = report.finish(pictures.len());
    Ok((pictures, report))
}

/// A part of at most `side` pixels.
fn part_of(picture: &RgbImage, side: u32, s: &mut Stream) -> RgbImage {
    let (width, height) = (picture.width().min(side), picture.height().min(side));
    let left = s.below((picture.width() - width) as usize + 1) as u32;
    let top = s.below((picture.height() - height) as usize + 1) as u32;
    imageops::crop_imm(picture, left, top, width, height).to_image()
}

impl Upscaler {
    /// Learns from pictures, which should be sharp: they are what halved ones are to become. One of ten is not learned from
    /// but measured ([`Upscaler::quality`]). `progress` is told the number of each step, from 1, and its loss, the mean square
    /// of what is wrong in [−1, 1].
    ///
    /// # Errors
    /// When fewer than two pictures are twice as large as the parts, a number of the settings is 0, or the loss is not finite.
    pub fn train(
        pictures: &[RgbImage],
        training: &Training,
        device: &Device,
        mut progress: impl FnMut(usize, f64),
    ) -> Result<Upscaler> {
        Self::trained(pictures, training, device, &mut progress)
    }

    fn trained(
        pictures: &[RgbImage],
        training: &Training,
        device: &Device,
        progress: &mut dyn FnMut(usize, f64),
    ) -> Result<Upscaler> {
        let &Training { seed, channels, blocks, steps, batch, part, rate } = training;
        if channels == 0 || part == 0 {
            return Err(Error::invalid("training of a network for larger pictures", "0", "channels and pixels", ""));
        }
        let halved: Vec<Halved> = pictures.par_iter().filter_map(|picture| Halved::of(picture, part)).collect();
        if halved.len() < 2 {
            let expected = format!("at least two of {0}×{0} pixels and more", 2 * part);
            return Err(Error::invalid("pictures to learn from", halved.len().to_string(), expected, ""));
        }
        let (measured, learned) = halved.split_at(halved.len().div_ceil(MEASURED));
        let params = ParamStore::new(seed, device, DType::F32)?;
        let scope = params.view(Tracked::All).pp(Player::Classifier.prefix());
        let network = Network::new(&scope, channels, blocks)?;
        let course = Supervised { seed, steps, batch, rate };
        let of_step = |step| {
            let ids = course.chosen("upscale", step, learned.len());
            let parts = ids
                .par_iter()
                .enumerate()
                .map(|(i, &id)| learned[id].part(part, &mut course.seed.stream(&format!("upscale/change/{step}/{i}"))));
            let parts: Vec<Halved> = parts.collect();
            let tensor = |of: fn(&Halved) -> &RgbImage| -> Result<_> {
                let pictures: Vec<RgbImage> = parts.iter().map(|part| of(part).clone()).collect();
                Ok(Images::from_rgb(&pictures)?.tensor.to_device(device)?)
            };
            let added = network.forward(&tensor(|part| &part.low)?, Mode::Train)?;
            let missing = (tensor(|part| &part.high)? - tensor(|part| &part.base)?)?;
            reduce::mean(&(added - missing)?.sqr()?)
        };
        let (average, _) = course.run("the network for larger pictures", &params, of_step, progress)?;
        let unknown = Quality { pictures: 0, network: f64::NAN, lanczos: f64::NAN, bicubic: f64::NAN };
        let about = About { training: training.clone(), quality: unknown };
        let mut upscaler = Upscaler::of(Supervised::weights(&average), about, device)?;
        upscaler.about.quality = upscaler.measured(measured)?;
        Ok(upscaler)
    }

    fn measured(&self, pictures: &[Halved]) -> Result<Quality> {
        let mut sums = [0f64; 3];
        for Halved { low, base, high } in pictures {
            let truth = Images::from_rgb(std::slice::from_ref(high))?.tensor;
            let found = [self.doubled(low)?, base.clone(), doubled_by(low, Filter::Bicubic)];
            for (sum, found) in sums.iter_mut().zip(found) {
                let found = Images::from_rgb(&[found])?.tensor;
                // A picture of one colour is equal: 100 dB are far above any other.
                *sum += psnr_each(&found, &truth)?.iter().map(|value| value.min(100.0)).sum::<f64>();
            }
        }
        let [network, lanczos, bicubic] = sums.map(|sum| sum / pictures.len() as f64);
        Ok(Quality { pictures: pictures.len(), network, lanczos, bicubic })
    }
}

/// A picture, what is left of it at half its size, and that doubled by Lanczos.
struct Halved {
    low: RgbImage,
    base: RgbImage,
    high: RgbImage,
}

impl Halved {
    /// Of a picture of even sides, from which a last odd pixel is cut off; none for one that is too small.
    fn of(picture: &RgbImage, part: u32) -> Option<Halved> {
        let (width, height) = (picture.width() / 2, picture.height() / 2);
        if width.min(height) < part {
            return None;
        }
        let high = imageops::crop_imm(picture, 0, 0, 2 * width, 2 * height).to_image();
        let low = resize::rgb(&high, width, height, Filter::Bicubic);
        Some(Halved { base: doubled_by(&low, Filter::Lanczos), low, high })
    }

    /// A part of this side, turned and mirrored at random.
    fn part(&self, side: u32, s: &mut Stream) -> Halved {
        let mut start = |length: u32| s.below((length - side) as usize + 1) as u32;
        let (x, y) = (start(self.low.width()), start(self.low.height()));
        let (mirrored, turned) = (s.chance(0.5), s.below(4));
        let cut = |picture: &RgbImage, scale: u32| {
            let [x, y, side] = [x, y, side].map(|v| v * scale);
            let mut part = imageops::crop_imm(picture, x, y, side, side).to_image();
            if mirrored {
                imageops::flip_horizontal_in_place(&mut part);
            }
            (0..turned).fold(part, |part, _| imageops::rotate90(&part))
        };
        Halved { low: cut(&self.low, 1), base: cut(&self.base, 2), high: cut(&self.high, 2) }
    }
}
