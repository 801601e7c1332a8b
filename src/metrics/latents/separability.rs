//! Linear separability (T. Karras et al., "A Style-Based Generator Architecture for GANs", CVPR 2019, arXiv:1812.04948,
//! section 4.2): how well straight planes in a latent space tell attributes apart.

use candle_core::Tensor;

use super::svm::Separator;
use crate::data::tags::Labels;
use crate::metrics::features::neighbours::Features;
use crate::metrics::score::Score;
use crate::show::bundle::{Bundle, Show, displayable};
use crate::show::table::{Best, Table};
use crate::{Error, Result};

/// Latents per attribute below which a plane separates anything: 20 times the dimensions.
const PER_DIMENSION: usize = 20;

/// How well each attribute can be told by a plane in latent space.
#[derive(Clone, Debug, PartialEq)]
pub struct Separability {
    attributes: Vec<Attribute>,
    latents: usize,
    kept: usize,
    dims: usize,
}

#[derive(Clone, Debug, PartialEq)]
struct Attribute {
    name: String,
    positives: usize,
    right: usize,
    entropy: f64,
}

impl Separability {
    /// For every attribute keeps the half of the `latents` `[N, D]` whose pictures were labelled most surely, separates
    /// them with a linear SVM (`sklearn.svm.LinearSVC`'s optimum) and measures the conditional entropy of the label given
    /// the side of the plane. `probabilities` has the labels that a classifier read off the picture of each latent, in
    /// [0, 1]. The paper takes 200,000 latents. Attributes that are numbers are left out.
    ///
    /// # Errors
    /// When there are not as many labels as latents, fewer than four, no attribute, labels of different vocabularies, or
    /// a value is not finite.
    pub fn of(latents: &Tensor, probabilities: &[Labels]) -> Result<Separability> {
        let latents = Features::new("latents", latents)?;
        let n = latents.rows;
        if probabilities.len() != n || n < 4 {
            let found = format!("{} labels for {n} latents", probabilities.len());
            return Err(Error::invalid("separability", found, "one per latent, at least 4", ""));
        }
        let tags = probabilities[0].tags();
        if let Some(other) = probabilities.iter().find(|labels| labels.tags() != tags) {
            let (found, expected) = (format!("{:?}", other.tags()), format!("{tags:?} for all"));
            return Err(Error::invalid("separability", found, expected, ""));
        }
        let switches = tags.tags().iter().enumerate().filter(|(_, tag)| !tag.continuous);
        let attribute = |(id, name): (usize, &str)| {
            let values: Vec<f32> = probabilities.iter().map(|labels| labels.values[id]).collect();
            Attribute::measure(name, &latents, &values)
        };
        let attributes: Vec<Attribute> = switches.map(|(id, tag)| attribute((id, &tag.name))).collect();
        if attributes.is_empty() {
            return Err(Error::invalid("separability", "no attribute", "at least one that is no number", ""));
        }
        Ok(Separability { attributes, latents: n, kept: n / 2, dims: latents.dims })
    }

    /// exp(Σ H) over the attributes, H the conditional entropy in nats (the paper's 2 to the sum in bits): 1 when planes
    /// tell all attributes, twice that for every attribute that they cannot tell at all.
    pub fn score(&self) -> Score {
        let entropy: f64 = self.attributes.iter().map(|attribute| attribute.entropy).sum();
        let protocol = format!(
            "exp of the sum of conditional entropies of {} attributes, linear SVM on the surer {} of {} latents, {} dimensions",
            self.attributes.len(),
            self.kept,
            self.latents,
            self.dims
        );
        let score = Score::new("separability", entropy.exp(), self.kept, protocol).better(Best::Lowest);
        let one_sided = self.attributes.iter().filter(|a| a.positives == 0 || a.positives == self.kept).count();
        let score = score.warn_if(self.kept < PER_DIMENSION * self.dims, || {
            let (kept, dims) = (self.kept, self.dims);
            format!("{kept} latents in {dims} dimensions: a plane fits them better than new ones; take more latents")
        });
        score.warn_if(one_sided > 0, || {
            format!("{one_sided} attributes are on, or off, in all kept latents and count as separable")
        })
    }

    /// One row per attribute: on which share it is on, how many lie on their side of the plane, and the entropy left.
    ///
    /// # Errors
    /// When the table cannot be made.
    pub fn table(&self) -> Result<Table> {
        let kept = self.kept as f64;
        let rows = || self.attributes.iter();
        Table::builder()
            .text("attribute", rows().map(|attribute| attribute.name.clone()))
            .numbers("on", rows().map(|attribute| attribute.positives as f64 / kept))
            .numbers("told right", rows().map(|attribute| attribute.right as f64 / kept))
            .numbers("entropy (nats)", rows().map(|attribute| attribute.entropy))
            .best("entropy (nats)", Best::Lowest)
            .caption("Linear separability")
            .note(self.score().to_string())
            .build()
    }
}

impl Attribute {
    fn measure(name: &str, latents: &Features, probabilities: &[f32]) -> Attribute {
        let unsure = |i: &usize| -(probabilities[*i] - 0.5).abs();
        let mut rows: Vec<usize> = (0..probabilities.len()).collect();
        rows.sort_by(|a, b| unsure(a).total_cmp(&unsure(b)));
        rows.truncate(probabilities.len() / 2);
        let positive: Vec<bool> = rows.iter().map(|i| probabilities[*i] >= 0.5).collect();
        let positives = positive.iter().filter(|positive| **positive).count();
        let name = name.to_string();
        if positives == 0 || positives == rows.len() {
            return Attribute { name, positives, right: rows.len(), entropy: 0.0 };
        }
        let separator = Separator::fit(latents, &rows, &positive);
        let mut counts = [[0usize; 2]; 2];
        for (row, label) in rows.iter().zip(&positive) {
            counts[usize::from(separator.positive(latents, *row))][usize::from(*label)] += 1;
        }
        Attribute { name, positives, right: counts[0][0] + counts[1][1], entropy: conditional_entropy(counts) }
    }
}

/// H(column | row) in nats.
fn conditional_entropy(counts: [[usize; 2]; 2]) -> f64 {
    let all: usize = counts.iter().flatten().sum();
    let term = |row: &[usize; 2], count: usize| match count {
        0 => 0.0,
        count => -(count as f64 / all as f64) * (count as f64 / (row[0] + row[1]) as f64).ln(),
    };
    counts.iter().flat_map(|row| row.map(|count| term(row, count))).sum()
}

impl Show for Separability {
    fn bundle(&self) -> Result<Bundle> {
        self.table()?.bundle()
    }
}

displayable!(Separability);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::tags::TagSet;
    use crate::rng::Seed;
    use candle_core::Device;

    #[test]
    fn entropies_by_hand() {
        assert_eq!(conditional_entropy([[5, 0], [0, 7]]), 0.0);
        assert!((conditional_entropy([[3, 3], [3, 3]]) - 2f64.ln()).abs() < 1e-15);
        let expected = 0.8 * -(0.75f64 * 0.75f64.ln() + 0.25 * 0.25f64.ln());
        assert!((conditional_entropy([[6, 2], [0, 2]]) - expected).abs() < 1e-15);
    }

    #[test]
    fn planes_tell_what_lies_on_two_sides() {
        let tags = TagSet::from_names(&["side", "circle", "never"]).unwrap();
        let latents = Seed(9).stream("z").normal_tensor(&[600, 2], &Device::Cpu).unwrap();
        let labels: Vec<Labels> = latents
            .to_vec2::<f32>()
            .unwrap()
            .iter()
            .map(|z| {
                let switch = |on: bool| if on { 0.75 } else { 0.25 };
                let round = z[0] * z[0] + z[1] * z[1] < 1.4;
                tags.labels_from(vec![switch(z[0] + z[1] > 0.3), switch(round), 0.0]).unwrap()
            })
            .collect();
        let found = Separability::of(&latents, &labels).unwrap();
        let entropy = |i: usize| found.attributes[i].entropy;
        assert!(entropy(0) < 0.15 && entropy(1) > 0.5 && entropy(2) == 0.0, "{found:?}, seed 9");
        let score = found.score();
        assert!((score.value.ln() - entropy(0) - entropy(1)).abs() < 1e-12, "{score}");
        assert!(score.warnings[0].contains("1 attributes are on, or off"), "{score}");
        assert!(Separability::of(&latents, &labels[1..]).is_err());
    }
}
