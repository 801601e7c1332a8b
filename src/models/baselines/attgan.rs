//! AttGAN: He, Zuo, Kan, Shan, Chen, "AttGAN: Facial Attribute Editing by Only Changing What You Want" (TIP 2019),
//! <https://arxiv.org/abs/1711.10678>, as the authors' code in TensorFlow has it, and as its port to PyTorch.
//!
//! Its networks are STGAN's without selective transfer units: one plain skip after the decoder's first layer, and the
//! decoder is told what the picture is to show instead of what is to change.

use crate::data::changes::{Changes, Flip, Jitter};
use crate::models::animegan::{Adversaries, EditorConfig, Framework, GeneratorConfig, Paper};
use crate::models::editing::{Coding, Fall, Schedule};
use crate::models::model::Model;

/// AttGAN among [`Paper`]s.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OfAttgan;

impl Paper for OfAttgan {
    const NAME: &'static str = "attgan";
}

/// An AttGAN.
pub type Attgan = Model<Adversaries<OfAttgan>>;

impl Attgan {
    /// The authors' code (specs/faces.md D): 128 px, cut from 143, labels as −1 and 1, told to the first two layers of the
    /// decoder; 60 epochs, the rate of the second half falls along a line.
    pub fn paper() -> EditorConfig<OfAttgan> {
        let stgan = EditorConfig::stgan();
        let stgan_schedule = Schedule::stgan();
        EditorConfig {
            generator: GeneratorConfig {
                transfer: None,
                skips: 1,
                injections: 1,
                coding: Coding::Signs,
                ..stgan.generator
            },
            // The generator moves on every fifth minibatch of the discriminator, and takes none of its own.
            schedule: Schedule {
                epochs: 60,
                full: 30,
                fall: Fall::Line,
                steps: 182_000 / (32 * 5),
                minibatches: Some(5),
                ..stgan_schedule
            },
            changes: Changes {
                flip: Flip::Joint,
                picture: Jitter { zoom: 143.0 / 128.0, ..Jitter::default() },
                ..Changes::default()
            },
            ..stgan
        }
    }

    /// The port to PyTorch: labels as −½ and ½, told to the first layer of the decoder only, PyTorch's defaults, leaky ReLUs
    /// of slope 0.01, and 200 epochs with a tenth of the rate from the 100th on. It always has 13 labels; here any number.
    pub fn port() -> EditorConfig<OfAttgan> {
        let paper = Attgan::paper();
        EditorConfig {
            generator: GeneratorConfig {
                injections: 0,
                coding: Coding::Halves,
                slope: 0.01,
                framework: Framework::PyTorch,
                ..paper.generator
            },
            schedule: Schedule { epochs: 200, full: 100, fall: Fall::Tenth, ..paper.schedule },
            ..paper
        }
    }

    /// Small networks for 64 px that learn on two CPU cores in minutes.
    pub fn tiny() -> EditorConfig<OfAttgan> {
        EditorConfig { changes: Changes::default(), ..Attgan::paper().at_64() }
    }
}
