//! Cases of the fused operations, filters and reductions, for the table in operations.rs.

use tachie::Result;
use tachie::candle_core::{DType, Device, Tensor};
use tachie::ops::activation::Activation;
use tachie::ops::epilogue::{bias_activation, layer_epilogue};
use tachie::ops::fir::{BINOMIAL, blur, downsample_filtered, upfirdn2d, upsample_filtered};
use tachie::ops::gated::{gated, gated_halves};
use tachie::ops::minibatch::{minibatch_deviation, minibatch_deviation_map, minibatch_deviation_tangent};
use tachie::ops::norm::{adaptive_instance_norm, adaptive_instance_norm_tangent, pixel_norm, pixel_norm_tangent};
use tachie::ops::pose::{Levels, Pixels, add_pose_response};
use tachie::ops::spectral::{spectral_norm, spectrally_normalized};
use tachie::ops::{arithmetic, reduce};

use crate::differences::{Case, operand};

const EPSILON: f64 = 1e-2;
const ACTIVATIONS: [(&str, Activation); 6] = [
    ("identity", Activation::Identity),
    ("leaky ReLU", Activation::LeakyRelu(0.2)),
    ("leaky ReLU of negative slope", Activation::LeakyRelu(-0.2)),
    ("tanh", Activation::Tanh),
    ("sigmoid", Activation::Sigmoid),
    ("softplus", Activation::Softplus),
];

pub fn cases() -> Vec<Case> {
    let mut cases = norms();
    cases.extend(epilogues());
    cases.extend(filters());
    cases.extend(statistics());
    cases
}

fn norms() -> Vec<Case> {
    vec![
        Case::new("pixel norm", &[&[2, 3, 2, 3]], |t| pixel_norm(&t[0], EPSILON)),
        Case::new("pixel norm of vectors", &[&[3, 5]], |t| pixel_norm(&t[0], EPSILON)),
        Case::new("pixel norm tangent", &[&[2, 3, 2, 2], &[2, 3, 2, 2]], |t| pixel_norm_tangent(&t[0], &t[1], EPSILON)),
        Case::new("adaptive instance norm", &[&[2, 3, 3, 4], &[2, 3], &[2, 3]], |t| {
            adaptive_instance_norm(&t[0], &t[1], &t[2], EPSILON)
        }),
        Case::new("adaptive instance norm by its style", &[&[2, 2], &[2, 2, 2, 3]], |t| {
            adaptive_instance_norm(&t[1], &t[0], &t[0], EPSILON)
        }),
        Case::new("adaptive instance norm tangent", &[&[2, 2, 3, 2], &[2, 2, 3, 2], &[2, 2]], |t| {
            adaptive_instance_norm_tangent(&t[0], &t[1], &t[2], EPSILON)
        }),
    ]
}

fn epilogues() -> Vec<Case> {
    let mut cases = Vec::new();
    for (name, activation) in ACTIVATIONS {
        cases.push(Case::new(&format!("bias and {name}"), &[&[2, 3, 2, 3], &[3]], move |t| {
            bias_activation(&t[0], &t[1], activation)
        }));
        cases.push(Case::new(&format!("bias of a matrix and {name}"), &[&[3], &[4, 3]], move |t| {
            bias_activation(&t[1], &t[0], activation)
        }));
        cases.push(Case::new(&format!("gated {name}"), &[&[2, 3, 2], &[2, 3, 2]], move |t| {
            gated(&t[0], &t[1], activation)
        }));
        cases.push(Case::new(&format!("gated {name}, by the gate"), &[&[5], &[5]], move |t| {
            gated(&t[1], &t[0], activation)
        }));
        cases.push(Case::new(&format!("gated halves {name}"), &[&[2, 4, 3]], move |t| gated_halves(&t[0], activation)));
        cases.push(Case::new(&format!("tangent of {name}"), &[&[7], &[7]], move |t| {
            activation.tangent(&t[1], &activation.apply(&t[1])?, &t[0])
        }));
    }
    let layer = |t: &[Tensor]| layer_epilogue(&t[0], &t[1], &t[2], &t[3], 0.2, 2f64.sqrt());
    cases.push(Case::new("layer epilogue", &[&[2, 3, 2, 3], &[2, 1, 2, 3], &[3], &[3]], layer));
    cases.push(Case::new("layer epilogue by the noise", &[&[2, 1, 2, 2], &[2, 3, 2, 2], &[3]], |t| {
        layer_epilogue(&t[1], &t[0], &t[2], &t[2], 0.2, 1.0)
    }));
    cases.push(Case::new("layer epilogue by the strength", &[&[3], &[2, 3, 2, 2], &[2, 1, 2, 2]], |t| {
        layer_epilogue(&t[1], &t[2], &t[0], &t[0], 0.2, 1.0)
    }));
    // Products with itself, so that noise and strength have second derivatives.
    cases.push(Case::new("layer epilogue of a product", &[&[2, 1, 2, 2], &[3], &[2, 3, 2, 2]], |t| {
        let y = layer_epilogue(&t[2], &t[0], &t[1], &t[1], 0.2, 1.0)?;
        arithmetic::mul(&y, &y)
    }));
    cases
}

fn filters() -> Vec<Case> {
    const FOUR: [f64; 4] = [0.125, 0.375, 0.25, 0.25];
    vec![
        Case::new("blur", &[&[2, 2, 4, 5]], |t| blur(&t[0])),
        Case::new("blur of one pixel", &[&[1, 2, 1, 1]], |t| blur(&t[0])),
        Case::new("binomial upsampling", &[&[1, 2, 3, 4]], |t| upsample_filtered(&t[0], &BINOMIAL)),
        Case::new("upsampling with four taps", &[&[1, 2, 3, 4]], |t| upsample_filtered(&t[0], &FOUR)),
        Case::new("binomial downsampling", &[&[1, 2, 5, 4]], |t| downsample_filtered(&t[0], &BINOMIAL)),
        Case::new("downsampling with four taps", &[&[1, 2, 6, 5]], |t| downsample_filtered(&t[0], &FOUR)),
        Case::new("upfirdn2d, uneven", &[&[1, 2, 5, 4]], |t| {
            upfirdn2d(&t[0], [&[0.5, -0.25, 1.0], &FOUR], [2, 3], [3, 2], [[0, 2], [4, 1]])
        }),
        Case::new("upfirdn2d, cropping taps", &[&[1, 1, 6, 6]], |t| {
            upfirdn2d(&t[0], [&FOUR, &[1.0]], [1, 4], [2, 3], [[0, 0], [0, 0]])
        }),
    ]
}

/// Constants of the type of `like`.
fn constant(name: &str, shape: &[usize], like: &Tensor) -> Result<Tensor> {
    let numbers = operand(name, 0, shape.iter().product());
    Ok(Tensor::from_vec(numbers, shape, &Device::Cpu)?.to_dtype(like.dtype())?)
}

fn statistics() -> Vec<Case> {
    vec![
        Case::new("sum", &[&[2, 3, 2]], |t| reduce::sum(&t[0])),
        Case::new("mean of squares", &[&[2, 3, 2]], |t| reduce::mean(&arithmetic::mul(&t[0], &t[0])?)),
        Case::new("sum per sample", &[&[2, 3, 2]], |t| reduce::sum_from(&t[0], 1)),
        Case::new("mean over planes", &[&[2, 3, 2, 4]], |t| reduce::mean_from(&t[0], 2)),
        Case::new("dot product per sample", &[&[2, 3, 2], &[2, 3, 2]], |t| reduce::dot_from(&t[0], &t[1], 1)),
        Case::new("norm per sample", &[&[3, 5]], |t| reduce::dot_from(&t[0], &t[0], 1)),
        Case::new("scale by a number", &[&[2, 3], &[]], |t| reduce::scale(&t[0], &t[1])),
        Case::new("scale per plane, by the factor", &[&[2, 3], &[2, 3, 2, 2]], |t| reduce::scale(&t[1], &t[0])),
        Case::new("minibatch deviation, groups of 2", &[&[4, 2, 2, 2]], |t| minibatch_deviation(&t[0], 2)),
        Case::new("minibatch deviation, all 5", &[&[5, 2, 1, 2]], |t| minibatch_deviation(&t[0], 8)),
        Case::new("pose response, kernel 3", &[&[2, 3, 4, 5], &[3, 2, 3, 3]], |t| {
            let points = [[[4.9f32, 0.0, 1.0], [1.0, 1.0, 0.0]], [[2.2, 3.5, 1.0], [1.0, 1.0, 1.0]]];
            add_pose_response(&t[0], &t[1], &Pixels::new(&Tensor::new(&points, &Device::Cpu)?, [4, 5])?)
        }),
        Case::new("pose response, kernel 1", &[&[1, 2, 3, 2], &[2, 1, 1, 1]], |t| {
            let levels = Levels { ground: 0.25, point: 4.0 };
            let points = Tensor::new(&[[[0.0f32, 2.0, 1.0]]], &Device::Cpu)?;
            add_pose_response(&t[0], &t[1], &Pixels::new(&points, [3, 2])?.in_maps_of(levels))
        }),
        Case::new("minibatch deviation map", &[&[3, 2, 2, 2]], |t| minibatch_deviation_map(&t[0])),
        Case::new("minibatch deviation tangent", &[&[4, 1, 2, 2], &[4, 1, 2, 2]], |t| {
            minibatch_deviation_tangent(&t[0], &t[1], 4)
        }),
        Case::new("spectral norm", &[&[3, 2, 2]], |t| {
            let (u, v) = (constant("u", &[3], &t[0])?, constant("v", &[4], &t[0])?);
            let norm = spectral_norm(&t[0], &u, &v)?;
            arithmetic::mul(&norm, &norm)
        }),
        Case::new("spectrally normalized", &[&[3, 2, 2]], |t| {
            let (u, v) = (constant("u", &[3], &t[0])?, constant("v", &[4], &t[0])?);
            spectrally_normalized(&t[0], &u, &v)
        }),
    ]
}

/// The tangent of an operation is the derivative of the operation: compared with differences of its values.
#[test]
fn tangents_are_derivatives() -> Result<()> {
    type Function = fn(&Tensor) -> Result<Tensor>;
    type Tangent = fn(&Tensor, &Tensor) -> Result<Tensor>;
    let cases: [(&str, Function, Tangent); 3] = [
        ("pixel norm", |x| pixel_norm(x, EPSILON), |x, t| pixel_norm_tangent(x, t, EPSILON)),
        ("minibatch deviation", |x| minibatch_deviation(x, 2), |x, t| minibatch_deviation_tangent(x, t, 2)),
        (
            "adaptive instance norm",
            |x| adaptive_instance_norm(x, &constant("s", &[4, 3], x)?, &constant("b", &[4, 3], x)?, EPSILON),
            |x, t| adaptive_instance_norm_tangent(x, t, &constant("s", &[4, 3], x)?, EPSILON),
        ),
    ];
    for (name, function, tangent) in cases {
        const H: f64 = 1e-5;
        let like = Tensor::zeros((), DType::F64, &Device::Cpu)?;
        let (x, t) = (constant(name, &[4, 3, 2, 2], &like)?, constant("along", &[4, 3, 2, 2], &like)?);
        let side = |h: f64| function(&(&x + (&t * h)?)?);
        let expected = ((side(H)? - side(-H)?)? / (2.0 * H))?;
        let error = (tangent(&x, &t)? - expected)?.abs()?.max_all()?.to_scalar::<f64>()?;
        assert!(error < 1e-8, "{name}: the tangent is off by {error:.1e}");
    }
    Ok(())
}

#[test]
fn what_does_not_fit_is_refused() -> Result<()> {
    let x = Tensor::zeros((5, 4, 2, 2), DType::F32, &Device::Cpu)?;
    let two = Tensor::zeros(2, DType::F32, &Device::Cpu)?;
    let message = minibatch_deviation(&x, 4).unwrap_err().to_string();
    assert!(message.contains("5 pictures in groups of 4"), "{message}");
    assert!(minibatch_deviation(&x, 0).is_err());
    assert!(gated_halves(&x.narrow(1, 0, 3)?, Activation::Tanh).is_err());
    assert!(bias_activation(&x, &two, Activation::RELU).unwrap_err().to_string().contains("[4]"));
    assert!(adaptive_instance_norm(&x, &two, &two, EPSILON).unwrap_err().to_string().contains("[5, 4]"));
    assert!(layer_epilogue(&x, &x, &two, &two, 0.2, 1.0).is_err());
    let four = Tensor::zeros(4, DType::F32, &Device::Cpu)?;
    assert!(layer_epilogue(&x, &x, &four, &four, 0.2, 1.0).unwrap_err().to_string().contains("[5, 1, 2, 2]"));
    assert!(layer_epilogue(&x, &x.narrow(1, 0, 1)?, &four, &four, -0.2, 1.0).is_err());
    assert!(upfirdn2d(&x, [&[1.0; 5], &[1.0]], 1, 1, [[1, 1]; 2]).is_err());
    assert!(upfirdn2d(&x, [&[], &[1.0]], 1, 1, [[1, 1]; 2]).is_err());
    assert!(downsample_filtered(&x, &[1.0]).is_err());
    assert!(spectral_norm(&x, &two, &two).unwrap_err().to_string().contains("[5]"));
    Ok(())
}
