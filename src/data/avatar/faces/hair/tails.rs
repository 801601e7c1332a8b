//! Bunches and ringlets.

use super::{Cut, FLOOR, as_one, detail, tie};
use crate::data::avatar::canvas::{Ink, Point};
use crate::data::avatar::faces::label;
use crate::data::avatar::faces::sketch::Sketch;
use crate::data::avatar::shape::{Lock, Pen, ellipse, lerp, rotated};

/// A bunch of three locks that share a root and part towards their ends.
fn bunch(sketch: &mut Sketch, cut: &Cut, knots: &[Point], half: f32) {
    let last = (knots.len() - 1) as f32;
    let locks: Vec<Lock> = [-1.0_f32, 1.0, 0.0]
        .into_iter()
        .enumerate()
        .map(|(i, side)| {
            let apart = side * half * (0.55 + 0.15 * cut.uneven(i));
            let short = if side == 0.0 { 0.0 } else { 0.05 + 0.03 * cut.uneven(i + 6) };
            let moved: Vec<Point> = (0..knots.len())
                .map(|k| {
                    let t = k as f32 / last;
                    (knots[k].0 + apart * t * t * 1.2, knots[k].1 - short * t * t)
                })
                .collect();
            let own = half * if side == 0.0 { 1.0 } else { 0.72 };
            Lock::new(&moved, &[0.25 * own, 0.85 * own, own, 0.80 * own, 0.03 * own])
        })
        .collect();
    let top = knots.iter().map(|k| k.1).fold(f32::INFINITY, f32::min);
    let ink = sketch.hair_ink(top, knots[knots.len() - 1].1.max(top + 0.1));
    let outlines: Vec<_> = locks.iter().map(Lock::outline).collect();
    as_one(sketch, &outlines, ink);
    for (lock, strength) in locks.iter().zip([0.7, 0.7, 1.0]) {
        detail(sketch, lock, strength);
    }
}

/// A bunch on each side of the head.
pub(super) fn twintails(sketch: &mut Sketch, cut: &Cut) {
    let hair = &cut.face.hair;
    let (w, tied, end) = (cut.wide, tie_height(cut), cut.reach());
    let half = 0.056 * hair.bunch;
    for side in [-1.0, 1.0] {
        let swing = 0.018 * hair.wave * cut.uneven(4);
        let out = 0.085 + 0.02 * hair.flip;
        let knots = [
            (side * (w - 0.020), tied),
            (side * (w + 0.050), tied + 0.010),
            (side * (w + out + swing), lerp((0.0, tied), (0.0, end), 0.42).1),
            (side * (w + out - 0.005 - swing), lerp((0.0, tied), (0.0, end), 0.75).1),
            (side * (w + 0.055 + 0.02 * hair.flip), end),
        ];
        bunch(sketch, cut, &knots, half);
        tie(sketch, (side * (w + 0.004), tied), 0.022);
    }
}

/// y of the twintails' ties: below the brim of a hat.
pub(super) fn tie_height(cut: &Cut) -> f32 {
    if cut.face.has(label::HAT) { cut.face.hair.tie.max(-0.12) } else { cut.face.hair.tie }
}

/// One bunch, tied high and falling to one side; below a hat it is tied at the side.
pub(super) fn ponytail(sketch: &mut Sketch, cut: &Cut) {
    let hair = &cut.face.hair;
    let (w, s, end, top) = (cut.wide, hair.fall, cut.reach(), cut.top);
    let knots = if cut.face.has(label::HAT) {
        let out = [(s * (w - 0.05), -0.17), (s * (w + 0.03), -0.16), (s * (w + 0.10), -0.02)];
        [out[0], out[1], out[2], (s * (w + 0.09), end * 0.62), (s * (w + 0.03), end)]
    } else {
        let up = [(s * 0.08, top + 0.05), (s * 0.17, top - 0.035), (s * (w + 0.045), top + 0.12)];
        [up[0], up[1], up[2], (s * (w + 0.105), (top + end) * 0.5 + 0.06), (s * (w + 0.05), end)]
    };
    bunch(sketch, cut, &knots, 0.068 * hair.bunch);
    tie(sketch, lerp(knots[0], knots[1], 0.35), 0.034);
}

/// A ponytail that hangs forward over one shoulder, for heads where hat and twintails leave it no other place.
pub(super) fn over_shoulder(sketch: &mut Sketch, cut: &Cut) {
    let s = cut.face.hair.fall;
    let end = cut.reach().max(0.42);
    let knots =
        [(s * 0.07, 0.19), (s * 0.125, 0.255), (s * 0.155, 0.33), (s * 0.150, end * 0.5 + 0.2), (s * 0.135, end)];
    bunch(sketch, cut, &knots, 0.060 * cut.face.hair.bunch);
    tie(sketch, lerp(knots[0], knots[1], 0.8), 0.030);
}

/// Ringlets beside the face, or in place of the twintails.
pub(super) fn ringlets(sketch: &mut Sketch, cut: &Cut) {
    let hair = &cut.face.hair;
    let (w, twin) = (cut.wide, cut.face.has(label::TWINTAILS));
    let end = match (cut.long, cut.short) {
        (true, false) => FLOOR,
        (true, true) => 0.36,
        (false, _) => cut.reach() + 0.06,
    };
    for side in [-1.0, 1.0] {
        let (top, x, spread) =
            if twin { (tie_height(cut) - 0.01, w + 0.040, 0.055) } else { (0.065, w + 0.008, 0.030) };
        let root = (side * x, top);
        let tip = (side * (x + spread), end);
        coil(sketch, cut, root, tip, 0.066 * hair.bunch.min(1.08));
        if twin {
            tie(sketch, (side * (w + 0.006), top), 0.024);
        }
    }
}

/// A spiral: turns drawn from the tip up, each over the one below it.
fn coil(sketch: &mut Sketch, cut: &Cut, root: Point, tip: Point, radius: f32) {
    let tones = sketch.hair;
    let turns = (((tip.1 - root.1) / (radius * 0.80)).round() as usize).max(4);
    let pitch = (tip.1 - root.1) / turns as f32;
    let slant = if root.0 < 0.0 { 24.0 } else { -24.0 };
    let lit = if cut.face.light_left { -1.0 } else { 1.0 };
    for i in (0..turns).rev() {
        let t = (i as f32 + 0.5) / turns as f32;
        let centre = lerp(root, tip, t);
        let r = radius * (0.72 + 1.1 * t).min(1.0) * (1.0 - 0.72 * ((t - 0.35) / 0.65).max(0.0).powf(1.5));
        let deep = pitch * 0.95;
        let turn = Pen::at((centre.0 - r, centre.1 - deep * 0.2))
            .cubic(
                (centre.0 - r * 0.9, centre.1 - deep),
                (centre.0 + r * 0.9, centre.1 - deep),
                (centre.0 + r, centre.1 - deep * 0.2),
            )
            .cubic(
                (centre.0 + r * 1.05, centre.1 + deep * 0.9),
                (centre.0 - r * 1.05, centre.1 + deep * 0.9),
                (centre.0 - r, centre.1 - deep * 0.2),
            )
            .close();
        let turn = rotated(&turn, slant, centre);
        let (start, end) = ((centre.0 + lit * r, centre.1), (centre.0 - lit * r, centre.1));
        let colours = [tones.base.mix(tones.light, 0.2), tones.base, tones.shade];
        sketch.canvas.fill(&turn, Ink::Triple { from: start, to: end, middle: 0.6, colours });
        let under = Pen::at((centre.0 - r * 0.94, centre.1 + deep * 0.02))
            .cubic(
                (centre.0 - r * 0.8, centre.1 + deep * 0.68),
                (centre.0 + r * 0.8, centre.1 + deep * 0.68),
                (centre.0 + r * 0.94, centre.1 + deep * 0.02),
            )
            .cubic(
                (centre.0 + r * 0.6, centre.1 + deep * 0.36),
                (centre.0 - r * 0.6, centre.1 + deep * 0.36),
                (centre.0 - r * 0.94, centre.1 + deep * 0.02),
            )
            .close();
        sketch.canvas.fill(&rotated(&under, slant, centre), Ink::Flat(tones.shade.mix(tones.line, 0.2)));
        let shine = ellipse((centre.0 + lit * r * 0.30, centre.1 - deep * 0.05), r * 0.36, deep * 0.16);
        sketch.canvas.fill(&rotated(&shine, slant, centre), Ink::Glaze(tones.light, 0.8));
        sketch.canvas.stroke(&turn, sketch.line, Ink::Flat(tones.line));
    }
}
