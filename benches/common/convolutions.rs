//! The convolutions that are measured.

use serde_json::json;
use tachie::candle_core::DType;
use tachie::nn::conv::ConvSpec;
use tachie::ops::activation::Activation;
use tachie::ops::conv;
use tachie::ops::epilogue::bias_activation;

use super::{Case, Run};

/// A convolution of pictures `x` with weights `w`, or the transposed one.
fn with_spec(group: &'static str, op: &'static str, name: &str, x: [usize; 4], w: [usize; 4], spec: ConvSpec) -> Case {
    let run: Run = match op {
        "conv2d" => Box::new(move |v| conv::conv2d_with_bias(&v[0], &v[1], v.get(2).map(|b| b.as_tensor()), &spec)),
        _ => Box::new(move |v| conv::conv_transpose2d_with_bias(&v[0], &v[1], v.get(2).map(|b| b.as_tensor()), &spec)),
    };
    let ConvSpec { stride, padding, dilation, groups, output_padding } = spec;
    let mut request = json!({ "op": op, "stride": stride, "padding": padding, "dilation": dilation, "groups": groups });
    if op != "conv2d" {
        request["output_padding"] = json!(output_padding);
    }
    Case { group, name: name.into(), request, shapes: vec![x.to_vec(), w.to_vec()], dtype: DType::F32, run }
}

fn convolution(group: &'static str, name: &str, x: [usize; 4], w: [usize; 4], stride: usize, padding: usize) -> Case {
    with_spec(group, "conv2d", name, x, w, ConvSpec::padded(padding).stride(stride))
}

/// A 3×3 convolution that keeps size and channels.
pub fn square(batch: usize, channels: usize, side: usize) -> Case {
    let name = format!("conv3x3 N{batch} {channels}→{channels} {side}²");
    convolution("scaling", &name, [batch, channels, side, side], [channels, channels, 3, 3], 1, 1)
}

/// The nine convolutions that the acceptance is about.
pub fn published() -> Vec<Case> {
    let conv = |name, x, w, stride, padding| convolution("convolutions", name, x, w, stride, padding);
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
    with_spec(group, "conv_transpose2d", &name, x, w, ConvSpec::padded(1).stride(2))
}

/// What the nine and the layers of the catalogue do not show: other kernels, dilation, groups, uneven sizes, one picture,
/// a bias, double precision, and the layers that are matrix products.
pub fn others() -> Vec<Case> {
    let group = "other convolutions";
    let conv = |name, x, w, spec| with_spec(group, "conv2d", name, x, w, spec);
    let padded = ConvSpec::padded;
    let (x, w) = ([16, 128, 32, 32], [128, 128, 3, 3]);
    let biased = conv("conv3x3 N16 128→128 32², bias", x, w, padded(1));
    let doubled = conv("conv3x3 N16 64→64 32², f64", [16, 64, 32, 32], [64, 64, 3, 3], padded(1));
    let name = "convT3x3 s2 N16 128→64 32², output padding 1";
    let spec = padded(1).stride(2).output_padding(1);
    vec![
        Case { shapes: vec![x.to_vec(), w.to_vec(), vec![128]], ..biased },
        conv("conv3x3 N16 128→128 32², dilation 2", x, w, padded(2).dilation(2)),
        conv("conv3x3 N16 128→128 32², 4 groups", x, [128, 32, 3, 3], padded(1).groups(4)),
        conv("conv3x3 N16 128→128 32², depthwise", x, [128, 1, 3, 3], padded(1).groups(128)),
        conv("conv3x3 N16 64→64 63x45", [16, 64, 63, 45], [64, 64, 3, 3], padded(1)),
        conv("conv3x3 N1 64→64 64²", [1, 64, 64, 64], [64, 64, 3, 3], padded(1)),
        conv("conv5x5 N16 64→64 32²", [16, 64, 32, 32], [64, 64, 5, 5], padded(2)),
        conv("conv4x4 N16 256→512 16²", [16, 256, 16, 16], [512, 256, 4, 4], padded(1)),
        conv("conv1x1 N16 64→3 64²", [16, 64, 64, 64], [3, 64, 1, 1], padded(0)),
        with_spec(group, "conv_transpose2d", name, [16, 128, 32, 32], [128, 64, 3, 3], spec),
        Case { dtype: DType::F64, ..doubled },
        linear(64, 512, 1024),
        linear(16, 162, 16_384),
    ]
}

/// The fully connected layer, as `nn::linear` does it.
fn linear(batch: usize, inputs: usize, outputs: usize) -> Case {
    let run: Run = Box::new(|v| bias_activation(&v[0].matmul(&v[1].t()?)?, &v[2], Activation::Identity));
    let shapes = vec![vec![batch, inputs], vec![outputs, inputs], vec![outputs]];
    let (name, request) = (format!("linear N{batch} {inputs}→{outputs}, bias"), json!({ "op": "linear" }));
    Case { group: "other convolutions", name, request, shapes, dtype: DType::F32, run }
}

/// The different convolutions of the models of the acceptance, at 64 px and batch 16 (the discriminator sees 32 pictures
/// where real and made ones go through it together).
pub fn layers() -> Vec<Case> {
    let conv = |inputs: usize, outputs: usize, kernel: usize, stride: usize, side: usize| {
        let strided = if stride == 1 { String::new() } else { format!(" s{stride}") };
        let name = format!("conv{kernel}x{kernel}{strided} N16 {inputs}→{outputs} {side}²");
        // Even kernels are strided ones that halve the side.
        let padding = if kernel.is_multiple_of(2) { 1 } else { kernel / 2 };
        let (x, w) = ([16, inputs, side, side], [outputs, inputs, kernel, kernel]);
        convolution("layers of make-girls, 64 px", &name, x, w, stride, padding)
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
