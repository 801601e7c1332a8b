//! Stops a training that produces numbers that are not finite, and warns of one that has collapsed.

use std::collections::BTreeMap;

use candle_core::backprop::GradStore;
use candle_core::{DType, Tensor, Var};
use serde::{Deserialize, Serialize};

use super::gan::Player;
use crate::data::batch::Batch;
use crate::nn::params::ParamStore;
use crate::ops::finite::all_finite;
use crate::ops::reduce::first_not_finite;
use crate::{Error, Result};

/// The first value of a tensor that is NaN or infinite; `None` when all are finite.
///
/// # Errors
/// When the device refuses.
pub fn not_finite(tensor: &Tensor) -> Result<Option<f64>> {
    if first_bad(&[tensor])?.is_none() {
        return Ok(None);
    }
    let values = tensor.flatten_all()?.to_dtype(DType::F64)?.to_vec1::<f64>()?;
    Ok(values.into_iter().find(|value| !value.is_finite()))
}

/// The first of `tensors` that is not finite throughout.
fn first_bad(tensors: &[&Tensor]) -> Result<Option<usize>> {
    if tensors.iter().all(|tensor| tensor.device().is_cpu()) {
        return first_not_finite(tensors);
    }
    if all_finite(tensors)? {
        return Ok(None);
    }
    for (i, tensor) in tensors.iter().enumerate() {
        // Times 0, NaN and infinities become NaN and everything else 0: one number to look at, on any device.
        let zero = tensor.detach().affine(0.0, 0.0)?.sum_all()?.to_dtype(DType::F64)?.to_scalar::<f64>()?;
        if zero != 0.0 {
            return Ok(Some(i));
        }
    }
    Ok(None)
}

/// Who is moving when, for messages.
#[derive(Clone, Debug)]
pub(super) struct Moment {
    pub(super) step: u64,
    pub(super) player: Player,
    /// The last good checkpoint, for the message.
    pub(super) checkpoint: String,
}

impl Moment {
    fn diverged(&self, term: impl Into<String>, layer: impl Into<String>, value: f64) -> Error {
        Error::Diverged {
            step: self.step,
            player: self.player.name().to_string(),
            term: term.into(),
            layer: layer.into(),
            value,
            checkpoint: self.checkpoint.clone(),
        }
    }

    /// Checks loss terms and total before anything is learnt from them. A bad one is traced to the batch or to the
    /// first bad parameter, as far as it comes from there.
    pub(super) fn check_losses(&self, values: &[(String, f64)], params: &ParamStore, batch: &Batch) -> Result<()> {
        let Some((term, value)) = values.iter().find(|(_, value)| !value.is_finite()) else { return Ok(()) };
        let labels = batch.labels.as_ref().map(|labels| ("labels of the batch", labels));
        for (name, tensor) in [("images of the batch", &batch.images)].into_iter().chain(labels) {
            if not_finite(tensor)?.is_some() {
                return Err(self.diverged(term, name, *value));
            }
        }
        for (name, tensor) in params.tensors() {
            if not_finite(&tensor)?.is_some() {
                return Err(self.diverged(term, name, *value));
            }
        }
        Err(self.diverged(term, "none: batch and parameters are finite, so it is the loss itself", *value))
    }

    /// Checks the gradients of a player before its parameters move.
    pub(super) fn check_gradients<'a>(&self, vars: &'a [(String, Var)], grads: &'a GradStore) -> Result<()> {
        let known = |(name, var): &'a (String, Var)| Some((name.as_str(), grads.get(var)?));
        self.check_all("gradient", &vars.iter().filter_map(known).collect::<Vec<_>>())
    }

    /// Checks parameters after they have moved.
    pub(super) fn check_params(&self, vars: &[(String, Var)]) -> Result<()> {
        let tensors: Vec<(&str, &Tensor)> = vars.iter().map(|(name, var)| (name.as_str(), var.as_tensor())).collect();
        self.check_all("parameter", &tensors)
    }

    /// Checks what a search on the device has found: a number per tensor, 0 where all of it is finite.
    #[cfg(feature = "cuda")]
    pub(super) fn check_found<'a>(&self, term: &str, found: impl IntoIterator<Item = (&'a str, f32)>) -> Result<()> {
        match found.into_iter().find(|&(_, value)| value != 0.0) {
            Some((name, value)) => Err(self.diverged(term, name, value.into())),
            None => Ok(()),
        }
    }

    fn check_all(&self, term: &str, tensors: &[(&str, &Tensor)]) -> Result<()> {
        let Some(bad) = first_bad(&tensors.iter().map(|&(_, tensor)| tensor).collect::<Vec<_>>())? else {
            return Ok(());
        };
        let (name, tensor) = tensors[bad];
        Err(self.diverged(term, name, not_finite(tensor)?.unwrap_or(f64::NAN)))
    }
}

/// How far apart pictures are: root mean square difference of values in [-1, 1], averaged over all pairs of the first
/// 16 pictures of `[N, C, H, W]`. 0 when all are the same, or there is only one.
///
/// # Errors
/// When the device refuses.
pub fn diversity(images: &Tensor) -> Result<f64> {
    let n = images.dim(0)?.min(16);
    let pictures = images.narrow(0, 0, n)?.flatten_from(1)?.to_dtype(DType::F32)?.to_vec2::<f32>()?;
    let mut sum = 0.0;
    for (i, a) in pictures.iter().enumerate() {
        for b in &pictures[..i] {
            let square: f64 = a.iter().zip(b).map(|(a, b)| f64::from(a - b).powi(2)).sum();
            sum += (square / a.len().max(1) as f64).sqrt();
        }
    }
    Ok(if n < 2 { 0.0 } else { sum / (n * (n - 1) / 2) as f64 })
}

/// A discriminator loss below this is won.
const WON: f64 = 0.01;
/// So many steps in a row of a won discriminator are worth a warning.
const WON_STEPS: u64 = 100;
/// Previews this much less diverse than real pictures look alike.
const ALIKE: f64 = 0.05;
/// So many previews in a row that look alike are worth a warning.
const ALIKE_PREVIEWS: u64 = 3;

/// The discriminator's adversarial loss in a row of the history, unweighted: its term `adv`, or the sum of `adv_real`,
/// `adv_fake` and others of that kind. `None` when it has no such term.
pub(super) fn adversarial(losses: &BTreeMap<String, f64>) -> Option<f64> {
    let term = |name: &str| name.strip_prefix(Player::Discriminator.name())?.strip_prefix("/adv").map(str::to_string);
    let is_part = |name: &str| term(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('_'));
    losses.iter().filter(|(name, _)| is_part(name)).map(|(_, value)| *value).reduce(|a, b| a + b)
}

/// The collapse watch: counts, over steps and previews, what one step alone does not show. Each warning comes once,
/// and again after a recovery.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Watch {
    /// Steps in a row in which the discriminator had won.
    pub won: u64,
    /// Previews in a row that looked alike.
    pub alike: u64,
}

impl Watch {
    /// Looks at the discriminator's unweighted adversarial loss in a step; returns a warning when it is due.
    pub fn step(&mut self, discriminator: Option<f64>) -> Option<String> {
        let loss = discriminator.filter(|loss| (0.0..WON).contains(loss));
        self.won = loss.map_or(0, |_| self.won + 1);
        let loss = loss.filter(|_| self.won == WON_STEPS)?;
        Some(format!(
            "the discriminator has won: its loss adv stays below {WON} (now {loss:.2e}) for {WON_STEPS} steps, so the generator learns little. Lower its learning rate, or use a gradient penalty."
        ))
    }

    /// Looks at the diversity of a preview and of real pictures ([`diversity`]); returns a warning when it is due.
    pub fn preview(&mut self, made: f64, real: f64) -> Option<String> {
        self.alike = if made < ALIKE * real { self.alike + 1 } else { 0 };
        (self.alike == ALIKE_PREVIEWS).then(|| {
            format!(
                "collapse: the pictures of the last {ALIKE_PREVIEWS} previews look alike (mean pairwise distance {made:.4}, real pictures {real:.4}). Usual in the first steps; later, go back to an earlier checkpoint or change the seed."
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    #[test]
    fn the_first_bad_value_is_found() {
        let check = |values: &[f32]| not_finite(&Tensor::new(values, &Device::Cpu).unwrap()).unwrap();
        assert_eq!(check(&[0.0, -1e38, 3e38]), None);
        assert_eq!(check(&[0.0, f32::NEG_INFINITY, f32::NAN]), Some(f64::NEG_INFINITY));
        assert!(check(&[1.0, f32::NAN]).is_some_and(f64::is_nan));
        assert_eq!(check(&[]), None);
    }

    #[test]
    fn equal_pictures_have_no_diversity() {
        let black = Tensor::full(-1f32, (2, 3, 4, 4), &Device::Cpu).unwrap();
        let white = Tensor::full(1f32, (2, 3, 4, 4), &Device::Cpu).unwrap();
        assert_eq!(diversity(&black).unwrap(), 0.0);
        // Pairs: two of distance 0, four of distance 2.
        let both = Tensor::cat(&[black, white], 0).unwrap();
        assert!((diversity(&both).unwrap() - 8.0 / 6.0).abs() < 1e-9);
    }

    #[test]
    fn the_adversarial_loss_is_found_in_its_parts() {
        let found = |terms: &[(&str, f64)]| {
            adversarial(&terms.iter().map(|(name, value)| (name.to_string(), *value)).collect())
        };
        assert_eq!(found(&[("discriminator/adv", 0.5), ("generator/adv", 9.0)]), Some(0.5));
        let parts = [("discriminator/adv_fake", 0.25), ("discriminator/adv_real", 0.5), ("discriminator/gp", 9.0)];
        assert_eq!(found(&parts), Some(0.75));
        assert_eq!(found(&[("discriminator/advantage", 1.0), ("generator/adv", 9.0)]), None);
    }

    #[test]
    fn warnings_come_once_with_the_numbers() {
        let mut watch = Watch::default();
        let warnings: Vec<_> = (0..300).filter_map(|_| watch.step(Some(0.001))).collect();
        assert_eq!(warnings.len(), 1);
        assert!(warnings[0].contains("1.00e-3"), "{}", warnings[0]);
        assert_eq!(watch.step(Some(0.7)), None);
        assert!((0..300).any(|_| watch.step(Some(0.0)).is_some()));
        assert!((0..300).all(|_| watch.step(Some(-5.0)).is_none()), "a critic's loss may be negative");

        let warnings: Vec<_> = (0..9).filter_map(|_| watch.preview(0.001, 0.5)).collect();
        assert_eq!(warnings.len(), 1);
        assert!(warnings[0].contains("0.0010") && warnings[0].contains("0.5000"), "{}", warnings[0]);
        assert_eq!(watch.preview(0.3, 0.5), None);
        assert_eq!(watch.alike, 0);
    }
}
