//! Drawing attributes for pictures that do not exist yet.

use serde::{Deserialize, Serialize};

use super::{Labels, TagSet};
use crate::rng::Stream;
use crate::{Error, Result};

/// Chance of an attribute outside the exclusive groups in the paper's rule.
const INDEPENDENT: f64 = 0.25;

/// How attributes are drawn. Continuous tags are uniform in [0, 1] under every rule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TagSampler {
    /// The make.girls.moe paper, section 3.2: one tag of every exclusive group, all equally likely; each of the others
    /// with probability 0.25.
    #[default]
    Uniform,
    /// By the chances of the tag set: for make.girls.moe those of the official web site, for a data set of your own
    /// the share of its pictures that carry the tag.
    Frequencies,
}

impl TagSampler {
    /// One draw. Exclusive groups come first, in their order, then the other tags in label order.
    ///
    /// # Errors
    /// `Frequencies` with a tag set that has no chances.
    pub fn sample(&self, tags: &TagSet, stream: &mut Stream) -> Result<Labels> {
        let mut labels = tags.labels();
        for group in tags.groups().iter().filter(|group| !group.members.is_empty()) {
            let weights = group.members.iter().map(|id| self.weight(tags, *id, 1.0)).collect::<Result<Vec<_>>>()?;
            labels.values[group.members[stream.weighted(&weights)]] = 1.0;
        }
        for (id, tag) in tags.tags().iter().enumerate() {
            if tag.continuous {
                labels.values[id] = stream.uniform() as f32;
            } else if tags.group_of(id).is_none() && stream.chance(self.weight(tags, id, INDEPENDENT)?) {
                labels.values[id] = 1.0;
            }
        }
        Ok(labels)
    }

    fn weight(self, tags: &TagSet, id: usize, uniform: f64) -> Result<f64> {
        let tag = &tags.tags()[id];
        match (self, tag.chance) {
            (TagSampler::Uniform, _) => Ok(uniform),
            (TagSampler::Frequencies, Some(chance)) => Ok(chance),
            (TagSampler::Frequencies, None) => Err(Error::invalid(
                format!("chance of the tag \"{}\"", tag.name),
                "none",
                "a probability for every tag",
                "Use TagSampler::Uniform, take the tags from a data set (dataset.tags()), or give them with with_chances.",
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Seed;

    fn shares(sampler: TagSampler, tags: &TagSet, n: usize) -> Vec<f64> {
        let mut stream = Seed(11).stream("tags");
        let mut sums = vec![0.0; tags.len()];
        for _ in 0..n {
            let labels = sampler.sample(tags, &mut stream).unwrap();
            for group in tags.groups() {
                assert_eq!(group.members.iter().map(|id| labels.values[*id]).sum::<f32>(), 1.0);
            }
            sums.iter_mut().zip(&labels.values).for_each(|(sum, value)| *sum += f64::from(*value));
        }
        sums.into_iter().map(|sum| sum / n as f64).collect()
    }

    fn close(found: f64, wanted: f64, n: usize) -> bool {
        (found - wanted).abs() < 4.5 * (wanted * (1.0 - wanted) / n as f64).sqrt()
    }

    #[test]
    fn the_papers_rule() {
        let (tags, n) = (TagSet::make_girls(), 20_000);
        for (id, share) in shares(TagSampler::Uniform, &tags, n).into_iter().enumerate() {
            let wanted = match id {
                0..13 => 1.0 / 13.0,
                24.. => 0.1,
                _ => 0.25,
            };
            assert!(close(share, wanted, n), "{}: {share}, seed 11", tags.names()[id]);
        }
    }

    #[test]
    fn the_web_sites_rule() {
        let (tags, n) = (TagSet::make_girls(), 20_000);
        let share = shares(TagSampler::Frequencies, &tags, n);
        let wanted = [("blonde hair", 4991.0 / 31255.0), ("orange eyes", 49.0 / 31255.0), ("twintails", 0.25)];
        for (name, wanted) in wanted.into_iter().chain([("blush", 0.6), ("hat", 1403.0 / 31255.0), ("ribbon", 0.3)]) {
            let found = share[tags.id(name).unwrap()];
            assert!(close(found, wanted, n), "{name}: {found}, wanted {wanted}, seed 11");
        }
    }

    #[test]
    fn the_year_is_a_number_between_0_and_1() {
        let tags = TagSet::make_girls_256();
        let year = shares(TagSampler::Frequencies, &tags, 5_000)[35];
        assert!((year - 0.5).abs() < 0.03, "{year}, seed 11");
        let year = TagSampler::Uniform.sample(&tags, &mut Seed(1).stream("tags")).unwrap().values[35];
        assert!(year > 0.0 && year < 1.0 && year != 0.5);
    }

    #[test]
    fn frequencies_need_chances() {
        let tags = TagSet::from_names(&["a", "b"]).unwrap();
        let mut stream = Seed(1).stream("tags");
        assert!(TagSampler::Frequencies.sample(&tags, &mut stream).unwrap_err().to_string().contains("with_chances"));
        let tags = tags.with_chances(&[1.0, 0.0]).unwrap();
        assert_eq!(TagSampler::Frequencies.sample(&tags, &mut stream).unwrap().values, [1.0, 0.0]);
    }
}
