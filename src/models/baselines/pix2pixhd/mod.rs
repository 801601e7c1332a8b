//! pix2pixHD: Wang, Liu, Zhu, Tao, Kautz, Catanzaro, "High-Resolution Image Synthesis and Semantic Manipulation with
//! Conditional GANs" (CVPR 2018), <https://arxiv.org/abs/1711.11585>: the global generator, for pictures in place of label
//! maps, without instance maps and without the local enhancer, which 256 px do not need.
//!
//! The perceptual term of VGG-19, which the authors' code can leave out, is left out unless a configuration names the file
//! of its weights ([`VggTerm`]).

mod generator;
mod objective;
mod vgg;

pub use generator::Global;
pub use objective::{Adversaries, Pix2pixHd, Pix2pixHdConfig};
pub use vgg::{VggDistance, VggTerm};
