//! What the characters do: continuous motions, and the clips that poses are cut from.

mod cyclic;
mod keyed;

pub(super) use keyed::at_ease;

use serde::{Deserialize, Serialize};

use super::rig::Stance;
use crate::rng::Seed;

/// Poses per second.
pub const RATE: f32 = 24.0;

/// Poses of a clip; the last clip of a data set may have fewer.
pub const CLIP: usize = 25;

/// Kinds of motion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Motion {
    /// Walking.
    Walk,
    /// Running.
    Run,
    /// Raising a hand and waving it.
    Wave,
    /// Crouching, leaping up, landing.
    Jump,
    /// Bowing and coming up again.
    Bow,
    /// Turning on the spot, all the way around.
    Turn,
    /// Kneeling down to sit on the heels.
    Sit,
    /// Dancing on the spot.
    Dance,
}

impl Motion {
    /// All motions, in the order in which clips take turns.
    pub const ALL: [Motion; 8] =
        [Motion::Walk, Motion::Wave, Motion::Run, Motion::Turn, Motion::Jump, Motion::Dance, Motion::Bow, Motion::Sit];

    /// The tag of pictures that show it.
    pub fn tag(self) -> &'static str {
        match self {
            Motion::Walk => "walking",
            Motion::Run => "running",
            Motion::Wave => "waving",
            Motion::Jump => "jumping",
            Motion::Bow => "bowing",
            Motion::Turn => "turning around",
            Motion::Sit => "sitting",
            Motion::Dance => "dancing",
        }
    }
}

/// One continuous take of one motion.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Clip {
    /// What is done.
    pub motion: Motion,
    /// Where the body looks at the start, in radians: 0 at the camera, positive to the right of the picture.
    pub heading: f32,
    /// Speed relative to the mean.
    pub speed: f32,
    /// How large the movements are, relative to the mean.
    pub strength: f32,
    /// Place in the cycle at the start, in cycles.
    pub phase: f32,
    /// Left and right changed.
    pub mirrored: bool,
    /// What else differs from take to take, each in [−1, 1].
    pub own: [f32; 6],
}

impl Clip {
    /// Take number `index` of the takes that belong to a seed. Motions take turns; headings are spread over all sides,
    /// half of them towards the camera.
    pub fn sample(index: usize, seed: Seed) -> Clip {
        let mut stream = seed.stream(&format!("body/clip/{index}"));
        let motion = Motion::ALL[index % Motion::ALL.len()];
        // Rounds of the motions begin at different sides: equal steps of the golden section never meet again.
        let round = (index / Motion::ALL.len()) as f64;
        let golden = 0.618_033_988_75;
        let start = seed.stream("body/clips").uniform();
        let along = (start + golden * round + (index % Motion::ALL.len()) as f64 / 8.0 * 3.0).fract();
        let side = (along - 0.5) * 2.0;
        let heading = if side.abs() < 0.6 { side * 1.6 } else { side.signum() * (0.96 + (side.abs() - 0.6) * 5.4) };
        Clip {
            motion,
            heading: heading as f32,
            speed: stream.range(0.88, 1.15) as f32,
            strength: stream.range(0.88, 1.08) as f32,
            phase: stream.uniform() as f32,
            mirrored: stream.chance(0.5),
            own: std::array::from_fn(|_| stream.range(-1.0, 1.0) as f32),
        }
    }

    /// The stance `seconds` after the start; before it, as the motion would have been.
    pub(super) fn at(&self, seconds: f32) -> Stance {
        let stance = match self.motion {
            Motion::Walk => cyclic::walk(self, seconds),
            Motion::Run => cyclic::run(self, seconds),
            Motion::Turn => cyclic::turn(self, seconds),
            Motion::Dance => cyclic::dance(self, seconds),
            Motion::Wave => keyed::wave(self, seconds),
            Motion::Jump => keyed::jump(self, seconds),
            Motion::Bow => keyed::bow(self, seconds),
            Motion::Sit => keyed::sit(self, seconds),
        };
        let mut stance = if self.mirrored { stance.mirrored() } else { stance };
        stance.yaw += self.heading;
        stance
    }
}
