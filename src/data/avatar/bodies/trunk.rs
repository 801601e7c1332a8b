//! Trunk and neck as solids, what is sewn onto the trunk, and skirts.

use tiny_skia::Path;

use super::costume::{Costume, Lower, Upper};
use super::rig::{Rig, SIDES, bone};
use super::sheet::Sheet;
use super::solid::{Blob, Tube};
use super::space::{Basis, Vector, seen, vector};
use crate::data::avatar::canvas::Point;
use crate::data::avatar::shape::polygons;

/// A cross-section of the trunk.
#[derive(Clone, Copy, Debug)]
struct Ring {
    centre: Vector,
    bone: Basis,
    /// Half width and half depth.
    half: [f32; 2],
}

impl Ring {
    fn blob(&self) -> Blob {
        Blob { centre: self.centre, axes: [self.bone.x * self.half[0], self.bone.z * self.half[1], Vector::default()] }
    }

    fn toward(&self, other: &Ring, t: f32) -> Ring {
        let mix = |a: Vector, b: Vector| a.toward(b, t);
        Ring {
            centre: mix(self.centre, other.centre),
            bone: Basis {
                x: mix(self.bone.x, other.bone.x),
                y: mix(self.bone.y, other.bone.y),
                z: mix(self.bone.z, other.bone.z),
            },
            half: std::array::from_fn(|i| self.half[i] + (other.half[i] - self.half[i]) * t),
        }
    }

    /// The angle about the bone, 0 in front and positive to the left of the body, that looks at the camera.
    fn facing(&self) -> f32 {
        (self.bone.x.z / self.half[0]).atan2(self.bone.z.z / self.half[1])
    }

    fn at(&self, angle: f32, wider: f32) -> Vector {
        let (s, c) = angle.sin_cos();
        self.centre + self.bone.x * (self.half[0] * wider * s) + self.bone.z * (self.half[1] * wider * c)
    }
}

/// Hips, waist and chest with the shoulders.
#[derive(Clone, Debug)]
pub(super) struct Trunk {
    rings: Vec<Ring>,
    /// What is above the waist, with the shoulders.
    pub upper: Tube,
    /// What is below.
    pub lower: Tube,
    pub neck: Tube,
    pub depth: f32,
}

/// Lines around the trunk by number: hem, waist, below the breast, breast, shoulders, collar.
pub(super) mod line {
    pub const HEM: f32 = 0.0;
    pub const WAIST: f32 = 1.0;
    pub const BREAST: f32 = 4.0;
    pub const COLLAR: f32 = 6.0;
    pub const NECK: f32 = 7.0;
}

impl Trunk {
    pub fn new(costume: &Costume, rig: &Rig) -> Trunk {
        let (unit, build) = (rig.unit, &costume.build);
        let joint = |bone: usize| rig.joints[bone];
        let thick = match costume.outfit.upper {
            Upper::Hoodie => 0.009,
            Upper::Coat | Upper::Sweater => 0.0055,
            Upper::Blazer => 0.003,
            _ => 0.0,
        };
        let ring = |from: usize, bone: &Basis, up: f32, wide: f32, deep: f32, ahead: f32| Ring {
            centre: joint(from) + bone.of(vector(0.0, up, ahead) * unit),
            bone: *bone,
            half: [(wide + thick) * unit, (deep + thick) * unit],
        };
        let (hips, shoulders) = (build.hips, build.shoulders);
        let hem = if matches!(costume.outfit.upper, Upper::Hoodie | Upper::Sweater) { -0.004 } else { 0.022 };
        let rings = vec![
            ring(bone::HIPS, &rig.pelvis, hem, 0.076 * hips, 0.056, 0.0),
            ring(bone::SPINE, &rig.waist, 0.0, 0.061, 0.047, 0.0),
            ring(bone::SPINE, &rig.waist, 0.040, 0.0595, 0.0465, 0.001),
            ring(bone::CHEST, &rig.chest, 0.008, 0.0640, 0.0510, 0.003),
            ring(bone::CHEST, &rig.chest, 0.050, 0.0690 * shoulders, 0.0545, 0.005),
            ring(bone::CHEST, &rig.chest, 0.092, 0.0640 * shoulders, 0.0440, 0.000),
            ring(bone::CHEST, &rig.chest, 0.120, 0.0430, 0.0340, -0.002),
            ring(bone::CHEST, &rig.chest, 0.136, 0.0270, 0.0260, 0.000),
        ];
        let mut upper = Tube::new(&rings.iter().map(Ring::blob).collect::<Vec<_>>());
        for i in 0..SIDES.len() {
            let shoulder = Blob::ball(joint(bone::UPPER_ARM + i), (0.0285 + 0.6 * thick) * unit);
            upper = upper.with(Tube::new(&[rings[5].toward(&rings[6], 0.3).blob(), shoulder]));
            upper = upper.with(Tube::new(&[rings[4].blob().grown(0.82), shoulder]));
        }
        let pelvis = |up: f32, wide: f32, deep: f32| {
            let centre = joint(bone::HIPS) + rig.pelvis.of(vector(0.0, up, 0.0) * unit);
            Blob::ellipsoid(centre, &rig.pelvis, [wide * hips * unit, 0.030 * unit, deep * unit])
        };
        let lower =
            Tube::new(&[pelvis(0.030, 0.070, 0.053), pelvis(-0.006, 0.084, 0.061), pelvis(-0.030, 0.072, 0.054)]);
        let top = joint(bone::HEAD) + rig.head.of(vector(0.0, 0.03, 0.006) * unit);
        let root = joint(bone::CHEST) + rig.chest.of(vector(0.0, 0.112, -0.002) * unit);
        let neck = Tube::new(&[
            Blob::ball(root, 0.0290 * unit),
            Blob::ball(joint(bone::HEAD), 0.0260 * unit),
            Blob::ball(top, 0.0260 * unit),
        ]);
        Trunk { rings, upper, lower, neck, depth: joint(bone::CHEST).z }
    }

    fn ring(&self, height: f32) -> Ring {
        let low = (height.max(0.0) as usize).min(self.rings.len() - 2);
        self.rings[low].toward(&self.rings[low + 1], height - low as f32)
    }

    /// A place on the cloth: by line and by the angle about the trunk, brought to where one can still see it.
    pub fn on(&self, height: f32, angle: f32, wider: f32) -> Point {
        let ring = self.ring(height);
        let facing = ring.facing();
        let off = (angle - facing + std::f32::consts::PI).rem_euclid(std::f32::consts::TAU) - std::f32::consts::PI;
        let most = std::f32::consts::FRAC_PI_2;
        seen(ring.at(facing + off.clamp(-most, most), wider)).at
    }

    /// How much a place on the cloth looks at the camera, −1 to 1.
    pub fn looks(&self, height: f32, angle: f32) -> f32 {
        (angle - self.ring(height).facing()).cos()
    }

    /// A patch of cloth with these corners; nothing when none of them is seen.
    pub fn patch(&self, corners: &[(f32, f32)], wider: f32) -> Option<Path> {
        let shown = corners.iter().any(|&(height, angle)| self.looks(height, angle) > 0.02);
        shown.then(|| polygons([corners.iter().map(|&(height, angle)| self.on(height, angle, wider))]))
    }

    /// A line along the cloth; nothing where it is not seen.
    pub fn seam(&self, from: (f32, f32), to: (f32, f32), wider: f32) -> Option<Vec<Point>> {
        const STEPS: usize = 6;
        let place = |i: usize| {
            let t = i as f32 / STEPS as f32;
            (from.0 + (to.0 - from.0) * t, from.1 + (to.1 - from.1) * t)
        };
        let shown = (0..=STEPS).map(place).filter(|&(height, angle)| self.looks(height, angle) > 0.03);
        let points: Vec<Point> = shown.map(|(height, angle)| self.on(height, angle, wider)).collect();
        (points.len() > 1).then_some(points)
    }

    /// The part between two lines as a solid of its own, a little wider.
    pub fn band(&self, from: f32, to: f32, wider: f32) -> Tube {
        let steps = ((to - from) * 2.0).ceil().max(1.0);
        let blob = |i: usize| self.ring(from + (to - from) * i as f32 / steps).blob().grown(wider);
        Tube::new(&(0..=steps as usize).map(blob).collect::<Vec<_>>())
    }
}

/// How a skirt is cut.
struct Cut {
    /// Height of its begin above the hips, and half width and depth there.
    waist: [f32; 3],
    length: f32,
    /// Angle from the vertical.
    flare: f32,
    /// Folds around, and how deep they are.
    folds: f32,
    deep: f32,
    columns: usize,
    /// Half the angle that is open in front.
    open: f32,
    /// How much thighs lift it.
    lifted: f32,
}

/// The skirt, if one is worn. `sway` is what its hem lags behind.
pub(super) fn skirt(costume: &Costume, rig: &Rig, sway: Vector) -> Option<Sheet> {
    let length = costume.outfit.length;
    // Below a coat a skirt has less room.
    let (tight, short) = if costume.outfit.upper == Upper::Coat { (0.5, 0.8) } else { (1.0, 1.0) };
    let waist = [0.040, 0.066, 0.051];
    let cut = match costume.outfit.lower {
        Lower::Pleated => Cut {
            waist,
            length: 0.160 * length,
            flare: 0.40,
            folds: 15.0,
            deep: 0.085,
            columns: 30,
            open: 0.0,
            lifted: 1.0,
        },
        Lower::Flared => Cut {
            waist,
            length: 0.205 * length * short,
            flare: 0.44 * tight,
            folds: 7.0,
            deep: 0.055 * tight,
            columns: 42,
            open: 0.0,
            lifted: 1.0,
        },
        Lower::Shorts | Lower::Trousers => return None,
    };
    Some(hang(&cut, rig, sway))
}

/// The skirts of a coat, open in front.
pub(super) fn coat(costume: &Costume, rig: &Rig, sway: Vector) -> Option<Sheet> {
    let cut = Cut {
        waist: [0.050, 0.073, 0.060],
        length: 0.27,
        flare: 0.30,
        folds: 4.0,
        deep: 0.04,
        columns: 36,
        open: 0.30,
        lifted: 0.55,
    };
    (costume.outfit.upper == Upper::Coat).then(|| hang(&cut, rig, sway))
}

/// Where cloth lies on the floor.
const FLOOR: f32 = 0.008;

fn hang(cut: &Cut, rig: &Rig, sway: Vector) -> Sheet {
    const ROWS: usize = 4;
    let (unit, pelvis) = (rig.unit, &rig.pelvis);
    let [up, wide, deep] = cut.waist;
    let middle = rig.joints[bone::HIPS] + pelvis.of(vector(0.0, up, 0.0) * unit);
    let down = (pelvis.y * -0.45 + vector(0.0, -0.55, 0.0)).unit();
    let thighs: [Vector; 2] =
        std::array::from_fn(|i| (rig.joints[bone::LOWER_LEG + i] - rig.joints[bone::UPPER_LEG + i]).unit());
    let place = |row: usize, column: usize| {
        let t = row as f32 / ROWS as f32;
        let around = column as f32 / cut.columns as f32;
        let angle = cut.open + (std::f32::consts::TAU - 2.0 * cut.open) * around;
        // Columns pass from left to right as one looks at the front: towards the left of the body.
        let (s, c) = angle.sin_cos();
        let out = pelvis.x * s + pelvis.z * c;
        let mut lean = cut.flare;
        for (thigh, side) in thighs.iter().zip(SIDES) {
            let near = (0.72 + 0.55 * side * s).clamp(0.0, 1.0);
            let pushed = (thigh.dot(out) * near * cut.lifted).clamp(-1.0, 1.0).asin() + 0.16;
            // The larger of both, rounded off.
            let gap = lean - pushed;
            lean = 0.5 * (lean + pushed + (gap * gap + 0.004).sqrt());
        }
        let fold = cut.deep * t * (angle * cut.folds).cos();
        let (ls, lc) = (lean + fold).clamp(0.0, 1.75).sin_cos();
        let waist = middle + pelvis.x * (wide * unit * s) + pelvis.z * (deep * unit * c);
        let along = cut.length * unit * t;
        // Over the hips first, then down.
        let hips = out * (0.015 * unit * (1.0 - (1.0 - t).powi(3)));
        let place = waist + hips + (down * lc + out * ls) * along + sway * (t * t);
        // What would be below the floor lies on it.
        let below = (FLOOR - place.y).max(0.0);
        place + vector(out.x, 0.0, out.z) * (0.8 * below) + vector(0.0, below, 0.0)
    };
    Sheet::new(ROWS, cut.columns, cut.open == 0.0, place)
}
