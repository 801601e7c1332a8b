//! Every operation that has a kernel for GPUs, on shapes that are not kind: odd sizes, several groups, more numbers than
//! a block takes.

use tachie::autograd::backward_keeping_graph;
use tachie::candle_core::{DType, Tensor};
use tachie::nn::augment::{Drawn, Transforms};
use tachie::nn::conv::ConvSpec;
use tachie::ops::activation::Activation;
use tachie::ops::max_pool::{Rounding, max_pool2d};
use tachie::ops::minibatch::minibatch_deviation;
use tachie::ops::norm::{
    adaptive_instance_norm, adaptive_instance_norm_tangent, batch_norm, instance_norm, instance_norm_tangent,
    pixel_norm, pixel_norm_tangent,
};
use tachie::ops::pose::{Levels, Pixels, add_pose_response};
use tachie::ops::resample::{avg_pool2d, avg_pool2d_inside, avg_pool2d_with, upsample_nearest};
use tachie::ops::reshape::{ShuffleOrder, pixel_shuffle, pixel_unshuffle};
use tachie::ops::spectral::spectral_norm;
use tachie::ops::warp::{Border, Map, warp};
use tachie::ops::{activation, arithmetic, channel, conv, epilogue, fir, gated, reduce};
use tachie::rng::Seed;
use tachie::{Error, Result};

type Run = Box<dyn Fn(&[Tensor]) -> Result<Tensor>>;

/// An operation on operands of these shapes, all differentiable.
pub struct Case {
    pub name: String,
    pub shapes: Vec<Vec<usize>>,
    pub run: Run,
}

impl Case {
    /// What operand `i` is stored as where maps are stored as `dtype`: numbers per channel or row are f32 beside bf16
    /// maps.
    pub fn dtype(&self, i: usize, dtype: DType) -> DType {
        let vector = self.shapes[i].len() < self.shapes[0].len();
        if vector && dtype == DType::BF16 { DType::F32 } else { dtype }
    }

    /// Whether the operation exists for bf16: a spectral norm is taken of weights, which are f32.
    pub fn takes_bf16(&self) -> bool {
        self.name != "spectral norm"
    }
}

fn case(name: impl Into<String>, shapes: &[&[usize]], run: impl Fn(&[Tensor]) -> Result<Tensor> + 'static) -> Case {
    Case { name: name.into(), shapes: shapes.iter().map(|shape| shape.to_vec()).collect(), run: Box::new(run) }
}

pub fn all() -> Vec<Case> {
    let mut cases = elementwise();
    cases.extend(channels());
    cases.extend(norms());
    cases.extend(resampling());
    cases.extend(convolutions());
    cases.extend(epilogues());
    cases.extend(statistics());
    cases.extend(poses());
    cases.extend(warps());
    cases
}

/// Numbers that come in packs of four, and that do not.
const PLANES: [&[usize]; 2] = [&[3, 5, 8, 6], &[2, 7, 5, 3]];

fn elementwise() -> Vec<Case> {
    let mut cases = Vec::new();
    for (size, shape) in ["even", "odd"].into_iter().zip(PLANES) {
        let mut one = |name: &str, run: fn(&Tensor) -> Result<Tensor>| {
            cases.push(case(format!("{name}, {size}"), &[shape], move |v| run(&v[0])));
        };
        one("ReLU", activation::relu);
        one("leaky ReLU", |x| activation::leaky_relu(x, 0.2));
        one("tanh", activation::tanh);
        one("sigmoid", activation::sigmoid);
        one("softplus", activation::softplus);
        one("affine", |x| arithmetic::affine(x, -1.5, 0.25));
        let mut two = |name: &str, run: fn(&Tensor, &Tensor) -> Result<Tensor>| {
            cases.push(case(format!("{name}, {size}"), &[shape, shape], move |v| run(&v[0], &v[1])));
        };
        two("sum", arithmetic::add);
        two("product", arithmetic::mul);
        two("residual leaky ReLU", |a, b| activation::add_leaky_relu(a, b, 0.1));
        two("leaky ReLU gate", |x, t| activation::leaky_relu_gate(x, t, 0.2));
    }
    cases
}

fn channels() -> Vec<Case> {
    let mut cases = Vec::new();
    for (size, shape) in [("even", PLANES[0]), ("odd", PLANES[1]), ("large", &[3, 2, 40, 60]), ("matrix", &[9, 6])] {
        let per_channel = [shape[1]];
        let name = |what: &str| format!("channel {what}, {size}");
        cases.extend([
            case(name("affine"), &[shape, &per_channel, &per_channel], |v| channel::affine(&v[0], &v[1], &v[2])),
            case(name("scale"), &[shape, &per_channel], |v| channel::scale(&v[0], &v[1])),
            case(name("dot"), &[shape, shape], |v| channel::dot(&v[0], &v[1])),
            case(name("sum"), &[shape], |v| channel::sum(&v[0])),
        ]);
    }
    cases
}

fn norms() -> Vec<Case> {
    let mut cases = Vec::new();
    // The large ones are cut into parts, the last of which is shorter.
    let shapes: [(&str, &[usize]); 5] = [
        ("even", PLANES[0]),
        ("odd", PLANES[1]),
        ("large", &[3, 2, 40, 60]),
        ("odd and large", &[2, 1, 49, 51]),
        ("matrix", &[9, 6]),
    ];
    for (size, shape) in shapes {
        let per_channel = [shape[1]];
        cases.push(case(format!("batch norm, {size}"), &[shape, &per_channel, &per_channel], |v| {
            Ok(batch_norm(&v[0], &v[1], &v[2], 1e-5)?.0)
        }));
        cases.push(case(format!("batch statistics, {size}"), &[shape, &per_channel, &per_channel], |v| {
            let seen = batch_norm(&v[0].detach(), &v[1], &v[2], 1e-5)?.1;
            // The operands join in with weight 0, so that there is something to go backwards through.
            let nothing = v[1].affine(0.0, 0.0)?;
            Ok((Tensor::cat(&[seen.mean, seen.unbiased_variance], 0)? + Tensor::cat(&[&nothing, &nothing], 0)?)?)
        }));
        if shape.len() == 4 {
            cases.push(case(format!("instance norm, {size}"), &[shape, &per_channel, &per_channel], |v| {
                instance_norm(&v[0], Some((&v[1], &v[2])), 1e-5)
            }));
            cases.push(case(format!("instance norm tangent, {size}"), &[shape, shape, &per_channel], |v| {
                instance_norm_tangent(&v[0], &v[1], Some(&v[2]), 1e-5)
            }));
        }
    }
    cases
}

fn resampling() -> Vec<Case> {
    let plane: &[usize] = &[2, 3, 7, 6];
    vec![
        case("nearest ×2", &[plane], |v| upsample_nearest(&v[0], 2)),
        case("nearest ×(3, 1)", &[plane], |v| upsample_nearest(&v[0], [3, 1])),
        case("average pool 2", &[plane], |v| avg_pool2d(&v[0], 2)),
        case("average pool 3, stride 2, padding 1", &[plane], |v| avg_pool2d_with(&v[0], 3, 2, 1)),
        case("average pool 3, padding 1 not counted", &[plane], |v| avg_pool2d_inside(&v[0], 3, 1, 1)),
        case("average pool 3×2, stride 2, padding 1 not counted", &[plane], |v| {
            avg_pool2d_inside(&v[0], [3, 2], 2, 1)
        }),
        case("maximum pool 2", &[plane], |v| max_pool2d(&v[0], 2, 2, 0, Rounding::Down)),
        case("maximum pool 3, stride 2, padding 1", &[plane], |v| max_pool2d(&v[0], 3, 2, 1, Rounding::Down)),
        case("maximum pool 3, stride 2, rounded up", &[plane], |v| max_pool2d(&v[0], 3, 2, 0, Rounding::Up)),
        case("gradient of a maximum pool", &[plane], |v| {
            let pooled = max_pool2d(&v[0], 3, 2, 1, Rounding::Down)?;
            let gradients = backward_keeping_graph(&arithmetic::mul(&pooled, &pooled)?)?;
            gradients.get(&v[0]).cloned().ok_or_else(|| Error::invalid("maximum pool", "no gradient", "one", ""))
        }),
        case("pixel shuffle", &[&[2, 12, 3, 5]], |v| pixel_shuffle(&v[0], 2, ShuffleOrder::PyTorch)),
        case("pixel shuffle, DCR", &[&[2, 12, 3, 5]], |v| pixel_shuffle(&v[0], 2, ShuffleOrder::Dcr)),
        case("pixel unshuffle", &[&[2, 3, 6, 4]], |v| pixel_unshuffle(&v[0], 2, ShuffleOrder::PyTorch)),
        case("pixel unshuffle, DCR", &[&[2, 3, 6, 4]], |v| pixel_unshuffle(&v[0], 2, ShuffleOrder::Dcr)),
    ]
}

/// Kernels that reach over the border, points beside each other, outside and unknown; maps as they are, and after pooling.
fn poses() -> Vec<Case> {
    let points = [
        [[0.0f32, 0.0, 1.0], [11.5, 15.9, 1.0], [3.0, 4.0, 0.0], [12.0, 2.0, 1.0]],
        [[5.0, 5.0, 1.0], [5.9, 5.1, 1.0], [-0.1, 3.0, 1.0], [f32::NAN, 3.0, 1.0]],
    ];
    let answered = move |v: &[Tensor], halvings: u32, levels: Levels| {
        let points = Tensor::new(&points, v[0].device())?;
        let pixels = Pixels::new(&points, [16, 12])?.in_maps_of(levels).pooled(halvings);
        add_pose_response(&v[0], &v[1], &pixels)
    };
    let others = Levels { ground: 0.25, point: 4.0 };
    let cases: [(&str, &[usize], &[usize], u32, Levels); 3] = [
        ("kernel 3", &[2, 5, 16, 12], &[5, 4, 3, 3], 0, Levels::default()),
        ("kernel 5, after pooling", &[2, 3, 4, 3], &[3, 4, 5, 5], 2, Levels::default()),
        ("kernel 1, other numbers", &[2, 3, 8, 6], &[3, 4, 1, 1], 1, others),
    ];
    cases
        .map(|(name, x, weight, halvings, levels)| {
            case(format!("pose response, {name}"), &[x, weight], move |v| answered(v, halvings, levels))
        })
        .into()
}

/// Pieces that are turned, twice as large, half as large, mirrored, far outside, and of one pixel; pictures of one pixel; and what
/// a discriminator is shown.
fn warps() -> Vec<Case> {
    let maps: [(&str, [usize; 4], [Map; 2]); 3] = [
        ("turned", [2, 3, 7, 6], [[[0.8, 0.3, -1.3], [-0.4, 0.9, 1.6]], [[-1.0, 0.0, 5.0], [0.0, 1.0, 0.0]]]),
        ("far", [2, 2, 4, 5], [[[0.5, 0.1, -20.2], [0.0, 2.1, 30.5]], [[0.0, 0.0, 2.5], [0.5, 1.0, -3.0]]]),
        ("of one pixel", [2, 2, 1, 1], [[[0.4, 0.0, -1.2], [0.0, 0.3, -0.9]], [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]]),
    ];
    let mut cases = Vec::new();
    for (name, shape, maps) in maps {
        for (outside, border) in [("nothing", Border::Zeros), ("mirrors", Border::Mirror)] {
            cases.push(case(format!("warp, {name}, outside {outside}"), &[&shape], move |v| {
                warp(&v[0], &maps, [9, 8], border)
            }));
        }
    }
    cases.push(case("augmented pictures", &[&[3, 3, 8, 8]], |v| {
        Drawn::draw(&Transforms::bgc(), 0.9, [3, 8], &mut Seed(4).stream("augmented")).apply(&v[0])
    }));
    cases
}

fn epilogues() -> Vec<Case> {
    let functions = [
        ("identity", Activation::Identity),
        ("leaky ReLU", Activation::LeakyRelu(0.2)),
        ("tanh", Activation::Tanh),
        ("sigmoid", Activation::Sigmoid),
        ("softplus", Activation::Softplus),
    ];
    let mut cases = Vec::new();
    for (size, [n, c, h, w]) in [("even", [3, 6, 8, 6]), ("odd", [2, 4, 5, 3])] {
        let (shape, per_channel, noise) = ([n, c, h, w], [c], [n, 1, h, w]);
        for (name, function) in functions {
            cases.push(case(format!("bias and {name}, {size}"), &[&shape, &per_channel], move |v| {
                epilogue::bias_activation(&v[0], &v[1], function)
            }));
            cases.push(case(format!("gate and {name}, {size}"), &[&shape, &shape], move |v| {
                gated::gated(&v[0], &v[1], function)
            }));
            cases.push(case(format!("halves as gates and {name}, {size}"), &[&shape], move |v| {
                gated::gated_halves(&v[0], function)
            }));
        }
        for gain in [1.0, 1.5] {
            let shapes: [&[usize]; 4] = [&shape, &noise, &per_channel, &per_channel];
            cases.push(case(format!("layer epilogue, gain {gain}, {size}"), &shapes, move |v| {
                epilogue::layer_epilogue(&v[0], &v[1], &v[2], &v[3], 0.2, gain)
            }));
        }
    }
    cases
}

/// Sums, and what divides by them.
fn statistics() -> Vec<Case> {
    let mut cases = Vec::new();
    for (size, shape) in [("even", [4, 6, 8, 6]), ("odd", [2, 3, 5, 7]), ("large", [2, 2, 40, 60])] {
        let (shape, style): (&[usize], &[usize]) = (&shape, &shape[..2]);
        for dim in 0..3 {
            cases.push(case(format!("sum from {dim}, {size}"), &[shape], move |v| reduce::sum_from(&v[0], dim)));
            cases.push(case(format!("mean from {dim}, {size}"), &[shape], move |v| reduce::mean_from(&v[0], dim)));
            cases.push(case(format!("dot from {dim}, {size}"), &[shape, shape], move |v| {
                reduce::dot_from(&v[0], &v[1], dim)
            }));
            cases.push(case(format!("rows scaled from {dim}, {size}"), &[shape, &shape[..dim]], |v| {
                reduce::scale(&v[0], &v[1])
            }));
        }
        cases.push(case(format!("adaptive instance norm, {size}"), &[shape, style, style], |v| {
            adaptive_instance_norm(&v[0], &v[1], &v[2], 1e-5)
        }));
        cases.push(case(format!("adaptive instance norm tangent, {size}"), &[shape, shape, style], |v| {
            adaptive_instance_norm_tangent(&v[0], &v[1], &v[2], 1e-5)
        }));
        cases.push(case(format!("pixel norm, {size}"), &[shape], |v| pixel_norm(&v[0], 1e-8)));
        cases.push(case(format!("pixel norm tangent, {size}"), &[shape, shape], |v| {
            pixel_norm_tangent(&v[0], &v[1], 1e-8)
        }));
        cases.push(case(format!("minibatch deviation, {size}"), &[shape], |v| minibatch_deviation(&v[0], 2)));
        cases.push(case(format!("blur, {size}"), &[shape], |v| fir::blur(&v[0])));
        for taps in [&[1.0, 3.0, 3.0, 1.0][..], &[1.0, 2.0, 0.5]] {
            let count = taps.len();
            cases.push(case(format!("upsampling with {count} taps, {size}"), &[shape], move |v| {
                fir::upsample_filtered(&v[0], taps)
            }));
            cases.push(case(format!("downsampling with {count} taps, {size}"), &[shape], move |v| {
                fir::downsample_filtered(&v[0], taps)
            }));
        }
    }
    let (weight, u, v): (&[usize], &[usize], &[usize]) = (&[7, 3, 3, 3], &[7], &[27]);
    cases.push(case("spectral norm", &[weight, u, v], |t| spectral_norm(&t[0], &t[1].detach(), &t[2].detach())));
    cases
}

fn convolutions() -> Vec<Case> {
    let same = ConvSpec::padded(1);
    let forward: [(&str, ConvSpec, [usize; 4], [usize; 4]); 7] = [
        ("3×3", same, [2, 4, 7, 6], [5, 4, 3, 3]),
        ("4×4, stride 2", same.stride(2), [2, 3, 8, 8], [5, 3, 4, 4]),
        ("3×3, stride 2, uneven", same.stride(2), [2, 4, 7, 8], [4, 4, 3, 3]),
        ("3×3, 2 groups", same.groups(2), [2, 4, 6, 5], [6, 2, 3, 3]),
        ("3×3, dilation 2", ConvSpec::padded(2).dilation(2), [2, 3, 8, 7], [4, 3, 3, 3]),
        ("1×1", ConvSpec::padded(0), [2, 4, 5, 5], [3, 4, 1, 1]),
        ("1×5", ConvSpec::padded([0, 2]), [1, 2, 4, 7], [3, 2, 1, 5]),
    ];
    let mut cases = Vec::new();
    for (name, spec, x, w) in forward {
        let bias = [w[0]];
        cases.push(case(format!("conv {name}"), &[&x, &w], move |v| conv::conv2d(&v[0], &v[1], &spec)));
        cases.push(case(format!("conv {name}, bias"), &[&x, &w, &bias], move |v| {
            conv::conv2d_with_bias(&v[0], &v[1], Some(&v[2]), &spec)
        }));
    }
    let transposed: [(&str, ConvSpec, [usize; 4], [usize; 4]); 3] = [
        ("4×4, stride 2", same.stride(2), [2, 5, 4, 3], [5, 3, 4, 4]),
        ("3×3, stride 2, output padding 1", same.stride(2).output_padding(1), [2, 4, 3, 4], [4, 2, 3, 3]),
        ("3×3, 2 groups", same.groups(2), [2, 4, 5, 4], [4, 3, 3, 3]),
    ];
    for (name, spec, x, w) in transposed {
        let bias = [w[1] * spec.groups];
        cases.push(case(format!("transposed conv {name}, bias"), &[&x, &w, &bias], move |v| {
            conv::conv_transpose2d_with_bias(&v[0], &v[1], Some(&v[2]), &spec)
        }));
    }
    cases
}
