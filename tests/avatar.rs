//! The built-in faces: exact labels, equal bytes everywhere, every label visible, colours that can be read back.

use image::RgbImage;
use rayon::prelude::*;
use tachie::data::avatar::Avatar;
use tachie::data::avatar::faces::{
    FaceSpec, MAX_SIZE, Region, eye_colour, hair_colour, label, label_pair, label_sheet, read_colours, render,
    render_regions,
};
use tachie::data::avatar::palette::{EYES, HAIR, nearest_eyes, nearest_hair};
use tachie::data::dataset::Dataset;
use tachie::data::tags::{MAKE_GIRLS_TAGS, TagSampler, TagSet};
use tachie::rng::seed;

fn threads<T: Send>(n: usize, work: impl FnOnce() -> T + Send) -> T {
    rayon::ThreadPoolBuilder::new().num_threads(n).build().unwrap().install(work)
}

#[test]
fn equal_settings_give_equal_bytes() {
    let faces = Avatar::faces().size(32).seed(seed(3));
    let many = threads(1, || faces.clone().take(12)).unwrap();
    let few = threads(4, || faces.clone().take(5)).unwrap();
    for i in 0..5 {
        assert_eq!(many.image(i).unwrap(), few.image(i).unwrap(), "face {i}");
        assert_eq!(many.labels(i).unwrap(), few.labels(i).unwrap());
        assert_eq!(many.image(i).unwrap(), faces.image(i).unwrap());
    }
    assert_eq!(many.fingerprint(), faces.clone().take(12).unwrap().fingerprint());
    let other = faces.clone().seed(seed(4)).take(12).unwrap();
    assert_ne!(many.image(0).unwrap(), other.image(0).unwrap());
    let fingerprints = [few.fingerprint(), other.fingerprint(), faces.size(33).take(12).unwrap().fingerprint()];
    assert!(!fingerprints.contains(&many.fingerprint()));
}

#[test]
fn labels_are_the_papers_and_colours_exclude_each_other() {
    let data = Avatar::faces().size(8).seed(seed(1)).take(300).unwrap();
    assert_eq!(data.tags(), &TagSet::make_girls());
    assert_eq!((data.len(), data.size(), data.tags().len()), (300, 8, label::COUNT));
    for i in 0..data.len() {
        let values = data.labels(i).unwrap().values;
        assert!(values.iter().all(|v| *v == 0.0 || *v == 1.0));
        assert_eq!(values[label::HAIR].iter().sum::<f32>(), 1.0);
        assert_eq!(values[label::EYES].iter().sum::<f32>(), 1.0);
    }
    let names = [
        (label::LONG_HAIR, "long hair"),
        (label::SHORT_HAIR, "short hair"),
        (label::TWINTAILS, "twintails"),
        (label::DRILL_HAIR, "drill hair"),
        (label::PONYTAIL, "ponytail"),
        (label::BLUSH, "blush"),
        (label::SMILE, "smile"),
        (label::OPEN_MOUTH, "open mouth"),
        (label::HAT, "hat"),
        (label::RIBBON, "ribbon"),
        (label::GLASSES, "glasses"),
    ];
    assert!(names.iter().all(|(id, name)| MAKE_GIRLS_TAGS[*id].name == *name));
    for (id, hair) in label::HAIR.zip(HAIR) {
        assert_eq!(MAKE_GIRLS_TAGS[id].name, format!("{} hair", hair.name));
    }
    for (id, eyes) in label::EYES.zip(EYES) {
        assert_eq!(MAKE_GIRLS_TAGS[id].name, format!("{} eyes", eyes.name));
    }
}

#[test]
fn both_samplers_follow_their_chances() {
    const N: usize = 4000;
    let count = |sampler| {
        let faces = Avatar::faces().seed(seed(9)).sampler(sampler);
        let mut counts = [0usize; label::COUNT];
        for i in 0..N {
            let labels = faces.spec(i).unwrap().labels;
            counts.iter_mut().zip(labels).for_each(|(count, on)| *count += usize::from(on));
        }
        counts
    };
    let (uniform, frequent) = (count(TagSampler::Uniform), count(TagSampler::Frequencies));
    for id in 0..label::COUNT {
        let paper = match id {
            id if label::HAIR.contains(&id) => 1.0 / 13.0,
            id if label::EYES.contains(&id) => 0.1,
            _ => 0.25,
        };
        for (found, wanted) in [(uniform[id], paper), (frequent[id], MAKE_GIRLS_TAGS[id].chance)] {
            let deviation = (N as f64 * wanted * (1.0 - wanted)).sqrt();
            let off = (found as f64 - N as f64 * wanted).abs();
            assert!(off < 4.5 * deviation, "{}: {found} of {N}, seed 9", MAKE_GIRLS_TAGS[id].name);
        }
    }
}

/// Share of pixels where some channel differs by more than 24 of 255, and their mean place.
fn changed(off: &RgbImage, on: &RgbImage) -> (f64, f64, f64) {
    let (mut count, mut x_sum, mut y_sum) = (0.0, 0.0, 0.0);
    for (x, y, pixel) in on.enumerate_pixels() {
        let other = off.get_pixel(x, y).0;
        if pixel.0.iter().zip(other).any(|(a, b)| a.abs_diff(b) > 24) {
            count += 1.0;
            x_sum += f64::from(x);
            y_sum += f64::from(y);
        }
    }
    let side = f64::from(on.width());
    (count / (side * side), x_sum / count / side, y_sum / count / side)
}

/// Least share of pixels at 64 px that a label has to change on every face, and the band in which their mean y lies.
fn expected_change(id: usize) -> (f64, std::ops::Range<f64>) {
    match id {
        label::LONG_HAIR => (0.020, 0.45..0.95),
        label::SHORT_HAIR => (0.020, 0.40..0.95),
        label::TWINTAILS => (0.060, 0.30..0.90),
        label::DRILL_HAIR => (0.050, 0.40..0.95),
        label::PONYTAIL => (0.070, 0.15..0.85),
        label::BLUSH => (0.004, 0.53..0.66),
        label::SMILE => (0.002, 0.35..0.72),
        label::OPEN_MOUTH => (0.002, 0.60..0.74),
        label::HAT => (0.080, 0.05..0.35),
        label::RIBBON => (0.012, 0.10..0.45),
        label::GLASSES => (0.015, 0.42..0.60),
        id if label::HAIR.contains(&id) => (0.120, 0.25..0.60),
        _ => (0.008, 0.45..0.57),
    }
}

#[test]
fn every_label_changes_a_64_px_face_where_it_should() {
    for (id, tag) in MAKE_GIRLS_TAGS.iter().enumerate() {
        let (least, band) = expected_change(id);
        for number in 0..8 {
            let (off, on) = label_pair(id, seed(number)).unwrap();
            let (off, on) = (render(&off, 64).unwrap(), render(&on, 64).unwrap());
            let (share, _, y) = changed(&off, &on);
            let name = tag.name;
            assert!(share >= least, "{name}: {share:.4} of the pixels change, seed {number}");
            assert!(band.contains(&y), "{name}: changes about y = {y:.2}, seed {number}");
        }
    }
}

#[test]
fn labels_also_show_among_random_others() {
    let faces = Avatar::faces().seed(seed(21));
    let tags = [label::BLUSH, label::SMILE, label::OPEN_MOUTH, label::HAT, label::RIBBON, label::GLASSES];
    for id in tags.into_iter().chain([label::TWINTAILS, label::DRILL_HAIR, label::PONYTAIL]) {
        for i in 0..25 {
            let face = faces.spec(i).unwrap();
            let off = render(&face.with_label(id, false).unwrap(), 64).unwrap();
            let on = render(&face.with_label(id, true).unwrap(), 64).unwrap();
            let (share, ..) = changed(&off, &on);
            let least = expected_change(id).0 * 0.4;
            assert!(share >= least, "{}: {share:.4} on face {i} of seed 21", MAKE_GIRLS_TAGS[id].name);
        }
    }
}

#[test]
fn one_label_changes_nothing_else() {
    let face = Avatar::faces().seed(seed(5)).spec(0).unwrap();
    for id in 0..label::COUNT {
        let on = face.with_label(id, true).unwrap();
        assert_eq!(FaceSpec { labels: face.labels, ..on.clone() }, face);
        let group = [label::HAIR, label::EYES].into_iter().find(|group| group.contains(&id)).unwrap_or(id..id + 1);
        for other in (0..label::COUNT).filter(|other| !group.contains(other)) {
            assert_eq!(on.labels[other], face.labels[other]);
        }
        assert_eq!(group.filter(|l| on.has(*l)).collect::<Vec<_>>(), [id]);
    }
    let hair = face.hair_index();
    let error = face.with_label(hair, false).unwrap_err().to_string();
    assert!(error.contains(MAKE_GIRLS_TAGS[hair].name), "{error}");
    assert!(face.with_label(34, true).is_err());
    let text = serde_json::to_string(&face).unwrap();
    assert_eq!(serde_json::from_str::<FaceSpec>(&text).unwrap(), face);
}

#[test]
fn impossible_labels_are_refused() {
    let set = TagSet::make_girls();
    let refused = |labels| FaceSpec::sample(&labels, seed(1)).unwrap_err().to_string();
    assert!(refused(set.parse("smile, blue eyes").unwrap()).contains("hair colours: found none"));
    assert!(refused(set.parse("pink hair").unwrap()).contains("eye colours"));
    assert!(refused(set.parse("pink hair, blue eyes, smile=0.5").unwrap()).contains("smile"));
    assert!(refused(TagSet::make_girls_256().labels()).contains("make_girls"));
    let face = FaceSpec::sample(&set.parse("pink hair, blue eyes, hat").unwrap(), seed(1)).unwrap();
    assert!(face.has(label::HAT) && HAIR[face.hair_index()].name == "pink" && EYES[face.eye_index()].name == "blue");
}

#[test]
fn named_colours_are_clearly_different() {
    for colours in [HAIR.as_slice(), EYES.as_slice()] {
        for (i, a) in colours.iter().enumerate() {
            for b in &colours[..i] {
                let difference = a.colour.difference(b.colour);
                assert!(difference > 30.0, "{} and {}: {difference}", a.name, b.name);
            }
        }
    }
}

#[test]
fn colours_are_read_back_from_64_px_faces() {
    const N: usize = 600;
    let faces = Avatar::faces().size(64).seed(seed(77));
    let right: Vec<[bool; 4]> = (0..N)
        .into_par_iter()
        .map(|i| {
            let face = faces.spec(i).unwrap();
            let (image, regions) = (render(&face, 64).unwrap(), render_regions(&face, 64).unwrap());
            let shown = |region| {
                let pixels = image.enumerate_pixels().filter(|(x, y, _)| regions.at(*x, *y) == region);
                pixels.map(|(.., pixel)| pixel.0).collect::<Vec<_>>()
            };
            let read = read_colours(&image);
            [
                nearest_hair(hair_colour(&shown(Region::Hair))) == face.hair_index(),
                nearest_eyes(eye_colour(&shown(Region::Iris))) == face.eye_index(),
                read.hair == face.hair_index(),
                read.eyes == face.eye_index(),
            ]
        })
        .collect();
    let share = |what: usize| right.iter().filter(|r| r[what]).count() as f64 / N as f64;
    let found = [0, 1, 2, 3].map(share);
    assert!(found[..2].iter().all(|share| *share >= 0.97), "in the exact regions: {found:?}, seed 77");
    assert!(found[2..].iter().all(|share| *share >= 0.95), "in the mean windows: {found:?}, seed 77");
}

#[test]
fn regions_follow_the_labels() {
    let (bare, glasses) = label_pair(label::GLASSES, seed(2)).unwrap();
    let [bare, glasses] = [bare, glasses].map(|face| render_regions(&face, 128).unwrap());
    assert_eq!(bare.share(Region::Accessory), 0.0);
    assert!(glasses.share(Region::Accessory) > 0.005);
    let total: f64 = Region::ALL.iter().map(|region| bare.share(*region)).sum();
    assert!((total - 1.0).abs() < 1e-9);
    assert!(bare.share(Region::Iris) > 0.012 && bare.share(Region::Hair) > 0.12 && bare.share(Region::Mouth) > 0.0002);
    let mask = bare.mask(Region::Iris);
    assert_eq!(mask.get_pixel(0, 0).0, [0]);
    assert_eq!((bare.size(), bare.at(999, 0)), (128, Region::Background));
}

#[test]
fn small_and_large_pictures_show_the_same_face() {
    let face = Avatar::faces().seed(seed(8)).spec(3).unwrap();
    assert_eq!(render(&face, 1).unwrap().dimensions(), (1, 1));
    let (small, large) = (render(&face, 16).unwrap(), render(&face, 1024).unwrap());
    let reduced = image::imageops::resize(&large, 16, 16, image::imageops::FilterType::Triangle);
    let difference: u64 = small.as_raw().iter().zip(reduced.as_raw()).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
    let mean = difference as f64 / small.as_raw().len() as f64;
    assert!(mean < 5.0, "mean difference {mean} of 255, seed 8");
}

#[test]
fn sizes_that_cannot_be_are_refused() {
    let face = Avatar::faces().spec(0).unwrap();
    for size in [0, MAX_SIZE + 1, u32::MAX] {
        assert!(render(&face, size).unwrap_err().to_string().contains("face size"), "{size}");
        assert!(render_regions(&face, size).is_err() && label_sheet(size, seed(0)).is_err());
        assert!(Avatar::faces().size(size).take(1).is_err());
    }
    assert!(Avatar::faces().take(0).is_err());
    for n in [usize::MAX, usize::MAX / 12_288, 1 << 50] {
        assert!(Avatar::faces().take(n).unwrap_err().to_string().contains("memory"), "{n}");
    }
}

#[test]
fn a_sheet_shows_every_label() {
    let sheet = label_sheet(24, seed(1)).unwrap();
    assert_eq!(sheet.len(), label::COUNT);
    for (pair, tag) in sheet.iter().zip(MAKE_GIRLS_TAGS) {
        assert_eq!(pair.label, tag.name);
        assert_eq!(pair.on.dimensions(), (24, 24));
        assert_ne!(pair.on, pair.off, "{}", pair.label);
    }
}

#[test]
fn a_written_folder_is_the_same_data_set() {
    let folder = tempfile::tempdir().unwrap();
    let faces = Avatar::faces().size(20).seed(seed(6));
    let out = folder.path().join("faces");
    let manifest = faces.write_folder(7, &out).unwrap();
    let (read, drawn) = (Dataset::open(&manifest).unwrap(), faces.clone().take(7).unwrap());
    assert_eq!((read.len(), read.size(), read.tags()), (7, 20, drawn.tags()));
    for i in 0..7 {
        assert_eq!(read.image(i).unwrap(), drawn.image(i).unwrap());
        assert_eq!(read.labels(i).unwrap().values, drawn.labels(i).unwrap().values);
    }
    assert!(faces.write_folder(7, &out).unwrap_err().to_string().contains("not empty"));
    assert!(faces.write_folder(0, folder.path().join("none")).is_err());
    assert!(!folder.path().join("none").exists());
}

#[test]
fn the_year_is_a_label_that_the_style_follows() {
    const N: usize = 200;
    let (plain, faces) = (Avatar::faces().seed(seed(41)), Avatar::faces().seed(seed(41)).years());
    let data = faces.clone().size(24).take(N).unwrap();
    assert_eq!(data.tags(), &TagSet::make_girls().with_continuous("year").unwrap());
    let years: Vec<f32> = (0..N).map(|i| data.labels(i).unwrap().get("year").unwrap()).collect();
    let mean = years.iter().sum::<f32>() / N as f32;
    assert!(years.iter().all(|year| (0.0..=1.0).contains(year)) && (mean - 0.5).abs() < 0.07, "{mean}, seed 41");
    for i in 0..20 {
        let face = faces.spec(i).unwrap();
        assert_eq!(FaceSpec { year: None, ..face.clone() }, plain.spec(i).unwrap(), "face {i}");
        let shown = |year, region| render_regions(&face.clone().of_year(year).unwrap(), 128).unwrap().share(region);
        assert!(shown(1.0, Region::Iris) > 1.5 * shown(0.0, Region::Iris), "irises of face {i}, seed 41");
        let [old, new] = [0.0, 1.0].map(|year| render(&face.clone().of_year(year).unwrap(), 64).unwrap());
        assert!(changed(&old, &new).0 > 0.05, "face {i}, seed 41");
    }
    for year in [-0.1, 1.1, f32::NAN] {
        assert!(plain.spec(0).unwrap().of_year(year).unwrap_err().to_string().contains("year"), "{year}");
    }
    let folder = tempfile::tempdir().unwrap();
    let read = Dataset::open(faces.size(24).write_folder(3, folder.path().join("faces")).unwrap()).unwrap();
    assert_eq!((read.tags(), read.labels(2).unwrap().values), (data.tags(), data.labels(2).unwrap().values));
}

#[test]
fn colours_are_read_back_in_every_year() {
    const N: usize = 300;
    let faces = Avatar::faces().size(64).seed(seed(78));
    for year in [0.0, 0.5, 1.0] {
        let right: Vec<[bool; 2]> = (0..N)
            .into_par_iter()
            .map(|i| {
                let face = faces.spec(i).unwrap().of_year(year).unwrap();
                let read = read_colours(&render(&face, 64).unwrap());
                [read.hair == face.hair_index(), read.eyes == face.eye_index()]
            })
            .collect();
        let found = [0, 1].map(|what| right.iter().filter(|r| r[what]).count() as f64 / N as f64);
        println!("year {year}: hair and eyes {found:?}");
        assert!(found.iter().all(|share| *share >= 0.93), "hair and eyes in year {year}: {found:?}, seed 78");
    }
}

#[test]
fn illustrators_change_colours_and_proportions_but_no_labels() {
    const N: usize = 60;
    let (plain, styled) = (Avatar::faces().seed(seed(42)), Avatar::faces().seed(seed(42)).styles());
    let right = |face: &FaceSpec| {
        let read = read_colours(&render(face, 64).unwrap());
        usize::from(read.hair == face.hair_index()) + usize::from(read.eyes == face.eye_index())
    };
    let (mut usual, mut free) = (0, 0);
    for i in 0..N {
        let face = styled.spec(i).unwrap();
        assert_eq!(FaceSpec { hand: None, ..face.clone() }, plain.spec(i).unwrap(), "face {i}");
        assert!(changed(&render(&face, 64).unwrap(), &plain.image(i).unwrap()).0 > 0.05, "face {i}, seed 42");
        let text = serde_json::to_string(&face).unwrap();
        assert_eq!(serde_json::from_str::<FaceSpec>(&text).unwrap(), face);
        usual += right(&plain.spec(i).unwrap());
        free += right(&face);
    }
    // The names are given to colours far from their middle: the nearest name is often another one.
    assert!(usual >= 2 * N * 93 / 100 && free <= 2 * N * 80 / 100, "{usual} and {free} of {}, seed 42", 2 * N);
    assert_eq!(styled.to_string(), format!("{plain}.styles()"));
}
