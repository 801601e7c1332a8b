//! Sliced Wasserstein distance between patches of a Laplacian pyramid (T. Karras et al., "Progressive Growing of GANs",
//! ICLR 2018, arXiv:1710.10196, section 5): compares the texture of two sets of pictures, size by size, without a
//! network.

use candle_core::Tensor;
use rayon::prelude::*;

use super::pixels::Pixels;
use super::windows::{Plane, Window};
use crate::metrics::score::Score;
use crate::ops::level::widest;
use crate::rng::Seed;
use crate::show::table::Best;
use crate::{Error, Result};

/// Pixels of a patch each way.
const PATCH: usize = 7;
/// The smallest pictures of the pyramid.
const SMALLEST: usize = 16;
/// Numbers of a patch.
const NUMBERS: usize = 3 * PATCH * PATCH;
/// Directions that are looked at together: patches are read once for all of them.
const LANES: usize = 8;
/// Pictures from which on the distance of equal distributions is small beside the usual values.
const FEW: usize = 4096;

/// Settings of the sliced Wasserstein distance.
#[derive(Clone, Debug, PartialEq)]
pub struct SlicedWasserstein {
    patches: usize,
    directions: usize,
    seed: Seed,
}

impl Default for SlicedWasserstein {
    fn default() -> Self {
        Self::new()
    }
}

impl SlicedWasserstein {
    /// 128 patches of 7 × 7 per picture and size, 512 random directions (the paper's four times 128).
    pub fn new() -> SlicedWasserstein {
        SlicedWasserstein { patches: 128, directions: 512, seed: Seed(0) }
    }

    /// Patches per picture and size.
    pub fn patches(self, patches: usize) -> SlicedWasserstein {
        SlicedWasserstein { patches, ..self }
    }

    /// Random directions that the patches are projected on.
    pub fn directions(self, directions: usize) -> SlicedWasserstein {
        SlicedWasserstein { directions, ..self }
    }

    /// Seed of patches and directions.
    pub fn seed(self, seed: Seed) -> SlicedWasserstein {
        SlicedWasserstein { seed, ..self }
    }

    /// The distances × 1,000, one score per size from the full one down to 16 pixels ("SWD 64"), then their mean
    /// ("SWD"). Both `[N, 3, H, W]` in [-1, 1] or bytes, as many of each. Patches are normalised per channel. One size
    /// takes 147·4 bytes per patch and kind, 2.3 GiB for the paper's 16,384 pictures of each, and half a GiB for the
    /// projections of these.
    ///
    /// Real pictures against other real ones say how small the distance can get: print that first.
    ///
    /// # Errors
    /// When the shapes differ, the pictures have no three channels, are smaller than 16 pixels or cannot be halved
    /// down to there, or a value is not finite.
    pub fn score(&self, real: &Tensor, generated: &Tensor) -> Result<Vec<Score>> {
        let [real, generated] = Pixels::pair(real, generated)?;
        let levels = levels(&real)?;
        if self.patches * self.directions == 0 {
            let found = format!("{} patches, {} directions", self.patches, self.directions);
            return Err(Error::invalid("sliced Wasserstein distance", found, "at least one of each", ""));
        }
        let protocol = format!(
            "× 1,000; Laplacian pyramid, {} patches 7×7 per picture, {} directions, seed {}",
            self.patches, self.directions, self.seed.0
        );
        let score = |name: String, value: f64| {
            let score = Score::new(name, value, generated.count, protocol.clone()).against(real.count);
            let warning = || format!("{} pictures of each kind; the paper takes 16,384", real.count);
            score.better(Best::Lowest).warn_if(real.count < FEW, warning)
        };
        let mut scores = Vec::new();
        for level in 0..levels {
            let first = self.descriptors(&real, "real", level, levels);
            let second = self.descriptors(&generated, "generated", level, levels);
            let size = real.height >> level;
            scores.push(score(format!("SWD {size}"), 1e3 * self.distance(&first, &second, level)));
        }
        let mean = scores.iter().map(|score| score.value).sum::<f64>() / levels as f64;
        scores.push(score("SWD".to_string(), mean));
        Ok(scores)
    }

    /// All patches of one size, [`NUMBERS`] numbers each, with mean 0 and deviation 1 per channel.
    fn descriptors(&self, pixels: &Pixels, set: &str, level: usize, levels: usize) -> Vec<f32> {
        let picture = |(i, patches): (usize, &mut [f32])| {
            let planes: Vec<Plane> = pixels
                .planes(i, false)
                .into_iter()
                .map(|values| band(Plane { height: pixels.height, width: pixels.width, values }, level, levels))
                .collect();
            let mut stream = self.seed.stream(&format!("swd/{set}/{level}/{i}"));
            for patch in patches.chunks_exact_mut(NUMBERS) {
                let left = stream.below(planes[0].width - PATCH + 1);
                let top = stream.below(planes[0].height - PATCH + 1);
                for (i, line) in patch.chunks_exact_mut(PATCH).enumerate() {
                    let plane = &planes[i / PATCH];
                    let row = &plane.values[(top + i % PATCH) * plane.width + left..];
                    line.iter_mut().zip(row).for_each(|(number, value)| *number = *value as f32);
                }
            }
        };
        let mut patches = vec![0.0; pixels.count * self.patches * NUMBERS];
        patches.par_chunks_mut(self.patches * NUMBERS).enumerate().for_each(picture);
        for channel in 0..3 {
            normalise(&mut patches, channel);
        }
        patches
    }

    /// Mean distance of the sorted projections, over patches and directions.
    fn distance(&self, first: &[f32], second: &[f32], level: usize) -> f64 {
        let mut total = 0.0;
        for from in (0..self.directions).step_by(LANES) {
            let count = LANES.min(self.directions - from);
            let group = self.group(level, from, count);
            let (first, second) = (projected(first, &group), projected(second, &group));
            let distances: Vec<f64> = (0..count)
                .into_par_iter()
                .map(|lane| {
                    let (first, second) = rayon::join(|| sorted(&first, lane), || sorted(&second, lane));
                    first.iter().zip(&second).map(|(a, b)| (a - b).abs()).sum::<f64>() / first.len() as f64
                })
                .collect();
            total += distances.iter().sum::<f64>();
        }
        total / self.directions as f64
    }

    /// Directions of length 1, number by number beside each other; those after the first `count` are zeros.
    fn group(&self, level: usize, from: usize, count: usize) -> Vec<[f64; LANES]> {
        let mut group = vec![[0.0; LANES]; NUMBERS];
        for lane in 0..count {
            let mut stream = self.seed.stream(&format!("swd/direction/{level}/{}", from + lane));
            let direction: Vec<f64> = (0..NUMBERS).map(|_| stream.normal()).collect();
            let length = direction.iter().map(|v| v * v).sum::<f64>().sqrt();
            group.iter_mut().zip(direction).for_each(|(numbers, v)| numbers[lane] = v / length);
        }
        group
    }
}

/// Patches on every direction of a group.
fn projected(patches: &[f32], group: &[[f64; LANES]]) -> Vec<[f64; LANES]> {
    let dot = |patch: &[f32]| {
        widest(|| {
            let mut sums = [0.0; LANES];
            for (number, directions) in patch.iter().zip(group) {
                let number = f64::from(*number);
                sums.iter_mut().zip(directions).for_each(|(sum, direction)| *sum += number * direction);
            }
            sums
        })
    };
    patches.par_chunks_exact(NUMBERS).map(dot).collect()
}

/// Projections on one direction, in order.
fn sorted(projections: &[[f64; LANES]], lane: usize) -> Vec<f64> {
    let mut values: Vec<f64> = projections.iter().map(|values| values[lane]).collect();
    values.sort_unstable_by(f64::total_cmp);
    values
}

/// Sizes of the pyramid, from the pictures' own down to 16 pixels.
fn levels(pixels: &Pixels) -> Result<usize> {
    let (height, width) = (pixels.height, pixels.width);
    let levels = (0..).take_while(|level| height.min(width) >> level >= SMALLEST).count();
    let step = 1usize << levels.saturating_sub(1);
    if levels == 0 || pixels.channels != 3 || height % step != 0 || width % step != 0 {
        let found = format!("{} channels of {width}×{height} pixels", pixels.channels);
        let expected = format!("3 channels of at least 16×16 pixels, multiples of {step}");
        return Err(Error::invalid(
            "sliced Wasserstein distance",
            found,
            expected,
            "Resize the pictures to 2ⁿ pixels.",
        ));
    }
    Ok(levels)
}

/// One level of the Laplacian pyramid: what halving loses, or the smallest picture itself.
fn band(mut plane: Plane, level: usize, levels: usize) -> Plane {
    for _ in 0..level {
        plane = down(&plane);
    }
    if level + 1 == levels {
        return plane;
    }
    let coarse = up(&down(&plane));
    plane.values.iter_mut().zip(&coarse.values).for_each(|(value, coarse)| *value -= coarse);
    plane
}

/// Binomial filter of 5 × 5 taps; the picture is mirrored beyond its border.
fn smooth(plane: &Plane) -> Plane {
    let window = Window::Weighted([1.0, 4.0, 6.0, 4.0, 1.0].map(|tap| tap / 16.0).to_vec());
    let wide = plane.mirrored(2);
    let values = window.means(wide.height, wide.width, &wide.values);
    Plane { height: plane.height, width: plane.width, values }
}

/// OpenCV's `pyrDown`, in floating point.
fn down(plane: &Plane) -> Plane {
    let smooth = smooth(plane);
    let (height, width) = (plane.height / 2, plane.width / 2);
    let value = |i: usize| smooth.values[i / width * 2 * plane.width + i % width * 2];
    Plane { height, width, values: (0..height * width).map(value).collect() }
}

/// OpenCV's `pyrUp`, in floating point: zeros between the pixels, smoothed, times 4.
fn up(plane: &Plane) -> Plane {
    let (height, width) = (2 * plane.height, 2 * plane.width);
    let mut values = vec![0.0; height * width];
    for (i, value) in plane.values.iter().enumerate() {
        values[i / plane.width * 2 * width + i % plane.width * 2] = 4.0 * value;
    }
    smooth(&Plane { height, width, values })
}

/// Brings one channel of all patches to mean 0 and population deviation 1; a channel of one value becomes 0.
fn normalise(patches: &mut [f32], channel: usize) {
    let span = channel * PATCH * PATCH..(channel + 1) * PATCH * PATCH;
    let count = (patches.len() / NUMBERS * PATCH * PATCH) as f64;
    // Per patch first, so that the sum of many small numbers stays exact enough; always in the same order.
    let sum = |of: &dyn Fn(f64) -> f64, patches: &[f32]| {
        let patch = |patch: &[f32]| patch[span.clone()].iter().map(|v| of(f64::from(*v))).sum::<f64>();
        patches.chunks_exact(NUMBERS).map(patch).sum::<f64>()
    };
    let mean = sum(&|v| v, patches) / count;
    let deviation = (sum(&|v| (v - mean) * (v - mean), patches) / count).sqrt();
    let scale = if deviation > 0.0 { 1.0 / deviation } else { 0.0 };
    for patch in patches.chunks_exact_mut(NUMBERS) {
        patch[span.clone()].iter_mut().for_each(|v| *v = ((f64::from(*v) - mean) * scale) as f32);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    fn noise(name: &str, n: usize) -> Tensor {
        Seed(8).stream(name).uniform_tensor(&[n, 3, 32, 32], &Device::Cpu).unwrap()
    }

    #[test]
    fn texture_is_compared_size_by_size() {
        let swd = SlicedWasserstein::new().patches(128).directions(32);
        let (real, other) = (noise("real", 12), noise("other", 12));
        let smooth = noise("smooth", 12).avg_pool2d(4).unwrap().upsample_nearest2d(32, 32).unwrap();
        let names: Vec<String> = swd.score(&real, &other).unwrap().into_iter().map(|score| score.metric).collect();
        assert_eq!(names, ["SWD 32", "SWD 16", "SWD"]);
        let (alike, far) = (swd.score(&real, &other).unwrap(), swd.score(&real, &smooth).unwrap());
        assert!(far[0].value > 1.5 * alike[0].value, "{} and {}, seed 8", far[0], alike[0]);
        assert!((alike[2].value - (alike[0].value + alike[1].value) / 2.0).abs() < 1e-9);
        let small = noise("small", 1).narrow(2, 0, 20).unwrap().narrow(3, 0, 15).unwrap();
        assert!(swd.score(&small, &small).unwrap_err().to_string().contains("15×20"));
    }

    #[test]
    fn the_pyramid_adds_up_to_the_picture() {
        let mut stream = Seed(2).stream("plane");
        let plane = || Plane { height: 32, width: 64, values: Vec::new() };
        let values: Vec<f64> = (0..32 * 64).map(|_| stream.uniform()).collect();
        let level = |level| band(Plane { values: values.clone(), ..plane() }, level, 2);
        let whole = up(&level(1));
        let sum = level(0).values.iter().zip(&whole.values).map(|(fine, coarse)| fine + coarse).collect::<Vec<_>>();
        assert!(sum.iter().zip(&values).all(|(sum, value)| (sum - value).abs() < 1e-12));
        assert_eq!((level(1).height, level(1).width), (16, 32));
    }
}
