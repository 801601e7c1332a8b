//! The ten configurations of table 1, the published code's, and a tiny one.

use super::config::{
    Anime2Clothing, Anime2ClothingConfig, Compared, DomainJudge, GeneratorScore, Norm, RealJudge, Shape, Translator,
};
use super::schedule::{Phase, Schedule};
use crate::data::changes::Changes;
use crate::{Error, Result};

impl Anime2Clothing {
    /// The paper's final configuration (j): 256 px, 32,608 pairs, 101 epochs.
    pub fn paper() -> Anime2ClothingConfig {
        Anime2ClothingConfig::default()
    }

    /// (j) as the published code trains it, with what differs from the paper: what the real/fake discriminator tells the
    /// generator, a fade that never ends, and discriminators that start from uniform numbers.
    pub fn code() -> Anime2ClothingConfig {
        let paper = Anime2Clothing::paper();
        Anime2ClothingConfig {
            norm: Norm::Spectral { published_start: true },
            generator_score: GeneratorScore::Published,
            schedule: Schedule { published_fade: true, ..paper.schedule.clone() },
            ..paper
        }
    }

    /// A configuration of table 1 by its letter, "a" to "j". Each adds one thing to the one before:
    ///
    /// a: pix2pix with an L1 weight of 10; b: growing networks with equalised learning rates; c: calibrated data (and instance
    /// norm again); d: a real/fake discriminator; e: unassociated pairs; f: spectral norm; g: three scales of the domain
    /// discriminator; h: patches of three sizes for the real/fake discriminator; i: feature matching of both; j: input
    /// consistency in place of the real/fake discriminator's feature matching.
    ///
    /// (a) and (b) are the paper's on data that is not calibrated, which is the data set's business.
    ///
    /// # Errors
    /// When there is no such letter.
    pub fn table1(letter: &str) -> Result<Anime2ClothingConfig> {
        let letters = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"];
        let Some(row) = letters.iter().position(|known| *known == letter) else {
            let expected = "a letter from a to j";
            return Err(Error::invalid("configuration of table 1", format!("\"{letter}\""), expected, ""));
        };
        let from = |first: usize| row >= first;
        let mut config = Anime2Clothing::paper();
        config.compared = match row {
            9 => Compared::Input,
            8 => Compared::Target,
            _ => Compared::Nothing,
        };
        config.matching = from(8);
        config.real = match row {
            0..3 => RealJudge::None,
            3..7 => RealJudge::Single,
            _ => RealJudge::Patches,
        };
        config.domain = match row {
            0 => DomainJudge::Patch,
            1..6 => DomainJudge::Single,
            _ => DomainJudge::Scales,
        };
        config.norm = match row {
            1 => Norm::Equalized,
            0 | 2..5 => Norm::Instance,
            _ => config.norm,
        };
        if !from(4) {
            config.changes = Changes { other: None, ..config.changes };
        }
        if row == 0 {
            config.translator = Translator::Pix2pix;
            config.schedule = Schedule::constant(256, 101, 4);
        }
        Ok(config)
    }

    /// Networks for 64 px that learn on two CPU cores in minutes: configuration (j) with half the channels of the generator
    /// and a quarter of those of the discriminators, from 16 px on.
    pub fn tiny() -> Anime2ClothingConfig {
        Anime2Clothing::paper().tiny()
    }
}

impl Anime2ClothingConfig {
    /// The same configuration at 64 px with few channels and a short schedule, for two CPU cores and minutes. Colours and
    /// outlines come first: the L1 weight is three times the paper's and the rate twice. The features of narrow
    /// discriminators are larger numbers, so that they count a fifth.
    pub fn tiny(self) -> Anime2ClothingConfig {
        let phase = |resolution, until, batch| Phase { resolution, until, batch };
        let phases = match self.translator {
            Translator::Pix2pix => vec![phase(64, 20, 8)],
            Translator::Growing => vec![phase(16, 1, 16), phase(32, 3, 16), phase(64, 20, 8)],
        };
        Anime2ClothingConfig {
            shape: Shape { resolution: 64, width: 0.5, judge_width: 0.25 },
            l1: 3.0 * self.l1,
            weights: self.weights.iter().map(|weight| weight / 5.0).collect(),
            rate: 2.0 * self.rate,
            schedule: Schedule { pictures: 2_000, phases, batch_rate: 1, decay_from: 14, published_fade: false },
            ..self
        }
    }
}
