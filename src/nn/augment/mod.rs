//! Augmentation of what a discriminator sees, with a probability that follows how much it overfits: Karras, Aittala,
//! Hellsten, Laine, Lehtinen, Aila, "Training Generative Adversarial Networks with Limited Data" (NeurIPS 2020),
//! <https://arxiv.org/abs/2006.06676>.
//!
//! Real and made pictures go through the same random transforms before the discriminator, in both players' losses; all
//! transforms are differentiable. As long as each is applied with a probability well below 1, the generator learns the
//! pictures as they are, and not as they are transformed.
//!
//! What differs from the authors' code, and why:
//!
//! * flips, quarter turns and whole shifts read single pixels and filter nothing;
//! * the filter of the others is asymmetric. Here a pixel stands at the tap nearest to its centre of mass, so that a
//!   mirrored or turned picture stands within a tenth of a pixel of where it should, rather than half a pixel off;
//! * the probability goes up to 1 and no further, since nothing happens beyond;
//! * filtering of frequency bands, noise and cut-outs, which the paper found to help little or not at all, are left out.

mod adaptive;
mod drawn;
mod matrix;

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

pub use adaptive::Augment;
pub use drawn::{Augmented, Drawn};

/// What augments a discriminator.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AugmentConfig {
    /// The probability of each transform, for each picture.
    pub strength: Strength,
    /// The transforms.
    pub transforms: Transforms,
}

/// The probability p with which each transform is applied to each picture.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Strength {
    /// p begins at 0 and follows r, the mean of sign D(x) over real pictures (section 3, equation 1).
    Adaptive {
        /// The wanted r: 0.6. Above it the discriminator overfits and p rises; below it p falls.
        target: f64,
        /// Thousands of real pictures in which p goes from 0 to 1 at most: 500, or 100 when a trained model is trained on.
        kimg: f64,
        /// Steps between two adjustments: 4.
        interval: u64,
    },
    /// p never changes.
    Fixed(f64),
}

/// The transforms, in the order in which they are applied, with what they draw (appendix B). 0 or `false` leaves one out.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Transforms {
    /// Mirrors left to right, in one of two cases.
    pub flip: bool,
    /// Turns by one of four quarters.
    pub quarter_turns: bool,
    /// Shifts by whole pixels, uniformly up to this share of the side: 0.125.
    pub shift: f64,
    /// Scales by 2^s, s normal with this deviation: 0.2.
    pub scale: f64,
    /// Turns by any angle, before and after stretching.
    pub turn: bool,
    /// Stretches by 2^s across and 2^−s down, s normal with this deviation: 0.2.
    pub stretch: f64,
    /// Shifts by a normal share of the side with this deviation: 0.125.
    pub fraction: f64,
    /// Adds a normal number with this deviation, black being −1 and white 1: 0.2.
    pub brightness: f64,
    /// Multiplies by 2^s, s normal with this deviation: 0.5.
    pub contrast: f64,
    /// Mirrors the brightness of every colour at grey and keeps its hue, in one of two cases.
    pub luma_flip: bool,
    /// Turns colours around the line of greys, by up to this share of half a turn: 1.
    pub hue: f64,
    /// Multiplies the distance of colours from grey by 2^s, s normal with this deviation: 1.
    pub saturation: f64,
}

impl Default for AugmentConfig {
    /// The paper's: [`Transforms::bgc`], target 0.6, 500 kimg, every four steps.
    fn default() -> Self {
        AugmentConfig {
            strength: Strength::Adaptive { target: 0.6, kimg: 500.0, interval: 4 },
            transforms: Transforms::bgc(),
        }
    }
}

impl AugmentConfig {
    /// The paper's, without turns: [`Transforms::bodies`].
    pub fn bodies() -> AugmentConfig {
        AugmentConfig { transforms: Transforms::bodies(), ..AugmentConfig::default() }
    }

    /// The same transforms with a probability that never changes.
    pub fn fixed(self, p: f64) -> AugmentConfig {
        AugmentConfig { strength: Strength::Fixed(p), ..self }
    }

    /// For the model card.
    pub fn summary(&self) -> String {
        let strength = match self.strength {
            Strength::Adaptive { target, kimg, .. } => {
                format!("adaptive, target {target}, probability from 0 to 1 in {kimg} kimg")
            }
            Strength::Fixed(p) => format!("with probability {p}"),
        };
        format!("{strength}: {}", self.transforms.names().join(", "))
    }

    /// Whether the numbers can be used.
    ///
    /// # Errors
    /// Names the first one that cannot.
    pub fn check(&self) -> Result<()> {
        let refuse = |what: &str, found: f64, expected: &str| {
            Err(Error::invalid(format!("augmentation: {what}"), found.to_string(), expected, ""))
        };
        match self.strength {
            Strength::Fixed(p) if !(0.0..=1.0).contains(&p) => return refuse("probability", p, "0 to 1"),
            Strength::Adaptive { target, .. } if !(-1.0..=1.0).contains(&target) => {
                return refuse("target", target, "-1 to 1");
            }
            Strength::Adaptive { kimg, .. } if !(kimg.is_finite() && kimg > 0.0) => {
                return refuse("kimg", kimg, "a number above 0");
            }
            Strength::Adaptive { interval: 0, .. } => return refuse("interval", 0.0, "1 step or more"),
            _ => {}
        }
        let bounded = |number: f64| (0.0..=1e3).contains(&number);
        for (what, number) in self.transforms.numbers() {
            if !bounded(number) || (what == "hue" && number > 1.0) {
                let expected = if what == "hue" { "0 to 1" } else { "0 to 1000" };
                return refuse(what, number, expected);
            }
        }
        Ok(())
    }
}

impl Transforms {
    /// No transform.
    pub const NONE: Transforms = Transforms {
        flip: false,
        quarter_turns: false,
        shift: 0.0,
        scale: 0.0,
        turn: false,
        stretch: 0.0,
        fraction: 0.0,
        brightness: 0.0,
        contrast: 0.0,
        luma_flip: false,
        hue: 0.0,
        saturation: 0.0,
    };

    /// Flips, quarter turns and whole shifts, of which no pixel is new.
    pub fn blit() -> Transforms {
        Transforms { flip: true, quarter_turns: true, shift: 0.125, ..Transforms::NONE }
    }

    /// Those of [`blit`](Transforms::blit) and general geometry.
    pub fn bg() -> Transforms {
        Transforms { scale: 0.2, turn: true, stretch: 0.2, fraction: 0.125, ..Transforms::blit() }
    }

    /// Those of [`bg`](Transforms::bg) and colours, the paper's choice for small data sets.
    pub fn bgc() -> Transforms {
        let hue = 1.0;
        Transforms { brightness: 0.2, contrast: 0.5, luma_flip: true, hue, saturation: 1.0, ..Transforms::bg() }
    }

    /// Those of [`bgc`](Transforms::bgc) without turns: characters stand upright, and a generator soon draws what the
    /// discriminator is shown too often.
    pub fn bodies() -> Transforms {
        Transforms { quarter_turns: false, turn: false, ..Transforms::bgc() }
    }

    fn numbers(&self) -> [(&'static str, f64); 8] {
        [
            ("shift", self.shift),
            ("scale", self.scale),
            ("stretch", self.stretch),
            ("fraction", self.fraction),
            ("brightness", self.brightness),
            ("contrast", self.contrast),
            ("hue", self.hue),
            ("saturation", self.saturation),
        ]
    }

    /// Names of the transforms that are not left out.
    fn names(&self) -> Vec<String> {
        let switches = [
            ("flip", self.flip),
            ("quarter turns", self.quarter_turns),
            ("turn", self.turn),
            ("luma flip", self.luma_flip),
        ];
        let switched = switches.into_iter().filter(|(_, on)| *on).map(|(name, _)| name.to_string());
        let numbers = self.numbers().into_iter().filter(|(_, number)| *number > 0.0);
        switched.chain(numbers.map(|(name, number)| format!("{name} {number}"))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_cannot_be_used_are_named() {
        for good in [AugmentConfig::default(), AugmentConfig::bodies(), AugmentConfig::default().fixed(1.0)] {
            good.check().unwrap();
            assert_eq!(toml::from_str::<AugmentConfig>(&toml::to_string(&good).unwrap()).unwrap(), good);
        }
        let of = |strength| AugmentConfig { strength, ..AugmentConfig::default() };
        let adaptive = |target, kimg, interval| of(Strength::Adaptive { target, kimg, interval });
        let with = |transforms| AugmentConfig { transforms, ..AugmentConfig::default() };
        for (bad, word) in [
            (of(Strength::Fixed(1.5)), "probability"),
            (adaptive(2.0, 500.0, 4), "target"),
            (adaptive(0.6, 0.0, 4), "kimg"),
            (adaptive(0.6, 500.0, 0), "interval"),
            (with(Transforms { shift: -1.0, ..Transforms::bgc() }), "shift"),
            (with(Transforms { hue: 2.0, ..Transforms::bgc() }), "hue"),
            (with(Transforms { contrast: f64::NAN, ..Transforms::bgc() }), "contrast"),
        ] {
            let message = bad.check().unwrap_err().to_string();
            assert!(message.contains(word), "{message}");
        }
    }

    #[test]
    fn the_card_says_what_is_done() {
        let text = AugmentConfig::bodies().summary();
        assert!(text.contains("target 0.6") && text.contains("scale 0.2") && text.contains("luma flip"), "{text}");
        assert!(!text.contains("turn"), "{text}");
    }
}
