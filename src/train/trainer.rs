//! The one trainer: opens a run folder, goes on from its last checkpoint, and moves the players step by step.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use candle_core::Tensor;

#[cfg(feature = "cuda")]
use super::captured::Captured;
use super::checkpoint::{Checkpoint, Checkpoints, State};
use super::driver::{Driver, driver};
use super::gan::{Gan, Networks, Player, Step};
use super::guard::Watch;
use super::history::{History, HistoryWriter, Record};
use super::lock::RunLock;
use super::optim::Adam;
pub use super::options::Options;
use super::plan::{Plan, Position};
use super::round::Turn;
use super::run_config::RunConfig;
use super::tensorboard::EventFile;
use super::threads::Threads;
use super::tick::Console;
use super::{ema, files};
use crate::data::batch::Batch;
use crate::data::changes::Changes;
use crate::data::dataset::Dataset;
use crate::data::loader::{Loader, LoaderOptions, LoaderPosition};
use crate::ops::resample::avg_pool2d;
use crate::rng::Seed;
use crate::{Error, Result};

/// A run in its folder. Not generic: all that a paper decides is behind [`Gan`].
///
/// The folder holds `config.toml`, `history.jsonl`, `checkpoints/`, `preview.png` and TensorBoard events; everything
/// can be rebuilt from it in another process.
pub struct Trainer {
    pub(super) folder: PathBuf,
    pub(super) plan: Plan,
    pub(super) lock: RunLock,
    pub(super) console: Console,
    pub(super) stop: Arc<AtomicBool>,
    /// What ended this trainer for good.
    pub(super) failed: Option<String>,
    pub(super) steps: u64,
    pub(super) images: u64,
    /// Training time of the run up to the current call.
    pub(super) seconds: f64,
    pub(super) watch: Watch,
    pub(super) saved: Option<(u64, Instant)>,
    /// Step of the last preview.
    pub(super) shown: Option<u64>,
    pub(super) real_diversity: Option<f64>,
    pub(super) dataset: Dataset,
    pub(super) events: Option<EventFile>,
    pub(super) history: HistoryWriter,
    /// Steps that have become graphs; dropped before the networks that they work on.
    #[cfg(feature = "cuda")]
    pub(super) captured: Captured,
    model: &'static str,
    seed: Seed,
    config_hash: String,
    pub(super) driver: Box<dyn Driver>,
    pub(super) networks: Networks,
    pub(super) optimizers: Vec<Adam>,
    loader: Option<Loader>,
    loader_options: LoaderOptions,
    position: LoaderPosition,
    pub(super) checkpoints: Checkpoints,
    /// What rounds run on.
    pub(super) threads: Threads,
}

impl std::fmt::Debug for Trainer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (steps, kimg) = (self.steps, self.images as f64 / 1000.0);
        write!(f, "Trainer({} in {}: {steps} steps, {kimg:.2} kimg)", self.model, self.folder.display())
    }
}

/// What [`Trainer::open`] knows of a model once its type is gone.
struct Opening {
    model: &'static str,
    plan: Plan,
    changes: Changes,
    run: RunConfig,
    networks: Networks,
    driver: Box<dyn Driver>,
}

impl Trainer {
    /// Opens a run folder, which is made when missing. When it holds a run of the same configuration, data and seed,
    /// that run goes on from its last whole checkpoint.
    ///
    /// # Errors
    /// When the plan, the data set or the folder cannot be used; [`Error::ConfigMismatch`] when the folder holds
    /// another run; [`Error::Locked`] when another trainer is at work in it.
    pub fn open<G: Gan>(
        config: &G::Config,
        dataset: &Dataset,
        folder: impl AsRef<Path>,
        options: Options,
    ) -> Result<Trainer> {
        let mut plan = G::plan(config);
        if let Some(batch) = options.batch {
            plan = plan.batch(batch);
        }
        if let Some(intervals) = options.intervals {
            plan = plan.intervals(intervals);
        }
        if let Some(precision) = options.precision {
            plan = plan.precision(precision);
        }
        let dataset = &G::prepared(config, dataset, options.seed)?;
        check(&plan, dataset)?;
        G::check_data(config, dataset)?;
        let networks = match &options.networks {
            Some(networks) => networks.clone(),
            None => {
                let device = options.device.clone().map_or_else(crate::device, Ok)?;
                Networks::new::<G>(config, options.seed, &device)?
            }
        };
        plan.precision.check(networks.params.device(), networks.params.dtype())?;
        let run = RunConfig::new(G::NAME, config, &plan, dataset, options.seed, options.flip)?;
        let driver = driver::<G>(config, &plan, &networks)?;
        let changes = G::changes(config);
        let changes = if options.flip { changes.mirrored() } else { changes };
        Trainer::start(
            Opening { model: G::NAME, plan, changes, run, networks, driver },
            dataset,
            folder.as_ref(),
            &options,
        )
    }

    fn start(opening: Opening, dataset: &Dataset, folder: &Path, options: &Options) -> Result<Trainer> {
        let Opening { model, plan, changes, run, networks, driver } = opening;
        fs::create_dir_all(folder).map_err(|e| Error::io("create the run folder", folder, e))?;
        let lock = RunLock::acquire(folder)?;
        files::remove_leftovers(folder)?;
        let checkpoints = Checkpoints::open(folder.join("checkpoints"))?.keep_every(options.keep_every);
        run.settle(folder)?;
        let found = checkpoints.load(networks.params.device())?;
        let threads = Threads::of(networks.params.device())?;
        let mut optimizers = Vec::new();
        for turn in &plan.order {
            optimizers.push(Adam::new(turn.player, &networks.params, plan.adam_of(turn.player))?);
        }
        let (history, records) = HistoryWriter::open(folder, found.as_ref().map_or(0, |(found, _)| found.state.step))?;
        let loader_options =
            LoaderOptions { seed: options.seed, threads: options.threads, changes, ..Default::default() };
        let mut trainer = Trainer {
            folder: folder.to_path_buf(),
            plan,
            lock,
            console: Console::Print,
            stop: Arc::default(),
            failed: None,
            steps: 0,
            images: 0,
            seconds: records.last().map_or(0.0, |record| record.seconds),
            watch: Watch::default(),
            saved: None,
            shown: None,
            real_diversity: None,
            dataset: dataset.clone(),
            events: None,
            history,
            #[cfg(feature = "cuda")]
            captured: Captured::new(options.wants_graphs()),
            model,
            seed: options.seed,
            config_hash: run.hash(),
            driver,
            networks,
            optimizers,
            loader: None,
            loader_options,
            position: LoaderPosition::default(),
            checkpoints,
            threads,
        };
        if let Some((checkpoint, passed_over)) = found {
            passed_over.into_iter().for_each(|line| trainer.console.say(format!("warning: {line}")));
            trainer.resume(&checkpoint)?;
            trainer.console.say(format!("{}: going on after step {}", folder.display(), trainer.steps));
        }
        Ok(trainer)
    }

    fn resume(&mut self, checkpoint: &Checkpoint) -> Result<()> {
        let State { step, images, loader, watch, config, .. } = &checkpoint.state;
        if *config != self.config_hash {
            let hint = "Delete the folder checkpoints to start this run again.";
            let path = self.folder.join("checkpoints");
            return Err(Error::file(path, "checkpoints of another run", "those of config.toml beside it", hint));
        }
        self.networks.params.load(&checkpoint.params)?;
        self.networks.average.load(&checkpoint.ema)?;
        for optimizer in &mut self.optimizers {
            optimizer.load(&checkpoint.optim)?;
        }
        // The moments lie elsewhere now.
        #[cfg(feature = "cuda")]
        self.captured.forget();
        (self.steps, self.images, self.position, self.watch) = (*step, *images, *loader, watch.clone());
        self.saved = Some((self.steps, Instant::now()));
        Ok(())
    }

    /// Writes a checkpoint unless there is one of this step already.
    pub(super) fn save(&mut self) -> Result<()> {
        if self.saved.is_some_and(|(step, _)| step == self.steps) {
            return Ok(());
        }
        let mut optim = BTreeMap::new();
        for optimizer in &self.optimizers {
            optim.extend(optimizer.state()?);
        }
        let state = State {
            step: self.steps,
            images: self.images,
            seed: self.seed.0,
            loader: self.position,
            watch: self.watch.clone(),
            config: self.config_hash.clone(),
            tachie: env!("CARGO_PKG_VERSION").to_string(),
        };
        let (params, ema) = (self.networks.params.tensors(), self.networks.average.tensors());
        self.checkpoints.save(&Checkpoint { state, params, ema, optim })?;
        self.saved = Some((self.steps, Instant::now()));
        Ok(())
    }

    /// One step: every round draws a batch (or takes the one that is given) and moves its players. Returns the row for
    /// the history.
    pub(super) fn step(&mut self, given: Option<&Batch>) -> Result<Record> {
        let number = self.steps + 1;
        let position = self.plan.position(self.steps, self.images);
        let (mut losses, mut rates) = (BTreeMap::new(), BTreeMap::new());
        for round in 0..self.plan.rounds() {
            let batch = given.cloned().map_or_else(|| self.batch(&position), Ok)?;
            let movers = self.plan.movers(position.stage, round);
            let turn = |(optimizer, player): (usize, Player)| {
                let rate = self.plan.rate(player, position.stage, number);
                movers.contains(&player).then_some(Turn { optimizer, player, rate })
            };
            let players = self.optimizers.iter().map(Adam::player).enumerate();
            let turns: Vec<Turn> = players.filter_map(turn).collect();
            let mut step = Step::of_round(number, round, self.images, self.seed, position, movers);
            for (Turn { player, rate, .. }, terms) in turns.iter().zip(self.round(&turns, &batch, &mut step)?) {
                rates.insert(player.name().to_string(), *rate);
                losses.extend(terms.into_iter().map(|(term, value)| (format!("{}/{term}", player.name()), value)));
            }
            self.images += batch.len() as u64;
        }
        let factor =
            self.plan.average.factor(number, self.images, position.batch as u64 * u64::from(self.plan.rounds()));
        ema::update(&self.networks.average, &self.networks.params, factor)?;
        self.steps = number;
        // After the step rather than before the next one, so that a checkpoint holds what the next step starts from.
        if self.plan.resets(&position, &self.plan.position(self.steps, self.images)) {
            self.optimizers.iter_mut().try_for_each(Adam::reset)?;
        }
        let Position { stage, alpha, .. } = position;
        Ok(Record { step: number, images: self.images, seconds: 0.0, stage, alpha, rates, losses, note: None })
    }

    /// The next batch, on the device of the networks, at the resolution of the stage; what pictures are made from stays at
    /// full size.
    fn batch(&mut self, position: &Position) -> Result<Batch> {
        let loader = match self.loader.take() {
            Some(loader) if loader.options().batch == position.batch => self.loader.insert(loader),
            _ => {
                let options = LoaderOptions { batch: position.batch, ..self.loader_options.clone() };
                let mut loader = Loader::new(&self.dataset, options)?;
                loader.seek(&self.position)?;
                self.loader.insert(loader)
            }
        };
        let mut batch = loader.next()?.to_device(self.networks.params.device())?;
        self.position = loader.position();
        let factor = self.dataset.size() as usize / position.resolution;
        if factor > 1 {
            let smaller = |pictures: &Tensor| avg_pool2d(pictures, factor);
            batch.images = smaller(&batch.images)?;
            batch.others = batch.others.as_ref().map(smaller).transpose()?;
        }
        Ok(batch)
    }

    /// The pictures of [`Gan::preview`], of the running average.
    ///
    /// # Errors
    /// When the device has no memory for them.
    pub fn preview(&self) -> Result<crate::data::batch::Images> {
        self.driver.preview(self.seed.child("preview"))
    }

    /// The parameters in training and their running average; they share storage with the trainer.
    pub fn networks(&self) -> Networks {
        self.networks.clone()
    }

    /// The schedule.
    pub fn plan(&self) -> Plan {
        self.plan.clone()
    }

    /// The run folder.
    pub fn folder(&self) -> PathBuf {
        self.folder.clone()
    }

    /// Steps done since the beginning of the run.
    pub fn steps_done(&self) -> u64 {
        self.steps
    }

    /// Real images shown since the beginning of the run.
    pub fn images_seen(&self) -> u64 {
        self.images
    }

    /// Whether the training knows how many threads its steps are fastest on. It times its first rounds on one and on all
    /// of rayon's, three of each and anew at every size; measurements begin after these. True on a GPU.
    pub fn settled(&self) -> bool {
        self.threads.settled()
    }

    /// All numbers of the run so far.
    ///
    /// # Errors
    /// When nothing was trained yet, or the file was damaged.
    pub fn history(&self) -> Result<History> {
        History::open(&self.folder)
    }
}

/// That the plan can be trained on this data set.
fn check(plan: &Plan, dataset: &Dataset) -> Result<()> {
    plan.check()?;
    let size = dataset.size() as usize;
    for stage in &plan.stages {
        if !size.is_multiple_of(stage.resolution) {
            return Err(Error::invalid(
                format!("pictures of {}", dataset.name()),
                format!("{size} × {size} pixels"),
                format!("a multiple of the {} pixels of the plan", stage.resolution),
                "Prepare the data set at the size of the model.",
            ));
        }
        if stage.batch > dataset.len() {
            return Err(Error::invalid(
                format!("data set {}", dataset.name()),
                format!("{} pictures", dataset.len()),
                format!("at least one batch of {}", stage.batch),
                "Use a smaller batch or more pictures.",
            ));
        }
    }
    Ok(())
}
