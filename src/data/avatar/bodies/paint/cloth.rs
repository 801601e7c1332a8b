//! Skirts, coats, and what is sewn onto the trunk.

use std::f32::consts::PI;

use super::{LIGHT, Painter};
use crate::data::avatar::bodies::costume::{Collar, Lower, Pattern, Upper};
use crate::data::avatar::bodies::sheet::{Sheet, Side};
use crate::data::avatar::bodies::trunk::line;
use crate::data::avatar::canvas::{Ink, Point, Region};
use crate::data::avatar::faces::bow;
use crate::data::avatar::palette::{Colour, Ramp, WHITE};
use crate::data::avatar::shape::{brush, ellipse, lerp, polygons};

impl Painter<'_> {
    /// The inner side of what hangs.
    pub(super) fn lining(&mut self, sheet: &Sheet) {
        self.flat();
        self.sketch.canvas.region(Region::Clothes);
        let tones = Ramp::cloth(self.body.costume.outfit.second);
        let cells = sheet.facing(Side::Inner);
        self.sketch.canvas.stroke(&sheet.edges(&cells), 2.0 * self.line, Ink::Flat(tones.line));
        self.sketch.canvas.fill(&sheet.shape(&cells), Ink::Flat(tones.shade.mix(tones.line, 0.45)));
    }

    /// Hips in the cloth of the lower half.
    pub(super) fn seat(&mut self) {
        let outfit = &self.body.costume.outfit;
        let tones = Ramp::cloth(outfit.second);
        self.sketch.canvas.region(Region::Clothes);
        match outfit.lower {
            Lower::Trousers | Lower::Shorts => {
                self.sketch.canvas.fill(&self.body.trunk.lower.path(0.0), Ink::Flat(tones.base));
            }
            Lower::Pleated | Lower::Flared => self.solid(&self.body.trunk.lower, &tones),
        }
    }

    pub(super) fn skirt(&mut self, sheet: &Sheet) {
        let outfit = &self.body.costume.outfit;
        let tones = Ramp::cloth(outfit.second);
        self.hung(sheet, &tones);
        let columns = sheet.columns();
        if outfit.lower == Lower::Pleated {
            let dark = sheet.shape(&sheet.facing(Side::Outer).only(|_, column| column % 2 == 1));
            self.sketch.canvas.fill(&dark, Ink::Glaze(tones.shade, 0.9));
            self.folds(sheet, (0..columns).step_by(2), 0.9, &tones);
        } else {
            let dark =
                sheet.shape(&sheet.facing(Side::Outer).only(|row, column| row > 0 && matches!(column % 6, 2 | 3)));
            self.sketch.canvas.fill(&dark, Ink::Glaze(tones.shade, 0.85));
            self.folds(sheet, (2..columns).step_by(6), 0.6, &tones);
        }
        self.woven(sheet, outfit.pattern, outfit.trim);
        self.sketch.canvas.stroke(&sheet.edges(&sheet.facing(Side::Outer)), self.line * 0.8, Ink::Flat(tones.line));
    }

    pub(super) fn coat(&mut self, sheet: &Sheet) {
        let outfit = &self.body.costume.outfit;
        let tones = Ramp::cloth(outfit.main);
        self.hung(sheet, &tones);
        let columns = sheet.columns();
        let dark = sheet.shape(&sheet.facing(Side::Outer).only(|row, column| row > 0 && matches!(column % 9, 3..=5)));
        self.sketch.canvas.fill(&dark, Ink::Glaze(tones.shade, 0.8));
        self.folds(sheet, (3..columns).step_by(9), 0.5, &tones);
        self.sketch.canvas.stroke(&sheet.edges(&sheet.facing(Side::Outer)), self.line * 0.8, Ink::Flat(tones.line));
    }

    /// The outer side with its outline.
    fn hung(&mut self, sheet: &Sheet, tones: &Ramp) {
        self.flat();
        self.sketch.canvas.region(Region::Clothes);
        self.sketch.canvas.stroke(&sheet.edges(&sheet.facing(Side::Outer)), 2.0 * self.line, Ink::Flat(tones.line));
        self.sketch.canvas.fill(&sheet.shape(&sheet.facing(Side::Outer)), Ink::Flat(tones.base));
    }

    /// Fine lines down the cloth.
    fn folds(&mut self, sheet: &Sheet, columns: impl Iterator<Item = usize>, strength: f32, tones: &Ramp) {
        let rows = sheet.rows() as f32;
        for column in columns {
            let place = column as f32;
            if let Some(points) = sheet.strand(Side::Outer, (0.35, place), (rows, place)) {
                let fold = brush(&points, self.line * 0.75);
                self.sketch.canvas.fill(&fold, Ink::Glaze(tones.line, strength));
            }
        }
    }

    fn woven(&mut self, sheet: &Sheet, pattern: Pattern, colour: Colour) {
        let (rows, columns) = (sheet.rows() as f32, sheet.columns());
        let ink = Ink::Flat(colour);
        let band = |from: f32, to: f32| {
            let cells = (0..columns).filter(|&column| sheet.side(sheet.rows() - 1, column) == Side::Outer);
            polygons(cells.map(move |column| {
                let (a, b) = (column as f32, column as f32 + 1.0);
                [(from, a), (from, b), (to, b), (to, a)].map(|(row, column)| sheet.between(row, column))
            }))
        };
        match pattern {
            Pattern::Plain => {}
            Pattern::Hem => self.sketch.canvas.fill(&band(rows - 0.70, rows - 0.28), ink),
            Pattern::Stripes => {
                for from in [rows - 0.48, rows - 0.90] {
                    self.sketch.canvas.fill(&band(from, from + 0.20), ink);
                }
            }
            Pattern::Plaid => {
                for row in [1.3, 2.4, 3.4] {
                    self.sketch.canvas.fill(&band(row, row + 0.13), Ink::Glaze(colour, 0.55));
                }
                for column in (1..columns).step_by(4) {
                    let place = column as f32 + 0.5;
                    if let Some(points) = sheet.strand(Side::Outer, (0.1, place), (rows, place)) {
                        self.sketch.canvas.fill(&brush(&points, self.line * 1.1), Ink::Glaze(colour, 0.55));
                    }
                }
            }
        }
    }

    /// Neck, breast and shoulders with all that is sewn on.
    pub(super) fn upper(&mut self) {
        self.flat();
        let body = self.body;
        let outfit = &body.costume.outfit;
        let skin = body.costume.face.skin;
        let neck = Ramp { base: skin.base.mix(skin.shade, 0.85), ..skin };
        self.sketch.canvas.region(Region::Skin);
        self.solid(&body.trunk.neck, &neck);
        self.sketch.canvas.region(Region::Clothes);
        let tones = Ramp::cloth(outfit.main);
        self.solid(&body.trunk.upper, &tones);
        match outfit.upper {
            Upper::Sailor => self.sailor(),
            Upper::Blazer => self.blazer(),
            Upper::Sweater => self.sweater(),
            Upper::Hoodie => self.hoodie(),
            Upper::Blouse => self.blouse(),
            Upper::Dress => self.dress(),
            Upper::Coat => self.open_coat(),
        }
        match outfit.collar {
            Collar::Plain => {}
            Collar::Bow => self.chest_bow(),
            Collar::Tie => self.tie(),
        }
    }

    /// A patch with an outline, where it is seen.
    fn sewn(&mut self, corners: &[(f32, f32)], colour: Colour) {
        let tones = Ramp::cloth(colour);
        if let Some(path) = self.body.trunk.patch(corners, 1.02) {
            self.sketch.canvas.outlined(&path, Ink::Flat(tones.base), self.line * 0.7, tones.line);
        }
    }

    fn stitched(&mut self, from: (f32, f32), to: (f32, f32), width: f32, ink: Ink) {
        if let Some(points) = self.body.trunk.seam(from, to, 1.015) {
            self.sketch.canvas.fill(&brush(&points, self.line * width), ink);
        }
    }

    /// Skin in the neckline.
    fn neckline(&mut self, deep: f32, wide: f32) {
        let skin = self.body.costume.face.skin;
        let corners = [(line::NECK, -1.3), (line::COLLAR, -wide), (deep, 0.0), (line::COLLAR, wide), (line::NECK, 1.3)];
        if let Some(path) = self.body.trunk.patch(&corners, 1.0) {
            self.sketch.canvas.region(Region::Skin);
            self.sketch.canvas.fill(&path, Ink::Flat(skin.base.mix(skin.shade, 0.4)));
            self.sketch.canvas.region(Region::Clothes);
        }
    }

    /// Two pieces of collar on both sides of the throat.
    fn lapels(&mut self, colour: Colour, tip: (f32, f32), root: f32) {
        for side in [-1.0, 1.0] {
            let corners = [
                (line::NECK, side * 0.5),
                (line::NECK, side * 1.5),
                (line::COLLAR - 0.1, side * root),
                (tip.0, side * tip.1),
                (line::COLLAR - 0.5, side * 0.12),
            ];
            self.sewn(&corners, colour);
        }
    }

    fn sailor(&mut self) {
        let outfit = &self.body.costume.outfit;
        let (trim, edge) = (outfit.trim, contrast(outfit.trim));
        self.neckline(line::BREAST + 0.35, 0.95);
        let stripe = Ink::Flat(edge);
        for side in [-1.0, 1.0] {
            let corners = [
                (line::NECK, side * 0.55),
                (line::NECK, side * 1.55),
                (line::COLLAR - 0.55, side * 1.5),
                (line::COLLAR - 1.0, side * 1.05),
                (line::BREAST - 0.2, side * 0.06),
                (line::BREAST + 0.35, side * 0.04),
            ];
            self.sewn(&corners, trim);
            self.stitched((line::COLLAR - 0.85, side * 1.0), (line::BREAST + 0.05, side * 0.14), 0.8, stripe);
        }
        let flap = [
            (line::NECK, PI - 1.25),
            (line::COLLAR - 0.5, PI - 1.25),
            (line::BREAST + 0.1, PI - 0.98),
            (line::BREAST + 0.1, PI),
            (line::BREAST + 0.1, PI + 0.98),
            (line::COLLAR - 0.5, PI + 1.25),
            (line::NECK, PI + 1.25),
        ];
        self.sewn(&flap, trim);
        for (from, to) in [(PI - 0.9, PI), (PI, PI + 0.9)] {
            self.stitched((line::BREAST + 0.35, from), (line::BREAST + 0.35, to), 0.8, stripe);
        }
        self.hem(trim, false);
    }

    fn blazer(&mut self) {
        let outfit = &self.body.costume.outfit;
        let main = Ramp::cloth(outfit.main);
        let shirt = [(line::NECK, -1.2), (line::COLLAR, -0.75), (2.6, 0.0), (line::COLLAR, 0.75), (line::NECK, 1.2)];
        self.sewn(&shirt, Colour::hex(0xfa_f8_f8));
        self.lapels(main.base.mix(main.light, 0.25), (2.9, 0.05), 1.0);
        self.front(2.6);
        self.buttons(&[1.9, 1.0], 0.0, outfit.trim);
    }

    fn sweater(&mut self) {
        let outfit = &self.body.costume.outfit;
        let main = Ramp::cloth(outfit.main);
        match outfit.pattern {
            Pattern::Hem | Pattern::Stripes => {
                for from in [2.2, 3.3] {
                    let band = self.body.trunk.band(from, from + 0.5, 1.003);
                    self.sketch.canvas.fill(&band.path(0.0), Ink::Flat(outfit.trim));
                    self.sketch.canvas.fill(&band.lit(0.8, LIGHT), Ink::Flat(outfit.trim.mix(WHITE, 0.1)));
                }
            }
            Pattern::Plain | Pattern::Plaid => {}
        }
        self.hem(main.base.times(Colour::hex(0xd8_d2_dc)), true);
        let roll = self.body.trunk.band(line::COLLAR + 0.35, line::NECK, 1.12);
        self.solid(&roll, &main);
    }

    fn hoodie(&mut self) {
        let outfit = &self.body.costume.outfit;
        let main = Ramp::cloth(outfit.main);
        self.hem(main.base.times(Colour::hex(0xd8_d2_dc)), true);
        let pocket = [(0.5, -0.75), (1.9, -0.48), (1.9, 0.0), (1.9, 0.48), (0.5, 0.75), (0.5, 0.0)];
        self.sewn(&pocket, main.base.mix(main.shade, 0.4));
        let hood = [
            (line::NECK, PI - 1.5),
            (line::COLLAR, PI - 1.35),
            (line::BREAST + 0.5, PI - 0.8),
            (line::BREAST + 0.2, PI),
            (line::BREAST + 0.5, PI + 0.8),
            (line::COLLAR, PI + 1.35),
            (line::NECK, PI + 1.5),
        ];
        self.sewn(&hood, main.base);
        self.lapels(main.base.mix(main.light, 0.2), (line::BREAST + 0.7, 0.12), 1.1);
        let string = Ink::Flat(outfit.trim);
        for side in [-1.0, 1.0] {
            self.stitched((line::COLLAR - 0.7, side * 0.22), (line::BREAST - 0.6, side * 0.26), 1.2, string);
        }
    }

    fn blouse(&mut self) {
        let outfit = &self.body.costume.outfit;
        let tones = Ramp::cloth(outfit.main);
        self.neckline(line::COLLAR - 0.5, 0.5);
        self.lapels(tones.base.mix(WHITE, 0.5), (line::BREAST + 0.7, 0.30), 0.95);
        self.front(line::BREAST + 0.6);
        self.buttons(&[3.6, 2.6, 1.6, 0.7], 0.0, outfit.trim.mix(tones.line, 0.3));
    }

    fn dress(&mut self) {
        let outfit = &self.body.costume.outfit;
        self.neckline(line::COLLAR - 0.4, 0.7);
        self.lapels(outfit.trim, (line::COLLAR - 1.3, 0.45), 1.3);
        self.buttons(&[3.6, 2.7], 0.0, outfit.trim);
        self.belt(outfit.accent);
    }

    fn open_coat(&mut self) {
        let outfit = &self.body.costume.outfit;
        let main = Ramp::cloth(outfit.main);
        let inside = Colour::hex(0xfa_f7_f4).mix(outfit.trim, 0.35);
        let corners = [
            (line::NECK, -1.2),
            (line::COLLAR, -0.6),
            (line::BREAST, -0.36),
            (line::WAIST, -0.34),
            (line::HEM, -0.36),
            (line::HEM, 0.36),
            (line::WAIST, 0.34),
            (line::BREAST, 0.36),
            (line::COLLAR, 0.6),
            (line::NECK, 1.2),
        ];
        self.sewn(&corners, inside);
        self.lapels(main.base.mix(main.light, 0.2), (line::BREAST - 0.9, 0.34), 1.15);
        self.buttons(&[2.4, 1.2], 0.62, outfit.trim);
        self.buttons(&[2.4, 1.2], -0.62, outfit.trim);
    }

    /// A band along the lower edge.
    fn hem(&mut self, colour: Colour, ribbed: bool) {
        let tones = Ramp::cloth(colour);
        let band = self.body.trunk.band(line::HEM, line::HEM + if ribbed { 0.45 } else { 0.22 }, 1.012);
        self.sketch.canvas.fill(&band.path(self.line * 0.4), Ink::Flat(tones.line));
        self.tone(&band, &tones);
    }

    fn belt(&mut self, colour: Colour) {
        let tones = Ramp::cloth(colour);
        let band = self.body.trunk.band(line::WAIST - 0.12, line::WAIST + 0.28, 1.03);
        self.sketch.canvas.fill(&band.path(self.line * 0.5), Ink::Flat(tones.line));
        self.tone(&band, &tones);
    }

    /// The edge down the front.
    fn front(&mut self, top: f32) {
        let tones = Ramp::cloth(self.body.costume.outfit.main);
        self.stitched((top, 0.0), (line::HEM, 0.02), 0.8, Ink::Flat(tones.line));
    }

    fn buttons(&mut self, heights: &[f32], angle: f32, colour: Colour) {
        let trunk = &self.body.trunk;
        let radius = self.line * 0.95;
        for &height in heights {
            let looks = trunk.looks(height, angle);
            if looks > 0.15 {
                let at = trunk.on(height, angle, 1.01);
                let button = ellipse(at, radius * looks, radius);
                self.sketch.canvas.fill(&button, Ink::Flat(colour));
            }
        }
    }

    fn chest_bow(&mut self) {
        let looks = self.body.trunk.looks(line::BREAST, 0.0);
        if looks < 0.02 {
            return;
        }
        let at = self.body.trunk.on(line::BREAST + 0.25, 0.0, 1.06);
        self.bow_at(at, 0.046 * self.scale(), looks, Ramp::cloth(self.body.costume.outfit.accent));
    }

    /// A bow that is turned away: `looks` as wide as it is.
    pub(super) fn bow_at(&mut self, at: Point, half: f32, looks: f32, tones: Ramp) {
        let narrow = tiny_skia::Transform::from_scale(looks.max(0.25), 1.0).post_translate(at.0, at.1);
        self.sketch.canvas.place(narrow, crate::data::avatar::bend::Turn::default());
        self.sketch.line = self.line * 0.75;
        bow(&mut self.sketch, (0.0, 0.0), half, 0.0, tones);
        self.flat();
    }

    fn tie(&mut self) {
        let trunk = &self.body.trunk;
        if trunk.looks(line::BREAST, 0.0) < 0.02 {
            return;
        }
        let tones = Ramp::cloth(self.body.costume.outfit.accent);
        let corners = [
            (line::COLLAR - 0.3, -0.16),
            (line::COLLAR - 0.9, -0.10),
            (2.3, -0.22),
            (1.8, 0.0),
            (2.3, 0.22),
            (line::COLLAR - 0.9, 0.10),
            (line::COLLAR - 0.3, 0.16),
        ];
        if let Some(path) = trunk.patch(&corners, 1.035) {
            self.sketch.canvas.outlined(&path, Ink::Flat(tones.base), self.line * 0.7, tones.line);
        }
        let knot = lerp(trunk.on(line::COLLAR - 0.3, 0.0, 1.03), trunk.on(line::COLLAR - 0.9, 0.0, 1.03), 0.5);
        let half = 0.0095 * self.scale();
        self.sketch.canvas.outlined(&ellipse(knot, half, half), Ink::Flat(tones.base), self.line * 0.6, tones.line);
    }

    /// Picture widths per mean body.
    pub(super) fn scale(&self) -> f32 {
        self.line / super::LINE * self.body.rig.unit
    }
}

/// White on dark cloth, a dark tone on light cloth.
pub(in crate::data::avatar) fn contrast(colour: Colour) -> Colour {
    if colour.lab()[0] < 70.0 { WHITE } else { colour.times(Colour::hex(0x8c_88_a4)) }
}
