//! Both networks of the generator, and what is known of their styles.

use candle_core::{Device, Tensor, Var};

use super::config::StyleganConfig;
use super::mapping::Mapping;
use super::styles::{Styles, Truncation};
use super::synthesis::{Noise, Synthesis};
use crate::Result;
use crate::nn::params::Scope;
use crate::nn::progressive::Level;
use crate::nn::progressive::level::Reached;

/// From a latent vector to a picture. Parameters: `mapping`, `synthesis`; buffers: `w_mean`, the running mean of styles,
/// and `lod`, how many doublings are missing to the finished pictures at this point of the training.
#[derive(Clone, Debug)]
pub struct Generator {
    mapping: Mapping,
    synthesis: Synthesis,
    mean: Var,
    reached: Reached,
    mean_decay: f64,
    device: Device,
}

impl Generator {
    /// The network of `config`, its parameters taken from `scope` (which stands at `g`).
    ///
    /// # Errors
    /// When the store holds a parameter with another shape.
    pub fn new(config: &StyleganConfig, scope: &Scope) -> Result<Generator> {
        let latent = config.network.latent;
        Ok(Generator {
            mapping: Mapping::new(config, &scope.pp("mapping"))?,
            synthesis: Synthesis::new(&config.network, &scope.pp("synthesis"))?,
            mean: scope.buffer("w_mean", &[latent], 0.0)?,
            reached: Reached::new(config.network.resolution, scope)?,
            mean_decay: config.mean_decay,
            device: scope.device().clone(),
        })
    }

    /// Where the parameters are.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// From latents to styles.
    pub fn mapping(&self) -> &Mapping {
        &self.mapping
    }

    /// From styles to pictures.
    pub fn synthesis(&self) -> &Synthesis {
        &self.synthesis
    }

    /// The running mean of styles, `[W]`.
    pub fn mean(&self) -> Tensor {
        self.mean.as_detached_tensor()
    }

    /// How far the network has grown, as training has left it; the finished size for one that was never trained.
    ///
    /// # Errors
    /// When the device refuses to copy.
    pub fn level(&self) -> Result<Level> {
        self.reached.level()
    }

    /// Writes down how far the network has grown, for those who use it later.
    ///
    /// # Errors
    /// When the device refuses.
    pub fn set_level(&self, level: Level) -> Result<()> {
        self.reached.set(level)
    }

    /// Moves the running mean towards the mean of these styles `[N, W]`.
    ///
    /// # Errors
    /// When the shapes do not fit.
    pub fn follow(&self, w: &Tensor) -> Result<()> {
        let batch = w.detach().mean(0)?.to_dtype(self.mean.dtype())?;
        crate::ops::adam::lerp(self.mean.as_tensor(), &batch, 1.0 - self.mean_decay)
    }

    /// Styles of latents z `[N, Z]` for all layers, drawn towards the mean if asked.
    ///
    /// # Errors
    /// When z has another shape.
    pub fn styles(&self, z: &Tensor, truncation: Option<Truncation>) -> Result<Styles> {
        let styles = Styles::of(&self.mapping.forward(z)?, self.synthesis.layers());
        match truncation {
            None => Ok(styles),
            Some(truncation) => styles.truncated(&self.mean(), truncation),
        }
    }

    /// Pictures of styles at the network's own [`level`](Generator::level), every pixel repeated up to the finished size,
    /// `[N, 3, H, W]`, about in [−1, 1].
    ///
    /// # Errors
    /// When the shapes do not fit.
    pub fn draw(&self, styles: &Styles, noise: &Noise) -> Result<Tensor> {
        self.reached.finished(|level| self.synthesis.forward(styles, noise, level))
    }
}
