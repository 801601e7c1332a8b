//! Activations, one pass over memory each. Shapes pass through; f32 and f64.

use candle_core::{Shape, Tensor};

use super::arithmetic::{affine, mul, same_shape};
#[cfg(feature = "cuda")]
use super::cuda::{OnGpu, Operand, elementwise};
use super::kernel::{Real, map, map2};
use super::op::{Kernel, Numbers, Op, apply};
use crate::Result;
use crate::autograd::{Saved, Saves};

/// A function that acts on every number by itself.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Activation {
    /// x itself.
    Identity,
    /// x where x > 0, else the slope times x (Maas et al. 2013); with slope 0 the ReLU. The derivative at 0 is the
    /// slope, as PyTorch's is.
    LeakyRelu(f64),
    /// Hyperbolic tangent.
    Tanh,
    /// 1 / (1 + e⁻ˣ), without overflow.
    Sigmoid,
    /// ln(1 + eˣ), without overflow.
    Softplus,
}

impl Activation {
    /// The ReLU.
    pub const RELU: Activation = Activation::LeakyRelu(0.0);

    /// φ(x) for every number of `x`.
    ///
    /// # Errors
    /// When `x` is neither f32 nor f64; so for all of this module.
    pub fn apply(self, x: &Tensor) -> Result<Tensor> {
        match self {
            Activation::Identity => Ok(x.clone()),
            function => Ok(apply(Activate(function), [x])?),
        }
    }

    /// φ'(x)·t, for numbers x, their values y = φ(x) and t of one shape: the derivative along t.
    ///
    /// # Errors
    /// As [`Activation::apply`], and when the shapes differ.
    pub fn tangent(self, x: &Tensor, y: &Tensor, t: &Tensor) -> Result<Tensor> {
        let at = if self.slope_at() == SlopeAt::Operand { x } else { y };
        same_shape("tangent of an activation", at, t)?;
        if self == Activation::Identity { Ok(t.clone()) } else { Ok(slope_times(self, at, t)?) }
    }
}

/// max(x, 0).
///
/// # Errors
/// As [`Activation::apply`].
pub fn relu(x: &Tensor) -> Result<Tensor> {
    Activation::RELU.apply(x)
}

/// [`Activation::LeakyRelu`].
///
/// # Errors
/// As [`Activation::apply`].
pub fn leaky_relu(x: &Tensor, slope: f64) -> Result<Tensor> {
    Activation::LeakyRelu(slope).apply(x)
}

/// The derivative of [`leaky_relu`] at `x`, times `t`: t where x > 0, else `slope`·t. Constant in `x`.
///
/// # Errors
/// As [`relu`], and when the shapes differ.
pub fn leaky_relu_gate(x: &Tensor, t: &Tensor, slope: f64) -> Result<Tensor> {
    same_shape("leaky ReLU gate", x, t)?;
    Ok(slope_times(Activation::LeakyRelu(slope), &x.detach(), t)?)
}

/// [`Activation::Tanh`].
///
/// # Errors
/// As [`Activation::apply`].
pub fn tanh(x: &Tensor) -> Result<Tensor> {
    Activation::Tanh.apply(x)
}

/// [`Activation::Sigmoid`].
///
/// # Errors
/// As [`Activation::apply`].
pub fn sigmoid(x: &Tensor) -> Result<Tensor> {
    Activation::Sigmoid.apply(x)
}

/// [`Activation::Softplus`].
///
/// # Errors
/// As [`Activation::apply`].
pub fn softplus(x: &Tensor) -> Result<Tensor> {
    Activation::Softplus.apply(x)
}

/// Calls `$call` with the function's value as a closure, so that every loop is compiled for its function.
macro_rules! with_value {
    ($activation:expr, $f:ident => $call:expr) => {
        match $activation {
            Activation::Identity => {
                let $f = |x: T| x;
                $call
            }
            Activation::LeakyRelu(slope) => {
                let slope = T::of(slope);
                let $f = move |x: T| x * factor(x, slope);
                $call
            }
            Activation::Tanh => {
                let $f = |x: T| x.tanh();
                $call
            }
            Activation::Sigmoid => {
                let $f = |x: T| x.logistic();
                $call
            }
            Activation::Softplus => {
                let $f = |x: T| x.softplus();
                $call
            }
        }
    };
}

/// Calls `$call` with the function's derivative as a closure of [`Activation::slope_at`] the point.
macro_rules! with_slope {
    ($activation:expr, $f:ident => $call:expr) => {
        match $activation {
            Activation::Identity => {
                let $f = |_: T| T::ONE;
                $call
            }
            Activation::LeakyRelu(slope) => {
                let slope = T::of(slope);
                let $f = move |at: T| factor(at, slope);
                $call
            }
            Activation::Tanh => {
                let $f = |y: T| T::ONE - y * y;
                $call
            }
            Activation::Sigmoid => {
                let $f = |y: T| (T::ONE - y) * y;
                $call
            }
            Activation::Softplus => {
                let $f = |x: T| x.logistic();
                $call
            }
        }
    };
}

pub(super) use {with_slope, with_value};

/// What a derivative is written in.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum SlopeAt {
    Operand,
    Output,
}

impl Activation {
    /// Where [`with_slope`] wants its numbers from: from the result where the derivative can be told from it, so that
    /// the operand need not be kept.
    pub(super) fn slope_at(self) -> SlopeAt {
        match self {
            Activation::LeakyRelu(slope) if slope < 0.0 => SlopeAt::Operand,
            Activation::Softplus => SlopeAt::Operand,
            _ => SlopeAt::Output,
        }
    }
}

/// A choice between constants compiles to a mask, a choice between products to a branch that is mispredicted half of
/// the time.
pub(super) fn factor<T: Real>(x: T, slope: T) -> T {
    if x > T::ZERO { T::ONE } else { slope }
}

struct Activate(Activation);

impl Kernel<1, 1> for Activate {
    fn name(&self) -> &'static str {
        match self.0 {
            Activation::Identity => "identity",
            Activation::LeakyRelu(_) => "leaky_relu",
            Activation::Tanh => "tanh",
            Activation::Sigmoid => "sigmoid",
            Activation::Softplus => "softplus",
        }
    }

    fn cpu<T: Real>(&self, [(x, shape)]: [(&[T], &Shape); 1]) -> Numbers<T, 1> {
        Ok([(with_value!(self.0, f => map(x, f)), shape.clone())])
    }

    #[cfg(feature = "cuda")]
    fn cuda(&self, [x]: [Operand; 1]) -> OnGpu<1> {
        elementwise::activate(self.0, x)
    }
}

impl Op<1> for Activate {
    fn saves(&self) -> Saves<1> {
        match (self.0, self.0.slope_at()) {
            // Constant between its kinks: the result says all, also to a second derivative.
            (Activation::LeakyRelu(_), SlopeAt::Output) => Saves::OUTPUT,
            (_, SlopeAt::Operand) => Saves::OPERANDS,
            (_, SlopeAt::Output) => Saves::ALL,
        }
    }

    fn backward(&self, saved: &Saved, upstream: &Tensor) -> candle_core::Result<[Option<Tensor>; 1]> {
        let at = match self.0.slope_at() {
            SlopeAt::Operand => saved.operand(0)?.clone(),
            SlopeAt::Output => saved.output()?,
        };
        Ok([Some(slope_times(self.0, &at, upstream)?)])
    }
}

/// φ'·t, the derivative taken at `at`, which is what [`Activation::slope_at`] says.
pub(super) fn slope_times(activation: Activation, at: &Tensor, t: &Tensor) -> candle_core::Result<Tensor> {
    match activation {
        // The gate is constant almost everywhere, so the place needs no graph.
        Activation::LeakyRelu(_) => apply(SlopeTimes(activation), [&at.detach(), t]),
        _ => apply(SlopeTimes(activation), [at, t]),
    }
}

struct SlopeTimes(Activation);

impl Kernel<2, 1> for SlopeTimes {
    fn name(&self) -> &'static str {
        "activation_slope"
    }

    fn cpu<T: Real>(&self, [(at, shape), (t, _)]: [(&[T], &Shape); 2]) -> Numbers<T, 1> {
        Ok([(with_slope!(self.0, f => map2(at, t, move |at, t| f(at) * t)), shape.clone())])
    }

    #[cfg(feature = "cuda")]
    fn cuda(&self, [at, t]: [Operand; 2]) -> OnGpu<1> {
        elementwise::slope_times(self.0, at, t)
    }
}

impl Op<2> for SlopeTimes {
    fn saves(&self) -> Saves<2> {
        Saves::OPERANDS
    }

    fn backward(&self, saved: &Saved, upstream: &Tensor) -> candle_core::Result<[Option<Tensor>; 2]> {
        let (at, t) = (saved.operand(0)?, saved.operand(1)?);
        let for_at = saved.wanted(0, || {
            let second = match self.0 {
                // d/dy of 1 − y² is −2y, of y − y² is 1 − 2y.
                Activation::Tanh => affine(at, -2.0, 0.0)?,
                Activation::Sigmoid => affine(at, -2.0, 1.0)?,
                // d/dx of σ(x) is σ·(1 − σ).
                Activation::Softplus => {
                    let sigma = sigmoid(at)?;
                    mul(&sigma, &affine(&sigma, -1.0, 1.0)?)?
                }
                Activation::Identity | Activation::LeakyRelu(_) => at.zeros_like()?,
            };
            Ok(mul(&mul(&second, t)?, upstream)?)
        })?;
        Ok([for_at, saved.wanted(1, || slope_times(self.0, at, upstream))?])
    }
}

/// leaky ReLU of a + b, the end of a residual block: x where x = a + b > 0, else `slope`·x. `slope` ≥ 0.
///
/// # Errors
/// When the shapes differ or the slope is negative.
pub fn add_leaky_relu(a: &Tensor, b: &Tensor, slope: f64) -> Result<Tensor> {
    same_shape("residual sum", a, b)?;
    if slope < 0.0 {
        return leaky_relu(&super::arithmetic::add(a, b)?, slope);
    }
    Ok(apply(AddLeakyRelu { slope }, [a, b])?)
}

struct AddLeakyRelu {
    slope: f64,
}

impl Kernel<2, 1> for AddLeakyRelu {
    fn name(&self) -> &'static str {
        "add_leaky_relu"
    }

    fn cpu<T: Real>(&self, [(a, shape), (b, _)]: [(&[T], &Shape); 2]) -> Numbers<T, 1> {
        let slope = T::of(self.slope);
        let sum = move |a: T, b: T| {
            let x = a + b;
            x * factor(x, slope)
        };
        Ok([(map2(a, b, sum), shape.clone())])
    }

    #[cfg(feature = "cuda")]
    fn cuda(&self, [a, b]: [Operand; 2]) -> OnGpu<1> {
        elementwise::add_leaky_relu(self.slope, a, b)
    }
}

impl Op<2> for AddLeakyRelu {
    fn saves(&self) -> Saves<2> {
        Saves::OUTPUT
    }

    fn backward(&self, saved: &Saved, upstream: &Tensor) -> candle_core::Result<[Option<Tensor>; 2]> {
        let gated = slope_times(Activation::LeakyRelu(self.slope), &saved.output()?, upstream)?;
        Ok([saved.wanted(0, || Ok(gated.clone()))?, saved.wanted(1, || Ok(gated.clone()))?])
    }
}
