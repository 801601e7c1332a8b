//! PG2: Ma, Jia, Sun, Schiele, Tuytelaars, Van Gool, "Pose Guided Person Image Generation" (NIPS 2017),
//! <https://arxiv.org/abs/1705.09368>. PSGAN compares its quality with this one's.
//!
//! From a picture of somebody and a pose to a picture of the same person in that pose, in two stages: the first draws the
//! coarse figure under an L1 loss that weighs the figure twice, the second adds details under an adversarial loss. It
//! learns from pairs of pictures of one person ([`Dataset::pairs`](crate::data::dataset::Dataset::pairs)).
//!
//! What differs from the authors' code: convolutions of stride 2 have their zeros on both sides, where TensorFlow pads
//! after the picture alone; pictures are square (their Market-1501 variants are not); a running average of the weights is
//! kept beside them. The discriminator sees single pictures, of which the sources count as false ("triplet"), which the
//! authors found more stable than the pairs of the paper.

mod config;
mod mask;
mod networks;
mod objective;

pub use config::{Pg2, Pg2Config};
pub use mask::pose_mask;
pub use networks::{Coarse, Discriminator, Refiner};
pub use objective::Adversaries;
