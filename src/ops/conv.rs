//! Convolution as three operations that name each other: forward, gradient of the data, gradient of the weight.
//!
//! Each one's backward pass consists of the other two, so that the set is closed under differentiation to any order.
//! A transposed convolution is the gradient of the data of a convolution.

use candle_core::{Shape, Tensor};

use super::Pair;
use super::channel;
use super::correlate::Correlation;
use super::kernel::{Real, filled};
use super::op::{Kernel, Numbers, Op, apply};
use crate::autograd::{Saved, Saves};
use crate::{Error, Result};

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

#[derive(Clone, Copy, Debug)]
enum Role {
    /// (x, w) → y.
    Forward,
    /// (gradient of y, w) → gradient of x of that size.
    DataGradient { size: [usize; 2] },
    /// (x, gradient of y) → gradient of w with that kernel.
    WeightGradient { kernel: [usize; 2] },
}

#[derive(Clone, Copy, Debug)]
struct Conv {
    role: Role,
    spec: ConvSpec,
}

fn convolve(role: Role, spec: ConvSpec, a: &Tensor, b: &Tensor, bias: Option<&Tensor>) -> candle_core::Result<Tensor> {
    let conv = Conv { role, spec };
    match bias {
        None => apply(conv, [a, b]),
        Some(bias) => apply(WithBias(conv), [a, b, bias]),
    }
}

impl Conv {
    /// The forward correlation between an input of `size` with `inputs` channels and a `[outputs, _, kh, kw]` weight.
    fn correlation(
        &self,
        images: usize,
        [inputs, outputs]: [usize; 2],
        size: [usize; 2],
        kernel: [usize; 2],
    ) -> candle_core::Result<Correlation> {
        let spec = &self.spec;
        let (Some(rows), Some(columns)) = (spec.output(0, size[0], kernel[0]), spec.output(1, size[1], kernel[1]))
        else {
            candle_core::bail!("convolution: no window of {kernel:?} fits into {size:?}");
        };
        let offset = |axis: usize, tap: usize| (tap * spec.dilation[axis]) as isize - spec.padding[axis] as isize;
        let taps = (0..kernel[0]).flat_map(|y| (0..kernel[1]).map(move |x| [offset(0, y), offset(1, x)])).collect();
        Ok(Correlation {
            images,
            groups: spec.groups,
            source_channels: inputs / spec.groups,
            target_channels: outputs / spec.groups,
            source: size,
            taps,
            step: spec.stride,
            positions: [rows, columns],
            target: [rows, columns],
            origin: [0, 0],
            spacing: [1, 1],
        })
    }

    fn forward<T: Real>(
        &self,
        (x, x_shape): (&[T], &Shape),
        (w, w_shape): (&[T], &Shape),
        bias: Option<&[T]>,
    ) -> candle_core::Result<(Vec<T>, Shape)> {
        let (n, inputs, h, width) = x_shape.dims4()?;
        let (outputs, _, kh, kw) = w_shape.dims4()?;
        let correlation = self.correlation(n, [inputs, outputs], [h, width], [kh, kw])?;
        let shape: Shape = (n, outputs, correlation.positions[0], correlation.positions[1]).into();
        // SAFETY: a dense correlation writes every pixel of its output.
        let y = unsafe { filled(shape.elem_count(), |y| correlation.forward(w, x, bias, y.as_mut_ptr().cast())) };
        Ok((y, shape))
    }

    /// The gradient of the data splits into stride² correlations of stride 1, one for each remainder of the pixel's
    /// position by the stride, which see every stride-th tap of the kernel (sub-pixel decomposition, Shi et al. 2016).
    fn data_gradient<T: Real>(
        &self,
        (dy, dy_shape): (&[T], &Shape),
        (w, w_shape): (&[T], &Shape),
        bias: Option<&[T]>,
        size: [usize; 2],
    ) -> candle_core::Result<(Vec<T>, Shape)> {
        let (n, outputs, rows, columns) = dy_shape.dims4()?;
        let (_, per_group, kh, kw) = w_shape.dims4()?;
        let (groups, stride) = (self.spec.groups, self.spec.stride);
        let shape: Shape = (n, per_group * groups, size[0], size[1]).into();
        // SAFETY: the phases cover every pixel, each once.
        let dx = unsafe {
            filled(shape.elem_count(), |dx| {
                let dx = dx.as_mut_ptr().cast::<T>();
                for phase in (0..stride[0]).flat_map(|y| (0..stride[1]).map(move |x| [y, x])) {
                    let (ys, xs) = (self.phase(0, phase[0], kh), self.phase(1, phase[1], kw));
                    let taps = ys.iter().flat_map(|&(_, y)| xs.iter().map(move |&(_, x)| [y, x])).collect();
                    let used: Vec<usize> =
                        ys.iter().flat_map(|&(y, _)| xs.iter().map(move |&(x, _)| y * kw + x)).collect();
                    let correlation = Correlation {
                        images: n,
                        groups,
                        source_channels: outputs / groups,
                        target_channels: per_group,
                        source: [rows, columns],
                        taps,
                        step: [1, 1],
                        positions: [0, 1].map(|axis| size[axis].saturating_sub(phase[axis]).div_ceil(stride[axis])),
                        target: size,
                        origin: phase,
                        spacing: stride,
                    };
                    let weight = transposed(w, [groups, outputs / groups, per_group, kh * kw], &used);
                    correlation.forward(&weight, dy, bias, dx);
                }
            })
        };
        Ok((dx, shape))
    }

    /// The taps (and their offsets in the output gradient) that reach pixels of remainder `phase` along `axis`.
    fn phase(&self, axis: usize, phase: usize, kernel: usize) -> Vec<(usize, isize)> {
        let stride = self.spec.stride[axis] as isize;
        let reach = (phase + self.spec.padding[axis]) as isize;
        let offsets = (0..kernel).map(|tap| (tap, reach - (tap * self.spec.dilation[axis]) as isize));
        offsets.filter(|(_, reach)| reach % stride == 0).map(|(tap, reach)| (tap, reach / stride)).collect()
    }

    fn weight_gradient<T: Real>(
        &self,
        (x, x_shape): (&[T], &Shape),
        (dy, dy_shape): (&[T], &Shape),
        kernel: [usize; 2],
    ) -> candle_core::Result<(Vec<T>, Shape)> {
        let (n, inputs, h, w) = x_shape.dims4()?;
        let (_, outputs, rows, columns) = dy_shape.dims4()?;
        let correlation = self.correlation(n, [inputs, outputs], [h, w], kernel)?;
        if correlation.positions != [rows, columns] {
            candle_core::bail!("convolution: gradient of {rows}×{columns}, expected {:?}", correlation.positions);
        }
        let shape = (outputs, inputs / self.spec.groups, kernel[0], kernel[1]).into();
        Ok((correlation.weight_gradient(x, dy), shape))
    }

    /// Gradients of both operands.
    fn gradients(&self, saved: &Saved, upstream: &Tensor) -> candle_core::Result<[Option<Tensor>; 2]> {
        let run = |role, a: &Tensor, b: &Tensor| convolve(role, self.spec, a, b, None);
        let kernel = || saved.shape(1).dims4().map(|(_, _, kh, kw)| Role::WeightGradient { kernel: [kh, kw] });
        let size = || saved.shape(0).dims4().map(|(_, _, h, w)| Role::DataGradient { size: [h, w] });
        let (a, b) = (|| saved.operand(0), || saved.operand(1));
        let for_a = saved.wanted(0, || match self.role {
            Role::Forward => run(size()?, upstream, b()?),
            Role::DataGradient { .. } => run(Role::Forward, upstream, b()?),
            Role::WeightGradient { .. } => run(size()?, b()?, upstream),
        })?;
        let for_b = saved.wanted(1, || match self.role {
            Role::Forward => run(kernel()?, a()?, upstream),
            Role::DataGradient { .. } => run(kernel()?, upstream, a()?),
            Role::WeightGradient { .. } => run(Role::Forward, a()?, upstream),
        })?;
        Ok([for_a, for_b])
    }

    fn run<T: Real>(
        &self,
        a: (&[T], &Shape),
        b: (&[T], &Shape),
        bias: Option<&[T]>,
    ) -> candle_core::Result<(Vec<T>, Shape)> {
        match self.role {
            Role::Forward => self.forward(a, b, bias),
            Role::DataGradient { size } => self.data_gradient(a, b, bias, size),
            Role::WeightGradient { kernel } => self.weight_gradient(a, b, kernel),
        }
    }
}

/// `[groups, outputs, inputs, taps]` → `[groups, inputs, outputs, used taps]`.
fn transposed<T: Real>(w: &[T], [groups, outputs, inputs, taps]: [usize; 4], used: &[usize]) -> Vec<T> {
    let mut weight = Vec::with_capacity(groups * inputs * outputs * used.len());
    for group in 0..groups {
        for input in 0..inputs {
            for output in 0..outputs {
                let taps = &w[((group * outputs + output) * inputs + input) * taps..][..taps];
                weight.extend(used.iter().map(|&tap| taps[tap]));
            }
        }
    }
    weight
}

impl Kernel<2, 1> for Conv {
    fn name(&self) -> &'static str {
        match self.role {
            Role::Forward => "conv2d",
            Role::DataGradient { .. } => "conv2d_data_gradient",
            Role::WeightGradient { .. } => "conv2d_weight_gradient",
        }
    }

    fn cpu<T: Real>(&self, [a, b]: [(&[T], &Shape); 2]) -> Numbers<T, 1> {
        Ok([self.run(a, b, None)?])
    }
}

impl Op<2> for Conv {
    fn saves(&self) -> Saves<2> {
        Saves::OPERANDS
    }

    fn backward(&self, saved: &Saved, upstream: &Tensor) -> candle_core::Result<[Option<Tensor>; 2]> {
        self.gradients(saved, upstream)
    }
}

/// A convolution or a transposed one that starts its sums from the bias.
struct WithBias(Conv);

impl Kernel<3, 1> for WithBias {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn cpu<T: Real>(&self, [a, b, (bias, _)]: [(&[T], &Shape); 3]) -> Numbers<T, 1> {
        Ok([self.0.run(a, b, Some(bias))?])
    }
}

impl Op<3> for WithBias {
    fn saves(&self) -> Saves<3> {
        Saves { operands: [true, true, false], output: false }
    }

    fn backward(&self, saved: &Saved, upstream: &Tensor) -> candle_core::Result<[Option<Tensor>; 3]> {
        let [for_a, for_b] = self.0.gradients(saved, upstream)?;
        Ok([for_a, for_b, saved.wanted(2, || Ok(channel::sum(upstream)?))?])
    }
}
