//! Pictures to bytes, in all the ways in which files go wrong.

use std::io::Cursor;

use image::codecs::jpeg::JpegEncoder;
use image::{DynamicImage, ImageFormat, RgbImage, Rgba, RgbaImage};

use super::plan::Format;
use super::truth::Oddity;
use crate::error::{Error, Result};
use crate::rng::Stream;

/// What servers send in place of pictures that are gone.
const GONE: &str =
    "<!DOCTYPE html>\n<html><head><title>404 Not Found</title></head>\n<body><h1>Not Found</h1></body></html>\n";

/// The bytes of a picture file; `quality` is that of a JPEG.
pub(super) fn encoded(
    picture: &RgbImage,
    format: Format,
    oddity: Option<Oddity>,
    quality: u8,
    s: &mut Stream,
) -> Result<Vec<u8>> {
    let whole = |picture: DynamicImage| bytes(&picture, format, quality);
    match oddity {
        Some(Oddity::Empty) => Ok(Vec::new()),
        Some(Oddity::Text) => Ok(GONE.as_bytes().to_vec()),
        Some(Oddity::Truncated) => {
            let mut bytes = whole(picture.clone().into())?;
            bytes.truncate((bytes.len() as f64 * s.range(0.15, 0.75)) as usize);
            Ok(bytes)
        }
        Some(Oddity::Alpha) => whole(cut_out(picture).into()),
        Some(Oddity::Grey) => whole(DynamicImage::from(picture.clone()).to_luma8().into()),
        Some(Oddity::Renamed) | None => whole(picture.clone().into()),
    }
}

/// White becomes transparent.
fn cut_out(picture: &RgbImage) -> RgbaImage {
    RgbaImage::from_fn(picture.width(), picture.height(), |x, y| {
        let [r, g, b] = picture.get_pixel(x, y).0;
        Rgba([r, g, b, if [r, g, b] == [255; 3] { 0 } else { 255 }])
    })
}

fn bytes(picture: &DynamicImage, format: Format, quality: u8) -> Result<Vec<u8>> {
    let mut bytes = Cursor::new(Vec::new());
    let written = match format {
        Format::Jpeg => picture.write_with_encoder(JpegEncoder::new_with_quality(&mut bytes, quality)),
        Format::Png => picture.write_to(&mut bytes, ImageFormat::Png),
        Format::WebP => picture.write_to(&mut bytes, ImageFormat::WebP),
    };
    written.map_err(|error| {
        let size = format!("{}×{} pixels ({error})", picture.width(), picture.height());
        Error::invalid("picture of a crawl", size, "at least one pixel", "")
    })?;
    Ok(bytes.into_inner())
}
