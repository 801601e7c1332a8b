//! Editing attributes of a picture: what an edit asks for, whether it came out, and what else changed.
//!
//! Protocols: figure 4 of the ANIMEGAN paper (one tag set, right when it is then read with p > 0.5) and the STGAN
//! author's script (each attribute flipped in turn, right when it is then read as the opposite).

use super::attributes::{Count, Decision};
use crate::data::tags::{Labels, TagSet};
use crate::metrics::score::{Score, Spread};
use crate::show::bundle::{Bundle, Show, displayable};
use crate::show::table::{Best, Table};
use crate::{Error, Result};

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

impl Edit {
    /// The same edit with these tags alone looked at.
    ///
    /// # Errors
    /// When the tagger does not know one of them.
    pub fn of_tags(self, tags: &TagSet) -> Result<Edit> {
        let [before, after] = [&self.before, &self.after].map(|read| read.of_tags(tags));
        Ok(Edit { before: before?, after: after?, ..self })
    }
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
    /// Edits after which any other tag reads differently.
    disturbing: usize,
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
                rows.push(Row { edits, others: Count::default(), disturbing: 0 });
                rows.len() - 1
            });
            rows[at].edits.asked += 1;
            rows[at].edits.right += usize::from(decision.seen(&edit.after, id) == edit.on);
            let belongs = |other: usize| tags.group_of(id).is_some_and(|group| group.members.contains(&other));
            let others = (0..tags.len()).filter(|&o| o != id && !belongs(o) && !tags.tags()[o].continuous);
            let changed = |other: &usize| decision.seen(&edit.before, *other) != decision.seen(&edit.after, *other);
            let others: Vec<bool> = others.map(|other| changed(&other)).collect();
            let disturbed = others.iter().filter(|changed| **changed).count();
            rows[at].others.asked += others.len();
            rows[at].others.right += disturbed;
            rows[at].disturbing += usize::from(disturbed > 0);
        }
        Ok(EditAccuracy { rows })
    }

    /// Share of the edits of a tag that came out, in [0, 1]; none when it was not edited.
    pub fn of_tag(&self, tag: &str) -> Option<f64> {
        self.rows.iter().find(|row| row.edits.name == tag).map(|row| row.edits.share())
    }

    /// The edits of these tags alone; none when none of them was edited.
    pub fn of_tags<S: AsRef<str>>(&self, tags: &[S]) -> Option<EditAccuracy> {
        let asked = |row: &&Row| tags.iter().any(|tag| tag.as_ref() == row.edits.name);
        let rows: Vec<Row> = self.rows.iter().filter(asked).cloned().collect();
        (!rows.is_empty()).then_some(EditAccuracy { rows })
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

    /// Share of the edits after which any other tag at all reads differently, in [0, 1]: never less than
    /// [`side_effects`](EditAccuracy::side_effects), which counts tag by tag.
    pub fn disturbing(&self) -> Score {
        let disturbing = self.rows.iter().map(|row| row.disturbing).sum();
        let protocol = "edits after which any other tag reads differently, p > 0.5";
        Score::share_of("disturbing edits", disturbing, self.edits(), protocol).better(Best::Lowest)
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
            .note(self.disturbing().to_string())
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
    use crate::data::tags::tags;

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
        assert!((found.disturbing().value - 1.0 / 3.0).abs() < 1e-12, "smile and hat of the second edit");
        let smiles = found.of_tags(&["smile", "hat"]).unwrap();
        assert_eq!((smiles.accuracy().value, smiles.disturbing().value), (0.0, 0.0));
        assert!(found.of_tags(&["hat"]).is_none() && EditAccuracy::of(&[]).is_err());
    }
}
