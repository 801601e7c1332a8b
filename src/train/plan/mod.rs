//! The schedule of a training as data: stages, who moves how often, learning rates, averaging, intervals.

pub mod epochs;
pub mod growth;
mod rules;
mod stage;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::gan::Player;
use crate::{Error, Result};

pub use crate::nn::precision::Precision;
pub use epochs::Epochs;
pub use growth::{Growth, Phase};
pub use rules::{AdamSettings, Average, Decay, Intervals, Reset};
pub use stage::{Mark, Stage, Turn};

/// The schedule of a training. Built with [`Plan::new`] and the setters; plain data otherwise.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Who moves, in order, and how often a step.
    pub order: Vec<Turn>,
    /// Constants of the optimizer of every player that [`Plan::adams`] does not name.
    pub adam: AdamSettings,
    /// Constants of single players' optimizers.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub adams: BTreeMap<Player, AdamSettings>,
    /// Decay of the learning rates.
    pub decay: Decay,
    /// Averaging of the weights.
    pub average: Average,
    /// Previews, checkpoints, history.
    pub intervals: Intervals,
    /// What the networks compute in while they are trained.
    #[serde(default)]
    pub precision: Precision,
    /// When moments of the optimizers are forgotten.
    #[serde(default, skip_serializing_if = "Reset::is_never")]
    pub reset: Reset,
    /// Largest length of a player's gradient, all its parameters together, to which a longer one is shortened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clip: Option<f64>,
    /// In the order in which they are trained. The last one goes on when more is asked for than it holds.
    pub stages: Vec<Stage>,
}

/// Where in its plan a step stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Position {
    /// Index of the stage.
    pub stage: usize,
    /// Side of the images, pixels.
    pub resolution: usize,
    /// Images per round.
    pub batch: usize,
    /// Weight of the layers that fade in, in [0, 1]; 1 outside of fades.
    pub alpha: f64,
}

impl Default for Position {
    /// Stage 0, no fade, of nothing.
    fn default() -> Self {
        Position { stage: 0, resolution: 0, batch: 0, alpha: 1.0 }
    }
}

impl Plan {
    /// One stage, [D, G], Adam with [`AdamSettings::default`], constant rate, average with decay 0.999, f32.
    pub fn new(stage: Stage) -> Plan {
        Plan::of(vec![stage])
    }

    /// As [`Plan::new`], with these stages.
    pub fn of(stages: Vec<Stage>) -> Plan {
        let turn = |player| Turn { player, times: 1 };
        Plan {
            order: vec![turn(Player::Discriminator), turn(Player::Generator)],
            adam: AdamSettings::default(),
            adams: BTreeMap::new(),
            decay: Decay::Constant,
            average: Average::Decay(0.999),
            intervals: Intervals::default(),
            precision: Precision::F32,
            reset: Reset::Never,
            clip: None,
            stages,
        }
    }

    /// Adds a stage.
    pub fn then(mut self, stage: Stage) -> Plan {
        self.stages.push(stage);
        self
    }

    /// Who moves, and how often a step: `[(Player::Discriminator, 5), (Player::Generator, 1)]`.
    pub fn order(mut self, turns: &[(Player, u32)]) -> Plan {
        self.order = turns.iter().map(|&(player, times)| Turn { player, times }).collect();
        self
    }

    /// Adam's constants.
    pub fn adam(mut self, beta1: f64, beta2: f64, eps: f64) -> Plan {
        self.adam = AdamSettings { beta1, beta2, eps };
        self
    }

    /// Adam's constants of one player.
    pub fn player_adam(mut self, player: Player, beta1: f64, beta2: f64, eps: f64) -> Plan {
        self.adams.insert(player, AdamSettings { beta1, beta2, eps });
        self
    }

    /// Gradients are shortened to this length.
    pub fn clip(mut self, length: f64) -> Plan {
        self.clip = Some(length);
        self
    }

    /// The constants of this player's optimizer.
    pub fn adam_of(&self, player: Player) -> AdamSettings {
        self.adams.get(&player).copied().unwrap_or(self.adam)
    }

    /// Decay of the learning rates.
    pub fn decay(mut self, decay: Decay) -> Plan {
        self.decay = decay;
        self
    }

    /// Averaging of the weights.
    pub fn average(mut self, average: Average) -> Plan {
        self.average = average;
        self
    }

    /// Steps between previews and between checkpoints.
    pub fn intervals(mut self, intervals: Intervals) -> Plan {
        self.intervals = intervals;
        self
    }

    /// What the networks compute in while they are trained.
    pub fn precision(mut self, precision: Precision) -> Plan {
        self.precision = precision;
        self
    }

    /// When moments of the optimizers are forgotten.
    pub fn reset(mut self, reset: Reset) -> Plan {
        self.reset = reset;
        self
    }

    /// Whether the moments of the optimizers are forgotten between two steps that stand at these positions.
    pub fn resets(&self, before: &Position, after: &Position) -> bool {
        let fades = |position: &Position| position.alpha < 1.0;
        match self.reset {
            Reset::Never => false,
            Reset::Resolutions => before.stage != after.stage,
            Reset::Fades => before.stage != after.stage || fades(before) != fades(after),
        }
    }

    /// The same plan with another batch size in every stage.
    pub fn batch(mut self, batch: usize) -> Plan {
        self.stages.iter_mut().for_each(|stage| stage.batch = batch);
        self
    }

    /// Rounds, hence batches, of one step.
    pub fn rounds(&self) -> u32 {
        self.order.iter().map(|turn| turn.times).max().unwrap_or(0)
    }

    /// Who moves in `round` (from 0) of a step of a stage, in order.
    pub fn movers(&self, stage: usize, round: u32) -> Vec<Player> {
        let rounds = self.rounds();
        let only = self.stages.get(stage).map_or(&[][..], |stage| &stage.only);
        let moves = |turn: &&Turn| round + turn.times >= rounds && (only.is_empty() || only.contains(&turn.player));
        self.order.iter().filter(moves).map(|turn| turn.player).collect()
    }

    /// Where the step stands that follows `steps` steps and `images` images. A checked plan has a stage.
    pub fn position(&self, steps: u64, images: u64) -> Position {
        let last = self.stages.len().saturating_sub(1);
        let stage = self.stages.iter().position(|stage| !stage.until.reached(steps, images)).unwrap_or(last);
        let Some(current) = self.stages.get(stage) else { return Position::default() };
        let begin = stage.checked_sub(1).and_then(|before| self.stages.get(before)).map(|before| before.until);
        let since = match (current.until, begin) {
            (Mark::Steps(_), None) => steps,
            (Mark::Images(_), None) => images,
            (_, Some(Mark::Steps(mark))) => steps.saturating_sub(mark),
            (_, Some(Mark::Images(mark))) => images.saturating_sub(mark),
        };
        let alpha = if current.fade == 0 { 1.0 } else { (since as f64 / current.fade as f64).min(1.0) };
        Position { stage, resolution: current.resolution, batch: current.batch, alpha }
    }

    /// Learning rate of `player` in step `step` (from 1), which stands in stage `stage`.
    pub fn rate(&self, player: Player, stage: usize, step: u64) -> f64 {
        let Some(stage) = self.stages.get(stage) else { return 0.0 };
        stage.rates.get(&player).copied().unwrap_or(stage.rate) * self.decay.factor(step)
    }

    /// Whether the plan is done after `steps` steps and `images` images.
    pub fn done(&self, steps: u64, images: u64) -> bool {
        self.stages.last().is_none_or(|stage| stage.until.reached(steps, images))
    }

    /// Steps that are left after `steps` steps and `images` images, as far as the plan tells.
    pub fn steps_left(&self, steps: u64, images: u64) -> u64 {
        let position = self.position(steps, images);
        let a_step = (position.batch as u64 * u64::from(self.rounds())).max(1);
        match self.stages.last().map(|stage| stage.until) {
            Some(Mark::Steps(mark)) => mark.saturating_sub(steps),
            Some(Mark::Images(mark)) => mark.saturating_sub(images).div_ceil(a_step),
            None => 0,
        }
    }

    /// That the plan can be trained.
    ///
    /// # Errors
    /// Names the first setting that cannot be used.
    pub fn check(&self) -> Result<()> {
        let bad = |what: &str, found: String, expected: &str| {
            Err(Error::invalid(format!("plan: {what}"), found, expected, ""))
        };
        if self.stages.is_empty() {
            return bad("stages", "none".into(), "at least one");
        }
        if self.order.is_empty() || self.order.iter().any(|turn| turn.times == 0) {
            return bad("order", format!("{:?}", self.order), "players that move at least once a step");
        }
        for (i, turn) in self.order.iter().enumerate() {
            if self.order[..i].iter().any(|before| before.player == turn.player) {
                return bad("order", format!("{} twice", turn.player.name()), "each player once");
            }
        }
        for stage in &self.stages {
            if stage.batch == 0 || stage.resolution == 0 {
                return bad(
                    "stage",
                    format!("batch {}, resolution {}", stage.batch, stage.resolution),
                    "positive numbers",
                );
            }
            let mut rates = std::iter::once(stage.rate).chain(stage.rates.values().copied());
            if let Some(rate) = rates.find(|rate| !(rate.is_finite() && *rate >= 0.0)) {
                return bad("learning rate", rate.to_string(), "a finite number that is not negative");
            }
        }
        for pair in self.stages.windows(2) {
            let ordered = match (pair[0].until, pair[1].until) {
                (Mark::Steps(a), Mark::Steps(b)) | (Mark::Images(a), Mark::Images(b)) => a < b,
                _ => false,
            };
            if !ordered {
                return bad(
                    "stages",
                    format!("{:?} before {:?}", pair[0].until, pair[1].until),
                    "rising ends in one unit",
                );
            }
        }
        for &AdamSettings { beta1, beta2, eps } in std::iter::once(&self.adam).chain(self.adams.values()) {
            if !((0.0..1.0).contains(&beta1) && (0.0..1.0).contains(&beta2) && eps >= 0.0 && eps.is_finite()) {
                let found = format!("betas {beta1} and {beta2}, eps {eps}");
                return bad("adam", found, "betas in [0, 1), eps not negative");
            }
        }
        if let Some(length) = self.clip.filter(|length| !(length.is_finite() && *length > 0.0)) {
            return bad("clip", length.to_string(), "a positive length");
        }
        if let Decay::Exponential { tau, .. } = self.decay
            && (tau.is_nan() || tau <= 0.0)
        {
            return bad("decay: tau", tau.to_string(), "a positive number of steps");
        }
        match self.average {
            Average::Decay(decay) if !(0.0..=1.0).contains(&decay) => {
                bad("average: decay", decay.to_string(), "0 to 1")
            }
            Average::Constant(decay) if !(0.0..=1.0).contains(&decay) => {
                bad("average: decay", decay.to_string(), "0 to 1")
            }
            Average::HalfLife(images) | Average::SteadyHalfLife(images) if images.is_nan() || images <= 0.0 => {
                bad("average: half-life", images.to_string(), "a positive number of images")
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn progressive() -> Plan {
        Plan::new(Stage::new(Mark::Images(1_000), 4, 16, 1e-3))
            .then(Stage::new(Mark::Images(3_000), 8, 8, 5e-4).fade(1_000).player_rate(Player::Discriminator, 1e-4))
            .order(&[(Player::Discriminator, 5), (Player::Generator, 1)])
    }

    #[test]
    fn stages_follow_each_other_and_the_last_one_goes_on() {
        let plan = progressive();
        plan.check().unwrap();
        let at = |images| plan.position(images / 16, images);
        assert_eq!(at(0), Position { stage: 0, resolution: 4, batch: 16, alpha: 1.0 });
        assert_eq!(at(999).stage, 0);
        assert_eq!(at(1_000), Position { stage: 1, resolution: 8, batch: 8, alpha: 0.0 });
        assert_eq!(at(1_250).alpha, 0.25);
        assert_eq!(at(2_500).alpha, 1.0);
        assert_eq!(at(9_000).stage, 1);
        assert!(!plan.done(0, 2_999) && plan.done(0, 3_000));
        assert_eq!(plan.steps_left(50, 2_000), 25);
    }

    #[test]
    fn the_rarer_player_moves_in_the_last_round() {
        let plan = progressive();
        assert_eq!(plan.rounds(), 5);
        assert_eq!(plan.movers(0, 0), [Player::Discriminator]);
        assert_eq!(plan.movers(0, 4), [Player::Discriminator, Player::Generator]);
        assert_eq!(Plan::new(plan.stages[0].clone()).movers(0, 0), [Player::Discriminator, Player::Generator]);
    }

    /// specs/faces.md A.5: 2e-4 for 50,000 iterations, then 2e-4·exp(−(it − 50000)/10000).
    #[test]
    fn make_girls_learning_rates() {
        let plan = Plan::new(Stage::new(Mark::Steps(70_000), 128, 64, 2e-4))
            .decay(Decay::Exponential { from: 50_000, tau: 10_000.0 });
        let rate = |step| plan.rate(Player::Generator, 0, step);
        assert_eq!((rate(1), rate(50_000)), (2e-4, 2e-4));
        assert!((rate(60_000) - 7.357_588_823e-5).abs() < 1e-13, "{}", rate(60_000));
        assert!((rate(70_000) - 2.706_705_665e-5).abs() < 1e-13, "{}", rate(70_000));
        let plan = progressive();
        assert_eq!(plan.rate(Player::Discriminator, 1, 1), 1e-4);
        assert_eq!(plan.rate(Player::Generator, 1, 1), 5e-4);
    }

    #[test]
    fn averages_forget_the_beginning() {
        assert_eq!(Average::Decay(0.999).factor(0, 0, 0), 0.1);
        assert_eq!(Average::Decay(0.999).factor(100_000, 0, 0), 0.999);
        let half = Average::HalfLife(10_000.0);
        assert!((half.factor(1, 1_000_000, 10_000) - 0.5).abs() < 1e-12);
        assert!((half.factor(1, 1_000, 50) - 0.5).abs() < 1e-12, "5 % of 1,000 images");
        assert_eq!(Average::Constant(0.999).factor(1, 16, 16), 0.999);
        assert!((Average::SteadyHalfLife(10_000.0).factor(1, 2, 2) - 0.999_861_38).abs() < 1e-8, "PSGAN at 1024 px");
    }

    #[test]
    fn moments_are_forgotten_where_the_plan_says() {
        // Progressive GAN resets at the beginning and at the end of every fade.
        let resets = |reset, images: [u64; 2]| {
            let plan = progressive().reset(reset);
            let [before, after] = images.map(|images| plan.position(0, images));
            plan.resets(&before, &after)
        };
        for (images, resolutions, fades) in [
            ([0, 500], false, false),
            ([999, 1_000], true, true),
            ([1_992, 2_000], false, true),
            ([1_400, 1_408], false, false),
        ] {
            assert_eq!(resets(Reset::Resolutions, images), resolutions, "{images:?}");
            assert_eq!(resets(Reset::Fades, images), fades, "{images:?}");
            assert!(!resets(Reset::Never, images));
        }
    }

    #[test]
    fn plans_that_cannot_be_trained_are_refused() {
        let stage = || Stage::new(Mark::Steps(10), 4, 16, 1e-3);
        let refused = |plan: Plan, word: &str| {
            let message = plan.check().unwrap_err().to_string();
            assert!(message.contains(word), "{message}");
        };
        refused(Plan::new(stage()).batch(0), "batch 0");
        refused(Plan::new(stage()).then(stage()), "rising");
        refused(Plan::new(stage()).then(Stage::new(Mark::Images(99), 4, 16, 1e-3)), "rising");
        refused(Plan::new(stage()).order(&[]), "order");
        refused(Plan::new(stage()).order(&[(Player::Encoder, 0)]), "order");
        refused(Plan::new(stage()).order(&[(Player::Encoder, 1), (Player::Encoder, 1)]), "encoder twice");
        refused(Plan::new(stage()).adam(1.0, 0.9, 1e-8), "adam");
        refused(Plan::new(stage()).player_adam(Player::Encoder, 0.5, 1.0, 1e-8), "adam");
        refused(Plan::new(stage()).clip(0.0), "clip");
        refused(Plan::new(stage()).decay(Decay::Exponential { from: 1, tau: 0.0 }), "tau");
        refused(Plan::new(stage()).average(Average::Decay(1.5)), "decay");
        refused(Plan::new(Stage::new(Mark::Steps(10), 4, 16, f64::NAN)), "learning rate");
    }

    #[test]
    fn a_plan_survives_toml() {
        let plan = progressive().decay(Decay::Exponential { from: 5, tau: 2.5 }).precision(Precision::Bf16);
        let plan = plan.player_adam(Player::Generator, 0.1, 0.999, 1e-8).clip(5.0);
        assert_eq!([Player::Generator, Player::Discriminator].map(|who| plan.adam_of(who).beta1), [0.1, 0.5]);
        let text = toml::to_string(&plan).unwrap();
        assert!(text.contains("precision = \"bf16\""), "{text}");
        assert_eq!(toml::from_str::<Plan>(&text).unwrap(), plan);
        // Plans that were written before there was a choice.
        let before = text.replace("precision = \"bf16\"\n", "");
        assert_eq!(toml::from_str::<Plan>(&before).unwrap().precision, Precision::F32);
    }
}
