//! Peak signal-to-noise ratio: how far a picture is from the one it should be, pixel by pixel.

use candle_core::Tensor;
use rayon::prelude::*;

use super::pixels::Pixels;
use crate::Result;
use crate::metrics::score::Score;
use crate::show::table::Best;

/// PSNR of each pair in dB: 10 log₁₀(255² / MSE) of 8-bit pictures, the mean over all pixels and channels;
/// infinite for equal pictures. `[N, 3, H, W]` in [-1, 1] or bytes, as `skimage.metrics.peak_signal_noise_ratio`.
///
/// # Errors
/// When the shapes differ, or a value is not finite or far from [-1, 1].
pub fn psnr_each(first: &Tensor, second: &Tensor) -> Result<Vec<f64>> {
    let [first, second] = Pixels::pair(first, second)?;
    let ratio = |i: usize| {
        let pairs = first.picture(i).iter().zip(second.picture(i));
        let squares: u64 = pairs.map(|(a, b)| u64::from(a.abs_diff(*b)).pow(2)).sum();
        10.0 * (255.0 * 255.0 * first.picture(i).len() as f64 / squares as f64).log10()
    };
    Ok((0..first.count).into_par_iter().map(ratio).collect())
}

/// Mean of [`psnr_each`] over the pairs that differ, with its bootstrap interval; equal pairs are counted in a warning.
/// Infinite when all pairs are equal.
///
/// # Errors
/// As [`psnr_each`].
pub fn psnr(first: &Tensor, second: &Tensor) -> Result<Score> {
    Ok(summary(&psnr_each(first, second)?))
}

/// The score of these values, one per pair.
pub(crate) fn summary(each: &[f64]) -> Score {
    let finite: Vec<f64> = each.iter().copied().filter(|value| value.is_finite()).collect();
    let equal = each.len() - finite.len();
    let protocol = "dB; mean of 10 log₁₀(255²/MSE) per picture, 8 bits, all channels together";
    let score = match finite.is_empty() {
        true => Score::new("PSNR", f64::INFINITY, equal, protocol),
        false => Score::mean_of("PSNR", &finite, protocol),
    };
    let warning = || format!("{equal} of {} pairs are equal (PSNR ∞) and left out of the mean", each.len());
    score.better(Best::Highest).warn_if(equal > 0, warning)
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{DType, Device};

    #[test]
    fn constant_pictures_by_hand() {
        let plain =
            |byte: u8| (Tensor::ones((2, 3, 4, 4), DType::U8, &Device::Cpu).unwrap() * f64::from(byte)).unwrap();
        let each = psnr_each(&plain(10), &plain(15)).unwrap();
        let expected = 20.0 * 51f64.log10();
        assert!(each.iter().all(|value| (value - expected).abs() < 1e-12), "{each:?}, {expected}");
        assert_eq!(psnr_each(&plain(0), &plain(255)).unwrap(), [0.0, 0.0]);
    }

    #[test]
    fn equal_pairs_are_counted() {
        let first = Tensor::zeros((3, 1, 4, 4), DType::U8, &Device::Cpu).unwrap();
        let one = Tensor::full(5u8, (1, 1, 4, 4), &Device::Cpu).unwrap();
        let second = Tensor::cat(&[&one, &first.narrow(0, 1, 2).unwrap()], 0).unwrap();
        let score = psnr(&first, &second).unwrap();
        assert!((score.value - 20.0 * 51f64.log10()).abs() < 1e-12 && score.n == 1, "{score}");
        assert!(score.warnings[0].starts_with("2 of 3 pairs"), "{score}");
        assert_eq!(psnr(&first, &first).unwrap().value, f64::INFINITY);
    }
}
