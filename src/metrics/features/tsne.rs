//! t-SNE (L. van der Maaten, "Accelerating t-SNE using Tree-Based Algorithms", JMLR 2014) with scikit-learn's defaults.
//!
//! The crate `bhtsne` gives the similarities and the Barnes–Hut tree. The descent is written here, because the crate's
//! own ends at a much larger divergence (0.86 against scikit-learn's 0.67 on the digits: its steps grow to twice the
//! first at most and its angle is twice as wide), searches neighbours at random, and changes with the number of threads.
//! This one depends on the data and the seed only.

use barnes_hut_tree::{BarnesHutTree, Dim, Morton};
use bhtsne::{Neighbor, tSNE};
use candle_core::Tensor;
use rayon::prelude::*;

use super::neighbours::{self, Features};
use super::pca;
use crate::rng::Seed;
use crate::{Error, Result};

/// Neighbours that [`Embedding::trustworthiness`] looks at, as scikit-learn does by default.
const TRUST_NEIGHBOURS: usize = 5;

/// Iterations with exaggerated attraction.
const EARLY: usize = 250;

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

    /// Angle of the Barnes–Hut approximation: the width of a group of points over its distance. Smaller is slower and
    /// more exact, 0 is exact.
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
        let similarities = Similarities::new(perplexity, &neighbours)?;
        let points = self.descend(&similarities, self.start(&features));
        if points.iter().flatten().any(|v| !v.is_finite()) {
            let hint = "Use a smaller learning rate.";
            return Err(Error::invalid("t-SNE", "a map that is not finite", "finite positions", hint));
        }
        let kl_divergence = divergence(&similarities, &points);
        let trustworthiness = trustworthiness(&features, &points)?;
        Ok(Embedding { points, kl_divergence, trustworthiness, perplexity })
    }

    fn check(&self) -> Result<()> {
        let least_of = [
            ("perplexity", self.perplexity, 1.0),
            ("early exaggeration", self.early_exaggeration, 1.0),
            ("learning rate", self.learning_rate.unwrap_or(50.0), f64::MIN_POSITIVE),
            ("theta", self.theta, 0.0),
        ];
        for (what, value, least) in least_of {
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

    /// scikit-learn's gradient descent: an exaggerated phase, then a plain one with a fresh velocity.
    fn descend(&self, similarities: &Similarities, mut y: Vec<f64>) -> Vec<[f64; 2]> {
        let n = similarities.rows.len() - 1;
        let rate = self.learning_rate.unwrap_or_else(|| (n as f64 / self.early_exaggeration / 4.0).max(50.0));
        let early = EARLY.min(self.iterations);
        // The tree compares half the width of a cell with its distance, scikit-learn the whole.
        let angle = self.theta / 2.0;
        let mut tree = BarnesHutTree::<f64, <Dim<2> as Morton<2>>::Word, 2>::empty();
        for (iterations, momentum, exaggeration) in
            [(early, 0.5, self.early_exaggeration), (self.iterations - early, 0.8, 1.0)]
        {
            let mut velocity = vec![0.0; 2 * n];
            let mut gains = vec![1.0; 2 * n];
            for _ in 0..iterations {
                tree.rebuild_uniform(&y);
                let force = |i: usize| {
                    let (mut repulsion, mut mass) = ([0.0; 2], 0.0);
                    let mut stack = <Dim<2> as Morton<2>>::empty_stack();
                    tree.compute_non_edge_forces(i, angle * angle, &y, &mut repulsion, &mut mass, stack.as_mut());
                    (similarities.attraction(i, &y), repulsion, mass)
                };
                let forces: Vec<_> = (0..n).into_par_iter().map(force).collect();
                let normaliser: f64 = forces.iter().map(|(.., mass)| mass).sum();
                for (i, (attraction, repulsion, _)) in forces.iter().enumerate() {
                    for axis in 0..2 {
                        let at = 2 * i + axis;
                        let gradient = 4.0 * (exaggeration * attraction[axis] - repulsion[axis] / normaliser);
                        let turned = velocity[at] * gradient < 0.0;
                        gains[at] = if turned { gains[at] + 0.2 } else { (gains[at] * 0.8f64).max(0.01) };
                        velocity[at] = momentum * velocity[at] - rate * gains[at] * gradient;
                        y[at] += velocity[at];
                    }
                }
            }
        }
        y.chunks_exact(2).map(|p| [p[0], p[1]]).collect()
    }
}

/// Joint probabilities of neighbouring points in feature space: a sparse symmetric matrix that sums to 1.
struct Similarities {
    /// Where each row begins, and where the last one ends.
    rows: Vec<usize>,
    columns: Vec<u32>,
    values: Vec<f64>,
}

impl Similarities {
    /// Gaussian similarities, as wide around each point as the perplexity asks.
    fn new(perplexity: f64, neighbours: &[Vec<Neighbor<f64>>]) -> Result<Self> {
        let failed = |e: rayon::ThreadPoolBuildError| Error::invalid("t-SNE thread", e.to_string(), "one thread", "");
        // On one thread, because the crate's sums over several depend on how many there are.
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().map_err(failed)?;
        let affinities = pool.install(|| {
            let mut tsne: tSNE<f64, Vec<Neighbor<f64>>> = tSNE::new(neighbours);
            tsne.perplexity(perplexity).epochs(0).initial_embedding(vec![0.0; 2 * neighbours.len()]);
            tsne.barnes_hut_with_neighbors(0.5, neighbours);
            tsne.affinities()
        });
        let Some(found) = affinities else {
            return Err(Error::invalid("t-SNE", "no similarities", "similarities of neighbouring points", ""));
        };
        let total: f64 = found.values().iter().sum();
        let values = found.values().iter().map(|value| value / total).collect();
        Ok(Similarities { rows: found.rows().to_vec(), columns: found.columns().to_vec(), values })
    }

    /// Column and value of each entry of row `i`.
    fn row(&self, i: usize) -> impl Iterator<Item = (usize, f64)> {
        let span = self.rows[i]..self.rows[i + 1];
        self.columns[span.clone()].iter().map(|&column| column as usize).zip(self.values[span].iter().copied())
    }

    /// The pull on point `i` of its neighbours on the map.
    fn attraction(&self, i: usize, y: &[f64]) -> [f64; 2] {
        let mut pull = [0.0; 2];
        for (j, p) in self.row(i) {
            let (dx, dy) = (y[2 * i] - y[2 * j], y[2 * i + 1] - y[2 * j + 1]);
            let weight = p / (1.0 + dx * dx + dy * dy);
            pull = [pull[0] + weight * dx, pull[1] + weight * dy];
        }
        pull
    }
}

/// Σ p ln(p / q) over the pairs with p > 0; q is normalised exactly.
fn divergence(similarities: &Similarities, points: &[[f64; 2]]) -> f64 {
    let kernel = |a: [f64; 2], b: [f64; 2]| 1.0 / (1.0 + (a[0] - b[0]).powi(2) + (a[1] - b[1]).powi(2));
    let row = |i: usize| points.iter().map(|&other| kernel(points[i], other)).sum::<f64>() - 1.0;
    let rows: Vec<f64> = (0..points.len()).into_par_iter().map(row).collect();
    let normaliser: f64 = rows.iter().sum();
    let mut sum = 0.0;
    for i in 0..points.len() {
        for (j, p) in similarities.row(i).filter(|(_, p)| *p > 0.0) {
            let q = kernel(points[i], points[j]) / normaliser;
            sum += p * (p / q.max(f64::MIN_POSITIVE)).ln();
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
    let slack = 2.0 * features.slack(features);
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
                    let reach = features.distance(i, features, j);
                    let nearer = |l: &usize| {
                        let apart = distances[*l] - distances[j];
                        // Where rounding could decide, the distances are measured again, exactly.
                        let exactly = || (features.distance(i, features, *l), *l) < (reach, j);
                        *l != i && if apart.abs() > slack { apart < 0.0 } else { exactly() }
                    };
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
