//! Convolution layers with PyTorch's parameter names and shapes. They compute in the
//! [`Precision`](super::precision::Precision) of the scope that they were built from, and their results are of that
//! type.

use candle_core::Tensor;

use crate::Result;
use crate::ops::cast::like;
use crate::ops::{Pair, conv};

use super::init::Weights;
use super::params::Scope;

pub use crate::ops::conv::ConvSpec;

/// 2-D convolution (PyTorch `nn.Conv2d`). Parameters: `weight` `[out, in / groups, kh, kw]` and `bias` `[out]`.
#[derive(Clone, Debug)]
pub struct Conv2d {
    weight: Tensor,
    bias: Option<Tensor>,
    spec: ConvSpec,
}

impl Conv2d {
    /// A layer from `inputs` to `outputs` channels, its parameters taken from `scope`.
    ///
    /// # Errors
    /// When the channels are not divisible by the groups, or the store holds these names with other shapes.
    pub fn new(
        scope: &Scope,
        inputs: usize,
        outputs: usize,
        kernel: impl Into<Pair>,
        spec: ConvSpec,
        weights: Weights,
    ) -> Result<Conv2d> {
        spec.check(inputs, outputs)?;
        let Pair([kh, kw]) = kernel.into();
        let weight = scope.weight("weight", &[outputs, inputs / spec.groups, kh, kw], weights.weight)?;
        let bias = weights.bias.map(|init| scope.param("bias", &[outputs], init)).transpose()?;
        Ok(Conv2d { weight, bias, spec })
    }

    /// A layer with this weight `[out, in / groups, kh, kw]` and bias `[out]`, which were made from parameters and lead
    /// back to them.
    pub fn of(weight: Tensor, bias: Option<Tensor>, spec: ConvSpec) -> Conv2d {
        Conv2d { weight, bias, spec }
    }

    /// `[N, in, H, W]` → `[N, out, H', W']`.
    ///
    /// # Errors
    /// When `x` has another number of channels or is smaller than the kernel.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        conv::conv2d_with_bias(&like(x, &self.weight)?, &self.weight, self.bias.as_ref(), &self.spec)
    }

    /// Without the bias: the linear part, which maps tangents.
    ///
    /// # Errors
    /// As [`Conv2d::forward`].
    pub fn forward_linear(&self, x: &Tensor) -> Result<Tensor> {
        conv::conv2d(&like(x, &self.weight)?, &self.weight, &self.spec)
    }

    /// `[out, in / groups, kh, kw]`, as the layer multiplies by it.
    pub fn weight(&self) -> &Tensor {
        &self.weight
    }

    /// `[out]`, if the layer has one.
    pub fn bias(&self) -> Option<&Tensor> {
        self.bias.as_ref()
    }
}

/// 2-D transposed convolution (PyTorch `nn.ConvTranspose2d`). Parameters: `weight` `[in, out / groups, kh, kw]` and
/// `bias` `[out]`.
#[derive(Clone, Debug)]
pub struct ConvTranspose2d {
    weight: Tensor,
    bias: Option<Tensor>,
    spec: ConvSpec,
}

impl ConvTranspose2d {
    /// A layer from `inputs` to `outputs` channels, its parameters taken from `scope`.
    ///
    /// # Errors
    /// When the channels are not divisible by the groups, or the store holds these names with other shapes.
    pub fn new(
        scope: &Scope,
        inputs: usize,
        outputs: usize,
        kernel: impl Into<Pair>,
        spec: ConvSpec,
        weights: Weights,
    ) -> Result<ConvTranspose2d> {
        spec.check(inputs, outputs)?;
        let Pair([kh, kw]) = kernel.into();
        let weight = scope.weight("weight", &[inputs, outputs / spec.groups, kh, kw], weights.weight)?;
        let bias = weights.bias.map(|init| scope.param("bias", &[outputs], init)).transpose()?;
        Ok(ConvTranspose2d { weight, bias, spec })
    }

    /// `[N, in, H, W]` → `[N, out, H', W']` with
    /// H' = (H − 1)·stride − 2·padding + dilation·(kh − 1) + output_padding + 1.
    ///
    /// # Errors
    /// When `x` has another number of channels.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        conv::conv_transpose2d_with_bias(&like(x, &self.weight)?, &self.weight, self.bias.as_ref(), &self.spec)
    }

    /// Without the bias: the linear part, which maps tangents.
    ///
    /// # Errors
    /// As [`ConvTranspose2d::forward`].
    pub fn forward_linear(&self, x: &Tensor) -> Result<Tensor> {
        conv::conv_transpose2d(&like(x, &self.weight)?, &self.weight, &self.spec)
    }
}
