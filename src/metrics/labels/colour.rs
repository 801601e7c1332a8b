//! Whether hair and eyes have the colour that was asked for.

use super::attributes::Count;
use crate::data::avatar::faces::read_colours;
use crate::data::avatar::palette::{EYES, HAIR};
use crate::data::batch::Images;
use crate::data::tags::Labels;
use crate::show::bundle::{Bundle, Show, displayable};
use crate::show::table::Table;
use crate::{Error, Result};

/// Colours read off pictures of faces that are framed as those of [`Avatar::faces`](crate::data::avatar::Avatar), next
/// to the colours that were asked for.
///
/// Every picture gets the nearest named colour of its hair and of its eyes, as [`read_colours`] finds them; it is right
/// when that is the colour of its labels. The reading is not perfect: compare with the accuracy on drawn faces.
#[derive(Clone, Debug, PartialEq)]
pub struct ColourAccuracy {
    hair: Vec<Count>,
    eyes: Vec<Count>,
}

impl ColourAccuracy {
    /// Reads the colours of `images`, whose labels are `labels`. A picture counts for its hair when exactly one hair
    /// colour is on (at least one half), and likewise for its eyes.
    ///
    /// # Errors
    /// When there are not as many labels as pictures, or no hair or eye colour is known to the vocabulary.
    pub fn of(images: &Images, labels: &[Labels]) -> Result<ColourAccuracy> {
        if labels.len() != images.len() {
            let (found, expected) = (format!("{} labels", labels.len()), format!("{}, one per picture", images.len()));
            return Err(Error::invalid("colour accuracy", found, expected, ""));
        }
        let counts = |names: Vec<String>| names.into_iter().map(|name| Count { name, ..Count::default() }).collect();
        let mut hair: Vec<Count> = counts(HAIR.iter().map(|colour| format!("{} hair", colour.name)).collect());
        let mut eyes: Vec<Count> = counts(EYES.iter().map(|colour| format!("{} eyes", colour.name)).collect());
        for (picture, labels) in images.to_rgb()?.iter().zip(labels) {
            let reading = read_colours(picture);
            record(&mut hair, reading.hair, labels);
            record(&mut eyes, reading.eyes, labels);
        }
        let accuracy = ColourAccuracy { hair, eyes };
        if accuracy.pictures() == 0 {
            let expected = "pictures with one hair colour or one eye colour among their labels";
            return Err(Error::invalid("colour accuracy", "none", expected, ""));
        }
        Ok(accuracy)
    }

    /// Share of the pictures whose hair has the colour asked for, in [0, 1]; NaN when none was asked for.
    pub fn hair(&self) -> f64 {
        share(&self.hair)
    }

    /// Share of the pictures whose eyes have the colour asked for, in [0, 1]; NaN when none was asked for.
    pub fn eyes(&self) -> f64 {
        share(&self.eyes)
    }

    /// Mean of hair and eyes, in [0, 1].
    pub fn mean(&self) -> f64 {
        (self.hair() + self.eyes()) / 2.0
    }

    /// How many pictures were counted.
    pub fn pictures(&self) -> usize {
        let asked = |counts: &[Count]| counts.iter().map(|count| count.asked).sum::<usize>();
        asked(&self.hair).max(asked(&self.eyes))
    }

    /// One row per colour: how often it was asked for, and how often it was there.
    ///
    /// # Errors
    /// When the table cannot be made.
    pub fn table(&self) -> Result<Table> {
        let rows: Vec<&Count> = self.hair.iter().chain(&self.eyes).filter(|count| count.asked > 0).collect();
        Table::builder()
            .text("colour", rows.iter().map(|count| count.name.clone()))
            .integers("asked", rows.iter().map(|count| count.asked))
            .integers("right", rows.iter().map(|count| count.right))
            .numbers("precision", rows.iter().map(|count| count.share()))
            .digits("precision", 2)
            .caption(self.summary())
            .note("nearest named colour (CIE 1976 ΔE) in the hair and eye region")
            .build()
    }

    fn summary(&self) -> String {
        let percent = |share: f64| 100.0 * share;
        let (hair, eyes, n) = (percent(self.hair()), percent(self.eyes()), self.pictures());
        format!("Colours as asked for: hair {hair:.1} %, eyes {eyes:.1} % of {n} pictures")
    }
}

fn record(counts: &mut [Count], read: usize, labels: &Labels) {
    let on = |count: &Count| labels.get(&count.name).is_ok_and(|value| value >= 0.5);
    let asked: Vec<usize> = (0..counts.len()).filter(|&i| on(&counts[i])).collect();
    if let [asked] = asked[..] {
        counts[asked].asked += 1;
        counts[asked].right += usize::from(asked == read);
    }
}

fn share(counts: &[Count]) -> f64 {
    let sum = |field: fn(&Count) -> usize| counts.iter().map(field).sum::<usize>() as f64;
    sum(|count| count.right) / sum(|count| count.asked)
}

impl Show for ColourAccuracy {
    fn bundle(&self) -> Result<Bundle> {
        self.table()?.bundle()
    }
}

displayable!(ColourAccuracy);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::avatar::Avatar;
    use crate::data::tags::TagSet;

    #[test]
    fn drawn_faces_have_their_colours() {
        let faces = Avatar::faces().size(64).take(200).unwrap();
        let labels: Vec<Labels> = (0..200).map(|i| faces.labels(i).unwrap()).collect();
        let accuracy = ColourAccuracy::of(&faces.images(200).unwrap(), &labels).unwrap();
        assert!(accuracy.hair() >= 0.9 && accuracy.eyes() >= 0.9, "{}", accuracy.summary());
        assert_eq!(accuracy.pictures(), 200);
        let others: Vec<Labels> = labels.iter().cycle().skip(100).take(200).cloned().collect();
        let accuracy = ColourAccuracy::of(&faces.images(200).unwrap(), &others).unwrap();
        assert!(accuracy.hair() < 0.25 && accuracy.eyes() < 0.25, "{}", accuracy.summary());
        assert!(ColourAccuracy::of(&faces.images(3).unwrap(), &labels).is_err());
        let nothing = vec![TagSet::make_girls().labels(); 3];
        assert!(ColourAccuracy::of(&faces.images(3).unwrap(), &nothing).is_err());
    }
}
