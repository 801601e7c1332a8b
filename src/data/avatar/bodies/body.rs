//! One character in one pose: all its solids in space, where its bones are, and what hides them.

use serde::{Deserialize, Serialize};

use super::costume::Costume;
use super::hair::Hair;
use super::head::Head;
use super::limbs::{LimbParts, arm, leg};
use super::motion::{Clip, RATE};
use super::rig::{BONES, Rig, Stance, bone};
use super::sheet::Sheet;
use super::space::{Basis, Vector, seen, vector};
use super::trunk::{Trunk, coat, skirt};
use crate::data::avatar::canvas::Point;
use crate::data::skeleton::KeyPoint;

/// Where one bone begins.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Joint {
    /// In the world: x to the right of the picture, y up from the floor, z towards the camera; a body is about 1 high.
    pub place: [f32; 3],
    /// In the picture: x from its left and y from its upper border, as shares of its side.
    pub at: [f32; 2],
    /// Whether it is inside the picture.
    pub in_frame: bool,
    /// Whether another part of the character, its hair or its clothes are between it and the camera, by more than what
    /// the bone itself is covered with.
    pub occluded: bool,
}

impl Joint {
    /// As a key point in a picture of `size` pixels: x, y, and 1 where it is inside the picture, whatever hides it.
    pub fn keypoint(&self, size: u32) -> KeyPoint {
        let side = size as f32;
        [self.at[0] * side, self.at[1] * side, f32::from(u8::from(self.in_frame))]
    }
}

/// A character in a pose.
#[derive(Clone, Debug)]
pub(super) struct Body<'a> {
    pub costume: &'a Costume,
    pub rig: Rig,
    pub head: Head,
    pub hair: Hair,
    pub trunk: Trunk,
    pub skirt: Option<Sheet>,
    pub coat: Option<Sheet>,
    pub arms: [LimbParts; 2],
    pub legs: [LimbParts; 2],
}

/// How far hair and skirts are behind what they hang from.
#[derive(Clone, Copy, Debug, Default)]
struct Sway {
    head: Vector,
    hips: Vector,
}

impl<'a> Body<'a> {
    /// Pose `frame` of a clip.
    pub fn new(costume: &'a Costume, clip: &Clip, frame: usize) -> Body<'a> {
        let seconds = frame as f32 / RATE;
        let rig = Rig::new(&costume.build, &clip.at(seconds));
        let sway = sway(costume, &rig, |earlier| clip.at(seconds - earlier));
        Body::of(costume, rig, sway)
    }

    /// Held still.
    pub fn still(costume: &'a Costume, stance: &Stance) -> Body<'a> {
        Body::of(costume, Rig::new(&costume.build, stance), Sway::default())
    }

    fn of(costume: &'a Costume, rig: Rig, sway: Sway) -> Body<'a> {
        let head = Head::new(costume, &rig);
        Body {
            costume,
            hair: Hair::new(costume, &rig, &head, sway.head),
            trunk: Trunk::new(costume, &rig),
            skirt: skirt(costume, &rig, sway.hips),
            coat: coat(costume, &rig, sway.hips),
            arms: [0, 1].map(|i| arm(costume, &rig, i)),
            legs: [0, 1].map(|i| leg(costume, &rig, i)),
            head,
            rig,
        }
    }

    /// Its bones, in the order of [`Skeleton::bones`](crate::data::skeleton::Skeleton::bones).
    pub fn joints(&self) -> [Joint; BONES] {
        std::array::from_fn(|i| {
            let place = self.rig.joints[i];
            let (x, y) = seen(place).at;
            let inside = |v: f32| (0.0..1.0).contains(&v);
            let front = self.front((x, y)).unwrap_or(f32::NEG_INFINITY);
            Joint {
                place: [place.x, place.y, place.z],
                at: [x, y],
                in_frame: inside(x) && inside(y),
                occluded: front - place.z > COVER[i] * self.rig.unit,
            }
        })
    }

    /// How near to the camera the foremost of everything is at a place of the picture.
    fn front(&self, at: Point) -> Option<f32> {
        let limbs = self.arms.iter().chain(&self.legs).flat_map(LimbParts::tubes);
        let trunk = [&self.trunk.upper, &self.trunk.lower, &self.trunk.neck];
        let head = [&self.head.skull, &self.hair.dome];
        let bunches = self.hair.bunches.iter().map(|bunch| &bunch.solid);
        let tubes = limbs.chain(trunk).chain(head).chain(bunches).filter_map(|tube| tube.depth(at));
        let sheets = [Some(&self.hair.shell), self.skirt.as_ref(), self.coat.as_ref()];
        let sheets = sheets.into_iter().flatten().filter_map(|sheet| sheet.depth(at));
        tubes.chain(sheets).reduce(f32::max)
    }
}

/// What covers each bone by itself, in mean bodies: half the thickness of the body there with clothes, or hair.
const COVER: [f32; BONES] = {
    let mut cover = [0.06; BONES];
    cover[bone::HIPS] = 0.125;
    cover[bone::SPINE] = 0.11;
    cover[bone::CHEST] = 0.095;
    cover[bone::NECK] = 0.085;
    cover[bone::HEAD] = 0.135;
    cover[bone::HEAD_TOP] = 0.13;
    let mut i = 0;
    while i < 2 {
        cover[bone::UPPER_ARM + i] = 0.075;
        cover[bone::UPPER_LEG + i] = 0.12;
        cover[bone::LOWER_LEG + i] = 0.07;
        i += 1;
    }
    cover
};

/// Places that hair and skirts hang from are pulled along later than they move.
fn sway(costume: &Costume, now: &Rig, earlier: impl Fn(f32) -> Stance) -> Sway {
    let before = Rig::new(&costume.build, &earlier(0.11));
    let hung = |rig: &Rig, bone: usize, basis: &Basis, off: Vector| rig.joints[bone] + basis.of(off * rig.unit);
    let behind = vector(0.0, 0.0, -0.10);
    let head = hung(&before, bone::HEAD, &before.head, behind) - hung(now, bone::HEAD, &now.head, behind);
    let hips = before.joints[bone::HIPS] - now.joints[bone::HIPS];
    let limited = |v: Vector, most: f32| v * (most / (most + v.length()));
    Sway { head: limited(head, 0.16 * now.unit), hips: limited(hips * 0.6, 0.07 * now.unit) }
}
