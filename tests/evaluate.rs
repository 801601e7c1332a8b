//! `Evaluation`: what its tables say, and that nothing is computed twice.

use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use image::{Rgb, RgbImage};
use tachie::candle_core::{Device, Tensor};
use tachie::data::avatar::Avatar;
use tachie::data::batch::Images;
use tachie::data::dataset::Dataset;
use tachie::data::tags::{Labels, TagSet};
use tachie::metrics::evaluate::{Evaluation, Folder, Metric, Model, Pictures};
use tachie::metrics::features::frechet::fid;
use tachie::metrics::features::kid::Kid;
use tachie::metrics::features::memorisation::Memorisation;
use tachie::metrics::features::precision_recall::precision_recall;
use tachie::metrics::nets::extractor::Extractor;
use tachie::metrics::pictures::psnr::psnr;
use tachie::metrics::pictures::sharpness::sharpness;
use tachie::metrics::pictures::sliced_wasserstein::SlicedWasserstein;
use tachie::metrics::pictures::ssim::Ssim;
use tachie::metrics::score::Spread;
use tachie::models::make_girls::MakeGirls;
use tachie::rng::{Seed, seed};
use tachie::show::bundle::Show;
use tachie::train::trainer::Options;
use tachie::{Error, Result};

const SIDE: u32 = 16;

/// The means of twelve cells through a layer whose weights are a formula. It counts its pictures, and reads whether a
/// picture is bright or red.
#[derive(Clone)]
struct Cells {
    seen: Arc<AtomicUsize>,
    wait: Duration,
    file: &'static str,
}

impl Cells {
    fn new() -> Cells {
        Cells { seen: Arc::default(), wait: Duration::ZERO, file: "0f".repeat(32).leak() }
    }

    fn count(&self) -> usize {
        self.seen.swap(0, Ordering::Relaxed)
    }

    /// 2 × 2 cells, three colours.
    fn means(picture: &RgbImage) -> [f64; 12] {
        let mut sums = [0.0; 12];
        let (width, height) = picture.dimensions();
        for (x, y, Rgb(colour)) in picture.enumerate_pixels() {
            let cell = (2 * y / height * 2 + 2 * x / width) as usize;
            colour.iter().enumerate().for_each(|(c, byte)| sums[3 * cell + c] += f64::from(*byte) / 255.0);
        }
        sums.map(|sum| sum * 4.0 / f64::from(width * height))
    }
}

impl Extractor for Cells {
    fn name(&self) -> String {
        "cells of a formula".into()
    }

    fn mark(&self) -> Option<String> {
        Some("cells".into())
    }

    fn hash(&self) -> Option<String> {
        (!self.file.is_empty()).then(|| self.file.to_string())
    }

    fn dims(&self) -> usize {
        8
    }

    fn resize_rule(&self) -> String {
        "means of 2×2 cells".into()
    }

    fn features(&self, pictures: &[RgbImage]) -> Result<Tensor> {
        self.seen.fetch_add(pictures.len(), Ordering::Relaxed);
        std::thread::sleep(self.wait);
        let weight = |i: usize, j: usize| ((i * 7 + j * 3) as f64).sin();
        let row = |picture: &RgbImage| {
            let means = Cells::means(picture);
            (0..8).map(|j| means.iter().enumerate().map(|(i, m)| m * weight(i, j)).sum::<f64>().tanh() as f32).collect()
        };
        let rows: Vec<Vec<f32>> = pictures.iter().map(row).collect();
        Ok(Tensor::from_vec(rows.concat(), (pictures.len(), 8), &Device::Cpu)?)
    }

    fn labels(&self, pictures: &[RgbImage]) -> Result<Option<Vec<Labels>>> {
        let read = |picture: &RgbImage| {
            let means = Cells::means(picture);
            let colour = |c: usize| (0..4).map(|cell| means[3 * cell + c]).sum::<f64>() / 4.0;
            let value = |on: bool| if on { 0.9 } else { 0.1 };
            tags().labels_from(vec![value(colour(0) > colour(2)), value(colour(1) > 0.5)])
        };
        pictures.iter().map(read).collect::<Result<Vec<_>>>().map(Some)
    }

    fn distances(&self, first: &[RgbImage], second: &[RgbImage]) -> Result<Option<Vec<f64>>> {
        let distance = |(first, second)| {
            let (first, second) = (Cells::means(first), Cells::means(second));
            first.iter().zip(second).map(|(a, b)| (a - b).powi(2)).sum()
        };
        Ok(Some(first.iter().zip(second).map(distance).collect()))
    }
}

fn tags() -> TagSet {
    TagSet::from_names(&["red", "bright"]).unwrap()
}

/// A noisy picture of these labels.
fn picture(labels: &Labels, seed: Seed, i: usize, noise: f64) -> RgbImage {
    let mut stream = seed.stream(&format!("picture/{i}"));
    let on = |tag: &str| labels.get(tag).unwrap() > 0.5;
    let level = |high: bool| if high { 190.0 } else { 60.0 };
    let colour = [level(on("red")), level(on("bright")), level(!on("red"))];
    RgbImage::from_fn(SIDE, SIDE, |_, _| {
        Rgb(colour.map(|level: f64| (level + noise * stream.normal()).clamp(0.0, 255.0) as u8))
    })
}

fn labels(n: usize) -> Vec<Labels> {
    let value = |bit: bool| f32::from(u8::from(bit));
    (0..n).map(|i| tags().labels_from(vec![value(i % 2 == 0), value(i % 3 == 0)]).unwrap()).collect()
}

fn data(name: &str, n: usize, from: Seed, noise: f64) -> Dataset {
    let labels = labels(n);
    let pictures: Vec<RgbImage> = labels.iter().enumerate().map(|(i, l)| picture(l, from, i, noise)).collect();
    Dataset::from_images(name, &pictures, &labels).unwrap()
}

/// Draws what it is asked for; every fifth picture shows the opposite.
#[derive(Clone)]
struct Painter {
    noise: f64,
    broken_after: usize,
}

struct Painted {
    seed: Seed,
    painter: Painter,
    labels: Vec<Labels>,
}

impl Model for Painter {
    fn pictures(&self, real: &dyn Pictures, seed: Seed) -> Result<Arc<dyn Pictures>> {
        let labels = (0..real.len()).map(|i| Ok(real.labels(i)?.unwrap())).collect::<Result<_>>()?;
        Ok(Arc::new(Painted { seed, painter: self.clone(), labels }))
    }

    fn fixed(&self) -> bool {
        false
    }
}

impl Pictures for Painted {
    fn name(&self) -> String {
        "painted".into()
    }

    fn len(&self) -> usize {
        self.labels.len()
    }

    fn key(&self, i: usize) -> Result<String> {
        Ok(format!("painted {i}"))
    }

    fn labels(&self, i: usize) -> Result<Option<Labels>> {
        Ok(Some(self.labels[i].clone()))
    }

    fn read(&self, range: Range<usize>) -> Result<Vec<RgbImage>> {
        assert!(range.len() <= 32, "{range:?} at once");
        if range.end > self.painter.broken_after {
            return Err(Error::invalid("painter", "no paint", "some", ""));
        }
        let opposite = |labels: &Labels| tags().labels_from(labels.values.iter().map(|v| 1.0 - v).collect());
        let paint = |i: usize| {
            let labels = if i.is_multiple_of(5) { opposite(&self.labels[i])? } else { self.labels[i].clone() };
            Ok(picture(&labels, self.seed, i, self.painter.noise))
        };
        range.map(paint).collect()
    }

    fn identity(&self, range: Range<usize>) -> Result<String> {
        Ok(format!("painted {:?} {} {range:?}", self.seed, self.painter.noise))
    }
}

fn painter(noise: f64) -> Painter {
    Painter { noise, broken_after: usize::MAX }
}

fn features(data: &dyn Pictures) -> Tensor {
    let parts = (0..data.len()).map(|i| Cells::new().features(&data.read(i..i + 1).unwrap()).unwrap());
    Tensor::cat(&parts.collect::<Vec<_>>(), 0).unwrap()
}

fn sets() -> [Metric; 3] {
    [Metric::fid(), Metric::kid(), Metric::precision_recall()]
}

fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut found: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.sort();
    found
}

#[test]
fn a_table_has_the_numbers_of_the_metrics_and_what_they_are_of() {
    let (real, near) = (data("real", 80, seed(1), 20.0), data("near", 70, seed(2), 20.0));
    let far = data("far", 60, seed(3), 90.0);
    let evaluation = Evaluation::on(&real).metrics(sets()).network(Cells::new()).quiet();
    let results = evaluation.model("near", &near).model("far", &far).run().unwrap();
    let (real, near) = (features(&real), features(&near));
    let expected = [
        ("fid", fid(&real, &near).unwrap().value),
        ("kid", Kid::new().score(&real, &near).unwrap().value),
        ("precision", precision_recall(&real, &near).unwrap()[0].value),
        ("recall", precision_recall(&real, &near).unwrap()[1].value),
    ];
    for (key, value) in expected {
        assert_eq!(results.value(key), Some(value), "{key}");
    }
    assert!(results.rows[1].measured[0].score.value > expected[0].1);
    let hash = "0f".repeat(32);
    for measured in results.rows.iter().flat_map(|row| &row.measured) {
        let protocol = &measured.score.protocol;
        assert!(protocol.contains(&hash) && protocol.contains("2×2 cells"), "{protocol}");
        assert!(measured.score.metric.ends_with(" (cells)") && measured.score.n >= 60, "{}", measured.score);
    }
    let table = results.table().unwrap();
    let md = table.md();
    assert!(md.contains("| model | FID (cells) ↓ | KID (cells) ↓ |"), "{md}");
    let row = |name: &str| md.lines().find(|line| line.starts_with(&format!("| {name}"))).unwrap().to_string();
    assert!(row("near").contains("| **") && row("near").ends_with("| 70 |"), "{md}");
    assert!(!row("far").split('|').nth(2).unwrap().contains("**"), "{md}");
    for said in [&hash[..], "Warning, FID (cells): ", "KID has no such bias", "On real", "± ", "std"] {
        assert!(md.contains(said), "no {said}: {md}");
    }
    let csv = table.csv().unwrap();
    assert!(csv.starts_with("model,FID (cells) ↓,KID (cells) ↓,KID (cells) ↓ spread,"), "{csv}");
    let folder = tempfile::tempdir().unwrap();
    for name in ["t.csv", "t.md", "t.tex", "t.html"] {
        results.save(folder.path().join(name)).unwrap();
    }
    assert!(std::fs::read_to_string(folder.path().join("t.tex")).unwrap().contains("\\textbf{"));
    assert!(results.bundle().is_ok() && results.long_table().unwrap().height() == 8);
    let json = results.json();
    assert_eq!(json["rows"][0]["metrics"]["fid"]["value"].as_f64(), Some(expected[0].1));
    assert_eq!(json["networks"][0]["hash"], hash.as_str());
}

#[test]
fn the_best_is_looked_for_within_each_split() {
    let (easy, hard) = (data("easy", 40, seed(1), 20.0), data("hard", 40, seed(2), 60.0));
    let evaluation = Evaluation::on(&easy).and_on(&hard).metrics([Metric::fid()]).network(Cells::new()).quiet();
    let (clean, noisy) = (data("a", 40, seed(3), 20.0), data("b", 40, seed(4), 60.0));
    let md = evaluation.model("clean", &clean).model("noisy", &noisy).table().unwrap().md();
    let bold: Vec<&str> = md.lines().filter(|line| line.contains("| **")).collect();
    assert!(bold.len() == 2 && bold[0].starts_with("| easy | clean"), "{md}");
    assert!(bold[1].starts_with("| hard | "), "{md}");
}

#[test]
fn the_second_time_nothing_is_computed() {
    let folder = tempfile::tempdir().unwrap();
    let (real, cells) = (data("real", 50, seed(1), 20.0), Cells::new());
    let evaluation = |metrics: &[Metric]| {
        let evaluation = Evaluation::on(&real).metrics(metrics.to_vec()).network(cells.clone()).quiet();
        evaluation.keep_in(folder.path()).model("painter", &painter(30.0))
    };
    let first = evaluation(&sets()).run().unwrap();
    assert_eq!(cells.count(), 100);
    let again = evaluation(&sets()).run().unwrap();
    assert_eq!((cells.count(), &again.rows), (0, &first.rows));
    // Another metric finds the features, other pictures do not.
    evaluation(&[Metric::density_coverage()]).run().unwrap();
    assert_eq!(cells.count(), 0);
    evaluation(&[Metric::fid()]).seed(seed(9)).run().unwrap();
    assert_eq!(cells.count(), 50);
    let other = Cells { file: "another file of weights", ..cells.clone() };
    evaluation(&[Metric::fid()]).network(other).run().unwrap();
    assert_eq!(cells.count(), 100);
    // Of weights of no file nobody knows whether they are the same.
    let nobodys = Cells { file: "", ..cells.clone() };
    for _ in 0..2 {
        evaluation(&[Metric::fid()]).network(nobodys.clone()).run().unwrap();
        assert_eq!(cells.count(), 100);
    }
}

#[test]
fn what_is_broken_is_computed_again_and_said() {
    let folder = tempfile::tempdir().unwrap();
    let (real, cells) = (data("real", 40, seed(1), 20.0), Cells::new());
    let evaluation = Evaluation::on(&real).metrics([Metric::fid()]).network(cells.clone()).quiet();
    let evaluation = evaluation.keep_in(folder.path()).model("painter", &painter(30.0));
    let first = evaluation.run().unwrap();
    cells.count();
    let (kept, results) = (files(&folder.path().join("features")), files(&folder.path().join("results")));
    assert_eq!((kept.len(), results.len()), (2, 1));
    let damage = |path: &Path, at: usize| {
        let mut bytes = std::fs::read(path).unwrap();
        let at = bytes.len() - at;
        bytes[at] ^= 1;
        std::fs::write(path, bytes).unwrap();
    };
    damage(&kept[0], 9);
    std::fs::write(&kept[1], b"").unwrap();
    let text = std::fs::read_to_string(&results[0]).unwrap();
    std::fs::write(&results[0], text.replace("\"n\": 40", "\"n\": 41")).unwrap();
    let again = evaluation.run().unwrap();
    assert_eq!((cells.count(), &again.rows), (80, &first.rows));
    assert_eq!(again.notes.len(), 3, "{:?}", again.notes);
    assert!(again.notes.iter().all(|note| note.starts_with("computed again: ")), "{:?}", again.notes);
    assert!(evaluation.run().unwrap().notes.is_empty(), "it is whole again");
    assert!(files(&folder.path().join("features")).iter().all(|path| path.extension().unwrap() == "safetensors"));
}

#[test]
fn several_evaluations_share_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let real = data("real", 40, seed(1), 20.0);
    let one = || {
        let evaluation = Evaluation::on(&real).metrics(sets()).network(Cells::new()).quiet();
        evaluation.keep_in(folder.path()).model("painter", &painter(30.0)).run().unwrap().rows
    };
    let rows: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(one)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(rows.iter().all(|other| *other == rows[0]));
}

#[test]
fn an_interrupted_evaluation_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let (real, cells) = (data("real", 300, seed(1), 20.0), Cells::new());
    let evaluation = |second: Painter| {
        let evaluation = Evaluation::on(&real).metrics(sets()).network(cells.clone()).quiet();
        evaluation.keep_in(folder.path()).model("one", &painter(30.0)).model("two", &second)
    };
    let error = evaluation(Painter { broken_after: 290, ..painter(50.0) }).run().unwrap_err().to_string();
    assert!(error.contains("no paint"), "{error}");
    // The real pictures, the first model, and what is drawn before the paint ends.
    assert_eq!(cells.count(), 300 + 300 + 288);
    let results = evaluation(painter(50.0)).run().unwrap();
    assert_eq!(cells.count(), 300 - 256, "256 pictures were kept");
    let fresh = Evaluation::on(&real).metrics(sets()).network(cells.clone()).quiet();
    let fresh = fresh.model("one", &painter(30.0)).model("two", &painter(50.0)).run().unwrap();
    assert_eq!(fresh.rows, results.rows);
}

#[test]
fn five_trials_are_a_mean_and_a_range() {
    let real = data("real", 40, seed(1), 20.0);
    let evaluation = |trials| {
        let evaluation = Evaluation::on(&real).metrics([Metric::fid()]).network(Cells::new()).quiet();
        evaluation.seed(seed(5)).trials(trials).model("painter", &painter(40.0))
    };
    let one = evaluation(1).run().unwrap().value("fid").unwrap();
    let results = evaluation(5).model("fixed", &data("fixed", 40, seed(7), 20.0)).run().unwrap();
    let score = &results.rows[0].measured[0].score;
    let seeds = (0..5).map(|trial| if trial == 0 { seed(5) } else { seed(5).child(&format!("trial/{trial}")) });
    let values: Vec<f64> = seeds
        .map(|seed| {
            let drawn = painter(40.0).pictures(&real, seed).unwrap();
            fid(&features(&real), &features(drawn.as_ref())).unwrap().value
        })
        .collect();
    assert_eq!(values[0], one);
    let (low, high) = (values.iter().copied().fold(f64::MAX, f64::min), values.iter().copied().fold(0.0, f64::max));
    assert!((score.value - values.iter().sum::<f64>() / 5.0).abs() < 1e-15 && high > low);
    assert_eq!(score.spread, Some(Spread::Range(high - low)));
    assert!(score.protocol.starts_with("mean and max − min of 5 trials"), "{}", score.protocol);
    assert_eq!(results.rows[1].measured[0].score.spread, None);
    assert!(results.notes.iter().any(|note| note.contains("fixed: the same pictures in every trial")));
    assert!(results.table().unwrap().md().contains("max − min"));
}

#[test]
fn attribute_precision_asks_for_the_labels_of_the_real_pictures() {
    let (real, cells) = (data("real", 60, seed(1), 20.0), Cells::new());
    let evaluation = Evaluation::on(&real).metrics([Metric::attribute_precision()]).network(cells).quiet();
    let results = evaluation.model("painter", &painter(20.0)).run().unwrap();
    // Of 30 red pictures 6 show the opposite, of 20 bright ones 4.
    assert!((results.value("attribute-precision").unwrap() - 0.8).abs() < 1e-12, "{results:?}");
    assert_eq!(results.rows[0].measured[0].score.n, 50);
}

#[test]
fn reconstructions_are_compared_pair_by_pair() {
    let real = data("real", 40, seed(1), 20.0);
    let noisy = data("noisy", 40, seed(2), 30.0);
    let metrics = || [Metric::psnr(), Metric::ssim(), Metric::perceptual(), Metric::sharpness(), Metric::swd()];
    let evaluation = Evaluation::on(&real).metrics(metrics()).network(Cells::new()).quiet();
    let results = evaluation.model("noisy", &noisy).model("equal", &real).run().unwrap();
    let tensor = |data: &Dataset| {
        let pictures: Vec<RgbImage> = (0..40).map(|i| data.image(i).unwrap()).collect();
        Images::from_rgb(&pictures).unwrap().tensor
    };
    let (first, second) = (tensor(&real), tensor(&noisy));
    let distances = Cells::new().distances(&real.read(0..40).unwrap(), &noisy.read(0..40).unwrap()).unwrap().unwrap();
    let swd = SlicedWasserstein::new().score(&first, &second).unwrap().last().unwrap().value;
    for (key, expected) in [
        ("psnr", psnr(&first, &second).unwrap().value),
        ("ssim", Ssim::wang().score(&first, &second).unwrap().value),
        ("sharpness", sharpness(&second).unwrap().value),
        ("swd", swd),
    ] {
        assert_eq!(results.value(key), Some(expected), "{key}");
    }
    assert!((results.value("perceptual").unwrap() - distances.iter().sum::<f64>() / 40.0).abs() < 1e-12);
    let equal = &results.rows[1].measured;
    assert_eq!((equal[0].score.value, equal[1].score.value), (f64::INFINITY, 1.0));
    assert_eq!(results.json()["rows"][1]["metrics"]["psnr"]["value"], "inf");
    assert!(results.notes.iter().any(|note| note.contains("equal: the very pictures")), "{:?}", results.notes);

    let refused = |evaluation: Evaluation| evaluation.quiet().run().unwrap_err().to_string();
    let of_pairs = || Evaluation::on(&real).metrics([Metric::psnr()]);
    let error = refused(of_pairs().model("painter", &painter(20.0)));
    assert!(error.contains("\"painted 0\"") && error.contains("reconstructions"), "{error}");
    assert!(refused(of_pairs().model("few", &noisy.take(30))).contains("30 pictures"));
}

#[test]
fn memorisation_takes_the_split_as_held_out() {
    let (training, test) = (data("training", 50, seed(1), 20.0), data("test", 30, seed(2), 20.0));
    let copies = training.take(20);
    let evaluation = Evaluation::on(&test).metrics([Metric::memorisation_of(&training)]).network(Cells::new()).quiet();
    let results = evaluation.model("copies", &copies).run().unwrap();
    let expected = Memorisation::of(&features(&copies), &features(&training), Some(&features(&test))).unwrap();
    assert_eq!(results.value("authenticity"), Some(expected.authenticity().value));
    assert_eq!(results.value("copying"), Some(expected.copying().unwrap().value));
    assert!(results.warnings()[0].contains("copies"), "{:?}", results.warnings());
}

#[test]
fn what_cannot_be_measured_is_refused() {
    let real = data("real", 40, seed(1), 20.0);
    let on = || Evaluation::on(&real).quiet();
    let refused = |evaluation: Evaluation| evaluation.run().unwrap_err().to_string();
    assert!(refused(on().model("a", &real)).contains("no metrics"));
    assert!(refused(on().metrics([Metric::psnr()])).contains("no model"));
    assert!(refused(on().metrics([Metric::psnr()]).model("a", &real).model("a", &real)).contains("model \"a\" twice"));
    assert!(
        refused(on().metrics([Metric::ssim(), Ssim::uniform().into()]).model("a", &real)).contains("\"ssim\" twice")
    );
    assert!(refused(on().metrics([Metric::psnr()]).model("a", &real).trials(0)).contains("0 trials"));
    let network = || on().network(Cells::new()).model("a", &real);
    assert!(refused(network().metrics([Metric::inception_score()])).contains("cells of a formula without classes"));
    let one = Evaluation::on(&real).network(Cells::new()).metrics([Metric::fid()]).model("one", &real.take(1)).quiet();
    let error = refused(one);
    assert!(error.starts_with("real, one: ") && error.contains("at least 2"), "{error}");
    for (name, _) in Metric::names() {
        match Metric::named(name) {
            Ok(metric) => assert_eq!(metric.name(), *name),
            Err(error) => {
                let hint = if *name == "lpips" { "tachie fetch weights-lpips-alex" } else { "tachie compare" };
                assert!(error.to_string().contains(hint), "{name}: {error}");
            }
        }
    }
    assert!(Metric::named("fdi").unwrap_err().to_string().contains("fid-infinity"));
}

#[test]
fn long_work_says_how_long_it_takes() {
    let real = data("real", 66, seed(1), 20.0);
    let lines = Arc::new(Mutex::new(Vec::new()));
    let kept = lines.clone();
    let slow = Cells { wait: Duration::from_millis(520), ..Cells::new() };
    let evaluation = Evaluation::on(&real).metrics([Metric::kid()]).network(slow);
    let evaluation = evaluation.lines(move |line| kept.lock().unwrap().push(line.to_string()));
    evaluation.model("painter", &painter(30.0)).run().unwrap();
    let lines = lines.lock().unwrap();
    assert!(lines.iter().any(|line| line.contains("features  64/66 pictures") && line.contains("ETA ")), "{lines:?}");
    let last = lines.last().unwrap();
    assert!(last.starts_with("real, painter: KID (cells) ") && last.contains("(n = 66 against 66)"), "{lines:?}");
}

#[test]
fn a_training_is_measured_at_its_checkpoints() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    let faces = Avatar::faces().size(64).take(24).unwrap();
    let gan = MakeGirls::tiny().tags(faces.tags()).build(&Device::Cpu).unwrap();
    let options = Options::default().batch(2).keep_every(2);
    gan.train_with(&faces, &run, options.clone()).unwrap().steps(5).unwrap();
    let (real, cells) = (faces.take(12), Cells::new());
    let evaluation = || Evaluation::on(&real).metrics([Metric::fid(), Metric::sharpness()]).quiet();
    let evaluation = || evaluation().network(cells.clone()).model("other faces", &faces.subset(&[12, 13, 14]).unwrap());
    let curve = evaluation().over_training(&run, &Device::Cpu).unwrap();
    // Every second step stays, and the last two checkpoints do.
    assert_eq!(curve.steps, [2, 4, 5]);
    assert_eq!(cells.count(), 12 + 3 * 12 + 3);
    let last = MakeGirls::open_run(&run, &Device::Cpu).unwrap().ema();
    let alone = evaluation().model("last", &last).run().unwrap();
    assert_eq!(curve.results.rows[2].measured, alone.rows[1].measured);
    assert_eq!(curve.results.rows[3].model, "other faces");
    let svg = curve.plot().unwrap().svg().unwrap();
    assert!(svg.contains("FID (cells)") && svg.contains("other faces"), "{}", &svg[..400]);
    assert!(curve.table().unwrap().md().contains("| step |") && curve.bundle().is_ok());
    for name in ["curve.svg", "curve.csv"] {
        curve.save(folder.path().join(name)).unwrap();
    }
    cells.count();

    // A longer training: only what is new is measured, what is broken is left out.
    gan.train_with(&faces, &run, options).unwrap().steps(2).unwrap();
    std::fs::write(run.join("checkpoints/ckpt-000000004/ema.safetensors"), b"x").unwrap();
    let curve = evaluation().over_training(&run, &Device::Cpu).unwrap();
    assert_eq!((curve.steps.clone(), cells.count()), (vec![2, 6, 7], 24));
    assert!(curve.results.notes[0].starts_with("ckpt-000000004 left out: "), "{:?}", curve.results.notes);
    let error = evaluation().over_training(folder.path().join("none"), &Device::Cpu).unwrap_err().to_string();
    assert!(error.contains("none"), "{error}");
}

#[test]
fn a_generator_draws_the_labels_of_the_real_pictures() {
    let faces = Avatar::faces().size(64).take(3).unwrap();
    let gan = MakeGirls::tiny().tags(faces.tags()).build(&Device::Cpu).unwrap();
    let drawn = gan.pictures(&faces, seed(4)).unwrap();
    let labels: Vec<Labels> = (0..3).map(|i| faces.labels(i).unwrap()).collect();
    assert_eq!(drawn.read(0..3).unwrap(), gan.sample_many(&labels, seed(4)).unwrap().to_rgb().unwrap());
    assert_eq!(drawn.labels(1).unwrap(), Some(labels[1].clone()));
    let other = MakeGirls::tiny().tags(faces.tags()).build_with(&Device::Cpu, seed(1)).unwrap();
    let identity = |gan: &MakeGirls, seed| gan.pictures(&faces, seed).unwrap().identity(0..3).unwrap();
    assert_eq!(identity(&gan, seed(4)), identity(&gan, seed(4)));
    assert_ne!(identity(&gan, seed(4)), identity(&gan, seed(5)));
    assert_ne!(identity(&gan, seed(4)), identity(&other, seed(4)));
}

#[test]
fn without_a_network_it_is_the_tagger() {
    let faces = Avatar::faces().size(64).take(24).unwrap();
    let metrics = [Metric::fid(), Metric::attribute_precision(), Metric::perceptual()];
    let results = Evaluation::on(&faces).metrics(metrics).model("itself", &faces).quiet().run().unwrap();
    assert!(results.value("fid").unwrap() < 1e-3 && results.value("perceptual") == Some(0.0), "{results:?}");
    assert!(results.value("attribute-precision").unwrap() > 0.5, "{results:?}");
    let md = results.table().unwrap().md();
    assert!(md.contains("| model | FID (tagger) ↓ | attribute precision (tagger) ↑ | "), "{md}");
    let card = results.networks()[0].clone();
    assert!(card.hash.is_some_and(|hash| hash.len() == 64) && md.contains(&card.resize), "{md}");
}

#[test]
fn folders_of_one_content_are_one() {
    let place = tempfile::tempdir().unwrap();
    let real = data("real", 6, seed(1), 20.0);
    for folder in ["a", "b"] {
        std::fs::create_dir(place.path().join(folder)).unwrap();
        for i in 0..6 {
            real.image(i).unwrap().save(place.path().join(folder).join(format!("{i}.png"))).unwrap();
        }
    }
    let open = |folder: &str| Folder::open(place.path().join(folder)).unwrap();
    let (a, b) = (open("a"), open("b"));
    assert_eq!(a.identity(0..6).unwrap(), b.identity(0..6).unwrap());
    assert_eq!(a.read(2..4).unwrap(), [real.image(2).unwrap(), real.image(3).unwrap()]);
    let results = Evaluation::on(&a).metrics([Metric::psnr()]).model("b", &b).quiet().run().unwrap();
    assert_eq!(results.value("psnr"), Some(f64::INFINITY));
    assert!(results.notes.iter().any(|note| note.contains("the very pictures")));
}
