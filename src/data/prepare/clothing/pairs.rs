//! The end: a table of pairs and the manifest of the data set.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::dedupe::GROUPS;
use crate::data::dataset::Split;
use crate::data::import::{About, list_pairs};
use crate::data::manifest::{ImagePolicy, Manifest, PairLayout, PreparationStep, Side};
use crate::data::poses::names::Names;
use crate::data::report::{Action, Report};
use crate::show::save::write_whole;
use crate::{Error, Result};

/// Name of the table of pairs, in their folder.
pub const PAIRS: &str = "pairs.csv";
/// Name of the manifest there.
const MANIFEST: &str = "dataset.toml";

/// Writes [`PAIRS`] and `dataset.toml` into the folder of the pairs that `layout` finds there, for
/// [`Dataset::open`](crate::data::Dataset::open). With `groups`, a table that [`dedupe`](super::dedupe::dedupe) wrote, pairs
/// that it does not keep are left out and the others have its splits. Pictures are not looked into. Returns the path of the
/// manifest, and what was left out.
///
/// # Errors
/// When a folder or table cannot be read, not a single pair is left, or the manifest exists already.
pub fn write_pairs(
    folder: impl AsRef<Path>,
    layout: &PairLayout,
    groups: Option<&Path>,
    policy: &ImagePolicy,
    about: &About,
) -> Result<(PathBuf, Report)> {
    write_in(folder.as_ref(), layout, groups, policy, about)
}

fn write_in(
    folder: &Path,
    layout: &PairLayout,
    groups: Option<&Path>,
    policy: &ImagePolicy,
    about: &About,
) -> Result<(PathBuf, Report)> {
    let path = folder.join(MANIFEST);
    if path.exists() {
        return Err(Error::file(path, "a manifest", "none", "Nothing is overwritten: remove it, or use it."));
    }
    let groups = groups.map(Groups::open).transpose()?;
    let (pairs, mut report) = list_pairs(folder, layout)?;
    let wrong =
        |error: csv::Error| Error::file(folder.join(PAIRS), error.to_string(), "a table that can be written", "");
    let mut table = csv::Writer::from_writer(Vec::new());
    table.write_record(["source", "target", "split"]).map_err(wrong)?;
    let (mut used, mut half) = (0, None::<Side>);
    for pair in &pairs {
        let split = match groups.as_ref().map(|groups| groups.of(&pair.name)) {
            None => pair.split,
            Some(Ok(split)) => pair.split.or(Some(split)),
            Some(Err(kind)) => {
                report.add(kind, &pair.name, "", Action::LeftOut);
                continue;
            }
        };
        (used, half) = (used + 1, pair.side.or(half));
        table.write_record([pair.source.as_str(), &pair.target, split.map_or("", Split::name)]).map_err(wrong)?;
    }
    let report = report.finish(used);
    if used == 0 {
        return Err(Error::file(folder, format!("no pair ({report})"), "at least one", ""));
    }
    let bytes =
        table.into_inner().map_err(|error| Error::io("write the table", folder.join(PAIRS), error.into_error()))?;
    write_whole(&folder.join(PAIRS), &bytes)?;
    let text = manifest(folder, half, policy, about).to_toml()?;
    Manifest::parse(&text, &path)?;
    write_whole(&path, text.as_bytes())?;
    Ok((path, report))
}

fn manifest(folder: &Path, side: Option<Side>, policy: &ImagePolicy, about: &About) -> Manifest {
    let name = folder.canonicalize().ok().and_then(|real| Some(real.file_name()?.to_string_lossy().into_owned()));
    let what = "Pairs of pictures found by name or laid side by side".into();
    Manifest {
        pairs: Some(PairLayout::Table { table: PAIRS.into(), images: ".".into(), side }),
        image: Some(policy.clone()),
        prepare: vec![PreparationStep { what, command: Some("tachie data pairs".into()) }],
        ..Manifest::new(&name.unwrap_or_else(|| "pairs".into()), about)
    }
}

#[derive(Deserialize)]
struct Row {
    file: String,
    kept: u8,
    split: Split,
}

/// A table of groups.
struct Groups {
    names: Names,
    rows: Vec<Row>,
}

impl Groups {
    fn open(path: &Path) -> Result<Groups> {
        let expected = format!("{GROUPS} with the columns file, kept and split, as `tachie data dedupe` writes it");
        let wrong = |error: csv::Error| Error::file(path, error.to_string(), expected.clone(), "");
        let mut reader = csv::Reader::from_path(path).map_err(wrong)?;
        let rows: Vec<Row> = reader.deserialize().collect::<Result<_, _>>().map_err(wrong)?;
        Ok(Groups { names: Names::of(rows.iter().map(|row| row.file.as_str())), rows })
    }

    /// The split of a pair that is kept, or why it is not.
    fn of(&self, name: &str) -> Result<Split, &'static str> {
        let row = self.names.find(name).map(|i| &self.rows[i]).map_err(|_| "not in the table of groups")?;
        if row.kept == 1 { Ok(row.split) } else { Err("duplicate") }
    }
}
