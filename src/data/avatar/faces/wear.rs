//! Glasses and ribbons.

use tiny_skia::Path;

use super::sketch::Sketch;
use super::spec::FaceSpec;
use super::style::Frame;
use super::{hair, label};
use crate::data::avatar::canvas::{Ink, Point, Region};
use crate::data::avatar::palette::{Colour, Ramp, WHITE};
use crate::data::avatar::shape::{Pen, ellipse, mirrored, rotated};

/// Smallest colour difference between what is worn and the hair behind it.
const CONTRAST: f32 = 38.0;

/// The first wish that stands out from all of `against`; the last one otherwise.
pub(in crate::data::avatar) fn contrasting(wishes: &[Colour], against: &[Colour]) -> Colour {
    let stands_out = |c: &&Colour| against.iter().all(|a| a.difference(**c) >= CONTRAST);
    wishes.iter().find(stands_out).or(wishes.last()).copied().unwrap_or(WHITE)
}

/// Colour of the face's hat.
pub(super) fn hat_colour(face: &FaceSpec) -> Colour {
    contrasting(&face.wear.hat_colours, &[face.hair_ramp().base])
}

fn ribbon_colour(face: &FaceSpec) -> Colour {
    let mut against = vec![face.hair_ramp().base];
    if face.has(label::HAT) {
        against.push(hat_colour(face));
    }
    contrasting(&face.wear.ribbon_colours, &against)
}

/// Glasses in front of the eyes.
pub(super) fn glasses(sketch: &mut Sketch) {
    let (face, colour) = (sketch.face, sketch.face.wear.frame_colour);
    let eyes = &face.eyes;
    let (x, y, rx, ry) = (eyes.apart + 0.001, 0.012, 0.083, 0.072);
    let thick = 0.0125 * face.hand.as_ref().map_or(1.0, |hand| hand.rims);
    sketch.canvas.region(Region::Accessory);
    let bridge = Pen::at((-(x - rx), y - 0.008)).quad((0.0, y - 0.026), (x - rx, y - 0.008)).open();
    sketch.canvas.stroke(&bridge, thick, Ink::Flat(colour));
    for side in [-1.0, 1.0] {
        let centre = (side * x, y);
        let glass = lens(face.wear.frame, centre, rx, ry);
        sketch.canvas.fill(&glass, Ink::Glaze(Colour::hex(0xdc_ee_ff), 0.10));
        let glint = Pen::at((centre.0 - 0.052, y + 0.024))
            .line((centre.0 - 0.022, y - 0.052))
            .line((centre.0 - 0.002, y - 0.056))
            .line((centre.0 - 0.040, y + 0.044))
            .close();
        sketch.canvas.fill(&glint, Ink::Glaze(WHITE, 0.16));
        let rim = match face.wear.frame {
            Frame::Under => under_rim(centre, rx, ry),
            Frame::Round | Frame::Square => glass,
        };
        sketch.canvas.stroke(&rim, thick, Ink::Flat(colour));
        let temple = Pen::at((side * (x + rx), y - 0.012)).line((side * (face.head.width + 0.012), y - 0.030)).open();
        sketch.canvas.stroke(&temple, thick, Ink::Flat(colour));
    }
}

fn lens(frame: Frame, (x, y): Point, rx: f32, ry: f32) -> Path {
    match frame {
        Frame::Round => ellipse((x, y), rx * 0.97, ry * 1.06),
        Frame::Square | Frame::Under => {
            let (l, r, t, b, c) = (x - rx, x + rx, y - ry * 0.82, y + ry * 0.90, 0.032);
            Pen::at((l + c, t))
                .line((r - c, t))
                .quad((r, t), (r, t + c))
                .line((r, b - c))
                .quad((r, b), (r - c, b))
                .line((l + c, b))
                .quad((l, b), (l, b - c))
                .line((l, t + c))
                .quad((l, t), (l + c, t))
                .close()
        }
    }
}

fn under_rim((x, y): Point, rx: f32, ry: f32) -> Path {
    let (l, r, b, c) = (x - rx, x + rx, y + ry * 0.90, 0.040);
    Pen::at((l, y - ry * 0.15))
        .line((l, b - c))
        .quad((l, b), (l + c, b))
        .line((r - c, b))
        .quad((r, b), (r, b - c))
        .line((r, y - ry * 0.15))
        .open()
}

/// Bows: one at each tie of twintails, otherwise a large one on one side of the head.
pub(super) fn ribbon(sketch: &mut Sketch) {
    let face = sketch.face;
    let (wide, top) = hair::cap_size(face);
    let size = 0.098 * face.wear.ribbon_size;
    let side = face.wear.ribbon_side;
    let tones = Ramp::cloth(ribbon_colour(face));
    sketch.canvas.region(Region::Accessory);
    if face.has(label::TWINTAILS) {
        let y = hair::tie_height(face);
        for side in [-1.0, 1.0] {
            bow(sketch, (side * (wide + 0.004), y - 0.012), size * 0.86, side * 18.0, tones);
        }
    } else if face.has(label::HAT) {
        bow(sketch, (side * (wide + 0.006), -0.100), size * 0.84, side * 30.0, tones);
    } else {
        bow(sketch, (side * wide * 0.66, top + 0.066), size, side * 32.0, tones);
    }
}

/// The right half of a bow with two loops and two ends, its knot in the origin.
pub(in crate::data::avatar) struct BowShape {
    pub end: Path,
    pub wing: Path,
    /// The lower side of the wing, which is in shadow.
    pub fold: Path,
}

/// A bow; `half` is half its width.
pub(in crate::data::avatar) fn bow_shape(half: f32) -> BowShape {
    let h = half;
    let end = Pen::at((0.0, 0.0))
        .quad((h * 0.20, h * 0.55), (h * 0.50, h * 0.98))
        .line((h * 0.62, h * 0.66))
        .line((h * 0.88, h * 0.72))
        .quad((h * 0.42, h * 0.40), (h * 0.12, 0.0))
        .close();
    let wing = Pen::at((0.0, -h * 0.06))
        .cubic((h * 0.30, -h * 0.62), (h * 0.80, -h * 0.80), (h, -h * 0.56))
        .cubic((h * 1.10, -h * 0.10), (h * 1.06, h * 0.30), (h * 0.92, h * 0.46))
        .cubic((h * 0.66, h * 0.52), (h * 0.25, h * 0.30), (0.0, h * 0.08))
        .close();
    let fold = Pen::at((h * 0.10, 0.0))
        .quad((h * 0.5, -h * 0.10), (h * 0.95, h * 0.05))
        .quad((h * 0.96, h * 0.34), (h * 0.88, h * 0.42))
        .quad((h * 0.5, h * 0.28), (h * 0.10, 0.0))
        .close();
    BowShape { end, wing, fold }
}

/// A bow with two loops and two ends; `half` is half its width.
pub(in crate::data::avatar) fn bow(sketch: &mut Sketch, (x, y): Point, half: f32, degrees: f32, tones: Ramp) {
    let line = sketch.line * 1.1;
    let at = |path: &Path| {
        let moved = path.clone().transform(tiny_skia::Transform::from_translate(x, y));
        rotated(&moved.unwrap_or_else(|| path.clone()), degrees, (x, y))
    };
    let h = half;
    let BowShape { end, wing, fold } = bow_shape(half);
    for path in [&end, &mirrored(&end)] {
        sketch.canvas.outlined(&at(path), Ink::Flat(tones.base.mix(tones.shade, 0.5)), line, tones.line);
    }
    for (path, fold) in [(&wing, &fold), (&mirrored(&wing), &mirrored(&fold))] {
        sketch.canvas.fill(&at(path), Ink::Flat(tones.base));
        sketch.canvas.fill(&at(fold), Ink::Flat(tones.shade));
        sketch.canvas.stroke(&at(path), line, Ink::Flat(tones.line));
    }
    let knot = ellipse((0.0, 0.0), h * 0.20, h * 0.24);
    sketch.canvas.outlined(&at(&knot), Ink::Flat(tones.base.mix(tones.light, 0.3)), line, tones.line);
}
