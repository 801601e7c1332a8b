//! Near-duplicates: found whatever was done to them, and nothing else.

use std::fs;
use std::io::Cursor;
use std::path::Path;
use std::time::Instant;

use image::codecs::jpeg::JpegEncoder;
use image::imageops::{self, FilterType};
use image::{Rgb, RgbImage};
use rayon::prelude::*;
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

/// A picture of random coloured waves.
fn random(i: u64) -> Signature {
    let mut stream = Seed(i).stream("random pictures");
    let waves: Vec<[f32; 6]> = (0..8)
        .map(|_| {
            let frequency = || 0.0..4.0;
            let mut of = |range: std::ops::Range<f64>| stream.range(range.start, range.end) as f32;
            [of(frequency()), of(frequency()), of(0.0..6.3), of(0.0..1.0), of(0.0..1.0), of(0.0..1.0)]
        })
        .collect();
    let mut bytes = Vec::with_capacity(Signature::BYTES);
    for at in 0..SIDE * SIDE {
        let (x, y) = ((at % SIDE) as f32 / SIDE as f32, (at / SIDE) as f32 / SIDE as f32);
        let heights: Vec<f32> = waves.iter().map(|w| (6.3 * (w[0] * x + w[1] * y) + w[2]).sin()).collect();
        for channel in 0..3 {
            let sum: f32 = waves.iter().zip(&heights).map(|(wave, height)| wave[3 + channel] * height).sum();
            bytes.push((128.0 + 20.0 * sum).clamp(0.0, 255.0) as u8);
        }
    }
    Signature::from_bytes(bytes).unwrap()
}

/// The work grows with the number of pictures, not with its square.
#[test]
fn many_pictures_are_compared_with_few() {
    let all: Vec<Signature> = (0..35_000).into_par_iter().map(random).collect();
    let mut counts = Vec::new();
    for count in [8_750, 35_000] {
        // One in ten is there twice, as something that is not quite the same.
        let mut signatures = all[..count].to_vec();
        let twin = |i: usize| {
            let bytes = signatures[i].bytes().iter().enumerate();
            let bytes = bytes.map(|(k, byte)| byte.saturating_add(((k / 3 * 7 + i) % 5) as u8)).collect();
            Signature::from_bytes(bytes).unwrap()
        };
        let twins: Vec<Signature> = (0..count / 10).map(twin).collect();
        signatures.extend(twins);
        let start = Instant::now();
        let found = groups(&signatures, &Similarity::default());
        eprintln!("{} pictures: {} comparisons, {:.2?}", signatures.len(), found.compared, start.elapsed());
        let joined = (0..count / 10).filter(|&i| found.of[i].is_some() && found.of[i] == found.of[count + i]).count();
        assert_eq!(joined, count / 10, "twins were lost");
        assert_eq!(found.of.iter().flatten().count(), 2 * (count / 10), "others were joined");
        counts.push(found.compared as f64);
    }
    assert!(counts[1] < 7.0 * counts[0], "{counts:?}");
    let every = 38_500f64 * 38_499.0 / 2.0;
    assert!(counts[1] < 0.02 * every, "{counts:?} of {every}");
}

/// Crowds of one and the same picture do not cost their square.
#[test]
fn a_crowd_of_equals_is_one_group() {
    let base = random(1);
    let noisy = |i: usize| {
        let mut bytes = base.bytes().to_vec();
        let at = (i * 97) % bytes.len();
        let by = (i / bytes.len()) as u8 + 1;
        bytes[at] = if bytes[at] > 127 { bytes[at] - by } else { bytes[at] + by };
        Signature::from_bytes(bytes).unwrap()
    };
    let mut crowd: Vec<Signature> = (0..6_000).map(noisy).collect();
    crowd.extend(vec![base.clone(); 6_000]);
    crowd.push(random(2));
    let found = groups(&crowd, &Similarity::default());
    assert!(found.of[..12_000].iter().all(|group| *group == Some(0)) && found.of[12_000].is_none());
    // Each of 16 tables may end a search after four.
    assert!(found.compared < 6_000 * 4 * 16, "{}", found.compared);
}

#[test]
fn the_largest_and_sharpest_is_kept_and_groups_stay_in_one_split() {
    let originals = originals(60);
    let mut pictures = Vec::new();
    for (i, picture) in originals.iter().enumerate() {
        let soft = imageops::blur(picture, 0.8);
        let small = imageops::resize(picture, 120, 60, FilterType::Triangle);
        for (name, picture) in [("soft", &soft), ("sharp", picture), ("small", &small)] {
            pictures.push((format!("{i:03} {name}.png"), Facts::of(picture)));
        }
    }
    let splits = Splits { validation: 0.2, test: 0.3, seed: 1 };
    let (members, _) = group(&pictures, &Similarity::default(), &splits).unwrap();
    for of_one in members.chunks(3) {
        assert!(of_one.iter().all(|member| member.group == of_one[0].group && member.group.is_some()), "{of_one:?}");
        assert!(of_one.iter().all(|member| member.kept == member.file.ends_with("sharp.png")), "{of_one:?}");
        assert!(of_one.iter().all(|member| member.split == of_one[0].split), "{of_one:?}");
    }
    let test = members.iter().filter(|member| member.kept && member.split.name() == "test").count();
    assert_eq!(test, 18);
    let wrong = Splits { validation: 0.9, test: 0.3, seed: 1 };
    assert!(group(&pictures, &Similarity::default(), &wrong).is_err());
}

/// Decoding, comparing and writing; `TACHIE_DEDUPE_FILES=3500 cargo test … --nocapture` says how long it takes.
#[test]
fn a_folder_is_deduplicated_and_the_clock_looked_at() {
    let count: usize = std::env::var("TACHIE_DEDUPE_FILES").ok().and_then(|n| n.parse().ok()).unwrap_or(60);
    let place = tempfile::TempDir::new().unwrap();
    let input = place.path().join("in");
    fs::create_dir_all(&input).unwrap();
    let originals = originals(count.div_ceil(3).min(200));
    for i in 0..count {
        let mut stream = Seed(i as u64).stream("folder");
        let picture = imageops::resize(&originals[i % originals.len()], 512, 512, FilterType::Triangle);
        let (picture, name) = (altered(&picture, &mut stream), format!("{i:05}"));
        let picture = imageops::resize(&picture, 512, 512, FilterType::Triangle);
        if i % 4 == 0 {
            picture.save(input.join(name + ".png")).unwrap();
        } else {
            picture.save(input.join(name + ".jpg")).unwrap();
        }
    }
    let start = Instant::now();
    let found = dedupe(&input, place.path().join("out"), None, &DedupeOptions::default()).unwrap();
    let seconds = start.elapsed().as_secs_f64();
    eprintln!(
        "{count} files of 512 pixels: {seconds:.1} s, 35,000 would take {:.0} s",
        seconds / count as f64 * 35_000.0
    );
    let kept = found.members.iter().filter(|member| member.kept).count();
    assert!(kept.abs_diff(originals.len()) <= originals.len() / 50, "{kept} of {} kept", originals.len());
    assert!(Path::new(&found.step.folder).join("groups.csv").is_file());
    assert_eq!(DedupeOptions::default().copy, Copies::None);
}
