//! Changes of parameters in place: steps of Adam, and the running average of weights. Each takes any number of tensors
//! and goes once over their memory, in one parallel region: small tensors do not wait for each other.

#[cfg(feature = "cuda")]
use candle_core::Device;
use candle_core::{DType, Tensor};
use rayon::prelude::*;

use super::kernel::{CHUNK, Real, widest, with_numbers};
use super::lend::Loan;
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

/// One parameter and what moves it: tensors of one shape and type, f32 or f64.
#[derive(Clone, Copy, Debug)]
pub struct Update<'a> {
    /// Moved in place; contiguous.
    pub parameter: &'a Tensor,
    /// Its gradient, in any layout.
    pub gradient: &'a Tensor,
    /// Running mean of gradients, moved in place; contiguous.
    pub first: &'a Tensor,
    /// Running mean of squared gradients, moved in place; contiguous.
    pub second: &'a Tensor,
    /// How the parameter moves.
    pub step: AdamStep,
}

impl AdamStep {
    /// Learning rate over the correction of the first moment, and the root of that of the second, as GPUs get them.
    #[cfg(feature = "cuda")]
    pub(crate) fn scales(&self) -> [f32; 2] {
        let correction = |beta: f64| 1.0 - beta.powf(self.step as f64);
        [(self.learning_rate / correction(self.beta1)) as f32, correction(self.beta2).sqrt() as f32]
    }

    /// [`update`] of a single parameter.
    ///
    /// # Errors
    /// As [`update`].
    pub fn apply(&self, parameter: &Tensor, gradient: &Tensor, first: &Tensor, second: &Tensor) -> Result<()> {
        update(&[Update { parameter, gradient, first, second, step: *self }])
    }
}

/// Moves parameters and both moments of each. Nothing is read by other threads meanwhile.
///
/// # Errors
/// When shapes or types differ, a tensor to be changed is not contiguous or appears twice, or a step is 0; nothing has
/// moved then.
pub fn update(updates: &[Update]) -> Result<()> {
    check(updates)?;
    #[cfg(feature = "cuda")]
    if let Some(Device::Cuda(device)) = updates.first().map(|update| update.parameter.device()) {
        return gpu::update(device, updates, None);
    }
    let of = |dtype| -> Vec<&Update> { updates.iter().filter(|update| update.parameter.dtype() == dtype).collect() };
    move_all::<f32>(&of(DType::F32))?;
    Ok(move_all::<f64>(&of(DType::F64))?)
}

/// [`update`] for a graph, which repeats it with other rates: those are read from `scales` (f32, what
/// [`AdamStep::scales`] gives for each update) when the graph is launched, and nothing moves if `stop` (one f32) is not 0
/// then. The updates' own learning rates and steps are not used.
#[cfg(feature = "cuda")]
pub(crate) fn update_at_launch(updates: &[Update], scales: &Tensor, stop: &Tensor) -> Result<()> {
    check(updates)?;
    gpu::update(scales.device().as_cuda_device()?, updates, Some((scales, stop)))
}

/// That the tensors of each update fit each other.
fn check(updates: &[Update]) -> Result<()> {
    for Update { parameter, gradient, first, second, step } in updates {
        for (what, tensor) in [("gradient", gradient), ("first moment", first), ("second moment", second)] {
            same_kind("Adam", what, tensor, parameter)?;
        }
        if step.step == 0 {
            return Err(Error::invalid("Adam: step", "0", "at least 1", "Steps are counted from 1."));
        }
    }
    Ok(())
}

/// `average` += `weight`·(`towards` − `average`), in place: the running average of weights with decay 1 − `weight`.
/// With weight 1 a copy. Both of one shape and type (f32 or f64), `average` contiguous.
///
/// # Errors
/// As [`lerp_all`].
pub fn lerp(average: &Tensor, towards: &Tensor, weight: f64) -> Result<()> {
    lerp_all(&[(average, towards)], weight)
}

/// [`lerp`] of any number of pairs (average, towards). Nothing is read by other threads meanwhile.
///
/// # Errors
/// When shapes or types of a pair differ, or an average is not contiguous or appears twice; nothing has moved then.
pub fn lerp_all(pairs: &[(&Tensor, &Tensor)], weight: f64) -> Result<()> {
    for (average, towards) in pairs {
        same_kind("running average", "weights", towards, average)?;
    }
    #[cfg(feature = "cuda")]
    if let Some(Device::Cuda(device)) = pairs.first().map(|(average, _)| average.device()) {
        return gpu::lerp_all(device, pairs, weight);
    }
    let of = |dtype| -> Vec<(&Tensor, &Tensor)> {
        pairs.iter().filter(|(average, _)| average.dtype() == dtype).copied().collect()
    };
    average_all::<f32>(&of(DType::F32), weight)?;
    Ok(average_all::<f64>(&of(DType::F64), weight)?)
}

fn same_kind(operation: &str, what: &str, tensor: &Tensor, target: &Tensor) -> Result<()> {
    if tensor.dims() != target.dims() {
        return Err(Error::shape(format!("{operation}: {what}"), tensor.dims(), format!("{:?}", target.dims())));
    }
    if tensor.dtype() != target.dtype() || !matches!(target.dtype(), DType::F32 | DType::F64) {
        let found = format!("{:?} for {:?}", tensor.dtype(), target.dtype());
        return Err(Error::invalid(format!("{operation}: type of {what}"), found, "both F32 or both F64", ""));
    }
    Ok(())
}

/// A piece of a parameter, its moments and its gradient.
struct Piece<'a, T> {
    parameter: &'a mut [T],
    first: &'a mut [T],
    second: &'a mut [T],
    gradient: &'a [T],
    step: AdamStep,
}

fn move_all<T: Real>(updates: &[&Update]) -> candle_core::Result<()> {
    const NAME: &str = "Adam";
    let loans = updates.iter().map(|update| {
        let loan = |tensor| Loan::<T>::of(tensor, NAME);
        Ok([loan(update.parameter)?, loan(update.first)?, loan(update.second)?])
    });
    let mut loans = loans.collect::<candle_core::Result<Vec<_>>>()?;
    let gradients = updates.iter().map(|update| update.gradient.detach().contiguous());
    with_numbers(&gradients.collect::<candle_core::Result<Vec<_>>>()?, NAME, |gradients| {
        let mut pieces = Vec::new();
        for ((loans, gradient), update) in loans.iter_mut().zip(gradients).zip(updates) {
            let [parameter, first, second] = loans.each_mut().map(|loan| loan.numbers().chunks_mut(CHUNK));
            let chunks = parameter.zip(first).zip(second).zip(gradient.chunks(CHUNK));
            pieces.extend(chunks.map(|(((parameter, first), second), gradient)| {
                let step = update.step;
                Piece { parameter, first, second, gradient, step }
            }));
        }
        pieces.into_par_iter().for_each(Piece::advance);
        Ok(())
    })
}

impl<T: Real> Piece<'_, T> {
    fn advance(self) {
        let AdamStep { learning_rate, beta1, beta2, epsilon, step } = self.step;
        let correction = |beta: f64| 1.0 - beta.powf(step as f64);
        let rate = T::of(learning_rate / correction(beta1));
        let (root, epsilon) = (T::of(correction(beta2).sqrt()), T::of(epsilon));
        let (weight, decay, rest) = (T::of(1.0 - beta1), T::of(beta2), T::of(1.0 - beta2));
        let Piece { parameter, first, second, gradient, .. } = self;
        widest(|| {
            let moments = first.iter_mut().zip(second);
            for ((parameter, (first, second)), &gradient) in parameter.iter_mut().zip(moments).zip(gradient) {
                *first += weight * (gradient - *first);
                *second = decay * *second + rest * gradient * gradient;
                *parameter -= rate * (*first / (second.sqrt() / root + epsilon));
            }
        });
    }
}

fn average_all<T: Real>(pairs: &[(&Tensor, &Tensor)], weight: f64) -> candle_core::Result<()> {
    const NAME: &str = "running average";
    let loans = pairs.iter().map(|(average, _)| Loan::<T>::of(average, NAME));
    let mut loans = loans.collect::<candle_core::Result<Vec<_>>>()?;
    let sources = pairs.iter().map(|(_, towards)| towards.detach().contiguous());
    let weight = T::of(weight);
    with_numbers(&sources.collect::<candle_core::Result<Vec<_>>>()?, NAME, |sources| {
        let chunks = |(loan, source)| <Loan<T>>::numbers(loan).chunks_mut(CHUNK).zip(<[T]>::chunks(source, CHUNK));
        let pieces: Vec<(&mut [T], &[T])> = loans.iter_mut().zip(sources).flat_map(chunks).collect();
        pieces.into_par_iter().for_each(|(average, towards)| {
            // The sum would round.
            if weight == T::ONE {
                return average.copy_from_slice(towards);
            }
            widest(|| {
                for (average, &towards) in average.iter_mut().zip(towards) {
                    *average += weight * (towards - *average);
                }
            });
        });
        Ok(())
    })
}

#[cfg(feature = "cuda")]
mod gpu {
    use candle_core::Tensor;
    use candle_core::cuda::CudaDevice;

    use super::Update;
    use crate::Result;
    use crate::ops::cuda::optim::{AdamFactors, AdamTensor, AtLaunch, Place, adam, lerp};

    /// What the tensors of one launch share.
    fn factors(update: &Update) -> AdamFactors {
        let step = &update.step;
        AdamFactors { beta1: step.beta1, beta2: step.beta2, epsilon: step.epsilon }
    }

    /// `at_launch` holds the scales of all updates and the number that stops them.
    pub(super) fn update(device: &CudaDevice, updates: &[Update], at_launch: Option<(&Tensor, &Tensor)>) -> Result<()> {
        let mut done = 0;
        for alike in updates.chunk_by(|a, b| factors(a) == factors(b)) {
            let gradients = alike.iter().map(|update| update.gradient.contiguous());
            // They have to live until the kernel is launched.
            let gradients = gradients.collect::<candle_core::Result<Vec<_>>>()?;
            let mut tensors = Vec::with_capacity(alike.len());
            for (update, gradient) in alike.iter().zip(&gradients) {
                let [rate, root] = update.step.scales();
                tensors.push(AdamTensor {
                    parameter: Place::of(update.parameter)?,
                    gradient: Place::of(gradient)?,
                    mean: Place::of(update.first)?,
                    square: Place::of(update.second)?,
                    rate,
                    root,
                });
            }
            let now = |(scales, stop): (&Tensor, &Tensor)| -> Result<AtLaunch> {
                let scales = Place::of(&scales.narrow(0, 2 * done, 2 * alike.len())?)?;
                Ok(AtLaunch { scales, stop: Place::of(stop)? })
            };
            adam(device, factors(&alike[0]), &tensors, at_launch.map(now).transpose()?)?;
            done += alike.len();
        }
        Ok(())
    }

    pub(super) fn lerp_all(device: &CudaDevice, pairs: &[(&Tensor, &Tensor)], weight: f64) -> Result<()> {
        let sources = pairs.iter().map(|(_, towards)| towards.contiguous());
        let sources = sources.collect::<candle_core::Result<Vec<_>>>()?;
        let places =
            pairs.iter().zip(&sources).map(|((average, _), source)| Ok((Place::of(average)?, Place::of(source)?)));
        Ok(lerp(device, weight, &places.collect::<Result<Vec<_>>>()?)?)
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;
    use crate::rng::seed;

    const STEP: AdamStep = AdamStep { learning_rate: 0.1, beta1: 0.5, beta2: 0.9, epsilon: 1e-8, step: 3 };

    /// Parameter, gradient and moments of one shape.
    fn four(name: &str, shape: &[usize], dtype: DType) -> [Tensor; 4] {
        let mut stream = seed(4).stream(name);
        [0; 4].map(|_| {
            let numbers = stream.normal_tensor(shape, &Device::Cpu).unwrap().abs().unwrap();
            numbers.to_dtype(dtype).unwrap()
        })
    }

    fn of(tensors: &[Tensor; 4]) -> Update<'_> {
        let [parameter, gradient, first, second] = tensors;
        Update { parameter, gradient, first, second, step: STEP }
    }

    fn numbers(tensor: &Tensor) -> Vec<f64> {
        tensor.to_dtype(DType::F64).unwrap().flatten_all().unwrap().to_vec1().unwrap()
    }

    #[test]
    fn many_parameters_move_as_each_would_alone() {
        let make = || {
            [
                four("long", &[3, CHUNK], DType::F32),
                four("short", &[5], DType::F32),
                four("double", &[2, 2], DType::F64),
                four("empty", &[0], DType::F32),
            ]
        };
        let (alone, together) = (make(), make());
        for tensors in &alone {
            let [parameter, gradient, first, second] = tensors;
            STEP.apply(parameter, gradient, first, second).unwrap();
        }
        update(&together.each_ref().map(of)).unwrap();
        for (alone, together) in alone.iter().flatten().zip(together.iter().flatten()) {
            assert_eq!(numbers(alone), numbers(together));
        }
        assert_ne!(numbers(&make()[1][0]), numbers(&together[1][0]));
    }

    #[test]
    fn what_cannot_move_leaves_everything_in_place() {
        let (good, other) = (four("good", &[4], DType::F32), four("other", &[4], DType::F32));
        let before = numbers(&good[0]);
        let refused = |bad: Update, reason: &str| {
            let message = update(&[of(&good), bad]).unwrap_err().to_string();
            assert!(message.contains(reason), "{message}");
            assert_eq!(numbers(&good[0]), before);
        };
        refused(of(&good), "given twice");
        refused(Update { gradient: &four("short", &[3], DType::F32)[0], ..of(&other) }, "Adam: gradient");
        refused(Update { first: &four("double", &[4], DType::F64)[0], ..of(&other) }, "F64 for F32");
        refused(Update { step: AdamStep { step: 0, ..STEP }, ..of(&other) }, "counted from 1");
        let transposed = four("matrix", &[2, 2], DType::F32).map(|tensor| tensor.t().unwrap());
        refused(of(&transposed), "not contiguous");
        refused(Update { gradient: &good[1], parameter: &good[1], ..of(&other) }, "being changed");
    }

    #[test]
    fn averages_move_towards_their_weights() {
        let (a, b) = (four("a", &[CHUNK + 1], DType::F32), four("b", &[3], DType::F64));
        let expected: Vec<Vec<f64>> = [&a, &b]
            .map(|[average, towards, ..]| {
                let pairs = numbers(average).into_iter().zip(numbers(towards));
                pairs.map(|(average, towards)| average + 0.25 * (towards - average)).collect()
            })
            .to_vec();
        lerp_all(&[(&a[0], &a[1]), (&b[0], &b[1])], 0.25).unwrap();
        for (found, expected) in [&a, &b].iter().zip(expected) {
            for (found, expected) in numbers(&found[0]).into_iter().zip(expected) {
                assert!((found - expected).abs() < 1e-6 * expected.abs().max(1.0), "{found}, expected {expected}");
            }
        }
        assert!(lerp_all(&[(&a[0], &a[1]), (&a[0], &a[1])], 0.25).is_err());
        assert!(lerp(&a[0], &a[0], 0.25).is_err());
    }
}
