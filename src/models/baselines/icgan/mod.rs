//! IcGAN: Perarnau, van de Weijer, Raducanu, Álvarez, "Invertible Conditional GANs for Image Editing" (2016),
//! <https://arxiv.org/abs/1611.06355>, as the authors' code has it.
//!
//! First a conditional GAN learns to draw pictures of noise and labels; its discriminator sees labels of other pictures as
//! made ones. Then two encoders learn the way back: one the noise from drawn pictures, one the labels from real ones. To
//! edit, a picture is encoded and drawn again with other labels.
//!
//! The authors draw 182,638 pictures once, from which the encoder of the noise learns; here every minibatch is drawn anew.

mod networks;
mod objective;

pub use networks::{Discriminator, Encoder, Generator};
pub use objective::{Adversaries, Icgan, IcganConfig};
