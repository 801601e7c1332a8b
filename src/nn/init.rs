//! How parameters start.

use crate::rng::Stream;

/// How a parameter starts. Numbers come from the stream `init/<full name>`, so that they depend on the seed and the
/// name only, not on the order in which layers are built.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub enum Init {
    /// Every number is this one.
    Const(f64),
    /// Normally distributed.
    Normal {
        /// Mean.
        mean: f64,
        /// Standard deviation.
        std: f64,
    },
    /// Uniform in `[low, high)`.
    Uniform {
        /// Smallest value.
        low: f64,
        /// Bound that is not reached.
        high: f64,
    },
}

impl Init {
    /// PyTorch's default for the weight and the bias of a convolution or a linear layer: uniform in ±1/√`fan_in`
    /// (`kaiming_uniform_` with a = √5), where `fan_in` counts the inputs of one output.
    pub fn fan_in(fan_in: usize) -> Init {
        let bound = 1.0 / (fan_in.max(1) as f64).sqrt();
        Init::Uniform { low: -bound, high: bound }
    }

    pub(super) fn draw(self, stream: &mut Stream) -> f64 {
        match self {
            Init::Const(value) => value,
            Init::Normal { mean, std } => mean + std * stream.normal(),
            Init::Uniform { low, high } => stream.range(low, high),
        }
    }
}

/// How the weight and the bias of one layer start, and whether it has a bias.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Weights {
    /// The weight.
    pub weight: Init,
    /// The bias; `None` for a layer without one.
    pub bias: Option<Init>,
}

impl Weights {
    /// Weights from N(0, `std`), biases 0: DCGAN's rule with `std` 0.02 (Radford et al. 2016, section 3).
    pub fn normal(std: f64) -> Weights {
        Weights { weight: Init::Normal { mean: 0.0, std }, bias: Some(Init::Const(0.0)) }
    }

    /// Weights from N(0, 2 / ((1 + slope²) · `fan_in`)), biases 0: signals keep their size through layers followed by
    /// leaky ReLUs of this slope; slope 1 is a layer followed by nothing (He et al. 2015, arXiv:1502.01852, equations
    /// 10 and 14; PyTorch's `kaiming_normal_`).
    pub fn kaiming(fan_in: usize, slope: f64) -> Weights {
        Weights::normal((2.0 / ((1.0 + slope * slope) * fan_in.max(1) as f64)).sqrt())
    }

    /// Weights uniform with variance 2 / (`fan_in` + `fan_out`), biases 0 (Glorot and Bengio 2010, equation 16; PyTorch's
    /// `xavier_uniform_`).
    pub fn xavier(fan_in: usize, fan_out: usize) -> Weights {
        Weights::uniform((2.0 / (fan_in + fan_out).max(1) as f64).sqrt())
    }

    /// Weights uniform around 0 with this standard deviation, biases 0.
    pub fn uniform(std: f64) -> Weights {
        let bound = std * 3f64.sqrt();
        Weights { weight: Init::Uniform { low: -bound, high: bound }, bias: Some(Init::Const(0.0)) }
    }

    /// PyTorch's default for a layer whose outputs have `fan_in` inputs each.
    pub fn fan_in(fan_in: usize) -> Weights {
        Weights { weight: Init::fan_in(fan_in), bias: Some(Init::fan_in(fan_in)) }
    }

    /// The same without a bias, as before a batch norm.
    pub fn without_bias(self) -> Weights {
        Weights { bias: None, ..self }
    }
}
