//! Convolutions of spectral norm 1 (Miyato et al. 2018, arXiv:1802.05957), with PyTorch's parameter names.

use candle_core::{Tensor, Var};

use super::conv::{Conv2d, ConvSpec};
use super::init::Init;
use super::norm::Mode;
use super::params::Scope;
use crate::Result;
use crate::ops::spectral::{power_iteration, spectrally_normalized};

/// The shortest length that a vector is divided by: PyTorch's.
const EPSILON: f64 = 1e-12;

/// A convolution without a bias whose weight is divided by its largest singular value (PyTorch's classic
/// `nn.utils.spectral_norm`). Parameter: `weight_orig` `[out, in, k, k]`; buffers: `weight_u` `[out]` and `weight_v`
/// `[in·k·k]`, the singular vectors, which one step of the power iteration moves whenever [`SpectralConv2d::layer`] is
/// asked for in training.
#[derive(Clone, Debug)]
pub struct SpectralConv2d {
    weight: Tensor,
    u: Var,
    v: Var,
    spec: ConvSpec,
}

impl SpectralConv2d {
    /// A layer from `inputs` to `outputs` channels with a kernel of side `k`, its numbers taken from `scope`. The vectors
    /// start from normally distributed numbers, which the first iteration brings to length 1.
    ///
    /// # Errors
    /// When the store holds these names with other shapes.
    pub fn new(
        scope: &Scope,
        inputs: usize,
        outputs: usize,
        k: usize,
        spec: ConvSpec,
        init: Init,
    ) -> Result<SpectralConv2d> {
        let numbers = inputs * k * k;
        let vector = |name: &str, length: usize| {
            let std = 1.0 / (length.max(1) as f64).sqrt();
            scope.drawn_buffer(name, &[length], Init::Normal { mean: 0.0, std })
        };
        Ok(SpectralConv2d {
            // Divided in f32 whatever the layer computes in: singular values of rounded weights are others.
            weight: scope.param("weight_orig", &[outputs, inputs, k, k], init)?,
            u: vector("weight_u", outputs)?,
            v: vector("weight_v", numbers)?,
            spec,
        })
    }

    /// The layer as it stands. In training the vectors move first; in evaluation they stay. The gradient goes through the
    /// weight in both numerator and norm, the vectors are constants, as in PyTorch.
    ///
    /// # Errors
    /// When memory runs out.
    pub fn layer(&self, mode: Mode) -> Result<Conv2d> {
        if mode == Mode::Train {
            power_iteration(&self.weight, &self.u, &self.v, 1, EPSILON)?;
        }
        let (u, v) = (self.u.as_detached_tensor().copy()?, self.v.as_detached_tensor().copy()?);
        Ok(Conv2d::of(spectrally_normalized(&self.weight, &u, &v)?, None, self.spec))
    }
}
