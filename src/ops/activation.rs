//! Activations, one pass over memory each. Shapes pass through; f32 and f64.

use candle_core::{CpuStorage, CustomOp1, CustomOp2, Layout, Shape, Tensor};

use super::kernel::{Kernel, Real, dispatch, map, map2, wanted};
use crate::Result;

/// max(x, 0).
///
/// # Errors
/// When `x` is neither f32 nor f64; so for all of this module.
pub fn relu(x: &Tensor) -> Result<Tensor> {
    leaky_relu(x, 0.0)
}

/// x where x > 0, else `slope`·x (Maas et al. 2013). The derivative at 0 is `slope`, as PyTorch's is.
///
/// # Errors
/// As [`relu`].
pub fn leaky_relu(x: &Tensor, slope: f64) -> Result<Tensor> {
    Ok(x.contiguous()?.apply_op1(LeakyRelu { slope })?)
}

/// The derivative of [`leaky_relu`] at `x`, times `t`: t where x > 0, else `slope`·t. Constant in `x`.
///
/// # Errors
/// As [`relu`], and when the shapes differ.
pub fn leaky_relu_gate(x: &Tensor, t: &Tensor, slope: f64) -> Result<Tensor> {
    Ok(gate(x, t, slope)?)
}

/// Hyperbolic tangent.
///
/// # Errors
/// As [`relu`].
pub fn tanh(x: &Tensor) -> Result<Tensor> {
    Ok(x.contiguous()?.apply_op1(Function::Tanh)?)
}

/// 1 / (1 + e⁻ˣ), without overflow.
///
/// # Errors
/// As [`relu`].
pub fn sigmoid(x: &Tensor) -> Result<Tensor> {
    Ok(x.contiguous()?.apply_op1(Function::Sigmoid)?)
}

/// ln(1 + eˣ), without overflow.
///
/// # Errors
/// As [`relu`].
pub fn softplus(x: &Tensor) -> Result<Tensor> {
    Ok(x.contiguous()?.apply_op1(Function::Softplus)?)
}

struct LeakyRelu {
    slope: f64,
}

/// A choice between constants compiles to a mask, a choice between products to a branch that is mispredicted half of
/// the time.
fn factor<T: Real>(x: T, slope: T) -> T {
    if x > T::ZERO { T::ONE } else { slope }
}

impl Kernel<1> for LeakyRelu {
    fn run<T: Real>(&self, [(x, shape)]: [(&[T], &Shape); 1]) -> candle_core::Result<(Vec<T>, Shape)> {
        let slope = T::of(self.slope);
        Ok((map(x, |x| x * factor(x, slope)), shape.clone()))
    }
}

impl CustomOp1 for LeakyRelu {
    fn name(&self) -> &'static str {
        "leaky_relu"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> candle_core::Result<(CpuStorage, Shape)> {
        dispatch(self, self.name(), [(x, layout)])
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, upstream: &Tensor) -> candle_core::Result<Option<Tensor>> {
        gate(x, upstream, self.slope).map(Some)
    }
}

fn gate(x: &Tensor, t: &Tensor, slope: f64) -> candle_core::Result<Tensor> {
    // The gate is constant in x almost everywhere, so x needs no graph.
    x.detach().contiguous()?.apply_op2(&t.contiguous()?, Gate { slope })
}

struct Gate {
    slope: f64,
}

impl Kernel<2> for Gate {
    fn run<T: Real>(&self, [(x, shape), (t, other)]: [(&[T], &Shape); 2]) -> candle_core::Result<(Vec<T>, Shape)> {
        same_shape(shape, other)?;
        let slope = T::of(self.slope);
        Ok((map2(x, t, |x, t| t * factor(x, slope)), shape.clone()))
    }
}

impl CustomOp2 for Gate {
    fn name(&self) -> &'static str {
        "leaky_relu_gate"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        t: &CpuStorage,
        t_layout: &Layout,
    ) -> candle_core::Result<(CpuStorage, Shape)> {
        dispatch(self, self.name(), [(x, x_layout), (t, t_layout)])
    }

    fn bwd(
        &self,
        x: &Tensor,
        _: &Tensor,
        _: &Tensor,
        upstream: &Tensor,
    ) -> candle_core::Result<(Option<Tensor>, Option<Tensor>)> {
        Ok((None, Some(gate(x, upstream, self.slope)?)))
    }
}

/// Functions that are smooth everywhere.
#[derive(Clone, Copy)]
enum Function {
    Tanh,
    Sigmoid,
    Softplus,
}

impl Kernel<1> for Function {
    fn run<T: Real>(&self, [(x, shape)]: [(&[T], &Shape); 1]) -> candle_core::Result<(Vec<T>, Shape)> {
        let y = match self {
            Function::Tanh => map(x, |x| x.tanh()),
            Function::Sigmoid => map(x, |x| x.logistic()),
            Function::Softplus => map(x, |x| x.softplus()),
        };
        Ok((y, shape.clone()))
    }
}

impl CustomOp1 for Function {
    fn name(&self) -> &'static str {
        match self {
            Function::Tanh => "tanh",
            Function::Sigmoid => "sigmoid",
            Function::Softplus => "softplus",
        }
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> candle_core::Result<(CpuStorage, Shape)> {
        dispatch(self, self.name(), [(x, layout)])
    }

    fn bwd(&self, x: &Tensor, y: &Tensor, upstream: &Tensor) -> candle_core::Result<Option<Tensor>> {
        let slope = |of| y.contiguous()?.apply_op2(&upstream.contiguous()?, SlopeOf(of));
        Ok(Some(match self {
            Function::Tanh => slope(Function::Tanh)?,
            Function::Sigmoid => slope(Function::Sigmoid)?,
            Function::Softplus => (sigmoid(x)? * upstream)?,
        }))
    }
}

/// The derivative of tanh or the sigmoid, written in their value y, times a factor t.
struct SlopeOf(Function);

impl Kernel<2> for SlopeOf {
    fn run<T: Real>(&self, [(y, shape), (t, other)]: [(&[T], &Shape); 2]) -> candle_core::Result<(Vec<T>, Shape)> {
        same_shape(shape, other)?;
        let product = match self.0 {
            Function::Tanh => map2(y, t, |y, t| (T::ONE - y * y) * t),
            Function::Sigmoid | Function::Softplus => map2(y, t, |y, t| (T::ONE - y) * y * t),
        };
        Ok((product, shape.clone()))
    }
}

impl CustomOp2 for SlopeOf {
    fn name(&self) -> &'static str {
        "activation_slope"
    }

    fn cpu_fwd(
        &self,
        y: &CpuStorage,
        y_layout: &Layout,
        t: &CpuStorage,
        t_layout: &Layout,
    ) -> candle_core::Result<(CpuStorage, Shape)> {
        dispatch(self, self.name(), [(y, y_layout), (t, t_layout)])
    }

    fn bwd(
        &self,
        y: &Tensor,
        t: &Tensor,
        _: &Tensor,
        upstream: &Tensor,
    ) -> candle_core::Result<(Option<Tensor>, Option<Tensor>)> {
        // d/dy of 1 − y² is −2y, of y − y² is 1 − 2y.
        let offset = if matches!(self.0, Function::Tanh) { 0.0 } else { 1.0 };
        let for_y = wanted(y, || y.affine(-2.0, offset)?.mul(t)?.mul(upstream))?;
        let for_t = wanted(t, || y.contiguous()?.apply_op2(&upstream.contiguous()?, SlopeOf(self.0)))?;
        Ok((for_y, for_t))
    }
}

fn same_shape(a: &Shape, b: &Shape) -> candle_core::Result<()> {
    if a == b { Ok(()) } else { candle_core::bail!("activation: found shape {b:?}, expected {a:?}") }
}
