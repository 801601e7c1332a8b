//! The clothes of the pairs: every cut that bodies wear, in far more colours.

use crate::data::avatar::bodies::Costume;
use crate::data::avatar::bodies::costume::{Collar, Legwear, Lower, Outfit, Pattern, Sleeves, Upper};
use crate::data::avatar::palette::{Colour, WHITE};
use crate::rng::{Seed, Stream};

/// Costume `number` of a seed, with the character that wears it.
pub(in crate::data::avatar) fn costume(number: usize, seed: Seed) -> Costume {
    let seed = seed.child("costumes");
    let character = Costume::sample(number, seed);
    let outfit = outfit(&character.outfit, &mut seed.stream(&format!("costume/{number}")));
    Costume { outfit, ..character }
}

/// Another outfit. Stockings, shoes and their colours are kept.
fn outfit(kept: &Outfit, s: &mut Stream) -> Outfit {
    const UPPERS: [Upper; 7] =
        [Upper::Sailor, Upper::Blazer, Upper::Sweater, Upper::Hoodie, Upper::Blouse, Upper::Dress, Upper::Coat];
    let upper = UPPERS[s.weighted(&[0.16, 0.17, 0.11, 0.11, 0.17, 0.16, 0.12])];
    let lower = match upper {
        Upper::Dress => Lower::Flared,
        Upper::Sailor => [Lower::Pleated, Lower::Flared][s.weighted(&[0.75, 0.25])],
        Upper::Coat => [Lower::Trousers, Lower::Flared][s.below(2)],
        _ => [Lower::Pleated, Lower::Flared, Lower::Shorts, Lower::Trousers][s.weighted(&[0.3, 0.25, 0.2, 0.25])],
    };
    let sleeves = match upper {
        Upper::Blazer | Upper::Hoodie | Upper::Sweater => Sleeves::Long,
        Upper::Coat => [Sleeves::Long, Sleeves::Wide][s.below(2)],
        Upper::Dress => [Sleeves::Bare, Sleeves::Short, Sleeves::Puffed, Sleeves::Long, Sleeves::Wide][s.below(5)],
        Upper::Sailor => [Sleeves::Short, Sleeves::Long][s.below(2)],
        Upper::Blouse => [Sleeves::Short, Sleeves::Puffed, Sleeves::Long, Sleeves::Wide][s.below(4)],
    };
    let collar = match upper {
        Upper::Sailor => [Collar::Bow, Collar::Plain][s.weighted(&[0.85, 0.15])],
        Upper::Blazer | Upper::Blouse | Upper::Coat => [Collar::Bow, Collar::Tie, Collar::Plain][s.below(3)],
        Upper::Dress => [Collar::Bow, Collar::Plain][s.below(2)],
        Upper::Sweater | Upper::Hoodie => Collar::Plain,
    };
    let pattern = [Pattern::Plain, Pattern::Hem, Pattern::Stripes, Pattern::Plaid][s.below(4)];
    let main = cloth(s);
    let second = match upper {
        Upper::Dress => main,
        _ if s.chance(0.2) => main,
        _ => apart(s, &[main], 22.0, cloth),
    };
    let trim = apart(s, &[main, second], 25.0, edging);
    let accent = apart(s, &[main, trim], 28.0, vivid);
    let legwear = if lower == Lower::Trousers { Legwear::Bare } else { kept.legwear };
    Outfit {
        upper,
        lower,
        sleeves,
        collar,
        pattern,
        legwear,
        length: s.range(0.85, 1.25) as f32,
        main,
        second,
        trim,
        accent,
        ..kept.clone()
    }
}

/// The first colour that differs from the others by ΔE*ab of `least`; the last tried one when none does.
fn apart(s: &mut Stream, others: &[Colour], least: f32, draw: fn(&mut Stream) -> Colour) -> Colour {
    const TRIALS: usize = 12;
    let mut colour = draw(s);
    for _ in 0..TRIALS {
        if others.iter().all(|other| other.difference(colour) > least) {
            break;
        }
        colour = draw(s);
    }
    colour
}

/// Of skirts, jackets and trousers: half of them neither white, black nor grey.
fn cloth(s: &mut Stream) -> Colour {
    const PLAIN: [u32; 9] = [0xf7f5f3, 0xf2ead8, 0xc9c6cc, 0x8b8a92, 0x55555f, 0x2c2b33, 0x29355e, 0x4a3429, 0xb99a78];
    match s.chance(0.45) {
        true => {
            let plain = PLAIN[s.below(PLAIN.len())];
            near(s, Colour::hex(plain))
        }
        false => tinted(s, (0.30, 0.85), (0.35, 0.98)),
    }
}

/// Of collars, cuffs and stripes: mostly white or dark.
fn edging(s: &mut Stream) -> Colour {
    const PLAIN: [u32; 5] = [0xfaf8f6, 0xfaf8f6, 0xf3ead6, 0x2b2a33, 0x2c3a68];
    match s.chance(0.7) {
        true => {
            let plain = PLAIN[s.below(PLAIN.len())];
            near(s, Colour::hex(plain))
        }
        false => tinted(s, (0.25, 0.8), (0.4, 0.95)),
    }
}

/// Of bows, ties and belts.
fn vivid(s: &mut Stream) -> Colour {
    tinted(s, (0.55, 0.92), (0.45, 0.95))
}

/// A colour of any hue.
fn tinted(s: &mut Stream, saturation: (f64, f64), value: (f64, f64)) -> Colour {
    let (hue, sat, val) = (s.uniform(), s.range(saturation.0, saturation.1), s.range(value.0, value.1));
    // The HSV hexcone: every channel is full in one third of the hues.
    let channel = |shift: f64| {
        let place = ((hue + shift).fract() * 6.0 - 3.0).abs() - 1.0;
        (val * (1.0 - sat * (1.0 - place.clamp(0.0, 1.0)))) as f32
    };
    Colour { r: channel(0.0), g: channel(2.0 / 3.0), b: channel(1.0 / 3.0) }
}

/// A little lighter, darker or another hue.
fn near(s: &mut Stream, colour: Colour) -> Colour {
    let toward = tinted(s, (0.2, 0.6), (0.2, 1.0));
    let lighter = colour.mix(WHITE, s.range(0.0, 0.08) as f32);
    lighter.mix(toward, s.range(0.0, 0.08) as f32)
}
