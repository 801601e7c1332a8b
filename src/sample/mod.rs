//! Latents, attributes, poses and paths between them, and the pictures that generators draw from them.

mod anime2clothing;
mod chunks;
mod figures;
pub mod latent;
mod make_girls;
pub mod noise;
mod pg2;
mod progan;
mod project;
mod psgan;
pub mod seeds;
mod stylegan;
pub mod walk;

pub use anime2clothing::Field;
pub(crate) use chunks::{in_chunks, rows};
pub use latent::{Latent, Path};
pub use noise::Noise;
pub use project::{ProjectOptions, Projected, Projection};
pub use stylegan::NoiseMode;
