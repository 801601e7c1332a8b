//! Gradient penalties, exact to the parameters: the value is the penalty, the ordinary backward its gradient.
//!
//! Give it a critic that computes in f32 (`Scope::computing_in`) also where a training is in bf16: the penalty is a
//! derivative of a derivative. A critic in bf16 is accepted, and rounds here as everywhere.

use candle_core::{DType, Device, Tensor, Var};

use crate::autograd;
use crate::nn::critic::{Critic, Dual, Signal, Tape};
use crate::ops::{arithmetic, channel, reduce};
use crate::rng::Stream;
use crate::{Error, Result};

/// What a penalty does with the gradient g = ∂D/∂x of one sample.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Penalty {
    /// (‖g‖₂ − target)², the norm taken over all numbers of the sample.
    Norm {
        /// The wanted length of the gradient, 1 in the papers.
        target: f64,
    },
    /// ‖g‖₂².
    SquaredNorm,
}

/// Smallest squared norm that is divided by, so that a vanishing gradient gives a finite direction.
const TINY: f64 = 1e-24;

/// The mean over the samples of `penalty` of the gradient of the critic at the points `at` (`[N, 3, H, W]`).
///
/// Returns a scalar. Its value is the penalty. Its ordinary backward is the penalty's exact gradient with respect to the
/// critic's parameters (not to `at`, which is taken as constant): one backward of the critic for g, then one
/// pass of dual numbers along v = ∂penalty/∂g. Costs no more than double backward would.
///
/// # Errors
/// When the critic does not give one number per sample, or does not depend on `at`.
pub fn gradient_penalty(critic: &impl Critic, at: &Tensor, penalty: Penalty) -> Result<Tensor> {
    Ok(scored_gradient_penalty(critic, at, penalty)?.1)
}

/// The critic's scores at the points, as an ordinary forward pass gives them, and [`gradient_penalty`]: for losses that
/// want both of the same pictures.
///
/// # Errors
/// Those of [`gradient_penalty`].
pub fn scored_gradient_penalty(critic: &impl Critic, at: &Tensor, penalty: Penalty) -> Result<(Tensor, Tensor)> {
    let x = Var::from_tensor(&at.detach())?;
    let tape = Tape::default();
    let score = critic.logit(&tape.record(x.as_tensor()))?.value().clone();
    let g = score_gradient(&score, &x)?;
    let (value, direction) = value_and_direction(&g, penalty)?;
    let dual = Dual::new(x.as_detached_tensor(), direction)?.following(tape);
    let tangent = reduce::sum(critic.logit(&dual)?.tangent())?;
    // The tangent has the right gradient but another value; replacing the value leaves the gradient alone.
    let offset = (value - tangent.detach())?;
    Ok((score, (tangent + offset)?))
}

/// ∂(Σ score)/∂x, detached.
fn score_gradient(score: &Tensor, x: &Var) -> Result<Tensor> {
    let samples = x.dims().first().copied().unwrap_or(0);
    if score.elem_count() != samples {
        return Err(Error::shape("gradient penalty: the critic's score", score.dims(), format!("[{samples}]")));
    }
    let gradients = autograd::backward_for(score, &[x.as_tensor()])?;
    let gradient = gradients.get(x).ok_or_else(|| {
        Error::invalid("gradient penalty: critic", "a score that does not depend on the picture", "one that does", "")
    })?;
    Ok(gradient.detach())
}

/// The mean penalty (a scalar) and its derivative with respect to `g`, both constants.
fn value_and_direction(g: &Tensor, penalty: Penalty) -> Result<(Tensor, Tensor)> {
    let samples = g.dims()[0];
    let squared = reduce::dot_from(g, g, 1)?;
    match penalty {
        Penalty::SquaredNorm => Ok((squared.mean_all()?, arithmetic::affine(g, 2.0 / samples as f64, 0.0)?)),
        Penalty::Norm { target } => {
            let norm = (squared + TINY)?.sqrt()?;
            let excess = norm.affine(1.0, -target)?;
            let factor = (excess.affine(2.0 / samples as f64, 0.0)? / &norm)?;
            Ok((excess.sqr()?.mean_all()?, reduce::scale(g, &factor)?))
        }
    }
}

/// DRAGAN (Kodali et al. 2017) as the authors' code does it and as make.girls.moe uses it (Jin et al. 2017, section 4):
/// s = standard deviation of all values of the minibatch `real` (`[N, 3, H, W]`), u ~ U(0, 1) per value, α ~ U(0, 1)
/// per sample, x̂ = x + α·0.5·s·u (positive perturbations only), penalty = mean (‖∂D/∂x̂‖₂ − 1)². D is the logit.
/// The weight λ (10 in DRAGAN, 0.5 in make.girls.moe) is left to the caller.
///
/// # Errors
/// Those of [`gradient_penalty`].
pub fn dragan(critic: &impl Critic, real: &Tensor, stream: &mut Stream) -> Result<Tensor> {
    let [noise, alpha] = dragan_draws(real.dims(), real.dtype(), stream)?;
    dragan_at(critic, real, &[noise.to_device(real.device())?, alpha.to_device(real.device())?])
}

/// What [`dragan`] draws for pictures of this shape and type, on the CPU: u of that shape and α `[N]`.
///
/// # Errors
/// When the shape has no dimension that counts samples.
pub fn dragan_draws(shape: &[usize], dtype: DType, stream: &mut Stream) -> Result<[Tensor; 2]> {
    let like = Tensor::zeros(0, dtype, &Device::Cpu)?;
    let Some(&samples) = shape.first() else {
        return Err(Error::shape("DRAGAN: pictures", shape, "[N, 3, H, W]"));
    };
    Ok([uniform(&like, shape, stream)?, uniform(&like, &[samples], stream)?])
}

/// [`dragan`] with these draws, on the device of the pictures. Nothing is read back from there.
///
/// # Errors
/// When the draws have other shapes than [`dragan_draws`] gives, and those of [`gradient_penalty`].
pub fn dragan_at(critic: &impl Critic, real: &Tensor, draws: &[Tensor; 2]) -> Result<Tensor> {
    gradient_penalty(critic, &dragan_points(real, draws)?, Penalty::Norm { target: 1.0 })
}

/// The perturbed pictures at which [`dragan_at`] looks. `[N, 3, H, W]` → same shape.
///
/// # Errors
/// When the draws have other shapes than [`dragan_draws`] gives.
pub fn dragan_points(real: &Tensor, [noise, alpha]: &[Tensor; 2]) -> Result<Tensor> {
    let real = real.detach();
    // Population standard deviation, as numpy's and TensorFlow's are. All values are one channel, so that the mean is
    // subtracted where it is.
    let shift = arithmetic::affine(&reduce::mean(&real)?.reshape(1)?, -1.0, 0.0)?;
    let centred = channel::affine(&real.reshape((1, 1, real.elem_count()))?, &shift.ones_like()?, &shift)?;
    let variance = (reduce::dot_from(&centred, &centred, 0)? / real.elem_count() as f64)?;
    let step = alpha.broadcast_mul(&variance.sqrt()?)?.affine(0.5, 0.0)?;
    arithmetic::add(&real, &reduce::scale(noise, &step)?)
}

/// WGAN-GP (Gulrajani et al. 2017, algorithm 1): x̂ = ε·real + (1 − ε)·fake with ε ~ U(0, 1) per sample,
/// penalty = mean (‖∂D/∂x̂‖₂ − 1)². Pictures `[N, 3, H, W]`. The weight λ (10) is left to the caller.
///
/// # Errors
/// When the shapes of `real` and `fake` differ, and those of [`gradient_penalty`].
pub fn wgan_gp(critic: &impl Critic, real: &Tensor, fake: &Tensor, stream: &mut Stream) -> Result<Tensor> {
    if real.dims() != fake.dims() {
        return Err(Error::shape("WGAN-GP: fake pictures", fake.dims(), format!("{:?}", real.dims())));
    }
    let (real, fake) = (real.detach(), fake.detach());
    let epsilon = per_sample_uniform(&real, stream)?;
    let along = arithmetic::add(&real, &arithmetic::affine(&fake, -1.0, 0.0)?)?;
    let at = arithmetic::add(&fake, &reduce::scale(&along, &epsilon)?)?;
    gradient_penalty(critic, &at, Penalty::Norm { target: 1.0 })
}

/// R1 (Mescheder et al. 2018, equation 9, without the factor γ/2): mean ‖∂D/∂x‖₂² at real pictures `[N, 3, H, W]`.
///
/// # Errors
/// Those of [`gradient_penalty`].
pub fn r1(critic: &impl Critic, real: &Tensor) -> Result<Tensor> {
    gradient_penalty(critic, real, Penalty::SquaredNorm)
}

/// The critic's scores of real pictures `[N, 3, H, W]`, and [`r1`]: the loss that R1 belongs to scores the same pictures.
///
/// # Errors
/// Those of [`gradient_penalty`].
pub fn scored_r1(critic: &impl Critic, real: &Tensor) -> Result<(Tensor, Tensor)> {
    scored_gradient_penalty(critic, real, Penalty::SquaredNorm)
}

/// `[N]`.
fn per_sample_uniform(like: &Tensor, stream: &mut Stream) -> Result<Tensor> {
    let Some(&samples) = like.dims().first() else {
        return Err(Error::shape("gradient penalty: pictures", like.dims(), "[N, 3, H, W]"));
    };
    uniform(like, &[samples], stream)
}

fn uniform(like: &Tensor, shape: &[usize], stream: &mut Stream) -> Result<Tensor> {
    let count = shape.iter().product();
    Ok(match like.dtype() {
        DType::F64 => {
            Tensor::from_vec((0..count).map(|_| stream.uniform()).collect::<Vec<f64>>(), shape, like.device())?
        }
        _ => stream.uniform_tensor(shape, like.device())?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::seed;

    /// D(x) = ½·Σ a·x², whose gradient a·x is known.
    struct Quadratic {
        a: f64,
    }

    impl Critic for Quadratic {
        fn logit<S: Signal>(&self, x: &S) -> Result<S> {
            x.mul(x)?.scale(self.a / 2.0)?.flatten()?.linear_map(&|x| Ok(x.sum(1)?))
        }
    }

    #[test]
    fn values_of_a_known_critic() {
        let at = Tensor::new(&[[3f64, 4.0], [0.0, 0.5]], &Device::Cpu).unwrap();
        let value =
            |penalty| gradient_penalty(&Quadratic { a: 2.0 }, &at, penalty).unwrap().to_scalar::<f64>().unwrap();
        // Gradients (6, 8) and (0, 1): norms 10 and 1.
        assert!((value(Penalty::Norm { target: 1.0 }) - (81.0 + 0.0) / 2.0).abs() < 1e-12);
        assert!((value(Penalty::SquaredNorm) - (100.0 + 1.0) / 2.0).abs() < 1e-12);
    }

    #[test]
    fn scores_come_with_the_penalty_and_have_their_own_gradient() {
        let a = Var::new(3f64, &Device::Cpu).unwrap();
        struct Scaled(Var);
        impl Critic for Scaled {
            fn logit<S: Signal>(&self, x: &S) -> Result<S> {
                let squares = x.mul(x)?.flatten()?.linear_map(&|x| Ok(x.sum(1)?))?;
                squares.linear_map(&|x| Ok(x.broadcast_mul(self.0.as_tensor())?))?.scale(0.5)
            }
        }
        let at = Tensor::new(&[[3f64, 4.0], [0.0, 0.5]], &Device::Cpu).unwrap();
        let (scores, penalty) = scored_r1(&Scaled(a.clone()), &at).unwrap();
        // a/2·x² and a²·x²; their derivatives at a = 3 are x²/2 and 2a·x², summed and averaged over 25 and 0.25.
        assert_eq!(scores.to_vec1::<f64>().unwrap(), [37.5, 0.375]);
        let of = |loss: &Tensor| autograd::backward(loss).unwrap().get(&a).unwrap().to_scalar::<f64>().unwrap();
        assert!((of(&scores.sum_all().unwrap()) - 12.625).abs() < 1e-12);
        assert!((of(&penalty) - 6.0 * 12.625).abs() < 1e-12);
        let both = (scores.sum_all().unwrap() + penalty).unwrap();
        assert!((of(&both) - 7.0 * 12.625).abs() < 1e-12);
    }

    #[test]
    fn a_vanishing_gradient_stays_finite() {
        let at = Tensor::zeros((2, 3), DType::F32, &Device::Cpu).unwrap();
        let penalty = gradient_penalty(&Quadratic { a: 2.0 }, &at, Penalty::Norm { target: 1.0 }).unwrap();
        assert_eq!(penalty.to_scalar::<f32>().unwrap(), 1.0);
    }

    #[test]
    fn dragan_moves_up_by_at_most_half_a_deviation() {
        let real = seed(1).stream("real").normal_tensor(&[5, 3, 4, 4], &Device::Cpu).unwrap();
        let draws = dragan_draws(real.dims(), real.dtype(), &mut seed(2).stream("dragan")).unwrap();
        let moved = dragan_points(&real, &draws).unwrap();
        // The recipe again, number by number.
        let x: Vec<f32> = real.flatten_all().unwrap().to_vec1().unwrap();
        let mean = x.iter().sum::<f32>() / x.len() as f32;
        let deviation = (x.iter().map(|v| (v - mean).powi(2)).sum::<f32>() / x.len() as f32).sqrt();
        let mut stream = seed(2).stream("dragan");
        let u = stream.uniforms(x.len());
        let alpha = stream.uniforms(5);
        for (i, moved) in moved.flatten_all().unwrap().to_vec1::<f32>().unwrap().into_iter().enumerate() {
            let expected = x[i] + alpha[i / 48] * 0.5 * deviation * u[i];
            assert!((moved - expected).abs() < 1e-5, "{i}: {moved}, expected {expected}");
        }
    }

    #[test]
    fn wrong_shapes_are_refused() {
        let pictures = |n| Tensor::zeros((n, 3, 2, 2), DType::F32, &Device::Cpu).unwrap();
        let critic = Quadratic { a: 1.0 };
        assert!(wgan_gp(&critic, &pictures(2), &pictures(3), &mut seed(1).stream("x")).is_err());
        struct Two;
        impl Critic for Two {
            fn logit<S: Signal>(&self, x: &S) -> Result<S> {
                x.flatten()
            }
        }
        assert!(r1(&Two, &pictures(2)).unwrap_err().to_string().contains("expected [2]"));
    }
}
