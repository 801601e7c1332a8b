//! Dual numbers.

use candle_core::Tensor;

use super::{Signal, Tape};
use crate::nn::conv::{Conv2d, ConvTranspose2d};
use crate::nn::linear::Linear;
use crate::nn::norm::{BatchNorm, InstanceNorm, Mode};
use crate::ops::activation::Activation;
use crate::ops::{activation, arithmetic, cast, channel, minibatch};
use crate::{Error, Result};

/// A value together with its derivative along one direction.
#[derive(Clone, Debug)]
pub struct Dual {
    value: Tensor,
    tangent: Tensor,
    /// Values that are known already, of all that is computed with this number.
    tape: Option<Tape>,
}

impl Dual {
    /// `value`, moving along `tangent` of the same shape.
    ///
    /// # Errors
    /// When the shapes differ.
    pub fn new(value: Tensor, tangent: Tensor) -> Result<Dual> {
        if value.dims() != tangent.dims() {
            return Err(Error::shape("dual number: tangent", tangent.dims(), format!("{:?}", value.dims())));
        }
        Ok(Dual { value, tangent, tape: None })
    }

    /// The same number, where the values of everything that is computed with it stand on a tape: the same was computed
    /// with a [`Recorded`](super::Recorded) number before, in the same order.
    pub fn following(self, tape: Tape) -> Dual {
        Dual { tape: Some(tape), ..self }
    }

    /// The derivative along the direction.
    pub fn tangent(&self) -> &Tensor {
        &self.tangent
    }

    /// The value of the next operation: that on the tape, if there is one.
    fn known(&self, compute: impl FnOnce() -> Result<Tensor>) -> Result<Tensor> {
        self.tape.as_ref().and_then(Tape::next).map_or_else(compute, Ok)
    }

    fn with(&self, value: Tensor, tangent: Tensor) -> Dual {
        Dual { value, tangent, tape: self.tape.clone() }
    }

    /// A function that acts on every number by itself.
    fn elementwise(&self, function: Activation) -> Result<Dual> {
        let value = self.known(|| function.apply(&self.value))?;
        let tangent = function.tangent(&self.value, &value, &self.tangent)?;
        Ok(self.with(value, tangent))
    }
}

impl Signal for Dual {
    fn value(&self) -> &Tensor {
        &self.value
    }

    fn linear_map(&self, map: &dyn Fn(&Tensor) -> Result<Tensor>) -> Result<Self> {
        Ok(self.with(self.known(|| map(&self.value))?, map(&self.tangent)?))
    }

    fn shift(&self, map: &dyn Fn(&Tensor) -> Result<Tensor>) -> Result<Self> {
        Ok(self.with(self.known(|| map(&self.value))?, self.tangent.clone()))
    }

    fn conv2d(&self, layer: &Conv2d) -> Result<Self> {
        Ok(self.with(self.known(|| layer.forward(&self.value))?, layer.forward_linear(&self.tangent)?))
    }

    fn conv_transpose2d(&self, layer: &ConvTranspose2d) -> Result<Self> {
        Ok(self.with(self.known(|| layer.forward(&self.value))?, layer.forward_linear(&self.tangent)?))
    }

    fn linear(&self, layer: &Linear) -> Result<Self> {
        Ok(self.with(self.known(|| layer.forward(&self.value))?, layer.forward_linear(&self.tangent)?))
    }

    fn instance_norm(&self, layer: &InstanceNorm) -> Result<Self> {
        let tangent = layer.forward_tangent(&self.value, &self.tangent)?;
        Ok(self.with(self.known(|| layer.forward(&self.value))?, tangent))
    }

    fn batch_norm_eval(&self, layer: &BatchNorm) -> Result<Self> {
        let tangent = channel::scale(&self.tangent, &layer.eval_scale()?)?;
        Ok(self.with(self.known(|| layer.forward(&self.value, Mode::Eval))?, tangent))
    }

    fn leaky_relu(&self, slope: f64) -> Result<Self> {
        self.elementwise(Activation::LeakyRelu(slope))
    }

    fn tanh(&self) -> Result<Self> {
        self.elementwise(Activation::Tanh)
    }

    fn sigmoid(&self) -> Result<Self> {
        self.elementwise(Activation::Sigmoid)
    }

    fn softplus(&self) -> Result<Self> {
        self.elementwise(Activation::Softplus)
    }

    fn add(&self, other: &Self) -> Result<Self> {
        let value = self.known(|| arithmetic::add(&self.value, &other.value))?;
        Ok(self.with(value, arithmetic::add(&self.tangent, &other.tangent)?))
    }

    fn mul(&self, other: &Self) -> Result<Self> {
        let mul = arithmetic::mul;
        let tangent = arithmetic::add(&mul(&self.tangent, &other.value)?, &mul(&self.value, &other.tangent)?)?;
        Ok(self.with(self.known(|| mul(&self.value, &other.value))?, tangent))
    }

    fn add_leaky_relu(&self, other: &Self, slope: f64) -> Result<Self> {
        if slope < 0.0 {
            return self.add(other)?.leaky_relu(slope);
        }
        let value = self.known(|| activation::add_leaky_relu(&self.value, &other.value, slope))?;
        let tangent = arithmetic::add(&self.tangent, &other.tangent)?;
        // The sign of the result is that of the sum, which need not be kept.
        let tangent = activation::leaky_relu_gate(&value, &tangent, slope)?;
        Ok(self.with(value, tangent))
    }

    fn minibatch_deviation(&self, group: usize) -> Result<Self> {
        let tangent = minibatch::minibatch_deviation_tangent(&self.value, &self.tangent, group)?;
        Ok(self.with(self.known(|| minibatch::minibatch_deviation(&self.value, group))?, tangent))
    }

    fn cat(&self, other: &Self, dim: usize) -> Result<Self> {
        let value = self.known(|| Ok(Tensor::cat(&[&self.value, &other.value], dim)?))?;
        Ok(self.with(value, Tensor::cat(&[&self.tangent, &other.tangent], dim)?))
    }

    fn cat_constant(&self, constant: &Tensor, dim: usize) -> Result<Self> {
        let constant = cast::like(constant, &self.value)?;
        self.cat(&Dual::new(constant.clone(), constant.zeros_like()?)?, dim)
    }
}
