//! Reads hair and eye colour off a picture of a face, drawn or generated.

use image::RgbImage;

use super::regions::Window;
use crate::data::avatar::palette::{Colour, nearest_eyes, nearest_hair};

/// Where faces of this kind have hair, most of them also with a hat on: beside the eyes, and the fringe.
pub const HAIR_WINDOWS: [Window; 3] = [
    Window { left: 0.260, top: 0.36, right: 0.315, bottom: 0.58 },
    Window { left: 0.685, top: 0.36, right: 0.740, bottom: 0.58 },
    Window { left: 0.315, top: 0.34, right: 0.685, bottom: 0.39 },
];

/// Where faces of this kind have their irises.
pub const EYE_WINDOWS: [Window; 2] = [
    Window { left: 0.345, top: 0.465, right: 0.430, bottom: 0.548 },
    Window { left: 0.570, top: 0.465, right: 0.655, bottom: 0.548 },
];

/// The colour names that a face shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ColourReading {
    /// Position in [`HAIR`](crate::data::avatar::palette::HAIR).
    pub hair: usize,
    /// Position in [`EYES`](crate::data::avatar::palette::EYES).
    pub eyes: usize,
}

/// Names the hair and eye colour of a face that fills the picture as those of
/// [`Avatar::faces`](crate::data::avatar::Avatar::faces) do.
///
/// Hair is what [`hair_colour`] says of [`HAIR_WINDOWS`]. Eyes are the median of the most colourful part of
/// [`EYE_WINDOWS`], since pupil, highlights and white have no colour. Both get the nearest name by ΔE*ab.
pub fn read_colours(image: &RgbImage) -> ColourReading {
    ColourReading {
        hair: nearest_hair(hair_colour(&pixels(image, &HAIR_WINDOWS))),
        eyes: nearest_eyes(eye_colour(&pixels(image, &EYE_WINDOWS))),
    }
}

/// The colour of irises among pixels that show eyes: the median of the most colourful third of what is not skin.
pub fn eye_colour(pixels: &[[u8; 3]]) -> Colour {
    let skin = [Colour::hex(0xff_ec_e0), Colour::hex(0xf6_d4_ba), Colour::hex(0xec_bc_ae)].map(Colour::lab);
    let mut coloured: Vec<(f32, [u8; 3])> = pixels
        .iter()
        .filter_map(|&pixel| {
            let lab = Colour::from_u8(pixel).lab();
            let far = skin.iter().all(|s| distance(s, &lab) > 16.0);
            far.then(|| (lab[1].hypot(lab[2]), pixel))
        })
        .collect();
    coloured.sort_by(|a, b| b.0.total_cmp(&a.0));
    coloured.truncate(coloured.len().div_ceil(3));
    quantile(&coloured.iter().map(|c| c.1).collect::<Vec<_>>(), 0.5)
}

fn pixels(image: &RgbImage, windows: &[Window]) -> Vec<[u8; 3]> {
    let (width, height) = image.dimensions();
    let places = windows.iter().flat_map(|window| window.pixels(width, height));
    places.map(|(x, y)| image.get_pixel(x, y).0).collect()
}

/// The colour of hair among pixels that mostly show hair: the one that the most of them are close to. Flat areas
/// outnumber every single tone of shadow, strand and shine, and whatever else got into the window.
pub fn hair_colour(pixels: &[[u8; 3]]) -> Colour {
    const SAMPLES: usize = 400;
    const NEAR: f32 = 10.0;
    let labs: Vec<([f32; 3], [u8; 3])> = pixels
        .iter()
        .step_by(pixels.len().div_ceil(SAMPLES).max(1))
        .map(|&pixel| (Colour::from_u8(pixel).lab(), pixel))
        .collect();
    let near = |a: [f32; 3]| labs.iter().filter(move |b| distance(&a, &b.0) < NEAR);
    let densest = labs.iter().max_by_key(|a| (near(a.0).count(), a.1));
    let close: Vec<[u8; 3]> = densest.map_or_else(Vec::new, |a| near(a.0).map(|b| b.1).collect());
    quantile(&close, 0.5)
}

fn distance(a: &[f32; 3], b: &[f32; 3]) -> f32 {
    (a[0] - b[0]).hypot(a[1] - b[1]).hypot(a[2] - b[2])
}

/// The quantile of every channel; black of nothing.
fn quantile(pixels: &[[u8; 3]], share: f32) -> Colour {
    let middle = |channel: usize| {
        let mut values: Vec<u8> = pixels.iter().map(|pixel| pixel[channel]).collect();
        values.sort_unstable();
        values.get((values.len() as f32 * share) as usize).copied().unwrap_or(0)
    };
    Colour::from_u8([middle(0), middle(1), middle(2)])
}
