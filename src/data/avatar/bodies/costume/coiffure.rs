//! How hair is worn.

use serde::{Deserialize, Serialize};

use crate::rng::Stream;

/// What hangs at the back and the sides of a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Back {
    /// Cut at the nape.
    Short,
    /// To the chin.
    Bob,
    /// Over the shoulders.
    Medium,
    /// To the hips.
    Long,
    /// One bunch, tied high.
    Ponytail,
    /// A bunch on each side.
    Twintails,
    /// Two buns.
    Buns,
}

impl Back {
    /// All of them.
    pub const ALL: [Back; 7] =
        [Back::Short, Back::Bob, Back::Medium, Back::Long, Back::Ponytail, Back::Twintails, Back::Buns];

    /// Whether it reaches beyond the shoulders.
    pub fn long(self) -> bool {
        matches!(self, Back::Long | Back::Ponytail | Back::Twintails)
    }
}

/// A character's hair, besides the fringe, which is the face's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Coiffure {
    /// What hangs at the back and the sides.
    pub back: Back,
    /// Length of what hangs, relative to the mean of its kind.
    pub length: f32,
    /// A bow, or one at each bunch.
    pub ribbon: bool,
    /// A band over the crown.
    pub band: bool,
    /// Random numbers in [−1, 1] that make the ends uneven.
    pub uneven: [f32; 16],
}

impl Coiffure {
    pub(super) fn sample(stream: &mut Stream) -> Coiffure {
        let back = Back::ALL[stream.weighted(&[0.16, 0.17, 0.17, 0.19, 0.12, 0.13, 0.06])];
        let length = stream.range(0.9, 1.1) as f32;
        let tied = matches!(back, Back::Ponytail | Back::Twintails);
        let ribbon = stream.chance(if tied { 0.7 } else { 0.25 });
        let band = stream.chance(0.18) && !ribbon;
        Coiffure { back, length, ribbon, band, uneven: std::array::from_fn(|_| stream.range(-1.0, 1.0) as f32) }
    }
}
