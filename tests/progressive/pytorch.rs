//! PSGAN and StyleGAN in the middle of a fade against PyTorch, which computes dense maps, separate convolutions and its own
//! second derivatives (tests/fixtures/progressive/make.py).

use std::collections::BTreeMap;

use tachie::candle_core::{DType, Device, Tensor};
use tachie::losses::{adversarial, penalty, wasserstein};
use tachie::models::stylegan::{Generator as StyleGenerator, Noise, Stylegan, StyleganConfig};
use tachie::nn::params::{ParamStore, Training};
use tachie::nn::progressive::{Discriminator, DiscriminatorSpec, Generator, Group, GrowingShape, Level, Poses};

use crate::difference;

const LEVEL: Level = Level { resolution: 8, alpha: 0.4 };

fn golden() -> BTreeMap<String, Tensor> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/progressive/golden.safetensors");
    tachie::weights::safetensors::read(path).unwrap().tensors
}

/// sin(0.7·i + key), number by number.
fn filled(shape: &[usize], key: f64) -> Tensor {
    let count: usize = shape.iter().product();
    let numbers: Vec<f64> = (0..count).map(|i| (0.7 * i as f64 + key).sin()).collect();
    Tensor::from_vec(numbers, shape, &Device::Cpu).unwrap()
}

/// Fills all parameters, the i-th in alphabetical order with key i.
fn fill(params: &ParamStore) {
    for (i, (_, var)) in params.trainable("").into_iter().enumerate() {
        var.set(&filled(var.dims(), i as f64)).unwrap();
    }
}

fn shape(fused_from: usize) -> GrowingShape {
    GrowingShape { resolution: 8, latent: 5, base: 32, max: 4, fused_from, ..GrowingShape::default() }
}

fn same(case: &str, name: &str, found: &Tensor, bound: f64) {
    let expected = golden()[&format!("{case}/{name}")].to_dtype(DType::F64).unwrap();
    let error = difference(found, &expected);
    println!("{case} {name}: {error:.1e}");
    assert!(error < bound, "{case}: {name} is off by {error:.1e}");
}

/// Outputs, losses and the gradient of every parameter. What PyTorch printed is rounded to f32.
fn compare(case: &str, params: &ParamStore, made: &Tensor, scores: &Tensor, critic: &Tensor, generator: &Tensor) {
    for (name, found) in [("made", made), ("scores", scores), ("critic", critic), ("generator", generator)] {
        same(case, name, found, 1e-5);
    }
    for (player, loss) in [("d", critic), ("g", generator)] {
        let gradients = tachie::autograd::backward(loss).unwrap();
        for (name, var) in params.trainable(player) {
            same(case, &name, gradients.get(&var).unwrap(), 1e-4);
        }
    }
}

#[test]
fn psgan_is_pytorchs() {
    let points = [
        [0.0f32, 7.5, 1.0, 3.2, 4.9, 1.0, 5.0, 5.0, 0.0],
        [7.9, 0.1, 1.0, 2.0, 2.0, 1.0, 2.5, 2.5, 1.0],
        [1.0, 6.0, 1.0, 0.0, 0.0, 0.0, 4.0, 3.0, 1.0],
        [6.5, 6.5, 1.0, 7.0, 7.0, 1.0, 0.5, 3.0, 1.0],
    ];
    let points = Tensor::from_vec(points.concat(), (4, 3, 3), &Device::Cpu).unwrap();
    let poses = Poses::new(&points, 8).unwrap();
    let params = ParamStore::blank(&Device::Cpu, DType::F64).unwrap();
    let scope = params.view(Training::All);
    let generator = Generator::new(&shape(8), 3, &scope.pp("g")).unwrap();
    let spec = DiscriminatorSpec { group: Group::Whole, keypoints: 3, ..DiscriminatorSpec::default() };
    let discriminator = Discriminator::new(&shape(8), spec, &scope.pp("d")).unwrap();
    fill(&params);

    let real = filled(&[4, 3, 8, 8], 0.3);
    let made = generator.forward(&filled(&[4, 5], 0.1), Some(&poses), LEVEL).unwrap();
    let judge = |x: &Tensor| discriminator.forward(x, Some(&poses), LEVEL).unwrap();
    let scores = judge(&real);
    let between = ((&real * 0.75).unwrap() + (made.detach() * 0.25).unwrap()).unwrap();
    let at = discriminator.at(LEVEL, Some(&poses)).unwrap();
    let penalty = penalty::gradient_penalty(&at, &between, penalty::Penalty::Norm { target: 1.0 }).unwrap();
    let adversarial = wasserstein::critic(&scores, &judge(&made.detach())).unwrap();
    let drift = wasserstein::drift(&scores).unwrap();
    let critic = ((adversarial + (penalty * 10.0).unwrap()).unwrap() + (drift * 1e-3).unwrap()).unwrap();
    let loss = wasserstein::generator(&judge(&made)).unwrap();
    compare("psgan", &params, &made, &scores, &critic, &loss);
}

#[test]
fn stylegan_is_pytorchs() {
    let params = ParamStore::blank(&Device::Cpu, DType::F64).unwrap();
    let scope = params.view(Training::All);
    let config = StyleganConfig { network: shape(2048), mapping_layers: 2, ..Stylegan::tiny() };
    let generator = StyleGenerator::new(&config, &scope.pp("g")).unwrap();
    let spec = DiscriminatorSpec { group: Group::Of(2), blur: true, ..DiscriminatorSpec::default() };
    let discriminator = Discriminator::new(&config.network, spec, &scope.pp("d")).unwrap();
    fill(&params);

    let (real, noise) = (filled(&[4, 3, 8, 8], 0.3), filled(&[4, 160], 0.4));
    let [styles, other] = [0.1, 0.2].map(|key| generator.styles(&filled(&[4, 5], key), None).unwrap());
    let mixed = styles.mixed(&other, 3..4).unwrap();
    let made = generator.synthesis().forward(&mixed, &Noise::Drawn(&noise), LEVEL).unwrap();
    let judge = |x: &Tensor| discriminator.forward(x, None, LEVEL).unwrap();
    let scores = judge(&real);
    let penalty = penalty::r1(&discriminator.at(LEVEL, None).unwrap(), &real).unwrap();
    let fake = adversarial::fake(&judge(&made.detach())).unwrap();
    let critic = ((fake + adversarial::real(&scores).unwrap()).unwrap() + (penalty * 5.0).unwrap()).unwrap();
    let loss = adversarial::real(&judge(&made)).unwrap();
    compare("stylegan", &params, &made, &scores, &critic, &loss);
}
