//! Schedules that count epochs.

use serde::{Deserialize, Serialize};

use super::{Mark, Plan, Stage};
use crate::data::dataset::Dataset;
use crate::{Error, Result};

/// So many epochs at one learning rate, and as many more as it takes to bring it to 0 along a line, one step an epoch
/// (pix2pix, pix2pixHD, CycleGAN).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Epochs {
    /// Pictures of an epoch: those of the data set, which a training puts in.
    pub pictures: u64,
    /// Epochs at the full rate.
    pub constant: u64,
    /// Epochs in which it falls: in the first of them to n/(n + 1) of it, in the last to 1/(n + 1), as in the authors' code.
    pub falling: u64,
    /// Pictures of a minibatch.
    pub batch: usize,
    /// Adam's learning rate.
    pub rate: f64,
}

impl Epochs {
    /// Factor of the learning rate in an epoch, counted from 0.
    pub fn factor(&self, epoch: u64) -> f64 {
        let past = (epoch + 1).saturating_sub(self.constant);
        1.0 - past as f64 / (self.falling + 1) as f64
    }

    /// The plan, at one resolution: the discriminator moves first; Adam with β₁ 0.5, β₂ 0.999.
    pub fn plan(&self, resolution: usize) -> Plan {
        let stage = |until: u64, factor: f64| {
            Stage::new(Mark::Images(until * self.pictures), resolution, self.batch, self.rate * factor)
        };
        let mut stages = Vec::new();
        if self.constant > 0 {
            stages.push(stage(self.constant, 1.0));
        }
        let all = self.constant + self.falling;
        stages.extend((self.constant..all).map(|epoch| stage(epoch + 1, self.factor(epoch))));
        Plan::of(stages).adam(0.5, 0.999, 1e-8)
    }

    /// The same where each epoch goes through this data set once.
    pub fn over(self, dataset: &Dataset) -> Epochs {
        Epochs { pictures: dataset.len() as u64, ..self }
    }

    /// Whether a training can follow it.
    ///
    /// # Errors
    /// When it cannot.
    pub fn check(&self) -> Result<()> {
        if self.pictures == 0 || self.constant + self.falling == 0 || self.batch == 0 {
            let Epochs { pictures, constant, falling, batch, .. } = self;
            let found = format!("{constant} and {falling} epochs of {pictures} pictures, {batch} a minibatch");
            return Err(Error::invalid("schedule", found, "1 or more of each", ""));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::gan::Player;

    /// `get_scheduler` of the authors' code, `lr_policy` linear: epochs count from 1.
    #[test]
    fn rates_of_the_authors_code() {
        let epochs = Epochs { pictures: 10, constant: 100, falling: 100, batch: 1, rate: 2e-4 };
        let plan = epochs.plan(256);
        plan.check().unwrap();
        let rate = |epoch: u64| plan.rate(Player::Generator, plan.position(0, epoch * 10).stage, 1);
        assert_eq!([rate(0), rate(99)], [2e-4, 2e-4]);
        assert!((rate(100) - 2e-4 * 100.0 / 101.0).abs() < 1e-18);
        assert!((rate(199) - 2e-4 / 101.0).abs() < 1e-18);
        assert!(Epochs { batch: 0, ..epochs }.check().is_err());
    }
}
