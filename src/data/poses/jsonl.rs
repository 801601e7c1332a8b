//! Poses as JSON lines: `{"file": …, "frame": …, "width": …, "height": …, "keypoints": [[x, y, v], …], …}`.
//!
//! Every line stands for itself, so that files can be cut and joined with the tools for lines. Required is `keypoints`
//! only: a list of [x, y, v] or [x, y], null for a missing point, or all numbers in one list. Keys that are not known are
//! ignored.

use std::path::Path;

use serde::Serialize;
use serde_json::{Map, Value};

use super::PoseSequence;
use super::checks::{Checked, Raw};
use super::import::{ImportOptions, bytes, file_name, lines};
use super::skeleton::{KeyPoint, Skeleton};
use crate::data::dataset::Split;
use crate::show::save::write_whole;
use crate::{Error, Result};

/// Keys under which a line may name its picture, ours first.
const NAMES: [&str; 4] = ["file", "name", "image", "key"];

#[derive(Serialize)]
struct Line<'a> {
    file: &'a str,
    frame: u64,
    width: u32,
    height: u32,
    fps: f64,
    skeleton: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    costume: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    clip: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    split: Option<Split>,
    keypoints: &'a [KeyPoint],
}

impl PoseSequence {
    /// Writes the poses as JSON lines, which [`PoseSequence::open`] reads back exactly. The file appears under its name
    /// only when it is whole; missing folders above it are made.
    ///
    /// # Errors
    /// When it cannot be written, or a coordinate is not finite.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        write_whole(path, self.json_lines()?.as_bytes())
    }

    /// The text of [`PoseSequence::save`].
    ///
    /// # Errors
    /// When a coordinate is not finite.
    pub fn json_lines(&self) -> Result<String> {
        let skeleton = match self.skeleton().name() {
            Some(name) => Value::from(name),
            None => Value::from(self.skeleton().names()),
        };
        let mut text = String::new();
        for pose in self.poses() {
            if !pose.points.as_flattened().iter().all(|value| value.is_finite()) {
                let what = format!("key points of pose {}", pose.name);
                return Err(Error::invalid(what, "a number that is not finite", "finite ones", ""));
            }
            let line = Line {
                file: &pose.name,
                frame: pose.frame,
                width: pose.size.0,
                height: pose.size.1,
                fps: self.fps(),
                skeleton: skeleton.clone(),
                costume: pose.costume.as_deref(),
                clip: pose.clip.as_deref(),
                split: pose.split,
                keypoints: &pose.points,
            };
            let line = serde_json::to_string(&line)
                .map_err(|error| Error::invalid("pose", error.to_string(), "numbers that JSON can hold", ""))?;
            text.push_str(&line);
            text.push('\n');
        }
        Ok(text)
    }
}

pub(super) fn read(path: &Path, options: &ImportOptions) -> Result<PoseSequence> {
    let (bytes, file) = (bytes(path)?, file_name(path));
    let mut broken = Vec::new();
    let mut checked: Option<Checked> = None;
    for (frame, (line, text)) in (0..).zip(lines(&bytes)) {
        let place = format!("{file}:{line}");
        match parse(text).and_then(|entries| Ok((named_skeleton(&entries, options)?, entries))) {
            Err(detail) => broken.push((place, "broken line", detail)),
            Ok((skeleton, entries)) => {
                let checked = checked.get_or_insert_with(|| {
                    let mut checked = Checked::new(options, skeleton.clone(), 0);
                    let fps = entries.get("fps").and_then(Value::as_f64).filter(|fps| fps.is_finite() && *fps > 0.0);
                    checked.fps = options.fps.or(fps).unwrap_or(checked.fps);
                    checked
                });
                if checked.skeleton != skeleton {
                    let detail = format!("{} other names than the first pose has", skeleton.len());
                    broken.push((place, "another skeleton", detail));
                } else {
                    match raw(place.clone(), frame, &entries) {
                        Ok(raw) => checked.push(raw),
                        Err(detail) => broken.push((place, "broken line", detail)),
                    }
                }
            }
        }
    }
    let mut checked = match checked {
        Some(checked) => checked,
        None => Checked::new(options, options.openpose()?, 0),
    };
    broken.iter().for_each(|(place, kind, detail)| checked.leave_out(place, kind, detail.as_str()));
    checked.finish(path)
}

fn parse(text: &[u8]) -> Result<Map<String, Value>, String> {
    match serde_json::from_slice(text).map_err(|error| error.to_string())? {
        Value::Object(entries) => Ok(entries),
        other => Err(format!("{} instead of an object", short(&other))),
    }
}

fn named_skeleton(entries: &Map<String, Value>, options: &ImportOptions) -> Result<Skeleton, String> {
    if let Some(skeleton) = &options.skeleton {
        return Ok(skeleton.clone());
    }
    match entries.get("skeleton") {
        Some(Value::String(name)) => Skeleton::named(name).map_err(|error| error.to_string()),
        Some(list) => serde_json::from_value(list.clone()).map_err(|error| format!("skeleton: {error}")),
        None => {
            let found = keypoints(entries)?.len();
            Skeleton::of_len(found).ok_or_else(|| {
                format!("{found} key points without names, neither 18 nor 20: a key \"skeleton\" with a list of names is needed")
            })
        }
    }
}

fn raw(place: String, frame: u64, entries: &Map<String, Value>) -> Result<Raw, String> {
    let whole = |key: &str| match entries.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => value.as_u64().map(Some).ok_or_else(|| format!("{key} = {}, no whole number", short(value))),
    };
    let text = |key: &str| match entries.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(Value::Number(number)) => Ok(Some(number.to_string())),
        Some(value) => Err(format!("{key} = {}, neither a text nor a number", short(value))),
    };
    let side = |key: &str| match whole(key)? {
        None => Ok(None),
        Some(side) => u32::try_from(side).map(Some).map_err(|_| format!("{key} = {side}, too large")),
    };
    let split = match text("split")?.as_deref() {
        None => None,
        Some("train") => Some(Split::Train),
        Some("validation") => Some(Split::Validation),
        Some("test") => Some(Split::Test),
        Some(other) => return Err(format!("split = \"{other}\", neither train nor validation nor test")),
    };
    let mut name = None;
    for key in NAMES {
        name = name.or(text(key)?);
    }
    let size = side("width")?.zip(side("height")?);
    let (costume, clip) = (text("costume")?, text("clip")?);
    let frame = whole("frame")?.unwrap_or(frame);
    Ok(Raw { place, name, frame, size, points: keypoints(entries)?, costume, clip, split })
}

fn keypoints(entries: &Map<String, Value>) -> Result<Vec<KeyPoint>, String> {
    let list = entries.get("keypoints").and_then(Value::as_array).ok_or("no list \"keypoints\"")?;
    if list.iter().any(Value::is_number) {
        if !list.len().is_multiple_of(3) {
            return Err(format!("{} numbers for key points, not three each", list.len()));
        }
        let numbers: Vec<f32> = list.iter().map(number).collect::<Result<_, _>>()?;
        return Ok(numbers.as_chunks::<3>().0.to_vec());
    }
    list.iter().map(point).collect()
}

fn point(value: &Value) -> Result<KeyPoint, String> {
    match value.as_array().map(Vec::as_slice) {
        Some([x, y]) => Ok([number(x)?, number(y)?, 1.0]),
        Some([x, y, known]) => Ok([number(x)?, number(y)?, number(known)?]),
        None if value.is_null() => Ok([0.0; 3]),
        _ => Err(format!("{} instead of a key point [x, y, v]", short(value))),
    }
}

fn number(value: &Value) -> Result<f32, String> {
    value.as_f64().map(|value| value as f32).ok_or_else(|| format!("{} among the key points", short(value)))
}

/// The beginning of a value, for messages.
fn short(value: &Value) -> String {
    value.to_string().chars().take(40).collect()
}
