//! Adam over the parameters of one player, with moments that can be saved.

use std::collections::BTreeMap;

use candle_core::backprop::GradStore;
use candle_core::{DType, Device, Tensor, Var};

use super::gan::Player;
use super::plan::AdamSettings;
use crate::nn::params::ParamStore;
#[cfg(feature = "cuda")]
use crate::ops::adam::update_at_launch;
use crate::ops::adam::{AdamStep, Update, lerp_all, update};
use crate::ops::reduce::{dot_from, scale};
use crate::{Error, Result};

/// Adam (Kingma & Ba 2015) for one player. Moments and steps count per parameter: one that gets no gradient for a
/// while (a layer that has not faded in yet) starts afresh when its first gradient comes.
#[derive(Clone, Debug)]
pub struct Adam {
    player: Player,
    settings: AdamSettings,
    slots: Vec<Slot>,
}

#[derive(Clone, Debug)]
struct Slot {
    name: String,
    var: Var,
    first: Tensor,
    second: Tensor,
    steps: u64,
}

impl Adam {
    /// An optimizer at rest for the trainable parameters of `player`.
    ///
    /// # Errors
    /// When the player has no parameters, or the device has no memory for the moments.
    pub fn new(player: Player, params: &ParamStore, settings: AdamSettings) -> Result<Adam> {
        let mut slots = Vec::new();
        for (name, var) in params.trainable(player.prefix()) {
            let (first, second) = (var.zeros_like()?, var.zeros_like()?);
            slots.push(Slot { name, var, first, second, steps: 0 });
        }
        if slots.is_empty() {
            return Err(Error::invalid(
                format!("plan: {}", player.name()),
                format!("no parameter named {}.*", player.prefix()),
                "a player of the plan that has parameters",
                "Build its network below `params.pp(player.prefix())`.",
            ));
        }
        Ok(Adam { player, settings, slots })
    }

    /// Whose parameters these are.
    pub fn player(&self) -> Player {
        self.player
    }

    /// The parameters that move, by name, sorted.
    pub fn vars(&self) -> Vec<(String, Var)> {
        self.slots.iter().map(|slot| (slot.name.clone(), slot.var.clone())).collect()
    }

    /// Moves every parameter that has a gradient.
    ///
    /// # Errors
    /// When a gradient does not fit its parameter; nothing has moved then.
    pub fn step(&mut self, grads: &GradStore, rate: f64) -> Result<()> {
        let moved = self.with_gradient(grads);
        update(&self.updates(&moved, grads, rate))?;
        self.advance(&moved);
        Ok(())
    }

    /// The positions in [`vars`](Adam::vars) of the parameters that have a gradient.
    pub(super) fn with_gradient(&self, grads: &GradStore) -> Vec<usize> {
        (0..self.slots.len()).filter(|&i| grads.get(&self.slots[i].var).is_some()).collect()
    }

    fn updates<'a>(&'a self, moved: &[usize], grads: &'a GradStore, rate: f64) -> Vec<Update<'a>> {
        let update = |&i: &usize| {
            let Slot { var: parameter, first, second, .. } = &self.slots[i];
            Some(Update { parameter, gradient: grads.get(parameter)?, first, second, step: self.next(i, rate) })
        };
        moved.iter().filter_map(update).collect()
    }

    /// The numbers of the next step of a parameter.
    fn next(&self, i: usize, rate: f64) -> AdamStep {
        let AdamSettings { beta1, beta2, eps } = self.settings;
        AdamStep { learning_rate: rate, beta1, beta2, epsilon: eps, step: self.slots[i].steps + 1 }
    }

    /// The move of these parameters as a part of a graph, which reads what [`scales`](Adam::scales) gives when it is
    /// launched, and moves nothing if `stop` is not 0 then.
    #[cfg(feature = "cuda")]
    pub(super) fn record(&self, moved: &[usize], grads: &GradStore, scales: &Tensor, stop: &Tensor) -> Result<()> {
        update_at_launch(&self.updates(moved, grads, 0.0), scales, stop)
    }

    /// Two numbers for the next step of each of these parameters.
    #[cfg(feature = "cuda")]
    pub(super) fn scales(&self, moved: &[usize], rate: f64) -> Vec<f32> {
        moved.iter().flat_map(|&i| self.next(i, rate).scales()).collect()
    }

    /// Counts a step of these parameters.
    pub(super) fn advance(&mut self, moved: &[usize]) {
        moved.iter().for_each(|&i| self.slots[i].steps += 1);
    }

    /// Forgets moments and steps, where they lie: graphs of recorded steps go on reading them there.
    ///
    /// # Errors
    /// When the device refuses.
    pub fn reset(&mut self) -> Result<()> {
        let zeros: Vec<Tensor> = self.slots.iter().map(|slot| slot.first.zeros_like()).collect::<Result<_, _>>()?;
        let pairs = self.slots.iter().zip(&zeros).flat_map(|(slot, zero)| [(&slot.first, zero), (&slot.second, zero)]);
        lerp_all(&pairs.collect::<Vec<_>>(), 1.0)?;
        self.slots.iter_mut().for_each(|slot| slot.steps = 0);
        Ok(())
    }

    /// Moments and step counts: `<parameter>.exp_avg`, `<parameter>.exp_avg_sq` (PyTorch's names) of the parameter's
    /// shape, `<parameter>.step` a scalar of type i64. They share storage with the optimizer.
    ///
    /// # Errors
    /// When the device has no memory for them.
    pub fn state(&self) -> Result<BTreeMap<String, Tensor>> {
        let mut state = BTreeMap::new();
        for Slot { name, first, second, steps, .. } in &self.slots {
            state.insert(format!("{name}.exp_avg"), first.clone());
            state.insert(format!("{name}.exp_avg_sq"), second.clone());
            state.insert(format!("{name}.step"), Tensor::new(*steps as i64, &Device::Cpu)?);
        }
        Ok(state)
    }

    /// Takes over what [`state`](Adam::state) gave. Entries of other players are passed over.
    ///
    /// # Errors
    /// Names the first entry that is missing or of another shape; nothing was changed then.
    pub fn load(&mut self, state: &BTreeMap<String, Tensor>) -> Result<()> {
        let mut slots = self.slots.clone();
        for slot in &mut slots {
            let entry = |suffix: &str| {
                let name = format!("{}.{suffix}", slot.name);
                state.get(&name).ok_or_else(|| Error::invalid("optimizer state", format!("no {name}"), "one", ""))
            };
            let moment = |suffix: &str| -> Result<Tensor> {
                let tensor = entry(suffix)?;
                if tensor.dims() != slot.var.dims() {
                    let what = format!("optimizer state {}.{suffix}", slot.name);
                    return Err(Error::shape(what, tensor.dims(), format!("{:?}", slot.var.dims())));
                }
                // A copy, because the moments change in place.
                Ok(tensor.to_device(slot.var.device())?.to_dtype(slot.var.dtype())?.force_contiguous()?)
            };
            let (first, second) = (moment("exp_avg")?, moment("exp_avg_sq")?);
            let steps = entry("step")?.reshape(())?.to_dtype(DType::I64)?.to_scalar::<i64>()?;
            slot.steps = u64::try_from(steps).map_err(|_| {
                Error::invalid(format!("optimizer state {}.step", slot.name), steps.to_string(), "a count of steps", "")
            })?;
            (slot.first, slot.second) = (first, second);
        }
        self.slots = slots;
        Ok(())
    }
}

/// Added to the length of a gradient that is divided by it, as in PyTorch's `clip_grad_norm_`.
const TINY: f64 = 1e-6;

/// Shortens the gradient of these parameters, all together, to `length` where it is longer.
///
/// # Errors
/// When the device has no memory for the shorter one.
pub(super) fn clip(vars: &[(String, Var)], grads: &mut GradStore, length: f64) -> Result<()> {
    let mut squares: Option<Tensor> = None;
    for gradient in vars.iter().filter_map(|(_, var)| grads.get(var)) {
        let square = dot_from(gradient, gradient, 0)?.to_dtype(DType::F64)?;
        squares = Some(match squares {
            None => square,
            Some(sum) => (sum + square)?,
        });
    }
    let Some(squares) = squares else { return Ok(()) };
    let factor = ((squares.sqrt()? + TINY)?.recip()? * length)?.minimum(1f64)?;
    for (_, var) in vars {
        if let Some(gradient) = grads.get(var) {
            let shorter = scale(gradient, &factor.to_dtype(gradient.dtype())?)?;
            grads.insert(var, shorter);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::init::Init;
    use crate::nn::params::Training;
    use crate::rng::Seed;

    fn store() -> ParamStore {
        let params = ParamStore::new(Seed(1), &Device::Cpu, DType::F32).unwrap();
        let scope = params.view(Training::All);
        scope.pp("g").param("weight", &[3], Init::Const(1.0)).unwrap();
        scope.pp("g").param("unused", &[2], Init::Const(1.0)).unwrap();
        scope.pp("d").param("weight", &[3], Init::Const(1.0)).unwrap();
        params
    }

    fn weight(params: &ParamStore) -> Vec<f32> {
        params.tensors()["g.weight"].to_vec1().unwrap()
    }

    fn train(params: &ParamStore, adam: &mut Adam, steps: usize) {
        let target = Tensor::new(&[3f32, -1.0, 0.5], &Device::Cpu).unwrap();
        for _ in 0..steps {
            let var = &params.trainable("g.weight")[0].1;
            let grads = (var.as_tensor() - &target).unwrap().sqr().unwrap().sum_all().unwrap().backward().unwrap();
            adam.step(&grads, 0.1).unwrap();
        }
    }

    #[test]
    fn it_minimises_and_leaves_others_alone() {
        let params = store();
        let mut adam = Adam::new(Player::Generator, &params, AdamSettings::default()).unwrap();
        train(&params, &mut adam, 200);
        for (value, wanted) in weight(&params).into_iter().zip([3.0, -1.0, 0.5]) {
            assert!((value - wanted).abs() < 1e-3, "{value} for {wanted}");
        }
        assert_eq!(params.tensors()["g.unused"].to_vec1::<f32>().unwrap(), [1.0, 1.0]);
        assert_eq!(params.tensors()["d.weight"].to_vec1::<f32>().unwrap(), [1.0, 1.0, 1.0]);
    }

    #[test]
    fn saved_moments_go_on_bit_for_bit() {
        let (whole, parts) = (store(), store());
        let mut adam = Adam::new(Player::Generator, &whole, AdamSettings::default()).unwrap();
        train(&whole, &mut adam, 10);

        let mut before = Adam::new(Player::Generator, &parts, AdamSettings::default()).unwrap();
        train(&parts, &mut before, 4);
        let mut after = Adam::new(Player::Generator, &parts, AdamSettings::default()).unwrap();
        after.load(&before.state().unwrap()).unwrap();
        train(&parts, &mut after, 6);
        assert_eq!(weight(&whole), weight(&parts));
    }

    #[test]
    fn a_reset_optimizer_moves_as_a_new_one() {
        let (fresh, used) = (store(), store());
        let mut adam = Adam::new(Player::Generator, &used, AdamSettings::default()).unwrap();
        train(&used, &mut adam, 3);
        fresh.load(&used.tensors()).unwrap();
        adam.reset().unwrap();
        train(&used, &mut adam, 4);
        train(&fresh, &mut Adam::new(Player::Generator, &fresh, AdamSettings::default()).unwrap(), 4);
        assert_eq!(weight(&used), weight(&fresh));
    }

    #[test]
    fn long_gradients_are_shortened_together() {
        let params = store();
        let vars = params.trainable("");
        let clipped = |length: f64| {
            let weight = |name: &str| vars.iter().find(|(found, _)| found == name).unwrap().1.as_tensor().clone();
            // Gradients (4, 4, 4) and (3, 3, 3), of length √75.
            let sum = |name: &str, factor: f64| (weight(name) * factor).unwrap().sum_all().unwrap();
            let mut grads = (sum("g.weight", 4.0) + sum("d.weight", 3.0)).unwrap().backward().unwrap();
            clip(&vars, &mut grads, length).unwrap();
            ["g.weight", "d.weight"].map(|name| grads.get(&weight(name)).unwrap().to_vec1::<f32>().unwrap()[0])
        };
        assert_eq!(clipped(9.0), [4.0, 3.0]);
        for (found, wanted) in clipped(5.0).into_iter().zip([4.0, 3.0].map(|g| g * 5.0 / 75f32.sqrt())) {
            assert!((found - wanted).abs() < 1e-5, "{found} {wanted}");
        }
    }

    #[test]
    fn a_state_that_does_not_fit_is_refused() {
        let params = store();
        let mut adam = Adam::new(Player::Generator, &params, AdamSettings::default()).unwrap();
        let mut state = adam.state().unwrap();
        state.insert("g.weight.exp_avg".into(), Tensor::zeros(4, DType::F32, &Device::Cpu).unwrap());
        assert!(adam.load(&state).unwrap_err().to_string().contains("g.weight.exp_avg"));
        state.remove("g.weight.exp_avg");
        assert!(adam.load(&state).unwrap_err().to_string().contains("no g.weight.exp_avg"));
        assert!(Adam::new(Player::Encoder, &params, AdamSettings::default()).is_err());
    }
}
