//! The characters: one costume is one character with face, hair, clothes and proportions.

mod attire;
mod coiffure;

use serde::{Deserialize, Serialize};

pub use attire::{Collar, Legwear, Lower, Outfit, Pattern, Shoes, Sleeves, Upper};
pub use coiffure::{Back, Coiffure};

use super::rig::Build;
use crate::data::avatar::faces::{FaceSpec, label};
use crate::data::avatar::palette::{EYES, HAIR};
use crate::rng::{Seed, Stream};

/// Everything about a character that no pose changes. Equal values give equal pictures.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Costume {
    /// Place in its data set.
    pub number: usize,
    /// Face with its colours of hair, eyes and skin.
    pub face: FaceSpec,
    /// Proportions.
    pub build: Build,
    /// How the hair is worn.
    pub coiffure: Coiffure,
    /// Clothes.
    pub outfit: Outfit,
}

impl Costume {
    /// Costume `number` of those that belong to a seed. Colours of hair and eyes take turns in a seeded order, so that
    /// any 13 neighbours have all hair colours and any 10 all eye colours.
    pub fn sample(number: usize, seed: Seed) -> Costume {
        let mut order = seed.stream("body/colours");
        let (hair, eyes) = (order.permutation(HAIR.len()), order.permutation(EYES.len()));
        let own = seed.child(&format!("body/costume/{number}"));
        let mut labels = [false; label::COUNT];
        labels[label::HAIR.start + hair[number % hair.len()]] = true;
        labels[label::EYES.start + eyes[number % eyes.len()]] = true;
        let mut mood = own.stream("body/mood");
        labels[label::SMILE] = mood.chance(0.65);
        labels[label::OPEN_MOUTH] = mood.chance(0.30);
        labels[label::BLUSH] = mood.chance(0.45);
        let mut face = FaceSpec::draw(labels, own);
        // Faces this small need larger eyes and mouths.
        face.eyes.height *= 1.08;
        face.eyes.width *= 1.08;
        face.eyes.iris *= 0.92;
        face.eyes.flick *= 0.8;
        face.eyes.look = (0.0, 0.0);
        face.eyes.lash *= 1.1;
        face.mouth.width *= 1.12;
        face.head.point = 0.3 + 0.5 * face.head.point;
        face.line = 0.0105;
        face.light_left = true;
        let coiffure = Coiffure::sample(&mut own.stream("body/hair"));
        let outfit = Outfit::sample(number, seed, &mut own.stream("body/outfit"));
        Costume { number, face, build: build(&mut own.stream("body/build")), coiffure, outfit }
    }
}

fn build(stream: &mut Stream) -> Build {
    let mut about = |deviation: f64| stream.range(1.0 - deviation, 1.0 + deviation) as f32;
    Build {
        height: about(0.05) - 0.01,
        head: about(0.04),
        legs: about(0.05),
        shoulders: about(0.05),
        hips: about(0.05),
        limbs: about(0.07),
    }
}
