//! The numbers of the 34 make.girls.moe labels (paper Table 1) that a face is drawn by.

use std::ops::Range;

use crate::data::tags::{Labels, MAKE_GIRLS_TAGS};
use crate::error::{Error, Result};

/// How many labels a face has.
pub const COUNT: usize = 34;

/// Hair colours, of which a face has exactly one.
pub const HAIR: Range<usize> = 0..13;
/// Hair reaches beyond the shoulders.
pub const LONG_HAIR: usize = 13;
/// Hair is cut at the jaw. Together with [`LONG_HAIR`]: a bob in front of long hair.
pub const SHORT_HAIR: usize = 14;
/// A bunch on each side of the head.
pub const TWINTAILS: usize = 15;
/// Spiral ringlets beside the face; the twintails where there are any.
pub const DRILL_HAIR: usize = 16;
/// One bunch, tied high at the back of the head.
pub const PONYTAIL: usize = 17;
/// Red cheeks.
pub const BLUSH: usize = 18;
/// The corners of the mouth go up.
pub const SMILE: usize = 19;
/// The mouth is open.
pub const OPEN_MOUTH: usize = 20;
/// A hat, cap or beret.
pub const HAT: usize = 21;
/// A bow in the hair.
pub const RIBBON: usize = 22;
/// Glasses.
pub const GLASSES: usize = 23;
/// Eye colours, of which a face has exactly one.
pub const EYES: Range<usize> = 24..34;

/// Name of a label of 0..34.
pub(super) fn name(label: usize) -> &'static str {
    MAKE_GIRLS_TAGS.get(label).map_or("unknown", |tag| tag.name)
}

/// On or off for every label.
pub(super) fn switches(labels: &Labels) -> Result<[bool; COUNT]> {
    let names = labels.tags().names();
    if names.iter().enumerate().any(|(i, &found)| found != name(i)) || names.len() != COUNT {
        let expected = "the 34 tags of TagSet::make_girls()";
        return Err(Error::invalid("labels of a face", format!("{} other tags", names.len()), expected, ""));
    }
    let mut on = [false; COUNT];
    for (i, (on, &value)) in on.iter_mut().zip(&labels.values).enumerate() {
        *on = match value {
            0.0 => false,
            1.0 => true,
            between => {
                let what = format!("label \"{}\" of a drawn face", name(i));
                return Err(Error::invalid(what, between.to_string(), "0 (off) or 1 (on)", ""));
            }
        };
    }
    check(&on)?;
    Ok(on)
}

/// The labels that exclude this one and each other, itself among them.
pub(super) fn group(label: usize) -> Result<Range<usize>> {
    match label {
        l if HAIR.contains(&l) => Ok(HAIR),
        l if EYES.contains(&l) => Ok(EYES),
        l if l < COUNT => Ok(l..l + 1),
        l => Err(Error::invalid("label", l.to_string(), "a number from 0 to 33", "")),
    }
}

/// Refuses labels without exactly one hair and one eye colour.
pub(super) fn check(labels: &[bool; COUNT]) -> Result<()> {
    for (group, what) in [(HAIR, "hair colours"), (EYES, "eye colours")] {
        let on: Vec<&str> = group.filter(|&l| labels[l]).map(name).collect();
        if on.len() != 1 {
            let found = if on.is_empty() { "none".to_string() } else { on.join(" and ") };
            return Err(Error::invalid(what, found, "exactly one", "A drawn face has one hair and one eye colour."));
        }
    }
    Ok(())
}
