//! The U-Net (specs/clothing.md A.1): all halvings whatever the resolution, as many doublings as it takes.

use candle_core::Tensor;

use super::config::Shape;
use crate::nn::conv::{Conv2d, ConvSpec};
use crate::nn::init::{Init, Weights};
use crate::nn::norm::{BatchNorm, Mode, NormSpec};
use crate::nn::params::Scope;
use crate::nn::progressive::Level;
use crate::nn::progressive::level::lerp;
use crate::ops::activation::{leaky_relu, tanh};
use crate::ops::resample::{avg_pool2d, upsample_nearest};
use crate::{Error, Result};

/// Slope of all leaky ReLUs of the method.
pub(super) const SLOPE: f64 = 0.2;

/// From a picture at full size to a picture of any resolution up to it. Parameters as in the authors' published weights:
/// `inc.conv.{0,1,3,4}`, `down<i>.mpconv.{1,2,4,5}`, `up<i>.conv.{1,2,4,5}` and `rgb_layer<r>.rgb_layers_.0`, without
/// biases in convolutions.
#[derive(Clone, Debug)]
pub struct UNet {
    shape: Shape,
    stem: Twice,
    down: Vec<Twice>,
    up: Vec<Twice>,
    /// From 4 px on.
    to_rgb: Vec<Conv2d>,
}

/// Two times a convolution, batch norm and leaky ReLU.
#[derive(Clone, Debug)]
struct Twice {
    convs: [Conv2d; 2],
    norms: [BatchNorm; 2],
}

impl Twice {
    /// `first` is the number of the first convolution in the authors' list of layers.
    fn new(scope: &Scope, first: usize, inputs: usize, outputs: usize) -> Result<Twice> {
        let conv = |at: usize, inputs: usize| {
            Conv2d::new(&scope.pp(at.to_string()), inputs, outputs, 3, ConvSpec::padded(1), weights())
        };
        let scale = Init::Normal { mean: 1.0, std: 0.02 };
        let norm = |at: usize| {
            BatchNorm::new(&scope.pp(at.to_string()), outputs, NormSpec { weight: scale, ..NormSpec::default() })
        };
        Ok(Twice {
            convs: [conv(first, inputs)?, conv(first + 3, outputs)?],
            norms: [norm(first + 1)?, norm(first + 4)?],
        })
    }

    fn forward(&self, x: &Tensor, mode: Mode) -> Result<Tensor> {
        let mut x = x.clone();
        for (conv, norm) in self.convs.iter().zip(&self.norms) {
            x = leaky_relu(&norm.forward(&conv.forward(&x)?, mode)?, SLOPE)?;
        }
        Ok(x)
    }
}

fn weights() -> Weights {
    Weights::normal(0.02).without_bias()
}

impl UNet {
    /// The network of `shape`, its parameters taken from `scope`.
    ///
    /// # Errors
    /// When the shape cannot be built, or the store holds a parameter with another shape.
    pub fn new(shape: &Shape, scope: &Scope) -> Result<UNet> {
        shape.check()?;
        let side = shape.resolution;
        let stem = Twice::new(&scope.pp("inc").pp("conv"), 0, 3, shape.features(side))?;
        let mut down = Vec::new();
        let mut at = side;
        while at > 2 {
            let scope = scope.pp(format!("down{}", down.len())).pp("mpconv");
            down.push(Twice::new(&scope, 1, shape.features(at), shape.features(at / 2))?);
            at /= 2;
        }
        let mut up = Vec::new();
        while at < side {
            // The features of the encoder come in at the low resolution, but not at the lowest. There is no "up1".
            let (inputs, number) = match up.len() {
                0 => (shape.features(2), 0),
                n => (2 * shape.features(at), n + 1),
            };
            up.push(Twice::new(&scope.pp(format!("up{number}")).pp("conv"), 1, inputs, shape.features(at * 2))?);
            at *= 2;
        }
        let to_rgb = |r: usize| {
            let scope = scope.pp(format!("rgb_layer{r}")).pp("rgb_layers_").pp("0");
            Conv2d::new(&scope, shape.features(r), 3, 1, ConvSpec::default(), weights())
        };
        let to_rgb = shape.resolutions().map(to_rgb).collect::<Result<_>>()?;
        Ok(UNet { shape: shape.clone(), stem, down, up, to_rgb })
    }

    /// Pictures `[N, 3, R, R]` in [−1, 1] at full size R → `[N, 3, r, r]` in [−1, 1] at the level's resolution r. While it
    /// fades in, the way over half the resolution is mixed to it after both tanh.
    ///
    /// # Errors
    /// When the pictures have another size, or the network does not have this level.
    pub fn forward(&self, pictures: &Tensor, level: Level, mode: Mode) -> Result<Tensor> {
        let side = self.shape.resolution;
        self.shape.check_level(level)?;
        if pictures.rank() != 4 || pictures.dims()[1..] != [3, side, side] {
            return Err(Error::shape("U-Net: pictures", pictures.dims(), format!("[N, 3, {side}, {side}]")));
        }
        let mut x = self.stem.forward(pictures, mode)?;
        let mut kept = Vec::with_capacity(self.down.len());
        for block in &self.down {
            x = block.forward(&avg_pool2d(&x, 2)?, mode)?;
            kept.push(x.clone());
        }
        let doublings = level.resolution.ilog2() as usize - 1;
        let mut old = None;
        // The lowest features are the input, not a skip.
        kept.pop();
        for (i, block) in self.up[..doublings].iter().enumerate() {
            if i > 0 {
                let skip = kept.pop().ok_or_else(|| Error::shape("U-Net: skips", &[i], "one a doubling"))?;
                x = Tensor::cat(&[&skip, &x], 1)?;
            }
            x = block.forward(&upsample_nearest(&x, 2)?, mode)?;
            if i + 2 == doublings && level.old() > 0.0 {
                old = Some(upsample_nearest(&self.picture(&x, i)?, 2)?);
            }
        }
        let new = self.picture(&x, doublings - 1)?;
        match old {
            Some(old) => lerp(&new, &old, level.old()),
            None => Ok(new),
        }
    }

    fn picture(&self, x: &Tensor, at: usize) -> Result<Tensor> {
        tanh(&self.to_rgb[at].forward(x)?)
    }
}
