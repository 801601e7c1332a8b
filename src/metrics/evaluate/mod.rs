//! Splits × models × metrics: one table, as papers print it.
//!
//! ```no_run
//! use tachie::prelude::*;
//! # fn main() -> tachie::Result<()> {
//! let faces = Avatar::faces().size(64).take(8_000)?;
//! let gan = MakeGirls::tiny().build(&device()?)?;
//! Evaluation::on(&faces.test())
//!     .metrics([Metric::fid(), Metric::attribute_precision()])
//!     .model("ours", &gan.ema())
//!     .table()?;
//! # Ok(())
//! # }
//! ```
//!
//! Every number says its protocol, how many pictures it is of, which network gave the features, by which weights, and
//! how pictures came to the network's size.

mod beside;
mod best;
mod bodies;
mod cache;
mod folder;
mod images;
mod looks;
mod metric;
mod model;
mod over_training;
mod pictures;
mod progress;
mod results;
mod run;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use self::cache::Cache;
use self::progress::{Progress, Say};
use self::run::{Side, Work};
use crate::metrics::nets::extractor::Extractor;
use crate::metrics::nets::tagger::Tagger;
use crate::metrics::score::Score;
use crate::rng::Seed;
use crate::show::table::Table;
use crate::{Error, Result};

pub use best::{BestByKid, BestOf, Measurement};
pub use folder::{Folder, Pairs};
pub use metric::Metric;
pub(crate) use model::Drawn;
pub use model::Model;
pub use over_training::Curve;
pub use pictures::{Chosen, Pictures};
pub use results::{Measured, NetworkCard, Results, Row};

/// What to measure of whom against what. Nothing is computed before [`run`](Evaluation::run) or
/// [`table`](Evaluation::table).
#[derive(Clone)]
pub struct Evaluation {
    splits: Vec<(String, Arc<dyn Pictures>)>,
    models: Vec<(String, Arc<dyn Model>)>,
    metrics: Vec<Metric>,
    network: Option<Arc<dyn Extractor>>,
    trials: usize,
    seed: Seed,
    folder: Option<PathBuf>,
    say: Say,
}

impl Evaluation {
    /// Against these real pictures.
    pub fn on(real: &(impl Pictures + Clone + 'static)) -> Evaluation {
        Evaluation {
            splits: vec![(real.name(), Arc::new(real.clone()))],
            models: vec![],
            metrics: vec![],
            network: None,
            trials: 1,
            seed: Seed(0),
            folder: None,
            say: Say::default(),
        }
    }

    /// Against further real pictures, which get rows of their own.
    pub fn and_on(mut self, real: &(impl Pictures + Clone + 'static)) -> Evaluation {
        self.splits.push((real.name(), Arc::new(real.clone())));
        self
    }

    /// These metrics.
    pub fn metrics(mut self, metrics: impl IntoIterator<Item = Metric>) -> Evaluation {
        self.metrics.extend(metrics);
        self
    }

    /// This model, which the table calls `name`. Other real pictures as a model say how good a number can get.
    pub fn model(mut self, name: impl Into<String>, model: &(impl Model + Clone + 'static)) -> Evaluation {
        self.models.push((name.into(), Arc::new(model.clone())));
        self
    }

    /// The network whose features are compared; without one the built-in tagger.
    pub fn network(self, network: impl Extractor + 'static) -> Evaluation {
        Evaluation { network: Some(Arc::new(network)), ..self }
    }

    /// The same for a network that others use too.
    pub fn shared_network(self, network: &Arc<dyn Extractor>) -> Evaluation {
        Evaluation { network: Some(network.clone()), ..self }
    }

    /// Draws that many times with other noise; the table gives the mean and the largest less the smallest value
    /// (make.girls.moe paper, table 3: five). A fixed set of pictures has one trial.
    pub fn trials(self, trials: usize) -> Evaluation {
        Evaluation { trials, ..self }
    }

    /// Seed of the noise.
    pub fn seed(self, seed: Seed) -> Evaluation {
        Evaluation { seed, ..self }
    }

    /// Keeps features and results in this folder, and takes from it what is there: an evaluation that was interrupted
    /// goes on, a second one with the same pictures and network computes no features. Several may share a folder. What
    /// is broken in it is computed again, and said.
    pub fn keep_in(self, folder: impl AsRef<Path>) -> Evaluation {
        Evaluation { folder: Some(folder.as_ref().to_path_buf()), ..self }
    }

    /// Prints nothing while it works.
    pub fn quiet(self) -> Evaluation {
        self.lines(|_| ())
    }

    /// Gives the lines about the work to this function in place of standard output.
    pub fn lines(self, take: impl Fn(&str) + Send + Sync + 'static) -> Evaluation {
        Evaluation { say: Say::to(take), ..self }
    }

    /// Measures, and makes the table.
    ///
    /// # Errors
    /// As [`Evaluation::run`].
    pub fn table(&self) -> Result<Table> {
        self.run()?.table()
    }

    /// Measures.
    ///
    /// # Errors
    /// When there is nothing to measure, a picture cannot be read, or a metric cannot be computed of a model's pictures:
    /// the message says why.
    pub fn run(&self) -> Result<Results> {
        self.check()?;
        let cache = self.folder.as_deref().map_or_else(Cache::default, Cache::of);
        let progress = Progress::new(&self.say, self.pictures());
        let notes = Mutex::new(Vec::new());
        let network = match &self.network {
            Some(network) => Some(network.clone()),
            None if self.metrics.iter().any(Metric::of_network) => {
                let tagger: Arc<dyn Extractor> = Arc::new(Tagger::builtin_on(&crate::device()?)?);
                Some(tagger)
            }
            None => None,
        };
        let work = Work { network: network.as_deref(), cache: &cache, progress: &progress, notes: &notes };
        let mut results = Results::named("model", self.caption());
        for (split, real) in &self.splits {
            let real = Side::new(split.clone(), real.clone())?;
            real.pictures.notes().into_iter().for_each(|note| work.note(note));
            for (model, maker) in &self.models {
                let (pictures, measured) = self.judge(&work, &real, model, maker.as_ref())?;
                results.rows.push(Row { split: split.clone(), model: model.clone(), pictures, measured });
            }
        }
        results.notes = notes.into_inner().unwrap_or_else(PoisonError::into_inner);
        Ok(results)
    }

    /// All trials of one model on one split; how many pictures each has.
    fn judge(&self, work: &Work, real: &Side, name: &str, model: &dyn Model) -> Result<(usize, Vec<Measured>)> {
        let trials = if model.fixed() { 1 } else { self.trials };
        if trials < self.trials {
            work.note(format!("{name}: the same pictures in every trial, hence one trial"));
        }
        let (mut pictures, mut each) = (0, Vec::with_capacity(trials));
        for trial in 0..trials {
            // The first of several trials is the only one of a single trial.
            let seed = if trial == 0 { self.seed } else { self.seed.child(&format!("trial/{trial}")) };
            let number = if trials > 1 { format!(", trial {} of {trials}", trial + 1) } else { String::new() };
            let whose = format!("{}, {name}{number}", real.label);
            let fake = Side::new(whose.clone(), model.pictures(real.pictures.as_ref(), seed)?)?;
            fake.pictures.notes().into_iter().for_each(|note| work.note(note));
            if real.same(&fake)? {
                work.note(format!("{name}: the very pictures that it is compared with"));
            }
            pictures = fake.pictures.len();
            each.push(work.measure(&whose, &self.metrics, real, &fake)?);
        }
        Ok((pictures, over_trials(each)?))
    }

    fn check(&self) -> Result<()> {
        let refuse =
            |found: String, expected: &str, hint: &str| Err(Error::invalid("evaluation", found, expected, hint));
        if self.metrics.is_empty() {
            return refuse("no metrics".into(), "at least one", "Name them by `.metrics([Metric::fid()])`.");
        }
        if self.models.is_empty() {
            return refuse("no model".into(), "at least one", "Name one by `.model(\"ours\", &gan.ema())`.");
        }
        if self.trials == 0 {
            return refuse("0 trials".into(), "at least one", "");
        }
        let names: [(&str, Vec<&str>); 3] = [
            ("model", self.models.iter().map(|(name, _)| name.as_str()).collect()),
            ("split", self.splits.iter().map(|(name, _)| name.as_str()).collect()),
            ("metric", self.metrics.iter().map(Metric::name).collect()),
        ];
        for (what, names) in names {
            let mut seen = BTreeSet::new();
            if let Some(twice) = names.into_iter().find(|name| !seen.insert(*name)) {
                return refuse(format!("{what} \"{twice}\" twice"), "each once", "");
            }
        }
        Ok(())
    }

    /// About how many pictures will go by.
    fn pictures(&self) -> usize {
        let needs: Vec<metric::Needs> = self.metrics.iter().map(Metric::needs).collect();
        let features = usize::from(needs.contains(&metric::Needs::Features));
        let looks = usize::from(needs.iter().any(|n| matches!(n, metric::Needs::Pictures | metric::Needs::Pairs)));
        let trials: usize = self.models.iter().map(|(_, model)| if model.fixed() { 1 } else { self.trials }).sum();
        self.splits.iter().map(|(_, real)| real.len() * (features + trials * (features + looks))).sum()
    }

    fn caption(&self) -> String {
        let trials = match self.trials {
            1 => String::new(),
            trials => format!("; means of {trials} trials"),
        };
        let on: Vec<&str> = self.splits.iter().map(|(name, _)| name.as_str()).collect();
        format!("On {}{trials}", on.join("; "))
    }
}

/// Mean and range of what several trials found.
fn over_trials(mut trials: Vec<Vec<Measured>>) -> Result<Vec<Measured>> {
    let first = trials.remove(0);
    if trials.is_empty() {
        return Ok(first);
    }
    let one = |(i, measured): (usize, Measured)| {
        let others = trials.iter().filter_map(|trial| trial.get(i)).map(|other| other.score.clone());
        let all: Vec<Score> = [measured.score.clone()].into_iter().chain(others).collect();
        Ok(Measured { score: Score::over_trials(&all)?, ..measured })
    };
    first.into_iter().enumerate().map(one).collect()
}

impl std::fmt::Debug for Evaluation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names = |names: Vec<&str>| names.join(", ");
        let splits = names(self.splits.iter().map(|(name, _)| name.as_str()).collect());
        let models = names(self.models.iter().map(|(name, _)| name.as_str()).collect());
        let metrics = names(self.metrics.iter().map(Metric::name).collect());
        write!(f, "Evaluation(on {splits}; of {models}; {metrics}; {} trials)", self.trials)
    }
}
