//! Pairs of picture files, of which one is to be made from the other.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use image::RgbImage;
use rayon::prelude::*;
use serde::Deserialize;

use super::decode::{Decoded, Refused, decode_part};
use super::folder::{split, walk, within};
use super::{CHUNK, MEMORY};
use crate::data::dataset::{Dataset, Source, Split};
use crate::data::manifest::{ImagePolicy, PairLayout, Side};
use crate::data::poses::names::stem;
use crate::data::report::{Action, Report};
use crate::data::tags::TagSet;
use crate::{Error, Result};

/// Two pictures that belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PairFiles {
    /// What names the pair.
    pub name: String,
    /// The file of the source below the folder of the data set.
    pub source: String,
    /// That of the target: the same for a file that holds both.
    pub target: String,
    /// The half of the file that is the source, where one file holds both.
    pub side: Option<Side>,
    /// The split that the layout prescribes.
    pub split: Option<Split>,
}

impl Dataset {
    /// Pairs of pictures on disk: two folders, pictures side by side, or a table ([`PairLayout`]), with paths below `folder`.
    /// Both pictures are brought to size as `policy` says; the method reduces them linearly without keeping proportions
    /// ([`Resize::Squash`](crate::data::manifest::Resize::Squash), [`Filter::Bilinear`](crate::data::manifest::Filter::Bilinear),
    /// specs/clothing.md A.8), and [`Resize::Mirror`](crate::data::manifest::Resize::Mirror) keeps them.
    ///
    /// The target is [`Dataset::image`], the source [`Dataset::source_image`]. Every file is decoded once to know that it
    /// can be; up to 2 GiB of pixels stay in memory, more are read again when they are needed. What has no partner or cannot
    /// be read is in the [`Dataset::report`]. A manifest does the same with `[pairs]`.
    ///
    /// # Errors
    /// When a folder or the table cannot be read, or not a single pair can be used.
    pub fn paired(folder: impl AsRef<Path>, layout: &PairLayout, policy: &ImagePolicy) -> Result<Dataset> {
        let folder = folder.as_ref();
        let name = folder.file_name().map_or_else(|| "pairs".into(), |name| name.to_string_lossy().into_owned());
        open(&name, folder, layout, policy, MEMORY)
    }
}

/// The pairs that a layout finds below a folder, without looking into the files, in the order of their names; and what has no
/// partner.
///
/// # Errors
/// When a folder or the table cannot be read.
pub fn list_pairs(folder: impl AsRef<Path>, layout: &PairLayout) -> Result<(Vec<PairFiles>, Report)> {
    let (pairs, report) = find(folder.as_ref(), layout)?;
    let pairs: Vec<PairFiles> = pairs.into_iter().map(|pair| pair.files).collect();
    let report = report.finish(pairs.len());
    Ok((pairs, report))
}

/// A pair whose files are found, but not decoded.
struct Pair {
    files: PairFiles,
    source: PathBuf,
    target: PathBuf,
}

/// Opens the pairs; up to `memory` bytes of pixels are kept.
pub(super) fn open(
    name: &str,
    folder: &Path,
    layout: &PairLayout,
    policy: &ImagePolicy,
    memory: u64,
) -> Result<Dataset> {
    let (found, mut report) = find(folder, layout)?;
    let bytes = 6 * u64::from(policy.size).pow(2) * found.len() as u64;
    let mut kept = (bytes <= memory).then(|| Vec::with_capacity(bytes as usize));
    let mut hasher = blake3::Hasher::new_derive_key("tachie 2026 pairs of pictures");
    hasher.update(&policy.size.to_le_bytes());
    let mut pairs = Vec::with_capacity(found.len());
    let mut found = found.into_iter();
    loop {
        let chunk: Vec<Pair> = found.by_ref().take(CHUNK).collect();
        if chunk.is_empty() {
            break;
        }
        let decoded: Vec<_> = chunk.par_iter().map(|pair| pair.decode(policy)).collect();
        for (pair, decoded) in chunk.into_iter().zip(decoded) {
            match decoded {
                Err((file, Refused(kind, detail))) => report.add(kind, &file, detail, Action::LeftOut),
                Ok(both) => {
                    for (file, Decoded { image, notes, .. }) in both {
                        for (kind, detail) in notes {
                            report.add(kind, &file, detail, Action::Converted);
                        }
                        hasher.update(blake3::hash(image.as_raw()).as_bytes());
                        kept.iter_mut().for_each(|kept| kept.extend_from_slice(image.as_raw()));
                    }
                    hasher.update(format!("{} {:?}", pair.files.name, pair.files.split).as_bytes());
                    pairs.push(pair);
                }
            }
        }
    }
    let report = report.finish(pairs.len());
    if pairs.is_empty() {
        let found = if report.is_clean() { "no pair".into() } else { format!("no usable pair ({report})") };
        let hint = "Pairs have one name in both folders, or are two columns, source and target, of a table.";
        return Err(Error::file(folder, found, "at least one pair of pictures", hint));
    }
    let fingerprint = hasher.finalize().to_hex().to_string();
    let policy = policy.clone();
    Ok(Dataset::from_source(Paired {
        name: name.into(),
        pairs,
        policy,
        kept,
        report,
        fingerprint,
        tags: TagSet::none(),
    }))
}

impl Pair {
    /// Source and target with their names, or the one that cannot be used.
    fn decode(&self, policy: &ImagePolicy) -> Result<[(String, Decoded); 2], (String, Refused)> {
        let one = |target: bool| {
            let file = if target { &self.files.target } else { &self.files.source };
            let decoded = self.one(target, policy).map_err(|refused| (file.clone(), refused))?;
            Ok((file.clone(), decoded))
        };
        Ok([one(false)?, one(true)?])
    }

    fn one(&self, target: bool, policy: &ImagePolicy) -> Result<Decoded, Refused> {
        let half = self.files.side.map(|side| if target { side.other() } else { side });
        decode_part(if target { &self.target } else { &self.source }, policy, half)
    }
}

fn find(folder: &Path, layout: &PairLayout) -> Result<(Vec<Pair>, Report)> {
    let root = folder.canonicalize().map_err(|error| Error::io("open the folder of pairs", folder, error))?;
    let mut report = Report::default();
    let mut pairs = match layout {
        PairLayout::Folders { source, target } => by_name(&root, source, target, None, &mut report)?,
        PairLayout::SplitFolders { images, source, target } => {
            let mut pairs = Vec::new();
            for part in [Split::Train, Split::Validation, Split::Test] {
                let place = images.join(part.name());
                if root.join(&place).is_dir() {
                    let (source, target) = (place.join(source), place.join(target));
                    pairs.extend(by_name(&root, &source, &target, Some(part), &mut report)?);
                }
            }
            pairs
        }
        PairLayout::SideBySide { images, source } => {
            let files = pictures(&root, images, &mut report)?;
            let both = |(_, file, path): Found| {
                let (name, side) = (file.clone(), Some(*source));
                let files = PairFiles { name, source: file.clone(), target: file, side, split: None };
                Pair { files, source: path.clone(), target: path }
            };
            files.into_iter().map(both).collect()
        }
        PairLayout::Table { table, images, side } => of_table(&root, table, images, *side, &mut report)?,
    };
    pairs.sort_by(|a, b| a.files.name.cmp(&b.files.name));
    Ok((pairs, report))
}

/// A picture of a folder: its path below that, the one below the root, and where it is.
type Found = (String, String, PathBuf);

/// The pictures of a folder below `root`, in the order of their names.
fn pictures(root: &Path, folder: &Path, report: &mut Report) -> Result<Vec<Found>> {
    let place = root.join(folder);
    let real = place.canonicalize().map_err(|error| Error::io("open the folder of pictures", &place, error))?;
    let start = real.strip_prefix(root).unwrap_or(folder);
    let named = |file: &str| start.join(file).to_string_lossy().replace('\\', "/");
    let mut problems = Report::default();
    let names = walk(&real, &mut problems)?;
    let mut found = within(&real, names, &mut problems);
    found.sort();
    for problem in problems.problems {
        report.add(&problem.kind, &named(&problem.file), problem.detail, problem.action);
    }
    Ok(found.into_iter().map(|(file, path)| (file.clone(), named(&file), path)).collect())
}

/// What has one name in both folders.
fn by_name(root: &Path, source: &Path, target: &Path, split: Option<Split>, report: &mut Report) -> Result<Vec<Pair>> {
    let mut sides = Vec::new();
    for folder in [source, target] {
        let mut of: BTreeMap<String, (String, PathBuf)> = BTreeMap::new();
        for (below, file, path) in pictures(root, folder, report)? {
            match of.get(stem(&below)) {
                Some((first, _)) => {
                    report.add("second picture of that name", &file, format!("{first} is used"), Action::LeftOut);
                }
                None => drop(of.insert(stem(&below).to_string(), (file, path))),
            }
        }
        sides.push(of);
    }
    let (targets, sources) = (sides.pop().unwrap_or_default(), sides.pop().unwrap_or_default());
    let mut left: BTreeMap<String, (String, PathBuf)> = targets;
    let mut pairs = Vec::new();
    for (name, (source_file, source)) in sources {
        match left.remove(&name) {
            None => report.add("no target of that name", &source_file, "", Action::LeftOut),
            Some((target_file, target)) => {
                let name = split.map_or_else(|| name.clone(), |split| format!("{}/{name}", split.name()));
                let files = PairFiles { name, source: source_file, target: target_file, side: None, split };
                pairs.push(Pair { files, source, target });
            }
        }
    }
    for (file, _) in left.into_values() {
        report.add("no source of that name", &file, "", Action::LeftOut);
    }
    Ok(pairs)
}

#[derive(Deserialize)]
struct Row {
    source: String,
    target: String,
    #[serde(default)]
    split: Option<String>,
}

fn of_table(root: &Path, table: &Path, images: &Path, side: Option<Side>, report: &mut Report) -> Result<Vec<Pair>> {
    let path = root.join(table);
    let name = table.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let bytes = fs::read(&path).map_err(|error| Error::io("read the table of pairs", &path, error))?;
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&bytes);
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).flexible(true).from_reader(bytes);
    let wrong = |found: String| {
        Error::file(&path, found, "a table with the columns source and target", "Give the table a header.")
    };
    let header = reader.headers().map_err(|error| wrong(error.to_string()))?.clone();
    if !["source", "target"].iter().all(|wanted| header.iter().any(|column| column == *wanted)) {
        return Err(wrong(format!("the columns {}", header.iter().collect::<Vec<_>>().join(", "))));
    }
    let place = root.join(images);
    let real = place.canonicalize().map_err(|error| Error::io("open the folder of pictures", &place, error))?;
    let mut pairs = Vec::new();
    let mut taken = std::collections::BTreeSet::new();
    for row in reader.records() {
        let parsed = row.and_then(|row| {
            let line = row.position().map_or(0, |position| position.line());
            Ok((line, row.deserialize::<Row>(Some(&header))?))
        });
        let (line, Row { source, target, split: named }) = match parsed {
            Ok(row) => row,
            Err(error) => {
                let line = error.position().map_or(0, |position| position.line());
                report.add("damaged row", &format!("{name}:{line}"), error.to_string(), Action::LeftOut);
                continue;
            }
        };
        let of_row = format!("{name}:{line}");
        let part = match named.as_deref().filter(|text| !text.is_empty()).map(split).transpose() {
            Ok(part) => part,
            Err((kind, detail)) => {
                report.add(kind, &of_row, detail, Action::LeftOut);
                continue;
            }
        };
        let [source, target] = [source, target].map(|file| file.replace('\\', "/"));
        let side = side.filter(|_| source == target);
        let found = within(&real, vec![source.clone(), target.clone()], report);
        let [(_, from), (_, to)] = found.as_slice() else { continue };
        if !taken.insert((source.clone(), target.clone())) {
            report.add("duplicated row", &of_row, "", Action::LeftOut);
            continue;
        }
        let files = PairFiles { name: target.clone(), source, target, side, split: part };
        pairs.push(Pair { files, source: from.clone(), target: to.clone() });
    }
    Ok(pairs)
}

/// Pairs as a source of pictures.
struct Paired {
    name: String,
    pairs: Vec<Pair>,
    policy: ImagePolicy,
    /// Source and target of each pair, one behind the other, of a data set that fits into memory.
    kept: Option<Vec<u8>>,
    report: Report,
    fingerprint: String,
    tags: TagSet,
}

impl Paired {
    fn picture(&self, i: usize, target: bool) -> Result<RgbImage> {
        let length = 3 * (self.policy.size as usize).pow(2);
        let Some(pair) = self.pairs.get(i) else {
            let expected = format!("a number below {}", self.pairs.len());
            return Err(Error::invalid(format!("pair of {}", self.name), i.to_string(), expected, ""));
        };
        let start = (2 * i + usize::from(target)) * length;
        let kept = self.kept.as_ref().and_then(|kept| kept.get(start..start + length));
        if let Some(image) = kept.and_then(|b| RgbImage::from_raw(self.policy.size, self.policy.size, b.to_vec())) {
            return Ok(image);
        }
        let path = if target { &pair.target } else { &pair.source };
        let decoded = pair.one(target, &self.policy).map_err(|Refused(kind, detail)| {
            let found = if detail.is_empty() { kind.to_string() } else { format!("{kind}: {detail}") };
            Error::file(path, found, "the picture that was here when the data set was opened", "")
        })?;
        Ok(decoded.image)
    }
}

impl Source for Paired {
    fn len(&self) -> usize {
        self.pairs.len()
    }
    fn tags(&self) -> &TagSet {
        &self.tags
    }
    fn image(&self, i: usize) -> Result<RgbImage> {
        self.picture(i, true)
    }
    fn has_sources(&self) -> bool {
        true
    }
    fn source_image(&self, i: usize) -> Result<RgbImage> {
        self.picture(i, false)
    }
    fn labels(&self, _: usize) -> Vec<f32> {
        Vec::new()
    }
    fn name(&self) -> String {
        self.name.clone()
    }
    fn fingerprint(&self) -> String {
        self.fingerprint.clone()
    }
    fn size(&self) -> u32 {
        self.policy.size
    }
    fn key(&self, i: usize) -> String {
        self.pairs[i].files.name.clone()
    }
    fn split(&self, i: usize) -> Option<Split> {
        self.pairs[i].files.split
    }
    fn report(&self) -> Report {
        self.report.clone()
    }
}
