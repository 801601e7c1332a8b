//! The convolutions of torchvision's AlexNet, VGG-16, VGG-19 and SqueezeNet 1.1, without their classifiers.
//!
//! Parameters have torchvision's names (`features.0.weight`).

use std::collections::BTreeMap;
use std::path::Path;

use candle_core::{Device, Tensor};

use super::layer::{Layer, build, check_pictures, per_channel};
use super::weights::{Card, Kind, Weights};
use crate::nn::conv::ConvSpec;
use crate::nn::params::Scope;
use crate::nn::vgg::{Group, VGG16, VGG19, Vgg, Width};
use crate::ops::max_pool::{Rounding, max_pool2d};
use crate::{Error, Result};

/// Mean of ImageNet's pictures in [0, 1], red, green, blue, as torchvision's networks want it subtracted.
pub const IMAGENET_MEAN: [f64; 3] = [0.485, 0.456, 0.406];
/// Standard deviation of ImageNet's pictures in [0, 1], by which the difference is then divided.
pub const IMAGENET_STD: [f64; 3] = [0.229, 0.224, 0.225];

/// Which network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Architecture {
    /// AlexNet in the form of Krizhevsky 2014, "one weird trick".
    Alexnet,
    /// VGG of 16 layers (Simonyan and Zisserman 2015), without batch norm.
    Vgg16,
    /// VGG of 19 layers, without batch norm.
    Vgg19,
    /// SqueezeNet 1.1 (Iandola et al. 2016).
    Squeezenet,
}

impl Architecture {
    /// Its kind of weights.
    pub fn kind(self) -> Kind {
        match self {
            Architecture::Alexnet => Kind::Alexnet,
            Architecture::Vgg16 => Kind::Vgg16,
            Architecture::Vgg19 => Kind::Vgg19,
            Architecture::Squeezenet => Kind::Squeezenet,
        }
    }

    /// Channels of the maps that [`Trunk::taps`] gives.
    pub fn tap_channels(self) -> &'static [usize] {
        match self {
            Architecture::Alexnet => &[64, 192, 384, 256, 256],
            Architecture::Vgg16 | Architecture::Vgg19 => &[64, 128, 256, 512, 512],
            Architecture::Squeezenet => &[64, 128, 256, 384, 384, 512, 512],
        }
    }

    /// The smallest side of which something is left for the last tap.
    fn smallest(self) -> usize {
        match self {
            Architecture::Alexnet => 31,
            Architecture::Vgg16 | Architecture::Vgg19 => 16,
            Architecture::Squeezenet => 17,
        }
    }

    fn steps(self, scope: &Scope) -> Result<Vec<Step>> {
        match self {
            Architecture::Alexnet => alexnet(scope),
            Architecture::Vgg16 => vgg(scope, &VGG16),
            Architecture::Vgg19 => vgg(scope, &VGG19),
            Architecture::Squeezenet => squeezenet(scope),
        }
    }
}

/// A network without its classifier, in evaluation.
#[derive(Clone, Debug)]
pub struct Trunk {
    architecture: Architecture,
    steps: Vec<Step>,
    card: Option<Card>,
}

impl Trunk {
    /// Reads a file that `tachie import torch` has written.
    ///
    /// # Errors
    /// When the file cannot be read, or is not the weights of this network.
    pub fn open(path: impl AsRef<Path>, architecture: Architecture, device: &Device) -> Result<Trunk> {
        let weights = Weights::open(path, architecture.kind())?;
        Ok(Trunk { card: Some(weights.card), ..Trunk::new(&weights.tensors, architecture, device)? })
    }

    /// The network with these weights, by torchvision's names.
    ///
    /// # Errors
    /// Lists by name what is missing, surplus or of another shape.
    pub fn new(tensors: &BTreeMap<String, Tensor>, architecture: Architecture, device: &Device) -> Result<Trunk> {
        build(tensors, device, |scope| Trunk::at(scope, architecture))
    }

    pub(super) fn at(scope: &Scope, architecture: Architecture) -> Result<Trunk> {
        Ok(Trunk { architecture, steps: architecture.steps(scope)?, card: None })
    }

    /// What the weights are; `None` for weights that came from no file.
    pub fn card(&self) -> Option<&Card> {
        self.card.as_ref()
    }

    /// Which network it is.
    pub fn architecture(&self) -> Architecture {
        self.architecture
    }

    /// The maps that LPIPS reads, all of them after a ReLU: those before each pool for AlexNet and VGG, those of
    /// `features.1`, `4`, `7` and `9` to `12` for SqueezeNet. x `[N, 3, H, W]`, normalised ([`normalized`]).
    ///
    /// # Errors
    /// When x has another shape or is too small.
    pub fn taps(&self, x: &Tensor) -> Result<Vec<Tensor>> {
        self.check(x)?;
        let last = self.steps.iter().rposition(|step| matches!(step, Step::Tap)).map_or(0, |last| last + 1);
        let (mut x, mut taps) = (x.clone(), Vec::new());
        for step in &self.steps[..last] {
            match step {
                Step::Tap => taps.push(x.clone()),
                step => x = step.forward(&x)?,
            }
        }
        Ok(taps)
    }

    /// The maps after the first convolution of each group and its ReLU, for VGG those of `features.1`, `6`, `11`, `20` and,
    /// of VGG-19, `29`: what losses of style and content compare. A group begins behind each pool.
    ///
    /// # Errors
    /// When x has another shape or is too small.
    pub fn firsts(&self, x: &Tensor) -> Result<Vec<Tensor>> {
        self.check(x)?;
        let begins = |i: usize| {
            let convolves = matches!(self.steps[i], Step::Layer(_) | Step::Group(_));
            convolves && (i == 0 || matches!(self.steps[i - 1], Step::MaxPool(..)))
        };
        let end = (0..self.steps.len()).rev().find(|&i| begins(i)).map_or(0, |last| last + 1);
        let (mut x, mut firsts) = (x.clone(), Vec::new());
        for (i, step) in self.steps[..end].iter().enumerate() {
            x = step.forward(&x)?;
            if begins(i) {
                firsts.push(x.clone());
            }
        }
        Ok(firsts)
    }

    /// What the classifier would get, before its pool to a fixed size: x `[N, 3, H, W]`, normalised ([`normalized`]) →
    /// `[N, C, h, w]`.
    ///
    /// # Errors
    /// When x has another shape or is too small.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.check(x)?;
        self.steps.iter().try_fold(x.clone(), |x, step| step.forward(&x))
    }

    fn check(&self, x: &Tensor) -> Result<()> {
        check_pictures("convolutional trunk: input", x, self.architecture.smallest())
    }
}

/// Pictures `[N, 3, H, W]` in [0, 1] as torchvision's networks want them: (x − mean) / deviation of ImageNet.
///
/// # Errors
/// When x has another shape.
pub fn normalized(x: &Tensor) -> Result<Tensor> {
    check_pictures("normalisation", x, 1)?;
    let scale = IMAGENET_STD.map(|std| 1.0 / std);
    let shift: [f64; 3] = std::array::from_fn(|channel| -IMAGENET_MEAN[channel] * scale[channel]);
    per_channel(x, &scale, &shift)
}

#[derive(Clone, Debug)]
pub(super) enum Step {
    /// Convolution and ReLU.
    Layer(Layer),
    /// Convolutions of VGG and their ReLUs.
    Group(Group),
    /// Side and stride of the window.
    MaxPool(usize, usize, Rounding),
    Fire(Box<Fire>),
    /// What lies before is read.
    Tap,
}

impl Step {
    pub(super) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        match self {
            Step::Layer(layer) => layer.forward(x),
            Step::Group(group) => group.forward(x),
            Step::MaxPool(side, stride, rounding) => max_pool2d(x, *side, *stride, 0, *rounding),
            Step::Fire(fire) => fire.forward(x),
            Step::Tap => Ok(x.clone()),
        }
    }
}

/// The module of SqueezeNet: few channels, from which 1×1 and 3×3 convolutions make many.
#[derive(Clone, Debug)]
pub(super) struct Fire {
    squeeze: Layer,
    one: Layer,
    three: Layer,
}

impl Fire {
    fn new(scope: &Scope, inputs: usize, squeezed: usize, each: usize) -> Result<Fire> {
        let plain = ConvSpec::default();
        Ok(Fire {
            squeeze: Layer::new(&scope.pp("squeeze"), [inputs, squeezed], 1, plain)?,
            one: Layer::new(&scope.pp("expand1x1"), [squeezed, each], 1, plain)?,
            three: Layer::new(&scope.pp("expand3x3"), [squeezed, each], 3, ConvSpec::padded(1))?,
        })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let x = self.squeeze.forward(x)?;
        Ok(Tensor::cat(&[self.one.forward(&x)?, self.three.forward(&x)?], 1)?)
    }
}

fn feature(scope: &Scope, index: usize) -> Scope {
    scope.pp("features").pp(index.to_string())
}

fn alexnet(scope: &Scope) -> Result<Vec<Step>> {
    let layer = |index: usize, channels, kernel: usize, spec| -> Result<Step> {
        Ok(Step::Layer(Layer::new(&feature(scope, index), channels, kernel, spec)?))
    };
    let pool = || Step::MaxPool(3, 2, Rounding::Down);
    Ok(vec![
        layer(0, [3, 64], 11, ConvSpec::padded(2).stride(4))?,
        Step::Tap,
        pool(),
        layer(3, [64, 192], 5, ConvSpec::padded(2))?,
        Step::Tap,
        pool(),
        layer(6, [192, 384], 3, ConvSpec::padded(1))?,
        Step::Tap,
        layer(8, [384, 256], 3, ConvSpec::padded(1))?,
        Step::Tap,
        layer(10, [256, 256], 3, ConvSpec::padded(1))?,
        Step::Tap,
        pool(),
    ])
}

/// The groups of convolutions, the first of each apart, each group followed by a pool.
fn vgg(scope: &Scope, widths: &[Width]) -> Result<Vec<Step>> {
    let last = || [Step::Tap, Step::MaxPool(2, 2, Rounding::Down)];
    let steps = |group: &Group| group.parted().map(Step::Group).into_iter().chain(last());
    Ok(Vgg::new(scope, widths)?.groups().iter().flat_map(steps).collect())
}

fn squeezenet(scope: &Scope) -> Result<Vec<Step>> {
    let fire = |index: usize, inputs, squeezed, each| -> Result<Step> {
        Ok(Step::Fire(Box::new(Fire::new(&feature(scope, index), inputs, squeezed, each)?)))
    };
    let pool = || Step::MaxPool(3, 2, Rounding::Up);
    Ok(vec![
        Step::Layer(Layer::new(&feature(scope, 0), [3, 64], 3, ConvSpec::default().stride(2))?),
        Step::Tap,
        pool(),
        fire(3, 64, 16, 64)?,
        fire(4, 128, 16, 64)?,
        Step::Tap,
        pool(),
        fire(6, 128, 32, 128)?,
        fire(7, 256, 32, 128)?,
        Step::Tap,
        pool(),
        fire(9, 256, 48, 192)?,
        Step::Tap,
        fire(10, 384, 48, 192)?,
        Step::Tap,
        fire(11, 384, 64, 256)?,
        Step::Tap,
        fire(12, 512, 64, 256)?,
        Step::Tap,
    ])
}

/// The trunk of Illustration2Vec, whose layers have names and no common index.
pub(super) fn named_vgg(scope: &Scope, groups: &[&[(&str, usize)]]) -> Result<Vec<Step>> {
    let (mut steps, mut inputs) = (Vec::new(), 3);
    for (i, group) in groups.iter().enumerate() {
        if i > 0 {
            steps.push(Step::MaxPool(2, 2, Rounding::Down));
        }
        for &(name, outputs) in *group {
            steps.push(Step::Layer(Layer::new(&scope.pp(name), [inputs, outputs], 3, ConvSpec::padded(1))?));
            inputs = outputs;
        }
    }
    if steps.is_empty() {
        return Err(Error::invalid("network", "no layers", "at least one", ""));
    }
    Ok(steps)
}
