//! StarGAN: Choi, Choi, Kim, Ha, Kim, Choo, "StarGAN: Unified Generative Adversarial Networks for Multi-Domain Image-to-Image
//! Translation" (CVPR 2018), <https://arxiv.org/abs/1711.09020>, as the authors' code has it.
//!
//! One generator is told the labels that the picture is to show; told those of before, it has to make the first picture of
//! the second. Instance norms keep no statistics, with which the authors' code is known to draw badly, and pictures are
//! padded with zeros: with mirrored borders an instance norm would take the labels out again.

mod networks;
mod objective;

pub use networks::{Discriminator, Generator};
pub use objective::{Adversaries, Stargan, StarganConfig};
