//! Animated PNG: every pixel as it is, and only what changed between two frames.

use image::RgbImage;

use super::Animation;
use crate::{Error, Result};

/// Frames per second as a fraction whose halves fit into 16 bits: the duration of a frame is denominator / numerator.
fn rate(fps: f64) -> (u16, u16) {
    // 30 and 23.976 (24000/1001) are exact, everything else to a thousandth of a frame per second or better.
    let candidates = [1.0, 1001.0, 1000.0, 100.0, 10.0];
    let error = |denominator: &f64| ((fps * denominator).round() / denominator - fps).abs();
    let fits = |denominator: &&f64| (1.0..=65_535.0).contains(&(fps * **denominator).round());
    let better = |best: f64, next: f64| if error(&next) < error(&best) { next } else { best };
    match candidates.iter().filter(fits).copied().reduce(better) {
        Some(denominator) => (denominator as u16, (fps * denominator).round() as u16),
        None if fps > 1.0 => (1, u16::MAX),
        // Less than one frame in 1,001 seconds.
        None => ((1.0 / fps).round().min(65_535.0) as u16, 1),
    }
}

/// The smallest rectangle (left, top, width, height) that holds everything which differs; one pixel where nothing does.
fn changed(before: &RgbImage, after: &RgbImage) -> [u32; 4] {
    let differing = before.enumerate_pixels().zip(after.pixels()).filter(|((_, _, old), new)| old != new);
    let grown = differing.fold(None, |found: Option<[u32; 4]>, ((x, y, _), _)| {
        let [left, top, right, bottom] = found.unwrap_or([x, y, x, y]);
        Some([left.min(x), top.min(y), right.max(x), bottom.max(y)])
    });
    let [left, top, right, bottom] = grown.unwrap_or([0; 4]);
    [left, top, right - left + 1, bottom - top + 1]
}

pub(super) fn encode(animation: &Animation) -> Result<Vec<u8>> {
    let refused = |error: png::EncodingError| {
        Error::invalid("animation to encode as APNG", error.to_string(), "frames that can be encoded", "")
    };
    let (width, height) = animation.size();
    let (numerator, denominator) = rate(animation.fps());
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_animated(animation.len() as u32, 0).map_err(refused)?;
    encoder.set_frame_delay(numerator, denominator).map_err(refused)?;
    let mut writer = encoder.write_header().map_err(refused)?;
    for (i, frame) in animation.frames().iter().enumerate() {
        if i == 0 {
            writer.write_image_data(frame.as_raw()).map_err(refused)?;
            continue;
        }
        let [left, top, w, h] = changed(&animation.frames()[i - 1], frame);
        writer.reset_frame_position().map_err(refused)?;
        writer.set_frame_dimension(w, h).map_err(refused)?;
        writer.set_frame_position(left, top).map_err(refused)?;
        let part = image::imageops::crop_imm(frame, left, top, w, h).to_image();
        writer.write_image_data(part.as_raw()).map_err(refused)?;
    }
    writer.finish().map_err(refused)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frame_rates_are_fractions_of_small_numbers() {
        assert_eq!((rate(30.0), rate(12.5)), ((1, 30), (1000, 12_500)));
        assert_eq!(rate(24_000.0 / 1001.0), (1001, 24_000));
        assert_eq!((rate(0.5), rate(1e-9), rate(1e9)), ((1000, 500), (65_535, 1), (1, 65_535)));
    }
}
