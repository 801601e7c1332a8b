//! Losses and gradients of whole models beside those of PyTorch (tests/fixtures/filled.py): parameters are filled by a
//! formula, and of each gradient three sums are compared.

use std::collections::BTreeMap;

use tachie::candle_core::{DType, Device, Tensor};
use tachie::data::batch::Batch;
use tachie::nn::params::{ParamStore, Training};
use tachie::rng::Seed;
use tachie::train::gan::{Gan, Player, Step};
use tachie::train::plan::Position;

/// size · sin(0.7·i + key), number by number.
pub fn filled(shape: &[usize], key: f64, size: f64) -> Tensor {
    let numbers: Vec<f64> = (0..shape.iter().product()).map(|i: usize| size * (0.7 * i as f64 + key).sin()).collect();
    Tensor::from_vec(numbers, shape, &Device::Cpu).unwrap()
}

pub fn numbers(tensor: &Tensor) -> Vec<f64> {
    tensor.to_dtype(DType::F64).unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

/// What a buffer of that name starts from.
fn buffer(name: &str, shape: &[usize]) -> Option<Tensor> {
    let end = name.rsplit('.').next().unwrap();
    Some(match end {
        "weight_u" => filled(shape, 0.5, 1.0),
        "weight_v" => filled(shape, 1.5, 1.0),
        "running_mean" => filled(shape, 0.5, 0.3),
        "running_var" => (filled(shape, 1.5, 0.3) + 1.0).unwrap(),
        _ => return None,
    })
}

/// Numbers by name, of a folder of tests/fixtures.
pub struct Golden(BTreeMap<String, Tensor>);

impl Golden {
    pub fn open(folder: &str) -> Golden {
        let path = format!("{}/tests/fixtures/{folder}/golden.safetensors", env!("CARGO_MANIFEST_DIR"));
        Golden(tachie::weights::safetensors::read(path).unwrap().tensors)
    }

    /// All losses and gradients of a configuration in the second step; `full`: gradients number by number.
    pub fn compare<G: Gan>(&self, case: &str, config: &G::Config, batch: &Batch, position: Position, full: bool) {
        let params = ParamStore::blank(&Device::Cpu, DType::F64).unwrap();
        let networks = G::new(config, &params.view(Training::All)).unwrap();
        let mut start = params.tensors();
        for (name, tensor) in &mut start {
            if let Some(buffer) = buffer(name, tensor.dims()) {
                *tensor = buffer;
            }
        }
        for (i, (name, var)) in params.trainable("").into_iter().enumerate() {
            start.insert(name, filled(var.dims(), i as f64, 0.3));
        }
        let mut compared = 0;
        for who in G::plan(config).order.iter().map(|turn| turn.player) {
            params.load(&start).unwrap();
            let mut step = Step::new(2, Seed(0), position);
            networks.share(batch, &mut step).unwrap();
            let loss = networks.loss(who, batch, &mut step).unwrap().total().unwrap();
            compared += self.gradients(case, who, &params, &loss, full);
        }
        assert!(compared > 8, "{case}: {compared} parameters compared");
    }

    /// Loss and gradients of one player; how many parameters were compared.
    fn gradients(&self, case: &str, who: Player, params: &ParamStore, loss: &Tensor, full: bool) -> usize {
        let (found, wanted) = (numbers(loss)[0], numbers(&self.0[&format!("{case}/{}", who.prefix())])[0]);
        assert!((found - wanted).abs() < 1e-9 * wanted.abs().max(1.0), "{case}, {}: {found} {wanted}", who.name());
        let gradients = tachie::autograd::backward(loss).unwrap();
        let mut compared = 0;
        for (name, var) in params.trainable(who.prefix()) {
            let Some(wanted) = self.0.get(&format!("{case}/{}/{name}", who.prefix())) else {
                assert!(gradients.get(&var).is_none(), "{case}: {name} has a gradient, not in PyTorch");
                continue;
            };
            let gradient = gradients.get(&var).unwrap_or_else(|| panic!("{case}: no gradient for {name}"));
            let (found, wanted) = (numbers(gradient), numbers(wanted));
            let sum = |of: fn(f64) -> f64| found.iter().enumerate().map(|(i, g)| g * of(i as f64)).sum::<f64>();
            let sums = [sum(|i| (1.3 * i + 0.2).sin()), sum(|i| (0.9 * i).cos()), found.iter().map(|g| g.abs()).sum()];
            for (found, wanted_sum) in sums.iter().zip(&wanted) {
                // A bias before a norm has no gradient but for rounding.
                let scale = wanted[2].max(1e-3);
                assert!((found - wanted_sum).abs() < 1e-7 * scale, "{case}, {name}: {sums:?} {wanted:?}");
            }
            if full {
                let wanted = numbers(&self.0[&format!("full/{name}")]);
                let most = wanted.iter().fold(1e-12f64, |most, g| most.max(g.abs()));
                let error = found.iter().zip(&wanted).map(|(a, b)| (a - b).abs() / most).fold(0.0, f64::max);
                assert!(error < 1e-6, "{name} is off by {error:.1e}");
            }
            compared += 1;
        }
        compared
    }
}
