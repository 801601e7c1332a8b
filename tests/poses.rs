//! Poses: importers, checks, motion, skeletons, and data sets of pictures with poses.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use image::{Rgb, RgbImage};
use tachie::data::dataset::{Split, Splits};
use tachie::data::import::{About, pack};
use tachie::data::loader::{Loader, LoaderOptions};
use tachie::data::manifest::{ImagePolicy, Resize};
use tachie::data::poses::{Edge, ImportOptions, KeyPoint, Pose, PoseFormat, PoseSequence, Skeleton};
use tachie::data::{Dataset, Images};
use tachie::show::bundle::Show;
use tachie::show::skeleton::SkeletonStyle;
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

#[test]
fn openpose_gives_the_best_person_of_every_picture() {
    let folder = folder(&[
        ("a_keypoints.json", &openpose(&[person(18, [1, 2], 0.4, |_| true), person(18, [10, 20], 0.9, |k| k < 17)])),
        ("b_keypoints.json", &openpose(&[person(25, [0, 0], 0.5, |_| true)])),
        ("c_keypoints.json", &openpose(&[])),
        ("d_keypoints.json", &openpose(&[person(18, [0, 0], 0.5, |k| k < 9)])),
        ("e_keypoints.json", &openpose(&[person(17, [0, 0], 0.5, |_| true)])),
        ("f_keypoints.json", "{\"people\": [{\"pose_keypoints_2d\": [1, 2"),
        ("g_keypoints.json", "[1, 2]"),
        ("h_keypoints.json", &openpose(&[person(18, [100, 0], 0.5, |_| true)])),
        ("readme.txt", "not a pose"),
    ]);
    let options = ImportOptions::of_size(112, 64);
    let poses = PoseSequence::import(folder.path(), PoseFormat::OpenPose, &options).unwrap();
    let names: Vec<&str> = poses.poses().iter().map(|pose| pose.name.as_str()).collect();
    assert_eq!(names, ["a", "b", "h"]);
    // The second person's scores sum up to 15.3, the first one's to 7.2; half a pixel from the number to the middle.
    let a = &poses.poses()[0];
    assert_eq!((a.points[3], a.points[17]), ([13.5, 26.5, 0.9], [0.0; 3]));
    assert_eq!(problems(&poses, "a_keypoints.json"), [("missing key points".into(), "left ear".into())]);
    // BODY_25 has the middle of the hips at 8, so that the right hip is 9 there and 8 here.
    let b = &poses.poses()[1];
    assert_eq!((b.points[8], b.points[17]), ([9.5, 18.5, 0.5], [18.5, 36.5, 0.5]));
    assert_eq!(problems(&poses, "b_keypoints.json")[0].0, "BODY_25 instead of COCO");
    assert_eq!((poses.poses()[2].frame, poses.poses()[2].seen()), (7, 12));
    let outside = &problems(&poses, "h_keypoints.json")[0];
    assert_eq!(outside.0, "key points outside of the picture");
    assert!(outside.1.starts_with("left knee, ") && outside.1.ends_with("left ear"), "{}", outside.1);
    let kinds = ["c", "d", "e", "f", "g"].map(|name| problems(&poses, &format!("{name}_keypoints.json"))[0].clone());
    assert_eq!(kinds[0].0, "nobody found");
    assert_eq!(kinds[1], ("too few key points".into(), "9, at least 10".into()));
    assert_eq!(kinds[2], ("wrong number of key points".into(), "17, expected 18".into()));
    assert_eq!([&kinds[3].0, &kinds[4].0], ["broken file"; 2]);
    assert!(kinds[4].1.contains("not written by OpenPose"), "{}", kinds[4].1);
    assert_eq!(poses.report().left_out(), 5);
}

#[test]
fn every_frame_of_a_motion_can_be_kept() {
    let folder = folder(&[
        ("a.json", &openpose(&[person(18, [0, 0], 0.5, |_| true)])),
        ("b.json", &openpose(&[])),
        ("c.json", &openpose(&[person(18, [8, 4], 0.5, |k| k > 0)])),
        ("d.json", &openpose(&[person(18, [12, 6], 0.5, |_| true)])),
    ]);
    let options = ImportOptions { min_points: Some(0), swap_eyes: true, ..ImportOptions::of_size(64, 64) };
    let poses = PoseSequence::import(folder.path(), PoseFormat::OpenPose, &options).unwrap();
    assert_eq!((poses.len(), poses.poses()[1].seen()), (4, 0));
    // Exchanged: the right eye is the point that came at the left eye's place.
    assert_eq!(poses.poses()[0].points[14], [15.5, 30.5, 0.5]);
    let filled = poses.filled(1);
    assert_eq!(filled.poses()[1].points[1], [5.5, 4.5, 0.5]);
    // The nose is missing for two frames.
    assert_eq!((filled.poses()[1].points[0][2], filled.poses()[2].points[0][2]), (0.0, 0.0));
    let nose = poses.filled(2).poses()[2].points[0];
    assert!((nose[0] - 8.5).abs() < 1e-5 && (nose[1] - 4.5).abs() < 1e-5, "{nose:?}");
}

#[test]
fn arrays_of_rows_and_columns_are_read() {
    let options = ImportOptions::of_size(128, 128);
    let one = PoseSequence::import(fixture("rcv.npy"), PoseFormat::Rcv, &options).unwrap();
    assert_eq!(one.len(), 3);
    assert_eq!((one.poses()[2].name.as_str(), one.poses()[2].points[4]), ("rcv/000002", [96.5, 24.5, 1.0]));
    assert_eq!(problems(&one, "rcv.npy[1]"), [("missing key points".into(), "right ear, left ear".into())]);
    let many = PoseSequence::import(fixture("rcv.npz"), PoseFormat::Rcv, &options).unwrap();
    let of = |name: &str| many.poses().iter().find(|pose| pose.name == name).unwrap().points.clone();
    assert_eq!((of("first"), of("second")), (one.poses()[0].points.clone(), one.poses()[1].points.clone()));
    let folder = folder(&[("a.npy", "no array"), ("b.txt", "")]);
    let error = PoseSequence::import(folder.path().join("a.npy"), PoseFormat::Rcv, &options).unwrap_err().to_string();
    assert!(error.contains("a.npy"), "{error}");
    assert!(PoseSequence::import(folder.path().join("b.txt"), PoseFormat::Rcv, &options).is_err());
}

#[test]
fn tables_of_patn_are_read_line_by_line() {
    let list = |from: usize| format!("[{}]", (from..from + 18).map(|v| v.to_string()).collect::<Vec<_>>().join(", "));
    let table = format!(
        "name:keypoints_y:keypoints_x\nwomen:1.jpg: {}: {}\r\nshort.jpg: [1, 2]: {}\nword.jpg: {}: [1, x]\nno lists\n\n",
        list(20),
        list(3).replacen("3,", "-1,", 1),
        list(3),
        list(1),
    );
    let folder = folder(&[("a.csv", &table)]);
    let options = ImportOptions::of_size(176, 256);
    let poses = PoseSequence::import(folder.path().join("a.csv"), PoseFormat::Patn, &options).unwrap();
    assert_eq!(poses.len(), 1);
    let pose = &poses.poses()[0];
    assert_eq!((pose.name.as_str(), pose.points[0], pose.points[1]), ("women:1.jpg", [0.0; 3], [4.5, 21.5, 1.0]));
    let detail = |line: usize| problems(&poses, &format!("a.csv:{line}"))[0].1.clone();
    assert_eq!([detail(2), detail(3)], ["nose", "2 rows and 18 columns"]);
    assert!(detail(4).contains("\"x\", no number") && detail(5).contains("three cells"), "{} {}", detail(4), detail(5));
}

#[test]
fn lines_of_json_come_back_as_they_went() {
    let mut poses = Vec::new();
    for i in 0..4u64 {
        let point = |k: u64| [0.1 + (i * k) as f32 / 3.0, 7.7 * k as f32, if k == i { 0.0 } else { 1.0 }];
        let mut pose = Pose::new(i, (200, 300), (0..20).map(point).collect());
        (pose.costume, pose.clip) = (Some("7".into()), (i > 1).then(|| "walk".to_string()));
        pose.split = (i == 3).then_some(Split::Test);
        poses.push(pose);
    }
    let poses = PoseSequence::new(Skeleton::bones().unwrap(), 23.976, poses).unwrap();
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("new/poses.jsonl");
    poses.save(&path).unwrap();
    assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    let read = PoseSequence::open(&path).unwrap();
    assert_eq!((read.poses(), read.fps(), read.skeleton()), (poses.poses(), 23.976, poses.skeleton()));
    assert_eq!(read.json_lines().unwrap(), poses.json_lines().unwrap());
    let named = Skeleton::new(&["left hand", "right hand"]).unwrap();
    let hands = PoseSequence::new(named, 30.0, vec![Pose::new(0, (8, 8), vec![[1.0, 2.0, 1.0]; 2])]).unwrap();
    hands.save(&path).unwrap();
    assert_eq!(PoseSequence::open(&path).unwrap().skeleton(), hands.skeleton());
}

#[test]
fn lines_of_others_are_read_and_broken_ones_named() {
    let good = |k: &str| {
        format!(
            r#"{{"costume":3,"clip":"run","frame":{k},"keypoints":[{}],"more":[1]}}"#,
            vec!["[9.5,8.5,1]"; 20].join(",")
        )
    };
    let flat = format!(r#"{{"image":"x.png","width":64,"height":32,"keypoints":[{}]}}"#, vec!["1,2,1"; 20].join(","));
    let lines = [
        good("5"),
        flat,
        format!(r#"{{"keypoints":[null,{}]}}"#, vec!["[1,2]"; 19].join(",")),
        good("-1"),
        "not json".into(),
        "[1]".into(),
        r#"{"keypoints":[[1,2,3],[4,5,6]]}"#.into(),
        r#"{"keypoints":"none"}"#.into(),
        format!(r#"{{"keypoints":[{}]}}"#, vec!["[1,2,1]"; 18].join(",")),
        format!(r#"{{"keypoints":[[1e39,0,1],{}]}}"#, vec!["[1,2,1]"; 19].join(",")),
        format!(r#"{{"keypoints":[["a",0,1],{}]}}"#, vec!["[1,2,1]"; 19].join(",")),
        format!(r#"{{"split":"both","keypoints":[{}]}}"#, vec!["[1,2,1]"; 20].join(",")),
    ];
    let folder = folder(&[("a.jsonl", &lines.join("\n"))]);
    let path = folder.path().join("a.jsonl");
    let options = ImportOptions::of_size(256, 256);
    let poses = PoseSequence::import(&path, PoseFormat::JsonLines, &options).unwrap();
    assert_eq!((poses.len(), poses.fps(), poses.skeleton().name()), (4, 30.0, Some("bones")));
    let [first, second, third, fourth] = poses.poses() else { panic!("{poses:?}") };
    assert_eq!((first.frame, first.costume.as_deref(), first.clip.as_deref()), (5, Some("3"), Some("run")));
    assert_eq!((first.size, first.name.as_str(), first.points[0]), ((256, 256), "000005", [9.5, 8.5, 1.0]));
    assert_eq!((second.size, second.name.as_str(), second.points[19]), ((64, 32), "x.png", [1.0, 2.0, 1.0]));
    assert_eq!((third.frame, third.points[0], third.points[1]), (2, [0.0; 3], [1.0, 2.0, 1.0]));
    assert_eq!(fourth.points[0], [0.0; 3]);
    let kinds: BTreeMap<&str, &str> =
        poses.report().problems.iter().map(|p| (p.file.as_str(), p.kind.as_str())).collect();
    for line in [4, 5, 6, 7, 8, 11, 12] {
        assert_eq!(kinds[format!("a.jsonl:{line}").as_str()], "broken line", "line {line}");
    }
    assert_eq!(kinds["a.jsonl:9"], "another skeleton");
    let tenth = problems(&poses, "a.jsonl:10");
    assert!(tenth.contains(&("not a number, taken as missing".into(), "hips".into())), "{tenth:?}");
    assert_eq!(poses.report().left_out(), 8);
    // Without a size only the line that has one is left.
    assert_eq!(PoseSequence::open(&path).unwrap().len(), 1);
    fs::write(&path, good("5")).unwrap();
    let error = PoseSequence::open(&path).unwrap_err().to_string();
    assert!(error.contains("no picture size") && error.contains("--size 256x256"), "{error}");
}

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

/// Pictures of 40 × 60 with a white spot at the nose, and their poses.
fn spotted(names: &[&str]) -> (TempDir, PoseSequence) {
    let folder = TempDir::new().unwrap();
    let images = folder.path().join("images");
    fs::create_dir(&images).unwrap();
    let (skeleton, mut poses) = (Skeleton::openpose().unwrap(), Vec::new());
    for (i, name) in names.iter().enumerate() {
        let (x, y) = (6 + 4 * i as u32, 20 + 2 * i as u32);
        let spot = |px: u32, py: u32| Rgb([if px.abs_diff(x) < 3 && py.abs_diff(y) < 3 { 255 } else { i as u8 }; 3]);
        RgbImage::from_fn(40, 60, spot).save(images.join(name)).unwrap();
        let mut points = vec![[30.0, 50.0, 1.0]; 18];
        points[0] = [x as f32 + 0.5, y as f32 + 0.5, 1.0];
        points[3] = [0.0; 3];
        poses.push(Pose { name: name.to_string(), ..Pose::new(i as u64, (40, 60), points) });
    }
    (folder, PoseSequence::new(skeleton, 30.0, poses).unwrap())
}

/// That the brightest pixel of every picture is where its nose is.
fn noses_are_white(dataset: &Dataset) {
    for i in 0..dataset.len() {
        let (picture, points) = (dataset.image(i).unwrap(), dataset.keypoints(i).unwrap());
        let pixel = picture.get_pixel(points[0][0] as u32, points[0][1] as u32);
        assert!(pixel.0[0] > 200, "{}: {pixel:?} at {:?}", dataset.key(i).unwrap(), points[0]);
        assert_eq!((points.len(), points[3][2]), (18, 0.0));
    }
}

#[test]
fn a_folder_of_pictures_joins_its_poses() {
    let names = ["a.png", "b.png", "c.png", "d.png"];
    let (folder, poses) = spotted(&names);
    let images = folder.path().join("images");
    for resize in [Resize::Pad, Resize::Crop, Resize::Squash] {
        let policy = ImagePolicy { resize, ..ImagePolicy::new(32) };
        let dataset = Dataset::posed_folder(&images, &poses, &policy).unwrap();
        assert_eq!((dataset.len(), dataset.report().is_clean()), (4, true), "{:?}", dataset.report());
        noses_are_white(&dataset);
    }
    // By stem; two without a partner, one twice, one with half the coordinates of a picture of half the size.
    let mut strange = poses.poses().to_vec();
    strange[0].name = "a".into();
    strange[1].name = "elsewhere.png".into();
    strange[2].split = Some(Split::Test);
    strange[3].size = (20, 30);
    strange[3].points.iter_mut().for_each(|point| *point = [point[0] / 2.0, point[1] / 2.0, point[2]]);
    strange.push(strange[2].clone());
    let strange = PoseSequence::new(poses.skeleton().clone(), 30.0, strange).unwrap();
    let policy = ImagePolicy { resize: Resize::Pad, ..ImagePolicy::new(32) };
    let dataset = Dataset::posed_folder(&images, &strange, &policy).unwrap();
    noses_are_white(&dataset);
    let kinds: Vec<(String, String)> =
        dataset.report().problems.iter().map(|p| (p.file.clone(), p.kind.clone())).collect();
    for (file, kind) in [
        ("b.png", "no pose"),
        ("elsewhere.png", "no picture of that name"),
        ("c.png", "second pose of one picture"),
        ("d.png", "pose of another picture size, scaled"),
    ] {
        assert!(kinds.contains(&(file.into(), kind.into())), "{file}: {kind} in {kinds:?}");
    }
    assert_eq!((kinds.len(), dataset.len(), dataset.test().key(0).unwrap()), (4, 3, "c.png".to_string()));
    let none = strange.part(1..2).unwrap();
    let error = Dataset::posed_folder(&images, &none, &policy).unwrap_err().to_string();
    assert!(error.contains("no pose: 4, left out"), "{error}");
}

#[test]
fn manifests_stores_and_written_folders_keep_key_points() {
    let (folder, poses) = spotted(&["a.png", "b.png", "c.png", "d.png", "e.png"]);
    poses.save(folder.path().join("poses.jsonl")).unwrap();
    let manifest = "version = 1\nname = \"t\"\ntitle = \"t\"\nlicence = \"CC0-1.0\"\nsource = \"this test\"\n\
        [folder]\nimages = \"images\"\nposes = \"poses.jsonl\"\n[image]\nsize = 32\nresize = \"pad\"\n";
    fs::write(folder.path().join("dataset.toml"), manifest).unwrap();
    let dataset = Dataset::open(folder.path()).unwrap();
    noses_are_white(&dataset);
    let points = |dataset: &Dataset| (0..5).map(|i| dataset.keypoints(i).unwrap()).collect::<Vec<_>>();
    let store = pack(folder.path(), folder.path().join("t.store")).unwrap();
    assert_eq!((points(&store), store.fingerprint()), (points(&dataset), dataset.fingerprint()));
    let again = pack(folder.path().join("t.store"), folder.path().join("u.store")).unwrap();
    assert_eq!((points(&again), again.fingerprint()), (points(&dataset), dataset.fingerprint()));
    let about = About { title: "t".into(), licence: "t".into(), source: "t".into() };
    let written = dataset.write_folder(folder.path().join("out"), &about).unwrap();
    assert_eq!(points(&Dataset::open(written).unwrap()), points(&dataset));
    // Another pose is another data set.
    poses.mirrored().save(folder.path().join("poses.jsonl")).unwrap();
    assert_ne!(Dataset::open(folder.path()).unwrap().fingerprint(), dataset.fingerprint());
    let bytes = fs::read(folder.path().join("t.store")).unwrap();
    fs::write(folder.path().join("cut.store"), &bytes[..bytes.len() - 12]).unwrap();
    assert!(Dataset::open(folder.path().join("cut.store")).is_err());
}

#[test]
fn batches_hold_the_poses_of_their_pictures_mirrored_with_them() {
    let (folder, poses) = spotted(&["a.png", "b.png", "c.png", "d.png"]);
    let policy = ImagePolicy { resize: Resize::Pad, ..ImagePolicy::new(64) };
    let dataset = Dataset::posed_folder(folder.path().join("images"), &poses, &policy).unwrap();
    let mut loader = Loader::new(&dataset, LoaderOptions { batch: 4, flip: true, ..LoaderOptions::default() }).unwrap();
    let mut mirrored = 0;
    for _ in 0..8 {
        let batch = loader.next().unwrap();
        let points = batch.points.as_ref().unwrap().to_vec3::<f32>().unwrap();
        let pictures = Images::new(batch.images.clone()).unwrap().to_rgb().unwrap();
        for ((points, picture), index) in points.iter().zip(&pictures).zip(&batch.indices) {
            let pixel = picture.get_pixel((points[0][0] * 64.0) as u32, (points[0][1] * 64.0) as u32);
            assert!(pixel.0[0] > 200, "{pixel:?}");
            let flipped = (points[0][0] * 64.0 - dataset.keypoints(*index).unwrap()[0][0]).abs() > 1e-3;
            // The missing right elbow is a missing left one then.
            assert_eq!((points[3][2] == 0.0, points[6][2] == 0.0), (!flipped, flipped));
            mirrored += usize::from(flipped);
        }
    }
    assert!((8..24).contains(&mirrored), "{mirrored} of 32");
}

#[test]
fn sizes_come_from_the_pictures_where_they_differ() {
    let (folder, _) = spotted(&["a.png", "b.png"]);
    RgbImage::new(16, 8).save(folder.path().join("images/b.png")).unwrap();
    let json = folder.path().join("json");
    fs::create_dir(&json).unwrap();
    for name in ["a", "b", "c"] {
        let text = openpose(&[person(18, [0, 0], 0.5, |_| true)]);
        fs::write(json.join(format!("{name}_keypoints.json")), text).unwrap();
    }
    let options =
        ImportOptions { min_points: Some(1), ..ImportOptions::of_pictures(folder.path().join("images")).unwrap() };
    let poses = PoseSequence::import(&json, PoseFormat::OpenPose, &options).unwrap();
    let found: Vec<(&str, (u32, u32), usize)> =
        poses.poses().iter().map(|pose| (pose.name.as_str(), pose.size, pose.seen())).collect();
    assert_eq!(found, [("a.png", (40, 60), 18), ("b.png", (16, 8), 4)]);
    assert_eq!(problems(&poses, "c_keypoints.json")[0].0, "no picture of that name");
}

#[test]
fn skeletons_are_drawn_where_the_points_are() {
    let mut points = vec![[0.0; 3]; 18];
    let openpose = Skeleton::openpose().unwrap();
    let at = |name: &str| openpose.position(name).unwrap();
    for (name, x, y) in [("neck", 50.0, 20.0), ("right shoulder", 20.0, 20.0), ("left hip", 50.0, 80.0)] {
        points[at(name)] = [x, y, 1.0];
    }
    let poses = PoseSequence::new(openpose, 10.0, vec![Pose::new(0, (100, 100), points)]).unwrap();
    let style = SkeletonStyle::paper();
    let paper = poses.picture(0, &style, (100, 100)).unwrap();
    let level = |x: u32, y: u32| paper.get_pixel(x, y).0;
    assert_eq!([level(50, 20), level(20, 20), level(35, 20), level(50, 50)], [[255; 3]; 4]);
    assert_eq!([level(50, 10), level(20, 50), level(90, 90)], [[0; 3]; 3]);
    let lit = paper.pixels().filter(|pixel| pixel.0[0] > 0).count();
    let grey = paper.pixels().filter(|pixel| !matches!(pixel.0[0], 0 | 255)).count();
    assert!((200..420).contains(&lit) && grey > 20, "{lit} lit, {grey} of them between");
    let parts = poses.picture(0, &SkeletonStyle::default(), (100, 100)).unwrap();
    let colour = |x: u32, y: u32| parts.get_pixel(x, y).0;
    assert!(colour(35, 20)[0] > 200 && colour(35, 20)[2] < 100, "the right arm is red: {:?}", colour(35, 20));
    assert!(colour(50, 50)[2] > 150 && colour(50, 50)[0] < 100, "the left leg is blue: {:?}", colour(50, 50));
    assert_eq!(colour(90, 90), [255; 3]);
    // Letterboxed into a wide picture, and over another picture.
    let wide = poses.picture(0, &style, (400, 200)).unwrap();
    assert_eq!((wide.get_pixel(200, 40).0, wide.get_pixel(100, 40).0), ([255; 3], [0; 3]));
    let over = poses.over(0, &style, &RgbImage::from_pixel(50, 50, Rgb([9, 8, 7]))).unwrap();
    assert!(over.get_pixel(25, 10).0[0] > 150, "{:?}", over.get_pixel(25, 10));
    assert_eq!(over.get_pixel(40, 40).0, [9, 8, 7]);
    assert!(poses.picture(1, &style, (8, 8)).is_err() && poses.picture(0, &style, (0, 8)).is_err());
    assert_eq!(poses.images(&style, (16, 16)).unwrap().tensor.dims(), [1, 3, 16, 16]);
    assert!(poses.bundle().unwrap().png.is_some());
}

#[test]
fn the_command_line_imports_checks_and_draws() {
    let folder = folder(&[
        ("a_keypoints.json", &openpose(&[person(18, [1, 2], 0.4, |_| true)])),
        ("b_keypoints.json", &openpose(&[person(18, [10, 20], 0.9, |k| k < 17)])),
        ("c_keypoints.json", "{}"),
    ]);
    let run = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_tachie"))
            .args(["data", "poses"])
            .arg(folder.path())
            .args(arguments)
            .current_dir(folder.path())
            .output()
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.success(), text(&output.stdout), text(&output.stderr))
    };
    let (ok, out, error) = run(&[
        "--from",
        "openpose",
        "--size",
        "64x96",
        "--out",
        "p.jsonl",
        "--preview",
        "p.png",
        "--resample",
        "60",
        "--smooth",
        "1",
        "--fit",
        "128x128",
        "--mirror",
        "--split",
        "person",
    ]);
    assert!(ok, "{error}");
    assert!(out.contains("3 poses of 18 key points (openpose), 128×128, 60 frames per second"), "{out}");
    assert!(out.contains("2 poses used, 2 problems") && out.contains("c_keypoints.json"), "{out}");
    assert_eq!(PoseSequence::open(folder.path().join("p.jsonl")).unwrap().len(), 3);
    assert!(image::open(folder.path().join("p.png")).unwrap().width() > 300);
    let (ok, _, error) = run(&["--from", "openpose", "--size", "64x96", "--preview", "walk.gif"]);
    assert!(ok && fs::read(folder.path().join("walk.gif")).unwrap().starts_with(b"GIF89a"), "{error}");
    let (ok, _, error) = run(&["--from", "openpose"]);
    assert!(!ok && error.contains("--size 256x256"), "{error}");
    let (ok, _, error) = run(&["--from", "openpose", "--size", "big"]);
    assert!(!ok && error.contains("256x256"), "{error}");
}
