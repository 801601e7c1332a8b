//! Convolutions against the sum that defines them, of kinds that are computed in different ways: windows, 1×1, 3×3
//! tiles, groups, transposed; on every level of vector instructions.

use tachie::Result;
use tachie::autograd::backward_from;
use tachie::candle_core::{self, DType, Device, Tensor, Var};
use tachie::ops::conv::{ConvSpec, conv_transpose2d_with_bias, conv2d_with_bias};
use tachie::ops::level::{Level, VARIABLE, level};
use tachie::rng::{Stream, seed};

use crate::differences::{difference, numbers};
use crate::processes::again;

const SEED: u64 = 77;

struct Case {
    /// N, C, H, W of the input.
    x: [usize; 4],
    /// Output channels, kernel height and width.
    w: [usize; 3],
    spec: ConvSpec,
}

/// Numbers that single precision holds exactly.
fn random(stream: &mut Stream, count: usize) -> Vec<f64> {
    (0..count).map(|_| (stream.range(-1.0, 1.0) * 256.0).round() / 256.0).collect()
}

/// y, dx, dw and db of a convolution for an upstream gradient, from the definition.
fn defined(case: &Case, x: &[f64], w: &[f64], bias: &[f64], upstream: &[f64], size: [usize; 2]) -> [Vec<f64>; 4] {
    let Case { x: [n, c, h, width], w: [o, kh, kw], spec } = *case;
    let (inputs, outputs) = (c / spec.groups, o / spec.groups);
    let [rows, columns] = size;
    let mut y = vec![0.0; n * o * rows * columns];
    let (mut dx, mut dw, mut db) = (vec![0.0; x.len()], vec![0.0; w.len()], vec![0.0; o]);
    for at in 0..y.len() {
        let (image, out) = (at / (o * rows * columns), at / (rows * columns) % o);
        let (row, column) = (at / columns % rows, at % columns);
        y[at] += bias[out];
        db[out] += upstream[at];
        for term in 0..inputs * kh * kw {
            let (input, ky, kx) = (term / (kh * kw), term / kw % kh, term % kw);
            let sy = (row * spec.stride[0] + ky * spec.dilation[0]).checked_sub(spec.padding[0]);
            let sx = (column * spec.stride[1] + kx * spec.dilation[1]).checked_sub(spec.padding[1]);
            if let (Some(sy), Some(sx)) = (sy.filter(|&sy| sy < h), sx.filter(|&sx| sx < width)) {
                let from = ((image * c + out / outputs * inputs + input) * h + sy) * width + sx;
                let weight = out * inputs * kh * kw + term;
                y[at] += x[from] * w[weight];
                dx[from] += upstream[at] * w[weight];
                dw[weight] += upstream[at] * x[from];
            }
        }
    }
    [y, dx, dw, db]
}

fn compare(case: &Case, name: &str) -> Result<()> {
    let Case { x: [n, c, h, width], w: [o, kh, kw], spec } = *case;
    let out = |axis: usize, size: usize, kernel: usize| {
        (size + 2 * spec.padding[axis] - spec.dilation[axis] * (kernel - 1) - 1) / spec.stride[axis] + 1
    };
    let size = [out(0, h, kh), out(1, width, kw)];
    let mut stream = seed(SEED).stream(name);
    let x = random(&mut stream, n * c * h * width);
    let w = random(&mut stream, o * c / spec.groups * kh * kw);
    let (bias, upstream) = (random(&mut stream, o), random(&mut stream, n * o * size[0] * size[1]));
    let expected = defined(case, &x, &w, &bias, &upstream, size);
    for (dtype, tolerance) in [(DType::F64, 1e-13), (DType::F32, 5e-6)] {
        let tensor = |values: &[f64], shape: &[usize]| -> candle_core::Result<Tensor> {
            Tensor::from_slice(values, shape, &Device::Cpu)?.to_dtype(dtype)
        };
        let variable = |values: &[f64], shape: &[usize]| Var::from_tensor(&tensor(values, shape)?);
        let (x, w) = (variable(&x, &case.x)?, variable(&w, &[o, c / spec.groups, kh, kw])?);
        let bias = variable(&bias, &[o])?;
        let y = conv2d_with_bias(x.as_tensor(), w.as_tensor(), Some(bias.as_tensor()), &spec)?;
        assert_eq!(y.dims(), [n, o, size[0], size[1]], "{name}");
        let gradients = backward_from(&y, &tensor(&upstream, &[n, o, size[0], size[1]])?)?;
        let found = [&y, gradients.get(&x).unwrap(), gradients.get(&w).unwrap(), gradients.get(&bias).unwrap()];
        for ((what, found), expected) in ["y", "dx", "dw", "db"].iter().zip(found).zip(&expected) {
            let error = difference(&numbers(found)?, expected);
            assert!(error < tolerance, "{name}, {dtype:?}, seed {SEED}: {what} is off by {error:.1e}");
        }
    }
    Ok(())
}

/// A transposed convolution is the gradient of a convolution with respect to its input, which [`compare`] checks; what
/// is left to check is that it is that one, with its bias.
fn compare_transposed() -> Result<()> {
    let mut stream = seed(SEED).stream("transposed");
    let tensor = |values: Vec<f64>, shape: &[usize]| Tensor::from_vec(values, shape, &Device::Cpu);
    let x = tensor(random(&mut stream, 3 * 20 * 6 * 5), &[3, 20, 6, 5])?;
    let w = tensor(random(&mut stream, 20 * 18 * 16), &[20, 18, 4, 4])?;
    let bias = tensor(random(&mut stream, 18), &[18])?;
    let spec = ConvSpec::padded(1).stride(2);
    let y = conv_transpose2d_with_bias(&x, &w, Some(&bias), &spec)?;
    let input = Var::zeros(y.shape(), DType::F64, &Device::Cpu)?;
    let gradients = backward_from(&conv2d_with_bias(input.as_tensor(), &w, None, &spec)?, &x)?;
    let expected = gradients.get(&input).unwrap().broadcast_add(&bias.reshape((18, 1, 1))?)?;
    assert!(difference(&numbers(&y)?, &numbers(&expected)?) < 1e-14);
    Ok(())
}

#[test]
fn convolutions_are_the_sums_that_define_them() {
    println!("compared on {}, seed {SEED}", level());
    let s = ConvSpec::padded(1);
    let cases = [
        ("3×3 tiles", Case { x: [2, 16, 17, 19], w: [20, 3, 3], spec: s }),
        ("3×3 tiles without padding", Case { x: [3, 18, 18, 14], w: [17, 3, 3], spec: ConvSpec::default() }),
        ("3×3 tiles, many images", Case { x: [33, 40, 4, 3], w: [33, 3, 3], spec: s }),
        ("3×3 tiles in groups", Case { x: [2, 34, 16, 18], w: [36, 3, 3], spec: s.groups(2) }),
        ("3×3 tiles, wide padding", Case { x: [2, 16, 16, 17], w: [16, 3, 3], spec: ConvSpec::padded(2) }),
        ("3×3 tiles, channels in parts", Case { x: [8, 140, 8, 8], w: [50, 3, 3], spec: s }),
        ("3×3, few tiles", Case { x: [2, 70, 4, 4], w: [130, 3, 3], spec: s }),
        ("4×4 stride 2", Case { x: [2, 20, 12, 15], w: [33, 4, 4], spec: s.stride(2) }),
        ("3×3 dilated", Case { x: [2, 17, 13, 16], w: [16, 3, 3], spec: ConvSpec::padded(2).dilation(2) }),
        ("uneven", Case { x: [3, 5, 11, 9], w: [7, 5, 2], spec: ConvSpec::padded((2, 0)).stride((1, 3)) }),
        ("1×1", Case { x: [3, 150, 7, 9], w: [35, 1, 1], spec: ConvSpec::default() }),
        ("1×1 in groups", Case { x: [2, 12, 16, 16], w: [9, 1, 1], spec: ConvSpec::default().groups(3) }),
        ("1×1 stride 2", Case { x: [2, 12, 9, 8], w: [9, 1, 1], spec: ConvSpec::default().stride(2) }),
        ("one channel each", Case { x: [2, 24, 9, 10], w: [24, 3, 3], spec: s.groups(24) }),
        ("few channels", Case { x: [2, 3, 20, 21], w: [19, 7, 7], spec: ConvSpec::padded(3) }),
        ("few channels out", Case { x: [2, 24, 13, 50], w: [3, 9, 9], spec: ConvSpec::padded(4) }),
        ("few channels out, not square", Case { x: [2, 6, 9, 17], w: [4, 2, 5], spec: s.groups(2) }),
        ("one channel out", Case { x: [3, 40, 8, 7], w: [1, 4, 4], spec: ConvSpec::default() }),
        ("whole plane", Case { x: [5, 24, 4, 4], w: [10, 4, 4], spec: ConvSpec::default() }),
    ];
    for (name, case) in cases {
        compare(&case, name).unwrap();
    }
    compare_transposed().unwrap();
}

#[test]
fn they_are_on_every_level_of_vector_instructions() {
    for level in Level::available() {
        let name = "sums::convolutions_are_the_sums_that_define_them";
        again(name, &[(VARIABLE, level.name())], &format!("compared on {level}"));
    }
}
