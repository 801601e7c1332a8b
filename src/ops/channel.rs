//! Operations between `[N, C, ...]` tensors and one number per channel. The four are closed under differentiation:
//! each one's backward pass consists of the others.

use candle_core::{CpuStorage, CustomOp1, CustomOp2, CustomOp3, Layout, Shape, Tensor};
use rayon::prelude::*;

use super::kernel::{CHUNK, Kernel, Real, dispatch, filled, sum as total, sum2, wanted};
use crate::{Error, Result};

/// y = x·a + b per channel: x `[N, C, ...]`, a and b `[C]` → shape of x. f32 or f64.
///
/// # Errors
/// When the shapes do not fit.
pub fn affine(x: &Tensor, a: &Tensor, b: &Tensor) -> Result<Tensor> {
    check("channel affine", x, &[a, b])?;
    Ok(x.contiguous()?.apply_op3(&a.contiguous()?, &b.contiguous()?, Affine)?)
}

/// y = x·a per channel: x `[N, C, ...]`, a `[C]` → shape of x.
///
/// # Errors
/// When the shapes do not fit.
pub fn scale(x: &Tensor, a: &Tensor) -> Result<Tensor> {
    check("channel scale", x, &[a])?;
    Ok(x.contiguous()?.apply_op2(&a.contiguous()?, Scale)?)
}

/// Σ x·y per channel: x and y `[N, C, ...]` → `[C]`.
///
/// # Errors
/// When the shapes differ or have no channels.
pub fn dot(x: &Tensor, y: &Tensor) -> Result<Tensor> {
    check("channel dot", x, &[])?;
    if x.dims() != y.dims() {
        return Err(Error::shape("channel dot: second operand", y.dims(), format!("{:?}", x.dims())));
    }
    Ok(x.contiguous()?.apply_op2(&y.contiguous()?, Dot)?)
}

/// Σ x per channel: `[N, C, ...]` → `[C]`.
///
/// # Errors
/// When x has no channels.
pub fn sum(x: &Tensor) -> Result<Tensor> {
    check("channel sum", x, &[])?;
    Ok(x.contiguous()?.apply_op1(Sum)?)
}

fn check(what: &str, x: &Tensor, per_channel: &[&Tensor]) -> Result<()> {
    let &[_, channels, ..] = x.dims() else {
        return Err(Error::shape(what, x.dims(), "[N, C, ...]"));
    };
    match per_channel.iter().find(|operand| operand.dims() != [channels]) {
        Some(operand) => {
            Err(Error::shape(format!("{what}: numbers per channel"), operand.dims(), format!("[{channels}]")))
        }
        None => Ok(()),
    }
}

/// [N, C, numbers per plane] of a shape that [`check`] has passed.
fn planes(shape: &Shape) -> [usize; 3] {
    let dims = shape.dims();
    [dims[0], dims[1], dims[2..].iter().product()]
}

/// f(channel, number) for all numbers.
fn map_planes<T: Real>(x: &[T], shape: &Shape, f: impl Fn(usize, T) -> T + Sync) -> (Vec<T>, Shape) {
    let [_, channels, size] = planes(shape);
    let size = size.max(1);
    // SAFETY: chunks of `out` and `x` pair up, and every number of a chunk is written.
    let y = unsafe {
        filled(x.len(), |out| {
            let chunks = out.par_chunks_mut(size).zip(x.par_chunks(size)).enumerate();
            chunks.with_min_len(CHUNK.div_ceil(size)).for_each(|(plane, (out, x))| {
                let channel = plane % channels;
                for (out, &x) in out.iter_mut().zip(x) {
                    out.write(f(channel, x));
                }
            });
        })
    };
    (y, shape.clone())
}

/// Σ f(start of a plane) over the planes of each channel, in order.
fn reduce_planes<T: Real>(shape: &Shape, f: impl Fn(std::ops::Range<usize>) -> f64 + Sync) -> (Vec<T>, Shape) {
    let [n, channels, size] = planes(shape);
    let of = |channel| {
        let planes = (0..n).map(|image| (image * channels + channel) * size);
        T::of(planes.map(|start| f(start..start + size)).sum())
    };
    let sums = (0..channels).into_par_iter().with_min_len(CHUNK.div_ceil((n * size).max(1))).map(of).collect();
    (sums, channels.into())
}

struct Affine;

impl Kernel<3> for Affine {
    fn run<T: Real>(&self, [(x, shape), (a, _), (b, _)]: [(&[T], &Shape); 3]) -> candle_core::Result<(Vec<T>, Shape)> {
        Ok(map_planes(x, shape, |channel, x| x * a[channel] + b[channel]))
    }
}

impl CustomOp3 for Affine {
    fn name(&self) -> &'static str {
        "channel_affine"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        a: &CpuStorage,
        a_layout: &Layout,
        b: &CpuStorage,
        b_layout: &Layout,
    ) -> candle_core::Result<(CpuStorage, Shape)> {
        dispatch(self, self.name(), [(x, x_layout), (a, a_layout), (b, b_layout)])
    }

    fn bwd(
        &self,
        x: &Tensor,
        a: &Tensor,
        b: &Tensor,
        _: &Tensor,
        upstream: &Tensor,
    ) -> candle_core::Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let for_x = wanted(x, || Ok(scale(upstream, a)?))?;
        let for_a = wanted(a, || Ok(dot(x, upstream)?))?;
        Ok((for_x, for_a, wanted(b, || Ok(sum(upstream)?))?))
    }
}

struct Scale;

impl Kernel<2> for Scale {
    fn run<T: Real>(&self, [(x, shape), (a, _)]: [(&[T], &Shape); 2]) -> candle_core::Result<(Vec<T>, Shape)> {
        Ok(map_planes(x, shape, |channel, x| x * a[channel]))
    }
}

impl CustomOp2 for Scale {
    fn name(&self) -> &'static str {
        "channel_scale"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        a: &CpuStorage,
        a_layout: &Layout,
    ) -> candle_core::Result<(CpuStorage, Shape)> {
        dispatch(self, self.name(), [(x, x_layout), (a, a_layout)])
    }

    fn bwd(
        &self,
        x: &Tensor,
        a: &Tensor,
        _: &Tensor,
        upstream: &Tensor,
    ) -> candle_core::Result<(Option<Tensor>, Option<Tensor>)> {
        Ok((wanted(x, || Ok(scale(upstream, a)?))?, wanted(a, || Ok(dot(x, upstream)?))?))
    }
}

struct Dot;

impl Kernel<2> for Dot {
    fn run<T: Real>(&self, [(x, shape), (y, _)]: [(&[T], &Shape); 2]) -> candle_core::Result<(Vec<T>, Shape)> {
        Ok(reduce_planes(shape, |plane| sum2(&x[plane.clone()], &y[plane], |x, y| x * y)))
    }
}

impl CustomOp2 for Dot {
    fn name(&self) -> &'static str {
        "channel_dot"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        y: &CpuStorage,
        y_layout: &Layout,
    ) -> candle_core::Result<(CpuStorage, Shape)> {
        dispatch(self, self.name(), [(x, x_layout), (y, y_layout)])
    }

    fn bwd(
        &self,
        x: &Tensor,
        y: &Tensor,
        _: &Tensor,
        upstream: &Tensor,
    ) -> candle_core::Result<(Option<Tensor>, Option<Tensor>)> {
        Ok((wanted(x, || Ok(scale(y, upstream)?))?, wanted(y, || Ok(scale(x, upstream)?))?))
    }
}

struct Sum;

impl Kernel<1> for Sum {
    fn run<T: Real>(&self, [(x, shape)]: [(&[T], &Shape); 1]) -> candle_core::Result<(Vec<T>, Shape)> {
        Ok(reduce_planes(shape, |plane| total(&x[plane], |x| x)))
    }
}

impl CustomOp1 for Sum {
    fn name(&self) -> &'static str {
        "channel_sum"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> candle_core::Result<(CpuStorage, Shape)> {
        dispatch(self, self.name(), [(x, layout)])
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, upstream: &Tensor) -> candle_core::Result<Option<Tensor>> {
        let mut shape = vec![1; x.rank()];
        shape[1] = x.dims()[1];
        upstream.reshape(shape)?.broadcast_as(x.shape())?.contiguous().map(Some)
    }
}
