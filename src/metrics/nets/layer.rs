//! What the networks are made of: convolutions with their bias and activation, pools, and the way to build them.

use std::collections::BTreeMap;

use candle_core::{DType, Device, Tensor};

use crate::nn::conv::ConvSpec;
use crate::nn::init::Init;
use crate::nn::params::{ParamStore, Scope, Training};
use crate::ops::activation::Activation;
use crate::ops::conv::conv2d;
use crate::ops::epilogue::bias_activation;
use crate::ops::{Pair, channel};
use crate::{Error, Result};

/// Builds a network for these weights, which must be exactly those that it asks for.
///
/// # Errors
/// Lists by name what is missing, surplus, of another shape, or not finite.
pub(super) fn build<N>(
    tensors: &BTreeMap<String, Tensor>,
    device: &Device,
    network: impl Fn(&Scope) -> Result<N>,
) -> Result<N> {
    let store = ParamStore::blank(device, DType::F32)?;
    // The first time it says what it needs, the second time it finds it: layers may compute with their weights.
    network(&store.view(Training::Nothing))?;
    store.load(tensors)?;
    network(&store.view(Training::Nothing))
}

/// Names and shapes of the tensors that a network asks for.
pub(super) fn asked<N>(network: impl Fn(&Scope) -> Result<N>) -> Result<BTreeMap<String, Vec<usize>>> {
    let store = ParamStore::blank(&Device::Cpu, DType::F32)?;
    network(&store.view(Training::Nothing))?;
    Ok(store.tensors().into_iter().map(|(name, tensor)| (name, tensor.dims().to_vec())).collect())
}

const ZERO: Init = Init::Const(0.0);

/// A convolution and what follows it.
#[derive(Clone, Debug)]
pub(super) struct Layer {
    weight: Tensor,
    bias: Tensor,
    spec: ConvSpec,
}

impl Layer {
    /// Parameters `weight` and `bias`.
    pub(super) fn new(
        scope: &Scope,
        [inputs, outputs]: [usize; 2],
        kernel: impl Into<Pair>,
        spec: ConvSpec,
    ) -> Result<Layer> {
        let Pair([kh, kw]) = kernel.into();
        let weight = scope.param("weight", &[outputs, inputs, kh, kw], ZERO)?;
        let bias = scope.param("bias", &[outputs], ZERO)?;
        Ok(Layer { weight, bias, spec })
    }

    /// Parameters `conv.weight` and `bn.weight`, `bias`, `running_mean`, `running_var`: a convolution without bias and a
    /// batch norm in evaluation, which together are a convolution with bias. The product is taken in f64, so that it
    /// is as exact as either of them.
    pub(super) fn normalized(
        scope: &Scope,
        [inputs, outputs]: [usize; 2],
        kernel: impl Into<Pair>,
        spec: ConvSpec,
        epsilon: f64,
    ) -> Result<Layer> {
        let Pair([kh, kw]) = kernel.into();
        let weight = scope.pp("conv").param("weight", &[outputs, inputs, kh, kw], ZERO)?;
        let norm = scope.pp("bn");
        let wide = |tensor: &Tensor| tensor.to_dtype(DType::F64);
        let gamma = wide(&norm.param("weight", &[outputs], ZERO)?)?;
        let beta = wide(&norm.param("bias", &[outputs], ZERO)?)?;
        let mean = wide(&norm.buffer("running_mean", &[outputs], 0.0)?.as_detached_tensor())?;
        let variance = wide(&norm.buffer("running_var", &[outputs], 0.0)?.as_detached_tensor())?;
        let scale = (gamma / (variance + epsilon)?.sqrt()?)?;
        let bias = (beta - (mean * &scale)?)?.to_dtype(weight.dtype())?;
        let folded = wide(&weight)?.broadcast_mul(&scale.reshape((outputs, 1, 1, 1))?)?;
        Ok(Layer { weight: folded.to_dtype(weight.dtype())?, bias, spec })
    }

    /// relu(convolution + bias): `[N, in, H, W]` → `[N, out, H', W']`.
    pub(super) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.finish(&self.convolution(x)?)
    }

    /// Convolution + bias.
    pub(super) fn linear(&self, x: &Tensor) -> Result<Tensor> {
        bias_activation(&self.convolution(x)?, &self.bias, Activation::Identity)
    }

    /// The convolution alone.
    pub(super) fn convolution(&self, x: &Tensor) -> Result<Tensor> {
        conv2d(x, &self.weight, &self.spec)
    }

    /// relu(x + bias).
    pub(super) fn finish(&self, x: &Tensor) -> Result<Tensor> {
        bias_activation(x, &self.bias, Activation::RELU)
    }
}

/// Refuses what is not `[N, 3, H, W]` with sides from `smallest` on.
pub(super) fn check_pictures(what: &str, x: &Tensor, smallest: usize) -> Result<()> {
    match x.dims() {
        &[n, 3, h, w] if n > 0 && h >= smallest && w >= smallest => Ok(()),
        found => Err(Error::shape(what, found, format!("[N, 3, H, W] of at least {smallest} px"))),
    }
}

/// x·scale + shift with one of each for every channel.
pub(super) fn per_channel(x: &Tensor, scale: &[f64], shift: &[f64]) -> Result<Tensor> {
    let tensor = |numbers: &[f64]| {
        Tensor::from_slice(numbers, numbers.len(), &Device::Cpu)?.to_dtype(x.dtype())?.to_device(x.device())
    };
    channel::affine(x, &tensor(scale)?, &tensor(shift)?)
}

/// The mean of every plane: `[N, C, H, W]` → `[N, C]`.
pub(super) fn global_mean(x: &Tensor) -> Result<Tensor> {
    Ok(x.flatten_from(2)?.mean(2)?)
}

/// Added to the length of a pixel's vector of features.
const EPSILON: f64 = 1e-10;
/// Added to its square, far below what it changes: the root of 0 has no derivative.
const TINY: f64 = 1e-24;

/// Every pixel's vector divided by its length: `[N, C, H, W]` → same shape.
pub(super) fn unit(x: &Tensor) -> Result<Tensor> {
    let length = ((x.sqr()?.sum_keepdim(1)? + TINY)?.sqrt()? + EPSILON)?;
    Ok(x.broadcast_div(&length)?)
}
