//! Data sets: where pictures and labels come from, and how they reach a network.

pub mod avatar;
pub mod batch;
pub mod dataset;
pub mod import;
pub mod loader;
pub mod manifest;
pub mod prepare;
pub mod store;
pub mod tags;
