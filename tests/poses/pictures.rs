//! Pictures with poses as data sets, poses as pictures, and the command line.

use std::fs;
use std::process::Command;

use image::{Rgb, RgbImage};
use tachie::candle_core::Device;
use tachie::data::changes::Changes;
use tachie::data::dataset::Split;
use tachie::data::import::{About, pack};
use tachie::data::loader::{Loader, LoaderOptions};
use tachie::data::manifest::{ImagePolicy, Resize};
use tachie::data::poses::{ImportOptions, Pose, PoseFormat, PoseSequence, Skeleton};
use tachie::data::{Dataset, Images};
use tachie::models::psgan::{Adversaries, Psgan, PsganConfig};
use tachie::nn::progressive::GrowingShape;
use tachie::show::bundle::Show;
use tachie::show::skeleton::SkeletonStyle;
use tachie::train::gan::Gan;
use tachie::train::plan::Growth;
use tachie::train::trainer::{Options, Trainer};
use tempfile::TempDir;

use crate::{folder, openpose, person, problems};

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
    // Lines of others may say the folder of the pictures, and need not say how large they are.
    let line = |pose: &Pose| format!("{{\"file\":\"images/{}\",\"keypoints\":{:?}}}\n", pose.name, pose.points);
    fs::write(folder.path().join("poses.jsonl"), poses.poses().iter().map(line).collect::<String>()).unwrap();
    let bare = Dataset::open(folder.path()).unwrap();
    assert_eq!((points(&bare), bare.fingerprint()), (points(&dataset), dataset.fingerprint()));
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
    let mut loader = Loader::new(
        &dataset,
        LoaderOptions { batch: 4, changes: Changes::default().mirrored(), ..LoaderOptions::default() },
    )
    .unwrap();
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
fn psgan_trains_on_them() {
    let (folder, poses) = spotted(&["a.png", "b.png", "c.png", "d.png"]);
    let policy = ImagePolicy { resize: Resize::Pad, ..ImagePolicy::new(8) };
    let dataset = Dataset::posed_folder(folder.path().join("images"), &poses, &policy).unwrap();
    let network = GrowingShape { resolution: 8, latent: 8, base: 64, max: 8, ..GrowingShape::default() };
    let mut growth = Growth::psgan(8);
    for (phase, fade) in growth.phases.iter_mut().zip([0, 8]) {
        (phase.fade, phase.stable, phase.batch) = (fade, 8, 4);
    }
    let config = Adversaries::for_data(&PsganConfig { network, growth, ..Psgan::tiny() }, &dataset);
    assert_eq!((config.keypoints, config.twos), (poses.skeleton().len(), false), "nobody is shown twice");
    let options = Options::default().device(&Device::Cpu);
    let mut run = Trainer::open::<Adversaries>(&config, &dataset, folder.path().join("run"), options).unwrap();
    let done = run.steps(4).unwrap();
    assert_eq!((done.steps, done.warnings().len()), (4, 0));
    assert_eq!(run.preview().unwrap().tensor.dims(), [16, 3, 8, 8]);
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
