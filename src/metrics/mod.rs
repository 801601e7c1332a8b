//! Measurements. Each says what it measures and over how many samples.

pub mod colour;
pub mod frechet;
pub mod neighbours;
pub mod nets;
mod pca;
pub mod tsne;
