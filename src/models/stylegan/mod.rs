//! StyleGAN: Karras, Laine, Aila, "A Style-Based Generator Architecture for Generative Adversarial Networks" (CVPR
//! 2019), <https://arxiv.org/abs/1812.04948>, and what a student report trained with it on full bodies from games
//! (HKUST, COMP 4471, 2020: <https://github.com/NineLivesCat/COMP4471_2020Fall>).
//!
//! A mapping network turns a latent vector into a style w, and the synthesis network draws with it: each layer adds noise,
//! forgets the mean and the size of every feature map, and takes both from the style. It grows as Progressive GAN does.
//!
//! What differs from the authors' code: fused convolutions turn the kernel, so that they are the same function as separate
//! ones; the schedule is looked at every step. What the report trained is the arithmetic of another implementation
//! ([`Growth::taki`](crate::train::plan::Growth::taki)), without its faults.

mod config;
mod generator;
mod mapping;
mod objective;
mod styles;
mod synthesis;

pub use config::{Objective, ReportRun, Stylegan, StyleganConfig};
pub use generator::Generator;
pub use mapping::Mapping;
pub use objective::Adversaries;
pub use styles::{Styles, Truncation};
pub use synthesis::{Noise, Synthesis};
