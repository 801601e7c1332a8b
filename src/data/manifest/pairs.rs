//! Where pairs of pictures are.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// Pairs of picture files beside the manifest: one is the source, from which the other one, the target, is to be made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum PairLayout {
    /// Two folders; what belongs together has one name, below the folder and without its extension.
    Folders {
        /// The folder of the sources.
        source: PathBuf,
        /// The folder of the targets.
        target: PathBuf,
    },
    /// Folders `train`, `validation` and `test` (those that there are), with two folders in each, as
    /// `tan5o/anime2clothing` has them (specs/clothing.md A.8).
    SplitFolders {
        /// The folder that holds them.
        images: PathBuf,
        /// The folder of the sources in each ("a").
        source: PathBuf,
        /// The folder of the targets in each ("b").
        target: PathBuf,
    },
    /// Both pictures in one file, each in a half of it.
    SideBySide {
        /// The folder of the files.
        images: PathBuf,
        /// The half that is the source.
        source: Side,
    },
    /// A table of CSV with the columns `source` and `target`, and `split` if it is to say that; others are ignored.
    Table {
        /// The table.
        table: PathBuf,
        /// The folder that its paths are below.
        #[serde(default = "here")]
        images: PathBuf,
        /// The half that is the source in rows that name one file twice.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        side: Option<Side>,
    },
}

fn here() -> PathBuf {
    ".".into()
}

/// A half of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// Left of the middle.
    Left,
    /// Right of the middle.
    Right,
    /// Above the middle.
    Top,
    /// Below the middle.
    Bottom,
}

impl Side {
    /// The other half.
    pub fn other(self) -> Side {
        match self {
            Side::Left => Side::Right,
            Side::Right => Side::Left,
            Side::Top => Side::Bottom,
            Side::Bottom => Side::Top,
        }
    }

    /// The rectangle of this half of a picture of that width and height: left, top, width, height. Of an odd number of
    /// pixels the one in the middle is in neither half.
    pub fn of(self, (width, height): (u32, u32)) -> [u32; 4] {
        let (across, down) = (width / 2, height / 2);
        match self {
            Side::Left => [0, 0, across, height],
            Side::Right => [width - across, 0, across, height],
            Side::Top => [0, 0, width, down],
            Side::Bottom => [0, height - down, width, down],
        }
    }
}

impl PairLayout {
    /// Its paths with their keys, for checks.
    pub(super) fn paths(&self) -> Vec<(&'static str, &Path)> {
        match self {
            PairLayout::Folders { source, target } => vec![("pairs.source", source), ("pairs.target", target)],
            PairLayout::SplitFolders { images, source, target } => {
                vec![("pairs.images", images), ("pairs.source", source), ("pairs.target", target)]
            }
            PairLayout::SideBySide { images, .. } => vec![("pairs.images", images)],
            PairLayout::Table { table, images, .. } => vec![("pairs.table", table), ("pairs.images", images)],
        }
    }
}
