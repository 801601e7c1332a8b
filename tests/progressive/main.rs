//! Networks that grow: what the papers print, and what two ways of computing the same thing say of each other
//! (specs/fullbody.md, section I).

mod augment;
mod best;
mod counts;
mod handles;
mod networks;
#[path = "../common/posed.rs"]
mod posed;
mod poses;
mod project;
mod pytorch;
mod stylegan;
mod training;

use tachie::candle_core::{DType, Device, Tensor};
use tachie::rng::seed;

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
