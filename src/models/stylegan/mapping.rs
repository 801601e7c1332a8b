//! From a latent vector to a style (section 2, figure 1b, left).

use candle_core::Tensor;

use super::config::StyleganConfig;
use crate::nn::params::Scope;
use crate::nn::progressive::equal::{Equal, EqualLinear};
use crate::nn::progressive::{PIXEL_NORM_EPSILON, SLOPE};
use crate::ops::activation::Activation;
use crate::ops::epilogue::bias_activation;
use crate::ops::norm::pixel_norm;
use crate::{Error, Result};

/// Dense layers with leaky ReLUs. Parameters: `<layer>.{weight, bias}` from 0 on.
#[derive(Clone, Debug)]
pub struct Mapping {
    layers: Vec<EqualLinear>,
    latent: usize,
}

impl Mapping {
    /// The network of `config`, its parameters taken from `scope`.
    ///
    /// # Errors
    /// When the store holds a parameter with another shape.
    pub fn new(config: &StyleganConfig, scope: &Scope) -> Result<Mapping> {
        let (latent, equal) = (config.network.latent, Equal::relu().rate(config.mapping_rate));
        let layer = |i: usize| EqualLinear::new(&scope.pp(i.to_string()), latent, latent, equal);
        Ok(Mapping { layers: (0..config.mapping_layers).map(layer).collect::<Result<_>>()?, latent })
    }

    /// z `[N, Z]`, standard normal → w `[N, Z]`.
    ///
    /// # Errors
    /// When z has another shape.
    pub fn forward(&self, z: &Tensor) -> Result<Tensor> {
        let n = z.dims().first().copied().unwrap_or(0);
        if z.dims() != [n, self.latent] {
            return Err(Error::shape("mapping: z", z.dims(), format!("[N, {}]", self.latent)));
        }
        let mut w = pixel_norm(z, PIXEL_NORM_EPSILON)?;
        for layer in &self.layers {
            w = bias_activation(&layer.forward_linear(&w)?, &layer.bias()?, Activation::LeakyRelu(SLOPE))?;
        }
        Ok(w)
    }
}
