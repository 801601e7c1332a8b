//! Perceptual path length (T. Karras et al., "A Style-Based Generator Architecture for GANs", CVPR 2019,
//! arXiv:1812.04948, section 4.1): how much pictures change along a short step between two latents.

use candle_core::{Device, Tensor};

use crate::metrics::score::Score;
use crate::rng::{Seed, Stream};
use crate::show::table::Best;
use crate::{Error, Result};

/// Pairs below which the mean still moves by several per cent from seed to seed.
const FEW: usize = 10_000;

/// Where the path runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Space {
    /// Among the inputs of the mapping, along the great circle of a sphere.
    Z,
    /// Among the outputs of the mapping, straight.
    W,
}

/// Which part of the path is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sampling {
    /// A random place between the two ends.
    Full,
    /// Its beginning.
    End,
}

/// Settings of the perceptual path length.
#[derive(Clone, Debug, PartialEq)]
pub struct PathLength {
    space: Space,
    sampling: Sampling,
    pairs: usize,
    epsilon: f64,
    batch: usize,
    radius: f64,
    seed: Seed,
}

impl PathLength {
    /// The paper's: 100,000 pairs, a step of 10⁻⁴, the sphere of radius 1 in Z, the smallest and the largest 1 % left out.
    pub fn new(space: Space, sampling: Sampling) -> PathLength {
        PathLength { space, sampling, pairs: 100_000, epsilon: 1e-4, batch: 8, radius: 1.0, seed: Seed(0) }
    }

    /// How many pairs of latents.
    pub fn pairs(self, pairs: usize) -> PathLength {
        PathLength { pairs, ..self }
    }

    /// Length of the step as a share of the path.
    pub fn epsilon(self, epsilon: f64) -> PathLength {
        PathLength { epsilon, ..self }
    }

    /// Pairs that are drawn at once; the result depends on it only through the rounding of the networks.
    pub fn batch(self, batch: usize) -> PathLength {
        PathLength { batch, ..self }
    }

    /// Radius of the sphere in Z. StyleGAN normalises its input, so that 1 is as good as any; a generator that does not
    /// has learnt vectors of about √D.
    pub fn radius(self, radius: f64) -> PathLength {
        PathLength { radius, ..self }
    }

    /// Seed of the latents.
    pub fn seed(self, seed: Seed) -> PathLength {
        PathLength { seed, ..self }
    }

    /// Mean of distance / ε² after trimming, with its bootstrap interval.
    ///
    /// `mapping` turns latents `[B, dim]`, standard normal in W, into what `synthesis` makes pictures of (`[B, ...]`;
    /// return the latents themselves where there is no mapping). `synthesis` is called once per batch with the
    /// beginnings of the steps and then their ends, `[2 B, ...]`, and must use the same noise for both. `distance` gets
    /// the `[B, ...]` pictures of the beginnings and of the ends, crops and resizes them as it needs (StyleGAN: the face,
    /// 256 pixels), and returns their B perceptual distances (LPIPS).
    ///
    /// # Errors
    /// When a setting is out of its range, a closure fails or returns another number of rows, or a distance is not finite.
    pub fn score(
        &self,
        dim: usize,
        device: &Device,
        mut mapping: impl FnMut(&Tensor) -> Result<Tensor>,
        mut synthesis: impl FnMut(&Tensor) -> Result<Tensor>,
        mut distance: impl FnMut(&Tensor, &Tensor) -> Result<Vec<f64>>,
    ) -> Result<Score> {
        self.check(dim)?;
        let mut stream = self.seed.stream("path length");
        let mut lengths = Vec::with_capacity(self.pairs);
        while lengths.len() < self.pairs {
            let pairs: Vec<Pair> = (0..self.batch.min(self.pairs - lengths.len()))
                .map(|_| Pair::draw(dim, self.sampling, &mut stream))
                .collect();
            let pictures = synthesis(&self.steps(&pairs, device, &mut mapping)?)?;
            if pictures.dims().first() != Some(&(2 * pairs.len())) {
                return Err(Error::shape("pictures", pictures.dims(), format!("[{}, ...]", 2 * pairs.len())));
            }
            let (from, to) = (pictures.narrow(0, 0, pairs.len())?, pictures.narrow(0, pairs.len(), pairs.len())?);
            let found = distance(&from, &to)?;
            if found.len() != pairs.len() || found.iter().any(|distance| !distance.is_finite()) {
                let expected = format!("{} finite numbers", pairs.len());
                return Err(Error::invalid("perceptual distances", format!("{found:?}"), expected, ""));
            }
            lengths.extend(found.iter().map(|distance| distance / (self.epsilon * self.epsilon)));
        }
        Ok(self.report(&trimmed(lengths)))
    }

    fn check(&self, dim: usize) -> Result<()> {
        let usable = self.pairs > 0 && self.batch > 0 && dim > 1;
        if usable && self.epsilon > 0.0 && self.epsilon < 1.0 && self.radius > 0.0 && self.radius.is_finite() {
            return Ok(());
        }
        let PathLength { pairs, epsilon, batch, radius, .. } = self;
        let found = format!("{pairs} pairs by {batch} in {dim} dimensions, step {epsilon}, radius {radius}");
        let expected = "at least one pair by 1 in 2 dimensions, a step in (0, 1), a radius above 0";
        Err(Error::invalid("perceptual path length", found, expected, ""))
    }

    /// Inputs of the synthesis at the beginnings, then at the ends of the steps.
    fn steps(
        &self,
        pairs: &[Pair],
        device: &Device,
        mapping: &mut impl FnMut(&Tensor) -> Result<Tensor>,
    ) -> Result<Tensor> {
        let tensor = |rows: Vec<f32>| Tensor::from_vec(rows, (pairs.len(), pairs[0].from.len()), device);
        let rows = |of: &dyn Fn(&Pair) -> Vec<f32>| pairs.iter().flat_map(of).collect::<Vec<f32>>();
        if self.space == Space::Z {
            let at = |step: f64| tensor(rows(&|pair| pair.on_sphere(step, self.radius)));
            return mapping(&Tensor::cat(&[at(0.0)?, at(self.epsilon)?], 0)?);
        }
        let from = mapping(&tensor(rows(&|pair| pair.from.clone()))?)?;
        let to = mapping(&tensor(rows(&|pair| pair.to.clone()))?)?;
        let mut shape = vec![1; from.rank()];
        shape[0] = pairs.len();
        let at = |step: f64| -> Result<Tensor> {
            let places: Vec<f64> = pairs.iter().map(|pair| pair.place + step).collect();
            let places = Tensor::from_vec(places, shape.clone(), device)?.to_dtype(from.dtype())?;
            Ok((&from + (&to - &from)?.broadcast_mul(&places)?)?)
        };
        Ok(Tensor::cat(&[at(0.0)?, at(self.epsilon)?], 0)?)
    }

    fn report(&self, kept: &[f64]) -> Score {
        let (space, sampling) = match (self.space, self.sampling) {
            (Space::Z, Sampling::Full) => ("z", "full"),
            (Space::Z, Sampling::End) => ("z", "end"),
            (Space::W, Sampling::Full) => ("w", "full"),
            (Space::W, Sampling::End) => ("w", "end"),
        };
        let protocol = format!(
            "distance/ε², ε {}, {} pairs, those within the 1st to 99th percentile, seed {}",
            self.epsilon, self.pairs, self.seed.0
        );
        let score = Score::mean_of(format!("PPL {space} {sampling}"), kept, protocol).better(Best::Lowest);
        let warning = || format!("{} pairs; the paper takes 100,000", self.pairs);
        score.warn_if(self.pairs < FEW, warning)
    }
}

/// The ends of a path, and the place on it where the step begins.
struct Pair {
    from: Vec<f32>,
    to: Vec<f32>,
    place: f64,
}

impl Pair {
    fn draw(dim: usize, sampling: Sampling, stream: &mut Stream) -> Pair {
        let (from, to) = (stream.normals(dim), stream.normals(dim));
        let place = if sampling == Sampling::Full { stream.uniform() } else { 0.0 };
        Pair { from, to, place }
    }

    /// The point `step` behind the place, on the great circle through the directions of both ends.
    fn on_sphere(&self, step: f64, radius: f64) -> Vec<f32> {
        let unit = |v: Vec<f64>| {
            let length = v.iter().map(|v| v * v).sum::<f64>().sqrt();
            v.into_iter().map(|v| v / length).collect::<Vec<f64>>()
        };
        let direction = |v: &[f32]| unit(v.iter().map(|v| f64::from(*v)).collect());
        let (from, to) = (direction(&self.from), direction(&self.to));
        let cosine: f64 = from.iter().zip(&to).map(|(a, b)| a * b).sum();
        let across = unit(from.iter().zip(&to).map(|(a, b)| b - cosine * a).collect());
        let angle = (self.place + step) * cosine.clamp(-1.0, 1.0).acos();
        let at = |(a, c): (&f64, &f64)| (radius * (a * angle.cos() + c * angle.sin())) as f32;
        from.iter().zip(&across).map(at).collect()
    }
}

/// The values from the 1st percentile, rounded down to a value, to the 99th, rounded up.
fn trimmed(values: Vec<f64>) -> Vec<f64> {
    let mut sorted = values.clone();
    sorted.sort_by(f64::total_cmp);
    let last = (sorted.len() - 1) as f64;
    let (low, high) = (sorted[(0.01 * last).floor() as usize], sorted[(0.99 * last).ceil() as usize]);
    values.into_iter().filter(|value| (low..=high).contains(value)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A generator that draws its latent, and the squared distance: the path length is the squared speed.
    fn measured(ppl: &PathLength, scale: f64) -> f64 {
        let squared = |a: &Tensor, b: &Tensor| {
            let squares = (a - b)?.sqr()?.sum(1)?.to_vec1::<f32>()?;
            Ok(squares.into_iter().map(f64::from).collect())
        };
        let same = |z: &Tensor| Ok(z.clone());
        ppl.score(64, &Device::Cpu, same, |w| Ok((w * scale)?), squared).unwrap().value
    }

    #[test]
    fn straight_paths_have_the_distance_of_their_ends() {
        let w = PathLength::new(Space::W, Sampling::Full).pairs(500).epsilon(0.01);
        let found = measured(&w, 1.0);
        // E|a − b|² = 2 D.
        assert!((found / 128.0 - 1.0).abs() < 0.05, "{found}");
        assert!((measured(&w, 3.0) / found - 9.0).abs() < 1e-2);
        let end = PathLength::new(Space::W, Sampling::End).pairs(500).epsilon(0.01);
        assert!((measured(&end, 1.0) / 128.0 - 1.0).abs() < 0.05);
    }

    #[test]
    fn great_circles_have_their_angle() {
        let z = PathLength::new(Space::Z, Sampling::Full).pairs(500).epsilon(0.01);
        let quarter = (std::f64::consts::PI / 2.0).powi(2);
        // Random directions in 64 dimensions are nearly at right angles.
        assert!((measured(&z, 1.0) / quarter - 1.0).abs() < 0.05);
        assert!((measured(&z.clone().radius(2.0), 1.0) / measured(&z, 1.0) - 4.0).abs() < 1e-2);
        let error = z.epsilon(0.0).score(64, &Device::Cpu, |z| Ok(z.clone()), |w| Ok(w.clone()), |_, _| Ok(vec![]));
        assert!(error.unwrap_err().to_string().contains("a step in (0, 1)"));
    }

    #[test]
    fn the_batch_changes_nothing() {
        let ppl = PathLength::new(Space::Z, Sampling::Full).pairs(30);
        assert_eq!(measured(&ppl, 1.0), measured(&ppl.clone().batch(7), 1.0));
    }

    #[test]
    fn one_per_cent_at_each_end_is_left_out() {
        let kept = trimmed((0..1000).map(f64::from).collect());
        // numpy.percentile(x, 1, method="lower") is 9, (x, 99, method="higher") is 990.
        assert_eq!((kept.len(), kept[0], kept[981]), (982, 9.0, 990.0));
        assert_eq!(trimmed(vec![5.0]), [5.0]);
    }
}
