//! What the classifier learns from: labelled pictures, taken apart and put together anew.
//!
//! A few hundred labels say too little of what a pair is not. But a pair is two pictures in one, and that says more: each
//! half of a pair is none, nor are a half and its mirror image beside it, whereas both halves in another order or one above
//! the other are one again. Other pictures beside their mirror image stay what they are.

use image::{RgbImage, imageops};

use crate::data::manifest::Filter;
use crate::data::resize;
use crate::rng::Stream;

/// Width in heights from which a pair has its halves beside each other, and below which one above the other. Between them
/// one cannot tell.
const BESIDE: f32 = 1.1;
const ABOVE: f32 = 0.75;
/// Where the border between two halves is looked for, in shares of the length.
const BORDER: [f64; 2] = [0.35, 0.65];
/// Shares of pairs that are shown as they are, and that are put together anew; that are a half, and the rest a half twice.
const SHOWN: [f64; 4] = [0.40, 0.15, 0.25, 0.20];
/// Share of other pictures that are shown beside their mirror image.
const TWICE: f64 = 0.3;

/// A labelled picture as it is kept for training: a square of twice the side that the network sees.
#[derive(Clone, Debug)]
pub(super) struct Example {
    picture: RgbImage,
    /// Width in heights of the picture before it was squeezed.
    wide: f32,
    pub is_pair: bool,
}

impl Example {
    /// `side` is that of the network.
    pub fn new(picture: &RgbImage, is_pair: bool, side: u32) -> Example {
        let wide = picture.width() as f32 / picture.height().max(1) as f32;
        Example { picture: squeezed(picture, 2 * side), wide, is_pair }
    }

    /// What a step sees of it, as large as it is kept, and whether that is a pair. With `rearranged` halves are used as
    /// well.
    pub fn shown(&self, rearranged: bool, s: &mut Stream) -> (RgbImage, bool) {
        let side = self.picture.width();
        let whole = || (self.picture.clone(), self.is_pair);
        let two_halves = self.wide > BESIDE || self.wide < ABOVE;
        match (rearranged, self.is_pair, two_halves) {
            (true, true, true) => {
                let [one, other] = self.halves();
                let way = s.weighted(&SHOWN);
                let half = if s.chance(0.5) { &one } else { &other };
                match way {
                    0 => whole(),
                    1 => (together(&other, &one, side, s), true),
                    2 => (squeezed(half, side), false),
                    _ => (twice(half, side, s), false),
                }
            }
            (true, false, _) if s.chance(TWICE) => (twice(&self.picture, side, s), false),
            _ => whole(),
        }
    }

    /// The two pictures of a pair, cut where the colours change most from one line to the next.
    fn halves(&self) -> [RgbImage; 2] {
        let beside = self.wide > 1.0;
        let side = self.picture.width();
        let [from, to] = BORDER.map(|share| (share * f64::from(side)) as u32);
        let at = (from.max(1)..to).max_by_key(|&at| change(&self.picture, at, beside)).unwrap_or(side / 2);
        let part = |start: u32, length: u32| match beside {
            true => imageops::crop_imm(&self.picture, start, 0, length, side).to_image(),
            false => imageops::crop_imm(&self.picture, 0, start, side, length).to_image(),
        };
        [part(0, at), part(at, side - at)]
    }
}

/// A picture as a square, its proportions lost.
pub(super) fn squeezed(picture: &RgbImage, side: u32) -> RgbImage {
    match picture.width() >= side && picture.height() >= side {
        true => imageops::thumbnail(picture, side, side),
        false => resize::rgb(picture, side, side, Filter::Bilinear),
    }
}

/// How much column (or row) `at` differs from the one before it.
fn change(picture: &RgbImage, at: u32, columns: bool) -> u64 {
    let pixel = |at: u32, along: u32| match columns {
        true => picture.get_pixel(at, along).0,
        false => picture.get_pixel(along, at).0,
    };
    let away = |along: u32| {
        let values = pixel(at, along).into_iter().zip(pixel(at - 1, along));
        values.map(|(a, b)| u64::from(a.abs_diff(b))).sum::<u64>()
    };
    (0..picture.width()).map(away).sum()
}

fn twice(picture: &RgbImage, side: u32, s: &mut Stream) -> RgbImage {
    let mirrored = imageops::flip_horizontal(picture);
    together(picture, if s.chance(0.7) { &mirrored } else { picture }, side, s)
}

/// Two pictures beside or above each other in a square.
fn together(one: &RgbImage, other: &RgbImage, side: u32, s: &mut Stream) -> RgbImage {
    let at = (s.range(0.4, 0.6) * f64::from(side)).round() as u32;
    let mut square = RgbImage::new(side, side);
    let size = |length: u32, beside: bool| if beside { (length, side) } else { (side, length) };
    let beside = s.chance(0.65);
    for (picture, start, length) in [(one, 0, at), (other, at, side - at)] {
        let (width, height) = size(length, beside);
        let (x, y) = if beside { (start, 0) } else { (0, start) };
        let part = match picture.width() >= width && picture.height() >= height {
            true => imageops::thumbnail(picture, width, height),
            false => resize::rgb(picture, width, height, Filter::Bilinear),
        };
        imageops::replace(&mut square, &part, i64::from(x), i64::from(y));
    }
    square
}

/// A square as the network sees it, from 0 to 255, planes of red, green and blue of half the side: mirrored, moved, stretched
/// and lit anew at random.
pub(super) fn changed(picture: &RgbImage, s: &mut Stream, to: &mut [f32]) {
    let fine = picture.width() as usize;
    let side = fine / 2;
    let mirror = if s.chance(0.5) { -1.0 } else { 1.0 };
    let [across, down] = [0; 2].map(|_| s.range(-0.15, 0.15).exp() as f32);
    let [right, low] = [0; 2].map(|_| 0.5 + s.range(-0.05, 0.05) as f32);
    let contrast = 1.0 + 0.2 * s.normal() as f32;
    let common = 12.0 * s.normal() as f32;
    let light: [f32; 3] = std::array::from_fn(|_| common + 6.0 * s.normal() as f32);
    let last = (fine - 1) as f32;
    let place = |at: usize, centre: f32, scale: f32| {
        let from_middle = ((at as f32 + 0.5) / fine as f32 - 0.5) * scale;
        let place = ((centre + from_middle) * fine as f32 - 0.5).clamp(0.0, last);
        let low = (place as usize).min(fine - 2);
        (low, place - low as f32)
    };
    let columns: Vec<(usize, f32)> = (0..fine).map(|x| place(x, right, mirror * across)).collect();
    let bytes = picture.as_raw();
    to.fill(0.0);
    for y in 0..fine {
        let (top, below) = place(y, low, down);
        for (x, &(left, beside)) in columns.iter().enumerate() {
            let at =
                |dx: usize, dy: usize, channel: usize| f32::from(bytes[3 * ((top + dy) * fine + left + dx) + channel]);
            for channel in 0..3 {
                let upper = at(0, 0, channel) * (1.0 - beside) + at(1, 0, channel) * beside;
                let lower = at(0, 1, channel) * (1.0 - beside) + at(1, 1, channel) * beside;
                let value = upper * (1.0 - below) + lower * below;
                to[(channel * side + y / 2) * side + x / 2] += 0.25 * value;
            }
        }
    }
    for (plane, light) in to.chunks_exact_mut(side * side).zip(light) {
        plane.iter_mut().for_each(|value| *value = (*value - 128.0) * contrast + 128.0 + light);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::seed;
    use image::Rgb;

    const RED: Rgb<u8> = Rgb([220, 30, 30]);
    const BLUE: Rgb<u8> = Rgb([30, 30, 220]);

    #[test]
    fn halves_are_cut_at_their_border() {
        for (width, height) in [(200, 100), (100, 200)] {
            let first = |x: u32, y: u32| if width > height { x < 90 } else { y < 90 };
            let pair = RgbImage::from_fn(width, height, |x, y| if first(x, y) { RED } else { BLUE });
            let [one, other] = Example::new(&pair, true, 64).halves();
            let share = f64::from(one.width().min(one.height())) / 128.0;
            assert!((share - 0.45).abs() < 0.02, "{share}");
            assert!(one.pixels().filter(|pixel| **pixel == RED).count() > one.pixels().len() * 95 / 100);
            assert!(other.pixels().filter(|pixel| **pixel == BLUE).count() > other.pixels().len() * 95 / 100);
        }
    }

    #[test]
    fn only_what_holds_both_halves_is_a_pair() {
        let pair = RgbImage::from_fn(180, 100, |x, _| if x < 90 { RED } else { BLUE });
        let example = Example::new(&pair, true, 32);
        let mut stream = seed(1).stream("shown");
        let (mut pairs, mut others) = (0, 0);
        for _ in 0..200 {
            let (shown, is_pair) = example.shown(true, &mut stream);
            assert_eq!(shown.dimensions(), (64, 64));
            let has = |colour: Rgb<u8>| shown.pixels().filter(|p| p.0 == colour.0).count() > 64 * 64 / 4;
            assert_eq!(has(RED) && has(BLUE), is_pair);
            if is_pair { pairs += 1 } else { others += 1 }
        }
        assert!(pairs > 70 && others > 50, "{pairs} and {others}");
        let square = Example::new(&RgbImage::from_pixel(50, 50, RED), true, 32);
        assert!((0..50).all(|_| square.shown(true, &mut stream).1), "a square has no halves");
        assert!((0..50).all(|_| example.shown(false, &mut stream).1));
        let other = Example::new(&pair, false, 32);
        assert!((0..50).all(|_| !other.shown(true, &mut stream).1));
    }

    #[test]
    fn changes_are_seeded_and_keep_one_colour() {
        let picture = RgbImage::from_pixel(64, 64, RED);
        let made = |value: u64| {
            let mut to = vec![0f32; 3 * 32 * 32];
            changed(&picture, &mut seed(value).stream("change"), &mut to);
            to
        };
        assert_eq!(made(1), made(1));
        assert_ne!(made(1), made(2));
        for plane in made(3).chunks(32 * 32) {
            assert!(plane.iter().all(|value| (value - plane[0]).abs() < 1e-3));
        }
    }
}
