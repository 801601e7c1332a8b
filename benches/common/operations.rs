//! The operations that are measured, and what they are wanted to take.

use serde_json::{Value, json};
use tachie::Result;
use tachie::candle_core::{Tensor, Var};
use tachie::nn::conv::ConvSpec;
use tachie::ops::adam::AdamStep;
use tachie::ops::norm::{batch_norm, instance_norm};
use tachie::ops::resample::{avg_pool2d, upsample_nearest};
use tachie::ops::reshape::{ShuffleOrder, pixel_shuffle};
use tachie::ops::{activation, conv};

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

pub const GROUPS: [Group; 7] = [
    Group { name: "convolutions", mean: Some(1.0), worst: Some(1.3) },
    Group { name: "norms", mean: None, worst: Some(1.2) },
    Group { name: "activations", mean: None, worst: Some(1.2) },
    Group { name: "resampling", mean: None, worst: Some(1.2) },
    Group { name: "Adam", mean: None, worst: Some(0.5) },
    Group { name: "layers of make-girls, 64 px", mean: None, worst: None },
    Group { name: "layers of dcgan, 64 px", mean: None, worst: None },
];

impl Case {
    /// Whether it changes its operands: there is nothing to go backwards through.
    pub fn in_place(&self) -> bool {
        self.group == "Adam"
    }

    /// The request with the shapes in it.
    pub fn request(&self) -> Value {
        let mut request = self.request.clone();
        request["shapes"] = json!(self.shapes);
        request
    }
}

/// Everything that is measured.
pub fn cases() -> Vec<Case> {
    let mut cases = published();
    cases.extend(elementwise());
    cases.extend(layers());
    cases
}

fn case(group: &'static str, name: &str, op: &str, shapes: &[&[usize]], run: Run) -> Case {
    let shapes = shapes.iter().map(|shape| shape.to_vec()).collect();
    Case { group, name: name.into(), request: json!({ "op": op }), shapes, run }
}

const PLANE: &[usize] = &[16, 64, 64, 64];

fn elementwise() -> Vec<Case> {
    let mut cases = norms();
    let act = |name: &str, op: &str, run: fn(&Tensor) -> Result<Tensor>| {
        case("activations", &format!("{name} 16x64x64²"), op, &[PLANE], Box::new(move |v| run(&v[0])))
    };
    cases.extend([
        act("leaky ReLU", "leaky_relu", |x| activation::leaky_relu(x, 0.2)),
        act("ReLU", "relu", activation::relu),
        act("tanh", "tanh", activation::tanh),
        act("sigmoid", "sigmoid", activation::sigmoid),
        act("softplus", "softplus", activation::softplus),
    ]);
    let resample = |name: &str, op: &str, shape: &[usize], run: fn(&Tensor) -> Result<Tensor>| {
        case("resampling", name, op, &[shape], Box::new(move |v| run(&v[0])))
    };
    cases.extend([
        resample("nearest 16x64x32² → 64²", "upsample_nearest", &[16, 64, 32, 32], |x| upsample_nearest(x, 2)),
        resample("average pool 16x64x64² → 32²", "avg_pool2d", PLANE, |x| avg_pool2d(x, 2)),
        resample("pixel shuffle 16x256x32² → 64²", "pixel_shuffle", &[16, 256, 32, 32], |x| {
            pixel_shuffle(x, 2, ShuffleOrder::PyTorch)
        }),
    ]);
    cases.extend(["fused", "foreach"].map(adam));
    cases
}

fn norms() -> Vec<Case> {
    let (channels, wide): (&[usize], &[usize]) = (&[64], &[16_384]);
    let batch = |v: &[Var]| Ok(batch_norm(&v[0], &v[1], &v[2], 1e-5)?.0);
    let instance = |v: &[Var]| instance_norm(&v[0], None, 1e-5);
    vec![
        case("norms", "batch norm 16x64x64²", "batch_norm", &[PLANE, channels, channels], Box::new(batch)),
        case("norms", "batch norm 64x16384", "batch_norm", &[&[64, 16_384], wide, wide], Box::new(batch)),
        case("norms", "instance norm 16x64x64²", "instance_norm", &[PLANE], Box::new(instance)),
    ]
}

/// One step of Adam, beside one of PyTorch's two implementations.
fn adam(theirs: &str) -> Case {
    let numbers: &[usize] = &[10_000_000];
    let step = AdamStep { learning_rate: 2e-4, beta1: 0.5, beta2: 0.999, epsilon: 1e-8, step: 1 };
    let run = move |v: &[Var]| -> Result<Tensor> {
        step.apply(&v[0], &v[1], &v[2], &v[3])?;
        Ok(v[0].as_detached_tensor())
    };
    let name = format!("Adam, 10 M numbers, beside {theirs}");
    let mut case = case("Adam", &name, "adam", &[numbers; 4], Box::new(run));
    case.request["implementation"] = json!(theirs);
    case
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
        let padding = if kernel % 2 == 0 { 1 } else { kernel / 2 };
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
