//! Editing attributes of a picture: what an edit asks for, whether it came out, and what else changed.
//!
//! Protocols: figure 4 of the ANIMEGAN paper (one tag set, right when it is then read with p > 0.5) and the STGAN
//! author's script (each attribute flipped in turn, right when it is then read as the opposite).

use super::attributes::{Count, Decision};
use crate::data::tags::Labels;
use crate::metrics::score::{Score, Spread};
use crate::show::bundle::{Bundle, Show, displayable};
use crate::show::table::{Best, Table};
use crate::{Error, Result};

/// Labels with that tag the other way round: on when it was below one half, else off. A tag that goes on takes the
/// others of its exclusive group off: a picture has one hair colour.
///
/// # Errors
/// When there is no such tag.
pub fn flipped(labels: &Labels, tag: &str) -> Result<Labels> {
    if labels.get(tag)? >= 0.5 { labels.clone().clear(tag) } else { labels.clone().set(tag, 1.0) }
}

/// What an editing network of the STGAN family is told: target minus source, one number per tag, times `strength`
/// (1 is as in training; the author's test script takes 2 where training took ½, so that they are ±1). The colour
/// that goes is at −1, the one that comes at +1, everything else at 0.
///
/// # Errors
/// When the two have different vocabularies.
pub fn attribute_difference(source: &Labels, target: &Labels, strength: f32) -> Result<Vec<f32>> {
    if source.tags() != target.tags() {
        let (found, expected) = (format!("{:?}", target.tags()), format!("{:?}", source.tags()));
        return Err(Error::invalid("target labels", found, expected, ""));
    }
    Ok(source.values.iter().zip(&target.values).map(|(source, target)| strength * (target - source)).collect())
}

/// One edited picture.
#[derive(Clone, Debug, PartialEq)]
pub struct Edit {
    /// The tag that was edited.
    pub tag: String,
    /// Whether it was switched on.
    pub on: bool,
    /// Probabilities that a tagger reads off the picture before the edit, in [0, 1].
    pub before: Labels,
    /// The same after the edit.
    pub after: Labels,
}

/// How often edits come out, and how often they disturb something else.
#[derive(Clone, Debug, PartialEq)]
pub struct EditAccuracy {
    rows: Vec<Row>,
}

#[derive(Clone, Debug, PartialEq)]
struct Row {
    edits: Count,
    /// Other tags that were looked at, and those that read differently after the edit.
    others: Count,
}

impl EditAccuracy {
    /// Judges edits by what a tagger reads, a tag being on above 0.5. Side effects are all tags that read differently
    /// afterwards, but for the edited one, the others of its exclusive group, and numbers.
    ///
    /// # Errors
    /// When there is no edit, a tag is not in the tagger's vocabulary, or the vocabularies before and after differ.
    pub fn of(edits: &[Edit]) -> Result<EditAccuracy> {
        if edits.is_empty() {
            return Err(Error::invalid("edit accuracy", "no edit", "at least one", ""));
        }
        let decision = Decision::above(0.5);
        let mut rows: Vec<Row> = Vec::new();
        for edit in edits {
            let tags = edit.before.tags();
            if tags != edit.after.tags() {
                let (found, expected) = (format!("{:?}", edit.after.tags()), format!("{tags:?} as before"));
                return Err(Error::invalid("edit accuracy", found, expected, ""));
            }
            let id = tags.id(&edit.tag)?;
            let at = rows.iter().position(|row| row.edits.name == edit.tag).unwrap_or_else(|| {
                let edits = Count { name: edit.tag.clone(), ..Count::default() };
                rows.push(Row { edits, others: Count::default() });
                rows.len() - 1
            });
            rows[at].edits.asked += 1;
            rows[at].edits.right += usize::from(decision.seen(&edit.after, id) == edit.on);
            let belongs = |other: usize| tags.group_of(id).is_some_and(|group| group.members.contains(&other));
            let others = (0..tags.len()).filter(|&o| o != id && !belongs(o) && !tags.tags()[o].continuous);
            for other in others {
                let changed = decision.seen(&edit.before, other) != decision.seen(&edit.after, other);
                rows[at].others.asked += 1;
                rows[at].others.right += usize::from(changed);
            }
        }
        Ok(EditAccuracy { rows })
    }

    /// Share of the edits of a tag that came out, in [0, 1]; none when it was not edited.
    pub fn of_tag(&self, tag: &str) -> Option<f64> {
        self.rows.iter().find(|row| row.edits.name == tag).map(|row| row.edits.share())
    }

    /// Mean accuracy over the tags, each counting the same, with its standard error.
    pub fn accuracy(&self) -> Score {
        let tags = self.rows.len() as f64;
        let mean = self.rows.iter().map(|row| row.edits.share()).sum::<f64>() / tags;
        let variance = |row: &Row| row.edits.share() * (1.0 - row.edits.share()) / row.edits.asked as f64;
        let error = self.rows.iter().map(variance).sum::<f64>().sqrt() / tags;
        let protocol = format!("mean over {} tags, read with p > 0.5", self.rows.len());
        let score = Score::new("edit accuracy", mean, self.edits(), protocol).better(Best::Highest);
        score.with_spread(Spread::Error(error))
    }

    /// Share of the other tags that an edit changes, over all edits and tags, in [0, 1].
    pub fn side_effects(&self) -> Score {
        let sum = |of: fn(&Count) -> usize| self.rows.iter().map(|row| of(&row.others)).sum::<usize>();
        let protocol = format!("share of {} other tags that read differently, p > 0.5", sum(|count| count.asked));
        let share = Score::share_of("side effects", sum(|count| count.right), sum(|count| count.asked), protocol);
        Score { n: self.edits(), ..share.better(Best::Lowest) }
    }

    fn edits(&self) -> usize {
        self.rows.iter().map(|row| row.edits.asked).sum()
    }

    /// One row per tag: edits, those that came out, and how many other tags one edit changes.
    ///
    /// # Errors
    /// When the table cannot be made.
    pub fn table(&self) -> Result<Table> {
        let rows = || self.rows.iter();
        Table::builder()
            .text("tag", rows().map(|row| row.edits.name.clone()))
            .integers("edits", rows().map(|row| row.edits.asked))
            .numbers("accuracy", rows().map(|row| row.edits.share()))
            .numbers("changed besides", rows().map(|row| row.others.right as f64 / row.edits.asked as f64))
            .digits("accuracy", 2)
            .digits("changed besides", 2)
            .caption("Edit accuracy")
            .note(self.accuracy().to_string())
            .note(self.side_effects().to_string())
            .build()
    }
}

impl Show for EditAccuracy {
    fn bundle(&self) -> Result<Bundle> {
        self.table()?.bundle()
    }
}

displayable!(EditAccuracy);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::tags::{TagSet, tags};

    #[test]
    fn a_new_hair_colour_replaces_the_old_one() {
        let source = tags("blonde hair, smile, blue eyes").unwrap();
        let target = flipped(&source, "aqua hair").unwrap();
        assert_eq!(target.on(), ["aqua hair", "smile", "blue eyes"]);
        let difference = attribute_difference(&source, &target, 1.0).unwrap();
        let at = |tag: &str| difference[source.tags().id(tag).unwrap()];
        assert_eq!([at("blonde hair"), at("aqua hair"), at("smile")], [-1.0, 1.0, 0.0]);
        assert_eq!(difference.iter().map(|v| v.abs()).sum::<f32>(), 2.0);
        assert_eq!(flipped(&source, "smile").unwrap().on(), ["blonde hair", "blue eyes"]);
        assert!(attribute_difference(&source, &TagSet::make_girls_256().labels(), 1.0).is_err());
        assert!(flipped(&source, "horse").is_err());
    }

    #[test]
    fn what_came_out_and_what_changed_besides() {
        let before = tags("blonde hair, smile, blue eyes").unwrap();
        let edit = |tag: &str, on, after: &str| Edit {
            tag: tag.into(),
            on,
            before: before.clone(),
            after: tags(after).unwrap(),
        };
        let found = EditAccuracy::of(&[
            edit("aqua hair", true, "aqua hair, smile, blue eyes"),
            edit("aqua hair", true, "aqua hair=0.6, blue eyes, hat"),
            edit("smile", false, "blonde hair, smile, blue eyes"),
        ]);
        let found = found.unwrap();
        assert_eq!(
            (found.of_tag("aqua hair"), found.of_tag("smile"), found.of_tag("hat")),
            (Some(1.0), Some(0.0), None)
        );
        assert_eq!(found.accuracy().value, 0.5);
        // 34 tags: 13 hair colours belong to the edit of one, the other edit looks at all but its own.
        let colours = before.tags().group_of(0).unwrap().members.len();
        let others = 2 * (34 - colours) + 33;
        assert!((found.side_effects().value - 2.0 / others as f64).abs() < 1e-12, "{}", found.side_effects());
        assert!(EditAccuracy::of(&[]).is_err());
    }
}
