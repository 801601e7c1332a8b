//! How far a network has grown, and how new layers fade in (Karras et al. 2018, section 2 and figure 2).

use candle_core::{DType, Tensor, Var};

use super::shape::GrowingShape;
use crate::nn::critic::Signal;
use crate::nn::params::Scope;
use crate::ops::arithmetic::{add, affine};
use crate::ops::resample::{avg_pool2d, upsample_nearest};
use crate::{Error, Result};

/// The resolution that a network works at, and how far its newest layers have faded in.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Level {
    /// Side of the pictures that go in or come out.
    pub resolution: usize,
    /// Weight of the layers of this resolution, in [0, 1]; the rest is the way through half the resolution. 1 outside of
    /// fades.
    pub alpha: f64,
}

impl Level {
    /// No fade.
    pub fn full(resolution: usize) -> Level {
        Level { resolution, alpha: 1.0 }
    }

    /// The weight of the way through half the resolution, in [0, 1]; 0 at 4 px, below which there is none.
    pub fn old(self) -> f64 {
        if self.resolution > 4 { 1.0 - self.alpha } else { 0.0 }
    }

    /// The authors' level of detail: how many doublings are missing to pictures of side `finished`.
    pub fn lod(self, finished: usize) -> f64 {
        f64::from(finished.max(1).ilog2()) - f64::from(self.resolution.max(1).ilog2()) + self.old()
    }

    /// The level of that level of detail.
    pub fn of_lod(lod: f64, finished: usize) -> Level {
        let doublings = (lod.max(0.0).floor() as u32).min(finished.max(4).ilog2() - 2);
        Level { resolution: finished >> doublings, alpha: 1.0 - (lod - f64::from(doublings)).clamp(0.0, 1.0) }
    }

    /// Whether networks of this shape have this level.
    ///
    /// # Errors
    /// When they do not.
    pub fn check(self, shape: &GrowingShape) -> Result<()> {
        let Level { resolution, alpha } = self;
        if shape.resolutions().all(|known| known != resolution) || !(0.0..=1.0).contains(&alpha) {
            let expected = format!("a power of two from 4 to {} px, a fade in [0, 1]", shape.resolution);
            return Err(Error::invalid("level", format!("{resolution} px, fade {alpha}"), expected, ""));
        }
        Ok(())
    }
}

/// How far a network has grown, kept beside its weights for those who use it later. Buffer: `lod`, how many doublings are
/// missing to the finished pictures at this point of the training.
#[derive(Clone, Debug)]
pub struct Reached {
    lod: Var,
    finished: usize,
}

impl Reached {
    /// That of a network whose finished pictures have this side; it starts there.
    ///
    /// # Errors
    /// When the store holds `lod` with another shape.
    pub fn new(finished: usize, scope: &Scope) -> Result<Reached> {
        Ok(Reached { lod: scope.buffer("lod", &[1], 0.0)?, finished })
    }

    /// The level, as training has left it; the finished size for a network that was never trained.
    ///
    /// # Errors
    /// When the device refuses to copy.
    pub fn level(&self) -> Result<Level> {
        let lod = f64::from(self.lod.as_detached_tensor().to_dtype(DType::F32)?.to_vec1::<f32>()?[0]);
        Ok(Level::of_lod(lod, self.finished))
    }

    /// Writes the level down.
    ///
    /// # Errors
    /// When the device refuses.
    pub fn set(&self, level: Level) -> Result<()> {
        let lod = Tensor::new(&[level.lod(self.finished)], self.lod.device())?;
        Ok(self.lod.set(&lod.to_dtype(self.lod.dtype())?)?)
    }

    /// Pictures that are made at the level, every pixel repeated up to the finished size.
    ///
    /// # Errors
    /// As what makes them.
    pub fn finished(&self, make: impl FnOnce(Level) -> Result<Tensor>) -> Result<Tensor> {
        let level = self.level()?;
        let pictures = make(level)?;
        match self.finished / level.resolution {
            1 => Ok(pictures),
            factor => upsample_nearest(&pictures, factor),
        }
    }
}

/// (1 − `weight`)·`a` + `weight`·`b`, tensors of one shape.
///
/// # Errors
/// When the shapes differ.
pub fn lerp(a: &Tensor, b: &Tensor, weight: f64) -> Result<Tensor> {
    add(&affine(a, 1.0 - weight, 0.0)?, &affine(b, weight, 0.0)?)
}

/// [`lerp`] of signals.
///
/// # Errors
/// When the shapes differ.
pub(super) fn lerp_signals<S: Signal>(a: &S, b: &S, weight: f64) -> Result<S> {
    a.scale(1.0 - weight)?.add(&b.scale(weight)?)
}

/// Real pictures `[N, 3, H, W]` as they are shown while layers fade in: mixed with themselves at half the resolution.
///
/// # Errors
/// When the pictures have another side than `level`.
pub fn fade_pictures(pictures: &Tensor, level: Level) -> Result<Tensor> {
    if pictures.rank() != 4 || pictures.dims()[2..] != [level.resolution; 2] {
        let expected = format!("[N, 3, {0}, {0}]", level.resolution);
        return Err(Error::shape("pictures that fade in", pictures.dims(), expected));
    }
    match level.old() {
        0.0 => Ok(pictures.clone()),
        old => lerp(pictures, &upsample_nearest(&avg_pool2d(pictures, 2)?, 2)?, old),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_and_levels_of_detail() {
        for (level, lod) in [
            (Level::full(4), 8.0),
            (Level { resolution: 8, alpha: 0.25 }, 7.75),
            (Level::full(8), 7.0),
            (Level { resolution: 1024, alpha: 0.5 }, 0.5),
            (Level::full(1024), 0.0),
        ] {
            assert_eq!(level.lod(1024), lod);
            assert_eq!(Level::of_lod(lod, 1024), level);
        }
        assert_eq!(Level { resolution: 4, alpha: 0.0 }.old(), 0.0);
        let shape = GrowingShape::paper(64);
        Level { resolution: 64, alpha: 0.0 }.check(&shape).unwrap();
        for bad in [Level::full(128), Level::full(48), Level { resolution: 8, alpha: 1.5 }] {
            assert!(bad.check(&shape).is_err());
        }
    }

    #[test]
    fn pictures_fade_from_half_their_resolution() {
        let device = candle_core::Device::Cpu;
        let pictures = Tensor::arange(0f32, 64.0, &device).unwrap().reshape((1, 1, 8, 8)).unwrap();
        let faded = fade_pictures(&pictures, Level { resolution: 8, alpha: 0.25 }).unwrap();
        // Rows 0 and 1 begin with 0, 1 and 8, 9, whose mean is 4.5.
        let numbers = faded.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        assert_eq!([numbers[0], numbers[9]], [0.75 * 4.5, 0.75 * 4.5 + 0.25 * 9.0]);
        assert!(fade_pictures(&pictures, Level::full(16)).is_err());
    }
}
