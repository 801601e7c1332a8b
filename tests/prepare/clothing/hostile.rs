//! A folder as the web gives it, through every step: what is no picture is told, and nothing is touched.

use std::collections::BTreeSet;
use std::fs;
use std::io::Cursor;
use std::path::Path;

use image::{ImageFormat, Rgb, RgbImage, Rgba, RgbaImage};
use tachie::candle_core::Device;
use tachie::data::Dataset;
use tachie::data::avatar::Avatar;
use tachie::data::manifest::{ImagePolicy, PairLayout};
use tachie::data::prepare::clothing::StepReport;
use tachie::data::prepare::clothing::boxes::{Boxes, Detection};
use tachie::data::prepare::clothing::calibrate::{CalibrateOptions, calibrate};
use tachie::data::prepare::clothing::crop_pairs::{Form, PairOptions, crop_pairs};
use tachie::data::prepare::clothing::dedupe::{Copies, DedupeOptions, GROUPS, dedupe};
use tachie::data::prepare::clothing::detector::{self, Detector, Examples, Find, detect_folder};
use tachie::data::prepare::clothing::gather::{CrawlManifest, GatherOptions, gather};
use tachie::data::prepare::clothing::keypoints::{self, KeypointRegressor, read_keypoints};
use tachie::data::prepare::clothing::pad::{PadOptions, pad_folder};
use tachie::data::prepare::clothing::upscale::{UpscaleOptions, upscale};
use tempfile::TempDir;

use super::super::{everything_below, tachie};
use super::detector::tiny;

const GOOD: [&str; 6] = ["a pair.png", "立ち絵/衣装 2.png", "third.jpg", "renamed.png", "alpha.png", "again.png"];
/// Named like pictures, but none that can be used.
const BAD: [&str; 6] = ["truncated.jpg", "cut.png", "empty.png", "text.jpg", "huge.png", "outside.png"];

fn picture(i: u32) -> RgbImage {
    RgbImage::from_fn(240, 160, |x, y| {
        let (dx, dy) = (f64::from(x) / 240.0, f64::from(y) / 160.0);
        let wave =
            ((dx * f64::from(3 + 2 * i) + f64::from(i)).sin() * (dy * f64::from(9 - i)).cos() * 127.0 + 128.0) as u8;
        Rgb([wave, (x / 40 * (30 + 9 * i) % 256) as u8, (y / 20 * (50 + i) % 256) as u8])
    })
}

fn encoded(picture: &RgbImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

/// The beginning of a PNG file that says it is 100,000 pixels wide and high.
fn huge() -> Vec<u8> {
    let mut bytes = encoded(&RgbImage::new(4, 4), ImageFormat::Png);
    bytes[16..24].copy_from_slice(&[0, 1, 0x86, 0xa0, 0, 1, 0x86, 0xa0]);
    let mut crc = flate2::Crc::new();
    crc.update(&bytes[12..29]);
    bytes[29..33].copy_from_slice(&crc.sum().to_be_bytes());
    bytes
}

fn folder() -> TempDir {
    let folder = TempDir::new().unwrap();
    let input = folder.path().join("in");
    fs::create_dir_all(input.join("立ち絵")).unwrap();
    fs::create_dir_all(folder.path().join("beside")).unwrap();
    let write = |name: &str, bytes: &[u8]| fs::write(input.join(name), bytes).unwrap();
    write(GOOD[0], &encoded(&picture(0), ImageFormat::Png));
    write(GOOD[1], &encoded(&picture(1), ImageFormat::Png));
    write(GOOD[2], &encoded(&picture(2), ImageFormat::Jpeg));
    write(GOOD[3], &encoded(&picture(3), ImageFormat::Jpeg));
    RgbaImage::from_fn(240, 160, |x, y| {
        let [r, g, b] = picture(4).get_pixel(x, y).0;
        Rgba([r, g, b, if x < 20 { 0 } else { 255 }])
    })
    .save(input.join(GOOD[4]))
    .unwrap();
    write(GOOD[5], &encoded(&picture(0), ImageFormat::Png));
    let whole = encoded(&picture(5), ImageFormat::Jpeg);
    write(BAD[0], &whole[..whole.len() / 2]);
    let whole = encoded(&picture(5), ImageFormat::Png);
    write(BAD[1], &whole[..whole.len() / 2]);
    write(BAD[2], b"");
    write(BAD[3], "コスプレ衣装".as_bytes());
    write(BAD[4], &huge());
    fs::write(folder.path().join("beside/secret.png"), encoded(&picture(6), ImageFormat::Png)).unwrap();
    write("notes.txt", b"not a picture");
    write("without ending", &encoded(&picture(7), ImageFormat::Png));
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(folder.path().join("beside/secret.png"), input.join(BAD[5])).unwrap();
        std::os::unix::fs::symlink(folder.path().join("beside"), input.join("elsewhere")).unwrap();
    }
    folder
}

/// A character in the left third, clothing with its centre at 150 of 240.
fn boxes(files: &[&str]) -> Boxes {
    let of = |class: &str, area| Detection { class: class.into(), score: 0.9, area };
    let both = |file: &&str| {
        let character = of("character", [4.0, 10.0, 72.0, 140.0]);
        [(file.to_string(), character), (file.to_string(), of("clothing", [110.0, 20.0, 80.0, 120.0]))]
    };
    Boxes::new(files.iter().flat_map(both))
}

/// Every bad file is told, no good one is dropped, and the second call finds all done.
fn check(what: &str, first: &StepReport, again: &StepReport, made: usize) {
    let dropped: BTreeSet<&str> = first
        .problems
        .problems
        .iter()
        .filter(|problem| problem.action == tachie::data::report::Action::LeftOut)
        .map(|problem| problem.file.as_str())
        .collect();
    for bad in BAD.iter().filter(|bad| cfg!(unix) || **bad != "outside.png") {
        assert!(dropped.contains(bad), "{what} does not tell of {bad}: {first}");
    }
    assert_eq!((first.made, first.kept), (made, 0), "{what}: {first}");
    assert_eq!((again.made, again.kept), (0, made), "{what} again: {again}");
    assert_eq!(first.problems, again.problems, "{what}");
    for file in ["report.csv", "report.json", "records.jsonl"] {
        assert!(first.folder.join(file).is_file(), "{what}: {file}");
    }
}

#[test]
fn a_hostile_folder_goes_through_every_step() {
    let place = folder();
    let (input, out) = (place.path().join("in"), |name: &str| place.path().join("out").join(name));
    let before = everything_below(&input);
    let boxes = boxes(&GOOD);

    let options = GatherOptions {
        crawl: Some(CrawlManifest { queries: vec!["コスプレ cosplay".into()], ..CrawlManifest::default() }),
        ..GatherOptions::default()
    };
    let gathered = || gather(std::slice::from_ref(&input), out("gathered"), &options).unwrap();
    let (first, again) = (gathered(), gathered());
    check("gather", &first, &again, 7);
    assert!(fs::read_to_string(out("gathered/crawl.json")).unwrap().contains("コスプレ"));
    assert_eq!(first.problems.of("notes.txt")[0].kind, "not a picture");
    assert_eq!(first.problems.of("renamed.png")[0].kind, "wrong ending");
    assert_eq!(first.problems.of("again.png").len(), 1, "{first}");
    assert!(out("gathered/images/renamed.jpg").is_file() && out("gathered/images/without ending.png").is_file());
    assert_eq!(fs::read(out("gathered/images/third.jpg")).unwrap(), fs::read(input.join("third.jpg")).unwrap());

    let pair = PairOptions { form: Form::Folders, ..PairOptions::default() };
    let cropped = || crop_pairs(&input, out("pairs"), &boxes, &pair).unwrap().1;
    let (first, again) = (cropped(), cropped());
    check("crop-pairs", &first, &again, 6);
    assert_eq!(image::open(out("pairs/b/立ち絵/衣装 2.png")).unwrap().width(), 80);
    let side = crop_pairs(&input, out("side"), &boxes, &PairOptions::default()).unwrap().1;
    assert_eq!((side.made, image::open(out("side/images/a pair.png")).unwrap().height()), (6, 140));

    let options = DedupeOptions { copy: Copies::Copy, ..DedupeOptions::default() };
    let deduped = || dedupe(&input, out("distinct"), None, &options).unwrap();
    let (first, again) = (deduped(), deduped());
    check("dedupe", &first.step, &again.step, 5);
    assert_eq!((&first.members, first.members.len()), (&again.members, 6));
    assert!(first.step.problems.of("again.png")[0].kind == "duplicate", "{first}");
    assert!(out("distinct/images/a pair.png").is_file() && !out("distinct/images/again.png").exists());

    let pad = PadOptions { canvas: (64, 64), edge: 3.0, ground: 9.0, inset: 2, ..PadOptions::default() };
    let padded = || pad_folder(&input, out("padded"), &pad).unwrap();
    let (first, again) = (padded(), padded());
    check("pad", &first, &again, 6);

    let enlarged = || upscale(&input, out("large"), None, &UpscaleOptions { side: Some(300) }).unwrap();
    let (first, again) = (enlarged(), enlarged());
    check("upscale", &first, &again, 6);

    // What networks find does not matter here.
    let (config, once) = (tiny(), detector::Training { steps: 1, batch: 2, ..detector::Training::default() });
    let examples = Examples::of([(picture(0), boxes.of(GOOD[0]).to_vec())], config.size);
    let network = Detector::train(&examples, &config, &once, None, &Device::Cpu, |_, _| ()).unwrap();
    let detected = || detect_folder(&input, out("found"), &network, &Find::default()).unwrap().1;
    let (first, again) = (detected(), detected());
    check("detect", &first, &again, 6);

    let costumes = Avatar::costumes().size(16).count(4).dataset().unwrap();
    let once = keypoints::Training { steps: 1, batch: 2, ..keypoints::Training::clothing() };
    let network = KeypointRegressor::train(&costumes, &once, |_, _| ()).unwrap();
    let read = || read_keypoints(&input, out("points"), &network).unwrap().1;
    let (first, again) = (read(), read());
    check("keypoints", &first, &again, 6);

    let options = CalibrateOptions { size: 64, ..CalibrateOptions::default() };
    let calibrated = || calibrate(&input, out("calibrated"), None, Some(&boxes), &options).unwrap();
    let ((rows, first), (_, again)) = (calibrated(), calibrated());
    check("calibrate", &first, &again, 6);
    for (file, row) in &rows {
        assert!((row.transform.point(row.centre)[0] - 32.0).abs() < 0.5, "{file}: {row:?}");
    }
    assert!(fs::read_to_string(out("calibrated/calibration.csv")).unwrap().contains("衣装 2.png"));

    // Pairs of what was cut, without duplicates of the characters.
    let a = dedupe(out("pairs/a"), out("groups"), None, &DedupeOptions::default()).unwrap();
    assert_eq!(a.members.iter().filter(|member| member.kept).count(), 5, "{a}");
    fs::write(out("pairs/b/alone.png"), b"no picture").unwrap();
    let (pairs, groups) = (out("pairs").display().to_string(), out("groups").join(GROUPS).display().to_string());
    let output = tachie(&["data", "pairs", "--in", &pairs, "--groups", &groups, "--size", "32"]);
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success() && text.contains("5 pictures of 32×32"), "{text}");
    assert!(text.contains("no source of that name: 1") && text.contains("duplicate: 1"), "{text}");
    let dataset = Dataset::open(out("pairs")).unwrap();
    assert!(dataset.has_sources() && dataset.len() == 5);

    // The raw folder as pairs of itself.
    fs::create_dir_all(place.path().join("same")).unwrap();
    let folders = PairLayout::Folders { source: "in".into(), target: "in".into() };
    let same = Dataset::paired(place.path(), &folders, &ImagePolicy::new(16)).unwrap();
    assert_eq!(same.len(), 6, "{}", same.report());
    assert!(everything_below(&input) == before, "the pictures were touched");
}

#[test]
fn outputs_are_guarded() {
    let place = folder();
    let (input, out) = (place.path().join("in"), place.path().join("out"));
    let inside = pad_folder(&input, input.join("padded"), &PadOptions::default()).unwrap_err().to_string();
    assert!(inside.contains("outside of the folder of pictures"), "{inside}");
    assert!(!input.join("padded").exists());
    let options = PadOptions { canvas: (16, 16), ..PadOptions::default() };
    pad_folder(&input, &out, &options).unwrap();
    let other = pad_folder(&input, &out, &PadOptions { inset: 3, ..options }).unwrap_err().to_string();
    assert!(other.contains("other settings"), "{other}");
    let step = dedupe(&input, &out, None, &DedupeOptions::default()).unwrap_err().to_string();
    assert!(step.contains("other settings"), "{step}");
    // A picture that was lost and one that has changed are made again, and nothing else.
    fs::remove_file(out.join("images/third.png")).unwrap();
    fs::write(input.join("alpha.png"), encoded(&picture(8), ImageFormat::Png)).unwrap();
    let again = pad_folder(&input, &out, &options).unwrap();
    assert_eq!((again.made, again.kept), (2, 4), "{again}");
    // A record that a crash has torn costs its last line.
    let records = out.join("records.jsonl");
    let text = fs::read(&records).unwrap();
    fs::write(&records, &text[..text.len() - 9]).unwrap();
    assert_eq!(pad_folder(&input, &out, &options).unwrap().problems.used, 6);
    let names = [Path::new("a"), Path::new("b")].map(|name| place.path().join(name).join("same"));
    names.iter().for_each(|name| fs::create_dir_all(name).unwrap());
    let twice = gather(&names, place.path().join("g"), &GatherOptions::default()).unwrap_err().to_string();
    assert!(twice.contains("different names"), "{twice}");
}
