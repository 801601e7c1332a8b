//! OpenPose's JSON: a file per picture, a list of people in it, three numbers per key point.

use std::path::Path;

use serde_json::Value;

use super::checks::{Checked, Raw};
use super::import::{bytes, file_name, files};
use super::skeleton::KeyPoint;
use super::{PoseSequence, names};
use crate::Result;
use crate::data::report::Action;

/// OpenPose's 18 points among those of its model BODY_25, which has the middle of the hips at 8 and the feet from 19 on.
const OF_BODY_25: [usize; 18] = [0, 1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18];

/// Keys of the points of a person, the one of version 1.0 last.
const KEYS: [&str; 2] = ["pose_keypoints_2d", "pose_keypoints"];

pub(super) fn read(path: &Path, mut checked: Checked) -> Result<PoseSequence> {
    let files = files(path, &["json"])?;
    let mut reduced = Vec::new();
    for (frame, file) in (0..).zip(&files) {
        let place = file_name(file);
        match people(file) {
            Err(detail) => checked.leave_out(&place, "broken file", detail),
            Ok(people) => {
                let best =
                    people.into_iter().reduce(|best, other| if score(&other) > score(&best) { other } else { best });
                let (points, was_reduced) = match best {
                    Some(points) => reduce(points, checked.skeleton.len()),
                    None if checked.keeps_empty() => {
                        checked.report.add("nobody found", &place, "", Action::Kept);
                        (vec![[0.0; 3]; checked.skeleton.len()], false)
                    }
                    None => {
                        checked.leave_out(&place, "nobody found", "");
                        continue;
                    }
                };
                if was_reduced {
                    reduced.push(place.clone());
                }
                checked.push(Raw { name: Some(names::stem(&place).to_string()), ..Raw::new(place, frame, points) });
            }
        }
    }
    for place in reduced {
        checked.report.add("BODY_25 instead of COCO", &place, "mid-hip and feet dropped", Action::Converted);
    }
    checked.finish(path)
}

/// The key points of all people of a file, or what is wrong with it.
fn people(file: &Path) -> Result<Vec<Vec<KeyPoint>>, String> {
    let bytes = bytes(file).map_err(|error| error.to_string())?;
    let value: Value = serde_json::from_slice(&bytes).map_err(|error| error.to_string())?;
    let people = value.get("people").and_then(Value::as_array).ok_or("no list \"people\": not written by OpenPose")?;
    people.iter().map(person).collect()
}

fn person(person: &Value) -> Result<Vec<KeyPoint>, String> {
    let numbers = KEYS.iter().find_map(|key| person.get(key)).and_then(Value::as_array);
    let numbers = numbers.ok_or_else(|| format!("a person without \"{}\"", KEYS[0]))?;
    let values: Vec<f32> = numbers
        .iter()
        .map(|value| {
            value
                .as_f64()
                .map(|value| value as f32)
                .ok_or_else(|| "something else than numbers among the key points".to_string())
        })
        .collect::<Result<_, _>>()?;
    if !values.len().is_multiple_of(3) {
        return Err(format!("{} numbers for the key points of a person, not three each", values.len()));
    }
    // A point that was not found is at 0, 0 with score 0; other points say the middle of a pixel by its number.
    let point = |&[x, y, score]: &[f32; 3]| if score > 0.0 { [x + 0.5, y + 0.5, score] } else { [0.0; 3] };
    Ok(values.as_chunks::<3>().0.iter().map(point).collect())
}

fn score(points: &[KeyPoint]) -> f32 {
    points.iter().map(|[_, _, score]| score).sum()
}

/// The 18 points of COCO where there are the 25 of BODY_25, and whether that was so.
fn reduce(points: Vec<KeyPoint>, wanted: usize) -> (Vec<KeyPoint>, bool) {
    match (points.len(), wanted) {
        (25, 18) => (OF_BODY_25.map(|i| points[i]).to_vec(), true),
        _ => (points, false),
    }
}
