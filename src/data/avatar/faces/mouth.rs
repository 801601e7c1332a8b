//! The mouth: closed or open, smiling or not.

use tiny_skia::Path;

use super::label;
use super::sketch::Sketch;
use crate::data::avatar::canvas::{Ink, Point, Region};
use crate::data::avatar::palette::{Colour, WHITE};
use crate::data::avatar::shape::{Pen, brush, ellipse};

const LIP: Colour = Colour::hex(0x8e_2c_34);
const INSIDE: Colour = Colour::hex(0xa4_2a_38);
const TONGUE: Colour = Colour::hex(0xf0_7c_80);

/// The mouth that the labels `smile` and `open mouth` ask for.
pub(in crate::data::avatar) fn draw(sketch: &mut Sketch) {
    let (mouth, chin) = (&sketch.face.mouth, sketch.face.head.chin);
    let y = chin * (0.625 + 0.06 * mouth.height);
    sketch.canvas.region(Region::Mouth);
    match (sketch.face.has(label::OPEN_MOUTH), sketch.face.has(label::SMILE)) {
        (true, true) => laughing(sketch, y),
        (true, false) => gaping(sketch, y),
        (false, true) => smiling(sketch, y),
        (false, false) => closed(sketch, y),
    }
}

fn smiling(sketch: &mut Sketch, y: f32) {
    let mouth = &sketch.face.mouth;
    let half = 0.053 * mouth.width;
    let dip = [0.026, 0.032, 0.022][usize::from(mouth.kind.min(2))];
    let knots = [
        (-half, y - dip * 0.55),
        (-half * 0.5, y + dip * 0.25),
        (0.0, y + dip * 0.45),
        (half * 0.5, y + dip * 0.25),
        (half, y - dip * 0.55),
    ];
    sketch.canvas.fill(&brush(&knots, 0.0140), Ink::Flat(LIP));
    for side in [-1.0, 1.0] {
        let x = side * half;
        let corner = Pen::at((x - side * 0.003, y - dip * 0.75))
            .quad((x + side * 0.005, y - dip * 0.6), (x + side * 0.002, y - dip * 0.2))
            .open();
        sketch.canvas.stroke(&corner, 0.0045, Ink::Flat(LIP));
    }
    lower_lip(sketch, (0.0, y + dip * 0.45 + 0.017), 0.020);
}

fn closed(sketch: &mut Sketch, y: f32) {
    let mouth = &sketch.face.mouth;
    let half = 0.027 * mouth.width;
    let knots: [Point; 3] = match mouth.kind {
        0 => [(-half, y + 0.003), (0.0, y), (half, y + 0.003)],
        1 => [(-half, y + 0.007), (0.0, y - 0.002), (half, y + 0.007)],
        _ => [(-half * 0.9, y + 0.002), (0.0, y + 0.003), (half * 0.9, y + 0.002)],
    };
    sketch.canvas.fill(&brush(&knots, 0.0105), Ink::Flat(LIP));
    lower_lip(sketch, (0.0, y + 0.019), 0.014);
}

fn lower_lip(sketch: &mut Sketch, (x, y): Point, half: f32) {
    let skin = sketch.face.skin;
    let knots = [(x - half, y - 0.001), (x, y + 0.002), (x + half, y - 0.001)];
    sketch.canvas.fill(&brush(&knots, 0.005), Ink::Glaze(skin.line, 0.45));
}

fn gaping(sketch: &mut Sketch, y: f32) {
    let mouth = &sketch.face.mouth;
    let (rx, ry) = (0.027 * mouth.width, 0.030 * mouth.opening);
    let shape = match mouth.kind {
        0 => ellipse((0.0, y + 0.006), rx * 0.9, ry),
        1 => Pen::at((-rx, y + 0.006))
            .cubic((-rx, y - ry * 0.9), (rx, y - ry * 0.9), (rx, y + 0.006))
            .cubic((rx * 1.15, y + ry * 1.5), (-rx * 1.15, y + ry * 1.5), (-rx, y + 0.006))
            .close(),
        _ => Pen::at((-rx * 1.1, y + ry * 0.75))
            .cubic((-rx * 0.8, y - ry * 1.1), (rx * 0.8, y - ry * 1.1), (rx * 1.1, y + ry * 0.75))
            .cubic((rx * 0.5, y + ry * 1.25), (-rx * 0.5, y + ry * 1.25), (-rx * 1.1, y + ry * 0.75))
            .close(),
    };
    inside(sketch, &shape, y + ry * 1.05, rx * 0.85, None);
}

fn laughing(sketch: &mut Sketch, y: f32) {
    let mouth = &sketch.face.mouth;
    let half = 0.056 * mouth.width;
    let drop = 0.052 * mouth.opening;
    let top = y - 0.014;
    let lift = [0.010, 0.014, 0.006][usize::from(mouth.kind.min(2))];
    let upper = [(-half, top - lift * 0.4), (half, top - lift * 0.4)];
    let shape = Pen::at(upper[0])
        .cubic((-half * 0.5, top + lift), (half * 0.5, top + lift), upper[1])
        .cubic((half * 0.92, top + drop * 0.75), (half * 0.5, top + drop), (0.0, top + drop))
        .cubic((-half * 0.5, top + drop), (-half * 0.92, top + drop * 0.75), upper[0])
        .close();
    let teeth = Pen::at((-half, top - 0.02))
        .line((half, top - 0.02))
        .line((half, top + lift * 0.4 + 0.002))
        .quad((0.0, top + lift * 1.1 + 0.011), (-half, top + lift * 0.4 + 0.002))
        .close();
    inside(sketch, &shape, top + drop * 0.98, half * 0.62, mouth.teeth.then_some(&teeth));
}

/// Fills an open mouth: dark, the tongue at `y`, teeth.
fn inside(sketch: &mut Sketch, shape: &Path, y: f32, tongue: f32, teeth: Option<&Path>) {
    sketch.canvas.fill(shape, Ink::Flat(INSIDE));
    sketch.canvas.clip(shape);
    sketch.canvas.fill(&ellipse((0.0, y), tongue, 0.020), Ink::Flat(TONGUE));
    if let Some(teeth) = teeth {
        sketch.canvas.fill(teeth, Ink::Flat(WHITE));
    }
    sketch.canvas.unclip();
    sketch.canvas.stroke(shape, sketch.line * 1.05, Ink::Flat(LIP));
}
