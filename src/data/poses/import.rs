//! Which formats there are, and what is common to reading them.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use super::checks::Checked;
use super::names::Pictures;
use super::skeleton::Skeleton;
use super::{PoseSequence, fashion, jsonl, openpose, patn, rcv};
use crate::{Error, Result};

/// No honest file of key points is larger; a larger one would only fill the memory.
const MAX_BYTES: u64 = 1 << 30;

/// OpenPose's own output and the annotations of DeepFashion leave pictures out in which fewer of the 18 points were found
/// (PSGAN, section 4: DeepFashion without them).
const LEAST: usize = 10;

/// Who wrote the key points.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PoseFormat {
    /// OpenPose's JSON: a file per picture, `pose_keypoints_2d` of 18 (COCO) or 25 (BODY_25) points. Of several people the
    /// one with the highest sum of scores. The extra points of BODY_25 (mid-hip, toes and heels) are dropped.
    OpenPose,
    /// NumPy arrays of (row, column, visible), as PG2's code has them (`.npy`, `.npz`): `[M, 3]` for one picture or
    /// `[N, M, 3]` for many.
    Rcv,
    /// The table of PATN: `name:keypoints_y:keypoints_x` with a list of 18 whole numbers each, −1 where a point is missing.
    Patn,
    /// The annotations of the FashionAI challenge: `image_id,image_category` and 24 columns `x_y_v`. Points that the category
    /// does not have are dropped; those that are covered have [`COVERED`](super::fashion::COVERED) as their third number.
    FashionAi,
    /// JSON lines `{"frame": 3, "keypoints": [[x, y, v], …]}`, as [`PoseSequence::save`] writes them.
    JsonLines,
}

/// What files of key points do not say themselves.
#[derive(Clone, Debug, Default)]
pub struct ImportOptions {
    /// Width and height of the pictures in pixels. JSON lines can say it themselves.
    pub size: Option<(u32, u32)>,
    /// The pictures themselves, where they differ in size: every pose is matched with one by its name.
    pub pictures: Option<Pictures>,
    /// Frames per second; 30 where nothing says otherwise.
    pub fps: Option<f64>,
    /// The names of the key points, where their number does not tell: 18 are OpenPose's, 20 the bones of PSGAN's avatars.
    pub skeleton: Option<Skeleton>,
    /// Left and right eye change places, and left and right ear. PG2 and PATN name them the other way round than OpenPose,
    /// from which their numbers come.
    pub swap_eyes: bool,
    /// Pictures with fewer known points inside of them are left out; 10 unless set, 0 for JSON lines. With 0 those in which
    /// nobody was found stay as poses without points, so that no frame of a motion is lost.
    pub min_points: Option<usize>,
}

impl ImportOptions {
    /// For pictures of one size, everything else by default.
    pub fn of_size(width: u32, height: u32) -> ImportOptions {
        ImportOptions { size: Some((width, height)), ..ImportOptions::default() }
    }

    /// For the pictures of a folder, whatever their sizes, everything else by default.
    ///
    /// # Errors
    /// When the folder cannot be read or holds no picture.
    pub fn of_pictures(folder: impl AsRef<Path>) -> Result<ImportOptions> {
        Ok(ImportOptions { pictures: Some(Pictures::open(folder)?), ..ImportOptions::default() })
    }

    pub(super) fn openpose(&self) -> Result<Skeleton> {
        self.skeleton.clone().map_or_else(Skeleton::openpose, Ok)
    }
}

impl PoseSequence {
    /// Reads JSON lines, as [`PoseSequence::save`] writes them.
    ///
    /// # Errors
    /// As [`PoseSequence::import`].
    pub fn open(path: impl AsRef<Path>) -> Result<PoseSequence> {
        PoseSequence::import(path, PoseFormat::JsonLines, &ImportOptions::default())
    }

    /// Reads key points that somebody else wrote: a file, or for OpenPose and arrays also a folder of files, in the order
    /// of their names. Files and lines that cannot be used are left out and listed in the [`PoseSequence::report`], and so
    /// are points that are missing or outside of the picture.
    ///
    /// Formats that count pixels (all but JSON lines) say the middle of a pixel by its number: half a pixel is added, so
    /// that column 7 becomes 7.5.
    ///
    /// # Errors
    /// When the file cannot be read or holds not a single pose that can be used; the message holds the report.
    pub fn import(path: impl AsRef<Path>, format: PoseFormat, options: &ImportOptions) -> Result<PoseSequence> {
        let path = path.as_ref();
        if let Some(fps) = options.fps {
            super::check_fps(fps)?;
        }
        let detected = |skeleton| Checked::new(options, skeleton, LEAST);
        let mut sequence = match format {
            PoseFormat::OpenPose => openpose::read(path, detected(options.openpose()?))?,
            PoseFormat::Rcv => rcv::read(path, detected(options.openpose()?))?,
            PoseFormat::Patn => patn::read(path, detected(options.openpose()?))?,
            PoseFormat::FashionAi => {
                let skeleton = options.skeleton.clone().map_or_else(Skeleton::fashion, Ok)?;
                fashion::read(path, Checked::new(options, skeleton, 1))?
            }
            PoseFormat::JsonLines => jsonl::read(path, options)?,
        };
        if options.swap_eyes {
            sequence.swap_eyes();
        }
        Ok(sequence)
    }

    fn swap_eyes(&mut self) {
        for pair in [["left eye", "right eye"], ["left ear", "right ear"]] {
            if let [Some(a), Some(b)] = pair.map(|name| self.skeleton.position(name)) {
                self.poses.iter_mut().for_each(|pose| pose.points.swap(a, b));
            }
        }
    }
}

/// The contents of a file of at most 1 GiB.
pub(super) fn bytes(path: &Path) -> Result<Vec<u8>> {
    let io = |source| Error::io("read the key points", path, source);
    let file = File::open(path).map_err(io)?;
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(io)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(Error::file(path, "more than 1 GiB", "key points of at most 1 GiB", "Split the file."));
    }
    Ok(bytes)
}

/// Lines with their numbers from 1, without their ends; empty ones are left out.
pub(super) fn lines(bytes: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
    (1..).zip(bytes.split(|byte| *byte == b'\n')).map(|(i, line)| (i, line.trim_ascii())).filter(|(_, l)| !l.is_empty())
}

/// The file itself, or the files of a folder with one of these extensions, by name.
pub(super) fn files(path: &Path, extensions: &[&str]) -> Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_path_buf()]);
    }
    let io = |source| Error::io("list the folder", path, source);
    let mut files = Vec::new();
    for entry in fs::read_dir(path).map_err(io)? {
        let file = entry.map_err(io)?.path();
        let extension = file.extension().map(|extension| extension.to_string_lossy().to_lowercase());
        if extension.is_some_and(|extension| extensions.contains(&extension.as_str())) && file.is_file() {
            files.push(file);
        }
    }
    files.sort();
    if files.is_empty() {
        let expected = format!("files that end in .{}", extensions.join(" or ."));
        return Err(Error::file(path, "a folder without any", expected, "Give the folder of the key points."));
    }
    Ok(files)
}

/// The name of a file, without its folder.
pub(super) fn file_name(path: &Path) -> String {
    path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned())
}
