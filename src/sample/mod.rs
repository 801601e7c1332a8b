//! Latents, attributes and paths between them.

pub mod latent;
