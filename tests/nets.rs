//! The networks of metrics against the programs that published them, with weights that are a formula
//! (fixtures/nets/make.py).

#[path = "common/formula.rs"]
mod formula;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Instant;

use candle_core::{DType, Device, Tensor, Var};
use formula::noise;
use image::RgbImage;
use tachie::data::avatar::Avatar;
use tachie::data::batch::Batch;
use tachie::metrics::nets::illustration2vec::{self, Illustration2Vec};
use tachie::metrics::nets::inception::{Inception, Tap};
use tachie::metrics::nets::lpips::Lpips;
use tachie::metrics::nets::resize::Protocol;
use tachie::metrics::nets::trunk::{Architecture, Trunk, normalized};
use tachie::metrics::nets::weights::{Kind, Weights};
use tachie::models::baselines::pix2pixhd::{self, Pix2pixHd, Pix2pixHdConfig, VggDistance, VggTerm};
use tachie::nn::params::{ParamStore, Training};
use tachie::rng::Seed;
use tachie::train::gan::{Gan, Player, Step};
use tachie::train::plan::Position;
use tachie::weights::{pytorch, safetensors};

fn golden(name: &str) -> &'static Tensor {
    static GOLDEN: OnceLock<BTreeMap<String, Tensor>> = OnceLock::new();
    let golden = GOLDEN.get_or_init(|| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/nets/golden.safetensors");
        safetensors::read(path).unwrap().tensors
    });
    &golden[name]
}

/// Published heads of LPIPS.
fn shared(name: &str) -> Option<PathBuf> {
    beside(&format!("lpips/{name}"))
}

/// Data that is not part of the project, when it lies beside it.
fn beside(name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/real").join(name);
    if !path.exists() {
        println!("skipped: {} is absent", path.display());
    }
    path.exists().then_some(path)
}

fn numbers(name: &str, shape: &[usize]) -> Tensor {
    let fan_in: usize = shape.iter().skip(1).product();
    let number = |u: f64| {
        if name.ends_with("running_var") {
            0.5 + u
        } else if name.starts_with("lin") {
            u
        } else if name.ends_with("bn.weight") {
            0.8 + 0.4 * u
        } else if shape.len() >= 2 {
            let scale = if name.starts_with("conv6_4") { 0.01 } else { 1.0 };
            (2.0 * u - 1.0) * (6.0 / fan_in as f64).sqrt() * scale
        } else {
            0.2 * u - 0.1
        }
    };
    let values: Vec<f32> = noise(name, shape.iter().product()).map(|u| number(u) as f32).collect();
    Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
}

fn formula(kind: Kind) -> BTreeMap<String, Tensor> {
    kind.tensors().unwrap().into_iter().map(|(name, shape)| (name.clone(), numbers(&name, &shape))).collect()
}

fn picture(seed: u32, width: u32, height: u32) -> RgbImage {
    let shake = noise(&format!("picture {seed}"), (width * height * 3) as usize).map(|u| (u * 64.0) as u32);
    let bytes = shake.enumerate().map(|(i, shake)| {
        let (c, x, y) = (i as u32 % 3, i as u32 / 3 % width, i as u32 / 3 / width);
        ((x * (3 + c) + y * (5 - c) + 40 * c + shake) % 256) as u8
    });
    RgbImage::from_raw(width, height, bytes.collect()).unwrap()
}

/// `[1, 3, H, W]`, 0 to 255.
fn planes(picture: &RgbImage) -> Tensor {
    let (width, height) = picture.dimensions();
    let bytes: Vec<f32> = picture.as_raw().iter().map(|&byte| f32::from(byte)).collect();
    let pixels = Tensor::from_vec(bytes, (1, height as usize, width as usize, 3), &Device::Cpu).unwrap();
    pixels.permute((0, 3, 1, 2)).unwrap().contiguous().unwrap()
}

fn flat(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

/// The largest difference over the largest number.
fn error(found: &Tensor, name: &str) -> f64 {
    let expected = golden(name);
    assert_eq!(found.elem_count(), expected.elem_count(), "{name}: {:?}, expected {:?}", found.dims(), expected.dims());
    let (found, expected) = (flat(found), flat(expected));
    let largest = expected.iter().fold(0f32, |largest, value| largest.max(value.abs()));
    let differences = found.iter().zip(&expected).map(|(a, b)| f64::from((a - b).abs()));
    let error =
        differences.fold(0f64, |a, b| if a.is_nan() || b.is_nan() { f64::NAN } else { a.max(b) }) / f64::from(largest);
    println!("{name}: {error:.1e}");
    error
}

fn agrees(found: &Tensor, name: &str) {
    let error = error(found, name);
    assert!(error <= 1e-4, "{name}: relative error {error:.1e}");
}

#[test]
fn pictures_are_resized_as_the_programs_of_fid_do() {
    for protocol in Protocol::ALL {
        let name = |size: &str| format!("prepared.{}.{size}", protocol.name());
        for (size, picture) in [("smaller", picture(1, 50, 37)), ("larger", picture(2, 11, 9))] {
            let error = error(&protocol.prepare(&picture, 23).unwrap(), &name(size));
            assert!(error <= 2e-6, "{}: {error:.1e}", name(size));
        }
    }
}

#[test]
fn inception_is_that_of_pytorch_fid_for_every_protocol() {
    let net = Inception::new(&formula(Kind::Inception), &Device::Cpu).unwrap();
    let pictures = [picture(1, 50, 37)];
    for protocol in Protocol::ALL {
        let name = |tap: &str| format!("inception.{}.{tap}", protocol.name());
        let started = Instant::now();
        let features = net.features_of(&pictures, protocol, Tap::Pool3).unwrap();
        println!("{}: {:.0?}", protocol.name(), started.elapsed());
        agrees(&features, &name("2048"));
        agrees(&net.logits(&features).unwrap(), &name("logits"));
        for (tap, dims) in [(Tap::Pool1, "64"), (Tap::Pool2, "192"), (Tap::Mixed6e, "768")] {
            if tap == Tap::Mixed6e || protocol == Protocol::Clean {
                agrees(&net.features_of(&pictures, protocol, tap).unwrap(), &name(dims));
            }
        }
    }
}

#[test]
fn a_picture_has_the_same_features_in_any_company() {
    let net = Inception::new(&formula(Kind::Inception), &Device::Cpu).unwrap();
    let pictures: Vec<RgbImage> = (0..11).map(|seed| picture(seed, 20, 20)).collect();
    let features = |pictures| net.features_of(pictures, Protocol::Clean, Tap::Pool3).unwrap();
    let (all, alone) = (features(&pictures), features(&pictures[10..]));
    assert_eq!(all.dims(), [11, 2048]);
    assert_eq!(flat(&all.narrow(0, 10, 1).unwrap()), flat(&alone));
    let turned: Vec<RgbImage> = pictures.iter().rev().cloned().collect();
    assert_eq!(flat(&features(&turned).narrow(0, 0, 1).unwrap()), flat(&alone));
}

/// Mean and maximum of every plane.
fn moments(maps: &Tensor) -> Tensor {
    let planes = maps.flatten_from(2).unwrap();
    Tensor::stack(&[planes.mean(2).unwrap(), planes.max(2).unwrap()], 0).unwrap()
}

#[test]
fn trunks_are_those_of_torchvision() {
    let pair = Tensor::cat(&[planes(&picture(3, 64, 64)), planes(&picture(4, 64, 64))], 0).unwrap();
    let x = normalized(&(pair / 255.0).unwrap()).unwrap();
    for architecture in [Architecture::Alexnet, Architecture::Vgg16, Architecture::Vgg19, Architecture::Squeezenet] {
        let kind = architecture.kind();
        let net = Trunk::new(&formula(kind), architecture, &Device::Cpu).unwrap();
        let taps = net.taps(&x).unwrap();
        let channels: Vec<usize> = taps.iter().map(|tap| tap.dims()[1]).collect();
        assert_eq!(channels, architecture.tap_channels());
        for (i, tap) in taps.iter().enumerate() {
            agrees(&moments(tap), &format!("{}.{i}", kind.name()));
        }
        agrees(&moments(&net.forward(&x).unwrap()), &format!("{}.end", kind.name()));
        assert!(net.forward(&x.narrow(2, 0, 8).unwrap()).is_err());
    }
}

fn lpips_pairs() -> [Tensor; 2] {
    let picture = |seed| planes(&picture(seed, 70, 66));
    let pair = |a: Tensor, b: Tensor| ((Tensor::cat(&[a, b], 0).unwrap() / 127.5).unwrap() - 1.0).unwrap();
    [pair(picture(5), picture(6)), pair(picture(7), (picture(6) * 0.9).unwrap())]
}

const LPIPS: [(&str, Architecture, Kind); 3] = [
    ("alex", Architecture::Alexnet, Kind::LpipsAlex),
    ("vgg", Architecture::Vgg16, Kind::LpipsVgg),
    ("squeeze", Architecture::Squeezenet, Kind::LpipsSqueeze),
];

#[test]
fn lpips_is_that_of_its_package() {
    let [first, second] = lpips_pairs();
    for (name, architecture, kind) in LPIPS {
        let trunk = Trunk::new(&formula(architecture.kind()), architecture, &Device::Cpu).unwrap();
        let metric = Lpips::new(trunk.clone(), &formula(kind), &Device::Cpu).unwrap();
        agrees(&metric.distances(&first, &second).unwrap(), &format!("lpips.{name}"));
        agrees(&metric.spatial(&first, &second).unwrap(), &format!("lpips.{name}.spatial"));
        let (there, back) = (metric.distances(&first, &second).unwrap(), metric.distances(&second, &first).unwrap());
        assert_eq!(flat(&there), flat(&back));
        assert_eq!(flat(&metric.distances(&first, &first).unwrap()), [0.0, 0.0]);
        assert!(metric.distances(&first, &second.narrow(0, 0, 1).unwrap()).is_err());
        if let Some(path) = shared(&format!("{name}.pth")) {
            let heads = Weights::import(path, kind).unwrap();
            let metric = Lpips::new(trunk, &heads.tensors, &Device::Cpu).unwrap();
            agrees(&metric.distances(&first, &second).unwrap(), &format!("lpips.{name}.published"));
        }
    }
    let vgg19 = Trunk::new(&formula(Kind::Vgg19), Architecture::Vgg19, &Device::Cpu).unwrap();
    assert!(Lpips::new(vgg19, &formula(Kind::LpipsVgg), &Device::Cpu).unwrap_err().to_string().contains("VGG-19"));
}

/// Sums and largest numbers of the published heads (their authors' file, read by another program).
#[test]
fn published_heads_have_the_known_sums() {
    let Some(path) = shared("alex.pth") else { return };
    let weights = Weights::import(&path, Kind::LpipsAlex).unwrap();
    assert_eq!(weights.card.sha256, "df73285e35b22355a2df87cdb6b70b343713b667eddbda73e1977e0c860835c0");
    let known = [(2.34953, 0.492139), (16.1430, 1.04716), (39.2684, 1.32357), (27.1972, 0.747736), (20.3172, 0.413070)];
    for (i, (sum, largest)) in known.into_iter().enumerate() {
        let head = flat(&weights.tensors[&format!("lin{i}.model.1.weight")]);
        let found = head.iter().map(|&value| f64::from(value)).sum::<f64>();
        let top = head.iter().fold(f32::MIN, |top, &value| top.max(value));
        assert!(
            (found / sum - 1.0).abs() < 1e-5 && (f64::from(top) / largest - 1.0).abs() < 1e-5,
            "lin{i}: {found} {top}"
        );
        assert!(head.iter().all(|&value| value >= 0.0));
    }
    let Some(path) = shared("vgg.pth") else { return };
    assert_eq!(pytorch::read(&path).unwrap().len(), 5);
    let message = Weights::import(&path, Kind::LpipsAlex).unwrap_err().to_string();
    assert!(
        message.contains("vgg.pth") && message.contains("lin1.model.1.weight has shape [1, 128, 1, 1]"),
        "{message}"
    );
}

#[test]
fn illustration2vec_names_tags() {
    let net = Illustration2Vec::new(&formula(Kind::I2v), Kind::I2v, &Device::Cpu).unwrap();
    agrees(&net.outputs_of(&[picture(1, 50, 37)]).unwrap(), "i2v.tags");
    let x = Tensor::zeros((1, 3, 64, 64), candle_core::DType::F32, &Device::Cpu).unwrap();
    assert!(net.forward(&x).unwrap_err().to_string().contains("224"));
    assert_eq!(illustration2vec::prepare(&picture(1, 3, 3)).unwrap().dims(), [3, 224, 224]);
}

/// Takes 3 GiB: most of the network is one layer.
#[test]
fn illustration2vec_makes_features() {
    let net = Illustration2Vec::new(&formula(Kind::I2vFeatures), Kind::I2vFeatures, &Device::Cpu).unwrap();
    let features = net.outputs_of(&[picture(1, 50, 37)]).unwrap();
    assert_eq!(features.dims(), [1, illustration2vec::FEATURES]);
    agrees(&features, "i2v.features");
}

#[test]
fn the_published_list_names_every_tag() {
    let Some(path) = beside("moe/tag_list.json") else { return };
    let names = Illustration2Vec::tags_from(path).unwrap();
    assert_eq!([&names[0][..], &names[512], &names[1024]], ["1girl", "hatsune miku", "touhou"]);
    assert_eq!(names[1536..], ["safe", "questionable", "explicit"]);
}

#[test]
fn networks_have_the_published_numbers_of_parameters() {
    let count = |kind: Kind, buffers: bool| -> usize {
        let tensors = kind.tensors().unwrap();
        let counted = tensors.iter().filter(|(name, _)| buffers || !name.contains("running_"));
        counted.map(|(_, shape)| shape.iter().product::<usize>()).sum()
    };
    assert_eq!(count(Kind::Inception, false), 21_785_568 + 2_065_392);
    assert_eq!(count(Kind::Alexnet, true), 2_469_696);
    assert_eq!(count(Kind::Vgg16, true), 14_714_688);
    assert_eq!(count(Kind::Vgg19, true), 20_024_384);
    assert_eq!(count(Kind::Squeezenet, true), 722_496);
    assert_eq!(count(Kind::I2v, true), 47_001_475);
    // Without encode2, which only its training needed.
    assert_eq!(count(Kind::I2vFeatures, true), 238_341_504);
    assert_eq!(count(Kind::LpipsAlex, true), 64 + 192 + 384 + 256 + 256);
}

#[test]
fn weights_are_imported_saved_and_opened_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let mut tensors = formula(Kind::Alexnet);
    let more = |tensors: &BTreeMap<String, Tensor>, prefix: &str| -> BTreeMap<String, Tensor> {
        tensors.iter().map(|(name, tensor)| (format!("{prefix}{name}"), tensor.clone())).collect()
    };
    tensors.insert("classifier.6.bias".into(), numbers("x", &[1000]));
    let mut checkpoint = more(&tensors, "state_dict.module.");
    checkpoint.insert("optimizer.step".into(), numbers("step", &[1]));
    safetensors::write(path("published.safetensors"), &checkpoint, "").unwrap();
    let weights = Weights::import(path("published.safetensors"), Kind::Alexnet).unwrap();
    assert_eq!((weights.tensors.len(), &weights.left_out[..]), (10, &["classifier.6.bias".to_string()][..]));
    weights.save(path("alexnet.safetensors")).unwrap();
    let net = Trunk::open(path("alexnet.safetensors"), Architecture::Alexnet, &Device::Cpu).unwrap();
    assert_eq!(net.card(), Some(&weights.card));
    assert_eq!((weights.card.source.as_str(), weights.card.sha256.len()), ("published.safetensors", 64));

    let refused = |tensors: &BTreeMap<String, Tensor>| {
        safetensors::write(path("wrong.safetensors"), tensors, "").unwrap();
        Weights::import(path("wrong.safetensors"), Kind::Alexnet).unwrap_err().to_string()
    };
    let mut wrong = formula(Kind::Alexnet);
    wrong.remove("features.3.bias");
    wrong.insert("features.0.bias".into(), numbers("x", &[63]));
    wrong.insert("features.1.bias".into(), numbers("x", &[1]));
    wrong.insert("features.6.bias".into(), (numbers("x", &[384]) / 0.0).unwrap());
    let message = refused(&wrong);
    for part in [
        "wrong.safetensors",
        "features.3.bias is missing",
        "features.0.bias has shape [63] instead of [64]",
        "features.1.bias is surplus",
        "features.6.bias holds numbers that are not finite",
    ] {
        assert!(message.contains(part), "{message}, not {part}");
    }
    assert!(refused(&formula(Kind::LpipsAlex)).contains("more"));
    let open = |name: &str, kind| Weights::open(path(name), kind).unwrap_err().to_string();
    assert!(open("alexnet.safetensors", Kind::Vgg16).contains("kind alexnet"));
    assert!(open("published.safetensors", Kind::Alexnet).contains("tachie import torch --kind alexnet"));
    std::fs::write(path("text.pth"), "no weights at all").unwrap();
    assert!(Weights::import(path("text.pth"), Kind::Alexnet).unwrap_err().to_string().contains("text.pth"));
}

/// The term through a training's own way: a file of weights, a configuration that names it, one loss of the generator.
#[test]
fn the_perceptual_term_of_pix2pixhd() {
    let golden = |name: &str| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/nets/perceptual.safetensors");
        safetensors::read(path).unwrap().tensors[name].clone()
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vgg19.safetensors");
    safetensors::write(&path, &formula(Kind::Vgg19), "formula").unwrap();
    let vgg = VggDistance::open(&path, &Device::Cpu).unwrap();
    let pixels = |seed| ((planes(&picture(seed, 48, 32)) / 127.5).unwrap() - 1.0).unwrap();
    let (made, real) = (Var::from_tensor(&pixels(1)).unwrap(), pixels(2));
    let distance = vgg.distance(made.as_tensor(), &real).unwrap();
    let (found, wanted) = (distance.to_scalar::<f32>().unwrap(), golden("value").to_dtype(DType::F32).unwrap());
    let wanted = flat(&wanted)[0];
    assert!((found / wanted - 1.0).abs() < 1e-5, "{found}, PyTorch {wanted}");
    let gradients = tachie::autograd::backward(&distance).unwrap();
    let (found, wanted) = (flat(gradients.get(&made).unwrap()), flat(&golden("gradient")));
    let most = wanted.iter().fold(0f32, |most, g| most.max(g.abs()));
    let error = found.iter().zip(&wanted).fold(0f32, |most, (a, b)| most.max((a - b).abs())) / most;
    assert!(error < 1e-3, "gradient: {error:.1e}");

    let small = Pix2pixHdConfig { resolution: 32, channels: 2, judge_channels: 2, blocks: 1, ..Pix2pixHd::tiny() };
    let with = Pix2pixHdConfig { vgg: Some(VggTerm::new(&path)), ..small.clone() };
    let params = ParamStore::new(Seed(0), &Device::Cpu, DType::F32).unwrap();
    let networks = pix2pixhd::Adversaries::new(&with, &params.view(Training::All)).unwrap();
    let pictures = |seed| ((planes(&picture(seed, 32, 32)) / 127.5).unwrap() - 1.0).unwrap();
    let (images, sources) = (pictures(3), Some(pictures(4)));
    let batch = Batch { sources, ..Batch::of(images) };
    let mut step = Step::new(1, Seed(0), Position { stage: 0, resolution: 32, batch: 1, alpha: 1.0 });
    networks.share(&batch, &mut step).unwrap();
    let losses = networks.loss(Player::Generator, &batch, &mut step).unwrap();
    let made = step.get("made").unwrap();
    let wanted = vgg.distance(&made, &batch.images).unwrap().to_scalar::<f32>().unwrap();
    let term = losses.terms().iter().find(|term| term.name == "vgg").unwrap();
    assert_eq!((term.value.to_scalar::<f32>().unwrap(), term.weight), (wanted, 10.0));

    let gone = Pix2pixHdConfig { vgg: Some(VggTerm::new(folder.path().join("absent.pth"))), ..small };
    let model = gone.build(&Device::Cpu).unwrap();
    let costumes = Avatar::costumes().size(32).count(12).dataset().unwrap();
    let message = model.train_on(&costumes, folder.path().join("run")).unwrap_err().to_string();
    assert!(message.contains("absent.pth") && message.contains("tachie fetch weights-vgg19"), "{message}");
}
