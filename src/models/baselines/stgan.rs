//! STGAN: Liu, Ding, Xia, Liu, Ding, Zuo, Wen, "STGAN: A Unified Selective Transfer Network for Arbitrary Image Attribute
//! Editing" (CVPR 2019), <https://arxiv.org/abs/1904.09709>, as the authors' code has it.
//!
//! Its networks are ANIMEGAN's with plain convolutions in the encoder and one network for discriminator and classifier; its
//! losses those with a Wasserstein critic.

use crate::models::animegan::{Adversaries, EditorConfig, Paper};
use crate::models::model::Model;

/// STGAN among [`Paper`]s.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OfStgan;

impl Paper for OfStgan {
    const NAME: &'static str = "stgan";
}

/// An STGAN.
pub type Stgan = Model<Adversaries<OfStgan>>;

impl Stgan {
    /// The authors' code: 128 px, 200 epochs.
    pub fn paper() -> EditorConfig<OfStgan> {
        EditorConfig::stgan()
    }

    /// Small networks for 64 px that learn on two CPU cores in minutes.
    pub fn tiny() -> EditorConfig<OfStgan> {
        Stgan::paper().at_64()
    }
}
