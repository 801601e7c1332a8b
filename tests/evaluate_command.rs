//! `tachie evaluate`, as somebody types it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use image::{DynamicImage, GrayImage, Luma, Rgb, RgbImage, Rgba, RgbaImage};
use serde_json::Value;
use tachie::candle_core::{DType, Device, Tensor};
use tachie::data::batch::Images;
use tachie::metrics::features::frechet::frechet_distance;
use tachie::metrics::nets::inception::{Inception, Tap};
use tachie::metrics::nets::lpips::Lpips;
use tachie::metrics::nets::resize::Protocol;
use tachie::metrics::nets::weights::{Card, Kind, Weights};
use tachie::rng::Seed;
use tachie::weights::npz;

fn tachie(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tachie"));
    command.arg("evaluate").args(arguments).args(["--device", "cpu"]).current_dir(folder).output().unwrap()
}

/// Standard output and standard error of a command that has to succeed.
fn out(folder: &Path, arguments: &[&str]) -> [String; 2] {
    let output = tachie(folder, arguments);
    let [out, error] = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    assert!(output.status.success(), "{arguments:?}: {error}");
    [out, error]
}

/// What a command that has to fail says.
fn refused(folder: &Path, arguments: &[&str]) -> String {
    let output = tachie(folder, arguments);
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code().is_some_and(|code| code == 1 || code == 2), "{arguments:?}: {text}");
    assert!(!text.contains("panicked"), "{text}");
    text
}

fn json(folder: &Path, name: &str) -> Value {
    serde_json::from_slice(&std::fs::read(folder.join(name)).unwrap()).unwrap()
}

fn value(json: &Value, metric: &str) -> f64 {
    json["metrics"][metric]["value"].as_f64().unwrap_or_else(|| panic!("no {metric}: {json:#}"))
}

fn fixture(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/evaluate").join(name);
    path.to_str().unwrap().to_string()
}

fn picture(i: u64, side: u32) -> RgbImage {
    let mut stream = Seed(3).stream(&format!("picture/{i}"));
    let mut colour = || Rgb([0; 3].map(|_: u8| stream.below(256) as u8));
    let (ground, ink) = (colour(), colour());
    RgbImage::from_fn(side, side, |x, y| if (x + y) % 7 < 3 { ink } else { ground })
}

/// A folder of PNG files `0.png`, `1.png`, …
fn pictures(folder: &Path, name: &str, numbers: std::ops::Range<u64>, change: u8) -> PathBuf {
    let path = folder.join(name);
    std::fs::create_dir_all(&path).unwrap();
    for i in numbers {
        let mut picture = picture(i, 24);
        picture.pixels_mut().for_each(|pixel| pixel.0[0] = pixel.0[0].saturating_add(change * (1 + i as u8 % 2)));
        picture.save(path.join(format!("{i}.png"))).unwrap();
    }
    path
}

/// SciPy's and NumPy's numbers: fixtures/evaluate/make.py.
#[test]
fn given_features_have_the_numbers_of_scipy() {
    let place = tempfile::tempdir().unwrap();
    let (real, fake) = (fixture("real.npz"), fixture("fake.npz"));
    let files = ["--features-real", &real, "--features-fake", &fake];
    let more = ["--metrics", "fid,kid,precision-recall,density-coverage,diversity", "--json", "deep/out.json"];
    let [text, _] = out(place.path(), &[&files[..], &more].concat());
    let (found, golden) = (json(place.path(), "deep/out.json"), {
        let text = std::fs::read(fixture("golden.json")).unwrap();
        serde_json::from_slice::<Value>(&text).unwrap()
    });
    for name in ["fid", "kid", "precision", "recall"] {
        let (found, expected) = (value(&found, name), golden[name].as_f64().unwrap());
        assert!((found / expected - 1.0).abs() < 1e-9, "{name}: {found}, {expected}");
    }
    let deviation = found["metrics"]["kid"]["spread"]["deviation"].as_f64().unwrap();
    assert!((deviation / golden["kid_std"].as_f64().unwrap() - 1.0).abs() < 1e-9);
    let fid = &found["metrics"]["fid"];
    assert_eq!((fid["n"].as_u64(), fid["references"].as_u64()), (Some(60), Some(70)));
    assert!(fid["protocol"].as_str().unwrap().contains("24 features"));
    assert!(fid["warnings"][0].as_str().unwrap().contains("KID"), "too few pictures offer the unbiased metric");
    assert!(text.contains("Warning, FID: ") && text.contains("precision ↑"), "{text}");
    assert_eq!(found["real"]["pictures"], 70);
}

#[test]
fn feature_files_that_are_none_are_refused() {
    let place = tempfile::tempdir().unwrap();
    let here = place.path();
    let (real, fake) = (fixture("real.npz"), fixture("fake.npz"));
    let error = |real: &str, fake: &str, more: &[&str]| {
        refused(here, &[&["--features-real", real, "--features-fake", fake][..], more].concat())
    };
    assert!(error("none.npz", &fake, &[]).contains("none.npz"));
    std::fs::write(here.join("text.npz"), "no archive").unwrap();
    assert!(error("text.npz", &fake, &[]).contains("numpy.savez"));
    let tensor = |shape: &[usize]| Tensor::ones(shape, DType::F32, &Device::Cpu).unwrap();
    let write = |file: &str, name: &str, shape: &[usize]| {
        npz::write(here.join(file), &[(name.to_string(), tensor(shape))].into()).unwrap();
    };
    write("named.npz", "arr_0", &[4, 24]);
    let text = error(&real, "named.npz", &[]);
    assert!(text.contains("named.npz: found arrays arr_0") && text.contains("features=array"), "{text}");
    write("flat.npz", "features", &[24]);
    assert!(error(&real, "flat.npz", &[]).contains("[24]"));
    write("other.npz", "features", &[9, 7]);
    assert!(error(&real, "other.npz", &[]).contains("found 7 numbers, expected 24 numbers"));
    assert!(error(&real, &fake, &["--metrics", "psnr"]).contains("look at pictures"));
    assert!(error(&real, &fake, &["--metrics", "fid,fdi"]).contains("\"fdi\""));
    assert!(refused(here, &["--features-real", &real]).contains("--features-fake"));
    assert!(refused(here, &[]).contains("--real"));
}

#[test]
fn pairs_are_matched_by_name_and_the_others_listed() {
    let place = tempfile::tempdir().unwrap();
    let here = place.path();
    pictures(here, "real", 0..6, 0);
    pictures(here, "fake", 2..9, 4);
    std::fs::create_dir(here.join("real/deep")).unwrap();
    picture(1, 24).save(here.join("real/deep/1.png")).unwrap();
    let [text, said] = out(
        here,
        &["--real", "real", "--fake", "fake", "--pairs", "--metrics", "psnr,ssim,sharpness", "--json", "a.json"],
    );
    let found = json(here, "a.json");
    // Red is larger by 4 or by 8 where it does not end at 255.
    assert!((28.0..50.0).contains(&value(&found, "psnr")), "{found:#}");
    assert!((0.9..1.0).contains(&value(&found, "ssim")));
    for metric in ["psnr", "ssim", "sharpness"] {
        let metric = &found["metrics"][metric];
        assert_eq!(metric["n"], 4, "{metric:#}");
        assert!(metric["protocol"].is_string() && metric["spread"]["interval"]["low"].is_number());
    }
    assert_eq!(found["unmatched"]["real"], serde_json::json!(["0.png", "1.png", "deep/1.png"]));
    assert_eq!(found["unmatched"]["fake"], serde_json::json!(["6.png", "7.png", "8.png"]));
    assert!(said.contains("no counterpart: real/deep/1.png") && said.contains("no counterpart: fake/8.png"), "{said}");
    assert!(text.contains("4 pairs; without a counterpart: 3 real, 3 generated"), "{text}");
    // Without --pairs only metrics of pairs leave the others out.
    let sets = ["--real", "real", "--fake", "fake", "--metrics", "psnr,sharpness", "--json", "b.json"];
    out(here, &sets);
    let found = json(here, "b.json");
    assert_eq!((&found["metrics"]["psnr"]["n"], &found["metrics"]["sharpness"]["n"]), (&4.into(), &7.into()));
    pictures(here, "strangers", 20..22, 0);
    let error = refused(here, &["--real", "real", "--fake", "strangers", "--metrics", "psnr"]);
    assert!(error.contains("strangers: found no file name that is also in real"), "{error}");
    std::fs::copy(here.join("fake/2.png"), here.join("fake/2.webp")).unwrap();
    let error = refused(here, &["--real", "real", "--fake", "fake", "--metrics", "psnr"]);
    assert!(error.contains("2.png and 2.webp"), "{error}");
}

#[test]
fn sets_are_judged_by_the_tagger_where_no_network_is_named() {
    let place = tempfile::tempdir().unwrap();
    let here = place.path();
    pictures(here, "real", 0..12, 0);
    pictures(here, "fake", 20..30, 0);
    let metrics = "fid,kid,precision-recall,density-coverage,diversity,memorisation";
    out(here, &["--real", "real", "--fake", "fake", "--metrics", metrics, "--json", "a.json"]);
    let found = json(here, "a.json");
    let keys = ["fid", "kid", "precision", "recall", "density", "coverage", "diversity", "authenticity"];
    for key in keys {
        assert!(value(&found, key).is_finite() && found["metrics"][key]["network"]["name"] == "tagger", "{key}");
    }
    assert!(value(&found, "fid") > 0.0);
    let features = &found["features"];
    assert_eq!((&features["name"], features["hash"].as_str().map(str::len)), (&"tagger".into(), Some(64)));
    assert!(features["resize"].is_string() && features["dims"].is_number());
    assert_eq!(found["metrics"]["fid"]["metric"], "FID (tagger)");
    let error = refused(here, &["--real", "real", "--fake", "fake", "--metrics", "inception-score"]);
    assert!(error.contains("real, fake: Inception score: found tagger without classes"), "{error}");
    let error = refused(here, &["--real", "real", "--fake", "fake", "--metrics", "attribute-precision"]);
    assert!(error.contains("without labels"), "{error}");
    std::fs::create_dir(here.join("one")).unwrap();
    picture(0, 24).save(here.join("one/0.png")).unwrap();
    let error = refused(here, &["--real", "real", "--fake", "one", "--metrics", "fid"]);
    assert!(error.contains("real, one: ") && error.contains("at least 2"), "{error}");
}

#[test]
fn equal_pictures_are_infinitely_alike_in_valid_json() {
    let place = tempfile::tempdir().unwrap();
    let here = place.path();
    pictures(here, "real", 0..3, 0);
    let [text, _] = out(here, &["--real", "real", "--fake", "real", "--metrics", "psnr,ssim", "--json", "a.json"]);
    let found = json(here, "a.json");
    assert_eq!((&found["metrics"]["psnr"]["value"], value(&found, "ssim")), (&"inf".into(), 1.0));
    assert!(found["metrics"]["psnr"]["warnings"][0].as_str().unwrap().starts_with("3 of 3 pairs are equal"));
    assert!(text.contains("∞") && text.contains("the very pictures"), "{text}");
}

#[test]
fn pictures_of_any_kind_are_taken_and_said() {
    let place = tempfile::tempdir().unwrap();
    let here = place.path();
    pictures(here, "real", 0..5, 0);
    std::fs::create_dir(here.join("fake")).unwrap();
    let fake = here.join("fake");
    picture(0, 24).save(fake.join("0.jpg")).unwrap();
    picture(1, 40).save(fake.join("1.png")).unwrap();
    RgbaImage::from_fn(24, 24, |x, _| Rgba([10, 20, 30, if x < 9 { 0 } else { 255 }]))
        .save(fake.join("2.png"))
        .unwrap();
    GrayImage::from_fn(24, 24, |x, y| Luma([(x * y) as u8])).save(fake.join("3.png")).unwrap();
    DynamicImage::ImageRgb8(picture(4, 24)).into_rgb16().save(fake.join("4.png")).unwrap();
    std::fs::write(fake.join("notes.txt"), "no picture").unwrap();
    std::fs::write(fake.join(".DS_Store"), "hidden").unwrap();
    std::fs::create_dir(fake.join(".ipynb_checkpoints")).unwrap();
    std::fs::write(fake.join(".ipynb_checkpoints/9.png"), "no picture").unwrap();
    let [text, _] = out(here, &["--real", "real", "--fake", "fake", "--metrics", "sharpness", "--json", "a.json"]);
    for said in [
        "1 of 5 pictures are JPEG",
        "alpha channel: laid on white (2.png)",
        "are grey",
        "16 bits",
        "3 other or hidden files",
        "from 24×24 to 40×40",
    ] {
        assert!(text.contains(said), "no {said}: {text}");
    }
    let found = json(here, "a.json");
    assert_eq!(found["fake"]["pictures"], 5);
    assert!(found["notes"].as_array().unwrap().len() >= 6);
    assert!(found["warnings"][0].as_str().unwrap().contains("different sizes"), "{found:#}");
    let error = refused(here, &["--real", "real", "--fake", "fake", "--metrics", "psnr"]);
    assert!(error.contains("40×40 pixels in fake/1.png, expected 24×24 as real/1.png"), "{error}");
    // A transparent pixel is white.
    std::fs::create_dir(here.join("clear")).unwrap();
    std::fs::create_dir(here.join("white")).unwrap();
    RgbaImage::from_pixel(24, 24, Rgba([1, 2, 3, 0])).save(here.join("clear/a.png")).unwrap();
    RgbImage::from_pixel(24, 24, Rgb([255; 3])).save(here.join("white/a.png")).unwrap();
    out(here, &["--real", "white", "--fake", "clear", "--metrics", "psnr", "--json", "b.json"]);
    assert_eq!(json(here, "b.json")["metrics"]["psnr"]["value"], "inf");
}

#[test]
fn folders_that_cannot_be_used_are_named() {
    let place = tempfile::tempdir().unwrap();
    let here = place.path();
    pictures(here, "real", 0..3, 0);
    std::fs::create_dir(here.join("empty")).unwrap();
    std::fs::create_dir(here.join("texts")).unwrap();
    std::fs::write(here.join("texts/a.txt"), "text").unwrap();
    let error = |fake: &str| refused(here, &["--real", "real", "--fake", fake, "--metrics", "sharpness"]);
    assert!(error("none").contains("none"));
    assert!(error("empty").contains("empty: found an empty folder"));
    assert!(error("texts").contains("no picture, only other files"));
    assert!(error("real/0.png").contains("found a file, expected a folder"));
    pictures(here, "broken", 0..2, 0);
    std::fs::write(here.join("broken/2.png"), "no picture at all").unwrap();
    let text = error("broken");
    assert!(text.contains("broken/2.png: found not a picture") && text.contains("remove it"), "{text}");
    let whole = std::fs::read(here.join("broken/1.png")).unwrap();
    std::fs::write(here.join("broken/2.png"), &whole[..whole.len() / 2]).unwrap();
    assert!(error("broken").contains("broken/2.png: found truncated or damaged"));
    std::fs::write(here.join("broken/2.png"), "").unwrap();
    assert!(error("broken").contains("broken/2.png: found empty file"));
}

#[test]
fn networks_and_weights_that_cannot_be_used_are_named() {
    let place = tempfile::tempdir().unwrap();
    let here = place.path();
    pictures(here, "real", 0..3, 0);
    std::fs::write(here.join("raw.pth"), "PK no weights of ours").unwrap();
    let error = |more: &[&str]| refused(here, &[&["--real", "real", "--fake", "real"][..], more].concat());
    assert!(error(&["--features", "resnet"]).contains("inception:FILE"));
    assert!(error(&["--features", "inception:none"]).contains("none"));
    assert!(error(&["--features", "inception:raw.pth"]).contains("tachie import torch"));
    assert!(error(&["--protocol", "none"]).contains("tensorflow, pytorch or clean"));
    assert!(error(&["--tap", "100"]).contains("2048"));
    let text = error(&["--metrics", "lpips"]);
    assert!(text.contains("tachie fetch weights-lpips-alex") && text.contains("perceptual"), "{text}");
    let files = ["--metrics", "lpips", "--lpips-trunk", "raw.pth", "--lpips-heads", "raw.pth"];
    assert!(error(&files).contains("raw.pth"));
    assert!(refused(here, &["--real", "real"]).contains("--fake"));
    assert!(refused(here, &["--real", "real", "--fake", "real", "--metrics", "psnr,psnr"]).contains("twice"));
}

#[test]
fn tables_are_written_and_the_second_time_is_the_first() {
    let place = tempfile::tempdir().unwrap();
    let here = place.path();
    pictures(here, "real", 0..4, 0);
    pictures(here, "fake", 0..4, 6);
    let arguments = |json: &'static str| {
        let metrics = "ms-ssim,psnr,sharpness,swd,perceptual";
        let files = ["--cache", "kept", "--csv", "t/a.csv", "--md", "t/a.md", "--tex", "t/a.tex", "--json", json];
        [&["--real", "real", "--fake", "fake", "--metrics", metrics, "--seed", "5"][..], &files].concat()
    };
    let [first, said] = out(here, &arguments("a.json"));
    assert!(said.contains("PSNR"), "{said}");
    let [again, said] = out(here, &arguments("b.json"));
    assert!(said.is_empty(), "nothing is measured again: {said}");
    assert_eq!((first, json(here, "a.json")), (again, json(here, "b.json")));
    assert!(std::fs::read_to_string(here.join("t/a.csv")).unwrap().starts_with("split,model,metric,value"));
    assert!(std::fs::read_to_string(here.join("t/a.md")).unwrap().contains("| PSNR ↑"));
    assert!(std::fs::read_to_string(here.join("t/a.tex")).unwrap().contains("\\toprule"));
    let [_, said] = out(here, &[&arguments("c.json")[..], &["--quiet"]].concat());
    assert!(said.is_empty(), "{said}");
}

/// Numbers in [-1, 1) that depend on a name.
fn formula(kind: Kind) -> Weights {
    let numbers = |(name, shape): (String, Vec<usize>)| {
        let fan_in = shape.iter().skip(1).product::<usize>().max(1) as f64;
        let mut x =
            name.bytes().fold(0x811c_9dc5, |hash: u32, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
        let mut next = || {
            x = x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            f64::from(x >> 8) / f64::from(1 << 23) - 1.0
        };
        let number = |u: f64| {
            if name.ends_with("running_var") {
                1.0 + u / 2.0
            } else if name.starts_with("lin") {
                1.0 + u
            } else {
                u * (6.0 / fan_in).sqrt()
            }
        };
        let values: Vec<f32> = (0..shape.iter().product()).map(|_| number(next()) as f32).collect();
        (name.clone(), Tensor::from_vec(values, shape, &Device::Cpu).unwrap())
    };
    let card = Card { kind, source: "a formula".into(), sha256: "1e".repeat(32) };
    Weights { card, tensors: kind.tensors().unwrap().into_iter().map(numbers).collect(), left_out: vec![] }
}

#[test]
fn lpips_takes_its_trunk_and_heads_from_files() {
    let place = tempfile::tempdir().unwrap();
    let here = place.path();
    for (folder, numbers) in [("real", [0, 1]), ("fake", [2, 3])] {
        std::fs::create_dir(here.join(folder)).unwrap();
        for (i, number) in numbers.into_iter().enumerate() {
            picture(number, 40).save(here.join(folder).join(format!("{i}.png"))).unwrap();
        }
    }
    formula(Kind::Alexnet).save(here.join("trunk.safetensors")).unwrap();
    formula(Kind::LpipsAlex).save(here.join("heads.safetensors")).unwrap();
    let pairs = ["--real", "real", "--fake", "fake", "--metrics", "lpips", "--json", "a.json"];
    let files = ["--lpips-trunk", "trunk.safetensors", "--lpips-heads", "heads.safetensors"];
    out(here, &[&pairs[..], &files].concat());
    let network = Lpips::open_files(here.join(files[1]), here.join(files[3]), &Device::Cpu).unwrap();
    let tensor = |numbers: [u64; 2]| Images::from_rgb(&numbers.map(|i| picture(i, 40))).unwrap().tensor;
    let distances = network.distances(&tensor([0, 1]), &tensor([2, 3])).unwrap().to_vec1::<f32>().unwrap();
    let found = json(here, "a.json");
    let expected = f64::from(distances[0]) / 2.0 + f64::from(distances[1]) / 2.0;
    assert!(expected > 0.0 && (value(&found, "lpips") / expected - 1.0).abs() < 1e-6, "{expected}: {found:#}");
    assert_eq!(found["metrics"]["lpips"]["metric"], "LPIPS (alex)");
    assert!(found["metrics"]["lpips"]["protocol"].as_str().unwrap().contains(&"1e".repeat(32)));
    let swapped = ["--lpips-trunk", "heads.safetensors", "--lpips-heads", "trunk.safetensors"];
    let error = refused(here, &[&pairs[..], &swapped].concat());
    assert!(error.contains("heads.safetensors: found weights of kind lpips-alex"), "{error}");
    let error = refused(here, &["--real", "real", "--fake", "fake", "--features", "inception:trunk.safetensors"]);
    assert!(error.contains("found weights of kind alexnet, expected kind inception"), "{error}");
}

#[test]
fn inception_is_named_by_its_file_protocol_and_tap() {
    let place = tempfile::tempdir().unwrap();
    let here = place.path();
    pictures(here, "real", 0..2, 0);
    pictures(here, "fake", 4..6, 0);
    formula(Kind::Inception).save(here.join("i.safetensors")).unwrap();
    let fid = |more: &[&str]| {
        let arguments = ["--real", "real", "--fake", "fake", "--metrics", "fid", "--json", "a.json"];
        out(here, &[&arguments[..], &["--features", "inception:i.safetensors"], more].concat());
        json(here, "a.json")
    };
    let found = fid(&["--tap", "64", "--protocol", "pytorch"]);
    let network = Inception::open(here.join("i.safetensors"), &Device::Cpu).unwrap();
    let features = |from: u64| {
        network.features_of(&[picture(from, 24), picture(from + 1, 24)], Protocol::Pytorch, Tap::Pool1).unwrap()
    };
    let expected = frechet_distance(&features(0), &features(4)).unwrap();
    assert!(expected > 0.0 && (value(&found, "fid") / expected - 1.0).abs() < 1e-6, "{expected}: {found:#}");
    let metric = &found["metrics"]["fid"];
    assert_eq!((&metric["metric"], &metric["network"]["dims"]), (&"FID (inception 64)".into(), &64.into()));
    let resize = found["features"]["resize"].as_str().unwrap();
    assert!(resize.starts_with("pytorch: ") && resize.ends_with("299×299"), "{resize}");
    assert_eq!(found["features"]["hash"], "1e".repeat(32).as_str());
    assert_eq!(fid(&[])["metrics"]["fid"]["metric"], "FID", "that of papers has no other name");
}

/// Killed while it reads features, it goes on where it was, and gives what an undisturbed one gives.
#[test]
fn a_killed_evaluation_goes_on() {
    let place = tempfile::tempdir().unwrap();
    let here = place.path();
    pictures(here, "real", 0..300, 0);
    pictures(here, "fake", 300..320, 0);
    let arguments = ["--real", "real", "--fake", "fake", "--metrics", "fid,kid", "--cache", "kept", "--json", "a.json"];
    let mut command = Command::new(env!("CARGO_BIN_EXE_tachie"));
    command.arg("evaluate").args(arguments).args(["--device", "cpu"]).current_dir(here);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let kept = || std::fs::read_dir(here.join("kept/features")).map_or(0, |entries| entries.count());
    while kept() == 0 && child.try_wait().unwrap().is_none() {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(kept() > 0);
    out(here, &arguments);
    let found = json(here, "a.json");
    out(here, &[&arguments[..6], &["--json", "b.json"]].concat());
    assert_eq!(found, json(here, "b.json"));
    let whole = std::fs::read_dir(here.join("kept/features")).unwrap().map(|entry| entry.unwrap().path());
    let whole = whole.filter(|path| path.extension().is_some_and(|extension| extension == "safetensors"));
    assert_eq!(whole.count(), 3, "256 and 44 real, 20 generated pictures");
}
