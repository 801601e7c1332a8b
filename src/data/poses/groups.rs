//! Splits of which no part has seen what another one holds: whole people, whole motions, whole costumes.

use std::collections::BTreeSet;

use super::{Pose, PoseSequence};
use crate::Result;
use crate::data::dataset::{Split, Splits};
use crate::data::splits::of_groups;

impl PoseSequence {
    /// Prescribes splits so that all pictures of one [`person`] are on the same side.
    ///
    /// # Errors
    /// When the shares cannot be.
    pub fn split_by_person(&self, splits: &Splits) -> Result<PoseSequence> {
        splits.check()?;
        let people: BTreeSet<&str> = self.poses().iter().map(|pose| person(&pose.name)).collect();
        let assigned = of_groups(people, "person", splits);
        let of = |pose: &Pose| assigned.get(person(&pose.name)).copied();
        Ok(self.with(self.poses().iter().map(|pose| Pose { split: of(pose), ..pose.clone() }).collect()))
    }

    /// Prescribes splits so that test pictures show motions or costumes that no training picture shows: the shares are of
    /// the clips and of the costumes, and a picture is for testing when either is. A picture without both is for training.
    ///
    /// # Errors
    /// When the shares cannot be.
    pub fn split_by_costume_and_clip(&self, splits: &Splits) -> Result<PoseSequence> {
        splits.check()?;
        let clips = of_groups(self.poses().iter().filter_map(|pose| pose.clip.as_deref()).collect(), "clip", splits);
        let costumes = self.poses().iter().filter_map(|pose| pose.costume.as_deref()).collect();
        let costumes = of_groups(costumes, "costume", splits);
        let of = |pose: &Pose| {
            let clip = pose.clip.as_deref().and_then(|clip| clips.get(clip));
            let costume = pose.costume.as_deref().and_then(|costume| costumes.get(costume));
            match [clip, costume] {
                sides if sides.contains(&Some(&Split::Test)) => Split::Test,
                sides if sides.contains(&Some(&Split::Validation)) => Split::Validation,
                _ => Split::Train,
            }
        };
        Ok(self.with(self.poses().iter().map(|pose| Pose { split: Some(of(pose)), ..pose.clone() }).collect()))
    }
}

/// The part of a picture's name that says whom it shows: `id` and eight digits where the name holds them (DeepFashion, whose
/// further digits number garments and views), or else everything up to the first `_`, `-` or `/`.
pub fn person(name: &str) -> &str {
    let digits = |from: &str| from.len() >= 8 && from.as_bytes()[..8].iter().all(u8::is_ascii_digit);
    for (at, _) in name.match_indices("id") {
        let rest = &name[at + 2..];
        let gap = usize::from(rest.starts_with('_'));
        if digits(&rest[gap..]) {
            return &rest[gap..gap + 8];
        }
    }
    let end = name.find(['_', '-', '/']).filter(|end| *end > 0).unwrap_or(name.len());
    &name[..end]
}

#[cfg(test)]
mod tests {
    use super::person;

    #[test]
    fn people_are_told_by_their_names() {
        let names = [
            ("fashionWOMENDressesid0000000201_1front.jpg", "00000002"),
            ("WOMEN/Dresses/id_00000002/02_1_front.jpg", "00000002"),
            ("fashionMENDenimid0000008001_7additional.jpg", "00000080"),
            ("0002_c1s1_000451_03.jpg", "0002"),
            ("alice/000001.png", "alice"),
            ("video12.png", "video12.png"),
        ];
        for (name, expected) in names {
            assert_eq!(person(name), expected, "{name}");
        }
    }
}
