//! The generator: an encoder, selective transfer units or plain skips, a decoder (specs/faces.md C.1, C.2).

use candle_core::Tensor;

use super::config::{EditorConfig, GeneratorConfig, Mixture, Paper, State, TransferConfig};
use crate::models::editing::beside;
use crate::nn::conv::{Conv2d, ConvSpec, ConvTranspose2d};
use crate::nn::norm::{BatchNorm, Mode};
use crate::nn::params::Scope;
use crate::ops::activation::{Activation, leaky_relu, relu, sigmoid, tanh};
use crate::ops::arithmetic::{add, affine, mul};
use crate::ops::cast::full;
use crate::ops::gated::gated;
use crate::{Error, Result};

/// Side of kernels that halve and double.
const KERNEL: usize = 4;

fn strided() -> ConvSpec {
    ConvSpec::padded(1).stride(2)
}

/// A convolution that halves, batch norm, leaky ReLU; gated, times σ of a second convolution of the same shape, which has
/// a bias and no norm: φ(f(x))·σ(g(x)). Parameters: `conv`, `norm`, `gate`.
#[derive(Clone, Debug)]
struct Encoding {
    conv: Conv2d,
    norm: BatchNorm,
    gate: Option<Conv2d>,
    slope: f64,
}

impl Encoding {
    fn new(config: &GeneratorConfig, inputs: usize, outputs: usize, scope: &Scope) -> Result<Encoding> {
        let area = KERNEL * KERNEL;
        let weights = config.framework.weights(inputs * area, outputs * area);
        let conv = |name: &str, weights| Conv2d::new(&scope.pp(name), inputs, outputs, KERNEL, strided(), weights);
        let norm = config.framework.batch_norm(config.norm_decay);
        Ok(Encoding {
            conv: conv("conv", weights.without_bias())?,
            norm: BatchNorm::new(&scope.pp("norm"), outputs, norm)?,
            gate: config.gated.then(|| conv("gate", weights)).transpose()?,
            slope: config.slope,
        })
    }

    fn forward(&self, x: &Tensor, mode: Mode) -> Result<Tensor> {
        let features = self.norm.forward(&self.conv.forward(x)?, mode)?;
        match &self.gate {
            Some(gate) => gated(&features, &gate.forward(x)?, Activation::LeakyRelu(self.slope)),
            None => leaky_relu(&features, self.slope),
        }
    }
}

/// A selective transfer unit. Parameters: `up`, `reset`, `update`, `candidate`, all with biases and without norms.
#[derive(Clone, Debug)]
struct Unit {
    up: ConvTranspose2d,
    reset: Conv2d,
    update: Conv2d,
    candidate: Conv2d,
    config: TransferConfig,
}

impl Unit {
    /// For features of `channels` and a state of `outer` numbers a pixel, labels among them.
    fn new(
        config: &GeneratorConfig,
        unit: TransferConfig,
        outer: usize,
        channels: usize,
        scope: &Scope,
    ) -> Result<Unit> {
        let (framework, kernel) = (config.framework, unit.kernel);
        let weights = framework.weights(2 * channels * kernel * kernel, channels * kernel * kernel);
        let same = ConvSpec::padded(kernel / 2);
        let conv = |name: &str| Conv2d::new(&scope.pp(name), 2 * channels, channels, kernel, same, weights);
        let area = KERNEL * KERNEL;
        let up = framework.weights(outer * area, channels * area);
        Ok(Unit {
            up: ConvTranspose2d::new(&scope.pp("up"), outer, channels, KERNEL, strided(), up)?,
            reset: conv("reset")?,
            update: conv("update")?,
            candidate: conv("candidate")?,
            config: unit,
        })
    }

    /// Features and the state, at half their size, with labels → what goes to the decoder, and the state for the next unit.
    fn forward(&self, features: &Tensor, state: &Tensor) -> Result<(Tensor, Tensor)> {
        let state = self.up.forward(state)?;
        let both = Tensor::cat(&[features, &state], 1)?;
        let (reset, update) = (sigmoid(&self.reset.forward(&both)?)?, sigmoid(&self.update.forward(&both)?)?);
        let kept = mul(&reset, &state)?;
        let candidate = tanh(&self.candidate.forward(&Tensor::cat(&[features, &kept], 1)?)?)?;
        let from = match self.config.mixture {
            Mixture::Official => &state,
            Mixture::Paper => &kept,
        };
        let output = add(&mul(&affine(&update, -1.0, 1.0)?, from)?, &mul(&update, &candidate)?)?;
        let passed = match self.config.state {
            State::Stu => kept,
            State::Gru => output.clone(),
            State::Direct => state,
        };
        Ok((output, passed))
    }
}

/// Features of a picture from the outermost, half its size, to the innermost.
#[derive(Clone, Debug)]
pub struct Features(Vec<Tensor>);

/// From pictures and what the labels are told as to pictures. Parameters: `encoder.<i>`, `transfer.<i>` and
/// `decoder.<i>.{conv, norm}`, i from the outermost layer on; the units' i is that of the encoder's features.
#[derive(Clone, Debug)]
pub struct Generator {
    encoder: Vec<Encoding>,
    transfer: Vec<Unit>,
    decoder: Vec<(ConvTranspose2d, Option<BatchNorm>)>,
    skips: usize,
    injections: usize,
    side: usize,
}

impl Generator {
    /// The network of `config`, its parameters taken from `scope` (which stands at `g`).
    ///
    /// # Errors
    /// When the store holds a parameter with another shape.
    pub fn new<P: Paper>(config: &EditorConfig<P>, scope: &Scope) -> Result<Generator> {
        let network = &config.generator;
        let (layers, framework) = (network.layers, network.framework);
        let (channels, labels) = (|i: usize| network.channels << i, network.coding.width(config.tags.len()));
        let place = |part: &str, i: usize| scope.pp(part).pp(i.to_string());
        let encoding = |i: usize| {
            let inputs = if i == 0 { 3 } else { channels(i - 1) };
            Encoding::new(network, inputs, channels(i), &place("encoder", i))
        };
        let unit = |unit: TransferConfig, i: usize| {
            Unit::new(network, unit, channels(i + 1) + labels, channels(i), &place("transfer", i))
        };
        let decoding = |i: usize| -> Result<(ConvTranspose2d, Option<BatchNorm>)> {
            // Layers are counted from the innermost where skips and injections are.
            let before = layers - 1 - i;
            let skipped = if before > 0 && network.skips >= before { channels(i) } else { 0 };
            let told = if before == 0 || network.injections >= before { labels } else { 0 };
            let inputs = channels((i + 1).min(layers - 1)) + skipped + told;
            let outputs = if i == 0 { 3 } else { channels(i) };
            let weights = framework.weights(inputs * KERNEL * KERNEL, outputs * KERNEL * KERNEL);
            let weights = if i == 0 { weights } else { weights.without_bias() };
            let scope = place("decoder", i);
            let conv = ConvTranspose2d::new(&scope.pp("conv"), inputs, outputs, KERNEL, strided(), weights)?;
            let norm = framework.batch_norm(network.norm_decay);
            Ok((conv, if i == 0 { None } else { Some(BatchNorm::new(&scope.pp("norm"), outputs, norm)?) }))
        };
        Ok(Generator {
            encoder: (0..layers).map(encoding).collect::<Result<_>>()?,
            transfer: match network.transfer {
                Some(settings) => (0..layers - 1).map(|i| unit(settings, i)).collect::<Result<_>>()?,
                None => Vec::new(),
            },
            decoder: (0..layers).map(decoding).collect::<Result<_>>()?,
            skips: network.skips,
            injections: network.injections,
            side: config.resolution,
        })
    }

    /// Pictures `[N, 3, R, R]` in [−1, 1] → their features.
    ///
    /// # Errors
    /// When the pictures have another size.
    pub fn encode(&self, pictures: &Tensor, mode: Mode) -> Result<Features> {
        if pictures.rank() != 4 || pictures.dims()[1..] != [3, self.side, self.side] {
            let expected = format!("[N, 3, {0}, {0}]", self.side);
            return Err(Error::shape("editor: pictures", pictures.dims(), expected));
        }
        let mut features: Vec<Tensor> = Vec::with_capacity(self.encoder.len());
        for layer in &self.encoder {
            let next = layer.forward(features.last().unwrap_or(pictures), mode)?;
            features.push(next);
        }
        Ok(Features(features))
    }

    /// What of the features goes to the decoder, the innermost as they are.
    fn selected(&self, Features(features): &Features, told: &Tensor) -> Result<Vec<Tensor>> {
        let mut selected = features.clone();
        let Some(innermost) = features.last() else { return Ok(selected) };
        let mut state = innermost.clone();
        for (i, unit) in self.transfer.iter().enumerate().rev() {
            let (output, passed) = unit.forward(&features[i], &beside(&[&state], Some(told))?)?;
            selected[i] = output;
            state = passed;
        }
        Ok(selected)
    }

    /// Features and what labels are told as `[N, W]` → pictures `[N, 3, R, R]` in (−1, 1).
    ///
    /// # Errors
    /// When there are other numbers of labels.
    pub fn decode(&self, features: &Features, told: &Tensor, mode: Mode) -> Result<Tensor> {
        let selected = self.selected(features, told)?;
        let mut x = selected.last().cloned().ok_or_else(|| Error::shape("editor: features", &[], "some"))?;
        for (before, (i, (conv, norm))) in self.decoder.iter().enumerate().rev().enumerate() {
            let skip = (before > 0 && self.skips >= before).then(|| &selected[i]);
            let maps: Vec<&Tensor> = std::iter::once(&x).chain(skip).collect();
            let told = (before == 0 || self.injections >= before).then_some(told);
            x = conv.forward(&beside(&maps, told)?)?;
            if let Some(norm) = norm {
                x = relu(&norm.forward(&x, mode)?)?;
            }
        }
        tanh(&full(&x)?)
    }
}
