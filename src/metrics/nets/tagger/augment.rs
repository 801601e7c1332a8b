//! How drawn faces are changed before the tagger learns from them, so that it reads what all pictures of faces have in
//! common and not what our drawings have: another crop, light, paint, and the traces of blurring, noise and JPEG.

use crate::metrics::nets::reader::SIDE;
use crate::rng::Stream;

/// Numbers of one picture.
pub(super) const NUMBERS: usize = 3 * SIDE * SIDE;
const PLANE: usize = SIDE * SIDE;

/// A face as the network sees it, changed at random: `[3, 64, 64]`, (v − 128) / 128 as
/// [`Protocol::Clean`](super::super::resize::Protocol) prepares pictures.
///
/// `bytes`: RGB, `side`·`side` pixels.
pub(super) fn changed(bytes: &[u8], side: usize, s: &mut Stream) -> Vec<f32> {
    let mut picture = placed(bytes, side, s);
    light(&mut picture, s);
    if s.chance(0.8) {
        paint(&mut picture, 3, 0.10, s);
    }
    if s.chance(0.5) {
        paint(&mut picture, 14, 0.14, s);
    }
    if s.chance(0.3) {
        cover(&mut picture, s);
    }
    if s.chance(0.7) {
        soften(&mut picture, s.range(-0.7, 1.0) as f32);
    }
    if s.chance(0.3) {
        coarse_colours(&mut picture);
    }
    if s.chance(0.4) {
        noise(&mut picture, s);
    }
    picture.iter_mut().for_each(|v| *v = (v.clamp(0.0, 1.0) * 255.0 - 128.0) / 128.0);
    picture
}

/// Turned, mirrored, moved and cut to another frame; planes from 0 to 1. Beyond the picture its edge goes on.
fn placed(bytes: &[u8], side: usize, s: &mut Stream) -> Vec<f32> {
    const FINER: usize = 2;
    let mirror = if s.chance(0.5) { -1.0 } else { 1.0 };
    let (sin, cos) = s.range(-0.22, 0.22).sin_cos();
    // Portraits are mostly cut closer than ours.
    let zoom = s.range(-0.12, 0.28).exp();
    let stretch = s.range(-0.08, 0.08).exp();
    let (across, down) = (1.0 / (zoom * stretch), stretch / zoom);
    let centre = [0.5 + s.range(-0.07, 0.07), 0.48 + s.range(-0.08, 0.08)];
    let mut picture = vec![0f32; NUMBERS];
    let fine = (SIDE * FINER) as f64;
    let share = 1.0 / (255 * FINER * FINER) as f32;
    for i in 0..SIDE * FINER * SIDE * FINER {
        let (row, column) = (i / (SIDE * FINER), i % (SIDE * FINER));
        let u = ((column as f64 + 0.5) / fine - 0.5) * mirror * across;
        let v = ((row as f64 + 0.5) / fine - 0.5) * down;
        let x = (centre[0] + u * cos - v * sin) * side as f64 - 0.5;
        let y = (centre[1] + u * sin + v * cos) * side as f64 - 0.5;
        let colour = between(bytes, side, x as f32, y as f32);
        let place = row / FINER * SIDE + column / FINER;
        for (channel, value) in colour.into_iter().enumerate() {
            picture[channel * PLANE + place] += value * share;
        }
    }
    picture
}

/// The colour at (x, y), between the four pixels around it.
fn between(bytes: &[u8], side: usize, x: f32, y: f32) -> [f32; 3] {
    let last = (side - 1) as f32;
    let (x, y) = (x.clamp(0.0, last), y.clamp(0.0, last));
    let (left, top) = ((x as usize).min(side - 2), (y as usize).min(side - 2));
    let (right, low) = (x - left as f32, y - top as f32);
    let at = |dx: usize, dy: usize, channel: usize| f32::from(bytes[3 * ((top + dy) * side + left + dx) + channel]);
    std::array::from_fn(|channel| {
        let upper = at(0, 0, channel) * (1.0 - right) + at(1, 0, channel) * right;
        let lower = at(0, 1, channel) * (1.0 - right) + at(1, 1, channel) * right;
        upper * (1.0 - low) + lower * low
    })
}

/// Gain of each channel, saturation, contrast, brightness and gamma.
fn light(picture: &mut [f32], s: &mut Stream) {
    // Paintings are warmer and duller than flat drawings.
    let gains = [(0.96, 1.09), (0.94, 1.05), (0.88, 1.06)].map(|(low, high)| s.range(low, high) as f32);
    let saturation = s.range(0.6, 1.15) as f32;
    let contrast = s.range(0.75, 1.2) as f32;
    let brightness = s.range(-0.06, 0.10) as f32;
    let gamma = s.range(-0.25, 0.25).exp() as f32;
    for i in 0..PLANE {
        let colour: [f32; 3] = std::array::from_fn(|channel| picture[channel * PLANE + i]);
        let grey = 0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2];
        for channel in 0..3 {
            let value = (grey + saturation * (colour[channel] - grey)) * gains[channel];
            let value = (value - 0.5) * contrast + 0.5 + brightness;
            picture[channel * PLANE + i] = value.clamp(0.0, 1.0).powf(gamma);
        }
    }
}

/// A field of random light and colour with `cells` cells a side, up to about ±`strength`.
fn paint(picture: &mut [f32], cells: usize, strength: f64, s: &mut Stream) {
    let strength = s.range(0.2, 1.0) * strength;
    let common: Vec<f32> = (0..(cells + 1) * (cells + 1)).map(|_| (strength * s.normal()) as f32).collect();
    for channel in 0..3 {
        let own: Vec<f32> = common.iter().map(|value| value + (0.4 * strength * s.normal()) as f32).collect();
        for i in 0..PLANE {
            let at = |place: usize| {
                let position = (place as f32 + 0.5) / SIDE as f32 * cells as f32;
                (position as usize, position - position as usize as f32)
            };
            let ((top, low), (left, right)) = (at(i / SIDE), at(i % SIDE));
            let corner = |dy: usize, dx: usize| own[(top + dy) * (cells + 1) + left + dx];
            let upper = corner(0, 0) * (1.0 - right) + corner(0, 1) * right;
            let lower = corner(1, 0) * (1.0 - right) + corner(1, 1) * right;
            picture[channel * PLANE + i] *= 1.0 + upper * (1.0 - low) + lower * low;
        }
    }
}

/// Hides a rectangle behind one colour.
fn cover(picture: &mut [f32], s: &mut Stream) {
    let [width, height] = [0; 2].map(|_: usize| 4 + s.below(SIDE / 4));
    let (left, top) = (s.below(SIDE - width), s.below(SIDE - height));
    for channel in 0..3 {
        let value = s.uniform() as f32;
        for row in top..top + height {
            let start = channel * PLANE + row * SIDE + left;
            picture[start..start + width].fill(value);
        }
    }
}

/// Every number moved by `amount` towards the mean of its neighbourhood; away from it when below 0.
fn soften(picture: &mut [f32], amount: f32) {
    for plane in picture.chunks_exact_mut(PLANE) {
        let smooth = smoothed(plane);
        plane.iter_mut().zip(smooth).for_each(|(v, mean)| *v += amount * (mean - *v));
    }
}

/// The plane under the kernel [1 2 1] ⊗ [1 2 1] / 16; edges go on.
fn smoothed(plane: &[f32]) -> Vec<f32> {
    let pass = |from: &[f32], step: usize, at: fn(usize) -> usize| {
        let value = |i: usize| {
            let before = if at(i) == 0 { i } else { i - step };
            let after = if at(i) == SIDE - 1 { i } else { i + step };
            0.25 * (from[before] + from[after]) + 0.5 * from[i]
        };
        (0..PLANE).map(value).collect::<Vec<f32>>()
    };
    pass(&pass(plane, 1, |i| i % SIDE), SIDE, |i| i / SIDE)
}

/// One colour, but not one brightness, for every 2×2 pixels, as JPEG stores pictures.
fn coarse_colours(picture: &mut [f32]) {
    for i in 0..PLANE / 4 {
        let corner = i / (SIDE / 2) * 2 * SIDE + i % (SIDE / 2) * 2;
        let places = [corner, corner + 1, corner + SIDE, corner + SIDE + 1];
        let grey = |picture: &[f32], at: usize| {
            0.299 * picture[at] + 0.587 * picture[PLANE + at] + 0.114 * picture[2 * PLANE + at]
        };
        let greys = places.map(|at| grey(picture, at));
        for channel in 0..3 {
            let offset = channel * PLANE;
            let differences = places.iter().zip(greys).map(|(at, grey)| picture[offset + at] - grey);
            let mean = differences.sum::<f32>() / 4.0;
            for (at, grey) in places.into_iter().zip(greys) {
                picture[offset + at] = grey + mean;
            }
        }
    }
}

fn noise(picture: &mut [f32], s: &mut Stream) {
    let strength = s.range(0.0, 0.12);
    picture.iter_mut().for_each(|v| *v += (strength * (s.uniform() - 0.5)) as f32);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Seed;

    #[test]
    fn changes_are_seeded_and_stay_in_range() {
        let bytes: Vec<u8> = (0..3 * 96 * 96).map(|i| (i * 7 % 256) as u8).collect();
        let made = |seed: u64| changed(&bytes, 96, &mut Seed(seed).stream("augment"));
        assert_eq!(made(1), made(1));
        assert_ne!(made(1), made(2));
        for seed in 0..50 {
            let picture = made(seed);
            assert_eq!(picture.len(), NUMBERS);
            assert!(picture.iter().all(|v| (-1.0..=0.9922).contains(v)), "seed {seed}");
        }
    }

    #[test]
    fn one_colour_stays_one_colour_where_only_the_frame_changes() {
        let bytes = [200u8, 100, 50].repeat(96 * 96);
        let picture = placed(&bytes, 96, &mut Seed(3).stream("augment"));
        for (channel, wanted) in [200.0, 100.0, 50.0].into_iter().enumerate() {
            let plane = &picture[channel * PLANE..][..PLANE];
            assert!(plane.iter().all(|v| (v * 255.0 - wanted).abs() < 1e-3), "channel {channel}, seed 3");
        }
    }
}
