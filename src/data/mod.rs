//! Data sets: where pictures and labels come from, and how they reach a network.

pub mod agreement;
pub mod avatar;
pub mod batch;
pub mod changes;
mod claim;
pub mod dataset;
pub mod import;
mod kept;
pub mod loader;
pub mod manifest;
mod pairs;
pub(crate) mod placement;
pub mod poses;
pub mod prepare;
pub mod report;
pub(crate) mod resize;
mod splits;
pub mod store;
mod tag_table;
pub mod tags;
mod view;

pub use batch::{Batch, Images};
pub use dataset::{Dataset, Source};
pub use poses::{KeyPoint, PoseSequence, Skeleton, skeleton};
pub use tags::{Labels, TagSampler, TagSet, tags};
