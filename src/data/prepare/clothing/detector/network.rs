//! The network: VGG without its classifier, smaller and smaller maps behind it, and on each of them two convolutions that
//! answer for every default box.
//!
//! Liu et al. 2016, "SSD: Single Shot MultiBox Detector", arXiv:1512.02325, figure 2 and section 3. Parameters have the names
//! of torchvision's `ssd300_vgg16`, so that its weights load.

use candle_core::Tensor;
use serde::{Deserialize, Serialize};

use super::geometry::{MapBoxes, Prior, priors};
use crate::nn::conv::{Conv2d, ConvSpec};
use crate::nn::init::{Init, Weights};
use crate::nn::norm::{BatchNorm, Mode, NormSpec};
use crate::nn::params::Scope;
use crate::nn::vgg::{VGG16, Width};
use crate::ops::activation::{Activation, relu};
use crate::ops::channel;
use crate::ops::epilogue::bias_activation;
use crate::ops::max_pool::{Rounding, max_pool2d};
use crate::ops::norm::pixel_norm;
use crate::{Error, Result};

/// How long the vectors of the first map are at the start, for the 512 channels of VGG (section 3.1).
const LENGTH: f64 = 20.0;
const CHANNELS: f64 = 512.0;
/// Added to a mean of squares under a root: far below what any map has.
const EPSILON: f64 = 1e-14;

/// What an SSD is made of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SsdConfig {
    /// Side in pixels that pictures are brought to, whatever their proportions.
    pub size: usize,
    /// Convolutions and channels of the five groups of VGG; the map of the fourth is the first that answers.
    pub widths: [Width; 5],
    /// Channels of the two layers that stand for VGG's fully connected ones; theirs is the second map.
    pub dense: usize,
    /// Distance of the taps of the first of them: 6 makes 3×3 see what 7×7 did ("à trous").
    pub dilation: usize,
    /// The maps behind them.
    pub extras: Vec<Extra>,
    /// The default boxes of each map.
    pub maps: Vec<MapBoxes>,
    /// The scale that would come after the last map.
    pub last: f64,
    /// What is subtracted from red, green and blue (0 to 255).
    pub mean: [f64; 3],
    /// What the difference is divided by.
    pub deviation: f64,
    /// Batch norm behind every convolution but those that answer. The paper starts from the weights of ImageNet and has none;
    /// without such weights little is learned without it.
    pub norm: bool,
}

/// A 1×1 convolution and a 3×3 one that makes the map smaller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Extra {
    /// Channels between the two.
    pub squeezed: usize,
    /// Channels of the map.
    pub outputs: usize,
    /// Stride of the second one.
    pub stride: usize,
    /// Its padding.
    pub padding: usize,
}

impl SsdConfig {
    /// The paper's SSD300 on VGG-16 with the default boxes of its PASCAL VOC experiments, as its code has them: 8,732.
    pub fn paper() -> SsdConfig {
        SsdConfig::ssd300([0.1, 0.2, 0.37, 0.54, 0.71, 0.88, 1.05])
    }

    /// The same with the default boxes for COCO, which torchvision's weights were trained with.
    pub fn torchvision() -> SsdConfig {
        SsdConfig::ssd300([0.07, 0.15, 0.33, 0.51, 0.69, 0.87, 1.05])
    }

    fn ssd300(scales: [f64; 7]) -> SsdConfig {
        let ratios: [&[f64]; 6] = [&[2.0], &[2.0, 3.0], &[2.0, 3.0], &[2.0, 3.0], &[2.0], &[2.0]];
        let steps = [8.0, 16.0, 32.0, 64.0, 100.0, 300.0];
        let map = |i: usize| MapBoxes { scale: scales[i], ratios: ratios[i].to_vec(), step: Some(steps[i] / 300.0) };
        let halved = |squeezed, outputs| Extra { squeezed, outputs, stride: 2, padding: 1 };
        let cropped = Extra { squeezed: 128, outputs: 256, stride: 1, padding: 0 };
        SsdConfig {
            size: 300,
            widths: VGG16,
            dense: 1024,
            dilation: 6,
            extras: vec![halved(256, 512), halved(128, 256), cropped, cropped],
            maps: (0..6).map(map).collect(),
            last: scales[6],
            mean: [123.0, 117.0, 104.0],
            deviation: 1.0,
            norm: false,
        }
    }

    /// A small one for two cores, with batch norm: 128 px, 5 maps, 2,046 default boxes.
    pub fn small() -> SsdConfig {
        let scales = [0.1, 0.22, 0.4, 0.6, 0.8];
        let map = |i: usize| MapBoxes { scale: scales[i], ratios: vec![2.0, 3.0], step: None };
        SsdConfig {
            size: 128,
            widths: [(1, 16), (1, 24), (2, 32), (2, 48), (2, 64)],
            dense: 96,
            dilation: 2,
            extras: vec![Extra { squeezed: 32, outputs: 64, stride: 2, padding: 1 }; 3],
            maps: (0..5).map(map).collect(),
            last: 1.0,
            mean: [123.0, 117.0, 104.0],
            deviation: 58.0,
            norm: true,
        }
    }

    /// Sides of the maps.
    ///
    /// # Errors
    /// When a number cannot be, a map would be empty, or there are not as many rules for default boxes as maps.
    pub fn sides(&self) -> Result<Vec<usize>> {
        let wrong = |found: String, expected: &str| Err(Error::invalid("configuration of SSD", found, expected, ""));
        let positive = [self.size, self.dense, self.dilation].into_iter();
        let of_extras = self.extras.iter().flat_map(|extra| [extra.squeezed, extra.outputs, extra.stride]);
        if positive.chain(of_extras).any(|number| number == 0) || self.size > 4096 {
            return wrong(format!("{self:?}"), "sizes, channels and strides from 1 on, at most 4096 pixels");
        }
        let scales = || self.maps.iter().map(|map| map.scale).chain([self.last]);
        let ratios = || self.maps.iter().flat_map(|map| &map.ratios);
        if !(self.deviation > 0.0 && scales().chain(ratios().copied()).all(|v| v > 0.0 && v.is_finite())) {
            return wrong(format!("{self:?}"), "a deviation, scales and ratios above 0");
        }
        // Pools round up: SSD300 has 75 → 38 pixels.
        let first = (0..3).fold(self.size, |side, _| side.div_ceil(2));
        let mut sides = vec![first, first.div_ceil(2)];
        for extra in &self.extras {
            let side = sides[sides.len() - 1] + 2 * extra.padding;
            if side < 3 {
                return wrong(format!("a map of {side} pixels"), "at least 3 for every further map");
            }
            sides.push((side - 3) / extra.stride + 1);
        }
        if sides.len() != self.maps.len() {
            let expected = format!("{}, one for each map", sides.len());
            return wrong(format!("{} rules for default boxes", self.maps.len()), &expected);
        }
        Ok(sides)
    }

    /// All default boxes, in the order of the network's answers.
    ///
    /// # Errors
    /// As [`SsdConfig::sides`].
    pub fn priors(&self) -> Result<Vec<Prior>> {
        Ok(priors(&self.maps, &self.sides()?, self.last))
    }
}

/// A convolution, batch norm where there is any, and a ReLU. Parameters `weight` and `bias`, or `weight` and `norm.*`.
#[derive(Clone, Debug)]
struct Layer {
    conv: Conv2d,
    norm: Option<BatchNorm>,
}

impl Layer {
    fn new(
        scope: &Scope,
        [inputs, outputs]: [usize; 2],
        kernel: usize,
        spec: ConvSpec,
        start: Weights,
        norm: bool,
    ) -> Result<Layer> {
        let start = if norm { start.without_bias() } else { start };
        let conv = Conv2d::new(scope, inputs, outputs, kernel, spec, start)?;
        let norm = norm.then(|| BatchNorm::new(&scope.pp("norm"), outputs, NormSpec::default())).transpose()?;
        Ok(Layer { conv, norm })
    }

    fn forward(&self, x: &Tensor, mode: Mode) -> Result<Tensor> {
        let x = self.conv.forward_linear(x)?;
        match (&self.norm, self.conv.bias()) {
            (Some(norm), _) => relu(&norm.forward(&x, mode)?),
            (None, Some(bias)) => bias_activation(&x, bias, Activation::RELU),
            (None, None) => relu(&x),
        }
    }
}

fn through(layers: &[Layer], x: &Tensor, mode: Mode) -> Result<Tensor> {
    layers.iter().try_fold(x.clone(), |x, layer| layer.forward(&x, mode))
}

/// The network. Its VGG is not that of [`crate::nn::vgg`]: the last group and what stands for the fully connected layers
/// have other names and pools.
#[derive(Clone, Debug)]
pub struct Ssd {
    config: SsdConfig,
    /// The five groups of VGG.
    groups: Vec<Vec<Layer>>,
    dense: [Layer; 2],
    extras: Vec<[Layer; 2]>,
    /// How long the vectors of the first map are, `[C]`.
    scale: Tensor,
    heads: Vec<Head>,
}

#[derive(Clone, Debug)]
struct Head {
    classes: Conv2d,
    offsets: Conv2d,
}

/// What the network says of pictures.
#[derive(Clone, Debug)]
pub struct Answers {
    /// Logits `[N, P, C]`; class 0 is the background.
    pub logits: Tensor,
    /// `[N, P, 4]`.
    pub offsets: Tensor,
}

impl Ssd {
    /// A network for so many classes, the background among them. What is not VGG starts as Glorot and Bengio have it
    /// (section 3: "xavier").
    ///
    /// # Errors
    /// When the configuration cannot be ([`SsdConfig::sides`]), or the store holds these names with other shapes.
    pub fn new(config: &SsdConfig, classes: usize, scope: &Scope) -> Result<Ssd> {
        config.sides()?;
        let (backbone, widths, norm) = (scope.pp("backbone"), config.widths, config.norm);
        let (features, extra) = (backbone.pp("features"), backbone.pp("extra"));
        let glorot = |inputs: usize, outputs: usize, kernel: usize| {
            let fans = [inputs, outputs].map(|channels| channels * kernel * kernel);
            Weights::xavier(fans[0], fans[1])
        };
        let layer = |scope: &Scope, inputs: usize, outputs: usize, kernel: usize, spec: ConvSpec| {
            Layer::new(scope, [inputs, outputs], kernel, spec, glorot(inputs, outputs, kernel), norm)
        };
        // Layers are counted with their ReLUs and pools; the fifth group begins with the fourth pool.
        let behind = extra.pp("0");
        let (mut groups, mut index, mut inputs) = (Vec::new(), 0, 3);
        for (number, &(count, outputs)) in widths.iter().enumerate() {
            let (at, first) = if number < 4 { (&features, index) } else { (&behind, 1) };
            let mut group = Vec::new();
            for i in 0..count {
                let (scope, start) = (at.pp((first + 2 * i).to_string()), Weights::kaiming(9 * inputs, 0.0));
                group.push(Layer::new(&scope, [inputs, outputs], 3, ConvSpec::padded(1), start, norm)?);
                inputs = outputs;
            }
            groups.push(group);
            index += 2 * count + 1;
        }
        let last = behind.pp((1 + 2 * widths[4].0).to_string());
        let far = ConvSpec::padded(config.dilation).dilation(config.dilation);
        let (first, dense) = (widths[3].1, config.dense);
        let dense =
            [layer(&last.pp("1"), inputs, dense, 3, far)?, layer(&last.pp("3"), dense, dense, 1, ConvSpec::default())?];
        let mut channels = vec![first, config.dense];
        let mut extras = Vec::new();
        for (i, &Extra { squeezed, outputs, stride, padding }) in config.extras.iter().enumerate() {
            let (at, inputs) = (extra.pp((i + 1).to_string()), channels[channels.len() - 1]);
            extras.push([
                layer(&at.pp("0"), inputs, squeezed, 1, ConvSpec::default())?,
                layer(&at.pp("2"), squeezed, outputs, 3, ConvSpec::padded(padding).stride(stride))?,
            ]);
            channels.push(outputs);
        }
        let head = |(i, (&inputs, map)): (usize, (&usize, &MapBoxes))| {
            let of = |name: &str, each: usize| {
                let at = scope.pp("head").pp(name).pp("module_list").pp(i.to_string());
                let outputs = each * map.count();
                Conv2d::new(&at, inputs, outputs, 3, ConvSpec::padded(1), glorot(inputs, outputs, 3))
            };
            Ok(Head { classes: of("classification_head", classes)?, offsets: of("regression_head", 4)? })
        };
        let length = Init::Const(LENGTH * (first as f64 / CHANNELS).sqrt());
        Ok(Ssd {
            groups,
            dense,
            extras,
            scale: backbone.param("scale_weight", &[first], length)?,
            heads: channels.iter().zip(&config.maps).enumerate().map(head).collect::<Result<_>>()?,
            config: config.clone(),
        })
    }

    /// Pictures `[N, 3, S, S]` of [`SsdConfig::size`], less the mean and by the deviation → what is said of each default box.
    ///
    /// # Errors
    /// When x has another shape.
    pub fn forward(&self, x: &Tensor, mode: Mode) -> Result<Answers> {
        let side = self.config.size;
        match x.dims() {
            &[n, 3, h, w] if n > 0 && [h, w] == [side; 2] => (),
            found => return Err(Error::shape("detector: pictures", found, format!("[N, 3, {side}, {side}]"))),
        }
        let maps = self.maps(x, mode)?;
        let (mut logits, mut offsets) = (Vec::new(), Vec::new());
        for ((map, head), rule) in maps.iter().zip(&self.heads).zip(&self.config.maps) {
            logits.push(rows(&head.classes.forward(map)?, rule.count())?);
            offsets.push(rows(&head.offsets.forward(map)?, rule.count())?);
        }
        Ok(Answers { logits: Tensor::cat(&logits, 1)?, offsets: Tensor::cat(&offsets, 1)? })
    }

    fn maps(&self, x: &Tensor, mode: Mode) -> Result<Vec<Tensor>> {
        let (mut maps, mut last) = (Vec::new(), x.clone());
        for (number, group) in self.groups.iter().enumerate() {
            if number > 0 {
                last = max_pool2d(&last, 2, 2, 0, Rounding::Up)?;
            }
            last = through(group, &last, mode)?;
            if number == 3 {
                // Of length 1 (section 3.1), then of a length that is learned.
                let unit = 1.0 / (last.dims()[1] as f64).sqrt();
                maps.push(channel::scale(&pixel_norm(&last, EPSILON)?, &(&self.scale * unit)?)?);
            }
        }
        last = through(&self.dense, &max_pool2d(&last, 3, 1, 1, Rounding::Down)?, mode)?;
        maps.push(last.clone());
        for extra in &self.extras {
            last = through(extra, &last, mode)?;
            maps.push(last.clone());
        }
        Ok(maps)
    }
}

/// What a head says, box by box: `[N, A·K, H, W]` → `[N, H·W·A, K]`.
fn rows(x: &Tensor, boxes: usize) -> Result<Tensor> {
    let (n, channels, height, width) = x.dims4()?;
    let last = x.permute((0, 2, 3, 1))?.contiguous()?;
    Ok(last.reshape((n, height * width * boxes, channels / boxes))?)
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};

    use super::*;
    use crate::nn::params::{ParamStore, Training};

    /// Counts of `ssd300_vgg16(num_classes=…)` of torchvision 0.29.
    #[test]
    fn ssd300_is_that_of_torchvision() {
        for (classes, count) in [(3, 23_879_570), (91, 35_641_826)] {
            let params = ParamStore::blank(&Device::Cpu, DType::F32).unwrap();
            Ssd::new(&SsdConfig::paper(), classes, &params.view(Training::Nothing)).unwrap();
            assert_eq!(params.count(""), count);
            let names = params.names();
            assert_eq!(names.len(), 71);
            for name in ["backbone.scale_weight", "backbone.extra.0.7.3.bias", "backbone.extra.4.2.weight"] {
                assert!(names.iter().any(|found| found == name), "{names:?}");
            }
        }
        for config in [SsdConfig::paper(), SsdConfig::torchvision()] {
            assert_eq!(config.sides().unwrap(), [38, 19, 10, 5, 3, 1]);
            assert_eq!(config.priors().unwrap().len(), 8_732);
        }
    }

    #[test]
    fn every_default_box_has_an_answer() {
        let config = SsdConfig::small();
        assert_eq!((config.sides().unwrap(), config.priors().unwrap().len()), (vec![16, 8, 4, 2, 1], 2_046));
        let params = ParamStore::blank(&Device::Cpu, DType::F32).unwrap();
        let ssd = Ssd::new(&config, 3, &params.view(Training::Nothing)).unwrap();
        let x = |side| Tensor::ones((2, 3, side, side), DType::F32, &Device::Cpu).unwrap();
        let answers = ssd.forward(&x(128), Mode::Train).unwrap();
        assert_eq!((answers.logits.dims(), answers.offsets.dims()), (&[2, 2_046, 3][..], &[2, 2_046, 4][..]));
        assert!(ssd.forward(&x(64), Mode::Eval).is_err());
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let small = SsdConfig::small;
        assert!(SsdConfig { size: 0, ..small() }.sides().is_err());
        assert!(SsdConfig { last: f64::NAN, ..small() }.sides().is_err());
        assert!(SsdConfig { extras: small().extras[..2].to_vec(), ..small() }.sides().is_err());
        let tight = Extra { padding: 0, stride: 1, ..small().extras[0] };
        assert!(SsdConfig { extras: vec![tight; 4], ..small() }.priors().is_err());
    }
}
