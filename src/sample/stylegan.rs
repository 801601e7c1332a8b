//! Drawing with StyleGAN: latents, styles, noise.

use candle_core::{Device, Tensor};

use super::{in_chunks, rows, seeds};
use crate::Result;
use crate::data::batch::Images;
use crate::models::stylegan::{Noise, Stylegan, Styles, Synthesis, Truncation};
use crate::rng::Seed;

/// The noise that layers add to pictures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NoiseMode {
    /// The network's own, the same for every picture.
    #[default]
    Const,
    /// Fresh for every picture.
    Random(Seed),
    /// None.
    Off,
}

impl Stylegan {
    /// The latents of these seeds `[N, Z]`, as published figures name them: [`seeds::latents`].
    ///
    /// # Errors
    /// When the device has no memory for them.
    pub fn latents(&self, seeds: &[u32]) -> Result<Tensor> {
        seeds::latents(seeds, self.config().network.latent, self.device())
    }

    /// Styles of latents `[N, Z]`, drawn towards the mean if asked.
    ///
    /// # Errors
    /// When latents have another length, or ψ is not finite.
    pub fn styles(&self, z: &Tensor, truncation: Option<Truncation>) -> Result<Styles> {
        self.networks()?.generator().styles(z, truncation)
    }

    /// Pictures of styles, one each.
    ///
    /// # Errors
    /// When the styles are not of this network, or there are none.
    pub fn draw(&self, styles: &Styles, noise: NoiseMode) -> Result<Images> {
        match noise {
            NoiseMode::Const => self.draw_with(styles, 0..self.layers()),
            NoiseMode::Off => self.draw_with(styles, 0..0),
            NoiseMode::Random(seed) => {
                let networks = self.networks()?;
                let (generator, mut stream) = (networks.generator(), seed.stream("noise"));
                let numbers = Synthesis::noise_len(generator.level()?);
                let made = in_chunks("styles to draw", styles.len(), |range| {
                    let drawn = stream.normal_tensor(&[range.len(), numbers], &Device::Cpu)?;
                    generator.draw(&styles.rows(&range)?, &Noise::Drawn(&drawn.to_device(self.device())?))
                })?;
                Images::new(made.clamp(-1f32, 1f32)?)
            }
        }
    }

    /// Pictures of styles with the network's own noise in a range of layers only.
    ///
    /// # Errors
    /// As [`draw`](Stylegan::draw).
    pub fn draw_with(&self, styles: &Styles, layers: std::ops::Range<usize>) -> Result<Images> {
        let networks = self.networks()?;
        let noise = Noise::Fixed(layers);
        let made = in_chunks("styles to draw", styles.len(), |range| {
            networks.generator().draw(&styles.rows(&range)?, &noise)
        })?;
        Images::new(made.clamp(-1f32, 1f32)?)
    }

    /// Layers of the synthesis network, each with a style.
    pub fn layers(&self) -> usize {
        2 * (self.config().size().max(4).ilog2() as usize - 1)
    }

    /// The pictures of these seeds with the network's own noise.
    ///
    /// # Errors
    /// When there are no seeds, or ψ is not finite.
    pub fn of_seeds(&self, seeds: &[u32], truncation: Option<Truncation>) -> Result<Images> {
        let captions = seeds.iter().map(|seed| format!("seed {seed}")).collect();
        self.draw(&self.styles(&self.latents(seeds)?, truncation)?, NoiseMode::Const)?.with_captions(captions)
    }

    /// `n` fresh pictures, not truncated, with noise of their own.
    ///
    /// # Errors
    /// When `n` is 0.
    pub fn sample(&self, n: usize, seed: Seed) -> Result<Images> {
        let z = seeds::fresh(seed, [n, self.config().network.latent], self.device())?;
        self.draw(&self.styles(&z, None)?, NoiseMode::Random(seed.child("layers")))
    }

    /// The picture of the mean style, which ψ = 0 gives for every latent.
    ///
    /// # Errors
    /// When the device has no memory for it.
    pub fn mean_picture(&self) -> Result<Images> {
        let mean = self.networks()?.generator().mean().unsqueeze(0)?;
        self.draw(&Styles::of(&mean, self.layers()), NoiseMode::Const)
    }
}

impl Styles {
    /// How many pictures these are the styles of.
    pub fn len(&self) -> usize {
        self.layers().first().and_then(|layer| layer.dims().first().copied()).unwrap_or(0)
    }

    /// Whether they are the styles of none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Those of some pictures.
    ///
    /// # Errors
    /// When there are not as many.
    pub fn rows(&self, range: &std::ops::Range<usize>) -> Result<Styles> {
        Ok(Styles::of_layers(self.layers().iter().map(|layer| rows(layer, range)).collect::<Result<_>>()?))
    }
}
