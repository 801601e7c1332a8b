//! Data sets of pairs: folders, halves, tables, and pictures of any size.

use std::fs;
use std::path::Path;

use image::{Rgb, RgbImage};
use tachie::data::Dataset;
use tachie::data::dataset::Split;
use tachie::data::loader::{Loader, LoaderOptions};
use tachie::data::manifest::{Filter, ImagePolicy, PairLayout, Resize, Side};
use tempfile::TempDir;

fn plain(value: u8, width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| Rgb([value, (x * 3) as u8, (y * 5) as u8]))
}

fn save(picture: &RgbImage, path: &Path) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    picture.save(path).unwrap();
}

fn squashed(size: u32) -> ImagePolicy {
    ImagePolicy { resize: Resize::Squash, filter: Filter::Bilinear, ..ImagePolicy::new(size) }
}

fn red(picture: &RgbImage) -> u8 {
    picture.get_pixel(0, 0).0[0]
}

#[test]
fn two_folders_are_joined_by_name() {
    let place = TempDir::new().unwrap();
    for (file, value, width) in [
        ("a/x/立ち絵 1.png", 10, 20),
        ("b/x/立ち絵 1.jpg", 200, 30),
        ("a/two.png", 11, 16),
        ("b/two.png", 201, 16),
        ("a/two.bmp", 12, 16),
        ("a/alone.png", 13, 16),
        ("b/lonely.png", 203, 16),
        ("a/broken.png", 14, 16),
    ] {
        save(&plain(value, width, 16), &place.path().join(file));
    }
    fs::write(place.path().join("b/broken.png"), b"no picture").unwrap();
    let layout = PairLayout::Folders { source: "a".into(), target: "b".into() };
    let pairs = Dataset::paired(place.path(), &layout, &squashed(8)).unwrap();
    assert_eq!(pairs.len(), 2, "{}", pairs.report());
    // `two.bmp` comes before `two.png`.
    let keys: Vec<String> = (0..2).map(|i| pairs.key(i).unwrap()).collect();
    assert_eq!(keys, ["two", "x/立ち絵 1"]);
    assert_eq!(red(&pairs.source_image(0).unwrap()), 12);
    assert_eq!(red(&pairs.image(0).unwrap()), 201);
    assert!(red(&pairs.image(1).unwrap()).abs_diff(200) < 4 && red(&pairs.source_image(1).unwrap()) == 10);
    let report = pairs.report();
    let kind = |file: &str| report.of(file).first().map(|problem| problem.kind.clone()).unwrap_or_default();
    assert_eq!(kind("a/alone.png"), "no target of that name");
    assert_eq!(kind("b/lonely.png"), "no source of that name");
    assert_eq!(kind("b/broken.png"), "not a picture");
    assert_eq!(kind("a/two.png"), "second picture of that name");
    let other =
        Dataset::paired(place.path(), &PairLayout::Folders { source: "b".into(), target: "a".into() }, &squashed(8));
    assert_ne!(other.unwrap().fingerprint(), pairs.fingerprint());
    let again = Dataset::paired(place.path(), &layout, &squashed(8)).unwrap();
    assert_eq!(again.fingerprint(), pairs.fingerprint());
    // Batches hold both.
    let options = LoaderOptions { batch: 2, threads: 0, ..LoaderOptions::default() };
    let batch = Loader::new(&pairs, options).unwrap().next().unwrap();
    assert_eq!(batch.sources.unwrap().dims(), [2, 3, 8, 8]);
    let missing = PairLayout::Folders { source: "a".into(), target: "c".into() };
    assert!(Dataset::paired(place.path(), &missing, &squashed(8)).is_err());
}

#[test]
fn folders_of_splits_halves_and_tables() {
    let place = TempDir::new().unwrap();
    for (split, value) in [("train", 1), ("test", 2)] {
        save(&plain(value, 16, 16), &place.path().join(format!("data/{split}/a/0.png")));
        save(&plain(100 + value, 16, 16), &place.path().join(format!("data/{split}/b/0.png")));
    }
    let layout = PairLayout::SplitFolders { images: "data".into(), source: "a".into(), target: "b".into() };
    let pairs = Dataset::paired(place.path(), &layout, &squashed(8)).unwrap();
    assert_eq!((pairs.train().len(), pairs.test().len(), pairs.validation().len()), (1, 1, 0));
    assert_eq!(red(&pairs.test().image(0).unwrap()), 102);

    let mut both = RgbImage::new(21, 10);
    for (x, y, pixel) in both.enumerate_pixels_mut() {
        *pixel = Rgb([
            if x < 10 {
                50
            } else if x == 10 {
                0
            } else {
                150
            },
            y as u8,
            0,
        ]);
    }
    save(&both, &place.path().join("halves/one.png"));
    for (source, [from, to]) in [(Side::Left, [50, 150]), (Side::Right, [150, 50])] {
        let layout = PairLayout::SideBySide { images: "halves".into(), source };
        let pairs = Dataset::paired(place.path(), &layout, &squashed(8)).unwrap();
        let all = |picture: RgbImage, value: u8| picture.pixels().all(|pixel| pixel.0[0] == value);
        assert!(all(pairs.source_image(0).unwrap(), from) && all(pairs.image(0).unwrap(), to));
    }

    let rows = "target,note,source,split\ndata/test/b/0.png,x,data/train/a/0.png,val\n../secret.png,,data/train/a/0.png,\n\
                halves/one.png,,halves/one.png,test\nhalves/one.png,,halves/one.png,test\nshort\ngone.png,,gone.png,\n\
                data/test/b/0.png,,data/test/a/0.png,elsewhere\n";
    fs::write(place.path().join("pairs.csv"), rows).unwrap();
    let manifest = "version = 1\nname = \"t\"\ntitle = \"t\"\nlicence = \"t\"\nsource = \"t\"\n\
                    [pairs]\nkind = \"table\"\ntable = \"pairs.csv\"\nside = \"top\"\n[image]\nsize = 8\nresize = \"squash\"\n";
    fs::write(place.path().join("dataset.toml"), manifest).unwrap();
    let pairs = Dataset::open(place.path()).unwrap();
    assert_eq!(pairs.len(), 2, "{}", pairs.report());
    assert_eq!((pairs.validation().len(), pairs.test().len()), (1, 1));
    let halves = pairs.test();
    assert!(
        halves.source_image(0).unwrap().get_pixel(0, 0).0[1] < 2 && halves.image(0).unwrap().get_pixel(0, 7).0[1] > 7
    );
    let report = pairs.report();
    let kinds: Vec<&str> = report.problems.iter().map(|problem| problem.kind.as_str()).collect();
    for kind in ["path leaves the folder", "duplicated row", "damaged row", "missing file", "unknown split"] {
        assert!(kinds.contains(&kind), "{kind}: {report}");
    }
    assert_eq!(pairs.splits(), tachie::data::dataset::Splits::default());
    assert_eq!(Split::Validation.name(), "validation");
    for (from, to, wanted) in [
        ("kind = \"table\"", "kind = \"cloud\"", "folders"),
        ("table = \"pairs.csv\"", "table = \"../pairs.csv\"", "below the folder of the manifest"),
        ("side = \"top\"", "speed = 1", "speed"),
        ("[image]\nsize = 8\nresize = \"squash\"\n", "", "[pairs] without [image]"),
    ] {
        fs::write(place.path().join("bad.toml"), manifest.replace(from, to)).unwrap();
        let error = Dataset::open(place.path().join("bad.toml")).unwrap_err().to_string();
        assert!(error.contains(wanted), "{to}: {error}");
    }
}

#[test]
fn any_size_is_padded_by_its_mirror_image_and_cut_out_again() {
    let place = TempDir::new().unwrap();
    for (file, width, height) in [("small", 11, 24), ("large", 80, 40)] {
        for folder in ["a", "b"] {
            save(&plain(9, width, height), &place.path().join(folder).join(format!("{file}.png")));
        }
    }
    let layout = PairLayout::Folders { source: "a".into(), target: "b".into() };
    let policy = ImagePolicy { resize: Resize::Mirror, ..squashed(32) };
    let pairs = Dataset::paired(place.path(), &layout, &policy).unwrap();
    assert_eq!(pairs.key(1).unwrap(), "small");
    let padded = pairs.image(1).unwrap();
    assert_eq!(policy.back(&padded, (11, 24)), plain(9, 11, 24));
    // Left of the picture it goes back: its first column twice.
    let green = |x| padded.get_pixel(x, 10).0[1];
    assert_eq!([8, 9, 10, 11, 20, 21].map(green), [3, 0, 0, 3, 30, 30]);
    assert_eq!(policy.back(&pairs.image(0).unwrap(), (80, 40)).dimensions(), (32, 16));
    // What a network made at twice the size.
    let twice = image::imageops::resize(&padded, 64, 64, image::imageops::FilterType::Nearest);
    assert_eq!(policy.back(&twice, (11, 24)).dimensions(), (22, 48));
    assert_eq!(squashed(32).back(&padded, (11, 24)), padded);
}
