//! Where characters and clothing are in pictures, as any detector may have said it.
//!
//! Two formats are read:
//!
//! * JSON lines, one box each: `{"file": "a/b.jpg", "class": "character", "score": 0.98, "box": [left, top, width, height]}`
//!   in pixels of the picture (turned as its EXIF data say). Without a score it is 1, as of boxes drawn by hand.
//! * COCO: one object with `images` (`id`, `file_name`), `categories` (`id`, `name`) and `annotations` (`image_id`,
//!   `category_id`, `bbox` as above, `score` if there is one). Other keys are ignored.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use image::{Rgb, RgbImage};
use serde::{Deserialize, Serialize};

use crate::data::poses::names::Names;
use crate::data::prepare::art::fit::Rectangle;
use crate::data::report::{Action, Report};
use crate::show::save::write_whole;
use crate::{Error, Result};

/// No honest file of boxes is larger.
const MAX_BYTES: u64 = 1 << 30;

/// Lines of drawn boxes are as thick as one pixel for so many of the picture's longer side.
const LINE: u32 = 100;
/// Colours of drawn boxes.
const COLOURS: [[u8; 3]; 4] = [[214, 39, 40], [31, 119, 180], [44, 160, 44], [255, 127, 14]];

/// A rectangle in pixels of a picture, 0 being its left or upper border: left, top, width, height.
pub type Area = [f64; 4];

/// A box that a detector found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Detection {
    /// What is in it: "character", "clothing".
    pub class: String,
    /// How certain that is, usually 0 to 1.
    #[serde(default = "certain")]
    pub score: f64,
    /// Where.
    #[serde(rename = "box")]
    pub area: Area,
}

fn certain() -> f64 {
    1.0
}

/// The boxes of pictures.
#[derive(Clone, Debug, Default)]
pub struct Boxes {
    files: Vec<String>,
    found: Vec<Vec<Detection>>,
    names: Names,
    report: Report,
}

#[derive(Serialize, Deserialize)]
struct Line {
    file: String,
    #[serde(flatten)]
    detection: Detection,
}

#[derive(Deserialize)]
struct Coco {
    images: Vec<CocoImage>,
    categories: Vec<CocoCategory>,
    annotations: Vec<CocoBox>,
}

#[derive(Deserialize)]
struct CocoImage {
    id: u64,
    file_name: String,
}

#[derive(Deserialize)]
struct CocoCategory {
    id: u64,
    name: String,
}

#[derive(Deserialize)]
struct CocoBox {
    image_id: u64,
    category_id: u64,
    bbox: Area,
    #[serde(default = "certain")]
    score: f64,
}

impl Boxes {
    /// Boxes by the path of their picture below its folder, with slashes. Boxes without an extent and scores that are no
    /// numbers go into the [`report`](Boxes::report).
    pub fn new(boxes: impl IntoIterator<Item = (String, Detection)>) -> Boxes {
        let (mut of, mut report) = (BTreeMap::<String, Vec<Detection>>::new(), Report::default());
        for (file, detection) in boxes {
            let [left, top, width, height] = detection.area;
            let numbers = [left, top, width, height, detection.score].iter().all(|value| value.is_finite());
            if !numbers || width <= 0.0 || height <= 0.0 {
                let detail = format!("{} {:?}, score {}", detection.class, detection.area, detection.score);
                report.add("box that cannot be", &file, detail, Action::LeftOut);
                continue;
            }
            of.entry(file.replace('\\', "/")).or_default().push(detection);
        }
        let (files, found): (Vec<String>, Vec<_>) = of.into_iter().unzip();
        let names = Names::of(files.iter().map(String::as_str));
        Boxes { report: report.finish(files.len()), files, found, names }
    }

    /// Reads a file of boxes: `.jsonl` holds lines, `.json` the COCO format. Lines that cannot be read are in the report.
    ///
    /// # Errors
    /// When the file cannot be read, has another ending, or is no JSON of that form.
    pub fn open(path: impl AsRef<Path>) -> Result<Boxes> {
        let path = path.as_ref();
        let io = |error| Error::io("read the boxes", path, error);
        let length = fs::metadata(path).map_err(io)?.len();
        if length > MAX_BYTES {
            return Err(Error::file(path, format!("{length} bytes"), "boxes of at most 1 GiB", "Split the file."));
        }
        let text = fs::read(path).map_err(io)?;
        match path.extension().and_then(|extension| extension.to_str()).map(str::to_lowercase).as_deref() {
            Some("jsonl" | "ndjson") => Ok(Boxes::lines(&text, path)),
            Some("json") => Boxes::coco(&text, path),
            _ => {
                let expected = "boxes that end in .jsonl (lines) or .json (COCO)";
                Err(Error::file(path, "another kind of file", expected, "Rename or convert it."))
            }
        }
    }

    fn lines(text: &[u8], path: &Path) -> Boxes {
        let name = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        let (mut boxes, mut broken) = (Vec::new(), Vec::new());
        for (number, line) in (1..).zip(text.split(|byte| *byte == b'\n')) {
            if line.trim_ascii().is_empty() {
                continue;
            }
            match serde_json::from_slice::<Line>(line) {
                Ok(Line { file, detection }) => boxes.push((file, detection)),
                Err(error) => broken.push((format!("{name}:{number}"), error.to_string())),
            }
        }
        let mut boxes = Boxes::new(boxes);
        let used = boxes.report.used;
        for (place, error) in broken {
            boxes.report.add("damaged line", &place, error, Action::LeftOut);
        }
        boxes.report = boxes.report.finish(used);
        boxes
    }

    fn coco(text: &[u8], path: &Path) -> Result<Boxes> {
        let Coco { images, categories, annotations } = serde_json::from_slice(text).map_err(|error| {
            let hint =
                "A list of results alone does not name its pictures: give JSON lines, or put it into annotations.";
            Error::file(path, error.to_string(), "COCO: an object with images, categories and annotations", hint)
        })?;
        let files: BTreeMap<u64, String> = images.into_iter().map(|image| (image.id, image.file_name)).collect();
        let classes: BTreeMap<u64, String> = categories.into_iter().map(|of| (of.id, of.name)).collect();
        let (mut boxes, mut lost) = (Vec::new(), Vec::new());
        for (i, annotation) in annotations.into_iter().enumerate() {
            let CocoBox { image_id, category_id, bbox: area, score } = annotation;
            match (files.get(&image_id), classes.get(&category_id)) {
                (Some(file), Some(class)) => {
                    boxes.push((file.clone(), Detection { class: class.clone(), score, area }))
                }
                _ => lost.push((format!("annotations[{i}]"), format!("image {image_id}, category {category_id}"))),
            }
        }
        let mut boxes = Boxes::new(boxes);
        let used = boxes.report.used;
        for (place, detail) in lost {
            boxes.report.add("box of no picture or class", &place, detail, Action::LeftOut);
        }
        boxes.report = boxes.report.finish(used);
        Ok(boxes)
    }

    /// Writes the boxes as JSON lines, whole or not at all.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        write_whole(path.as_ref(), &self.json_lines()?)
    }

    /// What differs whenever a box does: a step does not go on with other boxes.
    pub(super) fn fingerprint(&self) -> Result<String> {
        Ok(blake3::hash(&self.json_lines()?).to_hex().to_string())
    }

    fn json_lines(&self) -> Result<Vec<u8>> {
        let mut text = Vec::new();
        for (file, found) in self.files.iter().zip(&self.found) {
            for detection in found {
                let line = Line { file: file.clone(), detection: detection.clone() };
                serde_json::to_writer(&mut text, &line)
                    .map_err(|error| Error::invalid("box", error.to_string(), "numbers that JSON can hold", ""))?;
                text.push(b'\n');
            }
        }
        Ok(text)
    }

    /// Boxes and lines that could not be used.
    pub fn report(&self) -> &Report {
        &self.report
    }

    /// All boxes of a picture, named by its path below its folder, with or without its extension.
    pub fn of(&self, file: &str) -> &[Detection] {
        self.names.find(file).map_or(&[], |i| &self.found[i])
    }

    /// The picture of that name with the best box of each class drawn into it; classes have colours in the order of their
    /// names.
    pub fn over(&self, file: &str, picture: &RgbImage) -> RgbImage {
        let mut drawn = picture.clone();
        let classes: BTreeSet<&str> = self.found.iter().flatten().map(|detection| detection.class.as_str()).collect();
        let thick = (picture.width().max(picture.height()) / LINE).max(1);
        for (class, colour) in classes.into_iter().zip(COLOURS.into_iter().cycle()) {
            let place = self.best(file, class).and_then(|best| pixels(best.area, picture.dimensions()));
            let Some(Rectangle { left, top, width, height }) = place else { continue };
            let inside = |at: u32, start: u32, length: u32| at >= start + thick && at + thick < start + length;
            for (x, y) in (top..top + height).flat_map(|y| (left..left + width).map(move |x| (x, y))) {
                if !(inside(x, left, width) && inside(y, top, height)) {
                    drawn.put_pixel(x, y, Rgb(colour));
                }
            }
        }
        drawn
    }

    /// The box of a class with the highest score, of several the largest.
    pub fn best(&self, file: &str, class: &str) -> Option<&Detection> {
        let size = |detection: &Detection| detection.area[2] * detection.area[3];
        let better = |a: &&Detection, b: &&Detection| a.score.total_cmp(&b.score).then(size(a).total_cmp(&size(b)));
        self.of(file).iter().filter(|detection| detection.class == class).max_by(better)
    }
}

/// The pixels of a picture that an area touches; none when it lies outside.
pub fn pixels([left, top, width, height]: Area, (picture_width, picture_height): (u32, u32)) -> Option<Rectangle> {
    let span = |start: f64, length: f64, most: u32| {
        let start_pixel = start.floor().clamp(0.0, f64::from(most));
        let end = (start + length).ceil().clamp(start_pixel, f64::from(most));
        (start_pixel as u32, (end - start_pixel) as u32)
    };
    let ((left, width), (top, height)) = (span(left, width, picture_width), span(top, height, picture_height));
    (width > 0 && height > 0).then_some(Rectangle { left, top, width, height })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_formats_say_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let lines = folder.path().join("boxes.jsonl");
        fs::write(
            &lines,
            r#"{"file": "a\\立ち絵 1.jpg", "class": "character", "score": 0.5, "box": [1, 2, 30.5, 4]}
{"file": "a/立ち絵 1.jpg", "class": "character", "score": 0.75, "box": [5, 6, 7, 8]}
{"file": "b.png", "class": "clothing", "box": [0, 0, 1, 1]}
{"file": "b.png", "class": "clothing", "box": [0, 0, -1, 1]}
{"file": "b.png", "box": [0]}
"#,
        )
        .unwrap();
        let coco = folder.path().join("boxes.json");
        fs::write(
            &coco,
            r#"{"images": [{"id": 1, "file_name": "a/立ち絵 1.jpg", "width": 9}, {"id": 2, "file_name": "b.png"}],
                "categories": [{"id": 5, "name": "character"}, {"id": 6, "name": "clothing"}],
                "annotations": [{"image_id": 1, "category_id": 5, "bbox": [1, 2, 30.5, 4], "score": 0.5},
                                {"image_id": 1, "category_id": 5, "bbox": [5, 6, 7, 8], "score": 0.75},
                                {"image_id": 2, "category_id": 6, "bbox": [0, 0, 1, 1]},
                                {"image_id": 3, "category_id": 6, "bbox": [0, 0, 1, 1]}]}"#,
        )
        .unwrap();
        let [lines, coco] = [lines, coco].map(|path| Boxes::open(path).unwrap());
        for boxes in [&lines, &coco] {
            assert_eq!(boxes.best("a/立ち絵 1", "character").unwrap().area, [5.0, 6.0, 7.0, 8.0]);
            assert_eq!((boxes.of("b.png").len(), boxes.of("b.png")[0].score), (1, 1.0));
            assert!(boxes.best("b.png", "character").is_none() && boxes.of("c.png").is_empty());
        }
        let kinds = |boxes: &Boxes| boxes.report().problems.iter().map(|p| p.kind.clone()).collect::<Vec<_>>();
        assert_eq!(kinds(&lines), ["box that cannot be", "damaged line"]);
        assert_eq!(kinds(&coco), ["box of no picture or class"]);
        let again = folder.path().join("again.jsonl");
        lines.save(&again).unwrap();
        assert_eq!(Boxes::open(&again).unwrap().found, coco.found);
        for (name, text, wanted) in [("x.json", "[]", "images, categories"), ("x.txt", "", ".jsonl")] {
            let path = folder.path().join(name);
            fs::write(&path, text).unwrap();
            assert!(Boxes::open(&path).unwrap_err().to_string().contains(wanted));
        }
    }

    #[test]
    fn the_best_boxes_are_drawn() {
        let found = |class: &str, score, area| ("a.png".to_string(), Detection { class: class.into(), score, area });
        let boxes = Boxes::new([
            found("character", 0.9, [2.0, 3.0, 4.0, 5.0]),
            found("character", 0.5, [0.0, 0.0, 20.0, 20.0]),
            found("clothing", 0.9, [18.0, 18.0, 9.0, 9.0]),
        ]);
        let white = RgbImage::from_pixel(20, 20, Rgb([255; 3]));
        let drawn = boxes.over("a", &white);
        let count = |colour: [u8; 3]| drawn.pixels().filter(|pixel| pixel.0 == colour).count();
        // The frame of 4×5 pixels, and the part of the other box that is inside.
        assert_eq!((count(COLOURS[0]), count(COLOURS[1])), (14, 4));
        assert_eq!((drawn.get_pixel(2, 3).0, drawn.get_pixel(3, 4).0), (COLOURS[0], [255; 3]));
        assert_eq!(boxes.over("b", &white), white);
    }

    #[test]
    fn areas_are_cut_to_the_picture() {
        let of = |area| pixels(area, (100, 50)).map(|r| [r.left, r.top, r.width, r.height]);
        assert_eq!(of([1.2, 3.0, 4.0, 5.0]), Some([1, 3, 5, 5]));
        assert_eq!(of([-5.0, 40.0, 500.0, 500.0]), Some([0, 40, 100, 10]));
        assert_eq!((of([100.0, 0.0, 5.0, 5.0]), of([-9.0, 0.0, 5.0, 5.0])), (None, None));
    }
}
