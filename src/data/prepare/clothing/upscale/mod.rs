//! Step 5: pictures that are too small, made larger.
//!
//! The paper doubles what its detector cut out by waifu2x (section 3; specs/clothing.md section B), as often as is needed,
//! and shrinks the result to size. Here a small network of the same family is trained on pictures like those that are
//! enlarged, or Lanczos does it: which one is an option of the same step.

mod training;

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use candle_core::{DType, Device, Tensor};
use image::{RgbImage, imageops};
use serde::{Deserialize, Serialize};

use super::step::{Contents, Input, Product, Step, StepReport};
use crate::data::batch::Images;
use crate::data::import::Refused;
use crate::data::manifest::Filter;
use crate::data::resize;
use crate::nn::blocks::SrResidual;
use crate::nn::conv::{Conv2d, ConvSpec};
use crate::nn::init::Weights;
use crate::nn::norm::{Mode, NormSpec};
use crate::nn::params::{ParamStore, Scope, Training as Tracked};
use crate::ops::activation::relu;
use crate::ops::arithmetic::add;
use crate::ops::reshape::{ShuffleOrder, pixel_shuffle};
use crate::show::save::png;
use crate::weights::trained;
use crate::{Error, Result};

pub use training::{Training, pictures_of};

/// What files of weights say they are.
const KIND: &str = "network for larger pictures";
/// Side of the tiles that the network sees at once, without their margins.
const TILE: u32 = 128;
/// Longest side of what is made.
const LONGEST: u32 = 8_192;
/// Pictures that are made before any of them is written.
const CHUNK: usize = 4;

/// What the network adds to a picture that Lanczos has doubled: a convolution, blocks of SRResNet with a bridge over them
/// (Ledig et al. 2017, "Photo-Realistic Single Image Super-Resolution", figure 4), a convolution to four times the channels,
/// and these moved into space (Shi et al. 2016, "Real-Time Single Image and Video Super-Resolution", equation 4).
#[derive(Clone, Debug)]
struct Network {
    first: Conv2d,
    blocks: Vec<SrResidual>,
    last: Conv2d,
}

impl Network {
    fn new(scope: &Scope, channels: usize, blocks: usize) -> Result<Network> {
        let conv = |name: &str, inputs, outputs, start: Weights| {
            Conv2d::new(&scope.pp(name), inputs, outputs, 3, ConvSpec::padded(1), start)
        };
        let start = Weights::kaiming(9 * channels, 0.0);
        let block = |i: usize| {
            SrResidual::new(&scope.pp("blocks").pp(i.to_string()), channels, NormSpec::default(), start.without_bias())
        };
        Ok(Network {
            first: conv("first", 3, channels, Weights::kaiming(27, 0.0))?,
            blocks: (0..blocks).map(block).collect::<Result<_>>()?,
            // At the start what Lanczos made stays as it is.
            last: conv("last", channels, 12, Weights::normal(1e-3))?,
        })
    }

    /// `[N, 3, H, W]` in [−1, 1] → what is to be added, `[N, 3, 2·H, 2·W]`.
    fn forward(&self, x: &Tensor, mode: Mode) -> Result<Tensor> {
        let first = relu(&self.first.forward(x)?)?;
        let behind = self.blocks.iter().try_fold(first.clone(), |x, block| block.forward(&x, mode))?;
        pixel_shuffle(&self.last.forward(&add(&behind, &first)?)?, 2, ShuffleOrder::PyTorch)
    }
}

/// How close pictures come to what they were before they were halved: mean PSNR in dB over pictures that were not learned
/// from.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Quality {
    /// Number of pictures.
    pub pictures: usize,
    /// Of the network.
    pub network: f64,
    /// Of Lanczos's filter.
    pub lanczos: f64,
    /// Of the bicubic one.
    pub bicubic: f64,
}

impl fmt::Display for Quality {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Quality { pictures, network, lanczos, bicubic } = self;
        write!(
            f,
            "PSNR of {pictures} unseen pictures: network {network:.2} dB, Lanczos {lanczos:.2} dB, bicubic {bicubic:.2} dB"
        )
    }
}

/// What a file of weights says of itself.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct About {
    training: Training,
    quality: Quality,
}

/// A network that doubles pictures.
#[derive(Clone, Debug)]
pub struct Upscaler {
    network: Network,
    tensors: BTreeMap<String, Tensor>,
    about: About,
    device: Device,
}

impl Upscaler {
    fn of(tensors: BTreeMap<String, Tensor>, about: About, device: &Device) -> Result<Upscaler> {
        let store = ParamStore::blank(device, DType::F32)?;
        let Training { channels, blocks, .. } = about.training;
        let network = Network::new(&store.view(Tracked::Nothing), channels, blocks)?;
        store.load(&tensors)?;
        Ok(Upscaler { network, tensors, about, device: device.clone() })
    }

    /// Writes the weights as a safetensors file that says what they are.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        trained::save(path, KIND, &self.about, &self.tensors)
    }

    /// Reads a file that [`Upscaler::save`] has written.
    ///
    /// # Errors
    /// When the file cannot be read, or holds something else.
    pub fn open(path: impl AsRef<Path>, device: &Device) -> Result<Upscaler> {
        trained::open(path, KIND, "tachie data train-upscaler", |tensors, about| Upscaler::of(tensors, about, device))
    }

    /// How it was trained.
    pub fn training(&self) -> &Training {
        &self.about.training
    }

    /// How good it was on pictures that it had not learned from.
    pub fn quality(&self) -> Quality {
        self.about.quality
    }

    /// The picture, twice as large. It is made tile by tile, so that its size does not matter.
    ///
    /// # Errors
    /// When the picture is empty.
    pub fn doubled(&self, picture: &RgbImage) -> Result<RgbImage> {
        let (width, height) = picture.dimensions();
        let mut out = doubled_by(picture, Filter::Lanczos);
        // How far a pixel of the result looks: one pixel for each convolution.
        let margin = 2 * self.about.training.blocks as u32 + 2;
        for top in (0..height).step_by(TILE as usize) {
            for left in (0..width).step_by(TILE as usize) {
                let (x, y) = (left.saturating_sub(margin), top.saturating_sub(margin));
                let (right, bottom) = ((left + TILE).min(width), (top + TILE).min(height));
                let seen = [(right + margin).min(width) - x, (bottom + margin).min(height) - y];
                let tile = imageops::crop_imm(picture, x, y, seen[0], seen[1]).to_image();
                let base = imageops::crop_imm(&out, 2 * x, 2 * y, 2 * seen[0], 2 * seen[1]).to_image();
                let [low, base] = [tile, base].map(|picture| Images::from_rgb(&[picture]));
                let added = self.network.forward(&low?.tensor.to_device(&self.device)?, Mode::Eval)?;
                let sum = add(&base?.tensor, &added.to_device(&Device::Cpu)?)?;
                let made = Images::new(sum)?.to_rgb()?;
                let [from_x, from_y, w, h] = [left - x, top - y, right - left, bottom - top].map(|v| 2 * v);
                let inner = made.iter().map(|made| imageops::crop_imm(made, from_x, from_y, w, h).to_image());
                inner.for_each(|inner| imageops::replace(&mut out, &inner, (2 * left).into(), (2 * top).into()));
            }
        }
        Ok(out)
    }
}

/// The picture twice as large by a filter.
fn doubled_by(picture: &RgbImage, filter: Filter) -> RgbImage {
    resize::rgb(picture, 2 * picture.width(), 2 * picture.height(), filter)
}

/// How large pictures become.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UpscaleOptions {
    /// Pictures whose longer side is shorter are doubled until it is not, and then shrunk to it by Lanczos; others stay as
    /// they are. Without it every picture is doubled once.
    pub side: Option<u32>,
}

impl UpscaleOptions {
    /// How often a picture is doubled, and its width and height at the end.
    fn plan(&self, (width, height): (u32, u32)) -> (u32, (u32, u32)) {
        let longer = width.max(height).max(1);
        let Some(side) = self.side else { return (1, (width.saturating_mul(2), height.saturating_mul(2))) };
        if longer >= side {
            return (0, (width, height));
        }
        let doublings = (0..16).find(|&times| longer << times >= side).unwrap_or(16);
        let scaled = |length: u32| (f64::from(length) * f64::from(side) / f64::from(longer)).round().max(1.0) as u32;
        (doublings, (scaled(width), scaled(height)))
    }
}

/// What the record says of a picture.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enlarged {
    /// Width and height before.
    pub from: (u32, u32),
    /// Width and height now.
    pub to: (u32, u32),
    /// How often it was doubled.
    pub doublings: u32,
}

/// Makes all pictures in `input` and below it larger: `x/y.jpg` becomes `images/x/y.png` of `output`, by the network, or by
/// Lanczos where there is none. A run that was interrupted goes on where it was.
///
/// # Errors
/// When the side is not 4 to 8192 pixels, a folder cannot be read or written, or `output` holds anything but the same step.
/// Pictures that cannot be read or would become too large are no error: they are in the report.
pub fn upscale(
    input: impl AsRef<Path>,
    output: impl AsRef<Path>,
    network: Option<&Upscaler>,
    options: &UpscaleOptions,
) -> Result<StepReport> {
    upscale_in(input.as_ref(), output.as_ref(), network, options)
}

fn upscale_in(input: &Path, output: &Path, network: Option<&Upscaler>, options: &UpscaleOptions) -> Result<StepReport> {
    if let Some(side) = options.side.filter(|side| !(4..=LONGEST).contains(side)) {
        return Err(Error::invalid("side", side.to_string(), format!("4 to {LONGEST} pixels"), ""));
    }
    let print = network.map(|network| trained::fingerprint(KIND, &network.about, &network.tensors)).transpose()?;
    let (inputs, mut step) = Step::<Enlarged>::over(input, output, "upscale", &(options, print))?;
    let made = step.run_pictures(&inputs, CHUNK, |input, picture| enlarge(input, picture, network, options))?;
    step.finish(made.len())
}

fn enlarge(
    input: &Input,
    picture: RgbImage,
    network: Option<&Upscaler>,
    options: &UpscaleOptions,
) -> Result<Result<Product<Enlarged>, Refused>> {
    let from = picture.dimensions();
    let (doublings, to) = options.plan(from);
    if doublings > 0 && to.0.max(to.1) > LONGEST {
        return Ok(Err(Refused("too large", format!("{}×{} pixels", from.0, from.1))));
    }
    let larger = match network {
        None => picture,
        Some(network) => (0..doublings).try_fold(picture, |picture, _| network.doubled(&picture))?,
    };
    let bytes = png(&resize::rgb(&larger, to.0, to.1, Filter::Lanczos))?;
    let files = vec![(format!("images/{}.png", input.stem), Contents::Bytes(bytes))];
    Ok(Ok(Product { facts: Enlarged { from, to, doublings }, files, notes: Vec::new() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_by_hand() {
        let of = |side, size| UpscaleOptions { side }.plan(size);
        assert_eq!(of(None, (30, 20)), (1, (60, 40)));
        assert_eq!(of(Some(100), (30, 20)), (2, (100, 67)));
        assert_eq!(of(Some(60), (30, 20)), (1, (60, 40)));
        assert_eq!((of(Some(30), (30, 20)), of(Some(8), (30, 20))), ((0, (30, 20)), (0, (30, 20))));
        assert_eq!(of(Some(512), (1, 1)), (9, (512, 512)));
    }
}
