//! Critics that can be run on dual numbers, so that gradient penalties are exact.
//!
//! A penalty is a function of g = ∂D/∂x, and its gradient is a second derivative of D, which candle cannot give: it
//! detaches upstream gradients and returns a wrong number. Here D is written once over [`Signal`] and run twice: on
//! tensors for g (one ordinary backward), then on [`Dual`] numbers (value, tangent) along a direction v that is held
//! constant. The tangent that comes out is ⟨∂D/∂x, v⟩, an ordinary graph over the parameters, so its ordinary backward
//! is exactly ∂/∂θ ⟨g, v⟩ (forward-over-reverse; Pearlmutter 1994). The values of the second run are those of the first,
//! which a [`Tape`] keeps. [`crate::losses::penalty`] puts this together.

use std::fmt::Debug;

use candle_core::Tensor;

use crate::ops::{activation, arithmetic, cast, fir, minibatch, reduce, resample};
use crate::{Error, Result};

use super::conv::{Conv2d, ConvTranspose2d};
use super::linear::Linear;
use super::norm::{BatchNorm, InstanceNorm, Mode};

mod dual;
mod tape;

pub use dual::Dual;
pub use tape::{Recorded, Tape};

/// What flows through a critic: a [`Tensor`], or a [`Dual`] number.
///
/// Each function is the layer of that name; a dual number carries the layer's derivative along as well.
pub trait Signal: Clone + Debug {
    /// The plain value.
    fn value(&self) -> &Tensor;

    /// Applies a map that is linear in its argument (reshape, pool, sum, product with a constant) to the value and,
    /// in a dual number, to the tangent.
    ///
    /// # Errors
    /// Those of `map`.
    fn linear_map(&self, map: &dyn Fn(&Tensor) -> Result<Tensor>) -> Result<Self>;

    /// Applies a map that adds what does not depend on the picture (what a convolution answers to a pose): a dual
    /// number's tangent stays.
    ///
    /// # Errors
    /// Those of `map`.
    fn shift(&self, map: &dyn Fn(&Tensor) -> Result<Tensor>) -> Result<Self>;

    /// [`Conv2d::forward`].
    ///
    /// # Errors
    /// Those of the layer.
    fn conv2d(&self, layer: &Conv2d) -> Result<Self>;

    /// [`ConvTranspose2d::forward`].
    ///
    /// # Errors
    /// Those of the layer.
    fn conv_transpose2d(&self, layer: &ConvTranspose2d) -> Result<Self>;

    /// [`Linear::forward`].
    ///
    /// # Errors
    /// Those of the layer.
    fn linear(&self, layer: &Linear) -> Result<Self>;

    /// [`InstanceNorm::forward`].
    ///
    /// # Errors
    /// Those of the layer.
    fn instance_norm(&self, layer: &InstanceNorm) -> Result<Self>;

    /// [`BatchNorm::forward`] with running statistics. A batch norm in training has no place in a penalised critic:
    /// it mixes the samples of a batch, whose gradients are penalised one by one (Gulrajani et al. 2017, section 4).
    ///
    /// # Errors
    /// Those of the layer.
    fn batch_norm_eval(&self, layer: &BatchNorm) -> Result<Self>;

    /// [`activation::leaky_relu`].
    ///
    /// # Errors
    /// When candle runs out of memory; so for the other activations.
    fn leaky_relu(&self, slope: f64) -> Result<Self>;

    /// [`activation::relu`].
    ///
    /// # Errors
    /// As [`Signal::leaky_relu`].
    fn relu(&self) -> Result<Self> {
        self.leaky_relu(0.0)
    }

    /// [`activation::tanh`].
    ///
    /// # Errors
    /// As [`Signal::leaky_relu`].
    fn tanh(&self) -> Result<Self>;

    /// [`activation::sigmoid`].
    ///
    /// # Errors
    /// As [`Signal::leaky_relu`].
    fn sigmoid(&self) -> Result<Self>;

    /// [`activation::softplus`].
    ///
    /// # Errors
    /// As [`Signal::leaky_relu`].
    fn softplus(&self) -> Result<Self>;

    /// Sum of two signals of one shape (a residual connection).
    ///
    /// # Errors
    /// When the shapes differ.
    fn add(&self, other: &Self) -> Result<Self>;

    /// [`activation::add_leaky_relu`]: the sum of two signals of one shape, then a leaky ReLU.
    ///
    /// # Errors
    /// When the shapes differ.
    fn add_leaky_relu(&self, other: &Self, slope: f64) -> Result<Self> {
        self.add(other)?.leaky_relu(slope)
    }

    /// Product of two signals of one shape (a gate).
    ///
    /// # Errors
    /// When the shapes differ.
    fn mul(&self, other: &Self) -> Result<Self>;

    /// Two signals one after the other along dimension `dim`.
    ///
    /// # Errors
    /// When the other dimensions differ.
    fn cat(&self, other: &Self, dim: usize) -> Result<Self>;

    /// The signal followed by something that does not depend on the picture (labels) along dimension `dim`.
    ///
    /// # Errors
    /// When the other dimensions differ.
    fn cat_constant(&self, constant: &Tensor, dim: usize) -> Result<Self>;

    /// The signal times a number.
    ///
    /// # Errors
    /// When candle runs out of memory.
    fn scale(&self, factor: f64) -> Result<Self> {
        self.linear_map(&|x| arithmetic::affine(x, factor, 0.0))
    }

    /// The signal in another shape.
    ///
    /// # Errors
    /// When the shape holds another number of numbers.
    fn reshape(&self, shape: &[usize]) -> Result<Self> {
        self.linear_map(&|x| Ok(x.reshape(shape)?))
    }

    /// `[N, ...]` → `[N, product of the rest]`.
    ///
    /// # Errors
    /// When candle runs out of memory.
    fn flatten(&self) -> Result<Self> {
        self.linear_map(&|x| Ok(x.flatten_from(1)?))
    }

    /// [`resample::avg_pool2d`] over windows of `k`×`k`.
    ///
    /// # Errors
    /// Those of the operation.
    fn avg_pool2d(&self, k: usize) -> Result<Self> {
        self.linear_map(&|x| resample::avg_pool2d(x, k))
    }

    /// `[N, C, H, W]` → `[N, C]`, the mean over all pixels.
    ///
    /// # Errors
    /// When the signal is not of rank 4.
    fn global_avg_pool2d(&self) -> Result<Self> {
        self.linear_map(&|x| match x.rank() {
            4 => reduce::mean_from(x, 2),
            _ => Err(Error::shape("mean over pixels", x.dims(), "[N, C, H, W]")),
        })
    }

    /// [`resample::upsample_nearest`].
    ///
    /// # Errors
    /// Those of the operation.
    fn upsample_nearest(&self, k: usize) -> Result<Self> {
        self.linear_map(&|x| resample::upsample_nearest(x, k))
    }

    /// [`fir::blur`].
    ///
    /// # Errors
    /// Those of the operation.
    fn blur(&self) -> Result<Self> {
        self.linear_map(&fir::blur)
    }

    /// [`minibatch::minibatch_deviation`].
    ///
    /// # Errors
    /// Those of the operation.
    fn minibatch_deviation(&self, group: usize) -> Result<Self>;
}

/// A network with one number per sample, written over [`Signal`] so that it can be penalised.
pub trait Critic {
    /// `[N, 3, H, W]` → `[N]` or `[N, 1]`: the score before any sigmoid.
    ///
    /// # Errors
    /// When `x` does not fit the network.
    fn logit<S: Signal>(&self, x: &S) -> Result<S>;
}

impl Signal for Tensor {
    fn value(&self) -> &Tensor {
        self
    }

    fn linear_map(&self, map: &dyn Fn(&Tensor) -> Result<Tensor>) -> Result<Self> {
        map(self)
    }

    fn shift(&self, map: &dyn Fn(&Tensor) -> Result<Tensor>) -> Result<Self> {
        map(self)
    }

    fn conv2d(&self, layer: &Conv2d) -> Result<Self> {
        layer.forward(self)
    }

    fn conv_transpose2d(&self, layer: &ConvTranspose2d) -> Result<Self> {
        layer.forward(self)
    }

    fn linear(&self, layer: &Linear) -> Result<Self> {
        layer.forward(self)
    }

    fn instance_norm(&self, layer: &InstanceNorm) -> Result<Self> {
        layer.forward(self)
    }

    fn batch_norm_eval(&self, layer: &BatchNorm) -> Result<Self> {
        layer.forward(self, Mode::Eval)
    }

    fn leaky_relu(&self, slope: f64) -> Result<Self> {
        activation::leaky_relu(self, slope)
    }

    fn tanh(&self) -> Result<Self> {
        activation::tanh(self)
    }

    fn sigmoid(&self) -> Result<Self> {
        activation::sigmoid(self)
    }

    fn softplus(&self) -> Result<Self> {
        activation::softplus(self)
    }

    fn add(&self, other: &Self) -> Result<Self> {
        arithmetic::add(self, other)
    }

    fn add_leaky_relu(&self, other: &Self, slope: f64) -> Result<Self> {
        activation::add_leaky_relu(self, other, slope)
    }

    fn mul(&self, other: &Self) -> Result<Self> {
        arithmetic::mul(self, other)
    }

    fn minibatch_deviation(&self, group: usize) -> Result<Self> {
        minibatch::minibatch_deviation(self, group)
    }

    fn cat(&self, other: &Self, dim: usize) -> Result<Self> {
        Ok(Tensor::cat(&[self, other], dim)?)
    }

    fn cat_constant(&self, constant: &Tensor, dim: usize) -> Result<Self> {
        Signal::cat(self, &cast::like(constant, self)?, dim)
    }
}
