//! Which pictures are pairs: training, labels, rounds, filter.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use image::{Rgb, RgbImage, imageops};
use tachie::data::prepare::clothing::classify::{
    ClassifierOptions, FilterOptions, LABELS, Label, Labels, PairClassifier, RoundOptions, classify_round, filter_pairs,
};
use tachie::data::prepare::review::{Decision, Decisions, Line};
use tachie::rng::{Stream, seed};
use tachie::weights::safetensors;
use tempfile::TempDir;

use super::super::{everything_below, tachie};

/// A drawn disc on white.
fn character(s: &mut Stream) -> RgbImage {
    let (x, y, radius) = (20.0 + s.range(0.0, 20.0), 20.0 + s.range(0.0, 40.0), 9.0 + s.range(0.0, 8.0));
    let colour = Rgb([200 + s.below(50) as u8, s.below(90) as u8, s.below(90) as u8]);
    RgbImage::from_fn(60, 80, |px, py| {
        let away = (f64::from(px) - x).hypot(f64::from(py) - y);
        if away < radius { colour } else { Rgb([250; 3]) }
    })
}

/// Dark stripes with noise.
fn clothing(s: &mut Stream) -> RgbImage {
    let (width, blue) = (3 + s.below(4) as u32, 120 + s.below(100) as u8);
    RgbImage::from_fn(60, 80, |x, _| {
        let noise = s.below(20) as u8;
        if x / width % 2 == 0 { Rgb([noise, 40 + noise, blue]) } else { Rgb([noise, noise, 60 + noise]) }
    })
}

fn beside(one: &RgbImage, other: &RgbImage) -> RgbImage {
    let mut both = RgbImage::new(120, 80);
    imageops::replace(&mut both, one, 0, 0);
    imageops::replace(&mut both, other, 60, 0);
    both
}

/// Half of them are pairs; the others a character, clothing, or two characters.
fn picture(i: usize) -> (RgbImage, bool) {
    let mut s = seed(i as u64).stream("pictures");
    let (one, other) = (character(&mut s), clothing(&mut s));
    match i % 6 {
        0 | 2 => (beside(&one, &other), true),
        4 => (beside(&other, &one), true),
        1 => (one, false),
        3 => (other, false),
        _ => (beside(&one, &character(&mut s)), false),
    }
}

#[test]
fn a_training_of_seconds_separates_and_its_file_is_the_classifier() {
    let pictures: Vec<(RgbImage, bool)> = (0..120).map(picture).collect();
    let options = ClassifierOptions { steps: 100, batch: 12, ..ClassifierOptions::default() };
    let mut losses = Vec::new();
    let known = pictures[..48].iter().map(|(picture, is_pair)| (picture, *is_pair));
    let classifier = PairClassifier::train(known, &options, |_, loss| losses.push(loss)).unwrap();
    assert_eq!(losses.len(), 100);
    let unseen: Vec<RgbImage> = pictures[48..].iter().map(|(picture, _)| picture.clone()).collect();
    let said = classifier.probabilities(&unseen).unwrap();
    let right = said.iter().zip(&pictures[48..]).filter(|(p, (_, is_pair))| (**p >= 0.5) == *is_pair).count();
    assert!(right >= 68, "{right} of 72, last losses {:?}", &losses[90..]);
    // What is said of a picture does not depend on the others.
    assert_eq!(classifier.probability(&unseen[7]).unwrap(), said[7]);
    let message = classifier.probability(&RgbImage::new(0, 3)).unwrap_err().to_string();
    assert!(message.contains("no pixels"), "{message}");

    let place = TempDir::new().unwrap();
    let path = place.path().join("pairs.safetensors");
    classifier.save(&path).unwrap();
    let opened = PairClassifier::open(&path).unwrap();
    assert_eq!((opened.probabilities(&unseen).unwrap(), opened.options()), (said, classifier.options()));
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    assert!(PairClassifier::open(&path).is_err());
    safetensors::write(&path, &BTreeMap::new(), "{}").unwrap();
    let message = PairClassifier::open(&path).unwrap_err().to_string();
    assert!(message.contains("classify-pairs"), "{message}");
}

#[test]
fn weights_to_start_from_are_taken_by_name() {
    let place = TempDir::new().unwrap();
    let pictures: Vec<(RgbImage, bool)> = (0..6).map(picture).collect();
    let known = || pictures.iter().map(|(picture, is_pair)| (picture, *is_pair));
    let still = ClassifierOptions { steps: 1, batch: 2, rate: 0.0, ..ClassifierOptions::default() };
    let [first, second] = ["first", "second"].map(|name| place.path().join(name));
    PairClassifier::train(known(), &still, |_, _| {}).unwrap().save(&first).unwrap();
    let started = ClassifierOptions { seed: seed(5), pretrained: Some(first.clone()), ..still.clone() };
    PairClassifier::train(known(), &started, |_, _| {}).unwrap().save(&second).unwrap();
    let [from, to] = [&first, &second].map(|path| safetensors::read(path).unwrap().tensors);
    let numbers = |tensor: &tachie::candle_core::Tensor| tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    for (name, tensor) in &from {
        let same = numbers(tensor) == numbers(&to[name]);
        // The last layer starts anew; its bias from 0.
        assert_eq!(same, name != "classifier.3.weight", "{name}");
    }
    let rest = from.iter().filter(|(name, _)| *name != "features.3.weight").map(|(n, t)| (n.clone(), t.clone()));
    safetensors::write(&second, &rest.collect(), "").unwrap();
    let missing = ClassifierOptions { pretrained: Some(second), ..still.clone() };
    let message = PairClassifier::train(known(), &missing, |_, _| {}).unwrap_err().to_string();
    assert!(message.contains("features.3.weight is missing"), "{message}");
    let alike = pictures.iter().filter(|(_, is_pair)| *is_pair).map(|(picture, is_pair)| (picture, *is_pair));
    let message = PairClassifier::train(alike, &still, |_, _| {}).unwrap_err().to_string();
    assert!(message.contains("3 pairs and 0 other pictures"), "{message}");
}

/// Thirty pictures, and files that are none.
fn folder() -> (TempDir, PathBuf) {
    let place = TempDir::new().unwrap();
    let input = place.path().join("in");
    fs::create_dir_all(input.join("衣装")).unwrap();
    for i in 0..30 {
        picture(i).0.save(input.join(name(i))).unwrap();
    }
    fs::write(input.join("empty.png"), b"").unwrap();
    fs::write(input.join("text.jpg"), b"404 not found").unwrap();
    let whole = fs::read(input.join(name(0))).unwrap();
    fs::write(input.join("cut off.png"), &whole[..whole.len() / 2]).unwrap();
    (place, input)
}

fn name(i: usize) -> String {
    if i.is_multiple_of(2) { format!("衣装/{i:02}, なりきり.png") } else { format!("item ({i:02}).png") }
}

fn is_pair(file: &str) -> bool {
    (0..30).any(|i| name(i) == file && picture(i).1)
}

/// Fills in what has no label, as a person does.
fn label(work: &Path) {
    let path = work.join(LABELS);
    let mut reader = csv::Reader::from_path(&path).unwrap();
    let mut table = csv::Writer::from_writer(Vec::new());
    table.write_record(reader.headers().unwrap()).unwrap();
    for row in reader.records().map(Result::unwrap) {
        let word = if is_pair(&row[0]) { "pair" } else { "other" };
        let label = if row[1].is_empty() { word } else { &row[1] };
        table.write_record([&row[0], label, &row[2], &row[3]]).unwrap();
    }
    fs::write(path, table.into_inner().unwrap()).unwrap();
}

#[test]
fn rounds_ask_learn_and_filter_and_go_on_where_they_were() {
    let (place, input) = folder();
    let (before, work) = (everything_below(&input), place.path().join("work"));
    let classifier = ClassifierOptions { steps: 6, batch: 4, ..ClassifierOptions::default() };
    let options = RoundOptions { classifier, ask: 8, validation: 0.25 };
    let round = |options: &RoundOptions| {
        let mut steps = 0;
        let report = classify_round(&input, &work, options, |_, _| steps += 1).unwrap();
        (report, steps, fs::read(work.join(LABELS)).unwrap())
    };
    let files = |asked: &[(String, Option<f64>)]| asked.iter().map(|(file, _)| file.clone()).collect::<BTreeSet<_>>();

    let (first, steps, text) = round(&options);
    assert_eq!((first.asked.len(), first.waiting, first.round, steps), (8, 8, 1, 0), "{first}");
    assert_eq!(first.problems.problems.len(), 3, "{first}");
    assert!(["empty.png", "text.jpg", "cut off.png"].iter().all(|file| first.problems.of(file).len() == 1));
    let page = fs::read_to_string(work.join("ask-1.html")).unwrap();
    assert!(first.asked.iter().all(|(file, probability)| page.contains(file.as_str()) && probability.is_none()));
    let (again, steps, same) = round(&options);
    assert_eq!((again.asked.len(), again.waiting, steps), (0, 8, 0), "{again}");
    assert_eq!(text, same);

    label(&work);
    let filled = fs::read(work.join(LABELS)).unwrap();
    let (second, steps, text) = round(&options);
    assert_eq!((second.asked.len(), second.round, steps), (8, 2, 6), "{second}");
    assert!(text.starts_with(&filled), "a row was changed");
    assert_eq!(second.labelled.iter().sum::<usize>(), 8);
    assert_eq!(second.held_out.map(|[_, of]| of), Some(2), "{second}");
    assert!(files(&second.asked).is_disjoint(&files(&first.asked)));
    // The least certain of those that nobody was asked about, the least certain first.
    let trained = second.classifier.as_ref().unwrap().parent().unwrap().to_path_buf();
    let scores = fs::read_to_string(trained.join("scores/scores.csv")).unwrap();
    let mut reader = csv::Reader::from_reader(scores.as_bytes());
    let scores: Vec<(String, f64)> = reader.deserialize().map(Result::unwrap).collect();
    assert_eq!(scores.len(), 30);
    let doubt = |value: f64| (value - 0.5).abs();
    let asked: Vec<f64> = second.asked.iter().map(|(_, value)| doubt(value.unwrap())).collect();
    assert!(asked.is_sorted(), "{asked:?}");
    let asked_about: BTreeSet<String> = files(&first.asked).union(&files(&second.asked)).cloned().collect();
    let rest = scores.iter().filter(|(file, _)| !asked_about.contains(file));
    assert!(rest.clone().count() == 14 && rest.clone().all(|(_, value)| doubt(*value) >= asked[7] - 1e-4));
    // Every disagreement is there, the most certain one first.
    let labels = Labels::open(work.join(LABELS)).unwrap();
    let given = labels.given();
    let wrong = |(file, value): &&(String, f64)| {
        given.get(file.as_str()).is_some_and(|label| (*label == Label::Pair) != (*value >= 0.5))
    };
    assert_eq!(second.disagreements.len(), scores.iter().filter(wrong).count());
    assert!(second.disagreements.is_sorted_by(|a, b| doubt(a.probability) >= doubt(b.probability)));
    let errors = fs::read_to_string(trained.join("errors.csv")).unwrap();
    assert_eq!(errors.lines().count(), 1 + second.disagreements.len());
    assert_eq!(trained.join("errors.html").is_file(), !second.disagreements.is_empty());

    // The second eight are decided on the page, one of them not at all.
    let decide = |file: &String| Line::new(file, if is_pair(file) { Decision::Keep } else { Decision::Drop });
    let open = second.asked[3].0.clone();
    let decided = second.asked.iter().map(|(file, _)| file).filter(|file| **file != open).map(decide).collect();
    assert_eq!(Labels::open(work.join(LABELS)).unwrap().take(&Decisions::new(decided)).unwrap(), 7);
    let (waiting, steps, _) = round(&options);
    assert_eq!((waiting.waiting, steps), (1, 0), "{waiting}");
    label(&work);
    let none = RoundOptions { ask: 0, ..options.clone() };
    let (third, steps, _) = round(&none);
    assert_eq!((third.labelled.iter().sum::<usize>(), third.asked.len(), steps), (16, 0, 6), "{third}");
    // Interrupted while it looked at pictures: the classifier stays, what was lost is looked at again.
    let trained = third.classifier.as_ref().unwrap().parent().unwrap().to_path_buf();
    let records = trained.join("scores/records.jsonl");
    let (lines, table) = (fs::read(&records).unwrap(), fs::read(trained.join("scores/scores.csv")).unwrap());
    fs::write(&records, &lines[..lines.len() / 2]).unwrap();
    let (fourth, steps, _) = round(&none);
    assert_eq!((fourth.classifier, steps), (third.classifier, 0));
    assert_eq!(fs::read(trained.join("scores/scores.csv")).unwrap(), table);

    let out = place.path().join("pairs");
    let filter = || filter_pairs(&input, &work, &out, &none, &FilterOptions::default(), |_, _| panic!()).unwrap();
    let (kept, again) = (filter(), filter());
    assert_eq!((kept.made, again.made, again.kept), (kept.problems.used, 0, kept.made), "{kept}{again}");
    let labels = Labels::open(work.join(LABELS)).unwrap();
    let table = String::from_utf8(table).unwrap();
    let mut reader = csv::Reader::from_reader(table.as_bytes());
    for (file, value) in reader.deserialize::<(String, f64)>().map(Result::unwrap) {
        let wanted = match labels.given().get(file.as_str()) {
            Some(label) => *label == Label::Pair,
            None => value >= 0.5,
        };
        assert_eq!(out.join("images").join(&file).is_file(), wanted, "{file}");
        assert_eq!(kept.problems.of(&file).len(), usize::from(!wanted), "{file}");
    }
    assert_eq!(kept.problems.of("text.jpg")[0].kind, "not a picture");
    assert_eq!(kept.problems.problems.len() + kept.made, 33);
    assert!(everything_below(&input) == before, "the pictures were touched");
}

#[test]
fn the_command_asks_learns_and_filters() {
    let (place, input) = folder();
    let [work, out, scores] = ["work", "out", "scores"].map(|name| place.path().join(name).display().to_string());
    let input = input.display().to_string();
    let run = |more: &[&str]| {
        let fixed = ["data", "classify-pairs", "--in", &input, "--work", &work, "--steps", "2", "--batch", "2"];
        let output = tachie(&[&fixed, more].concat());
        (output.status.success(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
    };
    let (done, text) = run(&["--ask", "12"]);
    assert!(done && text.contains("round 1: 12 pictures to label") && text.contains("ask-1.html"), "{text}");
    let (done, text) = run(&["--apply", &out]);
    assert!(!done && text.contains("0 pairs and 0 other pictures"), "{text}");
    label(Path::new(&work));
    let (done, text) = run(&["--ask", "3"]);
    assert!(done && text.contains("step 2 of 2") && text.contains("round 2: 3 pictures to label"), "{text}");
    let (done, text) = run(&["--apply", &out, "--link"]);
    assert!(done && !text.contains("step 2 of 2") && text.contains("labelled no pair"), "{text}");
    let trained = fs::read_dir(&work).unwrap().map(|entry| entry.unwrap().path());
    let trained = trained.filter(|path| path.join("classifier.safetensors").is_file()).collect::<Vec<_>>();
    assert_eq!(trained.len(), 1);
    let file = trained[0].join("classifier.safetensors").display().to_string();
    let output = tachie(&["data", "classify-pairs", "--in", &input, "--work", &scores, "--classifier", &file]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && text.contains("of 30 pictures are pairs"), "{text}");
    let inside = Path::new(&input).join("work").display().to_string();
    let output = tachie(&["data", "classify-pairs", "--in", &input, "--work", &inside]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("outside of the folder of pictures"));
}
