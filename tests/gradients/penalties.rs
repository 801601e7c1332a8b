//! Penalties' gradients against central differences of the penalties, for critics with every kind of layer.

use tachie::Result;
use tachie::candle_core::Device;
use tachie::candle_core::{DType, Tensor};
use tachie::losses::penalty::{Penalty, dragan, gradient_penalty, r1, wgan_gp};
use tachie::nn::conv::{Conv2d, ConvSpec, ConvTranspose2d};
use tachie::nn::critic::{Critic, Signal};
use tachie::nn::init::{Init, Weights};
use tachie::nn::linear::Linear;
use tachie::nn::norm::{BatchNorm, InstanceNorm, NormSpec};
use tachie::nn::params::{ParamStore, Scope, Training};
use tachie::rng::seed;

use crate::differences::{difference, numbers};

/// Every function of [`Signal`] once.
struct Everything {
    first: Conv2d,
    grown: ConvTranspose2d,
    instance: InstanceNorm,
    plain: InstanceNorm,
    batch: BatchNorm,
    gate: Conv2d,
    head: Linear,
    labels: Tensor,
}

const WEIGHTS: Weights = Weights { weight: Init::Normal { mean: 0.0, std: 0.4 }, bias: Some(Init::Const(0.1)) };

impl Everything {
    fn new(scope: &Scope, labels: Tensor) -> Result<Everything> {
        let same = ConvSpec::padded(1);
        let double = ConvSpec::padded(1).stride(2);
        let norm = NormSpec { weight: Init::Normal { mean: 1.0, std: 0.2 }, ..NormSpec::default() };
        Ok(Everything {
            first: Conv2d::new(&scope.pp("first"), 2, 4, 3, same, WEIGHTS)?,
            grown: ConvTranspose2d::new(&scope.pp("grown"), 4, 3, 4, double, WEIGHTS.without_bias())?,
            instance: InstanceNorm::new(&scope.pp("instance"), 4, norm)?,
            plain: InstanceNorm::plain(3, 1e-5),
            batch: BatchNorm::new(&scope.pp("batch"), 4, norm)?,
            gate: Conv2d::new(&scope.pp("gate"), 4, 4, 1, ConvSpec::default(), WEIGHTS.without_bias())?,
            head: Linear::new(&scope.pp("head"), 14, 1, WEIGHTS)?,
            labels,
        })
    }
}

impl Critic for Everything {
    fn logit<S: Signal>(&self, x: &S) -> Result<S> {
        let x = x.conv2d(&self.first)?.leaky_relu(0.2)?;
        let gated = x.conv2d(&self.gate)?.sigmoid()?.mul(&x.instance_norm(&self.instance)?)?;
        let x = x.add(&gated.scale(0.7)?)?.batch_norm_eval(&self.batch)?.softplus()?;
        let pooled = x.avg_pool2d(2)?.upsample_nearest(2)?.tanh()?;
        let grown = x.add(&pooled)?.conv_transpose2d(&self.grown)?.instance_norm(&self.plain)?.relu()?;
        let wide =
            grown.reshape(&[grown.value().dims()[0], 12, 4, 4])?.cat(&pooled.cat(&pooled, 1)?.cat(&pooled, 1)?, 0)?;
        let n = self.labels.dims()[0];
        let parts =
            wide.linear_map(&|x| Ok(x.narrow(0, 0, n)?))?.add(&wide.linear_map(&|x| Ok(x.narrow(0, n, n)?))?)?;
        let parts = parts.blur()?.add_leaky_relu(&parts, 0.3)?.minibatch_deviation(3)?;
        parts.global_avg_pool2d()?.cat_constant(&self.labels, 1)?.linear(&self.head)
    }
}

fn pictures(name: &str) -> Result<Tensor> {
    Ok(seed(5).stream(name).normal_tensor(&[3, 2, 4, 4], &Device::Cpu)?.to_dtype(DType::F64)?)
}

fn check(name: &str, penalty: impl Fn(&Everything) -> Result<Tensor>) -> Result<()> {
    const H: f64 = 1e-5;
    let params = ParamStore::new(seed(4), &Device::Cpu, DType::F64)?;
    let labels = seed(4).stream("labels").normal_tensor(&[3, 1], &Device::Cpu)?.to_dtype(DType::F64)?;
    let critic = Everything::new(&params.view(Training::All), labels)?;
    let value = penalty(&critic)?;
    assert!(value.to_scalar::<f64>()? > 1e-3, "{name}: the penalty vanishes and so tests nothing");
    let gradients = tachie::autograd::backward(&value)?;
    for (parameter, var) in params.trainable("") {
        let before = var.as_detached_tensor().copy()?;
        let flat = numbers(&before)?;
        let mut expected = Vec::new();
        for index in 0..flat.len() {
            let mut sides = [0.0; 2];
            for (side, h) in sides.iter_mut().zip([H, -H]) {
                let mut moved = flat.clone();
                moved[index] += h;
                var.set(&Tensor::from_vec(moved, before.shape(), &Device::Cpu)?)?;
                *side = penalty(&critic)?.to_scalar()?;
            }
            expected.push((sides[0] - sides[1]) / (2.0 * H));
        }
        var.set(&before)?;
        let found = match gradients.get(&var) {
            Some(gradient) => numbers(gradient)?,
            None => vec![0.0; flat.len()],
        };
        let error = difference(&found, &expected);
        println!("{name}: {parameter:<16} {error:.1e}");
        assert!(error < 2e-6, "{name}: gradient of {parameter} is off by {error:.1e}");
    }
    Ok(())
}

#[test]
fn the_penalty_of_gradient_norms() -> Result<()> {
    let at = pictures("at")?;
    check("norm", |critic| gradient_penalty(critic, &at, Penalty::Norm { target: 1.0 }))
}

#[test]
fn r1_of_real_pictures() -> Result<()> {
    let real = pictures("real")?;
    check("R1", |critic| r1(critic, &real))
}

#[test]
fn dragan_around_real_pictures() -> Result<()> {
    let real = pictures("real")?;
    check("DRAGAN", |critic| dragan(critic, &real, &mut seed(9).stream("dragan")))
}

#[test]
fn wgan_gp_between_real_and_fake() -> Result<()> {
    let (real, fake) = (pictures("real")?, pictures("fake")?);
    check("WGAN-GP", |critic| wgan_gp(critic, &real, &fake, &mut seed(9).stream("wgan-gp")))
}
