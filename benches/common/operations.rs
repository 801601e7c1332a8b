//! The operations that are measured, and what they are wanted to take.

pub mod convolutions;

use serde_json::{Value, json};
use tachie::candle_core::{DType, Device, Tensor, Var};
use tachie::models::make_girls::{Adversaries, MakeGirls};
use tachie::nn::params::{ParamStore, Training};
use tachie::ops::activation::Activation;
use tachie::ops::adam::{AdamStep, Update, lerp_all, update};
use tachie::ops::max_pool::{Rounding, max_pool2d};
use tachie::ops::norm::{adaptive_instance_norm, batch_norm, instance_norm, pixel_norm};
use tachie::ops::pose::{Pixels, add_pose_response};
use tachie::ops::resample::{avg_pool2d, avg_pool2d_inside, avg_pool2d_with, upsample_nearest};
use tachie::ops::reshape::{ShuffleOrder, pixel_shuffle, pixel_unshuffle};
use tachie::ops::warp::{Border, warp};
use tachie::ops::{
    activation, arithmetic, channel, data, epilogue, finite, fir, gated, minibatch, pad, reduce, spectral,
};
use tachie::train::gan::{Gan, Player};
use tachie::{Error, Result};

/// Calls the operation on its operands.
pub type Run = Box<dyn Fn(&[Var]) -> Result<Tensor> + Send + Sync>;

/// An operation on operands of these shapes.
pub struct Case {
    /// One of [`GROUPS`].
    pub group: &'static str,
    pub name: String,
    /// What the other side needs to know, besides the shapes.
    pub request: Value,
    pub shapes: Vec<Vec<usize>>,
    /// Of all operands.
    pub dtype: DType,
    pub run: Run,
}

/// A group of operations, with the largest ratios to PyTorch's time (forward and backward, two threads) that the engine
/// is accepted with.
pub struct Group {
    pub name: &'static str,
    /// Of the geometric mean.
    pub mean: Option<f64>,
    /// Of every single one.
    pub worst: Option<f64>,
}

pub const GROUPS: [Group; 12] = [
    Group { name: "convolutions", mean: Some(1.0), worst: Some(1.3) },
    Group { name: "norms", mean: None, worst: Some(1.2) },
    Group { name: "activations", mean: None, worst: Some(1.2) },
    Group { name: "resampling", mean: None, worst: Some(1.2) },
    Group { name: "Adam", mean: None, worst: Some(0.5) },
    Group { name: "running average", mean: None, worst: None },
    Group { name: "reductions", mean: None, worst: None },
    Group { name: "arithmetic", mean: None, worst: None },
    Group { name: "data and checks", mean: None, worst: None },
    Group { name: "other convolutions", mean: None, worst: None },
    Group { name: "layers of make-girls, 64 px", mean: None, worst: None },
    Group { name: "layers of dcgan, 64 px", mean: None, worst: None },
];

impl Case {
    /// Whether there is nothing to go backwards through.
    pub fn one_way(&self) -> bool {
        matches!(self.group, "Adam" | "running average" | "data and checks")
    }

    /// Whether its memory is measured as well: layers of models show theirs together in the steps, and the groups that no
    /// target names only repeat what the others show.
    pub fn remembered(&self) -> bool {
        let left_out = ["arithmetic", "data and checks", "other convolutions"];
        !self.group.starts_with("layers") && !left_out.contains(&self.group)
    }

    /// The request with shapes and type in it.
    pub fn request(&self) -> Value {
        let mut request = self.request.clone();
        request["shapes"] = json!(self.shapes);
        request["dtype"] = json!(match self.dtype {
            DType::U8 => "uint8",
            DType::F64 => "float64",
            _ => "float32",
        });
        request
    }
}

/// Everything that is measured.
///
/// # Errors
/// When the shapes of a network cannot be found out.
pub fn cases() -> Result<Vec<Case>> {
    let generator = generator()?;
    let optimizer = ["fused", "foreach"].into_iter().flat_map(|theirs| adam(theirs, &generator));
    let optimizer = optimizer.chain([average(&generator)]).collect();
    let small =
        [resampling(), optimizer, reductions(), arithmetic(), outside(&generator)].into_iter().flatten().collect();
    let all =
        [convolutions::published(), norms(), activations(), small, convolutions::others(), convolutions::layers()];
    Ok(all.into_iter().flatten().collect())
}

fn case(group: &'static str, name: &str, op: &str, shapes: &[&[usize]], run: Run) -> Case {
    let shapes = shapes.iter().map(|shape| shape.to_vec()).collect();
    Case { group, name: name.into(), request: json!({ "op": op }), shapes, dtype: DType::F32, run }
}

const PLANE: &[usize] = &[16, 64, 64, 64];

fn norms() -> Vec<Case> {
    let (channels, wide): (&[usize], &[usize]) = (&[64], &[16_384]);
    let batch = |v: &[Var]| Ok(batch_norm(&v[0], &v[1], &v[2], 1e-5)?.0);
    let fixed = |v: &[Var]| channel::affine(&v[0], &v[1], &v[2]);
    let instance = |v: &[Var]| instance_norm(&v[0], None, 1e-5);
    let weighted = |v: &[Var]| instance_norm(&v[0], Some((v[1].as_tensor(), v[2].as_tensor())), 1e-5);
    let pixel = |v: &[Var]| pixel_norm(&v[0], 1e-8);
    let adaptive = |v: &[Var]| adaptive_instance_norm(&v[0], &v[1], &v[2], 1e-5);
    let deviation = |v: &[Var]| minibatch::minibatch_deviation(&v[0], 4);
    let map = |v: &[Var]| minibatch::minibatch_deviation_map(&v[0]);
    let spectral = |v: &[Var]| {
        spectral::power_iteration(&v[0], &v[1], &v[2], 1, 1e-12)?;
        spectral::spectrally_normalized(&v[0], &v[1].as_detached_tensor(), &v[2].as_detached_tensor())
    };
    let styles: &[usize] = &[16, 64];
    let weight: &[&[usize]] = &[&[512, 512, 3, 3], &[512], &[4_608]];
    let case = |name: &str, op: &str, shapes: &[&[usize]], run: Run| case("norms", name, op, shapes, run);
    vec![
        case("batch norm 16x64x64²", "batch_norm", &[PLANE, channels, channels], Box::new(batch)),
        case("batch norm 64x16384", "batch_norm", &[&[64, 16_384], wide, wide], Box::new(batch)),
        case("batch norm, evaluation 16x64x64²", "batch_norm_eval", &[PLANE, channels, channels], Box::new(fixed)),
        case("instance norm 16x64x64²", "instance_norm", &[PLANE], Box::new(instance)),
        case(
            "instance norm, weights 16x64x64²",
            "instance_norm_affine",
            &[PLANE, channels, channels],
            Box::new(weighted),
        ),
        case("pixel norm 16x64x64²", "pixel_norm", &[PLANE], Box::new(pixel)),
        case("AdaIN 16x64x64²", "adain", &[PLANE, styles, styles], Box::new(adaptive)),
        case("minibatch deviation 16x512x4²", "minibatch_deviation", &[&[16, 512, 4, 4]], Box::new(deviation)),
        case("minibatch deviation map 8x128x16²", "minibatch_deviation_map", &[&[8, 128, 16, 16]], Box::new(map)),
        case("spectral norm 512x512x3²", "spectral_norm", weight, Box::new(spectral)),
    ]
}

fn activations() -> Vec<Case> {
    let case = |name: &str, op: &str, shapes: &[&[usize]], run: Run| {
        case("activations", &format!("{name} 16x64x64²"), op, shapes, run)
    };
    let plain = |name: &str, op: &str, run: fn(&Tensor) -> Result<Tensor>| {
        case(name, op, &[PLANE], Box::new(move |v| run(&v[0])))
    };
    let bias = |v: &[Var]| epilogue::bias_activation(&v[0], &v[1], Activation::LeakyRelu(0.2));
    let style = |v: &[Var]| epilogue::layer_epilogue(&v[0], &v[1], &v[2], &v[3], 0.2, std::f64::consts::SQRT_2);
    let gate = |v: &[Var]| gated::gated(&v[0], &v[1], Activation::LeakyRelu(0.2));
    let halves = |v: &[Var]| gated::gated_halves(&v[0], Activation::LeakyRelu(0.2));
    let residual = |v: &[Var]| activation::add_leaky_relu(&v[0], &v[1], 0.2);
    let (channels, noise): (&[usize], &[usize]) = (&[64], &[16, 1, 64, 64]);
    // Somewhere, and in the same place in benches/pytorch/ops.py.
    let place = |i: usize| [(5 * (i / 20) + 11 * (i % 20)) % 64, (7 * (i / 20) + 3 * (i % 20)) % 64, 1];
    let points: Vec<f32> = (0..16 * 20).flat_map(place).map(|number| number as f32).collect();
    let pose = move |v: &[Var]| {
        let points = Tensor::from_slice(&points, (16, 20, 3), v[0].device())?;
        add_pose_response(&v[0], &v[1], &Pixels::new(&points, [64, 64])?)
    };
    vec![
        plain("leaky ReLU", "leaky_relu", |x| activation::leaky_relu(x, 0.2)),
        plain("ReLU", "relu", activation::relu),
        plain("tanh", "tanh", activation::tanh),
        plain("sigmoid", "sigmoid", activation::sigmoid),
        plain("softplus", "softplus", activation::softplus),
        case("bias, leaky ReLU", "bias_leaky_relu", &[PLANE, channels], Box::new(bias)),
        case("sum, leaky ReLU", "add_leaky_relu", &[PLANE, PLANE], Box::new(residual)),
        case("noise, bias, leaky ReLU", "layer_epilogue", &[PLANE, noise, channels, channels], Box::new(style)),
        case("leaky ReLU times sigmoid", "gated", &[PLANE, PLANE], Box::new(gate)),
        case("the same of halves", "gated_halves", &[&[16, 128, 64, 64]], Box::new(halves)),
        case("plus convolution of 20 pose maps", "pose", &[PLANE, &[64, 20, 3, 3]], Box::new(pose)),
    ]
}

fn resampling() -> Vec<Case> {
    const TAPS: [f64; 4] = [0.125, 0.375, 0.375, 0.125];
    let case = |name: &str, op: &str, shape: &[usize], run: fn(&Tensor) -> Result<Tensor>| {
        case("resampling", name, op, &[shape], Box::new(move |v| run(&v[0])))
    };
    let small: &[usize] = &[16, 64, 32, 32];
    vec![
        case("nearest 16x64x32² → 64²", "upsample_nearest", small, |x| upsample_nearest(x, 2)),
        case("warp 16x3x138²", "warp", &[16, 3, 138, 138], |x| {
            warp(x, &[[[0.8, 0.3, 4.0], [-0.3, 0.8, 20.0]]; 16], [138, 138], Border::Zeros)
        }),
        case("average pool 16x64x64² → 32²", "avg_pool2d", PLANE, |x| avg_pool2d(x, 2)),
        case("average pool 3x3 16x64x64² → 32²", "avg_pool2d_3x3", PLANE, |x| avg_pool2d_with(x, 3, 2, 1)),
        case("average pool 3x3 inside 16x64x64²", "avg_pool2d_inside", PLANE, |x| avg_pool2d_inside(x, 3, 1, 1)),
        case("maximum pool 16x64x64² → 32²", "max_pool2d", PLANE, |x| max_pool2d(x, 2, 2, 0, Rounding::Down)),
        case("maximum pool 3x3 16x64x64² → 32²", "max_pool2d_3x3", PLANE, |x| {
            max_pool2d(x, 3, 2, 1, Rounding::Down)
        }),
        case("reflect pad 3, 16x64x64²", "reflect_pad", PLANE, |x| pad::reflect_pad(x, 3)),
        case("pixel unshuffle 16x64x64² → 32²", "pixel_unshuffle", PLANE, |x| {
            pixel_unshuffle(x, 2, ShuffleOrder::PyTorch)
        }),
        case("pixel shuffle 16x256x32² → 64²", "pixel_shuffle", &[16, 256, 32, 32], |x| {
            pixel_shuffle(x, 2, ShuffleOrder::PyTorch)
        }),
        case("blur 3x3 16x64x64²", "blur", PLANE, fir::blur),
        case("filter 4x4 up 16x64x32² → 64²", "upsample_filtered", small, |x| fir::upsample_filtered(x, &TAPS)),
        case("filter 4x4 down 16x64x64² → 32²", "downsample_filtered", PLANE, |x| {
            fir::downsample_filtered(x, &TAPS)
        }),
    ]
}

/// Shapes of the parameters of the paper's generator.
fn generator() -> Result<Vec<Vec<usize>>> {
    let params = ParamStore::blank(&Device::Cpu, DType::F32)?;
    Adversaries::new(&MakeGirls::paper(), &params.view(Training::All))?;
    let parameters = params.trainable(Player::Generator.prefix());
    Ok(parameters.into_iter().map(|(_, var)| var.dims().to_vec()).collect())
}

/// One step of Adam, beside one of PyTorch's two implementations: on one large tensor, and on those of a network.
fn adam(theirs: &str, generator: &[Vec<usize>]) -> [Case; 2] {
    let step = AdamStep { learning_rate: 2e-4, beta1: 0.5, beta2: 0.999, epsilon: 1e-8, step: 1 };
    let case = |what: &str, shapes: Vec<Vec<usize>>| {
        let run = move |v: &[Var]| -> Result<Tensor> {
            let moved = v.chunks_exact(4).map(|v| {
                let [parameter, gradient, first, second] = [0, 1, 2, 3].map(|i| v[i].as_tensor());
                Update { parameter, gradient, first, second, step }
            });
            update(&moved.collect::<Vec<_>>())?;
            Ok(v[0].as_detached_tensor())
        };
        let shapes = shapes.into_iter().flat_map(|shape| std::iter::repeat_n(shape, 4)).collect();
        let request = json!({ "op": "adam", "implementation": theirs });
        Case {
            group: "Adam",
            name: format!("Adam, {what}, beside {theirs}"),
            request,
            shapes,
            dtype: DType::F32,
            run: Box::new(run),
        }
    };
    [case("10 M numbers", vec![vec![10_000_000]]), case("generator of the paper", generator.to_vec())]
}

/// The running average of the paper's generator.
fn average(generator: &[Vec<usize>]) -> Case {
    let run = |v: &[Var]| -> Result<Tensor> {
        let pairs: Vec<_> = v.chunks_exact(2).map(|v| (v[0].as_tensor(), v[1].as_tensor())).collect();
        lerp_all(&pairs, 0.001)?;
        Ok(v[0].as_detached_tensor())
    };
    let shapes = generator.iter().flat_map(|shape| std::iter::repeat_n(shape.clone(), 2)).collect();
    let name = "running average, generator of the paper".to_string();
    let request = json!({ "op": "average" });
    Case { group: "running average", name, request, shapes, dtype: DType::F32, run: Box::new(run) }
}

fn reductions() -> Vec<Case> {
    let case = |name: &str, op: &str, run: fn(&[Var]) -> Result<Tensor>| {
        let shapes: &[&[usize]] = if op.starts_with("dot") { &[PLANE, PLANE] } else { &[PLANE] };
        case("reductions", &format!("{name} 16x64x64²"), op, shapes, Box::new(run))
    };
    vec![
        case("mean", "mean", |v| reduce::mean(&v[0])),
        case("mean of every plane", "mean_of_planes", |v| reduce::mean_from(&v[0], 2)),
        case("sum of every channel", "sum_of_channels", |v| channel::sum(&v[0])),
        case("dot product of every picture", "dot_of_pictures", |v| reduce::dot_from(&v[0], &v[1], 1)),
        case("dot product of every channel", "dot_of_channels", |v| channel::dot(&v[0], &v[1])),
    ]
}

fn arithmetic() -> Vec<Case> {
    let case = |name: &str, op: &str, second: &[usize], run: fn(&[Var]) -> Result<Tensor>| {
        let shapes: &[&[usize]] = if second.is_empty() { &[PLANE] } else { &[PLANE, second] };
        case("arithmetic", &format!("{name} 16x64x64²"), op, shapes, Box::new(run))
    };
    vec![
        case("x + y", "add", PLANE, |v| arithmetic::add(&v[0], &v[1])),
        case("x·y", "mul", PLANE, |v| arithmetic::mul(&v[0], &v[1])),
        case("x/2 + 1/2", "affine", &[], |v| arithmetic::affine(&v[0], 0.5, 0.5)),
        case("x times a number per picture", "scale_pictures", &[16], |v| reduce::scale(&v[0], &v[1])),
        case("x times a number per channel", "scale_channels", &[64], |v| channel::scale(&v[0], &v[1])),
    ]
}

/// What is done before and beside networks: bytes to pictures, poses to maps, distances of pictures, the look for NaN.
fn outside(generator: &[Vec<usize>]) -> Vec<Case> {
    let case = |name: &str, op: &str, shapes: &[&[usize]], run: Run| case("data and checks", name, op, shapes, run);
    let bytes = |v: &[Var]| data::pictures(&v[0], None);
    // Normal numbers become places on a map of 64 pixels, most of them inside.
    let poses = |v: &[Var]| data::pose_maps(&((v[0].as_tensor() * 16.0)? + 32.0)?, [64, 64], 3.0);
    let distances = |v: &[Var]| data::squared_distances(&v[0], &v[1]);
    let look = |v: &[Var]| -> Result<Tensor> {
        let tensors: Vec<&Tensor> = v.iter().map(|var| var.as_tensor()).collect();
        match finite::all_finite(&tensors)? {
            true => Ok(v[0].as_detached_tensor()),
            false => Err(Error::invalid("normal numbers", "one that is not finite", "finite numbers", "")),
        }
    };
    let numbers: Vec<&[usize]> = generator.iter().map(Vec::as_slice).collect();
    let pictures = case("bytes to pictures 64x128²", "pictures", &[&[64, 128, 128, 3]], Box::new(bytes));
    vec![
        Case { dtype: DType::U8, ..pictures },
        case("maps of 20 points 16x64²", "pose_maps", &[&[16, 20, 3]], Box::new(poses)),
        case(
            "squared distances 64 to 1000, 2048 numbers",
            "squared_distances",
            &[&[64, 2048], &[1000, 2048]],
            Box::new(distances),
        ),
        case("all finite, generator of the paper", "all_finite", &numbers, Box::new(look)),
    ]
}
