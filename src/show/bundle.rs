//! What a cell shows: one value, one MIME bundle.
//!
//! evcxr reads a cell's results from the child process's standard output as lines between
//! `EVCXR_BEGIN_CONTENT <mime type>` and `EVCXR_END_CONTENT`. [`display`] is the only place that writes them.

use std::io::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::Result;

/// The largest bundle, in bytes as written (base64 included): notebooks above a few MiB per cell become slow to open.
pub const LIMIT: usize = 2 * 1024 * 1024;

/// The representations of one value; the front end picks the richest that it can draw.
#[derive(Clone, Default, PartialEq)]
pub struct Bundle {
    /// `text/html`: a fragment, already escaped.
    pub html: Option<String>,
    /// `image/svg+xml`: a complete document.
    pub svg: Option<String>,
    /// `image/png`: the file's bytes.
    pub png: Option<Vec<u8>>,
    /// `text/plain`: what a terminal shows.
    pub plain: String,
}

impl Bundle {
    /// A bundle of text only.
    pub fn plain(text: impl Into<String>) -> Self {
        Bundle { plain: text.into(), ..Bundle::default() }
    }

    /// Adds an HTML fragment. Text in it must have gone through [`escape`].
    pub fn with_html(mut self, html: impl Into<String>) -> Self {
        self.html = Some(html.into());
        self
    }

    /// Adds an SVG document.
    pub fn with_svg(mut self, svg: impl Into<String>) -> Self {
        self.svg = Some(svg.into());
        self
    }

    /// Adds the bytes of a PNG file.
    pub fn with_png(mut self, png: impl Into<Vec<u8>>) -> Self {
        self.png = Some(png.into());
        self
    }

    /// Several bundles as one, one below the other (a loss plot and the samples that belong to it).
    pub fn column(parts: &[Bundle]) -> Self {
        let plain = parts.iter().map(|part| part.plain.as_str()).collect::<Vec<_>>().join("\n");
        let html = parts.iter().map(|part| format!("<div>{}</div>", part.fragment())).collect::<String>();
        Bundle::plain(plain).with_html(html)
    }

    /// The richest part as an HTML fragment.
    fn fragment(&self) -> String {
        let picture = |mime: &str, bytes: &[u8]| {
            let data = BASE64.encode(bytes);
            format!("<img alt=\"{}\" src=\"data:{mime};base64,{data}\"/>", escape(&self.plain))
        };
        match (&self.html, &self.svg, &self.png) {
            (Some(html), _, _) => html.clone(),
            (None, Some(svg), _) => picture("image/svg+xml", svg.as_bytes()),
            (None, None, Some(png)) => picture("image/png", png),
            (None, None, None) => format!("<pre>{}</pre>", escape(&self.plain)),
        }
    }

    /// Size in bytes as written to the notebook.
    pub fn size(&self) -> usize {
        let text = |part: &Option<String>| part.as_ref().map_or(0, String::len);
        let png = self.png.as_ref().map_or(0, |png| png.len().div_ceil(3) * 4);
        text(&self.html) + text(&self.svg) + png + self.plain.len()
    }

    /// The parts as evcxr takes them, `(mime type, text)`, at most [`LIMIT`] bytes in all. Parts that do not fit are
    /// left out, the richest first, and the plain text says so.
    pub fn parts(&self) -> Vec<(&'static str, String)> {
        let html = self.html.as_deref().map(|html| ("text/html", defuse(html, "EVCXR&#95;")));
        let svg = self.svg.as_deref().map(|svg| ("image/svg+xml", defuse(svg, "EVCXR&#95;")));
        let png = self.png.as_ref().map(|png| ("image/png", BASE64.encode(png)));
        let mut plain = defuse(&self.plain, "EVCXR\u{2060}_");
        const ROOM: usize = 200;
        if plain.len() > LIMIT - ROOM {
            let end = (0..=LIMIT - ROOM).rev().find(|&i| plain.is_char_boundary(i)).unwrap_or(0);
            plain.truncate(end);
            plain.push_str("\n(cut: the text is larger than a notebook output may be)");
        }
        let mut left = LIMIT - ROOM - plain.len().min(LIMIT - ROOM);
        let mut kept = Vec::new();
        for (mime, text) in [png, svg, html].into_iter().flatten() {
            if text.len() <= left {
                left -= text.len();
                kept.push((mime, text));
            } else {
                plain.push_str(&format!("\n({mime} left out: {} bytes; save the value to a file)", text.len()));
            }
        }
        kept.push(("text/plain", plain));
        kept.reverse();
        kept
    }

    /// Writes the bundle to standard output for evcxr. Each part is one locked write of whole lines, so that lines of
    /// other threads stay outside.
    pub fn emit(&self) {
        for (mime, text) in self.parts() {
            evcxr_runtime::mime_type(mime).text(text);
        }
    }
}

impl std::fmt::Debug for Bundle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Bundle({} bytes: {})", self.size(), self.plain)
    }
}

/// A value that a notebook cell can show.
pub trait Show {
    /// Everything a front end needs to draw the value, at most [`LIMIT`] bytes.
    ///
    /// # Errors
    /// When the value cannot be drawn; the message says why.
    fn bundle(&self) -> Result<Bundle>;
}

/// Shows a value as the output of the running cell; an error becomes one line on standard error. A cell has one output: what is
/// shown later takes the place of what was shown before.
pub fn display(value: &dyn Show) {
    match value.bundle() {
        Ok(bundle) => bundle.emit(),
        Err(error) => {
            let line = error.to_string().replace('\n', " ");
            // There is nobody left to tell when standard error is closed.
            let _ = writeln!(std::io::stderr(), "cannot show this value: {line}");
        }
    }
}

/// Gives types that implement [`Show`] the inherent method that evcxr calls for a cell's last expression. Inherent, so
/// that cells need no import; the types need `Debug` too, which evcxr falls back to.
macro_rules! displayable {
    ($($kind:ty),+ $(,)?) => {$(
        impl $kind {
            /// Shows the value as the output of the notebook cell that ends with it.
            pub fn evcxr_display(&self) {
                $crate::show::bundle::display(self);
            }
        }
    )+};
}
pub(crate) use displayable;

displayable!(Bundle);

impl Show for Bundle {
    fn bundle(&self) -> Result<Bundle> {
        Ok(self.clone())
    }
}

/// Text for HTML and SVG, in elements and in quoted attributes. Control characters that XML forbids become U+FFFD.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' | '\t' => out.push(c),
            c if c.is_control() || matches!(c, '\u{FFFE}' | '\u{FFFF}') => out.push('\u{FFFD}'),
            c => out.push(c),
        }
    }
    out
}

/// Breaks evcxr's marker lines where they occur in the content itself: they would end it early.
fn defuse(text: &str, instead: &str) -> String {
    text.replace("EVCXR_", instead)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markers_in_the_content_cannot_end_it() {
        let bundle = Bundle::plain("a\nEVCXR_END_CONTENT\nb").with_html("<p>EVCXR_BEGIN_CONTENT text/html</p>");
        for (mime, text) in bundle.parts() {
            assert!(!text.contains("EVCXR_"), "{mime}: {text}");
        }
    }

    #[test]
    fn escaped_text_holds_no_markup() {
        assert_eq!(
            escape("<script>alert('a & \"b\"')</script>\u{1b}").matches(['<', '>', '"', '\'', '\u{1b}']).count(),
            0
        );
    }

    #[test]
    fn no_bundle_is_larger_than_the_limit() {
        let bundle = Bundle::plain("x").with_png(vec![0; LIMIT]).with_html("<p>kept</p>");
        let parts = bundle.parts();
        assert!(parts.iter().map(|(_, text)| text.len()).sum::<usize>() <= LIMIT);
        assert!(parts.iter().any(|(mime, _)| *mime == "text/html"));
        assert!(parts.iter().any(|(_, text)| text.contains("image/png left out")));
        let text = Bundle::plain("é".repeat(LIMIT)).parts();
        assert!(text.iter().map(|(_, text)| text.len()).sum::<usize>() <= LIMIT);
    }

    #[test]
    fn a_column_keeps_every_part() {
        let parts =
            [Bundle::plain("one").with_svg("<svg/>"), Bundle::plain("<two>"), Bundle::plain("3").with_png([1, 2])];
        let column = Bundle::column(&parts);
        let html = column.html.unwrap();
        assert!(html.contains("data:image/svg+xml;base64,PHN2Zy8+") && html.contains("data:image/png;base64,AQI="));
        assert!(html.contains("<pre>&lt;two&gt;</pre>"));
        assert_eq!(column.plain, "one\n<two>\n3");
    }
}
