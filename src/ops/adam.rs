//! In-place arithmetic on parameters: one step of Adam, and the running average of weights.

use candle_core::{CpuStorage, InplaceOp2, InplaceOp3, Layout, Tensor};
use rayon::prelude::*;

use super::kernel::{CHUNK, Real, view};
use crate::{Error, Result};

/// The numbers of one step of Adam (Kingma & Ba 2015, algorithm 1; PyTorch's order of operations, with ε outside the
/// root).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamStep {
    /// Learning rate α.
    pub learning_rate: f64,
    /// Decay of the first moment, in [0, 1).
    pub beta1: f64,
    /// Decay of the second moment, in [0, 1).
    pub beta2: f64,
    /// ε, added to the root of the second moment.
    pub epsilon: f64,
    /// Which step this is, counted from 1.
    pub step: u64,
}

impl AdamStep {
    /// Moves `parameter` and both moments (all of one shape, contiguous, f32 or f64) in place.
    ///
    /// # Errors
    /// When shapes or types differ, a tensor to be changed is not contiguous, or the step is 0.
    pub fn apply(&self, parameter: &Tensor, gradient: &Tensor, first: &Tensor, second: &Tensor) -> Result<()> {
        for (what, tensor) in [("gradient", gradient), ("first moment", first), ("second moment", second)] {
            if tensor.dims() != parameter.dims() {
                let expected = format!("{:?}", parameter.dims());
                return Err(Error::shape(format!("Adam: {what}"), tensor.dims(), expected));
            }
        }
        if self.step == 0 {
            return Err(Error::invalid("Adam: step", "0", "at least 1", "Steps are counted from 1."));
        }
        let gradient = gradient.detach().contiguous()?;
        first.inplace_op2(&gradient, &Lerp { weight: 1.0 - self.beta1 })?;
        second.inplace_op2(&gradient, &SecondMoment { decay: self.beta2 })?;
        parameter.inplace_op3(&first.detach(), &second.detach(), self)?;
        Ok(())
    }
}

/// `average` += `weight`·(`towards` − `average`), in place: the running average of weights with decay 1 − `weight`.
/// Both of one shape and type (f32 or f64), `average` contiguous.
///
/// # Errors
/// When shapes or types differ, or `average` is not contiguous.
pub fn lerp(average: &Tensor, towards: &Tensor, weight: f64) -> Result<()> {
    if average.dims() != towards.dims() {
        return Err(Error::shape("running average: weights", towards.dims(), format!("{:?}", average.dims())));
    }
    Ok(average.inplace_op2(&towards.detach().contiguous()?, &Lerp { weight })?)
}

/// Calls the kernel for the type that the storage holds.
macro_rules! in_place {
    ($self:ident, $kernel:ident, $target:ident, $layout:ident, [$($source:expr),+]) => {{
        let Some((start, end)) = $layout.contiguous_offsets() else {
            candle_core::bail!("{}: the tensor to change is not contiguous", $self.name());
        };
        match $target {
            CpuStorage::F32(values) => $self.$kernel::<f32>(&mut values[start..end], $(view($source.0, $source.1, $self.name())?),+),
            CpuStorage::F64(values) => $self.$kernel::<f64>(&mut values[start..end], $(view($source.0, $source.1, $self.name())?),+),
            _ => candle_core::bail!("{}: only F32 and F64 can be changed in place", $self.name()),
        }
        Ok(())
    }};
}

struct Lerp {
    weight: f64,
}

impl Lerp {
    fn kernel<T: Real>(&self, target: &mut [T], source: &[T]) {
        let weight = T::of(self.weight);
        target.par_chunks_mut(CHUNK).zip(source.par_chunks(CHUNK)).for_each(|(target, source)| {
            for (target, &source) in target.iter_mut().zip(source) {
                *target += weight * (source - *target);
            }
        });
    }
}

impl InplaceOp2 for Lerp {
    fn name(&self) -> &'static str {
        "lerp"
    }

    fn cpu_fwd(
        &self,
        target: &mut CpuStorage,
        layout: &Layout,
        source: &CpuStorage,
        source_layout: &Layout,
    ) -> candle_core::Result<()> {
        in_place!(self, kernel, target, layout, [(source, source_layout)])
    }
}

struct SecondMoment {
    decay: f64,
}

impl SecondMoment {
    fn kernel<T: Real>(&self, moment: &mut [T], gradient: &[T]) {
        let (decay, rest) = (T::of(self.decay), T::of(1.0 - self.decay));
        moment.par_chunks_mut(CHUNK).zip(gradient.par_chunks(CHUNK)).for_each(|(moment, gradient)| {
            for (moment, &gradient) in moment.iter_mut().zip(gradient) {
                *moment = decay * *moment + rest * gradient * gradient;
            }
        });
    }
}

impl InplaceOp2 for SecondMoment {
    fn name(&self) -> &'static str {
        "adam_second_moment"
    }

    fn cpu_fwd(
        &self,
        moment: &mut CpuStorage,
        layout: &Layout,
        gradient: &CpuStorage,
        gradient_layout: &Layout,
    ) -> candle_core::Result<()> {
        in_place!(self, kernel, moment, layout, [(gradient, gradient_layout)])
    }
}

impl AdamStep {
    fn kernel<T: Real>(&self, parameter: &mut [T], first: &[T], second: &[T]) {
        let correction = |beta: f64| 1.0 - beta.powf(self.step as f64);
        let rate = T::of(self.learning_rate / correction(self.beta1));
        let (root, epsilon) = (T::of(correction(self.beta2).sqrt()), T::of(self.epsilon));
        let chunks = parameter.par_chunks_mut(CHUNK).zip(first.par_chunks(CHUNK)).zip(second.par_chunks(CHUNK));
        chunks.for_each(|((parameter, first), second)| {
            for ((parameter, &first), &second) in parameter.iter_mut().zip(first).zip(second) {
                *parameter -= rate * (first / (second.sqrt() / root + epsilon));
            }
        });
    }
}

impl InplaceOp3 for AdamStep {
    fn name(&self) -> &'static str {
        "adam"
    }

    fn cpu_fwd(
        &self,
        parameter: &mut CpuStorage,
        layout: &Layout,
        first: &CpuStorage,
        first_layout: &Layout,
        second: &CpuStorage,
        second_layout: &Layout,
    ) -> candle_core::Result<()> {
        in_place!(self, kernel, parameter, layout, [(first, first_layout), (second, second_layout)])
    }
}
