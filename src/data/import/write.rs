//! A data set as a folder: PNG files, a tag table, poses and a manifest.

use std::fs;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use crate::data::claim;
use crate::data::dataset::{Dataset, Split};
use crate::data::manifest::{FolderLayout, ImagePolicy, Manifest, Resize, TagPolicy, Vocabulary};
use crate::data::poses::{FPS, Pose, PoseSequence, Skeleton};
use crate::data::tags::TagSet;
use crate::show::save::write_whole;
use crate::{Error, Result};

/// Name of the poses in a folder.
const POSES: &str = "poses.jsonl";

/// What a manifest says about where pictures come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    /// One line that says what the pictures are.
    pub title: String,
    /// Their licence, or why there is none.
    pub licence: String,
    /// Where they come from.
    pub source: String,
}

impl Dataset {
    /// Writes the data set as a folder that [`Dataset::open`] reads again: `images/`, `tags.csv`, `dataset.toml`, and
    /// `poses.jsonl` where the pictures have key points. Returns the path of the manifest.
    ///
    /// # Errors
    /// When `about` leaves something out, the folder holds anything already (nothing is overwritten), or it cannot be
    /// written.
    pub fn write_folder(&self, folder: impl AsRef<Path>, about: &About) -> Result<PathBuf> {
        let folder = folder.as_ref();
        let manifest = self.manifest(about).to_toml()?;
        Manifest::parse(&manifest, folder.join("dataset.toml"))?;
        claim::empty(folder)?;
        let images = folder.join("images");
        fs::create_dir(&images).map_err(|source| Error::io("make the folder", &images, source))?;
        let names = (0..self.len()).map(|i| Ok(png_name(&self.key(i)?))).collect::<Result<Vec<_>>>()?;
        names.par_iter().enumerate().try_for_each(|(i, name)| self.write_png(i, &images.join(name)))?;
        self.write_description(folder, about)
    }

    /// Writes what goes with pictures that are in `images/` of the folder already: the tag table, then the manifest, whose
    /// path is returned.
    pub(in crate::data) fn write_description(&self, folder: &Path, about: &About) -> Result<PathBuf> {
        let manifest = self.manifest(about).to_toml()?;
        let names = (0..self.len()).map(|i| Ok(png_name(&self.key(i)?))).collect::<Result<Vec<_>>>()?;
        self.write_table(&folder.join("tags.csv"), &names)?;
        if let Some(skeleton) = self.skeleton() {
            self.sequence(skeleton, &names)?.save(folder.join(POSES))?;
        }
        let path = folder.join("dataset.toml");
        write_whole(&path, manifest.as_bytes())?;
        Ok(path)
    }

    fn write_png(&self, i: usize, path: &Path) -> Result<()> {
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(|source| Error::io("make the folder", parent, source))?;
        }
        let image = self.image(i)?;
        image.save_with_format(path, image::ImageFormat::Png).map_err(|error| match error {
            image::ImageError::IoError(source) => Error::io("write the picture", path, source),
            other => Error::file(path, other.to_string(), "a picture that can be written", ""),
        })
    }

    fn write_table(&self, path: &Path, names: &[String]) -> Result<()> {
        let wrong = |error: csv::Error| Error::file(path, error.to_string(), "a tag table that can be written", "");
        let mut table = csv::Writer::from_path(path).map_err(wrong)?;
        let split = self.prescribes();
        let header = ["file"].into_iter().chain(split.then_some("split")).chain(self.tags().names());
        table.write_record(header).map_err(wrong)?;
        for (i, name) in names.iter().enumerate() {
            let mut row = vec![name.clone()];
            if split {
                row.push(self.prescribed(i).map_or("train", Split::name).to_string());
            }
            row.extend(self.labels(i)?.values.iter().map(f32::to_string));
            table.write_record(&row).map_err(wrong)?;
        }
        table.flush().map_err(|source| Error::io("write the tag table", path, source))
    }

    fn sequence(&self, skeleton: &Skeleton, names: &[String]) -> Result<PoseSequence> {
        let size = (self.size(), self.size());
        let pose = |(i, name): (usize, &String)| {
            Ok(Pose { name: name.clone(), ..Pose::new(i as u64, size, self.keypoints(i)?) })
        };
        let poses = names.iter().enumerate().map(pose).collect::<Result<_>>()?;
        PoseSequence::new(skeleton.clone(), FPS, poses)
    }

    fn prescribes(&self) -> bool {
        (0..self.len()).any(|i| self.prescribed(i).is_some())
    }

    fn manifest(&self, about: &About) -> Manifest {
        let folder = FolderLayout {
            images: "images".into(),
            table: Some("tags.csv".into()),
            split_column: self.prescribes().then(|| "split".to_string()),
            ignore_columns: Vec::new(),
            poses: self.skeleton().map(|_| POSES.into()),
        };
        Manifest {
            folder: Some(folder),
            image: Some(ImagePolicy { resize: Resize::Exact, ..ImagePolicy::new(self.size()) }),
            tags: Some(tag_policy(self.tags())),
            splits: self.splits(),
            ..Manifest::new(&self.name().replace(", ", "-"), about)
        }
    }
}

fn tag_policy(tags: &TagSet) -> TagPolicy {
    let known = [(Vocabulary::MakeGirls, TagSet::make_girls()), (Vocabulary::MakeGirls256, TagSet::make_girls_256())];
    if let Some((vocabulary, _)) = known.into_iter().find(|(_, set)| set == tags) {
        return TagPolicy { vocabulary: Some(vocabulary), ..TagPolicy::default() };
    }
    let name = |id: &usize| tags.names()[*id].to_string();
    TagPolicy {
        names: tags.names().into_iter().map(String::from).collect(),
        exclusive: tags
            .groups()
            .iter()
            .map(|group| (group.name.clone(), group.members.iter().map(name).collect()))
            .collect(),
        continuous: tags.tags().iter().filter(|tag| tag.continuous).map(|tag| tag.name.clone()).collect(),
        ..TagPolicy::default()
    }
}

/// Other kinds of names get a second extension, so that `a.jpg` and `a.png` stay two pictures.
fn png_name(key: &str) -> String {
    if key.to_lowercase().ends_with(".png") { key.to_string() } else { format!("{key}.png") }
}
