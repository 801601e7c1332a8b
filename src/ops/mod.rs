//! Differentiable operations that candle lacks, gets wrong or does slowly.

pub mod activation;
pub mod adam;
pub mod conv;
pub mod norm;
pub mod resample;
pub mod reshape;
