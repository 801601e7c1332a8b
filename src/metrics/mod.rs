//! Measurements. Each says what it measures and over how many samples.
//!
//! Metrics of features take `[N, D]` tensors of any network; metrics of pictures take `[N, 3, H, W]` in [-1, 1] or
//! bytes, and judge the 8-bit pictures that these would be saved as. Most return a [`Score`](score::Score).

pub mod attributes;
pub mod colour;
pub mod diversity;
pub mod edits;
pub mod fid_infinity;
pub mod frechet;
pub mod inception_score;
pub mod judgements;
pub mod keypoints;
pub mod kid;
pub mod memorisation;
pub mod ms_ssim;
pub mod neighbours;
pub mod nets;
mod numpy;
pub mod path_length;
mod pca;
mod pixels;
pub mod precision_recall;
pub mod psnr;
pub mod score;
pub mod separability;
pub mod sharpness;
pub mod sliced_wasserstein;
pub mod ssim;
mod svm;
pub mod tsne;
mod windows;
