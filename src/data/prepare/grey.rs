//! Grey values and histogram equalisation, bit for bit as OpenCV computes them.

use image::{GrayImage, RgbImage};

/// Luma of 8-bit RGB: (9798 R + 19235 G + 3735 B + 2¹⁴) / 2¹⁵, which is OpenCV's `COLOR_RGB2GRAY`.
pub fn luma(picture: &RgbImage) -> GrayImage {
    let mut grey = GrayImage::new(picture.width(), picture.height());
    let (rgb, _) = picture.as_raw().as_chunks::<3>();
    for (value, [r, g, b]) in grey.iter_mut().zip(rgb) {
        *value = ((9798 * u32::from(*r) + 19235 * u32::from(*g) + 3735 * u32::from(*b) + (1 << 14)) >> 15) as u8;
    }
    grey
}

/// Spreads the grey values evenly over 0..=255, as OpenCV's `equalizeHist`: the darkest value becomes 0, the
/// others their cumulative share (f32, ties to even). A picture of one value stays as it is.
pub fn equalize(picture: &GrayImage) -> GrayImage {
    let mut counts = [0u64; 256];
    for &value in picture.as_raw() {
        counts[usize::from(value)] += 1;
    }
    let total = picture.as_raw().len() as u64;
    let Some(darkest) = counts.iter().position(|&count| count > 0).filter(|&i| counts[i] < total) else {
        return picture.clone();
    };
    let scale = 255.0 / (total - counts[darkest]) as f32;
    let mut table = [0u8; 256];
    let mut below = 0u64;
    for (entry, count) in table.iter_mut().zip(counts).skip(darkest + 1) {
        below += count;
        *entry = (below as f32 * scale).round_ties_even() as u8;
    }
    let mut flat = picture.clone();
    for value in flat.iter_mut() {
        *value = table[usize::from(*value)];
    }
    flat
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Printed by OpenCV 4.14: `cv2.cvtColor(x, cv2.COLOR_RGB2GRAY)` and `cv2.equalizeHist(x)`.
    #[test]
    fn equals_opencv() {
        let rgb = RgbImage::from_vec(4, 1, vec![255, 0, 0, 0, 255, 0, 0, 0, 255, 13, 200, 77]).unwrap();
        assert_eq!(luma(&rgb).into_raw(), [76, 150, 29, 130]);
        let grey = GrayImage::from_vec(8, 1, vec![10, 10, 12, 13, 13, 13, 200, 10]).unwrap();
        assert_eq!(equalize(&grey).into_raw(), [0, 0, 51, 204, 204, 204, 255, 0]);
        let plain = GrayImage::from_pixel(3, 3, image::Luma([9]));
        assert_eq!(equalize(&plain), plain);
    }
}
