//! From the heat maps of a network to key points (specs/clothing.md section B, step 7).
//!
//! The pose network that the paper uses ends with a map per point; its code makes them smooth (Gauss, σ = 0.5), takes the
//! highest of the pixels that no neighbour exceeds, and calls a point invisible whose map is nowhere above 0.2.

use candle_core::{Device, Tensor};

use crate::data::skeleton::KeyPoint;
use crate::{Error, Result};

/// How maps are read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PeakOptions {
    /// Deviation of the Gaussian in pixels of the map; 0 leaves maps as they are.
    pub sigma: f64,
    /// What a point has to exceed to be visible.
    pub visible: f32,
    /// Pixels of the picture per pixel of the map.
    pub stride: f32,
}

impl Default for PeakOptions {
    /// σ = 0.5, above 0.2, maps half as large as the picture (512 to 256 pixels).
    fn default() -> Self {
        PeakOptions { sigma: 0.5, visible: 0.2, stride: 2.0 }
    }
}

/// The key points of maps `[M, H, W]`, any range: x and y in pixels of the picture, and the height of the smoothed map there;
/// `[0, 0, 0]` where that is not above [`visible`](PeakOptions::visible).
///
/// # Errors
/// When the tensor has another shape, σ is negative or above 100, or values are not finite.
pub fn peaks(maps: &Tensor, options: &PeakOptions) -> Result<Vec<KeyPoint>> {
    let (points, height, width) = match maps.dims() {
        &[points, height, width] if height > 0 && width > 0 => (points, height, width),
        found => return Err(Error::shape("heat maps", found, "[M, H, W]")),
    };
    if !(0.0..=100.0).contains(&options.sigma) {
        return Err(Error::invalid("sigma", options.sigma.to_string(), "0 to 100 pixels", ""));
    }
    let values = maps.to_device(&Device::Cpu)?.to_dtype(candle_core::DType::F32)?.flatten_all()?.to_vec1::<f32>()?;
    if let Some(value) = values.iter().find(|value| !value.is_finite()) {
        return Err(Error::invalid("heat maps", value.to_string(), "finite numbers", ""));
    }
    let plane = height * width;
    Ok((0..points).map(|i| peak(&values[i * plane..(i + 1) * plane], width, options)).collect())
}

fn peak(map: &[f32], width: usize, options: &PeakOptions) -> KeyPoint {
    let height = map.len() / width;
    let smooth = smoothed(map, width, options.sigma);
    let around = |x: usize, y: usize| {
        let rows = y.saturating_sub(1)..(y + 2).min(height);
        rows.flat_map(move |row| (x.saturating_sub(1)..(x + 2).min(width)).map(move |column| row * width + column))
    };
    // A pixel that a neighbour exceeds is no peak. Of equal peaks the first counts.
    let is_peak = |&i: &usize| around(i % width, i / width).all(|near| smooth[near] <= smooth[i]);
    let higher = |a: &usize, b: &usize| smooth[*a].total_cmp(&smooth[*b]).then(b.cmp(a));
    match (0..map.len()).filter(is_peak).max_by(higher).filter(|i| smooth[*i] > options.visible) {
        None => [0.0; 3],
        Some(i) => {
            let place = |at: usize| (at as f32 + 0.5) * options.stride;
            [place(i % width), place(i / width), smooth[i]]
        }
    }
}

/// As `scipy.ndimage.gaussian_filter`: cut off at four deviations, the border mirrored with its edge twice.
fn smoothed(map: &[f32], width: usize, sigma: f64) -> Vec<f32> {
    let radius = (4.0 * sigma + 0.5) as usize;
    if radius == 0 {
        return map.to_vec();
    }
    let weight = |at: usize| (-0.5 * (at as f64 / sigma).powi(2)).exp();
    let total: f64 = weight(0) + 2.0 * (1..=radius).map(weight).sum::<f64>();
    let weights: Vec<f64> = (0..=radius).map(|at| weight(at) / total).collect();
    let height = map.len() / width;
    let mirror = |at: i64, length: usize| {
        let at = at.rem_euclid(2 * length as i64) as usize;
        at.min(2 * length - 1 - at)
    };
    let pass = |from: &[f32], at: &dyn Fn(usize, usize, i64) -> usize| -> Vec<f32> {
        let one = |i: usize| {
            let (x, y) = (i % width, i / width);
            let reach = -(radius as i64)..=radius as i64;
            let sum = reach.map(|by| weights[by.unsigned_abs() as usize] * f64::from(from[at(x, y, by)]));
            sum.sum::<f64>() as f32
        };
        (0..from.len()).map(one).collect()
    };
    let down = pass(map, &|x, y, by| mirror(y as i64 + by, height) * width + x);
    pass(&down, &|x, y, by| y * width + mirror(x as i64 + by, width))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn maps() -> Tensor {
        let mut values = vec![0f32; 3 * 6 * 8];
        // A peak of one pixel, higher than a broad one that smoothing favours; a point that is hardly there; a corner.
        values[2 * 8 + 1] = 0.9;
        for at in [4 * 8 + 4, 4 * 8 + 5, 4 * 8 + 6, 3 * 8 + 5, 5 * 8 + 5] {
            values[at] = 0.8;
        }
        values[48 + 10] = 0.25;
        values[96] = 1.0;
        Tensor::from_vec(values, (3, 6, 8), &Device::Cpu).unwrap()
    }

    /// Heights printed by SciPy 1.17.1: `gaussian_filter(x, 0.5)[4, 5]`, `gaussian_filter(x, 0.5)[0, 0]`.
    #[test]
    fn peaks_are_those_of_the_smoothed_maps() {
        let found = peaks(&maps(), &PeakOptions::default()).unwrap();
        let near = |found: KeyPoint, wanted: KeyPoint| found.iter().zip(wanted).all(|(a, b)| (a - b).abs() < 1e-5);
        assert!(near(found[0], [11.0, 9.0, 0.7630602]), "{found:?}");
        assert_eq!(found[1], [0.0; 3]);
        assert!(near(found[2], [1.0, 1.0, 0.7974874]), "{found:?}");
        let raw = peaks(&maps(), &PeakOptions { sigma: 0.0, stride: 1.0, ..PeakOptions::default() }).unwrap();
        assert_eq!(raw, [[1.5, 2.5, 0.9], [2.5, 1.5, 0.25], [0.5, 0.5, 1.0]]);
        assert!(peaks(&maps().narrow(0, 0, 1).unwrap().squeeze(0).unwrap(), &PeakOptions::default()).is_err());
        assert!(peaks(&(maps() / 0.0).unwrap(), &PeakOptions::default()).is_err());
    }
}
