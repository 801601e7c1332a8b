//! The skeleton: 20 bones, what bends them, and where they come to lie.

use serde::{Deserialize, Serialize};

use super::space::{Basis, Vector, vector};

/// Number of bones, as in [`Skeleton::bones`](crate::data::skeleton::Skeleton::bones) and in that order.
pub const BONES: usize = 20;

/// Left, right: the character's, which is right and left in the picture when it looks at the camera.
pub(super) const SIDES: [f32; 2] = [1.0, -1.0];

/// Places of the bones in a list of 20.
pub(super) mod bone {
    pub const HIPS: usize = 0;
    pub const SPINE: usize = 1;
    pub const CHEST: usize = 2;
    pub const NECK: usize = 3;
    pub const HEAD: usize = 4;
    pub const HEAD_TOP: usize = 5;
    /// The left one; the right one is next, as for all pairs.
    pub const UPPER_ARM: usize = 6;
    pub const LOWER_ARM: usize = 8;
    pub const HAND: usize = 10;
    pub const UPPER_LEG: usize = 12;
    pub const LOWER_LEG: usize = 14;
    pub const FOOT: usize = 16;
    pub const TOE: usize = 18;
}

/// Proportions of one character. Lengths are relative to a mean body that is 1 high.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Build {
    /// Height.
    pub height: f32,
    /// Size of the head.
    pub head: f32,
    /// Length of the legs.
    pub legs: f32,
    /// Width of the shoulders.
    pub shoulders: f32,
    /// Width of the hips.
    pub hips: f32,
    /// Thickness of arms and legs.
    pub limbs: f32,
}

/// How a limb is bent, in radians.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Limb {
    /// Forwards.
    pub swing: f32,
    /// Away from the body.
    pub spread: f32,
    /// About its own length; turns the inside of elbow or knee outwards.
    pub twist: f32,
    /// Of elbow or knee.
    pub bend: f32,
    /// Of wrist or ankle: the toes up.
    pub end: f32,
}

/// How a body is held: everything that moves. Angles in radians.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Stance {
    /// Height of the lowest point above the floor.
    pub lift: f32,
    /// Place on the floor: x, z.
    pub shift: [f32; 2],
    /// Where the body looks: 0 at the camera, positive to the right of the picture.
    pub yaw: f32,
    /// The pelvis: leaning forward, turned to the left of the body, leaning to its right.
    pub hips: [f32; 3],
    /// Spine and chest together, likewise.
    pub back: [f32; 3],
    /// Neck and head together, likewise.
    pub head: [f32; 3],
    pub arms: [Limb; 2],
    pub legs: [Limb; 2],
}

fn mix(a: f32, b: f32, t: f32) -> f32 {
    a + (b - a) * t
}

impl Limb {
    fn toward(self, other: Limb, t: f32) -> Limb {
        Limb {
            swing: mix(self.swing, other.swing, t),
            spread: mix(self.spread, other.spread, t),
            twist: mix(self.twist, other.twist, t),
            bend: mix(self.bend, other.bend, t),
            end: mix(self.end, other.end, t),
        }
    }
}

impl Stance {
    /// `t` of the way to another.
    pub fn toward(&self, other: &Stance, t: f32) -> Stance {
        let all = |a: [f32; 3], b: [f32; 3]| std::array::from_fn(|i| mix(a[i], b[i], t));
        let both = |a: [Limb; 2], b: [Limb; 2]| std::array::from_fn(|i| a[i].toward(b[i], t));
        Stance {
            lift: mix(self.lift, other.lift, t),
            shift: std::array::from_fn(|i| mix(self.shift[i], other.shift[i], t)),
            yaw: mix(self.yaw, other.yaw, t),
            hips: all(self.hips, other.hips),
            back: all(self.back, other.back),
            head: all(self.head, other.head),
            arms: both(self.arms, other.arms),
            legs: both(self.legs, other.legs),
        }
    }

    /// The same with left and right changed.
    pub fn mirrored(&self) -> Stance {
        let turned = |[lean, turn, roll]: [f32; 3]| [lean, -turn, -roll];
        Stance {
            shift: [-self.shift[0], self.shift[1]],
            yaw: -self.yaw,
            hips: turned(self.hips),
            back: turned(self.back),
            head: turned(self.head),
            arms: [self.arms[1], self.arms[0]],
            legs: [self.legs[1], self.legs[0]],
            ..*self
        }
    }
}

/// Bones in the world: where they begin and how they are turned.
#[derive(Clone, Debug)]
pub(super) struct Rig {
    /// In the order of [`bone`].
    pub joints: [Vector; BONES],
    pub pelvis: Basis,
    pub waist: Basis,
    pub chest: Basis,
    pub head: Basis,
    /// Of upper and lower arms and hands, left and right.
    pub arms: [[Basis; 3]; 2],
    /// Of upper and lower legs and feet.
    pub legs: [[Basis; 3]; 2],
    /// Length of the mean body's unit in this one.
    pub unit: f32,
}

/// From the ankle to the sole, and from the toe joint to the sole.
const ANKLE: f32 = 0.044;
const TOE: f32 = 0.017;
/// From the toe joint to the tip of the shoe.
const TIP: f32 = 0.036;
/// From knee and hips to the floor one kneels or sits on.
const KNEE: f32 = 0.036;
const SEAT: f32 = 0.062;

fn turned(base: Basis, [lean, turn, roll]: [f32; 3], share: f32) -> Basis {
    let turn = base.then(Basis::yaw(turn * share));
    turn.then(Basis::pitch(lean * share)).then(Basis::roll(roll * share))
}

impl Rig {
    /// A body of this build in this stance.
    pub fn new(build: &Build, stance: &Stance) -> Rig {
        let unit = build.height;
        let mut rig = Rig::hanging(build, stance, unit);
        let lowest = rig.lowest();
        let [x, z] = stance.shift;
        let moved = vector(x * unit, stance.lift * unit - lowest, z * unit);
        rig.joints = rig.joints.map(|joint| joint + moved);
        rig
    }

    /// The body with its hips at the origin.
    fn hanging(build: &Build, stance: &Stance, unit: f32) -> Rig {
        let mut joints = [Vector::default(); BONES];
        let pelvis = turned(Basis::yaw(stance.yaw), stance.hips, 1.0);
        let waist = turned(pelvis, stance.back, 0.45);
        let chest = turned(waist, stance.back, 0.55);
        let neck = turned(chest, stance.head, 0.35);
        let head = turned(neck, stance.head, 0.65);
        let up = |length: f32| vector(0.0, length * unit, 0.0);
        joints[bone::SPINE] = pelvis.of(up(0.065));
        joints[bone::CHEST] = joints[bone::SPINE] + waist.of(up(0.075));
        joints[bone::NECK] = joints[bone::CHEST] + chest.of(up(0.135));
        joints[bone::HEAD] = joints[bone::NECK] + neck.of(up(0.032));
        joints[bone::HEAD_TOP] = joints[bone::HEAD] + head.of(up(0.270 * build.head));
        let mut arms = [[chest; 3]; 2];
        let mut legs = [[pelvis; 3]; 2];
        for (i, side) in SIDES.into_iter().enumerate() {
            let Limb { swing, spread, twist, bend, end } = stance.arms[i];
            // A raised arm takes its shoulder along.
            let raised = (1.0 - (swing.cos() * spread.cos())) * 0.5;
            let shoulder = vector(side * (0.080 * build.shoulders - 0.012 * raised), 0.112 + 0.022 * raised, 0.0);
            let upper =
                chest.then(Basis::roll(side * spread)).then(Basis::pitch(-swing)).then(Basis::yaw(side * twist));
            let lower = upper.then(Basis::pitch(-bend));
            arms[i] = [upper, lower, lower.then(Basis::pitch(-end))];
            joints[bone::UPPER_ARM + i] = joints[bone::CHEST] + chest.of(shoulder * unit);
            joints[bone::LOWER_ARM + i] = joints[bone::UPPER_ARM + i] + upper.of(up(-0.122));
            joints[bone::HAND + i] = joints[bone::LOWER_ARM + i] + lower.of(up(-0.112));
            let Limb { swing, spread, twist, bend, end } = stance.legs[i];
            let upper =
                pelvis.then(Basis::roll(side * spread)).then(Basis::pitch(-swing)).then(Basis::yaw(side * twist));
            let lower = upper.then(Basis::pitch(bend));
            let foot = lower.then(Basis::pitch(-end));
            legs[i] = [upper, lower, foot];
            let hip = vector(side * 0.041 * build.hips, -0.018, 0.0);
            joints[bone::UPPER_LEG + i] = pelvis.of(hip * unit);
            joints[bone::LOWER_LEG + i] = joints[bone::UPPER_LEG + i] + upper.of(up(-0.190 * build.legs));
            joints[bone::FOOT + i] = joints[bone::LOWER_LEG + i] + lower.of(up(-0.186 * build.legs));
            joints[bone::TOE + i] = joints[bone::FOOT + i] + foot.of(vector(0.0, TOE - ANKLE, 0.058) * unit);
        }
        Rig { joints, pelvis, waist, chest, head, arms, legs, unit }
    }

    /// Height of the lowest point of feet, knees and seat.
    fn lowest(&self) -> f32 {
        let low = |bone: usize, below: f32| self.joints[bone].y - below * self.unit;
        let seat = low(bone::HIPS, SEAT);
        (0..2)
            .flat_map(|i| {
                // A foot on its toes reaches less far down from the ankle.
                let level = self.legs[i][2].y.y.max(0.0);
                [
                    low(bone::FOOT + i, 0.022 + (ANKLE - 0.022) * level),
                    low(bone::TOE + i, TOE + (TIP - TOE) * (1.0 - level)),
                    low(bone::LOWER_LEG + i, KNEE),
                ]
            })
            .fold(seat, f32::min)
    }
}
