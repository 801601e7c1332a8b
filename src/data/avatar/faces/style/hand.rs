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
        const SHADOWS: [u32; 5] = [0xff_ff_ff, 0xff_e4_e0, 0xf0_e0_ff, 0xe0_e8_ff, 0xff_f0_d0];
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
    &[0xf4_d5_6a, 0xf8_e8_b4, 0xe8_c4_80, 0xd8_b0_60, 0xfb_e4_98, 0xc8_a4_58, 0xf0_d8_a8, 0xf0_d0_98],
    &[0x8c_5a_36, 0x58_38_2c, 0xa8_80_60, 0x70_48_44, 0xc0_98_74, 0x80_54_4c, 0x98_70_58, 0x64_40_30, 0xb8_90_78],
    &[0x2d_2c_38, 0x1c_1a_20, 0x3a_38_40, 0x2c_24_30, 0x4c_48_50, 0x28_2c_3c, 0x40_34_38],
    &[0x33_66_d6, 0x5c_7c_cc, 0x2c_3c_78, 0x88_a8_ec, 0x48_58_a4, 0x3c_48_70, 0x70_8c_c0, 0x30_40_98, 0x40_48_64],
    &[0xf7_95_bb, 0xf8_bc_cc, 0xe8_80_94, 0xf0_a4_a4, 0xdc_90_b0, 0xe4_58_a0, 0xf8_b4_b0],
    &[0x99_48_bf, 0xb8_a0_e0, 0x5c_3c_84, 0x6c_48_6c, 0x8c_7c_cc, 0x4c_30_5c, 0xa8_7c_bc, 0x7c_50_98, 0x84_68_88],
    &[0x4b_a8_58, 0xa8_d8_a4, 0x2c_60_48, 0xd4_e4_b0, 0x70_8c_5c, 0x88_a8_7c, 0x24_50_3c, 0x98_c4_70, 0xc0_c4_80],
    &[0xc9_25_2f, 0xe0_4c_5c, 0x98_24_2c, 0xb8_4c_4c, 0xd8_34_5c, 0x7c_28_2c, 0xd8_64_60, 0xc8_58_68],
    &[0xb2_c4_f0, 0xd8_d8_e4, 0xc8_c8_d4, 0xb0_b4_c8, 0xe0_dc_ec, 0xc4_c4_c8, 0xa8_a8_b8, 0xd4_cc_c8],
    &[0xf6_f1_e8, 0xfc_fa_fa, 0xf0_e8_f0, 0xf4_e8_e0, 0xfc_f4_f0, 0xf0_f0_f8, 0xf0_e4_d8],
    &[0xf2_86_2a, 0xf8_ac_68, 0xe0_74_3c, 0xc8_6c_30, 0xf4_a0_50, 0xfc_b8_78, 0xe0_98_68],
    &[0x4e_d3_cf, 0x94_d8_e0, 0x3c_9c_a8, 0xa8_e8_e8, 0x60_b4_c4, 0x34_80_90, 0x78_d0_c8, 0x90_b8_c4, 0x4c_70_80],
    &[0x80_7f_83, 0x9c_98_94, 0x6c_68_68, 0x5c_5a_5c, 0xa0_9a_9a, 0x8c_82_7e, 0x78_70_70, 0x98_8c_84],
];

/// The same of [`palette::EYES`](crate::data::avatar::palette::EYES).
const EYES: [&[u32]; 10] = [
    &[0x2f_74_e6, 0x2c_50_a0, 0x5c_a4_e8, 0x3c_70_c4, 0x80_b8_f0, 0x28_3c_78],
    &[0xd8_22_36, 0xa0_20_38, 0xcc_34_50, 0xe0_48_54, 0x88_18_2c, 0xc0_28_28],
    &[0x8f_55_2c, 0x5c_38_24, 0x70_48_3c, 0xa8_74_40, 0x4c_2c_24, 0x80_50_40],
    &[0x34_a5_4a, 0x30_8c_64, 0x70_b8_54, 0x24_70_4c, 0x4c_b8_88, 0x2c_80_3c],
    &[0x90_45_cc, 0x6c_4c_a0, 0x5c_30_84, 0xa8_80_d8, 0x7c_4c_8c, 0x80_60_c8],
    &[0xf2_cc_22, 0xd8_b0_34, 0xf0_dc_74, 0xc8_a8_3c, 0xb8_98_24, 0xb0_a8_34],
    &[0xf4_79_b4, 0xe0_54_90, 0xcc_40_7c, 0xf0_a0_bc, 0xb4_44_74, 0xe8_6c_98],
    &[0x3c_cf_d2, 0x44_a8_c0, 0x2c_98_a4, 0x74_d8_d8, 0x24_84_94, 0x50_c0_b8],
    &[0x2e_2e_38, 0x1c_1c_24, 0x3c_38_40, 0x48_48_58, 0x34_28_38, 0x38_38_3c],
    &[0xf2_82_22, 0xd8_64_24, 0xe0_90_44, 0xc0_68_2c, 0xb4_50_1c, 0xe8_a0_50],
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
