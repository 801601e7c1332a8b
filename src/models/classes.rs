//! Labels of networks that grow (Karras et al. 2018, the authors' code; Odena et al. 2017, arXiv:1610.09585): which of
//! several classes a picture belongs to, joined to the latent vector, and read off pictures by a second head of the
//! discriminator.

use candle_core::Tensor;
use serde::{Deserialize, Serialize};

use super::labels::{check_tags, labels_of};
use crate::data::batch::Batch;
use crate::data::dataset::Dataset;
use crate::data::tags::{TagGroup, TagSet};
use crate::{Error, Result};

pub(crate) use crate::losses::attribute::surprise;

/// Classes that pictures are made of: the tags of one exclusive group of a data set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Classes {
    /// The vocabulary of the data set.
    tags: TagSet,
    /// The group's name.
    group: String,
}

impl Classes {
    /// The tags of a group ("hair colour") of this vocabulary.
    ///
    /// # Errors
    /// When it has no such group; the message names those that it has.
    pub fn new(tags: &TagSet, group: &str) -> Result<Classes> {
        let classes = Classes { tags: tags.clone(), group: group.into() };
        classes.found().map(|_| classes.clone())
    }

    fn found(&self) -> Result<&TagGroup> {
        let groups = self.tags.groups();
        groups.iter().find(|group| group.name == self.group && !group.members.is_empty()).ok_or_else(|| {
            let known: Vec<&str> = groups.iter().map(|group| group.name.as_str()).collect();
            let expected = if known.is_empty() { "tags with exclusive groups".into() } else { known.join(", ") };
            Error::invalid("classes", format!("the group \"{}\"", self.group), expected, "")
        })
    }

    /// Their names, in the order of the numbers that the networks see.
    ///
    /// # Errors
    /// When the vocabulary has no such group, which only a damaged file says.
    pub fn names(&self) -> Result<Vec<&str>> {
        let names = self.tags.names();
        Ok(self.found()?.members.iter().map(|&id| names[id]).collect())
    }

    /// How many there are.
    ///
    /// # Errors
    /// As [`names`](Classes::names).
    pub(crate) fn len(&self) -> Result<usize> {
        Ok(self.found()?.members.len())
    }

    /// Number of a class.
    ///
    /// # Errors
    /// When no class has this name; the message names all.
    pub fn number(&self, name: &str) -> Result<usize> {
        let id = self.tags.find(name);
        let place = self.found()?.members.iter().position(|&member| Some(member) == id);
        place.ok_or(()).or_else(|()| {
            let known = self.names()?.join(", ");
            Err(Error::invalid(format!("class of the group \"{}\"", self.group), format!("\"{name}\""), known, ""))
        })
    }

    /// That a data set has these tags.
    ///
    /// # Errors
    /// When it has others.
    pub fn check(&self, dataset: &Dataset) -> Result<()> {
        let hint = "Take the classes from the data set: `Classes::new(data.tags(), \"hair colour\")`.";
        check_tags(dataset, &self.tags, hint)
    }

    /// `[N, C]`, 1 for the class of each picture of a batch; a row of zeros for one without.
    ///
    /// # Errors
    /// When the batch has no labels, or others.
    pub(crate) fn of(&self, batch: &Batch) -> Result<Tensor> {
        let labels = labels_of(batch, &self.tags)?;
        let members: Vec<u32> = self.found()?.members.iter().map(|&id| id as u32).collect();
        let count = members.len();
        Ok(labels.index_select(&Tensor::from_vec(members, count, labels.device())?, 1)?)
    }

    /// `[N, C]`, 1 for each of these classes by number.
    pub(crate) fn rows(&self, numbers: &[usize], like: &Tensor) -> Result<Tensor> {
        let count = self.len()?;
        let mut rows = vec![0f32; numbers.len() * count];
        for (row, &number) in numbers.iter().enumerate() {
            if number >= count {
                let expected = format!("0 to {}", count - 1);
                return Err(Error::invalid("number of a class", number.to_string(), expected, ""));
            }
            rows[row * count + number] = 1.0;
        }
        Ok(Tensor::from_vec(rows, (numbers.len(), count), like.device())?.to_dtype(like.dtype())?)
    }
}

/// Latents `[N, Z]` with the classes of as many pictures after them, one after the other and again from the first, if there
/// are classes.
pub(crate) fn in_turn(classes: Option<&Classes>, z: &Tensor) -> Result<Tensor> {
    let Some(classes) = classes else {
        return Ok(z.clone());
    };
    let count = classes.len()?;
    let numbers: Vec<usize> = (0..z.dims().first().copied().unwrap_or(0)).map(|i| i % count).collect();
    joined(z, Some(&classes.rows(&numbers, z)?))
}

/// Latents `[N, Z]` with classes `[N, C]` after them, if there are any.
pub(crate) fn joined(z: &Tensor, classes: Option<&Tensor>) -> Result<Tensor> {
    match classes {
        Some(classes) => Ok(Tensor::cat(&[z, &classes.to_dtype(z.dtype())?], 1)?),
        None => Ok(z.clone()),
    }
}

/// How many classes there are; 0 without.
pub(crate) fn count(classes: Option<&Classes>) -> Result<usize> {
    classes.map_or(Ok(0), Classes::len)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_the_tags_of_a_group() {
        let tags = TagSet::make_girls();
        let classes = Classes::new(&tags, "eye colour").unwrap();
        let names = classes.names().unwrap();
        assert_eq!(classes.number(names[2]).unwrap(), 2);
        let message = classes.number("green hair").unwrap_err().to_string();
        assert!(message.contains("green hair") && message.contains(names[0]), "{message}");
        let message = Classes::new(&tags, "shoes").unwrap_err().to_string();
        assert!(message.contains("eye colour"), "{message}");
    }
}
