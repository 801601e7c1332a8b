//! Data sets: where pictures and labels come from, and how they reach a network.

pub mod avatar;
pub mod batch;
pub mod dataset;
pub mod import;
pub mod loader;
pub mod manifest;
mod pairs;
mod posed;
pub mod prepare;
pub mod report;
pub mod skeleton;
mod splits;
pub mod store;
pub mod tags;

pub use batch::{Batch, Images};
pub use dataset::{Dataset, Source};
pub use skeleton::{KeyPoint, Skeleton};
pub use tags::{Labels, TagSampler, TagSet, tags};
