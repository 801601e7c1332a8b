//! One style per layer: mixing (section 3.1) and truncation (appendix B).

use std::ops::Range;

use candle_core::Tensor;

use crate::nn::progressive::level::lerp;
use crate::{Error, Result};

/// Styles `[N, W]` of every layer of a synthesis network, from 4 px on, two a resolution.
#[derive(Clone, Debug)]
pub struct Styles {
    layers: Vec<Tensor>,
}

/// How far styles are drawn towards their mean.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Truncation {
    /// ψ: 1 leaves styles as they are, 0 gives the mean picture, below 0 their opposites.
    pub psi: f64,
    /// The first layer that is left as it is; `None` for no such layer.
    pub cutoff: Option<usize>,
}

impl Default for Truncation {
    /// The paper's figures: ψ 0.7 up to 32 px, 8 layers.
    fn default() -> Self {
        Truncation { psi: 0.7, cutoff: Some(8) }
    }
}

impl Styles {
    /// One style w `[N, W]` for `layers` layers.
    pub fn of(w: &Tensor, layers: usize) -> Styles {
        Styles { layers: vec![w.clone(); layers] }
    }

    /// A style `[N, W]` for each layer.
    pub(crate) fn of_layers(layers: Vec<Tensor>) -> Styles {
        Styles { layers }
    }

    /// The style of each layer, `[N, W]`.
    pub fn layers(&self) -> &[Tensor] {
        &self.layers
    }

    /// These styles with those of `other` in a range of layers: 0..4 coarse, 4..8 middle, from 8 on fine in the paper.
    ///
    /// # Errors
    /// When the numbers of layers or of styles differ, or the range goes beyond the last layer.
    pub fn mixed(&self, other: &Styles, range: Range<usize>) -> Result<Styles> {
        let shape = |styles: &Styles| styles.layers.iter().map(|layer| layer.dims().to_vec()).collect::<Vec<_>>();
        if shape(self) != shape(other) || range.end > self.layers.len() || range.start > range.end {
            let found = format!("layers {range:?} of {} from {}", self.layers.len(), other.layers.len());
            return Err(Error::invalid("style mixing", found, "layers that both have, of as many styles", ""));
        }
        let mut layers = self.layers.clone();
        layers[range.clone()].clone_from_slice(&other.layers[range]);
        Ok(Styles { layers })
    }

    /// Styles drawn towards `mean` `[W]`: mean + ψ·(w − mean).
    ///
    /// # Errors
    /// When the mean has another length, or ψ is not finite.
    pub fn truncated(&self, mean: &Tensor, truncation: Truncation) -> Result<Styles> {
        let Truncation { psi, cutoff } = truncation;
        if !psi.is_finite() {
            return Err(Error::invalid("truncation: psi", psi.to_string(), "a finite number", ""));
        }
        let bound = cutoff.unwrap_or(usize::MAX);
        let towards = |(i, layer): (usize, &Tensor)| -> Result<Tensor> {
            if i >= bound {
                return Ok(layer.clone());
            }
            lerp(&mean.broadcast_as(layer.shape())?.contiguous()?, layer, psi)
        };
        Ok(Styles { layers: self.layers.iter().enumerate().map(towards).collect::<Result<_>>()? })
    }
}
