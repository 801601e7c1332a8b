//! Poses in mirrored pictures and in pictures of another size.

use super::{Pose, PoseSequence};
use crate::data::manifest::Resize;
use crate::data::placement::Placement;
use crate::{Error, Result};

impl PoseSequence {
    /// The poses of the mirrored pictures: column x becomes column W − 1 − x, and left and right of the character change
    /// places. The names stay.
    pub fn mirrored(&self) -> PoseSequence {
        let mirror =
            |pose: &Pose| Pose { points: self.skeleton().mirrored(&pose.points, pose.size.0 as f32), ..pose.clone() };
        self.with(self.poses().iter().map(mirror).collect())
    }

    /// The poses of the pictures brought to `size` (width, height) as `resize` says: what
    /// [`ImagePolicy`](crate::data::manifest::ImagePolicy) does to pictures. [`Resize::Pad`] is letterboxing.
    ///
    /// # Errors
    /// When a side is 0, or with [`Resize::Exact`] for pictures of another size.
    pub fn resized(&self, size: (u32, u32), resize: Resize) -> Result<PoseSequence> {
        if size.0 == 0 || size.1 == 0 {
            return Err(Error::invalid("size", format!("{}×{} pixels", size.0, size.1), "at least one pixel", ""));
        }
        let poses = self.poses().iter().map(|pose| {
            let placement = Placement::of(resize, pose.size, size).ok_or_else(|| {
                let found = format!("a picture of {}×{} pixels", pose.size.0, pose.size.1);
                let hint = "Use another rule of resizing.";
                Error::invalid(format!("pose {}", pose.name), found, format!("{}×{} exactly", size.0, size.1), hint)
            })?;
            Ok(Pose { size, points: pose.points.iter().map(|point| placement.point(*point)).collect(), ..pose.clone() })
        });
        Ok(self.with(poses.collect::<Result<_>>()?))
    }
}
