//! ANIMEGAN: editing the attributes of anime faces with gated convolutions and selective transfer units (specs/faces.md C;
//! a course project whose code is not public), and the family of editors that it is one of: STGAN (Liu et al. 2019,
//! <https://arxiv.org/abs/1904.09709>) and AttGAN (He et al. 2019, <https://arxiv.org/abs/1711.10678>) are other settings of the
//! same networks ([`stgan`](super::baselines::stgan), [`attgan`](super::baselines::attgan)).
//!
//! An encoder of gated convolutions reads the picture, selective transfer units choose what of its features goes on, and a
//! decoder makes the picture with other attributes; it is told what is to change, −1, 0 or 1 a label. A discriminator tells
//! made from real, a classifier names attributes, and what is told to stay as it is has to come out as it was.
//!
//! The paper leaves open which attributes it edits, how large discriminator and classifier are, and the weight of the
//! reconstruction; it is built on STGAN's code, which decides here, too. Its text applies the reset gate twice
//! ([`Mixture::Paper`]); STGAN's code does not, and is the default.

mod config;
mod generator;
mod judge;
mod objective;

pub use config::{
    Adversarial, EditorConfig, Framework, GeneratorConfig, JudgeConfig, Mixture, ObjectiveConfig, Paper, State,
    TransferConfig,
};
pub use generator::{Features, Generator};
pub use judge::{Heads, Judge};
pub use objective::Adversaries;

use super::model::Model;

/// ANIMEGAN among [`Paper`]s.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OfAnimegan;

impl Paper for OfAnimegan {
    const NAME: &'static str = "animegan";
}

/// An ANIMEGAN.
pub type Animegan = Model<Adversaries<OfAnimegan>>;

impl Animegan {
    /// The paper: 128 px, gated encoder, a classifier of its own, vanilla adversarial losses.
    pub fn paper() -> EditorConfig<OfAnimegan> {
        let stgan = EditorConfig::stgan();
        EditorConfig {
            generator: GeneratorConfig { gated: true, ..stgan.generator },
            judge: JudgeConfig { separate_classifier: true, ..stgan.judge },
            objective: ObjectiveConfig { adversarial: Adversarial::Vanilla, penalty: 0.0, ..stgan.objective },
            ..stgan
        }
    }

    /// Small networks for 64 px that learn on two CPU cores in minutes. Reconstruction weighs 20 in place of 100: at the
    /// paper's weight pictures come back exactly after minutes, and edits fade as they do (benches/results.md).
    pub fn tiny() -> EditorConfig<OfAnimegan> {
        let tiny = Animegan::paper().at_64();
        EditorConfig { objective: ObjectiveConfig { reconstruction: 20.0, ..tiny.objective }, ..tiny }
    }
}
