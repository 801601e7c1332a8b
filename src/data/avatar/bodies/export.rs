//! Bodies as files.

use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde::Serialize;

use super::dataset::{Bodies, Drawing, Place};
use super::{BONES, Joint, RATE, pose_picture};
use crate::data::avatar::files::save_picture;
use crate::data::claim::claim;
use crate::data::dataset::{Dataset, Source};
use crate::data::import::About;
use crate::data::skeleton::KeyPoint;
use crate::error::{Error, Result};
use crate::show::save::png;
use crate::weights::write_whole;

/// The settings of a folder, which is begun with them.
const SETTINGS: &str = "bodies.json";

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The manifest, which [`Dataset::open`] takes.
    pub manifest: PathBuf,
    /// Pictures that were drawn.
    pub drawn: usize,
    /// Pictures that an earlier run had drawn.
    pub kept: usize,
}

/// A line of `keypoints.jsonl`.
#[derive(Serialize)]
struct Row {
    file: String,
    costume: usize,
    clip: usize,
    frame: usize,
    motion: &'static str,
    /// Of the picture; with the two below, [`PoseSequence::open`](crate::data::poses::PoseSequence::open) reads the file.
    width: u32,
    height: u32,
    fps: f32,
    skeleton: &'static str,
    /// x and y in pixels and 1 where the bone is inside the picture.
    keypoints: [KeyPoint; BONES],
    /// Towards the camera, in heights of a mean body.
    depth: [f32; BONES],
    in_frame: [bool; BONES],
    occluded: [bool; BONES],
}

impl Bodies {
    /// Draws all pictures into a folder that [`Dataset::open`] reads: `images/COSTUME/CLIP/FRAME.png`, the bones of
    /// each in `keypoints.jsonl`, the tag table `tags.csv` with the splits, and, last of all, the manifest
    /// `dataset.toml`. With `poses`, each pose also as white limbs on black below `poses/`.
    ///
    /// Every file appears whole or not at all. A folder whose drawing was interrupted is completed: pictures that are
    /// there stay.
    ///
    /// # Errors
    /// As [`Bodies::dataset`]; when the folder holds bodies of other settings or anything else (nothing is
    /// overwritten), or it cannot be written.
    pub fn write_folder(&self, folder: impl AsRef<Path>, poses: bool) -> Result<Written> {
        let folder = folder.as_ref();
        let drawing = Drawing::new(self.clone())?;
        begin(folder, self, &drawing)?;
        let drawn = (0..drawing.len()).into_par_iter().map(|i| write_picture(folder, &drawing, i, poses));
        let drawn = drawn.try_reduce(|| 0, |a, b| Ok(a + b))?;
        let rows = (0..drawing.len()).into_par_iter().map(|i| row(&drawing, i)).collect::<Result<Vec<_>>>()?;
        let path = folder.join("keypoints.jsonl");
        write_whole(&path, rows.concat().as_bytes()).map_err(|e| Error::io("write the key points", &path, e))?;
        let kept = drawing.len() - drawn;
        let about = About {
            title: format!("{} procedural anime bodies with 20 exact key points", drawing.len()),
            licence: "MIT OR Apache-2.0".into(),
            source: format!("drawn by tachie {}: {self}", env!("CARGO_PKG_VERSION")),
        };
        let manifest = Dataset::from_source(drawing).write_description(folder, &about)?;
        Ok(Written { manifest, drawn, kept })
    }
}

/// Takes a new or empty folder, or one that the same settings have begun.
fn begin(folder: &Path, bodies: &Bodies, drawing: &Drawing) -> Result<()> {
    let settings = serde_json::json!({ "bodies": bodies, "fingerprint": drawing.fingerprint() });
    claim(folder, SETTINGS, &settings, "bodies", &bodies.to_string())
}

/// Writes a picture, and its pose if wanted, unless they are there; how many bodies were drawn.
fn write_picture(folder: &Path, drawing: &Drawing, i: usize, pose: bool) -> Result<usize> {
    let name = format!("{}.png", drawing.key(i));
    let place = folder.join("poses").join(&name);
    if pose && !place.exists() {
        save_picture(&place, &png(&pose_picture(&drawing.keypoints(i), drawing.size())?)?)?;
    }
    let place = folder.join("images").join(&name);
    if place.exists() {
        return Ok(0);
    }
    save_picture(&place, &png(&drawing.image(i)?)?)?;
    Ok(1)
}

fn row(drawing: &Drawing, i: usize) -> Result<String> {
    let Place { costume, clip, frame } = drawing.bodies().place(i);
    let joints = drawing.joints(i);
    let row = Row {
        file: format!("images/{}.png", drawing.key(i)),
        costume,
        clip,
        frame,
        motion: drawing.clip(i).motion.tag(),
        width: drawing.size(),
        height: drawing.size(),
        fps: RATE,
        skeleton: "bones",
        keypoints: joints.map(|joint: Joint| joint.keypoint(drawing.size())),
        depth: joints.map(|joint| joint.place[2]),
        in_frame: joints.map(|joint| joint.in_frame),
        occluded: joints.map(|joint| joint.occluded),
    };
    let text = serde_json::to_string(&row);
    let text = text.map_err(|error| Error::invalid("key points", error.to_string(), "finite numbers", ""))?;
    Ok(text + "\n")
}
