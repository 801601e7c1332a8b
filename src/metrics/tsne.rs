//! t-SNE (L. van der Maaten, "Accelerating t-SNE using Tree-Based Algorithms", JMLR 2014) with scikit-learn's defaults.
//!
//! The optimiser is the crate `bhtsne`. Around it: exact neighbours and a PCA start instead of its random ones, its
//! divergence computed anew (the crate's own sum reads another row's probabilities), and one thread, because its sums
//! over several threads change with their number. The result depends on the data and the seed only.

use bhtsne::{Neighbor, SparseAffinities, tSNE};
use candle_core::Tensor;
use rayon::prelude::*;

use super::neighbours::{self, Features};
use super::pca;
use crate::rng::Seed;
use crate::{Error, Result};

/// Neighbours that [`Embedding::trustworthiness`] looks at, as scikit-learn does by default.
const TRUST_NEIGHBOURS: usize = 5;

/// Settings of t-SNE; [`Tsne::new`] are scikit-learn's defaults.
#[derive(Clone, Debug, PartialEq)]
pub struct Tsne {
    perplexity: f64,
    early_exaggeration: f64,
    learning_rate: Option<f64>,
    iterations: usize,
    theta: f64,
    seed: Seed,
}

/// A map of points in the plane.
#[derive(Clone, PartialEq)]
pub struct Embedding {
    /// Position of each row of the features.
    pub points: Vec<[f64; 2]>,
    /// Kullback–Leibler divergence between the similarities in feature space and on the map; smaller is better.
    pub kl_divergence: f64,
    /// How far the 5 nearest points on the map are near in feature space too, in [0, 1]; larger is better
    /// (J. Venna and S. Kaski 2001, as in `sklearn.manifold.trustworthiness`). NaN below 11 points.
    pub trustworthiness: f64,
    /// The perplexity that was used: a small set does not allow the one asked for.
    pub perplexity: f64,
}

impl Default for Tsne {
    fn default() -> Self {
        Self::new()
    }
}

impl Tsne {
    /// Perplexity 30, early exaggeration 12 for 250 of 1,000 iterations, learning rate max(N / 12 / 4, 50), momentum 0.5
    /// then 0.8, angle 0.5, start from the first two principal components scaled to a deviation of 1e-4.
    pub fn new() -> Self {
        Tsne {
            perplexity: 30.0,
            early_exaggeration: 12.0,
            learning_rate: None,
            iterations: 1000,
            theta: 0.5,
            seed: Seed(0),
        }
    }

    /// About how many neighbours each point has. Lowered to (N − 1) / 3 where there are fewer points.
    pub fn perplexity(self, perplexity: f64) -> Self {
        Tsne { perplexity, ..self }
    }

    /// Factor on the attraction during the first 250 iterations.
    pub fn early_exaggeration(self, factor: f64) -> Self {
        Tsne { early_exaggeration: factor, ..self }
    }

    /// Step size of the gradient descent.
    pub fn learning_rate(self, rate: f64) -> Self {
        Tsne { learning_rate: Some(rate), ..self }
    }

    /// Iterations of the gradient descent.
    pub fn iterations(self, iterations: usize) -> Self {
        Tsne { iterations, ..self }
    }

    /// Angle of the Barnes–Hut approximation in (0, 1]; smaller is slower and more exact.
    pub fn theta(self, theta: f64) -> Self {
        Tsne { theta, ..self }
    }

    /// Seed of the search for principal components, and of the start where the features have none.
    pub fn seed(self, seed: Seed) -> Self {
        Tsne { seed, ..self }
    }

    /// Maps the rows of `features`, `[N, D]` (further axes count as features), to the plane.
    ///
    /// # Errors
    /// When there are fewer than 4 rows, a value is not finite, or a setting is out of its range.
    pub fn fit(&self, features: &Tensor) -> Result<Embedding> {
        let features = Features::new("t-SNE features", features)?;
        let n = features.rows;
        if n < 4 {
            return Err(Error::invalid("t-SNE features", format!("{n} rows"), "at least 4", ""));
        }
        self.check()?;
        let perplexity = self.perplexity.min(((n - 1) / 3) as f64);
        let neighbours = neighbours::nearest_others(&features, (3.0 * perplexity) as usize)?;
        let neighbours: Vec<Vec<Neighbor<f64>>> = neighbours
            .iter()
            .map(|row| row.iter().map(|n| Neighbor { index: n.index, distance: n.distance }).collect())
            .collect();
        let start = self.start(&features);
        let failed = |e: rayon::ThreadPoolBuildError| Error::invalid("t-SNE thread", e.to_string(), "one thread", "");
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().map_err(failed)?;
        let (points, affinities) = pool.install(|| self.optimise(perplexity, &neighbours, start));
        let affinities = affinities.ok_or_else(|| {
            Error::invalid("t-SNE", "no similarities", "similarities of neighbouring points", "Are all points equal?")
        })?;
        if points.iter().flatten().any(|v| !v.is_finite()) {
            let hint = "Use a smaller learning rate.";
            return Err(Error::invalid("t-SNE", "a map that is not finite", "finite positions", hint));
        }
        let kl_divergence = divergence(&affinities, &points);
        let trustworthiness = trustworthiness(&features, &points)?;
        Ok(Embedding { points, kl_divergence, trustworthiness, perplexity })
    }

    fn check(&self) -> Result<()> {
        let positive = [
            ("perplexity", self.perplexity, 1.0),
            ("early exaggeration", self.early_exaggeration, 1.0),
            ("learning rate", self.learning_rate.unwrap_or(50.0), f64::MIN_POSITIVE),
            ("theta", self.theta, f64::MIN_POSITIVE),
        ];
        for (what, value, least) in positive {
            if !(value >= least && value.is_finite()) {
                return Err(Error::invalid(
                    format!("t-SNE {what}"),
                    value.to_string(),
                    format!("at least {least}"),
                    "",
                ));
            }
        }
        Ok(())
    }

    /// The first two principal components with a deviation of 1e-4, or small noise where all rows are equal.
    fn start(&self, features: &Features) -> Vec<f64> {
        let components = pca::project(features, self.seed);
        let n = components.len() as f64;
        let mean = components.iter().map(|p| p[0]).sum::<f64>() / n;
        let deviation = (components.iter().map(|p| (p[0] - mean).powi(2)).sum::<f64>() / n).sqrt();
        if deviation > 0.0 {
            return components.iter().flatten().map(|v| v / deviation * 1e-4).collect();
        }
        let mut stream = self.seed.stream("tsne/start");
        (0..2 * features.rows).map(|_| stream.normal() * 1e-4).collect()
    }

    fn optimise(
        &self,
        perplexity: f64,
        neighbours: &[Vec<Neighbor<f64>>],
        start: Vec<f64>,
    ) -> (Vec<[f64; 2]>, Option<SparseAffinities<f64>>) {
        let mut tsne: tSNE<f64, Vec<Neighbor<f64>>> = tSNE::new(neighbours);
        // The crate acts after the iteration of that number, counted from 0.
        let early = 250.min(self.iterations).saturating_sub(1);
        tsne.perplexity(perplexity)
            .early_exaggeration(self.early_exaggeration)
            .epochs(self.iterations)
            .stop_lying_epoch(early)
            .momentum_switch_epoch(early)
            .initial_embedding(start);
        if let Some(rate) = self.learning_rate {
            tsne.learning_rate(rate);
        }
        tsne.barnes_hut_with_neighbors(self.theta, neighbours);
        let points = tsne.embedding().chunks_exact(2).map(|p| [p[0], p[1]]).collect();
        (points, tsne.affinities())
    }
}

/// Σ p ln(p / q) over the pairs with p > 0; q is normalised exactly.
fn divergence(affinities: &SparseAffinities<f64>, points: &[[f64; 2]]) -> f64 {
    let kernel = |a: [f64; 2], b: [f64; 2]| 1.0 / (1.0 + (a[0] - b[0]).powi(2) + (a[1] - b[1]).powi(2));
    let row = |i: usize| points.iter().map(|&other| kernel(points[i], other)).sum::<f64>() - 1.0;
    let rows: Vec<f64> = (0..points.len()).into_par_iter().map(row).collect();
    let normaliser: f64 = rows.iter().sum();
    let total: f64 = affinities.values().iter().sum();
    let mut sum = 0.0;
    for (i, span) in affinities.rows().windows(2).enumerate() {
        for entry in span[0]..span[1] {
            let p = affinities.values()[entry] / total;
            let q = kernel(points[i], points[affinities.columns()[entry] as usize]) / normaliser;
            if p > 0.0 {
                sum += p * (p / q.max(f64::MIN_POSITIVE)).ln();
            }
        }
    }
    sum
}

/// `sklearn.manifold.trustworthiness` with 5 neighbours.
fn trustworthiness(features: &Features, points: &[[f64; 2]]) -> Result<f64> {
    let (n, k) = (points.len(), TRUST_NEIGHBOURS);
    if 2 * k >= n {
        return Ok(f64::NAN);
    }
    let flat: Vec<f64> = points.iter().flatten().copied().collect();
    let map = Features::new("t-SNE map", &Tensor::from_vec(flat, (n, 2), &candle_core::Device::Cpu)?)?;
    let near = neighbours::nearest_others(&map, k)?;
    let mut penalty = 0;
    for from in (0..n).step_by(256) {
        let to = (from + 256).min(n);
        let block = features.squared_distances(from, to, features)?;
        penalty += block
            .par_chunks(n)
            .enumerate()
            .map(|(q, distances)| {
                let i = from + q;
                let before = |j: usize| {
                    let nearer = |l: &usize| *l != i && (distances[*l], *l) < (distances[j], j);
                    (0..n).filter(nearer).count() + 1
                };
                near[i].iter().map(|neighbour| before(neighbour.index).saturating_sub(k)).sum::<usize>()
            })
            .sum::<usize>();
    }
    Ok(1.0 - penalty as f64 * 2.0 / (n * k) as f64 / (2.0 * n as f64 - 3.0 * k as f64 - 1.0))
}

impl std::fmt::Debug for Embedding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Embedding { points, kl_divergence, trustworthiness, perplexity } = self;
        write!(
            f,
            "Embedding({} points, KL divergence {kl_divergence:.4}, trustworthiness {trustworthiness:.4}, perplexity {perplexity})",
            points.len()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    #[test]
    fn separate_clusters_stay_separate() {
        let mut stream = Seed(3).stream("clusters");
        let mut values = stream.normals(90 * 10);
        for (i, value) in values.iter_mut().enumerate() {
            *value += if i / 10 % 3 == i % 10 { 20.0 } else { 0.0 };
        }
        let features = Tensor::from_vec(values, (90, 10), &Device::Cpu).unwrap();
        let map = Tsne::new().perplexity(10.0).fit(&features).unwrap();
        let distance =
            |a: usize, b: usize| (map.points[a][0] - map.points[b][0]).hypot(map.points[a][1] - map.points[b][1]);
        for i in 0..90 {
            let other = (0..90).filter(|j| j % 3 != i % 3).map(|j| distance(i, j)).fold(f64::INFINITY, f64::min);
            let same =
                (0..90).filter(|j| *j != i && j % 3 == i % 3).map(|j| distance(i, j)).fold(f64::INFINITY, f64::min);
            assert!(same < other, "point {i}: nearest of its cluster {same}, of another {other}");
        }
    }

    #[test]
    fn few_and_equal_points_do_not_panic() {
        let ones = Tensor::ones((12, 3), candle_core::DType::F32, &Device::Cpu).unwrap();
        let map = Tsne::new().fit(&ones).unwrap();
        assert_eq!(map.perplexity, 3.0);
        let few = Tensor::ones((3, 3), candle_core::DType::F32, &Device::Cpu).unwrap();
        assert!(Tsne::new().fit(&few).unwrap_err().to_string().contains("at least 4"));
        assert!(Tsne::new().perplexity(f64::NAN).fit(&ones).is_err());
    }
}
