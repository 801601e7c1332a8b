//! Key points of a data set's pictures.

use candle_core::{Device, Tensor};

use super::{KeyPoint, Pose, PoseSequence, Skeleton};
use crate::data::dataset::Dataset;
use crate::{Error, Result};

impl Dataset {
    /// The names of the key points; none for pictures without.
    pub fn skeleton(&self) -> Option<&Skeleton> {
        self.from().skeleton()
    }

    /// The key points of picture `i` in its own pixels, one per name of the [`skeleton`](Dataset::skeleton); empty for
    /// pictures without.
    ///
    /// # Errors
    /// When `i` is not below [`len`](Dataset::len), or the source gives another number of points than names.
    pub fn keypoints(&self, i: usize) -> Result<Vec<KeyPoint>> {
        let (source, place) = self.origin(i)?;
        let make = || source.keypoints(place);
        let points = self.kept().map_or_else(make, |kept| kept.keypoints(place, make));
        match self.skeleton().map_or(0, Skeleton::len) {
            expected if expected == points.len() => Ok(points),
            expected => {
                let what = format!("key points of picture {i} of {}", self.name());
                Err(Error::invalid(what, points.len().to_string(), expected.to_string(), ""))
            }
        }
    }

    /// Those of the picture that picture `i` is to be made from ([`pose`](Dataset::pose)); none where nobody knows them.
    ///
    /// # Errors
    /// When `i` is not below [`len`](Dataset::len).
    pub fn source_pose(&self, i: usize) -> Result<Option<Vec<KeyPoint>>> {
        let (source, place) = self.origin(i)?;
        let points = source.source_keypoints(place);
        let known = !points.is_empty() && self.skeleton().map(Skeleton::len) == Some(points.len());
        Ok(known.then(|| self.shares(points)))
    }

    fn shares(&self, points: Vec<KeyPoint>) -> Vec<KeyPoint> {
        let size = self.size() as f32;
        points.into_iter().map(|[x, y, known]| [x / size, y / size, known]).collect()
    }

    /// The key points of picture `i` with x and y as shares of its side, which hold at every size.
    ///
    /// # Errors
    /// As [`keypoints`](Dataset::keypoints).
    pub fn pose(&self, i: usize) -> Result<Vec<KeyPoint>> {
        self.keypoints(i).map(|points| self.shares(points))
    }

    /// The key points of some pictures one after the other, `fps` a second, each called as its picture's
    /// [`key`](Dataset::key).
    ///
    /// # Errors
    /// As [`poses`](Dataset::poses), and when there is no picture or `fps` is not above 0.
    pub fn motion(&self, positions: &[usize], fps: f64) -> Result<PoseSequence> {
        let Some(skeleton) = self.skeleton() else {
            return Err(Error::invalid(format!("poses of {}", self.name()), "none", "key points", ""));
        };
        let size = (self.size(), self.size());
        let pose = |(frame, &i): (usize, &usize)| {
            Ok(Pose { name: self.key(i)?, ..Pose::new(frame as u64, size, self.keypoints(i)?) })
        };
        PoseSequence::new(skeleton.clone(), fps, positions.iter().enumerate().map(pose).collect::<Result<_>>()?)
    }

    /// The [poses](Dataset::pose) of some pictures, `[P, M, 3]`, f32, on the CPU.
    ///
    /// # Errors
    /// As [`keypoints`](Dataset::keypoints), and when the pictures have no key points.
    pub fn poses(&self, positions: &[usize]) -> Result<Tensor> {
        let Some(points) = self.skeleton().map(Skeleton::len) else {
            return Err(Error::invalid(format!("poses of {}", self.name()), "none", "key points", ""));
        };
        let poses = positions.iter().map(|&i| Ok(self.pose(i)?.into_flattened())).collect::<Result<Vec<_>>>()?;
        Ok(Tensor::from_vec(poses.concat(), (positions.len(), points, 3), &Device::Cpu)?)
    }
}
