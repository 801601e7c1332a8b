//! Drawing with PSGAN: characters, which are latents, in poses, which are key points.

use candle_core::Tensor;

use super::{in_chunks, rows, seeds};
use crate::data::batch::Images;
use crate::models::psgan::Psgan;
use crate::nn::progressive::Poses;
use crate::rng::Seed;
use crate::{Error, Result};

impl Psgan {
    /// Pictures of latents `[N, Z]` in as many poses: key points `[N, M, 3]` as
    /// [`Dataset::poses`](crate::data::dataset::Dataset::poses) gives them, x and y as shares of the picture's side.
    ///
    /// # Errors
    /// When they have other shapes, or there are none.
    pub fn draw(&self, z: &Tensor, poses: &Tensor) -> Result<Images> {
        let count = |tensor: &Tensor| tensor.dims().first().copied().unwrap_or(0);
        if count(z) != count(poses) {
            let hint = "For every character in every pose there is `characters`.";
            let found = format!("{} latents, {} poses", count(z), count(poses));
            return Err(Error::invalid("pictures to draw", found, "as many of both", hint));
        }
        let (networks, size) = (self.networks()?, self.config().size());
        let poses = poses.to_device(self.device())?;
        let made = in_chunks("poses to draw", count(z), |range| {
            let poses = Poses::of_shares(&rows(&poses, &range)?, size)?;
            networks.generator().finished(&rows(z, &range)?, Some(&poses))
        })?;
        Images::new(made.clamp(-1f32, 1f32)?)
    }

    /// A fresh character for every pose.
    ///
    /// # Errors
    /// When poses have another shape, or there are none.
    pub fn sample(&self, poses: &Tensor, seed: Seed) -> Result<Images> {
        let n = poses.dims().first().copied().unwrap_or(0);
        self.draw(&seeds::fresh(seed, [n, self.config().network.latent], self.device())?, poses)
    }

    /// Every character in every pose, pose by pose: `grid(characters)` has a row per pose and a column per character, as
    /// the figures of the paper's supplement; [`walk::through`](super::walk::through) makes the characters between two.
    ///
    /// # Errors
    /// When latents or poses have other shapes, or there are none.
    pub fn characters(&self, z: &Tensor, poses: &Tensor) -> Result<Images> {
        let (&[k, latent], &[p, points, 3]) = (z.dims(), poses.dims()) else {
            let found = format!("{:?} and {:?}", z.dims(), poses.dims());
            return Err(Error::invalid("characters and poses", found, "[K, Z] and [P, M, 3]", ""));
        };
        let z = z.unsqueeze(0)?.broadcast_as((p, k, latent))?.reshape((p * k, latent))?;
        let poses = poses.unsqueeze(1)?.broadcast_as((p, k, points, 3))?.reshape((p * k, points, 3))?;
        self.draw(&z, &poses)
    }

    /// One character in a sequence of poses `[P, M, 3]`: the frames of an animation.
    ///
    /// # Errors
    /// When the latent `[1, Z]` or the poses have other shapes.
    pub fn animate(&self, z: &Tensor, poses: &Tensor) -> Result<Images> {
        match z.dims() {
            [1, _] => self.characters(z, poses),
            other => Err(Error::shape("character to animate", other, "[1, Z]")),
        }
    }

    /// The latents of these seeds, as published figures name them: [`seeds::latents`].
    ///
    /// # Errors
    /// When the device has no memory for them.
    pub fn latents(&self, seeds: &[u32]) -> Result<Tensor> {
        seeds::latents(seeds, self.config().network.latent, self.device())
    }
}
