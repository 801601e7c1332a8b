//! The generator (Figure 7).

use candle_core::{Device, Tensor};

use super::config::{GeneratorConfig, MakeGirlsConfig, SrResNetConfig, Upsampling};
use crate::models::baselines::dcgan;
use crate::nn::conv::{Conv2d, ConvSpec};
use crate::nn::init::Weights;
use crate::nn::linear::Linear;
use crate::nn::norm::{BatchNorm, Mode, NormSpec};
use crate::nn::params::Scope;
use crate::ops::activation::{relu, tanh};
use crate::ops::arithmetic::add;
use crate::ops::cast::full;
use crate::ops::resample::upsample_nearest;
use crate::ops::reshape::{ShuffleOrder, pixel_shuffle};
use crate::{Error, Result};

/// All weights start from N(0, 0.02) (section 3.3); biases at 0, γ at 1 and β at 0, which the paper does not say.
pub(crate) fn weights() -> Weights {
    Weights::normal(0.02)
}

/// The epsilon in the published networks; the running statistics keep 0.9 of their value, Chainer's default.
pub(crate) fn norm() -> NormSpec {
    NormSpec::default().epsilon(2e-5).momentum(0.1)
}

/// From a latent vector and labels to a picture: either of the two networks of the paper's Table 3.
#[derive(Clone, Debug)]
pub struct Generator {
    latent: usize,
    labels: usize,
    network: Network,
    device: Device,
}

#[derive(Clone, Debug)]
enum Network {
    SrResNet(Box<SrResNet>),
    Dcgan(Box<dcgan::Generator>),
}

impl Generator {
    /// The network of `config`, its parameters taken from `scope` (which stands at `g`).
    ///
    /// # Errors
    /// When the store holds a parameter with another shape.
    pub fn new(config: &MakeGirlsConfig, scope: &Scope) -> Result<Generator> {
        let inputs = config.latent + config.tags.len();
        let network = match &config.generator {
            GeneratorConfig::SrResNet(config) => Network::SrResNet(Box::new(SrResNet::new(config, inputs, scope)?)),
            GeneratorConfig::Dcgan(config) => Network::Dcgan(Box::new(dcgan::Generator::new(config, inputs, scope)?)),
        };
        Ok(Generator { latent: config.latent, labels: config.tags.len(), network, device: scope.device().clone() })
    }

    /// Where the parameters are.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// `z` `[N, Z]`, standard normal, and `labels` `[N, L]`, 0/1 (continuous allowed) → pictures `[N, 3, H, W]` in
    /// [−1, 1], planes in the network's own order.
    ///
    /// The network reads labels as −1/+1: with 0/1 the published weights wash out hair colours.
    ///
    /// # Errors
    /// When the shapes do not fit.
    pub fn forward(&self, z: &Tensor, labels: &Tensor, mode: Mode) -> Result<Tensor> {
        let rows = z.dims().first().copied().unwrap_or(0);
        if z.dims() != [rows, self.latent] {
            return Err(Error::shape("generator: z", z.dims(), format!("[N, {}]", self.latent)));
        }
        if labels.dims() != [rows, self.labels] {
            return Err(Error::shape("generator: labels", labels.dims(), format!("[{rows}, {}]", self.labels)));
        }
        let x = Tensor::cat(&[z, &labels.affine(2.0, -1.0)?], 1)?;
        match &self.network {
            Network::SrResNet(network) => network.forward(&x, mode),
            Network::Dcgan(network) => network.forward(&x, mode),
        }
    }
}

#[derive(Clone, Debug)]
struct SrResNet {
    dense: Linear,
    bn0: BatchNorm,
    blocks: Vec<Block>,
    conv_mid: Conv2d,
    bn_mid: BatchNorm,
    up: Vec<Up>,
    conv_out: Conv2d,
    config: SrResNetConfig,
}

impl SrResNet {
    fn new(config: &SrResNetConfig, inputs: usize, scope: &Scope) -> Result<SrResNet> {
        let channels = config.channels;
        let features = channels * config.base * config.base;
        let (blocks, up) = (scope.pp("blocks"), scope.pp("up"));
        let kernel = config.output_kernel;
        let same = |kernel: usize| ConvSpec::default().padding(kernel / 2);
        Ok(SrResNet {
            dense: Linear::new(&scope.pp("dense"), inputs, features, weights())?,
            // Over all features and before the reshape, as in the published weights; the re-implementations have one
            // mean per channel.
            bn0: BatchNorm::new(&scope.pp("bn0"), features, norm())?,
            blocks: (0..config.blocks)
                .map(|i| Block::new(&blocks.pp(i.to_string()), channels))
                .collect::<Result<_>>()?,
            conv_mid: Conv2d::new(&scope.pp("conv_mid"), channels, channels, 3, same(3), weights())?,
            bn_mid: BatchNorm::new(&scope.pp("bn_mid"), channels, norm())?,
            up: (0..config.doublings)
                .map(|i| Up::new(&up.pp(i.to_string()), channels, config.upsampling))
                .collect::<Result<_>>()?,
            conv_out: Conv2d::new(&scope.pp("conv_out"), channels, 3, kernel, same(kernel), weights())?,
            config: config.clone(),
        })
    }

    fn forward(&self, x: &Tensor, mode: Mode) -> Result<Tensor> {
        let SrResNetConfig { base, channels, global_skip, .. } = self.config;
        let x = relu(&self.bn0.forward(&self.dense.forward(x)?, mode)?)?;
        let first = x.reshape(((), channels, base, base))?;
        let mut x = first.clone();
        for block in &self.blocks {
            x = block.forward(&x, mode)?;
        }
        x = relu(&self.bn_mid.forward(&self.conv_mid.forward(&x)?, mode)?)?;
        if global_skip {
            x = add(&x, &first)?;
        }
        for up in &self.up {
            x = up.forward(&x, mode)?;
        }
        tanh(&full(&self.conv_out.forward(&x)?)?)
    }
}

/// conv, BN, ReLU, conv, BN, add; nothing after the add.
#[derive(Clone, Debug)]
struct Block {
    conv1: Conv2d,
    bn1: BatchNorm,
    conv2: Conv2d,
    bn2: BatchNorm,
}

impl Block {
    fn new(scope: &Scope, channels: usize) -> Result<Block> {
        let conv =
            |name| Conv2d::new(&scope.pp(name), channels, channels, 3, ConvSpec::default().padding(1), weights());
        let bn = |name| BatchNorm::new(&scope.pp(name), channels, norm());
        Ok(Block { conv1: conv("conv1")?, bn1: bn("bn1")?, conv2: conv("conv2")?, bn2: bn("bn2")? })
    }

    fn forward(&self, x: &Tensor, mode: Mode) -> Result<Tensor> {
        let h = relu(&self.bn1.forward(&self.conv1.forward(x)?, mode)?)?;
        let h = self.bn2.forward(&self.conv2.forward(&h)?, mode)?;
        add(x, &h)
    }
}

/// One doubling of the resolution, then BN and ReLU.
#[derive(Clone, Debug)]
struct Up {
    conv: Conv2d,
    bn: BatchNorm,
    upsampling: Upsampling,
}

impl Up {
    fn new(scope: &Scope, channels: usize, upsampling: Upsampling) -> Result<Up> {
        let outputs = match upsampling {
            Upsampling::Nearest => channels,
            Upsampling::SubPixel | Upsampling::SubPixelDcr => 4 * channels,
        };
        let conv = Conv2d::new(&scope.pp("conv"), channels, outputs, 3, ConvSpec::default().padding(1), weights())?;
        Ok(Up { conv, bn: BatchNorm::new(&scope.pp("bn"), channels, norm())?, upsampling })
    }

    fn forward(&self, x: &Tensor, mode: Mode) -> Result<Tensor> {
        let x = match self.upsampling {
            Upsampling::SubPixel => pixel_shuffle(&self.conv.forward(x)?, 2, ShuffleOrder::PyTorch)?,
            Upsampling::SubPixelDcr => pixel_shuffle(&self.conv.forward(x)?, 2, ShuffleOrder::Dcr)?,
            Upsampling::Nearest => self.conv.forward(&upsample_nearest(x, 2)?)?,
        };
        relu(&self.bn.forward(&x, mode)?)
    }
}
