//! What a crawl finds beside characters and clothes: landscapes and pages of text.

use image::{RgbImage, imageops};

use crate::data::avatar::bend::Turn;
use crate::data::avatar::canvas::{Canvas, Ink, Point};
use crate::data::avatar::palette::{Colour, WHITE};
use crate::data::avatar::shape::{ellipse, everywhere, polygon};
use crate::error::{Error, Result};
use crate::rng::Stream;

fn any(s: &mut Stream, low: f64, high: f64) -> Colour {
    Colour { r: s.range(low, high) as f32, g: s.range(low, high) as f32, b: s.range(low, high) as f32 }
}

/// A square picture, cut to `width`×`height`.
fn cut(canvas: Canvas, width: u32, height: u32) -> Result<RgbImage> {
    let side = width.max(height);
    let square = RgbImage::from_raw(side, side, canvas.into_rgb())
        .ok_or_else(|| Error::invalid("picture", "a broken canvas", "side² pixels", ""))?;
    Ok(imageops::crop_imm(&square, (side - width) / 2, (side - height) / 2, width, height).to_image())
}

/// Sky, sun or moon, ranges of hills, and a lake or a field with trees.
pub(super) fn landscape(width: u32, height: u32, s: &mut Stream) -> Result<RgbImage> {
    let mut canvas = Canvas::new(width.max(height), false)?;
    canvas.place(tiny_skia::Transform::identity(), Turn::default());
    let (top, low) = (any(s, 0.1, 0.9), any(s, 0.55, 1.0));
    canvas.fill(&everywhere(), Ink::Linear { from: (0.5, 0.1), to: (0.5, 0.7), start: top, end: low });
    let sun = (s.range(0.15, 0.85) as f32, s.range(0.2, 0.45) as f32);
    let radius = s.range(0.03, 0.09) as f32;
    let glow = (4.0 * radius, 4.0 * radius);
    canvas.fill(&everywhere(), Ink::Spot { centre: sun, radius: glow, colour: WHITE, opacity: 0.6 });
    canvas.fill(&ellipse(sun, radius, radius), Ink::Flat(WHITE.mix(low, 0.15)));
    let ground = any(s, 0.1, 0.6);
    let ranges = 2 + s.below(4);
    for k in 0..ranges {
        let far = 1.0 - (k + 1) as f32 / ranges as f32;
        let base = 0.80 - 0.35 * far + s.range(-0.03, 0.03) as f32;
        let rough = 0.16 * (0.4 + far);
        let knots: Vec<f32> = (0..14).map(|_| base - rough * s.uniform() as f32).collect();
        let line = knots.iter().enumerate().map(|(i, y)| (-0.1 + 1.2 * i as f32 / 13.0, *y));
        let hill = polygon(line.chain([(1.1, 1.1), (-0.1, 1.1)]));
        canvas.fill(&hill, Ink::Flat(ground.mix(low, 0.75 * far)));
    }
    let tree = any(s, 0.02, 0.35);
    for _ in 0..s.below(26) {
        let (x, y) = (s.uniform() as f32, s.range(0.72, 1.0) as f32);
        let high = s.range(0.05, 0.16) as f32 * (y - 0.4);
        let crown = polygon([(x, y - 2.2 * high), (x + 0.5 * high, y), (x - 0.5 * high, y)] as [Point; 3]);
        canvas.fill(&crown, Ink::Flat(tree.mix(ground, s.uniform() as f32 * 0.5)));
    }
    cut(canvas, width, height)
}

/// Lines of text in columns under a heading, with boxes of colour between them.
pub(super) fn page(width: u32, height: u32, s: &mut Stream) -> Result<RgbImage> {
    let mut canvas = Canvas::new(width.max(height), false)?;
    canvas.place(tiny_skia::Transform::identity(), Turn::default());
    let paper = if s.chance(0.5) { any(s, 0.82, 1.0) } else { any(s, 0.1, 0.9) };
    let ink = if paper.lab()[0] > 55.0 { any(s, 0.0, 0.35) } else { any(s, 0.8, 1.0) };
    canvas.fill(&everywhere(), Ink::Flat(paper));
    let block = |left: f32, top: f32, right: f32, bottom: f32| {
        polygon([(left, top), (right, top), (right, bottom), (left, bottom)])
    };
    let head = s.range(0.08, 0.28) as f32;
    canvas.fill(&block(0.0, 0.0, 1.0, head), Ink::Flat(any(s, 0.1, 0.95)));
    canvas.fill(&block(0.08, 0.35 * head, s.range(0.3, 0.9) as f32, 0.7 * head), Ink::Flat(any(s, 0.6, 1.0)));
    let columns = 1 + s.below(3);
    let line = s.range(0.018, 0.034) as f32;
    for column in 0..columns {
        let (left, right) = (column as f32 / columns as f32 + 0.04, (column + 1) as f32 / columns as f32 - 0.03);
        let mut y = head + 0.04;
        while y < 0.97 {
            if s.chance(0.10) {
                let high = s.range(0.08, 0.26) as f32;
                canvas.fill(&block(left, y, right, y + high), Ink::Flat(any(s, 0.1, 0.95)));
                y += high + line;
                continue;
            }
            let mut x = left;
            let end = right - if s.chance(0.2) { 0.4 * (right - left) } else { 0.0 };
            while x < end {
                let word = s.range(0.012, 0.07) as f32;
                canvas.fill(&block(x, y, (x + word).min(end), y + 0.45 * line), Ink::Flat(ink));
                x += word + 0.012;
            }
            y += line * if s.chance(0.12) { 2.2 } else { 1.0 };
        }
    }
    cut(canvas, width, height)
}
