//! Poses: importers, checks, motion, skeletons, and data sets of pictures with poses.

mod import;
mod motion;
mod pictures;

use std::fs;
use std::path::{Path, PathBuf};

use tachie::data::poses::PoseSequence;
use tempfile::TempDir;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/poses").join(name)
}

fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = TempDir::new().unwrap();
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

/// The numbers of a person: point k at (x + k, y + 2k), seen where `seen` says so.
fn person(points: usize, [x, y]: [usize; 2], score: f32, seen: impl Fn(usize) -> bool) -> String {
    let point = |k: usize| if seen(k) { format!("{},{},{score}", x + k, y + 2 * k) } else { "0,0,0".to_string() };
    let points: Vec<String> = (0..points).map(point).collect();
    format!(r#"{{"person_id":[-1],"pose_keypoints_2d":[{}],"face_keypoints_2d":[]}}"#, points.join(","))
}

fn openpose(people: &[String]) -> String {
    format!(r#"{{"version":1.3,"people":[{}]}}"#, people.join(","))
}

/// Kind and detail of every problem of a file.
fn problems(poses: &PoseSequence, file: &str) -> Vec<(String, String)> {
    poses.report().of(file).into_iter().map(|problem| (problem.kind.clone(), problem.detail.clone())).collect()
}
