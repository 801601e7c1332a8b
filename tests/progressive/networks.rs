//! What growing networks are made of: fused convolutions, fades, groups, penalties.

use tachie::candle_core::{DType, Device, Tensor};
use tachie::losses::penalty::{Penalty, gradient_penalty};
use tachie::nn::params::{ParamStore, Training};
use tachie::nn::progressive::resample::{down_conv2d, up_conv2d};
use tachie::nn::progressive::{Discriminator, DiscriminatorSpec, Generator, Group, GrowingShape, Inject, Level, Poses};
use tachie::rng::seed;

use crate::{difference, normal, numbers, points};

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

/// Inside, blurred ones are ones; a border pixel misses a quarter, a corner a quarter of the rest.
#[test]
fn blur_keeps_the_mean_inside() {
    let ones = Tensor::ones((1, 2, 5, 5), DType::F64, &Device::Cpu).unwrap();
    let blurred = tachie::ops::fir::blur(&ones).unwrap().get(0).unwrap().get(1).unwrap().to_vec2::<f64>().unwrap();
    assert_eq!([blurred[2][2], blurred[1][3], blurred[0][2], blurred[4][4]], [1.0, 1.0, 0.75, 0.5625]);
}

/// Networks of 8 px with few channels, in f64.
fn small(keypoints: usize, inject: Inject, blur: bool, fused_from: usize) -> (ParamStore, Generator, Discriminator) {
    let spec = DiscriminatorSpec { group: Group::Whole, blur, keypoints, inject, ..DiscriminatorSpec::default() };
    with(spec, fused_from)
}

fn with(spec: DiscriminatorSpec, fused_from: usize) -> (ParamStore, Generator, Discriminator) {
    let (keypoints, latent) = (spec.keypoints, 3);
    let shape = GrowingShape { resolution: 8, latent, base: 16, max: 3, fused_from, ..GrowingShape::default() };
    let params = ParamStore::new(seed(13), &Device::Cpu, DType::F64).unwrap();
    let scope = params.view(Training::All);
    let discriminator = Discriminator::new(&shape, spec, &scope.pp("d")).unwrap();
    (params.clone(), Generator::new(&shape, keypoints, &scope.pp("g")).unwrap(), discriminator)
}

/// Gradients of both penalties with respect to every number of the discriminator, against central differences in f64:
/// through the deviation over a minibatch of 5, in the middle of a fade, with poses and without; and through partners.
#[test]
fn penalties_of_a_growing_discriminator_are_exact() {
    const H: f64 = 1e-6;
    for (name, keypoints, inject, blur, fused_from, twos) in [
        ("progan", 0, Inject::Features, false, 8, false),
        ("psgan", 2, Inject::Both, false, 2048, false),
        ("psgan in twos", 2, Inject::Features, false, 2048, true),
        ("stylegan", 0, Inject::Features, true, 8, false),
    ] {
        let spec = DiscriminatorSpec { group: Group::Whole, blur, keypoints, inject, twos, ..Default::default() };
        let (params, _, discriminator) = with(spec, fused_from);
        let n = if twos { 6 } else { 5 };
        let poses = (keypoints > 0).then(|| Poses::new(&points(n, keypoints, 8), 8).unwrap());
        let level = Level { resolution: 8, alpha: 0.3 };
        let at = normal("at", &[n, 3, 8, 8]);
        for penalty in [Penalty::Norm { target: 1.0 }, Penalty::SquaredNorm] {
            let value = || gradient_penalty(&discriminator.at(level, poses.as_ref()).unwrap(), &at, penalty).unwrap();
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
