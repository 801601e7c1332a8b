//! PSGAN: Hamada, Tachibana, Li, Honda, Uchida, "Full-Body High-Resolution Anime Generation with Progressive
//! Structure-Conditional Generative Adversarial Networks" (2018), <https://arxiv.org/abs/1809.01890>.
//!
//! Progressive GAN whose generator and discriminator read key points at every resolution: one map per point, −1 but for
//! the one pixel of the point, halved by maximum pooling. The latent vector is the character, the points are its pose.
//!
//! No code was published. What the paper leaves open is decided in [`PsganConfig`], field by field, and here:
//!
//! * maps do not fade: those of a resolution are exact from its first step on;
//! * a point's pixel is the whole part of its position at full size, which pooling keeps; hidden points are kept as they
//!   are, and the map of one that is missing or outside of the picture is −1 all over;
//! * generated pictures have the poses of the real minibatch, so that the points between a real and a made picture, where
//!   the gradient penalty looks, have one pose; each player's step draws its own latent vectors;
//! * nothing but the latent vector ties a character together, and nothing forces it to stay itself: the paper trusts that
//!   it does. [`PsganConfig::twos`] with [`PsganConfig::diversity`] is what [`Psgan::tiny`] does about it;
//!   [`PsganConfig::identity`] and [`PsganConfig::labelled`] are other choices.
//!
//! The maps never exist on the CPU: [`crate::ops::pose`] adds what a convolution answers to them.

mod config;
mod objective;

pub use config::{Psgan, PsganConfig};
pub use objective::Adversaries;
