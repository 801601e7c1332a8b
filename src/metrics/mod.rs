//! Measurements. Each says what it measures and over how many samples.
//!
//! Metrics of features take `[N, D]` tensors of any network; metrics of pictures take `[N, 3, H, W]` in [-1, 1] or
//! bytes, and judge the 8-bit pictures that these would be saved as. Most return a [`Score`](score::Score).

pub mod evaluate;
pub mod features;
pub mod labels;
pub mod latents;
pub mod nets;
pub mod pictures;
pub mod score;
