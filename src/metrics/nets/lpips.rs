//! LPIPS, version 0.1: a distance between pictures that agrees with people's judgements (Zhang et al. 2018,
//! arXiv:1801.03924).

use std::collections::BTreeMap;
use std::path::Path;

use candle_core::{Device, Tensor};

use super::layer::{build, check_pictures, per_channel, unit};
use super::resize::bilinear;
use super::trunk::{Architecture, Trunk};
use super::weights::{Card, Kind, Weights};
use crate::nn::init::Init;
use crate::nn::params::Scope;
use crate::{Error, Result};

/// (v − shift) / scale brings [−1, 1] to what the trunks were trained on. Version 0.0 lacked this.
const SHIFT: [f64; 3] = [-0.030, -0.088, -0.188];
const SCALE: [f64; 3] = [0.458, 0.448, 0.450];

/// A trunk and what it weighs its channels with. Distances of different trunks are not comparable.
#[derive(Clone, Debug)]
pub struct Lpips {
    trunk: Trunk,
    /// `[1, C, 1, 1]` for each tap.
    heads: Vec<Tensor>,
    card: Option<Card>,
}

impl Lpips {
    /// Reads a trunk and the heads that belong to it, as `tachie import torch` has written them.
    ///
    /// # Errors
    /// When a file cannot be read, or holds other weights.
    pub fn open(
        trunk: impl AsRef<Path>,
        heads: impl AsRef<Path>,
        architecture: Architecture,
        device: &Device,
    ) -> Result<Lpips> {
        let kind = Lpips::kind(architecture)?;
        let weights = Weights::open(heads, kind)?;
        let trunk = Trunk::open(trunk, architecture, device)?;
        Ok(Lpips { card: Some(weights.card), ..Lpips::new(trunk, &weights.tensors, device)? })
    }

    /// As [`Lpips::open`], the files themselves saying which trunk it is.
    ///
    /// # Errors
    /// As [`Lpips::open`]; when a file is of another kind.
    pub fn open_files(trunk: impl AsRef<Path>, heads: impl AsRef<Path>, device: &Device) -> Result<Lpips> {
        let path = trunk.as_ref();
        let architecture = match Card::of(path)?.kind {
            Kind::Alexnet => Architecture::Alexnet,
            Kind::Vgg16 => Architecture::Vgg16,
            Kind::Squeezenet => Architecture::Squeezenet,
            other => {
                let found = format!("weights of kind {}", other.name());
                return Err(Error::file(
                    path,
                    found,
                    "kind alexnet, vgg16 or squeezenet",
                    "LPIPS has no other trunks.",
                ));
            }
        };
        Lpips::open(path, heads, architecture, device)
    }

    /// A trunk with these heads, by the names of the package `lpips` (`lin0.model.1.weight`).
    ///
    /// # Errors
    /// When no heads were published for the trunk; lists by name what is missing, surplus or of another shape.
    pub fn new(trunk: Trunk, heads: &BTreeMap<String, Tensor>, device: &Device) -> Result<Lpips> {
        let architecture = trunk.architecture();
        Lpips::kind(architecture)?;
        let heads = build(heads, device, |scope| heads_at(scope, architecture))?;
        Ok(Lpips { trunk, heads, card: None })
    }

    fn kind(architecture: Architecture) -> Result<Kind> {
        match architecture {
            Architecture::Alexnet => Ok(Kind::LpipsAlex),
            Architecture::Vgg16 => Ok(Kind::LpipsVgg),
            Architecture::Squeezenet => Ok(Kind::LpipsSqueeze),
            Architecture::Vgg19 => {
                Err(Error::invalid("LPIPS: trunk", "VGG-19", "AlexNet, VGG-16 or SqueezeNet, which have heads", ""))
            }
        }
    }

    /// What the trunk's and the heads' weights are; `None` for weights that came from no file.
    pub fn cards(&self) -> [Option<&Card>; 2] {
        [self.trunk.card(), self.card.as_ref()]
    }

    /// Which trunk it has.
    pub fn architecture(&self) -> Architecture {
        self.trunk.architecture()
    }

    /// Where its weights are.
    pub fn device(&self) -> &Device {
        // Every trunk that has heads has taps, and a head for each.
        self.heads.first().map_or(&Device::Cpu, Tensor::device)
    }

    /// The distance of each pair: `[N, 3, H, W]` in [−1, 1] both → `[N]`. 0 for equal pictures.
    ///
    /// # Errors
    /// When the shapes differ, or the pictures are too small for the trunk.
    pub fn distances(&self, first: &Tensor, second: &Tensor) -> Result<Tensor> {
        let maps = self.maps(first, second)?;
        let mut total = maps[0].flatten_from(1)?.mean(1)?;
        for map in &maps[1..] {
            total = (total + map.flatten_from(1)?.mean(1)?)?;
        }
        Ok(total)
    }

    /// Where the pictures differ: each tap's map brought to the size of the pictures, and their sum. `[N, 3, H, W]` in
    /// [−1, 1] both → `[N, 1, H, W]` on the CPU, f32. Its mean is not exactly [`Lpips::distances`].
    ///
    /// # Errors
    /// As [`Lpips::distances`].
    pub fn spatial(&self, first: &Tensor, second: &Tensor) -> Result<Tensor> {
        let (_, _, h, w) = first.dims4()?;
        let maps = self.maps(first, second)?;
        let mut total = bilinear(&maps[0], [h, w])?;
        for map in &maps[1..] {
            total = (total + bilinear(map, [h, w])?)?;
        }
        Ok(total)
    }

    /// The weighted squared differences of each tap, `[N, 1, h, w]`.
    fn maps(&self, first: &Tensor, second: &Tensor) -> Result<Vec<Tensor>> {
        check_pictures("LPIPS: first pictures", first, 1)?;
        if first.dims() != second.dims() {
            return Err(Error::shape("LPIPS: second pictures", second.dims(), format!("{:?}", first.dims())));
        }
        self.differences(&self.unit_maps(first)?, &self.unit_maps(second)?)
    }

    /// The maps of the trunk, every pixel's vector of length 1: `[N, 3, H, W]` in [−1, 1] → `[N, C, h, w]` each.
    pub(super) fn unit_maps(&self, pictures: &Tensor) -> Result<Vec<Tensor>> {
        let scale = SCALE.map(|scale| 1.0 / scale);
        let shift: [f64; 3] = std::array::from_fn(|channel| -SHIFT[channel] * scale[channel]);
        self.trunk.taps(&per_channel(pictures, &scale, &shift)?)?.iter().map(unit).collect()
    }

    /// The weighted squared differences of each tap, `[N, 1, h, w]`.
    pub(super) fn differences(&self, first: &[Tensor], second: &[Tensor]) -> Result<Vec<Tensor>> {
        let map = |((first, second), head): ((&Tensor, &Tensor), &Tensor)| -> Result<Tensor> {
            Ok((first - second)?.sqr()?.broadcast_mul(head)?.sum_keepdim(1)?)
        };
        first.iter().zip(second).zip(&self.heads).map(map).collect()
    }
}

pub(super) fn heads_at(scope: &Scope, architecture: Architecture) -> Result<Vec<Tensor>> {
    let head = |(i, &channels): (usize, &usize)| {
        let scope = scope.pp(format!("lin{i}")).pp("model").pp("1");
        scope.param("weight", &[1, channels, 1, 1], Init::Const(0.0))
    };
    architecture.tap_channels().iter().enumerate().map(head).collect()
}
