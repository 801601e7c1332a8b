//! A small vector canvas on tiny-skia: coordinates in which the picture is 1 wide, a bent head, and two modes of
//! drawing: in colour, and as flat region numbers with exactly the same shapes.

use tiny_skia::{
    FillRule, GradientStop, LinearGradient, Mask, Paint, Path, PathBuilder, PathSegment, Pixmap, Point as SkPoint,
    RadialGradient, Shader, SpreadMode, Stroke, Transform,
};

use super::bend::{Bend, Turn};
use super::palette::Colour;
use crate::error::{Error, Result};

/// (x, y): x to the right, y down.
pub(crate) type Point = (f32, f32);

/// What a pixel of a face shows. The discriminant is the value in the region picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Region {
    /// Nothing of the character.
    Background = 0,
    /// Face, neck and ears, with the nose.
    Skin = 1,
    /// Hair with its strands and outlines.
    Hair = 2,
    /// The coloured disc of an eye with its pupil and highlights.
    Iris = 3,
    /// The rest of an eye: white, lashes, lid crease and brow.
    Eye = 4,
    /// Lips, teeth and tongue.
    Mouth = 5,
    /// Everything worn below the chin.
    Clothes = 6,
    /// Hat, ribbon and glasses.
    Accessory = 7,
}

impl Region {
    /// All regions, in the order of their numbers.
    pub const ALL: [Region; 8] = [
        Region::Background,
        Region::Skin,
        Region::Hair,
        Region::Iris,
        Region::Eye,
        Region::Mouth,
        Region::Clothes,
        Region::Accessory,
    ];
}

/// How a shape is filled. Positions are in the coordinates of the shape.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ink {
    Flat(Colour),
    /// A colour with opacity in [0, 1]; does not count as covering in the region picture.
    Glaze(Colour, f32),
    /// From one colour at `from` to another at `to`.
    Linear {
        from: Point,
        to: Point,
        start: Colour,
        end: Colour,
    },
    /// Three colours at 0, `middle` and 1 between `from` and `to`.
    Triple {
        from: Point,
        to: Point,
        middle: f32,
        colours: [Colour; 3],
    },
    /// A soft spot: `opacity` in the middle, nothing at the ellipse with half axes `radius`.
    Spot {
        centre: Point,
        radius: Point,
        colour: Colour,
        opacity: f32,
    },
}

#[derive(Clone, Copy, PartialEq)]
enum Mode {
    Colours,
    Regions,
}

/// The picture under construction.
pub(crate) struct Canvas {
    pixmap: Pixmap,
    mode: Mode,
    /// Shape coordinates to pixels.
    transform: Transform,
    /// From the unit square into the unit square, after every placement.
    view: Transform,
    bend: Bend,
    clip: Option<Mask>,
    /// What region pictures are drawn with.
    number: u8,
}

impl Canvas {
    /// A canvas of `size`×`size` pixels that paints colours (`regions` false) or region numbers (true).
    pub fn new(size: u32, regions: bool) -> Result<Self> {
        let pixmap = Pixmap::new(size, size)
            .ok_or_else(|| Error::invalid("picture size", size.to_string(), "a side of 1 to 16384 pixels", ""))?;
        let mode = if regions { Mode::Regions } else { Mode::Colours };
        let transform = Transform::from_scale(size as f32, size as f32);
        let (view, bend) = (Transform::identity(), Turn::default().into());
        Ok(Canvas { pixmap, mode, transform, view, bend, clip: None, number: Region::Background as u8 })
    }

    /// A canvas that paints colours onto a picture of `size`×`size` pixels, `rgb` bytes row by row.
    pub fn onto(rgb: &[u8], size: u32) -> Result<Self> {
        let mut canvas = Canvas::new(size, false)?;
        for (pixel, rgb) in canvas.pixmap.data_mut().chunks_exact_mut(4).zip(rgb.chunks_exact(3)) {
            pixel.copy_from_slice(&[rgb[0], rgb[1], rgb[2], 255]);
        }
        Ok(canvas)
    }

    /// Everything drawn from here on shows `region`.
    pub fn region(&mut self, region: Region) {
        self.number(region as u8);
    }

    /// Everything drawn from here on has this number where others have their region's.
    pub fn number(&mut self, number: u8) {
        self.number = number;
    }

    /// Shows another part of the unit square than all of it, from the next [`Canvas::place`] on.
    pub fn view(&mut self, view: Transform) {
        self.view = view;
    }

    /// Sets the coordinates: first `bend`, then `placement` into the unit square.
    pub fn place(&mut self, placement: Transform, bend: impl Into<Bend>) {
        let side = self.pixmap.width() as f32;
        self.transform = placement.post_concat(self.view).post_scale(side, side);
        self.bend = bend.into();
    }

    /// Only pixels inside `path` are drawn on until [`Canvas::unclip`].
    pub fn clip(&mut self, path: &Path) {
        let Some(path) = self.bent(path) else { return };
        self.clip = Mask::new(self.pixmap.width(), self.pixmap.height()).map(|mut mask| {
            mask.fill_path(&path, FillRule::Winding, self.mode == Mode::Colours, Transform::identity());
            mask
        });
    }

    /// Ends [`Canvas::clip`].
    pub fn unclip(&mut self) {
        self.clip = None;
    }

    /// Fills a shape.
    pub fn fill(&mut self, path: &Path, ink: Ink) {
        let (Some(paint), Some(path)) = (self.paint(ink), self.bent(path)) else { return };
        self.pixmap.fill_path(&path, &paint, FillRule::Winding, Transform::identity(), self.clip.as_ref());
    }

    /// Draws along a path with round ends; `width` in shape coordinates.
    pub fn stroke(&mut self, path: &Path, width: f32, ink: Ink) {
        let (Some(paint), Some(path)) = (self.paint(ink), self.bent(path)) else { return };
        let stroke = Stroke {
            width: width * self.transform.get_scale().0,
            line_cap: tiny_skia::LineCap::Round,
            line_join: tiny_skia::LineJoin::Round,
            ..Stroke::default()
        };
        self.pixmap.stroke_path(&path, &paint, &stroke, Transform::identity(), self.clip.as_ref());
    }

    /// Fills a shape and draws its outline.
    pub fn outlined(&mut self, path: &Path, ink: Ink, width: f32, line: Colour) {
        self.fill(path, ink);
        self.stroke(path, width, Ink::Flat(line));
    }

    /// RGB bytes, row by row. In region mode every byte of a pixel is the region's number.
    pub fn into_rgb(self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.pixmap.data().len() / 4 * 3);
        for pixel in self.pixmap.data().chunks_exact(4) {
            bytes.extend_from_slice(&pixel[..3]);
        }
        bytes
    }

    fn paint(&self, ink: Ink) -> Option<Paint<'static>> {
        let shader = match (self.mode, ink) {
            (Mode::Regions, Ink::Glaze(..) | Ink::Spot { .. }) => return None,
            (Mode::Regions, _) => {
                let number = self.number;
                Shader::SolidColor(tiny_skia::Color::from_rgba8(number, number, number, 255))
            }
            (Mode::Colours, ink) => self.shader(ink),
        };
        Some(Paint { shader, anti_alias: self.mode == Mode::Colours, ..Paint::default() })
    }

    fn shader(&self, ink: Ink) -> Shader<'static> {
        let flat = |colour| Shader::SolidColor(opaque(colour, 1.0));
        match ink {
            Ink::Flat(colour) => flat(colour),
            Ink::Glaze(colour, opacity) => Shader::SolidColor(opaque(colour, opacity)),
            Ink::Linear { from, to, start, end } => {
                let stops = vec![GradientStop::new(0.0, opaque(start, 1.0)), GradientStop::new(1.0, opaque(end, 1.0))];
                LinearGradient::new(sk(from), sk(to), stops, SpreadMode::Pad, self.transform).unwrap_or(flat(end))
            }
            Ink::Triple { from, to, middle, colours } => {
                let places = [0.0, middle, 1.0];
                let stops = (0..3).map(|i| GradientStop::new(places[i], opaque(colours[i], 1.0))).collect();
                LinearGradient::new(sk(from), sk(to), stops, SpreadMode::Pad, self.transform)
                    .unwrap_or(flat(colours[1]))
            }
            Ink::Spot { centre, radius, colour, opacity } => {
                let stops = [(0.0, 1.0), (0.5, 0.7), (1.0, 0.0)];
                let stops = stops.map(|(t, o)| GradientStop::new(t, opaque(colour, opacity * o))).to_vec();
                let centre = self.bend.spot(centre);
                let round = self.transform.pre_translate(centre.0, centre.1).pre_scale(radius.0, radius.1);
                let origin = SkPoint::from_xy(0.0, 0.0);
                RadialGradient::new(origin, 0.0, origin, 1.0, stops, SpreadMode::Pad, round)
                    .unwrap_or(Shader::SolidColor(tiny_skia::Color::TRANSPARENT))
            }
        }
    }

    /// The path in pixels, turned with the head.
    fn bent(&self, path: &Path) -> Option<Path> {
        let map = |p: SkPoint| {
            let (x, y) = self.bend.apply((p.x, p.y));
            let mut point = SkPoint::from_xy(x, y);
            self.transform.map_point(&mut point);
            point
        };
        let mut builder = PathBuilder::with_capacity(path.len(), path.points().len());
        let mut last = SkPoint::zero();
        for segment in path.segments() {
            match segment {
                PathSegment::MoveTo(p) => {
                    last = map(p);
                    builder.move_to(last.x, last.y);
                }
                PathSegment::LineTo(p) => {
                    last = map(p);
                    builder.line_to(last.x, last.y);
                }
                PathSegment::QuadTo(a, p) => {
                    let (a, p) = (map(a), map(p));
                    match is_flat(last, p, [a, a]) {
                        true => builder.line_to(p.x, p.y),
                        false => builder.quad_to(a.x, a.y, p.x, p.y),
                    }
                    last = p;
                }
                PathSegment::CubicTo(a, b, p) => {
                    let (a, b, p) = (map(a), map(b), map(p));
                    match is_flat(last, p, [a, b]) {
                        true => builder.line_to(p.x, p.y),
                        false => builder.cubic_to(a.x, a.y, b.x, b.y, p.x, p.y),
                    }
                    last = p;
                }
                PathSegment::Close => builder.close(),
            }
        }
        builder.finish()
    }
}

/// Whether a curve from `start` to `end` stays so close to the straight line that a pixel cannot show the difference.
fn is_flat(start: SkPoint, end: SkPoint, controls: [SkPoint; 2]) -> bool {
    const PIXELS: f32 = 0.12;
    let along = end - start;
    let length = along.length();
    let off = |p: SkPoint| {
        let from = p - start;
        if length > 1e-3 { (from.x * along.y - from.y * along.x).abs() / length } else { from.length() }
    };
    off(controls[0]).max(off(controls[1])) < PIXELS
}

fn sk((x, y): Point) -> SkPoint {
    SkPoint::from_xy(x, y)
}

fn opaque(colour: Colour, opacity: f32) -> tiny_skia::Color {
    let channel = |v: f32| v.clamp(0.0, 1.0);
    tiny_skia::Color::from_rgba(channel(colour.r), channel(colour.g), channel(colour.b), channel(opacity))
        .unwrap_or(tiny_skia::Color::TRANSPARENT)
}
