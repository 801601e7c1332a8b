//! The work of an evaluation: features once per set, one pass over the pictures, every result kept when it is there.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use candle_core::Tensor;

use super::cache::{Cache, Found, read_features, read_result, write_features, write_result};
use super::looks::{READ, Sets};
use super::metric::{Kind, Metric, Needs};
use super::pictures::Pictures;
use super::progress::Progress;
use super::results::{Measured, NetworkCard};
use crate::metrics::features::memorisation::Memorisation;
use crate::metrics::nets::extractor::Extractor;
use crate::metrics::score::Score;
use crate::{Error, Result};

/// Pictures whose features are kept together.
const TOGETHER: usize = 256;

/// A set of pictures with what was computed of it.
pub(super) struct Side {
    pub label: String,
    pub pictures: Arc<dyn Pictures>,
    features: OnceLock<Tensor>,
    /// What identifies each [`TOGETHER`] pictures.
    identities: OnceLock<Vec<String>>,
}

/// What all measurements of an evaluation share.
pub(super) struct Work<'a> {
    pub network: Option<&'a dyn Extractor>,
    pub cache: &'a Cache,
    pub progress: &'a Progress,
    /// What a reader has to be told, once each.
    pub notes: &'a Mutex<Vec<String>>,
}

impl Side {
    pub(super) fn new(label: String, pictures: Arc<dyn Pictures>) -> Result<Side> {
        if pictures.is_empty() {
            return Err(Error::invalid(label, "no pictures", "at least one", ""));
        }
        Ok(Side { label, pictures, features: OnceLock::new(), identities: OnceLock::new() })
    }

    fn identities(&self) -> Result<&[String]> {
        if let Some(identities) = self.identities.get() {
            return Ok(identities);
        }
        let ranges = (0..self.pictures.len()).step_by(TOGETHER);
        let each = ranges.map(|start| self.pictures.identity(start..(start + TOGETHER).min(self.pictures.len())));
        let identities = each.collect::<Result<Vec<_>>>()?;
        Ok(self.identities.get_or_init(|| identities))
    }

    /// Whether both hold the same pictures, asked of the first few first.
    pub(super) fn same(&self, other: &Side) -> Result<bool> {
        let (n, few) = (self.pictures.len(), self.pictures.len().min(READ));
        if n != other.pictures.len() || self.pictures.identity(0..few)? != other.pictures.identity(0..few)? {
            return Ok(false);
        }
        Ok(self.identities()? == other.identities()?)
    }
}

impl Work<'_> {
    pub(super) fn note(&self, note: String) {
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        if !notes.contains(&note) {
            notes.push(note);
        }
    }

    /// All metrics of one set against another, in their order. `whose` names both in lines; what is there already
    /// is not computed again.
    pub(super) fn measure(&self, whose: &str, metrics: &[Metric], real: &Side, fake: &Side) -> Result<Vec<Measured>> {
        let mut found: Vec<Option<Vec<Measured>>> = Vec::new();
        let mut places: Vec<Option<PathBuf>> = Vec::new();
        for metric in metrics {
            let place = self.place(metric, real, fake)?;
            found.push(place.as_ref().and_then(|place| self.kept(place)));
            places.push(place);
        }
        let open: Vec<usize> = (0..metrics.len()).filter(|i| found[*i].is_none()).collect();
        self.skip(metrics, &open, fake);
        // Pictures and pairs go by once, for all metrics that look at them.
        let mut looking: Vec<usize> =
            open.iter().copied().filter(|i| matches!(metrics[*i].needs(), Needs::Pictures | Needs::Pairs)).collect();
        for &i in open.iter().filter(|i| !looking.contains(i)) {
            let scores = self.compute(whose, &metrics[i], real, fake).map_err(|e| of(whose, e))?;
            found[i] = Some(self.settle(whose, &metrics[i], scores, places[i].as_ref())?);
        }
        let sets = Sets { real: real.pictures.as_ref(), fake: fake.pictures.as_ref() };
        for i in std::mem::take(&mut looking) {
            match sets.check(&metrics[i]) {
                Ok(()) => looking.push(i),
                Err(Error::Invalid { found: lacks, expected, .. }) if metrics[i].optional => {
                    self.note(format!("{whose}: no {}, which needs {expected}; found {lacks}", metrics[i].name()));
                    found[i] = Some(vec![]);
                }
                Err(error) => return Err(of(whose, error)),
            }
        }
        if !looking.is_empty() {
            let chosen: Vec<&Metric> = looking.iter().map(|i| &metrics[*i]).collect();
            let what = format!("{whose}: looking at pictures");
            let all = fake.pictures.len();
            let seen = |n, at| self.progress.pictures(n, &what, at, all);
            let scores = sets.look(&chosen, self.network, seen).map_err(|e| of(whose, e))?;
            for (i, scores) in looking.into_iter().zip(scores) {
                found[i] = Some(self.settle(whose, &metrics[i], scores, places[i].as_ref())?);
            }
        }
        Ok(found.into_iter().flatten().flatten().collect())
    }

    /// Takes off what need not be looked at from what is left to do.
    fn skip(&self, metrics: &[Metric], open: &[usize], fake: &Side) {
        let passes = |which: &mut dyn Iterator<Item = &Metric>| {
            let needs: Vec<Needs> = which.map(Metric::needs).collect();
            usize::from(needs.contains(&Needs::Features))
                + usize::from(needs.iter().any(|needs| matches!(needs, Needs::Pictures | Needs::Pairs)))
        };
        let (all, left) = (passes(&mut metrics.iter()), passes(&mut open.iter().map(|i| &metrics[*i])));
        self.progress.skipped((all - left) * fake.pictures.len());
    }

    /// Where the result of a metric is kept.
    fn place(&self, metric: &Metric, real: &Side, fake: &Side) -> Result<Option<PathBuf>> {
        if !self.cache.keeps() {
            return Ok(None);
        }
        let network = match (metric.of_network(), self.network) {
            (false, _) | (true, None) => Some(String::new()),
            (true, Some(network)) => {
                network.hash().map(|hash| format!("{} {hash} {}", network.name(), network.resize_rule()))
            }
        };
        let (Some(network), Some(metric)) = (network, metric.id()) else { return Ok(None) };
        let (real, fake) = (real.identities()?.join("\n"), fake.identities()?.join("\n"));
        Ok(self.cache.result_at(&[&metric, &network, &real, &fake]))
    }

    fn kept(&self, place: &std::path::Path) -> Option<Vec<Measured>> {
        match read_result::<Vec<Measured>>(place) {
            Found::Kept(measured) => Some(measured),
            Found::Nothing => None,
            Found::Broken(why) => {
                self.recomputed(&why);
                None
            }
        }
    }

    fn recomputed(&self, why: &str) {
        let note = format!("computed again: {why}");
        self.progress.line(&format!("warning: {note}"));
        self.note(note);
    }

    /// Names the scores, keeps and prints them.
    fn settle(
        &self,
        whose: &str,
        metric: &Metric,
        scores: Vec<Score>,
        place: Option<&PathBuf>,
    ) -> Result<Vec<Measured>> {
        let network = self.network.filter(|_| metric.of_network()).map(NetworkCard::of);
        let measured: Vec<Measured> = scores.into_iter().map(|score| Measured::new(score, network.as_ref())).collect();
        for measured in &measured {
            self.progress.line(&format!("{whose}: {}", measured.line()));
        }
        if let Some(place) = place {
            write_result(place, &measured)?;
        }
        Ok(measured)
    }

    fn compute(&self, whose: &str, metric: &Metric, real: &Side, fake: &Side) -> Result<Vec<Score>> {
        if metric.needs() == Needs::Everything {
            let Kind::SlicedWasserstein(settings) = &metric.kind else { return Ok(vec![]) };
            let what = format!("{whose}: looking at pictures");
            let all = fake.pictures.len();
            let sets = Sets { real: real.pictures.as_ref(), fake: fake.pictures.as_ref() };
            let [real, fake] = sets.everything(metric, |n, at| self.progress.pictures(n, &what, at, all))?;
            return settings.score(&real, &fake);
        }
        let made = self.features(fake)?;
        match &metric.kind {
            Kind::InceptionScore(settings) => Ok(vec![settings.of_logits(&self.class_scores(made)?)?]),
            Kind::Memorisation(Some(training)) => {
                let training = Side::new(format!("{}, training", real.label), training.clone())?;
                let found = Memorisation::of(made, self.features(&training)?, Some(self.features(real)?))?;
                Ok([Some(found.authenticity()), found.copying()].into_iter().flatten().collect())
            }
            _ => metric.of_features(self.features(real)?, made),
        }
    }

    fn class_scores(&self, features: &Tensor) -> Result<Tensor> {
        let network = self.network()?;
        network.class_scores(features)?.ok_or_else(|| {
            let hint = "The Inception score is defined with the classes of Inception (pool3).";
            Error::invalid("Inception score", format!("{} without classes", network.name()), "Inception", hint)
        })
    }

    fn network(&self) -> Result<&dyn Extractor> {
        self.network.ok_or_else(|| Error::invalid("metrics of features", "no network", "one that gives features", ""))
    }

    /// The network's features of a set, computed once.
    fn features<'s>(&self, side: &'s Side) -> Result<&'s Tensor> {
        if let Some(features) = side.features.get() {
            return Ok(features);
        }
        let network = self.network()?;
        let mut parts = Vec::new();
        for start in (0..side.pictures.len()).step_by(TOGETHER) {
            parts.push(self.part(network, side, start)?);
        }
        let features = Tensor::cat(&parts, 0)?;
        Ok(side.features.get_or_init(|| features))
    }

    /// The features of [`TOGETHER`] pictures, kept ones where there are any.
    fn part(&self, network: &dyn Extractor, side: &Side, start: usize) -> Result<Tensor> {
        let all = side.pictures.len();
        let end = (start + TOGETHER).min(all);
        let place = match self.cache.keeps() {
            true => self.cache.features_at(network, &side.identities()?[start / TOGETHER]),
            false => None,
        };
        match place.as_ref().map(|place| read_features(place, end - start, network.dims())) {
            Some(Found::Kept(features)) => {
                self.progress.skipped(end - start);
                return Ok(features);
            }
            Some(Found::Broken(why)) => self.recomputed(&why),
            Some(Found::Nothing) | None => {}
        }
        let what = format!("{}: features", side.label);
        let mut parts = Vec::new();
        for start in (start..end).step_by(READ) {
            let range = start..(start + READ).min(end);
            let count = range.len();
            let pictures = side.pictures.read(range)?;
            let features = network.features(&pictures)?;
            if features.dims() != [count, network.dims()] {
                let expected = format!("[{count}, {}]", network.dims());
                return Err(Error::shape(format!("features of {}", network.name()), features.dims(), expected));
            }
            parts.push(features);
            self.progress.pictures(count, &what, start + count, all);
        }
        let features = Tensor::cat(&parts, 0)?;
        if let Some(place) = place {
            write_features(&place, &features)?;
        }
        Ok(features)
    }
}

/// The error with whose pictures it is about.
fn of(whose: &str, error: Error) -> Error {
    match error {
        Error::Invalid { what, found, expected, hint } => {
            Error::Invalid { what: format!("{whose}: {what}"), found, expected, hint }
        }
        Error::Shape { what, found, expected } => Error::Shape { what: format!("{whose}: {what}"), found, expected },
        other => other,
    }
}
