//! What a face wears, and the distributions it is drawn from.

use serde::{Deserialize, Serialize};

use super::{between, choose, sign};
use crate::data::avatar::palette::Colour;
use crate::rng::Stream;

/// Kinds of clothes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outfit {
    /// School uniform with a broad collar.
    Sailor,
    /// Shirt with a tie under a jacket.
    Blazer,
    /// A plain round neck.
    Plain,
    /// A shirt with a collar.
    Shirt,
    /// A wrapped robe.
    Kimono,
    /// A collar up to the chin.
    Turtleneck,
    /// A dress with straps, shoulders free.
    Dress,
}

/// What is worn below the chin.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Clothes {
    /// Cut.
    pub outfit: Outfit,
    /// Main colour.
    pub main: Colour,
    /// Colour of collar, tie or belt.
    pub trim: Colour,
    /// Half the width of the shoulders.
    pub shoulders: f32,
}

const CLOTH: [Colour; 12] = [
    Colour::hex(0xf7_f5_f2),
    Colour::hex(0x2d_3a_66),
    Colour::hex(0xb4_30_3c),
    Colour::hex(0x36_77_7c),
    Colour::hex(0xe9_d9_bd),
    Colour::hex(0x37_33_3d),
    Colour::hex(0xb9_a5_dc),
    Colour::hex(0x8f_b4_e0),
    Colour::hex(0xf3_b7_c2),
    Colour::hex(0x5b_7b_4c),
    Colour::hex(0x7c_55_42),
    Colour::hex(0xf0_c6_52),
];

impl Clothes {
    pub(in crate::data::avatar::faces) fn sample(s: &mut Stream) -> Self {
        let outfits = [
            Outfit::Sailor,
            Outfit::Blazer,
            Outfit::Plain,
            Outfit::Shirt,
            Outfit::Kimono,
            Outfit::Turtleneck,
            Outfit::Dress,
        ];
        let main = s.below(CLOTH.len());
        let trim = (main + 1 + s.below(CLOTH.len() - 1)) % CLOTH.len();
        Clothes {
            outfit: outfits[s.weighted(&[0.22, 0.2, 0.14, 0.16, 0.08, 0.1, 0.1])],
            main: CLOTH[main],
            trim: CLOTH[trim],
            shoulders: between(s, 0.33, 0.42),
        }
    }
}

/// Kinds of hats.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Hat {
    /// A soft round cap worn to one side.
    Beret,
    /// A straw hat with a wide brim and a band.
    Straw,
    /// A cap with a peak.
    Cap,
    /// A knitted cap with a bobble.
    Knit,
    /// A tall pointed hat with a brim.
    Witch,
}

/// Shapes of glasses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Frame {
    /// Circles.
    Round,
    /// Rounded rectangles.
    Square,
    /// Only the lower rims.
    Under,
}

/// Hat, ribbon and glasses, drawn where the labels ask for them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Wear {
    /// Kind of hat.
    pub hat: Hat,
    /// Wished colours of the hat, the first that differs enough from the hair is taken.
    pub hat_colours: [Colour; 3],
    /// Wished colours of the ribbon, the first that differs enough from hair and hat is taken.
    pub ribbon_colours: [Colour; 4],
    /// Size of the ribbon relative to the mean.
    pub ribbon_size: f32,
    /// Side of a single ribbon: −1 or 1.
    pub ribbon_side: f32,
    /// Shape of the glasses.
    pub frame: Frame,
    /// Colour of the glasses.
    pub frame_colour: Colour,
}

const BRIGHT: [Colour; 8] = [
    Colour::hex(0xd8_28_3c),
    Colour::hex(0x2c_4c_b0),
    Colour::hex(0xf7_f4_f2),
    Colour::hex(0x2b_28_34),
    Colour::hex(0xf2_74_a4),
    Colour::hex(0x2f_9c_6a),
    Colour::hex(0x88_50_c0),
    Colour::hex(0xf6_c0_30),
];

impl Wear {
    pub(in crate::data::avatar::faces) fn sample(s: &mut Stream) -> Self {
        let bright = |order: Vec<usize>, i: usize| BRIGHT[order[i % order.len()]];
        let hats = s.permutation(BRIGHT.len());
        let ribbons = s.permutation(BRIGHT.len());
        let frames =
            [Colour::hex(0x26_22_30), Colour::hex(0xb4_20_30), Colour::hex(0x22_30_78), Colour::hex(0x5a_34_22)];
        Wear {
            hat: choose(s, &[Hat::Beret, Hat::Straw, Hat::Cap, Hat::Knit, Hat::Witch]),
            hat_colours: std::array::from_fn(|i| bright(hats.clone(), i)),
            ribbon_colours: std::array::from_fn(|i| bright(ribbons.clone(), i)),
            ribbon_size: between(s, 0.9, 1.2),
            ribbon_side: sign(s),
            frame: choose(s, &[Frame::Round, Frame::Square, Frame::Under]),
            frame_colour: choose(s, &frames),
        }
    }
}
