//! Pairs of a character and a photo of what it wears: the same costume in both, exact truth, files.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use image::{GrayImage, RgbImage};
use rayon::prelude::*;
use tachie::data::avatar::Avatar;
use tachie::data::avatar::bodies::costume::{Sleeves, Upper};
use tachie::data::avatar::costumes::{Category, Costumes, PairTruth};
use tachie::data::avatar::palette::Colour;
use tachie::data::dataset::{Dataset, Split};
use tachie::data::skeleton::Skeleton;
use tachie::rng::seed;

use crate::tachie;

fn costumes() -> Costumes {
    Avatar::costumes().size(64).seed(seed(11)).count(60).views(1)
}

/// Mean colour of the pixels where the mask is on.
fn mean(picture: &RgbImage, mask: &GrayImage) -> Colour {
    let mut sums = [0.0f64; 3];
    let mut count = 0.0f64;
    for (pixel, on) in picture.pixels().zip(mask.pixels()) {
        if on.0[0] == 255 {
            (0..3).for_each(|c| sums[c] += f64::from(pixel.0[c]) / 255.0);
            count += 1.0;
        }
    }
    let [r, g, b] = sums.map(|sum| (sum / count.max(1.0)) as f32);
    Colour { r, g, b }
}

#[test]
fn a_seed_makes_the_same_pairs_on_any_number_of_threads() {
    let bytes = |threads: usize, size: u32| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let pairs = costumes().size(size).dataset().unwrap();
        pool.install(|| {
            (0..6)
                .into_par_iter()
                .map(|i| [pairs.source_image(i).unwrap(), pairs.image(i).unwrap()])
                .collect::<Vec<_>>()
        })
    };
    let one = bytes(1, 64);
    assert_eq!(one, bytes(3, 64));
    let other = costumes().seed(seed(12)).dataset().unwrap();
    assert!((0..6).all(|i| other.image(i).unwrap() != one[i][1] && other.source_image(i).unwrap() != one[i][0]));
    // A costume does not depend on how many there are; nor do the places in a picture on its size.
    let many = Avatar::costumes().seed(seed(11)).count(500).views(1);
    assert_eq!(many.image(5).unwrap(), one[5][1]);
    let (small, large) = (costumes().size(64).truth(3).unwrap(), costumes().size(256).truth(3).unwrap());
    for (a, b) in small.keypoints.iter().zip(&large.keypoints) {
        assert!((4.0 * a[0] - b[0]).abs() < 1e-2 && (4.0 * a[1] - b[1]).abs() < 1e-2, "{a:?} {b:?}");
    }
    assert_eq!((small.outfit, small.split), (large.outfit, large.split));
}

#[test]
fn both_pictures_show_the_same_costume() {
    let pairs = costumes();
    let colours: Vec<[Colour; 2]> = (0..60)
        .into_par_iter()
        .map(|i| {
            let [worn, seen] = pairs.masks(i).unwrap();
            let colours = [mean(&pairs.source_image(i).unwrap(), &worn), mean(&pairs.image(i).unwrap(), &seen)];
            let truth = pairs.truth(i).unwrap();
            assert!(truth.drawn.colour.difference(colours[0]) < 0.1 && truth.photo.colour.difference(colours[1]) < 0.1);
            colours
        })
        .collect();
    let n = colours.len();
    let same: Vec<f32> = colours.iter().map(|[a, b]| a.difference(*b)).collect();
    let apart: Vec<f32> = (0..n * (n - 1))
        .map(|k| (k / (n - 1), (k / (n - 1) + 1 + k % (n - 1)) % n))
        .map(|(i, j)| colours[i][0].difference(colours[j][1]))
        .collect();
    let average = |values: &[f32]| values.iter().sum::<f32>() / values.len() as f32;
    let (same, apart) = (average(&same), average(&apart));
    assert!(same < 9.0 && same < 0.3 * apart, "mean ΔE of pairs {same}, of others {apart}");
}

/// Distance in pixels to the nearest pixel of the mask.
fn off(mask: &GrayImage, [x, y, _]: [f32; 3]) -> f32 {
    mask.enumerate_pixels()
        .filter(|(_, _, on)| on.0[0] == 255)
        .map(|(px, py, _)| (px as f32 + 0.5 - x).hypot(py as f32 + 0.5 - y))
        .fold(f32::INFINITY, f32::min)
}

#[test]
fn masks_and_key_points_are_those_of_the_clothing() {
    let names = Skeleton::fashion().unwrap();
    let place = |name: &str| names.position(name).unwrap();
    for calibrated in [true, false] {
        let pairs = costumes().size(128).calibrated(calibrated);
        let truths: Vec<PairTruth> = (0..60).into_par_iter().map(|i| pairs.truth(i).unwrap()).collect();
        truths.par_iter().enumerate().for_each(|(i, truth)| {
            let [worn, seen] = pairs.masks(i).unwrap();
            for (mask, shown) in [(&worn, &truth.drawn), (&seen, &truth.photo)] {
                let count = mask.pixels().filter(|on| on.0[0] == 255).count() as f32;
                assert!((count / 16_384.0 - shown.share).abs() < 1e-6 && shown.share > 0.05, "{i}: {shown:?}");
            }
            let [left, top, right, bottom] = truth.photo.bounds;
            assert!(left > 0 && top > 0 && right < 128 && bottom < 128, "{i}: {:?}", truth.photo.bounds);
            let has: BTreeSet<usize> = truth.categories.iter().flat_map(|c| c.points()).copied().collect();
            for (k, &point) in truth.keypoints.iter().enumerate() {
                if point[2] > 0.0 {
                    assert!(has.contains(&k), "{i}: {} of {:?}", names.names()[k], truth.categories);
                    let far = off(&seen, point);
                    assert!(far < 3.0, "{i}: {} is {far} pixels beside {:?}", names.names()[k], truth.categories);
                } else {
                    assert_eq!(point, [0.0; 3]);
                }
            }
            // Left and right of the picture, from top to bottom.
            let at = |name: &str| truth.keypoints[place(name)];
            for part in ["neckline", "shoulder", "armpit"] {
                assert!(at(&format!("left {part}"))[0] < at(&format!("right {part}"))[0], "{i}: {part}");
            }
            assert!(at("left shoulder")[1] < at("left armpit")[1]);
            assert_eq!(at("left cuff in")[2] > 0.0, truth.outfit.sleeves != Sleeves::Bare);
            if calibrated {
                assert!(
                    (truth.centre[0] - 64.0).abs() < 1.0 && (truth.centre[1] - 64.0).abs() < 1.0,
                    "{:?}",
                    truth.centre
                );
            }
            let middle = 0.5 * (top + bottom) as f32;
            assert!((truth.centre[1] - middle).abs() < 2.0, "{i}: {:?} {middle}", truth.centre);
        });
        let aside = truths.iter().map(|truth| (truth.centre[0] - 64.0).abs()).sum::<f32>() / 60.0;
        assert!(calibrated || aside > 4.0, "uncalibrated centres are {aside} pixels off on average");
    }
    let counts = [Category::Blouse, Category::Outwear, Category::Dress, Category::Skirt, Category::Trousers];
    assert_eq!(counts.map(|category| category.points().len()), [13, 14, 15, 4, 7]);
}

#[test]
fn no_costume_is_in_both_parts_and_hundreds_differ() {
    let pairs = Avatar::costumes().size(32).count(800).views(2);
    let data = pairs.dataset().unwrap();
    assert_eq!((data.len(), data.train().len(), data.test().len()), (800, 720, 80));
    let worn = |part: &Dataset| -> BTreeSet<String> {
        (0..part.len()).map(|i| part.key(i).unwrap().split('-').next().unwrap().to_string()).collect()
    };
    let (train, test) = (worn(&data.train()), worn(&data.test()));
    assert!(train.is_disjoint(&test) && test.len() == 40 && train.len() == 360);
    assert_eq!(pairs.test_costumes().len(), 40);
    let outfits: Vec<_> = (0..400).map(|i| pairs.costume(i).outfit).collect();
    let cuts: BTreeSet<String> = outfits
        .iter()
        .map(|o| format!("{:?} {:?} {:?} {:?} {:?}", o.upper, o.lower, o.sleeves, o.collar, o.pattern))
        .collect();
    assert!(cuts.len() > 150, "{} cuts", cuts.len());
    for upper in [Upper::Sailor, Upper::Blazer, Upper::Sweater, Upper::Hoodie, Upper::Blouse, Upper::Dress, Upper::Coat]
    {
        assert!(outfits.iter().filter(|outfit| outfit.upper == upper).count() > 20, "{upper:?}");
    }
    // Two pairs of one costume: another pose, another photo, the same clothes.
    assert_eq!((pairs.view(6).costume, pairs.view(7).costume), (3, 3));
    assert!(data.image(6).unwrap() != data.image(7).unwrap());
    assert!(data.source_image(6).unwrap() != data.source_image(7).unwrap());
    assert_eq!(data.labels(6).unwrap().values, data.labels(7).unwrap().values);
}

#[test]
fn pairs_of_any_size_are_a_data_set() {
    for size in [16, 64, 100, 128, 256, 512] {
        let data = Avatar::costumes().size(size).count(3).dataset().unwrap();
        assert!(data.has_sources() && data.size() == size);
        assert_eq!(data.image(2).unwrap().dimensions(), (size, size));
        assert_eq!(data.source_image(2).unwrap().dimensions(), (size, size));
        assert_eq!(data.keypoints(2).unwrap().len(), 24);
    }
    let refused = |costumes: Costumes| costumes.dataset().unwrap_err().to_string();
    assert!(refused(costumes().size(15)).contains("16 to"), "too small");
    assert!(refused(costumes().size(100_000)).contains("16 to"), "too large");
    assert!(refused(costumes().count(0)).contains("pairs") && refused(costumes().views(0)).contains("costume"));
    assert!(costumes().image(60).unwrap_err().to_string().contains("below 60"));
    let prints = [costumes(), costumes().size(65), costumes().calibrated(false), costumes().seed(seed(1))];
    let prints: BTreeSet<String> = prints.iter().map(|c| c.dataset().unwrap().fingerprint()).collect();
    assert_eq!(prints.len(), 4);
}

#[test]
fn a_folder_in_the_layout_of_the_paper() {
    let place = tempfile::tempdir().unwrap();
    let arguments =
        ["data", "avatar-costumes", "--count", "12", "--views", "2", "--size", "32", "--seed", "4", "--masks"];
    let into = |out: &'static str| [&arguments[..], &["--out", out]].concat();
    let (code, out, err) = tachie(&into("a"), place.path());
    assert!(code == 0 && out.contains("12 pairs of 32x32, 6 costumes; train 10, test 2"), "{out}{err}");
    let drawn = Avatar::costumes().size(32).seed(seed(4)).count(12).views(2);
    let folder = place.path().join("a");
    let text = fs::read_to_string(folder.join("truth.jsonl")).unwrap();
    assert_eq!(text.lines().count(), 12);
    for (i, line) in text.lines().enumerate() {
        let row: serde_json::Value = serde_json::from_str(line).unwrap();
        let truth: PairTruth = serde_json::from_value(row.clone()).unwrap();
        assert_eq!(truth, drawn.truth(i).unwrap());
        let part = if truth.split == Split::Test { "test" } else { "train" };
        let name = format!("{:05}-{:02}.png", truth.costume, truth.view);
        assert_eq!(row["source"], format!("{part}/a/{name}"));
        let open = |file: String| image::open(folder.join(file)).unwrap();
        assert_eq!(open(format!("{part}/a/{name}")).to_rgb8(), drawn.source_image(i).unwrap());
        assert_eq!(open(row["file"].as_str().unwrap().to_string()).to_rgb8(), drawn.image(i).unwrap());
        let masks = drawn.masks(i).unwrap();
        assert_eq!(open(format!("{part}/masks/b/{name}")).to_luma8(), masks[1]);
    }
    // As if it had been interrupted.
    let file = fs::read_dir(folder.join("train/b")).unwrap().next().unwrap().unwrap().path();
    let before = fs::read(&file).unwrap();
    fs::remove_file(&file).unwrap();
    fs::remove_file(folder.join("truth.jsonl")).unwrap();
    assert_eq!(tachie(&into("a"), place.path()).0, 0);
    assert_eq!((fs::read(&file).unwrap(), fs::read_to_string(folder.join("truth.jsonl")).unwrap()), (before, text));
    let (code, _, err) = tachie(&["data", "avatar-costumes", "--count", "3", "--out", "a"], place.path());
    assert!(code == 1 && err.contains("costumes of other settings"), "{err}");
}

#[test]
fn the_manifest_makes_its_pairs() {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("data-manifests/avatar-costumes.toml");
    let text = fs::read_to_string(manifest).unwrap();
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("avatar-costumes.toml");
    fs::write(&path, text.replace("count = 2000", "count = 40")).unwrap();
    let data = Dataset::open(&path).unwrap();
    assert!(data.has_sources());
    assert_eq!((data.len(), data.size(), data.test().len()), (40, 64, 4));
    fs::write(&path, text.replace("count = 2000", "count = 0")).unwrap();
    assert!(Dataset::open(&path).unwrap_err().to_string().contains("number of pairs"));
}
