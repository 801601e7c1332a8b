//! Batch and instance normalisation layers.

use candle_core::{Tensor, Var};

use crate::ops::adam::lerp_all;
use crate::ops::{channel, norm};
use crate::{Error, Result};

use super::init::Init;
use super::params::Scope;

/// Whether a batch norm uses the batch's statistics (and updates the running ones) or the running ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Batch statistics; the running ones move towards them.
    Train,
    /// Running statistics.
    Eval,
}

/// Numbers of a [`BatchNorm`]. The default is PyTorch's: epsilon 1e-5, momentum 0.1, γ 1, β 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NormSpec {
    /// Added to the variance before the root.
    pub epsilon: f64,
    /// Weight of the new batch in the running statistics; 0.1 is what Chainer calls decay 0.9.
    pub momentum: f64,
    /// How the scale γ starts.
    pub weight: Init,
    /// How the shift β starts.
    pub bias: Init,
}

impl Default for NormSpec {
    fn default() -> Self {
        NormSpec { epsilon: 1e-5, momentum: 0.1, weight: Init::Const(1.0), bias: Init::Const(0.0) }
    }
}

impl NormSpec {
    /// The same with another epsilon.
    pub fn epsilon(self, epsilon: f64) -> NormSpec {
        NormSpec { epsilon, ..self }
    }

    /// The same with another momentum.
    pub fn momentum(self, momentum: f64) -> NormSpec {
        NormSpec { momentum, ..self }
    }
}

/// Batch normalisation per channel of `[N, C, H, W]` or per feature of `[N, C]` (Ioffe & Szegedy 2015; PyTorch
/// `nn.BatchNorm2d`, `nn.BatchNorm1d`). Parameters: `weight` γ and `bias` β; buffers: `running_mean` and
/// `running_var`, which takes the unbiased batch variance as PyTorch and Chainer do. All `[C]`.
#[derive(Clone, Debug)]
pub struct BatchNorm {
    weight: Tensor,
    bias: Tensor,
    running_mean: Var,
    running_var: Var,
    spec: NormSpec,
}

impl BatchNorm {
    /// A layer over `channels` channels, its parameters taken from `scope`.
    ///
    /// # Errors
    /// When the store holds these names with other shapes.
    pub fn new(scope: &Scope, channels: usize, spec: NormSpec) -> Result<BatchNorm> {
        Ok(BatchNorm {
            weight: scope.param("weight", &[channels], spec.weight)?,
            bias: scope.param("bias", &[channels], spec.bias)?,
            running_mean: scope.buffer("running_mean", &[channels], 0.0)?,
            running_var: scope.buffer("running_var", &[channels], 1.0)?,
            spec,
        })
    }

    /// `[N, C, H, W]` or `[N, C]`, same shape out.
    ///
    /// # Errors
    /// When `x` has another number of channels, or only one value per channel in training.
    pub fn forward(&self, x: &Tensor, mode: Mode) -> Result<Tensor> {
        match mode {
            Mode::Eval => {
                let (scale, shift) = self.eval_affine()?;
                channel::affine(x, &scale, &shift)
            }
            Mode::Train => {
                let (y, statistics) = norm::batch_norm(x, &self.weight, &self.bias, self.spec.epsilon)?;
                let seen = [&statistics.mean, &statistics.unbiased_variance];
                let running = [self.running_mean.as_tensor(), self.running_var.as_tensor()];
                let pairs: Vec<(&Tensor, &Tensor)> = running.into_iter().zip(seen).collect();
                lerp_all(&pairs, self.spec.momentum)?;
                Ok(y)
            }
        }
    }

    /// Scale of the layer in evaluation, `[C]`: the linear part, which maps tangents.
    ///
    /// # Errors
    /// When candle runs out of memory.
    pub fn eval_scale(&self) -> Result<Tensor> {
        Ok(self.eval_affine()?.0)
    }

    fn eval_affine(&self) -> Result<(Tensor, Tensor)> {
        let deviation = (self.running_var.as_detached_tensor() + self.spec.epsilon)?.sqrt()?;
        let scale = (&self.weight / deviation)?;
        let shift = (&self.bias - (self.running_mean.as_detached_tensor() * &scale)?)?;
        Ok((scale, shift))
    }
}

/// Instance normalisation of `[N, C, H, W]` per image and channel (Ulyanov et al. 2016; PyTorch `nn.InstanceNorm2d`
/// without running statistics). Parameters, if affine: `weight` γ and `bias` β `[C]`.
#[derive(Clone, Debug)]
pub struct InstanceNorm {
    affine: Option<(Tensor, Tensor)>,
    channels: usize,
    epsilon: f64,
}

impl InstanceNorm {
    /// A layer with trainable γ and β, taken from `scope`; `spec.momentum` is not used.
    ///
    /// # Errors
    /// When the store holds these names with other shapes.
    pub fn new(scope: &Scope, channels: usize, spec: NormSpec) -> Result<InstanceNorm> {
        let weight = scope.param("weight", &[channels], spec.weight)?;
        let bias = scope.param("bias", &[channels], spec.bias)?;
        Ok(InstanceNorm { affine: Some((weight, bias)), channels, epsilon: spec.epsilon })
    }

    /// A layer without parameters (PyTorch's default, `affine=False`).
    pub fn plain(channels: usize, epsilon: f64) -> InstanceNorm {
        InstanceNorm { affine: None, channels, epsilon }
    }

    /// `[N, C, H, W]`, same shape out.
    ///
    /// # Errors
    /// When `x` has another number of channels, or only one pixel.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.check(x)?;
        let affine = self.affine.as_ref().map(|(weight, bias)| (weight, bias));
        norm::instance_norm(x, affine, self.epsilon)
    }

    /// The derivative of [`InstanceNorm::forward`] at `x` along `tangent`.
    ///
    /// # Errors
    /// As [`InstanceNorm::forward`].
    pub fn forward_tangent(&self, x: &Tensor, tangent: &Tensor) -> Result<Tensor> {
        self.check(x)?;
        norm::instance_norm_tangent(x, tangent, self.affine.as_ref().map(|(weight, _)| weight), self.epsilon)
    }

    fn check(&self, x: &Tensor) -> Result<()> {
        if x.rank() == 4 && x.dims()[1] == self.channels {
            return Ok(());
        }
        Err(Error::shape("instance norm: input", x.dims(), format!("[N, {}, H, W]", self.channels)))
    }
}
