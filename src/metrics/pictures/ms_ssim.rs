//! Multi-scale structural similarity: SSIM over five sizes of the same two pictures.
//!
//! Z. Wang, E. Simoncelli and A. Bovik, "Multiscale structural similarity for image quality assessment", Asilomar 2003:
//! the product over scales of contrast-structure terms, the last of full SSIM, each to the power of its weight. Terms
//! below 0 count as 0. Among random pairs of one generator's pictures it measures variety (small is varied).

use candle_core::Tensor;
use rayon::prelude::*;

use super::pixels::Pixels;
use super::ssim::similarity;
use super::windows::{Plane, Window};
use crate::metrics::score::Score;
use crate::show::table::Best;
use crate::{Error, Result};

/// Exponents of the scales, the full size first.
const WEIGHTS: [f64; 5] = [0.0448, 0.2856, 0.3001, 0.2363, 0.1333];

/// Which MS-SSIM; both on 8-bit pictures with Gaussian windows of 11 × 11, deviation 1.5, means over all channels.
#[derive(Clone, Debug, PartialEq)]
pub struct MsSsim {
    mirrored: bool,
    luma: bool,
}

impl MsSsim {
    /// The authors' and PGGAN's (arXiv:1710.10196): windows inside the picture only; scales smaller than the window
    /// get a window of their own size with a deviation in proportion.
    pub fn wang() -> MsSsim {
        MsSsim { mirrored: false, luma: false }
    }

    /// `torchmetrics.functional.image.multiscale_structural_similarity_index_measure`: the SSIM of the last scale also
    /// counts windows that reach beyond the picture, which is mirrored there. Pictures of at least 176 × 176.
    pub fn torchmetrics() -> MsSsim {
        MsSsim { mirrored: true, luma: false }
    }

    /// Compares luma (0.299 R + 0.587 G + 0.114 B, not rounded) instead of red, green and blue.
    pub fn luma(self) -> MsSsim {
        MsSsim { luma: true, ..self }
    }

    /// MS-SSIM of each pair, in [0, 1], 1 for equal pictures. `[N, 3, H, W]` or `[N, 1, H, W]` in [-1, 1] or bytes, at
    /// least 16 pixels each way.
    ///
    /// # Errors
    /// When the shapes differ, the pictures are too small, or a value is not finite or far from [-1, 1].
    pub fn each(&self, first: &Tensor, second: &Tensor) -> Result<Vec<f64>> {
        let [first, second] = Pixels::pair(first, second)?;
        let least = if self.mirrored { 176 } else { 16 };
        let (height, width) = (first.height, first.width);
        if height.min(width) < least {
            let hint = if self.mirrored { "MsSsim::wang() takes smaller ones." } else { "" };
            let (found, expected) =
                (format!("pictures of {width}×{height} pixels"), format!("at least {least}×{least}"));
            return Err(Error::invalid("MS-SSIM", found, expected, hint));
        }
        let plane = |values| Plane { height, width, values };
        let one = |i: usize| {
            let planes = |pixels: &Pixels| pixels.planes(i, self.luma).into_iter().map(plane).collect::<Vec<_>>();
            self.product(planes(&first), planes(&second))
        };
        Ok((0..first.count).into_par_iter().map(one).collect())
    }

    /// Mean of [`MsSsim::each`] with its bootstrap interval.
    ///
    /// # Errors
    /// As [`MsSsim::each`].
    pub fn score(&self, first: &Tensor, second: &Tensor) -> Result<Score> {
        let smallest = first.dims().iter().skip(2).copied().min().unwrap_or(0);
        Ok(self.summary(&self.each(first, second)?, smallest))
    }

    /// The score of these values, one per pair, of pictures whose shortest side has `smallest` pixels.
    pub(crate) fn summary(&self, each: &[f64], smallest: usize) -> Score {
        let protocol = format!(
            "{}; 5 scales, Gaussian windows 11×11, σ 1.5; 8 bits, {}",
            if self.mirrored { "torchmetrics (last scale mirrored)" } else { "Wang 2003" },
            if self.luma { "luma" } else { "all channels together" }
        );
        let score = Score::mean_of("MS-SSIM", each, protocol).better(Best::Highest);
        let warning =
            || format!("pictures of {smallest} pixels: on small scales the windows shrink, as in PGGAN's script");
        score.warn_if(smallest < 176, warning)
    }

    fn product(&self, mut first: Vec<Plane>, mut second: Vec<Plane>) -> f64 {
        let mut product = 1.0;
        for (scale, weight) in WEIGHTS.iter().enumerate() {
            let last = scale + 1 == WEIGHTS.len();
            let terms: Vec<(f64, f64)> = first.iter().zip(&second).map(|(a, b)| self.terms(a, b, last)).collect();
            let term = |(ssim, contrast): &(f64, f64)| if last { *ssim } else { *contrast };
            product *= (terms.iter().map(term).sum::<f64>() / terms.len() as f64).max(0.0).powf(*weight);
            if !last {
                first = first.iter().map(Plane::halved).collect();
                second = second.iter().map(Plane::halved).collect();
            }
        }
        product
    }

    fn terms(&self, first: &Plane, second: &Plane, last: bool) -> (f64, f64) {
        let window = Window::gaussian(first.height.min(first.width).min(11));
        if self.mirrored && last {
            return similarity(&first.mirrored(5), &second.mirrored(5), &window, 1.0);
        }
        similarity(first, second, &window, 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Seed;
    use candle_core::Device;

    #[test]
    fn more_noise_is_less_similar() {
        let noise = Seed(4).stream("noise").normal_tensor(&[2, 3, 64, 48], &Device::Cpu).unwrap();
        let picture = Seed(5).stream("picture").uniform_tensor(&[2, 3, 4, 3], &Device::Cpu).unwrap();
        let picture = picture.upsample_nearest2d(64, 48).unwrap();
        let with = |amount: f64| ((&noise * amount).unwrap() + &picture).unwrap();
        let score = |amount: f64| MsSsim::wang().score(&picture, &with(amount)).unwrap();
        let (none, little, much) = (score(0.0), score(0.05), score(0.5));
        assert!((none.value - 1.0).abs() < 1e-12, "{none}");
        assert!(little.value < 0.999 && much.value < little.value - 0.05, "{little}, {much}");
        assert!(none.warnings[0].contains("48 pixels"), "{none}");
        assert!(MsSsim::torchmetrics().each(&picture, &picture).unwrap_err().to_string().contains("176"));
    }
}
