//! Training, validation and test pictures.

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::dataset::Source;
use crate::rng::Seed;
use crate::{Error, Result};

/// A part of a data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Split {
    /// For training.
    Train,
    /// For choosing settings.
    Validation,
    /// For the final numbers.
    Test,
}

impl Split {
    /// As in tables: "train", "validation", "test".
    pub fn name(self) -> &'static str {
        match self {
            Split::Train => "train",
            Split::Validation => "validation",
            Split::Test => "test",
        }
    }
}

/// How a data set is divided where it does not say so itself.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Splits {
    /// Share of validation pictures, in [0, 1].
    pub validation: f64,
    /// Share of test pictures, in [0, 1].
    pub test: f64,
    /// The seed of the division.
    pub seed: u64,
}

impl Default for Splits {
    /// 5 % validation, 5 % test, seed 0.
    fn default() -> Self {
        Splits { validation: 0.05, test: 0.05, seed: 0 }
    }
}

impl Splits {
    /// Refuses shares that cannot be.
    ///
    /// # Errors
    /// When a share is not in [0, 1], or both together are above 1.
    pub fn check(&self) -> Result<()> {
        let shares = [self.validation, self.test, self.validation + self.test];
        if shares.iter().all(|share| (0.0..=1.0).contains(share)) {
            return Ok(());
        }
        let found = format!("validation {} and test {}", self.validation, self.test);
        Err(Error::invalid("splits", found, "shares in [0, 1], together at most 1", "The rest is for training."))
    }
}

/// The split of every picture. The order of the files does not matter: pictures are ranked by a hash of seed and key,
/// the first ranks are test pictures, the next ones validation pictures.
pub(super) fn assign(source: &dyn Source, splits: &Splits) -> Vec<Split> {
    let seed = Seed(splits.seed);
    let mut assigned: Vec<Option<Split>> = (0..source.len()).map(|i| source.split(i)).collect();
    let open: Vec<usize> = (0..source.len()).filter(|i| assigned[*i].is_none()).collect();
    let mut ranked: Vec<(u64, String, usize)> = open
        .par_iter()
        .map(|&i| {
            let key = source.key(i);
            (seed.stream(&format!("split/{key}")).u64(), key, i)
        })
        .collect();
    ranked.sort_unstable();
    let share = |share: f64| (share * ranked.len() as f64).round() as usize;
    let (test, validation) = (share(splits.test), share(splits.validation));
    for (rank, (_, _, i)) in ranked.iter().enumerate() {
        assigned[*i] = Some(of_rank(rank, test, validation));
    }
    assigned.into_iter().map(|split| split.unwrap_or(Split::Train)).collect()
}

/// The split of every group of a kind ("person"), ranked as pictures are. The shares are of groups: at least one group
/// where the share is above 0 and another is left for training.
pub(super) fn of_groups<'a>(groups: BTreeSet<&'a str>, kind: &str, splits: &Splits) -> BTreeMap<&'a str, Split> {
    let seed = Seed(splits.seed);
    let rank = |name: &'a str| (seed.stream(&format!("split/{kind}/{name}")).u64(), name);
    let mut ranked: Vec<(u64, &str)> = groups.into_iter().map(rank).collect();
    ranked.sort_unstable();
    let mut left = ranked.len();
    let mut share = |share: f64| {
        let least = usize::from(share > 0.0 && left > 1);
        let count = ((share * ranked.len() as f64).round() as usize).max(least).min(left);
        left -= count;
        count
    };
    let (test, validation) = (share(splits.test), share(splits.validation));
    ranked.iter().enumerate().map(|(i, (_, name))| (*name, of_rank(i, test, validation))).collect()
}

fn of_rank(rank: usize, test: usize, validation: usize) -> Split {
    match rank {
        rank if rank < test => Split::Test,
        rank if rank < test + validation => Split::Validation,
        _ => Split::Train,
    }
}
