//! A folder of picture files with a tag table.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Component, Path, PathBuf};

use rayon::prelude::*;

use super::decode::{Decoded, Refused, decode};
use super::labels::Labeller;
use super::posed;
use super::table::{self, Row, Table};
use crate::data::dataset::{Split, Splits};
use crate::data::manifest::{FolderLayout, ImagePolicy, Manifest, TagPolicy};
use crate::data::poses::{ImportOptions, Pose, PoseFormat, PoseSequence, Skeleton};
use crate::data::report::{Action, Report};
use crate::data::store::{Index, StoreWriter};
use crate::data::tags::TagSet;
use crate::{Error, Result};

/// Pictures that are decoded before any of them is stored.
const CHUNK: usize = 256;

/// Where decoded pixels go.
pub(super) trait Sink {
    /// Appends one picture.
    fn push(&mut self, pixels: &[u8]) -> Result<()>;
}

impl Sink for Vec<u8> {
    fn push(&mut self, pixels: &[u8]) -> Result<()> {
        self.extend_from_slice(pixels);
        Ok(())
    }
}

impl Sink for StoreWriter {
    fn push(&mut self, pixels: &[u8]) -> Result<()> {
        self.write(pixels)
    }
}

/// A picture that the data set may have.
pub(super) struct Candidate {
    /// Path below the folder, with slashes.
    pub key: String,
    path: PathBuf,
    labels: Vec<f32>,
    pub split: Option<Split>,
    pub pose: Option<Pose>,
}

/// A folder whose table is read and whose files are found, but not decoded.
pub(super) struct Folder {
    root: PathBuf,
    name: String,
    policy: ImagePolicy,
    splits: Splits,
    tags: TagSet,
    /// Of the poses, if the pictures have any.
    skeleton: Option<Skeleton>,
    /// Sorted by key, so that the order of files and rows does not matter.
    candidates: Vec<Candidate>,
    report: Report,
}

impl Folder {
    /// Reads the table and the poses, and finds the files.
    ///
    /// # Errors
    /// When the folder, the table or the poses cannot be read, or the table is unusable.
    pub fn find(manifest: &Manifest, layout: &FolderLayout, policy: &ImagePolicy, path: &Path) -> Result<Folder> {
        let beside = path.parent().unwrap_or(Path::new(""));
        let root = beside.join(&layout.images);
        let root = root.canonicalize().map_err(|source| Error::io("open the folder of pictures", &root, source))?;
        let mut report = Report::default();
        let found = walk(&root, &mut report)?;
        let (tags, mut candidates) = match &layout.table {
            None => (TagSet::none(), unlabelled(&root, found, &mut report)),
            Some(file) => {
                let table = table::read(&beside.join(file), layout, &mut report)?;
                let policy = manifest.tags.clone().unwrap_or_default();
                let (tags, candidates) = labelled(&root, path, &policy, &table, &mut report)?;
                report_strangers(&found, &candidates, &mut report);
                (tags, candidates)
            }
        };
        candidates.sort_by(|a, b| a.key.cmp(&b.key));
        let (name, policy, splits) = (manifest.name.clone(), policy.clone(), manifest.splits);
        let folder = Folder { root, name, policy, splits, tags, skeleton: None, candidates, report };
        match &layout.poses {
            None => Ok(folder),
            Some(file) => {
                // Lines that do not say how large their picture is are about the picture as it is.
                let options = ImportOptions::of_pictures(&folder.root)?;
                let poses = PoseSequence::import(beside.join(file), PoseFormat::JsonLines, &options)?;
                Ok(folder.posed(&poses))
            }
        }
    }

    /// All pictures of a folder without labels.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn unlabelled(name: &str, path: &Path, policy: &ImagePolicy) -> Result<Folder> {
        let root = path.canonicalize().map_err(|source| Error::io("open the folder of pictures", path, source))?;
        let mut report = Report::default();
        let found = walk(&root, &mut report)?;
        let mut candidates = unlabelled(&root, found, &mut report);
        candidates.sort_by(|a, b| a.key.cmp(&b.key));
        let (name, policy, splits, tags) = (name.to_string(), policy.clone(), Splits::default(), TagSet::none());
        Ok(Folder { root, name, policy, splits, tags, skeleton: None, candidates, report })
    }

    /// With the poses that bear the pictures' names; pictures without one are left out.
    pub fn posed(self, poses: &PoseSequence) -> Folder {
        let Folder { candidates, mut report, .. } = self;
        let candidates = posed::join(candidates, poses, &mut report);
        Folder { candidates, report, skeleton: Some(poses.skeleton().clone()), ..self }
    }

    /// Bytes that all pictures take when none is left out.
    pub fn bytes(&self) -> u64 {
        3 * u64::from(self.policy.size).pow(2) * self.candidates.len() as u64
    }

    /// Decodes the files in parallel and in order.
    ///
    /// # Errors
    /// When not a single picture can be used, or the pixels cannot be stored.
    pub fn decode(self, sink: &mut dyn Sink) -> Result<Index> {
        let Folder { root, name, policy, splits, tags, skeleton, candidates, mut report } = self;
        let mut index = Index::new(name, policy.size, tags, splits);
        index.skeleton = skeleton;
        for chunk in candidates.chunks(CHUNK) {
            let decoded: Vec<_> = chunk.par_iter().map(|candidate| decode(&candidate.path, &policy)).collect();
            for (candidate, decoded) in chunk.iter().zip(decoded) {
                match decoded {
                    Err(Refused(kind, detail)) => report.add(kind, &candidate.key, detail, Action::LeftOut),
                    Ok(Decoded { image, original, mut notes }) => {
                        if let Some(pose) = &candidate.pose {
                            index.points.extend(posed::placed(pose, original, &policy, &mut notes));
                        }
                        for (kind, detail) in notes {
                            report.add(kind, &candidate.key, detail, Action::Converted);
                        }
                        index.push(candidate.key.clone(), &candidate.labels, candidate.split, image.as_raw());
                        sink.push(image.as_raw())?;
                    }
                }
            }
        }
        index.report_copies(&mut report);
        index.report = report.finish(index.keys.len());
        if index.keys.is_empty() {
            let found = match index.report.is_clean() {
                true => "no picture".to_string(),
                false => format!("no usable picture ({})", index.report),
            };
            let expected = "at least one PNG, JPEG, WebP, GIF or BMP file";
            let hint = "Look at folder.images, folder.table and folder.poses of the manifest.";
            return Err(Error::file(root, found, expected, hint));
        }
        index.measure_chances()?;
        Ok(index)
    }
}

fn unlabelled(root: &Path, found: Vec<String>, report: &mut Report) -> Vec<Candidate> {
    let candidate = |(key, path)| Candidate { key, path, labels: Vec::new(), split: None, pose: None };
    within(root, found, report).into_iter().map(candidate).collect()
}

/// The regular files of these names below `root`, which is canonical. Links that lead out of it and the like go into the
/// report.
pub(in crate::data) fn within(root: &Path, names: Vec<String>, report: &mut Report) -> Vec<(String, PathBuf)> {
    let place = |key: String| match resolve(root, &key) {
        Ok(path) => Some((key, path)),
        Err(Refused(kind, detail)) => {
            report.add(kind, &key, detail, Action::LeftOut);
            None
        }
    };
    names.into_iter().filter_map(place).collect()
}

fn labelled(
    root: &Path,
    manifest: &Path,
    policy: &TagPolicy,
    table: &Table,
    report: &mut Report,
) -> Result<(TagSet, Vec<Candidate>)> {
    let labeller = Labeller::new(policy, manifest, table, report)?;
    let mut candidates: BTreeMap<String, Candidate> = BTreeMap::new();
    for row in &table.rows {
        match candidate(root, row, &labeller, report) {
            Err((kind, detail)) => {
                report.add(kind, &row.file, format!("{detail} (line {})", row.line), Action::LeftOut)
            }
            Ok(candidate) => match candidates.get(&candidate.key) {
                None => drop(candidates.insert(candidate.key.clone(), candidate)),
                Some(first) => {
                    let same = first.labels == candidate.labels && first.split == candidate.split;
                    let kind = if same { "duplicated row" } else { "contradicting rows, the first is used" };
                    report.add(kind, &candidate.key, format!("line {}", row.line), Action::LeftOut);
                }
            },
        }
    }
    Ok((labeller.tags, candidates.into_values().collect()))
}

fn candidate(
    root: &Path,
    row: &Row,
    labeller: &Labeller,
    report: &mut Report,
) -> Result<Candidate, (&'static str, String)> {
    let path = resolve(root, &row.file).map_err(|Refused(kind, detail)| (kind, detail))?;
    let split = row.split.as_deref().map(split).transpose()?;
    let labels = labeller.labels(row, report)?;
    let parts: Vec<&str> = row.file.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    Ok(Candidate { key: parts.join("/"), path, labels, split, pose: None })
}

pub(super) fn split(text: &str) -> Result<Split, (&'static str, String)> {
    match text.to_lowercase().as_str() {
        "train" | "training" => Ok(Split::Train),
        "validation" | "val" | "valid" => Ok(Split::Validation),
        "test" => Ok(Split::Test),
        _ => Err(("unknown split", format!("\"{text}\" is not train, validation or test"))),
    }
}

/// The regular file of that name below `root`, which is canonical.
fn resolve(root: &Path, file: &str) -> Result<PathBuf, Refused> {
    let outside = || Refused("path leaves the folder", String::new());
    let relative = Path::new(file);
    let drive = file.as_bytes().get(1) == Some(&b':');
    let harmless = |part: Component| matches!(part, Component::Normal(_) | Component::CurDir);
    if drive || file.contains('\0') || !relative.components().all(harmless) {
        return Err(outside());
    }
    let path = root.join(relative).canonicalize().map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => Refused("missing file", String::new()),
        _ => Refused("cannot be read", error.to_string()),
    })?;
    if !path.starts_with(root) {
        return Err(outside());
    }
    if !path.is_file() {
        return Err(Refused("not a file", String::new()));
    }
    Ok(path)
}

/// All files below `root` that are named like pictures, as paths below it. Links to folders are not followed.
pub(in crate::data) fn walk(root: &Path, report: &mut Report) -> Result<Vec<String>> {
    walk_named(root, report, |path| image::ImageFormat::from_path(path).is_ok())
}

/// As [`walk`], of files with these names.
pub(in crate::data) fn walk_named(
    root: &Path,
    report: &mut Report,
    wanted: impl Fn(&Path) -> bool,
) -> Result<Vec<String>> {
    let mut found = Vec::new();
    let mut open = vec![root.to_path_buf()];
    while let Some(folder) = open.pop() {
        let io = |source| Error::io("list the folder", &folder, source);
        for entry in fs::read_dir(&folder).map_err(io)? {
            let entry = entry.map_err(io)?;
            let (path, kind) = (entry.path(), entry.file_type().map_err(io)?);
            let below = path.strip_prefix(root).unwrap_or(&path);
            if kind.is_dir() {
                open.push(path);
            } else if wanted(&path) {
                match below.to_str() {
                    Some(key) => found.push(key.to_string()),
                    None => report.add("name is not UTF-8", &below.to_string_lossy(), "", Action::LeftOut),
                }
            }
        }
    }
    Ok(found)
}

fn report_strangers(found: &[String], candidates: &[Candidate], report: &mut Report) {
    let mut listed: std::collections::BTreeSet<&str> = candidates.iter().map(|c| c.key.as_str()).collect();
    let refused: Vec<String> = report.problems.iter().map(|problem| problem.file.clone()).collect();
    listed.extend(refused.iter().map(String::as_str));
    for key in found.iter().filter(|key| !listed.contains(key.as_str())) {
        report.add("not in the tag table", key, "", Action::LeftOut);
    }
}
