//! The best of a training, by KID.

use std::fs;

use tachie::candle_core::Device;
use tachie::data::avatar::Avatar;
use tachie::data::dataset::Dataset;
use tachie::metrics::evaluate::{BestByKid, BestOf, Evaluation, Metric};
use tachie::metrics::features::kid::Kid;
use tachie::models::stylegan::{Stylegan, StyleganConfig};
use tachie::nn::progressive::Group;
use tachie::rng::seed;
use tachie::show::bundle::Show;
use tachie::train::plan::Mark;
use tachie::train::progress::Ended;
use tachie::train::trainer::{Options, Trainer};

use crate::numbers;
use crate::training::{growth, network};

fn config() -> StyleganConfig {
    StyleganConfig { network: network(), growth: growth(), mapping_layers: 2, group: Group::Whole, ..Stylegan::tiny() }
}

fn faces() -> Dataset {
    Avatar::faces().size(16).take(40).unwrap()
}

fn open(folder: &std::path::Path) -> Trainer {
    let options = Options::default().device(&Device::Cpu).seed(seed(4));
    Trainer::open::<tachie::models::stylegan::Adversaries>(&config(), &faces(), folder, options).unwrap()
}

fn best() -> BestByKid {
    BestByKid::against(&faces()).unwrap().every(20).samples(24).quiet()
}

#[test]
fn the_best_of_a_training_is_kept_and_a_stopped_one_goes_on() {
    let (once, parts) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut run = open(once.path());
    let (progress, found) = best().train(&mut run, Mark::Images(70)).unwrap();
    assert_eq!(progress.ended, Ended::Reached);
    let at: Vec<(u64, u64)> = found.measured.iter().map(|measured| (measured.step, measured.images)).collect();
    // Minibatches of 4, from 16 pictures on of 5, from 51 on of 2.
    assert_eq!(at, [(5, 21), (9, 41), (16, 61), (21, 71)]);
    assert!(found.measured.iter().all(|measured| measured.metric == "KID (tagger)" && measured.pictures == 24));

    // The weights are those of the lowest number, and the number is that of the weights.
    let winner = found.best().unwrap();
    assert!(found.measured.iter().all(|measured| measured.value >= winner.value));
    let model = Stylegan::open_best(once.path(), &Device::Cpu).unwrap();
    if let Ok(same) = Stylegan::open_run_at(once.path(), winner.step, &Device::Cpu) {
        for (name, tensor) in same.ema().params().tensors() {
            assert_eq!(numbers(&tensor), numbers(&model.params().tensors()[&name]), "{name}");
        }
    }
    let mut order = seed(0).stream("best/real").permutation(40);
    order.truncate(24);
    order.sort_unstable();
    let real = faces().subset(&order).unwrap();
    let evaluation = Evaluation::on(&real).metrics([Metric::from(Kid::new())]).model("best", &model).quiet();
    let again = evaluation.run().unwrap().rows[0].measured[0].score.value;
    assert!((again - winner.value).abs() < 1e-9, "{again}, expected {}", winner.value);
    assert_eq!(BestOf::open(once.path()).unwrap().measured, found.measured);
    let shown = format!("{:?}", found.bundle().unwrap());
    assert!(shown.contains("the best KID (tagger)"), "{shown}");

    // Stopped in the middle, then killed before what it had reached was measured: the same numbers.
    best().train(&mut open(parts.path()), Mark::Steps(7)).unwrap();
    open(parts.path()).until(Mark::Images(40)).unwrap();
    let (_, resumed) = best().train(&mut open(parts.path()), Mark::Steps(21)).unwrap();
    let all = |found: &BestOf| -> Vec<(u64, f64)> {
        found.measured.iter().filter(|measured| measured.step != 7).map(|m| (m.step, m.value)).collect()
    };
    assert_eq!(all(&resumed), all(&found));

    // Nothing to do any more.
    let (_, once_more) = best().train(&mut open(once.path()), Mark::Images(70)).unwrap();
    assert_eq!(once_more.measured, found.measured);
}

#[test]
fn checkpoints_that_a_run_kept_are_measured_afterwards() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options::default().device(&Device::Cpu).seed(seed(4)).keep_every(3);
    let mut run =
        Trainer::open::<tachie::models::stylegan::Adversaries>(&config(), &faces(), folder.path(), options).unwrap();
    let nothing = Stylegan::open_best(folder.path(), &Device::Cpu).unwrap_err().to_string();
    assert!(nothing.contains("best.safetensors") && nothing.contains("keep-best-by-kid"), "{nothing}");
    assert!(BestOf::open(folder.path()).is_err() && best().of_run(folder.path(), &Device::Cpu).is_err());
    run.steps(7).unwrap();
    let found = best().of_run(folder.path(), &Device::Cpu).unwrap();
    assert_eq!(found.measured.iter().map(|measured| measured.step).collect::<Vec<_>>(), [3, 6, 7]);
    assert!(found.weights().is_file());
    run.steps(2).unwrap();
    let more = best().of_run(folder.path(), &Device::Cpu).unwrap();
    assert_eq!(more.measured.iter().map(|measured| measured.step).collect::<Vec<_>>(), [3, 6, 7, 9]);
    assert_eq!(more.measured[..3], found.measured);

    // A damaged file is named; without the weights nothing is known of the best.
    fs::write(folder.path().join("best.jsonl"), "{\"step\": 3\n").unwrap();
    let message = BestOf::open(folder.path()).unwrap_err().to_string();
    assert!(message.contains("best.jsonl") && message.contains("line 1"), "{message}");
    fs::remove_file(found.weights()).unwrap();
    fs::write(folder.path().join("best.jsonl"), "").unwrap();
    assert_eq!(best().of_run(folder.path(), &Device::Cpu).unwrap().measured, more.measured);
}
