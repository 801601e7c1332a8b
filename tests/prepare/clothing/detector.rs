//! The detector beside torchvision (fixtures/detector/make.py), and from a folder with boxes to crops.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use image::{Rgb, RgbImage, imageops};
use tachie::autograd::backward;
use tachie::candle_core::{DType, Device, Tensor, Var};
use tachie::data::prepare::clothing::boxes::{Boxes, Detection};
use tachie::data::prepare::clothing::crop_pairs::{PairOptions, crop_pairs};
use tachie::data::prepare::clothing::detector::geometry::{Corners, Prior, matched, suppressed};
use tachie::data::prepare::clothing::detector::{
    BOXES, Detector, Examples, Extra, Find, Ssd, SsdConfig, Start, Training, detect_folder,
};
use tachie::losses::multibox::multibox;
use tachie::nn::norm::Mode;
use tachie::nn::params::{ParamStore, Training as Tracked};
use tachie::rng::Seed;
use tachie::weights::safetensors;
use tempfile::TempDir;

use super::super::formula::noise;

/// Classes of the golden network, the background among them.
const CLASSES: usize = 3;

fn golden(name: &str) -> Vec<f32> {
    static GOLDEN: OnceLock<BTreeMap<String, Tensor>> = OnceLock::new();
    let golden = GOLDEN.get_or_init(|| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/detector/golden.safetensors");
        safetensors::read(path).unwrap().tensors
    });
    golden[name].flatten_all().unwrap().to_vec1().unwrap()
}

fn numbers(name: &str, count: usize) -> Vec<f32> {
    noise(name, count).map(|u| u as f32).collect()
}

/// As shares of the 300 pixels that the golden ones are in.
fn boxes(name: &str, count: usize, least: f32) -> Vec<Corners> {
    let of = |u: &[f32]| {
        let size = [u[2], u[3]].map(|u| least + (1.0 - least) * u * 0.8);
        let start = [u[0] * (1.0 - size[0]), u[1] * (1.0 - size[1])];
        [start[0], start[1], start[0] + size[0], start[1] + size[1]].map(f64::from)
    };
    numbers(name, 4 * count).chunks(4).map(of).collect()
}

fn near(what: &str, found: &[f32], expected: &[f32], tolerance: f32) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let largest = expected.iter().fold(0f32, |largest, value| largest.max(value.abs()));
    let error = found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0f32, f32::max) / largest;
    println!("{what}: {error:.1e}");
    assert!(error <= tolerance, "{what}: {error:.1e}");
}

fn pixels(corners: &[Corners]) -> Vec<f32> {
    corners.iter().flatten().map(|v| (v * 300.0) as f32).collect()
}

fn every<T: Copy>(all: &[T], step: usize) -> Vec<T> {
    all.iter().step_by(step).copied().collect()
}

fn flat(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

#[test]
fn default_boxes_their_code_and_their_matches_are_those_of_torchvision() {
    let priors = SsdConfig::torchvision().priors().unwrap();
    let corners: Vec<Corners> = priors.iter().map(Prior::corners).collect();
    near("priors", &pixels(&every(&corners, 61)), &golden("priors"), 1e-6);
    let sums: [f64; 4] = std::array::from_fn(|i| corners.iter().map(|corners| 300.0 * corners[i]).sum());
    near("sums of priors", &sums.map(|sum| sum as f32), &golden("priors.sum"), 1e-6);
    // torchvision spreads them evenly unless it is told their steps.
    let mut voc = SsdConfig::paper();
    voc.maps.iter_mut().for_each(|map| map.step = None);
    let voc: Vec<Corners> = voc.priors().unwrap().iter().map(Prior::corners).collect();
    near("priors of the paper", &pixels(&every(&voc, 61)), &golden("priors.voc"), 1e-6);

    let some = every(&priors, 61);
    let truth = boxes("truth", some.len(), 0.05);
    let encoded: Vec<f32> = some.iter().zip(truth).flat_map(|(prior, truth)| prior.encode(truth)).collect();
    near("encoded", &encoded, &golden("encoded"), 1e-5);
    let offsets: Vec<f32> = numbers("offsets", 4 * some.len()).into_iter().map(|u| (u - 0.5) * 8.0).collect();
    let decoded: Vec<Corners> =
        some.iter().zip(offsets.as_chunks::<4>().0).map(|(prior, offsets)| prior.decode(*offsets)).collect();
    near("decoded", &pixels(&decoded), &golden("decoded"), 1e-5);

    let found = matched(&boxes("few", 7, 0.05), &priors, 0.5);
    let found: Vec<f32> = found.into_iter().map(|of| of.map_or(-1.0, |i| i as f32)).collect();
    assert_eq!(found, golden("matches"));

    let scores: Vec<f64> = numbers("many.scores", 400).into_iter().map(f64::from).collect();
    let kept: Vec<f32> = suppressed(&boxes("many", 400, 0.3), &scores, 0.45).into_iter().map(|i| i as f32).collect();
    assert_eq!(kept, golden("nms"));
}

#[test]
fn the_loss_and_its_gradients_are_those_of_torchvision() {
    let priors = every(&SsdConfig::torchvision().priors().unwrap(), 23);
    let variable = |name: &str, width: usize| {
        let values: Vec<f32> = numbers(name, 2 * priors.len() * width).into_iter().map(|u| (u - 0.5) * 6.0).collect();
        Var::from_vec(values, (2, priors.len(), width), &Device::Cpu).unwrap()
    };
    let (logits, offsets) = (variable("logits", CLASSES), variable("regression", 4));
    let pictures = [(boxes("one", 3, 0.1), vec![1, 2, 1]), (boxes("two", 1, 0.4), vec![2])];
    let (mut classes, mut wanted) = (Vec::new(), Vec::new());
    for (truth, labels) in &pictures {
        for (prior, of) in priors.iter().zip(matched(truth, &priors, 0.5)) {
            classes.push(of.map_or(0, |i| labels[i]));
            wanted.extend(of.map_or([0.0; 4], |i| prior.encode(truth[i])));
        }
    }
    let wanted = Tensor::from_vec(wanted, (2, priors.len(), 4), &Device::Cpu).unwrap();
    let loss = multibox(&logits, &offsets, &classes, &wanted, 3.0).unwrap();
    let terms = [&loss.localisation, &loss.classification].map(|term| term.to_scalar::<f32>().unwrap());
    near("loss", &terms, &golden("loss"), 1e-5);
    let gradients = backward(&(loss.localisation + loss.classification).unwrap()).unwrap();
    near("gradient of logits", &flat(gradients.get(&logits).unwrap()), &golden("loss.logits"), 1e-5);
    near("gradient of offsets", &flat(gradients.get(&offsets).unwrap()), &golden("loss.regression"), 1e-5);
}

#[test]
fn ssd300_answers_as_torchvision_does() {
    let params = ParamStore::blank(&Device::Cpu, DType::F32).unwrap();
    let ssd = Ssd::new(&SsdConfig::torchvision(), CLASSES, &params.view(Tracked::Nothing)).unwrap();
    let weight = |(name, tensor): (String, Tensor)| {
        let dims = tensor.dims();
        let scale = (6.0 / dims[1..].iter().product::<usize>() as f64).sqrt() as f32;
        let value = |u: f32| match dims.len() {
            1 if name.ends_with("scale_weight") => 10.0 + 20.0 * u,
            1 => (u - 0.5) * 0.2,
            _ => (2.0 * u - 1.0) * scale,
        };
        let values: Vec<f32> = numbers(&name, tensor.elem_count()).into_iter().map(value).collect();
        (name.clone(), Tensor::from_vec(values, dims, &Device::Cpu).unwrap())
    };
    params.load(&params.tensors().into_iter().map(weight).collect()).unwrap();
    let x: Vec<f32> = numbers("x", 3 * 300 * 300).into_iter().map(|u| (u - 0.5) * 200.0).collect();
    let answers = ssd.forward(&Tensor::from_vec(x, (1, 3, 300, 300), &Device::Cpu).unwrap(), Mode::Eval).unwrap();
    let rows = |tensor: &Tensor, width: usize| every(&flat(tensor).chunks(width).collect::<Vec<_>>(), 97).concat();
    near("logits", &rows(&answers.logits, CLASSES), &golden("answers.logits"), 1e-4);
    near("offsets", &rows(&answers.offsets, 4), &golden("answers.offsets"), 1e-4);
}

#[test]
fn what_is_found_is_what_torchvision_finds() {
    let priors = SsdConfig::torchvision().priors().unwrap();
    let raw = numbers("found.logits", priors.len() * CLASSES);
    let probabilities: Vec<f32> = raw
        .chunks(CLASSES)
        .flat_map(|row| {
            let logits: Vec<f32> = row.iter().zip([0.0, 0.5, 0.5]).map(|(u, less)| (u - less) * 6.0).collect();
            let sum: f32 = logits.iter().map(|logit| logit.exp()).sum();
            logits.into_iter().map(move |logit| logit.exp() / sum)
        })
        .collect();
    let offsets: Vec<f32> = numbers("found.offsets", 4 * priors.len()).into_iter().map(|u| (u - 0.5) * 2.0).collect();
    let find = Find { most: 200, ..Find::default() };
    let found = find.boxes(&probabilities, &offsets, CLASSES, &priors);
    assert_eq!(found.len(), 200);
    let labels: Vec<f32> = found[..60].iter().map(|(class, ..)| *class as f32).collect();
    assert_eq!(labels, golden("found.labels"));
    let scores: Vec<f32> = found[..60].iter().map(|(_, score, _)| *score as f32).collect();
    near("scores", &scores, &golden("found.scores"), 1e-5);
    let places: Vec<Corners> = found[..60].iter().map(|(.., corners)| *corners).collect();
    near("boxes", &pixels(&places), &golden("found.boxes"), 1e-5);
}

/// A network that learns in seconds.
pub fn tiny() -> SsdConfig {
    let mut config = SsdConfig::small();
    config.size = 64;
    config.widths = [(1, 8), (1, 12), (1, 16), (1, 24), (1, 24)];
    config.dense = 32;
    config.extras = vec![Extra { squeezed: 16, outputs: 32, stride: 2, padding: 1 }; 2];
    config.maps.remove(0);
    config
}

/// A tall red thing and a round blue one somewhere on a striped ground.
fn scene(i: u64) -> (RgbImage, Vec<Detection>) {
    let mut s = Seed(i).stream("scene");
    let mut picture =
        RgbImage::from_fn(120, 80, |x, y| Rgb([150 + (x / 3 % 7) as u8 * 9, 160, 120 + (y % 11) as u8 * 5]));
    let (wide, high) = (18 + s.below(14) as u32, 45 + s.below(25) as u32);
    let (x, y) = (2 + s.below(20) as u32, s.below((80 - high) as usize) as u32);
    imageops::replace(&mut picture, &RgbImage::from_pixel(wide, high, Rgb([200, 30, 40])), x.into(), y.into());
    let side = 26 + s.below(16) as u32;
    let (left, top) = (62 + s.below((56 - side) as usize) as u32, s.below((80 - side) as usize) as u32);
    for (dx, dy) in (0..side).flat_map(|dx| (0..side).map(move |dy| (dx, dy))) {
        let away = |d: u32| (f64::from(2 * d + 1) / f64::from(side) - 1.0).powi(2);
        if away(dx) + away(dy) < 1.0 {
            picture.put_pixel(left + dx, top + dy, Rgb([30, 60, 210]));
        }
    }
    let found = |class: &str, area: [u32; 4]| Detection { class: class.into(), score: 1.0, area: area.map(f64::from) };
    (picture, vec![found("character", [x, y, wide, high]), found("clothing", [left, top, side, side])])
}

#[test]
fn a_detector_learns_from_a_folder_and_its_boxes_are_cut_out() {
    let place = TempDir::new().unwrap();
    let (input, at) = (place.path().join("in"), |name: &str| place.path().join(name));
    fs::create_dir_all(input.join("sub")).unwrap();
    let mut all = Vec::new();
    for i in 0..60 {
        let (picture, found) = scene(i);
        let file = format!("{}{i:03}.png", if i % 2 == 0 { "" } else { "sub/" });
        picture.save(input.join(&file)).unwrap();
        all.extend(found.into_iter().map(|detection| (file.clone(), detection)));
    }
    Boxes::new(all).save(at("boxes.jsonl")).unwrap();
    fs::write(input.join("broken.png"), b"no picture").unwrap();
    let config = tiny();
    let examples = Examples::open(&input, &Boxes::open(at("boxes.jsonl")).unwrap(), config.size).unwrap();
    assert_eq!((examples.len(), examples.classes().join(" ")), (60, "character clothing".to_string()));
    let [learned, measured] = examples.split(0.2, Seed(1));
    let training = Training { steps: 300, batch: 8, rate: 4e-3, ..Training::default() };
    let mut losses = Vec::new();
    let train = |progress: &mut dyn FnMut(usize, f64)| {
        Detector::train(&learned, &config, &training, None, &Device::Cpu, progress).unwrap()
    };
    let detector = train(&mut |_, loss| losses.push(loss));
    let mean = |losses: &[f64]| losses.iter().sum::<f64>() / losses.len() as f64;
    println!("loss {:.3} to {:.3}", mean(&losses[..20]), mean(&losses[280..]));
    assert!(mean(&losses[280..]) < 0.5 * mean(&losses[..20]), "{losses:?}");
    let accuracy = detector.accuracy(&measured, &Find::default()).unwrap();
    accuracy.iter().for_each(|accuracy| println!("{accuracy}"));
    assert!(accuracy.iter().all(|of| of.boxes == 12 && of.found >= 0.7 && of.overlap > 0.5), "{accuracy:?}");

    detector.save(at("ssd.safetensors")).unwrap();
    let again = Detector::open(at("ssd.safetensors"), &Device::Cpu).unwrap();
    let (picture, find) = (scene(1000).0, Find::default());
    assert_eq!(again.detect(&picture, &find).unwrap(), detector.detect(&picture, &find).unwrap());
    assert!(detector.detect(&RgbImage::new(0, 4), &find).is_err());
    // Another training takes what fits.
    let start = Start::open(at("ssd.safetensors")).unwrap();
    let first = |start: Option<&Start>| {
        let (mut first, one) = (0.0, Training { steps: 1, ..training.clone() });
        Detector::train(&learned, &config, &one, start, &Device::Cpu, |_, loss| first = loss).unwrap();
        first
    };
    assert!(first(Some(&start)) < 0.5 * first(None));
    let wrong = Detector::import(at("ssd.safetensors"), &["a".into(), "b".into()], &Device::Cpu);
    assert!(wrong.unwrap_err().to_string().contains("torchvision's SSD300 for 2 classes"));

    let found = || detect_folder(&input, at("found"), &again, &find).unwrap();
    let ((boxes, first), (_, second)) = (found(), found());
    assert_eq!((first.made, first.kept, second.made, second.kept), (60, 0, 0, 60), "{first}");
    assert_eq!(first.problems.of("broken.png").len(), 1);
    assert_eq!(boxes.of("sub/001.png"), Boxes::open(at("found").join(BOXES)).unwrap().of("sub/001.png"));
    let options = PairOptions { score: 0.1, min_side: 8, ..PairOptions::default() };
    let (_, cut) = crop_pairs(&input, at("pairs"), &Boxes::open(at("found").join(BOXES)).unwrap(), &options).unwrap();
    assert!(cut.made >= 50, "{cut}");
}
