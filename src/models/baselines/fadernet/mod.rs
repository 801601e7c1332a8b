//! Fader Networks: Lample, Zeghidour, Usunier, Bordes, Denoyer, Ranzato, "Fader Networks: Manipulating Images by Sliding
//! Attributes" (NIPS 2017), <https://arxiv.org/abs/1706.00409>, as the authors' code has it.
//!
//! An autoencoder whose decoder is told the labels at every layer. A discriminator tries to read the labels off the code;
//! the encoder learns to leave them out, so that the decoder has to take them from what it is told. There is no
//! discriminator of pictures: the authors' code has two more such terms, which its published models do without.

mod networks;
mod objective;

pub use networks::{Decoder, Encoder, LatentDiscriminator};
pub use objective::{Adversaries, Fadernet, FadernetConfig};
