//! Metrics of pictures of bodies, which need their key points.

use std::ops::RangeInclusive;

use candle_core::{Device, Tensor};
use image::RgbImage;

use super::looks::bytes_of;
use super::metric::Figures;
use super::pictures::Pictures;
use crate::data::skeleton::KeyPoint;
use crate::metrics::labels::keypoints::{KeypointErrors, Scale};
use crate::metrics::nets::pose_reader::PoseReader;
use crate::metrics::pictures::ssim::Ssim;
use crate::metrics::score::Score;
use crate::models::baselines::pg2::pose_mask;
use crate::{Error, Result};

/// The share of the box around a figure that a key point may be off.
const ALPHA: f64 = 0.1;
/// PG2's script measures with it.
pub(super) const MASKED: Ssim = Ssim::uniform();

impl Figures {
    /// How many key points a pose may have.
    pub(super) fn points(&self) -> RangeInclusive<usize> {
        self.limbs.iter().flatten().max().map_or(0, |last| last + 1)..=usize::MAX
    }
}

/// Refuses pictures that have no pose, or one of another number of key points.
pub(super) fn check_poses(pictures: &dyn Pictures, points: RangeInclusive<usize>) -> Result<()> {
    match pictures.pose(0)?.map(|pose| pose.len()) {
        Some(found) if points.contains(&found) => Ok(()),
        found => {
            let found = found.map_or("none".to_string(), |found| format!("{found} key points a picture"));
            let more = if points.start() == points.end() { "" } else { " or more" };
            let expected = format!("{}{more} key points a picture", points.start());
            Err(Error::invalid(format!("poses of {}", pictures.name()), found, expected, ""))
        }
    }
}

fn pose(pictures: &dyn Pictures, i: usize) -> Result<Vec<KeyPoint>> {
    let hint = "Either all pictures have key points, or none has.";
    pictures.pose(i)?.ok_or_else(|| {
        Error::invalid(format!("poses of {}", pictures.name()), format!("none for picture {i}"), "one each", hint)
    })
}

/// Where key points were found, and where they should be, in pixels.
#[derive(Default)]
pub(super) struct Readings {
    found: Vec<f32>,
    truth: Vec<f32>,
    known: Vec<f32>,
    points: usize,
}

impl Readings {
    /// Reads pictures from the one at `start` on, of which `pictures` tells what was asked for.
    pub(super) fn read(
        &mut self,
        reader: &PoseReader,
        pictures: &dyn Pictures,
        start: usize,
        some: &[RgbImage],
    ) -> Result<()> {
        self.points = reader.skeleton().len();
        let found = reader.read(some)?.flatten_all()?.to_vec1::<f32>()?;
        for (i, (picture, found)) in some.iter().zip(found.chunks(2 * self.points)).enumerate() {
            let side = picture.width() as f32;
            self.found.extend(found.iter().map(|share| share * side));
            for [x, y, known] in pose(pictures, start + i)? {
                self.truth.extend([x * side, y * side]);
                self.known.push(known);
            }
        }
        Ok(())
    }

    /// PCK and the mean distance.
    pub(super) fn scores(self) -> Result<Vec<Score>> {
        let n = self.known.len() / self.points.max(1);
        let places = |numbers| Tensor::from_vec(numbers, (n, self.points, 2), &Device::Cpu);
        let known = Tensor::from_vec(self.known, (n, self.points), &Device::Cpu)?;
        let errors = KeypointErrors::of(&places(self.found)?, &places(self.truth)?, &known)?;
        Ok(vec![errors.pck(ALPHA, &Scale::Box)?, errors.pixel_error()])
    }
}

/// mask-SSIM of each pair from the one at `start` on; `real` knows the poses.
pub(super) fn mask_ssim(
    figures: &Figures,
    real: &dyn Pictures,
    start: usize,
    reals: &[RgbImage],
    fakes: &[RgbImage],
) -> Result<Vec<f64>> {
    let each = |(i, (first, second)): (usize, (&RgbImage, &RgbImage))| -> Result<Vec<f64>> {
        let (points, side) = (pose(real, start + i)?, first.width() as usize);
        if first.width() != first.height() {
            let found = format!("{}×{} pixels", first.width(), first.height());
            return Err(Error::invalid(format!("mask-SSIM: picture {}", start + i), found, "a square", ""));
        }
        let points = Tensor::from_vec(points.as_flattened().to_vec(), (1, points.len(), 3), &Device::Cpu)?;
        let mask = (pose_mask(&points, &figures.limbs, side, figures.radius)?.affine(2.0, -1.0))?;
        let bytes = |picture: &RgbImage| bytes_of(std::slice::from_ref(picture));
        MASKED.masked_each(&bytes(first)?, &bytes(second)?, &mask)
    };
    let values = reals.iter().zip(fakes).enumerate().map(each).collect::<Result<Vec<_>>>()?;
    Ok(values.concat())
}
