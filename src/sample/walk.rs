//! Walks through a latent space: the inputs of the frames of a film.

use candle_core::{Device, Tensor};
use rayon::prelude::*;

use super::Path;
use crate::filter::{Edge, gaussian};
use crate::rng::Seed;
use crate::{Error, Result};

/// Latent vectors `[frames, n, dim]` of a film of `n` characters that change smoothly and end where they began.
///
/// Standard normal numbers for every frame, smoothed along time by a Gaussian of standard deviation `sigma` frames that
/// wraps around, then scaled so that the root of the mean square of all is 1 (Progressive GAN's interpolation video:
/// sigma = one second of frames).
///
/// # Errors
/// When a number is 0, or `sigma` is negative, not finite or above 10,000.
pub fn looped(frames: usize, n: usize, dim: usize, sigma: f64, seed: Seed) -> Result<Tensor> {
    let all = frames.checked_mul(n).and_then(|vectors| vectors.checked_mul(dim));
    if all.is_none_or(|all| all == 0 || all > 1 << 32) {
        let found = format!("{frames} frames, {n} characters, {dim} dimensions");
        return Err(Error::invalid("latent walk", found, "at least one of each, and at most 2³² numbers", ""));
    }
    if !(0.0..=1e4).contains(&sigma) {
        let expected = "a number of frames from 0 to 10,000";
        return Err(Error::invalid("smoothing of a latent walk", sigma.to_string(), expected, "30 is usual."));
    }
    let (width, weights) = (n * dim, gaussian(sigma));
    let drawn = seed.stream("walk").normals(frames * width);
    let reach = weights.len() as isize - 1;
    let smoothed = |frame: usize| {
        let mut row = vec![0.0; width];
        for step in -reach..=reach {
            let (near, weight) = (Edge::Wrap.place(frame as isize + step, frames), weights[step.unsigned_abs()]);
            let from = &drawn[near * width..][..width];
            row.iter_mut().zip(from).for_each(|(sum, value)| *sum += weight * f64::from(*value));
        }
        row
    };
    let smooth: Vec<f64> = (0..frames).into_par_iter().flat_map_iter(smoothed).collect();
    let square = smooth.iter().map(|value| value * value).sum::<f64>() / smooth.len() as f64;
    let scale = if square > 0.0 { square.sqrt().recip() } else { 1.0 };
    let values: Vec<f32> = smooth.into_iter().map(|value| (value * scale) as f32).collect();
    Ok(Tensor::from_vec(values, (frames, n, dim), &Device::Cpu)?)
}

/// Latent vectors `[N, dim]` of a film through the characters `stops` `[K, dim]`: from each to the next one in `steps`
/// frames, of which the first is the stop itself. With `back` from the last one to the first again, so that the film
/// loops (N = K·steps); otherwise it ends with the last stop (N = (K−1)·steps + 1).
///
/// Along the great circle ([`Path::Slerp`]) the stops are first brought to the length √dim, as a generator that normalises
/// its input sees them: the speed along the arc is then even. On a straight line ([`Path::Linear`]) such a generator sees
/// the same characters at another speed.
///
/// # Errors
/// Fewer than two stops, no steps, or another shape.
pub fn through(stops: &Tensor, steps: usize, path: Path, back: bool) -> Result<Tensor> {
    let &[count, dim] = stops.dims() else {
        return Err(Error::shape("stops of a latent walk", stops.dims(), "[K, dim]"));
    };
    if count < 2 || steps == 0 || dim == 0 {
        let found = format!("{count} stops of {dim} dimensions, {steps} steps");
        return Err(Error::invalid("latent walk", found, "at least 2 stops and 1 step", ""));
    }
    let mut stops = stops.to_device(&Device::Cpu)?.to_dtype(candle_core::DType::F32)?.to_vec2::<f32>()?;
    if path == Path::Slerp {
        stops.iter_mut().for_each(|stop| normalise(stop));
    }
    let mut values = Vec::new();
    let legs = if back { count } else { count - 1 };
    for leg in 0..legs {
        let (from, to) = (&stops[leg], &stops[(leg + 1) % count]);
        for step in 0..steps {
            values.extend(path.between(from, to, step as f32 / steps as f32)?);
        }
    }
    if !back {
        values.extend(&stops[count - 1]);
    }
    let frames = values.len() / dim;
    Ok(Tensor::from_vec(values, (frames, dim), &Device::Cpu)?)
}

/// To the length √dim; a vector of zeros stays.
fn normalise(z: &mut [f32]) {
    let square = z.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>() / z.len() as f64;
    if square > 0.0 {
        let scale = square.sqrt().recip();
        z.iter_mut().for_each(|value| *value = (f64::from(*value) * scale) as f32);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn length(v: &[f32]) -> f32 {
        v.iter().map(|v| v * v).sum::<f32>().sqrt()
    }

    #[test]
    fn a_looped_walk_is_smooth_across_its_end() {
        let walk = looped(60, 2, 32, 6.0, Seed(1)).unwrap();
        let z = walk.flatten(1, 2).unwrap().to_vec2::<f32>().unwrap();
        let square = z.iter().flatten().map(|v| v * v).sum::<f32>() / (60.0 * 64.0);
        assert!((square - 1.0).abs() < 1e-5, "{square}");
        let jump = |i: usize| length(&z[i].iter().zip(&z[(i + 1) % 60]).map(|(a, b)| a - b).collect::<Vec<_>>());
        let inside = (0..59).map(jump).fold(0.0, f32::max);
        assert!(jump(59) <= inside && inside < 0.3 * length(&z[0]), "{} and {inside}", jump(59));
        assert!(looped(0, 1, 1, 1.0, Seed(1)).is_err() && looped(2, 1, 1, f64::NAN, Seed(1)).is_err());
    }

    #[test]
    fn walks_stop_where_they_should() {
        let stops = Tensor::new(&[[2f32, 0.0], [0.0, 8.0], [-1.0, -1.0]], &Device::Cpu).unwrap();
        let straight = through(&stops, 4, Path::Linear, false).unwrap().to_vec2::<f32>().unwrap();
        assert_eq!((straight.len(), &straight[0], &straight[4]), (9, &vec![2.0, 0.0], &vec![0.0, 8.0]));
        assert_eq!((&straight[1], &straight[8]), (&vec![1.5, 2.0], &vec![-1.0, -1.0]));
        let round = through(&stops, 4, Path::Slerp, true).unwrap().to_vec2::<f32>().unwrap();
        assert_eq!(round.len(), 12);
        assert!(round.iter().all(|z| (length(z) - 2f32.sqrt()).abs() < 1e-5), "{round:?}");
        // A quarter of the right angle.
        let angle = round[1][1].atan2(round[1][0]).to_degrees();
        assert!((angle - 22.5).abs() < 1e-3, "{angle}");
        let one = Tensor::new(&[[2f32, 0.0]], &Device::Cpu).unwrap();
        assert!(through(&one, 4, Path::Slerp, true).is_err() && through(&stops, 0, Path::Slerp, true).is_err());
    }
}
