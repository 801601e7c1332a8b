//! From the rows of a tag table to label vectors.

use std::collections::BTreeMap;
use std::path::Path;

use super::table::{Row, Table};
use crate::data::manifest::{TagPolicy, UnknownTags};
use crate::data::report::{Action, Report};
use crate::data::tags::TagSet;
use crate::{Error, Result};

/// Turns rows into label vectors of one vocabulary.
pub(super) struct Labeller<'a> {
    pub tags: TagSet,
    policy: &'a TagPolicy,
    /// Tag names of the table, with their position in the vocabulary.
    ids: BTreeMap<String, Option<usize>>,
}

impl<'a> Labeller<'a> {
    /// Settles the vocabulary. Tags of the table that it does not have are put into the report.
    ///
    /// # Errors
    /// When the names of the table cannot be tags, or an unknown tag is to be refused.
    pub fn new(policy: &'a TagPolicy, manifest: &Path, table: &Table, report: &mut Report) -> Result<Labeller<'a>> {
        let tags = match policy.vocabulary(manifest)? {
            Some(tags) => tags,
            None => {
                let hint = "Name the tags in [tags] of the manifest, or the other columns in folder.ignore_columns.";
                let names = TagSet::from_names(&table.tags);
                names.map_err(|error| Error::file(manifest, error.to_string(), "usable names of tags", hint))?
            }
        };
        let mut ids = BTreeMap::new();
        for name in &table.tags {
            ids.insert(name.to_string(), tags.find(name));
        }
        let labeller = Labeller { tags, policy, ids };
        labeller.report_unknown(manifest, table, report)?;
        Ok(labeller)
    }

    /// The label vector of a row.
    ///
    /// # Errors
    /// The kind of the problem and its particulars, when the row has to be left out.
    pub fn labels(&self, row: &Row, report: &mut Report) -> Result<Vec<f32>, (&'static str, String)> {
        let mut values = vec![0.0; self.tags.len()];
        let mut missing = Vec::new();
        for (name, value) in &row.values {
            let Some(Some(id)) = self.ids.get(name.as_ref()) else { continue };
            match value {
                Some(value) => values[*id] = *value,
                None => missing.push(name.to_string()),
            }
        }
        if !missing.is_empty() {
            report.add("no value, taken as off", &row.file, missing.join(", "), Action::Kept);
        }
        for (tag, value) in self.tags.tags().iter().zip(&values) {
            if !tag.continuous && !(0.0..=1.0).contains(value) {
                return Err(("value outside 0 to 1", format!("{} = {value}", tag.name)));
            }
        }
        if let Some(threshold) = self.policy.threshold {
            values = self.decide(&values, threshold);
        }
        self.check_groups(row, &values, report)?;
        Ok(values)
    }

    /// Probabilities to on and off: the likeliest of every exclusive group, and what is above the threshold.
    fn decide(&self, values: &[f32], threshold: f32) -> Vec<f32> {
        let mut on: Vec<f32> = values.iter().map(|value| f32::from(u8::from(*value > threshold))).collect();
        for (id, tag) in self.tags.tags().iter().enumerate() {
            if tag.continuous {
                on[id] = values[id];
            }
        }
        for group in self.tags.groups() {
            let mut best = None;
            for &id in &group.members {
                on[id] = 0.0;
                if values[id] > best.map_or(0.0, |best: usize| values[best]) {
                    best = Some(id);
                }
            }
            if let Some(best) = best {
                on[best] = 1.0;
            }
        }
        on
    }

    fn check_groups(&self, row: &Row, values: &[f32], report: &mut Report) -> Result<(), (&'static str, String)> {
        let names = self.tags.names();
        for group in self.tags.groups() {
            let on: Vec<&str> = group.members.iter().filter(|id| values[**id] > 0.5).map(|id| names[*id]).collect();
            if on.len() > 1 {
                return Err(("tags that exclude each other", on.join(", ")));
            }
            if group.members.iter().all(|id| values[*id] == 0.0) {
                report.add("no tag of an exclusive group", &row.file, group.name.clone(), Action::Kept);
            }
        }
        Ok(())
    }

    fn report_unknown(&self, manifest: &Path, table: &Table, report: &mut Report) -> Result<()> {
        let unknown: Vec<&String> = self.ids.iter().filter(|(_, id)| id.is_none()).map(|(name, _)| name).collect();
        let Some(first) = unknown.first() else { return Ok(()) };
        if self.policy.unknown == UnknownTags::Refuse {
            let (found, nearest) =
                (format!("{} unknown tags, \"{first}\" first", unknown.len()), self.tags.nearest(first));
            let hint = format!(
                "The nearest are: {}. Correct the table, or set tags.unknown = \"report\".",
                nearest.join(", ")
            );
            return Err(Error::file(manifest, found, format!("the {} tags of the vocabulary", self.tags.len()), hint));
        }
        for name in unknown {
            let carries =
                |row: &&Row| row.values.iter().any(|(tag, value)| **tag == **name && value.unwrap_or(0.0) > 0.0);
            let count = table.rows.iter().filter(carries).count();
            report.add("unknown tag, ignored", name, format!("on {count} pictures"), Action::LeftOut);
        }
        Ok(())
    }
}
