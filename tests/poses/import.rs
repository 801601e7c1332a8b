//! What other programs write.

use std::collections::BTreeMap;
use std::fs;

use tachie::data::dataset::Split;
use tachie::data::poses::{ImportOptions, Pose, PoseFormat, PoseSequence, Skeleton};
use tempfile::TempDir;

use crate::{fixture, folder, openpose, person, problems};

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
