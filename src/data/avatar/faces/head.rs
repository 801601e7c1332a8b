//! Background, neck, ears, the face with its shadows and blush, the nose.

use tiny_skia::Path;

use super::sketch::Sketch;
use super::spec::FaceSpec;
use super::{hair, label};
use crate::data::avatar::canvas::{Ink, Region};
use crate::data::avatar::palette::{Colour, WHITE};
use crate::data::avatar::shape::{self, Pen, ellipse, everywhere};

/// Fills the picture.
pub(super) fn background(sketch: &mut Sketch) {
    let paper = &sketch.face.background;
    let ink = match paper.top == paper.bottom {
        true => Ink::Flat(paper.top),
        false => Ink::Linear { from: (0.5, 0.0), to: (0.5, 1.0), start: paper.top, end: paper.bottom },
    };
    sketch.canvas.region(Region::Background);
    sketch.canvas.fill(&everywhere(), ink);
}

/// Neck, and the skin that a low collar shows.
pub(super) fn neck(sketch: &mut Sketch) {
    let (half, skin, line) = (sketch.face.head.neck, sketch.face.skin, sketch.line);
    let shape = Pen::at((-half, 0.12))
        .line((-half, 0.29))
        .cubic((-half, 0.335), (-half - 0.07, 0.345), (-0.26, 0.38))
        .line((-0.30, 0.60))
        .line((0.30, 0.60))
        .line((0.26, 0.38))
        .cubic((half + 0.07, 0.345), (half, 0.335), (half, 0.29))
        .line((half, 0.12))
        .close();
    sketch.canvas.region(Region::Skin);
    sketch.canvas.outlined(&shape, Ink::Flat(skin.base), line, skin.line);
    let chin = sketch.face.head.chin;
    let lean = if sketch.face.light_left { 0.012 } else { -0.012 };
    let shadow = Pen::at((-half, 0.12))
        .line((-half, chin + 0.03))
        .quad((lean, chin + 0.075), (half, chin + 0.03))
        .line((half, 0.12))
        .close();
    sketch.canvas.fill(&shadow, Ink::Flat(skin.shade));
    for side in [-1.0, 1.0] {
        let bone = Pen::at((side * 0.03, 0.375)).quad((side * 0.08, 0.36), (side * 0.13, 0.372)).open();
        sketch.canvas.stroke(&bone, line * 0.7, Ink::Glaze(skin.line, 0.45));
    }
}

/// The outline of the face, forehead included.
pub(super) fn outline(face: &FaceSpec) -> Path {
    let head = &face.head;
    let (w, chin) = (head.width, head.chin);
    let jaw = (w * head.jaw, chin * 0.72);
    let tip = 0.062 - 0.028 * head.point;
    let half = |s: f32, pen: Pen| {
        let a = [(s * w * 1.015, 0.065), (s * w * 0.985, chin * 0.50), (s * jaw.0, jaw.1)];
        let b = [(s * jaw.0 * 0.80, chin * 0.84), (s * tip, chin), (0.0, chin)];
        match s > 0.0 {
            true => pen.cubic(a[0], a[1], a[2]).cubic(b[0], b[1], b[2]),
            false => pen.cubic(b[1], b[0], a[2]).cubic(a[1], a[0], (s * w, -0.04)),
        }
    };
    let pen = half(1.0, Pen::at((w, -0.04)));
    half(-1.0, pen)
        .cubic((-w, -0.20), (-0.13, -0.29), (0.0, -0.29))
        .cubic((0.13, -0.29), (w, -0.20), (w, -0.04))
        .close()
}

/// Ears, face, cheek shadow, the shadow of the fringe, blush.
pub(super) fn face(sketch: &mut Sketch) {
    let (face, skin, line) = (sketch.face, sketch.face.skin, sketch.line);
    sketch.canvas.region(Region::Skin);
    for side in [-1.0, 1.0] {
        let ear =
            shape::rotated(&ellipse((side * (face.head.width + 0.006), 0.035), 0.024, 0.046), side * 12.0, (0.0, 0.03));
        sketch.canvas.outlined(&ear, Ink::Flat(skin.base), line, skin.line);
        let x = side * (face.head.width + 0.010);
        let fold = Pen::at((x, 0.012)).quad((x + side * 0.010, 0.03), (x - side * 0.002, 0.058)).open();
        sketch.canvas.stroke(&fold, line * 0.8, Ink::Flat(skin.shade.mix(skin.line, 0.4)));
    }
    let outline = outline(face);
    sketch.canvas.fill(&outline, Ink::Flat(skin.base));
    sketch.canvas.clip(&outline);
    let dark = if face.light_left { 1.0 } else { -1.0 };
    let (w, chin) = (face.head.width, face.head.chin);
    let cheek = Pen::at((dark * (w + 0.02), -0.05))
        .line((dark * w * 0.93, 0.03))
        .cubic((dark * w * 0.90, chin * 0.45), (dark * w * 0.70, chin * 0.72), (dark * 0.02, chin * 0.99))
        .line((dark * 0.05, chin + 0.03))
        .line((dark * (w + 0.04), chin))
        .close();
    sketch.canvas.fill(&cheek, Ink::Flat(skin.base.mix(skin.shade, 0.75)));
    let shade = Ink::Flat(skin.shade);
    hair::shadow(sketch, shade);
    if face.has(label::BLUSH) {
        blush(sketch);
    }
    sketch.canvas.unclip();
    sketch.canvas.stroke(&outline, line, Ink::Flat(skin.line));
}

/// Red cheeks.
fn blush(sketch: &mut Sketch) {
    [-1.0, 1.0].into_iter().for_each(|side| cheek(sketch, side));
}

/// The red of one cheek.
pub(in crate::data::avatar) fn cheek(sketch: &mut Sketch, side: f32) {
    let red = Colour::hex(0xf8_3a_48);
    let apart = sketch.face.eyes.apart;
    let strength = sketch.face.hand.as_ref().map_or(1.0, |hand| hand.blush);
    let centre = (side * (apart + 0.032), 0.102);
    let spot = Ink::Spot { centre, radius: (0.066, 0.044), colour: red, opacity: 0.62 * strength };
    sketch.canvas.fill(&ellipse(centre, 0.066, 0.044), spot);
    for i in -1..=1 {
        let x = centre.0 + i as f32 * 0.022;
        let hatch = Pen::at((x + 0.007, centre.1 - 0.016)).line((x - 0.007, centre.1 + 0.014)).open();
        sketch.canvas.stroke(&hatch, sketch.line * 0.75, Ink::Glaze(red, 0.6 * strength));
    }
}

/// A dot, a line or a small shadow.
pub(in crate::data::avatar) fn nose(sketch: &mut Sketch) {
    let (skin, y) = (sketch.face.skin, sketch.face.head.chin * 0.40);
    let dark = if sketch.face.light_left { 1.0 } else { -1.0 };
    sketch.canvas.region(Region::Skin);
    match sketch.face.mouth.nose {
        0 => sketch.canvas.fill(&ellipse((0.0, y), 0.006, 0.005), Ink::Flat(skin.line.mix(skin.shade, 0.3))),
        1 => {
            let ridge = Pen::at((dark * 0.002, y - 0.022)).quad((dark * 0.009, y - 0.004), (dark * -0.002, y)).open();
            sketch.canvas.stroke(&ridge, sketch.line * 0.9, Ink::Flat(skin.line.mix(skin.shade, 0.25)));
        }
        _ => {
            let shade = Pen::at((0.0, y - 0.026))
                .quad((dark * 0.016, y - 0.004), (dark * 0.012, y))
                .quad((dark * 0.004, y + 0.005), (dark * -0.005, y + 0.001))
                .close();
            sketch.canvas.fill(&shade, Ink::Flat(skin.shade.mix(skin.line, 0.25)));
        }
    }
    let shine = ellipse((dark * -0.004, y - 0.010), 0.004, 0.005);
    sketch.canvas.fill(&shine, Ink::Glaze(WHITE, 0.55));
}
