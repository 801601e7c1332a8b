//! Residual blocks that more than one network is made of.

use candle_core::Tensor;

use crate::Result;
use crate::ops::activation::relu;
use crate::ops::arithmetic::add;

use super::conv::{Conv2d, ConvSpec};
use super::critic::Signal;
use super::init::Weights;
use super::norm::{BatchNorm, Mode, NormSpec};
use super::params::Scope;

/// The block of the SRResNet generator (Ledig et al. 2017, figure 4; Jin et al. 2017, figure 7): 3×3 convolution, batch
/// norm, ReLU, 3×3 convolution, batch norm, plus the input; nothing after the sum. Parameters: `conv1`, `bn1`, `conv2`,
/// `bn2`.
#[derive(Clone, Debug)]
pub struct SrResidual {
    conv1: Conv2d,
    bn1: BatchNorm,
    conv2: Conv2d,
    bn2: BatchNorm,
}

impl SrResidual {
    /// A block over `channels` channels.
    ///
    /// # Errors
    /// When the store holds these names with other shapes.
    pub fn new(scope: &Scope, channels: usize, norm: NormSpec, weights: Weights) -> Result<SrResidual> {
        let conv = |name: &str| Conv2d::new(&scope.pp(name), channels, channels, 3, ConvSpec::padded(1), weights);
        Ok(SrResidual {
            conv1: conv("conv1")?,
            bn1: BatchNorm::new(&scope.pp("bn1"), channels, norm)?,
            conv2: conv("conv2")?,
            bn2: BatchNorm::new(&scope.pp("bn2"), channels, norm)?,
        })
    }

    /// `[N, C, H, W]`, same shape out.
    ///
    /// # Errors
    /// When `x` has another number of channels.
    pub fn forward(&self, x: &Tensor, mode: Mode) -> Result<Tensor> {
        let h = relu(&self.bn1.forward(&self.conv1.forward(x)?, mode)?)?;
        let h = self.bn2.forward(&self.conv2.forward(&h)?, mode)?;
        add(x, &h)
    }
}

/// The block of the make.girls.moe discriminator (Jin et al. 2017, figure 8): 3×3 convolution, leaky ReLU, 3×3
/// convolution, plus the input, leaky ReLU; no norm. Parameters: `conv1`, `conv2`.
#[derive(Clone, Debug)]
pub struct LeakyResidual {
    conv1: Conv2d,
    conv2: Conv2d,
    slope: f64,
}

impl LeakyResidual {
    /// A block over `channels` channels with leaky ReLUs of that slope.
    ///
    /// # Errors
    /// When the store holds these names with other shapes.
    pub fn new(scope: &Scope, channels: usize, slope: f64, weights: Weights) -> Result<LeakyResidual> {
        let conv = |name: &str| Conv2d::new(&scope.pp(name), channels, channels, 3, ConvSpec::padded(1), weights);
        Ok(LeakyResidual { conv1: conv("conv1")?, conv2: conv("conv2")?, slope })
    }

    /// `[N, C, H, W]`, same shape out.
    ///
    /// # Errors
    /// When `x` has another number of channels.
    pub fn forward<S: Signal>(&self, x: &S) -> Result<S> {
        let h = x.conv2d(&self.conv1)?.leaky_relu(self.slope)?.conv2d(&self.conv2)?;
        h.add_leaky_relu(x, self.slope)
    }
}
