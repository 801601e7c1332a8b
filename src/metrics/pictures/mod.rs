//! Pictures themselves, `[N, 3, H, W]` in [-1, 1] or bytes: pairs of them, and how sharp or varied they are.

pub mod delta_e;
pub mod distort;
pub mod ms_ssim;
mod pixels;
pub mod psnr;
pub mod sharpness;
pub mod sliced_wasserstein;
pub mod ssim;
mod windows;
