//! Attribute precision: how often a picture shows what was asked for (make.girls.moe paper, section 4.3 and table 2).

use crate::data::tags::{Labels, TagSampler, TagSet};
use crate::rng::Seed;
use crate::show::bundle::{Bundle, Show, displayable};
use crate::show::table::{Best, Table};
use crate::{Error, Result};

use crate::metrics::score::{Score, Spread};

/// Pictures per tag in the paper.
pub const PER_TAG: usize = 20;

/// When a tag counts as seen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Decision {
    threshold: f32,
    exclusive: bool,
}

impl Default for Decision {
    fn default() -> Self {
        Self::new()
    }
}

impl Decision {
    /// A probability above 0.25 as the paper labels its training pictures; in an exclusive group (hair colour, eye
    /// colour) the most probable tag.
    pub fn new() -> Decision {
        Decision { threshold: 0.25, exclusive: true }
    }

    /// Every tag whose probability is above `threshold`, exclusive or not.
    pub fn above(threshold: f32) -> Decision {
        Decision { threshold, exclusive: false }
    }

    /// Whether tag `id` is seen in a picture with these probabilities. Of equal ones in a group the first counts.
    pub fn seen(&self, probabilities: &Labels, id: usize) -> bool {
        let values = &probabilities.values;
        match probabilities.tags().group_of(id).filter(|_| self.exclusive) {
            None => values[id] > self.threshold,
            Some(group) => {
                group.members.iter().all(|&m| values[m] < values[id] || (values[m] == values[id] && m >= id))
            }
        }
    }

    pub(super) fn protocol(&self) -> String {
        let groups = if self.exclusive { ", the most probable of an exclusive group" } else { "" };
        format!("probability above {}{groups}", self.threshold)
    }
}

/// A picture to be made: its labels, and the tag that it is judged for.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// The tag that must be seen.
    pub tag: String,
    /// All labels, that tag among them.
    pub labels: Labels,
}

/// The requests of the paper's protocol: for every tag `per_tag` draws of `sampler` in which it is on (and with it the
/// others of its exclusive group off). Continuous tags are not asked for. The paper takes [`PER_TAG`].
///
/// # Errors
/// As [`TagSampler::sample`].
pub fn requests(tags: &TagSet, sampler: TagSampler, per_tag: usize, seed: Seed) -> Result<Vec<Request>> {
    let mut requests = Vec::new();
    for tag in tags.tags().iter().filter(|tag| !tag.continuous) {
        let mut stream = seed.stream(&format!("request/{}", tag.name));
        for _ in 0..per_tag {
            let labels = sampler.sample(tags, &mut stream)?.set(&tag.name, 1.0)?;
            requests.push(Request { tag: tag.name.clone(), labels });
        }
    }
    Ok(requests)
}

/// How often each tag that was asked for was seen.
#[derive(Clone, Debug, PartialEq)]
pub struct AttributePrecision {
    counts: Vec<Count>,
    protocol: String,
}

/// How often something was asked for, and how often it was there.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Count {
    pub name: String,
    pub asked: usize,
    pub right: usize,
}

impl Count {
    pub fn share(&self) -> f64 {
        self.right as f64 / self.asked as f64
    }
}

impl AttributePrecision {
    /// Judges pictures by the probabilities that a tagger read off them, one per request and in their order.
    ///
    /// # Errors
    /// When there are not as many readings as requests, none at all, or a tag is not in the tagger's vocabulary.
    pub fn of(requests: &[Request], readings: &[Labels], decision: Decision) -> Result<AttributePrecision> {
        if requests.len() != readings.len() || requests.is_empty() {
            let found = format!("{} readings for {} requests", readings.len(), requests.len());
            return Err(Error::invalid("attribute precision", found, "one per request, at least one", ""));
        }
        let answer = |(request, reading): (&Request, &Labels)| {
            Ok((request.tag.clone(), decision.seen(reading, reading.tags().id(&request.tag)?)))
        };
        let answers = requests.iter().zip(readings).map(answer).collect::<Result<Vec<_>>>()?;
        Ok(AttributePrecision::of_answers(answers, decision.protocol()))
    }

    /// Counts pairs of tag and whether it was seen; the tags keep the order in which they come.
    pub(super) fn of_answers(answers: Vec<(String, bool)>, protocol: String) -> AttributePrecision {
        let mut counts: Vec<Count> = Vec::new();
        for (name, seen) in answers {
            let at = counts.iter().position(|count| count.name == name).unwrap_or_else(|| {
                counts.push(Count { name, ..Count::default() });
                counts.len() - 1
            });
            counts[at].asked += 1;
            counts[at].right += usize::from(seen);
        }
        AttributePrecision { counts, protocol }
    }

    /// The share of the pictures asked for with that tag that show it, in [0, 1]; none when it was not asked for.
    pub fn of_tag(&self, tag: &str) -> Option<f64> {
        self.counts.iter().find(|count| count.name == tag).map(Count::share)
    }

    /// Mean over the tags, each counting the same, with its standard error.
    pub fn score(&self) -> Score {
        let tags = self.counts.len() as f64;
        let n = self.counts.iter().map(|count| count.asked).sum();
        let mean = self.counts.iter().map(Count::share).sum::<f64>() / tags;
        let variance = |count: &Count| count.share() * (1.0 - count.share()) / count.asked as f64;
        let error = self.counts.iter().map(variance).sum::<f64>().sqrt() / tags;
        let protocol = format!("mean over {} tags; {}", self.counts.len(), self.protocol);
        let score = Score::new("attribute precision", mean, n, protocol).better(Best::Highest);
        let least = self.counts.iter().map(|count| count.asked).min().unwrap_or(0);
        let warning = || format!("as few as {least} pictures of a tag; the paper judges {PER_TAG}");
        score.with_spread(Spread::Error(error)).warn_if(least < PER_TAG, warning)
    }

    /// One row per tag, as table 2 of the paper.
    ///
    /// # Errors
    /// When the table cannot be made.
    pub fn table(&self) -> Result<Table> {
        Table::builder()
            .text("tag", self.counts.iter().map(|count| count.name.clone()))
            .integers("asked", self.counts.iter().map(|count| count.asked))
            .integers("seen", self.counts.iter().map(|count| count.right))
            .numbers("precision", self.counts.iter().map(Count::share))
            .digits("precision", 2)
            .caption("Attribute precision")
            .note(self.score().to_string())
            .build()
    }
}

impl Show for AttributePrecision {
    fn bundle(&self) -> Result<Bundle> {
        self.table()?.bundle()
    }
}

displayable!(AttributePrecision);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_probable_colour_wins_and_switches_have_a_threshold() {
        let tags = TagSet::make_girls();
        let reading = tags.labels().set("smile", 0.3).unwrap();
        let mut reading = reading.set("blonde hair", 0.2).unwrap();
        reading.values[tags.id("aqua hair").unwrap()] = 0.1;
        let seen = |decision: Decision, tag: &str| decision.seen(&reading, tags.id(tag).unwrap());
        let tags_seen = |d| ["smile", "blonde hair", "aqua hair", "hat"].map(|tag| seen(d, tag));
        assert_eq!(tags_seen(Decision::new()), [true, true, false, false]);
        assert_eq!(tags_seen(Decision::above(0.15)), [true, true, false, false]);
        assert_eq!(tags_seen(Decision::above(0.05)), [true, true, true, false]);
        assert_eq!(tags_seen(Decision::above(0.5)), [false; 4]);
    }

    #[test]
    fn every_tag_is_asked_for_as_often() {
        let tags = TagSet::make_girls();
        let asked = requests(&tags, TagSampler::Uniform, 3, Seed(1)).unwrap();
        assert_eq!(asked.len(), 3 * 34);
        for request in &asked {
            assert_eq!(request.labels.get(&request.tag).unwrap(), 1.0);
            let colours = request.labels.on().iter().filter(|tag| tag.ends_with(" eyes")).count();
            assert_eq!(colours, 1, "{:?}", request);
        }
        assert_ne!(asked[0].labels, asked[1].labels);
    }

    #[test]
    fn precision_is_the_share_per_tag() {
        let tags = TagSet::make_girls();
        let asked = requests(&tags, TagSampler::Uniform, 4, Seed(2)).unwrap();
        let mut readings: Vec<Labels> = asked.iter().map(|request| request.labels.clone()).collect();
        let smiles: Vec<usize> = (0..asked.len()).filter(|&i| asked[i].tag == "smile").collect();
        readings[smiles[0]] = readings[smiles[0]].clone().clear("smile").unwrap();
        let found = AttributePrecision::of(&asked, &readings, Decision::new()).unwrap();
        assert_eq!((found.of_tag("smile"), found.of_tag("hat"), found.of_tag("horse")), (Some(0.75), Some(1.0), None));
        let score = found.score();
        assert!(
            (score.value - (33.0 + 0.75) / 34.0).abs() < 1e-12 && score.warnings[0].contains("as few as 4"),
            "{score}"
        );
        assert!(found.table().unwrap().md().contains("smile"));
        assert!(AttributePrecision::of(&asked, &readings[1..], Decision::new()).is_err());
    }
}
