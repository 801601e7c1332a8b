//! Pictures of a folder with the poses that bear their names.

use std::path::Path;

use super::folder::{Candidate, Folder};
use super::{MEMORY, in_memory};
use crate::Result;
use crate::data::dataset::Dataset;
use crate::data::manifest::ImagePolicy;
use crate::data::placement::Placement;
use crate::data::poses::names::Names;
use crate::data::poses::{KeyPoint, Pose, PoseSequence};
use crate::data::report::{Action, Report};

impl Dataset {
    /// The pictures of a folder with these poses as key points, for training PSGAN on pictures of one's own. Pictures and
    /// poses belong together by name: the path below the folder, with or without its extension. Both are brought to size
    /// as `policy` says. Pictures without a pose and poses without a picture are left out; the [`Dataset::report`] lists
    /// them. Splits that the poses prescribe are kept.
    ///
    /// A manifest does the same with `poses = "poses.jsonl"` in its `[folder]`.
    ///
    /// # Errors
    /// When the folder cannot be read, no picture with a pose can be used, or they are more than 2 GiB of pixels.
    pub fn posed_folder(folder: impl AsRef<Path>, poses: &PoseSequence, policy: &ImagePolicy) -> Result<Dataset> {
        let path = folder.as_ref();
        let name = path.file_name().map_or_else(|| "pictures".into(), |name| name.to_string_lossy().into_owned());
        in_memory(Folder::unlabelled(&name, path, policy)?.posed(poses), path, MEMORY)
    }
}

/// The pictures that have a pose, each with it. Everything else goes into the report.
pub(super) fn join(pictures: Vec<Candidate>, poses: &PoseSequence, report: &mut Report) -> Vec<Candidate> {
    report.problems.extend(poses.report().problems.iter().cloned());
    let names = Names::of(pictures.iter().map(|picture| picture.key.as_str()));
    let mut of_pictures: Vec<Option<&Pose>> = vec![None; pictures.len()];
    for pose in poses.poses() {
        match names.find(&pose.name) {
            Err((kind, _)) => report.add(kind, &pose.name, "", Action::LeftOut),
            Ok(i) => match of_pictures[i] {
                None => of_pictures[i] = Some(pose),
                Some(first) => {
                    let detail = format!("that of {} is used", first.name);
                    report.add("second pose of one picture", &pose.name, detail, Action::LeftOut);
                }
            },
        }
    }
    let mut joined = Vec::new();
    for (mut picture, pose) in pictures.into_iter().zip(of_pictures) {
        match pose {
            None => report.add("no pose", &picture.key, "", Action::LeftOut),
            Some(pose) => {
                picture.split = picture.split.or(pose.split);
                picture.pose = Some(pose.clone());
                joined.push(picture);
            }
        }
    }
    joined
}

/// The key points in the picture that was brought to size from `original` (width, height).
pub(super) fn placed(
    pose: &Pose,
    original: (u32, u32),
    policy: &ImagePolicy,
    notes: &mut Vec<(&'static str, String)>,
) -> Vec<KeyPoint> {
    let ((width, height), size) = (original, (policy.size, policy.size));
    if pose.size != original {
        let (w, h) = pose.size;
        notes.push(("pose of another picture size, scaled", format!("{w}×{h} instead of {width}×{height}")));
    }
    let factors = [width as f32 / pose.size.0 as f32, height as f32 / pose.size.1 as f32];
    let placement = Placement::of(policy.resize, original, size);
    let place = |&[x, y, known]: &KeyPoint| {
        let point = [x * factors[0], y * factors[1], known];
        // A picture of another size than it has to be is left out, so that its points do not matter.
        placement.map_or(point, |placement| placement.point(point))
    };
    pose.points.iter().map(place).collect()
}
