//! Convolution as three operations that name each other: forward, gradient of the data, gradient of the weight.
//!
//! Each one's backward pass consists of the other two, so that the set is closed under differentiation to any order.
//! A transposed convolution is the gradient of the data of a convolution.

//!
//! On the CPU all three read windows of pictures whose channels lie side by side; nothing is gathered into a matrix.
//! 3×3 windows next to each other share their multiplications, few target channels leave the vectors to the pixels, and
//! 1×1 convolutions are products of the pictures as they are.

use candle_core::Tensor;

use super::Pair;
use crate::{Error, Result};

use self::op::{Role, convolve};

mod correlation;
mod direct;
#[cfg(feature = "cuda")]
mod gpu;
mod layout;
mod narrow;
mod op;
mod pointwise;
mod product;
mod winograd;

/// Geometry of a convolution or a transposed convolution, PyTorch's names and meanings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConvSpec {
    /// Distance of two windows.
    pub stride: [usize; 2],
    /// Zeros on each side.
    pub padding: [usize; 2],
    /// Distance of two taps of the kernel.
    pub dilation: [usize; 2],
    /// Channels are cut into this many parts that do not see each other.
    pub groups: usize,
    /// Rows and columns added at the far side of a transposed convolution's output; a convolution ignores it.
    pub output_padding: [usize; 2],
}

impl Default for ConvSpec {
    fn default() -> Self {
        ConvSpec { stride: [1, 1], padding: [0, 0], dilation: [1, 1], groups: 1, output_padding: [0, 0] }
    }
}

impl ConvSpec {
    /// Stride 1 with `padding` zeros on each side.
    pub fn padded(padding: impl Into<Pair>) -> ConvSpec {
        ConvSpec::default().padding(padding)
    }

    /// The same with another stride.
    pub fn stride(self, stride: impl Into<Pair>) -> ConvSpec {
        ConvSpec { stride: stride.into().0, ..self }
    }

    /// The same with another padding.
    pub fn padding(self, padding: impl Into<Pair>) -> ConvSpec {
        ConvSpec { padding: padding.into().0, ..self }
    }

    /// The same with another dilation.
    pub fn dilation(self, dilation: impl Into<Pair>) -> ConvSpec {
        ConvSpec { dilation: dilation.into().0, ..self }
    }

    /// The same with another number of groups.
    pub fn groups(self, groups: usize) -> ConvSpec {
        ConvSpec { groups, ..self }
    }

    /// The same with another output padding.
    pub fn output_padding(self, output_padding: impl Into<Pair>) -> ConvSpec {
        ConvSpec { output_padding: output_padding.into().0, ..self }
    }

    /// Checks the numbers, and that both channel counts can be cut into the groups.
    ///
    /// # Errors
    /// When they cannot, or when groups, stride or dilation are 0.
    pub fn check(&self, inputs: usize, outputs: usize) -> Result<()> {
        if self.groups == 0 || self.stride.contains(&0) || self.dilation.contains(&0) {
            return Err(Error::invalid(
                "convolution",
                format!("stride {:?}, dilation {:?}, groups {}", self.stride, self.dilation, self.groups),
                "at least 1 each",
                "",
            ));
        }
        if !inputs.is_multiple_of(self.groups) || !outputs.is_multiple_of(self.groups) {
            return Err(Error::invalid(
                "convolution: channels",
                format!("{inputs} in, {outputs} out"),
                format!("multiples of the {} groups", self.groups),
                "",
            ));
        }
        Ok(())
    }

    /// Size of a convolution's output along `axis`, if at least one window fits.
    fn output(&self, axis: usize, size: usize, kernel: usize) -> Option<usize> {
        let window = self.dilation[axis] * kernel.checked_sub(1)? + 1;
        Some((size + 2 * self.padding[axis]).checked_sub(window)? / self.stride[axis] + 1)
    }

    /// Size of a transposed convolution's output along `axis`, if it is not empty.
    fn transposed_output(&self, axis: usize, size: usize, kernel: usize) -> Option<usize> {
        let reach = size.checked_sub(1)? * self.stride[axis] + self.dilation[axis] * kernel.checked_sub(1)? + 1;
        (reach + self.output_padding[axis]).checked_sub(2 * self.padding[axis]).filter(|&size| size > 0)
    }
}

/// 2-D convolution (cross-correlation, as everywhere in deep learning).
/// x `[N, C, H, W]`, w `[O, C / groups, kh, kw]` → `[N, O, H', W']`, H' = ⌊(H + 2·padding − dilation·(kh − 1) − 1) /
/// stride⌋ + 1. f32 or f64.
///
/// # Errors
/// When the shapes do not fit each other, or no window fits into the padded input.
pub fn conv2d(x: &Tensor, w: &Tensor, spec: &ConvSpec) -> Result<Tensor> {
    conv2d_with_bias(x, w, None, spec)
}

/// [`conv2d`] plus a bias `[O]` per output channel.
///
/// # Errors
/// As [`conv2d`], and when the bias has another length.
pub fn conv2d_with_bias(x: &Tensor, w: &Tensor, bias: Option<&Tensor>, spec: &ConvSpec) -> Result<Tensor> {
    let (&[_, inputs, height, width], &[outputs, per_group, kh, kw]) = (x.dims(), w.dims()) else {
        return Err(Error::shape(
            "conv2d: input",
            x.dims(),
            format!("rank 4, with a weight of rank 4 ({:?})", w.dims()),
        ));
    };
    spec.check(inputs, outputs)?;
    if per_group * spec.groups != inputs {
        return Err(Error::shape("conv2d: input", x.dims(), format!("[N, {}, H, W]", per_group * spec.groups)));
    }
    if spec.output(0, height, kh).is_none() || spec.output(1, width, kw).is_none() {
        let expected = format!("at least one window of {kh}×{kw} with padding {:?}", spec.padding);
        return Err(Error::shape("conv2d: input", x.dims(), expected));
    }
    check_bias("conv2d: bias", bias, outputs)?;
    Ok(convolve(Role::Forward, *spec, x, w, bias)?)
}

/// 2-D transposed convolution (PyTorch `conv_transpose2d`): the gradient of [`conv2d`] with respect to its input.
/// x `[N, C, H, W]`, w `[C, O / groups, kh, kw]` → `[N, O, H', W']`, H' = (H − 1)·stride − 2·padding +
/// dilation·(kh − 1) + output_padding + 1. f32 or f64.
///
/// # Errors
/// When the shapes do not fit each other, the output would be empty, or the output padding is not smaller than the
/// stride or the dilation.
pub fn conv_transpose2d(x: &Tensor, w: &Tensor, spec: &ConvSpec) -> Result<Tensor> {
    conv_transpose2d_with_bias(x, w, None, spec)
}

/// [`conv_transpose2d`] plus a bias `[O]` per output channel.
///
/// # Errors
/// As [`conv_transpose2d`], and when the bias has another length.
pub fn conv_transpose2d_with_bias(x: &Tensor, w: &Tensor, bias: Option<&Tensor>, spec: &ConvSpec) -> Result<Tensor> {
    let (&[_, inputs, height, width], &[rows, per_group, kh, kw]) = (x.dims(), w.dims()) else {
        let expected = format!("rank 4, with a weight of rank 4 ({:?})", w.dims());
        return Err(Error::shape("conv_transpose2d: input", x.dims(), expected));
    };
    let outputs = per_group * spec.groups;
    spec.check(inputs, outputs)?;
    if rows != inputs {
        return Err(Error::shape("conv_transpose2d: input", x.dims(), format!("[N, {rows}, H, W]")));
    }
    if (0..2).any(|axis| spec.output_padding[axis] >= spec.stride[axis].max(spec.dilation[axis])) {
        return Err(Error::invalid(
            "conv_transpose2d: output padding",
            format!("{:?}", spec.output_padding),
            "less than the stride or the dilation",
            "",
        ));
    }
    let (Some(h), Some(w_out)) = (spec.transposed_output(0, height, kh), spec.transposed_output(1, width, kw)) else {
        return Err(Error::shape("conv_transpose2d: input", x.dims(), "an output of at least one pixel"));
    };
    check_bias("conv_transpose2d: bias", bias, outputs)?;
    Ok(convolve(Role::DataGradient { size: [h, w_out] }, *spec, x, w, bias)?)
}

fn check_bias(what: &str, bias: Option<&Tensor>, outputs: usize) -> Result<()> {
    match bias {
        Some(bias) if bias.dims() != [outputs] => Err(Error::shape(what, bias.dims(), format!("[{outputs}]"))),
        _ => Ok(()),
    }
}
