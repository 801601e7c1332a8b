//! Structural similarity: brightness, contrast and structure of two pictures, window by window.
//!
//! Z. Wang, A. Bovik, H. Sheikh and E. Simoncelli, "Image Quality Assessment: From Error Visibility to Structural
//! Similarity", IEEE Transactions on Image Processing 2004. Implementations differ in the window and in how they
//! estimate variances; on the same two pictures they print different numbers, so that every score says which it is.

use candle_core::Tensor;
use rayon::prelude::*;

use super::pixels::Pixels;
use super::windows::{Plane, Window};
use crate::metrics::score::Score;
use crate::show::table::Best;
use crate::{Error, Result};

/// (0.01 · 255)² and (0.03 · 255)²: keep plain windows from dividing by 0.
const C1: f64 = 6.5025;
const C2: f64 = 58.5225;

/// Which SSIM; all on 8-bit pictures, K₁ = 0.01, K₂ = 0.03, windows inside the picture only.
#[derive(Clone, Debug, PartialEq)]
pub struct Ssim {
    kind: Kind,
    luma: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Wang,
    Uniform,
    Gaussian,
}

impl Ssim {
    /// The paper's, also `tf.image.ssim`'s: Gaussian window of 11 × 11 with deviation 1.5, variances over N.
    pub fn wang() -> Ssim {
        Ssim { kind: Kind::Wang, luma: false }
    }

    /// The defaults of `skimage.metrics.structural_similarity`: uniform window of 7 × 7, variances over N − 1. The
    /// STGAN and PG2 papers measure with it.
    pub const fn uniform() -> Ssim {
        Ssim { kind: Kind::Uniform, luma: false }
    }

    /// `structural_similarity(..., gaussian_weights=True)`: the window of [`Ssim::wang`], variances over N − 1.
    pub fn gaussian() -> Ssim {
        Ssim { kind: Kind::Gaussian, luma: false }
    }

    /// Compares luma (0.299 R + 0.587 G + 0.114 B, not rounded) instead of the mean over red, green and blue.
    pub fn luma(self) -> Ssim {
        Ssim { luma: true, ..self }
    }

    /// SSIM of each pair, in [-1, 1], 1 for equal pictures. `[N, 3, H, W]` or `[N, 1, H, W]` in [-1, 1] or bytes.
    ///
    /// # Errors
    /// When the shapes differ, the pictures are smaller than the window, or a value is not finite or far from [-1, 1].
    pub fn each(&self, first: &Tensor, second: &Tensor) -> Result<Vec<f64>> {
        self.compare(&Pixels::pair(first, second)?)
    }

    /// Mean of [`Ssim::each`] with its bootstrap interval.
    ///
    /// # Errors
    /// As [`Ssim::each`].
    pub fn score(&self, first: &Tensor, second: &Tensor) -> Result<Score> {
        Ok(self.summary(&self.each(first, second)?))
    }

    /// The score of these values, one per pair.
    pub(crate) fn summary(&self, each: &[f64]) -> Score {
        Score::mean_of("SSIM", each, self.protocol()).better(Best::Highest)
    }

    /// mask-SSIM of the PG2 paper (L. Ma et al. 2017, arXiv:1705.09368, section 4.3): both pictures are black outside
    /// the mask of the target, `masks` `[N, 1, H, W]`, 1 (or byte 255) inside and −1 (or byte 0) outside; their SSIM is
    /// that of the whole pictures, so that a small mask makes it large. PG2's script uses [`Ssim::uniform`].
    ///
    /// # Errors
    /// As [`Ssim::each`], and when the masks have another shape.
    pub fn masked(&self, first: &Tensor, second: &Tensor, masks: &Tensor) -> Result<Score> {
        Ok(self.masked_summary(&self.masked_each(first, second, masks)?))
    }

    /// What [`Ssim::masked`] is the mean of, one value per pair.
    ///
    /// # Errors
    /// As [`Ssim::masked`].
    pub fn masked_each(&self, first: &Tensor, second: &Tensor, masks: &Tensor) -> Result<Vec<f64>> {
        let mut pair = Pixels::pair(first, second)?;
        let masks = Pixels::new("masks", masks)?;
        for pixels in &mut pair {
            pixels.mask(&masks)?;
        }
        self.compare(&pair)
    }

    /// The score of these values, one per pair.
    pub(crate) fn masked_summary(&self, each: &[f64]) -> Score {
        let protocol = format!("both pictures black outside the mask; {}", self.protocol());
        Score::mean_of("mask-SSIM", each, protocol).better(Best::Highest)
    }

    fn compare(&self, [first, second]: &[Pixels; 2]) -> Result<Vec<f64>> {
        let window = self.window();
        let (height, width) = (first.height, first.width);
        if height.min(width) < window.size() {
            let expected = format!("at least {0}×{0}, the window", window.size());
            return Err(Error::invalid("SSIM", format!("pictures of {width}×{height} pixels"), expected, ""));
        }
        let unbias = self.unbias();
        let one = |i: usize| {
            let (first, second) = (first.planes(i, self.luma), second.planes(i, self.luma));
            let count = first.len() as f64;
            let plane = |values| Plane { height, width, values };
            let pairs = first.into_iter().zip(second);
            pairs.map(|(a, b)| similarity(&plane(a), &plane(b), &window, unbias).0).sum::<f64>() / count
        };
        Ok((0..first.count).into_par_iter().map(one).collect())
    }

    fn window(&self) -> Window {
        match self.kind {
            Kind::Uniform => Window::Uniform(7),
            Kind::Wang | Kind::Gaussian => Window::gaussian(11),
        }
    }

    /// Factor from a variance over N to the one that is reported.
    fn unbias(&self) -> f64 {
        match self.kind {
            Kind::Wang => 1.0,
            Kind::Uniform => 49.0 / 48.0,
            Kind::Gaussian => 121.0 / 120.0,
        }
    }

    fn protocol(&self) -> String {
        let window = match self.kind {
            Kind::Wang => "Wang 2004: Gaussian window 11×11, σ 1.5",
            Kind::Uniform => "scikit-image: uniform window 7×7, sample covariance",
            Kind::Gaussian => "scikit-image: Gaussian window 11×11, σ 1.5, sample covariance",
        };
        format!("{window}; 8 bits, {}", if self.luma { "luma" } else { "mean over channels" })
    }
}

/// Mean SSIM and mean contrast-structure term over all windows of two planes of one size in 0…255.
pub(super) fn similarity(first: &Plane, second: &Plane, window: &Window, unbias: f64) -> (f64, f64) {
    let means = |values: &[f64]| window.means(first.height, first.width, values);
    let (mean_a, mean_b) = (means(&first.values), means(&second.values));
    // Only the sum of both variances is needed.
    let squares = means(&combined(first, second, |a, b| a * a + b * b));
    let product = means(&combined(first, second, |a, b| a * b));
    let (mut ssim, mut contrast) = (0.0, 0.0);
    for (((ma, mb), squares), product) in mean_a.iter().zip(&mean_b).zip(&squares).zip(&product) {
        let (spread, shared) = (unbias * (squares - ma * ma - mb * mb), unbias * (product - ma * mb));
        let structure = (2.0 * shared + C2) / (spread + C2);
        contrast += structure;
        ssim += structure * (2.0 * ma * mb + C1) / (ma * ma + mb * mb + C1);
    }
    (ssim / mean_a.len() as f64, contrast / mean_a.len() as f64)
}

fn combined(first: &Plane, second: &Plane, of: impl Fn(f64, f64) -> f64) -> Vec<f64> {
    first.values.iter().zip(&second.values).map(|(a, b)| of(*a, *b)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    fn plain(byte: u8) -> Tensor {
        Tensor::full(byte, (2, 3, 12, 15), &Device::Cpu).unwrap()
    }

    /// Without variance only brightness counts: (2ab + C₁) / (a² + b² + C₁).
    #[test]
    fn constant_pictures_by_hand() {
        for ssim in [Ssim::wang(), Ssim::uniform(), Ssim::gaussian(), Ssim::wang().luma()] {
            let expected = (2.0 * 100.0 * 50.0 + C1) / (100.0 * 100.0 + 50.0 * 50.0 + C1);
            for found in ssim.each(&plain(100), &plain(50)).unwrap() {
                assert!((found - expected).abs() < 1e-9, "{ssim:?}: {found}, {expected}");
            }
            let same = ssim.score(&plain(7), &plain(7)).unwrap();
            assert!((same.value - 1.0).abs() < 1e-12, "{same}");
        }
    }

    #[test]
    fn a_mask_hides_what_is_outside() {
        let mut mask = vec![0u8; 2 * 12 * 15];
        let black = Tensor::from_vec(mask.clone(), (2, 1, 12, 15), &Device::Cpu).unwrap();
        assert_eq!(Ssim::uniform().masked(&plain(9), &plain(200), &black).unwrap().value, 1.0);
        mask.fill(255);
        let white = Tensor::from_vec(mask, (2, 1, 12, 15), &Device::Cpu).unwrap();
        let (masked, whole) =
            (Ssim::uniform().masked(&plain(9), &plain(200), &white), Ssim::uniform().score(&plain(9), &plain(200)));
        assert_eq!(masked.unwrap().value, whole.unwrap().value);
        assert!(Ssim::uniform().masked(&plain(9), &plain(9), &plain(9)).is_err());
    }

    #[test]
    fn small_pictures_are_refused() {
        let small = plain(1).narrow(2, 0, 8).unwrap();
        assert!(Ssim::wang().each(&small, &small).unwrap_err().to_string().contains("11×11"));
        assert!(Ssim::uniform().each(&small, &small).is_ok());
    }
}
