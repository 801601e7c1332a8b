//! Face detection: hit for hit OpenCV's, hostile cascade files, and the folder of crops.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use image::{GrayImage, Luma, RgbImage};
use sha2::{Digest, Sha256};
use tachie::data::prepare::cascade::Cascade;
use tachie::data::prepare::detect::{DetectOptions, Hit};
use tachie::data::prepare::faces::{CropOptions, TABLE, crop_folder};
use tachie::rng::Seed;

use super::everything_below;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/cascade").join(name)
}

/// Data that is not part of the project, when it lies beside it.
fn shared(name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/real").join(name);
    if !path.exists() {
        println!("skipped: {} is absent", path.display());
    }
    path.exists().then_some(path)
}

/// The formula of `picture` in fixtures/cascade/make.py.
fn picture(kind: &str, width: usize, height: usize, seed: u32) -> GrayImage {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state
    };
    let cell = match kind {
        "noise" => 1,
        "blocks" => 5,
        _ => 3,
    };
    let mut values = vec![vec![0u64; width]; height];
    for y in (0..height).step_by(cell) {
        for x in (0..width).step_by(cell) {
            let value = u64::from(next() >> 24);
            for row in values.iter_mut().skip(y).take(cell) {
                row.iter_mut().skip(x).take(cell).for_each(|pixel| *pixel = value);
            }
        }
    }
    if kind == "smooth" {
        values = smooth(&values);
    }
    for _ in 0..6 {
        let numbers = [width, height, width / 2, height / 2, 256].map(|limit| (next() >> 8) as usize % limit.max(1));
        let [x, y, w, h, shade] = numbers;
        for row in values.iter_mut().skip(y).take(h) {
            row.iter_mut().skip(x).take(w).for_each(|pixel| *pixel = (*pixel + shade as u64) / 2);
        }
    }
    GrayImage::from_fn(width as u32, height as u32, |x, y| Luma([values[y as usize][x as usize] as u8]))
}

/// The mean of the 7×7 pixels to the right and below.
fn smooth(values: &[Vec<u64>]) -> Vec<Vec<u64>> {
    let mean = |y: usize, x: usize| {
        let rows: Vec<&[u64]> = values.iter().skip(y).take(7).map(|row| &row[x..row.len().min(x + 7)]).collect();
        rows.iter().flat_map(|row| row.iter()).sum::<u64>() / (rows.len() * rows[0].len()) as u64
    };
    (0..values.len()).map(|y| (0..values[y].len()).map(|x| mean(y, x)).collect()).collect()
}

fn digest(hits: &[Hit]) -> String {
    let mut sorted = hits.to_vec();
    sorted.sort();
    let text = sorted.iter().fold(String::new(), |mut text, hit| {
        writeln!(text, "{} {} {} {}", hit.x, hit.y, hit.w, hit.h).unwrap();
        text
    });
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn boxes(cascade: &Cascade, grey: &GrayImage, options: &DetectOptions) -> Vec<Vec<i32>> {
    let faces = cascade.detect_grey(grey, options).unwrap();
    let mut boxes: Vec<_> = faces.iter().map(|f| vec![f.x, f.y, f.w, f.h, f.neighbors as i32]).collect();
    boxes.sort();
    boxes
}

/// golden.csv was printed by OpenCV 4.14 (fixtures/cascade/make.py).
#[test]
fn hits_and_faces_equal_opencv() {
    let mut table = csv::Reader::from_path(fixture("golden.csv")).unwrap();
    let mut hits = 0;
    for row in table.records() {
        let row = row.unwrap();
        let cascade = Cascade::open(fixture(&format!("{}.xml", &row[0]))).unwrap();
        let grey = picture(&row[1], row[2].parse().unwrap(), row[3].parse().unwrap(), row[4].parse().unwrap());
        let options = DetectOptions {
            scale_factor: row[5].parse().unwrap(),
            min_size: row[6].parse().unwrap(),
            min_neighbors: row[7].parse().unwrap(),
            equalize: &row[8] == "1",
            ..DetectOptions::default()
        };
        let raw = cascade.raw_hits(&grey, &options).unwrap();
        assert_eq!((raw.len(), digest(&raw)), (row[9].parse().unwrap(), row[10].to_string()), "{row:?}");
        let numbers = |face: &str| face.split(' ').map(|n| n.parse().unwrap()).collect::<Vec<i32>>();
        let wanted: Vec<_> = row[11].split(';').filter(|face| !face.is_empty()).map(numbers).collect();
        assert_eq!(boxes(&cascade, &grey, &options), wanted, "{row:?}");
        hits += raw.len();
    }
    assert_eq!(hits, 31_466);
}

/// The boxes that specs B.2 gives for the anime face cascade (OpenCV 4.14).
#[test]
fn the_anime_face_cascade_finds_the_published_boxes() {
    let Some(xml) = shared("lbpcascade_animeface.xml") else { return };
    let cascade = Cascade::open(xml).unwrap();
    assert_eq!((cascade.window(), cascade.stages(), cascade.stumps(), cascade.features()), ((24, 24), 20, 771, 642));
    let one = [[40, 42, 173, 173]];
    let eight = [
        [45, 45, 168, 168],
        [47, 305, 164, 164],
        [296, 39, 177, 177],
        [298, 300, 171, 171],
        [554, 48, 167, 167],
        [555, 299, 169, 169],
        [810, 45, 166, 166],
        [814, 302, 165, 165],
    ];
    for (name, raw, wanted) in [("moe/ama_chw.png", 57, &one[..]), ("moe/sample.png", 397, &eight)] {
        let Some(path) = shared(name) else { return };
        let grey = tachie::data::prepare::grey::luma(&image::open(path).unwrap().into_rgb8());
        let options = DetectOptions::default();
        assert_eq!(cascade.raw_hits(&grey, &options).unwrap().len(), raw);
        let found: Vec<_> = boxes(&cascade, &grey, &options).into_iter().map(|face| face[..4].to_vec()).collect();
        assert_eq!(found, wanted);
    }
}

#[test]
fn faces_do_not_depend_on_threads() {
    let cascade = Cascade::open(fixture("small.xml")).unwrap();
    let grey = picture("smooth", 200, 150, 77);
    let on = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| cascade.raw_hits(&grey, &DetectOptions::default()).unwrap())
    };
    assert_eq!(on(1), on(2));
    assert_eq!(on(1), on(7));
}

#[test]
fn pictures_without_room_for_a_face_have_none() {
    let cascade = Cascade::open(fixture("small.xml")).unwrap();
    let options = DetectOptions::default();
    for (width, height) in [(0, 0), (1, 1), (23, 400), (400, 23), (0, 9)] {
        assert!(cascade.detect(&RgbImage::new(width, height), &options).unwrap().is_empty());
    }
    for scale_factor in [1.0, 0.5, f64::NAN, f64::INFINITY, -2.0] {
        let wrong = DetectOptions { scale_factor, ..options };
        let message = cascade.detect(&RgbImage::new(40, 40), &wrong).unwrap_err().to_string();
        assert!(message.contains("scale_factor"), "{message}");
    }
    let small = DetectOptions { max_size: Some(30), min_neighbors: 0, ..options };
    let faces = cascade.detect_grey(&picture("noise", 90, 90, 4), &small).unwrap();
    assert!(!faces.is_empty() && faces.iter().all(|face| face.w <= 30));
}

/// The message for small.xml with one text replaced.
fn refusal(from: &str, to: &str) -> String {
    let text = fs::read_to_string(fixture("small.xml")).unwrap();
    assert!(text.contains(from), "{from}");
    Cascade::from_xml("some.xml", &text.replacen(from, to, 1)).unwrap_err().to_string()
}

#[test]
fn hostile_cascades_are_refused_by_element() {
    let rect = "<features>\n<_><rect>";
    let cases = [
        ("<featureType>LBP", "<featureType>HAAR", "cascade/featureType"),
        ("<stageType>BOOST", "<stageType>", "cascade/stageType"),
        ("<maxCatCount>256", "<maxCatCount>0", "featureParams/maxCatCount"),
        ("<width>24", "<width>4294967295", "cascade/width"),
        ("<height>24", "<height>0", "cascade/height"),
        ("<height>24</height>", "", "no <height> in /cascade"),
        ("<stageNum>4", "<stageNum>5", "4 stages"),
        (rect, "<features>\n<_><rect>9", "cascade/features/_[0]/rect"),
        (rect, "<features>\n<_><rect>-", "cascade/features/_[0]/rect"),
        (rect, "<features>\n<_><rect>1 ", "cascade/features/_[0]/rect"),
        ("<stageThreshold>", "<stageThreshold>x", "stages/_[0]/stageThreshold"),
        ("<leafValues>", "<leafValues>nan ", "_[0]/leafValues"),
        ("<leafValues>-", "<leafValues>-9e99", "_[0]/leafValues"),
        ("<internalNodes>0 -1 0", "<internalNodes>0 -1 900", "feature 900"),
        ("<internalNodes>0 -1 0", "<internalNodes>0 -1 -1", "feature -1"),
        ("<internalNodes>0 -1 0", "<internalNodes>1 0 0", "_[0]/internalNodes"),
        ("<internalNodes>", "<internalNodes>99999999999 ", "_[0]/internalNodes"),
        ("<opencv_storage>", "<opencv_storage><size>24 24</size>", "featureType"),
        ("<cascade>", "<cascade><size>24 24</size>", "old Haar format"),
        ("<cascade>", "<cascade>&lol;", "XML"),
    ];
    for (from, to, words) in cases {
        let message = refusal(from, to);
        let words = if words == "featureType" { "some.xml" } else { words };
        assert!(message.contains("some.xml") && message.contains(words), "{from} -> {to}: {message}");
    }
    let bomb =
        "<!DOCTYPE x [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;\">]><opencv_storage>&b;</opencv_storage>";
    let deep = format!("<opencv_storage>{}", "<a>".repeat(300_000));
    for text in ["", "not XML", "<opencv_storage/>", "<other/>", "\u{0}", bomb, &deep] {
        let message = Cascade::from_xml("some.xml", text).unwrap_err().to_string();
        assert!(message.contains("some.xml"), "{message}");
    }
}

#[test]
fn a_cut_cascade_is_refused_at_every_length() {
    let text = fs::read_to_string(fixture("small.xml")).unwrap();
    for length in (0..text.trim_end().len()).step_by(7) {
        assert!(Cascade::from_xml("cut.xml", &text[..length]).is_err(), "{length} bytes");
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("latin1.xml");
    fs::write(&path, b"<opencv_storage>\xe9</opencv_storage>").unwrap();
    assert!(Cascade::open(&path).unwrap_err().to_string().contains("UTF-8"));
    assert!(Cascade::open(folder.path()).is_err() && Cascade::open(folder.path().join("absent")).is_err());
}

/// Any change of a cascade gives an error or a cascade that can be run.
#[test]
fn altered_cascades_do_not_crash() {
    let text = fs::read_to_string(fixture("small.xml")).unwrap();
    let mut stream = Seed(5).stream("altered cascades");
    let grey = picture("noise", 40, 40, 3);
    for _ in 0..400 {
        let mut bytes = text.clone().into_bytes();
        for _ in 0..1 + stream.below(3) {
            let at = stream.below(bytes.len());
            bytes[at] = b"<>/0123456789-. _ae"[stream.below(19)];
        }
        if let Ok(cascade) = Cascade::from_xml("altered.xml", &String::from_utf8(bytes).unwrap()) {
            cascade.detect_grey(&grey, &DetectOptions::default()).unwrap();
        }
    }
}

/// A folder of pictures in which the small cascade finds something, and files that are no pictures.
fn found_pictures(folder: &Path) {
    fs::create_dir_all(folder.join("下 の 階")).unwrap();
    for (i, name) in ["b.png", "a picture.png", "下 の 階/立ち絵.png"].into_iter().enumerate() {
        picture("smooth", 200, 160, 90 + i as u32).save(folder.join(name)).unwrap();
    }
    fs::copy(folder.join("b.png"), folder.join("truncated.png")).unwrap();
    let file = fs::OpenOptions::new().write(true).open(folder.join("truncated.png")).unwrap();
    file.set_len(3000).unwrap();
    fs::write(folder.join("empty.jpg"), b"").unwrap();
    fs::write(folder.join("notes.txt"), b"no picture").unwrap();
    GrayImage::new(64, 64).save(folder.join("plain.png")).unwrap();
}

#[test]
fn a_folder_becomes_crops_and_a_table_and_nothing_is_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let (input, output) = (folder.path().join("in"), folder.path().join("in/crops"));
    found_pictures(&input);
    let cascade = Cascade::open(fixture("small.xml")).unwrap();
    let detect = DetectOptions { min_neighbors: 3, ..DetectOptions::default() };
    let options = CropOptions { zoom: 1.2, min_side: 30, size: Some(32), detect, ..CropOptions::default() };
    fs::create_dir_all(&output).unwrap();
    fs::write(output.join("b_0.png"), b"mine").unwrap();

    let report = crop_folder(&cascade, &input, &output, &options).unwrap();
    assert_eq!(report.pictures, 6, "{report}");
    assert!(report.written > 5 && report.written < report.found, "{report}");
    assert_eq!(fs::read(output.join("b_0.png")).unwrap(), b"mine");
    let text = report.to_string();
    let kinds = ["no face: 1", "truncated or damaged: 1", "empty file: 1", "name is taken: 1", "leaves the picture"];
    for kind in kinds {
        assert!(text.contains(kind), "{kind}: {text}");
    }
    let mut table = csv::Reader::from_path(output.join(TABLE)).unwrap();
    let rows: Vec<csv::StringRecord> = table.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), report.written);
    assert!(rows.iter().any(|row| row[0].starts_with("下 の 階/立ち絵_") && &row[1] == "下 の 階/立ち絵.png"));
    for row in &rows {
        let crop = image::open(output.join(&row[0])).unwrap();
        assert_eq!((crop.width(), crop.height()), (32, 32), "{row:?}");
        let side = |i: usize| row[i].parse::<f64>().unwrap();
        assert_eq!(side(8), (side(4).max(side(5)) * 1.2).round(), "{row:?}");
    }

    let before = everything_below(&output);
    let again = crop_folder(&cascade, &input, &output, &options).unwrap();
    assert_eq!((again.pictures, again.found, again.written), (6, report.found, 0), "{again}");
    assert_eq!(everything_below(&output), before);
}

#[test]
fn crops_are_refused_where_they_would_do_harm() {
    let folder = tempfile::tempdir().unwrap();
    let cascade = Cascade::open(fixture("small.xml")).unwrap();
    let options = CropOptions::default();
    let crop = |input: &Path, output: &Path, options: &CropOptions| {
        crop_folder(&cascade, input, output, options).unwrap_err().to_string()
    };
    let other = folder.path().join("out");
    assert!(crop(folder.path(), folder.path(), &options).contains("another one"));
    assert!(crop(&folder.path().join("absent"), &other, &options).contains("absent"));
    for zoom in [0.0, -1.5, f64::NAN, 1e9] {
        assert!(crop(folder.path(), &other, &CropOptions { zoom, ..options }).contains("zoom"));
    }
    assert!(crop(folder.path(), &other, &CropOptions { size: Some(0), ..options }).contains("size"));
    fs::create_dir_all(&other).unwrap();
    fs::write(other.join(TABLE), "name,age\nx,1\n").unwrap();
    assert!(crop(folder.path(), &other, &options).contains("columns name, age"));
}

/// The HKUST report's crops of the same faces: 2.2 times the box, cut off at the edges or, as its program does, moved.
#[test]
fn the_boxes_of_the_report_are_cut_off_or_moved() {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("in");
    found_pictures(&input);
    let cascade = Cascade::open(fixture("small.xml")).unwrap();
    let detect = DetectOptions { min_neighbors: 3, ..DetectOptions::default() };
    let mut moved = 0;
    for faithful in [false, true] {
        let output = folder.path().join(format!("out-{faithful}"));
        let options = CropOptions { detect, ..CropOptions::report(faithful) };
        let report = crop_folder(&cascade, &input, &output, &options).unwrap();
        assert_eq!(report.written, report.found, "no face is left out: {report}");
        let mut table = csv::Reader::from_path(output.join(TABLE)).unwrap();
        for row in table.records().map(Result::unwrap) {
            let [x, y, w, h, left, top, side] = [2, 3, 4, 5, 6, 7, 8].map(|i| row[i].parse::<i64>().unwrap());
            let crop = image::open(output.join(&row[0])).unwrap();
            let size = (i64::from(crop.width()), i64::from(crop.height()));
            let (wanted, end) = ([x - 6 * w / 10, y - 6 * h / 10], 22 * w.max(h) / 10);
            if faithful {
                let side = end.min(160);
                assert_eq!([left, top], [wanted[0].clamp(0, 200 - side), wanted[1].clamp(0, 160 - side)], "{row:?}");
                assert_eq!(size, (side, side), "{row:?}");
                moved += usize::from([left, top] != wanted);
            } else {
                assert_eq!(([left, top], side), (wanted, end), "{row:?}");
                let length = |start: i64, most: i64| (start + side).min(most) - start.max(0);
                assert_eq!(size, (length(left, 200), length(top, 160)), "{row:?}");
            }
        }
    }
    assert!(moved > 0);
}
