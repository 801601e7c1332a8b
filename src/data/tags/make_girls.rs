//! The vocabularies of make.girls.moe (Jin et al. 2017, "Towards the Automatic Anime Characters Creation with
//! Generative Adversarial Networks", arXiv:1708.05509).

use super::{Tag, TagGroup, TagSet};

/// Number of training pictures of the paper.
pub const MAKE_GIRLS_IMAGES: u32 = 31_255;

/// One row of the paper's tables on attributes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PaperTag {
    /// The tag.
    pub name: &'static str,
    /// Training pictures that carry it, of [`MAKE_GIRLS_IMAGES`]. The paper's Table 1 prints the numbers of eye
    /// colours in the rows of blush, smile, open mouth and four hair styles; the right ones come from the frequencies
    /// in the configuration of the official web site, which does not give blush, smile and open mouth.
    pub images: Option<u32>,
    /// The share of generated pictures that show it when asked for (Table 2).
    pub precision: f64,
    /// Probability with which the official web site draws it (a weight among colours).
    pub chance: f64,
}

const fn colour(name: &'static str, images: u32, precision: f64) -> PaperTag {
    PaperTag { name, images: Some(images), precision, chance: images as f64 / MAKE_GIRLS_IMAGES as f64 }
}

const fn other(name: &'static str, images: Option<u32>, precision: f64, chance: f64) -> PaperTag {
    PaperTag { name, images, precision, chance }
}

/// The 34 attributes in the order of the paper's Table 1, which is that of the published networks.
pub const MAKE_GIRLS_TAGS: [PaperTag; 34] = [
    colour("blonde hair", 4991, 1.00),
    colour("brown hair", 6659, 1.00),
    colour("black hair", 4842, 1.00),
    colour("blue hair", 3289, 0.70),
    colour("pink hair", 2486, 0.80),
    colour("purple hair", 2972, 0.75),
    colour("green hair", 1115, 0.90),
    colour("red hair", 2417, 0.95),
    colour("silver hair", 987, 0.85),
    colour("white hair", 573, 0.60),
    colour("orange hair", 699, 0.65),
    colour("aqua hair", 168, 1.00),
    colour("grey hair", 57, 0.35),
    other("long hair", Some(16562), 1.00, 0.25),
    other("short hair", Some(11596), 1.00, 0.25),
    other("twintails", Some(3928), 0.60, 0.25),
    other("drill hair", Some(91), 0.20, 0.25),
    other("ponytail", Some(265), 0.45, 0.25),
    other("blush", None, 1.00, 0.6),
    other("smile", None, 0.95, 0.6),
    other("open mouth", None, 0.95, 0.25),
    other("hat", Some(1403), 0.15, 0.04488882),
    other("ribbon", Some(5360), 0.85, 0.3),
    other("glasses", Some(1683), 0.45, 0.05384738),
    colour("blue eyes", 8861, 1.00),
    colour("red eyes", 4926, 1.00),
    colour("brown eyes", 5583, 1.00),
    colour("green eyes", 4192, 1.00),
    colour("purple eyes", 4442, 0.95),
    colour("yellow eyes", 1700, 1.00),
    colour("pink eyes", 319, 0.60),
    colour("aqua eyes", 193, 1.00),
    colour("black eyes", 990, 0.80),
    colour("orange eyes", 49, 0.85),
];

const HAIR_COLOUR: std::ops::Range<usize> = 0..13;
const HAIR_STYLE: std::ops::Range<usize> = 13..18;
const EXPRESSION: std::ops::Range<usize> = 18..24;
const EYE_COLOUR: std::ops::Range<usize> = 24..34;

/// Nobody published how often dark skin occurs: the paper's rule for independent attributes is used.
const DARK_SKIN_CHANCE: f64 = 0.25;

/// What the text of ANIMEGAN names, completed to all common colours (specs/faces.md C): hair, eyes, the rest.
const ANIMEGAN_TAGS: [&str; 15] = [
    "blonde hair",
    "brown hair",
    "black hair",
    "blue hair",
    "pink hair",
    "purple hair",
    "green hair",
    "red hair",
    "blue eyes",
    "red eyes",
    "green eyes",
    "blush",
    "open mouth",
    "glasses",
    "smile",
];

impl TagSet {
    /// The attributes that ANIMEGAN is known to edit, of those of make.girls.moe: a small set for editors, which a data set
    /// takes with [`Dataset::with_labels`](crate::data::dataset::Dataset::with_labels).
    pub fn animegan() -> TagSet {
        TagSet::make_girls().chosen(&ANIMEGAN_TAGS).expect("they are all different tags of make.girls.moe").0
    }

    /// The 34 attributes of the make.girls.moe paper, in the order of Table 1 and of the published 128 px networks.
    ///
    /// Exclusive groups: "hair colour" (0–12) and "eye colour" (24–33); hair styles are independent. The chances are
    /// those of the official web site: colours by their share of the training pictures, the others as it sets them.
    pub fn make_girls() -> TagSet {
        let tags = MAKE_GIRLS_TAGS.iter().map(paper_tag).collect();
        let groups = vec![group("hair colour", HAIR_COLOUR), group("eye colour", EYE_COLOUR)];
        TagSet::new(tags, groups).expect("the paper's table names every tag once")
    }

    /// The 36 attributes of the later 256 px networks: hair colour 0–12, eye colour 13–22, hair style 23–27,
    /// dark skin 28, blush 29, smile 30, open mouth 31, hat 32, ribbon 33, glasses 34, year 35 (continuous).
    ///
    /// Like every label the year is fed to the network as 2·value − 1: the site's range −1.5…1.5 is −0.25…1.25 here,
    /// and the range −1…1 from which it draws is 0…1.
    pub fn make_girls_256() -> TagSet {
        let paper = |range: std::ops::Range<usize>| MAKE_GIRLS_TAGS[range].iter().map(paper_tag);
        let tags = paper(HAIR_COLOUR)
            .chain(paper(EYE_COLOUR))
            .chain(paper(HAIR_STYLE))
            .chain([Tag::switch("dark skin", Some(DARK_SKIN_CHANCE))])
            .chain(paper(EXPRESSION))
            .chain([Tag { name: "year".into(), chance: None, continuous: true }])
            .collect();
        let groups = vec![group("hair colour", 0..13), group("eye colour", 13..23)];
        TagSet::new(tags, groups).expect("the paper's tags, dark skin and year are all different")
    }
}

fn paper_tag(tag: &PaperTag) -> Tag {
    Tag::switch(tag.name, Some(tag.chance))
}

fn group(name: &str, members: std::ops::Range<usize>) -> TagGroup {
    TagGroup { name: name.into(), members: members.collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_those_of_the_published_networks() {
        let set = TagSet::make_girls();
        assert_eq!(set.len(), 34);
        let wanted =
            [("blonde hair", 0), ("grey hair", 12), ("long hair", 13), ("ponytail", 17), ("blush", 18), ("hat", 21)];
        for (name, id) in wanted.into_iter().chain([("glasses", 23), ("blue eyes", 24), ("orange eyes", 33)]) {
            assert_eq!(set.id(name).unwrap(), id, "{name}");
        }
        let set = TagSet::make_girls_256();
        assert_eq!(set.len(), 36);
        let wanted = [("blue eyes", 13), ("orange eyes", 22), ("long hair", 23), ("dark skin", 28), ("blush", 29)];
        for (name, id) in wanted.into_iter().chain([("hat", 32), ("glasses", 34), ("year", 35)]) {
            assert_eq!(set.id(name).unwrap(), id, "{name}");
        }
    }

    #[test]
    fn every_picture_of_the_paper_has_one_colour_of_each_kind() {
        let sum =
            |range: std::ops::Range<usize>| MAKE_GIRLS_TAGS[range].iter().filter_map(|tag| tag.images).sum::<u32>();
        assert_eq!([sum(HAIR_COLOUR), sum(EYE_COLOUR)], [MAKE_GIRLS_IMAGES; 2]);
    }
}
