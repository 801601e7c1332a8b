//! What can be wrong with a pose, and what is done about it.

use super::import::ImportOptions;
use super::names::Problem;
use super::skeleton::{KeyPoint, Skeleton};
use super::{Pose, PoseSequence};
use crate::data::dataset::Split;
use crate::data::report::{Action, Report};
use crate::{Error, Result};

/// A pose as it was read.
pub(super) struct Raw {
    /// The file, with `:line` where it has lines.
    pub place: String,
    pub name: Option<String>,
    pub frame: u64,
    /// From the file; none when it does not say.
    pub size: Option<(u32, u32)>,
    pub points: Vec<KeyPoint>,
    pub costume: Option<String>,
    pub clip: Option<String>,
    pub split: Option<Split>,
}

impl Raw {
    pub fn new(place: String, frame: u64, points: Vec<KeyPoint>) -> Raw {
        Raw { place, name: None, frame, size: None, points, costume: None, clip: None, split: None }
    }
}

/// Collects the poses that can be used.
pub(super) struct Checked<'a> {
    pub skeleton: Skeleton,
    pub fps: f64,
    options: &'a ImportOptions,
    least: usize,
    poses: Vec<Pose>,
    pub report: Report,
}

impl Checked<'_> {
    /// `least` points have to be found where the options do not say how many.
    pub fn new(options: &ImportOptions, skeleton: Skeleton, least: usize) -> Checked<'_> {
        let least = options.min_points.unwrap_or(least.min(skeleton.len()));
        let fps = options.fps.unwrap_or(super::FPS);
        Checked { skeleton, fps, options, least, poses: Vec::new(), report: Report::default() }
    }

    /// Whether a picture in which nobody was found is a pose too.
    pub fn keeps_empty(&self) -> bool {
        self.least == 0
    }

    pub fn leave_out(&mut self, place: &str, kind: &str, detail: impl Into<String>) {
        self.report.add(kind, place, detail, Action::LeftOut);
    }

    /// Takes a pose in, or says why not.
    pub fn push(&mut self, raw: Raw) {
        let (expected, found) = (self.skeleton.len(), raw.points.len());
        if found != expected {
            let detail = format!("{found}, expected {expected}");
            return self.leave_out(&raw.place, "wrong number of key points", detail);
        }
        let (name, size) = match self.picture(&raw) {
            Ok(found) => found,
            Err((kind, detail)) => return self.leave_out(&raw.place, kind, detail),
        };
        let Raw { place, frame, mut points, costume, clip, split, .. } = raw;
        self.forget_what_is_no_number(&place, &mut points);
        let pose = Pose { name, frame, size, points, costume, clip, split };
        let seen = pose.seen();
        if seen < self.least {
            return self.leave_out(&place, "too few key points", format!("{seen}, at least {}", self.least));
        }
        self.look_at_points(&place, &pose);
        self.poses.push(pose);
    }

    /// Name and size of the picture of a pose.
    fn picture(&self, raw: &Raw) -> Result<(String, (u32, u32)), Problem> {
        let pictures = self.options.pictures.as_ref().zip(raw.name.as_deref());
        let file = pictures.map(|(pictures, name)| Ok((pictures, pictures.find(name)?))).transpose()?;
        let known = raw.size.or(if file.is_none() { self.options.size } else { None });
        let size = match (known, file) {
            (Some(size), _) => size,
            (None, Some((pictures, file))) => pictures.size(file)?,
            (None, None) => (0, 0),
        };
        if size.0 == 0 || size.1 == 0 {
            return Err(("no picture size", "say how wide and high the pictures are, or where they are".to_string()));
        }
        let own = || raw.name.clone().unwrap_or_else(|| super::number(raw.frame));
        Ok((file.map_or_else(own, |(_, file)| file.to_string()), size))
    }

    fn forget_what_is_no_number(&mut self, place: &str, points: &mut [KeyPoint]) {
        let mut names = Vec::new();
        for (point, name) in points.iter_mut().zip(self.skeleton.names()) {
            if !point.iter().all(|value| value.is_finite()) {
                *point = [0.0; 3];
                names.push(name.as_str());
            }
        }
        if !names.is_empty() {
            self.report.add("not a number, taken as missing", place, names.join(", "), Action::Converted);
        }
    }

    fn look_at_points(&mut self, place: &str, pose: &Pose) {
        let names = |which: &dyn Fn(usize) -> bool| {
            let names = self.skeleton.names().iter().enumerate();
            names.filter(|(i, _)| which(*i)).map(|(_, name)| name.as_str()).collect::<Vec<_>>().join(", ")
        };
        let known = |i: usize| pose.points[i][2] > 0.0;
        let missing = names(&|i| !known(i));
        let outside = names(&|i| known(i) && !pose.sees(i));
        if !missing.is_empty() {
            self.report.add("missing key points", place, missing, Action::Kept);
        }
        if !outside.is_empty() {
            self.report.add("key points outside of the picture", place, outside, Action::Kept);
        }
    }

    /// The sequence of what was taken in; `path` is what was read.
    ///
    /// # Errors
    /// When that is nothing; the message holds the report.
    pub fn finish(self, path: &std::path::Path) -> Result<PoseSequence> {
        let report = self.report.finish(self.poses.len());
        if self.poses.is_empty() {
            let found = match report.is_clean() {
                true => "no pose".to_string(),
                false => format!("no usable pose ({report})"),
            };
            let hint = match report.problems.iter().any(|problem| problem.kind == "no picture size") {
                true => "Give the size, --size 256x256 on the command line.",
                false => "",
            };
            return Err(Error::file(path, found, "at least one pose", hint));
        }
        PoseSequence::with_report(self.skeleton, self.fps, self.poses, report)
    }
}
