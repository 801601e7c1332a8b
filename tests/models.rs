//! What holds for every model of the catalogue.

use std::collections::BTreeMap;

use tachie::candle_core::{Device, Tensor};
use tachie::data::avatar::Avatar;
use tachie::data::batch::Batch;
use tachie::data::dataset::Dataset;
use tachie::data::tags::Labels;
use tachie::models::catalogue::{self, Recipe};
use tachie::rng::Seed;
use tachie::train::gan::{Player, Step};
use tachie::train::plan::{Intervals, Position};
use tachie::train::trainer::{Options, Trainer};

fn faces(size: usize, n: usize) -> Dataset {
    Avatar::faces().size(size as u32).take(n).unwrap()
}

fn batch(size: usize, n: usize) -> Batch {
    let faces = faces(size, n);
    let labels: Vec<Labels> = (0..n).map(|i| faces.labels(i).unwrap()).collect();
    Batch {
        images: faces.images(n).unwrap().tensor,
        labels: Some(Labels::stack(&labels, &Device::Cpu).unwrap()),
        points: None,
        indices: (0..n).collect(),
    }
}

/// The recipe for pictures and labels of `Avatar`.
fn trained(recipe: &dyn Recipe) -> std::sync::Arc<dyn Recipe> {
    recipe.for_data(&faces(8, 1))
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

/// Also on pictures of the paper's size: shapes, gradients and nothing that is not finite.
#[test]
fn every_parameter_gets_a_finite_gradient_and_no_other() {
    for entry in catalogue::catalogue() {
        for preset in entry.presets.iter().filter(|preset| ["paper", "tiny"].contains(&preset.name)) {
            let recipe = trained(&*preset.recipe);
            let params = recipe.networks(Seed(1), &Device::Cpu).unwrap().params;
            let batch = batch(recipe.size(), 2);
            let plan = recipe.plan();
            for turn in &plan.order {
                // A step that regularises, where a plan does so on some steps only.
                let mut step = Step::new(4, Seed(2), Position::default());
                let losses = recipe.loss(&params, turn.player, &batch, &mut step).unwrap();
                let gradients = tachie::autograd::backward(&losses.total().unwrap()).unwrap();
                for (name, var) in params.trainable("") {
                    let gradient = gradients.get(&var);
                    let title = format!("{} {}: {name}", entry.name, preset.name);
                    let owned = name.starts_with(&format!("{}.", turn.player.prefix()));
                    assert_eq!(gradient.is_some(), owned, "{title}");
                    let Some(gradient) = gradient else { continue };
                    assert_eq!(gradient.dims(), var.dims(), "{title}");
                    assert!(numbers(gradient).iter().all(|v| v.is_finite()), "{title}");
                }
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

/// The discriminator learns the attributes of four pictures by heart, and the generator learns to please it.
#[test]
fn one_batch_is_overfitted() {
    let data = faces(64, 4);
    for entry in catalogue::catalogue() {
        let recipe = trained(&*entry.preset("tiny").unwrap().recipe);
        let folder = tempfile::tempdir().unwrap();
        let history = train(&*recipe, &data, folder.path(), 40).history().unwrap();
        let term = |step: usize, name: &str| history.records()[step].losses[name];
        let (first, last) = (term(0, "discriminator/cls_real"), term(39, "discriminator/cls_real"));
        assert!(last < 0.35 * first, "{}: {first} to {last}", entry.name);
        let (first, last) = (term(0, "generator/cls"), term(39, "generator/cls"));
        assert!(last < 0.9 * first, "{}: {first} to {last}", entry.name);
        assert!(history.records().iter().all(|record| record.losses.values().all(|value| value.is_finite())));
    }
}

#[test]
fn the_catalogue_answers_by_name_and_as_a_table() {
    assert!(catalogue::find("make-girls").unwrap().preset("paper").is_ok());
    let message = catalogue::find("stylegan9").unwrap_err().to_string();
    assert!(message.contains("make-girls"), "{message}");
    let message = catalogue::find("make-girls").unwrap().preset("huge").unwrap_err().to_string();
    assert!(message.contains("tiny"), "{message}");
    let markdown = catalogue::markdown().unwrap();
    for part in ["make-girls (paper)", "4,385,283", "19,078,531", "https://arxiv.org/abs/1708.05509"] {
        assert!(markdown.contains(part), "{markdown}");
    }
}
