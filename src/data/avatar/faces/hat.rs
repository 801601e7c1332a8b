//! Hats.

use super::sketch::Sketch;
use super::style::Hat;
use super::{hair, wear};
use crate::data::avatar::canvas::{Ink, Region};
use crate::data::avatar::palette::{Colour, Ramp};
use crate::data::avatar::shape::{Pen, ellipse, rotated};

/// y down to which every hat reaches in the middle of the forehead: the fringe below stays visible.
const BRIM: f32 = -0.185;

/// The hat of the face's [`Wear`](super::style::Wear).
pub(super) fn draw(sketch: &mut Sketch) {
    let tones = Ramp::cloth(wear::hat_colour(sketch.face));
    sketch.canvas.region(Region::Accessory);
    match sketch.face.wear.hat {
        Hat::Beret => beret(sketch, tones),
        Hat::Straw => straw(sketch, tones),
        Hat::Cap => cap(sketch, tones),
        Hat::Knit => knit(sketch, tones),
        Hat::Witch => witch(sketch, tones),
    }
}

/// −1 or 1: the side that lies in shadow.
fn dark(sketch: &Sketch) -> f32 {
    if sketch.face.light_left { 1.0 } else { -1.0 }
}

/// A dome from the brim line up to `top`, with its shadow.
fn dome(sketch: &mut Sketch, tones: Ramp, half: f32, top: f32) {
    let low = BRIM + 0.03;
    let shape = Pen::at((-half, low))
        .cubic((-half * 1.06, BRIM - 0.12), (-half * 0.72, top), (0.0, top))
        .cubic((half * 0.72, top), (half * 1.06, BRIM - 0.12), (half, low))
        .quad((0.0, BRIM - 0.035), (-half, low))
        .close();
    sketch.canvas.fill(&shape, Ink::Flat(tones.base));
    sketch.canvas.clip(&shape);
    let s = dark(sketch);
    let shade = Pen::at((s * half * 0.35, top - 0.02))
        .cubic((s * half * 0.85, top + 0.06), (s * half * 0.80, BRIM - 0.05), (s * half * 0.62, low + 0.02))
        .line((s * half * 1.3, low))
        .line((s * half * 1.2, top))
        .close();
    sketch.canvas.fill(&shade, Ink::Flat(tones.shade));
    let shine =
        rotated(&ellipse((-s * half * 0.45, top + 0.07), 0.045, 0.020), s * 35.0, (-s * half * 0.45, top + 0.07));
    sketch.canvas.fill(&shine, Ink::Glaze(tones.light, 0.8));
    sketch.canvas.unclip();
    sketch.canvas.stroke(&shape, sketch.line, Ink::Flat(tones.line));
}

/// A band around the head, `height` tall, that follows the curve of the brim.
fn band(sketch: &mut Sketch, tones: Ramp, half: f32, height: f32) {
    let low = BRIM + 0.034;
    let shape = Pen::at((-half, low))
        .quad((0.0, BRIM - 0.030), (half, low))
        .line((half * 0.99, low - height))
        .quad((0.0, BRIM - 0.030 - height), (-half * 0.99, low - height))
        .close();
    sketch.canvas.outlined(&shape, Ink::Flat(tones.base), sketch.line, tones.line);
}

/// A brim seen from slightly below.
fn brim(sketch: &mut Sketch, tones: Ramp, half: f32, droop: f32) {
    let shape = Pen::at((-half, BRIM + droop))
        .cubic((-half * 0.7, BRIM - 0.075), (half * 0.7, BRIM - 0.075), (half, BRIM + droop))
        .cubic((half * 0.75, BRIM + 0.045), (half * 0.35, BRIM + 0.020), (0.0, BRIM + 0.018))
        .cubic((-half * 0.35, BRIM + 0.020), (-half * 0.75, BRIM + 0.045), (-half, BRIM + droop))
        .close();
    sketch.canvas.outlined(&shape, Ink::Flat(tones.base), sketch.line, tones.line);
    let under = Pen::at((-half * 0.97, BRIM + droop))
        .cubic((-half * 0.5, BRIM - 0.010), (half * 0.5, BRIM - 0.010), (half * 0.97, BRIM + droop))
        .cubic((half * 0.75, BRIM + 0.042), (half * 0.35, BRIM + 0.018), (0.0, BRIM + 0.016))
        .cubic((-half * 0.35, BRIM + 0.018), (-half * 0.75, BRIM + 0.042), (-half * 0.97, BRIM + droop))
        .close();
    sketch.canvas.fill(&under, Ink::Flat(tones.shade));
}

fn beret(sketch: &mut Sketch, tones: Ramp) {
    let (wide, top) = hair::cap_size(sketch.face);
    let s = sketch.face.wear.ribbon_side;
    band(sketch, Ramp::cloth(tones.shade), wide * 0.93, 0.020);
    let shape = Pen::at((-wide * 0.98, BRIM + 0.005))
        .cubic((-wide * 1.30, BRIM - 0.11), (-wide * 0.80, top - 0.065), (s * wide * 0.10, top - 0.070))
        .cubic((wide * 0.80, top - 0.065), (wide * 1.30, BRIM - 0.11), (wide * 0.98, BRIM + 0.005))
        .cubic((wide * 0.5, BRIM - 0.055), (-wide * 0.5, BRIM - 0.055), (-wide * 0.98, BRIM + 0.005))
        .close();
    let tilted = rotated(&shape, s * 4.0, (0.0, BRIM));
    sketch.canvas.fill(&tilted, Ink::Flat(tones.base));
    sketch.canvas.clip(&tilted);
    let d = dark(sketch);
    let shade = Pen::at((d * wide * 0.20, top - 0.09))
        .cubic((d * wide * 0.95, top), (d * wide * 0.75, BRIM - 0.06), (-d * wide * 0.6, BRIM - 0.045))
        .line((-d * wide * 0.6, BRIM + 0.04))
        .line((d * wide * 1.4, BRIM + 0.04))
        .line((d * wide * 1.4, top - 0.09))
        .close();
    sketch.canvas.fill(&shade, Ink::Flat(tones.shade));
    let at = (-d * wide * 0.42, top - 0.005);
    sketch.canvas.fill(&rotated(&ellipse(at, 0.060, 0.022), d * 20.0, at), Ink::Glaze(tones.light, 0.8));
    sketch.canvas.unclip();
    sketch.canvas.stroke(&tilted, sketch.line, Ink::Flat(tones.line));
    let stem = Pen::at((s * wide * 0.10, top - 0.066))
        .quad((s * wide * 0.12, top - 0.09), (s * wide * 0.2, top - 0.092))
        .open();
    sketch.canvas.stroke(&stem, 0.012, Ink::Flat(tones.line));
}

fn straw(sketch: &mut Sketch, tones: Ramp) {
    let (wide, top) = hair::cap_size(sketch.face);
    let plait = Ramp::cloth(Colour::hex(0xec_cf_8e));
    dome(sketch, plait, wide * 1.02, top - 0.045);
    for (i, share) in [0.97, 0.88, 0.66].into_iter().enumerate() {
        let y = BRIM - 0.085 - 0.045 * i as f32;
        let half = wide * share;
        let row = Pen::at((-half, y)).quad((0.0, y - 0.05), (half, y)).open();
        sketch.canvas.stroke(&row, sketch.line * 0.7, Ink::Glaze(plait.line, 0.6));
    }
    band(sketch, tones, wide * 1.02, 0.052);
    brim(sketch, plait, wide * 1.62, 0.030);
}

fn cap(sketch: &mut Sketch, tones: Ramp) {
    let (wide, top) = hair::cap_size(sketch.face);
    dome(sketch, tones, wide * 1.05, top - 0.035);
    for x in [-0.45_f32, 0.45] {
        let seam = Pen::at((x * 0.2 * wide, top - 0.033))
            .quad((x * 1.35 * wide, top + 0.05), (x * 1.2 * wide, BRIM - 0.01))
            .open();
        sketch.canvas.stroke(&seam, sketch.line * 0.8, Ink::Flat(tones.line));
    }
    let button = ellipse((0.0, top - 0.036), 0.016, 0.010);
    sketch.canvas.outlined(&button, Ink::Flat(tones.shade), sketch.line, tones.line);
    let peak = Ramp::cloth(tones.shade);
    let shape = Pen::at((-wide * 0.80, BRIM - 0.012))
        .cubic((-wide * 0.35, BRIM - 0.055), (wide * 0.35, BRIM - 0.055), (wide * 0.80, BRIM - 0.012))
        .cubic((wide * 0.74, BRIM + 0.035), (wide * 0.35, BRIM + 0.032), (0.0, BRIM + 0.030))
        .cubic((-wide * 0.35, BRIM + 0.032), (-wide * 0.74, BRIM + 0.035), (-wide * 0.80, BRIM - 0.012))
        .close();
    sketch.canvas.outlined(&shape, Ink::Flat(peak.base), sketch.line, peak.line);
}

fn knit(sketch: &mut Sketch, tones: Ramp) {
    let (wide, top) = hair::cap_size(sketch.face);
    dome(sketch, tones, wide * 1.06, top - 0.050);
    let bobble = ellipse((0.0, top - 0.068), 0.046, 0.042);
    sketch.canvas.outlined(&bobble, Ink::Flat(tones.light.mix(Colour::hex(0xff_ff_ff), 0.4)), sketch.line, tones.line);
    let fold = Ramp::cloth(tones.base.mix(tones.light, 0.45));
    band(sketch, fold, wide * 1.10, 0.062);
    for i in -5..=5 {
        let x = i as f32 / 5.4 * wide;
        let y = BRIM + 0.034 - 0.032 * (1.0 - (x / wide).powi(2));
        let rib = Pen::at((x, y - 0.008)).line((x, y - 0.054)).open();
        sketch.canvas.stroke(&rib, sketch.line * 0.9, Ink::Glaze(fold.line, 0.8));
    }
}

fn witch(sketch: &mut Sketch, tones: Ramp) {
    let (wide, top) = hair::cap_size(sketch.face);
    let s = sketch.face.wear.ribbon_side;
    let half = wide * 1.02;
    let tip = (s * wide * 0.62, top - 0.115);
    let shape = Pen::at((-half, BRIM + 0.02))
        .cubic((-half * 0.90, BRIM - 0.15), (-half * 0.55 + s * 0.03, top - 0.07), tip)
        .cubic((half * 0.62 + s * 0.03, top - 0.05), (half * 0.92, BRIM - 0.15), (half, BRIM + 0.02))
        .quad((0.0, BRIM - 0.04), (-half, BRIM + 0.02))
        .close();
    sketch.canvas.fill(&shape, Ink::Flat(tones.base));
    sketch.canvas.clip(&shape);
    let d = dark(sketch);
    let shade = Pen::at(tip)
        .cubic((d * half * 0.30, top), (d * half * 0.45, BRIM - 0.08), (d * half * 0.5, BRIM + 0.03))
        .line((d * half * 1.3, BRIM + 0.03))
        .line((d * half * 1.2, top - 0.1))
        .close();
    sketch.canvas.fill(&shade, Ink::Flat(tones.shade));
    sketch.canvas.unclip();
    sketch.canvas.stroke(&shape, sketch.line, Ink::Flat(tones.line));
    let trim = sketch.face.wear.hat_colours[1];
    band(sketch, Ramp::cloth(trim), half * 0.97, 0.046);
    brim(sketch, tones, wide * 1.58, 0.018);
}
