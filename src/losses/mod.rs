//! Losses of the five papers.

pub mod adversarial;
pub mod attribute;
pub mod features;
pub mod least_squares;
pub mod multibox;
pub mod penalty;
pub mod wasserstein;
