//! Inputs that are broken by accident or on purpose: named in a report or refused with a clear error, never a crash.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use image::{DynamicImage, ImageFormat, Rgb, RgbImage};
use tachie::data::import::pack;
use tachie::data::manifest::Manifest;
use tachie::data::report::Action;
use tachie::data::{Dataset, TagSet};
use tachie::rng::Seed;
use tempfile::TempDir;

const HEAD: &str = "version = 1\nname = \"t\"\ntitle = \"t\"\nlicence = \"CC0-1.0\"\nsource = \"this test\"\n";
const TABLE: &str = "[folder]\nimages = \"images\"\ntable = \"tags.csv\"\n[image]\nsize = 8\n";
const BARE: &str = "[folder]\nimages = \"images\"\n[image]\nsize = 8\n";

fn folder(rest: &str) -> TempDir {
    let folder = TempDir::new().unwrap();
    fs::create_dir(folder.path().join("images")).unwrap();
    fs::write(folder.path().join("dataset.toml"), format!("{HEAD}{rest}")).unwrap();
    folder
}

fn noise(width: u32, height: u32, seed: u64) -> RgbImage {
    let mut stream = Seed(seed).stream("picture");
    RgbImage::from_fn(width, height, |_, _| Rgb([0; 3].map(|_: u8| stream.below(256) as u8)))
}

fn encoded(image: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    image.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

fn fixture(name: &str) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/data").join(name)).unwrap()
}

/// A PNG file of these dimensions (8 bits, RGB) around any compressed data.
fn png(width: u32, height: u32, data: &[u8]) -> Vec<u8> {
    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    let mut header = Vec::new();
    header.extend_from_slice(&width.to_be_bytes());
    header.extend_from_slice(&height.to_be_bytes());
    header.extend_from_slice(&[8, 2, 0, 0, 0]);
    for (kind, body) in [(b"IHDR", header.as_slice()), (b"IDAT", data), (b"IEND", &[])] {
        file.extend_from_slice(&(body.len() as u32).to_be_bytes());
        let chunk = [kind, body].concat();
        file.extend_from_slice(&chunk);
        let mut crc = flate2::Crc::new();
        crc.update(&chunk);
        file.extend_from_slice(&crc.sum().to_be_bytes());
    }
    file
}

fn deflated_zeros(count: usize) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    let block = vec![0; 1 << 16];
    for _ in 0..count.div_ceil(block.len()) {
        encoder.write_all(&block).unwrap();
    }
    encoder.finish().unwrap()
}

/// The same JPEG file with other dimensions in its header.
fn lying_jpeg(width: u16, height: u16) -> Vec<u8> {
    let mut bytes = encoded(&noise(16, 16, 1).into(), ImageFormat::Jpeg);
    let frame = bytes.windows(2).position(|pair| pair == [0xff, 0xc0]).unwrap();
    bytes[frame + 5..frame + 7].copy_from_slice(&height.to_be_bytes());
    bytes[frame + 7..frame + 9].copy_from_slice(&width.to_be_bytes());
    bytes
}

fn lying_bmp(width: i32, height: i32) -> Vec<u8> {
    let mut bytes = encoded(&noise(4, 4, 1).into(), ImageFormat::Bmp);
    bytes[18..22].copy_from_slice(&width.to_le_bytes());
    bytes[22..26].copy_from_slice(&height.to_le_bytes());
    bytes
}

fn lying_gif(width: u16, height: u16) -> Vec<u8> {
    let mut bytes = encoded(&noise(4, 4, 1).into(), ImageFormat::Gif);
    bytes[6..8].copy_from_slice(&width.to_le_bytes());
    bytes[8..10].copy_from_slice(&height.to_le_bytes());
    bytes
}

/// Every kind of bad file with the problem that the report has to name.
fn bad_files() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let picture: DynamicImage = noise(16, 16, 1).into();
    let (whole_png, whole_jpeg) = (encoded(&picture, ImageFormat::Png), encoded(&picture, ImageFormat::Jpeg));
    let (whole_webp, whole_bmp) = (encoded(&picture, ImageFormat::WebP), encoded(&picture, ImageFormat::Bmp));
    let mut flipped = whole_png.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 0x10;
    let half = |bytes: &[u8]| bytes[..bytes.len() / 2].to_vec();
    vec![
        ("zero.png", Vec::new(), "empty file"),
        ("text.png", b"this is no picture".to_vec(), "not a picture"),
        ("magic.png", b"\x89PNG\r\n\x1a\n".to_vec(), "truncated or damaged"),
        ("half.png", half(&whole_png), "truncated or damaged"),
        ("half.jpg", half(&whole_jpeg), "truncated or damaged"),
        ("half.webp", half(&whole_webp), "truncated or damaged"),
        ("half.bmp", half(&whole_bmp), "truncated or damaged"),
        ("end.jpg", whole_jpeg[..whole_jpeg.len() - 2].to_vec(), "truncated or damaged"),
        ("flipped.png", flipped, "truncated or damaged"),
        ("huge.png", png(60_000, 60_000, &deflated_zeros(1 << 16)), "too large"),
        ("bomb.png", png(16_000, 16_000, &deflated_zeros(8 << 20)), "too large"),
        ("wide.png", png(u32::MAX >> 1, 1, &[]), "too large"),
        ("none.png", png(0, 0, &[]), "truncated or damaged"),
        ("huge.jpg", lying_jpeg(60_000, 60_000), "too large"),
        ("huge.bmp", lying_bmp(60_000, 60_000), "too large"),
        ("huge.gif", lying_gif(60_000, 60_000), "too large"),
        ("tiff.png", b"II*\0\x08\0\0\0\0\0\0\0\0\0\0\0".to_vec(), "unsupported format"),
    ]
}

/// Files that need a conversion, with what the report has to say about it.
fn odd_files() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let picture: DynamicImage = noise(16, 16, 2).into();
    let glass = image::RgbaImage::from_fn(16, 16, |x, y| image::Rgba([x as u8, y as u8, 9, (x * 16) as u8]));
    vec![
        ("grey.png", encoded(&picture.to_luma8().into(), ImageFormat::Png), "grey"),
        ("deep.png", encoded(&picture.to_rgb16().into(), ImageFormat::Png), "16 bits per channel"),
        ("deepgrey.png", encoded(&picture.to_luma16().into(), ImageFormat::Png), "16 bits per channel"),
        ("glass.png", encoded(&glass.into(), ImageFormat::Png), "transparency"),
        ("cmyk.jpg", fixture("cmyk.jpg"), "CMYK"),
        ("turned.jpg", fixture("turned.jpg"), "turned"),
        ("jpeg.png", encoded(&picture, ImageFormat::Jpeg), "wrong extension"),
        ("png.webp", encoded(&picture, ImageFormat::Png), "wrong extension"),
    ]
}

#[test]
fn bad_files_are_named_and_good_ones_are_used() {
    let folder = folder(BARE);
    let put = |name: &str, bytes: &[u8]| fs::write(folder.path().join("images").join(name), bytes).unwrap();
    for i in 0..5 {
        put(&format!("good{i}.png"), &encoded(&noise(16, 16, 10 + i).into(), ImageFormat::Png));
    }
    for (name, bytes, _) in bad_files().iter().chain(&odd_files()) {
        put(name, bytes);
    }
    fs::create_dir(folder.path().join("images/folder.png")).unwrap();
    let start = Instant::now();
    let dataset = Dataset::open(folder.path()).unwrap();
    assert!(start.elapsed() < Duration::from_secs(10), "{:?} for a few small files", start.elapsed());
    let report = dataset.report();
    for (name, _, kind) in bad_files() {
        let found: Vec<_> =
            report.of(name).into_iter().map(|problem| (problem.kind.as_str(), problem.action)).collect();
        assert_eq!(found, [(kind, Action::LeftOut)], "{name}: {:?}", report.of(name));
    }
    for (name, _, kind) in odd_files() {
        let found = report.of(name);
        assert!(found.iter().any(|p| p.kind == kind && p.action == Action::Converted), "{name}: {found:?}");
    }
    assert_eq!(dataset.len(), 5 + odd_files().len(), "{report}");
    for i in 0..dataset.len() {
        assert_eq!(dataset.image(i).unwrap().dimensions(), (8, 8));
    }
    let text = report.to_string();
    assert!(text.contains("huge.png: 60000×60000 pixels"), "{text}");
    assert!(text.contains("glass.png: laid on #ffffff"), "{text}");
}

#[test]
fn a_manifest_can_refuse_what_would_be_converted() {
    let refuse = format!("{BARE}grey = \"refuse\"\ndeep = \"refuse\"\nalpha = \"refuse\"\nmin_side = 12\n");
    let folder = folder(&refuse);
    for (name, bytes, _) in odd_files() {
        fs::write(folder.path().join("images").join(name), bytes).unwrap();
    }
    fs::write(folder.path().join("images/tiny.png"), encoded(&noise(40, 11, 3).into(), ImageFormat::Png)).unwrap();
    let dataset = Dataset::open(folder.path()).unwrap();
    for name in ["grey.png", "deep.png", "deepgrey.png", "glass.png", "tiny.png"] {
        assert_eq!(dataset.report().of(name)[0].action, Action::LeftOut, "{name}");
    }
    assert_eq!(dataset.len(), 4);
}

#[test]
fn any_cut_and_any_flipped_bit_of_a_picture_is_survived() {
    let seed = 5;
    let mut stream = Seed(seed).stream("damage");
    let picture: DynamicImage = noise(24, 24, 4).into();
    for format in [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::WebP, ImageFormat::Gif, ImageFormat::Bmp] {
        let folder = folder(BARE);
        let whole = encoded(&picture, format);
        let put = |name: String, bytes: &[u8]| fs::write(folder.path().join("images").join(name), bytes).unwrap();
        put("whole.png".into(), &whole);
        for i in 0..60 {
            put(format!("cut{i:02}.png"), &whole[..whole.len() * i / 60]);
            let mut flipped = whole.clone();
            flipped[stream.below(whole.len())] ^= 1 << stream.below(8);
            put(format!("flip{i:02}.png"), &flipped);
        }
        let dataset = Dataset::open(folder.path()).unwrap();
        let report = dataset.report();
        let refused =
            (0..60).filter(|i| report.of(format!("cut{i:02}.png")).iter().any(|p| p.action == Action::LeftOut));
        assert!(refused.count() >= 58, "{format:?}, seed {seed}: {report}");
        assert!((0..dataset.len()).any(|i| dataset.key(i).unwrap() == "whole.png"), "{format:?}");
    }
}

#[test]
fn rows_that_lead_out_of_the_folder_or_nowhere_are_named() {
    let folder = folder(TABLE);
    let images = folder.path().join("images");
    let good = encoded(&noise(8, 8, 1).into(), ImageFormat::Png);
    fs::write(images.join("a.png"), &good).unwrap();
    fs::write(images.join("b.png"), encoded(&noise(8, 8, 2).into(), ImageFormat::Png)).unwrap();
    fs::write(images.join("copy.png"), &good).unwrap();
    fs::write(images.join("unlisted.png"), &good).unwrap();
    fs::write(folder.path().join("secret.png"), &good).unwrap();
    fs::create_dir(images.join("sub")).unwrap();
    std::os::unix::fs::symlink(folder.path().join("secret.png"), images.join("link.png")).unwrap();
    std::os::unix::fs::symlink(folder.path(), images.join("door")).unwrap();
    std::os::unix::fs::symlink("/dev/zero", images.join("zero.png")).unwrap();
    std::os::unix::fs::symlink("loop.png", images.join("loop.png")).unwrap();
    let absolute = images.join("a.png").display().to_string();
    let rows = [
        ("../secret.png", "path leaves the folder"),
        ("sub/../../secret.png", "path leaves the folder"),
        ("..\\secret.png", "path leaves the folder"),
        (absolute.as_str(), "path leaves the folder"),
        ("C:\\a.png", "path leaves the folder"),
        ("link.png", "path leaves the folder"),
        ("door/secret.png", "path leaves the folder"),
        ("zero.png", "path leaves the folder"),
        ("loop.png", "cannot be read"),
        ("sub", "not a file"),
        ("gone.png", "missing file"),
    ];
    let mut table =
        String::from("file,smile\na.png,1\n./a.png,1\n/a.png,0\nb.png,0\nsub/../b.png,1\nb.png,1\ncopy.png,\n");
    rows.iter().for_each(|(file, _)| table += &format!("{file},1\n"));
    fs::write(folder.path().join("tags.csv"), table).unwrap();
    let dataset = Dataset::open(folder.path()).unwrap();
    let report = dataset.report();
    for (file, kind) in rows {
        let found = report.of(file.replace('\\', "/"));
        assert!(found.iter().any(|p| p.kind == kind && p.action == Action::LeftOut), "{file}: {report}");
    }
    let kind = |file: &str| report.of(file).iter().map(|problem| problem.kind.clone()).collect::<Vec<_>>();
    assert_eq!(kind("a.png"), ["duplicated row"]);
    assert_eq!(kind("b.png"), ["contradicting rows, the first is used"]);
    assert_eq!(kind("copy.png"), ["no value, taken as off", "same pixels"]);
    assert_eq!(kind("unlisted.png"), ["not in the tag table"]);
    assert_eq!(dataset.len(), 3, "{report}");
    let text = |i| dataset.labels(i).unwrap().to_string();
    assert_eq!([0, 1, 2].map(text), ["smile", "", ""]);
}

#[test]
fn rows_with_bad_tags_are_named() {
    let rest = format!("{TABLE}[tags]\nvocabulary = \"make-girls\"\n");
    let folder = folder(&rest);
    for i in 0..9 {
        let bytes = encoded(&noise(8, 8, i).into(), ImageFormat::Png);
        fs::write(folder.path().join(format!("images/{i}.png")), bytes).unwrap();
    }
    let mut table =
        b"\xef\xbb\xbffile,tags\n0.png,\"red hair, blue eyes, smile\"\n1.png,\"red hair, aqua hair, blue eyes\"\n"
            .to_vec();
    table.extend_from_slice(b"2.png,smile\n3.png,\"red hair, blue eyes, wings\"\n4.png,\"smile=2\"\n5.png,smile=x\n");
    table.extend_from_slice(b"6.png\n7.png,\xff\xfe\n,smile\n8.png,\"unclosed\n");
    fs::write(folder.path().join("tags.csv"), table).unwrap();
    let dataset = Dataset::open(folder.path()).unwrap();
    let report = dataset.report();
    let kinds = |file: &str| report.of(file).iter().map(|problem| problem.kind.clone()).collect::<Vec<_>>();
    assert_eq!(kinds("0.png"), Vec::<String>::new());
    assert_eq!(kinds("1.png"), ["tags that exclude each other"]);
    assert_eq!(kinds("2.png"), ["no tag of an exclusive group"; 2]);
    assert_eq!(kinds("4.png"), ["value outside 0 to 1"]);
    for line in 7..=10 {
        assert_eq!(kinds(&format!("tags.csv:{line}")), ["damaged row"], "{report}");
    }
    assert_eq!(kinds("wings"), ["unknown tag, ignored"]);
    assert!(report.to_string().contains("wings: on 1 pictures"), "{report}");
    fs::write(folder.path().join("dataset.toml"), format!("{HEAD}{rest}unknown = \"refuse\"\n")).unwrap();
    let error = Dataset::open(folder.path()).unwrap_err().to_string();
    assert!(error.contains("unknown tags") && error.contains("nearest"), "{error}");
}

#[test]
fn unusable_tables_and_folders_are_errors_that_say_why() {
    let refusal = |rest: &str, prepare: &dyn Fn(&Path)| {
        let folder = folder(rest);
        prepare(folder.path());
        Dataset::open(folder.path()).unwrap_err().to_string()
    };
    let error = refusal(BARE, &|_| {});
    assert!(error.contains("no picture") && error.contains("folder.images"), "{error}");
    let error = refusal(BARE, &|at| fs::write(at.join("images/a.png"), b"").unwrap());
    assert!(error.contains("no usable picture") && error.contains("a.png"), "{error}");
    let error = refusal(BARE, &|at| fs::remove_dir(at.join("images")).unwrap());
    assert!(error.contains("images") && error.contains("open the folder"), "{error}");
    let error = refusal(TABLE, &|_| {});
    assert!(error.contains("tags.csv") && error.contains("read the tag table"), "{error}");
    let table = |text: &'static [u8]| move |at: &Path| fs::write(at.join("tags.csv"), text).unwrap();
    for (text, wanted) in [
        (&b""[..], "a column named file"),
        (b"name,smile\na.png,1\n", "found the columns name, smile"),
        (b"file,smile,smile\na.png,1,1\n", "\"smile\" twice"),
        (b"file,a=b\na.png,1\n", "a=b"),
        (b"\xff\xfe\x00f\n", "UTF-8"),
        (b"file,smile\n", "no picture"),
    ] {
        let error = refusal(TABLE, &table(text));
        assert!(error.contains(wanted), "{}: {error}", String::from_utf8_lossy(text));
    }
    let other = TABLE.replace("tags.csv", "tags.xlsx");
    let error = refusal(&other, &|at| fs::write(at.join("tags.xlsx"), b"PK").unwrap());
    assert!(error.contains(".csv or .jsonl"), "{error}");
    let split = TABLE.replace("[image]", "split_column = \"part\"\n[image]");
    let error = refusal(&split, &table(b"file,smile\na.png,1\n"));
    assert!(error.contains("no column \"part\""), "{error}");
}

#[test]
fn hostile_json_lines_are_damaged_rows() {
    let rest = TABLE.replace("tags.csv", "t.jsonl");
    let folder = folder(&rest);
    fs::write(folder.path().join("images/a.png"), encoded(&noise(8, 8, 1).into(), ImageFormat::Png)).unwrap();
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let lines = [
        "{\"file\": \"a.png\", \"tags\": [\"smile\"]}",
        "[1, 2]",
        "{\"file\": 7}",
        "{\"tags\": []}",
        "{\"file\": \"a.png\", \"tags\": [1]}",
        "{\"file\": \"a.png\", \"smile\": \"yes\"}",
        "{\"file\": \"a.png\", \"smile\": 1e400}",
        "{broken",
        &deep,
    ];
    fs::write(folder.path().join("t.jsonl"), lines.join("\n")).unwrap();
    let dataset = Dataset::open(folder.path()).unwrap();
    assert_eq!((dataset.len(), dataset.report().left_out()), (1, 8), "{}", dataset.report());
}

#[test]
fn manifests_are_refused_with_place_and_reason() {
    let refusal = |text: &str| Manifest::parse(text, "m.toml").unwrap_err().to_string();
    let rest = "[avatar]\ncount = 1\nsize = 64\n";
    assert!(Manifest::parse(&format!("{HEAD}{rest}"), "m.toml").is_ok());
    let error = refusal(&format!("{HEAD}colour = 1\n{rest}"));
    assert!(error.starts_with("m.toml:6: found unknown field `colour`") && error.contains("`licence`"), "{error}");
    let error = refusal(&format!("{HEAD}{rest}speed = 1\n"));
    assert!(error.starts_with("m.toml:9: found unknown field `speed`") && error.contains("`sampler`"), "{error}");
    for key in ["name", "title", "licence", "source", "version"] {
        let without: String =
            HEAD.lines().filter(|line| !line.starts_with(key)).map(|line| format!("{line}\n")).collect();
        let error = refusal(&format!("{without}{rest}"));
        assert!(error.contains(&format!("missing field `{key}`")) && error.contains("Every manifest says"), "{error}");
    }
    let changed = |from: &str, to: &str| refusal(&format!("{}{rest}", HEAD.replace(from, to)));
    assert!(changed("CC0-1.0", " ").contains("licence"));
    assert!(changed("version = 1", "version = 2").contains("version = 1, the only one"));
    assert!(changed("name = \"t\"", "name = \"../t\"").contains("letters, digits"));
    for (rest, wanted) in [
        ("", "0 layouts"),
        ("[avatar]\ncount = 1\nsize = 64\n[store]\nfile = \"a\"\n", "2 layouts"),
        ("[avatar]\ncount = 0\nsize = 64\n", "at least one picture"),
        ("[avatar]\ncount = 1\nsize = 100000\n", "8 to 2048"),
        ("[avatar]\ncount = -1\nsize = 64\n", "-1"),
        ("[avatar]\ncount = 1\nsize = 64\n[image]\nsize = 8\n", "with [folder] only"),
        ("[folder]\nimages = \"a\"\n", "[folder] without [image]"),
        ("[folder]\nimages = \"/etc\"\n[image]\nsize = 8\n", "below the folder of the manifest"),
        ("[folder]\nimages = \"a/../..\"\n[image]\nsize = 8\n", "below the folder of the manifest"),
        ("[folder]\nimages = \"a\"\n[image]\nsize = 1\n", "4 to 2048 pixels"),
        ("[folder]\nimages = \"a\"\n[image]\nsize = 8\nbackground = \"red\"\n", "#rrggbb"),
        ("[folder]\nimages = \"a\"\n[image]\nsize = 8\nresize = \"stretch\"\n", "`squash`"),
        ("[folder]\nimages = \"a\"\n[image]\nsize = 8\n[tags]\nexclusive = { h = [\"x\"] }\n", "tags.names"),
        ("[folder]\nimages = \"a\"\n[image]\nsize = 8\n[tags]\nnames = [\"x\", \"x\"]\n", "\"x\" twice"),
        (
            "[folder]\nimages = \"a\"\n[image]\nsize = 8\n[tags]\nnames = [\"x\"]\nexclusive = { h = [\"z\"] }\n",
            "\"z\"",
        ),
        ("[store]\nfile = \"../a\"\n", "below the folder of the manifest"),
        ("[store]\nfile = \"a\"\n[splits]\ntest = 1.5\n", "shares in [0, 1]"),
        ("[store]\nfile = \"a\"\n[splits]\ntest = nan\n", "shares in [0, 1]"),
        ("[store]\nfile = \"a\"\n[checksums]\na = \"abc\"\n", "64 hexadecimal digits"),
        ("[store]\nfile = \"a\"\n[checksums]\n\"../a\" = \"00\"\n", "64 hexadecimal digits"),
        ("[store\n", "m.toml:6"),
    ] {
        let error = refusal(&format!("{HEAD}{rest}"));
        assert!(error.contains(wanted) && error.contains("m.toml"), "{rest}: {error}");
    }
}

#[test]
fn damaged_manifests_never_crash() {
    let seed = 6;
    let text =
        format!("{HEAD}{TABLE}[tags]\nvocabulary = \"make-girls\"\n[checksums]\n\"a\" = \"{}\"\n", "0".repeat(64));
    let mut stream = Seed(seed).stream("damage");
    for cut in 0..text.len() {
        let _ = Manifest::parse(&text[..cut], "m.toml");
    }
    for _ in 0..2000 {
        let mut bytes = text.clone().into_bytes();
        for _ in 0..1 + stream.below(3) {
            let at = stream.below(bytes.len());
            bytes[at] = b"\n[]{}\"'=,.#\\ 0az\xc3\xa4"[stream.below(18)];
        }
        if let Err(error) = Manifest::parse(&String::from_utf8_lossy(&bytes), "m.toml") {
            assert!(error.to_string().contains("m.toml"), "{error}, seed {seed}");
        }
    }
}

#[test]
fn a_checksum_that_differs_is_an_error() {
    let sums = |sum: &str| format!("{BARE}[checksums]\n\"images/a.png\" = \"{sum}\"\n");
    let folder = folder(&sums(&"0".repeat(64)));
    fs::write(folder.path().join("images/a.png"), encoded(&noise(8, 8, 1).into(), ImageFormat::Png)).unwrap();
    let error = Dataset::open(folder.path()).unwrap_err().to_string();
    let found = error.split("SHA-256 ").nth(1).unwrap()[..64].to_string();
    assert!(error.contains("images/a.png") && error.contains(&"0".repeat(64)), "{error}");
    fs::write(folder.path().join("dataset.toml"), format!("{HEAD}{}", sums(&found.to_uppercase()))).unwrap();
    assert_eq!(Dataset::open(folder.path()).unwrap().len(), 1);
    fs::write(folder.path().join("dataset.toml"), format!("{HEAD}{BARE}[checksums]\n\"gone\" = \"{found}\"\n"))
        .unwrap();
    assert!(Dataset::open(folder.path()).unwrap_err().to_string().contains("gone"));
}

/// A store of twelve pictures.
fn store(at: &Path) -> PathBuf {
    let tags = TagSet::from_names(&["smile", "hat"]).unwrap();
    let pictures: Vec<_> = (0..12).map(|i| noise(8, 8, i)).collect();
    let labels: Vec<_> = (0..12).map(|i| tags.labels_from(vec![(i % 2) as f32, 0.5]).unwrap()).collect();
    let dataset = Dataset::from_images("t", &pictures, &labels).unwrap();
    let about = tachie::data::import::About { title: "t".into(), licence: "CC0-1.0".into(), source: "t".into() };
    let manifest = dataset.write_folder(at.join("folder"), &about).unwrap();
    let out = at.join("t.store");
    pack(manifest, &out).unwrap();
    out
}

#[test]
fn a_store_that_was_cut_or_altered_is_refused_by_name() {
    let place = TempDir::new().unwrap();
    let path = store(place.path());
    let whole = fs::read(&path).unwrap();
    let fingerprint = Dataset::open(&path).unwrap().fingerprint();
    let altered = place.path().join("altered.store");
    let refuse = |bytes: &[u8], what: &str| {
        fs::write(&altered, bytes).unwrap();
        let error = Dataset::open(&altered).expect_err(what).to_string();
        assert!(error.contains("altered.store"), "{what}: {error}");
        error
    };
    for cut in (0..64).map(|i| whole.len() * i / 64).chain([7, 8, 63, 64, whole.len() - 1]) {
        refuse(&whole[..cut], &format!("cut at {cut}"));
    }
    refuse(&[&whole[..], b"x"].concat(), "one byte more");
    for bit in (0..64 * 8).chain((0..400).map(|i| 512 + i * (whole.len() * 8 - 512) / 400)) {
        let mut bytes = whole.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        refuse(&bytes, &format!("bit {bit} flipped"));
    }
    let mut bytes = whole.clone();
    bytes[64 + 5 * 192] ^= 1;
    let error = refuse(&bytes, "a pixel");
    assert!(error.contains("picture 5 (00000005.png)") && error.contains("tachie data pack"), "{error}");
    fs::write(&altered, &whole).unwrap();
    assert_eq!(Dataset::open(&altered).unwrap().fingerprint(), fingerprint);
}

#[test]
fn packing_an_unusable_folder_leaves_nothing_behind() {
    let folder = folder(BARE);
    fs::write(folder.path().join("images/a.png"), b"no").unwrap();
    let out = TempDir::new().unwrap();
    assert!(pack(folder.path(), out.path().join("t.store")).is_err());
    assert_eq!(fs::read_dir(out.path()).unwrap().count(), 0);
    let missing = pack(folder.path().join("none.toml"), out.path().join("t.store")).unwrap_err().to_string();
    assert!(missing.contains("none.toml"), "{missing}");
    assert!(pack(folder.path(), out.path().join("no/such/folder/t.store")).is_err());
}

#[test]
fn what_is_no_data_set_is_refused() {
    let place = TempDir::new().unwrap();
    let error = Dataset::open(place.path()).unwrap_err().to_string();
    assert!(error.contains("dataset.toml"), "{error}");
    let file = place.path().join("a.png");
    fs::write(&file, encoded(&noise(8, 8, 1).into(), ImageFormat::Png)).unwrap();
    assert!(Dataset::open(&file).unwrap_err().to_string().contains("manifest"));
    assert!(Dataset::open(place.path().join("gone.toml")).unwrap_err().to_string().contains("gone.toml"));
    let utf16 = place.path().join("utf16.toml");
    fs::write(&utf16, b"\xff\xfev\0e\0r\0").unwrap();
    assert!(Dataset::open(&utf16).unwrap_err().to_string().contains("utf16.toml"));
}
