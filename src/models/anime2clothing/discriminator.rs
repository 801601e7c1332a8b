//! The discriminators that grow (specs/clothing.md A.2): towers of halvings, three of which make a multi-scale one.

use candle_core::Tensor;

use super::config::{Norm, Shape};
use super::generator::SLOPE;
use crate::nn::conv::{Conv2d, ConvSpec};
use crate::nn::init::{Init, Weights};
use crate::nn::norm::{InstanceNorm, Mode};
use crate::nn::params::Scope;
use crate::nn::progressive::Level;
use crate::nn::progressive::equal::{Equal, EqualConv2d};
use crate::nn::progressive::level::lerp;
use crate::nn::spectral::SpectralConv2d;
use crate::ops::activation::leaky_relu;
use crate::ops::minibatch::minibatch_deviation_map;
use crate::ops::resample::avg_pool2d;
use crate::{Error, Result};

/// Epsilon of the instance norms.
const EPSILON: f64 = 1e-5;

/// What a tower says.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// Scores `[N, 1, h, w]`, one for each patch.
    pub scores: Tensor,
    /// The features after each halving, from the highest resolution down; none while they fade in.
    pub features: Vec<Tensor>,
}

/// How pictures get to the towers of a multi-scale discriminator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Each tower sees the picture at a quarter of the size of the one before: every answer is about the whole picture.
    Pyramid,
    /// All see the picture as it is, with fewer halvings: answers are about ever smaller patches.
    Patches,
}

/// One or three towers.
#[derive(Clone, Debug)]
pub struct Scales {
    towers: Vec<Tower>,
    reach: Reach,
}

/// A stack of halvings (the authors' `lod_layers_`), entered at the level of the resolution that is trained. Parameters:
/// `rgb_layers_.<i>.0`, `lod_layers_.<i>.{0,2}`, and `lod_layers_.<last>.{1,3,5}`.
#[derive(Clone, Debug)]
struct Tower {
    /// Side of the pictures at which the whole tower is used, in the units of [`Shape::resolution`].
    base: usize,
    from_rgb: Vec<Layer>,
    /// From the highest resolution down.
    halvings: Vec<[Layer; 2]>,
    head: [Layer; 2],
    /// Neither normalised nor activated.
    last: Conv2d,
}

/// A convolution, normalised in one of three ways.
#[derive(Clone, Debug)]
enum Layer {
    Spectral(SpectralConv2d),
    Instance { conv: Conv2d, norm: Option<InstanceNorm> },
    Equalized { conv: EqualConv2d, spec: ConvSpec },
}

/// A layer for the forward passes of one loss.
struct Ready<'a> {
    conv: Conv2d,
    norm: Option<&'a InstanceNorm>,
}

impl Layer {
    fn new(
        scope: &Scope,
        [inputs, outputs]: [usize; 2],
        k: usize,
        spec: ConvSpec,
        norm: Norm,
        normalised: bool,
    ) -> Result<Layer> {
        let plain = Weights::normal(0.02).without_bias();
        Ok(match norm {
            Norm::Spectral { published_start } => {
                let init = if published_start { Init::fan_in(inputs * k * k) } else { plain.weight };
                Layer::Spectral(SpectralConv2d::new(scope, inputs, outputs, k, spec, init)?)
            }
            Norm::Instance => Layer::Instance {
                conv: Conv2d::new(scope, inputs, outputs, k, spec, plain)?,
                norm: normalised.then(|| InstanceNorm::plain(outputs, EPSILON)),
            },
            Norm::Equalized => {
                Layer::Equalized { conv: EqualConv2d::new(scope, inputs, outputs, k, Equal::relu())?, spec }
            }
        })
    }

    fn ready(&self, mode: Mode) -> Result<Ready<'_>> {
        Ok(match self {
            Layer::Spectral(layer) => Ready { conv: layer.layer(mode)?, norm: None },
            Layer::Instance { conv, norm } => Ready { conv: conv.clone(), norm: norm.as_ref() },
            Layer::Equalized { conv, spec } => {
                Ready { conv: Conv2d::of(conv.weight()?, Some(conv.bias()?), *spec), norm: None }
            }
        })
    }
}

impl Ready<'_> {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let y = self.conv.forward(x)?;
        let y = match self.norm {
            // A single number would become 0.
            Some(norm) if y.dims()[2..] != [1, 1] => norm.forward(&y)?,
            _ => y,
        };
        leaky_relu(&y, SLOPE)
    }
}

impl Tower {
    fn new(shape: &Shape, base: usize, inputs: usize, norm: Norm, scope: &Scope) -> Result<Tower> {
        let levels = base.ilog2() as usize - 1;
        let channels = |level: usize| shape.judge_features(level);
        let (heads, blocks) = (scope.pp("rgb_layers_"), scope.pp("lod_layers_"));
        let enter = |i: usize| {
            let scope = heads.pp(i.to_string()).pp("0");
            Layer::new(&scope, [inputs, channels(levels - i)], 1, ConvSpec::default(), norm, false)
        };
        let halving = |i: usize| -> Result<[Layer; 2]> {
            let (scope, level) = (blocks.pp(i.to_string()), levels - i);
            let conv = |at: &str, from: usize, to: usize| {
                Layer::new(&scope.pp(at), [from, to], 3, ConvSpec::padded(1), norm, true)
            };
            let (from, to) = (channels(level), channels(level - 1));
            Ok([conv("0", from, to)?, conv("2", to, to)?])
        };
        let (scope, c1, c0) = (blocks.pp((levels - 1).to_string()), channels(1), channels(0));
        Ok(Tower {
            base,
            from_rgb: (0..levels).map(enter).collect::<Result<_>>()?,
            halvings: (0..levels - 1).map(halving).collect::<Result<_>>()?,
            head: [
                Layer::new(&scope.pp("1"), [c1 + 1, c1], 3, ConvSpec::padded(1), norm, true)?,
                Layer::new(&scope.pp("3"), [c1, c0], 4, ConvSpec::default(), norm, true)?,
            ],
            last: Conv2d::new(&scope.pp("5"), c0, 1, 1, ConvSpec::default(), Weights::normal(0.02).without_bias())?,
        })
    }

    /// The tower at the level of `side` pixels, at which the whole of it is used for pictures of `base` pixels.
    fn ready(&self, side: usize, old: f64, mode: Mode) -> Result<ReadyTower<'_>> {
        let first = self.base.ilog2().saturating_sub(side.ilog2()) as usize;
        let halvings = self.halvings[first.min(self.halvings.len())..].iter();
        let entered = if old > 0.0 { first..first + 2 } else { first..first + 1 };
        let [one, two] = &self.head;
        Ok(ReadyTower {
            old,
            from_rgb: self.from_rgb[entered].iter().map(|layer| layer.ready(mode)).collect::<Result<_>>()?,
            halvings: halvings.map(|[one, two]| Ok([one.ready(mode)?, two.ready(mode)?])).collect::<Result<_>>()?,
            head: [one.ready(mode)?, two.ready(mode)?],
            last: self.last.clone(),
        })
    }
}

struct ReadyTower<'a> {
    old: f64,
    /// Of this level, and of the one below while it fades in.
    from_rgb: Vec<Ready<'a>>,
    halvings: Vec<[Ready<'a>; 2]>,
    head: [Ready<'a>; 2],
    last: Conv2d,
}

impl ReadyTower<'_> {
    fn forward(&self, pictures: &Tensor) -> Result<Verdict> {
        let mut features = Vec::with_capacity(self.halvings.len());
        let mut x = self.from_rgb[0].forward(pictures)?;
        for (i, [one, two]) in self.halvings.iter().enumerate() {
            x = avg_pool2d(&two.forward(&one.forward(&x)?)?, 2)?;
            match self.from_rgb.get(1) {
                // The mean comes after the 1×1 convolution here, not before it as in Progressive GAN.
                Some(below) if i == 0 => x = lerp(&x, &avg_pool2d(&below.forward(pictures)?, 2)?, self.old)?,
                _ => features.push(x.clone()),
            }
        }
        let [one, two] = &self.head;
        let x = two.forward(&one.forward(&minibatch_deviation_map(&x)?)?)?;
        Ok(Verdict { scores: self.last.forward(&x)?, features })
    }
}

impl Scales {
    /// `count` towers (1 or 3) for pictures of `inputs` channels, named as in the authors' weights: `big_model`,
    /// `middle_model`, `small_model`, whose first levels are those of the shape's resolution, of a quarter and of a
    /// sixteenth of it.
    ///
    /// # Errors
    /// When the shape cannot be built, or the store holds a parameter with another shape.
    pub fn new(shape: &Shape, inputs: usize, count: usize, reach: Reach, norm: Norm, scope: &Scope) -> Result<Scales> {
        shape.check()?;
        let bases = (0..count).map(|i| shape.resolution >> (2 * i)).filter(|&base| base >= 4);
        let towers = bases.zip(["big_model", "middle_model", "small_model"]);
        let towers = towers.map(|(base, name)| Tower::new(shape, base, inputs, norm, &scope.pp(name)));
        Ok(Scales { towers: towers.collect::<Result<_>>()?, reach })
    }

    /// The discriminator at one level for the forward passes of one loss, of which each then costs no normalisation of
    /// weights: in training the singular vectors move once here, where the authors' code moves them with every pass.
    ///
    /// # Errors
    /// When memory runs out.
    pub fn at(&self, level: Level, mode: Mode) -> Result<Judge<'_>> {
        let mut towers = Vec::with_capacity(self.towers.len());
        for (i, tower) in self.towers.iter().enumerate() {
            let side = level.resolution >> (2 * i);
            // The old way leads over half the resolution, which has to have a level too.
            let smallest = if level.old() > 0.0 { side / 2 } else { side };
            if smallest >= 4 {
                towers.push(tower.ready(side, level.old(), mode)?);
            }
        }
        if towers.is_empty() {
            let expected = "a resolution from 4 px on, from 8 px on while it fades in";
            return Err(Error::invalid("discriminator: level", format!("{level:?}"), expected, ""));
        }
        Ok(Judge { towers, reach: self.reach })
    }
}

/// A [`Scales`] at one level.
pub struct Judge<'a> {
    towers: Vec<ReadyTower<'a>>,
    reach: Reach,
}

impl std::fmt::Debug for Judge<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Judge({} towers, {:?})", self.towers.len(), self.reach)
    }
}

impl Judge<'_> {
    /// What each tower that is in use says about pictures `[N, C, r, r]`.
    ///
    /// # Errors
    /// When the pictures do not fit.
    pub fn forward(&self, pictures: &Tensor) -> Result<Vec<Verdict>> {
        let mut seen = pictures.clone();
        let mut verdicts = Vec::with_capacity(self.towers.len());
        for (i, tower) in self.towers.iter().enumerate() {
            if i > 0 && self.reach == Reach::Pyramid {
                seen = avg_pool2d(&seen, 4)?;
            }
            verdicts.push(tower.forward(&seen)?);
        }
        Ok(verdicts)
    }
}
