//! Which picture a pose belongs to.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::data::import::{Refused, header, walk};
use crate::data::report::Report;
use crate::{Error, Result};

/// Kind and particulars of what is wrong.
pub type Problem = (&'static str, String);

/// Finds files by the names that poses have: by the same path, or by the same path without its extension and without
/// the `_keypoints` that OpenPose appends. A name may say more folders than there are below the folder of the files.
#[derive(Clone, Debug, Default)]
pub struct Names {
    files: BTreeMap<String, usize>,
    /// Without extension: the file, or none where several have it.
    stems: BTreeMap<String, Option<usize>>,
}

impl Names {
    /// Of paths below a folder, with slashes.
    pub fn of<'a>(files: impl Iterator<Item = &'a str>) -> Names {
        let mut names = Names::default();
        for (i, file) in files.enumerate() {
            names.files.insert(file.to_string(), i);
            names.stems.entry(stem(file).to_string()).and_modify(|place| *place = None).or_insert(Some(i));
        }
        names
    }

    /// The number of the file of that name: kind and particulars of the problem when there is not exactly one.
    pub fn find(&self, name: &str) -> Result<usize, Problem> {
        let path = name.replace('\\', "/");
        let below = |name: &str| name.split_once('/').map(|(_, below)| below.to_string());
        let names = std::iter::successors(Some(path.trim_start_matches("./").to_string()), |name| below(name));
        match names.into_iter().find_map(|name| self.exactly(&name)) {
            Some(Some(i)) => Ok(i),
            Some(None) => Err(("several pictures of that name", path)),
            None => Err(("no picture of that name", path)),
        }
    }

    /// The file of exactly these folders; `Some(None)` where several have the name.
    fn exactly(&self, name: &str) -> Option<Option<usize>> {
        let bare = name.strip_suffix("_keypoints").unwrap_or(name);
        let by_stem = || self.stems.get(bare).or_else(|| self.stems.get(stem(name))).copied();
        self.files.get(name).map(|i| Some(*i)).or_else(by_stem)
    }
}

/// A path without its extension and without what OpenPose appends.
pub fn stem(name: &str) -> &str {
    let folder = name.rfind('/').map_or(0, |slash| slash + 1);
    let end = name[folder..].rfind('.').filter(|dot| *dot > 0).map_or(name.len(), |dot| folder + dot);
    let stem = &name[..end];
    stem.strip_suffix("_keypoints").unwrap_or(stem)
}

/// The pictures of a folder with their sizes.
#[derive(Clone, Debug)]
pub struct Pictures {
    root: PathBuf,
    files: Vec<String>,
    names: Names,
}

impl Pictures {
    /// The pictures of a folder and of those in it.
    ///
    /// # Errors
    /// When the folder cannot be read or holds no picture.
    pub fn open(folder: impl AsRef<Path>) -> Result<Pictures> {
        let folder = folder.as_ref();
        let mut files = walk(folder, &mut Report::default())?;
        if files.is_empty() {
            let expected = "at least one PNG, JPEG, WebP, GIF or BMP file";
            return Err(Error::file(folder, "no picture", expected, "Give the folder of the pictures."));
        }
        files.sort();
        let names = Names::of(files.iter().map(String::as_str));
        Ok(Pictures { root: folder.to_path_buf(), files, names })
    }

    /// The path of the picture of that name, below the folder.
    pub(super) fn find(&self, name: &str) -> Result<&str, Problem> {
        Ok(&self.files[self.names.find(name)?])
    }

    /// Width and height of a picture, read from its file.
    pub(super) fn size(&self, file: &str) -> Result<(u32, u32), Problem> {
        match header(&self.root.join(file)) {
            Ok(header) => Ok(header.size),
            Err(Refused(kind, detail)) => Err((kind, format!("{file} {detail}").trim_end().to_string())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_match_with_and_without_their_endings() {
        let names = Names::of(["a/one.png", "two.jpg", "two.png", "c.v2.png"].into_iter());
        assert_eq!(names.find("a/one_keypoints.json"), Ok(0));
        assert_eq!(names.find("a\\one.jpg"), Ok(0));
        assert_eq!(names.find("two.png"), Ok(2));
        assert_eq!(names.find("./c.v2"), Ok(3));
        assert_eq!(names.find("c.v2.png"), Ok(3));
        assert_eq!(names.find("c.v2_keypoints.json"), Ok(3));
        assert_eq!(names.find("two").unwrap_err().0, "several pictures of that name");
        assert_eq!(names.find("one").unwrap_err().0, "no picture of that name");
        assert_eq!((names.find("/data/images/a/one.png"), names.find("images/c.v2")), (Ok(0), Ok(3)));
        assert_eq!(["a/.b", "a.b/c", "x_keypoints.json"].map(stem), ["a/.b", "a.b/c", "x"]);
    }
}
