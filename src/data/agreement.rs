//! How well something does where the truth is known.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

/// How many things were told, how many should have been, and how many of both are the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Agreement {
    /// Told, and true.
    pub right: u64,
    /// Told, true or not.
    pub told: u64,
    /// True, told or not.
    pub wanted: u64,
}

impl Agreement {
    /// Of things of which each was told or not, and is true or not.
    pub fn of(answers: impl IntoIterator<Item = [bool; 2]>) -> Agreement {
        let mut all = Agreement::default();
        for [told, wanted] in answers {
            all.right += u64::from(told && wanted);
            all.told += u64::from(told);
            all.wanted += u64::from(wanted);
        }
        all
    }

    /// Of groups: counted are all pairs of two things in one group. Each thing has the number of the group that it was put
    /// into and of the one that it is of.
    pub fn of_groups(groups: impl IntoIterator<Item = [usize; 2]>) -> Agreement {
        let groups: Vec<[usize; 2]> = groups.into_iter().collect();
        let pairs = |key: fn(&[usize; 2]) -> [usize; 2]| {
            let mut counts = BTreeMap::new();
            groups.iter().for_each(|both| *counts.entry(key(both)).or_insert(0u64) += 1);
            counts.values().map(|n| n * (n - 1) / 2).sum()
        };
        Agreement { right: pairs(|both| *both), told: pairs(|both| [both[0], 0]), wanted: pairs(|both| [0, both[1]]) }
    }

    /// Told and not true, or true and not told.
    pub fn wrong(&self) -> u64 {
        self.told + self.wanted - 2 * self.right
    }

    /// The share of what was told that is true, 0 to 1; 0 when nothing was told.
    pub fn precision(&self) -> f64 {
        self.right as f64 / self.told.max(1) as f64
    }

    /// The share of what is true that was told, 0 to 1; 0 when nothing is.
    pub fn recall(&self) -> f64 {
        self.right as f64 / self.wanted.max(1) as f64
    }

    /// The harmonic mean of precision and recall, 0 to 1.
    pub fn f1(&self) -> f64 {
        2.0 * self.right as f64 / (self.told + self.wanted).max(1) as f64
    }
}

impl fmt::Display for Agreement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Agreement { right, told, wanted } = self;
        let [precision, recall, f1] = [self.precision(), self.recall(), self.f1()].map(|share| 100.0 * share);
        write!(f, "precision {precision:.1} % ({right} of {told}), ")?;
        write!(f, "recall {recall:.1} % ({right} of {wanted}), F1 {f1:.1} %")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// sklearn.metrics.precision_recall_fscore_support([1, 1, 1, 0, 0], [1, 1, 0, 1, 0]), and pair_confusion_matrix of the
    /// groups, halved.
    #[test]
    fn numbers_by_hand() {
        let found = Agreement::of([[true, true], [true, true], [false, true], [true, false], [false, false]]);
        assert_eq!(found, Agreement { right: 2, told: 3, wanted: 3 });
        assert!([found.precision(), found.recall(), found.f1()].iter().all(|share| (share - 2.0 / 3.0).abs() < 1e-12));
        let groups = Agreement::of_groups([[0, 0], [0, 0], [0, 1], [1, 1], [2, 2], [3, 1]]);
        assert_eq!(groups, Agreement { right: 1, told: 3, wanted: 4 });
        assert!((groups.f1() - 2.0 / 7.0).abs() < 1e-12);
        let nothing = Agreement::default();
        assert_eq!([nothing.precision(), nothing.recall(), nothing.f1()], [0.0; 3]);
        assert_eq!(groups.to_string(), "precision 33.3 % (1 of 3), recall 25.0 % (1 of 4), F1 28.6 %");
    }
}
