//! The running average of weights, updated in place.

use candle_core::{CpuStorage, InplaceOp2, Layout, Tensor};
use rayon::prelude::*;

use crate::Result;
use crate::nn::params::ParamStore;

/// Numbers per piece of work: enough to pay for handing it to another thread.
const PIECE: usize = 1 << 16;

/// average ← factor · average + (1 − factor) · params for every trainable parameter; buffers (running statistics of
/// batch norm) are copied, since they are averages already.
///
/// # Errors
/// When the stores are not of the same networks.
pub fn update(average: &ParamStore, params: &ParamStore, factor: f64) -> Result<()> {
    let trained: std::collections::BTreeSet<String> = params.trainable("").into_iter().map(|(name, _)| name).collect();
    let current = params.tensors();
    for (name, old) in average.tensors() {
        let Some(new) = current.get(&name) else {
            return Err(crate::Error::invalid("running average", name, "a parameter of the trained networks", ""));
        };
        let factor = if trained.contains(&name) { factor } else { 0.0 };
        old.inplace_op2(new, &Mix { factor })?;
    }
    Ok(())
}

struct Mix {
    factor: f64,
}

impl Mix {
    fn mix<T: Copy + Send + Sync>(&self, old: &mut [T], new: &[T], rule: impl Fn(T, T) -> T + Sync) {
        old.par_chunks_mut(PIECE).zip(new.par_chunks(PIECE)).for_each(|(old, new)| {
            old.iter_mut().zip(new).for_each(|(old, new)| *old = rule(*old, *new));
        });
    }
}

impl InplaceOp2 for Mix {
    fn name(&self) -> &'static str {
        "ema"
    }

    fn cpu_fwd(&self, old: &mut CpuStorage, at: &Layout, new: &CpuStorage, from: &Layout) -> candle_core::Result<()> {
        let (Some((at, to)), Some((from, end))) = (at.contiguous_offsets(), from.contiguous_offsets()) else {
            return Err(candle_core::Error::Msg("ema: parameters are not contiguous".into()));
        };
        // A factor of 0 copies, also what is not finite (0 · NaN would stay NaN for ever).
        let copy = self.factor == 0.0;
        match (old, new) {
            (CpuStorage::F32(old), CpuStorage::F32(new)) => {
                let (keep, take) = (self.factor as f32, (1.0 - self.factor) as f32);
                let rule = |old, new| if copy { new } else { keep * old + take * new };
                self.mix(&mut old[at..to], &new[from..end], rule);
            }
            (CpuStorage::F64(old), CpuStorage::F64(new)) => {
                let rule = |old, new| if copy { new } else { self.factor * old + (1.0 - self.factor) * new };
                self.mix(&mut old[at..to], &new[from..end], rule);
            }
            _ => return Err(candle_core::Error::Msg("ema: f32 or f64 parameters, of one type, are needed".into())),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::params::{Init, Training};
    use crate::rng::Seed;
    use candle_core::{DType, Device};

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
        update(&average, &params, 0.0).unwrap();
        assert_eq!(numbers("g.weight"), [5.0, -3.0]);
    }
}
