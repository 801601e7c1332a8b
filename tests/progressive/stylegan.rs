//! Styles: what their mixing, their truncation and their absence do.

use tachie::candle_core::{DType, Device, Tensor};
use tachie::models::stylegan::{Generator, Noise, Stylegan, StyleganConfig, Styles, Synthesis, Truncation};
use tachie::nn::params::{ParamStore, Training};
use tachie::nn::progressive::{GrowingShape, Level};
use tachie::rng::seed;
use tachie::sample::seeds;

use crate::{difference, normal, numbers};

fn network() -> (ParamStore, Generator) {
    let shape = GrowingShape { resolution: 16, latent: 6, base: 64, max: 8, fused_from: 16, ..GrowingShape::default() };
    let params = ParamStore::new(seed(2), &Device::Cpu, DType::F64).unwrap();
    let config = StyleganConfig { network: shape, mapping_layers: 3, ..Stylegan::tiny() };
    let generator = Generator::new(&config, &params.view(Training::All).pp("g")).unwrap();
    (params, generator)
}

fn set(params: &ParamStore, name: &str, value: f64) {
    let (_, var) = params.trainable("").into_iter().find(|(found, _)| found == name).unwrap();
    var.set(&var.affine(0.0, value).unwrap()).unwrap();
}

/// Noise starts with strength 0, and styles with biases 0: two latents then differ by the weights of the styles alone.
#[test]
fn without_style_weights_every_latent_draws_the_same() {
    let (params, generator) = network();
    let draw = |z: &Tensor| generator.draw(&generator.styles(z, None).unwrap(), &Noise::Fixed(0..6)).unwrap();
    let (a, b) = (normal("a", &[2, 6]), normal("b", &[2, 6]));
    assert!(difference(&draw(&a), &draw(&b)) > 1e-3);
    for layer in 0..6 {
        set(&params, &format!("g.synthesis.layers.{layer}.style.weight"), 0.0);
    }
    assert_eq!(numbers(&draw(&a)), numbers(&draw(&b)));
}

/// Noise of one layer changes nothing before its strength is above 0, and then only from its resolution on.
#[test]
fn noise_comes_in_by_its_strength() {
    let (params, generator) = network();
    let styles = generator.styles(&normal("z", &[2, 6]), None).unwrap();
    let at =
        |resolution, noise: &Noise| generator.synthesis().forward(&styles, noise, Level::full(resolution)).unwrap();
    let drawn = normal("noise", &[2, Synthesis::noise_len(Level::full(16))]);
    assert_eq!(drawn.dims()[1], 672);
    assert_eq!(numbers(&at(16, &Noise::Off)), numbers(&at(16, &Noise::Drawn(&drawn))));
    set(&params, "g.synthesis.layers.4.noise_strength", 0.5);
    assert_ne!(numbers(&at(16, &Noise::Off)), numbers(&at(16, &Noise::Drawn(&drawn))));
    assert_eq!(numbers(&at(8, &Noise::Off)), numbers(&at(8, &Noise::Drawn(&drawn))));
    assert_eq!(numbers(&at(16, &Noise::Off)), numbers(&at(16, &Noise::Fixed(0..4))));
    assert_ne!(numbers(&at(16, &Noise::Off)), numbers(&at(16, &Noise::Fixed(4..6))));
    let short = normal("short", &[2, 10]);
    assert!(generator.synthesis().forward(&styles, &Noise::Drawn(&short), Level::full(4)).is_err());
}

#[test]
fn mixed_styles_take_the_layers_that_they_are_told() {
    let (_, generator) = network();
    let [a, b] = ["a", "b"].map(|name| generator.styles(&normal(name, &[2, 6]), None).unwrap());
    let mixed = a.mixed(&b, 2..4).unwrap();
    for (i, layer) in mixed.layers().iter().enumerate() {
        let from = if (2..4).contains(&i) { &b } else { &a };
        assert_eq!(numbers(layer), numbers(&from.layers()[i]));
    }
    let draw = |styles: &Styles| numbers(&generator.draw(styles, &Noise::Off).unwrap());
    assert_eq!(draw(&a.mixed(&b, 0..6).unwrap()), draw(&b));
    assert_eq!(draw(&a.mixed(&b, 3..3).unwrap()), draw(&a));
    assert_ne!(draw(&mixed), draw(&a));
    assert!(
        a.mixed(&b, 4..7).is_err() && a.mixed(&generator.styles(&normal("c", &[3, 6]), None).unwrap(), 0..1).is_err()
    );
}

#[test]
fn truncation_draws_towards_the_mean() {
    let (_, generator) = network();
    let z = normal("z", &[3, 6]);
    let w = generator.mapping().forward(&z).unwrap();
    generator.follow(&w).unwrap();
    // 0.995 of nothing stays.
    let mean = (w.mean(0).unwrap() * 0.005).unwrap();
    assert!(difference(&generator.mean(), &mean) < 1e-12);
    let truncated = |psi, cutoff| generator.styles(&z, Some(Truncation { psi, cutoff })).unwrap();
    let whole = truncated(0.0, None);
    for layer in whole.layers() {
        assert!(difference(layer, &mean.broadcast_as((3, 6)).unwrap().contiguous().unwrap()) < 1e-12);
    }
    let halves = truncated(0.5, Some(2));
    let half = ((&w + mean.broadcast_as((3, 6)).unwrap()).unwrap() * 0.5).unwrap();
    assert!(difference(&halves.layers()[1], &half) < 1e-12);
    assert_eq!(numbers(&halves.layers()[2]), numbers(&w));
    assert!(generator.styles(&z, Some(Truncation { psi: f64::NAN, cutoff: None })).is_err());
}

/// Printed by NumPy 2.4.6 for `RandomState(5).randn(6)`.
#[test]
fn published_seeds_name_latents() {
    let found = numbers(&seeds::latents(&[5, 0], 6, &Device::Cpu).unwrap());
    let expected = [0.441_227_486_885_041, -0.330_870_151_894_087_64, 2.430_771_187_007_78];
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() < 1e-6, "{found}, expected {expected}");
    }
    assert!((found[6] - 1.764_052_345_967_664).abs() < 1e-6);
}
