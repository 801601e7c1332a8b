//! pix2pix: Isola, Zhu, Zhou, Efros, "Image-to-Image Translation with Conditional Adversarial Networks" (CVPR 2017),
//! <https://arxiv.org/abs/1611.07004>, as the authors' PyTorch code has it.

mod generator;
mod objective;

pub use generator::UNet;
pub use objective::{Adversaries, Pix2pix, Pix2pixConfig};
