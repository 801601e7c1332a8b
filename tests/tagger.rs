//! The built-in tagger: what it reads, what it refuses, and that its training can be repeated.

use std::path::Path;

use candle_core::{Device, Tensor};
use image::{Rgb, RgbImage};
use rayon::prelude::*;
use tachie::data::Dataset;
use tachie::data::agreement::Agreement;
use tachie::data::avatar::Avatar;
use tachie::data::prepare::label::label_folder;
use tachie::data::tags::{TagSampler, TagSet};
use tachie::metrics::features::neighbours::nearest;
use tachie::metrics::labels::attributes::{Decision, Request, requests};
use tachie::metrics::nets::tagger::{FEATURES, Tagger, Training};
use tachie::rng::seed;
use tachie::{candle_core, image};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/metrics/nets/tagger/builtin.safetensors");

/// Faces that it was not trained on, and for each tag whether it is on.
fn faces(n: usize, from: u64) -> (Vec<RgbImage>, Vec<Vec<bool>>) {
    let faces = Avatar::faces().seed(seed(from));
    let face = |i| (faces.image(i).unwrap(), faces.spec(i).unwrap().labels.to_vec());
    (0..n).into_par_iter().map(face).unzip()
}

fn bits(tensor: &Tensor) -> Vec<u32> {
    tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap().into_iter().map(f32::to_bits).collect()
}

#[test]
fn the_weights_are_small_and_name_themselves() {
    assert!(std::fs::metadata(FILE).unwrap().len() <= 2 << 20);
    let (built_in, loaded) = (Tagger::builtin().unwrap(), Tagger::load(FILE, &Device::Cpu).unwrap());
    assert_eq!((built_in.hash(), built_in.hash().len()), (loaded.hash(), 64));
    assert_eq!(built_in.training(), &Training::default());
    assert_eq!((built_in.dims(), built_in.tags()), (FEATURES, &TagSet::make_girls()));
    assert!(built_in.resize_rule().contains("64 px"), "{}", built_in.resize_rule());
}

#[test]
fn unseen_drawn_faces_are_read() {
    const N: usize = 400;
    let (pictures, truth) = faces(N, 4_711);
    let read = Tagger::builtin().unwrap().labels_of(&pictures).unwrap();
    let accuracy = |id: usize| {
        let right = read.iter().zip(&truth).filter(|(read, truth)| Decision::new().seen(read, id) == truth[id]);
        right.count() as f64 / N as f64
    };
    let mean = (0..34).map(accuracy).sum::<f64>() / 34.0;
    let colours = (0..34).filter(|&id| read[0].tags().group_of(id).is_some());
    let worst = colours.map(accuracy).fold(1.0, f64::min);
    assert!(mean >= 0.97 && worst >= 0.93, "mean accuracy {mean}, of the worst colour {worst}, seed 4711");
    for labels in read {
        for group in labels.tags().groups() {
            let sum: f32 = group.members.iter().map(|&member| labels.values[member]).sum();
            assert!((sum - 1.0).abs() < 1e-5, "{}: {sum}", group.name);
        }
    }
}

/// The way of `data-manifests/anime-face-attrs.toml`: a folder of faces is labelled by the network, and the table is read.
#[test]
fn a_folder_is_labelled_and_labels_have_a_reliability() {
    const N: usize = 60;
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let drawn = Avatar::faces().size(64).seed(seed(4_712)).take(N).unwrap();
    std::fs::create_dir_all(at("faces/立ち絵")).unwrap();
    for i in 0..N {
        drawn.image(i).unwrap().save(at(&format!("faces/立ち絵/{i:02}, 顔.png"))).unwrap();
    }
    std::fs::write(at("faces/broken.png"), b"no picture").unwrap();
    let tagger = Tagger::builtin().unwrap();
    let report = label_folder(at("faces"), at("tags.csv"), &tagger).unwrap();
    assert_eq!((report.used, report.of("broken.png").len(), report.problems.len()), (N, 1, 1));
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("data-manifests/anime-face-attrs.toml");
    let text = std::fs::read_to_string(manifest).unwrap();
    std::fs::write(at("anime-face-attrs.toml"), text.replace("size = 128", "size = 64")).unwrap();
    let data = Dataset::open(at("anime-face-attrs.toml")).unwrap();
    assert_eq!((data.len(), data.tags()), (N, &TagSet::make_girls()));
    // The table of the network is what the network reads, by the papers' rule.
    let read = tagger.labels_of(&[drawn.image(7).unwrap()]).unwrap();
    let place = (0..N).find(|&i| data.image(i).unwrap() == drawn.image(7).unwrap()).unwrap();
    let labels = data.labels(place).unwrap();
    for id in 0..34 {
        let group = read[0].tags().group_of(id).is_some();
        let seen = Decision::new().seen(&read[0], id) && (!group || read[0].values[id] > 0.25);
        assert_eq!(labels.values[id] >= 0.5, seen, "{}", read[0].tags().names()[id]);
    }
    // Against the labels that it has written itself it is never wrong; against the true ones seldom: smiles are its weak spot.
    let own = tagger.reliability(&data).unwrap();
    let count = data.tag_table().rows.iter().find(|row| row.name == "smile").unwrap().count as u64;
    assert_eq!(own.of_tag("smile"), Some(&Agreement { right: count, told: count, wanted: count }));
    let truth = tagger.reliability(&drawn).unwrap();
    let smile = truth.of_tag("smile").unwrap();
    assert!(smile.f1() > 0.8 && smile.wanted > 10, "{smile}");
    assert_eq!(truth.table().unwrap().height(), 34);
    assert!(label_folder(at("nothing"), at("x.csv"), &tagger).is_err());
}

#[test]
fn a_picture_is_read_the_same_in_any_company() {
    let tagger = Tagger::builtin().unwrap();
    let (pictures, _) = faces(21, 5);
    let (together, features) = (tagger.labels_of(&pictures).unwrap(), tagger.features_of(&pictures).unwrap());
    assert_eq!(features.dims(), [21, FEATURES]);
    for i in [0, 3, 15, 16, 20] {
        let alone = std::slice::from_ref(&pictures[i]);
        assert_eq!(tagger.labels_of(alone).unwrap()[0].values, together[i].values, "picture {i}");
        let own = tagger.features_of(alone).unwrap();
        assert_eq!(bits(&own), bits(&features.narrow(0, i, 1).unwrap()), "picture {i}");
    }
}

#[test]
fn pictures_of_any_size_are_taken_and_none_is_refused() {
    let tagger = Tagger::builtin().unwrap();
    let pixel = RgbImage::from_pixel(1, 1, Rgb([250, 10, 60]));
    let wide = RgbImage::from_pixel(300, 7, Rgb([250, 10, 60]));
    let read = tagger.labels_of(&[pixel, wide]).unwrap();
    assert!(read.iter().all(|labels| labels.values.iter().all(|value| (0.0..=1.0).contains(value))));
    assert!(tagger.labels_of(&[]).unwrap_err().to_string().contains("pictures"));
    assert!(tagger.features_of(&[RgbImage::new(0, 3)]).is_err());
    assert!(tagger.labels(&Tensor::zeros((1, 4, 8, 8), candle_core::DType::F32, &Device::Cpu).unwrap()).is_err());
    // A face at twice its size is nearly the same to it.
    let read = |size: u32| {
        let faces = Avatar::faces().size(size);
        let pictures: Vec<RgbImage> = (0..24).map(|i| faces.image(i).unwrap()).collect();
        tagger.labels_of(&pictures).unwrap().into_iter().flat_map(|labels| labels.values).collect::<Vec<f32>>()
    };
    let (small, large) = (read(64), read(128));
    let apart = small.iter().zip(&large).map(|(a, b)| (a - b).abs()).sum::<f32>() / small.len() as f32;
    assert!(apart < 0.04, "probabilities are {apart} apart");
}

#[test]
fn the_distance_grows_with_the_change() {
    let tagger = Tagger::builtin().unwrap();
    let pictures = Avatar::faces().take(10).unwrap().images(10).unwrap().tensor;
    let noise = seed(1).stream("noise").normal_tensor(pictures.dims(), &Device::Cpu).unwrap();
    let noisy = |strength: f64| (&pictures + (&noise * strength).unwrap()).unwrap();
    let distances = |other: &Tensor| tagger.distances(&pictures, other).unwrap().to_vec1::<f32>().unwrap();
    assert_eq!(distances(&pictures), [0.0; 10]);
    let found = [0.05, 0.2, 0.6].map(|strength| distances(&noisy(strength)));
    for i in 0..10 {
        assert!(0.0 < found[0][i] && found[0][i] < found[1][i] && found[1][i] < found[2][i], "face {i}: {found:?}");
    }
    assert_eq!(found[1], tagger.distances(&noisy(0.2), &pictures).unwrap().to_vec1::<f32>().unwrap());
    let fewer = pictures.narrow(0, 0, 3).unwrap();
    assert!(tagger.distances(&fewer, &pictures).unwrap_err().to_string().contains("second pictures"));
}

#[test]
fn attribute_precision_and_neighbours_take_what_it_reads() {
    let tagger = Tagger::builtin().unwrap();
    let tags = TagSet::make_girls();
    let asked: Vec<Request> = requests(&tags, TagSampler::Uniform, 2, seed(3)).unwrap();
    let draw = |(i, request): (usize, &Request)| {
        let face = tachie::data::avatar::faces::FaceSpec::sample(&request.labels, seed(i as u64)).unwrap();
        tachie::data::avatar::faces::render(&face, 64).unwrap()
    };
    let pictures: Vec<RgbImage> = asked.iter().enumerate().map(draw).collect();
    let precision = tagger.precision(&asked, &pictures).unwrap();
    assert!(precision.score().value >= 0.9, "{}", precision.score());
    assert!(tagger.precision(&asked[1..], &pictures).is_err());
    let features = tagger.features_of(&pictures).unwrap();
    let found = nearest(&features.narrow(0, 7, 1).unwrap(), &features, 1).unwrap();
    assert_eq!(found[0][0].index, 7);
}

#[test]
fn a_file_of_something_else_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = std::fs::read(FILE).unwrap();
    let refused = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        let message = Tagger::load(&path, &Device::Cpu).unwrap_err().to_string();
        assert!(message.contains(name), "{message}");
        message
    };
    refused("short.safetensors", &bytes[..bytes.len() / 2]);
    refused("picture.safetensors", b"no weights at all");
    // The same header with another kind in its place, and with another name for a tensor.
    let replaced = |from: &str, to: &str| {
        let at = bytes.windows(from.len()).position(|window| window == from.as_bytes()).unwrap();
        [&bytes[..at], to.as_bytes(), &bytes[at + from.len()..]].concat()
    };
    assert!(refused("kind.safetensors", &replaced("\\\"tagger\\\"", "\\\"lagger\\\"")).contains("something else"));
    assert!(refused("names.safetensors", &replaced("hidden.bias", "hidden.bios")).contains("hidden.bias is missing"));
    assert!(Tagger::load(folder.path().join("absent"), &Device::Cpu).is_err());
}

#[test]
fn a_training_can_be_repeated_bit_for_bit_and_learns() {
    let training = Training { faces: 24, steps: 16, batch: 12, ..Training::default() };
    let train = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| training.run(|_, _| {}).unwrap())
    };
    let (one, two) = (train(1), train(2));
    assert_eq!((one.hash(), one.losses()), (two.hash(), two.losses()));
    let mean = |losses: &[f64]| losses.iter().sum::<f64>() / losses.len() as f64;
    assert!(mean(&one.losses()[12..]) < 0.95 * mean(&one.losses()[..4]), "{:?}", one.losses());
    let other = Training { seed: seed(1), steps: 2, ..training.clone() }.run(|_, _| {}).unwrap();
    assert_ne!(other.losses()[..2], one.losses()[..2]);
    let tagger = one.tagger(&Device::Cpu).unwrap();
    assert_eq!((tagger.hash(), tagger.training()), (&*one.hash(), &training));
    for none in [Training { faces: 0, ..training.clone() }, Training { batch: 0, ..training.clone() }] {
        assert!(none.run(|_, _| {}).unwrap_err().to_string().contains("training of the tagger"));
    }
}
