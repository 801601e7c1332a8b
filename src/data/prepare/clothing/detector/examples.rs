//! Pictures with boxes that a detector learns from, and how they are changed.
//!
//! Changes are those of the paper (section 2.2): whole, or a part that contains at least a share of some box; before that
//! perhaps smaller on a ground of the mean colour; mirrored half of the time; lighter, darker, of more or less contrast.

use std::collections::BTreeSet;
use std::path::Path;

use image::{Rgb, RgbImage, imageops};
use rayon::prelude::*;

use super::super::boxes::{Boxes, Detection};
use super::geometry::{Corners, overlap};
use crate::data::import::{original, walk, within};
use crate::data::manifest::Filter;
use crate::data::report::{Action, Report};
use crate::data::resize;
use crate::rng::{Seed, Stream};
use crate::{Error, Result};

/// Shares of a box that a part has to contain at least; one is drawn for each picture, as in the paper.
const SHARES: [f64; 5] = [0.1, 0.3, 0.5, 0.7, 0.9];
/// Parts that are tried before the whole picture is taken.
const TRIES: usize = 50;
/// Largest ground in sides of the picture.
const LARGEST: f64 = 2.0;

/// A box and the number of its class from 1.
pub(super) type Truth = (usize, Corners);

/// Pictures in memory with their boxes as shares of the sides.
#[derive(Clone, Debug)]
pub struct Examples {
    classes: Vec<String>,
    pictures: Vec<(RgbImage, Vec<Truth>)>,
    report: Report,
}

impl Examples {
    /// The pictures of a folder and those below that have boxes, brought to `size` pixels square whatever their proportions.
    /// Others, and those that cannot be read, are in the [`report`](Examples::report).
    ///
    /// # Errors
    /// When the folder cannot be read, or no picture of it has a box.
    pub fn open(folder: impl AsRef<Path>, boxes: &Boxes, size: usize) -> Result<Examples> {
        let folder = folder.as_ref();
        let root = folder.canonicalize().map_err(|error| Error::io("open the folder of pictures", folder, error))?;
        let mut report = Report::default();
        let mut files = within(&root, walk(&root, &mut report)?, &mut report);
        files.sort();
        let read: Vec<_> = files.par_iter().map(|(file, path)| (boxes.of(file), original(path))).collect();
        let mut examples = Vec::new();
        for ((file, _), (found, picture)) in files.iter().zip(read) {
            match picture {
                _ if found.is_empty() => report.add("no boxes", file, "", Action::LeftOut),
                Err(refused) => report.add(refused.0, file, refused.1, Action::LeftOut),
                Ok(picture) => examples.push((picture, found.to_vec())),
            }
        }
        if examples.is_empty() {
            let hint = "Boxes belong to pictures by the path below their folder.";
            return Err(Error::file(folder, "not a single picture with boxes", "at least one", hint));
        }
        let mut examples = Examples::of(examples, size);
        examples.report = report.finish(examples.len());
        Ok(examples)
    }

    /// Pictures of any size with boxes in their pixels.
    pub fn of(pictures: impl IntoIterator<Item = (RgbImage, Vec<Detection>)>, size: usize) -> Examples {
        let pictures: Vec<(RgbImage, Vec<Detection>)> = pictures.into_iter().collect();
        let names: BTreeSet<&str> = pictures.iter().flat_map(|(_, found)| found).map(|of| of.class.as_str()).collect();
        let classes: Vec<String> = names.into_iter().map(str::to_string).collect();
        let side = size as u32;
        let example = |(picture, found): &(RgbImage, Vec<Detection>)| {
            let (width, height) = (f64::from(picture.width().max(1)), f64::from(picture.height().max(1)));
            let truth = |of: &Detection| {
                let [left, top, w, h] = of.area;
                let class = 1 + classes.iter().position(|class| *class == of.class)?;
                let corners = [left / width, top / height, (left + w) / width, (top + h) / height];
                let inside = corners.map(|v| v.clamp(0.0, 1.0));
                (inside[2] > inside[0] && inside[3] > inside[1]).then_some((class, inside))
            };
            (resize::rgb(picture, side, side, Filter::Bilinear), found.iter().filter_map(truth).collect())
        };
        Examples { pictures: pictures.par_iter().map(example).collect(), report: Report::default(), classes }
    }

    /// The names of the classes, sorted.
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// Number of pictures.
    pub fn len(&self) -> usize {
        self.pictures.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.pictures.is_empty()
    }

    /// Files that could not be used.
    pub fn report(&self) -> &Report {
        &self.report
    }

    /// The others, and a share of the pictures, by the seed, which is for measuring.
    pub fn split(&self, share: f64, seed: Seed) -> [Examples; 2] {
        let order = seed.stream("detector/split").permutation(self.len());
        let count = ((share * self.len() as f64).round() as usize).min(self.len());
        let (measured, rest) = order.split_at(count);
        [rest, measured].map(|ids| {
            let mut ids = ids.to_vec();
            ids.sort_unstable();
            let pictures = ids.into_iter().map(|i| self.pictures[i].clone()).collect();
            Examples { pictures, classes: self.classes.clone(), report: Report::default() }
        })
    }

    pub(super) fn get(&self, i: usize) -> &(RgbImage, Vec<Truth>) {
        &self.pictures[i]
    }
}

/// The picture as it is learned from, of the same size.
pub(super) fn changed(picture: &RgbImage, truth: &[Truth], mean: [f64; 3], s: &mut Stream) -> (RgbImage, Vec<Truth>) {
    let side = picture.width();
    let (mut picture, mut truth) = (picture.clone(), truth.to_vec());
    if s.chance(0.5) {
        (picture, truth) = on_ground(&picture, &truth, mean, s);
    }
    if let Some(part) = s.chance(0.75).then(|| part(&truth, s)).flatten() {
        (picture, truth) = cut(&picture, &truth, part);
    }
    let mut picture = resize::rgb(&picture, side, side, Filter::Bilinear);
    if s.chance(0.5) {
        imageops::flip_horizontal_in_place(&mut picture);
        truth.iter_mut().for_each(|(_, [left, _, right, _])| (*left, *right) = (1.0 - *right, 1.0 - *left));
    }
    let (light, contrast) = (s.range(-24.0, 24.0) as f32, s.range(0.8, 1.25) as f32);
    let tint: [f32; 3] = std::array::from_fn(|_| light + s.range(-8.0, 8.0) as f32);
    for pixel in picture.pixels_mut() {
        let values = pixel.0.iter().zip(tint);
        let mut values = values.map(|(value, by)| ((f32::from(*value) - 128.0) * contrast + 128.0 + by).round() as u8);
        *pixel = Rgb(std::array::from_fn(|_| values.next().unwrap_or(0)));
    }
    (picture, truth)
}

/// A smaller picture somewhere on a ground of the mean colour.
fn on_ground(picture: &RgbImage, truth: &[Truth], mean: [f64; 3], s: &mut Stream) -> (RgbImage, Vec<Truth>) {
    let side = picture.width();
    let large = (f64::from(side) * s.range(1.0, LARGEST)).round() as u32;
    let free = (large - side) as usize + 1;
    let (left, top) = (s.below(free) as u32, s.below(free) as u32);
    let mut ground = RgbImage::from_pixel(large, large, Rgb(mean.map(|v| v as u8)));
    imageops::replace(&mut ground, picture, left.into(), top.into());
    let share = |value: f64, start: u32| (value * f64::from(side) + f64::from(start)) / f64::from(large);
    let moved =
        |&(class, [l, t, r, b]): &Truth| (class, [share(l, left), share(t, top), share(r, left), share(b, top)]);
    (ground, truth.iter().map(moved).collect())
}

/// A part of 0.3 to 1 of each side, of half to twice the proportions, that overlaps a box by at least a drawn share and
/// holds the middle of one.
fn part(truth: &[Truth], s: &mut Stream) -> Option<Corners> {
    let least = SHARES[s.below(SHARES.len())];
    for _ in 0..TRIES {
        let [width, height] = [s.range(0.3, 1.0), s.range(0.3, 1.0)];
        let (left, top) = (s.range(0.0, 1.0 - width), s.range(0.0, 1.0 - height));
        let part = [left, top, left + width, top + height];
        let fits = (0.5..=2.0).contains(&(width / height)) && truth.iter().any(|(_, of)| overlap(of, &part) >= least);
        if fits && truth.iter().any(|(_, of)| holds_middle(&part, of)) {
            return Some(part);
        }
    }
    None
}

fn holds_middle(part: &Corners, of: &Corners) -> bool {
    (0..2).all(|axis| (part[axis]..part[axis + 2]).contains(&((of[axis] + of[axis + 2]) / 2.0)))
}

/// The part of the picture, with the boxes whose middle it holds, as far as they are in it.
fn cut(picture: &RgbImage, truth: &[Truth], part: Corners) -> (RgbImage, Vec<Truth>) {
    let side = f64::from(picture.width());
    let [left, top, right, bottom] = part.map(|v| (v * side).round() as u32);
    let (width, height) = ((right - left).max(1), (bottom - top).max(1));
    let (left, top) = (left.min(picture.width() - width), top.min(picture.height() - height));
    let shown = imageops::crop_imm(picture, left, top, width, height).to_image();
    let share =
        |value: f64, start: u32, length: u32| ((value * side - f64::from(start)) / f64::from(length)).clamp(0.0, 1.0);
    let inside = |&(class, [l, t, r, b]): &Truth| {
        (class, [share(l, left, width), share(t, top, height), share(r, left, width), share(b, top, height)])
    };
    let kept = truth.iter().filter(|(_, of)| holds_middle(&part, of)).map(inside);
    (shown, kept.filter(|(_, [l, t, r, b])| r > l && b > t).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is in a box stays in it.
    #[test]
    fn boxes_follow_their_picture() {
        let mut picture = RgbImage::from_pixel(100, 100, Rgb([90; 3]));
        imageops::replace(&mut picture, &RgbImage::from_pixel(30, 40, Rgb([250, 20, 20])), 20, 30);
        let truth: Vec<Truth> = vec![(1, [0.2, 0.3, 0.5, 0.7])];
        for seed in 0..60 {
            let (shown, found) = changed(&picture, &truth, [123.0, 117.0, 104.0], &mut Seed(seed).stream("t"));
            assert_eq!((shown.dimensions(), found.len(), found[0].0), ((100, 100), 1, 1));
            let red = |p: &Rgb<u8>| i32::from(p.0[0]) > i32::from(p.0[1]) + 60;
            let at: Vec<(u32, u32)> =
                shown.enumerate_pixels().filter(|(.., p)| red(p)).map(|(x, y, _)| (x, y)).collect();
            let low = |of: fn(&(u32, u32)) -> u32| f64::from(at.iter().map(of).min().unwrap()) / 100.0;
            let high = |of: fn(&(u32, u32)) -> u32| f64::from(at.iter().map(of).max().unwrap() + 1) / 100.0;
            let seen = [low(|p| p.0), low(|p| p.1), high(|p| p.0), high(|p| p.1)];
            let near = found[0].1.iter().zip(seen).all(|(a, b)| (a - b).abs() < 0.035);
            assert!(near, "{seed}: {:?}, seen {seen:?}", found[0].1);
        }
    }

    #[test]
    fn pictures_without_boxes_are_told() {
        let folder = tempfile::tempdir().unwrap();
        let save = |name: &str| RgbImage::new(40, 20).save(folder.path().join(name)).unwrap();
        save("a.png");
        save("b.png");
        std::fs::write(folder.path().join("c.png"), "no picture").unwrap();
        let found = |class: &str, area| Detection { class: class.into(), score: 1.0, area };
        let boxes = Boxes::new([
            ("a.png".to_string(), found("clothing", [0.0, 5.0, 10.0, 10.0])),
            ("a.png".to_string(), found("character", [20.0, 0.0, 100.0, 20.0])),
            ("c.png".to_string(), found("clothing", [0.0, 0.0, 1.0, 1.0])),
        ]);
        let examples = Examples::open(folder.path(), &boxes, 16).unwrap();
        assert_eq!((examples.classes(), examples.len()), (&["character".to_string(), "clothing".to_string()][..], 1));
        let (picture, truth) = examples.get(0);
        assert_eq!(picture.dimensions(), (16, 16));
        assert_eq!(truth[..], [(2, [0.0, 0.25, 0.25, 0.75]), (1, [0.5, 0.0, 1.0, 1.0])]);
        assert_eq!(examples.report().problems.len(), 2);
        let [rest, measured] = examples.split(1.0, Seed(0));
        assert_eq!((rest.len(), measured.len()), (0, 1));
        assert!(Examples::open(folder.path(), &Boxes::default(), 16).is_err());
    }
}
