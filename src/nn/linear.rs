//! The fully connected layer.

use candle_core::Tensor;

use crate::ops::activation::Activation;
use crate::ops::cast::like;
use crate::ops::epilogue::bias_activation;
use crate::{Error, Result};

use super::init::Weights;
use super::params::Scope;

/// y = x Wᵀ + b (PyTorch `nn.Linear`), in the [`Precision`](super::precision::Precision) of the scope that it was built
/// from. Parameters: `weight` `[out, in]` and `bias` `[out]`.
#[derive(Clone, Debug)]
pub struct Linear {
    weight: Tensor,
    bias: Option<Tensor>,
}

impl Linear {
    /// A layer from `inputs` to `outputs` features, its parameters taken from `scope`.
    ///
    /// # Errors
    /// When the store holds these names with other shapes.
    pub fn new(scope: &Scope, inputs: usize, outputs: usize, weights: Weights) -> Result<Linear> {
        let weight = scope.weight("weight", &[outputs, inputs], weights.weight)?;
        let bias = weights.bias.map(|init| scope.param("bias", &[outputs], init)).transpose()?;
        Ok(Linear { weight, bias })
    }

    /// A layer with this weight `[out, in]` and bias `[out]`, which were made from parameters and lead back to them.
    pub fn of(weight: Tensor, bias: Option<Tensor>) -> Linear {
        Linear { weight, bias }
    }

    /// `[N, in]` → `[N, out]`.
    ///
    /// # Errors
    /// When `x` is not of that shape.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let y = self.forward_linear(x)?;
        match &self.bias {
            Some(bias) => bias_activation(&y, bias, Activation::Identity),
            None => Ok(y),
        }
    }

    /// Without the bias: the linear part, which maps tangents.
    ///
    /// # Errors
    /// As [`Linear::forward`].
    pub fn forward_linear(&self, x: &Tensor) -> Result<Tensor> {
        let inputs = self.weight.dims()[1];
        if x.rank() != 2 || x.dims()[1] != inputs {
            return Err(Error::shape("linear: input", x.dims(), format!("[N, {inputs}]")));
        }
        Ok(like(x, &self.weight)?.matmul(&self.weight.t()?)?)
    }
}
