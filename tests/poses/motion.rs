//! Poses in time, mirrored, in other sizes and in splits.

use std::collections::BTreeMap;
use std::fs;

use tachie::data::dataset::{Split, Splits};
use tachie::data::manifest::Resize;
use tachie::data::poses::{Edge, KeyPoint, Pose, PoseSequence, Skeleton};

use crate::fixture;

/// A sequence of one point.
fn motion(points: &[KeyPoint], fps: f64) -> PoseSequence {
    let skeleton = Skeleton::new(&["head"]).unwrap();
    let poses = points.iter().zip(0..).map(|(point, i)| Pose::new(i, (128, 128), vec![*point])).collect();
    PoseSequence::new(skeleton, fps, poses).unwrap()
}

fn points(poses: &PoseSequence) -> Vec<KeyPoint> {
    poses.poses().iter().map(|pose| pose.points[0]).collect()
}

#[test]
fn smoothing_is_that_of_scipy() {
    let golden: BTreeMap<String, Vec<[f64; 2]>> =
        serde_json::from_slice(&fs::read(fixture("smooth.json")).unwrap()).unwrap();
    let rough: Vec<KeyPoint> = golden["motion"].iter().map(|[x, y]| [*x as f32, *y as f32, 1.0]).collect();
    let rough = motion(&rough, 30.0);
    for (name, expected) in golden.iter().filter(|(name, _)| *name != "motion") {
        let (mode, sigma) = name.split_once(' ').unwrap();
        let edge = if mode == "wrap" { Edge::Wrap } else { Edge::Hold };
        let smooth = points(&rough.smoothed(sigma.parse().unwrap(), edge).unwrap());
        for (found, expected) in smooth.iter().zip(expected) {
            let off = (f64::from(found[0]) - expected[0]).abs().max((f64::from(found[1]) - expected[1]).abs());
            assert!(off < 1e-5, "{name}: {found:?}, expected {expected:?}");
        }
        assert_eq!(smooth.len(), expected.len());
    }
    assert_eq!(rough.smoothed(0.0, Edge::Hold).unwrap().poses(), rough.poses());
    assert!(rough.smoothed(-1.0, Edge::Hold).is_err() && rough.smoothed(f64::NAN, Edge::Wrap).is_err());
    // A missing frame counts for nothing and stays missing.
    let gap = motion(&[[10.0, 0.0, 1.0], [99.0, 99.0, 0.0], [10.0, 0.0, 1.0]], 30.0);
    let smooth = points(&gap.smoothed(2.0, Edge::Hold).unwrap());
    assert_eq!((smooth[0], smooth[1][2]), ([10.0, 0.0, 1.0], 0.0));
}

#[test]
fn frame_rates_change_between_frames_of_one_motion() {
    let slow = motion(&[[0.0, 0.0, 1.0], [10.0, 20.0, 1.0], [30.0, 20.0, 0.0], [40.0, 0.0, 0.5]], 10.0);
    let fast = slow.resampled(20.0, Edge::Hold).unwrap();
    assert_eq!((fast.fps(), fast.len()), (20.0, 7));
    let x: Vec<f32> = points(&fast).iter().map(|point| if point[2] > 0.0 { point[0] } else { -1.0 }).collect();
    assert_eq!(x, [0.0, 5.0, 10.0, -1.0, -1.0, 40.0, 40.0]);
    let looped = slow.resampled(20.0, Edge::Wrap).unwrap();
    assert_eq!((looped.len(), points(&looped)[7]), (8, [20.0, 0.0, 0.75]));
    assert_eq!(points(&slow.resampled(5.0, Edge::Hold).unwrap()), [points(&slow)[0], points(&slow)[2]]);
    assert_eq!(fast.resampled(10.0, Edge::Hold).unwrap().len(), 4);
    // Nothing is made between two clips.
    let mut poses = slow.poses().to_vec();
    poses[2].clip = Some("b".into());
    poses[3].clip = Some("b".into());
    let two = PoseSequence::new(slow.skeleton().clone(), 10.0, poses).unwrap();
    let frames = two.resampled(30.0, Edge::Hold).unwrap();
    let frames: Vec<(u64, bool)> = frames.poses().iter().map(|pose| (pose.frame, pose.clip.is_some())).collect();
    assert_eq!(frames, [(0, false), (1, false), (2, false), (3, false), (0, true), (1, true), (2, true), (3, true)]);
    assert_eq!(two.clip("b").unwrap().len(), 2);
    assert!(two.clip("c").unwrap_err().to_string().contains("expected b"));
}

#[test]
fn poses_are_mirrored_and_brought_to_size() {
    let skeleton = Skeleton::new(&["nose", "left hand", "right hand"]).unwrap();
    let pose = Pose::new(0, (100, 50), vec![[10.5, 5.0, 1.0], [20.5, 6.0, 1.0], [0.0, 0.0, 0.0]]);
    let poses = PoseSequence::new(skeleton, 30.0, vec![pose]).unwrap();
    let mirrored = poses.mirrored();
    // Column 20 becomes column 79 and the other hand.
    assert_eq!(mirrored.poses()[0].points[2], [79.5, 6.0, 1.0]);
    assert_eq!(mirrored.poses()[0].points[1][2], 0.0);
    assert_eq!(mirrored.mirrored().poses(), poses.poses());
    let padded = poses.resized((64, 64), Resize::Pad).unwrap();
    assert_eq!((padded.poses()[0].size, padded.poses()[0].points[0]), ((64, 64), [6.72, 19.2, 1.0]));
    let cropped = poses.resized((100, 100), Resize::Crop).unwrap();
    assert_eq!(cropped.poses()[0].points[0], [-29.0, 10.0, 1.0]);
    assert_eq!((cropped.poses()[0].seen(), poses.poses()[0].seen()), (0, 2));
    assert!(poses.resized((10, 10), Resize::Exact).is_err() && poses.resized((0, 1), Resize::Pad).is_err());
    let shares = poses.tensor().unwrap();
    assert_eq!(shares.to_vec3::<f32>().unwrap()[0][0], [0.105, 0.1, 1.0]);
}

#[test]
fn splits_keep_people_motions_and_costumes_apart() {
    let skeleton = Skeleton::new(&["head"]).unwrap();
    let names = (0..200).map(|i| format!("fashionWOMENid{:08}{:02}_1front.jpg", i / 10, i % 10));
    let pose = |name: String| Pose { name, ..Pose::new(0, (8, 8), vec![[1.0; 3]]) };
    let people = PoseSequence::new(skeleton.clone(), 30.0, names.map(pose).collect()).unwrap();
    let splits = Splits { validation: 0.1, test: 0.2, seed: 3 };
    let split = people.split_by_person(&splits).unwrap();
    let of = |i: usize| split.poses()[i].split.unwrap();
    assert!((0..200).all(|i| of(i) == of(i / 10 * 10)));
    let count = |wanted: Split| (0..200).filter(|i| of(*i) == wanted).count();
    assert_eq!([count(Split::Test), count(Split::Validation), count(Split::Train)], [40, 20, 140]);
    let (clip, costume) = (|i: usize| Some(format!("clip {}", i % 5)), |i: usize| Some((i / 5).to_string()));
    let pose = |i: usize| Pose { clip: clip(i), costume: costume(i), ..Pose::new(i as u64, (8, 8), vec![[1.0; 3]]) };
    let motions = PoseSequence::new(skeleton, 30.0, (0..50).map(pose).collect()).unwrap();
    let split = motions.split_by_costume_and_clip(&Splits { validation: 0.0, test: 0.1, seed: 0 }).unwrap();
    let train: Vec<usize> = (0..50).filter(|i| split.poses()[*i].split == Some(Split::Train)).collect();
    // One clip of five and one costume of ten are held out.
    assert_eq!(train.len(), 4 * 9);
    let held = |i: usize| train.iter().all(|j| clip(*j) != clip(i)) || train.iter().all(|j| costume(*j) != costume(i));
    assert!((0..50).filter(|i| !train.contains(i)).all(held));
    assert!(people.split_by_person(&Splits { test: 2.0, ..splits }).is_err());
}
