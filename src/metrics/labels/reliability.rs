//! How far the labels of a reader can be relied upon, tag by tag: beside every control of an editor or a sampler stands how
//! often its label was right in the data that was learned from (specs/faces.md E, 5: "glasses" on, no glasses).

use super::attributes::Decision;
use crate::data::agreement::Agreement;
use crate::data::tags::Labels;
use crate::show::bundle::{Bundle, Show, displayable};
use crate::show::table::{Best, Table};
use crate::{Error, Result};

/// For every tag, how the labels that were read agree with those that are known.
#[derive(Clone, Debug, PartialEq)]
pub struct Reliability {
    rows: Vec<(String, Agreement)>,
    pictures: usize,
    protocol: String,
}

impl Reliability {
    /// Of the labels that are known of pictures, on from one half, and the probabilities that were read off the same ones, in
    /// the same order. Tags that one of the two does not have, and continuous ones, are left out.
    ///
    /// # Errors
    /// When there are not as many readings as pictures, none at all, or no tag is in both vocabularies.
    pub fn of(known: &[Labels], readings: &[Labels], decision: Decision) -> Result<Reliability> {
        let [Some(first), Some(read)] = [known.first(), readings.first()] else {
            return Err(Error::invalid("reliability of labels", "no pictures", "at least one", ""));
        };
        if known.len() != readings.len() {
            let found = format!("{} readings of {} pictures", readings.len(), known.len());
            return Err(Error::invalid("reliability of labels", found, "one of each picture", ""));
        }
        let mut rows = Vec::new();
        for (id, tag) in first.tags().tags().iter().enumerate().filter(|(_, tag)| !tag.continuous) {
            let Some(of_reader) = read.tags().find(&tag.name) else { continue };
            let answers = known.iter().zip(readings);
            let answers =
                answers.map(|(known, read)| [decision.seen(read, of_reader), known.values.get(id) >= Some(&0.5)]);
            rows.push((tag.name.clone(), Agreement::of(answers)));
        }
        if rows.is_empty() {
            let expected = format!("some of {}", read.tags().names().join(", "));
            return Err(Error::invalid("tags of the pictures", first.tags().names().join(", "), expected, ""));
        }
        Ok(Reliability { rows, pictures: known.len(), protocol: decision.protocol() })
    }

    /// How a tag that was read agrees with the known one; none for a tag that is not in both vocabularies.
    pub fn of_tag(&self, tag: &str) -> Option<&Agreement> {
        self.rows.iter().find(|(name, _)| name == tag).map(|(_, agreement)| agreement)
    }

    /// One row per tag. A tag that no picture has has no recall, and one that was never read no precision.
    ///
    /// # Errors
    /// None; polars is asked to make columns of one length.
    pub fn table(&self) -> Result<Table> {
        let all = || self.rows.iter().map(|(_, agreement)| agreement);
        let percent = |share: f64, of: u64| if of == 0 { f64::NAN } else { 100.0 * share };
        Table::builder()
            .text("tag", self.rows.iter().map(|(name, _)| name.as_str()))
            .integers("have it", all().map(|agreement| agreement.wanted))
            .integers("were read so", all().map(|agreement| agreement.told))
            .numbers("precision (%)", all().map(|agreement| percent(agreement.precision(), agreement.told)))
            .numbers("recall (%)", all().map(|agreement| percent(agreement.recall(), agreement.wanted)))
            .numbers("F1 (%)", all().map(|agreement| percent(agreement.f1(), agreement.told + agreement.wanted)))
            .digits("precision (%)", 1)
            .digits("recall (%)", 1)
            .digits("F1 (%)", 1)
            .best("F1 (%)", Best::Highest)
            .caption(format!("Reliability of labels, {} pictures", self.pictures))
            .note(&self.protocol)
            .build()
    }
}

impl Show for Reliability {
    fn bundle(&self) -> Result<Bundle> {
        self.table()?.bundle()
    }
}

displayable!(Reliability);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::tags::TagSet;

    #[test]
    fn counts_by_hand() {
        let mine = TagSet::from_names(&["smile", "hat", "wings"]).unwrap();
        let readers = TagSet::from_names(&["hat", "smile"]).unwrap();
        let known: Vec<Labels> = [[1.0, 0.0, 1.0], [1.0, 1.0, 0.0], [0.0, 0.0, 0.0]]
            .map(|values| mine.labels_from(values.to_vec()).unwrap())
            .to_vec();
        let read: Vec<Labels> =
            [[0.9, 0.3], [0.1, 0.1], [0.0, 0.8]].map(|values| readers.labels_from(values.to_vec()).unwrap()).to_vec();
        let found = Reliability::of(&known, &read, Decision::new()).unwrap();
        assert_eq!(found.of_tag("smile"), Some(&Agreement { right: 1, told: 2, wanted: 2 }));
        assert_eq!(found.of_tag("hat"), Some(&Agreement { right: 0, told: 1, wanted: 1 }));
        assert_eq!((found.of_tag("wings"), found.table().unwrap().height()), (None, 2));
        assert!(Reliability::of(&known, &read[1..], Decision::new()).is_err());
        assert!(Reliability::of(&[], &[], Decision::new()).is_err());
        let others = TagSet::from_names(&["tail"]).unwrap().labels();
        let message = Reliability::of(&vec![others; 3], &read, Decision::new()).unwrap_err().to_string();
        assert!(message.contains("tail") && message.contains("smile"), "{message}");
    }
}
