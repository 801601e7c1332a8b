//! Eyes with lids, iris, pupil, highlights and lashes; eyebrows.

use tiny_skia::Path;

use super::label;
use super::sketch::Sketch;
use super::style::Eyes;
use crate::data::avatar::canvas::{Ink, Point, Region};
use crate::data::avatar::palette::{Colour, WHITE};
use crate::data::avatar::shape::{Lock, brush, ellipse, polygon};

/// One eye; u grows from the inner to the outer corner, −0.5…0.5 widths, v down from the eye line.
struct Lids<'a> {
    eyes: &'a Eyes,
    side: f32,
    /// Lift of the lower lid when smiling.
    lift: f32,
}

impl Lids<'_> {
    const INNER: f32 = 0.022;
    const OUTER: f32 = 0.004;

    /// Line between the two corners at `t` from the inner (0) to the outer corner (1).
    fn corners(&self, t: f32) -> f32 {
        let tilt = self.eyes.slant * 0.6;
        let (inner, outer) = (Self::INNER + tilt, Self::OUTER - tilt);
        inner + (outer - inner) * t
    }

    /// v of the upper lid.
    fn upper(&self, t: f32) -> f32 {
        let power = 0.62 - 0.22 * self.eyes.flat;
        let arch = (std::f32::consts::PI * t.powf(0.88)).sin().max(0.0).powf(power);
        self.corners(t) - 0.53 * self.eyes.height * arch
    }

    /// v of the lower lid.
    fn lower(&self, t: f32) -> f32 {
        let arch = (std::f32::consts::PI * t.powf(1.1)).sin().max(0.0).powf(0.62);
        self.corners(t) + (0.40 * self.eyes.height - self.lift) * arch
    }

    /// Place on the face of (t, v).
    fn place(&self, t: f32, v: f32) -> Point {
        (self.side * (self.eyes.apart + (t - 0.5) * self.eyes.width), v)
    }

    /// Outline of what the lids leave open.
    fn opening(&self) -> Path {
        const N: usize = 20;
        let t = |i: usize| 0.5 - 0.5 * (std::f32::consts::PI * i as f32 / N as f32).cos();
        let over = (0..=N).map(|i| self.place(t(i), self.upper(t(i))));
        let under = (0..=N).rev().map(|i| self.place(t(i), self.lower(t(i))));
        polygon(over.chain(under))
    }

    /// An ellipse on the eyeball, cut by both lids.
    fn disc(&self, centre: Point, rx: f32, ry: f32) -> Path {
        const N: usize = 36;
        polygon((0..N).map(|i| {
            let angle = std::f32::consts::TAU * i as f32 / N as f32;
            self.cut((centre.0 + rx * angle.cos(), centre.1 + ry * angle.sin()))
        }))
    }

    /// The nearest point between the lids, straight above or below.
    fn cut(&self, (x, y): Point) -> Point {
        let t = ((self.side * x - self.eyes.apart) / self.eyes.width + 0.5).clamp(0.0, 1.0);
        (x, y.clamp(self.upper(t), self.lower(t)))
    }
}

/// Both eyes.
pub(super) fn draw(sketch: &mut Sketch) {
    [-1.0, 1.0].into_iter().for_each(|side| one(sketch, side));
}

/// The eye on one side: −1 left or 1 right in the picture.
pub(in crate::data::avatar) fn one(sketch: &mut Sketch, side: f32) {
    let lift = if sketch.face.has(label::SMILE) { 0.007 } else { 0.0 };
    let lids = Lids { eyes: &sketch.face.eyes, side, lift };
    white(sketch, &lids);
    iris(sketch, &lids);
    lashes(sketch, &lids);
}

fn white(sketch: &mut Sketch, lids: &Lids) {
    sketch.canvas.region(Region::Eye);
    let (top, bottom) = (lids.upper(0.5), lids.lower(0.5));
    let grey = Colour::hex(0xc9_c6_da);
    let ink = Ink::Triple { from: (0.0, top), to: (0.0, bottom), middle: 0.5, colours: [grey, WHITE, WHITE] };
    sketch.canvas.fill(&lids.opening(), ink);
}

fn iris(sketch: &mut Sketch, lids: &Lids) {
    let eyes = &sketch.face.eyes;
    let colour = sketch.face.eye_colour();
    let dark = colour.lab()[0] < 30.0;
    let deep = colour.times(Colour::hex(0x78_6a_80));
    let depth = sketch.face.hand.as_ref().map_or(0.0, |hand| hand.depth);
    let light = colour.mix(WHITE, if dark { 0.20 } else { 0.22 });
    let (top, bottom) = (lids.upper(0.5), lids.lower(0.5));
    let ry = (bottom - top) * 0.60;
    let rx = ry * eyes.iris * 0.92;
    let centre = (lids.side * (eyes.apart - 0.002) + eyes.look.0 * rx, bottom + 0.003 - ry + eyes.look.1 * ry);
    sketch.canvas.region(Region::Iris);
    sketch.canvas.fill(&lids.disc(centre, rx, ry), Ink::Flat(deep));
    let upper = colour.mix(deep, 0.6).mix(deep.times(deep), 0.8 * depth);
    let colours = [upper, colour.mix(deep, 0.6 * depth), light];
    let ink = Ink::Triple { from: (0.0, centre.1 - ry), to: (0.0, centre.1 + ry), middle: 0.42, colours };
    sketch.canvas.fill(&lids.disc(centre, rx * 0.91, ry * 0.94), ink);
    let glow = (centre.0, centre.1 + ry * 0.52);
    sketch.canvas.fill(&lids.disc(glow, rx * 0.56, ry * 0.30), Ink::Glaze(colour.mix(WHITE, 0.45), 0.5));
    let black = colour.times(Colour::hex(0x38_30_44));
    let pupil = (centre.0, centre.1 - 0.02 * ry);
    sketch.canvas.fill(&lids.disc(pupil, rx * eyes.pupil, ry * eyes.pupil * 0.95), Ink::Flat(black));
    let shadow = lids.disc((centre.0, centre.1 - ry * 0.80), rx * 0.98, ry * 0.50);
    sketch.canvas.fill(&shadow, Ink::Glaze(black, 0.4));
    let lit = if sketch.face.light_left { -1.0 } else { 1.0 };
    let size = rx * 0.27;
    let high = (centre.0 + lit * rx * 0.36, centre.1 - ry * 0.32);
    sketch.canvas.fill(&ellipse(high, size, size * 1.25), Ink::Flat(WHITE));
    if eyes.sparkle > 0 {
        let low = (centre.0 - lit * rx * 0.42, centre.1 + ry * 0.42);
        sketch.canvas.fill(&ellipse(low, size * 0.55, size * 0.6), Ink::Glaze(WHITE, 0.9));
    }
    if eyes.sparkle > 1 {
        let small = (centre.0 + lit * rx * 0.18, centre.1 + ry * 0.62);
        sketch.canvas.fill(&ellipse(small, size * 0.3, size * 0.3), Ink::Glaze(WHITE, 0.85));
    }
}

fn lashes(sketch: &mut Sketch, lids: &Lids) {
    let eyes = &sketch.face.eyes;
    let ink = Colour::hex(0x2c_1c_24).mix(sketch.hair.line, 0.25).times(Colour::hex(0xc8_c0_c8));
    sketch.canvas.region(Region::Eye);
    const N: usize = 14;
    let thick = |t: f32| eyes.lash * (0.30 + 0.85 * t.powf(1.2)) * (1.0 - 0.35 * (2.0 * t - 1.0).powi(4));
    let tip = lids.place(1.0 + eyes.flick / eyes.width, lids.upper(1.0) - 0.5 * eyes.flick - 0.35 * eyes.slant);
    let at = |i: usize| i as f32 / N as f32;
    let over = (0..=N).map(|i| lids.place(at(i), lids.upper(at(i)) - thick(at(i))));
    let under = (0..=N).rev().map(|i| lids.place(at(i), lids.upper(at(i)) + 0.15 * thick(at(i))));
    let outer = [tip, lids.place(1.0, lids.upper(1.0) + 0.012)];
    sketch.canvas.fill(&polygon(over.chain(outer).chain(under)), Ink::Flat(ink));
    for (t, length) in [(0.80, 0.9), (0.92, 1.0)] {
        let root = lids.place(t, lids.upper(t) - 0.4 * thick(t));
        let end = (root.0 + lids.side * 0.9 * eyes.flick * length, root.1 - 1.1 * eyes.flick * length);
        let middle = (root.0 + lids.side * 0.6 * eyes.flick, root.1 - 0.3 * eyes.flick);
        let lash = Lock::new(&[root, middle, end], &[0.004, 0.003, 0.0005]);
        sketch.canvas.fill(&lash.outline(), Ink::Flat(ink));
    }
    let lower: Vec<Point> =
        (0..6).map(|i| 0.42 + 0.55 * i as f32 / 5.0).map(|t| lids.place(t, lids.lower(t))).collect();
    sketch.canvas.fill(&brush(&lower, 0.0055), Ink::Glaze(ink.mix(sketch.face.skin.line, 0.35), 0.9));
    let crease: Vec<Point> =
        (0..6).map(|i| 0.18 + 0.70 * i as f32 / 5.0).map(|t| lids.place(t, lids.upper(t) - thick(t) - 0.011)).collect();
    sketch.canvas.fill(&brush(&crease, 0.0045), Ink::Flat(sketch.face.skin.line.mix(sketch.face.skin.base, 0.25)));
}

/// Eyebrows, seen through the fringe.
pub(super) fn brows(sketch: &mut Sketch) {
    [-1.0, 1.0].into_iter().for_each(|side| brow(sketch, side));
}

/// The eyebrow on one side.
pub(in crate::data::avatar) fn brow(sketch: &mut Sketch, side: f32) {
    let (brows, apart) = (&sketch.face.brows, sketch.face.eyes.apart);
    let raised = if sketch.face.has(label::SMILE) { 0.004 } else { 0.0 };
    let colour = sketch.hair.line.mix(sketch.face.skin.line, 0.15);
    sketch.canvas.region(Region::Eye);
    let y = brows.height - raised;
    let knots = [
        (side * (apart - 0.048), y - brows.slope * 0.5 + 0.006),
        (side * (apart + 0.006), y - brows.arch),
        (side * (apart + 0.060), y + brows.slope * 0.5 + 0.004),
    ];
    let brow = Lock::new(&knots, &[brows.width * 0.42, brows.width * 0.5, brows.width * 0.35, brows.width * 0.08]);
    sketch.canvas.fill(&brow.outline(), Ink::Glaze(colour, 0.72));
}
