//! The style and the noise with which a StyleGAN draws a given picture most alike (Karras et al. 2020, "Analyzing and
//! Improving the Image Quality of StyleGAN", appendix D; Abdal et al. 2019, "Image2StyleGAN").
//!
//! One style w for all layers is moved by Adam, beginning at the mean style, until a network sees little difference
//! between the drawn picture and the wanted one. The noise of every layer is moved along, but shall stay noise: what its
//! neighbouring pixels have in common is punished at every size.
//!
//! A picture that the generator could have drawn is found again nearly as it was; how far off others stay says how far from
//! the training pictures they are.

mod projection;
mod search;

use crate::metrics::nets::perceptual::Perceptual;
use crate::rng::Seed;
use crate::{Error, Result};

pub use projection::{Projected, Projection};

/// How to search. Its numbers are those of the authors' projector.
#[derive(Clone, Debug)]
pub struct ProjectOptions {
    /// Steps of the search: 1,000.
    pub steps: usize,
    /// Learning rate at its highest: 0.1. It rises over the first 5 % of the steps and falls over the last 25 %.
    pub rate: f64,
    /// Latents of which the mean style and the deviation of styles are taken: 10,000.
    pub samples: usize,
    /// Noise on w at the beginning as a share of the deviation of styles: 0.05. It falls to 0 over three quarters of the
    /// steps.
    pub wandering: f64,
    /// Weight of what neighbouring pixels of the noise have in common: 1e5.
    pub regularity: f64,
    /// Seed of latents and of the noise on w.
    pub seed: Seed,
    /// What sees differences; the built-in network when `None`.
    pub eye: Option<Perceptual>,
    /// Pictures of the search that are kept for a film, evenly spaced: 0.
    pub frames: usize,
    /// Whether lines about the search go to standard output.
    pub quiet: bool,
}

impl Default for ProjectOptions {
    fn default() -> Self {
        ProjectOptions {
            steps: 1_000,
            rate: 0.1,
            samples: 10_000,
            wandering: 0.05,
            regularity: 1e5,
            seed: Seed(0),
            eye: None,
            frames: 0,
            quiet: false,
        }
    }
}

impl ProjectOptions {
    /// So many steps.
    pub fn steps(self, steps: usize) -> ProjectOptions {
        ProjectOptions { steps, ..self }
    }

    /// Another seed.
    pub fn seed(self, seed: Seed) -> ProjectOptions {
        ProjectOptions { seed, ..self }
    }

    /// Another network that sees differences: [`Perceptual::lpips`].
    pub fn eye(self, eye: Perceptual) -> ProjectOptions {
        ProjectOptions { eye: Some(eye), ..self }
    }

    /// Keeps so many pictures of the search for a film.
    pub fn frames(self, frames: usize) -> ProjectOptions {
        ProjectOptions { frames, ..self }
    }

    /// Prints nothing.
    pub fn quiet(self) -> ProjectOptions {
        ProjectOptions { quiet: true, ..self }
    }

    fn check(&self) -> Result<()> {
        let refuse = |what: &str, found: String, expected: &str| {
            Err(Error::invalid(format!("projection: {what}"), found, expected, ""))
        };
        if self.steps == 0 {
            return refuse("steps", "0".into(), "1 or more");
        }
        if self.samples < 2 {
            return refuse("samples", self.samples.to_string(), "2 or more");
        }
        let numbers = [("rate", self.rate), ("wandering", self.wandering), ("regularity", self.regularity)];
        match numbers.into_iter().find(|(_, number)| !(number.is_finite() && *number >= 0.0)) {
            Some((what, number)) => refuse(what, number.to_string(), "a number that is not negative"),
            None => Ok(()),
        }
    }

    /// The learning rate at `done` of the steps, in [0, 1).
    fn rate_at(&self, done: f64) -> f64 {
        let falling = ((1.0 - done) / 0.25).min(1.0);
        let falling = 0.5 - 0.5 * (falling * std::f64::consts::PI).cos();
        self.rate * falling * (done / 0.05).min(1.0)
    }

    /// The deviation of the noise on w, as a share of that of styles.
    fn wandering_at(&self, done: f64) -> f64 {
        self.wandering * (1.0 - done / 0.75).max(0.0).powi(2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_rise_and_fall() {
        let options = ProjectOptions::default();
        for (done, rate, wandering) in [
            (0.0, 0.0, 0.05),
            (0.025, 0.05, 0.05 * (1.0 - 0.025f64 / 0.75).powi(2)),
            (0.375, 0.1, 0.0125),
            (0.75, 0.1, 0.0),
            (0.875, 0.05, 0.0),
        ] {
            assert!((options.rate_at(done) - rate).abs() < 1e-12, "{done}");
            assert!((options.wandering_at(done) - wandering).abs() < 1e-12, "{done}");
        }
    }

    #[test]
    fn options_that_make_no_search_are_refused() {
        let message = |options: ProjectOptions| options.check().unwrap_err().to_string();
        assert!(message(ProjectOptions::default().steps(0)).contains("steps"));
        assert!(message(ProjectOptions { samples: 1, ..Default::default() }).contains("samples"));
        assert!(message(ProjectOptions { rate: f64::NAN, ..Default::default() }).contains("rate"));
    }
}
