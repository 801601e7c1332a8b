//! Inputs of a conditional generator, and paths between two of them.

use crate::data::tags::Labels;
use crate::rng::Seed;
use crate::{Error, Result};

use super::Noise;

/// One input of a conditional generator: a latent vector and the attributes.
#[derive(Clone, Debug, PartialEq)]
pub struct Latent {
    /// The latent vector, standard normal numbers.
    pub z: Vec<f32>,
    /// The attributes, 0 is off and 1 is on; every number between and a little beyond works.
    pub labels: Labels,
}

impl Latent {
    /// That noise with those attributes.
    pub fn new(noise: &Noise, labels: &Labels) -> Latent {
        Latent { z: noise.z(), labels: labels.clone() }
    }

    /// One noise with many attributes, as in figures 2 and 10 of the make.girls.moe paper.
    pub fn fixed_noise(noise: &Noise, labels: &[Labels]) -> Vec<Latent> {
        labels.iter().map(|labels| Latent::new(noise, labels)).collect()
    }

    /// Fixed attributes with `n` noises of `dim` dimensions, as in figures 3 and 11 of the make.girls.moe paper.
    pub fn fixed_labels(labels: &Labels, dim: usize, n: usize, seed: Seed) -> Vec<Latent> {
        let mut stream = seed.stream("noise");
        (0..n).map(|_| Latent::new(&Noise::draw(dim, &mut stream), labels)).collect()
    }

    /// The path from this input to `other`, both included, with `between` steps between them: step i of 0..=between+1
    /// stands at t = i/(between+1), as on the transition page of the web site. The labels go straight.
    ///
    /// # Errors
    /// When the two have latent vectors of different lengths or labels of different vocabularies.
    pub fn path_to(&self, other: &Latent, between: usize, path: Path) -> Result<Vec<Latent>> {
        if self.labels.tags() != other.labels.tags() {
            let (found, expected) = (format!("{:?}", other.labels.tags()), format!("{:?}", self.labels.tags()));
            return Err(Error::invalid("labels of the end of the path", found, expected, ""));
        }
        (0..between + 2)
            .map(|i| {
                let t = i as f32 / (between + 1) as f32;
                let values = Path::Linear.between(&self.labels.values, &other.labels.values, t)?;
                Ok(Latent { z: path.between(&self.z, &other.z, t)?, labels: self.labels.tags().labels_from(values)? })
            })
            .collect()
    }

    /// One row of pictures per tag and a column per value: the same noise, with that tag at each of `values`
    /// (continuous labels; −1 to 2 shows how far the generator extrapolates, years 0 to 1 give figure 15).
    ///
    /// # Errors
    /// When there is no such tag or a value is not finite.
    pub fn sweep(&self, tag: impl AsRef<str>, values: &[f32]) -> Result<Vec<Latent>> {
        let tag = tag.as_ref();
        let at = |value: &f32| Ok(Latent { z: self.z.clone(), labels: self.labels.clone().set(tag, *value)? });
        values.iter().map(at).collect()
    }
}

/// How to go from one latent vector to another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Path {
    /// (1−t)·a + t·b, which passes through vectors shorter than a generator has seen.
    Linear,
    /// Along the great circle: sin((1−t)ω)/sin ω·a + sin(tω)/sin ω·b, ω the angle between a and b
    /// (Shoemake 1985; White 2016, arXiv:1609.04468).
    #[default]
    Slerp,
    /// √(1−t)·a + √t·b, which keeps the variance of independent normal numbers (the web site's POLAR).
    Polar,
}

impl Path {
    /// The vector at `t` in [0, 1] on the way from `a` to `b`. Slerp between vectors on one line is linear.
    ///
    /// # Errors
    /// When the vectors have different lengths.
    pub fn between(self, a: &[f32], b: &[f32], t: f32) -> Result<Vec<f32>> {
        if a.len() != b.len() {
            let expected = format!("{}, as the start has", a.len());
            return Err(Error::invalid("end of the path", format!("{} numbers", b.len()), expected, ""));
        }
        let (from, to) = self.weights(a, b, f64::from(t));
        Ok(a.iter().zip(b).map(|(a, b)| (from * f64::from(*a) + to * f64::from(*b)) as f32).collect())
    }

    fn weights(self, a: &[f32], b: &[f32], t: f64) -> (f64, f64) {
        match self {
            Path::Linear => (1.0 - t, t),
            Path::Polar => ((1.0 - t).max(0.0).sqrt(), t.max(0.0).sqrt()),
            Path::Slerp => {
                let dot =
                    |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
                let cosine = dot(a, b) / (dot(a, a) * dot(b, b)).sqrt();
                let angle = cosine.clamp(-1.0, 1.0).acos();
                // A zero vector has no direction, and on one line every great circle is one.
                if angle.is_nan() || angle.sin() <= 1e-6 {
                    return Path::Linear.weights(a, b, t);
                }
                (((1.0 - t) * angle).sin() / angle.sin(), (t * angle).sin() / angle.sin())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::tags::TagSet;

    fn length(v: &[f32]) -> f32 {
        v.iter().map(|v| v * v).sum::<f32>().sqrt()
    }

    #[test]
    fn paths_by_hand() {
        let (a, b) = ([1.0, 0.0], [0.0, 1.0]);
        assert_eq!(Path::Linear.between(&a, &b, 0.25).unwrap(), [0.75, 0.25]);
        let slerp = Path::Slerp.between(&a, &b, 1.0 / 3.0).unwrap();
        assert!((slerp[0] - 0.75f32.sqrt()).abs() < 1e-6 && (slerp[1] - 0.5).abs() < 1e-6, "{slerp:?}");
        let polar = Path::Polar.between(&a, &b, 0.25).unwrap();
        assert!((polar[0] - 0.75f32.sqrt()).abs() < 1e-6 && (polar[1] - 0.5).abs() < 1e-6, "{polar:?}");
        assert_eq!(Path::Slerp.between(&[1.0, 2.0], &[2.0, 4.0], 0.5).unwrap(), [1.5, 3.0]);
        assert_eq!(Path::Slerp.between(&[0.0, 0.0], &[2.0, 4.0], 0.5).unwrap(), [1.0, 2.0]);
        assert!(Path::Linear.between(&a, &[1.0], 0.5).is_err());
    }

    #[test]
    fn slerp_and_polar_keep_the_length_that_linear_loses() {
        let (a, b) = (Noise::new(128, Seed(1)).z(), Noise::new(128, Seed(2)).z());
        let at = |path: Path| length(&path.between(&a, &b, 0.5).unwrap()) / length(&a);
        assert!(at(Path::Linear) < 0.85 && at(Path::Slerp) > 0.9 && at(Path::Polar) > 0.85);
    }

    #[test]
    fn a_path_has_both_ends_and_even_steps() {
        let set = TagSet::make_girls();
        let a = Latent::new(&Noise::new(8, Seed(1)), &set.parse("blonde hair").unwrap());
        let b = Latent::new(&Noise::new(8, Seed(2)), &set.parse("blue hair, smile").unwrap());
        let path = a.path_to(&b, 3, Path::Linear).unwrap();
        assert_eq!(path.len(), 5);
        assert_eq!((&path[0], &path[4]), (&a, &b));
        assert_eq!(path[1].labels.get("blonde hair").unwrap(), 0.75);
        assert_eq!(path[3].labels.get("smile").unwrap(), 0.75);
        let other = Latent::new(&Noise::new(8, Seed(1)), &TagSet::make_girls_256().labels());
        assert!(a.path_to(&other, 3, Path::Slerp).is_err());
    }

    #[test]
    fn fixed_noise_and_fixed_labels() {
        let set = TagSet::make_girls();
        let labels = [set.parse("blonde hair").unwrap(), set.parse("hat").unwrap()];
        let row = Latent::fixed_noise(&Noise::new(8, Seed(1)), &labels);
        assert!(row[0].z == row[1].z && row[0].labels != row[1].labels);
        let row = Latent::fixed_labels(&labels[0], 8, 2, Seed(1));
        assert!(row[0].z != row[1].z && row[0].labels == row[1].labels);
        let row = row[0].sweep("smile", &[0.0, 0.5, 1.0]).unwrap();
        assert_eq!(row[1].labels.get("smile").unwrap(), 0.5);
    }
}
