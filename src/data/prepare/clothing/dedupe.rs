//! Step 4: near-duplicates left out of a folder, and splits that no group of them crosses.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use image::{RgbImage, imageops};
use serde::{Deserialize, Serialize};

use super::boxes::{Boxes, pixels};
use super::near;
use super::similar::{Signature, Similarity};
use super::step::{Contents, Input, Product, Step, StepReport, write_table};
use crate::data::agreement::Agreement;
use crate::data::dataset::{Split, Splits};
use crate::data::import::{Refused, original};
use crate::data::prepare::art::fit::Rectangle;
use crate::data::prepare::grey::luma;
use crate::data::report::Action;
use crate::data::splits::of_groups;
use crate::metrics::pictures::sharpness::variance;
use crate::{Error, Result};

/// Name of the table of all pictures: group, whether it is kept, split, size, sharpness.
pub const GROUPS: &str = "groups.csv";
const COLUMNS: [&str; 7] = ["file", "group", "kept", "split", "width", "height", "sharpness"];
/// Name of the folder of what is kept.
const IMAGES: &str = "images";
/// Pictures that are decoded between two lines of the record: each is a few kilobytes afterwards.
const CHUNK: usize = 512;

/// How near-duplicates are found, and what becomes of them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DedupeOptions {
    /// Pictures at least as alike as this are duplicates.
    pub similarity: Similarity,
    /// Look only at the best box of this class (the paper: the character). Pictures without one are left out.
    pub class: Option<String>,
    /// Put what is kept into `images/` of the output.
    pub copy: Copies,
    /// How groups are divided into training, validation and test pictures.
    pub splits: Splits,
}

/// What is put into the output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Copies {
    /// The table of groups only.
    #[default]
    None,
    /// Copies of what is kept.
    Copy,
    /// Second names of what is kept: no disk space, but a change of one changes both.
    Link,
}

/// What is known of a picture.
#[derive(Clone, Debug, PartialEq)]
pub struct Facts {
    /// Width and height of what was looked at: the picture, or its box.
    pub size: (u32, u32),
    /// Variance of the Laplacian of its grey values.
    pub sharpness: f64,
    /// The small picture that is compared.
    pub signature: Signature,
}

impl Facts {
    /// Of a picture, or of a part of it.
    pub fn of(picture: &RgbImage) -> Facts {
        let (width, height) = picture.dimensions();
        let sharpness = variance(luma(picture).as_raw(), height as usize, width as usize);
        Facts { size: (width, height), sharpness, signature: Signature::of(picture) }
    }

    /// Whether this one is kept of two duplicates: the larger one, of equal size the sharper one.
    fn better_than(&self, other: &Facts) -> bool {
        let area = |facts: &Facts| u64::from(facts.size.0) * u64::from(facts.size.1);
        area(self).cmp(&area(other)).then(self.sharpness.total_cmp(&other.sharpness)).is_gt()
    }
}

/// A picture in its group.
#[derive(Clone, Debug, PartialEq)]
pub struct Member {
    /// The path below the folder.
    pub file: String,
    /// Its group; a picture that has no duplicate has none.
    pub group: Option<usize>,
    /// Whether it is the best of its group, or alone.
    pub kept: bool,
    /// The same for all of a group.
    pub split: Split,
}

/// What [`dedupe`] found.
#[derive(Clone)]
pub struct DedupeReport {
    /// All pictures that could be read, in the order of their names.
    pub members: Vec<Member>,
    /// How many pairs of pictures were compared; all of them would be n(n − 1)/2.
    pub compared: u64,
    /// What became of the files.
    pub step: StepReport,
}

impl DedupeReport {
    /// How well the groups agree with true ones, of which each file has one: of all pairs of files. Files without one do not
    /// count.
    pub fn agreement(&self, group_of: impl Fn(&str) -> Option<usize>) -> Agreement {
        // What is alone has no group: a number of its own.
        let alone = self.members.len();
        let told = self.members.iter().enumerate().map(|(i, member)| (member.group.unwrap_or(alone + i), &member.file));
        Agreement::of_groups(told.filter_map(|(told, file)| Some([told, group_of(file)?])))
    }
}

impl std::fmt::Display for DedupeReport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let groups: BTreeSet<usize> = self.members.iter().filter_map(|member| member.group).collect();
        let kept = self.members.iter().filter(|member| member.kept).count();
        writeln!(f, "{kept} of {} pictures kept, {} groups of duplicates", self.members.len(), groups.len())?;
        write!(f, "{}", self.step)
    }
}

impl std::fmt::Debug for DedupeReport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self}")
    }
}

/// Groups pictures that are alike, says which one of each group is kept, and divides the groups: pictures of one group are
/// in one split, that of the kept one's name.
///
/// # Errors
/// When a threshold or a share cannot be.
pub fn group(pictures: &[(String, Facts)], similarity: &Similarity, splits: &Splits) -> Result<(Vec<Member>, u64)> {
    similarity.check()?;
    splits.check()?;
    let signatures: Vec<Signature> = pictures.iter().map(|(_, facts)| facts.signature.clone()).collect();
    let near::Groups { of, compared } = near::groups(&signatures, similarity);
    let mut best: BTreeMap<usize, usize> = BTreeMap::new();
    for (i, group) in of.iter().enumerate().filter_map(|(i, group)| Some((i, (*group)?))) {
        let first = best.entry(group).or_insert(i);
        if pictures[i].1.better_than(&pictures[*first].1) {
            *first = i;
        }
    }
    let kept = |i: usize| of[i].map_or(i, |group| best[&group]);
    let names: BTreeSet<&str> = (0..pictures.len()).map(|i| pictures[kept(i)].0.as_str()).collect();
    let divided = of_groups(names, "duplicates", splits);
    let member = |(i, (file, _)): (usize, &(String, Facts))| {
        let split = divided[pictures[kept(i)].0.as_str()];
        Member { file: file.clone(), group: of[i], kept: kept(i) == i, split }
    };
    Ok((pictures.iter().enumerate().map(member).collect(), compared))
}

/// Finds the near-duplicates in a folder of pictures and writes [`GROUPS`] to `output`, with
/// [`copy`](DedupeOptions::copy) also the best picture of each group. `boxes` are needed for
/// [`class`](DedupeOptions::class). A run that was interrupted does not read again what it has read.
///
/// JPEG files are decoded whole: the decoder of the `image` crate has no smaller way.
///
/// # Errors
/// When an option cannot be, a folder cannot be read or written, or `output` holds anything but the same step. Pictures that
/// cannot be read are no error: they are in the report.
pub fn dedupe(
    input: impl AsRef<Path>,
    output: impl AsRef<Path>,
    boxes: Option<&Boxes>,
    options: &DedupeOptions,
) -> Result<DedupeReport> {
    dedupe_in(input.as_ref(), output.as_ref(), boxes, options)
}

fn dedupe_in(input: &Path, output: &Path, boxes: Option<&Boxes>, options: &DedupeOptions) -> Result<DedupeReport> {
    options.similarity.check()?;
    options.splits.check()?;
    let class = match (&options.class, boxes) {
        (None, _) => None,
        (Some(class), Some(boxes)) => Some((class.as_str(), boxes)),
        (Some(class), None) => {
            return Err(Error::invalid("class to compare", format!("{class:?} without boxes"), "a file of boxes", ""));
        }
    };
    let read = class.map(|(_, boxes)| boxes.fingerprint()).transpose()?;
    let (inputs, mut step) = Step::<Looked>::over(input, output, "dedupe", &(options, &read))?;
    let made = step.run(&inputs, CHUNK, |input| Ok(look(input, class)))?;
    let mut facts = Vec::with_capacity(made.len());
    let mut paths = BTreeMap::new();
    for (input, looked) in made {
        if let Some(known) = looked.facts() {
            paths.insert(input.file.clone(), input.path);
            facts.push((input.file, known));
        }
    }
    let (members, compared) = group(&facts, &options.similarity, &options.splits)?;
    write_table(&output.join(GROUPS), &COLUMNS, members.iter().zip(&facts).map(row))?;
    let firsts: BTreeMap<usize, &str> =
        members.iter().filter(|member| member.kept).filter_map(|m| Some((m.group?, m.file.as_str()))).collect();
    for member in &members {
        match member.group.filter(|_| !member.kept) {
            Some(group) => {
                step.report.add("duplicate", &member.file, format!("of {}", firsts[&group]), Action::LeftOut);
                forget(&output.join(IMAGES).join(&member.file))?;
            }
            None => put(output, member, &paths, options.copy)?,
        }
    }
    let kept = members.iter().filter(|member| member.kept).count();
    Ok(DedupeReport { members, compared, step: step.finish(kept)? })
}

/// What the record says of a picture.
#[derive(Clone, Serialize, Deserialize)]
struct Looked {
    size: (u32, u32),
    sharpness: f64,
    /// The signature's bytes in base 64.
    small: String,
}

impl Looked {
    fn facts(&self) -> Option<Facts> {
        use base64::Engine;
        let bytes = base64::engine::general_purpose::STANDARD.decode(&self.small).ok()?;
        Some(Facts { size: self.size, sharpness: self.sharpness, signature: Signature::from_bytes(bytes)? })
    }
}

fn look(input: &Input, class: Option<(&str, &Boxes)>) -> Result<Product<Looked>, Refused> {
    use base64::Engine;
    let picture = original(&input.path)?;
    let part = match class {
        None => picture,
        Some((class, boxes)) => {
            let found = boxes.best(&input.file, class).ok_or_else(|| Refused("no box", class.to_string()))?;
            let part = pixels(found.area, picture.dimensions());
            let outside = || Refused("box outside of the picture", format!("{class} {:?}", found.area));
            let Rectangle { left, top, width, height } = part.ok_or_else(outside)?;
            imageops::crop_imm(&picture, left, top, width, height).to_image()
        }
    };
    let Facts { size, sharpness, signature } = Facts::of(&part);
    let small = base64::engine::general_purpose::STANDARD.encode(signature.bytes());
    Ok(Product { facts: Looked { size, sharpness, small }, files: Vec::new(), notes: Vec::new() })
}

fn put(output: &Path, member: &Member, paths: &BTreeMap<String, PathBuf>, copies: Copies) -> Result<()> {
    let (Some(from), false) = (paths.get(&member.file), copies == Copies::None) else { return Ok(()) };
    let to = output.join(IMAGES).join(&member.file);
    // What an interrupted run has copied is whole; a picture that has changed since has another time.
    let newer = |path: &Path| path.metadata().and_then(|data| data.modified()).ok();
    if to.is_file() && newer(&to) >= newer(from) {
        return Ok(());
    }
    Contents::File { from: from.clone(), link: copies == Copies::Link }.write(&to)
}

/// Removes what an earlier run has kept, before a better one of its group was there.
fn forget(path: &Path) -> Result<()> {
    match path.is_file() {
        true => fs::remove_file(path).map_err(|e| Error::io("remove the picture of an earlier run", path, e)),
        false => Ok(()),
    }
}

/// A line of [`GROUPS`].
fn row((member, (_, facts)): (&Member, &(String, Facts))) -> Vec<String> {
    let group = member.group.map_or_else(String::new, |group| (group + 1).to_string());
    let kept = if member.kept { "1" } else { "0" };
    let ((width, height), sharpness) = (facts.size, format!("{:.2}", facts.sharpness));
    let (file, split) = (member.file.clone(), member.split.name().into());
    vec![file, group, kept.into(), split, width.to_string(), height.to_string(), sharpness]
}
