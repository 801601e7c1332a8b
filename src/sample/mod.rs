//! Latents, attributes and paths between them.

pub mod latent;
pub mod noise;

pub use latent::{Latent, Path};
pub use noise::Noise;
