//! Where a figure is, as far as its key points tell: the authors' pose mask (Ma et al. 2017, section 3.1).

use candle_core::{DType, Device, Tensor};
use rayon::prelude::*;

use crate::{Error, Result};

/// How far the mask grows and shrinks again, so that gaps close: a square of five pixels.
const CLOSING: isize = 2;

/// Key points `[N, M, 3]`, x and y as shares of the side → masks `[N, 1, side, side]` of 0 and 1, f32, on the device of the
/// points: discs of `radius` pixels at both ends of each limb whose ends are known and at points between them a radius
/// apart, closed with a square of five pixels.
///
/// # Errors
/// When the shape is another, or a limb names a point that is not there.
pub fn pose_mask(points: &Tensor, limbs: &[[usize; 2]], side: usize, radius: f64) -> Result<Tensor> {
    let &[n, keypoints, 3] = points.dims() else {
        return Err(Error::shape("pose mask: key points", points.dims(), "[N, M, 3]"));
    };
    if limbs.iter().flatten().any(|&point| point >= keypoints) {
        let found = format!("points up to {:?}", limbs.iter().flatten().max());
        return Err(Error::invalid("pose mask: limbs", found, format!("points below {keypoints}"), ""));
    }
    let numbers = points.to_device(&Device::Cpu)?.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>()?;
    let masks: Vec<f32> = numbers
        .par_chunks_exact(3 * keypoints)
        .flat_map_iter(|pose| {
            let mask = closed(&stamped(pose, limbs, side, radius), side);
            mask.into_iter().map(|on| f32::from(u8::from(on)))
        })
        .collect();
    Ok(Tensor::from_vec(masks, (n, 1, side, side), points.device())?)
}

/// Discs along the limbs of one pose.
fn stamped(pose: &[f32], limbs: &[[usize; 2]], side: usize, radius: f64) -> Vec<bool> {
    let mut mask = vec![false; side * side];
    let place = |point: usize| {
        let [x, y, known] = [0, 1, 2].map(|i| f64::from(pose[3 * point + i]));
        let inside = known > 0.0 && (0.0..1.0).contains(&x) && (0.0..1.0).contains(&y);
        inside.then(|| [x, y].map(|share| (share * side as f64).floor()))
    };
    for &[from, to] in limbs {
        let (Some(from), Some(to)) = (place(from), place(to)) else { continue };
        let distance = (to[0] - from[0]).hypot(to[1] - from[1]);
        let parts = if radius > 0.0 { (distance / radius).floor().max(1.0) } else { distance.floor().max(1.0) };
        for i in 0..=parts as usize {
            let share = i as f64 / parts;
            stamp(&mut mask, side, [0, 1].map(|axis| from[axis] + share * (to[axis] - from[axis])), radius);
        }
    }
    mask
}

/// All pixels at most `radius` from the pixel that a point lies in.
fn stamp(mask: &mut [bool], side: usize, [x, y]: [f64; 2], radius: f64) {
    let (column, row, reach) = (x.floor() as isize, y.floor() as isize, radius.floor() as isize);
    let within = |at: isize| (0..side as isize).contains(&at);
    for dy in -reach..=reach {
        for dx in -reach..=reach {
            if ((dx * dx + dy * dy) as f64) <= radius * radius && within(row + dy) && within(column + dx) {
                mask[(row + dy) as usize * side + (column + dx) as usize] = true;
            }
        }
    }
}

/// Grown by a square, then shrunk by it; nothing lies beyond the border, which does not shrink what touches it.
fn closed(mask: &[bool], side: usize) -> Vec<bool> {
    let around = |mask: &[bool], i: usize, wanted: bool| {
        let (row, column) = ((i / side) as isize, (i % side) as isize);
        let inside = |at: isize| (0..side as isize).contains(&at);
        (-CLOSING..=CLOSING).any(|dy| {
            (-CLOSING..=CLOSING).any(|dx| {
                let (y, x) = (row + dy, column + dx);
                inside(y) && inside(x) && mask[y as usize * side + x as usize] == wanted
            })
        })
    };
    let grown: Vec<bool> = (0..mask.len()).map(|i| around(mask, i, true)).collect();
    (0..mask.len()).map(|i| !around(&grown, i, false)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mask(points: &[[f32; 3]], limbs: &[[usize; 2]], radius: f64) -> Vec<f32> {
        let points = Tensor::from_vec(points.concat(), (1, points.len(), 3), &Device::Cpu).unwrap();
        pose_mask(&points, limbs, 32, radius).unwrap().flatten_all().unwrap().to_vec1().unwrap()
    }

    #[test]
    fn a_limb_is_a_band_of_two_radii_and_one_pixel() {
        let drawn = mask(&[[0.25, 0.5, 1.0], [0.75, 0.5, 1.0]], &[[0, 1]], 4.0);
        let column = |x: usize| (0..32).filter(|y| drawn[y * 32 + x] == 1.0).count();
        assert_eq!((column(8), column(16), column(24)), (9, 9, 9));
        assert!(column(4) < 9 && column(28) < 9 && column(3) == 0 && column(29) == 0, "discs at both ends");
    }

    #[test]
    fn unknown_and_outer_points_draw_nothing() {
        for point in [[0.5, 0.5, 0.0], [1.5, 0.5, 1.0], [f32::NAN, 0.5, 1.0]] {
            assert!(mask(&[[0.5, 0.25, 1.0], point], &[[0, 1]], 4.0).iter().all(|&v| v == 0.0), "{point:?}");
        }
        let points = Tensor::zeros((1, 2, 3), DType::F32, &Device::Cpu).unwrap();
        assert!(pose_mask(&points, &[[0, 2]], 32, 4.0).is_err());
    }

    #[test]
    fn closing_joins_what_is_four_pixels_apart() {
        let mut gaps = vec![false; 32 * 32];
        for y in 0..32 {
            gaps[y * 32 + 10] = true;
            gaps[y * 32 + 15] = true;
        }
        let joined = closed(&gaps, 32);
        assert!((10..=15).all(|x| joined[16 * 32 + x]) && !joined[16 * 32 + 9] && !joined[16 * 32 + 16]);
    }
}
