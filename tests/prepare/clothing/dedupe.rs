//! Near-duplicates: found whatever was done to them, and nothing else.

use std::fs;
use std::io::Cursor;
use std::path::Path;
use std::time::Instant;

use image::codecs::jpeg::JpegEncoder;
use image::imageops::{self, FilterType};
use image::{Rgb, RgbImage};
use tachie::data::avatar::Avatar;
use tachie::data::dataset::Splits;
use tachie::data::prepare::clothing::dedupe::{Copies, DedupeOptions, Facts, dedupe, group};
use tachie::data::prepare::clothing::near::groups;
use tachie::data::prepare::clothing::similar::{SIDE, Signature, Similarity};
use tachie::rng::{Seed, Stream};

/// Pictures as shops have them: a character and another one on a plain ground, never twice.
fn originals(count: usize) -> Vec<RgbImage> {
    let bodies = Avatar::bodies().size(96).costumes(2 * count).poses(25).dataset().unwrap();
    let per = bodies.len() / (2 * count);
    let of = |costume: usize, pose: usize| bodies.image(costume * per + pose % per).unwrap();
    let mut stream = Seed(1).stream("grounds");
    (0..count)
        .map(|i| {
            let ground = if i % 3 == 0 { 255 } else { 200 + stream.below(56) as u8 };
            let mut picture = RgbImage::from_pixel(240, 120, Rgb([ground; 3]));
            let at = |stream: &mut Stream| stream.below(20) as i64;
            let (a, b) = (of(2 * i, i), of(2 * i + 1, 3 * i));
            imageops::replace(&mut picture, &a, 4 + at(&mut stream), at(&mut stream));
            imageops::replace(&mut picture, &b, 124 + at(&mut stream), at(&mut stream));
            picture
        })
        .collect()
}

/// Encoded anew, smaller or larger, a little brighter or darker, a border of at most three percent cut off.
fn altered(picture: &RgbImage, stream: &mut Stream) -> RgbImage {
    let (width, height) = picture.dimensions();
    let mut cut = |length: u32| (stream.uniform() * 0.03 * f64::from(length)) as u32;
    let (left, top, right, bottom) = (cut(width), cut(height), cut(width), cut(height));
    let part = imageops::crop_imm(picture, left, top, width - left - right, height - top - bottom).to_image();
    let scale = stream.range(0.5, 1.6);
    let side = |length: u32| ((f64::from(length) * scale) as u32).max(1);
    let mut part = imageops::resize(&part, side(part.width()), side(part.height()), FilterType::Triangle);
    let brightness = stream.range(0.95, 1.05);
    part.iter_mut().for_each(|value| *value = (f64::from(*value) * brightness).round() as u8);
    let mut bytes = Cursor::new(Vec::new());
    JpegEncoder::new_with_quality(&mut bytes, 70 + stream.below(26) as u8).encode_image(&part).unwrap();
    image::load_from_memory(&bytes.into_inner()).unwrap().into_rgb8()
}

#[test]
fn duplicates_are_found_and_nothing_else() {
    let originals = originals(150);
    let mut stream = Seed(2).stream("alterations");
    let (mut signatures, mut truth) = (Vec::new(), Vec::new());
    for (i, picture) in originals.iter().enumerate() {
        for copy in 0..1 + i % 4 {
            let picture = if copy == 0 { picture.clone() } else { altered(picture, &mut stream) };
            signatures.push(Signature::of(&picture));
            truth.push(i);
        }
    }
    let thresholds = Similarity::default();
    let found = groups(&signatures, &thresholds).of;
    let (mut right, mut wrong, mut missed) = (0, 0, 0);
    let (mut least, mut most) = (1f64, -1f64);
    for i in 0..truth.len() {
        for j in i + 1..truth.len() {
            let (is, told) = (truth[i] == truth[j], found[i].is_some() && found[i] == found[j]);
            let similarity = signatures[i].similarity(&signatures[j]);
            if is {
                least = least.min(similarity.contrast)
            } else {
                most = most.max(similarity.contrast)
            }
            assert!(told || !similarity.reaches(&thresholds), "{i} and {j} are alike, but the hashes lost them");
            match (is, told) {
                (true, true) => right += 1,
                (false, true) => wrong += 1,
                (true, false) => missed += 1,
                _ => {}
            }
        }
    }
    let f1 = 2.0 * f64::from(right) / f64::from(2 * right + wrong + missed);
    eprintln!(
        "F1 {f1}, {right} right, {wrong} wrong, {missed} missed; contrast of duplicates {least:.3} and up, of others up to {most:.3}"
    );
    assert!(f1 >= 0.98, "F1 {f1}: {right} right, {wrong} wrong, {missed} missed");
}
