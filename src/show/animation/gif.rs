//! GIF: 256 colours, hundredths of a second.

use image::codecs::gif::{GifEncoder, Repeat};
use image::{Delay, DynamicImage, Frame, ImageError};
use rayon::prelude::*;

use super::Animation;
use super::palette::Palette;
use crate::{Error, Result};

/// The shortest time of a frame that browsers keep, in hundredths of a second; they show what is shorter for ten.
const SHORTEST: u64 = 2;

/// Which frames are shown, and for how many hundredths of a second.
fn times(frames: usize, fps: f64) -> Vec<(usize, u64)> {
    let at = |frame: usize| (frame as f64 * 100.0 / fps).round() as u64;
    let mut shown = vec![0];
    for frame in 1..frames {
        let room = at(frames).saturating_sub(at(frame)) >= SHORTEST;
        if room && at(frame) - shown.last().map_or(0, |last| at(*last)) >= SHORTEST {
            shown.push(frame);
        }
    }
    let ends = shown.iter().skip(1).copied().chain([frames]);
    let time = |(&frame, end): (&usize, usize)| (frame, (at(end) - at(frame)).max(SHORTEST));
    shown.iter().zip(ends).map(time).collect()
}

pub(super) fn encode(animation: &Animation) -> Result<Vec<u8>> {
    let (width, height) = animation.size();
    let refused = |error: ImageError| {
        let found = format!("{width}×{height} pixels ({error})");
        Error::invalid("animation to encode as GIF", found, "at most 65,535 pixels to a side", "Save it as APNG.")
    };
    let palette = Palette::of(animation.frames());
    let times = times(animation.len(), animation.fps());
    let mut bytes = Vec::new();
    let mut encoder = GifEncoder::new(&mut bytes);
    encoder.set_repeat(Repeat::Infinite).map_err(refused)?;
    // A few at a time, so that long animations do not lie in memory twice.
    for times in times.chunks(64) {
        let frame = |&(frame, time): &(usize, u64)| {
            let picture = DynamicImage::from(palette.applied(&animation.frames()[frame])).into_rgba8();
            let delay = Delay::from_numer_denom_ms(u32::try_from(time * 10).unwrap_or(u32::MAX), 1);
            Frame::from_parts(picture, 0, 0, delay)
        };
        let frames: Vec<Frame> = times.par_iter().map(frame).collect();
        encoder.encode_frames(frames).map_err(refused)?;
    }
    drop(encoder);
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::times;

    #[test]
    fn frames_last_as_long_as_they_should() {
        assert_eq!(times(3, 30.0), [(0, 3), (1, 4), (2, 3)]);
        assert_eq!(times(2, 1.0), [(0, 100), (1, 100)]);
        assert_eq!(times(1, 1000.0), [(0, 2)]);
        for (frames, fps) in [(60, 30.0), (61, 24.0), (50, 60.0), (100, 99.0), (7, 0.5), (90, 23.976)] {
            let times = times(frames, fps);
            let total: u64 = times.iter().map(|(_, time)| time).sum();
            assert_eq!(total, (frames as f64 * 100.0 / fps).round() as u64, "{frames} at {fps}");
            assert!(times.iter().all(|(_, time)| *time >= 2));
            assert_eq!(times.len() == frames, fps <= 50.0, "{frames} at {fps}");
        }
    }
}
