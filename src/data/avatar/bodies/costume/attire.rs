//! What characters wear, and the distributions it is drawn from.

use serde::{Deserialize, Serialize};

use crate::data::avatar::palette::Colour;
use crate::rng::{Seed, Stream};

/// What is worn above the waist.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Upper {
    /// School uniform with a broad collar and a kerchief.
    Sailor,
    /// Jacket with lapels over a shirt.
    Blazer,
    /// Knitted, with ribs at hem and cuffs.
    Sweater,
    /// With a hood and a pocket.
    Hoodie,
    /// With a collar and a row of buttons.
    Blouse,
    /// In one piece with the skirt, with a white collar.
    Dress,
    /// Long and open in front, over a blouse.
    Coat,
}

/// What is worn below the waist.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Lower {
    /// A skirt in pleats.
    Pleated,
    /// A wide skirt.
    Flared,
    /// Short trousers.
    Shorts,
    /// Long trousers.
    Trousers,
}

/// How sleeves are cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Sleeves {
    /// None.
    Bare,
    /// To the middle of the upper arm.
    Short,
    /// Short and puffed.
    Puffed,
    /// To the wrist.
    Long,
    /// To the wrist, growing wider.
    Wide,
}

/// Stockings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Legwear {
    /// None.
    Bare,
    /// To above the ankle.
    Socks,
    /// To below the knee.
    Knee,
    /// Over the knee.
    Thigh,
    /// All the way up.
    Tights,
}

/// Shoes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Shoes {
    /// Low, closed.
    Loafers,
    /// With a white sole.
    Sneakers,
    /// To the middle of the lower leg.
    Boots,
    /// Low, with a strap over the instep.
    Straps,
}

/// What is worn at the neck.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Collar {
    /// Nothing.
    Plain,
    /// A bow.
    Bow,
    /// A tie.
    Tie,
}

/// What is woven into the cloth of skirts and sweaters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Pattern {
    /// Nothing.
    Plain,
    /// One stripe along the hem.
    Hem,
    /// Two narrow stripes along the hem.
    Stripes,
    /// Lines both ways.
    Plaid,
}

/// All clothes of a character with their colours.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outfit {
    /// Above the waist.
    pub upper: Upper,
    /// Below the waist.
    pub lower: Lower,
    /// Sleeves.
    pub sleeves: Sleeves,
    /// Stockings.
    pub legwear: Legwear,
    /// Shoes.
    pub shoes: Shoes,
    /// At the neck.
    pub collar: Collar,
    /// In skirt or sweater.
    pub pattern: Pattern,
    /// Length of the skirt, relative to the mean.
    pub length: f32,
    /// Of the upper part.
    pub main: Colour,
    /// Of the lower part.
    pub second: Colour,
    /// Of collar, cuffs and stripes.
    pub trim: Colour,
    /// Of bows, ties and ribbons.
    pub accent: Colour,
    /// Of the stockings.
    pub stockings: Colour,
    /// Of the shoes.
    pub leather: Colour,
}

/// Sets of colours that go together: main, second, trim, accent.
const SCHEMES: [[u32; 4]; 14] = [
    [0xf6f4f2, 0x2d3a66, 0x2d3a66, 0xd2323e],
    [0x2f3c6c, 0x2f3c6c, 0xf4f2f0, 0xc93440],
    [0x3a3742, 0x8c2f3c, 0xf2efec, 0x8c2f3c],
    [0xe8d8b8, 0x6d4a3a, 0xfaf4e8, 0x9c3a34],
    [0xf4b8c6, 0xfaf5f3, 0xfdfbfa, 0xd64f78],
    [0x8fb6e2, 0xf7f6f5, 0xfcfcfc, 0x2f57a4],
    [0x5d7d50, 0x4a3b34, 0xf1ead8, 0xb9863c],
    [0xb8a4de, 0x57457c, 0xf7f3fa, 0x7a4fb0],
    [0xf1c556, 0x3f4a6e, 0xfbf7ec, 0x3f4a6e],
    [0x37787e, 0xf0e6d2, 0xf6f2e8, 0xe0803c],
    [0xf7f5f3, 0x3b3640, 0x3b3640, 0x3a6cc0],
    [0xc4404c, 0x2e2b34, 0xf6f1ee, 0x2e2b34],
    [0x9fd6c4, 0x4b6a74, 0xfafaf6, 0xe58a9c],
    [0x6d6f7e, 0x2f3038, 0xe9e8ee, 0x8e2c3e],
];

const STOCKINGS: [u32; 4] = [0xf7f6f6, 0x2a2832, 0x38406a, 0x6a4a44];
const LEATHER: [u32; 5] = [0x6a3f2c, 0x2b2830, 0xb4443c, 0x39487e, 0xe9e2da];

impl Outfit {
    /// Colours and cuts take turns over the costumes of a seed, so that neighbours differ.
    pub(super) fn sample(number: usize, seed: Seed, s: &mut Stream) -> Outfit {
        let mut order = seed.stream("body/outfits");
        let schemes = order.permutation(SCHEMES.len());
        let uppers = order.permutation(7);
        const UPPERS: [Upper; 7] =
            [Upper::Sailor, Upper::Blazer, Upper::Sweater, Upper::Hoodie, Upper::Blouse, Upper::Dress, Upper::Coat];
        let upper = UPPERS[uppers[number % uppers.len()]];
        // Another step than that of the cuts: 14 schemes and 7 cuts would meet again at once.
        let scheme = schemes[(number + number / 7 * 3) % schemes.len()];
        let [main, second, trim, accent] = SCHEMES[scheme].map(Colour::hex);
        let lower = match upper {
            Upper::Dress => Lower::Flared,
            Upper::Sailor => Lower::Pleated,
            Upper::Coat => [Lower::Trousers, Lower::Flared][s.below(2)],
            _ => [Lower::Pleated, Lower::Flared, Lower::Shorts, Lower::Trousers][s.weighted(&[0.32, 0.2, 0.2, 0.28])],
        };
        let sleeves = match upper {
            Upper::Blazer | Upper::Hoodie | Upper::Sweater => Sleeves::Long,
            Upper::Coat => [Sleeves::Long, Sleeves::Wide][s.below(2)],
            Upper::Dress => [Sleeves::Bare, Sleeves::Puffed, Sleeves::Long, Sleeves::Wide][s.below(4)],
            Upper::Sailor => [Sleeves::Short, Sleeves::Long][s.below(2)],
            Upper::Blouse => [Sleeves::Short, Sleeves::Puffed, Sleeves::Long][s.below(3)],
        };
        let legwear = match lower {
            Lower::Trousers => Legwear::Bare,
            _ => [Legwear::Bare, Legwear::Socks, Legwear::Knee, Legwear::Thigh, Legwear::Tights]
                [s.weighted(&[0.08, 0.2, 0.28, 0.28, 0.16])],
        };
        let shoes = [Shoes::Loafers, Shoes::Sneakers, Shoes::Boots, Shoes::Straps][s.below(4)];
        let collar = match upper {
            Upper::Sailor => Collar::Bow,
            Upper::Blazer | Upper::Blouse | Upper::Coat => [Collar::Bow, Collar::Tie, Collar::Plain][s.below(3)],
            Upper::Dress => [Collar::Bow, Collar::Plain][s.below(2)],
            Upper::Sweater | Upper::Hoodie => Collar::Plain,
        };
        Outfit {
            upper,
            lower,
            sleeves,
            legwear,
            shoes: if lower == Lower::Trousers && shoes == Shoes::Straps { Shoes::Sneakers } else { shoes },
            collar,
            pattern: [Pattern::Plain, Pattern::Hem, Pattern::Stripes, Pattern::Plaid][s.below(4)],
            length: s.range(0.88, 1.2) as f32,
            main,
            second: if upper == Upper::Dress { main } else { second },
            trim,
            accent,
            stockings: Colour::hex(STOCKINGS[s.weighted(&[0.36, 0.36, 0.14, 0.14])]),
            leather: Colour::hex(LEATHER[s.weighted(&[0.34, 0.3, 0.12, 0.12, 0.12])]),
        }
    }
}
