//! The drawing that every figure is made in: recorded once, then written as SVG or rendered as pixels.
//!
//! plotters draws charts into it through [`Pen`]; positions are CSS pixels, y downwards.

use std::convert::Infallible;
use std::sync::Arc;

use image::RgbImage;
use plotters_backend::text_anchor::{HPos, VPos};
use plotters_backend::{
    BackendColor, BackendCoord, BackendStyle, BackendTextStyle, DrawingBackend, DrawingErrorKind, FontStyle,
    FontTransform,
};

use super::text::{self, ABOVE, BELOW, Weight};

/// plotters places everything at whole numbers: it works in steps of a quarter pixel.
pub(crate) const STEPS: f32 = 4.0;

/// Red, green, blue and opacity in [0, 1].
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Colour(pub u8, pub u8, pub u8, pub f32);

impl Colour {
    pub(crate) const INK: Colour = Colour(0x22, 0x22, 0x22, 1.0);
    pub(crate) const GREY: Colour = Colour(0x66, 0x66, 0x66, 1.0);
    pub(crate) const PALE: Colour = Colour(0xe4, 0xe4, 0xe4, 1.0);
    pub(crate) const WHITE: Colour = Colour(0xff, 0xff, 0xff, 1.0);

    pub(crate) fn plotters(self) -> plotters::style::RGBAColor {
        plotters::style::RGBAColor(self.0, self.1, self.2, f64::from(self.3))
    }
}

impl From<BackendColor> for Colour {
    fn from(colour: BackendColor) -> Self {
        Colour(colour.rgb.0, colour.rgb.1, colour.rgb.2, colour.alpha as f32)
    }
}

/// Which point of a line of text the given position is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Align {
    Left,
    Centre,
    Right,
}

/// One line of text; `x`, `y` is on the baseline.
#[derive(Clone, Debug)]
pub(crate) struct Label {
    pub text: String,
    pub x: f32,
    pub y: f32,
    pub size: f32,
    pub weight: Weight,
    pub colour: Colour,
    pub align: Align,
    /// Reads from bottom to top.
    pub upward: bool,
}

impl Label {
    /// Regular ink-coloured text starting at `x`, baseline `y`.
    pub(crate) fn new(text: impl Into<String>, x: f32, y: f32, size: f32) -> Self {
        let (weight, colour, align) = (Weight::Regular, Colour::INK, Align::Left);
        Label { text: text.into(), x, y, size, weight, colour, align, upward: false }
    }

    pub(crate) fn bold(self) -> Self {
        Label { weight: Weight::Bold, ..self }
    }

    pub(crate) fn align(self, align: Align) -> Self {
        Label { align, ..self }
    }

    pub(crate) fn colour(self, colour: Colour) -> Self {
        Label { colour, ..self }
    }

    /// The outlines where they belong; `None` when nothing is visible.
    pub(crate) fn outline(&self) -> Option<tiny_skia::Path> {
        let width = text::width(&self.text, self.size, self.weight);
        let start = match self.align {
            Align::Left => 0.0,
            Align::Centre => -width / 2.0,
            Align::Right => -width,
        };
        let turn = if self.upward {
            tiny_skia::Transform::from_row(0.0, -1.0, 1.0, 0.0, self.x, self.y + -start)
        } else {
            tiny_skia::Transform::from_translate(self.x + start, self.y)
        };
        text::outline(&self.text, self.size, self.weight)?.transform(turn)
    }
}

/// One drawn thing.
#[derive(Clone, Debug)]
pub(crate) enum Item {
    Polyline { points: Vec<(f32, f32)>, width: f32, colour: Colour },
    Polygon { points: Vec<(f32, f32)>, colour: Colour },
    Circle { x: f32, y: f32, radius: f32, fill: Option<Colour>, edge: Option<(f32, Colour)> },
    Text(Label),
    Picture { image: Arc<RgbImage>, x: f32, y: f32, width: f32, height: f32 },
}

/// A white canvas and what was drawn on it, in order.
#[derive(Clone, Debug)]
pub(crate) struct Scene {
    pub width: f32,
    pub height: f32,
    pub items: Vec<Item>,
}

impl Scene {
    pub(crate) fn new(width: f32, height: f32) -> Self {
        Scene { width, height, items: Vec::new() }
    }

    pub(crate) fn add(&mut self, item: Item) {
        self.items.push(item);
    }

    pub(crate) fn label(&mut self, label: Label) {
        self.add(Item::Text(label));
    }

    pub(crate) fn line(&mut self, from: (f32, f32), to: (f32, f32), width: f32, colour: Colour) {
        self.add(Item::Polyline { points: vec![from, to], width, colour });
    }

    pub(crate) fn rect(&mut self, x: f32, y: f32, width: f32, height: f32, colour: Colour) {
        self.add(Item::Polygon { points: corners(x, y, x + width, y + height), colour });
    }
}

fn corners(x0: f32, y0: f32, x1: f32, y1: f32) -> Vec<(f32, f32)> {
    vec![(x0, y0), (x1, y0), (x1, y1), (x0, y1)]
}

/// plotters' way into a [`Scene`]: its coordinates are quarter pixels, its sizes too.
pub(crate) struct Pen<'a>(pub &'a mut Scene);

fn point((x, y): BackendCoord) -> (f32, f32) {
    (x as f32 / STEPS, y as f32 / STEPS)
}

type Drawn = Result<(), DrawingErrorKind<Infallible>>;

impl DrawingBackend for Pen<'_> {
    type ErrorType = Infallible;

    fn get_size(&self) -> (u32, u32) {
        ((self.0.width * STEPS) as u32, (self.0.height * STEPS) as u32)
    }

    fn ensure_prepared(&mut self) -> Drawn {
        Ok(())
    }

    fn present(&mut self) -> Drawn {
        Ok(())
    }

    fn draw_pixel(&mut self, at: BackendCoord, colour: BackendColor) -> Drawn {
        let (x, y) = point(at);
        self.0.rect(x, y, 1.0 / STEPS, 1.0 / STEPS, colour.into());
        Ok(())
    }

    fn draw_line<S: BackendStyle>(&mut self, from: BackendCoord, to: BackendCoord, style: &S) -> Drawn {
        self.0.line(point(from), point(to), style.stroke_width() as f32 / STEPS, style.color().into());
        Ok(())
    }

    fn draw_rect<S: BackendStyle>(&mut self, a: BackendCoord, b: BackendCoord, style: &S, fill: bool) -> Drawn {
        let ((x0, y0), (x1, y1)) = (point(a), point(b));
        let mut points = corners(x0, y0, x1, y1);
        let colour = style.color().into();
        if fill {
            self.0.add(Item::Polygon { points, colour });
        } else {
            points.push((x0, y0));
            self.0.add(Item::Polyline { points, width: style.stroke_width() as f32 / STEPS, colour });
        }
        Ok(())
    }

    fn draw_path<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(&mut self, path: I, style: &S) -> Drawn {
        let points = path.into_iter().map(point).collect();
        let width = style.stroke_width() as f32 / STEPS;
        self.0.add(Item::Polyline { points, width, colour: style.color().into() });
        Ok(())
    }

    fn draw_circle<S: BackendStyle>(&mut self, centre: BackendCoord, radius: u32, style: &S, fill: bool) -> Drawn {
        let (x, y) = point(centre);
        let colour: Colour = style.color().into();
        let edge = (style.stroke_width() as f32 / STEPS, colour);
        let (fill, edge) = if fill { (Some(colour), None) } else { (None, Some(edge)) };
        self.0.add(Item::Circle { x, y, radius: radius as f32 / STEPS, fill, edge });
        Ok(())
    }

    fn fill_polygon<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(&mut self, path: I, style: &S) -> Drawn {
        let points = path.into_iter().map(point).collect();
        self.0.add(Item::Polygon { points, colour: style.color().into() });
        Ok(())
    }

    fn draw_text<T: BackendTextStyle>(&mut self, text: &str, style: &T, at: BackendCoord) -> Drawn {
        let (x, y) = point(at);
        let size = style.size() as f32 / STEPS;
        let upward = matches!(style.transform(), FontTransform::Rotate270);
        let align = match style.anchor().h_pos {
            HPos::Left => Align::Left,
            HPos::Center => Align::Centre,
            HPos::Right => Align::Right,
        };
        let drop = match style.anchor().v_pos {
            VPos::Top => ABOVE,
            // Half the height of a digit, so that numbers stand level with their ticks.
            VPos::Center => 0.365,
            VPos::Bottom => -BELOW,
        } * size;
        let (x, y) = if upward { (x + drop, y) } else { (x, y + drop) };
        let weight = if matches!(style.style(), FontStyle::Bold) { Weight::Bold } else { Weight::Regular };
        let colour = style.color().into();
        self.0.label(Label { text: text.to_string(), x, y, size, weight, colour, align, upward });
        Ok(())
    }

    fn estimate_text_size<T: BackendTextStyle>(
        &self,
        text: &str,
        style: &T,
    ) -> Result<(u32, u32), DrawingErrorKind<Infallible>> {
        let weight = if matches!(style.style(), FontStyle::Bold) { Weight::Bold } else { Weight::Regular };
        let width = text::width(text, style.size() as f32, weight);
        Ok((width.ceil() as u32, style.size().ceil() as u32))
    }
}
