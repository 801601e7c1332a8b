//! Networks that grow while they are trained: Karras, Aila, Laine, Lehtinen, "Progressive Growing of GANs for Improved
//! Quality, Stability, and Variation" (ICLR 2018), <https://arxiv.org/abs/1710.10196>.
//!
//! The generator and the discriminator of that paper, with the pose maps that PSGAN (Hamada et al. 2018) adds to both
//! and the blur that StyleGAN (Karras et al. 2019) adds to the discriminator, and the parts that they consist of: layers
//! with an equalised learning rate ([`equal`]), convolutions that double or halve the resolution ([`resample`]), how far a
//! network has grown ([`level`]), pose maps ([`pose`]), channels per resolution ([`shape`]), pictures at all resolutions
//! ([`pyramid`]). Pixel norm and the standard deviation over the minibatch are operations ([`crate::ops::norm`],
//! [`crate::ops::minibatch`]).

pub mod discriminator;
pub mod equal;
pub mod generator;
pub mod level;
pub mod pose;
pub mod pyramid;
pub mod resample;
pub mod shape;

pub use discriminator::{Discriminator, DiscriminatorSpec, Group, Judge};
pub use generator::Generator;
pub use level::Level;
pub use pose::{Inject, Poses};
pub use shape::GrowingShape;

/// Slope of the leaky ReLUs below 0 (Karras et al. 2018, table 2).
pub const SLOPE: f64 = 0.2;
/// Added to the mean square before the root of pixel norms (section 4.2).
pub const PIXEL_NORM_EPSILON: f64 = 1e-8;
