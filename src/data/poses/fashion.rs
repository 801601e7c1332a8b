//! The annotations of the FashionAI challenge: `image_id,image_category` and 24 columns `x_y_v`.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::PoseSequence;
use super::checks::{Checked, Raw};
use super::import::{bytes, file_name};
use super::skeleton::{KeyPoint, Skeleton};
use crate::{Error, Result};

/// The third number of a point that is known, but covered by something (`v` is 0): below what counts as visible.
pub const COVERED: f32 = 0.1;

/// A kind of clothing, which has some of the 24 points (specs/clothing.md section B).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Category {
    /// 13 points.
    Blouse,
    /// 14 points.
    Outwear,
    /// 15 points.
    Dress,
    /// 4 points.
    Skirt,
    /// 7 points.
    Trousers,
}

impl Category {
    /// All of them.
    pub const ALL: [Category; 5] =
        [Category::Blouse, Category::Outwear, Category::Dress, Category::Skirt, Category::Trousers];

    /// As in the annotations.
    pub fn name(self) -> &'static str {
        match self {
            Category::Blouse => "blouse",
            Category::Outwear => "outwear",
            Category::Dress => "dress",
            Category::Skirt => "skirt",
            Category::Trousers => "trousers",
        }
    }

    /// The category of that name.
    pub fn named(name: &str) -> Option<Category> {
        Category::ALL.into_iter().find(|category| category.name() == name)
    }

    /// Numbers of the points that it has, in [`Skeleton::fashion`].
    pub fn points(self) -> &'static [usize] {
        match self {
            Category::Blouse => &[0, 1, 2, 3, 4, 5, 6, 9, 10, 11, 12, 13, 14],
            Category::Outwear => &[0, 1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14],
            Category::Dress => &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 17, 18],
            Category::Skirt => &[15, 16, 17, 18],
            Category::Trousers => &[15, 16, 19, 20, 21, 22, 23],
        }
    }

    /// The same points without those that clothing of this kind does not have.
    pub fn masked(self, points: &[KeyPoint]) -> Vec<KeyPoint> {
        let of = |(i, point): (usize, &KeyPoint)| if self.points().contains(&i) { *point } else { [0.0; 3] };
        points.iter().enumerate().map(of).collect()
    }
}

/// Reads a table. The category becomes the pose's costume.
pub(super) fn read(path: &Path, mut checked: Checked) -> Result<PoseSequence> {
    let (bytes, file) = (bytes(path)?, file_name(path));
    let text = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&bytes);
    let mut reader = csv::ReaderBuilder::new().flexible(true).trim(csv::Trim::All).from_reader(text);
    let wrong = |found: String| {
        let expected = "the columns image_id, image_category and neckline_left to bottom_right_out";
        Error::file(path, found, expected, "")
    };
    let header = reader.headers().map_err(|error| wrong(error.to_string()))?.clone();
    let place = |name: &str| {
        let found = header.iter().position(|column| column.eq_ignore_ascii_case(name));
        found.ok_or_else(|| wrong(format!("no column {name}")))
    };
    let (image, category) = (place("image_id")?, place("image_category")?);
    let columns = Skeleton::fashion()?.names().iter().map(|name| place(&column(name))).collect::<Result<Vec<_>>>()?;
    for (frame, row) in (0..).zip(reader.records()) {
        match row {
            Err(error) => {
                let line = error.position().map_or(0, csv::Position::line);
                checked.leave_out(&format!("{file}:{line}"), "broken line", error.to_string());
            }
            Ok(row) => {
                let of_row = format!("{file}:{}", row.position().map_or(0, csv::Position::line));
                let points = columns.iter().map(|&at| point(row.get(at).unwrap_or_default()));
                match points.collect::<Result<Vec<_>, _>>() {
                    Err(detail) => checked.leave_out(&of_row, "broken line", detail),
                    Ok(points) => {
                        let name = row.get(image).map(str::to_string).filter(|name| !name.is_empty());
                        let kind = row.get(category).unwrap_or_default();
                        let points = Category::named(kind).map_or(points.clone(), |kind| kind.masked(&points));
                        let costume = Some(kind.to_string()).filter(|kind| !kind.is_empty());
                        checked.push(Raw { name, costume, ..Raw::new(of_row, frame, points) });
                    }
                }
            }
        }
    }
    checked.finish(path)
}

/// The challenge's name of a point of [`Skeleton::fashion`]: `cuff_left_in` for "left cuff in".
fn column(name: &str) -> String {
    match name.split(' ').collect::<Vec<_>>().as_slice() {
        [side @ ("left" | "right"), part, end @ ("in" | "out")] => format!("{part}_{side}_{end}"),
        [side @ ("left" | "right"), parts @ ..] => format!("{}_{side}", parts.join("_")),
        words => words.join("_"),
    }
}

/// The point of `x_y_v`: v is 1 where it can be seen, 0 where it is covered, −1 where there is none.
fn point(text: &str) -> Result<KeyPoint, String> {
    let numbers: Option<Vec<f32>> = text.split('_').map(|part| part.trim().parse().ok()).collect();
    match numbers.as_deref() {
        Some([_, _, v]) if *v < 0.0 => Ok([0.0; 3]),
        Some(&[x, y, v]) => Ok([x + 0.5, y + 0.5, if v > 0.0 { 1.0 } else { COVERED }]),
        _ => Err(format!("{:?} instead of x_y_v", text.chars().take(40).collect::<String>())),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{ImportOptions, PoseFormat};
    use super::*;

    /// As the header of its annotations has them.
    const COLUMNS: [&str; 24] = [
        "neckline_left",
        "neckline_right",
        "center_front",
        "shoulder_left",
        "shoulder_right",
        "armpit_left",
        "armpit_right",
        "waistline_left",
        "waistline_right",
        "cuff_left_in",
        "cuff_left_out",
        "cuff_right_in",
        "cuff_right_out",
        "top_hem_left",
        "top_hem_right",
        "waistband_left",
        "waistband_right",
        "hemline_left",
        "hemline_right",
        "crotch",
        "bottom_left_in",
        "bottom_left_out",
        "bottom_right_in",
        "bottom_right_out",
    ];

    /// Points per category as the challenge says them.
    #[test]
    fn categories_have_their_points() {
        assert_eq!(Category::ALL.map(|category| category.points().len()), [13, 14, 15, 4, 7]);
        let skeleton = Skeleton::fashion().unwrap();
        assert_eq!(skeleton.names().iter().map(|name| column(name)).collect::<Vec<_>>(), COLUMNS);
        // Left and right have the same points.
        for category in Category::ALL {
            let all = vec![[1.0, 2.0, 1.0]; 24];
            let mirrored = skeleton.mirrored(&category.masked(&all), 2.0);
            assert!((0..24).all(|i| (mirrored[i][2] > 0.0) == category.points().contains(&i)), "{category:?}");
        }
    }

    #[test]
    fn a_table_with_everything_that_is_wrong() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("train.csv");
        let row = |name: &str, kind: &str, first: &str, other: &str| {
            format!("{name},{kind},{first},{}\n", vec![other; 23].join(","))
        };
        let text = [
            format!("image_id,image_category,{}\n", COLUMNS.join(",")),
            row("Images/blouse/立ち絵 1.jpg", "blouse", "10_20_1", "30_40_0"),
            row("Images/skirt/2.jpg", "skirt", "10_20_1", "30_40_1"),
            row("Images/skirt/3.jpg", "skirt", "10_20", "30_40_1"),
            row("Images/kimono/4.jpg", "kimono", "-1_-1_-1", "30_40_1"),
            "short,dress\n".into(),
        ];
        std::fs::write(&path, text.concat()).unwrap();
        let poses = PoseSequence::import(&path, PoseFormat::FashionAi, &ImportOptions::of_size(100, 100)).unwrap();
        assert_eq!(poses.poses().len(), 3);
        let [blouse, skirt, kimono] = [0, 1, 2].map(|i| &poses.poses()[i]);
        assert_eq!((blouse.points[0], blouse.points[1]), ([10.5, 20.5, 1.0], [30.5, 40.5, COVERED]));
        assert_eq!((blouse.points[7], blouse.costume.as_deref()), ([0.0; 3], Some("blouse")));
        assert_eq!((skirt.points[0], skirt.points[15], skirt.seen()), ([0.0; 3], [30.5, 40.5, 1.0], 4));
        assert_eq!((kimono.points[0], kimono.seen()), ([0.0; 3], 23));
        let kinds: Vec<&str> = poses.report().problems.iter().map(|problem| problem.kind.as_str()).collect();
        assert_eq!(kinds.iter().filter(|kind| **kind == "broken line").count(), 2, "{kinds:?}");
        std::fs::write(&path, "image_id,image_category\n").unwrap();
        let error = PoseSequence::import(&path, PoseFormat::FashionAi, &ImportOptions::of_size(9, 9)).unwrap_err();
        assert!(error.to_string().contains("no column neckline_left"), "{error}");
    }
}
