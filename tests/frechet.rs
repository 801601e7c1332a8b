//! The Fréchet distance against SciPy on scikit-learn's digits (fixtures/frechet/frechet.py).

use std::path::Path;

use candle_core::{DType, Device, Tensor};
use tachie::metrics::features::frechet::frechet_distance;

fn fixture(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

#[test]
fn distances_are_scipys() {
    let golden: serde_json::Value =
        serde_json::from_slice(&std::fs::read(fixture("frechet/golden.json")).unwrap()).unwrap();
    let image = image::open(fixture("tsne/digits.png")).unwrap().to_luma8();
    let shape = (image.height() as usize, image.width() as usize);
    let digits = Tensor::from_vec(image.into_raw(), shape, &Device::Cpu).unwrap().to_dtype(DType::F64).unwrap();
    let middle = digits.narrow(1, 26, 5).unwrap();
    let rows = |features: &Tensor, start, count| features.narrow(0, start, count).unwrap();
    // SciPy's root of a singular matrix is good to about eight digits.
    for (name, first, second, tolerance) in [
        ("full rank", rows(&middle, 0, 700), rows(&middle, 700, 800), 1e-11),
        ("rank deficient", rows(&digits, 0, 700), rows(&digits, 700, 800), 1e-7),
        ("fewer pictures than features", rows(&digits, 0, 40), rows(&digits, 700, 30), 1e-7),
    ] {
        let found = frechet_distance(&first, &second).unwrap();
        let expected = golden[name].as_f64().unwrap();
        assert!((found / expected - 1.0).abs() < tolerance, "{name}: {found}, SciPy says {expected}");
    }
}
