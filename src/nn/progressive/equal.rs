//! Layers with an equalised learning rate (Karras et al. 2018, section 4.1): weights start from N(0, 1) and are
//! multiplied by √2/√fan-in whenever they are used, so that an optimizer that divides by the size of gradients moves all
//! of them at one pace.

use candle_core::Tensor;

use crate::Result;
use crate::nn::conv::{Conv2d, ConvSpec};
use crate::nn::init::Init;
use crate::nn::linear::Linear;
use crate::nn::params::Scope;
use crate::ops::arithmetic::affine;

/// How a layer's numbers are scaled.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Equal {
    /// Weights are multiplied by gain/√fan-in.
    pub gain: f64,
    /// Multiplier of the learning rate (Karras et al. 2019, appendix C, 0.01 in the mapping network): weights start that
    /// much larger, and weights and biases are multiplied by it.
    pub rate: f64,
}

impl Equal {
    /// A layer that a leaky ReLU follows: gain √2.
    pub fn relu() -> Equal {
        Equal::linear(std::f64::consts::SQRT_2)
    }

    /// A layer with this gain.
    pub fn linear(gain: f64) -> Equal {
        Equal { gain, rate: 1.0 }
    }

    /// With another multiplier of the learning rate.
    pub fn rate(self, rate: f64) -> Equal {
        Equal { rate, ..self }
    }

    fn start(self) -> Init {
        Init::Normal { mean: 0.0, std: 1.0 / self.rate }
    }

    fn factor(self, fan_in: usize) -> f64 {
        self.gain * self.rate / (fan_in.max(1) as f64).sqrt()
    }
}

/// A parameter and what it is multiplied by.
#[derive(Clone, Debug)]
struct Scaled {
    parameter: Tensor,
    factor: f64,
}

impl Scaled {
    fn value(&self) -> Result<Tensor> {
        match self.factor {
            1.0 => Ok(self.parameter.clone()),
            factor => affine(&self.parameter, factor, 0.0),
        }
    }
}

/// A convolution of stride 1 that keeps the size. Parameters: `weight` `[out, in, k, k]` and `bias` `[out]`, which starts
/// from 0.
#[derive(Clone, Debug)]
pub struct EqualConv2d {
    weight: Scaled,
    bias: Scaled,
    padding: usize,
}

impl EqualConv2d {
    /// A layer from `inputs` to `outputs` channels with a kernel of side `k` (odd), its parameters taken from `scope`.
    ///
    /// # Errors
    /// When the store holds these names with other shapes.
    pub fn new(scope: &Scope, inputs: usize, outputs: usize, k: usize, equal: Equal) -> Result<EqualConv2d> {
        let weight = scope.weight("weight", &[outputs, inputs, k, k], equal.start())?;
        let bias = scope.param("bias", &[outputs], Init::Const(0.0))?;
        Ok(EqualConv2d {
            weight: Scaled { parameter: weight, factor: equal.factor(inputs * k * k) },
            bias: Scaled { parameter: bias, factor: equal.rate },
            padding: k / 2,
        })
    }

    /// The layer as it stands, to be applied to a tensor or a dual number.
    ///
    /// # Errors
    /// When memory runs out.
    pub fn layer(&self) -> Result<Conv2d> {
        Ok(Conv2d::of(self.weight()?, Some(self.bias()?), ConvSpec::padded(self.padding)))
    }

    /// `[N, in, H, W]` → `[N, out, H, W]`.
    ///
    /// # Errors
    /// When `x` has another number of channels.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.layer()?.forward(x)
    }

    /// `[out, in, k, k]`, as the layer multiplies by it.
    ///
    /// # Errors
    /// When memory runs out.
    pub fn weight(&self) -> Result<Tensor> {
        self.weight.value()
    }

    /// `[out]`, as the layer adds it.
    ///
    /// # Errors
    /// When memory runs out.
    pub fn bias(&self) -> Result<Tensor> {
        self.bias.value()
    }
}

/// y = x Wᵀ + b. Parameters: `weight` `[out, in]` and `bias` `[out]`.
#[derive(Clone, Debug)]
pub struct EqualLinear {
    weight: Scaled,
    bias: Scaled,
}

impl EqualLinear {
    /// A layer from `inputs` to `outputs` features, its parameters taken from `scope`; the bias starts from 0.
    ///
    /// # Errors
    /// When the store holds these names with other shapes.
    pub fn new(scope: &Scope, inputs: usize, outputs: usize, equal: Equal) -> Result<EqualLinear> {
        EqualLinear::with_biases(scope, inputs, outputs, outputs, equal)
    }

    /// A layer with one bias per feature map: `outputs` features in `maps` maps, so that [`EqualLinear::bias`] is `[maps]`
    /// and is added once the features stand in their maps. [`EqualLinear::layer`] does not fit such a layer.
    ///
    /// # Errors
    /// When the store holds these names with other shapes.
    pub fn with_biases(scope: &Scope, inputs: usize, outputs: usize, maps: usize, equal: Equal) -> Result<EqualLinear> {
        let weight = scope.weight("weight", &[outputs, inputs], equal.start())?;
        let bias = scope.param("bias", &[maps], Init::Const(0.0))?;
        Ok(EqualLinear {
            weight: Scaled { parameter: weight, factor: equal.factor(inputs) },
            bias: Scaled { parameter: bias, factor: equal.rate },
        })
    }

    /// The layer as it stands, to be applied to a tensor or a dual number.
    ///
    /// # Errors
    /// When memory runs out.
    pub fn layer(&self) -> Result<Linear> {
        Ok(Linear::of(self.weight.value()?, Some(self.bias()?)))
    }

    /// `[N, in]` → `[N, out]`.
    ///
    /// # Errors
    /// When `x` is not of that shape.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.layer()?.forward(x)
    }

    /// `[N, in]` → `[N, out]` without the bias.
    ///
    /// # Errors
    /// When `x` is not of that shape.
    pub fn forward_linear(&self, x: &Tensor) -> Result<Tensor> {
        Linear::of(self.weight.value()?, None).forward(x)
    }

    /// As the layer adds it: `[out]`, or one per feature map.
    ///
    /// # Errors
    /// When memory runs out.
    pub fn bias(&self) -> Result<Tensor> {
        self.bias.value()
    }
}
