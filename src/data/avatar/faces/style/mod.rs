//! The parts of a [`FaceSpec`](super::FaceSpec) and the distributions they are drawn from.

mod attire;
mod hand;
mod year;

use serde::{Deserialize, Serialize};

use crate::data::avatar::palette::Colour;
use crate::rng::Stream;

pub use attire::{Clothes, Frame, Hat, Outfit, Wear};
pub(super) use hand::by_its_hand;
pub use hand::{Hand, Tint};
pub(super) use year::in_its_year;

fn between(stream: &mut Stream, low: f64, high: f64) -> f32 {
    stream.range(low, high) as f32
}

/// Normal with this deviation, cut at twice it.
fn about(stream: &mut Stream, middle: f64, deviation: f64) -> f32 {
    (middle + deviation * stream.normal().clamp(-2.0, 2.0)) as f32
}

fn choose<T: Copy>(stream: &mut Stream, values: &[T]) -> T {
    values[stream.below(values.len())]
}

fn sign(stream: &mut Stream) -> f32 {
    if stream.chance(0.5) { 1.0 } else { -1.0 }
}

/// Place and attitude of the head.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pose {
    /// Tilt to the side in degrees, within ±7.
    pub tilt: f32,
    /// Turn to the right of the picture in radians, within ±0.16.
    pub yaw: f32,
    /// Nod down in radians, within ±0.08.
    pub pitch: f32,
    /// Shift of the head from its mean place.
    pub shift: (f32, f32),
    /// Size of the head relative to the mean.
    pub scale: f32,
    /// Turn of the shoulders relative to the picture, in the direction of the yaw.
    pub shoulders: f32,
}

impl Pose {
    pub(super) fn sample(s: &mut Stream) -> Self {
        Pose {
            tilt: about(s, 0.0, 3.0),
            yaw: about(s, 0.0, 0.075),
            pitch: about(s, 0.0, 0.03),
            shift: (about(s, 0.0, 0.008), about(s, 0.0, 0.008)),
            scale: between(s, 1.03, 1.12),
            shoulders: about(s, 0.0, 0.012),
        }
    }
}

/// Outline of the face.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HeadShape {
    /// Half the width at the cheeks.
    pub width: f32,
    /// Half the width of the jaw, relative to the cheeks.
    pub jaw: f32,
    /// y of the chin.
    pub chin: f32,
    /// How pointed the chin is, 0 round to 1 pointed.
    pub point: f32,
    /// Half width of the neck.
    pub neck: f32,
}

impl HeadShape {
    pub(super) fn sample(s: &mut Stream) -> Self {
        HeadShape {
            width: between(s, 0.190, 0.212),
            jaw: between(s, 0.57, 0.72),
            chin: between(s, 0.214, 0.242),
            point: between(s, 0.0, 1.0),
            neck: between(s, 0.050, 0.064),
        }
    }
}

/// Shape of both eyes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Eyes {
    /// Distance of each eye's middle from the middle of the face.
    pub apart: f32,
    /// Width of the white.
    pub width: f32,
    /// Height of the opening.
    pub height: f32,
    /// How much higher the outer corner is than the inner one; below 0: drooping eyes.
    pub slant: f32,
    /// How boxy the upper lid is, 0 round to 1 flat.
    pub flat: f32,
    /// Width of the iris relative to its height.
    pub iris: f32,
    /// Direction of the look, in iris widths.
    pub look: (f32, f32),
    /// Thickness of the upper lashes.
    pub lash: f32,
    /// Length of the flick at the outer corner.
    pub flick: f32,
    /// Size of the pupil relative to the iris.
    pub pupil: f32,
    /// Which of the highlights are drawn, 0..3.
    pub sparkle: u8,
    /// Warmth and brightness of the colour, each in [−1, 1].
    pub tint: [f32; 2],
}

impl Eyes {
    pub(super) fn sample(s: &mut Stream) -> Self {
        Eyes {
            apart: between(s, 0.096, 0.106),
            width: between(s, 0.128, 0.146),
            height: between(s, 0.118, 0.140),
            slant: about(s, 0.008, 0.011),
            flat: between(s, 0.0, 1.0),
            iris: between(s, 0.82, 0.96),
            look: (about(s, 0.0, 0.05), about(s, 0.0, 0.03)),
            lash: between(s, 0.021, 0.030),
            flick: between(s, 0.006, 0.022),
            pupil: between(s, 0.30, 0.42),
            sparkle: s.below(3) as u8,
            tint: [between(s, -1.0, 1.0), between(s, -1.0, 1.0)],
        }
    }
}

/// Eyebrows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Brows {
    /// y of the middle.
    pub height: f32,
    /// How far the outer end hangs below the inner one; below 0: stern.
    pub slope: f32,
    /// Rise of the arch.
    pub arch: f32,
    /// Thickness.
    pub width: f32,
}

impl Brows {
    pub(super) fn sample(s: &mut Stream) -> Self {
        Brows {
            height: between(s, -0.126, -0.108),
            slope: about(s, 0.004, 0.009),
            arch: between(s, 0.006, 0.020),
            width: between(s, 0.007, 0.012),
        }
    }
}

/// Mouth and nose.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mouth {
    /// Place between nose and chin, 0 high to 1 low.
    pub height: f32,
    /// Width relative to the mean.
    pub width: f32,
    /// How far an open mouth opens, relative to the mean.
    pub opening: f32,
    /// Which shape of its kind, 0..3.
    pub kind: u8,
    /// Teeth show in an open mouth.
    pub teeth: bool,
    /// How the nose is drawn: 0 a dot, 1 a short line, 2 a small shadow.
    pub nose: u8,
}

impl Mouth {
    pub(super) fn sample(s: &mut Stream) -> Self {
        Mouth {
            height: between(s, 0.0, 1.0),
            width: between(s, 0.88, 1.18),
            opening: between(s, 0.85, 1.25),
            kind: s.below(3) as u8,
            teeth: s.chance(0.6),
            nose: s.below(3) as u8,
        }
    }
}

/// How the hair over the forehead is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fringe {
    /// Straight across, with small notches.
    Blunt,
    /// Pointed locks.
    Locks,
    /// Swept to one side from a side parting.
    Swept,
    /// Parted in the middle, the forehead free.
    Curtain,
    /// Long sides and one lock between the eyes.
    Middle,
}

/// Cut of the hair; which parts are drawn depends on the labels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hair {
    /// Cut over the forehead.
    pub fringe: Fringe,
    /// Place of the parting, −1 left to 1 right.
    pub parting: f32,
    /// Locks of the fringe.
    pub locks: u8,
    /// Random numbers in [−1, 1] that make the locks uneven.
    pub uneven: [f32; 12],
    /// How far the fringe hangs, relative to the mean.
    pub depth: f32,
    /// Width of the hair around the head, relative to the mean.
    pub volume: f32,
    /// Height of the crown, relative to the mean.
    pub crown: f32,
    /// y at which the locks beside the face end.
    pub side: f32,
    /// Width of the locks beside the face.
    pub side_width: f32,
    /// Waves in long hair, 0 straight to 1 wavy.
    pub wave: f32,
    /// How the ends turn: −1 inwards to 1 outwards.
    pub flip: f32,
    /// Fullness of bunches, relative to the mean.
    pub bunch: f32,
    /// y of the ties of twintails.
    pub tie: f32,
    /// Side to which the ponytail and a swept fringe fall: −1 or 1.
    pub fall: f32,
    /// A single hair that stands up.
    pub ahoge: bool,
    /// y of the shine on the crown.
    pub shine: f32,
    /// Warmth and brightness of the colour, each in [−1, 1].
    pub tint: [f32; 2],
}

impl Hair {
    pub(super) fn sample(s: &mut Stream) -> Self {
        let kinds = [Fringe::Blunt, Fringe::Locks, Fringe::Swept, Fringe::Curtain, Fringe::Middle];
        let mut uneven = [0.0; 12];
        for value in &mut uneven {
            *value = between(s, -1.0, 1.0);
        }
        Hair {
            fringe: kinds[s.weighted(&[0.2, 0.28, 0.2, 0.14, 0.18])],
            parting: about(s, 0.0, 0.4),
            locks: 5 + s.below(3) as u8,
            uneven,
            depth: between(s, 0.0, 1.0),
            volume: between(s, 0.97, 1.08),
            crown: between(s, 0.95, 1.07),
            side: between(s, 0.10, 0.30),
            side_width: between(s, 0.8, 1.25),
            wave: (s.uniform() * s.uniform()) as f32,
            flip: between(s, -1.0, 1.0),
            bunch: between(s, 0.85, 1.2),
            tie: between(s, -0.20, -0.10),
            fall: sign(s),
            ahoge: s.chance(0.2),
            shine: between(s, -0.245, -0.205),
            tint: [between(s, -1.0, 1.0), between(s, -1.0, 1.0)],
        }
    }
}

/// What is behind the character.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Background {
    /// Colour at the top.
    pub top: Colour,
    /// Colour at the bottom.
    pub bottom: Colour,
}

impl Background {
    /// Mostly white, as the cut-out pictures that the paper trains on.
    pub(super) fn sample(s: &mut Stream) -> Self {
        let white = Colour::hex(0xff_ff_ff);
        let pastel = [0xe3_ee_fa, 0xfa_e8_ee, 0xe9_f5_e6, 0xf8_f2_dd, 0xec_e6_f6, 0xdd_f1_f1].map(Colour::hex);
        let (kind, one, other) = (s.uniform(), choose(s, &pastel), choose(s, &pastel));
        match kind {
            k if k < 0.7 => Background { top: white, bottom: white },
            k if k < 0.85 => Background { top: one, bottom: one },
            k if k < 0.95 => Background { top: one, bottom: white },
            _ => Background { top: one, bottom: other },
        }
    }
}
