//! The tags of bodies.

use super::costume::{Back, Costume, Legwear, Lower, Shoes, Upper};
use super::motion::Motion;
use crate::Result;
use crate::data::avatar::faces::label;
use crate::data::avatar::palette::{EYES, HAIR};
use crate::data::tags::{Tag, TagGroup, TagSet};

/// The name of a tag, and what switches it on.
type Feature = (&'static str, fn(&Costume) -> bool);

/// Tags about hair and clothes.
const FEATURES: [Feature; 21] = [
    ("long hair", |c| c.coiffure.back.long()),
    ("short hair", |c| matches!(c.coiffure.back, Back::Short | Back::Bob)),
    ("twintails", |c| c.coiffure.back == Back::Twintails),
    ("ponytail", |c| c.coiffure.back == Back::Ponytail),
    ("double bun", |c| c.coiffure.back == Back::Buns),
    ("hair ribbon", |c| c.coiffure.ribbon),
    ("hairband", |c| c.coiffure.band),
    ("blush", |c| c.face.has(label::BLUSH)),
    ("smile", |c| c.face.has(label::SMILE)),
    ("open mouth", |c| c.face.has(label::OPEN_MOUTH)),
    ("serafuku", |c| c.outfit.upper == Upper::Sailor),
    ("blazer", |c| c.outfit.upper == Upper::Blazer),
    ("sweater", |c| c.outfit.upper == Upper::Sweater),
    ("hoodie", |c| c.outfit.upper == Upper::Hoodie),
    ("dress", |c| c.outfit.upper == Upper::Dress),
    ("coat", |c| c.outfit.upper == Upper::Coat),
    ("skirt", |c| matches!(c.outfit.lower, Lower::Pleated | Lower::Flared) && c.outfit.upper != Upper::Dress),
    ("shorts", |c| c.outfit.lower == Lower::Shorts),
    ("pants", |c| c.outfit.lower == Lower::Trousers),
    ("thighhighs", |c| c.outfit.legwear == Legwear::Thigh),
    ("boots", |c| c.outfit.shoes == Shoes::Boots),
];

/// 13 hair and 10 eye colours named as for faces, what one sees of hair and clothes, and the 8 motions. The colours and
/// the motions are exclusive groups.
pub(super) fn tag_set() -> Result<TagSet> {
    let colours = |colours: &[crate::data::avatar::palette::Named], of: &str| {
        colours.iter().map(|named| format!("{} {of}", named.name)).collect::<Vec<_>>()
    };
    let features = FEATURES.iter().map(|(name, _)| (*name).to_string()).collect();
    let motions = Motion::ALL.iter().map(|motion| motion.tag().to_string()).collect();
    let parts = [colours(&HAIR, "hair"), colours(&EYES, "eyes"), features, motions];
    let mut start = 0;
    let mut groups = Vec::new();
    for (part, name) in parts.iter().zip([Some("hair colour"), Some("eye colour"), None, Some("motion")]) {
        let members = (start..start + part.len()).collect();
        groups.extend(name.map(|name| TagGroup { name: name.to_string(), members }));
        start += part.len();
    }
    TagSet::new(parts.concat().into_iter().map(|name| Tag::switch(name, None)).collect(), groups)
}

/// The values of [`tag_set`] for a character in a motion.
pub(super) fn values(costume: &Costume, motion: Motion) -> Vec<f32> {
    let switch = |on: bool| f32::from(u8::from(on));
    let hair = (0..HAIR.len()).map(|i| i == costume.face.hair_index());
    let eyes = (0..EYES.len()).map(|i| i == costume.face.eye_index());
    let features = FEATURES.iter().map(|(_, on)| on(costume));
    let motions = Motion::ALL.iter().map(|other| *other == motion);
    hair.chain(eyes).chain(features).chain(motions).map(switch).collect()
}
