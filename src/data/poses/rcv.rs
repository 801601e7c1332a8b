//! Arrays of (row, column, visible), as PG2's code keeps key points.

use std::path::Path;

use candle_core::Tensor;

use super::PoseSequence;
use super::checks::{Checked, Raw};
use super::import::{file_name, files};
use super::names::stem;
use super::skeleton::KeyPoint;
use crate::weights::npz;
use crate::{Error, Result};

pub(super) fn read(path: &Path, mut checked: Checked) -> Result<PoseSequence> {
    let files = files(path, &["npy", "npz"])?;
    let mut frame = 0;
    for file in &files {
        let place = file_name(file);
        let arrays = match arrays(file) {
            Ok(arrays) => arrays,
            Err(error) if files.len() == 1 => return Err(error),
            Err(error) => {
                checked.leave_out(&place, "broken file", error.to_string());
                continue;
            }
        };
        for (name, array) in arrays {
            let place = if name == stem(&place) { place.clone() } else { format!("{place}:{name}") };
            match poses(&array) {
                Err(detail) => checked.leave_out(&place, "another kind of array", detail),
                Ok(poses) => {
                    let several = array.rank() == 3;
                    for (i, points) in poses.into_iter().enumerate() {
                        let name = if several { format!("{name}/{i:06}") } else { name.clone() };
                        let place = if several { format!("{place}[{i}]") } else { place.clone() };
                        checked.push(Raw { name: Some(name), ..Raw::new(place, frame, points) });
                        frame += 1;
                    }
                }
            }
        }
    }
    checked.finish(path)
}

/// The arrays of a file with their names; the one of a `.npy` file bears the name of the file.
fn arrays(file: &Path) -> Result<Vec<(String, Tensor)>> {
    match file.extension().map(|extension| extension.to_string_lossy().to_lowercase()).as_deref() {
        Some("npz") => Ok(npz::read(file)?.into_iter().collect()),
        Some("npy") => Ok(vec![(stem(&file_name(file)).to_string(), npz::read_array(file)?)]),
        _ => Err(Error::file(file, "another kind of file", "an array (.npy) or an archive of them (.npz)", "")),
    }
}

fn poses(array: &Tensor) -> Result<Vec<Vec<KeyPoint>>, String> {
    let keypoints = match array.dims() {
        &[m, 3] | &[_, m, 3] if m > 0 => m,
        dims => return Err(format!("shape {dims:?}, expected [M, 3] or [N, M, 3] of (row, column, visible)")),
    };
    let values = array.flatten_all().and_then(|values| values.to_vec1::<f32>()).map_err(|error| error.to_string())?;
    let point = |&[row, column, visible]: &[f32; 3]| match visible > 0.0 && row >= 0.0 && column >= 0.0 {
        true => [column + 0.5, row + 0.5, visible],
        // What is not a number is for the checks to see.
        false if [row, column, visible].iter().any(|value| value.is_nan()) => [f32::NAN; 3],
        false => [0.0; 3],
    };
    let points: Vec<KeyPoint> = values.as_chunks::<3>().0.iter().map(point).collect();
    Ok(points.chunks(keypoints).map(<[KeyPoint]>::to_vec).collect())
}
