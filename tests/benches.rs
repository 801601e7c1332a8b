//! What the benches stand on: that every model is measured, and that the step they time is that of a training.

#[allow(dead_code, reason = "the benches use the rest")]
#[path = "../benches/common/models.rs"]
mod models;

use std::collections::BTreeMap;

use tachie::candle_core::{DType, Device, Tensor};
use tachie::models::catalogue::catalogue;
use tachie::models::make_girls::{Adversaries, MakeGirls};
use tachie::nn::params::{ParamStore, Training};
use tachie::train::gan::{Gan, Player};
use tachie::train::history::History;

use models::{Model, models as measured};

#[test]
fn every_preset_of_the_catalogue_is_measured() {
    for entry in catalogue() {
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

fn numbers(tensors: &BTreeMap<String, Tensor>) -> Vec<(String, Vec<f32>)> {
    let numbers = |tensor: &Tensor| tensor.flatten_all().unwrap().to_vec1().unwrap();
    tensors.iter().map(|(name, tensor)| (name.clone(), numbers(tensor))).collect()
}

#[test]
fn a_step_on_the_loaders_batch_is_the_step_of_a_training() {
    let folder = tempfile::tempdir().unwrap();
    let model = Model { name: "tiny".into(), config: MakeGirls::tiny().batch(2), large: false };
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
