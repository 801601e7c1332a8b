//! Sharpness: the variance of the Laplacian, small in a blurred picture.

use candle_core::Tensor;
use image::RgbImage;
use rayon::prelude::*;

use super::pixels::Pixels;
use super::windows::mirror;
use crate::Result;
use crate::data::prepare::grey::luma;
use crate::metrics::score::Score;

/// Variance of the Laplacian of each picture (J. Pech-Pacheco et al., "Diatom autofocusing in brightfield microscopy",
/// ICPR 2000) as OpenCV computes it: 8-bit grey values, the kernel 0 1 0 / 1 −4 1 / 0 1 0, borders mirrored without the
/// edge itself. `[N, 3, H, W]` or `[N, 1, H, W]` in [-1, 1] or bytes. It grows with noise as well as with edges and
/// depends on the size of the pictures: compare it with that of real pictures of the same size.
///
/// # Errors
/// For another shape, or when a value is not finite or far from [-1, 1].
pub fn sharpness_each(pictures: &Tensor) -> Result<Vec<f64>> {
    let pixels = Pixels::new("pictures", pictures)?;
    let of = |i: usize| variance(&grey(&pixels, i), pixels.height, pixels.width);
    Ok((0..pixels.count).into_par_iter().map(of).collect())
}

/// Mean of [`sharpness_each`] with its bootstrap interval.
///
/// # Errors
/// As [`sharpness_each`].
pub fn sharpness(pictures: &Tensor) -> Result<Score> {
    let (height, width) = match pictures.dims() {
        [.., height, width] => (*height, *width),
        _ => (0, 0),
    };
    Ok(summary(&sharpness_each(pictures)?, &format!("{width}×{height}")))
}

/// The score of these values, one per picture of that size.
pub(crate) fn summary(each: &[f64], size: &str) -> Score {
    let protocol = format!("mean variance of the Laplacian, 8-bit grey values, {size} pixels");
    Score::mean_of("sharpness", each, protocol)
}

fn grey(pixels: &Pixels, i: usize) -> Vec<u8> {
    let picture = pixels.picture(i);
    if pixels.channels == 1 {
        return picture.to_vec();
    }
    let (plane, width) = (pixels.plane_size(), pixels.width);
    let colour = |x: u32, y: u32| {
        let at = y as usize * width + x as usize;
        image::Rgb([picture[at], picture[plane + at], picture[2 * plane + at]])
    };
    luma(&RgbImage::from_fn(width as u32, pixels.height as u32, colour)).into_raw()
}

/// The variance of the Laplacian of one picture's 8-bit grey values, row by row. Sums of whole numbers: exact.
pub(crate) fn variance(grey: &[u8], height: usize, width: usize) -> f64 {
    let row = |y: isize| &grey[mirror(y, height) * width..][..width];
    let (mut sum, mut squares) = (0i64, 0u64);
    for y in 0..height as isize {
        let (above, here, below) = (row(y - 1), row(y), row(y + 1));
        let mut add = |left: usize, x: usize, right: usize| {
            let around = [above[x], below[x], here[left], here[right]].map(i32::from).iter().sum::<i32>();
            let value = around - 4 * i32::from(here[x]);
            sum += i64::from(value);
            squares += u64::from(value.unsigned_abs().pow(2));
        };
        (1..width.saturating_sub(1)).for_each(|x| add(x - 1, x, x + 1));
        for x in [0, width - 1].into_iter().take(width.min(2)) {
            add(mirror(x as isize - 1, width), x, mirror(x as isize + 1, width));
        }
    }
    let count = (height * width).max(1) as f64;
    squares as f64 / count - (sum as f64 / count).powi(2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{DType, Device};

    /// Printed by SciPy: `scipy.ndimage.convolve(x, kernel, mode="mirror").var()`.
    #[test]
    fn the_variance_is_scipys() {
        let bytes: Vec<u8> = (0..48u32).map(|i| (i * i * 7 % 251) as u8).collect();
        let picture = Tensor::from_vec(bytes, (1, 1, 6, 8), &Device::Cpu).unwrap();
        let found = sharpness_each(&picture).unwrap()[0];
        assert!((found - 101_320.373_263_888_88).abs() < 1e-6, "{found}");
    }

    #[test]
    fn a_plain_picture_has_no_edges() {
        let plain = Tensor::full(77u8, (2, 3, 5, 9), &Device::Cpu).unwrap();
        assert_eq!(sharpness_each(&plain).unwrap(), [0.0, 0.0]);
        let noise = crate::rng::Seed(1).stream("noise").normal_tensor(&[1, 3, 32, 32], &Device::Cpu).unwrap();
        let noise = noise.clamp(-1f32, 1f32).unwrap();
        let blurred = noise.avg_pool2d(2).unwrap().to_dtype(DType::F32).unwrap();
        let (sharp, blurred) = (sharpness(&noise).unwrap(), sharpness(&blurred).unwrap());
        assert!(sharp.value > 2.0 * blurred.value, "{sharp}, {blurred}");
    }
}
