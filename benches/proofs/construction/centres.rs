//! How far the clothing is from the middle after calibration.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;
use tachie::data::avatar::crawl::FileTruth;
use tachie::data::poses::{Pose, PoseSequence};
use tachie::data::prepare::clothing::boxes::{Area, Boxes, Detection, pixels};
use tachie::data::prepare::clothing::calibrate::{CalibrateOptions, calibrate};
use tachie::data::prepare::clothing::crop_pairs::{Form, PairOptions, crop_pairs};
use tachie::data::skeleton::{KeyPoint, Skeleton};
use tachie::image::{ImageReader, RgbImage};
use tachie::rng::{Seed, Stream};
use tachie::show::grid::Grid;
use tachie::{Error, Result};

/// Share of the clothing's width and height that is added on every side of its box.
const MARGIN: f64 = 0.12;
/// What a detector and a reader of key points do wrong: deviations of edges and of points in shares of the box, and the share
/// of points that are not seen.
const EDGES: f64 = 0.03;
const POINTS: f64 = 0.03;
const UNSEEN: f64 = 0.2;
/// Side of calibrated pictures.
const SIDE: u32 = 256;

/// Distances from the middle in shares of the width.
#[derive(Serialize)]
pub struct Centres {
    pub pictures: usize,
    pub mean: f64,
    /// At most this far in 95 of 100.
    pub of_95: f64,
    /// The mean before calibration, in the cropped photo.
    pub before: f64,
    pub read_by: String,
}

/// Crops the clothing of pairs out of the crawl and calibrates it.
pub fn measured(
    crawl: &Path,
    pairs: &[&FileTruth],
    run: &Path,
    boxes: Option<&Path>,
    keypoints: Option<&Path>,
    seed: u64,
) -> Result<Centres> {
    let mut s = Seed(seed).stream("centres");
    let read_by = match (boxes, keypoints) {
        (Some(_), Some(_)) => "boxes and key points as they were given".to_string(),
        _ => format!(
            "{} with errors of {:.0} % of the clothing",
            if boxes.is_some() { "true key points" } else { "true boxes and key points" },
            100.0 * POINTS
        ),
    };
    let boxes = match boxes {
        Some(path) => Boxes::open(path)?,
        None => Boxes::new(pairs.iter().flat_map(|pair| disturbed(pair, &mut s))),
    };
    let given = keypoints.map(PoseSequence::open).transpose()?;
    let given: BTreeMap<&str, &Pose> =
        given.iter().flat_map(|all| all.poses()).map(|pose| (pose.name.as_str(), pose)).collect();
    // What is cut out is known before it is cut: the box with its margin, inside of the picture.
    let (mut poses, mut places) = (Vec::new(), BTreeMap::new());
    for pair in pairs {
        let size = (pair.width, pair.height);
        let Some(found) = boxes.best(&pair.file, "clothing") else { continue };
        let Some(place) = pixels(grown(found.area), size) else { continue };
        let stem = pair.file.rsplit_once('.').map_or(pair.file.as_str(), |(stem, _)| stem);
        let points: Vec<KeyPoint> = match given.get(stem).or_else(|| given.get(pair.file.as_str())) {
            Some(pose) => pose.points.clone(),
            None if keypoints.is_some() => vec![[0.0; 3]; pair.keypoints.len()],
            None => pair.keypoints.iter().map(|&point| read(point, found.area, &mut s)).collect(),
        };
        let [left, top] = [place.left, place.top].map(|value| value as f32);
        let points = points.into_iter().map(|[x, y, known]| [x - left, y - top, known]).collect();
        let pose = Pose::new(poses.len() as u64, (place.width, place.height), points);
        poses.push(Pose { name: stem.to_string(), ..pose });
        places.insert(stem.to_string(), (place, *pair));
    }
    let cut = run.join("cut");
    crop_pairs(crawl, &cut, &boxes, &PairOptions { form: Form::Folders, margin: MARGIN, ..PairOptions::default() })?;
    let poses = PoseSequence::new(Skeleton::fashion()?, 30.0, poses)?;
    let options = CalibrateOptions { size: SIDE, ..CalibrateOptions::default() };
    let out = run.join("calibrated");
    let (rows, _) = calibrate(cut.join("b"), &out, Some(&poses), None, &options)?;
    let (mut away, mut before) = (Vec::new(), 0.0);
    for (file, row) in &rows {
        let stem = file.rsplit_once('.').map_or(file.as_str(), |(stem, _)| stem);
        let Some((place, pair)) = places.get(stem) else { continue };
        let Some(centre) = pair.centre else { continue };
        let [x, y] = [centre[0] - place.left as f32, centre[1] - place.top as f32].map(f64::from);
        away.push((row.transform.point([x, y])[0] / f64::from(SIDE) - 0.5).abs());
        before += (x / f64::from(place.width) - 0.5).abs();
    }
    show(&out, rows.iter().map(|(_, row)| row.output.as_str()), run)?;
    away.sort_by(f64::total_cmp);
    let count = away.len().max(1) as f64;
    let of_95 = away.get((0.95 * count) as usize).or(away.last()).copied().unwrap_or(1.0);
    let mean = if away.is_empty() { 1.0 } else { away.iter().sum::<f64>() / count };
    Ok(Centres { pictures: away.len(), mean, of_95, before: before / count, read_by })
}

/// The boxes of a pair as a detector says them.
fn disturbed(pair: &FileTruth, s: &mut Stream) -> Vec<(String, Detection)> {
    let mut found = Vec::new();
    for (class, bounds) in [("character", pair.character), ("clothing", pair.clothing)] {
        let Some(bounds) = bounds else { continue };
        let [left, top, right, low] = bounds.map(f64::from);
        let mut edge = |at: f64, length: f64| at + EDGES * length * s.normal();
        let (width, height) = (right - left, low - top);
        let [left, right] = [left, right].map(|at| edge(at, width));
        let [top, low] = [top, low].map(|at| edge(at, height));
        let area = [left, top, right - left, low - top];
        found.push((pair.file.clone(), Detection { class: class.into(), score: 0.9, area }));
    }
    found
}

/// A key point as a network reads it.
fn read([x, y, known]: KeyPoint, area: Area, s: &mut Stream) -> KeyPoint {
    let mut moved = |at: f32, length: f64| at + (POINTS * length * s.normal()) as f32;
    let (x, y) = (moved(x, area[2]), moved(y, area[3]));
    if known > 0.0 && !s.chance(UNSEEN) { [x, y, 0.8] } else { [0.0; 3] }
}

fn grown([left, top, width, height]: Area) -> Area {
    [left - MARGIN * width, top - MARGIN * height, (1.0 + 2.0 * MARGIN) * width, (1.0 + 2.0 * MARGIN) * height]
}

/// Some of the calibrated pictures.
fn show<'a>(folder: &Path, files: impl Iterator<Item = &'a str>, run: &Path) -> Result<()> {
    let open = |file: &str| -> Result<RgbImage> {
        let path = folder.join(file);
        let decoded = ImageReader::open(&path).map_err(|source| Error::io("read the picture", &path, source))?.decode();
        Ok(decoded.map_err(|error| Error::file(&path, error.to_string(), "a picture", ""))?.into_rgb8())
    };
    let pictures = files.take(16).map(open).collect::<Result<Vec<_>>>()?;
    match pictures.is_empty() {
        true => Ok(()),
        false => Grid::from_rgb(&pictures)?.nrow(8).scale(1).save(run.join("calibrated.png")),
    }
}
