//! Metrics against the programs that everybody measures with (fixtures/scores/scores.py, which makes the same inputs).

use std::path::Path;

use candle_core::{DType, Device, Tensor};
use tachie::data::tags::{Labels, TagSet};
use tachie::metrics::features::diversity::Diversity;
use tachie::metrics::features::fid_infinity::FidInfinity;
use tachie::metrics::features::frechet::fid;
use tachie::metrics::features::inception_score::InceptionScore;
use tachie::metrics::features::kid::Kid;
use tachie::metrics::features::precision_recall::{density_coverage, precision_recall};
use tachie::metrics::latents::path_length::{PathLength, Sampling, Space};
use tachie::metrics::latents::separability::Separability;
use tachie::metrics::pictures::ms_ssim::MsSsim;
use tachie::metrics::pictures::psnr::psnr_each;
use tachie::metrics::pictures::sharpness::sharpness;
use tachie::metrics::pictures::sliced_wasserstein::SlicedWasserstein;
use tachie::metrics::pictures::ssim::Ssim;
use tachie::metrics::score::{Score, Spread};
use tachie::rng::Seed;

fn golden(name: &str) -> Vec<f64> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/scores/golden.json");
    let golden: serde_json::Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    match &golden[name] {
        serde_json::Value::Array(values) => values.iter().map(|value| value.as_f64().unwrap()).collect(),
        value => vec![value.as_f64().unwrap_or_else(|| panic!("golden.json has no {name:?}"))],
    }
}

#[track_caller]
fn assert_close(name: &str, found: &[f64], tolerance: f64) {
    let expected = golden(name);
    assert_eq!(found.len(), expected.len(), "{name}");
    for (found, expected) in found.iter().zip(&expected) {
        assert!((found / expected - 1.0).abs() < tolerance, "{name}: {found}, the reference says {expected}");
    }
}

fn with_deviation(score: &Score) -> [f64; 2] {
    let Some(Spread::Deviation(deviation)) = score.spread else { panic!("{score} has no deviation") };
    [score.value, deviation]
}

fn normal(seed: u64, name: &str, rows: usize, columns: usize) -> Tensor {
    let tensor = Seed(seed).stream(name).normal_tensor(&[rows, columns], &Device::Cpu).unwrap();
    tensor.to_dtype(DType::F64).unwrap()
}

fn features() -> [Tensor; 2] {
    let generated = (normal(11, "generated", 500, 24) * 0.75).unwrap();
    [normal(11, "real", 600, 24), (generated + 0.25).unwrap()]
}

fn pictures(n: usize, height: usize, width: usize) -> [Tensor; 2] {
    let mut stream = Seed(12).stream("noise");
    let (mut first, mut second) = (Vec::new(), Vec::new());
    for (i, c) in (0..n).flat_map(|i| (0..3).map(move |c| (i, c))) {
        for (y, x) in (0..height).flat_map(|y| (0..width).map(move |x| (y, x))) {
            let value = (x * (3 + i) + y * (5 - c) + x * y / (9 + c)) % 256;
            first.push(value as u8);
            second.push((value + stream.below(61)).saturating_sub(30).min(255) as u8);
        }
    }
    [first, second].map(|bytes| Tensor::from_vec(bytes, (n, 3, height, width), &Device::Cpu).unwrap())
}

#[test]
fn features_are_judged_as_by_torch_fidelity() {
    let [real, generated] = features();
    let kid = Kid::new().subsets(20).subset_size(150).score(&real, &generated).unwrap();
    assert_close("kid", &with_deviation(&kid), 1e-9);
    let balls = precision_recall(&real, &generated).unwrap().map(|score| score.value);
    assert_close("precision, recall", &balls, 1e-6);
    let logits = (normal(15, "logits", 500, 12) * 2.0).unwrap();
    let score = InceptionScore::new().of_logits(&logits).unwrap();
    assert_close("inception score", &with_deviation(&score), 1e-9);
    let probabilities = candle_nn::ops::softmax(&logits, 1).unwrap();
    assert_close(
        "inception score",
        &with_deviation(&InceptionScore::new().of_probabilities(&probabilities).unwrap()),
        1e-9,
    );
}

#[test]
fn the_defaults_are_those_of_torch_fidelity() {
    let generated = ((normal(16, "generated", 2000, 64) * 0.9).unwrap() + 0.1).unwrap();
    let real = normal(16, "real", 2000, 64);
    assert_close("kid, defaults", &with_deviation(&Kid::new().score(&real, &generated).unwrap()), 1e-9);
    let balls = precision_recall(&real, &generated).unwrap().map(|score| score.value);
    assert_close("precision, recall, defaults", &balls, 1e-6);
}

#[test]
fn density_and_coverage_are_those_of_their_authors() {
    let [real, generated] = features();
    let found = density_coverage(&real, &generated).unwrap().map(|score| score.value);
    assert_close("density, coverage", &found, 1e-9);
}

#[test]
fn pictures_are_compared_as_by_scikit_image() {
    let [first, second] = pictures(3, 48, 65);
    assert_close("psnr", &psnr_each(&first, &second).unwrap(), 1e-12);
    for (name, ssim) in [
        ("ssim uniform", Ssim::uniform()),
        ("ssim gaussian", Ssim::gaussian()),
        ("ssim wang", Ssim::wang()),
        ("ssim wang luma", Ssim::wang().luma()),
    ] {
        assert_close(name, &ssim.each(&first, &second).unwrap(), 1e-9);
    }
}

#[test]
fn ms_ssim_is_torchmetrics_and_the_papers() {
    let [first, second] = pictures(2, 192, 208);
    // torchmetrics makes its window in f32.
    assert_close("ms-ssim torchmetrics", &MsSsim::torchmetrics().each(&first, &second).unwrap(), 1e-6);
    assert_close("ms-ssim wang", &MsSsim::wang().each(&first, &second).unwrap(), 1e-9);
    let corner = |pictures: &Tensor| pictures.narrow(2, 0, 48).unwrap().narrow(3, 0, 64).unwrap();
    let small = MsSsim::wang().each(&corner(&first), &corner(&second)).unwrap();
    assert_close("ms-ssim wang, small", &small, 1e-9);
}

#[test]
fn the_sliced_wasserstein_distance_is_numpys() {
    let [first, second] = pictures(4, 64, 64);
    let scores = SlicedWasserstein::new().patches(16).directions(24).seed(Seed(3)).score(&first, &second).unwrap();
    let values: Vec<f64> = scores.iter().map(|score| score.value).collect();
    // Patches are kept in f32.
    assert_close("swd", &values, 1e-5);
}

#[test]
fn path_lengths_are_numpys() {
    let mix = normal(13, "mix", 16, 40);
    let mapping = |z: &Tensor| Ok(z.to_dtype(DType::F64)?.tanh()?);
    let synthesis = |w: &Tensor| Ok(w.matmul(&mix)?.sin()?);
    let distance = |a: &Tensor, b: &Tensor| Ok((a - b)?.sqr()?.mean(1)?.to_vec1::<f64>()?);
    let length = |space, sampling, epsilon| {
        let ppl = PathLength::new(space, sampling).pairs(300).epsilon(epsilon).radius(4.0).seed(Seed(21));
        ppl.score(16, &Device::Cpu, mapping, synthesis, distance).unwrap().value
    };
    assert_close("ppl w full", &[length(Space::W, Sampling::Full, 1e-4)], 1e-6);
    assert_close("ppl w end", &[length(Space::W, Sampling::End, 1e-4)], 1e-6);
    // Latents are f32, so that a longer step is compared.
    assert_close("ppl z full", &[length(Space::Z, Sampling::Full, 0.05)], 1e-5);
}

#[test]
fn separability_is_that_of_scikit_learns_machines() {
    let (latents, planes) = (normal(14, "latents", 400, 8), normal(14, "planes", 8, 3));
    let noise = normal(14, "noise", 400, 3).to_vec2::<f64>().unwrap();
    let scores = latents.matmul(&planes).unwrap().to_vec2::<f64>().unwrap();
    let tags = TagSet::from_names(&["clear", "noisy", "hidden"]).unwrap();
    let labels: Vec<Labels> = (0..400)
        .map(|i| {
            let score = |a: usize| scores[i][a] + noise[i][a] * [0.1, 1.5, 4.0][a];
            tags.labels_from((0..3).map(|a| (1.0 / (1.0 + (-score(a)).exp())) as f32).collect()).unwrap()
        })
        .collect();
    let found = Separability::of(&latents, &labels).unwrap();
    assert_close("separability", &[found.score().value], 1e-9);
}

#[test]
fn scores_are_the_same_on_one_and_on_two_threads() {
    let ([real, generated], [first, second]) = (features(), pictures(5, 64, 64));
    let latents = real.narrow(1, 0, 8).unwrap();
    let tags = TagSet::from_names(&["warm"]).unwrap();
    let warm = |row: &Vec<f64>| tags.labels_from(vec![(0.5 + row[23] / 10.0 + row[0] / 20.0) as f32]).unwrap();
    let labels: Vec<Labels> = real.to_vec2::<f64>().unwrap().iter().map(warm).collect();
    let all = || {
        let mut scores = vec![
            fid(&real, &generated).unwrap(),
            FidInfinity::new().score(&real, &generated).unwrap(),
            Kid::new().subsets(7).score(&real, &generated).unwrap(),
            Ssim::wang().score(&first, &second).unwrap(),
            Ssim::uniform().score(&first, &second).unwrap(),
            MsSsim::wang().score(&first, &second).unwrap(),
            sharpness(&first).unwrap(),
            Diversity::new().pairs(900).of_features(&real).unwrap(),
            Separability::of(&latents, &labels).unwrap().score(),
        ];
        scores.extend(precision_recall(&real, &generated).unwrap());
        scores.extend(density_coverage(&real, &generated).unwrap());
        scores.extend(SlicedWasserstein::new().patches(20).directions(8).score(&first, &second).unwrap());
        scores
    };
    let on = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(all);
    assert_eq!(on(1), on(2));
}
