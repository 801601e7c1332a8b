//! Training one network on pictures whose answers are known: readers of labels and of poses, detectors.

use std::collections::BTreeMap;

use crate::autograd::backward_once;
use crate::nn::params::ParamStore;
use crate::rng::Seed;
use crate::train::ema;
use crate::train::gan::Player;
use crate::train::optim::Adam;
use crate::train::plan::AdamSettings;
use crate::train::threads::{Kind, Threads};
use crate::{Error, Result};

use candle_core::Tensor;

/// Steps in which the learning rate reaches its height.
const RISE: f64 = 50.0;
/// Weight of the older steps in the running average of the weights that is kept.
const AVERAGING: f64 = 0.996;

/// How long and how fast.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Supervised {
    /// Of the order of the pictures.
    pub seed: Seed,
    /// Steps of Adam.
    pub steps: usize,
    /// Pictures per step.
    pub batch: usize,
    /// Largest learning rate; it rises over the first steps and falls to 0 along a half cosine.
    pub rate: f64,
}

impl Supervised {
    /// Trains the parameters of [`Player::Classifier`] in `params`. `loss` is asked for the loss of each step, counted from
    /// 0; `progress` is told the number of each step, from 1, and its loss. Returns the running average of the parameters
    /// and the losses.
    ///
    /// # Errors
    /// When there are no steps or pictures per step, the loss is not finite, and those of `loss`.
    pub(crate) fn run(
        &self,
        what: &str,
        params: &ParamStore,
        mut loss: impl FnMut(usize) -> Result<Tensor> + Send,
        mut progress: impl FnMut(usize, f64),
    ) -> Result<(ParamStore, Vec<f64>)> {
        for (name, number) in [("steps", self.steps), ("pictures per step", self.batch)] {
            if number == 0 {
                return Err(Error::invalid(format!("training of {what}: {name}"), "0", "at least 1", ""));
            }
        }
        let average = params.copy()?;
        let mut adam = Adam::new(Player::Classifier, params, AdamSettings { beta1: 0.9, ..AdamSettings::default() })?;
        let mut losses = Vec::with_capacity(self.steps);
        let mut threads = Threads::of(params.device())?;
        for step in 0..self.steps {
            let value = threads.run(Kind::default(), || {
                let loss = loss(step)?;
                let value = f64::from(loss.to_scalar::<f32>()?);
                if !value.is_finite() {
                    let (what, hint) = (format!("loss of step {}", step + 1), "Lower the learning rate.");
                    return Err(Error::invalid(what, value.to_string(), "a number", hint));
                }
                adam.step(&backward_once(loss)?, self.rate_at(step))?;
                // As much of the average as there are steps to average over.
                ema::update(&average, params, AVERAGING.min((step + 1) as f64 / (step + 10) as f64))?;
                Ok(value)
            })?;
            losses.push(value);
            progress(step + 1, value);
        }
        Ok((average, losses))
    }

    /// The tensors of trained parameters by the names that the network itself gives them, without the player's.
    pub(crate) fn weights(params: &ParamStore) -> BTreeMap<String, Tensor> {
        let prefix = format!("{}.", Player::Classifier.prefix());
        let short = |name: String| name.strip_prefix(&prefix).map(str::to_string).unwrap_or(name);
        params.tensors().into_iter().map(|(name, tensor)| (short(name), tensor)).collect()
    }

    /// Which of `count` pictures a step sees. Every one is seen once before one is seen again.
    pub(crate) fn chosen(&self, what: &str, step: usize, count: usize) -> Vec<usize> {
        let mut ids = Vec::with_capacity(self.batch);
        let (mut epoch, mut order) = (usize::MAX, vec![]);
        for place in step * self.batch..(step + 1) * self.batch {
            if place / count != epoch {
                epoch = place / count;
                order = self.seed.stream(&format!("{what}/order/{epoch}")).permutation(count);
            }
            ids.push(order[place % count]);
        }
        ids
    }

    fn rate_at(&self, step: usize) -> f64 {
        let rise = ((step + 1) as f64 / RISE).min(1.0);
        let way = step as f64 / self.steps as f64;
        self.rate * rise * 0.5 * (1.0 + (std::f64::consts::PI * way).cos())
    }
}
