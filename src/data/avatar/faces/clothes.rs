//! What is worn below the chin.

use tiny_skia::Path;

use super::sketch::Sketch;
use super::style::Outfit;
use crate::data::avatar::canvas::{Ink, Region};
use crate::data::avatar::palette::{Colour, Ramp, WHITE};
use crate::data::avatar::shape::{Pen, polygon};

/// The picture's lower edge and more, in face units.
const FLOOR: f32 = 0.62;

/// The outfit of the face's [`Clothes`](super::style::Clothes).
pub(super) fn draw(sketch: &mut Sketch) {
    let clothes = &sketch.face.clothes;
    let (main, trim) = (Ramp::cloth(clothes.main), Ramp::cloth(clothes.trim));
    sketch.canvas.region(Region::Clothes);
    match clothes.outfit {
        Outfit::Sailor => sailor(sketch, main, trim),
        Outfit::Blazer => blazer(sketch, main, trim),
        Outfit::Plain => plain(sketch, main, trim),
        Outfit::Shirt => shirt(sketch, main, trim),
        Outfit::Kimono => kimono(sketch, main, trim),
        Outfit::Turtleneck => turtleneck(sketch, main),
        Outfit::Dress => dress(sketch, main, trim),
    }
}

/// Shoulders and chest with a neckline that starts at `neck` from the middle and reaches down to `low`.
fn torso(sketch: &mut Sketch, tones: Ramp, neck: f32, low: f32) {
    let wide = sketch.face.clothes.shoulders;
    let shape = Pen::at((-neck, 0.317))
        .cubic((-neck - 0.05, 0.345), (-wide * 0.75, 0.350), (-wide * 0.93, 0.42))
        .quad((-wide, 0.46), (-wide - 0.02, FLOOR))
        .line((wide + 0.02, FLOOR))
        .quad((wide, 0.46), (wide * 0.93, 0.42))
        .cubic((wide * 0.75, 0.350), (neck + 0.05, 0.345), (neck, 0.317))
        .cubic((neck * 0.8, low), (-neck * 0.8, low), (-neck, 0.317))
        .close();
    sketch.canvas.outlined(&shape, Ink::Flat(tones.base), sketch.line, tones.line);
    let dark = if sketch.face.light_left { 1.0 } else { -1.0 };
    let shade = Pen::at((dark * wide * 0.80, 0.385))
        .quad((dark * wide * 0.66, 0.47), (dark * wide * 0.70, FLOOR))
        .line((dark * (wide + 0.015), FLOOR))
        .quad((dark * wide, 0.46), (dark * wide * 0.92, 0.425))
        .close();
    sketch.canvas.fill(&shade, Ink::Flat(tones.shade));
    for side in [-1.0, 1.0] {
        let seam =
            Pen::at((side * wide * 0.70, 0.43)).quad((side * wide * 0.62, 0.50), (side * wide * 0.66, FLOOR)).open();
        sketch.canvas.stroke(&seam, sketch.line * 0.8, Ink::Flat(tones.line));
    }
}

/// A shape and its mirror image, filled and outlined.
fn pair(sketch: &mut Sketch, tones: Ramp, shape: impl Fn(f32) -> Path) {
    for side in [-1.0, 1.0] {
        let lit = (side < 0.0) == sketch.face.light_left;
        let fill = if lit { tones.base } else { tones.base.mix(tones.shade, 0.6) };
        sketch.canvas.outlined(&shape(side), Ink::Flat(fill), sketch.line, tones.line);
    }
}

fn sailor(sketch: &mut Sketch, main: Ramp, trim: Ramp) {
    torso(sketch, main, 0.075, 0.36);
    let collar = |side: f32| {
        Pen::at((side * 0.058, 0.300))
            .cubic((side * 0.12, 0.335), (side * 0.20, 0.350), (side * 0.235, 0.375))
            .quad((side * 0.20, 0.46), (side * 0.02, 0.475))
            .quad((side * 0.060, 0.39), (side * 0.058, 0.300))
            .close()
    };
    let stripe = if trim.base.lab()[0] > 70.0 { Colour::hex(0x3a_4a_80) } else { WHITE };
    let skin = sketch.face.skin;
    let gap = polygon([(-0.058, 0.305), (0.058, 0.305), (0.0, 0.47)]);
    sketch.canvas.region(Region::Skin);
    sketch.canvas.fill(&gap, Ink::Flat(skin.base.mix(skin.shade, 0.5)));
    sketch.canvas.region(Region::Clothes);
    pair(sketch, trim, collar);
    for side in [-1.0, 1.0] {
        let band = Pen::at((side * 0.212, 0.372)).quad((side * 0.18, 0.440), (side * 0.035, 0.458)).open();
        sketch.canvas.stroke(&band, sketch.line * 1.4, Ink::Flat(stripe));
    }
    let knot = Ramp::cloth(Colour::hex(0xc8_30_40).mix(main.base, 0.1));
    pair(sketch, knot, |side| {
        polygon([(0.0, 0.465), (side * 0.028, 0.475), (side * 0.055, FLOOR), (side * 0.004, FLOOR)])
    });
    let middle = Pen::at((-0.026, 0.455)).line((0.026, 0.455)).line((0.022, 0.492)).line((-0.022, 0.492)).close();
    sketch.canvas.outlined(&middle, Ink::Flat(knot.base), sketch.line, knot.line);
}

/// The two points of a shirt collar.
fn points(sketch: &mut Sketch, tones: Ramp, length: f32) {
    pair(sketch, tones, |side| {
        Pen::at((side * 0.060, 0.288))
            .quad((side * 0.075, 0.317), (side * 0.118, 0.330))
            .line((side * 0.085, 0.330 + length))
            .quad((side * 0.045, 0.385), (0.0, 0.352))
            .quad((side * 0.045, 0.330), (side * 0.060, 0.288))
            .close()
    });
}

/// A tie below the collar.
fn tie(sketch: &mut Sketch, tones: Ramp) {
    let line = sketch.line;
    let blade = polygon([(-0.016, 0.378), (0.016, 0.378), (0.036, 0.56), (0.0, FLOOR), (-0.036, 0.56)]);
    sketch.canvas.outlined(&blade, Ink::Flat(tones.base), line, tones.line);
    let knot = polygon([(-0.024, 0.348), (0.024, 0.348), (0.015, 0.388), (-0.015, 0.388)]);
    sketch.canvas.outlined(&knot, Ink::Flat(tones.base.mix(tones.light, 0.4)), line, tones.line);
}

fn blazer(sketch: &mut Sketch, main: Ramp, trim: Ramp) {
    torso(sketch, main, 0.075, 0.34);
    let cloth = Ramp::cloth(Colour::hex(0xfa_f9_fb));
    let front = polygon([(-0.085, 0.322), (0.085, 0.322), (0.055, FLOOR), (-0.055, FLOOR)]);
    sketch.canvas.outlined(&front, Ink::Flat(cloth.base), sketch.line, cloth.line);
    tie(sketch, trim);
    points(sketch, cloth, 0.055);
    pair(sketch, main, |side| {
        Pen::at((side * 0.090, 0.317))
            .line((side * 0.165, 0.385))
            .line((side * 0.125, 0.415))
            .line((side * 0.150, 0.440))
            .quad((side * 0.10, 0.53), (side * 0.045, FLOOR))
            .quad((side * 0.075, 0.45), (side * 0.090, 0.317))
            .close()
    });
}

fn shirt(sketch: &mut Sketch, main: Ramp, trim: Ramp) {
    torso(sketch, main, 0.075, 0.35);
    let placket = Pen::at((0.0, 0.355)).line((0.0, FLOOR)).open();
    sketch.canvas.stroke(&placket, sketch.line, Ink::Flat(main.line));
    if trim.base.difference(main.base) > 30.0 {
        tie(sketch, trim);
    }
    points(sketch, main, 0.065);
}

fn plain(sketch: &mut Sketch, main: Ramp, trim: Ramp) {
    torso(sketch, main, 0.095, 0.44);
    let hem = Pen::at((-0.095, 0.320)).cubic((-0.078, 0.442), (0.078, 0.442), (0.095, 0.320)).open();
    sketch.canvas.stroke(&hem, 0.018, Ink::Flat(trim.line));
    sketch.canvas.stroke(&hem, 0.018 - 1.6 * sketch.line, Ink::Flat(trim.base));
}

fn kimono(sketch: &mut Sketch, main: Ramp, trim: Ramp) {
    torso(sketch, main, 0.085, 0.34);
    let skin = sketch.face.skin;
    sketch.canvas.region(Region::Skin);
    sketch
        .canvas
        .fill(&polygon([(-0.062, 0.30), (0.062, 0.30), (0.005, 0.455)]), Ink::Flat(skin.base.mix(skin.shade, 0.4)));
    sketch.canvas.region(Region::Clothes);
    for side in [-1.0_f32, 1.0] {
        let band = Pen::at((side * 0.056, 0.285))
            .line((side * 0.102, 0.317))
            .quad((side * 0.03, 0.47), (side * -0.15, FLOOR))
            .line((side * -0.21, FLOOR))
            .quad((side * 0.0, 0.44), (side * 0.056, 0.285))
            .close();
        sketch.canvas.outlined(&band, Ink::Flat(trim.base), sketch.line, trim.line);
    }
}

fn turtleneck(sketch: &mut Sketch, main: Ramp) {
    torso(sketch, main, 0.070, 0.33);
    let neck = sketch.face.head.neck + 0.012;
    let roll = Pen::at((-neck, 0.270))
        .quad((0.0, 0.302), (neck, 0.270))
        .cubic((neck + 0.010, 0.30), (neck + 0.012, 0.33), (neck + 0.018, 0.350))
        .quad((0.0, 0.388), (-neck - 0.018, 0.350))
        .cubic((-neck - 0.012, 0.33), (-neck - 0.010, 0.30), (-neck, 0.270))
        .close();
    sketch.canvas.outlined(&roll, Ink::Flat(main.base), sketch.line, main.line);
    for i in -2..=2 {
        let x = i as f32 * 0.026;
        let rib = Pen::at((x, 0.296 - 0.12 * x.abs())).line((x * 1.15, 0.362 - 0.12 * x.abs())).open();
        sketch.canvas.stroke(&rib, sketch.line * 0.8, Ink::Flat(main.shade));
    }
}

fn dress(sketch: &mut Sketch, main: Ramp, trim: Ramp) {
    let line = sketch.line;
    for side in [-1.0_f32, 1.0] {
        let strap = polygon([(side * 0.150, 0.352), (side * 0.188, 0.360), (side * 0.165, 0.47), (side * 0.125, 0.47)]);
        sketch.canvas.outlined(&strap, Ink::Flat(trim.base), line, trim.line);
        let arm = Pen::at((side * 0.262, 0.44)).quad((side * 0.245, 0.50), (side * 0.25, FLOOR)).open();
        sketch.canvas.stroke(&arm, line, Ink::Flat(sketch.face.skin.line));
    }
    let body = Pen::at((-0.245, 0.475))
        .cubic((-0.16, 0.435), (-0.06, 0.435), (0.0, 0.465))
        .cubic((0.06, 0.435), (0.16, 0.435), (0.245, 0.475))
        .line((0.235, FLOOR))
        .line((-0.235, FLOOR))
        .close();
    sketch.canvas.outlined(&body, Ink::Flat(main.base), line, main.line);
    let lace = Pen::at((-0.24, 0.482))
        .cubic((-0.16, 0.445), (-0.06, 0.445), (0.0, 0.475))
        .cubic((0.06, 0.445), (0.16, 0.445), (0.24, 0.482))
        .open();
    sketch.canvas.stroke(&lace, line * 1.8, Ink::Flat(trim.base));
}
