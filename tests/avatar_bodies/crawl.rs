//! The messy folder: its truth is that of its files.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use image::{ColorType, DynamicImage, ImageFormat, RgbImage, imageops};
use rayon::prelude::*;
use tachie::data::Images;
use tachie::data::avatar::Avatar;
use tachie::data::avatar::crawl::{
    Arrangement, Bounds, Crawl, CrawledFile, FileTruth, Kind, Oddity, TRUTH, read_truth,
};
use tachie::data::manifest::ImagePolicy;
use tachie::rng::seed;

use crate::tachie;

fn crawl() -> Crawl {
    Avatar::crawl().files(160).seed(seed(3)).sides(96..=200)
}

fn decoded(file: &CrawledFile) -> Option<DynamicImage> {
    image::load_from_memory(&file.bytes).ok()
}

/// Whether `outer` reaches as far as `inner`, up to `slack` pixels.
fn holds(outer: Bounds, inner: Bounds, slack: f32) -> bool {
    inner[0] >= outer[0] - slack
        && inner[1] >= outer[1] - slack
        && inner[2] <= outer[2] + slack
        && inner[3] <= outer[3] + slack
}

#[test]
fn a_crawl_has_all_kinds_and_the_same_bytes_for_a_seed() {
    let files = crawl().all().unwrap();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    assert_eq!(pool.install(|| crawl().all().unwrap()), files);
    assert!(crawl().seed(seed(4)).all().unwrap()[..20].iter().zip(&files).any(|(a, b)| a.bytes != b.bytes));
    let names: BTreeSet<&str> = files.iter().map(|file| file.truth.file.as_str()).collect();
    assert_eq!(names.len(), 160);
    assert!(names.iter().any(|name| name.contains('コ')) && names.iter().any(|name| name.contains(' ')));
    let count = |is: &dyn Fn(&FileTruth) -> bool| files.iter().filter(|file| is(&file.truth)).count();
    let kinds = [
        (Kind::Pair, 90..125),
        (Kind::Character, 8..30),
        (Kind::Clothing, 6..25),
        (Kind::TwoCharacters, 3..15),
        (Kind::Landscape, 3..15),
        (Kind::Page, 2..12),
        (Kind::Broken, 5..6),
    ];
    for (kind, expected) in kinds {
        let found = count(&|truth| truth.kind == kind);
        assert!(expected.contains(&found), "{kind:?}: {found}");
    }
    assert_eq!(count(&|truth| truth.duplicate.is_some()), 26);
    for oddity in [Oddity::Truncated, Oddity::Empty, Oddity::Text, Oddity::Renamed, Oddity::Alpha, Oddity::Grey] {
        assert!(count(&|truth| truth.oddity == Some(oddity)) > 0, "{oddity:?}");
    }
    for arrangement in [Arrangement::Left, Arrangement::Right, Arrangement::Above, Arrangement::Below] {
        assert!(count(&|truth| truth.arrangement == Some(arrangement)) > 3, "{arrangement:?}");
    }
}

#[test]
fn the_truth_is_that_of_the_files() {
    let place = tempfile::tempdir().unwrap();
    let files = crawl().all().unwrap();
    files.par_iter().enumerate().for_each(|(i, file)| {
        let truth = &file.truth;
        let path = place.path().join(format!("{i}"));
        fs::write(&path, &file.bytes).unwrap();
        let opened = Images::open(&path, &ImagePolicy::new(32));
        assert_eq!(opened.is_ok(), truth.is_readable(), "{}: {:?}", truth.file, opened.err());
        if !truth.is_readable() {
            assert!(truth.oddity.is_some_and(Oddity::is_broken) && truth.keypoints.is_empty());
            return;
        }
        let picture = decoded(file).unwrap();
        assert_eq!((picture.width(), picture.height()), (truth.width, truth.height), "{}", truth.file);
        check_oddity(file, &picture);
        check_boxes(truth);
        if let (Some(bounds), Some(panel)) = (truth.character, truth.character_panel) {
            check_character(&picture.to_rgb8(), bounds, panel, &truth.file);
        }
    });
}

fn check_oddity(file: &CrawledFile, picture: &DynamicImage) {
    let format = image::guess_format(&file.bytes).unwrap();
    let named = ImageFormat::from_path(&file.truth.file).unwrap();
    assert_eq!(format != named, file.truth.oddity == Some(Oddity::Renamed), "{}", file.truth.file);
    match file.truth.oddity {
        Some(Oddity::Alpha) => assert!(picture.color().has_alpha()),
        Some(Oddity::Grey) => assert_eq!(picture.color(), ColorType::L8),
        _ => assert_eq!(picture.color(), ColorType::Rgb8),
    }
}

fn check_boxes(truth: &FileTruth) {
    let frame = [0.0, 0.0, truth.width as f32, truth.height as f32];
    let pair = truth.kind == Kind::Pair;
    assert_eq!((pair, pair), (truth.pair.is_some(), truth.arrangement.is_some()));
    let drawn = matches!(truth.kind, Kind::Pair | Kind::Character | Kind::TwoCharacters);
    let clothed = matches!(truth.kind, Kind::Pair | Kind::Clothing);
    assert_eq!((truth.character.is_some(), truth.character_panel.is_some()), (drawn, drawn), "{}", truth.file);
    assert_eq!((truth.clothing.is_some(), truth.clothing_panel.is_some()), (clothed, clothed), "{}", truth.file);
    for (bounds, panel) in [(truth.character, truth.character_panel), (truth.clothing, truth.clothing_panel)] {
        let (Some(bounds), Some(panel)) = (bounds, panel) else { continue };
        assert!(holds(frame, panel, 0.01) && holds(panel, bounds, 0.01), "{}: {bounds:?} in {panel:?}", truth.file);
        assert!(bounds[2] - bounds[0] > 8.0 && bounds[3] - bounds[1] > 16.0, "{}: {bounds:?}", truth.file);
    }
    assert_eq!(truth.keypoints.len(), if clothed { 24 } else { 0 });
    if let (Some(bounds), Some(centre)) = (truth.clothing, truth.centre) {
        let known: Vec<_> = truth.keypoints.iter().filter(|point| point[2] > 0.0).collect();
        assert!(known.len() >= 9, "{}: {} points", truth.file, known.len());
        for &&[x, y, _] in &known {
            assert!(holds(bounds, [x, y, x, y], 2.0), "{}: ({x}, {y}) in {bounds:?}", truth.file);
        }
        assert!((0.5 * (bounds[1] + bounds[3]) - centre[1]).abs() < 0.01);
        assert!((0.5 * (bounds[0] + bounds[2]) - centre[0]).abs() < 0.1 * (bounds[2] - bounds[0]));
    }
    if let (Some(a), Some(b), Some(arrangement)) = (truth.character_panel, truth.clothing_panel, truth.arrangement) {
        let apart = match arrangement {
            Arrangement::Left => b[0] - a[2],
            Arrangement::Right => a[0] - b[2],
            Arrangement::Above => b[1] - a[3],
            Arrangement::Below => a[1] - b[3],
        };
        assert!(apart > -0.01, "{}: {a:?} {arrangement:?} {b:?}", truth.file);
    }
}

/// Beside its box the panel of a character is empty, and at the borders of the box it is not.
fn check_character(picture: &RgbImage, bounds: Bounds, panel: Bounds, file: &str) {
    let inside = |[left, top, right, bottom]: Bounds, x: f32, y: f32, slack: f32| {
        (left - slack..right + slack).contains(&x) && (top - slack..bottom + slack).contains(&y)
    };
    let corner = [panel[2].ceil() as u32 - 2, panel[1] as u32 + 1];
    let backdrop = picture.get_pixel(corner[0], corner[1]).0;
    let differs = |pixel: &[u8; 3]| pixel.iter().zip(backdrop).any(|(a, b)| a.abs_diff(b) > 60);
    let (mut outside, mut found) = (0, [f32::INFINITY, f32::INFINITY, 0.0f32, 0.0f32]);
    for (x, y, pixel) in picture.enumerate_pixels() {
        let (mx, my) = (x as f32 + 0.5, y as f32 + 0.5);
        if !inside(panel, mx, my, -1.5) || !differs(&pixel.0) {
            continue;
        }
        outside += usize::from(!inside(bounds, mx, my, 2.0));
        found = [found[0].min(mx), found[1].min(my), found[2].max(mx), found[3].max(my)];
    }
    assert!(outside < 6, "{file}: {outside} pixels of a character outside of {bounds:?}");
    let slack = 0.04 * (panel[3] - panel[1]) + 2.0;
    assert!(holds(found, bounds, slack), "{file}: drawn {found:?}, box {bounds:?}");
}

/// Mean difference of two pictures seen from afar, in [0, 1].
fn apart(a: &RgbImage, b: &RgbImage) -> f64 {
    let small = |picture| imageops::resize(picture, 24, 24, imageops::FilterType::Triangle);
    let (a, b) = (small(a), small(b));
    let sum: u64 = a.as_raw().iter().zip(b.as_raw()).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
    sum as f64 / (255.0 * a.as_raw().len() as f64)
}

#[test]
fn duplicates_are_alike_and_others_are_not() {
    let files = crawl().all().unwrap();
    let names: BTreeMap<&str, usize> = files.iter().enumerate().map(|(i, f)| (f.truth.file.as_str(), i)).collect();
    let pictures: Vec<Option<RgbImage>> = files.par_iter().map(|f| decoded(f).map(|p| p.to_rgb8())).collect();
    let mut alike = Vec::new();
    for file in &files {
        let Some(alteration) = &file.truth.duplicate else { continue };
        let of = names[alteration.of.as_str()];
        let original = &files[of].truth;
        assert!(original.duplicate.is_none() && original.group == file.truth.group);
        assert_eq!((original.kind, original.pair), (file.truth.kind, file.truth.pair));
        assert!(alteration.crop.iter().all(|share| (0.0..=0.031).contains(share)));
        assert!((0.6..=1.25).contains(&alteration.scale) && (0.95..=1.05).contains(&alteration.brightness));
        let this = pictures[names[file.truth.file.as_str()]].as_ref().unwrap();
        alike.push(apart(this, pictures[of].as_ref().unwrap()));
    }
    let worst = alike.iter().copied().fold(0.0, f64::max);
    let others: Vec<f64> = (0..files.len())
        .flat_map(|i| (0..i).map(move |j| (i, j)))
        .filter(|&(i, j)| files[i].truth.group != files[j].truth.group)
        .filter_map(|(i, j)| Some(apart(pictures[i].as_ref()?, pictures[j].as_ref()?)))
        .collect();
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let close = others.iter().filter(|&&other| other < worst).count();
    assert!(mean(&alike) < 0.03 && mean(&others) > 0.15, "{} {}", mean(&alike), mean(&others));
    assert!(close < others.len() / 200, "{close} of {} are nearer than {worst}", others.len());
    let groups: BTreeMap<usize, usize> = files.iter().fold(BTreeMap::new(), |mut groups, file| {
        *groups.entry(file.truth.group).or_default() += 1;
        groups
    });
    assert_eq!(groups.values().sum::<usize>() - groups.len(), alike.len());
}

#[test]
fn a_crawl_as_a_folder() {
    let place = tempfile::tempdir().unwrap();
    let arguments = ["data", "avatar-crawl", "--files", "40", "--seed", "2", "--min-side", "64", "--max-side", "90"];
    let into = |out: &'static str| [&arguments[..], &["--out", out]].concat();
    let (code, out, err) = tachie(&into("a"), place.path());
    assert!(code == 0 && out.contains("40 files") && out.contains("1 broken"), "{out}{err}");
    let files = Avatar::crawl().files(40).seed(seed(2)).sides(64..=90).all().unwrap();
    let folder = place.path().join("a");
    let truth = read_truth(folder.join(TRUTH)).unwrap();
    assert_eq!(truth, files.iter().map(|file| file.truth.clone()).collect::<Vec<_>>());
    for file in &files {
        assert_eq!(fs::read(folder.join(&file.truth.file)).unwrap(), file.bytes);
        let longer = file.truth.width.max(file.truth.height);
        assert!(!file.truth.is_readable() || (36..=113).contains(&longer), "{longer}");
    }
    assert_eq!(tachie(&into("a"), place.path()).0, 0);
    let (code, _, err) = tachie(&["data", "avatar-crawl", "--files", "3", "--out", "a"], place.path());
    assert!(code == 1 && err.contains("a crawl of other settings"), "{err}");
    fs::write(folder.join(TRUTH), "{}\n").unwrap();
    let error = read_truth(folder.join(TRUTH)).unwrap_err().to_string();
    assert!(error.contains("truth.jsonl:1"), "{error}");
    let reversed = std::ops::RangeInclusive::new(90, 80);
    for refused in [Avatar::crawl().files(0), Avatar::crawl().sides(10..=90), Avatar::crawl().sides(reversed)] {
        assert!(refused.all().is_err());
    }
    assert_eq!(Avatar::crawl().files(1).sides(64..=64).all().unwrap().len(), 1);
}
