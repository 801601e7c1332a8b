//! Schedules of models that edit attributes: epochs, of so many steps, and learning rates that fall in the later ones.

use serde::{Deserialize, Serialize};

use crate::data::dataset::Dataset;
use crate::train::gan::Player;
use crate::train::plan::{Average, Mark, Plan, Stage};
use crate::{Error, Result};

/// How the learning rate falls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fall {
    /// To a tenth, at once.
    Tenth,
    /// Along a line, a step an epoch, that would reach 0 with the epoch after the last.
    Line,
}

/// How long, at what rate, and how often each player moves.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// Epochs of the training.
    pub epochs: u64,
    /// The first of them, which have the full rate.
    pub full: u64,
    /// How the rate falls after those.
    pub fall: Fall,
    /// Steps of an epoch; a training puts in those of its data set, where [`Schedule::minibatches`] says how.
    pub steps: u64,
    /// Minibatches that a step of the authors' code takes from the data set: an epoch has as many steps as the data set
    /// has those. None where the authors count steps.
    pub minibatches: Option<u64>,
    /// Pictures of a minibatch.
    pub batch: usize,
    /// Adam's learning rate, of all players.
    pub rate: f64,
    /// Moves of the discriminator for each of the generator.
    pub judgements: u32,
    /// Decay of the running average of the weights; 0 keeps none, as all authors.
    pub average: f64,
}

impl Schedule {
    /// STGAN (specs/faces.md C.4) on CelebA's 182,000 pictures: 200 epochs, a tenth of the rate from 100 on; an epoch counts
    /// the generator's minibatch beside the discriminator's five.
    pub fn stgan() -> Schedule {
        Schedule {
            epochs: 200,
            full: 100,
            fall: Fall::Tenth,
            steps: 182_000 / (32 * 6),
            minibatches: Some(6),
            batch: 32,
            rate: 2e-4,
            judgements: 5,
            average: 0.0,
        }
    }

    /// The same for a data set of so many pictures.
    pub fn for_data(&self, dataset: &Dataset) -> Schedule {
        let of = |minibatches: u64| (dataset.len() as u64 / (self.batch as u64 * minibatches).max(1)).max(1);
        Schedule { steps: self.minibatches.map_or(self.steps, of), ..self.clone() }
    }

    /// The plan: the discriminator and those of its `companions` move as often as the other, then the generator.
    pub fn plan(&self, resolution: usize, companions: &[Player]) -> Plan {
        let stage = |epoch: u64, factor: f64| {
            Stage::new(Mark::Steps(epoch * self.steps), resolution, self.batch, self.rate * factor)
        };
        let falling = self.epochs.saturating_sub(self.full);
        let mut stages = Vec::new();
        if self.full > 0 {
            stages.push(stage(self.full.min(self.epochs), 1.0));
        }
        match self.fall {
            _ if falling == 0 => {}
            Fall::Tenth => stages.push(stage(self.epochs, 0.1)),
            Fall::Line => {
                let factor = |past: u64| 1.0 - past as f64 / (falling + 1) as f64;
                stages.extend((1..=falling).map(|past| stage(self.full + past, factor(past))));
            }
        }
        let judges = [Player::Discriminator].iter().chain(companions).map(|&player| (player, self.judgements));
        let order: Vec<(Player, u32)> = judges.chain([(Player::Generator, 1)]).collect();
        Plan::of(stages).order(&order).adam(0.5, 0.999, 1e-8).average(Average::Decay(self.average))
    }

    /// Whether a training can follow it.
    ///
    /// # Errors
    /// When it cannot.
    pub fn check(&self) -> Result<()> {
        let Schedule { epochs, steps, batch, judgements, .. } = *self;
        if epochs == 0 || steps == 0 || batch == 0 || judgements == 0 {
            let found = format!(
                "{epochs} epochs of {steps} steps, {batch} pictures a minibatch, {judgements} moves of the discriminator"
            );
            return Err(Error::invalid("schedule", found, "1 or more of each", ""));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::avatar::Avatar;

    /// specs/faces.md C.4.
    #[test]
    fn stgans_epochs() {
        let schedule = Schedule::stgan();
        schedule.check().unwrap();
        let plan = schedule.plan(128, &[Player::Classifier]);
        plan.check().unwrap();
        assert_eq!((schedule.steps, plan.stages.last().unwrap().until), (947, Mark::Steps(189_400)));
        let rate = |step: u64| plan.rate(Player::Generator, plan.position(step - 1, 0).stage, step);
        assert_eq!([rate(1), rate(94_700)], [2e-4, 2e-4]);
        assert!((rate(94_701) - 2e-5).abs() < 1e-18);
        assert_eq!(plan.rounds(), 5);
        assert_eq!(plan.movers(0, 0), [Player::Discriminator, Player::Classifier]);
        assert_eq!(plan.movers(0, 4), [Player::Discriminator, Player::Classifier, Player::Generator]);
        let faces = Avatar::faces().size(8).take(400).unwrap();
        assert_eq!((schedule.for_data(&faces).steps, schedule.for_data(&faces.take(9)).steps), (2, 1));
        assert!(Schedule { judgements: 0, ..schedule }.check().is_err());
    }

    #[test]
    fn a_line_falls_epoch_by_epoch() {
        let schedule = Schedule { epochs: 6, full: 3, fall: Fall::Line, steps: 10, ..Schedule::stgan() };
        let plan = schedule.plan(64, &[]);
        plan.check().unwrap();
        let rates: Vec<f64> = plan.stages.iter().map(|stage| stage.rate / schedule.rate).collect();
        assert_eq!(rates, [1.0, 0.75, 0.5, 0.25]);
        assert_eq!(plan.stages.last().unwrap().until, Mark::Steps(60));
    }
}
