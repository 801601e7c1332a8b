//! How often transforms are applied: the probability, which follows what the discriminator says of real pictures.

use candle_core::{DType, Device, Tensor, Var};

use super::{AugmentConfig, Drawn, Strength};
use crate::Result;
use crate::nn::params::Scope;
use crate::rng::Stream;

/// The augmentation of one discriminator. Buffer: `state` of three numbers, the probability, and since it was adjusted last
/// the sum of sign D(x) and the number of real pictures x. It is a part of checkpoints, so that a training goes on with it.
#[derive(Clone, Debug)]
pub struct Augment {
    config: AugmentConfig,
    state: Var,
}

impl Augment {
    /// The augmentation of `config`, its state taken from `scope`.
    ///
    /// # Errors
    /// When the numbers cannot be used, or the store holds a state of another shape.
    pub fn new(config: &AugmentConfig, scope: &Scope) -> Result<Augment> {
        config.check()?;
        Ok(Augment { config: *config, state: scope.buffer("state", &[3], 0.0)? })
    }

    fn state(&self) -> Result<[f64; 3]> {
        let numbers = self.state.as_detached_tensor().to_dtype(DType::F64)?.to_vec1::<f64>()?;
        Ok(std::array::from_fn(|i| numbers.get(i).copied().unwrap_or(0.0)))
    }

    /// The probability at this moment.
    ///
    /// # Errors
    /// When the device refuses to copy.
    pub fn probability(&self) -> Result<f64> {
        match self.config.strength {
            Strength::Fixed(p) => Ok(p),
            Strength::Adaptive { .. } => Ok(self.state()?[0]),
        }
    }

    /// Transforms for `n` pictures of `side` pixels with the probability of this moment.
    ///
    /// # Errors
    /// When the device refuses to copy.
    pub fn draw(&self, size: [usize; 2], stream: &mut Stream) -> Result<Drawn> {
        Ok(Drawn::draw(&self.config.transforms, self.probability()?, size, stream))
    }

    /// Takes note of the logits `[N]` or `[N, 1]` of real pictures, transformed as they were, in step `step` (from 1), and
    /// adjusts the probability if it is time to: by the pictures seen since the last time over kimg · 1,000, up if the mean
    /// sign of their logits is above the target, down if it is below, and never beyond 0 and 1. Returns the mean sign of
    /// these logits.
    ///
    /// # Errors
    /// When there are no logits, or the device refuses to copy.
    pub fn follow(&self, logits: &Tensor, step: u64) -> Result<f64> {
        let logits = logits.detach().to_dtype(DType::F64)?.flatten_all()?.to_vec1::<f64>()?;
        let signs: f64 = logits.iter().copied().map(sign).sum();
        let mean = signs / logits.len().max(1) as f64;
        if let Strength::Adaptive { target, kimg, interval } = self.config.strength {
            let [mut p, before, seen] = self.state()?;
            let (mut sum, mut pictures) = (before + signs, seen + logits.len() as f64);
            if step.is_multiple_of(interval) && pictures > 0.0 {
                p = (p + sign(sum / pictures - target) * pictures / (kimg * 1000.0)).clamp(0.0, 1.0);
                (sum, pictures) = (0.0, 0.0);
            }
            let state = Tensor::new(&[p, sum, pictures], &Device::Cpu)?;
            self.state.set(&state.to_dtype(self.state.dtype())?.to_device(self.state.device())?)?;
        }
        Ok(mean)
    }
}

/// −1, 0 or 1; 0 for what is no number, of which the trainer's guard has more to say.
fn sign(number: f64) -> f64 {
    f64::from(i8::from(number > 0.0) - i8::from(number < 0.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::params::{ParamStore, Training};
    use crate::rng::Seed;

    fn augment(strength: Strength) -> Augment {
        let params = ParamStore::new(Seed(1), &Device::Cpu, DType::F32).unwrap();
        let config = AugmentConfig { strength, ..AugmentConfig::default() };
        Augment::new(&config, &params.view(Training::All).pp("d")).unwrap()
    }

    fn logits(numbers: &[f32]) -> Tensor {
        Tensor::new(numbers, &Device::Cpu).unwrap()
    }

    #[test]
    fn the_probability_follows_the_signs_every_few_steps() {
        let augment = augment(Strength::Adaptive { target: 0.6, kimg: 0.5, interval: 4 });
        let p = |step, numbers: &[f32]| {
            let mean = augment.follow(&logits(numbers), step).unwrap();
            (mean, augment.probability().unwrap())
        };
        let sure = [3.0, 0.5, 2.0, 0.1];
        for step in 1..=3 {
            assert_eq!(p(step, &sure), (1.0, 0.0));
        }
        // 16 pictures of 500.
        let near = |(mean, found): (f64, f64), (expected_mean, expected): (f64, f64)| {
            assert!(mean == expected_mean && (found - expected).abs() < 1e-7, "{mean}, {found}, not {expected}");
        };
        near(p(4, &sure), (1.0, 0.032));
        // Three of four right is a mean sign of 0.5, below the target: down again, and not below 0.
        let unsure = [3.0, 0.5, -2.0, 0.1];
        for step in 5..=7 {
            near(p(step, &unsure), (0.5, 0.032));
        }
        near(p(8, &unsure), (0.5, 0.0));
        for step in 9..=12 {
            near(p(step, &unsure), (0.5, 0.0));
        }
        // What is no number says nothing, and never more than always.
        for step in (16..=4 * 600).step_by(4) {
            p(step, &sure);
        }
        near(p(4_000, &[f32::NAN, 1.0, 0.0, -1.0]), (0.0, 1.0 - 4.0 / 500.0));
    }

    #[test]
    fn a_fixed_probability_stays() {
        let augment = augment(Strength::Fixed(0.25));
        augment.follow(&logits(&[1.0; 8]), 4).unwrap();
        assert_eq!(augment.probability().unwrap(), 0.25);
    }
}
