//! The named colours of the avatars: 13 hair and 10 eye colours, in the order of the make.girls.moe labels
//! (paper Table 1), and the measure by which a picture's colour is given one of these names.

/// A colour in sRGB, each channel in [0, 1].
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Colour {
    /// Red.
    pub r: f32,
    /// Green.
    pub g: f32,
    /// Blue.
    pub b: f32,
}

/// Pure white.
pub const WHITE: Colour = Colour::hex(0xff_ff_ff);

impl Colour {
    /// A colour written as on the web: `Colour::hex(0xRR_GG_BB)`.
    pub const fn hex(rgb: u32) -> Self {
        Colour {
            r: ((rgb >> 16) & 0xff) as f32 / 255.0,
            g: ((rgb >> 8) & 0xff) as f32 / 255.0,
            b: (rgb & 0xff) as f32 / 255.0,
        }
    }

    /// From 8-bit channels.
    pub fn from_u8(rgb: [u8; 3]) -> Self {
        Colour { r: f32::from(rgb[0]) / 255.0, g: f32::from(rgb[1]) / 255.0, b: f32::from(rgb[2]) / 255.0 }
    }

    /// The nearest 8-bit channels.
    pub fn to_u8(self) -> [u8; 3] {
        [self.r, self.g, self.b].map(|v| (v.clamp(0.0, 1.0) * 255.0).round() as u8)
    }

    /// The colour `t` of the way to `other`; `t` in [0, 1].
    pub fn mix(self, other: Colour, t: f32) -> Self {
        Colour {
            r: self.r + (other.r - self.r) * t,
            g: self.g + (other.g - self.g) * t,
            b: self.b + (other.b - self.b) * t,
        }
    }

    /// Every channel multiplied by that of `other`, as light through a filter.
    pub fn times(self, other: Colour) -> Self {
        Colour { r: self.r * other.r, g: self.g * other.g, b: self.b * other.b }
    }

    /// CIE L*a*b* under D65: L in [0, 100] (CIE 15:2004, sRGB by IEC 61966-2-1).
    pub fn lab(self) -> [f32; 3] {
        let linear = |v: f32| if v <= 0.04045 { v / 12.92 } else { ((v + 0.055) / 1.055).powf(2.4) };
        let (r, g, b) = (linear(self.r), linear(self.g), linear(self.b));
        let xyz = [
            (0.412_456_4 * r + 0.357_576_1 * g + 0.180_437_5 * b) / 0.950_47,
            0.212_672_9 * r + 0.715_152_2 * g + 0.072_175 * b,
            (0.019_333_9 * r + 0.119_192 * g + 0.950_304_1 * b) / 1.088_83,
        ];
        let [x, y, z] = xyz.map(|t| if t > 216.0 / 24_389.0 { t.cbrt() } else { (24_389.0 / 27.0 * t + 16.0) / 116.0 });
        [116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)]
    }

    /// The CIE 1976 colour difference ΔE*ab: about 2.3 is just noticeable, above 20 are two different colours.
    pub fn difference(self, other: Colour) -> f32 {
        let (a, b) = (self.lab(), other.lab());
        a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum::<f32>().sqrt()
    }
}

/// A colour with the word that the labels use for it ("silver" of `silver hair`).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Named {
    /// The word.
    pub name: &'static str,
    /// The colour that stands for it.
    pub colour: Colour,
}

const fn named(name: &'static str, rgb: u32) -> Named {
    Named { name, colour: Colour::hex(rgb) }
}

/// The 13 hair colours, in label order (ids 0–12 of the make.girls.moe labels).
pub const HAIR: [Named; 13] = [
    named("blonde", 0xf4_d5_6a),
    named("brown", 0x8c_5a_36),
    named("black", 0x2d_2c_38),
    named("blue", 0x33_66_d6),
    named("pink", 0xf7_95_bb),
    named("purple", 0x99_48_bf),
    named("green", 0x4b_a8_58),
    named("red", 0xc9_25_2f),
    named("silver", 0xb2_c4_f0),
    named("white", 0xf6_f1_e8),
    named("orange", 0xf2_86_2a),
    named("aqua", 0x4e_d3_cf),
    named("grey", 0x80_7f_83),
];

/// The 10 eye colours, in label order (ids 24–33 of the make.girls.moe labels).
pub const EYES: [Named; 10] = [
    named("blue", 0x2f_74_e6),
    named("red", 0xd8_22_36),
    named("brown", 0x8f_55_2c),
    named("green", 0x34_a5_4a),
    named("purple", 0x90_45_cc),
    named("yellow", 0xf2_cc_22),
    named("pink", 0xf4_79_b4),
    named("aqua", 0x3c_cf_d2),
    named("black", 0x2e_2e_38),
    named("orange", 0xf2_82_22),
];

/// Position in [`HAIR`] of the colour nearest to `colour` by ΔE*ab.
pub fn nearest_hair(colour: Colour) -> usize {
    nearest(&HAIR, colour)
}

/// Position in [`EYES`] of the colour nearest to `colour` by ΔE*ab.
pub fn nearest_eyes(colour: Colour) -> usize {
    nearest(&EYES, colour)
}

fn nearest(colours: &[Named], colour: Colour) -> usize {
    let mut best = (0, f32::INFINITY);
    for (i, named) in colours.iter().enumerate() {
        let difference = named.colour.difference(colour);
        if difference < best.1 {
            best = (i, difference);
        }
    }
    best.0
}

/// The tones one material is drawn in: a flat base, cel shadow, highlight and outline.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Ramp {
    /// The colour that has the name.
    pub base: Colour,
    /// Where the light does not reach.
    pub shade: Colour,
    /// The shine.
    pub light: Colour,
    /// Outlines and strands.
    pub line: Colour,
}

impl Ramp {
    /// Tones of hair: shadows lean to violet, as cel painters mix them, and very dark or light hair keeps visible tones.
    pub fn hair(base: Colour) -> Self {
        let lightness = base.lab()[0];
        let cool = Colour::hex(0xcc_be_d2);
        let dark = ((35.0 - lightness) / 20.0).clamp(0.0, 1.0);
        let pale = ((lightness - 75.0) / 20.0).clamp(0.0, 1.0);
        let shade = base.times(cool.mix(Colour::hex(0xdc_d9_e4), pale)).mix(base.times(Colour::hex(0x8c_88_a0)), dark);
        let light = base.mix(WHITE, 0.42).mix(Colour::hex(0x74_78_96), dark * 0.85);
        let line =
            base.times(Colour::hex(0x7c_5c_74).mix(Colour::hex(0x86_80_92), pale)).times(Colour::hex(0xcc_cc_cc));
        Ramp { base, shade, light: light.mix(WHITE, pale * 0.5), line: line.mix(Colour::hex(0x10_0f_18), dark * 0.8) }
    }

    /// Tones of skin: warm shadows and brown-red lines.
    pub fn skin(base: Colour) -> Self {
        Ramp {
            base,
            shade: base.times(Colour::hex(0xf0_c8_c4)),
            light: base.mix(WHITE, 0.5),
            line: base.times(Colour::hex(0xa0_64_58)),
        }
    }

    /// Tones of cloth.
    pub fn cloth(base: Colour) -> Self {
        let lightness = base.lab()[0];
        let dark = ((40.0 - lightness) / 25.0).clamp(0.0, 1.0);
        Ramp {
            base,
            shade: base.times(Colour::hex(0xcc_c0_d4)),
            light: base.mix(WHITE, 0.25),
            line: base.times(Colour::hex(0x80_70_88)).mix(Colour::hex(0x16_14_20), dark * 0.7),
        }
    }
}
