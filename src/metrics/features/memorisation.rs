//! Memorisation: are generated pictures new, or copies of training pictures?

use candle_core::Tensor;

use super::neighbours::{self, Features, Neighbour};
use crate::Result;
use crate::metrics::score::Score;
use crate::show::bundle::{Bundle, Show, displayable};
use crate::show::table::Table;

/// Rows of the table.
const CLOSEST: usize = 10;
/// z below which the copying test speaks of copies (one-sided, about 1 in 1,000 by chance).
const COPIES: f64 = -3.0;

/// How near generated pictures come to training pictures, beside how near these come to each other.
#[derive(Clone, Debug, PartialEq)]
pub struct Memorisation {
    /// The nearest training picture of every generated one.
    pub nearest: Vec<Neighbour>,
    /// Distance of every training picture to its nearest other training picture.
    pub own: Vec<f64>,
    held_out: Option<Vec<f64>>,
}

impl Memorisation {
    /// Looks for the nearest training picture (Euclidean distance of features `[N, D]`) of every generated picture, and
    /// of every one of `held_out`, real pictures that were not trained on.
    ///
    /// # Errors
    /// When the feature sizes differ, a value is not finite, or there are fewer than two training pictures.
    pub fn of(generated: &Tensor, training: &Tensor, held_out: Option<&Tensor>) -> Result<Memorisation> {
        let first = |near: Vec<Vec<Neighbour>>| near.into_iter().flatten().collect::<Vec<Neighbour>>();
        let nearest = first(neighbours::nearest(generated, training, 1)?);
        let own = first(neighbours::nearest_others(&Features::new("training features", training)?, 1)?);
        let held_out = held_out.map(|held_out| neighbours::nearest(held_out, training, 1)).transpose()?;
        let distances = |near: Vec<Neighbour>| near.iter().map(|neighbour| neighbour.distance).collect();
        Ok(Memorisation { nearest, own: distances(own), held_out: held_out.map(|near| distances(first(near))) })
    }

    /// Distance of generated picture `i` to its nearest training picture over the distance of that one to its own
    /// nearest: below 1 the generated picture is nearer than any other training picture.
    pub fn ratio(&self, i: usize) -> f64 {
        let near = &self.nearest[i];
        if near.distance == 0.0 { 0.0 } else { near.distance / self.own[near.index] }
    }

    /// Authenticity (A. Alaa et al. 2022, arXiv:2102.08921, section 4): the share of the generated pictures that are
    /// farther from their nearest training picture than that one from its own nearest, in [0, 1]. A generator that
    /// draws from the distribution of the training pictures has about one half.
    pub fn authenticity(&self) -> Score {
        let authentic = (0..self.nearest.len()).filter(|i| self.ratio(*i) > 1.0).count();
        let protocol = "share farther from the nearest training picture than that one from its own nearest (L2)";
        Score::share_of("authenticity", authentic, self.nearest.len(), protocol).against(self.own.len())
    }

    /// The test for copying of C. Meehan, K. Chaudhuri and S. Dasgupta 2020 (arXiv:2004.05675, section 4) in one cell:
    /// Mann and Whitney's U of the distances to the nearest training picture, generated against held out, as a z score.
    /// About 0 for a good generator; far below 0, generated pictures are nearer to the training pictures than new real
    /// ones are: copies. None without held-out pictures.
    pub fn copying(&self) -> Option<Score> {
        let held_out = self.held_out.as_ref()?;
        let generated: Vec<f64> = self.nearest.iter().map(|near| near.distance).collect();
        let value = mann_whitney(&generated, held_out);
        let protocol = "z of Mann and Whitney's U, distances to the nearest training picture (L2), against held out";
        let score = Score::new("copying z", value, generated.len(), protocol).against(held_out.len());
        let warning = || "generated pictures are nearer to training pictures than held-out ones: copies".to_string();
        Some(score.warn_if(value < COPIES, warning))
    }

    /// Generated pictures by [`Memorisation::ratio`], the most suspicious first.
    pub fn suspects(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.nearest.len()).collect();
        order.sort_by(|a, b| self.ratio(*a).total_cmp(&self.ratio(*b)).then(a.cmp(b)));
        order
    }

    /// The ten most suspicious pictures, each with its nearest training picture.
    ///
    /// # Errors
    /// When the table cannot be made.
    pub fn table(&self) -> Result<Table> {
        let rows: Vec<usize> = self.suspects().into_iter().take(CLOSEST).collect();
        let near = || rows.iter().map(|i| &self.nearest[*i]);
        let table = Table::builder()
            .integers("generated", rows.iter().copied())
            .integers("training", near().map(|near| near.index))
            .numbers("distance", near().map(|near| near.distance))
            .numbers("its own nearest", near().map(|near| self.own[near.index]))
            .numbers("ratio", rows.iter().map(|i| self.ratio(*i)))
            .digits("ratio", 2)
            .caption("Generated pictures that are nearest to training pictures")
            .note(self.authenticity().to_string());
        match self.copying() {
            Some(copying) => table.note(copying.to_string()).build(),
            None => table.note("without held-out pictures there is no test for copying").build(),
        }
    }
}

/// z of U = number of pairs in which the first is larger (ties count half), without correction for ties.
fn mann_whitney(first: &[f64], second: &[f64]) -> f64 {
    let mut sorted = second.to_vec();
    sorted.sort_by(f64::total_cmp);
    let below = |v: f64| sorted.partition_point(|other| *other < v) + sorted.partition_point(|other| *other <= v);
    let u = first.iter().map(|v| below(*v) as f64 / 2.0).sum::<f64>();
    let (m, n) = (first.len() as f64, second.len() as f64);
    (u - m * n / 2.0) / (m * n * (m + n + 1.0) / 12.0).sqrt()
}

impl Show for Memorisation {
    fn bundle(&self) -> Result<Bundle> {
        self.table()?.bundle()
    }
}

displayable!(Memorisation);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Seed;
    use candle_core::Device;

    fn normal(name: &str, n: usize) -> Tensor {
        Seed(3).stream(name).normal_tensor(&[n, 5], &Device::Cpu).unwrap()
    }

    #[test]
    fn copies_are_told_from_new_pictures() {
        let (training, held_out) = (normal("training", 400), normal("held out", 200));
        let new = Memorisation::of(&normal("new", 200), &training, Some(&held_out)).unwrap();
        let noise = (normal("noise", 200) * 0.01).unwrap();
        let copies = (training.narrow(0, 100, 200).unwrap() + noise).unwrap();
        let copied = Memorisation::of(&copies, &training, Some(&held_out)).unwrap();
        let z = |found: &Memorisation| found.copying().unwrap();
        assert!(z(&new).value.abs() < 3.0 && z(&new).warnings.is_empty(), "{}, seed 3", z(&new));
        assert!(z(&copied).value < -10.0 && z(&copied).warnings.len() == 1, "{}", z(&copied));
        let (honest, caught) = (new.authenticity().value, copied.authenticity().value);
        assert!((0.35..0.65).contains(&honest) && caught < 0.05, "{honest}, {caught}, seed 3");
        assert!((0..200).all(|i| copied.nearest[i].index == 100 + i));
        assert_eq!(copied.table().unwrap().height(), 10);
        assert!(Memorisation::of(&copies, &training, None).unwrap().copying().is_none());
        let ratios: Vec<f64> = copied.suspects().into_iter().map(|i| copied.ratio(i)).collect();
        assert!(ratios.is_sorted());
    }

    /// scipy.stats.mannwhitneyu([1, 2, 5], [3, 4, 6, 7]) says U = 2.
    #[test]
    fn the_statistic_by_hand() {
        let z = mann_whitney(&[1.0, 2.0, 5.0], &[3.0, 4.0, 6.0, 7.0]);
        assert!((z - (2.0 - 6.0) / 8f64.sqrt()).abs() < 1e-12, "{z}");
        assert_eq!(mann_whitney(&[1.0, 2.0], &[1.0, 2.0]), 0.0);
    }
}
