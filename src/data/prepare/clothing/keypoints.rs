//! Step 7: the key points of clothing.
//!
//! The paper reads 24 points off each photo with a network that was trained for the FashionAI challenge (section 3;
//! specs/clothing.md section B). A small one learns them here from photos of which they are known, as
//! [`Avatar::costumes`](crate::data::avatar::Avatar::costumes) draws them; [`calibrate`](super::calibrate::calibrate) takes
//! what it reads. Points of any other network come as a file ([`PoseSequence::open`]) or as heat maps
//! ([`heatmaps`](super::heatmaps)).

use std::path::Path;

use image::RgbImage;

use super::step::{Product, Step, StepReport};
use crate::data::dataset::Dataset;
use crate::data::poses::{Pose, PoseSequence};
use crate::data::skeleton::{KeyPoint, Skeleton};
use crate::metrics::nets::pose_reader::PoseReader;
use crate::{Error, Result};

pub use crate::metrics::nets::pose_reader::Training;

/// Name of the file of key points in the folder of the step.
pub const KEYPOINTS: &str = "keypoints.jsonl";
/// Pictures that are read before anything is written.
const CHUNK: usize = 32;

/// A network that reads the key points of clothing off cut pictures of any size.
#[derive(Clone, Debug)]
pub struct KeypointRegressor {
    reader: PoseReader,
}

impl KeypointRegressor {
    /// Learns from photos with key points, on the CPU; [`Training::clothing`] has the usual settings. `progress` is told the
    /// number of each step, from 1, and its loss.
    ///
    /// # Errors
    /// As [`PoseReader::train`], and when the key points are not the 24 of clothing.
    pub fn train(
        dataset: &Dataset,
        training: &Training,
        progress: impl FnMut(usize, f64),
    ) -> Result<KeypointRegressor> {
        dataset.skeleton().map(check).transpose()?;
        Ok(KeypointRegressor { reader: PoseReader::train(dataset, training, progress)? })
    }

    /// The key points of a picture in its own pixels, with the probability that the garment has the point; three zeros where
    /// that is below one half.
    ///
    /// # Errors
    /// When the picture is empty.
    pub fn read(&self, picture: &RgbImage) -> Result<Vec<KeyPoint>> {
        self.reader.points(picture)
    }

    /// Writes the weights to a file.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        self.reader.save(path)
    }

    /// Reads a file that [`KeypointRegressor::save`] has written.
    ///
    /// # Errors
    /// When the file cannot be read, or holds something else.
    pub fn open(path: impl AsRef<Path>) -> Result<KeypointRegressor> {
        let path = path.as_ref();
        let reader = PoseReader::open(path)?;
        check(reader.skeleton())
            .map_err(|error| Error::file(path, error.to_string(), "weights of a reader of clothing", ""))?;
        Ok(KeypointRegressor { reader })
    }

    /// The network.
    pub fn reader(&self) -> &PoseReader {
        &self.reader
    }

    /// How far the mean x of the points that it reads lies from that of the true ones, as a share of the width, for each
    /// picture of a data set: what calibration is off by (section 3.2). Infinite where it reads no point.
    ///
    /// # Errors
    /// When a picture cannot be read.
    pub fn centre_errors(&self, dataset: &Dataset) -> Result<Vec<f64>> {
        let mean = |points: &[KeyPoint]| {
            let known: Vec<f64> = points.iter().filter(|point| point[2] > 0.0).map(|point| point[0].into()).collect();
            known.iter().sum::<f64>() / known.len() as f64
        };
        let error = |i: usize| -> Result<f64> {
            let away = (mean(&self.read(&dataset.image(i)?)?) - mean(&dataset.keypoints(i)?)).abs();
            Ok(if away.is_nan() { f64::INFINITY } else { away / f64::from(dataset.size()) })
        };
        (0..dataset.len()).map(error).collect()
    }
}

fn check(skeleton: &Skeleton) -> Result<()> {
    match *skeleton == Skeleton::fashion()? {
        true => Ok(()),
        false => {
            let found = format!("{} from \"{}\" on", skeleton.len(), skeleton.names()[0]);
            Err(Error::invalid("key points", found, "the 24 of clothing (`Skeleton::fashion`)", ""))
        }
    }
}

/// Reads the key points of all pictures in `input` and below it into [`KEYPOINTS`] of `output`, which
/// [`calibrate`](super::calibrate::calibrate) takes; poses are called as their pictures. A run that was interrupted goes on
/// where it was.
///
/// # Errors
/// When a folder cannot be read or written, `output` holds anything but the same step, or no picture can be read. A picture
/// that cannot be read is no error: it is in the report.
pub fn read_keypoints(
    input: impl AsRef<Path>,
    output: impl AsRef<Path>,
    regressor: &KeypointRegressor,
) -> Result<(PoseSequence, StepReport)> {
    read_in(input.as_ref(), output.as_ref(), regressor)
}

fn read_in(input: &Path, output: &Path, regressor: &KeypointRegressor) -> Result<(PoseSequence, StepReport)> {
    let (inputs, mut step) = Step::<Read>::over(input, output, "keypoints", &regressor.reader.fingerprint()?)?;
    let made = step.run_pictures(&inputs, CHUNK, |_, picture| {
        let facts = (picture.dimensions(), regressor.read(&picture)?);
        Ok(Ok(Product { facts, files: Vec::new(), notes: Vec::new() }))
    })?;
    let poses: Vec<Pose> = (0..)
        .zip(made)
        .map(|(frame, (input, (size, points)))| Pose { name: input.file, ..Pose::new(frame, size, points) })
        .collect();
    let count = poses.len();
    let report = step.finish(count)?;
    if count == 0 {
        return Err(Error::file(input, "not a single picture that can be read", "pictures", report.to_string()));
    }
    let poses = PoseSequence::new(regressor.reader.skeleton().clone(), crate::data::poses::FPS, poses)?;
    poses.save(output.join(KEYPOINTS))?;
    Ok((poses, report))
}

/// Width and height of a picture, and its points.
type Read = ((u32, u32), Vec<KeyPoint>);
