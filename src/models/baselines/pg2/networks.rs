//! The three networks (Ma et al. 2017, section 3; tables in the authors' code).

use candle_core::Tensor;

use super::config::Pg2Config;
use crate::Result;
use crate::nn::conv::{Conv2d, ConvSpec};
use crate::nn::init::Weights;
use crate::nn::linear::Linear;
use crate::nn::norm::{BatchNorm, Mode, NormSpec};
use crate::nn::params::Scope;
use crate::ops::activation::{leaky_relu, relu};
use crate::ops::arithmetic::add;
use crate::ops::resample::upsample_nearest;

/// Side of the smallest feature map of the first stage, pixels.
const SMALLEST: usize = 8;
/// Slope of the discriminator's leaky ReLUs.
const SLOPE: f64 = 0.2;

fn conv(scope: &Scope, name: &str, [inputs, outputs, kernel, stride]: [usize; 4]) -> Result<Conv2d> {
    let spec = ConvSpec::padded(kernel / 2).stride(stride);
    let start = Weights::xavier(inputs * kernel * kernel, outputs * kernel * kernel);
    Conv2d::new(&scope.pp(name), inputs, outputs, kernel, spec, start)
}

/// Two convolutions with ReLUs.
#[derive(Clone, Debug)]
struct Pair {
    first: Conv2d,
    second: Conv2d,
}

impl Pair {
    fn new(scope: &Scope, inputs: usize, outputs: usize) -> Result<Pair> {
        let first = conv(scope, "conv0", [inputs, outputs, 3, 1])?;
        Ok(Pair { first, second: conv(scope, "conv1", [outputs, outputs, 3, 1])? })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        relu(&self.second.forward(&relu(&self.first.forward(x)?)?)?)
    }

    /// The same with the input added to the output.
    fn residual(&self, x: &Tensor) -> Result<Tensor> {
        add(&self.forward(x)?, x)
    }
}

/// Stage 1: from a picture and another pose to the coarse picture in that pose. A U-Net of residual blocks with a
/// bottleneck of a few numbers. Parameters: `input`, `encoder.<i>.{conv0, conv1, down}`, `bottleneck.{0, 1}`,
/// `decoder.<i>.{conv0, conv1, up}`, `output`.
#[derive(Clone, Debug)]
pub struct Coarse {
    input: Conv2d,
    encoder: Vec<(Pair, Option<Conv2d>)>,
    bottleneck: [Linear; 2],
    decoder: Vec<(Pair, Option<Conv2d>)>,
    output: Conv2d,
    channels: usize,
}

impl Coarse {
    /// The network of `config`, its parameters taken from `scope`.
    ///
    /// # Errors
    /// When the store holds a parameter with another shape.
    pub fn new(config: &Pg2Config, scope: &Scope) -> Result<Coarse> {
        let (n, levels) = (config.channels, config.levels());
        let at = |i: usize| n * (i + 1);
        let (inner, outer) = (scope.pp("encoder"), scope.pp("decoder"));
        let (mut encoder, mut decoder) = (Vec::new(), Vec::new());
        for i in 0..levels {
            let scope = inner.pp(i.to_string());
            let down = (i + 1 < levels).then(|| conv(&scope, "down", [at(i), at(i + 1), 3, 2])).transpose()?;
            encoder.push((Pair::new(&scope, at(i), at(i))?, down));
        }
        let mut before = n;
        for i in 0..levels {
            let scope = outer.pp(i.to_string());
            let joined = before + at(levels - 1 - i);
            before = n * (levels - 1 - i);
            let up = (before > 0).then(|| conv(&scope, "up", [joined, before, 1, 1])).transpose()?;
            decoder.push((Pair::new(&scope, joined, joined)?, up));
        }
        let (deepest, pixels) = (at(levels - 1), SMALLEST * SMALLEST);
        let dense = |name: &str, inputs: usize, outputs: usize| {
            Linear::new(&scope.pp("bottleneck").pp(name), inputs, outputs, Weights::xavier(inputs, outputs))
        };
        Ok(Coarse {
            input: conv(scope, "input", [3 + config.keypoints, n, 3, 1])?,
            encoder,
            bottleneck: [dense("0", deepest * pixels, config.bottleneck)?, dense("1", config.bottleneck, n * pixels)?],
            decoder,
            output: conv(scope, "output", [2 * n, 3, 3, 1])?,
            channels: n,
        })
    }

    /// Pictures and pose maps `[N, 3 + M, H, W]` → `[N, 3, H, W]`, about in [−1, 1].
    ///
    /// # Errors
    /// When the shape is another one.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let mut x = relu(&self.input.forward(x)?)?;
        let mut kept = Vec::new();
        for (pair, down) in &self.encoder {
            x = pair.residual(&x)?;
            kept.push(x.clone());
            if let Some(down) = down {
                x = relu(&down.forward(&x)?)?;
            }
        }
        let [inwards, outwards] = &self.bottleneck;
        x = outwards.forward(&inwards.forward(&x.flatten_from(1)?)?)?.reshape((
            (),
            self.channels,
            SMALLEST,
            SMALLEST,
        ))?;
        for ((pair, up), skip) in self.decoder.iter().zip(kept.iter().rev()) {
            x = pair.residual(&Tensor::cat(&[&x, skip], 1)?)?;
            if let Some(up) = up {
                // As doubling first, which a kernel of one pixel does not notice, at a quarter of the work.
                x = upsample_nearest(&relu(&up.forward(&x)?)?, 2)?;
            }
        }
        self.output.forward(&x)
    }
}

/// Stage 2: from the coarse picture and the one it was made from to what has to be added to the coarse one. It neither
/// sees the pose nor has a bottleneck. Parameters: `input`, `encoder.<i>.{conv0, conv1, down}`, `decoder.<i>.{conv0, conv1}`,
/// `output`.
#[derive(Clone, Debug)]
pub struct Refiner {
    input: Conv2d,
    encoder: Vec<(Pair, Option<Conv2d>)>,
    decoder: Vec<Pair>,
    output: Conv2d,
}

impl Refiner {
    /// The network of `config`, its parameters taken from `scope`.
    ///
    /// # Errors
    /// When the store holds a parameter with another shape.
    pub fn new(config: &Pg2Config, scope: &Scope) -> Result<Refiner> {
        let (n, levels) = (config.channels, config.levels() - 2);
        let (inner, outer) = (scope.pp("encoder"), scope.pp("decoder"));
        let mut encoder = Vec::new();
        let mut before = n;
        for i in 0..levels {
            let (scope, channels) = (inner.pp(i.to_string()), n * (i + 1));
            let down = (i + 1 < levels).then(|| conv(&scope, "down", [channels, channels, 3, 2])).transpose()?;
            encoder.push((Pair::new(&scope, before, channels)?, down));
            before = channels;
        }
        let mut decoder = Vec::new();
        for i in 0..levels {
            decoder.push(Pair::new(&outer.pp(i.to_string()), before + n * (levels - i), n)?);
            before = n;
        }
        let (input, output) = (conv(scope, "input", [6, n, 3, 1])?, conv(scope, "output", [n, 3, 3, 1])?);
        Ok(Refiner { input, encoder, decoder, output })
    }

    /// Coarse pictures and their sources `[N, 6, H, W]` → differences `[N, 3, H, W]`.
    ///
    /// # Errors
    /// When the shape is another one.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let mut x = relu(&self.input.forward(x)?)?;
        let mut kept = Vec::new();
        for (pair, down) in &self.encoder {
            x = pair.forward(&x)?;
            kept.push(x.clone());
            if let Some(down) = down {
                x = relu(&down.forward(&x)?)?;
            }
        }
        // The deepest map is joined with itself.
        for (i, (pair, skip)) in self.decoder.iter().zip(kept.iter().rev()).enumerate() {
            x = pair.forward(&Tensor::cat(&[&x, skip], 1)?)?;
            if i + 1 < self.decoder.len() {
                x = upsample_nearest(&x, 2)?;
            }
        }
        self.output.forward(&x)
    }
}

/// The discriminator of single pictures. Parameters: `conv<i>`, `bn<i>` from the second on, `logit`.
#[derive(Clone, Debug)]
pub struct Discriminator {
    convs: Vec<(Conv2d, Option<BatchNorm>)>,
    logit: Linear,
}

impl Discriminator {
    /// The network of `config`, its parameters taken from `scope`.
    ///
    /// # Errors
    /// When the store holds a parameter with another shape.
    pub fn new(config: &Pg2Config, scope: &Scope) -> Result<Discriminator> {
        let width = config.judge_channels;
        let halvings = config.levels() - 1;
        let mut convs = Vec::new();
        let mut before = 3;
        for i in 0..halvings {
            let channels = width << i.min(3);
            let (spec, start) = (ConvSpec::padded(2).stride(2), Weights::uniform(0.02));
            let layer = Conv2d::new(&scope.pp(format!("conv{i}")), before, channels, 5, spec, start)?;
            let norm = (i > 0).then(|| BatchNorm::new(&scope.pp(format!("bn{i}")), channels, NormSpec::default()));
            convs.push((layer, norm.transpose()?));
            before = channels;
        }
        let inputs = before * SMALLEST * SMALLEST;
        let logit = Linear::new(&scope.pp("logit"), inputs, 1, Weights::uniform(0.02))?;
        Ok(Discriminator { convs, logit })
    }

    /// Pictures `[N, 3, H, W]` → logits `[N, 1]`.
    ///
    /// # Errors
    /// When the shape is another one.
    pub fn forward(&self, x: &Tensor, mode: Mode) -> Result<Tensor> {
        let mut x = x.clone();
        for (conv, norm) in &self.convs {
            x = conv.forward(&x)?;
            if let Some(norm) = norm {
                x = norm.forward(&x, mode)?;
            }
            x = leaky_relu(&x, SLOPE)?;
        }
        self.logit.forward(&x.flatten_from(1)?)
    }
}
