//! make.girls.moe: Jin, Zhang, Li, Tian, Zhu, Fang, "Towards the Automatic Anime Characters Creation with Generative
//! Adversarial Networks" (2017), <https://arxiv.org/abs/1708.05509>.
//!
//! A generator of SRResNet's kind makes a 128 px face from noise and 34 attributes; a discriminator without
//! normalisation tells real from made and names the attributes; DRAGAN's penalty keeps it smooth.
//!
//! What differs from the text, and why: the batch norm after the dense layer is over 16,384 features and every
//! convolution has a bias, as in the published weights; labels are fed as −1/+1, as the published weights need them;
//! a running average of the generator is kept beside it. What the paper leaves open is marked where it is decided.
//!
//! ```no_run
//! use tachie::prelude::*;
//! use tachie::data::avatar::Avatar;
//! use tachie::models::make_girls::MakeGirls;
//! # fn main() -> tachie::Result<()> {
//! let faces = Avatar::faces().size(64).take(8_000)?;
//! let gan = MakeGirls::tiny().build(&device()?)?;
//! let mut run = gan.train_on(&faces, "runs/faces")?;
//! run.steps(2_000)?;
//! let images = gan.ema().sample(&tags("silver hair, long hair, smile, blue eyes")?, 25, seed(1))?;
//! # Ok(())
//! # }
//! ```

mod card;
mod config;
mod discriminator;
mod generator;
mod handle;
mod objective;
mod presets;
mod published;

pub use config::{
    DiscriminatorConfig, GeneratorConfig, MakeGirlsConfig, ObjectiveConfig, Planes, ScheduleConfig, SrResNetConfig,
    StageConfig, Start, Upsampling,
};
pub use discriminator::{Discriminator, Verdict};
pub use generator::Generator;
pub(crate) use generator::{norm, weights};
pub use handle::MakeGirls;
pub use objective::Adversaries;
pub use published::Published;

#[cfg(test)]
mod tests;
