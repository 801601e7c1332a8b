//! The tags of costumes.

use crate::Result;
use crate::data::avatar::bodies::costume::{Collar, Lower, Outfit, Pattern, Sleeves, Upper};
use crate::data::tags::{Tag, TagSet};

/// The name of a tag, and what switches it on.
type Feature = (&'static str, fn(&Outfit) -> bool);

const FEATURES: [Feature; 18] = [
    ("serafuku", |o| o.upper == Upper::Sailor),
    ("blazer", |o| o.upper == Upper::Blazer),
    ("sweater", |o| o.upper == Upper::Sweater),
    ("hoodie", |o| o.upper == Upper::Hoodie),
    ("blouse", |o| o.upper == Upper::Blouse),
    ("dress", |o| o.upper == Upper::Dress),
    ("coat", |o| o.upper == Upper::Coat),
    ("pleated skirt", |o| o.lower == Lower::Pleated),
    ("flared skirt", |o| o.lower == Lower::Flared && o.upper != Upper::Dress),
    ("shorts", |o| o.lower == Lower::Shorts),
    ("pants", |o| o.lower == Lower::Trousers),
    ("sleeveless", |o| o.sleeves == Sleeves::Bare),
    ("short sleeves", |o| matches!(o.sleeves, Sleeves::Short | Sleeves::Puffed)),
    ("long sleeves", |o| matches!(o.sleeves, Sleeves::Long | Sleeves::Wide)),
    ("bow", |o| o.collar == Collar::Bow),
    ("necktie", |o| o.collar == Collar::Tie),
    ("striped", |o| matches!(o.pattern, Pattern::Hem | Pattern::Stripes) && is_woven(o)),
    ("plaid", |o| o.pattern == Pattern::Plaid && matches!(o.lower, Lower::Pleated | Lower::Flared)),
];

/// Whether the costume has a part that stripes are woven into.
fn is_woven(outfit: &Outfit) -> bool {
    matches!(outfit.lower, Lower::Pleated | Lower::Flared) || outfit.upper == Upper::Sweater
}

pub(super) fn tag_set() -> Result<TagSet> {
    let tag = |(name, _): &Feature| Tag::switch((*name).to_string(), None);
    TagSet::new(FEATURES.iter().map(tag).collect(), Vec::new())
}

/// The values of [`tag_set`].
pub(super) fn values(outfit: &Outfit) -> Vec<f32> {
    FEATURES.iter().map(|(_, on)| f32::from(u8::from(on(outfit)))).collect()
}
