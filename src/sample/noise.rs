//! Noise as make.girls.moe keeps it: pairs of uniform numbers, so that a picture's noise can be nudged a little at a
//! time, and saved and read back as an image.

use std::path::Path;

use image::{Rgba, RgbaImage};

use crate::rng::{Seed, Stream};
use crate::{Error, Result};

/// Height of an exported noise image; the web site's strip has that of its 34 labels.
const STRIP_HEIGHT: u32 = 34;

/// The noise of one picture: per dimension a pair (u, v) with u in (0, 1] and v in [0, 1), which Box–Muller turns into
/// the standard normal number √(−2 ln u)·cos(2πv) (specs of the official web site).
#[derive(Clone, Debug, PartialEq)]
pub struct Noise {
    pairs: Vec<[f64; 2]>,
}

impl Noise {
    /// Noise of `dim` dimensions from the stream `noise` of `seed`.
    pub fn new(dim: usize, seed: Seed) -> Noise {
        Noise::draw(dim, &mut seed.stream("noise"))
    }

    /// Noise of `dim` dimensions, the next numbers of `stream`.
    pub fn draw(dim: usize, stream: &mut Stream) -> Noise {
        Noise { pairs: (0..dim).map(|_| [1.0 - stream.uniform(), stream.uniform()]).collect() }
    }

    /// Noise from (u, v) pairs.
    ///
    /// # Errors
    /// When a u is outside (0, 1] or a v is outside [0, 1].
    pub fn from_pairs(pairs: Vec<[f64; 2]>) -> Result<Noise> {
        match pairs.iter().find(|[u, v]| !(*u > 0.0 && *u <= 1.0 && (0.0..=1.0).contains(v))) {
            None => Ok(Noise { pairs }),
            Some(pair) => Err(Error::invalid("noise", format!("{pair:?}"), "u in (0, 1] and v in [0, 1]", "")),
        }
    }

    /// The (u, v) pairs.
    pub fn pairs(&self) -> &[[f64; 2]] {
        &self.pairs
    }

    /// Number of dimensions.
    pub fn len(&self) -> usize {
        self.pairs.len()
    }

    /// Whether there are no dimensions.
    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    /// The latent vector z: one standard normal number per dimension.
    pub fn z(&self) -> Vec<f32> {
        let normal = |[u, v]: &[f64; 2]| (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos();
        self.pairs.iter().map(|pair| normal(pair) as f32).collect()
    }

    /// The same picture, a little different: adds `strength` times a uniform number to every v, modulo 1, as the
    /// "Perturb noise" button of the web site does. Its slider goes from 0.01 to 0.5; 1 draws every v anew.
    ///
    /// # Errors
    /// When `strength` is outside [0, 1].
    pub fn perturb(&self, strength: f64, seed: Seed) -> Result<Noise> {
        if !(0.0..=1.0).contains(&strength) {
            return Err(Error::invalid("strength of the perturbation", strength.to_string(), "a number in [0, 1]", ""));
        }
        let mut stream = seed.stream("perturb");
        let moved = |[u, v]: &[f64; 2]| [*u, (v + strength * stream.uniform()) % 1.0];
        Ok(Noise { pairs: self.pairs.iter().map(moved).collect() })
    }

    /// Writes the noise as the web site's noise image: a PNG `dim` wide and 34 high whose columns hold
    /// R = 255, G = ⌊256(1−v)⌋, B = ⌊256(1−u)⌋, A = 254. Reading it back gives u and v to 8 bits.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        let byte = |t: f64| (256.0 * (1.0 - t)).floor().clamp(0.0, 255.0) as u8;
        let strip = RgbaImage::from_fn(self.pairs.len() as u32, STRIP_HEIGHT, |x, _| {
            let [u, v] = self.pairs[x as usize];
            Rgba([255, byte(v), byte(u), 254])
        });
        strip.save_with_format(path, image::ImageFormat::Png).map_err(|error| match error {
            image::ImageError::IoError(source) => Error::io("write the noise image", path, source),
            other => Error::file(path, other.to_string(), "a picture that can be encoded", ""),
        })
    }

    /// Reads a noise image of the web site or of [`Noise::save`]: u = 1 − B/256 and v = 1 − G/256 of the first row.
    ///
    /// # Errors
    /// When the file is not an image, or not 34 pixels high.
    pub fn open(path: impl AsRef<Path>) -> Result<Noise> {
        let path = path.as_ref();
        let bytes = std::fs::read(path).map_err(|source| Error::io("read the noise image", path, source))?;
        let expected = format!("a noise image, one column per dimension and {STRIP_HEIGHT} rows");
        let strip = image::load_from_memory(&bytes)
            .map_err(|error| Error::file(path, error.to_string(), &expected, ""))?
            .to_rgb8();
        if strip.height() != STRIP_HEIGHT || strip.width() == 0 {
            let found = format!("{} × {} pixels", strip.width(), strip.height());
            return Err(Error::file(path, found, expected, ""));
        }
        let value = |byte: u8| 1.0 - f64::from(byte) / 256.0;
        let row = (0..strip.width()).map(|x| strip.get_pixel(x, 0).0);
        Ok(Noise { pairs: row.map(|[_, g, b]| [value(b), value(g)]).collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn box_muller_gives_standard_normal_numbers() {
        let noise = Noise::from_pairs(vec![[1.0, 0.3], [(-0.5f64).exp(), 0.0], [(-2.0f64).exp(), 0.5]]).unwrap();
        let z = noise.z();
        assert!(z[0].abs() < 1e-7 && (z[1] - 1.0).abs() < 1e-6 && (z[2] + 2.0).abs() < 1e-6, "{z:?}");
        let z = Noise::new(100_000, Seed(1)).z();
        let mean = z.iter().sum::<f32>() / 1e5;
        let variance = z.iter().map(|v| v * v).sum::<f32>() / 1e5;
        assert!(mean.abs() < 0.01 && (variance - 1.0).abs() < 0.02, "seed 1: mean {mean}, variance {variance}");
    }

    #[test]
    fn a_perturbation_moves_v_by_at_most_its_strength() {
        let noise = Noise::new(1000, Seed(2));
        let moved = noise.perturb(0.1, Seed(3)).unwrap();
        for ([u, v], [u2, v2]) in noise.pairs().iter().zip(moved.pairs()) {
            assert_eq!(u, u2);
            assert!((v2 - v).rem_euclid(1.0) <= 0.1 && *v2 < 1.0);
        }
        assert_ne!(noise, moved);
        assert_eq!(noise.perturb(0.0, Seed(3)).unwrap(), noise);
        assert!(noise.perturb(1.5, Seed(3)).is_err() && noise.perturb(f64::NAN, Seed(3)).is_err());
    }

    #[test]
    fn a_noise_image_is_read_back_to_8_bits() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("noise.png");
        let noise = Noise::new(128, Seed(4));
        noise.save(&path).unwrap();
        let strip = image::open(&path).unwrap().to_rgba8();
        assert_eq!(strip.dimensions(), (128, 34));
        assert!(strip.pixels().all(|p| p.0[0] == 255 && p.0[3] == 254));
        let read = Noise::open(&path).unwrap();
        for ([u, v], [u2, v2]) in noise.pairs().iter().zip(read.pairs()) {
            assert!((u - u2).abs() <= 1.0 / 256.0 && (v - v2).abs() <= 1.0 / 256.0);
        }
        read.save(&path).unwrap();
        assert_eq!(Noise::open(&path).unwrap(), read);
    }

    #[test]
    fn other_pictures_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("face.png");
        RgbaImage::new(64, 64).save(&path).unwrap();
        let message = Noise::open(&path).unwrap_err().to_string();
        assert!(message.contains("64 × 64 pixels"), "{message}");
        std::fs::write(&path, b"not a picture").unwrap();
        assert!(Noise::open(&path).is_err() && Noise::open(folder.path().join("absent.png")).is_err());
    }
}
