//! Hair: what hangs behind the head, the cap with its fringe, the locks beside the face, bunches and ringlets.
//!
//! The labels combine as a hairdresser would: hair that is tied up does not hang down as well, `long hair` and
//! `short hair` then say how long the bunches are; both together are a bob in front of long hair.

mod back;
mod fringe;
mod tails;

use tiny_skia::Path;

use super::label;
use super::sketch::Sketch;
use super::spec::FaceSpec;
use crate::data::avatar::canvas::{Ink, Point, Region};
use crate::data::avatar::shape::{Lock, Pen, ellipse, lerp};

/// Below the picture's edge, in face units.
const FLOOR: f32 = 0.66;

/// Measures of one face's hair, in face units.
struct Cut<'a> {
    face: &'a FaceSpec,
    /// Half the width of the cap.
    wide: f32,
    /// y of the crown.
    top: f32,
    long: bool,
    short: bool,
    /// Tied up: twintails or a ponytail.
    tied: bool,
}

impl<'a> Cut<'a> {
    fn of(face: &'a FaceSpec) -> Self {
        Cut {
            face,
            wide: face.head.width + 0.036 * face.hair.volume,
            top: -0.355 * face.hair.crown,
            long: face.has(label::LONG_HAIR),
            short: face.has(label::SHORT_HAIR),
            tied: face.has(label::TWINTAILS) || face.has(label::PONYTAIL),
        }
    }

    /// y at which bunches and ringlets end: the jaw, the shoulders or out of the picture.
    fn reach(&self) -> f32 {
        match (self.long, self.short) {
            (true, _) => FLOOR,
            (false, true) => 0.15,
            (false, false) => 0.32,
        }
    }

    /// Whether a ponytail hangs over the shoulder, since hat and twintails take its place.
    fn draped(&self) -> bool {
        self.face.has(label::HAT) && self.face.has(label::TWINTAILS)
    }

    /// The `i`-th random number of this hair, in [−1, 1].
    fn uneven(&self, i: usize) -> f32 {
        self.face.hair.uneven[i % self.face.hair.uneven.len()]
    }
}

/// Half width and top of the cap, for what sits on it.
pub(super) fn cap_size(face: &FaceSpec) -> (f32, f32) {
    let cut = Cut::of(face);
    (cut.wide, cut.top)
}

/// The lower edge of this face's fringe: the notches between locks and the tip of each, from left to right; one more
/// notch than tips.
pub(in crate::data::avatar) fn fringe_edge(face: &FaceSpec) -> (Vec<Point>, Vec<Point>) {
    let edge = fringe::edge(&Cut::of(face));
    (edge.valleys, edge.tips)
}

/// y of the ties of this face's twintails.
pub(super) fn tie_height(face: &FaceSpec) -> f32 {
    tails::tie_height(&Cut::of(face))
}

/// What hangs behind the head.
pub(super) fn back(sketch: &mut Sketch) {
    let cut = Cut::of(sketch.face);
    sketch.canvas.region(Region::Hair);
    if sketch.face.has(label::PONYTAIL) && !cut.draped() {
        tails::ponytail(sketch, &cut);
    }
    back::mass(sketch, &cut);
    if sketch.face.has(label::TWINTAILS) && !sketch.face.has(label::DRILL_HAIR) {
        tails::twintails(sketch, &cut);
    }
}

/// What hangs over the shoulders, behind the face.
pub(super) fn shoulder(sketch: &mut Sketch) {
    let cut = Cut::of(sketch.face);
    if sketch.face.has(label::PONYTAIL) && cut.draped() {
        sketch.canvas.region(Region::Hair);
        tails::over_shoulder(sketch, &cut);
    }
}

/// The shadow that the fringe casts on the face; the face is the clip.
pub(super) fn shadow(sketch: &mut Sketch, ink: Ink) {
    let cut = Cut::of(sketch.face);
    let drop = if sketch.face.light_left { 0.006 } else { -0.006 };
    let moved = fringe::cap(&cut).transform(tiny_skia::Transform::from_translate(drop, 0.020));
    if let Some(path) = moved {
        sketch.canvas.fill(&path, ink);
    }
}

/// The cap with the fringe and the locks beside the face.
pub(super) fn front(sketch: &mut Sketch) {
    let cut = Cut::of(sketch.face);
    sketch.canvas.region(Region::Hair);
    sides(sketch, &cut);
    fringe::draw(sketch, &cut);
    if sketch.face.hair.ahoge && !sketch.face.has(label::HAT) {
        let s = sketch.face.hair.fall;
        let root = (s * 0.02, cut.top + 0.006);
        let knots = [root, (s * 0.015, cut.top - 0.045), (s * -0.03, cut.top - 0.07), (s * -0.075, cut.top - 0.045)];
        strand_of_hair(sketch, &Lock::new(&knots, &[0.010, 0.010, 0.007, 0.001]), (cut.top, 0.0));
    }
}

/// What lies in front of everything else on the head.
pub(super) fn over(sketch: &mut Sketch) {
    let cut = Cut::of(sketch.face);
    if sketch.face.has(label::DRILL_HAIR) {
        sketch.canvas.region(Region::Hair);
        tails::ringlets(sketch, &cut);
    }
}

/// Locks from the temples down in front of the ears.
fn sides(sketch: &mut Sketch, cut: &Cut) {
    let hair = &cut.face.hair;
    let (w, full) = (cut.wide, hair.side_width);
    for side in [-1.0, 1.0] {
        let own = cut.uneven(if side < 0.0 { 3 } else { 7 });
        let wave = 0.02 * hair.wave * own;
        let (end, tip, profile) = match (cut.tied, cut.long, cut.short) {
            (_, _, true) => (0.150 + 0.02 * own, w * (0.84 + 0.10 * hair.flip), [0.012, 0.042, 0.040, 0.004]),
            (false, true, false) => (FLOOR, w * 1.12 + wave, [0.012, 0.040, 0.056, 0.050]),
            (true, ..) => (hair.side + 0.02 * own, w * 0.80, [0.012, 0.032, 0.022, 0.002]),
            (false, false, false) => (0.30 + 0.02 * own, w * (0.95 + 0.12 * hair.flip), [0.012, 0.040, 0.040, 0.003]),
        };
        let middle = if cut.long && !cut.short && !cut.tied { 1.02 } else { 0.95 };
        let knots = [
            (side * w * 0.84, -0.190),
            (side * w * 0.915, -0.020),
            (side * (w * middle - wave), end * 0.48),
            (side * tip, end),
        ];
        let lock = Lock::new(&knots, &profile.map(|half| half * full));
        strand_of_hair(sketch, &lock, (-0.15, end));
    }
}

/// A lock with fill, outline, shadow on the dark side, two strands and a shine.
fn strand_of_hair(sketch: &mut Sketch, lock: &Lock, (top, bottom): (f32, f32)) {
    let (line, tones) = (sketch.line, sketch.hair);
    sketch.canvas.outlined(&lock.outline(), sketch.hair_ink(top, bottom), line, tones.line);
    detail(sketch, lock, 1.0);
}

/// Shadow, strands and shine of a lock that is already filled.
pub(in crate::data::avatar) fn detail(sketch: &mut Sketch, lock: &Lock, strength: f32) {
    let (line, tones) = (sketch.line, sketch.hair);
    let lean = lock.point(0.9, 0.0).1 - lock.point(0.1, 0.0).1;
    let dark = if (lean > 0.0) == sketch.face.light_left { -1.0 } else { 1.0 };
    sketch.canvas.fill(&lock.strip(0.12, 0.97, dark * 0.45, dark * 0.93), Ink::Glaze(tones.shade, 0.8 * strength));
    for (from, to, side) in [(0.25, 0.9, 0.30), (0.4, 0.96, -0.35)] {
        sketch.canvas.stroke(&lock.strand(from, to, side * dark), line * 0.6, Ink::Glaze(tones.line, 0.55 * strength));
    }
    sketch.canvas.fill(&lock.strip(0.18, 0.36, -dark * 0.65, -dark * 0.1), Ink::Glaze(tones.light, 0.6 * strength));
}

/// Fills shapes as one: no outline where they overlap.
pub(in crate::data::avatar) fn as_one(sketch: &mut Sketch, shapes: &[Path], ink: Ink) {
    let (line, colour) = (sketch.line, sketch.hair.line);
    for shape in shapes {
        sketch.canvas.stroke(shape, line * 2.0, Ink::Flat(colour));
    }
    for shape in shapes {
        sketch.canvas.fill(shape, ink);
    }
}

/// A band around a bunch.
fn tie(sketch: &mut Sketch, at: (f32, f32), radius: f32) {
    let tones = sketch.hair;
    let colour = tones.line.times(tones.line).mix(tones.line, 0.5);
    let (line, path) = (sketch.line, ellipse(at, radius, radius * 0.8));
    sketch.canvas.outlined(&path, Ink::Flat(colour), line, tones.line);
    let shine = ellipse(lerp(at, (at.0, at.1 - radius), 0.45), radius * 0.35, radius * 0.2);
    sketch.canvas.fill(&shine, Ink::Glaze(tones.light, 0.7));
}

/// From `a` to `b` through notches: points of hair that hang down.
fn ragged(mut pen: Pen, a: (f32, f32), b: (f32, f32), tips: usize, depth: f32, cut: &Cut) -> Pen {
    for i in 0..tips {
        let (start, end) = (lerp(a, b, i as f32 / tips as f32), lerp(a, b, (i + 1) as f32 / tips as f32));
        let own = cut.uneven(i + 2);
        let middle = lerp(start, end, 0.5 + 0.2 * own);
        let tip = (middle.0, middle.1 + depth * (1.0 + 0.4 * own));
        let belly = |from: (f32, f32)| (lerp(from, tip, 0.25).0, lerp(from, tip, 0.75).1);
        pen = pen.quad(belly(start), tip).quad(belly(end), end);
    }
    pen
}
