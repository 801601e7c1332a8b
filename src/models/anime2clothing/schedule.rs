//! Coarse to fine by epochs (specs/clothing.md A.7).

use serde::{Deserialize, Serialize};

use crate::train::gan::Player;
use crate::train::plan::{Average, Mark, Plan, Stage};
use crate::{Error, Result};

/// One resolution of a training.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Phase {
    /// Side of the pictures in pixels.
    pub resolution: usize,
    /// How many epochs of the training have passed when it ends.
    pub until: u64,
    /// Pictures of a minibatch; half of them, at least one, while the resolution fades in.
    pub batch: usize,
}

/// Resolutions by epochs. The first epoch of each but the first fades in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// Pairs of an epoch: those of the data set, which a training puts in.
    pub pictures: u64,
    /// From the smallest resolution to the finished pictures.
    pub phases: Vec<Phase>,
    /// Factor of all minibatches (`batch_rate`): 1.
    pub batch_rate: usize,
    /// Epochs at the full learning rate but the first, which falls to 0 along a line after them: 70.
    pub decay_from: u64,
    /// Whether a fade counts iterations but divides by pictures, as the published code does: the old way then still weighs
    /// 94, 88 and 50 % when the epoch ends, and is gone at once.
    pub published_fade: bool,
}

/// The first phase that the published code has for each resolution: epochs and minibatch.
const PUBLISHED: [(usize, u64, usize); 4] = [(32, 16, 64), (64, 31, 32), (128, 61, 16), (256, 101, 4)];

impl Schedule {
    /// The paper's on its 32,608 pairs: 32 px up to epoch 15, counted from 0, 64 up to 30, 128 up to 60, 256 up to 100.
    pub fn paper() -> Schedule {
        let phase = |&(resolution, until, batch): &(usize, u64, usize)| Phase { resolution, until, batch };
        Schedule {
            pictures: 32_608,
            phases: PUBLISHED.iter().map(phase).collect(),
            batch_rate: 1,
            decay_from: 70,
            published_fade: false,
        }
    }

    /// One resolution, with the paper's learning rates.
    pub fn constant(resolution: usize, epochs: u64, batch: usize) -> Schedule {
        Schedule { phases: vec![Phase { resolution, until: epochs, batch }], ..Schedule::paper() }
    }

    /// Epochs of the whole training.
    pub fn epochs(&self) -> u64 {
        self.phases.last().map_or(0, |phase| phase.until)
    }

    /// Factor of the learning rate in an epoch, counted from 0: 1 up to `decay_from`, then along a line that reaches 0 with
    /// the epoch after the last.
    pub fn factor(&self, epoch: u64) -> f64 {
        let (past, length) = (epoch.saturating_sub(self.decay_from), self.epochs().saturating_sub(self.decay_from));
        1.0 - past as f64 / length.max(1) as f64
    }

    /// Whether a network for pictures of `side` px can be trained by it.
    ///
    /// # Errors
    /// When it cannot.
    pub(super) fn check(&self, side: usize) -> Result<()> {
        let bad = |found: String, expected: String| Err(Error::invalid("schedule", found, expected, ""));
        if self.phases.last().map(|phase| phase.resolution) != Some(side) {
            let found = format!("resolutions {:?}", self.phases.iter().map(|p| p.resolution).collect::<Vec<_>>());
            return bad(found, format!("resolutions that end with the network's {side} px"));
        }
        if let Some(pair) = self.phases.windows(2).find(|p| p[1].resolution != 2 * p[0].resolution) {
            let [before, after] = [pair[0].resolution, pair[1].resolution];
            return bad(format!("{after} px after {before} px"), "resolutions that double".into());
        }
        let ends: Vec<u64> = std::iter::once(0).chain(self.phases.iter().map(|phase| phase.until)).collect();
        if ends.windows(2).any(|pair| pair[0] >= pair[1]) {
            return bad(format!("ends after {ends:?} epochs"), "ends that rise".into());
        }
        if self.pictures == 0 || self.batch_rate == 0 || self.phases.iter().any(|phase| phase.batch == 0) {
            return bad("0 pictures an epoch or a minibatch".into(), "1 or more".into());
        }
        Ok(())
    }

    /// The plan: the generator moves first, on the pictures that the discriminators then see.
    pub(super) fn plan(&self, players: &[Player], rate: f64, beta2: f64) -> Plan {
        let mut stages: Vec<Stage> = Vec::new();
        let mut begin = 0;
        for (number, phase) in self.phases.iter().enumerate() {
            for epoch in begin..phase.until {
                let fades = number > 0 && epoch == begin;
                let batch = phase.batch * self.batch_rate;
                let batch = if fades { (batch / 2).max(1) } else { batch };
                let (end, rate) = (Mark::Images((epoch + 1) * self.pictures), rate * self.factor(epoch));
                let stage = Stage::new(end, phase.resolution, batch, rate);
                match stages.last_mut() {
                    // Epochs that do not differ are one stage.
                    Some(last) if !fades && last.fade == 0 && Stage { until: end, ..last.clone() } == stage => {
                        last.until = end;
                    }
                    _ if fades => {
                        let length = if self.published_fade { batch as u64 } else { 1 } * self.pictures;
                        stages.push(stage.fade(length));
                    }
                    _ => stages.push(stage),
                }
            }
            begin = phase.until;
        }
        let order: Vec<(Player, u32)> = players.iter().map(|&player| (player, 1)).collect();
        Plan::of(stages).order(&order).adam(0.5, beta2, 1e-8).average(Average::Constant(0.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// specs/clothing.md A.7.
    #[test]
    fn the_published_table() {
        let schedule = Schedule::paper();
        schedule.check(256).unwrap();
        let plan = schedule.plan(&[Player::Generator, Player::Domain, Player::Discriminator], 2e-4, 0.999);
        plan.check().unwrap();
        let at = |epoch: u64| plan.position(0, epoch * 32_608 + 4);
        for (epochs, resolution, batch, fades) in [
            ([0, 15], 32, 64, false),
            ([16, 16], 64, 16, true),
            ([17, 30], 64, 32, false),
            ([31, 31], 128, 8, true),
            ([32, 60], 128, 16, false),
            ([61, 61], 256, 2, true),
            ([62, 100], 256, 4, false),
        ] {
            for epoch in epochs {
                let position = at(epoch);
                assert_eq!((position.resolution, position.batch), (resolution, batch), "{epoch}");
                assert_eq!(position.alpha < 1.0, fades, "{epoch}");
            }
        }
        let steps: u64 = (0..101).map(|epoch| 32_608u64.div_ceil(at(epoch).batch as u64)).sum();
        assert_eq!(steps, 421_874);
        let rate = |epoch: u64| plan.rate(Player::Generator, at(epoch).stage, 1);
        assert_eq!([rate(0), rate(70)], [2e-4, 2e-4]);
        assert!((rate(100) - 2e-4 / 31.0).abs() < 1e-18 && (rate(71) - 2e-4 * 30.0 / 31.0).abs() < 1e-18);
    }

    /// The weight of the old way at the end of the fades into 64, 128 and 256 px.
    #[test]
    fn the_published_fade_does_not_end() {
        let published = Schedule { published_fade: true, ..Schedule::paper() };
        let ends = [16, 31, 61].map(|epoch| {
            let plan = published.plan(&[Player::Generator], 2e-4, 0.999);
            1.0 - plan.position(0, (epoch + 1) * 32_608 - 1).alpha
        });
        for (end, wanted) in ends.into_iter().zip([0.9375, 0.875, 0.5]) {
            assert!((end - wanted).abs() < 1e-4, "{ends:?}");
        }
        let mended = Schedule::paper().plan(&[Player::Generator], 2e-4, 0.999);
        assert!(mended.position(0, 17 * 32_608 - 1).alpha > 0.999);
    }

    #[test]
    fn schedules_that_cannot_be_trained_are_refused() {
        let paper = Schedule::paper;
        let refused = |schedule: Schedule, word: &str| {
            let message = schedule.check(256).unwrap_err().to_string();
            assert!(message.contains(word), "{message}");
        };
        refused(Schedule { phases: vec![], ..paper() }, "256 px");
        refused(Schedule { pictures: 0, ..paper() }, "0 pictures");
        refused(Schedule::constant(128, 5, 4), "[128]");
        let mut skips = paper();
        skips.phases.remove(1);
        refused(skips, "128 px after 32");
        let mut falls = paper();
        falls.phases[2].until = 20;
        refused(falls, "rise");
    }
}
