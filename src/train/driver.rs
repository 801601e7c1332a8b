//! The side of a [`Gan`] that the trainer sees: no type parameter, one call per loss.

use std::collections::BTreeMap;

use super::gan::{Gan, Losses, Networks, Player, Step};
use super::plan::Plan;
use crate::Result;
use crate::data::batch::{Batch, Images};
use crate::nn::params::Training;
use crate::rng::Seed;

/// A model in training, whatever its type.
pub(super) trait Driver: Send {
    /// [`Gan::kind`].
    #[cfg(feature = "cuda")]
    fn kind(&self, step: &Step) -> Option<u64>;
    fn share(&self, batch: &Batch, step: &mut Step) -> Result<()>;
    fn loss(&self, who: Player, batch: &Batch, step: &mut Step) -> Result<Losses>;
    fn preview(&self, seed: Seed) -> Result<Images>;
}

/// One instance per player, which tracks that player's parameters only and computes as the plan says, and one on the
/// running average, in f32.
struct Players<G> {
    players: BTreeMap<Player, G>,
    average: G,
}

/// Builds the instances on the parameters of `networks`.
pub(super) fn driver<G: Gan>(config: &G::Config, plan: &Plan, networks: &Networks) -> Result<Box<dyn Driver>> {
    let mut players = BTreeMap::new();
    for turn in &plan.order {
        let tracked = Training::Prefix(turn.player.prefix().to_string());
        let scope = networks.params.view(tracked).computing_in(plan.precision)?;
        players.insert(turn.player, G::new(config, &scope)?);
    }
    let average = G::new(config, &networks.average.view(Training::Nothing))?;
    Ok(Box::new(Players { players, average }))
}

impl<G: Gan> Driver for Players<G> {
    #[cfg(feature = "cuda")]
    fn kind(&self, step: &Step) -> Option<u64> {
        self.average.kind(step)
    }

    fn share(&self, batch: &Batch, step: &mut Step) -> Result<()> {
        match self.players.get(&Player::Generator) {
            Some(generator) => generator.share(batch, step),
            None => Ok(()),
        }
    }

    fn loss(&self, who: Player, batch: &Batch, step: &mut Step) -> Result<Losses> {
        match self.players.get(&who) {
            Some(player) => player.loss(who, batch, step),
            None => self.average.loss(who, batch, step),
        }
    }

    fn preview(&self, seed: Seed) -> Result<Images> {
        self.average.preview(seed)
    }
}
