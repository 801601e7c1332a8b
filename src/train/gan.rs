//! What a paper has to say for itself: its networks, its losses, its schedule, its preview.
//!
//! The trainer knows no paper, and a [`Gan`] knows nothing of run folders, optimizers or checkpoints.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use candle_core::{DType, Device, Tensor};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::draw::Draws;
use super::plan::{Plan, Position};
pub use super::terms::{Losses, Term};
use crate::data::batch::{Batch, Images};
use crate::data::changes::Changes;
use crate::data::dataset::Dataset;
use crate::nn::params::{ParamStore, Scope, Training};
use crate::rng::{Seed, Stream};
use crate::{Error, Result};

/// Who moves: the owner of a group of parameters that one optimizer trains.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Player {
    /// Makes pictures.
    Generator,
    /// Tells made pictures from real ones (a critic counts as one).
    Discriminator,
    /// Maps pictures to latents.
    Encoder,
    /// Reads attributes off pictures.
    Classifier,
    /// Tells pairs of an input and its output from others, beside a discriminator of single pictures.
    Domain,
}

impl Player {
    /// First part of the names of this player's parameters, without the dot.
    pub fn prefix(self) -> &'static str {
        match self {
            Player::Generator => "g",
            Player::Discriminator => "d",
            Player::Encoder => "e",
            Player::Classifier => "c",
            Player::Domain => "t",
        }
    }

    /// For people and messages.
    pub fn name(self) -> &'static str {
        match self {
            Player::Generator => "generator",
            Player::Discriminator => "discriminator",
            Player::Encoder => "encoder",
            Player::Classifier => "classifier",
            Player::Domain => "domain discriminator",
        }
    }
}

/// What a loss is told about the step it belongs to, and what the players of that step share.
///
/// A step moves the players of [`Plan::order`] once. When one player moves several times a step, the step has that
/// many rounds, each with its own batch.
#[derive(Clone, Debug)]
pub struct Step {
    /// Number of this step, counted from 1.
    pub number: u64,
    /// Number of this round within the step, counted from 0.
    pub round: u32,
    /// Real images shown before this round.
    pub images: u64,
    /// The seed of the run.
    pub seed: Seed,
    /// Stage, resolution, batch size and fade at this step.
    pub position: Position,
    movers: Vec<Player>,
    shared: BTreeMap<String, Tensor>,
    pub(super) draws: Draws,
}

impl Step {
    /// A step that stands by itself, for tests and for looking at a loss: stage 0, no fade, both usual players move.
    pub fn new(number: u64, seed: Seed, position: Position) -> Step {
        let movers = vec![Player::Discriminator, Player::Generator];
        Step::of_round(number, 0, 0, seed, position, movers)
    }

    pub(super) fn of_round(
        number: u64,
        round: u32,
        images: u64,
        seed: Seed,
        position: Position,
        movers: Vec<Player>,
    ) -> Step {
        Step { number, round, images, seed, position, movers, shared: BTreeMap::new(), draws: Draws::default() }
    }

    /// Random numbers for this round only: the stream `<name>/<step>` (from the second round on
    /// `<name>/<step>/<round>`). Equal names give equal numbers, so draws with different purposes need different names.
    ///
    /// For what stays on the CPU. Tensors are better drawn by [`draw`](Step::draw).
    pub fn stream(&self, name: &str) -> Stream {
        self.draws.unknown();
        self.own_stream(name)
    }

    /// Random tensors on `device`, which `draw` makes on the CPU from the [`stream`](Step::stream) of that name. Besides
    /// the stream they depend on nothing but what is the same for all steps of one [`kind`](Gan::kind): a step that has
    /// become a CUDA graph calls `draw` alone and nothing else of the loss.
    ///
    /// # Errors
    /// Those of `draw`; when the device has no memory for the tensors.
    pub fn draw<const N: usize>(
        &mut self,
        name: &str,
        device: &Device,
        draw: impl Fn(&mut Stream) -> Result<[Tensor; N]> + Send + Sync + 'static,
    ) -> Result<[Tensor; N]> {
        let stream = self.own_stream(name);
        let tensors = self.draws.make(name, stream, device, Arc::new(move |stream| Ok(draw(stream)?.to_vec())))?;
        <[Tensor; N]>::try_from(tensors).map_err(|found| {
            let expected = format!("{N}, as many as were drawn under this name before");
            Error::invalid(format!("draws \"{name}\""), format!("{} tensors", found.len()), expected, "")
        })
    }

    /// [`stream`](Step::stream) for whoever says how it is used.
    pub(super) fn own_stream(&self, name: &str) -> Stream {
        match self.round {
            0 => self.seed.stream(&format!("{name}/{}", self.number)),
            round => self.seed.stream(&format!("{name}/{}/{round}", self.number)),
        }
    }

    /// Whether `player` moves in this round. [`Gan::share`] needs no graph in rounds in which the generator rests.
    pub fn moves(&self, player: Player) -> bool {
        self.movers.contains(&player)
    }

    /// Keeps a tensor for the other players of this round.
    pub fn put(&mut self, name: impl Into<String>, tensor: Tensor) {
        self.shared.insert(name.into(), tensor);
    }

    /// What was [`put`](Step::put) under that name in this round; shares storage and graph.
    pub fn get(&self, name: &str) -> Option<Tensor> {
        self.shared.get(name).cloned()
    }
}

/// One adversarial model: its networks, its losses, its schedule.
///
/// The trainer builds one instance per player, each with only that player's parameters tracked
/// (`Training::Prefix(player.prefix())`; the others are detached views of the same storage), and one on the running
/// average of the weights, for previews. An instance therefore holds layers and settings, nothing that changes.
pub trait Gan: Sized + Send + 'static {
    /// Everything that decides what is trained and how, with the paper's numbers as one of its constructors.
    type Config: Serialize + DeserializeOwned + Clone + fmt::Debug + PartialEq + Send + Sync + 'static;

    /// Name in the catalogue and on the command line (`make-girls`).
    const NAME: &'static str;

    /// Builds the networks: `Generator::new(config, &params.pp("g"))` and so on.
    ///
    /// # Errors
    /// When the configuration cannot be built.
    fn new(config: &Self::Config, params: &Scope) -> Result<Self>;

    /// The schedule.
    fn plan(config: &Self::Config) -> Plan;

    /// What goes in, what comes out, what networks and losses there are, as rows (what, how) of the model card.
    fn summary(config: &Self::Config) -> Vec<(&'static str, String)> {
        let _ = config;
        Vec::new()
    }

    /// The same configuration for the tags or key points of this data set.
    fn for_data(config: &Self::Config, dataset: &Dataset) -> Self::Config {
        let _ = dataset;
        config.clone()
    }

    /// The data set as the networks are to see it; itself, unless a model takes pictures together that it has one by one.
    ///
    /// # Errors
    /// When it cannot be made of this one.
    fn prepared(config: &Self::Config, dataset: &Dataset, seed: Seed) -> Result<Dataset> {
        let _ = (config, seed);
        Ok(dataset.clone())
    }

    /// That networks of this configuration can be trained on this data set, beyond the sizes of its pictures.
    ///
    /// # Errors
    /// When they cannot: tags or key points are others than the configuration's.
    fn check_data(config: &Self::Config, dataset: &Dataset) -> Result<()> {
        let _ = (config, dataset);
        Ok(())
    }

    /// What is changed at random in pictures while they are loaded, beside what the options of a training ask for.
    fn changes(config: &Self::Config) -> Changes {
        let _ = config;
        Changes::default()
    }

    /// The loss of `who` on this batch. Gradients reach the parameters of `who` only.
    ///
    /// # Errors
    /// When the batch does not fit the networks.
    fn loss(&self, who: Player, batch: &Batch, step: &mut Step) -> Result<Losses>;

    /// Pictures that show the state of training, the same latents every time, batch norm in evaluation mode.
    ///
    /// # Errors
    /// When the device has no memory for them.
    fn preview(&self, seed: Seed) -> Result<Images>;

    /// Names what kind of step this is, if steps can be told apart by a number: steps of one kind, at one position of the
    /// plan, do the same operations with the same constants on tensors of the same shapes, and look at none of the numbers
    /// on the device; only the batch's pictures and labels, what [`Step::draw`] gives, the weights and the learning
    /// rates differ. On a GPU a kind of step can then become a CUDA graph ([`Options::graphs`]), which repeats it without
    /// calling `share` and `loss` again.
    ///
    /// `None`, the default, promises nothing.
    ///
    /// [`Options::graphs`]: super::trainer::Options::graphs
    fn kind(&self, step: &Step) -> Option<u64> {
        let _ = step;
        None
    }

    /// Called once a round, before its first player moves, on the generator's instance: makes what several players
    /// use (`step.put("fake", ..)`, one generator forward). The discriminator uses it detached; the generator's loss
    /// uses it as it is and sees the discriminator that has moved meanwhile, since frozen views share storage.
    ///
    /// # Errors
    /// When the batch does not fit the networks.
    fn share(&self, batch: &Batch, step: &mut Step) -> Result<()> {
        let _ = (batch, step);
        Ok(())
    }
}

/// The numbers of a model: the parameters that are trained and their running average. Clones share storage, so a
/// model in a notebook sees what its trainer does.
#[derive(Clone, Debug)]
pub struct Networks {
    /// Parameters and buffers of all players.
    pub params: ParamStore,
    /// Exponential moving average of them.
    pub average: ParamStore,
}

impl Networks {
    /// Freshly initialised networks; the average starts as a copy.
    ///
    /// # Errors
    /// When the configuration cannot be built or the device has no memory for it.
    pub fn new<G: Gan>(config: &G::Config, seed: Seed, device: &Device) -> Result<Networks> {
        let params = ParamStore::new(seed, device, DType::F32)?;
        G::new(config, &params.view(Training::All))?;
        let average = params.copy()?;
        Ok(Networks { params, average })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_draws_from_the_stream_of_that_name() {
        let mut step = Step::new(3, Seed(1), Position::default());
        let two = |stream: &mut Stream| Ok([0; 2].map(|_| stream.normal_tensor(&[5], &Device::Cpu).unwrap()));
        let [z, noise] = step.draw("z", &Device::Cpu, two).unwrap();
        let numbers = step.stream("z").normals(10);
        assert_eq!([z.to_vec1::<f32>().unwrap(), noise.to_vec1().unwrap()].concat(), numbers);
    }

    #[test]
    fn rounds_of_a_step_draw_different_numbers() {
        let mut step = Step::new(3, Seed(1), Position::default());
        let first = step.stream("z").u64();
        assert_eq!(first, Seed(1).stream("z/3").u64());
        step.round = 1;
        assert_ne!(first, step.stream("z").u64());
    }
}
