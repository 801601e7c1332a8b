//! What cells show and what figures save.

use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor};
use image::RgbImage;
use tachie::show::bundle::{LIMIT, Show};
use tachie::show::grid::Grid;

fn fixtures(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(folder)
}

/// The pictures of fixtures/make_grid/make_grid.py.
fn formula(shape: &[usize]) -> Tensor {
    let mut full = vec![1; 4 - shape.len()];
    full.extend(shape);
    let mut values = Vec::new();
    for n in 0..full[0] {
        for c in 0..full[1] {
            for y in 0..full[2] {
                for x in 0..full[3] {
                    values.push(((37 * n + 101 * c + 17 * y + 29 * x) % 97) as f32 / 40.0 - 1.0);
                }
            }
        }
    }
    Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
}

#[test]
fn grids_are_those_of_torchvision() {
    let folder = fixtures("make_grid");
    let file: serde_json::Value = serde_json::from_slice(&std::fs::read(folder.join("cases.json")).unwrap()).unwrap();
    let cases = file["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 10);
    for case in cases {
        let name = case["name"].as_str().unwrap();
        let shape: Vec<usize> = serde_json::from_value(case["shape"].clone()).unwrap();
        let mut grid = Grid::from_tensor(&formula(&shape)).unwrap().scale(1);
        for (argument, value) in case["arguments"].as_object().unwrap() {
            let float = |value: &serde_json::Value| value.as_f64().unwrap() as f32;
            grid = match argument.as_str() {
                "nrow" => grid.nrow(value.as_u64().unwrap() as usize),
                "padding" => grid.padding(value.as_u64().unwrap() as usize),
                "normalize" => grid.normalize(value.as_bool().unwrap()),
                "scale_each" => grid.scale_each(value.as_bool().unwrap()),
                "pad_value" => grid.pad_value(float(value)),
                "value_range" => grid.value_range(float(&value[0]), float(&value[1])),
                other => panic!("the test knows no argument {other}"),
            };
        }
        let expected = image::open(folder.join(format!("{name}.png"))).unwrap().to_rgb8();
        let found = grid.image().unwrap();
        assert_eq!(found.dimensions(), expected.dimensions(), "{name}");
        let differing = found.pixels().zip(expected.pixels()).filter(|(a, b)| a != b).count();
        assert_eq!(differing, 0, "{name}: pixels that differ from torchvision's");
    }
}

#[test]
fn a_scaled_grid_repeats_every_pixel() {
    let grid = Grid::from_tensor(&formula(&[3, 3, 4, 5])).unwrap().normalize(true);
    let (one, three) = (grid.clone().scale(1).image().unwrap(), grid.scale(3).image().unwrap());
    assert_eq!(three.dimensions(), (one.width() * 3, one.height() * 3));
    assert!(three.enumerate_pixels().all(|(x, y, pixel)| pixel == one.get_pixel(x / 3, y / 3)));
}

#[test]
fn a_grid_too_large_for_a_notebook_is_made_smaller_and_says_so() {
    // Noise does not compress: 2,000×2,000 pixels are some 12 MB.
    let mut stream = tachie::rng::Seed(1).stream("noise");
    let bytes = (0..2000 * 2000 * 3).map(|_| stream.u64() as u8).collect();
    let noise = RgbImage::from_raw(2000, 2000, bytes).unwrap();
    let bundle = Grid::from_rgb(&[noise]).unwrap().bundle().unwrap();
    assert!(bundle.size() <= LIMIT, "{}", bundle.size());
    let png = image::load_from_memory(bundle.png.as_ref().unwrap()).unwrap();
    assert!(png.width() > 500, "made far too small: {}", png.width());
    assert!(bundle.plain.contains("of 2,000 × 2,000 pixels"), "{}", bundle.plain);
}
