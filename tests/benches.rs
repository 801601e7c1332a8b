//! What the benches stand on: that every model and every operation is measured, and that the step they time is that of a
//! training.

#[allow(dead_code, reason = "the benches use the rest")]
#[path = "../benches/common/growing.rs"]
mod growing;
#[allow(dead_code, reason = "the benches use the rest")]
#[path = "../benches/common/models.rs"]
mod models;
#[allow(dead_code, reason = "the benches use the rest")]
#[path = "../benches/common/operations.rs"]
mod operations;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use tachie::candle_core::{DType, Device, Tensor};
use tachie::models::catalogue::catalogue;
use tachie::models::make_girls::{Adversaries, MakeGirls};
use tachie::nn::params::{ParamStore, Training};
use tachie::nn::progressive::{Group, GrowingShape};
use tachie::train::gan::{Gan, Player};
use tachie::train::history::History;
use tachie::train::plan::{Growth, Phase};

use growing::{Config, Grown, grown};
use models::{Measured, Model, models as measured};

#[test]
fn every_preset_of_make_girls_and_its_baseline_is_measured() {
    let measured_here = [Adversaries::NAME, "dcgan"];
    for entry in catalogue().into_iter().filter(|entry| measured_here.contains(&entry.name)) {
        for preset in &entry.presets {
            let title = format!("{} {}", entry.name, preset.name);
            let fits = |model: &&Model| {
                model.name.starts_with(&format!("{title}, ")) && model.config.size() == preset.recipe.size()
            };
            let model = measured().iter().find(fits).cloned().unwrap_or_else(|| panic!("no bench of {title}"));
            let params = ParamStore::blank(&Device::Cpu, DType::F32).unwrap();
            Adversaries::new(&model.config, &params.view(Training::All)).unwrap();
            let counts: BTreeMap<Player, usize> = preset.parameters().unwrap().into_iter().collect();
            for (player, count) in counts {
                assert_eq!(params.count(player.prefix()), count, "{title}: {}", player.name());
            }
        }
    }
}

/// Operations without a row of their own.
const WITHIN: [(&str, &str); 8] = [
    ("leaky_relu_gate", "a tangent: the steps have it, in their penalty"),
    ("minibatch_deviation_tangent", "the same"),
    ("instance_norm_tangent", "the same"),
    ("adaptive_instance_norm_tangent", "the same"),
    ("pixel_norm_tangent", "the same"),
    ("lerp", "one of lerp_all"),
    ("sum_from", "mean_from without its factor"),
    ("upfirdn2d", "what the three filters call"),
];

/// What has no rows here: tests, what runs on a GPU, and changes of the type, which only a GPU gains by (the GPU suite
/// measures both).
const APART: [&str; 3] = ["tests", "cuda", "cast"];

/// The Rust files of a folder and those below.
fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        if APART.contains(&name) {
            continue;
        }
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// Whether a name stands in a text by itself.
fn names(text: &str, name: &str) -> bool {
    text.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == name)
}

#[test]
fn every_public_operation_is_measured() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |path: &Path| std::fs::read_to_string(path).unwrap();
    let measured =
        ["operations.rs", "convolutions.rs"].map(|name| read(&root.join("benches/common").join(name))).concat();
    let mut files = Vec::new();
    sources(&root.join("src/ops"), &mut files);
    let (mut seen, mut missing) = (BTreeSet::new(), Vec::new());
    for path in files {
        let text = read(&path);
        for function in text.split("\npub fn ").skip(1) {
            let signature = function.split('{').next().unwrap();
            let name = signature.split(['(', '<']).next().unwrap().to_string();
            if !signature.contains("Tensor") {
                continue;
            }
            if !names(&measured, &name) && !WITHIN.iter().any(|(within, _)| *within == name) {
                missing.push(format!("{}: {name}", path.display()));
            }
            seen.insert(name);
        }
    }
    assert!(missing.is_empty(), "no row in the bench ops, no reason in this test: {missing:?}");
    for (name, reason) in WITHIN {
        assert!(seen.contains(name) && !names(&measured, name), "{name} ({reason}) is gone, or has a row by now");
    }
    assert!(seen.len() > 40, "the search found only {seen:?}");
}

#[test]
fn every_row_has_a_name_of_its_own_and_another_side() {
    let script = include_str!("../benches/pytorch/ops.py");
    let groups: BTreeSet<&str> = operations::GROUPS.iter().map(|group| group.name).collect();
    let mut seen = BTreeSet::new();
    for case in operations::cases().unwrap() {
        assert!(seen.insert(case.name.clone()), "two rows called {}", case.name);
        assert!(groups.contains(case.group), "{}: no group {}", case.name, case.group);
        let request = case.request();
        let op = request["op"].as_str().unwrap();
        assert!(script.contains(&format!("\"{op}\"")), "{}: ops.py has no {op}", case.name);
    }
    assert_eq!(operations::convolutions::published().len(), 9, "the acceptance names nine");
}

fn numbers(tensors: &BTreeMap<String, Tensor>) -> Vec<(String, Vec<f32>)> {
    let numbers = |tensor: &Tensor| tensor.flatten_all().unwrap().to_vec1().unwrap();
    tensors.iter().map(|(name, tensor)| (name.clone(), numbers(tensor))).collect()
}

/// specs/fullbody.md A.1 and B.3 at 64 px with 64 channels, 32 at the end, 20 key points; D.2 with four layers of mapping.
#[test]
fn models_that_grow_are_measured_at_their_size() {
    let counts = [[404_527, 405_473], [380_271, 353_633]];
    for (model, [generator, discriminator]) in grown().into_iter().zip(counts) {
        let folder = tempfile::tempdir().unwrap();
        let trainer = model.trainer(folder.path()).unwrap();
        let found = ["g", "d"].map(|player| trainer.networks().params.count(player));
        assert_eq!(found, [generator, discriminator], "{}", model.name());
        let batch = model.batch().unwrap();
        assert_eq!(batch.images.dims(), [16, 3, 64, 64]);
        assert_eq!(batch.points.as_ref().unwrap().dims(), [16, 20, 3]);
        let noise = model.noise(&batch).unwrap();
        assert!(noise["z/generator"].dims()[1] == 64 && !noise.contains_key("z"), "{:?}", noise.keys());
    }
}

#[test]
fn a_step_on_the_loaders_batch_is_the_step_of_a_training() {
    let grown: Vec<Grown> = grown()
        .into_iter()
        .map(|mut model| {
            match &mut model.config {
                Config::Psgan(config) => shrink(&mut config.network, &mut config.growth),
                Config::Stylegan(config) => {
                    shrink(&mut config.network, &mut config.growth);
                    config.group = Group::Whole;
                }
            }
            model
        })
        .collect();
    stepped(&Model { name: "tiny".into(), config: MakeGirls::tiny().batch(2), large: false });
    grown.iter().for_each(|model| stepped(model));
}

/// As few pixels and pictures as will do.
fn shrink(network: &mut GrowingShape, growth: &mut Growth) {
    network.resolution = 8;
    growth.phases[0] = Phase { resolution: 8, batch: 2, ..growth.phases[0] };
}

fn stepped(model: &dyn Measured) {
    let folder = tempfile::tempdir().unwrap();
    let mut trained = model.trainer(&folder.path().join("trained")).unwrap();
    trained.steps(1).unwrap();
    let mut stepped = model.trainer(&folder.path().join("stepped")).unwrap();
    let record = stepped.step_on(&model.batch().unwrap()).unwrap();

    let [a, b] = [trained.networks(), stepped.networks()];
    assert_eq!(numbers(&a.params.tensors()), numbers(&b.params.tensors()));
    assert_eq!(numbers(&a.average.tensors()), numbers(&b.average.tensors()));
    let row = trained.history().unwrap().records()[0].clone();
    assert_eq!((row.losses, row.rates, row.images), (record.losses, record.rates, record.images));
    let rows = History::open(stepped.folder()).map_or(0, |history| history.records().len());
    assert_eq!(rows, 0, "a step alone writes no history");
}
