//! Faces as if each came from another illustrator: colours far from the middle of their names, other outlines, tones
//! and proportions. What a classifier has to see before it can read faces that nobody here has drawn.

use serde::{Deserialize, Serialize};

use super::{between, choose};
use crate::data::avatar::faces::FaceSpec;
use crate::data::avatar::palette::{Colour, Ramp};
use crate::rng::Stream;

/// How one illustrator colours and draws. Drawn for every label, also for those that are off.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hand {
    /// Where the hair's colour lies among the colours of its name: two of them, how far from the first to the second,
    /// and the deviations of hue, saturation and lightness from there, each in [−1, 1].
    pub hair: Tint,
    /// The same of the eyes.
    pub eyes: Tint,
    /// Strength of the shadows, of the shine and of the outlines in the hair; 1 is that of the usual drawings.
    pub tones: [f32; 3],
    /// Colour of the light that falls on everything in shadow.
    pub shadow: Colour,
    /// How much darker the upper part of the iris is than its lower part, 0 (the usual) to 1.
    pub depth: f32,
    /// Skin before its tones are made.
    pub skin: Colour,
    /// Opacity of blush relative to the usual.
    pub blush: f32,
    /// Thickness of the rims of glasses relative to the usual.
    pub rims: f32,
    /// Factors of outline, of eye height, width, iris and pupil, of lashes, of the distance between the eyes, of the
    /// head's width, of its chin and of the mouth's width.
    pub proportions: [f32; 10],
}

/// A place among the colours of one name.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tint {
    /// Numbers in [0, 1): which two of the name's colours, and how far from the first to the second.
    pub among: [f32; 3],
    /// Deviations of hue, saturation and lightness, each in [−1, 1].
    pub off: [f32; 3],
}

impl Tint {
    fn sample(s: &mut Stream) -> Tint {
        let mut number = |low| between(s, low, 1.0);
        Tint { among: [0.0; 3].map(&mut number), off: [-1.0; 3].map(&mut number) }
    }

    /// The colour at this place among `colours`.
    fn of(&self, colours: &[u32]) -> Colour {
        let at = |number: f32| {
            let i = (number * colours.len() as f32) as usize;
            Colour::hex(colours[i.min(colours.len() - 1)])
        };
        let [one, other, way] = self.among;
        let colour = at(one).mix(at(other), way);
        let [hue, saturation, lightness] = self.off;
        let grey = 0.299 * colour.r + 0.587 * colour.g + 0.114 * colour.b;
        // A hue moves when the channels are turned about grey; this little, a sum of differences will do.
        let turned = Colour {
            r: colour.r + 0.06 * hue * (colour.g - colour.b),
            g: colour.g + 0.06 * hue * (colour.b - colour.r),
            b: colour.b + 0.06 * hue * (colour.r - colour.g),
        };
        let grey = Colour { r: grey, g: grey, b: grey };
        let level = |v: f32| (v * (1.0 + 0.08 * lightness)).clamp(0.0, 1.0);
        let Colour { r, g, b } = grey.mix(turned, 1.0 + 0.15 * saturation);
        Colour { r: level(r), g: level(g), b: level(b) }
    }
}

impl Hand {
    pub(in crate::data::avatar::faces) fn sample(s: &mut Stream) -> Hand {
        const PROPORTIONS: [(f64, f64); 10] = [
            (0.25, 1.3),
            (0.72, 1.12),
            (0.82, 1.12),
            (0.85, 1.25),
            (0.6, 1.4),
            (0.7, 1.3),
            (0.92, 1.06),
            (0.94, 1.1),
            (0.9, 1.08),
            (0.5, 1.15),
        ];
        const SKINS: [u32; 6] = [0xff_f4_ee, 0xff_ec_e0, 0xfd_e4_dc, 0xf8_dc_c4, 0xf3_cf_b2, 0xd8_a0_7c];
        const SHADOWS: [u32; 7] = [0xff_ff_ff, 0xff_e4_e0, 0xf0_e0_ff, 0xe0_e8_ff, 0xff_f0_d0, 0xff_d0_c0, 0xff_cc_d0];
        let skin = Colour::hex(SKINS[s.weighted(&[0.25, 0.25, 0.2, 0.17, 0.1, 0.03])]);
        Hand {
            hair: Tint::sample(s),
            eyes: Tint::sample(s),
            tones: [between(s, 0.3, 1.7), between(s, 0.2, 1.5), between(s, 0.3, 1.1)],
            shadow: Colour::hex(choose(s, &SHADOWS)),
            depth: between(s, 0.0, 1.0),
            skin: skin.mix(Colour::hex(choose(s, &SKINS[..4])), between(s, 0.0, 0.7)),
            blush: between(s, 0.45, 1.1),
            rims: between(s, 0.3, 1.0),
            proportions: PROPORTIONS.map(|(low, high)| between(s, low, high)),
        }
    }

    /// The tones of hair whose label is the `name`-th of [`palette::HAIR`](crate::data::avatar::palette::HAIR).
    pub(in crate::data::avatar::faces) fn hair(&self, name: usize) -> Ramp {
        let base = self.hair.of(HAIR[name]);
        let Ramp { shade, light, line, .. } = Ramp::hair(base);
        let [shadows, shine, lines] = self.tones;
        Ramp {
            base,
            shade: clamped(base.mix(shade.times(self.shadow), shadows)),
            light: clamped(base.mix(light, shine)),
            line: clamped(base.mix(line, lines)),
        }
    }

    /// The colour of eyes whose label is the `name`-th of [`palette::EYES`](crate::data::avatar::palette::EYES).
    pub(in crate::data::avatar::faces) fn eyes(&self, name: usize) -> Colour {
        self.eyes.of(EYES[name])
    }
}

fn clamped(Colour { r, g, b }: Colour) -> Colour {
    let [r, g, b] = [r, g, b].map(|v| v.clamp(0.0, 1.0));
    Colour { r, g, b }
}

/// The face as its illustrator draws it; as it is when it has none.
pub(in crate::data::avatar::faces) fn by_its_hand(face: &FaceSpec) -> FaceSpec {
    let mut face = face.clone();
    let Some(hand) = &face.hand else { return face };
    let [line, height, width, iris, pupil, lash, apart, head, chin, mouth] = hand.proportions;
    face.line *= line;
    face.skin = Ramp::skin(hand.skin);
    face.head.width *= head;
    face.head.chin *= chin;
    face.mouth.width *= mouth;
    let eyes = &mut face.eyes;
    eyes.height *= height;
    eyes.width *= width;
    eyes.iris *= iris;
    eyes.pupil *= pupil;
    eyes.lash *= lash;
    eyes.apart *= apart;
    face
}

/// Colours that are called by each name of [`palette::HAIR`](crate::data::avatar::palette::HAIR): the usual one first,
/// then lighter, darker, duller and neighbouring ones, by our own eye.
const HAIR: [&[u32]; 13] = [
    &[0xf4d56a, 0xf8e8b4, 0xe8c480, 0xd8b060, 0xfbe498, 0xc8a458, 0xf0d8a8, 0xf0d098, 0xf4dcc0, 0xe8c8a0],
    &[0x8c5a36, 0x58382c, 0xa88060, 0x704844, 0xc09874, 0x80544c, 0x987058, 0x644030, 0xb89078],
    &[0x2d2c38, 0x1c1a20, 0x3a3840, 0x2c2430, 0x4c4850, 0x282c3c, 0x403438],
    &[0x3366d6, 0x5c7ccc, 0x2c3c78, 0x88a8ec, 0x4858a4, 0x3c4870, 0x708cc0, 0x304098, 0x404864],
    &[0xf795bb, 0xf8bccc, 0xf088a8, 0xf0a4a8, 0xe090b4, 0xe458a0],
    &[0x9948bf, 0xb8a0e0, 0x5c3c84, 0x6c486c, 0x8c7ccc, 0x4c305c, 0xa87cbc, 0x7c5098, 0x846888],
    &[0x4ba858, 0xa8d8a4, 0x2c6048, 0xd4e4b0, 0x708c5c, 0x88a87c, 0x24503c, 0x98c470, 0xc0c480],
    &[0xc9252f, 0xe04c5c, 0x98242c, 0xb84c4c, 0xd8345c, 0x7c282c, 0xd86460, 0xd0586c, 0xe07074],
    &[0xb2c4f0, 0xd8d8e4, 0xc8c8d4, 0xb0b4c8, 0xe0dcec, 0xc4c4c8, 0xa8a8b8, 0xd4ccc8, 0xd8c8c4],
    &[0xf6f1e8, 0xfcfafa, 0xf0e8f0, 0xf4e8e0, 0xfcf4f0, 0xf0f0f8, 0xf0e4d8, 0xf4e4e0],
    &[0xf2862a, 0xf8ac68, 0xe0743c, 0xc86c30, 0xf4a050, 0xfcb878, 0xe09868],
    &[0x4ed3cf, 0x94d8e0, 0x3c9ca8, 0xa8e8e8, 0x60b4c4, 0x348090, 0x78d0c8, 0x90b8c4, 0x4c7080],
    &[0x807f83, 0x9c9894, 0x6c6868, 0x5c5a5c, 0xa09a9a, 0x8c827e, 0x787070, 0x988c84],
];

/// The same of [`palette::EYES`](crate::data::avatar::palette::EYES).
const EYES: [&[u32]; 10] = [
    &[0x2f74e6, 0x2c50a0, 0x5ca4e8, 0x3c70c4, 0x80b8f0, 0x283c78],
    &[0xd82236, 0xa02038, 0xcc3450, 0xe04860, 0x881834, 0xc02828, 0xc83864],
    &[0x8f552c, 0x5c3824, 0x70483c, 0x986448, 0x4c2c24, 0x805044, 0x906050],
    &[0x34a54a, 0x308c64, 0x70b854, 0x24704c, 0x4cb888, 0x2c803c],
    &[0x9045cc, 0x6c4ca0, 0x5c3084, 0xa880d8, 0x7c4c8c, 0x8060c8],
    &[0xf2cc22, 0xd8b034, 0xf0dc74, 0xc8a83c, 0xb89824, 0xb0a834],
    &[0xf479b4, 0xe05498, 0xe870a8, 0xf0a0bc, 0xc8488c, 0xf088ac],
    &[0x3ccfd2, 0x44a8c0, 0x2c98a4, 0x74d8d8, 0x248494, 0x50c0b8],
    &[0x2e2e38, 0x1c1c24, 0x3c3840, 0x484858, 0x342838, 0x38383c],
    &[0xf28222, 0xd86424, 0xe08840, 0xd06828, 0xc4541c, 0xe8984c, 0xe05c28],
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::avatar::palette;

    #[test]
    fn every_name_has_colours_and_the_usual_one_is_among_them() {
        let usual = |names: &[palette::Named], colours: &[&[u32]]| {
            assert_eq!(names.len(), colours.len());
            for (named, colours) in names.iter().zip(colours) {
                assert_eq!(Colour::hex(colours[0]), named.colour, "{}", named.name);
            }
        };
        usual(&palette::HAIR, &HAIR);
        usual(&palette::EYES, &EYES);
    }
}
