//! VGG (Simonyan and Zisserman 2015, arXiv:1409.1556), without batch norm: groups of 3×3 convolutions, each followed by a
//! pool, of any widths and depths. Parameters have torchvision's names, so that its weights load.

use candle_core::Tensor;

use super::conv::{Conv2d, ConvSpec};
use super::init::Weights;
use super::params::Scope;
use crate::ops::activation::{Activation, relu};
use crate::ops::epilogue::bias_activation;
use crate::ops::max_pool::{Rounding, max_pool2d};
use crate::{Error, Result};

/// Convolutions of one group, and the channels of each.
pub type Width = (usize, usize);

/// VGG of 16 layers, configuration D of the paper's table 1: 14,714,688 parameters.
pub const VGG16: [Width; 5] = [(2, 64), (2, 128), (3, 256), (3, 512), (3, 512)];
/// VGG of 19 layers, configuration E: 20,024,384 parameters.
pub const VGG19: [Width; 5] = [(2, 64), (2, 128), (4, 256), (4, 512), (4, 512)];
/// One for two cores: 198,944 parameters.
pub const SMALL: [Width; 4] = [(1, 16), (1, 32), (2, 64), (2, 96)];

/// The convolutions of a group, each followed by a ReLU.
#[derive(Clone, Debug)]
pub struct Group(Vec<Conv2d>);

impl Group {
    /// The first convolution alone, and the others, with their ReLUs.
    pub fn parted(&self) -> [Group; 2] {
        let (first, others) = self.0.split_at(self.0.len().min(1));
        [first, others].map(|part| Group(part.to_vec()))
    }

    /// `[N, C, H, W]` → `[N, C', H, W]`, after the last ReLU and before the pool.
    ///
    /// # Errors
    /// When x has another number of channels.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.0.iter().try_fold(x.clone(), |x, conv| match conv.bias() {
            Some(bias) => bias_activation(&conv.forward_linear(&x)?, bias, Activation::RELU),
            None => relu(&conv.forward(&x)?),
        })
    }
}

/// The convolutional part of the network.
#[derive(Clone, Debug)]
pub struct Vgg {
    groups: Vec<Group>,
    widths: Vec<Width>,
}

impl Vgg {
    /// A network of these groups over pictures of three channels; parameters `features.0.weight`, `features.0.bias` and so
    /// on. Weights start as He et al. 2015 have it.
    ///
    /// # Errors
    /// When there is no group, one has no convolutions or channels, or the store holds these names with other shapes.
    pub fn new(scope: &Scope, widths: &[Width]) -> Result<Vgg> {
        if widths.is_empty() || widths.iter().any(|&(count, channels)| count == 0 || channels == 0) {
            let expected = "at least one group, of convolutions and channels from 1 on";
            return Err(Error::invalid("groups of VGG", format!("{widths:?}"), expected, ""));
        }
        let features = scope.pp("features");
        let (mut groups, mut index, mut inputs) = (Vec::new(), 0, 3);
        for &(count, outputs) in widths {
            let mut group = Vec::with_capacity(count);
            for _ in 0..count {
                let (at, start) = (features.pp(index.to_string()), Weights::kaiming(9 * inputs, 0.0));
                group.push(Conv2d::new(&at, inputs, outputs, 3, ConvSpec::padded(1), start)?);
                inputs = outputs;
                // A convolution and its ReLU.
                index += 2;
            }
            groups.push(Group(group));
            // The pool.
            index += 1;
        }
        Ok(Vgg { groups, widths: widths.to_vec() })
    }

    /// Its groups, between which pools belong.
    pub fn groups(&self) -> &[Group] {
        &self.groups
    }

    /// Channels of the last map.
    pub fn channels(&self) -> usize {
        self.widths.last().map_or(3, |width| width.1)
    }

    /// The map of each group before its pool, the largest first: x `[N, 3, H, W]` → `[N, C, H / 2^k, W / 2^k]` for group k
    /// from 0, sides rounded as `rounding` says (SSD300 has 75 → 38 px rounded up). The last pool is not taken.
    ///
    /// # Errors
    /// When x has other channels, or is too small for the pools.
    pub fn taps(&self, x: &Tensor, rounding: Rounding) -> Result<Vec<Tensor>> {
        let mut taps: Vec<Tensor> = Vec::with_capacity(self.groups.len());
        for group in &self.groups {
            let map = match taps.last() {
                None => group.forward(x)?,
                Some(map) => group.forward(&max_pool2d(map, 2, 2, 0, rounding)?)?,
            };
            taps.push(map);
        }
        Ok(taps)
    }

    /// The last map after its pool, what torchvision's classifier gets: x `[N, 3, H, W]` → `[N, C, H / 2^g, W / 2^g]` for g
    /// groups, sides rounded down.
    ///
    /// # Errors
    /// When x has other channels, or is smaller than 2^g pixels.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let pooled = |x: Tensor, group: &Group| max_pool2d(&group.forward(&x)?, 2, 2, 0, Rounding::Down);
        self.groups.iter().try_fold(x.clone(), pooled)
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};

    use super::*;
    use crate::nn::params::{ParamStore, Training};

    #[test]
    fn counts_names_and_sizes() {
        for (widths, count, last) in [
            (&VGG16[..], 14_714_688, "features.28.bias"),
            (&VGG19, 20_024_384, "features.34.bias"),
            (&SMALL, 198_944, "features.13.bias"),
        ] {
            let params = ParamStore::blank(&Device::Cpu, DType::F32).unwrap();
            let vgg = Vgg::new(&params.view(Training::Nothing), widths).unwrap();
            let x = Tensor::ones((1, 3, 75, 40), DType::F32, &Device::Cpu).unwrap();
            let sides = |rounding| vgg.taps(&x, rounding).unwrap().iter().map(|map| map.dims()[2]).collect::<Vec<_>>();
            assert_eq!(sides(Rounding::Down)[..4], [75, 37, 18, 9]);
            assert_eq!(sides(Rounding::Up)[..4], [75, 38, 19, 10]);
            assert_eq!(params.count(""), count);
            assert!(params.names().iter().any(|name| name == last), "{:?}", params.names());
            let halvings = widths.len() as u32;
            assert_eq!(vgg.forward(&x).unwrap().dims(), [1, vgg.channels(), 75 >> halvings, 40 >> halvings]);
        }
        assert!(Vgg::new(&ParamStore::blank(&Device::Cpu, DType::F32).unwrap().view(Training::Nothing), &[]).is_err());
    }
}
