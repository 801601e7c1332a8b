//! The running average of the weights, which previews and samples use.

use std::collections::BTreeMap;

use candle_core::Var;

use crate::nn::params::ParamStore;
use crate::ops::adam::lerp_all;
use crate::{Error, Result};

/// average ← factor · average + (1 − factor) · params for every trainable parameter; buffers (running statistics of
/// batch norm) are copied, since they are averages already.
///
/// # Errors
/// When the stores are not of the same networks.
pub fn update(average: &ParamStore, params: &ParamStore, factor: f64) -> Result<()> {
    let trained: BTreeMap<String, Var> = params.trainable("").into_iter().collect();
    let current = params.tensors();
    let averages = average.tensors();
    let (mut averaged, mut copied) = (Vec::new(), Vec::new());
    for (name, old) in &averages {
        match (trained.get(name), current.get(name)) {
            (Some(new), _) => averaged.push((old, new.as_tensor())),
            (None, Some(new)) => copied.push((old, new)),
            (None, None) => {
                return Err(Error::invalid(
                    "running average",
                    name.as_str(),
                    "the parameters of the trained networks",
                    "",
                ));
            }
        }
    }
    lerp_all(&copied, 1.0)?;
    lerp_all(&averaged, 1.0 - factor)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::init::Init;
    use crate::nn::params::Training;
    use crate::rng::Seed;
    use candle_core::{DType, Device, Tensor};

    #[test]
    fn parameters_are_averaged_and_buffers_copied() {
        let params = ParamStore::new(Seed(1), &Device::Cpu, DType::F32).unwrap();
        let scope = params.view(Training::All).pp("g");
        scope.param("weight", &[2], Init::Const(1.0)).unwrap();
        let statistic = scope.buffer("running_mean", &[2], 0.0).unwrap();
        let average = params.copy().unwrap();
        params.trainable("g")[0].1.set(&Tensor::new(&[5f32, -3.0], &Device::Cpu).unwrap()).unwrap();
        statistic.set(&Tensor::new(&[7f32, 8.0], &Device::Cpu).unwrap()).unwrap();
        update(&average, &params, 0.75).unwrap();
        let numbers = |name: &str| average.tensors()[name].to_vec1::<f32>().unwrap();
        assert_eq!(numbers("g.weight"), [2.0, 0.0]);
        assert_eq!(numbers("g.running_mean"), [7.0, 8.0]);
        params.trainable("g")[0].1.set(&Tensor::new(&[6f32, 0.0], &Device::Cpu).unwrap()).unwrap();
        update(&average, &params, 0.5).unwrap();
        assert_eq!(numbers("g.weight"), [4.0, 0.0]);
    }
}
