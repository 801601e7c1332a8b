//! The operations that are measured, and what they are wanted to take.

use serde_json::{Value, json};
use tachie::Result;
use tachie::candle_core::{DType, Device, Tensor, Var};
use tachie::models::make_girls::{Adversaries, MakeGirls};
use tachie::nn::conv::ConvSpec;
use tachie::nn::params::{ParamStore, Training};
use tachie::ops::activation::Activation;
use tachie::ops::adam::{AdamStep, Update, lerp_all, update};
use tachie::ops::norm::{adaptive_instance_norm, batch_norm, instance_norm, pixel_norm};
use tachie::ops::resample::{avg_pool2d, upsample_nearest};
use tachie::ops::reshape::{ShuffleOrder, pixel_shuffle};
use tachie::ops::{activation, channel, conv, epilogue, fir, gated, minibatch, reduce, spectral};
use tachie::train::gan::{Gan, Player};

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

pub const GROUPS: [Group; 9] = [
    Group { name: "convolutions", mean: Some(1.0), worst: Some(1.3) },
    Group { name: "norms", mean: None, worst: Some(1.2) },
    Group { name: "activations", mean: None, worst: Some(1.2) },
    Group { name: "resampling", mean: None, worst: Some(1.2) },
    Group { name: "Adam", mean: None, worst: Some(0.5) },
    Group { name: "running average", mean: None, worst: None },
    Group { name: "reductions", mean: None, worst: None },
    Group { name: "layers of make-girls, 64 px", mean: None, worst: None },
    Group { name: "layers of dcgan, 64 px", mean: None, worst: None },
];

impl Case {
    /// Whether it changes its operands: there is nothing to go backwards through.
    pub fn in_place(&self) -> bool {
        matches!(self.group, "Adam" | "running average")
    }

    /// The request with the shapes in it.
    pub fn request(&self) -> Value {
        let mut request = self.request.clone();
        request["shapes"] = json!(self.shapes);
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
    let all = [published(), norms(), activations(), resampling(), optimizer, reductions(), layers()];
    Ok(all.into_iter().flatten().collect())
}

fn case(group: &'static str, name: &str, op: &str, shapes: &[&[usize]], run: Run) -> Case {
    let shapes = shapes.iter().map(|shape| shape.to_vec()).collect();
    Case { group, name: name.into(), request: json!({ "op": op }), shapes, run }
}

const PLANE: &[usize] = &[16, 64, 64, 64];

fn norms() -> Vec<Case> {
    let (channels, wide): (&[usize], &[usize]) = (&[64], &[16_384]);
    let batch = |v: &[Var]| Ok(batch_norm(&v[0], &v[1], &v[2], 1e-5)?.0);
    let fixed = |v: &[Var]| channel::affine(&v[0], &v[1], &v[2]);
    let instance = |v: &[Var]| instance_norm(&v[0], None, 1e-5);
    let pixel = |v: &[Var]| pixel_norm(&v[0], 1e-8);
    let adaptive = |v: &[Var]| adaptive_instance_norm(&v[0], &v[1], &v[2], 1e-5);
    let deviation = |v: &[Var]| minibatch::minibatch_deviation(&v[0], 4);
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
        case("pixel norm 16x64x64²", "pixel_norm", &[PLANE], Box::new(pixel)),
        case("AdaIN 16x64x64²", "adain", &[PLANE, styles, styles], Box::new(adaptive)),
        case("minibatch deviation 16x512x4²", "minibatch_deviation", &[&[16, 512, 4, 4]], Box::new(deviation)),
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
    let residual = |v: &[Var]| activation::add_leaky_relu(&v[0], &v[1], 0.2);
    let (channels, noise): (&[usize], &[usize]) = (&[64], &[16, 1, 64, 64]);
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
        case("average pool 16x64x64² → 32²", "avg_pool2d", PLANE, |x| avg_pool2d(x, 2)),
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
        Case { group: "Adam", name: format!("Adam, {what}, beside {theirs}"), request, shapes, run: Box::new(run) }
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
    Case { group: "running average", name, request: json!({ "op": "average" }), shapes, run: Box::new(run) }
}

fn reductions() -> Vec<Case> {
    let case = |name: &str, op: &str, run: fn(&Tensor) -> Result<Tensor>| {
        case("reductions", &format!("{name} 16x64x64²"), op, &[PLANE], Box::new(move |v| run(&v[0])))
    };
    vec![
        case("mean", "mean", reduce::mean),
        case("mean of every plane", "mean_of_planes", |x| reduce::mean_from(x, 2)),
        case("sum of every channel", "sum_of_channels", channel::sum),
    ]
}

fn convolution(
    group: &'static str,
    op: &'static str,
    name: &str,
    x: [usize; 4],
    w: [usize; 4],
    stride: usize,
    padding: usize,
) -> Case {
    let spec = ConvSpec::padded(padding).stride(stride);
    let run: Run = match op {
        "conv2d" => Box::new(move |v| conv::conv2d(&v[0], &v[1], &spec)),
        _ => Box::new(move |v| conv::conv_transpose2d(&v[0], &v[1], &spec)),
    };
    let request = json!({ "op": op, "stride": stride, "padding": padding });
    Case { group, name: name.into(), request, shapes: vec![x.to_vec(), w.to_vec()], run }
}

/// A 3×3 convolution that keeps size and channels.
pub fn square(batch: usize, channels: usize, side: usize) -> Case {
    let name = format!("conv3x3 N{batch} {channels}→{channels} {side}²");
    let (x, w) = ([batch, channels, side, side], [channels, channels, 3, 3]);
    convolution("scaling", "conv2d", &name, x, w, 1, 1)
}

/// The nine convolutions that the acceptance is about.
fn published() -> Vec<Case> {
    let conv = |name, x, w, stride, padding| convolution("convolutions", "conv2d", name, x, w, stride, padding);
    vec![
        conv("conv3x3 N16 64→64 64²", [16, 64, 64, 64], [64, 64, 3, 3], 1, 1),
        conv("conv3x3 N16 128→128 32²", [16, 128, 32, 32], [128, 128, 3, 3], 1, 1),
        conv("conv3x3 N8 256→256 32²", [8, 256, 32, 32], [256, 256, 3, 3], 1, 1),
        conv("conv3x3 N16 512→512 8²", [16, 512, 8, 8], [512, 512, 3, 3], 1, 1),
        conv("conv4x4 s2 N16 64→128 64²", [16, 64, 64, 64], [128, 64, 4, 4], 2, 1),
        conv("conv3x3 s2 N16 64→64 64²", [16, 64, 64, 64], [64, 64, 3, 3], 2, 1),
        conv("conv7x7 N8 3→64 128²", [8, 3, 128, 128], [64, 3, 7, 7], 1, 3),
        conv("conv1x1 N16 128→128 32²", [16, 128, 32, 32], [128, 128, 1, 1], 1, 0),
        transposed("convolutions", 256, 128, 16),
    ]
}

/// DCGAN's: 4×4, stride 2, which doubles the side.
fn transposed(group: &'static str, inputs: usize, outputs: usize, side: usize) -> Case {
    let name = format!("convT4x4 s2 N16 {inputs}→{outputs} {side}²");
    let (x, w) = ([16, inputs, side, side], [inputs, outputs, 4, 4]);
    convolution(group, "conv_transpose2d", &name, x, w, 2, 1)
}

/// The different convolutions of the models of the acceptance, at 64 px and batch 16 (the discriminator sees 32 pictures
/// where real and made ones go through it together).
fn layers() -> Vec<Case> {
    let group = "layers of make-girls, 64 px";
    let conv = |inputs: usize, outputs: usize, kernel: usize, stride: usize, side: usize| {
        let strided = if stride == 1 { String::new() } else { format!(" s{stride}") };
        let name = format!("conv{kernel}x{kernel}{strided} N16 {inputs}→{outputs} {side}²");
        // Even kernels are strided ones that halve the side.
        let padding = if kernel.is_multiple_of(2) { 1 } else { kernel / 2 };
        let (x, w) = ([16, inputs, side, side], [outputs, inputs, kernel, kernel]);
        convolution(group, "conv2d", &name, x, w, stride, padding)
    };
    let mut cases = vec![
        conv(64, 64, 3, 1, 16),
        conv(64, 256, 3, 1, 16),
        conv(64, 256, 3, 1, 32),
        conv(64, 3, 9, 1, 64),
        conv(3, 32, 4, 2, 64),
        conv(32, 32, 3, 1, 32),
        conv(32, 64, 4, 2, 32),
        conv(64, 128, 4, 2, 16),
        conv(128, 128, 3, 1, 8),
        conv(128, 256, 3, 2, 8),
        conv(256, 256, 3, 1, 4),
        conv(256, 512, 3, 2, 4),
        conv(512, 512, 3, 1, 2),
        conv(512, 1024, 3, 2, 2),
    ];
    let dcgan = |inputs, outputs, side| transposed("layers of dcgan, 64 px", inputs, outputs, side);
    cases.extend([dcgan(1024, 512, 4), dcgan(512, 256, 8), dcgan(128, 3, 32)]);
    cases
}
