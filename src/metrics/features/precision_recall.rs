//! How much of what is generated is real, and how much of what is real is generated.
//!
//! Precision and recall of T. Kynkäänniemi et al. 2019 (arXiv:1904.06991), density and coverage of M. Naeem et al. 2020
//! (arXiv:2002.09797). All of them put a ball around every picture of one set, as wide as the distance to its k-th
//! nearest other picture of that set, and look which pictures of the other set lie inside.

use candle_core::Tensor;
use rayon::prelude::*;

use super::neighbours::{self, BLOCK, Features};
use crate::Result;
use crate::metrics::score::Score;
use crate::show::table::Best;

/// Neighbours of precision and recall in their paper and in torch-fidelity.
const PRECISION_NEIGHBOURS: usize = 3;
/// Neighbours of density and coverage in the code of their authors.
const DENSITY_NEIGHBOURS: usize = 5;
/// Below this many pictures a set the balls are wide and everything lies inside one.
const FEW: usize = 1000;

/// Precision: the share of the generated pictures that lie in or on the ball of a real one; recall: the share of the
/// real ones in or on the ball of a generated one. Both in [0, 1], with Wilson intervals that take the balls as
/// given. Features `[N, D]`; k = 3 as torch-fidelity.
///
/// # Errors
/// When the feature sizes differ, a value is not finite, or a set has fewer than 4 pictures.
pub fn precision_recall(real: &Tensor, generated: &Tensor) -> Result<[Score; 2]> {
    precision_recall_of(real, generated, PRECISION_NEIGHBOURS)
}

/// [`precision_recall`] with another number of neighbours.
///
/// # Errors
/// As [`precision_recall`]; a set needs more than `k` pictures.
pub fn precision_recall_of(real: &Tensor, generated: &Tensor, k: usize) -> Result<[Score; 2]> {
    let [real, generated] = read(real, generated)?;
    let precision = inside(&generated, &real, &radii(&real, k)?, Edge::Included)?.hits();
    let recall = inside(&real, &generated, &radii(&generated, k)?, Edge::Included)?.hits();
    let share = |name, hits, n, references| {
        let protocol = format!("share inside balls to the {k}. neighbour, edge included");
        few(Score::share_of(name, hits, n, protocol).against(references))
    };
    let precision = share("precision", precision, generated.rows, real.rows);
    // Recall asks about the real pictures, so that these are its samples.
    Ok([precision, share("recall", recall, real.rows, generated.rows)])
}

/// Density: how many balls of real pictures a generated picture lies in, over k, from 0 on (about 1 for equal sets, more
/// where the generated ones crowd together); coverage: the share of the real pictures whose ball holds a generated one,
/// in [0, 1]. Features `[N, D]`; k = 5 as in the authors' code.
///
/// # Errors
/// When the feature sizes differ, a value is not finite, or the real set has fewer than 6 pictures.
pub fn density_coverage(real: &Tensor, generated: &Tensor) -> Result<[Score; 2]> {
    density_coverage_of(real, generated, DENSITY_NEIGHBOURS)
}

/// [`density_coverage`] with another number of neighbours.
///
/// # Errors
/// As [`density_coverage`]; the real set needs more than `k` pictures.
pub fn density_coverage_of(real: &Tensor, generated: &Tensor, k: usize) -> Result<[Score; 2]> {
    let [real, generated] = read(real, generated)?;
    let found = inside(&generated, &real, &radii(&real, k)?, Edge::Excluded)?;
    let per_picture: Vec<f64> = found.balls.iter().map(|balls| *balls as f64 / k as f64).collect();
    let protocol = format!("balls of real pictures to the {k}. neighbour, edge excluded");
    let density = Score::mean_of("density", &per_picture, protocol.clone()).against(real.rows).better(Best::Highest);
    let covered = found.filled.iter().filter(|filled| **filled).count();
    let coverage = Score::share_of("coverage", covered, real.rows, protocol).against(generated.rows);
    Ok([few(density), few(coverage)])
}

fn read(real: &Tensor, generated: &Tensor) -> Result<[Features; 2]> {
    let (real, generated) = (Features::new("real features", real)?, Features::new("generated features", generated)?);
    generated.same_dims(&real)?;
    Ok([real, generated])
}

fn few(score: Score) -> Score {
    let smaller = score.references.map_or(score.n, |references| references.min(score.n));
    let warning = || format!("{smaller} pictures: balls are wide, values too large; KID has no such bias");
    score.warn_if(smaller < FEW, warning)
}

/// Distance of every row to its k-th nearest other row.
fn radii(set: &Features, k: usize) -> Result<Vec<f64>> {
    let near = neighbours::nearest_others(set, k)?;
    Ok(near.iter().filter_map(|row| row.last()).map(|neighbour| neighbour.distance).collect())
}

/// Whether a point on the edge of a ball is inside.
#[derive(Clone, Copy, PartialEq)]
enum Edge {
    Included,
    Excluded,
}

/// Which points lie in which balls.
struct Inside {
    /// For every point, how many balls it lies in.
    balls: Vec<usize>,
    /// For every ball, whether a point lies in it.
    filled: Vec<bool>,
}

impl Inside {
    fn hits(&self) -> usize {
        self.balls.iter().filter(|balls| **balls > 0).count()
    }
}

fn inside(points: &Features, centres: &Features, radii: &[f64], edge: Edge) -> Result<Inside> {
    let slack = points.slack(centres);
    let mut found = Inside { balls: Vec::with_capacity(points.rows), filled: vec![false; centres.rows] };
    for from in (0..points.rows).step_by(BLOCK) {
        let to = (from + BLOCK).min(points.rows);
        let block = points.squared_distances(from, to, centres)?;
        let lies = |point: usize, ball: usize, squared: f64| {
            let reach = radii[ball] * radii[ball];
            // Near the edge rounding could decide, so that the distance is measured again, exactly.
            if (squared - reach).abs() > 2.0 * slack {
                return squared < reach;
            }
            let distance = points.distance(point, centres, ball);
            distance < radii[ball] || (edge == Edge::Included && distance == radii[ball])
        };
        let rows: Vec<Vec<usize>> = block
            .par_chunks(centres.rows)
            .enumerate()
            .map(|(q, squared)| (0..centres.rows).filter(|&ball| lies(from + q, ball, squared[ball])).collect())
            .collect();
        for row in rows {
            found.balls.push(row.len());
            row.into_iter().for_each(|ball| found.filled[ball] = true);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Seed;
    use candle_core::Device;

    fn line(values: &[f64]) -> Tensor {
        Tensor::from_slice(values, (values.len(), 1), &Device::Cpu).unwrap()
    }

    /// Real 0, 1, 2, 3 with k = 1: balls of radius 1. Generated 1.5, 4, 10, 12: their balls have radii 2.5, 2.5, 2, 2.
    #[test]
    fn points_on_a_line_by_hand() {
        let (real, generated) = (line(&[0.0, 1.0, 2.0, 3.0]), line(&[1.5, 4.0, 10.0, 12.0]));
        let [precision, recall] = precision_recall_of(&real, &generated, 1).unwrap();
        // 1.5 lies in the balls of 1 and 2, 4 on the edge of that of 3.
        assert_eq!((precision.value, recall.value), (0.5, 1.0));
        let [density, coverage] = density_coverage_of(&real, &generated, 1).unwrap();
        assert_eq!((density.value, coverage.value), (0.5, 0.5));
        assert!(precision.warnings[0].contains("KID"), "{precision}");
    }

    #[test]
    fn a_set_is_its_own_equal_even_with_copies_in_it() {
        let row = Seed(1).stream("row").normal_tensor(&[40, 33], &Device::Cpu).unwrap();
        let set = (Tensor::cat(&[&row, &row, &row, &row, &row], 0).unwrap() * 100.0).unwrap();
        // Five copies of each: all radii are 0, and every picture lies on the edge of its copies' balls.
        let [precision, recall] = precision_recall(&set, &set).unwrap();
        assert_eq!((precision.value, recall.value), (1.0, 1.0));
        let far = (&set + 1e4).unwrap();
        let [precision, recall] = precision_recall(&set, &far).unwrap();
        assert_eq!((precision.value, recall.value), (0.0, 0.0));
        assert!(precision_recall(&set, &far.narrow(0, 0, 3).unwrap()).is_err());
    }
}
