//! A linear support vector machine with squared hinge loss, the optimum that scikit-learn's `LinearSVC` looks for:
//! ½|w|² + C Σ max(0, 1 − y w·x)², C = 1, the offset one more weight (and part of |w|).
//!
//! The loss is strictly convex and has one minimum. It is found by Newton's method with conjugate gradients (C. Lin,
//! R. Weng and S. Keerthi, "Trust region Newton method for large-scale logistic regression", JMLR 2008, with a line
//! search instead of the trust region). Sums run over blocks of rows in a fixed order: threads do not change them.

use rayon::prelude::*;

use crate::metrics::features::neighbours::Features;

const C: f64 = 1.0;
const BLOCK: usize = 512;
/// Shrinkage of the gradient at which the minimum is reached.
const TOLERANCE: f64 = 1e-9;
const ROUNDS: usize = 200;

/// A trained separator.
pub(crate) struct Separator {
    /// One weight per feature, then the offset.
    pub weights: Vec<f64>,
}

/// The rows to learn from.
struct Problem<'a> {
    features: &'a Features,
    rows: &'a [usize],
    positive: &'a [bool],
}

impl Separator {
    /// Learns to tell the `rows` with `positive` from the others (one entry per row).
    pub(crate) fn fit(features: &Features, rows: &[usize], positive: &[bool]) -> Separator {
        let problem = Problem { features, rows, positive };
        let mut weights = vec![0.0; features.dims + 1];
        let mut scores = problem.scores(&weights);
        let mut start = None;
        for _ in 0..ROUNDS {
            let gradient = problem.gradient(&weights, &scores);
            let size = norm(&gradient);
            if size <= TOLERANCE * *start.get_or_insert(size) {
                break;
            }
            let step = problem.newton_step(&gradient, &scores);
            let along = problem.scores(&step);
            let Some(length) = problem.line_search(&weights, &scores, &step, &along, dot(&gradient, &step)) else {
                // The loss cannot be told from that of the minimum any more.
                break;
            };
            weights.iter_mut().zip(&step).for_each(|(w, s)| *w += length * s);
            scores.iter_mut().zip(&along).for_each(|(score, s)| *score += length * s);
        }
        Separator { weights }
    }

    /// On which side row `i` lies.
    pub(crate) fn positive(&self, features: &Features, i: usize) -> bool {
        score(&self.weights, features.row(i)) > 0.0
    }
}

impl Problem<'_> {
    fn label(&self, i: usize) -> f64 {
        if self.positive[i] { 1.0 } else { -1.0 }
    }

    fn active(&self, i: usize, scores: &[f64]) -> bool {
        self.label(i) * scores[i] < 1.0
    }

    /// w·x of every row.
    fn scores(&self, weights: &[f64]) -> Vec<f64> {
        self.rows.par_iter().map(|row| score(weights, self.features.row(*row))).collect()
    }

    fn loss(&self, weights: &[f64], scores: impl Fn(usize) -> f64) -> f64 {
        let hinge = |i: usize| (1.0 - self.label(i) * scores(i)).max(0.0).powi(2);
        0.5 * dot(weights, weights) + C * (0..self.rows.len()).map(hinge).sum::<f64>()
    }

    /// Σ factor(i) x over the rows for which there is a factor.
    fn combine(&self, factor: impl Fn(usize) -> Option<f64> + Sync) -> Vec<f64> {
        let block = |from: usize| {
            let mut sum = vec![0.0; self.features.dims + 1];
            for i in from..(from + BLOCK).min(self.rows.len()) {
                if let Some(factor) = factor(i) {
                    let row = self.features.row(self.rows[i]).iter().chain([&1.0]);
                    sum.iter_mut().zip(row).for_each(|(sum, x)| *sum += factor * x);
                }
            }
            sum
        };
        let starts: Vec<usize> = (0..self.rows.len()).step_by(BLOCK).collect();
        let parts: Vec<Vec<f64>> = starts.into_par_iter().map(block).collect();
        let mut sum = vec![0.0; self.features.dims + 1];
        for part in parts {
            sum.iter_mut().zip(part).for_each(|(sum, part)| *sum += part);
        }
        sum
    }

    fn gradient(&self, weights: &[f64], scores: &[f64]) -> Vec<f64> {
        let factor = |i: usize| self.active(i, scores).then(|| 2.0 * C * (scores[i] - self.label(i)));
        let mut gradient = self.combine(factor);
        gradient.iter_mut().zip(weights).for_each(|(g, w)| *g += w);
        gradient
    }

    /// Solves (1 + 2C Σ x xᵀ over active rows) step = −gradient.
    fn newton_step(&self, gradient: &[f64], scores: &[f64]) -> Vec<f64> {
        let mut step = vec![0.0; gradient.len()];
        let mut left: Vec<f64> = gradient.iter().map(|g| -g).collect();
        let mut direction = left.clone();
        let mut size = dot(&left, &left);
        let enough = size * 1e-8;
        for _ in 0..2 * gradient.len() {
            if size <= enough {
                break;
            }
            let along = self.scores(&direction);
            let mut curved = self.combine(|i| self.active(i, scores).then(|| 2.0 * C * along[i]));
            curved.iter_mut().zip(&direction).for_each(|(c, d)| *c += d);
            let length = size / dot(&direction, &curved);
            step.iter_mut().zip(&direction).for_each(|(s, d)| *s += length * d);
            left.iter_mut().zip(&curved).for_each(|(l, c)| *l -= length * c);
            let next = dot(&left, &left);
            direction.iter_mut().zip(&left).for_each(|(d, l)| *d = l + next / size * *d);
            size = next;
        }
        step
    }

    /// The first of 1, ½, ¼ … that lowers the loss as much as the slope promises.
    fn line_search(&self, weights: &[f64], scores: &[f64], step: &[f64], along: &[f64], slope: f64) -> Option<f64> {
        let before = self.loss(weights, |i| scores[i]);
        let lowers = |length: &f64| {
            let there: Vec<f64> = weights.iter().zip(step).map(|(w, s)| w + length * s).collect();
            self.loss(&there, |i| scores[i] + length * along[i]) <= before + 1e-4 * length * slope
        };
        (0..40).map(|halvings| 0.5f64.powi(halvings)).find(lowers)
    }
}

fn score(weights: &[f64], row: &[f64]) -> f64 {
    dot(&weights[..row.len()], row) + weights[row.len()]
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn norm(v: &[f64]) -> f64 {
    dot(v, v).sqrt()
}
