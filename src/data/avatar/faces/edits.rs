//! One character drawn twice, with one label changed: what a perfect editor would make of the first picture.

use image::RgbImage;
use rayon::prelude::*;

use super::dataset::Faces;
use super::{label, render};
use crate::data::tags::Labels;
use crate::error::{Error, Result};

/// A drawn face, and the same face with one label changed. Every part is drawn from a random stream of its own: nothing
/// differs but what the label names, and brows and shadows on the skin, which have the hair's colour.
#[derive(Clone, Debug)]
pub struct FaceEdit {
    /// The label that was changed.
    pub tag: String,
    /// Whether it was switched on.
    pub on: bool,
    /// What the face shows.
    pub from: Labels,
    /// What it shows afterwards: a colour that goes on takes the one before off.
    pub to: Labels,
    /// The face.
    pub before: RgbImage,
    /// The face with that label changed.
    pub after: RgbImage,
}

impl Faces {
    /// Face `i` as [`take`](Faces::take) draws it, and with this label on or off.
    ///
    /// # Errors
    /// When there is no such label, it is a number (the year), or the only colour of hair or eyes would go.
    pub fn edited(&self, i: usize, tag: impl AsRef<str>, on: bool) -> Result<FaceEdit> {
        let (tags, id) = (self.tags()?, self.switch(tag)?);
        let face = self.spec(i)?;
        let other = face.with_label(id, on)?;
        let size = self.picture_size();
        Ok(FaceEdit {
            tag: label::name(id).to_string(),
            on,
            from: tags.labels_from(face.values())?,
            to: tags.labels_from(other.values())?,
            before: render(&face, size)?,
            after: render(&other, size)?,
        })
    }

    /// The faces at these places with this label the other way round, as far as that can be seen: a colour goes on where
    /// another is, and never off; a label whose change is hidden (glasses are not, a ribbon under a hat can be) is left out.
    ///
    /// # Errors
    /// As [`edited`](Faces::edited).
    pub fn pairs_of(&self, tag: impl AsRef<str>, places: &[usize]) -> Result<Vec<FaceEdit>> {
        let id = self.switch(tag)?;
        let of_group = label::group(id)?.len() > 1;
        let pair = |&i: &usize| -> Result<Option<FaceEdit>> {
            let on = !self.spec(i)?.has(id);
            if of_group && !on {
                return Ok(None);
            }
            let edit = self.edited(i, label::name(id), on)?;
            Ok((edit.before != edit.after).then_some(edit))
        };
        let pairs = places.par_iter().map(pair).collect::<Result<Vec<_>>>()?;
        Ok(pairs.into_iter().flatten().collect())
    }

    /// The number of a label that is on or off.
    fn switch(&self, tag: impl AsRef<str>) -> Result<usize> {
        let id = self.tags()?.id(tag)?;
        if id < label::COUNT {
            return Ok(id);
        }
        Err(Error::invalid("label of a drawn face", "the year", "a label that is on or off", ""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::avatar::Avatar;
    use crate::data::tags::TagSet;

    const TAGS: [&str; 6] = ["purple hair", "green eyes", "blush", "open mouth", "glasses", "smile"];

    #[test]
    fn one_label_or_its_group_differs() {
        let faces = Avatar::faces().size(32);
        let tags = TagSet::make_girls();
        for tag in TAGS {
            let (id, pairs) = (tags.id(tag).unwrap(), faces.pairs_of(tag, &Vec::from_iter(0..24)).unwrap());
            assert!(pairs.len() >= 15, "{tag}: {}", pairs.len());
            let group = tags.group_of(id).map_or(vec![id], |group| group.members.clone());
            for pair in pairs {
                let differing: Vec<usize> = (0..34).filter(|&i| pair.from.values[i] != pair.to.values[i]).collect();
                assert_eq!(pair.to.values[id], f32::from(u8::from(pair.on)));
                assert!(differing.contains(&id) && differing.iter().all(|i| group.contains(i)), "{tag}: {differing:?}");
                assert_eq!(differing.len(), if group.len() > 1 { 2 } else { 1 });
            }
        }
    }

    #[test]
    fn what_cannot_be_changed_is_refused() {
        let faces = Avatar::faces().size(8);
        assert!(faces.edited(0, "cape", true).unwrap_err().to_string().contains("cape"));
        assert_eq!(faces.edited(0, "purple hair", true).unwrap().before, faces.image(0).unwrap());
        let shown = faces.spec(0).unwrap();
        let message = faces.edited(0, label::name(shown.hair_index()), false).unwrap_err().to_string();
        assert!(message.contains("one hair colour"), "{message}");
        let message = faces.clone().years().edited(0, "year", true).unwrap_err().to_string();
        assert!(message.contains("on or off"), "{message}");
        assert_eq!(faces.years().edited(0, "blush", true).unwrap().from.values.len(), 35);
    }
}
