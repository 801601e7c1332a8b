//! A folder of textures to a folder of pictures that is a data set.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::pairing::{Texture, pair};
use super::picture::{self, Made, MeshFile};
use super::record::{Outcome, Record, Records, Sources};
use super::{ArtOptions, ArtReport, SMALLEST, Transparency};
use crate::data::claim::claim;
use crate::data::import::{About, walk};
use crate::data::manifest::{FolderLayout, ImagePolicy, Manifest, PreparationStep, Resize};
use crate::data::prepare::measure::{DHash, near_duplicates};
use crate::data::report::{Action, Report};
use crate::show::save::write_whole;
use crate::{Error, Result};

/// Holds the settings that a folder was begun with.
const SETTINGS: &str = "art.json";
/// Textures that are made before any of their pictures is written.
const CHUNK: usize = 8;

/// A texture on its way.
struct Job {
    name: String,
    texture: Texture,
    mesh: Option<MeshFile>,
    sources: Sources,
}

/// Makes pictures of all textures in `input` and below it: `x/y.png` becomes `images/x/y.png` of `output`, or with
/// [`ArtOptions::pyramid`] `512/x/y.png`, `256/x/y.png` and so on. The folder is a data set: `dataset.toml` describes it,
/// `dataset-256.toml` the smaller pictures of a pyramid.
///
/// [`RECORDS`](super::RECORDS) says of each texture what it was made of and what became of it, [`REPORT`](super::REPORT) and
/// [`PROBLEMS`](super::PROBLEMS) list every file that is not in the data set with its reason. A run that was interrupted goes
/// on where it was; textures that have changed since are made again. Nothing in `input` is touched.
///
/// # Errors
/// When an option cannot be, `input` is no folder or `output` the same one, `output` holds pictures of other settings or
/// anything else, or files cannot be written. Textures that cannot be used are no error: they are in the report.
pub fn game_art(input: impl AsRef<Path>, output: impl AsRef<Path>, options: &ArtOptions) -> Result<ArtReport> {
    let (input, output) = (input.as_ref(), output.as_ref());
    options.check()?;
    let root = input.canonicalize().map_err(|e| Error::io("open the folder of textures", input, e))?;
    fs::create_dir_all(output).map_err(|e| Error::io("make the folder", output, e))?;
    let folder = output.canonicalize().map_err(|e| Error::io("open the folder", output, e))?;
    if root == folder {
        return Err(Error::invalid("output folder", output.display().to_string(), "another one than the input", ""));
    }
    let settings = serde_json::to_value(options)
        .map_err(|error| Error::invalid("settings", error.to_string(), "ones that JSON can hold", ""))?;
    claim(&folder, SETTINGS, &settings, "pictures", "the settings of this call")?;
    let mut report = Report::default();
    let mut files = walk(&root, &mut report)?;
    // Pictures of an earlier run are no textures.
    files.retain(|name| !root.join(name).starts_with(&folder));
    files.sort();
    let found = files.len();
    let jobs = jobs(&root, &files, options, &mut report)?;
    let mut records = Records::open(&folder)?;
    let (mut written, mut kept) = (0, 0);
    let mut hashes: Vec<(String, DHash)> = Vec::new();
    for chunk in jobs.chunks(CHUNK) {
        let todo: Vec<bool> = chunk.iter().map(|job| !is_done(&folder, job, &records, options)).collect();
        let make = |(job, todo): (&Job, &bool)| {
            todo.then(|| picture::make(&root, &job.texture, job.mesh.as_ref(), options)).transpose()
        };
        let made: Vec<_> = chunk.par_iter().zip(&todo).map(make).collect();
        let mut fresh = Vec::new();
        for (job, made) in chunk.iter().zip(made) {
            let outcome = match made? {
                None => records.of[&job.name].outcome.clone(),
                Some(made) => {
                    let outcome = put(&folder, job, made, &hashes, options)?;
                    written += usize::from(matches!(outcome, Outcome::Made(_)));
                    let (name, sources) = (job.name.clone(), job.sources.clone());
                    fresh.push(Record { name, sources, outcome: outcome.clone() });
                    outcome
                }
            };
            if let Outcome::Made(facts) = outcome {
                hashes.push((job.name.clone(), facts.hash));
            }
        }
        records.add(fresh)?;
        kept = hashes.len() - written;
    }
    tell(&jobs, &records, &mut report);
    if !options.drop_near {
        tell_near(&hashes, options.near, &mut report);
    }
    let problems = report.finish(hashes.len());
    problems.write_to(&folder, found)?;
    let manifest = describe(output, options, !hashes.is_empty())?;
    Ok(ArtReport { folder: output.to_path_buf(), manifest, files: found, written, kept, problems })
}

/// The textures that files make, by the names of their pictures. Files that make none go into the report.
fn jobs(root: &Path, files: &[String], options: &ArtOptions, report: &mut Report) -> Result<Vec<Job>> {
    if let Some(meshes) = &options.meshes {
        fs::read_dir(meshes).map_err(|error| Error::io("open the folder of meshes", meshes, error))?;
    }
    let pairing = pair(files, &options.alpha_folders);
    report.problems.extend(pairing.problems);
    let mut taken: BTreeMap<String, String> = BTreeMap::new();
    let mut jobs = Vec::new();
    for texture in pairing.textures {
        let name = format!("{}.png", stem(&texture.colour));
        if let Some(first) = taken.get(&name) {
            let detail = format!("{name} is made of {first}");
            for file in [Some(&texture.colour), texture.alpha.as_ref()].into_iter().flatten() {
                report.add("name is taken", file, detail.as_str(), Action::LeftOut);
            }
            continue;
        }
        taken.insert(name.clone(), texture.colour.clone());
        let mesh = mesh_of(root, &texture.colour, options.meshes.as_deref());
        let sources = Sources::of(root, &texture.colour, texture.alpha.as_deref(), mesh.as_ref());
        jobs.push(Job { name, texture, mesh, sources });
    }
    Ok(jobs)
}

/// A path without the extension of its file.
pub(in crate::data::prepare) fn stem(file: &str) -> &str {
    let start = file.rfind('/').map_or(0, |slash| slash + 1);
    file[start..].rfind('.').filter(|dot| *dot > 0).map_or(file, |dot| &file[..start + dot])
}

/// The mesh of a texture: beside it, or at the same place of the folder of meshes, or there without sub-folders.
fn mesh_of(root: &Path, colour: &str, meshes: Option<&Path>) -> Option<MeshFile> {
    let below = stem(colour);
    let bare = below.rsplit('/').next().unwrap_or(below);
    let places = [(Some(root), below), (meshes, below), (meshes, bare)];
    places.into_iter().find_map(|(folder, stem)| {
        let folder = folder?;
        let names = [".obj", "-mesh.obj"].map(|end| format!("{stem}{end}"));
        let file = |name: String| MeshFile { path: folder.join(&name), name };
        names.into_iter().map(file).find(|file| file.path.is_file())
    })
}

/// The folders of pictures, the largest first.
fn folders(options: &ArtOptions) -> Vec<String> {
    match options.size.filter(|_| options.pyramid) {
        None => vec!["images".into()],
        Some(size) => {
            let sides = std::iter::successors(Some(size), |side| (side / 2 >= SMALLEST).then_some(side / 2));
            sides.map(|side| side.to_string()).collect()
        }
    }
}

fn pictures(folder: &Path, name: &str, options: &ArtOptions) -> Vec<PathBuf> {
    folders(options).into_iter().map(|part| folder.join(part).join(name)).collect()
}

/// Whether an earlier run did this with the same files, and the pictures are still there.
fn is_done(folder: &Path, job: &Job, records: &Records, options: &ArtOptions) -> bool {
    let Some(record) = records.of.get(&job.name).filter(|record| record.sources == job.sources) else { return false };
    match record.outcome {
        Outcome::Rejected(_) => true,
        Outcome::Made(_) => pictures(folder, &job.name, options).iter().all(|path| path.is_file()),
    }
}

/// Writes the pictures of a texture, or removes those of an earlier run when the texture is rejected now.
fn put(
    folder: &Path,
    job: &Job,
    made: Result<Made, picture::Rejected>,
    hashes: &[(String, DHash)],
    options: &ArtOptions,
) -> Result<Outcome> {
    let outcome = match made {
        Err(rejected) => Outcome::Rejected(rejected),
        Ok(made) => {
            let hash = made.facts.hash;
            let near = |(_, other): &&(String, DHash)| hash.distance(other) <= options.near;
            if let Some((twin, other)) = hashes.iter().filter(|_| options.drop_near).find(near) {
                let (file, kind) = (job.texture.colour.clone(), "near-duplicate".to_string());
                let detail = format!("of {twin}, {} of 256 bits differ", hash.distance(other));
                Outcome::Rejected(picture::Rejected { file, kind, detail })
            } else {
                for (path, bytes) in pictures(folder, &job.name, options).iter().zip(&made.files) {
                    write_whole(path, bytes)?;
                }
                return Ok(Outcome::Made(made.facts));
            }
        }
    };
    for path in pictures(folder, &job.name, options).iter().filter(|path| path.is_file()) {
        fs::remove_file(path).map_err(|error| Error::io("remove the picture of an earlier run", path, error))?;
    }
    Ok(outcome)
}

/// What became of all textures, for the report.
fn tell(jobs: &[Job], records: &Records, report: &mut Report) {
    for job in jobs {
        let Some(record) = records.of.get(&job.name) else { continue };
        match &record.outcome {
            Outcome::Made(facts) => {
                for note in &facts.notes {
                    report.add(&note.kind, &job.texture.colour, note.detail.as_str(), note.action);
                }
            }
            Outcome::Rejected(rejected) => {
                report.add(&rejected.kind, &rejected.file, rejected.detail.as_str(), Action::LeftOut);
                for file in record.sources.files().filter(|file| *file != rejected.file) {
                    let detail = format!("{}: {}", rejected.file, rejected.kind);
                    report.add("belongs to a rejected file", file, detail, Action::LeftOut);
                }
            }
        }
    }
    let names: BTreeSet<&str> = jobs.iter().map(|job| job.name.as_str()).collect();
    for record in records.of.values().filter(|record| !names.contains(record.name.as_str())) {
        if let Outcome::Made(_) = record.outcome {
            let detail = format!("its picture {} is still there", record.name);
            report.add("gone since an earlier run", &record.sources.colour.file, detail, Action::Kept);
        }
    }
}

fn tell_near(hashes: &[(String, DHash)], near: u32, report: &mut Report) {
    let groups = near_duplicates(&hashes.iter().map(|(_, hash)| *hash).collect::<Vec<_>>(), near);
    let mut firsts: BTreeMap<usize, usize> = BTreeMap::new();
    for (i, group) in groups.iter().enumerate().filter_map(|(i, group)| Some((i, (*group)?))) {
        let first = *firsts.entry(group).or_insert(i);
        if first != i {
            let bits = hashes[i].1.distance(&hashes[first].1);
            let detail = format!("looks like {}, {bits} of 256 bits differ", hashes[first].0);
            report.add("near-duplicate", &hashes[i].0, detail, Action::Kept);
        }
    }
}

/// Writes the manifests; the path of that of the largest pictures.
fn describe(folder: &Path, options: &ArtOptions, any: bool) -> Result<Option<PathBuf>> {
    if !any {
        return Ok(None);
    }
    let parts = folders(options);
    for (level, images) in parts.iter().enumerate() {
        let side = options.size.map(|size| size >> level);
        let manifest = manifest(options, images, side);
        let file = if level == 0 { "dataset.toml".to_string() } else { format!("dataset-{images}.toml") };
        let path = folder.join(file);
        let text = manifest.to_toml()?;
        Manifest::parse(&text, &path)?;
        write_whole(&path, text.as_bytes())?;
    }
    Ok(Some(folder.join("dataset.toml")))
}

fn manifest(options: &ArtOptions, images: &str, side: Option<u32>) -> Manifest {
    let resize = if side.is_some() { Resize::Exact } else { Resize::Pad };
    let size = side.or(ArtOptions::default().size).unwrap_or(512);
    let image =
        ImagePolicy { resize, background: options.background, filter: options.filter, ..ImagePolicy::new(size) };
    let background = String::from(options.background);
    let opacity = match options.transparency {
        Transparency::Composite => format!("laid on {background}"),
        Transparency::Threshold(limit) => format!("opacity below {limit} of 255 made {background}, the rest as it is"),
        Transparency::Keep => "with their transparency".into(),
    };
    let what = match options.size {
        Some(size) => format!("Textures joined with their opacity, {opacity}, trimmed, {size}×{size} pixels"),
        None => format!("Textures joined with their opacity, {opacity}"),
    };
    let step = PreparationStep { what, command: Some("tachie data game-art".into()) };
    let name = if side == options.size { "game-art".into() } else { format!("game-art-{images}") };
    let ArtOptions { title, licence, source, .. } = options.clone();
    Manifest {
        folder: Some(FolderLayout {
            images: images.into(),
            table: None,
            split_column: None,
            ignore_columns: Vec::new(),
            poses: None,
        }),
        image: Some(image),
        prepare: vec![step],
        ..Manifest::new(&name, &About { title, licence, source })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stems_and_folders() {
        assert_eq!(["a/b.c.png", ".hidden", "x.y/z"].map(stem), ["a/b.c", ".hidden", "x.y/z"]);
        let options = ArtOptions { size: Some(16), pyramid: true, ..ArtOptions::default() };
        assert_eq!(folders(&options), ["16", "8", "4"]);
        assert_eq!(folders(&ArtOptions::default()), ["images"]);
    }
}
