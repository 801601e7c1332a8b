//! How far the clothing is from the middle after calibration.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;
use tachie::Result;
use tachie::data::avatar::crawl::{FileTruth, OffCentre, Truth};
use tachie::data::poses::{Pose, PoseSequence};
use tachie::data::prepare::art::fit::Rectangle;
use tachie::data::prepare::clothing::boxes::{Area, Boxes, Detection};
use tachie::data::prepare::clothing::calibrate::{CalibrateOptions, calibrate};
use tachie::data::prepare::clothing::crop_pairs::{Form, PairOptions, crop_pairs};
use tachie::data::prepare::review::thumbnails;
use tachie::data::skeleton::{KeyPoint, Skeleton};
use tachie::rng::{Seed, Stream};

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
    let cut = run.join("cut");
    let options = PairOptions { form: Form::Folders, margin: MARGIN, ..PairOptions::default() };
    let (cuts, _) = crop_pairs(crawl, &cut, &boxes, &options)?;
    let places: BTreeMap<&str, Rectangle> = cuts.iter().map(|(file, cut)| (file.as_str(), cut.target)).collect();
    let mut poses = Vec::new();
    for pair in pairs {
        let Some(found) = boxes.best(&pair.file, "clothing") else { continue };
        let stem = pair.file.rsplit_once('.').map_or(pair.file.as_str(), |(stem, _)| stem);
        let points: Vec<KeyPoint> = match given.get(stem).or_else(|| given.get(pair.file.as_str())) {
            Some(pose) => pose.points.clone(),
            None if keypoints.is_some() => vec![[0.0; 3]; pair.keypoints.len()],
            None => pair.keypoints.iter().map(|&point| read(point, found.area, &mut s)).collect(),
        };
        let Some(place) = places.get(pair.file.as_str()) else { continue };
        let [left, top] = [place.left, place.top].map(|value| value as f32);
        let points = points.into_iter().map(|[x, y, known]| [x - left, y - top, known]).collect();
        let pose = Pose::new(poses.len() as u64, (place.width, place.height), points);
        poses.push(Pose { name: stem.to_string(), ..pose });
    }
    let poses = PoseSequence::new(Skeleton::fashion()?, 30.0, poses)?;
    let options = CalibrateOptions { size: SIDE, ..CalibrateOptions::default() };
    let out = run.join("calibrated");
    let (rows, _) = calibrate(cut.join("b"), &out, Some(&poses), None, &options)?;
    let shown: Vec<_> = rows.iter().take(16).map(|(_, row)| (row.output.as_str(), "")).collect();
    if !shown.is_empty() {
        thumbnails(&out, &shown, 8, SIDE)?.save(run.join("calibrated.png"))?;
    }
    let OffCentre { before, after } =
        Truth::of(pairs.iter().map(|pair| (*pair).clone()).collect()).off_centre(&cuts, None, &rows);
    let [before, mean] = [&before, &after].map(|distances| OffCentre::mean(distances));
    Ok(Centres { pictures: after.len(), mean, of_95: OffCentre::of_95(&after), before, read_by })
}

/// The boxes of a pair as a detector says them.
fn disturbed(pair: &FileTruth, s: &mut Stream) -> Vec<(String, Detection)> {
    let mut moved = |mut detection: Detection| {
        let [left, top, width, height] = detection.area;
        let mut edge = |at: f64, length: f64| at + EDGES * length * s.normal();
        let [left, right] = [left, left + width].map(|at| edge(at, width));
        let [top, low] = [top, top + height].map(|at| edge(at, height));
        (detection.score, detection.area) = (0.9, [left, top, right - left, low - top]);
        (pair.file.clone(), detection)
    };
    pair.boxes().into_iter().map(&mut moved).collect()
}

/// A key point as a network reads it.
fn read([x, y, known]: KeyPoint, area: Area, s: &mut Stream) -> KeyPoint {
    let mut moved = |at: f32, length: f64| at + (POINTS * length * s.normal()) as f32;
    let (x, y) = (moved(x, area[2]), moved(y, area[3]));
    if known > 0.0 && !s.chance(UNSEEN) { [x, y, 0.8] } else { [0.0; 3] }
}
