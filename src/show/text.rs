//! Text in figures, from the DejaVu fonts inside the `dejavu` crate: no font has to be installed, and no fontconfig.
//!
//! Figures hold the outlines of their letters, never a reference to a font, so that they look the same on every machine
//! and their layout can be computed exactly.

use std::sync::OnceLock;

use ab_glyph::{Font, FontRef, OutlineCurve};
use tiny_skia::{Path, PathBuilder};

/// Height of a line's box above the baseline, in em: the tallest unaccented letter of DejaVu Sans.
pub(crate) const ABOVE: f32 = 0.76;
/// Depth of a line's box below the baseline, in em.
pub(crate) const BELOW: f32 = 0.24;

/// Regular or bold letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Weight {
    Regular,
    Bold,
}

fn font(weight: Weight) -> &'static FontRef<'static> {
    static FONTS: OnceLock<[FontRef<'static>; 2]> = OnceLock::new();
    let fonts = FONTS.get_or_init(|| {
        // The bytes are constants of the `dejavu` crate; the tests parse both.
        [dejavu::sans::regular(), dejavu::sans::bold()]
            .map(|bytes| FontRef::try_from_slice(bytes).expect("the embedded DejaVu fonts are valid"))
    });
    &fonts[weight as usize]
}

/// Makes the embedded font known to plotters as "sans-serif", normal and bold. Figures of this crate do not need it;
/// call it before drawing with plotters' own bitmap backend, which has no other font here.
pub fn register_with_plotters() {
    use plotters::style::{FontStyle, register_font};
    let fonts = [(FontStyle::Normal, dejavu::sans::regular()), (FontStyle::Bold, dejavu::sans::bold())];
    for (style, bytes) in fonts {
        // Fails for bytes that are no font only; these are (see `font`).
        let _ = register_font("sans-serif", style, bytes);
    }
}

/// One glyph with its horizontal position, in em.
fn glyphs(text: &str, weight: Weight) -> (Vec<(ab_glyph::GlyphId, f32)>, f32) {
    let font = font(weight);
    let em = font.units_per_em().unwrap_or(2048.0);
    let mut x = 0.0;
    let mut previous = None;
    let mut placed = Vec::with_capacity(text.len());
    for c in text.chars() {
        let id = font.glyph_id(if c.is_control() { ' ' } else { c });
        if let Some(previous) = previous {
            x += font.kern_unscaled(previous, id) / em;
        }
        placed.push((id, x));
        x += font.h_advance_unscaled(id) / em;
        previous = Some(id);
    }
    (placed, x)
}

/// Advance width of one line, in the unit of `size` (the em).
pub(crate) fn width(text: &str, size: f32, weight: Weight) -> f32 {
    glyphs(text, weight).1 * size
}

/// The outlines of one line, baseline starting at (0, 0), y downwards; `None` when nothing is visible.
pub(crate) fn outline(text: &str, size: f32, weight: Weight) -> Option<Path> {
    let font = font(weight);
    let scale = size / font.units_per_em().unwrap_or(2048.0);
    let mut path = PathBuilder::new();
    for (id, x) in glyphs(text, weight).0 {
        let at = |p: ab_glyph::Point| (x * size + p.x * scale, -p.y * scale);
        let mut end = None;
        for curve in font.outline(id).map(|outline| outline.curves).unwrap_or_default() {
            let (from, to) = match &curve {
                OutlineCurve::Line(a, b) | OutlineCurve::Quad(a, _, b) | OutlineCurve::Cubic(a, _, _, b) => (*a, *b),
            };
            if end != Some(from) {
                if end.is_some() {
                    path.close();
                }
                let (x, y) = at(from);
                path.move_to(x, y);
            }
            let (x, y) = at(to);
            match curve {
                OutlineCurve::Line(..) => path.line_to(x, y),
                OutlineCurve::Quad(_, c, _) => path.quad_to(at(c).0, at(c).1, x, y),
                OutlineCurve::Cubic(_, c, d, _) => path.cubic_to(at(c).0, at(c).1, at(d).0, at(d).1, x, y),
            }
            end = Some(to);
        }
        if end.is_some() {
            path.close();
        }
    }
    path.finish()
}

/// The text when it fits into `room`, otherwise its beginning and "…"; empty when not even that fits.
pub(crate) fn fit(text: &str, size: f32, weight: Weight, room: f32) -> String {
    if width(text, size, weight) <= room {
        return text.to_string();
    }
    let ends = text.char_indices().map(|(i, _)| i).rev();
    ends.map(|end| format!("{}…", text[..end].trim_end()))
        .find(|short| width(short, size, weight) <= room)
        .unwrap_or_default()
}

/// The text in at most `lines` lines that fit into `room`, broken at spaces; what is too much ends in "…".
pub(crate) fn wrap(text: &str, size: f32, weight: Weight, room: f32, lines: usize) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    let mut words = text.split_whitespace().peekable();
    while out.len() + 1 < lines && words.peek().is_some() {
        let mut line = words.next().unwrap_or_default().to_string();
        while let Some(word) = words.peek() {
            let longer = format!("{line} {word}");
            if width(&longer, size, weight) > room {
                break;
            }
            line = longer;
            words.next();
        }
        out.push(fit(&line, size, weight, room));
    }
    let rest = words.collect::<Vec<_>>().join(" ");
    if lines > 0 && !rest.is_empty() {
        out.push(fit(&rest, size, weight, room));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widths_are_those_of_the_font_file() {
        // Advances in the hmtx table of DejaVu Sans 2.37, units of 1/2048 em: 'n' 1298, '1' 1303; bold 'n' 1458.
        assert!((width("n", 2048.0, Weight::Regular) - 1298.0).abs() < 0.5);
        assert!((width("11", 2048.0, Weight::Regular) - 2606.0).abs() < 0.5);
        assert!((width("n", 2048.0, Weight::Bold) - 1458.0).abs() < 0.5);
    }

    #[test]
    fn outlines_stay_inside_the_line_box() {
        for text in ["1,000", "Ag|jQ", "kimg"] {
            let size = 100.0;
            let bounds = outline(text, size, Weight::Regular).unwrap().bounds();
            assert!(bounds.left() >= -1.0 && bounds.right() <= width(text, size, Weight::Regular) + 1.0);
            assert!(bounds.top() >= -ABOVE * size - 1.0 && bounds.bottom() <= BELOW * size + 1.0, "{text} {bounds:?}");
        }
        assert!(outline(" ", 10.0, Weight::Regular).is_none());
    }

    #[test]
    fn long_text_is_cut_and_wrapped_to_the_room() {
        let text = "silver hair, long hair, smile, blue eyes, open mouth, ribbon";
        let short = fit(text, 10.0, Weight::Regular, 80.0);
        assert!(short.ends_with('…') && width(&short, 10.0, Weight::Regular) <= 80.0, "{short}");
        let lines = wrap(text, 10.0, Weight::Regular, 110.0, 3);
        assert_eq!(lines.len(), 3);
        assert!(lines.iter().all(|line| width(line, 10.0, Weight::Regular) <= 110.0), "{lines:?}");
        assert!(wrap("", 10.0, Weight::Regular, 10.0, 2).is_empty());
        assert_eq!(fit("wide", 10.0, Weight::Regular, 1.0), "");
    }
}
