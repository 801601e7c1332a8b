//! Parts of a training and who moves in them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::train::gan::Player;

/// A point in a training, counted from its beginning.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mark {
    /// After that many steps.
    Steps(u64),
    /// After that many real images were shown.
    Images(u64),
}

impl Mark {
    /// After that many thousand real images, the unit of the StyleGAN papers.
    pub fn kimg(kimg: f64) -> Mark {
        Mark::Images((kimg * 1000.0).round().max(0.0) as u64)
    }

    pub(super) fn reached(self, steps: u64, images: u64) -> bool {
        match self {
            Mark::Steps(mark) => steps >= mark,
            Mark::Images(mark) => images >= mark,
        }
    }
}

/// A part of a training with one resolution and one batch size.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stage {
    /// Where the stage ends, counted from the beginning of the training.
    pub until: Mark,
    /// Side of the square images, pixels. Larger images of the data set are averaged down.
    pub resolution: usize,
    /// Images per round.
    pub batch: usize,
    /// Learning rate of every player that [`Stage::rates`] does not name.
    pub rate: f64,
    /// Learning rates of single players.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub rates: BTreeMap<Player, f64>,
    /// Length of the fade-in at the beginning of the stage, in the unit of `until`; 0 for none.
    #[serde(default)]
    pub fade: u64,
    /// Who moves in this stage; all players of the plan when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub only: Vec<Player>,
}

impl Stage {
    /// A stage without fade, one learning rate for all players.
    pub fn new(until: Mark, resolution: usize, batch: usize, rate: f64) -> Stage {
        Stage { until, resolution, batch, rate, rates: BTreeMap::new(), fade: 0, only: Vec::new() }
    }

    /// Only these players move in this stage.
    pub fn only(self, players: impl IntoIterator<Item = Player>) -> Stage {
        Stage { only: players.into_iter().collect(), ..self }
    }

    /// Another learning rate for one player.
    pub fn player_rate(mut self, player: Player, rate: f64) -> Stage {
        self.rates.insert(player, rate);
        self
    }

    /// New layers fade in over the first `length` steps or images (the unit of `until`).
    pub fn fade(mut self, length: u64) -> Stage {
        self.fade = length;
        self
    }
}

/// A player's part in a step.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Turn {
    /// Who moves.
    pub player: Player,
    /// How many times a step, each on its own batch; a player that moves less often moves in the last rounds.
    pub times: u32,
}
