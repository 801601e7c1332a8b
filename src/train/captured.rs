//! Rounds that have become CUDA graphs.
//!
//! The first round of a kind ([`Gan::kind`]) is computed as always, with a note of how its random tensors were drawn. The
//! second is recorded, which computes nothing, and launched; later ones are launched. Before each launch what differs goes
//! to the memory that the graph reads: batch, random tensors, and the two numbers of every parameter's step of Adam. The
//! graph holds what all players of a round do, their optimizers included, but not the running average, whose factor may
//! change. It writes the losses and what the search for NaN has found into one tensor, which is read once. After a loss
//! or a gradient that is not finite no parameter moves, as without a graph.
//!
//! [`Gan::kind`]: super::gan::Gan::kind

use std::collections::BTreeMap;

use candle_core::cuda::CudaDevice;
use candle_core::{DType, Device, Tensor};

use super::draw::{Draw, Draws, Noted};
use super::gan::{Player, Step};
use super::plan::Position;
use super::round::{Terms, Turn};
use super::tick::Console;
use super::trainer::Trainer;
use crate::autograd::backward_once;
use crate::data::batch::Batch;
use crate::ops::adam::lerp_all;
use crate::ops::cuda::graph::{Graph, prepare, record};
use crate::ops::finite::search;
use crate::{Error, Result};

/// Kinds that are kept; one more, and all make room.
const KINDS: usize = 16;

/// What has to be the same for a graph to be launched.
#[derive(Clone, Debug, PartialEq)]
struct Key {
    position: Position,
    kind: u64,
    movers: Vec<Player>,
    images: Vec<usize>,
    labels: Option<Vec<usize>>,
    tf32: bool,
}

/// How far a kind of round has come.
enum Stage {
    Prepared(Sketch),
    Recorded(Box<Round>),
    Refused,
}

/// What is known of a round that was computed once.
struct Sketch {
    draws: BTreeMap<String, Noted>,
    /// Names of the loss terms of each player.
    terms: Vec<Vec<String>>,
}

/// A round as a graph.
struct Round {
    graph: Graph,
    /// What the graph reads: pictures, labels where there are some, then the draws in order.
    inputs: Vec<Tensor>,
    draws: Vec<(String, Draw)>,
    /// Two numbers for each parameter that moves, one player after the other.
    scales: Tensor,
    /// One number that stops all moves, then each player's part ([`Part`]).
    report: Tensor,
    parts: Vec<Part>,
}

/// A player's part of a round. In the report it has the terms of the loss; then what was found among those; among the
/// gradients of the parameters that move; among all parameters.
struct Part {
    names: Vec<String>,
    /// The parameters that move, by position in the optimizer.
    moved: Vec<usize>,
    /// All parameters.
    parameters: Vec<String>,
    start: usize,
}

/// The rounds of a trainer.
pub(super) struct Captured {
    asked: bool,
    told: bool,
    kinds: Vec<(Key, Stage)>,
}

impl Captured {
    pub(super) fn new(asked: bool) -> Captured {
        Captured { asked, told: false, kinds: Vec::new() }
    }

    /// Drops all graphs.
    pub(super) fn forget(&mut self) {
        self.kinds.clear();
    }

    /// What is known of this kind, if it can be used on this thread. It is the caller's until it is put back.
    fn take(&mut self, key: &Key) -> Option<Stage> {
        let at = self.kinds.iter().position(|(other, _)| other == key)?;
        match self.kinds.swap_remove(at).1 {
            Stage::Recorded(round) if !round.graph.is_of_this_thread() => None,
            stage => Some(stage),
        }
    }

    fn put(&mut self, key: Key, stage: Stage) {
        if self.kinds.len() >= KINDS {
            self.kinds.clear();
        }
        self.kinds.push((key, stage));
    }
}

impl Trainer {
    /// The round by a graph, or on the way to one; `None` when it has to be computed in the usual way.
    pub(super) fn captured_round(
        &mut self,
        turns: &[Turn],
        batch: &Batch,
        step: &mut Step,
    ) -> Result<Option<Vec<Terms>>> {
        let Device::Cuda(device) = self.networks.params.device().clone() else { return Ok(None) };
        if !self.captured.asked || step.position.alpha < 1.0 {
            return Ok(None);
        }
        if matches!(self.console, Console::Keep(_)) {
            return Ok(self.without("other threads may use the GPU beside a spawned training"));
        }
        if self.plan.clip.is_some() {
            return Ok(self.without("gradients are shortened to a length"));
        }
        let Some(kind) = self.driver.kind(step) else {
            return Ok(self.without("the model does not say which steps are alike (Gan::kind)"));
        };
        let key = Key {
            position: step.position,
            kind,
            movers: turns.iter().map(|turn| turn.player).collect(),
            images: batch.images.dims().to_vec(),
            labels: batch.labels.as_ref().map(|labels| labels.dims().to_vec()),
            tf32: crate::device::uses_tf32(),
        };
        let mut round = match self.captured.take(&key) {
            None => return self.prepared_round(&device, key, turns, batch, step).map(Some),
            Some(Stage::Refused) => {
                self.captured.put(key, Stage::Refused);
                return Ok(None);
            }
            Some(Stage::Prepared(sketch)) => match self.recorded(&device, sketch, turns, batch, step) {
                Ok(round) => Box::new(round),
                Err(error) => {
                    self.captured.put(key, Stage::Refused);
                    return Ok(self.without(&error.to_string()));
                }
            },
            Some(Stage::Recorded(round)) => round,
        };
        let terms = self.launched(&mut round, turns, batch, step)?;
        self.captured.put(key, Stage::Recorded(round));
        Ok(Some(terms))
    }

    /// Says once why there is no graph.
    fn without<T>(&mut self, reason: &str) -> Option<T> {
        if !std::mem::replace(&mut self.captured.told, true) {
            self.console.say(format!("note: steps are computed without a CUDA graph: {reason}"));
        }
        None
    }

    /// Computes a round in the usual way and notes what a recording has to know.
    fn prepared_round(
        &mut self,
        device: &CudaDevice,
        key: Key,
        turns: &[Turn],
        batch: &Batch,
        step: &mut Step,
    ) -> Result<Vec<Terms>> {
        step.draws = Draws::noting();
        let terms = prepare(device, || self.eager_round(turns, batch, step))?;
        let stage = match std::mem::take(&mut step.draws).noted() {
            Ok(draws) => {
                let names = terms.iter().map(|terms| terms.iter().map(|(name, _)| name.clone()).collect()).collect();
                Stage::Prepared(Sketch { draws, terms: names })
            }
            Err(reason) => {
                self.without::<()>(reason);
                Stage::Refused
            }
        };
        self.captured.put(key, stage);
        Ok(terms)
    }

    /// Records a round. Neither the networks nor the optimizers have changed afterwards.
    fn recorded(
        &mut self,
        device: &CudaDevice,
        sketch: Sketch,
        turns: &[Turn],
        batch: &Batch,
        step: &Step,
    ) -> Result<Round> {
        let on = self.networks.params.device().clone();
        let blank = |tensor: &Tensor| -> Result<Tensor> {
            match tensor.dtype() {
                DType::F32 => Ok(Tensor::zeros(tensor.shape(), DType::F32, &on)?),
                other => Err(Error::invalid("inputs of a step", format!("{other:?}"), "F32 throughout", "")),
            }
        };
        let fed = batch.map(blank)?;
        let mut inputs: Vec<Tensor> = fed.tensors().cloned().collect();
        let mut given = BTreeMap::new();
        for (name, noted) in &sketch.draws {
            let tensors = noted.tensors.iter().map(blank).collect::<Result<Vec<_>>>()?;
            inputs.extend(tensors.iter().cloned());
            given.insert(name.clone(), tensors);
        }
        let mut start = 1;
        let mut starts = Vec::new();
        for (turn, names) in turns.iter().zip(&sketch.terms) {
            starts.push(start);
            // A word for the terms together; gradients are as many as parameters at most.
            start += names.len() + 1 + 2 * self.optimizers[turn.optimizer].vars().len();
        }
        let numbers = |count: usize| Tensor::zeros(count, DType::F32, &on);
        let (report, nothing, scales) = (numbers(start)?, numbers(start)?, numbers(2 * start)?);
        // Memory that is free now is not the graph's: without this there would be as much twice.
        on.synchronize()?;
        crate::device::give_back_memory(device);
        let mut step = step.clone();
        step.draws = Draws::given(given);
        let (graph, parts) = record(device, || {
            lerp_all(&[(&report, &nothing)], 1.0)?;
            self.driver.share(&fed, &mut step)?;
            let (mut parts, mut done): (Vec<Part>, usize) = (Vec::new(), 0);
            for ((turn, names), &start) in turns.iter().zip(sketch.terms).zip(&starts) {
                let rest = scales.narrow(0, 2 * done, scales.elem_count() - 2 * done)?;
                let part = self.recorded_move(*turn, names, start, &fed, &mut step, (&report, &rest))?;
                done += part.moved.len();
                parts.push(part);
            }
            // What players share is memory of the graph.
            drop(step);
            Ok(parts)
        })?;
        let moved: usize = parts.iter().map(|part| part.moved.len()).sum();
        let moments = self.optimizers.iter().map(|optimizer| Ok(optimizer.state()?.into_values().collect::<Vec<_>>()));
        let kept = [
            inputs.clone(),
            vec![report.clone(), nothing, scales.clone()],
            self.networks.params.tensors().into_values().collect(),
            self.networks.params.rounded_copies(),
            moments.collect::<Result<Vec<_>>>()?.concat(),
        ];
        let draws = sketch.draws.into_iter().map(|(name, noted)| (name, noted.draw)).collect();
        let scales = scales.narrow(0, 0, 2 * moved)?;
        Ok(Round { graph: graph.keeping(kept.concat()), inputs, draws, scales, report, parts })
    }

    /// Records loss, gradients and optimizer of a player, as [`Trainer::eager_round`] computes them.
    fn recorded_move(
        &self,
        turn: Turn,
        names: Vec<String>,
        start: usize,
        fed: &Batch,
        step: &mut Step,
        (report, scales): (&Tensor, &Tensor),
    ) -> Result<Part> {
        let optimizer = &self.optimizers[turn.optimizer];
        let losses = self.driver.loss(turn.player, fed, step)?;
        let total = losses.total()?;
        let mut values: Vec<(&str, Tensor)> =
            losses.terms().iter().map(|term| (term.name.as_str(), term.value.detach())).collect();
        values.push(("total", total.detach()));
        if !names.iter().eq(values.iter().map(|(name, _)| name)) {
            let found = values.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
            return Err(Error::invalid("terms of a loss", found, names.join(", "), ""));
        }
        let seen = report.narrow(0, start, names.len())?;
        for (i, (_, value)) in values.iter().enumerate() {
            lerp_all(&[(&seen.narrow(0, i, 1)?, &value.to_dtype(DType::F32)?.reshape(1)?)], 1.0)?;
        }
        drop(values);
        drop(losses);
        let grads = backward_once(total)?;
        let (moved, vars) = (optimizer.with_gradient(&grads), optimizer.vars());
        let stop = report.narrow(0, 0, 1)?;
        let found = |first: usize, count: usize| report.narrow(0, start + names.len() + first, count);
        let mut searched = vec![&seen];
        searched.extend(moved.iter().filter_map(|&i| grads.get(&vars[i].1)));
        search(&searched, &found(0, searched.len())?, &stop)?;
        optimizer.record(&moved, &grads, &scales.narrow(0, 0, 2 * moved.len())?, &stop)?;
        self.networks.params.refresh(turn.player.prefix())?;
        let all: Vec<&Tensor> = vars.iter().map(|(_, var)| var.as_tensor()).collect();
        search(&all, &found(1 + moved.len(), all.len())?, &stop)?;
        let parameters = vars.into_iter().map(|(name, _)| name).collect();
        Ok(Part { names, moved, parameters, start })
    }

    /// Gives the graph what differs, launches it and looks at what came out.
    fn launched(&mut self, round: &mut Round, turns: &[Turn], batch: &Batch, step: &Step) -> Result<Vec<Terms>> {
        let on = self.networks.params.device().clone();
        let mut fresh: Vec<Tensor> = batch.tensors().cloned().collect();
        for (name, draw) in &round.draws {
            for tensor in draw(&mut step.own_stream(name))? {
                fresh.push(tensor.to_device(&on)?);
            }
        }
        let scales = |(turn, part): (&Turn, &Part)| self.optimizers[turn.optimizer].scales(&part.moved, turn.rate);
        let scales: Vec<f32> = turns.iter().zip(&round.parts).flat_map(scales).collect();
        let (targets, scales) = (round.inputs.iter().chain([&round.scales]), Tensor::new(scales, &on)?);
        lerp_all(&targets.zip(fresh.iter().chain([&scales])).collect::<Vec<_>>(), 1.0)?;
        round.graph.launch()?;
        let report = round.report.to_vec1::<f32>()?;
        let mut all = Vec::new();
        for (turn, part) in turns.iter().zip(&round.parts) {
            let Part { names, moved, parameters, start } = part;
            let (values, found) = report[*start..].split_at(names.len());
            let terms: Terms =
                names.iter().zip(values).map(|(name, value)| (name.clone(), f64::from(*value))).collect();
            let moment = self.moment(turn.player, step);
            moment.check_losses(&terms, &self.networks.params, batch)?;
            let gradients = moved.iter().map(|&i| parameters[i].as_str()).zip(found[1..].iter().copied());
            moment.check_found("gradient", gradients)?;
            let after = parameters.iter().map(String::as_str).zip(found[1 + moved.len()..].iter().copied());
            moment.check_found("parameter", after)?;
            self.optimizers[turn.optimizer].advance(moved);
            all.push(terms);
        }
        Ok(all)
    }
}
