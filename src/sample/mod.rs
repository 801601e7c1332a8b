//! Latents, attributes and paths between them.

pub mod latent;
mod make_girls;
pub mod noise;

pub use latent::{Latent, Path};
pub use noise::Noise;
