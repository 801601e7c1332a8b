//! Networks that grow: what the papers print, and what two ways of computing the same thing say of each other
//! (specs/fullbody.md, section I).

use tachie::Result;
use tachie::candle_core::{DType, Device, Tensor};
use tachie::data::avatar::Avatar;
use tachie::data::dataset::{Dataset, Source};
use tachie::data::skeleton::{KeyPoint, Skeleton};
use tachie::data::tags::TagSet;
use tachie::losses::penalty::{Penalty, gradient_penalty};
use tachie::models::baselines::progan::{Progan, ProganConfig};
use tachie::models::psgan::{self, Psgan, PsganConfig};
use tachie::nn::params::{ParamStore, Training};
use tachie::nn::progressive::resample::{down_conv2d, up_conv2d};
use tachie::nn::progressive::{
    Discriminator, DiscriminatorSpec, Generator, GrowingShape, Group, Inject, Level, Poses,
};
use tachie::ops::max_pool::{Rounding, max_pool2d};
use tachie::ops::pose::{Pixels, add_pose_response};
use tachie::rng::seed;
use tachie::train::plan::{Growth, Reset};
use tachie::train::trainer::{Options, Trainer};

fn normal(name: &str, shape: &[usize]) -> Tensor {
    seed(11).stream(name).normal_tensor(shape, &Device::Cpu).unwrap().to_dtype(DType::F64).unwrap()
}

fn numbers(tensor: &Tensor) -> Vec<f64> {
    tensor.to_dtype(DType::F64).unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

/// Largest difference, relative to the largest expected number.
fn difference(found: &Tensor, expected: &Tensor) -> f64 {
    assert_eq!(found.dims(), expected.dims());
    let (found, expected) = (numbers(found), numbers(expected));
    let scale = expected.iter().fold(1e-12, |largest: f64, value| largest.max(value.abs()));
    found.iter().zip(&expected).map(|(a, b)| (a - b).abs() / scale).fold(0.0, f64::max)
}

/// Key points all over a picture of side `size`: on borders, between pixels, unknown, outside.
fn points(n: usize, keypoints: usize, size: usize) -> Tensor {
    let mut stream = seed(12).stream("points");
    let side = size as f64;
    let mut point = |i: usize| match i % 7 {
        0 => [0.0, side - 0.5, 1.0],
        1 => [stream.range(0.0, side), stream.range(0.0, side), 0.0],
        2 => [side + 3.0, 1.0, 1.0],
        3 => [-0.25, 2.0, 1.0],
        _ => [stream.range(0.0, side), stream.range(0.0, side), 1.0],
    };
    let numbers: Vec<f32> = (0..n * keypoints).flat_map(|i| point(i).map(|value| value as f32)).collect();
    Tensor::from_vec(numbers, (n, keypoints, 3), &Device::Cpu).unwrap()
}

/// specs/fullbody.md A.5 and B.3: generator and discriminator from 4 to 1024 px without poses, with 18 and 20 key points.
const COUNTS: [(usize, [[usize; 2]; 3]); 9] = [
    (4, [[6_556_163, 6_561_793], [6_639_107, 6_644_737], [6_648_323, 6_653_953]]),
    (8, [[11_277_318, 11_283_457], [11_443_206, 11_449_345], [11_461_638, 11_467_777]]),
    (16, [[15_998_473, 16_005_121], [16_247_305, 16_253_953], [16_274_953, 16_281_601]]),
    (32, [[20_719_628, 20_726_785], [21_051_404, 21_058_561], [21_088_268, 21_095_425]]),
    (64, [[22_490_383, 22_498_049], [22_863_631, 22_871_297], [22_905_103, 22_912_769]]),
    (128, [[22_933_394, 22_941_313], [23_327_378, 23_335_297], [23_371_154, 23_379_073]]),
    (256, [[23_044_309, 23_052_353], [23_448_661, 23_456_705], [23_493_589, 23_501_633]]),
    (512, [[23_072_120, 23_080_225], [23_481_656, 23_489_761], [23_527_160, 23_535_265]]),
    (1024, [[23_079_115, 23_087_249], [23_491_243, 23_499_377], [23_537_035, 23_545_169]]),
];

#[test]
fn parameter_counts_at_every_resolution() {
    for (resolution, expected) in COUNTS {
        for (keypoints, expected) in [0, 18, 20].into_iter().zip(expected) {
            let params = ParamStore::blank(&Device::Cpu, DType::F32).unwrap();
            let (scope, shape) = (params.view(Training::All), GrowingShape::paper(resolution));
            Generator::new(&shape, keypoints, &scope.pp("g")).unwrap();
            let spec = DiscriminatorSpec { keypoints, ..DiscriminatorSpec::default() };
            Discriminator::new(&shape, spec, &scope.pp("d")).unwrap();
            let found = ["g", "d"].map(|player| params.count(player));
            println!("{resolution:>5} px, {keypoints:>2} key points: {found:?}");
            assert_eq!(found, expected, "{resolution} px, {keypoints} key points");
        }
    }
}

/// The maps of a resolution are what maximum pooling makes of those at full size.
#[test]
fn maps_are_pooled_maps() {
    let poses = Poses::new(&points(3, 20, 64), 64).unwrap();
    let mut maps = poses.maps(64).unwrap();
    for resolution in [32, 16, 8, 4] {
        maps = max_pool2d(&maps, 2, 2, 0, Rounding::Down).unwrap();
        assert_eq!(numbers(&poses.maps(resolution).unwrap()), numbers(&maps), "{resolution} px");
    }
    let total: f64 = numbers(&poses.maps(64).unwrap()).iter().filter(|value| **value > 0.0).sum();
    assert!((1.0..60.0).contains(&total), "{total} points are known");
}

/// In both float types, with kernels of 3 and of 1, at full size and below: values and gradients.
#[test]
fn stamps_are_the_convolution_of_the_maps() {
    for (dtype, bound) in [(DType::F64, 1e-12), (DType::F32, 1e-5)] {
        for (k, resolution) in [(3, 32), (3, 4), (1, 16), (5, 4)] {
            let poses = Poses::new(&points(2, 20, 32), 32).unwrap();
            let weight = normal("weight", &[5, 20, k, k]).to_dtype(dtype).unwrap();
            let x = normal("x", &[2, 5, resolution, resolution]).to_dtype(dtype).unwrap();
            let upstream = normal("upstream", x.dims()).to_dtype(dtype).unwrap();
            let [stamps, dense] = [true, false].map(|stamped| {
                let weight = tachie::candle_core::Var::from_tensor(&weight).unwrap();
                let y = match stamped {
                    true => poses.add_response(&x, &weight).unwrap(),
                    false => (&x + poses.dense_response(&weight, resolution).unwrap()).unwrap(),
                };
                let gradients = tachie::autograd::backward_from(&y, &upstream).unwrap();
                (y, gradients.get(&weight).unwrap().clone())
            });
            let errors = [difference(&stamps.0, &dense.0), difference(&stamps.1, &dense.1)];
            println!("{dtype:?}, kernel {k}, {resolution} px: {errors:?}");
            assert!(errors.iter().all(|error| *error < bound), "{dtype:?}, kernel {k}, {resolution} px: {errors:?}");
        }
    }
}

#[test]
fn poses_that_do_not_fit_are_refused() {
    let poses = Poses::new(&points(2, 3, 16), 16).unwrap();
    let x = normal("x", &[2, 4, 16, 16]);
    let refused = |result: Result<Tensor>, word: &str| {
        let message = result.unwrap_err().to_string();
        assert!(message.contains(word), "{message}");
    };
    refused(poses.add_response(&x, &normal("w", &[4, 2, 3, 3])), "[4, 3, k, k]");
    refused(poses.add_response(&normal("y", &[3, 4, 16, 16]), &normal("w", &[4, 3, 3, 3])), "[2, C, 16, 16]");
    refused(poses.maps(32), "up to 16 px");
    let pixels = Pixels::new([Some([1, 2]), None].into_iter(), 2, [4, 4]);
    refused(add_pose_response(&normal("z", &[1, 4, 4, 4]), &normal("w", &[4, 2, 2, 2]), &pixels), "odd");
    assert!(Poses::new(&normal("p", &[2, 3]), 16).is_err() && Poses::new(&points(1, 1, 8), 12).is_err());
}

/// Fused and separate: one function, one gradient. What the fused layers of the authors compute without turning the
/// kernel is not tested here, but that ours turn it is.
#[test]
fn fused_convolutions_are_the_separate_ones() {
    let weight = normal("weight", &[4, 3, 3, 3]);
    for (name, x, up) in [("up", normal("x", &[2, 3, 4, 4]), true), ("down", normal("x", &[2, 3, 8, 8]), false)] {
        let [fused, separate] = [true, false].map(|fused| {
            let weight = tachie::candle_core::Var::from_tensor(&weight).unwrap();
            let x = tachie::candle_core::Var::from_tensor(&x).unwrap();
            let bias = normal("bias", &[4]);
            let y = match up {
                true => up_conv2d(&x, &weight, fused).unwrap(),
                false => down_conv2d(x.as_tensor(), weight.as_tensor().clone(), bias, fused).unwrap(),
            };
            let gradients = tachie::autograd::backward_from(&y, &normal("upstream", y.dims())).unwrap();
            [y, gradients.get(&weight).unwrap().clone(), gradients.get(&x).unwrap().clone()]
        });
        for (fused, separate) in fused.iter().zip(&separate) {
            let error = difference(fused, separate);
            assert!(error < 1e-13, "{name}: {error:.1e}");
        }
    }
}

/// Networks of 8 px with few channels, in f64.
fn small(keypoints: usize, inject: Inject, blur: bool, fused_from: usize) -> (ParamStore, Generator, Discriminator) {
    let shape = GrowingShape { resolution: 8, latent: 3, base: 16, max: 3, fused_from, ..GrowingShape::default() };
    let params = ParamStore::new(seed(13), &Device::Cpu, DType::F64).unwrap();
    let scope = params.view(Training::All);
    let spec = DiscriminatorSpec { group: Group::Whole, blur, keypoints, inject };
    let discriminator = Discriminator::new(&shape, spec, &scope.pp("d")).unwrap();
    (params.clone(), Generator::new(&shape, keypoints, &scope.pp("g")).unwrap(), discriminator)
}

/// Gradients of both penalties with respect to every number of the discriminator, against central differences in f64:
/// through the deviation over a minibatch of 5, in the middle of a fade, with poses and without.
#[test]
fn penalties_of_a_growing_discriminator_are_exact() {
    const H: f64 = 1e-6;
    for (name, keypoints, inject, blur, fused_from) in [
        ("progan", 0, Inject::Features, false, 8),
        ("psgan", 2, Inject::Both, false, 2048),
        ("stylegan", 0, Inject::Features, true, 8),
    ] {
        let (params, _, discriminator) = small(keypoints, inject, blur, fused_from);
        let poses = (keypoints > 0).then(|| Poses::new(&points(5, keypoints, 8), 8).unwrap());
        let level = Level { resolution: 8, alpha: 0.3 };
        let at = normal("at", &[5, 3, 8, 8]);
        for penalty in [Penalty::Norm { target: 1.0 }, Penalty::SquaredNorm] {
            let value =
                || gradient_penalty(&discriminator.at(level, poses.as_ref()).unwrap(), &at, penalty).unwrap();
            let gradients = tachie::autograd::backward(&value()).unwrap();
            for (parameter, var) in params.trainable("d") {
                let before = var.as_detached_tensor().copy().unwrap();
                let flat = numbers(&before);
                let expected: Vec<f64> = (0..flat.len())
                    .map(|index| {
                        let side = |h: f64| {
                            let mut moved = flat.clone();
                            moved[index] += h;
                            var.set(&Tensor::from_vec(moved, before.shape(), &Device::Cpu).unwrap()).unwrap();
                            value().to_scalar::<f64>().unwrap()
                        };
                        (side(H) - side(-H)) / (2.0 * H)
                    })
                    .collect();
                var.set(&before).unwrap();
                let found = gradients.get(&var).map_or_else(|| vec![0.0; flat.len()], numbers);
                let scale = expected.iter().fold(1e-3, |largest: f64, value| largest.max(value.abs()));
                let error = found.iter().zip(&expected).map(|(a, b)| (a - b).abs() / scale).fold(0.0, f64::max);
                println!("{name} {penalty:?} {parameter}: {error:.1e}");
                assert!(error < 2e-6, "{name}, {penalty:?}: gradient of {parameter} is off by {error:.1e}");
            }
        }
    }
}

/// A network at alpha 0 of a fade is the network that is half as large; at alpha 1 the small head says nothing.
#[test]
fn fades_begin_and_end_where_they_should() {
    let (_, generator, discriminator) = small(2, Inject::Features, false, 8);
    let poses = Poses::new(&points(4, 2, 8), 8).unwrap();
    let z = normal("z", &[4, 3]);
    let make = |level| generator.forward(&z, Some(&poses), level).unwrap();
    let (small, large) = (make(Level::full(4)), make(Level { resolution: 8, alpha: 0.0 }));
    let repeated = tachie::ops::resample::upsample_nearest(&small, 2).unwrap();
    assert!(difference(&large, &repeated) < 1e-14);
    let judge = |x: &Tensor, level| discriminator.forward(x, Some(&poses), level).unwrap();
    let x = normal("x", &[4, 3, 8, 8]);
    let halved = tachie::ops::resample::avg_pool2d(&x, 2).unwrap();
    let same = difference(&judge(&x, Level { resolution: 8, alpha: 0.0 }), &judge(&halved, Level::full(4)));
    assert!(same < 1e-13, "{same}");
    let middle = make(Level { resolution: 8, alpha: 0.25 });
    let mixed = ((make(Level::full(8)) * 0.25).unwrap() + (repeated * 0.75).unwrap()).unwrap();
    assert!(difference(&middle, &mixed) < 1e-14);
}

#[test]
fn a_minibatch_that_the_group_does_not_divide_is_refused() {
    let shape = GrowingShape { resolution: 4, base: 16, max: 4, ..GrowingShape::default() };
    let params = ParamStore::new(seed(1), &Device::Cpu, DType::F32).unwrap();
    let build = |group| {
        let spec = DiscriminatorSpec { group, ..DiscriminatorSpec::default() };
        Discriminator::new(&shape, spec, &params.view(Training::All)).unwrap()
    };
    let x = |n| Tensor::zeros((n, 3, 4, 4), DType::F32, &Device::Cpu).unwrap();
    let message = build(Group::Of(4)).forward(&x(5), None, Level::full(4)).unwrap_err().to_string();
    assert!(message.contains("5 pictures in groups of 4") && message.contains("whole batch"), "{message}");
    for n in [1, 2, 5] {
        let scores = build(Group::Whole).forward(&x(n), None, Level::full(4)).unwrap();
        assert!(scores.dims() == [n, 1] && numbers(&scores).iter().all(|score| score.is_finite()));
    }
    assert_eq!(build(Group::Of(4)).forward(&x(3), None, Level::full(4)).unwrap().dims(), [3, 1]);
}

/// Faces with key points here and there: what PSGAN needs of a data set.
struct Posed {
    faces: Dataset,
    skeleton: Skeleton,
}

impl Source for Posed {
    fn len(&self) -> usize {
        self.faces.len()
    }
    fn tags(&self) -> &TagSet {
        self.faces.tags()
    }
    fn image(&self, i: usize) -> Result<tachie::image::RgbImage> {
        self.faces.image(i)
    }
    fn labels(&self, i: usize) -> Vec<f32> {
        self.faces.labels(i).unwrap().values
    }
    fn skeleton(&self) -> Option<&Skeleton> {
        Some(&self.skeleton)
    }
    fn keypoints(&self, i: usize) -> Vec<KeyPoint> {
        let mut stream = seed(i as u64).stream("points");
        let side = f64::from(self.size());
        let mut place = || stream.range(0.0, side) as f32;
        (0..self.skeleton.len()).map(|_| [place(), place(), 1.0]).collect()
    }
    fn name(&self) -> String {
        "posed faces".to_string()
    }
    fn fingerprint(&self) -> String {
        self.faces.fingerprint()
    }
    fn size(&self) -> u32 {
        self.faces.size()
    }
}

fn posed(size: u32, n: usize) -> Dataset {
    let faces = Avatar::faces().size(size).take(n).unwrap();
    Dataset::from_source(Posed { faces, skeleton: Skeleton::new(&["left hand", "right hand", "head"]).unwrap() })
}

/// Trains through two fades; stopped in the middle of the second, it goes on as if nothing had been.
#[test]
fn a_run_that_is_resumed_in_the_middle_of_a_fade_is_the_same_run() {
    // 4 px for 16 pictures, 8 px for 16 + 16, 16 px for 24 + 8, at minibatches of 5 and 2 too.
    let mut growth = Growth::psgan(16).scaled(1e-12);
    for (phase, (fade, stable, batch)) in growth.phases.iter_mut().zip([(0, 16, 4), (16, 16, 5), (24, 8, 2)]) {
        (phase.fade, phase.stable, phase.batch) = (fade, stable, batch);
    }
    assert_eq!(growth.reset, Reset::Fades);
    let network = GrowingShape { resolution: 16, latent: 8, base: 64, max: 8, ..GrowingShape::default() };
    let config = PsganConfig { network, growth, mismatch: 0.5, ..Psgan::tiny() }.keypoints(3);
    let data = posed(16, 20);
    let open = |folder: &std::path::Path| {
        let options = Options::default().device(&Device::Cpu).seed(seed(4));
        Trainer::open::<psgan::Adversaries>(&config, &data, folder, options).unwrap()
    };
    let (once, parts) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut whole = open(once.path());
    whole.steps(24).unwrap();
    let records = whole.history().unwrap().records().to_vec();
    // Steps 1-4 at 4 px, 5-8 fade at 8 px, 9-11 there, 12-23 fade at 16 px.
    let fading: Vec<bool> = records.iter().map(|record| record.alpha < 1.0).collect();
    assert!(fading[4] && fading[7] && !fading[9] && fading[12] && fading[16] && !fading[23], "{fading:?}");
    for cut in [4, 6, 17] {
        let folder = parts.path().join(cut.to_string());
        open(&folder).steps(cut).unwrap();
        let mut rest = open(&folder);
        assert_eq!(rest.steps_done(), cut);
        rest.steps(24 - cut).unwrap();
        for (a, b) in [
            (whole.networks().params, rest.networks().params),
            (whole.networks().average, rest.networks().average),
        ] {
            for (name, tensor) in a.tensors() {
                assert_eq!(numbers(&tensor), numbers(&b.tensors()[&name]), "after {cut} steps: {name}");
            }
        }
    }
    let preview = whole.preview().unwrap();
    assert_eq!(preview.tensor.dims(), [16, 3, 16, 16]);
}

#[test]
fn configurations_survive_toml_and_bad_ones_are_refused() {
    for config in [Progan::paper(), Progan::tiny(), Progan::beside_psgan()] {
        config.check().unwrap();
        assert_eq!(toml::from_str::<ProganConfig>(&toml::to_string(&config).unwrap()).unwrap(), config);
    }
    for config in [Psgan::paper(), Psgan::tiny(), Psgan::deepfashion().half_life(10_000.0)] {
        config.check().unwrap();
        assert_eq!(toml::from_str::<PsganConfig>(&toml::to_string(&config).unwrap()).unwrap(), config);
    }
    let refused = |config: PsganConfig, word: &str| {
        let message = config.check().unwrap_err().to_string();
        assert!(message.contains(word), "{message}");
    };
    refused(Psgan::tiny().keypoints(0), "Progressive GAN");
    refused(PsganConfig { growth: Growth::psgan(64), ..Psgan::tiny() }, "64 px");
    refused(PsganConfig { mismatch: f64::NAN, ..Psgan::tiny() }, "NaN");
}
