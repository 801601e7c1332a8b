//! Attribute vocabularies: names, exclusive groups, and how attributes are drawn.

mod labels;
mod make_girls;
mod sampler;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

pub use labels::Labels;
pub(super) use labels::name_and_value;
pub use make_girls::{MAKE_GIRLS_IMAGES, MAKE_GIRLS_TAGS, PaperTag};
pub use sampler::TagSampler;

/// One attribute of a [`TagSet`].
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tag {
    /// The tag as Illustration2Vec and Danbooru spell it, with spaces ("silver hair").
    pub name: String,
    /// Probability in [0, 1] with which [`TagSampler::Frequencies`] draws it; a weight inside an exclusive group.
    #[serde(default, with = "exact")]
    pub chance: Option<f64>,
    /// A number (release year) and not a switch: 0 and 1 are the ends of the usual range, values outside are allowed.
    pub continuous: bool,
}

/// Tags of which a picture has at most one (hair colour, eye colour).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TagGroup {
    /// What the tags have in common ("hair colour").
    pub name: String,
    /// Positions in the tag set, ascending.
    pub members: Vec<usize>,
}

/// An ordered attribute vocabulary: position `i` is element `i` of every label vector.
///
/// Two sets are equal when label vectors mean the same under both; the chances may differ.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "Parts", into = "Parts")]
pub struct TagSet {
    parts: Arc<Parts>,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Parts {
    tags: Vec<Tag>,
    groups: Vec<TagGroup>,
}

impl TryFrom<Parts> for TagSet {
    type Error = Error;

    fn try_from(parts: Parts) -> Result<TagSet> {
        TagSet::new(parts.tags, parts.groups)
    }
}

impl From<TagSet> for Parts {
    fn from(tags: TagSet) -> Parts {
        Arc::unwrap_or_clone(tags.parts)
    }
}

/// The tags of the make.girls.moe paper by name: `tags("silver hair, long hair, smile, blue eyes")?`.
///
/// # Errors
/// As [`TagSet::parse`].
pub fn tags(text: impl AsRef<str>) -> Result<Labels> {
    TagSet::make_girls().parse(text)
}

impl TagSet {
    /// A vocabulary of these tags with these exclusive groups.
    ///
    /// # Errors
    /// Two tags of one name, an empty name or one with a comma or `=`, a chance outside [0, 1], a group that names
    /// a tag that is not there, a continuous tag, or a tag of another group.
    pub fn new(tags: Vec<Tag>, groups: Vec<TagGroup>) -> Result<TagSet> {
        let mut seen = BTreeSet::new();
        for tag in &tags {
            check_tag(tag)?;
            if !seen.insert(normal(&tag.name)) {
                return Err(invalid("tag set", format!("the tag \"{}\" twice", tag.name), "every tag once"));
            }
        }
        let mut grouped = BTreeSet::new();
        for group in &groups {
            for &member in &group.members {
                let what = || format!("exclusive group \"{}\"", group.name);
                let Some(tag) = tags.get(member) else {
                    let found = format!("tag number {member} of {}", tags.len());
                    return Err(invalid(what(), found, "positions in the tag set"));
                };
                if tag.continuous || !grouped.insert(member) {
                    let expected = "on/off tags that are in one group only";
                    return Err(invalid(what(), format!("\"{}\"", tag.name), expected));
                }
            }
        }
        Ok(TagSet { parts: Arc::new(Parts { tags, groups }) })
    }

    /// On/off tags of these names without groups and chances.
    ///
    /// # Errors
    /// As [`TagSet::new`].
    pub fn from_names<S: AsRef<str>>(names: &[S]) -> Result<TagSet> {
        TagSet::new(names.iter().map(|name| Tag::switch(name.as_ref(), None)).collect(), Vec::new())
    }

    /// The empty vocabulary of a data set without labels.
    pub fn none() -> TagSet {
        TagSet { parts: Arc::new(Parts { tags: Vec::new(), groups: Vec::new() }) }
    }

    /// The same vocabulary with one more, continuous, tag at its end ("year").
    ///
    /// # Errors
    /// When the name is taken or cannot be a tag.
    pub fn with_continuous(&self, name: impl Into<String>) -> Result<TagSet> {
        let Parts { mut tags, groups } = (*self.parts).clone();
        tags.push(Tag { name: name.into(), chance: None, continuous: true });
        TagSet::new(tags, groups)
    }

    /// The same vocabulary with these chances for [`TagSampler::Frequencies`], one per tag, each in [0, 1].
    ///
    /// # Errors
    /// When their number differs from the number of tags, or one is outside [0, 1].
    pub fn with_chances(&self, chances: &[f64]) -> Result<TagSet> {
        let Parts { mut tags, groups } = (*self.parts).clone();
        if chances.len() != tags.len() {
            let expected = format!("{} of them, one per tag", tags.len());
            return Err(invalid("chances", chances.len().to_string(), &expected));
        }
        for (tag, chance) in tags.iter_mut().zip(chances) {
            tag.chance = Some(*chance);
        }
        TagSet::new(tags, groups)
    }

    /// These tags alone, in this order, with their groups, and where each is in this set.
    ///
    /// # Errors
    /// When there is no such tag, or one is named twice.
    pub fn chosen<S: AsRef<str>>(&self, names: &[S]) -> Result<(TagSet, Vec<usize>)> {
        let ids = names.iter().map(|name| self.id(name)).collect::<Result<Vec<usize>>>()?;
        let place = |member: &usize| ids.iter().position(|id| id == member);
        let left = |group: &TagGroup| {
            let mut members: Vec<usize> = group.members.iter().filter_map(place).collect();
            members.sort_unstable();
            TagGroup { name: group.name.clone(), members }
        };
        let groups = self.groups().iter().map(left).filter(|group| !group.members.is_empty()).collect();
        let tags = ids.iter().map(|&id| self.tags()[id].clone()).collect();
        Ok((TagSet::new(tags, groups)?, ids))
    }

    /// Number of tags.
    pub fn len(&self) -> usize {
        self.parts.tags.len()
    }

    /// Whether there are no tags.
    pub fn is_empty(&self) -> bool {
        self.parts.tags.is_empty()
    }

    /// The tags in label order.
    pub fn tags(&self) -> &[Tag] {
        &self.parts.tags
    }

    /// The names in label order.
    pub fn names(&self) -> Vec<&str> {
        self.parts.tags.iter().map(|tag| tag.name.as_str()).collect()
    }

    /// The groups of which a picture has at most one tag.
    pub fn groups(&self) -> &[TagGroup] {
        &self.parts.groups
    }

    /// The exclusive group of a tag, if it is in one.
    pub fn group_of(&self, id: usize) -> Option<&TagGroup> {
        self.parts.groups.iter().find(|group| group.members.contains(&id))
    }

    /// The position of a tag, if it is in the vocabulary. Case, underscores and "gray" for "grey" do not matter.
    pub fn find(&self, name: impl AsRef<str>) -> Option<usize> {
        let name = normal(name.as_ref());
        self.parts.tags.iter().position(|tag| normal(&tag.name) == name)
    }

    /// The position of a tag.
    ///
    /// # Errors
    /// When there is no such tag; the message names the nearest ones.
    pub fn id(&self, name: impl AsRef<str>) -> Result<usize> {
        let name = name.as_ref();
        self.find(name).ok_or_else(|| {
            let nearest = self.nearest(name);
            let hint =
                if nearest.is_empty() { String::new() } else { format!("Did you mean: {}?", nearest.join(", ")) };
            let expected = match self.len() {
                0 => "nothing, since this data set has no tags".to_string(),
                n => format!("one of the {n} tags of this set"),
            };
            Error::invalid("tag", format!("\"{name}\""), expected, hint)
        })
    }

    /// The three tags whose names are most like `name`.
    pub fn nearest(&self, name: impl AsRef<str>) -> Vec<&str> {
        let name = normal(name.as_ref());
        let mut names = self.names();
        names.sort_by_cached_key(|tag| distance(&name, &normal(tag)));
        names.truncate(3);
        names
    }

    /// All tags off.
    pub fn labels(&self) -> Labels {
        Labels::off(self)
    }

    /// Labels from values in label order: 0 is off, 1 is on, between them is allowed.
    ///
    /// # Errors
    /// When their number differs from the number of tags, or one is not finite.
    pub fn labels_from(&self, values: Vec<f32>) -> Result<Labels> {
        Labels::from_values(self, values)
    }

    /// Labels from a text: names with commas between them. `-smile` is off, `smile=0.5` half on; what is not named is off.
    ///
    /// # Errors
    /// An unknown tag (the message names the nearest ones), a value that is no number, two tags of one exclusive group.
    pub fn parse(&self, text: impl AsRef<str>) -> Result<Labels> {
        Labels::parse(self, text.as_ref())
    }
}

impl Tag {
    /// An on/off tag.
    pub fn switch(name: impl Into<String>, chance: Option<f64>) -> Tag {
        Tag { name: name.into(), chance, continuous: false }
    }
}

impl PartialEq for TagSet {
    fn eq(&self, other: &TagSet) -> bool {
        let meanings = |set: &TagSet| -> Vec<(String, bool)> {
            set.tags().iter().map(|tag| (normal(&tag.name), tag.continuous)).collect()
        };
        Arc::ptr_eq(&self.parts, &other.parts)
            || (self.parts.groups == other.parts.groups && meanings(self) == meanings(other))
    }
}

impl fmt::Display for TagSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.names().join(", "))
    }
}

impl fmt::Debug for TagSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} tags: {self}", self.len())
    }
}

/// Probabilities as decimal text: `serde_json` reads numbers back with an error in the last bit.
mod exact {
    use serde::de::Error as _;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub fn serialize<S: Serializer>(value: &Option<f64>, serializer: S) -> Result<S::Ok, S::Error> {
        value.map(|value| value.to_string()).serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        text.map(|text| text.parse().map_err(|_| D::Error::custom(format!("{text:?} is no number")))).transpose()
    }
}

fn invalid(what: impl Into<String>, found: impl Into<String>, expected: &str) -> Error {
    Error::invalid(what, found, expected, "")
}

fn check_tag(tag: &Tag) -> Result<()> {
    let name = tag.name.trim();
    if name.is_empty() || name.starts_with('-') || name.contains([',', '=', ';', '\n']) {
        let expected = "a name without comma, semicolon and equals sign, not starting with a minus";
        return Err(invalid("tag", format!("{:?}", tag.name), expected));
    }
    match tag.chance {
        Some(chance) if !(0.0..=1.0).contains(&chance) => {
            Err(invalid(format!("chance of the tag \"{name}\""), chance.to_string(), "a probability in [0, 1]"))
        }
        _ => Ok(()),
    }
}

/// The form in which names are compared: lower case, single spaces, British grey.
fn normal(name: &str) -> String {
    let name = name.to_lowercase().replace('_', " ").replace("gray", "grey");
    name.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Levenshtein distance; a word in common counts as two letters less.
fn distance(a: &str, b: &str) -> usize {
    let b_letters: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b_letters.len()).collect();
    for (i, letter) in a.chars().enumerate() {
        let mut diagonal = i;
        row[0] = i + 1;
        for (j, other) in b_letters.iter().enumerate() {
            let substituted = diagonal + usize::from(letter != *other);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(diagonal + 1).min(row[j] + 1);
        }
    }
    let shared = a.split(' ').filter(|word| b.split(' ').any(|other| other == *word)).count();
    (row[b_letters.len()] + 2).saturating_sub(2 * shared)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_tag_names_its_neighbours() {
        let error = TagSet::make_girls().parse("silvr hair").unwrap_err().to_string();
        assert!(error.contains("\"silvr hair\"") && error.contains("Did you mean: silver hair"), "{error}");
        let error = TagSet::make_girls().parse("drills").unwrap_err().to_string();
        assert!(error.contains("drill hair"), "{error}");
        let error = TagSet::none().parse("smile").unwrap_err().to_string();
        assert!(error.contains("has no tags"), "{error}");
    }

    #[test]
    fn names_are_compared_loosely() {
        let set = TagSet::make_girls();
        for name in ["grey hair", "gray hair", "Grey_Hair", "  grey   hair "] {
            assert_eq!(set.find(name), Some(12), "{name}");
        }
        assert_eq!(set.find("grey"), None);
    }

    #[test]
    fn malformed_sets_are_refused() {
        for names in [vec!["smile", "Smile"], vec![""], vec!["a,b"], vec!["a=b"], vec!["-a"]] {
            assert!(TagSet::from_names(&names).is_err(), "{names:?}");
        }
        let tag = |name| Tag::switch(name, None);
        let group = |members| TagGroup { name: "g".into(), members };
        assert!(TagSet::new(vec![tag("a")], vec![group(vec![1])]).is_err());
        assert!(TagSet::new(vec![tag("a")], vec![group(vec![0]), group(vec![0])]).is_err());
        assert!(TagSet::new(vec![Tag::switch("a", Some(1.5))], vec![]).is_err());
        assert!(TagSet::new(vec![Tag::switch("a", Some(f64::NAN))], vec![]).is_err());
    }

    #[test]
    fn a_set_survives_serialisation() {
        let set = TagSet::make_girls_256();
        let text = serde_json::to_string(&set).unwrap();
        let read: TagSet = serde_json::from_str(&text).unwrap();
        assert_eq!(read, set);
        let chances = |set: &TagSet| set.tags().iter().map(|tag| tag.chance).collect::<Vec<_>>();
        assert_eq!(chances(&read), chances(&set));
        assert_ne!(set, TagSet::make_girls());
        let twice = text.replace("\"smile\"", "\"blush\"");
        assert!(serde_json::from_str::<TagSet>(&twice).is_err());
    }
}
