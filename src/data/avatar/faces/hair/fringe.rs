//! The hair over forehead and crown.

use tiny_skia::Path;

use super::Cut;
use crate::data::avatar::canvas::{Ink, Point};
use crate::data::avatar::faces::sketch::Sketch;
use crate::data::avatar::faces::style::Fringe;
use crate::data::avatar::shape::{Pen, brush, lerp, polygon};

/// Half the width over which the fringe hangs.
const SPAN: f32 = 0.176;

/// The lower edge: valleys between locks and the tip of each, from left to right; one more valley than tips.
pub(super) struct Edge {
    pub valleys: Vec<Point>,
    pub tips: Vec<Point>,
}

pub(super) fn edge(cut: &Cut) -> Edge {
    let hair = &cut.face.hair;
    match hair.fringe {
        Fringe::Blunt => even(cut, usize::from(hair.locks) + 2, 0.020, |x, own| {
            (x, -0.092 + 0.016 * hair.depth + 0.005 * own + 0.45 * x * x)
        }),
        Fringe::Locks => even(cut, usize::from(hair.locks), 0.085, |x, own| {
            let away = (x - 0.05 * hair.parting) * 0.12;
            (x + away + 0.006 * own, -0.090 + 0.030 * hair.depth + 0.016 * own + 1.0 * x * x)
        }),
        Fringe::Swept => even(cut, usize::from(hair.locks), 0.075, |x, own| {
            let along = x * hair.fall / SPAN;
            (x + 0.040 * hair.fall * (1.1 - along.max(0.0)), -0.118 + 0.045 * (along + 0.6) + 0.010 * own)
        }),
        Fringe::Curtain => {
            let p = 0.03 * hair.parting;
            let own = |i| 0.012 * cut.uneven(i);
            Edge {
                valleys: vec![(-SPAN, -0.12), (-0.135, -0.14), (p, -0.255), (0.135, -0.14), (SPAN, -0.12)],
                tips: vec![
                    (-0.172, -0.005 + own(0)),
                    (-0.128, -0.070 + own(1)),
                    (0.128, -0.070 + own(2)),
                    (0.172, -0.005 + own(3)),
                ],
            }
        }
        Fringe::Middle => {
            let p = 0.012 * hair.parting;
            let own = |i| 0.012 * cut.uneven(i);
            Edge {
                valleys: vec![
                    (-SPAN, -0.12),
                    (-0.115, -0.155),
                    (p - 0.046, -0.185),
                    (p + 0.046, -0.185),
                    (0.115, -0.155),
                    (SPAN, -0.12),
                ],
                tips: vec![
                    (-0.170, -0.020 + own(0)),
                    (-0.092, -0.082 + own(1)),
                    (p, 0.000 + own(2)),
                    (0.092, -0.082 + own(3)),
                    (0.170, -0.020 + own(4)),
                ],
            }
        }
    }
}

/// Locks at even distances; `tip` gives the tip for the lock's middle and its random number.
fn even(cut: &Cut, count: usize, depth: f32, tip: impl Fn(f32, f32) -> Point) -> Edge {
    let x = |i: f32| -SPAN + 2.0 * SPAN * i / count as f32;
    let tips: Vec<Point> = (0..count).map(|i| tip(x(i as f32 + 0.5), cut.uneven(i))).collect();
    let valleys = (0..=count).map(|i| {
        let inner = i > 0 && i < count;
        let own = if inner { 0.22 * cut.uneven(i + 4) } else { 0.0 };
        let low = tips[i.saturating_sub(1)].1.min(tips[i.min(count - 1)].1);
        (x(i as f32 + own * 0.8), low - depth * (1.0 + 0.5 * own) - if inner { 0.0 } else { 0.02 })
    });
    Edge { valleys: valleys.collect(), tips }
}

/// Where the edges of a lock bend between valley and tip.
fn belly(valley: Point, tip: Point) -> Point {
    (valley.0 + (tip.0 - valley.0) * 0.22, valley.1 + (tip.1 - valley.1) * 0.62)
}

/// Crown, sides and fringe as one shape.
pub(super) fn cap(cut: &Cut) -> Path {
    let (w, top) = (cut.wide, cut.top);
    let inner = cut.face.head.width * 0.93;
    let ends = (0.03 * cut.uneven(8), 0.03 * cut.uneven(9));
    let edge = edge(cut);
    let mut pen = Pen::at((0.0, top))
        .cubic((-w * 0.57, top), (-w * 1.03, top + 0.12), (-w * 1.03, -0.095))
        .quad((-w * 1.03, 0.03), (-w * 0.90, 0.085 + ends.0))
        .quad((-inner * 0.96, 0.0), edge.valleys[0]);
    for (pair, &tip) in edge.valleys.windows(2).zip(&edge.tips) {
        pen = pen.quad(belly(pair[0], tip), tip).quad(belly(pair[1], tip), pair[1]);
    }
    pen.quad((inner * 0.96, 0.0), (w * 0.90, 0.085 + ends.1))
        .quad((w * 1.03, 0.03), (w * 1.03, -0.095))
        .cubic((w * 1.03, top + 0.12), (w * 0.57, top), (0.0, top))
        .close()
}

/// The cap with shadows, strands and shine.
pub(super) fn draw(sketch: &mut Sketch, cut: &Cut) {
    let shape = cap(cut);
    let (line, tones) = (sketch.line, sketch.hair);
    let ink = sketch.hair_ink(cut.top, 0.04);
    sketch.canvas.fill(&shape, ink);
    sketch.canvas.clip(&shape);
    shadows(sketch, cut);
    shine(sketch, cut);
    sketch.canvas.unclip();
    strands(sketch, cut);
    sketch.canvas.stroke(&shape, line, Ink::Flat(tones.line));
}

fn shadows(sketch: &mut Sketch, cut: &Cut) {
    let (w, top, shade) = (cut.wide, cut.top, sketch.hair.shade);
    let dark = if cut.face.light_left { 1.0 } else { -1.0 };
    let flank = Pen::at((dark * w * 0.60, top + 0.01))
        .cubic((dark * w * 0.86, top + 0.12), (dark * w * 0.90, -0.10), (dark * w * 0.80, 0.06))
        .line((dark * w * 1.2, 0.06))
        .line((dark * w * 1.2, top))
        .close();
    sketch.canvas.fill(&flank, Ink::Glaze(shade, 0.8));
    let edge = edge(cut);
    for (pair, &tip) in edge.valleys.windows(2).zip(&edge.tips) {
        let root = if dark > 0.0 { pair[1] } else { pair[0] };
        let bend = belly(root, tip);
        let inner = lerp(bend, (tip.0, (tip.1 + root.1) * 0.5), 0.75);
        let high = (root.0 - dark * 0.004, root.1 - 0.025);
        let streak = Pen::at(tip).quad(bend, root).line(high).quad(inner, tip).close();
        sketch.canvas.fill(&streak, Ink::Glaze(shade, 0.9));
    }
}

fn shine(sketch: &mut Sketch, cut: &Cut) {
    let light = sketch.hair.light;
    let y = cut.face.hair.shine * cut.face.hair.crown;
    let lit = if cut.face.light_left { -1.0 } else { 1.0 };
    let arc = |x: f32| y + 1.3 * x * x;
    for (from, to) in [(-0.150, 0.035), (0.060, 0.135)] {
        const TEETH: usize = 5;
        let x = |i: f32| lit * -(from + (to - from) * i / TEETH as f32);
        let x = |i: f32| -x(i);
        let over = (0..=TEETH).map(|i| (x(i as f32), arc(x(i as f32)) - if i % 2 == 0 { 0.004 } else { 0.014 }));
        let under = (0..TEETH).rev().flat_map(|i| {
            let own = 0.008 * cut.uneven(i + 3);
            [(x(i as f32 + 0.8), arc(x(i as f32 + 0.8)) + 0.030 + own), (x(i as f32 + 0.15), arc(x(i as f32)) + 0.010)]
        });
        sketch.canvas.fill(&polygon(over.chain(under)), Ink::Glaze(light, 0.85));
    }
}

/// Lines from the valleys up towards the parting.
fn strands(sketch: &mut Sketch, cut: &Cut) {
    let tones = sketch.hair;
    let crown = (0.05 * cut.face.hair.parting, cut.top + 0.02);
    let edge = edge(cut);
    let count = edge.valleys.len();
    for (i, &valley) in edge.valleys.iter().enumerate() {
        let long = 0.55 + 0.2 * cut.uneven(i + 1);
        let bend = |t: f32| {
            let straight = lerp(valley, crown, t);
            (straight.0 + valley.0 * 0.55 * t * (1.0 - t), straight.1 - 0.02 * t * (1.0 - t))
        };
        let width = if i == 0 || i + 1 == count { 0.004 } else { 0.0065 };
        let knots = [valley, bend(long * 0.35), bend(long * 0.7), bend(long)];
        sketch.canvas.fill(&brush(&knots, width), Ink::Glaze(tones.line, 0.75));
    }
    for (i, pair) in edge.valleys.windows(2).enumerate() {
        let (tip, middle) = (edge.tips[i], lerp(pair[0], pair[1], 0.45 + 0.2 * cut.uneven(i)));
        let start = lerp(tip, middle, 0.45);
        let end = lerp(middle, crown, 0.25);
        sketch.canvas.fill(&brush(&[start, middle, end], 0.0035), Ink::Glaze(tones.line, 0.5));
    }
}
