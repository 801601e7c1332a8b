//! Poses in time: other frame rates, smoother motion, gaps. Everything happens to positions, before anything is drawn,
//! because a network sees whole pixels (issue of flicker: PSGAN's maps, which hold one pixel per point).

use std::ops::Range;

use super::{KeyPoint, Pose, PoseSequence};
use crate::filter::{Edge, gaussian, mean_around};
use crate::{Error, Result};

impl PoseSequence {
    /// The same motions at `fps` frames a second, linear between two frames. A point that only one of the two frames
    /// knows is where the nearer one has it. Frames are counted anew within every motion (consecutive poses of one costume
    /// and clip); with [`Edge::Wrap`] each loops, so that frames are made between its end and its beginning too.
    ///
    /// # Errors
    /// When `fps` is not above 0.
    pub fn resampled(&self, fps: f64, edge: Edge) -> Result<PoseSequence> {
        super::check_fps(fps)?;
        if fps == self.fps() {
            return Ok(self.clone());
        }
        let (mut poses, step) = (Vec::new(), self.fps() / fps);
        for motion in self.motions() {
            let n = motion.len();
            // A hair above, so that a ratio like 30/10 does not lose its last frame to rounding.
            let count = match edge {
                Edge::Hold => ((n - 1) as f64 / step + 1e-9).floor() as usize + 1,
                Edge::Wrap => ((n as f64 / step).round() as usize).max(1),
            };
            let stretch = if edge == Edge::Wrap { n as f64 / count as f64 } else { step };
            poses.extend((0..count).map(|frame| self.between(&motion, frame, frame as f64 * stretch, edge)));
        }
        self.with(poses).with_fps(fps)
    }

    /// The pose at `place` (a frame number, or between two) of a motion.
    fn between(&self, motion: &Range<usize>, frame: usize, place: f64, edge: Edge) -> Pose {
        let at = |i: usize| &self.poses()[motion.start + edge.place(i as isize, motion.len())];
        let (low, t) = (place.floor(), place - place.floor());
        let (a, b) = (at(low as usize), at(low as usize + 1));
        let nearer = if t < 0.5 { a } else { b };
        let point = |(a, b): (&KeyPoint, &KeyPoint)| match (a[2] > 0.0, b[2] > 0.0) {
            (true, true) => [0, 1, 2].map(|i| (f64::from(a[i]) + (f64::from(b[i]) - f64::from(a[i])) * t) as f32),
            _ if t < 0.5 => *a,
            _ => *b,
        };
        let points = a.points.iter().zip(&b.points).map(point).collect();
        let name = if t == 0.0 { a.name.clone() } else { format!("{}+{t:.2}", a.name) };
        Pose { name, frame: frame as u64, points, ..nearer.clone() }
    }

    /// The same motions without jitter: every point becomes the mean of itself over time, weighted by a Gaussian of
    /// standard deviation `sigma` in frames, over the frames that know it (`scipy.ndimage.gaussian_filter1d` where all
    /// do). What is missing stays missing; [`PoseSequence::filled`] fills it.
    ///
    /// # Errors
    /// When `sigma` is negative, not finite or above 10,000.
    pub fn smoothed(&self, sigma: f64, edge: Edge) -> Result<PoseSequence> {
        if !(0.0..=1e4).contains(&sigma) {
            let expected = "a number of frames from 0 to 10,000";
            return Err(Error::invalid("smoothing", sigma.to_string(), expected, "2 is usual."));
        }
        let weights = gaussian(sigma);
        let mut poses = self.poses().to_vec();
        for motion in self.motions() {
            let frames = &self.poses()[motion.clone()];
            for (i, pose) in poses[motion].iter_mut().enumerate() {
                for (k, point) in pose.points.iter_mut().enumerate().filter(|(_, point)| point[2] > 0.0) {
                    for axis in [0, 1] {
                        let known = |j: usize| (frames[j].points[k][2] > 0.0).then(|| frames[j].points[k][axis].into());
                        if let Some(mean) = mean_around(&weights, i, frames.len(), edge, known) {
                            point[axis] = mean as f32;
                        }
                    }
                }
            }
        }
        Ok(self.with(poses))
    }

    /// The same motions with missing points where they are missing for at most `frames` frames in a row: linear between
    /// the last frame that knows the point and the next one. At the ends of a motion nothing is invented.
    pub fn filled(&self, frames: usize) -> PoseSequence {
        let mut poses = self.poses().to_vec();
        for motion in self.motions() {
            for k in 0..self.skeleton().len() {
                let known: Vec<usize> = motion.clone().filter(|i| poses[*i].points[k][2] > 0.0).collect();
                for pair in known.windows(2).filter(|pair| (2..=frames + 1).contains(&(pair[1] - pair[0]))) {
                    let (start, end) = (pair[0], pair[1]);
                    let (a, b) = (poses[start].points[k], poses[end].points[k]);
                    for (i, pose) in poses.iter_mut().enumerate().take(end).skip(start + 1) {
                        let t = (i - start) as f32 / (end - start) as f32;
                        pose.points[k] = [0, 1, 2].map(|axis| a[axis] + (b[axis] - a[axis]) * t);
                    }
                }
            }
        }
        self.with(poses)
    }
}
