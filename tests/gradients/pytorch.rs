//! Outputs, gradients and steps against PyTorch's, from tests/fixtures/torch_ops.py.

use std::collections::{BTreeMap, HashMap};

use tachie::Result;
use tachie::candle_core::{self, DType, Device, Tensor, Var};
use tachie::losses::penalty::{Penalty, gradient_penalty};
use tachie::nn::conv::{Conv2d, ConvSpec};
use tachie::nn::critic::{Critic, Signal};
use tachie::nn::init::Weights;
use tachie::nn::linear::Linear;
use tachie::nn::norm::{BatchNorm, InstanceNorm, Mode, NormSpec};
use tachie::nn::params::{ParamStore, Scope, Training};
use tachie::ops::adam::AdamStep;
use tachie::ops::conv::{conv_transpose2d_with_bias, conv2d_with_bias};
use tachie::ops::norm::instance_norm;
use tachie::ops::resample::{avg_pool2d, avg_pool2d_with, upsample_nearest};
use tachie::ops::reshape::{ShuffleOrder, pixel_shuffle};
use tachie::ops::{activation, adam};
use tachie::rng::seed;

use crate::differences::{difference, numbers};
use tachie::autograd::backward;

const TYPES: [(DType, f64); 2] = [(DType::F64, 1e-12), (DType::F32, 5e-6)];

pub struct Golden {
    tensors: HashMap<String, Tensor>,
    dtype: DType,
    tolerance: f64,
}

impl Golden {
    pub fn each_type(check: impl Fn(&Golden) -> Result<()>) {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/torch_ops.safetensors");
        let tensors = candle_core::safetensors::load(path, &Device::Cpu).unwrap();
        for (dtype, tolerance) in TYPES {
            check(&Golden { tensors: tensors.clone(), dtype, tolerance }).unwrap();
        }
    }

    pub fn get(&self, name: &str) -> Tensor {
        self.tensors.get(name).unwrap_or_else(|| panic!("{name} is not in the fixture")).to_dtype(self.dtype).unwrap()
    }

    pub fn same(&self, name: &str, found: &Tensor) {
        let expected = &self.tensors[name];
        assert_eq!(found.dims(), expected.dims(), "{name}");
        let error = difference(&numbers(found).unwrap(), &numbers(expected).unwrap());
        assert!(error < self.tolerance, "{name} in {:?}: relative error {error:.1e}", self.dtype);
    }

    /// Output and gradients of one operation.
    pub fn operation(&self, case: &str, operands: &[&str], f: impl Fn(&[Var]) -> Result<Tensor>) {
        let variables: Vec<Var> =
            operands.iter().map(|name| Var::from_tensor(&self.get(&format!("{case}.{name}"))).unwrap()).collect();
        let y = f(&variables).unwrap();
        self.same(&format!("{case}.y"), &y);
        let gradients = backward(&(y * self.get(&format!("{case}.g"))).unwrap()).unwrap();
        for (name, variable) in operands.iter().zip(&variables) {
            self.same(&format!("{case}.d_{name}"), gradients.get(variable).unwrap());
        }
    }
}

#[test]
fn convolutions() {
    let s = ConvSpec::default();
    let specs = [
        ("conv_k3_p1", s.padding(1)),
        ("conv_k4_s2_p1", s.stride(2).padding(1)),
        ("conv_k3_s2_uneven", s.stride(2).padding(1)),
        ("conv_groups_d2", s.stride([2, 1]).padding([2, 1]).dilation(2).groups(2)),
        ("conv_k1", s),
    ];
    let transposed =
        [("convt_k4_s2_p1", s.stride(2).padding(1)), ("convt_op", s.stride(2).padding(1).output_padding(1).groups(2))];
    Golden::each_type(|golden| {
        for (case, spec) in &specs {
            golden.operation(case, &["x", "w", "b"], |v| conv2d_with_bias(&v[0], &v[1], Some(&v[2]), spec));
        }
        for (case, spec) in &transposed {
            golden.operation(case, &["x", "w", "b"], |v| conv_transpose2d_with_bias(&v[0], &v[1], Some(&v[2]), spec));
        }
        Ok(())
    });
}

#[test]
fn resampling_and_activations() {
    Golden::each_type(|golden| {
        golden.operation("shuffle", &["x"], |v| pixel_shuffle(&v[0], 2, ShuffleOrder::PyTorch));
        golden.operation("shuffle_dcr", &["x"], |v| pixel_shuffle(&v[0], 2, ShuffleOrder::Dcr));
        golden.operation("pool_k3_s2_p1", &["x"], |v| avg_pool2d_with(&v[0], 3, 2, 1));
        golden.operation("pool_2", &["x"], |v| avg_pool2d(&v[0], 2));
        golden.operation("upsample", &["x"], |v| upsample_nearest(&v[0], 3));
        golden.operation("leaky_relu", &["x"], |v| activation::leaky_relu(&v[0], 0.2));
        golden.operation("relu", &["x"], |v| activation::relu(&v[0]));
        golden.operation("tanh", &["x"], |v| activation::tanh(&v[0]));
        golden.operation("sigmoid", &["x"], |v| activation::sigmoid(&v[0]));
        golden.operation("softplus", &["x"], |v| activation::softplus(&v[0]));
        golden.operation("in", &["x", "w", "b"], |v| instance_norm(&v[0], Some((&v[1], &v[2])), 1e-5));
        Ok(())
    });
}

/// A store that holds the golden parameters below `case`.
fn golden_store(golden: &Golden, case: &str, build: impl Fn(&Scope) -> Result<()>) -> Result<ParamStore> {
    let params = ParamStore::new(seed(1), &Device::Cpu, golden.dtype)?;
    build(&params.view(Training::All))?;
    let fresh = params.tensors();
    let value = |(name, tensor): (String, Tensor)| {
        let key = format!("{case}.{name}");
        // Running statistics start as the layer starts them.
        (name.clone(), if name.starts_with("running") { tensor } else { golden.get(&key) })
    };
    params.load(&fresh.into_iter().map(value).collect::<BTreeMap<_, _>>())?;
    Ok(params)
}

#[test]
fn batch_norm_with_running_statistics() {
    Golden::each_type(|golden| {
        for (case, channels, epsilon, momentum) in [("bn2d", 4, 2e-5, 0.1), ("bn1d", 5, 1e-5, 0.3)] {
            let spec = NormSpec::default().epsilon(epsilon).momentum(momentum);
            let params = golden_store(golden, case, |scope| BatchNorm::new(scope, channels, spec).map(|_| ()))?;
            let layer = BatchNorm::new(&params.view(Training::All), channels, spec)?;
            layer.forward(&golden.get(&format!("{case}.x0")), Mode::Train)?;
            golden.operation(case, &["input"], |v| {
                let y = layer.forward(&v[0], Mode::Train)?;
                for (name, gradient) in [("weight", 0), ("bias", 1)] {
                    let upstream = golden.get(&format!("{case}.g"));
                    let gradients = backward(&(&y * upstream)?)?;
                    let (_, var) = &params.trainable("")[1 - gradient];
                    golden.same(&format!("{case}.d_{name}"), gradients.get(var).unwrap());
                }
                Ok(y)
            });
            for name in ["running_mean", "running_var"] {
                golden.same(&format!("{case}.{name}"), &params.tensors()[name]);
            }
            let y = layer.forward(&golden.get(&format!("{case}.input")), Mode::Eval)?;
            golden.same(&format!("{case}.eval_y"), &y);
        }
        Ok(())
    });
}

#[test]
fn three_steps_of_adam() {
    Golden::each_type(|golden| {
        let parameter = Var::from_tensor(&golden.get("adam.w0"))?;
        let (first, second) = (parameter.zeros_like()?, parameter.zeros_like()?);
        for step in 1..=3 {
            let adam = AdamStep { learning_rate: 2e-2, beta1: 0.5, beta2: 0.99, epsilon: 1e-3, step };
            adam.apply(&parameter, &golden.get(&format!("adam.g{step}")), &first, &second)?;
            golden.same(&format!("adam.w{step}"), &parameter);
        }
        golden.same("adam.first", &first);
        golden.same("adam.second", &second);
        Ok(())
    });
}

#[test]
fn a_running_average_moves_in_place() -> Result<()> {
    let average = Var::new(&[1f32, 2.0], &Device::Cpu)?;
    adam::lerp(&average, &Tensor::new(&[2f32, 4.0], &Device::Cpu)?, 0.25)?;
    assert_eq!(average.to_vec1::<f32>()?, [1.25, 2.5]);
    assert!(adam::lerp(&average, &Tensor::new(&[2f32], &Device::Cpu)?, 0.25).is_err());
    assert!(adam::lerp(&average, &Tensor::new(&[2f64, 4.0], &Device::Cpu)?, 0.25).is_err());
    Ok(())
}

struct Small {
    conv1: Conv2d,
    conv2: Conv2d,
    norm: InstanceNorm,
    linear: Linear,
}

impl Small {
    fn new(scope: &Scope) -> Result<Small> {
        let weights = Weights::normal(0.1);
        Ok(Small {
            conv1: Conv2d::new(&scope.pp("conv1"), 3, 4, 3, ConvSpec::padded(1), weights)?,
            conv2: Conv2d::new(&scope.pp("conv2"), 4, 5, 4, ConvSpec::padded(1).stride(2), weights.without_bias())?,
            norm: InstanceNorm::new(&scope.pp("norm"), 5, NormSpec::default())?,
            linear: Linear::new(&scope.pp("linear"), 45, 1, weights)?,
        })
    }
}

impl Critic for Small {
    fn logit<S: Signal>(&self, x: &S) -> Result<S> {
        let y = x.conv2d(&self.conv1)?.leaky_relu(0.2)?.conv2d(&self.conv2)?;
        y.instance_norm(&self.norm)?.leaky_relu(0.2)?.flatten()?.linear(&self.linear)
    }
}

#[test]
fn penalties_of_a_critic() {
    Golden::each_type(|golden| {
        let params = golden_store(golden, "critic", |scope| Small::new(scope).map(|_| ()))?;
        let critic = Small::new(&params.view(Training::All))?;
        for (case, penalty) in [("norm", Penalty::Norm { target: 1.0 }), ("r1", Penalty::SquaredNorm)] {
            let value = gradient_penalty(&critic, &golden.get("critic.at"), penalty)?;
            golden.same(&format!("penalty_{case}.value"), &value.reshape(1)?);
            let gradients = backward(&value)?;
            let mut compared = 0;
            for (name, var) in params.trainable("") {
                let key = format!("penalty_{case}.d_{name}");
                if golden.tensors.contains_key(&key) {
                    // Shifts act through the gates of the activations only, whose derivative is 0.
                    let gradient = gradients.get(&var).cloned().map_or_else(|| var.zeros_like(), Ok)?;
                    golden.same(&key, &gradient);
                    compared += 1;
                }
            }
            assert!(compared >= 5, "only {compared} gradients compared");
        }
        Ok(())
    });
}
