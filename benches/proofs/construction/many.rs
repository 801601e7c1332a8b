//! Very many pictures of 512 pixels for the clock: characters beside photos, none of them twice but for known duplicates.
//!
//! Drawing each of them would take hours. So 800 characters and 800 photos are drawn, and every picture shows another two of
//! them, with other colours, mirrored, and in other frames: each half is in 37 pictures, which look more alike than pictures
//! of the web do.

use std::io::Cursor;
use std::path::Path;

use rayon::prelude::*;
use serde_json::json;
use tachie::data::avatar::Avatar;
use tachie::image::codecs::jpeg::JpegEncoder;
use tachie::image::codecs::png::{CompressionType, FilterType as PngFilter, PngEncoder};
use tachie::image::imageops::{self, FilterType};
use tachie::image::{ExtendedColorType, ImageEncoder, RgbImage};
use tachie::rng::{Seed, Stream};
use tachie::{Error, Result};

/// Side of the pictures.
const SIDE: u32 = 512;
/// Characters, and photos.
const DRAWN: usize = 800;
/// Width of what is kept of each.
const PANEL: u32 = 320;
/// Share of near duplicates.
const COPIES: f64 = 0.16;
/// How far characters and photos of one round are apart from those of the next: no two pictures have the same ones.
const STRIDE: usize = 37;

/// What file `i` shows: the number of its original.
pub fn groups(count: usize, seed: Seed) -> Vec<usize> {
    let mut s = seed.stream("many/groups");
    let (mut originals, mut groups) = (0, Vec::with_capacity(count));
    for _ in 0..count {
        if originals > 0 && s.chance(COPIES) {
            groups.push(s.below(originals));
        } else {
            groups.push(originals);
            originals += 1;
        }
    }
    groups
}

/// The name of file `i`.
pub fn name(i: usize) -> String {
    format!("{:02}/{i:05}.{}", i / 1000, if i.is_multiple_of(5) { "png" } else { "jpg" })
}

/// Writes the pictures, unless a folder of the same settings is whole.
pub fn write(folder: &Path, count: usize, seed: Seed) -> Result<()> {
    let (marker, settings) = (folder.join("made.json"), json!({ "count": count, "seed": seed.0 }).to_string());
    if std::fs::read_to_string(&marker).is_ok_and(|found| found == settings) {
        return Ok(());
    }
    println!("drawing {} panels and making {count} pictures of them, once", 2 * DRAWN);
    let costumes = Avatar::costumes().size(SIDE).views(1).count(DRAWN).seed(seed.child("many"));
    let middle = |picture: RgbImage| imageops::crop_imm(&picture, (SIDE - PANEL) / 2, 0, PANEL, SIDE).to_image();
    let draw = |i: usize| Ok([middle(costumes.source_image(i)?), middle(costumes.image(i)?)]);
    let panels = (0..DRAWN).into_par_iter().map(draw).collect::<Result<Vec<[RgbImage; 2]>>>()?;
    let groups = groups(count, seed);
    let mut seen = 0;
    let copies: Vec<bool> = groups
        .iter()
        .map(|&group| {
            let first = group == seen;
            seen += usize::from(first);
            !first
        })
        .collect();
    (0..count).into_par_iter().try_for_each(|i| {
        let path = folder.join(name(i));
        let io = |source| Error::io("write the picture", &path, source);
        std::fs::create_dir_all(path.parent().unwrap_or(folder)).map_err(io)?;
        let mut s = seed.stream(&format!("many/file/{i}"));
        let picture = original(&panels, groups[i], seed);
        let picture = if copies[i] { altered(&picture, &mut s) } else { picture };
        std::fs::write(&path, encoded(&picture, i.is_multiple_of(5), &mut s)?).map_err(io)
    })?;
    std::fs::write(&marker, settings).map_err(|source| Error::io("write the settings", &marker, source))
}

fn original(panels: &[[RgbImage; 2]], number: usize, seed: Seed) -> RgbImage {
    let mut s = seed.stream(&format!("many/original/{number}"));
    let character = number % DRAWN;
    let photo = (character + 1 + STRIDE * (number / DRAWN)) % DRAWN;
    let border = (f64::from(SIDE) * s.range(0.42, 0.58)) as u32;
    let mut picture = RgbImage::new(SIDE, SIDE);
    let mirrored = s.chance(0.35);
    for (panel, first) in [(&panels[character][0], !mirrored), (&panels[photo][1], mirrored)] {
        let width = if first { border } else { SIDE - border };
        let left = s.below((PANEL - width) as usize + 1) as u32;
        let mut part = imageops::crop_imm(panel, left, 0, width, SIDE).to_image();
        if s.chance(0.5) {
            imageops::flip_horizontal_in_place(&mut part);
        }
        recolour(&mut part, &mut s);
        imageops::replace(&mut picture, &part, if first { 0 } else { i64::from(border) }, 0);
    }
    picture
}

/// Exchanges red, green and blue.
fn recolour(picture: &mut RgbImage, s: &mut Stream) {
    let order = s.permutation(3);
    picture.pixels_mut().for_each(|pixel| pixel.0 = [pixel.0[order[0]], pixel.0[order[1]], pixel.0[order[2]]]);
}

/// A border of at most three percent cut off, brought to size again, a little brighter or darker.
fn altered(picture: &RgbImage, s: &mut Stream) -> RgbImage {
    let mut cut = || if s.chance(0.5) { 0 } else { (s.range(0.0, 0.03) * f64::from(SIDE)) as u32 };
    let [left, top, right, low] = [cut(), cut(), cut(), cut()];
    let part = imageops::crop_imm(picture, left, top, SIDE - left - right, SIDE - top - low).to_image();
    let mut part = imageops::resize(&part, SIDE, SIDE, FilterType::Triangle);
    let brightness = s.range(0.95, 1.05) as f32;
    part.iter_mut().for_each(|value| *value = (f32::from(*value) * brightness).round().clamp(0.0, 255.0) as u8);
    part
}

fn encoded(picture: &RgbImage, png: bool, s: &mut Stream) -> Result<Vec<u8>> {
    let mut bytes = Cursor::new(Vec::new());
    let written = match png {
        true => PngEncoder::new_with_quality(&mut bytes, CompressionType::Fast, PngFilter::Sub).write_image(
            picture.as_raw(),
            SIDE,
            SIDE,
            ExtendedColorType::Rgb8,
        ),
        false => JpegEncoder::new_with_quality(&mut bytes, 72 + s.below(24) as u8).encode_image(picture),
    };
    written.map_err(|error| Error::invalid("picture", error.to_string(), "one that can be encoded", ""))?;
    Ok(bytes.into_inner())
}
