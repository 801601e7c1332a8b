//! Losses of the five papers.

pub mod adversarial;
pub mod attribute;
pub mod penalty;
pub mod wasserstein;
