//! A garment as a list of marks, which are painted several times: as colour, as light and shadow, and as numbers of
//! fabrics.

use tiny_skia::{Path, Transform};

use super::cut::SIDES;
use crate::data::avatar::bend::Turn;
use crate::data::avatar::canvas::{Canvas, Ink, Point};
use crate::data::avatar::palette::{Colour, WHITE};
use crate::data::avatar::shape::{brush, curve, ellipse};
use crate::rng::Stream;

/// What something is made of. The numbers are those of the number picture; 0 is the room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Fabric {
    /// Mannequin, stand and hanger: no clothing.
    Stand = 1,
    /// Plain weave.
    Cotton = 2,
    /// Diagonal weave.
    Wool = 3,
    Knit = 4,
    /// Shines, and shows no threads.
    Satin = 5,
    /// Buttons.
    Hard = 6,
}

impl Fabric {
    /// The fabric of a number.
    pub fn of(number: u8) -> Option<Fabric> {
        [Fabric::Stand, Fabric::Cotton, Fabric::Wool, Fabric::Knit, Fabric::Satin, Fabric::Hard]
            .into_iter()
            .find(|fabric| *fabric as u8 == number)
    }
}

/// One step of painting.
#[derive(Clone, Debug)]
pub(super) enum Mark {
    /// Covers what is below it.
    Piece {
        path: Path,
        colour: Colour,
        fabric: Fabric,
        relief: Ink,
    },
    /// Colour on a fabric, whose relief stays.
    Print {
        path: Path,
        colour: Colour,
        opacity: f32,
    },
    /// Darker (tone below 0) or lighter.
    Shade {
        path: Path,
        tone: f32,
    },
    /// The same along a path.
    Seam {
        path: Path,
        width: f32,
        tone: f32,
    },
    /// Until [`Mark::Outside`] only what is in the path is painted.
    Inside(Path),
    Outside,
}

/// A factor of the colour as a grey of the relief picture, in which 0.5 changes nothing.
pub(super) fn grey(factor: f32) -> Colour {
    WHITE.mix(Colour::hex(0), 1.0 - 0.5 * factor)
}

/// Records marks.
#[derive(Debug)]
pub(super) struct Sewing {
    pub marks: Vec<Mark>,
    /// Where the light comes from: −1 left, 1 right.
    pub light: f32,
    pub s: Stream,
}

impl Sewing {
    /// A piece that is rounded from left to right by `depth`, 0 (flat) to 1, with the shadow it throws on what is below.
    pub fn piece(&mut self, path: Path, colour: Colour, fabric: Fabric, depth: f32) {
        self.marks.push(Mark::Seam { path: path.clone(), width: 0.030, tone: -0.20 * depth.max(0.35) });
        let bounds = path.bounds();
        let (lit, dark) = (1.0 + 0.02 * depth, 1.0 - 0.46 * depth);
        let near = 1.0 - 0.20 * depth;
        let colours = if self.light < 0.0 { [near, lit, dark] } else { [dark, lit, near] }.map(grey);
        let relief = Ink::Triple {
            from: (bounds.left(), bounds.top()),
            to: (bounds.right(), bounds.top()),
            middle: 0.5 + 0.16 * self.light,
            colours,
        };
        self.marks.push(Mark::Piece { path, colour, fabric, relief });
    }

    /// A small flat piece on top, with its stitched edge.
    pub fn patch(&mut self, path: Path, colour: Colour, fabric: Fabric) {
        self.marks.push(Mark::Seam { path: path.clone(), width: 0.016, tone: -0.24 });
        let bounds = path.bounds();
        let relief = Ink::Linear {
            from: (bounds.left(), bounds.top()),
            to: (bounds.left(), bounds.bottom()),
            start: grey(1.03),
            end: grey(0.90),
        };
        self.marks.push(Mark::Piece { path: path.clone(), colour, fabric, relief });
        self.marks.push(Mark::Seam { path, width: 0.004, tone: -0.18 });
    }

    pub fn print(&mut self, path: Path, colour: Colour, opacity: f32) {
        self.marks.push(Mark::Print { path, colour, opacity });
    }

    pub fn shade(&mut self, path: Path, tone: f32) {
        self.marks.push(Mark::Shade { path, tone });
    }

    pub fn seam(&mut self, knots: &[Point], width: f32, tone: f32) {
        self.marks.push(Mark::Seam { path: curve(knots), width, tone });
    }

    /// What `draw` adds is painted inside a path only.
    pub fn inside(&mut self, path: &Path, draw: impl FnOnce(&mut Sewing)) {
        self.marks.push(Mark::Inside(path.clone()));
        draw(self);
        self.marks.push(Mark::Outside);
    }

    /// A fold of the cloth: a ridge towards the light with its shadow beside it.
    pub fn fold(&mut self, knots: &[Point], width: f32, strength: f32) {
        let aside = self.light.signum() * width * 0.75;
        let ridge: Vec<Point> = knots.iter().map(|&(x, y)| (x + aside, y - 0.25 * width)).collect();
        self.shade(brush(knots, width), -strength);
        self.shade(brush(&ridge, width * 0.8), 0.55 * strength);
    }

    /// A number within `deviation` of nothing.
    pub fn about(&mut self, deviation: f32) -> f32 {
        self.s.range(f64::from(-deviation), f64::from(deviation)) as f32
    }

    /// A button with its shine.
    pub fn button(&mut self, (x, y): Point, colour: Colour) {
        const RADIUS: f32 = 0.0125;
        let round = ellipse((x, y), RADIUS, RADIUS);
        self.marks.push(Mark::Seam { path: round.clone(), width: 0.008, tone: -0.3 });
        self.marks.push(Mark::Piece { path: round, colour, fabric: Fabric::Hard, relief: Ink::Flat(grey(1.0)) });
        self.shade(ellipse((x + 0.3 * RADIUS * self.light, y - 0.3 * RADIUS), 0.4 * RADIUS, 0.4 * RADIUS), 0.4);
    }

    /// The same on both sides.
    pub fn mirrored(&mut self, mut draw: impl FnMut(&mut Sewing, f32)) {
        for side in SIDES {
            draw(self, side);
        }
    }
}

/// Paints the marks as colours.
pub(super) fn colours(marks: &[Mark], placement: Transform, canvas: &mut Canvas) {
    canvas.place(placement, Turn::default());
    for mark in marks {
        match mark {
            Mark::Piece { path, colour, .. } => canvas.fill(path, Ink::Flat(*colour)),
            Mark::Print { path, colour, opacity } => canvas.fill(path, Ink::Glaze(*colour, *opacity)),
            Mark::Inside(path) => canvas.clip(path),
            Mark::Outside => canvas.unclip(),
            Mark::Shade { .. } | Mark::Seam { .. } => {}
        }
    }
}

/// Paints the marks as light and shadow.
pub(super) fn relief(marks: &[Mark], placement: Transform, canvas: &mut Canvas) {
    let glaze = |tone: f32| Ink::Glaze(if tone < 0.0 { Colour::hex(0) } else { WHITE }, tone.abs());
    canvas.place(placement, Turn::default());
    for mark in marks {
        match mark {
            Mark::Piece { path, relief, .. } => canvas.fill(path, *relief),
            Mark::Shade { path, tone } => canvas.fill(path, glaze(*tone)),
            Mark::Seam { path, width, tone } => canvas.stroke(path, *width, glaze(*tone)),
            Mark::Inside(path) => canvas.clip(path),
            Mark::Outside => canvas.unclip(),
            Mark::Print { .. } => {}
        }
    }
}

/// Paints the marks as numbers of fabrics.
pub(super) fn numbers(marks: &[Mark], placement: Transform, canvas: &mut Canvas) {
    canvas.place(placement, Turn::default());
    for mark in marks {
        match mark {
            Mark::Piece { path, fabric, .. } => {
                canvas.number(*fabric as u8);
                canvas.fill(path, Ink::Flat(WHITE));
            }
            Mark::Inside(path) => canvas.clip(path),
            Mark::Outside => canvas.unclip(),
            Mark::Print { .. } | Mark::Shade { .. } | Mark::Seam { .. } => {}
        }
    }
}
