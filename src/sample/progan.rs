//! Drawing with Progressive GAN.

use candle_core::Tensor;

use super::{in_chunks, rows, seeds};
use crate::Result;
use crate::data::batch::Images;
use crate::models::baselines::progan::Progan;
use crate::rng::Seed;

impl Progan {
    /// Pictures of these latents `[N, Z]`, one each.
    ///
    /// # Errors
    /// When they have another length, or there are none.
    pub fn draw(&self, z: &Tensor) -> Result<Images> {
        let networks = self.networks()?;
        let made = in_chunks("latents to draw", z.dims().first().copied().unwrap_or(0), |range| {
            networks.generator().finished(&rows(z, &range)?, None)
        })?;
        Images::new(made.clamp(-1f32, 1f32)?)
    }

    /// `n` fresh pictures.
    ///
    /// # Errors
    /// When `n` is 0.
    pub fn sample(&self, n: usize, seed: Seed) -> Result<Images> {
        self.draw(&seeds::fresh(seed, [n, self.config().network.latent], self.device())?)
    }

    /// The latents of these seeds, as published figures name them: [`seeds::latents`].
    ///
    /// # Errors
    /// When the device has no memory for them.
    pub fn latents(&self, seeds: &[u32]) -> Result<Tensor> {
        seeds::latents(seeds, self.config().network.latent, self.device())
    }
}
