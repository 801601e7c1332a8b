//! The table of all operations.

use tachie::Result;
use tachie::candle_core::Tensor;
use tachie::ops::conv::{ConvSpec, conv_transpose2d_with_bias, conv2d, conv2d_with_bias};
use tachie::ops::level::{Level, VARIABLE, level};
use tachie::ops::max_pool::{Rounding, max_pool2d};
use tachie::ops::norm::{batch_norm, instance_norm, instance_norm_tangent};
use tachie::ops::pad::reflect_pad;
use tachie::ops::resample::{avg_pool2d, avg_pool2d_inside, avg_pool2d_with, upsample_nearest};
use tachie::ops::reshape::{ShuffleOrder, pixel_shuffle, pixel_unshuffle};
use tachie::ops::warp::{Border, Map, warp};
use tachie::ops::{activation, channel};

use crate::differences::{Case, Order, compare};
use crate::fused;
use crate::processes::again;

/// (name, input, weight, geometry)
type Convolution = (&'static str, [usize; 4], [usize; 4], ConvSpec);

fn convolutions() -> Vec<Case> {
    let s = ConvSpec::default();
    let cases: Vec<Convolution> = vec![
        ("k3 s1 p1", [2, 2, 5, 5], [3, 2, 3, 3], s.padding(1)),
        ("k3 s1 p0", [1, 2, 5, 5], [3, 2, 3, 3], s),
        ("k3 s1 p2 (more than same)", [1, 2, 4, 4], [2, 2, 3, 3], s.padding(2)),
        ("k1 p2 (padding beyond the kernel)", [1, 2, 3, 3], [2, 2, 1, 1], s.padding(2)),
        ("k3 s2 p1 even", [1, 2, 6, 6], [3, 2, 3, 3], s.stride(2).padding(1)),
        ("k3 s2 p1 odd", [1, 2, 7, 7], [3, 2, 3, 3], s.stride(2).padding(1)),
        ("k3 s2 p1 uneven 7x8", [1, 2, 7, 8], [2, 2, 3, 3], s.stride(2).padding(1)),
        ("k4 s2 p1", [1, 2, 6, 6], [3, 2, 4, 4], s.stride(2).padding(1)),
        ("k3 s2 p0 6x6 (a row left over)", [1, 2, 6, 6], [2, 2, 3, 3], s.stride(2)),
        ("k3 s3 p1 8x8", [1, 2, 8, 8], [2, 2, 3, 3], s.stride(3).padding(1)),
        ("k2 s3 (pixels without a window)", [1, 2, 7, 7], [2, 2, 2, 2], s.stride(3)),
        ("k3 s(2,1)", [1, 2, 6, 5], [2, 2, 3, 3], s.stride([2, 1]).padding(1)),
        ("k3 d2 p2", [1, 2, 6, 6], [2, 2, 3, 3], s.padding(2).dilation(2)),
        ("k3 s2 d2 p2", [1, 2, 7, 7], [2, 2, 3, 3], s.stride(2).padding(2).dilation(2)),
        ("groups 2", [1, 4, 4, 4], [4, 2, 3, 3], s.padding(1).groups(2)),
        ("groups 2 s2", [2, 4, 5, 5], [6, 2, 3, 3], s.padding(1).groups(2).stride(2)),
        ("depthwise", [1, 3, 4, 4], [3, 1, 3, 3], s.padding(1).groups(3)),
        ("1x1", [2, 3, 3, 3], [4, 3, 1, 1], s),
        ("1x1 s2", [2, 3, 4, 4], [4, 3, 1, 1], s.stride(2)),
        ("k4 to one pixel", [2, 2, 4, 4], [3, 2, 4, 4], s),
        ("input 4x6", [1, 2, 4, 6], [2, 2, 3, 3], s.padding(1)),
        ("kernel 3x5 p(1,2)", [1, 2, 6, 6], [2, 2, 3, 5], s.padding([1, 2])),
        ("kernel 1x3", [1, 2, 6, 6], [2, 2, 1, 3], s),
        ("17 channels out", [1, 2, 3, 3], [17, 2, 3, 3], s.padding(1)),
    ];
    let case = |(name, x, w, spec): Convolution| {
        let bias = [w[0]];
        Case::new(&format!("conv2d {name}"), &[&x, &w, &bias], move |t| {
            conv2d_with_bias(&t[0], &t[1], Some(&t[2]), &spec)
        })
    };
    cases.into_iter().map(case).collect()
}

fn transposed_convolutions() -> Vec<Case> {
    let s = ConvSpec::default();
    let cases: Vec<Convolution> = vec![
        ("k4 s2 p1", [1, 2, 3, 3], [2, 3, 4, 4], s.stride(2).padding(1)),
        ("k3 s2 p1 op1", [1, 2, 3, 3], [2, 3, 3, 3], s.stride(2).padding(1).output_padding(1)),
        ("k3 s2 p1 op(1,0)", [1, 2, 3, 4], [2, 3, 3, 3], s.stride(2).padding(1).output_padding([1, 0])),
        ("k3 s1 p1", [1, 2, 4, 4], [2, 3, 3, 3], s.padding(1)),
        ("k3 s1 p1 d2", [1, 2, 4, 4], [2, 2, 3, 3], s.padding(1).dilation(2)),
        ("k4 from one pixel", [2, 3, 1, 1], [3, 2, 4, 4], s),
        ("k2 s2 input 2x3", [1, 2, 2, 3], [2, 2, 2, 2], s.stride(2)),
        ("k2 s3 (pixels without a tap)", [1, 2, 3, 3], [2, 2, 2, 2], s.stride(3)),
        ("groups 2", [1, 4, 3, 3], [4, 2, 4, 4], s.stride(2).padding(1).groups(2)),
    ];
    let case = |(name, x, w, spec): Convolution| {
        let bias = [w[1] * spec.groups];
        Case::new(&format!("conv_transpose2d {name}"), &[&x, &w, &bias], move |t| {
            conv_transpose2d_with_bias(&t[0], &t[1], Some(&t[2]), &spec)
        })
    };
    cases.into_iter().map(case).collect()
}

/// Turned and smaller; mirrored, larger and moved beyond the border.
const MAPS: [Map; 2] = [[[0.9, 0.5, -0.6], [-0.4, 1.3, 0.2]], [[-0.7, 0.1, 4.3], [0.0, 0.6, -1.0]]];

fn resampling() -> Vec<Case> {
    vec![
        Case::new("upsample_nearest x2", &[&[1, 2, 3, 3]], |t| upsample_nearest(&t[0], 2)),
        Case::new("upsample_nearest x3 input 2x3", &[&[2, 1, 2, 3]], |t| upsample_nearest(&t[0], 3)),
        Case::new("upsample_nearest (1,2)", &[&[1, 2, 3, 3]], |t| upsample_nearest(&t[0], [1, 2])),
        Case::new("avg_pool2d 2", &[&[1, 2, 4, 4]], |t| avg_pool2d(&t[0], 2)),
        Case::new("avg_pool2d 2 on 5x5", &[&[1, 2, 5, 5]], |t| avg_pool2d(&t[0], 2)),
        Case::new("avg_pool2d (1,2)", &[&[1, 2, 4, 4]], |t| avg_pool2d(&t[0], [1, 2])),
        Case::new("avg_pool2d k3 s2", &[&[1, 2, 5, 5]], |t| avg_pool2d_with(&t[0], 3, 2, 0)),
        Case::new("avg_pool2d k3 s2 p1", &[&[1, 2, 6, 5]], |t| avg_pool2d_with(&t[0], 3, 2, 1)),
        Case::new("avg_pool2d k2 s3 on 8x8", &[&[1, 2, 8, 8]], |t| avg_pool2d_with(&t[0], 2, 3, 0)),
        Case::new("avg_pool2d k3 s1 p1 inside", &[&[1, 2, 4, 5]], |t| avg_pool2d_inside(&t[0], 3, 1, 1)),
        Case::new("max_pool2d k3 s2", &[&[1, 2, 5, 7]], |t| max_pool2d(&t[0], 3, 2, 0, Rounding::Down)),
        Case::new("max_pool2d k3 s1 p1", &[&[1, 2, 4, 5]], |t| max_pool2d(&t[0], 3, 1, 1, Rounding::Down)),
        Case::new("max_pool2d k3 s2 up", &[&[1, 2, 6, 5]], |t| max_pool2d(&t[0], 3, 2, 0, Rounding::Up)),
        Case::new("avg_pool2d over all of 4x4", &[&[1, 2, 4, 4]], |t| avg_pool2d(&t[0], 4)),
        Case::new("pixel_shuffle 2 PyTorch", &[&[2, 8, 2, 3]], |t| pixel_shuffle(&t[0], 2, ShuffleOrder::PyTorch)),
        Case::new("pixel_shuffle 2 DCR", &[&[2, 8, 2, 3]], |t| pixel_shuffle(&t[0], 2, ShuffleOrder::Dcr)),
        Case::new("pixel_shuffle 3 DCR", &[&[1, 18, 2, 2]], |t| pixel_shuffle(&t[0], 3, ShuffleOrder::Dcr)),
        Case::new("reflect_pad 2", &[&[1, 2, 3, 4]], |t| reflect_pad(&t[0], 2)),
        Case::new("pixel_unshuffle 2 PyTorch", &[&[1, 2, 4, 6]], |t| pixel_unshuffle(&t[0], 2, ShuffleOrder::PyTorch)),
        Case::new("pixel_unshuffle 2 DCR", &[&[1, 2, 4, 6]], |t| pixel_unshuffle(&t[0], 2, ShuffleOrder::Dcr)),
        Case::new("warp, zeros outside", &[&[2, 2, 3, 4]], |t| warp(&t[0], &MAPS, [4, 3], Border::Zeros)),
        Case::new("warp, mirrored", &[&[2, 2, 3, 4]], |t| warp(&t[0], &MAPS, [4, 3], Border::Mirror)),
    ]
}

fn elementwise() -> Vec<Case> {
    vec![
        Case::new("relu", &[&[3, 4]], |t| activation::relu(&t[0])),
        Case::new("leaky_relu 0.2", &[&[3, 4]], |t| activation::leaky_relu(&t[0], 0.2)),
        Case::new("leaky_relu 0.2 of a transposed tensor", &[&[3, 4]], |t| activation::leaky_relu(&t[0].t()?, 0.2)),
        Case::new("leaky_relu_gate", &[&[3, 4], &[3, 4]], |t| activation::leaky_relu_gate(&t[1], &t[0], 0.2)),
        Case::new("tanh", &[&[3, 4]], |t| activation::tanh(&t[0])),
        Case::new("sigmoid", &[&[3, 4]], |t| activation::sigmoid(&t[0])),
        Case::new("softplus", &[&[3, 4]], |t| activation::softplus(&t[0])),
        Case::new("channel affine", &[&[2, 3, 2, 2], &[3], &[3]], |t| channel::affine(&t[0], &t[1], &t[2])),
        Case::new("channel affine rank 2", &[&[4, 3], &[3], &[3]], |t| channel::affine(&t[0], &t[1], &t[2])),
        Case::new("channel scale", &[&[2, 3, 5], &[3]], |t| channel::scale(&t[0], &t[1])),
        Case::new("channel dot", &[&[2, 3, 17], &[2, 3, 17]], |t| channel::dot(&t[0], &t[1])),
        Case::new("channel dot of matrices", &[&[4, 3], &[4, 3]], |t| channel::dot(&t[0], &t[1])),
        Case::new("channel sum", &[&[2, 3, 4, 5]], |t| channel::sum(&t[0])),
        Case::new("channel sum of a matrix", &[&[4, 3]], |t| channel::sum(&t[0])),
    ]
}

fn norms() -> Vec<Case> {
    const EPSILON: f64 = 1e-2;
    vec![
        Case::new("batch norm 2-D", &[&[3, 2, 3, 2], &[2], &[2]], |t| Ok(batch_norm(&t[0], &t[1], &t[2], EPSILON)?.0)),
        Case::new("batch norm 1-D", &[&[5, 3], &[3], &[3]], |t| Ok(batch_norm(&t[0], &t[1], &t[2], EPSILON)?.0)),
        Case::new("instance norm", &[&[2, 3, 3, 4]], |t| instance_norm(&t[0], None, EPSILON)),
        Case::new("instance norm affine", &[&[2, 3, 3, 4], &[3], &[3]], |t| {
            instance_norm(&t[0], Some((&t[1], &t[2])), EPSILON)
        }),
        Case::new("instance norm tangent", &[&[2, 2, 3, 2], &[2, 2, 3, 2], &[2]], |t| {
            instance_norm_tangent(&t[0], &t[1], Some(&t[2]), EPSILON)
        }),
    ]
}

/// A tensor with two consumers, in both orders: candle's upsampling overwrites the gradient of the one seen first.
fn used_twice() -> Vec<Case> {
    fn both(name: &str, shape: &[usize], f: fn(&Tensor) -> Result<Tensor>) -> [Case; 2] {
        let tripled = |x: &Tensor| -> Result<Tensor> { Ok(x.flatten_all()?.affine(3.0, 0.0)?) };
        let first = Case::new(&format!("{name}, then the input again"), &[shape], move |t| {
            Ok(Tensor::cat(&[f(&t[0])?.flatten_all()?, tripled(&t[0])?], 0)?)
        });
        let last = Case::new(&format!("the input, then {name}"), &[shape], move |t| {
            Ok(Tensor::cat(&[tripled(&t[0])?, f(&t[0])?.flatten_all()?], 0)?)
        });
        [first, last]
    }
    let mut cases = Vec::new();
    cases.extend(both("upsample", &[1, 2, 3, 3], |x| upsample_nearest(x, 2)));
    cases.extend(both("pool", &[1, 2, 4, 4], |x| avg_pool2d(x, 2)));
    cases.extend(both("leaky_relu", &[2, 5], |x| activation::leaky_relu(x, 0.2)));
    cases.extend(both("instance norm", &[2, 2, 2, 3], |x| instance_norm(x, None, 1e-2)));
    cases.extend(both("shuffle", &[1, 4, 2, 2], |x| pixel_shuffle(x, 2, ShuffleOrder::Dcr)));
    cases.push(Case::new("conv2d of x with itself", &[&[1, 1, 3, 3]], |t| conv2d(&t[0], &t[0], &ConvSpec::padded(1))));
    cases
}

/// Blocks as networks use them.
fn networks() -> Vec<Case> {
    vec![
        Case::new("conv, batch norm, shuffle, tanh", &[&[2, 2, 3, 3], &[4, 2, 3, 3], &[4], &[4]], |t| {
            let y = conv2d(&t[0], &t[1], &ConvSpec::padded(1))?;
            let (y, _) = batch_norm(&y, &t[2], &t[3], 1e-2)?;
            activation::tanh(&pixel_shuffle(&y, 2, ShuffleOrder::Dcr)?)
        }),
        Case::new("conv s2, instance norm, leaky, conv", &[&[2, 2, 6, 6], &[3, 2, 4, 4], &[1, 3, 3, 3]], |t| {
            let y = conv2d(&t[0], &t[1], &ConvSpec::padded(1).stride(2))?;
            let y = activation::leaky_relu(&instance_norm(&y, None, 1e-2)?, 0.2)?;
            conv2d(&y, &t[2], &ConvSpec::default())
        }),
    ]
}

fn table() -> Vec<Case> {
    let chapters =
        [convolutions, transposed_convolutions, resampling, elementwise, norms, fused::cases, used_twice, networks];
    let chapters = chapters.map(|cases| cases());
    chapters.into_iter().flatten().collect()
}

fn check(order: Order) {
    let cases = table();
    let results: Vec<_> = cases.iter().map(|case| compare(case, order)).collect();
    for line in results.iter().flatten() {
        println!("{line}");
    }
    let failures: Vec<_> = results.iter().filter_map(|result| result.as_ref().err()).collect();
    assert!(failures.is_empty(), "{order:?} order, {} of {} wrong: {failures:#?}", failures.len(), cases.len());
    println!("{} operations {}", cases.len(), verdict(order, level()));
}

fn verdict(order: Order, level: Level) -> String {
    format!("right to {order:?} order on {level}")
}

/// On every level of vector instructions, each in a process of its own, because a process chooses once.
#[test]
fn every_operation_to_first_order() {
    if std::env::var_os(VARIABLE).is_some() {
        return check(Order::First);
    }
    for level in Level::available() {
        let variables = [(VARIABLE, level.name())];
        again("operations::every_operation_to_first_order", &variables, &verdict(Order::First, level));
    }
}

/// As to first order; candle reads its switch from the environment too, once per thread.
#[test]
fn every_operation_to_second_order() {
    const SWITCH: &str = "CANDLE_GRAD_DO_NOT_DETACH";
    if std::env::var_os(SWITCH).is_some() {
        return check(Order::Second);
    }
    for level in Level::available() {
        let variables = [(VARIABLE, level.name()), (SWITCH, "1")];
        again("operations::every_operation_to_second_order", &variables, &verdict(Order::Second, level));
    }
}
