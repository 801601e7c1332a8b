//! The DCGAN generator (Radford et al. 2016, arXiv:1511.06434) as make.girls.moe compares itself with it
//! ("DCGAN Generator + DRAGAN", Table 3): same discriminator, losses and schedule, another generator.
//!
//! The paper gives no table. The site's history holds a DCGAN of the same authors at 64 px (July 2017): a dense layer
//! to 1024×4×4 and four transposed convolutions 1024→512→256→128→3; at 128 px one more stage. That is about
//! 13.8 million parameters at 128 px, 3.1 times those of the paper's generator, where the paper says four times.

use candle_core::Tensor;
use serde::{Deserialize, Serialize};

use crate::models::make_girls::{GeneratorConfig, MakeGirls, MakeGirlsConfig, norm, weights};
use crate::nn::conv::{ConvSpec, ConvTranspose2d};
use crate::nn::linear::Linear;
use crate::nn::norm::{BatchNorm, Mode};
use crate::nn::params::Scope;
use crate::ops::activation::{relu, tanh};
use crate::ops::cast::full;
use crate::{Error, Result};

/// The baseline by name: `Dcgan::paper()`, `Dcgan::tiny()` and on as with [`MakeGirls`].
#[derive(Clone, Copy, Debug)]
pub struct Dcgan;

impl Dcgan {
    /// 128 px, with everything but the generator as in [`MakeGirls::paper`].
    pub fn paper() -> MakeGirlsConfig {
        let generator = GeneratorConfig::Dcgan(DcganConfig::at_128());
        MakeGirlsConfig { generator, ..MakeGirls::paper() }
    }

    /// 64 px with few channels, with everything but the generator as in [`MakeGirls::tiny`].
    pub fn tiny() -> MakeGirlsConfig {
        let generator = GeneratorConfig::Dcgan(DcganConfig { channels: vec![128, 64, 32, 16] });
        MakeGirlsConfig { generator, ..MakeGirls::tiny() }
    }
}

/// Numbers of the generator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DcganConfig {
    /// Channels of the feature maps, from 4×4 on; each transposed convolution doubles the side, the last one to the
    /// three colours.
    pub channels: Vec<usize>,
}

impl DcganConfig {
    /// 64 px: 1024→512→256→128→3, as in the site's history.
    pub fn at_64() -> DcganConfig {
        DcganConfig { channels: vec![1024, 512, 256, 128] }
    }

    /// 128 px: 1024→512→256→128→64→3.
    pub fn at_128() -> DcganConfig {
        DcganConfig { channels: vec![1024, 512, 256, 128, 64] }
    }

    /// Side of the pictures in pixels.
    pub fn size(&self) -> usize {
        4 << self.channels.len().min(16)
    }

    /// Whether a network can be built from these numbers.
    ///
    /// # Errors
    /// When there are no stages, or one has no channels.
    pub fn check(&self) -> Result<()> {
        if self.channels.is_empty() || self.channels.contains(&0) {
            return Err(Error::invalid("DCGAN channels", format!("{:?}", self.channels), "one stage or more", ""));
        }
        Ok(())
    }
}

/// dense → BN, ReLU → 4×4 → (transposed convolution k4s2, BN, ReLU)* → transposed convolution, tanh.
#[derive(Clone, Debug)]
pub struct Generator {
    dense: Linear,
    bn0: BatchNorm,
    up: Vec<(ConvTranspose2d, BatchNorm)>,
    conv_out: ConvTranspose2d,
    channels: usize,
}

impl Generator {
    /// The network for `inputs` numbers (latent vector and labels), its parameters taken from `scope`.
    ///
    /// # Errors
    /// As [`DcganConfig::check`], and when the store holds a parameter with another shape.
    pub fn new(config: &DcganConfig, inputs: usize, scope: &Scope) -> Result<Generator> {
        config.check()?;
        let spec = ConvSpec::default().stride(2).padding(1);
        let (first, last) = (config.channels[0], config.channels[config.channels.len() - 1]);
        let below = scope.pp("up");
        let mut up = Vec::new();
        for (i, pair) in config.channels.windows(2).enumerate() {
            let scope = below.pp(i.to_string());
            let conv = ConvTranspose2d::new(&scope.pp("conv"), pair[0], pair[1], 4, spec, weights())?;
            up.push((conv, BatchNorm::new(&scope.pp("bn"), pair[1], norm())?));
        }
        Ok(Generator {
            dense: Linear::new(&scope.pp("dense"), inputs, first * 16, weights())?,
            // Over channels of the reshaped map, as Radford et al. have it.
            bn0: BatchNorm::new(&scope.pp("bn0"), first, norm())?,
            up,
            conv_out: ConvTranspose2d::new(&scope.pp("conv_out"), last, 3, 4, spec, weights())?,
            channels: first,
        })
    }

    /// `[N, inputs]` → `[N, 3, H, W]` in [−1, 1].
    ///
    /// # Errors
    /// When `x` has another shape.
    pub fn forward(&self, x: &Tensor, mode: Mode) -> Result<Tensor> {
        let x = self.dense.forward(x)?.reshape(((), self.channels, 4, 4))?;
        let mut x = relu(&self.bn0.forward(&x, mode)?)?;
        for (conv, bn) in &self.up {
            x = relu(&bn.forward(&conv.forward(&x)?, mode)?)?;
        }
        tanh(&full(&self.conv_out.forward(&x)?)?)
    }
}
