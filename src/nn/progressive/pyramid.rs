//! A picture at all resolutions that a growing network sees.

use image::{ImageBuffer, Pixel, Rgb, RgbImage};

use crate::{Error, Result};

/// The picture at its own resolution, at half of it, and so on down to `smallest` pixels; each level is the mean of 2×2
/// pixels of the one before, rounded to bytes (a half to the even one), as the authors store their data sets.
///
/// # Errors
/// When the picture is not a square of a power of two pixels, `smallest` or more.
pub fn pyramid(picture: &RgbImage, smallest: u32) -> Result<Vec<RgbImage>> {
    levels(picture, smallest, |above, side| RgbImage::from_fn(side, side, |x, y| halved(above, x, y)))
}

/// The levels of a pyramid, the largest first, of which `halve` makes each from the one above and its own side.
///
/// # Errors
/// Those of [`pyramid`].
pub(crate) fn levels<P: Pixel + 'static>(
    picture: &ImageBuffer<P, Vec<P::Subpixel>>,
    smallest: u32,
    halve: impl Fn(&ImageBuffer<P, Vec<P::Subpixel>>, u32) -> ImageBuffer<P, Vec<P::Subpixel>>,
) -> Result<Vec<ImageBuffer<P, Vec<P::Subpixel>>>> {
    let (width, height) = picture.dimensions();
    if width != height || !width.is_power_of_two() || width < smallest.max(1) {
        let expected = format!("a square of a power of two pixels, {} or more", smallest.max(1));
        return Err(Error::invalid("picture", format!("{width}×{height} pixels"), expected, ""));
    }
    let mut levels = vec![picture.clone()];
    let mut side = width / 2;
    while side >= smallest.max(1) {
        levels.push(halve(&levels[levels.len() - 1], side));
        side /= 2;
    }
    Ok(levels)
}

fn halved(above: &RgbImage, x: u32, y: u32) -> Rgb<u8> {
    let pixels = [(0, 0), (1, 0), (0, 1), (1, 1)].map(|(dx, dy)| above.get_pixel(2 * x + dx, 2 * y + dy).0);
    Rgb([0, 1, 2].map(|channel| {
        let sum: u16 = pixels.iter().map(|pixel| u16::from(pixel[channel])).sum();
        // A remainder of 2 is a half.
        let up = sum % 4 == 3 || (sum % 4 == 2 && (sum / 4) % 2 == 1);
        (sum / 4) as u8 + u8::from(up)
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `numpy.rint` of the means, NumPy 2.4.6: 0.5 → 0, 1.5 → 2, 2.75 → 3, 254.5 → 254.
    #[test]
    fn levels_are_rounded_means() {
        let bytes = [[[0, 1, 2, 255], [1, 1, 3, 254]], [[0, 2, 3, 255], [1, 2, 3, 254]]];
        let picture = RgbImage::from_fn(4, 4, |x, y| {
            let row = bytes[(y % 2) as usize];
            Rgb([row[0][x as usize], row[1][x as usize], 7])
        });
        let levels = pyramid(&picture, 1).unwrap();
        assert_eq!(levels.iter().map(|level| level.width()).collect::<Vec<_>>(), [4, 2, 1]);
        // Red: (0 + 1 + 0 + 2)/4 = 0.75; (2 + 255 + 3 + 255)/4 = 128.75. Green: 6/4 = 1.5 (1, 1, 1, 2 → 1.25).
        assert_eq!(levels[1].get_pixel(0, 0).0, [1, 1, 7]);
        assert_eq!(levels[1].get_pixel(1, 1).0, [129, 128, 7]);
        let half = RgbImage::from_fn(2, 2, |x, y| Rgb([u8::from(x + y > 0) * 2, (x + 2 * y) as u8, u8::from(y > 0)]));
        // 6/4 = 1.5 → 2; (0 + 1 + 2 + 3)/4 = 1.5 → 2; 2/4 = 0.5 → 0.
        assert_eq!(pyramid(&half, 1).unwrap()[1].get_pixel(0, 0).0, [2, 2, 0]);
        assert!(pyramid(&RgbImage::new(6, 6), 4).is_err() && pyramid(&RgbImage::new(4, 8), 4).is_err());
        assert_eq!(pyramid(&picture, 4).unwrap().len(), 1);
    }
}
