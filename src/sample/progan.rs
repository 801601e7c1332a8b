//! Drawing with Progressive GAN.

use candle_core::Tensor;

use super::{in_chunks, rows, seeds};
use crate::data::batch::Images;
use crate::models::baselines::progan::Progan;
use crate::models::classes::{in_turn, joined};
use crate::rng::Seed;
use crate::{Error, Result};

impl Progan {
    /// Pictures of these latents `[N, Z]`, one each; where the model has classes, of one after the other.
    ///
    /// # Errors
    /// When they have another length, or there are none.
    pub fn draw(&self, z: &Tensor) -> Result<Images> {
        self.draw_joined(&in_turn(self.config().classes.as_ref(), z)?)
    }

    /// Pictures of these latents `[N, Z]`, all of one class ("green hair").
    ///
    /// # Errors
    /// As [`draw`](Progan::draw), or when the model has no classes, or others.
    pub fn draw_class(&self, z: &Tensor, class: &str) -> Result<Images> {
        let Some(classes) = &self.config().classes else {
            let hint = "Train one with classes: `Progan::tiny().labelled(faces.tags(), \"hair colour\")`.";
            return Err(Error::invalid("class", format!("\"{class}\""), "no class: the model has none", hint));
        };
        let numbers = vec![classes.number(class)?; z.dims().first().copied().unwrap_or(0)];
        self.draw_joined(&joined(z, Some(&classes.rows(&numbers, z)?))?)
    }

    fn draw_joined(&self, z: &Tensor) -> Result<Images> {
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
