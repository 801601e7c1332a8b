//! What holds for all stages: the optimizer, decay and averaging, and how often things happen beside training.

use serde::{Deserialize, Serialize};

/// Adam's constants (Kingma & Ba 2015, algorithm 1).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct AdamSettings {
    /// Decay of the running mean of gradients.
    pub beta1: f64,
    /// Decay of the running mean of squared gradients.
    pub beta2: f64,
    /// Added to the root of the second moment.
    pub eps: f64,
}

impl Default for AdamSettings {
    /// β₁ 0.5, β₂ 0.999 (DCGAN, Radford et al. 2016), ε 1e-8 (PyTorch).
    fn default() -> Self {
        AdamSettings { beta1: 0.5, beta2: 0.999, eps: 1e-8 }
    }
}

/// How learning rates fall with the step, on top of the stage's rate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Decay {
    /// Not at all.
    #[default]
    Constant,
    /// Constant for `from` steps, then times exp(−(step − from)/τ).
    Exponential {
        /// Last step at the full rate.
        from: u64,
        /// τ, steps.
        tau: f64,
    },
}

impl Decay {
    pub(super) fn factor(self, step: u64) -> f64 {
        match self {
            Decay::Constant => 1.0,
            Decay::Exponential { from, tau } => (-(step.saturating_sub(from) as f64) / tau).exp(),
        }
    }
}

/// The running average of the weights that previews and samples use.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Average {
    /// The factor of one step. Early steps forget the initial weights faster: min(decay, (1 + step)/(10 + step)), the rule
    /// of TensorFlow's `ExponentialMovingAverage(num_updates)`.
    Decay(f64),
    /// The factor of one step, the first as the last (Progressive GAN: 0.999). 0 keeps no average.
    Constant(f64),
    /// Half-life in real images, the first as the last (StyleGAN: 10,000).
    SteadyHalfLife(f64),
    /// Half-life in real images; at most 5 % of the images seen so far (StyleGAN2-ADA, `ema_kimg`, `ema_rampup`).
    HalfLife(f64),
}

impl Average {
    /// Factor of the old average at the end of step `step` (from 1), after which `images` images were seen, `batch` of
    /// them in that step. In [0, 1].
    pub fn factor(self, step: u64, images: u64, batch: u64) -> f64 {
        match self {
            Average::Decay(decay) => decay.min((1 + step) as f64 / (10 + step) as f64),
            Average::Constant(decay) => decay,
            Average::SteadyHalfLife(half_life) => 0.5f64.powf(batch as f64 / half_life),
            Average::HalfLife(half_life) => {
                let half_life = half_life.min(images as f64 * 0.05).max(1e-8);
                0.5f64.powf(batch as f64 / half_life)
            }
        }
    }
}

/// When the moments of the optimizers are forgotten, so that layers of another size of gradients do not move by old ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reset {
    /// Never.
    #[default]
    Never,
    /// When a stage begins.
    Resolutions,
    /// When a stage begins, and when its fade has ended (Progressive GAN, StyleGAN).
    Fades,
}

impl Reset {
    pub(super) fn is_never(&self) -> bool {
        *self == Reset::Never
    }
}

/// How often things happen beside training. They change no result, so a run may be resumed with others.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Intervals {
    /// Steps between two rows of the history.
    pub history: u64,
    /// Steps between two previews.
    pub preview: u64,
    /// Steps between two checkpoints; they are also written every five minutes and at the end of every call.
    pub checkpoint: u64,
}

impl Default for Intervals {
    fn default() -> Self {
        Intervals { history: 1, preview: 100, checkpoint: 1000 }
    }
}
