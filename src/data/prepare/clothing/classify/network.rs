//! The network that says whether a picture is a pair: VGG with a classifier of two answers.

use candle_core::Tensor;
use serde::{Deserialize, Serialize};

use crate::nn::dropout::half;
use crate::nn::init::Weights;
use crate::nn::linear::Linear;
use crate::nn::params::Scope;
use crate::nn::vgg::{SMALL, VGG16, Vgg, Width};
use crate::ops::activation::relu;
use crate::ops::max_pool::{Rounding, max_pool2d};
use crate::rng::Stream;
use crate::{Error, Result};

/// Answers: no pair, and a pair.
pub(super) const ANSWERS: usize = 2;

/// Which network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Backbone {
    /// 205,282 parameters, pictures of 64 px, for two cores: the largest answer of each feature, wherever in the picture it
    /// is, goes to a layer of 64.
    #[default]
    Small,
    /// The paper's: VGG-16 with its two layers of 4096, pictures of 224 px, 134,268,738 parameters by torchvision's names.
    Vgg16,
}

impl Backbone {
    /// Side of the pictures that it sees, in pixels.
    pub fn side(self) -> u32 {
        match self {
            Backbone::Small => 64,
            Backbone::Vgg16 => 224,
        }
    }

    fn widths(self) -> &'static [Width] {
        match self {
            Backbone::Small => &SMALL,
            Backbone::Vgg16 => &VGG16,
        }
    }

    /// Outputs of the layers before the answers.
    fn hidden(self) -> &'static [usize] {
        match self {
            Backbone::Small => &[64],
            Backbone::Vgg16 => &[4096, 4096],
        }
    }

    /// Side of the map that the dense layers see.
    fn cells(self) -> usize {
        match self {
            Backbone::Small => 1,
            Backbone::Vgg16 => 7,
        }
    }
}

/// Parameters `features.<n>.*` and `classifier.<3n>.*`, as torchvision names those of VGG.
#[derive(Clone, Debug)]
pub(super) struct Network {
    backbone: Backbone,
    vgg: Vgg,
    dense: Vec<Linear>,
}

impl Network {
    /// # Errors
    /// When the store holds these names with other shapes.
    pub fn new(scope: &Scope, backbone: Backbone) -> Result<Network> {
        let vgg = Vgg::new(scope, backbone.widths())?;
        let mut inputs = vgg.channels() * backbone.cells() * backbone.cells();
        let mut dense = Vec::new();
        for (i, &outputs) in backbone.hidden().iter().chain(&[ANSWERS]).enumerate() {
            // A linear layer, its ReLU and its dropout.
            let name = (3 * i).to_string();
            let slope = if i == backbone.hidden().len() { 1.0 } else { 0.0 };
            let start = Weights::kaiming(inputs, slope);
            dense.push(Linear::new(&scope.pp("classifier").pp(name), inputs, outputs, start)?);
            inputs = outputs;
        }
        Ok(Network { backbone, vgg, dense })
    }

    /// Pictures `[N, 3, S, S]`, normalised as ImageNet's, → logits `[N, 2]`. In training half of what the dense layers say
    /// is dropped, at random from `dropout`.
    ///
    /// # Errors
    /// When the pictures have another shape.
    pub fn forward(&self, x: &Tensor, mut dropout: Option<&mut Stream>) -> Result<Tensor> {
        let side = self.backbone.side() as usize;
        if !matches!(x.dims(), [_, 3, h, w] if [*h, *w] == [side, side]) {
            return Err(Error::shape("classifier of pairs: input", x.dims(), format!("[N, 3, {side}, {side}]")));
        }
        let maps = self.vgg.forward(x)?;
        let window = maps.dim(2)? / self.backbone.cells();
        let maps = if window > 1 { max_pool2d(&maps, window, window, 0, Rounding::Down)? } else { maps };
        let mut x = maps.flatten_from(1)?;
        for (i, layer) in self.dense.iter().enumerate() {
            if i > 0 {
                x = relu(&x)?;
                if let Some(stream) = dropout.as_deref_mut() {
                    x = half(&x, stream)?;
                }
            }
            x = layer.forward(&x)?;
        }
        Ok(x)
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};

    use super::*;
    use crate::nn::params::{ParamStore, Training};

    /// specs/clothing.md section B, row 2.
    #[test]
    fn published_counts_and_names() {
        for (backbone, count) in [(Backbone::Vgg16, 134_268_738), (Backbone::Small, 205_282)] {
            let params = ParamStore::blank(&Device::Cpu, DType::F32).unwrap();
            Network::new(&params.view(Training::Nothing), backbone).unwrap();
            assert_eq!(params.count(""), count);
            assert!(params.names().contains(&"classifier.0.weight".to_string()));
            assert_eq!(params.names().contains(&"classifier.6.bias".to_string()), backbone == Backbone::Vgg16);
        }
    }

    #[test]
    fn a_picture_has_two_answers() {
        let params = ParamStore::new(crate::rng::seed(1), &Device::Cpu, DType::F32).unwrap();
        let network = Network::new(&params.view(Training::Nothing), Backbone::Small).unwrap();
        let x = Tensor::ones((3, 3, 64, 64), DType::F32, &Device::Cpu).unwrap();
        assert_eq!(network.forward(&x, None).unwrap().dims(), [3, 2]);
        let other = network.forward(&x, Some(&mut crate::rng::seed(1).stream("dropout"))).unwrap();
        let rows = other.to_vec2::<f32>().unwrap();
        assert_ne!(rows[0], rows[1]);
        assert!(network.forward(&x.narrow(3, 0, 32).unwrap(), None).is_err());
    }
}
