//! t-SNE against scikit-learn on its digits (fixtures/tsne/tsne.py).

use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor};
use tachie::metrics::features::tsne::Tsne;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tsne").join(name)
}

fn digits() -> Tensor {
    let rows = image::open(fixture("digits.png")).unwrap().to_luma8();
    let (width, height) = rows.dimensions();
    let values: Vec<f32> = rows.into_raw().into_iter().map(f32::from).collect();
    Tensor::from_vec(values, (height as usize, width as usize), &Device::Cpu).unwrap()
}

#[test]
fn the_map_is_as_good_as_scikit_learns() {
    let golden: serde_json::Value = serde_json::from_slice(&std::fs::read(fixture("golden.json")).unwrap()).unwrap();
    let features = digits();
    assert_eq!(features.dims(), [1500, 64]);
    let started = std::time::Instant::now();
    let map = Tsne::new().fit(&features).unwrap();
    let (kl, trust) = (golden["kl_divergence"].as_f64().unwrap(), golden["trustworthiness"].as_f64().unwrap());
    println!(
        "{map:?} after {:.1?}; scikit-learn: KL divergence {kl:.4}, trustworthiness {trust:.4}",
        started.elapsed()
    );
    assert!((map.kl_divergence / kl - 1.0).abs() < 0.02, "KL divergence {} and {kl}", map.kl_divergence);
    assert!((map.trustworthiness - trust).abs() < 0.002, "trustworthiness {} and {trust}", map.trustworthiness);
}

#[test]
fn the_map_is_the_same_on_one_and_on_two_threads() {
    let features = digits().narrow(0, 0, 400).unwrap();
    let map = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| Tsne::new().iterations(300).fit(&features)).unwrap()
    };
    let (one, two) = (map(1), map(2));
    assert_eq!(one.points, two.points);
    assert_eq!(one.kl_divergence, two.kl_divergence);
    assert_eq!(one.trustworthiness, two.trustworthiness);
}
