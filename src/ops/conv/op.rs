//! Convolutions as operations: what is correlated with what, forward and backward.

use std::mem::MaybeUninit;

use candle_core::{Shape, Tensor};

use super::ConvSpec;
use super::correlation::{Correlation, Weights};
use super::layout::{ChannelsLast, Planes, Rows};
use super::{direct, narrow, pointwise, winograd};
use crate::autograd::{Saved, Saves};
use crate::ops::channel;
#[cfg(feature = "cuda")]
use crate::ops::cuda::{OnGpu, Operand};
use crate::ops::kernel::{Real, Shared, filled};
use crate::ops::op::{Kernel, Numbers, Op, apply};

#[derive(Clone, Copy, Debug)]
pub(super) enum Role {
    /// (x, w) → y.
    Forward,
    /// (gradient of y, w) → gradient of x of that size.
    DataGradient { size: [usize; 2] },
    /// (x, gradient of y) → gradient of w with that kernel.
    WeightGradient { kernel: [usize; 2] },
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Conv {
    pub(super) role: Role,
    pub(super) spec: ConvSpec,
}

pub(super) fn convolve(
    role: Role,
    spec: ConvSpec,
    a: &Tensor,
    b: &Tensor,
    bias: Option<&Tensor>,
) -> candle_core::Result<Tensor> {
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
        let (outputs, per_group, kh, kw) = w_shape.dims4()?;
        let correlation = self.correlation(n, [inputs, outputs], [h, width], [kh, kw])?;
        let shape: Shape = (n, outputs, correlation.positions[0], correlation.positions[1]).into();
        let taps = kh * kw;
        let weights = Weights {
            numbers: w,
            group: outputs / self.spec.groups * per_group * taps,
            target: per_group * taps,
            source: taps,
            taps: (0..taps).collect(),
        };
        // SAFETY: a dense correlation writes every pixel of its output.
        let y = unsafe { filled(shape.elem_count(), |y| correlate(&[(correlation, weights)], x, bias, y)) };
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
        let phase = |phase: [usize; 2]| {
            let (ys, xs) = (self.phase(0, phase[0], kh), self.phase(1, phase[1], kw));
            let correlation = Correlation {
                images: n,
                groups,
                source_channels: outputs / groups,
                target_channels: per_group,
                source: [rows, columns],
                taps: ys.iter().flat_map(|&(_, y)| xs.iter().map(move |&(_, x)| [y, x])).collect(),
                step: [1, 1],
                positions: [0, 1].map(|axis| size[axis].saturating_sub(phase[axis]).div_ceil(stride[axis])),
                target: size,
                origin: phase,
                spacing: stride,
            };
            let weights = Weights {
                numbers: w,
                group: outputs / groups * per_group * kh * kw,
                target: kh * kw,
                source: per_group * kh * kw,
                taps: ys.iter().flat_map(|&(y, _)| xs.iter().map(move |&(x, _)| y * kw + x)).collect(),
            };
            (correlation, weights)
        };
        let phases: Vec<_> = (0..stride[0]).flat_map(|y| (0..stride[1]).map(move |x| [y, x])).map(phase).collect();
        // SAFETY: the phases cover every pixel, each once.
        let dx = unsafe { filled(shape.elem_count(), |dx| correlate(&phases, dy, bias, dx)) };
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
        let source = Planes::new(x, n * inputs, [h, w], correlation.border(1));
        let upstream = ChannelsLast::new(dy, n, outputs, [rows, columns], [0; 4]);
        Ok((direct::weight_gradient(&correlation, &source, &upstream), shape))
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

/// How a correlation is computed.
#[derive(Clone, Copy, PartialEq)]
enum Way {
    Nothing,
    /// With the bias or zeros.
    Fill,
    Pointwise,
    Narrow,
    Winograd,
    Direct,
}

impl Way {
    fn of(correlation: &Correlation) -> Way {
        if correlation.pixels() == 0 {
            Way::Nothing
        } else if correlation.is_empty() {
            Way::Fill
        } else if correlation.is_pointwise() {
            Way::Pointwise
        } else if narrow::fits(correlation) {
            Way::Narrow
        } else if winograd::fits(correlation) {
            Way::Winograd
        } else {
            Way::Direct
        }
    }
}

/// Runs correlations of one source that together write all of `out`.
///
/// # Safety
/// `out` must be as large as the target of each of them.
unsafe fn correlate<T: Real>(
    correlations: &[(Correlation, Weights<T>)],
    source: &[T],
    bias: Option<&[T]>,
    out: &mut [MaybeUninit<T>],
) {
    let out = Shared::new(out.as_mut_ptr().cast::<T>());
    let ways: Vec<Way> = correlations.iter().map(|(correlation, _)| Way::of(correlation)).collect();
    let mut border = [0; 4];
    for ((correlation, _), way) in correlations.iter().zip(&ways) {
        let needed = correlation.border(if *way == Way::Winograd { winograd::TILE } else { 1 });
        border = std::array::from_fn(|side| border[side].max(needed[side]));
    }
    let (mut pixels, mut tight, mut rows) = (None, None, None);
    for ((correlation, weights), way) in correlations.iter().zip(ways) {
        let (images, size) = (correlation.images, correlation.source);
        let channels = correlation.groups * correlation.source_channels;
        let channels_last = || ChannelsLast::new(source, images, channels, size, border);
        let without_gaps = || ChannelsLast::tight(source, images, channels, size, border);
        // SAFETY: passed on; the correlations run one after the other.
        unsafe {
            match way {
                Way::Nothing => {}
                Way::Fill => correlation.fill(bias, out),
                Way::Pointwise => pointwise::forward(correlation, weights, source, bias, out),
                Way::Narrow => {
                    let rows = rows.get_or_insert_with(|| Rows::new(source, images, channels, size, border));
                    narrow::forward(correlation, weights, rows, bias, out);
                }
                Way::Winograd => {
                    winograd::forward(correlation, weights, pixels.get_or_insert_with(channels_last), bias, out);
                }
                Way::Direct => {
                    direct::forward(correlation, weights, tight.get_or_insert_with(without_gaps), bias, out);
                }
            }
        }
    }
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

    #[cfg(feature = "cuda")]
    fn cuda(&self, [a, b]: [Operand; 2]) -> OnGpu<1> {
        self.on_gpu(a, b, None)
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

    #[cfg(feature = "cuda")]
    fn cuda(&self, [a, b, bias]: [Operand; 3]) -> OnGpu<1> {
        self.0.on_gpu(a, b, Some(bias))
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
