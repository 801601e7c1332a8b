//! One round of a step: what its players share, and their moves.

use super::gan::{Player, Step};
use super::guard::Moment;
use super::optim::clip;
use super::trainer::Trainer;
use crate::Result;
use crate::autograd::backward_once;
use crate::data::batch::Batch;

/// A player that moves in a round.
#[derive(Clone, Copy)]
pub(super) struct Turn {
    /// Position in the trainer's optimizers.
    pub(super) optimizer: usize,
    pub(super) player: Player,
    pub(super) rate: f64,
}

/// The unweighted terms of a player's loss, and the total.
pub(super) type Terms = Vec<(String, f64)>;

impl Trainer {
    /// One round: what its players share, and their moves. Returns what each player's loss was.
    pub(super) fn round(&mut self, turns: &[Turn], batch: &Batch, step: &mut Step) -> Result<Vec<Terms>> {
        #[cfg(feature = "cuda")]
        if let Some(terms) = self.captured_round(turns, batch, step)? {
            return Ok(terms);
        }
        let mut threads = std::mem::take(&mut self.threads);
        let kind = (step.position.stage, step.position.alpha < 1.0, step.round);
        let terms = threads.run(kind, || self.eager_round(turns, batch, step));
        self.threads = threads;
        terms
    }

    /// A round operation by operation.
    pub(super) fn eager_round(&mut self, turns: &[Turn], batch: &Batch, step: &mut Step) -> Result<Vec<Terms>> {
        self.driver.share(batch, step)?;
        turns.iter().map(|turn| self.move_player(*turn, batch, step)).collect()
    }

    /// Who is moving when, for messages.
    pub(super) fn moment(&self, player: Player, step: &Step) -> Moment {
        let checkpoint = self.checkpoints.latest();
        let checkpoint = checkpoint.map_or_else(|| "none yet".to_string(), |path| path.display().to_string());
        Moment { step: step.number, player, checkpoint }
    }

    /// Loss, gradients and optimizer of one player.
    fn move_player(&mut self, turn: Turn, batch: &Batch, step: &mut Step) -> Result<Terms> {
        let Turn { player, rate, .. } = turn;
        let moment = self.moment(player, step);
        let optimizer = &mut self.optimizers[turn.optimizer];
        let terms = self.driver.loss(player, batch, step)?;
        let total = terms.total()?;
        let mut values = terms.values()?;
        values.push(("total".to_string(), total.to_dtype(candle_core::DType::F64)?.to_scalar::<f64>()?));
        moment.check_losses(&values, &self.networks.params, batch)?;
        // Nothing else holds the graph: activations are freed as their gradients come.
        drop(terms);
        let mut grads = backward_once(total)?;
        let vars = optimizer.vars();
        moment.check_gradients(&vars, &grads)?;
        if let Some(length) = self.plan.clip {
            clip(&vars, &mut grads, length)?;
        }
        optimizer.step(&grads, rate)?;
        self.networks.params.refresh(player.prefix())?;
        moment.check_params(&vars)?;
        Ok(values)
    }
}
