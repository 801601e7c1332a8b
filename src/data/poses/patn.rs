//! The table of key points of PATN: `name:keypoints_y:keypoints_x`.

use std::path::Path;

use super::PoseSequence;
use super::checks::{Checked, Raw};
use super::import::{bytes, file_name, lines};
use super::skeleton::KeyPoint;
use crate::Result;

/// Its first line.
const HEADER: &str = "name:keypoints_y:keypoints_x";

pub(super) fn read(path: &Path, mut checked: Checked) -> Result<PoseSequence> {
    let (bytes, file) = (bytes(path)?, file_name(path));
    for (frame, (line, text)) in (0..).zip(lines(&bytes).filter(|(_, text)| *text != HEADER.as_bytes())) {
        let place = format!("{file}:{line}");
        match row(text) {
            Ok((name, points)) => checked.push(Raw { name: Some(name), ..Raw::new(place, frame, points) }),
            Err(detail) => checked.leave_out(&place, "broken line", detail),
        }
    }
    checked.finish(path)
}

fn row(text: &[u8]) -> Result<(String, Vec<KeyPoint>), String> {
    let text = std::str::from_utf8(text).map_err(|_| "not UTF-8 text".to_string())?;
    // From the end, because a name may hold a colon.
    let mut cells = text.rsplitn(3, ':');
    let (Some(x), Some(y), Some(name)) = (cells.next(), cells.next(), cells.next()) else {
        return Err(format!("no three cells with colons between them, as {HEADER} says"));
    };
    let (x, y) = (list(x)?, list(y)?);
    if x.len() != y.len() {
        return Err(format!("{} rows and {} columns", y.len(), x.len()));
    }
    let point = |(&x, &y): (&f32, &f32)| match x < 0.0 || y < 0.0 {
        true => [0.0; 3],
        false => [x + 0.5, y + 0.5, 1.0],
    };
    Ok((name.trim().to_string(), x.iter().zip(&y).map(point).collect()))
}

/// The numbers of `[12, -1, 40]`.
fn list(text: &str) -> Result<Vec<f32>, String> {
    let inner = text.trim().strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    let inner = inner.ok_or_else(|| format!("{:?} instead of a list in brackets", shortened(text)))?;
    let number = |text: &str| text.trim().parse::<f32>().map_err(|_| format!("{:?}, no number", shortened(text)));
    inner.split(',').map(number).collect()
}

fn shortened(text: &str) -> String {
    text.trim().chars().take(40).collect()
}
