//! What holds for every model of the catalogue.

#[path = "common/posed.rs"]
mod posed;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};

use tachie::candle_core::{Device, Tensor};
use tachie::data::batch::Batch;
use tachie::data::dataset::Dataset;
use tachie::data::loader::{Loader, LoaderOptions};
use tachie::data::skeleton::Skeleton;
use tachie::models::catalogue::{self, Preset, Recipe};
use tachie::ops::resample::avg_pool2d;
use tachie::rng::Seed;
use tachie::train::gan::{Player, Step};
use tachie::train::plan::{Intervals, Position};
use tachie::train::trainer::{Options, Trainer};

use posed::posed;

/// Largest pictures of which a test makes gradients: a step at 1024 px takes a minute.
const LARGEST: usize = 128;
/// Largest networks of which it does. Editors of faces have up to 143 million numbers, which take minutes; their `tiny`
/// networks have the same layers, and tests/editing.rs holds every one beside PyTorch.
const MOST: usize = 40_000_000;

fn faces(size: usize, n: usize) -> Dataset {
    posed(size as u32, n, Skeleton::bones().unwrap(), true)
}

/// The first pictures of a data set, as its loader gives them to this model.
fn batch(recipe: &dyn Recipe, n: usize) -> Batch {
    let options = LoaderOptions { batch: n, threads: 0, changes: recipe.changes(), ..LoaderOptions::default() };
    Loader::new(&faces(recipe.size(), n), options).unwrap().next().unwrap()
}

/// Pictures and labels of `Avatar`, of which an epoch has more than any test shows.
static MANY: LazyLock<Dataset> = LazyLock::new(|| faces(8, 1_000));

fn trained(recipe: &dyn Recipe) -> Arc<dyn Recipe> {
    recipe.for_data(&MANY)
}

/// Parameters of levels that a published network has and its schedule never visits.
fn unvisited(model: &str, parameter: &str) -> bool {
    model == "anime2clothing" && parameter.contains("rgb_layer")
}

fn numbers(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

#[test]
fn parameter_counts_are_the_published_ones() {
    for entry in catalogue::catalogue() {
        for preset in &entry.presets {
            let counted: BTreeMap<Player, usize> = preset.parameters().unwrap().into_iter().collect();
            for (player, published) in &preset.published {
                assert_eq!(counted[player], *published, "{} {}: {}", entry.name, preset.name, player.name());
            }
        }
    }
}

#[test]
fn the_readme_shows_the_catalogue() {
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let table = catalogue::markdown().unwrap();
    assert!(readme.contains(table.trim()), "README.md, \"The models\", should be:\n{table}");
}

/// Also on pictures of the paper's size: shapes, gradients and nothing that is not finite. In every stage of the plan, in
/// the middle of its fade if it has one: together they reach every parameter.
#[test]
fn every_parameter_gets_a_finite_gradient_and_no_other() {
    for entry in catalogue::catalogue() {
        let presets = entry.presets.iter().filter(|preset| ["paper", "tiny"].contains(&preset.name));
        let weights = |preset: &Preset| preset.published.iter().map(|(_, count)| count).sum::<usize>();
        for preset in presets.filter(|preset| preset.recipe.size() <= LARGEST && weights(preset) <= MOST) {
            let title = format!("{} {}", entry.name, preset.name);
            let recipe = trained(&*preset.recipe);
            let params = recipe.networks(Seed(1), &Device::Cpu).unwrap().params;
            let batch = batch(&*recipe, 2);
            let plan = recipe.plan();
            let mut reached = BTreeSet::new();
            // Stages that differ in nothing but their rates are one.
            let mut seen = BTreeSet::new();
            for (index, stage) in plan.stages.iter().enumerate() {
                if !seen.insert((stage.resolution, stage.fade > 0, stage.only.clone())) {
                    continue;
                }
                let alpha = if stage.fade > 0 { 0.5 } else { 1.0 };
                let position = Position { stage: index, resolution: stage.resolution, batch: 2, alpha };
                let smaller = |pictures: &Tensor| avg_pool2d(pictures, recipe.size() / stage.resolution).unwrap();
                let (images, others) = (smaller(&batch.images), batch.others.as_ref().map(smaller));
                let batch = Batch { images, others, ..batch.clone() };
                for turn in &plan.order {
                    // A step that regularises, where a plan does so on some steps only.
                    let mut step = Step::new(4, Seed(2), position);
                    let losses = recipe.loss(&params, turn.player, &batch, &mut step).unwrap();
                    let gradients = tachie::autograd::backward(&losses.total().unwrap()).unwrap();
                    for (name, var) in params.trainable("") {
                        let Some(gradient) = gradients.get(&var) else { continue };
                        assert!(name.starts_with(&format!("{}.", turn.player.prefix())), "{title}: {name}");
                        assert_eq!(gradient.dims(), var.dims(), "{title}: {name}");
                        assert!(numbers(gradient).iter().all(|v| v.is_finite()), "{title}: {name}");
                        reached.insert(name);
                    }
                }
            }
            for (name, _) in params.trainable("") {
                assert!(reached.contains(&name) || unvisited(entry.name, &name), "{title}: no gradient for {name}");
            }
            let preview = recipe.preview(&params, Seed(3)).unwrap();
            assert_eq!(preview.tensor.dims()[1..], [3, recipe.size(), recipe.size()]);
            assert!(numbers(&preview.tensor).iter().all(|v| v.abs() <= 1.0));
        }
    }
}

#[test]
fn saved_and_loaded_networks_draw_the_same() {
    for entry in catalogue::catalogue() {
        let recipe = entry.preset("tiny").unwrap().recipe;
        let [a, b] = [1, 2].map(|seed| recipe.networks(Seed(seed), &Device::Cpu).unwrap().params);
        let draw = |params| numbers(&recipe.preview(params, Seed(3)).unwrap().tensor);
        assert_ne!(draw(&a), draw(&b), "{}", entry.name);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("weights.safetensors");
        tachie::weights::safetensors::write(&path, &a.tensors(), "").unwrap();
        b.load(&tachie::weights::safetensors::read(&path).unwrap().tensors).unwrap();
        assert_eq!(draw(&a), draw(&b), "{}", entry.name);
    }
}

fn options() -> Options {
    Options::default().batch(4).intervals(Intervals { history: 1, preview: 1_000, checkpoint: 1_000 })
}

fn train(recipe: &dyn Recipe, data: &Dataset, folder: &std::path::Path, steps: u64) -> Trainer {
    let mut trainer = recipe.train(data, folder, options()).unwrap();
    trainer.steps(steps).unwrap();
    trainer
}

#[test]
fn k_and_m_steps_are_k_plus_m_steps() {
    let data = faces(64, 12);
    for entry in catalogue::catalogue() {
        let recipe = trained(&*entry.preset("tiny").unwrap().recipe);
        let folder = tempfile::tempdir().unwrap();
        let (once, twice) = (folder.path().join("once"), folder.path().join("twice"));
        let whole = train(&*recipe, &data, &once, 5).networks();
        train(&*recipe, &data, &twice, 2);
        let parts = train(&*recipe, &data, &twice, 3).networks();
        for (a, b) in [(&whole.params, &parts.params), (&whole.average, &parts.average)] {
            for (name, tensor) in a.tensors() {
                assert_eq!(numbers(&tensor), numbers(&b.tensors()[&name]), "{} {name}", entry.name);
            }
        }
    }
}

/// The discriminator learns four pictures by heart: their attributes, if it names any, and which are real. The generator
/// learns to please it, where there are attributes to please it with.
#[test]
fn one_batch_is_overfitted() {
    let data = faces(64, 4);
    for entry in catalogue::catalogue() {
        let recipe = trained(&*entry.preset("tiny").unwrap().recipe);
        let folder = tempfile::tempdir().unwrap();
        let history = train(&*recipe, &data, folder.path(), 40).history().unwrap();
        let term = |step: usize, name: &str| history.records()[step].losses.get(name).copied();
        let both = |name: &str| Some((term(0, name)?, term(39, name)?));
        println!("{}: {:?} to {:?}", entry.name, history.records()[0].losses, history.records()[39].losses);
        let read = both("discriminator/cls_real").or_else(|| both("classifier/cls_real"));
        if let (Some(read), Some(pleased)) = (read, both("generator/cls")) {
            assert!(read.1 < 0.35 * read.0, "{}: {read:?}", entry.name);
            assert!(pleased.1 < 0.9 * pleased.0, "{}: {pleased:?}", entry.name);
        } else {
            // PG2's generator learns alone at first.
            let names = ["discriminator/total", "generator/total"];
            let name = names.into_iter().find(|name| term(0, name).is_some()).unwrap();
            let last = (30..40).filter_map(|step| term(step, name)).sum::<f64>() / 10.0;
            let first = term(0, name).unwrap();
            assert!(last < first, "{}: {first} to {last}", entry.name);
        }
        assert!(history.records().iter().all(|record| record.losses.values().all(|value| value.is_finite())));
    }
}

#[test]
fn the_catalogue_answers_by_name_and_as_a_table() {
    assert!(catalogue::find("make-girls").unwrap().preset("paper").is_ok());
    let message = catalogue::find("stylegan9").unwrap_err().to_string();
    assert!(message.contains("make-girls") && message.contains("psgan"), "{message}");
    assert_eq!(catalogue::table_of(&["pg2", "dcgan"]).unwrap().height(), 6);
    assert!(catalogue::table_of(&["stylegan9"]).unwrap_err().to_string().contains("stylegan9"));
    let message = catalogue::find("make-girls").unwrap().preset("huge").unwrap_err().to_string();
    assert!(message.contains("tiny"), "{message}");
    let markdown = catalogue::markdown().unwrap();
    for part in ["make-girls (paper)", "4,385,283", "19,078,531", "https://arxiv.org/abs/1708.05509"] {
        assert!(markdown.contains(part), "{markdown}");
    }
}
