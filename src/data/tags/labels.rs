//! The attributes of one picture.

use std::fmt;

use candle_core::{Device, Tensor};

use super::TagSet;
use crate::{Error, Result};

/// The attributes of one picture: one number per tag of its [`TagSet`].
#[derive(Clone, PartialEq)]
pub struct Labels {
    /// One value per tag, in label order: 0 is off, 1 is on, numbers between (and slightly beyond) are allowed.
    pub values: Vec<f32>,
    tags: TagSet,
}

impl Labels {
    pub(super) fn off(tags: &TagSet) -> Labels {
        Labels { values: vec![0.0; tags.len()], tags: tags.clone() }
    }

    pub(super) fn from_values(tags: &TagSet, values: Vec<f32>) -> Result<Labels> {
        if values.len() != tags.len() {
            let expected = format!("{}, one per tag", tags.len());
            return Err(Error::invalid("label values", format!("{} numbers", values.len()), expected, ""));
        }
        if let Some((i, value)) = values.iter().enumerate().find(|(_, value)| !value.is_finite()) {
            let what = format!("value of the tag \"{}\"", tags.names()[i]);
            return Err(Error::invalid(what, value.to_string(), "a finite number", ""));
        }
        Ok(Labels { values, tags: tags.clone() })
    }

    pub(super) fn parse(tags: &TagSet, text: &str) -> Result<Labels> {
        let mut labels = Labels::off(tags);
        let mut named = vec![false; tags.len()];
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let (name, value) = name_and_value(part)?;
            let id = tags.id(name)?;
            if value > 0.0 {
                refuse_conflict(tags, &named, id)?;
                named[id] = true;
            }
            labels.values[id] = value;
        }
        Ok(labels)
    }

    /// The vocabulary.
    pub fn tags(&self) -> &TagSet {
        &self.tags
    }

    /// The value of one tag.
    ///
    /// # Errors
    /// When there is no such tag.
    pub fn get(&self, name: impl AsRef<str>) -> Result<f32> {
        Ok(self.values[self.tags.id(name)?])
    }

    /// The same labels with this tag at `value` (1 is on). The other tags of its exclusive group go off.
    ///
    /// # Errors
    /// When there is no such tag or `value` is not finite.
    pub fn set(mut self, name: impl AsRef<str>, value: f32) -> Result<Labels> {
        let id = self.tags.id(name)?;
        let others = self.tags.group_of(id).map_or_else(Vec::new, |group| group.members.clone());
        for other in others {
            self.values[other] = 0.0;
        }
        self.values[id] = value;
        Labels::from_values(&self.tags, self.values)
    }

    /// The same labels with this tag off.
    ///
    /// # Errors
    /// When there is no such tag.
    pub fn clear(mut self, name: impl AsRef<str>) -> Result<Labels> {
        self.values[self.tags.id(name)?] = 0.0;
        Ok(self)
    }

    /// The same labels with that tag the other way round: on when it was below one half, else off. A tag that goes on takes
    /// the others of its exclusive group off: a picture has one hair colour.
    ///
    /// # Errors
    /// When there is no such tag.
    pub fn flipped(self, name: impl AsRef<str>) -> Result<Labels> {
        if self.get(&name)? >= 0.5 { self.clear(name) } else { self.set(name, 1.0) }
    }

    /// The same labels with wishes, separated by commas: `glasses` goes on, `-blush` off, `smile=0.5` to that value, and
    /// `hair=purple` means `purple hair`. A colour that goes on takes the others of its group off.
    ///
    /// # Errors
    /// An unknown tag (the message names the nearest ones), two tags of one exclusive group, no wish at all.
    pub fn wished(mut self, text: &str) -> Result<Labels> {
        let tags = self.tags.clone();
        let mut named = vec![false; tags.len()];
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            // "hair=purple" is a tag of two words.
            let kind = part.split_once('=').map(|(kind, which)| format!("{} {}", which.trim(), kind.trim()));
            let (name, value) = match kind.filter(|name| tags.find(name).is_some()) {
                Some(name) => (name, 1.0),
                None => name_and_value(part).map(|(name, value)| (name.to_string(), value))?,
            };
            let id = tags.id(&name)?;
            if value > 0.0 {
                refuse_conflict(&tags, &named, id)?;
                self = self.set(&name, value)?;
            } else {
                self = self.clear(&name)?;
            }
            named[id] |= value > 0.0;
        }
        if text.trim().is_empty() {
            let hint = "Write \"hair=purple, glasses, -blush\".";
            return Err(Error::invalid("wishes", "nothing", "what is to change", hint));
        }
        Ok(self)
    }

    /// What these labels say of the tags of another vocabulary, all of which are in this one's.
    ///
    /// # Errors
    /// When one is not.
    pub fn of_tags(&self, tags: &TagSet) -> Result<Labels> {
        let values = tags.names().into_iter().map(|name| self.get(name)).collect::<Result<Vec<f32>>>()?;
        Labels::from_values(tags, values)
    }

    /// The names of the tags that are on (value of at least one half), in label order.
    pub fn on(&self) -> Vec<&str> {
        let names = self.tags.names().into_iter().zip(&self.values);
        names.filter(|(_, value)| **value >= 0.5).map(|(name, _)| name).collect()
    }

    /// Several labels as one tensor `[N, L]`, f32, 0/1.
    ///
    /// # Errors
    /// When they do not share one vocabulary, or the device has no memory.
    pub fn stack(labels: &[Labels], device: &Device) -> Result<Tensor> {
        let width = labels.first().map_or(0, |first| first.values.len());
        if let Some(other) = labels.iter().find(|other| other.values.len() != width || other.tags != labels[0].tags) {
            let expected = format!("all from one vocabulary of {width} tags");
            return Err(Error::invalid("labels", format!("{} values", other.values.len()), expected, ""));
        }
        let values: Vec<f32> = labels.iter().flat_map(|labels| labels.values.iter().copied()).collect();
        Ok(Tensor::from_vec(values, (labels.len(), width), device)?)
    }
}

/// One entry of a list of tags: `smile`, `-smile`, `smile=0.5`.
pub(in crate::data) fn name_and_value(part: &str) -> Result<(&str, f32)> {
    if let Some(name) = part.strip_prefix('-') {
        return Ok((name, 0.0));
    }
    let Some((name, number)) = part.split_once('=') else {
        return Ok((part, 1.0));
    };
    match number.trim().parse::<f32>() {
        Ok(value) if value.is_finite() => Ok((name, value)),
        _ => {
            let what = format!("value of the tag \"{}\"", name.trim());
            let hint = "Write \"smile\", \"-smile\" or \"smile=0.5\".";
            Err(Error::invalid(what, format!("\"{}\"", number.trim()), "a number", hint))
        }
    }
}

fn refuse_conflict(tags: &TagSet, named: &[bool], id: usize) -> Result<()> {
    let Some(group) = tags.group_of(id) else { return Ok(()) };
    match group.members.iter().find(|member| named[**member] && **member != id) {
        None => Ok(()),
        Some(&other) => {
            let names = tags.names();
            let found = format!("\"{}\" and \"{}\"", names[other], names[id]);
            let hint = "A mixture is made by interpolating between two label vectors.";
            Err(Error::invalid(group.name.clone(), found, "at most one", hint))
        }
    }
}

impl fmt::Display for Labels {
    /// The tags that are not off, as [`TagSet::parse`] reads them; values between off and on to two decimals, since
    /// this is also the caption of a picture.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.tags.names().into_iter().zip(&self.values);
        let shown = names.filter(|(_, value)| **value != 0.0).map(|(name, value)| match *value {
            1.0 => name.to_string(),
            value => format!("{name}={}", (value * 100.0).round() / 100.0),
        });
        f.write_str(&shown.collect::<Vec<_>>().join(", "))
    }
}

impl fmt::Debug for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_becomes_labels_and_a_text_again() {
        let set = TagSet::make_girls();
        let labels = set.parse("silver hair, long hair, smile=0.5, -blush, Blue_Eyes").unwrap();
        assert_eq!(labels.to_string(), "silver hair, long hair, smile=0.5, blue eyes");
        assert_eq!(labels.on(), ["silver hair", "long hair", "smile", "blue eyes"]);
        assert_eq!(labels.values.iter().sum::<f32>(), 3.5);
        assert_eq!(set.parse(labels.to_string()).unwrap(), labels);
        assert_eq!(set.parse("smile=0.85714287, hat=-0.5").unwrap().to_string(), "smile=0.86, hat=-0.5");
        assert_eq!(set.parse(" , ").unwrap(), set.labels());
    }

    #[test]
    fn one_hair_colour_at_a_time() {
        let set = TagSet::make_girls();
        let error = set.parse("blonde hair, aqua hair").unwrap_err().to_string();
        assert!(error.contains("hair colour") && error.contains("\"blonde hair\" and \"aqua hair\""), "{error}");
        let labels = set.parse("blonde hair, smile").unwrap().set("aqua hair", 1.0).unwrap();
        assert_eq!(labels.to_string(), "aqua hair, smile");
        assert_eq!(labels.clone().clear("smile").unwrap().to_string(), "aqua hair");
        assert_eq!(labels.clone().flipped("blonde hair").unwrap().to_string(), "blonde hair, smile");
        assert_eq!(labels.clone().flipped("smile").unwrap().to_string(), "aqua hair");
        assert!(labels.flipped("horse").is_err());
    }

    #[test]
    fn some_of_the_labels() {
        let labels = TagSet::make_girls().parse("blonde hair, blush, aqua eyes").unwrap();
        let few = TagSet::from_names(&["blush", "glasses", "blonde hair"]).unwrap();
        assert_eq!(labels.of_tags(&few).unwrap().values, [1.0, 0.0, 1.0]);
        assert!(labels.of_tags(&TagSet::make_girls_256()).unwrap_err().to_string().contains("dark skin"));
    }

    #[test]
    fn wishes_change_what_they_name() {
        let labels = TagSet::make_girls().parse("blonde hair, blush, blue eyes").unwrap();
        let wished = |text: &str| labels.clone().wished(text);
        assert_eq!(wished("hair=purple, glasses, -blush").unwrap().to_string(), "purple hair, glasses, blue eyes");
        assert_eq!(wished("smile=0.5, eyes = red").unwrap().to_string(), "blonde hair, blush, smile=0.5, red eyes");
        assert_eq!(wished("-blonde hair").unwrap().to_string(), "blush, blue eyes");
        assert!(wished("hair=purple, pink hair").unwrap_err().to_string().contains("hair colour"));
        for text in ["", "hair=plaid", "horse"] {
            assert!(wished(text).is_err(), "{text}");
        }
    }

    #[test]
    fn values_have_to_be_finite_numbers() {
        let set = TagSet::make_girls();
        for text in ["smile=much", "smile=nan", "smile=", "smile=inf"] {
            assert!(set.parse(text).is_err(), "{text}");
        }
        assert!(set.labels().set("smile", f32::NAN).is_err());
        assert!(set.labels_from(vec![0.0; 33]).is_err());
    }

    #[test]
    fn labels_stack_to_a_matrix() {
        let set = TagSet::make_girls();
        let rows = [set.parse("blonde hair").unwrap(), set.parse("orange eyes").unwrap()];
        let tensor = Labels::stack(&rows, &Device::Cpu).unwrap();
        assert_eq!(tensor.dims(), [2, 34]);
        let values = tensor.to_vec2::<f32>().unwrap();
        assert_eq!((values[0][0], values[1][33], values[1][0]), (1.0, 1.0, 0.0));
        let other = TagSet::make_girls_256().labels();
        assert!(Labels::stack(&[rows[0].clone(), other], &Device::Cpu).is_err());
        assert_eq!(Labels::stack(&[], &Device::Cpu).unwrap().dims(), [0, 0]);
    }
}
