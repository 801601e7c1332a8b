//! Paints a body: which parts, in which order, in which tones.

mod cloth;
mod hair;
mod head;

pub(in crate::data::avatar) use cloth::contrast;

use tiny_skia::Transform;

use super::body::Body;
use super::limbs::Piece;
use super::rig::bone;
use super::solid::Tube;
use super::space::SPAN;
use crate::Result;
use crate::data::avatar::bend::Turn;
use crate::data::avatar::canvas::{Canvas, Ink, Point};
use crate::data::avatar::faces::Sketch;
use crate::data::avatar::palette::{Colour, Ramp};
use crate::data::avatar::shape::everywhere;

/// Where the light comes from in the picture.
const LIGHT: Point = (-0.66, -0.75);
/// Share of a round body that the light reaches.
const LIT: f32 = 0.80;
/// Width of outlines, in heights of a body.
const LINE: f32 = 0.0060;

/// A body being painted.
struct Painter<'a> {
    body: &'a Body<'a>,
    sketch: Sketch<'a>,
    /// Width of outlines in the picture.
    line: f32,
}

/// What is sorted from the back to the front.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Part {
    Arm(usize),
    Trunk,
    Head,
}

/// An empty picture of `size`×`size` pixels in one colour.
pub(super) fn background(size: u32, colour: Colour) -> Result<Canvas> {
    let mut canvas = Canvas::new(size, false)?;
    canvas.fill(&everywhere(), Ink::Flat(colour));
    Ok(canvas)
}

/// The body on what the canvas shows.
pub(super) fn paint(body: &Body, canvas: Canvas) -> Result<Canvas> {
    let face = &body.costume.face;
    let line = LINE / SPAN;
    let sketch = Sketch { face, canvas, hair: face.hair_ramp(), line };
    let mut painter = Painter { body, sketch, line };
    painter.hair_behind();
    for part in painter.order() {
        match part {
            Part::Arm(i) => painter.pieces(&body.arms[i].pieces),
            Part::Trunk => painter.trunk(),
            Part::Head => painter.head(),
        }
    }
    Ok(painter.sketch.canvas)
}

impl Painter<'_> {
    /// The parts from the one behind to the one in front.
    fn order(&self) -> Vec<Part> {
        let (body, unit) = (self.body, self.body.rig.unit);
        let trunk = body.trunk.depth;
        let head = body.head.origin.z;
        // The chin is in front of the neck unless the head is far behind, as of one who bows away.
        let head = if head < trunk - 0.09 * unit { head } else { head.max(trunk + 0.001) };
        let arm = |i: usize| (body.arms[i].depth + 0.018 * unit, Part::Arm(i));
        let mut parts = vec![(trunk, Part::Trunk), (head, Part::Head), arm(0), arm(1)];
        parts.sort_by(|a, b| a.0.total_cmp(&b.0));
        parts.into_iter().map(|(_, part)| part).collect()
    }

    /// Coordinates of the picture.
    fn flat(&mut self) {
        self.sketch.canvas.place(Transform::identity(), Turn::default());
        self.sketch.line = self.line;
    }

    /// Solids of one part: all outlines first, so that there are none where they meet.
    fn pieces(&mut self, pieces: &[Piece]) {
        self.flat();
        for piece in pieces {
            self.sketch.canvas.region(piece.region);
            self.sketch.canvas.fill(&piece.tube.path(self.line), Ink::Flat(piece.ramp.line));
        }
        for (i, piece) in pieces.iter().enumerate() {
            self.sketch.canvas.region(piece.region);
            if i > 0 {
                // A fine line where cloth ends on skin.
                let rim = piece.ramp.line.mix(piece.ramp.shade, 0.25);
                self.sketch.canvas.fill(&piece.tube.path(self.line * 0.35), Ink::Flat(rim));
            }
            self.tone(&piece.tube, &piece.ramp);
        }
    }

    /// A solid with its outline.
    fn solid(&mut self, tube: &Tube, ramp: &Ramp) {
        self.sketch.canvas.fill(&tube.path(self.line), Ink::Flat(ramp.line));
        self.tone(tube, ramp);
    }

    /// Shadow and lit side.
    fn tone(&mut self, tube: &Tube, ramp: &Ramp) {
        self.sketch.canvas.fill(&tube.path(0.0), Ink::Flat(ramp.shade));
        self.sketch.canvas.fill(&tube.lit(LIT, LIGHT), Ink::Flat(ramp.base));
    }

    /// Legs, what hangs around them, and the trunk.
    fn trunk(&mut self) {
        self.flat();
        let body = self.body;
        let (hips, chest) = (body.rig.joints[bone::HIPS].z, body.rig.joints[bone::CHEST].z);
        let away = chest < hips - 0.055 * body.rig.unit;
        if away {
            self.upper();
        }
        self.lower();
        if !away {
            self.upper();
        }
    }

    fn lower(&mut self) {
        let body = self.body;
        for sheet in [&body.coat, &body.skirt].into_iter().flatten() {
            self.lining(sheet);
        }
        let far = usize::from(body.legs[0].depth > body.legs[1].depth);
        for i in [far, 1 - far] {
            self.pieces(&body.legs[i].pieces);
        }
        self.seat();
        if let Some(skirt) = &body.skirt {
            self.skirt(skirt);
        }
        if let Some(coat) = &body.coat {
            self.coat(coat);
        }
        // A shin that is kicked towards the camera is in front of the skirt.
        for i in [far, 1 - far] {
            let knee = body.rig.joints[bone::LOWER_LEG + i].z - body.rig.joints[bone::HIPS].z;
            let foot = body.rig.joints[bone::FOOT + i].z - body.rig.joints[bone::HIPS].z;
            if body.skirt.is_some() && foot > 0.15 * body.rig.unit && knee > 0.02 * body.rig.unit {
                self.pieces(&body.legs[i].lower);
            }
        }
    }
}
