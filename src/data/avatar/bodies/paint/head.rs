//! The face as it lies on the head, between the hair behind it and the hair in front.

use tiny_skia::Transform;

use super::{LIGHT, Painter};
use crate::data::avatar::bodies::space::{SPAN, seen};
use crate::data::avatar::canvas::{Ink, Region};
use crate::data::avatar::faces::{brow, cheek, eye, label, mouth_of, nose};
use crate::data::avatar::palette::Ramp;
use crate::data::avatar::shape::Pen;

/// Width of outlines on the face, in face units.
const FINE: f32 = 0.0095;

impl Painter<'_> {
    /// Dome, face, features, hair.
    pub(super) fn head(&mut self) {
        self.flat();
        let body = self.body;
        let ahead = body.head.looks(0.0, 0.0, 1.0);
        self.sketch.canvas.region(Region::Hair);
        self.dome();
        if ahead > -0.70 {
            self.sketch.canvas.region(Region::Skin);
            self.skull(ahead);
        }
        self.sketch.canvas.region(Region::Hair);
        self.shell();
        self.brows();
        self.ahoge();
        self.ornaments();
        for bunch in body.hair.bunches.iter().filter(|bunch| bunch.near) {
            self.bunch(bunch);
        }
        self.flat();
    }

    /// Ears, the outline of the face with its shadows, and the features.
    fn skull(&mut self, ahead: f32) {
        let body = self.body;
        let skin = body.costume.face.skin;
        for (ear, side) in body.head.ears.iter().zip([1.0, -1.0]) {
            if body.head.looks(side, 0.0, -0.35) > -0.35 {
                self.solid(ear, &Ramp { base: skin.base.mix(skin.shade, 0.3), ..skin });
            }
        }
        let skull = &body.head.skull;
        self.sketch.canvas.fill(&skull.path(self.line), Ink::Flat(skin.line));
        self.sketch.canvas.fill(&skull.path(0.0), Ink::Flat(skin.shade.mix(skin.base, 0.25)));
        self.sketch.canvas.fill(&skull.lit(0.94, LIGHT), Ink::Flat(skin.base));
        let outline = skull.path(0.15 * self.line);
        self.sketch.canvas.clip(&outline);
        self.shadow_of_hair();
        if ahead > -0.40 {
            self.features();
        }
        self.sketch.canvas.unclip();
        self.profile();
    }

    /// The fringe darkens the forehead below it.
    fn shadow_of_hair(&mut self) {
        let body = self.body;
        let drop = 0.022 * body.head.unit / SPAN;
        let shell = body.hair.shell.shape(&body.hair.over());
        if let Some(moved) = shell.transform(Transform::from_translate(-0.25 * drop, drop)) {
            self.sketch.canvas.fill(&moved, Ink::Flat(body.costume.face.skin.shade));
        }
    }

    /// What is drawn on the flat face: what looks away is left out.
    fn features(&mut self) {
        let body = self.body;
        let face = &body.costume.face;
        let (placement, bend) = body.head.placement();
        self.sketch.canvas.place(placement, bend);
        self.sketch.line = FINE;
        let looks = |side: f32| body.head.looks(side * 0.45, 0.0, 1.0);
        if face.has(label::BLUSH) {
            for side in [-1.0, 1.0] {
                if body.head.looks(side * 0.8, 0.0, 1.0) > 0.10 {
                    cheek(&mut self.sketch, side);
                }
            }
        }
        if body.head.looks(0.0, 0.0, 1.0) > 0.06 {
            nose(&mut self.sketch);
            mouth_of(&mut self.sketch);
        }
        for side in [-1.0, 1.0] {
            if looks(side) > 0.10 {
                eye(&mut self.sketch, side);
            }
        }
        self.flat();
    }

    /// Eyebrows show through the fringe.
    fn brows(&mut self) {
        let body = self.body;
        let (placement, bend) = body.head.placement();
        self.sketch.canvas.place(placement, bend);
        self.sketch.line = FINE;
        for side in [-1.0, 1.0] {
            if body.head.looks(side * 0.5, 0.0, 1.0) > 0.22 {
                brow(&mut self.sketch, side);
            }
        }
        self.flat();
    }

    /// The tip of the nose stands out of the outline when the head is seen from the side.
    fn profile(&mut self) {
        let body = self.body;
        let aside = body.head.yaw.sin();
        if aside.abs() < 0.80 || body.head.looks(0.0, 0.0, 1.0) < -0.30 {
            return;
        }
        let skin = body.costume.face.skin;
        let y = body.costume.face.head.chin * 0.40;
        let out = (aside.abs() - 0.80) / 0.20;
        let tip = 0.168 + 0.040 * out;
        let place = |y: f32, z: f32| seen(body.head.at(0.0, y, z)).at;
        let (bridge, point, base, lip) =
            (place(y - 0.075, 0.158), place(y, tip), place(y + 0.022, 0.160), place(y + 0.03, 0.13));
        let shape = Pen::at(place(y - 0.06, 0.12))
            .line(bridge)
            .quad(place(y - 0.02, 0.164), point)
            .quad(place(y + 0.012, tip - 0.012), base)
            .line(lip)
            .close();
        let edge = Pen::at(bridge).quad(place(y - 0.02, 0.164), point).quad(place(y + 0.012, tip - 0.012), base).open();
        self.sketch.canvas.stroke(&edge, self.line * 1.2, Ink::Flat(skin.line));
        self.sketch.canvas.fill(&shape, Ink::Flat(skin.base));
    }
}
