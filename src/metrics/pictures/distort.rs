//! Distortions of known strength, with which a metric is examined: one that is to be trusted grows with them.
//!
//! Blur, noise, salt and pepper, rectangles and swirl are the ones with which the Fréchet distance was introduced
//! (M. Heusel et al. 2017, arXiv:1706.08500, section 4 and appendix A1), hue, shift and collapse what people ask about
//! generators: wrong colours, the right picture a little beside, and one picture again and again.

use candle_core::{Device, Tensor};
use rayon::prelude::*;

use super::windows::mirror;
use crate::data::Images;
use crate::rng::{Seed, Stream};
use crate::{Error, Result};

/// Pixels, degrees or deviations beyond which nothing is left of a picture.
const MOST: f64 = 1000.0;

/// A way to spoil pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Distortion {
    /// Gaussian blur; the strength is its standard deviation in pixels.
    Blur,
    /// Normal noise in every channel of every pixel; the strength is its standard deviation, where black is −1 and white 1.
    Noise,
    /// The strength is the share of the pixels that become black or white, either with one half.
    SaltAndPepper,
    /// Five black rectangles anywhere; the strength is their side as a share of the picture's.
    Rectangles,
    /// The picture turns around its centre, less the farther out; the strength is the angle at the centre in radians.
    Swirl,
    /// Colours turn around the grey axis, lightness stays; the strength is the angle in degrees.
    Hue,
    /// The picture moves to the right, its left edge mirrored; the strength is the way in pixels, rounded.
    Shift,
    /// The strength is the share of the pictures that are replaced by others of the set.
    Collapse,
}

impl Distortion {
    /// All of them.
    pub const ALL: [Distortion; 8] = [
        Distortion::Blur,
        Distortion::Noise,
        Distortion::SaltAndPepper,
        Distortion::Rectangles,
        Distortion::Swirl,
        Distortion::Hue,
        Distortion::Shift,
        Distortion::Collapse,
    ];

    /// `blur`, `noise`, `salt and pepper`, `rectangles`, `swirl`, `hue`, `shift` or `collapse`.
    pub fn name(self) -> &'static str {
        match self {
            Distortion::Blur => "blur",
            Distortion::Noise => "noise",
            Distortion::SaltAndPepper => "salt and pepper",
            Distortion::Rectangles => "rectangles",
            Distortion::Swirl => "swirl",
            Distortion::Hue => "hue",
            Distortion::Shift => "shift",
            Distortion::Collapse => "collapse",
        }
    }

    /// The distorted pictures, in [-1, 1], with the captions of the originals. Strength 0 changes nothing. What is drawn
    /// for a picture depends on `seed` and its position alone: more strength spoils the same places more.
    ///
    /// # Errors
    /// When the strength is negative, not finite, a share above 1, or above 1,000 whatever it means.
    pub fn apply(self, pictures: &Images, strength: f64, seed: Seed) -> Result<Images> {
        let most = match self {
            Distortion::SaltAndPepper | Distortion::Rectangles | Distortion::Collapse => 1.0,
            _ => MOST,
        };
        if !(0.0..=most).contains(&strength) {
            let what = format!("strength of {}", self.name());
            return Err(Error::invalid(what, strength.to_string(), format!("a number from 0 to {most}"), ""));
        }
        if strength == 0.0 || pictures.is_empty() {
            return Ok(pictures.clone());
        }
        let (height, width) = pictures.size();
        let mut values = pictures.tensor.to_device(&Device::Cpu)?.flatten_all()?.to_vec1::<f32>()?;
        let size = 3 * height * width;
        if self == Distortion::Collapse {
            collapse(&mut values, size, strength, seed);
        } else {
            values.par_chunks_exact_mut(size).enumerate().for_each(|(i, values)| {
                let mut stream = seed.stream(&format!("{}/{i}", self.name()));
                self.distort(&mut Canvas { height, width, values }, strength, &mut stream);
            });
        }
        let tensor = Tensor::from_vec(values, pictures.tensor.shape(), &Device::Cpu)?;
        Ok(Images { captions: pictures.captions.clone(), ..Images::new(tensor)? })
    }

    fn distort(self, canvas: &mut Canvas, strength: f64, stream: &mut Stream) {
        match self {
            Distortion::Blur => canvas.blur(strength),
            Distortion::Noise => canvas.noise(strength, stream),
            Distortion::SaltAndPepper => canvas.salt_and_pepper(strength, stream),
            Distortion::Rectangles => canvas.rectangles(strength, stream),
            Distortion::Swirl => canvas.swirl(strength),
            Distortion::Hue => canvas.hue(strength.to_radians()),
            Distortion::Shift => canvas.shift(strength.round() as usize),
            // A matter of the whole set.
            Distortion::Collapse => {}
        }
    }
}

/// Of the pictures in an order drawn from `seed` the last `share` become copies of the first, which take turns; one
/// always stays.
fn collapse(values: &mut [f32], size: usize, share: f64, seed: Seed) {
    let count = values.len() / size;
    let order = seed.stream("collapse").permutation(count);
    let kept = ((count as f64 * (1.0 - share)).round() as usize).max(1);
    for (turn, &to) in order[kept..].iter().enumerate() {
        let from = order[turn % kept] * size;
        values.copy_within(from..from + size, to * size);
    }
}

/// A picture, three planes in [-1, 1].
struct Canvas<'a> {
    height: usize,
    width: usize,
    values: &'a mut [f32],
}

impl Canvas<'_> {
    /// The weights reach four standard deviations far; borders are mirrored.
    fn blur(&mut self, deviation: f64) {
        let reach = (4.0 * deviation).ceil() as isize;
        let weights: Vec<f64> = (-reach..=reach).map(|i| (-0.5 * (i as f64 / deviation).powi(2)).exp()).collect();
        let sum: f64 = weights.iter().sum();
        let (height, width) = (self.height, self.width);
        let mean = |line: &dyn Fn(usize) -> f32, at: usize, n: usize| {
            let term = |(offset, weight): (isize, &f64)| weight * f64::from(line(mirror(at as isize + offset, n)));
            ((-reach..=reach).zip(&weights).map(term).sum::<f64>() / sum) as f32
        };
        for plane in self.values.chunks_exact_mut(height * width) {
            let before = plane.to_vec();
            for (i, value) in plane.iter_mut().enumerate() {
                let row = &before[i / width * width..][..width];
                *value = mean(&|x| row[x], i % width, width);
            }
            let before = plane.to_vec();
            for (i, value) in plane.iter_mut().enumerate() {
                *value = mean(&|y| before[y * width + i % width], i / width, height);
            }
        }
    }

    fn noise(&mut self, deviation: f64, stream: &mut Stream) {
        for value in self.values.iter_mut() {
            *value = (f64::from(*value) + deviation * stream.normal()).clamp(-1.0, 1.0) as f32;
        }
    }

    fn salt_and_pepper(&mut self, share: f64, stream: &mut Stream) {
        let plane = self.height * self.width;
        for pixel in 0..plane {
            let (hit, white) = (stream.uniform() < share, stream.chance(0.5));
            if hit {
                (0..3).for_each(|channel| self.values[channel * plane + pixel] = if white { 1.0 } else { -1.0 });
            }
        }
    }

    fn rectangles(&mut self, share: f64, stream: &mut Stream) {
        const RECTANGLES: usize = 5;
        let side = |whole: usize| ((share * whole as f64).round() as usize).min(whole);
        let (rows, columns) = (side(self.height), side(self.width));
        for _ in 0..RECTANGLES {
            let corner = |part: f64, free: usize| (part * (free + 1) as f64) as usize;
            let top = corner(stream.uniform(), self.height - rows);
            let left = corner(stream.uniform(), self.width - columns);
            for plane in self.values.chunks_exact_mut(self.height * self.width) {
                for row in plane.chunks_exact_mut(self.width).skip(top).take(rows) {
                    row[left..left + columns].fill(-1.0);
                }
            }
        }
    }

    /// The angle falls to a hundredth where the circle in the picture ends.
    fn swirl(&mut self, angle: f64) {
        let middle = [self.height, self.width].map(|side| (side as f64 - 1.0) / 2.0);
        let radius = middle[0].min(middle[1]).max(0.5);
        self.moved(|y, x| {
            let (dy, dx) = (y - middle[0], x - middle[1]);
            let turn = angle * 0.01f64.powf(dy.hypot(dx) / radius);
            let (sin, cos) = turn.sin_cos();
            [middle[0] + cos * dy - sin * dx, middle[1] + sin * dy + cos * dx]
        });
    }

    fn shift(&mut self, pixels: usize) {
        let width = self.width;
        for row in self.values.chunks_exact_mut(width) {
            let before = row.to_vec();
            let from = |x: usize| before[mirror(x as isize - pixels as isize, width)];
            row.iter_mut().enumerate().for_each(|(x, value)| *value = from(x));
        }
    }

    /// Every pixel from a place between pixels, bilinear, borders repeated.
    fn moved(&mut self, from: impl Fn(f64, f64) -> [f64; 2]) {
        let (height, width) = (self.height, self.width);
        let taps: Vec<[(usize, f64); 4]> = (0..height * width)
            .map(|i| {
                let [y, x] = from((i / width) as f64, (i % width) as f64);
                let (y, x) = (y.clamp(0.0, (height - 1) as f64), x.clamp(0.0, (width - 1) as f64));
                let (top, left) = (y as usize, x as usize);
                let (below, right) = ((top + 1).min(height - 1), (left + 1).min(width - 1));
                let (v, h) = (y - top as f64, x - left as f64);
                [
                    (top * width + left, (1.0 - v) * (1.0 - h)),
                    (top * width + right, (1.0 - v) * h),
                    (below * width + left, v * (1.0 - h)),
                    (below * width + right, v * h),
                ]
            })
            .collect();
        for plane in self.values.chunks_exact_mut(height * width) {
            let before = plane.to_vec();
            for (value, taps) in plane.iter_mut().zip(&taps) {
                *value = taps.iter().map(|(at, weight)| weight * f64::from(before[*at])).sum::<f64>() as f32;
            }
        }
    }

    /// Chroma of the YIQ space of television turns, luma stays; what leaves the range of colours is cut.
    fn hue(&mut self, angle: f64) {
        const TO_YIQ: [[f64; 3]; 3] = [[0.299, 0.587, 0.114], [0.5959, -0.2746, -0.3213], [0.2115, -0.5227, 0.3112]];
        const TO_RGB: [[f64; 3]; 3] = [[1.0, 0.956, 0.619], [1.0, -0.272, -0.647], [1.0, -1.106, 1.703]];
        let times = |m: &[[f64; 3]; 3], v: [f64; 3]| m.map(|row| row[0] * v[0] + row[1] * v[1] + row[2] * v[2]);
        let (sin, cos) = angle.sin_cos();
        let plane = self.height * self.width;
        for pixel in 0..plane {
            let [y, i, q] = times(&TO_YIQ, [0, 1, 2].map(|c| f64::from(self.values[c * plane + pixel])));
            let turned = times(&TO_RGB, [y, cos * i - sin * q, sin * i + cos * q]);
            (0..3).for_each(|c| self.values[c * plane + pixel] = turned[c].clamp(-1.0, 1.0) as f32);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Darker on the left, lighter on the right, with some noise.
    fn pictures(n: usize) -> Images {
        let noise = Seed(4).stream("pictures").uniform_tensor(&[n, 3, 12, 9], &Device::Cpu).unwrap();
        let ramp = Tensor::arange(0f32, 9.0, &Device::Cpu).unwrap().affine(0.15, -0.6).unwrap();
        Images::new(noise.affine(0.2, -0.1).unwrap().broadcast_add(&ramp).unwrap()).unwrap()
    }

    fn flat(images: &Images) -> Vec<f32> {
        images.tensor.flatten_all().unwrap().to_vec1().unwrap()
    }

    /// Strengths from small to large.
    fn strengths(distortion: Distortion) -> [f64; 3] {
        match distortion {
            Distortion::Blur => [0.5, 1.0, 2.0],
            Distortion::Noise | Distortion::SaltAndPepper | Distortion::Rectangles => [0.1, 0.3, 0.6],
            Distortion::Swirl => [0.2, 0.8, 2.0],
            Distortion::Hue => [10.0, 60.0, 120.0],
            Distortion::Shift => [1.0, 1.0, 2.0],
            Distortion::Collapse => [0.2, 0.5, 0.9],
        }
    }

    #[test]
    fn nothing_changes_without_strength_and_more_with_more() {
        let before = pictures(10);
        for distortion in Distortion::ALL {
            assert_eq!(flat(&distortion.apply(&before, 0.0, Seed(1)).unwrap()), flat(&before), "{distortion:?}");
            let far = strengths(distortion).map(|strength| {
                let after = distortion.apply(&before, strength, Seed(1)).unwrap();
                let again = distortion.apply(&before, strength, Seed(1)).unwrap();
                assert_eq!(flat(&after), flat(&again), "{distortion:?}");
                assert!(flat(&after).iter().all(|value| value.abs() <= 1.0), "{distortion:?}");
                flat(&after).iter().zip(flat(&before)).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>()
            });
            assert!(far[0] > 0.0 && far[2] > far[0], "{distortion:?}: {far:?}");
        }
    }

    #[test]
    fn a_picture_is_spoilt_alike_in_any_company_except_by_collapse() {
        let (all, one) = (pictures(4), pictures(4).take(1).unwrap());
        for distortion in Distortion::ALL.into_iter().filter(|d| *d != Distortion::Collapse) {
            let strength = strengths(distortion)[1];
            let first = distortion.apply(&all, strength, Seed(1)).unwrap().take(1).unwrap();
            assert_eq!(flat(&first), flat(&distortion.apply(&one, strength, Seed(1)).unwrap()), "{distortion:?}");
        }
    }

    #[test]
    fn blur_keeps_a_colour_and_hue_keeps_grey_and_comes_round() {
        let grey = Images::new(Tensor::full(0.25f32, (1, 3, 6, 7), &Device::Cpu).unwrap()).unwrap();
        for (distortion, strength) in [(Distortion::Blur, 3.0), (Distortion::Hue, 90.0), (Distortion::Swirl, 2.0)] {
            let after = flat(&distortion.apply(&grey, strength, Seed(1)).unwrap());
            assert!(after.iter().all(|value| (value - 0.25).abs() < 1e-6), "{distortion:?} {after:?}");
        }
        let before = pictures(1);
        let around = flat(&Distortion::Hue.apply(&before, 360.0, Seed(1)).unwrap());
        assert!(around.iter().zip(flat(&before)).all(|(a, b)| (a - b).abs() < 2e-3));
    }

    #[test]
    fn collapse_leaves_as_many_different_pictures_as_it_says() {
        let values = |images: &Images| -> Vec<Vec<u32>> {
            flat(images).chunks_exact(3 * 12 * 9).map(|p| p.iter().map(|v| v.to_bits()).collect()).collect()
        };
        let before = pictures(20);
        for (share, kept) in [(0.25, 15), (0.9, 2), (1.0, 1)] {
            let mut after = values(&Distortion::Collapse.apply(&before, share, Seed(1)).unwrap());
            assert!(after.iter().all(|picture| values(&before).contains(picture)));
            after.sort();
            after.dedup();
            assert_eq!(after.len(), kept);
        }
    }

    #[test]
    fn strengths_without_sense_are_refused() {
        for (distortion, strength) in
            [(Distortion::Blur, -1.0), (Distortion::Noise, f64::NAN), (Distortion::Collapse, 1.5)]
        {
            let error = distortion.apply(&pictures(2), strength, Seed(1)).unwrap_err().to_string();
            assert!(error.contains(distortion.name()), "{error}");
        }
    }
}
