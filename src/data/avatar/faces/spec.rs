//! What a face looks like: every drawing parameter, sampled from labels and a seed.

use super::label::{self, COUNT};
use super::style::{Background, Brows, Clothes, Eyes, Hair, Hand, HeadShape, Mouth, Pose, Wear};
use crate::data::avatar::palette::{self, Colour, Ramp};
use crate::data::tags::Labels;
use crate::error::{Error, Result};
use crate::rng::Seed;

/// Everything that decides how one face is drawn. Equal values give equal pictures.
///
/// Every part is drawn from its own random stream and for every label, also those that are off: faces of one seed
/// that differ in a label differ in what the label names and in nothing else. Lengths are in face units: 1 is the
/// width of the picture when `pose.scale` is 1, the origin is the middle between the eyes, y points down.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct FaceSpec {
    /// The 34 labels in make.girls.moe order, exactly one hair colour and one eye colour on.
    #[serde(with = "labels_as_list")]
    pub labels: [bool; COUNT],
    /// What the parameters were drawn from.
    pub seed: Seed,
    /// Where the head is and how it is held.
    pub pose: Pose,
    /// Outline of the face.
    pub head: HeadShape,
    /// Tones of the skin.
    pub skin: Ramp,
    /// Shape of the eyes.
    pub eyes: Eyes,
    /// Eyebrows.
    pub brows: Brows,
    /// Mouth and nose.
    pub mouth: Mouth,
    /// Cut of the hair.
    pub hair: Hair,
    /// What is worn below the chin.
    pub clothes: Clothes,
    /// Hat, ribbon and glasses.
    pub wear: Wear,
    /// What is behind.
    pub background: Background,
    /// Width of outlines, about 0.006.
    pub line: f32,
    /// True when the light comes from the left of the picture.
    pub light_left: bool,
    /// Year of release that the drawing style is of, 0 (old) to 1 (new); none for the style of no year.
    #[serde(default)]
    pub year: Option<f32>,
    /// The illustrator, whose colours and proportions differ from the usual ones; none for the usual drawing.
    #[serde(default)]
    pub hand: Option<Hand>,
}

impl FaceSpec {
    /// A face with these labels (of [`TagSet::make_girls`](crate::data::tags::TagSet::make_girls)), everything else
    /// drawn from the seed.
    ///
    /// # Errors
    /// When the labels are of another set, a value is neither 0 nor 1, or there is not exactly one hair colour
    /// (ids 0–12) and one eye colour (ids 24–33).
    pub fn sample(labels: &Labels, seed: Seed) -> Result<Self> {
        Ok(FaceSpec::draw(label::switches(labels)?, seed))
    }

    /// A face whose labels are known to be possible.
    pub(in crate::data::avatar) fn draw(labels: [bool; COUNT], seed: Seed) -> Self {
        let stream = |part: &str| seed.stream(part);
        let mut surface = stream("face/surface");
        let line = surface.range(0.0052, 0.0085) as f32;
        let light_left = surface.chance(0.5);
        let (pale, tan) = (Colour::hex(0xff_ec_e0), Colour::hex(0xf3_cf_b2));
        let rosy = Colour::hex(0xfd_e4_dc);
        let skin =
            pale.mix(tan, (surface.uniform() * surface.uniform()) as f32).mix(rosy, surface.uniform() as f32 * 0.4);
        FaceSpec {
            labels,
            seed,
            pose: Pose::sample(&mut stream("face/pose")),
            head: HeadShape::sample(&mut stream("face/head")),
            skin: Ramp::skin(skin),
            eyes: Eyes::sample(&mut stream("face/eyes")),
            brows: Brows::sample(&mut stream("face/brows")),
            mouth: Mouth::sample(&mut stream("face/mouth")),
            hair: Hair::sample(&mut stream("face/hair")),
            clothes: Clothes::sample(&mut stream("face/clothes")),
            wear: Wear::sample(&mut stream("face/wear")),
            background: Background::sample(&mut stream("face/background")),
            line,
            light_left,
            year: None,
            hand: None,
        }
    }

    /// The same face in the drawing style of a year, 0 (old) to 1 (new): outlines, eyes, chin and paper change with
    /// it, labels and the character's colours do not. For the continuous label of the make.girls.moe paper's Figure 15.
    ///
    /// # Errors
    /// When the year is not in [0, 1].
    pub fn of_year(self, year: f32) -> Result<Self> {
        match (0.0..=1.0).contains(&year) {
            true => Ok(FaceSpec { year: Some(year), ..self }),
            false => Err(Error::invalid("year of a drawn face", year.to_string(), "a number in [0, 1]", "")),
        }
    }

    /// The same face by another illustrator, drawn from the face's seed: colours far from the middle of their names,
    /// other tones, outlines and proportions. The labels stay true.
    pub fn by_hand(self) -> Self {
        let hand = Hand::sample(&mut self.seed.stream("face/hand"));
        FaceSpec { hand: Some(hand), ..self }
    }

    /// The values of the labels, and of the year where there is one: a row of the tag table.
    pub(super) fn values(&self) -> Vec<f32> {
        self.labels.iter().map(|&on| f32::from(u8::from(on))).chain(self.year).collect()
    }

    /// The same face with one label changed. Switching a hair or eye colour on switches the other colours off.
    ///
    /// # Errors
    /// When the number is not below 34, or when the only hair or eye colour would go.
    pub fn with_label(&self, label: usize, on: bool) -> Result<Self> {
        let mut face = self.clone();
        let group = label::group(label)?;
        if on {
            for other in group {
                face.labels[other] = false;
            }
        }
        face.labels[label] = on;
        label::check(&face.labels).map_err(|_| {
            Error::invalid(
                format!("label {label} ({})", label::name(label)),
                "off, with no other colour in its place",
                "one hair colour and one eye colour",
                "Switch another colour on instead.",
            )
        })?;
        Ok(face)
    }

    /// Whether the label is on; false for a number of 34 or more.
    pub fn has(&self, label: usize) -> bool {
        self.labels.get(label).copied().unwrap_or(false)
    }

    /// Position of the hair colour in [`palette::HAIR`].
    pub fn hair_index(&self) -> usize {
        label::HAIR.clone().position(|l| self.labels[l]).unwrap_or(0)
    }

    /// Position of the eye colour in [`palette::EYES`].
    pub fn eye_index(&self) -> usize {
        label::EYES.clone().position(|l| self.labels[l]).unwrap_or(0)
    }

    /// Tones of this face's hair: the named colour, slightly varied, or as its illustrator understands the name.
    pub fn hair_ramp(&self) -> Ramp {
        match &self.hand {
            Some(hand) => hand.hair(self.hair_index()),
            None => Ramp::hair(vary(palette::HAIR[self.hair_index()].colour, self.hair.tint)),
        }
    }

    /// This face's eye colour: the named colour, slightly varied, or as its illustrator understands the name.
    pub fn eye_colour(&self) -> Colour {
        match &self.hand {
            Some(hand) => hand.eyes(self.eye_index()),
            None => vary(palette::EYES[self.eye_index()].colour, self.eyes.tint),
        }
    }
}

/// A slightly warmer or cooler, darker or brighter version; both numbers in [−1, 1].
fn vary(colour: Colour, [warmth, brightness]: [f32; 2]) -> Colour {
    let gain = 1.0 + 0.05 * brightness;
    Colour {
        r: (colour.r * gain * (1.0 + 0.025 * warmth)).min(1.0),
        g: (colour.g * gain).min(1.0),
        b: (colour.b * gain * (1.0 - 0.035 * warmth)).min(1.0),
    }
}

/// serde derives arrays up to 32 only.
mod labels_as_list {
    use super::COUNT;
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

    pub fn serialize<S: Serializer>(labels: &[bool; COUNT], serializer: S) -> Result<S::Ok, S::Error> {
        labels.as_slice().serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<[bool; COUNT], D::Error> {
        let list = Vec::<bool>::deserialize(deserializer)?;
        list.try_into().map_err(|list: Vec<bool>| D::Error::invalid_length(list.len(), &"34 labels"))
    }
}
