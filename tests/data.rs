//! Data sets on disk, stores, splits and the loader.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use image::{Rgb, RgbImage};
use tachie::Result;
use tachie::data::changes::Changes;
use tachie::data::dataset::{Source, Split, Splits};
use tachie::data::import::{About, pack};
use tachie::data::loader::{Loader, LoaderOptions, LoaderPosition};
use tachie::data::manifest::Manifest;
use tachie::data::{Dataset, TagSet};
use tachie::rng::Seed;
use tempfile::TempDir;

const HEAD: &str = "version = 1\nname = \"t\"\ntitle = \"t\"\nlicence = \"CC0-1.0\"\nsource = \"this test\"\n";

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/data").join(name)
}

/// A folder with a manifest; `rest` is everything below the head.
fn folder(rest: &str) -> TempDir {
    let folder = TempDir::new().unwrap();
    fs::create_dir(folder.path().join("images")).unwrap();
    fs::write(folder.path().join("dataset.toml"), format!("{HEAD}{rest}")).unwrap();
    folder
}

fn picture(i: usize, size: u32) -> RgbImage {
    RgbImage::from_fn(size, size, |x, y| Rgb([i as u8, (x * 16) as u8, (y * 16) as u8]))
}

fn difference(a: &RgbImage, b: &RgbImage) -> u8 {
    assert_eq!(a.dimensions(), b.dimensions());
    a.as_raw().iter().zip(b.as_raw()).map(|(a, b)| a.abs_diff(*b)).max().unwrap()
}

/// The one picture of a folder that holds `file` only, read under `policy`.
fn read_one(file: &str, policy: &str) -> (RgbImage, Dataset) {
    let folder = folder(&format!("[folder]\nimages = \"images\"\n[image]\n{policy}\n"));
    fs::copy(fixture(file), folder.path().join("images").join(file)).unwrap();
    let dataset = Dataset::open(folder.path()).unwrap();
    (dataset.image(0).unwrap(), dataset)
}

fn expected(name: &str) -> RgbImage {
    image::open(fixture(name)).unwrap().into_rgb8()
}

#[test]
fn pictures_are_resized_as_pillow_does() {
    for filter in ["lanczos", "bicubic", "bilinear"] {
        let (image, _) = read_one("tall.png", &format!("size = 16\nfilter = \"{filter}\""));
        let worst = difference(&image, &expected(&format!("tall-crop-{filter}.png")));
        assert!(worst <= 1, "{filter}: off by {worst}");
    }
    let (image, _) = read_one("tall.png", "size = 16\nresize = \"squash\"");
    assert!(difference(&image, &expected("tall-squash-lanczos.png")) <= 1);
    let (image, _) = read_one("tall.png", "size = 16\nresize = \"pad\"\nbackground = \"#010203\"");
    assert_eq!((image.get_pixel(1, 8).0, image.get_pixel(15, 0).0), ([1, 2, 3], [1, 2, 3]));
    assert_ne!(image.get_pixel(8, 0).0, [1, 2, 3]);
}

#[test]
fn colours_and_orientation_are_those_of_pillow() {
    let (image, dataset) = read_one("cmyk.jpg", "size = 24");
    let middle = image::imageops::crop_imm(&expected("cmyk.png"), 4, 0, 24, 24).to_image();
    assert!(difference(&image, &middle) <= 4, "CMYK off by {}", difference(&image, &middle));
    assert_eq!(dataset.report().of("cmyk.jpg")[0].kind, "CMYK");

    let (image, dataset) = read_one("turned.jpg", "size = 16");
    let middle = image::imageops::crop_imm(&expected("turned.png"), 0, 4, 16, 16).to_image();
    assert!(difference(&image, &middle) <= 3, "EXIF off by {}", difference(&image, &middle));
    assert_eq!(dataset.report().of("turned.jpg")[0].kind, "turned");

    let (image, dataset) = read_one("glass.png", "size = 16\nbackground = \"#336699\"");
    assert!(difference(&image, &expected("glass-composite.png")) <= 1);
    assert_eq!(dataset.report().of("glass.png")[0].detail, "laid on #336699");

    let (image, _) = read_one("palette.png", "size = 16\nbackground = \"#000000\"");
    assert_eq!([0, 1, 2].map(|x| image.get_pixel(x, 0).0), [[255, 0, 0], [0, 0, 0], [0, 0, 255]]);
}

/// 40 pictures with a table whose rows are in this order.
fn small(order: impl Iterator<Item = usize>) -> TempDir {
    let rest = "[folder]\nimages = \"images\"\ntable = \"tags.csv\"\n[image]\nsize = 8\n[splits]\nvalidation = 0.2\ntest = 0.1\nseed = 3\n";
    let folder = folder(rest);
    let mut table = String::from("file,smile,hat\n");
    for i in order {
        picture(i, 8).save(folder.path().join(format!("images/{i:02}.png"))).unwrap();
        table += &format!("{i:02}.png,{},{}\n", i % 2, u8::from(i % 4 == 0));
    }
    fs::write(folder.path().join("tags.csv"), table).unwrap();
    folder
}

fn keys(dataset: &Dataset) -> Vec<String> {
    (0..dataset.len()).map(|i| dataset.key(i).unwrap()).collect()
}

#[test]
fn splits_are_disjoint_and_do_not_depend_on_the_order_of_files() {
    let (forward, backward) = (small(0..40), small((0..40).rev()));
    let (a, b) = (Dataset::open(forward.path()).unwrap(), Dataset::open(backward.path()).unwrap());
    assert_eq!(a.fingerprint(), b.fingerprint());
    let parts = [a.train(), a.validation(), a.test()];
    assert_eq!(parts.each_ref().map(Dataset::len), [28, 8, 4]);
    for (ours, theirs) in parts.iter().zip([b.train(), b.validation(), b.test()]) {
        assert_eq!(keys(ours), keys(&theirs));
    }
    let mut all: Vec<String> = parts.iter().flat_map(keys).collect();
    all.sort();
    assert_eq!(all, keys(&a));
    assert_eq!(a.take(10).test().len() + a.take(10).train().len() + a.take(10).validation().len(), 10);
    assert!(parts[0].test().is_empty());
    let other = a.clone().with_splits(Splits { validation: 0.2, test: 0.1, seed: 4 }).unwrap();
    assert_ne!(keys(&other.test()), keys(&a.test()));
    assert!(a.with_splits(Splits { validation: 0.9, test: 0.2, seed: 0 }).is_err());
}

#[test]
fn a_data_set_counts_filters_and_names_its_parts() {
    let folder = small(0..40);
    let dataset = Dataset::open(folder.path()).unwrap();
    let table = dataset.tag_table();
    let counts: Vec<_> = table.rows.iter().map(|row| (row.name.as_str(), row.count)).collect();
    assert_eq!((counts, table.pictures), (vec![("smile", 20), ("hat", 10)], 40));
    assert_eq!(dataset.tags().tags()[1].chance, Some(0.25));
    let hats = dataset.having("hat").unwrap();
    assert_eq!((hats.len(), hats.name()), (10, "t, hat".to_string()));
    assert!(keys(&hats).iter().all(|key| key[..2].parse::<usize>().unwrap() % 4 == 0));
    assert!(dataset.having("hats").unwrap_err().to_string().contains("Did you mean: hat"));
    let two = dataset.subset(&[7, 3]).unwrap();
    assert_eq!(keys(&two), ["07.png", "03.png"]);
    assert_eq!(two.labels(0).unwrap().to_string(), "smile");
    assert!(dataset.subset(&[40]).is_err() && dataset.image(40).is_err());
    assert_ne!(two.fingerprint(), dataset.subset(&[3, 7]).unwrap().fingerprint());
    let images = two.images(9).unwrap();
    assert_eq!((images.len(), images.captions[0].as_str()), (2, "smile"));
    assert_eq!(images.to_rgb().unwrap()[1], picture(3, 8));
}

#[test]
fn a_packed_store_shows_the_same_data_set() {
    let folder = small(0..40);
    let dataset = Dataset::open(folder.path()).unwrap();
    let out = folder.path().join("t.store");
    let packed = pack(folder.path(), &out).unwrap();
    let again = Dataset::open(&out).unwrap();
    for other in [&packed, &again] {
        assert_eq!(other.fingerprint(), dataset.fingerprint());
        assert_eq!(keys(&other.test()), keys(&dataset.test()));
        assert_eq!(other.report(), dataset.report());
        for i in 0..40 {
            assert_eq!(other.image(i).unwrap(), dataset.image(i).unwrap());
            assert_eq!(other.labels(i).unwrap(), dataset.labels(i).unwrap());
        }
    }
    let before = fs::read(&out).unwrap();
    assert!(pack(folder.path(), &out).unwrap_err().to_string().contains("Nothing is overwritten"));
    assert_eq!(fs::read(&out).unwrap(), before);
    let manifest = folder.path().join("packed.toml");
    fs::write(&manifest, format!("{HEAD}[store]\nfile = \"t.store\"\n[splits]\ntest = 0.5\n")).unwrap();
    let described = Dataset::open(&manifest).unwrap();
    assert_eq!((described.len(), described.test().len()), (40, 20));
    let leftovers = fs::read_dir(folder.path())
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().contains("tmp"));
    assert_eq!(leftovers.count(), 0);
}

#[test]
fn a_folder_is_written_and_read_back() {
    let tags = TagSet::make_girls();
    let labels: Vec<_> = ["blonde hair, blue eyes, smile", "grey hair, orange eyes, hat=0.5", "red hair, pink eyes"]
        .map(|text| tags.parse(text).unwrap())
        .to_vec();
    let pictures: Vec<_> = (0..3).map(|i| picture(i * 80, 16)).collect();
    let dataset = Dataset::from_images("three faces", &pictures, &labels).unwrap();
    let about = About { title: "Three \"faces\"".into(), licence: "CC0-1.0".into(), source: "this test".into() };
    let place = TempDir::new().unwrap();
    let manifest = dataset.write_folder(place.path().join("out"), &about).unwrap();
    let read = Dataset::open(&manifest).unwrap();
    assert!(read.report().is_clean(), "{}", read.report());
    assert_eq!((read.len(), read.name(), read.tags()), (3, "three-faces".into(), &tags));
    for i in 0..3 {
        assert_eq!(read.image(i).unwrap(), pictures[i]);
        assert_eq!(read.labels(i).unwrap(), labels[i]);
    }
    assert_eq!(Manifest::open(&manifest).unwrap().title, about.title);
    let refused = dataset.write_folder(place.path().join("out"), &about).unwrap_err().to_string();
    assert!(refused.contains("not empty"), "{refused}");
}

#[test]
fn json_lines_and_split_columns() {
    let rest = "[folder]\nimages = \"images\"\ntable = \"t.jsonl\"\nsplit_column = \"part\"\nignore_columns = [\"id\"]\n\
                [image]\nsize = 8\n[tags]\nnames = [\"smile\", \"hat\", \"year\"]\ncontinuous = [\"year\"]\n";
    let folder = folder(rest);
    for i in 0..4 {
        picture(i, 8).save(folder.path().join(format!("images/{i}.png"))).unwrap();
    }
    let table = r#"{"file": "0.png", "tags": ["smile", "hat"], "part": "train", "id": 7}
{"file": "1.png", "tags": "smile=0.5; year=-0.25", "part": "val"}

{"file": "2.png", "tags": {"hat": true, "year": 2}, "part": "test"}
{"file": "3.png", "smile": 1, "hat": 0, "part": "test"}
"#;
    fs::write(folder.path().join("t.jsonl"), table).unwrap();
    let dataset = Dataset::open(folder.path()).unwrap();
    assert!(dataset.report().is_clean(), "{}", dataset.report());
    let text = |i| dataset.labels(i).unwrap().to_string();
    assert_eq!([0, 1, 2, 3].map(text), ["smile, hat", "smile=0.5, year=-0.25", "hat, year=2", "smile"]);
    assert_eq!(keys(&dataset.test()), ["2.png", "3.png"]);
    assert_eq!(keys(&dataset.validation()), ["1.png"]);
    let copy = TempDir::new().unwrap();
    let about = About { title: "t".into(), licence: "CC0-1.0".into(), source: "t".into() };
    let copied = Dataset::open(dataset.write_folder(copy.path(), &about).unwrap()).unwrap();
    assert_eq!(keys(&copied.test()), ["2.png", "3.png"]);
    assert_eq!(copied.labels(2).unwrap().to_string(), "hat, year=2");
}

#[test]
fn probabilities_become_labels_by_the_papers_rule() {
    let rest = "[folder]\nimages = \"images\"\ntable = \"tags.csv\"\n[image]\nsize = 8\n[tags]\nvocabulary = \"make-girls\"\nthreshold = 0.25\n";
    let folder = folder(rest);
    picture(1, 8).save(folder.path().join("images/a.png")).unwrap();
    let table = "file,blonde_hair,brown hair,gray hair,smile,blush,blue eyes\na.png,.2,.21,.1,.25,.2501,.01\n";
    fs::write(folder.path().join("tags.csv"), table).unwrap();
    let dataset = Dataset::open(folder.path()).unwrap();
    assert_eq!(dataset.labels(0).unwrap().to_string(), "brown hair, blush, blue eyes");
}

#[test]
fn committed_manifests_are_valid() {
    let mut count = 0;
    for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("data-manifests")).unwrap() {
        let path = entry.unwrap().path();
        // Those of weights are another kind (tests/fetch.rs).
        if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("weights-")) {
            continue;
        }
        let manifest = Manifest::open(&path).unwrap();
        assert_eq!(Some(manifest.name.as_str()), path.file_stem().and_then(|stem| stem.to_str()));
        let round = Manifest::parse(&manifest.to_toml().unwrap(), &path).unwrap();
        assert_eq!(round, manifest);
        count += 1;
    }
    assert!(count >= 2);
}

/// Everything a batch holds, to compare.
fn contents(loader: &mut Loader) -> (Vec<usize>, Vec<f32>, Vec<f32>) {
    let batch = loader.next().unwrap();
    let flat = |tensor: &tachie::candle_core::Tensor| tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    (batch.indices.clone(), flat(&batch.images), flat(batch.labels.as_ref().unwrap()))
}

fn options(threads: usize) -> LoaderOptions {
    LoaderOptions { batch: 6, seed: Seed(9), threads, prefetch: 3, changes: Changes::default().mirrored() }
}

#[test]
fn batches_do_not_depend_on_threads_and_resume_exactly() {
    let folder = small(0..40);
    let dataset = Dataset::open(folder.path()).unwrap();
    let mut reference = Loader::new(&dataset, options(0)).unwrap();
    let batches: Vec<_> = (0..20).map(|_| (reference.position(), contents(&mut reference))).collect();
    assert_eq!(batches[7].0, LoaderPosition { epoch: 1, sample: 6 });
    for threads in [0, 1, 4] {
        let mut loader = Loader::new(&dataset, options(threads)).unwrap();
        for (position, batch) in &batches {
            assert_eq!(loader.position(), *position);
            assert_eq!(contents(&mut loader), *batch, "{threads} threads");
        }
        for start in [13, 2, 6, 5] {
            let mut fresh = Loader::new(&dataset, options(threads)).unwrap();
            let saved = serde_json::to_string(&batches[start].0).unwrap();
            for loader in [&mut loader, &mut fresh] {
                loader.seek(&serde_json::from_str(&saved).unwrap()).unwrap();
                for (_, batch) in &batches[start..start + 5] {
                    assert_eq!(contents(loader), *batch, "{threads} threads, from batch {start}");
                }
            }
        }
    }
}

#[test]
fn an_epoch_shows_no_picture_twice_and_epochs_differ() {
    let folder = small(0..40);
    let dataset = Dataset::open(folder.path()).unwrap();
    let mut loader = Loader::new(&dataset, options(2)).unwrap();
    assert_eq!(loader.batches_per_epoch(), 6);
    let mut epochs = Vec::new();
    for _ in 0..3 {
        let epoch: Vec<usize> = (0..6).flat_map(|_| loader.next().unwrap().indices).collect();
        let mut seen = epoch.clone();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), 36);
        epochs.push(epoch);
    }
    assert_ne!(epochs[0], epochs[1]);
    assert_ne!(epochs[1], epochs[2]);
}

#[test]
fn mirroring_is_off_unless_asked_for_and_mirrors_about_half() {
    let folder = small(0..40);
    let dataset = Dataset::open(folder.path()).unwrap();
    let count = |flip| {
        let changes = if flip { Changes::default().mirrored() } else { Changes::default() };
        let mut loader =
            Loader::new(&dataset, LoaderOptions { changes, batch: 8, ..LoaderOptions::default() }).unwrap();
        let mut mirrored = 0;
        for _ in 0..50 {
            let batch = loader.next().unwrap();
            let rgb = tachie::data::Images::new(batch.images).unwrap().to_rgb().unwrap();
            for (image, index) in rgb.iter().zip(&batch.indices) {
                let plain = dataset.image(*index).unwrap();
                mirrored += usize::from(*image == image::imageops::flip_horizontal(&plain));
                assert!(*image == plain || flip);
            }
        }
        mirrored
    };
    assert_eq!(count(false), 0);
    assert!((150..250).contains(&count(true)), "{} of 400 mirrored, seed 0", count(true));
}

#[test]
fn a_loader_refuses_what_cannot_be() {
    let folder = small(0..40);
    let dataset = Dataset::open(folder.path()).unwrap();
    let refusal = |batch| Loader::new(&dataset, LoaderOptions { batch, ..options(0) }).unwrap_err().to_string();
    assert!(refusal(41).contains("40 pictures") && refusal(41).contains("one batch of 41"), "{}", refusal(41));
    assert!(refusal(0).contains("batch size"));
    let mut loader = Loader::new(&dataset, options(1)).unwrap();
    assert!(loader.seek(&LoaderPosition { epoch: 0, sample: 41 }).is_err());
    loader.seek(&LoaderPosition { epoch: 2, sample: 38 }).unwrap();
    assert_eq!(loader.position(), LoaderPosition { epoch: 3, sample: 0 });
    assert!(serde_json::from_str::<LoaderPosition>(r#"{"epoch": 1, "sample": 0, "extra": 1}"#).is_err());
}

/// Slow pictures; number 5 fails, number 6 panics.
struct Awkward {
    tags: TagSet,
}

impl Source for Awkward {
    fn len(&self) -> usize {
        8
    }
    fn tags(&self) -> &TagSet {
        &self.tags
    }
    fn image(&self, i: usize) -> Result<RgbImage> {
        std::thread::sleep(Duration::from_millis(20));
        match i {
            5 => Err(tachie::Error::invalid("picture", "5", "another", "")),
            6 => panic!("number 6, on purpose"),
            i => Ok(picture(i, 4)),
        }
    }
    fn labels(&self, _: usize) -> Vec<f32> {
        Vec::new()
    }
    fn name(&self) -> String {
        "awkward".into()
    }
    fn fingerprint(&self) -> String {
        "awkward".into()
    }
    fn size(&self) -> u32 {
        4
    }
    fn split(&self, i: usize) -> Option<Split> {
        Some(if i == 5 { Split::Validation } else { Split::Train })
    }
}

#[test]
fn errors_and_panics_of_a_source_arrive_and_nothing_hangs() {
    let dataset = Dataset::from_source(Awkward { tags: TagSet::none() });
    for threads in [0, 1, 4] {
        let only = dataset.validation();
        let mut loader = Loader::new(&only, LoaderOptions { batch: 1, threads, ..options(0) }).unwrap();
        for _ in 0..2 {
            assert!(loader.next().unwrap_err().to_string().contains("found 5"), "{threads} threads");
            assert_eq!(loader.position(), LoaderPosition::default());
        }
    }
    for threads in [1, 4] {
        let only = dataset.subset(&[6]).unwrap();
        let mut loader = Loader::new(&only, LoaderOptions { batch: 1, threads, ..options(0) }).unwrap();
        for _ in 0..6 {
            assert!(loader.next().unwrap_err().to_string().contains("panic"), "{threads} threads");
        }
    }
    let good = dataset.subset(&[0, 1, 2, 3, 4, 7]).unwrap();
    let options = LoaderOptions { batch: 3, threads: 4, prefetch: 1000, ..options(0) };
    let mut loader = Loader::new(&good, options).unwrap();
    let batch = loader.next().unwrap();
    assert!(batch.labels.is_none() && batch.images.dims() == [3, 3, 4, 4]);
    let start = Instant::now();
    drop(loader);
    assert!(start.elapsed() < Duration::from_secs(2), "1000 batches of 60 ms were not waited for");
}

fn tachie(arguments: &[&str], folder: &Path) -> (i32, String, String) {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_tachie")).args(arguments).current_dir(folder).output();
    let output = output.unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn the_command_line_makes_checks_and_packs_a_data_set() {
    let place = TempDir::new().unwrap();
    let make = ["data", "avatar-faces", "--count", "12", "--size", "16", "--seed", "7", "--out", "faces"];
    let (code, out, err) = tachie(&make, place.path());
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    let dataset = Dataset::open(place.path().join("faces")).unwrap();
    let drawn = tachie::data::avatar::Avatar::faces().size(16).seed(Seed(7)).take(12).unwrap();
    assert!(dataset.report().is_clean(), "{}", dataset.report());
    for i in 0..12 {
        assert_eq!(dataset.image(i).unwrap(), drawn.image(i).unwrap());
        assert_eq!(dataset.labels(i).unwrap(), drawn.labels(i).unwrap());
    }
    let (code, _, err) = tachie(&make, place.path());
    assert!(code == 1 && err.starts_with("error: ") && err.contains("Nothing is overwritten"), "{err}");

    fs::write(place.path().join("faces/images/00000003.png"), b"damaged").unwrap();
    let (code, out, err) = tachie(&["data", "check", "faces/dataset.toml"], place.path());
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    for wanted in
        ["11 pictures of 16×16, 34 tags", "fingerprint ", "blonde hair", "not a picture: 1, left out\n    00000003.png"]
    {
        assert!(out.contains(wanted), "{wanted}: {out}");
    }

    let (code, out, _) = tachie(&["data", "pack", "faces", "--out", "faces.store"], place.path());
    assert!(code == 0 && out.contains("11 pictures"), "{out}");
    let packed = Dataset::open(place.path().join("faces.store")).unwrap();
    assert_eq!(packed.fingerprint(), Dataset::open(place.path().join("faces")).unwrap().fingerprint());

    let (code, out, _) = tachie(&["data", "avatar-faces", "--count", "3", "--years", "--out", "years"], place.path());
    assert!(code == 0 && out.contains("3 faces of 64x64, 35 tags"), "{out}");
}

#[test]
fn the_command_line_refuses_with_a_message_and_a_code() {
    let place = TempDir::new().unwrap();
    let cases: [(&[&str], i32, &str); 6] = [
        (&["data", "check", "none.toml"], 1, "none.toml"),
        (&["data", "avatar-faces", "--count", "0", "--out", "x"], 1, "number of faces: found 0"),
        (&["data", "avatar-faces", "--count", "1", "--size", "4000", "--out", "x"], 1, "4 to 2048"),
        (&["data", "faces", "--cascade", "none.xml", "--in", ".", "--out", "x"], 1, "none.xml"),
        (&["data", "avatar-faces", "--count", "many", "--out", "x"], 2, "--count"),
        (&["data", "packs"], 2, "pack"),
    ];
    for (arguments, wanted, message) in cases {
        let (code, out, err) = tachie(arguments, place.path());
        assert_eq!(code, wanted, "{arguments:?}: {err}");
        assert!(out.is_empty() && err.starts_with("error: ") && err.contains(message), "{arguments:?}: {err}");
    }
    assert_eq!(fs::read_dir(place.path()).unwrap().count(), 0);
}

#[test]
fn a_reader_that_goes_away_is_no_panic() {
    let place = small(0..40);
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_tachie"));
    command.args(["data", "check", "."]).current_dir(place.path());
    let mut child = command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr.len()), (Some(141), 0));
}

#[test]
fn the_built_in_manifest_makes_its_faces() {
    let text =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("data-manifests/avatar-faces.toml")).unwrap();
    let place = TempDir::new().unwrap();
    let path = place.path().join("avatar-faces.toml");
    fs::write(&path, text.replace("count = 8000", "count = 40").replace("size = 64", "size = 16")).unwrap();
    let dataset = Dataset::open(&path).unwrap();
    let drawn = tachie::data::avatar::Avatar::faces().size(16).take(40).unwrap();
    assert_eq!((dataset.len(), dataset.size(), dataset.train().len()), (40, 16, 36));
    assert_eq!(dataset.image(39).unwrap(), drawn.image(39).unwrap());
    fs::write(&path, text.replace("count = 8000", "count = 2\nyears = true")).unwrap();
    assert_eq!(Dataset::open(&path).unwrap().tags().names().last(), Some(&"year"));
}
