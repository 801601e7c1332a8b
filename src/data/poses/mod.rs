//! Poses: key points of many pictures, in the order of time where they are frames of a motion.
//!
//! [`PoseSequence::import`] reads what pose estimators and the papers' own code write, [`PoseSequence::open`] the JSON
//! lines of this library. A folder of pictures joins with them to a data set ([`Dataset::posed_folder`], or `poses` in
//! the `[folder]` of a manifest).
//!
//! [`Dataset::posed_folder`]: crate::data::Dataset::posed_folder

mod checks;
mod dataset;
pub mod fashion;
mod groups;
mod import;
mod jsonl;
pub(super) mod names;
mod openpose;
mod patn;
mod place;
mod rcv;
pub mod skeleton;
mod time;

use std::fmt;
use std::ops::Range;

use candle_core::{Device, Tensor};

use super::dataset::Split;
use super::report::Report;
use crate::{Error, Result};

pub use crate::filter::Edge;
pub use groups::person;
pub use import::{ImportOptions, PoseFormat};
pub use names::Pictures;
pub use skeleton::{KeyPoint, Limb, Part, Skeleton};

/// Frames per second of a motion that does not say how many.
pub const FPS: f64 = 30.0;

/// The key points of one picture, and what the picture shows.
#[derive(Clone, Debug, PartialEq)]
pub struct Pose {
    /// The picture's file name, below its folder; or what else tells the pose from others.
    pub name: String,
    /// Number of the frame within its motion.
    pub frame: u64,
    /// Width and height of the picture in pixels.
    pub size: (u32, u32),
    /// One point per name of the skeleton, in pixels of the picture. Points outside of it are possible.
    pub points: Vec<KeyPoint>,
    /// What the character wears, where that is known.
    pub costume: Option<String>,
    /// The motion that the frame is of, where that is known.
    pub clip: Option<String>,
    /// The part of the data set that the picture belongs to, where that is prescribed.
    pub split: Option<Split>,
}

impl Pose {
    /// A pose of a picture of `size` (width, height) that is known by nothing but its number.
    pub fn new(frame: u64, size: (u32, u32), points: Vec<KeyPoint>) -> Pose {
        Pose { name: number(frame), frame, size, points, costume: None, clip: None, split: None }
    }

    /// Whether key point `i` is known and inside of the picture: what a network sees of it.
    pub fn sees(&self, i: usize) -> bool {
        let inside = |value: f32, side: u32| value >= 0.0 && value < side as f32;
        self.points.get(i).is_some_and(|&[x, y, known]| known > 0.0 && inside(x, self.size.0) && inside(y, self.size.1))
    }

    /// How many key points are known and inside of the picture.
    pub fn seen(&self) -> usize {
        (0..self.points.len()).filter(|&i| self.sees(i)).count()
    }
}

/// The name of a pose that has only a number.
fn number(frame: u64) -> String {
    format!("{frame:06}")
}

/// Poses of one skeleton. Consecutive ones of the same costume and clip are frames of one motion.
#[derive(Clone, PartialEq)]
pub struct PoseSequence {
    skeleton: Skeleton,
    fps: f64,
    poses: Vec<Pose>,
    report: Report,
}

impl PoseSequence {
    /// Poses of a skeleton, `fps` of them a second (30 is usual).
    ///
    /// # Errors
    /// No pose, a pose with another number of points or a picture without pixels, frames per second that are not above 0.
    pub fn new(skeleton: Skeleton, fps: f64, poses: Vec<Pose>) -> Result<PoseSequence> {
        let report = Report { used: poses.len(), ..Report::default() };
        PoseSequence::with_report(skeleton, fps, poses, report)
    }

    pub(super) fn with_report(skeleton: Skeleton, fps: f64, poses: Vec<Pose>, report: Report) -> Result<PoseSequence> {
        check_fps(fps)?;
        if poses.is_empty() {
            return Err(Error::invalid("poses", "none", "at least one", ""));
        }
        if let Some(pose) = poses.iter().find(|pose| pose.points.len() != skeleton.len()) {
            let (what, found) = (format!("pose {}", pose.name), format!("{} key points", pose.points.len()));
            return Err(Error::invalid(what, found, format!("{}, one per name", skeleton.len()), ""));
        }
        if let Some(pose) = poses.iter().find(|pose| pose.size.0 == 0 || pose.size.1 == 0) {
            let (what, (width, height)) = (format!("pose {}", pose.name), pose.size);
            return Err(Error::invalid(
                what,
                format!("a picture of {width}×{height} pixels"),
                "at least one pixel",
                "",
            ));
        }
        Ok(PoseSequence { skeleton, fps, poses, report })
    }

    /// The same skeleton, frames per second and report with other poses.
    fn with(&self, poses: Vec<Pose>) -> PoseSequence {
        PoseSequence { skeleton: self.skeleton.clone(), fps: self.fps, poses, report: self.report.clone() }
    }

    /// Number of poses.
    pub fn len(&self) -> usize {
        self.poses.len()
    }

    /// Whether there are none. There is always one.
    pub fn is_empty(&self) -> bool {
        self.poses.is_empty()
    }

    /// The poses, in order.
    pub fn poses(&self) -> &[Pose] {
        &self.poses
    }

    /// The names of the key points.
    pub fn skeleton(&self) -> &Skeleton {
        &self.skeleton
    }

    /// Frames per second.
    pub fn fps(&self) -> f64 {
        self.fps
    }

    /// Duration in seconds: the number of poses by the frames per second.
    pub fn seconds(&self) -> f64 {
        self.len() as f64 / self.fps
    }

    /// The same poses, shown faster or slower. [`PoseSequence::resampled`] keeps the duration instead.
    ///
    /// # Errors
    /// When `fps` is not above 0.
    pub fn with_fps(self, fps: f64) -> Result<PoseSequence> {
        check_fps(fps)?;
        Ok(PoseSequence { fps, ..self })
    }

    /// What was found wrong when the poses were read.
    pub fn report(&self) -> &Report {
        &self.report
    }

    /// The poses at these places.
    ///
    /// # Errors
    /// When the range is empty or ends beyond the last pose.
    pub fn part(&self, places: Range<usize>) -> Result<PoseSequence> {
        match self.poses.get(places.clone()) {
            Some(poses) if !poses.is_empty() => Ok(self.with(poses.to_vec())),
            _ => {
                let expected = format!("a part of 0..{} that is not empty", self.len());
                Err(Error::invalid("poses", format!("{places:?}"), expected, ""))
            }
        }
    }

    /// The poses of which `keep` says so, in their order.
    ///
    /// # Errors
    /// When none is left.
    pub fn filtered(&self, keep: impl Fn(&Pose) -> bool) -> Result<PoseSequence> {
        let poses: Vec<Pose> = self.poses.iter().filter(|pose| keep(pose)).cloned().collect();
        if poses.is_empty() {
            return Err(Error::invalid("poses", format!("none of {} is kept", self.len()), "at least one", ""));
        }
        Ok(self.with(poses))
    }

    /// The frames of one motion.
    ///
    /// # Errors
    /// When there is no clip of that name.
    pub fn clip(&self, name: &str) -> Result<PoseSequence> {
        self.filtered(|pose| pose.clip.as_deref() == Some(name)).map_err(|_| {
            let known: std::collections::BTreeSet<&str> = self.poses.iter().filter_map(|p| p.clip.as_deref()).collect();
            let known = known.into_iter().collect::<Vec<_>>().join(", ");
            Error::invalid("clip", format!("\"{name}\""), if known.is_empty() { "no clip".into() } else { known }, "")
        })
    }

    /// Key points as networks take them ([`Batch::points`](crate::data::Batch::points)): `[N, M, 3]` of f32 on the CPU, x
    /// and y as shares of the picture's sides.
    ///
    /// # Errors
    /// When there is no memory for it.
    pub fn tensor(&self) -> Result<Tensor> {
        let shares = self.poses.iter().flat_map(|pose| {
            let (width, height) = (pose.size.0 as f32, pose.size.1 as f32);
            pose.points.iter().flat_map(move |[x, y, known]| [x / width, y / height, *known])
        });
        Ok(Tensor::from_vec(shares.collect(), (self.len(), self.skeleton.len(), 3), &Device::Cpu)?)
    }

    /// Places of consecutive poses of one costume, clip and picture size: what is one motion.
    fn motions(&self) -> Vec<Range<usize>> {
        let same = |a: &Pose, b: &Pose| a.clip == b.clip && a.costume == b.costume && a.size == b.size;
        let mut start = 0;
        let lengths = self.poses.chunk_by(same).map(<[Pose]>::len);
        lengths.map(|length| (start, start += length).0..start).collect()
    }
}

fn check_fps(fps: f64) -> Result<()> {
    match fps.is_finite() && fps > 0.0 {
        true => Ok(()),
        false => Err(Error::invalid("frames per second", fps.to_string(), "a number above 0", "")),
    }
}

impl fmt::Display for PoseSequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let points = match self.skeleton.name() {
            Some(name) => format!("{} key points ({name})", self.skeleton.len()),
            None => format!("{} key points", self.skeleton.len()),
        };
        let (n, (width, height)) = (self.len(), self.poses.first().map_or((0, 0), |pose| pose.size));
        let size = match self.poses.iter().all(|pose| pose.size == (width, height)) {
            true => format!("{width}×{height}"),
            false => "several sizes".to_string(),
        };
        write!(f, "{n} poses of {points}, {size}, {} frames per second", self.fps)
    }
}

impl fmt::Debug for PoseSequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PoseSequence({self})")
    }
}
