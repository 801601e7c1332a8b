//! Draws a whole face: which parts, in which order, in which coordinates.

use tiny_skia::Transform;

use super::spec::FaceSpec;
use super::style::{by_its_hand, in_its_year};
use super::{clothes, eyes, hair, hat, head, label, mouth, wear};
use crate::Result;
use crate::data::avatar::bend::Turn;
use crate::data::avatar::canvas::{Canvas, Ink};
use crate::data::avatar::palette::Ramp;

/// Where the middle between the eyes lies in the mean picture.
pub(super) const CENTRE: (f32, f32) = (0.5, 0.50);
/// The point of the neck about which the head tilts, in face units.
const PIVOT: (f32, f32) = (0.0, 0.30);

/// A face being drawn.
pub(in crate::data::avatar) struct Sketch<'a> {
    pub face: &'a FaceSpec,
    pub canvas: Canvas,
    pub hair: Ramp,
    /// Width of outlines.
    pub line: f32,
}

impl Sketch<'_> {
    /// Draws everything. `regions`: region numbers in place of colours.
    pub fn draw(face: &FaceSpec, size: u32, regions: bool) -> Result<Canvas> {
        let face = &by_its_hand(&in_its_year(face));
        let canvas = Canvas::new(size, regions)?;
        let mut sketch = Sketch { face, canvas, hair: face.hair_ramp(), line: face.line };
        head::background(&mut sketch);
        sketch.behind();
        hair::back(&mut sketch);
        sketch.body();
        head::neck(&mut sketch);
        clothes::draw(&mut sketch);
        sketch.behind();
        hair::shoulder(&mut sketch);
        sketch.head();
        head::face(&mut sketch);
        head::nose(&mut sketch);
        mouth::draw(&mut sketch);
        eyes::draw(&mut sketch);
        hair::front(&mut sketch);
        eyes::brows(&mut sketch);
        if face.has(label::GLASSES) {
            wear::glasses(&mut sketch);
        }
        hair::over(&mut sketch);
        if face.has(label::HAT) {
            hat::draw(&mut sketch);
        }
        if face.has(label::RIBBON) {
            wear::ribbon(&mut sketch);
        }
        Ok(sketch.canvas)
    }

    /// Coordinates of the head, turned as the head is.
    pub fn head(&mut self) {
        let pose = &self.face.pose;
        self.canvas.place(self.tilted(), Turn { yaw: pose.yaw, pitch: pose.pitch });
    }

    /// Coordinates of what hangs behind the head: tilted with it, but not turned.
    pub fn behind(&mut self) {
        self.canvas.place(self.tilted(), Turn::default());
    }

    /// Coordinates of neck and shoulders.
    pub fn body(&mut self) {
        let pose = &self.face.pose;
        let shift = (CENTRE.0 + pose.shift.0 + pose.shoulders, CENTRE.1 + pose.shift.1);
        let placement = Transform::from_scale(pose.scale, pose.scale).post_translate(shift.0, shift.1);
        self.canvas.place(placement, Turn::default());
    }

    /// A vertical gradient of the hair: `top` at the crown to `bottom` at the tips.
    pub fn hair_ink(&self, top: f32, bottom: f32) -> Ink {
        let (light, base) = (self.hair.base.mix(self.hair.light, 0.12), self.hair.base);
        let end = base.mix(self.hair.shade, 0.35);
        Ink::Triple { from: (0.0, top), to: (0.0, bottom), middle: 0.4, colours: [light, base, end] }
    }

    fn tilted(&self) -> Transform {
        let pose = &self.face.pose;
        Transform::from_rotate_at(pose.tilt, PIVOT.0, PIVOT.1)
            .post_scale(pose.scale, pose.scale)
            .post_translate(CENTRE.0 + pose.shift.0, CENTRE.1 + pose.shift.1)
    }
}
