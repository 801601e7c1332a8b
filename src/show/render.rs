//! A [`Scene`] as SVG text and as pixels.

use std::fmt::Write;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use image::RgbImage;
use image::imageops::{self, FilterType};
use tiny_skia::{
    FillRule, FilterQuality, LineCap, LineJoin, Paint, Path, PathBuilder, PathSegment, Pixmap, PixmapPaint, Stroke,
    Transform,
};

use super::bundle::{Bundle, LIMIT, escape};
use super::scene::{Colour, Item, Label, Scene};
use super::text::{self, Weight};
use super::{number, save};
use crate::{Error, Result};

impl Scene {
    /// The drawing as an SVG document. `description` is what a screen reader says.
    pub(crate) fn svg(&self, description: &str) -> Result<String> {
        let (w, h) = (number(self.width), number(self.height));
        let label = escape(description);
        let mut out = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{w}\" height=\"{h}\" viewBox=\"0 0 {w} {h}\" role=\"img\" aria-label=\"{label}\">\n<rect width=\"{w}\" height=\"{h}\" fill=\"#fff\"/>\n"
        );
        for item in &self.items {
            item.svg(&mut out)?;
        }
        out.push_str("</svg>\n");
        Ok(out)
    }

    /// The drawing as pixels, `scale` of them to one CSS pixel.
    pub(crate) fn raster(&self, scale: f32) -> Result<RgbImage> {
        let size = |length: f32| (length * scale).round().max(1.0) as u32;
        let (w, h) = (size(self.width), size(self.height));
        let too_large =
            || Error::invalid("figure", format!("{w}×{h} pixels"), "at most 32,767 to a side", "Draw less.");
        if w.max(h) > 32_767 {
            return Err(too_large());
        }
        let mut canvas = Pixmap::new(w, h).ok_or_else(too_large)?;
        canvas.fill(tiny_skia::Color::WHITE);
        let zoom = Transform::from_scale(scale, scale);
        for item in &self.items {
            item.draw(&mut canvas, zoom, scale);
        }
        let pixels = canvas.data().chunks_exact(4).flat_map(|p| [p[0], p[1], p[2]]).collect();
        RgbImage::from_raw(w, h, pixels).ok_or_else(too_large)
    }

    /// [`Scene::raster`] as the bytes of a PNG file.
    pub(crate) fn png(&self, scale: f32) -> Result<Vec<u8>> {
        save::png(&self.raster(scale)?)
    }

    /// The drawing as SVG, or as pixels when the SVG would be too large for a notebook.
    pub(crate) fn bundle(&self, plain: String) -> Result<Bundle> {
        let svg = self.svg(&plain)?;
        if svg.len() + plain.len() + 4096 <= LIMIT {
            return Ok(Bundle::plain(plain).with_svg(svg));
        }
        picture_bundle(&self.raster(1.0)?, plain)
    }
}

impl Item {
    fn svg(&self, out: &mut String) -> Result<()> {
        // Writing into a String cannot fail.
        let _ = match self {
            Item::Polyline { points, width, colour } => {
                let paint = paint_attributes("stroke", *colour);
                let width = number(*width);
                writeln!(
                    out,
                    "<path fill=\"none\" {paint} stroke-width=\"{width}\" stroke-linejoin=\"round\" d=\"{}\"/>",
                    route(points)
                )
            }
            Item::Polygon { points, colour } => {
                writeln!(out, "<path {} d=\"{}Z\"/>", paint_attributes("fill", *colour), route(points))
            }
            Item::Circle { x, y, radius, fill, edge } => {
                let fill = fill.map_or("fill=\"none\"".to_string(), |colour| paint_attributes("fill", colour));
                let edge = edge.map_or(String::new(), |(width, colour)| {
                    format!(" {} stroke-width=\"{}\"", paint_attributes("stroke", colour), number(width))
                });
                writeln!(
                    out,
                    "<circle cx=\"{}\" cy=\"{}\" r=\"{}\" {fill}{edge}/>",
                    number(*x),
                    number(*y),
                    number(*radius)
                )
            }
            Item::Text(label) => {
                let Some(outline) = label.outline() else { return Ok(()) };
                let (text, paint) = (escape(&label.text), paint_attributes("fill", label.colour));
                writeln!(out, "<path role=\"img\" aria-label=\"{text}\" {paint} d=\"{}\"/>", curves(&outline))
            }
            Item::Picture { image, x, y, width, height } => {
                let data = BASE64.encode(save::png(image)?);
                let place = [*x, *y, *width, *height].map(number);
                writeln!(
                    out,
                    "<image x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" preserveAspectRatio=\"none\" style=\"image-rendering:pixelated\" href=\"data:image/png;base64,{data}\"/>",
                    place[0], place[1], place[2], place[3]
                )
            }
        };
        Ok(())
    }

    fn draw(&self, canvas: &mut Pixmap, zoom: Transform, scale: f32) {
        let fill = |canvas: &mut Pixmap, path: Option<Path>, colour: Colour| {
            if let Some(path) = path {
                canvas.fill_path(&path, &paint(colour), FillRule::Winding, zoom, None);
            }
        };
        let stroke = |canvas: &mut Pixmap, path: Option<Path>, width: f32, colour: Colour| {
            if let Some(path) = path {
                let stroke = Stroke { width, line_join: LineJoin::Round, line_cap: LineCap::Butt, ..Stroke::default() };
                canvas.stroke_path(&path, &paint(colour), &stroke, zoom, None);
            }
        };
        match self {
            Item::Polyline { points, width, colour } => stroke(canvas, polyline(points, false), *width, *colour),
            Item::Polygon { points, colour } => fill(canvas, polyline(points, true), *colour),
            Item::Circle { x, y, radius, fill: inside, edge } => {
                let circle = PathBuilder::from_circle(*x, *y, *radius);
                if let Some(colour) = inside {
                    fill(canvas, circle.clone(), *colour);
                }
                if let Some((width, colour)) = edge {
                    stroke(canvas, circle, *width, *colour);
                }
            }
            Item::Text(label) => fill(canvas, label.outline(), label.colour),
            Item::Picture { image, x, y, width, height } => {
                let (sx, sy) = (width * scale, height * scale);
                let smaller = sx < image.width() as f32 || sy < image.height() as f32;
                let resized = smaller.then(|| {
                    let side = |length: f32| (length.round() as u32).max(1);
                    imageops::resize(image.as_ref(), side(sx), side(sy), FilterType::Triangle)
                });
                let image = resized.as_ref().unwrap_or(image);
                let rgba = image.pixels().flat_map(|p| [p[0], p[1], p[2], 255]).collect();
                let size = tiny_skia::IntSize::from_wh(image.width(), image.height());
                let Some(picture) = size.and_then(|size| Pixmap::from_vec(rgba, size)) else { return };
                let (sx, sy) = (sx / image.width() as f32, sy / image.height() as f32);
                // Whole pixels, so that the picture's own pixels stay sharp.
                let place = Transform::from_row(sx, 0.0, 0.0, sy, (x * scale).round(), (y * scale).round());
                let paint = PixmapPaint { quality: FilterQuality::Nearest, ..PixmapPaint::default() };
                canvas.draw_pixmap(0, 0, picture.as_ref(), &paint, place, None);
            }
        }
    }
}

fn paint(colour: Colour) -> Paint<'static> {
    let mut paint = Paint { anti_alias: true, ..Paint::default() };
    paint.set_color_rgba8(colour.0, colour.1, colour.2, (colour.3 * 255.0).round() as u8);
    paint
}

fn polyline(points: &[(f32, f32)], closed: bool) -> Option<Path> {
    let mut path = PathBuilder::new();
    for (i, &(x, y)) in points.iter().enumerate() {
        if i == 0 { path.move_to(x, y) } else { path.line_to(x, y) }
    }
    if closed {
        path.close();
    }
    path.finish()
}

/// At most two decimals: a hundredth of a pixel is below what anyone can see.
fn number(value: f32) -> String {
    let text = format!("{value:.2}");
    let short = text.trim_end_matches('0').trim_end_matches('.');
    if short == "-0" { "0".to_string() } else { short.to_string() }
}

fn paint_attributes(kind: &str, colour: Colour) -> String {
    let Colour(r, g, b, alpha) = colour;
    let hex = format!("{kind}=\"#{r:02x}{g:02x}{b:02x}\"");
    if alpha < 1.0 { format!("{hex} {kind}-opacity=\"{}\"", number(alpha)) } else { hex }
}

fn route(points: &[(f32, f32)]) -> String {
    let steps = points.iter().map(|&(x, y)| format!("{} {}", number(x), number(y)));
    format!("M{}", steps.collect::<Vec<_>>().join("L"))
}

fn curves(path: &Path) -> String {
    let mut out = String::new();
    let pair = |p: tiny_skia::Point| format!("{} {}", number(p.x), number(p.y));
    for segment in path.segments() {
        let _ = match segment {
            PathSegment::MoveTo(p) => write!(out, "M{}", pair(p)),
            PathSegment::LineTo(p) => write!(out, "L{}", pair(p)),
            PathSegment::QuadTo(c, p) => write!(out, "Q{} {}", pair(c), pair(p)),
            PathSegment::CubicTo(c, d, p) => write!(out, "C{} {} {}", pair(c), pair(d), pair(p)),
            PathSegment::Close => write!(out, "Z"),
        };
    }
    out
}

/// A picture as a bundle: made smaller when it would not fit, with a line below it that says so.
pub(super) fn picture_bundle(picture: &RgbImage, plain: String) -> Result<Bundle> {
    let room = LIMIT - 64 * 1024;
    let mut bytes = save::png(picture)?;
    let mut shown = picture.clone();
    let mut note = String::new();
    while bytes.len().div_ceil(3) * 4 > room && shown.width().max(shown.height()) > 64 {
        let factor = (room as f32 / (bytes.len() as f32 * 4.0 / 3.0)).sqrt().min(0.95) * 0.97;
        let side = |length: u32| ((length as f32 * factor) as u32).max(1);
        let small = imageops::resize(picture, side(shown.width()), side(shown.height()), FilterType::Triangle);
        let percent = (100.0 * small.width() as f32 / picture.width() as f32).round();
        let full = format!("{} × {}", number::grouped(picture.width()), number::grouped(picture.height()));
        note = format!("shown at {percent} % of {full} pixels; save() writes all of them");
        let (w, h) = (small.width() as f32, small.height() as f32);
        let mut scene = Scene::new(w, h + 21.0);
        let text = text::fit(&note, 12.0, Weight::Regular, w);
        scene.label(Label::new(text, 0.0, h + 15.0, 12.0));
        scene.add(Item::Picture { image: Arc::new(small.clone()), x: 0.0, y: 0.0, width: w, height: h });
        bytes = scene.png(1.0)?;
        shown = small;
    }
    let plain = if note.is_empty() { plain } else { format!("{plain} ({note})") };
    Ok(Bundle::plain(plain).with_png(bytes))
}
