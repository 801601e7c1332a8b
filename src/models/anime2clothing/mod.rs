//! Anime to real clothing: Tango, Katsurai, Maki, Goto, "Anime-to-Real Clothing: Cosplay Costume Generation via
//! Image-to-Image Translation" (2020), <https://arxiv.org/abs/2008.11479>.
//!
//! A U-Net makes the clothing that a character wears. Two discriminators, each of three towers, judge it: one beside the
//! input (does it belong to this character?), one alone (is it a photo?). All three networks grow from 32 px on, while the
//! input stays at full size.
//!
//! The published code differs from the paper in what specs/clothing.md A.12 lists; each is a setting of
//! [`Anime2ClothingConfig`], [`Anime2Clothing::paper`] is what the paper means, [`Anime2Clothing::code`] what was run.
//!
//! In a step the generator moves first, on one forward pass that both discriminators then see detached. The domain
//! discriminator runs 2 times for the generator (made, and real for the features) and 3 times for itself (made, real, and
//! another costume's), the real/fake discriminator 2 and 2 times. Real features cannot be shared between the two: those of
//! the discriminator's own step carry a graph over its weights. What is shared are the normalised weights: singular vectors
//! move once per loss, where the code moves them with every pass, four or five times a step.

mod config;
mod discriminator;
mod generator;
mod objective;
mod presets;
mod published;
mod schedule;
mod study;

pub use super::study::Length;
pub use config::{
    Adversarial, Anime2Clothing, Anime2ClothingConfig, Compared, DomainJudge, GeneratorScore, Norm, RealJudge, Shape,
    Translator,
};
pub use discriminator::{Judge, Reach, Scales, Verdict};
pub use generator::UNet;
pub use objective::Adversaries;
pub use published::Published;
pub use schedule::{Phase, Schedule};
pub use study::Study;
