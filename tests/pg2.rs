//! PG2: counts of its stages, both stages' losses against PyTorch (tests/fixtures/pg2/make.py), and a training on pairs.

use std::collections::BTreeMap;

use tachie::candle_core::{DType, Device, Tensor};
use tachie::data::avatar::Avatar;
use tachie::data::batch::{Batch, Images};
use tachie::data::dataset::{Dataset, Source};
use tachie::data::skeleton::{KeyPoint, Skeleton};
use tachie::data::tags::TagSet;
use tachie::metrics::evaluate::{Evaluation, Metric};
use tachie::metrics::pictures::ssim::Ssim;
use tachie::models::baselines::pg2::{Adversaries, Pg2, Pg2Config, pose_mask};
use tachie::nn::params::{ParamStore, Training};
use tachie::rng::{Seed, seed};
use tachie::train::gan::{Gan, Player, Step};
use tachie::train::plan::Position;
use tachie::train::trainer::Options;

fn small() -> Pg2Config {
    Pg2Config {
        resolution: 32,
        channels: 2,
        judge_channels: 3,
        keypoints: 2,
        bottleneck: 3,
        limbs: vec![[0, 1]],
        l1: 10.0,
        batch: 2,
        first_steps: 3,
        second_steps: 3,
        ..Pg2Config::default()
    }
}

/// size · sin(0.7·i + key), number by number.
fn filled(shape: &[usize], key: f64, size: f64) -> Tensor {
    let numbers: Vec<f64> = (0..shape.iter().product()).map(|i: usize| size * (0.7 * i as f64 + key).sin()).collect();
    Tensor::from_vec(numbers, shape, &Device::Cpu).unwrap()
}

fn numbers(tensor: &Tensor) -> Vec<f64> {
    tensor.to_dtype(DType::F64).unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

/// specs/fullbody.md C.2.
#[test]
fn counts_of_the_authors_tables() {
    let params = ParamStore::blank(&Device::Cpu, DType::F32).unwrap();
    Adversaries::new(&Pg2::paper(), &params.view(Training::All)).unwrap();
    let counts = ["g.coarse", "g.refiner", "d"].map(|prefix| params.count(prefix));
    assert_eq!(counts, [122_103_235, 12_696_067, 10_896_257]);
    let params = ParamStore::blank(&Device::Cpu, DType::F32).unwrap();
    Adversaries::new(&Pg2Config { keypoints: 20, limbs: vec![], ..Pg2::paper() }, &params.view(Training::All)).unwrap();
    assert_eq!(params.count("g.coarse"), 122_105_539);
}

#[test]
fn both_stages_are_pytorchs() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/pg2/golden.safetensors");
    let golden: BTreeMap<String, Tensor> = tachie::weights::safetensors::read(path).unwrap().tensors;
    let params = ParamStore::blank(&Device::Cpu, DType::F64).unwrap();
    let networks = Adversaries::new(&small(), &params.view(Training::All)).unwrap();
    for (i, (_, var)) in params.trainable("").into_iter().enumerate() {
        var.set(&filled(var.dims(), i as f64, 0.3)).unwrap();
    }
    let same = |name: &str, found: &Tensor, bound: f64| {
        let (found, expected) = (numbers(found), numbers(&golden[name]));
        assert_eq!(found.len(), expected.len(), "{name}");
        let scale = expected.iter().fold(1e-12f64, |most, value| most.max(value.abs()));
        let error = found.iter().zip(&expected).map(|(a, b)| (a - b).abs() / scale).fold(0.0, f64::max);
        assert!(error < bound, "{name} is off by {error:.1e}");
    };

    let points = [0.1f32, 0.2, 1.0, 0.8, 0.9, 1.0, 0.5, 0.5, 1.0, 0.3, 0.7, 0.0];
    let points = Tensor::from_vec(points.to_vec(), (2, 2, 3), &Device::Cpu).unwrap();
    same("mask", &pose_mask(&points, &[[0, 1]], 32, 4.0).unwrap(), 1e-12);
    let picture = |key: f64| filled(&[2, 3, 32, 32], key, 1.0);
    let batch = Batch { points: Some(points.clone()), sources: Some(picture(0.9)), ..Batch::of(picture(0.3)) };
    let made = networks.make(&picture(0.9), &points).unwrap();
    same("coarse", &made.coarse, 1e-5);
    same("refined", &made.refined, 1e-5);
    for (name, who, stage, prefix) in [
        ("stage1", Player::Generator, 0, "g.coarse."),
        ("stage2", Player::Generator, 1, "g.refiner."),
        ("critic", Player::Discriminator, 1, "d."),
    ] {
        let position = Position { stage, resolution: 32, batch: 2, alpha: 1.0 };
        let mut step = Step::new(2, Seed(0), position);
        let loss = networks.loss(who, &batch, &mut step).unwrap().total().unwrap();
        same(name, &loss, 1e-5);
        let gradients = tachie::autograd::backward(&loss).unwrap();
        for (name, var) in params.trainable(prefix.trim_end_matches('.')) {
            if name.starts_with(prefix) {
                same(&name, gradients.get(&var).unwrap(), 1e-4);
            }
        }
        let frozen = params.trainable("g.coarse");
        assert_eq!(stage == 0, frozen.iter().any(|(_, var)| gradients.get(var).is_some()), "{name}: the first stage");
    }
}

/// Faces of four people, told by their key, with two key points each.
struct People {
    faces: Dataset,
    skeleton: Skeleton,
}

impl Source for People {
    fn len(&self) -> usize {
        self.faces.len()
    }
    fn tags(&self) -> &TagSet {
        self.faces.tags()
    }
    fn image(&self, i: usize) -> tachie::Result<tachie::image::RgbImage> {
        self.faces.image(i)
    }
    fn labels(&self, i: usize) -> Vec<f32> {
        self.faces.labels(i).unwrap().values
    }
    fn skeleton(&self) -> Option<&Skeleton> {
        Some(&self.skeleton)
    }
    fn keypoints(&self, i: usize) -> Vec<KeyPoint> {
        vec![[i as f32, 3.0, 1.0], [20.0, 2.0 * i as f32, 1.0]]
    }
    fn key(&self, i: usize) -> String {
        format!("{}/{i}", i % 4)
    }
    fn name(&self) -> String {
        "people".into()
    }
    fn fingerprint(&self) -> String {
        self.faces.fingerprint()
    }
    fn size(&self) -> u32 {
        self.faces.size()
    }
}

fn people() -> Dataset {
    let faces = Avatar::faces().size(32).take(13).unwrap();
    Dataset::from_source(People { faces, skeleton: Skeleton::new(&["head", "hand"]).unwrap() })
}

fn whom(key: &str) -> String {
    key.split('/').next().unwrap_or_default().to_string()
}

#[test]
fn pairs_show_one_person_twice() {
    let data = people();
    let pairs = data.pairs(200, seed(3), whom).unwrap();
    assert_eq!((pairs.len(), pairs.train().len()), (200, 200));
    let position = |image: tachie::image::RgbImage| {
        (0..data.len()).find(|&i| data.image(i).unwrap() == image).expect("a picture of the data set")
    };
    for i in 0..40 {
        let (source, target) = (position(pairs.source_image(i).unwrap()), position(pairs.image(i).unwrap()));
        assert!(source != target && source % 4 == target % 4, "{source} {target}");
        assert_eq!(pairs.keypoints(i).unwrap(), data.keypoints(target).unwrap());
        assert_eq!(pairs.source_pose(i).unwrap(), data.pose(source).ok());
    }
    assert_eq!(pairs.fingerprint(), data.pairs(200, seed(3), whom).unwrap().fingerprint());
    assert!(data.pairs(5, seed(3), |key| key.to_string()).is_err(), "everybody is alone");
}

#[test]
fn both_stages_are_trained_and_used() {
    let folder = tempfile::tempdir().unwrap();
    let pairs = people().pairs(20, seed(3), whom).unwrap();
    let gan = small().build(&Device::Cpu).unwrap();
    let mut run = gan.train_with(&pairs, folder.path(), Options::default().device(&Device::Cpu)).unwrap();
    let state = |prefix: &str| -> Vec<f64> {
        gan.params().trainable(prefix).iter().flat_map(|(_, var)| numbers(var.as_tensor())).collect()
    };
    let before = ["g.coarse", "g.refiner", "d"].map(state);
    run.steps(3).unwrap();
    let first = ["g.coarse", "g.refiner", "d"].map(state);
    assert!(first[0] != before[0] && first[1..] == before[1..], "only the coarse network learns");
    run.steps(3).unwrap();
    let second = ["g.coarse", "g.refiner", "d"].map(state);
    assert!(second[0] == first[0] && second[1] != first[1] && second[2] != first[2], "only the others learn");

    let poses = pairs.poses(&[0, 1, 2]).unwrap();
    let made = gan.repose(&pairs.images(3).unwrap(), &poses).unwrap();
    assert_eq!((made.len(), made.size()), (3, (32, 32)));
    let message = gan.train_on(&people(), folder.path().join("single")).unwrap_err().to_string();
    assert!(message.contains("pairs"), "{message}");
}

/// specs/fullbody.md B.7: SSIM and mask-SSIM are of what PG2 translates, and of nothing else.
#[test]
fn quality_is_compared_with_the_true_pictures() {
    let pairs = people().pairs(6, seed(3), whom).unwrap();
    let gan = small().build(&Device::Cpu).unwrap();
    let results = Evaluation::on(&pairs)
        .metrics(Metric::quality(gan.config()))
        .model("PG2", &gan)
        .model("others", &pairs.images(6).unwrap())
        .quiet()
        .run()
        .unwrap();
    let all: Vec<usize> = (0..6).collect();
    let sources: Vec<_> = all.iter().map(|&i| pairs.source_image(i).unwrap()).collect();
    let poses = pairs.poses(&all).unwrap();
    let made = gan.repose(&Images::from_rgb(&sources).unwrap(), &poses).unwrap();
    let (made, real) = (Images::from_rgb(&made.to_rgb().unwrap()).unwrap().tensor, pairs.images(6).unwrap().tensor);
    let masks = pose_mask(&poses, &[[0, 1]], 32, 4.0).unwrap().affine(2.0, -1.0).unwrap();
    let expected = [
        Ssim::uniform().score(&real, &made).unwrap().value,
        Ssim::uniform().masked(&real, &made, &masks).unwrap().value,
    ];
    let found = ["ssim", "mask-ssim"].map(|key| results.value(key).unwrap());
    assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-12), "{found:?} {expected:?}");
    let keys: Vec<&str> = results.rows[1].measured.iter().map(|measured| measured.key.as_str()).collect();
    assert_eq!(keys, ["fid", "sharpness"]);
    assert!(results.notes.iter().any(|note| note.contains("others") && note.contains("ssim")), "{:?}", results.notes);
}
