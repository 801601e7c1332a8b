//! The network that reads pictures of drawn figures, small enough to be trained on two cores in minutes: convolutions with
//! batch norm and ReLU, one hidden layer, and linear answers, which are logits of tags or positions of key points.

use std::collections::BTreeMap;

use candle_core::{Device, Tensor};

use super::layer::{Layer, build};
use crate::Result;
use crate::nn::conv::{Conv2d, ConvSpec};
use crate::nn::init::Weights;
use crate::nn::linear::Linear;
use crate::nn::norm::{BatchNorm, Mode, NormSpec};
use crate::nn::params::Scope;
use crate::ops::activation::relu;

/// Side of the pictures that the network sees.
pub const SIDE: usize = 64;
/// Number of features: the outputs of the hidden layer.
pub const FEATURES: usize = 256;

/// Outputs, kernel, stride and padding of each convolution. The second one sees single pixels of the first one's map: it
/// makes colours, which are what most tags are about, before anything is averaged. The last one makes the map small
/// enough that the hidden layer can look at every place of it.
const CONVOLUTIONS: [(usize, usize, usize, usize); 7] =
    [(32, 4, 2, 1), (32, 1, 1, 0), (64, 3, 2, 1), (64, 3, 1, 1), (96, 3, 2, 1), (128, 3, 1, 1), (32, 1, 1, 0)];
/// Those whose maps distances are taken on.
const TAPS: [usize; 4] = [1, 3, 4, 5];
/// Side of the last map.
const LAST: usize = SIDE / 8;

/// Name, inputs, outputs, kernel and geometry of each convolution.
fn convolutions() -> impl Iterator<Item = (String, usize, usize, usize, ConvSpec)> {
    let inputs = std::iter::once(3).chain(CONVOLUTIONS.map(|(outputs, ..)| outputs));
    inputs.zip(CONVOLUTIONS).enumerate().map(|(i, (inputs, (outputs, kernel, stride, padding)))| {
        (format!("conv{}", i + 1), inputs, outputs, kernel, ConvSpec::padded(padding).stride(stride))
    })
}

/// The numbers that the hidden layer gets of each picture.
fn hidden_inputs() -> usize {
    CONVOLUTIONS[CONVOLUTIONS.len() - 1].0 * LAST * LAST
}

/// The hidden layer and the one that answers.
fn dense(scope: &Scope, answers: usize) -> Result<[Linear; 2]> {
    Ok([
        Linear::new(&scope.pp("hidden"), hidden_inputs(), FEATURES, Weights::kaiming(hidden_inputs(), 0.0))?,
        Linear::new(&scope.pp("answers"), FEATURES, answers, Weights::kaiming(FEATURES, 1.0))?,
    ])
}

/// The network while it is trained. Parameters `conv{i}.conv.weight`, `conv{i}.bn.*`, `hidden.*`, `answers.*`.
#[derive(Clone, Debug)]
pub(super) struct Learner {
    trunk: Vec<(Conv2d, BatchNorm)>,
    dense: [Linear; 2],
}

impl Learner {
    pub fn new(scope: &Scope, answers: usize) -> Result<Learner> {
        let layer = |(name, inputs, outputs, kernel, spec): (String, usize, usize, usize, ConvSpec)| {
            let scope = scope.pp(name);
            let start = Weights::kaiming(inputs * kernel * kernel, 0.0).without_bias();
            let conv = Conv2d::new(&scope.pp("conv"), inputs, outputs, kernel, spec, start)?;
            Ok((conv, BatchNorm::new(&scope.pp("bn"), outputs, NormSpec::default())?))
        };
        Ok(Learner { trunk: convolutions().map(layer).collect::<Result<_>>()?, dense: dense(scope, answers)? })
    }

    /// Answers `[N, L]` to `[N, 3, 64, 64]`, under the statistics of this batch, which the running ones move towards.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let mut maps = x.clone();
        for (conv, norm) in &self.trunk {
            maps = relu(&norm.forward(&conv.forward(&maps)?, Mode::Train)?)?;
        }
        let [hidden, answers] = &self.dense;
        answers.forward(&relu(&hidden.forward(&maps.flatten_from(1)?)?)?)
    }
}

/// What the network makes of pictures.
pub(super) struct Outputs {
    /// Maps of the layers that distances are taken on, each `[N, C, h, w]`.
    pub maps: Vec<Tensor>,
    /// `[N, 256]`.
    pub features: Tensor,
    /// `[N, L]`.
    pub answers: Tensor,
}

/// The network in use: batch norms are folded into the convolutions.
#[derive(Clone, Debug)]
pub(super) struct Network {
    trunk: Vec<Layer>,
    dense: [Linear; 2],
}

impl Network {
    /// # Errors
    /// Lists by name what is missing, surplus or of another shape.
    pub fn new(tensors: &BTreeMap<String, Tensor>, answers: usize, device: &Device) -> Result<Network> {
        build(tensors, device, |scope| Network::at(scope, answers))
    }

    fn at(scope: &Scope, answers: usize) -> Result<Network> {
        let layer = |(name, inputs, outputs, kernel, spec): (String, usize, usize, usize, ConvSpec)| {
            Layer::normalized(&scope.pp(name), [inputs, outputs], kernel, spec, NormSpec::default().epsilon)
        };
        Ok(Network { trunk: convolutions().map(layer).collect::<Result<_>>()?, dense: dense(scope, answers)? })
    }

    /// `[N, 3, 64, 64]` in about [−1, 1].
    pub fn forward(&self, x: &Tensor) -> Result<Outputs> {
        let mut maps = vec![];
        let mut last = x.clone();
        for (i, layer) in self.trunk.iter().enumerate() {
            last = layer.forward(&last)?;
            if TAPS.contains(&i) {
                maps.push(last.clone());
            }
        }
        let [hidden, answers] = &self.dense;
        let features = relu(&hidden.forward(&last.flatten_from(1)?)?)?;
        let answers = answers.forward(&features)?;
        Ok(Outputs { maps, features, answers })
    }
}
