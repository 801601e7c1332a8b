//! Discriminators of patches (Isola et al. 2017, "Image-to-Image Translation with Conditional Adversarial Networks",
//! arXiv:1611.07004, section 3.2.2): convolutions of 4×4, of which each answer sees 70×70 pixels.

use candle_core::Tensor;

use super::conv::{Conv2d, ConvSpec};
use super::init::{Init, Weights};
use super::norm::{BatchNorm, InstanceNorm, Mode, NormSpec};
use super::params::Scope;
use crate::Result;
use crate::ops::activation::leaky_relu;

const SLOPE: f64 = 0.2;

/// How the features between the first and the last layer are normalised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PatchNorm {
    /// Batch norm; γ starts from N(1, 0.02²).
    Batch,
    /// Instance norm without parameters; its convolutions have biases.
    Instance,
}

/// What differs between the discriminators of patches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PatchSpec {
    /// Channels of the pictures: 6 for an input beside an output.
    pub inputs: usize,
    /// Channels of the first layer, doubled with each up to eight times as many: 64.
    pub channels: usize,
    /// Halvings: 3. One more convolution follows, then the answers.
    pub halvings: usize,
    /// Padding of all layers: 1 in pix2pix, 2 in pix2pixHD.
    pub padding: usize,
    /// Normalisation.
    pub norm: PatchNorm,
    /// Whether layers are named as in pix2pixHD, whose features are compared (`layer<i>.0`, `layer<i>.1`); otherwise as in
    /// pix2pix (`model.0`, `model.2`, `model.3`, `model.5`, ...).
    pub layered: bool,
}

/// The network: weights start from N(0, 0.02²), biases from 0.
#[derive(Clone, Debug)]
pub struct PatchGan {
    layers: Vec<(Conv2d, Option<Normal>)>,
    last: Conv2d,
}

#[derive(Clone, Debug)]
enum Normal {
    Batch(BatchNorm),
    Instance(InstanceNorm),
}

impl PatchGan {
    /// The network of `spec`, its parameters taken from `scope`.
    ///
    /// # Errors
    /// When the store holds a parameter with another shape.
    pub fn new(spec: PatchSpec, scope: &Scope) -> Result<PatchGan> {
        let PatchSpec { inputs, channels, halvings, padding, norm, layered } = spec;
        let weights = Weights::normal(0.02);
        // In pix2pix's list of layers a leaky ReLU follows the first convolution, and a norm and a leaky ReLU all others.
        let names = |layer: usize| match (layered, layer) {
            (true, _) => [scope.pp(format!("layer{layer}")).pp("0"), scope.pp(format!("layer{layer}")).pp("1")],
            (false, 0) => [scope.pp("model").pp("0"), scope.pp("model").pp("1")],
            (false, _) => [3 * layer - 1, 3 * layer].map(|at| scope.pp("model").pp(at.to_string())),
        };
        let (mut layers, mut from) = (Vec::new(), inputs);
        for layer in 0..=halvings {
            let to = channels << layer.min(3);
            let stride = if layer < halvings { 2 } else { 1 };
            let [conv, normal] = names(layer);
            let biased = layer == 0 || norm == PatchNorm::Instance;
            let weights = if biased { weights } else { weights.without_bias() };
            let conv = Conv2d::new(&conv, from, to, 4, ConvSpec::padded(padding).stride(stride), weights)?;
            let normal = match norm {
                _ if layer == 0 => None,
                PatchNorm::Batch => {
                    let weight = Init::Normal { mean: 1.0, std: 0.02 };
                    Some(Normal::Batch(BatchNorm::new(&normal, to, NormSpec { weight, ..NormSpec::default() })?))
                }
                PatchNorm::Instance => Some(Normal::Instance(InstanceNorm::plain(to, 1e-5))),
            };
            layers.push((conv, normal));
            from = to;
        }
        let [last, _] = names(halvings + 1);
        Ok(PatchGan { layers, last: Conv2d::new(&last, from, 1, 4, ConvSpec::padded(padding), weights)? })
    }

    /// Pictures `[N, C, H, W]` → scores `[N, 1, h, w]`, one for each patch, and the features after each activation.
    ///
    /// # Errors
    /// When the pictures have other channels, or are too small.
    pub fn forward(&self, pictures: &Tensor, mode: Mode) -> Result<(Tensor, Vec<Tensor>)> {
        let mut features = Vec::with_capacity(self.layers.len());
        let mut x = pictures.clone();
        for (conv, norm) in &self.layers {
            x = conv.forward(&x)?;
            x = match norm {
                None => x,
                Some(Normal::Batch(norm)) => norm.forward(&x, mode)?,
                Some(Normal::Instance(norm)) => norm.forward(&x)?,
            };
            x = leaky_relu(&x, SLOPE)?;
            features.push(x.clone());
        }
        Ok((self.last.forward(&x)?, features))
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};

    use super::*;
    use crate::nn::params::{ParamStore, Training};

    /// specs/clothing.md C.2 and C.3: counts, and the sizes of all maps of pictures of 256 px.
    #[test]
    fn published_counts_and_sizes() {
        let base =
            PatchSpec { inputs: 6, channels: 64, halvings: 3, padding: 1, norm: PatchNorm::Batch, layered: false };
        let wide = PatchSpec { padding: 2, norm: PatchNorm::Instance, layered: true, ..base };
        for (spec, count, sizes) in [(base, 2_768_705, [128, 64, 32, 31, 30]), (wide, 2_767_809, [129, 65, 33, 34, 35])]
        {
            let params = ParamStore::blank(&Device::Cpu, DType::F32).unwrap();
            let network = PatchGan::new(spec, &params.view(Training::Nothing)).unwrap();
            assert_eq!(params.count(""), count);
            let pictures = Tensor::zeros((1, 6, 256, 256), DType::F32, &Device::Cpu).unwrap();
            let (scores, features) = network.forward(&pictures, Mode::Train).unwrap();
            let found: Vec<usize> = features.iter().chain([&scores]).map(|map| map.dims()[3]).collect();
            assert_eq!(found, sizes);
        }
    }
}
