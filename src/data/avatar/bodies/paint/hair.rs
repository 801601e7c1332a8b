//! The hair behind the body, and the shell and bunches in front.

use super::{LIGHT, Painter};
use crate::data::avatar::bodies::costume::Back;
use crate::data::avatar::bodies::hair::{Bunch, DOME};
use crate::data::avatar::bodies::sheet::Side;
use crate::data::avatar::bodies::space::seen;
use crate::data::avatar::canvas::{Ink, Point, Region};
use crate::data::avatar::faces::{as_one, contrasting, detail};
use crate::data::avatar::palette::Ramp;
use crate::data::avatar::shape::{Lock, brush, ellipse, lerp, polygons};

impl Painter<'_> {
    /// From the crown to the longest tips.
    fn hair_tones(&self) -> Ink {
        let head = &self.body.head;
        let tones = self.sketch.hair;
        let top = seen(head.at(0.0, -0.36, 0.0)).at;
        let rows = self.body.hair.shell.rows();
        let lowest = (0..self.body.hair.shell.columns()).map(|c| self.body.hair.shell.at(rows, c).1);
        let bottom = lowest.fold(top.1 + 0.1, f32::max);
        let colours = [tones.base.mix(tones.light, 0.14), tones.base, tones.base.mix(tones.shade, 0.45)];
        Ink::Triple { from: (0.5, top.1), to: (0.5, bottom), middle: 0.35, colours }
    }

    /// What hangs behind trunk and neck.
    pub(super) fn hair_behind(&mut self) {
        self.flat();
        self.sketch.canvas.region(Region::Hair);
        let body = self.body;
        for bunch in body.hair.bunches.iter().filter(|bunch| !bunch.near) {
            self.bunch(bunch);
        }
        let (shell, tones) = (&body.hair.shell, self.sketch.hair);
        let ink = self.hair_tones();
        let (inner, outer) = (shell.facing(Side::Inner), shell.facing(Side::Outer));
        for cells in [&inner, &outer] {
            self.sketch.canvas.stroke(&shell.edges(cells), 2.0 * self.line, Ink::Flat(tones.line));
        }
        self.sketch.canvas.fill(&shell.shape(&inner), Ink::Flat(tones.shade.mix(tones.line, 0.35)));
        self.sketch.canvas.fill(&shell.shape(&outer), ink);
    }

    /// The round of the skull, below everything on the head.
    pub(super) fn dome(&mut self) {
        let tones = self.sketch.hair;
        let ink = self.hair_tones();
        self.sketch.canvas.fill(&self.body.hair.dome.path(self.line), Ink::Flat(tones.line));
        self.sketch.canvas.fill(&self.body.hair.dome.path(0.0), ink);
    }

    /// The shell's outer side: crown, fringe, and the back where one sees it.
    pub(super) fn shell(&mut self) {
        self.flat();
        let shell = &self.body.hair.shell;
        let tones = self.sketch.hair;
        let ink = self.hair_tones();
        let cells = self.body.hair.over();
        self.sketch.canvas.stroke(&shell.edges(&cells), 2.0 * self.line, Ink::Flat(tones.line));
        self.sketch.canvas.fill(&shell.shape(&cells), ink);
        self.locks();
        self.shine();
    }

    /// Shadows beside the notches, and lines from them towards the crown.
    fn locks(&mut self) {
        let (hair, tones) = (&self.body.hair, self.sketch.hair);
        let shell = &hair.shell;
        let own = &self.body.costume.coiffure.uneven;
        for (i, &column) in hair.notches.iter().enumerate() {
            let place = column as f32;
            let own = own[i % own.len()];
            let front = hair.fringe.contains(&column);
            let start = DOME as f32 * if front { 0.42 + 0.14 * own } else { 0.30 + 0.12 * own };
            let end = hair.lines_over(column) as f32;
            let Some(points) = shell.strand(Side::Outer, (start, place), (end - 0.02, place)) else { continue };
            if !front {
                let aside = shell.strand(Side::Outer, (start + 2.0, place), (end - 0.05, place + 1.6));
                if let Some(aside) = aside {
                    let edge = points.iter().skip(2).copied().chain(aside.into_iter().rev());
                    self.sketch.canvas.fill(&polygons([edge]), Ink::Glaze(tones.shade, 0.55));
                }
            }
            let width = self.line * if front { 0.9 } else { 1.0 };
            self.sketch.canvas.fill(&brush(&points, width), Ink::Glaze(tones.line, 0.72));
        }
    }

    /// The light on the crown: two arcs that stay with the light while the head turns.
    fn shine(&mut self) {
        const TEETH: usize = 6;
        let (body, tones) = (self.body, self.sketch.hair);
        let own = &body.costume.coiffure.uneven;
        let y = body.costume.face.hair.shine * body.costume.face.hair.crown + 0.015;
        for (from, to, strength) in [(-0.95, -0.12, 0.85), (0.22, 0.62, 0.6)] {
            let edge = |i: usize, low: f32| {
                let angle = from + (to - from) * i as f32 / TEETH as f32;
                let bow = 0.05 * (angle + 0.3).powi(2);
                seen(body.hair.on(&body.head, angle - body.head.yaw, y + low + bow)).at
            };
            let over = (0..=TEETH).map(|i| edge(i, if i % 2 == 0 { 0.000 } else { -0.012 }));
            let under = (0..=TEETH).rev().map(|i| {
                let end = i == 0 || i == TEETH;
                let deep = if i % 2 == 0 { 0.016 } else { 0.048 + 0.012 * own[i] };
                edge(i, if end { 0.004 } else { deep })
            });
            self.sketch
                .canvas
                .fill(&polygons([over.chain(under).collect::<Vec<Point>>()]), Ink::Glaze(tones.light, strength));
        }
    }

    /// A tail with its tie and bow, or a bun.
    pub(super) fn bunch(&mut self, bunch: &Bunch) {
        self.flat();
        let tones = self.sketch.hair;
        let (knots, half) = (&bunch.knots, bunch.half);
        if bunch.bun {
            self.solid(&bunch.solid, &tones);
            let at = knots[0];
            let turn = |a: f32, r: f32| (at.0 + half * r * a.cos(), at.1 + half * r * a.sin());
            let curl: Vec<Point> = (0..7).map(|i| turn(-2.6 + 0.75 * i as f32, 0.62 - 0.07 * i as f32)).collect();
            self.sketch.canvas.fill(&brush(&curl, self.line * 0.9), Ink::Glaze(tones.line, 0.75));
            let glow = ellipse((at.0 + half * 0.3 * LIGHT.0, at.1 + half * 0.55 * LIGHT.1), half * 0.32, half * 0.16);
            self.sketch.canvas.fill(&glow, Ink::Glaze(tones.light, 0.7));
            return;
        }
        let last = (knots.len() - 1) as f32;
        let own = &self.body.costume.coiffure.uneven;
        let locks: Vec<Lock> = [-1.0f32, 1.0, 0.0]
            .into_iter()
            .enumerate()
            .map(|(i, side)| {
                let apart = side * half * (0.50 + 0.12 * own[i]);
                let moved: Vec<Point> = (0..knots.len())
                    .map(|k| {
                        let t = k as f32 / last;
                        let (before, after) = (knots[k.saturating_sub(1)], knots[(k + 1).min(knots.len() - 1)]);
                        let (dx, dy) = (after.0 - before.0, after.1 - before.1);
                        let length = dx.hypot(dy).max(1e-6);
                        let short = if side == 0.0 { 1.0 } else { 0.90 };
                        let along = lerp(knots[0], knots[k], 1.0 - (1.0 - short) * t);
                        (along.0 - dy / length * apart * t * t * 1.1, along.1 + dx / length * apart * t * t * 1.1)
                    })
                    .collect();
                let full = half * if side == 0.0 { 1.0 } else { 0.78 };
                Lock::new(&moved, &[0.34 * full, 0.80 * full, full, 0.92 * full, 0.62 * full, 0.03 * full])
            })
            .collect();
        let (top, tip) = (knots[0].1, knots[knots.len() - 1].1);
        let colours = [tones.base.mix(tones.light, 0.14), tones.base, tones.base.mix(tones.shade, 0.45)];
        let ink = Ink::Triple { from: (0.5, top), to: (0.5, tip.max(top + 0.05)), middle: 0.4, colours };
        let outlines: Vec<_> = locks.iter().map(Lock::outline).collect();
        as_one(&mut self.sketch, &outlines, ink);
        for (lock, strength) in locks.iter().zip([0.6, 0.6, 0.9]) {
            detail(&mut self.sketch, lock, strength);
        }
        let tie = ellipse(lerp(knots[0], knots[1], 0.15), half * 0.42, half * 0.36);
        self.sketch.canvas.outlined(&tie, Ink::Flat(tones.line.mix(tones.shade, 0.2)), self.line * 0.8, tones.line);
        if self.body.costume.coiffure.ribbon {
            self.bow_at(lerp(knots[0], knots[1], 0.12), half * 1.15, 1.0, self.ribbon_tones());
        }
    }

    /// A single bow, or a band over the crown.
    pub(super) fn ornaments(&mut self) {
        let (body, coiffure) = (self.body, &self.body.costume.coiffure);
        let tied = matches!(coiffure.back, Back::Ponytail | Back::Twintails);
        let tones = self.ribbon_tones();
        if coiffure.ribbon && !tied {
            let side = body.costume.face.wear.ribbon_side;
            let angle = side * 1.25;
            let looks = (angle + body.head.yaw).cos();
            if looks > -0.12 {
                let at = seen(body.hair.on(&body.head, angle, -0.265)).at;
                self.bow_at(at, 0.046 * self.scale(), 0.35 + 0.65 * looks.max(0.0), tones);
            }
        }
        if coiffure.band {
            let yaw = body.head.yaw;
            // Over the crown from ear to ear: an arc that lies ahead of the crown.
            let place = |t: f32| {
                let angle = t * 1.45;
                let (s, c) = angle.sin_cos();
                let [wide, high, ahead] = [0.243, 0.268, 0.05];
                (body.head.at(wide * s, -0.095 - high * c * 0.985, ahead * c - 0.02), s)
            };
            let shown = |s: f32| s * yaw.sin() > -0.35 || yaw.cos().abs() > 0.75;
            let points: Vec<Point> =
                (-8..=8).map(|i| place(i as f32 / 8.0)).filter(|(_, s)| shown(*s)).map(|(p, _)| seen(p).at).collect();
            if points.len() > 2 {
                let band = Lock::new(&points, &[self.line * 1.6, self.line * 2.2, self.line * 1.6]).outline();
                self.sketch.canvas.outlined(&band, Ink::Flat(tones.base), self.line * 0.7, tones.line);
            }
        }
    }

    /// A cloth that stands out from the hair.
    fn ribbon_tones(&self) -> Ramp {
        let outfit = &self.body.costume.outfit;
        let mut wishes = vec![outfit.accent, outfit.trim];
        wishes.extend(self.body.costume.face.wear.ribbon_colours);
        Ramp::cloth(contrasting(&wishes, &[self.sketch.hair.base]))
    }

    /// A single hair that stands up.
    pub(super) fn ahoge(&mut self) {
        let body = self.body;
        if !body.costume.face.hair.ahoge {
            return;
        }
        let s = body.costume.face.hair.fall;
        let places = [(0.02, -0.345, 0.02), (0.015, -0.405, 0.04), (-0.03, -0.430, 0.06), (-0.085, -0.395, 0.07)];
        let knots = places.map(|(x, y, z)| seen(body.head.at(s * x, y, z)).at);
        let width = 0.0105 * self.scale();
        let lock = Lock::new(&knots, &[0.5 * width, 0.55 * width, 0.4 * width, 0.05 * width]);
        let tones = self.sketch.hair;
        self.sketch.canvas.outlined(&lock.outline(), Ink::Flat(tones.base), self.line, tones.line);
    }
}
