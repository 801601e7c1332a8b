//! The hair behind the head.

use super::{Cut, FLOOR, ragged};
use crate::data::avatar::canvas::Ink;
use crate::data::avatar::faces::sketch::Sketch;
use crate::data::avatar::shape::{Lock, Pen, curve};

/// Half outline of one length: knots from the temple down, then where the ends hang.
struct Fall {
    knots: [(f32, f32); 3],
    tips: usize,
    depth: f32,
}

/// Draws the lengths that hang freely; tied hair leaves only what covers the back of the head.
pub(super) fn mass(sketch: &mut Sketch, cut: &Cut) {
    let (w, hair) = (cut.wide, &cut.face.hair);
    let (flip, wave) = (hair.flip, hair.wave);
    if cut.long && !cut.tied {
        let narrow = if cut.short { 0.90 } else { 1.0 };
        let swing = 0.035 * wave * cut.uneven(5);
        let knots = [(w * 1.03, 0.06), ((w * 1.10 + swing) * narrow, 0.28), ((w * 1.26 - swing) * narrow, FLOOR)];
        fall(sketch, cut, &Fall { knots, tips: 7, depth: 0.03 });
    }
    let (knots, depth) = match (cut.tied, cut.long, cut.short) {
        (_, _, true) => ([(w * 1.05, 0.01), (w * 1.08, 0.09), (w * (0.96 + 0.08 * flip), 0.145)], 0.032),
        (true, ..) => ([(w * 0.97, -0.02), (w * 0.88, 0.08), (w * 0.62, 0.14)], 0.02),
        (false, false, false) => ([(w * 1.04, 0.05), (w * 1.09, 0.18), (w * (1.02 + 0.14 * flip), 0.295)], 0.045),
        (false, true, false) => return,
    };
    fall(sketch, cut, &Fall { knots, tips: 6, depth });
}

fn fall(sketch: &mut Sketch, cut: &Cut, fall: &Fall) {
    let (w, top) = (cut.wide, cut.top);
    let [a, b, c] = fall.knots;
    let mirror = |(x, y): (f32, f32)| (-x, y);
    let right = (w * 0.98, -0.12);
    let pen =
        Pen::at((0.0, top + 0.01)).cubic((w * 0.56, top + 0.01), (w * 1.03, -0.25), right).through(right, &[a, b, c]);
    let shape = ragged(pen, c, mirror(c), fall.tips, fall.depth, cut)
        .through(mirror(c), &[mirror(b), mirror(a), mirror(right)])
        .cubic((-w * 1.03, -0.25), (-w * 0.56, top + 0.01), (0.0, top + 0.01))
        .close();
    let (line, tones) = (sketch.line, sketch.hair);
    let end = tones.base.mix(tones.shade, 0.75);
    let ink = Ink::Linear { from: (0.0, 0.0), to: (0.0, c.1), start: tones.base, end };
    sketch.canvas.outlined(&shape, ink, line, tones.line);
    inner_shadow(sketch, cut, c.1);
    for side in [-1.0, 1.0] {
        for (i, place) in [0.74_f32, 0.88, 0.97].into_iter().enumerate() {
            let knots = [(side * a.0 * place, -0.02), (side * b.0 * place, b.1), (side * c.0 * place, c.1 - 0.01)];
            if i == 1 {
                let streak = Lock::new(&knots, &[0.002, 0.012, 0.010, 0.001]);
                sketch.canvas.fill(&streak.outline(), Ink::Glaze(tones.shade, 0.7));
            }
            sketch.canvas.stroke(&curve(&knots), line * 0.7, Ink::Glaze(tones.line, 0.6));
        }
    }
}

/// The dark between the neck and the hair behind it.
fn inner_shadow(sketch: &mut Sketch, cut: &Cut, bottom: f32) {
    let half = cut.face.head.width * if bottom < 0.16 { 0.55 } else { 0.92 };
    let low = (bottom - 0.005).min(0.45);
    let dark = Pen::at((-half, -0.05))
        .cubic((-half * 1.02, low * 0.6), (-half * 0.92, low), (-half * 0.55, low))
        .line((half * 0.55, low))
        .cubic((half * 0.92, low), (half * 1.02, low * 0.6), (half, -0.05))
        .close();
    let tones = sketch.hair;
    sketch.canvas.fill(&dark, Ink::Flat(tones.shade.mix(tones.line, 0.35)));
}
