//! The built-in bodies: exact key points, one character in many poses, splits, files, command line.

mod costumes;
mod crawl;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use image::RgbImage;
use rayon::prelude::*;
use tachie::data::avatar::Avatar;
use tachie::data::avatar::bodies::{
    BONES, Bodies, CLIP, Clip, Costume, Joint, LIMBS, MAX_SIZE, Motion, camera, joints, pose_picture, render,
};
use tachie::data::avatar::faces::hair_colour;
use tachie::data::avatar::palette::{HAIR, nearest_hair};
use tachie::data::dataset::Dataset;
use tachie::data::poses::PoseSequence;
use tachie::data::skeleton::Skeleton;
use tachie::rng::seed;

/// Bodies of this test: four rounds of the motions.
fn bodies() -> Bodies {
    Avatar::bodies().seed(seed(7)).costumes(5).poses(32 * CLIP)
}

/// Every pose of every clip, by clip and frame.
fn all_poses(bodies: &Bodies) -> Vec<(Clip, usize)> {
    (0..bodies.clips()).flat_map(|i| (0..CLIP).map(move |frame| (i, frame))).map(|(i, f)| (bodies.clip(i), f)).collect()
}

/// A clip without anything of its own.
fn take(motion: Motion, heading: f32) -> Clip {
    Clip { motion, heading, speed: 1.0, strength: 1.0, phase: 0.1, mirrored: false, own: [0.0; 6] }
}

fn bone(name: &str) -> usize {
    Skeleton::bones().unwrap().names().iter().position(|found| found == name).unwrap()
}

#[test]
fn key_points_are_the_projected_bones() {
    let bodies = bodies();
    let camera = camera();
    for (clip, frame) in all_poses(&bodies) {
        for joint in joints(&bodies.costume(1), &clip, frame) {
            let [x, y, z] = joint.place.map(f64::from);
            let clip = camera.map(|row| row[0] * x + row[1] * y + row[2] * z + row[3]);
            let ndc = [clip[0] / clip[3], clip[1] / clip[3], clip[2] / clip[3]];
            let wanted = [(ndc[0] + 1.0) / 2.0, (1.0 - ndc[1]) / 2.0];
            for (found, wanted) in joint.at.iter().zip(wanted) {
                assert!((f64::from(*found) - wanted).abs() < 1e-5, "{joint:?}: {wanted}");
            }
            assert!(ndc[2].abs() < 1.0, "between the clipping planes: {joint:?}");
        }
    }
}

#[test]
fn every_body_stays_in_the_picture() {
    let bodies = bodies();
    let poses = all_poses(&bodies);
    let low = poses.par_iter().map(|(clip, frame)| {
        let costume = bodies.costume((clip.own[0].abs() * 5.0) as usize % 5);
        let joints = joints(&costume, clip, *frame);
        assert!(joints.iter().all(|joint| joint.in_frame), "{:?} {frame}", clip.motion);
        joints.iter().map(|joint| joint.place[1]).fold(f32::INFINITY, f32::min)
    });
    // Toes and knees are a little above the floor, and above it they jump and run.
    let low: Vec<f32> = low.collect();
    assert!(low.iter().all(|low| (0.005..0.35).contains(low)), "{low:?}");
    // Nothing of the character touches the border either: hair, hands, shoes.
    let cut: Vec<_> = poses
        .par_iter()
        .enumerate()
        .filter(|(i, (clip, frame))| {
            let image = render(&bodies.costume(i % 5), clip, *frame, 64).unwrap();
            let border = (0..64).flat_map(|k| [(k, 0), (k, 63), (0, k), (63, k)]);
            border.into_iter().any(|(x, y)| image.get_pixel(x, y).0 != [255; 3])
        })
        .map(|(i, (clip, frame))| (i % 5, clip.motion, *frame))
        .collect();
    assert!(cut.is_empty(), "cut off at the border: {cut:?}, seed 7");
}

#[test]
fn bones_keep_their_lengths_and_motions_are_continuous() {
    let bodies = bodies();
    let length = |joints: &[Joint], (a, b): (usize, usize)| {
        let (a, b) = (joints[a].place, joints[b].place);
        a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum::<f32>().sqrt()
    };
    // Shoulders move along with raised arms; all other limbs are stiff.
    let stiff: Vec<(usize, usize)> =
        LIMBS.into_iter().filter(|limb| ![bone("left upper arm"), bone("right upper arm")].contains(&limb.1)).collect();
    for costume in 0..3 {
        let costume = bodies.costume(costume);
        let mut wanted: Option<Vec<f32>> = None;
        for i in 0..bodies.clips() {
            let clip = bodies.clip(i);
            let mut last: Option<[Joint; BONES]> = None;
            for frame in 0..CLIP {
                let now = joints(&costume, &clip, frame);
                let lengths: Vec<f32> = stiff.iter().map(|limb| length(&now, *limb)).collect();
                let wanted = wanted.get_or_insert_with(|| lengths.clone());
                let off = lengths.iter().zip(wanted).map(|(a, b)| (a - *b).abs()).fold(0.0, f32::max);
                assert!(off < 1e-5, "{off}");
                if let Some(last) = last {
                    let step = (0..BONES).map(|b| {
                        let (a, b) = (now[b].at, last[b].at);
                        (a[0] - b[0]).hypot(a[1] - b[1])
                    });
                    let step = step.fold(0.0, f32::max);
                    // A foot of somebody who runs is the fastest: 2.5 pictures a second.
                    assert!(step < 0.12, "{:?} jumps by {step} of the picture at frame {frame}", clip.motion);
                }
                last = Some(now);
            }
        }
    }
}

#[test]
fn joints_are_inside_the_drawing() {
    let bodies = bodies();
    let poses = all_poses(&bodies);
    let missed: usize = poses
        .par_iter()
        .enumerate()
        .map(|(i, (clip, frame))| {
            let costume = bodies.costume(i % 5);
            let image = render(&costume, clip, *frame, 256).unwrap();
            let on = |joint: &Joint| {
                let pixel = image.get_pixel((joint.at[0] * 256.0) as u32, (joint.at[1] * 256.0) as u32).0;
                // White cloth and highlights are white too: something next to it is not.
                pixel != [255; 3] || joint_near(&image, joint)
            };
            joints(&costume, clip, *frame).iter().filter(|joint| !on(joint)).count()
        })
        .sum();
    assert_eq!(missed, 0, "of {} joints, seed 7", poses.len() * BONES);
}

/// Whether anything is drawn on both sides of a joint.
fn joint_near(image: &RgbImage, joint: &Joint) -> bool {
    let (x, y) = ((joint.at[0] * 256.0) as i64, (joint.at[1] * 256.0) as i64);
    let drawn = |dx: i64| (1..12).any(|k| image.get_pixel((x + k * dx) as u32, y as u32).0 != [255; 3]);
    drawn(-1) && drawn(1)
}

#[test]
fn the_mirrored_motion_has_the_mirrored_key_points() {
    let skeleton = Skeleton::bones().unwrap();
    for motion in Motion::ALL {
        let costume = Costume::sample(2, seed(7));
        let one = Clip { own: [0.3, -0.5, 0.2, 0.7, -0.1, 0.4], ..take(motion, 0.6) };
        let other = Clip { heading: -0.6, mirrored: true, ..one.clone() };
        for frame in [0, 9, 17] {
            let points = |clip: &Clip| joints(&costume, clip, frame).map(|joint| joint.keypoint(100));
            let mirrored = skeleton.mirrored(&points(&one), 100.0);
            for (found, wanted) in points(&other).iter().zip(mirrored) {
                let off = found.iter().zip(wanted).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
                assert!(off < 1e-3, "{motion:?}: {found:?}, {wanted:?}");
            }
        }
    }
}

#[test]
fn what_is_behind_is_occluded() {
    let costume = (0..40).map(|i| Costume::sample(i, seed(7))).find(|c| !c.coiffure.back.long()).unwrap();
    let hidden = |clip: &Clip, frame: usize| {
        let joints = joints(&costume, clip, frame);
        let names = Skeleton::bones().unwrap();
        let names: Vec<String> = names.names().to_vec();
        names.into_iter().zip(joints).filter(|(_, joint)| joint.occluded).map(|(name, _)| name).collect::<BTreeSet<_>>()
    };
    let standing = take(Motion::Wave, 0.0);
    assert!(hidden(&standing, 12).is_empty(), "{:?}", hidden(&standing, 12));
    // Seen from its right side: the left shoulder and hip are behind the body.
    let aside = hidden(&take(Motion::Walk, std::f32::consts::FRAC_PI_2), 0);
    let other = hidden(&take(Motion::Walk, -std::f32::consts::FRAC_PI_2), 0);
    for (found, behind, before) in [(&aside, "left", "right"), (&other, "right", "left")] {
        for part in ["upper arm", "upper leg"] {
            assert!(found.contains(&format!("{behind} {part}")), "{found:?}");
            assert!(!found.contains(&format!("{before} {part}")), "{found:?}");
        }
    }
}

#[test]
fn equal_settings_give_equal_bytes_at_any_time_and_size() {
    let bodies = bodies().size(48);
    let pool = |n| rayon::ThreadPoolBuilder::new().num_threads(n).build().unwrap();
    let draw = || (0..12).into_par_iter().map(|i| bodies.image(i * 77).unwrap()).collect::<Vec<_>>();
    assert_eq!(pool(1).install(draw), pool(3).install(draw));
    let data = bodies.dataset().unwrap();
    assert_eq!(data.image(77).unwrap(), bodies.image(77).unwrap());
    assert_eq!(data.fingerprint(), bodies.dataset().unwrap().fingerprint());
    // Neither the number of costumes nor that of poses changes those that were there.
    let fewer = Avatar::bodies().seed(seed(7)).size(48).costumes(2).poses(40);
    assert_eq!(fewer.image(40 + 33).unwrap(), bodies.image(32 * CLIP + 33).unwrap());
    let others = [
        bodies.clone().seed(seed(8)),
        bodies.clone().size(32),
        bodies.clone().costumes(4),
        bodies.clone().poses(32 * CLIP - 1),
    ];
    let prints: BTreeSet<String> =
        others.iter().chain([&bodies]).map(|bodies| bodies.dataset().unwrap().fingerprint()).collect();
    assert_eq!(prints.len(), 5);
    assert_ne!(others[0].image(0).unwrap(), bodies.image(0).unwrap());
    for i in [3, 900, 2_600] {
        let large = bodies.clone().size(1024).image(i).unwrap();
        for size in [16, 32, 64, 256] {
            let small = bodies.clone().size(size).image(i).unwrap();
            let reduced = image::imageops::resize(&large, size, size, image::imageops::FilterType::Triangle);
            let pairs = small.as_raw().iter().zip(reduced.as_raw());
            let mean = pairs.map(|(a, b)| f64::from(a.abs_diff(*b))).sum::<f64>() / small.as_raw().len() as f64;
            assert!(mean < 3.5, "picture {i} at {size}: mean difference {mean} of 255, seed 7");
        }
    }
}

#[test]
fn a_character_stays_itself_and_others_differ() {
    let bodies = bodies().costumes(13);
    // Colours that a character shows a lot of, in coarse steps.
    let colours = |costume: &Costume, clip: &Clip, frame: usize| {
        let image = render(costume, clip, frame, 128).unwrap();
        let mut counts: BTreeMap<[u8; 3], usize> = BTreeMap::new();
        for pixel in image.pixels().filter(|pixel| pixel.0 != [255; 3]) {
            *counts.entry(pixel.0.map(|v| v / 24)).or_default() += 1;
        }
        let all: usize = counts.values().sum();
        counts.into_iter().map(|(colour, n)| (colour, n as f64 / all as f64)).collect::<BTreeMap<_, _>>()
    };
    let common = |a: &BTreeMap<[u8; 3], f64>, b: &BTreeMap<[u8; 3], f64>| -> f64 {
        a.iter().map(|(colour, share)| share.min(b.get(colour).copied().unwrap_or(0.0))).sum()
    };
    let takes: Vec<(Clip, usize)> =
        [0, 1, 4, 13].into_iter().map(|i| Clip { heading: 0.3, ..bodies.clip(i) }).map(|clip| (clip, 11)).collect();
    let costumes: Vec<Costume> = (0..13).map(|i| bodies.costume(i)).collect();
    let shown: Vec<Vec<_>> =
        costumes.par_iter().map(|c| takes.iter().map(|(clip, frame)| colours(c, clip, *frame)).collect()).collect();
    let (mut same, mut other) = (f64::INFINITY, 0.0);
    for (i, own) in shown.iter().enumerate() {
        for pose in 1..takes.len() {
            same = own.iter().skip(pose).map(|later| common(&own[0], later)).fold(same, f64::min);
            let rest = shown.iter().enumerate().filter(|(j, _)| *j != i);
            other += rest.map(|(_, rest)| common(&own[0], &rest[pose])).sum::<f64>() / 12.0;
        }
    }
    let other = other / (13.0 * 3.0);
    println!("colours in common: same character at least {same:.2}, two characters on average {other:.2}");
    assert!(same > 0.55 && other < 0.45, "{same}, {other}, seed 7");
    // Thirteen neighbours have the thirteen hair colours, and show them.
    let named: BTreeSet<usize> = costumes.iter().map(|costume| costume.face.hair_index()).collect();
    assert_eq!(named.len(), HAIR.len());
    let right = costumes.iter().filter(|costume| {
        let clip = take(Motion::Bow, std::f32::consts::PI);
        let top = joints(costume, &clip, 0)[bone("head")].at;
        let image = render(costume, &clip, 0, 256).unwrap();
        let window = (-12..12).flat_map(|dy| (-12..12).map(move |dx| (dx, dy)));
        let place = |(dx, dy): (i32, i32)| ((top[0] * 256.0) as i32 + dx, (top[1] * 256.0) as i32 - 18 + dy);
        let pixels: Vec<[u8; 3]> = window.map(place).map(|(x, y)| image.get_pixel(x as u32, y as u32).0).collect();
        nearest_hair(hair_colour(&pixels)) == costume.face.hair_index()
    });
    let right = right.count();
    assert!(right >= 11, "hair colours read from behind: {right} of 13, seed 7");
}

#[test]
fn labels_splits_and_keys_follow_costume_and_clip() {
    let bodies = Avatar::bodies().seed(seed(3)).size(16);
    let data = bodies.dataset().unwrap();
    assert_eq!((data.len(), bodies.clips()), (47_400, 24));
    assert_eq!(data.skeleton(), Some(&Skeleton::bones().unwrap()));
    let (costumes, clips) = (bodies.test_costumes(), bodies.test_clips());
    assert_eq!((costumes.len(), clips.len()), (8, 2));
    let test = data.test();
    assert_eq!(test.len(), 8 * 600 + 71 * 50);
    assert_eq!((data.train().len(), data.validation().len()), (47_400 - test.len(), 0));
    for i in [0, 700, 5_000] {
        let key = test.key(i).unwrap();
        let parts: Vec<usize> = key.split('/').map(|part| part.parse().unwrap()).collect();
        assert!(costumes.contains(&parts[0]) || clips.contains(&parts[1]), "{key}");
    }
    for i in [0, 599, 600, 31_417] {
        let place = bodies.place(i);
        let on = data.labels(i).unwrap();
        let costume = bodies.costume(place.costume);
        assert_eq!(on.get(format!("{} hair", HAIR[costume.face.hair_index()].name)).unwrap(), 1.0);
        assert_eq!(on.get(bodies.clip(place.clip).motion.tag()).unwrap(), 1.0);
        for group in data.tags().groups() {
            assert_eq!(group.members.iter().map(|&member| on.values[member]).sum::<f32>(), 1.0, "{}", group.name);
        }
        assert_eq!(data.keypoints(i).unwrap(), bodies.joints(i).unwrap().map(|joint| joint.keypoint(16)));
    }
    let motions: BTreeSet<&str> = (0..24).map(|i| bodies.clip(i).motion.tag()).collect();
    assert_eq!(motions.len(), 8);
    // Headings go all the way around.
    let sides: BTreeSet<i32> =
        (0..24).map(|i| ((bodies.clip(i).heading.rem_euclid(std::f32::consts::TAU)) / 1.571) as i32).collect();
    assert_eq!(sides.len(), 4, "{sides:?}, seed 3");
}

#[test]
fn settings_that_cannot_be_are_refused() {
    let bodies = Avatar::bodies().costumes(1).poses(1);
    for size in [0, MAX_SIZE + 1, u32::MAX] {
        assert!(bodies.clone().size(size).dataset().unwrap_err().to_string().contains("body size"), "{size}");
        assert!(bodies.clone().size(size).image(0).is_err() && pose_picture(&[[0.0; 3]; BONES], size).is_err());
    }
    assert!(Avatar::bodies().costumes(0).dataset().unwrap_err().to_string().contains("costumes"));
    assert!(Avatar::bodies().poses(0).dataset().unwrap_err().to_string().contains("poses"));
    assert!(Avatar::bodies().costumes(usize::MAX).dataset().is_err());
    assert!(bodies.image(1).unwrap_err().to_string().contains("a number below 1") && bodies.joints(1).is_err());
    assert!(bodies.in_clip(0, 1).is_err() && bodies.characters(1, 5).is_err() && bodies.in_poses(9, 1).is_err());
    assert!(pose_picture(&[[0.0; 3]; 3], 16).unwrap_err().to_string().contains("20"));
    assert!(bodies.dataset().unwrap().test().is_empty());
}

#[test]
fn sheets_show_what_they_say() {
    let bodies = bodies().size(24);
    let one = bodies.in_poses(1, 10).unwrap();
    assert_eq!((one.len(), one.size()), (10, (24, 24)));
    assert!(one.captions[0].starts_with("costume 1, "), "{:?}", one.captions);
    let clip = bodies.in_clip(2, 3).unwrap();
    assert_eq!(clip.to_rgb().unwrap()[4], bodies.image(2 * 32 * CLIP + 3 * CLIP + 4).unwrap());
    assert_eq!(bodies.characters(99, 6).unwrap().len(), 5);
    let points = bodies.joints(0).unwrap().map(|joint| joint.keypoint(64));
    let pose = pose_picture(&points, 64).unwrap();
    for [x, y, _] in points {
        assert!(pose.get_pixel(x as u32, y as u32).0[0] > 100);
    }
    assert_eq!(pose.get_pixel(0, 0).0, [0; 3]);
    let none = pose_picture(&points.map(|[x, y, _]| [x, y, 0.0]), 64).unwrap();
    assert!(none.pixels().all(|pixel| pixel.0 == [0; 3]));
}

fn tachie(arguments: &[&str], folder: &Path) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_tachie")).args(arguments).current_dir(folder).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn the_command_line_writes_completes_and_refuses() {
    let place = tempfile::tempdir().unwrap();
    let make = ["data", "avatar-bodies", "--costumes", "2", "--poses", "30", "--size", "16", "--seed", "5"];
    let into = |folder| [&make[..], &["--pose-pictures", "--out", folder]].concat();
    let (code, out, err) = tachie(&into("a"), place.path());
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    assert!(out.contains("60 bodies of 16x16") && !out.contains("before"), "{out}");
    let folder = place.path().join("a");
    let drawn = Avatar::bodies().costumes(2).poses(30).size(16).seed(seed(5)).dataset().unwrap();
    let read = Dataset::open(&folder).unwrap();
    assert!(read.report().is_clean(), "{}", read.report());
    assert_eq!(read.tags().groups(), drawn.tags().groups());
    assert_eq!((read.len(), read.test().len()), (60, drawn.test().len()));
    assert_eq!(read.tags(), drawn.tags());
    // What animates reads it too: the frames of one character in one motion.
    let motion = PoseSequence::open(folder.join("keypoints.jsonl")).unwrap();
    assert_eq!((motion.len(), motion.fps()), (60, 24.0));
    let motion = motion.clip("1").unwrap().filtered(|pose| pose.costume.as_deref() == Some("1")).unwrap();
    assert_eq!((motion.len(), motion.poses()[0].size), (5, (16, 16)));
    let rows: Vec<serde_json::Value> = fs::read_to_string(folder.join("keypoints.jsonl"))
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(rows.len(), 60);
    for i in [0, 29, 30, 59] {
        assert_eq!(read.image(i).unwrap(), drawn.image(i).unwrap());
        assert_eq!(read.labels(i).unwrap().values, drawn.labels(i).unwrap().values);
        let points: Vec<[f32; 3]> = serde_json::from_value(rows[i]["keypoints"].clone()).unwrap();
        assert_eq!(points, drawn.keypoints(i).unwrap());
        assert_eq!(rows[i]["occluded"].as_array().unwrap().len(), BONES);
        let file = rows[i]["file"].as_str().unwrap();
        assert_eq!(file, format!("images/{}.png", drawn.key(i).unwrap()));
        assert!(folder.join(file.replace("images", "poses")).is_file());
    }
    // As if it had been interrupted: some pictures, no manifest.
    let before = fs::read(folder.join("keypoints.jsonl")).unwrap();
    fs::remove_file(folder.join("dataset.toml")).unwrap();
    fs::remove_file(folder.join("images/001/00/07.png")).unwrap();
    let (code, out, _) = tachie(&into("a"), place.path());
    assert!(code == 0 && out.contains("59 of them drawn before"), "{out}");
    assert_eq!(fs::read(folder.join("keypoints.jsonl")).unwrap(), before);
    assert_eq!(Dataset::open(&folder).unwrap().fingerprint(), read.fingerprint());
    let other = ["data", "avatar-bodies", "--costumes", "2", "--poses", "31", "--size", "16", "--out", "a"];
    let (code, _, err) = tachie(&other, place.path());
    assert!(code == 1 && err.contains("bodies of other settings"), "{err}");
    fs::create_dir(place.path().join("b")).unwrap();
    fs::write(place.path().join("b/mine.txt"), "mine").unwrap();
    let (code, _, err) = tachie(&into("b"), place.path());
    assert!(code == 1 && err.contains("not empty"), "{err}");
    let (code, _, err) = tachie(&["data", "avatar-bodies", "--size", "0", "--out", "c"], place.path());
    assert!(code == 1 && err.contains("body size") && !place.path().join("c").exists(), "{err}");
}

#[test]
fn the_manifest_makes_its_bodies() {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("data-manifests/avatar-bodies.toml"));
    let text = text.unwrap();
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("avatar-bodies.toml");
    fs::write(&path, text.replace("costumes = 79", "costumes = 3").replace("poses = 600", "poses = 50")).unwrap();
    let data = Dataset::open(&path).unwrap();
    assert_eq!((data.len(), data.size(), data.keypoints(149).unwrap().len()), (150, 64, BONES));
    assert_eq!(data.test().len(), 50 + 2 * 25);
    fs::write(&path, text.replace("costumes = 79", "costumes = 0")).unwrap();
    let error = Dataset::open(&path).unwrap_err().to_string();
    assert!(error.contains("avatar-bodies.toml") && error.contains("costumes"), "{error}");
}
