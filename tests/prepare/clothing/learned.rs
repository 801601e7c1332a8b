//! Key points and larger pictures by small networks: trainings of seconds, files, and folders.

use std::fs;

use image::{RgbImage, imageops};
use tachie::candle_core::Device;
use tachie::data::avatar::Avatar;
use tachie::data::poses::PoseSequence;
use tachie::data::prepare::clothing::calibrate::{CalibrateOptions, FoundBy, calibrate};
use tachie::data::prepare::clothing::keypoints::{
    KEYPOINTS, KeypointRegressor, Training as KeypointTraining, read_keypoints,
};
use tachie::data::prepare::clothing::upscale::{
    Training as UpscalerTraining, UpscaleOptions, Upscaler, pictures_of, upscale,
};
use tachie::metrics::nets::pose_reader::{PoseReader, Training};
use tachie::rng::Seed;
use tempfile::TempDir;

use super::super::tachie;

#[test]
fn key_points_of_clothing_are_learned_and_bring_it_to_the_middle() {
    let place = TempDir::new().unwrap();
    let at = |name: &str| place.path().join(name);
    let data = Avatar::costumes().size(64).count(160).views(1).calibrated(false).dataset().unwrap();
    let training = KeypointTraining { steps: 160, batch: 16, rate: 3e-3, ..KeypointTraining::clothing() };
    let mut losses = Vec::new();
    let regressor = KeypointRegressor::train(&data.train(), &training, |_, loss| losses.push(loss)).unwrap();
    let mean = |losses: &[f64]| losses.iter().sum::<f64>() / losses.len() as f64;
    assert!(mean(&losses[140..]) < 0.7 * mean(&losses[..20]), "{losses:?}");
    let test = data.test();
    let errors = regressor.centre_errors(&test).unwrap();
    println!("loss {:.4} to {:.4}, centres off by {:.4}", mean(&losses[..20]), mean(&losses[140..]), mean(&errors));
    assert_eq!(errors.len(), 16);
    assert!(mean(&errors) < 0.08, "{errors:?}");

    regressor.save(at("points.safetensors")).unwrap();
    let again = KeypointRegressor::open(at("points.safetensors")).unwrap();
    let wide = imageops::resize(&test.image(0).unwrap(), 200, 90, imageops::FilterType::Triangle);
    let points = again.read(&wide).unwrap();
    assert_eq!((points.len(), &points), (24, &regressor.read(&wide).unwrap()));
    // A third number below one half is none: then all three are 0.
    assert!(points.iter().all(|point| (0.5..=1.0).contains(&point[2]) || *point == [0.0; 3]), "{points:?}");
    assert!(points.iter().filter(|point| point[2] > 0.0).count() >= 8, "{points:?}");
    assert!(points.iter().any(|point| point[0] > 100.0) && again.read(&RgbImage::new(0, 3)).is_err());
    assert!(KeypointRegressor::open(at("none.safetensors")).is_err());

    fs::create_dir_all(at("in/立ち絵")).unwrap();
    (0..4).for_each(|i| test.image(i).unwrap().save(at(&format!("in/立ち絵/{i}.png"))).unwrap());
    wide.save(at("in/wide.png")).unwrap();
    fs::write(at("in/broken.jpg"), b"no picture").unwrap();
    let read = || read_keypoints(at("in"), at("out"), &again).unwrap();
    let ((poses, first), (_, second)) = (read(), read());
    assert_eq!((first.made, second.made, second.kept), (5, 0, 5), "{first}");
    assert_eq!(first.problems.of("broken.jpg").len(), 1);
    let opened = PoseSequence::open(at("out").join(KEYPOINTS)).unwrap();
    assert_eq!((opened.poses(), opened.skeleton().name()), (poses.poses(), Some("fashion")));
    let (rows, _) = calibrate(at("in"), at("calibrated"), Some(&opened), None, &CalibrateOptions::default()).unwrap();
    assert!(rows.len() >= 4 && rows.iter().all(|(_, facts)| facts.found_by == FoundBy::KeyPoints), "{rows:?}");
}

/// What bodies are judged by does not change: all their points are known, so nothing is said of presence.
#[test]
fn readers_of_bodies_name_every_point() {
    let place = TempDir::new().unwrap();
    let path = place.path().join("x.safetensors");
    let bodies = Avatar::bodies().size(32).costumes(2).poses(25).dataset().unwrap();
    let training = Training { steps: 3, batch: 4, pictures: 8, ..Training::default() };
    let reader = PoseReader::train(&bodies, &training, |_, _| ()).unwrap();
    let picture = bodies.image(0).unwrap();
    assert!(reader.points(&picture).unwrap().iter().all(|point| point[2] == 1.0));
    reader.save(&path).unwrap();
    let again = PoseReader::open(&path).unwrap();
    assert_eq!((again.skeleton(), again.training()), (reader.skeleton(), &training));
    assert_eq!(again.points(&picture).unwrap(), reader.points(&picture).unwrap());
    assert!(KeypointRegressor::open(&path).is_err(), "bones are no points of clothing");
}

#[test]
fn pictures_become_larger_by_a_network_or_by_lanczos() {
    let place = TempDir::new().unwrap();
    let at = |name: &str| place.path().join(name);
    fs::create_dir_all(at("in/sub")).unwrap();
    let data = Avatar::costumes().size(128).count(12).dataset().unwrap();
    (0..12).for_each(|i| data.image(i).unwrap().save(at(&format!("in/sub/{i}.png"))).unwrap());
    fs::write(at("in/broken.png"), b"no picture").unwrap();
    let (pictures, report) = pictures_of(at("in"), 100, Seed(0)).unwrap();
    assert_eq!((pictures.len(), report.problems.len()), (12, 1));
    let training = UpscalerTraining { channels: 8, blocks: 1, steps: 80, batch: 4, ..UpscalerTraining::default() };
    let mut losses = Vec::new();
    let network = Upscaler::train(&pictures, &training, &Device::Cpu, |_, loss| losses.push(loss)).unwrap();
    let quality = network.quality();
    let mean = |losses: &[f64]| losses.iter().sum::<f64>() / losses.len() as f64;
    println!("{quality}; loss {:.5} to {:.5}", mean(&losses[..20]), mean(&losses[60..]));
    // At the start it is Lanczos; after seconds it is no worse.
    assert!(quality.pictures == 2 && quality.network > quality.lanczos - 0.05, "{quality}");
    assert!(mean(&losses[60..]) < mean(&losses[..20]), "{losses:?}");
    assert!(Upscaler::train(&pictures[..1], &training, &Device::Cpu, |_, _| ()).is_err());

    network.save(at("double.safetensors")).unwrap();
    let again = Upscaler::open(at("double.safetensors"), &Device::Cpu).unwrap();
    assert_eq!((again.quality(), again.training()), (quality, &training));
    // Tiles do not show: what is made of a part is what is made of the whole.
    let long = imageops::resize(&pictures[0], 300, 40, imageops::FilterType::Triangle);
    let doubled = again.doubled(&long).unwrap();
    assert_eq!(doubled.dimensions(), (600, 80));
    let part = again.doubled(&imageops::crop_imm(&long, 100, 0, 60, 40).to_image()).unwrap();
    let off = (20..100).flat_map(|x| (0..80).map(move |y| (x, y))).map(|(x, y)| {
        let (a, b) = (doubled.get_pixel(200 + x, y), part.get_pixel(x, y));
        (0..3).map(|channel| a.0[channel].abs_diff(b.0[channel])).max().unwrap()
    });
    assert!(off.max().unwrap() <= 1);

    let larger = |name: &str, network: Option<&Upscaler>, side| {
        upscale(at("in"), at(name), network, &UpscaleOptions { side }).unwrap()
    };
    let (first, second) = (larger("large", Some(&again), Some(200)), larger("large", Some(&again), Some(200)));
    assert_eq!((first.made, second.made, second.kept), (12, 0, 12), "{first}");
    assert_eq!(first.problems.of("broken.png").len(), 1);
    let size = |name: &str| image::image_dimensions(at(name).join("images/sub/3.png")).unwrap();
    larger("doubled", None, None);
    larger("same", None, Some(100));
    assert_eq!((size("large"), size("doubled"), size("same")), ((200, 200), (256, 256), (128, 128)));
    let [input, output, weights] =
        ["in", "by-command", "double.safetensors"].map(|name| at(name).display().to_string());
    let said = tachie(&["data", "upscale", "--in", &input, "--out", &output, "--network", &weights, "--side", "200"]);
    assert!(said.status.success() && String::from_utf8_lossy(&said.stdout).contains("12 of 13 files"), "{said:?}");
    let same = |name: &str| fs::read(at(name).join("images/sub/3.png")).unwrap();
    assert!(same("by-command") == same("large"));
    assert!(upscale(at("in"), at("never"), None, &UpscaleOptions { side: Some(9_000) }).is_err());
    assert!(upscale(at("in"), at("large"), None, &UpscaleOptions { side: Some(200) }).is_err());
}
