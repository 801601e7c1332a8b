//! A discriminator whose pictures are augmented: what it and its penalty see, how often, and a training that goes on.

use tachie::candle_core::{DType, Device, Tensor};
use tachie::data::avatar::Avatar;
use tachie::losses::penalty;
use tachie::models::stylegan::{self, Objective, Stylegan, StyleganConfig};
use tachie::nn::augment::{AugmentConfig, Augmented, Drawn, Strength, Transforms};
use tachie::nn::critic::{Critic, Signal};
use tachie::nn::params::{ParamStore, Training};
use tachie::nn::progressive::Group;
use tachie::rng::seed;
use tachie::show::grid::Grid;
use tachie::train::trainer::{Options, Trainer};

use crate::training::{growth, network, posed, resumes_bit_for_bit};
use crate::{difference, normal, numbers};

fn config(strength: Strength) -> StyleganConfig {
    let augment = AugmentConfig { strength, transforms: Transforms::bgc() };
    StyleganConfig { network: network(), growth: growth(), group: Group::Whole, ..Stylegan::tiny_few_bodies() }
        .augmented(augment)
}

/// Fast enough to be at work in 24 steps.
fn fast() -> Strength {
    Strength::Adaptive { target: 0.0, kimg: 0.05, interval: 2 }
}

#[test]
fn an_augmented_stylegan_is_resumed_in_the_middle_of_a_fade() {
    let (run, records) = resumes_bit_for_bit::<stylegan::Adversaries>(&config(fast()), &posed(16, 20));
    let state = numbers(&run.networks().params.tensors()["d.augment.state"]);
    let of = |name: &str| -> Vec<f64> { records.iter().map(|record| record.losses[name]).collect() };
    let (p, r) = (of("discriminator/ada_p"), of("discriminator/ada_r"));
    assert!(p.iter().all(|p| (0.0..=1.0).contains(p)) && p.iter().any(|p| *p > 0.0), "{p:?}");
    // Every second step by the pictures of two over 50, up or down by the sign of what was seen in both.
    let batches = |step: usize| {
        if step < 4 {
            4.0
        } else if step < 11 {
            5.0
        } else {
            2.0
        }
    };
    let mut expected = 0f64;
    for step in 0..24 {
        assert!((p[step] - expected).abs() < 1e-6, "step {}: {}, expected {expected}", step + 1, p[step]);
        if step % 2 == 1 {
            let seen = batches(step - 1) + batches(step);
            let sum = r[step - 1] * batches(step - 1) + r[step] * batches(step);
            let direction = if sum.abs() < 1e-9 { 0.0 } else { sum.signum() };
            expected = (expected + direction * seen / 50.0).clamp(0.0, 1.0);
        }
    }
    assert!((state[0] - expected).abs() < 1e-6 && state[1..] == [0.0, 0.0], "{state:?}, expected {expected}");
}

/// At probability 0 the same weights come out as without augmentation, bit by bit; at 1 others.
#[test]
fn what_is_never_applied_changes_nothing() {
    let weights = |config: &StyleganConfig| {
        let folder = tempfile::tempdir().unwrap();
        let options = Options::default().device(&Device::Cpu).seed(seed(4));
        let mut run = Trainer::open::<stylegan::Adversaries>(config, &posed(16, 20), folder.path(), options).unwrap();
        run.steps(7).unwrap();
        numbers(&run.networks().params.tensors()["d.blocks.4.dense0.weight"])
    };
    let plain = StyleganConfig { augment: None, ..config(fast()) };
    assert_eq!(weights(&plain), weights(&config(Strength::Fixed(0.0))));
    assert_ne!(weights(&plain), weights(&config(Strength::Fixed(1.0))));
}

/// R1 of an augmented critic against the gradient by finite differences, in f64.
#[test]
fn penalties_are_of_the_pictures_before_they_are_transformed() {
    #[derive(Clone, Copy)]
    struct Cubic;
    impl Critic for Cubic {
        fn logit<S: Signal>(&self, x: &S) -> tachie::Result<S> {
            x.mul(x)?.mul(x)?.flatten()?.linear_map(&|x| Ok(x.sum(1)?))
        }
    }
    let x = normal("pictures", &[2, 3, 6, 6]);
    let drawn = Drawn::draw(&Transforms::bgc(), 1.0, [2, 6], &mut seed(5).stream("augment"));
    let critic = Augmented { critic: Cubic, by: &drawn };
    let found = numbers(&penalty::r1(&critic, &x).unwrap())[0];
    let score = |x: &Tensor| numbers(&critic.logit(x).unwrap()).iter().sum::<f64>();
    let (mut sum, values) = (0.0, numbers(&x));
    for i in 0..values.len() {
        let at = |h: f64| {
            let mut moved = values.clone();
            moved[i] += h;
            score(&Tensor::from_vec(moved, (2, 3, 6, 6), &Device::Cpu).unwrap())
        };
        sum += ((at(1e-5) - at(-1e-5)) / 2e-5).powi(2);
    }
    assert!((found / (sum / 2.0) - 1.0).abs() < 1e-6, "{found}, expected {}", sum / 2.0);
}

/// Both players see other transforms of their own, and gradients reach the generator through them.
#[test]
fn the_generator_learns_through_the_transforms() {
    let config = config(Strength::Fixed(1.0));
    let params = ParamStore::new(seed(2), &Device::Cpu, DType::F32).unwrap();
    let networks =
        <stylegan::Adversaries as tachie::train::gan::Gan>::new(&config, &params.view(Training::All)).unwrap();
    let augment = networks.augment().unwrap();
    let draw = |name: &str| augment.draw([4, 16], &mut seed(1).stream(name)).unwrap();
    assert_eq!(draw("a"), draw("a"));
    assert_ne!(draw("a"), draw("b"));
    let x = tachie::candle_core::Var::from_tensor(&normal("x", &[4, 3, 16, 16])).unwrap();
    let y = draw("a").apply(x.as_tensor()).unwrap();
    let gradients = tachie::autograd::backward_from(&y, &y.detach()).unwrap();
    // ⟨y, T dx⟩ = ⟨Tᵀ y, dx⟩ of the linear part.
    let moved = |x: &Tensor| draw("a").apply(x).unwrap();
    let dx = normal("dx", &[4, 3, 16, 16]);
    let along = (moved(&(x.as_tensor() + &dx).unwrap()) - &y).unwrap();
    let dot = |a: &Tensor, b: &Tensor| numbers(&(a * b).unwrap()).iter().sum::<f64>();
    let (left, right) = (dot(&along, &y), dot(gradients.get(&x).unwrap(), &dx));
    assert!((left - right).abs() < 1e-9 * left.abs(), "{left}, {right}");
}

#[test]
fn augmentation_is_a_part_of_the_configuration() {
    let config = Stylegan::few_bodies(256);
    config.check().unwrap();
    let text = toml::to_string(&config).unwrap();
    assert_eq!(toml::from_str::<StyleganConfig>(&text).unwrap(), config);
    assert!(!toml::to_string(&Stylegan::paper()).unwrap().contains("augment"));
    let wasserstein =
        |strength| StyleganConfig { objective: Objective::Wasserstein(Default::default()), ..self::config(strength) };
    wasserstein(Strength::Fixed(0.5)).check().unwrap();
    let message = wasserstein(fast()).check().unwrap_err().to_string();
    assert!(message.contains("Wasserstein") && message.contains("fixed(0.4)"), "{message}");
    let bad = Stylegan::tiny().augmented(AugmentConfig::default().fixed(2.0)).check().unwrap_err().to_string();
    assert!(bad.contains("probability"), "{bad}");
}

#[test]
fn augmented_pictures_can_be_looked_at() {
    let faces = Avatar::faces().size(32).take(6).unwrap().images(6).unwrap();
    let grid = Grid::augmented(&faces, &AugmentConfig::default(), 1.0, 4, seed(1)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    grid.save(folder.path().join("augmented.png")).unwrap();
    if let Some(path) = std::env::var_os("TACHIE_LOOK") {
        grid.save(std::path::Path::new(&path).join("augmented.png")).unwrap();
    }
    let still = Grid::augmented(&faces, &AugmentConfig::default(), 0.0, 1, seed(1)).unwrap().image().unwrap();
    let (top, bottom) = (still.height() / 2, still.height());
    assert!(bottom > top);
    assert!(Grid::augmented(&faces, &AugmentConfig::default(), 1.5, 1, seed(1)).is_err());
    let same = difference(&faces.tensor, &Drawn::nothing().apply(&faces.tensor).unwrap());
    assert_eq!(same, 0.0);
}
